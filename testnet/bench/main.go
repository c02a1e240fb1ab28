// Command bench measures what the ledger costs without network and consensus, and prints one table with the facts of the
// machine that it ran on.
//
//	execution     bulk events per second through ledger.Apply, state tree and one synced batch per block, on one core
//	the ledger    of a million events on disk: how long it takes to build, bytes per event
//	questions     of that ledger: history of an item, traces over graphs of 10,000 nodes, the scope of a recall
//	certificates  what the benchmarks of ledger/provenance say, where they are
//
// What it does not do: it checks no signatures, and judges nothing. The goods are a function of the seed and of the shape of a
// bulk upload: the row that counts has the events and list sizes of a generated document in its proportions, packing a stock
// that was commissioned before; a heavier row commissions in each block what it packs (goods.go). A block has eight batches,
// some 1,900 events in 120 transactions; work that the ledger refused or marked ends the run, because refused work is fast work.
//
// Who calls it: make bench-ledger. Blocks of the large ledger are made by one goroutine and executed by another.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
)

func main() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if err := run(ctx, stop, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, stop func(), args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	seed := flags.Uint64("seed", 1, "of the goods")
	events := flags.Int("events", 1_000_000, "of the large ledger; 0: leave it out")
	runs := flags.Int("runs", timedRuns, "of each execution row")
	at := flags.String("dir", "", "folder for the ledgers, which are removed at the end; empty: a temporary one")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(*at, "bench")
	if err != nil {
		return err
	}
	defer remove(dir)
	go stopAtSignal(stop, dir)
	rows, err := executionRows(dir, *seed, *runs)
	if err != nil {
		return err
	}
	if *events > 0 {
		more, err := largeRows(ctx, filepath.Join(dir, "large"), *seed, *events, *runs)
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	rows = append(rows, certificateRows(ctx)...)
	printRows(os.Stdout, machineFacts(dir), rows)
	return nil
}

func largeRows(ctx context.Context, dir string, seed uint64, events, runs int) ([]row, error) {
	l := &large{}
	rows, err := l.build(dir, seed, events, os.Stderr)
	if err != nil {
		return nil, err
	}
	opened, err := l.again(dir)
	if err != nil {
		return nil, err
	}
	rows = append(rows, opened)
	asked, err := l.questions(ctx, 4*runs)
	if err != nil {
		return nil, err
	}
	cores := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(cores)
	executed, err := l.more(runs)
	if err != nil {
		return nil, err
	}
	return append(append(rows, asked...), executed), l.s.Close()
}

// stopAtSignal ends the program at a signal, and what it started. It does not wait for work in hand, which may take minutes and
// is worth nothing by half; only the folder must not stay.
func stopAtSignal(stop func(), dir string) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	<-signals
	stop()
	remove(dir)
	fmt.Fprintln(os.Stderr, "bench: stopped; its folder is removed")
	os.Exit(1)
}

// remove deletes the folder of the ledgers. One that is open may write another file meanwhile, and once its folder is gone no more.
func remove(dir string) {
	for range 100 {
		if os.RemoveAll(dir) == nil {
			return
		}
	}
	fmt.Fprintf(os.Stderr, "bench: %s could not be removed\n", dir)
}
