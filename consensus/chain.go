package consensus

import (
	"fmt"

	"waybill/consensus/quorum"
)

// finishChain outputs every block that is final and known to be valid, in height order. The blocks below a finalized one
// are final with it, and are output as soon as their own verdict is there: the ledger must execute them before it can
// judge the later ones.
func (m *Machine) finishChain() {
	m.behind = false
	for m.halt == nil && m.top.View > m.final.view {
		r := m.nextFinal()
		if r == nil || m.halt != nil {
			return
		}
		m.finish(r)
	}
}

// nextFinal walks from the highest finalization down to the child of the ledger's tip, and returns it if it is known to
// be valid. What is missing on the way is named, so that it is fetched.
func (m *Machine) nextFinal() *record {
	view, height, hash := m.top.View, m.top.Height, m.top.Block
	for {
		r := m.open(view)
		if r == nil {
			return nil
		}
		m.name(r, height, hash)
		h := r.block.header
		switch {
		case m.halt != nil:
			return nil
		case h == nil:
			m.behind = height > m.final.height+maxFetchBlocks
			return nil
		case h.ParentView < m.final.view || h.ParentView == m.final.view && h.Parent != m.final.hash:
			m.stop(fmt.Sprintf("the final block of view %d does not descend from the final block of view %d", m.top.View, m.final.view),
				m.final.certificate, m.find(m.top.View).finalization)
			return nil
		case h.ParentView == m.final.view:
			return m.ifValid(r)
		}
		view, height, hash = h.ParentView, h.Height-1, h.Parent
	}
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
	m.final = tip{view: r.view, height: b.height, hash: b.hash, timeMs: b.header.TimeMs, emptyTail: b.emptyTail, certificate: certificate}
	r.output = true
	m.out.Finalized = append(m.out.Finalized, Final{Header: *b.header, Hash: b.hash, Certificate: *certificate})
	m.prune()
}

// descendantFinal returns the finalization of the first finalized view above v. There is one: the top.
func (m *Machine) descendantFinal(v quorum.View) *quorum.VerifiedCertificate {
	i, _ := m.search(v + 1)
	for _, r := range m.records[i:] {
		if r.finalization != nil {
			return r.finalization
		}
	}
	return nil
}

// synced moves the ledger's tip to where block sync brought it.
func (m *Machine) synced(t Tip) {
	h, c := t.Header, t.Certificate.Certificate()
	hash := h.Hash()
	switch {
	case h.Epoch != m.cfg.Epoch || c.Kind != quorum.KindFinalize || c.View < h.View || h.Height < m.final.height:
		return
	case h.Height == m.final.height:
		if hash != m.final.hash {
			m.stop(fmt.Sprintf("two blocks are final at height %d", h.Height), m.final.certificate, &t.Certificate)
		}
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
	m.final = tip{view: h.View, height: h.Height, hash: hash, timeMs: h.TimeMs, emptyTail: t.EmptyTail, certificate: &t.Certificate}
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
func (b *block) wanted() bool { return b.certified && !b.present() }

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
	m.out.Sync = &SyncRequest{Height: m.top.Height, Certificate: *r.finalization, From: m.top.Signers()}
}
