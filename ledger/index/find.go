package index

import (
	"context"

	"github.com/cockroachdb/pebble/v2"

	"waybill/epcis/query"
)

// Find returns one page of the events that satisfy the query.
//
// All pages of one answer are of the height of the first one. A page ends when it is full, when everything was looked
// at, or when ScanLimit events were looked at; in the first and last case it has a token for the rest, so that it may be
// short, even empty, without being the last. Errors: *query.Error (a bad or foreign token, more events than
// maxEventCount or than can be sorted), ErrBehind, ErrCorrupt, ErrIO, or that of ctx.
func (x *Index) Find(ctx context.Context, q *query.Query) (*query.Page, error) {
	snap := x.db.NewSnapshot()
	defer func() { _ = snap.Close() }() // frees memory only
	height, _, err := x.readCursor(snap)
	if err != nil {
		return nil, err
	}
	f := &finder{x: x, ctx: ctx, r: snap, q: q, at: position{fingerprint: q.Fingerprint(), height: uint64(height)}}
	if q.NextPageToken != "" {
		if err := f.resume(uint64(height)); err != nil {
			return nil, err
		}
	} else if err := f.checkCount(); err != nil {
		return nil, err
	}
	return f.page()
}

// finder makes one page.
type finder struct {
	x    *Index
	ctx  context.Context
	r    pebble.Reader
	q    *query.Query
	at   position
	from *place // nil on the first page
}

func (f *finder) resume(height uint64) error {
	p, err := decodePosition(f.q.NextPageToken)
	if err != nil {
		return err
	}
	if p.fingerprint != f.at.fingerprint {
		return badToken(f.q.NextPageToken, "the same parameters that the token was returned for")
	}
	if p.height > height {
		return fail(ErrBehind, nil, "the token is of block %d, block %d is indexed: ask again later", p.height, height)
	}
	f.at = p
	f.from = &place{timeMs: p.timeMs, ref: p.ref}
	return nil
}

// checkCount refuses an answer with more than maxEventCount events, which takes looking at all of it.
func (f *finder) checkCount() error {
	limit := f.q.MaxEventCount
	if limit == 0 {
		return nil
	}
	count, scanned := 0, 0
	more, err := f.scan(func(query.Found) bool {
		count++
		return count <= limit
	}, &scanned)
	switch {
	case err != nil:
		return err
	case count > limit:
		return query.TooLarge("more than maxEventCount events satisfy the query", limit)
	case more:
		return query.TooLarge("counting takes looking at more events than are looked at for one query", f.x.opts.ScanLimit)
	}
	f.at = position{fingerprint: f.at.fingerprint, height: f.at.height}
	return nil
}

func (f *finder) page() (*query.Page, error) {
	page := &query.Page{Height: f.at.height}
	room := f.q.PerPage
	left := -1
	if f.q.EventCountLimit > 0 {
		left = f.q.EventCountLimit - int(f.at.returned)
		room = min(room, left)
	}
	if room <= 0 {
		return page, nil
	}
	scanned := 0
	more, err := f.scan(func(found query.Found) bool {
		page.Events = append(page.Events, found)
		return len(page.Events) < room
	}, &scanned)
	if err != nil {
		return nil, err
	}
	if more && left != len(page.Events) {
		f.at.returned += uint32(len(page.Events))
		page.Next = f.at.encode()
	}
	return page, nil
}

// checkContextEvery is how many events are looked at between looks at the context.
const checkContextEvery = 256

// scan hands every event that satisfies the query to take, in order, until take returns false, ScanLimit events were
// looked at, or there are no more. It moves f.at along, and reports whether there may be more.
func (f *finder) scan(take func(query.Found) bool, scanned *int) (more bool, err error) {
	p, err := choose(f.r, f.q)
	if err != nil {
		return false, err
	}
	s, err := f.x.openStream(f.r, f.q, p, f.at.height, f.from)
	if err != nil {
		return false, err
	}
	defer func() {
		if cerr := s.close(); err == nil && cerr != nil {
			err = cerr
		}
	}()
	full := false
	for {
		pl, ok := s.next()
		switch {
		case !ok:
			return false, nil
		case pl.ref.Height > f.at.height:
			continue // recorded after the first page
		case full || *scanned == f.x.opts.ScanLimit:
			return true, nil
		case *scanned%checkContextEvery == 0 && f.ctx.Err() != nil:
			return false, f.ctx.Err()
		}
		*scanned++
		f.at.timeMs, f.at.ref = pl.timeMs, pl.ref
		found, _, err := readRecord(f.r, pl.ref)
		if err != nil {
			return false, err
		}
		if f.q.Matches(found.Event, found.Meta) {
			full = !take(found)
		}
	}
}
