package light

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/refusal"
)

// Kind classifies a refusal, for [errors.Is].
type Kind string

// The refusals. What the proof itself has to say is wrapped: crypto.ErrProof, quorum.ErrPower and so on.
const (
	ErrCertificate Kind = "block is not final"      // the certificate does not show it
	ErrPath        Kind = "headers are not a chain" // a header is not the parent of the next
	ErrInclusion   Kind = "not in the block"        // a Merkle proof fails
	ErrState       Kind = "not in the state"        // a state proof fails
	ErrMismatch    Kind = "proofs do not belong together"
	ErrRefused     Kind = "refused on the ledger" // proven, but the ledger refused it
	ErrHandover    Kind = "not the next epoch"    // a closing block does not hand over to that set
	ErrStale       Kind = "trust has run out"     // what is known is too old to be built on
)

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return string(k) }

// Error is a refusal: Kind for machines, Detail for people, Cause from below.
type Error = refusal.Of[Kind]

func refuse(kind Kind, cause error, format string, args ...any) error {
	return refusal.New(kind, cause, format, args...)
}

// maxPath bounds a chain of headers up to a certified one.
const maxPath = 1024

// Header is a header that was shown to be final. Only this package makes them.
type Header struct {
	header quorum.Header
	hash   crypto.Hash
}

// Header returns the header.
func (h Header) Header() quorum.Header { return h.header }

// Hash returns the name of the block.
func (h Header) Hash() crypto.Hash { return h.hash }

// VerifyHeader checks that cert finalizes the block with this header in the domain.
func VerifyHeader(d quorum.Domain, header quorum.Header, cert quorum.Certificate) (Header, error) {
	return VerifyPath(d, []quorum.Header{header}, cert)
}

// VerifyPath checks that cert finalizes the last of the headers, and that each is the parent of the next. It returns
// the first: a block is final when a descendant is.
func VerifyPath(d quorum.Domain, headers []quorum.Header, cert quorum.Certificate) (Header, error) {
	if len(headers) == 0 || len(headers) > maxPath {
		return Header{}, refuse(ErrPath, nil, "a path has 1 to %d headers, got %d", maxPath, len(headers))
	}
	last := headers[len(headers)-1]
	hash := last.Hash()
	if err := checkCertified(d, &last, hash, &cert); err != nil {
		return Header{}, err
	}
	if _, err := quorum.VerifyCertificate(d, cert); err != nil {
		return Header{}, refuse(ErrCertificate, err, "the certificate of block %d", last.Height)
	}
	for i := len(headers) - 2; i >= 0; i-- {
		parent := headers[i]
		child := headers[i+1]
		hash = parent.Hash()
		if child.Parent != hash || child.Height != parent.Height+1 || parent.Genesis != d.Genesis || parent.Epoch != child.Epoch {
			return Header{}, refuse(ErrPath, nil, "block %d is not the parent of block %d", parent.Height, child.Height)
		}
	}
	return Header{header: headers[0], hash: hash}, nil
}

// checkCertified checks that certificate, header and domain speak of the same block, before any signature.
func checkCertified(d quorum.Domain, h *quorum.Header, hash crypto.Hash, c *quorum.Certificate) error {
	switch {
	case h.Genesis != d.Genesis:
		return refuse(ErrCertificate, nil, "block %d is of the network %s, not %s", h.Height, h.Genesis, d.Genesis)
	case h.ValidatorSet != d.Set.Hash():
		return refuse(ErrCertificate, nil, "block %d is of the validator set %s, not %s", h.Height, h.ValidatorSet, d.Set.Hash())
	case c.Kind != quorum.KindFinalize:
		return refuse(ErrCertificate, nil, "the certificate is a %s, a finalization is needed", c.Kind)
	case h.IsTail():
		return refuse(ErrCertificate, nil, "a tail block is no block of the ledger")
	case c.Finalizes() != hash || c.Height != h.Height || c.Epoch != h.Epoch || !viewFits(h, c):
		return refuse(ErrCertificate, nil, "the certificate is of block %s at height %d, not of %s at height %d", c.Finalizes(), c.Height, hash, h.Height)
	}
	return nil
}

// viewFits: a block is finalized in its own view, a closing block also by a tail of a later one. That the tail is one, and
// that it is what was signed, is checked with the signatures.
func viewFits(h *quorum.Header, c *quorum.Certificate) bool {
	if c.Tail == nil {
		return c.View == h.View
	}
	return h.IsClosing() && c.View > h.View
}

// VerifyTransaction checks that raw is a transaction of the block and returns it.
func VerifyTransaction(h Header, raw []byte, p crypto.InclusionProof) (*ledger.Transaction, error) {
	if p.Size != uint64(h.header.TxCount) {
		return nil, refuse(ErrInclusion, nil, "block %d has %d transactions, the proof is about %d", h.header.Height, h.header.TxCount, p.Size)
	}
	if err := crypto.VerifyInclusion(h.header.PayloadRoot, raw, p); err != nil {
		return nil, refuse(ErrInclusion, err, "transaction %d of block %d", p.Index, h.header.Height)
	}
	tx, err := ledger.DecodeTransaction(raw)
	if err != nil {
		return nil, refuse(ErrInclusion, err, "transaction %d of block %d", p.Index, h.header.Height)
	}
	return tx, nil
}

// ReceiptProof leads from a receipt to a header that commits to it. A header commits to the receipts of all blocks up to
// its ExecHeight at once, by the chain of their receipts roots (ledger.ChainReceipts).
type ReceiptProof struct {
	Raw       []byte
	Inclusion crypto.InclusionProof // of Raw under Root
	Root      crypto.Hash           // receipts root of the receipt's block
	Before    crypto.Hash           // the chain up to the block before that one
	After     []crypto.Hash         // receipts roots of the blocks after it, up to the header's ExecHeight
}

// VerifyReceipt checks that p shows a receipt of the block at height at, to which h commits, and returns it. The caller
// knows the height from the transaction's block; the number of roots in After is what ties the receipt to it.
func VerifyReceipt(h Header, at quorum.Height, p ReceiptProof) (*ledger.Receipt, error) {
	exec := h.header.ExecHeight
	if at > exec || uint64(len(p.After)) != uint64(exec-at) || len(p.After) > maxPath {
		return nil, refuse(ErrMismatch, nil, "block %d commits to the receipts of blocks up to %d, the proof has %d roots after block %d",
			h.header.Height, exec, len(p.After), at)
	}
	if err := crypto.VerifyInclusion(p.Root, p.Raw, p.Inclusion); err != nil {
		return nil, refuse(ErrInclusion, err, "receipt %d of block %d", p.Inclusion.Index, at)
	}
	chain := ledger.ChainReceipts(p.Before, p.Root)
	for _, root := range p.After {
		chain = ledger.ChainReceipts(chain, root)
	}
	if chain != h.header.ExecReceiptsRoot {
		return nil, refuse(ErrInclusion, nil, "the receipts roots from block %d to block %d do not lead to what block %d commits to", at, exec, h.header.Height)
	}
	r, err := ledger.DecodeReceipt(p.Raw)
	if err != nil {
		return nil, refuse(ErrInclusion, err, "receipt %d of block %d", p.Inclusion.Index, at)
	}
	return r, nil
}

// EventProof is what shows that an event was accepted.
type EventProof struct {
	Block       Header // holds the transaction
	Transaction []byte
	Inclusion   crypto.InclusionProof
	Result      Header // commits to the receipts of Block
	Receipt     ReceiptProof
	Index       int // of the event in the transaction
}

// VerifyEvent checks that the ledger accepted the event and returns its record. ErrRefused means that the proof is
// right and shows a refusal.
func VerifyEvent(p EventProof) (*ledger.EventRecord, error) {
	tx, receipt, records, err := verifyEvents(p)
	if err != nil {
		return nil, err
	}
	for i := range records {
		r := &records[i]
		if r.Index != p.Index {
			continue
		}
		if !r.Accepted {
			return nil, refuse(ErrRefused, receipt.Err(), "event %d of transaction %s", p.Index, tx.ID())
		}
		return r, nil
	}
	return nil, refuse(ErrMismatch, nil, "transaction %s has no recorded event %d", tx.ID(), p.Index)
}

// VerifyEvents checks the proof of one transaction, whatever p.Index is, and returns it with the records of all its events,
// ascending by index. Duplicates have no record; refused ones have, and say so.
func VerifyEvents(p EventProof) (*ledger.Transaction, []ledger.EventRecord, error) {
	tx, _, records, err := verifyEvents(p)
	return tx, records, err
}

func verifyEvents(p EventProof) (*ledger.Transaction, *ledger.Receipt, []ledger.EventRecord, error) {
	tx, err := VerifyTransaction(p.Block, p.Transaction, p.Inclusion)
	if err != nil {
		return nil, nil, nil, err
	}
	block, result := p.Block.header, p.Result.header
	if result.Height <= block.Height || result.Genesis != block.Genesis {
		return nil, nil, nil, refuse(ErrMismatch, nil, "block %d of network %s cannot commit to the receipts of block %d of network %s",
			result.Height, result.Genesis, block.Height, block.Genesis)
	}
	receipt, err := VerifyReceipt(p.Result, block.Height, p.Receipt)
	if err != nil {
		return nil, nil, nil, err
	}
	if receipt.Tx != tx.ID() || p.Receipt.Inclusion.Index != p.Inclusion.Index || p.Receipt.Inclusion.Size != p.Inclusion.Size {
		return nil, nil, nil, refuse(ErrMismatch, nil, "the receipt is of transaction %s, not of %s", receipt.Tx, tx.ID())
	}
	records := ledger.EventsOf(block, []*ledger.Transaction{tx}, []ledger.Receipt{*receipt})
	for i := range records {
		records[i].TxIndex = int(p.Inclusion.Index)
	}
	return tx, receipt, records, nil
}

// VerifyState checks that after block h.ExecHeight, to whose state h commits, the state held value for key, or nothing
// if value is nil.
func VerifyState(h Header, key, value []byte, p crypto.TreeProof) error {
	if err := crypto.VerifyTree(h.header.ExecStateRoot, key, value, p); err != nil {
		return refuse(ErrState, err, "the state after block %d", h.header.ExecHeight)
	}
	return nil
}
