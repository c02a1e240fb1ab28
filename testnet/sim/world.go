package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/node"
	"waybill/p2p"
)

// startMs is the virtual time at which every network starts.
const startMs = 1_700_000_000_000

// maxEvents ends a run that spins instead of progressing.
const maxEvents = 3_000_000

type world struct {
	plan    Plan
	rng     *rand.Rand
	now     int64
	queue   queue
	cfg     node.Config
	laws    node.Rules  // of epoch 0; see lawsOf
	first   *quorum.Set // of epoch 0
	sets    *elections
	rules   rules
	nodes   []*member // by their place in the plan
	seconds []*member // second copies of twins; nil for the others
	members []*member // all of them
	peers   map[p2p.PeerID]*member
	owners  map[crypto.PublicKey]*member
	oracle  *oracle
	healed  bool
	heal    healing
	money   money // with the real ledger
	trace   trace
	ids     map[string]crypto.Hash // of the model's transactions
	last    []byte                 // the transaction that every node gets when everything healed
	report  Report
	latest  [maxNodes * maxNodes]int64 // last arrival on each link

	nextSide int
	look     bool // a block was executed since it was last asked whether the run is over
}

// healing is what is measured after everything healed.
type healing struct {
	epoch   quorum.Epoch
	view    quorum.View // the highest that an honest node was in
	height  quorum.Height
	firstMs int64 // -1 until a block made after it is final somewhere
	rounds  int
}

// Run carries out a plan. The error names the promise that was broken; the plan's seed reproduces it.
func Run(p Plan) (Report, error) {
	w, err := newWorld(p)
	if err != nil {
		return Report{}, err
	}
	w.report.Runs = 1
	if err := w.run(); err != nil {
		w.report.Violations = 1
		return w.report, fmt.Errorf("%w\n  at %d ms of %s", err, w.now-startMs, p)
	}
	w.report.Trace, w.report.SimMs = uint64(w.trace), w.now-startMs
	return w.report, nil
}

func newWorld(p Plan) (*world, error) {
	w := &world{
		plan: p, rng: rand.New(rand.NewPCG(p.Seed, 0x90)), now: startMs,
		peers: map[p2p.PeerID]*member{}, owners: map[crypto.PublicKey]*member{}, ids: map[string]crypto.Hash{}, heal: healing{firstMs: -1},
	}
	w.sets = newElections(&w.plan)
	var genesis block
	var err error
	if p.Slashing {
		genesis, err = w.realGenesis()
	} else {
		genesis, err = w.modelGenesis()
	}
	if err != nil {
		return nil, err
	}
	timing := consensus.DefaultTiming()
	timing.Max = consensus.Duration(p.MaxMs)
	timing.MaxBlockInterval = heartbeatMs
	w.cfg = node.Config{Genesis: genesis.header.Genesis, Checker: keyedHash{}}
	w.laws = node.Rules{
		Params: genesis.header.Params, ExecDelay: execDelay, MaxBlockBytes: 1 << 16,
		Epochs: ledger.EpochRule{Length: p.EpochLength, Ms: p.EpochMs}, Timing: timing,
	}
	w.oracle = newOracle(w)
	w.oracle.opens(0, w.first, genesis)
	for i := range p.Stakes {
		m := w.addMember(i, genesis)
		w.nodes = append(w.nodes, m)
		w.peers[m.peer] = m
		w.owners[m.public] = m
		w.seconds = append(w.seconds, nil)
		if len(p.Faulty[i]) > 0 {
			m.actor = newActor(m, p.Faulty[i], p.Seed)
		}
	}
	for _, m := range w.nodes {
		if m.actor != nil && m.actor.is(Twins) {
			w.addTwin(m, genesis)
		}
	}
	w.countFaults()
	return w, nil
}

// heartbeatMs is after how long an idle network makes an empty block: those who do not vote hear of it, if they missed
// the one before.
const heartbeatMs = 10_000

// execDelay is K in the first epoch of every simulated network.
const execDelay = 2

// lawsOf are the rules of an epoch. With Plan.Reforms each epoch has others, as if proposals had passed.
func (w *world) lawsOf(e quorum.Epoch) node.Rules {
	laws := w.laws
	if !w.plan.Reforms || e == 0 {
		return laws
	}
	rng := rand.New(rand.NewPCG(w.plan.Seed, uint64(e)))
	laws.ExecDelay = 1 + rng.Uint64N(6)
	laws.MaxBlockBytes = 1 << (13 + rng.IntN(4))
	laws.Epochs.Length = max(laws.Epochs.Length+rng.Uint64N(3), laws.ExecDelay+1)
	laws.Params = sha256.Sum256(binary.BigEndian.AppendUint64([]byte("params"), uint64(e)))
	return laws
}

// modelGenesis is the first block of a network with the model of a ledger.
func (w *world) modelGenesis() (block, error) {
	set, err := w.sets.wantedAt(0)
	if err != nil {
		return block{}, err
	}
	w.first, w.rules = set, modelRules{w}
	header := quorum.Header{
		Version: quorum.HeaderVersion, Genesis: sha256.Sum256([]byte("simulated network")), TimeMs: startMs - 1_000,
		ValidatorSet: set.Hash(), Params: sha256.Sum256([]byte("params")),
	}
	return block{header: header, hash: header.Hash()}, nil
}

func (w *world) addMember(i int, genesis block) *member {
	m := &member{w: w, self: i, peer: p2p.PeerID(fmt.Sprintf("v%d", i)), key: testKey(i), public: keyring()[i].public, disk: newDisk(genesis)}
	w.members = append(w.members, m)
	return m
}

// addTwin makes the second copy of a node.
func (w *world) addTwin(m *member, genesis block) {
	t := w.addMember(m.self, genesis)
	t.copy, t.twin, m.twin = 1, m, t
	t.actor = newActor(t, w.plan.Faulty[m.self], w.plan.Seed)
	w.seconds[m.self] = t
}

func (w *world) memberOf(key crypto.PublicKey) *member { return w.owners[key] }

// after schedules do.
func (w *world) after(ms int64, do func() error) {
	w.queue.push(w.now+max(ms, 0), event{do: do})
}

func (w *world) run() error {
	for _, m := range w.members {
		if err := m.boot(); err != nil {
			return err
		}
	}
	w.schedule()
	last := w.plan.FaultMs + w.plan.LimitMs
	for n := 0; w.queue.len() > 0; n++ {
		at, e := w.queue.pop()
		w.now = max(w.now, at)
		if n >= maxEvents {
			return fmt.Errorf("no rest: %d events", n)
		}
		if w.now-startMs > last {
			return w.stalled()
		}
		var err error
		if e.do != nil {
			err = e.do()
		} else {
			err = w.arrive(&e)
		}
		if err == nil {
			err = w.oracle.fault
		}
		if err != nil {
			return err
		}
		if over, err := w.over(); over || err != nil {
			return err
		}
	}
	return fmt.Errorf("the network fell silent")
}

// over reports whether the run has shown what it had to.
func (w *world) over() (bool, error) {
	if w.plan.Fork {
		if w.now-startMs < w.plan.FaultMs {
			return false, nil
		}
		w.finish()
		return true, w.oracle.blame()
	}
	if !w.healed || !w.look {
		return false, nil
	}
	w.look = false
	if !w.done() {
		return false, nil
	}
	w.report.healed(w.heal.firstMs, w.now-startMs-w.plan.FaultMs, w.heal.rounds)
	w.report.SlowestSeed, w.report.RoundSeed = w.plan.Seed, w.plan.Seed
	if w.plan.Behind {
		w.report.Counts[CountCaughtUp]++
	}
	w.finish()
	return true, w.oracle.finish()
}

func (w *world) finish() {
	for _, m := range w.members {
		w.report.Counts[CountSyncs] += m.disk.syncs
		if m.honest() {
			last := m.disk.chain[len(m.disk.chain)-1].header
			w.report.Height, w.report.View = max(w.report.Height, uint64(last.Height)), max(w.report.View, uint64(last.View))
		}
	}
	w.report.Counts[CountDetours] = w.oracle.detours()
}

// schedule lays out the plan's events.
func (w *world) schedule() {
	for _, c := range w.plan.Crashes {
		w.after(c.AtMs, func() error { return w.crash(c) })
		if c.Fault >= FaultWipe {
			w.after(c.AtMs/2, func() error { w.nodes[c.Node].backup(); return nil })
		}
	}
	for _, s := range w.plan.Splits {
		w.after(s.UntilMs, w.reconnect)
	}
	for i, s := range w.plan.Submits {
		w.after(s.AtMs, func() error { return w.submit(i, s) })
	}
	for i, c := range w.plan.Clocks {
		if c.JumpAtMs > 0 {
			for _, m := range w.members {
				if m.self == i {
					w.after(c.JumpAtMs, func() error { m.jump(); return nil })
				}
			}
		}
	}
	for _, m := range w.members {
		if m.actor != nil {
			w.after(m.actor.rng.Int64N(tickMs), m.actor.tick)
		}
	}
	w.after(turnMs, w.announceInTurn)
	if !w.plan.Fork {
		w.after(w.plan.FaultMs, w.healAll)
	}
	if w.plan.Slashing {
		w.scheduleMoney()
	}
}

func (w *world) submit(i int, s Submit) error {
	m := w.nodes[s.Node]
	if w.plan.Slashing {
		return w.submitMoney(m, i)
	}
	return m.submit(modelTransaction(uint64(i)), true)
}

// healAll ends every fault, and gives every node one more transaction to agree on.
func (w *world) healAll() error {
	w.healed = true
	w.heal.firstMs = -1
	for _, m := range w.members {
		m.disk.fault = diskWell
		if m.replica == nil && !m.gone {
			if err := m.boot(); err != nil {
				return err
			}
		}
	}
	if err := w.reconnect(); err != nil {
		return err
	}
	for _, m := range w.nodes {
		if m.replica == nil || !m.honest() {
			continue
		}
		s := m.replica.Snapshot()
		if number := m.epoch.Number; number > w.heal.epoch || number == w.heal.epoch && s.Consensus.View > w.heal.view {
			w.heal.epoch, w.heal.view = number, s.Consensus.View
		}
		w.heal.height = max(w.heal.height, s.Final.Height)
	}
	for _, m := range w.nodes {
		if m.honest() {
			if err := m.submit(w.lastTransaction(), false); err != nil {
				return err
			}
		}
	}
	return nil
}

// reconnect makes every pair of running nodes part and greet each other again, as connections do that a partition
// broke: what was under way on them is lost, and known to be.
func (w *world) reconnect() error {
	for _, m := range w.members {
		for _, other := range w.nodes {
			if m.self == other.self {
				continue
			}
			err := m.do(func(r *node.Replica) error {
				if err := r.Disconnected(other.peer); err != nil {
					return err
				}
				return r.Connected(other.peer)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// done reports whether the transaction after healing is executed on every honest node.
func (w *world) done() bool {
	if w.heal.firstMs < 0 {
		return false
	}
	last := w.lastTransaction()
	for _, m := range w.nodes {
		if m.honest() && !w.plan.Clocks[m.self].Astray && (m.replica == nil || !m.applied[string(last)]) {
			return false
		}
	}
	return w.moneyDone()
}

// lastTransaction is what every node gets when everything healed.
func (w *world) lastTransaction() []byte {
	if w.plan.Slashing {
		return w.lastTransfer()
	}
	if w.last == nil {
		w.last = modelTransaction(lastNumber)
	}
	return w.last
}

// progress notes a new height, for the promise about recovery: it counts when its proposal was first sent after
// everything healed. A round is a view of an honest leader on whom liveness counts; the view that was under way when
// everything healed counts only if the block is of it.
func (w *world) progress(b node.FinalBlock) {
	if !w.healed || w.heal.firstMs >= 0 {
		return
	}
	h := &b.Header
	healedAt := startMs + w.plan.FaultMs
	told, known := w.oracle.told[b.Hash]
	if known && told < healedAt || !known && (h.Epoch < w.heal.epoch || h.Epoch == w.heal.epoch && h.View <= w.heal.view) {
		return
	}
	w.heal.firstMs = w.now - healedAt
	count := func(epoch quorum.Epoch, from, to quorum.View) {
		e := w.oracle.epochs[epoch]
		if e == nil {
			return
		}
		slate := e.slate()
		for v := from; v <= to; v++ {
			if w.oracle.honestLeader(epoch, uint16(slate.Leader(v))) {
				w.heal.rounds++
			}
		}
	}
	if h.Epoch == w.heal.epoch {
		count(h.Epoch, min(w.heal.view+1, h.View), h.View)
		return
	}
	count(w.heal.epoch, w.heal.view+1, w.oracle.epochs[w.heal.epoch].views)
	for e := w.heal.epoch + 1; e < h.Epoch; e++ {
		count(e, 1, w.oracle.epochs[e].views)
	}
	count(h.Epoch, 1, h.View)
}

func (w *world) stalled() error {
	text := "no progress after healing:"
	for _, m := range w.members {
		if m.replica == nil {
			text += fmt.Sprintf("\n  %s is down", m.peer)
			continue
		}
		s := m.replica.Snapshot()
		text += fmt.Sprintf("\n  %s (validator %d of epoch %d): view %d (leader %d), final %d in view %d, executed %d, pool %d, halted %v",
			m.peer, m.epoch.Self, m.epoch.Number, s.Consensus.View, s.Consensus.Leader, s.Consensus.FinalHeight, s.Consensus.FinalView,
			s.Executed, len(m.pool), s.Consensus.Halted)
		if !m.honest() {
			text += fmt.Sprintf(" %v", m.actor.kind)
		}
	}
	return fmt.Errorf("%s", text)
}

// note adds to the trace.
func (w *world) note(what uint64, m *member, data []byte) {
	w.trace.word(uint64(w.now)<<16 | what<<8 | uint64(m.self))
	w.trace.bytes(data)
}
