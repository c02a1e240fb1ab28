package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"waybill/crypto"
	"waybill/epcis"
)

// noQueue demands that nothing of the queue is left in the state.
func noQueue(t testing.TB, v mapView) {
	t.Helper()
	for k := range v {
		for _, space := range []string{"turn/", "follow/", "following/"} {
			if strings.HasPrefix(k, space) {
				t.Errorf("%q is left over", k)
			}
		}
	}
	if all, err := ReadNotices(v); err != nil || all == nil || all.Head != all.Tail {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestNoticeAndTransformationInAnyOrder gives a notice about the input of one event of a transformation at every moment
// of it; its output is stopped from then on.
func TestNoticeAndTransformationInAnyOrder(t *testing.T) {
	raw, filler, half, goods := modelLot(1, 1), modelLot(1, 2), modelLot(1, 3), modelLot(1, 4)
	for moment := range 6 {
		n := recallNet(t, nil)
		n.adds("Brand", nil, append(kilosOf(raw, 100), kilosOf(filler, 100)...)...)
		var id crypto.Hash
		steps := []func() Receipt{
			func() Receipt { return n.makes("Brand", filler, half, "urn:example:x:1") },
			func() Receipt { return n.makes("Brand", half, goods, "") }, // used before the other input goes in
			func() Receipt { return n.makes("Brand", raw, "", "urn:example:x:1") },
			func() Receipt { return n.makes("Brand", filler, modelLot(1, 5), "urn:example:x:1") },
		}
		steps = slices.Insert(steps, min(moment, 4), func() Receipt {
			var r Receipt
			if moment == 5 { // about the product, not the lot
				id, r = n.gives("Agency", Recall, "https://id.gs1.org/01/09521321000018")
			} else {
				id, r = n.gives("Agency", Recall, raw)
			}
			return r
		})
		for i, do := range steps {
			if r := do(); !r.OK() {
				t.Fatalf("moment %d, step %d: %s", moment, i, r.Finding)
			}
		}
		for _, made := range []string{half, goods, modelLot(1, 5)} {
			if open, err := OpenNotices(n.view, made); err != nil || len(open) != 1 || open[0].ID != id {
				t.Errorf("moment %d: %s is under %v, %v", moment, made, open, err)
			}
			wantCode(t, made, n.ships("Brand", 3, nil, kilosOf(made, 1)...), CodeUnderNotice)
		}
		want := CodeOK
		if moment == 5 {
			want = CodeUnderNotice
		}
		wantCode(t, "filler", n.ships("Brand", 3, nil, kilosOf(filler, 1)...), want)
		noQueue(t, n.view)
	}
}

// TestNoticesTakeTurns has a notice with more to reach than a block does, and one with little that comes after it.
func TestNoticesTakeTurns(t *testing.T) {
	n := recallNet(t, nil)
	const uses = followBudget + 1000
	flour, bread := modelLot(1, 1), modelLot(2, 1)
	n.adds("Brand", nil, kilosOf(flour, 10_000)...)
	n.adds("Maker", nil, kilosOf(bread, 100)...)
	if r := n.makes("Maker", bread, modelLot(2, 2), ""); !r.OK() {
		t.Fatal(r.Finding)
	}
	// Straight into the state: so many events would take a while.
	b := &blockRun{o: newOverlay(n.view)}
	lot, _ := get[Lot](b.o, LotKey(canonical(flour)))
	for i := range uses {
		link := crypto.Hash{1, byte(i), byte(i >> 8)}
		put(b.o, UsedKey(lot.ID, uint64(i)), Edge{Link: link})
		put(b.o, LinkKey(link), Link{Inputs: []string{lot.ID}, Outputs: []string{fmt.Sprintf("urn:example:loaf:%05d", i)}})
	}
	lot.Used = uses
	put(b.o, LotKey(lot.ID), lot)
	writes, err := b.o.writes()
	if err != nil {
		t.Fatal(err)
	}
	n.view.apply(writes)

	big, r := n.gives("Brand", Recall, flour)
	wantCode(t, "big", r, CodeOK)
	small, r := n.gives("Agency", Recall, bread)
	wantCode(t, "small", r, CodeOK)
	state := func(id crypto.Hash) bool {
		still, err := ReadFollowing(n.view, id)
		if err != nil {
			t.Fatal(err)
		}
		return still
	}
	if !state(big) || state(small) {
		t.Fatalf("in the block of the small notice the big one is under way: %t, the small one: %t", state(big), state(small))
	}
	if all, _ := ReadNotices(n.view); all.Head == all.Tail {
		t.Error("the counters say that all is done")
	}
	wantCode(t, "what the small one reached", n.ships("Maker", 3, nil, kilosOf(modelLot(2, 2), 1)...), CodeUnderNotice)
	blocks := 3
	for state(big) {
		n.block()
		if blocks++; blocks > 10 {
			t.Fatal("it never ends")
		}
	}
	for i := range uses {
		if h, _ := ReadHold(n.view, fmt.Sprintf("urn:example:loaf:%05d", i)); h == nil || len(h.Notices) != 1 || h.Notices[0] != big {
			t.Fatalf("loaf %d is under %+v", i, h)
		}
	}
	// A step for each use, and one for each link, its only output, and its end.
	if want := 1 + (4*uses+followBudget-1)/followBudget; blocks < want-2 || blocks > want+1 {
		t.Errorf("it took %d blocks, some %d are enough", blocks, want)
	}
	noQueue(t, n.view)
}

// TestReleasedNoticesAreFollowedNoFurther drops what a notice had left to do.
func TestReleasedNoticesAreFollowedNoFurther(t *testing.T) {
	n := recallNet(t, nil)
	b := &blockRun{o: newOverlay(n.view)}
	id := canonical(modelLot(1, 1))
	const wide = 3 * followBudget
	for i := range wide {
		link := crypto.Hash{1, byte(i), byte(i >> 8)}
		put(b.o, UsedKey(id, uint64(i)), Edge{Link: link})
		put(b.o, LinkKey(link), Link{Outputs: []string{fmt.Sprintf("urn:example:loaf:%05d", i)}})
	}
	put(b.o, LotKey(id), Lot{ID: id, Used: wide})
	writes, err := b.o.writes()
	if err != nil {
		t.Fatal(err)
	}
	n.view.apply(writes)
	notice, _ := n.gives("Brand", Recall, id)
	n.must(n.tx("Brand", &ReleaseNotice{Notice: notice}))
	for range 4 {
		n.block()
	}
	noQueue(t, n.view)
	reached := 0
	for k := range n.view {
		if strings.HasPrefix(k, "hold/urn:example:loaf") {
			reached++
		}
	}
	if reached == wide {
		t.Error("it was followed to the end")
	}
}

// TestFollowingDoesNotDependOnTheBudget follows notices through random genealogies, in one go and in small steps between
// which new events come, and compares with a search.
func TestFollowingDoesNotDependOnTheBudget(t *testing.T) {
	property(t, func(rt *rapid.T) {
		b := &blockRun{o: newOverlay(mapView{}), params: DefaultParams(), height: 1}
		name := func(i int) string { return fmt.Sprintf("urn:example:t:%02d", i) }
		notices := []crypto.Hash{{1}, {2}}
		put(b.o, NoticesKey(), Notices{Open: 2})
		const things = 24
		type edge struct{ in, out int }
		var edges []edge
		for _, id := range notices {
			put(b.o, NoticeKey(id), NoticeRecord{ID: id, Type: Recall})
		}
		// use is a transformation event about one input and one output of a link, as transform records it.
		use := func(link, in, out int) {
			h := crypto.Hash{9, byte(link)}
			before, _ := get[Link](b.o, LinkKey(h))
			e := &eventRun{txRun: &txRun{blockRun: b}, e: &capturedEvent{hash: crypto.Hash{8, byte(len(edges))}}}
			e.e.inputs.lots, e.e.makes.lots = []amountOf{{thing: thing{id: name(in)}}}, []amountOf{{thing: thing{id: name(out)}}}
			e.e.event = &epcis.Event{}
			e.edgeLot(e.e.inputs.lots[0], h, true)
			e.edgeLot(e.e.makes.lots[0], h, false)
			if f := e.extendLink(h, nil); f != nil {
				rt.Fatal(f)
			}
			e.derive(h, []usedInput{{id: name(in), holds: HoldsOf(name(in), ""), edge: true}}, len(before.Outputs) > 0)
			edges = append(edges, edge{in, out})
		}
		// Links 0 to 11 have inputs below 2·link+2 and outputs from there on, so there is no cycle.
		var in, out [12][]int
		some := func() {
			link := rapid.IntRange(0, 11).Draw(rt, "link")
			i, o := rapid.IntRange(0, 2*link).Draw(rt, "in"), rapid.IntRange(2*link+1, min(2*link+4, things-1)).Draw(rt, "out")
			use(link, i, o)
			in[link], out[link] = append(in[link], i), append(out[link], o)
		}
		for range rapid.IntRange(0, 20).Draw(rt, "events before") {
			some()
		}
		subjects := [2]int{rapid.IntRange(0, 12).Draw(rt, "subject"), rapid.IntRange(0, 12).Draw(rt, "subject")}
		for i, id := range notices {
			b.hold(name(subjects[i]), []crypto.Hash{id})
		}
		for steps := 0; ; steps++ {
			all, _ := get[Notices](b.o, NoticesKey())
			if all.Head == all.Tail {
				break
			}
			notice, _ := get[crypto.Hash](b.o, turnKey(all.Head))
			b.o.del(turnKey(all.Head))
			all.Head++
			put(b.o, NoticesKey(), all)
			b.takeTurn(notice, rapid.IntRange(1, 3).Draw(rt, "turn"))
			if steps < 20 && rapid.IntRange(0, 3).Draw(rt, "event between") == 0 {
				some()
			}
			if steps > 5_000 {
				rt.Fatal("it never ends")
			}
		}
		for i, id := range notices {
			under := map[int]bool{subjects[i]: true}
			for range things {
				for l := range in {
					if slices.ContainsFunc(in[l], func(x int) bool { return under[x] }) {
						for _, o := range out[l] {
							under[o] = true
						}
					}
				}
			}
			for x := range things {
				h, _ := get[Hold](b.o, HoldKey(name(x)))
				if got := slices.Contains(h.Notices, id); got != under[x] {
					rt.Fatalf("%s under notice %d: %t, a search says %t; %v", name(x), i, got, under[x], edges)
				}
			}
		}
	})
}

// TestFlaggedUsesCountForNotices: where a rule that is only flagged leaves a use without effect, the event still says that
// something was made of it; the same, whichever came first.
func TestFlaggedUsesCountForNotices(t *testing.T) {
	for _, first := range []string{"notice", "transformation"} {
		n := recallNet(t, func(p *Params) { p.Rules.R6, p.Rules.R10 = Flagged, Flagged })
		raw, made := modelLot(1, 1), modelLot(2, 1)
		thing, other := modelItem(1, 1), modelItem(2, 1)
		n.adds("Brand", nil, kilosOf(raw, 100)...)
		n.adds("Brand", []string{thing})
		give := func() {
			if _, r := n.gives("Agency", Recall, raw, thing); !r.OK() {
				t.Fatal(r.Finding)
			}
		}
		if first == "notice" {
			give()
		}
		e := n.at(epcis.TransformationEvent, "", "commissioning")
		e.InputEPCs, e.OutputEPCs = []string{thing}, []string{other}
		for _, r := range []Receipt{n.makes("Maker", raw, made, ""), n.does("Maker", e)} {
			if !r.OK() || len(r.Flags) == 0 {
				t.Fatalf("%s, %v", r.Finding, r.Flags)
			}
		}
		if first != "notice" {
			give()
		}
		wantCode(t, first+" first, lot", n.ships("Maker", 3, nil, kilosOf(made, 1)...), CodeUnderNotice)
		wantCode(t, first+" first, item", n.ships("Maker", 3, []string{other}), CodeUnderNotice)
		noQueue(t, n.view)
	}
}

// TestNobodyPutsAnothersGoodsUnderNotice: who names another's serial as an output, where that is only flagged, makes
// nothing, and stops nothing.
func TestNobodyPutsAnothersGoodsUnderNotice(t *testing.T) {
	for _, first := range []string{"notice", "transformation"} {
		n := recallNet(t, func(p *Params) { p.Rules.R4 = Flagged })
		own, victim := modelLot(2, 1), modelItem(1, 1)
		n.adds("Maker", nil, kilosOf(own, 100)...)
		n.adds("Brand", []string{victim})
		give := func() {
			if _, r := n.gives("Maker", Recall, own); !r.OK() {
				t.Fatal(r.Finding)
			}
		}
		if first == "notice" {
			give()
		}
		e := n.at(epcis.TransformationEvent, "", "commissioning")
		e.InputQuantities, e.OutputEPCs = kilosOf(own, 1), []string{victim}
		if r := n.does("Maker", e); !r.OK() || len(r.Flags) != 1 || r.Flags[0].Code != CodeSerialTaken {
			t.Fatalf("%s, %v", r.Finding, r.Flags)
		}
		if first != "notice" {
			give()
		}
		wantCode(t, first+" first", n.ships("Brand", 3, []string{victim}), CodeOK)
	}
}

// TestRefusedEventsAreNoGenealogy: a transformation that is refused, in a capture that goes on, carries nothing.
func TestRefusedEventsAreNoGenealogy(t *testing.T) {
	n := recallNet(t, nil)
	bad, good := modelLot(1, 1), modelLot(1, 2)
	n.adds("Brand", nil, append(kilosOf(bad, 1), kilosOf(good, 100)...)...)
	over, fine := n.at(epcis.TransformationEvent, "", "commissioning"), n.at(epcis.TransformationEvent, "", "commissioning")
	over.InputQuantities, over.OutputQuantities = kilosOf(bad, 50), kilosOf(modelLot(1, 3), 5)
	fine.InputQuantities, fine.OutputQuantities = kilosOf(good, 50), kilosOf(modelLot(1, 3), 5)
	over.TransformationID, fine.TransformationID = "urn:example:x:1", "urn:example:x:1"
	if r := n.one(n.tx("Brand", capture(t, Proceed, over, fine))); !r.OK() || len(r.Refused) != 1 {
		t.Fatalf("%s, %v", r.Finding, r.Refused)
	}
	if _, r := n.gives("Brand", Recall, bad); !r.OK() {
		t.Fatal(r.Finding)
	}
	wantCode(t, "not made of it", n.ships("Brand", 3, nil, kilosOf(modelLot(1, 3), 1)...), CodeOK)
}
