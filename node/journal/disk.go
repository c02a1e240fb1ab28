package journal

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Op is one change of a Disk. Value nil deletes Key; End set deletes every key in [Key, End).
type Op struct {
	Key, Value, End []byte
}

// Disk is what the journal needs of a database: atomic batches in order, of which all up to a synced one
// survive a crash. Two implementations: Pebble below, and the simulator's, which loses what was not synced.
type Disk interface {
	// Write applies ops atomically; with sync it and every earlier write are durable when it returns.
	Write(ops []Op, sync bool) error
	// Scan calls each for the keys with this prefix, in order. The slices are valid during the call only.
	Scan(prefix []byte, each func(key, value []byte) error) error
}

// Store is a Pebble database shared with the ledger; ledger/store implements it.
type Store interface {
	DB() *pebble.DB
	// Apply commits and closes a batch, and waits for the disk if sync is true.
	Apply(batch *pebble.Batch, sync bool) error
}

type pebbleDisk struct{ store Store }

// OnPebble keeps the journal in the database of the ledger, under the prefix byte 'J'. Sharing one database
// puts our vote and the block's payload into one log and so one fsync.
func OnPebble(s Store) Disk { return pebbleDisk{s} }

func (d pebbleDisk) Write(ops []Op, sync bool) error {
	b := d.store.DB().NewBatch()
	for _, op := range ops {
		var err error
		switch {
		case op.End != nil:
			err = b.DeleteRange(op.Key, op.End, nil)
		case op.Value == nil:
			err = b.Delete(op.Key, nil)
		default:
			err = b.Set(op.Key, op.Value, nil)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("journal: adding to a batch: %w", err), b.Close())
		}
	}
	if err := d.store.Apply(b, sync); err != nil {
		return fmt.Errorf("journal: writing %d records: %w", len(ops), err)
	}
	return nil
}

func (d pebbleDisk) Scan(prefix []byte, each func(key, value []byte) error) (err error) {
	it, err := d.store.DB().NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return fmt.Errorf("journal: reading: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		if err := each(it.Key(), it.Value()); err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("journal: reading: %w", err)
	}
	return nil
}

// after returns the first key that is above every key with this prefix; nil, no bound, when there is none. It
// carries: the prefix of epoch 255 ends in 0xff.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
