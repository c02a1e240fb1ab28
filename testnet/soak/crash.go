package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
)

// pointsPerRun is how many crash points one run of the crash suite tries.
const pointsPerRun = 2_000

// crashSuite runs the crash test of node/journal, which lives beside what it tests. Its test program is built once.
type crashSuite struct {
	root string

	once sync.Once
	dir  string // of the test program; empty when it could not be built
	err  error
}

func (c *crashSuite) build(ctx context.Context) {
	if c.dir, c.err = os.MkdirTemp("", "soak-"); c.err != nil {
		return
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", c.program(), "./node/journal")
	cmd.Dir = c.root
	if said, err := cmd.CombinedOutput(); err != nil {
		c.err = fmt.Errorf("building the test of node/journal: %w\n%.2000s", err, said)
	}
}

func (c *crashSuite) program() string { return filepath.Join(c.dir, "journal.test") }

func (c *crashSuite) cleanup() {
	if c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
}

var saidPoints = regexp.MustCompile(`(\d+) crash points`)

func (c *crashSuite) run(ctx context.Context, seed uint64) (tally, error) {
	c.once.Do(func() { c.build(ctx) })
	if c.err != nil {
		return tally{}, c.err
	}
	s, n := strconv.FormatUint(seed, 10), strconv.Itoa(pointsPerRun)
	cmd := exec.CommandContext(ctx, c.program(), "-test.v", "-test.run", "^TestCrashAtEveryOperation$", "-seed", s, "-points", n)
	cmd.Dir = filepath.Join(c.root, "node", "journal")
	said, err := cmd.CombinedOutput()
	t := tally{Runs: 1, Faults: map[string]int64{}}
	if points := saidPoints.FindSubmatch(said); points != nil {
		tried, _ := strconv.ParseInt(string(points[1]), 10, 64)
		t.Faults["crash points"] = tried
	} else if err == nil {
		err = fmt.Errorf("the crash test says nothing about crash points")
	}
	if err != nil {
		err = fmt.Errorf("%w\n%.4000s\n  again: go test ./node/journal -run TestCrashAtEveryOperation -seed %s -points %s", err, said, s, n)
	}
	return t, err
}
