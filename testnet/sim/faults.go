package sim

import (
	"errors"
	"maps"
	"slices"

	"waybill/consensus/quorum"
	"waybill/node/signer"
)

// countFaults counts what the plan holds from the start.
func (w *world) countFaults() {
	c := &w.report.Counts
	for _, s := range w.plan.Splits {
		switch {
		case s.Shape == SplitRing:
			c[CountSplitRing]++
		case s.Side != 0 && s.Side&(s.Side-1) == 0:
			c[CountSplitOne]++
		default:
			c[CountSplitAny]++
		}
		if s.PeriodMs > 0 {
			c[CountFlapping]++
		}
		if s.OneWay {
			c[CountOneWay]++
		}
	}
	for _, k := range w.plan.Clocks {
		if k.OffsetMs > 400 || k.OffsetMs < -400 {
			c[CountOffsets]++
		}
		if k.DriftPpm != 0 {
			c[CountDrifts]++
		}
	}
}

// crash stops a node, or makes its disk fail, which stops it.
func (w *world) crash(c Crash) error {
	m := w.nodes[c.Node]
	if m.replica == nil || !m.honest() && c.Fault != FaultCrash {
		return nil
	}
	back := func() { w.after(c.ForMs, m.bootIfDown) }
	switch c.Fault {
	case FaultWrite:
		m.disk.fault = diskNoWrite
		w.after(c.ForMs, func() error { m.disk.fault = diskWell; return nil })
		return nil
	case FaultSync:
		m.disk.fault = diskNoSync
		w.after(c.ForMs, func() error { m.disk.fault = diskWell; return nil })
		return nil
	case FaultFull:
		m.disk.fault = diskFull
		w.after(c.ForMs, func() error { m.disk.fault = diskWell; return nil })
		return nil
	}
	if c.Fault == FaultOldJournal {
		c.Keep = 100 // the signer's file must be as it was
	}
	m.halt(c.Keep)
	w.report.Counts[CountCrashes]++
	switch c.Fault {
	case FaultWipe:
		w.report.Counts[CountWiped]++
		m.disk = newDisk(m.disk.chain[0])
	case FaultNoSigner:
		w.report.Counts[CountMute]++
		m.disk.signer = slots{}
	case FaultOldSigner:
		w.report.Counts[CountMute]++
		m.disk.signer, m.restored = m.oldFile.copy(), true
	case FaultOldJournal:
		w.report.Counts[CountMute]++
		m.disk.data, m.disk.chain = maps.Clone(m.oldData), m.disk.chain[:m.oldChain]
		m.restored = true
	}
	back()
	return nil
}

// backup copies what a later fault restores.
func (m *member) backup() {
	m.oldFile = m.disk.signer.copy()
	m.oldData, m.oldChain = maps.Clone(m.disk.data), len(m.disk.chain)
}

// diskFailed stops a node whose disk failed, and starts it again later.
func (w *world) diskFailed(m *member) {
	switch m.disk.fault {
	case diskNoWrite:
		w.report.Counts[CountWriteFail]++
	case diskNoSync:
		w.report.Counts[CountSyncFail]++
	case diskFull:
		w.report.Counts[CountFull]++
	}
	m.halt(w.rng.IntN(101))
	m.disk.failed = false
	w.after(50+w.rng.Int64N(300), m.bootIfDown)
}

// openSigner is the node's signer; nil if it must not sign any more. The file is made when the node first starts.
func (m *member) openSigner() (signer.Signer, error) {
	if m.actor != nil {
		return careless{m}, nil
	}
	if !m.created {
		if err := signer.Create(signerFile{m.disk}, m.w.cfg.Genesis, m.public); err != nil {
			return nil, err
		}
		m.created = true
	}
	f, err := signer.Open(signerFile{m.disk}, signer.Options{
		Genesis: m.w.cfg.Genesis, Key: m.key, Reserve: signer.NodeReserve, Sign: keyedHash{}.Sign,
	})
	if refusesToSign(err) {
		return nil, nil
	}
	return f, err
}

// refusesToSign reports whether an error is one of those that a node with lost or old records must get.
func refusesToSign(err error) bool {
	kinds := []signer.ErrKind{signer.ErrMissing, signer.ErrOldSigner, signer.ErrOldJournal, signer.ErrDamaged, signer.ErrConflict}
	return slices.ContainsFunc(kinds, func(k signer.ErrKind) bool { return errors.Is(err, k) })
}

// slate is who leads which view of the electorate's epoch.
func (e *electorate) slate() *quorum.Slate {
	if e.leaders == nil {
		e.leaders = quorum.NewSlate(e.set, e.anchor.hash)
	}
	return e.leaders
}
