package consensus

import (
	"bytes"
	"fmt"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// absorb takes in a certificate: one made of votes, sent by a peer or found in a proposal. It ends a view, and the first
// of its kind in a view is kept and stored.
func (m *Machine) absorb(vc quorum.VerifiedCertificate) {
	c := vc.Certificate()
	if m.halt != nil || c.Epoch != m.cfg.Epoch {
		return
	}
	if m.forged(c) {
		m.stopForeign("a certificate holds ", &vc)
		return
	}
	for _, i := range c.Signers() {
		m.voted(i, c.View)
	}
	if c.View <= m.final.view {
		m.checkAgainstLedger(vc)
		return
	}
	if m.conflictsWithTip(c) {
		m.stop(fmt.Sprintf("two blocks are final at height %d", c.Height), m.final.certificate, &vc)
		return
	}
	r := m.open(c.View)
	if r == nil {
		return
	}
	if other := r.contradiction(c); other != nil {
		m.stopOn(other, &vc)
		return
	}
	slot := r.slot(c.Kind)
	if *slot != nil {
		r.learn(c)
		return
	}
	bare := vc.WithoutTail()
	*slot = &bare
	m.certified(r, c)
	r.learn(c)
	if m.final.over {
		return
	}
	m.out.Store = append(m.out.Store, vc)
	switch {
	case m.halt != nil:
	case m.view <= c.View:
		m.enter(c.View+1, &vc)
	case c.Kind == quorum.KindFinalize:
		m.hurry()
	}
}

// conflictsWithTip reports whether a certificate of a view above the tip's cannot exist beside the tip. Above a closing
// block only its tails can be final, at its height. A finalization there whose block is not known is no contradiction
// yet; should its header come, it is looked at again.
func (m *Machine) conflictsWithTip(c quorum.Certificate) bool {
	if c.Kind != quorum.KindFinalize {
		return false
	}
	if !m.final.over || c.Height != m.final.height {
		return m.final.over || c.Height <= m.final.height
	}
	if c.Tail != nil {
		return c.Tail.Closing != m.final.hash
	}
	r := m.find(c.View)
	if r == nil || r.block.hash != c.Block || r.block.head() == nil {
		return false
	}
	return r.block.head().Closing != m.final.hash
}

// learn keeps the header of a tail that came attached to its finalization: it shows the way to the closing block even
// when nobody has the proposal any more.
func (r *record) learn(c quorum.Certificate) {
	if c.Tail != nil && r.block.hash == c.Block && r.block.header == nil {
		r.block.learned = c.Tail
	}
}

// certified draws the conclusions for the record of the view.
func (m *Machine) certified(r *record, c quorum.Certificate) {
	switch c.Kind {
	case quorum.KindNotarize:
		r.notarizedAt = m.now
		m.sample(r)
	case quorum.KindFinalize:
		if c.View > m.top.View && !m.final.over {
			m.top, m.topAt = c, m.now
		}
	default:
		return
	}
	m.name(r, c.Height, c.Block)
}

// name makes a certified block the block of its view. What the leader sent instead of it is forgotten: whoever holds the
// wrong half of two proposals follows the right one.
func (m *Machine) name(r *record, height quorum.Height, hash crypto.Hash) {
	if r.block.hash != hash {
		if r.block.certified {
			m.stop(fmt.Sprintf("two blocks of view %d are certified, one of them as part of a final chain", r.view), r.certificate(), nil)
			return
		}
		r.block = block{hash: hash, height: height}
	}
	r.block.certified = true
	m.checkHeight(r, height)
}

// checkHeight halts on a certificate that gives a block another height than its header: no honest validator signs that.
func (m *Machine) checkHeight(r *record, certified quorum.Height) {
	if h := r.block.head(); h != nil && h.Height != certified {
		m.stop(fmt.Sprintf("the block %s of view %d is certified for height %d and has height %d", r.block.hash.Short(), r.view, certified, h.Height),
			r.certificate(), nil)
	}
}

// contradiction returns the certificate of the view that cannot exist beside c; nil if there is none.
func (r *record) contradiction(c quorum.Certificate) *quorum.VerifiedCertificate {
	differs := func(other *quorum.VerifiedCertificate) bool {
		return other != nil && (other.Certificate().Block != c.Block || other.Certificate().Height != c.Height)
	}
	switch c.Kind {
	case quorum.KindNullify:
		return r.finalization
	case quorum.KindFinalize:
		if r.nullification != nil {
			return r.nullification
		}
	}
	if differs(r.finalization) {
		return r.finalization
	}
	if differs(r.notarization) {
		return r.notarization
	}
	return nil
}

// checkAgainstLedger halts on a certificate that contradicts what is final already.
func (m *Machine) checkAgainstLedger(vc quorum.VerifiedCertificate) {
	c := vc.Certificate()
	if r := m.find(c.View); r != nil {
		if other := r.contradiction(c); other != nil {
			m.stopOn(other, &vc)
			return
		}
	}
	if c.Kind != quorum.KindFinalize {
		return
	}
	if c.Height == m.final.height && c.Block != m.final.hash || c.Height > m.final.height {
		m.stop(fmt.Sprintf("two blocks are final at height %d", m.final.height), m.final.certificate, &vc)
		return
	}
	for _, r := range m.records[:m.firstOpen()] {
		if r.output && r.block.height == c.Height && r.block.hash != c.Block {
			m.stop(fmt.Sprintf("two blocks are final at height %d", c.Height), m.final.certificate, &vc)
			return
		}
	}
}

// stopOn halts on two certificates of one view that cannot both exist, and reports everyone who signed both.
func (m *Machine) stopOn(a, b *quorum.VerifiedCertificate) {
	ca, cb := a.Certificate(), b.Certificate()
	m.out.Evidence = append(m.out.Evidence, culprits(ca, cb)...)
	m.stop(fmt.Sprintf("view %d has a %s certificate of block %s and a %s certificate of block %s",
		ca.View, ca.Kind, ca.Block.Short(), cb.Kind, cb.Block.Short()), a, b)
}

// culprits returns the evidence against everyone who signed two contradicting certificates of one view. Any two quorums
// share more than a third of the power, so the list is never empty.
func culprits(a, b quorum.Certificate) []quorum.Evidence {
	var out []quorum.Evidence
	second := b.Votes()
	for _, va := range a.Votes() {
		for _, vb := range second {
			if va.Signer == vb.Signer {
				out = append(out, pair(va, vb))
			}
		}
	}
	return out
}

// pair puts two contradicting votes into the canonical order of evidence: by kind, height, block.
func pair(a, b quorum.Vote) quorum.Evidence {
	if a.Kind > b.Kind || a.Kind == b.Kind &&
		(a.Height > b.Height || a.Height == b.Height && bytes.Compare(a.Block[:], b.Block[:]) > 0) {
		a, b = b, a
	}
	offence := quorum.NotarizeFinalizeConflict
	switch {
	case a.Kind == b.Kind:
		offence = quorum.DoubleVote
	case b.Kind == quorum.KindNullify:
		offence = quorum.ExitConflict
	}
	return quorum.Evidence{Offence: offence, First: a, Second: b}
}

// forged reports whether a certificate counts a vote of this node's that is later than all it ever signed.
func (m *Machine) forged(c quorum.Certificate) bool {
	s := m.cfg.Self
	return s >= 0 && s/8 < len(c.Bitmap) && c.Bitmap[s/8]>>(s%8)&1 == 1 &&
		m.signed.Less(Watermark{c.View, StepOf(c.Kind)})
}
