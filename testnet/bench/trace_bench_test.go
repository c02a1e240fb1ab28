package main

import (
	"context"
	"flag"
	"io"
	"testing"

	"waybill/epcis"
	"waybill/epcis/trace"
)

var traceEvents = flag.Int("events", 20_000, "of the ledger that BenchmarkTraces builds")

// pallets is a lot of which 7,500 things are made, ten of them to a case and 25 cases to a pallet; only pallets are shipped and
// received. A walk forward comes to 8,356 items, most of their history by what carried them.
func (m *maker) pallets() (root string, made, arrived []*epcis.Event) {
	root = m.lot(16, "PALLETS")
	made = append(made, m.lotBorn(root, 75*perBranch))
	for range 75 {
		pieces := m.event(epcis.TransformationEvent, "", "commissioning", "")
		pieces.InputQuantities, pieces.OutputEPCs = []epcis.Quantity{kilos(root, perBranch)}, m.serials(17, perBranch)
		made = append(made, pieces)
		m.loose = append(m.loose, pieces.OutputEPCs...)
	}
	for len(m.loose) > 0 {
		var cases []string
		for range 25 {
			parent := m.serial(18)
			made, cases = append(made, m.packing("packing", "in_progress", parent, m.take(10))), append(cases, parent)
		}
		pallet := m.sscc()
		loaded := m.packing("loading", "", pallet, cases)
		sent := m.event(epcis.ObjectEvent, epcis.ActionObserve, "shipping", "in_transit")
		sent.EPCs, sent.Destinations = []string{pallet}, []epcis.TypedRef{{Type: "possessing_party", ID: m.receiver}}
		got := m.event(epcis.ObjectEvent, epcis.ActionObserve, "receiving", "in_progress")
		got.EPCs, got.ReadPoint = []string{pallet}, nil
		made, arrived = append(made, loaded, sent), append(arrived, got)
	}
	return root, made, arrived
}

func (m *maker) lotBorn(lot string, n int64) *epcis.Event {
	born := m.event(epcis.ObjectEvent, epcis.ActionAdd, "commissioning", "active")
	born.Quantities = []epcis.Quantity{kilos(lot, n)}
	return born
}

// pieces is a lot of which 9,999 things are made, each of them shipped and received by events of its own: 20,000 of them.
func (m *maker) pieces() (root string, made, arrived []*epcis.Event) {
	root = m.lot(19, "PIECES")
	made = append(made, m.lotBorn(root, 101*perBranch))
	for range 101 {
		split := m.event(epcis.TransformationEvent, "", "commissioning", "")
		split.InputQuantities, split.OutputEPCs = []epcis.Quantity{kilos(root, perBranch)}, m.serials(20, 99)
		made = append(made, split)
		at := m.timeMs
		for _, id := range split.OutputEPCs {
			m.timeMs = at // they go at the same time: a block has no room for a moment of each
			sent := m.event(epcis.ObjectEvent, epcis.ActionObserve, "shipping", "in_transit")
			sent.EPCs, sent.Destinations = []string{id}, []epcis.TypedRef{{Type: "possessing_party", ID: m.receiver}}
			got := m.event(epcis.ObjectEvent, epcis.ActionObserve, "receiving", "in_progress")
			got.EPCs, got.ReadPoint = []string{id}, nil
			made, arrived = append(made, sent), append(arrived, got)
		}
	}
	return root, made, arrived
}

// shaped puts the events of a shape of goods onto the ledger, and indexes them.
func (l *large) shaped(ctx context.Context, shape func(m *maker) (string, []*epcis.Event, []*epcis.Event)) (string, error) {
	var arrived []*epcis.Event
	var root string
	for company, events := range []func(m *maker) []*epcis.Event{
		func(m *maker) (made []*epcis.Event) { root, made, arrived = shape(m); return made },
		func(*maker) []*epcis.Event { return arrived },
	} {
		b, err := l.c.only(company, events)
		if err != nil {
			return "", err
		}
		if _, err := runBlocks(l.s, []*block{b}); err != nil {
			return "", err
		}
	}
	return root, l.x.CatchUp(ctx)
}

// BenchmarkTraces asks what the trace rows of the table ask, and of goods of two more shapes, of a small ledger that is built
// once.
//
//	go test ./testnet/bench -run '^$' -bench Traces -benchmem -events 300000
func BenchmarkTraces(b *testing.B) {
	dir, ctx := b.TempDir(), context.Background()
	l := &large{}
	if _, err := l.build(dir, 1, *traceEvents, io.Discard); err != nil {
		b.Fatal(err)
	}
	list := l.traces()
	l.c.makers[0].loose = nil
	for name, shape := range map[string]func(m *maker) (string, []*epcis.Event, []*epcis.Event){"pallets": (*maker).pallets, "pieces": (*maker).pieces} {
		root, err := l.shaped(ctx, shape)
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, traced{name: name, item: root, walk: trace.Forward})
	}
	if _, err := l.again(dir); err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := l.s.Close(); err != nil {
			b.Error(err)
		}
	}()
	for _, q := range list {
		b.Run(q.name, func(b *testing.B) {
			cpu := cpuTime()
			for b.Loop() {
				g, err := q.walk(ctx, l.x, q.item, trace.Limits{})
				if err != nil {
					b.Fatal(err)
				}
				if len(g.Nodes) < 8_000 || g.Truncated {
					b.Fatalf("%d nodes, %v", len(g.Nodes), g.Reasons)
				}
			}
			b.ReportMetric(float64(cpuTime()-cpu)/1e6/float64(b.N), "cpu-ms/op")
		})
	}
}
