package snapshot

import (
	"context"
	"errors"

	"waybill/consensus/quorum"
	"waybill/ledger"
	"waybill/ledger/store"
)

// Verify follows the stored hand-overs from genesis and checks manifest, proof and every chunk. progress, if not nil, is
// called with the number of chunks checked. Errors are those of Epochs and Chunk, ErrDamaged, or that of ctx.
func (s *Stored) Verify(ctx context.Context, e *Epochs, progress func(chunks int)) (*Certified, error) {
	c, err := s.certify(e)
	if err != nil {
		return nil, err
	}
	return c, s.each(ctx, func(i int, _ []store.Entry) error {
		if progress != nil {
			progress(i + 1)
		}
		return nil
	})
}

func (s *Stored) certify(e *Epochs) (*Certified, error) {
	for _, h := range s.Handovers {
		if h.Closing.Epoch < e.Last() {
			continue // followed before
		}
		if err := e.Follow(h); err != nil {
			return nil, err
		}
	}
	return e.Certify(s.Manifest, s.Proof)
}

// each opens every chunk.
func (s *Stored) each(ctx context.Context, do func(i int, entries []store.Entry) error) error {
	for i := range s.Manifest.Chunks {
		if err := ctx.Err(); err != nil {
			return err
		}
		raw, err := s.Chunk(i)
		if err != nil {
			return err
		}
		entries, err := s.Manifest.Chunks[i].Open(raw)
		if err != nil {
			return refuseBy(ErrDamaged, err, "chunk %d of snapshot %s", i, s.name)
		}
		if err := do(i, entries); err != nil {
			return err
		}
	}
	return nil
}

// Restore makes the ledger in the data folder dir begin at the snapshot: everything is verified from genesis on, and the
// state tree is built anew. Unless replace is true the ledger must be empty. When it fails, or the machine crashes before
// it returns, the ledger is empty.
func (s *Stored) Restore(ctx context.Context, dir string, g *ledger.Genesis, opts store.Options, e *Epochs, replace bool) (err error) {
	c, err := s.certify(e)
	if err != nil {
		return err
	}
	r, err := store.OpenRestore(dir, g, opts, replace)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := s.each(ctx, func(_ int, entries []store.Entry) error { return r.Put(entries) }); err != nil {
		return err
	}
	return r.Finish(c.base(e))
}

// base is what the store needs besides the state.
func (c *Certified) base(e *Epochs) store.Base {
	all := append(append([]quorum.Header(nil), c.manifest.Headers...), c.proof.Path...)
	b := store.Base{Headers: all, Certificates: make([]*quorum.Certificate, len(all))}
	b.Certificates[len(all)-1] = &c.proof.Last
	if c.proof.First != nil {
		b.Certificates[c.proof.FirstAt] = c.proof.First
	}
	for _, h := range e.Handovers() {
		if h.Closing.Height <= c.manifest.Height() {
			b.Handovers = append(b.Handovers, h)
		}
	}
	return b
}
