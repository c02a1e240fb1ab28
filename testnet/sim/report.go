package sim

import (
	"fmt"
	"strings"
)

// Counter names something that is counted in a run.
type Counter int

// What is counted. What an adversary did is in Report.Acts.
const (
	CountBlocks    Counter = iota // heights reached, one for each height of the network
	CountEpochs                   // closing blocks executed, one for each epoch
	CountMessages                 // handed to the network
	CountSyncs                    // synced writes of all nodes
	CountSynced                   // blocks that came by block sync, all nodes
	CountDetours                  // pairs of consecutive blocks that are final through a descendant only
	CountLost                     // messages lost by chance
	CountRepeated                 // messages delivered twice
	CountReordered                // messages that overtook an earlier one of their link
	CountCut                      // messages stopped by a partition
	CountSplitAny                 // partitions: any two groups
	CountSplitOne                 // … one node alone
	CountSplitRing                // … everybody hears two neighbours only
	CountFlapping                 // … that come and go
	CountOneWay                   // … in one direction
	CountOffsets                  // nodes whose clock is off by more than 400 ms
	CountJumps                    // clocks that jump
	CountDrifts                   // clocks that run fast or slow
	CountCrashes                  // crashes of nodes
	CountTorn                     // … that lost writes which were not synced
	CountWriteFail                // nodes stopped by a write that failed
	CountSyncFail                 // nodes stopped by a sync that failed
	CountFull                     // nodes stopped by a full disk
	CountWiped                    // honest nodes that lost their data folder
	CountMute                     // … or the signer's file, or got an old one back; and must not sign
	CountHeals                    // runs that ended with everything healed and the network going on
	CountForks                    // runs in which honest nodes finalized different blocks (more than a third is faulty)
	CountNamed                    // … in which what those nodes reported themselves names a third of the stake
	CountReports                  // reports of evidence by honest nodes
	CountRefused                  // messages of adversaries that honest nodes found malformed
	CountFramings                 // pieces of forged evidence shown to the verifier
	CountSlashed                  // equivocations found punished on the chain
	CountLateSlash                // … in a later epoch than the offence's
	CountEscapes                  // attempts to unbond or to change the key in time
	CountCaughtUp                 // nodes that were far behind, had lying peers, and reached the tip
	counters
)

var counterNames = [counters]string{
	"blocks", "epochs closed", "messages", "synced writes", "blocks by block sync", "pairs final through a descendant only",
	"messages lost", "messages repeated", "messages reordered", "messages cut off",
	"splits in two groups", "splits of one node", "splits to a ring", "flapping splits", "one-way splits",
	"clocks far off", "clocks that jump", "clocks that drift",
	"crashes", "crashes that tore a tail", "failing writes", "failing syncs", "full disks", "lost data folders", "lost or old signer files",
	"heals", "forks", "forks whose reports name a third", "reports of evidence", "malformed messages refused",
	"forged evidence refused", "offenders slashed once", "… in a later epoch", "unbonded or changed keys to escape", "nodes caught up",
}

// String is what is counted.
func (c Counter) String() string { return counterNames[c] }

// healStepMs and healSteps shape the histogram of recovery times.
const (
	healStepMs = 25
	healSteps  = 1200
)

// Report is what a run did, or, after Add, what many runs did.
type Report struct {
	Runs    int
	Counts  [counters]int64
	Acts    [kinds]int64 // by kind of adversary: messages it made or tampered with …
	Reached [kinds]int64 // … and how many of those arrived at an honest node
	Actors  [kinds]int64 // nodes that misbehaved so

	SimMs   int64  // virtual time that passed
	Height  uint64 // at the end, the most
	View    uint64 // of the block at Height
	Backlog int    // most final blocks that waited for execution on one node

	SlashBlocks int // most blocks from the first report of an offence to its punishment

	FirstMs     int64             // slowest: from healing to the first block made after it
	HealMs      int64             // slowest: from healing to the last transaction final on every honest node
	Rounds      int               // most views with an honest leader from healing to that first block
	FirstTimes  [healSteps]uint32 // distribution of FirstMs in steps of healStepMs
	RoundSeed   uint64            // of Rounds
	RoundCounts [16]uint32        // distribution of Rounds; the last holds all above
	SlowestSeed uint64            // of FirstMs

	Violations int
	Trace      uint64 // over every event: equal for equal plans
}

// Add merges what another run did into r.
func (r *Report) Add(o Report) {
	r.Runs += o.Runs
	r.SimMs += o.SimMs
	for i := range r.Counts {
		r.Counts[i] += o.Counts[i]
	}
	for i := range r.Acts {
		r.Acts[i] += o.Acts[i]
		r.Reached[i] += o.Reached[i]
		r.Actors[i] += o.Actors[i]
	}
	if o.FirstMs > r.FirstMs {
		r.FirstMs, r.SlowestSeed = o.FirstMs, o.SlowestSeed
	}
	r.Height, r.View = max(r.Height, o.Height), max(r.View, o.View)
	if o.Rounds > r.Rounds {
		r.Rounds, r.RoundSeed = o.Rounds, o.RoundSeed
	}
	r.Backlog, r.HealMs = max(r.Backlog, o.Backlog), max(r.HealMs, o.HealMs)
	for i, n := range o.FirstTimes {
		r.FirstTimes[i] += n
	}
	for i, n := range o.RoundCounts {
		r.RoundCounts[i] += n
	}
	r.SlashBlocks = max(r.SlashBlocks, o.SlashBlocks)
	r.Violations += o.Violations
	r.Trace = mix(r.Trace) + o.Trace
}

// FirstPercentile is the time from healing to the first new block that p of a hundred runs stay within, in ms.
func (r *Report) FirstPercentile(p int) int64 {
	var total, seen uint64
	for _, n := range r.FirstTimes {
		total += uint64(n)
	}
	if total == 0 {
		return 0
	}
	for i, n := range r.FirstTimes {
		if seen += uint64(n); seen*100 >= total*uint64(p) {
			return int64(i+1) * healStepMs
		}
	}
	return healSteps * healStepMs
}

// Table shows everything that was counted, a line each.
func (r *Report) Table() string {
	var b strings.Builder
	line := func(name string, value any) { fmt.Fprintf(&b, "  %-44s %12v\n", name, value) }
	line("schedules", r.Runs)
	for i, n := range r.Counts {
		line(counterNames[i], n)
	}
	fmt.Fprintf(&b, "  %-44s %12s %12s %12s\n", "adversaries", "nodes", "acts", "reached")
	for k := range kinds {
		fmt.Fprintf(&b, "    %-42s %12d %12d %12d\n", k, r.Actors[k], r.Acts[k], r.Reached[k])
	}
	line("most final blocks waiting for execution", r.Backlog)
	line("most blocks from an offence seen to its punishment", r.SlashBlocks)
	line("first block after healing, p50 ms", r.FirstPercentile(50))
	line("first block after healing, p99 ms", r.FirstPercentile(99))
	line("first block after healing, slowest ms", r.FirstMs)
	line("everybody up to date after healing, slowest", r.HealMs)
	line("… seed", r.SlowestSeed)
	line("rounds to the first block, most", r.Rounds)
	line("… seed", r.RoundSeed)
	for i, n := range r.RoundCounts {
		if n > 0 {
			line(fmt.Sprintf("  heals after %d rounds", i), n)
		}
	}
	line("violations", r.Violations)
	return b.String()
}

func (r *Report) healed(firstMs, healMs int64, rounds int) {
	r.Counts[CountHeals]++
	r.FirstMs, r.HealMs, r.Rounds = firstMs, healMs, rounds
	r.FirstTimes[min(firstMs/healStepMs, healSteps-1)]++
	r.RoundCounts[min(rounds, len(r.RoundCounts)-1)]++
}
