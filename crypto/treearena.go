package crypto

// pageArena keeps packed pages, linked as the tree is. Everything in it is named by number and not by pointer, so that the
// garbage collector, which would otherwise follow a million pointers again and again, has nothing to do with it.
//
//  1. Number 0 is none: no page, no block of children.
//  2. A page that is kept has its parent kept, and stands in the parent's block of children at its slot, which is a subtree.
//  3. A page lies in a slot of the class of its size. Which page that is the class knows, so that pages can be moved together
//     when others have gone (see squeeze), and memory goes back whole chunks at a time.
type pageArena struct {
	nodes    []pageNode
	freeNode int32 // the first of those that are free, linked by parent
	kids     [][pageSlots]int32
	freeKids int32 // the first of those that are free, linked by their first child
	classes  [maxPageClass + 1]pageClass
	shift    uint // a chunk has 1<<shift slots
	live     int  // bytes of slots in use
}

// pageNode is a page that is kept.
type pageNode struct {
	version uint64 // see Page.Was
	used    uint32 // the update that used it last
	parent  int32
	kids    int32 // its block of children
	slot    int32 // in its class
	class   uint8 // 0: the node is free
	nibble  uint8 // which slot of the parent it is
	count   uint8 // of children in the block
}

// The sizes of what an arena is made of, in bytes.
const (
	pageNodeBytes  = 32
	kidsBytes      = 4 * pageSlots
	pageUnit       = 64
	maxPackedPage  = pageHead + HashSize*(2*pageSlots+pageSlots+pageSlots-1)
	maxPageClass   = (maxPackedPage + pageUnit - 1) / pageUnit
	maxChunkShift  = 6
	slotTableBytes = 4
)

// pageClass is the slots of one size, pageUnit times the number of the class.
type pageClass struct {
	chunks [][]byte
	owner  []int32 // by slot: the node that has it
	free   []int32 // slots
}

func classOf(size int) uint8 { return uint8((size + pageUnit - 1) / pageUnit) }

// bytes is the slot of a page, which may be larger than the page.
func (a *pageArena) bytes(n int32) []byte {
	p := &a.nodes[n]
	return a.slot(p.class, p.slot)
}

func (a *pageArena) slot(class uint8, slot int32) []byte {
	size := pageUnit * int(class)
	at := size * int(slot&(1<<a.shift-1))
	return a.classes[class].chunks[slot>>a.shift][at : at+size]
}

// take gives a node a slot of a class.
func (a *pageArena) take(n int32, class uint8) []byte {
	c := &a.classes[class]
	var slot int32
	if last := len(c.free) - 1; last >= 0 {
		slot, c.free = c.free[last], c.free[:last]
		c.owner[slot] = n
	} else {
		slot = int32(len(c.owner))
		if int(slot>>a.shift) == len(c.chunks) {
			c.chunks = append(c.chunks, make([]byte, pageUnit*int(class)<<a.shift))
		}
		c.owner = append(c.owner, n)
	}
	a.nodes[n].class, a.nodes[n].slot = class, slot
	a.live += pageUnit * int(class)
	return a.slot(class, slot)
}

// give takes the slot of a node back. What it holds stays until it is taken again.
func (a *pageArena) give(n int32) {
	p := &a.nodes[n]
	c := &a.classes[p.class]
	c.owner[p.slot] = 0
	c.free = append(c.free, p.slot)
	a.live -= pageUnit * int(p.class)
}

// add makes a node without a slot.
func (a *pageArena) add(version uint64, used uint32) int32 {
	n := a.freeNode
	if n != 0 {
		a.freeNode = a.nodes[n].parent
	} else {
		if len(a.nodes) == 0 {
			a.nodes = append(a.nodes, pageNode{}) // none
		}
		n = int32(len(a.nodes))
		a.nodes = append(a.nodes, pageNode{})
	}
	a.nodes[n] = pageNode{version: version, used: used}
	return n
}

// kid is the child of a page at slot i, if it is kept.
func (a *pageArena) kid(n int32, i int) int32 {
	block := a.nodes[n].kids
	if block == 0 {
		return 0
	}
	return a.kids[block][i]
}

// link makes a page the child of another, which has none at that slot.
func (a *pageArena) link(parent int32, i int, kid int32) {
	p := &a.nodes[parent]
	if p.kids == 0 {
		p.kids = a.block()
	}
	a.kids[p.kids][i] = kid
	p.count++
	a.nodes[kid].parent, a.nodes[kid].nibble = parent, uint8(i)
}

// block is a block of no children.
func (a *pageArena) block() int32 {
	if n := a.freeKids; n != 0 {
		a.freeKids = a.kids[n][0]
		a.kids[n][0] = 0
		return n
	}
	if len(a.kids) == 0 {
		a.kids = append(a.kids, [pageSlots]int32{}) // none
	}
	a.kids = append(a.kids, [pageSlots]int32{})
	return int32(len(a.kids) - 1)
}

// drop forgets a page, no child of which is kept.
func (a *pageArena) drop(n int32) {
	p := &a.nodes[n]
	if p.parent != 0 { // not the root
		up := &a.nodes[p.parent]
		a.kids[up.kids][p.nibble] = 0
		if up.count--; up.count == 0 {
			a.kids[up.kids][0], a.freeKids = a.freeKids, up.kids
			up.kids = 0
		}
	}
	a.give(n)
	*p = pageNode{parent: a.freeNode}
	a.freeNode = n
}

// squeeze moves pages from the last slots of each class to free ones, and lets go of the chunks that become empty.
func (a *pageArena) squeeze() {
	for class := range a.classes {
		c := &a.classes[class]
		end := len(c.owner)
		for _, hole := range c.free {
			for end > 0 && c.owner[end-1] == 0 {
				end--
			}
			if int(hole) >= end {
				continue
			}
			end--
			n := c.owner[end]
			copy(a.slot(uint8(class), hole), a.slot(uint8(class), int32(end)))
			a.nodes[n].slot, c.owner[hole], c.owner[end] = hole, n, 0
		}
		for end > 0 && c.owner[end-1] == 0 {
			end--
		}
		c.owner, c.free = c.owner[:end], c.free[:0]
		chunks := (end + 1<<a.shift - 1) >> a.shift
		clear(c.chunks[chunks:])
		c.chunks = c.chunks[:chunks]
	}
}

// chunkBytes is what a chunk of a class takes.
func (a *pageArena) chunkBytes(class int) int {
	const page, large = 8 << 10, 32 << 10 // of the allocator of Go
	size := pageUnit * class << a.shift
	switch {
	case size > large:
		return (size + page - 1) / page * page
	case size%(page/2) != 0:
		return size + size/8 + 8
	}
	return size
}

// chunkTotal is what all chunks take.
func (a *pageArena) chunkTotal() int {
	n := 0
	for class := range a.classes {
		n += len(a.classes[class].chunks) * a.chunkBytes(class)
	}
	return n
}

// size is how many bytes the arena takes.
func (a *pageArena) size() int {
	n := pageNodeBytes*cap(a.nodes) + kidsBytes*cap(a.kids) + a.chunkTotal()
	for class := range a.classes {
		c := &a.classes[class]
		n += 24*cap(c.chunks) + slotTableBytes*(cap(c.owner)+cap(c.free))
	}
	return n
}

// evict drops pages until those left take at most want bytes in their slots, if that is possible without pages that the
// update of this number used. Those not used for longest go first. A page is used whenever one below it is, so none goes
// before its children.
func (a *pageArena) evict(now uint32, want int) {
	if a.live <= want {
		return
	}
	var ages [256]int // bytes by age, in updates; the last is of all that are older
	for n := range a.nodes {
		p := &a.nodes[n]
		ages[min(now-p.used, uint32(len(ages)-1))] += pageUnit * int(p.class)
	}
	age, left := uint32(len(ages)), a.live
	for age > 1 && left > want {
		age--
		left -= ages[age]
	}
	a.evictFrom(now, age+1, -1)
	a.evictFrom(now, age, want)
}

// evictFrom drops pages of at least this age until those left take at most want bytes.
func (a *pageArena) evictFrom(now, age uint32, want int) {
	for before := -1; a.live > want && a.live != before; {
		before = a.live
		for n := 1; n < len(a.nodes) && a.live > want; n++ {
			if p := &a.nodes[n]; p.class != 0 && p.count == 0 && now-p.used >= age {
				a.drop(int32(n))
			}
		}
	}
}
