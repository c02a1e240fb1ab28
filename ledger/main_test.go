package ledger

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// Tests that draw cases have a fixed seed, so that a run says the same every time, and after that some cases of a seed that is
// new in every run. A test that fails prints it: -rapid.seed=N makes all of them draw from N alone.
const fixedSeed = 20261121

// TestMain sets the fixed seed unless the command line names one.
func TestMain(m *testing.M) {
	flag.Parse()
	if !seedGiven() {
		if err := flag.Set("rapid.seed", strconv.Itoa(fixedSeed)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	os.Exit(m.Run())
}

// seedGiven reports whether the command line names a seed, or TestMain has set the fixed one.
func seedGiven() bool { return rapidFlag("rapid.seed") != 0 }

func rapidFlag(name string) uint64 {
	f := flag.Lookup(name)
	if f == nil {
		return 0
	}
	n, _ := strconv.ParseUint(f.Value.String(), 10, 64)
	return n
}

// seedOfRun is the seed that is new in every run; 0: the command line names the only one.
func seedOfRun() uint64 {
	if rapidFlag("rapid.seed") != fixedSeed {
		return 0
	}
	return rand.Uint64()>>1 + 1
}

// property checks cases of the fixed seed, and a fifth as many of a new one.
func property(t *testing.T, f func(*rapid.T)) {
	t.Helper()
	rapid.Check(t, f)
	seed := seedOfRun()
	if seed == 0 {
		return
	}
	set := func(name string, n uint64) {
		if err := flag.Set(name, strconv.FormatUint(n, 10)); err != nil {
			t.Fatal(err)
		}
	}
	checks := rapidFlag("rapid.checks")
	defer set("rapid.checks", checks)
	defer set("rapid.seed", fixedSeed)
	set("rapid.checks", max(checks/5, min(checks, 10)))
	set("rapid.seed", seed)
	t.Logf("further cases are those of -rapid.seed=%d", seed)
	rapid.Check(t, f)
}

// seedsFrom are the seeds of n histories that a test makes by itself, from first on, and one that is new in every run. How to make
// that one again is logged, which a test shows when it fails.
func seedsFrom(t *testing.T, first, n uint64) []uint64 {
	t.Helper()
	if given := rapidFlag("rapid.seed"); given != fixedSeed {
		return []uint64{given}
	}
	var out []uint64
	for i := range n {
		out = append(out, first+i)
	}
	seed := seedOfRun()
	t.Logf("the last history is that of -run '^%s$' -rapid.seed=%d", t.Name(), seed)
	return append(out, seed)
}

// TestSeeds: a run has the fixed seed and a new one, or the one that it is told.
func TestSeeds(t *testing.T) {
	given := rapidFlag("rapid.seed")
	defer func() { _ = flag.Set("rapid.seed", strconv.FormatUint(given, 10)) }()
	for _, x := range []struct{ flag, seeds uint64 }{{fixedSeed, 4}, {7, 1}} {
		if err := flag.Set("rapid.seed", strconv.FormatUint(x.flag, 10)); err != nil {
			t.Fatal(err)
		}
		drawn, again := map[uint64]int{}, 0
		property(t, func(rt *rapid.T) {
			drawn[rapid.Uint64().Draw(rt, "n")]++
			again++
		})
		seeds := seedsFrom(t, 1, 3)
		if uint64(len(seeds)) != x.seeds || x.seeds == 1 && seeds[0] != 7 || x.seeds == 4 && (seeds[0] != 1 || seeds[2] != 3 || seeds[3] == seedsFrom(t, 1, 3)[3]) {
			t.Errorf("with %d: %d", x.flag, seeds)
		}
		if rapidFlag("rapid.seed") != x.flag || rapidFlag("rapid.checks") == 0 || again == 0 {
			t.Errorf("with %d: the seed is %d afterwards, %d cases", x.flag, rapidFlag("rapid.seed"), again)
		}
	}
}
