package explore

import (
	"fmt"
	"math/rand/v2"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Walk goes one way through the graph at random, and does every step of it to whole nodes with the real bytes as well:
// the blocks that were built, and the votes that were given. It demands that each machine is in the state that the graph
// says, and, where the walk ends, that the honest go on: the faulty validator falls silent, everybody hears each other,
// and a block becomes final within healRounds rounds that are led honestly. The number is that of the steps.
func (g *Graph) Walk(seed uint64) (int, error) {
	c := &cluster{w: g.w, rng: rand.New(rand.NewPCG(seed, 0x3a1c)), oracle: newOracle(g.w, false), frugal: true}
	l := newLockstep(c)
	w := &walk{lockstep: l, g: g, ids: map[crypto.Hash]blockID{}, made: map[blockID]quorum.VerifiedProposal{}}
	c.medium = w
	for i := range len(g.w.power) {
		newNode(c, i)
	}
	c.nodes[faultyIndex].evil = sleeper{}
	for i := range g.local {
		c.nodes[i].boot()
	}
	steps := 0
	s := globalState(0)
	for length := c.rng.IntN(mostSteps); steps < length && c.oracle.fault == nil; steps++ {
		i := c.rng.IntN(len(g.local))
		list := g.steps(s, i)
		if len(list) == 0 {
			continue
		}
		step := list[c.rng.IntN(len(list))]
		s = s.with(i, g.after(i, s.of(i), step))
		w.take(c.nodes[i], g.x.steps[step])
		w.compare(c.nodes[i], s)
	}
	c.medium, l.round = l, g.views
	if c.oracle.fault == nil {
		l.heal()
	}
	if c.oracle.fault != nil {
		return steps, fmt.Errorf("walk %d of leaders %s, %d steps: %w\n%s", seed, g.report.Leaders, steps, c.oracle.fault, g.describe(s))
	}
	return steps, nil
}

// mostSteps is more than it takes to reach the end of three views.
const mostSteps = 80

// walk is the medium of a walk: nothing is delivered but by its steps.
type walk struct {
	*lockstep
	g    *Graph
	ids  map[crypto.Hash]blockID
	made map[blockID]quorum.VerifiedProposal
}

func (w *walk) carry(*node, int, *message) {}

func (w *walk) reaches(_, _ *node) bool { return false }

func (w *walk) build(n *node, b *consensus.BuildRequest) {
	if int(b.View) > w.g.views {
		n.deferred = b
		return
	}
	n.build(b)
}

func (w *walk) take(n *node, step logicalStep) {
	w.learn()
	switch step.kind {
	case stepBlock:
		p := w.render(blockID(step.which))
		n.receive(&message{from: int(p.Header().Proposer), proposal: &p})
	case stepVotes:
		n.receive(&message{from: faultyIndex, votes: w.votes(w.g.x.votes[step.which], n)})
	case stepTimeout:
		w.c.now = max(w.c.now, n.deadlines[consensus.TimerNotarize])
		n.step(consensus.TimerFired{ID: consensus.TimerNotarize})
	case stepRestart:
		n.certificates = n.certificates[:n.synced]
		n.crash()
		n.boot()
	}
	w.learn()
}

// learn finds out what new blocks of the honest mean.
func (w *walk) learn() {
	for _, n := range w.c.nodes {
		for _, p := range n.own {
			if _, ok := w.ids[p.Hash()]; !ok && int(p.Header().View) <= w.g.views {
				w.made[w.g.x.identify(p, w.ids)] = p
			}
		}
	}
}

// render is the block; a faulty leader makes it now if need be.
func (w *walk) render(id blockID) quorum.VerifiedProposal {
	if p, ok := w.made[id]; ok {
		return p
	}
	k := w.g.x.blocks[id]
	h := quorum.Header{View: k.view, Height: 1, Parent: genesis, TimeMs: w.c.w.anchor.TimeMs + 1}
	var j quorum.Justification
	if k.parent != anchorID {
		ph := w.render(k.parent).Header()
		h.Height, h.Parent, h.ParentView, h.TimeMs = ph.Height+1, ph.Hash(), ph.View, ph.TimeMs+1
		c := w.certificate(logicalVote{k.shown, ph.View, k.parent})
		j.Parent = &c
	}
	for v := h.ParentView + 1; v < k.view; v++ {
		j.Skip = append(j.Skip, w.certificate(logicalVote{quorum.KindNullify, v, anchorID}))
	}
	p, err := w.c.w.proposal(h, j, [][]byte{{k.variant}})
	if err != nil {
		w.c.fail("a block of the graph cannot be made: %v", err)
		return p
	}
	w.c.oracle.signed(p.Vote().Vote())
	w.ids[p.Hash()], w.made[id] = id, p
	return p
}

// votes are those that were given of a statement, and the faulty one's, without those of the node itself.
func (w *walk) votes(v logicalVote, without *node) []quorum.VerifiedVote {
	vote := quorum.Vote{Kind: v.kind, View: v.view, Signer: faultyIndex}
	if v.kind != quorum.KindNullify {
		p := w.render(v.block)
		vote.Height, vote.Block = p.Header().Height, p.Hash()
	}
	w.c.oracle.signed(vote)
	out := []quorum.VerifiedVote{w.c.w.vote(vote)}
	for _, n := range w.c.nodes[:faultyIndex] {
		for _, own := range n.votes {
			if o := own.Vote(); n != without && o.Kind == vote.Kind && o.View == vote.View && o.Block == vote.Block {
				out = append(out, own)
			}
		}
	}
	return out
}

func (w *walk) certificate(v logicalVote) quorum.Certificate {
	c, err := quorum.Certify(w.c.w.domain, w.votes(v, nil))
	if err != nil {
		w.c.fail("a certificate of the graph cannot be made: %v", err)
	}
	return c.Certificate()
}

// compare holds the node's machine against the graph's.
func (w *walk) compare(n *node, s globalState) {
	if w.c.oracle.fault != nil {
		return
	}
	t := &w.g.local[n.self]
	restarted := t.states[s.of(n.self)].restarted
	got := meaning(n.machine, w.ids) + string(flags(restarted))
	if w.g.opts.Restarts > 0 && !restarted {
		var blocks []crypto.Hash
		for h := range n.judged {
			blocks = append(blocks, h)
		}
		got += w.g.x.disk(n.certificates[:n.synced], blocks, w.ids)
	}
	if got != t.states[s.of(n.self)].key {
		w.c.fail("%s is not in the state that the graph says:\n    %q\n    %q", n, got, t.states[s.of(n.self)].key)
	}
}
