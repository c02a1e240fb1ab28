package ledger

import (
	"fmt"
	"testing"

	"waybill/epcis"
)

// TestAnswersThatSayNothing: who has a subject of the notice itself, or loose stock of it, and answers that it has nothing, is
// on record with a mark.
func TestAnswersThatSayNothing(t *testing.T) {
	item, packed, pallet, box, lot, heap, stock := modelItem(1, 1), modelItem(1, 2), modelBox(1, 1), modelBox(1, 2), modelLot(1, 1), modelLot(1, 2), modelLot(1, 3)
	n := recallNet(t, nil)
	n.adds("Brand", []string{item, packed, pallet, box}, append(append(kilosOf(lot, 5), kilosOf(heap, 5)...), kilosOf(stock, 5)...)...)
	pack := n.at(epcis.AggregationEvent, "ADD", "packing")
	pack.ParentID, pack.ChildEPCs = pallet, []string{packed}
	all := n.at(epcis.AggregationEvent, "ADD", "packing")
	all.ParentID, all.ChildQuantities = box, kilosOf(heap, 5)
	hold := n.at(epcis.ObjectEvent, "OBSERVE", "holding")
	hold.Quantities = kilosOf(stock, 2)
	for _, e := range []*epcis.Event{pack, all, hold} {
		if r := n.does("Brand", e); !r.OK() {
			t.Fatalf("%s", r.Finding)
		}
	}
	answers := func(what, who string, s AckStatus, want string, subjects ...string) {
		t.Helper()
		id, r := n.gives("Agency", Quarantine, subjects...)
		if !r.OK() {
			t.Fatalf("%s: %s", what, r.Finding)
		}
		r = n.one(n.tx(who, &AcknowledgeNotice{Notice: id, Status: s}))
		got := ""
		for _, f := range r.Flags {
			got += f.Code.String() + " " + f.Args[1]
			if f.Conflict.Tx != id || f.Field != "/status" {
				t.Errorf("%s: it is against %s at %s", what, f.Conflict.Tx, f.Field)
			}
		}
		ack, err := ReadAck(n.view, id, keyOf(who).Address())
		if !r.OK() || err != nil || ack == nil || ack.Status != s || got != want {
			t.Errorf("%s: %s with %q, want %q; on record is %+v, %v", what, r.Code, got, want, ack, err)
		}
	}
	answers("a thing", "Brand", AckNothing, "has-some "+canonical(item), item)
	answers("a thing on its pallet", "Brand", AckNothing, "has-some "+canonical(packed), packed)
	answers("a lot", "Brand", AckNothing, "has-some 5 KGM of "+canonical(lot), lot)
	answers("a lot that is held in part", "Brand", AckNothing, "has-some 5 KGM of "+canonical(stock), stock)
	answers("the second subject", "Brand", AckNothing, "has-some "+canonical(item), modelItem(1, 9), item)
	answers("another answer", "Brand", AckStopped, "", item, lot)
	answers("somebody without", "Shop", AckNothing, "", item, lot, stock)
	answers("what nobody knows", "Brand", AckNothing, "", modelItem(1, 9), modelLot(1, 9))
	answers("packed quantities are on no list", "Brand", AckNothing, "", heap)
	gone := n.at(epcis.ObjectEvent, "DELETE", "destroying")
	gone.EPCs = []string{packed}
	if r := n.does("Brand", gone); !r.OK() {
		t.Fatalf("%s", r.Finding)
	}
	answers("what is gone", "Brand", AckNothing, "", packed)
}

// TestAnswersAreWork: each subject is looked up, and one more than the block has left for the author is too many.
func TestAnswersAreWork(t *testing.T) {
	n := recallNet(t, nil)
	lot := modelLot(1, 1)
	n.adds("Brand", nil, kilosOf(lot, 5)...)
	subjects := []string{lot}
	for i := range maxSubjects - 1 {
		subjects = append(subjects, modelItem(1, i))
	}
	id, _ := n.gives("Agency", Recall, subjects...)
	rec, err := ReadNotice(n.view, id)
	if err != nil {
		t.Fatal(err)
	}
	const cost = maxSubjects + 1 // the lot is counted in one unit
	for spent, want := range map[int]Code{maxWorkAuthor - cost: CodeOK, maxWorkAuthor - cost + 1: CodeTooMuchWork} {
		b := &blockRun{o: newOverlay(n.view), params: DefaultParams()}
		r := &txRun{blockRun: b, author: keyOf("Shop").Address(), receipt: &Receipt{}}
		b.work.charge(r.author, spent)
		got := CodeOK
		if f := r.checkNothing(rec); f != nil {
			got = f.Code
		}
		if got != want || want == CodeOK && r.mayWork(1) {
			t.Errorf("%s with %d spent, %d left", got, spent, b.work.left(r.author))
		}
	}
	var txs []*Transaction
	for i := range maxWorkAuthor/cost + 1 {
		txs = append(txs, n.tx("Shop", &AcknowledgeNotice{Notice: id, Status: AckNothing, Note: fmt.Sprint(i)}))
	}
	up := n.block(txs...)
	for i, r := range up.Receipts {
		want := CodeOK
		if i == len(txs)-1 {
			want = CodeTooMuchWork
		}
		wantCode(t, fmt.Sprint("answer ", i), r, want)
	}
}
