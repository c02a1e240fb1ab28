package crypto

import (
	"bytes"
	"math/bits"
	"slices"
)

// treeUpdate is one batch on its way through a tree. It goes down to the pages that the writes lie in, in the order of their
// positions, and changes each page when those below it are done.
type treeUpdate struct {
	*Tree
	reader  VersionReader
	version uint64              // of the pages that it makes
	base    *Hash               // the root that it starts from, if that is known
	path    [2 * HashSize]byte  // of the page that it is at
	grown   []TreeLeaf          // what a new page is made of
	unpack  *treePage           // what was read
	warmed  byte                // see warm: a sum of nothing
	packed  [maxPackedPage]byte // a page of another shape
}

// treeLevel is what one update does on one level: the pages change in the order of their paths.
type treeLevel struct {
	change  pageChange
	records []pageRecord
	paths   []byte // of the records, one behind the other
}

// pageRecord is a [Page] on its way out. Class 0 means that the page is gone.
type pageRecord struct {
	was         uint64
	slot        int32
	class       uint8
	fresh       bool
	data        uint16 // bytes
	note        uint32 // where Page.Undo begins, and Page.Patch behind it, in the notes
	undo, patch uint16 // bytes
}

// The notes, which are what Page.Patch and Page.Undo are in, are taken in pieces, each of which has room for any two.
const (
	noteShift = 16
	maxPatch  = patchHead + pageSlots*2*HashSize
)

// cacheLine is what the processor fetches at once, in bytes. Pages with more ops than maxWarmOps have children with many, to
// whom their own children matter.
const (
	cacheLine  = 64
	maxWarmOps = 4 * pageSlots
)

// run is an update by position; ops are sorted.
func (u *treeUpdate) run(ops []treeOp) (root Hash, pages []Page, err error) {
	for i := 1; i < len(ops); i++ {
		if ops[i].leaf.Key == ops[i-1].leaf.Key {
			return Hash{}, nil, refuse(ErrEncoding, "one key is written twice in a batch (position %s)", ops[i].leaf.Key)
		}
	}
	u.begin()
	if u.root == 0 {
		if u.root, err = u.load(0, u.base); err != nil {
			return Hash{}, nil, err
		}
	}
	if u.root == 0 {
		if !slices.ContainsFunc(ops, func(op treeOp) bool { return !op.delete }) {
			return Hash{}, nil, nil // nothing, and nothing put into it
		}
		u.root = u.arena.add(u.version, u.now)
	}
	if _, _, err = u.page(0, u.root, ops); err != nil {
		return Hash{}, nil, err
	}
	return u.top(), u.collect(), nil
}

// level is what is done on a level of pages.
func (u *treeUpdate) level(depth int) *treeLevel {
	for len(u.levels) <= depth {
		u.levels = append(u.levels, new(treeLevel))
	}
	return u.levels[depth]
}

// emptyPage is the packed page that holds nothing.
var emptyPage [pageHead]byte

// page applies ops, all of which lie below page n, and tells what it has become, if it changed (see finish).
func (u *treeUpdate) page(depth int, n int32, ops []treeOp) (kind slotKind, changed bool, err error) {
	p := &u.arena.nodes[n]
	p.used = u.now
	b := emptyPage[:]
	if p.class != 0 {
		b = u.arena.slot(p.class, p.slot)
	}
	s := packedShape(b)
	c := &u.level(depth).change
	c.begin(&s)
	if p.kids != 0 && len(ops) > 1 && len(ops) < maxWarmOps {
		u.warm(depth, p.kids, ops)
	}
	for len(ops) > 0 {
		i := nibble(&ops[0].leaf.Key, depth)
		end := 1
		for end < len(ops) && nibble(&ops[end].leaf.Key, depth) == i {
			end++
		}
		u.path[depth] = hexDigits[i]
		if s.used&^s.leaves>>i&1 == 1 {
			err = u.below(depth, n, i, (*Hash)(b[s.slotAt(i):]), ops[:end])
		} else {
			u.spread(depth, i, b, &s, ops[:end])
		}
		if err != nil {
			return 0, false, err
		}
		ops = ops[end:]
	}
	if c.mask == 0 {
		return 0, false, nil
	}
	return u.finish(depth, n, b, &s), true, nil
}

// warm looks at the children in a block that ops will change, so that the processor waits for them together and not for one
// after the other: where they are, then all of each.
func (u *treeUpdate) warm(depth int, block int32, ops []treeOp) {
	a := &u.arena
	var mask uint16
	for i := range ops {
		mask |= 1 << nibble(&ops[i].leaf.Key, depth)
	}
	var nodes [pageSlots]pageNode
	count := 0
	for ; mask != 0; mask &= mask - 1 {
		if kid := a.kids[block][bits.TrailingZeros16(mask)]; kid != 0 {
			nodes[count] = a.nodes[kid]
			count++
		}
	}
	for i := range nodes[:count] {
		b := a.slot(nodes[i].class, nodes[i].slot)
		for at := 0; at < len(b); at += cacheLine {
			u.warmed += b[at]
		}
	}
}

// below applies ops to the subtree with this hash that slot i of page n holds.
func (u *treeUpdate) below(depth int, n int32, i int, hash *Hash, ops []treeOp) error {
	if depth == maxPagePath {
		return refuse(ErrPage, "page %q has a page below the last level", string(u.path[:depth]))
	}
	kid := u.arena.kid(n, i)
	if kid == 0 {
		var err error
		if kid, err = u.load(depth+1, hash); err != nil {
			return err
		}
		u.arena.link(n, i, kid)
	}
	kind, changed, err := u.page(depth+1, kid, ops)
	if err != nil || !changed {
		return err
	}
	c, under := &u.levels[depth].change, &u.levels[depth+1].change
	switch kind {
	case slotSubtree:
		c.setHash(i, &under.top)
	case slotLeaf:
		c.setLeaf(i, &under.one)
	default:
		c.clear(i)
	}
	return nil
}

// spread applies ops to slot i of a page, which holds at most one leaf: the leaves that are there then make a new page if they
// are more than one.
func (u *treeUpdate) spread(depth, i int, b []byte, s *pageShape, ops []treeOp) {
	c := &u.levels[depth].change
	var old TreeLeaf
	had := s.leaves>>i&1 == 1
	if had {
		old = leafAt(b[s.slotAt(i):])
	}
	if len(ops) == 1 && (!had || old.Key == ops[0].leaf.Key) { // by far the most
		switch {
		case !ops[0].delete && (!had || old != ops[0].leaf):
			c.setLeaf(i, &ops[0].leaf)
		case ops[0].delete && had:
			c.clear(i)
		}
		return
	}
	switch all := u.leavesOf(old, had, ops); {
	case len(all) > 1:
		kid := u.build(depth+1, all)
		c.setFresh(i, kid, &u.levels[depth+1].change.top)
	case len(all) == 1 && !(had && old == all[0]):
		c.setLeaf(i, &all[0])
	case len(all) == 0 && had:
		c.clear(i)
	}
}

// leavesOf is what ops make of a leaf, if there is one, in order.
func (u *treeUpdate) leavesOf(old TreeLeaf, had bool, ops []treeOp) []TreeLeaf {
	all := u.grown[:0]
	for k := range ops {
		op := &ops[k]
		if had {
			switch order := bytes.Compare(old.Key[:], op.leaf.Key[:]); {
			case order < 0:
				all, had = append(all, old), false
			case order == 0:
				had = false
			}
		}
		if !op.delete {
			all = append(all, op.leaf)
		}
	}
	if had {
		all = append(all, old)
	}
	u.grown = all
	return all
}

// build makes the page at u.path[:depth] of two leaves or more, and those below it.
func (u *treeUpdate) build(depth int, leaves []TreeLeaf) int32 {
	c := &u.level(depth).change
	s := shapeOfPage(0, 0)
	c.begin(&s)
	for len(leaves) > 0 {
		i := nibble(&leaves[0].Key, depth)
		end := 1
		for end < len(leaves) && nibble(&leaves[end].Key, depth) == i {
			end++
		}
		if u.path[depth] = hexDigits[i]; end == 1 {
			c.setLeaf(i, &leaves[0])
		} else {
			kid := u.build(depth+1, leaves[:end])
			c.setFresh(i, kid, &u.levels[depth+1].change.top)
		}
		leaves = leaves[end:]
	}
	n := u.arena.add(u.version, u.now)
	u.finish(depth, n, emptyPage[:], &s)
	return n
}

// finish makes the changes of page n, which was b, and tells what it has become: a subtree with change.top, the leaf
// change.one, which has its place in the parent, or nothing. The root's page may stand with one leaf.
func (u *treeUpdate) finish(depth int, n int32, b []byte, old *pageShape) slotKind {
	c := &u.levels[depth].change
	s := shapeOfPage(c.used, c.leaves)
	if s.used == 0 || depth > 0 && s.many&1 == 0 {
		return u.collapse(depth, n, b, &s, old)
	}
	r := pageRecord{was: u.arena.nodes[n].version, fresh: old.used == 0, data: uint16(s.data)}
	var notes []byte
	if !r.fresh {
		notes = u.noteRoom()
		from := len(notes)
		notes = old.appendPatch(notes, b, c.mask)
		r.note, r.undo = uint32(u.noting<<noteShift|from), uint16(len(notes)-from)
	}
	if s.used == old.used && s.leaves == old.leaves {
		c.inPlace(b, &s)
	} else {
		b = u.repack(c, n, &s, b, old)
	}
	if !r.fresh {
		from := len(notes)
		notes = s.appendPatch(notes, b, c.mask)
		r.patch = uint16(len(notes) - from)
		u.notes[u.noting] = notes
	}
	for m := c.fresh; m != 0; m &= m - 1 {
		i := bits.TrailingZeros16(m)
		u.arena.link(n, i, c.kid[i])
	}
	p := &u.arena.nodes[n]
	p.version, r.class, r.slot = u.version, p.class, p.slot
	u.record(depth, &r)
	c.top = *s.hash(b, 0)
	return slotSubtree
}

// repack gives page n, which was b, another shape, and returns it.
func (u *treeUpdate) repack(c *pageChange, n int32, s *pageShape, b []byte, old *pageShape) []byte {
	class, was := classOf(s.size), u.arena.nodes[n].class
	if class == was {
		c.pack(u.packed[:], s, b, old)
		copy(b, u.packed[:s.size])
		return b
	}
	if was != 0 {
		u.arena.give(n) // which leaves b as it is
	}
	to := u.arena.take(n, class)
	c.pack(to, s, b, old)
	return to
}

// collapse ends page n, which was b and has at most one leaf left.
func (u *treeUpdate) collapse(depth int, n int32, b []byte, s, old *pageShape) slotKind {
	c := &u.levels[depth].change
	kind := slotEmpty
	if s.used != 0 {
		kind = slotLeaf
		if i := bits.TrailingZeros16(s.used); c.mask>>i&1 == 1 {
			c.one = c.leaf[i]
		} else {
			c.one = leafAt(b[old.slotAt(i):])
		}
	}
	u.record(depth, &pageRecord{was: u.arena.nodes[n].version})
	u.arena.drop(n)
	if depth == 0 {
		u.root = 0
	}
	return kind
}

// leafAt is the leaf that b begins with.
func leafAt(b []byte) TreeLeaf { return TreeLeaf{Key: Hash(b), Value: Hash(b[HashSize:])} }

// load reads the page at u.path[:depth], which must have this hash if that is known; 0 if there is none.
func (u *treeUpdate) load(depth int, want *Hash) (int32, error) {
	path := PagePath(u.path[:depth])
	if u.unpack == nil {
		u.unpack = new(treePage)
	}
	p := u.unpack
	*p = treePage{}
	data, err := readTreePage(u.reader, path, p)
	switch {
	case err != nil:
		return 0, err
	case want != nil && p.top() != *want:
		return 0, refuse(ErrPage, "page %q does not hash to what leads to it", string(path))
	case data == nil:
		return 0, nil
	}
	n := u.arena.add(p.version, u.now)
	s := packedShape(data)
	p.pack(u.arena.take(n, classOf(s.size)), data)
	return n, nil
}

// noteRoom returns memory that has room for two patches; it is u.notes[u.noting].
func (u *treeUpdate) noteRoom() []byte {
	if len(u.notes) > 0 {
		if b := u.notes[u.noting]; cap(b)-len(b) >= 2*maxPatch {
			return b
		}
		u.noting++
	}
	if u.noting == len(u.notes) {
		u.notes = append(u.notes, make([]byte, 0, 1<<noteShift))
	}
	return u.notes[u.noting]
}

// record keeps that the page at u.path[:depth] changed.
func (u *treeUpdate) record(depth int, r *pageRecord) {
	l := u.levels[depth]
	l.records = append(l.records, *r)
	l.paths = append(l.paths, u.path[:depth]...)
}

// collect makes pages of the records, level by level.
func (u *treeUpdate) collect() []Page {
	count, size := 0, 0
	for _, l := range u.levels {
		count, size = count+len(l.records), size+len(l.paths)
	}
	if count == 0 {
		return nil
	}
	paths := make([]byte, 0, size)
	for _, l := range u.levels {
		paths = append(paths, l.paths...)
	}
	names := PagePath(paths)
	if cap(u.pages) < count {
		u.pages = make([]Page, 0, count+count/8)
	}
	pages := u.pages[:0]
	for depth, l := range u.levels {
		for i := range l.records {
			r := &l.records[i]
			p := Page{Path: names[:depth], Was: r.was, New: r.fresh}
			names = names[depth:]
			if r.class != 0 {
				p.Data = u.arena.slot(r.class, r.slot)[:r.data:r.data]
			}
			if r.patch != 0 {
				notes := u.notes[r.note>>noteShift][r.note&(1<<noteShift-1):]
				p.Undo, p.Patch = notes[:r.undo:r.undo], notes[r.undo:r.undo+r.patch:r.undo+r.patch]
			}
			pages = append(pages, p)
		}
	}
	u.pages = pages
	return pages
}
