package node

import (
	"context"
	"errors"
	"fmt"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/node/mempool"
)

// nextHeight is the height of the block a transaction admitted now can be in.
func (n *Node) nextHeight() quorum.Height { return n.store.Tip().Height + 1 }

// admit decodes, checks and holds raw transactions, in this order: who is unknown to the ledger costs no
// signature check. The answers are in order; a transaction that is held or in the ledger already is no error.
func (n *Node) admit(raws [][]byte) []error {
	view, height := n.store.View(), n.nextHeight()
	out := make([]error, len(raws))
	results := n.verifier.Each(raws, func(tx *ledger.Transaction) error {
		if n.pool.has(tx.ID()) {
			return errHeld
		}
		return ledger.Precheck(view, height, tx)
	})
	added := false
	for i, r := range results {
		if r.Err == nil {
			r.Err = n.hold(view, height, r.Verified)
			added = added || r.Err == nil
		}
		if !errors.Is(r.Err, errHeld) && !errors.Is(r.Err, mempool.ErrKnown) {
			out[i] = r.Err
		}
	}
	if added {
		n.loop.poolChanged()
	}
	return out
}

var errHeld = errors.New("already held")

func (n *Node) hold(view ledger.View, height quorum.Height, v ledger.VerifiedTransaction) error {
	if n.pool.settled(v.Transaction().ID()) {
		return errHeld
	}
	// A transaction may come before the one it depends on: the pool keeps it until that one is there.
	if err := ledger.Admit(view, height, v.Transaction()); err != nil && !errors.Is(err, ledger.CodeDependencyMissing) {
		return err
	}
	return n.pool.add(v)
}

// takeTransactions holds what a peer passed on. What it should not have sent is dropped: it may have been
// good when it left.
func (n *Node) takeTransactions(raws [][]byte) {
	for _, err := range n.admit(raws) {
		if err != nil {
			n.metrics.refused.Inc()
		}
	}
}

// Submit takes a transaction from a client of this node and passes it on to the validators.
func (n *Node) Submit(ctx context.Context, raw []byte) (crypto.Hash, error) {
	if err := ctx.Err(); err != nil {
		return crypto.Hash{}, err
	}
	tx, err := ledger.DecodeTransaction(raw)
	if err != nil {
		return crypto.Hash{}, err
	}
	if err := n.admit([][]byte{raw})[0]; err != nil {
		n.metrics.refused.Inc()
		return tx.ID(), err
	}
	if n.pool.has(tx.ID()) && !n.relay.submit(tx, raw) {
		return tx.ID(), fmt.Errorf("%w: too many transactions wait to be passed on", mempool.ErrFull)
	}
	return tx.ID(), nil
}
