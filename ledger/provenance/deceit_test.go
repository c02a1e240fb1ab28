package provenance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
	"waybill/ledger/light"
)

// Attacks by a company that wants its goods to look better than the ledger says, and by a node that helps it.

func (w *world) forged(t *testing.T, raw []byte, forge func(*Certificate)) error {
	t.Helper()
	c, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	forge(c)
	if raw, err = c.Encode(); err != nil {
		t.Fatal(err)
	}
	_, err = Verify(raw, Trust{Genesis: w.genesis})
	return err
}

// TestTwinEventHidesItsTwin: two authors record the same event, which have the same hash and so the same place on the chain.
// One of them, twice or in the place of the other, does not hide the other.
func TestTwinEventHidesItsTwin(t *testing.T) {
	w := newWorld(t, "salad", 6)
	born := commissioned(box1)
	seen := w.event(epcis.Event{Type: epcis.ObjectEvent, Action: epcis.ActionObserve, BizStep: "inspecting", EPCs: []string{box1}})
	w.block(w.capture("Plant", w.event(born)))
	w.block(w.capture("Plant", seen), w.capture("Shop", seen))
	w.idle(2)
	h := w.freeze()
	w.idle(3)
	raw := w.make(h, Request{ID: box1, Depth: 1})
	if r := verified(t, w, raw); len(r.Events) != 3 || r.Events[1].Author.Name != "Plant" || r.Events[2].Author.Name != "Shop" {
		t.Fatalf("events: %+v", r.Events)
	}
	for name, order := range map[string][]int{"the first twice": {0, 1, 1}, "the second twice": {0, 2, 2}, "in another order": {0, 2, 1}} {
		err := w.forged(t, raw, func(c *Certificate) {
			var events []place
			for _, i := range order {
				events = append(events, c.things[0].Events[i])
			}
			c.things[0].Events = events
			used := map[uint32]uint32{} // what is not used is taken out, with its mark
			var txs []transaction
			for i := range c.transactions {
				if slices.ContainsFunc(events, func(p place) bool { return p.Tx == uint32(i) }) {
					used[uint32(i)] = uint32(len(txs))
					txs = append(txs, c.transactions[i])
				}
			}
			if len(txs) < len(c.transactions) {
				hidden := []string{"Shop", "Plant"}[order[1]-1]
				mark := ledger.EventKey(testKey(hidden).Address(), verified(t, w, raw).Events[1].Hash)
				c.states = slices.DeleteFunc(c.states, func(s stateEntry) bool { return string(s.Key) == string(mark) })
			}
			c.transactions = txs
			for i := range events {
				events[i].Tx = used[events[i].Tx]
			}
		})
		if !errors.Is(err, ErrIncomplete) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTwinOfTheBirth: an event that somebody else recorded first does not stand for the one that made the thing.
func TestTwinOfTheBirth(t *testing.T) {
	w, h := told(t)
	r := verified(t, w, w.make(h, Request{ID: box1, Depth: 1}))
	n := &node{item: &ledger.Item{ID: box1, BornBy: testKey("Plant").Address(), BornEvent: r.Events[1].Hash}}
	n.events = []event{{rec: &ledger.EventRecord{Hash: r.Events[1].Hash, Author: testKey("Shop").Address()}}}
	if err := n.checkBirth(); !errors.Is(err, ErrEvent) {
		t.Errorf("of another author: %v", err)
	}
	n.events = append(n.events, event{rec: &ledger.EventRecord{Hash: r.Events[1].Hash, Author: testKey("Plant").Address()}})
	if err := n.checkBirth(); err != nil {
		t.Errorf("of both: %v", err)
	}
}

// TestQuarantinedPallet: what is packed on a pallet under a notice is under it, whatever of the pallet is shown; what has left
// it is not.
func TestQuarantinedPallet(t *testing.T) {
	const grai = "urn:epc:id:grai:9521322.00001.77"
	for _, outer := range []string{pallet, grai} {
		w := newWorld(t, "salad", 6)
		w.block(w.capture("Plant", w.event(commissioned(box1)), w.event(commissioned(box2)),
			w.event(epcis.Event{Type: epcis.AggregationEvent, Action: epcis.ActionAdd, BizStep: "packing", ParentID: case1, ChildEPCs: []string{box1, box2}}),
			w.event(epcis.Event{Type: epcis.AggregationEvent, Action: epcis.ActionAdd, BizStep: "packing", ParentID: outer, ChildEPCs: []string{case1}})))
		w.block(w.capture("Plant",
			w.event(epcis.Event{Type: epcis.AggregationEvent, Action: epcis.ActionDelete, BizStep: "unpacking", ParentID: case1, ChildEPCs: []string{box2}})))
		w.block(w.tx("Plant", &ledger.Notice{Type: ledger.Quarantine, Subjects: []string{outer}, Reason: "it was too warm"}))
		w.idle(2)
		h := w.freeze()
		w.idle(3)
		for _, events := range []uint64{1, 100} { // with 1 the case is cut, and nothing leads to the pallet but the state
			in := verified(t, w, w.make(h, Request{ID: box1, Events: events}))
			if want := outer == pallet; in.Recalled != want || len(in.Notices) != 1 || in.Notices[0].Only == want || !slices.Contains(in.Notices[0].Over, ledger.CanonicalID(outer)) {
				t.Errorf("in %s, at most %d events: recalled %t, notices %+v", outer, events, in.Recalled, in.Notices)
			}
		}
		if out := verified(t, w, w.make(h, Request{ID: box2})); out.Recalled || len(out.Notices) != 1 || !out.Notices[0].Only {
			t.Errorf("out of %s: recalled %t, notices %+v", outer, out.Recalled, out.Notices)
		}
	}
}

// TestManyEventsOfOneTransformation: inputs times events are not what a report holds, nor the walk.
func TestManyEventsOfOneTransformation(t *testing.T) {
	const inputs, events = 40, 30
	w := newWorld(t, "salad", 6)
	first := epcis.Event{Type: epcis.TransformationEvent, TransformationID: "urn:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca427", OutputQuantities: kilos(salad, 1)}
	again := first
	for i := range inputs {
		id := fmt.Sprintf("urn:epc:id:sgtin:9521322.010003.%d", i)
		w.block(w.capture("Plant", w.event(commissioned(id))))
		first.InputEPCs = append(first.InputEPCs, id)
	}
	w.block(w.capture("Plant", w.event(first)))
	for range events - 1 {
		w.block(w.capture("Plant", w.event(again)))
	}
	w.idle(2)
	h := w.freeze()
	w.idle(3)
	for depth, cuts := range map[int]int{0: inputs, 1: 0} {
		r := verified(t, w, w.make(h, Request{ID: salad, Depth: depth}))
		made := r.Things[0].Made
		if len(made) != events || len(made[0].Inputs) != inputs || len(r.Cuts) != cuts || len(r.Things) != 1+inputs-cuts {
			t.Fatalf("depth %d: %d events, %d inputs, %d cuts, %d things", depth, len(made), len(made[0].Inputs), len(r.Cuts), len(r.Things))
		}
		for _, m := range made[1:] {
			if len(m.Inputs) > 0 || m.Transformation != made[0].Transformation || m.Transformation.IsZero() {
				t.Fatalf("depth %d: the inputs stand with every event: %+v", depth, m)
			}
		}
	}
	followed := 0
	count := &walk{view: w.frozen[h], depth: 1, limit: 100, events: func(name, ledger.Chain) ([]event, error) { return nil, nil }}
	if err := count.run(ledger.CanonicalID(salad)); err != nil {
		t.Fatal(err)
	}
	n := count.nodes[0]
	count.links, n.made = map[crypto.Hash]*ledger.Link{}, nil
	tasks, err := count.trace(n, 0)
	if followed = len(tasks); err != nil || followed != 2*inputs && followed != inputs {
		t.Errorf("%d tasks from %d inputs: %v", followed, inputs, err)
	}
}

// TestEventIsReadOnce: an event that names thousands of things is taken apart once, not once for each.
func TestEventIsReadOnce(t *testing.T) {
	w := newWorld(t, "salad", 6)
	tx := w.capture("Plant", w.event(commissioned(box1)))
	c := &carried{tx: tx, records: []ledger.EventRecord{{Accepted: true}}}
	a, ok := c.event(0)
	b, ok2 := c.event(0)
	if !ok || !ok2 || &a.named.Goods.Items[0] != &b.named.Goods.Items[0] {
		t.Error("it was taken apart twice")
	}
}

// TestThingWithEventsTwice: a list of a million times the same event is refused by its length, before any of it is read.
func TestThingWithEventsTwice(t *testing.T) {
	w, h := told(t)
	err := w.forged(t, w.make(h, Request{ID: box1}), func(c *Certificate) {
		c.things[0].Events = slices.Repeat(c.things[0].Events[:1], 16_000)
	})
	if !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), "16000 events, its record says 5") {
		t.Errorf("%v", err)
	}
}

// TestLotInThousandsOfContainers: to know where a thing was, its containers are not gone through for every event.
func TestLotInThousandsOfContainers(t *testing.T) {
	self := name{"lot", true}
	tr := &traveller{self: self, into: map[name][]string{}, hold: map[string][]name{}, part: func(name) bool { return true }}
	const containers = 4000
	for i := range containers {
		tr.pack(self, fmt.Sprint("box ", i))
	}
	if got := tr.around(); len(got) != containers || got["box 0"] != 0 || got["box 3999"] != 3999 {
		t.Fatalf("%d containers", len(got))
	}
	seen := event{named: ledger.Named{Goods: ledger.NamedGoods{Items: []string{"box 7", "box 3", "box x"}}}}
	for range 200_000 {
		if id := namedOf(seen, tr.around()); id != "box 3" {
			t.Fatalf("the closest is %q", id)
		}
	}
	tr.pack(name{id: "box 3"}, "pallet")
	if at, in := tr.around()["pallet"]; !in || at != containers {
		t.Errorf("the pallet around box 3: %d %t", at, in)
	}
	tr.take(self, "box 3")
	if _, in := tr.around()["pallet"]; in {
		t.Error("it is still on the pallet that its box went on")
	}
}

// TestNoticeOnItsWay: while a recall has not reached what was made from its subject, a certificate with the history shows it,
// and one without says that there may be one.
func TestNoticeOnItsWay(t *testing.T) {
	w := newWorld(t, "salad", 6)
	w.tell()
	w.notice(1, ledger.Recall, lotA, 0) // the hold of the lot alone
	before := w.now.mapView[string(ledger.NoticesKey())]
	w.keepRecord(t, ledger.NoticesKey(), &ledger.Notices{Open: 1, Head: 3, Tail: 4})
	h := w.freeze()
	w.now.mapView[string(ledger.NoticesKey())] = before // there is no such queue for the blocks to come to follow
	w.idle(3)
	for depth, whole := range map[int]bool{0: false, 3: true} {
		r := verified(t, w, w.make(h, Request{ID: box1, Depth: depth}))
		if r.Recalled != whole || r.Complete != whole || !r.Spreading {
			t.Errorf("depth %d: recalled %t, complete %t, spreading %t", depth, r.Recalled, r.Complete, r.Spreading)
		}
	}
}

// TestMoreNoticesThanListed: what is under more notices than its hold lists counts as recalled, and is told so.
func TestMoreNoticesThanListed(t *testing.T) {
	for id, recalled := range map[string]bool{box1: true, lotB: true, "https://id.gs1.org/01/09521322100021": true, crate: false, box2: false} {
		w := newWorld(t, "salad", 6)
		w.tell()
		w.keepRecord(t, ledger.NoticesKey(), &ledger.Notices{Open: 1})
		w.keepRecord(t, ledger.HoldKey(ledger.CanonicalID(id)), &ledger.Hold{More: 1})
		h := w.freeze()
		w.idle(3)
		if r := verified(t, w, w.make(h, Request{ID: box1, Depth: 3})); r.Recalled != recalled {
			t.Errorf("more over %s: recalled %t", id, r.Recalled)
		}
	}
}

// keepRecord puts a record into the state, with a block.
func (w *world) keepRecord(t *testing.T, key []byte, v any) {
	t.Helper()
	data, err := crypto.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	w.extra = append(w.extra, ledger.Write{Key: key, Value: data})
	w.block()
}

// TestAge: how old the height is and whether the age of the trust is known are part of the report.
func TestAge(t *testing.T) {
	w, h := told(t)
	raw := w.make(h, Request{ID: box1})
	at := w.headers[h].TimeMs
	for _, ahead := range []int64{5, -5, 90 * 24 * 3600 * 1000} {
		r, err := Verify(raw, Trust{Genesis: w.genesis, NowMs: at + ahead})
		if err != nil || r.AgeMs != ahead || r.Stale != (ahead > 1e9) {
			t.Errorf("%d: age %d, stale %t: %v", ahead, r.AgeMs, r.Stale, err)
		}
	}
	start, err := light.Begin(w.genesis)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := Verify(raw, Trust{Start: &start, NowMs: at + 1e15/1000}); err != nil || r.TrustingMs != 0 || r.Stale {
		t.Errorf("without genesis the trusting period is not known: %v", err)
	}
}
