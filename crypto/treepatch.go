package crypto

import (
	"encoding/binary"
	"math/bits"
)

// A patch tells some slots of a page: the bitmap of the slots it tells, of those of them that hold something, and of those
// that hold a leaf (16 bits each, slot 0 is the lowest bit), then what they hold as in a page. One that tells all sixteen
// slots is a whole page behind [WholePatch]: patches and pages are joined without hashing anything, which is what a database
// does with them far from the tree.

// WholePatch begins a patch that tells all slots; the page as it is stored follows.
const WholePatch = "\xff\xff"

// patchHead is the length of the bitmaps.
const patchHead = 6

// slotPatch is a patch that was looked through.
type slotPatch struct {
	mask, used, leaves uint16
	slots              []byte
}

// parsePatch checks that a patch has the length its bitmaps say.
func parsePatch(b []byte) (slotPatch, error) {
	if len(b) < patchHead {
		return slotPatch{}, refuse(ErrPage, "a patch of a page has %d bytes", len(b))
	}
	p := slotPatch{
		mask: binary.BigEndian.Uint16(b), used: binary.BigEndian.Uint16(b[2:]), leaves: binary.BigEndian.Uint16(b[4:]), slots: b[patchHead:],
	}
	if p.used&^p.mask != 0 || p.leaves&^p.used != 0 || len(p.slots) != HashSize*(bits.OnesCount16(p.used)+bits.OnesCount16(p.leaves)) {
		return slotPatch{}, refuse(ErrPage, "a patch of a page has a bad bitmap or length (%04x, %04x, %04x, %d bytes)", p.mask, p.used, p.leaves, len(b))
	}
	return p, nil
}

// size is how many bytes the slots of a mask take.
func (p *slotPatch) size(mask uint16) int {
	return HashSize * (bits.OnesCount16(p.used&mask) + bits.OnesCount16(p.leaves&mask))
}

// JoinPatches appends to b, which must be no part of either, the patch that does what older does, and then newer. The error
// is of kind ErrPage.
func JoinPatches(b, older, newer []byte) ([]byte, error) {
	o, err := parsePatch(older)
	if err != nil {
		return b, err
	}
	n, err := parsePatch(newer)
	if err != nil {
		return b, err
	}
	kept := o.mask &^ n.mask
	b = binary.BigEndian.AppendUint16(b, o.mask|n.mask)
	b = binary.BigEndian.AppendUint16(b, o.used&kept|n.used)
	b = binary.BigEndian.AppendUint16(b, o.leaves&kept|n.leaves)
	// Slots come in runs that one of the two tells: a new leaf in a page of sixteen is three copies.
	for at := 0; at < pageSlots; {
		from, other := &o, &n
		if n.mask>>at&1 == 1 {
			from, other = other, from
		}
		end := at + 1
		for end < pageSlots && n.mask>>end&1 == n.mask>>at&1 {
			end++
		}
		run := uint16((1<<end - 1) &^ (1<<at - 1))
		size := from.size(run)
		b = append(b, from.slots[:size]...)
		from.slots, other.slots = from.slots[size:], other.slots[other.size(run):]
		at = end
	}
	return b, nil
}
