package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// StoredBlock is a block as it was received, with what it was answered with.
type StoredBlock struct {
	Header  quorum.Header
	Payload [][]byte // raw transactions, in order
	// Certificate makes this block final; nil where a descendant's did, and for the genesis block.
	Certificate *quorum.Certificate
	Receipts    []ledger.Receipt // of the transactions, in order
}

// Header returns the header of block h. Errors: ErrNotFound.
func (s *Store) Header(h quorum.Height) (quorum.Header, error) {
	raw, err := s.get(heightKey(prefixHeader, h))
	if err != nil {
		return quorum.Header{}, err
	}
	if raw == nil {
		return quorum.Header{}, s.absent(h)
	}
	header, err := quorum.DecodeHeader(raw)
	if err != nil {
		return quorum.Header{}, s.corrupt(err, "reading the header of block %d", h)
	}
	return header, nil
}

// Certificate returns the certificate that finalizes block h by itself or, if it closes an epoch, through a tail; nil where
// a descendant's made it final, and for the genesis block. Errors: ErrNotFound.
func (s *Store) Certificate(h quorum.Height) (*quorum.Certificate, error) {
	raw, err := s.get(heightKey(prefixCertificate, h))
	if err != nil {
		return nil, err
	}
	switch {
	case raw == nil:
		return nil, s.absent(h)
	case len(raw) == 0:
		return nil, nil
	}
	cert, err := quorum.DecodeCertificate(raw)
	if err != nil {
		return nil, s.corrupt(err, "reading the certificate of block %d", h)
	}
	return &cert, nil
}

// Payload returns the raw transactions of block h. Errors: ErrNotFound.
func (s *Store) Payload(h quorum.Height) ([][]byte, error) {
	return s.list(prefixPayload, h, "transactions")
}

// Receipts returns the receipts of block h in the order of its transactions. Errors: ErrNotFound.
func (s *Store) Receipts(h quorum.Height) ([]ledger.Receipt, error) {
	raw, err := s.list(prefixReceipts, h, "receipts")
	if err != nil {
		return nil, err
	}
	receipts := make([]ledger.Receipt, len(raw))
	for i, r := range raw {
		decoded, err := ledger.DecodeReceipt(r)
		if err != nil {
			return nil, s.corrupt(err, "reading receipt %d of block %d", i, h)
		}
		receipts[i] = *decoded
	}
	return receipts, nil
}

// RawReceipts returns the encoded receipts of block h in the order of its transactions. Errors: ErrNotFound.
func (s *Store) RawReceipts(h quorum.Height) ([][]byte, error) {
	return s.list(prefixReceipts, h, "receipts")
}

func (s *Store) list(prefix byte, h quorum.Height, what string) ([][]byte, error) {
	raw, err := s.get(heightKey(prefix, h))
	if err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, s.absent(h)
	}
	items, err := unframe(raw)
	if err != nil {
		return nil, s.corrupt(err, "reading the %s of block %d", what, h)
	}
	return items, nil
}

// item returns element i of a list, without copying the others, of which there may be megabytes. That it is not there is
// corruption: whoever asks was told where it is.
func (s *Store) item(prefix byte, h quorum.Height, i int, what string) (out []byte, err error) {
	key := heightKey(prefix, h)
	var bad error
	err = s.whileOpen(func() error {
		value, closer, err := s.db.Get(key)
		if errors.Is(err, pebble.ErrNotFound) {
			bad = fmt.Errorf("there is no block %d", h)
			return nil
		}
		if err != nil {
			return err
		}
		var part []byte
		if part, bad = nth(value, i); bad == nil {
			out = append(make([]byte, 0, len(part)), part...)
		}
		return closer.Close()
	})
	if err != nil {
		return nil, s.readError(err, key)
	}
	if bad != nil {
		return nil, s.corrupt(bad, "reading element %d of the %s of block %d", i, what, h)
	}
	return out, nil
}

// Block returns block h whole. Errors: ErrNotFound.
func (s *Store) Block(h quorum.Height) (*StoredBlock, error) {
	header, err := s.Header(h)
	if err != nil {
		return nil, err
	}
	b := &StoredBlock{Header: header}
	if b.Payload, err = s.Payload(h); err != nil {
		return nil, err
	}
	if b.Certificate, err = s.Certificate(h); err != nil {
		return nil, err
	}
	if b.Receipts, err = s.Receipts(h); err != nil {
		return nil, err
	}
	if len(b.Receipts) != len(b.Payload) {
		return nil, s.corrupt(nil, "block %d has %d transactions and %d receipts", h, len(b.Payload), len(b.Receipts))
	}
	return b, nil
}

// HeightOf returns the height of the block with this hash. Errors: ErrNotFound.
func (s *Store) HeightOf(hash crypto.Hash) (quorum.Height, error) {
	raw, err := s.get(hashKey(prefixBlockHash, hash))
	if err != nil {
		return 0, err
	}
	if raw == nil {
		return 0, notFound("there is no block %s here", hash)
	}
	if len(raw) != 8 {
		return 0, s.corrupt(nil, "the height of block %s has %d bytes", hash, len(raw))
	}
	return quorum.Height(binary.BigEndian.Uint64(raw)), nil
}

// BlockByHash returns the block with this hash whole. Errors: ErrNotFound.
func (s *Store) BlockByHash(hash crypto.Hash) (*StoredBlock, error) {
	h, err := s.HeightOf(hash)
	if err != nil {
		return nil, err
	}
	return s.Block(h)
}

// Transaction returns where the transaction with this id stands. Errors: ErrNotFound.
func (s *Store) Transaction(id crypto.Hash) (Location, error) {
	return s.locate(prefixTransaction, id, "transaction")
}

// Event returns where the accepted event with this hash stands. Errors: ErrNotFound.
func (s *Store) Event(hash crypto.Hash) (Location, error) {
	return s.locate(prefixEvent, hash, "event")
}

func (s *Store) locate(prefix byte, hash crypto.Hash, what string) (Location, error) {
	raw, err := s.get(hashKey(prefix, hash))
	if err != nil {
		return Location{}, err
	}
	if raw == nil {
		return Location{}, notFound("there is no %s %s here", what, hash)
	}
	l, err := decodeLocation(raw, prefix == prefixEvent)
	if err != nil {
		return Location{}, s.corrupt(err, "reading the place of %s %s", what, hash)
	}
	return l, nil
}

// RawTransaction returns the bytes of the transaction with this id as they were received, and where it stands. Errors:
// ErrNotFound.
func (s *Store) RawTransaction(id crypto.Hash) ([]byte, Location, error) {
	l, err := s.Transaction(id)
	if err != nil {
		return nil, l, err
	}
	raw, err := s.item(prefixPayload, l.Height, l.Tx, "transactions")
	return raw, l, err
}

// Receipt returns the receipt of the transaction with this id, and where it stands. It decodes none of the other
// receipts of the block, of which there may be thousands. Errors: ErrNotFound.
func (s *Store) Receipt(id crypto.Hash) (*ledger.Receipt, Location, error) {
	l, err := s.Transaction(id)
	if err != nil {
		return nil, l, err
	}
	raw, err := s.item(prefixReceipts, l.Height, l.Tx, "receipts")
	if err != nil {
		return nil, l, err
	}
	receipt, err := ledger.DecodeReceipt(raw)
	if err != nil {
		return nil, l, s.corrupt(err, "reading receipt %d of block %d", l.Tx, l.Height)
	}
	return receipt, l, nil
}

func (s *Store) roots(r getter, h quorum.Height) (blockRoots, error) {
	raw, err := s.getFrom(r, heightKey(prefixRoots, h))
	if err != nil {
		return blockRoots{}, err
	}
	if raw == nil {
		return blockRoots{}, s.absent(h)
	}
	roots, err := decodeRoots(raw)
	if err != nil {
		return blockRoots{}, s.corrupt(err, "reading the roots of block %d", h)
	}
	return roots, nil
}

// StateRoot returns the root of the state after block h. Errors: ErrNotFound.
func (s *Store) StateRoot(h quorum.Height) (crypto.Hash, error) {
	p, err := s.roots(nil, h)
	return p.state, err
}

// ReceiptsRoot returns the root of the receipts of block h alone. Errors: ErrNotFound.
func (s *Store) ReceiptsRoot(h quorum.Height) (crypto.Hash, error) {
	p, err := s.roots(nil, h)
	return p.receipts, err
}

// ReceiptsChain returns what a header with ExecHeight h commits to: ledger.ChainReceipts over the receipts roots of the
// blocks 0 to h. Errors: ErrNotFound.
func (s *Store) ReceiptsChain(h quorum.Height) (crypto.Hash, error) {
	p, err := s.roots(nil, h)
	return p.chain, err
}

// UpdatesSince returns what at most limit blocks above height h did, in order, without their state writes; blocks up to
// the base of a restored ledger are not among them. It is how
// readers follow the ledger: they keep h, ask for more, and start again where they left off.
func (s *Store) UpdatesSince(h quorum.Height, limit int) ([]*ledger.Update, error) {
	tip := s.Tip().Height
	h = max(h, s.base)
	var ups []*ledger.Update
	for h < tip && len(ups) < limit {
		h++
		up, err := s.update(h)
		if err != nil {
			return nil, s.missing(err, h)
		}
		ups = append(ups, up)
	}
	return ups, nil
}

// update rebuilds the update of a stored block.
func (s *Store) update(h quorum.Height) (*ledger.Update, error) {
	b, err := s.Block(h)
	if err != nil {
		return nil, err
	}
	root, err := s.ReceiptsRoot(h)
	if err != nil {
		return nil, err
	}
	txs := make([]*ledger.Transaction, len(b.Payload))
	for i, raw := range b.Payload {
		if txs[i], err = ledger.DecodeTransaction(raw); err != nil {
			return nil, s.corrupt(err, "reading transaction %d of block %d", i, h)
		}
	}
	events := ledger.EventsOf(b.Header, txs, b.Receipts)
	return &ledger.Update{Height: h, Block: b.Header.Hash(), Receipts: b.Receipts, ReceiptsRoot: root, Events: events}, nil
}

// IsNotFound reports whether err says that there is no such block, transaction or event here.
func IsNotFound(err error) bool { return errors.Is(err, ErrNotFound) }
