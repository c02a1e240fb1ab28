package snapshot

import (
	"sort"

	"waybill/crypto"
)

// The state tree (see crypto: an empty subtree hashes to the zero Hash, one with a single key to that key's leaf, any
// other to the node of its halves) is rebuilt here by its definition, bit by bit, without pages: that is all a chunk
// needs, and it checks the pages of the store by other means than those that made them.

func leafHash(l crypto.TreeLeaf) crypto.Hash {
	return crypto.Sum(crypto.TagStateLeaf, l.Key[:], l.Value[:])
}

func nodeHash(left, right crypto.Hash) crypto.Hash {
	return crypto.Sum(crypto.TagStateNode, left[:], right[:])
}

// subtreeHash is the hash of the subtree at a depth (in bits) that holds exactly these leaves, which are in ascending
// order, distinct, and agree in their first depth bits.
func subtreeHash(leaves []crypto.TreeLeaf, depth int) crypto.Hash {
	switch len(leaves) {
	case 0:
		return crypto.Hash{}
	case 1:
		return leafHash(leaves[0])
	}
	half := sort.Search(len(leaves), func(i int) bool { return bit(leaves[i].Key, depth) == 1 })
	return nodeHash(subtreeHash(leaves[:half], depth+1), subtreeHash(leaves[half:], depth+1))
}

func bit(h crypto.Hash, i int) int { return int(h[i/8]>>(7-i%8)) & 1 }

// maxDepth is the depth at which nothing can be split any more.
const maxDepth = 8 * crypto.HashSize

// masked keeps the first depth bits of a position.
func masked(h crypto.Hash, depth int) crypto.Hash {
	var out crypto.Hash
	copy(out[:], h[:depth/8])
	if rest := depth % 8; rest > 0 {
		out[depth/8] = h[depth/8] & (0xff << (8 - rest))
	}
	return out
}

// folded is what is known of a subtree from the chunks below it.
type folded struct {
	hash crypto.Hash
	keys uint64
	size uint64
}

// fold computes the subtree at a depth from the chunks that it holds, and refuses chunks that overlap, or that are cut
// in another way than Create cuts them.
func fold(chunks []Chunk, depth int, target uint64) (folded, error) {
	if len(chunks) == 0 {
		return folded{}, nil
	}
	for i := range chunks {
		if int(chunks[i].Depth) > depth {
			continue
		}
		if len(chunks) > 1 {
			return folded{}, refuse(ErrForm, "chunks overlap at depth %d", depth)
		}
		return folded{chunks[0].Hash, uint64(chunks[0].Keys), uint64(chunks[0].Bytes)}, nil
	}
	if depth >= maxDepth {
		return folded{}, refuse(ErrForm, "a chunk lies deeper than the tree")
	}
	half := sort.Search(len(chunks), func(i int) bool { return bit(chunks[i].Prefix, depth) == 1 })
	left, err := fold(chunks[:half], depth+1, target)
	if err != nil {
		return folded{}, err
	}
	right, err := fold(chunks[half:], depth+1, target)
	if err != nil {
		return folded{}, err
	}
	f := folded{keys: left.keys + right.keys, size: left.size + right.size}
	if f.keys < 2 || f.size <= target {
		return folded{}, refuse(ErrForm, "%d keys of %d bytes are cut at depth %d, they belong into one chunk", f.keys, f.size, depth)
	}
	f.hash = nodeHash(left.hash, right.hash)
	return f, nil
}
