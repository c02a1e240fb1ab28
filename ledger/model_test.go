package ledger

import (
	"fmt"
	"slices"
	"strings"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
)

// The model is what a patient clerk would do with three ledgers of paper: it knows things, boxes, heaps and lorries, and
// none of the production code. After every act it must agree with the ledger on whether the act was legal and on where
// everything is.

type thingModel struct {
	ended   bool
	gone    bool // ended with all that is in it: lost or destroyed by the end of a dispute
	holder  int
	owner   int
	in      string       // the box it is in
	lorry   *lorryLoad   // under way
	quarrel *quarrelLine // short or rejected
	unsaid  bool         // nobody has stated its birth: it was first seen when something was put in it
	maker   int
}

// lorryLoad is one shipment.
type lorryLoad struct {
	id       crypto.Hash // of the shipping event
	height   quorum.Height
	from, to int
	owner    int // -1: unchanged
	void     bool
	open     int // lines of disputes
	claims   int // disputes

	underWay                            int64            // things
	shipped, accepted, short, bad, back map[string]int64 // kilos of lots, and things under ""
}

// heapLoad is a heap on a lorry.
type heapLoad struct {
	*lorryLoad
	heap  string
	kilos int64
}

type paperLedger struct {
	things  map[string]*thingModel
	heaps   map[string]map[int]int64    // lot → holder → loose and available
	held    map[string]map[int]int64    // lot → holder → loose and set apart
	ever    map[string]map[int]bool     // lot → who ever had some available
	boxed   map[string]map[string]int64 // box → lot → kilos
	lorries []*heapLoad                 // heaps, in the order they left
	sent    []*lorryLoad                // all shipments
	claims  []*quarrel
	born    map[string]bool     // lots that exist
	madeOf  map[string][]string // lot → lots
	total   map[string]int64    // lot → produced minus consumed, more or less what was counted
	gone    map[string]int64    // lot → kilos in boxes that were lost or destroyed as they were
}

const orgs = 3

func newPaper() *paperLedger {
	p := &paperLedger{things: map[string]*thingModel{}, heaps: map[string]map[int]int64{}, boxed: map[string]map[string]int64{},
		held: map[string]map[int]int64{}, ever: map[string]map[int]bool{},
		born: map[string]bool{}, madeOf: map[string][]string{}, total: map[string]int64{}, gone: map[string]int64{}}
	return p
}

// names of things: the digit after the prefix is whose it is.
func modelItem(org, n int) string { return fmt.Sprintf("urn:epc:id:sgtin:952132%d.000001.%d", org, n) }
func modelBox(org, n int) string  { return fmt.Sprintf("urn:epc:id:sscc:952132%d.000000000%d", org, n) }
func modelLot(org, n int) string {
	return fmt.Sprintf("urn:epc:class:lgtin:952132%d.000001.L%d", org, n)
}
func ownerOfName(id string) int { return int(id[strings.Index(id, "952132")+6] - '0') }

func (p *paperLedger) outermost(id string) *thingModel {
	for p.things[id].in != "" {
		id = p.things[id].in
	}
	return p.things[id]
}

// ready reports whether an organisation may act on a thing.
func (p *paperLedger) ready(org int, id string) bool {
	t := p.things[id]
	if t == nil || t.ended {
		return false
	}
	out := p.outermost(id)
	return out.lorry == nil && out.quarrel == nil && !out.ended && out.holder == org
}

func (p *paperLedger) heap(lot string) map[int]int64 {
	if p.heaps[lot] == nil {
		p.heaps[lot] = map[int]int64{}
	}
	return p.heaps[lot]
}

// put and take move what is available.
func (p *paperLedger) put(lot string, org int, kilos int64) {
	p.heap(lot)[org] += kilos
	if p.ever[lot] == nil {
		p.ever[lot] = map[int]bool{}
	}
	p.ever[lot][org] = true
}

func (p *paperLedger) take(lot string, org int, kilos int64) { p.put(lot, org, -kilos) }

func (p *paperLedger) apart(lot string) map[int]int64 {
	if p.held[lot] == nil {
		p.held[lot] = map[int]int64{}
	}
	return p.held[lot]
}

// takeHeld takes what is set apart first.
func (p *paperLedger) takeHeld(lot string, org int, kilos int64) {
	part := min(p.apart(lot)[org], kilos)
	if kilos > part || p.apart(lot)[org] == 0 {
		p.take(lot, org, kilos-part)
	}
	p.apart(lot)[org] -= part
}

// open empties a box into the hands of its outermost holder.
func (p *paperLedger) open(box string) {
	holder := p.outermost(box).holder
	for id, t := range p.things {
		if t.in == box {
			t.in, t.holder = "", holder
			_ = id
		}
	}
	for lot, kilos := range p.boxed[box] {
		p.put(lot, holder, kilos)
	}
	delete(p.boxed, box)
}

// passOn gives everything in a box to a new owner, however deep.
func (p *paperLedger) passOn(box string, owner int) {
	for id, t := range p.things {
		if t.in == box {
			t.owner = owner
			p.passOn(id, owner)
		}
	}
}

func (p *paperLedger) descends(lot, from string) bool {
	if lot == from {
		return true
	}
	return slices.ContainsFunc(p.madeOf[lot], func(in string) bool { return p.descends(in, from) })
}

// step is one act: what the clerk thinks of it, and the event that says it.
type step struct {
	org     int
	event   *epcis.Event
	payload Payload // if it is not an event
	legal   bool
	do      func()   // what the clerk writes down if it is legal
	claim   *quarrel // a dispute, which is named by its transaction
}

func (m *modelRun) anyItem() string {
	return modelItem(m.org(), m.number("item", 1, 3))
}

func (m *modelRun) anyBox() string { return modelBox(m.org(), m.number("box", 1, 2)) }

func (m *modelRun) anyThing() string {
	if m.yes("a box") {
		return m.anyBox()
	}
	return m.anyItem()
}

func (m *modelRun) anyLot() string { return modelLot(m.org(), m.number("lot", 1, 2)) }

func (m *modelRun) kilos() int64 { return int64(m.number("kilos", 0, 12)) }

func kilosOf(lot string, kilos int64) []epcis.Quantity {
	d, err := epcis.NewDecimal(kilos, 0)
	if err != nil {
		panic(err)
	}
	return []epcis.Quantity{{Class: lot, Quantity: &d, UOM: "KGM"}}
}

func (m *modelRun) event(typ epcis.EventType, action epcis.Action, bizStep string) *epcis.Event {
	m.n++
	return &epcis.Event{
		Type: typ, Action: action, BizStep: bizStep, EventID: fmt.Sprintf("urn:uuid:model-%d", m.n),
		EventTime: epcis.NewTimestamp(m.net.timeMs + 60_000), TimeZoneOffset: "+00:00",
	}
}

func partyOf(org int) string { return fmt.Sprintf("urn:epc:id:pgln:952132%d.00000", org) }

func (m *modelRun) commission() step {
	org, id := m.org(), m.anyThing()
	e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
	e.EPCs = []string{id}
	t := m.paper.things[id]
	if t != nil { // its maker may state its birth, once
		return step{org: org, event: e, legal: t.unsaid && !t.ended && t.maker == org, do: func() { t.unsaid = false }}
	}
	return step{org: org, event: e, legal: ownerOfName(id) == org, do: func() {
		m.paper.things[id] = &thingModel{holder: org, owner: org, maker: org}
	}}
}

func (m *modelRun) produce() step {
	org, lot, kilos := m.org(), m.anyLot(), m.kilos()
	e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
	e.Quantities = kilosOf(lot, kilos)
	if m.certificate != "" {
		e.CertificationInfo = []string{fmt.Sprint(m.certificate, org)}
	}
	return step{org: org, event: e, legal: ownerOfName(lot) == org, do: func() {
		m.paper.born[lot] = true
		m.paper.put(lot, org, kilos)
		m.paper.total[lot] += kilos
	}}
}

func (m *modelRun) destroy() step {
	org := m.org()
	e := m.event(epcis.ObjectEvent, "DELETE", "decommissioning")
	if m.yes("a heap") {
		lot, kilos := m.anyLot(), m.kilos()
		e.Quantities = kilosOf(lot, kilos)
		return step{org: org, event: e, legal: m.paper.born[lot] && m.paper.heap(lot)[org]+m.paper.apart(lot)[org] >= kilos, do: func() {
			m.paper.takeHeld(lot, org, kilos)
			m.paper.total[lot] -= kilos
		}}
	}
	id := m.anyThing()
	e.EPCs = []string{id}
	legal := (m.paper.ready(org, id) || m.paper.rejectedBy(org, id)) && m.paper.things[id].in == ""
	return step{org: org, event: e, legal: legal, do: func() {
		m.paper.open(id)
		m.paper.things[id].ended, m.paper.things[id].quarrel = true, nil
	}}
}

func (m *modelRun) pack() step {
	org, box := m.org(), m.anyBox()
	e := m.event(epcis.AggregationEvent, "ADD", "packing")
	e.ParentID = box
	var children []string
	for range m.number("children", 0, 2) {
		if c := m.anyThing(); !slices.Contains(children, c) {
			children = append(children, c)
		}
	}
	e.ChildEPCs = children
	lot, kilos := m.anyLot(), m.kilos()
	if len(children) == 0 || kilos > 6 {
		e.ChildQuantities = kilosOf(lot, kilos)
	} else {
		lot = ""
	}
	p := m.paper
	legal := p.things[box] != nil && p.ready(org, box) || p.things[box] == nil && ownerOfName(box) == org
	above := map[string]bool{box: true}
	if p.things[box] != nil {
		for at := box; at != ""; at = p.things[at].in {
			above[at] = true
		}
	}
	for _, c := range children {
		if above[c] {
			legal = false // into itself
			continue
		}
		if t := p.things[c]; t != nil && t.in == box {
			continue // it is there
		}
		legal = legal && p.ready(org, c) && p.things[c].in == ""
	}
	if lot != "" {
		legal = legal && p.born[lot] && p.heap(lot)[org] >= kilos
	}
	return step{org: org, event: e, legal: legal, do: func() {
		if p.things[box] == nil {
			p.things[box] = &thingModel{holder: org, owner: org, maker: org, unsaid: true}
		}
		for _, c := range children {
			p.things[c].in = box
		}
		if lot != "" {
			p.take(lot, org, kilos)
			if p.boxed[box] == nil {
				p.boxed[box] = map[string]int64{}
			}
			p.boxed[box][lot] += kilos
		}
	}}
}

func (m *modelRun) unpack() step {
	org, box := m.org(), m.anyBox()
	e := m.event(epcis.AggregationEvent, "DELETE", "unpacking")
	e.ParentID = box
	return step{org: org, event: e, legal: m.paper.ready(org, box), do: func() { m.paper.open(box) }}
}

func (m *modelRun) ship() step {
	org, to := m.org(), m.org()
	e := m.event(epcis.ObjectEvent, "OBSERVE", "shipping")
	sells := m.yes("sells")
	role, owner := "possessing_party", -1
	if sells {
		role, owner = "owning_party", to
	}
	e.Destinations = []epcis.TypedRef{{Type: role, ID: partyOf(to)}}
	p := m.paper
	if m.yes("a heap") {
		lot, kilos := m.anyLot(), m.kilos()
		e.Quantities = kilosOf(lot, kilos)
		if m.number("sent back", 0, 3) == 0 {
			e.Disposition = "returned"
			return step{org: org, event: e, legal: p.born[lot] && p.heap(lot)[org]+p.apart(lot)[org] >= kilos, do: func() {
				p.takeHeld(lot, org, kilos)
				m.load(e, org, to, owner, lot, kilos)
			}}
		}
		return step{org: org, event: e, legal: p.born[lot] && p.heap(lot)[org] >= kilos, do: func() {
			p.take(lot, org, kilos)
			m.load(e, org, to, owner, lot, kilos)
		}}
	}
	id := m.anyThing()
	e.EPCs = []string{id}
	legal := p.ready(org, id) && p.things[id].in == ""
	if p.rejectedBy(org, id) && p.things[id].in == "" && p.things[id].quarrel.load.from == to {
		legal = true // back to where it came from
	}
	if legal && sells && p.things[id].owner != to && p.things[id].owner != org {
		legal = false
	}
	return step{org: org, event: e, legal: legal, do: func() {
		p.things[id].lorry, p.things[id].quarrel = m.load(e, org, to, owner, "", 1), nil
	}}
}

// load sends goods on their way: kilos of a heap, or a thing.
func (m *modelRun) load(e *epcis.Event, from, to, owner int, lot string, n int64) *lorryLoad {
	p := m.paper
	l := &lorryLoad{id: e.Hash(), height: m.net.height + 1, from: from, to: to, owner: owner, shipped: map[string]int64{lot: n}, accepted: map[string]int64{},
		short: map[string]int64{}, bad: map[string]int64{}, back: map[string]int64{}}
	p.sent = append(p.sent, l)
	if lot == "" {
		l.underWay = 1
	} else {
		p.lorries = append(p.lorries, &heapLoad{lorryLoad: l, heap: lot, kilos: n})
	}
	return l
}

func (m *modelRun) receive() step {
	org := m.org()
	e := m.event(epcis.ObjectEvent, "OBSERVE", "receiving")
	p := m.paper
	if m.yes("a heap") {
		lot, kilos := m.anyLot(), m.kilos()
		e.Quantities = kilosOf(lot, kilos)
		mine := func(l *heapLoad) bool { return l.to == org }
		first := -1 // who is said to have shipped it
		if m.number("a source", 0, 2) == 0 {
			first = m.org()
			e.Sources = []epcis.TypedRef{{Type: "possessing_party", ID: partyOf(first)}}
		}
		coming, any := p.coming(lot, mine)
		if !any {
			return step{org: org, event: e, legal: p.born[lot] && p.heap(lot)[org] > 0, do: func() {}}
		}
		return step{org: org, event: e, legal: coming >= kilos, do: func() {
			p.unload(lot, org, kilos, mine, first, func(l *heapLoad, part int64) { l.accepted[lot] += part })
		}}
	}
	id := m.anyThing()
	e.EPCs = []string{id}
	t := p.things[id]
	if t == nil || t.ended {
		return step{org: org, event: e, legal: false}
	}
	out := p.outermost(id)
	switch {
	case out.ended || out.quarrel != nil && out.quarrel.short():
		return step{org: org, event: e, legal: false}
	case out.lorry == nil:
		return step{org: org, event: e, legal: out.holder == org, do: func() {}}
	}
	return step{org: org, event: e, legal: out.lorry.to == org && t.in == "", do: func() {
		t.lorry.underWay--
		t.lorry.accepted[""]++
		p.accept(id, org)
	}}
}

// accept makes a thing the receiver's, and its new owner's.
func (p *paperLedger) accept(id string, org int) {
	t := p.things[id]
	if t.lorry.owner >= 0 && t.owner != t.lorry.owner {
		t.owner = t.lorry.owner
		p.passOn(id, t.owner)
	}
	t.holder, t.lorry = org, nil
}

func (m *modelRun) void() step {
	org := m.org()
	e := m.event(epcis.ObjectEvent, "OBSERVE", "void_shipping")
	p := m.paper
	if m.yes("a heap") {
		lot, kilos := m.anyLot(), m.kilos()
		e.Quantities = kilosOf(lot, kilos)
		mine := func(l *heapLoad) bool { return l.from == org }
		coming, any := p.coming(lot, mine)
		return step{org: org, event: e, legal: any && coming >= kilos, do: func() {
			var home []*lorryLoad
			p.unload(lot, org, kilos, mine, -1, func(l *heapLoad, part int64) {
				l.back[lot] += part
				home = append(home, l.lorryLoad)
			})
			for _, l := range home {
				l.void = p.empty(l) && l.open == 0
			}
		}}
	}
	id := m.anyThing()
	e.EPCs = []string{id}
	t := p.things[id]
	return step{org: org, event: e, legal: t != nil && t.lorry != nil && t.lorry.from == org, do: func() {
		l := t.lorry
		t.lorry = nil
		l.underWay--
		l.back[""]++
		l.void = p.empty(l) && l.open == 0
	}}
}

// empty reports whether nothing of a shipment is under way.
func (p *paperLedger) empty(l *lorryLoad) bool {
	return l.underWay == 0 && !slices.ContainsFunc(p.lorries, func(h *heapLoad) bool { return h.lorryLoad == l })
}

func (p *paperLedger) coming(lot string, match func(*heapLoad) bool) (kilos int64, any bool) {
	for _, l := range p.lorries {
		if l.heap == lot && match(l) {
			kilos, any = kilos+l.kilos, true
		}
	}
	return kilos, any
}

// unload takes kilos off the matching lorries and sends empty ones home. Of one shipper to one receiver the first that stands
// in the yard, of several the one that left first; in one minute, that of the lower address. Those of one shipper may come first of all.
func (p *paperLedger) unload(lot string, org int, kilos int64, match func(*heapLoad) bool, first int, note func(*heapLoad, int64)) {
	heads := map[[2]int][]*heapLoad{}
	for _, l := range p.lorries {
		if l.heap == lot && match(l) {
			way := [2]int{l.from, l.to}
			heads[way] = append(heads[way], l)
		}
	}
	home := map[*heapLoad]bool{}
	for any := false; !any || kilos > 0; any = true {
		var next *heapLoad
		for _, row := range heads {
			if len(row) > 0 && (next == nil || row[0].before(next, first)) {
				next = row[0]
			}
		}
		if next == nil {
			break
		}
		way := [2]int{next.from, next.to}
		heads[way] = heads[way][1:]
		part := min(kilos, next.kilos)
		next.kilos -= part
		kilos -= part
		p.put(lot, org, part)
		note(next, part)
		home[next] = next.kilos == 0
	}
	p.lorries = slices.DeleteFunc(p.lorries, func(l *heapLoad) bool { return home[l] })
}

// before orders the heads of two rows of which the shipper or the receiver is the same.
func (l *heapLoad) before(o *heapLoad, first int) bool {
	if (l.from == first) != (o.from == first) {
		return l.from == first
	}
	if l.height != o.height {
		return l.height < o.height
	}
	a, b := modelAddresses[l.from], modelAddresses[o.from]
	if a == b {
		a, b = modelAddresses[l.to], modelAddresses[o.to]
	}
	return compareAddresses(a, b) < 0
}

func (m *modelRun) transform() step {
	org, in, out := m.org(), m.anyLot(), m.anyLot()
	kilos, made := m.kilos(), m.kilos()
	e := m.event(epcis.TransformationEvent, "", "commissioning")
	e.InputQuantities, e.OutputQuantities = kilosOf(in, kilos), kilosOf(out, made)
	p := m.paper
	legal := p.born[in] && p.heap(in)[org] >= kilos && ownerOfName(out) == org && !p.descends(in, out)
	return step{org: org, event: e, legal: legal, do: func() {
		p.born[out] = true
		p.take(in, org, kilos)
		p.total[in] -= kilos
		p.put(out, org, made)
		p.total[out] += made
		p.madeOf[out] = append(p.madeOf[out], in)
	}}
}
