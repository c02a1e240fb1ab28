package store

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// maxPathHeaders bounds how far above a block its certificate, or the header that commits to its result, is looked for.
const maxPathHeaders = 1024

// HeaderProof shows that a block is final: its header, then the headers of its descendants up to the one that
// Certificate names. Mostly that is the block itself and the list has one element.
type HeaderProof struct {
	Headers     []quorum.Header
	Certificate quorum.Certificate
}

// Header returns the header that is proven.
func (p HeaderProof) Header() quorum.Header { return p.Headers[0] }

// TransactionProof shows that a transaction is in a block, and what it was answered with.
type TransactionProof struct {
	ID        crypto.Hash
	Raw       []byte // as it was received
	Inclusion crypto.InclusionProof
	Block     HeaderProof

	// Result is nil while no header commits to the receipts of the block yet.
	Result *ReceiptProof
}

// ReceiptProof shows the receipt of a transaction of a block h; ledger/light checks it. Block is the first whose header
// commits to the receipts of h: its ExecHeight is h, or above it where ExecHeight jumped over h. Folding Before, Root and
// After with ledger.ChainReceipts gives that header's ExecReceiptsRoot.
type ReceiptProof struct {
	Raw       []byte                // Receipt.Encode
	Inclusion crypto.InclusionProof // of Raw under Root
	Root      crypto.Hash           // receipts root of block h
	Before    crypto.Hash           // chain of receipts roots after block h-1
	After     []crypto.Hash         // receipts roots of the blocks h+1 to ExecHeight; mostly none
	Block     HeaderProof
}

// StateProof shows what the state holds for a key after block Height: Value, or nothing if Value is nil. Block is the
// one whose header commits to that state.
type StateProof struct {
	Height quorum.Height
	Key    []byte
	Value  []byte
	Root   crypto.Hash
	Tree   crypto.TreeProof
	Block  HeaderProof
}

// ProveHeader shows that block h is final. Errors: ErrNotFound if there is no such block, or if no certificate is at it
// or above it, as for the genesis block of an empty ledger.
func (s *Store) ProveHeader(h quorum.Height) (HeaderProof, error) {
	var p HeaderProof
	for at := h; at < h+maxPathHeaders; at++ {
		header, err := s.Header(at)
		if err != nil {
			return HeaderProof{}, err
		}
		p.Headers = append(p.Headers, header)
		cert, err := s.Certificate(at)
		if err != nil {
			return HeaderProof{}, err
		}
		if cert != nil {
			p.Certificate = *cert
			return p, nil
		}
	}
	return HeaderProof{}, notFound("no certificate within %d blocks above block %d is here", maxPathHeaders, h)
}

// committing returns the first block whose header commits to the receipts of block h, and, if its ExecHeight is h, to the
// state after it. Errors: ErrNotFound while there is none.
func (s *Store) committing(h quorum.Height) (HeaderProof, error) {
	for at := h + 1; at <= h+maxPathHeaders; at++ {
		header, err := s.Header(at)
		if err != nil {
			break
		}
		if header.ExecHeight >= h {
			return s.ProveHeader(at)
		}
	}
	return HeaderProof{}, notFound("no block commits to the result of block %d yet: ask again after a few blocks", h)
}

// ProveTransaction shows that the transaction with this id is on the ledger, and its receipt once a header commits to
// it. Errors: ErrNotFound.
func (s *Store) ProveTransaction(id crypto.Hash) (*TransactionProof, error) {
	l, err := s.Transaction(id)
	if err != nil {
		return nil, err
	}
	return s.proveAt(id, l)
}

// ProveEvent shows the transaction that carried the accepted event with this hash, and the event's index in it. Errors:
// ErrNotFound.
func (s *Store) ProveEvent(hash crypto.Hash) (*TransactionProof, int, error) {
	l, err := s.Event(hash)
	if err != nil {
		return nil, 0, err
	}
	payload, err := s.Payload(l.Height)
	if err != nil {
		return nil, 0, s.missing(err, l.Height)
	}
	if l.Tx >= len(payload) {
		return nil, 0, s.corrupt(nil, "block %d has no transaction %d", l.Height, l.Tx)
	}
	tx, err := ledger.DecodeTransaction(payload[l.Tx])
	if err != nil {
		return nil, 0, s.corrupt(err, "reading transaction %d of block %d", l.Tx, l.Height)
	}
	p, err := s.proveAt(tx.ID(), l)
	return p, l.Event, err
}

func (s *Store) proveAt(id crypto.Hash, l Location) (*TransactionProof, error) {
	payload, err := s.Payload(l.Height)
	if err != nil {
		return nil, s.missing(err, l.Height)
	}
	p := &TransactionProof{ID: id}
	if p.Inclusion, err = crypto.MerkleProve(payload, l.Tx); err != nil {
		return nil, s.corrupt(err, "proving transaction %d of block %d", l.Tx, l.Height)
	}
	p.Raw = payload[l.Tx]
	if p.Block, err = s.ProveHeader(l.Height); err != nil {
		return nil, err
	}
	if p.Result, err = s.proveReceipt(l); IsNotFound(err) {
		return p, nil
	}
	return p, err
}

func (s *Store) proveReceipt(l Location) (*ReceiptProof, error) {
	receipts, err := s.list(prefixReceipts, l.Height, "receipts")
	if err != nil {
		return nil, err
	}
	p := &ReceiptProof{}
	if p.Inclusion, err = crypto.MerkleProve(receipts, l.Tx); err != nil {
		return nil, s.corrupt(err, "proving receipt %d of block %d", l.Tx, l.Height)
	}
	p.Raw = receipts[l.Tx]
	if p.Block, err = s.committing(l.Height); err != nil {
		return nil, err
	}
	if err := s.proveChain(p, l.Height); err != nil {
		return nil, err
	}
	return p, nil
}

// proveChain fills in what leads from the receipts root of block h to what the header of p.Block carries. Blocks up to
// there are executed here, so that anything missing is corruption.
func (s *Store) proveChain(p *ReceiptProof, h quorum.Height) error {
	var err error
	if p.Before, err = s.ReceiptsChain(h - 1); err != nil {
		return s.missing(err, h-1)
	}
	if p.Root, err = s.ReceiptsRoot(h); err != nil {
		return s.missing(err, h)
	}
	for at := h + 1; at <= p.Block.Header().ExecHeight; at++ {
		root, err := s.ReceiptsRoot(at)
		if err != nil {
			return s.missing(err, at)
		}
		p.After = append(p.After, root)
	}
	return nil
}

// ProveLatest is ProveState at the highest height to whose state a header with a certificate of its own commits, so that
// the proof has one header. Errors: ErrNotFound while there is no such header.
func (s *Store) ProveLatest(key []byte) (*StateProof, error) {
	snap, err := s.Snapshot()
	if err != nil {
		return nil, err
	}
	defer func() { _ = snap.Close() }() // frees memory only
	block, err := s.latestCertified(snap.tip.Height)
	if err != nil {
		return nil, err
	}
	return snap.proveState(key, block.Header().ExecHeight, &block)
}

// ProvableHeight is the highest height to whose state a header with a certificate of its own commits. Errors: ErrNotFound
// while there is no such header.
func (s *Store) ProvableHeight() (quorum.Height, error) {
	block, err := s.latestCertified(s.Tip().Height)
	if err != nil {
		return 0, err
	}
	return block.Header().ExecHeight, nil
}

// Prove proves what the state after block h holds for a key, or that it holds nothing. Errors: those of ViewAt.
func (p *Snapshot) Prove(key []byte, h quorum.Height) (crypto.TreeProof, error) {
	if err := p.kept(h); err != nil {
		return crypto.TreeProof{}, err
	}
	proof, err := crypto.ProveTree(pastPages{p, h}, key)
	if err != nil {
		return crypto.TreeProof{}, p.s.corrupt(err, "proving a key at height %d", h)
	}
	return proof, nil
}

// latestCertified returns the highest block up to h that has a certificate of its own.
func (s *Store) latestCertified(h quorum.Height) (HeaderProof, error) {
	for at := h; at > 0 && h-at < maxPathHeaders; at-- {
		cert, err := s.Certificate(at)
		if err != nil {
			return HeaderProof{}, err
		}
		if cert == nil {
			continue
		}
		header, err := s.Header(at)
		if err != nil {
			return HeaderProof{}, err
		}
		return HeaderProof{Headers: []quorum.Header{header}, Certificate: *cert}, nil
	}
	return HeaderProof{}, notFound("no block with a certificate is here yet: ask again after the first block")
}

// ProveState shows what the state held for key after block h, or that it held nothing. Errors: ErrNotFound for a height
// to whose state no header commits yet, or never will because ExecHeight jumped over it; ErrPruned.
func (s *Store) ProveState(key []byte, h quorum.Height) (*StateProof, error) {
	snap, err := s.Snapshot()
	if err != nil {
		return nil, err
	}
	defer func() { _ = snap.Close() }() // frees memory only
	return snap.proveState(key, h, nil)
}

// proveState looks for the block that commits to the state if it is not given.
func (p *Snapshot) proveState(key []byte, h quorum.Height, block *HeaderProof) (*StateProof, error) {
	view, err := p.ViewAt(h)
	if err != nil {
		return nil, err
	}
	if block == nil {
		found, err := p.s.committing(h)
		if err != nil {
			return nil, err
		}
		if exec := found.Header().ExecHeight; exec != h {
			return nil, notFound("no block commits to the state after block %d: ask for that after block %d, which covers it", h, exec)
		}
		block = &found
	}
	roots, err := p.s.roots(p.snap, h)
	if err != nil {
		return nil, err
	}
	proof := &StateProof{Height: h, Key: key, Root: roots.state, Block: *block}
	if proof.Value, err = view.Read(key); err != nil {
		return nil, err
	}
	if proof.Tree, err = crypto.ProveTree(pastPages{p, h}, key); err != nil {
		return nil, p.s.corrupt(err, "proving a key at height %d", h)
	}
	return proof, nil
}
