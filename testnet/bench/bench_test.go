package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"waybill/epcis"
	"waybill/ledger/store"
)

// The goods are a function of the seed, of the shape that goods.go tells, and none of them is refused or marked.
func TestBatch(t *testing.T) {
	count := map[string]int{}
	named := 0
	a, b := newMaker(3, 0, 1), newMaker(3, 0, 1)
	for range 2 {
		events, arrivals := a.batch()
		again, _ := b.batch()
		if len(events) != eventsPerBatch || len(arrivals) != arrivalsInBatch {
			t.Fatalf("%d events and %d arrivals", len(events), len(arrivals))
		}
		for i, e := range events {
			count[e.BizStep]++
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
	if count["commissioning"] != 16 || count["packing"] != 80 || count["loading"] != 128 || count["shipping"] != 256 || named != 2*896 {
		t.Errorf("%v, %d things named", count, named)
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

// BenchmarkExecute is one block of the execution row, for profiles: -cpu 1 -cpuprofile.
func BenchmarkExecute(b *testing.B) {
	c, err := newChain(1)
	if err != nil {
		b.Fatal(err)
	}
	s, err := store.Open(b.TempDir(), c.genesis, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	blocks := make([]*block, warmBlocks+b.N)
	for i := range blocks {
		if blocks[i], err = c.bulk(batchesPerBlock, false); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := runBlocks(s, blocks[:warmBlocks]); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	e, err := runBlocks(s, blocks[warmBlocks:])
	if err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	b.ReportMetric(e.rate(), "events/s")
	b.ReportMetric(e.cpuRate(), "events/cpu-s")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
