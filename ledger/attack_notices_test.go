package ledger

import (
	"fmt"
	"testing"

	"waybill/epcis"
)

// Names that stand for long lists of notices, and disputes about full containers: who makes the work has it counted.

// countingView counts what is read of a view.
type countingView struct {
	View
	reads int
}

func (v *countingView) Read(key []byte) ([]byte, error) {
	v.reads++
	return v.View.Read(key)
}

// TestManyNoticesOverWhatIsNamed: a name of forty bytes stands for as many notices as its lot is under. Looking at them is work
// of who ships the goods, also where the notices let them go.
func TestManyNoticesOverWhatIsNamed(t *testing.T) {
	const notices = maxHolds + maxOverLooked
	const most = maxWorkAuthor / (notices / noticesPerWork) // names that an author has the notices looked at of
	n, m := limitsNet(t, DefaultParams())
	serial := func(i int) string { return fmt.Sprintf("https://id.gs1.org/01/09521321000018/10/L1/21/%d", i) }
	var things []string
	for i := range most + 1 {
		things = append(things, serial(i))
	}
	n.must(n.says("org1", bornEvent(m, things...)))
	crowded(n, "https://id.gs1.org/01/09521321000018/10/L1", notices)
	sends := func(things []string) *Transaction {
		e := m.event(epcis.ObjectEvent, "OBSERVE", "shipping")
		e.EPCs, e.Destinations = things, []epcis.TypedRef{{Type: "possessing_party", ID: partyOf(0)}}
		return n.says("org1", e)
	}
	if r := n.one(sends(things)); r.Code != CodeTooMuchWork {
		t.Errorf("%d names under %d notices: %v", len(things), notices, r.Finding)
	}
	if r := n.one(sends(things[:most])); !r.OK() {
		t.Errorf("%d names under %d notices: %s", most, notices, r.Finding)
	}
}

// TestReadsOfNamedThings: how much is read for an event is bounded by what its author has left, not by what its names are under.
func TestReadsOfNamedThings(t *testing.T) {
	n, m := limitsNet(t, DefaultParams())
	const names, notices, left = 60, maxHolds + 344, 100
	var named goods
	for i := range names {
		id := canonical(modelItem(1, i))
		n.must(n.says("org1", bornEvent(m, id)))
		crowded(n, id, notices)
		named.items = append(named.items, thing{id: id})
	}
	for _, x := range []struct {
		left, most int
		want       bool
	}{
		{maxWorkAuthor, names * (notices - maxHolds + 8) * 2, true}, // each further notice of each name
		{left, left*noticesPerWork + notices + 8*names, false},
	} {
		view := &countingView{View: n.view}
		b := &blockRun{o: newOverlay(view), params: DefaultParams()}
		e := &eventRun{txRun: &txRun{blockRun: b, author: orgAddress(1), receipt: &Receipt{}}, e: &capturedEvent{}}
		b.work.charge(e.author, maxWorkAuthor-x.left)
		f := e.mayLeave(&named, &departure{to: orgAddress(0), as: "shipped"})
		if f != nil || e.overworked == x.want {
			t.Errorf("with %d left: %v, too much %t", x.left, f, e.overworked)
		}
		if view.reads > x.most {
			t.Errorf("with %d left: %d reads, more than %d", x.left, view.reads, x.most)
		}
		t.Logf("with %d left: %.1f reads for a byte of names", x.left, float64(view.reads)/(40*names))
	}
}

// TestManyNoticesOverContents: taking many lots out of a container under notices asks for these again and again.
func TestManyNoticesOverContents(t *testing.T) {
	n, m := limitsNet(t, DefaultParams())
	box := modelBox(0, 1)
	var lots []epcis.Quantity
	for i := range 512 {
		lots = append(lots, kilosOf(modelLot(0, i), 1)...)
	}
	e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
	e.Quantities = lots
	n.must(n.says("org0", e))
	pack := m.event(epcis.AggregationEvent, "ADD", "packing")
	pack.ParentID, pack.ChildQuantities = box, lots
	n.must(n.says("org0", pack))
	for _, x := range []struct {
		notices int
		want    Code
	}{{maxHolds / 2, CodeOK}, {maxHolds + 2048, CodeTooMuchWork}} {
		view := n.view.clone()
		crowded(n, canonical(box), x.notices)
		some := m.event(epcis.AggregationEvent, "DELETE", "unpacking")
		some.ParentID, some.ChildQuantities = box, lots
		for what, e := range map[string]*epcis.Event{"all": m.empties(box), "each": some} {
			up := applied(t, n, n.says("org0", e))
			if r := up.Receipts[0]; r.Code != x.want {
				t.Errorf("%s under %d notices: %v, want %s", what, x.notices, r.Finding, x.want)
			}
		}
		clear(n.view)
		for k, v := range view {
			n.view[k] = v
		}
	}
}

// applied executes one transaction over the state of a network and keeps nothing of it.
func applied(t *testing.T, n *testNet, tx *Transaction) *Update {
	t.Helper()
	up, err := Apply(n.view.clone(), &Block{Header: n.nextBlock().Header, Transactions: verified(t, tx)})
	if err != nil {
		t.Fatal(err)
	}
	return up
}

// TestDisputesAreWork: each line about a thing in another full container has the list of that written anew, so a few hundred bytes
// would be megabytes.
func TestDisputesAreWork(t *testing.T) {
	q := newQuarrel(t, nil)
	const size = 2048
	var lines []DisputeLine
	for i := range 4 {
		box := modelBox(0, i)
		things := make([]string, size)
		for k := range things {
			things[k] = modelItem(0, i*size+k)
		}
		for at := 0; at < size; at += size / 2 {
			half := things[at : at+size/2]
			q.produce(half)
			e := q.m.event(epcis.AggregationEvent, "ADD", "packing")
			e.ParentID, e.ChildEPCs = box, half
			q.record("org0", e)
		}
		lines = append(lines, DisputeLine{Kind: Shortage, ID: things[7]}, DisputeLine{Kind: Shortage, ID: things[8]})
	}
	sh := q.ship(toOrg(1), []string{modelBox(0, 0), modelBox(0, 1), modelBox(0, 2), modelBox(0, 3)})
	tx := q.tx("org1", &Dispute{Shipment: sh, Lines: lines})
	const cost = 4 * (size/idsPerWork + (size-1)/idsPerWork/copiesPerWriting)
	for left, want := range map[int]Code{cost: CodeOK, cost - 1: CodeTooMuchWork, 0: CodeTooMuchWork} {
		view := &countingView{View: q.view}
		b := &blockRun{o: newOverlay(view), params: DefaultParams(), height: q.height + 1, timeMs: q.timeMs}
		r := &txRun{blockRun: b, tx: tx, author: orgAddress(1), receipt: &Receipt{}}
		b.work.charge(r.author, maxWorkAuthor-left)
		got := CodeOK
		if f := r.dispute(tx.Payload().(*Dispute)); f != nil {
			got = f.Code
		}
		if got != want || want == CodeOK && b.work.left(r.author) != 0 {
			t.Errorf("with %d left: %s, and %d are left", left, got, b.work.left(r.author))
		}
	}
}
