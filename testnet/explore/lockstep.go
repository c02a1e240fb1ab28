package explore

import (
	"waybill/consensus"
	"waybill/consensus/quorum"
)

// lockstep drives a cluster in rounds. In round r messages pass inside the blocks of the round's partition until none is
// left; then the timers of everyone in view r or below run out; then everyone repeats what may be missing and tells its
// status. A block for a later view than r waits for its round, so that each view meets the partition meant for it.
// Nothing but a status takes time.
type lockstep struct {
	c        *cluster
	round    int
	inbox    []delivery
	statuses bool // this part of the round is for statuses
	loss     int  // of a thousand messages
	shuffled bool
}

type delivery struct {
	to   *node
	life int
	m    *message
}

const (
	roundMs     = 1_000 // more than all timers of a round
	maxInRound  = 6_000 // deliveries
	healRounds  = 3     // with an honest leader, in which a healed network has to make progress
	mostRounds  = 16
	timersAfter = 400
	repeatAfter = 800
	calmRepeat  = 130 // a little more than T_r
)

// lockstepTiming has timers of one length, so that they run out within their round; and every time is timely.
func lockstepTiming() consensus.Timing {
	return consensus.Timing{Base: 50, Min: 50, Max: 50, MinBlockInterval: 1, Precision: 1 << 40, StatusEvery: 300}
}

func newLockstep(c *cluster) *lockstep {
	l := &lockstep{c: c}
	c.medium, c.timing, c.now = l, lockstepTiming(), startMs
	return l
}

func (l *lockstep) carry(from *node, to int, m *message) {
	if !l.statuses {
		m.status = nil
	}
	for _, o := range l.c.nodes {
		if o == from || o.side != from.side || to != consensus.Everyone && o.self != to {
			continue
		}
		if l.loss > 0 && l.c.rng.IntN(1000) < l.loss {
			l.c.report.Lost++
			continue
		}
		l.inbox = append(l.inbox, delivery{o, o.life, m})
	}
}

func (l *lockstep) build(n *node, b *consensus.BuildRequest) {
	if int(b.View) > l.round {
		n.deferred = b
		return
	}
	n.build(b)
}

func (l *lockstep) work(_ *node, _ workKind, do func()) { do() }

func (l *lockstep) arm(*node, consensus.TimerRequest) {}

func (l *lockstep) reaches(from, to *node) bool { return from.side == to.side }

// drain delivers until nothing is under way.
func (l *lockstep) drain() {
	for count, next := 0, 0; next < len(l.inbox); next++ {
		if l.shuffled {
			k := next + l.c.rng.IntN(len(l.inbox)-next)
			l.inbox[next], l.inbox[k] = l.inbox[k], l.inbox[next]
		}
		d := l.inbox[next]
		if d.life == d.to.life {
			d.to.receive(d.m)
		}
		if count++; count > maxInRound {
			l.c.fail("more than %d messages in round %d: the machines do not come to rest", maxInRound, l.round)
		}
		if l.c.oracle.fault != nil {
			break
		}
	}
	l.inbox = l.inbox[:0]
}

// fire lets a timer run out, if it was armed for now or before.
func (l *lockstep) fire(n *node, id consensus.TimerID) {
	if at := n.deadlines[id]; n.up && at != 0 && at <= l.c.now {
		n.deadlines[id] = 0
		n.step(consensus.TimerFired{ID: id})
	}
}

// pace is how much of a round is played.
type pace uint8

const (
	hasty  pace = iota // the partition changes before any timer runs out
	steady             // one repetition, after the timers
	calm               // two more before the timers, which are that much longer than T_r
)

// play goes through one round.
func (l *lockstep) play(p pace) {
	start := l.c.now
	l.round++
	l.statuses = false
	for _, n := range l.c.nodes {
		if b := n.deferred; b != nil && n.up && int(b.View) <= l.round {
			n.deferred = nil
			n.build(b)
		}
	}
	l.drain()
	if p == calm {
		l.repeat(start.Add(calmRepeat))
		l.repeat(start.Add(2 * calmRepeat))
	}
	if p != hasty {
		l.c.now = start.Add(timersAfter)
		for _, n := range l.c.nodes {
			if n.up && int(n.machine.Status().View) <= l.round {
				l.fire(n, consensus.TimerLead)
				l.fire(n, consensus.TimerNotarize)
			}
		}
		l.drain()
	}
	l.repeat(start.Add(repeatAfter))
	l.c.now = start.Add(roundMs)
}

// repeat lets everyone tell its status and repeat what may be missing.
func (l *lockstep) repeat(at consensus.Time) {
	l.c.now = at
	l.statuses = true
	for _, n := range l.c.nodes {
		l.fire(n, consensus.TimerWork)
		l.fire(n, consensus.TimerRepeat)
	}
	l.drain()
	l.statuses = false
}

// heal takes the partition away and demands that every honest node makes a block final above all that was final, within
// healRounds rounds in which the highest view of honest nodes has an honest leader, and within mostRounds in any case.
func (l *lockstep) heal() {
	l.loss = 0
	for _, n := range l.c.nodes {
		n.side = 0
		n.boot()
	}
	goal := l.c.highest() + 1
	honest := 0
	for rounds := 0; l.c.oracle.fault == nil && l.c.lowest() < goal; rounds++ {
		if honest > healRounds || rounds > mostRounds {
			l.c.fail("no progress in %d rounds, %d of them with an honest leader, after the heal%s", rounds, honest, l.c.describe())
			return
		}
		if l.c.ledHonestly() {
			honest++
		}
		l.play(calm)
	}
	l.c.report.Rounds = honest
}

// ledHonestly reports whether the highest view of honest nodes has an honest leader.
func (c *cluster) ledHonestly() bool {
	var top quorum.View
	c.honest(func(n *node) { top = max(top, n.machine.Status().View) })
	return !c.w.faulty[c.w.slate.Leader(top)]
}
