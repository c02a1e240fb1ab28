package store

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"waybill/crypto"
)

// What a block changes goes into its batch in the order of keys. The database sorts a large batch before it uses it, and what
// is sorted is sorted soon; the entries of a small one it finds places for one by one, each near the one before.

// entryRoom is the most that an entry of a batch takes besides key and value.
const entryRoom = 1 + 2*binary.MaxVarintLen32

// write puts everything into the batch, which is made to measure: one that grows is copied again and again.
func (c *commit) write(tip *tipRecord) {
	h := c.header.Height
	txs, events := c.transactions(), c.events()
	receipts := make([][]byte, len(c.up.Receipts))
	for i := range c.up.Receipts {
		receipts[i] = c.up.Receipts[i].Encode()
	}
	c.begin(1<<10 + framedSize(c.payload) + framedSize(receipts) + len(c.cert) +
		len(txs)*(33+12+entryRoom) + len(events)*(33+16+entryRoom))

	c.setAll(c.meta)
	c.set(tipKey(), tip.encode())
	c.set(heightKey(prefixHeader, h), c.header.Encode())
	c.setFramed(heightKey(prefixPayload, h), c.payload)
	c.set(heightKey(prefixCertificate, h), c.cert)
	c.setFramed(heightKey(prefixReceipts, h), receipts)
	roots := blockRoots{state: tip.StateRoot, receipts: tip.ReceiptsRoot, chain: tip.ReceiptsChain}
	c.set(heightKey(prefixRoots, h), roots.encode())
	c.set(hashKey(prefixBlockHash, c.up.Block), binary.BigEndian.AppendUint64(nil, uint64(h)))
	c.setPlaces(prefixTransaction, txs)
	c.setPlaces(prefixEvent, events)
	c.epoch()
	c.setState()
	for i := range c.pages { // which come as they are kept: by the length of the path, then by path
		c.setPage(&c.pages[i])
	}
	slices.SortFunc(c.steps, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	c.setAll(c.steps)
	for _, old := range c.old {
		c.remove(heightKey(prefixUndo, old))
	}
	c.setUndo()
	c.others()
}

// begin makes or takes the batch, with room for so many bytes and what was gathered.
func (c *commit) begin(room int) {
	for i := range c.up.Writes {
		room += 1 + len(c.up.Writes[i].Key) + 8 + len(c.up.Writes[i].Value) + entryRoom
	}
	for i := range c.pages {
		room += 2 + len(c.pages[i].Path) + 8 + pageSize(&c.pages[i]) + entryRoom
	}
	for i := range c.meta {
		room += len(c.meta[i].key) + len(c.meta[i].value) + entryRoom
	}
	for i := range c.steps {
		room += len(c.steps[i].key) + len(c.steps[i].value) + entryRoom
	}
	room += c.undo.size() + len(c.old)*(9+entryRoom) + c.s.besideSize + c.s.besideSize/4
	s := c.s
	c.batch, s.batch = s.batch, nil
	if c.batch == nil || s.batchRoom < room {
		// Blocks are much alike: the next one, if a little larger, shall find room too.
		s.batchRoom = room
		if room <= maxKeptBatch {
			s.batchRoom += room / 8
		}
		c.batch = s.db.NewBatch(pebble.WithInitialSizeBytes(s.batchRoom), pebble.WithMaxRetainedSizeBytes(maxKeptBatch))
	}
}

// keepBatch keeps the memory of a batch that was written, unless it is much.
func (s *Store) keepBatch(batch *pebble.Batch) {
	if s.batchRoom <= maxKeptBatch {
		batch.Reset()
		s.batch = batch
	}
}

func (c *commit) set(key, value []byte) {
	if c.err == nil {
		c.err = c.batch.Set(key, value, nil)
	}
}

func (c *commit) remove(key []byte) {
	if c.err == nil {
		c.err = c.batch.Delete(key, nil)
	}
}

func (c *commit) setAll(entries []entry) {
	for _, e := range entries {
		if e.value == nil {
			c.remove(e.key)
		} else {
			c.set(e.key, e.value)
		}
	}
}

// setFramed is set of a list, put together in the batch.
func (c *commit) setFramed(key []byte, items [][]byte) {
	if c.err != nil {
		return
	}
	op := c.batch.SetDeferred(len(key), framedSize(items))
	copy(op.Key, key)
	appendFrame(op.Value[:0], items)
	c.err = op.Finish()
}

func (c *commit) setPlaces(prefix byte, list []placed) {
	for i := range list {
		c.key = append(append(c.key[:0], prefix), list[i].id[:]...)
		c.page = appendLocation(c.page[:0], list[i].at, prefix == prefixEvent)
		c.set(c.key, c.page)
	}
}

// setState writes the new values.
func (c *commit) setState() {
	for i := range c.up.Writes {
		w := &c.up.Writes[i]
		c.key = append(append(c.key[:0], prefixState), w.Key...)
		if w.Value == nil {
			c.remove(c.key)
			continue
		}
		c.s.filter.add(c.hashes[i])
		c.setVersion(c.key, w.Value)
	}
}

// setVersion is set of a versioned value, put together in the batch.
func (c *commit) setVersion(key, value []byte) {
	if c.err != nil {
		return
	}
	op := c.batch.SetDeferred(len(key), 8+len(value))
	copy(op.Key, key)
	binary.BigEndian.PutUint64(op.Value, uint64(c.header.Height))
	copy(op.Value[8:], value)
	c.err = op.Finish()
}

// patched reports whether little enough of a page changed for a patch of it.
func patched(p *crypto.Page) bool { return !p.New && p.Data != nil && 2*len(p.Patch) <= len(p.Data) }

// pageSize is how many bytes the value of a page takes, besides its height.
func pageSize(p *crypto.Page) int {
	if patched(p) {
		return len(p.Patch)
	}
	return len(crypto.WholePatch) + len(p.Data)
}

// setPage writes a page, or what changed in it if that is much less.
func (c *commit) setPage(p *crypto.Page) {
	c.key = append(append(c.key[:0], prefixPage, byte(len(p.Path))), p.Path...)
	if p.Data == nil {
		c.remove(c.key)
		return
	}
	if c.err != nil {
		return
	}
	var op *pebble.DeferredBatchOp
	if patched(p) {
		op = c.batch.MergeDeferred(len(c.key), 8+len(p.Patch))
		copy(op.Value[8:], p.Patch)
	} else {
		op = c.batch.SetDeferred(len(c.key), 8+len(crypto.WholePatch)+len(p.Data))
		copy(op.Value[8+copy(op.Value[8:], crypto.WholePatch):], p.Data)
	}
	copy(op.Key, c.key)
	binary.BigEndian.PutUint64(op.Value, uint64(c.header.Height))
	c.err = op.Finish()
}

// setUndo writes the undo record, put together in the batch.
func (c *commit) setUndo() {
	if c.err != nil {
		return
	}
	op := c.batch.SetDeferred(1+8, c.undo.size())
	copy(op.Key, heightKey(prefixUndo, c.header.Height))
	c.undo.encode(op.Value[:0])
	c.err = op.Finish()
}

// others lets Options.Beside add to the batch.
func (c *commit) others() {
	if c.err != nil || c.s.beside == nil {
		return
	}
	before := c.batch.Len()
	c.err = c.s.beside(c.batch, c.header.Height, c.up.Writes)
	c.s.besideSize = c.batch.Len() - before
}
