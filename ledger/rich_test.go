package ledger

import (
	"fmt"
	"slices"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/internal/dense"
)

// richNet is a small network in which something of everything is under way: goods on shelves, packed and on the road, an
// open notice, an open dispute, an open proposal, a claimed prefix, a delegation, a certificate, a jailed validator.
type richNet struct {
	*testNet
	m        *modelRun
	road     crypto.Hash // shipment to org1 that is under way
	quarrel  crypto.Hash // shipment to org1 that is disputed
	dispute  crypto.Hash
	notice   crypto.Hash // about modelLot(0, 5)
	proposal crypto.Hash
	done     crypto.Hash // a transaction that succeeded
	failed   crypto.Hash // one that did not
}

const richCertificate = "https://example.com/certificates/1"

func newRich(t testing.TB, change func(*Params)) *richNet {
	p := DefaultParams()
	p.VoidDelayMs, p.MinBond = 0, 100
	if change != nil {
		change(&p)
	}
	g := stakers(p, 5_000, 5_000, 5_000, 5_000)
	for i := range 3 {
		g.Accounts = append(g.Accounts, GenesisAccount{Address: orgAddress(i), Balance: 1_000_000})
		o := GenesisOrganisation{Address: orgAddress(i), Name: fmt.Sprint("org", i), Parties: []string{partyOf(i)}}
		if i < 2 {
			o.Prefixes = []string{fmt.Sprint("952132", i)}
		}
		g.Organisations = append(g.Organisations, o)
	}
	for _, name := range []string{"newcomer", "nobody's"} {
		g.Accounts = append(g.Accounts, GenesisAccount{Address: keyOf(name).Address(), Balance: 1_000_000})
	}
	g.Regulators = []crypto.Address{keyOf("fan").Address()}
	n := &richNet{testNet: newNet(t, g)}
	n.m = &modelRun{net: n.testNet}
	n.fill()
	return n
}

func (n *richNet) record(who string, e *epcis.Event) crypto.Hash {
	n.t.Helper()
	n.must(n.tx(who, capture(n.t, Rollback, e)))
	return e.Hash()
}

func (n *richNet) object(action epcis.Action, step string, things []string, amounts ...epcis.Quantity) *epcis.Event {
	e := n.m.event(epcis.ObjectEvent, action, step)
	e.EPCs, e.Quantities = things, amounts
	if step == "shipping" {
		e.Destinations = []epcis.TypedRef{{Type: "owning_party", ID: partyOf(1)}}
	}
	return e
}

func (n *richNet) fill() {
	lots := slices.Concat(kilosOf(modelLot(0, 1), 100), kilosOf(modelLot(0, 2), 100), kilosOf(modelLot(0, 5), 100))
	n.record("org0", n.object("ADD", "commissioning", []string{modelItem(0, 1), modelItem(0, 2), modelItem(0, 3), modelItem(0, 4), modelBox(0, 1)}, lots...))
	pack := n.m.event(epcis.AggregationEvent, "ADD", "packing")
	pack.ParentID, pack.ChildEPCs = modelBox(0, 1), []string{modelItem(0, 2)}
	n.record("org0", pack)
	make := n.m.event(epcis.TransformationEvent, "", "creating_class_instance")
	make.InputQuantities, make.OutputQuantities = kilosOf(modelLot(0, 5), 10), kilosOf(modelLot(0, 6), 10)
	n.record("org0", make)
	n.road = n.record("org0", n.object("OBSERVE", "shipping", []string{modelItem(0, 1)}, kilosOf(modelLot(0, 1), 10)...))
	n.quarrel = n.record("org0", n.object("OBSERVE", "shipping", []string{modelItem(0, 3)}, kilosOf(modelLot(0, 2), 5)...))
	n.dispute = n.must(n.tx("org1", &Dispute{Shipment: n.quarrel, Lines: []DisputeLine{{Kind: Shortage, ID: modelLot(0, 2), Unit: "KGM"}}})).Tx
	n.notice = n.must(n.tx("org0", &Notice{Type: Recall, Subjects: []string{modelLot(0, 5)}, Reason: "glass"})).Tx

	n.must(n.tx("org0", &ClaimPrefix{Prefix: "9521329"}))
	n.must(n.tx("org0", &Delegate{To: orgAddress(1), Scope: "9521320"}))
	n.must(n.tx("org0", &AddKey{Key: keyOf("second").Public()}))
	n.must(n.tx("org2", &Attest{ID: richCertificate, Subject: orgAddress(0), Claim: "organic", Model: Segregated, FromMs: 1, UntilMs: testStart << 1}))
	n.must(n.tx("org0", &PutMasterData{Type: "product", ID: modelClass(0, 1), Attributes: []Attribute{{Name: "name", Value: "Fish"}}}))
	n.proposal = n.must(n.tx(op(0), &Propose{Title: "p", Action: Action{Kind: ActParams, Params: []ParamChange{{Name: "feePerKiB", Value: "20"}}}})).Tx
	n.done = n.must(n.tx("fan", &Bond{Validator: valKey(0), Amount: 500})).Tx
	failed := n.tx("fan", &Transfer{To: orgAddress(0), Amount: 1 << 60})
	if r := n.one(failed); r.Code != CodeNoMoney {
		n.t.Fatal(r.Finding)
	}
	n.failed = failed.ID()
	v, err := ReadValidator(n.view, valKey(3))
	if err != nil {
		n.t.Fatal(err)
	}
	v.Jailed, v.JailedUntilMs = true, n.timeMs // nobody was down for so long
	n.view[string(ValidatorKey(v.ID))] = mustMarshal(v)
}

// sample is a transaction that succeeds in a richNet.
type sample struct {
	by      string
	payload Payload
	also    []string // who else signs
}

func (n *richNet) samples() []sample {
	other, third, key, doc := orgAddress(1), orgAddress(2), keyOf("a new key").Public(), crypto.Hash{4}
	received := n.object("OBSERVE", "receiving", []string{modelItem(0, 1)}, kilosOf(modelLot(0, 1), 10)...)
	received.BizLocation, received.ReadPoint = &epcis.Location{ID: "urn:epc:id:sgln:9521321.00000.0"}, &epcis.Location{ID: "urn:epc:id:sgln:9521321.00000.1"}
	received.BizTransactions = []epcis.TypedRef{{Type: "po", ID: "urn:example:po:1"}}
	received.Sources = []epcis.TypedRef{{Type: "owning_party", ID: partyOf(0)}}
	action := func(a Action) *Propose { return &Propose{Title: "A title", Text: "why", Action: a} }
	return []sample{
		{"org1", capture(n.t, Rollback, received), nil},
		{"newcomer", &RegisterOrganisation{Name: "New", Roles: []string{"farm"}, Parties: []string{"urn:epc:id:pgln:9521328.00000"}, Keys: []crypto.PublicKey{key}}, nil},
		{"registrar", &AdmitOrganisation{Organisation: third, Admitted: false}, nil},
		{"org0", &AddKey{Key: key, FromHeight: 50}, nil},
		{"org0", &RevokeKey{Key: keyOf("second").Public(), FromHeight: 50}, nil},
		{"org1", &ClaimPrefix{Prefix: "9521329"}, nil},
		{"registrar", &ApprovePrefix{Prefix: "9521329", Organisation: orgAddress(0)}, nil},
		{"org0", &Delegate{To: third, Scope: modelClass(0, 1), UntilMs: n.timeMs + 3_600_000}, nil},
		{"org0", &RevokeDelegation{To: other, Scope: "9521320"}, nil},
		{"org0", &PutMasterData{Type: "product", ID: modelClass(0, 1), Attributes: []Attribute{{Name: "name", Value: "Tuna"}}}, nil},
		{"fan", &Transfer{To: other, Amount: 5}, nil},
		{"fan", &RegisterValidator{Key: key, PeerKey: keyOf("a new node").Public(), Name: "v9", Stake: 2000}, []string{"a new key"}},
		{"fan", &Bond{Validator: valKey(1), Amount: 200}, nil},
		{"fan", &Unbond{Validator: valKey(0), Amount: 300}, nil},
		{op(3), &Unjail{Validator: valKey(3)}, nil},
		{op(1), &RotateValidatorKey{Old: valKey(1), New: key, NewPeerKey: keyOf("a new node").Public()}, []string{"a new key"}},
		{"org0", &Notice{Type: Recall, Subjects: []string{modelLot(0, 1)}, Reason: "Glass", Instructions: "Keep it", Accepts: []crypto.Address{third}, Document: doc}, nil},
		{"org1", &AcknowledgeNotice{Notice: n.notice, Status: AckStopped, Note: "12 boxes"}, nil},
		{"org0", &ReleaseNotice{Notice: n.notice, Reason: "None found"}, nil},
		{"org1", &Dispute{Shipment: n.road, Note: "at the dock", Document: doc, Lines: []DisputeLine{
			{Kind: WrongLot, ID: modelLot(0, 1), Unit: "KGM", Amount: Amount{Coefficient: 15, Exponent: -1}, Found: modelLot(0, 2), Note: "blue"},
		}}, nil},
		{"org0", &Resolve{Dispute: n.dispute, Lines: []Resolution{{Line: 0, Outcome: Lost}}, Note: "as agreed"}, nil},
		{"org2", &Attest{ID: "https://example.com/certificates/2", Subject: other, Scope: modelClass(1, 1), Claim: "organic", Model: MassBalance,
			Standard: "EU 2018/848", FromMs: 1, UntilMs: testStart << 1, Document: doc}, nil},
		{"org2", &RevokeAttestation{ID: richCertificate, Reason: "fraud"}, nil},
		{"org0", &Anchor{Document: doc, About: modelLot(0, 1), Media: "application/pdf", Note: "a photograph"}, nil},
		{"org0", &DeclareYield{Output: modelClass(0, 1), MostPpm: 800_000, Note: "gutted"}, nil},
		{"org0", &SetThreshold{M: 2}, nil},
		{op(0), action(Action{Kind: ActParams, Params: []ParamChange{{Name: "feePerKiB", Value: "30"}}}), nil},
		{op(0), action(Action{Kind: ActOffice, Office: OfficeRegulator, Account: other, Grant: true}), nil},
		{op(0), action(Action{Kind: ActAdmission, Account: third}), nil},
		{op(0), action(Action{Kind: ActUpgrade, Height: 100_000, Version: 2}), nil},
		{op(1), &Vote{Proposal: n.proposal, Yes: true}, nil},
	}
}

// signers are the names of all who sign the sample's transaction; "fan" sponsors it unless it is the author.
func (n *richNet) body(s sample) (b Body, signers []string) {
	n.t.Helper()
	b = n.testNet.body(s.by, s.payload)
	b.DependsOn, b.Tip = []crypto.Hash{n.done}, 3
	signers = append([]string{s.by}, s.also...)
	if s.by != "fan" {
		sponsor := keyOf("fan").Address()
		b.Sponsor, signers = &sponsor, append(signers, "fan")
	}
	return b, signers
}

// unsigned makes the bytes of a transaction, whatever the body, with the keys of the signers and signatures of zeros, for
// tests that do not ask whether signatures are right.
func unsigned(body []byte, signers ...string) []byte {
	return slices.Concat([]byte{0x82}, dense.String(2, string(body)), mustMarshal(claimed(signers...)))
}

func claimed(signers ...string) []SignedBy {
	var out []SignedBy
	for _, name := range signers {
		out = append(out, SignedBy{Key: keyOf(name).Public()})
	}
	slices.SortFunc(out, func(a, b SignedBy) int { return slices.Compare(a.Key[:], b.Key[:]) })
	return out
}

// evidence is a sample of the one kind that nobody authors.
func (n *richNet) evidence() *Transaction { return n.accuse(0, 2, quorum.DoubleVote) }

// TestSamplesSucceed: every kind has a sample, and each is accepted, so that a test which spoils one thing of it knows what
// the refusal is about.
func TestSamplesSucceed(t *testing.T) {
	n := newRich(t, nil)
	seen := map[Kind]bool{KindSubmitEvidence: true}
	try := func(tx *Transaction) {
		up, err := Apply(n.view, n.nextBlock(tx))
		if err != nil {
			t.Fatal(err)
		}
		if r := up.Receipts[0]; !r.OK() {
			t.Errorf("%s: %s", tx.Body.Kind, r.Finding)
		}
	}
	for _, s := range n.samples() {
		b, signers := n.body(s)
		try(n.sign(b, signers...))
		seen[s.payload.Kind()] = true
	}
	try(n.evidence())
	for k := range Kind(1000) {
		if k.Known() && !seen[k] {
			t.Errorf("kind %s has no sample: add one to samples", k)
		}
		if k.Known() != (k >= 1 && int(k) <= len(seen)) {
			t.Errorf("there is a gap among the kinds at %d", k)
		}
	}
}
