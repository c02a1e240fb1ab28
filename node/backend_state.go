package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"waybill/api"
	"waybill/consensus/quorum"
	"waybill/ledger"
	"waybill/ledger/index"
	"waybill/ledger/store"
)

// openRegister makes the lists of records again where they are not those of the tip.
func (n *Node) openRegister() error {
	snap, err := n.store.Snapshot()
	if err != nil {
		return err
	}
	defer func() { _ = snap.Close() }() // frees memory only
	scan := func(prefix, after []byte, limit int) ([]ledger.Write, error) {
		entries, err := snap.Scan(prefix, after, limit)
		if err != nil {
			return nil, err
		}
		out := make([]ledger.Write, len(entries))
		for i, e := range entries {
			out[i] = ledger.Write{Key: e.Key, Value: e.Value}
		}
		return out, nil
	}
	return index.OpenRegister(n.store.DB(), n.store.Apply, snap.Tip().Height, scan)
}

// reading is the state after one block, and the lists of the tip that it was opened at. It implements api.Reading.
type reading struct {
	ledger.View
	snap   *store.Snapshot
	height quorum.Height
}

// At implements api.State.
func (b *backend) At(_ context.Context, height *quorum.Height) (api.Reading, error) {
	snap, err := b.n.store.Snapshot()
	if err != nil {
		return nil, kinds(err)
	}
	r := &reading{View: snap.View(), snap: snap, height: snap.Tip().Height}
	if height == nil || *height == r.height {
		return r, nil
	}
	if r.View, err = snap.ViewAt(*height); err != nil {
		err = b.missing(err, *height, snap.Oldest())
		r.Close()
		return nil, err
	}
	r.height = *height
	return r, nil
}

// missing says which height is the oldest where one is no longer kept.
func (b *backend) missing(err error, height, oldest quorum.Height) error {
	if errors.Is(err, store.ErrPruned) {
		return &api.PrunedError{Height: height, Oldest: oldest}
	}
	return kinds(err)
}

// Height implements api.Reading.
func (r *reading) Height() quorum.Height { return r.height }

// Close implements api.Reading.
func (r *reading) Close() { _ = r.snap.Close() } // frees memory only

// Keys implements api.Reading.
func (r *reading) Keys(ctx context.Context, prefix, after []byte, limit int) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out, err := r.snap.KeysAt(r.height, prefix, after, limit)
	return out, kinds(err)
}

// List implements api.Reading.
func (r *reading) List(ctx context.Context, list ledger.List, scope string, after *ledger.Place, limit int) (out []ledger.Place, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = r.snap.Read(func(db pebble.Reader) error {
		out, err = index.ReadRegister(db, list, scope, r.height, after, limit)
		return err
	})
	return out, kinds(err)
}

// ProveState implements api.Prover.
func (b *backend) ProveState(_ context.Context, key []byte, height *quorum.Height) (*api.StateProof, error) {
	p, err := b.proveState(key, height)
	if err != nil {
		return nil, err
	}
	return &api.StateProof{
		Header: p.Block.Header(), Path: p.Block.Headers[1:], Certificate: p.Block.Certificate, Key: p.Key, Value: p.Value, Proof: p.Tree,
	}, nil
}

func (b *backend) proveState(key []byte, height *quorum.Height) (*store.StateProof, error) {
	if height == nil {
		p, err := b.n.store.ProveLatest(key)
		if store.IsNotFound(err) {
			return nil, fmt.Errorf("%w: %w", api.ErrNotReady, err) // no header commits to a state yet
		}
		return p, kinds(err)
	}
	p, err := b.n.store.ProveState(key, *height)
	if !errors.Is(err, store.ErrPruned) {
		return p, kinds(err)
	}
	snap, snapErr := b.n.store.Snapshot()
	if snapErr != nil {
		return nil, kinds(snapErr)
	}
	defer func() { _ = snap.Close() }() // frees memory only
	return nil, b.missing(err, *height, snap.Oldest())
}
