package sim

import (
	"math/rand/v2"
	"slices"
	"strings"

	"waybill/node/journal"
)

// disk models a database whose synced writes survive a crash and whose later ones survive up to a random
// point, in order. It implements journal.Disk.
type disk struct {
	data    map[string][]byte
	pending []undo // writes since the last sync, oldest first
	chain   []block
	syncs   int
}

// undo takes one write back.
type undo struct {
	old   map[string][]byte // nil value: the key was absent
	chain int               // blocks before the write
}

func newDisk() *disk { return &disk{data: map[string][]byte{}} }

// Write implements journal.Disk.
func (d *disk) Write(ops []journal.Op, sync bool) error {
	u := undo{old: map[string][]byte{}, chain: len(d.chain)}
	remember := func(key string) {
		if _, seen := u.old[key]; !seen {
			u.old[key] = d.data[key]
		}
	}
	for _, op := range ops {
		switch key := string(op.Key); {
		case op.End != nil:
			for k := range d.data {
				if k >= key && k < string(op.End) {
					remember(k)
					delete(d.data, k)
				}
			}
		case op.Value == nil:
			remember(key)
			delete(d.data, key)
		default:
			remember(key)
			d.data[key] = slices.Clone(op.Value)
		}
	}
	d.pending = append(d.pending, u)
	if sync {
		d.pending = d.pending[:0]
		d.syncs++
	}
	return nil
}

// Scan implements journal.Disk.
func (d *disk) Scan(prefix []byte, each func(key, value []byte) error) error {
	var keys []string
	for k := range d.data {
		if strings.HasPrefix(k, string(prefix)) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		if err := each([]byte(k), d.data[k]); err != nil {
			return err
		}
	}
	return nil
}

// unsynced reports whether a record with this prefix would be lost if the power went now.
func (d *disk) unsynced(prefix string) bool {
	for _, u := range d.pending {
		for k := range u.old {
			if strings.HasPrefix(k, prefix) && d.data[k] != nil {
				return true
			}
		}
	}
	return false
}

// commit appends an executed block, unsynced.
func (d *disk) commit(b block) {
	d.pending = append(d.pending, undo{chain: len(d.chain)})
	d.chain = append(d.chain, b)
}

// crash loses the unsynced writes but the first keep of a hundred.
func (d *disk) crash(rng *rand.Rand, keep int) {
	kept := len(d.pending) * keep / 100
	if keep > 0 && keep < 100 && len(d.pending) > 0 {
		kept = rng.IntN(len(d.pending) + 1)
	}
	for i := len(d.pending) - 1; i >= kept; i-- {
		u := d.pending[i]
		for k, v := range u.old {
			if v == nil {
				delete(d.data, k)
			} else {
				d.data[k] = v
			}
		}
		d.chain = d.chain[:u.chain]
	}
	d.pending = nil
}
