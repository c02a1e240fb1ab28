package trace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"waybill/epcis"
)

// What follows is what somebody could record so that a question of others takes for ever, or all memory.

// mill is one transformation told in many events, each of which names the same input and output.
func mill(t *testing.T, events int) listed {
	w := newWorld(t)
	for i := range events {
		w.make(kitchen, []string{fmt.Sprintf("%s=%dKGM", farmA, i+1)}, []string{fmt.Sprintf("%s=%dKGM", salad, i+1)}).TransformationID = "urn:example:process:1"
	}
	return listOf(w)
}

// Each event of a process adds itself to what the others said: all of them stand behind one link, from the first to the last.
func TestManyEventsOfOneProcess(t *testing.T) {
	const events = 300
	l := mill(t, events)
	for dir, f := range map[Direction]tracer{DirectionBack: Back, DirectionForward: Forward} {
		item := map[Direction]string{DirectionBack: salad, DirectionForward: farmA}[dir]
		ctx := &counted{t.Context(), 1 << 30}
		g, err := f(ctx, l, item, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		checkGraph(t, g)
		if asked := 1<<30 - ctx.left; asked > 4*events/ticksPerCheck+10 {
			t.Errorf("%s: the context is asked %d times: each event is held against all others", dir, asked)
		}
		if len(g.Nodes) != 2 || len(g.Edges) != 1 || g.Truncated {
			t.Fatalf("%s: %d items, %d links, %v", dir, len(g.Nodes), len(g.Edges), g.Reasons)
		}
		e := g.Edges[0]
		if len(e.Events) != events || !slices.IsSorted(e.Events) || e.StartMs != g.Events[0].TimeMs || e.EndMs != g.Events[events-1].TimeMs || e.Quantity != fmt.Sprint(events) {
			t.Errorf("%s: %s of %d events, %d to %d", dir, e.Quantity, len(e.Events), e.StartMs, e.EndMs)
		}
	}
}

// counted counts how often a context is asked whether it has ended; it ends after some times.
type counted struct {
	context.Context
	left int
}

func (c *counted) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// A trace that nobody waits for any more ends also while it reads nothing: whatever it goes through often, it asks then.
func TestTraceEndsWhileItReadsNothing(t *testing.T) {
	const many = 2 * ticksPerCheck
	carried := newWorld(t)
	carried.pack(kitchen, pallet1, case1, case2)
	for range many {
		carried.object(epcis.ActionObserve, "inspecting", kitchen, pallet1)
	}
	parted := newWorld(t) // a lot in ever more parts
	for i := range many {
		parted.born(fmt.Sprintf("urn:example:place:%d", i), salad+"=1")
		parted.object(epcis.ActionObserve, "inspecting", kitchen, salad)
	}
	for name, c := range map[string]struct {
		src  Source
		item string
	}{"one process": {mill(t, many), farmA}, "a carrier seen often": {listOf(carried), pallet1}, "parts": {listOf(parted), salad}} {
		ctx := &counted{t.Context(), 1 << 30}
		whole, err := Forward(ctx, c.src, c.item, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		asked := 1<<30 - ctx.left
		if asked <= 2*len(whole.Nodes)+2 { // once for each item that is read
			t.Errorf("%s: the context is asked %d times for %d items", name, asked, len(whole.Nodes))
		}
		for _, left := range []int{0, asked / 2, asked - 1} {
			if _, err := Forward(&counted{t.Context(), left}, c.src, c.item, Limits{}); !errors.Is(err, context.Canceled) {
				t.Errorf("%s, after being asked %d of %d times: %v", name, left, asked, err)
			}
		}
	}
}

// All of many went into all of many: items are few and links are not. The items are in the answer all the same.
func TestLimitOfEdges(t *testing.T) {
	const each = 30
	w := newWorld(t)
	var in, out []string
	for i := range each {
		in, out = append(in, serialOf(i)), append(out, serialOf(1000+i))
	}
	w.make(kitchen, []string{farmA + "=5"}, in)
	w.make(kitchen, in, out)
	l := listOf(w)
	for _, limit := range []int{1, each, each + each*each - 1, each + each*each, 0} {
		g, err := Forward(t.Context(), l, farmA, Limits{Edges: limit})
		if err != nil {
			t.Fatal(err)
		}
		checkGraph(t, g)
		want := each + each*each
		cut := limit > 0 && limit < want
		if cut {
			want = limit
		}
		if len(g.Edges) != want || len(g.Nodes) != 1+2*each || g.Truncated != cut || len(g.Reasons) > maxReasons {
			t.Errorf("limit %d: %d links, %d items, cut short %t, %d reasons", limit, len(g.Edges), len(g.Nodes), g.Truncated, len(g.Reasons))
		}
	}
}

// What happens to a carrier is in the history of everything in it.
func TestLimitOfVisits(t *testing.T) {
	const things, events = 20, 30
	w := newWorld(t)
	var list []string
	for i := range things {
		list = append(list, serialOf(i))
	}
	w.pack(kitchen, pallet1, list...)
	for range events {
		w.object(epcis.ActionObserve, "inspecting", kitchen, pallet1)
	}
	l := listOf(w)
	const all = (things + 1) * (events + 1)
	for _, limit := range []int{1, events, all - 1, all, 0} {
		g, err := Forward(t.Context(), l, pallet1, Limits{Visits: limit})
		if err != nil {
			t.Fatal(err)
		}
		checkGraph(t, g)
		visits, want := 0, all
		for i := range g.Nodes {
			visits += len(g.Nodes[i].Events)
		}
		cut := limit > 0 && limit < all
		if cut {
			want = limit
		}
		if visits != want || len(g.Nodes) != things+1 || g.Truncated != cut {
			t.Errorf("limit %d: %d visits, %d items, cut short %t", limit, visits, len(g.Nodes), g.Truncated)
		}
	}
}

// A limit that a thousand things meet is said some times, not a thousand.
func TestReasonsAreFew(t *testing.T) {
	l := wide(t, 3*maxReasons, func(int) int { return 0 })
	g, err := Forward(t.Context(), l, salad, Limits{Nodes: 1})
	if err != nil || !g.Truncated || len(g.Reasons) != maxReasons {
		t.Errorf("%d reasons, %v", len(g.Reasons), err)
	}
}

// Things that are expected, read ahead and not asked for, again and again, do not have much more read than without.
func TestReadingAheadForNothing(t *testing.T) {
	const heavy, junk, each = 100, 2 * maxUnasked, 1
	w := newWorld(t)
	var first, rest []string
	for i := range heavy { // read alone, so that each has others read with it
		first = append(first, serialOf(i))
	}
	for i := range junk {
		rest = append(rest, serialOf(heavy+i))
	}
	for range refsAhead {
		w.object(epcis.ActionObserve, "inspecting", kitchen, first...)
	}
	for i := range junk {
		for range each {
			w.object(epcis.ActionObserve, "inspecting", kitchen, rest[i])
		}
	}
	w.make(kitchen, []string{salad + "=5"}, append(first, rest...))
	h := newHistory(t.Context(), nil, Limits{}.withDefaults())
	a := &asked{Source: listOf(w)}
	h.reader.src = a
	for k, id := range first {
		for i := range maxExpected { // as events would say that name them over and over
			h.expectItem(rest[(k*maxExpected/2+i)%junk])
		}
		if _, err := h.item(id); err != nil {
			t.Fatal(err)
		}
	}
	used := len(h.entries) + len(h.items)
	if most := 2*(used+maxUnasked) + maxUnasked + eventsAhead; a.events > most || a.keys > most {
		t.Errorf("%d items and %d events were read for %d that are used", a.keys, a.events, used)
	}
	if h.reader.wasted < maxUnasked {
		t.Errorf("only %d were read for nothing", h.reader.wasted)
	}
}
