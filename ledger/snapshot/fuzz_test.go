package snapshot

import (
	"bytes"
	"errors"
	"runtime"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
)

// sample is a small snapshot over two epochs.
func sample(t testing.TB) *Stored {
	t.Helper()
	c := newChain(t, 21, vfs.NewMem())
	c.epochLength = 3
	c.grow(4, 20)
	s := c.snapshot(library(t, c.fs, "snapshots"))
	if err := c.store.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

// bounded runs a decoder and refuses that it takes memory out of proportion.
func bounded(t *testing.T, raw []byte, decode func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	decode()
	runtime.ReadMemStats(&after)
	if used, most := after.TotalAlloc-before.TotalAlloc, uint64(16*len(raw)+64<<10); used > most {
		t.Fatalf("%d bytes made it allocate %d", len(raw), used)
	}
}

func FuzzDecodeManifest(f *testing.F) {
	s := sample(f)
	f.Add([]byte{})
	f.Add(s.Manifest.Encode())
	f.Add(s.Manifest.Encode()[:200])
	f.Fuzz(func(t *testing.T, raw []byte) {
		bounded(t, raw, func() {
			m, err := DecodeManifest(raw)
			if err != nil {
				if !errors.Is(err, ErrEncoding) && !errors.Is(err, ErrForm) && !errors.Is(err, ErrRoot) {
					t.Fatalf("an error without kind: %v", err)
				}
				return
			}
			if !bytes.Equal(m.Encode(), raw) {
				t.Fatal("two encodings of the same manifest")
			}
		})
	})
}

func FuzzDecodeProof(f *testing.F) {
	s := sample(f)
	f.Add([]byte{})
	f.Add(s.Proof.Encode())
	f.Add((&Proof{Path: s.Manifest.Headers, Last: s.Proof.Last, First: &s.Proof.Last, FirstAt: 1}).Encode())
	f.Fuzz(func(t *testing.T, raw []byte) {
		bounded(t, raw, func() {
			p, err := DecodeProof(raw)
			if err != nil {
				if !errors.Is(err, ErrEncoding) {
					t.Fatalf("an error without kind: %v", err)
				}
				return
			}
			if !bytes.Equal(p.Encode(), raw) {
				t.Fatal("two encodings of the same proof")
			}
			nobody := &Epochs{genesis: s.Manifest.Genesis} // no validators are known: nothing may pass, or panic
			if _, err := nobody.Certify(s.Manifest, p); err == nil {
				t.Fatal("certified by nobody")
			}
		})
	})
}

func FuzzDecodeHandovers(f *testing.F) {
	s := sample(f)
	f.Add([]byte{}, 0)
	f.Add(EncodeHandovers(nil), 1)
	f.Add(EncodeHandovers(s.Handovers), 64)
	f.Fuzz(func(t *testing.T, raw []byte, most int) {
		bounded(t, raw, func() {
			list, err := DecodeHandovers(raw, min(max(most, 0), MaxHandovers))
			if err != nil {
				if !errors.Is(err, ErrEncoding) {
					t.Fatalf("an error without kind: %v", err)
				}
				return
			}
			if !bytes.Equal(EncodeHandovers(list), raw) {
				t.Fatal("two encodings of the same hand-overs")
			}
		})
	})
}

// FuzzOpenChunk opens any bytes as a chunk of a real manifest: only the chunk itself is accepted.
func FuzzOpenChunk(f *testing.F) {
	s := sample(f)
	good, err := s.Chunk(0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, uint32(len(good)), s.Manifest.Chunks[0].Keys)
	f.Add(bytes.Repeat([]byte{0}, 40), uint32(40), uint32(1))
	f.Fuzz(func(t *testing.T, raw []byte, size, keys uint32) {
		c := s.Manifest.Chunks[0]
		c.Bytes, c.Keys = size, keys
		bounded(t, raw, func() {
			if _, err := c.Open(raw); err == nil && !bytes.Equal(raw, good) {
				t.Fatal("another chunk is accepted")
			}
		})
	})
}

// TestSizes: what the limits allow can be encoded within the limits.
func TestSizes(t *testing.T) {
	m := &Manifest{Headers: make([]quorum.Header, MaxSpan), Chunks: make([]Chunk, MaxChunks)}
	for i := range m.Chunks {
		m.Chunks[i].Depth = 64 // deeper than 2^64 hashes of keys make it
	}
	if n := len(m.Encode()); n > MaxManifestBytes {
		t.Fatalf("the largest manifest takes %d bytes", n)
	}
	s := sample(t)
	if n := HandoverSize(&s.Handovers[0]); 4+n != len(EncodeHandovers(s.Handovers[:1])) || n > maxHandoverSize {
		t.Fatalf("a hand-over takes %d bytes, %d are said", len(EncodeHandovers(s.Handovers[:1]))-4, n)
	}
}
