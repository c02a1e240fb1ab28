package journal

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"waybill/consensus/quorum"
	"waybill/node/signer"
)

// database is a bare Pebble behind a journal.
type database struct {
	db   *pebble.DB
	fs   vfs.FS
	held *held
}

// held is the storage of the signer that was opened last.
type held struct{ signer.Storage }

func (d database) DB() *pebble.DB { return d.db }

func (d database) Apply(b *pebble.Batch, sync bool) error {
	opts := pebble.NoSync
	if sync {
		opts = pebble.Sync
	}
	return errors.Join(d.db.Apply(b, opts), b.Close())
}

// pebblePair is a journal in a Pebble and a signer's file beside it.
type pebblePair struct {
	Disk
	database
}

func onPebble(d database) pebblePair { return pebblePair{OnPebble(d), d} }

// storage takes the file from whoever held it before, as after the end of a process.
func (p pebblePair) storage() (s signer.Storage, err error) {
	if p.held.Storage != nil {
		_ = p.held.Close() // its owner is no more
	}
	p.held.Storage, err = signer.OnFS(p.fs, signer.FileName)
	return p.held.Storage, err
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

func openDatabase(t failer, fs vfs.FS) database {
	t.Helper()
	db, err := pebble.Open("db", &pebble.Options{FS: fs, Logger: quiet{}, MemTableSize: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return database{db, fs, new(held)}
}

// TestPebbleFails fails every write of Pebble from some operation on: either a vote is durable, or there is an
// error and no vote.
func TestPebbleFails(t *testing.T) {
	n := newNetwork(t, mac{})
	failures := 0
	for from := int32(0); from < 40; from++ {
		mem := vfs.NewCrashableMem()
		counter := &failing{}
		db := openDatabase(t, errorfs.Wrap(mem, counter))
		j, _ := mustOpen(t, pebblePair{OnPebble(&gentle{database: db}), db}, n.config(0))
		counter.start(from)
		sent := map[ballot]quorum.Vote{}
		for v := quorum.View(1); v < 20; v++ {
			signed, refused, err := j.Sign([]quorum.Vote{vote(quorum.KindNotarize, v, "A")}, nil)
			if err != nil {
				failures++
				if len(signed)+len(refused) > 0 {
					t.Fatalf("error %v together with %v", err, signed)
				}
				if _, _, again := j.Sign([]quorum.Vote{vote(quorum.KindNotarize, v, "A")}, nil); again == nil {
					t.Fatal("the journal goes on after an error")
				}
				break
			}
			for _, s := range signed {
				sent[ballot{s.Vote().View, false}] = s.Vote()
			}
		}
		after := openDatabase(t, mem.CrashClone(vfs.CrashCloneCfg{}))
		attack(t, n, onPebble(after), sent, int(from))
		if err := after.db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if failures == 0 {
		t.Fatal("no write failed")
	}
}

// failing injects an error into every write from the n-th on, once it is started.
type failing struct {
	mu   sync.Mutex
	on   bool
	left int32
}

func (f *failing) String() string { return "failing" }

func (f *failing) start(left int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on, f.left = true, left
}

// MaybeError implements errorfs.Injector.
func (f *failing) MaybeError(op errorfs.Op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.on || op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	if f.left--; f.left >= 0 {
		return nil
	}
	return errDisk
}

// gentle turns the panic with which Pebble answers a failed log into an error, as the ledger's store does.
type gentle struct{ database }

func (g *gentle) Apply(b *pebble.Batch, sync bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDisk, p)
		}
	}()
	return g.database.Apply(b, sync)
}

// TestScanOfEpochs: the prefix of some epochs ends in 0xff.
func TestScanOfEpochs(t *testing.T) {
	for _, e := range []quorum.Epoch{0, 1, 254, 255, 256, 65535, 1<<64 - 1} {
		db := openDatabase(t, vfs.NewMem())
		n := newNetwork(t, mac{})
		cfg := n.config(0)
		cfg.Epoch = e
		j, _ := mustOpen(t, onPebble(db), cfg)
		v := vote(quorum.KindNotarize, 1, "A")
		v.Epoch = e
		if _, ok := signOne(t, j, v); !ok {
			t.Fatalf("epoch %d: refused", e)
		}
		if _, rec := mustOpen(t, onPebble(db), cfg); len(rec.Votes) != 1 {
			t.Fatalf("epoch %d: %d votes found after a restart", e, len(rec.Votes))
		}
		if err := db.db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
