package store

import (
	"sync"

	"waybill/consensus/quorum"
	"waybill/ledger"
)

// record is a present value of the state and the height that made it; value nil: there is none.
type record struct {
	value []byte
	since quorum.Height
}

// recordCache keeps what was last read and written of the present state, absences too: what a block asks for, its commit
// asks for again, and the next block often.
//
//  1. An entry is the present state. A reader puts in what it read only if no block was committed since it began to read;
//     a commit puts in everything that it wrote.
//  2. It has two halves of at most limit/2 bytes. What is used moves to the young half; when that is full it becomes the
//     old one, and what was in the old one is forgotten.
type recordCache struct {
	limit int // bytes

	mu         sync.Mutex // of what follows
	young, old map[string]record
	size       int    // bytes of the young half
	commits    uint64 // counted, see 1
}

// recordOverhead is what an entry takes besides key and value.
const recordOverhead = 128

func newRecordCache(limit int) *recordCache {
	return &recordCache{limit: limit, young: map[string]record{}}
}

// get returns an entry, and how many commits there were.
func (c *recordCache) get(key []byte) (r record, commits uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r, ok = c.young[string(key)]; ok {
		return r, c.commits, true
	}
	if r, ok = c.old[string(key)]; ok {
		c.put(string(key), r)
	}
	return r, c.commits, ok
}

// keep takes what was read when there had been that many commits.
func (c *recordCache) keep(key []byte, r record, commits uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if commits == c.commits {
		c.put(string(key), r)
	}
}

// committed takes what a block wrote.
func (c *recordCache) committed(h quorum.Height, writes []ledger.Write) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commits++
	for i := range writes {
		w := &writes[i]
		r := record{value: w.Value}
		if r.value != nil {
			r.since = h
		}
		c.put(string(w.Key), r)
	}
}

// put must be called with mu held.
func (c *recordCache) put(key string, r record) {
	before, ok := c.young[key]
	if ok {
		c.size -= len(before.value)
	} else {
		c.size += len(key) + recordOverhead
	}
	c.young[key] = r
	c.size += len(r.value)
	if c.size > c.limit/2 {
		c.old, c.young, c.size = c.young, make(map[string]record, len(c.young)), 0
	}
}

// forget drops everything.
func (c *recordCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commits++
	c.young, c.old, c.size = map[string]record{}, nil, 0
}

// record returns a present value of the state. Its bytes must not be changed.
func (s *Store) record(key []byte) (record, error) {
	r, commits, ok := s.records.get(key)
	if ok {
		return r, nil
	}
	if !s.filter.mayHold(key) {
		return record{}, nil
	}
	var err error
	if r.value, r.since, err = s.getVersion(nil, stateKey(key)); err != nil {
		return record{}, err
	}
	s.records.keep(key, r, commits)
	return r, nil
}
