package wallet

import (
	"fmt"
	"io"
	"math"
	"slices"

	"waybill/api"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// DefaultExpiry is how many blocks after the tip a transaction expires when nobody says otherwise and the network allows
// as much. It is long enough to outlast a busy network and short enough that a lost transaction is soon known to be lost.
const DefaultExpiry = 600

// Builder makes unsigned transactions of one author for one network. Fill in the first group; the zero value of the
// others is the usual choice. Its methods change nothing in it. Errors: *Error of kind ErrContent or ErrTooLarge,
// *ledger.FormError, and whatever Random says.
type Builder struct {
	Author crypto.Address // whose account acts; not always the address of the key that signs (see ledger.AddKey)
	At     api.ChainPoint // where the chain is now, and its rules

	// Choices of the author.
	Sponsor   crypto.Address // pays the fee and signs too; zero: the author pays
	Tip       uint64         // smallest unit, on top of the fee
	DependsOn []crypto.Hash  // transactions that must have succeeded before
	Expiry    uint64         // blocks after the tip; 0: DefaultExpiry or the network's window, whichever is shorter

	// Keys is how many keys of an account must sign (ledger.Account.Needed), for the size of transactions; of others one.
	Keys map[crypto.Address]int

	// Random is where salts come from; nil: the system's randomness.
	Random io.Reader
}

// Build makes the body of any kind of transaction and checks that the ledger can read it back. For events use Capture,
// which encodes and splits them.
func (b *Builder) Build(p ledger.Payload) (ledger.Body, error) {
	if p.Kind() == ledger.KindSubmitEvidence {
		return ledger.Body{}, refuse(ErrContent, "evidence has no author; ledger.NewEvidenceTransaction makes it")
	}
	body, err := b.body(p, b.DependsOn)
	if err != nil {
		return ledger.Body{}, err
	}
	if _, err := readable(body); err != nil {
		return ledger.Body{}, err
	}
	size, err := b.sizeSigned(body, p)
	if err != nil {
		return ledger.Body{}, err
	}
	if limit := b.sizeLimit(); size > limit {
		return ledger.Body{}, refuse(ErrTooLarge, "this %s makes a transaction of %d bytes; this network takes at most %d. Say less in one transaction", p.Kind(), size, limit)
	}
	return body, nil
}

// body fills in everything but the size check.
func (b *Builder) body(p ledger.Payload, dependsOn []crypto.Hash) (ledger.Body, error) {
	if err := b.check(); err != nil {
		return ledger.Body{}, err
	}
	expiry, err := b.expiryHeight()
	if err != nil {
		return ledger.Body{}, err
	}
	body, err := ledger.NewBody(b.At.Genesis, b.Author, expiry, p)
	if err != nil {
		return ledger.Body{}, err
	}
	body.Tip, body.DependsOn = b.Tip, slices.Clone(dependsOn)
	if !b.Sponsor.IsZero() {
		sponsor := b.Sponsor
		body.Sponsor = &sponsor
	}
	if _, err := io.ReadFull(systemRandom(b.Random), body.Salt[:]); err != nil {
		return ledger.Body{}, fmt.Errorf("reading randomness for a transaction: %w", err)
	}
	return body, nil
}

func (b *Builder) check() error {
	switch {
	case b.Author.IsZero():
		return refuse(ErrContent, "a transaction needs an author; name the wallet or account that acts")
	case b.At.Genesis.IsZero():
		return refuse(ErrContent, "the network is not known; ask a node where its chain is")
	case b.Sponsor == b.Author:
		return refuse(ErrContent, "%s cannot sponsor its own transaction; leave the sponsor out", b.Author)
	case len(b.DependsOn) > ledger.MaxDependencies:
		return refuse(ErrContent, "a transaction depends on at most %d others, got %d; name only the last of each chain", ledger.MaxDependencies, len(b.DependsOn))
	}
	return nil
}

// expiryHeight is the last height at which the transaction may be executed.
func (b *Builder) expiryHeight() (quorum.Height, error) {
	window := b.At.Params.ExpiryWindow
	if window == 0 {
		return 0, refuse(ErrContent, "the network's expiry window is not known; ask a node for the network's parameters")
	}
	ahead := b.Expiry
	switch {
	case ahead == 0:
		ahead = min(window, DefaultExpiry)
	case ahead > window:
		return 0, refuse(ErrContent, "a transaction may expire at most %d blocks ahead on this network, not %d; choose less", window, ahead)
	}
	if uint64(b.At.Height) > math.MaxUint64-ahead {
		return 0, refuse(ErrContent, "height %d is no height of a real chain; ask another node", b.At.Height)
	}
	return b.At.Height + quorum.Height(ahead), nil
}

// sizeLimit is what the network and this program take of one transaction, in bytes.
func (b *Builder) sizeLimit() int {
	return int(min(b.At.Params.MaxTxBytes, ledger.MaxTransactionBytes))
}

// readable decodes a body as the ledger will, with a signature of nobody where one has to be.
func readable(body ledger.Body) (*ledger.Transaction, error) {
	return ledger.NewTransaction(body, []ledger.SignedBy{{}})
}

// signersOf lists the accounts and keys, by address, that have to sign: the author, the sponsor, a new validator's key.
func signersOf(body *ledger.Body, p ledger.Payload) []crypto.Address {
	signers := []crypto.Address{body.Author}
	if body.Sponsor != nil {
		signers = append(signers, *body.Sponsor)
	}
	if key, ok := newValidatorKey(p); ok {
		if a := key.Address(); !slices.Contains(signers, a) {
			signers = append(signers, a)
		}
	}
	return signers
}

// newValidatorKey is the consensus key that a payload brings in, if it does: it must sign.
func newValidatorKey(p ledger.Payload) (crypto.PublicKey, bool) {
	switch p := p.(type) {
	case *ledger.RegisterValidator:
		return p.Key, true
	case *ledger.RotateValidatorKey:
		return p.New, true
	}
	return crypto.PublicKey{}, false
}

// sizeSigned is the size in bytes of the transaction once everybody has signed.
func (b *Builder) sizeSigned(body ledger.Body, p ledger.Payload) (int, error) {
	data, err := body.Encode()
	if err != nil {
		return 0, err
	}
	signatures, err := signaturesSize(b.signatures(&body, p))
	return envelopeSize(len(data), signatures), err
}

// signatures is how many signatures a transaction needs.
func (b *Builder) signatures(body *ledger.Body, p ledger.Payload) int {
	n := 0
	for _, account := range signersOf(body, p) {
		n += max(1, b.Keys[account])
	}
	return n
}

// signaturesSize is the size of a list of n signatures. All have the same size, so empty ones measure as well.
func signaturesSize(n int) (int, error) {
	list, err := crypto.Marshal(make([]ledger.SignedBy, n))
	if err != nil {
		return 0, fmt.Errorf("measuring signatures: %w", err)
	}
	return len(list), nil
}

// envelopeSize is the size of a transaction with a body and a list of signatures of so many bytes.
func envelopeSize(body, signatures int) int { return 1 + headSize(body) + body + signatures }

// headSize is the length of the CBOR head of a byte string or list of n (RFC 8949, section 3).
func headSize(n int) int {
	switch {
	case n < 24:
		return 1
	case n <= math.MaxUint8:
		return 2
	case n <= math.MaxUint16:
		return 3
	}
	return 5
}
