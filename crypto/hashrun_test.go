package crypto

import (
	"crypto/sha256"
	"testing"
)

// TestSummerIsSum: messages of all lengths, the longest that a summer does itself and longer ones among them, in one part and
// in two, with this library's state and without.
func TestSummerIsSum(t *testing.T) {
	s, without := newSummer(), newSummer()
	if s.state == nil {
		t.Fatal("the encoded state of SHA-256 is not what it was: trees are slower by a third of their hashing")
	}
	without.state = nil
	message := make([]byte, maxSummed+2*sha256.BlockSize)
	for i := range message {
		message[i] = byte(i * 7)
	}
	for n := range message {
		want := Sum(TagVote, message[:n])
		if got := s.sum(TagVote, message[:n/3], message[n/3:n]); got != want {
			t.Fatalf("%d bytes: %s, want %s", n, got, want)
		}
		if got := without.sum(TagVote, message[:n], nil); got != want {
			t.Fatalf("%d bytes without the state: %s, want %s", n, got, want)
		}
	}
	a, b := Sum(TagVote), Sum(TagHeader)
	if s.node(&a, &b) != treeNode(&a, &b) || s.leaf(&TreeLeaf{a, b}) != (&TreeLeaf{a, b}).hash() {
		t.Error("nodes or leaves are hashed another way")
	}
}

func BenchmarkSummer(b *testing.B) {
	s := newSummer()
	var x, y Hash
	for b.Loop() {
		x = s.node(&x, &y)
	}
}
