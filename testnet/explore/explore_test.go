package explore

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	flagSeed = flag.Uint64("seed", 1, "first seed")
	flagTell = flag.Bool("tell", false, "print what happens in every run")
	flagRuns = flag.Int("runs", 0, "number of seeds; 0 is the test's own number, of which -short takes a tenth")
)

// watch is where a run is told: nowhere, unless asked for.
func watch() io.Writer {
	if *flagTell {
		return os.Stdout
	}
	return nil
}

// many runs seeds in a row on all processors, and adds up what they did.
func many(t *testing.T, runs int, run func(seed uint64) (Report, error)) Report {
	t.Helper()
	if *flagRuns > 0 {
		runs = *flagRuns
	} else if testing.Short() {
		runs = max(runs/10, 1)
	}
	started := time.Now()
	total := play(t, uint64(runs), func(i uint64) (Report, error) { return run(*flagSeed + i) })
	took := time.Since(started)
	t.Logf("seeds %d to %d: %s; %v, %.0f a second",
		*flagSeed, *flagSeed+uint64(runs)-1, total, took.Round(time.Millisecond), float64(runs)/took.Seconds())
	return total
}

// play calls run with 0 to runs-1 on all processors, until one fails, and adds up.
func play(t *testing.T, runs uint64, run func(i uint64) (Report, error)) (total Report) {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // runs make much garbage, and hold little
	var next atomic.Uint64
	var lock sync.Mutex
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			var own Report
			for !t.Failed() {
				i := next.Add(1) - 1
				if i >= runs {
					break
				}
				report, err := run(i)
				if err != nil {
					t.Error(err)
					break
				}
				own.Add(report)
			}
			lock.Lock()
			defer lock.Unlock()
			total.Add(own)
		})
	}
	group.Wait()
	return total
}

// TestTwins draws scenarios: again with -seed S -runs 1.
func TestTwins(t *testing.T) {
	total := many(t, 80_000, func(seed uint64) (Report, error) { return twins(seed, watch()) })
	if !t.Failed() && total.Runs >= 1_000 &&
		(total.Blocks < 3*total.Runs || total.Evidence < total.Runs/2 || total.Halts == 0 || total.Restarts == 0 || total.Lost == 0) {
		t.Errorf("too little of what these scenarios are for: %v", total)
	}
}

// TestScenarios plays every scenario of two shapes: all partitions into two blocks and all leaders of three rounds; and
// six rounds that A leads with its copies apart. The numbers pin down what "every" means. With -seed I -runs 1 it plays
// index I of each.
func TestScenarios(t *testing.T) {
	for _, shape := range []struct {
		name  string
		shape Shape
		want  uint64 // canonical ones
		short uint64 // play every so manieth with -short
	}{
		{"all/3 rounds", Shape{Rounds: 3}, 25_740, 17},
		{"all/2 rounds, halting", Shape{Rounds: 2, Halting: true}, 510, 1},
		{"apart/6 rounds", Shape{Rounds: 6, Separated: true}, 22_880, 17},
	} {
		t.Run(shape.name, func(t *testing.T) {
			e := &Enumeration{Shape: shape.shape}
			if got := e.Canonical(); got != shape.want {
				t.Errorf("%d canonical scenarios of %d, want %d", got, e.Size(), shape.want)
			}
			step := uint64(1)
			if testing.Short() {
				step = shape.short
			}
			first, runs := uint64(0), e.Size()/step
			if *flagRuns > 0 {
				first, runs = *flagSeed, uint64(*flagRuns)
			}
			played := play(t, runs, func(i uint64) (Report, error) {
				report, _, err := e.Play((first + i*step) % e.Size())
				return report, err
			})
			t.Logf("%d of %d scenarios are canonical, %d were played: %v", shape.want, e.Size(), played.Runs, played)
		})
	}
}

// TestBeyond forks chains with 34 to 66 % of the stake faulty, and demands that every fork names a third of the stake.
func TestBeyond(t *testing.T) {
	total := many(t, 5_000, func(seed uint64) (Report, error) { return beyond(seed, watch()) })
	if !t.Failed() && total.Runs >= 500 && (total.Forked < total.Runs/3 || total.Culprits < 2*total.Forks) {
		t.Errorf("too few forks for what this is about: %v", total)
	}
}

// TestStorm plays plans: again with -seed S -runs 1.
func TestStorm(t *testing.T) {
	total := many(t, 45_000, func(seed uint64) (Report, error) { return stormOf(seed, watch()) })
	if !t.Failed() && total.Runs >= 1_000 && (total.Blocks < 5*total.Runs || total.Evidence < total.Runs || total.Restarts < total.Runs ||
		total.Closed < total.Runs/5 || total.Tails < total.Runs/100 || total.Refused < total.Runs/10) {
		t.Errorf("too little of what these storms are for: %v", total)
	}
}

// graphs are what TestGraph explores. D is faulty. Two views are explored to the end, whoever leads them; of three, and
// of two with restarts, what is nearest.
var graphs = []struct {
	o         GraphOptions
	exhausted bool
	long      bool // not with -short
}{
	{GraphOptions{Leaders: []int{0, 1}}, true, false},
	{GraphOptions{Leaders: []int{3, 0}}, true, true},
	{GraphOptions{Leaders: []int{0, 3}}, true, true},
	{GraphOptions{Leaders: []int{3}, Restarts: 1}, true, false},
	{GraphOptions{Leaders: []int{0}, Restarts: 1}, true, false},
	{GraphOptions{Leaders: []int{3, 3}, MaxStates: 400_000}, true, true},
	{GraphOptions{Leaders: []int{3, 0}, Restarts: 1, MaxStates: 300_000}, false, true},
	{GraphOptions{Leaders: []int{3, 0, 1}, MaxStates: 300_000}, false, true},
	{GraphOptions{Leaders: []int{0, 3, 1}, MaxStates: 300_000}, false, true},
	{GraphOptions{Leaders: []int{0, 1, 2}, MaxStates: 300_000}, false, true},
	{GraphOptions{Leaders: []int{3, 3, 0}, MaxStates: 3_000}, false, false},
}

// TestGraph explores the first views under different leaders.
func TestGraph(t *testing.T) {
	started := time.Now()
	play(t, uint64(len(graphs)), func(i uint64) (Report, error) {
		if graphs[i].long && testing.Short() {
			return Report{}, nil
		}
		report, err := NewGraph(graphs[i].o).Explore()
		t.Logf("restarts %d, %v", graphs[i].o.Restarts, report)
		if report.Exhausted != graphs[i].exhausted || report.Exhausted && len(graphs[i].o.Leaders) > 1 && report.Finals == 0 {
			t.Errorf("exhausted %v, want %v; %d states with a final block", report.Exhausted, graphs[i].exhausted, report.Finals)
		}
		return Report{}, err
	})
	t.Log(time.Since(started))
}

// TestGraphLeavesNothingOut holds the exploration against one of every order: what the machines can have signed, all
// three together, is the same.
func TestGraphLeavesNothingOut(t *testing.T) {
	for _, o := range []GraphOptions{
		{Leaders: []int{0}}, {Leaders: []int{3}}, {Leaders: []int{3}, Restarts: 1}, {Leaders: []int{0, 1}}, {Leaders: []int{3, 0}},
	} {
		if len(o.Leaders) > 1 && testing.Short() {
			continue
		}
		var signed [2]map[[3]string]bool
		var reports [2]GraphReport
		for i, every := range []bool{false, true} {
			o.Every = every
			g := NewGraph(o)
			signed[i] = map[[3]string]bool{}
			g.visit = func(s globalState) {
				var all [3]string
				for k := range all {
					all[k] = g.signedIn(k, s)
				}
				signed[i][all] = true
			}
			report, err := g.Explore()
			if err != nil || !report.Exhausted {
				t.Fatal(report, err)
			}
			reports[i] = report
		}
		if !maps.Equal(signed[0], signed[1]) {
			t.Errorf("leaders %v: %d and %d combinations of votes", o.Leaders, len(signed[0]), len(signed[1]))
		}
		t.Logf("leaders %v, restarts %d: %d combinations of votes in %d states, the same as in %d",
			o.Leaders, o.Restarts, len(signed[0]), reports[0].States, reports[1].States)
	}
}

// signedIn is what machine i has signed in a state, in words, because two graphs number blocks differently.
func (g *Graph) signedIn(i int, s globalState) string {
	var words []string
	for n, v := range g.x.votes {
		if g.local[i].states[s.of(i)].signed.has(n) {
			words = append(words, fmt.Sprint(v.kind, v.view, g.words(v.block)))
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

func (g *Graph) words(b blockID) string {
	if b == anchorID {
		return ""
	}
	k := g.x.blocks[b]
	return fmt.Sprintf("%s/%d%c%d", g.words(k.parent), k.view, k.variant, k.shown)
}

// TestWalk goes through graphs with whole nodes. With -seed S -runs 1 it goes walk S of each.
func TestWalk(t *testing.T) {
	for _, o := range []GraphOptions{
		{Leaders: []int{3, 0, 1}}, {Leaders: []int{0, 3, 1}}, {Leaders: []int{0, 3, 3}},
		{Leaders: []int{3, 3, 0}, Restarts: 1}, {Leaders: []int{0, 1, 2}, Restarts: 1},
	} {
		walks := 2_000
		if testing.Short() {
			walks = 200
		}
		if *flagRuns > 0 {
			walks = *flagRuns
		}
		g := NewGraph(o)
		steps := 0
		for i := range walks {
			n, err := g.Walk(*flagSeed + uint64(i))
			if err != nil {
				t.Fatal(err)
			}
			steps += n
		}
		t.Logf("leaders %s: %d walks, %d steps, all as the graph says, and all went on", names(o.Leaders), walks, steps)
	}
}

// TestSameSeedSameTrace holds two runs of a seed to the same trace, and different seeds to different ones.
func TestSameSeedSameTrace(t *testing.T) {
	for what, run := range map[string]func(uint64) (Report, error){"twins": Twins, "storm": Storm, "beyond": Beyond} {
		traces := map[uint64]bool{}
		for seed := uint64(500); seed < 520; seed++ {
			first, err := run(seed)
			if err != nil {
				t.Fatal(err)
			}
			second, err := run(seed)
			if err != nil {
				t.Fatal(err)
			}
			if first != second {
				t.Errorf("%s, seed %d: %v and %v", what, seed, first, second)
			}
			traces[first.Trace] = true
		}
		if len(traces) < 15 {
			t.Errorf("%s: 20 seeds have %d traces", what, len(traces))
		}
	}
}
