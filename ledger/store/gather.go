package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// commit gathers what a block changes, and writes it into one batch. The first error sticks.
type commit struct {
	s       *Store
	header  quorum.Header
	payload [][]byte
	cert    []byte
	up      *ledger.Update
	next    *quorum.Set // of the epoch that begins after the block; mostly nil
	meta    []entry     // of the keyspace 0x00

	pages  []crypto.Page // that changed
	hashes []uint64      // of the keys of up.Writes, as the filter has them
	undo   undoRecord
	steps  []entry         // versions with entries of their own; nil as a value: forgotten
	old    []quorum.Height // whose undo records are forgotten

	batch     *pebble.Batch
	key, page []byte // scratch
	err       error
}

// entry is a key of the database and its new value; nil: it goes.
type entry struct{ key, value []byte }

func (c *commit) close() {
	if c.batch != nil {
		_ = c.batch.Close() // frees memory only
	}
}

func (c *commit) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// fill writes everything of the block into a batch and returns the tip that it makes.
func (c *commit) fill(old tipRecord) (tipRecord, error) {
	tip := tipRecord{Tip: Tip{Height: c.header.Height, Hash: c.up.Block, ReceiptsRoot: c.up.ReceiptsRoot}}
	tip.ReceiptsChain = ledger.ChainReceipts(old.ReceiptsChain, c.up.ReceiptsRoot)
	tip.StateRoot = c.tree(old.StateRoot)
	c.replacedPages()
	c.replacedState()
	tip.oldest = c.prune(old.oldest)
	if c.err == nil {
		c.write(&tip)
	}
	if c.err != nil {
		return tipRecord{}, c.s.classify(c.err, "preparing a block")
	}
	return tip, nil
}

// tree finds the pages that change and returns the root.
func (c *commit) tree(root crypto.Hash) crypto.Hash {
	writes := make([]crypto.TreeWrite, len(c.up.Writes))
	for i, w := range c.up.Writes {
		writes[i] = crypto.TreeWrite{Key: w.Key, Value: w.Value}
	}
	root, pages, err := c.s.tree.Update(livePages{c.s, nil}, root, uint64(c.header.Height), writes)
	if err != nil {
		c.fail(err)
		return crypto.Hash{}
	}
	c.pages = pages
	return root
}

// replacedPages keeps the pages that the block replaces.
func (c *commit) replacedPages() {
	for i := range c.pages {
		if p := &c.pages[i]; !p.New && c.err == nil {
			c.keepPage(p)
		}
	}
}

// keepPage keeps what a changed page was.
func (c *commit) keepPage(p *crypto.Page) {
	var old []byte
	var err error
	was := quorum.Height(p.Was)
	switch {
	case p.Data == nil:
		old, err = livePages{c.s, nil}.ReadPage(p.Path)
	case wantsStep(p.Was, uint64(c.header.Height)):
		old, err = c.unpatched(p)
	default:
		c.undo.add(replacedPage, []byte(p.Path), was, p.Undo)
		return
	}
	if err != nil {
		c.fail(err)
		return
	}
	c.step(replacedPageStem(p.Path), step{since: was, data: old})
}

// unpatched is what a changed page was.
func (c *commit) unpatched(p *crypto.Page) ([]byte, error) {
	c.page = append(append(c.page[:0], crypto.WholePatch...), p.Data...)
	old, err := crypto.JoinPatches(nil, c.page, p.Undo)
	if err != nil {
		return nil, err
	}
	return wholePage(old)
}

// replacedState keeps the values that the block replaces.
func (c *commit) replacedState() {
	h := c.header.Height
	c.hashes = make([]uint64, len(c.up.Writes))
	for i := range c.up.Writes {
		w := &c.up.Writes[i]
		c.hashes[i] = c.s.filter.hash(w.Key)
		old, err := c.s.hashed(c.hashes[i], w.Key)
		if err != nil {
			c.fail(err)
			return
		}
		switch {
		case old.value == nil:
		case w.Value == nil:
			c.step(replacedStateStem(w.Key), step{since: old.since, key: w.Key, data: old.value})
		case wantsStep(uint64(old.since), uint64(h)):
			c.step(replacedStateStem(w.Key), step{since: old.since, data: old.value})
		default:
			c.undo.add(replacedState, w.Key, old.since, old.value)
		}
	}
}

// step keeps a replaced version in an entry of its own.
func (c *commit) step(stem []byte, old step) {
	key := atHeight(stem, c.header.Height)
	c.steps = append(c.steps, entry{key, old.encode()})
	c.undo.steps = append(c.undo.steps, key)
}

// prune forgets what only reads below the kept history need, and returns the new oldest readable height.
func (c *commit) prune(oldest quorum.Height) quorum.Height {
	h := uint64(c.header.Height)
	if c.s.history == math.MaxUint64 || h <= c.s.history {
		return oldest
	}
	target := quorum.Height(h - c.s.history)
	for n := 0; oldest < target && n < maxPrunedPerBlock && c.err == nil; n++ {
		oldest++
		raw, err := c.s.get(heightKey(prefixUndo, oldest))
		if err == nil && raw != nil {
			err = c.forget(raw)
		}
		if err != nil {
			c.fail(err)
		}
		c.old = append(c.old, oldest)
	}
	return oldest
}

func (c *commit) forget(raw []byte) error {
	u, err := parseUndo(raw)
	if err != nil {
		return c.s.corrupt(err, "reading what a block replaced")
	}
	keys, err := unframe(u.steps)
	if err != nil {
		return c.s.corrupt(err, "reading what a block replaced")
	}
	for _, k := range keys {
		c.steps = append(c.steps, entry{key: k})
	}
	return nil
}

// located reports whether an earlier block holds the transaction. A block may repeat one that was executed before, which
// its receipt refuses; what became of the transaction stays what the first execution said.
func (c *commit) located(id crypto.Hash) bool {
	raw, err := c.s.get(hashKey(prefixTransaction, id))
	if err != nil {
		c.fail(err)
	}
	return raw != nil
}

// placed is a transaction or event and where the block has it.
type placed struct {
	id crypto.Hash
	at Location
}

// transactions lists the transactions that are found at this block from now on.
func (c *commit) transactions() []placed {
	list := make([]placed, 0, len(c.up.Receipts))
	seen := make(map[crypto.Hash]int, len(c.up.Receipts)) // in this very block, and where in the list
	for i := range c.up.Receipts {
		r := &c.up.Receipts[i]
		at := Location{Height: c.header.Height, Tx: i}
		n, again := seen[r.Tx]
		switch {
		case again && r.Executed():
			list[n].at = at
		case again:
		case r.Executed() || !c.located(r.Tx):
			seen[r.Tx] = len(list)
			list = append(list, placed{r.Tx, at})
		}
	}
	sortPlaced(list)
	return list
}

// events lists the events that are found at this block from now on.
func (c *commit) events() []placed {
	list := make([]placed, 0, len(c.up.Events))
	for i := range c.up.Events {
		if e := &c.up.Events[i]; e.Accepted {
			list = append(list, placed{e.Hash, Location{Height: c.header.Height, Tx: e.TxIndex, Event: e.Index}})
		}
	}
	sortPlaced(list)
	return list
}

// sortPlaced sorts by id. Two authors may have the same event: the later one counts, so it stands behind.
func sortPlaced(list []placed) {
	slices.SortFunc(list, func(a, b placed) int {
		if n := compareHashes(&a.id, &b.id); n != 0 {
			return n
		}
		return cmp.Or(cmp.Compare(a.at.Tx, b.at.Tx), cmp.Compare(a.at.Event, b.at.Event))
	})
}

// compareHashes is bytes.Compare, of which the first bytes nearly always tell all.
func compareHashes(a, b *crypto.Hash) int {
	if x, y := binary.BigEndian.Uint64(a[:]), binary.BigEndian.Uint64(b[:]); x != y {
		if x < y {
			return -1
		}
		return 1
	}
	return bytes.Compare(a[:], b[:])
}
