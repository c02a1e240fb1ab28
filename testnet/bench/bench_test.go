package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"runtime"
	"strings"
	"testing"
	"time"

	"waybill/epcis"
	"waybill/ledger/store"
)

// The goods are a function of the seed, of the shape that goods.go tells, and none of them is refused or marked.
func TestBatch(t *testing.T) {
	for _, x := range []struct {
		goods      shape
		born, list int
	}{{stocked, 1, 546}, {whole, 8, 896}} {
		count := map[string]int{}
		named := 0
		a, b := newMaker(3, 0, 1), newMaker(3, 0, 1)
		if x.goods == stocked {
			a.restock(2)
			b.restock(2)
		}
		for range 2 {
			events, arrivals := a.batch(x.goods)
			again, _ := b.batch(x.goods)
			if len(events) != x.goods.events() || len(arrivals) != arrivalsInBatch {
				t.Fatalf("%d events and %d arrivals", len(events), len(arrivals))
			}
			for i, e := range events {
				count[fmt.Sprint(e.BizStep, len(e.EPCs)+len(e.ChildEPCs))]++
				named += len(e.EPCs) + len(e.ChildEPCs)
				x, err := epcis.EncodeEvent(e)
				if err != nil {
					t.Fatal(err)
				}
				if y, err := epcis.EncodeEvent(again[i]); err != nil || !bytes.Equal(x, y) {
					t.Fatalf("event %d differs between two makers of one seed, %v", i, err)
				}
				if faults := e.Validate(); len(faults) > 0 {
					t.Fatalf("event %d: %v", i, faults)
				}
			}
		}
		want := map[string]int{"commissioning50": 2 * x.born, "packing10": 16, "packing5": 64, "loading2": 128, "shipping1": 256}
		if !maps.Equal(count, want) || named != 2*x.list {
			t.Errorf("%v, %d things named", count, named)
		}
	}
}

// Blocks of the execution rows are accepted without a mark, those of a stock too.
func TestExecutionRows(t *testing.T) {
	if testing.Short() {
		t.Skip("BenchmarkExecute runs the same")
	}
	rows, err := executionRows(t.TempDir(), 5, 1)
	if err != nil || len(rows) != 6 {
		t.Fatal(rows, err)
	}
}

// The whole program on a small ledger: every block is accepted, and the graphs have the size that they are said to have.
func TestSmallRun(t *testing.T) {
	dir := t.TempDir()
	l := &large{}
	rows, err := l.build(dir, 2, 4_000, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := l.again(dir)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := l.questions(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	graphs := 0
	for _, r := range asked {
		if strings.Contains(r.got, "10000 nodes") {
			graphs++
		}
	}
	if graphs != 3 {
		t.Errorf("rows %v: three graphs of 10,000 nodes were to be walked", asked)
	}
	if err := l.s.Audit(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if err := l.s.Close(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	printRows(&out, machineFacts(dir), append(append(rows, opened), asked...))
	for _, word := range []string{"processor", "kernel", "file system", "GOGC", "history of an item", "bytes an event"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("the table does not tell %q:\n%s", word, out.String())
		}
	}
}

func TestQuantile(t *testing.T) {
	took := []time.Duration{5, 1, 3, 2, 4}
	if quantile(took, 50) != 3 || quantile(took, 95) != 5 || quantile(took, 0) != 1 || quantile(nil, 50) != 0 {
		t.Error("quantiles")
	}
}

// BenchmarkExecute is one block of the execution rows, for profiles: -cpu 1 -cpuprofile.
func BenchmarkExecute(b *testing.B) {
	for _, x := range []struct {
		name          string
		goods         shape
		batches, warm int
	}{{"full", stocked, batchesPerFullBlock, 3}, {"stocked", stocked, batchesPerBlock, 20}, {"whole", whole, batchesPerBlock, 20}} {
		b.Run(x.name, func(b *testing.B) { benchmarkExecute(b, x.goods, x.batches, x.warm) })
	}
}

func benchmarkExecute(b *testing.B, goods shape, batches, warmBlocks int) {
	c, err := newChain(1)
	if err != nil {
		b.Fatal(err)
	}
	s, err := store.Open(b.TempDir(), c.genesis, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	blocks := make([]*block, warmBlocks+b.N)
	if goods == stocked {
		if err := c.stock(s, len(blocks)*batches); err != nil {
			b.Fatal(err)
		}
	}
	for i := range blocks {
		if blocks[i], err = c.bulk(goods, batches, false); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := runBlocks(s, blocks[:warmBlocks]); err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	logged := s.DB().Metrics().WAL.BytesIn
	b.ResetTimer()
	e, err := runBlocks(s, blocks[warmBlocks:])
	if err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	runtime.ReadMemStats(&after)
	b.ReportMetric(1e6/e.cpuRate(), "cpu-µs/event")
	b.ReportMetric(float64(s.DB().Metrics().WAL.BytesIn-logged)/float64(e.events), "log-B/event")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(e.events), "allocs/event")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(e.events), "B/event")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
