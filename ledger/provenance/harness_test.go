package provenance

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
)

func testKey(name string) crypto.PrivateKey {
	seed := sha256.Sum256([]byte("provenance test " + name))
	k, err := crypto.GeneratePrivateKey(bytes.NewReader(bytes.Repeat(seed[:], 4)))
	if err != nil {
		panic(err)
	}
	return k
}

type pages map[crypto.PagePath][]byte

func (p pages) ReadPage(path crypto.PagePath) ([]byte, error) { return p[path], nil }

type mapView map[string][]byte

func (v mapView) Read(key []byte) ([]byte, error) { return v[string(key)], nil }

// frozen is the state after one block. It implements State.
type frozen struct {
	mapView
	pages  pages
	height quorum.Height
}

func (f *frozen) Prove(key []byte) (crypto.TreeProof, error) { return crypto.ProveTree(f.pages, key) }
func (f *frozen) Height() quorum.Height                      { return f.height }

// world is a ledger in memory: four validators, real signatures, everything that [Source] needs.
type world struct {
	t       testing.TB
	genesis *ledger.Genesis
	now     frozen
	frozen  map[quorum.Height]*frozen

	headers  []quorum.Header
	certs    []*quorum.Certificate
	payloads [][][]byte
	receipts [][]ledger.Receipt
	roots    []crypto.Hash
	chains   []crypto.Hash
	states   []crypto.Hash
	starts   []epochStart
	length   quorum.Height // of an epoch in blocks
	places   map[string][]Place
	salt     uint32
	extra    []ledger.Write // into the state with the next block
	every    int            // a block has a certificate of its own if its height is divisible; 1: all have
}

type epochStart struct {
	set    *quorum.Set
	anchor quorum.Header
	view   quorum.View
}

func newWorld(t testing.TB, chain string, length quorum.Height) *world {
	t.Helper()
	g := &ledger.Genesis{Version: ledger.GenesisVersion, Chain: chain, TimeMs: 1_777_622_400_000, Params: ledger.DefaultParams()}
	for i := range 4 {
		name := fmt.Sprint("operator ", i)
		g.Validators = append(g.Validators, ledger.GenesisValidator{Name: fmt.Sprint("v", i), Key: testKey(fmt.Sprint("validator ", i)).Public(),
			Stake: 10_000, Operator: testKey(name).Address()})
		g.Accounts = append(g.Accounts, ledger.GenesisAccount{Address: testKey(name).Address(), Balance: 1_000_000})
	}
	for i, name := range []string{"Farm", "Plant", "Shop"} {
		a := testKey(name).Address()
		g.Accounts = append(g.Accounts, ledger.GenesisAccount{Address: a, Balance: 1_000_000_000})
		prefix := fmt.Sprint(9521321 + i)
		g.Organisations = append(g.Organisations, ledger.GenesisOrganisation{Address: a, Name: name, Roles: []string{"trade"},
			Parties: []string{"urn:epc:id:pgln:" + prefix + ".00000"}, Prefixes: []string{prefix}})
	}
	g.Registrars = []crypto.Address{testKey("operator 0").Address()}
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, genesis: g, length: length, frozen: map[quorum.Height]*frozen{}, places: map[string][]Place{}, every: 1}
	w.now = frozen{mapView: mapView{}, pages: pages{}}
	set, err := g.ValidatorSet()
	if err != nil {
		t.Fatal(err)
	}
	w.starts = []epochStart{{set, g.Block(), 0}}
	w.write(g.State())
	w.headers, w.certs = []quorum.Header{g.Block()}, []*quorum.Certificate{nil}
	w.payloads, w.receipts = [][][]byte{nil}, [][]ledger.Receipt{nil}
	w.roots = []crypto.Hash{ledger.ReceiptsRoot(nil)}
	w.chains = []crypto.Hash{ledger.ChainReceipts(crypto.Hash{}, w.roots[0])}
	return w
}

// write changes the state and keeps its root.
func (w *world) write(writes []ledger.Write) {
	w.t.Helper()
	tree := make([]crypto.TreeWrite, len(writes))
	for i, x := range writes {
		tree[i] = crypto.TreeWrite{Key: x.Key, Value: x.Value}
		if x.Value == nil {
			delete(w.now.mapView, string(x.Key))
		} else {
			w.now.mapView[string(x.Key)] = x.Value
		}
	}
	root, changed, err := crypto.UpdateTree(w.now.pages, tree)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range changed {
		if p.Data == nil {
			delete(w.now.pages, p.Path)
		} else {
			w.now.pages[p.Path] = p.Data
		}
	}
	w.states = append(w.states, root)
}

func (w *world) tip() quorum.Header { return w.headers[len(w.headers)-1] }

// freeze keeps the present state.
func (w *world) freeze() quorum.Height {
	h := w.tip().Height
	w.frozen[h] = &frozen{mapView: maps.Clone(w.now.mapView), pages: maps.Clone(w.now.pages), height: h}
	return h
}

// block executes transactions and demands that they are accepted.
func (w *world) block(txs ...*ledger.Transaction) {
	w.t.Helper()
	parent := w.tip()
	h := parent.Height + 1
	start := &w.starts[len(w.starts)-1]
	exec := max(h, 2) - 2
	header := quorum.Header{
		Version: quorum.HeaderVersion, Genesis: w.genesis.Hash(), Epoch: quorum.Epoch(len(w.starts) - 1), View: start.view + 1, ParentView: start.view,
		Height: h, Parent: parent.Hash(), TimeMs: parent.TimeMs + 60_000, Proposer: uint16(h % 4), TxCount: uint32(len(txs)),
		ValidatorSet: start.set.Hash(), Params: w.genesis.Params.Hash(),
		ExecHeight: exec, ExecStateRoot: w.states[exec], ExecReceiptsRoot: w.chains[exec],
	}
	start.view++
	var payload [][]byte
	for _, tx := range txs {
		payload = append(payload, tx.Raw())
		header.PayloadBytes += uint32(tx.Size())
	}
	header.PayloadRoot = quorum.PayloadRoot(payload)
	b := &ledger.Block{Transactions: w.verified(txs)}
	if h-start.anchor.Height == w.length {
		next, err := ledger.NextSet(w.now)
		if err != nil {
			w.t.Fatal(err)
		}
		header.Flags, header.NextValidatorSet, b.Next = quorum.FlagClosing, next.Hash(), next
	}
	b.Header = header
	up, err := ledger.Apply(w.now, b)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range up.Receipts {
		if !up.Receipts[i].OK() {
			w.t.Fatalf("block %d: %s", h, up.Receipts[i].Finding)
		}
	}
	w.write(slices.Concat(up.Writes, w.extra))
	w.extra = nil
	w.keep(header, payload, up, b.Next)
}

func (w *world) verified(txs []*ledger.Transaction) []ledger.VerifiedTransaction {
	out := make([]ledger.VerifiedTransaction, len(txs))
	for i, r := range ledger.VerifyTransactions(txs) {
		if r.Err != nil {
			w.t.Fatal(r.Err)
		}
		out[i] = r.Verified
	}
	return out
}

func (w *world) keep(header quorum.Header, payload [][]byte, up *ledger.Update, next *quorum.Set) {
	start := w.starts[len(w.starts)-1]
	var cert *quorum.Certificate
	if next != nil || int(header.Height)%w.every == 0 {
		cert = w.certify(start.set, header)
	}
	root := up.ReceiptsRoot
	w.headers, w.certs, w.payloads = append(w.headers, header), append(w.certs, cert), append(w.payloads, payload)
	w.receipts, w.roots = append(w.receipts, up.Receipts), append(w.roots, root)
	w.chains = append(w.chains, ledger.ChainReceipts(w.chains[len(w.chains)-1], root))
	if next != nil {
		w.starts = append(w.starts, epochStart{next, header, 0})
	}
	for _, r := range up.Events {
		if !r.Accepted {
			continue
		}
		seen := map[string]bool{}
		for _, id := range idsOf(r.Event) {
			if id = ledger.CanonicalID(id); !seen[id] {
				seen[id] = true
				w.places[id] = append(w.places[id], Place{Height: r.Height, Tx: uint32(r.TxIndex), Event: uint32(r.Index)})
			}
		}
	}
}

func idsOf(e *epcis.Event) []string {
	ids := slices.Concat(e.EPCs, e.ChildEPCs, e.InputEPCs, e.OutputEPCs)
	for _, list := range [][]epcis.Quantity{e.Quantities, e.ChildQuantities, e.InputQuantities, e.OutputQuantities} {
		for _, q := range list {
			ids = append(ids, q.Class)
		}
	}
	return append(ids, e.ParentID)
}

// certify signs a header with as many validators as it takes.
func (w *world) certify(set *quorum.Set, h quorum.Header) *quorum.Certificate {
	w.t.Helper()
	d := quorum.Domain{Genesis: w.genesis.Hash(), Set: set}
	var votes []quorum.Vote
	for i := range set.Len() {
		for j := range 4 {
			if k := testKey(fmt.Sprint("validator ", j)); k.Public() == set.At(i).Key {
				v := quorum.Vote{Kind: quorum.KindFinalize, Epoch: h.Epoch, View: h.View, Height: h.Height, Block: h.Hash(), Signer: uint16(i)}
				votes = append(votes, quorum.SignVote(d, k, v))
			}
		}
	}
	var verified []quorum.VerifiedVote
	for _, r := range quorum.VerifyVotes(d, votes) {
		if r.Err != nil {
			w.t.Fatal(r.Err)
		}
		verified = append(verified, r.Verified)
	}
	c, err := quorum.Certify(d, verified)
	if err != nil {
		w.t.Fatal(err)
	}
	cert := c.Certificate()
	return &cert
}

// idle makes empty blocks.
func (w *world) idle(n int) {
	for range n {
		w.block()
	}
}

// capture is a transaction of events.
func (w *world) capture(author string, events ...*epcis.Event) *ledger.Transaction {
	w.t.Helper()
	p := &ledger.Capture{}
	for _, e := range events {
		data, err := epcis.EncodeEvent(e)
		if err != nil {
			w.t.Fatal(err)
		}
		p.Events = append(p.Events, data)
	}
	return w.tx(author, p)
}

// tx is a transaction of any kind.
func (w *world) tx(author string, p ledger.Payload) *ledger.Transaction {
	w.t.Helper()
	key := testKey(author)
	body, err := ledger.NewBody(w.genesis.Hash(), key.Address(), w.tip().Height+10, p)
	if err != nil {
		w.t.Fatal(err)
	}
	w.salt++
	body.Salt = [8]byte{byte(w.salt), byte(w.salt >> 8), byte(w.salt >> 16)}
	tx, err := ledger.Sign(body, key)
	if err != nil {
		w.t.Fatal(err)
	}
	return tx
}

// event fills what every event has. Its time is that of the coming block, and a little later with every event.
func (w *world) event(e epcis.Event) *epcis.Event {
	w.salt++
	e.TimeZoneOffset, e.EventTime = "+00:00", epcis.NewTimestamp(w.tip().TimeMs+int64(w.salt%50_000))
	return &e
}

// The interface Chain.

func (w *world) Header(h quorum.Height) (quorum.Header, error) {
	if int(h) >= len(w.headers) {
		return quorum.Header{}, fmt.Errorf("no block %d", h)
	}
	return w.headers[h], nil
}

func (w *world) Certificate(h quorum.Height) (*quorum.Certificate, error) { return w.certs[h], nil }
func (w *world) Payload(h quorum.Height) ([][]byte, error)                { return w.payloads[h], nil }
func (w *world) ReceiptsRoot(h quorum.Height) (crypto.Hash, error)        { return w.roots[h], nil }
func (w *world) ReceiptsChain(h quorum.Height) (crypto.Hash, error)       { return w.chains[h], nil }
func (w *world) EpochStart(e quorum.Epoch) (*quorum.Set, quorum.Header, error) {
	return w.starts[e].set, w.starts[e].anchor, nil
}

func (w *world) Receipts(h quorum.Height) ([][]byte, error) {
	var out [][]byte
	for i := range w.receipts[h] {
		out = append(out, w.receipts[h][i].Encode())
	}
	return out, nil
}

func (w *world) EventsOf(id string, limit int) ([]Place, error) {
	list := w.places[id]
	return list[:min(limit, len(list))], nil
}

func (w *world) source(h quorum.Height) Source {
	return Source{State: w.frozen[h], Chain: w, Events: w}
}

// make makes and encodes a certificate.
func (w *world) make(h quorum.Height, r Request) []byte {
	w.t.Helper()
	c, err := Make(w.source(h), r)
	if err != nil {
		w.t.Fatalf("making the certificate of %s: %v", r.ID, err)
	}
	data, err := c.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

// memo answers for signatures from memory, so that a million certificates that differ in one byte are checked in minutes. The
// answers are those of the real check.
type memo struct{ known map[crypto.Check]bool }

func newMemo() *memo { return &memo{known: map[crypto.Check]bool{}} }

func (m *memo) VerifyBatch(checks []crypto.Check) []bool {
	out := make([]bool, len(checks))
	for i, c := range checks {
		ok, known := m.known[c]
		if !known {
			ok = crypto.VerifyBatch([]crypto.Check{c})[0]
			if len(m.known) < 1<<16 || ok {
				m.known[c] = ok
			}
		}
		out[i] = ok
	}
	return out
}
