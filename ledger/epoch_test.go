package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// stakers makes a genesis of validators "val 0", "val 1"… with these stakes, each of an operator "op 0", "op 1"…
func stakers(p Params, stakes ...uint64) *Genesis {
	g := testGenesis(p, "fan")
	g.Validators = nil
	for i, s := range stakes {
		g.Validators = append(g.Validators, GenesisValidator{
			Name: fmt.Sprint("v", i), Key: valKey(i), PeerKey: keyOf(fmt.Sprint("peer ", i)).Public(), Stake: s, Operator: keyOf(op(i)).Address(),
		})
		g.Accounts = append(g.Accounts, GenesisAccount{Address: keyOf(op(i)).Address(), Balance: 1_000_000})
	}
	return g
}

func op(i int) string               { return fmt.Sprint("op ", i) }
func valKey(i int) crypto.PublicKey { return keyOf(fmt.Sprint("val ", i)).Public() }

// shortEpochs are parameters under which tests see epochs go by.
func shortEpochs() Params {
	p := DefaultParams()
	p.EpochLength, p.EpochMs, p.UnbondingEpochs, p.MinBond = 4, 120_000, 2, 100
	p.DowntimeSlots, p.JailMs = 2, 600_000
	return p
}

func (n *testNet) epoch() *Epoch {
	n.t.Helper()
	e, err := CurrentEpoch(n.view)
	if err != nil {
		n.t.Fatal(err)
	}
	return e
}

// powers are the powers of the current set by the number of the validator; -1 collects the others.
func (n *testNet) powers() map[int]uint64 {
	n.t.Helper()
	out := map[int]uint64{}
	for _, v := range n.epoch().Set.Validators() {
		who := -1
		for i := range 20 {
			if valKey(i) == v.Key {
				who = i
			}
		}
		out[who] += uint64(v.Power)
	}
	return out
}

func (n *testNet) wantPowers(what string, want map[int]uint64) {
	n.t.Helper()
	if got := n.powers(); !reflect.DeepEqual(got, want) {
		n.t.Errorf("%s: powers %v, want %v", what, got, want)
	}
}

func (n *testNet) account(name string) *Account {
	n.t.Helper()
	a, err := ReadAccount(n.view, keyOf(name).Address())
	if err != nil || a == nil {
		n.t.Fatalf("%s: %v", name, err)
	}
	return a
}

func (n *testNet) supply() *Supply {
	n.t.Helper()
	s, err := ReadSupply(n.view)
	if err != nil {
		n.t.Fatal(err)
	}
	return s
}

func (n *testNet) want(tx *Transaction, code Code) Receipt {
	n.t.Helper()
	r := n.one(tx)
	if r.Code != code {
		n.t.Errorf("got %s, want %s", r.Finding, code)
	}
	return r
}

// TestEpochRule goes through both sides of both conditions.
func TestEpochRule(t *testing.T) {
	p := DefaultParams()
	p.EpochLength, p.EpochMs = 10, 1_000
	const top = math.MaxUint64
	for _, c := range []struct {
		rule      EpochRule
		anchor, h quorum.Height
		at, now   int64
		full, old bool
	}{
		{p.EpochRule(), 0, 0, 0, 0, false, false},
		{p.EpochRule(), 0, 9, 0, 999, false, false},
		{p.EpochRule(), 0, 10, 0, 1_000, true, true}, // exactly
		{p.EpochRule(), 0, 11, 0, 1_001, true, true}, // late: the node could not close before
		{p.EpochRule(), 100, 109, 5_000, 5_999, false, false},
		{p.EpochRule(), 100, 110, 5_000, 6_000, true, true},
		{p.EpochRule(), 100, 100, 5_000, 5_000, false, false}, // the anchor itself
		{p.EpochRule(), 100, 99, 5_000, 4_000, false, false},
		{p.EpochRule(), top - 5, top, math.MaxInt64 - 1, math.MaxInt64, false, false},
		{p.EpochRule(), top - 10, top, math.MaxInt64 - 1_000, math.MaxInt64, true, true},
		{EpochRule{Length: 1}, 7, 8, 0, math.MaxInt64, true, false},
		{EpochRule{Ms: 1}, 0, top, 7, 8, false, true},
		{EpochRule{}, 0, top, 0, math.MaxInt64, false, false},
	} {
		if full, old := c.rule.Full(c.anchor, c.h), c.rule.Overdue(c.at, c.now); full != c.full || old != c.old {
			t.Errorf("%+v: full %t, overdue %t", c, full, old)
		}
	}
}

// TestParamsExtremes sets every number of the parameters to its edges and beyond: what Validate takes, a network can run
// with; what it refuses is named.
func TestParamsExtremes(t *testing.T) {
	set := func(f func(*Params)) Params {
		p := DefaultParams()
		f(&p)
		return p
	}
	for _, c := range []struct {
		name string
		p    Params
		says string // "": accepted
	}{
		{"defaults", DefaultParams(), ""},
		{"adopt", AdoptParams(), ""},
		{"epochLength 0", set(func(p *Params) { p.EpochLength = 0 }), "params.epochLength"},
		{"epochLength as the exec delay", set(func(p *Params) { p.EpochLength = p.ExecDelay }), "params.epochLength"},
		{"epochLength one more", set(func(p *Params) { p.EpochLength, p.EpochMs = p.ExecDelay+1, 60_000 }), ""},
		{"epochLength at most", set(func(p *Params) { p.EpochLength = maxEpochLength }), ""},
		{"epochLength above", set(func(p *Params) { p.EpochLength = maxEpochLength + 1 }), "params.epochLength"},
		{"epochLength 2^63", set(func(p *Params) { p.EpochLength = 1 << 63 }), "params.epochLength"},
		{"epochMs 0", set(func(p *Params) { p.EpochMs = 0 }), "params.epochMs"},
		{"epochMs negative", set(func(p *Params) { p.EpochMs = -1 }), "params.epochMs is -1"},
		{"epochMs least", set(func(p *Params) { p.EpochMs = p.MinBlockIntervalMs }), ""},
		{"epochMs most", set(func(p *Params) { p.EpochMs = math.MaxInt64 }), "params.epochMs"},
		{"unbondingEpochs 0", set(func(p *Params) { p.UnbondingEpochs = 0 }), "params.unbondingEpochs"},
		{"unbondingEpochs 1", set(func(p *Params) { p.UnbondingEpochs = 1 }), "params.unbondingEpochs"},
		{"unbondingEpochs 2", set(func(p *Params) { p.UnbondingEpochs = 2 }), ""},
		{"unbondingEpochs most", set(func(p *Params) { p.UnbondingEpochs, p.EpochMs = maxUnbondingEpochs, 100_000 }), ""},
		{"unbondingEpochs above", set(func(p *Params) { p.UnbondingEpochs = maxUnbondingEpochs + 1 }), "params.unbondingEpochs"},
		{"unbondingEpochs 2^64-1", set(func(p *Params) { p.UnbondingEpochs = math.MaxUint64 }), "params.unbondingEpochs"},
		{"window over ten years", set(func(p *Params) { p.UnbondingEpochs, p.EpochMs = 2, maxPeriodMs/2+1 }), "params.unbondingEpochs"},
		{"window of ten years", set(func(p *Params) { p.UnbondingEpochs, p.EpochMs = 2, maxPeriodMs/2 }), "epochs can end within"},
		{"too many epochs to keep", set(func(p *Params) { p.EpochLength, p.MinBlockIntervalMs = 3, 1 }), "epochs can end within"},
		{"epochReward most", set(func(p *Params) { p.EpochReward = maxSupply }), ""},
		{"epochReward above", set(func(p *Params) { p.EpochReward = maxSupply + 1 }), "params.epochReward"},
		{"slashPpm 0", set(func(p *Params) { p.SlashPpm = 0 }), "params.slashPpm"},
		{"slashPpm 1", set(func(p *Params) { p.SlashPpm = 1 }), ""},
		{"slashPpm all", set(func(p *Params) { p.SlashPpm = million }), ""},
		{"slashPpm above", set(func(p *Params) { p.SlashPpm = million + 1 }), "params.slashPpm"},
		{"downtimePercent 0", set(func(p *Params) { p.DowntimePercent = 0 }), "params.downtimePercent"},
		{"downtimePercent 100", set(func(p *Params) { p.DowntimePercent = 100 }), ""},
		{"downtimePercent 101", set(func(p *Params) { p.DowntimePercent = 101 }), "params.downtimePercent"},
		{"downtimeSlots 0", set(func(p *Params) { p.DowntimeSlots = 0 }), "params.downtimeSlots"},
		{"jailMs 0", set(func(p *Params) { p.JailMs = 0 }), ""},
		{"jailMs negative", set(func(p *Params) { p.JailMs = math.MinInt64 }), "params.jailMs"},
		{"minBond 0", set(func(p *Params) { p.MinBond = 0 }), "params.minBond"},
		{"minBond all money", set(func(p *Params) { p.MinBond = maxSupply }), ""},
		{"execDelay 0", set(func(p *Params) { p.ExecDelay = 0 }), "params.execDelay"},
	} {
		err := c.p.Validate()
		if (c.says == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), c.says) || !errors.Is(err, ErrGenesis)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.says)
		}
		if err == nil && (c.p.UnbondingMs() <= 0 || c.p.TrustingMs() >= c.p.UnbondingMs()) {
			t.Errorf("%s: unbonding %d ms, trusting %d ms", c.name, c.p.UnbondingMs(), c.p.TrustingMs())
		}
	}
}

// TestHandOver follows a set change through its epoch.
func TestHandOver(t *testing.T) {
	n := newNet(t, stakers(shortEpochs(), 3_000, 3_000, 3_000))
	if e := n.epoch(); e.Number != 0 || e.AnchorHeight != 0 || e.AnchorTimeMs != testStart || e.Set.Total() != 9_000 {
		t.Errorf("%+v", e)
	}
	n.must(n.tx(op(0), &Bond{Validator: valKey(0), Amount: 500}))
	n.wantPowers("bonded", map[int]uint64{0: 3_000, 1: 3_000, 2: 3_000})
	up := n.close()
	n.wantPowers("after the closing block", map[int]uint64{0: 3_500, 1: 3_000, 2: 3_000})
	e := n.epoch()
	if e.Number != 1 || e.AnchorHeight != n.height || e.AnchorHash != up.Block || e.AnchorTimeMs != n.timeMs {
		t.Errorf("%+v", e)
	}
	for number, total := range map[quorum.Epoch]quorum.Power{0: 9_000, 1: 9_500} {
		if set, err := ReadEpochSet(n.view, number); err != nil || set.Total() != total {
			t.Errorf("epoch %d: %v", number, err)
		}
	}
	if set, err := ReadEpochSet(n.view, 2); err != nil || set != nil {
		t.Errorf("an epoch to come: %v, %v", set, err)
	}
	// No block of the old epoch comes any more.
	b := n.nextBlock()
	b.Header.Epoch--
	if _, err := Apply(n.view, b); !errors.Is(err, ErrBlock) {
		t.Errorf("a block of epoch 0 in epoch 1: %v", err)
	}
}

func TestBlocksThatAreNotTheNext(t *testing.T) {
	n := newNet(t, stakers(shortEpochs(), 3_000, 3_000, 3_000))
	other, err := stakers(shortEpochs(), 3_000).ValidatorSet()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Block){
		"a tail":                  func(b *Block) { b.Header.Flags, b.Next = quorum.FlagTail, nil },
		"an epoch to come":        func(b *Block) { b.Header.Epoch++ },
		"closing without a set":   func(b *Block) { b.Next = nil },
		"closing with another":    func(b *Block) { b.Next = other },
		"a set and not closing":   func(b *Block) { b.Header.Flags = 0 },
		"header of another set":   func(b *Block) { b.Header.NextValidatorSet[0] ^= 1 },
		"closing with every flag": func(b *Block) { b.Header.Flags |= quorum.FlagTail },
	} {
		b := n.closes(n.nextBlock())
		if _, err := Apply(n.view, b); err != nil {
			t.Fatal(err)
		}
		change(b)
		if up, err := Apply(n.view, b); !errors.Is(err, ErrBlock) || up != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestElection: who is in the next set, and who is not.
func TestElection(t *testing.T) {
	p := shortEpochs()
	n := newNet(t, stakers(p, 1_000, 1_000, 1_000, 1_000))
	fan := keyOf("fan")
	n.must(n.tx("fan", &RegisterValidator{Key: valKey(4), PeerKey: keyOf("peer 4").Public(), Name: "new", Stake: 100}, "val 4"))
	n.close()
	n.wantPowers("a newcomer", map[int]uint64{0: 1_000, 1: 1_000, 2: 1_000, 3: 1_000, 4: 100})
	if key, err := PeerKeyOf(n.view, valKey(4)); err != nil || key != keyOf("peer 4").Public() {
		t.Errorf("%s, %v", key, err)
	}
	if key, err := PeerKeyOf(n.view, fan.Public()); err != nil || !key.IsZero() {
		t.Errorf("%s, %v", key, err)
	}
	// At most a third of the power moves: 1366 of 4100, half for cuts and half for growth.
	n.must(n.tx(op(0), &Unbond{Validator: valKey(0), Amount: 1_000}))
	n.must(n.tx(op(1), &Bond{Validator: valKey(1), Amount: 50_000}))
	before := n.epoch().Set
	n.close()
	if m := changeOf(before, n.epoch().Set); m == 0 || m > uint64(before.Total())/3 {
		t.Errorf("moved %d of %d", m, before.Total())
	}
	for range 20 {
		before := n.epoch().Set
		n.close()
		if m := changeOf(before, n.epoch().Set); m > uint64(before.Total())/3 {
			t.Errorf("moved %d of %d", m, before.Total())
		}
	}
	n.wantPowers("in the end", map[int]uint64{1: 51_000, 2: 1_000, 3: 1_000, 4: 100})
	// Nobody left to elect: the set goes on.
	for i := 1; i <= 3; i++ {
		n.must(n.tx(op(i), &Unbond{Validator: valKey(i), Amount: n.account(op(i)).Bonded}))
	}
	n.must(n.tx("fan", &Unbond{Validator: valKey(4), Amount: 100}))
	n.close()
	n.wantPowers("nobody qualifies", map[int]uint64{1: 51_000, 2: 1_000, 3: 1_000, 4: 100})
}

func changeOf(a, b *quorum.Set) uint64 {
	powers := map[crypto.PublicKey][2]uint64{}
	for i, s := range []*quorum.Set{a, b} {
		for _, v := range s.Validators() {
			p := powers[v.Key]
			p[i] = uint64(v.Power)
			powers[v.Key] = p
		}
	}
	sum := uint64(0)
	for _, p := range powers {
		sum += max(p[0], p[1]) - min(p[0], p[1])
	}
	return sum
}

// TestMoreCandidatesThanSeats fills the list beyond the largest set: stake decides, then the key.
func TestMoreCandidatesThanSeats(t *testing.T) {
	p := shortEpochs()
	n := newNet(t, stakers(p, 10_000, 10_000, 10_000))
	list, err := ReadValidators(n.view)
	if err != nil {
		t.Fatal(err)
	}
	var ids []crypto.PublicKey
	for _, v := range list {
		ids = append(ids, v.ID)
	}
	// Written into the state directly: thousands of signatures are not what this is about.
	smallest, last := crypto.PublicKey{}, crypto.PublicKey{}
	for i := range quorum.MaxValidators + 40 {
		key := keyOf(fmt.Sprint("crowd ", i)).Public()
		v := Validator{ID: key, Key: key, Name: "c", Operator: keyOf("fan").Address(), Stake: 100}
		if i == 7 {
			v.Stake, smallest = 99, key // below MinBond
		}
		if i == 8 {
			v.Stake, last = 101, key // above all others
		}
		n.view[string(ValidatorKey(key))] = mustMarshal(v)
		ids = append(ids, key)
	}
	n.view[keyValidators] = mustMarshal(validatorList{Keys: ids})
	next, err := NextSet(n.view)
	if err != nil {
		t.Fatal(err)
	}
	if next.Len() > quorum.MaxValidators {
		t.Errorf("%d validators", next.Len())
	}
	again, err := NextSet(n.view)
	if err != nil || again.Hash() != next.Hash() {
		t.Error("elected differently")
	}
	if _, in := next.Index(smallest); in {
		t.Error("one below the smallest stake was elected")
	}
	if _, in := next.Index(last); !in {
		t.Error("the largest newcomer was not elected")
	}
	// Of equal stakes the smaller keys: nobody outside is below somebody inside.
	var worstIn crypto.PublicKey
	for _, v := range next.Validators() {
		if v.Power == 100 && string(v.Key[:]) > string(worstIn[:]) {
			worstIn = v.Key
		}
	}
	for _, k := range ids[3:] {
		if _, in := next.Index(k); !in && k != smallest && string(k[:]) < string(worstIn[:]) {
			t.Fatalf("%s was passed over for %s", k, worstIn)
		}
	}
}

// TestDuty counts views against the leaders of the slate that quorum names.
func TestDuty(t *testing.T) {
	n := newNet(t, stakers(shortEpochs(), 3_000, 2_000, 1_000))
	anchor := crypto.Hash{5}
	set := n.epoch().Set
	slate := quorum.NewSlate(set, anchor)
	want := make([]duty, set.Len())
	parent := quorum.View(0)
	for i, view := range []quorum.View{1, 3, 4, 4 + 1 + quorum.View(slate.Len())*3 + 17, 1 << 40} {
		b := n.nextBlock()
		b.Header.View, b.Header.ParentView = view, parent
		b.Header.Proposer = uint16(slate.Leader(view))
		if i == 0 {
			b.Header.Parent = anchor // the genesis block
		}
		want[slate.Leader(view)].Delivered++
		if gap := view - parent - 1; gap < 10_000 {
			for u := parent + 1; u < view; u++ {
				want[slate.Leader(u)].Missed++
			}
		} else { // too many to go through: by the share of each slot
			for s := range slate.Len() {
				first := parent + 1 + quorum.View(s)
				want[slate.Leader(first)].Missed += uint64((view-1-first)/quorum.View(slate.Len())) + 1
			}
		}
		n.keep(b)
		parent = view
	}
	for i := range want {
		got, err := read[duty](n.view, dutyKey(i))
		if err != nil || got.Delivered != want[i].Delivered || got.Missed != want[i].Missed {
			t.Errorf("validator %d: %+v, want %+v (%v)", i, got, want[i], err)
		}
	}
	if n.epoch().AnchorHash != anchor {
		t.Error("the genesis block is not known")
	}
	n.close()
	for i := range want {
		if got, err := read[duty](n.view, dutyKey(i)); err != nil || got != nil {
			t.Errorf("validator %d still has %+v from the epoch before (%v)", i, got, err)
		}
	}
}

// putDuty writes what a validator did in this epoch.
func (n *testNet) putDuty(i int, delivered, missed uint64) {
	index, ok := n.epoch().Set.Index(valKey(i))
	if !ok {
		n.t.Fatalf("validator %d is not in the set", i)
	}
	n.view[string(dutyKey(index))] = mustMarshal(duty{Delivered: delivered, Missed: missed})
}

// TestRewards: by power and by slots, rounded down; nothing appears and nothing is lost.
func TestRewards(t *testing.T) {
	p := shortEpochs()
	p.EpochReward = 1_001
	g := stakers(p, 5_000, 3_000, 2_000)
	g.Reserve = 1_500
	n := newNet(t, g)
	if n.epoch().Set.At(0).Key != valKey(0) { // who proposes the closing block here
		t.Fatal("the set is not by power")
	}
	balance := func() (out [3]uint64) {
		for i := range out {
			out[i] = n.account(op(i)).Balance
		}
		return out
	}
	pool := n.must(n.tx("fan", &Transfer{To: keyOf("op 0").Address(), Amount: 0})).Fee
	before := balance()
	n.putDuty(0, 9, 0) // and the closing block
	n.putDuty(1, 5, 5)
	n.close()
	// Validator 2 had no slot: it counts as whole.
	want := [3]uint64{pool*5_000/10_000 + 500, pool*1_500/10_000 + 150, pool*2_000/10_000 + 200}
	after := balance()
	for i := range want {
		if got := after[i] - before[i]; got != want[i] {
			t.Errorf("validator %d got %d, want %d", i, got, want[i])
		}
	}
	paid := want[0] + want[1] + want[2]
	if s := n.supply(); s.FeePool+s.Reserve != pool+1_500-paid || s.Reserve != 1_500-850 {
		t.Errorf("%+v after %d were paid", s, paid)
	}
	// The reserve runs dry, exactly.
	for range 300 {
		n.close()
	}
	if s := n.supply(); s.Reserve > 3 {
		t.Errorf("%d left of the reserve", s.Reserve)
	}
}

// TestDowntime jails who was down, on both sides of every limit, and Unjail undoes it in time.
func TestDowntime(t *testing.T) {
	n := newNet(t, stakers(shortEpochs(), 1_003, 1_002, 1_001, 1_000)) // percent 50, slots 2
	jailed := func() (out []int) {
		for i := range 4 {
			v, err := ReadValidator(n.view, valKey(i))
			if err != nil {
				t.Fatal(err)
			}
			if v.Jailed {
				out = append(out, i)
			}
		}
		return out
	}
	for _, c := range []struct {
		delivered, missed uint64
		want              bool
	}{{5, 0, false}, {0, 1, false}, {2, 2, false}, {2, 3, true}} {
		n.putDuty(3, c.delivered, c.missed)
		n.close()
		if got := jailed(); (len(got) == 1) != c.want {
			t.Errorf("%+v: jailed %v", c, got)
		}
	}
	until := n.timeMs + n.genesis.Params.JailMs
	n.wantPowers("still in the set that was elected before", map[int]uint64{0: 1_003, 1: 1_002, 2: 1_001, 3: 1_000})
	n.close()
	n.wantPowers("jailed", map[int]uint64{0: 1_003, 1: 1_002, 2: 1_001})
	n.want(n.tx(op(2), &Unjail{Validator: valKey(3)}), CodeNotOperator)
	n.want(n.tx(op(2), &Unjail{Validator: valKey(2)}), CodeNotJailed)
	n.want(n.tx(op(2), &Unjail{Validator: keyOf("x").Public()}), CodeNoValidator)
	n.want(n.tx(op(3), &Unjail{Validator: valKey(3)}), CodeJailed)
	n.timeMs = until - 60_001 // the next block is a minute later
	n.want(n.tx(op(3), &Unjail{Validator: valKey(3)}), CodeJailed)
	n.timeMs = until - 60_000
	n.want(n.tx(op(3), &Unjail{Validator: valKey(3)}), CodeOK)
	n.close()
	n.wantPowers("free again", map[int]uint64{0: 1_003, 1: 1_002, 2: 1_001, 3: 1_000})
	// Where many are down, the network was: only a third of the power, the worst first.
	n.putDuty(0, 0, 10)
	n.putDuty(1, 1, 10)
	n.putDuty(2, 4, 10)
	n.putDuty(3, 4, 10)
	n.close()
	// Validator 0 made the closing block and so missed 10 of 11, as 1 did; of equals the first in the set.
	if got := jailed(); !reflect.DeepEqual(got, []int{0}) {
		t.Errorf("jailed %v", got)
	}
}

// TestLoneValidatorIsNeverJailed: a network must not jail itself.
func TestLoneValidatorIsNeverJailed(t *testing.T) {
	n := newNet(t, stakers(shortEpochs(), 1_000))
	n.putDuty(0, 0, 1_000)
	n.close()
	if v, err := ReadValidator(n.view, valKey(0)); err != nil || v.Jailed {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestEpochsAreForgotten: sets are kept as long as evidence about them counts, and no longer.
func TestEpochsAreForgotten(t *testing.T) {
	n := newNet(t, stakers(shortEpochs(), 1_000, 1_000, 1_000))
	count := func(space string) (c int) {
		for k := range n.view {
			if strings.HasPrefix(k, space+"/") {
				c++
			}
		}
		return c
	}
	for i := range 60 {
		if i%2 == 0 { // a new set in every second epoch
			n.must(n.tx(op(0), &Bond{Validator: valKey(0), Amount: 100}))
		}
		n.close()
	}
	// Two epochs and four minutes are kept, at a minute and a half each.
	if e, s := count("epochs"), count("set"); e > 6 || e < 3 || s > 5 {
		t.Errorf("%d epochs and %d sets are kept", e, s)
	}
	if set, err := ReadEpochSet(n.view, 0); err != nil || set != nil {
		t.Errorf("%v, %v", set, err)
	}
}

// TestGenesisJSON: the document survives JSON, with and without peer keys.
func TestGenesisJSON(t *testing.T) {
	with := stakers(shortEpochs(), 1_000, 1_000)
	with.Reserve = 7
	for _, g := range []*Genesis{with, testGenesis(DefaultParams(), "a")} {
		text, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		var back Genesis
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if back.Hash() != g.Hash() {
			t.Errorf("hash %s became %s", g.Hash(), back.Hash())
		}
	}
	for name, change := range map[string]func(*Genesis){
		"peer key twice":                  func(g *Genesis) { g.Validators[1].PeerKey = g.Validators[0].PeerKey },
		"peer key that votes":             func(g *Genesis) { g.Validators[1].PeerKey = g.Validators[0].Key },
		"own peer key that votes":         func(g *Genesis) { g.Validators[1].PeerKey = g.Validators[1].Key },
		"peer key that is none":           func(g *Genesis) { g.Validators[1].PeerKey = crypto.PublicKey{9} },
		"reserve above all money":         func(g *Genesis) { g.Reserve = maxSupply + 1 },
		"reserve and balances above that": func(g *Genesis) { g.Reserve = maxSupply },
	} {
		g := stakers(shortEpochs(), 1_000, 1_000)
		change(g)
		if err := g.Validate(); !errors.Is(err, ErrGenesis) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
