package consensus

import (
	"cmp"
	"slices"

	"waybill/consensus/quorum"
)

// New returns a machine that continues from what a node recovered. It does nothing before [Start].
//
// The order of records on disk means nothing: the watermark is the highest own vote, the view the highest that anything
// of this node's belongs to, or the one after the highest certificate.
func New(cfg Config, rec Recovered) *Machine {
	m := &Machine{cfg: cfg, n: cfg.Domain.Set.Len(), maxOpen: maxOpenViews, signed: rec.Signed}
	m.peers = make([]peer, m.n)
	m.final = tip{height: cfg.Anchor.Height, hash: cfg.Anchor.Hash, timeMs: cfg.Anchor.TimeMs}
	if cfg.Anchor.Height == 0 { // a closing block changed the state, and no header has its root yet
		m.final.emptyTail = cfg.ExecDelay
	}
	m.view = 1
	m.open(1)
	m.recoverTip(rec.LastFinal)
	for _, v := range rec.Votes {
		m.signed = m.laterOf(v.Vote())
	}
	m.recoverCertificates(rec)
	m.recoverView(rec)
	m.recoverVotes(rec.Votes)
	m.recoverBlocks(rec)
	m.admitted = nil
	m.out = Output{}
	return m
}

func (m *Machine) recoverTip(t *Tip) {
	if t == nil {
		return
	}
	h := t.Header
	m.final = tipOf(&h, h.Hash(), t.EmptyTail, &t.Certificate)
	m.enter(max(m.view, h.View+1), nil)
	m.prune()
}

// laterOf returns the higher of the watermark and an own vote.
func (m *Machine) laterOf(v quorum.Vote) Watermark {
	mark := Watermark{v.View, StepOf(v.Kind)}
	if v.Epoch == m.cfg.Epoch && int(v.Signer) == m.cfg.Self && m.signed.Less(mark) {
		return mark
	}
	return m.signed
}

// recoverCertificates takes in all certificates there are: stored ones, the tip's, and those inside proposals.
func (m *Machine) recoverCertificates(rec Recovered) {
	if rec.LastFinal != nil && !rec.LastFinal.Certificate.IsZero() {
		m.absorb(rec.LastFinal.Certificate)
	}
	sorted := slices.Clone(rec.Certificates)
	slices.SortStableFunc(sorted, func(a, b quorum.VerifiedCertificate) int {
		ca, cb := a.Certificate(), b.Certificate()
		return cmp.Or(cmp.Compare(ca.View, cb.View), cmp.Compare(ca.Kind, cb.Kind))
	})
	for _, c := range sorted {
		m.absorb(c)
	}
	for _, p := range proposalsByView(rec) {
		if p.Header().Epoch == m.cfg.Epoch {
			m.absorbJustification(p)
		}
	}
}

// recoverView enters the highest view that this node has acted in.
func (m *Machine) recoverView(rec Recovered) {
	last := m.signed.View
	for _, p := range rec.OwnProposals {
		if h := p.Header(); h.Epoch == m.cfg.Epoch {
			m.proposed = max(m.proposed, h.View)
		}
	}
	if last = max(last, m.proposed); last > m.view {
		m.enter(last, nil)
	}
}

// recoverVotes puts own votes back into the records of their views.
func (m *Machine) recoverVotes(votes []quorum.VerifiedVote) {
	sorted := slices.Clone(votes)
	slices.SortStableFunc(sorted, func(a, b quorum.VerifiedVote) int {
		va, vb := a.Vote(), b.Vote()
		return cmp.Or(cmp.Compare(va.View, vb.View), cmp.Compare(va.Kind, vb.Kind))
	})
	for _, verified := range sorted {
		v := verified.Vote()
		if v.Epoch != m.cfg.Epoch || int(v.Signer) != m.cfg.Self || StepOf(v.Kind) == StepNone {
			continue
		}
		if r := m.open(v.View); r != nil {
			m.remember(r, v)
			if m.voteArrived(verified); !m.votesCounted(v.View) { // too old to count, but somebody may lack what it was part of
				r.own = append(r.own, ownVote{vote: verified})
			}
		}
	}
}

// recoverBlocks puts stored proposals back; each is validated again. Of several in a view, the certified one counts, then
// the one this node voted for, then its own.
func (m *Machine) recoverBlocks(rec Recovered) {
	for _, p := range proposalsByView(rec) {
		h := p.Header()
		if h.Epoch != m.cfg.Epoch || h.View > m.view {
			continue
		}
		r := m.open(h.View)
		if r == nil || r.block.present() {
			continue
		}
		own := m.cfg.Self >= 0 && int(h.Proposer) == m.cfg.Self
		switch {
		case r.block.certified && r.block.hash != p.Hash():
			continue
		case !r.block.certified && !r.notarized.IsZero() && r.notarized != p.Hash():
			continue
		}
		m.take(r, p)
		r.proposed = p.Vote()
		r.block.timely = own
	}
}

// proposalsByView lists all recovered proposals by view, own ones first within a view.
func proposalsByView(rec Recovered) []quorum.VerifiedProposal {
	all := slices.Concat(rec.OwnProposals, rec.Blocks)
	slices.SortStableFunc(all, func(a, b quorum.VerifiedProposal) int { return cmp.Compare(a.Header().View, b.Header().View) })
	return all
}

// start enters the view for real: it is now that waiting begins, and everything sent before a crash may be lost.
func (m *Machine) start() {
	m.started = true
	m.enteredAt, m.topAt = m.now, m.now
	for i := range m.peers {
		m.peers[i].lastVote = max(m.peers[i].lastVote, m.view)
	}
	for _, r := range m.records {
		for i := range r.own {
			r.own[i].sentAt = m.now.Add(-maxRepeat)
		}
		if r.certificate() != nil {
			r.notarizedAt = m.now
		}
	}
	if len(m.openRecords()) > 0 {
		m.repeat()
	}
}
