package explore

import (
	"fmt"
	"slices"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// subject is one real machine with the least around it: votes are durable when made, verdicts come at once, its messages
// go nowhere. Blocks and votes of others are made up for it from their meaning, as it may see them in some history:
// whoever else signed, the faulty validator did, and others as needed.
type subject struct {
	g         *Graph
	self      int
	m         *consensus.Machine
	now       consensus.Time
	deadline  consensus.Time // T_not
	ids       map[crypto.Hash]blockID
	made      map[blockID]quorum.VerifiedProposal
	votes     []quorum.VerifiedVote
	own       []quorum.VerifiedProposal
	stored    []quorum.VerifiedProposal // found valid
	certs     []quorum.VerifiedCertificate
	synced    int
	ledger    []consensus.Final
	restarted bool

	signed bits      // statements
	known  bits      // certificates, by what they state
	built  []blockID // its own
	final  []blockID
	fault  string
}

func (g *Graph) newSubject(self int) *subject {
	s := &subject{g: g, self: self, now: startMs, ids: map[crypto.Hash]blockID{}, made: map[blockID]quorum.VerifiedProposal{}}
	s.boot()
	return s
}

func (s *subject) boot() {
	rec := consensus.Recovered{Votes: s.votes, OwnProposals: s.own, Certificates: s.certs}
	for _, p := range s.stored {
		if int(p.Header().Height) > len(s.ledger) {
			rec.Blocks = append(rec.Blocks, p)
		}
	}
	slices.SortFunc(rec.Blocks, byMeaning)
	if len(s.ledger) > 0 {
		last := s.ledger[len(s.ledger)-1]
		rec.LastFinal = &consensus.Tip{Header: last.Header, Certificate: last.Certificate}
	}
	s.m = consensus.New(s.g.w.config(s.self, lockstepTiming()), rec)
	s.feed(consensus.Start{})
	s.feed(consensus.WorkChanged{Pending: true})
}

// take lets a step happen.
func (s *subject) take(step logicalStep) {
	switch step.kind {
	case stepBlock:
		s.feed(consensus.ProposalArrived{Proposal: s.render(blockID(step.which))})
	case stepVotes:
		s.feed(consensus.VotesArrived{Votes: s.others(s.g.x.votes[step.which])})
	case stepTimeout:
		s.now = max(s.now, s.deadline)
		s.feed(consensus.TimerFired{ID: consensus.TimerNotarize})
	case stepRestart:
		s.restarted = true
		s.certs = s.certs[:s.synced]
		s.boot()
	}
}

// feed gives the machine an input and carries out what it asks for, until it asks for nothing.
func (s *subject) feed(in consensus.Input) {
	count := 0
	for inputs := []consensus.Input{in}; len(inputs) > 0 && s.fault == ""; inputs = inputs[1:] {
		if count++; count > mostInputs {
			s.fault = "the machine does not come to rest after one input"
		}
		out := s.m.Step(s.now, inputs[0])
		if out.Halt != nil {
			s.fault = out.Halt.Error()
			return
		}
		for _, c := range out.Store {
			s.certs = append(s.certs, c)
			s.known.add(s.statement(c.Certificate().Kind, c.Certificate().View, c.Certificate().Block))
		}
		for _, v := range out.Sign {
			inputs = append(inputs, s.sign(v))
		}
		for _, t := range out.Timers {
			if t.ID == consensus.TimerNotarize {
				s.deadline = t.At
			}
		}
		if b := out.Build; b != nil && int(b.View) <= s.g.views {
			inputs = append(inputs, s.build(b))
		}
		for _, v := range out.Validate {
			s.stored = append(s.stored, v.Proposal)
			inputs = append(inputs, consensus.BlockValid{View: v.View, Hash: v.Hash})
		}
		for _, f := range out.Finalized {
			s.ledger = append(s.ledger, f)
			s.final = append(s.final, s.ids[f.Hash])
		}
	}
}

// disk is what a restart will find.
func (s *subject) disk() string {
	var blocks []crypto.Hash
	for _, p := range s.stored {
		blocks = append(blocks, p.Hash())
	}
	return s.g.x.disk(s.certs[:s.synced], blocks, s.ids)
}

func (s *subject) statement(kind quorum.VoteKind, view quorum.View, hash crypto.Hash) int {
	v := logicalVote{kind: kind, view: view, block: anchorID}
	if kind != quorum.KindNullify {
		v.block = s.ids[hash]
	}
	return s.g.x.vote(v)
}

// sign is told what it must never do by the graph's own rules.
func (s *subject) sign(v quorum.Vote) consensus.Input {
	id := s.statement(v.Kind, v.View, v.Block)
	said := s.g.x.votes[id]
	for i, other := range s.g.x.votes {
		if !s.signed.has(i) || other.view != said.view || other == said {
			continue
		}
		exits := other.kind != quorum.KindNotarize && said.kind != quorum.KindNotarize
		blocks := other.kind != quorum.KindNullify && said.kind != quorum.KindNullify && other.block != said.block
		if exits || blocks || said.kind == quorum.KindNotarize {
			s.fault = fmt.Sprintf("%s signs %v after %v", name(s.self), said, other)
		}
	}
	if said.kind == quorum.KindFinalize && !s.signed.has(s.g.x.vote(logicalVote{quorum.KindNotarize, said.view, said.block})) {
		s.fault = fmt.Sprintf("%s signs %v without its notarize", name(s.self), said)
	}
	s.signed.add(id)
	verified := s.g.w.vote(v)
	s.votes, s.synced = append(s.votes, verified), len(s.certs)
	return consensus.VotesArrived{Votes: []quorum.VerifiedVote{verified}}
}

func (s *subject) build(b *consensus.BuildRequest) consensus.Input {
	p, err := s.g.w.proposal(quorum.Header{
		Epoch: b.Epoch, View: b.View, Height: b.Height, Parent: b.Parent, ParentView: b.ParentView, TimeMs: int64(b.NotBefore),
	}, b.Justification, [][]byte{{'b'}})
	if err != nil {
		s.fault = fmt.Sprintf("%s builds a block that does not verify: %v", name(s.self), err)
		return consensus.BuildFailed{View: b.View}
	}
	id := s.g.x.identify(p, s.ids)
	s.made[id] = p
	s.built = append(s.built, id)
	s.own = append(s.own, p)
	return consensus.ProposalBuilt{Proposal: p}
}

// render makes a block for this machine, and those below it that it has not seen. What was made once stays.
func (s *subject) render(id blockID) quorum.VerifiedProposal {
	if p, ok := s.made[id]; ok {
		return p
	}
	k := s.g.x.blocks[id]
	h := quorum.Header{View: k.view, Height: 1, Parent: genesis, TimeMs: s.g.w.anchor.TimeMs + int64(k.view)}
	var j quorum.Justification
	if k.parent != anchorID {
		parent := s.render(k.parent)
		ph := parent.Header()
		h.Height, h.Parent, h.ParentView = ph.Height+1, parent.Hash(), ph.View
		h.TimeMs = ph.TimeMs + 1
		c := s.certify(logicalVote{k.shown, ph.View, k.parent})
		j.Parent = &c
	}
	for v := h.ParentView + 1; v < k.view; v++ {
		j.Skip = append(j.Skip, s.certify(logicalVote{quorum.KindNullify, v, anchorID}))
	}
	p, err := s.g.w.proposal(h, j, [][]byte{{k.variant}})
	if err != nil {
		panic("explore: a block that was possible does not verify: " + err.Error())
	}
	s.ids[p.Hash()], s.made[id] = id, p
	return p
}

// physical is the vote that says this, as validator i signs it.
func (s *subject) physical(v logicalVote, i int) quorum.Vote {
	out := quorum.Vote{Kind: v.kind, View: v.view, Signer: uint16(i)}
	if v.kind != quorum.KindNullify {
		p := s.render(v.block)
		out.Height, out.Block = p.Header().Height, p.Hash()
	}
	return out
}

// others are the votes of other validators with which this machine has a quorum: the faulty one's, and of as many honest
// ones as it takes.
func (s *subject) others(v logicalVote) []quorum.VerifiedVote {
	need := 3
	if s.signed.has(s.g.x.vote(v)) {
		need = 2
	}
	out := []quorum.VerifiedVote{s.g.w.vote(s.physical(v, faultyIndex))}
	for i := 0; len(out) < need; i++ {
		if i != s.self {
			out = append(out, s.g.w.vote(s.physical(v, i)))
		}
	}
	return out
}

// certify makes the certificate that a block from elsewhere carries. This machine is among its signers only if it signed.
func (s *subject) certify(v logicalVote) quorum.Certificate {
	votes := s.others(v)
	if len(votes) < 3 {
		votes = append(votes, s.g.w.vote(s.physical(v, s.self)))
	}
	c, err := quorum.Certify(s.g.w.domain, votes)
	if err != nil {
		panic("explore: " + err.Error())
	}
	return c.Certificate()
}
