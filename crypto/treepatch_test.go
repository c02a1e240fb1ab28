package crypto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func whole(page []byte) []byte { return append([]byte(WholePatch), page...) }

// drawPatch makes a patch of random slots.
func drawPatch(t *rapid.T, name string) []byte {
	mask := rapid.Uint16().Draw(t, name+" mask")
	used := mask & rapid.Uint16().Draw(t, name+" used")
	leaves := used & rapid.Uint16().Draw(t, name+" leaves")
	p := slotPatch{mask: mask, used: used, leaves: leaves}
	b := binary.BigEndian.AppendUint16(nil, mask)
	b = binary.BigEndian.AppendUint16(b, used)
	b = binary.BigEndian.AppendUint16(b, leaves)
	fill := rapid.Byte().Draw(t, name+" content")
	for i := range p.size(mask) {
		b = append(b, fill+byte(i/HashSize))
	}
	return b
}

// slotsOf takes a patch apart: for each slot that it tells, what it holds.
func slotsOf(t *rapid.T, patch []byte) map[int]string {
	p, err := parsePatch(patch)
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]string{}
	for i := range pageSlots {
		n := p.size(1 << i)
		if p.mask>>i&1 == 1 {
			out[i] = string(rune('0'+n/HashSize)) + string(p.slots[:n])
		}
		p.slots = p.slots[n:]
	}
	return out
}

// TestJoinPatches joins patches slot by slot, in either order of joining.
func TestJoinPatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawPatch(t, "a"), drawPatch(t, "b"), drawPatch(t, "c")
		join := func(older, newer []byte) []byte {
			got, err := JoinPatches([]byte("before"), older, newer)
			if err != nil || !bytes.HasPrefix(got, []byte("before")) {
				t.Fatalf("%x, %v", got, err)
			}
			return got[len("before"):]
		}
		want := slotsOf(t, a)
		for i, s := range slotsOf(t, b) {
			want[i] = s
		}
		got := slotsOf(t, join(a, b))
		if len(got) != len(want) {
			t.Fatalf("%d slots, want %d", len(got), len(want))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("slot %d: %x, want %x", i, got[i], want[i])
			}
		}
		if left, right := join(join(a, b), c), join(a, join(b, c)); !bytes.Equal(left, right) {
			t.Fatalf("%x joined from the left, %x from the right", left, right)
		}
	})
}

func TestJoinPatchesRefuses(t *testing.T) {
	good := make([]byte, patchHead)
	for name, bad := range map[string][]byte{
		"nothing": nil, "short": make([]byte, patchHead-1), "used and not told": {0, 1, 0, 2, 0, 0}, "leaf and not used": {0, 1, 0, 0, 0, 1},
		"too short": {0, 1, 0, 1, 0, 0}, "too long": make([]byte, patchHead+1),
	} {
		if _, err := JoinPatches(nil, bad, good); !errors.Is(err, ErrPage) {
			t.Errorf("%s, the older: %v", name, err)
		}
		if _, err := JoinPatches(nil, good, bad); !errors.Is(err, ErrPage) {
			t.Errorf("%s, the newer: %v", name, err)
		}
	}
}

func FuzzJoinPatches(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 0}, []byte{0, 2, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, older, newer []byte) {
		b, err := JoinPatches(nil, older, newer)
		if err != nil {
			return
		}
		if _, err := parsePatch(b); err != nil || len(b) > len(older)+len(newer) {
			t.Errorf("%x and %x give %x: %v", older, newer, b, err)
		}
	})
}
