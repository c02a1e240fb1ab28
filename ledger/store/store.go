package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// folder is the database's folder in the data folder.
const folder = "db"

// Tip is the last block of the ledger and what it left behind.
type Tip struct {
	Height       quorum.Height
	Hash         crypto.Hash
	StateRoot    crypto.Hash
	ReceiptsRoot crypto.Hash // of this block alone

	// ReceiptsChain is what a header with this ExecHeight carries: ledger.ChainReceipts over all blocks up to here.
	ReceiptsChain crypto.Hash
}

// Store is an open ledger. The zero value is not usable; see [Open].
type Store struct {
	dir     string // of the database, for messages
	history uint64
	beside  func(*pebble.Batch, quorum.Height, []ledger.Write) error // see Options.Beside; may be nil
	genesis crypto.Hash

	db       *pebble.DB
	lock     *pebble.Lock
	reporter *reporter
	guard    *guardFS

	base quorum.Height // set while opening

	tree       *crypto.Tree  // used by Commit only
	records    *recordCache  // of the present state
	filter     *keyFilter    // of the present state
	filled     chan struct{} // closed when nobody fills the filter any more
	batch      *pebble.Batch // memory of the last block's, empty; nil: none. Used by Commit only
	batchRoom  int           // bytes that batch was made for; used by Commit only
	besideSize int           // bytes that others put into the last block's batch; used by Commit only
	undo       undoRecord    // memory of the last block's; used by Commit only

	tip atomic.Pointer[tipRecord] // written by Commit only

	// gate is held for reading by everything that uses db, and for writing by Close: Pebble panics when it is used
	// after it is closed, and a request may still be running when a node stops.
	gate sync.RWMutex

	mu      sync.Mutex    // of what follows
	changed chan struct{} // closed and replaced whenever the tip rises
	closing chan struct{} // closed when closed becomes true
	closed  bool
}

// Open opens the ledger in the data folder dir, creating it with the genesis block if there is none.
//
// Errors to branch on: ErrLocked (another process has it open), ErrForeign (it belongs to a network with another
// genesis), ErrSchema (a newer program wrote it, or one too old), ErrCorrupt, ErrDiskFull, ErrGenesis, ErrIO.
func Open(dir string, genesis *ledger.Genesis, opts Options) (*Store, error) {
	opts = opts.withDefaults()
	s := &Store{
		dir: opts.FS.PathJoin(dir, folder), history: opts.History, beside: opts.Beside,
		reporter: newReporter(), changed: make(chan struct{}),
		tree: crypto.NewTree(opts.TreeBytes), records: newRecordCache(opts.RecordBytes), filter: newKeyFilter(opts.FilterBytes),
		closing: make(chan struct{}), filled: make(chan struct{}),
	}
	if err := s.open(opts); err != nil {
		return nil, err
	}
	err := s.load(genesis)
	if err == nil {
		err = s.fillFilter()
	}
	if err != nil {
		close(s.filled)
		_ = s.Close() // the error of loading is the one to tell
		return nil, err
	}
	return s, nil
}

// open takes the lock and opens the database.
func (s *Store) open(opts Options) error {
	if err := makeFolder(opts.FS, s.dir); err != nil {
		return s.classify(err, "creating the database folder")
	}
	lock, err := pebble.LockDirectory(s.dir, opts.FS)
	if err != nil {
		return s.lockError(err)
	}
	cache := pebble.NewCache(opts.CacheBytes)
	defer cache.Unref() // the database keeps its own reference
	s.guard = &guardFS{FS: opts.FS, reporter: s.reporter}
	opts.FS = s.guard
	p := opts.pebble(s.reporter, cache)
	p.Lock = lock
	desc, err := pebble.Peek(s.dir, opts.FS)
	if err == nil && desc.Exists && desc.FormatMajorVersion > formatVersion {
		err = refuse(ErrSchema, "%s has storage format %d, this program knows up to %d: use the program that wrote it, or a newer one",
			s.dir, desc.FormatMajorVersion, formatVersion)
	}
	if err == nil {
		s.db, err = openPebble(s.dir, p)
	}
	if err != nil {
		_ = lock.Close()
		if desc != nil && desc.Exists && lacksFiles(err) {
			return s.corrupt(err, "opening the database")
		}
		return s.classify(err, "opening the database")
	}
	s.lock = lock
	s.guard.armed.Store(true)
	return nil
}

// makeFolder creates a folder and what leads to it, and makes that durable: a synced file in a folder whose own entry
// was never synced is gone after a power cut.
func makeFolder(fs vfs.FS, dir string) error {
	var missing []string
	for at := dir; ; at = fs.PathDir(at) {
		if _, err := fs.Stat(at); err == nil || at == fs.PathDir(at) {
			break
		}
		missing = append(missing, at)
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, made := range missing {
		parent, err := fs.OpenDir(fs.PathDir(made))
		if err != nil {
			return err
		}
		if err := errors.Join(parent.Sync(), parent.Close()); err != nil {
			return err
		}
	}
	return nil
}

// openPebble opens the database. Pebble panics where a sync fails that it cannot undo; to us that is a failed open.
func openPebble(dir string, opts *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if cause, ok := recover().(error); ok {
			db, err = nil, cause
		}
	}()
	return pebble.Open(dir, opts)
}

// lockError tells "in use" from other failures. Advisory locks answer EAGAIN or EACCES; Pebble's memory file system
// and its per-process table of locks answer in words only.
func (s *Store) lockError(err error) error {
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) || bytes.Contains([]byte(err.Error()), []byte("lock held by current process")) {
		return &Error{Kind: ErrLocked, Cause: err,
			Detail: s.dir + " is open in another process: stop that process, or use another data folder"}
	}
	return s.classify(err, "locking the database")
}

// load checks whose database it is and finds the tip, or creates the genesis block.
func (s *Store) load(genesis *ledger.Genesis) error {
	if err := genesis.Validate(); err != nil {
		return &Error{Kind: ErrGenesis, Detail: "the genesis is not valid", Cause: err}
	}
	s.genesis = genesis.Hash()
	schema, err := s.get(metaKey(metaSchema))
	if err != nil {
		return err
	}
	if schema == nil {
		return s.create(genesis)
	}
	if err := s.checkSchema(schema); err != nil {
		return err
	}
	if err := s.checkGenesis(); err != nil {
		return err
	}
	if half, err := s.unfinished(); err != nil || half {
		return errors.Join(err, s.reset(genesis))
	}
	if err := s.loadBase(); err != nil {
		return err
	}
	return s.loadTip()
}

func (s *Store) checkSchema(schema []byte) error {
	if len(schema) != 4 {
		return s.corrupt(nil, "the schema version has %d bytes", len(schema))
	}
	switch v := binary.BigEndian.Uint32(schema); {
	case v > schemaVersion:
		return refuse(ErrSchema, "%s has schema %d, this program knows up to %d: use the program that wrote it, or a newer one", s.dir, v, schemaVersion)
	case v == 0:
		return s.corrupt(nil, "schema %d never existed", v)
	case v < schemaVersion:
		return refuse(ErrSchema, "%s has schema %d, this program needs %d: remove the folder and let the node fetch the ledger again", s.dir, v, schemaVersion)
	}
	return nil
}

func (s *Store) checkGenesis() error {
	stored, err := s.get(metaKey(metaGenesis))
	if err != nil {
		return err
	}
	if len(stored) != crypto.HashSize {
		return s.corrupt(nil, "the genesis hash has %d bytes", len(stored))
	}
	if found := crypto.Hash(stored); found != s.genesis {
		return refuse(ErrForeign, "%s belongs to the network with genesis %s, the configuration names genesis %s: use the data folder of that network, or its genesis file",
			s.dir, found, s.genesis)
	}
	return nil
}

// loadTip reads the tip and checks that the records it rests on say the same.
func (s *Store) loadTip() error {
	raw, err := s.get(tipKey())
	if err != nil {
		return err
	}
	t, err := decodeTip(raw)
	if err != nil {
		return s.corrupt(err, "reading the tip")
	}
	header, err := s.Header(t.Height)
	if err != nil {
		return s.missing(err, t.Height)
	}
	roots, err := s.roots(nil, t.Height)
	if err != nil {
		return s.missing(err, t.Height)
	}
	root, err := crypto.TreeRoot(livePages{s, nil})
	if err != nil {
		return s.classify(err, "reading the state tree")
	}
	want := blockRoots{state: t.StateRoot, receipts: t.ReceiptsRoot, chain: t.ReceiptsChain}
	if header.Hash() != t.Hash || header.Height != t.Height || roots != want || root != t.StateRoot {
		return s.corrupt(nil, "block %d does not agree with the tip", t.Height)
	}
	s.tip.Store(&t)
	return nil
}

// missing turns "not found" into corruption where a record must exist.
func (s *Store) missing(err error, h quorum.Height) error {
	if errors.Is(err, ErrNotFound) {
		return s.corrupt(err, "reading block %d", h)
	}
	return err
}

// Close waits for running flushes and releases the folder. Blocks committed since the last Sync may be lost in a crash
// of the machine before the operating system writes them; Close syncs first, unless the store has failed. Snapshots and
// whoever uses DB must be closed before; a read that comes too late gets ErrStopped. After a failed write the folder
// stays locked until the process ends, because a write that was given up may still be under way.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.changed)
	close(s.closing)
	s.mu.Unlock()
	<-s.filled

	var errs []error
	if s.reporter.failure() == nil {
		errs = append(errs, s.sync())
	}
	if !s.shutGate() {
		return &Error{Kind: ErrStopped, Detail: "a write of " + s.dir + " failed and was given up; end the process, which releases the folder", Cause: s.Err()}
	}
	s.guard.armed.Store(false)
	errs = append(errs, s.closeDB(), s.lock.Close())
	s.gate.Unlock()
	return s.classify(errors.Join(errs...), "closing the database")
}

// shutGate waits until nobody uses the database; false if somebody never will stop, because a write was given up.
func (s *Store) shutGate() bool {
	for !s.gate.TryLock() {
		if s.guard.gaveUp.Load() {
			return false
		}
		time.Sleep(time.Millisecond)
	}
	if s.guard.gaveUp.Load() {
		s.gate.Unlock()
		return false
	}
	return true
}

// closeDB closes Pebble. Where it panics on a write that fails now, that is a failed close.
func (s *Store) closeDB() (err error) {
	db := s.db
	s.db = nil
	defer func() {
		if cause, ok := recover().(error); ok {
			err = cause
		}
	}()
	return db.Close()
}

// DB returns the database, nil once closed, for the keyspaces of node/journal and ledger/index. They write through [Store.Apply].
func (s *Store) DB() *pebble.DB { return s.db }

// Genesis returns the identity of the network.
func (s *Store) Genesis() crypto.Hash { return s.genesis }

// Dir returns the folder of the database, for messages.
func (s *Store) Dir() string { return s.dir }

// Tip returns the last committed block.
func (s *Store) Tip() Tip { return s.tip.Load().Tip }

// Err returns why the store stopped, nil while it works. A node that sees an error here must stop.
func (s *Store) Err() error {
	if err := s.reporter.failure(); err != nil {
		return s.classify(err, "writing the database")
	}
	return nil
}

// Failed is closed when the store stops; see [Store.Err].
func (s *Store) Failed() <-chan struct{} { return s.reporter.failed }

// WaitFor returns when the ledger has reached height h, when ctx ends, or when the store stops or closes.
func (s *Store) WaitFor(ctx context.Context, h quorum.Height) error {
	for {
		s.mu.Lock()
		changed, closed := s.changed, s.closed
		s.mu.Unlock()
		switch {
		case s.Tip().Height >= h:
			return nil
		case closed:
			return refuse(ErrStopped, "the store is closed")
		}
		select {
		case <-changed:
		case <-s.reporter.failed:
			return s.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// rise announces a new tip.
func (s *Store) rise(t *tipRecord) {
	s.tip.Store(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		close(s.changed)
		s.changed = make(chan struct{})
	}
}
