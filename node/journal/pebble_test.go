package journal

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"waybill/consensus/quorum"
)

// database is a bare Pebble behind a journal.
type database struct{ db *pebble.DB }

func (d database) DB() *pebble.DB { return d.db }

func (d database) Apply(b *pebble.Batch, sync bool) error {
	opts := pebble.NoSync
	if sync {
		opts = pebble.Sync
	}
	return errors.Join(d.db.Apply(b, opts), b.Close())
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
	return database{db}
}

// crashes copies the disk at every write operation, with a part of what was not synced.
type crashes struct {
	mem *vfs.MemFS

	mu    sync.Mutex
	sent  map[ballot]quorum.Vote // what left the node so far
	views map[quorum.View]bool   // of proposals that left the node
	ops   int
	disks []crashed
}

type crashed struct {
	what  string
	fs    vfs.FS
	sent  map[ballot]quorum.Vote
	views map[quorum.View]bool
}

func (c *crashes) String() string { return "crashes" }

// MaybeError implements errorfs.Injector; it injects nothing.
func (c *crashes) MaybeError(op errorfs.Op) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	c.ops++
	for _, percent := range []int{0, 50, 100} {
		c.disks = append(c.disks, crashed{
			what:  fmt.Sprintf("operation %d (%s), %d %% kept", c.ops, op.Path, percent),
			fs:    c.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(c.ops), 11))}),
			sent:  maps.Clone(c.sent),
			views: maps.Clone(c.views),
		})
	}
	return nil
}

func (c *crashes) note(signed []quorum.VerifiedVote) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range signed {
		c.sent[ballot{s.Vote().View, exitOf(s.Vote())}] = s.Vote()
	}
}

func (c *crashes) noteProposal(v quorum.View) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.views[v] = true
}

// TestPebbleCrashes crashes a real Pebble at every write operation and asks for second signatures.
func TestPebbleCrashes(t *testing.T) {
	views := quorum.View(14)
	if testing.Short() {
		views = 7
	}
	n := newNetwork(t, mac{})
	c := &crashes{mem: vfs.NewCrashableMem(), sent: map[ballot]quorum.Vote{}, views: map[quorum.View]bool{}}
	db := openDatabase(t, errorfs.Wrap(c.mem, c))
	c.disks = nil // the database was not there before
	j, _ := mustOpen(t, OnPebble(db), n.config(0))
	for v := quorum.View(1); v <= views; v++ {
		live(t, n, c, j, v)
		if v == views/2 {
			if err := db.db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, d := range c.disks {
		d.check(t, n)
	}
	if len(c.disks) < 100 || len(c.sent) < int(views) {
		t.Fatalf("only %d crashes and %d votes", len(c.disks), len(c.sent))
	}
	t.Logf("%d crashes, %d votes", len(c.disks), len(c.sent))
}

// live is a view in the life of a validator.
func live(t *testing.T, n *network, c *crashes, j *Journal, v quorum.View) {
	p := n.proposal(t, v, "payload")
	own := n.slate.Leader(v) == 0
	block := n.verified(t, p)
	if own {
		var err error
		if block, err = j.SignProposal(p); err != nil {
			t.Fatal(err)
		}
		c.noteProposal(v)
	}
	notarize := quorum.Vote{Kind: quorum.KindNotarize, Epoch: testEpoch, View: v, Height: 1, Block: block.Hash()}
	exit := vote(quorum.KindNullify, v, "")
	if v%3 == 0 {
		exit = notarize
		exit.Kind = quorum.KindFinalize
	}
	for _, vote := range []quorum.Vote{notarize, exit} {
		signed, _, err := j.Sign([]quorum.Vote{vote}, []quorum.VerifiedProposal{block})
		if err != nil || len(signed) != 1 {
			t.Fatal(signed, err)
		}
		c.note(signed)
	}
	if err := j.Keep([]quorum.VerifiedCertificate{n.certificate(t, notarize)}); err != nil {
		t.Fatal(err)
	}
	if err := j.Forget(v - 1); err != nil {
		t.Fatal(err)
	}
}

func (d *crashed) check(t *testing.T, n *network) {
	t.Helper()
	db := openDatabase(t, d.fs)
	defer func() {
		if err := db.db.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	j, rec, err := Open(OnPebble(db), n.config(0))
	if err != nil {
		t.Fatalf("%s: %v", d.what, err)
	}
	held := map[string]bool{}
	for _, b := range rec.Blocks {
		held[b.Hash().String()] = true
	}
	for _, b := range rec.OwnProposals {
		held[b.Hash().String()] = true
	}
	for _, s := range rec.Votes {
		if v := s.Vote(); v.Kind == quorum.KindNotarize && v.View == rec.Signed.View && !held[v.Block.String()] {
			t.Fatalf("%s: our notarize of view %d is on the disk, its block is not", d.what, v.View)
		}
	}
	for b, old := range d.sent {
		if rec.Signed.View < b.view {
			t.Fatalf("%s: the watermark is %+v, a vote of view %d was sent", d.what, rec.Signed, b.view)
		}
		for _, v := range []quorum.Vote{vote(quorum.KindNotarize, b.view, "evil"), vote(quorum.KindFinalize, b.view, "evil"), vote(quorum.KindNullify, b.view, "")} {
			if exitOf(v) != b.exit {
				continue
			}
			if s, ok := signOne(t, j, v); ok && s.Vote() != old {
				t.Fatalf("%s: signed %+v, and after a crash %+v", d.what, old, s.Vote())
			}
		}
	}
	for v := range d.views {
		if _, err := j.SignProposal(n.proposal(t, v, "evil")); !IsRefusal(err) {
			t.Fatalf("%s: a second proposal of view %d: %v", d.what, v, err)
		}
	}
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
		j, _ := mustOpen(t, OnPebble(&gentle{database: db}), n.config(0))
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
		attack(t, n, OnPebble(after), sent, int(from))
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
		j, _ := mustOpen(t, OnPebble(db), cfg)
		v := vote(quorum.KindNotarize, 1, "A")
		v.Epoch = e
		if _, ok := signOne(t, j, v); !ok {
			t.Fatalf("epoch %d: refused", e)
		}
		if _, rec := mustOpen(t, OnPebble(db), cfg); len(rec.Votes) != 1 {
			t.Fatalf("epoch %d: %d votes found after a restart", e, len(rec.Votes))
		}
		if err := db.db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
