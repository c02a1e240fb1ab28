package index

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// Kind classifies an error, for [errors.Is].
type Kind string

// The kinds of errors that a caller may branch on.
const (
	ErrCorrupt Kind = "corrupt index"     // drop it: it is built again from the blocks
	ErrBehind  Kind = "index is behind"   // it does not know a height that a page token names yet
	ErrIO      Kind = "index storage"     // a failed read or write
	ErrClosed  Kind = "index has stopped" // Run has ended
)

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return string(k) }

func fail(k Kind, err error, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if err == nil {
		return fmt.Errorf("%w: %s", k, what)
	}
	return fmt.Errorf("%w: %s: %w", k, what, err)
}

// Source is the ledger that the index follows. Implementations: ledger/store, and a slice in tests.
type Source interface {
	// UpdatesSince returns, in order, what at most limit blocks above h did; none if there is no block above h.
	UpdatesSince(h quorum.Height, limit int) ([]*ledger.Update, error)
	// WaitFor returns when block h is there, or an error.
	WaitFor(ctx context.Context, h quorum.Height) error
}

// Options adjust an index; the zero value is right for a node.
type Options struct {
	// Apply commits and closes a batch, and waits for the disk if sync is true; nil writes to the database directly.
	// A node passes Apply of its store, which notices failures that Pebble does not return.
	Apply func(batch *pebble.Batch, sync bool) error
	// Base is the block that the ledger begins with: what came up to it is not here and cannot be indexed.
	Base quorum.Height
	// ScanLimit is how many events one page looks at before it ends early with a token; 0 means 20,000.
	ScanLimit int
	// SortLimit is how many events a query by event time may have to put in order; 0 means 200,000.
	SortLimit int
}

const (
	defaultScanLimit = 20_000
	defaultSortLimit = 200_000
	blocksPerPull    = 64
)

// Index is an open index.
type Index struct {
	db   *pebble.DB
	src  Source
	opts Options

	mu      sync.Mutex    // of what follows
	height  quorum.Height // indexed up to here
	target  quorum.Height // Run was building up to here when last seen
	stopped error         // why Run ended
	changed chan struct{} // closed and replaced when any of the above changes
}

// New opens the index in its keyspace of db. An index made by another version of this program is dropped and built
// again by Run.
func New(db *pebble.DB, src Source, opts Options) (*Index, error) {
	if opts.ScanLimit <= 0 {
		opts.ScanLimit = defaultScanLimit
	}
	if opts.SortLimit <= 0 {
		opts.SortLimit = defaultSortLimit
	}
	if opts.Apply == nil {
		opts.Apply = func(b *pebble.Batch, sync bool) error {
			defer func() { _ = b.Close() }() // frees memory only
			return b.Commit(&pebble.WriteOptions{Sync: sync})
		}
	}
	x := &Index{db: db, src: src, opts: opts, changed: make(chan struct{})}
	height, known, err := x.readCursor(db)
	if err != nil {
		return nil, err
	}
	if !known {
		if err := x.Drop(); err != nil {
			return nil, err
		}
	}
	x.height = max(height, opts.Base)
	return x, nil
}

// readCursor returns false for an index that is absent or of another version.
func (x *Index) readCursor(r pebble.Reader) (quorum.Height, bool, error) {
	value, closer, err := r.Get([]byte{prefixCursor})
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fail(ErrIO, err, "reading the cursor")
	}
	defer func() { _ = closer.Close() }() // frees memory only
	if len(value) != 12 || binary.BigEndian.Uint32(value[8:]) != tableVersion {
		return 0, false, nil
	}
	return quorum.Height(binary.BigEndian.Uint64(value)), true, nil
}

func cursorValue(h quorum.Height) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(h)), tableVersion)
}

// Drop empties the index; Run or CatchUp builds it again. Not while Run is running.
func (x *Index) Drop() error {
	b := x.db.NewBatch()
	err := errors.Join(
		b.DeleteRange([]byte{prefixFirst}, []byte{prefixLast + 1}, nil),
		b.Set([]byte{prefixCursor}, cursorValue(0), nil),
	)
	if err != nil {
		_ = b.Close()
		return fail(ErrIO, err, "dropping the index")
	}
	if err := x.opts.Apply(b, false); err != nil {
		return fail(ErrIO, err, "dropping the index")
	}
	x.announce(func() { x.height = x.opts.Base })
	return nil
}

// announce changes the fields under mu and wakes whoever waits.
func (x *Index) announce(change func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	change()
	close(x.changed)
	x.changed = make(chan struct{})
}

// Height returns the block up to which events are indexed.
func (x *Index) Height() quorum.Height {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.height
}

// Progress says how far the index has come. While it is built anew, Height is far below Target.
type Progress struct {
	Height quorum.Height `json:"height"`
	Target quorum.Height `json:"target"` // the highest block it knows of
}

// Progress returns how far the index has come.
func (x *Index) Progress() Progress {
	x.mu.Lock()
	defer x.mu.Unlock()
	return Progress{Height: x.height, Target: max(x.height, x.target)}
}

// WaitFor returns when block h is indexed, when ctx ends, or with ErrClosed when Run has ended.
func (x *Index) WaitFor(ctx context.Context, h quorum.Height) error {
	for {
		x.mu.Lock()
		height, stopped, changed := x.height, x.stopped, x.changed
		x.mu.Unlock()
		switch {
		case height >= h:
			return nil
		case stopped != nil:
			return fail(ErrClosed, stopped, "block %d is not indexed", h)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Run follows the ledger until ctx ends, which is no error, or until something fails.
func (x *Index) Run(ctx context.Context) error {
	x.announce(func() { x.stopped = nil })
	err := x.follow(ctx)
	x.announce(func() {
		if x.stopped = err; err == nil {
			x.stopped = context.Canceled
		}
	})
	return err
}

func (x *Index) follow(ctx context.Context) error {
	for {
		if err := x.CatchUp(ctx); err != nil {
			return ended(ctx, err)
		}
		if err := x.src.WaitFor(ctx, x.Height()+1); err != nil {
			return ended(ctx, err)
		}
	}
}

// ended returns nil if it is ctx that ended.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// CatchUp indexes everything that the ledger has. It stops between blocks when ctx ends.
func (x *Index) CatchUp(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		ups, err := x.src.UpdatesSince(x.Height(), blocksPerPull)
		if err != nil {
			return fmt.Errorf("reading blocks to index: %w", err)
		}
		if len(ups) == 0 {
			return nil
		}
		if t, ok := x.src.(interface{ TipHeight() quorum.Height }); ok {
			tip := t.TipHeight()
			x.announce(func() { x.target = tip })
		}
		for _, up := range ups {
			if err := x.add(up); err != nil {
				return err
			}
		}
	}
}

// add indexes one block and moves the cursor in one batch.
func (x *Index) add(up *ledger.Update) error {
	if want := x.Height() + 1; up.Height != want {
		return fail(ErrCorrupt, nil, "block %d was to be indexed, got block %d", want, up.Height)
	}
	b := x.db.NewBatch()
	if err := fillBatch(b, up); err != nil {
		_ = b.Close()
		return fail(ErrIO, err, "indexing block %d", up.Height)
	}
	if err := x.opts.Apply(b, false); err != nil {
		return fail(ErrIO, err, "indexing block %d", up.Height)
	}
	x.announce(func() { x.height = up.Height; x.target = max(x.target, up.Height) })
	return nil
}

func fillBatch(b *pebble.Batch, up *ledger.Update) error {
	for i := range up.Events {
		r := &up.Events[i]
		if !r.Accepted {
			continue
		}
		if err := fillEvent(b, r); err != nil {
			return fmt.Errorf("event %s: %w", r.Hash, err)
		}
	}
	return b.Set([]byte{prefixCursor}, cursorValue(up.Height), nil)
}

func fillEvent(b *pebble.Batch, r *ledger.EventRecord) error {
	rec, err := newRecord(r)
	if err != nil {
		return err
	}
	raw, err := crypto.Marshal(rec)
	if err != nil {
		return err
	}
	ref := trace.Ref{Height: uint64(r.Height), Tx: uint32(r.TxIndex), Event: uint32(r.Index)}
	if err := b.Set(recordKey(ref), raw, nil); err != nil {
		return err
	}
	ms := r.Event.EventTime.UnixMilli()
	if err := b.Set(timeKey(ms, ref), nil, nil); err != nil {
		return err
	}
	at := binary.BigEndian.AppendUint64(nil, uint64(ms))
	for _, p := range postings(r.Event, rec.meta(ref)) {
		if err := b.Set(appendRef(postingStem(p.field, p.term), ref), at, nil); err != nil {
			return err
		}
	}
	return nil
}

// wider returns the GLN that a place with a GLN extension lies in; otherwise the place itself.
func wider(location string) string {
	if i := strings.Index(location, "/254/"); i > 0 && strings.HasPrefix(location, "https://id.gs1.org/414/") {
		return location[:i]
	}
	return location
}

// wideTerm marks the term of a place that contains the event's place, so that exact questions do not find it.
func wideTerm(location string) string { return "within " + location }
