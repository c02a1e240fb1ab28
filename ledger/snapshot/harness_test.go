package snapshot

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/store"
)

// mac stands in for ECDSA, which would take most of the time of these tests.
type mac struct{}

func (mac) Sign(key crypto.PrivateKey, digest crypto.Hash) crypto.Signature {
	return mac{}.of(key.Public(), digest)
}

func (mac) of(key crypto.PublicKey, digest crypto.Hash) (s crypto.Signature) {
	sum := crypto.Sum(crypto.TagVote, key[:], digest[:])
	copy(s[:], sum[:])
	copy(s[32:], sum[:])
	return s
}

func (m mac) VerifyBatch(checks []crypto.Check) []bool {
	out := make([]bool, len(checks))
	for i, c := range checks {
		out[i] = c.Signature == m.of(c.Key, c.Digest)
	}
	return out
}

func testKey(name string) crypto.PrivateKey {
	seed := crypto.Sum(crypto.TagAddress, []byte("snapshot test "+name))
	k, err := crypto.PrivateKeyFromBytes(seed[:])
	if err != nil {
		panic(err)
	}
	return k
}

func testGenesis() *ledger.Genesis {
	operator := testKey("operator").Address()
	return &ledger.Genesis{
		Version: ledger.GenesisVersion, Chain: "snapshots", TimeMs: 1_777_622_400_000, Params: ledger.DefaultParams(),
		Validators: []ledger.GenesisValidator{{Name: "v1", Key: testKey("epoch 0").Public(), Stake: 1_000_000_000, Operator: operator}},
		Accounts:   []ledger.GenesisAccount{{Address: operator, Balance: 1_000_000}},
		Registrars: []crypto.Address{operator},
	}
}

// epochKey is the only validator of an epoch.
func epochKey(e quorum.Epoch) crypto.PrivateKey { return testKey(fmt.Sprintf("epoch %d", e)) }

func epochSet(t testing.TB, g *ledger.Genesis, e quorum.Epoch) *quorum.Set {
	t.Helper()
	if e == 0 {
		set, err := g.ValidatorSet()
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	k := epochKey(e)
	set, err := quorum.NewSet([]quorum.Validator{{Key: k.Public(), Power: 5, Operator: k.Address()}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// chain is a ledger that grows by random writes, and what the tests know of it.
type chain struct {
	t       testing.TB
	genesis *ledger.Genesis
	fs      vfs.FS
	store   *store.Store
	rng     *rand.Rand

	epochLength quorum.Height // 0: one epoch
	certify     func(h quorum.Height) bool
	exec        func(h quorum.Height) quorum.Height

	headers []quorum.Header
	states  []map[string][]byte
	chains  []crypto.Hash
	after   func(quorum.Header) // each commit
}

func newChain(t testing.TB, seed uint64, fs vfs.FS) *chain {
	t.Helper()
	g := testGenesis()
	c := &chain{t: t, genesis: g, fs: fs, rng: rand.New(rand.NewPCG(seed, 11)), certify: func(quorum.Height) bool { return true }}
	c.exec = func(h quorum.Height) quorum.Height { return max(h, 2) - 2 }
	s, err := store.Open("data", g, small(fs))
	if err != nil {
		t.Fatal(err)
	}
	c.store = s
	state := map[string][]byte{}
	for _, w := range g.State() {
		state[string(w.Key)] = w.Value
	}
	c.headers, c.states = []quorum.Header{g.Block()}, []map[string][]byte{state}
	c.chains = []crypto.Hash{ledger.ChainReceipts(crypto.Hash{}, ledger.ReceiptsRoot(nil))}
	return c
}

func small(fs vfs.FS) store.Options {
	return store.Options{FS: fs, MemTableBytes: 256 << 10, CacheBytes: 1 << 20, History: 8}
}

func (c *chain) tip() quorum.Header { return c.headers[len(c.headers)-1] }

// grow commits n blocks, each with some writes.
func (c *chain) grow(n, writes int) {
	c.t.Helper()
	for range n {
		c.block(writes)
	}
}

func (c *chain) block(writes int) {
	c.t.Helper()
	parent := c.tip()
	h := parent.Height + 1
	epoch := parent.Epoch
	if parent.IsClosing() {
		epoch++
	}
	state := maps.Clone(c.states[len(c.states)-1])
	up := &ledger.Update{Height: h, ReceiptsRoot: ledger.ReceiptsRoot(nil), Writes: c.writes(state, writes)}
	set := epochSet(c.t, c.genesis, epoch)
	header := quorum.Header{
		Version: quorum.HeaderVersion, Genesis: c.genesis.Hash(), Epoch: epoch, View: quorum.View(h), Height: h,
		Parent: parent.Hash(), TimeMs: parent.TimeMs + 1000, PayloadRoot: quorum.PayloadRoot(nil), ValidatorSet: set.Hash(),
		Params: c.genesis.Params.Hash(), ExecHeight: max(c.exec(h), parent.ExecHeight),
	}
	header.ExecReceiptsRoot = c.chains[header.ExecHeight]
	header.ExecStateRoot = rootOf(c.states[header.ExecHeight])
	var next *quorum.Set
	if c.epochLength > 0 && h%c.epochLength == 0 {
		header.Flags = quorum.FlagClosing
		next = epochSet(c.t, c.genesis, epoch+1)
		header.NextValidatorSet = next.Hash()
	}
	var cert *quorum.Certificate
	if next != nil || c.certify(h) {
		cert = certificateFor(c.t, set, epochKey(epoch), header)
	}
	up.Block = header.Hash()
	root, err := c.store.Commit(header, nil, cert, up, next)
	if err != nil {
		c.t.Fatal(err)
	}
	if want := rootOf(state); root != want {
		c.t.Fatalf("block %d has root %s, want %s", h, root, want)
	}
	c.headers, c.states = append(c.headers, header), append(c.states, state)
	c.chains = append(c.chains, ledger.ChainReceipts(c.chains[h-1], up.ReceiptsRoot))
	if c.after != nil {
		c.after(header)
	}
}

func (c *chain) writes(state map[string][]byte, n int) []ledger.Write {
	changed := map[string][]byte{}
	for range n {
		key := fmt.Sprintf("key/%d", c.rng.IntN(4*n+10))
		if _, had := state[key]; had && c.rng.IntN(5) == 0 {
			changed[key] = nil
			continue
		}
		value := make([]byte, c.rng.IntN(120))
		for i := range value {
			value[i] = byte(c.rng.Uint32())
		}
		changed[key] = value
	}
	var out []ledger.Write
	for _, k := range slices.Sorted(maps.Keys(changed)) {
		out = append(out, ledger.Write{Key: []byte(k), Value: changed[k]})
		if changed[k] == nil {
			delete(state, k)
		} else {
			state[k] = changed[k]
		}
	}
	return out
}

// rootOf builds the tree of a state by its definition.
func rootOf(state map[string][]byte) crypto.Hash {
	var entries []placed
	for k, v := range state {
		entries = append(entries, place(store.Entry{Key: []byte(k), Value: v}))
	}
	_, leaves := encodeChunk(entries)
	return subtreeHash(leaves, 0)
}

func certificateFor(t testing.TB, set *quorum.Set, key crypto.PrivateKey, h quorum.Header) *quorum.Certificate {
	t.Helper()
	d := quorum.Domain{Genesis: h.Genesis, Set: set, Checker: mac{}}
	v := quorum.SignVote(d, key, quorum.Vote{Kind: quorum.KindFinalize, Epoch: h.Epoch, View: h.View, Height: h.Height, Block: h.Hash()})
	return &quorum.Certificate{
		Kind: quorum.KindFinalize, Epoch: h.Epoch, View: h.View, Height: h.Height, Block: h.Hash(), Bitmap: []byte{1}, Signatures: []crypto.Signature{v.Signature},
	}
}

func (c *chain) epochs(t testing.TB) *Epochs {
	t.Helper()
	e, err := NewEpochs(c.genesis, Trust{}, mac{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// library makes one with chunks small enough to have many.
func library(t testing.TB, fs vfs.FS, dir string) *Library {
	t.Helper()
	l, err := OpenLibrary(fs, dir)
	if err != nil {
		t.Fatal(err)
	}
	l.Target = 1024
	return l
}

// snapshotAt makes a snapshot of the present state, then grows the chain until it is certified, and writes it.
func (c *chain) snapshot(l *Library) *Stored {
	c.t.Helper()
	s := c.tip().Height
	state, err := c.store.Snapshot()
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() {
		if err := state.Close(); err != nil {
			c.t.Fatal(err)
		}
	}()
	var headers []quorum.Header
	var proof *Proof
	for range 30 {
		c.grow(1, 10)
		if headers, err = Headers(c.store, s); err != nil {
			continue
		}
		if proof, err = Prove(c.store, headers); err == nil {
			break
		}
	}
	if err != nil {
		c.t.Fatal(err)
	}
	handovers, err := Handovers(c.store, proof.Needs(&Manifest{Headers: headers}))
	if err != nil {
		c.t.Fatal(err)
	}
	out, err := l.Create(c.t.Context(), state, headers, proof, handovers)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}
