package explore

import (
	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// conduct is how a faulty validator of a storm departs from its machine.
type conduct interface {
	// voted is told of a vote before it is sent; true keeps the vote back.
	voted(n *node, v quorum.VerifiedVote) bool
	// sends is told of any other message before it is sent; true keeps it back.
	sends(n *node, to int, m *message) bool
	// built is told of its own block, before its machine finds it valid and sends it.
	built(n *node, b *consensus.BuildRequest, p quorum.VerifiedProposal)
}

// conducts by name, one made for each faulty validator of a run.
var conducts = []struct {
	name string
	make func() conduct
}{
	{"equivocator", func() conduct { return equivocator{} }},
	{"withholder", func() conduct { return withholder{} }},
	{"nullifier", func() conduct { return nullifier{} }},
	{"parrot", func() conduct { return &parrot{} }},
	{"spammer", func() conduct { return spammer{} }},
	{"usurper", func() conduct { return usurper{} }},
	{"amnesiac", func() conduct { return amnesiac{} }},
	{"sleeper", func() conduct { return sleeper{} }},
}

// say signs and sends a vote to one other validator.
func (n *node) say(to int, v quorum.Vote) {
	v.Signer = uint16(n.self)
	n.c.oracle.signed(v)
	n.c.medium.carry(n, to, &message{from: n.self, votes: []quorum.VerifiedVote{n.c.w.vote(v)}})
}

// anyone is the index of some validator.
func (n *node) anyone() int { return n.c.rng.IntN(len(n.c.w.power)) }

// statement changes the kind of a vote; false when there is no such vote.
func statement(v quorum.Vote, kind quorum.VoteKind) (quorum.Vote, bool) {
	v.Kind = kind
	if kind == quorum.KindNullify {
		v.Height, v.Block = 0, crypto.Hash{}
		return v, true
	}
	return v, !v.Block.IsZero()
}

var voteKinds = []quorum.VoteKind{quorum.KindNotarize, quorum.KindFinalize, quorum.KindNullify}

// equivocator says whatever else can be said in a view to some of the others, and shows its block to some and another
// one to the rest.
type equivocator struct{}

func (equivocator) voted(n *node, vv quorum.VerifiedVote) bool {
	for _, kind := range voteKinds {
		if v, ok := statement(vv.Vote(), kind); ok {
			n.say(n.anyone(), v)
		}
	}
	return false
}

func (equivocator) sends(n *node, _ int, m *message) bool {
	return m.proposal != nil && n.c.rng.IntN(2) == 0
}

func (equivocator) built(n *node, b *consensus.BuildRequest, p quorum.VerifiedProposal) {
	other, err := n.draft(b, []byte{'e', byte(n.id), byte(n.c.rng.IntN(4))})
	if err != nil {
		n.c.fail("an equivocator's block does not verify: %v", err)
		return
	}
	n.blocks[other.Hash()] = other
	for i := range n.c.w.power {
		show := p
		if n.c.rng.IntN(2) == 0 {
			show = other
		}
		n.c.oracle.signed(show.Vote().Vote())
		n.c.medium.carry(n, i, &message{from: n.self, proposal: &show})
		v := quorum.Vote{Kind: quorum.KindNotarize, Epoch: b.Epoch, View: b.View, Height: b.Height, Block: show.Hash()}
		n.say(i, v)
		v.Kind = quorum.KindFinalize
		n.say(i, v)
	}
}

// withholder lets only one other validator have what it has to say.
type withholder struct{}

func (withholder) voted(n *node, v quorum.VerifiedVote) bool {
	n.c.medium.carry(n, n.anyone(), &message{from: n.self, votes: []quorum.VerifiedVote{v}})
	return true
}

func (withholder) sends(n *node, _ int, m *message) bool {
	if m.proposal != nil {
		n.c.medium.carry(n, n.anyone(), m)
	}
	return m.proposal != nil || len(m.votes) > 0
}

func (withholder) built(*node, *consensus.BuildRequest, quorum.VerifiedProposal) {}

// nullifier gives every view up, and proposes nothing.
type nullifier struct{}

func (nullifier) voted(n *node, vv quorum.VerifiedVote) bool {
	v, _ := statement(vv.Vote(), quorum.KindNullify)
	n.say(consensus.Everyone, v)
	v.View++
	n.say(consensus.Everyone, v)
	return true
}

func (nullifier) sends(_ *node, _ int, m *message) bool { return m.proposal != nil || len(m.votes) > 0 }

func (nullifier) built(*node, *consensus.BuildRequest, quorum.VerifiedProposal) {}

// parrot repeats old messages of its own to anyone, with the status they had.
type parrot struct{ log []*message }

const parrotMemory = 48

func (p *parrot) hear(m *message) {
	if len(p.log) < parrotMemory {
		p.log = append(p.log, m)
	}
}

func (p *parrot) voted(n *node, v quorum.VerifiedVote) bool {
	p.hear(&message{from: n.self, votes: []quorum.VerifiedVote{v}, status: n.status()})
	for range 3 {
		m := *p.log[n.c.rng.IntN(len(p.log))]
		n.c.medium.carry(n, n.anyone(), &m)
	}
	return false
}

func (p *parrot) sends(_ *node, _ int, m *message) bool {
	p.hear(m)
	return false
}

func (p *parrot) built(*node, *consensus.BuildRequest, quorum.VerifiedProposal) {}

// spammer votes for blocks that nobody knows, in views far ahead and behind, and tells absurd statuses.
type spammer struct{}

func (spammer) voted(n *node, vv quorum.VerifiedVote) bool {
	for range 4 {
		v, ok := statement(vv.Vote(), voteKinds[n.c.rng.IntN(len(voteKinds))])
		if !ok {
			continue
		}
		v.View = quorum.View(max(1, int(v.View)+n.c.rng.IntN(200)-40))
		if v.Kind != quorum.KindNullify {
			v.Block[0] ^= byte(n.c.rng.IntN(256))
		}
		n.say(n.anyone(), v)
	}
	lie := consensus.Status{
		View: quorum.View(n.c.rng.Uint64()), FinalHeight: 1 << 60, FinalView: quorum.View(n.c.rng.Uint64()),
		Missing: quorum.View(n.c.rng.IntN(100)), HasWork: true,
	}
	n.c.medium.carry(n, consensus.Everyone, &message{from: n.self, status: &lie})
	return false
}

func (spammer) sends(*node, int, *message) bool { return false }

func (spammer) built(*node, *consensus.BuildRequest, quorum.VerifiedProposal) {}

// usurper proposes what it has no right to: blocks that leave out notarized ones, without or with what is there of
// nullifications; blocks that close the epoch too early, or not; and tails of nothing.
type usurper struct{}

func (usurper) voted(*node, quorum.VerifiedVote) bool { return false }

func (usurper) sends(n *node, _ int, m *message) bool {
	return m.proposal != nil && n.c.rng.IntN(2) == 0
}

func (usurper) built(n *node, b *consensus.BuildRequest, p quorum.VerifiedProposal) {
	h := p.Header()
	h.TimeMs++
	if b.ParentView > 0 { // on the anchor, as if nothing had happened
		skipping := h
		skipping.Parent, skipping.ParentView, skipping.Height = n.c.w.anchor.Hash, 0, n.c.w.anchor.Height+1
		skipping.Flags, skipping.Closing, skipping.NextValidatorSet = 0, crypto.Hash{}, crypto.Hash{}
		j := quorum.Justification{}
		complete := true
		for v := quorum.View(1); v < h.View; v++ {
			if x, ok := n.machine.Nullification(v); ok {
				j.Skip = append(j.Skip, x.Certificate())
			} else {
				complete = false
			}
		}
		n.propose(skipping, j, !complete)
	}
	odd := h
	switch n.c.rng.IntN(3) {
	case 0:
		odd.Flags, odd.Closing, odd.NextValidatorSet = quorum.FlagClosing, crypto.Hash{}, n.c.w.domain.Set.Hash()
		odd.Height = b.ParentHeight + 1 // on a closing block: a second one, which only the machine can refuse
		n.propose(odd, b.Justification, false)
	case 1:
		odd.Flags, odd.Closing, odd.NextValidatorSet = 0, crypto.Hash{}, crypto.Hash{}
		odd.Height = b.ParentHeight + 1
		n.propose(odd, b.Justification, false)
	case 2:
		odd.Flags, odd.Closing, odd.NextValidatorSet = quorum.FlagTail, b.Parent, crypto.Hash{}
		odd.Height = b.ParentHeight
		n.propose(odd, b.Justification, b.ParentView == 0)
	}
}

// propose sends a block to some of the others if it verifies; refused says that it must not.
func (n *node) propose(h quorum.Header, j quorum.Justification, refused bool) {
	var payload [][]byte
	if h.Flags != quorum.FlagTail {
		payload = [][]byte{{'u', byte(n.id)}}
	}
	h.TxCount, h.PayloadBytes = 0, 0
	p, err := n.c.w.proposal(h, j, payload)
	switch {
	case err != nil:
		n.c.report.Refused++
		return
	case refused:
		n.c.fail("an unjustified proposal of %s for view %d is accepted", n, h.View)
		return
	}
	n.blocks[p.Hash()] = p
	n.c.oracle.signed(p.Vote().Vote())
	for i := range n.c.w.power {
		if n.c.rng.IntN(2) == 0 {
			n.c.medium.carry(n, i, &message{from: n.self, proposal: &p})
		}
	}
}

// amnesiac crashes after every few votes, and forgets them.
type amnesiac struct{}

func (amnesiac) voted(n *node, _ quorum.VerifiedVote) bool {
	if n.c.rng.IntN(6) == 0 {
		n.c.medium.work(n, workCrash, func() {
			n.crash()
			n.votes, n.own, n.mark, n.synced, n.certificates = nil, nil, consensus.Watermark{}, 0, nil
			if len(n.ledger) > 0 { // what it signed for that would halt it at once
				n.mark = consensus.Watermark{View: n.ledger[len(n.ledger)-1].Certificate.Certificate().View, Step: consensus.StepExit}
			}
			n.boot()
		})
	}
	return false
}

func (amnesiac) sends(*node, int, *message) bool { return false }

func (amnesiac) built(*node, *consensus.BuildRequest, quorum.VerifiedProposal) {}

// sleeper says nothing at all.
type sleeper struct{}

func (sleeper) voted(*node, quorum.VerifiedVote) bool { return true }

func (sleeper) sends(*node, int, *message) bool { return true }

func (sleeper) built(*node, *consensus.BuildRequest, quorum.VerifiedProposal) {}
