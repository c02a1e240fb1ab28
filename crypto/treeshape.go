package crypto

import (
	"encoding/binary"
	"math/bits"
)

// A packed page is a page as a [Tree] keeps it: the page as it is stored, then the hashes that this does not tell, which are
// those of the slots that are leaves, by slot, and those of the nodes that join two others, by node (see treePage for their
// numbers). It holds nothing twice, because memory is what is slow, and where in it a hash stands follows from the two bitmaps
// at its beginning: an update of one slot touches that slot and the hashes beside its way to the top, not the page.

// pageHead is the length of the bitmaps of a page, innerNodes the nodes that are no slots.
const (
	pageHead   = 4
	innerNodes = 1<<(pageSlots-1) - 1
)

// pageShape is what the bitmaps of a page tell of its nodes. Bit n of some: node n has a leaf below it; of many: it has at
// least two, so that its hash is its own. used and leaves are the bitmaps.
type pageShape struct {
	used, leaves uint16
	some, many   uint32
	data, size   int // bytes of the page as it is stored, and packed
}

func shapeOfPage(used, leaves uint16) pageShape {
	some, many := uint32(used), uint32(used&^leaves)
	s := pageShape{used: used, leaves: leaves, some: some << (pageSlots - 1), many: many << (pageSlots - 1)}
	for first := pageSlots/2 - 1; first >= 0; first = (first+1)/2 - 1 {
		some, many = pairs(some), pairs(many)|bothOf(some)
		s.some, s.many = s.some|some<<first, s.many|many<<first
	}
	s.data = pageHead + HashSize*(bits.OnesCount16(used)+bits.OnesCount16(leaves))
	s.size = s.data + HashSize*(bits.OnesCount16(leaves)+bits.OnesCount32(s.many&innerNodes))
	return s
}

// packedShape is the shape of a packed page.
func packedShape(b []byte) pageShape {
	return shapeOfPage(binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]))
}

// pairs has bit i if x has bit 2i or 2i+1, bothOf if it has both; x has sixteen bits at most.
func pairs(x uint32) uint32  { return gather(x | x>>1) }
func bothOf(x uint32) uint32 { return gather(x & (x >> 1)) }

// gather has bit i where x has bit 2i.
func gather(x uint32) uint32 {
	x &= 0x5555
	x = (x | x>>1) & 0x3333
	x = (x | x>>2) & 0x0f0f
	return (x | x>>4) & 0x00ff
}

// above is the nodes from the slots of the mask to the top, themselves included.
func above(mask uint16) uint32 {
	nodes, level := uint32(mask)<<(pageSlots-1), uint32(mask)
	for first := pageSlots/2 - 1; first >= 0; first = (first+1)/2 - 1 {
		level = pairs(level)
		nodes |= level << first
	}
	return nodes
}

// slotAt is where slot i stands, or would, width how many bytes it takes.
func (s *pageShape) slotAt(i int) int {
	below := uint16(1)<<i - 1
	return pageHead + HashSize*(bits.OnesCount16(s.used&below)+bits.OnesCount16(s.leaves&below))
}

func (s *pageShape) width(i int) int { return HashSize * int(s.used>>i&1+s.leaves>>i&1) }

// leafAt is where the hash of the leaf in slot i stands, or would.
func (s *pageShape) leafAt(i int) int { return s.data + HashSize*bits.OnesCount16(s.leaves&(1<<i-1)) }

// joinAt is where the hash of node n, which is no slot, stands, or would.
func (s *pageShape) joinAt(n int) int {
	return s.data + HashSize*(bits.OnesCount16(s.leaves)+bits.OnesCount32(s.many&innerNodes&(1<<n-1)))
}

// noHash is the hash of what is empty.
var noHash Hash

// hash is that of node n of a packed page of this shape.
func (s *pageShape) hash(b []byte, n int) *Hash {
	if s.some>>n&1 == 0 {
		return &noHash
	}
	n = s.one(n)
	var at int
	switch i := n - (pageSlots - 1); {
	case i < 0:
		at = s.joinAt(n)
	case s.leaves>>i&1 == 1:
		at = s.leafAt(i)
	default:
		at = s.slotAt(i)
	}
	return (*Hash)(b[at:])
}

// one goes from a node that has only one leaf below it to the slot of that leaf; from others nowhere.
func (s *pageShape) one(n int) int {
	for s.many>>n&1 == 0 && n < pageSlots-1 {
		if n = 2*n + 1; s.some>>n&1 == 0 {
			n++
		}
	}
	return n
}

// rehash works out the stale nodes of a packed page, the slots of which are right.
func (s *pageShape) rehash(b []byte, stale uint32) {
	for stale &= s.many & innerNodes; stale != 0; {
		n := bits.Len32(stale) - 1
		stale &^= 1 << n
		*(*Hash)(b[s.joinAt(n):]) = treeNode(s.hash(b, 2*n+1), s.hash(b, 2*n+2))
	}
}

// appendPatch appends what the slots of a mask hold (see treepatch.go).
func (s *pageShape) appendPatch(p, b []byte, mask uint16) []byte {
	p = binary.BigEndian.AppendUint16(p, mask)
	p = binary.BigEndian.AppendUint16(p, s.used&mask)
	p = binary.BigEndian.AppendUint16(p, s.leaves&mask)
	for m := mask & s.used; m != 0; m &= m - 1 {
		i := bits.TrailingZeros16(m)
		at := s.slotAt(i)
		p = append(p, b[at:at+s.width(i)]...)
	}
	return p
}

// pageChange gathers what becomes of the slots of one page: used and leaves are the bitmaps that it will have, mask is the slots
// that change, fresh those of them that hold a new page.
type pageChange struct {
	mask, used, leaves, fresh uint16

	leaf [pageSlots]TreeLeaf
	hash [pageSlots]Hash
	kid  [pageSlots]int32 // the new pages

	top Hash     // of the page as it became, if it has two leaves or more
	one TreeLeaf // the only leaf of a page that thereby goes
}

func (c *pageChange) begin(s *pageShape) { c.mask, c.used, c.leaves, c.fresh = 0, s.used, s.leaves, 0 }

func (c *pageChange) setLeaf(i int, l *TreeLeaf) {
	c.mask, c.used, c.leaves = c.mask|1<<i, c.used|1<<i, c.leaves|1<<i
	c.leaf[i] = *l
}

func (c *pageChange) setHash(i int, h *Hash) {
	c.mask, c.used, c.leaves = c.mask|1<<i, c.used|1<<i, c.leaves&^(1<<i)
	c.hash[i] = *h
}

func (c *pageChange) setFresh(i int, kid int32, h *Hash) {
	c.setHash(i, h)
	c.fresh, c.kid[i] = c.fresh|1<<i, kid
}

func (c *pageChange) clear(i int) {
	c.mask, c.used, c.leaves = c.mask|1<<i, c.used&^(1<<i), c.leaves&^(1<<i)
}

// put writes slot i, which changes, and returns its width.
func (c *pageChange) put(b []byte, i int) int {
	switch {
	case c.leaves>>i&1 == 1:
		*(*Hash)(b) = c.leaf[i].Key
		*(*Hash)(b[HashSize:]) = c.leaf[i].Value
		return 2 * HashSize
	case c.used>>i&1 == 1:
		*(*Hash)(b) = c.hash[i]
		return HashSize
	}
	return 0
}

// inPlace changes a packed page whose shape stays.
func (c *pageChange) inPlace(b []byte, s *pageShape) {
	for m := c.mask; m != 0; m &= m - 1 {
		i := bits.TrailingZeros16(m)
		if c.put(b[s.slotAt(i):], i); c.leaves>>i&1 == 1 {
			*(*Hash)(b[s.leafAt(i):]) = c.leaf[i].hash()
		}
	}
	s.rehash(b, above(c.mask))
}

// pack makes, of a packed page of one shape, the one of another. What does not change is copied in runs: a new leaf makes
// two of the slots, two of the hashes of leaves and some of the nodes.
func (c *pageChange) pack(to []byte, s *pageShape, from []byte, old *pageShape) {
	binary.BigEndian.PutUint16(to, s.used)
	binary.BigEndian.PutUint16(to[2:], s.leaves)
	at, done := pageHead, pageHead
	for m := c.mask; m != 0; m &= m - 1 {
		i := bits.TrailingZeros16(m)
		next := old.slotAt(i)
		at += copy(to[at:], from[done:next])
		at += c.put(to[at:], i)
		done = next + old.width(i)
	}
	at += copy(to[at:], from[done:old.data])
	done = old.data
	for m := c.mask & (s.leaves | old.leaves); m != 0; m &= m - 1 {
		i := bits.TrailingZeros16(m)
		next := old.leafAt(i)
		at += copy(to[at:], from[done:next])
		if done = next + HashSize*int(old.leaves>>i&1); s.leaves>>i&1 == 1 {
			*(*Hash)(to[at:]) = c.leaf[i].hash()
			at += HashSize
		}
	}
	stale := above(c.mask)
	for m := stale & innerNodes & (s.many | old.many); m != 0; m &= m - 1 {
		n := bits.TrailingZeros32(m)
		next := old.joinAt(n)
		at += copy(to[at:], from[done:next])
		done = next + HashSize*int(old.many>>n&1)
		at += HashSize * int(s.many>>n&1)
	}
	copy(to[at:], from[done:old.size])
	s.rehash(to, stale)
}
