package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"waybill/api"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/query"
	"waybill/ledger"
	"waybill/ledger/index"
	"waybill/ledger/store"
	"waybill/node/mempool"
)

// backend is the node as the HTTP API sees it. It implements the interfaces of package api; all of it may run
// concurrently.
type backend struct{ n *Node }

// kinds translates what the parts say into what the API answers.
func kinds(err error) error {
	for _, t := range []struct {
		from error
		to   api.Kind
	}{
		{store.ErrNotFound, api.ErrNotFound}, {store.ErrPruned, api.ErrNotFound}, {index.ErrBehind, api.ErrNotReady},
		{mempool.ErrFull, api.ErrBusy}, {mempool.ErrAuthorLimit, api.ErrBusy},
	} {
		if errors.Is(err, t.from) {
			return fmt.Errorf("%w: %w", t.to, err)
		}
	}
	return err
}

// Block implements api.Chain.
func (b *backend) Block(_ context.Context, height quorum.Height) (*api.Block, error) {
	s, err := b.n.store.Block(height)
	if err != nil {
		return nil, kinds(err)
	}
	return &api.Block{Header: s.Header, Payload: s.Payload, Certificate: s.Certificate, Receipts: s.Receipts}, nil
}

// HeightOf implements api.Chain.
func (b *backend) HeightOf(_ context.Context, block crypto.Hash) (quorum.Height, error) {
	h, err := b.n.store.HeightOf(block)
	return h, kinds(err)
}

// Epoch implements api.Chain.
func (b *backend) Epoch(_ context.Context, number quorum.Epoch) (*api.Epoch, error) {
	r, err := b.n.store.Epoch(number)
	if err != nil {
		return nil, kinds(err)
	}
	e := &api.Epoch{Number: r.Number, Set: r.Set, Anchor: r.Anchor}
	if number > 0 {
		e.Certificate, err = b.n.store.Certificate(r.Anchor.Height)
	}
	return e, kinds(err)
}

// ProveTransaction implements api.Prover.
func (b *backend) ProveTransaction(_ context.Context, id crypto.Hash) (*api.TransactionProof, error) {
	p, err := b.n.store.ProveTransaction(id)
	if err != nil {
		return nil, kinds(err)
	}
	return &api.TransactionProof{
		Header: p.Block.Header(), Path: p.Block.Headers[1:], Certificate: p.Block.Certificate, Raw: p.Raw, Proof: p.Inclusion,
	}, nil
}

// Submit implements api.Submitter.
func (b *backend) Submit(ctx context.Context, raw []byte) (crypto.Hash, error) {
	id, err := b.n.Submit(ctx, raw)
	return id, kinds(err)
}

// Transaction implements api.Transactions. It asks the pool before the store: what leaves the pool for a block is in
// the store by then, so that nothing slips through between the two.
func (b *backend) Transaction(_ context.Context, id crypto.Hash) (*api.Transaction, error) {
	height, waiting := b.n.store.Tip().Height, b.n.pool.transaction(id)
	raw, at, err := b.n.store.RawTransaction(id)
	if err == nil {
		return b.settled(id, raw, at)
	}
	if !store.IsNotFound(err) {
		return nil, err
	}
	if waiting != nil {
		return &api.Transaction{Status: api.TxPending, Raw: waiting.Raw()}, nil
	}
	switch expiry, ok := b.n.relay.wasSubmitted(id); {
	case !ok:
		return nil, kinds(err)
	case height < expiry:
		return &api.Transaction{Status: api.TxPending}, nil // our full pool let go of it; others may hold it
	}
	return &api.Transaction{Status: api.TxExpired}, nil
}

func (b *backend) settled(id crypto.Hash, raw []byte, at store.Location) (*api.Transaction, error) {
	receipt, _, err := b.n.store.Receipt(id)
	if err != nil {
		return nil, kinds(err)
	}
	header, err := b.n.store.Header(at.Height)
	if err != nil {
		return nil, kinds(err)
	}
	tx := &api.Transaction{Status: api.TxFinal, Raw: raw, Height: at.Height, Index: at.Tx, TimeMs: header.TimeMs, Receipt: receipt}
	if receipt.Err() != nil {
		tx.Status = api.TxRefused
	}
	return tx, nil
}

// Wait implements api.Transactions.
func (b *backend) Wait(ctx context.Context, id crypto.Hash) (*api.Transaction, error) {
	for {
		next := b.n.store.Tip().Height + 1
		tx, err := b.Transaction(ctx, id)
		if err == nil && tx.Status != api.TxPending || err != nil && !errors.Is(err, api.ErrNotFound) {
			return tx, err
		}
		if err := b.n.store.WaitFor(ctx, next); err != nil {
			return nil, err
		}
	}
}

// Find implements api.Events.
func (b *backend) Find(ctx context.Context, q *query.Query) (*query.Page, error) {
	page, err := b.n.index.Find(ctx, q)
	return page, kinds(err)
}

// IndexedHeight implements api.Events.
func (b *backend) IndexedHeight() quorum.Height { return b.n.index.Height() }

// WaitIndexed implements api.Events.
func (b *backend) WaitIndexed(ctx context.Context, height quorum.Height) error {
	return kinds(b.n.index.WaitFor(ctx, height))
}

// params are those in force. If they cannot be read, which the store reports, those of genesis do: what is made under them
// the ledger judges.
func (b *backend) params() ledger.Params {
	p, err := ledger.ReadParams(b.n.store.View())
	if err != nil {
		return b.n.genesis.Params
	}
	return *p
}

// Status implements api.Node.
func (b *backend) Status() api.Status {
	n := b.n
	tip, snap, epoch := n.store.Tip(), n.snapshot.Load(), n.members.Load().epoch
	waiting, size := n.pool.size()
	s := api.Status{
		Chain: n.genesis.Chain, Genesis: n.store.Genesis(), Epoch: uint64(epoch.Number),
		Name: n.settings.Name, Version: n.version, PeerID: string(n.net.Self()), Validator: epoch.Self >= 0,
		Height: tip.Height, BlockHash: tip.Hash, StateRoot: tip.StateRoot, Indexed: n.index.Height(),
		View: uint64(snap.Consensus.View), BestKnown: max(snap.BestKnown, tip.Height), Syncing: snap.Syncing && snap.BestKnown > tip.Height+syncLag,
		Peers: len(n.net.Peers()), Mempool: waiting, MempoolSize: int64(size), StartedMs: n.started.UnixMilli(),
	}
	if epoch.Self >= 0 {
		s.Operator = epoch.Domain.Set.At(epoch.Self).Operator
	}
	if header, err := n.store.Header(tip.Height); err == nil {
		s.BlockTimeMs = header.TimeMs
	}
	if h := snap.Consensus.Halted; h != nil {
		s.Halted = h.Error()
	} else if err := n.store.Err(); err != nil {
		s.Halted = err.Error()
	}
	return s
}

// Peers implements api.Node.
func (b *backend) Peers() []api.Peer {
	var out []api.Peer
	members := b.n.members.Load()
	for _, p := range b.n.net.Peers() {
		name, validator := members.names[p.ID]
		out = append(out, api.Peer{
			ID: string(p.ID), Name: name, Address: p.Addr, Direction: string(p.Direction),
			Validator: validator, Operator: members.operators[p.ID],
		})
	}
	return out
}

// readyLag is how many blocks behind the best known one a node may be and still serve.
const readyLag = 10

// Checks implements api.Node.
func (b *backend) Checks() []api.Check {
	s := b.Status()
	power := b.connectedPower()
	set := b.n.members.Load().epoch.Domain.Set
	return []api.Check{
		{Name: "storage", Vital: true, OK: b.n.store.Err() == nil, Detail: fmt.Sprintf("height %d", s.Height)},
		{Name: "engine", Vital: true, OK: s.Halted == "", Detail: fmt.Sprintf("view %d %s", s.View, s.Halted)},
		b.n.watchdog.check(),
		b.n.signerCheck(),
		{Name: "sync", OK: s.BestKnown <= s.Height+readyLag, Detail: fmt.Sprintf("block %d of %d, block time %s", s.Height, s.BestKnown, time.UnixMilli(s.BlockTimeMs).UTC().Format(time.RFC3339))},
		{Name: "index", OK: s.Indexed+readyLag >= s.Height, Detail: fmt.Sprintf("block %d of %d", s.Indexed, s.Height)},
		{Name: "peers", OK: power >= set.Quorum(), Detail: fmt.Sprintf("connected to validators with %d of %d stake, %d are needed", power, set.Total(), set.Quorum())},
	}
}

// connectedPower is the stake of the validators this node is connected to, its own included.
func (b *backend) connectedPower() quorum.Power {
	connected := map[string]bool{}
	for _, p := range b.n.net.Peers() {
		connected[string(p.ID)] = true
	}
	var power quorum.Power
	e := b.n.members.Load().epoch
	for i, id := range e.Peers {
		if i == e.Self || connected[string(id)] {
			power += e.Domain.Set.At(i).Power
		}
	}
	return power
}
