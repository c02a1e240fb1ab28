package consensus

import (
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// noBlock is the block of a nullify vote.
var noBlock crypto.Hash

// voteArrived counts one vote, a peer's or an own one that is durable now.
func (m *Machine) voteArrived(verified quorum.VerifiedVote) {
	v := verified.Vote()
	if m.halt != nil || v.Epoch != m.cfg.Epoch || v.Kind == quorum.KindProposal || !m.votesCounted(v.View) {
		return
	}
	if int(v.Signer) == m.cfg.Self && m.foreign(v) {
		m.stopForeign("somebody sent ", nil)
		return
	}
	r := m.find(v.View)
	if r == nil {
		if r = m.open(v.View); r == nil {
			return
		}
	}
	if r.tally == nil {
		r.tally = quorum.NewTally(m.cfg.Domain, m.cfg.Epoch, v.View)
	}
	added, evidence := r.tally.Add(verified)
	m.out.Evidence = append(m.out.Evidence, evidence...)
	if !added {
		return
	}
	m.voted(int(v.Signer), v.View)
	if int(v.Signer) == m.cfg.Self {
		r.own = append(r.own, ownVote{vote: verified, sentAt: m.now})
	}
	if v.Kind == quorum.KindNullify && int(v.Signer) == m.leader(v.View) {
		r.leaderGaveUp = true
	}
	if r.view > m.final.view && *r.slot(v.Kind) == nil && r.tally.Reached(v) {
		m.certifyVotes(r, v)
	}
}

// certifyVotes makes the certificate that the votes like v suffice for.
func (m *Machine) certifyVotes(r *record, v quorum.Vote) {
	c, err := r.tally.Certificate(v)
	if err != nil {
		// Only votes verified in another domain than the machine's can do this: the caller mixed up two networks.
		panic("consensus: " + err.Error())
	}
	m.absorb(c)
}

// voted remembers that validator i was heard of.
func (m *Machine) voted(i int, v quorum.View) {
	m.peers[i].lastVote = max(m.peers[i].lastVote, v)
}

// foreign reports whether a vote by this node's key cannot be this node's: it is later than everything handed to the
// signer, or differs from what was. Of views it has no memory of (a journal that was restored), it cannot tell.
func (m *Machine) foreign(v quorum.Vote) bool {
	if m.signed.Less(Watermark{v.View, StepOf(v.Kind)}) {
		return true
	}
	r := m.find(v.View)
	if r == nil {
		return false
	}
	if v.Kind == quorum.KindNotarize {
		return !r.notarized.IsZero() && r.notarized != v.Block
	}
	return r.exit != 0 && r.exit != v.Kind
}

// sign hands a vote to the signer if it is later than everything before it, and reports whether it did. The signer
// keeps the same rule durably; this one only spares it the question.
func (m *Machine) sign(r *record, v quorum.Vote) bool {
	mark := Watermark{r.view, StepOf(v.Kind)}
	if m.cfg.Self < 0 || m.halt != nil || !m.signed.Less(mark) {
		return false
	}
	m.signed = mark
	m.remember(r, v)
	v.Epoch, v.Signer = m.cfg.Epoch, uint16(m.cfg.Self)
	m.out.Sign = append(m.out.Sign, v)
	return true
}

// remember notes in the record what this node voted.
func (m *Machine) remember(r *record, v quorum.Vote) {
	if v.Kind == quorum.KindNotarize {
		r.notarized = v.Block
	} else {
		r.exit = v.Kind
	}
}

// tryNotarize votes for a valid block: in its own view when it came in time; later only when the others have notarized
// it, and then whatever its time. A view given up stays given up.
func (m *Machine) tryNotarize(r *record) {
	b := &r.block
	inTime := r.view == m.view && b.timely
	if b.verdict != valid || !r.notarized.IsZero() || r.exit != 0 || !inTime && r.certificate() == nil {
		return
	}
	m.sign(r, quorum.Vote{Kind: quorum.KindNotarize, View: r.view, Height: b.height, Block: b.hash})
}

// tryFinalize votes for finality of the block this node notarized and the others notarized, too.
func (m *Machine) tryFinalize(r *record) {
	b := &r.block
	if r.certificate() == nil || b.verdict != valid || r.notarized != b.hash || r.exit != 0 {
		return
	}
	m.sign(r, quorum.Vote{Kind: quorum.KindFinalize, View: r.view, Height: b.height, Block: b.hash})
}

// signRefused takes back what was noted for a vote that does not exist, and asks for nothing of its step or before any
// more. A refused notarize leaves the exit open: the signer may have signed it already, in a record that this node lost,
// and repeats it then; without it the others might wait for it for ever.
func (m *Machine) signRefused(v quorum.Vote) {
	if mark := (Watermark{v.View, StepOf(v.Kind)}); m.signed.Less(mark) {
		m.signed = mark
	}
	r := m.find(v.View)
	if r == nil {
		return
	}
	if v.Kind == quorum.KindNotarize {
		r.notarized = crypto.Hash{}
	}
	r.exit = 0
	for _, own := range r.own { // an exit already durable stands
		m.remember(r, own.vote.Vote())
	}
}

// repeatVotes returns own votes that a peer may still need: all of the current view, and of views whose certificate this
// node or a peer misses, and every finalize above the ledger's tip. Votes sent within the last half T_r are left for the
// next time.
//
// The current view's are repeated whatever they are. A node can even be in a view that it signed finalize for:
// certificates are not synced, and if the nodes that held the notarization all crashed, only the notarize votes in their
// journals can make it again. So it is with a nullification that all who held it lost: nobody can propose over the view
// until the nullify votes have made it again.
func (m *Machine) repeatVotes() []quorum.VerifiedVote {
	var votes []quorum.VerifiedVote
	recent := m.repeatTime() / 2
	for _, r := range slices.Backward(m.openRecords()) {
		for i := range slices.Backward(r.own) {
			own := &r.own[i]
			if r.view != m.view && own.vote.Vote().Kind != quorum.KindFinalize && !m.isMissed(r) {
				continue
			}
			if len(votes) == maxRepeatVotes || m.now < own.sentAt.Add(recent) {
				continue
			}
			own.sentAt = m.now
			votes = append(votes, own.vote)
		}
	}
	slices.Reverse(votes)
	return votes
}

// isMissed reports whether this node or a peer says that it lacks the certificate of a view, and this node cannot give it.
func (m *Machine) isMissed(r *record) bool {
	if r.nullification != nil || r.certificate() != nil {
		return false
	}
	return r.view == m.missing || slices.ContainsFunc(m.peers, func(p peer) bool { return p.known && p.status.Missing == r.view })
}

// unsettled reports whether peers may still need votes of this node.
func (m *Machine) unsettled() bool {
	for _, r := range m.openRecords() {
		if r.exit == quorum.KindFinalize || r.view == m.view && len(r.own) > 0 {
			return true
		}
	}
	return false
}
