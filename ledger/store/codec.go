package store

import (
	"encoding/binary"
	"fmt"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// frame writes a list of byte strings: count:4, then length:4 and bytes of each.
func frame(items [][]byte) []byte { return appendFrame(make([]byte, 0, framedSize(items)), items) }

// framedSize is how many bytes frame writes.
func framedSize(items [][]byte) int {
	size := 4
	for _, it := range items {
		size += 4 + len(it)
	}
	return size
}

func appendFrame(b []byte, items [][]byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(items)))
	for _, it := range items {
		b = binary.BigEndian.AppendUint32(b, uint32(len(it)))
		b = append(b, it...)
	}
	return b
}

// unframe accepts exactly what frame writes. The items are parts of b. The count is checked against the bytes that are
// there before anything is allocated for it.
func unframe(b []byte) ([][]byte, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("a list has %d bytes, at least 4 are needed", len(b))
	}
	count, rest := binary.BigEndian.Uint32(b), b[4:]
	if uint64(count)*4 > uint64(len(rest)) {
		return nil, fmt.Errorf("a list of %d items does not fit in %d bytes", count, len(rest))
	}
	items := make([][]byte, count)
	for i := range items {
		if len(rest) < 4 {
			return nil, fmt.Errorf("the list ends before item %d of %d", i, count)
		}
		n := binary.BigEndian.Uint32(rest)
		rest = rest[4:]
		if uint64(n) > uint64(len(rest)) {
			return nil, fmt.Errorf("item %d of %d has %d bytes, %d are left", i, count, n, len(rest))
		}
		items[i], rest = rest[:n:n], rest[n:]
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%d bytes follow the list", len(rest))
	}
	return items, nil
}

// nth returns item i of what frame wrote. It looks at the items before it only as far as it must to skip them.
func nth(b []byte, i int) ([]byte, error) {
	if len(b) < 4 || i < 0 || uint64(i) >= uint64(binary.BigEndian.Uint32(b)) {
		return nil, fmt.Errorf("a list of %d bytes has no item %d", len(b), i)
	}
	rest := b[4:]
	for at := 0; ; at++ {
		if len(rest) < 4 {
			return nil, fmt.Errorf("the list ends before item %d", at)
		}
		n := binary.BigEndian.Uint32(rest)
		rest = rest[4:]
		if uint64(n) > uint64(len(rest)) {
			return nil, fmt.Errorf("item %d has %d bytes, %d are left", at, n, len(rest))
		}
		if at == i {
			return rest[:n:n], nil
		}
		rest = rest[n:]
	}
}

// tipRecord is the cursor of the database: everything at or below it is whole.
type tipRecord struct {
	Tip
	oldest quorum.Height // the oldest height whose state can be read
}

const tipRecordSize = 8 + 4*crypto.HashSize + 8

func (t tipRecord) encode() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, tipRecordSize), uint64(t.Height))
	b = append(b, t.Hash[:]...)
	b = append(b, t.StateRoot[:]...)
	b = append(b, t.ReceiptsRoot[:]...)
	b = append(b, t.ReceiptsChain[:]...)
	return binary.BigEndian.AppendUint64(b, uint64(t.oldest))
}

func decodeTip(b []byte) (tipRecord, error) {
	if len(b) != tipRecordSize {
		return tipRecord{}, fmt.Errorf("the tip record has %d bytes, not %d", len(b), tipRecordSize)
	}
	var t tipRecord
	t.Height = quorum.Height(binary.BigEndian.Uint64(b))
	b = b[8:]
	b = b[copy(t.Hash[:], b):]
	b = b[copy(t.StateRoot[:], b):]
	b = b[copy(t.ReceiptsRoot[:], b):]
	b = b[copy(t.ReceiptsChain[:], b):]
	t.oldest = quorum.Height(binary.BigEndian.Uint64(b))
	return t, nil
}

// blockRoots is what executing a block gave.
type blockRoots struct {
	state    crypto.Hash // of everything after the block
	receipts crypto.Hash // of the block alone
	chain    crypto.Hash // ledger.ChainReceipts up to the block
}

const blockRootsSize = 3 * crypto.HashSize

func (r blockRoots) encode() []byte {
	b := append(make([]byte, 0, blockRootsSize), r.state[:]...)
	b = append(b, r.receipts[:]...)
	return append(b, r.chain[:]...)
}

func decodeRoots(b []byte) (blockRoots, error) {
	if len(b) != blockRootsSize {
		return blockRoots{}, fmt.Errorf("the roots have %d bytes, not %d", len(b), blockRootsSize)
	}
	var r blockRoots
	b = b[copy(r.state[:], b):]
	b = b[copy(r.receipts[:], b):]
	copy(r.chain[:], b)
	return r, nil
}

// Location is where a transaction stands on the ledger, and an event in it.
type Location struct {
	Height quorum.Height
	Tx     int // index in the block
	Event  int // index in the transaction; 0 for a transaction
}

func encodeLocation(l Location, event bool) []byte {
	return appendLocation(make([]byte, 0, 16), l, event)
}

func appendLocation(b []byte, l Location, event bool) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(l.Height))
	b = binary.BigEndian.AppendUint32(b, uint32(l.Tx))
	if event {
		b = binary.BigEndian.AppendUint32(b, uint32(l.Event))
	}
	return b
}

func decodeLocation(b []byte, event bool) (Location, error) {
	want := 12
	if event {
		want = 16
	}
	if len(b) != want {
		return Location{}, fmt.Errorf("a location has %d bytes, not %d", len(b), want)
	}
	l := Location{Height: quorum.Height(binary.BigEndian.Uint64(b)), Tx: int(binary.BigEndian.Uint32(b[8:]))}
	if event {
		l.Event = int(binary.BigEndian.Uint32(b[12:]))
	}
	return l, nil
}
