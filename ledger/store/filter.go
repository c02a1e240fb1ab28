package store

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// keyFilter knows which keys of the present state may exist. Most questions of the rules are about things that are not there
// yet, and each would look into every level of the database; one line of memory answers them.
//
//  1. It never says no to a key that exists: a key is added before the block that writes it, and the filter answers only
//     once every older key is in.
//  2. Keys that were deleted stay in it. It has a fixed size: beyond some eight bits a key it says maybe more often, and the
//     database answers as it would without it.
//
// It is safe for concurrent use.
type keyFilter struct {
	seed  maphash.Seed
	words []atomic.Uint64 // in blocks of filterBlock
	ready atomic.Bool
}

const (
	filterBlock = 8 // words: one line of a processor's cache
	filterBits  = 6 // set for a key
)

// newKeyFilter returns a filter of some bytes.
func newKeyFilter(bytes int) *keyFilter {
	return &keyFilter{seed: maphash.MakeSeed(), words: make([]atomic.Uint64, max(1, bytes/(8*filterBlock))*filterBlock)}
}

// place returns the block of a key with that hash and the bits from which its places in the block are taken.
func (f *keyFilter) place(h uint64) ([]atomic.Uint64, uint64) {
	block, _ := bits.Mul64(h, uint64(len(f.words)/filterBlock))
	at := int(block) * filterBlock
	return f.words[at : at+filterBlock], h * 0x9e3779b97f4a7c15
}

// hash is under which the filter knows a key.
func (f *keyFilter) hash(key []byte) uint64 { return maphash.Bytes(f.seed, key) }

// add takes a key with that hash in.
func (f *keyFilter) add(hash uint64) {
	block, h := f.place(hash)
	for range filterBits {
		word, bit := &block[h>>61], uint64(1)<<(h>>55&63)
		if word.Load()&bit == 0 {
			word.Or(bit)
		}
		h = bits.RotateLeft64(h, 9)
	}
}

// mayHold is false only for a key that does not exist.
func (f *keyFilter) mayHold(hash uint64) bool {
	if !f.ready.Load() {
		return true
	}
	block, h := f.place(hash)
	for range filterBits {
		if block[h>>61].Load()&(1<<(h>>55&63)) == 0 {
			return false
		}
		h = bits.RotateLeft64(h, 9)
	}
	return true
}

// filledAtOnce is how many keys Open puts into the filter before it leaves the rest to a goroutine.
const filledAtOnce = 10_000

// fillFilter puts every key of the present state into the filter and lets it answer. Of a large ledger a goroutine does
// most of it, which Close ends. A read that fails leaves the filter out of use; what else reads there will tell.
func (s *Store) fillFilter() error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixState}, UpperBound: []byte{prefixState + 1}})
	if err != nil {
		return s.classify(err, "listing the keys of the state")
	}
	more := it.First()
	for n := 0; more && n < filledAtOnce; n++ {
		s.filter.add(s.filter.hash(it.Key()[1:]))
		more = it.Next()
	}
	if !more {
		s.filterFilled(it)
		close(s.filled)
		return nil
	}
	go func() {
		defer close(s.filled)
		for ; more; more = it.Next() {
			s.filter.add(s.filter.hash(it.Key()[1:]))
			select {
			case <-s.closing:
				_ = it.Close() // frees memory only
				return
			default:
			}
		}
		s.filterFilled(it)
	}()
	return nil
}

// filterFilled lets the filter answer if the iterator has seen everything.
func (s *Store) filterFilled(it *pebble.Iterator) {
	if it.Close() == nil {
		s.filter.ready.Store(true)
	}
}
