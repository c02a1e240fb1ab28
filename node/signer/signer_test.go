package signer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

func testKey(name string) crypto.PrivateKey {
	seed := crypto.Sum(crypto.TagAddress, []byte("signer "+name))
	k, err := crypto.PrivateKeyFromBytes(seed[:])
	if err != nil {
		panic(err)
	}
	return k
}

var (
	testGenesis = crypto.Sum(crypto.TagGenesis, []byte("signer"))
	testSet     = crypto.Sum(crypto.TagValidatorSet, []byte("signer"))
)

// quick stands in for ECDSA.
func quick(_ crypto.PrivateKey, digest crypto.Hash) (s crypto.Signature) {
	copy(s[:], digest[:])
	copy(s[32:], digest[:])
	return s
}

func options(reserve int) Options {
	return Options{Genesis: testGenesis, Key: testKey("v"), Reserve: reserve, Sign: quick}
}

func block(name string) crypto.Hash { return crypto.Sum(crypto.TagHeader, []byte(name)) }

func request(kind quorum.VoteKind, e quorum.Epoch, v quorum.View, name string) Request {
	r := Request{ValidatorSet: testSet, Vote: quorum.Vote{Kind: kind, Epoch: e, View: v}}
	if kind != quorum.KindNullify {
		r.Vote.Height, r.Vote.Block = 1, block(name)
	}
	return r
}

const (
	propose  = quorum.KindProposal
	notarize = quorum.KindNotarize
	finalize = quorum.KindFinalize
	nullify  = quorum.KindNullify
)

// memory is a Storage in memory whose next writes may fail.
type memory struct {
	durable, now [2][]byte
	failing      bool
	syncs        int
}

var errDisk = errors.New("the disk is full")

func (m *memory) Read() ([2][]byte, error) {
	m.durable = m.now
	return m.now, nil
}

func (m *memory) Write(slot int, data []byte, sync bool) error {
	if m.failing {
		return errDisk
	}
	m.now[slot] = slices.Clone(data)
	if m.now[1-slot] == nil {
		m.now[1-slot] = m.now[slot]
	}
	if sync {
		m.syncs++
		m.durable = m.now
	}
	return nil
}

func (m *memory) Close() error { return nil }

// lost is the storage after a crash that kept nothing that was not synced.
func (m *memory) lost() *memory { return &memory{durable: m.durable, now: m.durable} }

type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func created(t failer) *memory {
	t.Helper()
	m := new(memory)
	if err := Create(m, testGenesis, testKey("v").Public()); err != nil {
		t.Fatal(err)
	}
	return m
}

func opened(t failer, s Storage, reserve int) *File {
	t.Helper()
	f, err := Open(s, options(reserve))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// sign asks one thing: false when it is refused.
func sign(t failer, s Signer, r Request) (crypto.Signature, bool) {
	t.Helper()
	a, err := s.Sign([]Request{r})
	if err != nil || len(a) != 1 {
		t.Fatalf("asking for %+v: %v, %v", r.Vote, a, err)
	}
	if a[0].Refused != nil && !errors.Is(a[0].Refused, ErrRefused) {
		t.Fatalf("refused with %v", a[0].Refused)
	}
	return a[0].Signature, a[0].Refused == nil
}

func mustSign(t failer, s Signer, rs ...Request) {
	t.Helper()
	for _, r := range rs {
		if _, ok := sign(t, s, r); !ok {
			t.Fatalf("refused: %+v", r.Vote)
		}
	}
}

func wantKind(t *testing.T, err error, kind ErrKind) {
	t.Helper()
	var ours *Error
	if !errors.Is(err, kind) || !errors.As(err, &ours) || len(ours.Detail) < 10 {
		t.Fatalf("the error is %v, want %q with advice", err, kind)
	}
}

// conflict reports whether two signatures are evidence against a key.
func conflict(a, b Request) bool {
	x, y := a.Vote, b.Vote
	if x.Epoch != y.Epoch || x.View != y.View || SignedVote(a).same(b) {
		return false
	}
	if x.Kind == y.Kind {
		return true
	}
	pair := func(k, l quorum.VoteKind) bool { return x.Kind == k && y.Kind == l || x.Kind == l && y.Kind == k }
	return pair(finalize, nullify) || pair(notarize, finalize) && x.Block != y.Block
}

// TestSignerRule is a random life: whatever is asked in whatever order, with crashes that lose what was not synced but what
// the journal of a node holds, no two signatures are evidence, and the very next view can always be signed.
func TestSignerRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		reserve := rapid.SampledFrom([]int{0, 1, 2, NodeReserve, MaxReserve}).Draw(t, "reserve")
		m := created(t)
		f := opened(t, m, reserve)
		signed := map[Request]crypto.Signature{}
		var known Known // the journal: it syncs every vote and loses nothing that left
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(t *rapid.T) {
				r := request(rapid.SampledFrom([]quorum.VoteKind{propose, notarize, notarize, finalize, nullify}).Draw(t, "kind"),
					known.Epoch+quorum.Epoch(rapid.IntRange(0, 1).Draw(t, "epoch")), quorum.View(rapid.IntRange(1, 8).Draw(t, "view")), rapid.SampledFrom([]string{"A", "B"}).Draw(t, "block"))
				if rapid.IntRange(0, 9).Draw(t, "odd") == 0 {
					r.ValidatorSet[0]++
				}
				s, ok := sign(t, f, r)
				if !ok {
					return
				}
				if old, again := signed[r]; again && old != s {
					t.Fatal("another signature for the same")
				}
				for other := range signed {
					if conflict(r, other) {
						t.Fatalf("signed %+v and %+v", other.Vote, r.Vote)
					}
				}
				signed[r] = s
				if at := MarkOf(r.Vote); at.Step == 0 {
					known.Proposed = laterSlot(known.Proposed, Slot{at.Epoch, at.View})
				} else {
					known.Mark = later(known.Mark, at)
					v := SignedVote(r)
					v.Vote.Signature = s
					known.Votes = append(known.Votes, v)
				}
			},
			"next view": func(t *rapid.T) {
				s, err := f.State()
				if err != nil {
					t.Fatal(err)
				}
				if s.Mark != known.Mark && s.Mark.Step != 0 {
					t.Fatalf("the mark is %s, signed was %s", s.Mark, known.Mark)
				}
				if a, err := f.state.permits(request(notarize, s.Mark.Epoch, s.Mark.View+1, "next")); a != nil || err != nil {
					t.Fatalf("after %s: %v", s.Mark, err)
				}
			},
			"close": func(t *rapid.T) {
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				m = m.lost()
				f = opened(t, m, reserve) // needs nobody to be exact
			},
			"crash": func(t *rapid.T) {
				if rapid.Bool().Draw(t, "kept") {
					m = &memory{durable: m.now, now: m.now}
				} else {
					m = m.lost()
				}
				f = opened(t, m, reserve)
				known.Epoch = known.Mark.Epoch
				if err := f.Reconcile(known); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}

func TestSignerReserve(t *testing.T) {
	for _, c := range []struct{ reserve, views, want int }{
		{0, 10, 20}, {1, 10, 5}, {2, 9, 3}, {64, 130, 2}, {MaxReserve, 500, 1},
	} {
		m := created(t)
		f := opened(t, m, c.reserve)
		for v := 1; v <= c.views; v++ {
			mustSign(t, f, request(notarize, 0, quorum.View(v), "A"), request(finalize, 0, quorum.View(v), "A"))
			s, err := f.State()
			if err != nil || s.Ceiling.Less(s.Mark) || s.Ceiling.View > s.Mark.View+quorum.View(c.reserve) {
				t.Fatalf("reserve %d: mark %s, ceiling %s, error %v", c.reserve, s.Mark, s.Ceiling, err)
			}
			if _, durable, err := decodeSlot(m.durable[f.base]); err != nil || durable.Ceiling.Less(s.Mark) {
				t.Fatalf("reserve %d: %s is signed, the disk knows of %s (%v)", c.reserve, s.Mark, durable.Ceiling, err)
			}
		}
		if got := int(f.Syncs()); got != c.want {
			t.Errorf("reserve %d: %d syncs in %d views, want %d", c.reserve, got, c.views, c.want)
		}
	}
	for _, bad := range []int{-1, MaxReserve + 1, math.MaxInt, math.MinInt} {
		_, err := Open(created(t), options(bad))
		wantKind(t, err, ErrOptions)
	}
}

// TestSignerBoundaries: at the ends of the numbers the rule holds, and nothing wraps round.
func TestSignerBoundaries(t *testing.T) {
	const top = math.MaxUint64
	for _, reserve := range []int{0, 1, 2, MaxReserve} {
		for _, mark := range []Mark{{}, {0, 1, 1}, {0, 1, 2}, {0, 2, 1}, {1, 0, 0}, {1, top - 1, 2}, {1, top, 1}, {1, top, 2}, {top, top, 1}, {top, top, 2}} {
			m := created(t)
			if err := Import(m, Watermark{Version: 1, Genesis: testGenesis, Key: testKey("v").Public(), Mark: mark, Proposed: Slot{mark.Epoch, mark.View}}); err != nil {
				t.Fatal(err)
			}
			f := opened(t, m, reserve)
			for _, e := range []quorum.Epoch{0, 1, 2, top} {
				for _, v := range []quorum.View{0, 1, 2, 3, top - 1, top} {
					for _, kind := range []quorum.VoteKind{propose, notarize, nullify} {
						r := request(kind, e, v, "A")
						g := opened(t, &memory{now: m.now, durable: m.now}, reserve)
						want := v > 0 && mark.Less(MarkOf(r.Vote))
						if kind == propose {
							want = v > 0 && (Slot{mark.Epoch, mark.View}).Less(Slot{e, v})
						}
						if _, ok := sign(t, g, r); ok != want {
							t.Fatalf("reserve %d, mark %s: %s of epoch %d view %d signed: %t", reserve, mark, kind, e, v, ok)
						}
						if s := g.state; s.Ceiling.Less(s.Mark) || s.ProposedCeiling.Less(s.Proposed) {
							t.Fatalf("reserve %d, mark %s: the ceiling %s is below %s", reserve, mark, s.Ceiling, s.Mark)
						}
					}
				}
			}
			if _, ok := sign(t, f, request(finalize, mark.Epoch, max(mark.View, 1), "A")); ok {
				t.Fatalf("mark %s: a finalize without a notarize", mark)
			}
		}
	}
}

// TestSignerCorruption: one copy is enough, whichever it is and whatever became of the other; with none nothing is signed.
func TestSignerCorruption(t *testing.T) {
	spoil := map[string]func([]byte) []byte{
		"flipped": func(b []byte) []byte { b[100] ^= 8; return b }, "checksum": func(b []byte) []byte { b[0] ^= 1; return b },
		"zero": func(b []byte) []byte { clear(b); return b }, "truncated": func(b []byte) []byte { return b[:len(b)/2] },
		"empty": func(b []byte) []byte { return b[:0] }, "tail": func(b []byte) []byte { b[len(b)-1] = 1; return b },
		"longer": func(b []byte) []byte { b[11]++; return b }, "version": func(b []byte) []byte { b[9]++; return b },
	}
	for _, reserve := range []int{0, NodeReserve} {
		for name, change := range spoil {
			m := created(t)
			f := opened(t, m, reserve)
			for v := quorum.View(1); v < 40; v++ {
				mustSign(t, f, request(notarize, 0, v, "A"))
				for slot := range 2 {
					c := &memory{now: [2][]byte{slices.Clone(m.now[0]), slices.Clone(m.now[1])}}
					c.now[slot] = change(c.now[slot])
					g := opened(t, c, reserve)
					if reserve > 0 {
						if s := g.state; s.Ceiling.View < v || !s.Mark.Less(s.Ceiling) {
							t.Fatalf("%s %d: the other copy has mark %s, ceiling %s, signed was view %d", name, slot, s.Mark, s.Ceiling, v)
						}
						_, err := g.Sign([]Request{request(notarize, 0, v, "B")})
						wantKind(t, err, ErrUnreconciled)
						if err := g.Reconcile(Known{Mark: Mark{0, v, 1}}); err != nil {
							t.Fatal(err)
						}
					}
					if _, ok := sign(t, g, request(notarize, 0, v, "B")); ok {
						t.Fatalf("reserve %d: with copy %d %s a second notarize of view %d is signed", reserve, slot, name, v)
					}
					mustSign(t, g, request(notarize, 0, v+1, "A"))
				}
			}
			m.now = [2][]byte{change(slices.Clone(m.now[0])), change(slices.Clone(m.now[1]))}
			_, err := Open(m, options(reserve))
			wantKind(t, err, ErrDamaged)
		}
	}
}

func TestSignerFailedWrite(t *testing.T) {
	for _, reserve := range []int{0, NodeReserve} {
		m := created(t)
		f := opened(t, m, reserve)
		mustSign(t, f, request(notarize, 0, 1, "A"))
		m.failing = true
		if a, err := f.Sign([]Request{request(notarize, 0, 2, "A")}); a != nil || !errors.Is(err, ErrFailed) || !errors.Is(err, errDisk) {
			t.Fatalf("a failed write gave %v, %v", a, err)
		}
		m.failing = false
		for _, r := range []Request{request(notarize, 0, 1, "A"), request(notarize, 0, 2, "A"), request(notarize, 0, 3, "A"), request(propose, 0, 3, "A")} {
			_, err := f.Sign([]Request{r})
			wantKind(t, err, ErrFailed)
		}
		_, err := f.State()
		wantKind(t, err, ErrFailed)
		wantKind(t, f.Reconcile(Known{Mark: Mark{0, 9, 1}}), ErrFailed)
		before := m.now
		if err := f.Close(); err != nil || !bytes.Equal(before[0], m.now[0]) || !bytes.Equal(before[1], m.now[1]) {
			t.Fatalf("a failed signer writes when it is closed (%v)", err)
		}
	}
}

// TestSignerBackups holds pairs of an old and a new file and journal against each other.
func TestSignerBackups(t *testing.T) {
	for _, reserve := range []int{0, 1, 4} {
		m := created(t)
		f := opened(t, m, reserve)
		type moment struct {
			files [2][]byte
			known Known
		}
		var past []moment
		known := Known{}
		for v := quorum.View(1); v <= 60; v++ {
			r := request(notarize, 0, v, "A")
			s, _ := sign(t, f, r)
			known.Mark = MarkOf(r.Vote)
			vote := SignedVote(r)
			vote.Vote.Signature = s
			known.Votes = append(slices.Clone(known.Votes[max(0, len(known.Votes)-MaxRecent):]), vote)
			past = append(past, moment{m.now, known})
		}
		for i, file := range past {
			for k, journal := range past {
				g := opened(t, &memory{now: file.files, durable: file.files}, reserve)
				err := g.Reconcile(journal.known)
				switch behind := k - i; {
				case behind > reserve:
					wantKind(t, err, ErrOldSigner)
					continue
				case behind < -MaxRecent:
					wantKind(t, err, ErrOldJournal)
					continue
				case behind > 0 && errors.Is(err, ErrOldSigner):
					continue // as much of the reserve was left
				case err != nil:
					t.Fatalf("reserve %d: a file of view %d with a journal of view %d: %v", reserve, i+1, k+1, err)
				}
				next := quorum.View(max(i, k) + 2)
				if _, ok := sign(t, g, request(notarize, 0, next-1, "B")); ok {
					t.Fatalf("a second notarize of view %d", next-1)
				}
				mustSign(t, g, request(notarize, 0, next, "A"), request(finalize, 0, next, "A"))
			}
		}
	}
}

func TestSignerConflict(t *testing.T) {
	m := created(t)
	f := opened(t, m, NodeReserve)
	mustSign(t, f, request(notarize, 3, 7, "A"))
	other := SignedVote(request(notarize, 3, 7, "B"))
	wantKind(t, f.Reconcile(Known{Epoch: 3, Mark: Mark{3, 7, 1}, Votes: []SignedVote{other}}), ErrConflict)
}

// TestSignerForeign: the file of another key or network is never used.
func TestSignerForeign(t *testing.T) {
	m := created(t)
	opts := options(0)
	opts.Key = testKey("other")
	_, err := Open(m, opts)
	wantKind(t, err, ErrForeign)
	_, err = Recover(m, opts, Mark{1, 1, 2})
	wantKind(t, err, ErrForeign)
	opts = options(0)
	opts.Genesis[0]++
	_, err = Open(m, opts)
	wantKind(t, err, ErrForeign)
	wantKind(t, Import(m, Watermark{Version: 1, Genesis: opts.Genesis, Key: testKey("v").Public()}), ErrForeign)
	_, err = Open(new(memory), options(0))
	wantKind(t, err, ErrMissing)
	wantKind(t, Create(m, testGenesis, testKey("v").Public()), ErrExists)
	opts = options(0)
	opts.Key = crypto.PrivateKey{}
	_, err = Open(m, opts)
	wantKind(t, err, ErrOptions)
}

func TestSignerRecover(t *testing.T) {
	for name, m := range map[string]*memory{"missing": {}, "damaged": {now: [2][]byte{{1}, {2}}}, "there": created(t)} {
		f, err := Recover(m, options(NodeReserve), Mark{2, 50, 2})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		// Whatever the journal holds, it is held against the operator's decision.
		if err := f.Reconcile(Known{Epoch: 2, Mark: Mark{2, 11, 1}}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, r := range []Request{request(notarize, 2, 50, "A"), request(nullify, 2, 50, ""), request(propose, 2, 50, "A"), request(finalize, 2, 50, "A")} {
			if _, ok := sign(t, f, r); ok {
				t.Fatalf("%s: signed %+v", name, r.Vote)
			}
		}
		mustSign(t, f, request(propose, 2, 51, "A"), request(notarize, 2, 51, "A"))
	}
	// A recovery never lowers.
	m := created(t)
	f := opened(t, m, 0)
	mustSign(t, f, request(notarize, 5, 9, "A"))
	f, err := Recover(m, options(0), Mark{2, 50, 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := sign(t, f, request(nullify, 5, 8, "")); ok {
		t.Fatal("a recovery lowered the mark")
	}
}

func TestSignerImport(t *testing.T) {
	key := testKey("v").Public()
	mark := func(e quorum.Epoch, v quorum.View, s uint8, proposed quorum.View) Watermark {
		return Watermark{Version: 1, Genesis: testGenesis, Key: key, Mark: Mark{e, v, s}, Proposed: Slot{e, proposed}}
	}
	m := created(t)
	f := opened(t, m, NodeReserve)
	mustSign(t, f, request(propose, 4, 10, "A"), request(notarize, 4, 10, "A"))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, low := range []Watermark{mark(0, 0, 0, 0), mark(4, 10, 0, 10), mark(4, 9, 2, 10), mark(3, 99, 2, 99), mark(4, 10, 1, 9)} {
		before := m.now
		wantKind(t, Import(m, low), ErrLower)
		if before[0] == nil || !bytes.Equal(before[0], m.now[0]) || !bytes.Equal(before[1], m.now[1]) {
			t.Fatal("a refused import changed the file")
		}
	}
	for _, good := range []Watermark{mark(4, 10, 1, 10), mark(4, 10, 2, 10), mark(4, 70, 2, 70)} {
		if err := Import(m, good); err != nil {
			t.Fatal(err)
		}
		s, err := Load(m, testGenesis, key)
		if err != nil || Export(s) != good {
			t.Fatalf("imported %+v, exported %+v (%v)", good, Export(s), err)
		}
	}
	text, err := mark(4, 70, 2, 70).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if w, err := DecodeWatermark(text); err != nil || w != mark(4, 70, 2, 70) {
		t.Fatalf("%s\nreads as %+v (%v)", text, w, err)
	}
	for name, bad := range map[string]string{
		"nothing": "", "no fields": "{}", "more": string(text) + "{}", "unknown": `{"version":1,"why":2}`, "long": string(bytes.Repeat([]byte(" "), maxWatermarkBytes)) + string(text),
		"version": string(bytes.Replace(text, []byte(`"version": 1`), []byte(`"version": 2`), 1)), "step": string(bytes.Replace(text, []byte(`"step": 2`), []byte(`"step": 3`), 1)),
	} {
		if _, err := DecodeWatermark([]byte(bad)); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The watermark of a file that was not closed is its ceiling.
	m = created(t)
	f = opened(t, m, NodeReserve)
	mustSign(t, f, request(notarize, 4, 10, "A"))
	s, err := Load(m.lost(), testGenesis, key)
	if err != nil || Export(s).Mark != (Mark{4, 74, 2}) {
		t.Fatalf("exported %+v (%v)", Export(s), err)
	}
}

// TestSignerLock: one file has one holder, in one process or two.
func TestSignerLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	if os.Getenv("WAYBILL_TEST_LOCK") != "" {
		_, err := OpenFile(vfs.Default, os.Getenv("WAYBILL_TEST_LOCK"), options(0))
		fmt.Printf("locked: %t\n", errors.Is(err, ErrLocked))
		return
	}
	if err := CreateFile(vfs.Default, path, testGenesis, testKey("v").Public()); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(vfs.Default, path, options(0))
	if err != nil {
		t.Fatal(err)
	}
	mustSign(t, f, request(notarize, 0, 1, "A"))
	_, err = OpenFile(vfs.Default, path, options(0))
	wantKind(t, err, ErrLocked)
	other := exec.Command(os.Args[0], "-test.run", "^TestSignerLock$", "-test.v")
	other.Env = append(os.Environ(), "WAYBILL_TEST_LOCK="+path)
	if out, err := other.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("locked: true")) {
		t.Fatalf("another process: %v\n%s", err, out)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err = OpenFile(vfs.Default, path, options(0)); err != nil {
		t.Fatal(err)
	}
	if _, ok := sign(t, f, request(notarize, 0, 1, "B")); ok {
		t.Fatal("forgotten on a real disk")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = OpenFile(vfs.Default, filepath.Join(t.TempDir(), "none", FileName), options(0))
	wantKind(t, err, ErrFailed)
}

// TestSignerCreateCrash: a file is there wholly or not at all.
func TestSignerCreateCrash(t *testing.T) {
	points := 0
	for percent := 0; percent <= 100; percent += 10 {
		for seed := range uint64(20) {
			mem := vfs.NewCrashableMem()
			storage, err := OnFS(mem, FileName)
			if err != nil {
				t.Fatal(err)
			}
			slot := encodeSlot(1, &State{Genesis: testGenesis, Key: testKey("v").Public()})
			for stop := range 2 {
				if stop == 1 {
					if err := storage.Write(0, slot, true); err != nil {
						t.Fatal(err)
					}
				} else if f, err := mem.Create(FileName+".new", vfs.WriteCategoryUnspecified); err == nil {
					_, _ = f.Write(slices.Clone(slot[:100])) // half a draft
				}
				points++
				f, err := OpenFile(mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(seed, 1))}), FileName, options(0))
				if stop == 1 && err != nil || stop == 0 && !errors.Is(err, ErrMissing) {
					t.Fatalf("%d %%, seed %d, stop %d: %v, %v", percent, seed, stop, f, err)
				}
			}
		}
	}
	t.Logf("%d crashes", points)
}

func TestSignerGolden(t *testing.T) {
	m := created(t)
	f := opened(t, m, 0)
	mustSign(t, f, request(propose, 1, 2, "A"), request(notarize, 1, 2, "A"), request(finalize, 1, 2, "A"))
	slot := m.now[f.base]
	const want = "5b2abcf53fbd355a03d7a94b6f704eafe555911b80939a60beb83a450121fc45"
	if got := crypto.Sum(crypto.TagHeader, slot).String(); got != want {
		t.Errorf("a slot hashes to %s, it was %s: its form changed, old files cannot be read", got, want)
	}
}

func FuzzSignerSlot(f *testing.F) {
	m := created(f)
	g := opened(f, m, 0)
	f.Add(slices.Clone(m.now[0]), false)
	mustSign(f, g, request(propose, 1, 2, "A"), request(notarize, 1, 2, "A"))
	f.Add(slices.Clone(m.now[0]), true)
	f.Add(slices.Clone(m.now[0][:99]), false)
	f.Fuzz(func(t *testing.T, b []byte, fix bool) {
		if end := 0; fix && len(b) == SlotSize { // so that the checksum does not keep everything out
			end = slotHead + int(b[10])<<8 + int(b[11])
			if end <= SlotSize-4 {
				fixChecksum(b, end)
			}
		}
		n, s, err := decodeSlot(b)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(encodeSlot(n, &s), b) {
			t.Fatal("two forms of one state")
		}
	})
}

func fixChecksum(b []byte, end int) {
	binary.BigEndian.PutUint32(b[end:], crc32.Checksum(b[:end], castagnoli))
}
