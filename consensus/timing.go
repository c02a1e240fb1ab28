package consensus

import (
	"slices"

	"waybill/consensus/quorum"
)

// How waiting adapts.
const (
	sampleCount   = 64 // views whose duration is remembered
	samplesNeeded = 8  // before D may be shorter than Timing.Base

	growthLimit = 10 // D grows by half with each view without finality, up to 1.5^10
	// patientAfter is the number of views without finality after which nothing shortens a wait any more: when every
	// proposal is refused, views must not fly by at the speed of the network.
	patientAfter = 8

	inactiveViews            = 8  // a leader unheard of for this many views, or n/2, is passed over quickly
	minInactiveLead Duration = 50 // the least time given to a leader that was not heard of
	minRepeat       Duration = 100
	maxRepeat       Duration = 2_000
	eagerRepeats             = 8 // repetitions in one view before T_r doubles each time, to maxRepeat
)

// samples holds the time from the start of a view's waiting to its notarization, about two hops, of the last views.
type samples struct {
	ring [sampleCount]Duration
	n    int      // ever added
	high Duration // 99th percentile by nearest rank; 0 without samples
}

func (s *samples) add(d Duration) {
	s.ring[s.n%sampleCount] = d
	s.n++
	n := min(s.n, sampleCount)
	sorted := s.ring
	slices.Sort(sorted[:n])
	s.high = sorted[(99*n+99)/100-1]
}

// base is D without growth: three quarters of the measured time, at least Min and at most Max/4. Until enough was
// measured it only grows. It does not snap back at a finality: a busy machine slows its views down instead of giving
// them up.
func (m *Machine) base() Duration {
	t := &m.cfg.Timing
	d := min(m.samples.high*3/4, t.Max/4)
	if m.samples.n < samplesNeeded {
		d = max(d, t.Base)
	}
	return max(d, t.Min)
}

// failures is k: the views since the last finality, without the two that are normal when the next block is proposed
// before its parent is final.
func (m *Machine) failures() uint64 {
	if since := uint64(m.view - min(m.view, m.topView())); since > 2 {
		return since - 2
	}
	return 0
}

// delay is D: base*1.5^min(k,10), at most Max.
func (m *Machine) delay() Duration {
	d := m.base()
	for range min(m.failures(), growthLimit) {
		d = d * 3 / 2
	}
	return min(d, m.cfg.Timing.Max)
}

// leadTime is T_lead: 2D, or about one hop for a leader that was not heard of lately.
func (m *Machine) leadTime(d Duration) Duration {
	if m.failures() < patientAfter && m.inactive(m.leader(m.view)) {
		return min(2*d, max(minInactiveLead, m.base()/2))
	}
	return 2 * d
}

// inactive reports whether validator i did not vote in any of the last max(8, n/2) views. All those views ended with a
// quorum, so that silence means something. It is local: it shortens a wait and decides nothing else.
func (m *Machine) inactive(i int) bool {
	window := quorum.View(max(inactiveViews, m.n/2))
	return i != m.cfg.Self && m.view > m.peers[i].lastVote+window
}

// repeatTime is T_r: half of D within [100 ms, 2 s], plus up to a quarter that differs by node and view, so that
// nodes do not repeat in step.
func (m *Machine) repeatTime() Duration {
	r := min(max(m.delay()/2, minRepeat), maxRepeat)
	return r + Duration((uint64(m.cfg.Self+1)*37+uint64(m.view)*17)%uint64(r/4))
}

// timely reports whether a header time is right for a proposal received now: not before it by more than Precision, not
// after it by more than a message may take. The allowance grows by a tenth with each view without finality.
func (m *Machine) timely(timeMs int64) bool {
	allowance := 2 * m.cfg.Timing.Base
	for range min(m.failures(), 4*growthLimit) {
		allowance += allowance / 10
	}
	allowance = min(allowance, m.cfg.Timing.Max) + m.cfg.Timing.Precision
	return Time(timeMs) <= m.now.Add(m.cfg.Timing.Precision) && m.now <= Time(timeMs).Add(allowance)
}

// sample records how long a view took to its notarization. A view this node gave up says nothing about the speed of the
// others: what it waited for may have been lost. If D is too short for this network, it grows with every failed view,
// until one succeeds and is the measure.
func (m *Machine) sample(r *record) {
	if r.waitFrom == 0 || r.exit == quorum.KindNullify {
		return
	}
	m.samples.add(min(Duration(max(0, m.now-r.waitFrom)), m.cfg.Timing.Max))
	r.waitFrom = 0
}

// arm asks for a timer.
func (m *Machine) arm(id TimerID, at Time) {
	m.out.Timers = append(m.out.Timers, TimerRequest{ID: id, At: at})
}

// deadline returns where the deadline of a timer is kept; nil for an unknown one.
func (m *Machine) deadline(id TimerID) *Time {
	switch id {
	case TimerLead:
		return &m.leadAt
	case TimerNotarize:
		return &m.notAt
	case TimerRepeat:
		return &m.repeatAt
	case TimerWork:
		return &m.workAt
	}
	return nil
}

// timerFired acts on a timer whose time has come; an early one is asked for again, a stale one ignored.
func (m *Machine) timerFired(id TimerID) {
	deadline := m.deadline(id)
	switch {
	case deadline == nil || *deadline == 0:
		return
	case m.now < *deadline:
		m.arm(id, *deadline)
		return
	}
	*deadline = 0
	r := m.current()
	switch id {
	case TimerLead:
		r.expired = r.expired || !r.block.acceptable()
	case TimerNotarize:
		r.expired = true
	case TimerRepeat:
		m.repeat()
	}
}
