package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"waybill/ledger/store"
)

// Blocks of the execution rows: what is timed at once is some 13,000 to 20,000 events, for which the stock is made just before.
const (
	batchesPerBlock = 8  // about 1,900 events: 100 ms of the rate to reach
	timedBlocks     = 10 // of one run

	batchesPerFullBlock = 56 // about 13,000 events, 4 MiB: the most that the parameters allow by default, and that a proposal may carry
	timedFullBlocks     = 1
	followingBlocks     = 4 // that follow each other, so that most of what the database does with one falls into the next

	batchesPerProposal = 14 // about 3,300 events, 1 MiB: the most that a node proposes today
	timedProposals     = 4

	timedRuns = 5
)

// load is what the blocks of a row are filled with.
type load struct {
	goods    shape
	received bool // when it was shipped
	batches  int  // in a block
	blocks   int  // of a run
}

// events is how many events a block has.
func (l load) events() int {
	n := l.goods.events()
	if l.received {
		n += arrivalsInBatch
	}
	return l.batches * n
}

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
		load
	}{
		{"execute bulk events, one core, blocks of 4 MiB", "≥ 20,000 /s", load{stocked, false, batchesPerFullBlock, timedFullBlocks}},
		{"  one after the other, with what the database moves meanwhile", "", load{stocked, false, batchesPerFullBlock, followingBlocks}},
		{"  blocks of 1 MiB, as nodes propose", "", load{stocked, false, batchesPerProposal, timedProposals}},
		{"  blocks of 100 ms", "", load{stocked, false, batchesPerBlock, timedBlocks}},
		{"  where each thing is commissioned in its block", "", load{whole, false, batchesPerBlock, timedBlocks}},
		{"  and received when it was shipped", "", load{whole, true, batchesPerBlock, timedBlocks}},
	} {
		c, err := newChain(seed)
		if err != nil {
			return nil, err
		}
		s, err := store.Open(filepath.Join(dir, fmt.Sprint("execution", i)), c.genesis, store.Options{})
		if err != nil {
			return nil, err
		}
		r, err := executionRow(c, s, x.load, runs)
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

// stock gives every company what it needs for stocked batches.
func (c *chain) stock(s *store.Store, batches int) error {
	made, err := c.restock(batches)
	if err != nil {
		return err
	}
	_, err = runBlocks(s, made)
	return err
}

func executionRow(c *chain, s *store.Store, l load, runs int) (row, error) {
	var rates, cpu []float64
	for run := range runs + 1 {
		if l.goods == stocked {
			if err := c.stock(s, l.blocks*l.batches); err != nil {
				return row{}, err
			}
		}
		blocks := make([]*block, 0, l.blocks)
		for range l.blocks {
			b, err := c.bulk(l.goods, l.batches, l.received)
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
		mid, 1e6/mid, rates[len(rates)/2], rates[0], rates[len(rates)-1], runs, l.blocks, l.events())}, nil
}
