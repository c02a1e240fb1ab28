package sim

import (
	"encoding/binary"
	"fmt"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/node"
)

// oracle judges a run by what honest nodes sent and executed. It decodes messages with the shipped decoders but
// decides everything itself: quorums by its own arithmetic, double votes by its own table, the ends of epochs by the
// plan.
//
// It checks, at every send and every execution: one block per height on all nodes; each block on the one before it, with
// a later time that no honest clock finds in the future, in the right epoch, with the right results, closing it exactly
// when it must; a certificate by more than two thirds of that epoch's stake, each honest signer of which really sent
// that vote; no two votes of one honest validator for one view and step and no two proposals for one view, across
// restarts and epochs; no vote or proposal sent before it is on the disk, and none at all by a node that lost what it
// signed; no finalize without its notarize; no transaction twice in blocks of honest leaders; no evidence against an
// honest validator; at most a third of the stake moves between two epochs; bounded state. See accountability.go for what
// it checks where a third or more is faulty.
type oracle struct {
	w      *world
	epochs map[quorum.Epoch]*electorate
	blocks map[quorum.Height]crypto.Hash
	votes  map[ballot]quorum.Vote
	drafts map[slotOf]crypto.Hash // proposed by honest leaders
	told   map[crypto.Hash]int64  // when a proposal was first sent by anybody honest: its leader
	seen   map[string]quorum.Height
	fault  error

	lastMsg  *byte
	lastFrom *member

	forked   bool
	named    map[crypto.PublicKey]bool // whom honest nodes reported
	evidence map[claim][]quorum.Vote   // see accountability.go
}

// electorate is the oracle's own idea of who votes in an epoch.
type electorate struct {
	keys    []crypto.PublicKey
	power   []uint64
	total   uint64
	set     *quorum.Set
	anchor  block
	views   quorum.View // the highest that a certificate of an executed block is of
	leaders *quorum.Slate
}

// ballot is what a validator may fill in once.
type ballot struct {
	key   crypto.PublicKey
	epoch quorum.Epoch
	view  quorum.View
	exit  bool
}

// slotOf is where a validator may propose once.
type slotOf struct {
	key   crypto.PublicKey
	epoch quorum.Epoch
	view  quorum.View
}

func newOracle(w *world) *oracle {
	return &oracle{
		w: w, epochs: map[quorum.Epoch]*electorate{}, blocks: map[quorum.Height]crypto.Hash{}, votes: map[ballot]quorum.Vote{},
		drafts: map[slotOf]crypto.Hash{}, told: map[crypto.Hash]int64{}, seen: map[string]quorum.Height{},
		evidence: map[claim][]quorum.Vote{}, named: map[crypto.PublicKey]bool{},
	}
}

// opens notes who votes in an epoch.
func (o *oracle) opens(number quorum.Epoch, set *quorum.Set, anchor block) {
	if o.epochs[number] != nil {
		return
	}
	e := &electorate{set: set, anchor: anchor}
	for _, v := range set.Validators() {
		e.keys = append(e.keys, v.Key)
		e.power = append(e.power, uint64(v.Power))
		e.total += uint64(v.Power)
	}
	o.epochs[number] = e
}

func (o *oracle) broken(format string, args ...any) error {
	if o.fault == nil {
		o.fault = fmt.Errorf(format, args...)
	}
	return o.fault
}

// sent looks at a message when it leaves an honest author; a message to many is looked at once.
func (o *oracle) sent(m *member, msg []byte) {
	if o.lastMsg == &msg[0] && o.lastFrom == m {
		return
	}
	o.lastMsg, o.lastFrom = &msg[0], m
	switch msg[0] {
	case proposalKind:
		o.sentProposal(m, msg)
	case votesKind:
		o.sentVotes(m, msg)
	}
}

// What the journal keeps its votes and proposals under.
const (
	voteRecords     = "Jv"
	proposalRecords = "Jp"
)

// recordOf is the key of the journal's record of an own proposal.
func recordOf(epoch quorum.Epoch, view quorum.View) string {
	key := binary.BigEndian.AppendUint64([]byte(proposalRecords), uint64(epoch))
	return string(binary.BigEndian.AppendUint64(key, uint64(view)))
}

func (o *oracle) own(m *member, epoch quorum.Epoch, signer uint16) bool {
	e := o.epochs[epoch]
	return e != nil && int(signer) < len(e.keys) && e.keys[signer] == m.public
}

func (o *oracle) sentVotes(m *member, msg []byte) {
	for _, v := range votesIn(msg) {
		if !o.own(m, v.Epoch, v.Signer) {
			continue // passed on
		}
		if old, ok := o.votes[ballot{m.public, v.Epoch, v.View, v.Kind != quorum.KindNotarize}]; m.mute && (!ok || old.Block != v.Block) {
			_ = o.broken("%s votes in view %d after it lost what it had signed", m.peer, v.View)
		}
		if m.disk.unsynced(voteRecords) {
			_ = o.broken("%s sends its %s of view %d before it is on the disk", m.peer, v.Kind, v.View)
		}
		b := ballot{m.public, v.Epoch, v.View, v.Kind != quorum.KindNotarize}
		if old, ok := o.votes[b]; ok && (old.Kind != v.Kind || old.Block != v.Block || old.Height != v.Height) {
			_ = o.broken("%s voted twice in epoch %d view %d: %s %s and %s %s", m.peer, v.Epoch, v.View, old.Kind, old.Block, v.Kind, v.Block)
		}
		o.votes[b] = v
		if v.Kind == quorum.KindFinalize {
			own, ok := o.votes[ballot{m.public, v.Epoch, v.View, false}]
			if ok && own.Block != v.Block {
				_ = o.broken("%s finalizes %s in view %d after notarizing %s", m.peer, v.Block, v.View, own.Block)
			}
		}
	}
}

func (o *oracle) sentProposal(m *member, msg []byte) {
	p, ok := proposalIn(msg)
	if !ok || !o.own(m, p.Header.Epoch, p.Header.Proposer) {
		return
	}
	if old, ok := o.drafts[slotOf{m.public, p.Header.Epoch, p.Header.View}]; m.mute && (!ok || old != p.Header.Hash()) {
		_ = o.broken("%s proposes in view %d after it lost what it had signed", m.peer, p.Header.View)
	}
	if m.disk.unsynced(recordOf(p.Header.Epoch, p.Header.View)) {
		_ = o.broken("%s sends its proposal of view %d before it is on the disk", m.peer, p.Header.View)
	}
	hash := p.Header.Hash()
	at := slotOf{m.public, p.Header.Epoch, p.Header.View}
	if old, ok := o.drafts[at]; ok && old != hash {
		_ = o.broken("%s proposes %s and %s in epoch %d view %d", m.peer, old, hash, p.Header.Epoch, p.Header.View)
	}
	o.drafts[at] = hash
	if _, ok := o.told[hash]; !ok {
		o.told[hash] = o.w.now
	}
}

// executed judges a block at the moment an honest node executes it on its last block.
func (o *oracle) executed(m *member, last, done *block, b node.FinalBlock) {
	h := &b.Header
	if h.Height != last.header.Height+1 || h.Parent != last.hash || h.TimeMs <= last.header.TimeMs || h.Flags&quorum.FlagTail != 0 {
		_ = o.broken("%s executes block %d (%s at %d) on block %d (%s at %d)",
			m.peer, h.Height, b.Hash, h.TimeMs, last.header.Height, last.hash, last.header.TimeMs)
		return
	}
	if other, ok := o.blocks[h.Height]; ok && other != b.Hash {
		o.forked = true
		if !o.w.plan.Fork {
			_ = o.broken("FORK at height %d: %s executes %s, another node %s", h.Height, m.peer, b.Hash, other)
			return
		}
	}
	_, known := o.blocks[h.Height]
	o.blocks[h.Height] = b.Hash
	number := last.header.Epoch
	if last.next != nil {
		number++
	}
	if h.Epoch != number {
		_ = o.broken("%s executes block %d of epoch %d in epoch %d", m.peer, h.Height, h.Epoch, number)
		return
	}
	if !o.w.plan.Fork {
		o.valid(m, last, b)
	}
	o.certified(m, b)
	if b.Next != nil {
		o.opens(number+1, b.Next, *done)
	}
	if !known {
		o.w.report.Counts[CountBlocks]++
		o.firstOf(b)
		o.w.slashedAt(done)
		if done.next != nil {
			o.w.report.Counts[CountEpochs]++
		}
	}
}

// firstOf notes a height that nobody executed before.
func (o *oracle) firstOf(b node.FinalBlock) {
	h := &b.Header
	honest := o.honestLeader(h.Epoch, h.Proposer)
	for _, raw := range b.Payload {
		if before, twice := o.seen[string(raw)]; twice && honest && !o.w.plan.Fork {
			_ = o.broken("block %d of an honest leader repeats a transaction of block %d", h.Height, before)
		}
		o.seen[string(raw)] = h.Height
	}
	o.w.progress(b)
}

func (o *oracle) honestLeader(epoch quorum.Epoch, index uint16) bool {
	e := o.epochs[epoch]
	if e == nil || int(index) >= len(e.keys) {
		return false
	}
	m := o.w.memberOf(e.keys[index])
	return m != nil && m.honest() && !m.mute && !o.w.plan.Clocks[m.self].Astray
}

// clockSlackMs is how far the clock of a node that liveness counts on may be ahead of the true time, and the precision.
const clockSlackMs = 500 + 100 + 100 + 150

// valid judges what the header says.
func (o *oracle) valid(m *member, last *block, b node.FinalBlock) {
	h, e := &b.Header, o.epochs[b.Header.Epoch]
	if h.TimeMs > o.w.now+clockSlackMs {
		_ = o.broken("block %d is of a time %d ms ahead", h.Height, h.TimeMs-o.w.now)
	}
	laws := o.w.lawsOf(h.Epoch)
	if h.Params != laws.Params || int(h.PayloadBytes) > laws.MaxBlockBytes || h.ValidatorSet != e.set.Hash() || h.Genesis != o.w.cfg.Genesis {
		_ = o.broken("block %d has other parameters, validators or another network", h.Height)
	}
	lowest := last.header.ExecHeight
	highest := max(lowest, quorum.Height(max(int64(h.Height)-int64(laws.ExecDelay), 0)))
	if h.ExecHeight < lowest || h.ExecHeight > highest || int(h.ExecHeight) >= len(m.disk.chain) {
		_ = o.broken("block %d carries the result of block %d; that must be from %d to %d", h.Height, h.ExecHeight, lowest, highest)
		return
	}
	exec := &m.disk.chain[h.ExecHeight]
	if h.ExecStateRoot != exec.result.StateRoot || h.ExecReceiptsRoot != exec.result.ReceiptsChain {
		_ = o.broken("block %d carries another result of block %d than executing it gives", h.Height, h.ExecHeight)
	}
	o.closes(exec, e, b)
}

// closes judges whether the block had to end its epoch, and to whom it hands over.
func (o *oracle) closes(exec *block, e *electorate, b node.FinalBlock) {
	h, epochs := &b.Header, o.w.lawsOf(b.Header.Epoch).Epochs
	next, err := o.w.rules.elect(exec, e.set)
	if err != nil {
		_ = o.broken("no set after block %d: %v", h.ExecHeight, err)
		return
	}
	late := h.ExecHeight >= e.anchor.header.Height
	old := late && epochs.Ms > 0 && h.TimeMs-e.anchor.header.TimeMs >= epochs.Ms && next.Hash() != e.set.Hash()
	long := late && epochs.Length > 0 && uint64(h.Height-e.anchor.header.Height) >= epochs.Length
	switch closing := h.Flags&quorum.FlagClosing != 0; {
	case closing != (old || long):
		_ = o.broken("block %d closes its epoch: %v; it must: %v", h.Height, closing, old || long)
	case !closing && (b.Next != nil || h.NextValidatorSet != crypto.Hash{}):
		_ = o.broken("block %d hands over without closing", h.Height)
	case closing && (b.Next == nil || b.Next.Hash() != next.Hash() || h.NextValidatorSet != next.Hash()):
		_ = o.broken("block %d hands over to another set than the state elects", h.Height)
	case closing && moved(e.set, b.Next)*3 > e.total:
		_ = o.broken("block %d moves %d of the stake %d to others", h.Height, moved(e.set, b.Next), e.total)
	}
}

// moved is the sum of what all powers change by.
func moved(from, to *quorum.Set) (sum uint64) {
	old := map[crypto.PublicKey]uint64{}
	for _, v := range from.Validators() {
		old[v.Key] = uint64(v.Power)
	}
	for _, v := range to.Validators() {
		was, is := old[v.Key], uint64(v.Power)
		sum += max(was, is) - min(was, is)
		delete(old, v.Key)
	}
	for _, was := range old {
		sum += was
	}
	return sum
}

// certified judges what finalized a block.
func (o *oracle) certified(m *member, b node.FinalBlock) {
	c := b.Certificate
	if c == nil || c.Kind != quorum.KindFinalize || c.Height < b.Header.Height || c.Epoch != b.Header.Epoch {
		_ = o.broken("%s executes block %d without a finalization", m.peer, b.Header.Height)
		return
	}
	e := o.epochs[c.Epoch]
	if c.Tail != nil {
		if c.Tail.Hash() != c.Block || c.Tail.Flags != quorum.FlagTail || (c.Tail.Closing == b.Hash) != (b.Next != nil) {
			_ = o.broken("%s executes block %d by the finalization of a tail that is not its", m.peer, b.Header.Height)
		}
	}
	e.views = max(e.views, c.View)
	var power uint64
	digest := o.digest(e, quorum.Vote{Kind: c.Kind, Epoch: c.Epoch, View: c.View, Height: c.Height, Block: c.Block})
	k := 0
	for i := range 8 * len(c.Bitmap) {
		if c.Bitmap[i/8]>>(i%8)&1 == 0 {
			continue
		}
		if i >= len(e.keys) || k >= len(c.Signatures) || c.Signatures[k] != (keyedHash{}).mac(e.keys[i], digest) {
			_ = o.broken("the certificate of block %d counts a signature that is none", c.Height)
			return
		}
		k++
		power += e.power[i]
		if signer := o.w.memberOf(e.keys[i]); signer != nil && !signer.honest() {
			continue
		}
		v, ok := o.votes[ballot{e.keys[i], c.Epoch, c.View, true}]
		if !ok || v.Kind != quorum.KindFinalize || v.Block != c.Block {
			_ = o.broken("the certificate of block %d counts validator %d, who never sent that vote", c.Height, i)
			return
		}
	}
	if power*3 <= e.total*2 {
		_ = o.broken("the certificate of block %d has power %d of %d", c.Height, power, e.total)
	}
}

// digest is what the signer of a vote signs.
func (o *oracle) digest(e *electorate, v quorum.Vote) crypto.Hash {
	return v.Digest(quorum.Domain{Genesis: o.w.cfg.Genesis, Set: e.set})
}

// accused is a break if an honest validator is, or if the votes do not contradict each other.
func (o *oracle) accused(m *member, e quorum.Evidence) {
	set := o.epochs[e.First.Epoch]
	if set == nil || int(e.Signer()) >= len(set.keys) {
		_ = o.broken("%s accuses nobody: validator %d of epoch %d", m.peer, e.Signer(), e.First.Epoch)
		return
	}
	if who := o.w.memberOf(set.keys[e.Signer()]); who == nil || who.honest() {
		_ = o.broken("%s accuses validator %d of epoch %d, who is honest", m.peer, e.Signer(), e.First.Epoch)
	}
	o.named[set.keys[e.Signer()]] = true
	if e.First.Signer != e.Second.Signer || e.First.Epoch != e.Second.Epoch || !contradict(e.First, e.Second) {
		_ = o.broken("%s reports two votes that do not contradict each other", m.peer)
	}
}

// detours counts the pairs of blocks, one on the other, that are final although for neither of them validators
// with a quorum of the stake ever voted to finalize: each is final only through what was built on it.
func (o *oracle) detours() int64 {
	power := map[crypto.Hash]uint64{}
	for b, v := range o.votes {
		if v.Kind == quorum.KindFinalize {
			if e := o.epochs[b.epoch]; e != nil {
				power[v.Block] += e.power[v.Signer]
			}
		}
	}
	if len(o.epochs) > 1 { // totals differ
		return 0
	}
	split := func(h quorum.Height) bool {
		hash, ok := o.blocks[h]
		return ok && power[hash]*3 <= o.epochs[0].total*2
	}
	n := int64(0)
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
	if o.fault != nil || m.replica == nil {
		return o.fault
	}
	s := m.replica.Snapshot()
	if s.Candidates > maxOpenCandidates || s.Consensus.OpenViews > maxOpenViews || len(m.pool) > maxPool {
		return o.broken("%s holds %d candidates, %d views and %d transactions", m.peer, s.Candidates, s.Consensus.OpenViews, len(m.pool))
	}
	return nil
}

// finish compares whole chains.
func (o *oracle) finish() error {
	if o.w.plan.Fork {
		return o.fault
	}
	roots := map[quorum.Height]node.Result{}
	for _, m := range o.w.nodes {
		if !m.honest() {
			continue
		}
		for i := range m.disk.chain[1:] {
			b := &m.disk.chain[i+1]
			if r, ok := roots[b.header.Height]; ok && r != b.result {
				return o.broken("%s has another result of block %d", m.peer, b.header.Height)
			}
			roots[b.header.Height] = b.result
			if o.blocks[b.header.Height] != b.hash {
				return o.broken("%s holds another block %d than was executed", m.peer, b.header.Height)
			}
		}
	}
	return o.fault
}
