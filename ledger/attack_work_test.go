package ledger

import (
	"fmt"
	"testing"

	"waybill/epcis"
)

// TestAttackEmptyAndFill: a full container is emptied by one short event and filled again by declaring that an error, as
// often as a block has room for. The block does so much of it for one author, and nothing beyond.
func TestAttackEmptyAndFill(t *testing.T) {
	n, m := undoer(t, 100)
	const size = 1000
	box := "urn:epc:id:sscc:9521320.0000000001"
	ids := make([]string, size)
	for i := range ids {
		ids[i] = modelItem(0, 100+i)
	}
	pack := m.event(epcis.AggregationEvent, "ADD", "packing")
	pack.ParentID, pack.ChildEPCs = box, ids
	m.capture0(t, bornEvent(m, ids...), pack)

	done, refused := 0, 0
	var txs []*Transaction
	for i := range 2 * maxWorkAuthor / size / 8 {
		var events []*epcis.Event
		for k := range 8 {
			e := m.event(epcis.AggregationEvent, "DELETE", "unpacking")
			e.EventID = fmt.Sprintf("urn:uuid:empty-%d-%d", i, k)
			e.ParentID = box
			events = append(events, e, wrongly(e))
		}
		txs = append(txs, n.tx("org0", capture(t, Proceed, events...)))
	}
	for _, r := range n.block(txs...).Receipts {
		for _, f := range r.Refused {
			if f.Code == CodeTooMuchWork {
				refused++
			}
		}
		for _, f := range r.Flags {
			if f.Code == CodeUndone && refused == 0 { // after that there is nothing in the container
				done++
			}
		}
	}
	// Filling is a little more work than emptying, and an empty container is emptied for nothing.
	if done > maxWorkAuthor/size/2 || done < maxWorkAuthor/size/4 || refused == 0 {
		t.Errorf("%d times in a block %d things were taken out and put back, %d events were too much", done, size, refused)
	}
	// The next block has room again, and nothing was lost.
	e := m.event(epcis.AggregationEvent, "DELETE", "unpacking")
	e.ParentID = box
	m.capture0(t, e)
	for _, id := range ids {
		if item, err := ReadItem(n.view, id); err != nil || item.Parent != "" || item.State != StateActive {
			t.Fatalf("%s: %+v, %v", id, item, err)
		}
	}
}

// TestWorkBudget is its edge: an author has his part at most, and half of what is left at most, so that whoever takes all he
// can leaves something.
func TestWorkBudget(t *testing.T) {
	var b workBudget
	for i, most := range []int{65_536, 65_536, 65_536, 32_768, 16_384, 8192, 4096} {
		a := orgAddress(i)
		if !b.spend(a, most-1) || b.spend(a, 2) || !b.spend(a, 1) || b.spend(a, 1) || !b.spend(a, 0) {
			t.Fatalf("author %d: %d spent", i, b.authors[a])
		}
	}
	for i := range 1000 { // however many there are, the block does no more than it does
		b.spend(orgAddress(i), max(0, b.left(orgAddress(i))))
	}
	if b.spent >= maxWorkBlock || b.spent < maxWorkBlock-2 || b.spend(orgAddress(2000), 1) {
		t.Errorf("%d spent", b.spent)
	}
}

// TestSmallEventsAreAlwaysDone: however much work others have made, what a small event does is free, and no more than that.
func TestSmallEventsAreAlwaysDone(t *testing.T) {
	b := &blockRun{o: newOverlay(mapView{}), params: DefaultParams(), work: workBudget{spent: maxWorkBlock}, looks: workBudget{spent: maxWorkBlock}}
	event := func() *eventRun {
		return &eventRun{txRun: &txRun{blockRun: b, author: orgAddress(0)}, e: &capturedEvent{}}
	}
	e := event()
	for i := range freeWork + 1 {
		if got := e.mayLook(); got != (i < freeWork) {
			t.Fatalf("look %d: %t", i, got)
		}
		if got := e.mayWork(1); got != (i < freeWork) {
			t.Fatalf("work %d: %t", i, got)
		}
		e.chargeLook(0)
	}
	if e := event(); e.mayWork(freeWork+1) || e.mayWork(0) {
		t.Error("more than is free, at once")
	}
	b.work = workBudget{}
	if e := event(); !e.mayWork(freeWork) || b.work.spent != 0 || !e.mayWork(1) || b.work.spent != freeWork+1 || !e.mayWork(5) || b.work.spent != freeWork+6 {
		t.Errorf("%d spent: an event that needs more pays for all of it", b.work.spent)
	}
}

// TestAttackOnTheWorkOfABlock: four accounts with full containers take all the work they can have. Others still pack and unpack
// theirs.
func TestAttackOnTheWorkOfABlock(t *testing.T) {
	y := newYard(t, 6)
	const size = 1000
	box := func(org int) string { return fmt.Sprintf("urn:epc:id:sscc:9521%03d.0000000001", org) }
	fill := func(org, n int) {
		t.Helper()
		ids := make([]string, n)
		for i := range ids {
			ids[i] = fmt.Sprintf("urn:epc:id:sgtin:9521%03d.000001.%d", org, i)
		}
		born, pack := y.m.event(epcis.ObjectEvent, "ADD", "commissioning"), y.m.event(epcis.AggregationEvent, "ADD", "packing")
		born.EPCs, pack.ParentID, pack.ChildEPCs = ids, box(org), ids
		y.must(y.tx(fmt.Sprint("org", org), capture(t, Rollback, born)))
		y.must(y.tx(fmt.Sprint("org", org), capture(t, Rollback, pack)))
	}
	empty := func(org int) *epcis.Event {
		e := y.m.event(epcis.AggregationEvent, "DELETE", "unpacking")
		e.ParentID = box(org)
		return e
	}
	var txs []*Transaction
	for org := range 4 {
		fill(org, size)
		for range maxWorkAuthor / size / 6 {
			var events []*epcis.Event
			for range 6 {
				e := empty(org)
				events = append(events, e, wrongly(e))
			}
			txs = append(txs, y.tx(fmt.Sprint("org", org), capture(t, Proceed, events...)))
		}
	}
	fill(4, size)
	fill(5, freeWork)
	attack := len(txs)
	txs = append(txs, y.tx("org4", capture(t, Rollback, empty(4))), y.tx("org5", capture(t, Rollback, empty(5))))
	refused := 0
	for i, r := range y.block(txs...).Receipts {
		if i >= attack && !r.OK() {
			t.Errorf("org%d: %s", 4+i-attack, r.Finding)
		}
		for _, f := range r.Refused {
			if f.Code == CodeTooMuchWork {
				refused++
			}
		}
	}
	if refused == 0 {
		t.Error("the attack was not one")
	}
}
