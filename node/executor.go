package node

import (
	"context"
	"errors"
	"fmt"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/node/mempool"
	blocksync "waybill/node/sync"
)

// executor turns final blocks into ledger, and judges payloads. Its queues hold all that a replica may have
// outstanding, so that giving it work never waits.
type executor struct {
	n        *Node
	blocks   chan FinalBlock
	payloads chan payloadJob
}

type payloadJob struct {
	hash    crypto.Hash
	payload [][]byte
}

func newExecutor(n *Node) *executor {
	return &executor{
		n:        n,
		blocks:   make(chan FinalBlock, maxUnexecuted+blocksync.MaxBlocksPerAnswer+maxCandidates),
		payloads: make(chan payloadJob, 2*maxCandidates),
	}
}

func (x *executor) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case b := <-x.blocks:
			done := x.execute(b)
			x.n.loop.answer(ctx, func(r *Replica) error { return r.Executed(done) })
		}
	}
}

// execute applies one block and commits it.
func (x *executor) execute(b FinalBlock) Execution {
	e := Execution{Height: b.Header.Height, View: b.Header.View}
	if e.Err = x.agree(b); e.Err != nil {
		return e
	}
	txs, err := x.n.verifier.All(b.Payload)
	if err != nil {
		e.Err = fmt.Errorf("a finalized block holds what no honest validator votes for: %w", err)
		return e
	}
	update, err := ledger.Apply(x.n.store.View(), &ledger.Block{Header: b.Header, Transactions: txs, Next: b.Next})
	if err != nil {
		e.Err = err
		return e
	}
	if _, e.Err = x.n.store.Commit(b.Header, b.Payload, b.Certificate, update, b.Next); e.Err != nil {
		return e
	}
	for _, tx := range txs {
		e.Transactions = append(e.Transactions, tx.Transaction().ID())
	}
	x.n.executed(b.Header, update)
	e.Err = x.n.taker.Committed(b.Header)
	return e
}

// executed tells everybody who watches about a block that is in the ledger.
func (n *Node) executed(h quorum.Header, update *ledger.Update) {
	n.metrics.blocks.Inc()
	n.metrics.transactions.Add(float64(len(update.Receipts)))
	refused := 0
	for i := range update.Receipts {
		if update.Receipts[i].Err() != nil {
			refused++
		}
	}
	n.metrics.refusals.Add(float64(refused))
	n.pool.executed(update.Receipts)
	expired := n.pool.expire(h.Height + 1)
	// Of evidence: the offender may have been punished for another offence.
	n.pool.sift((*mempool.Pool).Evidence, func(tx *ledger.Transaction) bool {
		var refused *ledger.RuleError
		return !errors.As(ledger.Precheck(n.store.View(), h.Height+1, tx), &refused)
	})
	if h.IsClosing() {
		n.siftAll(h)
	}
	n.log.Debug("block", "height", h.Height, "view", h.View, "transactions", len(update.Receipts), "refused", refused, "expired", expired)
}

// siftAll drops what waits and is not admitted any more, if the parameters of the next epoch are others: what is too large
// for its blocks would else wait, and keep the chain busy, until it expires.
func (n *Node) siftAll(closing quorum.Header) {
	view := n.store.View()
	if params, err := ledger.ReadParams(view); err != nil || params.Hash() == closing.Params {
		return
	}
	n.pool.sift((*mempool.Pool).All, func(tx *ledger.Transaction) bool {
		var refused *ledger.RuleError
		err := ledger.Admit(view, closing.Height+1, tx)
		return !errors.As(err, &refused) || errors.Is(err, ledger.CodeDependencyMissing)
	})
}

// agree compares the result a final header carries with ours. If they differ, either more than a third of
// the stake lies or this node computed something else than the network: it must not go on.
func (x *executor) agree(b FinalBlock) error {
	h := b.Header
	result, ok := chain{x.n.store}.Result(h.ExecHeight)
	if !ok {
		return nil // no longer kept: far below what history holds
	}
	if result.StateRoot != h.ExecStateRoot || result.ReceiptsChain != h.ExecReceiptsRoot {
		return fmt.Errorf("this node and the network disagree about the state after block %d: here %s, in the final header of block %d %s; keep the data folder and report it",
			h.ExecHeight, result.StateRoot, h.Height, h.ExecStateRoot)
	}
	return nil
}

// check judges payloads of proposals.
func (x *executor) check(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case job := <-x.payloads:
			var ids []crypto.Hash
			txs, err := x.n.verifier.All(job.payload)
			for _, tx := range txs {
				ids = append(ids, tx.Transaction().ID())
			}
			x.n.loop.answer(ctx, func(r *Replica) error { return r.PayloadChecked(job.hash, ids, err) })
		}
	}
}
