package consensus

import (
	"fmt"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// finishChain outputs every block that is final and known to be valid, in height order. The blocks below a finalized one
// are final with it, and are output as soon as their own verdict is there: the ledger must execute them before it can
// judge the later ones.
func (m *Machine) finishChain() {
	m.behind = false
	for m.halt == nil && m.top.View > m.final.view && !m.final.over {
		r := m.nextFinal()
		if r == nil || m.halt != nil {
			return
		}
		m.finish(r)
	}
}

// nextFinal walks from the highest finalization down to the child of the ledger's tip, and returns it if it is known to
// be valid. What is missing on the way is named, so that it is fetched. At the end of an epoch the walk begins with
// tails: they have the height of the closing block under them, and are never returned. From a tail it goes straight to
// the closing block if that is here: honest validators notarized the tail, and so everything between the two.
func (m *Machine) nextFinal() *record {
	view, height, hash := m.top.View, m.top.Height, m.top.Block
	var child *quorum.Header
	for {
		r := m.open(view)
		if r == nil {
			return nil
		}
		m.name(r, height, hash)
		h := r.block.head()
		switch {
		case m.halt != nil:
			return nil
		case h == nil:
			m.behind = height > m.final.height+maxFetchBlocks || m.endedElsewhere()
			return nil
		case child != nil && !follows(child, h.Height, closingOf(h, r.block.hash)),
			h.ParentView == m.final.view && h.Parent == m.final.hash && !follows(h, m.final.height, noBlock):
			m.stop(fmt.Sprintf("the chain under the final block of view %d breaks the rules of heights, closing blocks and tails at view %d",
				m.top.View, view), m.find(m.top.View).finalization, nil)
			return nil
		case h.ParentView < m.final.view || h.ParentView == m.final.view && h.Parent != m.final.hash:
			m.stop(fmt.Sprintf("the final block of view %d does not descend from the final block of view %d", m.top.View, m.final.view),
				m.final.certificate, m.find(m.top.View).finalization)
			return nil
		case h.ParentView == m.final.view:
			return m.ifValid(r)
		}
		child, view, height, hash = h, h.ParentView, heightBelow(h), h.Parent
		if closing := m.closingUnder(r, h); closing != nil {
			view, hash = closing.view, closing.block.hash
		}
	}
}

// closingUnder finds the closing block that the tail of a view names, if it is here; nil for other blocks.
func (m *Machine) closingUnder(r *record, h *quorum.Header) *record {
	if !h.IsTail() {
		return nil
	}
	for _, c := range m.openRecords() {
		if c.view < r.view && c.block.present() && c.block.hash == h.Closing {
			return c
		}
	}
	return nil
}

// closingOf is the closing block that a child of the block must be a tail of; zero when it must be no tail.
func closingOf(h *quorum.Header, hash crypto.Hash) crypto.Hash {
	if h.IsClosing() {
		return hash
	}
	return h.Closing
}

// follows reports whether a header may stand on a parent of this height: the next height and no tail, or, on a closing
// block and on its tails (closing is not zero), the same height and a tail of the same closing block.
func follows(h *quorum.Header, height quorum.Height, closing crypto.Hash) bool {
	if closing.IsZero() {
		return !h.IsTail() && h.Height == height+1
	}
	return h.IsTail() && h.Height == height && h.Closing == closing
}

// heightBelow is the height of a header's parent.
func heightBelow(h *quorum.Header) quorum.Height {
	if h.IsTail() {
		return h.Height
	}
	return h.Height - 1
}

// endedElsewhere reports whether the highest finalization came with the header of a tail that was never received: who
// sent it has ended the epoch and may be gone, so that its ledger has to be asked, and not its journal.
func (m *Machine) endedElsewhere() bool {
	r := m.find(m.top.View)
	return !r.block.present() && r.block.learned != nil
}

// ifValid returns the record if its block is valid; nil while the verdict is open. An invalid final block means that
// this node and a quorum execute different rules.
func (m *Machine) ifValid(r *record) *record {
	switch r.block.verdict {
	case valid:
		return r
	case invalid:
		m.stop(fmt.Sprintf("the block %s at height %d is final but invalid here: %s", r.block.hash.Short(), r.block.height, r.block.refusal),
			m.find(m.top.View).finalization, nil)
	}
	return nil
}

// finish makes a block the ledger's tip.
func (m *Machine) finish(r *record) {
	certificate := r.finalization
	if certificate == nil {
		certificate = m.descendantFinal(r.view)
	}
	b := &r.block
	m.final = tipOf(b.header, b.hash, b.emptyTail, certificate)
	r.output = true
	m.out.Finalized = append(m.out.Finalized, Final{Header: *b.header, Hash: b.hash, Certificate: *certificate})
	m.prune()
}

// descendantFinal returns the finalization of the first finalized view above v whose block is known: of a tail that is
// not, it would not show what it finalizes. There is one: the top.
func (m *Machine) descendantFinal(v quorum.View) *quorum.VerifiedCertificate {
	i, _ := m.search(v + 1)
	for _, r := range m.records[i:] {
		if r.finalization != nil && r.block.head() != nil {
			return r.finalCertificate()
		}
	}
	return nil
}

// finalCertificate is the view's finalization; of a tail whose header is known, with that attached, so that it shows to
// anybody which closing block is final.
func (r *record) finalCertificate() *quorum.VerifiedCertificate {
	h := r.block.head()
	if r.finalization == nil || h == nil || !h.IsTail() || r.block.hash != r.finalization.Certificate().Block {
		return r.finalization
	}
	c := r.finalization.WithTail(*h)
	return &c
}

// synced moves the ledger's tip to where block sync brought it.
func (m *Machine) synced(t Tip) {
	h, c := t.Header, t.Certificate.Certificate()
	hash := h.Hash()
	switch {
	case h.Epoch != m.cfg.Epoch || h.IsTail() || c.Kind != quorum.KindFinalize || c.View < h.View || h.Height < m.final.height:
		return
	case c.Height < h.Height || c.Height == h.Height && c.Finalizes() != hash:
		return // it says nothing about this block
	case h.Height == m.final.height:
		if hash != m.final.hash {
			m.stop(fmt.Sprintf("two blocks are final at height %d", h.Height), m.final.certificate, &t.Certificate)
		}
		return
	case m.final.over:
		m.stop(fmt.Sprintf("the epoch has ended at height %d, and a block of it is final at height %d", m.final.height, h.Height),
			m.final.certificate, &t.Certificate)
		return
	}
	if m.absorb(t.Certificate); m.halt != nil {
		return
	}
	if r := m.find(h.View); r != nil && r.block.certified && r.block.hash != hash {
		m.stop(fmt.Sprintf("the ledger was synced to block %s of view %d, but %s is certified there", hash.Short(), h.View, r.block.hash.Short()),
			r.certificate(), &t.Certificate)
		return
	}
	m.final = tipOf(&h, hash, t.EmptyTail, &t.Certificate)
	m.prune()
}

// fetchNew asks for certified blocks that are not here and were not asked for.
func (m *Machine) fetchNew() {
	for _, r := range m.openRecords() {
		if r.block.wanted() && !r.block.fetching {
			m.fetch(r)
		}
	}
	if m.behind && m.out.Sync == nil && m.syncAsked != m.top.View {
		m.askSync()
	}
}

// wanted reports whether the block is certified but not here.
func (b *block) wanted() bool { return b.certified && b.head() == nil }

// fetch asks for the block of a view from those who signed for it, unless it is a matter for sync.
func (m *Machine) fetch(r *record) {
	b := &r.block
	if b.height > m.final.height+maxFetchBlocks {
		return
	}
	b.fetching = true
	f := FetchRequest{View: r.view, Height: b.height, Hash: b.hash}
	if c := r.certificate(); c != nil {
		f.From = c.Certificate().Signers()
	}
	m.out.Fetch = append(m.out.Fetch, f)
}

// askSync asks for the ledger to be brought to the highest known finalization.
func (m *Machine) askSync() {
	r := m.find(m.top.View)
	m.syncAsked = m.top.View
	m.out.Sync = &SyncRequest{Height: m.top.Height, Certificate: *r.finalCertificate(), From: m.top.Signers()}
}
