package sync

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"waybill/consensus/quorum"
)

func TestEncodeDecode(t *testing.T) {
	n := newNetwork(t, "home", 5)
	mixed := slices.Clone(n.blocks)
	mixed[1].Certificate = nil
	empty := n.next(n.tip(5))
	closing := n.next(n.tip(5), "last")
	closing.Next = n.Set
	for name, blocks := range map[string][]Block{
		"none": nil, "one": n.blocks[:1], "all": n.blocks, "without some certificates": mixed, "without payload": {empty}, "with the next set": {closing},
		"full": slices.Repeat(n.blocks[:1], MaxBlocksPerAnswer),
	} {
		raw := EncodeBlocks(blocks)
		got, err := DecodeBlocks(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		equalBlocks(t, got, blocks)
		size := 2
		for i := range blocks {
			size += blocks[i].Size()
		}
		if size != len(raw) {
			t.Errorf("%s: Size says %d, it is %d", name, size, len(raw))
		}
		if _, err := DecodeBlocks(append(slices.Clone(raw), 0)); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s and a byte: %v", name, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	n := newNetwork(t, "home", 2)
	raw := EncodeBlocks(n.blocks)
	for cut := range raw {
		if _, err := DecodeBlocks(raw[:cut]); !errors.Is(err, ErrEncoding) {
			t.Fatalf("cut to %d bytes: %v", cut, err)
		}
	}
	u16, u32 := binary.BigEndian.AppendUint16, binary.BigEndian.AppendUint32
	header := n.blocks[0].Header.Encode()
	start := append(u32(u16(nil, 1), uint32(len(header))), header...) // one block up to its certificate
	for name, raw := range map[string][]byte{
		"too many blocks":          EncodeBlocks(slices.Repeat(n.blocks[:1], MaxBlocksPerAnswer+1)),
		"65535 blocks in no bytes": u16(nil, math.MaxUint16),
		"64 blocks in no bytes":    u16(nil, 64),
		"a header of 4 GiB":        u32(u16(nil, 1), math.MaxUint32),
		"a short header":           append(u32(u16(nil, 1), 3), 1, 2, 3),
		"a certificate of 4 GiB":   u32(slices.Clone(start), math.MaxUint32),
		"a certificate of garbage": append(u32(slices.Clone(start), 5), 1, 2, 3, 4, 5),
		"a set of 4 GiB":           u32(u32(slices.Clone(start), 0), math.MaxUint32),
		"a set of garbage":         append(u32(u32(slices.Clone(start), 0), 3), 0, 1, 2),
		"an empty set":             append(u32(u32(slices.Clone(start), 0), 2), 0, 0),
		"2^32-1 transactions":      u32(u32(u32(slices.Clone(start), 0), 0), math.MaxUint32),
		"65536 in 20 bytes":        append(u32(u32(u32(slices.Clone(start), 0), 0), 1<<16), make([]byte, 20)...),
		"an empty transaction":     append(u32(u32(u32(u32(slices.Clone(start), 0), 0), 1), 0), 0),
		"a transaction of 4 GiB":   append(u32(u32(u32(u32(slices.Clone(start), 0), 0), 1), math.MaxUint32), 1),
		"no count":                 u32(u32(slices.Clone(start), 0), 0),
		"no set":                   u32(slices.Clone(start), 0),
	} {
		if got, err := DecodeBlocks(raw); !errors.Is(err, ErrEncoding) || got != nil {
			t.Errorf("%s: %d blocks, %v", name, len(got), err)
		}
	}
}

// FuzzDecodeBlocks: no panic, no memory out of proportion, and what is accepted is what is written.
func FuzzDecodeBlocks(f *testing.F) {
	n := newNetwork(f, "home", 3)
	f.Add([]byte{})
	f.Add([]byte{0, 0})
	f.Add([]byte{0xff, 0xff})
	f.Add(EncodeBlocks(n.blocks))
	f.Add(EncodeBlocks(n.blocks[:1]))
	many := n.next(n.anchor, strings.Split(strings.Repeat("x,", 2000)+"x", ",")...)
	f.Add(EncodeBlocks([]Block{many}))
	many.Next = n.Set
	f.Add(EncodeBlocks([]Block{many}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		blocks, err := DecodeBlocks(raw)
		runtime.ReadMemStats(&after)
		if used, most := after.TotalAlloc-before.TotalAlloc, uint64(16*len(raw)+64<<10); used > most {
			t.Fatalf("%d bytes made it allocate %d", len(raw), used)
		}
		if err != nil {
			if !errors.Is(err, ErrEncoding) {
				t.Fatalf("an error without kind: %v", err)
			}
			return
		}
		if !bytes.Equal(EncodeBlocks(blocks), raw) {
			t.Fatal("two encodings of the same blocks")
		}
	})
}

func TestTrimAnswer(t *testing.T) {
	n := newNetwork(t, "home", 1)
	certificate := n.blocks[0].Certificate
	make1 := func(size int, certified bool) Block {
		b := Block{Payload: [][]byte{make([]byte, size)}}
		if certified {
			b.Certificate = certificate
		}
		return b
	}
	many := func(count, size int, certified bool) []Block {
		return slices.Repeat([]Block{make1(size, certified)}, count)
	}
	const mib = 1 << 20
	closing := make1(10, true)
	closing.Header.Flags = quorum.FlagClosing
	for name, c := range map[string]struct {
		blocks []Block
		want   int
	}{
		"nothing":                                {nil, 0},
		"one":                                    {many(1, 10, true), 1},
		"one without certificate":                {many(1, 10, false), 0},
		"to the last certificate":                {slices.Concat(many(3, 10, false), many(1, 10, true), many(2, 10, false)), 4},
		"64":                                     {many(64, 10, true), 64},
		"65":                                     {many(65, 10, true), 64},
		"certificate only on the 65th":           {slices.Concat(many(64, 10, false), many(1, 10, true)), 0},
		"by size":                                {many(5, mib, true), 2},
		"a large one alone":                      {many(2, 4*mib, true), 1},
		"a large one without its certificate":    {slices.Concat(many(1, 4*mib, false), many(1, 1000, true)), 2},
		"three of 1 MiB before the certificate":  {slices.Concat(many(3, mib, false), many(1, mib, true)), 4},
		"goes on no further than it must":        {slices.Concat(many(3, mib, false), many(2, mib, true)), 4},
		"no certificate within what can be sent": {slices.Concat(many(7, mib, false), many(1, mib, true)), 0},
		"not beyond a closing block":             {slices.Concat(many(2, 10, true), []Block{closing}, many(2, 10, true)), 3},
	} {
		before := slices.Clone(c.blocks)
		got := TrimAnswer(c.blocks)
		if len(got) != c.want {
			t.Errorf("%s: %d blocks, want %d", name, len(got), c.want)
			continue
		}
		for i := range got {
			if last := i == len(got)-1; last != (got[i].Certificate != nil) {
				t.Errorf("%s: block %d of %d has a certificate: %t", name, i, len(got), !last)
			}
		}
		for i := range before {
			if before[i].Certificate != c.blocks[i].Certificate {
				t.Errorf("%s: the blocks of the caller were changed", name)
			}
		}
		if raw := EncodeBlocks(got); len(raw) > LargestAnswerBytes {
			t.Errorf("%s: %d bytes", name, len(raw))
		}
	}
}

// TestLimitsFit: what a proposal may carry, an answer can.
func TestLimitsFit(t *testing.T) {
	b := Block{Payload: slices.Repeat([][]byte{make([]byte, quorum.MaxPayloadBytes/quorum.MaxPayloadTxs)}, quorum.MaxPayloadTxs)}
	if size := b.Size() + quorum.MaxCertificateSize; size > LargestAnswerBytes {
		t.Fatalf("the largest block takes %d bytes", size)
	}
}

func FuzzDecodeStateRequest(f *testing.F) {
	for kind := AskHandovers; kind <= AskChunk; kind++ {
		f.Add(uint8(kind), (&StateRequest{Kind: kind, Epoch: 3, Max: 4, Below: 5, Index: 6}).Encode())
	}
	f.Fuzz(func(t *testing.T, kind uint8, raw []byte) {
		r, err := DecodeStateRequest(StateKind(kind), raw)
		if err != nil {
			if !errors.Is(err, ErrEncoding) {
				t.Fatal(err)
			}
			return
		}
		if again := r.Encode(); !bytes.Equal(again, raw) {
			t.Fatalf("read %x, written %x", raw, again)
		}
	})
}
