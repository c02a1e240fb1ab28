package main

import (
	"fmt"
	"math/rand/v2"

	"waybill/epcis"
	"waybill/epcis/gs1"
)

// The shape of the goods, taken from a generated document of 932 events that stands for bulk uploads: four parts of
// commissionings of 50 serials each, then packings of 10 into cases, packings of 5 into boxes, loadings of 2 onto logistic
// units, and shippings of one thing, in the proportion 1 : 8 : 32 : 64 : 128. That document packs and ships the same serials
// again and again, which no goods could do; here every packing and shipping has goods of its own, so that a batch
// commissions eight times the serials and every event is legal. Sizes and the proportion of everything else are the
// document's.
const (
	serialsAtOnce   = 50
	perCase         = 10
	perBox          = 5
	perLoad         = 2
	commissionings  = 8
	cases           = 8
	boxes           = 32
	loads           = 64
	eventsPerBatch  = commissionings + cases + boxes + 2*loads + loads
	arrivalsInBatch = 2 * loads // receivings, where goods also arrive
)

// maker writes the events of one company. Its serials, and so its events, are a function of the seed.
type maker struct {
	rng      *rand.Rand
	prefix   string // GS1 company prefix, seven digits
	receiver string // party that goods are shipped to
	timeMs   int64
	loaded   uint64
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

// batch is what a company writes of one batch of goods, in order, and what arrives at the receiver of it.
func (m *maker) batch() (events, arrivals []*epcis.Event) {
	var loose []string
	for range commissionings {
		e := m.event(epcis.ObjectEvent, epcis.ActionAdd, "commissioning", "active")
		e.EPCs = m.serials(1, serialsAtOnce)
		events, loose = append(events, e), append(loose, e.EPCs...)
	}
	take := func(n int) []string {
		out := loose[:n:n]
		loose = loose[n:]
		return out
	}
	packed := make([]string, 0, boxes)
	for range cases {
		parent := m.serial(2)
		events, packed = append(events, m.packing("packing", "in_progress", parent, take(perCase))), append(packed, parent)
	}
	for i := range boxes {
		var children []string
		if i < cases {
			children = append(children, packed[i])
		}
		parent := m.serial(3)
		events = append(events, m.packing("packing", "", parent, append(children, take(perBox-len(children))...)))
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
		events, shipped = append(events, m.packing("loading", "", parent, append(children, take(perLoad-len(children))...))), append(shipped, parent)
	}
	for _, id := range append(shipped, take(loads)...) {
		e := m.event(epcis.ObjectEvent, epcis.ActionObserve, "shipping", "in_transit")
		e.EPCs, e.Destinations = []string{id}, []epcis.TypedRef{{Type: "possessing_party", ID: m.receiver}}
		events = append(events, e)
		r := m.event(epcis.ObjectEvent, epcis.ActionObserve, "receiving", "in_progress")
		r.EPCs, r.ReadPoint = []string{id}, nil
		arrivals = append(arrivals, r)
	}
	return events, arrivals
}
