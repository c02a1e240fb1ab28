package ledger

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// TestMain gives the property tests one seed, so that a run says the same every time; -rapid.seed=N tries other cases.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.seed"); f != nil && f.Value.String() == "0" {
		if err := flag.Set("rapid.seed", "20261121"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	os.Exit(m.Run())
}
