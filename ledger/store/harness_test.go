package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

func testKey(name string) crypto.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	k, err := crypto.GeneratePrivateKey(bytes.NewReader(bytes.Repeat(seed[:], 4)))
	if err != nil {
		panic(err)
	}
	return k
}

func testGenesis(chain string) *ledger.Genesis {
	operator := testKey("operator").Address()
	return &ledger.Genesis{
		Version: ledger.GenesisVersion, Chain: chain, TimeMs: 1_777_622_400_000, Params: ledger.DefaultParams(),
		Validators: []ledger.GenesisValidator{{Name: "v1", Key: testKey("v1").Public(), Stake: 1_000_000_000, Operator: operator}},
		Accounts:   []ledger.GenesisAccount{{Address: operator, Balance: 1_000_000}},
		Registrars: []crypto.Address{operator},
	}
}

// small makes Pebble flush and compact often.
func small(fs vfs.FS) Options {
	return Options{FS: fs, MemTableBytes: 64 << 10, CacheBytes: 1 << 20, TreeBytes: 64 << 10, RecordBytes: 8 << 10, FilterBytes: 64, History: 8}
}

func mustOpen(t testing.TB, fs vfs.FS, opts ...func(*Options)) *Store {
	t.Helper()
	o := small(fs)
	for _, f := range opts {
		f(&o)
	}
	s, err := Open("data", testGenesis("test"), o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

func closed(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// block is what is to be committed.
type block struct {
	header  quorum.Header
	payload [][]byte
	cert    *quorum.Certificate
	up      *ledger.Update
	next    *quorum.Set // of the next epoch
}

// model is the ledger as the tests know it: every block, and the state after each.
type model struct {
	genesis *ledger.Genesis
	set     *quorum.Set
	rng     *rand.Rand
	blocks  []block
	states  []map[string][]byte
	roots   []crypto.Hash
	chains  []crypto.Hash // of receipts roots
	per     int           // blocks of an epoch
	// exec is the ExecHeight of block h; nil is that of a healthy chain, h-2.
	exec func(h quorum.Height) quorum.Height
}

func newModel(seed uint64) *model {
	g := testGenesis("test")
	set, err := g.ValidatorSet()
	if err != nil {
		panic(err)
	}
	m := &model{genesis: g, set: set, per: math.MaxInt32, rng: rand.New(rand.NewPCG(seed, 1))}
	state := map[string][]byte{}
	for _, w := range g.State() {
		state[string(w.Key)] = w.Value
	}
	m.blocks = append(m.blocks, block{header: g.Block()})
	m.states = append(m.states, state)
	m.roots = append(m.roots, rootOf(state))
	m.chains = append(m.chains, ledger.ChainReceipts(crypto.Hash{}, ledger.ReceiptsRoot(nil)))
	return m
}

// inEpochs is newModel with short epochs.
func inEpochs(seed uint64) *model {
	m := newModel(seed)
	m.per = 7
	return m
}

// rootOf builds the tree of a state at once.
func rootOf(state map[string][]byte) crypto.Hash {
	var writes []crypto.TreeWrite
	for k, v := range state {
		writes = append(writes, crypto.TreeWrite{Key: []byte(k), Value: v})
	}
	root, _, err := crypto.UpdateTree(memoryPages{}, writes)
	if err != nil {
		panic(err)
	}
	return root
}

func (m *model) domain() quorum.Domain { return quorum.Domain{Genesis: m.genesis.Hash(), Set: m.set} }

// next makes a block of random writes and transactions and takes it into the model.
func (m *model) next() block {
	h := quorum.Height(len(m.blocks))
	var payload [][]byte
	var receipts []ledger.Receipt
	for i := range m.rng.IntN(4) {
		tx := m.transaction(h, i)
		payload = append(payload, tx.Raw())
		receipts = append(receipts, ledger.Receipt{Tx: tx.ID(), Fee: uint64(i)})
	}
	return m.holding(payload, receipts)
}

// holding makes a block of random writes and the given transactions and takes it into the model.
func (m *model) holding(payload [][]byte, receipts []ledger.Receipt) block {
	h := quorum.Height(len(m.blocks))
	parent := m.blocks[h-1].header
	b := block{payload: payload, up: &ledger.Update{Height: h, Receipts: receipts, ReceiptsRoot: ledger.ReceiptsRoot(receipts)}}
	state := maps.Clone(m.states[h-1])
	b.up.Writes = m.writes(state)

	b.header = quorum.Header{
		Version: quorum.HeaderVersion, Genesis: m.genesis.Hash(), View: quorum.View(h), Height: h, Parent: parent.Hash(),
		TimeMs: parent.TimeMs + 1000, PayloadRoot: quorum.PayloadRoot(b.payload), TxCount: uint32(len(b.payload)),
		ValidatorSet: m.set.Hash(), Params: m.genesis.Params.Hash(),
	}
	switch {
	case m.exec != nil:
		b.header.ExecHeight = m.exec(h)
	case h >= 2:
		b.header.ExecHeight = h - 2
	}
	b.header.ExecStateRoot = m.roots[b.header.ExecHeight]
	b.header.ExecReceiptsRoot = m.chains[b.header.ExecHeight]
	b.header.Epoch = quorum.Epoch((int(h) - 1) / m.per)
	if int(h)%m.per == 0 {
		b.next = m.set
		b.header.Flags, b.header.NextValidatorSet = quorum.FlagClosing, m.set.Hash()
	}
	b.up.Block = b.header.Hash()
	switch {
	case b.next != nil && b.header.Epoch%2 == 1:
		b.cert = m.throughTail(b.header)
	case b.next != nil || h%3 != 0: // every third block is final through its child
		b.cert = m.certify(b.header)
	}
	m.blocks = append(m.blocks, b)
	m.states = append(m.states, state)
	m.roots = append(m.roots, rootOf(state))
	m.chains = append(m.chains, ledger.ChainReceipts(m.chains[h-1], b.up.ReceiptsRoot))
	return b
}

func (m *model) transaction(h quorum.Height, i int) *ledger.Transaction {
	key := testKey("operator")
	body, err := ledger.NewBody(m.genesis.Hash(), key.Address(), h+100, &ledger.Transfer{To: testKey("v1").Address(), Amount: uint64(h)*10 + uint64(i) + 1})
	if err != nil {
		panic(err)
	}
	tx, err := ledger.Sign(body, key)
	if err != nil {
		panic(err)
	}
	return tx
}

// writes changes the state at random: new keys, new values, deletions.
func (m *model) writes(state map[string][]byte) []ledger.Write {
	changed := map[string][]byte{}
	for range m.rng.IntN(20) {
		key := fmt.Sprintf("key/%d", m.rng.IntN(60))
		if m.rng.IntN(4) == 0 {
			changed[key] = nil
			continue
		}
		value := make([]byte, 1+m.rng.IntN(300))
		for i := range value {
			value[i] = byte(m.rng.Uint32())
		}
		changed[key] = value
	}
	var out []ledger.Write
	for _, k := range slices.Sorted(maps.Keys(changed)) {
		v := changed[k]
		if _, had := state[k]; v == nil && !had {
			continue
		}
		out = append(out, ledger.Write{Key: []byte(k), Value: v})
		if v == nil {
			delete(state, k)
		} else {
			state[k] = v
		}
	}
	return out
}

func (m *model) certify(h quorum.Header) *quorum.Certificate {
	d := m.domain()
	v := quorum.SignVote(d, testKey("v1"), quorum.Vote{Kind: quorum.KindFinalize, Epoch: h.Epoch, View: h.View, Height: h.Height, Block: h.Hash()})
	r := quorum.VerifyVotes(d, []quorum.Vote{v})
	c, err := quorum.Certify(d, []quorum.VerifiedVote{r[0].Verified})
	if err != nil {
		panic(err)
	}
	cert := c.Certificate()
	return &cert
}

// throughTail finalizes a closing block through a tail.
func (m *model) throughTail(h quorum.Header) *quorum.Certificate {
	tail := quorum.Header{
		Version: h.Version, Genesis: h.Genesis, Epoch: h.Epoch, View: h.View + 1, Height: h.Height, Parent: h.Hash(), ParentView: h.View,
		TimeMs: h.TimeMs + 1, ValidatorSet: h.ValidatorSet, Closing: h.Hash(), Flags: quorum.FlagTail,
	}
	c := m.certify(tail)
	c.Tail = &tail
	return c
}

func commitBlock(s *Store, b block) (crypto.Hash, error) {
	return s.Commit(b.header, b.payload, b.cert, b.up, b.next)
}

// grow commits n new blocks.
func (m *model) grow(t testing.TB, s *Store, n int) {
	t.Helper()
	for range n {
		b := m.next()
		root, err := commitBlock(s, b)
		if err != nil {
			t.Fatalf("commit of block %d: %v", b.header.Height, err)
		}
		if want := m.roots[b.header.Height]; root != want {
			t.Fatalf("block %d: state root %s, want %s", b.header.Height, root, want)
		}
	}
}

// check compares everything the store holds with the model, up to the store's tip, which it returns.
func (m *model) check(t testing.TB, s *Store) quorum.Height {
	t.Helper()
	tip := s.Tip()
	if int(tip.Height) >= len(m.blocks) {
		t.Fatalf("the tip is %d, nothing above %d was ever committed", tip.Height, len(m.blocks)-1)
	}
	if tip.StateRoot != m.roots[tip.Height] || tip.ReceiptsChain != m.chains[tip.Height] || tip.Hash != m.blocks[tip.Height].header.Hash() {
		t.Fatalf("the tip %+v is not block %d", tip, tip.Height)
	}
	for h := range tip.Height + 1 {
		m.checkBlock(t, s, h)
	}
	if _, err := s.Block(tip.Height + 1); !IsNotFound(err) {
		t.Fatalf("block %d above the tip: %v", tip.Height+1, err)
	}
	m.checkState(t, s, tip.Height)
	if err := s.Audit(t.Context(), nil); err != nil {
		t.Fatalf("audit: %v", err)
	}
	return tip.Height
}

func (m *model) checkBlock(t testing.TB, s *Store, h quorum.Height) {
	t.Helper()
	want := m.blocks[h]
	got, err := s.Block(h)
	if err != nil {
		t.Fatalf("block %d: %v", h, err)
	}
	if got.Header != want.header || !slices.EqualFunc(got.Payload, want.payload, bytes.Equal) || (got.Certificate == nil) != (want.cert == nil) {
		t.Fatalf("block %d is not the one that was committed", h)
	}
	for i, r := range got.Receipts {
		if !bytes.Equal(r.Encode(), want.up.Receipts[i].Encode()) {
			t.Fatalf("block %d: receipt %d differs", h, i)
		}
		if l, err := s.Transaction(r.Tx); err != nil || l != (Location{Height: h, Tx: i}) {
			t.Fatalf("transaction %d of block %d is at %+v, %v", i, h, l, err)
		}
	}
	if root, err := s.StateRoot(h); err != nil || root != m.roots[h] {
		t.Fatalf("state root of block %d: %s, %v", h, root, err)
	}
	if root, err := s.ReceiptsRoot(h); err != nil || want.up != nil && root != want.up.ReceiptsRoot {
		t.Fatalf("receipts root of block %d: %s, %v", h, root, err)
	}
	if chain, err := s.ReceiptsChain(h); err != nil || chain != m.chains[h] {
		t.Fatalf("chain of receipts roots at block %d: %s, %v", h, chain, err)
	}
}

// checkState compares the present state, and each one that is kept, key by key.
func (m *model) checkState(t testing.TB, s *Store, tip quorum.Height) {
	t.Helper()
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := snap.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	entries, err := snap.Scan(nil, nil, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(m.states[tip]) {
		t.Fatalf("the state after block %d has %d keys, want %d", tip, len(entries), len(m.states[tip]))
	}
	for h := snap.Oldest(); h <= tip; h++ {
		view, err := snap.ViewAt(h)
		if err != nil {
			t.Fatalf("state at %d: %v", h, err)
		}
		for i := range 60 {
			key := fmt.Sprintf("key/%d", i)
			got, err := view.Read([]byte(key))
			if err != nil || !bytes.Equal(got, m.states[h][key]) || (got == nil) != (m.states[h][key] == nil) {
				t.Fatalf("%s at height %d of %d: %x (%v), want %x", key, h, tip, got, err, m.states[h][key])
			}
		}
	}
	if _, err := snap.ViewAt(tip + 1); !IsNotFound(err) {
		t.Fatalf("state above the tip: %v", err)
	}
}

func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
