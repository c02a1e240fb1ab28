package crypto

import (
	"bytes"
	"fmt"
	"slices"
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

// Page is a page as it must be stored. Data nil means that the page is gone. Data must not be changed.
type Page struct {
	Path PagePath
	Data []byte
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

func (l TreeLeaf) hash() Hash { return Sum(TagStateLeaf, l.Key[:], l.Value[:]) }

// TreeKey returns the position of a key in the state tree.
func TreeKey(key []byte) Hash { return Sum(TagStateKey, key) }

func treeNode(left, right Hash) Hash { return Sum(TagStateNode, left[:], right[:]) }

// treeOp is a TreeWrite with its hashes; delete true ignores leaf.Value.
type treeOp struct {
	leaf   TreeLeaf
	delete bool
}

// UpdateTree applies one batch of writes with distinct keys to the tree that r reads and returns the new root and the
// pages that changed, sorted by path. Writes that change nothing, deletions of absent keys among them, change no page.
// It is a pure function of the tree and the set of writes. Errors: ErrPage for stored pages that are corrupt or of
// different versions, ErrEncoding for a key written twice, or what r returned.
func UpdateTree(r PageReader, writes []TreeWrite) (root Hash, pages []Page, err error) {
	ops := make([]treeOp, len(writes))
	for i, w := range writes {
		ops[i] = treeOp{leaf: TreeLeaf{Key: TreeKey(w.Key)}, delete: w.Value == nil}
		if w.Value != nil {
			ops[i].leaf.Value = Sum(TagStateValue, w.Value)
		}
	}
	return applyTreeOps(r, ops)
}

// applyTreeOps is UpdateTree by position; it sorts ops.
func applyTreeOps(r PageReader, ops []treeOp) (root Hash, pages []Page, err error) {
	slices.SortFunc(ops, func(a, b treeOp) int { return bytes.Compare(a.leaf.Key[:], b.leaf.Key[:]) })
	for i := 1; i < len(ops); i++ {
		if ops[i].leaf.Key == ops[i-1].leaf.Key {
			return Hash{}, nil, refuse(ErrEncoding, "one key is written twice in a batch (position %s)", ops[i].leaf.Key)
		}
	}
	u := treeUpdate{reader: r}
	old, err := readTreePage(r, "")
	if err != nil {
		return Hash{}, nil, err
	}
	next := old
	if err := u.page("", &next, ops); err != nil {
		return Hash{}, nil, err
	}
	u.emit("", &old, &next)
	slices.SortFunc(u.changed, func(a, b Page) int { return bytes.Compare([]byte(a.Path), []byte(b.Path)) })
	return next.hash(), u.changed, nil
}

// TreeRoot returns the root of the tree that r reads; the zero Hash for an empty tree.
func TreeRoot(r PageReader) (Hash, error) {
	p, err := readTreePage(r, "")
	if err != nil {
		return Hash{}, err
	}
	return p.hash(), nil
}

type treeUpdate struct {
	reader  PageReader
	changed []Page
}

// page applies ops, all of which lie below path, to the slots of p.
func (u *treeUpdate) page(path PagePath, p *treePage, ops []treeOp) error {
	for len(ops) > 0 {
		n := nibble(ops[0].leaf.Key, len(path))
		end := 1
		for end < len(ops) && nibble(ops[end].leaf.Key, len(path)) == n {
			end++
		}
		if err := u.slot(path.child(n), &p[n], ops[:end]); err != nil {
			return err
		}
		ops = ops[end:]
	}
	return nil
}

// slot applies ops to the slot whose subtree, if it has a page, has it at path.
func (u *treeUpdate) slot(path PagePath, s *treeSlot, ops []treeOp) error {
	var old treePage
	switch s.kind {
	case slotSubtree:
		var err error
		if old, err = readTreePage(u.reader, path); err != nil {
			return err
		}
		if old.hash() != s.hash {
			return refuse(ErrPage, "page %q does not hash to what its parent says", path)
		}
	case slotLeaf:
		if len(ops) == 1 && ops[0].leaf.Key == s.leaf.Key {
			*s = ops[0].slot()
			return nil
		}
	case slotEmpty:
		if len(ops) == 1 {
			*s = ops[0].slot()
			return nil
		}
	}
	if len(path) > maxPagePath {
		return refuse(ErrPage, "two keys share the position %s", ops[0].leaf.Key)
	}
	next := old
	if s.kind == slotLeaf {
		next[nibble(s.leaf.Key, len(path))] = *s
	}
	if err := u.page(path, &next, ops); err != nil {
		return err
	}
	*s = next.asSlot()
	if s.kind != slotSubtree {
		next = treePage{}
	}
	u.emit(path, &old, &next)
	return nil
}

func (op treeOp) slot() treeSlot {
	if op.delete {
		return treeSlot{}
	}
	return treeSlot{kind: slotLeaf, leaf: op.leaf}
}

func (u *treeUpdate) emit(path PagePath, old, next *treePage) {
	if *old != *next {
		u.changed = append(u.changed, Page{Path: path, Data: next.encode()})
	}
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

func readTreePage(r PageReader, path PagePath) (treePage, error) {
	data, err := r.ReadPage(path)
	if err != nil {
		return treePage{}, fmt.Errorf("reading state tree page %q: %w", string(path), err)
	}
	return decodeTreePage(path, data)
}
