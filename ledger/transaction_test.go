package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
)

// onePayload is a valid payload of every kind.
func onePayload(t testing.TB) []Payload {
	other, key := keyOf("other").Address(), keyOf("further").Public()
	event := &epcis.Event{
		Type: epcis.ObjectEvent, Action: epcis.ActionAdd, BizStep: "commissioning", TimeZoneOffset: "+00:00",
		EventTime: epcis.NewTimestamp(testStart), EPCs: []string{"urn:epc:id:sgtin:9521321.000001.1"},
	}
	return []Payload{
		capture(t, Rollback, event),
		&RegisterOrganisation{Name: "Salinas Farm", Roles: []string{"farm"}, Parties: []string{"urn:epc:id:pgln:9521321.00000"}, Keys: []crypto.PublicKey{key}},
		&AdmitOrganisation{Organisation: other, Admitted: true},
		&AddKey{Key: key, FromHeight: 7},
		&RevokeKey{Key: key},
		&ClaimPrefix{Prefix: "9521321"},
		&ApprovePrefix{Prefix: "9521321", Organisation: other},
		&Delegate{To: other, Scope: "9521321", UntilMs: testStart + 1},
		&RevokeDelegation{To: other, Scope: "9521321"},
		&PutMasterData{Type: "product", ID: "https://id.gs1.org/01/09521321000018", Attributes: []Attribute{{Name: "name", Value: "Romaine"}}},
		&Transfer{To: other, Amount: 5},
		&RegisterValidator{Key: key, PeerKey: keyOf("peer").Public(), Name: "v2", Stake: 2000},
		&Bond{Validator: key, Amount: 1},
		&Unbond{Validator: key, Amount: 1},
		&Unjail{Validator: key},
		&RotateValidatorKey{Old: key, New: keyOf("fresh").Public(), NewPeerKey: keyOf("peer").Public()},
		&Notice{Type: Recall, Subjects: []string{"urn:epc:class:lgtin:9521321.000001.L1"}, Reason: "Glass", Instructions: "Keep it", Accepts: []crypto.Address{other}, Document: crypto.Hash{4}},
		&AcknowledgeNotice{Notice: crypto.Hash{5}, Status: AckStopped, Note: "12 boxes"},
		&ReleaseNotice{Notice: crypto.Hash{5}, Reason: "None found"},
		&SetThreshold{M: 2},
		&Propose{Title: "Dearer", Text: "why", Action: Action{Kind: ActParams, Params: []ParamChange{{Name: "feePerKiB", Value: "20"}}}},
		&Vote{Proposal: crypto.Hash{3}, Yes: true},
		&Dispute{Shipment: crypto.Hash{3}, Note: "seen at the dock", Document: crypto.Hash{4}, Lines: []DisputeLine{
			{Kind: Shortage, ID: "urn:epc:class:lgtin:9521321.000001.L1", Unit: "KGM", Amount: Amount{Coefficient: 15, Exponent: -1}, In: "urn:epc:id:sscc:9521321.0000000001"},
			{Kind: WrongProduct, ID: "urn:epc:id:sgtin:9521321.000001.1", Found: "urn:epc:id:sgtin:9521321.000001.2", Note: "blue label"},
			{Kind: DataMissing},
		}},
		&Resolve{Dispute: crypto.Hash{5}, Lines: []Resolution{{Line: 1, Outcome: Agreed}, {Line: 0, Outcome: Lost}}, Note: "as agreed"},
	}
}

func TestEveryKindRoundTrips(t *testing.T) {
	seen := map[Kind]bool{}
	for _, p := range onePayload(t) {
		b, err := NewBody(crypto.Hash{1}, keyOf("a").Address(), 9, p)
		if err != nil {
			t.Fatal(err)
		}
		tx, err := Sign(b, keyOf("a"))
		if err != nil {
			t.Fatalf("%s: %v", p.Kind(), err)
		}
		again, err := DecodeTransaction(tx.Raw())
		if err != nil {
			t.Fatalf("%s: %v", p.Kind(), err)
		}
		if again.ID() != tx.ID() || fmt.Sprintf("%+v", again.Payload()) != fmt.Sprintf("%+v", tx.Payload()) {
			t.Errorf("%s: decoded differently", p.Kind())
		}
		if r := VerifyTransactions([]*Transaction{again})[0]; r.Err != nil || r.Verified.Transaction() != again {
			t.Errorf("%s: %v", p.Kind(), r.Err)
		}
		seen[p.Kind()] = true
	}
	for k := KindCapture; k <= KindUnbond; k++ {
		if !seen[k] {
			t.Errorf("no payload of %s tried", k)
		}
	}
	if got := Kind(99).String(); got != "kind 99" {
		t.Error(got)
	}
}

// reencode makes transaction bytes whose body was changed after encoding, signed properly.
func reencode(t *testing.T, change func(*Body)) []byte {
	t.Helper()
	b, err := NewBody(crypto.Hash{1}, keyOf("a").Address(), 9, &Transfer{To: keyOf("b").Address(), Amount: 5})
	if err != nil {
		t.Fatal(err)
	}
	change(&b)
	data, err := crypto.Marshal(&b)
	if err != nil {
		t.Fatal(err)
	}
	return envelopeOf(t, data, keyOf("a"))
}

func envelopeOf(t testing.TB, body []byte, keys ...crypto.PrivateKey) []byte {
	t.Helper()
	e := envelope{Body: body}
	for _, k := range keys {
		e.Signatures = append(e.Signatures, SignedBy{Key: k.Public(), Signature: k.Sign(crypto.Sum(crypto.TagTransaction, body))})
	}
	raw, err := crypto.Marshal(&e)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestDecodeTransactionRefuses(t *testing.T) {
	valid := reencode(t, func(*Body) {})
	if _, err := DecodeTransaction(valid); err != nil {
		t.Fatal(err)
	}
	var e envelope
	if err := crypto.Unmarshal(valid, &e); err != nil {
		t.Fatal(err)
	}
	sorted := []crypto.PrivateKey{keyOf("a"), keyOf("b"), keyOf("c")}
	slices.SortFunc(sorted, func(x, y crypto.PrivateKey) int {
		a, b := x.Public(), y.Public()
		return bytes.Compare(a[:], b[:])
	})
	many := make([]crypto.PrivateKey, MaxSignatures+1)
	for i := range many {
		many[i] = keyOf(fmt.Sprint("signer", i))
	}
	slices.SortFunc(many, func(x, y crypto.PrivateKey) int {
		a, b := x.Public(), y.Public()
		return bytes.Compare(a[:], b[:])
	})
	zero := crypto.Address{}
	self := keyOf("a").Address()
	for _, c := range []struct {
		name string
		raw  []byte
		kind FormKind
	}{
		{"empty", nil, ErrEncoding},
		{"truncated", valid[:len(valid)-1], ErrEncoding},
		{"with a byte after it", append(slices.Clone(valid), 0), ErrEncoding},
		{"too large", make([]byte, MaxTransactionBytes+1), ErrTooLarge},
		{"body cut", envelopeOf(t, e.Body[:len(e.Body)-1], keyOf("a")), ErrEncoding},
		{"body with an element more", envelopeOf(t, append([]byte{e.Body[0] + 1}, append(e.Body[1:], 0)...), keyOf("a")), ErrEncoding},
		{"body with an element less", envelopeOf(t, append([]byte{e.Body[0] - 1}, e.Body[1:len(e.Body)-9]...), keyOf("a")), ErrEncoding},
		{"version 2", reencode(t, func(b *Body) { b.Version = 2 }), ErrKind},
		{"no author", reencode(t, func(b *Body) { b.Author = zero }), ErrEncoding},
		{"zero sponsor", reencode(t, func(b *Body) { b.Sponsor = &zero }), ErrEncoding},
		{"its own sponsor", reencode(t, func(b *Body) { b.Sponsor = &self }), ErrEncoding},
		{"too many dependencies", reencode(t, func(b *Body) { b.DependsOn = make([]crypto.Hash, MaxDependencies+1) }), ErrTooLarge},
		{"kind 0", reencode(t, func(b *Body) { b.Kind = 0 }), ErrKind},
		{"unknown kind", reencode(t, func(b *Body) { b.Kind = 9999 }), ErrKind},
		{"payload of another kind", reencode(t, func(b *Body) { b.Kind = KindClaimPrefix }), ErrPayload},
		{"no payload", reencode(t, func(b *Body) { b.Payload = nil }), ErrPayload},
		{"payload with a byte after it", reencode(t, func(b *Body) { b.Payload = append(b.Payload, 0) }), ErrPayload},
		{"no signature", envelopeOf(t, e.Body), ErrSignature},
		{"too many signatures", envelopeOf(t, e.Body, many...), ErrSignature},
		{"signatures not in order", envelopeOf(t, e.Body, sorted[1], sorted[0]), ErrSignature},
		{"one key twice", envelopeOf(t, e.Body, keyOf("a"), keyOf("a")), ErrSignature},
	} {
		_, err := DecodeTransaction(c.raw)
		if !errors.Is(err, c.kind) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.kind)
		}
	}
}

func TestPayloadsRefuse(t *testing.T) {
	key, other := keyOf("k").Public(), keyOf("other").Address()
	event := capture(t, Rollback, onePayloadEvent()).Events[0]
	long := string(bytes.Repeat([]byte("a"), 5000))
	for _, c := range []struct {
		name string
		p    Payload
		kind FormKind
	}{
		{"capture of nothing", &Capture{}, ErrPayload},
		{"capture in mode 2", &Capture{Mode: 2, Events: [][]byte{event}}, ErrPayload},
		{"capture of garbage", &Capture{Events: [][]byte{{0xa0}}}, ErrEvent},
		{"capture with a cut event", &Capture{Events: [][]byte{event, event[:len(event)-1]}}, ErrEvent},
		{"capture of too many", &Capture{Events: slices.Repeat([][]byte{make([]byte, 9)}, MaxEvents+1)}, ErrPayload},
		{"organisation without name", &RegisterOrganisation{}, ErrPayload},
		{"organisation with a long name", &RegisterOrganisation{Name: long}, ErrPayload},
		{"name with a control character", &RegisterOrganisation{Name: "a\nb"}, ErrPayload},
		{"name with an invisible character", &RegisterOrganisation{Name: "a\u200bb"}, ErrPayload},
		{"name that reverses", &RegisterOrganisation{Name: "a\u202eb"}, ErrPayload},
		{"name with two spaces", &RegisterOrganisation{Name: "a  b"}, ErrPayload},
		{"name that ends with a space", &RegisterOrganisation{Name: "a "}, ErrPayload},
		{"too many roles", &RegisterOrganisation{Name: "a", Roles: make([]string, maxRoles+1)}, ErrPayload},
		{"long role", &RegisterOrganisation{Name: "a", Roles: []string{long[:50]}}, ErrPayload},
		{"party that is no identifier", &RegisterOrganisation{Name: "a", Parties: []string{"no uri"}}, ErrPayload},
		{"party with a wrong check digit", &RegisterOrganisation{Name: "a", Parties: []string{"https://id.gs1.org/417/9521321000002"}}, ErrPayload},
		{"key twice", &RegisterOrganisation{Name: "a", Keys: []crypto.PublicKey{key, key}}, ErrPayload},
		{"key that is none", &AddKey{Key: crypto.PublicKey{2}}, ErrPayload},
		{"revoked key that is none", &RevokeKey{}, ErrPayload},
		{"admission of nobody", &AdmitOrganisation{}, ErrPayload},
		{"prefix of 3 digits", &ClaimPrefix{Prefix: "952"}, ErrPayload},
		{"prefix of 13 digits", &ClaimPrefix{Prefix: "9521321952132"}, ErrPayload},
		{"prefix with a letter", &ApprovePrefix{Prefix: "95213x", Organisation: other}, ErrPayload},
		{"prefix for nobody", &ApprovePrefix{Prefix: "9521321"}, ErrPayload},
		{"delegation to nobody", &Delegate{Scope: "9521321"}, ErrPayload},
		{"delegation of an item", &Delegate{To: other, Scope: "urn:epc:id:sgtin:9521321.000001.1"}, ErrPayload},
		{"delegation of words", &Delegate{To: other, Scope: "everything"}, ErrPayload},
		{"delegation until before 1970", &Delegate{To: other, Scope: "9521321", UntilMs: -1}, ErrPayload},
		{"end of a delegation of words", &RevokeDelegation{To: other, Scope: "everything"}, ErrPayload},
		{"master data of a rumour", &PutMasterData{Type: "rumour", ID: "urn:x:y", Attributes: []Attribute{{Name: "a"}}}, ErrPayload},
		{"master data without attributes", &PutMasterData{Type: "party", ID: "urn:x:y"}, ErrPayload},
		{"master data with a long id", &PutMasterData{Type: "party", ID: "urn:x:" + long, Attributes: []Attribute{{Name: "a"}}}, ErrPayload},
		{"attribute twice", &PutMasterData{Type: "party", ID: "urn:x:y", Attributes: []Attribute{{Name: "a"}, {Name: "a"}}}, ErrPayload},
		{"attributes not in order", &PutMasterData{Type: "party", ID: "urn:x:y", Attributes: []Attribute{{Name: "b"}, {Name: "a"}}}, ErrPayload},
		{"long attribute", &PutMasterData{Type: "party", ID: "urn:x:y", Attributes: []Attribute{{Name: "a", Value: long}}}, ErrPayload},
		{"money to nobody", &Transfer{Amount: 1}, ErrPayload},
		{"validator without name", &RegisterValidator{Key: key}, ErrPayload},
		{"validator without key", &RegisterValidator{Name: "v"}, ErrPayload},
		{"bond with no key", &Bond{Amount: 1}, ErrPayload},
		{"unbond with no key", &Unbond{Amount: 1}, ErrPayload},
	} {
		b, err := NewBody(crypto.Hash{1}, keyOf("a").Address(), 9, c.p)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if _, err := Sign(b, keyOf("a")); !errors.Is(err, c.kind) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.kind)
		}
	}
}

func onePayloadEvent() *epcis.Event {
	return &epcis.Event{
		Type: epcis.ObjectEvent, Action: epcis.ActionAdd, BizStep: "commissioning", TimeZoneOffset: "+00:00",
		EventTime: epcis.NewTimestamp(testStart), EPCs: []string{"urn:epc:id:sgtin:9521321.000001.1"},
	}
}

func TestVerifyTransactions(t *testing.T) {
	n := newNet(t, testGenesis(DefaultParams(), "a", "b"))
	good := n.tx("a", &Transfer{To: keyOf("b").Address(), Amount: 1}, "b")
	bad, err := DecodeTransaction(good.Raw())
	if err != nil {
		t.Fatal(err)
	}
	bad.Signatures = slices.Clone(bad.Signatures)
	bad.Signatures[1].Signature = bad.Signatures[0].Signature
	results := VerifyTransactions([]*Transaction{good, bad, good})
	if results[0].Err != nil || results[2].Err != nil {
		t.Errorf("valid ones refused: %v, %v", results[0].Err, results[2].Err)
	}
	if !errors.Is(results[1].Err, ErrSignature) || results[1].Verified.Transaction() != nil {
		t.Errorf("a wrong signature passed: %v", results[1].Err)
	}
	// A signature made for another network is none here.
	b := good.Body
	b.Genesis = crypto.Hash{7}
	data, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	moved, err := crypto.Marshal(&envelope{Body: data, Signatures: good.Signatures})
	if err != nil {
		t.Fatal(err)
	}
	tx, err := DecodeTransaction(moved)
	if err != nil {
		t.Fatal(err)
	}
	if r := VerifyTransactions([]*Transaction{tx})[0]; !errors.Is(r.Err, ErrSignature) {
		t.Errorf("a signature of another network passed: %v", r.Err)
	}
	if _, err := Apply(n.view, &Block{Header: quorum.Header{Height: 1}, Transactions: make([]VerifiedTransaction, 1)}); !errors.Is(err, ErrSignature) {
		t.Errorf("an unverified transaction was executed: %v", err)
	}
}

// TestAdmission is one valid transaction and a table of what R1 refuses about it, asked of Admit and of Apply, which
// must agree; none of it leaves a trace in the state.
func TestAdmission(t *testing.T) {
	n := newNet(t, testGenesis(DefaultParams(), "a", "b", "poor"))
	n.must(n.tx("a", &AddKey{Key: keyOf("a2").Public()}))
	n.must(n.tx("a", &AddKey{Key: keyOf("later").Public(), FromHeight: 50}))
	n.must(n.tx("a", &AddKey{Key: keyOf("gone").Public()}))
	n.must(n.tx("a", &RevokeKey{Key: keyOf("gone").Public()}))
	done := n.tx("a", &Transfer{To: keyOf("b").Address(), Amount: 1})
	n.must(done)
	failed := n.tx("a", &Transfer{To: keyOf("b").Address(), Amount: 1 << 62})
	if r := n.one(failed); r.Code != CodeNoMoney {
		t.Fatal(r.Finding)
	}
	poor := keyOf("poor").Address()
	n.must(n.tx("poor", &Transfer{To: keyOf("b").Address(), Amount: 1_000_000 - 25}))

	sponsor, stranger := keyOf("b").Address(), keyOf("stranger").Address()
	for _, c := range []struct {
		name   string
		change func(*Body)
		sign   []string
		code   Code
	}{
		{"valid", func(*Body) {}, []string{"a"}, CodeOK},
		{"valid with an added key", func(*Body) {}, []string{"a2"}, CodeOK},
		{"valid with a sponsor", func(b *Body) { b.Sponsor = &sponsor }, []string{"a", "b"}, CodeOK},
		{"valid at its last height", func(b *Body) { b.ExpiryHeight = n.height + 1 }, []string{"a"}, CodeOK},
		{"valid with a long expiry", func(b *Body) { b.ExpiryHeight = n.height + 1 + 1000 }, []string{"a"}, CodeOK},
		{"valid with a dependency", func(b *Body) { b.DependsOn = []crypto.Hash{done.ID()} }, []string{"a"}, CodeOK},
		{"poor with a sponsor", func(b *Body) { b.Author, b.Sponsor = poor, &sponsor }, []string{"poor", "b"}, CodeOK},

		{"another network", func(b *Body) { b.Genesis[0] ^= 1 }, []string{"a"}, CodeForeignNetwork},
		{"unknown author", func(b *Body) { b.Author = stranger }, []string{"stranger"}, CodeUnknownAuthor},
		{"unknown author with a sponsor", func(b *Body) { b.Author, b.Sponsor = stranger, &sponsor }, []string{"stranger", "b"}, CodeUnknownAuthor},
		{"signed by another", func(*Body) {}, []string{"b"}, CodeKeyNotActive},
		{"signed by a key to come", func(*Body) {}, []string{"later"}, CodeKeyNotActive},
		{"signed by a revoked key", func(*Body) {}, []string{"gone"}, CodeKeyNotActive},
		{"unknown sponsor", func(b *Body) { b.Sponsor = &stranger }, []string{"a", "stranger"}, CodeUnknownSponsor},
		{"sponsor did not sign", func(b *Body) { b.Sponsor = &sponsor }, []string{"a"}, CodeSponsorNotSigned},
		{"expired", func(b *Body) { b.ExpiryHeight = n.height }, []string{"a"}, CodeExpired},
		{"expiry too far", func(b *Body) { b.ExpiryHeight = n.height + 1 + 1001 }, []string{"a"}, CodeExpiryTooFar},
		{"expiry at the end of time", func(b *Body) { b.ExpiryHeight = 1<<64 - 1 }, []string{"a"}, CodeExpiryTooFar},
		{"no money for the fee", func(b *Body) { b.Author = poor }, []string{"poor"}, CodeFee},
		{"no money for the tip", func(b *Body) { b.Tip = 1 << 40 }, []string{"a"}, CodeFee},
		{"a tip beyond counting", func(b *Body) { b.Tip = 1<<64 - 1 }, []string{"a"}, CodeFee},
		{"dependency missing", func(b *Body) { b.DependsOn = []crypto.Hash{done.ID(), {9}} }, []string{"a"}, CodeDependencyMissing},
		{"dependency failed", func(b *Body) { b.DependsOn = []crypto.Hash{failed.ID()} }, []string{"a"}, CodeDependencyFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := n.body("a", &Transfer{To: keyOf("b").Address(), Amount: 1})
			c.change(&b)
			checkAdmission(t, n, n.sign(b, c.sign...), c.code)
		})
	}
	checkAdmission(t, n, done, CodeSeen)
}

func checkAdmission(t *testing.T, n *testNet, tx *Transaction, code Code) {
	t.Helper()
	err := Admit(n.view, n.height+1, tx)
	if (code == CodeOK) != (err == nil) || code != CodeOK && !errors.Is(err, code) {
		t.Errorf("Admit says %v, want %s", err, code)
	}
	if pre := Precheck(n.view, n.height+1, tx); pre != nil && err == nil {
		t.Errorf("Precheck refuses what Admit takes: %v", pre)
	}
	up, err := Apply(n.view, n.nextBlock(tx))
	if err != nil {
		t.Fatal(err)
	}
	r := up.Receipts[0]
	if r.Code != code || r.Executed() != (code == CodeOK) {
		t.Errorf("Apply says %s, executed %t, want %s", r.Finding, r.Executed(), code)
	}
	writes := slices.DeleteFunc(up.Writes, func(w Write) bool { return string(w.Key) == string(dutyKey(0)) }) // of the block itself
	if code != CodeOK && (len(writes) > 0 || r.Fee != 0) {
		t.Errorf("a transaction that breaks R1 left %d writes and a fee of %d", len(writes), r.Fee)
	}
}

func TestSizeLimitOfTheNetwork(t *testing.T) {
	p := DefaultParams()
	p.MaxTxBytes, p.MaxBlockBytes = 1024, 1024
	n := newNet(t, testGenesis(p, "a"))
	var attrs []Attribute
	for i := range 20 {
		attrs = append(attrs, Attribute{Name: fmt.Sprintf("%02d", i), Value: "0123456789012345678901234567890123456789"})
	}
	checkAdmission(t, n, n.tx("a", &PutMasterData{Type: "party", ID: "urn:x:y", Attributes: attrs}), CodeTooLarge)
}

// TestReplayWindow repeats a transaction at every height of its life: it counts once, and its id is forgotten only when
// it has expired anyway.
func TestReplayWindow(t *testing.T) {
	p := DefaultParams()
	p.ExpiryWindow = 5
	n := newNet(t, testGenesis(p, "a", "b"))
	b := n.body("a", &Transfer{To: keyOf("b").Address(), Amount: 1})
	b.ExpiryHeight = 6
	tx := n.sign(b, "a")
	n.must(tx)
	for range 10 {
		if r := n.one(tx); r.OK() {
			t.Fatalf("executed again at height %d", n.height)
		}
	}
	if s, err := ReadSeen(n.view, tx.ID()); err != nil || s != nil {
		t.Errorf("its id is still remembered at height %d: %v, %v", n.height, s, err)
	}
	for k := range n.view {
		if len(k) > 9 && k[:9] == "included/" {
			t.Errorf("list %q is left behind", k)
		}
	}
}

func TestSponsoredRegistration(t *testing.T) {
	n := newNet(t, testGenesis(DefaultParams(), "rich"))
	rich := keyOf("rich").Address()
	b := n.body("new", &RegisterOrganisation{Name: "New", Keys: []crypto.PublicKey{keyOf("new2").Public()}})
	b.Sponsor = &rich
	before, err := ReadAccount(n.view, rich)
	if err != nil {
		t.Fatal(err)
	}
	r := n.must(n.sign(b, "new", "rich"))
	after, err := ReadAccount(n.view, rich)
	if err != nil {
		t.Fatal(err)
	}
	if r.Fee == 0 || before.Balance-after.Balance != r.Fee {
		t.Errorf("the sponsor paid %d, the fee is %d", before.Balance-after.Balance, r.Fee)
	}
	org, err := ReadOrganisationNamed(n.view, " NEW ")
	if err != nil || org == nil || org.Address != keyOf("new").Address() {
		t.Fatalf("%+v, %v", org, err)
	}
	c := n.body("new", &ClaimPrefix{Prefix: "9521321"})
	c.Sponsor = &rich
	n.must(n.sign(c, "new2", "rich"))
}

func TestKeys(t *testing.T) {
	n := newNet(t, testGenesis(DefaultParams(), "a"))
	addr := keyOf("a").Address()
	send := func(signer string) Code {
		b := n.body("a", &Transfer{To: keyOf("x").Address()})
		return n.one(n.sign(b, signer)).Code
	}
	want := func(got, want Code) {
		t.Helper()
		if got != want {
			t.Errorf("height %d: got %s, want %s", n.height, got, want)
		}
	}
	want(n.one(n.tx("a", &RevokeKey{Key: keyOf("a").Public()})).Code, CodeLastKey)
	want(n.one(n.tx("a", &RevokeKey{Key: keyOf("b").Public()})).Code, CodeNoSuchKey)
	want(n.one(n.tx("a", &AddKey{Key: keyOf("a").Public()})).Code, CodeKeyKnown)
	want(n.one(n.tx("a", &AddKey{Key: keyOf("b").Public(), FromHeight: 1})).Code, CodeHeightPast)
	n.must(n.tx("a", &AddKey{Key: keyOf("b").Public(), FromHeight: uint64(n.height) + 3}))
	want(send("b"), CodeKeyNotActive)
	want(send("b"), CodeOK)
	want(n.one(n.tx("a", &AddKey{Key: keyOf("b").Public()})).Code, CodeKeyKnown)
	// The key of the address is revoked from a height; the other one is then the last.
	n.must(n.tx("a", &RevokeKey{Key: keyOf("a").Public(), FromHeight: uint64(n.height) + 3}))
	want(send("a"), CodeOK)
	want(send("a"), CodeKeyNotActive)
	b := n.body("a", &RevokeKey{Key: keyOf("b").Public()})
	want(n.one(n.sign(b, "b")).Code, CodeLastKey)
	// A revoked key does not come back.
	b = n.body("a", &AddKey{Key: keyOf("a").Public()})
	want(n.one(n.sign(b, "b")).Code, CodeKeyKnown)
	acct, err := ReadAccount(n.view, addr)
	if err != nil || acct.KeyActive(addr, keyOf("a").Public(), n.height) || !acct.KeyActive(addr, keyOf("a").Public(), 1) {
		t.Errorf("%+v, %v", acct, err)
	}
}
