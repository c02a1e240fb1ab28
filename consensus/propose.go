package consensus

import (
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// proposalArrived takes in a leader's proposal, sent or fetched. The certificates inside it count whatever becomes of
// the block: they bring a node that was left behind to the proposal's view.
func (m *Machine) proposalArrived(p quorum.VerifiedProposal) {
	h := p.Header()
	if h.Epoch != m.cfg.Epoch {
		return
	}
	m.absorbJustification(p)
	if m.halt != nil || h.View > m.view {
		return
	}
	r := m.find(h.View)
	if r == nil {
		return
	}
	m.checkEquivocation(r, p)
	m.voted(int(h.Proposer), h.View)
	if r.view <= m.final.view || r.block.present() || m.final.over {
		return
	}
	switch wanted := r.block.hash; {
	case wanted == p.Hash():
		m.take(r, p)
	case wanted.IsZero() && r.view == m.view:
		r.block.timely = m.timely(h.TimeMs)
		m.take(r, p)
	}
}

// absorbJustification takes the parent's certificate and the nullifications out of a proposal.
func (m *Machine) absorbJustification(p quorum.VerifiedProposal) {
	if parent, ok := p.Parent(); ok {
		m.absorb(parent)
	}
	for _, c := range p.Skip() {
		m.absorb(c)
	}
}

// checkEquivocation reports a leader that proposed twice in a view. The first proposal stays: a second one costs no
// verification unless a certificate names it.
func (m *Machine) checkEquivocation(r *record, p quorum.VerifiedProposal) {
	if r.proposed.Digest().IsZero() {
		r.proposed = p.Vote()
		return
	}
	if r.equivocated || r.proposed.Digest() == p.Vote().Digest() {
		return
	}
	if e, err := quorum.NewEvidence(r.proposed, p.Vote()); err == nil {
		r.equivocated = true
		m.out.Evidence = append(m.out.Evidence, e)
	}
}

// take makes a proposal the block of its view.
func (m *Machine) take(r *record, p quorum.VerifiedProposal) {
	h := p.Header()
	certified := r.block.height
	r.block.hash, r.block.height, r.block.header, r.block.proposal = p.Hash(), h.Height, &h, &p
	r.block.own = m.cfg.Self >= 0 && int(h.Proposer) == m.cfg.Self
	if r.block.certified {
		m.checkHeight(r, certified)
	}
}

// tryValidate asks for the verdict on a block whose parent is known to be valid. Of the blocks of a view it is asked for
// one: the leader's first, or the certified one.
func (m *Machine) tryValidate(r *record) {
	b := &r.block
	if !b.present() || b.proposal == nil || b.verdict != unasked || r.view != m.view && !b.certified {
		return
	}
	p, known := m.parentOf(b.header)
	if !known {
		return
	}
	if b.header.TimeMs <= p.timeMs || !follows(b.header, p.height, p.closing) {
		m.refuse(r)
		return
	}
	b.verdict = asked
	b.emptyTail = 0
	if b.header.TxCount == 0 {
		b.emptyTail = p.emptyTail + 1
	}
	m.out.Validate = append(m.out.Validate, ValidateRequest{View: r.view, Hash: b.hash, Proposal: *b.proposal})
}

// parentOf returns the valid block that a header builds on; false while it is not known to be valid.
func (m *Machine) parentOf(h *quorum.Header) (parent, bool) {
	if h.ParentView == m.final.view {
		return m.tipAsParent(), h.Parent == m.final.hash
	}
	r := m.find(h.ParentView)
	if r == nil || h.ParentView < m.final.view || r.block.hash != h.Parent || r.block.verdict != valid {
		return parent{}, false
	}
	return m.blockAsParent(r), true
}

// blockValid notes the verdict. An own block leaves for the others only now, so that nobody sees one its maker would
// refuse.
func (m *Machine) blockValid(v quorum.View, hash crypto.Hash) {
	r := m.find(v)
	if r == nil || r.block.hash != hash || r.block.verdict != asked {
		return
	}
	b := &r.block
	b.verdict = valid
	if b.own && v == m.view && r.exit == 0 && !m.final.over {
		m.send(Outgoing{To: Everyone, Proposal: b.proposal})
	}
	b.proposal = nil
}

// blockInvalid notes the verdict. A certified block that is invalid here means that this node and a quorum disagree
// about the rules; finishChain halts when the block is final.
func (m *Machine) blockInvalid(v quorum.View, hash crypto.Hash, reason string) {
	if r := m.find(v); r != nil && r.block.hash == hash && r.block.verdict == asked {
		m.refuse(r)
		r.block.refusal = reason
	}
}

func (m *Machine) refuse(r *record) {
	r.block.verdict = invalid
	r.block.refusal = "its height, its time, or its being a tail or not does not follow from its parent"
	r.block.proposal = nil
}

// parent is a block that the next one can be built on.
type parent struct {
	view        quorum.View
	height      quorum.Height
	hash        crypto.Hash
	timeMs      int64
	emptyTail   uint64
	certificate *quorum.VerifiedCertificate // nil only for the anchor
	notarizedAt Time
	closing     crypto.Hash // the closing block that a child must be a tail of; zero for ordinary children
}

func (m *Machine) tipAsParent() parent {
	f := &m.final
	return parent{view: f.view, height: f.height, hash: f.hash, timeMs: f.timeMs, emptyTail: f.emptyTail, certificate: f.certificate}
}

func (m *Machine) blockAsParent(r *record) parent {
	b := &r.block
	return parent{view: r.view, height: b.height, hash: b.hash, timeMs: b.header.TimeMs, emptyTail: b.emptyTail,
		certificate: r.certificate(), notarizedAt: r.notarizedAt, closing: closingOf(b.header, b.hash)}
}

// bestParent finds what a proposal for the current view must build on: the highest notarized block, if every view
// since has a nullification and the block is known to be valid. Where a view has both, the block is taken. The first
// view that has neither is noted as missing, for the status.
func (m *Machine) bestParent() (parent, bool) {
	m.missing = 0
	for v := m.view - 1; v > m.final.view; v-- {
		r := m.find(v)
		switch {
		case r != nil && r.certificate() != nil:
			if r.block.verdict != valid {
				return parent{}, false
			}
			return m.blockAsParent(r), true
		case r == nil || r.nullification == nil:
			m.missing = v
			return parent{}, false
		}
	}
	return m.tipAsParent(), true
}

// tryBuild asks for a block when this node leads the view and there is work; once per view, and never in a view it
// has proposed in before, whatever happened since.
func (m *Machine) tryBuild(p parent, known bool) {
	r := m.current()
	if !known || !m.leading() || m.proposed >= m.view || r.exit != 0 || !m.signed.Less(Watermark{m.view, StepExit}) {
		return
	}
	work, _ := m.work(p, known)
	if !work {
		return
	}
	m.proposed = m.view
	height := p.height
	if p.closing.IsZero() {
		height++
	}
	m.out.Build = &BuildRequest{
		Epoch: m.cfg.Epoch, View: m.view, Height: height, Closing: p.closing,
		Parent: p.hash, ParentView: p.view, ParentHeight: p.height, ParentTimeMs: p.timeMs,
		Justification: m.justification(p),
		NotBefore:     Time(p.timeMs).Add(max(1, m.cfg.Timing.MinBlockInterval)),
		Empty:         !p.closing.IsZero() || !m.pending && !m.peersHaveWork(),
	}
}

// justification is what a proposal on p carries: the certificate of p and a nullification of every view since. It has
// room for quorum.MaxSkip of them; of more, the newest are taken, and every validator has or is sent the rest (see
// Status.Missing and Machine.Nullification).
func (m *Machine) justification(p parent) quorum.Justification {
	var j quorum.Justification
	if p.view > 0 && p.certificate != nil {
		c := p.certificate.Certificate()
		j.Parent = &c
	}
	for v := m.view - 1; v > p.view && len(j.Skip) < quorum.MaxSkip; v-- {
		j.Skip = append(j.Skip, m.find(v).nullification.Certificate())
	}
	slices.Reverse(j.Skip)
	return j
}

// proposalBuilt takes in this node's own block. It goes the way of all others, and is sent when found valid.
func (m *Machine) proposalBuilt(p quorum.VerifiedProposal) {
	h := p.Header()
	r := m.current()
	if m.final.over || h.View != m.view || !m.leading() || r.exit != 0 || r.block.present() || r.block.certified {
		return
	}
	m.checkEquivocation(r, p)
	m.take(r, p)
	r.block.timely = true
}
