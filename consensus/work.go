package consensus

import "waybill/consensus/quorum"

// work reports whether there is a reason to make a block now: transactions wait here, or at peers with the power of at
// least one honest one; a closing block is not final; a state root is not certified; a finality is unfinished; or the
// last block is too old. Otherwise
// later is when time alone will be a reason, 0 for never.
func (m *Machine) work(p parent, known bool) (now bool, later Time) {
	if m.pending || m.peersHaveWork() || known && !p.closing.IsZero() {
		return true, 0
	}
	if !known {
		return false, 0
	}
	if p.emptyTail < m.cfg.ExecDelay {
		return true, 0
	}
	if m.unfinished(p) {
		// Whoever gave a view up after that block has waited his 3D. Ours may be longer, and our view is his to end.
		if m.view > p.view+1 {
			return true, 0
		}
		later = p.notarizedAt.Add(3 * m.delay())
	}
	if i := m.cfg.Timing.MaxBlockInterval; i > 0 {
		if beat := Time(p.timeMs).Add(i); later == 0 || beat < later {
			later = beat
		}
	}
	return later > 0 && m.now >= later, later
}

// unfinished reports whether a block that carries transactions, or the root after one, is not final: its finalize votes
// and its nullify votes may have split, and only a later block can take it along.
func (m *Machine) unfinished(p parent) bool {
	return p.height+quorum.Height(m.cfg.ExecDelay) > m.final.height+quorum.Height(p.emptyTail)
}

// peersHaveWork reports whether validators of at least blocking power say that they hold transactions. Less could all
// be lying.
func (m *Machine) peersHaveWork() bool {
	var power quorum.Power
	for i, p := range m.peers {
		if p.known && p.status.HasWork {
			power += m.cfg.Domain.Set.At(i).Power
		}
	}
	return power >= m.cfg.Domain.Set.Blocking()
}

// watchWork arms the timer for the moment at which time alone makes work.
func (m *Machine) watchWork(later Time) {
	if later > m.now && later != m.workAt {
		m.workAt = later
		m.arm(TimerWork, later)
	}
}
