package consensus

import "waybill/consensus/quorum"

// send adds a message that may leave at once.
func (m *Machine) send(o Outgoing) {
	o.Status = m.Status()
	m.out.Send = append(m.out.Send, o)
}

// statusArrived remembers a peer's status, offers it a certificate if it is behind, and asks it for one if it is ahead.
func (m *Machine) statusArrived(from int, s Status) {
	if from < 0 || from >= m.n || from == m.cfg.Self || s.Epoch != m.cfg.Epoch {
		return
	}
	p := &m.peers[from]
	p.status, p.known = s, true
	if c := m.repairFor(s); c != nil && m.now >= p.servedAt.Add(m.repeatTime()) {
		p.servedAt = m.now
		m.send(Outgoing{To: from, Certificate: c})
	}
	if (s.View > m.view+1 || s.FinalView > m.topView()) && m.now >= p.askedAt.Add(m.repeatTime()) {
		p.askedAt = m.now
		m.send(Outgoing{To: from})
	}
}

// repairFor returns the one certificate that lifts a peer most: the highest finalization if it is above the peer's view,
// else what admitted this node to its view, else the finalization alone, else the one it says it misses. A peer that is
// one view behind only because its last vote was under way is left alone for T_r. After the end of the epoch only one
// thing lifts anybody: what made the closing block final.
func (m *Machine) repairFor(s Status) *quorum.VerifiedCertificate {
	final := m.topFinalization()
	if m.final.over {
		if s.FinalHeight < m.final.height && m.now >= m.topAt.Add(m.repeatTime()) {
			return final
		}
		return nil
	}
	settled := m.now >= m.enteredAt.Add(m.repeatTime())
	switch {
	case s.View < m.view && (settled || s.View+1 < m.view):
		if final != nil && s.View <= m.topView() {
			return final
		}
		return m.admitting()
	case final != nil && s.FinalView < m.topView() && (s.FinalView+3 < m.topView() || m.now >= m.topAt.Add(m.repeatTime())):
		return final
	case s.Missing > 0 && s.Missing < s.View:
		return m.missed(s.Missing)
	}
	return nil
}

// topFinalization is the finalization of the highest view; nil before the first.
func (m *Machine) topFinalization() *quorum.VerifiedCertificate {
	if r := m.find(m.topView()); r != nil && r.finalization != nil {
		return r.finalCertificate()
	}
	return m.final.certificate
}

// admitting is the certificate that lets anyone enter the current view; nil if this node came here by its own votes.
func (m *Machine) admitting() *quorum.VerifiedCertificate {
	if m.admitted != nil {
		return m.admitted
	}
	return m.missed(m.view - 1)
}

// missed returns what this node holds of a view: the nullification, which lets a peer look further down, or else the
// notarization or finalization.
func (m *Machine) missed(v quorum.View) *quorum.VerifiedCertificate {
	r := m.find(v)
	switch {
	case r == nil:
		return nil
	case r.nullification != nil:
		return r.nullification
	default:
		return r.certificate()
	}
}

// repeat sends again what a peer may have missed: own votes that still count, what admitted this node to a view it gave
// up, and in any case the status; and asks again for what was not answered.
func (m *Machine) repeat() {
	m.repeats++
	if m.final.over {
		m.send(Outgoing{To: Everyone})
		return
	}
	m.send(Outgoing{To: Everyone, Votes: m.repeatVotes()})
	if c := m.admitting(); c != nil && m.current().exit != 0 {
		m.send(Outgoing{To: Everyone, Certificate: c})
	}
	for _, r := range m.openRecords() {
		if r.block.wanted() {
			m.fetch(r)
		}
	}
	m.syncAsked = 0
}

// scheduleRepeat keeps the repeat timer armed: T_r while somebody may need something, else StatusEvery. It is never off,
// so that no loss of messages can leave the nodes waiting for each other. In a view that does not end, T_r grows: whoever
// could answer is not there, and will say so by its status when it is.
func (m *Machine) scheduleRepeat() {
	every := m.cfg.Timing.StatusEvery
	if m.final.over {
		every = max(every, maxRepeat)
	} else if m.unsettled() || m.wanting() || m.missing > 0 || m.behindPeers() || every <= 0 {
		every = m.repeatTime()
		for range m.repeats - min(m.repeats, eagerRepeats) {
			every = min(2*every, maxRepeat)
		}
	}
	if next := m.now.Add(every); m.repeatAt == 0 || m.repeatAt > next {
		m.repeatAt = next
		m.arm(TimerRepeat, next)
	}
}

// wanting reports whether a block or a sync is awaited.
func (m *Machine) wanting() bool {
	for _, r := range m.openRecords() {
		if r.block.wanted() {
			return true
		}
	}
	return m.behind
}

// behindPeers reports whether any peer claims to be ahead.
func (m *Machine) behindPeers() bool {
	for _, p := range m.peers {
		if p.known && (p.status.View > m.view || p.status.FinalView > m.topView()) {
			return true
		}
	}
	return false
}
