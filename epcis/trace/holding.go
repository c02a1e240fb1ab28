package trace

import (
	"slices"

	"waybill/epcis"
	"waybill/epcis/unit"
)

// quantity is an amount in a unit; a nil amount is unknown.
type quantity struct {
	amount *epcis.Decimal
	uom    string
}

func toQuantity(d *epcis.Decimal, uom string) *quantity {
	if d == nil {
		return nil
	}
	return &quantity{d, uom}
}

// plus adds an amount; nil if one is unknown, or if their units do not measure the same.
func (q *quantity) plus(d *epcis.Decimal, uom string) *quantity {
	if q == nil || d == nil {
		return nil
	}
	sum, err := epcis.Measure{Amount: *q.amount, UOM: q.uom}.Add(epcis.Measure{Amount: *d, UOM: uom})
	if err != nil {
		return nil
	}
	return &quantity{&sum.Amount, sum.UOM}
}

// amountOf adds up what an event says of an item in some parts; nil if it says nothing, or not in units of one dimension.
func amountOf(e *entry, key string, parts part) *quantity {
	var sum *quantity
	for m := e.first(key, parts); m != nil; m = e.next(m, parts) {
		switch {
		case m.quantity == nil:
			return nil
		case sum == nil:
			sum = toQuantity(m.quantity, m.uom)
		default:
			if sum = sum.plus(m.quantity, m.uom); sum == nil {
				return nil
			}
		}
	}
	return sum
}

// change is what an event does to goods.
type change uint8

const (
	changeSeen change = iota // where they are
	changeBorn
	changePacked
	changeUnpacked
	changeShipped
	changeReceived
	changeConsumed
	changeSold
	changeDestroyed
)

// Business steps and dispositions by what they mean for goods (CBV 2.0, sections 7.1 and 7.2).
var (
	shippingSteps   = []string{"shipping", "departing", "transporting"}
	receivingSteps  = []string{"receiving", "arriving", "accepting", "void_shipping"}
	settledSteps    = []string{"installing", "storing", "stocking", "holding", "unpacking", "packing", "picking", "inspecting", "cycle_counting", "stock_taking"}
	sellingSteps    = []string{"retail_selling", "dispensing"}
	destroyingSteps = []string{"destroying", "decommissioning", "killing"}
	soldStates      = []string{"retail_sold", "dispensed"}
	destroyedStates = []string{"destroyed", "disposed"}
)

// changeOf says what the event that v stands for does to an item.
func changeOf(v *visit, key string) change {
	e := v.entry
	named := key
	if v.via != "" {
		named = v.via
	}
	parts, direct := e.parts(named), v.via == ""
	action, object := e.event.Action, e.event.Type == epcis.ObjectEvent
	switch {
	case parts&partInput != 0:
		return changeConsumed
	case parts&partOutput != 0:
		return changeBorn
	case e.step == changeSold:
		return changeSold
	case e.step == changeDestroyed, direct && object && action == epcis.ActionDelete:
		return changeDestroyed
	case e.step != changeSeen:
		return e.step
	case direct && e.event.Type == epcis.AggregationEvent && parts&partChild != 0 && action == epcis.ActionAdd:
		return changePacked
	case direct && parts&partChild != 0 && action == epcis.ActionDelete, v.via == v.inner && e.empties && parts&partParent != 0:
		return changeUnpacked
	case direct && object && action == epcis.ActionAdd:
		return changeBorn
	}
	return changeSeen
}

// parcel is a part of an item that is in one place, with one holder, in one status.
type parcel struct {
	Holding
	amount *epcis.Decimal
	gln    string // of Place
	org    string
	since  *entry
	gone   bool // see remove
}

// ledger of parcels: what is known of the parts of one item. Quantities that events take beyond what earlier events put
// there make it unbalanced; nothing is refused here.
type parcels struct {
	key        string
	single     bool
	list       []*parcel
	known      bool // an earlier event was about it
	unbalanced bool
}

func (p *parcels) apply(v *visit) {
	e, what := v.entry, changeOf(v, p.key)
	if v.via == "" && !e.has(p.key, goodsParts) {
		return // a lot that is only said to be that of an instance
	}
	q := amountOf(e, p.key, partEPC|partChild|partInput)
	if what == changeBorn {
		q = amountOf(e, p.key, partEPC|partOutput)
	}
	if v.via != "" {
		q = nil // all that is in the carrier
	}
	if what == changeBorn && !(p.single && p.known) {
		p.list = append(p.list, p.fresh(v, q, StatusOnHand))
		p.known = true
		return
	}
	taken := p.take(v, what, q)
	for _, t := range taken {
		p.move(t, v, what)
		p.list = append(p.list, t)
	}
	p.known = true
}

// fresh is a parcel that comes into view with this event.
func (p *parcels) fresh(v *visit, q *quantity, s Status) *parcel {
	n := &parcel{}
	n.Status = s
	if q != nil {
		n.amount, n.UOM = q.amount, q.uom
	}
	n.place(v)
	n.holder(v.entry)
	return n
}

// place puts the parcel where the event was.
func (n *parcel) place(v *visit) {
	n.since, n.TimeMs = v.entry, v.entry.ms
	if v.entry.place != "" {
		n.Place, n.gln = v.entry.place, v.entry.gln
	}
}

func (n *parcel) holder(e *entry) {
	n.org = e.meta.Org
	n.Party = authorOf(e)
}

// move changes a parcel as the event says.
func (p *parcels) move(n *parcel, v *visit, what change) {
	from, to := v.entry.from, v.entry.to
	n.place(v)
	switch what {
	case changeShipped:
		n.Status, n.To = StatusInTransit, to
		if from != "" {
			n.Party = from
		} else if n.Party == "" {
			n.holder(v.entry)
		}
	case changeReceived:
		n.Status, n.To = StatusOnHand, ""
		n.holder(v.entry)
		if to != "" {
			n.Party = to
		}
	case changeConsumed:
		n.Status, n.To, n.Carrier = StatusConsumed, "", ""
	case changeSold:
		n.Status, n.To = StatusSold, ""
	case changeDestroyed:
		n.Status, n.To = StatusDestroyed, ""
	case changePacked:
		n.Carrier = ""
		for _, m := range v.entry.in(partParent) {
			n.Carrier = m.key
		}
	case changeUnpacked:
		n.Carrier = ""
	}
	// Not every arrival is recorded: goods that are put to use somewhere are there.
	if n.Status == StatusUnknown || n.Status == StatusInTransit && v.entry.settled {
		n.Status, n.To = StatusOnHand, ""
	}
}

// take removes and returns the parcels, or parts of them, that an event is about: those that fit it best, up to the
// amount it names, or all that fit if it names none.
func (p *parcels) take(v *visit, what change, q *quantity) []*parcel {
	fitting := p.fitting(v, what)
	if q == nil {
		if len(fitting) == 0 {
			return p.appear(v, what, nil)
		}
		return p.remove(fitting)
	}
	var taken, gone []*parcel
	left := &epcis.Measure{Amount: *q.amount, UOM: q.uom}
	for _, n := range fitting {
		if left.Amount.Sign() <= 0 {
			break
		}
		if n.amount == nil {
			continue
		}
		part, rest, err := splitMeasure(epcis.Measure{Amount: *n.amount, UOM: n.UOM}, *left)
		if err != nil {
			continue // what is counted in another way
		}
		if rest == nil {
			taken, gone = append(taken, n), append(gone, n)
		} else {
			piece := *n
			piece.amount, piece.UOM = &part.Amount, part.UOM
			n.amount, n.UOM = &rest.Amount, rest.UOM
			taken = append(taken, &piece)
		}
		less, err := left.Sub(part)
		if err != nil {
			break
		}
		left = &less
	}
	p.remove(gone)
	if left.Amount.Sign() > 0 {
		taken = append(taken, p.appear(v, what, &quantity{&left.Amount, left.UOM})...)
	}
	return taken
}

// splitMeasure takes up to want from have; rest is nil if nothing is left. The error says that they cannot be compared.
func splitMeasure(have, want epcis.Measure) (part epcis.Measure, rest *epcis.Measure, err error) {
	order, err := have.Cmp(want)
	if err != nil || order <= 0 {
		return have, nil, err
	}
	left, err := have.Sub(want)
	return want, &left, err
}

// appear makes a parcel that no earlier event accounts for. That is how goods from before the record begin; later it
// means that the events do not add up.
func (p *parcels) appear(v *visit, what change, q *quantity) []*parcel {
	if p.known && what == changeSeen {
		return nil
	}
	if p.known && !p.single {
		p.unbalanced = true
	}
	return []*parcel{p.fresh(v, q, StatusUnknown)}
}

func (p *parcels) remove(gone []*parcel) []*parcel {
	for _, n := range gone {
		n.gone = true
	}
	p.list = slices.DeleteFunc(p.list, func(n *parcel) bool { return n.gone })
	for _, n := range gone {
		n.gone = false
	}
	return gone
}

// fitting lists the parcels that an event can be about, the best first.
func (p *parcels) fitting(v *visit, what change) []*parcel {
	type scored struct {
		parcel *parcel
		score  int
	}
	var list []scored
	for _, n := range p.list {
		if s := p.score(n, v, what); s >= 0 {
			list = append(list, scored{n, s})
		}
	}
	slices.SortStableFunc(list, func(a, b scored) int { return b.score - a.score })
	out := make([]*parcel, len(list))
	for i := range list {
		out[i] = list[i].parcel
	}
	return out
}

// score says how well a parcel fits an event; negative: not at all.
func (p *parcels) score(n *parcel, v *visit, what change) int {
	if v.via != "" && n.Carrier != v.inner && !p.single {
		return -1
	}
	if !p.single && (n.Status == StatusConsumed || n.Status == StatusSold || n.Status == StatusDestroyed) {
		return -1
	}
	s := 0
	from, to := v.entry.from, v.entry.to
	if what == changeReceived {
		if n.Status == StatusInTransit {
			s += 16
		}
		if to != "" && n.To == to || from != "" && n.Party == from {
			s += 8
		}
	} else if n.Status != StatusInTransit { // which is still possible: receiving is not always recorded
		s += 16
	}
	if n.Place != "" && n.gln == v.entry.gln {
		s += 4
	}
	if n.org != "" && n.org == v.entry.meta.Org || from != "" && n.Party == from {
		s += 8
	}
	if v.via == "" && n.Carrier == "" || what == changeUnpacked && v.entry.has(n.Carrier, partParent) {
		s += 2
	}
	return s
}

// holdings merges parcels that differ in nothing but amount. It uses them up. Each is held against all that are there, which
// is told to look.
func (p *parcels) holdings(look func(parcels int) error) ([]Holding, error) {
	out := p.list[:0]
	for _, n := range p.list {
		if err := look(len(out)); err != nil {
			return nil, err
		}
		same := slices.IndexFunc(out, func(o *parcel) bool { return mergeable(o, n) })
		if same < 0 {
			out = append(out, n)
			continue
		}
		into := out[same]
		if sum := toQuantity(into.amount, into.UOM).plus(n.amount, n.UOM); sum != nil {
			into.amount, into.UOM = sum.amount, sum.uom
		} else {
			into.amount = nil
		}
		if n.since.after(into.since.moment) {
			into.since, into.TimeMs = n.since, n.TimeMs
		}
	}
	list := make([]Holding, len(out))
	for i, n := range out {
		list[i] = n.Holding
		list[i].Event = n.since.index
		if n.amount != nil {
			list[i].Quantity = n.amount.String()
		}
	}
	slices.SortStableFunc(list, compareHoldings)
	return list, nil
}

func mergeable(a, b *parcel) bool {
	return a.Status == b.Status && a.Party == b.Party && a.To == b.To && a.Place == b.Place && a.Carrier == b.Carrier &&
		unit.SameDimension(a.UOM, b.UOM) && (a.amount == nil) == (b.amount == nil)
}

var statusOrder = []Status{StatusOnHand, StatusInTransit, StatusSold, StatusConsumed, StatusDestroyed, StatusUnknown}

func compareHoldings(a, b Holding) int {
	if c := slices.Index(statusOrder, a.Status) - slices.Index(statusOrder, b.Status); c != 0 {
		return c
	}
	return a.Event - b.Event
}

// samePlace holds for places, given by their keys, with the same GLN, whatever their extensions.
func (n spellings) samePlace(a, b string) bool { return a != "" && n.gln(a) == n.gln(b) }

// authorOf names who recorded the event: the organisation, or else the account.
func authorOf(e *entry) string {
	if e.meta.Org != "" {
		return e.meta.Org
	}
	return e.meta.Author
}
