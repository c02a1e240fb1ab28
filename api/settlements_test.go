package api

import (
	"slices"
	"testing"

	"waybill/crypto"
	"waybill/epcis"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// What a dispute credits is in the sheet, and what its author held already is not received once more.
func TestMassBalanceAgreesWithTheLedger(t *testing.T) {
	h := newHarness(t)
	c, ctx := h.client(), t.Context()
	h.chain()
	h.recorded("farm", event("ObjectEvent", "OBSERVE", "receiving", 10, kilos("quantityList", "1")))
	scope, err := c.Scope(ctx, lot1, 0)
	check(t, err)
	var shipment crypto.Hash
	for _, e := range scope.Entries {
		if e.Status == scopeInTransit {
			shipment = e.Shipment
		}
	}
	amount := ledger.Amount{Coefficient: 1}
	h.node.record(map[string]any{string(ledger.DisputeKey(id(1))): ledger.DisputeRecord{ID: id(1), Shipment: shipment, From: farmAddress, To: otherAddress, Height: 2,
		Lines: []ledger.DisputeLine{{Kind: ledger.Shortage, ID: trace.Key(lot1), Unit: "KGM", Amount: amount}}, Outcomes: []ledger.Outcome{ledger.Credited},
		Goods: []ledger.PackedAmount{{Lot: trace.Key(lot1), Unit: "KGM", Amount: amount}}, Resolved: make([]crypto.Hash, 1), ResolvedMs: make([]int64, 1)}})
	sheet, err := c.MassBalance(ctx, BalanceSheet{Lot: lot1, Party: "Salinas Farm"})
	check(t, err)
	if len(sheet.Lines) != 1 || sheet.Lines[0].Received != "0" || sheet.Lines[0].Settled != "1" || sheet.Lines[0].Closing != "2.5" {
		t.Errorf("%+v", sheet.Lines)
	}
}

func TestSettled(t *testing.T) {
	amount := ledger.Amount{Coefficient: 4}
	shipping := &epcis.Event{BizLocation: &epcis.Location{ID: "https://id.gs1.org/414/here"}, Destinations: []epcis.TypedRef{
		{Type: "owning_party", ID: "https://id.gs1.org/417/other"}, {Type: "location", ID: "https://id.gs1.org/414/there"}}}
	for _, tc := range []struct {
		kind    ledger.DisputeKind
		outcome ledger.Outcome
		want    []string
	}{
		{ledger.Shortage, 0, nil}, {ledger.Shortage, ledger.Credited, []string{"from lot 4"}}, {ledger.Shortage, ledger.Lost, nil},
		{ledger.Shortage, ledger.Delivered, []string{"to lot 4"}}, {ledger.Shortage, ledger.Withdrawn, nil},
		{ledger.Damage, 0, nil}, {ledger.Damage, ledger.Returned, []string{"from lot 4"}}, {ledger.Damage, ledger.Kept, []string{"to lot 4"}},
		{ledger.Damage, ledger.Destroyed, nil}, {ledger.WrongLot, ledger.Declined, nil},
		{ledger.WrongLot, ledger.Agreed, []string{"from lot 4", "from other -4", "to other 4"}},
		{ledger.Overage, ledger.Agreed, []string{"from lot -4", "to lot 4"}},
	} {
		d := &ledger.DisputeRecord{From: farmAddress, To: otherAddress, Outcomes: []ledger.Outcome{tc.outcome}, ResolvedMs: []int64{77}, TimeMs: 5, Goods: make([]ledger.PackedAmount, 1),
			Lines: []ledger.DisputeLine{{Kind: tc.kind, ID: "lot", Unit: "KGM", Amount: amount}}}
		if tc.kind == ledger.WrongLot {
			d.Lines[0].Found = "other"
		}
		if tc.kind != ledger.Overage {
			d.Goods[0] = ledger.PackedAmount{Lot: "lot", Unit: "KGM", Amount: amount}
		}
		var got []string
		for _, s := range settled(d, shipping) {
			who := "to "
			if s.Account == farmAddress.String() {
				who = "from "
			}
			place := "https://id.gs1.org/414/there"
			if s.Account == farmAddress.String() {
				place = "https://id.gs1.org/414/here"
			}
			if s.TimeMs != 77 || !slices.Equal(s.Places, []string{place}) {
				t.Errorf("%s %s counts from %d on at %q", tc.kind, tc.outcome, s.TimeMs, s.Places)
			}
			got = append(got, who+s.Goods+" "+s.Amount.Amount.String())
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s %s: %q, want %q", tc.kind, tc.outcome, got, tc.want)
		}
	}
}
