package ledger

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"waybill/consensus/quorum"
)

// plainOverlay is an overlay as one would first think of it: a whole state for each layer.
type plainOverlay struct {
	layers  []map[string]uint64
	changed []map[string]bool // by layer
}

func (p *plainOverlay) push() {
	p.layers = append(p.layers, maps.Clone(p.layers[len(p.layers)-1]))
	p.changed = append(p.changed, map[string]bool{})
}

func (p *plainOverlay) drop() {
	p.layers, p.changed = p.layers[:len(p.layers)-1], p.changed[:len(p.changed)-1]
}

func (p *plainOverlay) merge() {
	n := len(p.layers) - 1
	p.layers[n-1] = p.layers[n]
	maps.Copy(p.changed[n-1], p.changed[n])
	p.drop()
}

// An overlay is the state after what was put and deleted and not dropped, whatever the layers.
func TestOverlayIsThePlainOne(t *testing.T) {
	key := func(i int) []byte { return fmt.Appendf(nil, "key/%d", i) }
	property(t, func(rt *rapid.T) {
		view, state := mapView{}, map[string]uint64{}
		for i := range 6 {
			if rapid.Bool().Draw(rt, "there") {
				view[string(key(i))], state[string(key(i))] = mustMarshal(Seen{Height: 7}), 7
			}
		}
		o := newOverlay(view)
		p := &plainOverlay{layers: []map[string]uint64{maps.Clone(state)}, changed: []map[string]bool{{}}}
		for range rapid.IntRange(1, 60).Draw(rt, "acts") {
			k := key(rapid.IntRange(0, 9).Draw(rt, "key"))
			n := len(p.layers) - 1
			switch rapid.IntRange(0, 6).Draw(rt, "act") {
			case 0, 1:
				v := rapid.Uint64Range(7, 9).Draw(rt, "value")
				put(o, k, Seen{Height: quorum.Height(v)})
				p.layers[n][string(k)], p.changed[n][string(k)] = v, true
			case 2:
				o.del(k)
				delete(p.layers[n], string(k))
				p.changed[n][string(k)] = true
			case 3:
				if n < 4 {
					o.push()
					p.push()
				}
			case 4:
				if n > 0 {
					o.drop()
					p.drop()
				}
			case 5:
				if n > 0 {
					o.merge()
					p.merge()
				}
			case 6:
				to := rapid.IntRange(1, n+1).Draw(rt, "layers")
				o.dropTo(to)
				for len(p.layers) > to {
					p.drop()
				}
			}
			for i := range 10 {
				compareSlot(rt, o, p, state, key(i))
			}
			var want []string
			for k := range p.changed[len(p.changed)-1] {
				want = append(want, k)
			}
			slices.Sort(want)
			var got []string
			for _, s := range o.changed() {
				got = append(got, s.key)
			}
			if !slices.Equal(got, want) {
				rt.Fatalf("the top layer changed %q, want %q", got, want)
			}
		}
		for len(p.layers) > 1 {
			o.merge()
			p.merge()
		}
		compareWrites(rt, o, p.layers[0], state, view)
	})
}

// compareSlot compares what is at a key, and what is there below the top layer.
func compareSlot(rt *rapid.T, o *overlay, p *plainOverlay, state map[string]uint64, k []byte) {
	n := len(p.layers) - 1
	below := state
	if n > 0 {
		below = p.layers[n-1]
	}
	s := o.slot(k)
	if o.isOnTop(s) != p.changed[n][string(k)] {
		rt.Fatalf("%s: changed by the top layer: %t", k, o.isOnTop(s))
	}
	for i, x := range []struct {
		rec  *Seen
		want map[string]uint64
	}{{peek[Seen](o, k), p.layers[n]}, {peekUnder[Seen](o, s), below}} {
		v, there := x.want[string(k)]
		if (x.rec != nil) != there || there && uint64(x.rec.Height) != v {
			rt.Fatalf("%s: %v, want %d %t (below: %d)", k, x.rec, v, there, i)
		}
	}
}

// compareWrites demands that writes tell what differs from the view, in order.
func compareWrites(rt *rapid.T, o *overlay, is, was map[string]uint64, view mapView) {
	writes, err := o.writes()
	if err != nil {
		rt.Fatal(err)
	}
	if !slices.IsSortedFunc(writes, func(a, b Write) int { return bytes.Compare(a.Key, b.Key) }) {
		rt.Fatal("writes are not in order")
	}
	got := map[string]uint64{}
	maps.Copy(got, was)
	for _, w := range writes {
		if old := view[string(w.Key)]; bytes.Equal(old, w.Value) && (old == nil) == (w.Value == nil) {
			rt.Fatalf("a write changes nothing: %s", w.Key)
		}
		if delete(got, string(w.Key)); w.Value != nil {
			rec, err := decodeRecord[Seen](w.Key, w.Value)
			if err != nil {
				rt.Fatal(err)
			}
			got[string(w.Key)] = uint64(rec.Height)
		}
	}
	if !maps.Equal(got, is) {
		rt.Fatalf("writes make %v, want %v", got, is)
	}
}
