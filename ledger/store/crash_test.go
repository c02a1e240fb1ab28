package store

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"waybill/consensus/quorum"
)

// disk is what the disk may hold after a crash at some moment, and what had been promised by then.
type disk struct {
	fs              *vfs.MemFS
	synced, started quorum.Height
	what            string
}

// crashFS is a MemFS whose ReuseForWrite may run while it is copied: the original takes a read lock twice, which
// deadlocks when a copy waits between the two.
type crashFS struct{ *vfs.MemFS }

func newCrashFS() crashFS { return crashFS{vfs.NewCrashableMem()} }

// ReuseForWrite implements vfs.FS.
func (f crashFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.Rename(oldname, newname); err != nil {
		return nil, err
	}
	return f.OpenReadWrite(newname, category)
}

// Unwrap implements vfs.FS.
func (f crashFS) Unwrap() vfs.FS { return f.MemFS }

// crashes takes such copies while the store works: before every stride-th operation on the file system, with 0, 50 and
// 100 % of what was not synced.
type crashes struct {
	mem             crashFS
	stride          int
	ordered         bool // never 50 %
	synced, started atomic.Uint64

	mu    sync.Mutex
	ops   int
	disks []disk
}

func (c *crashes) String() string { return "crashes" }

// MaybeError implements errorfs.Injector; it injects nothing.
func (c *crashes) MaybeError(op errorfs.Op) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ops++; op.Kind.ReadOrWrite() != errorfs.OpIsWrite || c.ops%c.stride != 0 {
		return nil
	}
	percent := []int{0, 50, 100}[c.ops/c.stride%3]
	if c.ordered && percent == 50 {
		percent = 0
	}
	d := disk{what: fmt.Sprintf("crash at operation %d with %d %% of what was not synced", c.ops, percent), synced: quorum.Height(c.synced.Load())}
	d.fs = c.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(c.ops), 7))})
	d.started = quorum.Height(c.started.Load())
	c.disks = append(c.disks, d)
	return nil
}

// After a crash at any point the ledger is after some whole block: one that was synced, or a later one.
func TestCrashAtAnyPointLeavesWholeBlocks(t *testing.T) {
	seeds, blocks := 3, 90
	if testing.Short() {
		seeds, blocks = 1, 30
	}
	total, between := 0, 0
	for seed := range seeds {
		c := &crashes{mem: newCrashFS(), stride: 2 + seed}
		m := inEpochs(uint64(seed))
		rng := rand.New(rand.NewPCG(uint64(seed), 3))
		s := mustOpen(t, errorfs.Wrap(c.mem, c))
		for range blocks {
			b := m.next()
			c.started.Store(uint64(b.header.Height))
			if _, err := commitBlock(s, b); err != nil {
				t.Fatal(err)
			}
			if rng.IntN(3) == 0 {
				if err := s.Sync(); err != nil {
					t.Fatal(err)
				}
				c.synced.Store(uint64(b.header.Height))
			}
		}
		closed(t, s)
		for _, d := range c.disks {
			total++
			if tip := m.checkDisk(t, d); tip > d.synced && tip < d.started {
				between++
			}
		}
	}
	if total < 30 {
		t.Fatalf("only %d crashes were tried", total)
	}
	t.Logf("%d crashes, %d of them between what was synced and what was written", total, between)
}

func (m *model) checkDisk(t *testing.T, d disk) quorum.Height {
	t.Helper()
	s, err := Open("data", m.genesis, small(d.fs))
	if err != nil {
		t.Fatalf("%s: open: %v", d.what, err)
	}
	tip := m.check(t, s)
	if tip < d.synced || tip > d.started {
		t.Fatalf("%s: the tip is %d, synced was %d, begun was %d", d.what, tip, d.synced, d.started)
	}
	// And life goes on.
	if int(tip)+1 < len(m.blocks) {
		if _, err := commitBlock(s, m.blocks[tip+1]); err != nil {
			t.Fatalf("%s: next block: %v", d.what, err)
		}
		if got := s.Tip().StateRoot; got != m.roots[tip+1] {
			t.Fatalf("%s: next root %s, want %s", d.what, got, m.roots[tip+1])
		}
	}
	closed(t, s)
	return tip
}

// A crash while the database is created leaves one that is created again.
func TestCrashWhileCreating(t *testing.T) {
	c := &crashes{mem: newCrashFS(), stride: 1}
	s := mustOpen(t, errorfs.Wrap(c.mem, c))
	closed(t, s)
	m := inEpochs(1)
	if len(c.disks) < 20 {
		t.Fatalf("only %d crashes were tried", len(c.disks))
	}
	for _, d := range c.disks {
		s, err := Open("data", m.genesis, small(d.fs))
		if err != nil {
			t.Fatalf("%s: %v", d.what, err)
		}
		m.check(t, s)
		closed(t, s)
	}
}

var errDisk = errors.New("the disk said no")

// faulty fails every write from the n-th on, with err.
type faulty struct {
	n    int64
	err  error
	seen atomic.Int64
}

func (f *faulty) String() string { return "faulty" }

func (f *faulty) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && f.seen.Add(1) > f.n {
		return f.err
	}
	return nil
}

// A write that fails at any point stops the store with an error that says so; what is on the disk is whole blocks.
func TestFailedWriteStopsTheStore(t *testing.T) {
	stride := int64(7)
	if testing.Short() {
		stride = 43
	}
	failed := 0
	for n := int64(0); ; n += stride {
		mem := newCrashFS()
		f := &faulty{n: n, err: errDisk}
		m := inEpochs(uint64(n))
		committed, synced, err := workUntilFailure(t, m, errorfs.Wrap(mem, f))
		if err == nil {
			break // the work ends before the fault
		}
		failed++
		var ours *Error
		if !errors.As(err, &ours) || !errors.Is(err, errDisk) || !errors.Is(err, ErrIO) {
			t.Fatalf("fault at write %d: %v is not a wrapped %v of kind %v", n, err, errDisk, ErrIO)
		}
		d := disk{fs: mem.CrashClone(vfs.CrashCloneCfg{}), synced: synced, started: committed + 1, what: fmt.Sprintf("fault at write %d", n)}
		m.checkDisk(t, d)
	}
	if failed < 5 {
		t.Fatalf("only %d faults were met", failed)
	}
}

// workUntilFailure commits and syncs until something fails, and looks at the store afterwards.
func workUntilFailure(t *testing.T, m *model, fs vfs.FS) (committed, synced quorum.Height, err error) {
	t.Helper()
	s, err := Open("data", m.genesis, small(fs))
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = s.Close() }() // may fail like everything else
	for range 60 {
		b := m.next()
		if _, err = commitBlock(s, b); err != nil {
			break
		}
		committed = b.header.Height
		if committed%2 == 0 {
			if err = s.Sync(); err != nil {
				break
			}
			synced = committed
		}
	}
	if err == nil {
		return committed, synced, nil
	}
	if s.Err() == nil {
		t.Fatalf("the store goes on after %v", err)
	}
	select {
	case <-s.Failed():
	default:
		t.Fatal("nobody is told of the failure")
	}
	if _, again := commitBlock(s, m.next()); !errors.Is(again, ErrStopped) {
		t.Fatalf("commit after a failure: %v", again)
	}
	if again := s.Sync(); !errors.Is(again, ErrStopped) {
		t.Fatalf("sync after a failure: %v", again)
	}
	return committed, synced, err
}

func TestDiskFull(t *testing.T) {
	for _, n := range []int64{0, 30, 60, 120} {
		mem := newCrashFS()
		full := &os.PathError{Op: "write", Path: "data/db/000002.log", Err: syscall.ENOSPC}
		m := inEpochs(uint64(n))
		_, _, err := workUntilFailure(t, m, errorfs.Wrap(mem, &faulty{n: n, err: full}))
		if !errors.Is(err, ErrDiskFull) || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("full at write %d: %v", n, err)
		}
		m.checkDisk(t, disk{fs: mem.CrashClone(vfs.CrashCloneCfg{}), started: quorum.Height(len(m.blocks)), what: "disk full"})
	}
}

// readFault fails reads from the n-th on.
type readFault struct {
	n    int64
	seen atomic.Int64
}

func (f *readFault) String() string { return "readFault" }

func (f *readFault) MaybeError(op errorfs.Op) error {
	if op.Kind == errorfs.OpFileReadAt && f.seen.Add(1) > f.n {
		return errDisk
	}
	return nil
}

// A read that fails is an error, never "not there".
func TestFailedReadIsNoAbsence(t *testing.T) {
	mem := vfs.NewMem()
	m := inEpochs(4)
	s := mustOpen(t, mem)
	m.grow(t, s, 60)
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	closed(t, s)
	met := 0
	for n := int64(0); n < 200; n += 5 {
		disk := vfs.NewMem()
		if _, err := vfs.Clone(mem, disk, "data", "data"); err != nil {
			t.Fatal(err)
		}
		fs := errorfs.Wrap(disk, &readFault{n: n})
		s, err := Open("data", m.genesis, Options{FS: fs, CacheBytes: 1})
		if err != nil {
			if !errors.Is(err, errDisk) {
				t.Fatalf("fault at read %d: open: %v", n, err)
			}
			met++
			continue
		}
		for h := range m.blocks {
			b, err := s.Block(quorum.Height(h))
			if err != nil && !errors.Is(err, errDisk) {
				t.Fatalf("fault at read %d: block %d: %v", n, h, err)
			}
			if err == nil && b.Header != m.blocks[h].header {
				t.Fatalf("fault at read %d: block %d is another one", n, h)
			}
			if err != nil {
				met++
			}
		}
		_ = s.Close() // may fail like everything else
	}
	if met < 10 {
		t.Fatalf("only %d faults were met", met)
	}
}

// A flipped byte anywhere is found or harmless: never a wrong answer.
func TestFlippedBytes(t *testing.T) {
	mem := vfs.NewMem()
	m := inEpochs(12)
	s := mustOpen(t, mem)
	m.grow(t, s, 60)
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	m.grow(t, s, 3) // in the log only
	closed(t, s)
	rng := rand.New(rand.NewPCG(1, 1))
	rounds := 120
	if testing.Short() {
		rounds = 40
	}
	found := 0
	for range rounds {
		fs, what := flip(t, mem, rng)
		if m.survives(t, fs, what) {
			continue
		}
		found++
	}
	if found == 0 {
		t.Fatalf("none of %d flips was found; are they in the files at all?", rounds)
	}
}

// A file that is missing or cut short is corruption: trying again, or looking at permissions, does not help.
func TestLostFilesAreCorruption(t *testing.T) {
	mem := vfs.NewMem()
	m := inEpochs(12)
	s := mustOpen(t, mem)
	m.grow(t, s, 60)
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	closed(t, s)
	names, err := mem.List("data/db")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, name := range names {
		table := strings.HasSuffix(name, ".sst")
		if !table && !strings.HasPrefix(name, "MANIFEST") {
			continue
		}
		for _, cut := range []bool{false, true} {
			if cut && !table {
				continue
			}
			tried++
			fs := vfs.NewMem()
			if _, err := vfs.Clone(mem, fs, "data", "data"); err != nil {
				t.Fatal(err)
			}
			if err := fs.Remove("data/db/" + name); err != nil {
				t.Fatal(err)
			}
			if cut {
				f, err := fs.Create("data/db/"+name, vfs.WriteCategoryUnspecified)
				if err == nil {
					_, err = f.Write([]byte("half"))
					err = errors.Join(err, f.Close())
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Open("data", m.genesis, small(fs)); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s, cut short %v: %v, want %v", name, cut, err, ErrCorrupt)
			}
		}
	}
	if tried < 3 {
		t.Fatalf("only %d losses were tried", tried)
	}
}

// flip copies the file system and changes one byte in one file.
func flip(t *testing.T, mem *vfs.MemFS, rng *rand.Rand) (vfs.FS, string) {
	t.Helper()
	fs := vfs.NewMem()
	if _, err := vfs.Clone(mem, fs, "data", "data"); err != nil {
		t.Fatal(err)
	}
	names, err := fs.List("data/db")
	if err != nil {
		t.Fatal(err)
	}
	for {
		name := "data/db/" + names[rng.IntN(len(names))]
		f, err := fs.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		if len(content) == 0 {
			continue
		}
		at := rng.IntN(len(content))
		content[at] ^= 1 << rng.IntN(8)
		w, err := fs.Create(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return fs, fmt.Sprintf("%s, byte %d", name, at)
	}
}

// survives reports whether the store answers as ever; false if it refused. Anything else fails the test.
func (m *model) survives(t *testing.T, fs vfs.FS, what string) bool {
	t.Helper()
	s, err := Open("data", m.genesis, small(fs))
	if err != nil {
		var ours *Error
		if !errors.As(err, &ours) {
			t.Fatalf("%s: open: %v has no kind", what, err)
		}
		return false
	}
	defer func() { _ = s.Close() }() // of a damaged database
	if err := s.Audit(t.Context(), nil); err != nil {
		if !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%s: audit: %v", what, err)
		}
		return false
	}
	if s.Err() != nil {
		return false // noticed by a compaction
	}
	m.check(t, s)
	return true
}
