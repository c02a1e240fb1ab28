package consensus

import (
	"fmt"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// cluster is four machines that hear each other at once, except where a test holds messages back. Nothing in it is
// random: tests walk through all cases of a small question.
type cluster struct {
	t        *testing.T
	w        *world
	machines []*Machine
	inbox    [][]Input
	mute     []bool // proposals do not reach the node for now
	timers   []map[TimerID]Time
	blocks   map[crypto.Hash]quorum.VerifiedProposal
	final    [][]Final
	now      Time
}

func newCluster(t *testing.T, w *world) *cluster {
	n := len(w.keys)
	c := &cluster{t: t, w: w, now: epochOfStory, inbox: make([][]Input, n), mute: make([]bool, n),
		final: make([][]Final, n), blocks: map[crypto.Hash]quorum.VerifiedProposal{}}
	for i := range n {
		c.machines = append(c.machines, New(w.config(i), Recovered{}))
		c.timers = append(c.timers, map[TimerID]Time{})
		c.step(i, Start{})
	}
	return c
}

func (c *cluster) step(i int, in Input) {
	out := c.machines[i].Step(c.now, in)
	if out.Halt != nil || len(out.Evidence) > 0 {
		c.t.Fatalf("%s: %v, evidence %v", letter(i), out.Halt, out.Evidence)
	}
	for _, v := range out.Sign {
		own := c.w.vote(v)
		c.toAll(i, VotesArrived{[]quorum.VerifiedVote{own}})
		c.inbox[i] = append(c.inbox[i], VotesArrived{[]quorum.VerifiedVote{own}})
	}
	for _, o := range out.Send {
		c.send(i, o)
	}
	for _, r := range out.Timers {
		c.timers[i][r.ID] = r.At
	}
	if out.Build != nil {
		p := c.w.answer(out.Build, max(c.now, out.Build.NotBefore), [][]byte{fmt.Appendf(nil, "by %d", out.Build.View)})
		c.blocks[p.Hash()] = p
		c.inbox[i] = append(c.inbox[i], ProposalBuilt{p})
	}
	for _, v := range out.Validate {
		c.inbox[i] = append(c.inbox[i], BlockValid{v.View, v.Hash})
	}
	for _, f := range out.Fetch {
		c.inbox[i] = append(c.inbox[i], ProposalArrived{c.blocks[f.Hash]})
	}
	c.final[i] = append(c.final[i], out.Finalized...)
}

func (c *cluster) send(from int, o Outgoing) {
	var in []Input
	switch {
	case o.Proposal != nil:
		in = append(in, ProposalArrived{*o.Proposal})
	case o.Certificate != nil:
		in = append(in, CertificateArrived{*o.Certificate})
	case len(o.Votes) > 0:
		in = append(in, VotesArrived{o.Votes})
	}
	in = append(in, StatusArrived{From: from, Status: o.Status})
	for to := range c.machines {
		if to == o.To || o.To == Everyone && to != from {
			c.inbox[to] = append(c.inbox[to], in...)
		}
	}
}

func (c *cluster) toAll(from int, in Input) {
	for to := range c.machines {
		if to != from {
			c.inbox[to] = append(c.inbox[to], in)
		}
	}
}

// settle delivers until nothing is left.
func (c *cluster) settle() {
	for busy := true; busy; {
		busy = false
		for i := range c.machines {
			if len(c.inbox[i]) == 0 {
				continue
			}
			in := c.inbox[i][0]
			c.inbox[i] = c.inbox[i][1:]
			c.step(i, in)
			busy = true
		}
	}
}

// wait lets time pass up to the next timer of anybody, and fires it.
func (c *cluster) wait() {
	who, id, at := -1, TimerID(0), Time(0)
	for i := range c.machines {
		for _, candidate := range []TimerID{TimerLead, TimerNotarize, TimerRepeat, TimerWork} {
			if due, ok := c.timers[i][candidate]; ok && (who < 0 || due < at) {
				who, id, at = i, candidate, due
			}
		}
	}
	c.now = max(c.now, at)
	delete(c.timers[who], id)
	c.step(who, TimerFired{id})
	c.settle()
}

// TestEverySplitOfExitsGoesOn (mistake 17) walks through every way in which the votes of a view can split: which of the
// four see the proposal in time, and which of them hear the votes in time. Whoever does not gives the view up. Whatever
// the split, once everybody hears everything, the block of the view or of a later one becomes final; and where that is
// the closing block of the epoch, everybody is over at the same one.
func TestEverySplitOfExitsGoesOn(t *testing.T) {
	byTail := 0
	for _, epoch := range []quorum.Height{0, 1} {
		w := equalWorld()
		w.domain.Checker, w.epochLength, w.terms = newQuickSigner(w), epoch, map[quorum.Epoch]term{}
		for see := range 16 {
			for hear := range 16 {
				c := newCluster(t, w)
				for i := range c.machines {
					c.mute[i] = see>>i&1 == 0 && i != 0 // A leads and has its own
				}
				for i := range c.machines {
					c.step(i, WorkChanged{Pending: true})
				}
				c.settleSplit(hear)
				for i := range c.machines { // time is up for whoever is still in view 1
					c.now = max(c.now, epochOfStory.Add(1_000))
					if c.machines[i].view == 1 {
						c.step(i, TimerFired{TimerNotarize})
					}
				}
				clear(c.mute)
				c.settle()
				for rounds := 0; !c.agreed(epoch > 0); rounds++ {
					if rounds > 400 {
						t.Fatalf("epoch of %d, proposal seen by %04b, votes heard by %04b: stuck: %+v", epoch, see, hear, c.machines[1].Snapshot())
					}
					c.wait()
				}
				if epoch > 0 && c.final[0][0].Certificate.Certificate().Tail != nil {
					byTail++
				}
			}
		}
	}
	if byTail == 0 {
		t.Error("no epoch was ended by a tail")
	}
}

// settleSplit lets everybody act in view 1, and only some hear the votes.
func (c *cluster) settleSplit(hear int) {
	for range 3 { // proposal, verdict, votes
		for i := range c.machines {
			waiting := c.inbox[i]
			c.inbox[i] = nil
			for _, in := range waiting {
				_, votes := in.(VotesArrived)
				_, proposal := in.(ProposalArrived)
				if votes && hear>>i&1 == 0 || proposal && c.mute[i] {
					c.inbox[i] = append(c.inbox[i], in)
					continue
				}
				c.step(i, in)
			}
		}
	}
}

// agreed reports whether everybody has a final block, the same one; and, if the epoch has an end, is over.
func (c *cluster) agreed(over bool) bool {
	for i := range c.machines {
		if len(c.final[i]) == 0 || c.machines[i].Snapshot().Over != over {
			return false
		}
		if c.final[i][0].Hash != c.final[0][0].Hash {
			c.t.Fatalf("%s and A have other blocks at height 1", letter(i))
		}
	}
	return true
}
