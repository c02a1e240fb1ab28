package mempool

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"

	"waybill/ledger"
)

// Bounds of the cache of a Verifier: some seconds of a busy network.
const (
	rememberedTransactions = 16_384
	rememberedBytes        = 32 << 20 // of raw transactions
)

// Verifier decodes transactions and checks their signatures, each once while it is remembered. Safe for
// concurrent use.
type Verifier struct {
	// known maps the hash of the raw bytes, signatures included, to the verified transaction.
	known *lru.Cache[[sha256.Size]byte, ledger.VerifiedTransaction]
	bytes atomic.Int64 // raw bytes of known
}

// NewVerifier makes a verifier that remembers nothing yet.
func NewVerifier() *Verifier {
	v := &Verifier{}
	cache, err := lru.NewWithEvict(rememberedTransactions, func(_ [sha256.Size]byte, gone ledger.VerifiedTransaction) {
		v.bytes.Add(-int64(gone.Transaction().Size()))
	})
	if err != nil {
		panic("mempool: " + err.Error()) // a size that is not positive
	}
	v.known = cache
	return v
}

func (v *Verifier) remember(key [sha256.Size]byte, tx ledger.VerifiedTransaction) {
	if held, _ := v.known.ContainsOrAdd(key, tx); held {
		return
	}
	v.bytes.Add(int64(tx.Transaction().Size()))
	for v.bytes.Load() > rememberedBytes && v.known.Len() > 1 {
		v.known.RemoveOldest()
	}
}

// Result is the answer for one raw transaction.
type Result struct {
	Verified ledger.VerifiedTransaction
	Err      error // a ledger.FormError
}

// Each answers for every raw transaction, in order. precheck, if not nil, is asked about each decoded
// transaction before its signatures are looked at: whoever is unknown to the ledger costs no cryptography. It
// is not asked about remembered ones. The transactions of the answer share no memory with raws, which are often
// small parts of large messages.
func (v *Verifier) Each(raws [][]byte, precheck func(*ledger.Transaction) error) []Result {
	out := make([]Result, len(raws))
	keys := make([][sha256.Size]byte, len(raws))
	var (
		todo []*ledger.Transaction
		at   []int
	)
	for i, raw := range raws {
		keys[i] = sha256.Sum256(raw)
		if known, ok := v.known.Get(keys[i]); ok {
			out[i].Verified = known
			continue
		}
		tx, err := ledger.DecodeTransaction(bytes.Clone(raw))
		if err == nil && precheck != nil {
			err = precheck(tx)
		}
		if err != nil {
			out[i].Err = err
			continue
		}
		todo, at = append(todo, tx), append(at, i)
	}
	for k, r := range ledger.VerifyTransactions(todo) {
		i := at[k]
		if out[i].Err = r.Err; r.Err == nil {
			out[i].Verified = r.Verified
			v.remember(keys[i], r.Verified)
		}
	}
	return out
}

// ErrBadTransaction says that a list contains a transaction that is none.
var ErrBadTransaction = errors.New("not a valid transaction")

// All verifies a whole payload; the first bad transaction is the error.
func (v *Verifier) All(raws [][]byte) ([]ledger.VerifiedTransaction, error) {
	out := make([]ledger.VerifiedTransaction, len(raws))
	for i, r := range v.Each(raws, nil) {
		if r.Err != nil {
			return nil, fmt.Errorf("%w: transaction %d: %w", ErrBadTransaction, i, r.Err)
		}
		out[i] = r.Verified
	}
	return out, nil
}
