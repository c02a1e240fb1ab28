package ledger

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

var rewriteGolden = flag.Bool("rewrite-golden", false, "write testdata/golden.txt anew")

// TestGoldenBytes pins everything that is hashed or signed: body, id, envelope, receipt, state records, keys, genesis.
// A difference is a change of protocol: no running network survives it.
func TestGoldenBytes(t *testing.T) {
	var b strings.Builder
	line := func(name string, data []byte) { fmt.Fprintf(&b, "%s %s\n", name, hex.EncodeToString(data)) }

	p := DefaultParams()
	g := testGenesis(p, "a", "b")
	g.Organisations = []GenesisOrganisation{{Address: keyOf("b").Address(), Name: "Bee", Roles: []string{"farm"}, Parties: []string{"urn:epc:id:pgln:9521322.00000"}, Prefixes: []string{"9521322"}}}
	line("genesis", g.Encode())
	h := g.Hash()
	line("genesis-hash", h[:])
	ph := p.Hash()
	line("params-hash", ph[:])
	line("genesis-header", g.Block().Encode())
	for _, w := range g.State() {
		line("genesis-state "+fmt.Sprintf("%q", w.Key), w.Value)
	}

	sponsor := keyOf("b").Address()
	for _, payload := range onePayload(t) {
		body, err := NewBody(h, keyOf("a").Address(), 1000, payload)
		if err != nil {
			t.Fatal(err)
		}
		body.Sponsor, body.DependsOn, body.Tip, body.Salt = &sponsor, []crypto.Hash{{1}, {2}}, 3, [8]byte{4}
		tx, err := Sign(body, keyOf("a"), keyOf("b"))
		if err != nil {
			t.Fatal(err)
		}
		data, err := body.Encode()
		if err != nil {
			t.Fatal(err)
		}
		id := tx.ID()
		line("body "+payload.Kind().String(), data)
		line("id "+payload.Kind().String(), id[:])
		line("transaction "+payload.Kind().String(), tx.Raw())
	}

	receipts := goldenReceipts()
	for i := range receipts {
		line(fmt.Sprint("receipt ", i), receipts[i].Encode())
	}
	root := ReceiptsRoot(receipts)
	line("receipts-root", root[:])
	chained := ChainReceipts(crypto.Hash{1}, root)
	line("receipts-chain", chained[:])
	for _, r := range oneRecord() {
		line(fmt.Sprintf("record %T", r), mustMarshal(r))
	}
	for i, k := range oneKey() {
		line(fmt.Sprint("key ", i), k)
	}
	head := NextHead(crypto.Hash{1}, crypto.Hash{2})
	line("item-chain", head[:])

	path := filepath.Join("testdata", "golden.txt")
	if *rewriteGolden {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, old := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	if len(got) != len(old) {
		t.Fatalf("%d golden lines, want %d", len(got), len(old))
	}
	for i := range got {
		if got[i] != old[i] {
			t.Errorf("line %d:\n got %s\nwant %s", i+1, got[i], old[i])
		}
	}
}

func goldenReceipts() []Receipt {
	return []Receipt{
		{Tx: crypto.Hash{1}, Finding: Finding{EventIndex: -1}, Fee: 20},
		{Tx: crypto.Hash{2}, Fee: 40, Org: "Salinas Farm", Events: []crypto.Hash{{3}, {4}}, Status: []byte{1, 3},
			Finding: Finding{Code: CodeNotCustodian, EventIndex: 1, Field: "/epcList/0", Args: []string{"A", "x", "B"},
				Conflict: Conflict{Event: crypto.Hash{5}, Tx: crypto.Hash{6}, Height: 7}},
			Refused: []Finding{{Code: CodeSerialTaken, EventIndex: 1}}, Flags: []Flag{{Code: CodeLate, Args: []string{"1"}}}},
	}
}

// oneRecord is a filled record of every type of the state.
func oneRecord() []any {
	a, h, k := keyOf("a").Address(), crypto.Hash{9}, keyOf("k").Public()
	chain := Chain{Count: 2, Head: h, LastMs: testStart}
	packed := []PackedAmount{{Lot: "urn:l", Unit: "KGM", Amount: Amount{Coefficient: 15, Exponent: -1}, Unmeasured: true}}
	return []any{
		&Account{Balance: 1, Bonded: 2, Unbonding: []Release{{Validator: k, Epoch: 3, Amount: 4}}, Keys: []AccountKeyRecord{{Key: k, From: 5, Until: 6}}, Threshold: 2},
		&Organisation{Address: a, Name: "n", Roles: []string{"r"}, Parties: []string{"urn:p"}, Prefixes: []string{"9521321"}, Admitted: true, Since: 3},
		&partyRecord{Organisation: a},
		&Prefix{Digits: "9521321", Holders: []Tenure{{Holder: a, From: 1, Until: 2, ApprovedBy: a}}},
		&Claim{Height: 4},
		&Delegation{From: a, To: a, Scope: "9521321", Since: 1, UntilMs: 2},
		&MasterData{Type: "product", ID: "urn:x", Attributes: []Attribute{{Name: "a", Value: "b"}}, Author: a, Height: 1, Version: 2, Flags: FlagUnverified},
		&Item{ID: "urn:i", State: StateInTransit, Flags: FlagTainted, Owner: a, Custodian: a, Parent: "urn:p", Shipment: h, Place: "urn:w", Lot: "L", ExpiryMs: 1,
			Disposition: "active", BornBy: a, BornEvent: h, BornHeight: 1, LastEvent: h, LastHeight: 2, OwnerSince: 3, PackedSince: 4, Levels: 5, InsideExpiryMs: 8, Made: 6, Used: 7, Moves: 9, Chain: chain},
		&Contents{Items: []string{"urn:a", "urn:b"}, Quantities: packed},
		&Lot{ID: "urn:l", Flags: FlagUnmeasured, LotNumber: "L", ExpiryMs: 1, Units: []string{"", "KGM"}, BornBy: a, BornEvent: h, LastEvent: h, LastHeight: 4, Made: 1, Used: 2, Moves: 3, Undone: 4, Chain: chain},
		&Balance{Amount: Amount{Coefficient: 7}, Unmeasured: true, Takes: 1, Sets: 2, Arrivals: 4, LastTake: h, TakenAt: 3},
		&Shipment{Event: h, Tx: h, From: a, To: a, Party: "urn:p", Owner: a, Height: 1, TimeMs: 2, OpenItems: 3, Quantities: packed, State: ShipmentVoid,
			Shipped: Tally{Items: 9, Quantities: packed}, Rejected: Tally{Items: 1}, Short: Tally{Items: 2}, Void: Tally{Items: 3}, Disputes: []crypto.Hash{h}, OpenLines: 4},
		&DisputeRecord{ID: h, Shipment: h, From: a, To: a, Lines: []DisputeLine{{Kind: WrongLot, ID: "urn:l", Unit: "KGM", Amount: Amount{Coefficient: 3}, In: "urn:p", Found: "urn:m", Note: "n"}},
			Goods: packed, Outcomes: []Outcome{Declined}, Resolved: []crypto.Hash{h}, Note: "n", Document: h, Height: 1, TimeMs: 2, Open: 1},
		&Transit{Shipments: []crypto.Hash{h}}, &parties{List: []crypto.Address{a}},
		&Associations{
			Intervals: []Association{{Parent: "urn:p", FromMs: 1, UntilMs: 2, End: EndImplied, NoStart: true, Event: h, Height: 3, EndEvent: h}},
			Dropped:   true, DroppedMs: 4, LastEvent: h, LastHeight: 5,
		},
		&Attached{Now: []string{"urn:d"}, Before: []string{"urn:e"}, More: true, Clears: 1},
		&undoRecord{Events: []eventUndo{{Event: h, Known: true, Notes: []byte{1}}}},
		&undoBlock{Height: 1, IDs: h[:]},
		&undoQueue{Head: 1, Tail: 2},
		&Edge{Event: h, Link: h, Height: 1, Unit: "KGM", Amount: Amount{Coefficient: 3}},
		&Link{Inputs: []string{"urn:a"}, Outputs: []string{"urn:b"}, In: []Weight{{Unit: "KGM", Amount: Amount{Coefficient: 3}}},
			Out: []Weight{{Class: "urn:b", Unit: "KGM", Amount: Amount{Coefficient: 2}}}, Unweighed: true,
			Claimed: []ClaimWeight{{Claim: "organic", Unit: "KGM", Amount: Amount{Coefficient: 1}}}},
		&Attestation{ID: "urn:c", Issuer: a, Subject: a, Scope: "urn:s", Claim: "organic", Model: Segregated, Standard: "EU 2018/848", FromMs: 1, UntilMs: 2,
			Document: h, Height: 3, RevokedMs: 4, RevokedBy: a, Reason: "r"},
		&AnchorRecord{Document: h, Author: a, About: "urn:x", Media: "application/pdf", Note: "n", Tx: h, Height: 1, TimeMs: 2},
		&YieldRecord{MostPpm: 3_000_000, Note: "fish eat", Height: 1},
		&Carried{Claims: []CarriedClaim{{Claim: "organic", Model: IdentityPreserved, Certificate: "urn:c", Origin: a, Maker: a}}},
		&ClaimAccount{In: Amount{Coefficient: 3}, Out: Amount{Coefficient: 2}, Made: Amount{Coefficient: 1}},
		&evidenceCount{Attestations: 1, Plots: 2},
		&EventMark{Tx: h, Height: 1, DeclaredBy: h, Undone: true},
		&Seen{Height: 1, OK: true},
		&included{IDs: h[:]},
		&Validator{ID: k, Key: k, PeerKey: k, Name: "v", Operator: a, Stake: 1, Since: 2, Jailed: true, JailedUntilMs: 3, Tombstoned: true},
		&validatorList{Keys: []crypto.PublicKey{k}},
		&operatorRecord{IDs: []crypto.PublicKey{k}},
		&holders{Accounts: []crypto.Address{a}},
		&Tombstone{Validator: k, Offence: quorum.ExitConflict, Epoch: 1, View: 2, Evidence: h, Height: 3, TimeMs: 4, Ppm: 5, Taken: 6},
		&slashLog{Entries: []slashEntry{{Epoch: 1, TimeMs: 2, SharePpm: 3}}},
		&epochRecord{Number: 1, ValidatorSet: h, AnchorHeight: 2, AnchorHash: h, AnchorTimeMs: 3, Oldest: 4},
		&pastEpoch{ValidatorSet: h, EndTimeMs: 1},
		&setRecord{Members: []member{{Key: k, Power: 1, Operator: a}}, Last: 2},
		&duty{Delivered: 1, Missed: 2},
		&releaseQueue{First: 1, Next: 2},
		&releaseEntry{Account: a, Validator: k, Epoch: 1},
		&Proposal{ID: h, Author: a, Title: "t", Text: "x", Action: Action{Kind: ActOffice, Params: []ParamChange{{Name: "n", Value: "v"}}, Office: OfficeRegulator, Account: a,
			Grant: true, Height: 1, Version: 2}, Epoch: 3, Height: 4, LastEpoch: 5, State: ProposalFailed, Decided: 6, Yes: 7, No: 8, Total: 9,
			Votes: []Ballot{{Operator: a, Yes: true}}, Why: &Finding{Code: CodeNothingChanges, EventIndex: -1}},
		&Proposals{Made: 1, Open: []OpenProposal{{ID: h, Author: a}}},
		&upgrades{Before: Upgrade{Height: 1, Version: 2}, Latest: Upgrade{Height: 3, Version: 4}},
		&guards{UnbondingMs: 1, ExpiryWindow: 2},
		&NoticeRecord{ID: h, Type: Recall, Issuer: a, Authority: AsHolder, Subjects: []string{"urn:a", "urn:b"}, Reason: "r", Instructions: "i",
			Accepts: []crypto.Address{a}, Document: h, Height: 1, TimeMs: 2, Released: h, ReleasedAt: 3},
		&Ack{Organisation: a, Status: AckStopped, Note: "n", Height: 1, TimeMs: 2},
		&Hold{Notices: []crypto.Hash{h}, More: 3},
		&Notices{Open: 1, Head: 2, Tail: 3},
		&followSpan{Head: 1, Tail: 2},
		&followStep{Thing: "urn:a", Link: h, Whole: true, Used: 1, Listed: 2, After: "urn:b"},
		&uses{Count: 1, Last: h},
		&Supply{Total: 21, Balances: 1, Bonded: 2, Unbonding: 3, FeePool: 4, Reserve: 5, Burned: 6},
	}
}

// oneKey is a state key of every space.
func oneKey() [][]byte {
	a, h, k := keyOf("a").Address(), crypto.Hash{9}, keyOf("k").Public()
	return [][]byte{
		AccountKey(a), OrganisationKey(a), nameStateKey("Salinas  FARM"), PartyKey("urn:p"), PrefixKey("9521321"), ClaimKey("9521321", a),
		DelegationKey(a, a, "9521321"), RegistrarKey(a), MasterDataKey("product", "urn:x"), ItemKey("urn:i"), ContentsKey("urn:i"), LotKey("urn:l"),
		BalanceKey("urn:l", a, "KGM", Available), BalanceKey("urn:l", a, "KGM", Held), TransitKey("urn:l", "KGM", a, a), receiversKey("urn:l", "KGM", a), shippersKey("urn:l", "KGM", a), ShipmentKey(h), AssociationKey("urn:d"), AttachedKey("urn:p"),
		MadeKey("urn:i", 1), UsedKey("urn:i", 1), LinkKey(h), EventKey(a, h), eventIDKey(a, "urn:e", false), eventIDKey(a, "urn:e", true),
		SeenKey(h), includedKey(3), undoKey(h), undoBlockKey(3), releaseKey(3), ValidatorKey(k), StakeKey(k, a),
		rotatedKey(k), peerOwnerKey(k), holdersKey(k), operatorKey(a), TombstoneKey(a), pastEpochKey(3), setKey(h), dutyKey(3),
		NoticeKey(h), AckKey(h, a), HoldKey("urn:i"), NoticesKey(), overKey(HoldKey("urn:i"), 3), overAtKey(HoldKey("urn:i"), h), turnKey(3), FollowingKey(h), followKey(h, 3), usesKey("urn:l"), useKey("urn:l", 3),
		linkHoldKey(h), openKey(a),
		[]byte(keyEpoch), []byte(keyReleases), []byte(keySlashes), []byte(keyUndos), []byte(keyEvidence),
		AttestationKey("urn:c"), AnchorKey(h), YieldKey(a, "urn:c"), ClaimsKey("urn:i"), ClaimAccountKey(a, "organic", "KGM"),
		RegulatorKey(a), ProposalKey(h), ProposalAtKey(3), ProposalsKey(), []byte(keyGuards), []byte(keyUpgrades), []byte(keyRegulators),
		[]byte(keyGenesis), []byte(keyParams), []byte(keySupply), []byte(keyValidators), []byte(keyRegistrars),
	}
}

func TestStateKeysAreDistinct(t *testing.T) {
	seen := map[string]int{}
	for i, k := range oneKey() {
		if j, twice := seen[string(k)]; twice {
			t.Errorf("keys %d and %d are both %q", i, j, k)
		}
		seen[string(k)] = i
	}
	// No two ways of splitting the parts of a key give the same key.
	if string(MasterDataKey("a", "b/c")) == string(MasterDataKey("a/b", "c")) {
		t.Error("parts of a key run into each other")
	}
}

func TestReceiptRoundTrip(t *testing.T) {
	for i, r := range goldenReceipts() {
		again, err := DecodeReceipt(r.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if string(again.Encode()) != string(r.Encode()) || again.Code != r.Code || again.Fee != r.Fee || len(again.Flags) != len(r.Flags) {
			t.Errorf("receipt %d came back as %+v", i, again)
		}
	}
	if _, err := DecodeReceipt(append(mustMarshal(&goldenReceipts()[0]), 0)); err == nil {
		t.Error("a receipt with a byte after it was read")
	}
	if _, err := DecodeReceipt(make([]byte, maxReceiptBytes+1)); err == nil {
		t.Error("an oversized receipt was read")
	}
}

// TestEveryCodeSpeaks renders every code: a name, a rule where there is one, and sentences without gaps.
func TestEveryCodeSpeaks(t *testing.T) {
	names := map[string]Code{}
	for code, info := range codes {
		if other, twice := names[info.name]; twice {
			t.Errorf("codes %d and %d are both %q", code, other, info.name)
		}
		names[info.name] = code
		f := Finding{Code: code, EventIndex: -1, Field: "/x", Args: []string{"1777622400000", "b", "c", "d", "e", "f"}}
		text := f.String()
		if strings.ContainsAny(text, "{}?") || (code != CodeOK && info.detail == "") {
			t.Errorf("%d: %s", code, text)
		}
		if rule := code.Rule(); (rule == "") != (code < 100 || code >= 2000) || (rule != "" && !strings.HasPrefix(text, rule+": ")) {
			t.Errorf("%d: rule %q, %s", code, rule, text)
		}
		if short := (Finding{Code: code}).String(); strings.ContainsAny(short, "{}") {
			t.Errorf("%d without arguments: %s", code, short)
		}
	}
	if got := Code(7777).String(); got != "code-7777" {
		t.Error(got)
	}
	f := Finding{Code: CodeFutureEvent, EventIndex: -1, Args: []string{"1777622400000", "1777622340000", "5000"}}
	if got, want := f.Detail(), "the event time is 2026-05-01T08:00:00.000Z, more than 5 seconds after the block's 2026-05-01T07:59:00.000Z"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestGenesisRefuses is one valid genesis and a table of corruptions.
func TestGenesisRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Genesis)
		says   string
	}{
		{"version", func(g *Genesis) { g.Version = 3 }, "version is 3"},
		{"no chain", func(g *Genesis) { g.Chain = "" }, "chain"},
		{"time", func(g *Genesis) { g.TimeMs = -1 }, "timeMs"},
		{"zero account", func(g *Genesis) { g.Accounts[0].Address = crypto.Address{} }, "accounts/0"},
		{"account twice", func(g *Genesis) { g.Accounts[1] = g.Accounts[0] }, "accounts/1"},
		{"too much money", func(g *Genesis) { g.Accounts[1].Balance = maxSupply }, "accounts/1"},
		{"overflowing money", func(g *Genesis) { g.Accounts[1].Balance = 1<<64 - 1 }, "accounts/1"},
		{"no validators", func(g *Genesis) { g.Validators = nil }, "validators"},
		{"validator twice", func(g *Genesis) { g.Validators = append(g.Validators, g.Validators[0]) }, "validators"},
		{"validator without operator", func(g *Genesis) { g.Validators[0].Operator = crypto.Address{} }, "validators/0"},
		{"validator without name", func(g *Genesis) { g.Validators[0].Name = "" }, "validators/0/name"},
		{"stake too small", func(g *Genesis) { g.Validators[0].Stake = 1 }, "validators/0"},
		{"stake too large", func(g *Genesis) { g.Validators[0].Stake = 1<<64 - 1 }, "validators/0"},
		{"validator key", func(g *Genesis) { g.Validators[0].Key = crypto.PublicKey{1} }, "validators"},
		{"no registrars in a strict network", func(g *Genesis) { g.Registrars = nil }, "registrars is empty"},
		{"registrar twice", func(g *Genesis) { g.Registrars = append(g.Registrars, g.Registrars[0]) }, "registrars/1"},
		{"zero registrar", func(g *Genesis) { g.Registrars[0] = crypto.Address{} }, "registrars/0"},
		{"organisation twice", func(g *Genesis) { g.Organisations = append(g.Organisations, g.Organisations[0]) }, "organisations/1"},
		{"organisation name twice", func(g *Genesis) {
			g.Organisations = append(g.Organisations, GenesisOrganisation{Address: keyOf("q").Address(), Name: "BEE"})
		}, "organisations/1: name"},
		{"prefix twice", func(g *Genesis) {
			g.Organisations = append(g.Organisations, GenesisOrganisation{Address: keyOf("q").Address(), Name: "Q", Prefixes: []string{"9521322"}})
		}, "organisations/1: prefix"},
		{"party twice", func(g *Genesis) {
			g.Organisations = append(g.Organisations, GenesisOrganisation{Address: keyOf("q").Address(), Name: "Q", Parties: []string{"https://id.gs1.org/417/9521322000004"}})
		}, "organisations/1"},
		{"bad prefix", func(g *Genesis) { g.Organisations[0].Prefixes = []string{"12"} }, "organisations/0: prefix"},
		{"R1 off", func(g *Genesis) { g.Params.Rules.R1 = Off }, "params.rules.R1"},
		{"severity 3", func(g *Genesis) { g.Params.Rules.R7 = 3 }, "params.rules.R7"},
		{"onboarding 2", func(g *Genesis) { g.Params.Onboarding = 2 }, "params.onboarding"},
		{"negative skew", func(g *Genesis) { g.Params.ClockSkewMs = -1 }, "params.clockSkewMs is -1"},
		{"tiny transactions", func(g *Genesis) { g.Params.MaxTxBytes = 10 }, "params.maxTxBytes"},
		{"blocks smaller than transactions", func(g *Genesis) { g.Params.MaxBlockBytes = 2048 }, "params.maxBlockBytes"},
		{"no window", func(g *Genesis) { g.Params.ExpiryWindow = 0 }, "params.expiryWindow"},
		{"huge fee", func(g *Genesis) { g.Params.FeePerKiB = 1 << 63 }, "params.feePerKiB"},
		{"epoch of no blocks", func(g *Genesis) { g.Params.EpochLength = 0 }, "params.epochLength"},
	} {
		g := testGenesis(DefaultParams(), "a", "b")
		g.Organisations = []GenesisOrganisation{{Address: keyOf("b").Address(), Name: "Bee", Parties: []string{"urn:epc:id:pgln:9521322.00000"}, Prefixes: []string{"9521322"}}}
		if err := g.Validate(); err != nil {
			t.Fatal(err)
		}
		c.change(g)
		if err := g.Validate(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want something with %q", c.name, err, c.says)
		}
	}
}

func TestGenesisState(t *testing.T) {
	g := testGenesis(DefaultParams(), "a", "b")
	g.Organisations = []GenesisOrganisation{{Address: keyOf("b").Address(), Name: "Bee", Prefixes: []string{"9521322"}}}
	again, err := DecodeGenesis(g.Encode())
	if err != nil || again.Hash() != g.Hash() {
		t.Fatalf("%v", err)
	}
	n := newNet(t, g)
	checkMoney(t, n.view)
	if h, err := ReadGenesisHash(n.view); err != nil || h != g.Hash() {
		t.Errorf("%s, %v", h, err)
	}
	if ok, err := ReadRegistrar(n.view, keyOf("registrar").Address()); err != nil || !ok {
		t.Error("the registrar is none")
	}
	p, err := ReadPrefix(n.view, "9521322")
	if err != nil || p == nil {
		t.Fatal(err)
	}
	if holder, ok := p.Holder(); !ok || holder.Holder != keyOf("b").Address() {
		t.Errorf("%+v", p)
	}
	set, err := g.ValidatorSet()
	if err != nil || set.Len() != 1 || set.Total() != quorum.Power(10_000) {
		t.Errorf("%v", err)
	}
	head := g.Block()
	if _, err := quorum.DecodeHeader(head.Encode()); err != nil || head.ExecStateRoot.IsZero() || head.Params != g.Params.Hash() {
		t.Errorf("%+v, %v", head, err)
	}
	// Every field of the parameters is under their hash.
	q := DefaultParams()
	q.VoidDelayMs++
	if q.Hash() == g.Params.Hash() {
		t.Error("a changed parameter has the same hash")
	}
}
