package explore

import (
	"fmt"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// oracle judges a run. It holds, while the faulty have less than a third of the stake:
//
//  1. all honest machines have one block per height, each on the one before it;
//  2. each was made final by finalize votes of more than two thirds of the stake, every honest one of which was given;
//  3. no honest key signs two notarize or two proposals of a view, or finalize and nullify, or finalizes a block other
//     than the one it notarized before, whatever it lives through;
//  4. no honest machine halts;
//  5. no honest key is ever accused, and every accusation is two contradicting signatures;
//  6. when contradicting votes of a faulty key have reached an honest machine that still counts the view, it has
//     accused that key.
//
// Beyond a third, only 3, 5 and 6 hold, and forks are counted instead of refused.
type oracle struct {
	w      *world
	beyond bool
	chain  []crypto.Hash            // by height, agreed
	byView map[quorum.View]*ballots // what was signed, by honest and faulty keys
	fault  error
	double int
}

// ballots is what keys signed in a view, by index.
type ballots struct{ of []ballot }

// ballot is what one key said in one view. For a faulty key it holds the first of each kind, and whether a later one
// contradicts it.
type ballot struct {
	proposed, notarize, finalize crypto.Hash
	nullify                      bool
	accused                      bool
}

func newOracle(w *world, beyond bool) *oracle {
	return &oracle{w: w, beyond: beyond, chain: []crypto.Hash{w.anchor.Hash}, byView: map[quorum.View]*ballots{}}
}

func (o *oracle) fail(format string, args ...any) {
	if o.fault == nil {
		o.fault = fmt.Errorf(format, args...)
	}
}

func (o *oracle) ballot(v quorum.View, i uint16) *ballot {
	return ballotIn(o.byView, v, i, len(o.w.power))
}

func ballotIn(m map[quorum.View]*ballots, v quorum.View, i uint16, n int) *ballot {
	b := m[v]
	if b == nil {
		b = &ballots{of: make([]ballot, n)}
		m[v] = b
	}
	return &b.of[i]
}

// add notes a vote and reports whether it contradicts one noted before.
func (b *ballot) add(v *quorum.Vote) (contradicts bool) {
	other := func(h crypto.Hash) bool { return !h.IsZero() && h != v.Block }
	switch v.Kind {
	case quorum.KindProposal:
		contradicts = other(b.proposed)
		keepFirst(&b.proposed, v.Block)
	case quorum.KindNotarize:
		contradicts = other(b.notarize) || other(b.finalize)
		keepFirst(&b.notarize, v.Block)
	case quorum.KindFinalize:
		contradicts = other(b.finalize) || other(b.notarize) || b.nullify
		keepFirst(&b.finalize, v.Block)
	case quorum.KindNullify:
		contradicts = !b.finalize.IsZero()
		b.nullify = true
	}
	return contradicts
}

func keepFirst(h *crypto.Hash, v crypto.Hash) {
	if h.IsZero() {
		*h = v
	}
}

// signed is told of every signature at the moment it is made.
func (o *oracle) signed(v quorum.Vote) {
	b := o.ballot(v.View, v.Signer)
	premature := v.Kind == quorum.KindFinalize && b.notarize != v.Block
	late := v.Kind == quorum.KindNotarize && (b.nullify || !b.finalize.IsZero())
	contradicts := b.add(&v)
	if o.w.faulty[v.Signer] {
		if contradicts {
			o.double++
		}
		return
	}
	switch {
	case contradicts:
		o.fail("honest %s signs a %s of %s in view %d that contradicts what it signed", name(int(v.Signer)), v.Kind, v.Block.Short(), v.View)
	case premature:
		o.fail("honest %s finalizes %s in view %d without its notarize", name(int(v.Signer)), v.Block.Short(), v.View)
	case late:
		o.fail("honest %s notarizes %s in view %d after it left that view", name(int(v.Signer)), v.Block.Short(), v.View)
	}
}

// final is told of a block that an honest machine makes final on top of its ledger.
func (o *oracle) final(n *node, h *quorum.Header, hash, tip crypto.Hash, height quorum.Height, c quorum.Certificate) {
	if h.Height != height+1 || h.Parent != tip || h.Hash() != hash {
		o.fail("%s is given block %s of height %d on %s as final, on a ledger of height %d that ends in %s", n,
			hash.Short(), h.Height, h.Parent.Short(), height, tip.Short())
		return
	}
	o.certified(n, h, c)
	if int(h.Height) == len(o.chain) {
		o.chain = append(o.chain, hash)
		return
	}
	if have := o.chain[min(int(h.Height), len(o.chain)-1)]; have != hash && !o.beyond {
		o.fail("FORK at height %d: %s has %s of view %d, others %s", h.Height, n, hash.Short(), h.View, have.Short())
	}
}

// certified adds up who signed a finalization.
func (o *oracle) certified(n *node, h *quorum.Header, c quorum.Certificate) {
	if c.Kind != quorum.KindFinalize || c.Height < h.Height || c.View < h.View {
		o.fail("%s makes block %d of view %d final with a %s of height %d, view %d", n, h.Height, h.View, c.Kind, c.Height, c.View)
		return
	}
	if c.Height == h.Height && c.Block != h.Hash() && (c.Tail == nil || c.Tail.Hash() != c.Block || c.Tail.Closing != h.Hash()) {
		o.fail("%s makes block %d final with a finalization of %s, at the same height, that does not name it", n, h.Height, c.Block.Short())
	}
	if h.Flags == quorum.FlagTail {
		o.fail("%s is given a tail as a block of the ledger", n)
	}
	var power uint64
	for i := range o.w.power {
		if i/8 >= len(c.Bitmap) || c.Bitmap[i/8]>>(i%8)&1 == 0 {
			continue
		}
		power += o.w.power[i]
		if !o.w.faulty[i] && o.ballot(c.View, uint16(i)).finalize != c.Block {
			o.fail("%s holds a finalization of %s in view %d that counts honest %s, who did not sign it", n, c.Block.Short(), c.View, name(i))
		}
	}
	if !o.w.quorate(power) {
		o.fail("%s makes block %d final by power %d of %d", n, h.Height, power, o.w.total)
	}
}

// accused is told of every piece of evidence that an honest machine reports.
func (o *oracle) accused(n *node, e quorum.Evidence) {
	a, b := e.First, e.Second
	if int(a.Signer) >= len(o.w.faulty) || !o.w.faulty[a.Signer] {
		o.fail("%s accuses honest %s of %s in view %d", n, name(int(a.Signer)), e.Offence, a.View)
		return
	}
	key := o.w.domain.Set.At(int(a.Signer)).Key
	for _, v := range []quorum.Vote{a, b} {
		if v.Signature != seal(key, v.Digest(o.w.domain)) {
			o.fail("%s accuses %s with a vote that it did not sign", n, name(int(a.Signer)))
		}
	}
	var said ballot
	said.add(&a)
	if a.Epoch != b.Epoch || a.View != b.View || a.Signer != b.Signer || !said.add(&b) {
		o.fail("%s accuses %s with votes that do not contradict each other: %v %v", n, name(int(a.Signer)), a, b)
	}
	ballotIn(n.heard, a.View, a.Signer, len(o.w.power)).accused = true
}

// due is a faulty validator that an honest machine has to accuse once it has taken in what it was sent.
type due struct {
	ballot *ballot
	view   quorum.View
	signer uint16
}

// keepsViews is how far below its own view a machine surely counts votes.
const keepsViews = 60

// heard is told of votes of faulty keys before an honest machine gets them, and remembers those it has to count: of
// views it can be expected to keep. It returns who then must be accused.
func (o *oracle) heard(n *node, votes []quorum.VerifiedVote) (list []due) {
	if n.faulty || n.over() {
		return nil
	}
	view := n.machine.Status().View
	for i := range votes {
		v := votes[i].Vote()
		if !o.w.faulty[v.Signer] || v.View > view+1 || v.View <= n.tipView() || v.View+keepsViews < view {
			continue
		}
		if v.Kind == quorum.KindProposal && v.View != view {
			continue
		}
		b := ballotIn(n.heard, v.View, v.Signer, len(o.w.power))
		if b.add(&v) && !b.accused {
			list = append(list, due{b, v.View, v.Signer})
		}
	}
	return list
}

// settle checks that those who were due before a step are accused after it, if the machine still counts their view.
func (o *oracle) settle(n *node, list []due) {
	for _, d := range list {
		if !d.ballot.accused && n.up && d.view > n.tipView() && !n.over() {
			o.fail("%s holds contradicting votes of %s in view %d and does not accuse it", n, name(int(d.signer)), d.view)
		}
	}
}
