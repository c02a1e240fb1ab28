package crypto

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// clonePages copies pages with all that they point to.
func clonePages(pages []Page) []Page {
	out := slices.Clone(pages)
	for i := range out {
		p := &out[i]
		p.Data, p.Patch, p.Undo = bytes.Clone(p.Data), bytes.Clone(p.Patch), bytes.Clone(p.Undo)
	}
	return out
}

// samePageLists reports the first difference of two lists of changed pages, "" if there is none. versions says whether Was counts.
func samePageLists(a, b []Page, versions bool) string {
	if len(a) != len(b) {
		return fmt.Sprintf("%d and %d pages", len(a), len(b))
	}
	for i := range a {
		x, y := &a[i], &b[i]
		if x.Path != y.Path || !bytes.Equal(x.Data, y.Data) || (x.Data == nil) != (y.Data == nil) || !bytes.Equal(x.Patch, y.Patch) ||
			!bytes.Equal(x.Undo, y.Undo) || x.New != y.New || versions && x.Was != y.Was {
			return fmt.Sprintf("page %d: %+v and %+v", i, *x, *y)
		}
	}
	return ""
}

// TestTreeTwins drives a tree whose limit changes from update to update, to just what it takes and a byte less too, beside one that
// keeps everything and beside UpdateTree, through batches of all sizes over positions close together and far apart, with reads that
// fail: roots, pages, patches and versions are the same in all three, and what an update returned stays until the next.
func TestTreeTwins(t *testing.T) {
	rounds, seeds := 60, 4
	if testing.Short() {
		rounds, seeds = 40, 1
	}
	for seed := range seeds {
		twins := newTwins(t, uint64(seed))
		for range rounds {
			twins.round()
		}
		if twins.kept < rounds/20 || twins.forgot < rounds/20 || twins.failed == 0 {
			t.Errorf("seed %d: %d updates kept some pages, %d none, %d failed", seed, twins.kept, twins.forgot, twins.failed)
		}
	}
}

type twins struct {
	t                    *testing.T
	random               *rand.Rand
	store                *versionedPages
	small, large         *Tree
	root                 Hash
	version              uint64
	positions            []Hash
	kept, forgot, failed int
}

func newTwins(t *testing.T, seed uint64) *twins {
	w := &twins{
		t: t, random: rand.New(rand.NewPCG(seed, 7)), store: &versionedPages{memoryPages: memoryPages{}, versions: map[PagePath]uint64{}},
		small: NewTree(1 << 20), large: NewTree(1 << 30), positions: closePositions(),
	}
	for i := range 3000 {
		w.positions = append(w.positions, Sum(TagVote, fmt.Append(nil, i)))
	}
	for range 200 { // that share some bytes with others
		h := w.positions[w.random.IntN(len(w.positions))]
		h[w.random.IntN(HashSize)] ^= byte(1 + w.random.IntN(255))
		w.positions = append(w.positions, h)
	}
	return w
}

func (w *twins) ops() []treeOp {
	n := []int{0, 1, 2, 17, 300, len(w.positions)}[w.random.IntN(6)]
	deletes := w.random.IntN(9)
	var ops []treeOp
	for _, i := range w.random.Perm(len(w.positions))[:n] {
		op := treeOp{leaf: TreeLeaf{Key: w.positions[i]}, delete: w.random.IntN(8) < deletes}
		if !op.delete {
			op.leaf.Value = Sum(TagVote, []byte{byte(w.random.IntN(3))})
		}
		ops = append(ops, op)
	}
	slices.SortFunc(ops, func(a, b treeOp) int { return a.compare(&b) })
	return slices.CompactFunc(ops, func(a, b treeOp) bool { return a.leaf.Key == b.leaf.Key })
}

func (w *twins) setLimit() {
	size := w.small.size()
	limits := []int{-1, 0, 1, 2048, 20_000, 100_000, size - 1, size, size + 1, size / 2, size - size/10, 1 << 20, 4 << 20, 64 << 20}
	w.small.limit = limits[w.random.IntN(len(limits))]
}

func (w *twins) round() {
	w.t.Helper()
	ops := w.ops()
	w.version++
	if w.random.IntN(3) == 0 {
		w.fail(ops)
	}
	if w.random.IntN(3) == 0 {
		w.setLimit()
		if w.random.IntN(2) == 0 {
			w.small.shrink()
		}
	}
	small := treeUpdate{Tree: w.small, reader: w.store, version: w.version, base: &w.root}
	large := treeUpdate{Tree: w.large, reader: w.store, version: w.version, base: &w.root}
	once := treeUpdate{Tree: NewTree(0), reader: unversioned{w.store.memoryPages}}
	root, pages, err := small.run(ops)
	root2, pages2, err2 := large.run(ops)
	root3, pages3, err3 := once.run(ops)
	if err != nil || err2 != nil || err3 != nil || root != root2 || root != root3 {
		w.t.Fatal(root, root2, root3, err, err2, err3)
	}
	before := clonePages(pages)
	w.small.shrink()
	w.large.shrink()
	if w.small.limit >= 0 && w.small.size() > w.small.limit {
		w.t.Fatalf("%d bytes are kept, at most %d", w.small.size(), w.small.limit)
	}
	for _, diff := range []string{samePageLists(pages, before, true), samePageLists(pages, pages2, true), samePageLists(pages, pages3, false)} {
		if diff != "" {
			w.t.Fatal(diff)
		}
	}
	for _, p := range pages {
		if was, stood := w.store.versions[p.Path]; p.New == stood || stood && p.Was != was {
			w.t.Fatalf("page %q replaces version %d (new: %t), stored is %d (%t)", p.Path, p.Was, p.New, was, stood)
		}
		if w.store.versions[p.Path] = w.version; p.Data == nil {
			delete(w.store.versions, p.Path)
		}
	}
	w.store.apply(before)
	w.root = root
	w.small.check(w.t, w.store.memoryPages)
	w.large.check(w.t, w.store.memoryPages)
	if w.small.root != 0 {
		w.kept++
	} else {
		w.forgot++
	}
}

// fail has an update fail at some read, if it reads that much; if it does not, it is not stored.
func (w *twins) fail(ops []treeOp) {
	u := &failAt{w.store, 1 + w.random.IntN(20), func([]byte) ([]byte, error) { return nil, io.ErrUnexpectedEOF }}
	run := treeUpdate{Tree: w.small, reader: u, version: w.version, base: &w.root}
	_, _, err := run.run(ops)
	if err == nil && w.random.IntN(2) == 0 {
		w.small.shrink()
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		w.t.Fatal(err)
	}
	if err != nil {
		w.failed++
	}
	if w.small.top() != w.root || err != nil { // as Update does
		w.small.Forget()
	}
}
