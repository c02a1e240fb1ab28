package api

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// record writes state records in a block of their own, as rules would.
func (n *fakeNode) record(records map[string]any) quorum.Height {
	n.tb.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	var writes []ledger.Write
	for key, value := range records {
		if value == nil {
			writes = append(writes, ledger.Write{Key: []byte(key)})
			continue
		}
		data, err := crypto.Marshal(value)
		if err != nil {
			n.tb.Fatal(err)
		}
		writes = append(writes, ledger.Write{Key: []byte(key), Value: data})
	}
	n.extra = writes
	return n.sealLocked()
}

func id(n int) crypto.Hash { return crypto.Hash{byte(n), byte(n >> 8), 1} }

const (
	lotA  = "https://id.gs1.org/01/09521321000018/10/A"
	lotB  = "https://id.gs1.org/01/09521321000018/10/B"
	class = "https://id.gs1.org/01/09521321000018"
)

var (
	farmAddress  = keyOf("farm").Address()
	otherAddress = keyOf("hostile").Address()
)

func notice(n int, issuer crypto.Address, height quorum.Height) ledger.NoticeRecord {
	return ledger.NoticeRecord{ID: id(n), Type: ledger.Recall, Issuer: issuer, Authority: ledger.AsHolder, Subjects: []string{lotA}, Reason: "glass", Height: height, TimeMs: 5}
}

func noticeKey(n int) string { return string(ledger.NoticeKey(id(n))) }

func TestNotices(t *testing.T) {
	h := newHarness(t)
	c, ctx := h.client(), t.Context()
	for n := 1; n <= 5; n++ {
		issuer := farmAddress
		if n == 3 {
			issuer = otherAddress
		}
		rec := notice(n, issuer, quorum.Height(n))
		if n <= 2 {
			rec.Subjects = []string{class, lotA} // ascending, as in the state
		}
		h.node.record(map[string]any{noticeKey(n): rec,
			string(ledger.NoticesKey()): ledger.Notices{Open: uint64(n), Head: uint64(n), Tail: uint64(n)}})
	}
	before := h.node.record(map[string]any{
		string(ledger.NoticesKey()):                        ledger.Notices{Open: 4, Head: 4, Tail: 5}, // the last has things to follow
		"turn/\x00\x00\x00\x00\x00\x00\x00\x04":            id(5),
		string(ledger.HoldKey(lotA)):                       ledger.Hold{Notices: []crypto.Hash{id(1), id(4)}},
		string(ledger.HoldKey(class)):                      ledger.Hold{Notices: []crypto.Hash{id(1), id(2)}},
		string(ledger.AckKey(id(4), farmAddress)):          ledger.Ack{Organisation: farmAddress, Status: ledger.AckStopped, Note: "in the cage", Height: 6},
		string(ledger.AckKey(id(2), otherAddress)):         ledger.Ack{Organisation: otherAddress, Status: ledger.AckNothing, Height: 6},
		string(ledger.AckKey(crypto.Hash{9}, farmAddress)): ledger.Ack{Status: ledger.AckReceived},
	})
	released := notice(4, farmAddress, 4)
	released.Released, released.ReleasedAt = id(40), 7
	h.node.record(map[string]any{noticeKey(4): released})

	numbers := func(f NoticeFilter, as *Client) (out []int) {
		t.Helper()
		for page := (Page{Limit: 2}); ; {
			list, err := as.Notices(ctx, f, page)
			check(t, err)
			for _, n := range list.Notices {
				out = append(out, int(n.ID[0]))
			}
			if list.Next == "" {
				return out
			}
			page.After = list.Next
		}
	}
	for _, tc := range []struct {
		filter NoticeFilter
		want   []int
	}{
		{NoticeFilter{}, []int{5, 4, 3, 2, 1}}, {NoticeFilter{State: "open"}, []int{5, 3, 2, 1}}, {NoticeFilter{State: "released"}, []int{4}},
		{NoticeFilter{Issuer: hostile}, []int{3}}, {NoticeFilter{Issuer: farmAddress.String(), State: "open"}, []int{5, 2, 1}},
		{NoticeFilter{Subject: lotA}, []int{4, 2, 1}}, {NoticeFilter{Subject: lotA, State: "open"}, []int{2, 1}}, {NoticeFilter{Subject: lotB}, []int{2, 1}},
		{NoticeFilter{Issuer: keyOf("poor").Address().String()}, nil},
	} {
		if got := numbers(tc.filter, c); !slices.Equal(got, tc.want) {
			t.Errorf("%+v: %v, want %v", tc.filter, got, tc.want)
		}
	}
	past := c.AsOf(before)
	if got := numbers(NoticeFilter{State: "open"}, past); !slices.Equal(got, []int{5, 4, 3, 2, 1}) {
		t.Errorf("open before the release: %v", got)
	}
	if got := numbers(NoticeFilter{}, c.AsOf(2)); !slices.Equal(got, []int{2, 1}) {
		t.Errorf("as of block 2: %v", got)
	}

	four, err := c.Notice(ctx, id(4), true)
	check(t, err)
	if four.State != "released" || four.Released != id(40) || len(four.Acks) != 1 || four.Acks[0].Organisation.Name != "Salinas Farm" || four.Acks[0].Note != "in the cage" || four.Height != 7 {
		t.Errorf("%+v", four)
	}
	list, err := past.Notices(ctx, NoticeFilter{}, Page{})
	check(t, err)
	if !list.Spreading || list.Height != before {
		t.Errorf("as of block %d: %+v", before, list)
	}
	was, err := past.Notice(ctx, id(4), false)
	check(t, err)
	if was.State != "open" || was.Height != before || was.Proof != nil {
		t.Errorf("%+v", was)
	}
	refused(t, h.get("/v1/notices/"+id(77).String()), ErrNotFound)
	refused(t, h.get("/v1/notices/77"), ErrBadRequest)
	refused(t, h.get("/v1/notices?state=shut"), ErrBadRequest)
	refused(t, h.get("/v1/notices?issuer=nobody"), ErrNotFound)
	refused(t, h.get("/v1/notices?subject=(01)1"), ErrIdentifier)
	refused(t, h.get("/v1/notices?after=%21"), ErrBadRequest)
}

// A proof of a record is checked as a light client would, at the tip and in the past.
func TestProofsOfRecords(t *testing.T) {
	h := newHarness(t)
	c, ctx := h.client(), t.Context()
	h.node.record(map[string]any{noticeKey(1): notice(1, farmAddress, 1)})
	for range 4 {
		h.node.seal()
	}
	key := ledger.NoticeKey(id(1))
	now, err := c.Notice(ctx, id(1), true)
	check(t, err)
	past, err := c.AsOf(2).Notice(ctx, id(1), true)
	check(t, err)
	for _, info := range []*ProofInfo{now.Proof, past.Proof} {
		proof, err := info.State()
		check(t, err)
		if err := proof.Check(h.node.domain, key); err != nil || proof.Value == nil {
			t.Error(err)
		}
	}
	if now.Proof.StateHeight != 4 || past.Proof.StateHeight != 2 {
		t.Errorf("proofs at %d and %d", now.Proof.StateHeight, past.Proof.StateHeight)
	}
	if _, err := c.ProveStateAt(ctx, key, 5); !errors.Is(err, ErrNotFound) {
		t.Errorf("a state that no header commits to yet: %v", err)
	}
}

func TestAsOf(t *testing.T) {
	h := newHarness(t)
	c, ctx := h.client(), t.Context()
	h.captured()
	tip := h.node.seal()
	tx := h.tx("farm", transfer())
	if _, err := c.SubmitFinal(ctx, tx.Raw()); err != nil {
		t.Fatal(err)
	}
	now, err := c.Account(ctx, farmAddress)
	check(t, err)
	then, err := c.AsOf(tip).Account(ctx, farmAddress)
	check(t, err)
	if then.Height != tip || now.Height != tip+1 || then.Balance <= now.Balance {
		t.Errorf("then %+v, now %+v", then, now)
	}
	item, err := c.Item(ctx, bag1, ItemOptions{})
	check(t, err)
	if item.Height != tip+1 || len(item.History) != 1 {
		t.Errorf("%+v", item)
	}
	for _, target := range []string{
		"/v1/items?id=" + bag1, "/v1/accounts/" + farmAddress.String(), "/v1/organisations", "/v1/organisations/" + farmAddress.String(), "/v1/prefixes/" + farmPrefix,
		"/v1/validators", "/v1/notices", "/v1/disputes", "/v1/shipments?to=" + farmAddress.String(), "/v1/balances?party=" + farmAddress.String(), "/v1/attestations",
		"/v1/anchors", "/v1/yields?party=" + farmAddress.String(), "/v1/attachments?parent=" + pallet1, "/v1/proposals", "/v1/params", "/v1/scope?item=" + bag1, "/v1/massbalance?lot=" + lot1, "/v1/proofs/state?key=aa",
	} {
		u, err := url.Parse(target)
		check(t, err)
		with := func(height string) string {
			q := u.Query()
			q.Set("height", height)
			return u.Path + "?" + q.Encode()
		}
		p := refused(t, h.get(with("0")), ErrPruned)
		if p.Status != 410 || p.OldestHeight == nil || *p.OldestHeight != oldest {
			t.Errorf("%s: %+v", target, p)
		}
		if !strings.HasPrefix(target, "/v1/scope") && !strings.HasPrefix(target, "/v1/mass") { // which waits for its index
			refused(t, h.get(with(fmt.Sprint(tip+5))), ErrNotFound)
		}
		refused(t, h.get(with("-1")), ErrBadRequest)
		if target != "/v1/proofs/state?key=aa" {
			h.mustHaveHeight(with(fmt.Sprint(tip)), tip)
		}
	}
	if _, err := c.AsOf(0).Validators(ctx); !errors.Is(err, ErrPruned) {
		t.Errorf("the client says %v", err)
	}
	refused(t, h.get("/v1/status?height=1"), ErrBadRequest)
}

// mustHaveHeight checks that an answer says which height it is of.
func (h *harness) mustHaveHeight(target string, height quorum.Height) {
	h.tb.Helper()
	out := ok[struct{ Height, AsOf quorum.Height }](h.tb, h.get(target), 200)
	if max(out.Height, out.AsOf) != height {
		h.tb.Errorf("%s: of height %d, want %d", target, out.Height, height)
	}
}

func TestDisputesAndShipments(t *testing.T) {
	h := newHarness(t)
	c, ctx := h.client(), t.Context()
	amount := ledger.Amount{Coefficient: 25, Exponent: -1}
	ship := ledger.Shipment{Event: id(50), From: farmAddress, To: otherAddress, Height: 1, OpenItems: 2, Quantities: []ledger.PackedAmount{{Lot: lotA, Unit: "KGM", Amount: amount}}}
	strange := ledger.Shipment{Event: id(51), From: farmAddress, Party: trace.Key("urn:epc:id:pgln:9521009.00000"), Height: 2, OpenItems: 1}
	h.node.record(map[string]any{string(ledger.ShipmentKey(id(50))): &ship, string(ledger.ShipmentKey(id(51))): &strange})
	open := ledger.DisputeRecord{ID: id(1), Shipment: id(50), From: farmAddress, To: otherAddress, Height: 2, Open: 1, Note: "wet", Goods: []ledger.PackedAmount{{Lot: lotA, Unit: "KGM", Amount: amount}, {}}, Resolved: make([]crypto.Hash, 2),
		Lines: []ledger.DisputeLine{{Kind: ledger.Shortage, ID: lotA, Unit: "KGM", Amount: amount}, {Kind: ledger.Damage, ID: bag1}}, Outcomes: []ledger.Outcome{0, ledger.Kept}}
	h.node.record(map[string]any{string(ledger.DisputeKey(id(1))): open})
	over := open
	over.ID, over.Open, over.Outcomes = id(2), 0, []ledger.Outcome{ledger.Lost, ledger.Kept}
	closed := ship
	closed.OpenItems, closed.Quantities, closed.State = 0, nil, ledger.ShipmentClosed
	before := h.node.seal()
	h.node.record(map[string]any{string(ledger.DisputeKey(id(2))): over, string(ledger.ShipmentKey(id(50))): &closed})

	for _, tc := range []struct {
		filter DisputeFilter
		want   int
	}{
		{DisputeFilter{}, 2}, {DisputeFilter{State: "open"}, 1}, {DisputeFilter{State: "resolved"}, 1}, {DisputeFilter{Party: hostile}, 2}, {DisputeFilter{Party: "Salinas Farm", State: "open"}, 1},
		{DisputeFilter{Shipment: id(50).String()}, 2}, {DisputeFilter{Shipment: id(51).String()}, 0}, {DisputeFilter{Party: keyOf("poor").Address().String()}, 0},
	} {
		list, err := c.Disputes(ctx, tc.filter, Page{})
		check(t, err)
		if len(list.Disputes) != tc.want {
			t.Errorf("%+v: %d disputes, want %d", tc.filter, len(list.Disputes), tc.want)
		}
	}
	one, err := c.Dispute(ctx, id(1), true)
	check(t, err)
	if one.State != "open" || len(one.Lines) != 2 || one.Lines[0].Quantity != "2.5" || one.Lines[0].Outcome != "open" || one.Lines[1].Outcome == "open" || one.Proof == nil {
		t.Errorf("%+v", one)
	}
	refused(t, h.get("/v1/disputes/"+id(9).String()), ErrNotFound)
	refused(t, h.get("/v1/disputes?shipment=9"), ErrBadRequest)

	for _, tc := range []struct {
		filter ShipmentFilter
		as     *Client
		want   int
	}{
		{ShipmentFilter{To: hostile}, c, 1}, {ShipmentFilter{To: hostile, State: "open"}, c, 0}, {ShipmentFilter{To: hostile, State: "open"}, c.AsOf(before), 1},
		{ShipmentFilter{From: "Salinas Farm"}, c, 2}, {ShipmentFilter{From: "Salinas Farm", State: "open"}, c, 1}, {ShipmentFilter{From: "Salinas Farm", To: hostile}, c, 1},
		{ShipmentFilter{To: "urn:epc:id:pgln:9521009.00000", State: "open"}, c, 1}, {ShipmentFilter{To: "Salinas Farm"}, c, 0},
	} {
		list, err := tc.as.Shipments(ctx, tc.filter, Page{})
		check(t, err)
		if len(list.Shipments) != tc.want {
			t.Errorf("%+v: %d shipments, want %d", tc.filter, len(list.Shipments), tc.want)
		}
	}
	was, err := c.AsOf(before).Shipment(ctx, id(50), false)
	check(t, err)
	if was.State != "open" || was.OpenItems != 2 || len(was.Quantities) != 1 || was.Quantities[0].Quantity != "2.5" || len(was.Disputes) != 1 || was.At != before || !was.Truncated {
		t.Errorf("%+v", was)
	}
	refused(t, h.get("/v1/shipments"), ErrBadRequest)
	refused(t, h.get("/v1/shipments?to=nobody"), ErrNotFound)
	refused(t, h.get("/v1/shipments/"+id(9).String()), ErrNotFound)
}

func TestBalances(t *testing.T) {
	h := newHarness(t)
	c, ctx := h.client(), t.Context()
	records := map[string]any{}
	for n := range 7 {
		lot := fmt.Sprintf("%s/10/L%d", class, n)
		records[string(balanceKey(lot, farmAddress, "KGM"))] = ledger.Balance{Amount: ledger.Amount{Coefficient: int64(n)}} // of the first there is nothing
	}
	records[string(balanceKey(class, otherAddress, ""))] = ledger.Balance{Unmeasured: true}
	records[string(balanceKey(class+"9/10/X", otherAddress, ""))] = ledger.Balance{Amount: ledger.Amount{Coefficient: 9}} // of another class
	records[string(balanceKey(class+"/10/L1", otherAddress, "KGM"))] = ledger.Balance{Amount: ledger.Amount{Coefficient: 3, Exponent: -1}}
	h.node.record(records)
	before := h.node.seal()
	h.node.record(map[string]any{string(balanceKey(class+"/10/L1", otherAddress, "KGM")): ledger.Balance{}})

	for _, tc := range []struct {
		filter BalanceFilter
		as     *Client
		want   int
	}{
		{BalanceFilter{Party: "Salinas Farm"}, c, 6}, {BalanceFilter{Party: hostile}, c, 2}, {BalanceFilter{Party: hostile}, c.AsOf(before), 3},
		{BalanceFilter{Lot: class + "/10/L1"}, c, 1}, {BalanceFilter{Lot: class + "/10/L1"}, c.AsOf(before), 2}, {BalanceFilter{Lot: "(01)09521321000018(10)L1", Party: hostile}, c.AsOf(before), 1},
		{BalanceFilter{Class: class}, c, 7}, {BalanceFilter{Class: class, Party: hostile}, c, 1}, {BalanceFilter{Lot: class}, c, 1},
	} {
		var got []BalanceEntry
		for page := (Page{Limit: 2}); ; {
			list, err := tc.as.Balances(ctx, tc.filter, page)
			check(t, err)
			if len(list.Balances) > 2 {
				t.Fatalf("a page of %d", len(list.Balances))
			}
			got = append(got, list.Balances...)
			if page.After = list.Next; list.Next == "" {
				break
			}
		}
		if len(got) != tc.want {
			t.Errorf("%+v: %d balances, want %d: %+v", tc.filter, len(got), tc.want, got)
		}
	}
	list, err := c.AsOf(before).Balances(ctx, BalanceFilter{Lot: class + "/10/L1", Party: hostile}, Page{})
	check(t, err)
	if b := list.Balances[0]; b.Quantity != "0.3" || b.UOM != "KGM" || b.Status != "available" || b.Custodian.Name != hostile {
		t.Errorf("%+v", b)
	}
	refused(t, h.get("/v1/balances"), ErrBadRequest)
	refused(t, h.get("/v1/balances?lot="+lotA+"&class="+class), ErrBadRequest)
	refused(t, h.get("/v1/balances?class="+class+"&after=AAAA"), ErrBadRequest)
}

func TestClaimsAndVotes(t *testing.T) {
	h := newHarness(t)
	c, ctx := h.client(), t.Context()
	at := ledger.Attestation{ID: "https://cert.example/org?1", Issuer: otherAddress, Subject: farmAddress, Claim: "organic", Model: ledger.MassBalance, FromMs: 1, UntilMs: 1 << 60, Height: 1}
	document := crypto.Hash{7}
	h.node.record(map[string]any{
		string(ledger.AttestationKey(at.ID)):             at,
		string(ledger.AnchorKey(document)):               ledger.AnchorRecord{Document: document, Author: farmAddress, About: class, Media: "text/plain", Tx: id(3), Height: 1, TimeMs: 9},
		string(ledger.YieldKey(farmAddress, class)):      ledger.YieldRecord{MostPpm: 900_000, Height: 1},
		string(ledger.YieldKey(farmAddress, class[:20])): ledger.YieldRecord{}, // ended
		string(ledger.ProposalKey(id(8))):                ledger.Proposal{ID: id(8), Author: farmAddress, Title: "dearer", Height: 1, Action: ledger.Action{Kind: ledger.ActParams, Params: []ledger.ParamChange{{Name: "feePerKiB", Value: "20"}}}, Votes: []ledger.Ballot{{Operator: farmAddress, Yes: true}}},
		string(ledger.ProposalKey(id(9))):                ledger.Proposal{ID: id(9), Author: farmAddress, Height: 1, Action: ledger.Action{Kind: ledger.ActOffice, Office: ledger.OfficeRegulator, Account: otherAddress, Grant: true}, State: ledger.ProposalPassed, Decided: 2, Yes: 5, Total: 5},
		string(ledger.RegulatorKey(otherAddress)):        true,
	})
	list, err := c.Attestations(ctx, hostile, "", Page{})
	check(t, err)
	held, err := c.Attestations(ctx, "", "Salinas Farm", Page{})
	check(t, err)
	none, err := c.Attestations(ctx, "Salinas Farm", "", Page{})
	check(t, err)
	if len(list.Attestations) != 1 || len(held.Attestations) != 1 || len(none.Attestations) != 0 || list.Attestations[0].State != "in_force" {
		t.Errorf("%+v %+v %+v", list, held, none)
	}
	one, err := c.Attestation(ctx, at.ID, true)
	check(t, err)
	if one.Claim != "organic" || one.Subject.Name != "Salinas Farm" || one.Proof == nil {
		t.Errorf("%+v", one)
	}
	if _, err := c.Attestation(ctx, "https://cert.example/", false); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
	for _, about := range []string{"", "(01)09521321000018"} {
		anchors, err := c.Anchors(ctx, "Salinas Farm", about, Page{})
		check(t, err)
		if len(anchors.Anchors) != 1 || anchors.Anchors[0].Tx != id(3) {
			t.Errorf("about %q: %+v", about, anchors)
		}
	}
	anchor, err := c.Anchor(ctx, document, true)
	check(t, err)
	if anchor.Media != "text/plain" || anchor.Proof == nil {
		t.Errorf("%+v", anchor)
	}
	refused(t, h.get("/v1/anchors/"+id(1).String()), ErrNotFound)
	yields, err := c.Yields(ctx, "Salinas Farm", Page{})
	check(t, err)
	if len(yields.Yields) != 1 || yields.Yields[0].MostPpm != 900_000 || yields.Yields[0].Class != class {
		t.Errorf("%+v", yields)
	}
	refused(t, h.get("/v1/yields"), ErrBadRequest)
	declared := yields.Height
	h.node.record(map[string]any{string(ledger.YieldKey(farmAddress, class)): nil}) // ended
	yields, err = c.Yields(ctx, "Salinas Farm", Page{})
	check(t, err)
	then, err := c.AsOf(declared).Yields(ctx, "Salinas Farm", Page{})
	check(t, err)
	if len(yields.Yields) != 0 || len(then.Yields) != 1 || then.Yields[0].MostPpm != 900_000 || then.Height != declared {
		t.Errorf("now %+v, then %+v", yields, then)
	}

	proposals, err := c.Proposals(ctx, "", Page{})
	check(t, err)
	open, err := c.Proposals(ctx, "open", Page{})
	check(t, err)
	if len(proposals.Proposals) != 2 || len(open.Proposals) != 1 || open.Proposals[0].Yes != 10_000 || open.Proposals[0].Total != 10_000 || open.Proposals[0].Action.Params[0].Value != "20" {
		t.Errorf("%+v, open %+v", proposals, open)
	}
	decided, err := c.Proposal(ctx, id(9), true)
	check(t, err)
	if decided.State != "passed" || decided.Yes != 5 || decided.Action.Grant == nil || !*decided.Action.Grant || decided.Proof == nil {
		t.Errorf("%+v", decided)
	}
	refused(t, h.get("/v1/proposals/"+id(1).String()), ErrNotFound)
	rules, err := c.Params(ctx, true)
	check(t, err)
	if rules.Params != h.node.genesis.Params || len(rules.Registrars) != 1 || len(rules.Regulators) != 1 || rules.Regulators[0].Name != hostile || rules.Proof == nil {
		t.Errorf("%+v", rules)
	}
}

func balanceKey(lot string, a crypto.Address, unit string) []byte {
	return ledger.BalanceKey(lot, a, unit, ledger.Available)
}

// ruled records one of everything that the rules keep.
func (h *harness) ruled() {
	full := notice(1, farmAddress, 1)
	full.Subjects, full.Accepts, full.Document, full.Instructions = []string{trace.Key(lot1)}, []crypto.Address{otherAddress}, id(6), "burn it"
	h.node.record(map[string]any{
		noticeKey(1): full, string(ledger.NoticesKey()): ledger.Notices{Open: 1, Head: 1, Tail: 1},
		string(ledger.AckKey(id(1), otherAddress)): ledger.Ack{Organisation: otherAddress, Status: ledger.AckStopped, Note: "x", Height: 2},
		string(ledger.ShipmentKey(id(50))):         &ledger.Shipment{Event: id(50), From: farmAddress, To: otherAddress, Owner: otherAddress, Height: 1, OpenItems: 2},
		string(ledger.DisputeKey(id(1))): ledger.DisputeRecord{ID: id(1), Shipment: id(50), From: farmAddress, To: otherAddress, Height: 1, Open: 1, Outcomes: []ledger.Outcome{0}, Goods: make([]ledger.PackedAmount, 1), Resolved: []crypto.Hash{id(4)},
			Lines: []ledger.DisputeLine{{Kind: ledger.Damage, ID: bag1, Found: bag2, Note: "x"}}, Document: id(6)},
		string(ledger.AttestationKey("urn:x:1")):    ledger.Attestation{ID: "urn:x:1", Issuer: otherAddress, Subject: farmAddress, Scope: class, RevokedMs: 4, Height: 1, Document: id(6)},
		string(ledger.AnchorKey(id(7))):             ledger.AnchorRecord{Document: id(7), Author: farmAddress, About: class, Tx: id(3), Height: 1},
		string(ledger.YieldKey(farmAddress, class)): ledger.YieldRecord{MostPpm: 1, Note: "x", Height: 1},
		string(ledger.ProposalKey(id(8))): ledger.Proposal{ID: id(8), Author: farmAddress, Title: "x", Text: "y", Height: 1, Decided: 2, State: ledger.ProposalPassed,
			Action: ledger.Action{Kind: ledger.ActOffice, Office: ledger.OfficeRegistrar, Account: otherAddress, Grant: true}, Votes: []ledger.Ballot{{Operator: farmAddress}}},
	})
}
