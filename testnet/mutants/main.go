// Command mutants proves that the tests can see bugs: it seeds one mistake after another into the engine, the signer, the
// journal, sync, the ledger and what proves it to others, and demands that the ordinary tests named beside it fail within a
// minute.
//
// The mistakes are the rows of the tables (table*.go): a file, the exact text to replace, its replacement, and the tests
// that must fail. Nothing is written into the tree: the changed file goes to the compiler by go build's overlay. Compiling does
// not count; the minute is for the tests. First the same tests are run without a mistake, and must pass, so that a failure
// means something. A mistake that survives, or does not compile, is an error, and the exit code 1.
//
// What it does not do. It does not change things at random: each row is a bug that somebody shipped, or that programs of this kind are prone to.
//
// Who calls it: make mutants. Its own test, in every run of the suite, checks only that the table still fits the code.
// Compilations and tests of up to -p mutants run at once, each in processes of its own.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"sync"
	"time"
)

func main() {
	only := flag.String("only", "", "run the mutants whose name matches this regular expression")
	part := flag.String("part", "1/1", "run one part of them: 2/3 is the second of three, each third mutant from the second on")
	parallel := flag.Int("p", 2, "mutants at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *only, *part, max(1, *parallel)); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only, part string, parallel int) error {
	chosen, err := choose(only, part)
	if err != nil {
		return err
	}
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	b := bench{root: root, work: work, parallel: parallel}
	b.baseline(ctx, chosen)
	return b.killAll(ctx, chosen)
}

// choose returns the mutants of a part whose names match.
func choose(only, part string) ([]mutant, error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	var which, parts int
	if _, err := fmt.Sscanf(part, "%d/%d", &which, &parts); err != nil || which < 1 || which > parts {
		return nil, fmt.Errorf("%q is no part: 2/3 is the second of three", part)
	}
	var chosen []mutant
	for i, m := range table() {
		if i%parts == which-1 && pattern.MatchString(m.name) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no mutant of part %s matches %q", part, only)
	}
	return chosen, nil
}

// killAll runs the mutants and prints a row for each as it ends.
func (b *bench) killAll(ctx context.Context, chosen []mutant) error {
	began := time.Now()
	survivors := 0
	fmt.Printf(rowFormat, "mutant", "mistake", "killed by", "seconds")
	var lock sync.Mutex
	b.each(len(chosen), func(i int) {
		o := b.kill(ctx, i, chosen[i])
		lock.Lock()
		defer lock.Unlock()
		if o.err != nil {
			survivors++
			fmt.Printf(rowFormat, chosen[i].name, chosen[i].mistake, "SURVIVED: "+o.err.Error(), "")
			return
		}
		fmt.Printf(rowFormat, chosen[i].name, chosen[i].mistake, o.by, fmt.Sprintf("%.1f", o.took.Seconds()))
	})
	fmt.Printf("%d of %d mutants killed in %.0f s\n", len(chosen)-survivors, len(chosen), time.Since(began).Seconds())
	fmt.Printf("mutants: %d passed, %d failed\n", len(chosen)-survivors, survivors)
	if survivors > 0 {
		return fmt.Errorf("%d survived: a test is missing for each", survivors)
	}
	return nil
}

// each calls f for 0 … n-1, some at once.
func (b *bench) each(n int, f func(int)) {
	var group sync.WaitGroup
	next := make(chan int)
	for range b.parallel {
		group.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	group.Wait()
}

const rowFormat = "%-34s %-10s %-60s %7s\n"
