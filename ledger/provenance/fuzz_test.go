package provenance

import (
	"bytes"
	"runtime"
	"testing"
)

// FuzzVerify: whatever is accepted is written exactly like that, and nothing panics.
func FuzzVerify(f *testing.F) {
	w := newWorld(f, "fuzz", 6)
	w.tell()
	h := w.freeze()
	w.idle(3)
	for _, r := range []Request{{ID: box1, Depth: 3}, {ID: lotB}, {ID: salad, Depth: 1}} {
		f.Add(w.make(h, r))
	}
	f.Add([]byte(Magic))
	f.Add([]byte{})
	trust := Trust{Genesis: w.genesis, checker: newMemo()}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if r, err := Verify(raw, trust); err != nil {
			if _, ok := kindOf(err); !ok || r != nil {
				t.Fatalf("an error without a kind, or a report beside it: %v", err)
			}
			return
		}
		c, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := c.Encode(); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("it does not encode to itself: %v", err)
		}
	})
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
