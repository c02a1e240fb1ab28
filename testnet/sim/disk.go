package sim

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"

	"waybill/node/journal"
)

// errDisk is what a failing disk answers. A node that gets it stops, and comes back when the disk is well again.
var errDisk = errors.New("simulated disk failure")

// diskFault is how a disk fails at its next write.
type diskFault uint8

const (
	diskWell     diskFault = iota
	diskNoWrite            // the write fails, nothing of it is kept
	diskNoSync             // the sync fails: what was written may survive, or not
	diskFull               // writes fail until there is room again
	diskFaultEnd           // number of the above
)

// disk models the data folder of a node: a database whose synced writes survive a crash and whose later ones survive
// up to some point, in order; the blocks of the ledger, which are in the same database; and the signer's file beside it,
// with its own syncs. It implements journal.Disk.
type disk struct {
	data    map[string][]byte
	pending []undo // writes since the last sync, oldest first
	chain   []block
	syncs   int64
	signer  slots

	signerSyncs int64

	fault  diskFault
	failed bool // the fault happened
}

// undo takes one write back.
type undo struct {
	old   map[string][]byte // nil value: the key was absent
	chain int               // blocks before the write
}

func newDisk(genesis block) *disk {
	return &disk{data: map[string][]byte{}, chain: []block{genesis}}
}

// Write implements journal.Disk.
func (d *disk) Write(ops []journal.Op, sync bool) error {
	if d.fault == diskNoWrite || d.fault == diskFull {
		d.failed = true
		return errDisk
	}
	if len(ops) > 0 {
		d.apply(ops)
	}
	if !sync {
		return nil
	}
	if d.fault == diskNoSync {
		d.failed = true
		return errDisk
	}
	d.pending = d.pending[:0]
	d.syncs++
	return nil
}

func (d *disk) apply(ops []journal.Op) {
	u := undo{old: make(map[string][]byte, len(ops)), chain: len(d.chain)}
	remember := func(key string) {
		if _, seen := u.old[key]; !seen {
			u.old[key] = d.data[key]
		}
	}
	for _, op := range ops {
		switch key := string(op.Key); {
		case op.End != nil:
			end := string(op.End)
			for k := range d.data {
				if k >= key && k < end {
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
	for i := range d.pending {
		for k := range d.pending[i].old {
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

// crash loses the unsynced writes but the first keep of a hundred, and of the signer's file what was not synced. It
// reports whether anything was lost.
func (d *disk) crash(rng *rand.Rand, keep int) bool {
	kept := len(d.pending) * keep / 100
	if keep > 0 && keep < 100 && len(d.pending) > 0 {
		kept = rng.IntN(len(d.pending) + 1)
	}
	torn := kept < len(d.pending)
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
	if d.fault != diskFull {
		d.fault = diskWell
	}
	return d.signer.crash(rng, keep) || torn
}
