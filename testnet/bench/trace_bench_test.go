package main

import (
	"context"
	"io"
	"testing"

	"waybill/epcis/trace"
)

// BenchmarkTraces asks what the trace rows of the table ask, of a small ledger that is built once.
//
//	go test ./testnet/bench -run '^$' -bench Traces -benchmem
func BenchmarkTraces(b *testing.B) {
	dir, ctx := b.TempDir(), context.Background()
	l := &large{}
	if _, err := l.build(dir, 1, 20_000, io.Discard); err != nil {
		b.Fatal(err)
	}
	if _, err := l.again(dir); err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := l.s.Close(); err != nil {
			b.Error(err)
		}
	}()
	for _, q := range l.traces() {
		b.Run(q.name, func(b *testing.B) {
			for b.Loop() {
				g, err := q.walk(ctx, l.x, q.item, trace.Limits{})
				if err != nil {
					b.Fatal(err)
				}
				if len(g.Nodes) != 10_000 {
					b.Fatalf("%d nodes", len(g.Nodes))
				}
			}
		})
	}
}
