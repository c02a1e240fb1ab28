package crypto

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// The state tree is a sparse Merkle tree over the 256-bit positions Sum(TagStateKey, key). Its shape is a function of
// the set of keys alone, so that the order of updates, and keys that came and went, leave no trace in the root:
//
//  1. An empty subtree hashes to the zero Hash.
//  2. A subtree with exactly one key is that key's leaf, wherever the subtree stands: a leaf sits at the shortest
//     prefix that no other key shares. Its hash is Sum(TagStateLeaf, position, Sum(TagStateValue, value)).
//  3. Any other subtree hashes to Sum(TagStateNode, left, right).
//
// Pages. Four levels of the tree are stored together. The page at path p, a string of nibbles, holds for each of the
// sixteen continuations of p a slot: nothing, the one leaf below it, or the hash of the subtree below it, which then
// has at least two leaves and a page of its own. The nodes between a page's top and its slots are computed when
// needed (at most 15 hashes), not stored. A page other than the root's holds at least two leaves in all; when
// deletions leave one, the page goes and the leaf moves to its parent's slot. So pages, too, are a function of the set
// of keys.
//
// An earlier form stored every node under its own path: eight times the reads, and four times the bytes in keys.

// PagePath names a page: one lower-case hex digit per nibble of the positions below it; "" is the root's page, "3a" is
// the page of all positions that begin with byte 0x3a. At most 63 digits.
type PagePath string

// Page is a page as it must be stored. Data nil means that the page is gone. Data must not be changed, and that of a [Tree]
// is good until its next update.
type Page struct {
	Path PagePath
	Data []byte

	// Patch tells the slots that changed, as they are in Data (see [JoinPatches]), and Undo what they were before (see
	// [UndoPage]); both nil for a page that is new or gone.
	Patch, Undo []byte
	// Was is the version of the page that this one replaces, in an update by a [Tree]; New says that it replaces none.
	Was uint64
	New bool
}

// PageReader reads the pages of one version of a tree.
type PageReader interface {
	// ReadPage returns nil for a page that does not exist. The tree does not keep or change the slice.
	ReadPage(PagePath) ([]byte, error)
}

// TreeWrite sets Key to Value. A nil Value deletes; an empty one that is not nil is a value.
type TreeWrite struct {
	Key   []byte
	Value []byte
}

// TreeLeaf is a leaf of the state tree: the position of a key and the hash of its value.
type TreeLeaf struct {
	Key   Hash // Sum(TagStateKey, key)
	Value Hash // Sum(TagStateValue, value)
}

func (l *TreeLeaf) hash() Hash { return sumTwo(TagStateLeaf, &l.Key, &l.Value) }

// TreeKey returns the position of a key in the state tree.
func TreeKey(key []byte) Hash { return Sum(TagStateKey, key) }

func treeNode(left, right *Hash) Hash { return sumTwo(TagStateNode, left, right) }

// treeOp is a TreeWrite with its hashes; delete true ignores leaf.Value.
type treeOp struct {
	leaf   TreeLeaf
	delete bool
}

// UpdateTree applies one batch of writes with distinct keys to the tree that r reads and returns the new root and the
// pages that changed, sorted by path. Writes that change nothing, deletions of absent keys among them, change no page.
// It is a pure function of the tree and the set of writes. Errors: ErrPage for stored pages that are corrupt or of
// different versions, ErrEncoding for a key written twice, or what r returned. Who updates one tree again and again uses a
// [Tree].
func UpdateTree(r PageReader, writes []TreeWrite) (root Hash, pages []Page, err error) {
	u := treeUpdate{reader: unversioned{r}}
	return u.run(treeOps(writes))
}

// unversioned makes a PageReader one whose pages are all of version 0.
type unversioned struct{ PageReader }

// ReadVersion implements VersionReader.
func (u unversioned) ReadVersion(path PagePath) ([]byte, uint64, error) {
	data, err := u.ReadPage(path)
	return data, 0, err
}

// treeOps hashes writes.
func treeOps(writes []TreeWrite) []treeOp {
	ops := make([]treeOp, len(writes))
	for i, w := range writes {
		ops[i] = treeOp{leaf: TreeLeaf{Key: TreeKey(w.Key)}, delete: w.Value == nil}
		if w.Value != nil {
			ops[i].leaf.Value = Sum(TagStateValue, w.Value)
		}
	}
	return ops
}

// TreeRoot returns the root of the tree that r reads; the zero Hash for an empty tree.
func TreeRoot(r PageReader) (Hash, error) {
	var p treePage
	if _, err := readTreePage(unversioned{r}, "", &p); err != nil {
		return Hash{}, err
	}
	return p.top(), nil
}

// treeUpdate is one batch on its way through the tree. Of each level one page is unfolded at a time, in scratch.
type treeUpdate struct {
	reader  VersionReader
	cache   *pageCache  // nil: none
	version uint64      // of the pages that it makes
	scratch []*treePage // by level
	changed []Page
	patches []byte // where the next Page.Patch or Page.Undo is put, if it fits
}

// blank returns the scratch page of the level of path, zero.
func (u *treeUpdate) blank(path PagePath) *treePage {
	for len(u.scratch) <= len(path) {
		u.scratch = append(u.scratch, new(treePage))
	}
	p := u.scratch[len(path)]
	*p = treePage{}
	return p
}

// run is an update by position; it sorts ops.
func (u *treeUpdate) run(ops []treeOp) (root Hash, pages []Page, err error) {
	slices.SortFunc(ops, func(a, b treeOp) int { return bytes.Compare(a.leaf.Key[:], b.leaf.Key[:]) })
	for i := 1; i < len(ops); i++ {
		if ops[i].leaf.Key == ops[i-1].leaf.Key {
			return Hash{}, nil, refuse(ErrEncoding, "one key is written twice in a batch (position %s)", ops[i].leaf.Key)
		}
	}
	p, err := u.load("")
	if err != nil {
		return Hash{}, nil, err
	}
	if err := u.page("", p, ops); err != nil {
		return Hash{}, nil, err
	}
	slices.SortFunc(u.changed, func(a, b Page) int { return strings.Compare(string(a.Path), string(b.Path)) })
	return p.top(), u.changed, nil
}

// load unfolds the page at path; an empty one if there is none.
func (u *treeUpdate) load(path PagePath) (*treePage, error) {
	p := u.blank(path)
	if c := u.cache.get(path); c != nil {
		p.fill(c)
		return p, nil
	}
	data, err := readTreePage(u.reader, path, p)
	if err == nil && u.cache != nil && p.kind[0] == slotSubtree {
		u.cache.put(path, p, bytes.Clone(data)) // the reader's memory is its own
	}
	return p, err
}

// page applies ops, all of which lie below path, to the slots of p, and keeps p as changed if it is.
func (u *treeUpdate) page(path PagePath, p *treePage, ops []treeOp) error {
	page := Page{Path: path, Was: p.version, New: p.kind[0] == slotEmpty}
	var before slotChanges
	for len(ops) > 0 {
		n := nibble(ops[0].leaf.Key, len(path))
		end := 1
		for end < len(ops) && nibble(ops[end].leaf.Key, len(path)) == n {
			end++
		}
		old := p.at(n)
		next, err := u.slot(path, n, old, ops[:end])
		if err != nil {
			return err
		}
		if next != old {
			before.note(n, &old)
			p.set(n, next)
		}
		ops = ops[end:]
	}
	if before.mask == 0 {
		return nil
	}
	p.rehash(before.mask)
	p.version = u.version
	if p.kind[0] == slotSubtree || path == "" {
		page.Data = p.encodeIn(u.cache.memory(path))
	}
	if p.kind[0] == slotSubtree {
		u.cache.put(path, p, page.Data)
	} else {
		u.cache.drop(path)
	}
	if page.Data != nil && !page.New {
		page.Patch, page.Undo = u.keepPatch(p, before.mask), u.keepUndo(&before)
	}
	u.changed = append(u.changed, page)
	return nil
}

// patchChunk is how much memory is taken at once for patches: one update needs some tens of bytes for each of thousands.
const patchChunk = 64 << 10

// patchRoom returns memory that has room for any patch, and where it begins.
func (u *treeUpdate) patchRoom() (room []byte, from int) {
	if cap(u.patches)-len(u.patches) < patchHead+pageSlots*2*HashSize {
		u.patches = make([]byte, 0, patchChunk)
	}
	return u.patches, len(u.patches)
}

// keepUndo encodes what slots of a page were.
func (u *treeUpdate) keepUndo(before *slotChanges) []byte {
	room, from := u.patchRoom()
	u.patches = before.encode(room)
	return u.patches[from:len(u.patches):len(u.patches)]
}

// keepPatch encodes what slots of a page have become.
func (u *treeUpdate) keepPatch(p *treePage, mask uint16) []byte {
	room, from := u.patchRoom()
	u.patches = p.patch(room, mask)
	return u.patches[from:len(u.patches):len(u.patches)]
}

// slot applies ops to slot n of the page at parent, and returns what it holds then.
func (u *treeUpdate) slot(parent PagePath, n int, s treeSlot, ops []treeOp) (treeSlot, error) {
	if len(ops) == 1 && (s.kind == slotEmpty || s.kind == slotLeaf && s.leaf.Key == ops[0].leaf.Key) {
		return ops[0].slot(), nil
	}
	if len(parent) == maxPagePath {
		return s, refuse(ErrPage, "two keys share the position %s", ops[0].leaf.Key)
	}
	path := parent.child(n)
	var p *treePage
	if s.kind == slotSubtree {
		var err error
		if p, err = u.load(path); err != nil {
			return s, err
		}
		if p.top() != s.hash {
			return s, refuse(ErrPage, "page %q does not hash to what its parent says", path)
		}
		if err := u.page(path, p, ops); err != nil {
			return s, err
		}
	} else {
		p = u.blank(path)
		if err := u.grow(path, p, s, ops); err != nil {
			return s, err
		}
	}
	return p.asSlot(), nil
}

// grow makes a page where there was none: of a leaf that stood in the parent's slot, if any, and ops.
func (u *treeUpdate) grow(path PagePath, p *treePage, s treeSlot, ops []treeOp) error {
	for len(ops) > 0 || s.kind == slotLeaf {
		var n, end int
		var old treeSlot
		if s.kind == slotLeaf && (len(ops) == 0 || nibble(s.leaf.Key, len(path)) <= nibble(ops[0].leaf.Key, len(path))) {
			n = nibble(s.leaf.Key, len(path))
			old, s = s, treeSlot{}
		} else {
			n = nibble(ops[0].leaf.Key, len(path))
		}
		for end < len(ops) && nibble(ops[end].leaf.Key, len(path)) == n {
			end++
		}
		next := old
		if end > 0 {
			var err error
			if next, err = u.slot(path, n, old, ops[:end]); err != nil {
				return err
			}
		}
		p.set(n, next)
		ops = ops[end:]
	}
	p.rehash(1<<pageSlots - 1)
	if p.kind[0] == slotSubtree {
		p.version = u.version
		data := p.encode()
		u.cache.put(path, p, data)
		u.changed = append(u.changed, Page{Path: path, Data: data, New: true})
	}
	return nil
}

func (op *treeOp) slot() treeSlot {
	if op.delete {
		return treeSlot{}
	}
	return treeSlot{kind: slotLeaf, leaf: op.leaf}
}

// maxPagePath is the length of the longest path that a page can have: 63 nibbles leave one for its slots.
const maxPagePath = 2*HashSize - 1

func nibble(h Hash, i int) int {
	if i&1 == 0 {
		return int(h[i/2] >> 4)
	}
	return int(h[i/2] & 0x0f)
}

func (p PagePath) child(n int) PagePath { return p + PagePath("0123456789abcdef"[n:n+1]) }

// covers reports whether position h begins with p.
func (p PagePath) covers(h Hash) bool {
	for i := range len(p) {
		if "0123456789abcdef"[nibble(h, i)] != p[i] {
			return false
		}
	}
	return true
}

// readTreePage reads the page at path into p, which is zero, and returns what is stored.
func readTreePage(r VersionReader, path PagePath, p *treePage) ([]byte, error) {
	data, version, err := r.ReadVersion(path)
	if err != nil {
		return nil, fmt.Errorf("reading state tree page %q: %w", string(path), err)
	}
	p.version = version
	return data, decodeTreePage(path, data, p)
}
