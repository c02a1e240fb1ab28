package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/trace"
	"waybill/ledger"
)

const (
	shopParty = "urn:epc:id:pgln:9521777.00000"
	pallet    = "urn:epc:id:sscc:9521321.0000000001"
	meal1     = "urn:epc:id:sgtin:9521321.000003.1"
	meal2     = "urn:epc:id:sgtin:9521321.000003.2"
)

// event writes an EPCIS event. The minutes tell when.
func event(kind, action, step string, minute int, more ...string) string {
	e := fmt.Sprintf(`{"type":%q,"eventTime":"2026-05-01T07:%02d:00Z","eventTimeZoneOffset":"+00:00"`, kind, minute)
	if action != "" {
		e += fmt.Sprintf(`,"action":%q`, action)
	}
	if step != "" {
		e += fmt.Sprintf(`,"bizStep":%q`, step)
	}
	for _, m := range more {
		e += "," + m
	}
	return e + "}"
}

func kilos(field string, amount string) string {
	return fmt.Sprintf(`%q:[{"epcClass":%q,"quantity":%s,"uom":"KGM"}]`, field, lot1, amount)
}

func things(field string, ids ...string) string {
	return fmt.Sprintf(`%q:["%s"]`, field, strings.Join(ids, `","`))
}

func toShop() string {
	return fmt.Sprintf(`"destinationList":[{"type":"possessing_party","destination":%q}]`, shopParty)
}

// recorded captures events in a company's name, which the rules must let pass.
func (h *harness) recorded(author string, events ...string) {
	h.tb.Helper()
	tx := h.captureTx(author, ledger.Rollback, events...)
	info := ok[TxInfo](h.tb, h.do("POST", "/v1/transactions?wait=final", string(tx.Raw()), "Content-Type", mediaTransaction), 200)
	if info.Status != TxFinal {
		h.tb.Fatalf("%s: %s", info.Status, info.Receipt.Sentence)
	}
}

// chain is goods in every state there is: 12.5 kg of a lot. Quantities that an event names beside their pallet are the same
// goods.
func (h *harness) chain() {
	h.tb.Helper()
	join := h.tx("hostile", &ledger.RegisterOrganisation{Name: hostile, Parties: []string{shopParty}})
	ok[TxInfo](h.tb, h.do("POST", "/v1/transactions?wait=final", string(join.Raw()), "Content-Type", mediaTransaction), 200)
	h.recorded("farm", bear(lot1))
	h.recorded("farm", event("AggregationEvent", "ADD", "packing", 2, `"parentID":"`+pallet+`"`, `"childEPCs":[]`, kilos("childQuantityList", "2")))
	h.recorded("farm", event("ObjectEvent", "OBSERVE", "shipping", 3, things("epcList", pallet), kilos("quantityList", "6"), toShop()))
	h.recorded("hostile", event("ObjectEvent", "OBSERVE", "receiving", 4, things("epcList", pallet), kilos("quantityList", "5"), `"bizLocation":{"id":"urn:epc:id:sgln:9521777.00001.0"}`))
	h.recorded("farm", event("TransformationEvent", "", "", 5, kilos("inputQuantityList", "5"), things("outputEPCList", meal1, meal2)))
	h.recorded("farm", event("ObjectEvent", "OBSERVE", "shipping", 6, things("epcList", meal1), toShop()))
	h.recorded("hostile", event("ObjectEvent", "OBSERVE", "receiving", 7, things("epcList", meal1)))
	h.recorded("hostile", event("ObjectEvent", "OBSERVE", "retail_selling", 8, things("epcList", meal1), `"disposition":"retail_sold"`))
	h.recorded("hostile", event("ObjectEvent", "OBSERVE", "retail_selling", 9, kilos("quantityList", "1")))
}

// parts are the entries of a scope, each in a line.
func parts(s *ScopeInfo) []string {
	out := []string{}
	for _, e := range s.Entries {
		line := e.Status + " " + e.Item[strings.LastIndex(e.Item, "/")+1:]
		if e.Quantity != "" {
			line += " " + e.Quantity + e.UOM
		}
		if e.Holder != nil {
			line += " " + strings.ToLower(e.Holder.Name[:1])
		}
		if e.To != nil {
			line += ">" + strings.ToLower(e.To.Name[:1])
		}
		if e.Carrier != "" {
			line += " packed"
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

func TestScope(t *testing.T) {
	h := newHarness(t)
	c, ctx := h.client(), t.Context()
	h.chain()
	tip := h.node.Status().Height
	scope, err := c.Scope(ctx, lot1, 0)
	check(t, err)
	want := []string{
		"consumed L1 5KGM s", "in_transit L1 1KGM s><", "on_hand 2 s", "on_hand L1 1.5KGM s", "on_hand L1 2KGM < packed", "on_hand L1 2KGM <", "sold 1 <", "sold L1 1KGM <",
	}
	slices.Sort(want)
	if got := parts(scope); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if scope.Truncated || len(scope.Missing) != 0 || scope.Height != tip || scope.Notice != nil || !slices.Equal(scope.Subjects, []string{trace.Key(lot1)}) {
		t.Errorf("%+v", scope)
	}
	for _, e := range scope.Entries {
		if e.SinceMs == 0 || e.Since == 0 {
			t.Errorf("since when? %+v", e)
		}
		if e.Status == scopeConsumed && !slices.Equal(e.MadeInto, []string{trace.Key(meal1), trace.Key(meal2)}) {
			t.Errorf("made into %v", e.MadeInto)
		}
		if e.Status == scopeInTransit && (e.Shipment.IsZero() || e.To == nil) {
			t.Errorf("%+v", e)
		}
	}
	if len(scope.Holders) != 2 || scope.Holders[0].Answer != "" {
		t.Errorf("holders %+v", scope.Holders)
	}
	var onHand *ScopeAmount
	for i := range scope.Totals {
		if scope.Totals[i].Status == scopeOnHand && scope.Totals[i].UOM == "KGM" {
			onHand = &scope.Totals[i]
		}
	}
	if onHand == nil || onHand.Quantity != "5.5" || onHand.Items != 0 {
		t.Errorf("totals %+v", scope.Totals)
	}

	// What the answer was before the shop received anything is what it is as of then.
	past, err := c.AsOf(4).Scope(ctx, lot1, 0)
	check(t, err)
	if got := parts(past); !slices.Equal(got, []string{"in_transit L1 2KGM s>< packed", "in_transit L1 4KGM s><", "on_hand L1 6.5KGM s"}) {
		t.Errorf("as of block 4: %q", got)
	}
	refused(t, h.get("/v1/scope"), ErrBadRequest)
	refused(t, h.get("/v1/scope?item="+bag2), ErrNotFound)
	refused(t, h.get("/v1/scope?item=(01)1"), ErrIdentifier)
	refused(t, h.get("/v1/scope?nodes=0&item="+lot1), ErrBadRequest)
}

// An index that stays behind is waited for a while; then the answer is of its height, and says so.
func TestScopeOfALaggingIndex(t *testing.T) {
	h := newHarness(t, impatient)
	h.chain()
	tip := h.node.Status().Height
	h.node.setLag(3)
	scope, err := h.client().Scope(t.Context(), lot1, 0)
	check(t, err)
	if scope.Height != tip-3 {
		t.Errorf("of height %d, the tip is %d", scope.Height, tip)
	}
}

// What is in no balance any more is missing; what a receiver states short is disputed; a limit is said aloud.
func TestScopeOfWhatIsNotThere(t *testing.T) {
	h := newHarness(t)
	c, ctx := h.client(), t.Context()
	h.chain()
	key := trace.Key(lot1)
	shipment := crypto.Hash{}
	scope, err := c.Scope(ctx, lot1, 0)
	check(t, err)
	for _, e := range scope.Entries {
		if e.Status == scopeInTransit {
			shipment = e.Shipment
		}
	}
	// The receiver disputes the kilo that is open, and the farm loses a quarter of one.
	h.node.mu.Lock()
	sh, err := ledger.ReadShipment(h.node.state, shipment)
	h.node.mu.Unlock()
	check(t, err)
	sh.Quantities = nil
	h.node.record(map[string]any{
		string(balanceKey(key, farmAddress, "KGM")):           ledger.Balance{Amount: ledger.Amount{Coefficient: 125, Exponent: -2}},
		string(ledger.ShipmentKey(shipment)):                  sh,
		string(ledger.TransitKey(key, "KGM", sh.From, sh.To)): ledger.Transit{},
		string(ledger.DisputeKey(id(1))): ledger.DisputeRecord{ID: id(1), Shipment: shipment, From: farmAddress, To: otherAddress, Height: 1, Open: 1, Outcomes: []ledger.Outcome{0},
			Goods: []ledger.PackedAmount{{Lot: key, Unit: "KGM", Amount: ledger.Amount{Coefficient: 1}}},
			Lines: []ledger.DisputeLine{{Kind: ledger.Shortage, ID: key, Unit: "KGM", Amount: ledger.Amount{Coefficient: 1}}}},
	})
	scope, err = c.Scope(ctx, lot1, 0)
	check(t, err)
	if got := parts(scope); !slices.Contains(got, "disputed L1 1KGM s><") || !slices.Contains(got, "on_hand L1 1.25KGM s") {
		t.Errorf("%q", got)
	}
	if len(scope.Missing) != 1 || scope.Missing[0].Made != "12.5" || scope.Missing[0].Missing != "0.25" || scope.Missing[0].Accounted != "12.25" {
		t.Errorf("missing %+v", scope.Missing)
	}
	cut, err := c.Scope(ctx, lot1, 1)
	check(t, err)
	if !cut.Truncated || len(cut.Reasons) == 0 || !strings.Contains(strings.Join(cut.Reasons, " "), "more than 1 items") {
		t.Errorf("a limit is met in silence: %v %v", cut.Truncated, cut.Reasons)
	}
}

// A lost quarter of a kilo is found by a count, and the sheet adds up.
func TestMassBalance(t *testing.T) {
	h := newHarness(t)
	c, ctx := h.client(), t.Context()
	h.chain()
	h.recorded("farm", event("ObjectEvent", "OBSERVE", "cycle_counting", 10, kilos("quantityList", "1.25")))
	sheet, err := c.MassBalance(ctx, BalanceSheet{Lot: lot1, Party: "Salinas Farm"})
	check(t, err)
	if len(sheet.Lines) != 1 {
		t.Fatalf("%+v", sheet)
	}
	if l := sheet.Lines[0]; l.Produced != "12.5" || l.Consumed != "5" || l.Shipped != "6" || l.Unexplained != "-0.25" || l.Closing != "1.25" || l.UOM != "KGM" {
		t.Errorf("%+v", l)
	}
	before, err := c.AsOf(sheet.Height-1).MassBalance(ctx, BalanceSheet{Class: strings.TrimSuffix(trace.Key(lot1), "/10/L1"), Party: "Salinas Farm", Until: "2026-05-01T07:04:00Z"})
	check(t, err)
	if len(before.Goods) != 2 || len(before.Lines) != 1 || before.Lines[0].Consumed != "0" || before.Lines[0].Unexplained != "0" || before.Height != sheet.Height-1 {
		t.Errorf("%+v", before)
	}
	scope, err := c.Scope(ctx, lot1, 0)
	check(t, err)
	if len(scope.Missing) != 1 || scope.Missing[0].Missing != "0.25" {
		t.Errorf("missing %+v", scope.Missing)
	}
	refused(t, h.get("/v1/massbalance"), ErrBadRequest)
	refused(t, h.get("/v1/massbalance?lot="+lot1+"&from=yesterday"), ErrBadRequest)
	refused(t, h.get("/v1/massbalance?class=(01)1"), ErrIdentifier)
}

func TestRecallScope(t *testing.T) {
	h := newHarness(t)
	c, ctx := h.client(), t.Context()
	h.chain()
	lotNotice, classNotice := notice(1, farmAddress, 10), notice(2, farmAddress, 10)
	lotNotice.Subjects, classNotice.Subjects = []string{trace.Key(lot1)}, []string{trace.Key("urn:epc:idpat:sgtin:9521321.000003.*")}
	unheard := notice(3, farmAddress, 10)
	unheard.Subjects = []string{trace.Key(bag2)}
	h.node.record(map[string]any{
		noticeKey(1): lotNotice, noticeKey(2): classNotice, noticeKey(3): unheard,
		string(ledger.AckKey(id(1), otherAddress)): ledger.Ack{Organisation: otherAddress, Status: ledger.AckStopped, Height: 11},
		string(ledger.AckKey(id(2), farmAddress)):  ledger.Ack{Organisation: farmAddress, Status: ledger.AckDestroyed, Height: 11},
		string(ledger.AckKey(id(2), otherAddress)): ledger.Ack{Organisation: otherAddress, Status: ledger.AckNothing, Height: 11},
		string(ledger.NoticesKey()):                ledger.Notices{Open: 3, Head: 1, Tail: 2},
		string(ledger.FollowingKey(id(1))):         uint64(1), // that it is there counts
	})
	scope, err := c.RecallScope(ctx, id(1), 0)
	check(t, err)
	if scope.Notice == nil || scope.Notice.ID != id(1) || len(scope.Entries) != 8 || !scope.Spreading {
		t.Errorf("%+v", scope)
	}
	answers := map[string]string{}
	for _, holder := range scope.Holders {
		answers[holder.Name] = holder.Answer
	}
	if answers["Salinas Farm"] != "none" || answers[hostile] == "" || answers[hostile] == "none" {
		t.Errorf("answers %v", answers)
	}
	of, err := c.RecallScope(ctx, id(2), 0)
	check(t, err)
	if of.Spreading {
		t.Error("another notice is still on its way, not this one")
	}
	if got := parts(of); !slices.Equal(got, []string{"on_hand 2 s", "sold 1 <"}) {
		t.Errorf("a class is every serial of it: %q", got)
	}
	for _, holder := range of.Holders {
		if holder.StillHas != (holder.Name == "Salinas Farm") || holder.Answer == "none" {
			t.Errorf("%+v", holder)
		}
	}
	for _, holder := range scope.Holders {
		if holder.StillHas {
			t.Errorf("it never said that it has nothing: %+v", holder)
		}
	}
	none, err := c.RecallScope(ctx, id(3), 0)
	check(t, err)
	if len(none.Entries) != 0 || none.Truncated {
		t.Errorf("nothing on record is it: %+v", none)
	}
	refused(t, h.get("/v1/recalls/"+id(9).String()+"/scope"), ErrNotFound)
	refused(t, h.get("/v1/recalls/9/scope"), ErrBadRequest)
	if list, err := c.Shipments(ctx, ShipmentFilter{To: hostile, State: "open"}, Page{}); err != nil || len(list.Shipments) != 1 || len(list.Shipments[0].Quantities) != 1 {
		t.Errorf("under way to the shop: %+v, %v", list, err)
	} else if one, err := c.Shipment(ctx, list.Shipments[0].Event, true); err != nil || one.Height >= quorum.Height(10) || one.At <= one.Height {
		t.Errorf("%+v, %v", one, err)
	}
}

// Blocks that are indexed while a trace is walked are not in it: the answer is of the height that it says.
func TestTraceIsOfOneHeight(t *testing.T) {
	h := newHarness(t)
	h.chain()
	h.node.lag = 4
	h.node.hook = func(_ context.Context, method string) error {
		if method == "EventsOf" {
			h.node.mu.Lock()
			defer h.node.mu.Unlock()
			h.node.lag = 0
		}
		return nil
	}
	tip := h.node.tip().Header.Height
	rec := h.get("/v1/trace/forward?item=" + lot1)
	g := ok[trace.Graph](t, rec, 200)
	if want := fmt.Sprint(tip - 4); rec.Header().Get(headerHeight) != want {
		t.Fatalf("the answer is of block %s, want %s", rec.Header().Get(headerHeight), want)
	}
	if len(g.Events) == 0 {
		t.Fatal("no event is in the answer")
	}
	for _, e := range g.Events {
		if e.Ref.Height > uint64(tip-4) {
			t.Errorf("an event of block %d is in an answer of block %d", e.Ref.Height, tip-4)
		}
	}
}
