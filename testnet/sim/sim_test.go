package sim

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	flagSeed = flag.Uint64("seed", 1, "first seed of TestSchedules")
	flagN    = flag.Int("runs", 40_000, "number of seeds of TestSchedules; -short takes a tenth")
)

// scaled is n, or a tenth of it with -short.
func scaled(n int) int {
	if testing.Short() {
		return max(n/10, 1)
	}
	return n
}

// runAll carries out the plans of n seeds in a row and merges what they did. A failure prints what runs it again.
func runAll(t *testing.T, first uint64, n int, plan func(seed uint64) Plan) Report {
	t.Helper()
	var next, failures atomic.Int64
	var mu sync.Mutex
	var total Report
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			var own Report
			for failures.Load() < 5 {
				i := next.Add(1) - 1
				if i >= int64(n) {
					break
				}
				seed := first + uint64(i)
				report, err := Run(plan(seed))
				if err != nil {
					failures.Add(1)
					t.Errorf("%v\n  again: go test ./testnet/sim -run '^%s$' -seed %d -runs 1", err, t.Name(), seed)
				}
				own.Add(report)
			}
			mu.Lock()
			defer mu.Unlock()
			total.Add(own)
		})
	}
	wg.Wait()
	return total
}

// seeds are the first seed and the number of runs that a test does, unless the command line says otherwise.
func seeds(first uint64, n int) (uint64, int) {
	set := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if set["seed"] {
		first = *flagSeed
	}
	if set["runs"] {
		return first, *flagN
	}
	return first, scaled(n)
}

// TestSchedules runs seeds in a row. A failure prints the line that reproduces it.
func TestSchedules(t *testing.T) {
	first, n := seeds(*flagSeed, *flagN)
	total := runAll(t, first, n, NewPlan)
	t.Logf("seeds %d to %d\n%s", first, first+uint64(n)-1, total.Table())
	if t.Failed() || n < 2_000 {
		return
	}
	// A change of the plans must not silently end what only some of them exercise.
	shares := map[Counter]int{ // one of so many schedules at least has one
		CountBlocks: 1, CountEpochs: 20, CountSynced: 20, CountDetours: 500, CountHeals: 1,
		CountCrashes: 2, CountTorn: 20, CountWriteFail: 200, CountSyncFail: 200, CountFull: 200, CountWiped: 500, CountMute: 500,
		CountSplitAny: 10, CountSplitOne: 20, CountSplitRing: 20, CountFlapping: 20, CountOneWay: 20,
		CountOffsets: 50, CountJumps: 50, CountDrifts: 20, CountLost: 1, CountRepeated: 1, CountReordered: 1,
		CountReports: 100, CountRefused: 100, CountFramings: 100,
	}
	for c, of := range shares {
		if want := int64(n / of); total.Counts[c] < want {
			t.Errorf("%s: %d, of so many schedules at least %d were to be expected", counterNames[c], total.Counts[c], want)
		}
	}
	for k := range kinds {
		if total.Acts[k] < int64(n/100) || k != Silent && total.Reached[k] < int64(n/200) {
			t.Errorf("%s acted %d times and reached honest nodes %d times", k, total.Acts[k], total.Reached[k])
		}
	}
	slow := uint32(0)
	for _, n := range total.RoundCounts[mostRounds+1:] {
		slow += n
	}
	if total.FirstPercentile(99) > 10_000 || int(slow) > n/1_000 || total.Rounds > 3*mostRounds {
		t.Errorf("a hundredth of recoveries takes more than %d ms; %d take more than %d rounds, the slowest %d (seed %d)",
			total.FirstPercentile(99), slow, mostRounds, total.Rounds, total.RoundSeed)
	}
}

// mostRounds is the promise: so many views of honest leaders after healing, a block is final that was made after it. Where
// those without whom there is no quorum are an epoch behind, and must first fetch blocks, views of others pass meanwhile:
// one recovery in tens of thousands takes a round or two more, within a second.
const mostRounds = 3

// calm is a network in which nothing fails, with a transaction every so often.
func calm(seed uint64, execMs [2]int64, faultMs, everyMs int64) Plan {
	p := Plan{
		Seed: seed, Stakes: []uint64{10, 10, 10, 10}, Faulty: make([][]Kind, 4), Clocks: make([]Clock, 4),
		DelayMs: [2]int64{1, 3}, ExecMs: execMs, FaultMs: faultMs, LimitMs: 60_000, MaxMs: 1_000,
	}
	for at := int64(0); at < p.FaultMs; at += everyMs {
		p.Submits = append(p.Submits, Submit{AtMs: at, Node: int(at/everyMs) % 4})
	}
	return p
}

// TestCalmNetworkLosesFewViews: while nothing fails, views make their blocks, also when execution takes about
// as long as the time between blocks.
func TestCalmNetworkLosesFewViews(t *testing.T) {
	for seed := range uint64(5) {
		for _, execMs := range []int64{1, 40, 60} {
			report, err := Run(calm(seed, [2]int64{0, execMs}, 3_000, 20))
			if err != nil {
				t.Fatal(err)
			}
			if lost := report.View - report.Height; lost > mostLost || report.Height < 55 {
				t.Errorf("%d blocks in %d views; executing takes up to %d ms", report.Height, report.View, execMs)
			}
		}
	}
}

// mostLost is how many of about 62 views may fail on a calm network: none.
const mostLost = 0

// TestDetours holds a trap shut. When the finalize votes of two consecutive views split, both blocks are
// notarized and neither can ever be final by itself; the block that makes them final must then be built before
// they are executed. A chain whose headers had to carry exactly the result of the block ExecDelay below would
// stand still for ever. See execHeight in package node.
func TestDetours(t *testing.T) {
	found := 0
	for seed := uint64(1); seed < 2_000 && found < 4; seed++ {
		p := NewPlan(seed)
		if p.EpochLength > 0 {
			continue
		}
		report, err := Run(p)
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if report.Counts[CountDetours] > 0 {
			found++
		}
	}
	if found < 4 {
		t.Errorf("only %d schedules have two such blocks", found)
	}
}

// TestSlowExecution holds consensus back where execution takes twice as long as the time between blocks: final
// blocks must not pile up without bound, the network must not come to rest, and few views may fail: what waits for
// execution (a verdict, our turn to build) must go on as soon as it is done, not at the next timer.
func TestSlowExecution(t *testing.T) {
	for _, execMs := range [][2]int64{{0, 200}, {99, 101}} {
		report, err := Run(calm(1, execMs, 30_000, 40))
		if err != nil {
			t.Fatal(err)
		}
		summary := fmt.Sprintf("execution takes %v ms: %d blocks in %d views, up to %d final blocks waited for it",
			execMs, report.Height, report.View, report.Backlog)
		if report.Backlog > 24 || report.Height < 250 || report.View > report.Height*5/4 {
			t.Error(summary)
		}
		t.Log(summary)
	}
}

// TestLongAbsence brings a validator back that missed more blocks than one answer of block sync holds.
func TestLongAbsence(t *testing.T) {
	most := int64(0)
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 1))
		p := newNetwork(seed, rng)
		p.absence(rng)
		report, err := Run(p)
		if err != nil {
			t.Fatal(err)
		}
		if report.Counts[CountSynced] < 40 {
			t.Errorf("seed %d: %d blocks, of which %d were synced: %s", seed, report.Height, report.Counts[CountSynced], p)
		}
		most = max(most, report.Counts[CountSynced])
	}
	if most < 100 {
		t.Errorf("at most %d blocks were missed", most)
	}
}

// TestSameSeedSameRun holds two runs of a seed to the same trace and the same counts, for every kind of plan.
func TestSameSeedSameRun(t *testing.T) {
	for name, plan := range map[string]func(uint64) Plan{
		"schedule": NewPlan, "fork": NewForkPlan, "catch-up": NewCatchUpPlan, "punishment": NewSlashPlan,
	} {
		traces := map[uint64]bool{}
		n := uint64(scaled(100))
		for seed := uint64(100); seed < 100+n; seed++ {
			first, err := Run(plan(seed))
			if err != nil {
				t.Fatal(err)
			}
			second, err := Run(plan(seed))
			if err != nil {
				t.Fatal(err)
			}
			if first != second {
				t.Errorf("%s, seed %d: two runs differ: traces %x and %x", name, seed, first.Trace, second.Trace)
			}
			traces[first.Trace] = true
		}
		if uint64(len(traces)) != n {
			t.Errorf("%s: %d seeds give %d traces", name, n, len(traces))
		}
	}
}

// TestBeyondAThird: where 34 to 66 % of the stake is faulty, every fork names a third of it at least, and never an
// honest key.
func TestBeyondAThird(t *testing.T) {
	first, n := seeds(1, 5_000)
	total := runAll(t, first, n, NewForkPlan)
	t.Logf("seeds %d to %d\n%s", first, first+uint64(n)-1, total.Table())
	if forks := total.Counts[CountForks]; !t.Failed() && n >= 100 && forks < int64(n/4) {
		t.Errorf("only %d of %d runs forked", forks, n)
	}
}

// TestCatchUp: a node far behind reaches the tip although two thirds of its peers lie to it.
func TestCatchUp(t *testing.T) {
	first, n := seeds(1, 2_000)
	total := runAll(t, first, n, NewCatchUpPlan)
	t.Logf("seeds %d to %d\n%s", first, first+uint64(n)-1, total.Table())
	if !t.Failed() && (total.Counts[CountCaughtUp] != int64(n) || total.Counts[CountSynced] < 10*int64(n)) {
		t.Errorf("%d of %d caught up, by %d blocks", total.Counts[CountCaughtUp], n, total.Counts[CountSynced])
	}
}

// TestPunishment: with the real ledger, a contradiction that an honest node saw is punished within slashWithin blocks,
// once, whatever the culprit does to its stake and key, and no money appears or is lost.
func TestPunishment(t *testing.T) {
	first, n := seeds(1, 1_000)
	total := runAll(t, first, n, NewSlashPlan)
	t.Logf("seeds %d to %d\n%s", first, first+uint64(n)-1, total.Table())
	slashed, late, escapes := total.Counts[CountSlashed], total.Counts[CountLateSlash], total.Counts[CountEscapes]
	if !t.Failed() && n >= 100 && (slashed < int64(n/2) || late < int64(n/50) || escapes < int64(n/4)) {
		t.Errorf("%d offenders were punished, %d of them in a later epoch; %d tried to escape", slashed, late, escapes)
	}
}
