package ledger

import (
	"fmt"
	"testing"

	"waybill/consensus/quorum"
	"waybill/epcis"
)

// BenchmarkApply executes blocks of 500 captures, each commissioning ten serials and packing them in a case of a
// network that is warm: signatures are checked and events decoded before.
func BenchmarkApply(b *testing.B) {
	g := testGenesis(DefaultParams())
	a := orgAddress(0)
	g.Accounts = append(g.Accounts, GenesisAccount{Address: a, Balance: 1 << 50})
	g.Organisations = []GenesisOrganisation{{Address: a, Name: "org0", Prefixes: []string{"9521320"}}}
	net := newNet(b, g)
	m := &modelRun{net: net}
	const perBlock = 500
	serial := 0
	block := func() *Block {
		blk := &Block{Header: quorum.Header{Version: 1, Height: net.height + 1, TimeMs: net.timeMs + 60_000}}
		for range perBlock {
			e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
			for range 10 {
				serial++
				e.EPCs = append(e.EPCs, modelItem(0, serial))
			}
			p := m.event(epcis.AggregationEvent, "ADD", "packing")
			p.ParentID, p.ChildEPCs = fmt.Sprintf("urn:epc:id:sscc:9521320.%010d", serial), e.EPCs
			body, err := NewBody(net.hash, a, net.height+10, capture(b, Rollback, e, p))
			if err != nil {
				b.Fatal(err)
			}
			tx, err := NewTransaction(body, []SignedBy{{Key: keyOf("org0").Public()}})
			if err != nil {
				b.Fatal(err)
			}
			blk.Transactions = append(blk.Transactions, VerifiedTransaction{tx: tx})
		}
		return blk
	}
	b.ReportAllocs()
	events := 0
	for b.Loop() {
		b.StopTimer()
		blk := block()
		b.StartTimer()
		up, err := Apply(net.view, blk)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if !up.Receipts[0].OK() {
			b.Fatal(up.Receipts[0].Finding)
		}
		net.view.apply(up.Writes)
		net.height++
		net.timeMs += 60_000
		events += len(up.Events)
		b.StartTimer()
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkDecode reads transactions of two events with ten serials each, which happens off the executor.
func BenchmarkDecode(b *testing.B) {
	net := newNet(b, testGenesis(DefaultParams(), "a"))
	e, p := onePayloadEvent(), onePayloadEvent()
	for i := range 9 {
		e.EPCs = append(e.EPCs, modelItem(1, i+2))
	}
	p.Type, p.EPCs, p.ChildEPCs, p.ParentID = epcis.AggregationEvent, nil, e.EPCs, "urn:epc:id:sscc:9521320.0000000001"
	raw := net.tx("a", capture(b, Rollback, e, p)).Raw()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeTransaction(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNextSet elects the largest set there can be, from a state in memory.
func BenchmarkNextSet(b *testing.B) {
	stakes := make([]uint64, quorum.MaxValidators)
	for i := range stakes {
		stakes[i] = uint64(1_000 + i)
	}
	n := newNet(b, stakers(shortEpochs(), stakes...))
	for b.Loop() {
		if _, err := NextSet(n.view); err != nil {
			b.Fatal(err)
		}
	}
}
