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
	flagN    = flag.Int("runs", 10_000, "number of seeds of TestSchedules; -short takes a tenth")
)

// TestSchedules runs seeds in a row. A failure prints the line that reproduces it:
// go test ./testnet/sim -run TestSchedules -seed S -runs 1
func TestSchedules(t *testing.T) {
	n := *flagN
	if testing.Short() {
		n = max(n/10, 1)
	}
	var next, blocks, messages, restarts, splits, synced, worst atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for !t.Failed() {
				i := next.Add(1) - 1
				if i >= int64(n) {
					return
				}
				seed := *flagSeed + uint64(i)
				report, err := Run(NewPlan(seed))
				if err != nil {
					t.Errorf("%v\n  again: go test ./testnet/sim -run TestSchedules -seed %d -runs 1", err, seed)
					return
				}
				blocks.Add(int64(report.Height))
				messages.Add(int64(report.Messages))
				restarts.Add(int64(report.Restarts))
				splits.Add(int64(min(report.Splits, 1)))
				synced.Add(int64(report.Synced))
				for old := worst.Load(); report.HealMs > old && !worst.CompareAndSwap(old, report.HealMs); old = worst.Load() {
				}
			}
		})
	}
	wg.Wait()
	summary := fmt.Sprintf("%d schedules from seed %d: %d blocks, %d messages, %d crashes, %d with split finality, %d blocks synced, slowest recovery %d ms (virtual)",
		n, *flagSeed, blocks.Load(), messages.Load(), restarts.Load(), splits.Load(), synced.Load(), worst.Load())
	t.Log(summary)
	// A change of the plans must not silently end what only some of them exercise.
	if !t.Failed() && n >= 500 && (int(splits.Load()) < n/100 || int(synced.Load()) < n || int(restarts.Load()) < n/2) {
		t.Errorf("too little of what these schedules are for: %s", summary)
	}
	if !t.Failed() && blocks.Load() < int64(n) {
		t.Errorf("less than a block a schedule: the simulation does not exercise anything: %s", summary)
	}
}

// TestCalmNetworkLosesFewViews: while nothing fails, views make their blocks, also when execution takes about
// as long as the time between blocks.
func TestCalmNetworkLosesFewViews(t *testing.T) {
	for seed := range uint64(5) {
		for _, execMs := range []int64{1, 40, 60} {
			p := Plan{Seed: seed, Stakes: []uint64{10, 10, 10, 10}, SkewMs: make([]int64, 4), DelayMs: [2]int64{1, 3}, ExecMs: [2]int64{0, execMs}, FaultMs: 3_000, LimitMs: 10_000}
			for at := int64(0); at < p.FaultMs; at += 20 {
				p.Submits = append(p.Submits, Submit{AtMs: at, Node: int(at/20) % 4})
			}
			report, err := Run(p)
			if err != nil {
				t.Fatal(err)
			}
			if lost := uint64(report.View) - uint64(report.Height); lost > mostLost || report.Height < 55 {
				t.Errorf("%d blocks in %d views; executing takes up to %d ms: %s", report.Height, report.View, execMs, p)
			}
		}
	}
}

// mostLost is how many of about 62 views may fail on a calm network: none.
const mostLost = 0

// TestSplitFinality holds a trap shut. When the finalize votes of two consecutive views split, both blocks are
// notarized and neither can ever be final by itself; the block that makes them final must then be built before
// they are executed. A chain whose headers had to carry exactly the result of the block ExecDelay below would
// stand still for ever. See execHeight in package node.
func TestSplitFinality(t *testing.T) {
	for _, seed := range []uint64{43, 75, 105, 126} {
		report, err := Run(NewPlan(seed))
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
		} else if report.Splits == 0 {
			t.Errorf("seed %d has no two such blocks any more; put in a seed that has", seed)
		}
	}
}

// TestSlowExecution holds consensus back where execution takes twice as long as the time between blocks: final
// blocks must not pile up without bound, the network must not come to rest, and few views may fail: what waits for
// execution (a verdict, our turn to build) must go on as soon as it is done, not at the next timer.
func TestSlowExecution(t *testing.T) {
	for _, execMs := range [][2]int64{{0, 200}, {99, 101}} {
		p := Plan{Seed: 1, Stakes: []uint64{10, 10, 10, 10}, SkewMs: make([]int64, 4), DelayMs: [2]int64{1, 3}, ExecMs: execMs, FaultMs: 30_000, LimitMs: 60_000}
		for at := int64(0); at < p.FaultMs; at += 40 {
			p.Submits = append(p.Submits, Submit{AtMs: at, Node: int(at/40) % 4})
		}
		report, err := Run(p)
		if err != nil {
			t.Fatal(err)
		}
		summary := fmt.Sprintf("execution takes %v ms: %d blocks in %d views, up to %d final blocks waited for it", execMs, report.Height, report.View, report.Backlog)
		if report.Backlog > 24 || report.Height < 250 || uint64(report.View) > uint64(report.Height)*5/4 {
			t.Error(summary)
		}
		t.Log(summary)
	}
}

// TestLongAbsence brings a validator back that missed more blocks than one answer of block sync holds.
func TestLongAbsence(t *testing.T) {
	most := 0
	for seed := range uint64(3) {
		p := NewPlan(seed)
		p.absence(rand.New(rand.NewPCG(seed, 1)))
		report, err := Run(p)
		if err != nil {
			t.Fatal(err)
		}
		if report.Synced < 60 {
			t.Errorf("seed %d: %d blocks, of which %d were synced: %s", seed, report.Height, report.Synced, p)
		}
		most = max(most, report.Synced)
	}
	if most < 100 {
		t.Errorf("at most %d blocks were missed", most)
	}
}

// TestSameSeedSameRun holds two runs of a seed to the same trace.
func TestSameSeedSameRun(t *testing.T) {
	for seed := uint64(100); seed < 110; seed++ {
		first, err := Run(NewPlan(seed))
		if err != nil {
			t.Fatal(err)
		}
		second, err := Run(NewPlan(seed))
		if err != nil {
			t.Fatal(err)
		}
		if first.Trace != second.Trace {
			t.Errorf("seed %d: traces %s and %s", seed, first.Trace, second.Trace)
		}
	}
}
