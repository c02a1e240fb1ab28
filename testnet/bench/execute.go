package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"waybill/ledger/store"
)

// Blocks of the execution rows.
const (
	batchesPerBlock = 8 // about 2,000 events: 100 ms of the rate to reach
	warmBlocks      = 20
	timedBlocks     = 30 // of one run
	timedRuns       = 5
)

// execution is what executing blocks alone came to.
type execution struct {
	blocks, events int
	took, cpu      time.Duration
}

func (e execution) rate() float64 { return float64(e.events) / e.took.Seconds() }

func (e execution) cpuRate() float64 { return float64(e.events) / e.cpu.Seconds() }

// runBlocks executes blocks that were made before.
func runBlocks(s *store.Store, blocks []*block) (execution, error) {
	var e execution
	start, cpu := time.Now(), cpuTime()
	for _, b := range blocks {
		if err := b.execute(s); err != nil {
			return e, err
		}
		e.blocks++
		e.events += b.events
	}
	e.took, e.cpu = time.Since(start), cpuTime()-cpu
	return e, nil
}

// executionRows measures what one core executes of blocks whose signatures are checked: Apply, state tree and one synced
// batch per block.
func executionRows(dir string, seed uint64, runs int) ([]row, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var rows []row
	for _, received := range []bool{false, true} {
		c, err := newChain(seed)
		if err != nil {
			return nil, err
		}
		s, err := store.Open(filepath.Join(dir, fmt.Sprint("execution", received)), c.genesis, store.Options{})
		if err != nil {
			return nil, err
		}
		what, goal := "execute bulk events, one core", "≥ 20,000 /s"
		if received {
			what, goal = "  and receive what was shipped", ""
		}
		r, err := executionRow(c, s, received, runs)
		if err != nil {
			return nil, err
		}
		r.what, r.goal = what, goal
		rows = append(rows, r)
		if err := s.Close(); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func executionRow(c *chain, s *store.Store, received bool, runs int) (row, error) {
	var rates, cpu []float64
	for run := range runs + 1 {
		blocks := make([]*block, 0, timedBlocks)
		for range max(warmBlocks, timedBlocks) {
			b, err := c.bulk(batchesPerBlock, received)
			if err != nil {
				return row{}, err
			}
			blocks = append(blocks, b)
		}
		runtime.GC() // of making the blocks
		e, err := runBlocks(s, blocks)
		if err != nil {
			return row{}, err
		}
		if run > 0 { // the first one warms up
			rates, cpu = append(rates, e.rate()), append(cpu, e.cpuRate())
		}
	}
	slices.Sort(rates)
	slices.Sort(cpu)
	return row{got: fmt.Sprintf("%.0f /s by the clock (%.0f to %.0f), %.0f /s of processor time; medians of %d runs of %d blocks of %d events",
		rates[len(rates)/2], rates[0], rates[len(rates)-1], cpu[len(cpu)/2], runs, timedBlocks, eventsIn(received))}, nil
}

// eventsIn is how many events a block of these rows has.
func eventsIn(received bool) int {
	if received {
		return batchesPerBlock * (eventsPerBatch + arrivalsInBatch)
	}
	return batchesPerBlock * eventsPerBatch
}
