package node

import (
	"errors"
	"fmt"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/store"
	blocksync "waybill/node/sync"
	"waybill/p2p"
)

// chain is the store as a replica sees it. It implements Ledger.
type chain struct {
	store *store.Store
}

// Tip implements Ledger.
func (c chain) Tip() (LedgerTip, error) {
	height := c.store.Tip().Height
	header, err := c.store.Header(height)
	if err != nil {
		return LedgerTip{}, err
	}
	cert, err := c.store.Certificate(height)
	if err == nil && cert == nil && height == c.store.Base() {
		cert, err = c.store.BaseCertificate() // of a descendant, which a snapshot came with
	}
	if err != nil {
		return LedgerTip{}, err
	}
	tip := LedgerTip{Header: header, Certificate: cert}
	for h := height; tip.EmptyTail < ledger.MaxExecDelay; h-- {
		if h == 0 {
			tip.EmptyTail = ledger.MaxExecDelay
			break
		}
		at, err := c.store.Header(h)
		if errors.Is(err, store.ErrBelowBase) {
			break // not known: a few empty blocks too many are made at worst
		}
		if err != nil {
			return LedgerTip{}, err
		}
		if at.TxCount > 0 {
			break
		}
		tip.EmptyTail++
	}
	return tip, nil
}

// Epoch implements Ledger.
func (c chain) Epoch() (EpochInfo, error) {
	r, err := c.store.CurrentEpoch()
	if err != nil {
		return EpochInfo{}, err
	}
	rules, err := c.rules()
	if err != nil {
		return EpochInfo{}, err
	}
	peers, err := c.peers(r.Set)
	return EpochInfo{Number: r.Number, Set: r.Set, Anchor: r.Anchor, Peers: peers, Rules: rules}, err
}

// rules reads the parameters from the state, which only closing blocks change.
func (c chain) rules() (Rules, error) {
	view := c.store.View()
	params, err := ledger.ReadParams(view)
	if err != nil {
		return Rules{}, err
	}
	rules := RulesOf(params)
	rules.Newer, err = ledger.NewerProtocol(view)
	return rules, err
}

// NextSet implements Ledger.
func (c chain) NextSet(after quorum.Height) (*quorum.Set, error) { return c.store.NextSet(after) }

// Result implements Ledger.
func (c chain) Result(h quorum.Height) (Result, bool) {
	state, err := c.store.StateRoot(h)
	if err != nil {
		return Result{}, false
	}
	receipts, err := c.store.ReceiptsChain(h)
	return Result{StateRoot: state, ReceiptsChain: receipts}, err == nil
}

// Blocks implements Ledger.
func (c chain) Blocks(from quorum.Height, most int) ([]blocksync.Block, error) {
	var out []blocksync.Block
	size, certified := 0, false
	tip := c.store.Tip().Height
	if base := c.store.Base(); base > 0 && from <= base {
		return nil, nil // not kept here
	}
	for h := max(from, 1); h <= tip && h >= from && len(out) < most; h++ {
		if size >= blocksync.LargestAnswerBytes || certified && size >= blocksync.MaxAnswerBytes {
			break
		}
		header, err := c.store.Header(h)
		if err != nil {
			return nil, err
		}
		payload, err := c.store.Payload(h)
		if err != nil {
			return nil, err
		}
		cert, err := c.store.Certificate(h)
		if err != nil {
			return nil, err
		}
		b := blocksync.Block{Header: header, Payload: payload, Certificate: cert}
		if header.IsClosing() {
			next, err := c.store.Epoch(header.Epoch + 1)
			if err != nil {
				return nil, err
			}
			b.Next = next.Set
		}
		size, certified = size+b.Size(), certified || cert != nil
		out = append(out, b)
		if header.IsClosing() {
			break // what follows is verified with another set
		}
	}
	return out, nil
}

// peers finds the nodes of a set's validators, as the present state names them. A validator whose node is not known, or
// whose key is that of no peer, gets the empty id, which nobody has.
func (c chain) peers(set *quorum.Set) ([]p2p.PeerID, error) {
	out := make([]p2p.PeerID, set.Len())
	for i, v := range set.Validators() {
		key, err := ledger.PeerKeyOf(c.store.View(), v.Key)
		if err != nil {
			return nil, fmt.Errorf("reading the node of validator %s: %w", v.Key, err)
		}
		if key == (crypto.PublicKey{}) {
			continue
		}
		if id, err := p2p.PeerIDFromPublicKey(key[:]); err == nil {
			out[i] = id
		}
	}
	return out, nil
}
