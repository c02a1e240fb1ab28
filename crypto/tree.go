package crypto

import (
	"bytes"
	"fmt"
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

// Page is a page as it must be stored. Data nil means that the page is gone. Nothing of it must be changed; what a [Tree]
// returned is good until its next update, but for the path.
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

// UpdateTree applies one batch of writes with distinct keys to the tree that r reads and returns the new root and the
// pages that changed, sorted by the length of their paths and then by path. Writes that change nothing, deletions of absent
// keys among them, change no page. It is a pure function of the tree and the set of writes. Errors: ErrPage for stored pages
// that are corrupt or of different versions, ErrEncoding for a key written twice, or what r returned. Who updates one tree
// again and again uses a [Tree].
func UpdateTree(r PageReader, writes []TreeWrite) (root Hash, pages []Page, err error) {
	u := treeUpdate{Tree: NewTree(0), reader: unversioned{r}}
	u.arena.shift = onceChunkShift
	root, pages, err = u.run(u.room.treeOps(writes))
	for i := range pages {
		pages[i].Data = bytes.Clone(pages[i].Data) // the caller's, beside nothing else
	}
	return root, pages, err
}

// onceChunkShift is for a tree that is kept for one update.
const onceChunkShift = 3

// unversioned makes a PageReader one whose pages are all of version 0.
type unversioned struct{ PageReader }

// ReadVersion implements VersionReader.
func (u unversioned) ReadVersion(path PagePath) ([]byte, uint64, error) {
	data, err := u.ReadPage(path)
	return data, 0, err
}

// TreeRoot returns the root of the tree that r reads; the zero Hash for an empty tree.
func TreeRoot(r PageReader) (Hash, error) {
	var p treePage
	if _, err := readTreePage(unversioned{r}, "", &p); err != nil {
		return Hash{}, err
	}
	return p.top(), nil
}

// maxPagePath is the length of the longest path that a page can have: 63 nibbles leave one for its slots.
const maxPagePath = 2*HashSize - 1

func nibble(h *Hash, i int) int {
	if i&1 == 0 {
		return int(h[i/2] >> 4)
	}
	return int(h[i/2] & 0x0f)
}

const hexDigits = "0123456789abcdef"

func (p PagePath) child(n int) PagePath { return p + PagePath(hexDigits[n:n+1]) }

// covers reports whether position h begins with p.
func (p PagePath) covers(h Hash) bool {
	for i := range len(p) {
		if hexDigits[nibble(&h, i)] != p[i] {
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
