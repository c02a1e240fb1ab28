package node

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/index"
	"waybill/ledger/store"
)

// listed is a ledger of blocks that write records which stand in lists. It is remembered, so that a crash or a restore can
// be held against it.
type listed struct {
	t       *testing.T
	rng     *rand.Rand
	genesis *ledger.Genesis
	headers []quorum.Header
	certs   []*quorum.Certificate
	writes  [][]ledger.Write
	roots   []crypto.Hash
	chains  []crypto.Hash // of receipts roots
}

func newListed(t *testing.T, seed uint64) *listed {
	validator := testKey("validator")
	operator := testKey("operator").Public().Address()
	g := &ledger.Genesis{
		Version: ledger.GenesisVersion, Chain: "test", TimeMs: 1_777_622_400_000, Params: ledger.DefaultParams(),
		Validators: []ledger.GenesisValidator{{Name: "v", Key: validator.Public(), Stake: 1_000_000_000, Operator: operator}},
		Accounts:   []ledger.GenesisAccount{{Address: operator, Balance: 1_000_000}}, Registrars: []crypto.Address{operator},
	}
	block := g.Block()
	return &listed{t: t, rng: rand.New(rand.NewPCG(seed, 2)), genesis: g, headers: []quorum.Header{block}, certs: []*quorum.Certificate{nil},
		writes: [][]ledger.Write{g.State()}, roots: []crypto.Hash{block.ExecStateRoot}, chains: []crypto.Hash{ledger.ChainReceipts(crypto.Hash{}, ledger.ReceiptsRoot(nil))}}
}

func listedOptions(fs vfs.FS) store.Options {
	return store.Options{FS: fs, MemTableBytes: 64 << 10, CacheBytes: 1 << 20, TreeBytes: 64 << 10, RecordBytes: 8 << 10, FilterBytes: 64, History: 8, Beside: index.Register}
}

// open opens the ledger and its register as a node does.
func (l *listed) open(fs vfs.FS) *store.Store {
	l.t.Helper()
	s, err := store.Open("data", l.genesis, listedOptions(fs))
	if err != nil {
		l.t.Fatal(err)
	}
	if err := (&Node{store: s}).openRegister(); err != nil {
		l.t.Fatal(err)
	}
	return s
}

// record writes a record that comes into a list, changes its place in it or leaves it.
func (l *listed) record(h quorum.Height) ledger.Write {
	n := l.rng.IntN(30)
	id, over := crypto.Sum("test", fmt.Append(nil, n)), l.rng.IntN(2) == 0
	from, to := crypto.Address{byte(n % 3)}, crypto.Address{9, byte(n % 5)}
	var key []byte
	var value any
	switch n % 4 {
	case 0:
		rec := ledger.NoticeRecord{ID: id, Issuer: from, Height: 1, Type: ledger.Recall}
		if over {
			rec.ReleasedAt = h
		}
		key, value = ledger.NoticeKey(id), rec
	case 1:
		rec := ledger.Shipment{Event: id, From: from, To: to, Height: 1}
		if over {
			rec.State = ledger.ShipmentClosed
		}
		key, value = ledger.ShipmentKey(id), &rec
	case 2:
		key, value = ledger.BalanceKey(fmt.Sprint("https://id.gs1.org/01/09521321000018/10/L", n), from, "KGM", ledger.Available), ledger.Balance{Unmeasured: !over}
	default:
		key, value = ledger.AnchorKey(id), ledger.AnchorRecord{Document: id, Author: from, Height: 1}
	}
	data, err := crypto.Marshal(value)
	if err != nil {
		l.t.Fatal(err)
	}
	return ledger.Write{Key: key, Value: data}
}

// grow makes another block and commits it.
func (l *listed) grow(s *store.Store) {
	l.t.Helper()
	h := quorum.Height(len(l.headers))
	byKey := map[string]ledger.Write{}
	for range 1 + l.rng.IntN(5) {
		w := l.record(h)
		byKey[string(w.Key)] = w
	}
	var writes []ledger.Write
	for _, w := range byKey {
		writes = append(writes, w)
	}
	slices.SortFunc(writes, func(a, b ledger.Write) int { return slices.Compare(a.Key, b.Key) })
	set, err := l.genesis.ValidatorSet()
	if err != nil {
		l.t.Fatal(err)
	}
	parent := l.headers[h-1]
	header := quorum.Header{
		Version: quorum.HeaderVersion, Genesis: l.genesis.Hash(), View: quorum.View(h), Height: h, Parent: parent.Hash(), TimeMs: parent.TimeMs + 1000,
		PayloadRoot: quorum.PayloadRoot(nil), ValidatorSet: set.Hash(), Params: l.genesis.Params.Hash(), ExecHeight: h - min(h, 2),
	}
	header.ExecStateRoot, header.ExecReceiptsRoot = l.roots[header.ExecHeight], l.chains[header.ExecHeight]
	d := quorum.Domain{Genesis: l.genesis.Hash(), Set: set}
	vote := quorum.SignVote(d, testKey("validator"), quorum.Vote{Kind: quorum.KindFinalize, View: header.View, Height: h, Block: header.Hash()})
	certified, err := quorum.Certify(d, []quorum.VerifiedVote{quorum.VerifyVotes(d, []quorum.Vote{vote})[0].Verified})
	if err != nil {
		l.t.Fatal(err)
	}
	cert := certified.Certificate()
	l.headers, l.certs, l.writes = append(l.headers, header), append(l.certs, &cert), append(l.writes, writes)
	l.chains = append(l.chains, ledger.ChainReceipts(l.chains[h-1], ledger.ReceiptsRoot(nil)))
	l.roots = append(l.roots, l.commit(s, h))
}

func (l *listed) commit(s *store.Store, h quorum.Height) crypto.Hash {
	l.t.Helper()
	up := &ledger.Update{Height: h, Block: l.headers[h].Hash(), Writes: l.writes[h], ReceiptsRoot: ledger.ReceiptsRoot(nil)}
	root, err := s.Commit(l.headers[h], nil, l.certs[h], up, nil)
	if err != nil {
		l.t.Fatalf("block %d: %v", h, err)
	}
	return root
}

// The register's keyspaces (see ledger/index), of which the first holds how far it has come.
var registerFirst, registerLast = []byte{0x68}, []byte{0x70}

// register is everything that stands in the lists.
func (l *listed) register(s *store.Store) []string {
	l.t.Helper()
	it, err := s.DB().NewIter(&pebble.IterOptions{LowerBound: registerFirst, UpperBound: registerLast})
	if err != nil {
		l.t.Fatal(err)
	}
	var out []string
	for ok := it.First(); ok; ok = it.Next() {
		out = append(out, fmt.Sprintf("%x=%x", it.Key(), it.Value()))
	}
	if err := it.Close(); err != nil {
		l.t.Fatal(err)
	}
	return out
}

// check compares the register as it stands with one that is made of the state alone.
func (l *listed) check(s *store.Store, what string) {
	l.t.Helper()
	kept := l.register(s)
	b := s.DB().NewBatch()
	if err := errors.Join(b.DeleteRange(registerFirst, registerLast, nil), s.Apply(b, false)); err != nil {
		l.t.Fatal(err)
	}
	if err := (&Node{store: s}).openRegister(); err != nil {
		l.t.Fatal(err)
	}
	if made := l.register(s); !slices.Equal(kept, made) {
		l.t.Fatalf("%s, tip %d: %d entries in the register, %d when it is made of the state", what, s.Tip().Height, len(kept), len(made))
	}
}

// crashing copies what the disk would hold after a crash, every so many writes.
type crashing struct {
	mem *vfs.MemFS
	mu  sync.Mutex
	ops int
	fss []*vfs.MemFS
}

func (c *crashing) String() string { return "crashing" }

// MaybeError implements errorfs.Injector; it injects nothing.
func (c *crashing) MaybeError(op errorfs.Op) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ops++; op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpReuseForWrite && c.ops%3 == 0 {
		c.fss = append(c.fss, c.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[c.ops/3%3], RNG: rand.New(rand.NewPCG(uint64(c.ops), 7))}))
	}
	return nil
}

// taken is how many copies there are.
func (c *crashing) taken() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.fss)
}

// TestRegisterAfterACrash: wherever the node dies, register and state are of one block when it comes back, without making
// the register again; and so they are after the blocks that follow.
func TestRegisterAfterACrash(t *testing.T) {
	blocks := 60
	if testing.Short() {
		blocks = 25
	}
	c := &crashing{mem: vfs.NewCrashableMem()}
	l := newListed(t, 1)
	s := l.open(errorfs.Wrap(c.mem, c))
	for i := range blocks {
		l.grow(s)
		if i%4 == 0 {
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	grown := c.taken()
	l.check(s, "at the end") // makes the register again: a crash from here on may leave one that is half made
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tips := map[quorum.Height]bool{}
	for i, fs := range c.fss {
		what := fmt.Sprintf("crash %d of %d", i+1, len(c.fss))
		s, err := store.Open("data", l.genesis, listedOptions(fs))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		tip := s.Tip().Height
		tips[tip] = true
		if tip == 0 || i >= grown {
			if err := (&Node{store: s}).openRegister(); err != nil {
				t.Fatal(err)
			}
		}
		if tip > 0 {
			l.check(s, what) // up to grown: what the crash left, before anybody made it again
		}
		for h := tip + 1; h <= min(tip+3, quorum.Height(blocks)); h++ {
			if root := l.commit(s, h); root != l.roots[h] {
				t.Fatalf("%s: block %d has another state", what, h)
			}
		}
		l.check(s, what+", and on")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if grown < 10 || len(tips) < 5 {
		t.Fatalf("only %d crashes at %d heights", grown, len(tips))
	}
	t.Logf("%d crashes at %d heights, %d more while the register was made again", grown, len(tips), len(c.fss)-grown)
}

// TestRegisterAfterARestore: a snapshot brings no register, and one of the ledger that it replaces is of no use.
func TestRegisterAfterARestore(t *testing.T) {
	l := newListed(t, 2)
	full := l.open(vfs.NewMem())
	for range 30 {
		l.grow(full)
	}
	old := vfs.NewMem()
	stale := l.open(old)
	for h := quorum.Height(1); h <= 10; h++ {
		l.commit(stale, h)
	}
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	const base = 20
	for name, fs := range map[string]*vfs.MemFS{"an empty folder": vfs.NewMem(), "over an older ledger": old} {
		l.restore(fs, base)
		s := l.open(fs)
		if s.Tip().Height != base || s.Base() != base {
			t.Fatalf("%s: tip %d, base %d", name, s.Tip().Height, s.Base())
		}
		if len(l.register(s)) < 10 {
			t.Fatalf("%s: the register has %d entries", name, len(l.register(s)))
		}
		l.check(s, name)
		for h := quorum.Height(base + 1); h <= 30; h++ {
			l.commit(s, h)
		}
		if got, want := l.register(s), l.register(full); !slices.Equal(got, want) {
			t.Fatalf("%s: %d entries, the ledger from the beginning has %d", name, len(got), len(want))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := full.Close(); err != nil {
		t.Fatal(err)
	}
}

// restore puts a ledger that begins after block base into a folder.
func (l *listed) restore(fs vfs.FS, base quorum.Height) {
	l.t.Helper()
	r, err := store.OpenRestore("data", l.genesis, listedOptions(fs), true)
	if err != nil {
		l.t.Fatal(err)
	}
	state := map[string][]byte{}
	for _, writes := range l.writes[:base+1] {
		for _, w := range writes {
			state[string(w.Key)] = w.Value
		}
	}
	var entries []store.Entry
	for k, v := range state {
		entries = append(entries, store.Entry{Key: []byte(k), Value: v})
	}
	if err := errors.Join(r.Put(entries), r.Finish(store.Base{Headers: l.headers[base:], Certificates: l.certs[base:]}), r.Close()); err != nil {
		l.t.Fatal(err)
	}
}
