package snapshot

import (
	"context"
	"errors"
	"fmt"

	"waybill/consensus/quorum"
	"waybill/ledger/store"
)

// Taker makes a snapshot every so many blocks, while the node goes on committing.
//
// A snapshot is worth something only when a header commits to its state, and ExecHeight may jump over any height. So from
// each multiple of Every on the taker holds on to the state after every block (a Pebble snapshot, which costs nothing to
// make) until a header commits to one of them; that one is written, by Run, and the others are let go. All nodes see the
// same headers, hence take the same heights.
type Taker struct {
	every quorum.Height
	keep  int
	store *store.Store
	lib   *Library

	held []*store.Snapshot // after consecutive blocks, from the multiple that is wanted on
	want quorum.Height
	jobs chan job
}

// job is a state to write.
type job struct {
	state   *store.Snapshot
	headers []quorum.Header
}

// NewTaker makes one; every 0 takes none. It keeps the highest snapshots of lib, at most keep of them.
func NewTaker(s *store.Store, lib *Library, every uint64, keep int) *Taker {
	t := &Taker{every: quorum.Height(every), keep: max(keep, 1), store: s, lib: lib, jobs: make(chan job, 1)}
	t.wantAbove(s.Tip().Height)
	return t
}

func (t *Taker) wantAbove(h quorum.Height) {
	t.release()
	if t.every > 0 {
		t.want = (h/t.every + 1) * t.every
	}
}

func (t *Taker) release() {
	for _, s := range t.held {
		_ = s.Close() // frees memory only
	}
	t.held = nil
}

// Committed says that a block is in the ledger. The goroutine that commits calls it right after, and waits for nothing
// but the start of a Pebble snapshot.
func (t *Taker) Committed(h quorum.Header) error {
	if t.every == 0 {
		return nil
	}
	if h.ExecHeight >= t.want {
		t.choose(h)
	}
	if h.Height < t.want {
		return nil
	}
	if len(t.held) >= MaxSpan-1 {
		t.wantAbove(h.Height) // nothing commits to any of them: execution is far behind
		return nil
	}
	s, err := t.store.Snapshot()
	if err != nil {
		return err
	}
	if s.Tip().Height != h.Height {
		t.wantAbove(h.Height)
		return errors.Join(s.Close(), fmt.Errorf("a snapshot after block %d was taken after block %d", h.Height, s.Tip().Height))
	}
	t.held = append(t.held, s)
	return nil
}

// choose hands over the state that a header commits to. When the one before is still being written, or the node began
// only now to take states, there is no snapshot this time.
func (t *Taker) choose(h quorum.Header) {
	defer t.wantAbove(h.Height)
	for i, s := range t.held {
		if s.Tip().Height != h.ExecHeight {
			continue
		}
		headers, err := Headers(t.store, h.ExecHeight)
		if err != nil {
			return
		}
		select {
		case t.jobs <- job{s, headers}:
			t.held = append(t.held[:i:i], t.held[i+1:]...)
		default:
		}
		return
	}
}

// Run writes snapshots until ctx ends. taken, if not nil, is told about each. A snapshot that fails is given up; the error
// goes to failed, and the next one is tried.
func (t *Taker) Run(ctx context.Context, taken func(*Stored), failed func(error)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case j := <-t.jobs:
			s, err := t.write(ctx, j)
			switch {
			case err == nil && taken != nil:
				taken(s)
			case err != nil && ctx.Err() == nil && failed != nil:
				failed(err)
			}
		}
	}
}

func (t *Taker) write(ctx context.Context, j job) (_ *Stored, err error) {
	defer func() { err = errors.Join(err, j.state.Close()) }()
	proof, err := t.prove(ctx, j.headers)
	if err != nil {
		return nil, err
	}
	handovers, err := Handovers(t.store, proof.last(&Manifest{Headers: j.headers}).Epoch)
	if err != nil {
		return nil, err
	}
	s, err := t.lib.Create(ctx, j.state, j.headers, proof, handovers)
	if err != nil {
		return nil, err
	}
	return s, t.lib.Prune(t.keep)
}

// prove waits until a certificate is there: a descendant's, mostly within the same run of blocks.
func (t *Taker) prove(ctx context.Context, headers []quorum.Header) (*Proof, error) {
	for {
		tip := t.store.Tip().Height
		p, err := Prove(t.store, headers)
		if !errors.Is(err, ErrNotFound) || tip >= headers[len(headers)-1].Height+MaxSpan {
			return p, err
		}
		if err := t.store.WaitFor(ctx, tip+1); err != nil {
			return nil, err
		}
	}
}

// Close lets go of the states it holds. Call it before the store is closed, after Committed and Run have returned.
func (t *Taker) Close() {
	t.release()
	for {
		select {
		case j := <-t.jobs:
			_ = j.state.Close() // frees memory only
		default:
			return
		}
	}
}
