// Command model checks the protocol, not its code: two Promela models, written from the text of package consensus, go
// through the model checker spin.
//
//   - simplex.pml, safety: four validators, one of them faulty, three views, any order of messages and timers. No fork; no
//     finalization beside a nullification; one notarized block a view; no honest validator votes twice.
//   - progress.pml, liveness: who holds which block and certificate, a faulty validator that tells some and not others;
//     no run in which honest messages arrive ends without finality.
//
// Each seeded fault of a model (a quorum of two, no justification, …) must be found, which proves that the model can see
// faults; and each good state named must be reachable, which proves that it is not empty.
//
// What it does not do. The models share nothing with the Go code, so they say nothing about it: testnet/explore and
// testnet/sim do. Stake, epochs, execution, crashes of the signer and timing are not modelled.
//
// Who calls it: make model, and its test, where spin (Debian package spin) and a C compiler are installed. One goroutine.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "model:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	root, err := modelDir()
	if err != nil {
		return err
	}
	if err := installed(); err != nil {
		return err
	}
	fmt.Print(header())
	for _, c := range checks {
		o, err := c.run(ctx, root)
		if err != nil {
			return err
		}
		fmt.Print(c.row(o))
		if problem := c.judge(o); problem != "" {
			return fmt.Errorf("%s: %s", c.name, problem)
		}
	}
	return nil
}

// modelDir finds the models from the module root or from their own folder.
func modelDir() (string, error) {
	for _, dir := range []string{"testnet/model", "."} {
		if _, err := os.Stat(filepath.Join(dir, "simplex.pml")); err == nil {
			return filepath.Abs(dir)
		}
	}
	return "", fmt.Errorf("simplex.pml not found: run it from the root of the repository")
}
