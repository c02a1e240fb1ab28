package sim

import (
	"crypto/sha256"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/node"
	blocksync "waybill/node/sync"
	"waybill/p2p"
)

// block is an executed block of the model ledger.
type block struct {
	header quorum.Header
	hash   crypto.Hash
	pay    [][]byte
	cert   *quorum.Certificate
	result node.Result
}

// member is one simulated node: the shipped replica in a modelled environment. It implements node.Env,
// node.Ledger and node.Pool.
type member struct {
	w     *world
	self  int // in the plan
	index int // in the validator set
	peer  p2p.PeerID
	key   crypto.PrivateKey
	disk  *disk

	// Lost in a crash.
	replica     *node.Replica
	incarnation int
	timers      map[node.TimerID]consensus.Time
	pool        [][]byte
	busyUntil   int64 // execution is one at a time
}

func (m *member) boot() error {
	m.incarnation++
	m.timers = map[node.TimerID]consensus.Time{}
	m.pool, m.busyUntil = nil, 0
	cfg := m.w.cfg
	cfg.Self = m.index
	r, err := node.NewReplica(cfg, m, m, m, m.disk, m.key)
	if err != nil {
		return err
	}
	m.replica = r
	if err := r.Start(); err != nil {
		return err
	}
	for _, other := range m.w.nodes {
		if other != m && other.replica != nil {
			if err := r.Connected(other.peer); err != nil {
				return err
			}
			if err := other.replica.Connected(m.peer); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *member) stop(keep int) {
	m.replica = nil
	m.incarnation++
	m.disk.crash(m.w.rng, keep)
}

// later schedules something that a crash cancels.
func (m *member) later(ms int64, do func(r *node.Replica) error) {
	incarnation := m.incarnation
	m.w.after(ms, func() error {
		if m.incarnation != incarnation || m.replica == nil {
			return nil
		}
		return do(m.replica)
	})
}

// blocksKind is the first byte of an answer with blocks.
const blocksKind = 7

func (m *member) receive(from p2p.PeerID, msg []byte) error {
	in, err := m.w.epoch.Verify(from, msg)
	if err != nil {
		return err // all nodes are honest here: what they send must verify
	}
	m.w.note("gets", m, msg[:1])
	if in.Transactions() != nil {
		for _, raw := range in.Transactions() {
			m.hold(raw)
		}
		return m.replica.PoolChanged()
	}
	before := m.replica.Snapshot().Final.Height
	if err := m.replica.Receive(in); err != nil {
		return err
	}
	m.w.report.Backlog = max(m.w.report.Backlog, int(m.replica.Snapshot().Final.Height-m.replica.Snapshot().Executed))
	if after := m.replica.Snapshot().Final.Height; msg[0] == blocksKind && after > before {
		m.w.report.Synced += int(after - before)
	}
	return m.w.oracle.bounded(m)
}

// submit gives the node a transaction, which it tells the others if relay is set.
func (m *member) submit(raw []byte, relay bool) error {
	if m.replica == nil {
		return nil
	}
	m.hold(raw)
	if relay {
		for _, other := range m.w.nodes {
			if other != m {
				m.w.deliver(m, other, node.EncodeTransactions([][]byte{raw})[0])
			}
		}
	}
	return m.replica.PoolChanged()
}

func (m *member) hold(raw []byte) {
	if m.has(string(raw)) {
		return
	}
	for _, have := range m.pool {
		if string(have) == string(raw) {
			return
		}
	}
	m.pool = append(m.pool, raw)
}

// has reports whether a transaction is executed.
func (m *member) has(raw string) bool {
	for i := len(m.disk.chain) - 1; i >= 0; i-- {
		for _, tx := range m.disk.chain[i].pay {
			if string(tx) == raw {
				return true
			}
		}
	}
	return false
}

// Now implements node.Env.
func (m *member) Now() consensus.Time { return consensus.Time(m.w.now + m.w.plan.SkewMs[m.self]) }

// Send implements node.Env.
func (m *member) Send(to p2p.PeerID, _ p2p.Class, msg []byte) {
	m.w.note("sends", m, msg)
	m.w.oracle.sent(m, msg)
	for _, other := range m.w.nodes {
		if other.peer == to {
			m.w.deliver(m, other, msg)
		}
	}
}

// Announce implements node.Env; there are no full nodes here.
func (m *member) Announce(node.Head) {}

// Report implements node.Env: among honest nodes there is no evidence, ever.
func (m *member) Report(e quorum.Evidence) { m.w.oracle.accused(m, e) }

// Arm implements node.Env.
func (m *member) Arm(id node.TimerID, at consensus.Time) {
	m.timers[id] = at
	m.later(int64(at-m.Now()), func(r *node.Replica) error {
		if m.timers[id] != at {
			return nil
		}
		delete(m.timers, id)
		return r.TimerFired(id)
	})
}

// CheckPayload implements node.Env: every payload is good.
func (m *member) CheckPayload(hash crypto.Hash, payload [][]byte) {
	m.later(m.w.rng.Int64N(3), func(r *node.Replica) error {
		return r.PayloadChecked(hash, ids(payload), nil)
	})
}

func ids(payload [][]byte) []crypto.Hash {
	var out []crypto.Hash
	for _, tx := range payload {
		out = append(out, sha256.Sum256(tx))
	}
	return out
}

// Execute implements node.Env.
func (m *member) Execute(b node.FinalBlock) {
	m.busyUntil = max(m.busyUntil, m.w.now) + m.w.between(m.w.plan.ExecMs)
	m.later(m.busyUntil-m.w.now, func(r *node.Replica) error {
		last := m.disk.chain[len(m.disk.chain)-1]
		root := sha256.Sum256(append(last.result.StateRoot[:], b.Header.PayloadRoot[:]...))
		done := block{header: b.Header, hash: b.Hash, pay: b.Payload, result: node.Result{StateRoot: root, ReceiptsChain: sha256.Sum256(root[:])}}
		if b.Certificate != nil && b.Certificate.Block == b.Hash {
			done.cert = b.Certificate
		}
		if err := m.w.oracle.executed(m, last, b); err != nil {
			return err
		}
		m.disk.commit(done)
		m.w.note("executes", m, b.Hash[:])
		return r.Executed(node.Execution{Height: b.Header.Height, View: b.Header.View, Transactions: ids(b.Payload)})
	})
}

// Tip implements node.Ledger.
func (m *member) Tip() (node.LedgerTip, error) {
	chain := m.disk.chain
	last := chain[len(chain)-1]
	tail := uint64(0)
	for i := len(chain) - 1; i >= 0 && tail < m.w.cfg.ExecDelay; i-- {
		if len(chain[i].pay) > 0 {
			break
		}
		tail++
	}
	if len(chain) == 1 {
		tail = m.w.cfg.ExecDelay
	}
	return node.LedgerTip{Header: last.header, Certificate: last.cert, EmptyTail: tail}, nil
}

// Result implements node.Ledger.
func (m *member) Result(h quorum.Height) (node.Result, bool) {
	if int(h) >= len(m.disk.chain) {
		return node.Result{}, false
	}
	return m.disk.chain[h].result, true
}

// Blocks implements node.Ledger.
func (m *member) Blocks(from quorum.Height, most int) ([]blocksync.Block, error) {
	var out []blocksync.Block
	for h := int(from); h > 0 && h < len(m.disk.chain) && len(out) < most; h++ {
		b := m.disk.chain[h]
		out = append(out, blocksync.Block{Header: b.header, Payload: b.pay, Certificate: b.cert})
	}
	return out, nil
}

// Pending implements node.Pool.
func (m *member) Pending() bool { return len(m.pool) > 0 }

// Select implements node.Pool.
func (m *member) Select(maxBytes int, skip func(crypto.Hash) bool) [][]byte {
	var out [][]byte
	for _, raw := range m.pool {
		if !skip(sha256.Sum256(raw)) && len(raw) <= maxBytes {
			out = append(out, raw)
			maxBytes -= len(raw)
		}
	}
	return out
}

// Ordered implements node.Pool.
func (m *member) Ordered(done []crypto.Hash) {
	gone := map[crypto.Hash]bool{}
	for _, id := range done {
		gone[id] = true
	}
	var rest [][]byte
	for _, raw := range m.pool {
		if !gone[sha256.Sum256(raw)] {
			rest = append(rest, raw)
		}
	}
	m.pool = rest
}
