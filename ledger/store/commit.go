package store

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// maxPrunedPerBlock bounds how many old heights one commit forgets, so that lowering Options.History does not stop the
// node for minutes.
const maxPrunedPerBlock = 16

// maxKeptBatch bounds the memory of a block's batch that is kept for the next block.
const maxKeptBatch = 64 << 20

// create writes block 0 in one synced batch: a crash leaves an empty database, which is created again.
func (s *Store) create(genesis *ledger.Genesis) error {
	header := genesis.Block()
	up := &ledger.Update{Height: 0, Block: header.Hash(), Writes: genesis.State(), ReceiptsRoot: ledger.ReceiptsRoot(nil)}
	set, err := genesis.ValidatorSet()
	if err != nil {
		return &Error{Kind: ErrGenesis, Detail: "the genesis is not valid", Cause: err}
	}
	c := &commit{s: s, header: header, up: up, next: set, meta: []entry{
		{metaKey(metaSchema), binary.BigEndian.AppendUint32(nil, schemaVersion)},
		{metaKey(metaGenesis), s.genesis[:]},
		{metaKey(metaGenesisBytes), genesis.Encode()},
		{metaKey(metaRestoring), nil},
	}}
	defer c.close()
	tip, err := c.fill(tipRecord{})
	if err != nil {
		return err
	}
	if err := c.apply(true); err != nil {
		return err
	}
	s.records.committed(0, up.Writes, c.hashes)
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
	c := &commit{s: s, header: header, payload: payload, up: up, next: next}
	c.undo.offsets, c.undo.entries = s.undo.offsets[:0], s.undo.entries[:0]
	if cert != nil && cert.Finalizes() == up.Block {
		c.cert = cert.Encode()
	}
	defer c.close()
	tip, err := c.fill(old)
	if err != nil {
		return crypto.Hash{}, err
	}
	if s.undo = c.undo; cap(s.undo.entries) > maxKeptBatch {
		s.undo = undoRecord{}
	}
	batch := c.batch
	c.batch = nil // not to be closed: if it fails, the goroutine that writes may still have it
	if err := s.write(batch, false); err != nil {
		return crypto.Hash{}, err
	}
	s.keepBatch(batch)
	s.records.committed(header.Height, up.Writes, c.hashes)
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
