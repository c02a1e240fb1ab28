// Command soak runs the randomized suites for a given time on all cores, with seeds that were never run before.
//
//	sim    testnet/sim: the shipped replica over a hostile network, with adversaries, crashes and bad disks
//	forks  testnet/sim: a third of the stake or more is faulty; every fork must name it
//	behind testnet/sim: a node far behind catches up among lying peers
//	slash  testnet/sim: offences are punished on the chain, once, whoever tries to escape
//	twins  testnet/explore: validators of less than a third of the stake run twice
//	storm  testnet/explore: the machine alone, under every fault at once
//	beyond testnet/explore: forks by the machine alone
//	crash  node/journal: the power goes at every operation of journal and signer
//
// It prints a table of what was run, stops at the first violation with the line that repeats it and exit code 1, and with
// -record appends a line per suite to docs/evidence/soak.jsonl. Seeds of a suite start after the last ones recorded there,
// or at -seed.
//
// What it does not do. The oracles are the suites' own; it judges nothing itself.
//
// Who calls it: make soak and make sim. A worker per core takes seeds in order, one run each; they share a counter and,
// under a lock, the sums.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

func main() {
	debug.SetGCPercent(800) // runs make much garbage and keep little
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	total := flags.Duration("t", time.Minute, "how long, all suites together")
	names := flags.String("suite", "sim,forks,behind,slash,twins,storm,beyond,crash", "which suites, with commas between")
	seed := flags.Uint64("seed", 0, "first seed; 0: the first that was never recorded")
	runs := flags.Uint64("n", 0, "runs of each suite; 0: as many as there is time for")
	record := flags.Bool("record", false, "append what was run to "+evidenceFile)
	workers := flags.Int("p", runtime.NumCPU(), "runs at once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	chosen, err := choose(root, *names)
	if err != nil {
		return err
	}
	defer func() {
		for _, s := range chosen {
			s.done()
		}
	}()
	book := filepath.Join(root, evidenceFile)
	past, err := readBook(book)
	if err != nil {
		return err
	}
	var rows []row
	for i, s := range chosen {
		first := *seed
		if first == 0 {
			first = past.next(s.name)
		}
		limit := limits{runs: *runs, workers: max(1, *workers)}
		if *runs == 0 {
			limit.time = *total / time.Duration(len(chosen))
		}
		r := s.soak(ctx, first, limit)
		rows = append(rows, r)
		printRow(i == 0, &r)
		if r.violation != nil {
			return fmt.Errorf("%s: %w", s.name, r.violation)
		}
		if *record && r.Runs > 0 {
			if err := appendBook(book, stamp(ctx, root, r)); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			break
		}
	}
	printFaults(rows)
	return ctx.Err()
}

// choose finds suites by name.
func choose(root, names string) ([]*suite, error) {
	var chosen []*suite
	for name := range strings.SplitSeq(names, ",") {
		s, ok := suites(root)[name]
		if !ok {
			return nil, fmt.Errorf("there is no suite %q; there are sim, forks, behind, slash, twins, storm, beyond and crash", name)
		}
		s.name = name
		chosen = append(chosen, s)
	}
	return chosen, nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("go.mod not found: run it in the repository")
		}
	}
}
