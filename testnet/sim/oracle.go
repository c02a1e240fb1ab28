package sim

import (
	"fmt"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/node"
)

// oracle judges a run by what nodes sent and executed. It decodes messages with the shipped decoders but
// decides everything itself: quorums by its own arithmetic, double votes by its own table.
//
// It checks: one block per height on all nodes; each block on the one before it, with a later time; a
// certificate by more than two thirds of the stake, each signer of which really sent that vote; no two votes
// of one validator for one view and step and no two proposals for one view, across restarts; no vote or proposal
// sent before it is on the disk; no finalize without its notarize; equal results; no evidence against anybody
// (all are honest here); bounded state.
type oracle struct {
	power  []uint64
	total  uint64
	blocks map[quorum.Height]crypto.Hash
	roots  map[quorum.Height]crypto.Hash
	votes  map[ballot]quorum.Vote
	drafts map[quorum.View]crypto.Hash // proposed by the view's leader
	fault  error
}

// ballot is what a validator may fill in once.
type ballot struct {
	signer uint16
	view   quorum.View
	exit   bool
}

func newOracle(set *quorum.Set) *oracle {
	o := &oracle{blocks: map[quorum.Height]crypto.Hash{}, roots: map[quorum.Height]crypto.Hash{}, votes: map[ballot]quorum.Vote{}, drafts: map[quorum.View]crypto.Hash{}}
	for _, v := range set.Validators() {
		o.power = append(o.power, uint64(v.Power))
		o.total += uint64(v.Power)
	}
	return o
}

func (o *oracle) broken(format string, args ...any) error {
	if o.fault == nil {
		o.fault = fmt.Errorf(format, args...)
	}
	return o.fault
}

// sent looks at a message when it leaves its author.
func (o *oracle) sent(m *member, msg []byte) {
	o.sentProposal(m, msg)
	for _, v := range votesIn(msg) {
		if int(v.Signer) != m.index {
			continue // passed on
		}
		if m.disk.unsynced(voteRecords) {
			_ = o.broken("%s sends its %s of view %d before it is on the disk", m.peer, v.Kind, v.View)
		}
		b := ballot{v.Signer, v.View, v.Kind != quorum.KindNotarize}
		if old, ok := o.votes[b]; ok && (old.Kind != v.Kind || old.Block != v.Block) {
			_ = o.broken("%s voted twice in view %d: %s %s and %s %s", m.peer, v.View, old.Kind, old.Block, v.Kind, v.Block)
		}
		o.votes[b] = v
		if v.Kind == quorum.KindFinalize {
			if own, ok := o.votes[ballot{v.Signer, v.View, false}]; ok && own.Block != v.Block {
				_ = o.broken("%s finalizes %s in view %d after notarizing %s", m.peer, v.Block, v.View, own.Block)
			}
		}
	}
}

// What the journal keeps its votes and proposals under.
const (
	voteRecords     = "Jv"
	proposalRecords = "Jp"
)

func (o *oracle) sentProposal(m *member, msg []byte) {
	if len(msg) < voteHead || msg[0] != 2 {
		return
	}
	p, err := quorum.DecodeProposal(msg[voteHead:])
	if err != nil || int(p.Header.Proposer) != m.index {
		return
	}
	if m.disk.unsynced(proposalRecords) {
		_ = o.broken("%s sends its proposal of view %d before it is on the disk", m.peer, p.Header.View)
	}
	hash := p.Header.Hash()
	if old, ok := o.drafts[p.Header.View]; ok && old != hash {
		_ = o.broken("%s proposes %s and %s in view %d", m.peer, old, hash, p.Header.View)
	}
	o.drafts[p.Header.View] = hash
}

// voteHead is the length of what stands before the body in messages of consensus: kind and status.
const voteHead = 1 + consensus.StatusSize

// votesIn finds the votes of a message of votes: kind, status, votes of fixed width.
func votesIn(msg []byte) []quorum.Vote {
	if len(msg) < voteHead || msg[0] != 1 {
		return nil
	}
	var out []quorum.Vote
	for rest := msg[voteHead:]; len(rest) >= quorum.VoteSize; rest = rest[quorum.VoteSize:] {
		if v, err := quorum.DecodeVote(rest[:quorum.VoteSize]); err == nil {
			out = append(out, v)
		}
	}
	return out
}

// executed judges a block at the moment a node executes it on its last block.
func (o *oracle) executed(m *member, last block, b node.FinalBlock) error {
	if o.fault != nil {
		return o.fault
	}
	h := b.Header
	if h.Height != last.header.Height+1 || h.Parent != last.hash || h.TimeMs <= last.header.TimeMs {
		return o.broken("%s executes block %d (%s at %d) on block %d (%s at %d)", m.peer, h.Height, b.Hash, h.TimeMs, last.header.Height, last.hash, last.header.TimeMs)
	}
	if other, ok := o.blocks[h.Height]; ok && other != b.Hash {
		return o.broken("FORK at height %d: %s executes %s, another node %s", h.Height, m.peer, b.Hash, other)
	}
	o.blocks[h.Height] = b.Hash
	return o.certified(m, b)
}

func (o *oracle) certified(m *member, b node.FinalBlock) error {
	c := b.Certificate
	if c == nil || c.Kind != quorum.KindFinalize || c.Height < b.Header.Height {
		return o.broken("%s executes block %d without a finalization", m.peer, b.Header.Height)
	}
	var power uint64
	for i := range o.power {
		if i/8 >= len(c.Bitmap) || c.Bitmap[i/8]>>(i%8)&1 == 0 {
			continue
		}
		v, ok := o.votes[ballot{uint16(i), c.View, true}]
		if !ok || v.Kind != quorum.KindFinalize || v.Block != c.Block {
			return o.broken("the certificate of block %d counts validator %d, who never sent that vote", c.Height, i)
		}
		power += o.power[i]
	}
	if power*3 <= o.total*2 {
		return o.broken("the certificate of block %d has power %d of %d", c.Height, power, o.total)
	}
	return nil
}

// accused is a break: every simulated validator is honest.
func (o *oracle) accused(m *member, e quorum.Evidence) {
	_ = o.broken("%s accuses validator %d, who is honest", m.peer, e.Signer())
}

// splits counts the pairs of blocks, one on the other, that are final although for neither of them validators
// with a quorum of the stake ever voted to finalize: each is final only through what was built on it.
func (o *oracle) splits() int {
	power := map[crypto.Hash]uint64{}
	for b, v := range o.votes {
		if v.Kind == quorum.KindFinalize {
			power[v.Block] += o.power[b.signer]
		}
	}
	split := func(h quorum.Height) bool {
		hash, ok := o.blocks[h]
		return ok && power[hash]*3 <= o.total*2
	}
	n := 0
	for h := range o.blocks {
		if split(h) && split(h+1) {
			n++
		}
	}
	return n
}

// Bounds of what a replica may hold in these small networks.
const (
	maxOpenViews      = 400
	maxOpenCandidates = 100
)

func (o *oracle) bounded(m *member) error {
	if o.fault != nil {
		return o.fault
	}
	s := m.replica.Snapshot()
	if s.Consensus.FinalHeight < s.Final.Height {
		return o.broken("%s has executed up to block %d, its consensus knows of %d", m.peer, s.Final.Height, s.Consensus.FinalHeight)
	}
	if s.Candidates > maxOpenCandidates || s.Consensus.OpenViews > maxOpenViews {
		return o.broken("%s holds %d candidates and %d views", m.peer, s.Candidates, s.Consensus.OpenViews)
	}
	return nil
}

// finish compares whole chains.
func (o *oracle) finish(nodes []*member) error {
	for _, m := range nodes {
		for _, b := range m.disk.chain[1:] {
			if root, ok := o.roots[b.header.Height]; ok && root != b.result.StateRoot {
				return o.broken("%s has another result of block %d", m.peer, b.header.Height)
			}
			o.roots[b.header.Height] = b.result.StateRoot
			if h := b.header; h.ExecStateRoot != m.disk.chain[h.ExecHeight].result.StateRoot {
				return o.broken("block %d carries another result of block %d than executing it gives", h.Height, h.ExecHeight)
			}
		}
	}
	return o.fault
}
