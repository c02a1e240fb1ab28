package crypto

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// memoryPages keeps one version of a tree, as a store would.
type memoryPages map[PagePath][]byte

func (m memoryPages) ReadPage(p PagePath) ([]byte, error) { return m[p], nil }

func (m memoryPages) apply(pages []Page) {
	for _, p := range pages {
		if p.Data == nil {
			delete(m, p.Path)
		} else {
			m[p.Path] = bytes.Clone(p.Data)
		}
	}
}

type failingPages struct{}

func (failingPages) ReadPage(PagePath) ([]byte, error) { return nil, io.ErrUnexpectedEOF }

type testingT interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func (m memoryPages) mustUpdate(t testingT, writes []TreeWrite) Hash {
	t.Helper()
	root, pages, err := UpdateTree(m, writes)
	if err != nil {
		t.Fatal(err)
	}
	m.apply(pages)
	return root
}

// naiveRoot computes the root from the definition, with neither pages nor slots: it splits a sorted list bit by bit.
func naiveRoot(leaves []TreeLeaf, depth int) Hash {
	switch len(leaves) {
	case 0:
		return Hash{}
	case 1:
		return Sum("waybill/state/leaf/1", leaves[0].Key[:], leaves[0].Value[:])
	}
	var left, right []TreeLeaf
	for _, l := range leaves {
		if l.Key[depth/8]&(0x80>>(depth%8)) == 0 {
			left = append(left, l)
		} else {
			right = append(right, l)
		}
	}
	a, b := naiveRoot(left, depth+1), naiveRoot(right, depth+1)
	return Sum("waybill/state/node/1", a[:], b[:])
}

func naiveRootOf(model map[string]string) Hash {
	var leaves []TreeLeaf
	for k, v := range model {
		leaves = append(leaves, TreeLeaf{Sum("waybill/state/key/1", []byte(k)), Sum("waybill/state/value/1", []byte(v))})
	}
	return naiveRoot(leaves, 0)
}

func freshTree(t testingT, model map[string]string) memoryPages {
	var writes []TreeWrite
	for k, v := range model {
		writes = append(writes, TreeWrite{[]byte(k), []byte(v)})
	}
	m := memoryPages{}
	m.mustUpdate(t, writes)
	return m
}

func samePages(a, b memoryPages) bool { return maps.EqualFunc(a, b, bytes.Equal) }

// TestTreeAgainstModel drives a tree with random batches. After each, root and pages are those of a tree built at once
// from a map, and every key, present or absent, has a proof.
func TestTreeAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree, model := memoryPages{}, map[string]string{}
		keys := rapid.IntRange(1, 300).Draw(t, "keys")
		for range rapid.IntRange(1, 8).Draw(t, "batches") {
			var writes []TreeWrite
			batch := rapid.SliceOfNDistinct(rapid.IntRange(0, keys-1), 0, 60, rapid.ID[int]).Draw(t, "batch")
			for _, k := range batch {
				key := fmt.Sprint(k)
				if rapid.IntRange(0, 2).Draw(t, "delete?") == 0 {
					delete(model, key)
					writes = append(writes, TreeWrite{Key: []byte(key)})
				} else {
					model[key] = fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "value"))
					writes = append(writes, TreeWrite{[]byte(key), []byte(model[key])})
				}
			}
			root := tree.mustUpdate(t, writes)
			if want := naiveRootOf(model); root != want {
				t.Fatalf("root %s, naive %s", root, want)
			}
			if again, err := TreeRoot(tree); err != nil || again != root {
				t.Fatalf("TreeRoot gave %s, %v", again, err)
			}
			if !samePages(tree, freshTree(t, model)) {
				t.Fatal("the pages depend on history")
			}
			for k := range keys {
				checkProof(t, tree, root, model, fmt.Sprint(k))
			}
		}
	})
}

func checkProof(t testingT, tree memoryPages, root Hash, model map[string]string, key string) {
	t.Helper()
	p, err := ProveTree(tree, []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	value, present := model[key]
	if err := VerifyTree(root, []byte(key), []byte(value+"x"), p); err == nil {
		t.Fatalf("a proof holds for another value of %q", key)
	}
	if present {
		if err := VerifyTree(root, []byte(key), []byte(value), p); err != nil {
			t.Fatalf("membership of %q: %v", key, err)
		}
		if VerifyTree(root, []byte(key), nil, p) == nil {
			t.Fatalf("absence of %q, which is present", key)
		}
	} else {
		if err := VerifyTree(root, []byte(key), nil, p); err != nil {
			t.Fatalf("absence of %q: %v", key, err)
		}
		if VerifyTree(root, []byte(key), []byte{}, p) == nil {
			t.Fatalf("membership of %q, which is absent", key)
		}
	}
	data, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var back TreeProof
	if err := back.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	if again, err := back.MarshalBinary(); err != nil || !bytes.Equal(again, data) {
		t.Fatalf("the proof of %q does not survive its encoding: %v", key, err)
	}
}

// TestTreeOfCloseKeys puts leaves at positions that share long prefixes, which hashed keys never do, down to the last
// bit; single additions and deletions in random order.
func TestTreeOfCloseKeys(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	base := Sum(TagVote)
	positions := []Hash{base}
	for _, bitIndex := range []int{0, 3, 4, 5, 7, 8, 60, 63, 64, 127, 200, 251, 252, 253, 254, 255} {
		h := base
		h[bitIndex/8] ^= 0x80 >> (bitIndex % 8)
		positions = append(positions, h)
	}
	tree, model := memoryPages{}, map[Hash]Hash{}
	for range 2000 {
		at := positions[random.IntN(len(positions))]
		op := treeOp{leaf: TreeLeaf{Key: at}, delete: random.IntN(2) == 0}
		if op.delete {
			delete(model, at)
		} else {
			op.leaf.Value = Sum(TagVote, []byte{byte(random.IntN(3))})
			model[at] = op.leaf.Value
		}
		root, pages, err := (&treeUpdate{Tree: NewTree(0), reader: unversioned{tree}}).run([]treeOp{op})
		if err != nil {
			t.Fatal(err)
		}
		tree.apply(pages)
		var leaves []TreeLeaf
		for k, v := range model {
			leaves = append(leaves, TreeLeaf{k, v})
		}
		if want := naiveRoot(leaves, 0); root != want {
			t.Fatalf("root %s, naive %s of %d leaves", root, want, len(leaves))
		}
		if len(model) == 0 && len(tree) != 0 {
			t.Fatalf("an empty tree keeps %d pages", len(tree))
		}
	}
}

func TestTreeWritesThatChangeNothing(t *testing.T) {
	tree := freshTree(t, map[string]string{"a": "1", "b": "2", "c": "3"})
	before, _ := TreeRoot(tree)
	for name, writes := range map[string][]TreeWrite{
		"none":               nil,
		"the same value":     {{[]byte("a"), []byte("1")}},
		"deletion of absent": {{Key: []byte("x")}, {Key: []byte("y")}},
	} {
		root, pages, err := UpdateTree(tree, writes)
		if err != nil || root != before || len(pages) != 0 {
			t.Errorf("%s: root %s, %d pages, %v", name, root, len(pages), err)
		}
	}
	if root, pages, err := UpdateTree(memoryPages{}, []TreeWrite{{Key: []byte("x")}}); err != nil || !root.IsZero() || len(pages) != 0 {
		t.Errorf("deletion in an empty tree: %s, %d pages, %v", root, len(pages), err)
	}
}

func TestTreeEmptyValueIsAValue(t *testing.T) {
	tree := memoryPages{}
	root := tree.mustUpdate(t, []TreeWrite{{[]byte("a"), []byte{}}})
	p, err := ProveTree(tree, []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyTree(root, []byte("a"), []byte{}, p); err != nil {
		t.Error(err)
	}
	if VerifyTree(root, []byte("a"), nil, p) == nil {
		t.Error("the empty value is taken for absence")
	}
}

func TestTreeRefusesTwoWritesOfOneKey(t *testing.T) {
	_, _, err := UpdateTree(memoryPages{}, []TreeWrite{{[]byte("a"), []byte("1")}, {Key: []byte("a")}})
	if !errors.Is(err, ErrEncoding) {
		t.Errorf("got %v, want ErrEncoding", err)
	}
}

func TestTreeReadErrorsSurface(t *testing.T) {
	if _, _, err := UpdateTree(failingPages{}, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("update: %v", err)
	}
	if _, err := ProveTree(failingPages{}, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("prove: %v", err)
	}
	if _, err := TreeRoot(failingPages{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("root: %v", err)
	}
}

// TestTreePagesOfMixedVersions: a child page that is older than its parent, missing, or flipped is found, by updates
// and proofs alike.
func TestTreePagesOfMixedVersions(t *testing.T) {
	model := map[string]string{}
	for i := range 400 {
		model[fmt.Sprint(i)] = "old"
	}
	old := freshTree(t, model)
	tree := maps.Clone(old)
	tree.mustUpdate(t, []TreeWrite{{[]byte("7"), []byte("new")}})
	var path PagePath
	for p := range tree { // the deepest page that the write changed
		if !bytes.Equal(tree[p], old[p]) && len(p) > len(path) {
			path = p
		}
	}
	if path == "" {
		t.Fatal("the write changed no page below the root")
	}
	flipped := slices.Clone(tree[path])
	flipped[len(flipped)-1] ^= 1
	for name, data := range map[string][]byte{"older": old[path], "missing": nil, "flipped": flipped, "cut": tree[path][:7], "empty": {}} {
		bad := maps.Clone(tree)
		bad[path] = data
		if _, _, err := UpdateTree(bad, []TreeWrite{{[]byte("7"), []byte("newer")}}); !errors.Is(err, ErrPage) {
			t.Errorf("%s page, update: %v, want ErrPage", name, err)
		}
		if _, err := ProveTree(bad, []byte("7")); !errors.Is(err, ErrPage) {
			t.Errorf("%s page, proof: %v, want ErrPage", name, err)
		}
	}
}

// TestTreeProofMutations: nothing but the one honest proof holds, for the key proven or for another.
func TestTreeProofMutations(t *testing.T) {
	model := map[string]string{}
	for i := range 200 {
		model[fmt.Sprint(i)] = fmt.Sprint(i * i)
	}
	tree := freshTree(t, model)
	root, _ := TreeRoot(tree)
	rapid.Check(t, func(t *rapid.T) {
		key := fmt.Sprint(rapid.IntRange(0, 400).Draw(t, "key"))
		p, err := ProveTree(tree, []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		var value []byte
		if v, ok := model[key]; ok {
			value = []byte(v)
		}
		honest, _ := p.MarshalBinary()
		at := rapid.IntRange(0, len(p.Siblings)-1).Draw(t, "at")
		switch rapid.IntRange(0, 8).Draw(t, "change") {
		case 0:
			p.Siblings[at][rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		case 1:
			p.Siblings = slices.Insert(p.Siblings, at, Sum(TagVote))
		case 2:
			p.Siblings = slices.Insert(p.Siblings, at, Hash{})
		case 3:
			p.Siblings = append(p.Siblings, Hash{})
		case 4:
			p.Siblings = slices.Delete(p.Siblings, at, at+1)
		case 5:
			if p.Other != nil {
				p.Other = nil
			} else {
				p.Other = &TreeLeaf{TreeKey([]byte("1")), Sum(TagStateValue, []byte("1"))}
			}
		case 6:
			if p.Other == nil {
				return
			}
			p.Other.Value[0] ^= 1
		case 7:
			other := fmt.Sprint(rapid.IntRange(0, 400).Draw(t, "other"))
			if other == key {
				return
			}
			if err := VerifyTree(root, []byte(other), value, p); err == nil && value != nil {
				t.Fatalf("the proof of %q holds for %q", key, other)
			}
			return
		case 8:
			p.Siblings = slices.Concat(p.Siblings, make([]Hash, 300))
		}
		if VerifyTree(root, []byte(key), value, p) == nil {
			again, _ := p.MarshalBinary()
			t.Fatalf("a changed proof of %q holds\nhonest %x\nchanged %x", key, honest, again)
		}
	})
}

// TestTreeOwnLeafIsNoAbsence: the leaf of a present key, shown as "another" leaf, does not prove the key absent.
func TestTreeOwnLeafIsNoAbsence(t *testing.T) {
	tree := freshTree(t, map[string]string{"a": "1", "b": "2", "c": "3"})
	root, _ := TreeRoot(tree)
	p, err := ProveTree(tree, []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	p.Other = &TreeLeaf{TreeKey([]byte("a")), Sum(TagStateValue, []byte("1"))}
	if err := VerifyTree(root, []byte("a"), nil, p); !errors.Is(err, ErrProof) {
		t.Errorf("got %v", err)
	}
}

func TestTreeProofForm(t *testing.T) {
	for name, p := range map[string]TreeProof{
		"last sibling empty": {Siblings: []Hash{Sum(TagVote), {}}},
		"too deep":           {Siblings: slices.Repeat([]Hash{Sum(TagVote)}, 257)},
	} {
		if _, err := p.MarshalBinary(); !errors.Is(err, ErrProof) {
			t.Errorf("%s: encoding gave %v", name, err)
		}
		if err := VerifyTree(Hash{}, nil, nil, p); !errors.Is(err, ErrProof) {
			t.Errorf("%s: verifying gave %v", name, err)
		}
	}
	some := Sum(TagVote).String()
	for name, data := range map[string]string{
		"empty": "", "cut depth": "00", "no bitmap": "0001", "last sibling empty": "000100", "bit beyond": "000103" + some,
		"sibling missing": "000101", "sibling cut": "000101" + some[2:], "zero sibling": "000101" + Hash{}.String(),
		"half a leaf": "0000" + some, "a byte more": "0000" + some + some + "00", "too deep": "0101" + some,
	} {
		if err := new(TreeProof).UnmarshalBinary(mustHex(t, data)); !errors.Is(err, ErrProof) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestTreePageForm: a page has one form, and holds only what belongs to its place.
func TestTreePageForm(t *testing.T) {
	var at Hash
	at[0], at[31] = 0x3a, 1
	leaf := at.String() + Sum(TagVote).String()
	sibling := at
	sibling[1] = 0x10
	other := sibling.String() + Sum(TagVote).String()
	sub := Sum(TagHeader).String()
	for name, c := range map[string]struct {
		path PagePath
		data string
		ok   bool
	}{
		"leaf in the root":      {"", "00080008" + leaf, true},
		"subtree and leaf":      {"3", "04020400" + sub + leaf, true},
		"two leaves":            {"3a", "00030003" + leaf + other, true},
		"two leaves swapped":    {"3a", "00030003" + other + leaf, false},
		"single leaf below":     {"3a", "00010001" + leaf, false},
		"single subtree":        {"3a", "00010000" + sub, true},
		"leaf of another page":  {"3b", "00030003" + leaf + other, false},
		"leaf in another slot":  {"", "00100010" + leaf, false},
		"leaf bit without slot": {"", "00080018" + leaf + "4" + sub[1:], false},
		"zero subtree":          {"", "00010000" + Hash{}.String(), false},
		"nothing":               {"", "00000000", false},
		"empty":                 {"", "", false},
		"cut":                   {"", "00080008" + leaf[2:], false},
		"long":                  {"", "00080008" + leaf + "00", false},
	} {
		err := decodeTreePage(c.path, mustHex(t, c.data), new(treePage))
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrPage) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestTreeNodeIsNotALeaf: an inner node's children cannot be passed off as key and value of a leaf.
func TestTreeNodeIsNotALeaf(t *testing.T) {
	a, b := Sum(TagVote, []byte("a")), Sum(TagVote, []byte("b"))
	if (&TreeLeaf{a, b}).hash() == treeNode(&a, &b) {
		t.Error("leaf and node hash alike")
	}
}

func TestTreeVectors(t *testing.T) {
	type proven struct {
		Key   string
		Proof string
	}
	type vector struct {
		Keys   int
		Root   Hash
		Pages  map[PagePath]string
		Proofs []proven
	}
	var vectors []vector
	for _, n := range []int{0, 1, 2, 3, 17, 60} {
		model := map[string]string{}
		for i := range n {
			model[fmt.Sprint("key ", i)] = fmt.Sprint("value ", i)
		}
		tree := freshTree(t, model)
		root, _ := TreeRoot(tree)
		v := vector{Keys: n, Root: root, Pages: map[PagePath]string{}}
		for path, data := range tree {
			v.Pages[path] = fmt.Sprintf("%x", data)
		}
		for i := range 6 {
			key := fmt.Sprint("key ", i*7)
			p, err := ProveTree(tree, []byte(key))
			if err != nil {
				t.Fatal(err)
			}
			data, err := p.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			v.Proofs = append(v.Proofs, proven{key, fmt.Sprintf("%x", data)})
		}
		vectors = append(vectors, v)
	}
	golden(t, "tree", vectors)
}

func FuzzTreeProof(f *testing.F) {
	model := map[string]string{}
	for i := range 50 {
		model[fmt.Sprint(i)] = "v"
	}
	tree := freshTree(f, model)
	root, _ := TreeRoot(tree)
	for i := range 60 {
		p, _ := ProveTree(tree, []byte(fmt.Sprint(i)))
		data, _ := p.MarshalBinary()
		f.Add(data)
	}
	f.Add([]byte{0xff, 0xff, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var p TreeProof
		if p.UnmarshalBinary(data) != nil {
			return
		}
		if again, err := p.MarshalBinary(); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%x decodes to what encodes as %x, %v", data, again, err)
		}
		if VerifyTree(root, []byte("7"), nil, p) == nil || VerifyTree(root, []byte("77"), []byte("v"), p) == nil {
			t.Fatalf("forged: %x", data)
		}
	})
}

func FuzzTreePage(f *testing.F) {
	model := map[string]string{}
	for i := range 50 {
		model[fmt.Sprint(i)] = "v"
	}
	for path, data := range freshTree(f, model) {
		f.Add(string(path), data)
	}
	f.Add("", []byte{0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, path string, data []byte) {
		if len(path) > maxPagePath || data == nil {
			return
		}
		var p treePage
		err := decodeTreePage(PagePath(path), data, &p)
		if err == nil && !bytes.Equal(p.encode(), data) {
			t.Errorf("page %q: %x decodes to what encodes as %x", path, data, p.encode())
		}
	})
}

// BenchmarkUpdateTree is a block of 10,000 writes, half of them new keys, on a tree of 300,000.
func BenchmarkUpdateTree(b *testing.B) {
	tree := memoryPages{}
	var writes []TreeWrite
	for i := range 300_000 {
		writes = append(writes, TreeWrite{fmt.Appendf(nil, "key %d", i), []byte("value")})
	}
	tree.mustUpdate(b, writes)
	next := 300_000
	for round := 0; b.Loop(); round++ {
		writes = writes[:0]
		for i := range 5000 {
			writes = append(writes,
				TreeWrite{fmt.Appendf(nil, "key %d", i*59), fmt.Appendf(nil, "value %d", round)},
				TreeWrite{fmt.Appendf(nil, "key %d", next+i), []byte("value")})
		}
		next += 5000
		_, pages, err := UpdateTree(tree, writes)
		if err != nil {
			b.Fatal(err)
		}
		tree.apply(pages)
		b.ReportMetric(float64(len(pages)), "pages")
	}
	b.ReportMetric(10_000*float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}
