package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"waybill/api"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/trace"
	"waybill/ledger"
	"waybill/ledger/index"
	"waybill/ledger/provenance"
	"waybill/ledger/store"
)

// Certificate implements api.Certifier.
func (b *backend) Certificate(ctx context.Context, r api.CertificateRequest) ([]byte, error) {
	if r.Height == 0 {
		h, err := newestProvable(ctx, b.n.store)
		if err != nil {
			return nil, kinds(err)
		}
		r.Height = h
	}
	if b.n.index.Height() < r.Height {
		if err := b.n.index.WaitFor(ctx, r.Height); err != nil {
			return nil, fmt.Errorf("%w: the index is at height %d: %w", api.ErrNotReady, b.n.index.Height(), err)
		}
	}
	data, err := Certify(ctx, b.n.store, b.n.index, r)
	if err = certificateKinds(err); errors.Is(err, api.ErrNotFound) {
		return nil, fmt.Errorf("%w (the state is that after block %d)", err, r.Height)
	}
	return data, err
}

// provableTime is the longest wait for blocks that commit to what was final when a certificate was asked for. An idle chain
// makes those blocks at once, so that it is a matter of a second.
const provableTime = 10 * time.Second

// heights is what [newestProvable] asks of the store.
type heights interface {
	Tip() store.Tip
	Header(h quorum.Height) (quorum.Header, error)
	ProvableHeight() (quorum.Height, error)
	WaitFor(ctx context.Context, h quorum.Height) error
}

// newestProvable is the newest height that can be proven, and no lower than the last block with transactions that is final
// now: who asks after a recall became final must not be shown a state without it. Blocks without transactions do not count,
// since an idle chain does not prove its last ones. Errors: *api.NotProvenError when that takes too long, api.ErrNotReady
// while nothing can be proven.
func newestProvable(ctx context.Context, s heights) (quorum.Height, error) {
	ctx, cancel := context.WithTimeout(ctx, provableTime)
	defer cancel()
	wanted := s.Tip().Height
	for first := true; ; first = false {
		tip := s.Tip().Height
		h, err := s.ProvableHeight()
		if store.IsNotFound(err) {
			return 0, fmt.Errorf("%w: %w", api.ErrNotReady, err)
		}
		if err == nil && first {
			wanted, err = lastCarrying(s, wanted, h)
		}
		if err != nil || h >= wanted {
			return h, err
		}
		if err := s.WaitFor(ctx, tip+1); err != nil {
			if ctx.Err() != nil {
				return 0, &api.NotProvenError{Tip: wanted, Provable: h}
			}
			return 0, err
		}
	}
}

// lastCarrying is the last block up to h that carries transactions; low if there is none above it.
func lastCarrying(s heights, h, low quorum.Height) (quorum.Height, error) {
	for ; h > low; h-- {
		header, err := s.Header(h)
		if err != nil || header.TxCount > 0 {
			return h, err
		}
	}
	return low, nil
}

// Certify makes a provenance certificate from a ledger and its index, which must have reached the height.
func Certify(ctx context.Context, s *store.Store, x *index.Index, r api.CertificateRequest) ([]byte, error) {
	snap, err := s.Snapshot()
	if err != nil {
		return nil, err
	}
	defer func() { _ = snap.Close() }() // frees memory only
	view, err := snap.ViewAt(r.Height)
	if err != nil {
		return nil, err
	}
	if r.Depth < 0 {
		r.Depth = provenance.MaxDepth
	}
	chain := certificateChain{s, ctx}
	c, err := provenance.Make(provenance.Source{
		State: &certificateState{ctx: ctx, snap: snap, view: view, height: r.Height}, Chain: chain, Events: certificateEvents{ctx, x},
	}, provenance.Request{ID: r.Item, Depth: r.Depth, Events: r.Events, From: r.Epoch})
	if err != nil {
		return nil, err
	}
	return c.Encode()
}

// certificateKinds translates what provenance says into what the API answers.
func certificateKinds(err error) error {
	for _, t := range []struct {
		from error
		to   api.Kind
	}{
		{provenance.ErrRequest, api.ErrBadRequest}, {provenance.ErrNotFound, api.ErrNotFound}, {provenance.ErrTooLarge, api.ErrTooLarge},
		{provenance.ErrBehind, api.ErrNotReady}, {store.ErrBelowBase, api.ErrNotFound},
	} {
		if errors.Is(err, t.from) {
			return fmt.Errorf("%w: %w", t.to, err)
		}
	}
	return kinds(err)
}

// certificateState is the state after one block, until the request ends.
type certificateState struct {
	ctx    context.Context
	snap   *store.Snapshot
	view   ledger.View
	height quorum.Height
}

// Read implements ledger.View.
func (s *certificateState) Read(key []byte) ([]byte, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	return s.view.Read(key)
}

// Prove implements provenance.State.
func (s *certificateState) Prove(key []byte) (crypto.TreeProof, error) {
	if err := s.ctx.Err(); err != nil {
		return crypto.TreeProof{}, err
	}
	return s.snap.Prove(key, s.height)
}

// Height implements provenance.State.
func (s *certificateState) Height() quorum.Height { return s.height }

// certificateChain is the store as provenance.Chain, until the request ends.
type certificateChain struct {
	*store.Store
	ctx context.Context
}

// Payload implements provenance.Chain.
func (c certificateChain) Payload(h quorum.Height) ([][]byte, error) {
	if err := c.ctx.Err(); err != nil {
		return nil, err
	}
	return c.Store.Payload(h)
}

// Receipts implements provenance.Chain.
func (c certificateChain) Receipts(h quorum.Height) ([][]byte, error) { return c.RawReceipts(h) }

// EpochStart implements provenance.Chain.
func (c certificateChain) EpochStart(e quorum.Epoch) (*quorum.Set, quorum.Header, error) {
	r, err := c.Epoch(e)
	return r.Set, r.Anchor, err
}

// certificateEvents is the index as provenance.Finder.
type certificateEvents struct {
	ctx context.Context
	x   *index.Index
}

// EventsOf implements provenance.Finder.
func (e certificateEvents) EventsOf(id string, limit int) ([]provenance.Place, error) {
	refs, err := trace.EventsOf(e.ctx, e.x, trace.Key(id), limit)
	if err != nil {
		return nil, err
	}
	places := make([]provenance.Place, len(refs))
	for i, r := range refs {
		places[i] = provenance.Place{Height: quorum.Height(r.Height), Tx: r.Tx, Event: r.Event}
	}
	return places, nil
}
