package crypto

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// Prefixes of RFC 6962, section 2.1. No domain tag starts with either byte.
const (
	merkleLeafPrefix = 0x00
	merkleNodePrefix = 0x01
)

// MaxMerkleLeaves bounds the size of a list that has a root, and with it the length of a proof (24 hashes).
const MaxMerkleLeaves = 1 << 24

// InclusionProof shows that a leaf stands at Index in a list of Size leaves. Path runs from the leaf up. For one list
// and index there is exactly one proof, because the root binds the size.
type InclusionProof struct {
	Index uint64 `cbor:"1,keyasint"`
	Size  uint64 `cbor:"2,keyasint"`
	Path  []Hash `cbor:"3,keyasint"`
}

// MerkleRoot commits to a list of byte strings: Sum(TagMerkleRoot, size as 8 bytes, tree head of RFC 6962). No leaf is
// ever duplicated, and lists of different length have different roots even where RFC 6962 alone leaves the size open.
func MerkleRoot(leaves [][]byte) Hash {
	hashes := make([]Hash, len(leaves))
	for i, leaf := range leaves {
		hashes[i] = merkleLeaf(leaf)
	}
	return bindMerkleSize(uint64(len(leaves)), merkleHead(hashes))
}

func bindMerkleSize(size uint64, head Hash) Hash {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], size)
	return Sum(TagMerkleRoot, n[:], head[:])
}

func merkleLeaf(leaf []byte) Hash {
	d := sha256.New()
	d.Write([]byte{merkleLeafPrefix})
	d.Write(leaf)
	var h Hash
	d.Sum(h[:0])
	return h
}

func merkleNode(left, right Hash) Hash {
	var b [1 + 2*HashSize]byte
	b[0] = merkleNodePrefix
	copy(b[1:], left[:])
	copy(b[1+HashSize:], right[:])
	return sha256.Sum256(b[:])
}

// merkleHead is MTH of RFC 6962 over leaf hashes.
func merkleHead(hashes []Hash) Hash {
	switch len(hashes) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return hashes[0]
	}
	k := merkleSplit(len(hashes))
	return merkleNode(merkleHead(hashes[:k]), merkleHead(hashes[k:]))
}

// merkleSplit is the largest power of two below n, for n > 1.
func merkleSplit(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

// MerkleProve makes the proof that leaves[i] is in the list; the error is of kind ErrProof when it is not.
func MerkleProve(leaves [][]byte, i int) (InclusionProof, error) {
	if i < 0 || i >= len(leaves) || len(leaves) > MaxMerkleLeaves {
		return InclusionProof{}, refuse(ErrProof, "there is no leaf %d in a list of %d", i, len(leaves))
	}
	hashes := make([]Hash, len(leaves))
	for j, leaf := range leaves {
		hashes[j] = merkleLeaf(leaf)
	}
	p := InclusionProof{Index: uint64(i), Size: uint64(len(leaves))}
	p.Path = merklePath(hashes, i, make([]Hash, 0, bits.Len(uint(len(leaves)))))
	return p, nil
}

// merklePath is PATH of RFC 6962, section 2.1.1, appended to path.
func merklePath(hashes []Hash, i int, path []Hash) []Hash {
	if len(hashes) == 1 {
		return path
	}
	k := merkleSplit(len(hashes))
	if i < k {
		return append(merklePath(hashes[:k], i, path), merkleHead(hashes[k:]))
	}
	return append(merklePath(hashes[k:], i-k, path), merkleHead(hashes[:k]))
}

// VerifyInclusion checks that leaf stands at p.Index of the list of p.Size leaves that root commits to. The error is
// of kind ErrProof.
func VerifyInclusion(root Hash, leaf []byte, p InclusionProof) error {
	if p.Size > MaxMerkleLeaves || p.Index >= p.Size {
		return refuse(ErrProof, "there is no leaf %d in a list of %d (at most %d)", p.Index, p.Size, MaxMerkleLeaves)
	}
	h := merkleLeaf(leaf)
	path := p.Path
	// The walk of RFC 9162, section 2.1.3.2: last is the index of the last node on the level of at.
	at, last := p.Index, p.Size-1
	for ; last > 0; at, last = at>>1, last>>1 {
		if at&1 == 0 && at == last {
			continue // no sibling on this level: the node moves up as it is
		}
		if len(path) == 0 {
			return refuse(ErrProof, "the path has only %d hashes", len(p.Path))
		}
		if at&1 == 1 {
			h = merkleNode(path[0], h)
		} else {
			h = merkleNode(h, path[0])
		}
		path = path[1:]
	}
	if len(path) != 0 {
		return refuse(ErrProof, "the path has %d hashes too many", len(path))
	}
	if bindMerkleSize(p.Size, h) != root {
		return refuse(ErrProof, "leaf %d of %d does not lead to the root %s", p.Index, p.Size, root)
	}
	return nil
}
