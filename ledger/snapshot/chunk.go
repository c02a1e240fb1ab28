package snapshot

import (
	"bytes"
	"encoding/binary"
	"slices"

	"waybill/crypto"
	"waybill/ledger/store"
)

// entryOverhead is what an entry takes in a chunk besides its key and value.
const entryOverhead = 8

func entrySize(key, value []byte) uint64 {
	return entryOverhead + uint64(len(key)) + uint64(len(value))
}

// appendEntry writes the length of the key (4 bytes), the length of the value (4 bytes), key and value. A chunk is its
// entries in the order of their positions in the tree, and nothing else, so that sizes add up.
func appendEntry(b []byte, key, value []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(key)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
	return append(append(b, key...), value...)
}

// takeEntry reads one entry; its parts are slices of b.
func takeEntry(b []byte) (e store.Entry, rest []byte, err error) {
	if len(b) < entryOverhead {
		return e, nil, refuse(ErrEncoding, "an entry of %d bytes", len(b))
	}
	keySize, valueSize := uint64(binary.BigEndian.Uint32(b)), uint64(binary.BigEndian.Uint32(b[4:]))
	b = b[entryOverhead:]
	if keySize == 0 || keySize+valueSize > uint64(len(b)) {
		return e, nil, refuse(ErrEncoding, "an entry of %d and %d bytes where %d are left", keySize, valueSize, len(b))
	}
	e.Key, e.Value = b[:keySize:keySize], b[keySize:keySize+valueSize:keySize+valueSize]
	return e, b[keySize+valueSize:], nil
}

// placed is an entry with its leaf.
type placed struct {
	store.Entry
	leaf crypto.TreeLeaf
}

func place(e store.Entry) placed {
	return placed{e, crypto.TreeLeaf{Key: crypto.TreeKey(e.Key), Value: crypto.Sum(crypto.TagStateValue, e.Value)}}
}

// encodeChunk sorts the entries by position and returns the chunk's bytes and leaves.
func encodeChunk(entries []placed) ([]byte, []crypto.TreeLeaf) {
	slices.SortFunc(entries, func(a, b placed) int { return bytes.Compare(a.leaf.Key[:], b.leaf.Key[:]) })
	var raw []byte
	leaves := make([]crypto.TreeLeaf, len(entries))
	for i, e := range entries {
		raw = appendEntry(raw, e.Key, e.Value)
		leaves[i] = e.leaf
	}
	return raw, leaves
}

// Open checks that raw is exactly this chunk of a certified manifest, and returns its entries, which are parts of raw.
// The error is of kind ErrChunk or ErrEncoding. What it allocates is bounded by the length of raw.
func (c *Chunk) Open(raw []byte) ([]store.Entry, error) {
	if uint64(len(raw)) != uint64(c.Bytes) {
		return nil, refuse(ErrChunk, "%d bytes, the manifest says %d", len(raw), c.Bytes)
	}
	if uint64(c.Keys)*entryOverhead > uint64(len(raw)) {
		return nil, refuse(ErrChunk, "%d keys do not fit in %d bytes", c.Keys, len(raw))
	}
	entries := make([]store.Entry, 0, c.Keys)
	leaves := make([]crypto.TreeLeaf, 0, c.Keys)
	for rest := raw; len(rest) > 0; {
		if len(entries) == int(c.Keys) {
			return nil, refuse(ErrChunk, "more than %d keys", c.Keys)
		}
		e, after, err := takeEntry(rest)
		if err != nil {
			return nil, err
		}
		p := place(e)
		if masked(p.leaf.Key, int(c.Depth)) != c.Prefix {
			return nil, refuse(ErrChunk, "a key of another place")
		}
		if n := len(leaves); n > 0 && bytes.Compare(leaves[n-1].Key[:], p.leaf.Key[:]) >= 0 {
			return nil, refuse(ErrChunk, "its keys are not in order")
		}
		entries, leaves, rest = append(entries, e), append(leaves, p.leaf), after
	}
	if len(entries) != int(c.Keys) {
		return nil, refuse(ErrChunk, "%d keys, the manifest says %d", len(entries), c.Keys)
	}
	if subtreeHash(leaves, int(c.Depth)) != c.Hash {
		return nil, refuse(ErrChunk, "its keys and values are not those of the certified state")
	}
	return entries, nil
}
