package trace

import (
	"context"
	"fmt"
	"math"
	"slices"

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

// item is an identifier with the events that name it.
type item struct {
	key      string
	id       string // as first written
	kind     NodeKind
	class    string
	lot      string
	entries  []*entry // in the order of moments
	closing  []*entry // those of them that may end the stay of something in it without naming that
	whole    bool     // nothing that names it is missing
	packings []packing
	packed   bool // packings are computed
	node     *visited
}

func newItem(s *spelling) *item {
	it := &item{key: s.key, id: s.key, kind: KindOther, whole: true}
	switch parsed := s.id; {
	case parsed.IsZero() || parsed.Key() == gs1.KeyOpaque:
		return it
	case parsed.Key() == gs1.KeyLGTIN:
		it.kind = KindLot
	case parsed.IsClass():
		it.kind = KindClass
	default:
		it.kind = KindInstance
	}
	it.lot = s.id.Lot()
	if class := s.id.Class(); !class.IsZero() && class.Canonical() != s.key {
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
			for m := e.first(it.key, partAny); m != nil; m = e.next(m, partAny) {
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
	limits    Limits
	names     spellings
	entries   map[Ref]*entry
	bytes     int // of entries, as they are stored
	items     map[string]*item
	withdrawn map[Ref]bool
	reasons   []string
	reasoned  map[string]bool
	listing   uint32 // see marked
	ticks     uint32 // see tick
	processes map[string]*process
	reader    reader
}

func newHistory(ctx context.Context, src Source, limits Limits) *history {
	return &history{
		ctx: ctx, limits: limits, names: spellings{}, entries: map[Ref]*entry{}, items: map[string]*item{}, withdrawn: map[Ref]bool{},
		processes: map[string]*process{}, reasoned: map[string]bool{}, reader: newReader(src),
	}
}

// tick is called for every small piece of work, so that what nobody waits for any more ends, whatever the events claim.
func (h *history) tick() error {
	if h.ticks++; h.ticks%ticksPerCheck == 0 {
		return h.ctx.Err()
	}
	return nil
}

const ticksPerCheck = 256

// maxReasons bounds how many reasons are noted: a limit may be met for each of a million things.
const maxReasons = 100

// truncate notes that a limit was met. A reason is noted once.
func (h *history) truncate(format string, args ...any) {
	if len(h.reasons) >= maxReasons {
		return
	}
	reason := fmt.Sprintf(format, args...)
	if !h.reasoned[reason] {
		h.reasoned[reason] = true
		h.reasons = append(h.reasons, reason)
	}
}

// marked reports whether an entry is in the listing in hand already, and puts it there. A listing begins with h.listing++.
func (h *history) marked(e *entry) bool {
	was := e.mark == h.listing
	e.mark = h.listing
	return was
}

// item returns an identifier with its events, without those that were withdrawn.
func (h *history) item(key string) (*item, error) {
	if it := h.items[key]; it != nil {
		return it, nil
	}
	if err := h.ctx.Err(); err != nil {
		return nil, err
	}
	it := newItem(h.names.of(key))
	h.items[key] = it
	refs, err := h.refs(key)
	if err != nil {
		return nil, fmt.Errorf("reading the events of %s: %w", key, err)
	}
	it.entries = make([]*entry, 0, min(len(refs), h.limits.Events))
	for i := range refs {
		e, err := h.entry(refs[i:])
		if err != nil {
			return nil, err
		}
		if e == nil {
			h.truncate("more than %s: what happened to %s is not complete", h.mostEvents(), key)
			it.whole = false
			break
		}
		it.entries = append(it.entries, e)
	}
	h.withdraw(it)
	slices.SortFunc(it.entries, func(a, b *entry) int { return a.compare(b.moment) })
	h.describe(it)
	return it, nil
}

// full reports whether no other event may be looked at.
func (h *history) full() bool { return len(h.entries) >= h.limits.Events || h.bytes >= h.limits.Bytes }

// mostEvents says which limit is met.
func (h *history) mostEvents() string {
	if len(h.entries) >= h.limits.Events {
		return fmt.Sprintf("%d events", h.limits.Events)
	}
	return fmt.Sprintf("%d bytes of events", h.limits.Bytes)
}

// entry reads the first of some events once; nil when a limit is met.
func (h *history) entry(refs []Ref) (*entry, error) {
	ref := refs[0]
	if e := h.entries[ref]; e != nil {
		return e, nil
	}
	if h.full() {
		return nil, nil
	}
	r, err := h.recorded(refs)
	if err != nil {
		return nil, fmt.Errorf("reading event %d of transaction %d of block %d: %w", ref.Event, ref.Tx, ref.Height, err)
	}
	e := newEntry(h.names, ref, r.Event, r.Meta)
	h.entries[ref] = e
	h.bytes += r.Bytes
	return e, nil
}

// withdraw drops error declarations and the events that they withdraw: those that they repeat, or that have the same
// eventID, by the same author. Anybody else's declaration withdraws nothing, or it could hide an event from a trace. Nor does
// one of an event that others stand on, which the ledger says by the flag "tainted": that event is marked "declared".
func (h *history) withdraw(it *item) {
	if !slices.ContainsFunc(it.entries, func(e *entry) bool { return e.event.ErrorDeclaration != nil }) {
		return
	}
	type claim struct{ id, author string }
	claims := map[claim]bool{} // whether the event is gone
	for _, e := range it.entries {
		if e.event.ErrorDeclaration == nil {
			continue
		}
		gone := !slices.Contains(e.meta.Flags, "tainted")
		for _, id := range []string{e.event.EventID, e.declares()} {
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
		it.whole = false
		return true
	})
}

// declares returns the hash of the event that an error declaration repeats.
func (e *entry) declares() string {
	if e.wrong == "" {
		wrong := *e.event
		wrong.ErrorDeclaration = nil
		e.wrong = wrong.Hash().String()
	}
	return e.wrong
}

// describe finds the spelling and the lot of an item in its events, and those that close it.
func (h *history) describe(it *item) {
	for _, e := range it.entries {
		if e.closes {
			it.closing = append(it.closing, e)
		}
		for m := e.first(it.key, partAny); m != nil; m = e.next(m, partAny) {
			if it.id == it.key && m.part != partMember {
				it.id = m.id
			}
			if m.part == partMember && it.kind != KindLot && it.lot == "" {
				it.lot = h.names.of(m.other).id.Lot()
			}
		}
	}
}
