package api

import (
	"context"
	"fmt"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/epcis/query"
	"waybill/ledger"
)

// The interfaces below are what a server needs from a node. All are called concurrently. Errors that a caller can mean
// are the Kinds of this package (ErrNotFound, ErrBusy, ErrNotReady), refusals of ledger, query, trace and epcis, and the
// error of the context; anything else is answered 500 without detail.

// Chain reads finalized blocks.
type Chain interface {
	// Block returns the block at a height, the genesis block included; ErrNotFound above the tip or when pruned.
	Block(ctx context.Context, height quorum.Height) (*Block, error)
	// HeightOf finds a finalized block by its hash; ErrNotFound.
	HeightOf(ctx context.Context, block crypto.Hash) (quorum.Height, error)
	// Epoch returns how an epoch began; ErrNotFound for one that has not.
	Epoch(ctx context.Context, epoch quorum.Epoch) (*Epoch, error)
}

// Block is a finalized block with what came of it.
type Block struct {
	Header      quorum.Header
	Payload     [][]byte            // raw transactions in order
	Certificate *quorum.Certificate // its finalization; nil for the genesis block
	Receipts    []ledger.Receipt    // one per transaction
}

// State reads the state of the ledger.
type State interface {
	// At returns the state after a block; nil: after the last executed one. Close it. Errors: ErrNotFound for a height above
	// the tip, *PrunedError for one whose state is no longer kept.
	At(ctx context.Context, height *quorum.Height) (Reading, error)
}

// Reading is the state after one block, unmoved by later ones, with the lists that lead to its records.
type Reading interface {
	ledger.View
	// Height is that of the block.
	Height() quorum.Height
	// Keys lists, ascending, at most limit state keys that begin with prefix and come after the given one (nil: from the
	// first): all that stand at this height, and some that came later. Read each: there may be nothing under it yet.
	Keys(ctx context.Context, prefix, after []byte, limit int) ([][]byte, error)
	// List returns at most limit places of a list, newest first, that come after the given one (nil: from the newest) and
	// are not younger than this height. They are of the present too: read each record.
	List(ctx context.Context, list ledger.List, scope string, after *ledger.Place, limit int) ([]ledger.Place, error)
	// Close releases the state. Once.
	Close()
}

// PrunedError says that a node does not keep the state of a height any more. It is an ErrPruned.
type PrunedError struct {
	Height, Oldest quorum.Height // what was asked for, and the oldest that is kept
}

// Error says what to do.
func (e *PrunedError) Error() string {
	return fmt.Sprintf("the state after block %d is no longer kept here, the oldest is that after block %d", e.Height, e.Oldest)
}

// Unwrap lets errors.Is(err, ErrPruned) hold.
func (e *PrunedError) Unwrap() error { return ErrPruned }

// NotProvenError says that what is final cannot be proven yet: a header commits to the state some blocks before it. It is an
// ErrNotProven.
type NotProvenError struct {
	Tip, Provable quorum.Height // the last block when it was asked for, and the newest that can be proven
}

// Error names both blocks.
func (e *NotProvenError) Error() string {
	return fmt.Sprintf("the ledger is at block %d and block %d is the newest that can be proven", e.Tip, e.Provable)
}

// Unwrap lets errors.Is(err, ErrNotProven) hold.
func (e *NotProvenError) Unwrap() error { return ErrNotProven }

// Prover makes proofs against finalized headers.
type Prover interface {
	// ProveState proves the value under a raw state key, or that there is none, in the state after a block; nil: in the
	// newest state that a finalized header commits to. Errors: ErrNotReady while there is no such header, ErrNotFound for a
	// height that no header commits to, *PrunedError.
	ProveState(ctx context.Context, key []byte, height *quorum.Height) (*StateProof, error)
	// ProveTransaction proves that a transaction is in a finalized block; ErrNotFound.
	ProveTransaction(ctx context.Context, id crypto.Hash) (*TransactionProof, error)
}

// StateProof shows what was under a key after block Height. Verify it with [StateProof.Check] and the certificate with
// ledger/light.
type StateProof struct {
	Header      quorum.Header   // commits to the state: ExecHeight and ExecStateRoot
	Path        []quorum.Header // its descendants up to the block that Certificate names; mostly none
	Certificate quorum.Certificate
	Key         []byte
	Value       []byte // nil: there is nothing under the key
	Proof       crypto.TreeProof
}

// TransactionProof shows that a transaction is in the block of Header. Verify it with [TransactionProof.Check] and the
// certificate with ledger/light.
type TransactionProof struct {
	Header      quorum.Header
	Path        []quorum.Header // its descendants up to the block that Certificate names; mostly none
	Certificate quorum.Certificate
	Raw         []byte
	Proof       crypto.InclusionProof // of Raw under Header.PayloadRoot
}

// Submitter takes signed transactions.
type Submitter interface {
	// Submit hands a raw transaction to the network. The same transaction again is no error. Refusals:
	// *ledger.FormError, *ledger.RuleError, ErrBusy (no room now), ErrNotReady (not in sync).
	Submit(ctx context.Context, raw []byte) (crypto.Hash, error)
}

// Transactions says what became of transactions.
type Transactions interface {
	// Transaction returns what this node knows; ErrNotFound if it never saw the transaction or forgot it.
	Transaction(ctx context.Context, id crypto.Hash) (*Transaction, error)
	// Wait returns as Transaction does, but not while the status is pending or the transaction unknown; the error of
	// ctx when it ends first.
	Wait(ctx context.Context, id crypto.Hash) (*Transaction, error)
}

// TxStatus is what became of a transaction.
type TxStatus string

// The statuses. Unknown is an answer of the server only, with 404.
const (
	TxPending TxStatus = "pending" // accepted here, not in a finalized block yet
	TxFinal   TxStatus = "final"   // in a finalized block and executed
	TxRefused TxStatus = "refused" // in a finalized block and refused by a rule: it cost its fee and did nothing
	TxExpired TxStatus = "expired" // its expiry height passed without a block taking it
	TxUnknown TxStatus = "unknown" // never seen here, or forgotten
)

// Transaction is what a node knows of a transaction.
type Transaction struct {
	Status  TxStatus
	Raw     []byte          // as signed; nil where only the id is remembered
	Height  quorum.Height   // of its block; final and refused only
	Index   int             // in that block
	TimeMs  int64           // of that block, ms since the Unix epoch
	Receipt *ledger.Receipt // final and refused only
}

// Events answers EPCIS queries from the local index. *query.Error is a refusal.
type Events interface {
	Find(ctx context.Context, q *query.Query) (*query.Page, error)
	// IndexedHeight is the block up to which answers are complete.
	IndexedHeight() quorum.Height
	// WaitIndexed returns nil once IndexedHeight is at least height, or the error of ctx.
	WaitIndexed(ctx context.Context, height quorum.Height) error
}

// Node describes the running node.
type Node interface {
	Status() Status
	Peers() []Peer
	Checks() []Check
}

// CaptureSigner makes signed transactions of EPCIS events in the name of an account that this node was given. It is
// optional: most companies keep their keys away from the node and post signed transactions. wallet.Signer implements it.
type CaptureSigner interface {
	// SignCapture returns raw signed transactions to be submitted in order. Refusals: epcis.Faults, *ledger.FormError,
	// and errors that wrap a Kind of this package: ErrTooLarge when the events are too large for one transaction and the
	// mode does not allow several.
	SignCapture(ctx context.Context, events []*epcis.Event, mode ledger.CaptureMode, at ChainPoint) ([][]byte, error)
}

// ChainPoint is where the chain is, for whoever makes transactions.
type ChainPoint struct {
	Genesis crypto.Hash
	Height  quorum.Height // last finalized
	Params  ledger.Params
}

// JobStore remembers capture jobs. [NewMemoryJobs] is one that forgets at restart; losing jobs loses no capture.
type JobStore interface {
	// SaveJob adds a job; one that is there already stays as it is, unless its Refused is set and that of the new one is
	// not.
	SaveJob(ctx context.Context, job Job) error
	// LoadJob returns ErrNotFound for a job that is not remembered.
	LoadJob(ctx context.Context, id string) (Job, error)
	// ListJobs lists the newest first, those older than the job called after ("": from the newest), at most limit.
	ListJobs(ctx context.Context, after string, limit int) ([]Job, error)
}

// Job is a capture as it was accepted; what became of it is asked of Transactions.
type Job struct {
	ID           string        `json:"id"`
	CreatedMs    int64         `json:"createdMs"` // ms since the Unix epoch
	Mode         string        `json:"mode"`      // "rollback" or "proceed"
	Transactions []crypto.Hash `json:"transactions"`
	// Refused is what the node said when it did not take a transaction after it had taken earlier ones; nil if it took
	// all. The transactions above are then those it took.
	Refused *Problem `json:"refused,omitempty"`
}
