package index

import (
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"waybill/epcis/query"
	"waybill/epcis/trace"
)

// place is an event with what it is ordered by. timeMs is 0 unless the order is by eventTime.
type place struct {
	timeMs int64
	ref    trace.Ref
}

func (p place) compare(o place) int {
	switch {
	case p.timeMs < o.timeMs:
		return -1
	case p.timeMs > o.timeMs:
		return 1
	}
	return p.ref.Compare(o.ref)
}

// stream yields places in order, each once.
type stream interface {
	next() (place, bool)
	close() error
}

// cursor walks one range of keys in one direction, beginning after a place.
type cursor struct {
	it      *pebble.Iterator
	down    bool
	place   func(key []byte) place
	ok      bool
	started bool
}

func newCursor(r pebble.Reader, from, to []byte, down bool, after []byte, decode func([]byte) place) (*cursor, error) {
	opts := &pebble.IterOptions{LowerBound: from, UpperBound: to}
	switch {
	case after == nil:
	case down:
		opts.UpperBound = after
	default:
		opts.LowerBound = append(slices.Clone(after), 0)
	}
	it, err := r.NewIter(opts)
	if err != nil {
		return nil, fail(ErrIO, err, "reading the index")
	}
	return &cursor{it: it, down: down, place: decode}, nil
}

func (c *cursor) next() (place, bool) {
	switch {
	case !c.started && c.down:
		c.ok = c.it.Last()
	case !c.started:
		c.ok = c.it.First()
	case !c.ok:
	case c.down:
		c.ok = c.it.Prev()
	default:
		c.ok = c.it.Next()
	}
	c.started = true
	if !c.ok {
		return place{}, false
	}
	return c.place(c.it.Key()), true
}

func (c *cursor) close() error {
	if err := c.it.Close(); err != nil {
		return fail(ErrIO, err, "reading the index")
	}
	return nil
}

func byRef(key []byte) place  { return place{ref: decodeRef(key)} }
func byTime(key []byte) place { return place{timeMs: timeOf(key), ref: decodeRef(key)} }

// union merges streams that are each in order, and yields what several have once.
type union struct {
	parts []*cursor
	heads []place
	alive []bool
	down  bool
}

func newUnion(parts []*cursor, down bool) *union {
	u := &union{parts: parts, heads: make([]place, len(parts)), alive: make([]bool, len(parts)), down: down}
	for i, p := range parts {
		u.heads[i], u.alive[i] = p.next()
	}
	return u
}

func (u *union) next() (place, bool) {
	best := -1
	for i := range u.parts {
		if u.alive[i] && (best < 0 || u.before(u.heads[i], u.heads[best])) {
			best = i
		}
	}
	if best < 0 {
		return place{}, false
	}
	p := u.heads[best]
	for i := range u.parts {
		if u.alive[i] && u.heads[i] == p {
			u.heads[i], u.alive[i] = u.parts[i].next()
		}
	}
	return p, true
}

func (u *union) before(a, b place) bool {
	if u.down {
		a, b = b, a
	}
	return a.compare(b) < 0
}

func (u *union) close() error { return closeAll(u.parts) }

func closeAll(parts []*cursor) error {
	var first error
	for _, p := range parts {
		if err := p.close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// sorted is a stream over places that had to be collected first.
type sorted struct{ places []place }

func (s *sorted) next() (place, bool) {
	if len(s.places) == 0 {
		return place{}, false
	}
	p := s.places[0]
	s.places = s.places[1:]
	return p, true
}

func (s *sorted) close() error { return nil }

// openStream returns every place that the plan leads to, in the order of the query, after the given place.
func (x *Index) openStream(r pebble.Reader, q *query.Query, p plan, height uint64, after *place) (stream, error) {
	down := q.OrderBy != query.OrderDefault && !q.Ascending
	if q.OrderBy == query.OrderEventTime {
		if p.terms != nil {
			return x.collect(r, p, height, down, after, true)
		}
		var start []byte
		if after != nil {
			start = timeKey(after.timeMs, after.ref)
		}
		return newCursor(r, timeStem(q.EventTime.From), timeEnd(q.EventTime.To), down, start, byTime)
	}
	switch {
	case p.byTime:
		return x.collect(r, p, height, down, after, false)
	case p.terms == nil:
		var start []byte
		if after != nil {
			start = recordKey(after.ref)
		}
		return newCursor(r, []byte{prefixRecord}, []byte{prefixRecord + 1}, down, start, byRef)
	}
	return openPostings(r, p.terms, down, after)
}

// timeEnd is the key at which event times from t on begin.
func timeEnd(t int64) []byte {
	if t == query.New().EventTime.To {
		return []byte{prefixTime + 1}
	}
	return timeStem(t)
}

func openPostings(r pebble.Reader, terms []posting, down bool, after *place) (stream, error) {
	parts := make([]*cursor, 0, len(terms))
	for _, t := range terms {
		stem := postingStem(t.field, t.term)
		var start []byte
		if after != nil {
			start = appendRef(slices.Clone(stem), after.ref)
		}
		c, err := newCursor(r, stem, upper(stem), down, start, byRef)
		if err != nil {
			_ = closeAll(parts) // the first error is the one to tell
			return nil, err
		}
		parts = append(parts, c)
	}
	return newUnion(parts, down), nil
}

// collect reads every place of the plan and sorts them: by eventTime if timed, else as recorded. More than SortLimit
// are refused.
func (x *Index) collect(r pebble.Reader, p plan, height uint64, down bool, after *place, timed bool) (stream, error) {
	seen := map[trace.Ref]bool{}
	var places []place
	gather := func(from, to []byte, at func(*pebble.Iterator) int64) error {
		it, err := r.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
		if err != nil {
			return fail(ErrIO, err, "reading the index")
		}
		for ok := it.First(); ok && len(places) <= x.opts.SortLimit; ok = it.Next() {
			pl := place{ref: decodeRef(it.Key())}
			if pl.ref.Height > height || seen[pl.ref] {
				continue
			}
			seen[pl.ref] = true
			if timed {
				pl.timeMs = at(it)
			}
			places = append(places, pl)
		}
		if err := it.Close(); err != nil {
			return fail(ErrIO, err, "reading the index")
		}
		return nil
	}
	if p.byTime {
		if err := gather(timeStem(p.times.From), timeEnd(p.times.To), func(it *pebble.Iterator) int64 { return timeOf(it.Key()) }); err != nil {
			return nil, err
		}
	}
	for _, t := range p.terms {
		stem := postingStem(t.field, t.term)
		if err := gather(stem, upper(stem), postingTime); err != nil {
			return nil, err
		}
	}
	if len(places) > x.opts.SortLimit {
		return nil, query.TooLarge("more events may satisfy the query than can be put in order", x.opts.SortLimit)
	}
	slices.SortFunc(places, place.compare)
	if down {
		slices.Reverse(places)
	}
	if after != nil {
		places = skip(places, *after, down)
	}
	return &sorted{places}, nil
}

func postingTime(it *pebble.Iterator) int64 {
	if v := it.Value(); len(v) == 8 {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}

// skip drops what does not come after the place.
func skip(places []place, after place, down bool) []place {
	n := 0
	for n < len(places) {
		c := places[n].compare(after)
		if down && c < 0 || !down && c > 0 {
			break
		}
		n++
	}
	return places[n:]
}
