package main

import (
	"fmt"
	"math/rand/v2"

	"waybill/epcis"
	"waybill/epcis/gs1"
)

// The shape of the goods is that of a generated document of 932 events that stands for bulk uploads: four times one
// commissioning of 50 serials, 8 packings of 10 into cases, 32 packings of 5 into boxes, 64 loadings of 2 onto logistic units
// and 128 shippings of one thing. Lists name 546 things in these 233 events, 2.34 an event, and 104 parents besides.
//
// That document packs and ships the same 50 serials again and again, which no goods could do: its packings and shippings need
// 392 that are not packed yet. There are two ways to have a legal event for each of the document's, and both are measured:
//
//   - stocked: the 392 come from a stock that was commissioned in earlier blocks, and the 50 that are commissioned go into it.
//     A batch has the document's events with lists of the document's sizes. The stock is made before and not timed; things are
//     then read from the state before they are packed, which costs more than finding them in the block.
//   - whole: 8 commissionings of 50 in a batch, so that it stands for itself: 240 events that name 896 things, 3.73 an event,
//     and bring 504 things into being and not 154. It is the heavier one by more than half.
const (
	serialsAtOnce   = 50
	perCase         = 10
	perBox          = 5
	perLoad         = 2
	cases           = 8
	boxes           = 32
	loads           = 64
	stockPerBatch   = cases*perCase + (boxes*perBox - cases) + (loads*perLoad - boxes) + loads // things of nobody's packing
	packedOrSent    = cases + boxes + 2*loads + loads                                          // events other than commissionings
	arrivalsInBatch = 2 * loads                                                                // receivings, where goods also arrive
)

// shape says how many commissionings a batch has.
type shape int

const (
	stocked shape = 1
	whole   shape = 8
)

// events is how many events a batch has, arrivals aside.
func (s shape) events() int { return int(s) + packedOrSent }

// maker writes the events of one company. Its serials, and so its events, are a function of the seed.
type maker struct {
	rng      *rand.Rand
	prefix   string // GS1 company prefix, seven digits
	receiver string // party that goods are shipped to
	timeMs   int64
	loaded   uint64
	loose    []string // commissioned and not packed, oldest first
}

func newMaker(seed uint64, company, receiver int) *maker {
	return &maker{rng: rand.New(rand.NewPCG(seed, uint64(company))), prefix: prefixOf(company), receiver: partyOf(receiver)}
}

func prefixOf(company int) string { return fmt.Sprintf("95213%02d", company) }

func partyOf(company int) string {
	return "https://id.gs1.org/417/" + withCheckDigit(prefixOf(company)+"00000")
}

func (m *maker) readPoint() *epcis.Location {
	return &epcis.Location{ID: "https://id.gs1.org/414/" + withCheckDigit(m.prefix+"00001")}
}

func withCheckDigit(digits string) string {
	d, err := gs1.CheckDigit(digits)
	if err != nil {
		panic(fmt.Sprintf("bench: digits %q: %v", digits, err))
	}
	return digits + string(d)
}

// product is the GTIN class of the company's n-th product.
func (m *maker) product(n int) string {
	return "https://id.gs1.org/01/0" + withCheckDigit(fmt.Sprintf("%s%05d", m.prefix, n))
}

const serialLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// serial is one thing of a product, with 10 to 14 letters and digits as the document has them.
func (m *maker) serial(product int) string {
	b := make([]byte, 10+m.rng.IntN(5))
	for i := range b {
		b[i] = serialLetters[m.rng.IntN(len(serialLetters))]
	}
	return m.product(product) + "/21/" + string(b)
}

func (m *maker) serials(product, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = m.serial(product)
	}
	return out
}

// sscc is a fresh logistic unit.
func (m *maker) sscc() string {
	m.loaded++
	return "https://id.gs1.org/00/" + withCheckDigit(fmt.Sprintf("0%s%09d", m.prefix, m.loaded))
}

func (m *maker) event(t epcis.EventType, action epcis.Action, bizStep, disposition string) *epcis.Event {
	m.timeMs++
	return &epcis.Event{
		Type: t, Action: action, BizStep: bizStep, Disposition: disposition, ReadPoint: m.readPoint(),
		EventTime: epcis.NewTimestamp(m.timeMs), TimeZoneOffset: "+01:00",
	}
}

func (m *maker) packing(bizStep, disposition, parent string, children []string) *epcis.Event {
	e := m.event(epcis.AggregationEvent, epcis.ActionAdd, bizStep, disposition)
	e.ParentID, e.ChildEPCs = parent, children
	return e
}

// commissioning brings as many things into being as the document does at once.
func (m *maker) commissioning() *epcis.Event {
	e := m.event(epcis.ObjectEvent, epcis.ActionAdd, "commissioning", "active")
	e.EPCs = m.serials(1, serialsAtOnce)
	m.loose = append(m.loose, e.EPCs...)
	return e
}

// restock commissions what some stocked batches lack.
func (m *maker) restock(batches int) (events []*epcis.Event) {
	for len(m.loose) < batches*stockPerBatch {
		events = append(events, m.commissioning())
	}
	return events
}

// take removes things from the stock.
func (m *maker) take(n int) []string {
	out := m.loose[:n:n]
	m.loose = m.loose[n:]
	return out
}

// batch is what a company writes of one batch of goods, in order, and what arrives at the receiver of it. A stocked one needs
// a stock.
func (m *maker) batch(s shape) (events, arrivals []*epcis.Event) {
	for range int(s) {
		events = append(events, m.commissioning())
	}
	packed := make([]string, 0, boxes)
	for range cases {
		parent := m.serial(2)
		events, packed = append(events, m.packing("packing", "in_progress", parent, m.take(perCase))), append(packed, parent)
	}
	for i := range boxes {
		var children []string
		if i < cases {
			children = append(children, packed[i])
		}
		parent := m.serial(3)
		events = append(events, m.packing("packing", "", parent, append(children, m.take(perBox-len(children))...)))
		if i < cases {
			packed[i] = parent
		} else {
			packed = append(packed, parent)
		}
	}
	var shipped []string
	for i := range loads {
		var children []string
		if i < boxes {
			children = append(children, packed[i])
		}
		parent := m.sscc()
		events, shipped = append(events, m.packing("loading", "", parent, append(children, m.take(perLoad-len(children))...))), append(shipped, parent)
	}
	for _, id := range append(shipped, m.take(loads)...) {
		e := m.event(epcis.ObjectEvent, epcis.ActionObserve, "shipping", "in_transit")
		e.EPCs, e.Destinations = []string{id}, []epcis.TypedRef{{Type: "possessing_party", ID: m.receiver}}
		events = append(events, e)
		r := m.event(epcis.ObjectEvent, epcis.ActionObserve, "receiving", "in_progress")
		r.EPCs, r.ReadPoint = []string{id}, nil
		arrivals = append(arrivals, r)
	}
	return events, arrivals
}
