package ledger

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
)

// mapView is a state in memory.
type mapView map[string][]byte

func (v mapView) Read(key []byte) ([]byte, error) { return v[string(key)], nil }

func (v mapView) apply(writes []Write) {
	for _, w := range writes {
		if w.Value == nil {
			delete(v, string(w.Key))
			continue
		}
		v[string(w.Key)] = w.Value
	}
}

func (v mapView) clone() mapView { return maps.Clone(v) }

// keyOf makes the key of a name, always the same.
func keyOf(name string) crypto.PrivateKey {
	seed := sha256.Sum256([]byte("waybill test key " + name))
	k, err := crypto.GeneratePrivateKey(bytes.NewReader(seed[:]))
	if err != nil {
		panic(err)
	}
	return k
}

const testStart = 1_777_622_400_000 // 2026-05-01T08:00:00Z in ms

// testNet is a network of one process: a state, a height and a clock.
type testNet struct {
	t       testing.TB
	genesis *Genesis
	hash    crypto.Hash
	view    mapView
	height  quorum.Height
	timeMs  int64
	salt    byte
	total   uint64 // all money, in genesis
}

// testGenesis funds the named accounts; "registrar" is the registrar and the operator of the validator.
func testGenesis(p Params, names ...string) *Genesis {
	reg := keyOf("registrar")
	g := &Genesis{
		Version: GenesisVersion, Chain: "test", TimeMs: testStart, Params: p,
		Validators: []GenesisValidator{{Name: "v1", Key: keyOf("validator 1").Public(), Stake: 10_000, Operator: reg.Address()}},
		Accounts:   []GenesisAccount{{Address: reg.Address(), Balance: 1_000_000}},
		Registrars: []crypto.Address{reg.Address()},
	}
	for _, n := range names {
		g.Accounts = append(g.Accounts, GenesisAccount{Address: keyOf(n).Address(), Balance: 1_000_000})
	}
	return g
}

func newNet(t testing.TB, g *Genesis) *testNet {
	t.Helper()
	if err := g.Validate(); err != nil {
		t.Fatalf("genesis: %v", err)
	}
	n := &testNet{t: t, genesis: g, hash: g.Hash(), view: mapView{}, timeMs: g.TimeMs}
	n.view.apply(g.State())
	n.total = g.Reserve
	for _, a := range g.Accounts {
		n.total += a.Balance
	}
	for _, v := range g.Validators {
		n.total += v.Stake
	}
	return n
}

func (n *testNet) body(author string, p Payload) Body {
	n.t.Helper()
	b, err := NewBody(n.hash, keyOf(author).Address(), n.height+10, p)
	if err != nil {
		n.t.Fatal(err)
	}
	n.salt++
	b.Salt[0] = n.salt
	b.Salt[1] = byte(n.height)
	return b
}

// tx is a transaction signed by its author, and by others if named.
func (n *testNet) tx(author string, p Payload, others ...string) *Transaction {
	n.t.Helper()
	return n.sign(n.body(author, p), append([]string{author}, others...)...)
}

func (n *testNet) sign(b Body, names ...string) *Transaction {
	n.t.Helper()
	keys := make([]crypto.PrivateKey, len(names))
	for i, name := range names {
		keys[i] = keyOf(name)
	}
	tx, err := Sign(b, keys...)
	if err != nil {
		n.t.Fatal(err)
	}
	return tx
}

func verified(t testing.TB, txs ...*Transaction) []VerifiedTransaction {
	t.Helper()
	out := make([]VerifiedTransaction, len(txs))
	for i, r := range VerifyTransactions(txs) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		out[i] = r.Verified
	}
	return out
}

func (n *testNet) nextBlock(txs ...*Transaction) *Block {
	n.t.Helper()
	e, err := must[epochRecord](n.view, []byte(keyEpoch))
	if err != nil {
		n.t.Fatal(err)
	}
	return &Block{
		Header:       quorum.Header{Version: 1, Genesis: n.hash, Epoch: e.Number, Height: n.height + 1, TimeMs: n.timeMs + 60_000},
		Transactions: verified(n.t, txs...),
	}
}

// closes makes a block the last of its epoch. It hands over to whom the state before it elects.
func (n *testNet) closes(b *Block) *Block {
	n.t.Helper()
	next, err := NextSet(n.view)
	if err != nil {
		n.t.Fatal(err)
	}
	b.Header.Flags, b.Header.NextValidatorSet, b.Next = quorum.FlagClosing, next.Hash(), next
	return b
}

// close ends the epoch with a block.
func (n *testNet) close(txs ...*Transaction) *Update {
	n.t.Helper()
	return n.keep(n.closes(n.nextBlock(txs...)))
}

// block executes one block a minute after the last, checks what must hold after every block, and keeps it.
func (n *testNet) block(txs ...*Transaction) *Update {
	n.t.Helper()
	return n.keep(n.nextBlock(txs...))
}

func (n *testNet) keep(b *Block) *Update {
	n.t.Helper()
	before := n.view.clone()
	up, err := Apply(n.view, b)
	if err != nil {
		n.t.Fatal(err)
	}
	n.checkUpdate(before, b, up)
	n.view.apply(up.Writes)
	n.height, n.timeMs = b.Header.Height, b.Header.TimeMs
	n.conserved()
	return up
}

// conserved adds up all money: it is what genesis had.
func (n *testNet) conserved() {
	n.t.Helper()
	checkMoney(n.t, n.view)
	if s, err := ReadSupply(n.view); err != nil || s.Total != n.total {
		n.t.Fatalf("genesis had %d in all, now the books say %+v (%v)", n.total, s, err)
	}
}

func (n *testNet) checkUpdate(before mapView, b *Block, up *Update) {
	n.t.Helper()
	if !maps.EqualFunc(before, n.view, bytes.Equal) {
		n.t.Fatal("Apply changed the view")
	}
	for i, w := range up.Writes {
		if i > 0 && bytes.Compare(up.Writes[i-1].Key, w.Key) >= 0 {
			n.t.Fatalf("writes are not ascending at %q", w.Key)
		}
		if bytes.Equal(before[string(w.Key)], w.Value) && (w.Value == nil) == (before[string(w.Key)] == nil) {
			n.t.Fatalf("write of %q changes nothing", w.Key)
		}
	}
	var txs []*Transaction
	for _, v := range b.Transactions {
		txs = append(txs, v.Transaction())
	}
	replay := EventsOf(b.Header, txs, up.Receipts)
	if got, want := fmt.Sprintf("%+v", replay), fmt.Sprintf("%+v", up.Events); got != want {
		n.t.Fatalf("EventsOf differs from Apply:\n%s\n%s", got, want)
	}
}

// one executes a transaction in a block of its own and returns its receipt.
func (n *testNet) one(tx *Transaction) Receipt {
	n.t.Helper()
	return n.block(tx).Receipts[0]
}

// must executes and demands success.
func (n *testNet) must(tx *Transaction) Receipt {
	n.t.Helper()
	r := n.one(tx)
	if !r.OK() {
		n.t.Fatalf("refused: %s", r.Finding)
	}
	return r
}

// join registers an organisation with prefixes that the registrar approves.
func (n *testNet) join(name string, prefixes ...string) {
	n.t.Helper()
	n.must(n.tx(name, &RegisterOrganisation{Name: name}))
	for _, p := range prefixes {
		n.must(n.tx(name, &ClaimPrefix{Prefix: p}))
		n.must(n.tx("registrar", &ApprovePrefix{Prefix: p, Organisation: keyOf(name).Address()}))
	}
}

func capture(t testing.TB, mode CaptureMode, events ...*epcis.Event) *Capture {
	t.Helper()
	c := &Capture{Mode: mode}
	for _, e := range events {
		data, err := epcis.EncodeEvent(e)
		if err != nil {
			t.Fatal(err)
		}
		c.Events = append(c.Events, data)
	}
	return c
}

// checkMoney adds up all money by reading the raw state and compares it with the books.
func checkMoney(t testing.TB, v mapView) {
	t.Helper()
	var balances, bonded, unbonding uint64
	for k, raw := range v {
		if !strings.HasPrefix(k, "acct/") {
			continue
		}
		var a Account
		if err := crypto.Unmarshal(raw, &a); err != nil {
			t.Fatal(err)
		}
		balances += a.Balance
		bonded += a.Bonded
		for _, r := range a.Unbonding {
			unbonding += r.Amount
		}
	}
	s, err := ReadSupply(v)
	if err != nil {
		t.Fatal(err)
	}
	want := Supply{
		Total: balances + bonded + unbonding + s.FeePool + s.Reserve + s.Burned, Balances: balances, Bonded: bonded, Unbonding: unbonding,
		FeePool: s.FeePool, Reserve: s.Reserve, Burned: s.Burned,
	}
	if *s != want {
		t.Fatalf("books say %+v, accounts add up to %+v", *s, want)
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
