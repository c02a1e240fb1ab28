package crypto

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"pgregory.net/rapid"
)

func leafList(n int) [][]byte {
	leaves := make([][]byte, n)
	for i := range leaves {
		leaves[i] = fmt.Appendf(nil, "leaf %d", i)
	}
	return leaves
}

// head is the RFC 6962 tree head under our root.
func head(leaves [][]byte) Hash {
	hashes := make([]Hash, len(leaves))
	for i, l := range leaves {
		hashes[i] = merkleLeaf(l)
	}
	return merkleHead(hashes)
}

// TestMerkleAgreesWithTransparencyDev checks all proofs of all trees up to 64 leaves with another implementation.
func TestMerkleAgreesWithTransparencyDev(t *testing.T) {
	hasher := rfc6962.DefaultHasher
	if got := head(nil); string(got[:]) != string(hasher.EmptyRoot()) {
		t.Errorf("the empty head is %s", got)
	}
	for n := 1; n <= 64; n++ {
		leaves := leafList(n)
		root, h := MerkleRoot(leaves), head(leaves)
		for i, leaf := range leaves {
			p, err := MerkleProve(leaves, i)
			if err != nil {
				t.Fatal(err)
			}
			if err := VerifyInclusion(root, leaf, p); err != nil {
				t.Fatalf("leaf %d of %d: %v", i, n, err)
			}
			var path [][]byte
			for _, s := range p.Path {
				path = append(path, slices.Clone(s[:]))
			}
			if err := proof.VerifyInclusion(hasher, uint64(i), uint64(n), hasher.HashLeaf(leaf), path, h[:]); err != nil {
				t.Fatalf("leaf %d of %d in the other implementation: %v", i, n, err)
			}
		}
	}
}

// TestMerkleProofIsUnique tries every index and size up to 64 with every honest path: only the honest one holds.
func TestMerkleProofIsUnique(t *testing.T) {
	const limit = 20
	for n := 1; n <= limit; n++ {
		leaves := leafList(n)
		root := MerkleRoot(leaves)
		for i, leaf := range leaves {
			honest, _ := MerkleProve(leaves, i)
			for size := range uint64(limit + 5) {
				for index := range uint64(limit + 5) {
					p := InclusionProof{index, size, honest.Path}
					if err := VerifyInclusion(root, leaf, p); (err == nil) != (index == honest.Index && size == honest.Size) {
						t.Fatalf("leaf %d of %d shown as %d of %d: %v", i, n, index, size, err)
					}
				}
			}
		}
	}
}

// TestMerkleRootsDiffer: no two lists share a root, least of all one with its last leaf repeated (CVE-2012-2459), one
// whose leaf is another's inner node, or one with its bytes split elsewhere.
func TestMerkleRootsDiffer(t *testing.T) {
	seen := map[Hash]string{}
	add := func(name string, leaves [][]byte) {
		r := MerkleRoot(leaves)
		if other, twice := seen[r]; twice {
			t.Errorf("%s and %s share a root", name, other)
		}
		seen[r] = name
	}
	add("none", nil)
	for n := 1; n <= 64; n++ {
		leaves := leafList(n)
		add(fmt.Sprint(n), leaves)
		add(fmt.Sprint(n, " and an empty leaf"), append(slices.Clone(leaves), nil))
		add(fmt.Sprint(n, " and the last again"), append(slices.Clone(leaves), leaves[n-1]))
		joined := slices.Concat(leaves...)
		if n > 1 {
			add(fmt.Sprint(n, " joined"), [][]byte{joined})
			add(fmt.Sprint(n, " split at 1"), [][]byte{joined[:1], joined[1:]})
		}
		if n == 2 {
			a, b := merkleLeaf(leaves[0]), merkleLeaf(leaves[1])
			add("node as leaf", [][]byte{append(a[:], b[:]...)})
			add("node as leaf with prefix", [][]byte{append(append([]byte{merkleNodePrefix}, a[:]...), b[:]...)})
		}
	}
}

func TestMerkleProveRefuses(t *testing.T) {
	for _, i := range []int{-1, 3, math.MaxInt} {
		if _, err := MerkleProve(leafList(3), i); !errors.Is(err, ErrProof) {
			t.Errorf("%d: got %v", i, err)
		}
	}
	root := MerkleRoot(leafList(3))
	for _, p := range []InclusionProof{{}, {Index: 1 << 63, Size: 1<<64 - 1}, {Index: 3, Size: 3}, {Size: MaxMerkleLeaves + 1}} {
		if err := VerifyInclusion(root, nil, p); !errors.Is(err, ErrProof) {
			t.Errorf("%+v: got %v", p, err)
		}
	}
}

// TestMerkleRootIsNotTheBareHead: a head that does not bind the size is no root.
func TestMerkleRootIsNotTheBareHead(t *testing.T) {
	leaves := leafList(3)
	p, _ := MerkleProve(leaves, 1)
	if VerifyInclusion(head(leaves), leaves[1], p) == nil {
		t.Error("the bare tree head of RFC 6962 is accepted")
	}
}

func TestMerkleMutations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "n")
		leaves := leafList(n)
		i := rapid.IntRange(0, n-1).Draw(t, "i")
		root := MerkleRoot(leaves)
		p, err := MerkleProve(leaves, i)
		if err != nil || VerifyInclusion(root, leaves[i], p) != nil {
			t.Fatal("an honest proof fails")
		}
		leaf := slices.Clone(leaves[i])
		at := rapid.IntRange(0, len(p.Path)).Draw(t, "at")
		switch rapid.IntRange(0, 5).Draw(t, "change") {
		case 0:
			leaf[rapid.IntRange(0, len(leaf)-1).Draw(t, "byte")] ^= 1
		case 1:
			p.Path = slices.Insert(p.Path, at, Sum(TagVote))
		case 2:
			p.Path = slices.Insert(p.Path, at, Hash{})
		case 3:
			if at == len(p.Path) {
				return
			}
			p.Path = slices.Delete(p.Path, at, at+1)
		case 4:
			if at == len(p.Path) {
				return
			}
			p.Path[at][rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		case 5:
			root[0] ^= 1
		}
		if VerifyInclusion(root, leaf, p) == nil {
			t.Fatalf("a changed proof holds: %+v", p)
		}
	})
}

func TestMerkleVectors(t *testing.T) {
	type vector struct {
		Leaves int
		Root   Hash
		Proof  InclusionProof
	}
	var vectors []vector
	for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 100} {
		v := vector{Leaves: n, Root: MerkleRoot(leafList(n))}
		if n > 0 {
			v.Proof, _ = MerkleProve(leafList(n), n/2)
		}
		vectors = append(vectors, v)
	}
	golden(t, "merkle", vectors)
}

func FuzzInclusionProof(f *testing.F) {
	leaves := leafList(11)
	root := MerkleRoot(leaves)
	p, _ := MerkleProve(leaves, 6)
	data, _ := Marshal(p)
	f.Add(data, leaves[6])
	f.Fuzz(func(t *testing.T, data, leaf []byte) {
		var got InclusionProof
		if Unmarshal(data, &got) != nil || VerifyInclusion(root, leaf, got) != nil {
			return
		}
		honest, err := MerkleProve(leaves, int(got.Index))
		if err != nil || string(leaves[got.Index]) != string(leaf) || !slices.Equal(honest.Path, got.Path) {
			t.Errorf("forged: %x for %q", data, leaf)
		}
	})
}
