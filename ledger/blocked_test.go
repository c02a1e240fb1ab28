package ledger

import (
	"fmt"
	"testing"

	"waybill/crypto"
	"waybill/epcis"
)

// TestNoticeSeverities ships and sells goods under a notice where R12 is reject, flag and off.
func TestNoticeSeverities(t *testing.T) {
	for _, severity := range []Severity{Reject, Flagged, Off} {
		n := recallNet(t, func(p *Params) { p.Rules.R12 = severity })
		lot, item, box := modelLot(1, 1), modelItem(1, 1), modelBox(1, 1)
		n.adds("Brand", []string{item}, kilosOf(lot, 100)...)
		pack := n.at(epcis.AggregationEvent, "ADD", "packing")
		pack.ParentID, pack.ChildQuantities = box, kilosOf(lot, 10)
		n.does("Brand", pack)
		id, r := n.gives("Agency", Recall, lot, item)
		wantCode(t, "notice", r, CodeOK)
		want := func(what string, r Receipt, code Code) {
			t.Helper()
			got := r.Finding
			if severity != Reject {
				if !r.OK() || (len(r.Flags) == 0) != (severity == Off) {
					t.Errorf("%s, %s: %s, flags %v", severity, what, r.Finding, r.Flags)
				}
				if severity == Off {
					return
				}
				got = r.Flags[0]
			}
			if got.Code != code || got.Conflict.Tx != id || got.Conflict.Height == 0 {
				t.Errorf("%s, %s: %s", severity, what, got)
			}
		}
		sale := n.at(epcis.ObjectEvent, "OBSERVE", "retail_selling")
		sale.EPCs = []string{item}
		want("sale", n.does("Brand", sale), CodeUnderNotice)
		want("lot", n.ships("Brand", 3, nil, kilosOf(lot, 1)...), CodeUnderNotice)
		want("box", n.ships("Brand", 3, []string{box}), CodeHeldInside)
		want("item", n.ships("Brand", 3, []string{item}), CodeUnderNotice)
		// Flagged goods are on their way all the same.
		rec, err := ReadItem(n.view, item)
		if err != nil || (rec.State == StateInTransit) != (severity != Reject) {
			t.Errorf("%s: the item is %s, %v", severity, rec.State, err)
		}
	}
}

// TestWhatSells lists the ways to say that goods are sold.
func TestWhatSells(t *testing.T) {
	n := recallNet(t, nil)
	lot, box := modelLot(1, 1), modelBox(1, 1)
	n.adds("Brand", []string{modelItem(1, 1), modelItem(1, 2)})
	n.adds("Brand", nil, kilosOf(lot, 100)...)
	pack := n.at(epcis.AggregationEvent, "ADD", "packing")
	pack.ParentID, pack.ChildEPCs = box, []string{modelItem(1, 1)}
	n.does("Brand", pack)
	if _, r := n.gives("Brand", Recall, lot, modelItem(1, 1)); !r.OK() {
		t.Fatal(r.Finding)
	}
	things := []string{modelItem(1, 1)}
	for _, c := range []struct {
		name string
		e    epcis.Event
		want Code
	}{
		{"sold", epcis.Event{Type: epcis.ObjectEvent, Action: "OBSERVE", BizStep: "retail_selling", EPCs: things}, CodeUnderNotice},
		{"dispensed", epcis.Event{Type: epcis.ObjectEvent, Action: "OBSERVE", BizStep: "dispensing", Quantities: kilosOf(lot, 1)}, CodeUnderNotice},
		{"sold and gone", epcis.Event{Type: epcis.ObjectEvent, Action: "DELETE", BizStep: "retail_selling", EPCs: things}, CodeUnderNotice},
		{"sold by disposition", epcis.Event{Type: epcis.ObjectEvent, Action: "OBSERVE", BizStep: "inspecting", Disposition: "retail_sold", EPCs: things}, CodeUnderNotice},
		{"dispensed by disposition", epcis.Event{Type: epcis.ObjectEvent, Action: "OBSERVE", Disposition: "dispensed", EPCs: things}, CodeUnderNotice},
		{"with an invoice", epcis.Event{Type: epcis.TransactionEvent, Action: "ADD", BizStep: "retail_selling", EPCs: things,
			BizTransactions: []epcis.TypedRef{{Type: "inv", ID: "urn:example:inv:1"}}}, CodeUnderNotice},
		{"by the box", epcis.Event{Type: epcis.AggregationEvent, Action: "OBSERVE", BizStep: "retail_selling", ParentID: box, ChildEPCs: []string{modelItem(1, 2)}}, CodeHeldInside},
		{"used up for a patient", epcis.Event{Type: epcis.TransformationEvent, BizStep: "dispensing", InputQuantities: kilosOf(lot, 1),
			OutputQuantities: kilosOf(modelLot(1, 2), 1)}, CodeUnderNotice},
		{"a part of a device", epcis.Event{Type: epcis.AssociationEvent, Action: "ADD", BizStep: "retail_selling", ParentID: modelItem(1, 2), ChildEPCs: things}, CodeUnderNotice},
		{"another one", epcis.Event{Type: epcis.ObjectEvent, Action: "OBSERVE", BizStep: "retail_selling", EPCs: []string{modelItem(1, 2)}}, CodeOK},
		{"only looked at", epcis.Event{Type: epcis.ObjectEvent, Action: "OBSERVE", BizStep: "inspecting", Disposition: "recalled", EPCs: things}, CodeOK},
		{"destroyed", epcis.Event{Type: epcis.ObjectEvent, Action: "DELETE", BizStep: "destroying", Quantities: kilosOf(lot, 1)}, CodeOK},
	} {
		e := n.at(c.e.Type, c.e.Action, c.e.BizStep)
		c.e.EventID, c.e.EventTime, c.e.TimeZoneOffset = e.EventID, e.EventTime, e.TimeZoneOffset
		wantCode(t, c.name, n.does("Brand", &c.e), c.want)
	}
}

// TestEverySpellingIsOneThing: a notice about a product, variant, lot or serial in any spelling, and goods in any other.
func TestEverySpellingIsOneThing(t *testing.T) {
	const gtin = "https://id.gs1.org/01/09521321000018"
	for _, c := range []struct {
		subject, goods string
		stops          bool
	}{
		{"urn:epc:class:lgtin:9521321.000001.L1", gtin + "/10/L1", true},
		{"(01)09521321000018(10)L1", "urn:epc:class:lgtin:9521321.000001.L1", true},
		{gtin + "/10/L1", gtin + "/22/2A/10/L1", true},
		{gtin + "/22/2A/10/L1", gtin + "/10/L1", true},  // a variant beside a lot does not identify
		{gtin + "/22/2A", gtin + "/22/2A/10/L1", false}, // nor does it say that the lot is of the variant only
		{gtin + "/22/2A", gtin + "/22/2A", true},
		{gtin, gtin + "/22/2A", true},
		{gtin + "/22/2B", gtin + "/22/2A/10/L1", false},
		{"urn:epc:idpat:sgtin:9521321.000001.*", gtin + "/22/2A/10/L1", true},
		{gtin, gtin + "/10/L1", true},
		{gtin, gtin, true},
		{gtin + "/10/L1", gtin, false},
		{gtin + "/10/L1", gtin + "/10/L2", false},
		{gtin + "/21/7", "urn:epc:id:sgtin:9521321.000001.7", true},
		{gtin + "/10/L1/21/7", "urn:epc:id:sgtin:9521321.000001.7", true}, // the serial, not its lot
		{gtin + "/10/L1/21/7", gtin + "/10/L1/21/8", false},
		{gtin + "/10/L1", gtin + "/10/L1/21/7", true},
		{gtin + "/10/L%2F1", gtin + "/10/L%2F1/21/7", true},
		{gtin + "/10/L%281%29", gtin + "/10/L%281%29/21/7", true},
		{gtin + "/10/L%25", gtin + "/10/L%25/21/7", true},
		{gtin, "urn:epc:id:sgtin:9521321.000001.7", true},
		{gtin + "/10/L1", "urn:epc:id:sgtin:9521321.000001.7", false},
		{"https://id.gs1.org/8003/09521321000018", "https://id.gs1.org/8003/095213210000187", true}, // a type of crate
	} {
		n := recallNet(t, nil)
		add := n.at(epcis.ObjectEvent, "ADD", "commissioning")
		ship := n.at(epcis.ObjectEvent, "OBSERVE", "shipping")
		ship.Destinations = []epcis.TypedRef{{Type: "possessing_party", ID: partyOf(3)}}
		for _, e := range []*epcis.Event{add, ship} {
			budget := crypto.NewBudget(1000)
			p := preparing{capturedEvent: new(capturedEvent), x: epcis.NewExaminer(&budget), budget: &budget}
			if _, class := p.thing(c.goods, ""); class {
				e.Quantities = kilosOf(c.goods, 1)
			} else {
				e.EPCs = []string{c.goods}
			}
		}
		if r := n.does("Brand", add); !r.OK() {
			t.Fatalf("%s: %s", c.goods, r.Finding)
		}
		if _, r := n.gives("Agency", Recall, c.subject); !r.OK() {
			t.Fatalf("%s: %s", c.subject, r.Finding)
		}
		want := CodeOK
		if c.stops {
			want = CodeUnderNotice
		}
		ship.EventTime = epcis.NewTimestamp(n.timeMs)
		wantCode(t, c.subject+" about "+c.goods, n.does("Brand", ship), want)
	}
}

// TestExpiredGoods is R13: by the item's date, the lot's, and what is inside, as long as it is.
func TestExpiredGoods(t *testing.T) {
	n := recallNet(t, func(p *Params) { p.Rules.R13 = Reject })
	date := func(e *epcis.Event, text string) *epcis.Event {
		e.Namespaces = []epcis.Namespace{{Prefix: "cbvmda", URI: "urn:epcglobal:cbv:mda:"}}
		e.ILMD = []epcis.Member{{Name: "cbvmda:itemExpirationDate", Value: epcis.NewText(text)}}
		return e
	}
	const gtin = "https://id.gs1.org/01/09521321000018"
	born := func(date1 string, things []string, q ...epcis.Quantity) {
		t.Helper()
		e := n.at(epcis.ObjectEvent, "ADD", "commissioning")
		e.EPCs, e.Quantities = things, q
		if date1 != "" {
			date(e, date1)
		}
		if r := n.does("Brand", e); !r.OK() {
			t.Fatal(r.Finding)
		}
	}
	const past, future = "2026-04-30", "2036-04-30"
	born(past, []string{gtin + "/21/1"})
	born(future, []string{gtin + "/21/2"})
	born(past, nil, kilosOf(gtin+"/10/OLD", 100)...)
	born("", []string{gtin + "/10/OLD/21/3", gtin + "/21/4"})
	born(future, []string{gtin + "/10/OLD/21/5"}) // its own date is the better one
	sale := func(q []epcis.Quantity, things ...string) *epcis.Event {
		e := n.at(epcis.ObjectEvent, "OBSERVE", "dispensing")
		e.EPCs, e.Quantities = things, q
		return e
	}
	for _, c := range []struct {
		what         string
		ships, sells Code
	}{
		{"1", CodePastExpiry, CodeExpiredSold}, {"3", CodePastExpiry, CodeExpiredSold}, {"4", CodeOK, CodeOK}, {"5", CodeOK, CodeOK},
	} {
		thing := gtin + "/21/" + c.what
		wantCode(t, "sale of "+c.what, n.does("Brand", sale(nil, thing)), c.sells)
		wantCode(t, "shipment of "+c.what, n.ships("Brand", 3, []string{thing}), c.ships)
	}
	wantCode(t, "sale of a lot", n.does("Brand", sale(kilosOf(gtin+"/10/OLD", 1))), CodeExpiredSold)
	wantCode(t, "shipment of a lot", n.ships("Brand", 3, nil, kilosOf(gtin+"/10/OLD", 1)...), CodePastExpiry)

	pack := func(action epcis.Action, parent string, things []string, q ...epcis.Quantity) {
		t.Helper()
		e := n.at(epcis.AggregationEvent, action, "packing")
		e.ParentID, e.ChildEPCs, e.ChildQuantities = parent, things, q
		if r := n.does("Brand", e); !r.OK() {
			t.Fatal(r.Finding)
		}
	}
	box, pallet, heap := modelBox(1, 1), modelBox(1, 2), modelBox(1, 3)
	pack("ADD", box, []string{gtin + "/21/2"})
	pack("ADD", pallet, []string{box})
	wantCode(t, "sale of a pallet", n.does("Brand", sale(nil, pallet)), CodeOK)
	pack("ADD", box, []string{gtin + "/21/1"}) // into the box while that is on the pallet
	wantCode(t, "a pallet", n.ships("Brand", 3, []string{pallet}), CodeExpiredInside)
	wantCode(t, "sale of a pallet", n.does("Brand", sale(nil, pallet)), CodeExpiredInside)
	pack("DELETE", box, []string{gtin + "/21/1"})
	wantCode(t, "a pallet without it", n.ships("Brand", 3, []string{pallet}), CodeOK)
	pack("ADD", heap, nil, kilosOf(gtin+"/10/OLD", 1)...)
	wantCode(t, "a box with an old lot", n.ships("Brand", 3, []string{heap}), CodeExpiredInside)
	pack("DELETE", heap, nil)
	if item, _ := ReadItem(n.view, heap); item.InsideExpiryMs != 0 {
		t.Errorf("an empty box has %d", item.InsideExpiryMs)
	}
}

// TestLookingInsideIsBounded builds a pallet of as many things as a block looks at for one author, and one thing more.
func TestLookingInsideIsBounded(t *testing.T) {
	b := &blockRun{o: newOverlay(mapView{}), params: DefaultParams()}
	put(b.o, NoticesKey(), Notices{Open: 1})
	pallet := Contents{}
	for i := range 16 {
		box := Contents{}
		pallet.Items = append(pallet.Items, fmt.Sprintf("urn:example:box:%02d", i))
		for j := range maxWorkAuthor/16 - 1 {
			box.Items = append(box.Items, fmt.Sprintf("urn:example:thing:%02d-%04d", i, j))
		}
		put(b.o, ContentsKey(pallet.Items[i]), box)
	}
	put(b.o, ContentsKey("urn:example:pallet:1"), pallet)
	put(b.o, ContentsKey("urn:example:pallet:2"), Contents{Items: []string{"urn:example:thing:x"}})
	run := func(author byte, pallet string) *Finding {
		e := &eventRun{txRun: &txRun{blockRun: b, author: crypto.Address{author}}, e: &capturedEvent{}, looked: freeShare{over: true}}
		return e.insideMayLeave(thing{id: pallet}, &departure{notices: true}, map[string]bool{})
	}
	if f := run(1, "urn:example:pallet:1"); f != nil || b.looks.spent != maxWorkAuthor {
		t.Fatalf("%v after %d looks", f, b.looks.spent)
	}
	if f := run(1, "urn:example:pallet:2"); f == nil || f.Code != CodeTooMuchInside {
		t.Errorf("one more: %v", f)
	}
	if f := run(2, "urn:example:pallet:2"); f != nil {
		t.Errorf("somebody else: %v", f)
	}
	b.looks.spent = maxWorkBlock - 2
	if f := run(3, "urn:example:pallet:2"); f != nil {
		t.Errorf("the last look of a block: %v", f)
	}
	if f := run(4, "urn:example:pallet:2"); f == nil || f.Code != CodeTooMuchInside {
		t.Errorf("one more than a block has: %v", f)
	}
	small := &eventRun{txRun: &txRun{blockRun: b, author: crypto.Address{4}}, e: &capturedEvent{}}
	if f := small.insideMayLeave(thing{id: "urn:example:pallet:2"}, &departure{notices: true}, map[string]bool{}); f != nil {
		t.Errorf("what is free: %v", f)
	}
	b.looks, b.params.Rules.R12 = workBudget{spent: maxWorkBlock}, Flagged
	if f := run(5, "urn:example:pallet:2"); f != nil {
		t.Errorf("flagged: %v", f)
	}
}

// TestOwnershipDoesNotPass: goods may go to who collects them, and not be sold on the way.
func TestOwnershipDoesNotPass(t *testing.T) {
	n := recallNet(t, nil)
	n.adds("Maker", []string{modelItem(2, 1), modelItem(2, 2), modelItem(2, 3)})
	if r := n.one(n.tx("Agency", &Notice{Type: Recall, Subjects: []string{modelItem(2, 1), modelItem(2, 2), modelItem(2, 3)}, Reason: "x",
		Accepts: []crypto.Address{keyOf("Brand").Address()}})); !r.OK() {
		t.Fatal(r.Finding)
	}
	ship := func(id string, to, owner int) Receipt {
		e := n.at(epcis.ObjectEvent, "OBSERVE", "shipping")
		e.EPCs = []string{id}
		e.Destinations = []epcis.TypedRef{{Type: "possessing_party", ID: partyOf(to)}, {Type: "owning_party", ID: partyOf(owner)}}
		return n.does("Maker", e)
	}
	wantCode(t, "to who accepts, owned by a shop", ship(modelItem(2, 1), 1, 3), CodeUnderNotice)
	wantCode(t, "to a shop, owned by who accepts", ship(modelItem(2, 1), 3, 1), CodeUnderNotice)
	wantCode(t, "to who accepts, for good", ship(modelItem(2, 1), 1, 1), CodeOK)
	wantCode(t, "to who accepts, still its own", ship(modelItem(2, 2), 1, 2), CodeOK)
	wantCode(t, "to itself", ship(modelItem(2, 3), 2, 2), CodeUnderNotice)
}
