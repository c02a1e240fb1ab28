package snapshot

import (
	"context"
	"errors"

	"waybill/consensus/quorum"
	"waybill/ledger/store"
)

// Latest makes a snapshot of the highest certified state that the ledger still knows: that a few blocks below its tip. It
// is for a node that stands still; one that runs has a Taker. Errors: ErrNotFound when nothing is certified yet.
func (l *Library) Latest(ctx context.Context, s *store.Store) (_ *Stored, err error) {
	state, err := s.Snapshot()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, state.Close()) }()
	tip := state.Tip().Height
	for at := tip; at > s.Base() && tip-at < MaxSpan; at-- {
		header, err := s.Header(at)
		if err != nil {
			return nil, err
		}
		if header.ExecHeight == 0 || header.ExecHeight < s.Base() {
			break
		}
		stored, err := l.latest(ctx, s, state, header.ExecHeight)
		if !errors.Is(err, ErrNotFound) {
			return stored, err
		}
	}
	return nil, refuse(ErrNotFound, "no block up to %d is certified and commits to a state: the ledger is too short", tip)
}

func (l *Library) latest(ctx context.Context, s *store.Store, state *store.Snapshot, height quorum.Height) (*Stored, error) {
	headers, err := Headers(s, height)
	if err != nil {
		return nil, err
	}
	proof, err := Prove(s, headers)
	if err != nil {
		return nil, err
	}
	handovers, err := Handovers(s, proof.last(&Manifest{Headers: headers}).Epoch)
	if err != nil {
		return nil, err
	}
	past, err := state.Past(height)
	if err != nil {
		return nil, err
	}
	return l.Create(ctx, past, headers, proof, handovers)
}
