package ledger

import (
	"fmt"
	"strings"
	"testing"

	"waybill/consensus/quorum"
	"waybill/epcis"
)

func limitsNet(t *testing.T, p Params) (*testNet, *modelRun) {
	g := testGenesis(p)
	for i := range 2 {
		g.Accounts = append(g.Accounts, GenesisAccount{Address: orgAddress(i), Balance: 1_000_000_000})
		g.Organisations = append(g.Organisations, GenesisOrganisation{Address: orgAddress(i), Name: fmt.Sprint("org", i), Prefixes: []string{fmt.Sprint("952132", i)}})
	}
	net := newNet(t, g)
	return net, &modelRun{net: net}
}

// TestLongIdentifiersAreRefused: what would make state records or receipts without bound is refused in every mode.
func TestLongIdentifiersAreRefused(t *testing.T) {
	p := AdoptParams()
	p.Rules.R2, p.Rules.R3 = Off, Off
	n, m := limitsNet(t, p)
	long := "urn:example:" + strings.Repeat("x", maxIDBytes)
	fits := long[:maxIDBytes]
	for name, change := range map[string]func(*epcis.Event, string){
		"/epcList/0":               func(e *epcis.Event, id string) { e.EPCs = []string{id} },
		"/quantityList/0/epcClass": func(e *epcis.Event, id string) { e.Quantities = kilosOf(id, 1) },
		"/eventID":                 func(e *epcis.Event, id string) { e.EventID = id },
		"/bizLocation/id":          func(e *epcis.Event, id string) { e.BizLocation = &epcis.Location{ID: id} },
		"/readPoint/id":            func(e *epcis.Event, id string) { e.ReadPoint = &epcis.Location{ID: id} },
		"/destinationList/0":       func(e *epcis.Event, id string) { e.Destinations = []epcis.TypedRef{{Type: "location", ID: id}} },
	} {
		for id, code := range map[string]Code{long: CodeBadEvent, fits: CodeOK} {
			e := m.event(epcis.ObjectEvent, "OBSERVE", "inspecting")
			e.EPCs = []string{"urn:example:thing"}
			change(e, id)
			r := n.one(n.tx("org0", capture(t, Rollback, e)))
			if r.Code != code || code != CodeOK && r.Field != name {
				t.Errorf("%s with %d bytes: %s", name, len(id), r.Finding)
			}
		}
	}
	// A long disposition is in the event and not in the state.
	e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
	e.EPCs, e.Disposition = []string{modelItem(0, 1)}, "urn:example:"+strings.Repeat("d", 5000)
	if r := n.one(n.tx("org0", capture(t, Rollback, e))); !r.OK() {
		t.Fatal(r.Finding)
	}
	if raw := n.view[string(ItemKey(canonical(modelItem(0, 1))))]; len(raw) > 1000 {
		t.Errorf("an item's record has %d bytes", len(raw))
	}
}

// TestReceiptsStayBounded makes a capture that flags more than a receipt may hold: it still encodes and reads back.
func TestReceiptsStayBounded(t *testing.T) {
	p := AdoptParams()
	p.MaxTxBytes = 1 << 20
	n, m := limitsNet(t, p)
	var events []*epcis.Event
	for i := range 300 {
		e := m.event(epcis.ObjectEvent, "OBSERVE", "inspecting")
		e.EventTime = epcis.NewTimestamp(testStart - 10*p.LateAfterMs)
		for j := range 40 {
			e.EPCs = append(e.EPCs, fmt.Sprintf("urn:example:%d:%d:%s", i, j, strings.Repeat("x", 30)))
		}
		events = append(events, e)
	}
	r := n.one(n.tx("org0", capture(t, Proceed, events...)))
	if !r.OK() || len(r.Flags) != maxReceiptFlags {
		t.Fatalf("%s, %d flags", r.Finding, len(r.Flags))
	}
	again, err := DecodeReceipt(r.Encode())
	if err != nil || len(again.Flags) != maxReceiptFlags {
		t.Errorf("%v", err)
	}
	f := Finding{Args: []string{strings.Repeat("ä", 200), "\xff", "fine"}}
	f.bound()
	if len(f.Args[0]) > maxArgBytes+4 || strings.Contains(f.Args[1], "\xff") || f.Args[2] != "fine" {
		t.Errorf("%q", f.Args)
	}
}

func TestContainersFillUp(t *testing.T) {
	n, m := limitsNet(t, DefaultParams())
	pack := func(from, to int) Receipt {
		e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
		p := m.event(epcis.AggregationEvent, "ADD", "packing")
		p.ParentID = modelBox(0, 1)
		for i := from; i < to; i++ {
			e.EPCs = append(e.EPCs, modelItem(0, i))
		}
		p.ChildEPCs = e.EPCs
		return n.one(n.tx("org0", capture(t, Rollback, e, p)))
	}
	for i := 0; i < maxContents; i += 1024 {
		if r := pack(i, i+1024); !r.OK() {
			t.Fatal(r.Finding)
		}
	}
	if r := pack(maxContents, maxContents+1); r.Code != CodeContainerFull {
		t.Errorf("%s", r.Finding)
	}
	u := m.event(epcis.AggregationEvent, "DELETE", "unpacking")
	u.ParentID = modelBox(0, 1)
	if r := n.one(n.tx("org0", capture(t, Rollback, u))); !r.OK() {
		t.Fatal(r.Finding)
	}
	if c, err := ReadContents(n.view, modelBox(0, 1)); err != nil || c != nil {
		t.Errorf("%d things are left in it, %v", len(c.Items), err)
	}
}

func TestPackingDepth(t *testing.T) {
	n, m := limitsNet(t, DefaultParams())
	box := func(i int) string { return fmt.Sprintf("urn:epc:id:sscc:9521320.%010d", i) }
	var last Receipt
	depth := 0
	for depth < 30 {
		e := m.event(epcis.AggregationEvent, "ADD", "packing")
		e.ParentID, e.ChildEPCs = box(depth+1), []string{box(depth)}
		c := capture(t, Rollback, e)
		if depth == 0 {
			first := m.event(epcis.ObjectEvent, "ADD", "commissioning")
			first.EPCs = []string{box(0)}
			c = capture(t, Rollback, first, e)
		}
		if last = n.one(n.tx("org0", c)); !last.OK() {
			break
		}
		depth++
	}
	if last.Code != CodePackingDepth || depth != maxPackingDepth-1 {
		t.Errorf("%d levels, then %s", depth, last.Finding)
	}
	// The innermost is still found and moves with the outermost.
	s := m.event(epcis.ObjectEvent, "OBSERVE", "shipping")
	s.EPCs, s.Destinations = []string{box(depth)}, []epcis.TypedRef{{Type: "owning_party", ID: partyOf(1)}}
	r := m.event(epcis.ObjectEvent, "OBSERVE", "receiving")
	r.EPCs = s.EPCs
	n.must(n.tx("org0", capture(t, Rollback, s)))
	n.must(n.tx("org1", capture(t, Rollback, r)))
	item, err := ReadItem(n.view, box(0))
	if err != nil || item.Custodian != orgAddress(1) || item.Owner != orgAddress(1) {
		t.Errorf("%+v, %v", item, err)
	}
}

func TestOpenShipmentsAreBounded(t *testing.T) {
	n, m := limitsNet(t, DefaultParams())
	e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
	e.Quantities = kilosOf(modelLot(0, 1), 10_000)
	n.must(n.tx("org0", capture(t, Rollback, e)))
	ship := func() Receipt {
		s := m.event(epcis.ObjectEvent, "OBSERVE", "shipping")
		s.Quantities, s.Destinations = kilosOf(modelLot(0, 1), 1), []epcis.TypedRef{{Type: "owning_party", ID: partyOf(1)}}
		return n.one(n.tx("org0", capture(t, Rollback, s)))
	}
	for range maxOpenShipments {
		if r := ship(); !r.OK() {
			t.Fatal(r.Finding)
		}
	}
	if r := ship(); r.Code != CodeTooManyOpen {
		t.Error(r.Finding)
	}
	many := m.event(epcis.ObjectEvent, "OBSERVE", "shipping")
	many.Destinations = []epcis.TypedRef{{Type: "owning_party", ID: partyOf(1)}}
	for i := range maxShippedLots + 1 {
		many.Quantities = append(many.Quantities, kilosOf(modelLot(0, i), 1)...)
	}
	if r := n.one(n.tx("org0", capture(t, Rollback, many))); r.Code != CodeTooManyLots {
		t.Error(r.Finding)
	}
}

// TestQuantitiesAtTheEdges: amounts that would not add up exactly are refused.
func TestQuantitiesAtTheEdges(t *testing.T) {
	n, m := limitsNet(t, DefaultParams())
	for _, c := range []struct {
		amount string
		code   Code
	}{
		{"0.000000000001", CodeOK}, {"0.0000000000001", CodeBadQuantity}, {"9000000", CodeOK}, {"9000000", CodeBadQuantity},
		{"1e12", CodeBadQuantity}, {"1e13", CodeBadQuantity}, {"0", CodeOK},
	} {
		d, err := epcis.ParseDecimal(c.amount)
		if err != nil {
			t.Fatal(err)
		}
		e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
		e.Quantities = []epcis.Quantity{{Class: modelLot(0, 1), Quantity: &d, UOM: "KGM"}}
		if r := n.one(n.tx("org0", capture(t, Rollback, e))); r.Code != c.code {
			t.Errorf("%s: %s", c.amount, r.Finding)
		}
	}
	b, err := ReadBalance(n.view, modelLot(0, 1), orgAddress(0), "KGM", Available)
	if err != nil || b.Amount.String() != "9000000.000000000001" {
		t.Errorf("%+v, %v", b, err)
	}
}

// TestBrokenStateIsAnError: a record that does not decode, or a view that fails, is no receipt but an error.
func TestBrokenStateIsAnError(t *testing.T) {
	n, _ := limitsNet(t, DefaultParams())
	tx := n.tx("org0", &Transfer{To: orgAddress(1), Amount: 1})
	n.view[string(AccountKey(orgAddress(1)))] = []byte{0xff}
	if up, err := Apply(n.view, n.nextBlock(tx)); err == nil || up != nil {
		t.Errorf("a block over damaged state gave %v, %v", up, err)
	}
	n.view[string(AccountKey(orgAddress(0)))] = []byte{0xff}
	if err := Admit(n.view, 1, tx); err == nil {
		t.Error("Admit over damaged state")
	}
	delete(n.view, keyParams)
	if _, err := Apply(n.view, &Block{Header: quorum.Header{Height: 1}}); err == nil {
		t.Error("a block without parameters")
	}
}
