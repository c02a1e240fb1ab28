package provenance

import (
	"cmp"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// State reads and proves the state after one block.
type State interface {
	ledger.View
	// Prove proves what Read returns.
	Prove(key []byte) (crypto.TreeProof, error)
	// Height is that of the block. Some header must commit to the state after it.
	Height() quorum.Height
}

// Chain reads finalized blocks up to those that commit to the height of the State and beyond.
type Chain interface {
	Header(h quorum.Height) (quorum.Header, error)
	// Certificate finalizes the block by itself; nil where a descendant's does.
	Certificate(h quorum.Height) (*quorum.Certificate, error)
	Payload(h quorum.Height) ([][]byte, error)
	// Receipts are those of the transactions of the payload, encoded.
	Receipts(h quorum.Height) ([][]byte, error)
	ReceiptsRoot(h quorum.Height) (crypto.Hash, error)
	// ReceiptsChain is the chain of receipts roots up to block h.
	ReceiptsChain(h quorum.Height) (crypto.Hash, error)
	// EpochStart returns the validators of an epoch and the header of the block that it begins after.
	EpochStart(e quorum.Epoch) (*quorum.Set, quorum.Header, error)
}

// Place is where an event stands on the ledger.
type Place struct {
	Height quorum.Height
	Tx     uint32 // in the block
	Event  uint32 // in the transaction
}

// Finder finds events.
type Finder interface {
	// EventsOf returns where the accepted events stand that name an identifier, in the order of the ledger, at most limit.
	// It may return others besides, and events above the height of the State, but leave none out.
	EventsOf(id string, limit int) ([]Place, error)
}

// Source is a ledger from which a certificate is made.
type Source struct {
	State  State
	Chain  Chain
	Events Finder
}

// Request says what to make a certificate of.
type Request struct {
	ID     string       // the item, lot or class, in any spelling
	Depth  int          // steps back through transformations, at most MaxDepth
	Events uint64       // other things with more events are not followed; at most MaxThingEvents; 0: UsualEvents
	From   quorum.Epoch // whose validators are trusted by whoever checks; 0: genesis
}

// Bounds of Request.Events.
const (
	UsualEvents    = 2000
	MaxThingEvents = crypto.MaxCBORElements
)

// Make makes the certificate of an item after the block at src.State.Height. Errors are of kind ErrRequest, ErrNotFound,
// ErrTooLarge or ErrBehind, or what src returned.
func Make(src Source, r Request) (*Certificate, error) {
	if r.Events == 0 {
		r.Events = UsualEvents
	}
	if r.ID == "" || r.Depth < 0 || r.Depth > MaxDepth || r.Events > MaxThingEvents {
		return nil, refuse(ErrRequest, nil, "item %q, depth %d (at most %d), %d events (at most %d)", r.ID, r.Depth, MaxDepth, r.Events, MaxThingEvents)
	}
	m := &maker{src: src, request: r, loaded: map[Place]*carried{}, blocks: map[quorum.Height]*blockData{}}
	m.view = &recordingView{view: src.State, seen: map[string]bool{}}
	w := &walk{view: m.view, events: m.chainOf, depth: r.Depth, limit: r.Events}
	m.cert.head = head{Subject: ledger.CanonicalID(r.ID), Height: src.State.Height(), Depth: uint32(r.Depth), Events: r.Events, Base: r.From}
	if err := w.run(m.cert.head.Subject); err != nil {
		return nil, err
	}
	for _, step := range []func() error{m.proveStates, m.proveTransactions, m.proveBlocks, m.proveHeaders, m.proveEpochs} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	m.listThings(w.nodes)
	return &m.cert, nil
}

// recordingView remembers what was read, in order.
type recordingView struct {
	view ledger.View
	seen map[string]bool
	keys [][]byte
	vals [][]byte
}

// Read implements ledger.View.
func (v *recordingView) Read(key []byte) ([]byte, error) {
	value, err := v.view.Read(key)
	if err == nil && !v.seen[string(key)] {
		v.seen[string(key)] = true
		v.keys, v.vals = append(v.keys, slices.Clone(key)), append(v.vals, value)
	}
	return value, err
}

// maker gathers a certificate.
type maker struct {
	src     Source
	request Request
	view    *recordingView
	cert    Certificate

	loaded map[Place]*carried // by height and transaction
	blocks map[quorum.Height]*blockData
	needed []quorum.Height // of headers
	last   quorum.Epoch    // of the headers
}

// blockData is a block with events of the history.
type blockData struct {
	header   quorum.Header
	payload  [][]byte
	receipts [][]byte
}

// maxBlocks bounds the blocks in memory: they have megabytes, and few events of each are needed.
const maxBlocks = 8

func (m *maker) block(h quorum.Height) (*blockData, error) {
	if b := m.blocks[h]; b != nil {
		return b, nil
	}
	b := &blockData{}
	var err error
	if b.header, err = m.src.Chain.Header(h); err != nil {
		return nil, err
	}
	if b.payload, err = m.src.Chain.Payload(h); err != nil {
		return nil, err
	}
	if b.receipts, err = m.src.Chain.Receipts(h); err != nil {
		return nil, err
	}
	if len(m.blocks) == maxBlocks {
		clear(m.blocks)
	}
	m.blocks[h] = b
	return b, nil
}

// carry loads a transaction with its proofs.
func (m *maker) carry(p Place) (*carried, error) {
	p.Event = 0
	if c := m.loaded[p]; c != nil {
		return c, nil
	}
	b, err := m.block(p.Height)
	if err != nil {
		return nil, err
	}
	if uint64(p.Tx) >= uint64(len(b.payload)) || len(b.receipts) != len(b.payload) {
		return nil, refuse(ErrBehind, nil, "block %d has no transaction %d, as the list of events says", p.Height, p.Tx)
	}
	c := &carried{}
	if c.tx, err = ledger.DecodeTransaction(b.payload[p.Tx]); err != nil {
		return nil, err
	}
	receipt, err := ledger.DecodeReceipt(b.receipts[p.Tx])
	if err != nil {
		return nil, err
	}
	c.records = ledger.EventsOf(b.header, []*ledger.Transaction{c.tx}, []ledger.Receipt{*receipt})
	for i := range c.records {
		c.records[i].TxIndex = int(p.Tx)
	}
	in, err := crypto.MerkleProve(b.payload, int(p.Tx))
	if err != nil {
		return nil, err
	}
	out, err := crypto.MerkleProve(b.receipts, int(p.Tx))
	if err != nil {
		return nil, err
	}
	c.proof = transaction{Index: in.Index, Size: in.Size, Raw: b.payload[p.Tx], Path: joined(in.Path), Receipt: b.receipts[p.Tx], ReceiptPath: joined(out.Path)}
	m.loaded[p] = c
	return c, nil
}

// findSlack is how many events more than its chain has are looked for: those that named a thing before it was on the ledger,
// and those after the height.
const findSlack = 100_000

// chainOf finds the events of a chain. Those that named the thing before it was on the ledger are not on it, and come
// first.
func (m *maker) chainOf(n name, c ledger.Chain) ([]event, error) {
	places, err := m.src.Events.EventsOf(n.id, int(c.Count)+findSlack)
	if err != nil {
		return nil, err
	}
	var events []event
	for _, p := range places {
		if p.Height > m.src.State.Height() {
			break
		}
		tx, err := m.carry(p)
		if err != nil {
			return nil, err
		}
		if e, ok := tx.event(p.Event); ok && e.holds(n) {
			events = append(events, e)
		}
	}
	if uint64(len(events)) > c.Count {
		events = events[uint64(len(events))-c.Count:]
	}
	if err := foldsTo(events, c); err != nil {
		return nil, refuse(ErrBehind, err, "%s", n.id)
	}
	for _, e := range events {
		e.tx.used = true
	}
	return events, nil
}

func (e *event) holds(n name) bool { return e.named.Holds(n.id, n.lot) }

// foldsTo checks that events are all those of a chain, in order.
func foldsTo(events []event, c ledger.Chain) error {
	if uint64(len(events)) != c.Count {
		return refuse(ErrIncomplete, nil, "%d events, its record says %d", len(events), c.Count)
	}
	head := crypto.Hash{}
	for _, e := range events {
		head = ledger.NextHead(head, e.rec.Hash)
	}
	if head != c.Head {
		return refuse(ErrIncomplete, nil, "its %d events do not lead to the head of its chain", len(events))
	}
	return nil
}

func (m *maker) proveStates() error {
	for i, key := range m.view.keys {
		proof, err := m.src.State.Prove(key)
		if err != nil {
			return err
		}
		raw, err := proof.MarshalBinary()
		if err != nil {
			return err
		}
		e := stateEntry{Key: key, Present: m.view.vals[i] != nil, Value: m.view.vals[i], Proof: raw}
		m.cert.states = append(m.cert.states, e)
	}
	return nil
}

// proveTransactions lists the transactions of the history, ascending, with their blocks.
func (m *maker) proveTransactions() error {
	var places []Place
	for p, c := range m.loaded {
		if c.used {
			places = append(places, p)
		}
	}
	slices.SortFunc(places, func(a, b Place) int { return cmp.Or(cmp.Compare(a.Height, b.Height), cmp.Compare(a.Tx, b.Tx)) })
	for i, p := range places {
		if n := len(m.cert.blocks); n == 0 || m.cert.blocks[n-1].Height != p.Height {
			m.cert.blocks = append(m.cert.blocks, block{Height: p.Height})
		}
		c := m.loaded[p]
		c.index, c.proof.Block = uint32(i), uint32(len(m.cert.blocks)-1)
		m.cert.transactions = append(m.cert.transactions, c.proof)
	}
	return nil
}

// proveBlocks finds for each block the header that commits to its receipts, and what leads there.
func (m *maker) proveBlocks() error {
	for i := range m.cert.blocks {
		b := &m.cert.blocks[i]
		result, err := m.committing(b.Height)
		if err != nil {
			return err
		}
		b.Result = result.Height
		if b.Before, err = m.src.Chain.ReceiptsChain(b.Height - 1); err != nil {
			return err
		}
		if b.Root, err = m.src.Chain.ReceiptsRoot(b.Height); err != nil {
			return err
		}
		for h := b.Height + 1; h <= result.ExecHeight; h++ {
			root, err := m.src.Chain.ReceiptsRoot(h)
			if err != nil {
				return err
			}
			b.After = append(b.After, root[:]...)
		}
		m.needed = append(m.needed, b.Height, b.Result)
	}
	result, err := m.committing(m.cert.head.Height)
	if err != nil {
		return err
	}
	if result.ExecHeight != m.cert.head.Height {
		return refuse(ErrBehind, nil, "no block commits to the state after block %d; block %d does to that after block %d",
			m.cert.head.Height, result.Height, result.ExecHeight)
	}
	m.cert.head.Committing, m.cert.head.Genesis = result.Height, result.Genesis
	m.needed = append(m.needed, m.cert.head.Height, result.Height)
	return nil
}

// committing returns the first header that commits to the receipts of a block.
func (m *maker) committing(h quorum.Height) (quorum.Header, error) {
	for at := h + 1; at <= h+maxPathHeaders; at++ {
		header, err := m.src.Chain.Header(at)
		if err != nil {
			return quorum.Header{}, err
		}
		if header.ExecHeight >= h {
			return header, nil
		}
	}
	return quorum.Header{}, refuse(ErrBehind, nil, "no block commits to the result of block %d", h)
}

func (m *maker) listThings(nodes []*node) {
	for _, n := range nodes {
		if n.cut {
			continue
		}
		t := thing{ID: n.id, Lot: n.lot}
		for _, e := range n.events {
			t.Events = append(t.Events, place{Tx: e.tx.index, Event: uint32(e.rec.Index)})
		}
		m.cert.things = append(m.cert.things, t)
	}
}
