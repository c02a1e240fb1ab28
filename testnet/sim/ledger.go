package sim

import (
	"crypto/sha256"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/node"
	blocksync "waybill/node/sync"
	"waybill/p2p"
)

// block is an executed block.
type block struct {
	header quorum.Header
	hash   crypto.Hash
	pay    [][]byte
	cert   *quorum.Certificate
	result node.Result
	next   *quorum.Set // closing blocks
	state  *realState  // of the real ledger; nil in the model
}

// rules is what executing blocks means: the model's, or the real ledger's.
type rules interface {
	// execute runs a block on the last one.
	execute(last *block, b node.FinalBlock) (block, error)
	// elect is the set that the state after a block elects for the epoch after its own, whose set is current.
	elect(after *block, current *quorum.Set) (*quorum.Set, error)
	// check judges a payload, and names its transactions.
	check(payload [][]byte) ([]crypto.Hash, error)
	// id names a raw transaction.
	id(raw []byte) crypto.Hash
}

// modelRules executes nothing: a state is a hash over all payloads. Stakes change by the plan.
type modelRules struct{ w *world }

func (modelRules) execute(last *block, b node.FinalBlock) (block, error) {
	var in [64]byte
	copy(in[:], last.result.StateRoot[:])
	copy(in[32:], b.Header.PayloadRoot[:])
	root := sha256.Sum256(in[:])
	return block{result: node.Result{StateRoot: root, ReceiptsChain: sha256.Sum256(root[:])}}, nil
}

func (m modelRules) elect(after *block, current *quorum.Set) (*quorum.Set, error) {
	return m.w.sets.elect(uint64(after.header.Height), current)
}

func (m modelRules) check(payload [][]byte) ([]crypto.Hash, error) {
	out := make([]crypto.Hash, len(payload))
	for i, tx := range payload {
		out[i] = m.id(tx)
	}
	return out, nil
}

func (m modelRules) id(raw []byte) crypto.Hash {
	if id, ok := m.w.ids[string(raw)]; ok {
		return id
	}
	id := crypto.Hash(sha256.Sum256(raw))
	if tx, err := ledger.DecodeTransaction(raw); err == nil {
		id = tx.ID()
	}
	m.w.ids[string(raw)] = id
	return id
}

// lastNumber is the number of the transaction that every node gets when everything healed.
const lastNumber = 1 << 40

// modelTransaction makes a transaction that nobody signed: the model does not look, but package node must find its id.
func modelTransaction(number uint64) []byte {
	body, err := ledger.NewBody(crypto.Hash{1}, crypto.Address{1}, 1, &ledger.Transfer{To: crypto.Address{2}, Amount: number})
	if err != nil {
		panic(err) // a payload of this package
	}
	tx, err := ledger.NewTransaction(body, []ledger.SignedBy{{Key: keyring()[0].public}})
	if err != nil {
		panic(err)
	}
	return tx.Raw()
}

// elections remembers the sets that the plan's changes lead to: making one costs arithmetic on the curve.
type elections struct {
	plan    *Plan
	wanted  map[int]*quorum.Set // by the number of changes in force
	limited map[[2]crypto.Hash]*quorum.Set
}

func newElections(p *Plan) *elections {
	return &elections{plan: p, wanted: map[int]*quorum.Set{}, limited: map[[2]crypto.Hash]*quorum.Set{}}
}

// stakes are the wanted stakes at a height, and which changes led to them.
func (e *elections) stakes(height uint64) (stakes []uint64, changes int) {
	stakes = append(stakes, e.plan.Stakes...)
	for i, c := range e.plan.Changes {
		if c.Height <= height {
			stakes[c.Node] = c.Stake
			changes |= 1 << i
		}
	}
	return stakes, changes
}

func (e *elections) wantedAt(height uint64) (*quorum.Set, error) {
	stakes, changes := e.stakes(height)
	if set := e.wanted[changes]; set != nil {
		return set, nil
	}
	var validators []quorum.Validator
	for i, s := range stakes {
		if s > 0 {
			validators = append(validators, quorum.Validator{Key: keyring()[i].public, Power: quorum.Power(s)})
		}
	}
	set, err := quorum.NewSet(validators)
	if err == nil {
		e.wanted[changes] = set
	}
	return set, err
}

func (e *elections) elect(height uint64, current *quorum.Set) (*quorum.Set, error) {
	wanted, err := e.wantedAt(height)
	if err != nil {
		return nil, err
	}
	key := [2]crypto.Hash{current.Hash(), wanted.Hash()}
	if set := e.limited[key]; set != nil {
		return set, nil
	}
	set := quorum.LimitChange(current, wanted)
	e.limited[key] = set
	return set, nil
}

// epochAt returns the epoch that a state of height h is in: what the closing block at or below it began.
func (m *member) epochAt(h int) (number quorum.Epoch, set *quorum.Set, anchor *block) {
	for ; h > 0; h-- {
		if b := &m.disk.chain[h]; b.next != nil {
			return b.header.Epoch + 1, b.next, b
		}
	}
	return 0, m.w.first, &m.disk.chain[0]
}

// Epoch implements node.Ledger.
func (m *member) Epoch() (node.EpochInfo, error) {
	number, set, anchor := m.epochAt(len(m.disk.chain) - 1)
	info := node.EpochInfo{Number: number, Set: set, Anchor: anchor.header, Rules: m.w.lawsOf(number)}
	for i := range set.Len() {
		info.Peers = append(info.Peers, m.w.peerOf(set.At(i).Key))
	}
	return info, nil
}

// NextSet implements node.Ledger.
func (m *member) NextSet(after quorum.Height) (*quorum.Set, error) {
	_, current, _ := m.epochAt(int(after))
	return m.w.rules.elect(&m.disk.chain[after], current)
}

// Tip implements node.Ledger.
func (m *member) Tip() (node.LedgerTip, error) {
	chain := m.disk.chain
	last := chain[len(chain)-1]
	tail := uint64(0)
	for i := len(chain) - 1; i >= 0 && tail < ledger.MaxExecDelay; i-- {
		if len(chain[i].pay) > 0 || chain[i].next != nil {
			break
		}
		tail++
	}
	if len(chain) == 1 {
		tail = ledger.MaxExecDelay
	}
	return node.LedgerTip{Header: last.header, Certificate: last.cert, EmptyTail: tail}, nil
}

// Result implements node.Ledger.
func (m *member) Result(h quorum.Height) (node.Result, bool) {
	if int(h) >= len(m.disk.chain) {
		return node.Result{}, false
	}
	return m.disk.chain[h].result, true
}

// Blocks implements node.Ledger.
func (m *member) Blocks(from quorum.Height, most int) ([]blocksync.Block, error) {
	var out []blocksync.Block
	for h := from; h > 0 && h < quorum.Height(len(m.disk.chain)) && len(out) < most; h++ {
		b := m.disk.chain[h]
		out = append(out, blocksync.Block{Header: b.header, Payload: b.pay, Certificate: b.cert, Next: b.next})
		if b.next != nil {
			break
		}
	}
	return out, nil
}

// peerOf names the node with a key.
func (w *world) peerOf(key crypto.PublicKey) p2p.PeerID {
	for _, m := range w.nodes {
		if m.public == key {
			return m.peer
		}
	}
	return ""
}
