package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"waybill/consensus/quorum"
	"waybill/ledger"
)

// The register lists records of the state: open notices, shipments under way to somebody, what a custodian holds (see
// ledger.PlacesOf). It is an index like the other, droppable and in a keyspace of its own, but it follows the writes of
// blocks, which are not kept: so its part of a block goes into the batch of the block ([Register]), and one that is absent,
// of another version or of another height is made again from the state ([OpenRegister]). A snapshot of the database thus
// holds register and state of one block.
//
// A place in a list says where to look, not what is so: a reader reads the record, at the height that it is asked about.
// Lists that only grow serve any height; those of open things serve the present.

// The keyspaces of the register.
//
//	0x68  cursor:  –                                                    height:8, version of this table:4
//	0x69  places:  list:1, length of scope:uvarint, scope, height:8, id    –
const (
	prefixRegister = 0x68
	prefixPlace    = 0x69

	registerFirst = 0x68
	registerLast  = 0x6f
)

// registerVersion is raised whenever the table or what is listed changes.
const registerVersion = 1

// Register puts the register's part of a block into its batch, in the order of keys. It is ledger/store's Options.Beside.
func Register(b *pebble.Batch, height quorum.Height, writes []ledger.Write) error {
	if err := b.Set([]byte{prefixRegister}, registerCursor(height), nil); err != nil {
		return err
	}
	return registerRecords(b, writes)
}

// entry is a key of the register; off: it is not there any more.
type entry struct {
	key []byte
	off bool
}

func registerRecords(b *pebble.Batch, writes []ledger.Write) error {
	var list []entry
	for _, w := range writes {
		places, err := ledger.PlacesOf(w.Key, w.Value)
		if err != nil {
			return err
		}
		for _, p := range places {
			list = append(list, entry{append(placeStem(p.List, p.Scope), placeEnd(p.Height, p.ID)...), p.Off})
		}
	}
	slices.SortStableFunc(list, func(x, y entry) int { return bytes.Compare(x.key, y.key) })
	for _, p := range list {
		var err error
		if p.off {
			err = b.Delete(p.key, nil)
		} else {
			err = b.Set(p.key, nil, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func registerCursor(h quorum.Height) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(h)), registerVersion)
}

func placeStem(l ledger.List, scope string) []byte {
	b := make([]byte, 0, 2+binary.MaxVarintLen32+len(scope)+48)
	b = append(b, prefixPlace, byte(l))
	b = binary.AppendUvarint(b, uint64(len(scope)))
	return append(b, scope...)
}

func placeEnd(h quorum.Height, id string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(h)), id...)
}

// StateScan lists state entries whose keys begin with prefix and come after the given key, at most limit.
type StateScan func(prefix, after []byte, limit int) ([]ledger.Write, error)

// registerStep is how many records are listed in one batch when the register is made again.
const registerStep = 4096

// OpenRegister makes the register again unless it is that of the given height. It is to be called before the first block
// is committed.
func OpenRegister(db *pebble.DB, apply func(*pebble.Batch, bool) error, height quorum.Height, scan StateScan) error {
	value, closer, err := db.Get([]byte{prefixRegister})
	if err != nil && !errors.Is(err, pebble.ErrNotFound) {
		return fail(ErrIO, err, "reading the register")
	}
	if err == nil {
		current := string(value) == string(registerCursor(height))
		if err := closer.Close(); err != nil || current {
			return err
		}
	}
	b := db.NewBatch()
	if err := b.DeleteRange([]byte{registerFirst}, []byte{registerLast + 1}, nil); err != nil {
		return errors.Join(err, b.Close())
	}
	for _, space := range ledger.ListedSpaces() {
		var after []byte
		for {
			list, err := scan([]byte(space), after, registerStep)
			if err != nil {
				return errors.Join(err, b.Close())
			}
			if err := registerRecords(b, list); err != nil {
				return errors.Join(fail(ErrCorrupt, err, "making the register again"), b.Close())
			}
			if err := apply(b, false); err != nil {
				return fail(ErrIO, err, "making the register again")
			}
			b = db.NewBatch()
			if len(list) == 0 {
				break
			}
			after = list[len(list)-1].Key
		}
	}
	// The cursor is last: a crash on the way leaves none, and the register is made again.
	if err := b.Set([]byte{prefixRegister}, registerCursor(height), nil); err != nil {
		return errors.Join(err, b.Close())
	}
	if err := apply(b, false); err != nil {
		return fail(ErrIO, err, "making the register again")
	}
	return nil
}

// ReadRegister returns at most limit places of a list, newest first: those that come after the given one (its Height and
// ID; nil: from the newest) and whose records are not younger than height. r is a snapshot of the database.
func ReadRegister(r pebble.Reader, list ledger.List, scope string, height quorum.Height, after *ledger.Place, limit int) ([]ledger.Place, error) {
	stem := placeStem(list, scope)
	end := append(placeStem(list, scope), placeEnd(height+1, "")...)
	if after != nil {
		if at := append(placeStem(list, scope), placeEnd(after.Height, after.ID)...); string(at) < string(end) {
			end = at
		}
	}
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: stem, UpperBound: end})
	if err != nil {
		return nil, fail(ErrIO, err, "reading the register")
	}
	var out []ledger.Place
	for ok := it.Last(); ok && len(out) < limit; ok = it.Prev() {
		rest := it.Key()[len(stem):]
		if len(rest) < 8 {
			return nil, errors.Join(fail(ErrCorrupt, nil, "an entry of %s has %d bytes", list, len(rest)), it.Close())
		}
		out = append(out, ledger.Place{List: list, Scope: scope, Height: quorum.Height(binary.BigEndian.Uint64(rest)), ID: string(rest[8:])})
	}
	if err := it.Close(); err != nil {
		return nil, fail(ErrIO, err, "reading the register")
	}
	return out, nil
}
