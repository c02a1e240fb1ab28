package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"waybill/testnet/explore"
	"waybill/testnet/sim"
)

// suite is a way to make a run from a seed.
type suite struct {
	name    string
	run     func(ctx context.Context, seed uint64) (tally, error) // safe to call from many goroutines
	cleanup func()
}

func (s *suite) done() {
	if s.cleanup != nil {
		s.cleanup()
	}
}

// tally is what a run did, or the sum of what many did.
type tally struct {
	Runs     uint64           `json:"runs"`
	SimHours float64          `json:"simulatedHours"`
	Blocks   int64            `json:"blocks"`
	Faults   map[string]int64 `json:"faults"`
}

func (t *tally) add(o tally) {
	t.Runs += o.Runs
	t.SimHours += o.SimHours
	t.Blocks += o.Blocks
	if t.Faults == nil {
		t.Faults = map[string]int64{}
	}
	for name, n := range o.Faults {
		t.Faults[name] += n
	}
}

// row is what one suite did.
type row struct {
	Suite      string  `json:"suite"`
	FirstSeed  uint64  `json:"firstSeed"`
	LastSeed   uint64  `json:"lastSeed"`
	Seconds    float64 `json:"seconds"`
	Violations int     `json:"violations"`
	tally

	violation error
}

// limits end a suite: a number of runs, or a time.
type limits struct {
	runs    uint64
	time    time.Duration
	workers int
}

// soak runs seeds from first on, in order, until the limits or the first violation. Every seed up to LastSeed was run to
// its end, unless there was a violation.
func (s *suite) soak(ctx context.Context, first uint64, l limits) row {
	began := time.Now()
	r := row{Suite: s.name, FirstSeed: first}
	var lock sync.Mutex
	next := first
	take := func() (uint64, bool) {
		lock.Lock()
		defer lock.Unlock()
		over := ctx.Err() != nil || r.violation != nil || l.runs > 0 && next-first >= l.runs || l.runs == 0 && time.Since(began) >= l.time
		if over {
			return 0, false
		}
		next++
		return next - 1, true
	}
	var group sync.WaitGroup
	for range l.workers {
		group.Go(func() {
			for seed, ok := take(); ok; seed, ok = take() {
				t, err := s.run(ctx, seed)
				lock.Lock()
				r.tally.add(t)
				if err != nil && ctx.Err() == nil && r.violation == nil {
					r.violation, r.Violations = err, 1
				}
				lock.Unlock()
			}
		})
	}
	group.Wait()
	r.LastSeed, r.Seconds = max(next, 1)-1, time.Since(began).Seconds()
	return r
}

const msPerHour = 3_600_000

// suites lists what there is.
func suites(root string) map[string]*suite {
	crash := &crashSuite{root: root}
	return map[string]*suite{
		"sim":    {run: simulating(sim.NewPlan, "make sim SEED=%d N=1")},
		"forks":  {run: simulating(sim.NewForkPlan, "make sim SUITE=forks SEED=%d N=1")},
		"behind": {run: simulating(sim.NewCatchUpPlan, "make sim SUITE=behind SEED=%d N=1")},
		"slash":  {run: simulating(sim.NewSlashPlan, "make sim SUITE=slash SEED=%d N=1")},
		"twins":  {run: exploring(explore.Twins)},
		"storm":  {run: exploring(explore.Storm)},
		"beyond": {run: exploring(explore.Beyond)},
		"crash":  {run: crash.run, cleanup: crash.cleanup},
	}
}

// notFaults are counters that say what was achieved, not what went wrong.
var notFaults = []sim.Counter{
	sim.CountBlocks, sim.CountEpochs, sim.CountMessages, sim.CountSyncs, sim.CountSynced, sim.CountDetours, sim.CountHeals, sim.CountReports,
	sim.CountCaughtUp, sim.CountSlashed, sim.CountLateSlash, sim.CountForks, sim.CountNamed,
}

// simulating runs the simulator's plans of one kind; again says how to repeat a seed.
func simulating(plan func(uint64) sim.Plan, again string) func(context.Context, uint64) (tally, error) {
	return func(_ context.Context, seed uint64) (tally, error) {
		r, err := sim.Run(plan(seed))
		if err != nil {
			err = fmt.Errorf("%w\n  again: "+again, err, seed)
		}
		return simulated(&r), err
	}
}

func simulated(r *sim.Report) tally {
	t := tally{Runs: 1, SimHours: float64(r.SimMs) / msPerHour, Blocks: r.Counts[sim.CountBlocks], Faults: map[string]int64{}}
	for i, n := range r.Counts {
		if c := sim.Counter(i); n > 0 && !slices.Contains(notFaults, c) {
			t.Faults[c.String()] += n
		}
	}
	for k, n := range r.Acts {
		if n > 0 {
			t.Faults["acts of "+sim.Kind(k).String()] += n
		}
	}
	return t
}

func exploring(play func(uint64) (explore.Report, error)) func(context.Context, uint64) (tally, error) {
	return func(_ context.Context, seed uint64) (tally, error) {
		r, err := play(seed)
		t := tally{Runs: 1, SimHours: float64(r.SimMs) / msPerHour, Blocks: int64(r.Blocks), Faults: map[string]int64{}}
		for name, n := range map[string]int{
			"messages lost": r.Lost, "crashes": r.Restarts, "contradictions signed": r.Double, "unjustified proposals refused": r.Refused,
			"twins halted": r.Halts, "forks": r.Forks,
		} {
			if n > 0 {
				t.Faults[name] = int64(n)
			}
		}
		return t, err
	}
}

// printRow prints what a suite did.
func printRow(first bool, r *row) {
	if first {
		fmt.Printf("%-8s %22s %12s %10s %12s %14s %11s\n", "suite", "seeds", "runs", "seconds", "sim hours", "blocks", "violations")
	}
	seeds := fmt.Sprintf("%d-%d", r.FirstSeed, r.LastSeed)
	fmt.Printf("%-8s %22s %12d %10.0f %12.1f %14d %11d\n", r.Suite, seeds, r.Runs, r.Seconds, r.SimHours, r.Blocks, r.Violations)
}

// printFaults prints the faults of each suite by kind.
func printFaults(rows []row) {
	for _, r := range rows {
		if len(r.Faults) == 0 {
			continue
		}
		fmt.Printf("\nfaults of %s\n", r.Suite)
		for _, name := range slices.Sorted(maps.Keys(r.Faults)) {
			fmt.Printf("  %-46s %14d\n", name, r.Faults[name])
		}
	}
}
