package sim

import (
	"flag"
	"fmt"
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
	var next, blocks, messages, restarts, worst atomic.Int64
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
				for old := worst.Load(); report.HealMs > old && !worst.CompareAndSwap(old, report.HealMs); old = worst.Load() {
				}
			}
		})
	}
	wg.Wait()
	summary := fmt.Sprintf("%d schedules from seed %d: %d blocks, %d messages, %d crashes, slowest recovery %d ms (virtual)",
		n, *flagSeed, blocks.Load(), messages.Load(), restarts.Load(), worst.Load())
	t.Log(summary)
	if !t.Failed() && blocks.Load() < int64(n) {
		t.Errorf("less than a block a schedule: the simulation does not exercise anything: %s", summary)
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
