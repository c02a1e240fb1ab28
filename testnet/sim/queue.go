package sim

import "encoding/binary"

// event is something that happens at a virtual time: a message arrives, or do is called.
type event struct {
	to, from    *member
	msg         []byte
	incarnation int  // of to, when the message was sent
	kind        Kind // of the adversary that made the message; kinds if none did
	do          func() error
}

// queue orders events by time, and those of one time by when they were made: a heap of small keys over a table of
// events whose places are used again.
type queue struct {
	heap  []slot
	table []event
	free  []int32
	seq   uint32
}

type slot struct {
	at    int64
	seq   uint32
	place int32
}

func (s slot) before(o slot) bool { return s.at < o.at || s.at == o.at && s.seq < o.seq }

func (q *queue) len() int { return len(q.heap) }

func (q *queue) push(at int64, e event) {
	q.seq++
	s := slot{at: at, seq: q.seq}
	if n := len(q.free); n > 0 {
		s.place, q.free = q.free[n-1], q.free[:n-1]
		q.table[s.place] = e
	} else {
		s.place = int32(len(q.table))
		q.table = append(q.table, e)
	}
	q.heap = append(q.heap, s)
	for i := len(q.heap) - 1; i > 0; {
		up := (i - 1) / 4
		if !q.heap[i].before(q.heap[up]) {
			break
		}
		q.heap[i], q.heap[up] = q.heap[up], q.heap[i]
		i = up
	}
}

func (q *queue) pop() (int64, event) {
	top := q.heap[0]
	last := len(q.heap) - 1
	q.heap[0] = q.heap[last]
	q.heap = q.heap[:last]
	for i := 0; ; {
		least := i
		for c := 4*i + 1; c < min(4*i+5, last); c++ {
			if q.heap[c].before(q.heap[least]) {
				least = c
			}
		}
		if least == i {
			break
		}
		q.heap[i], q.heap[least] = q.heap[least], q.heap[i]
		i = least
	}
	e := q.table[top.place]
	q.table[top.place] = event{}
	q.free = append(q.free, top.place)
	return top.at, e
}

// trace is a running 64-bit hash of everything that happened.
type trace uint64

func (t *trace) word(x uint64) { *t = trace(mix(uint64(*t)*31 + x)) }

func (t *trace) bytes(b []byte) {
	for len(b) >= 8 {
		t.word(binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	var tail uint64
	for _, c := range b {
		tail = tail<<8 | uint64(c)
	}
	t.word(tail<<8 | uint64(len(b)))
}
