package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// domain is what votes of an epoch are signed in.
func (n *testNet) domain(e quorum.Epoch) quorum.Domain {
	n.t.Helper()
	set, err := ReadEpochSet(n.view, e)
	if err != nil || set == nil {
		n.t.Fatalf("the set of epoch %d: %v", e, err)
	}
	return quorum.Domain{Genesis: n.hash, Set: set}
}

// evidenceOf is what two votes of a validator prove. It returns false if they prove nothing.
func evidenceOf(t testing.TB, d quorum.Domain, key crypto.PrivateKey, a, b quorum.Vote) (quorum.Evidence, bool) {
	t.Helper()
	i, ok := d.Set.Index(key.Public())
	if !ok {
		t.Fatalf("%s is not in the set", key.Public())
	}
	a.Signer, b.Signer = uint16(i), uint16(i)
	votes := []quorum.Vote{quorum.SignVote(d, key, a), quorum.SignVote(d, key, b)}
	var verified []quorum.VerifiedVote
	for _, r := range quorum.VerifyVotes(d, votes) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		verified = append(verified, r.Verified)
	}
	e, err := quorum.NewEvidence(verified[0], verified[1])
	return e, err == nil
}

// offences are two votes in the epoch for each kind of offence.
func offences(e quorum.Epoch, view quorum.View) map[quorum.Offence][2]quorum.Vote {
	vote := func(k quorum.VoteKind, block byte) quorum.Vote {
		if k == quorum.KindNullify {
			return quorum.Vote{Kind: k, Epoch: e, View: view}
		}
		return quorum.Vote{Kind: k, Epoch: e, View: view, Height: 9, Block: crypto.Hash{block}}
	}
	return map[quorum.Offence][2]quorum.Vote{
		quorum.DoubleVote:               {vote(quorum.KindNotarize, 1), vote(quorum.KindNotarize, 2)},
		quorum.ExitConflict:             {vote(quorum.KindNullify, 0), vote(quorum.KindFinalize, 2)},
		quorum.NotarizeFinalizeConflict: {vote(quorum.KindNotarize, 1), vote(quorum.KindFinalize, 2)},
		quorum.ProposerEquivocation:     {vote(quorum.KindProposal, 1), vote(quorum.KindProposal, 2)},
	}
}

// accuse is evidence of an offence of validator i in an epoch, signed with the key of that name.
func (n *testNet) accuse(e quorum.Epoch, i int, o quorum.Offence) *Transaction {
	n.t.Helper()
	return n.accuseIn(n.domain(e), e, fmt.Sprint("val ", i), o, 3)
}

func (n *testNet) accuseIn(d quorum.Domain, e quorum.Epoch, key string, o quorum.Offence, view quorum.View) *Transaction {
	n.t.Helper()
	votes := offences(e, view)[o]
	ev, ok := evidenceOf(n.t, d, keyOf(key), votes[0], votes[1])
	if !ok || ev.Offence != o {
		n.t.Fatalf("no %s", o)
	}
	tx, err := NewEvidenceTransaction(d, ev)
	if err != nil {
		n.t.Fatal(err)
	}
	return tx
}

// TestEveryOffenceIsPunished: all four kinds, once each.
func TestEveryOffenceIsPunished(t *testing.T) {
	p := shortEpochs()
	for _, o := range []quorum.Offence{quorum.DoubleVote, quorum.ExitConflict, quorum.NotarizeFinalizeConflict, quorum.ProposerEquivocation} {
		n := newNet(t, stakers(p, 3_000, 3_000, 2_000, 2_000))
		n.must(n.tx("fan", &Bond{Validator: valKey(0), Amount: 1_111}))
		tx := n.accuse(0, 0, o)
		if err := Precheck(n.view, n.height+1, tx); err != nil {
			t.Fatalf("%s: %v", o, err)
		}
		if err := Admit(n.view, n.height+1, tx); err != nil {
			t.Fatalf("%s: %v", o, err)
		}
		fan, me := n.account("fan"), n.account(op(0))
		r := n.must(tx)
		if r.Fee != 0 || !r.Executed() || len(r.Flags) != 1 || r.Flags[0].Code != CodeSlashed {
			t.Errorf("%s: %+v", o, r)
		}
		// Five per cent of what stands behind it, of everybody who bonded, rounded down: nobody else was punished.
		fan2, me2 := n.account("fan"), n.account(op(0))
		if fan.Bonded-fan2.Bonded != 55 || me.Bonded-me2.Bonded != 150 || fan2.Balance != fan.Balance || me2.Balance != me.Balance {
			t.Errorf("%s: %+v, %+v", o, fan2, me2)
		}
		stone, err := ReadTombstone(n.view, keyOf(op(0)).Address())
		want := Tombstone{Validator: valKey(0), Offence: o, View: 3, Evidence: stone.Evidence, Height: n.height, TimeMs: n.timeMs, Ppm: 50_000, Taken: 205}
		if err != nil || *stone != want {
			t.Errorf("%s: %+v, %v", o, stone, err)
		}
		// Tombstoned: elected no more, and nothing can be done with it.
		n.want(n.tx("fan", &Bond{Validator: valKey(0), Amount: 100}), CodeTombstoned)
		n.want(n.tx(op(0), &RegisterValidator{Key: valKey(7), PeerKey: keyOf("peer 7").Public(), Name: "x", Stake: 100}, "val 7"), CodeTombstoned)
		n.want(n.tx(op(0), &RotateValidatorKey{Old: valKey(0), New: valKey(8)}, "val 8"), CodeTombstoned)
		n.want(n.tx(op(0), &Unjail{Validator: valKey(0)}), CodeTombstoned)
		n.close()
		n.wantPowers("tombstoned", map[int]uint64{1: 3_000, 2: 2_000, 3: 2_000})
		// What is left can be taken out, however little stays.
		n.want(n.tx("fan", &Unbond{Validator: valKey(0), Amount: 1_055}), CodeOK)
		n.want(n.tx(op(0), &Unbond{Validator: valKey(0), Amount: 2_850}), CodeOK)
		if s, err := ReadSupply(n.view); err != nil || s.Burned != 205 {
			t.Errorf("%+v, %v", s, err)
		}
	}
}

// TestEvidenceRefused is every way in which evidence does not count. None leaves a trace, each costs a few reads.
func TestEvidenceRefused(t *testing.T) {
	p := shortEpochs()
	n := newNet(t, stakers(p, 3_000, 3_000, 2_000, 2_000))
	d0 := n.domain(0)
	early := n.accuse(0, 1, quorum.DoubleVote)
	again := n.accuseIn(d0, 0, "val 1", quorum.DoubleVote, 4) // another offence of the same operator
	other := n.accuse(0, 1, quorum.ExitConflict)
	n.must(n.tx("fan", &RegisterValidator{Key: valKey(4), PeerKey: keyOf("peer 4").Public(), Name: "new", Stake: 100}, "val 4"))
	n.close()
	d1 := n.domain(1)
	foreign := d1
	foreign.Genesis[0] ^= 1
	stranger := n.accuseIn(d1, 1, "val 4", quorum.DoubleVote, 3)
	asIf0 := withSet(t, stranger, d0.Set.Hash(), 0) // a member of epoch 1 accused of a vote in epoch 0
	for name, c := range map[string]struct {
		tx   *Transaction
		code Code
	}{
		"another network":     {n.accuseIn(foreign, 1, "val 1", quorum.DoubleVote, 3), CodeForeignNetwork},
		"an epoch to come":    {n.accuseIn(d1, 2, "val 1", quorum.DoubleVote, 3), CodeEvidenceFuture},
		"the end of epochs":   {n.accuseIn(d1, 1<<64-1, "val 1", quorum.DoubleVote, 3), CodeEvidenceFuture},
		"set of another one":  {n.accuseIn(d0, 1, "val 1", quorum.DoubleVote, 3), CodeEvidenceSet},
		"not yet a member":    {asIf0, CodeEvidenceStranger},
		"a key of nobody":     {withKey(t, stranger, keyOf("nobody")), CodeEvidenceStranger},
		"another's place":     {withKey(t, stranger, keyOf("val 2")), CodeEvidenceStranger},
		"beyond the last one": {withSigner(t, stranger, 77), CodeEvidenceStranger},
	} {
		checkEvidence(t, n, name, c.tx, c.code)
	}
	n.must(early)
	checkEvidence(t, n, "the same again", early, CodeEvidencePunished)
	checkEvidence(t, n, "another offence of the same operator", again, CodeEvidencePunished)
	checkEvidence(t, n, "another kind", other, CodeEvidencePunished)
	checkEvidence(t, n, "in another epoch", n.accuse(1, 1, quorum.DoubleVote), CodeEvidencePunished)
	// Both orders in one block: the first counts.
	first, second := n.accuse(0, 0, quorum.DoubleVote), n.accuse(1, 0, quorum.ExitConflict)
	up := n.block(second, first)
	if up.Receipts[0].Code != CodeOK || up.Receipts[1].Code != CodeEvidencePunished {
		t.Errorf("%s, %s", up.Receipts[0].Finding, up.Receipts[1].Finding)
	}
}

// checkEvidence: Precheck, Admit and Apply say the same, and the state is as if the transaction had not been there.
func checkEvidence(t *testing.T, n *testNet, name string, tx *Transaction, code Code) {
	t.Helper()
	if err := Precheck(n.view, n.height+1, tx); !errors.Is(err, code) {
		t.Errorf("%s: Precheck says %v, want %s", name, err, code)
	}
	if err := Admit(n.view, n.height+1, tx); !errors.Is(err, code) {
		t.Errorf("%s: Admit says %v, want %s", name, err, code)
	}
	with, err := Apply(n.view, n.nextBlock(tx))
	if err != nil {
		t.Fatal(err)
	}
	without, err := Apply(n.view, n.nextBlock())
	if err != nil {
		t.Fatal(err)
	}
	r := with.Receipts[0]
	if r.Code != code || r.Executed() || r.Fee != 0 || len(r.Flags) != 0 {
		t.Errorf("%s: Apply says %s, want %s", name, r.Finding, code)
	}
	if !slices.EqualFunc(with.Writes, without.Writes, func(a, b Write) bool { return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) }) {
		t.Errorf("%s left a trace in the state", name)
	}
}

// remake signs both votes of evidence anew after a change, by the key that they then claim.
func remake(t testing.TB, tx *Transaction, key crypto.PrivateKey, change func(p *SubmitEvidence, votes []*quorum.Vote)) *Transaction {
	t.Helper()
	p := *tx.Payload().(*SubmitEvidence)
	e := p.decoded()
	p.Validator = key.Public()
	votes := []*quorum.Vote{&e.First, &e.Second}
	change(&p, votes)
	for _, v := range votes {
		v.Signature = key.Sign(quorum.VoteDigest(tx.Body.Genesis, p.ValidatorSet, *v))
	}
	p.Evidence = e.Encode()
	body, err := NewBody(tx.Body.Genesis, crypto.Address{}, noExpiry, &p)
	if err != nil {
		t.Fatal(err)
	}
	out, err := NewTransaction(body, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func withKey(t testing.TB, tx *Transaction, key crypto.PrivateKey) *Transaction {
	return remake(t, tx, key, func(*SubmitEvidence, []*quorum.Vote) {})
}

func withSigner(t testing.TB, tx *Transaction, i uint16) *Transaction {
	return remake(t, tx, keyOf("val 4"), func(_ *SubmitEvidence, votes []*quorum.Vote) {
		for _, v := range votes {
			v.Signer = i
		}
	})
}

func withSet(t testing.TB, tx *Transaction, set crypto.Hash, e quorum.Epoch) *Transaction {
	return remake(t, tx, keyOf("val 4"), func(p *SubmitEvidence, votes []*quorum.Vote) {
		p.ValidatorSet = set
		for _, v := range votes {
			v.Epoch, v.Signer = e, 3
		}
	})
}

// TestEvidenceForm: what is not exactly what NewEvidenceTransaction writes is no transaction, and a wrong signature is
// found without the state.
func TestEvidenceForm(t *testing.T) {
	n := newNet(t, stakers(shortEpochs(), 3_000, 3_000, 2_000))
	good := n.accuse(0, 0, quorum.DoubleVote)
	if !good.IsEvidence() || n.tx("fan", &Transfer{To: keyOf("a").Address()}).IsEvidence() {
		t.Error("what is evidence?")
	}
	back, err := DecodeTransaction(good.Raw())
	if err != nil || back.ID() != good.ID() {
		t.Fatal(err)
	}
	// Whoever saw the votes, in whatever order, makes the same bytes.
	d := n.domain(0)
	votes := offences(0, 3)[quorum.DoubleVote]
	swapped, _ := evidenceOf(t, d, keyOf("val 0"), votes[1], votes[0])
	same, err := NewEvidenceTransaction(quorum.Domain{Genesis: d.Genesis, Set: d.Set}, swapped)
	if err != nil || !bytes.Equal(same.Raw(), good.Raw()) || same.ID() != good.ID() {
		t.Errorf("two nodes made different bytes of one offence (%v)", err)
	}
	sponsor := keyOf("fan").Address()
	for name, change := range map[string]func(*Body){
		"author":       func(b *Body) { b.Author = keyOf("fan").Address() },
		"sponsor":      func(b *Body) { b.Sponsor = &sponsor },
		"expiry":       func(b *Body) { b.ExpiryHeight-- },
		"dependencies": func(b *Body) { b.DependsOn = []crypto.Hash{{1}} },
		"tip":          func(b *Body) { b.Tip = 1 },
		"salt":         func(b *Body) { b.Salt[7] = 1 },
		"version":      func(b *Body) { b.Version = 2 },
	} {
		b := good.Body
		change(&b)
		if tx, err := NewTransaction(b, nil); err == nil {
			t.Errorf("evidence with %s: %+v", name, tx.Body)
		}
	}
	signed, err := Sign(good.Body, keyOf("fan"))
	if err == nil {
		t.Errorf("signed evidence: %v", signed.ID())
	}
	p := good.Payload().(*SubmitEvidence)
	e := p.decoded()
	for name, bad := range map[string]*SubmitEvidence{
		"no evidence":        {Validator: p.Validator, ValidatorSet: p.ValidatorSet},
		"cut":                {Validator: p.Validator, ValidatorSet: p.ValidatorSet, Evidence: p.Evidence[:len(p.Evidence)-1]},
		"long":               {Validator: p.Validator, ValidatorSet: p.ValidatorSet, Evidence: append(slices.Clone(p.Evidence), 0)},
		"no key":             {ValidatorSet: p.ValidatorSet, Evidence: p.Evidence},
		"one statement":      {Validator: p.Validator, ValidatorSet: p.ValidatorSet, Evidence: quorum.Evidence{Offence: e.Offence, First: e.First, Second: e.First}.Encode()},
		"order of the votes": {Validator: p.Validator, ValidatorSet: p.ValidatorSet, Evidence: quorum.Evidence{Offence: e.Offence, First: e.Second, Second: e.First}.Encode()},
		"another offence":    {Validator: p.Validator, ValidatorSet: p.ValidatorSet, Evidence: quorum.Evidence{Offence: quorum.ExitConflict, First: e.First, Second: e.Second}.Encode()},
	} {
		b, err := NewBody(n.hash, crypto.Address{}, noExpiry, bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewTransaction(b, nil); !errors.Is(err, ErrPayload) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Every byte of the votes, the key and the set is under the two signatures.
	for name, change := range map[string]func(*SubmitEvidence){
		"first signature":  func(p *SubmitEvidence) { p.Evidence[1+quorum.VoteSize-1] ^= 1 },
		"second signature": func(p *SubmitEvidence) { p.Evidence[len(p.Evidence)-1] ^= 1 },
		"a block":          func(p *SubmitEvidence) { p.Evidence[1+26] ^= 1 },
		"the key":          func(p *SubmitEvidence) { p.Validator = valKey(1) },
		"the set":          func(p *SubmitEvidence) { p.ValidatorSet[0] ^= 1 },
	} {
		q := SubmitEvidence{Validator: p.Validator, ValidatorSet: p.ValidatorSet, Evidence: slices.Clone(p.Evidence)}
		change(&q)
		b, err := NewBody(n.hash, crypto.Address{}, noExpiry, &q)
		if err != nil {
			t.Fatal(err)
		}
		tx, err := NewTransaction(b, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		mixed := []*Transaction{n.tx("fan", &Transfer{To: sponsor}), tx, good}
		r := VerifyTransactions(mixed)
		if r[0].Err != nil || r[2].Err != nil || !errors.Is(r[1].Err, ErrSignature) || r[1].Verified.Transaction() != nil {
			t.Errorf("%s: %v, %v, %v", name, r[0].Err, r[1].Err, r[2].Err)
		}
	}
	if _, err := NewEvidenceTransaction(d, withSigner(t, good, 3).Payload().(*SubmitEvidence).decoded()); !errors.Is(err, ErrPayload) {
		t.Errorf("a signer outside the set: %v", err)
	}
	// The simulator's judge decides instead of crypto.
	if r := VerifyTransactionsWith(refuseAll{}, []*Transaction{good}); !errors.Is(r[0].Err, ErrSignature) {
		t.Errorf("the checker was not asked: %v", r[0].Err)
	}
}

type refuseAll struct{}

func (refuseAll) VerifyBatch(checks []crypto.Check) []bool { return make([]bool, len(checks)) }

// TestEvidenceAge tries the last block in which evidence counts and the first in which it does not.
func TestEvidenceAge(t *testing.T) {
	p := shortEpochs() // two epochs and four minutes
	start := newNet(t, stakers(p, 3_000, 3_000, 2_000))
	for _, c := range []struct {
		name   string
		epochs int   // begun after the one accused
		ageMs  int64 // of its end
		code   Code
	}{
		{"its own epoch", 0, 0, CodeOK},
		{"epochs and time just not over", 2, p.UnbondingMs(), CodeOK},
		{"time long over", 2, 1_000_000_000, CodeOK},
		{"epochs over, time exactly", 3, p.UnbondingMs(), CodeOK},
		{"epochs long over, time exactly", 30, p.UnbondingMs(), CodeOK},
		{"both over", 3, p.UnbondingMs() + 1, CodeEvidenceOld},
		{"forgotten", 30, p.UnbondingMs() + 1, CodeEvidenceOld},
	} {
		net := *start
		n := &net
		n.view = start.view.clone()
		tx := n.accuse(0, 0, quorum.DoubleVote)
		end := n.timeMs
		for i := range c.epochs {
			b := n.closes(n.nextBlock())
			if b.Header.TimeMs = n.timeMs + 1; i == 0 {
				end = b.Header.TimeMs
			}
			n.keep(b)
		}
		b := n.nextBlock(tx)
		b.Header.TimeMs = max(end+c.ageMs, n.timeMs)
		if got := n.keep(b).Receipts[0].Code; got != c.code {
			t.Errorf("%s: %s, want %s", c.name, got, c.code)
		}
	}
}

// TestCorrelation: who offends beside others pays for all of them.
func TestCorrelation(t *testing.T) {
	p := shortEpochs()
	n := newNet(t, stakers(p, 10_000, 10_000, 10_000, 10_000, 60_000))
	ppm := func(i int) uint64 {
		stone, err := ReadTombstone(n.view, keyOf(op(i)).Address())
		if err != nil || stone == nil {
			t.Fatalf("validator %d: %v", i, err)
		}
		return stone.Ppm
	}
	n.must(n.accuse(0, 0, quorum.DoubleVote))
	n.must(n.accuse(0, 1, quorum.ExitConflict))
	if a, b := ppm(0), ppm(1); a != 50_000 || b != 350_000 { // 5 %, and three times the 10 % that the other had
		t.Errorf("%d, %d", a, b)
	}
	n.must(n.accuse(0, 2, quorum.DoubleVote))
	if got := ppm(2); got != 650_000 {
		t.Errorf("%d", got)
	}
	// Outside the window others do not count any more.
	for range 6 {
		n.close()
	}
	n.must(n.accuse(n.epoch().Number, 3, quorum.DoubleVote))
	if got := ppm(3); got != 50_000 {
		t.Errorf("%d", got)
	}
	// Everything, and not more, from whoever completes a third: alone, or with others.
	n = newNet(t, stakers(p, 33_333, 33_334, 33_333))
	n.must(n.accuse(0, 0, quorum.DoubleVote))
	n.must(n.accuse(0, 1, quorum.DoubleVote))
	if a, b := n.account(op(0)), n.account(op(1)); ppm(0) != 50_000 || ppm(1) != million || a.Bonded != 33_333-1_666 || b.Bonded != 0 {
		t.Errorf("%d, %d, %+v, %+v", ppm(0), ppm(1), a, b)
	}
	n = newNet(t, stakers(p, 33_334, 33_332, 33_333))
	n.must(n.accuse(0, 0, quorum.DoubleVote))
	if a := n.account(op(0)); ppm(0) != million || a.Bonded != 0 {
		t.Errorf("%d, %+v", ppm(0), a)
	}
}

// TestEveryValidatorOfTheOperator is punished, and power in the offence is that of all.
func TestEveryValidatorOfTheOperator(t *testing.T) {
	p := shortEpochs()
	g := stakers(p, 10_000, 10_000, 40_000, 40_000)
	g.Validators[1].Operator = keyOf(op(0)).Address()
	n := newNet(t, g)
	n.must(n.accuse(0, 1, quorum.DoubleVote))
	if a := n.account(op(0)); a.Bonded != 19_000 {
		t.Errorf("%+v", a)
	}
	log, err := read[slashLog](n.view, []byte(keySlashes))
	if err != nil || len(log.Entries) != 1 || log.Entries[0].SharePpm != 200_000 {
		t.Errorf("%+v, %v", log, err)
	}
	checkEvidence(t, n, "the other validator", n.accuse(0, 0, quorum.DoubleVote), CodeEvidencePunished)
	n.close()
	n.close()
	if got := n.powers(); got[0] != 0 || got[1] != 0 {
		t.Errorf("%v", got)
	}
}

// TestNoEscape: whatever an offender does before the evidence comes, the money that stood behind its offence is cut, once.
func TestNoEscape(t *testing.T) {
	p := shortEpochs()
	const offence = 0
	type step = func(n *testNet)
	unbond := func(n *testNet) { n.must(n.tx(op(0), &Unbond{Validator: valKey(0), Amount: 1_000})) }
	unbondAll := func(n *testNet) {
		n.must(n.tx(op(0), &Unbond{Validator: valKey(0), Amount: n.account(op(0)).Bonded}))
	}
	rotate := func(n *testNet) {
		n.must(n.tx(op(0), &RotateValidatorKey{Old: valKey(0), New: valKey(9)}, "val 9"))
	}
	end := func(n *testNet) { n.close() }
	bond := func(n *testNet) { n.must(n.tx(op(0), &Bond{Validator: valKey(0), Amount: 500})) }
	for name, steps := range map[string][]step{
		"nothing":                      {},
		"an epoch":                     {end},
		"unbond a part":                {unbond},
		"unbond and an epoch":          {unbond, end},
		"unbond everything":            {unbondAll},
		"unbond everything and epochs": {unbondAll, end, end},
		"rotate":                       {rotate},
		"rotate, epochs":               {rotate, end, end},
		"rotate, unbond, epochs":       {rotate, unbondAll, end, end},
		"unbond, rotate, epochs":       {unbondAll, rotate, end, end},
		"unbond in two epochs":         {unbond, end, unbond, end},
		"more money later":             {unbondAll, end, bond},
	} {
		n := newNet(t, stakers(p, 3_000, 5_000, 5_000, 5_000))
		tx := n.accuse(offence, 0, quorum.DoubleVote)
		for _, s := range steps {
			s(n)
		}
		before := n.account(op(0))
		total := before.Bonded
		for _, r := range before.Unbonding {
			total += r.Amount
		}
		n.must(tx)
		left := n.account(op(0))
		sum := left.Bonded
		for _, r := range left.Unbonding {
			sum += r.Amount
		}
		if lost := total - sum; lost != total/20 || total < 3_000 {
			t.Errorf("%s: lost %d of %d", name, lost, total)
		}
		checkEvidence(t, n, name, tx, CodeEvidencePunished)
	}
}

// TestMoneyThatDidNotStandBehindIt: what left before the epoch of the offence is not touched.
func TestMoneyThatDidNotStandBehindIt(t *testing.T) {
	n := newNet(t, stakers(shortEpochs(), 3_000, 5_000, 5_000, 5_000))
	n.must(n.tx(op(0), &Unbond{Validator: valKey(0), Amount: 1_000})) // counts in epoch 0, and perhaps in 1
	n.close()
	n.close()
	n.must(n.accuse(2, 0, quorum.DoubleVote))
	if a := n.account(op(0)); a.Bonded != 1_900 || a.Unbonding[0].Amount != 1_000 {
		t.Errorf("%+v", a)
	}
}

// TestWithoutRewardAndJail: a punished operator is paid nothing and is not jailed on top.
func TestWithoutRewardAndJail(t *testing.T) {
	p := shortEpochs()
	p.EpochReward = 1_000
	g := stakers(p, 1_000, 1_000, 1_000, 1_000)
	g.Reserve = 10_000
	n := newNet(t, g)
	n.must(n.accuse(0, 3, quorum.DoubleVote))
	n.putDuty(3, 0, 50)
	before := n.account(op(3)).Balance
	n.close()
	if v, err := ReadValidator(n.view, valKey(3)); err != nil || v.Jailed || !v.Tombstoned || n.account(op(3)).Balance != before {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestGoldenEvidence pins the transaction that reports an offence, and its receipt.
func TestGoldenEvidence(t *testing.T) {
	n := newNet(t, stakers(shortEpochs(), 3_000, 3_000, 3_000, 3_000))
	tx := n.accuse(0, 0, quorum.DoubleVote)
	r := n.must(tx)
	const id = "1ee90b2addad7c7c1497631a534c5beeadd259cce22a9378b6cdef057278526e"
	const receipt = "1113404be9bce855436d76af9859ce2da48470b4a17cd9c5603d4cd532da1ebf"
	if got := tx.ID().String(); got != id {
		t.Errorf("id %s", got)
	}
	if got := crypto.Sum(crypto.TagReceiptsChain, r.Encode()).String(); got != receipt {
		t.Errorf("receipt %s", got)
	}
	want := "operator " + keyOf(op(0)).Address().String() + " signed a contradiction (double vote in epoch 0, view 3) and lost 150, 50000 millionths of what stood behind it"
	if got := r.Flags[0].Detail(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestOnceInAnyOrder: an operator offends in several epochs and does everything it can in any order; reports of all of it
// come in at any time. Exactly one of them takes effect, and it takes the share of all that stood behind that offence.
func TestOnceInAnyOrder(t *testing.T) {
	genesis := stakers(shortEpochs(), 3_000, 5_000, 5_000, 5_000)
	start := newNet(t, genesis)
	property(t, func(rt *rapid.T) {
		net := *start
		n := &net
		n.view = start.view.clone()
		key, rotations, punished := "val 0", 0, 0
		reports := []*Transaction{n.accuse(0, 0, quorum.DoubleVote)}
		money := func(since quorum.Epoch) uint64 { // that stood behind an offence, all of it of validator 0
			sum := uint64(0)
			for _, name := range []string{op(0), "fan"} {
				a := n.account(name)
				sum += a.Bonded
				for _, r := range a.Unbonding {
					if r.Epoch >= since {
						sum += r.Amount
					}
				}
			}
			return sum
		}
		burned := func() uint64 { return n.supply().Burned }
		try := func(author string, p Payload, too ...string) { n.one(n.tx(author, p, too...)) } // may be refused
		for range rapid.IntRange(1, 14).Draw(rt, "steps") {
			amount := rapid.Uint64Range(1, 3_000).Draw(rt, "amount")
			switch rapid.IntRange(0, 7).Draw(rt, "step") {
			case 0, 1:
				n.close()
			case 2:
				try(op(0), &Unbond{Validator: valKey(0), Amount: amount})
			case 3: // never so much that the operator has a third of the power and loses everything
				try("fan", &Bond{Validator: valKey(0), Amount: amount % 300})
			case 4:
				try("fan", &Unbond{Validator: valKey(0), Amount: amount})
			case 5:
				rotations++
				next := fmt.Sprint("fresh ", rotations)
				tx := n.tx(op(0), &RotateValidatorKey{Old: keyOf(key).Public(), New: keyOf(next).Public()}, next)
				if n.one(tx).OK() {
					key = next
				}
			case 6: // another offence, with whichever key is in the set
				e := n.epoch()
				for _, name := range append([]string{"val 0"}, key) {
					if _, in := e.Set.Index(keyOf(name).Public()); in {
						reports = append(reports, n.accuseIn(n.domain(e.Number), e.Number, name, quorum.ExitConflict, quorum.View(len(reports)+1)))
						break
					}
				}
			case 7:
				tx := reports[rapid.IntRange(0, len(reports)-1).Draw(rt, "report")]
				since := tx.Payload().(*SubmitEvidence).decoded().First.Epoch
				before, burned := money(since), burned()
				r := n.one(tx)
				if !r.OK() { // what else was free by then is not the report's doing
					if burned != n.supply().Burned {
						rt.Fatalf("a refused report took money: %s", r.Finding)
					}
					continue
				}
				punished++
				// Each of the amounts was rounded down; two accounts have at most nine.
				if lost := before - money(since); lost > before/20 || lost+18 < before/20 {
					rt.Fatalf("took %d of %d", lost, before)
				}
			}
			if punished > 1 {
				rt.Fatal("punished twice")
			}
		}
		// However late, the last report still counts if none before did, unless the window is over.
		last := reports[len(reports)-1]
		if code := n.one(last).Code; punished == 1 && code == CodeOK || punished == 0 && code != CodeOK && code != CodeEvidenceOld {
			rt.Fatalf("punished %d times, and then %s", punished, code)
		}
	})
}
