package ledger

import (
	"bytes"
	"fmt"
	"testing"

	"waybill/epcis"
)

// TestSameBlocksSameBytes executes one history many times: Go shuffles its maps differently each time, the updates must
// not differ in a byte.
func TestSameBlocksSameBytes(t *testing.T) {
	g := testGenesis(AdoptParams(), "a", "b")
	n := newNet(t, g)
	var blocks []*Block
	var want [][]byte
	add := func(txs ...*Transaction) {
		blocks = append(blocks, n.nextBlock(txs...))
		want = append(want, updateBytes(n.block(txs...)))
	}
	add(n.tx("a", &RegisterOrganisation{Name: "A"}), n.tx("b", &RegisterOrganisation{Name: "B"}))
	add(n.tx("a", &ClaimPrefix{Prefix: "9521320"}))
	add(n.tx("registrar", &ApprovePrefix{Prefix: "9521320", Organisation: keyOf("a").Address()}))
	m := &modelRun{net: n}
	for round := range 20 {
		e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
		var items []string
		for i := range 30 {
			items = append(items, modelItem(0, 100*round+i))
		}
		e.EPCs, e.Quantities = items, kilosOf(modelLot(0, round), 100)
		p := m.event(epcis.AggregationEvent, "ADD", "packing")
		p.ParentID, p.ChildEPCs, p.ChildQuantities = fmt.Sprintf("urn:epc:id:sscc:9521320.00000000%02d", round), items, kilosOf(modelLot(0, round), 40)
		s := m.event(epcis.ObjectEvent, "OBSERVE", "shipping")
		s.EPCs = []string{p.ParentID}
		u := m.event(epcis.TransformationEvent, "", "commissioning")
		u.InputQuantities, u.OutputQuantities = kilosOf(modelLot(0, round), 10), kilosOf(modelLot(0, round+100), 5)
		x := m.event(epcis.ObjectEvent, "OBSERVE", "receiving")
		x.EPCs = []string{p.ParentID}
		bad := m.event(epcis.ObjectEvent, "DELETE", "decommissioning")
		bad.EPCs = items[:3]
		if round%4 == 2 { // of what is made in this block, and of what was made before
			add(n.tx("a", &Notice{Type: Recall, Subjects: []string{modelLot(0, round), modelLot(0, round-1)}, Reason: "test"}))
		}
		add(n.tx("a", capture(t, Rollback, e, p, s, u)), n.tx("b", capture(t, Proceed, x, bad)), n.tx("a", &Transfer{To: keyOf("b").Address(), Amount: 7}))
	}
	for range 10 {
		view := mapView{}
		view.apply(g.State())
		for i, b := range blocks {
			up, err := Apply(view, b)
			if err != nil {
				t.Fatal(err)
			}
			if got := updateBytes(up); !bytes.Equal(got, want[i]) {
				t.Fatalf("block %d differs between executions", i)
			}
			view.apply(up.Writes)
		}
	}
}

func updateBytes(up *Update) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d %s %s\n", up.Height, up.Block, up.ReceiptsRoot)
	for _, w := range up.Writes {
		fmt.Fprintf(&b, "%x=%x\n", w.Key, w.Value)
	}
	for i := range up.Receipts {
		fmt.Fprintf(&b, "%x\n", up.Receipts[i].Encode())
	}
	for _, e := range up.Events {
		fmt.Fprintf(&b, "%s %d %d %t %v\n", e.Hash, e.TxIndex, e.Index, e.Accepted, e.Flags)
	}
	return b.Bytes()
}
