package ledger

import (
	"fmt"
	"testing"

	"waybill/crypto"
	"waybill/epcis"
)

// fullRows are the rows of TestSeverityTable whose codes are about limits: a network at the limit, and transactions of one block
// the last of which goes beyond.
var fullRows = map[Code]func(*testing.T) (*testNet, []*Transaction){
	CodeTooManyOpen: func(t *testing.T) (*testNet, []*Transaction) {
		n, m := limitsNet(t, DefaultParams())
		lot := canonical(modelLot(0, 1))
		n.must(n.says("org0", bornLots(m, lot)))
		n.view[string(TransitKey(lot, "KGM", orgAddress(0), orgAddress(1)))] = mustMarshal(Transit{Shipments: make([]crypto.Hash, maxOpenShipments)})
		return n, []*Transaction{n.says("org0", m.sends(nil, kilosOf(lot, 1)...))}
	},
	CodeTooManyLots: func(t *testing.T) (*testNet, []*Transaction) {
		n, m := limitsNet(t, DefaultParams())
		var all []epcis.Quantity
		for i := range maxShippedLots + 1 {
			all = append(all, kilosOf(modelLot(0, i), 1)...)
		}
		return n, []*Transaction{n.says("org0", m.sends(nil, all...))}
	},
	CodePackingDepth: func(t *testing.T) (*testNet, []*Transaction) {
		n, m := limitsNet(t, DefaultParams())
		box := func(i int) string { return fmt.Sprintf("urn:epc:id:sscc:9521320.%010d", i) }
		n.must(n.says("org0", bornEvent(m, box(0))))
		for i := range maxPackingDepth - 1 {
			n.must(n.says("org0", m.packs(box(i+1), box(i))))
		}
		return n, []*Transaction{n.says("org0", m.packs(box(maxPackingDepth), box(maxPackingDepth-1)))}
	},
	CodeContainerFull: func(t *testing.T) (*testNet, []*Transaction) {
		n, m := limitsNet(t, DefaultParams())
		n.must(n.says("org0", bornEvent(m, modelBox(0, 1), modelItem(0, 1))))
		n.view[string(ContentsKey(canonical(modelBox(0, 1))))] = mustMarshal(&Contents{Items: manyNames(maxContents)})
		return n, []*Transaction{n.says("org0", m.packs(modelBox(0, 1), modelItem(0, 1)))}
	},
	CodeTooMuchWork: func(t *testing.T) (*testNet, []*Transaction) {
		n, m, box := fullBox(t)
		var txs []*Transaction
		for range maxWorkAuthor/fullBoxSize + 1 {
			txs = append(txs, n.says("org0", m.empties(box)), n.says("org0", m.packs(box, fullBoxItems()...)))
		}
		return n, txs[:len(txs)-1]
	},
	CodeTooLongAgo: func(t *testing.T) (*testNet, []*Transaction) {
		n, m := limitsNet(t, DefaultParams())
		n.must(n.says("org0", bornEvent(m, modelItem(0, 1), modelBox(0, 1))))
		e := m.event(epcis.AssociationEvent, "ADD", "installing")
		e.ParentID, e.ChildEPCs = modelBox(0, 1), []string{modelItem(0, 1)}
		n.view[string(AssociationKey(canonical(modelItem(0, 1))))] = mustMarshal(Associations{Dropped: true, DroppedMs: n.timeMs + 60_001})
		return n, []*Transaction{n.says("org0", e)}
	},
	CodeGenealogyDepth: func(t *testing.T) (*testNet, []*Transaction) {
		n, m := limitsNet(t, DefaultParams())
		made := func(in []string, out string) *epcis.Event {
			e := m.event(epcis.TransformationEvent, "", "commissioning")
			for _, id := range in {
				e.InputQuantities = append(e.InputQuantities, kilosOf(id, 1)...)
			}
			e.OutputQuantities = kilosOf(out, 1)
			return e
		}
		var wide []string
		for i := range 1000 {
			wide = append(wide, modelLot(0, 1000+i))
		}
		n.must(n.says("org0", bornLots(m, append(wide, modelLot(0, 1))...), made([]string{modelLot(0, 1)}, modelLot(0, 2))))
		for range maxAncestry/len(wide) + 1 {
			n.must(n.says("org0", made(wide, modelLot(0, 10))))
		}
		return n, []*Transaction{n.says("org0", made([]string{modelLot(0, 10)}, modelLot(0, 1)))}
	},
	CodeTransformFull: func(t *testing.T) (*testNet, []*Transaction) {
		n, m := limitsNet(t, DefaultParams())
		made := func(from, to int) *Transaction {
			e := m.event(epcis.TransformationEvent, "", "commissioning")
			e.TransformationID = "urn:example:mill"
			for i := from; i < to; i++ {
				e.OutputEPCs = append(e.OutputEPCs, modelItem(0, i))
			}
			return n.says("org0", e)
		}
		for i := 0; i < maxContents; i += maxContents / 2 {
			n.must(made(i, i+maxContents/2))
		}
		return n, []*Transaction{made(maxContents, maxContents+1)}
	},
	CodeManyNotices: func(t *testing.T) (*testNet, []*Transaction) {
		n, m := limitsNet(t, DefaultParams())
		lot := canonical(modelLot(0, 1))
		n.must(n.says("org0", bornLots(m, lot)))
		n.view[string(NoticesKey())] = mustMarshal(Notices{Open: 1})
		n.view[string(HoldKey(lot))] = mustMarshal(Hold{More: maxOverLooked + 1})
		return n, []*Transaction{n.says("org0", m.sends(nil, kilosOf(lot, 1)...))}
	},
	CodeTooMuchInside: func(t *testing.T) (*testNet, []*Transaction) {
		n, m := limitsNet(t, DefaultParams())
		pallet := canonical(modelBox(0, 1))
		n.must(n.says("org0", bornEvent(m, pallet)))
		n.view[string(NoticesKey())] = mustMarshal(Notices{Open: 1})
		boxes := manyNames(maxWorkAuthor / maxContents)
		n.view[string(ContentsKey(pallet))] = mustMarshal(&Contents{Items: boxes})
		for _, box := range boxes {
			n.view[string(ContentsKey(box))] = mustMarshal(&Contents{Items: manyNames(maxContents)})
		}
		return n, []*Transaction{n.says("org0", m.sends([]string{pallet}))}
	},
	CodeTooMuchToUndo: func(t *testing.T) (*testNet, []*Transaction) {
		n, m, box := fullBox(t)
		e := m.empties(box)
		n.must(n.says("org0", e))
		return n, []*Transaction{n.says("org0", wrongly(e))}
	},
	CodeTooManyClaims: func(t *testing.T) (*testNet, []*Transaction) {
		n := evidenceNet(t, DefaultParams())
		e := n.at(epcis.ObjectEvent, "ADD", "commissioning")
		e.Quantities = kilosOf("urn:epc:class:lgtin:9521321.000001.L1", 1)
		for i := range maxClaims + 1 {
			e.CertificationInfo = append(e.CertificationInfo, fmt.Sprintf("https://x.example/%02d", i))
			n.attest(e.CertificationInfo[i], "Farm", fmt.Sprintf("claim %02d", i), Segregated)
		}
		e.EventTime = epcis.NewTimestamp(n.timeMs)
		return n, []*Transaction{n.tx("Farm", capture(t, Rollback, e))}
	},
}

func (n *testNet) says(who string, events ...*epcis.Event) *Transaction {
	n.t.Helper()
	return n.tx(who, capture(n.t, Rollback, events...))
}

func (m *modelRun) sends(items []string, quantities ...epcis.Quantity) *epcis.Event {
	e := m.event(epcis.ObjectEvent, "OBSERVE", "shipping")
	e.EPCs, e.Quantities = items, quantities
	e.Destinations = []epcis.TypedRef{{Type: "owning_party", ID: partyOf(1)}}
	return e
}

func (m *modelRun) packs(box string, items ...string) *epcis.Event {
	e := m.event(epcis.AggregationEvent, "ADD", "packing")
	e.ParentID, e.ChildEPCs = box, items
	return e
}

func (m *modelRun) empties(box string) *epcis.Event {
	e := m.event(epcis.AggregationEvent, "DELETE", "unpacking")
	e.ParentID = box
	return e
}

// bornLots commissions a ton of each lot.
func bornLots(m *modelRun, lots ...string) *epcis.Event {
	e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
	for _, lot := range lots {
		e.Quantities = append(e.Quantities, kilosOf(lot, 1000)...)
	}
	return e
}

func manyNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("urn:example:thing:%04d", i)
	}
	return names
}

// fullBoxSize is more than notes are kept of for undoing, with names as long as those of fullBoxItems.
const fullBoxSize = 4_000

func fullBoxItems() []string {
	names := make([]string, fullBoxSize)
	for i := range names {
		names[i] = fmt.Sprintf("urn:epc:id:sgtin:9521320.000001.SSSSSSSSSSSSSSS%04d", i)
	}
	return names
}

// fullBox is a network with a container that has fullBoxItems in it.
func fullBox(t *testing.T) (*testNet, *modelRun, string) {
	p := DefaultParams()
	p.MaxTxBytes = 1 << 20
	n, m := limitsNet(t, p)
	all := fullBoxItems()
	n.must(n.says("org0", bornEvent(m, all...), m.packs(modelBox(0, 1), all...)))
	return n, m, modelBox(0, 1)
}
