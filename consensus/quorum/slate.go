package quorum

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"waybill/crypto"
)

// minSlateSlots is the least number of slots of a slate.
const minSlateSlots = 256

// Slate names the leader of every view of an epoch: a list of slots, handed out by power and shuffled by a seed that
// nobody chooses alone. It is a pure function of set and seed, so that a light client and a judge of evidence get the
// same leaders. Immutable.
//
// A validator with less than about 1/slots of the power may get no slot; it still votes.
type Slate struct {
	slots []uint16
}

// NewSlate computes the slate of max(256, 4n) slots: largest-remainder apportionment by power, ties to the lower
// index; spread by smooth weighted round robin; Fisher-Yates from the last slot down, with draws from
// Sum(TagSlate, counter:8, seed).
func NewSlate(set *Set, seed crypto.Hash) *Slate {
	slots := spread(apportion(set, max(minSlateSlots, 4*set.Len())))
	d := drawer{seed: seed}
	for i := len(slots) - 1; i > 0; i-- {
		j := d.below(uint64(i + 1))
		slots[i], slots[j] = slots[j], slots[i]
	}
	return &Slate{slots: slots}
}

// Leader is the index of the validator that may propose in view v.
func (s *Slate) Leader(v View) int { return int(s.slots[uint64(v)%uint64(len(s.slots))]) }

// Len is the number of slots; the leaders repeat after that many views.
func (s *Slate) Len() int { return len(s.slots) }

// apportion shares out size slots by power (Hamilton's method), in exact 128-bit integers.
func apportion(set *Set, size int) []int {
	type share struct {
		index     int
		remainder uint64
	}
	counts := make([]int, set.Len())
	shares := make([]share, set.Len())
	left := size
	for i := range counts {
		hi, lo := bits.Mul64(uint64(set.At(i).Power), uint64(size))
		whole, remainder := bits.Div64(hi, lo, uint64(set.Total())) // hi < total because power <= total and size < 2^64
		counts[i] = int(whole)
		shares[i] = share{i, remainder}
		left -= int(whole)
	}
	slices.SortStableFunc(shares, func(a, b share) int { return cmp.Compare(b.remainder, a.remainder) })
	for _, s := range shares[:left] {
		counts[s.index]++
	}
	return counts
}

// spread lists index i counts[i] times, as evenly as smooth weighted round robin does.
func spread(counts []int) []uint16 {
	total := 0
	for _, c := range counts {
		total += c
	}
	slots := make([]uint16, total)
	credit := make([]int, len(counts))
	for k := range slots {
		best := 0
		for i, c := range counts {
			credit[i] += c
			if credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= total
		slots[k] = uint16(best)
	}
	return slots
}

// drawer draws unbiased numbers from a seed.
type drawer struct {
	seed    crypto.Hash
	counter uint64
}

// below returns a uniform number in [0, n), by rejection.
func (d *drawer) below(n uint64) uint64 {
	for {
		var c [8]byte
		binary.BigEndian.PutUint64(c[:], d.counter)
		d.counter++
		h := crypto.Sum(crypto.TagSlate, c[:], d.seed[:])
		x := binary.BigEndian.Uint64(h[:8])
		if limit := -n % n; x >= limit { // drop the 2^64 mod n lowest, so that the rest divides evenly
			return x % n
		}
	}
}
