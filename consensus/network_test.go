package consensus

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// faults says what may go wrong until the network heals.
type faults struct {
	drop, duplicate float64 // of every message
	delay           int     // most milliseconds on the way
	crashes         int
	partitions      int
	cheats          int // validators that equivocate in all they do, from the least powerful up
	skew            int // most milliseconds a clock is off
	epoch           int // blocks in an epoch; 0 for one without end
}

const (
	stormMs   = 12_000 // how long faults last
	maxEvents = 2_000_000
	quietMs   = 20_000 // how long after the heal everything has to be final: two views of 9 s, their longest, and some
	txCount   = 12
	fastHop   = 4
	diskSync  = 3
)

// network runs the machines of a validator set over a virtual queue. All chance comes from one seed; a failing run is
// repeated by its seed.
type network struct {
	w      *world
	rng    *rand.Rand
	f      faults
	timing Timing
	now    Time
	seq    int
	queue  events
	nodes  []*simNode
	group  []int // partition: nodes in different groups do not hear each other
	healed bool

	chain    map[quorum.Height]crypto.Hash // agreed
	signed   map[ballot]*viewVotes         // of honest nodes
	proposed map[ballot]crypto.Hash
	trace    hash.Hash64
	failure  string
	garbage  *int // not nil: cheats propose on garbage only, and count it here

	ended, byTail int // epochs that honest nodes saw the end of, and those by the finality of a tail

	verbose bool
}

// ballot is one node's part in one view.
type ballot struct {
	node  int
	epoch quorum.Epoch
	view  quorum.View
}

// viewVotes is what one honest key signed in one view; compared by hand, not by the code under test.
type viewVotes struct {
	notarize, finalize crypto.Hash
	nullify            bool
}

type event struct {
	at  Time
	seq int
	do  func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

func newNetwork(w *world, seed uint64, f faults) *network {
	n := &network{
		w: w, rng: rand.New(rand.NewPCG(seed, 1)), f: f, now: epochOfStory, timing: DefaultTiming(),
		chain: map[quorum.Height]crypto.Hash{}, signed: map[ballot]*viewVotes{}, proposed: map[ballot]crypto.Hash{},
	}
	n.timing.MinBlockInterval = 10
	if len(w.votes) > 1<<16 {
		w.votes, w.proposals = map[quorum.Vote]quorum.VerifiedVote{}, map[proposalKey]quorum.VerifiedProposal{}
	}
	w.terms, w.epochLength = map[quorum.Epoch]term{}, quorum.Height(f.epoch)
	for i := range w.keys {
		node := &simNode{net: n, id: i, cheat: i >= len(w.keys)-f.cheats,
			blocks: map[crypto.Hash]quorum.VerifiedProposal{}, durable: map[crypto.Hash]bool{}, pool: map[string]bool{}}
		if f.skew > 0 {
			node.skew = Duration(n.rng.IntN(2*f.skew) - f.skew)
		}
		n.nodes = append(n.nodes, node)
	}
	n.group = make([]int, len(n.nodes))
	return n
}

func (n *network) fail(format string, args ...any) {
	if n.failure == "" {
		n.failure = fmt.Sprintf("at +%d: ", n.now-epochOfStory) + fmt.Sprintf(format, args...)
	}
}

func (n *network) after(d int, do func()) {
	n.seq++
	heap.Push(&n.queue, event{n.now.Add(Duration(d)), n.seq, do})
}

// soon is a delay on the way, at most the storm's until the network heals.
func (n *network) soon() int {
	if n.healed {
		return 1 + n.rng.IntN(fastHop)
	}
	return 1 + n.rng.IntN(n.f.delay)
}

// run plays the storm, heals the network, and demands that everything becomes final and the chain comes to rest.
func (n *network) run() {
	for _, node := range n.nodes {
		n.after(n.rng.IntN(50), node.boot)
	}
	n.planTransactions()
	n.planFaults()
	n.after(stormMs, n.heal)
	n.until(epochOfStory.Add(stormMs + 1))
	for n.failure == "" && !n.done() {
		if n.now > epochOfStory.Add(stormMs+quietMs) {
			n.fail("not everything is final %d ms after the heal: %s", quietMs, n.describe())
			return
		}
		n.until(n.now.Add(200))
	}
	n.checkRest()
}

func (n *network) until(end Time) {
	for n.failure == "" && len(n.queue) > 0 && n.queue[0].at <= end {
		e := heap.Pop(&n.queue).(event)
		n.now = e.at
		if n.seq > maxEvents {
			n.fail("%d events: the machines do not come to rest", n.seq)
		}
		e.do()
	}
	n.now = end
}

func (n *network) planTransactions() {
	for i := range txCount {
		tx := fmt.Sprintf("tx-%d", i)
		at := n.rng.IntN(stormMs)
		for _, node := range n.nodes {
			n.after(at+n.rng.IntN(100), func() { node.addTx(tx) })
		}
	}
}

func (n *network) planFaults() {
	for range n.f.crashes {
		node, at := n.nodes[n.rng.IntN(len(n.nodes))], n.rng.IntN(stormMs)
		n.after(at, node.crash)
		n.after(at+n.rng.IntN(2000), node.boot)
	}
	for range n.f.partitions {
		at, d := n.rng.IntN(stormMs), n.rng.IntN(stormMs/2)
		n.after(at, func() {
			for i := range n.group {
				n.group[i] = n.rng.IntN(2)
			}
		})
		n.after(at+d, func() { clear(n.group) })
	}
}

func (n *network) heal() {
	n.healed = true
	clear(n.group)
	for _, node := range n.nodes {
		node.boot()
	}
}

func (n *network) honest() []*simNode {
	return slices.DeleteFunc(slices.Clone(n.nodes), func(s *simNode) bool { return s.cheat })
}

// done reports whether every transaction is final on every honest node, with a certified state root.
func (n *network) done() bool {
	for _, node := range n.honest() {
		if len(node.pool) > 0 || len(node.ledger) != len(n.chain) || node.emptyTail() < 2 || node.epoch != n.nodes[0].epoch {
			return false
		}
	}
	return len(n.chain) > 0
}

// checkRest demands that an idle chain stops making blocks.
func (n *network) checkRest() {
	if n.failure != "" || n.f.cheats > 0 {
		return // a cheat may propose whenever it likes
	}
	n.until(n.now.Add(5_000))
	height := len(n.chain)
	n.until(n.now.Add(20_000))
	if len(n.chain) != height {
		n.fail("the chain grew from %d to %d with nothing to do", height, len(n.chain))
	}
}

func (n *network) describe() string {
	s := fmt.Sprintf("%d blocks", len(n.chain))
	for _, node := range n.nodes {
		v := node.machine.Snapshot()
		s += fmt.Sprintf("\n  %s up=%v epoch=%d over=%v view=%d leader=%s final=%d/%d D=%d open=%d active=%v pool=%d tail=%d halted=%v missing=%d signed=%v",
			letter(node.id), node.up, v.Epoch, v.Over, v.View, letter(v.Leader), v.FinalHeight, v.FinalView, v.Timeout, v.OpenViews, v.Active, len(node.pool), node.emptyTail(), v.Halted, node.machine.missing, node.machine.signed)
	}
	return s
}

var storms = []struct {
	name   string
	powers []quorum.Power
	f      faults
}{
	{"calm", []quorum.Power{1, 1, 1, 1}, faults{delay: 5}},
	{"loss", []quorum.Power{1, 1, 1, 1}, faults{delay: 30, drop: 0.3, duplicate: 0.3}},
	{"crashes", []quorum.Power{1, 1, 1, 1}, faults{delay: 15, drop: 0.05, crashes: 12}},
	{"partitions", []quorum.Power{10, 3, 2, 1}, faults{delay: 20, drop: 0.1, partitions: 5, crashes: 3}},
	{"cheat", []quorum.Power{1, 1, 1, 1}, faults{delay: 20, drop: 0.1, cheats: 1, duplicate: 0.1}},
	{"unequal cheats", []quorum.Power{5, 4, 4, 2, 2}, faults{delay: 20, drop: 0.1, cheats: 2, crashes: 4}},
	{"everything", []quorum.Power{3, 3, 3, 2, 2, 2, 2}, faults{delay: 40, drop: 0.2, duplicate: 0.2, cheats: 2, crashes: 8, partitions: 3, skew: 200}},
	{"epochs", []quorum.Power{1, 1, 1, 1}, faults{delay: 10, drop: 0.05, epoch: 4}},
	{"epochs in loss", []quorum.Power{1, 1, 1, 1}, faults{delay: 30, drop: 0.3, duplicate: 0.3, crashes: 6, epoch: 3}},
	{"epochs and cheats", []quorum.Power{5, 4, 4, 2, 2}, faults{delay: 20, drop: 0.1, cheats: 2, crashes: 4, epoch: 3}},
	{"epochs in everything", []quorum.Power{3, 3, 3, 2, 2, 2, 2}, faults{delay: 40, drop: 0.2, duplicate: 0.2, cheats: 2, crashes: 8, partitions: 3, skew: 200, epoch: 3}},
}

// TestNetwork plays many storms of each kind: nobody forks, no honest key signs a slashable pair, nobody honest is
// accused, and after the heal everything becomes final and an idle chain rests. A failure names its seed; WAYBILL_SEED=n
// plays that one and tells what every machine did, WAYBILL_SEEDS=n plays n of each kind.
func TestNetwork(t *testing.T) {
	for _, storm := range storms {
		t.Run(storm.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(storm.powers, "")
			w.domain.Checker = newQuickSigner(w)
			ended, byTail := 0, 0
			for seed := range uint64(seeds()) {
				if only, err := strconv.ParseUint(os.Getenv("WAYBILL_SEED"), 10, 64); err == nil {
					seed = only
				}
				n := newNetwork(w, seed, storm.f)
				n.verbose = os.Getenv("WAYBILL_SEED") != ""
				if n.run(); n.failure != "" {
					t.Fatalf("seed %d: %s", seed, n.failure)
				}
				ended, byTail = ended+n.ended, byTail+n.byTail
			}
			if storm.f.epoch > 0 && ended < seeds() {
				t.Errorf("%d epochs ended in %d storms", ended, seeds())
			}
			if storm.f.epoch > 0 {
				t.Logf("%d ends of epochs at honest nodes, %d of them by a tail", ended, byTail)
			}
		})
	}
}

func seeds() int {
	if testing.Short() {
		return 3
	}
	if n, err := strconv.Atoi(os.Getenv("WAYBILL_SEEDS")); err == nil {
		return n
	}
	return 100
}

// TestNetworkIsDeterministic plays a storm twice and compares all that every machine did.
func TestNetworkIsDeterministic(t *testing.T) {
	storm := storms[len(storms)-1]
	var sums []uint64
	for range 2 {
		w := newWorld(storm.powers, "")
		w.domain.Checker = newQuickSigner(w)
		n := newNetwork(w, 7, storm.f)
		n.trace = fnv.New64a()
		n.run()
		sums = append(sums, n.trace.Sum64())
	}
	if sums[0] != sums[1] {
		t.Errorf("two runs of one seed differ: %x and %x", sums[0], sums[1])
	}
	if sums[0] == binary.BigEndian.Uint64(make([]byte, 8)) {
		t.Error("nothing was traced")
	}
}
