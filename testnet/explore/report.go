package explore

import "fmt"

// Report counts what a run did. The zero value is an empty sum.
type Report struct {
	Runs      int
	Views     int // entered by the node that came farthest
	Blocks    int // final on the honest node with the most
	Messages  int // delivered
	Lost      int // messages dropped on the way, cut links not counted
	Restarts  int
	Double    int // contradicting votes and proposals made by faulty validators' keys
	Evidence  int // pieces of evidence that honest nodes reported
	Halts     int // copies of twins that stopped on seeing each other's votes
	Closed    int // runs in which the epoch ended on every honest node
	Tails     int // of these, the ones that needed a tail for it
	Forks     int // pairs of honest nodes with conflicting final blocks, in runs with a third or more faulty
	Forked    int // runs with a fork
	Culprits  int // validators proven guilty of those forks
	SimMs     int // virtual time that passed, where there is one
	SlowestMs int // longest virtual time, or SlowestRounds rounds, from heal to progress
	Rounds    int // most rounds with an honest leader from heal to progress
	Refused   int // unjustified proposals that verification refused
	Trace     uint64
}

// Add sums up, and keeps the worst of what is a maximum.
func (r *Report) Add(o Report) {
	r.Runs += o.Runs
	r.SimMs += o.SimMs
	r.Views += o.Views
	r.Blocks += o.Blocks
	r.Messages += o.Messages
	r.Lost += o.Lost
	r.Restarts += o.Restarts
	r.Double += o.Double
	r.Evidence += o.Evidence
	r.Halts += o.Halts
	r.Closed += o.Closed
	r.Tails += o.Tails
	r.Forks += o.Forks
	r.Forked += o.Forked
	r.Culprits += o.Culprits
	r.SlowestMs = max(r.SlowestMs, o.SlowestMs)
	r.Rounds = max(r.Rounds, o.Rounds)
	r.Refused += o.Refused
	r.Trace ^= o.Trace
}

// String is one line for a log.
func (r Report) String() string {
	s := fmt.Sprintf("%d runs: %d views, %d blocks, %d messages (%d lost), %d restarts, "+
		"%d contradictions made, %d pieces of evidence, %d twins halted",
		r.Runs, r.Views, r.Blocks, r.Messages, r.Lost, r.Restarts, r.Double, r.Evidence, r.Halts)
	if r.Refused > 0 {
		s += fmt.Sprintf(", %d unjustified proposals refused", r.Refused)
	}
	if r.Closed > 0 {
		s += fmt.Sprintf(", %d epochs ended (%d by a tail)", r.Closed, r.Tails)
	}
	if r.Forks > 0 {
		s += fmt.Sprintf(", %d of them forked, in %d pairs of ledgers, with %d culprits", r.Forked, r.Forks, r.Culprits)
	}
	if r.Rounds > 0 {
		s += fmt.Sprintf(", progress at most %d rounds after the heal", r.Rounds)
	}
	if r.SlowestMs > 0 {
		s += fmt.Sprintf(", progress at most %d ms after the heal", r.SlowestMs)
	}
	return s
}

// Failure is a broken promise, with the line that repeats it.
type Failure struct {
	What   string // "twins", "storm", "beyond", "scenario"
	Seed   uint64
	Detail string
	Story  string // the scenario or plan in words
}

// Error says what broke and how to see it again.
func (f *Failure) Error() string {
	test := map[string]string{"twins": "TestTwins$", "storm": "TestStorm$", "beyond": "TestBeyond$", "scenario": "TestScenarios"}[f.What]
	return fmt.Sprintf("%s\n  %s\n  again: go test ./testnet/explore -run '%s' -seed %d -runs 1", f.Detail, f.Story, test, f.Seed)
}
