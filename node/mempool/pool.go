package mempool

import (
	"bytes"
	"cmp"
	"container/heap"
	"fmt"
	"math"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// Limits of a pool.
type Limits struct {
	Transactions int // held at most
	Bytes        int // of raw transactions held at most
	PerAuthor    int // of one author at most
}

// DefaultLimits hold about a minute of a busy network.
func DefaultLimits() Limits {
	return Limits{Transactions: 20_000, Bytes: 64 << 20, PerAuthor: 5_000}
}

// Kind classifies why a transaction was not taken, for errors.Is.
type Kind string

// The kinds.
const (
	ErrKnown       Kind = "already held"
	ErrFull        Kind = "pool is full"
	ErrAuthorLimit Kind = "too many waiting transactions of this author"
)

// Error makes a Kind the target of errors.Is.
func (k Kind) Error() string { return string(k) }

// Pool holds transactions that wait to be ordered. At the limit on number or bytes a newcomer replaces held
// transactions with lower tips, the lowest first and of equal ones the youngest; if those do not make room
// enough, nothing is dropped and the newcomer is refused. At the limit per author the newcomer is refused.
//
// Invariant: byID, worst, byAuthor and accused hold the same transactions, and bytes is their size.
type Pool struct {
	limits   Limits
	byID     map[crypto.Hash]*entry
	worst    worstFirst
	byAuthor map[crypto.Address]int
	accused  map[crypto.PublicKey]int // proofs of offences, by the key that signed
	bytes    int
	arrivals uint64
}

type entry struct {
	tx      *ledger.Transaction
	arrival uint64
	at      int // in worst
}

// worstFirst is a heap of all entries, so that a full pool refuses or replaces without looking at them all.
type worstFirst []*entry

func (w worstFirst) Len() int           { return len(w) }
func (w worstFirst) Less(i, j int) bool { return before(w[j], w[i]) }
func (w worstFirst) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].at, w[j].at = i, j
}

// Push implements heap.Interface.
func (w *worstFirst) Push(x any) {
	e := x.(*entry)
	e.at = len(*w)
	*w = append(*w, e)
}

// Pop implements heap.Interface.
func (w *worstFirst) Pop() any {
	last := len(*w) - 1
	e := (*w)[last]
	(*w)[last] = nil
	*w = (*w)[:last]
	return e
}

// New makes an empty pool.
func New(l Limits) *Pool {
	return &Pool{limits: l, byID: map[crypto.Hash]*entry{}, byAuthor: map[crypto.Address]int{}, accused: map[crypto.PublicKey]int{}}
}

// Len is the number of transactions held.
func (p *Pool) Len() int { return len(p.byID) }

// Bytes is the size of what is held, in raw bytes.
func (p *Pool) Bytes() int { return p.bytes }

// Has reports whether the transaction is held.
func (p *Pool) Has(id crypto.Hash) bool { return p.byID[id] != nil }

// Transaction returns a held transaction, nil otherwise.
func (p *Pool) Transaction(id crypto.Hash) *ledger.Transaction {
	if e := p.byID[id]; e != nil {
		return e.tx
	}
	return nil
}

// Add takes a verified transaction that ledger.Admit let pass. Errors are of the kinds above.
func (p *Pool) Add(v ledger.VerifiedTransaction) error {
	tx := v.Transaction()
	if p.byID[tx.ID()] != nil {
		return ErrKnown
	}
	if key, ok := accusedBy(tx); ok && (p.accused[key] >= maxProofsOfOne || p.byAuthor[tx.Body.Author] >= maxEvidence) {
		return fmt.Errorf("%w: %d proofs of offences wait, %d of them against %s", ErrAuthorLimit, p.byAuthor[tx.Body.Author], p.accused[key], key)
	}
	if p.byAuthor[tx.Body.Author] >= p.limits.PerAuthor {
		return fmt.Errorf("%w: %s has %d; wait until some are in a block", ErrAuthorLimit, tx.Body.Author, p.limits.PerAuthor)
	}
	if !p.makeRoom(tx) {
		return fmt.Errorf("%w: %d transactions of %d bytes wait; try again later or offer a higher tip", ErrFull, len(p.byID), p.bytes)
	}
	p.arrivals++
	p.hold(&entry{tx: tx, arrival: p.arrivals})
	return nil
}

// makeRoom drops what a newcomer replaces, if that makes room enough for it; otherwise nothing.
func (p *Pool) makeRoom(tx *ledger.Transaction) bool {
	if tx.Size() > p.limits.Bytes {
		return false
	}
	fits := func() bool {
		return len(p.byID) < p.limits.Transactions && p.bytes+tx.Size() <= p.limits.Bytes
	}
	var dropped []*entry
	for !fits() {
		if len(p.worst) == 0 || priority(p.worst[0].tx) >= priority(tx) {
			for _, e := range dropped {
				p.hold(e)
			}
			return false
		}
		dropped = append(dropped, p.worst[0])
		p.remove(p.worst[0].tx.ID())
	}
	return true
}

func (p *Pool) hold(e *entry) {
	p.byID[e.tx.ID()] = e
	heap.Push(&p.worst, e)
	p.byAuthor[e.tx.Body.Author]++
	if key, ok := accusedBy(e.tx); ok {
		p.accused[key]++
	}
	p.bytes += e.tx.Size()
}

// before orders by tip, highest first, then by arrival.
func before(a, b *entry) bool {
	if pa, pb := priority(a.tx), priority(b.tx); pa != pb {
		return pa > pb
	}
	return a.arrival < b.arrival
}

// Bounds of the proofs of offences that wait. They cost no fee, and an offender could make them without end; of one
// offender the first counts, so that many against one must not keep out those against others.
const (
	maxEvidence    = quorum.MaxValidators
	maxProofsOfOne = 2 // the first may be too old when its block comes
)

// accusedBy is the key that a proof of an offence accuses; false for any other transaction.
func accusedBy(tx *ledger.Transaction) (crypto.PublicKey, bool) {
	if p, ok := tx.Payload().(*ledger.SubmitEvidence); ok {
		return p.Validator, true
	}
	return crypto.PublicKey{}, false
}

// priority is the tip, and more than any tip for proof of an offence: nobody may buy it out of the next block.
func priority(tx *ledger.Transaction) uint64 {
	if tx.IsEvidence() {
		return math.MaxUint64
	}
	return tx.Body.Tip
}

func (p *Pool) remove(id crypto.Hash) {
	e := p.byID[id]
	if e == nil {
		return
	}
	delete(p.byID, id)
	heap.Remove(&p.worst, e.at)
	p.bytes -= e.tx.Size()
	author := e.tx.Body.Author
	if p.byAuthor[author]--; p.byAuthor[author] == 0 {
		delete(p.byAuthor, author)
	}
	if key, ok := accusedBy(e.tx); ok {
		if p.accused[key]--; p.accused[key] == 0 {
			delete(p.accused, key)
		}
	}
}

// Remove drops transactions that are in the ledger now; unknown ids are fine.
func (p *Pool) Remove(ids []crypto.Hash) {
	for _, id := range ids {
		p.remove(id)
	}
}

// Evidence lists the proofs of offences that wait, at most maxEvidence, in no order.
func (p *Pool) Evidence() []*ledger.Transaction {
	if p.byAuthor[crypto.Address{}] == 0 {
		return nil
	}
	var out []*ledger.Transaction
	for _, e := range p.byID {
		if e.tx.IsEvidence() {
			out = append(out, e.tx)
		}
	}
	return out
}

// All lists the transactions held, in no order.
func (p *Pool) All() []*ledger.Transaction {
	out := make([]*ledger.Transaction, 0, len(p.byID))
	for _, e := range p.byID {
		out = append(out, e.tx)
	}
	return out
}

// Expire drops every transaction whose last height is below the next block's, and returns their ids in
// ascending order.
func (p *Pool) Expire(next quorum.Height) []crypto.Hash {
	var gone []crypto.Hash
	for id, e := range p.byID {
		if e.tx.Body.ExpiryHeight < next {
			gone = append(gone, id)
		}
	}
	slices.SortFunc(gone, func(a, b crypto.Hash) int { return bytes.Compare(a[:], b[:]) })
	p.Remove(gone)
	return gone
}

// Select returns raw transactions for a block of at most maxBytes and quorum.MaxPayloadTxs: highest tip first, then oldest, and a
// transaction that depends on another one of the pool after it. skip names those that an unfinished
// ancestor carries; what depends on them may follow. settled says whether a transaction is in the ledger: one
// that waits for another that is neither held, nor skipped, nor settled is left out.
func (p *Pool) Select(maxBytes int, skip, settled func(crypto.Hash) bool) [][]byte {
	return p.selectMost(maxBytes, quorum.MaxPayloadTxs, skip, settled)
}

func (p *Pool) selectMost(maxBytes, most int, skip, settled func(crypto.Hash) bool) [][]byte {
	order := make([]*entry, 0, len(p.byID))
	for _, e := range p.byID {
		order = append(order, e)
	}
	slices.SortFunc(order, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(priority(b.tx), priority(a.tx)), cmp.Compare(a.arrival, b.arrival))
	})
	s := selection{pool: p, skip: skip, settled: settled, room: maxBytes, most: most, done: map[crypto.Hash]bool{}}
	for _, e := range order {
		s.take(e, 0)
	}
	return s.raws
}

// maxChain bounds how deep dependencies are followed in one block.
const maxChain = 64

type selection struct {
	pool          *Pool
	skip, settled func(crypto.Hash) bool
	room, most    int                  // bytes and transactions that still fit; most counts all of the block
	done          map[crypto.Hash]bool // true: in the block or in an ancestor; false: left out
	raws          [][]byte
}

// take puts e into the block, after what it depends on, and reports whether it is there or in an ancestor.
func (s *selection) take(e *entry, depth int) bool {
	id := e.tx.ID()
	if in, seen := s.done[id]; seen {
		return in
	}
	if s.skip(id) {
		s.done[id] = true
		return true
	}
	if depth > maxChain {
		return false // not marked: it may still come on its own, and what needs it in a later block
	}
	s.done[id] = false // a cycle cannot be: ids are hashes; this stops a repeated walk
	if !s.fits(e) {
		return false
	}
	for _, needed := range e.tx.Body.DependsOn {
		if d := s.pool.byID[needed]; d != nil {
			if !s.take(d, depth+1) {
				return false
			}
		} else if !s.skip(needed) && !s.settled(needed) {
			return false
		}
	}
	if !s.fits(e) { // what it depends on took room
		return false
	}
	s.room -= e.tx.Size()
	s.raws = append(s.raws, e.tx.Raw())
	s.done[id] = true
	return true
}

func (s *selection) fits(e *entry) bool {
	return e.tx.Size() <= s.room && len(s.raws) < s.most
}
