package main

import (
	"fmt"

	"waybill/consensus/quorum"
	"waybill/epcis"
	"waybill/ledger"
)

// The graphs of the trace rows have 10,000 nodes: one lot, branches lots made of it, and perBranch serials made of each
// (forward); or the other way round (back). What was made forward is shipped and received, a third of it sold, so that a
// recall has holdings to tell.
const (
	branches  = 99
	perBranch = 100
)

func (m *maker) lot(product int, name string) string { return m.product(product) + "/10/" + name }

func kilos(class string, n int64) epcis.Quantity {
	q, err := epcis.ParseDecimal(fmt.Sprint(n))
	if err != nil {
		panic("bench: " + err.Error())
	}
	return epcis.Quantity{Class: class, Quantity: &q, UOM: "KGM"}
}

// forwardGraph returns the events of each block and the lot at its root; receivedBy of the second list are the receiver's.
func (m *maker) forwardGraph() (root string, made, arrived []*epcis.Event) {
	root = m.lot(10, "SOURCE")
	born := m.event(epcis.ObjectEvent, epcis.ActionAdd, "commissioning", "active")
	born.Quantities = []epcis.Quantity{kilos(root, branches*perBranch)}
	made = append(made, born)
	for i := range branches {
		mid := m.lot(11, fmt.Sprint("M", i))
		split := m.event(epcis.TransformationEvent, "", "commissioning", "")
		split.InputQuantities, split.OutputQuantities = []epcis.Quantity{kilos(root, perBranch)}, []epcis.Quantity{kilos(mid, perBranch)}
		pieces := m.event(epcis.TransformationEvent, "", "commissioning", "")
		pieces.InputQuantities, pieces.OutputEPCs = []epcis.Quantity{kilos(mid, perBranch)}, m.serials(12, perBranch)
		sent := m.event(epcis.ObjectEvent, epcis.ActionObserve, "shipping", "in_transit")
		sent.EPCs, sent.Destinations = pieces.OutputEPCs, []epcis.TypedRef{{Type: "possessing_party", ID: m.receiver}}
		made = append(made, split, pieces, sent)
		got := m.event(epcis.ObjectEvent, epcis.ActionObserve, "receiving", "in_progress")
		got.EPCs, got.ReadPoint = sent.EPCs, nil
		arrived = append(arrived, got)
		if i%3 == 0 {
			sold := m.event(epcis.ObjectEvent, epcis.ActionObserve, "retail_selling", "retail_sold")
			sold.EPCs, sold.ReadPoint = sent.EPCs, nil
			arrived = append(arrived, sold)
		}
	}
	return root, made, arrived
}

// backGraph returns the events that make one lot of many serials, and that lot.
func (m *maker) backGraph() (root string, made []*epcis.Event) {
	root = m.lot(13, "MIXED")
	last := m.event(epcis.TransformationEvent, "", "commissioning", "")
	last.OutputQuantities = []epcis.Quantity{kilos(root, branches*perBranch)}
	for i := range branches {
		mid := m.lot(14, fmt.Sprint("N", i))
		born := m.event(epcis.ObjectEvent, epcis.ActionAdd, "commissioning", "active")
		born.EPCs = m.serials(15, perBranch)
		pool := m.event(epcis.TransformationEvent, "", "commissioning", "")
		pool.InputEPCs, pool.OutputQuantities = born.EPCs, []epcis.Quantity{kilos(mid, perBranch)}
		last.InputQuantities = append(last.InputQuantities, kilos(mid, perBranch))
		made = append(made, born, pool)
	}
	last.EventTime = epcis.NewTimestamp(m.timeMs + 1)
	m.timeMs++
	return root, append(made, last)
}

// only makes a block of one company's events.
func (c *chain) only(company int, events func(m *maker) []*epcis.Event) (*block, error) {
	return c.next(func(h quorum.Height, timeMs int64) ([]*ledger.Transaction, error) {
		m := c.makers[company]
		m.timeMs = timeMs - 900
		return c.captures(company, h, events(m))
	})
}
