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

// TestWorkBudget is its edge, for one author and for all.
func TestWorkBudget(t *testing.T) {
	var b workBudget
	for i := range maxWorkBlock / maxWorkAuthor {
		a := orgAddress(i)
		if !b.spend(a, maxWorkAuthor-1) || b.spend(a, 2) || !b.spend(a, 1) || b.spend(a, 1) || !b.spend(a, 0) {
			t.Fatalf("author %d: %d spent", i, b.authors[a])
		}
	}
	if b.spend(orgAddress(99), 1) || b.spent != maxWorkBlock {
		t.Errorf("%d spent", b.spent)
	}
}
