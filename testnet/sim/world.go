package sim

import (
	"container/heap"
	"crypto/sha256"
	"fmt"
	"hash"
	"math/rand/v2"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/node"
	"waybill/p2p"
)

// Report is what a run did.
type Report struct {
	Plan     Plan
	Height   quorum.Height // at the end, on every node
	View     quorum.View   // of the block at Height
	Messages int
	Syncs    int         // synced writes, all nodes
	Restarts int         // crashes carried out
	Splits   int         // pairs of consecutive blocks that are final through a descendant only
	Backlog  int         // most final blocks that waited for execution on one node
	Synced   int         // blocks that came by block sync, all nodes
	HealMs   int64       // from healing to the last transaction final everywhere
	Trace    crypto.Hash // over every event: equal for equal seeds
}

// startMs is the virtual time at which every network starts.
const startMs = 1_700_000_000_000

// maxEvents ends a run that spins instead of progressing.
const maxEvents = 3_000_000

type event struct {
	at  int64
	seq uint64
	do  func() error
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any     { old := *e; x := old[len(old)-1]; *e = old[:len(old)-1]; return x }

type world struct {
	plan   Plan
	rng    *rand.Rand
	now    int64
	queue  events
	seq    uint64
	epoch  *node.Epoch
	cfg    node.Config
	nodes  []*member
	oracle *oracle
	healed bool
	trace  hash.Hash
	report Report
}

// Run carries out a plan. The error names the promise that was broken; Plan.String reproduces it.
func Run(p Plan) (Report, error) {
	w, err := newWorld(p)
	if err != nil {
		return Report{}, err
	}
	if err := w.run(); err != nil {
		return w.report, fmt.Errorf("%w\n  at %d ms of %s", err, w.now-startMs, p)
	}
	copy(w.report.Trace[:], w.trace.Sum(nil))
	return w.report, nil
}

func newWorld(p Plan) (*world, error) {
	var validators []quorum.Validator
	for i, s := range p.Stakes {
		validators = append(validators, quorum.Validator{Key: testKey(i).Public(), Power: quorum.Power(s)})
	}
	set, err := quorum.NewSet(validators)
	if err != nil {
		return nil, err
	}
	genesis := sha256.Sum256([]byte("simulated network"))
	anchorHeader := quorum.Header{Version: quorum.HeaderVersion, Genesis: genesis, TimeMs: startMs - 1_000, ValidatorSet: set.Hash()}
	w := &world{
		plan: p, rng: rand.New(rand.NewPCG(p.Seed, 0x90)), now: startMs, trace: sha256.New(),
		epoch: &node.Epoch{
			Domain: quorum.Domain{Genesis: genesis, Set: set, Checker: keyedHash{}},
			Slate:  quorum.NewSlate(set, genesis),
			Anchor: quorum.Anchor{Hash: anchorHeader.Hash(), Height: 0, TimeMs: anchorHeader.TimeMs},
		},
		report: Report{Plan: p},
	}
	timing := consensus.DefaultTiming()
	timing.Max = 1_000
	w.cfg = node.Config{Epoch: w.epoch, Timing: timing, ExecDelay: 2, MaxBlockBytes: 1 << 16, Params: sha256.Sum256([]byte("params"))}
	w.oracle = newOracle(set)
	for i := range p.Stakes {
		index, _ := set.Index(testKey(i).Public())
		w.cfg.Peers = append(w.cfg.Peers, "")
		m := &member{w: w, self: i, index: index, peer: p2p.PeerID(fmt.Sprintf("v%d", i)), key: testKey(i), disk: newDisk()}
		m.disk.chain = []block{{header: anchorHeader, hash: anchorHeader.Hash()}}
		w.nodes = append(w.nodes, m)
	}
	for _, m := range w.nodes {
		w.cfg.Peers[m.index] = m.peer
	}
	return w, nil
}

// after schedules do.
func (w *world) after(ms int64, do func() error) {
	w.seq++
	heap.Push(&w.queue, event{at: w.now + max(ms, 0), seq: w.seq, do: do})
}

func (w *world) run() error {
	for _, m := range w.nodes {
		if err := m.boot(); err != nil {
			return err
		}
	}
	w.schedule()
	last := w.plan.FaultMs + w.plan.LimitMs
	for n := 0; w.queue.Len() > 0; n++ {
		e := heap.Pop(&w.queue).(event)
		w.now = max(w.now, e.at)
		if n >= maxEvents {
			return fmt.Errorf("no rest: %d events", n)
		}
		if w.now-startMs > last {
			return w.stalled()
		}
		if err := e.do(); err != nil {
			return err
		}
		if w.healed && w.done() {
			return w.finish()
		}
	}
	return fmt.Errorf("the network fell silent")
}

// schedule lays out the plan's events.
func (w *world) schedule() {
	for _, c := range w.plan.Crashes {
		w.after(c.AtMs, func() error { return w.crash(c) })
	}
	for _, s := range w.plan.Splits {
		w.after(s.UntilMs, func() error { return w.reconnect() })
	}
	for i, s := range w.plan.Submits {
		w.after(s.AtMs, func() error { return w.nodes[s.Node].submit([]byte(fmt.Sprintf("transaction %d", i)), true) })
	}
	w.after(w.plan.FaultMs, w.heal)
}

func (w *world) crash(c Crash) error {
	m := w.nodes[c.Node]
	if m.replica == nil {
		return nil
	}
	m.stop(c.Keep)
	w.report.Restarts++
	w.after(c.ForMs, func() error {
		if m.replica != nil {
			return nil
		}
		return m.boot()
	})
	return nil
}

// heal ends every fault, and gives every node one more transaction to agree on.
func (w *world) heal() error {
	w.healed = true
	for _, m := range w.nodes {
		if m.replica == nil {
			if err := m.boot(); err != nil {
				return err
			}
		}
	}
	if err := w.reconnect(); err != nil {
		return err
	}
	for _, m := range w.nodes {
		if err := m.submit([]byte("after healing"), false); err != nil {
			return err
		}
	}
	return nil
}

// reconnect makes every pair of running nodes greet each other, as connections do.
func (w *world) reconnect() error {
	for _, m := range w.nodes {
		for _, other := range w.nodes {
			if m != other && m.replica != nil && other.replica != nil {
				if err := m.replica.Connected(other.peer); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// done reports whether the transaction after healing is executed everywhere.
func (w *world) done() bool {
	for _, m := range w.nodes {
		if m.replica == nil || !m.has("after healing") {
			return false
		}
	}
	return true
}

func (w *world) finish() error {
	w.report.HealMs = w.now - startMs - w.plan.FaultMs
	for _, m := range w.nodes {
		w.report.Syncs += m.disk.syncs
		last := m.disk.chain[len(m.disk.chain)-1].header
		w.report.Height, w.report.View = max(w.report.Height, last.Height), max(w.report.View, last.View)
	}
	w.report.Splits = w.oracle.splits()
	return w.oracle.finish(w.nodes)
}

func (w *world) stalled() error {
	text := "no progress after healing:"
	for _, m := range w.nodes {
		s := m.replica.Snapshot()
		text += fmt.Sprintf("\n  %s (validator %d): view %d (leader %d), final %d in view %d, executed %d, pool %d, halted %v",
			m.peer, m.index, s.Consensus.View, s.Consensus.Leader, s.Consensus.FinalHeight, s.Consensus.FinalView, s.Executed, len(m.pool), s.Consensus.Halted)
	}
	return fmt.Errorf("%s", text)
}

// deliver carries a message, or not.
func (w *world) deliver(from, to *member, msg []byte) {
	w.report.Messages++
	if w.cut(from, to) {
		return
	}
	copies := 1
	if !w.healed {
		if w.rng.IntN(100) < w.plan.Loss {
			return
		}
		if w.rng.IntN(100) < w.plan.Twice {
			copies = 2
		}
	}
	for range copies {
		incarnation := to.incarnation
		w.after(w.delay(), func() error {
			if to.replica == nil || to.incarnation != incarnation || w.cut(from, to) {
				return nil
			}
			return to.receive(from.peer, msg)
		})
	}
}

func (w *world) delay() int64 {
	if w.healed {
		return 1 + w.rng.Int64N(5)
	}
	return w.between(w.plan.DelayMs)
}

func (w *world) between(bounds [2]int64) int64 {
	return bounds[0] + w.rng.Int64N(bounds[1]-bounds[0]+1)
}

func (w *world) cut(from, to *member) bool {
	if w.healed {
		return false
	}
	for _, s := range w.plan.Splits {
		at := w.now - startMs
		if at < s.FromMs || at >= s.UntilMs {
			continue
		}
		far := s.Side>>from.self&1 == 1
		if far != (s.Side>>to.self&1 == 1) && !(s.OneWay && !far) {
			return true
		}
	}
	return false
}

// note adds to the trace.
func (w *world) note(what string, m *member, data []byte) {
	fmt.Fprintf(w.trace, "%d %s %s ", w.now, what, m.peer)
	w.trace.Write(data)
}
