package explore

import (
	"slices"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// node is one copy of a validator: its machine, the memory around it, and what it has written down. Two copies of a
// twin have the same self.
type node struct {
	c      *cluster
	id     int // of the copy
	self   int // index in the set
	faulty bool
	side   uint8 // of the partition
	skew   consensus.Duration
	evil   conduct // of a faulty validator in a storm; nil behaves

	// memory
	up        bool
	life      int
	machine   *consensus.Machine
	inputs    []consensus.Input // to be taken when the step under way is carried out
	busy      bool
	deadlines [8]consensus.Time
	deferred  *consensus.BuildRequest
	mark      consensus.Watermark // of a faulty copy: the highest it signed or was told of
	heard     map[quorum.View]*ballots
	busyUntil consensus.Time // the journal

	// disk
	votes        []quorum.VerifiedVote
	own          []quorum.VerifiedProposal
	blocks       map[crypto.Hash]quorum.VerifiedProposal
	judged       map[crypto.Hash]bool // of blocks, found valid
	certificates []quorum.VerifiedCertificate
	synced       int               // of these, written before the last vote
	ledger       []consensus.Final // heights 1…
}

func newNode(c *cluster, self int) *node {
	n := &node{
		c: c, id: len(c.nodes), self: self, faulty: c.w.faulty[self],
		blocks: map[crypto.Hash]quorum.VerifiedProposal{}, judged: map[crypto.Hash]bool{},
	}
	c.nodes = append(c.nodes, n)
	return n
}

// String is the validator's letter, with a dash for each copy before this one.
func (n *node) String() string {
	s := name(n.self)
	for _, o := range n.c.nodes[:n.id] {
		if o.self == n.self {
			s += "'"
		}
	}
	return s
}

func (n *node) tipView() quorum.View {
	if len(n.ledger) == 0 {
		return 0
	}
	return n.ledger[len(n.ledger)-1].Header.View
}

func (n *node) tipHash() crypto.Hash {
	if len(n.ledger) == 0 {
		return n.c.w.anchor.Hash
	}
	return n.ledger[len(n.ledger)-1].Hash
}

// boot starts the machine with what was written down.
func (n *node) boot() {
	if n.up {
		return
	}
	n.up, n.busy, n.inputs, n.deferred = true, false, nil, nil
	n.deadlines = [8]consensus.Time{}
	n.heard = map[quorum.View]*ballots{}
	n.machine = consensus.New(n.c.w.config(n.self, n.c.timing), n.recovered())
	n.step(consensus.Start{})
	n.step(consensus.WorkChanged{Pending: true})
}

// recovered is what a restart finds. A faulty copy is told not to sign where either copy did, or it would halt at once.
func (n *node) recovered() consensus.Recovered {
	rec := consensus.Recovered{Votes: n.votes, OwnProposals: n.own, Certificates: n.certificates}
	for _, h := range sortedHashes(n.blocks) {
		if p := n.blocks[h]; int(p.Header().Height) > len(n.ledger) && (n.judged[h] || !n.c.frugal) {
			rec.Blocks = append(rec.Blocks, p)
		}
	}
	if n.c.frugal {
		slices.SortFunc(rec.Blocks, byMeaning)
	}
	if len(n.ledger) > 0 {
		last := n.ledger[len(n.ledger)-1]
		rec.LastFinal = &consensus.Tip{Header: last.Header, Certificate: last.Certificate, EmptyTail: 0}
	}
	if n.faulty {
		rec.Signed = n.mark
	}
	return rec
}

func sortedHashes(m map[crypto.Hash]quorum.VerifiedProposal) []crypto.Hash {
	out := make([]crypto.Hash, 0, len(m))
	for h := range m {
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b crypto.Hash) int { return slices.Compare(a[:], b[:]) })
	return out
}

// crash takes memory, and of the certificates written since the last vote any number of the newest: there is one log, and
// a vote is synced with all that was written before it.
func (n *node) crash() {
	if !n.up {
		return
	}
	n.up = false
	n.life++
	n.c.report.Restarts++
	n.c.tell(n, happenedCrash, 0, crypto.Hash{})
	n.certificates = n.certificates[:n.synced+n.c.rng.IntN(len(n.certificates)-n.synced+1)]
}

// mostInputs is more than one input can bring about inside a node.
const mostInputs = 2_000

// step gives the machine an input, after those that wait.
func (n *node) step(in consensus.Input) {
	n.inputs = append(n.inputs, in)
	if n.busy {
		return
	}
	n.busy = true
	for count := 0; len(n.inputs) > 0 && n.up && n.c.oracle.fault == nil; count++ {
		if count > mostInputs {
			n.c.fail("%s does not come to rest after one input", n)
		}
		next := n.inputs[0]
		n.inputs = n.inputs[1:]
		n.perform(n.machine.Step(n.c.now.Add(n.skew), next))
	}
	n.inputs, n.busy = nil, false
}

// perform carries out what a step asks for, in the order of its fields.
func (n *node) perform(out consensus.Output) {
	for _, e := range out.Evidence {
		n.accuse(e)
	}
	if out.Halt != nil {
		n.halted(out.Halt)
		return
	}
	if n.over() && !n.faulty && (len(out.Sign) > 0 || out.Build != nil || len(out.Validate) > 0 ||
		len(out.Fetch) > 0 || out.Sync != nil || len(out.Finalized) > 0) {
		n.c.fail("%s works on after the end of the epoch: %+v", n, out)
	}
	n.certificates = append(n.certificates, out.Store...)
	for _, v := range out.Sign {
		n.c.medium.work(n, workSign, func() { n.sign(v) })
	}
	for i := range out.Send {
		n.send(&out.Send[i])
	}
	for _, t := range out.Timers {
		n.deadlines[t.ID] = t.At
		n.c.medium.arm(n, t)
	}
	if out.Build != nil {
		n.c.medium.build(n, out.Build)
	}
	for _, v := range out.Validate {
		n.c.medium.work(n, workValidate, func() { n.validate(v) })
	}
	for _, f := range out.Fetch {
		n.c.medium.work(n, workFetch, func() { n.fetch(f) })
	}
	if out.Sync != nil {
		n.c.medium.work(n, workSync, func() { n.sync(*out.Sync) })
	}
	for _, f := range out.Finalized {
		n.finalized(f)
	}
}

func (n *node) accuse(e quorum.Evidence) {
	if n.faulty {
		return
	}
	n.c.report.Evidence++
	n.c.tell(n, happenedEvidence, uint64(e.First.View), e.First.Block)
	n.c.oracle.accused(n, e)
}

// halted is right for a copy of a twin, and for anybody once a third is faulty.
func (n *node) halted(h *consensus.Halt) {
	if !n.faulty && !n.c.oracle.beyond {
		n.c.fail("honest %s: %v", n, h)
	}
	n.up = false
	n.life++
	n.c.report.Halts++
	n.c.tell(n, happenedHalt, 0, crypto.Hash{})
}

// sign is signer and journal in one: the vote is durable when it is made.
func (n *node) sign(v quorum.Vote) {
	if n.over() {
		// Asked for before the end. The Replica has moved on to the next epoch: nothing of this one is signed any more.
		return
	}
	n.c.oracle.signed(v)
	n.c.tell(n, uint8(v.Kind), uint64(v.View), v.Block)
	n.raise(consensus.Watermark{View: v.View, Step: consensus.StepOf(v.Kind)})
	verified := n.c.w.vote(v)
	n.votes, n.synced = append(n.votes, verified), len(n.certificates)
	votes := []quorum.VerifiedVote{verified}
	if n.evil == nil || !n.evil.voted(n, verified) {
		n.c.medium.carry(n, consensus.Everyone, &message{from: n.self, votes: votes, status: n.status()})
	}
	n.step(consensus.VotesArrived{Votes: votes})
}

func (n *node) raise(m consensus.Watermark) {
	if n.mark.Less(m) {
		n.mark = m
	}
}

func (n *node) status() *consensus.Status {
	s := n.machine.Status()
	return &s
}

func (n *node) send(o *consensus.Outgoing) {
	m := &message{from: n.self, proposal: o.Proposal, cert: o.Certificate, votes: o.Votes, status: &o.Status}
	if n.evil == nil || !n.evil.sends(n, o.To, m) {
		n.c.medium.carry(n, o.To, m)
	}
}

// receive takes a message. What faulty keys signed is noted first, and whoever must be accused then, is.
func (n *node) receive(m *message) {
	if !n.up || n.c.oracle.fault != nil {
		return
	}
	n.c.report.Messages++
	if n.faulty && n.c.gentle && n.foreign(m) {
		return
	}
	var owed []due
	switch {
	case m.proposal != nil:
		n.blocks[m.proposal.Hash()] = *m.proposal
		owed = n.c.oracle.heard(n, []quorum.VerifiedVote{m.proposal.Vote()})
		n.step(consensus.ProposalArrived{Proposal: *m.proposal})
	case m.cert != nil:
		n.step(consensus.CertificateArrived{Certificate: *m.cert})
	case len(m.votes) > 0:
		owed = n.c.oracle.heard(n, m.votes)
		n.step(consensus.VotesArrived{Votes: m.votes})
	}
	n.c.oracle.settle(n, owed)
	if m.status != nil && n.up {
		n.step(consensus.StatusArrived{From: m.from, Status: *m.status})
	}
}

// foreign keeps a copy of a twin from halting: it does not get to see votes of the other copy, and is told of a later
// signature before it sees a certificate that holds one.
func (n *node) foreign(m *message) bool {
	if len(m.votes) > 0 && int(m.votes[0].Vote().Signer) == n.self {
		return true
	}
	if m.cert != nil {
		n.tolerate(m.cert.Certificate())
	}
	if m.proposal != nil {
		if p, ok := m.proposal.Parent(); ok {
			n.tolerate(p.Certificate())
		}
		for _, s := range m.proposal.Skip() {
			n.tolerate(s.Certificate())
		}
	}
	return false
}

func (n *node) tolerate(c quorum.Certificate) {
	mark := consensus.Watermark{View: c.View, Step: consensus.StepOf(c.Kind)}
	if n.self/8 < len(c.Bitmap) && c.Bitmap[n.self/8]>>(n.self%8)&1 == 1 && n.mark.Less(mark) {
		n.raise(consensus.Watermark{View: c.View, Step: consensus.StepExit})
		n.step(consensus.SignRefused{Vote: quorum.Vote{Kind: quorum.KindNullify, View: c.View, Signer: uint16(n.self)}})
	}
}

// build makes the block that was asked for. Every copy puts something else into it.
func (n *node) build(b *consensus.BuildRequest) {
	if n.over() {
		return
	}
	p, err := n.draft(b, []byte{'b', byte(n.id), byte(n.life)})
	if err != nil {
		n.c.fail("%s builds a block that does not verify: %v", n, err)
		return
	}
	n.c.oracle.signed(p.Vote().Vote())
	n.c.tell(n, uint8(quorum.KindProposal), uint64(b.View), p.Hash())
	n.own = append(n.own, p)
	n.blocks[p.Hash()] = p
	n.step(consensus.ProposalBuilt{Proposal: p})
	if n.evil != nil {
		n.evil.built(n, b, p)
	}
}

// draft makes a block, a closing block where the epoch ends, or a tail.
func (n *node) draft(b *consensus.BuildRequest, tx []byte) (quorum.VerifiedProposal, error) {
	at := int64(max(b.NotBefore, n.c.now.Add(n.skew)))
	if !b.Closing.IsZero() {
		at += int64(tx[len(tx)-1]) // a tail says nothing else that could differ
		return n.c.w.proposal(b.TailHeader(n.c.w.domain, uint16(n.self), at), b.Justification, nil)
	}
	h := quorum.Header{Epoch: b.Epoch, View: b.View, Height: b.Height, Parent: b.Parent, ParentView: b.ParentView, TimeMs: at}
	if n.c.ends(b.Height) {
		h.Flags, h.NextValidatorSet = quorum.FlagClosing, n.c.w.domain.Set.Hash()
	}
	return n.c.w.proposal(h, b.Justification, [][]byte{tx})
}

// ends reports whether the epoch ends with the block of a height.
func (c *cluster) ends(h quorum.Height) bool { return c.closes > 0 && h >= c.closes }

// validate is the ledger: it knows where the epoch ends, and nothing else.
func (n *node) validate(v consensus.ValidateRequest) {
	h := v.Proposal.Header()
	if h.Flags != quorum.FlagTail && n.c.ends(h.Height) != (h.Flags == quorum.FlagClosing) {
		n.step(consensus.BlockInvalid{View: v.View, Hash: v.Hash, Reason: "the epoch ends elsewhere"})
		return
	}
	n.blocks[v.Hash], n.judged[v.Hash] = v.Proposal, true
	n.step(consensus.BlockValid{View: v.View, Hash: v.Hash})
}

// fetch gets a block from somebody who has it and can be reached.
func (n *node) fetch(f consensus.FetchRequest) {
	for _, o := range n.c.nodes {
		if o == n || !o.up || !n.c.medium.reaches(o, n) {
			continue
		}
		if p, ok := o.blocks[f.Hash]; ok {
			n.receive(&message{from: o.self, proposal: &p})
			return
		}
	}
}

// sync copies a ledger up to a final block.
func (n *node) sync(q consensus.SyncRequest) {
	for _, o := range n.c.nodes {
		if o == n || !o.up || len(o.ledger) < int(q.Height) || len(n.ledger) >= int(q.Height) || !n.c.medium.reaches(o, n) {
			continue
		}
		if o.ledger[q.Height-1].Hash != q.Certificate.Certificate().Finalizes() {
			continue
		}
		for _, f := range o.ledger[len(n.ledger):q.Height] {
			n.blocks[f.Hash] = o.blocks[f.Hash]
			n.finalized(f)
		}
		n.step(consensus.Synced{Tip: consensus.Tip{Header: n.ledger[q.Height-1].Header, Certificate: q.Certificate}})
		return
	}
}

func (n *node) finalized(f consensus.Final) {
	n.c.tell(n, happenedFinal, uint64(f.Header.Height), f.Hash)
	if !n.faulty {
		n.c.oracle.final(n, &f.Header, f.Hash, n.tipHash(), quorum.Height(len(n.ledger)), f.Certificate.Certificate())
		if _, ok := n.blocks[f.Hash]; !ok {
			n.c.fail("%s is given a final block it does not hold", n)
		}
	}
	n.ledger = append(n.ledger, f)
}

// over reports whether the epoch has ended for this node.
func (n *node) over() bool {
	return len(n.ledger) > 0 && n.ledger[len(n.ledger)-1].Header.Flags == quorum.FlagClosing
}
