package trace

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"waybill/epcis"
)

// asked remembers what a source was asked.
type asked struct {
	Source
	keys, events, calls, most int
}

func (a *asked) EventsOf(ctx context.Context, keys []string, limit int) ([][]Ref, error) {
	a.keys, a.calls, a.most = a.keys+len(keys), a.calls+1, max(a.most, len(keys))
	return a.Source.EventsOf(ctx, keys, limit)
}

func (a *asked) Events(ctx context.Context, refs []Ref) ([]Recorded, error) {
	a.events, a.calls, a.most = a.events+len(refs), a.calls+1, max(a.most, len(refs))
	if !slices.IsSortedFunc(refs, Ref.Compare) {
		return nil, fmt.Errorf("the places are not in order: %v", refs)
	}
	return a.Source.Events(ctx, refs)
}

func serialOf(i int) string { return fmt.Sprintf("https://id.gs1.org/01/09521006000217/21/%d", i) }

// wide is a lot of which many things are made at once, the i-th of them seen as often as seen says.
func wide(t *testing.T, things int, seen func(i int) int) listed {
	w := newWorld(t)
	var made []string
	for i := range things {
		made = append(made, serialOf(i))
	}
	w.make(kitchen, []string{salad + "=5"}, made)
	for round := 0; ; round++ {
		var list []string
		for i, id := range made {
			if round < seen(i) {
				list = append(list, id)
			}
		}
		if len(list) == 0 {
			return listOf(w)
		}
		w.object(epcis.ActionObserve, "inspecting", kitchen, list...)
	}
}

// What is read ahead is bounded, complete at the edges of its bounds, and saves most questions.
func TestReadingAhead(t *testing.T) {
	const things = itemsAtOnce + 5
	edges := []int{0, 1, refsAhead - 3, refsAhead - 2, refsAhead - 1, refsAhead, refsAhead + 40} // and one in which it is made
	seen := func(i int) int {
		if i%100 < len(edges) {
			return edges[i%100]
		}
		return 1
	}
	l := wide(t, things, seen)
	a := &asked{Source: l}
	g, err := Forward(t.Context(), a, salad, Limits{})
	if err != nil || g.Truncated {
		t.Fatal(g, err)
	}
	checkGraph(t, g)
	if len(g.Nodes) != things+1 || len(g.Events) != len(l.events) {
		t.Fatalf("%d items and %d events, want %d and %d", len(g.Nodes), len(g.Events), things+1, len(l.events))
	}
	for i := range things {
		if n := g.Node(Key(serialOf(i))); len(n.Events) != 1+seen(i) {
			t.Fatalf("thing %d has %d events, want %d", i, len(n.Events), 1+seen(i))
		}
	}
	alone := 0 // things that have too many events to be read with others
	for i := range things {
		if 1+seen(i) >= refsAhead {
			alone++
		}
	}
	if a.most > max(itemsAtOnce, eventsAtOnce) || a.calls > alone+20 || a.events != len(l.events) || a.keys > things+alone+20 {
		t.Errorf("asked %d times about %d items (%d alone) and %d of %d events, at most %d at once", a.calls, a.keys, alone, a.events, len(l.events), a.most)
	}
}

// Limits count what is asked for, not what was read ahead, and nothing is read beyond the limit on events.
func TestReadingAheadWithinLimits(t *testing.T) {
	l := wide(t, itemsAtOnce+10, func(i int) int { return i % 5 })
	whole, err := Forward(t.Context(), l, salad, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{1, 2, len(l.events) - 1, len(l.events), len(l.events) + 1} {
		a := &asked{Source: l}
		g, err := Forward(t.Context(), a, salad, Limits{Events: limit})
		if err != nil {
			t.Fatal(err)
		}
		if cut := limit < len(l.events); g.Truncated != cut || a.events > limit || len(g.Events) > limit {
			t.Errorf("limit %d of %d events: cut short %t, %d read, %d in the answer", limit, len(l.events), g.Truncated, a.events, len(g.Events))
		}
		if !g.Truncated && !sameAnswer(t, g, whole) {
			t.Errorf("limit %d changes the answer", limit)
		}
	}
	for _, limit := range []int{1, 2, itemsAtOnce, len(whole.Nodes) - 1, len(whole.Nodes)} {
		g, err := Forward(t.Context(), l, salad, Limits{Nodes: limit})
		if err != nil || len(g.Nodes) != limit || g.Truncated != (limit < len(whole.Nodes)) {
			t.Fatalf("limit %d of %d items: %d in the answer, cut short %t, %v", limit, len(whole.Nodes), len(g.Nodes), g.Truncated, err)
		}
	}
}

func sameAnswer(t *testing.T, a, b *Graph) bool {
	t.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(x) == string(y)
}

// The line and what nobody asked for yet are bounded; what does not fit is read when it is asked for.
func TestReadingAheadForgets(t *testing.T) {
	l := wide(t, 3, func(int) int { return 2 })
	h := newHistory(t.Context(), l, Limits{}.withDefaults())
	for i := range 2 * maxExpected {
		h.expectItem(serialOf(i))
	}
	if n := len(h.reader.line); n != maxExpected {
		t.Fatalf("%d items are expected, want %d", n, maxExpected)
	}
	for i := 2*maxExpected - 1; i >= 0; i-- { // the other way round, so that little of what was read ahead is asked for soon
		it, err := h.item(serialOf(i))
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 3}[i < 3]; len(it.entries) != want {
			t.Fatalf("thing %d has %d events, want %d", i, len(it.entries), want)
		}
		if n := len(h.reader.refs); n > maxUnasked+itemsAtOnce {
			t.Fatalf("%d items were read and not asked for", n)
		}
		if n := len(h.reader.events); n > maxUnasked+eventsAhead {
			t.Fatalf("%d events were read and not asked for", n)
		}
		h.expectItem(serialOf(2*maxExpected + i))
	}
	if n := len(h.reader.line); n > 2*maxExpected {
		t.Errorf("the line has %d places", n)
	}
}

// An event that names many things more than once, with a thing in several parts, is read as one that names few.
func TestMentions(t *testing.T) {
	for _, more := range []int{0, 1, 2, 3, 40} {
		e := &epcis.Event{Type: epcis.TransformationEvent, EventTime: epcis.NewTimestamp(1), InputEPCs: []string{bag1, bag2, bag1}, OutputEPCs: []string{bag1}}
		e.OutputQuantities = amounts(packed+"=2", packed+"=3")
		for i := range more {
			e.InputEPCs = append(e.InputEPCs, serialOf(100+i))
		}
		en := newEntry(spellings{}, Ref{}, e, Meta{})
		if want := len(e.InputEPCs) + 3; len(en.mentions) != want || len(en.in(partInput)) != len(e.InputEPCs) || len(en.in(partOutput)) != 3 || len(en.in(partEPC)) != 0 {
			t.Fatalf("%d more: %d mentions, %d inputs, %d outputs", more, len(en.mentions), len(en.in(partInput)), len(en.in(partOutput)))
		}
		count := func(id string, parts part) int {
			n := 0
			for m := en.first(Key(id), parts); m != nil; m = en.next(m, parts) {
				n++
			}
			return n
		}
		for _, x := range []struct {
			id    string
			parts part
			want  int
		}{{bag1, partAny, 3}, {bag1, partInput, 2}, {bag1, partOutput, 1}, {bag2, partAny, 1}, {bag2, partOutput, 0}, {packed, partOutput, 2}, {farmA, partAny, 0}} {
			if n := count(x.id, x.parts); n != x.want {
				t.Errorf("%d more: %s is named %d times in %b, want %d", more, x.id, n, x.parts, x.want)
			}
		}
		if en.parts(Key(bag1)) != partInput|partOutput || en.parts(Key(farmA)) != 0 || !en.closes || en.empties {
			t.Errorf("%d more: parts %b, closes %t, empties %t", more, en.parts(Key(bag1)), en.closes, en.empties)
		}
	}
}
