package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"waybill/crypto"
	"waybill/epcis"
)

func TestNoticeTexts(t *testing.T) {
	for want, typ := range map[string]NoticeType{"recall": Recall, "withdrawal": Withdrawal, "quarantine": Quarantine, "alert": Alert} {
		var again NoticeType
		if text, err := typ.MarshalText(); err != nil || string(text) != want || again.UnmarshalText(text) != nil || again != typ {
			t.Errorf("%d is %s, read %d", typ, text, again)
		}
	}
	for want, s := range map[string]AckStatus{"received": AckReceived, "stopped": AckStopped, "returned": AckReturned, "destroyed": AckDestroyed, "nothing": AckNothing} {
		var again AckStatus
		if text, err := s.MarshalText(); err != nil || string(text) != want || again.UnmarshalText(text) != nil || again != s {
			t.Errorf("%d is %s, read %d", s, text, again)
		}
	}
	for want, a := range map[string]Authority{"holder": AsHolder, "regulator": AsRegulator, "origin": AsOrigin} {
		var again Authority
		if text, err := a.MarshalText(); err != nil || string(text) != want || again.UnmarshalText(text) != nil || again != a {
			t.Errorf("%d is %s, read %d", a, text, again)
		}
	}
	var n NoticeType
	for _, text := range []string{"", "Recall", "notice type 0", "recalls"} {
		if err := n.UnmarshalText([]byte(text)); !errors.Is(err, ErrPayload) {
			t.Errorf("%q was read: %v", text, err)
		}
	}
	if got := NoticeType(0).String() + ", " + AckStatus(9).String() + ", " + Authority(4).String(); got != "notice type 0, status of an acknowledgement 9, authority 4" {
		t.Error(got)
	}
}

// TestNoticePayloads is one valid notice and a table of changes to it; nil is a change that is still valid.
func TestNoticePayloads(t *testing.T) {
	serials := func(n int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = fmt.Sprintf("urn:epc:id:sgtin:9521321.000001.%d", i)
		}
		return out
	}
	addresses := func(n int) []crypto.Address {
		out := make([]crypto.Address, n)
		for i := range out {
			out[i] = crypto.Address{1, byte(i)}
		}
		return out
	}
	for _, c := range []struct {
		name   string
		change func(*Notice)
		fine   bool
	}{
		{"as it is", func(*Notice) {}, true},
		{"no type", func(n *Notice) { n.Type = 0 }, false},
		{"type 5", func(n *Notice) { n.Type = 5 }, false},
		{"no subject", func(n *Notice) { n.Subjects = nil }, false},
		{"empty subject", func(n *Notice) { n.Subjects = []string{""} }, false},
		{"as many subjects as may be", func(n *Notice) { n.Subjects = serials(maxSubjects) }, true},
		{"one subject more", func(n *Notice) { n.Subjects = serials(maxSubjects + 1) }, false},
		{"subject that is no identifier", func(n *Notice) { n.Subjects = []string{"lettuce"} }, false},
		{"subject with a wrong check digit", func(n *Notice) { n.Subjects = []string{"https://id.gs1.org/01/09521321000012"} }, false},
		{"subject of another kind of URI", func(n *Notice) { n.Subjects = []string{"urn:example:lot:1"} }, true},
		{"subject twice", func(n *Notice) { n.Subjects = append(n.Subjects, n.Subjects[0]) }, false},
		{"subject twice in two spellings", func(n *Notice) {
			n.Subjects = []string{"urn:epc:class:lgtin:9521321.000001.L1", "https://example.org/01/09521321000018/10/L1"}
		}, false},
		{"long subject", func(n *Notice) { n.Subjects = []string{"urn:example:" + strings.Repeat("x", maxIDBytes)} }, false},
		{"a place", func(n *Notice) { n.Subjects = []string{"urn:epc:id:sgln:9521321.00000.0"} }, false},
		{"a party", func(n *Notice) { n.Subjects = []string{partyOf(1)} }, false},
		{"a pallet", func(n *Notice) { n.Subjects = []string{modelBox(1, 1)} }, true},
		{"no reason", func(n *Notice) { n.Reason = "" }, false},
		{"as long a reason as may be", func(n *Notice) { n.Reason = strings.Repeat("x", maxReasonBytes) }, true},
		{"a longer reason", func(n *Notice) { n.Reason = strings.Repeat("x", maxReasonBytes+1) }, false},
		{"reason that is no UTF-8", func(n *Notice) { n.Reason = "\xff" }, false},
		{"reason that reverses", func(n *Notice) { n.Reason = "a\u202eb" }, false},
		{"reason with a bell", func(n *Notice) { n.Reason = "a\a" }, false},
		{"lines and letters of the world", func(n *Notice) { n.Instructions = "Zurück\n\tبه فروشنده\n" }, true},
		{"as long instructions as may be", func(n *Notice) { n.Instructions = strings.Repeat("x", maxInstructions) }, true},
		{"longer instructions", func(n *Notice) { n.Instructions = strings.Repeat("x", maxInstructions+1) }, false},
		{"as many who accept as may be", func(n *Notice) { n.Accepts = addresses(maxAccepts) }, true},
		{"one more who accepts", func(n *Notice) { n.Accepts = addresses(maxAccepts + 1) }, false},
		{"nobody accepts", func(n *Notice) { n.Accepts = []crypto.Address{{}} }, false},
		{"somebody accepts twice", func(n *Notice) { n.Accepts = []crypto.Address{{1}, {1}} }, false},
	} {
		n := &Notice{Type: Recall, Subjects: []string{"urn:epc:class:lgtin:9521321.000001.L1"}, Reason: "Glass"}
		c.change(n)
		if err := n.check(); (err == nil) != c.fine || (err != nil && !errors.Is(err, ErrPayload)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, c := range []struct {
		name string
		p    Payload
		fine bool
	}{
		{"answer", &AcknowledgeNotice{Notice: crypto.Hash{1}, Status: AckNothing, Note: strings.Repeat("x", maxReasonBytes)}, true},
		{"answer to nothing", &AcknowledgeNotice{Status: AckNothing}, false},
		{"answer without status", &AcknowledgeNotice{Notice: crypto.Hash{1}}, false},
		{"answer with status 6", &AcknowledgeNotice{Notice: crypto.Hash{1}, Status: 6}, false},
		{"long answer", &AcknowledgeNotice{Notice: crypto.Hash{1}, Status: 1, Note: strings.Repeat("x", maxReasonBytes+1)}, false},
		{"release", &ReleaseNotice{Notice: crypto.Hash{1}}, true},
		{"release of nothing", &ReleaseNotice{}, false},
		{"release with a long reason", &ReleaseNotice{Notice: crypto.Hash{1}, Reason: strings.Repeat("x", maxReasonBytes+1)}, false},
	} {
		if err := c.p.check(); (err == nil) != c.fine || (err != nil && !errors.Is(err, ErrPayload)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// recallNet is a strict network: Brand and Maker with prefixes 9521321 and 9521322, Shop with 9521323, and two regulators.
func recallNet(t testing.TB, change func(*Params)) *testNet {
	t.Helper()
	p := DefaultParams()
	p.FeePerTransaction, p.FeePerKiB = 0, 0
	if change != nil {
		change(&p)
	}
	g := testGenesis(p, "Brand", "Maker", "Shop", "Agency", "State", "Stranger")
	for i, name := range []string{"Brand", "Maker", "Shop"} {
		g.Organisations = append(g.Organisations, GenesisOrganisation{Address: keyOf(name).Address(), Name: name, Prefixes: []string{fmt.Sprint("952132", i+1)}})
	}
	g.Regulators = []crypto.Address{keyOf("Agency").Address(), keyOf("State").Address()}
	return newNet(t, g)
}

func (n *testNet) at(typ epcis.EventType, action epcis.Action, step string) *epcis.Event {
	n.salt++
	return &epcis.Event{
		Type: typ, Action: action, BizStep: step, EventID: fmt.Sprintf("urn:uuid:at-%d-%d", n.height, n.salt),
		EventTime: epcis.NewTimestamp(n.timeMs + 60_000), TimeZoneOffset: "+00:00",
	}
}

// does executes events, each in a block of its own, and returns the last receipt.
func (n *testNet) does(who string, events ...*epcis.Event) Receipt {
	n.t.Helper()
	var r Receipt
	for _, e := range events {
		r = n.one(n.tx(who, capture(n.t, Rollback, e)))
	}
	return r
}

func (n *testNet) adds(who string, things []string, quantities ...epcis.Quantity) {
	n.t.Helper()
	e := n.at(epcis.ObjectEvent, "ADD", "commissioning")
	e.EPCs, e.Quantities = things, quantities
	if r := n.does(who, e); !r.OK() {
		n.t.Fatalf("%s", r.Finding)
	}
}

func (n *testNet) ships(who string, org int, things []string, quantities ...epcis.Quantity) Receipt {
	n.t.Helper()
	e := n.at(epcis.ObjectEvent, "OBSERVE", "shipping")
	e.EPCs, e.Quantities, e.Destinations = things, quantities, []epcis.TypedRef{{Type: "possessing_party", ID: partyOf(org)}}
	return n.does(who, e)
}

// makes is a transformation of one lot into another.
func (n *testNet) makes(who, in, out, id string) Receipt {
	n.t.Helper()
	e := n.at(epcis.TransformationEvent, "", "commissioning")
	e.TransformationID = id
	if in != "" {
		e.InputQuantities = kilosOf(in, 1)
	}
	if out != "" {
		e.OutputQuantities = kilosOf(out, 100)
	}
	return n.does(who, e)
}

// gives gives a notice and returns its id.
func (n *testNet) gives(who string, typ NoticeType, subjects ...string) (crypto.Hash, Receipt) {
	n.t.Helper()
	tx := n.tx(who, &Notice{Type: typ, Subjects: subjects, Reason: "found"})
	return tx.ID(), n.one(tx)
}

func wantCode(t testing.TB, what string, r Receipt, want Code) {
	t.Helper()
	if r.Code != want {
		t.Errorf("%s: %s, want %s", what, r.Finding, want)
	}
}

func TestWhoGivesNotices(t *testing.T) {
	n := recallNet(t, nil)
	lot, class := modelLot(1, 1), "https://id.gs1.org/01/09521321000018"
	ask := func(what, who string, want Code, as Authority, subjects ...string) {
		t.Helper()
		id, r := n.gives(who, Alert, subjects...)
		wantCode(t, what, r, want)
		rec, err := ReadNotice(n.view, id)
		if err != nil || (rec == nil) != (want != CodeOK) || (rec != nil && rec.Authority != as) {
			t.Errorf("%s: %+v, %v", what, rec, err)
		}
	}
	ask("its own, on the ledger or not", "Brand", CodeOK, AsHolder, lot, modelItem(1, 7), class)
	ask("another's", "Maker", CodeNoNoticeRight, 0, lot)
	ask("another's among its own", "Brand", CodeNoNoticeRight, 0, lot, modelLot(2, 1))
	ask("nobody's prefix", "Brand", CodeNotOrigin, 0, "urn:epc:class:lgtin:9599999.000001.L1")
	ask("a regulator", "Agency", CodeOK, AsRegulator, lot, modelLot(2, 1), "urn:example:lot:1", "urn:epc:class:lgtin:9599999.000001.L1")
	ask("no organisation", "Stranger", CodeNoOrganisation, 0, lot)

	n.must(n.tx("Brand", &Delegate{To: keyOf("Maker").Address(), Scope: class, UntilMs: n.timeMs + 3_600_000}))
	ask("a delegate for the class", "Maker", CodeOK, AsHolder, lot, class, modelItem(1, 3))
	ask("a delegate beyond its scope", "Maker", CodeNoNoticeRight, 0, "https://id.gs1.org/01/09521321000025")
	n.timeMs += 3_600_000
	ask("a delegate whose time is over", "Maker", CodeDelegationExpired, 0, lot)

	n.must(n.tx("registrar", &AdmitOrganisation{Organisation: keyOf("Brand").Address(), Admitted: false}))
	ask("expelled", "Brand", CodeNotAdmitted, 0, lot)
}

// TestWhoBroughtItIn: under nobody's prefix whoever saw a lot first is nobody; who had it first is its origin.
func TestWhoBroughtItIn(t *testing.T) {
	p := AdoptParams()
	p.FeePerTransaction, p.FeePerKiB = 0, 0
	n := newNet(t, testGenesis(p, "Farm", "Spy"))
	lot, other, thing := "urn:example:lot:1", "urn:example:lot:2", "urn:example:thing:1"
	seen := n.at(epcis.ObjectEvent, "OBSERVE", "inspecting")
	seen.Quantities, seen.EPCs = kilosOf(other, 5), []string{thing}
	n.does("Spy", seen)
	n.adds("Farm", []string{"urn:example:thing:2"}, kilosOf(lot, 10)...)
	more := n.at(epcis.ObjectEvent, "ADD", "commissioning")
	more.Quantities = kilosOf(lot, 1)
	wantCode(t, "more of a lot that another brought in", n.does("Spy", more), CodeForeignLot)
	for _, c := range []struct {
		who, what string
		want      Code
	}{
		{"Spy", "urn:example:thing:2", CodeNotOrigin},
		{"Farm", lot, CodeOK}, {"Spy", lot, CodeNotOrigin}, {"Spy", other, CodeNotOrigin}, {"Spy", thing, CodeNotOrigin},
		{"Farm", thing, CodeNotOrigin}, {"Farm", "urn:example:thing:2", CodeOK}, {"Farm", "urn:example:unknown:1", CodeNotOrigin},
	} {
		id, r := n.gives(c.who, Recall, c.what)
		wantCode(t, c.who+" about "+c.what, r, c.want)
		if rec, _ := ReadNotice(n.view, id); rec != nil && rec.Authority != AsOrigin {
			t.Errorf("%s: %+v", c.what, rec)
		}
	}
}

// TestWhatIsMadeOfForeignLots: in a network that takes over goods, nobody adds to a lot that another brought in under
// nobody's prefix: not by making, shipping, counting or receiving more than he has. A product without lots is everybody's, and
// then nobody's to recall.
func TestWhatIsMadeOfForeignLots(t *testing.T) {
	p := AdoptParams()
	p.FeePerTransaction, p.FeePerKiB, p.VoidDelayMs = 0, 0, 0
	g := testGenesis(p, "Farm", "Spy")
	farm, spy := "https://farm.example/us", "https://spy.example/us"
	g.Organisations = append(g.Organisations,
		GenesisOrganisation{Address: keyOf("Farm").Address(), Name: "Farm", Parties: []string{farm}},
		GenesisOrganisation{Address: keyOf("Spy").Address(), Name: "Spy", Parties: []string{spy}})
	n := newNet(t, g)
	lot, class := "urn:example:lot:1", "urn:epc:idpat:sgtin:9521400.000001.*"
	step := func(who string, typ epcis.EventType, action epcis.Action, bizStep, to string, kilos int64, want Code) {
		t.Helper()
		e := n.at(typ, action, bizStep)
		e.Quantities = kilosOf(lot, kilos)
		if to != "" {
			e.Destinations = []epcis.TypedRef{{Type: "possessing_party", ID: to}}
		}
		wantCode(t, who+" "+bizStep, n.does(who, e), want)
	}
	step("Spy", epcis.ObjectEvent, "OBSERVE", "inspecting", "", 1, CodeOK) // whoever only sees it has no part in it
	step("Farm", epcis.ObjectEvent, "ADD", "commissioning", "", 10, CodeOK)
	step("Farm", epcis.ObjectEvent, "OBSERVE", "shipping", spy, 4, CodeOK)
	step("Spy", epcis.ObjectEvent, "OBSERVE", "receiving", "", 400, CodeOverage)
	step("Spy", epcis.ObjectEvent, "OBSERVE", "receiving", "", 4, CodeOK)
	step("Spy", epcis.ObjectEvent, "OBSERVE", "shipping", farm, 400, CodeOverdrawn)
	step("Spy", epcis.ObjectEvent, "DELETE", "destroying", "", 5, CodeOverdrawn)
	step("Spy", epcis.ObjectEvent, "OBSERVE", "cycle_counting", "", 400, CodeCountMore)
	step("Spy", epcis.ObjectEvent, "ADD", "commissioning", "", 400, CodeForeignLot)
	made := n.at(epcis.TransformationEvent, "", "commissioning")
	made.InputQuantities, made.OutputQuantities = kilosOf("urn:example:lot:2", 1), kilosOf(lot, 1)
	wantCode(t, "made of something else", n.does("Spy", made), CodeForeignLot)
	for who, want := range map[string]string{"Farm": "6", "Spy": "4"} {
		if b, err := ReadBalance(n.view, lot, keyOf(who).Address(), "KGM", Available); err != nil || b.Amount.String() != want {
			t.Errorf("%s has %+v, %v", who, b, err)
		}
	}
	step("Farm", epcis.ObjectEvent, "OBSERVE", "shipping", spy, 16, CodeOK) // its own lot it may grow

	n.adds("Spy", nil, kilosOf(class, 1)...)
	_, r := n.gives("Spy", Recall, class)
	wantCode(t, "all of it is his", r, CodeOK)
	n.adds("Farm", nil, kilosOf(class, 100)...)
	_, r = n.gives("Spy", Recall, class)
	wantCode(t, "some of it is another's", r, CodeNotOrigin)
}

// TestRegulatorsStandInForWhoIsGone: the recall of a brand owner is not for regulators to lift, until the brand owner is
// expelled; what somebody says about goods under nobody's prefix is.
func TestRegulatorsStandInForWhoIsGone(t *testing.T) {
	n := recallNet(t, func(p *Params) { *p = AdoptParams(); p.FeePerTransaction, p.FeePerKiB = 0, 0 })
	release := func(what, who string, id crypto.Hash, want Code) {
		t.Helper()
		wantCode(t, what, n.one(n.tx(who, &ReleaseNotice{Notice: id})), want)
	}
	own, _ := n.gives("Brand", Recall, "https://id.gs1.org/01/09521321000018")
	release("of a brand owner", "Agency", own, CodeNotReleaser)
	n.must(n.tx("registrar", &AdmitOrganisation{Organisation: keyOf("Brand").Address()}))
	release("of one that was expelled, by nobody", "Shop", own, CodeNotReleaser)
	release("of one that was expelled, by a registrar", "registrar", own, CodeNotReleaser)
	release("of one that was expelled", "Agency", own, CodeOK)
	if all, err := ReadNotices(n.view); err != nil || all.Open != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	n.must(n.tx("registrar", &AdmitOrganisation{Organisation: keyOf("Brand").Address(), Admitted: true}))
	again, _ := n.gives("Brand", Recall, "https://id.gs1.org/01/09521321000018")
	release("of one that was admitted again", "Agency", again, CodeNotReleaser)

	lot := "urn:example:lot:1"
	n.adds("Maker", nil, kilosOf(lot, 10)...)
	origin, _ := n.gives("Maker", Recall, lot)
	release("about nobody's goods, by anybody", "Brand", origin, CodeNotReleaser)
	release("about nobody's goods", "State", origin, CodeOK)
}

func TestWhoReleasesNotices(t *testing.T) {
	n := recallNet(t, nil)
	class := "https://id.gs1.org/01/09521321000018"
	n.must(n.tx("Brand", &Delegate{To: keyOf("Maker").Address(), Scope: "9521321"}))
	release := func(what, who string, id crypto.Hash, want Code) {
		t.Helper()
		wantCode(t, what, n.one(n.tx(who, &ReleaseNotice{Notice: id})), want)
	}
	own, _ := n.gives("Brand", Recall, class)
	release("a delegate", "Maker", own, CodeNotReleaser)
	release("a regulator", "Agency", own, CodeNotReleaser)
	release("nobody", "Stranger", own, CodeNotReleaser)
	release("the issuer", "Brand", own, CodeOK)
	release("again", "Brand", own, CodeReleased)
	release("what is not there", "Brand", crypto.Hash{7}, CodeNoNotice)
	wantCode(t, "answer to what is not there", n.one(n.tx("Shop", &AcknowledgeNotice{Notice: crypto.Hash{7}, Status: AckStopped})), CodeNoNotice)

	delegates, _ := n.gives("Maker", Recall, class)
	release("the holder, of what its delegate said", "Brand", delegates, CodeOK)
	official, _ := n.gives("Agency", Quarantine, class)
	release("the holder, of what a regulator said", "Brand", official, CodeNotReleaser)
	n.view.apply([]Write{{Key: RegulatorKey(keyOf("Agency").Address())}})
	release("a former regulator", "Agency", official, CodeNotReleaser)
	release("another regulator", "State", official, CodeOK)

	// The brand is sold: the prefix moves, and who has it by then has a say, with the issuer.
	first, _ := n.gives("Brand", Recall, class)
	second, _ := n.gives("Brand", Recall, class, modelLot(1, 2))
	n.must(n.tx("Shop", &ClaimPrefix{Prefix: "9521321"}))
	n.must(n.tx("registrar", &ApprovePrefix{Prefix: "9521321", Organisation: keyOf("Shop").Address()}))
	release("the new holder", "Shop", first, CodeOK)
	release("the issuer takes its word back", "Brand", second, CodeOK)
	if _, r := n.gives("Brand", Recall, class); r.Code != CodeNoNoticeRight {
		t.Errorf("who sold the brand gave a notice: %s", r.Finding)
	}
	if all, err := ReadNotices(n.view); err != nil || all.Open != 0 || all.Head != all.Tail {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestOpenNoticesAreBounded fills the lists: of an issuer, of a regulator, of a Hold.
func TestOpenNoticesAreBounded(t *testing.T) {
	n := recallNet(t, nil)
	lot, made, later := modelLot(1, 1), modelLot(1, 2), modelLot(1, 3)
	n.adds("Brand", nil, kilosOf(lot, 100)...)
	if r := n.makes("Brand", lot, made, ""); !r.OK() {
		t.Fatal(r.Finding)
	}
	many := func(who string, typ NoticeType, count int) (ids []crypto.Hash) {
		var txs []*Transaction
		for i := range count {
			txs = append(txs, n.tx(who, &Notice{Type: typ, Subjects: []string{lot}, Reason: fmt.Sprint("reason ", i)}))
			ids = append(ids, txs[i].ID())
		}
		for i, r := range n.block(txs...).Receipts {
			if !r.OK() {
				t.Fatalf("notice %d of %s: %s", i, who, r.Finding)
			}
		}
		return ids
	}
	own := many("Brand", Recall, maxOpenNotices)
	_, r := n.gives("Brand", Recall, modelItem(1, 1))
	wantCode(t, "one more of an issuer", r, CodeTooManyNotices)
	n.must(n.tx("Brand", &ReleaseNotice{Notice: own[0]}))
	again, r := n.gives("Brand", Recall, modelItem(1, 1))
	wantCode(t, "after a release", r, CodeOK)
	n.must(n.tx("Brand", &ReleaseNotice{Notice: again}))

	official := many("Agency", Quarantine, maxOpenNoticesRegulator)
	_, r = n.gives("Agency", Recall, modelItem(1, 1))
	wantCode(t, "one more of a regulator", r, CodeTooManyNotices)
	hold, err := ReadHold(n.view, lot)
	if err != nil || len(hold.Notices) != maxHolds || hold.More != maxOpenNotices-1 {
		t.Fatalf("%d notices, %d more, %v", len(hold.Notices), hold.More, err)
	}
	for i := 1; i < len(hold.Notices); i++ {
		if bytes.Compare(hold.Notices[i-1][:], hold.Notices[i][:]) >= 0 {
			t.Fatal("the list is not ascending")
		}
	}
	_, r = n.gives("Brand", Alert, lot)
	wantCode(t, "an alert where there is no place", r, CodeSubjectFull)
	// Those beyond the list are followed to what was made before, and go into what is made later.
	if r := n.makes("Brand", made, later, ""); !r.OK() {
		t.Fatal(r.Finding)
	}
	for _, id := range []string{made, later} {
		if h, _ := ReadHold(n.view, id); h == nil || uint64(len(h.Notices))+h.More != maxHolds+maxOpenNotices-1 {
			t.Errorf("%s is under %+v", id, h)
		}
		if open, err := OpenNotices(n.view, id); err != nil || len(open) != maxHolds+maxOpenNotices-1 {
			t.Errorf("%s is under %d notices, %v", id, len(open), err)
		}
	}
	// Without the listed ones it is still stopped, because of those beyond; without those too it is not, whatever else is open.
	elsewhere, _ := n.gives("State", Recall, modelItem(2, 9))
	release := func(ids []crypto.Hash) {
		t.Helper()
		var txs []*Transaction
		for _, id := range ids {
			who := "Brand"
			if slices.Contains(official, id) {
				who = "State"
			}
			txs = append(txs, n.tx(who, &ReleaseNotice{Notice: id}))
		}
		for _, r := range n.block(txs...).Receipts {
			if !r.OK() {
				t.Fatal(r.Finding)
			}
		}
	}
	release(hold.Notices)
	for _, id := range []string{lot, made, later} {
		wantCode(t, id, n.ships("Brand", 3, nil, kilosOf(id, 1)...), CodeUnderNotice)
	}
	rest := slices.DeleteFunc(slices.Concat(own[1:], official), func(id crypto.Hash) bool { return slices.Contains(hold.Notices, id) })
	release(rest)
	for _, id := range []string{lot, made, later} {
		wantCode(t, id, n.ships("Brand", 3, nil, kilosOf(id, 1)...), CodeOK)
	}
	if rec, err := ReadNotice(n.view, elsewhere); err != nil || !rec.blocks() {
		t.Errorf("%+v, %v", rec, err)
	}
	// Released ones give way to new ones.
	fresh, r := n.gives("State", Recall, lot)
	wantCode(t, "a new one", r, CodeOK)
	if open, err := OpenNotices(n.view, made); err != nil || len(open) != 1 || open[0].ID != fresh {
		t.Errorf("%+v, %v", open, err)
	}
	wantCode(t, "a new one", n.ships("Brand", 3, nil, kilosOf(made, 1)...), CodeUnderNotice)
}

// TestNoticesBeyondTheList: each is entered once, released ones give way when the number has doubled, and what undoing has left
// behind is nothing.
func TestNoticesBeyondTheList(t *testing.T) {
	b := &blockRun{o: newOverlay(mapView{}), params: DefaultParams()}
	notice := func(i int) crypto.Hash { return crypto.Hash{1, byte(i >> 8), byte(i)} }
	give := func(from, to int) (fresh int) {
		for i := from; i < to; i++ {
			put(b.o, NoticeKey(notice(i)), NoticeRecord{ID: notice(i), Type: Recall})
			fresh += len(b.extendHold(HoldKey("urn:i"), []crypto.Hash{notice(i)}))
		}
		return fresh
	}
	hold := func() Hold { h, _ := get[Hold](b.o, HoldKey("urn:i")); return h }
	if n := give(0, 2*maxHolds); n != 2*maxHolds || hold().More != maxHolds || give(0, 2*maxHolds) != 0 {
		t.Fatalf("%d are new, %d beyond", n, hold().More)
	}
	for i := maxHolds; i < 2*maxHolds-10; i++ { // all but ten of those beyond are released
		put(b.o, NoticeKey(notice(i)), NoticeRecord{ID: notice(i), Type: Recall, Released: crypto.Hash{7}})
	}
	if give(2*maxHolds, 2*maxHolds+1) != 1 || hold().More != 11 {
		t.Errorf("%d beyond after tidying", hold().More)
	}
	open, more := b.blocking([]HoldOf{{ID: "urn:i"}})
	if more || len(open) != maxHolds+11 || !slices.Contains(open, notice(2*maxHolds-1)) || !slices.Contains(open, notice(2*maxHolds)) {
		t.Errorf("%d are open", len(open))
	}
	h := hold()
	h.More = 5 // as undoing puts it back
	put(b.o, HoldKey("urn:i"), h)
	if give(2*maxHolds, 2*maxHolds+1) != 1 || hold().More != 6 {
		t.Errorf("%d beyond after undoing", hold().More)
	}
	h.More = maxOverLooked + 1
	put(b.o, HoldKey("urn:i"), h)
	if more := b.eachOpen([]HoldOf{{ID: "urn:i"}}, maxOverLooked, func(*NoticeRecord) {}); !more {
		t.Error("nothing is said to be left out")
	}
	h.More--
	put(b.o, HoldKey("urn:i"), h)
	if more := b.eachOpen([]HoldOf{{ID: "urn:i"}}, maxOverLooked, func(*NoticeRecord) {}); more {
		t.Error("something is said to be left out")
	}
}
