package ledger

import (
	"slices"

	"waybill/crypto"
	"waybill/epcis"
)

// What the clerk of the model writes down about stock that is set apart, counts and disputes.

// quarrel is one dispute.
type quarrel struct {
	id     crypto.Hash
	load   *lorryLoad
	lines  []*quarrelLine
	fromMs int64 // from when a regulator may decide
}

type quarrelLine struct {
	kind    DisputeKind
	load    *lorryLoad
	thing   string // what it is about, if it is a thing
	lot     string // if it is a heap
	taken   int64  // kilos
	claimed int64  // kilos stated, of what arrived instead
	found   string
	outcome Outcome
}

// short reports whether the goods did not arrive.
func (q *quarrelLine) short() bool {
	return q.kind == Shortage || q.kind == WrongLot || q.kind == WrongProduct
}

func (q *quarrelLine) isOpen() bool { return q.outcome == 0 || q.outcome == Declined && q.short() }

// tally is where the arithmetic of the shipment counts it.
func (q *quarrelLine) tally() map[string]int64 {
	if q.short() {
		return q.load.short
	}
	return q.load.bad
}

// rejectedBy reports whether a thing was rejected by an organisation that holds it.
func (p *paperLedger) rejectedBy(org int, id string) bool {
	t := p.things[id]
	if t == nil || t.ended {
		return false
	}
	out := p.outermost(id)
	return out.quarrel != nil && !out.quarrel.short() && out.holder == org
}

func (m *modelRun) setAside() step {
	org, lot, kilos := m.org(), m.anyLot(), m.kilos()
	e := m.event(epcis.ObjectEvent, "OBSERVE", "holding")
	e.Quantities = kilosOf(lot, kilos)
	p := m.paper
	if m.number("all of it", 0, 3) == 0 {
		e.Quantities = []epcis.Quantity{{Class: lot}}
		return step{org: org, event: e, legal: p.born[lot] && p.heap(lot)[org] > 0, do: func() {
			p.apart(lot)[org] += p.heap(lot)[org]
			p.heap(lot)[org] = 0
		}}
	}
	return step{org: org, event: e, legal: p.born[lot] && p.heap(lot)[org] >= kilos, do: func() {
		p.take(lot, org, kilos)
		p.apart(lot)[org] += kilos
	}}
}

func (m *modelRun) stock() step {
	org, lot, kilos := m.org(), m.anyLot(), m.kilos()
	e := m.event(epcis.ObjectEvent, "OBSERVE", m.pick("step", "stocking", "storing"))
	e.Quantities = kilosOf(lot, kilos)
	p := m.paper
	if m.number("all of it", 0, 3) == 0 {
		e.Quantities = []epcis.Quantity{{Class: lot}}
		kilos = p.apart(lot)[org]
	}
	return step{org: org, event: e, legal: p.born[lot], do: func() {
		if part := min(p.apart(lot)[org], kilos); part > 0 {
			p.apart(lot)[org] -= part
			p.put(lot, org, part)
		}
	}}
}

func (m *modelRun) count() step {
	org, lot, kilos := m.org(), m.anyLot(), m.kilos()
	e := m.event(epcis.ObjectEvent, "OBSERVE", m.pick("step", "cycle_counting", "stock_taking"))
	e.Quantities = kilosOf(lot, kilos)
	p := m.paper
	more := kilos - p.heap(lot)[org]
	own := ownerOfName(lot) == org
	return step{org: org, event: e, legal: p.born[lot] && (more <= 0 || own || !p.ever[lot][org]), do: func() {
		if more > 0 && !own {
			return // somebody looked at the goods of others
		}
		if more != 0 {
			p.put(lot, org, more)
			p.total[lot] += more
		}
	}}
}

// anyShipment is one of the last shipments; nil if there was none.
func (m *modelRun) anyShipment() *lorryLoad {
	n := len(m.paper.sent)
	if n == 0 {
		return nil
	}
	return m.paper.sent[n-1-m.number("shipment", 0, min(n, 8)-1)]
}

func (m *modelRun) dispute() step {
	p, load := m.paper, m.anyShipment()
	if load == nil {
		return step{org: m.org(), payload: &Dispute{Shipment: crypto.Hash{1}, Lines: []DisputeLine{{Kind: DataMissing}}}}
	}
	org := load.to
	if m.number("stranger", 0, 7) == 0 {
		org = m.org()
	}
	d := &Dispute{Shipment: load.id}
	claim := &quarrel{load: load, fromMs: m.net.timeMs + 60_000 + modelSettleMs}
	legal := org == load.to && !load.void && load.claims < maxDisputes
	kind := DisputeKind(m.number("kind", 1, 6))
	line, ok, do := m.disputeLine(load, kind)
	d.Lines, legal = append(d.Lines, line.payload), legal && ok
	claim.lines = append(claim.lines, line.quarrelLine)
	if m.number("another line", 0, 3) == 0 { // of a kind that takes nothing
		further, ok, _ := m.disputeLine(load, []DisputeKind{Overage, DataMissing}[m.number("kind", 0, 1)])
		d.Lines, legal = append(d.Lines, further.payload), legal && ok
		claim.lines = append(claim.lines, further.quarrelLine)
	}
	return step{org: org, payload: d, legal: legal, claim: claim, do: func() {
		do()
		load.claims++
		load.open += len(claim.lines)
		p.claims = append(p.claims, claim)
	}}
}

// modelLine is a line of a dispute, as stated and as written down.
type modelLine struct {
	*quarrelLine
	payload DisputeLine
}

// disputeLine draws a line, and says whether it is legal and what the clerk does then.
func (m *modelRun) disputeLine(load *lorryLoad, kind DisputeKind) (l modelLine, legal bool, do func()) {
	p := m.paper
	l = modelLine{&quarrelLine{kind: kind, load: load}, DisputeLine{Kind: kind}}
	if kind == WrongLot || kind == WrongProduct {
		l.found = m.anyLot()
		if m.yes("a thing arrived instead") {
			l.found = m.anyThing()
		}
		l.payload.Found = l.found
	}
	switch {
	case kind == DataMissing:
		return l, true, func() {}
	case kind == Overage:
		l.found, l.claimed = m.anyThing(), 0
		legal = true
		if m.yes("a heap") {
			l.found, l.claimed, l.payload.Unit = m.anyLot(), m.kilos(), "KGM"
			l.payload.Amount = amountOfKilos(l.claimed)
			legal = l.claimed > 0 || !p.born[l.found]
		}
		l.payload.ID = l.found
		return l, legal, func() {}
	}
	for lot := range m.lotsOf(load) {
		if m.number("another lot", 0, 7) == 0 {
			lot = m.anyLot()
		}
		return m.disputeHeap(l, lot)
	}
	if m.number("something in a box", 0, 3) == 0 {
		return m.disputePacked(l)
	}
	l.thing = m.thingOf(load)
	l.payload.ID = l.thing
	t := p.things[l.thing]
	legal = t != nil && !t.ended && p.outermost(l.thing).lorry == load
	return l, legal, func() {
		if t.in == "" {
			load.underWay--
		} else {
			t.holder, t.in = load.from, ""
			load.shipped[""]++
		}
		l.tally()[""]++
		t.lorry, t.quarrel = nil, l.quarrelLine
		if !l.short() {
			t.holder = load.to
		}
	}
}

// lotsOf lists the lots of which something of a shipment is loose and under way, one of them at most.
func (m *modelRun) lotsOf(load *lorryLoad) map[string]bool {
	for _, h := range m.paper.lorries {
		if h.lorryLoad == load {
			return map[string]bool{h.heap: true}
		}
	}
	return nil
}

// thingOf finds something on a lorry, or names anything.
func (m *modelRun) thingOf(load *lorryLoad) string {
	for range 6 {
		id := m.anyThing()
		if t := m.paper.things[id]; t != nil && m.paper.outermost(id).lorry == load {
			return id
		}
	}
	return m.anyThing()
}

func (m *modelRun) disputeHeap(l modelLine, lot string) (modelLine, bool, func()) {
	p := m.paper
	l.lot, l.taken = lot, m.kilos()
	l.payload.ID, l.payload.Unit, l.payload.Amount = lot, "KGM", amountOfKilos(l.taken)
	at := slices.IndexFunc(p.lorries, func(h *heapLoad) bool { return h.lorryLoad == l.load && h.heap == lot })
	if at < 0 {
		return l, false, nil
	}
	h := p.lorries[at]
	if l.taken == 0 {
		l.taken = h.kilos
	}
	l.claimed = l.taken
	return l, l.taken <= h.kilos, func() {
		if h.kilos -= l.taken; h.kilos == 0 {
			p.lorries = slices.Delete(p.lorries, at, at+1)
		}
		p.dispose(l.quarrelLine)
	}
}

// disputePacked disputes a heap in a box.
func (m *modelRun) disputePacked(l modelLine) (modelLine, bool, func()) {
	p := m.paper
	box, lot := m.thingOf(l.load), m.anyLot()
	lot = m.packedLot(box, lot)
	l.lot, l.taken = lot, m.kilos()
	l.payload.ID, l.payload.In, l.payload.Unit, l.payload.Amount = lot, box, "KGM", amountOfKilos(l.taken)
	kilos, packed := p.boxed[box][lot]
	t := p.things[box]
	if !packed || t == nil || p.outermost(box).lorry != l.load {
		return l, false, nil
	}
	if l.taken == 0 {
		l.taken = kilos
	}
	l.claimed = l.taken
	return l, l.taken <= kilos, func() {
		if p.boxed[box][lot] -= l.taken; p.boxed[box][lot] == 0 {
			delete(p.boxed[box], lot)
		}
		l.load.shipped[lot] += l.taken
		p.dispose(l.quarrelLine)
	}
}

// packedLot is the first lot in a box by name, or the one given.
func (m *modelRun) packedLot(box, lot string) string {
	names := sortedKeys(m.paper.boxed[box])
	if len(names) == 0 {
		return lot
	}
	return names[0]
}

// dispose writes down that a disputed heap is nobody's until the line ends.
func (p *paperLedger) dispose(l *quarrelLine) { l.tally()[l.lot] += l.taken }

func amountOfKilos(kilos int64) Amount {
	d, err := epcis.NewDecimal(kilos, 0)
	if err != nil {
		panic(err)
	}
	return AmountOf(d)
}

func (m *modelRun) resolve() step {
	p := m.paper
	if len(p.claims) == 0 {
		return step{org: m.org(), payload: &Resolve{Dispute: crypto.Hash{1}, Lines: []Resolution{{Outcome: Withdrawn}}}}
	}
	claim := p.claims[len(p.claims)-1-m.number("dispute", 0, min(len(p.claims), 6)-1)]
	n := m.number("line", 0, len(claim.lines)) // one of them is none
	o := Outcome(m.number("outcome", 1, 10))
	var line *quarrelLine
	if n < len(claim.lines) {
		line = claim.lines[n]
		if fits := outcomesOf[line.kind]; m.number("any outcome", 0, 3) > 0 {
			o = fits[m.number("fitting outcome", 0, len(fits)-1)]
		}
	}
	receivers := o == Delivered || o == Kept || o == Destroyed || o == Withdrawn
	org := claim.load.from
	if receivers {
		org = claim.load.to
	}
	if m.number("stranger", 0, 5) == 0 {
		org = m.org()
	}
	r := &Resolve{Dispute: claim.id, Lines: []Resolution{{Line: uint16(n), Outcome: o}}}
	decides := org == 0 && m.net.timeMs+60_000 >= claim.fromMs // the first organisation is the regulator, too
	legal := line != nil && slices.Contains(outcomesOf[line.kind], o) && o != line.outcome &&
		(line.isOpen() || line.outcome == Declined && decides) &&
		(decides || receivers && org == claim.load.to || !receivers && org == claim.load.from) &&
		(o != Agreed || p.canAgree(line))
	return step{org: org, payload: r, legal: legal, do: func() {
		was := line.isOpen()
		p.settle(line, o)
		line.outcome = o
		if was && !line.isOpen() {
			line.load.open--
		}
	}}
}

// outcomesOf is how a line of each kind may end.
var outcomesOf = map[DisputeKind][]Outcome{
	Shortage: {Credited, Lost, Delivered, Withdrawn}, Overage: {Agreed, Declined, Withdrawn}, Damage: {Returned, Kept, Destroyed, Withdrawn},
	WrongLot:     {Credited, Lost, Delivered, Withdrawn, Agreed, Declined},
	WrongProduct: {Credited, Lost, Delivered, Withdrawn, Agreed, Declined}, DataMissing: {Supplied, Declined, Withdrawn},
}

// canAgree reports whether the shipper has what arrived instead, once it has back what did not arrive.
func (p *paperLedger) canAgree(l *quarrelLine) bool {
	if t := p.things[l.found]; t != nil && !l.statesHeap() {
		if t.ended {
			return false
		}
		out := p.outermost(l.found)
		return out.quarrel == l && l.thing != "" || !out.ended && out.lorry == nil && out.quarrel == nil && out.holder == l.load.from
	}
	if !p.born[l.found] {
		return false
	}
	has := p.heap(l.found)[l.load.from]
	if l.found == l.lot {
		has += l.taken
	}
	return has >= l.claimed
}

// statesHeap reports whether the line states kilos: then what arrived instead is a heap.
func (l *quarrelLine) statesHeap() bool { return l.lot != "" || l.claimed > 0 }

// settle writes down how a line ends.
func (p *paperLedger) settle(l *quarrelLine, o Outcome) {
	switch {
	case o == Declined || o == Supplied || l.kind == DataMissing:
		return
	case l.thing != "":
		p.settleThing(l, o)
	case l.lot != "":
		p.settleHeap(l, o)
	}
	if o == Agreed {
		p.handOver(l)
	}
}

func (p *paperLedger) settleThing(l *quarrelLine, o Outcome) {
	t := p.things[l.thing]
	if o == Withdrawn {
		l.tally()[""]--
	}
	if t.quarrel != l { // sent back or destroyed since
		if o == Withdrawn {
			l.load.accepted[""]++
		}
		return
	}
	t.quarrel = nil
	switch o {
	case Credited, Agreed, Returned:
		t.holder = l.load.from
	case Delivered, Kept:
		t.lorry = l.load
		p.accept(l.thing, l.load.to)
	case Lost, Destroyed:
		t.ended, t.gone = true, true
		p.writeOff(l.thing)
	case Withdrawn:
		t.holder, t.lorry = l.load.from, l.load
		l.load.underWay++
	}
}

// writeOff counts what is in a box that ended as it was.
func (p *paperLedger) writeOff(box string) {
	for lot, kilos := range p.boxed[box] {
		p.gone[lot] += kilos
		p.total[lot] -= kilos
	}
	for id, t := range p.things {
		if t.in == box {
			p.writeOff(id)
		}
	}
}

func (p *paperLedger) settleHeap(l *quarrelLine, o Outcome) {
	from, to, kilos := l.load.from, l.load.to, l.taken
	switch o {
	case Credited, Agreed, Returned:
		p.put(l.lot, from, kilos)
	case Delivered, Kept:
		p.put(l.lot, to, kilos)
	case Lost, Destroyed:
		p.total[l.lot] -= kilos
	case Withdrawn:
		l.tally()[l.lot] -= l.taken
		p.reload(l.load, l.lot, kilos)
	}
}

// reload puts a heap on its lorry again, behind the others if it was empty.
func (p *paperLedger) reload(load *lorryLoad, lot string, kilos int64) {
	if kilos == 0 {
		return
	}
	for _, h := range p.lorries {
		if h.lorryLoad == load && h.heap == lot {
			h.kilos += kilos
			return
		}
	}
	p.lorries = append(p.lorries, &heapLoad{lorryLoad: load, heap: lot, kilos: kilos})
}

// handOver gives the receiver what arrived instead.
func (p *paperLedger) handOver(l *quarrelLine) {
	from, to := l.load.from, l.load.to
	t := p.things[l.found]
	if t == nil || l.statesHeap() {
		p.take(l.found, from, l.claimed)
		p.put(l.found, to, l.claimed)
		l.load.shipped[l.found] += l.claimed
		l.load.accepted[l.found] += l.claimed
		return
	}
	t.in, t.holder = "", to
	if l.load.owner >= 0 && t.owner == from && t.owner != l.load.owner {
		t.owner = l.load.owner
		p.passOn(l.found, t.owner)
	}
	l.load.shipped[""]++
	l.load.accepted[""]++
}
