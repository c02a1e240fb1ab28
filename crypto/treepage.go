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

// treePage is a page in memory; the zero value is the page that does not exist.
type treePage [16]treeSlot

// hash is the hash of the subtree whose top the page is.
func (p *treePage) hash() Hash { return subtreeHash(p[:]) }

// subtreeHash hashes a range of 1, 2, 4, 8 or 16 slots.
func subtreeHash(slots []treeSlot) Hash {
	if s, ok := sole(slots); ok {
		switch s.kind {
		case slotEmpty:
			return Hash{}
		case slotLeaf:
			return s.leaf.hash()
		}
	}
	if len(slots) == 1 {
		return slots[0].hash
	}
	half := len(slots) / 2
	return treeNode(subtreeHash(slots[:half]), subtreeHash(slots[half:]))
}

// sole returns the only slot of the range that is not empty, or an empty slot if all are; false if there are more.
func sole(slots []treeSlot) (*treeSlot, bool) {
	found := &slots[0]
	for i := 1; i < len(slots); i++ {
		if slots[i].kind == slotEmpty {
			continue
		}
		if found.kind != slotEmpty {
			return nil, false
		}
		found = &slots[i]
	}
	return found, true
}

// asSlot is what the parent's page says of this page.
func (p *treePage) asSlot() treeSlot {
	if s, ok := sole(p[:]); ok && s.kind != slotSubtree {
		return *s
	}
	return treeSlot{kind: slotSubtree, hash: p.hash()}
}

// encode writes the bitmap of slots that are not empty, the bitmap of those that are leaves (16 bits each, slot 0 is
// the lowest bit), then the slots in order: 64 bytes of a leaf or 32 of a hash. The page that does not exist is nil.
func (p *treePage) encode() []byte {
	var used, leaves uint16
	size := 4
	for i := range p {
		switch p[i].kind {
		case slotLeaf:
			used, leaves = used|1<<i, leaves|1<<i
			size += 2 * HashSize
		case slotSubtree:
			used |= 1 << i
			size += HashSize
		}
	}
	if used == 0 {
		return nil
	}
	b := make([]byte, 0, size)
	b = binary.BigEndian.AppendUint16(b, used)
	b = binary.BigEndian.AppendUint16(b, leaves)
	for i := range p {
		switch p[i].kind {
		case slotLeaf:
			b = append(b, p[i].leaf.Key[:]...)
			b = append(b, p[i].leaf.Value[:]...)
		case slotSubtree:
			b = append(b, p[i].hash[:]...)
		}
	}
	return b
}

// decodeTreePage accepts exactly what encode makes for a page at path; nil data is the page that does not exist.
func decodeTreePage(path PagePath, data []byte) (treePage, error) {
	var p treePage
	if data == nil {
		return p, nil
	}
	if len(data) < 4 {
		return p, refuse(ErrPage, "page %q has %d bytes", string(path), len(data))
	}
	used, leaves := binary.BigEndian.Uint16(data), binary.BigEndian.Uint16(data[2:])
	if want := 4 + HashSize*(bits.OnesCount16(used)+bits.OnesCount16(leaves)); used == 0 || leaves&^used != 0 || len(data) != want {
		return p, refuse(ErrPage, "page %q has a bad bitmap or length (%04x, %04x, %d bytes)", string(path), used, leaves, len(data))
	}
	rest := data[4:]
	next := func() (h Hash) {
		rest = rest[copy(h[:], rest):]
		return h
	}
	for i := range p {
		switch {
		case leaves>>i&1 == 1:
			p[i] = treeSlot{kind: slotLeaf, leaf: TreeLeaf{Key: next(), Value: next()}}
			if !path.child(i).covers(p[i].leaf.Key) {
				return treePage{}, refuse(ErrPage, "page %q holds a leaf of another place in slot %x", string(path), i)
			}
		case used>>i&1 == 1:
			p[i] = treeSlot{kind: slotSubtree, hash: next()}
			if p[i].hash.IsZero() {
				return treePage{}, refuse(ErrPage, "page %q holds an empty subtree in slot %x", string(path), i)
			}
		}
	}
	if path != "" && p.asSlotKind() == slotLeaf {
		return treePage{}, refuse(ErrPage, "page %q holds a single leaf, which belongs to its parent", string(path))
	}
	return p, nil
}

// asSlotKind is asSlot().kind without the hashing.
func (p *treePage) asSlotKind() slotKind {
	if s, ok := sole(p[:]); ok {
		return s.kind
	}
	return slotSubtree
}
