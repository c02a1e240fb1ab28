package journal

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/node/signer"
)

// crashFS is a MemFS whose ReuseForWrite may run while it is copied: the original takes a read lock twice, which
// deadlocks when a copy waits between the two.
type crashFS struct{ *vfs.MemFS }

// ReuseForWrite implements vfs.FS.
func (f crashFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.Rename(oldname, newname); err != nil {
		return nil, err
	}
	return f.OpenReadWrite(newname, category)
}

// Create implements vfs.FS. A manifest is in its folder at once: Pebble names it in its marker before it syncs the folder
// for both, and counts on a file system that keeps the order of the two, which this one does not by itself.
func (f crashFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.MemFS.Create(name, category)
	if err != nil || !strings.HasPrefix(f.PathBase(name), "MANIFEST") {
		return file, err
	}
	dir, err := f.OpenDir(f.PathDir(name))
	if err != nil {
		return nil, err
	}
	return file, errors.Join(dir.Sync(), dir.Close())
}

// Unwrap implements vfs.FS.
func (f crashFS) Unwrap() vfs.FS { return f.MemFS }

// blocks are the proposals of a network, made once: they cost more than anything else here.
type blocks struct {
	*network
	made map[string]quorum.VerifiedProposal
}

// at is the block with this payload in a view of an epoch, on the anchor.
func (b *blocks) at(t failer, e quorum.Epoch, v quorum.View, payload string) quorum.VerifiedProposal {
	t.Helper()
	name := fmt.Sprint(e, v, payload)
	if p, ok := b.made[name]; ok {
		return p
	}
	p := b.proposal(t, v, payload)
	p.Header.Epoch = e
	for i, c := range p.Justification.Skip {
		p.Justification.Skip[i] = b.certificate(t, quorum.Vote{Kind: quorum.KindNullify, Epoch: e, View: c.View}).Certificate()
	}
	b.made[name] = b.verified(t, p)
	return b.made[name]
}

// The epochs of a life, and its views in each.
const (
	firstEpoch = quorum.Epoch(5)
	topView    = quorum.View(9)
)

// past is what an observer of the network knows of a validator, and where the life was when it was seen.
type past struct {
	votes     map[signer.Mark]quorum.Vote
	proposals map[signer.Slot]quorum.VerifiedProposal
	asked     signer.Mark // the highest vote that was asked for, answered or not
	idle      bool        // the last one was answered
	floor     signer.Slot // of Forget
}

// life is a validator that works on a file system which may lose power at every operation on it.
type life struct {
	t     *testing.T
	n     *blocks
	rng   *rand.Rand
	cache *pebble.Cache
	limit int // of crash points

	mem  crashFS
	db   database
	file *signer.File
	j    *Journal
	past // of the observer, guarded by mu while cutting
	e    quorum.Epoch

	mu      sync.Mutex
	cutting bool // power may go
	points  int
	ops     int
	stats   map[string]int
}

func (l *life) String() string { return "life" }

// MaybeError implements errorfs.Injector: it injects nothing, and looks at what a power cut would leave now.
func (l *life) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.cutting || l.points >= l.limit {
		return nil
	}
	l.ops++
	for _, percent := range []int{0, 50, 100} {
		what := fmt.Sprintf("epoch %d, operation %d (%v %s), %d %% kept", l.e, l.ops, op.Kind, op.Path, percent)
		done := make(chan struct{})
		go func() { // this may be a goroutine of Pebble's, which a failed test must not end
			defer close(done)
			l.check(l.cut(percent), what)
		}()
		<-done
		l.points++
		if l.t.Failed() {
			l.points = l.limit
			return nil
		}
	}
	return nil
}

// cut is the file system after a loss of power.
func (l *life) cut(percent int) crashFS {
	return crashFS{l.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(l.points), uint64(percent)))})}
}

func (l *life) openDatabase(fs vfs.FS, what string) database {
	l.t.Helper()
	db, err := pebble.Open("db", &pebble.Options{FS: fs, Logger: quiet{}, MemTableSize: 32 << 10, Cache: l.cache, DisableAutomaticCompactions: true,
		FormatMajorVersion: pebble.FormatValueSeparation})
	if err != nil {
		l.t.Fatalf("%s: %v", what, err)
	}
	return database{db, fs, new(held)}
}

// ledgerEpoch is where the ledger of this database is: the key is written as a closing block is, unsynced.
func ledgerEpoch(db database) quorum.Epoch {
	value, closer, err := db.db.Get([]byte("L"))
	if err != nil {
		return firstEpoch
	}
	defer closer.Close()
	return quorum.Epoch(value[0])
}

func (l *life) config(e quorum.Epoch, reserve int) setup {
	cfg := l.n.config(0)
	cfg.Epoch, cfg.reserve = e, reserve
	return cfg
}

// wake starts the node on the file system as it is.
func (l *life) wake(reserve int) {
	l.t.Helper()
	l.db = l.openDatabase(errorfs.Wrap(l.mem, l), "waking up")
	e := ledgerEpoch(l.db)
	l.observe(func(*past) { l.e = e }) // Pebble's goroutines look at it, too
	cfg := l.config(l.e, reserve)
	var err error
	if l.file, err = openSigner(onPebble(l.db), cfg); err != nil {
		l.t.Fatal(err)
	}
	cfg.Signer = l.file
	l.j, _ = mustOpen(l.t, onPebble(l.db), cfg)
}

// switched turns power cuts on or off.
func (l *life) switched(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cutting = on
}

func (l *life) done() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.points >= l.limit
}

// observe changes what the observer knows.
func (l *life) observe(change func(*past)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.past)
}

// vote has votes signed and sends them.
func (l *life) vote(blocks []quorum.VerifiedProposal, votes ...quorum.Vote) {
	l.t.Helper()
	l.observe(func(p *past) {
		for _, v := range votes {
			if m := signer.MarkOf(v); p.asked.Less(m) {
				p.asked, p.idle = m, false
			}
		}
	})
	signed, refused, err := l.j.Sign(votes, blocks)
	if err != nil || len(refused) > 0 {
		l.t.Fatalf("%d of %d votes refused (%+v), error %v", len(refused), len(votes), refused, err)
	}
	l.observe(func(p *past) {
		p.idle = true
		for _, s := range signed {
			p.votes[signer.MarkOf(s.Vote())] = s.Vote()
		}
	})
}

// view is one view in the life of a validator.
func (l *life) view(v quorum.View) {
	l.t.Helper()
	t, rng := l.t, l.rng
	name := string(rune('A' + rng.IntN(2)))
	block := l.n.at(t, l.e, v, name)
	leader := l.n.slate.Leader(v) == 0
	proposed := false
	if leader {
		p := block.Proposal()
		p.Signature = crypto.Signature{}
		_, err := l.j.SignProposal(p)
		if proposed = err == nil; err != nil && !IsRefusal(err) {
			t.Fatal(err)
		}
	}
	if proposed && rng.IntN(3) > 0 {
		l.leaves(block)
	}
	notarize := quorum.Vote{Kind: quorum.KindNotarize, Epoch: l.e, View: v, Height: 1, Block: block.Hash()}
	exit := quorum.Vote{Kind: quorum.KindNullify, Epoch: l.e, View: v}
	held := []quorum.VerifiedProposal{block}
	switch rng.IntN(5) {
	case 0:
		l.vote(nil, exit)
	case 1:
		l.vote(held, notarize, exit)
	case 2:
		l.vote(held, notarize)
	case 3, 4:
		exit = notarize
		exit.Kind = quorum.KindFinalize
		l.vote(held, notarize)
		l.vote(nil, exit)
	}
	if proposed && rng.IntN(2) == 0 {
		l.leaves(block)
	}
	if err := l.j.Keep([]quorum.VerifiedCertificate{l.n.certificate(t, notarize)}); err != nil {
		t.Fatal(err)
	}
	if v > 2 && rng.IntN(2) == 0 {
		l.observe(func(p *past) { p.floor = signer.Slot{Epoch: l.e, View: v - 2} })
		if err := l.j.Forget(v - 2); err != nil {
			t.Fatal(err)
		}
	}
}

// leaves sends a proposal.
func (l *life) leaves(p quorum.VerifiedProposal) {
	l.t.Helper()
	if err := l.j.SyncProposal(); err != nil {
		l.t.Fatal(err)
	}
	l.observe(func(o *past) { o.proposals[signer.Slot{Epoch: l.e, View: p.Header().View}] = p })
}

// nextEpoch closes the epoch as the node does: the block is in the ledger, unsynced, then the journal is opened again.
func (l *life) nextEpoch(reserve int) {
	l.t.Helper()
	l.observe(func(*past) { l.e++ })
	if err := l.db.db.Set([]byte("L"), []byte{byte(l.e)}, pebble.NoSync); err != nil {
		l.t.Fatal(err)
	}
	cfg := l.config(l.e, reserve)
	cfg.Signer = l.file
	l.j, _ = mustOpen(l.t, onPebble(l.db), cfg)
}

// end stops the node: in order, or with what a loss of power leaves.
func (l *life) end(percent int) {
	l.t.Helper()
	if percent < 0 {
		if err := l.file.Close(); err != nil {
			l.t.Fatal(err)
		}
	} else {
		l.switched(false)
	}
	after := l.mem
	if percent >= 0 {
		after = l.cut(percent)
		if err := l.file.Close(); err != nil { // on what is gone
			l.t.Fatal(err)
		}
	}
	if err := l.db.db.Close(); err != nil {
		l.t.Fatal(err)
	}
	l.mem = after
	l.switched(true)
}

// check starts the validator on what a power cut left, and is the adversary: it asks for every alternative to what left
// before, of the journal and of the signer itself.
func (l *life) check(fs crashFS, what string) {
	l.t.Helper()
	db := l.openDatabase(fs, what)
	defer func() {
		if err := db.db.Close(); err != nil {
			l.t.Fatal(err)
		}
	}()
	e := ledgerEpoch(db)
	cfg := l.config(e, signer.NodeReserve)
	file, err := openSigner(onPebble(db), cfg)
	if err != nil {
		l.t.Fatalf("%s: %v", what, err)
	}
	cfg.Signer = file
	j, rec, err := open(onPebble(db), cfg)
	if err != nil {
		l.t.Fatalf("%s: %v", what, err)
	}
	l.checkFound(e, rec, what)
	l.attack(j, file, e, what)
	l.checkAlive(j, db, cfg, what)
}

// checkFound makes sure that nothing that left is lost.
func (l *life) checkFound(e quorum.Epoch, rec Recovered, what string) {
	l.t.Helper()
	held := map[crypto.Hash]bool{}
	for _, p := range append(slices.Clone(rec.Blocks), rec.OwnProposals...) {
		held[p.Hash()] = true
	}
	found := map[signer.Mark]quorum.Vote{}
	for _, s := range rec.Votes {
		found[signer.MarkOf(s.Vote())] = s.Vote()
		if v := s.Vote(); v.Kind == quorum.KindNotarize && v.View == rec.Signed.View && !held[v.Block] {
			l.t.Fatalf("%s: our notarize of view %d is on the disk, its block is not", what, v.View)
		}
	}
	for m, v := range l.votes {
		if m.Epoch != e {
			continue
		}
		if rec.Signed.Less(consensus.Watermark{View: m.View, Step: consensus.Step(m.Step)}) {
			l.t.Fatalf("%s: the watermark is %+v, %s was sent", what, rec.Signed, m)
		}
		if (l.floor.Epoch != e || m.View >= l.floor.View) && found[m] != v {
			l.t.Fatalf("%s: %s was sent as %+v and is found as %+v", what, m, v, found[m])
		}
	}
	for s, p := range l.proposals {
		if s.Epoch == e && (l.floor.Epoch != e || s.View >= l.floor.View) && !held[p.Hash()] {
			l.t.Fatalf("%s: the proposal of %s left and is not found", what, s)
		}
	}
}

// alternatives are all votes for the ballot of v.
func (l *life) alternatives(v quorum.Vote) (all []quorum.Vote) {
	kinds := []quorum.VoteKind{quorum.KindFinalize, quorum.KindNullify}
	if v.Kind == quorum.KindNotarize {
		kinds = []quorum.VoteKind{quorum.KindNotarize}
	}
	for _, kind := range kinds {
		if kind == quorum.KindNullify {
			all = append(all, quorum.Vote{Kind: kind, Epoch: v.Epoch, View: v.View})
			continue
		}
		for _, name := range []string{"A", "B"} {
			hash := l.n.at(l.t, v.Epoch, v.View, name).Hash()
			all = append(all, quorum.Vote{Kind: kind, Epoch: v.Epoch, View: v.View, Height: 1, Block: hash})
		}
	}
	return all
}

func (l *life) attack(j *Journal, file *signer.File, e quorum.Epoch, what string) {
	l.t.Helper()
	set := l.n.Set.Hash()
	for m, old := range l.votes {
		for _, v := range l.alternatives(old) {
			answers, err := file.Sign([]signer.Request{{ValidatorSet: set, Vote: v}})
			if err != nil {
				l.t.Fatalf("%s: %v", what, err)
			}
			got := v
			if got.Signature = answers[0].Signature; answers[0].Refused == nil && got != old {
				l.t.Fatalf("%s: %s: the signer signed %+v, and after a crash %+v", what, m, old, got)
			}
			if m.Epoch != e {
				continue
			}
			if s, ok := signOne(l.t, j, v); ok && s.Vote() != old {
				l.t.Fatalf("%s: %s: the journal signed %+v, and after a crash %+v", what, m, old, s.Vote())
			}
			l.stats["second signatures tried"]++
		}
	}
	for s, old := range l.proposals {
		for _, name := range []string{"A", "B"} {
			p := l.n.at(l.t, s.Epoch, s.View, name).Proposal()
			answers, err := file.Sign([]signer.Request{{ValidatorSet: set, Vote: p.Header.Statement()}})
			if err != nil {
				l.t.Fatalf("%s: %v", what, err)
			}
			if p.Header != old.Header() && answers[0].Refused == nil {
				l.t.Fatalf("%s: the signer signed a second proposal for %s", what, s)
			}
			if s.Epoch == e {
				if _, err := j.SignProposal(p); !IsRefusal(err) {
					l.t.Fatalf("%s: a second proposal for %s: %v", what, s, err)
				}
			}
			l.stats["second signatures tried"]++
		}
	}
}

// checkAlive makes sure that the validator goes on where it was, without a silent view.
func (l *life) checkAlive(j *Journal, db database, cfg setup, what string) {
	l.t.Helper()
	if cfg.Epoch < l.asked.Epoch {
		// The closing block was lost with the vote on its successor. The network has it.
		cfg.Epoch = l.asked.Epoch
		j, _ = mustOpen(l.t, onPebble(db), cfg)
		l.stats["cuts that took a closing block"]++
	}
	next := quorum.Vote{Kind: quorum.KindNotarize, Epoch: cfg.Epoch, View: 1, Height: 1, Block: block("next")}
	if cfg.Epoch == l.asked.Epoch {
		if last, ok := l.votes[l.asked]; ok && l.idle && last.Kind == quorum.KindNotarize {
			last.Kind, last.Signature = quorum.KindFinalize, crypto.Signature{}
			if _, ok := signOne(l.t, j, last); !ok {
				l.t.Fatalf("%s: view %d was notarized and cannot be finalized any more", what, last.View)
			}
		}
		next.View = l.asked.View + 1
	}
	for _, kind := range []quorum.VoteKind{quorum.KindNotarize, quorum.KindFinalize} {
		next.Kind = kind
		if _, ok := signOne(l.t, j, next); !ok {
			l.t.Fatalf("%s: the validator is silent: %s of view %d is refused", what, kind, next.View)
		}
	}
}

// live lets validators live until limit points were tried.
func live(t *testing.T, seed uint64, limit int) *life {
	l := &life{
		t: t, n: &blocks{newNetwork(t, mac{}), map[string]quorum.VerifiedProposal{}}, rng: rand.New(rand.NewPCG(seed, 17)), limit: limit,
		cache: pebble.NewCache(1 << 20), stats: map[string]int{},
	}
	defer l.cache.Unref()
	for !l.done() {
		l.stats["lives"]++
		l.switched(false)
		l.past = past{votes: map[signer.Mark]quorum.Vote{}, proposals: map[signer.Slot]quorum.VerifiedProposal{}}
		l.mem = crashFS{vfs.NewCrashableMem()}
		reserve := []int{0, 1, 3, signer.NodeReserve}[l.rng.IntN(4)]
		l.wake(reserve)
		l.switched(true)
		for range 3 {
			for v := quorum.View(1); v <= topView && !l.done(); v++ {
				if l.past.asked.Epoch == l.e && v <= l.past.asked.View {
					continue // lived before the last end
				}
				l.view(v)
				l.happening(reserve)
			}
			if !l.done() {
				l.nextEpoch(reserve)
			}
		}
		l.switched(false)
		l.end(-1)
	}
	return l
}

// happening is what befalls a node between two views.
func (l *life) happening(reserve int) {
	l.t.Helper()
	switch l.rng.IntN(12) {
	case 0:
		l.stats["ends in order"]++
		l.end(-1)
		l.wake(reserve)
	case 1, 2:
		l.stats["ends by power cut"]++
		l.end([]int{0, 50, 100}[l.rng.IntN(3)])
		l.wake(reserve)
	case 3:
		l.stats["flushes"]++
		if err := l.db.db.Flush(); err != nil {
			l.t.Fatal(err)
		}
	}
}

var (
	flagSeed   = flag.Uint64("seed", 1, "seed of TestCrashAtEveryOperation")
	flagPoints = flag.Int("points", 50_000, "crash points of TestCrashAtEveryOperation; -short takes a tenth")
)

// TestCrashAtEveryOperation takes the power from the pair of journal and signer at every operation on their file system,
// with 0, 50 and 100 % of what was not synced, and starts again on what is left.
func TestCrashAtEveryOperation(t *testing.T) {
	limit := *flagPoints
	if testing.Short() {
		limit /= 10
	}
	l := live(t, *flagSeed, limit)
	t.Logf("%d crash points at %d operations; %v", l.points, l.ops, l.stats)
	if l.points < limit || l.stats["second signatures tried"] < limit {
		t.Fatal("too few")
	}
	for _, what := range []string{"ends in order", "ends by power cut", "flushes", "cuts that took a closing block"} {
		if l.stats[what] == 0 {
			t.Errorf("there were no %s", what)
		}
	}
}
