package store

import (
	"github.com/cockroachdb/pebble/v2"
)

// StateKeys lists the state keys with a prefix after the tip, in order, those above the key after (nil: from the
// start), at most limit. prefix must not be empty or end in 0xff.
func (s *Store) StateKeys(prefix, after []byte, limit int) ([][]byte, error) {
	lower := stateKey(prefix)
	if after != nil {
		lower = append(stateKey(after), 0)
	}
	upper := stateKey(prefix)
	upper[len(upper)-1]++
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, s.classify(err, "listing state keys")
	}
	var keys [][]byte
	for ok := it.First(); ok && len(keys) < limit; ok = it.Next() {
		keys = append(keys, append([]byte(nil), it.Key()[1:]...))
	}
	if err := it.Close(); err != nil {
		return nil, s.readError(err, lower)
	}
	return keys, nil
}
