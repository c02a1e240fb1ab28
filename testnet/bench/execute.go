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
	batchesPerBlock = 8  // about 1,900 events: 100 ms of the rate to reach
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
	for i, x := range []struct {
		what, goal string
		shape      shape
		received   bool
	}{
		{"execute bulk events, one core", "≥ 20,000 /s", stocked, false},
		{"  where each thing is commissioned in its block", "", whole, false},
		{"  and received when it was shipped", "", whole, true},
	} {
		c, err := newChain(seed)
		if err != nil {
			return nil, err
		}
		s, err := store.Open(filepath.Join(dir, fmt.Sprint("execution", i)), c.genesis, store.Options{})
		if err != nil {
			return nil, err
		}
		r, err := executionRow(c, s, x.shape, x.received, runs)
		if err != nil {
			return nil, err
		}
		r.what, r.goal = x.what, x.goal
		rows = append(rows, r)
		if err := s.Close(); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// stock gives every company what it needs for stocked batches in some blocks.
func (c *chain) stock(s *store.Store, blocks int) error {
	made, err := c.restock(blocks * batchesPerBlock)
	if err != nil {
		return err
	}
	_, err = runBlocks(s, made)
	return err
}

func executionRow(c *chain, s *store.Store, goods shape, received bool, runs int) (row, error) {
	var rates, cpu []float64
	for run := range runs + 1 {
		if goods == stocked {
			if err := c.stock(s, timedBlocks); err != nil {
				return row{}, err
			}
		}
		blocks := make([]*block, 0, timedBlocks)
		for range timedBlocks {
			b, err := c.bulk(goods, batchesPerBlock, received)
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
	mid := cpu[len(cpu)/2]
	return row{got: fmt.Sprintf("%.0f /s of processor time, %.1f µs an event; %.0f /s by the clock (%.0f to %.0f); medians of %d runs of %d blocks of %d events",
		mid, 1e6/mid, rates[len(rates)/2], rates[0], rates[len(rates)-1], runs, timedBlocks, eventsIn(goods, received))}, nil
}

// eventsIn is how many events a block of these rows has.
func eventsIn(goods shape, received bool) int {
	n := goods.events()
	if received {
		n += arrivalsInBatch
	}
	return batchesPerBlock * n
}
