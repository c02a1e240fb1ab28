package ledger

import (
	"bytes"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Bounds of a transaction. Params.MaxTxBytes is usually the smaller.
const (
	MaxTransactionBytes = 1 << 20
	MaxSignatures       = 8
	MaxDependencies     = 16
	MaxEvents           = 4096 // of one capture
)

// BodyVersion is the only version of transaction bodies so far.
const BodyVersion = 1

// Body is everything of a transaction that is signed. There are no account nonces: a transaction counts once, until
// its expiry height; order, where it matters, is DependsOn.
type Body struct {
	_            struct{} `cbor:",toarray"`
	Version      uint16   // BodyVersion
	Genesis      crypto.Hash
	Author       crypto.Address
	Sponsor      *crypto.Address // pays the fee and signs too; nil: the author pays
	ExpiryHeight quorum.Height   // last height at which it may be executed
	DependsOn    []crypto.Hash   // transactions that must have succeeded before
	Tip          uint64          // smallest unit, on top of the fee
	Kind         Kind
	Payload      []byte  // canonical CBOR of the kind's struct
	Salt         [8]byte // makes two otherwise equal bodies differ
	// The body of a SubmitEvidence is all zero but for version, network, kind, payload and the last possible expiry height.
}

// SignedBy is one signature and the key that made it.
type SignedBy struct {
	_         struct{} `cbor:",toarray"`
	Key       crypto.PublicKey
	Signature crypto.Signature
}

// envelope is the wire form of a transaction. The body stays the bytes its author signed.
type envelope struct {
	_          struct{} `cbor:",toarray"`
	Body       []byte
	Signatures []SignedBy // ascending by key, no key twice
}

// Transaction is a decoded transaction, immutable. Its signatures are not checked yet; see [VerifyTransactions].
type Transaction struct {
	Body       Body
	Signatures []SignedBy

	id      crypto.Hash
	raw     []byte
	charged int // bytes that the fee is for
	payload Payload
	events  []capturedEvent // of a Capture, in order
}

// ID names the transaction: the tagged hash of its body. Signatures are not part of it.
func (tx *Transaction) ID() crypto.Hash { return tx.id }

// Raw returns the bytes of the transaction. Do not change them.
func (tx *Transaction) Raw() []byte { return tx.raw }

// Size is the length of Raw in bytes.
func (tx *Transaction) Size() int { return len(tx.raw) }

// Payload returns the decoded payload. Do not change it.
func (tx *Transaction) Payload() Payload { return tx.payload }

// Checks returns the questions to crypto.VerifyBatch: one for each signature, and for evidence one for each vote.
func (tx *Transaction) Checks() []crypto.Check {
	if p, ok := tx.payload.(*SubmitEvidence); ok {
		return tx.evidenceChecks(p)
	}
	checks := make([]crypto.Check, len(tx.Signatures))
	for i, s := range tx.Signatures {
		checks[i] = crypto.Check{Key: s.Key, Digest: tx.id, Signature: s.Signature}
	}
	return checks
}

// payer is who pays the fee.
func (tx *Transaction) payer() crypto.Address {
	if tx.Body.Sponsor != nil {
		return *tx.Body.Sponsor
	}
	return tx.Body.Author
}

// NewBody makes a body for a payload, without sponsor, tip, dependencies and salt.
func NewBody(genesis crypto.Hash, author crypto.Address, expiry quorum.Height, p Payload) (Body, error) {
	data, err := crypto.Marshal(p)
	if err != nil {
		return Body{}, malformedBy(ErrPayload, err, "%s", p.Kind())
	}
	return Body{Version: BodyVersion, Genesis: genesis, Author: author, ExpiryHeight: expiry, Kind: p.Kind(), Payload: data}, nil
}

// Encode returns the bytes that are signed.
func (b Body) Encode() ([]byte, error) {
	data, err := crypto.Marshal(&b)
	if err != nil {
		return nil, malformedBy(ErrEncoding, err, "transaction body")
	}
	return data, nil
}

// Digest is what signers sign, and the id of the transaction.
func (b Body) Digest() (crypto.Hash, error) {
	data, err := b.Encode()
	if err != nil {
		return crypto.Hash{}, err
	}
	return crypto.Sum(crypto.TagTransaction, data), nil
}

// Sign makes the transaction that the keys sign: the author's, the sponsor's if there is one, and a new validator's.
func Sign(body Body, keys ...crypto.PrivateKey) (*Transaction, error) {
	digest, err := body.Digest()
	if err != nil {
		return nil, err
	}
	signatures := make([]SignedBy, len(keys))
	for i, k := range keys {
		signatures[i] = SignedBy{Key: k.Public(), Signature: k.Sign(digest)}
	}
	return NewTransaction(body, signatures)
}

// NewTransaction joins a body with signatures made elsewhere, in any order; a key that signed twice counts once.
func NewTransaction(body Body, signatures []SignedBy) (*Transaction, error) {
	data, err := body.Encode()
	if err != nil {
		return nil, err
	}
	sorted := slices.Clone(signatures)
	slices.SortStableFunc(sorted, func(a, b SignedBy) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	sorted = slices.CompactFunc(sorted, func(a, b SignedBy) bool { return a.Key == b.Key })
	raw, err := crypto.Marshal(&envelope{Body: data, Signatures: sorted})
	if err != nil {
		return nil, malformedBy(ErrEncoding, err, "transaction")
	}
	return DecodeTransaction(raw)
}

// DecodeTransaction reads a transaction with its payload and events. It accepts exactly one encoding and nothing above
// the bounds, of which one is memory: all that is made of it, what is worked out of its events included, takes at most 16
// bytes for each of its own and 64 KiB ([crypto.Budget]). The error is a [FormError]. The transaction keeps raw.
func DecodeTransaction(raw []byte) (*Transaction, error) {
	if len(raw) > MaxTransactionBytes {
		return nil, malformed(ErrTooLarge, "a transaction is at most %d bytes, got %d; split it", MaxTransactionBytes, len(raw))
	}
	var e envelope
	budget := crypto.NewBudget(len(raw))
	if err := crypto.UnmarshalWithin(raw, &e, &budget); err != nil {
		return nil, malformedBy(ErrEncoding, err, "transaction")
	}
	tx := &Transaction{raw: raw, Signatures: e.Signatures, id: crypto.Sum(crypto.TagTransaction, e.Body), charged: len(e.Body)}
	if err := crypto.UnmarshalWithin(e.Body, &tx.Body, &budget); err != nil {
		return nil, malformedBy(ErrEncoding, err, "transaction body")
	}
	if err := tx.checkForm(); err != nil {
		return nil, err
	}
	if err := tx.decodePayload(&budget); err != nil {
		return nil, err
	}
	return tx, nil
}

func (tx *Transaction) checkForm() error {
	b := &tx.Body
	if b.Version != BodyVersion {
		return malformed(ErrKind, "transaction version %d is not known; this program knows %d", b.Version, BodyVersion)
	}
	if tx.IsEvidence() {
		return tx.checkEvidenceForm()
	}
	if b.Author.IsZero() || (b.Sponsor != nil && b.Sponsor.IsZero()) {
		return malformed(ErrEncoding, "the author or sponsor of a transaction is the zero address")
	}
	if b.Sponsor != nil && *b.Sponsor == b.Author {
		return malformed(ErrEncoding, "the author of a transaction is its own sponsor; leave the sponsor out")
	}
	if len(b.DependsOn) > MaxDependencies {
		return malformed(ErrTooLarge, "a transaction depends on at most %d others, got %d", MaxDependencies, len(b.DependsOn))
	}
	for i, id := range b.DependsOn {
		if slices.Contains(b.DependsOn[:i], id) {
			return malformed(ErrEncoding, "a transaction depends on %s twice", id)
		}
	}
	if n := len(tx.Signatures); n == 0 || n > MaxSignatures {
		return malformed(ErrSignature, "a transaction has 1 to %d signatures, got %d", MaxSignatures, n)
	}
	for i := 1; i < len(tx.Signatures); i++ {
		if bytes.Compare(tx.Signatures[i-1].Key[:], tx.Signatures[i].Key[:]) >= 0 {
			return malformed(ErrSignature, "signatures are not ascending by key, or one key signed twice")
		}
	}
	return nil
}

func (tx *Transaction) decodePayload(budget *crypto.Budget) error {
	p := newPayload(tx.Body.Kind)
	if p == nil {
		return malformed(ErrKind, "transaction kind %d is not known; upgrade this program", uint16(tx.Body.Kind))
	}
	if err := crypto.UnmarshalWithin(tx.Body.Payload, p, budget); err != nil {
		return malformedBy(ErrPayload, err, "%s", tx.Body.Kind)
	}
	if err := p.check(); err != nil {
		return err
	}
	tx.payload = p
	if c, ok := p.(*Capture); ok {
		events, err := prepareEvents(c, budget)
		if err != nil {
			return err
		}
		tx.events = events
	}
	return nil
}

// VerifiedTransaction is a transaction all of whose signatures are valid. Only [VerifyTransactions] makes one that is
// not zero.
type VerifiedTransaction struct {
	tx *Transaction
}

// Transaction returns the transaction; nil for the zero value.
func (v VerifiedTransaction) Transaction() *Transaction { return v.tx }

// VerifyResult is the answer for one transaction: Verified, or why not.
type VerifyResult struct {
	Verified VerifiedTransaction
	Err      error // of kind ErrSignature
}

// VerifyTransactions checks all signatures of all transactions in one batch and answers in order. It knows no state:
// whether the keys may sign for the author is asked by [Precheck], before, and by [Apply].
func VerifyTransactions(txs []*Transaction) []VerifyResult {
	return VerifyTransactionsWith(nil, txs)
}

// VerifyTransactionsWith is VerifyTransactions with another judge of signatures, nil for the real one. It is for the
// simulator; see quorum.Domain.
func VerifyTransactionsWith(checker quorum.Checker, txs []*Transaction) []VerifyResult {
	var checks []crypto.Check
	count := make([]int, len(txs))
	for i, tx := range txs {
		of := tx.Checks()
		checks, count[i] = append(checks, of...), len(of)
	}
	verify := crypto.VerifyBatch
	if checker != nil {
		verify = checker.VerifyBatch
	}
	valid := verify(checks)
	out := make([]VerifyResult, len(txs))
	next := 0
	for i, tx := range txs {
		out[i].Verified.tx = tx
		for range count[i] {
			if !valid[next] && out[i].Err == nil {
				out[i] = VerifyResult{Err: malformed(ErrSignature, "transaction %s: the signature of key %s is wrong", tx.id, checks[next].Key)}
			}
			next++
		}
	}
	return out
}
