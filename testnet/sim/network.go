package sim

import (
	"waybill/consensus/quorum"
	"waybill/node"
)

// deliver carries a message, or not. kind is that of the adversary who made it; kinds if nobody did.
func (w *world) deliver(from, to *member, msg []byte, kind Kind) {
	to = w.copyFor(from, to)
	if to == nil {
		return
	}
	w.report.Counts[CountMessages]++
	if w.cut(from, to) {
		w.report.Counts[CountCut]++
		return
	}
	copies := 1
	if !w.healed {
		if w.rng.IntN(100) < w.plan.Loss {
			w.report.Counts[CountLost]++
			return
		}
		if w.rng.IntN(100) < w.plan.Twice {
			w.report.Counts[CountRepeated]++
			copies = 2
		}
	}
	for range copies {
		at := w.now + w.delay()
		link := from.self*maxNodes + to.self
		if at < w.latest[link] {
			w.report.Counts[CountReordered]++
		}
		w.latest[link] = max(w.latest[link], at)
		w.queue.push(at, event{to: to, from: from, msg: msg, incarnation: to.incarnation, kind: kind})
	}
}

// arrive hands a message over.
func (w *world) arrive(e *event) error {
	if e.to.replica == nil || e.to.incarnation != e.incarnation || w.cut(e.from, e.to) {
		return nil
	}
	if e.kind < kinds && e.to.honest() {
		w.report.Reached[e.kind]++
	}
	if w.plan.Fork && e.to.honest() {
		w.oracle.witness(e.to, e.msg)
	}
	return e.to.receive(e.from, e.msg)
}

// announce carries the head of the chain to somebody who does not vote, as gossip does.
func (w *world) announce(from, to *member, h node.Head) {
	if w.cut(from, to) || !w.healed && w.rng.IntN(100) < w.plan.Loss {
		return
	}
	incarnation := to.incarnation
	w.after(w.delay(), func() error {
		if to.replica == nil || to.incarnation != incarnation || h.Certificate.Epoch < to.epoch.Number {
			return nil
		}
		if h.Certificate.Epoch > to.epoch.Number {
			return to.do(func(r *node.Replica) error { return r.HeadClaimed(from.peer, h.Certificate.Epoch, h.Header.Height) })
		}
		cert, err := quorum.VerifyCertificate(to.epoch.Domain, h.Certificate)
		if err != nil {
			return w.oracle.broken("%s announces block %d with a certificate that does not hold: %v", from.peer, h.Header.Height, err)
		}
		return to.do(func(r *node.Replica) error { return r.HeadAnnounced(from.peer, h.Header.Height, cert) })
	})
}

// turnMs is how often one validator after the other announces the last block again, as the shell does.
const turnMs = 2_000

func (w *world) announceInTurn() error {
	turn := int(w.now / turnMs)
	for _, m := range w.nodes {
		if m.replica == nil || !m.honest() || m.epoch.Self != turn%m.epoch.Domain.Set.Len() {
			continue
		}
		if last := m.disk.chain[len(m.disk.chain)-1]; last.cert != nil {
			m.Announce(node.Head{Header: last.header, Certificate: *last.cert})
		}
	}
	w.after(turnMs, w.announceInTurn)
	return nil
}

func (w *world) delay() int64 {
	if w.healed {
		return 1 + w.rng.Int64N(5)
	}
	return w.between(w.plan.DelayMs)
}

func (w *world) between(bounds [2]int64) int64 {
	return bounds[0] + w.rng.Int64N(bounds[1]-bounds[0]+1)
}

// copyFor is the copy of a node that another one talks to; nil if the two copies do not meet.
func (w *world) copyFor(from, to *member) *member {
	if from.twin == nil && to.twin == nil {
		return to
	}
	side := func(node int) int { return int(w.side() >> node & 1) }
	if from.twin != nil && to.twin != nil {
		if from.copy == 1 {
			return w.seconds[to.self]
		}
		return w.nodes[to.self]
	}
	if to.twin != nil {
		if side(from.self) == 1 {
			return w.seconds[to.self]
		}
		return w.nodes[to.self]
	}
	if side(to.self) != from.copy {
		return nil
	}
	return to
}

// side says who talks to which copy of twins now.
func (w *world) side() uint64 {
	at := w.now - startMs
	for w.nextSide+1 < len(w.plan.Sides) && w.plan.Sides[w.nextSide+1].AtMs <= at {
		w.nextSide++
	}
	if len(w.plan.Sides) == 0 {
		return 0
	}
	return w.plan.Sides[w.nextSide].Mask
}

// cut reports whether a partition keeps two nodes apart now.
func (w *world) cut(from, to *member) bool {
	if w.healed || w.plan.Fork && (from.actor != nil || to.actor != nil) {
		return false
	}
	at := w.now - startMs
	for i := range w.plan.Splits {
		s := &w.plan.Splits[i]
		if at < s.FromMs || at >= s.UntilMs || s.PeriodMs > 0 && (at-s.FromMs)/s.PeriodMs%2 == 1 {
			continue
		}
		if s.Shape == SplitRing {
			n := len(w.nodes)
			if gap := (from.self - to.self + n) % n; gap != 1 && gap != n-1 {
				return true
			}
			continue
		}
		far := s.Side>>from.self&1 == 1
		if far != (s.Side>>to.self&1 == 1) && !(s.OneWay && !far) {
			return true
		}
	}
	return false
}

// strange reports whether a node has no vote in the epoch that another one works in.
func (w *world) strange(to, from *member) bool {
	for _, p := range to.epoch.Peers {
		if p == from.peer {
			return false
		}
	}
	return true
}
