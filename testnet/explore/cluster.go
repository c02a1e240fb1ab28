package explore

import (
	"fmt"
	"io"
	"math/rand/v2"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// cluster is the machines of one run and the oracle over them. How messages travel and when things take time is the
// medium's.
type cluster struct {
	w      *world
	rng    *rand.Rand
	nodes  []*node
	oracle *oracle
	medium medium
	now    consensus.Time
	timing consensus.Timing
	gentle bool          // copies of a twin do not see each other's votes, so that none halts
	frugal bool          // of blocks, only those found valid survive a crash
	closes quorum.Height // of the block that ends the epoch; 0 is none
	report Report
	trace  uint64
	watch  io.Writer // gets a line for everything that happens; nil is nobody
}

// medium carries messages and lets local work take its time.
type medium interface {
	// carry sends a message to everyone it is for.
	carry(from *node, to int, m *message)
	// build answers a build request when it is time for it.
	build(n *node, b *consensus.BuildRequest)
	// work does something that takes a node a while, if it still runs then.
	work(n *node, what workKind, do func())
	// arm sees to it that a timer fires.
	arm(n *node, t consensus.TimerRequest)
	// reaches reports whether a block can be fetched.
	reaches(from, to *node) bool
}

// workKind is what takes time.
type workKind uint8

const (
	workSign workKind = iota
	workValidate
	workFetch
	workSync
)

// message is what travels: what the machine is given, and the status beside it if the receiver is to be told.
type message struct {
	from     int // index in the set
	proposal *quorum.VerifiedProposal
	cert     *quorum.VerifiedCertificate
	votes    []quorum.VerifiedVote
	status   *consensus.Status
}

func (c *cluster) fail(format string, args ...any) { c.oracle.fail(format, args...) }

// What goes into the trace besides votes, by kind.
const (
	happenedFinal = 16 + iota
	happenedEvidence
	happenedCrash
	happenedHalt
)

// tell mixes something that happened into the trace.
func (c *cluster) tell(n *node, kind uint8, at uint64, h crypto.Hash) {
	what := uint64(kind)<<40 | at
	if c.watch != nil {
		word := quorum.VoteKind(kind).String()
		if kind >= happenedFinal {
			word = []string{"FINAL", "evidence", "crash", "halt"}[kind-happenedFinal]
		}
		fmt.Fprintf(c.watch, "+%d %s in view %d: %s %d %s\n", c.now-startMs, n, n.machine.Status().View, word, at, h.Short())
	}
	x := c.trace ^ uint64(n.id)<<56 ^ what
	for i := range 8 {
		x = (x ^ uint64(h[i])) * 0x100000001b3
	}
	c.trace = x ^ x>>29
}

// honest calls do for each copy of an honest validator.
func (c *cluster) honest(do func(*node)) {
	for _, n := range c.nodes {
		if !n.faulty {
			do(n)
		}
	}
}

// lowest is the height of the honest ledger that is least far.
func (c *cluster) lowest() int {
	low := 1 << 30
	c.honest(func(n *node) { low = min(low, len(n.ledger)) })
	return low
}

// highest is the height of the honest ledger that is farthest.
func (c *cluster) highest() int {
	high := 0
	c.honest(func(n *node) { high = max(high, len(n.ledger)) })
	return high
}

// sum closes the report of a run.
func (c *cluster) sum() Report {
	r := &c.report
	r.Runs, r.Trace, r.Double = 1, c.trace, c.oracle.double
	r.Blocks = c.highest()
	for _, n := range c.nodes {
		if n.machine != nil {
			r.Views = max(r.Views, int(n.machine.Status().View))
		}
	}
	return *r
}

func (c *cluster) describe() string {
	s := ""
	for _, n := range c.nodes {
		v := n.machine.Snapshot()
		s += fmt.Sprintf("\n    %s up=%v view=%d final=%d/%d halted=%v missing=%d",
			n, n.up, v.View, v.FinalHeight, v.FinalView, v.Halted, n.machine.Status().Missing)
	}
	return s
}
