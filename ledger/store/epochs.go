package store

import (
	"errors"

	"waybill/consensus/quorum"
	"waybill/ledger"
)

// EpochRecord is how an epoch began: who validates in it, and the block it starts from.
type EpochRecord struct {
	Number quorum.Epoch
	Set    *quorum.Set
	Anchor quorum.Header // closing block of the epoch before; the genesis block for epoch 0
}

func (r EpochRecord) encode() []byte { return frame([][]byte{r.Set.Encode(), r.Anchor.Encode()}) }

func decodeEpoch(number quorum.Epoch, b []byte) (EpochRecord, error) {
	parts, err := unframe(b)
	if err != nil {
		return EpochRecord{}, err
	}
	if len(parts) != 2 {
		return EpochRecord{}, errors.New("an epoch record is a set and a header")
	}
	r := EpochRecord{Number: number}
	if r.Set, err = quorum.DecodeSet(parts[0]); err != nil {
		return EpochRecord{}, err
	}
	r.Anchor, err = quorum.DecodeHeader(parts[1])
	return r, err
}

// Epoch returns how an epoch began. Errors: ErrNotFound for one that has not begun here.
func (s *Store) Epoch(e quorum.Epoch) (EpochRecord, error) {
	raw, err := s.get(epochKey(e))
	if err != nil {
		return EpochRecord{}, err
	}
	if raw == nil {
		return EpochRecord{}, notFound("epoch %d has not begun here", e)
	}
	r, err := decodeEpoch(e, raw)
	if err != nil {
		return EpochRecord{}, s.corrupt(err, "reading epoch %d", e)
	}
	return r, nil
}

// CurrentEpoch returns the epoch of the block after the tip.
func (s *Store) CurrentEpoch() (EpochRecord, error) {
	tip := s.Tip().Height
	header, err := s.Header(tip)
	if err != nil {
		return EpochRecord{}, s.missing(err, tip)
	}
	r, err := s.Epoch(epochAfter(header))
	return r, s.missing(err, tip)
}

// epochAfter is the epoch of the block after the one with this header.
func epochAfter(h quorum.Header) quorum.Epoch {
	if h.IsClosing() {
		return h.Epoch + 1
	}
	return h.Epoch
}

// NextSet is ledger.NextSet of the state after block h: the set it elects for the epoch after its own. Errors: ErrPruned,
// ErrNotFound for a height above the tip.
func (s *Store) NextSet(h quorum.Height) (*quorum.Set, error) {
	snap, err := s.Snapshot()
	if err != nil {
		return nil, err
	}
	defer func() { _ = snap.Close() }() // frees memory only
	view, err := snap.ViewAt(h)
	if err != nil {
		return nil, err
	}
	return ledger.NextSet(view)
}

// checkNext holds the set that comes with a block against its header.
func checkNext(header *quorum.Header, next *quorum.Set) error {
	switch {
	case header.IsTail():
		return refuse(ErrSequence, "a tail of height %d is no block of the ledger", header.Height)
	case header.IsClosing() != (next != nil):
		return refuse(ErrSequence, "block %d closes its epoch: %t; it comes with the next validators: %t", header.Height, header.IsClosing(), next != nil)
	case next != nil && next.Hash() != header.NextValidatorSet:
		return refuse(ErrSequence, "block %d hands over to validator set %s, it comes with %s", header.Height, header.NextValidatorSet, next.Hash())
	}
	return nil
}

// epoch writes the record of the epoch that begins after the block, if one does.
func (c *commit) epoch() {
	if c.next != nil {
		c.set(epochKey(epochAfter(c.header)), EpochRecord{Set: c.next, Anchor: c.header}.encode())
	}
}

// auditEpoch checks that a block is of the epoch that the ones below it lead to, and returns the one after it.
func (s *Store) auditEpoch(h quorum.Header, now EpochRecord) (EpochRecord, error) {
	if h.Height > 0 && (h.Epoch != now.Number || h.ValidatorSet != now.Set.Hash()) {
		return now, s.corrupt(nil, "block %d is of epoch %d with set %s; the blocks below lead to epoch %d with set %s",
			h.Height, h.Epoch, h.ValidatorSet, now.Number, now.Set.Hash())
	}
	if h.Height > 0 && !h.IsClosing() {
		return now, nil
	}
	next, err := s.Epoch(epochAfter(h))
	if err != nil {
		return now, s.missing(err, h.Height)
	}
	want := h.NextValidatorSet
	if h.Height == 0 {
		want = h.ValidatorSet
	}
	if next.Anchor != h || next.Set.Hash() != want {
		return now, s.corrupt(nil, "the record of epoch %d begins at block %d with set %s; block %d hands over to %s",
			next.Number, next.Anchor.Height, next.Set.Hash(), h.Height, want)
	}
	return next, nil
}
