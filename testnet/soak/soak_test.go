package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// counting is a suite that remembers its seeds and fails at one of them.
func counting(bad uint64) (*suite, func() map[uint64]int) {
	var lock sync.Mutex
	seen := map[uint64]int{}
	s := &suite{name: "counting", run: func(_ context.Context, seed uint64) (tally, error) {
		lock.Lock()
		defer lock.Unlock()
		seen[seed]++
		t := tally{Runs: 1, SimHours: 0.5, Blocks: 2, Faults: map[string]int64{"crashes": 3}}
		if seed == bad {
			return t, errors.New("broken")
		}
		return t, nil
	}}
	return s, func() map[uint64]int { return seen }
}

// TestEverySeedOnce: all seeds of the range are run once, and summed up.
func TestEverySeedOnce(t *testing.T) {
	s, seen := counting(0)
	r := s.soak(t.Context(), 100, limits{runs: 50, workers: 4})
	if r.FirstSeed != 100 || r.LastSeed != 149 || r.Runs != 50 || r.Violations != 0 {
		t.Errorf("row %+v", r)
	}
	if r.SimHours != 25 || r.Blocks != 100 || r.Faults["crashes"] != 150 {
		t.Errorf("sums %+v", r.tally)
	}
	for seed := uint64(100); seed < 150; seed++ {
		if seen()[seed] != 1 {
			t.Errorf("seed %d was run %d times", seed, seen()[seed])
		}
	}
}

// TestStopsAtTheFirstViolation: nothing more is begun after it.
func TestStopsAtTheFirstViolation(t *testing.T) {
	s, seen := counting(5)
	r := s.soak(t.Context(), 1, limits{time: time.Hour, workers: 2})
	if r.violation == nil || r.Violations != 1 {
		t.Fatalf("the violation was lost: %+v", r)
	}
	if len(seen()) > 7 {
		t.Errorf("%d runs, the fifth broke", len(seen()))
	}
}

// TestStopsWhenTold: a context that is over ends a soak, and is no violation.
func TestStopsWhenTold(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, seen := counting(0)
	if r := s.soak(ctx, 1, limits{time: time.Hour, workers: 2}); r.violation != nil || len(seen()) != 0 {
		t.Errorf("%+v after %d runs", r, len(seen()))
	}
}

// TestBook: what is recorded is read again, and seeds never come twice.
func TestBook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "docs", "soak.jsonl")
	if b, err := readBook(path); err != nil || len(b) != 0 {
		t.Fatalf("a book that is not there: %v, %v", b, err)
	}
	s, _ := counting(0)
	first := book(nil).next("counting")
	if first != recordedFrom {
		t.Errorf("the first seed is %d", first)
	}
	for range 3 {
		b, err := readBook(path)
		if err != nil {
			t.Fatal(err)
		}
		r := s.soak(t.Context(), b.next("counting"), limits{runs: 7, workers: 2})
		if err := appendBook(path, stamp(t.Context(), t.TempDir(), r)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := readBook(path)
	if err != nil || len(b) != 3 {
		t.Fatalf("%d entries, %v", len(b), err)
	}
	for i, e := range b {
		want := first + uint64(7*i)
		if e.FirstSeed != want || e.LastSeed != want+6 || e.Runs != 7 || e.Faults["crashes"] != 21 || e.Suite != "counting" {
			t.Errorf("entry %d: %+v", i, e)
		}
		if e.Commit == "" || e.Date == "" || e.Go == "" || e.CPUs == 0 {
			t.Errorf("entry %d does not say where it was made: %+v", i, e)
		}
	}
	if next := b.next("another"); next != recordedFrom {
		t.Errorf("another suite begins at %d", next)
	}
	if err := os.WriteFile(path, []byte("not json\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readBook(path); err == nil {
		t.Error("a damaged book was read as an empty one: seeds would be repeated")
	}
}

// TestSuites: one run of each suite but crash, which builds a program.
func TestSuites(t *testing.T) {
	chosen, err := choose("../..", "sim,forks,behind,slash,twins,storm,beyond")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range chosen {
		r := s.soak(t.Context(), 7, limits{runs: 2, workers: 2})
		if r.violation != nil || r.Runs != 2 || r.Blocks == 0 {
			t.Errorf("%s: %+v %v", s.name, r, r.violation)
		}
	}
	if _, err := choose("../..", "sim,nothing"); err == nil {
		t.Error("a suite that does not exist was chosen")
	}
}
