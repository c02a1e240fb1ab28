package ledger

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// council is a network of four operators with equal power whose proposals are decided when their own epoch closes.
func council(t testing.TB, change func(*Params)) *testNet {
	p := shortEpochs()
	p.VotingEpochs = 0
	if change != nil {
		change(&p)
	}
	return newNet(t, stakers(p, 5_000, 5_000, 5_000, 5_000))
}

// propose makes a proposal that the first three operators vote for, and returns its id.
func (n *testNet) propose(a Action) crypto.Hash {
	n.t.Helper()
	tx := n.tx(op(0), &Propose{Title: "p", Text: "why", Action: a})
	n.must(tx)
	for i := range 3 {
		n.must(n.tx(op(i), &Vote{Proposal: tx.ID(), Yes: true}))
	}
	return tx.ID()
}

func (n *testNet) proposal(id crypto.Hash) *Proposal {
	n.t.Helper()
	p, err := ReadProposal(n.view, id)
	if err != nil || p == nil {
		n.t.Fatalf("proposal %s: %v", id, err)
	}
	return p
}

// enact passes a change of parameters and closes the epoch.
func (n *testNet) enact(changes ...ParamChange) *Proposal {
	n.t.Helper()
	id := n.propose(Action{Kind: ActParams, Params: changes})
	n.close()
	return n.proposal(id)
}

// TestParamNames compares the names of parameters with those of the genesis document, and sets each.
func TestParamNames(t *testing.T) {
	var want []string
	var walk func(prefix string, typ reflect.Type)
	walk = func(prefix string, typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			switch name := f.Tag.Get("json"); {
			case name == "rules":
				walk("rules.", f.Type)
			case name != "":
				want = append(want, prefix+name)
			}
		}
	}
	walk("", reflect.TypeFor[Params]())
	if got := ParamNames(); !slices.Equal(got, want) {
		t.Fatalf("names\n%v\nin genesis\n%v", got, want)
	}
	for _, name := range want {
		p := DefaultParams()
		before, ok := p.Value(name)
		other := map[string]string{"strict": "adopt", "open": "registrar", "reject": "flag", "flag": "off"}[before]
		if other == "" {
			other = "77"
		}
		if err := p.Set(name, other); err != nil || !ok {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := p.Value(name); after != other {
			t.Errorf("%s is %s after it was set to %s", name, after, other)
		}
		if err := p.Set(name, before); err != nil || p != DefaultParams() {
			t.Errorf("setting %s changes something else too: %v", name, err)
		}
		for _, bad := range []string{"", "x", "1.5", "-9223372036854775809", "18446744073709551616", strings.Repeat("1", 65)} {
			if err := p.Set(name, bad); !errors.Is(err, ErrGenesis) {
				t.Errorf("%s took %q: %v", name, bad, err)
			}
		}
	}
	if _, ok := new(Params).Value("nothing"); ok {
		t.Error("a parameter of no name")
	}
}

// TestProposalForm is a table of proposals that no state could carry out.
func TestProposalForm(t *testing.T) {
	a := keyOf("a").Address()
	for _, c := range []struct {
		name   string
		change func(*Propose)
		says   string // "": accepted
	}{
		{"as it is", func(*Propose) {}, ""},
		{"longest title", func(p *Propose) { p.Title = strings.Repeat("a", 100) }, ""},
		{"title too long", func(p *Propose) { p.Title = strings.Repeat("a", 101) }, "title"},
		{"no title", func(p *Propose) { p.Title = "" }, "title"},
		{"longest text", func(p *Propose) { p.Text = strings.Repeat("a", maxTextBytes) }, ""},
		{"text too long", func(p *Propose) { p.Text = strings.Repeat("a", maxTextBytes+1) }, "text"},
		{"text of no characters", func(p *Propose) { p.Text = "\xff" }, "text"},
		{"no kind", func(p *Propose) { p.Action.Kind = 0 }, "kind 0"},
		{"kind 5", func(p *Propose) { p.Action.Kind = 5 }, "kind 5"},
		{"no change", func(p *Propose) { p.Action.Params = nil }, "needs field params"},
		{"most changes", func(p *Propose) { p.Action.Params = someChanges(maxParamChanges) }, ""},
		{"a change too many", func(p *Propose) { p.Action.Params = someChanges(maxParamChanges + 1) }, "at most 32"},
		{"a change twice", func(p *Propose) { p.Action.Params = append(p.Action.Params, p.Action.Params[0]) }, "stands twice"},
		{"no such parameter", func(p *Propose) { p.Action.Params[0].Name = "feePerkib" }, "no parameter"},
		{"no number", func(p *Propose) { p.Action.Params[0].Value = "ten" }, "feePerKiB"},
		{"onboarding", func(p *Propose) { p.Action.Params = []ParamChange{{Name: "onboarding", Value: "adopt"}} }, "onboarding cannot be changed"},
		{"somebody else's account", func(p *Propose) { p.Action.Account = a }, "field account"},
		{"somebody else's height", func(p *Propose) { p.Action.Height = 1 }, "field height"},
		{"office", func(p *Propose) { p.Action = Action{Kind: ActOffice, Office: OfficeRegulator, Account: a} }, ""},
		{"no office", func(p *Propose) { p.Action = Action{Kind: ActOffice, Account: a} }, "needs field office"},
		{"office 3", func(p *Propose) { p.Action = Action{Kind: ActOffice, Office: 3, Account: a} }, "office 3"},
		{"nobody's office", func(p *Propose) { p.Action = Action{Kind: ActOffice, Office: OfficeRegistrar} }, "needs field account"},
		{"admission", func(p *Propose) { p.Action = Action{Kind: ActAdmission, Account: a, Grant: true} }, ""},
		{"nobody's admission", func(p *Propose) { p.Action = Action{Kind: ActAdmission} }, "needs field account"},
		{"upgrade", func(p *Propose) { p.Action = Action{Kind: ActUpgrade, Height: 1, Version: 2} }, ""},
		{"upgrade to nothing", func(p *Propose) { p.Action = Action{Kind: ActUpgrade, Height: 1} }, "needs field version"},
	} {
		p := &Propose{Title: "t", Action: Action{Kind: ActParams, Params: []ParamChange{{Name: "feePerKiB", Value: "1"}}}}
		c.change(p)
		if err := p.check(); (err == nil) != (c.says == "") || err != nil && (!errors.Is(err, ErrPayload) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.says)
		}
	}
	if err := (&Vote{}).check(); !errors.Is(err, ErrPayload) {
		t.Errorf("a vote about nothing: %v", err)
	}
}

func someChanges(n int) []ParamChange {
	p := DefaultParams()
	var out []ParamChange
	for _, name := range ParamNames() {
		if value, _ := p.Value(name); name != "onboarding" && len(out) < n {
			out = append(out, ParamChange{Name: name, Value: value})
		}
	}
	return out
}

// TestProposalBounds fills an operator's place and the network's.
func TestProposalBounds(t *testing.T) {
	p := shortEpochs()
	p.MaxBlockBytes, p.VotingEpochs = 16<<20, 3
	stakes := make([]uint64, 33)
	for i := range stakes {
		stakes[i] = 1_000
	}
	n := newNet(t, stakers(p, stakes...))
	made := 0
	say := func(who int) *Transaction {
		made++
		fee := ParamChange{Name: "feePerKiB", Value: decimal(uint64(100 + made))}
		return n.tx(op(who), &Propose{Title: "p", Action: Action{Kind: ActParams, Params: []ParamChange{fee}}})
	}
	for who := range 32 {
		for range maxOpenOwnProposals {
			n.must(say(who))
		}
	}
	n.want(say(0), CodeTooManyOwnOpen)
	n.want(say(32), CodeTooManyProposals)
	all, err := ReadProposals(n.view)
	if err != nil || len(all.Open) != maxOpenProposals || all.Made != maxOpenProposals {
		t.Fatalf("%d open of %d made, %v", len(all.Open), all.Made, err)
	}
	last, err := ReadProposalAt(n.view, all.Made-1)
	if err != nil || last.ID != all.Open[len(all.Open)-1].ID || last.LastEpoch != 3 {
		t.Errorf("the last proposal is %+v, %v", last, err)
	}
	if none, err := ReadProposalAt(n.view, all.Made); none != nil || err != nil {
		t.Errorf("one more: %v, %v", none, err)
	}
	for range 3 {
		n.close()
	}
	if all, _ = ReadProposals(n.view); len(all.Open) != maxOpenProposals {
		t.Errorf("%d are open before their last epoch closes", len(all.Open))
	}
	n.close()
	if all, _ = ReadProposals(n.view); len(all.Open) != 0 || all.Made != maxOpenProposals {
		t.Errorf("%d are open after their last epoch", len(all.Open))
	}
	if s := n.proposal(last.ID).State; s != ProposalRejected {
		t.Errorf("nobody voted, and it is %s", s)
	}
	n.want(n.tx(op(0), &Vote{Proposal: crypto.Hash{1}, Yes: true}), CodeNoProposal)
	n.want(n.tx(op(0), &Vote{Proposal: last.ID, Yes: true}), CodeDecided)
	n.must(say(0))
}

// TestBallotRoom lets ever other operators vote: what is kept stays bounded, and nobody's vote is lost who has power.
func TestBallotRoom(t *testing.T) {
	n := council(t, func(p *Params) { p.VotingEpochs = 9 })
	id := n.propose(Action{Kind: ActOffice, Office: OfficeRegulator, Account: keyOf("fan").Address(), Grant: true})
	rec := n.proposal(id)
	for i := 0; len(rec.Votes) < maxBallots; i++ {
		rec.Votes = append(rec.Votes, Ballot{Operator: crypto.Address{byte(i), byte(i >> 8), 1}, Yes: true})
	}
	slices.SortFunc(rec.Votes, func(a, b Ballot) int { return byOperator(a, b.Operator) })
	n.view[string(ProposalKey(id))] = mustMarshal(rec)
	n.must(n.tx(op(3), &Vote{Proposal: id, Yes: false}))
	votes := n.proposal(id).Votes
	if len(votes) != 4 || !slices.IsSortedFunc(votes, func(a, b Ballot) int { return byOperator(a, b.Operator) }) {
		t.Fatalf("%d votes are left: %+v", len(votes), votes)
	}
	n.close()
	if p := n.proposal(id); p.State != ProposalPassed || p.Yes != 15_000 || p.No != 5_000 || p.Total != 20_000 {
		t.Errorf("%+v", p)
	}
}

// TestPowerCountsWhenTheEpochCloses changes the stake after the vote, and punishes a voter.
func TestPowerCountsWhenTheEpochCloses(t *testing.T) {
	n := council(t, func(p *Params) { p.VotingEpochs = 2 })
	id := n.propose(Action{Kind: ActOffice, Office: OfficeRegulator, Account: keyOf("fan").Address(), Grant: true})
	n.must(n.tx(op(3), &Bond{Validator: valKey(3), Amount: 4_000})) // 15 of 24 are no more than two thirds
	e := n.epoch()
	ev := quorum.Evidence{Offence: quorum.DoubleVote}
	ev.First = quorum.Vote{Kind: quorum.KindNotarize, Epoch: e.Number, View: 1, Height: 1, Block: crypto.Hash{1}}
	ev.Second = ev.First
	ev.Second.Block = crypto.Hash{2}
	i, _ := e.Set.Index(valKey(2))
	ev.First.Signer, ev.Second.Signer = uint16(i), uint16(i)
	n.timeMs += 120_000
	b := n.nextBlock()
	tx, err := NewTransaction(evidenceBody(n, &SubmitEvidence{Validator: valKey(2), ValidatorSet: e.Set.Hash(), Evidence: ev.Encode()}), nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Transactions = []VerifiedTransaction{{tx: tx}} // as if its votes had been signed
	if r := n.keep(b).Receipts[0]; !r.OK() {
		t.Fatal(r.Finding)
	}
	n.want(n.tx(op(2), &Vote{Proposal: id, Yes: true}), CodeTombstoned)
	n.close()
	if p := n.proposal(id); p.State != ProposalOpen {
		t.Fatalf("10 of 20 that count: %+v", p)
	}
	n.close()
	n.close()
	p := n.proposal(id)
	if p.State != ProposalRejected || p.Yes != 10_000 || p.Total != uint64(n.lastTotal(p.LastEpoch)) {
		t.Errorf("%+v", p)
	}
}

func evidenceBody(n *testNet, p *SubmitEvidence) Body {
	n.t.Helper()
	b, err := NewBody(n.hash, crypto.Address{}, noExpiry, p)
	if err != nil {
		n.t.Fatal(err)
	}
	return b
}

func (n *testNet) lastTotal(e quorum.Epoch) quorum.Power {
	set, err := ReadEpochSet(n.view, e)
	if err != nil || set == nil {
		n.t.Fatal(err)
	}
	return set.Total()
}

// TestTallyEdges walks along both thresholds.
func TestTallyEdges(t *testing.T) {
	yes, no := crypto.Address{1}, crypto.Address{2}
	for _, c := range []struct {
		yes, no, total uint64
		last           bool
		want           ProposalState
	}{
		{66, 0, 99, false, ProposalOpen}, {66, 0, 99, true, ProposalRejected}, {67, 0, 99, false, ProposalPassed},
		{66, 0, 100, true, ProposalRejected}, {67, 0, 100, true, ProposalPassed},
		{0, 32, 99, false, ProposalOpen}, {0, 33, 99, false, ProposalRejected}, {0, 33, 100, false, ProposalOpen}, {0, 34, 100, false, ProposalRejected},
		{67, 33, 100, false, ProposalPassed}, {0, 0, 1, false, ProposalOpen}, {1, 0, 1, false, ProposalPassed},
		{maxSupply, 0, maxSupply, false, ProposalPassed}, {0, maxSupply, maxSupply, false, ProposalRejected},
		{math.MaxUint64 / 3 * 2, 0, math.MaxUint64, true, ProposalRejected}, {math.MaxUint64/3*2 + 1, 0, math.MaxUint64, true, ProposalPassed},
	} {
		b := &blockRun{}
		b.epoch.Number = 5
		p := &Proposal{LastEpoch: 6, Votes: []Ballot{{Operator: yes, Yes: true}, {Operator: no}, {Operator: crypto.Address{3}, Yes: true}}}
		if c.last {
			p.LastEpoch = 5
		}
		if decided := b.tally(p, map[crypto.Address]uint64{yes: c.yes, no: c.no}, c.total); p.State != c.want || decided != (c.want != ProposalOpen) {
			t.Errorf("%+v: %s, decided %t", c, p.State, decided)
		}
	}
}

// TestParamsHoldFromTheNextEpoch looks at the closing block and the one after it.
func TestParamsHoldFromTheNextEpoch(t *testing.T) {
	n := council(t, nil)
	n.propose(Action{Kind: ActParams, Params: []ParamChange{{Name: "feePerTransaction", Value: "500"}}})
	pay := func() *Transaction { return n.tx("fan", &Transfer{To: keyOf("registrar").Address(), Amount: 1}) }
	if fee := n.close(pay()).Receipts[0].Fee; fee != 20 {
		t.Errorf("in the closing block the fee is %d", fee)
	}
	if fee := n.must(pay()).Fee; fee != 510 {
		t.Errorf("in the block after it the fee is %d", fee)
	}
	p, err := ReadParams(n.view)
	if err != nil || p.FeePerTransaction != 500 || p.Hash() == n.genesis.Params.Hash() {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestTogetherOrNot passes two changes that are each valid and not both: the second fails and changes nothing.
func TestTogetherOrNot(t *testing.T) {
	n := council(t, nil)
	first := n.propose(Action{Kind: ActParams, Params: []ParamChange{{Name: "maxTxBytes", Value: "600000"}}})
	second := n.propose(Action{Kind: ActParams, Params: []ParamChange{{Name: "feePerKiB", Value: "77"}, {Name: "maxBlockBytes", Value: "500000"}}})
	n.close()
	if s := n.proposal(first).State; s != ProposalPassed {
		t.Fatal(s)
	}
	p := n.proposal(second)
	if p.State != ProposalFailed || p.Why == nil || p.Why.Code != CodeParamBounds || p.Why.Field != "/action/params/1" || p.Yes != 15_000 {
		t.Errorf("%+v", p)
	}
	if now, _ := ReadParams(n.view); now.MaxTxBytes != 600_000 || now.FeePerKiB != 10 || now.MaxBlockBytes != 4<<20 {
		t.Errorf("%+v", now)
	}
}

// TestNoReplayAfterAShorterWindow executes a transaction under a long window and tries it again under a short one, until
// it has expired.
func TestNoReplayAfterAShorterWindow(t *testing.T) {
	n := council(t, func(p *Params) { p.ExpiryWindow = 40 })
	b := n.body("fan", &Transfer{To: keyOf("registrar").Address(), Amount: 1})
	b.ExpiryHeight = n.height + 40
	tx := n.sign(b, "fan")
	n.must(tx)
	if p := n.enact(ParamChange{Name: "expiryWindow", Value: "15"}); p.State != ProposalPassed {
		t.Fatal(p.Why)
	}
	for n.height+1 < b.ExpiryHeight {
		if r := n.one(tx); r.Code != CodeSeen && r.Code != CodeExpiryTooFar {
			t.Fatalf("at height %d of %d: %s", n.height, b.ExpiryHeight, r.Finding)
		}
	}
	n.want(tx, CodeSeen)
	n.want(tx, CodeExpired)
	n.block()
	if seen, err := ReadSeen(n.view, tx.ID()); seen != nil || err != nil {
		t.Errorf("remembered for ever: %+v, %v", seen, err)
	}
}

// TestFeesCanBeVotedDown makes everything dearer than all money there is. Operators still say so.
func TestFeesCanBeVotedDown(t *testing.T) {
	n := council(t, nil)
	n.enact(ParamChange{Name: "feePerTransaction", Value: decimal(uint64(maxFee))})
	r := n.one(n.tx("fan", &Transfer{To: keyOf("registrar").Address(), Amount: 1}))
	if r.Code != CodeFee {
		t.Fatalf("%s", r.Finding)
	}
	n.want(n.tx("fan", &Propose{Title: "x", Action: Action{Kind: ActAdmission, Account: keyOf("fan").Address()}}), CodeFee)
	n.enact(ParamChange{Name: "feePerTransaction", Value: "1"})
	if got := n.account(op(0)).Balance; got > 1_000_000 {
		t.Errorf("operator has %d", got)
	}
	n.must(n.tx("fan", &Transfer{To: keyOf("registrar").Address(), Amount: 1}))
}

// TestOfficesAreBounded fills an office to its limit.
func TestOfficesAreBounded(t *testing.T) {
	n := council(t, nil)
	give := func(i int) Action {
		return Action{Kind: ActOffice, Office: OfficeRegulator, Account: crypto.Address{byte(i), 7}, Grant: true}
	}
	b := &blockRun{o: newOverlay(n.view), params: n.genesis.Params}
	for i := range maxRegistrars {
		a := give(i)
		if f := b.canDo(&a); f != nil {
			t.Fatalf("number %d: %s", i, f)
		}
		b.carryOut(&a)
	}
	writes, err := b.o.writes()
	if err != nil {
		t.Fatal(err)
	}
	n.view.apply(writes)
	a := give(maxRegistrars)
	n.want(n.tx(op(0), &Propose{Title: "one more", Action: a}), CodeTooManyOfficers)
	a = give(3)
	a.Grant = false
	id := n.propose(a)
	n.close()
	if p := n.proposal(id); p.State != ProposalPassed {
		t.Fatal(p.Why)
	}
	if holds, err := ReadRegulator(n.view, a.Account); holds || err != nil {
		t.Errorf("still a regulator, %v", err)
	}
	if acct, err := ReadAccount(n.view, a.Account); acct == nil || err != nil {
		t.Errorf("an office without an account: %v", err)
	}
}

// TestUpgradeStopsThisProgram decides an upgrade that this program does not have: blocks below its height go on, that one
// is refused with the error that says what to do, and nothing is changed.
func TestUpgradeStopsThisProgram(t *testing.T) {
	n := council(t, nil)
	id := n.propose(Action{Kind: ActUpgrade, Height: n.height + 20, Version: ProtocolVersion + 1})
	stop := n.proposal(id).Action.Height
	n.close()
	u, err := NewerProtocol(n.view)
	if err != nil || u == nil || u.Height != stop || u.Version != ProtocolVersion+1 {
		t.Fatalf("%+v, %v", u, err)
	}
	for n.height+1 < stop {
		n.block()
	}
	before := n.view.clone()
	_, err = Apply(n.view, n.nextBlock())
	if !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), fmt.Sprintf("install a program that runs protocol %d", ProtocolVersion+1)) {
		t.Fatalf("got %v", err)
	}
	if !reflect.DeepEqual(before, n.view) {
		t.Error("the state changed")
	}
	if err := u.Refuses(stop - 1); err != nil {
		t.Error(err)
	}
	if err := (*Upgrade)(nil).Refuses(stop); err != nil {
		t.Error(err)
	}
}

// TestUpgradeIsPutOff replaces an upgrade that has not come.
func TestUpgradeIsPutOff(t *testing.T) {
	n := council(t, nil)
	n.propose(Action{Kind: ActUpgrade, Height: 60, Version: 2})
	n.close()
	id := n.propose(Action{Kind: ActUpgrade, Height: 90, Version: 2})
	n.close()
	if u, err := ReadUpgrade(n.view); err != nil || u.Height != 90 || n.proposal(id).State != ProposalPassed {
		t.Fatalf("%+v, %v", u, err)
	}
	rec := upgrades{Latest: Upgrade{Height: 90, Version: 2}}
	for h, want := range map[quorum.Height]uint64{1: 1, 89: 1, 90: 2, 91: 2} {
		if got := rec.at(h); got != want {
			t.Errorf("block %d is of protocol %d", h, got)
		}
	}
	b := &blockRun{o: newOverlay(n.view), height: 95}
	b.upgrade(&Action{Height: 200, Version: 5})
	if rec, _ = get[upgrades](b.o, []byte(keyUpgrades)); rec.at(95) != 2 || rec.at(199) != 2 || rec.at(200) != 5 {
		t.Errorf("%+v", rec)
	}
	if f := b.canUpgrade(&Action{Height: 900, Version: 2}); f == nil || f.Code != CodeUpgradeOld {
		t.Errorf("back to protocol 2: %v", f)
	}
}

// TestEnumTexts goes there and back.
func TestEnumTexts(t *testing.T) {
	for _, k := range []ActionKind{ActParams, ActOffice, ActAdmission, ActUpgrade} {
		var again ActionKind
		text, _ := k.MarshalText()
		if err := again.UnmarshalText(text); err != nil || again != k {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, o := range []Office{OfficeRegistrar, OfficeRegulator} {
		var again Office
		text, _ := o.MarshalText()
		if err := again.UnmarshalText(text); err != nil || again != o {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, s := range []ProposalState{ProposalOpen, ProposalPassed, ProposalRejected, ProposalFailed} {
		var again ProposalState
		text, _ := s.MarshalText()
		if err := again.UnmarshalText(text); err != nil || again != s {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := new(Office).UnmarshalText(nil); !errors.Is(err, ErrPayload) || Office(9).String() != "office 9" || ActionKind(0).String() != "action 0" {
		t.Errorf("%v", err)
	}
}

// TestAnyParams passes random changes of the parameters, mostly at and beyond their bounds, one epoch after the other. No
// block fails, what is in force is always valid, money is conserved (see keep), and operators can always say the next word.
func TestAnyParams(t *testing.T) {
	names := slices.DeleteFunc(ParamNames(), func(s string) bool { return s == "onboarding" })
	passed := 0
	defer func() {
		if passed == 0 {
			t.Error("no proposal of any passed")
		}
	}()
	property(t, func(r *rapid.T) {
		n := council(t, func(p *Params) { p.EpochReward = 50 })
		for range rapid.IntRange(1, 6).Draw(r, "epochs") {
			for i := range rapid.IntRange(1, 3).Draw(r, "proposals") {
				now, err := ReadParams(n.view)
				if err != nil {
					t.Fatal(err)
				}
				a := Action{Kind: ActParams}
				for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 4, rapid.ID).Draw(r, "names") {
					a.Params = append(a.Params, ParamChange{Name: name, Value: anyValue(r, now, name)})
				}
				p := &Propose{Title: "t", Action: a}
				if p.check() != nil {
					continue
				}
				say := func(who int, p Payload) Receipt {
					b := n.body(op(who), p)
					b.ExpiryHeight = n.height + 1
					return n.one(n.sign(b, op(who)))
				}
				tx := say(i, p)
				if !tx.Executed() {
					t.Fatalf("under %+v an operator cannot propose: %s", now, tx.Finding)
				}
				for who := range 4 {
					if got := say(who, &Vote{Proposal: tx.Tx, Yes: true}); got.OK() != tx.OK() || !got.Executed() {
						t.Fatalf("under %+v an operator cannot vote: %s", now, got.Finding)
					}
				}
			}
			n.close()
			now, err := ReadParams(n.view)
			if err != nil || now.Validate() != nil || now.UnbondingMs() < n.genesis.Params.UnbondingMs() || now.Onboarding != Strict {
				t.Fatalf("%+v, %v, %v", now, err, now.Validate())
			}
			n.block(n.tx("fan", &Transfer{To: keyOf("registrar").Address(), Amount: 1}))
			if *now != n.genesis.Params {
				passed++
			}
		}
	})
}

// anyValue is a value of a parameter at, near or far beyond its bounds.
func anyValue(r *rapid.T, now *Params, name string) string {
	for _, b := range now.bounds() {
		if b.name == name {
			return decimal(rapid.SampledFrom([]uint64{b.low, b.high, b.low + 1, (b.low + b.high) / 2, b.low - 1, b.high + 1, 0, 1, math.MaxUint64, b.low * 3}).Draw(r, name))
		}
	}
	return rapid.SampledFrom([]string{"off", "flag", "reject", "open", "registrar"}).Draw(r, name)
}
