package provenance

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"
)

// FuzzVerify: whatever is accepted is written exactly like that, says what a true certificate says, and nothing panics. The input
// is a file, or changes of a true one: a whole certificate as an input would be minimized for minutes whenever it is of interest.
func FuzzVerify(f *testing.F) {
	c := newCorpus(f)
	w := newWorld(f, "fuzz", 6)
	w.tell()
	h := w.freeze()
	w.idle(3)
	f.Add(w.make(h, Request{ID: pallet}), uint8(0))
	f.Add([]byte(Magic), uint8(0))
	f.Add([]byte{}, uint8(0))
	for i := range c.raw {
		f.Add([]byte{0, 0, 1, 0, 1}, uint8(i+1))
		f.Add([]byte{0, 9, 0, 1, 4, 0, 9, 0, 2, 4}, uint8(i+1))
	}
	f.Fuzz(func(t *testing.T, data []byte, of uint8) {
		raw := data
		if int(of) > len(c.raw) {
			return
		} else if of > 0 {
			raw = patched(c.raw[of-1], data)
		}
		r, err := Verify(raw, c.trust)
		if err != nil {
			if _, ok := kindOf(err); !ok || r != nil {
				t.Fatalf("an error without a kind, or a report beside it: %v", err)
			}
			return
		}
		if said := statement(r); c.truth[said] == "" {
			t.Fatalf("it says what no true certificate says: %s", said)
		}
		cert, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := cert.Encode(); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("it does not encode to itself: %v", err)
		}
	})
}

// patched is a certificate with changes: of each five bytes four say where and the last what to add.
func patched(raw, changes []byte) []byte {
	out := bytes.Clone(raw)
	for ; len(changes) >= 5; changes = changes[5:] {
		out[int(binary.BigEndian.Uint32(changes)%uint32(len(out)))] ^= changes[4]
	}
	return out
}

// TestDecodeAllocatesLittle: no file makes the decoder allocate more than 16 times its size and 64 KiB.
func TestDecodeAllocatesLittle(t *testing.T) {
	empty := func(c Certificate) []byte {
		raw, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	many := 20_000
	places := make([]place, 16_000)
	for name, raw := range map[string][]byte{
		"records":      empty(Certificate{states: make([]stateEntry, many)}),
		"transactions": empty(Certificate{transactions: make([]transaction, many)}),
		"things":       empty(Certificate{things: make([]thing, many)}),
		"blocks":       empty(Certificate{blocks: make([]block, many)}),
		"paths":        empty(Certificate{paths: make([]path, many)}),
		"places":       empty(Certificate{things: []thing{{Events: places}}}),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(raw)
		runtime.ReadMemStats(&after)
		if used, most := after.TotalAlloc-before.TotalAlloc, uint64(16*len(raw)+64<<10); used > most {
			t.Errorf("%s: %d bytes made it allocate %d (%v)", name, len(raw), used, err)
		}
	}
	bomb := append([]byte(Magic), 0, 0, 0, 3, 0x9b, 0xff, 0xff) // an array that says it is endless
	if _, err := Decode(bomb); err == nil {
		t.Error("accepted")
	}
}
