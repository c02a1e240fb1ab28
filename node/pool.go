package node

import (
	"sync"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/node/mempool"
)

// pool is the mempool with a lock, because transactions come from many goroutines. It implements Pool.
type pool struct {
	mu      sync.Mutex
	waiting *mempool.Pool
	final   map[crypto.Hash]*ledger.Transaction // in a final block that is not executed yet
	settled func(crypto.Hash) bool              // in the ledger; safe for concurrent use
}

func newPool(l mempool.Limits, settled func(crypto.Hash) bool) *pool {
	return &pool{waiting: mempool.New(l), final: map[crypto.Hash]*ledger.Transaction{}, settled: settled}
}

// Pending implements Pool.
func (p *pool) Pending() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting.Len() > 0
}

// Select implements Pool.
func (p *pool) Select(maxBytes int, skip func(crypto.Hash) bool) [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting.Select(maxBytes, skip, p.settled)
}

// Ordered implements Pool.
func (p *pool) Ordered(ids []crypto.Hash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		if tx := p.waiting.Transaction(id); tx != nil && !p.settled(id) {
			p.final[id] = tx
		}
	}
	p.waiting.Remove(ids)
}

// executed forgets transactions that are in the ledger now.
func (p *pool) executed(receipts []ledger.Receipt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range receipts {
		delete(p.final, receipts[i].Tx)
	}
}

func (p *pool) add(v ledger.VerifiedTransaction) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	// Asked under the lock that Ordered takes: a transaction that was executed since the caller asked stays out.
	if p.settled(v.Transaction().ID()) {
		return mempool.ErrKnown
	}
	return p.waiting.Add(v)
}

func (p *pool) has(id crypto.Hash) bool { return p.transaction(id) != nil }

func (p *pool) transaction(id crypto.Hash) *ledger.Transaction {
	p.mu.Lock()
	defer p.mu.Unlock()
	if tx := p.final[id]; tx != nil {
		return tx
	}
	return p.waiting.Transaction(id)
}

func (p *pool) expire(next quorum.Height) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting.Expire(next))
}

// sift drops, of some of the transactions held, those that do not count any more. They are judged without the lock.
func (p *pool) sift(some func(*mempool.Pool) []*ledger.Transaction, counts func(*ledger.Transaction) bool) {
	p.mu.Lock()
	held := some(p.waiting)
	p.mu.Unlock()
	var gone []crypto.Hash
	for _, tx := range held {
		if !counts(tx) {
			gone = append(gone, tx.ID())
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting.Remove(gone)
}

func (p *pool) size() (transactions, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting.Len(), p.waiting.Bytes()
}
