package node

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/node/journal"
	"waybill/node/signer"
	blocksync "waybill/node/sync"
	"waybill/p2p"
)

// lab is a small network of replicas in virtual time, over a ledger that elects whom a script wants. It is for the change
// of epochs; faults of every kind are the simulator's business.
type lab struct {
	t       *testing.T
	now     consensus.Time
	queue   labQueue
	seq     int
	nodes   []*labNode
	genesis crypto.Hash
	first   *quorum.Set
	wanted  func(after quorum.Height) *quorum.Set // whom the state after a height wants
	length  uint64
	ms      int64
	change  func(node int, e quorum.Epoch, r *Rules) // what an epoch's rules are besides; nil: always the same

	signed map[string]map[string]bool // statements by key, epoch, view and step
	steps  int
	onStep func(step int) // before every event
}

type labEvent struct {
	at  consensus.Time
	seq int
	do  func()
}

type labQueue []labEvent

func (q *labQueue) add(e labEvent) {
	i, _ := slices.BinarySearchFunc(*q, e, func(a, b labEvent) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq)) })
	*q = slices.Insert(*q, i, e)
}

func (q *labQueue) next() labEvent {
	e := (*q)[0]
	*q = (*q)[1:]
	return e
}

// labMac stands in for ECDSA.
type labMac struct {
	public map[crypto.PrivateKey]crypto.PublicKey
}

func (m labMac) of(key crypto.PublicKey, digest crypto.Hash) (s crypto.Signature) {
	sum := crypto.Sum(crypto.TagVote, key[:], digest[:])
	copy(s[:], sum[:])
	copy(s[32:], sum[:])
	return s
}

func (m labMac) Sign(key crypto.PrivateKey, digest crypto.Hash) crypto.Signature {
	return m.of(m.public[key], digest)
}

func (m labMac) VerifyBatch(checks []crypto.Check) []bool {
	out := make([]bool, len(checks))
	for i, c := range checks {
		out[i] = c.Signature == m.of(c.Key, c.Digest)
	}
	return out
}

// labBlock is an executed block.
type labBlock struct {
	FinalBlock
	own bool // the certificate finalizes this very block
}

// labNode is one node. It implements Env, Ledger, Pool and journal.Disk; signerSlots is the storage of its signer.
type labNode struct {
	*lab
	i       int
	key     crypto.PrivateKey
	replica *Replica
	life    int // counts starts, so that events of an earlier life are dropped
	timers  map[TimerID]consensus.Time
	pool    [][]byte
	changes int // EpochChanged
	dead    bool
	old     bool          // it ends where the network leaves its protocol
	voted   quorum.Height // the highest that it voted on

	data, dataSynced   map[string][]byte
	chain              []labBlock // by height
	base               quorum.Height
	carried            map[quorum.Height]bool // results below base that headers of a snapshot carried
	chainSynced        int
	syncs              int
	slots, slotsSynced [2][]byte
	recover            bool
	unreachable        bool // its signer
}

func newLab(t *testing.T, nodes, validators int, length uint64, ms int64) *lab {
	t.Helper()
	l := &lab{t: t, now: 1_700_000_000_000, genesis: crypto.Sum(crypto.TagGenesis, []byte("lab")), length: length, ms: ms, signed: map[string]map[string]bool{}}
	mac := labMac{map[crypto.PrivateKey]crypto.PublicKey{}}
	for i := range nodes {
		k := testKey(fmt.Sprint("lab ", i))
		mac.public[k] = k.Public()
		l.nodes = append(l.nodes, &labNode{lab: l, i: i, key: k, data: map[string][]byte{}, dataSynced: map[string][]byte{}, dead: true})
	}
	l.first = l.set(slices.Repeat([]int{10}, validators)...)
	l.wanted = func(quorum.Height) *quorum.Set { return l.first }
	anchor := quorum.Header{Version: quorum.HeaderVersion, Genesis: l.genesis, TimeMs: int64(l.now) - 1000, ValidatorSet: l.first.Hash()}
	for _, n := range l.nodes {
		n.chain = []labBlock{{FinalBlock: FinalBlock{Header: anchor, Hash: anchor.Hash()}}}
		n.chainSynced = 1
		if err := signer.Create(labStorage{n}, l.genesis, n.key.Public()); err != nil {
			t.Fatal(err)
		}
		n.start(mac)
	}
	return l
}

// set is the set in which node i has the power of place i; 0 is no member.
func (l *lab) set(powers ...int) *quorum.Set {
	l.t.Helper()
	var validators []quorum.Validator
	for i, p := range powers {
		if k := l.nodes[i].key.Public(); p > 0 {
			validators = append(validators, quorum.Validator{Key: k, Power: quorum.Power(p), Operator: k.Address()})
		}
	}
	set, err := quorum.NewSet(validators)
	if err != nil {
		l.t.Fatal(err)
	}
	return set
}

func (l *lab) after(ms int64, do func()) {
	l.seq++
	l.queue.add(labEvent{l.now + consensus.Time(ms), l.seq, do})
}

// run carries out events until it is so; it fails when that takes too long.
func (l *lab) run(what string, limitMs int64, so func() bool) {
	l.t.Helper()
	for end := l.now + consensus.Time(limitMs); !so(); {
		if len(l.queue) == 0 || l.now > end {
			for _, n := range l.nodes {
				if !n.dead {
					s := n.replica.Snapshot()
					l.t.Logf("node %d: epoch %d view %d leader %d, final %d, executed %d, self %d, pool %d, over %t", n.i, n.replica.Epoch().Number, s.Consensus.View, s.Consensus.Leader,
						s.Final.Height, s.Executed, n.replica.Epoch().Self, len(n.pool), s.Consensus.Over)
				}
			}
			l.t.Fatalf("not within %d ms: %s", limitMs, what)
		}
		e := l.queue.next()
		l.now = max(l.now, e.at)
		l.steps++
		if l.onStep != nil {
			l.onStep(l.steps)
		}
		e.do()
	}
}

func labPeer(i int) p2p.PeerID { return p2p.PeerID(fmt.Sprint("lab", i)) }

func (n *labNode) check(err error) {
	if n.old && errors.Is(err, ledger.ErrProtocol) {
		n.life++
		n.dead = true
		return
	}
	if err != nil {
		n.t.Helper()
		n.t.Fatalf("node %d at %d: %v", n.i, n.now, err)
	}
}

func (n *labNode) mac() labMac {
	m := labMac{map[crypto.PrivateKey]crypto.PublicKey{}}
	m.public[n.key] = n.key.Public()
	return m
}

// start boots a node from its disk.
func (n *labNode) start(mac labMac) {
	n.t.Helper()
	n.life++
	n.timers, n.pool, n.dead = map[TimerID]consensus.Time{}, nil, false
	opts := signer.Options{Genesis: n.genesis, Key: n.key, Reserve: signer.NodeReserve, Sign: mac.Sign}
	cfg := Config{Genesis: n.genesis, Key: n.key.Public(), Checker: mac}
	var signs signer.Signer
	if n.recover {
		cfg.Recover = func(m signer.Mark) (signer.Signer, error) { return signer.Recover(labStorage{n}, opts, m) }
	} else {
		file, err := signer.Open(labStorage{n}, opts)
		n.check(err)
		signs = labSigner{file, n}
	}
	r, err := NewReplica(cfg, n, n, n, n, signs)
	n.check(err)
	n.replica = r
	n.check(r.Start())
	for _, o := range n.nodes {
		if o != n && !o.dead {
			n.check(r.Connected(labPeer(o.i)))
			o.check(o.replica.Connected(labPeer(n.i)))
		}
	}
	n.announceTip()
}

// announceTip tells everybody the last block now and then, as validators do for nodes that do not vote.
func (n *labNode) announceTip() {
	n.later(2_000, func() {
		if last := n.chain[len(n.chain)-1]; last.own {
			n.Announce(Head{last.Header, *last.Certificate})
		}
		n.announceTip()
	})
}

// crash ends a node; what was not synced is lost unless keep is set.
func (n *labNode) crash(keep bool) {
	n.life++
	n.dead, n.replica = true, nil
	if !keep {
		n.data, n.chain, n.slots = maps.Clone(n.dataSynced), n.chain[:n.chainSynced:n.chainSynced], n.slotsSynced
	}
	n.dataSynced, n.chainSynced, n.slotsSynced = maps.Clone(n.data), len(n.chain), n.slots
}

// later does something unless the node ends before.
func (n *labNode) later(ms int64, do func()) {
	life := n.life
	n.after(ms, func() {
		if n.life == life && !n.dead {
			do()
		}
	})
}

func (n *labNode) Now() consensus.Time { return n.now }

func (n *labNode) Send(to p2p.PeerID, _ p2p.Class, msg []byte) {
	n.watch(msg)
	for _, o := range n.nodes {
		if labPeer(o.i) == to && o != n {
			life := o.life
			n.after(1, func() {
				if o.dead || o.life != life {
					return
				}
				if in, err := o.replica.Epoch().Verify(labPeer(n.i), msg); err != nil {
					o.t.Fatalf("node %d sent node %d what does not verify: %v", n.i, o.i, err)
				} else if in != nil {
					o.check(o.replica.Receive(in))
				}
			})
		}
	}
}

// watch fails when a key has signed two statements in one step of a view.
func (n *labNode) watch(msg []byte) {
	if messageKind(msg[0]) != messageVotes {
		return
	}
	votes, err := decodeVotes(msg[1+consensus.StatusSize:])
	n.check(err)
	e := n.replica.Epoch()
	for _, v := range votes {
		n.voted = max(n.voted, v.Height)
		if v.Epoch != e.Number {
			n.t.Fatalf("a vote of epoch %d in epoch %d", v.Epoch, e.Number)
		}
		at := fmt.Sprint(e.Domain.Set.At(int(v.Signer)).Key, v.Epoch, v.View, consensus.StepOf(v.Kind))
		if n.signed[at] == nil {
			n.signed[at] = map[string]bool{}
		}
		n.signed[at][fmt.Sprint(v.Kind, v.Height, v.Block)] = true
		if len(n.signed[at]) > 1 {
			n.t.Fatalf("two statements by one key: %v", slices.Collect(maps.Keys(n.signed[at])))
		}
	}
}

func (n *labNode) Announce(h Head) {
	for _, o := range n.nodes {
		if o != n {
			life := o.life
			n.after(1, func() {
				if o.dead || o.life != life {
					return
				}
				switch e := o.replica.Epoch(); {
				case h.Header.Epoch == e.Number:
					c, err := quorum.VerifyCertificate(e.Domain, h.Certificate)
					o.check(err)
					o.check(o.replica.HeadAnnounced(labPeer(n.i), h.Header.Height, c))
				case h.Header.Epoch > e.Number:
					o.check(o.replica.HeadClaimed(labPeer(n.i), h.Header.Epoch, h.Header.Height))
				}
			})
		}
	}
}

func (n *labNode) Arm(id TimerID, at consensus.Time) {
	n.timers[id] = at
	n.later(max(0, int64(at-n.now)), func() {
		if n.timers[id] == at {
			delete(n.timers, id)
			n.check(n.replica.TimerFired(id))
		}
	})
}

func (n *labNode) CheckPayload(hash crypto.Hash, payload [][]byte) {
	n.later(0, func() { n.check(n.replica.PayloadChecked(hash, labIDs(payload), nil)) })
}

func labIDs(payload [][]byte) (ids []crypto.Hash) {
	for _, tx := range payload {
		ids = append(ids, crypto.Sum(crypto.TagTransaction, tx))
	}
	return ids
}

func (n *labNode) Report(e quorum.Evidence) {
	n.t.Fatalf("evidence against an honest validator: %+v", e)
}
func (n *labNode) EpochChanged(*Epoch) { n.changes++ }

func (n *labNode) Execute(b FinalBlock) {
	n.later(1, func() {
		last := n.chain[len(n.chain)-1]
		if b.Header.Parent != last.Hash || b.Header.Height != last.Header.Height+1 || b.Header.IsTail() {
			n.t.Fatalf("node %d executes block %d on block %d", n.i, b.Header.Height, last.Header.Height)
		}
		for _, o := range n.nodes {
			if int(b.Header.Height) < len(o.chain) && o.chain[b.Header.Height].Hash != b.Hash {
				n.t.Fatalf("nodes %d and %d have two blocks %d", n.i, o.i, b.Header.Height)
			}
		}
		n.chain = append(n.chain, labBlock{b, b.Certificate.Finalizes() == b.Hash})
		n.check(n.replica.Executed(Execution{Height: b.Header.Height, View: b.Header.View, Transactions: labIDs(b.Payload)}))
	})
}

func (n *labNode) Tip() (LedgerTip, error) {
	last := n.chain[len(n.chain)-1]
	tip := LedgerTip{Header: last.Header}
	if last.own {
		tip.Certificate = last.Certificate
	}
	for i := len(n.chain) - 1; tip.EmptyTail < ledger.MaxExecDelay && (i == 0 || len(n.chain[i].Payload) == 0); i-- {
		if i == 0 {
			tip.EmptyTail = ledger.MaxExecDelay
			break
		}
		tip.EmptyTail++
	}
	return tip, nil
}

// rules are those of an epoch.
func (n *labNode) rules(e quorum.Epoch) Rules {
	l := n.lab
	r := Rules{ExecDelay: 2, MaxBlockBytes: 1 << 16, Epochs: ledger.EpochRule{Length: l.length, Ms: l.ms}, Timing: consensus.DefaultTiming()}
	r.Timing.Max = 1_000
	if l.change != nil {
		l.change(n.i, e, &r)
	}
	return r
}

// epochAt is the epoch of the state after a height.
func (n *labNode) epochAt(h quorum.Height) EpochInfo {
	info := EpochInfo{Set: n.first, Anchor: n.chain[0].Header}
	for _, b := range n.chain[:h+1] {
		if b.Header.IsClosing() {
			info.Number, info.Set, info.Anchor = b.Header.Epoch+1, b.Next, b.Header
		}
	}
	info.Rules = n.rules(info.Number)
	for _, v := range info.Set.Validators() {
		for _, o := range n.nodes {
			if o.key.Public() == v.Key {
				info.Peers = append(info.Peers, labPeer(o.i))
			}
		}
	}
	return info
}

func (n *labNode) Epoch() (EpochInfo, error) { return n.epochAt(quorum.Height(len(n.chain) - 1)), nil }

func (n *labNode) NextSet(after quorum.Height) (*quorum.Set, error) {
	if after < n.base {
		return nil, fmt.Errorf("the state after block %d is not here", after)
	}
	return quorum.LimitChange(n.epochAt(after).Set, n.wanted(after)), nil
}

func (n *labNode) Result(h quorum.Height) (Result, bool) {
	if int(h) >= len(n.chain) || h < n.base && !n.carried[h] {
		return Result{}, false
	}
	return Result{StateRoot: n.chain[h].Hash}, true
}

func (n *labNode) Blocks(from quorum.Height, most int) (out []blocksync.Block, _ error) {
	for h := int(from); h > int(n.base) && h < len(n.chain) && len(out) < most; h++ {
		b := blocksync.Block{Header: n.chain[h].Header, Payload: n.chain[h].Payload, Next: n.chain[h].Next}
		if n.chain[h].own {
			b.Certificate = n.chain[h].Certificate
		}
		if out = append(out, b); b.Header.IsClosing() {
			break
		}
	}
	return out, nil
}

func (n *labNode) Pending() bool { return len(n.pool) > 0 }

func (n *labNode) Select(_ int, skip func(crypto.Hash) bool) (out [][]byte) {
	for _, tx := range n.pool {
		if !skip(labIDs([][]byte{tx})[0]) {
			out = append(out, tx)
		}
	}
	return out
}

func (n *labNode) Ordered(ids []crypto.Hash) {
	n.pool = slices.DeleteFunc(n.pool, func(tx []byte) bool { return slices.Contains(ids, labIDs([][]byte{tx})[0]) })
}

// submit gives a transaction to every node, as the relay does.
func (l *lab) submit(tx string) {
	for _, n := range l.nodes {
		if !n.dead {
			n.pool = append(n.pool, []byte(tx))
			n.check(n.replica.PoolChanged())
		}
	}
}

// traffic submits a transaction every so often, for ever.
func (l *lab) traffic(everyMs int64, number int) {
	l.after(everyMs, func() {
		l.submit(fmt.Sprint("transaction ", number))
		l.traffic(everyMs, number+1)
	})
}

func (n *labNode) Write(ops []journal.Op, sync bool) error {
	for _, op := range ops {
		switch {
		case op.End != nil:
			maps.DeleteFunc(n.data, func(k string, _ []byte) bool { return k >= string(op.Key) && k < string(op.End) })
		case op.Value == nil:
			delete(n.data, string(op.Key))
		default:
			n.data[string(op.Key)] = bytes.Clone(op.Value)
		}
	}
	if sync {
		n.syncs++
		n.dataSynced, n.chainSynced = maps.Clone(n.data), len(n.chain)
	}
	return nil
}

func (n *labNode) Scan(prefix []byte, each func(key, value []byte) error) error {
	return volatile(n.data).Scan(prefix, each)
}

// labStorage is the disk of a node's signer.
type labStorage struct{ n *labNode }

func (s labStorage) Read() ([2][]byte, error) { return s.n.slots, nil }
func (s labStorage) Close() error             { return nil }
func (s labStorage) Write(slot int, data []byte, sync bool) error {
	s.n.slots[slot] = bytes.Clone(data)
	if sync {
		s.n.slotsSynced = s.n.slots
	}
	return nil
}

// labSigner is a signer that may be out of reach.
type labSigner struct {
	signer.Signer
	n *labNode
}

var errAway = &signer.Error{Kind: signer.ErrUnavailable, Detail: "switched off"}

func (s labSigner) Sign(r []signer.Request) ([]signer.Answer, error) {
	if s.n.unreachable {
		return nil, errAway
	}
	return s.Signer.Sign(r)
}

func (s labSigner) State() (signer.State, error) {
	if s.n.unreachable {
		return signer.State{}, errAway
	}
	return s.Signer.State()
}

// height is where the lowest running node is.
func (l *lab) height() quorum.Height {
	low := quorum.Height(1 << 62)
	for _, n := range l.nodes {
		if !n.dead {
			low = min(low, quorum.Height(len(n.chain)-1))
		}
	}
	return low
}

// epoch is the lowest epoch of a running node.
func (l *lab) epoch() quorum.Epoch {
	low := quorum.Epoch(1 << 62)
	for _, n := range l.nodes {
		if !n.dead {
			low = min(low, n.replica.Epoch().Number)
		}
	}
	return low
}
