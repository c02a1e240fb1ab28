package crypto

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
)

// summer is [Sum] for who sums short things one after the other, as trees do. Of what sha256.Sum256 takes for the two blocks
// of a node of a tree, a third is not hashing: the message is padded in a copy of the state, block by block. A summer pads the
// message itself, hashes it in one call, and takes the sum from the state, which is that after the last block. How the state is
// encoded the standard library may change; a new summer tries whether it is as it was, and does without if not.
//
// It is for one goroutine.
type summer struct {
	digest hash.Hash
	state  encoding.BinaryAppender // nil: do without
	in     [maxSummed + sha256.BlockSize]byte
	out    [128]byte
}

// maxSummed is the longest message, with its tag, that a summer does itself, in bytes.
const maxSummed = 512

// The encoded state of a digest begins with the four bytes that name the function, and the chaining value follows.
const stateHead = 4

func newSummer() *summer {
	s := &summer{digest: sha256.New()}
	s.state, _ = s.digest.(encoding.BinaryAppender)
	var message [maxSummed]byte
	for i := range message {
		message[i] = byte(i + i>>8)
	}
	for _, n := range []int{0, 1, sha256.BlockSize, 100, maxSummed - len(TagStateNode)} {
		if s.sum(TagStateNode, message[:n], nil) != Sum(TagStateNode, message[:n]) {
			s.state = nil
		}
	}
	return s
}

// sum is Sum(tag, a, b).
func (s *summer) sum(tag Tag, a, b []byte) Hash {
	n := len(tag) + len(a) + len(b)
	if s.state == nil || n > maxSummed {
		return Sum(tag, a, b)
	}
	at := copy(s.in[:], tag)
	at += copy(s.in[at:], a)
	copy(s.in[at:], b)
	// FIPS 180-4, 5.1.1: a bit of one, zeros, and the length in bits, in eight bytes that end a block.
	end := (n + 1 + 8 + sha256.BlockSize - 1) / sha256.BlockSize * sha256.BlockSize
	s.in[n] = 0x80
	clear(s.in[n+1 : end-8])
	binary.BigEndian.PutUint64(s.in[end-8:], 8*uint64(n))
	s.digest.Reset()
	_, _ = s.digest.Write(s.in[:end]) // never fails
	out, err := s.state.AppendBinary(s.out[:0])
	if err != nil || len(out) < stateHead+HashSize {
		return Sum(tag, a, b)
	}
	return Hash(out[stateHead:])
}

func (s *summer) node(left, right *Hash) Hash { return s.sum(TagStateNode, left[:], right[:]) }

func (s *summer) leaf(l *TreeLeaf) Hash { return s.sum(TagStateLeaf, l.Key[:], l.Value[:]) }
