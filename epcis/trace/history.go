package trace

import (
	"context"
	"fmt"
	"math"
	"slices"

	"waybill/epcis"
	"waybill/epcis/gs1"
)

// moment orders events by when they happened, then by when they were recorded.
type moment struct {
	ms  int64
	ref Ref
}

var (
	beginning = moment{ms: math.MinInt64}
	endless   = moment{ms: math.MaxInt64, ref: Ref{Height: math.MaxUint64}}
)

func (m moment) compare(o moment) int {
	switch {
	case m.ms < o.ms:
		return -1
	case m.ms > o.ms:
		return 1
	}
	return m.ref.Compare(o.ref)
}

func (m moment) after(o moment) bool  { return m.compare(o) > 0 }
func (m moment) before(o moment) bool { return m.compare(o) < 0 }

func earlier(a, b moment) moment {
	if b.before(a) {
		return b
	}
	return a
}

func later(a, b moment) moment {
	if b.after(a) {
		return b
	}
	return a
}

// window is a stretch of time, both ends included.
type window struct{ from, to moment }

var (
	always = window{beginning, endless}
	never  = window{endless, beginning}
)

// within reports whether o holds all of w.
func (w window) within(o window) bool { return !w.from.before(o.from) && !w.to.after(o.to) }

func (w window) holds(m moment) bool { return !m.before(w.from) && !m.after(w.to) }

func (w window) intersect(o window) (window, bool) {
	x := window{later(w.from, o.from), earlier(w.to, o.to)}
	return x, !x.from.after(x.to)
}

// part says how an event names an item.
type part uint8

const (
	partEPC part = iota // epcList or quantityList
	partParent
	partChild
	partInput
	partOutput
	partMember  // lot: the item in mention.other is one of it; instance: mention.other is its lot
	partProcess // transformationID
)

// mention is one place in an event where an item is named.
type mention struct {
	part     part
	key      string
	id       string // as written
	quantity *epcis.Decimal
	uom      string
	other    string // see partMember
}

// entry is an event that was read.
type entry struct {
	moment
	event    *epcis.Event
	meta     Meta
	mentions []mention
}

// of lists the mentions of an item.
func (e *entry) of(key string, parts ...part) []mention {
	var out []mention
	for _, m := range e.mentions {
		if m.key == key && (len(parts) == 0 || slices.Contains(parts, m.part)) {
			out = append(out, m)
		}
	}
	return out
}

// has reports whether the event names the item in one of these parts.
func (e *entry) has(key string, parts ...part) bool { return len(e.of(key, parts...)) > 0 }

// in lists the mentions in one part, whoever they name.
func (e *entry) in(p part) []mention {
	var out []mention
	for _, m := range e.mentions {
		if m.part == p {
			out = append(out, m)
		}
	}
	return out
}

// unpacksAll reports whether the event takes everything out of its parent: a DELETE that names no child.
func (e *entry) unpacksAll(parent string) bool {
	return (e.event.Type == epcis.AggregationEvent || e.event.Type == epcis.AssociationEvent) &&
		e.event.Action == epcis.ActionDelete && e.has(parent, partParent) && len(e.in(partChild)) == 0
}

// repacks reports whether the event puts children in or takes them out.
func (e *entry) repacks() bool {
	return e.event.Action != epcis.ActionObserve && len(e.in(partChild)) > 0
}

// ends reports whether the event ends the life of the instance: consumed, destroyed or decommissioned.
func (e *entry) ends(key string) bool {
	return e.has(key, partInput) || e.event.Type == epcis.ObjectEvent && e.event.Action == epcis.ActionDelete && e.has(key, partEPC)
}

func mentionsOf(e *epcis.Event) []mention {
	var out []mention
	ids := func(p part, list []string) {
		for _, id := range list {
			key := Key(id)
			out = append(out, mention{part: p, key: key, id: id})
			if lot := LotOf(e, id); lot != "" && p != partParent {
				out = append(out, mention{part: partMember, key: lot, id: lot, other: key}, mention{part: partMember, key: key, id: id, other: lot})
			}
		}
	}
	amounts := func(p part, list []epcis.Quantity) {
		for _, q := range list {
			out = append(out, mention{part: p, key: Key(q.Class), id: q.Class, quantity: q.Quantity, uom: q.UOM})
		}
	}
	ids(partEPC, e.EPCs)
	amounts(partEPC, e.Quantities)
	if e.ParentID != "" {
		ids(partParent, []string{e.ParentID})
	}
	ids(partChild, e.ChildEPCs)
	amounts(partChild, e.ChildQuantities)
	ids(partInput, e.InputEPCs)
	amounts(partInput, e.InputQuantities)
	ids(partOutput, e.OutputEPCs)
	amounts(partOutput, e.OutputQuantities)
	if e.TransformationID != "" {
		ids(partProcess, []string{e.TransformationID})
	}
	return out
}

// item is an identifier with the events that name it.
type item struct {
	key      string
	id       string // as first written
	kind     NodeKind
	class    string
	lot      string
	entries  []*entry // in the order of moments
	packings []packing
	packed   bool // packings are computed
}

func newItem(key string) *item {
	it := &item{key: key, id: key, kind: KindOther}
	parsed, err := gs1.Parse(key)
	if err != nil || parsed.Key() == gs1.KeyOpaque {
		return it
	}
	switch {
	case parsed.Key() == gs1.KeyLGTIN:
		it.kind = KindLot
	case parsed.IsClass():
		it.kind = KindClass
	default:
		it.kind = KindInstance
	}
	it.lot = parsed.Lot()
	if class := parsed.Class(); !class.IsZero() && class.Canonical() != key {
		it.class = class.Canonical()
	}
	return it
}

// isSingle reports whether the item is one thing that can only be in one place. An opaque identifier is one unless an
// event gives a quantity of it.
func (it *item) isSingle() bool {
	switch it.kind {
	case KindInstance:
		return true
	case KindOther:
		for _, e := range it.entries {
			for _, m := range e.of(it.key) {
				if m.quantity != nil {
					return false
				}
			}
		}
		return true
	}
	return false
}

// history reads events through a Source and keeps them for one trace.
type history struct {
	ctx       context.Context
	src       Source
	limits    Limits
	entries   map[Ref]*entry
	items     map[string]*item
	withdrawn map[Ref]bool
	reasons   []string
}

func newHistory(ctx context.Context, src Source, limits Limits) *history {
	return &history{ctx: ctx, src: src, limits: limits, entries: map[Ref]*entry{}, items: map[string]*item{}, withdrawn: map[Ref]bool{}}
}

// truncate notes that a limit was met. A reason is noted once.
func (h *history) truncate(format string, args ...any) {
	reason := fmt.Sprintf(format, args...)
	if !slices.Contains(h.reasons, reason) {
		h.reasons = append(h.reasons, reason)
	}
}

// item returns an identifier with its events, without those that were withdrawn.
func (h *history) item(key string) (*item, error) {
	if it := h.items[key]; it != nil {
		return it, nil
	}
	if err := h.ctx.Err(); err != nil {
		return nil, err
	}
	it := newItem(key)
	h.items[key] = it
	refs, err := h.src.EventsOf(h.ctx, key, h.limits.Events+1)
	if err != nil {
		return nil, fmt.Errorf("reading the events of %s: %w", key, err)
	}
	for _, ref := range refs {
		e, err := h.entry(ref)
		if err != nil {
			return nil, err
		}
		if e == nil {
			h.truncate("more than %d events: what happened to %s is not complete", h.limits.Events, key)
			break
		}
		it.entries = append(it.entries, e)
	}
	h.withdraw(it)
	slices.SortFunc(it.entries, func(a, b *entry) int { return a.compare(b.moment) })
	h.describe(it)
	return it, nil
}

// entry reads an event once; nil when the limit is met.
func (h *history) entry(ref Ref) (*entry, error) {
	if e := h.entries[ref]; e != nil {
		return e, nil
	}
	if len(h.entries) >= h.limits.Events {
		return nil, nil
	}
	event, meta, err := h.src.Event(h.ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("reading event %d of transaction %d of block %d: %w", ref.Event, ref.Tx, ref.Height, err)
	}
	e := &entry{moment: moment{event.EventTime.UnixMilli(), ref}, event: event, meta: meta, mentions: mentionsOf(event)}
	h.entries[ref] = e
	return e, nil
}

// withdraw drops error declarations and the events that they withdraw: those that they repeat, or that have the same
// eventID, by the same author. Anybody else's declaration withdraws nothing, or it could hide an event from a trace. Nor does
// one of an event that others stand on, which the ledger says by the flag "tainted": that event is marked "declared".
func (h *history) withdraw(it *item) {
	type claim struct{ id, author string }
	claims := map[claim]bool{} // whether the event is gone
	for _, e := range it.entries {
		if e.event.ErrorDeclaration == nil {
			continue
		}
		wrong := *e.event
		wrong.ErrorDeclaration = nil
		gone := !slices.Contains(e.meta.Flags, "tainted")
		for _, id := range []string{e.event.EventID, wrong.Hash().String()} {
			claims[claim{id, e.meta.Author}] = claims[claim{id, e.meta.Author}] || gone
		}
	}
	it.entries = slices.DeleteFunc(it.entries, func(e *entry) bool {
		if e.event.ErrorDeclaration != nil {
			return true
		}
		gone, declared := claims[claim{e.meta.Hash, e.meta.Author}]
		if !declared && e.event.EventID != "" {
			gone, declared = claims[claim{e.event.EventID, e.meta.Author}]
		}
		if declared && !gone && !slices.Contains(e.meta.Flags, "declared") {
			e.meta.Flags = append(slices.Clip(e.meta.Flags), "declared")
		}
		if !gone {
			return false
		}
		h.withdrawn[e.ref] = true
		return true
	})
}

// describe finds the spelling and the lot of an item in its events.
func (h *history) describe(it *item) {
	for _, e := range it.entries {
		for _, m := range e.of(it.key) {
			if it.id == it.key && m.part != partMember {
				it.id = m.id
			}
			if m.part == partMember && it.kind != KindLot && it.lot == "" {
				if lot, err := gs1.Parse(m.other); err == nil {
					it.lot = lot.Lot()
				}
			}
		}
	}
}

// process returns the events that make up one transformation: those with the same transformationID, or the event
// alone. Section 7.4.6 of EPCIS 2.0: all inputs of all of them go into all outputs.
func (h *history) process(e *entry) ([]*entry, error) {
	if e.event.TransformationID == "" {
		return []*entry{e}, nil
	}
	it, err := h.item(Key(e.event.TransformationID))
	if err != nil {
		return nil, err
	}
	var out []*entry
	for _, o := range it.entries {
		if o.event.Type == epcis.TransformationEvent && o.has(it.key, partProcess) {
			out = append(out, o)
		}
	}
	if !slices.Contains(out, e) { // read before the limit was met
		out = append(out, e)
	}
	return out, nil
}
