package sim

import (
	"errors"
	"fmt"
	"slices"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/node"
	"waybill/p2p"
)

// member is one simulated node, or one of the copies of a node: the shipped replica in a modelled environment. It
// implements node.Env, node.Ledger and node.Pool.
type member struct {
	w      *world
	self   int // in the plan
	peer   p2p.PeerID
	key    crypto.PrivateKey
	public crypto.PublicKey
	disk   *disk
	actor  *actor  // how it misbehaves; nil: honest
	copy   int     // 1 for the second copy of twins
	twin   *member // the other copy
	mute   bool    // it lost what it signed: it must not sign any more
	gone   bool    // it stopped for good, as it may when a third is faulty

	// Lost in a crash.
	replica     *node.Replica
	epoch       *node.Epoch
	incarnation int
	timers      map[node.TimerID]consensus.Time
	pool        [][]byte
	busyUntil   int64 // execution is one at a time
	queued      int   // blocks given to Execute
	received    int

	jumped   bool // its clock did
	applied  map[string]bool
	created  bool  // the signer's file was made
	restored bool  // its records were replaced by old ones
	oldFile  slots // of its signer, for a restored backup
	oldData  map[string][]byte
	oldChain int
}

func (m *member) honest() bool { return m.actor == nil }

func (m *member) boot() error {
	m.incarnation++
	m.timers = map[node.TimerID]consensus.Time{}
	m.pool, m.busyUntil, m.queued = nil, 0, 0
	m.applied = map[string]bool{}
	for i := range m.disk.chain {
		m.apply(m.disk.chain[i].pay)
	}
	cfg := m.w.cfg
	cfg.Key = m.public
	r, err := m.newReplica(cfg)
	if err != nil {
		return m.stopped(err)
	}
	m.replica, m.epoch = r, r.Epoch()
	return m.do(func(r *node.Replica) error {
		if err := r.Start(); err != nil {
			return err
		}
		return m.greet()
	})
}

// newReplica starts to vote if the signer permits it, else to follow.
func (m *member) newReplica(cfg node.Config) (*node.Replica, error) {
	if !m.mute {
		signs, err := m.openSigner()
		if err != nil {
			return nil, err
		}
		if signs != nil {
			r, err := node.NewReplica(cfg, m, m, m, m.disk, signs)
			if !refusesToSign(err) {
				return r, err
			}
		}
		m.mute = true
		m.disk = newDisk(m.disk.chain[0])
	}
	cfg.Key = crypto.PublicKey{}
	return node.NewReplica(cfg, m, m, m, m.disk, nil)
}

// greet connects the node with everybody who runs.
func (m *member) greet() error {
	for _, other := range m.w.members {
		if other.self == m.self || other.replica == nil || m.replica == nil {
			continue
		}
		if err := m.replica.Connected(other.peer); err != nil {
			return err
		}
		if err := other.do(func(r *node.Replica) error { return r.Connected(m.peer) }); err != nil {
			return err
		}
	}
	return nil
}

// do lets the replica act, and deals with its end.
func (m *member) do(act func(r *node.Replica) error) error {
	if m.replica == nil {
		return nil
	}
	if err := act(m.replica); err != nil {
		return m.stopped(err)
	}
	if m.disk.failed {
		return m.stopped(errDisk)
	}
	return m.w.oracle.fault
}

// stopped decides what an error of the replica means: a failed disk stops the node until it is well again, and what
// misbehaves begins anew with nothing; from any other node it is a broken promise.
func (m *member) stopped(err error) error {
	w := m.w
	switch {
	case m.actor != nil:
		m.halt(0)
		m.disk = newDisk(m.disk.chain[0])
		w.after(50+m.actor.rng.Int64N(200), m.bootIfDown)
		return nil
	case m.disk.failed:
		w.diskFailed(m)
		return nil
	case m.restored && errors.Is(err, consensus.ErrForeignVote):
		// It knows now that its records are old.
		m.halt(100)
		m.mute = true
		m.disk = newDisk(m.disk.chain[0])
		w.after(50, m.bootIfDown)
		return nil
	case w.plan.Fork:
		m.gone = true
		m.halt(100)
		return nil
	}
	if w.oracle.fault != nil {
		return w.oracle.fault
	}
	return fmt.Errorf("%s stopped: %w", m.peer, err)
}

func (m *member) bootIfDown() error {
	if m.replica != nil || m.gone {
		return nil
	}
	return m.boot()
}

// halt stops the node; of what it has not synced its disk keeps some.
func (m *member) halt(keep int) {
	m.replica = nil
	m.incarnation++
	if m.disk.crash(m.w.rng, keep) && m.honest() {
		m.w.report.Counts[CountTorn]++
	}
}

// later schedules something that a crash cancels.
func (m *member) later(ms int64, do func(r *node.Replica) error) {
	incarnation := m.incarnation
	m.w.after(ms, func() error {
		if m.incarnation != incarnation || m.replica == nil {
			return nil
		}
		return m.do(do)
	})
}

// boundedEvery is after how many messages a node's state is measured.
const boundedEvery = 16

// receive takes a message that arrived. From an honest node it must verify.
func (m *member) receive(from *member, msg []byte) error {
	if m.actor != nil && !m.actor.hear(from, msg) {
		return nil
	}
	if msg[0] <= certificateKind && m.w.strange(m, from) {
		return nil // as the shell does: nobody else's votes are looked at
	}
	in, err := m.epoch.Verify(from.peer, msg)
	if err != nil {
		if from.honest() && m.honest() {
			return fmt.Errorf("%s finds a message of %s malformed, who is honest: %w", m.peer, from.peer, err)
		}
		if m.honest() {
			m.w.report.Counts[CountRefused]++
		}
		return nil
	}
	if in == nil {
		return nil
	}
	if in.Transactions() != nil {
		for _, raw := range in.Transactions() {
			m.hold(raw)
		}
		return m.do((*node.Replica).PoolChanged)
	}
	before := m.queued
	if err := m.do(func(r *node.Replica) error { return r.Receive(in) }); err != nil || m.replica == nil {
		return err
	}
	if msg[0] == blocksKind && m.honest() {
		m.w.report.Counts[CountSynced] += int64(m.queued - before)
	}
	if m.received++; m.received%boundedEvery == 0 && m.honest() {
		return m.w.oracle.bounded(m)
	}
	return nil
}

// The first bytes of messages.
const (
	votesKind       = 1
	proposalKind    = 2
	certificateKind = 3
	statusKind      = 4
	requestKind     = 6
	blocksKind      = 7
	wantedKind      = 8
)

// submit gives the node a transaction, which it tells the others if relay is set.
func (m *member) submit(raw []byte, relay bool) error {
	if m.replica == nil {
		return nil
	}
	m.hold(raw)
	if relay {
		for _, other := range m.w.nodes {
			if other.self != m.self {
				m.w.deliver(m, other, node.EncodeTransactions([][]byte{raw})[0], kinds)
			}
		}
	}
	return m.do((*node.Replica).PoolChanged)
}

// maxPool bounds what a modelled pool holds.
const maxPool = 1_000

func (m *member) hold(raw []byte) {
	if m.applied[string(raw)] || len(m.pool) >= maxPool {
		return
	}
	for _, have := range m.pool {
		if string(have) == string(raw) {
			return
		}
	}
	m.pool = append(m.pool, raw)
}

// apply notes executed transactions.
func (m *member) apply(pay [][]byte) {
	for _, raw := range pay {
		m.applied[string(raw)] = true
	}
}

// Now implements node.Env: the local clock.
func (m *member) Now() consensus.Time {
	c := &m.w.plan.Clocks[m.self]
	since := m.w.now - startMs
	at := m.w.now + c.OffsetMs + since*c.DriftPpm/1_000_000
	if m.jumped {
		at += c.JumpMs
	}
	return consensus.Time(at)
}

// jump sets the clock, and looks again at what waits for a time.
func (m *member) jump() {
	m.jumped = true
	m.w.report.Counts[CountJumps]++
	ids := make([]node.TimerID, 0, len(m.timers))
	for id := range m.timers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		m.wait(id, m.timers[id])
	}
}

// Send implements node.Env.
func (m *member) Send(to p2p.PeerID, _ p2p.Class, msg []byte) {
	target := m.w.peers[to]
	if target == nil || target.self == m.self {
		return
	}
	if m.actor != nil {
		m.actor.send(target, msg)
		return
	}
	m.w.note(1, m, msg)
	m.w.oracle.sent(m, msg)
	m.w.deliver(m, target, msg, kinds)
}

// Announce implements node.Env. Gossip reaches everybody; those who vote in the same epoch have it from the votes.
func (m *member) Announce(h node.Head) {
	for _, other := range m.w.nodes {
		if other.self == m.self || other.replica == nil || other.epoch.Self >= 0 && other.epoch.Number == m.epoch.Number {
			continue
		}
		m.w.announce(m, other, h)
	}
}

// Report implements node.Env: evidence against an honest validator is a broken promise.
func (m *member) Report(e quorum.Evidence) {
	if m.honest() {
		m.w.report.Counts[CountReports]++
		m.w.oracle.accused(m, e)
		m.w.reported(m, e)
	}
}

// EpochChanged implements node.Env.
func (m *member) EpochChanged(e *node.Epoch) { m.epoch = e }

// Arm implements node.Env.
func (m *member) Arm(id node.TimerID, at consensus.Time) {
	m.timers[id] = at
	m.wait(id, at)
}

func (m *member) wait(id node.TimerID, at consensus.Time) {
	ms := min(max(int64(at-m.Now()), 0), 600_000)
	m.later(ms, func(r *node.Replica) error {
		if m.timers[id] != at {
			return nil
		}
		if m.Now() < at { // its clock runs slow
			m.wait(id, at)
			return nil
		}
		delete(m.timers, id)
		return r.TimerFired(id)
	})
}

// CheckPayload implements node.Env.
func (m *member) CheckPayload(hash crypto.Hash, payload [][]byte) {
	m.later(m.w.rng.Int64N(3), func(r *node.Replica) error {
		ids, err := m.w.rules.check(payload)
		return r.PayloadChecked(hash, ids, err)
	})
}

// Execute implements node.Env.
func (m *member) Execute(b node.FinalBlock) {
	m.queued++
	m.busyUntil = max(m.busyUntil, m.w.now) + m.w.between(m.w.plan.ExecMs)
	m.later(m.busyUntil-m.w.now, func(r *node.Replica) error {
		last := &m.disk.chain[len(m.disk.chain)-1]
		done, err := m.w.rules.execute(last, b)
		if err != nil {
			return err
		}
		done.header, done.hash, done.pay, done.next = b.Header, b.Hash, b.Payload, b.Next
		if b.Certificate != nil && b.Certificate.Finalizes() == b.Hash {
			done.cert = b.Certificate
		}
		if m.honest() {
			m.w.oracle.executed(m, last, &done, b)
			m.w.report.Backlog = max(m.w.report.Backlog, m.queued)
		}
		m.queued--
		m.disk.commit(done)
		m.w.look = true
		m.apply(b.Payload)
		m.w.note(2, m, b.Hash[:])
		ids, err := m.w.rules.check(b.Payload)
		if err != nil {
			ids = nil
		}
		return r.Executed(node.Execution{Height: b.Header.Height, View: b.Header.View, Transactions: ids})
	})
}

// Pending implements node.Pool.
func (m *member) Pending() bool { return len(m.pool) > 0 }

// Select implements node.Pool.
func (m *member) Select(maxBytes int, skip func(crypto.Hash) bool) [][]byte {
	var out [][]byte
	for _, raw := range m.pool {
		if !skip(m.w.rules.id(raw)) && len(raw) <= maxBytes {
			out = append(out, raw)
			maxBytes -= len(raw)
		}
	}
	return out
}

// Ordered implements node.Pool.
func (m *member) Ordered(done []crypto.Hash) {
	if len(done) == 0 || len(m.pool) == 0 {
		return
	}
	m.pool = slices.DeleteFunc(m.pool, func(raw []byte) bool { return slices.Contains(done, m.w.rules.id(raw)) })
}
