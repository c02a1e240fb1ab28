package ledger

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// The model keeps the books of money and stake as one would with pencil and paper: it goes through everything each time,
// forgets nothing, computes with big integers, and shares no code with the ledger but the encoding of what it sends and
// quorum's arithmetic on sets.

// chance draws numbers from [0, n).
type chance func(n int) int

type paperRelease struct {
	who, val int
	epoch    uint64
	amount   uint64
}

type paperValidator struct {
	keys        []crypto.PublicKey // oldest first
	operator    int
	stake       map[int]uint64
	jailed      bool
	jailedUntil int64
	tombstoned  bool
}

func (v *paperValidator) total() (sum uint64) {
	for _, s := range v.stake {
		sum += s
	}
	return sum
}

func (v *paperValidator) key() crypto.PublicKey { return v.keys[len(v.keys)-1] }

type paperEpoch struct {
	set   *quorum.Set
	endMs int64
}

type paperSlash struct {
	epoch uint64
	ms    int64
	share uint64
}

type books struct {
	t      testing.TB
	net    *testNet
	p      Params
	draw   chance
	names  []string
	free   []uint64
	vals   []*paperValidator
	wait   []paperRelease
	epochs []paperEpoch
	slash  []paperSlash
	finish map[int]uint64 // punished operators, and how often
	duties []duty

	anchorHeight quorum.Height
	anchorHash   crypto.Hash
	anchorMs     int64
	view         quorum.View // of the last block
	before       []mapView   // states of the last blocks
	slate        *quorum.Slate

	fees, reserve, burned uint64
	made                  int // keys
	known                 map[string]crypto.PublicKey
	addresses             []crypto.Address
	done                  map[string]int
}

const paperAccounts = 6

func paperParams() Params {
	p := DefaultParams()
	p.MinBond, p.FeePerTransaction, p.FeePerKiB = 10, 1, 0
	p.ExecDelay, p.EpochLength, p.EpochMs, p.UnbondingEpochs, p.MinBlockIntervalMs = 2, 5, 400, 2, 1
	p.EpochReward, p.SlashPpm, p.DowntimePercent, p.DowntimeSlots, p.JailMs = 777, 60_000, 40, 2, 900
	return p
}

func newBooks(t testing.TB, known map[string]crypto.PublicKey, draw chance) *books {
	m := &books{t: t, known: known, p: paperParams(), draw: draw, finish: map[int]uint64{}, done: map[string]int{}}
	g := testGenesis(m.p)
	g.Validators, g.Accounts, g.Reserve = nil, nil, 50_000
	for i := range paperAccounts {
		name := fmt.Sprint("p", i)
		m.names = append(m.names, name)
		m.free = append(m.free, 1_000_000)
		m.addresses = append(m.addresses, m.key(name).Address())
		g.Accounts = append(g.Accounts, GenesisAccount{Address: m.address(i), Balance: 1_000_000})
	}
	for i := range 4 {
		k := m.newKey()
		stake := []uint64{900, 800, 700, 30}[i]
		m.vals = append(m.vals, &paperValidator{keys: []crypto.PublicKey{k}, operator: i, stake: map[int]uint64{i: stake}})
		g.Validators = append(g.Validators, GenesisValidator{Name: "v", Key: k, Stake: stake, Operator: m.address(i)})
	}
	m.net = newNet(t, g)
	set, err := g.ValidatorSet()
	if err != nil {
		t.Fatal(err)
	}
	m.epochs = []paperEpoch{{set: set}}
	m.duties = make([]duty, set.Len())
	m.anchorMs, m.reserve = g.TimeMs, g.Reserve
	m.anchorHash = crypto.Hash{1} // of a genesis block that nobody looks at
	m.slate = quorum.NewSlate(set, m.anchorHash)
	m.before = []mapView{m.net.view.clone()}
	return m
}

func (m *books) newKey() crypto.PublicKey {
	m.made++
	return m.key(fmt.Sprint("paper ", m.made))
}

// key remembers keys: making one is arithmetic on the curve.
func (m *books) key(name string) crypto.PublicKey {
	k, ok := m.known[name]
	if !ok {
		k = keyOf(name).Public()
		m.known[name] = k
	}
	return k
}

func (m *books) address(who int) crypto.Address { return m.addresses[who] }

func (m *books) epoch() uint64 { return uint64(len(m.epochs) - 1) }

// gone reports whether evidence about an epoch no longer counts at a time.
func (m *books) gone(e uint64, ms int64) bool {
	return e < m.epoch() && m.epoch()-e > m.p.UnbondingEpochs && ms-m.epochs[e].endMs > m.p.UnbondingMs()
}

func share(amount, part, whole uint64) uint64 {
	x := new(big.Int).Mul(new(big.Int).SetUint64(amount), new(big.Int).SetUint64(part))
	return x.Div(x, new(big.Int).SetUint64(whole)).Uint64()
}

// intent is a transaction and what it does on paper: nil if it is to be refused.
type intent struct {
	what    string
	author  int // -1: evidence
	payload Payload
	signers []crypto.PublicKey
	effect  func() // nil: refused
}

// step makes one block with one transaction, and compares.
func (m *books) step() {
	height := m.net.height + 1
	ms := m.net.timeMs + 1 + int64(m.draw(120))
	if m.draw(12) == 0 {
		ms += 900
	}
	m.release(ms)
	view, parent := m.view+1, m.view
	if m.draw(5) == 0 {
		view += quorum.View(m.draw(4))
	}
	if m.draw(50) == 0 {
		view += 5_000
	}
	h := quorum.Header{
		Version: 1, Genesis: m.net.hash, Epoch: quorum.Epoch(m.epoch()), Height: height, View: view, ParentView: parent, TimeMs: ms,
		Proposer: uint16(m.slate.Leader(view)), Parent: crypto.Hash{1},
	}
	block := &Block{Header: h}
	next, closing := m.closes(&h)
	if closing {
		block.Header.Flags, block.Header.NextValidatorSet, block.Next = quorum.FlagClosing, next.Hash(), next
	}
	m.serve(parent, view, int(h.Proposer))
	in := m.act(ms)
	tx := m.transaction(in)
	block.Transactions = []VerifiedTransaction{{tx: tx}}
	up, err := Apply(m.net.view, block)
	if err != nil {
		m.t.Fatal(err)
	}
	m.settle(in, up.Receipts[0])
	if closing {
		m.end(block, next, ms)
	} else {
		m.view = view
	}
	m.net.view.apply(up.Writes)
	m.net.height, m.net.timeMs = height, ms
	m.compare()
	m.before = append(m.before, m.net.view.clone())
	m.before = m.before[max(0, len(m.before)-3):]
}

func (m *books) transaction(in intent) *Transaction {
	m.net.salt++
	author, expiry := crypto.Address{}, noExpiry
	signatures := []SignedBy{}
	if in.author >= 0 {
		key := m.key(m.names[in.author])
		author, expiry = m.address(in.author), m.net.height+5
		signatures = append(signatures, SignedBy{Key: key})
	}
	for _, k := range in.signers {
		signatures = append(signatures, SignedBy{Key: k})
	}
	b, err := NewBody(m.net.hash, author, expiry, in.payload)
	if err != nil {
		m.t.Fatal(err)
	}
	if in.author >= 0 {
		b.Salt = [8]byte{m.net.salt, byte(m.net.height), byte(m.net.height >> 8)}
	}
	tx, err := NewTransaction(b, signatures)
	if err != nil {
		m.t.Fatal(err)
	}
	return tx
}

func (m *books) settle(in intent, r Receipt) {
	legal := in.effect != nil
	switch {
	case in.author < 0:
	case m.free[in.author] < paperFee:
		legal = false
	default:
		m.free[in.author] -= paperFee
		m.fees += paperFee
	}
	if r.OK() != legal {
		m.t.Fatalf("height %d: %s %+v: the ledger says %s, the paper says legal=%t", m.net.height+1, in.what, in.payload, r.Finding, legal)
	}
	if legal {
		in.effect()
		m.done[in.what]++
	}
	m.done["all"]++
}

func (m *books) amount(near uint64) uint64 {
	switch m.draw(8) {
	case 0:
		return 0
	case 1:
		return near
	case 2:
		return near + 1
	case 3:
		return ^uint64(0) - uint64(m.draw(3))
	case 4:
		return uint64(m.draw(20))
	}
	return uint64(m.draw(2_000))
}

func (m *books) act(ms int64) intent {
	who := m.draw(paperAccounts)
	if m.free[who] < paperFee {
		return m.actEvidence(ms) // costs nothing
	}
	val := m.draw(len(m.vals))
	switch m.draw(14) {
	case 0:
		return m.actTransfer(who)
	case 1, 2, 3, 4:
		return m.actBond(who, val)
	case 5, 6, 7, 8, 9:
		return m.actUnbond(who, val)
	case 10:
		return m.actRegister(who)
	case 11, 12:
		return m.actUnjail(who, val, ms)
	}
	if m.draw(4) > 0 {
		return m.actRotate(who, val)
	}
	return m.actEvidence(ms)
}

const paperFee = 1

func (m *books) actTransfer(who int) intent {
	to, n := m.draw(paperAccounts), m.amount(m.free[who]-paperFee)
	in := intent{what: "transfer", author: who, payload: &Transfer{To: m.address(to), Amount: n}}
	if m.free[who]-paperFee >= n {
		in.effect = func() { m.free[who] -= n; m.free[to] += n }
	}
	return in
}

func (m *books) actBond(who, val int) intent {
	v, n := m.vals[val], m.amount(m.free[who]-paperFee)
	key := v.keys[m.draw(len(v.keys))]
	in := intent{what: "bond", author: who, payload: &Bond{Validator: key, Amount: n}}
	_, finished := m.finish[v.operator]
	if !finished && n > 0 && m.free[who]-paperFee >= n && v.stake[who]+n >= m.p.MinBond {
		in.effect = func() { m.free[who] -= n; v.stake[who] += n }
	}
	return in
}

func (m *books) actUnbond(who, val int) intent {
	v := m.vals[val]
	n := m.amount(v.stake[who])
	in := intent{what: "unbond", author: who, payload: &Unbond{Validator: v.keys[m.draw(len(v.keys))], Amount: n}}
	e := m.epoch() + 1
	entries, same := 0, -1
	for i, r := range m.wait {
		if r.who == who && r.val == val {
			if entries++; r.epoch == e {
				same = i
			}
		}
	}
	if n == 0 || v.stake[who] < n || same < 0 && entries >= 8 {
		return in
	}
	if left := v.stake[who] - n; left > 0 && left < m.p.MinBond && !v.tombstoned {
		return in
	}
	in.effect = func() {
		v.stake[who] -= n
		if same >= 0 {
			m.wait[same].amount += n
			return
		}
		m.wait = append(m.wait, paperRelease{who, val, e, n})
	}
	return in
}

func (m *books) actRegister(who int) intent {
	n := m.amount(m.free[who]-paperFee)%100_000 + 5
	k := m.newKey()
	if m.draw(4) == 0 || len(m.vals) > 12 { // a key that was used before
		v := m.vals[m.draw(len(m.vals))]
		k = v.keys[m.draw(len(v.keys))]
	}
	peer := m.key(fmt.Sprint("paper peer ", m.made, " ", len(m.vals)))
	in := intent{what: "register", author: who, payload: &RegisterValidator{Key: k, PeerKey: peer, Name: "x", Stake: n}, signers: []crypto.PublicKey{k}}
	for _, v := range m.vals {
		for _, old := range v.keys {
			if old == k {
				return in
			}
		}
	}
	if _, finished := m.finish[who]; finished || n < m.p.MinBond || m.free[who]-paperFee < n {
		return in
	}
	in.effect = func() {
		m.free[who] -= n
		m.vals = append(m.vals, &paperValidator{keys: []crypto.PublicKey{k}, operator: who, stake: map[int]uint64{who: n}})
	}
	return in
}

func (m *books) actUnjail(who, val int, ms int64) intent {
	v := m.vals[val]
	if m.draw(3) > 0 {
		who = v.operator
		for i, other := range m.vals { // one that is jailed, if there is one
			if other.jailed {
				v, who = m.vals[i], other.operator
			}
		}
	}
	in := intent{what: "unjail", author: who, payload: &Unjail{Validator: v.keys[0]}}
	_, finished := m.finish[v.operator]
	if who == v.operator && !finished && v.jailed && ms >= v.jailedUntil {
		in.effect = func() { v.jailed, v.jailedUntil = false, 0 }
	}
	return in
}

func (m *books) actRotate(who, val int) intent {
	v := m.vals[val]
	if m.draw(3) > 0 {
		who = v.operator
	}
	old, k := v.keys[m.draw(len(v.keys))], m.newKey()
	in := intent{what: "rotate", author: who, payload: &RotateValidatorKey{Old: old, New: k}, signers: []crypto.PublicKey{k}}
	_, finished := m.finish[v.operator]
	if who == v.operator && !finished && old == v.key() {
		in.effect = func() { v.keys = append(v.keys, k) }
	}
	return in
}

// actEvidence accuses a member of some epoch. Signatures are not looked at here: VerifyTransactions did that.
func (m *books) actEvidence(ms int64) intent {
	e := m.epoch() + 1 - uint64(min(m.draw(6), int(m.epoch())+1))
	of := min(e, m.epoch())
	set := m.epochs[of].set
	i := m.draw(set.Len())
	votes := []quorum.Vote{{Kind: quorum.KindNotarize, Block: crypto.Hash{1}}, {Kind: quorum.KindNotarize, Block: crypto.Hash{2}}}
	for j := range votes {
		votes[j].Epoch, votes[j].View, votes[j].Height, votes[j].Signer = quorum.Epoch(e), quorum.View(1+m.draw(9)), 7, uint16(i)
	}
	votes[1].View = votes[0].View
	ev := quorum.Evidence{Offence: quorum.DoubleVote, First: votes[0], Second: votes[1]}
	in := intent{what: "evidence", author: -1, payload: &SubmitEvidence{Validator: set.At(i).Key, ValidatorSet: set.Hash(), Evidence: ev.Encode()}}
	who := -1
	for j, a := range m.addresses {
		if a == set.At(i).Operator {
			who = j
		}
	}
	if _, finished := m.finish[who]; finished || e > m.epoch() || m.gone(e, ms) {
		return in
	}
	in.effect = func() { m.punish(who, e, set, ms) }
	return in
}

func (m *books) punish(who int, e uint64, set *quorum.Set, ms int64) {
	if m.finish[who]++; m.finish[who] > 1 {
		m.t.Fatalf("p%d was punished twice", who)
	}
	power, others := uint64(0), uint64(0)
	for _, v := range set.Validators() {
		if v.Operator == m.address(who) {
			power += uint64(v.Power)
		}
	}
	for _, s := range m.slash {
		if s.epoch < m.epoch() && m.epoch()-s.epoch > m.p.UnbondingEpochs && ms-s.ms > m.p.UnbondingMs() {
			continue
		}
		others += s.share
	}
	m.slash = append(m.slash, paperSlash{m.epoch(), ms, share(power, 1_000_000, uint64(set.Total()))})
	own := share(power, 1_000_000, uint64(set.Total()))
	ppm := min(1_000_000, m.p.SlashPpm+3*others)
	if 3*(own+others) >= 1_000_000 {
		ppm = 1_000_000
	}
	for i, v := range m.vals {
		if v.operator != who {
			continue
		}
		v.tombstoned = true
		for a := range m.names {
			cut := share(v.stake[a], ppm, 1_000_000)
			v.stake[a] -= cut
			m.burned += cut
		}
		for j := range m.wait {
			if r := &m.wait[j]; r.val == i && r.epoch >= e {
				cut := share(r.amount, ppm, 1_000_000)
				r.amount -= cut
				m.burned += cut
			}
		}
	}
}

func (m *books) release(ms int64) {
	var left []paperRelease
	for _, r := range m.wait {
		if m.gone(r.epoch, ms) {
			m.free[r.who] += r.amount
			continue
		}
		left = append(left, r)
	}
	m.wait = left
}

// serve counts slots one view at a time.
func (m *books) serve(parent, view quorum.View, proposer int) {
	m.duties[proposer].Delivered++
	for u := parent + 1; u < view; u++ {
		m.duties[m.slate.Leader(u)].Missed++
	}
}

// closes decides whether a block ends the epoch, by the state three blocks before it, and checks whom that state elects.
func (m *books) closes(h *quorum.Header) (*quorum.Set, bool) {
	old := m.before[0]
	if len(m.before) < 3 || h.Height < m.anchorHeight+3 {
		return nil, false // the state of that block is one of the epoch before
	}
	next, err := NextSet(old)
	if err != nil {
		m.t.Fatal(err)
	}
	cur := m.epochs[m.epoch()].set
	if c := changeOf(cur, next); c > uint64(cur.Total())/3 {
		m.t.Fatalf("%d of %d change hands at once", c, cur.Total())
	}
	due := uint64(h.Height-m.anchorHeight) >= m.p.EpochLength || h.TimeMs-m.anchorMs >= m.p.EpochMs && next.Hash() != cur.Hash()
	r := m.p.EpochRule()
	if due != (r.Full(m.anchorHeight, h.Height) || r.Overdue(m.anchorMs, h.TimeMs) && next.Hash() != cur.Hash()) {
		m.t.Fatal("EpochRule differs")
	}
	return next, due
}

func (m *books) byKey(k crypto.PublicKey) int {
	for i, v := range m.vals {
		for _, own := range v.keys {
			if own == k {
				return i
			}
		}
	}
	m.t.Fatalf("nobody's key %s is in the set", k)
	return -1
}

// end closes the epoch on paper: rewards, jail, money held back, and the next set.
func (m *books) end(b *Block, next *quorum.Set, ms int64) {
	set := m.epochs[m.epoch()].set
	fees, issue := m.fees, min(m.reserve, m.p.EpochReward)
	for i, member := range set.Validators() {
		operator := m.vals[m.byKey(member.Key)].operator
		if _, finished := m.finish[operator]; finished {
			continue
		}
		w := uint64(member.Power)
		if d := m.duties[i]; d.Delivered+d.Missed > 0 {
			w = share(w, d.Delivered, d.Delivered+d.Missed)
		}
		a, c := share(fees, w, uint64(set.Total())), share(issue, w, uint64(set.Total()))
		m.fees, m.reserve, m.free[operator] = m.fees-a, m.reserve-c, m.free[operator]+a+c
	}
	m.jail(set, ms)
	for i, v := range m.vals {
		power, backed := uint64(0), v.total()
		for _, member := range next.Validators() {
			if m.byKey(member.Key) == i {
				power += uint64(member.Power)
			}
		}
		for _, r := range m.wait {
			if r.val == i && r.epoch == m.epoch()+1 {
				backed += r.amount
			}
		}
		if v.tombstoned || power <= backed {
			continue
		}
		m.done["held back"]++
		for j := range m.wait {
			if m.wait[j].val == i && m.wait[j].epoch == m.epoch() {
				m.wait[j].epoch++
			}
		}
	}
	m.mergeWaiting()
	m.epochs[m.epoch()].endMs = ms
	m.epochs = append(m.epochs, paperEpoch{set: next})
	m.anchorHeight, m.anchorHash, m.anchorMs = b.Header.Height, b.Header.Hash(), ms
	m.view, m.duties, m.slate = 0, make([]duty, next.Len()), quorum.NewSlate(next, m.anchorHash)
	m.done["epoch"]++
}

// mergeWaiting makes releases of one account, validator and epoch one.
func (m *books) mergeWaiting() {
	var out []paperRelease
next:
	for _, r := range m.wait {
		for i := range out {
			if out[i].who == r.who && out[i].val == r.val && out[i].epoch == r.epoch {
				out[i].amount += r.amount
				continue next
			}
		}
		out = append(out, r)
	}
	m.wait = out
}

// jail finds, again and again, the worst of those left.
func (m *books) jail(set *quorum.Set, ms int64) {
	left := uint64(set.Total()) / 3
	seen := map[int]bool{}
	for {
		worst := -1
		for i, d := range m.duties {
			if seen[i] || d.Missed < m.p.DowntimeSlots || d.Missed*100 <= m.p.DowntimePercent*(d.Delivered+d.Missed) {
				continue
			}
			if worst < 0 || d.Missed*(m.duties[worst].Delivered+m.duties[worst].Missed) > m.duties[worst].Missed*(d.Delivered+d.Missed) {
				worst = i
			}
		}
		if worst < 0 {
			return
		}
		seen[worst] = true
		v := m.vals[m.byKey(set.At(worst).Key)]
		if power := uint64(set.At(worst).Power); !v.jailed && !v.tombstoned && power <= left {
			left -= power
			v.jailed, v.jailedUntil = true, ms+m.p.JailMs
			m.done["jailed"]++
		}
	}
}

// compare holds every account, validator and total against the ledger's, and the money behind every vote that can still
// be punished.
func (m *books) compare() {
	m.t.Helper()
	m.net.conserved()
	s, err := ReadSupply(m.net.view)
	if err != nil {
		m.t.Fatal(err)
	}
	if s.FeePool != m.fees || s.Reserve != m.reserve || s.Burned != m.burned || s.Total != m.total() {
		m.t.Fatalf("the ledger says %+v, the paper fees %d, reserve %d, burned %d, total %d", s, m.fees, m.reserve, m.burned, m.total())
	}
	for a, name := range m.names {
		acct, err := ReadAccount(m.net.view, m.address(a))
		if err != nil {
			m.t.Fatal(err)
		}
		bonded, waiting, onLedger := uint64(0), uint64(0), uint64(0)
		for i, v := range m.vals {
			bonded += v.stake[a]
			got, err := ReadStake(m.net.view, v.key(), m.address(a))
			if err != nil || got != v.stake[a] {
				m.t.Fatalf("%s in validator %d: the ledger says %d, the paper %d (%v)", name, i, got, v.stake[a], err)
			}
		}
		for _, r := range m.wait {
			if r.who == a {
				waiting += r.amount
			}
		}
		for _, r := range acct.Unbonding {
			onLedger += r.Amount
		}
		if acct.Balance != m.free[a] || acct.Bonded != bonded || onLedger != waiting {
			m.t.Fatalf("height %d: %s: the ledger says %+v, the paper %d free, %d bonded, %d waiting", m.net.height, name, acct, m.free[a], bonded, waiting)
		}
	}
	for i, v := range m.vals {
		got, err := ReadValidator(m.net.view, v.key())
		if err != nil || got == nil {
			m.t.Fatalf("validator %d: %v", i, err)
		}
		if got.Stake != v.total() || got.Jailed != v.jailed || got.JailedUntilMs != v.jailedUntil || got.Tombstoned != v.tombstoned {
			m.t.Fatalf("validator %d: the ledger says %+v, the paper %+v", i, got, v)
		}
	}
	m.checkBacking()
}

func (m *books) total() uint64 {
	sum := m.fees + m.reserve + m.burned
	for i := range m.free {
		sum += m.free[i]
	}
	for _, v := range m.vals {
		sum += v.total()
	}
	for _, r := range m.wait {
		sum += r.amount
	}
	return sum
}

// checkBacking: as long as evidence about an epoch counts, the power that a validator had in it is covered by money that
// evidence reaches, unless it was punished.
func (m *books) checkBacking() {
	for e := range m.epochs {
		if m.gone(uint64(e), m.net.timeMs) {
			continue
		}
		power := map[int]uint64{}
		for _, member := range m.epochs[e].set.Validators() {
			power[m.byKey(member.Key)] += uint64(member.Power)
		}
		for i, v := range m.vals {
			if v.tombstoned {
				continue
			}
			money := v.total()
			for _, r := range m.wait {
				if r.val == i && r.epoch >= uint64(e) {
					money += r.amount
				}
			}
			if money < power[i] {
				m.t.Fatalf("height %d: validator %d had power %d in epoch %d, and %d can be taken", m.net.height, i, power[i], e, money)
			}
		}
	}
}

// TestStakeAgainstPaper lets rapid look for a short history that the ledger and the paper see differently.
func TestStakeAgainstPaper(t *testing.T) {
	known := map[string]crypto.PublicKey{}
	property(t, func(rt *rapid.T) {
		m := newBooks(t, known, func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "n") })
		for range rapid.IntRange(1, 60).Draw(rt, "blocks") {
			m.step()
		}
	})
}

// TestManyStakeOperations is 100,000 operations in networks of 200 blocks each.
func TestManyStakeOperations(t *testing.T) {
	total := 100_000
	if testing.Short() {
		total = 10_000
	}
	const perNet = 200
	done, known := map[string]int{}, map[string]crypto.PublicKey{}
	seeds := seedsFrom(t, 0, uint64(total/perNet))
	for _, seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 20))
		m := newBooks(t, known, rng.IntN)
		for range perNet {
			m.step()
		}
		for what, n := range m.done {
			done[what] += n
		}
		if t.Failed() {
			t.Fatalf("-rapid.seed=%d", seed)
		}
	}
	t.Log(done)
	for _, what := range []string{"transfer", "bond", "unbond", "register", "unjail", "rotate", "evidence", "epoch", "jailed", "held back"} {
		if done[what] < 10 && len(seeds) > 1 {
			t.Errorf("%s happened %d times: the run shows nothing", what, done[what])
		}
	}
}
