package store

import (
	"encoding/binary"
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
//  2. It has two halves of limit/2 bytes, and a slab at most. What is used moves to the young half; when that is full it becomes the
//     old one, and what was in the old one is forgotten.
//  3. Bytes are never written twice, so that who was given them may keep them. What was replaced stays until its half goes.
//  4. Two keys with one hash push each other out. An entry tells its key, so neither is taken for the other.
//
// An earlier form had a map from keys to values: hundreds of thousands of pointers, which the collector followed each time.
type recordCache struct {
	limit int // bytes

	mu         sync.Mutex // of what follows
	young, old half
	commits    uint64 // counted, see 1
}

// half is entries by the hash of their key. Neither the map nor what it leads to holds pointers.
type half struct {
	at    map[uint64]recordPlace
	slabs [][]byte // filled one after the other
	size  int      // bytes taken
}

// recordPlace is where an entry is: the slab, and from where in it.
type recordPlace struct{ slab, from uint32 }

// An entry is since:8, the length of the key:4, that of the value plus one:4, or zero for a key that is absent, the key and the
// value.
const recordHead = 8 + 4 + 4

const (
	recordOverhead = 32        // bytes that an entry takes of the map
	recordSlab     = 256 << 10 // bytes of a slab; an entry that is longer has one of its own
)

func newRecordCache(limit int) *recordCache { return &recordCache{limit: limit, young: newHalf(0)} }

func newHalf(entries int) half { return half{at: make(map[uint64]recordPlace, entries)} }

// find returns the bytes of an entry and what it says.
func (x *half) find(hash uint64, key []byte) (entry []byte, r record, ok bool) {
	p, ok := x.at[hash]
	if !ok {
		return nil, r, false
	}
	e := x.slabs[p.slab][p.from:]
	n, value := int(binary.BigEndian.Uint32(e[8:])), int(binary.BigEndian.Uint32(e[12:]))
	if string(e[recordHead:recordHead+n]) != string(key) {
		return nil, r, false
	}
	end := recordHead + n
	if value > 0 {
		r.since = quorum.Height(binary.BigEndian.Uint64(e))
		r.value = e[end : end+value-1 : end+value-1]
		end += value - 1
	}
	return e[:end], r, true
}

// add returns memory for an entry, which is that of the hash from now on.
func (x *half) add(hash uint64, size, slab int) []byte {
	n := len(x.slabs) - 1
	if n < 0 || cap(x.slabs[n])-len(x.slabs[n]) < size {
		x.slabs = append(x.slabs, make([]byte, 0, max(size, slab)))
		n, x.size = n+1, x.size+max(size, slab)
	}
	from := len(x.slabs[n])
	x.slabs[n] = x.slabs[n][:from+size]
	x.at[hash] = recordPlace{uint32(n), uint32(from)}
	x.size += recordOverhead
	return x.slabs[n][from:]
}

// get returns an entry, and how many commits there were.
func (c *recordCache) get(hash uint64, key []byte) (r record, commits uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.young.at[hash]; there { // even if it is another key: what the old half has may have changed since
		_, r, ok = c.young.find(hash, key)
		return r, c.commits, ok
	}
	entry, r, ok := c.old.find(hash, key)
	if ok {
		copy(c.add(hash, len(entry)), entry)
	}
	return r, c.commits, ok
}

// keep takes what was read when there had been that many commits.
func (c *recordCache) keep(hash uint64, key []byte, r record, commits uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if commits == c.commits {
		c.put(hash, key, r)
	}
}

// committed takes what a block wrote, with the hash of each key.
func (c *recordCache) committed(h quorum.Height, writes []ledger.Write, hashes []uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commits++
	for i := range writes {
		c.put(hashes[i], writes[i].Key, record{value: writes[i].Value, since: h})
	}
}

// put must be called with mu held.
func (c *recordCache) put(hash uint64, key []byte, r record) {
	e := c.add(hash, recordHead+len(key)+len(r.value))
	binary.BigEndian.PutUint64(e, uint64(r.since))
	binary.BigEndian.PutUint32(e[8:], uint32(len(key)))
	binary.BigEndian.PutUint32(e[12:], 0)
	if r.value != nil {
		binary.BigEndian.PutUint32(e[12:], uint32(len(r.value))+1)
	}
	copy(e[recordHead+copy(e[recordHead:], key):], r.value)
}

// add must be called with mu held.
func (c *recordCache) add(hash uint64, size int) []byte {
	if c.young.size >= c.limit/2 {
		c.old, c.young = c.young, newHalf(len(c.young.at))
	}
	return c.young.add(hash, size, min(recordSlab, c.limit/16))
}

// forget drops everything.
func (c *recordCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commits++
	c.young, c.old = newHalf(0), half{}
}

// record returns a present value of the state. Its bytes must not be changed.
func (s *Store) record(key []byte) (record, error) { return s.hashed(s.filter.hash(key), key) }

// hashed is record of a key with that hash.
func (s *Store) hashed(hash uint64, key []byte) (record, error) {
	r, commits, ok := s.records.get(hash, key)
	if ok {
		return r, nil
	}
	if !s.filter.mayHold(hash) {
		return record{}, nil
	}
	var err error
	if r.value, r.since, err = s.getVersion(nil, stateKey(key)); err != nil {
		return record{}, err
	}
	s.records.keep(hash, key, r, commits)
	return r, nil
}
