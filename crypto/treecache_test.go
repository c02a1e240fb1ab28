package crypto

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// versionedPages keeps the present version of a tree and the versions of its pages.
type versionedPages struct {
	memoryPages
	versions map[PagePath]uint64
	reads    int
}

// ReadVersion implements VersionReader.
func (v *versionedPages) ReadVersion(path PagePath) ([]byte, uint64, error) {
	v.reads++
	return v.memoryPages[path], v.versions[path], nil
}

// TestTreeIsUpdateTree drives a Tree with a small cache beside UpdateTree: same roots, same pages, and each undo record
// makes of a page what it was.
func TestTreeIsUpdateTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := NewTree(rapid.SampledFrom([]int{0, 3000, 1 << 20}).Draw(t, "cache"))
		store := &versionedPages{memoryPages: memoryPages{}, versions: map[PagePath]uint64{}}
		var root Hash
		keys := rapid.SampledFrom([]int{3, 40, 2000}).Draw(t, "keys")
		for version := uint64(1); version < 12; version++ {
			var writes []TreeWrite
			seen := map[int]bool{}
			for range rapid.IntRange(0, 60).Draw(t, "writes") {
				k := rapid.IntRange(0, keys).Draw(t, "key")
				if seen[k] {
					continue
				}
				seen[k] = true
				w := TreeWrite{Key: fmt.Append(nil, k)}
				if rapid.IntRange(0, 2).Draw(t, "delete") > 0 {
					w.Value = fmt.Append(nil, rapid.IntRange(0, 3).Draw(t, "value"))
				}
				writes = append(writes, w)
			}
			wantRoot, wantPages, err := UpdateTree(store, writes)
			if err != nil {
				t.Fatal(err)
			}
			got, pages, err := tree.Update(store, root, version, writes)
			if err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 9).Draw(t, "lost") == 0 {
				continue // the update was not stored: the next one starts from the old root
			}
			checkPages(t, store, version, pages, wantPages)
			if root = got; got != wantRoot || tree.size() > max(tree.limit, NewTree(0).size()) {
				t.Fatalf("root %s, want %s; %d bytes kept, at most %d", got, wantRoot, tree.size(), tree.limit)
			}
		}
	})
}

// checkPages holds what a Tree said of an update against what is stored, and stores it.
func checkPages(t *rapid.T, store *versionedPages, version uint64, pages, want []Page) {
	if len(pages) != len(want) {
		t.Fatalf("%d pages changed, want %d", len(pages), len(want))
	}
	for i, p := range pages {
		before, stood := store.memoryPages[p.Path]
		if p.Path != want[i].Path || !bytes.Equal(p.Data, want[i].Data) || p.New == stood || stood && p.Was != store.versions[p.Path] {
			t.Fatalf("page %q: %x, new %t, was %d; want %x of version %d", p.Path, p.Data, p.New, p.Was, want[i].Data, store.versions[p.Path])
		}
		if (p.Undo != nil) != (stood && p.Data != nil) || (p.Patch == nil) != (p.Undo == nil) {
			t.Fatalf("page %q: stood %t, stands %t, undo %x", p.Path, stood, p.Data != nil, p.Undo)
		}
		if p.Undo != nil {
			if got, err := UndoPage(p.Path, p.Data, p.Undo); err != nil || !bytes.Equal(got, before) {
				t.Fatalf("page %q undone: %x, %v; want %x", p.Path, got, err, before)
			}
			if got, err := JoinPatches(nil, whole(before), p.Patch); err != nil || !bytes.Equal(got, whole(p.Data)) {
				t.Fatalf("page %q patched: %x, %v; want %x", p.Path, got, err, p.Data)
			}
			if got, err := JoinPatches(nil, whole(p.Data), p.Undo); err != nil || !bytes.Equal(got, whole(before)) {
				t.Fatalf("page %q patched back: %x, %v; want %x", p.Path, got, err, before)
			}
		}
		store.versions[p.Path] = version
	}
	store.apply(pages)
}

// TestTreeReadsNothingTwice: what an update left in the cache is not read again.
func TestTreeReadsNothingTwice(t *testing.T) {
	tree := NewTree(1 << 20)
	store := &versionedPages{memoryPages: memoryPages{}, versions: map[PagePath]uint64{}}
	var root Hash
	for version := uint64(1); version <= 3; version++ {
		var writes []TreeWrite
		for i := range 100 {
			writes = append(writes, TreeWrite{fmt.Append(nil, i), fmt.Append(nil, version)})
		}
		next, pages, err := tree.Update(store, root, version, writes)
		if err != nil {
			t.Fatal(err)
		}
		store.apply(pages)
		root = next
	}
	if store.reads != 1 {
		t.Errorf("%d pages were read, only the absent root had to be", store.reads)
	}
}

func TestUndoPageRefuses(t *testing.T) {
	page := freshTree(t, map[string]string{"a": "1", "b": "2", "c": "3"})[""]
	for name, undo := range map[string][]byte{
		"nothing": nil, "short": make([]byte, 5), "slot used and not changed": {0, 1, 0, 2, 0, 0},
		"leaf in an empty slot": {0, 1, 0, 0, 0, 1}, "no content": {0, 1, 0, 1, 0, 0}, "zero subtree": append([]byte{0, 1, 0, 1, 0, 0}, make([]byte, HashSize)...),
		"leaf of another slot": append([]byte{0, 1, 0, 1, 0, 1}, bytes.Repeat([]byte{0xff}, 2*HashSize)...),
	} {
		if _, err := UndoPage("", page, undo); err == nil {
			t.Errorf("%s: was taken", name)
		}
	}
	if _, err := UndoPage("", []byte{1}, make([]byte, 6)); err == nil {
		t.Error("a page that is none was taken")
	}
}

func FuzzUndoPage(f *testing.F) {
	page := freshTree(f, map[string]string{"a": "1", "b": "2", "c": "3"})[""]
	f.Add("", page, []byte{0, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, path string, data, undo []byte) {
		if len(path) > maxPagePath || data == nil {
			return
		}
		before, err := UndoPage(PagePath(path), data, undo)
		if err == nil && before != nil && decodeTreePage(PagePath(path), before, new(treePage)) != nil {
			t.Errorf("undoing %x of page %x gives %x, which is none", undo, data, before)
		}
	})
}

// BenchmarkTree is BenchmarkUpdateTree with the pages of earlier updates kept.
func BenchmarkTree(b *testing.B) {
	store := &versionedPages{memoryPages: memoryPages{}, versions: map[PagePath]uint64{}}
	tree := NewTree(256 << 20)
	var writes []TreeWrite
	for i := range 300_000 {
		writes = append(writes, TreeWrite{fmt.Appendf(nil, "key %d", i), []byte("value")})
	}
	root, pages, err := tree.Update(store, Hash{}, 1, writes)
	if err != nil {
		b.Fatal(err)
	}
	store.apply(pages)
	next := 300_000
	for round := 0; b.Loop(); round++ {
		writes = writes[:0]
		for i := range 5000 {
			writes = append(writes, TreeWrite{fmt.Appendf(nil, "key %d", (i*37+round*5000)%300_000), fmt.Appendf(nil, "value %d", round)},
				TreeWrite{fmt.Appendf(nil, "key %d", next), []byte("value")})
			next++
		}
		if root, pages, err = tree.Update(store, root, 2, writes); err != nil {
			b.Fatal(err)
		}
		store.apply(pages)
	}
	b.ReportMetric(10_000*float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}
