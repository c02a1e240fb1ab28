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
	c := &commit{s: s, batch: s.db.NewBatch(), header: header, payload: payload, up: up, next: next}
	if cert != nil && cert.Finalizes() == up.Block {
		c.cert = cert.Encode()
	}
	defer c.close()
	tip, err := c.fill(old)
	if err != nil {
		return crypto.Hash{}, err
	}
	if err := c.apply(false); err != nil {
		return crypto.Hash{}, err
	}
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

	replaced [][]byte // keys of prefixReplaced that this block writes
	err      error
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
	c.state()
	tip.StateRoot = c.tree()
	c.set(heightKey(prefixReplacedKeys, h), frame(c.replaced))
	roots := blockRoots{state: tip.StateRoot, receipts: tip.ReceiptsRoot, chain: tip.ReceiptsChain}
	c.set(heightKey(prefixRoots, h), roots.encode())
	tip.oldest = c.prune(tip.oldest)
	c.set(tipKey(), tip.encode())
	if c.err != nil {
		return tipRecord{}, c.s.classify(c.err, "preparing a block")
	}
	return tip, nil
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
	for _, w := range c.up.Writes {
		old, err := c.s.get(stateKey(w.Key))
		if err != nil {
			c.fail(err)
			return
		}
		stem := replacedStateStem(w.Key)
		switch {
		case w.Value != nil:
			c.keep(stem, encodeReplaced(old))
			c.set(stateKey(w.Key), w.Value)
		case old == nil:
			c.keep(stem, encodeReplaced(nil))
		default:
			c.keep(stem, encodeDeleted(w.Key, old))
			c.remove(stateKey(w.Key))
		}
	}
}

// tree writes the changed pages, keeps the ones they replace, and returns the root.
func (c *commit) tree() crypto.Hash {
	writes := make([]crypto.TreeWrite, len(c.up.Writes))
	for i, w := range c.up.Writes {
		writes[i] = crypto.TreeWrite{Key: w.Key, Value: w.Value}
	}
	reader := &rememberingPages{pages: livePages{c.s, nil}, seen: make(map[crypto.PagePath][]byte)}
	root, pages, err := crypto.UpdateTree(reader, writes)
	if err != nil {
		c.fail(err)
		return crypto.Hash{}
	}
	for _, p := range pages {
		c.keep(replacedPageStem(p.Path), encodeReplaced(reader.seen[p.Path]))
		if p.Data == nil {
			c.remove(pageKey(p.Path))
		} else {
			c.set(pageKey(p.Path), p.Data)
		}
	}
	return root
}

func (c *commit) keep(stem, old []byte) {
	key := atHeight(stem, c.header.Height)
	c.set(key, old)
	c.replaced = append(c.replaced, key)
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
		list := heightKey(prefixReplacedKeys, oldest)
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

func (c *commit) forget(list []byte) error {
	keys, err := unframe(list)
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
	opts := pebble.NoSync
	if sync {
		opts = pebble.Sync
	}
	done := make(chan error, 1)
	go func() {
		done <- s.whileOpen(func() error { return errors.Join(s.db.Apply(batch, opts), batch.Close()) })
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
