package api

import (
	"context"
	"slices"
	"sync"

	"waybill/crypto"
)

// jobID names a capture: the id of its transaction, or the Merkle root of the ids when there are several. The same
// transactions are therefore the same job on every node, and a job of one transaction needs no memory at all.
func jobID(txs []crypto.Hash) string {
	if len(txs) == 1 {
		return txs[0].String()
	}
	leaves := make([][]byte, len(txs))
	for i := range txs {
		leaves[i] = txs[i][:]
	}
	return crypto.MerkleRoot(leaves).String()
}

// MemoryJobs remembers the latest jobs in memory. It is safe for concurrent use.
type MemoryJobs struct {
	capacity int

	mu    sync.Mutex // guards the rest
	byID  map[string]Job
	order []string // ids, oldest first
}

// NewMemoryJobs makes a store of at most capacity jobs; the oldest is forgotten first.
func NewMemoryJobs(capacity int) *MemoryJobs {
	return &MemoryJobs{capacity: max(1, capacity), byID: make(map[string]Job)}
}

// SaveJob adds a job. One that is there already stays, unless the node refused a part of it then and not now.
func (m *MemoryJobs) SaveJob(_ context.Context, job Job) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, ok := m.byID[job.ID]; ok {
		if known.Refused != nil && job.Refused == nil {
			m.byID[job.ID] = job // in its place
		}
		return nil
	}
	if len(m.order) >= m.capacity {
		delete(m.byID, m.order[0])
		m.order = slices.Delete(m.order, 0, 1)
	}
	m.byID[job.ID] = job
	m.order = append(m.order, job.ID)
	return nil
}

// LoadJob returns a job or ErrNotFound.
func (m *MemoryJobs) LoadJob(_ context.Context, id string) (Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	job, ok := m.byID[id]
	if !ok {
		return Job{}, ErrNotFound
	}
	return job, nil
}

// ListJobs lists the newest first; an unknown after is ErrNotFound.
func (m *MemoryJobs) ListJobs(_ context.Context, after string, limit int) ([]Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	end := len(m.order)
	if after != "" {
		if end = slices.Index(m.order, after); end < 0 {
			return nil, ErrNotFound
		}
	}
	var out []Job
	for i := end - 1; i >= 0 && len(out) < limit; i-- {
		out = append(out, m.byID[m.order[i]])
	}
	return out, nil
}

// maxIdempotencyKeys bounds how many keys are remembered; the oldest is forgotten first.
const maxIdempotencyKeys = 10_000

// idempotency remembers which capture an Idempotency-Key stood for, so that a client that lost an answer can post the same
// document again without making a second transaction of it.
type idempotency struct {
	capacity int

	mu    sync.Mutex // guards the rest
	byKey map[string]idempotent
	order []string // oldest first
}

type idempotent struct {
	body crypto.Hash // of mode and body
	job  string      // "" while the first request is still in progress
}

func newIdempotency(capacity int) *idempotency {
	return &idempotency{capacity: capacity, byKey: make(map[string]idempotent)}
}

// begin claims a key. It returns the job if the key is known for the same body; a claimed key must be ended.
func (k *idempotency) begin(key string, body crypto.Hash) (job string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known, ok := k.byKey[key]
	switch {
	case ok && known.body != body:
		return "", problem(ErrConflict, "this Idempotency-Key was used for another document").help("Use a new key for each document.")
	case ok && known.job == "":
		return "", problem(ErrConflict, "a request with this Idempotency-Key is in progress").help("Wait for its answer, or post again in a moment.").retry(1)
	case ok:
		return known.job, nil
	}
	if len(k.order) >= k.capacity {
		delete(k.byKey, k.order[0])
		k.order = slices.Delete(k.order, 0, 1)
	}
	k.byKey[key] = idempotent{body: body}
	k.order = append(k.order, key)
	return "", nil
}

// end records the job of a claimed key, or forgets the key when there is none because the capture failed.
func (k *idempotency) end(key, job string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if job == "" {
		delete(k.byKey, key)
		k.order = slices.DeleteFunc(k.order, func(s string) bool { return s == key })
		return
	}
	if known, ok := k.byKey[key]; ok {
		known.job = job
		k.byKey[key] = known
	}
}
