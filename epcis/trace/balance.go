package trace

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"waybill/epcis"
	"waybill/epcis/unit"
)

// The mass balance.
//
// What came in of a lot, what went out, and what a count found are added up from what events say, in the order in which
// they happened, each amount in the base unit of its dimension (see epcis/unit):
//
//	closing = opening + produced + received − consumed − shipped − sold − destroyed + settled + unexplained
//
// Settled is what disputes moved, which no event says: see [Settlement].
// Unexplained is what counts (cycle_counting, stock_taking) found beyond what had been computed until then; below zero it
// is a loss. After a count the computed stock is what was counted. A count speaks for all the stock of its author that the
// request selects (so ask for one site of a party that has several), and of what is loose: what is packed or on hold is not in
// the number that it is held against. Goods in a container move with it, also when an event names only the
// outermost one; an event that names both a pallet and what is on it speaks of one thing. When a container ends, what is in
// it is loose again. A shipment that was voided was not shipped; events that their author declared erroneous do not count.
// What events the ledger flagged counts as recorded: the ledger's own balances, not this sheet, say who holds what. A dispute
// and how it ends are no events: what is missing or rejected was shipped and is nobody's, and what an outcome gives to somebody
// is settled at the time of the outcome, at the places that the shipping event names.

// BalanceRequest asks for a mass balance.
type BalanceRequest struct {
	Goods  []string // lots, or classes for what is counted without a lot; serials of the lots are found through them
	Site   string   // location whose stock it is, compared by GLN; "" is all
	Party  string   // organisation or account address that recorded the events; "" is all
	FromMs int64    // event time, ms since the Unix epoch
	ToMs   int64    // before this event time; 0 is no end

	Settled []Settlement // of the goods; those of other parties and sites are left out as events are
}

// Settlement is a quantity that a dispute gave to somebody or took away, without an event.
type Settlement struct {
	Goods   string
	Account string        // address of who has it by the dispute
	Org     string        // of the account, "" if it has none
	Amount  epcis.Measure // below zero: it was taken away
	Places  []string      // locations that the goods are at by that; none known: it is on no site's sheet
	TimeMs  int64         // of the outcome, ms since the Unix epoch
}

// PlacesOf returns the locations that a shipment leaves, and those that it is to arrive at, as its event says.
func PlacesOf(shipping *epcis.Event) (from, to []string) {
	for _, l := range []*epcis.Location{shipping.BizLocation, shipping.ReadPoint} {
		if l != nil {
			from = append(from, l.ID)
		}
	}
	return append(from, locationsIn(shipping.Sources)...), locationsIn(shipping.Destinations)
}

func locationsIn(refs []epcis.TypedRef) []string {
	var out []string
	for _, ref := range refs {
		if ref.Type == "location" {
			out = append(out, ref.ID)
		}
	}
	return out
}

// Sheet is a mass balance: a line for each lot and unit, and their sums for each class and unit.
type Sheet struct {
	Lines     []BalanceLine `json:"lines"`               // by goods, serials last, then unit
	Totals    []BalanceLine `json:"totals"`              // Goods is the class, or the lot that has none
	Truncated []string      `json:"truncated,omitempty"` // limits that were met; the sheet is not complete then
}

// BalanceLine is the account of some goods in one unit. Amounts are exact decimals; they can be negative: then more went
// out than is known to have come in, or, of Shipped, more was voided in the period than shipped.
type BalanceLine struct {
	Goods   string `json:"goods"` // canonical
	Class   string `json:"class,omitempty"`
	UOM     string `json:"uom,omitempty"`     // base unit of its dimension; empty for pieces
	Serials bool   `json:"serials,omitempty"` // things with serial numbers, apart from what quantities say

	Opening     string `json:"opening"`
	Produced    string `json:"produced"` // commissioned, or output of a transformation
	Received    string `json:"received"`
	Consumed    string `json:"consumed"` // input of a transformation
	Shipped     string `json:"shipped"`
	Sold        string `json:"sold"`
	Destroyed   string `json:"destroyed"` // or decommissioned
	Settled     string `json:"settled"`   // in disputes, without an event
	Unexplained string `json:"unexplained"`
	Closing     string `json:"closing"`

	Counts     int          `json:"counts"`               // how many events counted it
	Counted    string       `json:"counted,omitempty"`    // by the last of each author's
	Unmeasured []Unmeasured `json:"unmeasured,omitempty"` // what could not be added up, at most 64
}

// Unmeasured is an amount that an event does not state, or that is too large to add up.
type Unmeasured struct {
	Event Ref    `json:"event"`
	Flow  string `json:"flow"` // "produced", "received"…
}

const maxUnmeasured = 64

// Balance adds up what the events of the source say of some goods. The error is an *[Error], that of ctx, or what the
// source returned.
func Balance(ctx context.Context, src Source, r BalanceRequest, limits Limits) (*Sheet, error) {
	if len(r.Goods) == 0 {
		return nil, &Error{Kind: ErrItem, Detail: "name at least one lot or class"}
	}
	s := &stocks{history: newHistory(ctx, src, limits.withDefaults()), request: r, wanted: map[string]bool{}, lotOf: map[string]string{},
		inside: map[string]*load{}, within: map[string]string{}, lines: map[account]*line{}, born: map[string]bool{}, gone: map[string]bool{}}
	for _, g := range r.Goods {
		if g == "" {
			return nil, &Error{Kind: ErrItem, Detail: "a lot or class to balance is empty"}
		}
		s.wanted[Key(g)] = true
	}
	entries, err := s.gather()
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if r.ToMs != 0 && e.ms >= r.ToMs {
			break
		}
		s.apply(e)
	}
	for _, d := range r.Settled {
		s.settle(d)
	}
	return s.sheet(), nil
}

// settle books what a dispute moved.
func (s *stocks) settle(d Settlement) {
	r := &s.request
	key, q := Key(d.Goods), base(d.Amount)
	elsewhere := r.Site != "" && !slices.ContainsFunc(d.Places, func(p string) bool { return s.names.samePlace(s.names.key(p), s.names.key(r.Site)) })
	if !s.wanted[key] || elsewhere || r.ToMs != 0 && d.TimeMs >= r.ToMs || r.Party != "" && r.Party != d.Org && r.Party != d.Account {
		return
	}
	e := &entry{meta: Meta{Author: d.Account}}
	l := s.line(e, lineKey{goods: key, uom: q.UOM})
	stock, err1 := l.stock.Add(q.Amount)
	settled, err2 := l.settled.Add(q.Amount)
	opening, err3 := l.opening.Add(q.Amount)
	switch {
	case err1 != nil || err2 != nil || err3 != nil:
		l.unknown(e, flowNone)
	case d.TimeMs < r.FromMs:
		l.stock, l.opening = stock, opening
	default:
		l.stock, l.settled = stock, settled
	}
}

// gather reads the events of the goods, of their serials, and of everything that those were ever packed in.
func (s *stocks) gather() ([]*entry, error) {
	queue, seen, read := slices.Sorted(maps.Keys(s.wanted)), map[string]bool{}, map[*entry]bool{}
	var out []*entry
	for i := 0; i < len(queue); i++ {
		key := queue[i]
		if seen[key] {
			continue
		}
		seen[key] = true
		if len(seen) > s.limits.Nodes {
			s.truncate("more than %d serials and containers", s.limits.Nodes)
			break
		}
		it, err := s.item(key)
		if err != nil {
			return nil, err
		}
		for _, e := range it.entries {
			more := s.follow(e, key)
			for _, k := range more {
				s.expectItem(k)
			}
			queue = append(queue, more...)
			if !read[e] {
				read[e] = true
				out = append(out, e)
			}
		}
	}
	slices.SortFunc(out, func(a, b *entry) int { return a.compare(b.moment) })
	return out, nil
}

// follow lists what else has to be read because of an event of key: the serials of a lot, and what key is packed in.
func (s *stocks) follow(e *entry, key string) []string {
	var more []string
	for m := e.first(key, partMember); m != nil; m = e.next(m, partMember) {
		if s.wanted[key] && newItem(s.names.of(m.other)).kind != KindLot {
			s.lotOf[m.other] = key
			more = append(more, m.other)
		}
	}
	if e.event.Type == epcis.AggregationEvent && e.has(key, partChild) {
		for i := range e.in(partParent) {
			more = append(more, e.in(partParent)[i].key)
		}
	}
	return more
}

// selects reports whether an event is in the request's account.
func (s *stocks) selects(e *entry) bool {
	r := &s.request
	if r.Party != "" && r.Party != e.meta.Org && r.Party != e.meta.Author {
		return false
	}
	if r.Site == "" {
		return true
	}
	site, ev := s.names.key(r.Site), e.event
	places := make([]string, 0, 4)
	for _, l := range []*epcis.Location{ev.BizLocation, ev.ReadPoint} {
		if l != nil {
			places = append(places, l.ID)
		}
	}
	refs := ev.Sources
	if flowOf(ev) == flowReceived {
		refs = ev.Destinations
	}
	places = append(places, locationsIn(refs)...)
	return slices.ContainsFunc(places, func(p string) bool { return s.names.samePlace(s.names.key(p), site) })
}

// lineKey names a line.
type lineKey struct {
	goods, uom string
	serials    bool
}

// account is a line of one author.
type account struct {
	lineKey
	author string
}

// base brings a measure into the base unit of its dimension; one that has none, or is too large, stays as it is.
func base(m epcis.Measure) epcis.Measure {
	if d := unit.DimensionOf(m.UOM); d != unit.None {
		if in, err := m.In(d.Base()); err == nil {
			return in
		}
	}
	return m
}

// sheet writes the lines down.
func (s *stocks) sheet() *Sheet {
	out := &Sheet{Lines: []BalanceLine{}, Totals: []BalanceLine{}, Truncated: s.reasons}
	accounts := slices.SortedFunc(maps.Keys(s.lines), func(a, b account) int {
		return cmp.Or(compareKeys(a.lineKey, b.lineKey), strings.Compare(a.author, b.author))
	})
	lines, totals := map[lineKey]*line{}, map[lineKey]*line{}
	for _, a := range accounts {
		addTotal(lines, a.lineKey, s.lines[a])
		k := a.lineKey
		if class := newItem(s.names.of(k.goods)).class; class != "" {
			k.goods = class
		}
		addTotal(totals, k, s.lines[a])
	}
	for _, k := range slices.SortedFunc(maps.Keys(lines), compareKeys) {
		out.Lines = append(out.Lines, lines[k].build(k, newItem(s.names.of(k.goods)).class))
	}
	for _, k := range slices.SortedFunc(maps.Keys(totals), compareKeys) {
		out.Totals = append(out.Totals, totals[k].build(k, ""))
	}
	return out
}

func addTotal(sums map[lineKey]*line, k lineKey, l *line) {
	if sums[k] == nil {
		sums[k] = &line{}
	}
	sums[k].addLine(l)
}

func compareKeys(a, b lineKey) int {
	c := strings.Compare(a.goods, b.goods)
	if c == 0 && a.serials != b.serials {
		c = 1
		if b.serials {
			c = -1
		}
	}
	return cmp.Or(c, strings.Compare(a.uom, b.uom))
}
