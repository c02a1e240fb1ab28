package index

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"waybill/epcis"
	"waybill/epcis/query"
	"waybill/epcis/trace"
)

// EventsOf implements trace.Source. Keys are looked up in their order in the database, whatever order they come in: one step
// leads from each to the next, and what stands together is read once.
func (x *Index) EventsOf(ctx context.Context, keys []string, limit int) (lists [][]trace.Ref, err error) {
	stems, order := make([][]byte, len(keys)), make([]int, len(keys))
	for i, key := range keys {
		stems[i], order[i] = postingStem(fieldItem, key), i
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(stems[a], stems[b]) })
	opts := &pebble.IterOptions{LowerBound: []byte{prefixPosting, byte(fieldItem)}, UpperBound: []byte{prefixPosting, byte(fieldItem) + 1}}
	if len(keys) == 1 {
		opts = &pebble.IterOptions{LowerBound: stems[0], UpperBound: upper(stems[0])}
	}
	it, err := x.db.NewIter(opts)
	if err != nil {
		return nil, fail(ErrIO, err, "reading the events of items")
	}
	defer func() {
		if cerr := it.Close(); cerr != nil {
			lists, err = nil, fail(ErrIO, cerr, "reading the events of items")
		}
	}()
	lists = make([][]trace.Ref, len(keys))
	from := seeker{Iterator: it}
	for n, i := range order {
		if n%checkContextEvery == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		for ok := from.seek(stems[i]); ok && len(lists[i]) < limit && bytes.HasPrefix(it.Key(), stems[i]); ok = it.Next() {
			lists[i] = append(lists[i], decodeRef(it.Key()))
		}
		if err := it.Error(); err != nil { // which the next look forgets
			return nil, fail(ErrIO, err, "reading the events of items")
		}
	}
	return lists, nil
}

// stepsBeforeSeek is how far an iterator is moved before it looks for a key from above, through all levels of the database: that
// takes as long as some dozens of steps.
const stepsBeforeSeek = 16

// seeker looks for keys of which none is the beginning of another. Whoever asks for them in order is answered sooner.
type seeker struct {
	*pebble.Iterator
	last []byte // that was asked for
}

// seek moves to the first key that is not before one; what begins with the last one asked for may have been read since.
func (s *seeker) seek(key []byte) bool {
	if s.last != nil && bytes.Compare(s.last, key) < 0 {
		for n := 0; n < stepsBeforeSeek && s.Valid(); n++ {
			if bytes.Compare(s.Key(), key) >= 0 {
				s.last = key
				return true
			}
			s.Next()
		}
	}
	s.last = key
	return s.SeekGE(key)
}

// Events are decoded by several goroutines where they are many. Each reads its own stretch of the places.
const (
	eventsEach = 64 // that are worth a goroutine
	maxReaders = 4
)

// Events implements trace.Source.
func (x *Index) Events(ctx context.Context, refs []trace.Ref) ([]trace.Recorded, error) {
	out := make([]trace.Recorded, len(refs))
	readers := max(1, min(maxReaders, runtime.GOMAXPROCS(0), len(refs)/eventsEach))
	failed := make([]error, readers)
	var all sync.WaitGroup
	for r := range readers {
		from, to := r*len(refs)/readers, (r+1)*len(refs)/readers
		read := func() { failed[r] = x.readEvents(ctx, refs[from:to], out[from:to]) }
		if r == readers-1 {
			read()
			continue
		}
		all.Go(read)
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readEvents follows one iterator: places that stand together are steps in one block of the database.
func (x *Index) readEvents(ctx context.Context, refs []trace.Ref, out []trace.Recorded) (err error) {
	if len(refs) < fewEvents {
		return x.readFew(refs, out)
	}
	it, err := x.db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixRecord}, UpperBound: []byte{prefixRecord + 1}})
	if err != nil {
		return fail(ErrIO, err, "reading events")
	}
	defer func() {
		if cerr := it.Close(); err == nil && cerr != nil {
			err = fail(ErrIO, cerr, "reading events")
		}
	}()
	from := seeker{Iterator: it}
	for i, ref := range refs {
		if i%checkContextEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key := recordKey(ref)
		if !from.seek(key) || !bytes.Equal(it.Key(), key) {
			if err := it.Error(); err != nil {
				return fail(ErrIO, err, "reading events")
			}
			return absent(ref)
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return fail(ErrIO, err, "reading events")
		}
		found, err := foundIn(value, ref)
		if err != nil {
			return err
		}
		out[i] = recorded(found, len(value))
	}
	return nil
}

// fewEvents are sooner found one by one, by the filters of the database, than by an iterator.
const fewEvents = 8

func (x *Index) readFew(refs []trace.Ref, out []trace.Recorded) error {
	for i, ref := range refs {
		found, size, err := readRecord(x.db, ref)
		if err != nil {
			return err
		}
		out[i] = recorded(found, size)
	}
	return nil
}

func recorded(f query.Found, size int) trace.Recorded {
	m := &f.Meta
	return trace.Recorded{Event: f.Event, Bytes: size, Meta: trace.Meta{Hash: m.Hash, Tx: m.Tx, TimeMs: m.TimeMs, Author: m.Author, Org: m.Org, Flags: m.Flags}}
}

// readRecord reads one event that a posting leads to, and tells how many bytes are stored of it.
func readRecord(r pebble.Reader, ref trace.Ref) (query.Found, int, error) {
	value, closer, err := r.Get(recordKey(ref))
	if errors.Is(err, pebble.ErrNotFound) {
		return query.Found{}, 0, absent(ref)
	}
	if err != nil {
		return query.Found{}, 0, fail(ErrIO, err, "reading an event")
	}
	defer func() { _ = closer.Close() }() // frees memory only
	found, err := foundIn(value, ref)
	return found, len(value), err
}

func absent(ref trace.Ref) error {
	return fail(ErrCorrupt, nil, "there is no event %d of transaction %d of block %d", ref.Event, ref.Tx, ref.Height)
}

// foundIn decodes what is stored of an event; it keeps nothing of value.
func foundIn(value []byte, ref trace.Ref) (query.Found, error) {
	rec, err := decodeRecord(value)
	if err != nil {
		return query.Found{}, fail(ErrCorrupt, err, "event %d of transaction %d of block %d", ref.Event, ref.Tx, ref.Height)
	}
	event, err := epcis.DecodeEvent(rec.Event)
	if err != nil {
		return query.Found{}, fail(ErrCorrupt, err, "event %d of transaction %d of block %d", ref.Event, ref.Tx, ref.Height)
	}
	return query.Found{Event: event, Meta: rec.meta(ref)}, nil
}
