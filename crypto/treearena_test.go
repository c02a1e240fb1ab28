package crypto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// check holds the links and counts of an arena against each other, and each page that is kept against what is stored.
func (t *Tree) check(tb testingT, stored memoryPages) {
	tb.Helper()
	a := &t.arena
	live, blocks, free := 0, 0, 0
	owners := make([]int, len(a.classes))
	for n := range a.nodes {
		p := &a.nodes[n]
		if p.class == 0 {
			free++
			continue
		}
		live += pageUnit * int(p.class)
		owners[p.class]++
		if got := a.classes[p.class].owner[p.slot]; got != int32(n) {
			tb.Fatalf("page %d lies in slot %d of class %d, which is page %d's", n, p.slot, p.class, got)
		}
		if (p.parent == 0) != (int32(n) == t.root) || p.parent != 0 && a.kid(p.parent, int(p.nibble)) != int32(n) {
			tb.Fatalf("page %d is not the child of its parent %d", n, p.parent)
		}
		if p.count > 0 {
			blocks++
		}
	}
	if live != a.live {
		tb.Fatalf("%d bytes are in use, %d are counted", live, a.live)
	}
	listed := 0
	for n := a.freeKids; n != 0; n = a.kids[n][0] {
		listed++
	}
	if len(a.kids) > 0 && 1+blocks+listed != len(a.kids) {
		tb.Fatalf("of %d blocks %d are in use and %d free", len(a.kids), blocks, listed)
	}
	for n := a.freeNode; n != 0; n = a.nodes[n].parent {
		free--
	}
	if len(a.nodes) > 0 && free != 1 {
		tb.Fatalf("%d free pages are not listed", free-1)
	}
	for class := range a.classes {
		c := &a.classes[class]
		if owners[class]+len(c.free) != len(c.owner) || len(c.owner) > len(c.chunks)<<a.shift {
			tb.Fatalf("class %d: %d of %d slots in use, %d free, %d chunks", class, owners[class], len(c.owner), len(c.free), len(c.chunks))
		}
	}
	if t.root != 0 {
		t.checkPage(tb, "", t.root, stored)
	}
}

func (t *Tree) checkPage(tb testingT, path PagePath, n int32, stored memoryPages) {
	tb.Helper()
	var p treePage
	if err := decodeTreePage(path, stored[path], &p); err != nil {
		tb.Fatal(err)
	}
	s := packedShape(stored[path])
	want := make([]byte, s.size)
	p.pack(want, stored[path])
	if got := t.arena.bytes(n); !bytes.Equal(got[:s.size], want) {
		tb.Fatalf("page %q is kept as %x, stored is %x", path, got[:s.size], want)
	}
	seen := uint8(0)
	for i := range pageSlots {
		if kid := t.arena.kid(n, i); kid != 0 {
			t.checkPage(tb, path.child(i), kid, stored)
			seen++
		}
	}
	if seen != t.arena.nodes[n].count {
		tb.Fatalf("page %q has %d children, %d are counted", path, seen, t.arena.nodes[n].count)
	}
}

// TestPageShape: what the bitmaps tell of the nodes is what joining them one by one tells.
func TestPageShape(t *testing.T) {
	for used := range 1 << pageSlots {
		for _, leaves := range []int{0, used, used & 0x5555, used & 0x0ff0, used & (used*40503 + 7)} {
			s := shapeOfPage(uint16(used), uint16(leaves))
			var p treePage
			for i := range pageSlots {
				switch {
				case leaves>>i&1 == 1:
					p.kind[pageSlots-1+i] = slotLeaf
				case used>>i&1 == 1:
					p.kind[pageSlots-1+i] = slotSubtree
				}
			}
			for n := pageSlots - 2; n >= 0; n-- {
				if from := p.passes(n); from >= 0 {
					p.kind[n] = p.kind[from]
				} else {
					p.kind[n] = slotSubtree
				}
			}
			for n := range pageNodes {
				if (p.kind[n] != slotEmpty) != (s.some>>n&1 == 1) || (p.kind[n] == slotSubtree) != (s.many>>n&1 == 1) {
					t.Fatalf("bitmaps %04x and %04x: node %d is %d; some %x, many %x", used, leaves, n, p.kind[n], s.some, s.many)
				}
			}
		}
	}
	if s := shapeOfPage(1<<pageSlots-1, 1<<pageSlots-1); s.size != maxPackedPage {
		t.Errorf("a page of leaves takes %d bytes packed", s.size)
	}
}

// naivePages makes the pages of a tree from their definition.
func naivePages(leaves []TreeLeaf, path PagePath, out memoryPages) {
	var p treePage
	for i := range pageSlots {
		var below []TreeLeaf
		for _, l := range leaves {
			if nibble(&l.Key, len(path)) == i {
				below = append(below, l)
			}
		}
		switch {
		case len(below) == 1:
			p.set(i, treeSlot{kind: slotLeaf, leaf: below[0]})
		case len(below) > 1:
			p.set(i, treeSlot{kind: slotSubtree, hash: naiveRoot(below, 4*len(path)+4)})
			naivePages(below, path.child(i), out)
		}
	}
	if data := p.encode(); data != nil {
		out[path] = data
	}
}

// closePositions are a few that share long prefixes, down to the last bit, and some that do not.
func closePositions() []Hash {
	var positions []Hash
	for b := range 3 {
		base := Sum(TagVote, []byte{byte(b)})
		positions = append(positions, base)
		for _, bit := range []int{0, 1, 3, 4, 5, 6, 7, 8, 11, 60, 63, 64, 127, 128, 200, 247, 248, 251, 252, 253, 254, 255} {
			h := base
			h[bit/8] ^= 0x80 >> (bit % 8)
			positions = append(positions, h)
		}
	}
	return positions
}

// TestTreeIsItsDefinition drives trees with limits of all sizes through random updates of positions close to each other,
// which pages appear, grow, shrink and go by, and holds pages and root against the definition.
func TestTreeIsItsDefinition(t *testing.T) {
	positions := closePositions()
	rapid.Check(t, func(t *rapid.T) {
		tree := NewTree(rapid.SampledFrom([]int{0, 20_000, 60_000, 120_000, 1 << 20, 64 << 20}).Draw(t, "limit"))
		store := &versionedPages{memoryPages: memoryPages{}, versions: map[PagePath]uint64{}}
		model, root := map[Hash]Hash{}, Hash{}
		for version := uint64(1); version < 10; version++ {
			ops := drawOps(t, positions, model)
			u := treeUpdate{Tree: tree, reader: store, version: version, base: &root}
			next, pages, err := u.run(ops)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range pages {
				if before, stood := store.memoryPages[p.Path]; p.New == stood || bytes.Equal(p.Data, before) || p.New && p.Patch != nil {
					t.Fatalf("page %q: new %t, patch %x, %x became %x", p.Path, p.New, p.Patch, before, p.Data)
				}
			}
			store.apply(pages)
			tree.shrink()
			if got := tree.size(); got > max(tree.limit, NewTree(0).size()) {
				t.Fatalf("%d bytes are kept, at most %d", got, tree.limit)
			}
			tree.check(t, store.memoryPages)
			var leaves []TreeLeaf
			for k, v := range model {
				leaves = append(leaves, TreeLeaf{k, v})
			}
			want := memoryPages{}
			naivePages(leaves, "", want)
			if !samePages(store.memoryPages, want) || next != naiveRoot(leaves, 0) {
				t.Fatalf("the tree of %d leaves has %d pages, it should have %d", len(leaves), len(store.memoryPages), len(want))
			}
			if root = next; rapid.IntRange(0, 5).Draw(t, "forget") == 0 {
				tree.Forget()
			}
		}
	})
}

// drawOps draws writes, sorted, and does them to a model.
func drawOps(t *rapid.T, positions []Hash, model map[Hash]Hash) []treeOp {
	var ops []treeOp
	deletes := rapid.IntRange(0, 4).Draw(t, "deletes")
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(positions)-1), 0, 40, rapid.ID[int]).Draw(t, "at") {
		op := treeOp{leaf: TreeLeaf{Key: positions[i]}, delete: rapid.IntRange(0, 3).Draw(t, "delete") < deletes}
		if op.delete {
			delete(model, op.leaf.Key)
		} else {
			op.leaf.Value = Sum(TagVote, []byte{byte(rapid.IntRange(0, 3).Draw(t, "value"))})
			model[op.leaf.Key] = op.leaf.Value
		}
		ops = append(ops, op)
	}
	slices.SortFunc(ops, func(a, b treeOp) int { return a.compare(&b) })
	return ops
}

// TestTreeKeepsItsLimit: with a limit that holds some of the pages, an update drops those that were not used for longest, moves
// the others together, and reads again what it dropped and nothing else; and memory that is counted is memory that is used.
func TestTreeKeepsItsLimit(t *testing.T) {
	limits := []int{300 << 10, 2 << 20, 40 << 20}
	if testing.Short() {
		limits = limits[:2]
	}
	for _, limit := range limits {
		leaves := limit / 100 // too many
		store := &versionedPages{memoryPages: memoryPages{}, versions: map[PagePath]uint64{}}
		tree, root := NewTree(limit), Hash{}
		random := rand.New(rand.NewPCG(1, 2))
		update := func(writes []TreeWrite) {
			next, pages, err := tree.Update(store, root, 1, writes)
			if err != nil {
				t.Fatal(err)
			}
			store.apply(pages)
			root = next
			if got := tree.size(); got > limit {
				t.Fatalf("limit %d: %d bytes are kept", limit, got)
			}
		}
		for from := 0; from < leaves; from += leaves / 40 {
			var writes []TreeWrite
			for i := range leaves / 40 {
				writes = append(writes, TreeWrite{fmt.Appendf(nil, "key %d", from+i), []byte("value")})
			}
			update(writes)
		}
		full := 0
		for range 20 {
			var writes []TreeWrite
			for _, k := range random.Perm(leaves)[:leaves/100] {
				writes = append(writes, TreeWrite{fmt.Appendf(nil, "key %d", k), fmt.Append(nil, random.IntN(3))})
			}
			update(writes)
			full = max(full, tree.size())
			before := store.reads
			update(writes[:len(writes)/2])
			if store.reads != before {
				t.Fatalf("limit %d: %d pages that were just used are read again", limit, store.reads-before)
			}
		}
		tree.check(t, store.memoryPages)
		if full < limit/2 || tree.arena.live < limit/4 {
			t.Errorf("limit %d: never more than %d bytes are used, now %d for pages", limit, full, tree.arena.live)
		}
		if dropped := len(store.memoryPages) > len(tree.arena.nodes); !dropped {
			t.Errorf("limit %d: nothing had to be dropped", limit)
		}
	}
}

// TestTreeAtItsLimit: a tree of exactly its limit keeps everything, one of a byte more does not.
func TestTreeAtItsLimit(t *testing.T) {
	for over := range 2 {
		store := &versionedPages{memoryPages: memoryPages{}, versions: map[PagePath]uint64{}}
		tree, root := NewTree(1<<20), Hash{}
		for version := range uint64(3) {
			var writes []TreeWrite
			for i := range 1000 {
				writes = append(writes, TreeWrite{fmt.Append(nil, version, i), []byte("value")})
			}
			next, pages, err := tree.Update(store, root, version, writes)
			if err != nil {
				t.Fatal(err)
			}
			store.apply(pages)
			root = next
		}
		size := tree.size()
		tree.limit = size - over
		if tree.shrink(); (tree.size() < size) != (over > 0) || tree.arena.live == 0 || tree.size() > tree.limit {
			t.Errorf("%d bytes over the limit: %d bytes in all, then %d, %d of them for pages", over, size, tree.size(), tree.arena.live)
		}
		tree.check(t, store.memoryPages)
	}
}

// TestTreeKeepsTheLastUpdate: when what two updates used is too much, what the later one used stays.
func TestTreeKeepsTheLastUpdate(t *testing.T) {
	store := &versionedPages{memoryPages: memoryPages{}, versions: map[PagePath]uint64{}}
	tree, root := NewTree(1<<20), Hash{} // which puts few pages into a chunk
	tree.limit = 1 << 30
	kept := 0
	for version, count := range []int{8000, 300} {
		var writes []TreeWrite
		for i := range count {
			writes = append(writes, TreeWrite{fmt.Append(nil, version, i), []byte("value")})
		}
		next, pages, err := tree.Update(store, root, 1, writes)
		if err != nil {
			t.Fatal(err)
		}
		store.apply(pages)
		root, kept = next, tree.arena.live
	}
	tree.limit = tree.arena.size() / 2
	if tree.shrink(); tree.arena.live == 0 || tree.arena.live == kept || tree.size() > tree.limit {
		t.Errorf("%d bytes of pages, then %d; %d bytes in all, at most %d", kept, tree.arena.live, tree.size(), tree.limit)
	}
	tree.check(t, store.memoryPages)
}

// TestTreeOfTooManyLevels: pages below the last level are refused, whatever the store says.
func TestTreeOfTooManyLevels(t *testing.T) {
	key := []byte("key")
	at := TreeKey(key)
	store := memoryPages{}
	var p treePage
	for i := range pageSlots {
		p.set(i, treeSlot{kind: slotSubtree, hash: Sum(TagVote)})
	}
	path := []byte(at.String())
	for depth := len(path); depth >= 0; depth-- {
		p.rehash(1<<pageSlots - 1)
		store[PagePath(path[:depth])] = p.encode()
		top := p.top()
		if p = (treePage{}); depth > 0 {
			p.set(nibble(&at, depth-1), treeSlot{kind: slotSubtree, hash: top})
		}
	}
	for _, value := range [][]byte{nil, []byte("value")} {
		if _, _, err := UpdateTree(store, []TreeWrite{{key, value}}); !errors.Is(err, ErrPage) {
			t.Errorf("writing %q: %v", value, err)
		}
	}
}

// TestTreeSizeIsTrue: what a tree says it takes is what the heap grew by.
func TestTreeSizeIsTrue(t *testing.T) {
	for _, limit := range []int{1 << 20, 64 << 20} { // pages one by one, and many to a chunk
		var before, after runtime.MemStats
		writes := make([]TreeWrite, limit/600)
		for i := range writes {
			writes[i] = TreeWrite{fmt.Appendf(nil, "key %d", i), []byte("value")}
		}
		runtime.GC()
		runtime.ReadMemStats(&before)
		tree, root := NewTree(limit), Hash{}
		for len(writes) > 0 {
			n := min(len(writes), 1000)
			next, _, err := tree.Update(nothingStored{}, root, 1, writes[:n])
			if err != nil {
				t.Fatal(err)
			}
			root, writes = next, writes[n:]
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		used := int(after.HeapAlloc) - int(before.HeapAlloc)
		if said := tree.size(); said < used-64<<10 || said > used+used/5+256<<10 || said < limit/8 {
			t.Errorf("limit %d: a tree says that it takes %d bytes, the heap grew by %d", limit, said, used)
		}
		runtime.KeepAlive(tree)
		runtime.KeepAlive(writes)
	}
}

// failAt is a store that fails at the n-th read, or gives it a page that is wrong.
type failAt struct {
	*versionedPages
	n    int
	with func([]byte) ([]byte, error)
}

// ReadVersion implements VersionReader.
func (f *failAt) ReadVersion(path PagePath) ([]byte, uint64, error) {
	data, version, _ := f.versionedPages.ReadVersion(path)
	if f.n--; f.n == 0 {
		data, err := f.with(data)
		return data, version, err
	}
	return data, version, nil
}

// TestTreeAfterErrors: an update that fails at any of its reads, because the store fails or a page is wrong, leaves a tree
// that does the same update right.
func TestTreeAfterErrors(t *testing.T) {
	store := &versionedPages{memoryPages: memoryPages{}, versions: map[PagePath]uint64{}}
	var writes []TreeWrite
	for i := range 300 {
		writes = append(writes, TreeWrite{fmt.Append(nil, i), []byte("value")})
	}
	root, pages, err := NewTree(1<<20).Update(store, Hash{}, 1, writes)
	if err != nil {
		t.Fatal(err)
	}
	store.apply(pages)
	for i := range writes {
		if writes[i].Value = []byte("other"); i%3 == 0 {
			writes[i].Value = nil
		}
	}
	want, _, err := UpdateTree(store, writes)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		with func([]byte) ([]byte, error)
		kind error
	}{
		"failure": {func([]byte) ([]byte, error) { return nil, io.ErrUnexpectedEOF }, io.ErrUnexpectedEOF},
		"missing": {func([]byte) ([]byte, error) { return nil, nil }, ErrPage},
		"cut":     {func(b []byte) ([]byte, error) { return b[:len(b)-1], nil }, ErrPage},
		"flipped": {func(b []byte) ([]byte, error) { b = bytes.Clone(b); b[len(b)-1] ^= 1; return b, nil }, ErrPage},
	} {
		failed := 0
		tree := NewTree(1 << 20)
		for n := 1; ; n++ {
			if n%2 == 0 { // some of the pages are kept
				if _, _, err := tree.Update(store, root, 2, []TreeWrite{{writes[n].Key, []byte("value")}}); err != nil {
					t.Fatal(err)
				}
			}
			_, pages, err := tree.Update(&failAt{store, n, c.with}, root, 2, writes)
			if err == nil {
				break
			}
			if failed++; !errors.Is(err, c.kind) || pages != nil {
				t.Fatalf("%s at read %d: %v, %d pages", name, n, err, len(pages))
			}
			if got, _, err := tree.Update(store, root, 2, writes); err != nil || got != want {
				t.Fatalf("%s at read %d: then %s, %v", name, n, got, err)
			}
			tree.Forget() // that was not stored
		}
		if failed < 50 {
			t.Errorf("%s: only %d reads failed", name, failed)
		}
	}
}

// TestTreeOfAnotherRoot: a tree does not start from a root that the store does not have.
func TestTreeOfAnotherRoot(t *testing.T) {
	store := &versionedPages{memoryPages: freshTree(t, map[string]string{"a": "1", "b": "2"}), versions: map[PagePath]uint64{}}
	for name, root := range map[string]Hash{"none": {}, "another": Sum(TagVote)} {
		if _, _, err := NewTree(1<<20).Update(store, root, 1, nil); !errors.Is(err, ErrPage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := NewTree(1<<20).Update(nothingStored{}, Sum(TagVote), 1, nil); !errors.Is(err, ErrPage) {
		t.Errorf("root of an empty store: %v", err)
	}
}

// TestTreeOpsAreSorted: positions that agree in four bytes too.
func TestTreeOpsAreSorted(t *testing.T) {
	var writes []TreeWrite
	for i := range 200_000 { // some of which share four bytes
		writes = append(writes, TreeWrite{Key: fmt.Append(nil, i), Value: []byte{byte(i)}})
	}
	ops := new(opsRoom).treeOps(writes)
	shared := 0
	for i := 1; i < len(ops); i++ {
		if ops[i-1].compare(&ops[i]) >= 0 {
			t.Fatalf("%s before %s", ops[i-1].leaf.Key, ops[i].leaf.Key)
		}
		if bytes.Equal(ops[i-1].leaf.Key[:4], ops[i].leaf.Key[:4]) {
			shared++
		}
	}
	if shared == 0 {
		t.Error("no two share four bytes")
	}
}

// encode is the plain form of what pages are stored as: it writes the bitmap of slots that are not empty, the bitmap of those that are leaves (16 bits each, slot 0 is
// the lowest bit), then the slots in order: 64 bytes of a leaf or 32 of a hash. The page that does not exist is nil.
func (p *treePage) encode() []byte {
	var used, leaves uint16
	size := pageHead
	for i := range pageSlots {
		switch p.kind[pageSlots-1+i] {
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
	for i := range pageSlots {
		b = p.appendSlot(b, i)
	}
	return b
}

// appendSlot writes what slot i holds: 64 bytes of a leaf, 32 of a hash, nothing if it is empty.
func (p *treePage) appendSlot(b []byte, i int) []byte {
	switch n := pageSlots - 1 + i; p.kind[n] {
	case slotLeaf:
		b = append(b, p.leaf[i].Key[:]...)
		b = append(b, p.leaf[i].Value[:]...)
	case slotSubtree:
		b = append(b, p.hash[n][:]...)
	}
	return b
}
