package store

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// maxPrunedPerBlock bounds how many old heights one commit forgets, so that lowering Options.History does not stop the
// node for minutes.
const maxPrunedPerBlock = 16

// maxBatchGuess bounds what is reserved for a block's batch before it is filled.
const maxBatchGuess = 64 << 20

// create writes block 0 in one synced batch: a crash leaves an empty database, which is created again.
func (s *Store) create(genesis *ledger.Genesis) error {
	header := genesis.Block()
	up := &ledger.Update{Height: 0, Block: header.Hash(), Writes: genesis.State(), ReceiptsRoot: ledger.ReceiptsRoot(nil)}
	set, err := genesis.ValidatorSet()
	if err != nil {
		return &Error{Kind: ErrGenesis, Detail: "the genesis is not valid", Cause: err}
	}
	c := &commit{s: s, batch: s.db.NewBatch(), header: header, up: up, next: set}
	defer c.close()
	c.set(metaKey(metaSchema), binary.BigEndian.AppendUint32(nil, schemaVersion))
	c.set(metaKey(metaGenesis), s.genesis[:])
	c.set(metaKey(metaGenesisBytes), genesis.Encode())
	c.remove(metaKey(metaRestoring))
	tip, err := c.fill(tipRecord{})
	if err != nil {
		return err
	}
	if err := c.apply(true); err != nil {
		return err
	}
	s.records.committed(0, up.Writes)
	s.tip.Store(&tip)
	return nil
}

// Commit makes a block part of the ledger: header, transactions as they were received, certificate, and what
// ledger.Apply made of them, in one batch that is not synced (see [Store.Sync]). It returns the new state root. The
// block must be the child of the tip. A certificate of a descendant also makes a block final, but is kept with the block
// that it names and left out here, as is nil; that of a tail is kept with the closing block it finalizes. next is the set
// of the next epoch, which begins with a closing block; nil for all others. Only one goroutine may commit.
//
// Errors: ErrSequence leaves the store as it was; ErrDiskFull, ErrCorrupt, ErrIO and ErrStopped mean that it has
// stopped and must be opened again, which shows whether the block is in.
func (s *Store) Commit(header quorum.Header, payload [][]byte, cert *quorum.Certificate, up *ledger.Update, next *quorum.Set) (crypto.Hash, error) {
	if err := s.stopped(); err != nil {
		return crypto.Hash{}, err
	}
	old := *s.tip.Load()
	if err := s.checkSequence(&old, &header, payload, up); err != nil {
		return crypto.Hash{}, err
	}
	if err := checkNext(&header, next); err != nil {
		return crypto.Hash{}, err
	}
	batch := s.batch
	if s.batch = nil; batch == nil {
		// Blocks are much alike: a batch that grew would have been copied several times.
		batch = s.db.NewBatch(pebble.WithInitialSizeBytes(min(s.batchSize+s.batchSize/4, maxBatchGuess)),
			pebble.WithMaxRetainedSizeBytes(maxBatchGuess))
	}
	c := &commit{s: s, batch: batch, header: header, payload: payload, up: up, next: next}
	c.undo.offsets, c.undo.entries = s.undo.offsets[:0], s.undo.entries[:0]
	if cert != nil && cert.Finalizes() == up.Block {
		c.cert = cert.Encode()
	}
	defer c.close()
	tip, err := c.fill(old)
	if err != nil {
		return crypto.Hash{}, err
	}
	s.batchSize = c.batch.Len()
	if s.undo = c.undo; cap(s.undo.entries) > maxBatchGuess {
		s.undo = undoRecord{}
	}
	c.batch = nil // not to be closed: if it fails, the goroutine that writes may still have it
	if err := s.write(batch, false); err != nil {
		return crypto.Hash{}, err
	}
	batch.Reset()
	s.batch = batch
	s.records.committed(header.Height, up.Writes)
	s.rise(&tip)
	return tip.StateRoot, nil
}

func (s *Store) checkSequence(old *tipRecord, header *quorum.Header, payload [][]byte, up *ledger.Update) error {
	switch {
	case header.Height != old.Height+1:
		return refuse(ErrSequence, "block %d was to be committed after block %d", header.Height, old.Height)
	case header.Parent != old.Hash:
		return refuse(ErrSequence, "block %d has parent %s, the tip is %s", header.Height, header.Parent, old.Hash)
	case up.Height != header.Height || up.Block != header.Hash():
		return refuse(ErrSequence, "the update is of block %d (%s), the header of block %d", up.Height, up.Block, header.Height)
	case len(up.Receipts) != len(payload):
		return refuse(ErrSequence, "block %d has %d transactions and %d receipts", header.Height, len(payload), len(up.Receipts))
	}
	return nil
}

// commit gathers one block's batch. The first error sticks.
type commit struct {
	s       *Store
	batch   *pebble.Batch
	header  quorum.Header
	payload [][]byte
	cert    []byte
	up      *ledger.Update
	next    *quorum.Set // of the epoch that begins after the block; mostly nil

	undo      undoRecord
	key, page []byte // scratch
	err       error
}

func (c *commit) close() {
	if c.batch != nil {
		_ = c.batch.Close() // frees memory only
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

// located reports whether an earlier block holds the transaction. A block may repeat one that was executed before, which
// its receipt refuses; what became of the transaction stays what the first execution said.
func (c *commit) located(id crypto.Hash) bool {
	raw, err := c.s.get(hashKey(prefixTransaction, id))
	if err != nil && c.err == nil {
		c.err = err
	}
	return raw != nil
}

// fill writes everything of the block into the batch and returns the tip that it makes.
func (c *commit) fill(old tipRecord) (tipRecord, error) {
	h := c.header.Height
	tip := tipRecord{Tip: Tip{Height: h, Hash: c.up.Block, ReceiptsRoot: c.up.ReceiptsRoot}, oldest: old.oldest}
	tip.ReceiptsChain = ledger.ChainReceipts(old.ReceiptsChain, c.up.ReceiptsRoot)
	c.block()
	c.epoch()
	tip.StateRoot = c.tree(old.StateRoot)
	c.state()
	c.keepUndo()
	roots := blockRoots{state: tip.StateRoot, receipts: tip.ReceiptsRoot, chain: tip.ReceiptsChain}
	c.set(heightKey(prefixRoots, h), roots.encode())
	tip.oldest = c.prune(tip.oldest)
	c.set(tipKey(), tip.encode())
	if c.err == nil && c.s.beside != nil {
		c.err = c.s.beside(c.batch, h, c.up.Writes)
	}
	if c.err != nil {
		return tipRecord{}, c.s.classify(c.err, "preparing a block")
	}
	return tip, nil
}

// keepUndo writes the undo record, put together in the batch.
func (c *commit) keepUndo() {
	if c.err != nil {
		return
	}
	op := c.batch.SetDeferred(1+8, c.undo.size())
	copy(op.Key, heightKey(prefixUndo, c.header.Height))
	c.undo.encode(op.Value[:0])
	c.err = op.Finish()
}

// block writes what was received and what it was answered with.
func (c *commit) block() {
	h := c.header.Height
	c.set(heightKey(prefixHeader, h), c.header.Encode())
	c.set(heightKey(prefixPayload, h), frame(c.payload))
	c.set(heightKey(prefixCertificate, h), c.cert)
	c.set(hashKey(prefixBlockHash, c.up.Block), binary.BigEndian.AppendUint64(nil, uint64(h)))
	receipts := make([][]byte, len(c.up.Receipts))
	placed := make(map[crypto.Hash]bool, len(receipts)) // in this very block
	for i := range c.up.Receipts {
		r := &c.up.Receipts[i]
		receipts[i] = r.Encode()
		if r.Executed() || !placed[r.Tx] && !c.located(r.Tx) {
			placed[r.Tx] = true
			c.set(hashKey(prefixTransaction, r.Tx), encodeLocation(Location{Height: h, Tx: i}, false))
		}
	}
	c.set(heightKey(prefixReceipts, h), frame(receipts))
	for i := range c.up.Events {
		e := &c.up.Events[i]
		if e.Accepted {
			c.set(hashKey(prefixEvent, e.Hash), encodeLocation(Location{Height: h, Tx: e.TxIndex, Event: e.Index}, true))
		}
	}
}

// state writes the new values and keeps the ones they replace.
func (c *commit) state() {
	h := c.header.Height
	for _, w := range c.up.Writes {
		old, err := c.s.record(w.Key)
		if err != nil {
			c.fail(err)
			return
		}
		key := append(append(c.key[:0], prefixState), w.Key...)
		if c.key = key; w.Value != nil {
			c.s.filter.add(w.Key)
			c.setVersion(key, h, w.Value)
		} else if old.value != nil {
			c.remove(key)
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

// tree writes the changed pages, keeps the ones they replace, and returns the root.
func (c *commit) tree(root crypto.Hash) crypto.Hash {
	h := c.header.Height
	writes := make([]crypto.TreeWrite, len(c.up.Writes))
	for i, w := range c.up.Writes {
		writes[i] = crypto.TreeWrite{Key: w.Key, Value: w.Value}
	}
	root, pages, err := c.s.tree.Update(livePages{c.s, nil}, root, uint64(h), writes)
	if err != nil {
		c.fail(err)
		return crypto.Hash{}
	}
	for i := range pages {
		p := &pages[i]
		c.key = append(append(c.key[:0], prefixPage, byte(len(p.Path))), p.Path...)
		if p.Data == nil {
			c.remove(c.key)
		} else {
			c.setPage(c.key, p)
		}
		if !p.New {
			c.keepPage(p)
		}
	}
	return root
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

// setVersion is set of a versioned value, put together in the batch.
func (c *commit) setVersion(key []byte, since quorum.Height, value []byte) {
	if c.err != nil {
		return
	}
	op := c.batch.SetDeferred(len(key), 8+len(value))
	copy(op.Key, key)
	binary.BigEndian.PutUint64(op.Value, uint64(since))
	copy(op.Value[8:], value)
	c.err = op.Finish()
}

// step keeps a replaced version in an entry of its own.
func (c *commit) step(stem []byte, old step) {
	key := atHeight(stem, c.header.Height)
	c.set(key, old.encode())
	c.undo.steps = append(c.undo.steps, key)
}

func (c *commit) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// prune forgets what only reads below the kept history need, and returns the new oldest readable height.
func (c *commit) prune(oldest quorum.Height) quorum.Height {
	h := uint64(c.header.Height)
	if c.s.history == math.MaxUint64 || h <= c.s.history {
		return oldest
	}
	target := quorum.Height(h - c.s.history)
	for n := 0; oldest < target && n < maxPrunedPerBlock; n++ {
		oldest++
		list := heightKey(prefixUndo, oldest)
		raw, err := c.s.get(list)
		if err == nil && raw != nil {
			err = c.forget(raw)
		}
		if err != nil {
			c.fail(err)
			return oldest
		}
		c.remove(list)
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
		c.remove(k)
	}
	return nil
}

func (c *commit) apply(sync bool) error {
	batch := c.batch
	c.batch = nil // Apply owns it now
	return c.s.Apply(batch, sync)
}

// Apply commits and closes a batch of a keyspace of one's own, and waits for the disk if sync is true. After a failure
// the store has stopped: the batch may be in or not, which opening it again shows.
//
// A write that failed never returns (see guardFS); therefore the wait ends when the failure is reported, and the
// goroutine is given up together with the store.
func (s *Store) Apply(batch *pebble.Batch, sync bool) error {
	if err := s.stopped(); err != nil {
		_ = batch.Close()
		return err
	}
	if err := s.write(batch, sync); err != nil {
		return err
	}
	return batch.Close()
}

// write is Apply of a batch that may be used again if it succeeds.
func (s *Store) write(batch *pebble.Batch, sync bool) error {
	if err := s.stopped(); err != nil {
		return err
	}
	opts := pebble.NoSync
	if sync {
		opts = pebble.Sync
	}
	done := make(chan error, 1)
	go func() {
		done <- s.whileOpen(func() error { return s.db.Apply(batch, opts) })
	}()
	return s.await(done)
}

// Sync waits until everything committed so far is on the disk.
func (s *Store) Sync() error {
	if err := s.stopped(); err != nil {
		return err
	}
	return s.sync()
}

func (s *Store) sync() error {
	done := make(chan error, 1)
	go func() {
		// A record without content: its sync covers everything written to the log before it.
		done <- s.whileOpen(func() error { return s.db.LogData(nil, pebble.Sync) })
	}()
	return s.await(done)
}

// await waits for a write, or for a failure that keeps it from ending.
func (s *Store) await(done <-chan error) error {
	select {
	case err := <-done:
		if errors.Is(err, ErrStopped) {
			return err
		}
		s.reporter.fail(err)
	case <-s.reporter.failed:
	}
	return s.Err()
}

// whileOpen uses the database, or returns ErrStopped if it is closed.
func (s *Store) whileOpen(use func() error) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.db == nil {
		return refuse(ErrStopped, "the store is closed")
	}
	if err := s.Err(); err != nil {
		return &Error{Kind: ErrStopped, Detail: "an earlier write or read failed", Cause: err}
	}
	return use()
}

func (s *Store) stopped() error {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return refuse(ErrStopped, "the store is closed")
	}
	return s.whileOpen(func() error { return nil })
}
