package crypto

import (
	"encoding/binary"
)

// maxTreeDepth is the number of bits of a position.
const maxTreeDepth = 8 * HashSize

// TreeProof shows what the state tree holds for one key: its leaf, or that the key's path ends in an empty subtree
// (Other nil) or in the leaf of another key (Other). For one tree and key there is exactly one proof.
type TreeProof struct {
	// Siblings are the hashes beside the path, from the root down; the zero Hash for an empty subtree. The last one,
	// if any, is never zero: otherwise the path would have ended above it.
	Siblings []Hash
	// Other is the leaf that stands where the absent key's would.
	Other *TreeLeaf
}

// ProveTree proves presence or absence of key in the tree that r reads. Errors: ErrPage for stored pages that are
// corrupt or of different versions, or what r returned.
func ProveTree(r PageReader, key []byte) (TreeProof, error) {
	at := TreeKey(key)
	var p TreeProof
	var want Hash // what the parent says of the page; unknown for the root
	for path := PagePath(""); ; {
		var page treePage
		if _, err := readTreePage(unversioned{r}, path, &page); err != nil {
			return TreeProof{}, err
		}
		if path != "" && page.top() != want {
			return TreeProof{}, refuse(ErrPage, "page %q does not hash to what its parent says", string(path))
		}
		slot := nibble(&at, len(path))
		end := p.descend(&page, slot)
		switch page.kind[end] {
		case slotSubtree:
			if len(path) == maxPagePath {
				return TreeProof{}, refuse(ErrPage, "page %q has a page below the last level", string(path))
			}
			path, want = path.child(slot), page.hash[end]
			continue
		case slotLeaf:
			if leaf := page.below(end); leaf.Key != at {
				p.Other = &leaf
			}
		}
		return p, nil
	}
}

// descend walks from the top of a page towards a slot, collecting siblings, and returns the node where the path ends in
// this page: an empty one, a leaf, or the slot itself with a subtree.
func (p *TreeProof) descend(page *treePage, slot int) int {
	n := 0
	for half := pageSlots / 2; n < pageSlots-1 && page.kind[n] == slotSubtree; half /= 2 {
		left, right := 2*n+1, 2*n+2
		if slot&half == 0 {
			p.Siblings, n = append(p.Siblings, page.hash[right]), left
		} else {
			p.Siblings, n = append(p.Siblings, page.hash[left]), right
		}
	}
	return n
}

// VerifyTree checks that the tree with this root holds value for key, or with a nil value that it holds nothing for
// key. The error is of kind ErrProof.
func VerifyTree(root Hash, key, value []byte, p TreeProof) error {
	if err := p.wellFormed(); err != nil {
		return err
	}
	at := TreeKey(key)
	var h Hash
	switch {
	case value != nil && p.Other != nil:
		return refuse(ErrProof, "the proof is one of absence; a value was to be proven")
	case value != nil:
		leaf := TreeLeaf{Key: at, Value: Sum(TagStateValue, value)}
		h = leaf.hash()
	case p.Other != nil:
		if p.Other.Key == at || !sharePrefix(p.Other.Key, at, len(p.Siblings)) {
			return refuse(ErrProof, "the other leaf does not stand on the path of the key")
		}
		h = p.Other.hash()
	}
	for depth := len(p.Siblings) - 1; depth >= 0; depth-- {
		if bit(at, depth) == 0 {
			h = treeNode(&h, &p.Siblings[depth])
		} else {
			h = treeNode(&p.Siblings[depth], &h)
		}
	}
	if h != root {
		return refuse(ErrProof, "the proof does not lead to the state root %s", root)
	}
	return nil
}

func (p *TreeProof) wellFormed() error {
	n := len(p.Siblings)
	if n > maxTreeDepth {
		return refuse(ErrProof, "a path has at most %d siblings, got %d", maxTreeDepth, n)
	}
	if n > 0 && p.Siblings[n-1].IsZero() {
		return refuse(ErrProof, "the last sibling is empty, so the path is not the shortest")
	}
	return nil
}

func bit(h Hash, i int) byte { return h[i/8] >> (7 - i%8) & 1 }

func sharePrefix(a, b Hash, n int) bool {
	for i := range n {
		if bit(a, i) != bit(b, i) {
			return false
		}
	}
	return true
}

// MarshalBinary writes depth (2 bytes), a bitmap of the siblings that are not empty (lowest bit first), those
// siblings, and then nothing or the other leaf (64 bytes). CBOR carries it as one byte string.
func (p TreeProof) MarshalBinary() ([]byte, error) {
	if err := p.wellFormed(); err != nil {
		return nil, err
	}
	n := len(p.Siblings)
	b := binary.BigEndian.AppendUint16(nil, uint16(n))
	bitmap := make([]byte, (n+7)/8)
	for i, s := range p.Siblings {
		if !s.IsZero() {
			bitmap[i/8] |= 1 << (i % 8)
		}
	}
	b = append(b, bitmap...)
	for _, s := range p.Siblings {
		if !s.IsZero() {
			b = append(b, s[:]...)
		}
	}
	if p.Other != nil {
		b = append(b, p.Other.Key[:]...)
		b = append(b, p.Other.Value[:]...)
	}
	return b, nil
}

// UnmarshalBinary accepts exactly what MarshalBinary writes; the error is of kind ErrProof.
func (p *TreeProof) UnmarshalBinary(data []byte) error {
	if len(data) < 2 {
		return refuse(ErrProof, "a tree proof of %d bytes", len(data))
	}
	n := int(binary.BigEndian.Uint16(data))
	size := (n + 7) / 8
	if n > maxTreeDepth || len(data) < 2+size {
		return refuse(ErrProof, "a tree proof of depth %d in %d bytes", n, len(data))
	}
	bitmap, rest := data[2:2+size], data[2+size:]
	if n%8 != 0 && bitmap[size-1]>>(n%8) != 0 {
		return refuse(ErrProof, "bits beyond depth %d are set", n)
	}
	out := TreeProof{}
	if n > 0 {
		out.Siblings = make([]Hash, n)
	}
	next := func(h *Hash) bool {
		if len(rest) < HashSize {
			return false
		}
		rest = rest[copy(h[:], rest):]
		return true
	}
	for i := range out.Siblings {
		if bitmap[i/8]>>(i%8)&1 == 0 {
			continue
		}
		if !next(&out.Siblings[i]) || out.Siblings[i].IsZero() {
			return refuse(ErrProof, "sibling %d is missing or zero", i)
		}
	}
	if len(rest) > 0 {
		out.Other = &TreeLeaf{}
		if !next(&out.Other.Key) || !next(&out.Other.Value) || len(rest) > 0 {
			return refuse(ErrProof, "the other leaf is not 64 bytes")
		}
	}
	if err := out.wellFormed(); err != nil {
		return err
	}
	*p = out
	return nil
}
