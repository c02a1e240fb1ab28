package api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/epcis/query"
	"waybill/epcis/trace"
	"waybill/ledger"
)

func keyOf(name string) crypto.PrivateKey {
	seed := sha256.Sum256([]byte("api test key " + name))
	k, err := crypto.GeneratePrivateKey(bytes.NewReader(bytes.Repeat(seed[:], 4)))
	if err != nil {
		panic(err)
	}
	return k
}

const testStart = 1_777_622_400_000 // 2026-05-01T08:00:00Z in ms

// hostile is a name that a page or a terminal must not take for more than text.
const hostile = `<script>alert("x")</script> & Söhne`

const farmPrefix = "9521321"

func testGenesis() *ledger.Genesis {
	farm, hostileOrg := keyOf("farm").Address(), keyOf("hostile").Address()
	return &ledger.Genesis{
		Version: ledger.GenesisVersion, Chain: "api-test", TimeMs: testStart, Params: ledger.DefaultParams(),
		Validators: []ledger.GenesisValidator{{Name: "v1", Key: keyOf("validator").Public(), PeerKey: keyOf("peer").Public(), Stake: 10_000, Operator: farm}},
		Accounts: []ledger.GenesisAccount{
			{Address: farm, Balance: 1_000_000}, {Address: hostileOrg, Balance: 1_000_000}, {Address: keyOf("poor").Address(), Balance: 1},
		},
		Registrars: []crypto.Address{farm},
		Organisations: []ledger.GenesisOrganisation{
			{Address: farm, Name: "Salinas Farm", Roles: []string{"farm"}, Parties: []string{"urn:epc:id:pgln:9521321.00000"}, Prefixes: []string{farmPrefix}},
			{Address: hostileOrg, Name: hostile},
		},
	}
}

// pages is a state tree in memory.
type pages map[crypto.PagePath][]byte

// ReadPage implements crypto.PageReader.
func (p pages) ReadPage(path crypto.PagePath) ([]byte, error) { return p[path], nil }

type mapView map[string][]byte

// Read implements ledger.View.
func (v mapView) Read(key []byte) ([]byte, error) { return v[string(key)], nil }

// fakeNode is a ledger of one validator in memory that implements every interface the server needs. A transaction waits
// until seal makes a block of all that wait; with auto set Submit seals at once.
type fakeNode struct {
	tb      testing.TB
	genesis *ledger.Genesis
	domain  quorum.Domain

	// hook is called with the name of every method first; what it returns, if anything, is the method's error. It may panic
	// or wait for ctx.
	hook func(ctx context.Context, method string) error

	mu      sync.Mutex // guards the rest
	auto    bool
	lag     quorum.Height // how far the index stays behind the tip
	state   mapView
	tree    pages
	blocks  []Block
	states  []mapView // after each block
	trees   []pages
	roots   []crypto.Hash
	pending map[crypto.Hash][]byte
	order   []crypto.Hash
	txs     map[crypto.Hash]*Transaction
	events  []ledger.EventRecord
	changed chan struct{} // closed and replaced when anything above changed
	peers   []Peer
	checks  []Check
	open    int            // readings that were not closed
	extra   []ledger.Write // that the next block makes besides
}

func newFakeNode(tb testing.TB) *fakeNode {
	tb.Helper()
	g := testGenesis()
	if err := g.Validate(); err != nil {
		tb.Fatal(err)
	}
	set, err := g.ValidatorSet()
	if err != nil {
		tb.Fatal(err)
	}
	n := &fakeNode{tb: tb, genesis: g, domain: quorum.Domain{Genesis: g.Hash(), Set: set}, hook: func(context.Context, string) error { return nil },
		auto: true, state: mapView{}, tree: pages{}, pending: map[crypto.Hash][]byte{}, txs: map[crypto.Hash]*Transaction{}, changed: make(chan struct{}),
		checks: []Check{{Name: "storage", OK: true, Vital: true, Detail: "height 0"}, {Name: "peers", OK: true, Detail: "3 of 3"}},
		peers:  []Peer{{ID: "peer\x1b[31m", Name: hostile, Address: "/ip4/127.0.0.1/tcp/1", Direction: "inbound"}},
	}
	n.commit(Block{Header: g.Block()}, g.State())
	return n
}

// commit adds an executed block. The caller holds mu, or nobody else has the node yet.
func (n *fakeNode) commit(b Block, writes []ledger.Write) {
	var tw []crypto.TreeWrite
	n.state, n.tree = maps.Clone(n.state), maps.Clone(n.tree)
	for _, w := range writes {
		tw = append(tw, crypto.TreeWrite{Key: w.Key, Value: w.Value})
		if w.Value == nil {
			delete(n.state, string(w.Key))
		} else {
			n.state[string(w.Key)] = w.Value
		}
	}
	root, changed, err := crypto.UpdateTree(n.tree, tw)
	if err != nil {
		panic(err)
	}
	for _, p := range changed {
		if p.Data == nil {
			delete(n.tree, p.Path)
		} else {
			n.tree[p.Path] = p.Data
		}
	}
	n.blocks, n.states, n.trees, n.roots = append(n.blocks, b), append(n.states, n.state), append(n.trees, n.tree), append(n.roots, root)
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *fakeNode) tip() *Block { return &n.blocks[len(n.blocks)-1] }

// seal makes a block of all transactions that wait.
func (n *fakeNode) seal() quorum.Height {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sealLocked()
}

func (n *fakeNode) sealLocked() quorum.Height {
	var txs []*ledger.Transaction
	payload := [][]byte{}
	for _, id := range n.order {
		tx, err := ledger.DecodeTransaction(n.pending[id])
		if err != nil {
			panic(err)
		}
		txs, payload = append(txs, tx), append(payload, n.pending[id])
	}
	n.order, n.pending = nil, map[crypto.Hash][]byte{}
	parent := n.tip().Header
	h := quorum.Header{
		Version: quorum.HeaderVersion, Genesis: n.domain.Genesis, View: parent.View + 1, ParentView: parent.View, Height: parent.Height + 1,
		Parent: parent.Hash(), TimeMs: parent.TimeMs + 60_000, PayloadRoot: quorum.PayloadRoot(payload), TxCount: uint32(len(payload)),
		ValidatorSet: n.domain.Set.Hash(), Params: n.genesis.Params.Hash(), ExecHeight: parent.Height, ExecStateRoot: n.roots[parent.Height],
		ExecReceiptsRoot: ledger.ReceiptsRoot(n.tip().Receipts),
	}
	block := &ledger.Block{Header: h}
	for _, r := range ledger.VerifyTransactions(txs) {
		if r.Err != nil {
			panic(r.Err)
		}
		block.Transactions = append(block.Transactions, r.Verified)
	}
	up, err := ledger.Apply(n.state, block)
	if err != nil {
		panic(err)
	}
	for i, tx := range txs {
		status := TxFinal
		if up.Receipts[i].Err() != nil {
			status = TxRefused
		}
		n.txs[tx.ID()] = &Transaction{Status: status, Raw: tx.Raw(), Height: h.Height, Index: i, TimeMs: h.TimeMs, Receipt: &up.Receipts[i]}
	}
	n.events = append(n.events, up.Events...)
	cert := n.certify(h)
	writes := append(slices.Clone(up.Writes), n.extra...)
	n.extra = nil
	slices.SortFunc(writes, func(a, b ledger.Write) int { return bytes.Compare(a.Key, b.Key) })
	n.commit(Block{Header: h, Payload: payload, Certificate: &cert, Receipts: up.Receipts}, writes)
	return h.Height
}

func (n *fakeNode) certify(h quorum.Header) quorum.Certificate {
	vote := quorum.SignVote(n.domain, keyOf("validator"), quorum.Vote{Kind: quorum.KindFinalize, Epoch: h.Epoch, View: h.View, Height: h.Height, Block: h.Hash()})
	r := quorum.VerifyVotes(n.domain, []quorum.Vote{vote})[0]
	if r.Err != nil {
		panic(r.Err)
	}
	c, err := quorum.Certify(n.domain, []quorum.VerifiedVote{r.Verified})
	if err != nil {
		panic(err)
	}
	return c.Certificate()
}

// setLag holds the index back.
func (n *fakeNode) setLag(lag quorum.Height) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lag = lag
	close(n.changed)
	n.changed = make(chan struct{})
}

// until waits for a condition that is looked at under mu.
func (n *fakeNode) until(ctx context.Context, ok func() bool) error {
	for {
		n.mu.Lock()
		done, changed := ok(), n.changed
		n.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Block implements Chain.
func (n *fakeNode) Block(ctx context.Context, height quorum.Height) (*Block, error) {
	if err := n.hook(ctx, "Block"); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if height >= quorum.Height(len(n.blocks)) {
		return nil, fmt.Errorf("%w: height %d", ErrNotFound, height)
	}
	b := n.blocks[height]
	return &b, nil
}

// Epoch implements Chain: there is one.
func (n *fakeNode) Epoch(ctx context.Context, epoch quorum.Epoch) (*Epoch, error) {
	if err := n.hook(ctx, "Epoch"); err != nil {
		return nil, err
	}
	if epoch != 0 {
		return nil, ErrNotFound
	}
	set, err := n.genesis.ValidatorSet()
	return &Epoch{Set: set, Anchor: n.blocks[0].Header}, err
}

// HeightOf implements Chain.
func (n *fakeNode) HeightOf(ctx context.Context, block crypto.Hash) (quorum.Height, error) {
	if err := n.hook(ctx, "HeightOf"); err != nil {
		return 0, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.blocks {
		if n.blocks[i].Header.Hash() == block {
			return quorum.Height(i), nil
		}
	}
	return 0, ErrNotFound
}

// fakeReading is the state after one block.
type fakeReading struct {
	mapView
	node   *fakeNode
	height quorum.Height
	closed bool
}

// oldest is the lowest height whose state the fake node keeps.
const oldest = 1

// At implements State.
func (n *fakeNode) At(ctx context.Context, height *quorum.Height) (Reading, error) {
	if err := n.hook(ctx, "At"); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	tip := n.tip().Header.Height
	h := tip
	if height != nil {
		h = *height
	}
	switch {
	case h > tip:
		return nil, fmt.Errorf("%w: block %d is not here yet, the tip is block %d", ErrNotFound, h, tip)
	case h < oldest && tip > 0:
		return nil, &PrunedError{Height: h, Oldest: oldest}
	}
	n.open++
	return &fakeReading{mapView: n.states[h], node: n, height: h}, nil
}

// Height implements Reading.
func (r *fakeReading) Height() quorum.Height { return r.height }

// Close implements Reading.
func (r *fakeReading) Close() {
	r.node.mu.Lock()
	defer r.node.mu.Unlock()
	if r.closed {
		panic("a reading is closed twice")
	}
	r.closed = true
	r.node.open--
}

// Keys implements Reading, with the keys of the present too.
func (r *fakeReading) Keys(ctx context.Context, prefix, after []byte, limit int) ([][]byte, error) {
	if err := r.node.hook(ctx, "Keys"); err != nil {
		return nil, err
	}
	r.node.mu.Lock()
	defer r.node.mu.Unlock()
	all := maps.Clone(r.node.state)
	maps.Copy(all, r.mapView)
	var out [][]byte
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if strings.HasPrefix(key, string(prefix)) && (after == nil || key > string(after)) && len(out) < limit {
			out = append(out, []byte(key))
		}
	}
	return out, nil
}

// List implements Reading, with the places of the present.
func (r *fakeReading) List(ctx context.Context, list ledger.List, scope string, after *ledger.Place, limit int) ([]ledger.Place, error) {
	if err := r.node.hook(ctx, "List"); err != nil {
		return nil, err
	}
	r.node.mu.Lock()
	defer r.node.mu.Unlock()
	newest := func(a, b ledger.Place) int {
		return cmp.Or(cmp.Compare(b.Height, a.Height), strings.Compare(b.ID, a.ID))
	}
	var out []ledger.Place
	for key, value := range r.node.state {
		places, err := ledger.PlacesOf([]byte(key), value)
		if err != nil {
			return nil, err
		}
		for _, p := range places {
			if p.List == list && p.Scope == scope && !p.Off && p.Height <= r.height && (after == nil || newest(*after, p) < 0) {
				out = append(out, p)
			}
		}
	}
	slices.SortFunc(out, newest)
	return out[:min(limit, len(out))], nil
}

// ProveState implements Prover.
func (n *fakeNode) ProveState(ctx context.Context, key []byte, height *quorum.Height) (*StateProof, error) {
	if err := n.hook(ctx, "ProveState"); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	b := n.tip()
	if b.Header.Height == 0 {
		return nil, ErrNotReady
	}
	at := b.Header.ExecHeight
	if height != nil {
		if at = *height; at < oldest {
			return nil, &PrunedError{Height: at, Oldest: oldest}
		}
		i := slices.IndexFunc(n.blocks, func(b Block) bool { return b.Header.Height > 0 && b.Header.ExecHeight == at })
		if i < 0 {
			return nil, fmt.Errorf("%w: no block commits to the result of block %d yet", ErrNotFound, at)
		}
		b = &n.blocks[i]
	}
	proof, err := crypto.ProveTree(n.trees[at], key)
	if err != nil {
		return nil, err
	}
	return &StateProof{Header: b.Header, Certificate: *b.Certificate, Key: key, Value: n.states[at][string(key)], Proof: proof}, nil
}

// ProveTransaction implements Prover. The certificate is that of the tip, so that there is a path where it is later.
func (n *fakeNode) ProveTransaction(ctx context.Context, id crypto.Hash) (*TransactionProof, error) {
	if err := n.hook(ctx, "ProveTransaction"); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	tx := n.txs[id]
	if tx == nil {
		return nil, ErrNotFound
	}
	b := n.blocks[tx.Height]
	proof, err := crypto.MerkleProve(b.Payload, tx.Index)
	if err != nil {
		return nil, err
	}
	out := &TransactionProof{Header: b.Header, Certificate: *n.tip().Certificate, Raw: tx.Raw, Proof: proof}
	for _, later := range n.blocks[tx.Height+1:] {
		out.Path = append(out.Path, later.Header)
	}
	return out, nil
}

// Submit implements Submitter.
func (n *fakeNode) Submit(ctx context.Context, raw []byte) (crypto.Hash, error) {
	if err := n.hook(ctx, "Submit"); err != nil {
		return crypto.Hash{}, err
	}
	tx, err := ledger.DecodeTransaction(raw)
	if err != nil {
		return crypto.Hash{}, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	id := tx.ID()
	if n.txs[id] != nil || n.pending[id] != nil {
		return id, nil
	}
	if err := ledger.Admit(n.state, n.tip().Header.Height+1, tx); err != nil {
		return id, err
	}
	n.pending[id] = raw
	n.order = append(n.order, id)
	if n.auto {
		n.sealLocked()
	}
	return id, nil
}

// Transaction implements Transactions.
func (n *fakeNode) Transaction(ctx context.Context, id crypto.Hash) (*Transaction, error) {
	if err := n.hook(ctx, "Transaction"); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if tx := n.txs[id]; tx != nil {
		return tx, nil
	}
	if raw := n.pending[id]; raw != nil {
		return &Transaction{Status: TxPending, Raw: raw}, nil
	}
	return nil, ErrNotFound
}

// Wait implements Transactions.
func (n *fakeNode) Wait(ctx context.Context, id crypto.Hash) (*Transaction, error) {
	if err := n.hook(ctx, "Wait"); err != nil {
		return nil, err
	}
	var tx *Transaction
	err := n.until(ctx, func() bool { tx = n.txs[id]; return tx != nil })
	return tx, err
}

func (n *fakeNode) indexedLocked() quorum.Height {
	tip := n.tip().Header.Height
	return tip - min(n.lag, tip)
}

// IndexedHeight implements Events.
func (n *fakeNode) IndexedHeight() quorum.Height {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.indexedLocked()
}

// WaitIndexed implements Events.
func (n *fakeNode) WaitIndexed(ctx context.Context, height quorum.Height) error {
	if err := n.hook(ctx, "WaitIndexed"); err != nil {
		return err
	}
	return n.until(ctx, func() bool { return n.indexedLocked() >= height })
}

// Find implements Events. Its tokens are numbers of events.
func (n *fakeNode) Find(ctx context.Context, q *query.Query) (*query.Page, error) {
	if err := n.hook(ctx, "Find"); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	skip := 0
	if q.NextPageToken != "" {
		if _, err := fmt.Sscanf(q.NextPageToken, "after%d", &skip); err != nil {
			return nil, &query.Error{Kind: query.ErrToken, Parameter: "nextPageToken", Value: q.NextPageToken}
		}
	}
	page := &query.Page{Height: uint64(n.indexedLocked())}
	for i, r := range n.events {
		m := n.meta(r)
		if i < skip || !r.Accepted || r.Height > n.indexedLocked() || !q.Matches(r.Event, m) {
			continue
		}
		if len(page.Events) == q.PerPage {
			page.Next = fmt.Sprintf("after%d", i)
			break
		}
		page.Events = append(page.Events, query.Found{Event: r.Event, Meta: m})
	}
	return page, nil
}

func (n *fakeNode) meta(r ledger.EventRecord) query.Meta {
	return query.Meta{Height: uint64(r.Height), TxIndex: uint32(r.TxIndex), Index: uint32(r.Index), Hash: r.Hash.String(), Tx: r.Tx.String(),
		TimeMs: r.TimeMs, Author: r.Author.String(), Org: r.Org}
}

// EventsOf implements trace.Source.
func (n *fakeNode) EventsOf(ctx context.Context, keys []string, limit int) ([][]trace.Ref, error) {
	if err := n.hook(ctx, "EventsOf"); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([][]trace.Ref, len(keys))
	for k, key := range keys {
		for _, r := range n.events {
			named := slices.ContainsFunc(r.Event.Items(), func(i epcis.Item) bool { return trace.Key(i.ID) == key })
			if r.Accepted && r.Height <= n.indexedLocked() && len(out[k]) < limit && named {
				out[k] = append(out[k], refOf(r))
			}
		}
	}
	return out, nil
}

func refOf(r ledger.EventRecord) trace.Ref {
	return trace.Ref{Height: uint64(r.Height), Tx: uint32(r.TxIndex), Event: uint32(r.Index)}
}

// Events implements trace.Source.
func (n *fakeNode) Events(ctx context.Context, refs []trace.Ref) ([]trace.Recorded, error) {
	if err := n.hook(ctx, "Event"); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]trace.Recorded, len(refs))
	for k, ref := range refs {
		i := slices.IndexFunc(n.events, func(r ledger.EventRecord) bool { return refOf(r) == ref })
		if i < 0 {
			return nil, ErrNotFound
		}
		r := n.events[i]
		out[k] = trace.Recorded{Event: r.Event, Meta: trace.Meta{Hash: r.Hash.String(), Tx: r.Tx.String(), TimeMs: r.TimeMs, Author: r.Author.String(), Org: r.Org}}
	}
	return out, nil
}

// Status implements Node.
func (n *fakeNode) Status() Status {
	if err := n.hook(context.Background(), "Status"); err != nil {
		panic(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.tip().Header
	return Status{Chain: n.genesis.Chain, Genesis: n.domain.Genesis, Name: "fake", Version: "test", Height: h.Height, BlockHash: h.Hash(),
		BlockTimeMs: h.TimeMs, StateRoot: n.roots[h.Height], Indexed: n.indexedLocked(), BestKnown: h.Height, Mempool: len(n.pending)}
}

// Peers implements Node.
func (n *fakeNode) Peers() []Peer { return n.peers }

// Checks implements Node.
func (n *fakeNode) Checks() []Check {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.checks)
}

func (n *fakeNode) setCheck(i int, ok bool, detail string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.checks[i].OK, n.checks[i].Detail = ok, detail
}

// fakeSigner signs in the name of the farm. The same events make the same transaction.
type fakeSigner struct{}

// SignCapture implements CaptureSigner.
func (fakeSigner) SignCapture(_ context.Context, events []*epcis.Event, mode ledger.CaptureMode, at ChainPoint) ([][]byte, error) {
	c := &ledger.Capture{Mode: mode}
	for _, e := range events {
		data, err := epcis.EncodeEvent(e)
		if err != nil {
			return nil, err
		}
		if len(data) > 200_000 {
			return nil, fmt.Errorf("%w: the events do not fit into one transaction", ErrTooLarge)
		}
		c.Events = append(c.Events, data)
	}
	body, err := ledger.NewBody(at.Genesis, keyOf("farm").Address(), at.Height-at.Height%100+200, c)
	if err != nil {
		return nil, err
	}
	tx, err := ledger.Sign(body, keyOf("farm"))
	if err != nil {
		return nil, err
	}
	return [][]byte{tx.Raw()}, nil
}
