package consensus

import "waybill/consensus/quorum"

// enter moves the machine to view v, which the certificate admits to. Everything about the old view stays in its record:
// it may still be notarized late, and finalized.
func (m *Machine) enter(v quorum.View, admitted *quorum.VerifiedCertificate) {
	if old := m.current(); old != nil && !old.block.certified {
		old.block.proposal = nil // should it be certified after all, it is fetched
		if old.block.verdict == unasked {
			old.block = block{}
		}
	}
	if v > m.view+1 {
		for i := range m.peers { // who voted in the views jumped over is not known: nobody is inactive
			m.peers[i].lastVote = max(m.peers[i].lastVote, v-1)
		}
	}
	m.view, m.enteredAt, m.admitted = v, m.now, admitted
	m.active, m.leadAt, m.notAt, m.repeats = false, 0, 0, 0
	if m.open(v) == nil {
		m.stop("too many views without a final block: the record of open views is full", nil, nil)
		return
	}
	m.closeTallies()
}

// tryActivate starts the waiting of the current view once there is something to wait for. An idle chain stays in a view
// without timers, and so without blocks.
func (m *Machine) tryActivate(p parent, known bool) {
	if m.active {
		return
	}
	r := m.current()
	work, later := m.work(p, known)
	if !work && !r.block.present() && r.notarized.IsZero() && !m.givenUpByOthers(r) {
		m.watchWork(later)
		return
	}
	m.active = true
	// The leader has to keep MinBlockInterval after its parent. While the parent is not known here it may be as new as
	// now; a parent time ahead of this clock cannot stretch the wait by more than Precision.
	t := &m.cfg.Timing
	from := m.now.Add(t.MinBlockInterval)
	if known {
		from = max(m.now, min(Time(p.timeMs).Add(t.MinBlockInterval), from.Add(t.Precision)))
	}
	r.waitFrom = from
	m.armView(from)
}

// armView arms the view's timers, waiting from an instant on.
func (m *Machine) armView(from Time) {
	d := m.delay()
	m.leadAt, m.notAt = from.Add(m.leadTime(d)), from.Add(3*d)
	m.arm(TimerLead, m.leadAt)
	m.arm(TimerNotarize, m.notAt)
}

// hurry shortens the timers of the current view when a finality has made D small again: they may have been armed with
// the long D of a bad time.
func (m *Machine) hurry() {
	r := m.current()
	if !m.active || r.waitFrom == 0 {
		return
	}
	from := max(m.now, r.waitFrom)
	if d := m.delay(); m.leadAt > from.Add(m.leadTime(d)) || m.notAt > from.Add(3*d) {
		m.armView(from)
	}
}

// givenUpByOthers reports whether the leader nullified the view, or enough others did to include an honest one: there
// is work that this node has not heard of.
func (m *Machine) givenUpByOthers(r *record) bool {
	return r.leaderGaveUp ||
		r.tally != nil && r.tally.Power(quorum.KindNullify, 0, noBlock) >= m.cfg.Domain.Set.Blocking()
}

// tryGiveUp nullifies the current view when it cannot succeed in time.
func (m *Machine) tryGiveUp() {
	r := m.current()
	hopeless := r.leaderGaveUp || r.buildFailed || r.block.verdict == invalid
	if r.expired || hopeless && m.failures() < patientAfter {
		m.sign(r, quorum.Vote{Kind: quorum.KindNullify, View: r.view})
	}
}
