package ledger

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"waybill/crypto"
	"waybill/epcis"
)

func goodDispute() *Dispute {
	return &Dispute{Shipment: crypto.Hash{1}, Note: "at the dock", Lines: []DisputeLine{
		{Kind: Shortage, ID: modelLot(0, 1), Unit: "KGM", Amount: Amount{Coefficient: 15, Exponent: -1}, In: modelBox(0, 1)},
		{Kind: WrongProduct, ID: modelItem(0, 1), Found: modelItem(0, 2), Note: "blue"},
		{Kind: DataMissing},
	}}
}

// TestDisputePayloads is one good dispute and resolution, and everything that may be wrong with them by themselves.
func TestDisputePayloads(t *testing.T) {
	if err := goodDispute().check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Dispute){
		"no lines":                  func(d *Dispute) { d.Lines = nil },
		"too many lines":            func(d *Dispute) { d.Lines = make([]DisputeLine, maxDisputeLines+1) },
		"long note":                 func(d *Dispute) { d.Note = strings.Repeat("n", maxDisputeNote+1) },
		"note that is no text":      func(d *Dispute) { d.Note = "\xff" },
		"kind 0":                    func(d *Dispute) { d.Lines[0].Kind = 0 },
		"kind 7":                    func(d *Dispute) { d.Lines[0].Kind = 7 },
		"no id":                     func(d *Dispute) { d.Lines[0].ID = "" },
		"long id":                   func(d *Dispute) { d.Lines[0].ID = strings.Repeat("x", maxIDBytes+1) },
		"id with a NUL":             func(d *Dispute) { d.Lines[0].ID = "urn:a\x00b" },
		"container that is no text": func(d *Dispute) { d.Lines[0].In = "\xff" },
		"nothing found":             func(d *Dispute) { d.Lines[1].Found = "" },
		"long found":                func(d *Dispute) { d.Lines[1].Found = strings.Repeat("x", maxIDBytes+1) },
		"found of a shortage":       func(d *Dispute) { d.Lines[0].Found = modelLot(0, 2) },
		"negative":                  func(d *Dispute) { d.Lines[0].Amount.Coefficient = -15 },
		"not reduced":               func(d *Dispute) { d.Lines[0].Amount = Amount{Coefficient: 150, Exponent: -2} },
		"zero with exponent":        func(d *Dispute) { d.Lines[0].Amount = Amount{Exponent: 3} },
		"too fine":                  func(d *Dispute) { d.Lines[0].Amount = Amount{Coefficient: 1, Exponent: minAmountExponent - 1} },
		"too large":                 func(d *Dispute) { d.Lines[0].Amount = Amount{Coefficient: 1, Exponent: 13} },
		"unit in words":             func(d *Dispute) { d.Lines[0].Unit = "kgm" },
		"long unit":                 func(d *Dispute) { d.Lines[0].Unit = "KGMS" },
		"amount of no data":         func(d *Dispute) { d.Lines[2].Amount = Amount{Coefficient: 1} },
		"unit of no data":           func(d *Dispute) { d.Lines[2].Unit = "KGM" },
		"long note of a line":       func(d *Dispute) { d.Lines[2].Note = strings.Repeat("n", maxDisputeNote+1) },
	} {
		d := goodDispute()
		change(d)
		if err := d.check(); !errors.Is(err, ErrPayload) {
			t.Errorf("%s: %v", name, err)
		}
	}
	edge := goodDispute()
	edge.Note, edge.Lines[0].ID = strings.Repeat("n", maxDisputeNote), strings.Repeat("x", maxIDBytes)
	for len(edge.Lines) < maxDisputeLines {
		edge.Lines = append(edge.Lines, DisputeLine{Kind: DataMissing})
	}
	if err := edge.check(); err != nil {
		t.Errorf("at the bounds: %v", err)
	}
	good := Resolve{Lines: []Resolution{{Line: maxDisputeLines - 1, Outcome: Withdrawn}}}
	if err := good.check(); err != nil {
		t.Error(err)
	}
	for name, r := range map[string]Resolve{
		"no lines": {}, "too many lines": {Lines: make([]Resolution, maxDisputeLines+1)}, "outcome 0": {Lines: []Resolution{{}}},
		"outcome 11": {Lines: []Resolution{{Outcome: 11}}}, "line 256": {Lines: []Resolution{{Line: maxDisputeLines, Outcome: Lost}}},
		"long note": {Lines: good.Lines, Note: strings.Repeat("n", maxDisputeNote+1)},
	} {
		if err := r.check(); !errors.Is(err, ErrPayload) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDisputeTexts: the texts of kinds, outcomes and statuses are read as they are written.
func TestDisputeTexts(t *testing.T) {
	for k := Shortage; k <= DataMissing; k++ {
		var again DisputeKind
		if text, _ := k.MarshalText(); again.UnmarshalText(text) != nil || again != k {
			t.Errorf("kind %d is %q, which reads as %d", k, text, again)
		}
	}
	for o := Credited; o <= Withdrawn; o++ {
		var again Outcome
		if text, _ := o.MarshalText(); again.UnmarshalText(text) != nil || again != o {
			t.Errorf("outcome %d is %q, which reads as %d", o, text, again)
		}
	}
	for _, s := range Statuses() {
		again := Status(9)
		if text, _ := s.MarshalText(); again.UnmarshalText(text) != nil || again != s {
			t.Errorf("status %d is %q, which reads as %d", s, text, again)
		}
	}
	var k DisputeKind
	var o Outcome
	var s Status
	for _, text := range []string{"", "open", "Shortage", "outcome 11"} {
		if !errors.Is(k.UnmarshalText([]byte(text)), ErrPayload) || !errors.Is(o.UnmarshalText([]byte(text)), ErrPayload) || !errors.Is(s.UnmarshalText([]byte(text)), ErrPayload) {
			t.Errorf("%q is read as something", text)
		}
	}
	if got := fmt.Sprint(DisputeKind(9), Outcome(0), Outcome(77), Status(5)); got != "dispute kind 9open outcome 77status 5" &&
		got != "dispute kind 9 open outcome 77 status 5" {
		t.Error(got)
	}
}

// quarrelNet is two organisations with something on its way from the first to the second.
type quarrelNet struct {
	*testNet
	m *modelRun
	t *testing.T
}

func newQuarrel(t *testing.T, change func(*Params)) *quarrelNet {
	p := DefaultParams()
	p.VoidDelayMs = 0
	if change != nil {
		change(&p)
	}
	n, m := limitsNet(t, p)
	return &quarrelNet{testNet: n, m: m, t: t}
}

// record captures an event and returns its hash.
func (q *quarrelNet) record(who string, e *epcis.Event) crypto.Hash {
	q.t.Helper()
	q.must(q.tx(who, capture(q.t, Rollback, e)))
	return e.Hash()
}

func (q *quarrelNet) event(action epcis.Action, step string, things []string, amounts ...epcis.Quantity) *epcis.Event {
	e := q.m.event(epcis.ObjectEvent, action, step)
	e.EventTime = epcis.NewTimestamp(q.timeMs + 60_000)
	e.EPCs, e.Quantities = things, amounts
	return e
}

func (q *quarrelNet) produce(things []string, amounts ...epcis.Quantity) {
	q.t.Helper()
	q.record("org0", q.event("ADD", "commissioning", things, amounts...))
}

// ship sends goods from org0 with destinations as "role=party".
func (q *quarrelNet) ship(to string, things []string, amounts ...epcis.Quantity) crypto.Hash {
	q.t.Helper()
	e := q.event("OBSERVE", "shipping", things, amounts...)
	if role, party, ok := strings.Cut(to, "="); ok {
		e.Destinations = []epcis.TypedRef{{Type: role, ID: party}}
	}
	return q.record("org0", e)
}

// say executes a dispute or resolution and wants a code.
func (q *quarrelNet) say(who string, p Payload, code Code) Receipt {
	q.t.Helper()
	r := q.one(q.tx(who, p))
	if r.Code != code {
		q.t.Fatalf("want %s: %s", code, r.Finding)
	}
	return r
}

func (q *quarrelNet) dispute(who string, shipment crypto.Hash, lines ...DisputeLine) crypto.Hash {
	q.t.Helper()
	return q.say(who, &Dispute{Shipment: shipment, Lines: lines}, CodeOK).Tx
}

func (q *quarrelNet) resolve(who string, dispute crypto.Hash, line int, o Outcome, code Code) Receipt {
	q.t.Helper()
	return q.say(who, &Resolve{Dispute: dispute, Lines: []Resolution{{Line: uint16(line), Outcome: o}}}, code)
}

func (q *quarrelNet) shipment(event crypto.Hash) *Shipment {
	q.t.Helper()
	sh, err := ReadShipment(q.view, event)
	if err != nil || sh == nil {
		q.t.Fatal(sh, err)
	}
	return sh
}

func (q *quarrelNet) item(id string) *Item {
	q.t.Helper()
	item, err := ReadItem(q.view, id)
	if err != nil || item == nil {
		q.t.Fatal(item, err)
	}
	return item
}

// has checks a balance.
func (q *quarrelNet) has(org int, lot, unit string, s Status, want string) {
	q.t.Helper()
	b, err := ReadBalance(q.view, lot, orgAddress(org), unit, s)
	if err != nil {
		q.t.Fatal(err)
	}
	if b == nil {
		b = &Balance{}
	}
	if b.Amount.String() != want {
		q.t.Errorf("org%d has %s %s of %s, want %s", org, b.Amount, s, lot, want)
	}
}

// rejected checks how much of a lot open lines of disputes keep as rejected, and that nobody has any of it set apart.
func (q *quarrelNet) rejected(lot, unit, want string) {
	q.t.Helper()
	sum := Amount{}
	for k, raw := range q.view {
		if !strings.HasPrefix(k, "dispute/") {
			continue
		}
		d := decodeRaw[DisputeRecord](q.t, raw)
		for i, g := range d.Goods {
			if g.Lot == canonical(lot) && g.Unit == unit && d.Lines[i].Kind == Damage && d.LineOpen(i) {
				sum, _ = sum.plus(g.Amount)
			}
		}
	}
	if sum.String() != want {
		q.t.Errorf("%s of %s is rejected, want %s", sum, lot, want)
	}
	q.has(0, lot, unit, Held, "0")
	q.has(1, lot, unit, Held, "0")
}

func kilosLine(kind DisputeKind, lot string, kilos int64) DisputeLine {
	return DisputeLine{Kind: kind, ID: lot, Unit: "KGM", Amount: amountOfKilos(kilos)}
}

func toOrg(org int) string  { return "possessing_party=" + partyOf(org) }
func sellTo(org int) string { return "owning_party=" + partyOf(org) }

// TestDisputesAreBounded reaches every bound of disputes at its edge.
func TestDisputesAreBounded(t *testing.T) {
	q := newQuarrel(t, nil)
	lot := modelLot(0, 1)
	q.produce(nil, kilosOf(lot, 100_000)...)
	sh := q.ship(toOrg(1), nil, kilosOf(lot, 1000)...)

	// As many lines of one lot as a dispute may have, and then more than what is open.
	d := &Dispute{Shipment: sh}
	for range maxDisputeLines {
		d.Lines = append(d.Lines, kilosLine(Damage, lot, 3))
	}
	q.say("org1", d, CodeOK)
	q.rejected(lot, "KGM", "768")
	r := q.say("org1", d, CodeDisputeMore)
	if r.Field != "/lines/77/amount" { // 232 are left
		t.Error(r.Finding)
	}
	for range maxDisputes - 1 {
		q.dispute("org1", sh, kilosLine(Shortage, lot, 1))
	}
	q.say("org1", &Dispute{Shipment: sh, Lines: []DisputeLine{{Kind: DataMissing}}}, CodeTooManyDisputes)
	s := q.shipment(sh)
	if len(s.Disputes) != maxDisputes || s.OpenLines != maxDisputeLines+maxDisputes-1 || s.State != ShipmentDisputed {
		t.Errorf("%d disputes, %d lines, %s", len(s.Disputes), s.OpenLines, s.State)
	}

	// What was withdrawn has no place among the shipments under way when there are too many.
	again := q.ship(toOrg(1), nil, kilosOf(lot, 5)...)
	id := q.dispute("org1", again, DisputeLine{Kind: Shortage, ID: lot, Unit: "KGM"})
	for range maxOpenShipments - 1 { // the first one is under way still
		q.ship(toOrg(1), nil, kilosOf(lot, 1)...)
	}
	q.resolve("org1", id, 0, Withdrawn, CodeTooManyOpen)
	q.resolve("org1", id, 0, Delivered, CodeOK)
	q.has(1, lot, "KGM", Available, "5")
}

// TestTallyIsBounded: what disputes take out of containers does not make the record of a shipment without end.
func TestTallyIsBounded(t *testing.T) {
	var tally Tally
	for i := range maxTally {
		if !tally.plus(PackedAmount{Lot: fmt.Sprint(i)}) {
			t.Fatalf("quantity %d is refused", i)
		}
	}
	if tally.plus(PackedAmount{Lot: "one more"}) || !tally.plus(PackedAmount{Lot: "0"}) {
		t.Error("the bound of a tally")
	}
	big := PackedAmount{Lot: "0", Amount: Amount{Coefficient: 999_999_999_999_999_999}}
	if !tally.plus(big) || tally.plus(PackedAmount{Lot: "0", Amount: Amount{Coefficient: 1, Exponent: -9}}) {
		t.Error("an amount beyond what is counted")
	}
}

// TestDisputeOverflows: amounts that do not add up exactly with what the other side has are refused, not rounded.
func TestDisputeOverflows(t *testing.T) {
	q := newQuarrel(t, nil)
	lot := modelLot(0, 1)
	fine, err := epcis.ParseDecimal("0.000000000001")
	if err != nil {
		t.Fatal(err)
	}
	huge, err := epcis.ParseDecimal("900000000000")
	if err != nil {
		t.Fatal(err)
	}
	q.produce(nil, epcis.Quantity{Class: lot, Quantity: &fine, UOM: "KGM"})
	first := q.dispute("org1", q.ship(toOrg(1), nil, epcis.Quantity{Class: lot, Quantity: &fine, UOM: "KGM"}), DisputeLine{Kind: Damage, ID: lot, Unit: "KGM"})
	q.produce(nil, epcis.Quantity{Class: lot, Quantity: &huge, UOM: "KGM"})
	second := q.ship(toOrg(1), nil, epcis.Quantity{Class: lot, Quantity: &huge, UOM: "KGM"})
	damaged := q.dispute("org1", second, DisputeLine{Kind: Damage, ID: lot, Unit: "KGM"})
	q.resolve("org1", first, 0, Kept, CodeOK)
	q.resolve("org1", damaged, 0, Kept, CodeBadQuantity)
	q.resolve("org1", damaged, 0, Withdrawn, CodeOK)
	id := q.dispute("org1", second, DisputeLine{Kind: Shortage, ID: lot, Unit: "KGM"})
	q.produce(nil, epcis.Quantity{Class: lot, Quantity: &fine, UOM: "KGM"})
	q.resolve("org0", id, 0, Credited, CodeBadQuantity)
	q.resolve("org0", id, 0, Lost, CodeOK)
}

// TestBearerAndAbsentReceivers: who may dispute a shipment that names nobody, or somebody who is not on the ledger.
func TestBearerAndAbsentReceivers(t *testing.T) {
	q := newQuarrel(t, func(p *Params) { p.Onboarding, p.Rules.R5 = Adopt, Flagged })
	lot := modelLot(0, 1)
	q.produce(nil, kilosOf(lot, 100)...)

	bearer := q.ship("", nil, kilosOf(lot, 10)...)
	r := q.say("org1", &Dispute{Shipment: bearer, Lines: []DisputeLine{kilosLine(Damage, lot, 4)}}, CodeOK)
	if len(r.Flags) != 1 || r.Flags[0].Code != CodeBearer || q.shipment(bearer).To != orgAddress(1) {
		t.Errorf("%+v, to %s", r.Flags, q.shipment(bearer).To)
	}
	q.say("org0", &Dispute{Shipment: bearer, Lines: []DisputeLine{kilosLine(Damage, lot, 4)}}, CodeNotDisputant)
	q.rejected(lot, "KGM", "4")

	// Nobody on the ledger: the shipper stands in for the receiver until it joins.
	absent := "urn:epc:id:pgln:9521327.00000"
	sh := q.ship("possessing_party="+absent, nil, kilosOf(lot, 10)...)
	q.say("org1", &Dispute{Shipment: sh, Lines: []DisputeLine{kilosLine(Shortage, lot, 4)}}, CodeNotDisputant)
	r = q.say("org0", &Dispute{Shipment: sh, Lines: []DisputeLine{kilosLine(Shortage, lot, 4), kilosLine(Damage, lot, 1)}}, CodeOK)
	if len(r.Flags) != 1 || r.Flags[0].Code != CodeOnBehalf {
		t.Errorf("%+v", r.Flags)
	}
	id := r.Tx
	q.must(q.tx("org0", &Transfer{To: keyOf("absent").Address(), Amount: 1000}))
	q.join("absent", "9521327")
	q.resolve("org1", id, 0, Delivered, CodeNotParty)
	q.resolve("absent", id, 0, Credited, CodeNotYourOutcome)
	q.resolve("absent", id, 0, Delivered, CodeOK)
	q.resolve("org0", id, 1, Kept, CodeOK) // it spoke for both
	if s := q.shipment(sh); s.State != ShipmentOpen || s.OpenLines != 0 {
		t.Errorf("%+v", s)
	}
}

// TestShipmentToOneself: shipper and receiver are one, and still everything is in one place.
func TestShipmentToOneself(t *testing.T) {
	q := newQuarrel(t, nil)
	lot := modelLot(0, 1)
	q.produce([]string{modelItem(0, 1)}, kilosOf(lot, 10)...)
	sh := q.ship(toOrg(0), []string{modelItem(0, 1)}, kilosOf(lot, 10)...)
	id := q.dispute("org0", sh, DisputeLine{Kind: Damage, ID: modelItem(0, 1)}, kilosLine(Damage, lot, 3), kilosLine(Shortage, lot, 7))
	if s := q.item(modelItem(0, 1)).State; s != StateRejected {
		t.Error(s)
	}
	q.say("org0", &Resolve{Dispute: id, Lines: []Resolution{{Line: 0, Outcome: Kept}, {Line: 1, Outcome: Returned}, {Line: 2, Outcome: Credited}}}, CodeOK)
	q.has(0, lot, "KGM", Available, "10")
	q.has(0, lot, "KGM", Held, "0")
	if s := q.shipment(sh); s.State != ShipmentClosed || q.item(modelItem(0, 1)).State != StateActive {
		t.Errorf("%+v", s)
	}
}

// TestUnmeasuredDisputes: what was shipped without a number covers any that the receiver states, and stays open.
func TestUnmeasuredDisputes(t *testing.T) {
	q := newQuarrel(t, nil)
	lot := modelLot(0, 1)
	some := epcis.Quantity{Class: lot}
	q.produce(nil, some)
	sh := q.ship(toOrg(1), nil, some)
	q.say("org1", &Dispute{Shipment: sh, Lines: []DisputeLine{kilosLine(Damage, lot, 3)}}, CodeNotOpen) // in kilograms, nothing is
	id := q.dispute("org1", sh, DisputeLine{Kind: Damage, ID: lot, Amount: amountOfKilos(3)}, DisputeLine{Kind: Shortage, ID: lot})
	q.rejected(lot, "", "3")
	s := q.shipment(sh)
	if len(s.Quantities) != 0 || s.State != ShipmentDisputed || !s.Short.Quantities[0].Unmeasured {
		t.Errorf("%+v", s)
	}
	q.resolve("org1", id, 1, Withdrawn, CodeOK)
	if s := q.shipment(sh); len(s.Quantities) != 1 || !s.Quantities[0].Unmeasured {
		t.Errorf("%+v", s)
	}
	q.resolve("org0", id, 0, Returned, CodeOK)
	q.has(0, lot, "", Available, "3")

	// A count makes a number of it.
	r := q.must(q.tx("org0", capture(t, Rollback, q.event("OBSERVE", "cycle_counting", nil, epcis.Quantity{Class: lot, Quantity: decimalOf(t, "8")}))))
	if len(r.Flags) != 1 || r.Flags[0].Code != CodeCountFirst {
		t.Errorf("%+v", r.Flags)
	}
	q.has(0, lot, "", Available, "8")
}

func decimalOf(t *testing.T, s string) *epcis.Decimal {
	t.Helper()
	d, err := epcis.ParseDecimal(s)
	if err != nil {
		t.Fatal(err)
	}
	return &d
}

// TestOwnershipThroughDisputes: what is accepted in the end becomes its buyer's, with what is in it; what goes back does not.
func TestOwnershipThroughDisputes(t *testing.T) {
	q := newQuarrel(t, nil)
	things := []string{modelItem(0, 1), modelItem(0, 2), modelItem(0, 3)}
	q.produce(things)
	pack := func(box string, children ...string) {
		e := q.m.event(epcis.AggregationEvent, "ADD", "packing")
		e.EventTime = epcis.NewTimestamp(q.timeMs + 60_000)
		e.ParentID, e.ChildEPCs = box, children
		q.record("org0", e)
	}
	inner, outer := modelBox(0, 1), modelBox(0, 2)
	pack(inner, things[0])
	pack(outer, inner, things[1], things[2])
	sh := q.ship(sellTo(1), []string{outer})
	id := q.dispute("org1", sh, DisputeLine{Kind: Damage, ID: inner}, DisputeLine{Kind: Shortage, ID: things[1]}, DisputeLine{Kind: Damage, ID: things[2]})
	q.record("org1", q.event("OBSERVE", "receiving", []string{outer}))

	for _, want := range []struct {
		id        string
		state     ItemState
		custodian int
		owner     int
	}{{outer, StateActive, 1, 1}, {inner, StateRejected, 1, 0}, {things[0], StateRejected, 1, 0}, {things[1], StateDisputed, 0, 0}, {things[2], StateRejected, 1, 0}} {
		item := q.item(want.id)
		if item.State != want.state || item.Custodian != orgAddress(want.custodian) || item.Owner != orgAddress(want.owner) {
			t.Errorf("%s: %+v", want.id, item)
		}
		d, line, err := ReadDisputeOf(q.view, want.id)
		if disputed := want.state.disputed(); err != nil || (d != nil) != disputed || disputed && (d.ID != id || d.Outcomes[line] != 0) {
			t.Errorf("%s: dispute %+v line %d, %v", want.id, d, line, err)
		}
	}
	q.say("org1", &Resolve{Dispute: id, Lines: []Resolution{{Line: 0, Outcome: Kept}, {Line: 1, Outcome: Delivered}}}, CodeOK)
	q.resolve("org0", id, 2, Returned, CodeOK)
	for _, of := range []string{inner, things[0], things[1]} {
		if item := q.item(of); item.State != StateActive || item.Custodian != orgAddress(1) || item.Owner != orgAddress(1) {
			t.Errorf("%s: %+v", of, item)
		}
	}
	if item := q.item(things[2]); item.State != StateActive || item.Custodian != orgAddress(0) || item.Owner != orgAddress(0) || !item.Shipment.IsZero() {
		t.Errorf("%+v", item)
	}
	if list, err := ReadDisputes(q.view, sh); err != nil || len(list) != 1 || list[0].Open != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err := ReadDisputes(q.view, crypto.Hash{9}); err != nil || list != nil {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestDisputesUnderNotice: nothing leaves by agreement that could not be shipped, and recalled goods may still go back.
func TestDisputesUnderNotice(t *testing.T) {
	q := newQuarrel(t, nil)
	lot, box := modelLot(0, 1), modelBox(0, 1)
	q.produce([]string{modelItem(0, 1), modelItem(0, 2)}, kilosOf(lot, 100)...)
	e := q.m.event(epcis.AggregationEvent, "ADD", "packing")
	e.ParentID, e.ChildQuantities = box, kilosOf(lot, 10)
	q.record("org0", e)
	sh := q.ship(toOrg(1), []string{modelItem(0, 1), box}, kilosOf(lot, 20)...)
	id := q.dispute("org1", sh, kilosLine(Damage, lot, 5), DisputeLine{Kind: WrongLot, ID: modelItem(0, 1), Found: modelItem(0, 2)}, kilosLine(Overage, lot, 1))
	q.must(q.tx("org0", &Notice{Type: Recall, Subjects: []string{lot, modelItem(0, 2), box}, Reason: "glass"}))
	q.resolve("org0", id, 2, Agreed, CodeUnderNotice)
	q.resolve("org0", id, 1, Agreed, CodeUnderNotice)
	if item := q.item(modelItem(0, 1)); item.State != StateDisputed {
		t.Errorf("a refused resolution moved %+v", item)
	}
	inBox := kilosLine(Damage, lot, 1)
	inBox.In = box
	q.say("org1", &Dispute{Shipment: sh, Lines: []DisputeLine{inBox}}, CodeLoosened)
	q.resolve("org0", id, 1, Credited, CodeOK)
	q.resolve("org0", id, 0, Returned, CodeOK)
	q.has(0, lot, "KGM", Available, "85") // 10 of the 20 that the shipment named are in the box
}

// TestFlaggedHandOff: where R7 only flags, an act on disputed goods is on record and moves nothing.
func TestFlaggedHandOff(t *testing.T) {
	q := newQuarrel(t, func(p *Params) { p.Rules.R7 = Flagged })
	q.produce([]string{modelItem(0, 1), modelItem(0, 2)})
	sh := q.ship(toOrg(1), []string{modelItem(0, 1), modelItem(0, 2)})
	q.dispute("org1", sh, DisputeLine{Kind: Shortage, ID: modelItem(0, 1)}, DisputeLine{Kind: Damage, ID: modelItem(0, 2)})
	for who, act := range map[string]*epcis.Event{
		"org0": q.event("OBSERVE", "void_shipping", []string{modelItem(0, 1)}),
		"org1": q.event("OBSERVE", "receiving", []string{modelItem(0, 1)}),
	} {
		r := q.must(q.tx(who, capture(t, Rollback, act)))
		if len(r.Flags) == 0 || r.Flags[0].Code != CodeInDispute {
			t.Errorf("%s: %+v", who, r.Flags)
		}
	}
	away := q.event("OBSERVE", "shipping", []string{modelItem(0, 2)})
	away.Destinations = []epcis.TypedRef{{Type: "possessing_party", ID: partyOf(1)}}
	if r := q.must(q.tx("org1", capture(t, Rollback, away))); len(r.Flags) == 0 || r.Flags[0].Code != CodeRejected {
		t.Errorf("%+v", r.Flags)
	}
	if a, b := q.item(modelItem(0, 1)), q.item(modelItem(0, 2)); a.State != StateDisputed || b.State != StateRejected {
		t.Errorf("%+v, %+v", a, b)
	}
	// What was rejected may be destroyed.
	q.record("org1", q.event("DELETE", "destroying", []string{modelItem(0, 2)}))
	if item := q.item(modelItem(0, 2)); item.State != StateDestroyed || !item.Shipment.IsZero() {
		t.Errorf("%+v", item)
	}
}

// anyQuarrel draws a dispute or resolution about anything there is, legal or not.
func anyQuarrel(m *modelRun) Payload {
	var shipments, disputes []crypto.Hash
	for _, k := range sortedKeys(m.net.view) {
		if rest, ok := strings.CutPrefix(k, "transfer/"); ok {
			shipments = append(shipments, crypto.Hash([]byte(rest)))
		}
		if rest, ok := strings.CutPrefix(k, "dispute/"); ok {
			disputes = append(disputes, crypto.Hash([]byte(rest)))
		}
	}
	if len(disputes) > 0 && rapid.Bool().Draw(m.t, "resolve") {
		r := &Resolve{Dispute: rapid.SampledFrom(disputes).Draw(m.t, "dispute")}
		for range rapid.IntRange(1, 2).Draw(m.t, "resolutions") {
			r.Lines = append(r.Lines, Resolution{
				Line:    uint16(rapid.IntRange(0, 2).Draw(m.t, "line")),
				Outcome: Outcome(rapid.IntRange(1, 10).Draw(m.t, "outcome")),
			})
		}
		return r
	}
	if len(shipments) == 0 {
		return nil
	}
	d := &Dispute{Shipment: rapid.SampledFrom(shipments).Draw(m.t, "shipment")}
	name := func() string {
		if rapid.Bool().Draw(m.t, "a lot") {
			return m.anyLot()
		}
		return m.anyName()
	}
	for range rapid.IntRange(1, 3).Draw(m.t, "lines") {
		l := DisputeLine{Kind: DisputeKind(rapid.IntRange(1, 6).Draw(m.t, "kind")), ID: name()}
		if l.Kind != DataMissing && rapid.Bool().Draw(m.t, "measured") {
			l.Unit, l.Amount = m.pick("unit", "KGM", "LTR", "", "TNE"), amountOfKilos(m.kilos())
		}
		if l.Kind == WrongLot || l.Kind == WrongProduct {
			l.Found = name()
		}
		if l.Kind != DataMissing && rapid.IntRange(0, 3).Draw(m.t, "packed") == 0 {
			l.In = m.anyName()
		}
		d.Lines = append(d.Lines, l)
	}
	return d
}

// TestDisputesAndCorrections: holding and counting are undone like other events; what a dispute stands on is not.
func TestDisputesAndCorrections(t *testing.T) {
	q := newQuarrel(t, nil)
	lot := modelLot(0, 1)
	q.produce([]string{modelItem(0, 1)}, kilosOf(lot, 100)...)
	declare := func(who string, e *epcis.Event, want Code) {
		t.Helper()
		wrong := *e
		wrong.ErrorDeclaration = &epcis.ErrorDeclaration{DeclarationTime: epcis.NewTimestamp(q.timeMs + 60_000), Reason: "did_not_occur"}
		r := q.must(q.tx(who, capture(t, Rollback, &wrong)))
		for _, f := range r.Flags {
			if f.Code == want {
				return
			}
		}
		t.Errorf("want %s: %+v", want, r.Flags)
	}
	hold := q.event("OBSERVE", "holding", nil, kilosOf(lot, 30)...)
	q.record("org0", hold)
	declare("org0", hold, CodeUndone)
	q.has(0, lot, "KGM", Held, "0")
	q.has(0, lot, "KGM", Available, "100")
	count := q.event("OBSERVE", "cycle_counting", nil, kilosOf(lot, 90)...)
	q.record("org0", count)
	declare("org0", count, CodeUndone)
	q.has(0, lot, "KGM", Available, "100")

	ship := q.event("OBSERVE", "shipping", []string{modelItem(0, 1)}, kilosOf(lot, 40)...)
	ship.Destinations = []epcis.TypedRef{{Type: "possessing_party", ID: partyOf(1)}}
	sh := q.record("org0", ship)
	take := q.event("OBSERVE", "receiving", nil, kilosOf(lot, 10)...)
	q.record("org1", take)
	id := q.dispute("org1", sh, DisputeLine{Kind: Shortage, ID: modelItem(0, 1)}, kilosLine(Damage, lot, 5))
	declare("org0", ship, CodeStandsOn)
	declare("org1", take, CodeChangedSince)
	q.has(0, lot, "KGM", Available, "60")
	q.has(1, lot, "KGM", Available, "10")
	q.rejected(lot, "KGM", "5")
	if item := q.item(modelItem(0, 1)); item.State != StateDisputed {
		t.Errorf("%+v", item)
	}
	// A resolution that took everything back does not make the shipment one that never was, either.
	q.say("org1", &Resolve{Dispute: id, Lines: []Resolution{{Line: 0, Outcome: Withdrawn}, {Line: 1, Outcome: Withdrawn}}}, CodeOK)
	if s := q.shipment(sh); s.OpenItems != 1 || s.State != ShipmentOpen {
		t.Errorf("%+v", s)
	}
	second := q.event("OBSERVE", "shipping", nil, kilosOf(lot, 7)...)
	second.Destinations = ship.Destinations
	id = q.dispute("org1", q.record("org0", second), kilosLine(Shortage, lot, 7))
	q.resolve("org1", id, 0, Withdrawn, CodeOK)
	declare("org0", second, CodeChangedSince)
	q.has(0, lot, "KGM", Available, "53")
}

// TestDisputedTwice: a thing that was rejected, sent back, shipped again and rejected again is in the later dispute; the end
// of the earlier one moves nothing.
func TestDisputedTwice(t *testing.T) {
	q := newQuarrel(t, nil)
	id := modelItem(0, 1)
	q.produce([]string{id})
	line := DisputeLine{Kind: Damage, ID: id}
	first := q.dispute("org1", q.ship(toOrg(1), []string{id}), line)
	back := q.event("OBSERVE", "shipping", []string{id})
	back.Destinations = []epcis.TypedRef{{Type: "possessing_party", ID: partyOf(0)}}
	q.record("org1", back)
	q.record("org0", q.event("OBSERVE", "receiving", []string{id}))
	sh := q.ship(toOrg(1), []string{id})
	second := q.dispute("org1", sh, line)
	r := q.resolve("org0", first, 0, Returned, CodeOK)
	if item := q.item(id); item.State != StateRejected || item.Custodian != orgAddress(1) || len(r.Flags) != 1 || r.Flags[0].Code != CodeGoodsMoved {
		t.Errorf("%+v, flags %+v", item, r.Flags)
	}
	if d, _, err := ReadDisputeOf(q.view, id); err != nil || d == nil || d.ID != second {
		t.Errorf("%+v, %v", d, err)
	}
	q.resolve("org0", first, 0, Returned, CodeLineResolved)
	q.resolve("org1", second, 0, Withdrawn, CodeOK)
	if item := q.item(id); item.State != StateInTransit || item.Shipment != sh || item.Custodian != orgAddress(0) {
		t.Errorf("%+v", item)
	}
}

// TestHandOverKeepsOwners: who agrees to what came besides passes on what it owns, not what it only keeps for others.
func TestHandOverKeepsOwners(t *testing.T) {
	q := newQuarrel(t, nil)
	mine, theirs, sent := modelItem(0, 1), modelItem(0, 2), modelItem(0, 3)
	q.produce([]string{mine, theirs, sent})
	q.ship(sellTo(1), []string{theirs})
	q.record("org1", q.event("OBSERVE", "receiving", []string{theirs}))
	back := q.event("OBSERVE", "shipping", []string{theirs})
	back.Destinations = []epcis.TypedRef{{Type: "possessing_party", ID: partyOf(0)}}
	q.record("org1", back)
	q.record("org0", q.event("OBSERVE", "receiving", []string{theirs}))

	// The receiver is to hold the goods of this shipment, and its sender to own them.
	ship := q.event("OBSERVE", "shipping", []string{sent})
	ship.Destinations = []epcis.TypedRef{{Type: "possessing_party", ID: partyOf(1)}, {Type: "owning_party", ID: partyOf(0)}}
	id := q.dispute("org1", q.record("org0", ship), DisputeLine{Kind: Overage, ID: theirs}, DisputeLine{Kind: Overage, ID: mine})
	q.say("org0", &Resolve{Dispute: id, Lines: []Resolution{{Line: 0, Outcome: Agreed}, {Line: 1, Outcome: Agreed}}}, CodeOK)
	for thing, owner := range map[string]int{theirs: 1, mine: 0} {
		if item := q.item(thing); item.Custodian != orgAddress(1) || item.Owner != orgAddress(owner) {
			t.Errorf("%+v", item)
		}
	}
	// It was handed over once.
	q.resolve("org0", q.dispute("org1", ship.Hash(), DisputeLine{Kind: Overage, ID: mine}), 0, Agreed, CodeAgreedMissing)
}

func TestSplit(t *testing.T) {
	open := func(kilos int64, unmeasured bool) PackedAmount {
		return PackedAmount{Lot: "l", Amount: amountOfKilos(kilos), Unmeasured: unmeasured}
	}
	for _, c := range []struct {
		open        PackedAmount
		want        int64
		taken, left PackedAmount
		ok          bool
	}{
		{open(5, false), 0, open(5, false), open(0, false), true},
		{open(5, true), 0, open(5, true), open(0, false), true},
		{open(5, false), 3, open(3, false), open(2, false), true},
		{open(5, false), 5, open(5, false), open(0, false), true},
		{open(5, false), 6, open(6, false), open(0, false), false},
		{open(5, true), 6, open(6, false), open(0, true), true},
		{open(0, true), 6, open(6, false), open(0, true), true},
	} {
		taken, left, ok := split(c.open, amountOfKilos(c.want))
		if taken != c.taken || left != c.left || ok != c.ok {
			t.Errorf("%d of %+v: took %+v, left %+v, %t", c.want, c.open, taken, left, ok)
		}
	}
}

// TestRejectedGoodsAreNobodysToUse: who rejects goods neither stocks, ships, packs, uses, counts in nor destroys them by an
// event, whatever else of the lot he has set apart; and each line gives its own goods back.
func TestRejectedGoodsAreNobodysToUse(t *testing.T) {
	q := newQuarrel(t, nil)
	lot := modelLot(0, 1)
	q.produce(nil, kilosOf(lot, 1000)...)
	q.ship(toOrg(1), nil, kilosOf(lot, 10)...)
	q.record("org1", q.event("OBSERVE", "receiving", nil, kilosOf(lot, 10)...))
	q.record("org1", q.event("OBSERVE", "holding", nil, kilosOf(lot, 4)...))
	id := q.dispute("org1", q.ship(toOrg(1), nil, kilosOf(lot, 100)...), kilosLine(Damage, lot, 60), kilosLine(Damage, lot, 40))
	q.has(1, lot, "KGM", Available, "6")
	q.has(1, lot, "KGM", Held, "4")

	q.record("org1", q.event("OBSERVE", "stocking", nil, kilosOf(lot, 104)...)) // what is set apart is his, the rest is not
	q.has(1, lot, "KGM", Available, "10")
	q.has(1, lot, "KGM", Held, "0")
	back := q.event("OBSERVE", "shipping", nil, kilosOf(lot, 11)...)
	back.Disposition, back.Destinations = "returned", []epcis.TypedRef{{Type: "possessing_party", ID: partyOf(0)}}
	away := q.event("OBSERVE", "shipping", nil, kilosOf(lot, 11)...)
	away.Destinations = []epcis.TypedRef{{Type: "possessing_party", ID: partyOf(0)}}
	use := q.m.event(epcis.TransformationEvent, "", "commissioning")
	use.InputQuantities, use.OutputQuantities = kilosOf(lot, 11), kilosOf(modelLot(1, 1), 11)
	box := q.m.event(epcis.AggregationEvent, "ADD", "packing")
	box.ParentID, box.ChildQuantities = modelBox(1, 1), kilosOf(lot, 11)
	for _, e := range []*epcis.Event{back, away, use, box, q.event("DELETE", "destroying", nil, kilosOf(lot, 11)...)} {
		e.EventTime = epcis.NewTimestamp(q.timeMs + 60_000)
		if r := q.one(q.tx("org1", capture(t, Rollback, e))); r.Code != CodeOverdrawn {
			t.Errorf("%s %s: %s", e.Type, e.BizStep, r.Finding)
		}
	}
	q.resolve("org1", id, 0, Returned, CodeNotYourOutcome)
	q.resolve("org0", id, 0, Kept, CodeNotYourOutcome)
	q.resolve("org0", id, 0, Returned, CodeOK)
	q.has(0, lot, "KGM", Available, "950")
	q.resolve("org1", id, 1, Kept, CodeOK)
	q.has(1, lot, "KGM", Available, "50")
	d, err := ReadDispute(q.view, id)
	if err != nil || d.ResolvedMs[0] != q.timeMs-60_000 || d.ResolvedMs[1] != q.timeMs || d.TimeMs >= d.ResolvedMs[0] {
		t.Errorf("%+v at %d, %v", d, q.timeMs, err)
	}
}

// TestNothingIsReceivedOfWhatIsLost: what was in a pallet that got lost is lost with it; it does not arrive at who sent it, either.
func TestNothingIsReceivedOfWhatIsLost(t *testing.T) {
	q := newQuarrel(t, nil)
	box, id := modelBox(0, 1), modelItem(0, 1)
	q.produce([]string{id})
	pack := q.m.event(epcis.AggregationEvent, "ADD", "packing")
	pack.ParentID, pack.ChildEPCs = box, []string{id}
	q.record("org0", pack)
	q.resolve("org0", q.dispute("org1", q.ship(toOrg(1), []string{box}), DisputeLine{Kind: Shortage, ID: box}), 0, Lost, CodeOK)
	for _, who := range []string{"org0", "org1"} {
		for _, name := range []string{id, box} {
			if r := q.one(q.tx(who, capture(t, Rollback, q.event("OBSERVE", "receiving", []string{name})))); r.Code != CodeEndedObject {
				t.Errorf("%s receives %s: %s", who, name, r.Finding)
			}
		}
	}
}
