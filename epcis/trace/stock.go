package trace

import (
	"slices"

	"waybill/epcis"
)

// flow is what an event does to a stock.
type flow uint8

const (
	flowNone flow = iota
	flowProduced
	flowReceived
	flowConsumed
	flowShipped
	flowVoided
	flowSold
	flowDestroyed
	flowCounted
	flowHeld
	flowFreed
)

func (f flow) String() string {
	return [...]string{"none", "produced", "received", "consumed", "shipped", "voided", "sold", "destroyed", "counted", "held", "freed"}[f]
}

// flowOf reads the business step as the ledger does: departing is a hand-off only if it says to whom.
func flowOf(e *epcis.Event) flow {
	if e.Type == epcis.TransformationEvent || e.Type == epcis.AssociationEvent {
		return flowNone
	}
	sells := slices.Contains(sellingSteps, e.BizStep) || slices.Contains(soldStates, e.Disposition)
	object := e.Type == epcis.ObjectEvent
	switch {
	case sells:
		return flowSold
	case object && e.Action == epcis.ActionDelete, object && e.BizStep == "destroying":
		return flowDestroyed
	case e.Action == epcis.ActionDelete:
		return flowNone
	}
	switch e.BizStep {
	case "shipping":
		return flowShipped
	case "departing":
		if slices.ContainsFunc(e.Destinations, func(d epcis.TypedRef) bool { return d.Type == "possessing_party" || d.Type == "owning_party" }) {
			return flowShipped
		}
	case "receiving", "accepting":
		return flowReceived
	case "void_shipping":
		return flowVoided
	case "cycle_counting", "stock_taking":
		if object && e.Action == epcis.ActionObserve {
			return flowCounted
		}
	case "holding":
		return flowHeld
	case "storing", "stocking":
		return flowFreed
	}
	return flowNone
}

// flows are exact sums of one line, all in its unit.
type flows map[flow]epcis.Decimal

// line is the account of some goods in one unit.
type line struct {
	opening, stock epcis.Decimal
	apart          epcis.Decimal // of the stock: packed or on hold
	sums           flows
	settled        epcis.Decimal
	unexplained    epcis.Decimal
	counted        epcis.Decimal
	counts         int
	unmeasured     []Unmeasured
}

// load is what is packed directly in a container.
type load struct {
	items   []string
	amounts map[lineKey]epcis.Decimal
}

// stocks adds up events.
type stocks struct {
	*history
	request BalanceRequest
	wanted  map[string]bool   // keys of the goods
	lotOf   map[string]string // serial → goods
	inside  map[string]*load  // container → what is in it
	within  map[string]string // thing → its container
	lines   map[account]*line
	born    map[string]bool // serials that came into being
	gone    map[string]bool // serials that ended
}

// basket is what an event says of the goods on one side.
type basket struct {
	loose, packed map[lineKey]epcis.Decimal
	unstated      []lineKey
	serials       []string
}

func (s *stocks) apply(e *entry) {
	chosen := s.selects(e)
	switch e.event.Type {
	case epcis.TransformationEvent:
		s.move(e, chosen, flowConsumed, s.basket(e, false, partInput))
		s.move(e, chosen, flowProduced, s.basket(e, false, partOutput))
		s.end(e, chosen, partInput)
		return
	case epcis.AggregationEvent:
		s.repack(e, chosen)
	case epcis.ObjectEvent:
		if e.event.Action == epcis.ActionAdd {
			s.move(e, chosen, flowProduced, s.basket(e, false, partEPC))
		}
	}
	f := flowOf(e.event)
	if f == flowNone {
		return
	}
	s.move(e, chosen, f, s.basket(e, f != flowDestroyed, partEPC|partParent|partChild))
	if f == flowDestroyed {
		s.end(e, chosen, partEPC)
	}
}

// basket collects what an event names of the goods in some parts, with what is in the containers that it names.
func (s *stocks) basket(e *entry, open bool, parts part) *basket {
	b := &basket{loose: map[lineKey]epcis.Decimal{}, packed: map[lineKey]epcis.Decimal{}}
	seen := map[string]bool{}
	var things []string
	for i := range e.mentions {
		m := &e.mentions[i]
		switch {
		case m.part&parts == 0 || e.idle(m.key):
		case !s.wanted[m.key]:
			things = append(things, m.key)
		case m.quantity == nil:
			b.unstated = append(b.unstated, lineKey{goods: m.key})
		default:
			q := base(epcis.Measure{Amount: *m.quantity, UOM: m.uom})
			if !addTo(b.loose, lineKey{m.key, q.UOM, false}, q.Amount) {
				b.unstated = append(b.unstated, lineKey{goods: m.key, uom: q.UOM})
			}
		}
	}
	for i := 0; i < len(things); i++ {
		thing := things[i]
		if seen[thing] {
			continue
		}
		seen[thing] = true
		if _, ours := s.lotOf[thing]; ours {
			b.serials = append(b.serials, thing)
		}
		if in := s.inside[thing]; in != nil && open {
			things = append(things, in.items...)
			for k, a := range in.amounts {
				addTo(b.packed, k, a)
			}
		}
	}
	for k, packed := range b.packed {
		if named, both := b.loose[k]; both {
			rest, err := named.Sub(packed)
			if err != nil || rest.Sign() < 0 {
				rest = epcis.Decimal{}
			}
			b.loose[k] = rest
		}
	}
	return b
}

// idle reports whether the event moved nothing of a thing, by what the ledger says.
func (e *entry) idle(key string) bool {
	return slices.ContainsFunc(e.meta.Idle, func(id string) bool { return Key(id) == key })
}

// addTo adds to an entry of a map; false if the sum does not fit, and then the entry stays.
func addTo[K comparable](m map[K]epcis.Decimal, k K, d epcis.Decimal) bool {
	sum, err := m[k].Add(d)
	if err == nil {
		m[k] = sum
	}
	return err == nil
}

// move books what is in a basket.
func (s *stocks) move(e *entry, chosen bool, f flow, b *basket) {
	for _, id := range b.serials {
		if s.gone[id] || f == flowProduced && s.born[id] {
			continue // said before
		}
		s.born[id] = true
		s.gone[id] = f == flowConsumed || f == flowSold || f == flowDestroyed
		if chosen && f != flowCounted && f != flowHeld && f != flowFreed {
			s.book(e, lineKey{s.lotOf[id], "", true}, f, epcis.Decimal{Coefficient: 1})
		}
	}
	if !chosen {
		return
	}
	for _, k := range b.unstated {
		s.line(e, k).unknown(e, f)
	}
	for k, d := range b.loose {
		s.book(e, k, f, d)
	}
	if f == flowCounted || f == flowHeld || f == flowFreed {
		return // these are about loose stock
	}
	for k, d := range b.packed {
		s.book(e, k, f, d)
		apart := d
		if f != flowReceived && f != flowVoided {
			apart = d.Neg()
		}
		s.setApart(e, k, apart)
	}
}

// line is the account of who recorded the event.
func (s *stocks) line(e *entry, k lineKey) *line {
	l := s.lines[account{k, e.meta.Author}]
	if l == nil {
		l = &line{sums: flows{}}
		s.lines[account{k, e.meta.Author}] = l
	}
	return l
}

func (l *line) unknown(e *entry, f flow) {
	if len(l.unmeasured) < maxUnmeasured {
		l.unmeasured = append(l.unmeasured, Unmeasured{Event: e.ref, Flow: f.String()})
	}
}

func (s *stocks) setApart(e *entry, k lineKey, d epcis.Decimal) {
	l := s.line(e, k)
	sum, err := l.apart.Add(d)
	if err != nil {
		l.unknown(e, flowHeld)
		return
	}
	l.apart = sum
}

// book changes a line by one amount.
func (s *stocks) book(e *entry, k lineKey, f flow, d epcis.Decimal) {
	l := s.line(e, k)
	change := d
	switch f {
	case flowCounted:
		s.count(e, l, d)
		return
	case flowHeld:
		s.setApart(e, k, d)
		return
	case flowFreed:
		if d.Cmp(l.apart) < 0 {
			s.setApart(e, k, d.Neg())
		} else {
			l.apart = epcis.Decimal{}
		}
		return
	case flowConsumed, flowShipped, flowSold, flowDestroyed:
		change = d.Neg()
	}
	stock, err := l.stock.Add(change)
	if err != nil {
		l.unknown(e, f)
		return
	}
	l.stock = stock
	if e.ms < s.request.FromMs {
		l.opening = stock
		return
	}
	if f == flowVoided {
		f, d = flowShipped, d.Neg()
	}
	if !addTo(l.sums, f, d) {
		l.unknown(e, f)
	}
}

// count holds a count of loose stock against what was computed.
func (s *stocks) count(e *entry, l *line, found epcis.Decimal) {
	loose, err1 := l.stock.Sub(l.apart)
	diff, err2 := found.Sub(loose)
	stock, err3 := l.stock.Add(diff)
	if err1 != nil || err2 != nil || err3 != nil {
		l.unknown(e, flowCounted)
		return
	}
	l.stock = stock
	if e.ms < s.request.FromMs {
		l.opening = stock
		return
	}
	l.counts++
	l.counted = found
	if sum, err := l.unexplained.Add(diff); err == nil {
		l.unexplained = sum
	} else {
		l.unknown(e, flowCounted)
	}
}

// repack follows what goes into containers and comes out of them.
func (s *stocks) repack(e *entry, chosen bool) {
	for _, parent := range e.in(partParent) {
		switch {
		case e.event.Action == epcis.ActionAdd:
			s.pack(e, chosen, parent.key)
		case e.unpacksAll(parent.key):
			s.empty(e, chosen, parent.key)
		case e.event.Action == epcis.ActionDelete:
			s.unpack(e, chosen, parent.key)
		}
	}
}

func (s *stocks) pack(e *entry, chosen bool, parent string) {
	in := s.inside[parent]
	if in == nil {
		in = &load{amounts: map[lineKey]epcis.Decimal{}}
		s.inside[parent] = in
	}
	b := s.basket(e, false, partChild)
	for _, m := range e.in(partChild) {
		if s.wanted[m.key] || s.within[m.key] == parent || m.key == parent {
			continue
		}
		s.takeOut(m.key)
		s.within[m.key] = parent
		in.items = append(in.items, m.key)
	}
	for k, d := range b.loose {
		if addTo(in.amounts, k, d) && chosen {
			s.setApart(e, k, d)
		}
	}
}

// takeOut ends a thing's being in a container.
func (s *stocks) takeOut(id string) {
	if in := s.inside[s.within[id]]; in != nil {
		in.items = slices.DeleteFunc(in.items, func(x string) bool { return x == id })
	}
	delete(s.within, id)
}

func (s *stocks) unpack(e *entry, chosen bool, parent string) {
	in := s.inside[parent]
	for _, m := range e.in(partChild) {
		if s.within[m.key] == parent {
			s.takeOut(m.key)
		}
	}
	if in == nil {
		return
	}
	for k, d := range s.basket(e, false, partChild).loose {
		if d.Cmp(in.amounts[k]) > 0 {
			d = in.amounts[k]
		}
		if addTo(in.amounts, k, d.Neg()) && chosen {
			s.setApart(e, k, d.Neg())
		}
	}
}

// empty takes everything out of a container.
func (s *stocks) empty(e *entry, chosen bool, parent string) {
	in := s.inside[parent]
	if in == nil {
		return
	}
	for _, id := range in.items {
		delete(s.within, id)
	}
	if chosen {
		for k, d := range in.amounts {
			s.setApart(e, k, d.Neg())
		}
	}
	delete(s.inside, parent)
}

// end empties the containers that an event ends.
func (s *stocks) end(e *entry, chosen bool, p part) {
	for _, m := range e.in(p) {
		s.takeOut(m.key)
		s.empty(e, chosen, m.key)
	}
}

// addLine adds another line of the same unit; where a sum does not fit, the line says that it is not measured.
func (l *line) addLine(o *line) {
	if l.sums == nil {
		l.sums = flows{}
	}
	fits := true
	for _, p := range []struct{ to, from *epcis.Decimal }{
		{&l.opening, &o.opening}, {&l.stock, &o.stock}, {&l.unexplained, &o.unexplained}, {&l.settled, &o.settled}, {&l.counted, &o.counted},
	} {
		sum, err := p.to.Add(*p.from)
		fits = fits && err == nil
		*p.to = sum
	}
	for f, d := range o.sums {
		fits = addTo(l.sums, f, d) && fits
	}
	l.counts += o.counts
	l.unmeasured = append(l.unmeasured, o.unmeasured[:min(len(o.unmeasured), maxUnmeasured-len(l.unmeasured))]...)
	if !fits && len(l.unmeasured) < maxUnmeasured {
		l.unmeasured = append(l.unmeasured, Unmeasured{Flow: flowNone.String()})
	}
}

func (l *line) build(k lineKey, class string) BalanceLine {
	sum := func(f flow) string { return l.sums[f].String() }
	out := BalanceLine{
		Goods: k.goods, Class: class, UOM: k.uom, Serials: k.serials,
		Opening: l.opening.String(), Produced: sum(flowProduced), Received: sum(flowReceived), Consumed: sum(flowConsumed),
		Shipped: sum(flowShipped), Sold: sum(flowSold), Destroyed: sum(flowDestroyed), Unexplained: l.unexplained.String(), Settled: l.settled.String(),
		Closing: l.stock.String(), Counts: l.counts, Unmeasured: l.unmeasured,
	}
	if l.counts > 0 {
		out.Counted = l.counted.String()
	}
	return out
}
