package crypto

import (
	"encoding/binary"
	"math/bits"
)

type slotKind uint8

const (
	slotEmpty slotKind = iota
	slotLeaf
	slotSubtree
)

// treeSlot is one sixteenth of a page. Fields that its kind does not use are zero, so that slots compare with ==.
type treeSlot struct {
	kind slotKind
	leaf TreeLeaf // slotLeaf
	hash Hash     // slotSubtree
}

// pageSlots is how many slots a page has, pageNodes how many nodes the binary tree over them, slots included.
const (
	pageSlots = 16
	pageNodes = 2*pageSlots - 1
)

// treePage is an unpacked page: with the hashes of the nodes between its top and its slots; the zero value is the page that
// does not exist. Node 0 is the top, the children of node i are 2i+1 and 2i+2, slot i is node 15+i. A node of kind slotLeaf
// has that one leaf below it and its hash, whatever its height; a node of kind slotSubtree has at least two leaves below it.
//
// set changes slots and rehash brings the nodes above them up to date, so that an update of one slot costs five hashes and
// not thirty-one. The struct holds no pointers.
type treePage struct {
	kind [pageNodes]slotKind
	hash [pageNodes]Hash
	leaf [pageSlots]TreeLeaf

	version uint64 // see Page.Was
}

// set changes slot i. The nodes above it are wrong until rehash.
func (p *treePage) set(i int, s treeSlot) {
	n := pageSlots - 1 + i
	p.kind[n], p.leaf[i] = s.kind, s.leaf
	if p.hash[n] = s.hash; s.kind == slotLeaf {
		p.hash[n] = s.leaf.hash()
	}
}

// rehash brings the nodes above the slots of the mask (slot 0 is the lowest bit) up to date.
func (p *treePage) rehash(mask uint16) {
	var stale uint32 // nodes
	stale = uint32(mask) << (pageSlots - 1)
	for n := pageNodes - 1; n > 0; n-- {
		if stale>>n&1 == 1 {
			stale |= 1 << ((n - 1) / 2)
		}
	}
	for n := pageSlots - 2; n >= 0; n-- {
		if stale>>n&1 == 1 {
			p.join(n)
		}
	}
}

// join works out node n from its children.
func (p *treePage) join(n int) {
	if from := p.passes(n); from >= 0 {
		p.kind[n], p.hash[n] = p.kind[from], p.hash[from]
		return
	}
	p.kind[n], p.hash[n] = slotSubtree, treeNode(&p.hash[2*n+1], &p.hash[2*n+2])
}

// passes returns the child whose hash node n takes over, because at most one leaf is below it; -1 if it joins its children.
func (p *treePage) passes(n int) int {
	left, right := 2*n+1, 2*n+2
	switch {
	case p.kind[left] == slotEmpty && p.kind[right] != slotSubtree:
		return right
	case p.kind[right] == slotEmpty && p.kind[left] == slotLeaf:
		return left
	}
	return -1
}

// pack makes a packed page of p and what it is stored as.
func (p *treePage) pack(b, data []byte) {
	b = b[copy(b, data):]
	for i := pageSlots - 1; i < pageNodes; i++ {
		if p.kind[i] == slotLeaf {
			b = b[copy(b, p.hash[i][:]):]
		}
	}
	for n := range pageSlots - 1 {
		if p.passes(n) < 0 {
			b = b[copy(b, p.hash[n][:]):]
		}
	}
}

// top is the hash of the subtree whose top the page is.
func (p *treePage) top() Hash { return p.hash[0] }

// below returns the only leaf below node n, which is of kind slotLeaf.
func (p *treePage) below(n int) TreeLeaf {
	for n < pageSlots-1 {
		if n = 2*n + 1; p.kind[n] == slotEmpty {
			n++
		}
	}
	return p.leaf[n-(pageSlots-1)]
}

// decodeTreePage reads a stored page: the bitmap of slots that are not empty, the bitmap of those that are leaves (16 bits each,
// slot 0 is the lowest bit), then the slots in order, 64 bytes of a leaf or 32 of a hash. It goes into p, which is zero, and must
// be what the page at path may be; nil data is the page that does not exist.
func decodeTreePage(path PagePath, data []byte, p *treePage) error {
	if data == nil {
		return nil
	}
	if len(data) < pageHead {
		return refuse(ErrPage, "page %q has %d bytes", string(path), len(data))
	}
	used, leaves := binary.BigEndian.Uint16(data), binary.BigEndian.Uint16(data[2:])
	if want := pageHead + HashSize*(bits.OnesCount16(used)+bits.OnesCount16(leaves)); used == 0 || leaves&^used != 0 || len(data) != want {
		return refuse(ErrPage, "page %q has a bad bitmap or length (%04x, %04x, %d bytes)", string(path), used, leaves, len(data))
	}
	rest := data[pageHead:]
	for i := range pageSlots {
		s := treeSlot{}
		switch {
		case leaves>>i&1 == 1:
			s.kind = slotLeaf
			rest = rest[copy(s.leaf.Key[:], rest):]
			rest = rest[copy(s.leaf.Value[:], rest):]
			if nibble(&s.leaf.Key, len(path)) != i || !path.covers(s.leaf.Key) {
				return refuse(ErrPage, "page %q holds a leaf of another place in slot %x", string(path), i)
			}
		case used>>i&1 == 1:
			s.kind = slotSubtree
			rest = rest[copy(s.hash[:], rest):]
			if s.hash.IsZero() {
				return refuse(ErrPage, "page %q holds an empty subtree in slot %x", string(path), i)
			}
		default:
			continue
		}
		p.set(i, s)
	}
	p.rehash(used)
	if path != "" && p.kind[0] == slotLeaf {
		return refuse(ErrPage, "page %q holds a single leaf, which belongs to its parent", string(path))
	}
	return nil
}

// UndoPage returns what the page at path was before the update that made it data, given [Page.Undo] of that update. The
// error is of kind ErrPage.
func UndoPage(path PagePath, data, undo []byte) ([]byte, error) {
	if err := decodeTreePage(path, data, new(treePage)); err != nil {
		return nil, err
	}
	whole, err := JoinPatches(nil, append([]byte(WholePatch), data...), undo)
	if err != nil {
		return nil, err
	}
	before := whole[len(WholePatch):]
	return before, decodeTreePage(path, before, new(treePage)) // leaves where they belong, not too few
}
