package consensus

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Machine is one validator's (or watcher's) part in the consensus of one epoch. It is not safe for concurrent use: one
// goroutine owns it.
//
// It works in two beats. An input is first absorbed: written into the records of the views it concerns, where a quorum
// becomes a certificate and a certificate moves the machine to a later view. Then settle tries every rule of the
// protocol on what is now known, by ascending view. A rule looks only at the state, never at the input, so that it does
// not matter in which order things arrived, or whether they came before or after a restart.
//
//  1. Nothing is handed to the signer unless it is later, in (view, step), than everything before it.
//  2. The views of a record, once final, are never changed again; lastFinal only grows.
//  3. A certified block replaces an uncertified one in its view; a certified block is never replaced.
type Machine struct {
	cfg     Config
	n       int
	maxOpen int // maxOpenViews, lower in tests

	// Where the machine is.
	now       Time
	started   bool
	view      quorum.View
	enteredAt Time
	admitted  *quorum.VerifiedCertificate // what moved it here; nil after a restart
	active    bool                        // there is something to do in this view: its timers were armed
	leadAt    Time                        // deadlines; zero means not armed
	notAt     Time
	repeatAt  Time
	workAt    Time
	repeats   int // repetitions since it entered

	// What it knows.
	records   []*record          // by ascending view
	final     tip                // end of the ledger
	top       quorum.Certificate // the highest finalization known; zero before the first
	topAt     Time
	peers     []peer
	pending   bool // own transactions wait
	missing   quorum.View
	behind    bool        // the ledger waits for sync
	syncAsked quorum.View // the finalization that sync was last asked for

	// What it did.
	signed   Watermark
	proposed quorum.View // the last view it asked to build in, or had a proposal of its own

	samples samples // how long views took

	halt     *Halt
	reported bool

	out Output // of the step under way
}

// tip is the end of the ledger.
type tip struct {
	view        quorum.View
	height      quorum.Height
	hash        crypto.Hash
	timeMs      int64
	emptyTail   uint64
	certificate *quorum.VerifiedCertificate // nil at the anchor
	over        bool                        // it is a closing block: the epoch has ended
}

// tipOf is the tip that a final block of the epoch makes.
func tipOf(h *quorum.Header, hash crypto.Hash, emptyTail uint64, certificate *quorum.VerifiedCertificate) tip {
	return tip{view: h.View, height: h.Height, hash: hash, timeMs: h.TimeMs, emptyTail: emptyTail, certificate: certificate, over: h.IsClosing()}
}

// peer is what is remembered about another validator: one status, whatever it sends.
type peer struct {
	status   Status
	known    bool
	servedAt Time
	askedAt  Time
	lastVote quorum.View // the highest view it was seen to vote in
}

// Step takes one input at local time now and returns what has to be done about it. After a Halt, and before Start, it
// ignores everything.
func (m *Machine) Step(now Time, in Input) Output {
	m.now = max(m.now, now)
	m.out = Output{}
	_, starting := in.(Start)
	if m.halt == nil && (m.started != starting) {
		m.absorbInput(in)
		m.settle()
	}
	out := m.out
	m.out = Output{}
	if m.halt != nil {
		out = m.lastOutput(out)
	}
	return out
}

// lastOutput is what remains of a step that halted: the reason, once, and the evidence.
func (m *Machine) lastOutput(out Output) Output {
	if m.reported {
		return Output{}
	}
	m.reported = true
	return Output{Halt: m.halt, Store: out.Store, Evidence: out.Evidence}
}

func (m *Machine) absorbInput(in Input) {
	switch in := in.(type) {
	case Start:
		m.start()
	case ProposalArrived:
		m.proposalArrived(in.Proposal)
	case VotesArrived:
		for _, v := range in.Votes {
			m.voteArrived(v)
		}
	case CertificateArrived:
		m.absorb(in.Certificate)
	case StatusArrived:
		m.statusArrived(in.From, in.Status)
	case TimerFired:
		m.timerFired(in.ID)
	case WorkChanged:
		m.pending = in.Pending
	case ProposalBuilt:
		m.proposalBuilt(in.Proposal)
	case BuildFailed:
		if in.View == m.view && m.leading() {
			m.current().buildFailed = true
		}
	case BlockValid:
		m.blockValid(in.View, in.Hash)
	case BlockInvalid:
		m.blockInvalid(in.View, in.Hash, in.Reason)
	case Synced:
		m.synced(in.Tip)
	case SignRefused:
		m.signRefused(in.Vote)
	}
}

// settle tries every rule on what is known. Ascending views let finalize(v) precede notarize(v+1), as the signer
// demands.
func (m *Machine) settle() {
	m.finishChain()
	if m.final.over {
		m.rest()
		return
	}
	for _, r := range m.openRecords() {
		m.tryValidate(r)
		m.tryNotarize(r)
		m.tryFinalize(r)
	}
	if m.halt != nil {
		return
	}
	parent, known := m.bestParent()
	m.tryGiveUp()
	m.tryActivate(parent, known)
	m.tryBuild(parent, known)
	m.fetchNew()
	m.scheduleRepeat()
}

// rest is all that remains when the epoch has ended: telling peers, by the status, and repairing those behind.
func (m *Machine) rest() {
	m.active, m.leadAt, m.notAt, m.workAt = false, 0, 0, 0
	m.missing, m.behind = 0, false
	if m.halt == nil {
		m.scheduleRepeat()
	}
}

// leader is the index of the validator that leads view v.
func (m *Machine) leader(v quorum.View) int { return m.cfg.Slate.Leader(v) }

// leading reports whether this node leads the current view.
func (m *Machine) leading() bool { return m.cfg.Self >= 0 && m.leader(m.view) == m.cfg.Self }

// stop halts the machine. The first reason stays.
func (m *Machine) stop(reason string, first, second *quorum.VerifiedCertificate) {
	if m.halt == nil {
		m.halt = &Halt{Reason: reason, First: first, Second: second}
	}
}

// stopForeign halts over a vote by this node's key that it knows nothing of.
func (m *Machine) stopForeign(who string, c *quorum.VerifiedCertificate) {
	if m.halt == nil {
		m.stop(who+ErrForeignVote.Error()+": another process signs with the same key, or the record of what this node signed was deleted", c, nil)
		m.halt.cause = ErrForeignVote
	}
}

// Status returns what to tell peers about this node now. It goes with every message.
func (m *Machine) Status() Status {
	return Status{
		Epoch: m.cfg.Epoch, View: m.view, FinalHeight: m.final.height, FinalView: m.topView(),
		Missing: m.missing, HasWork: m.pending,
	}
}

// topView is the highest view known to be final.
func (m *Machine) topView() quorum.View { return max(m.top.View, m.final.view) }

// Nullification returns the nullification of a view if the machine holds it. A proposal that had to leave out
// certificates, because it skips more than [quorum.MaxSkip] views, is verified with it: see
// [quorum.VerifyProposalHolding].
func (m *Machine) Nullification(v quorum.View) (quorum.VerifiedCertificate, bool) {
	if r := m.find(v); r != nil && r.nullification != nil {
		return *r.nullification, true
	}
	return quorum.VerifiedCertificate{}, false
}

// Snapshot is a copy of what a status page shows.
type Snapshot struct {
	Epoch       quorum.Epoch
	View        quorum.View
	Leader      int // of View
	EnteredAt   Time
	FinalView   quorum.View
	FinalHeight quorum.Height
	FinalHash   crypto.Hash
	Timeout     Duration      // D at present
	Active      bool          // the view's timers run: there is work
	OpenViews   int           // views above the ledger's tip that it keeps a record of
	PeerViews   []quorum.View // the view each validator last said it is in; 0 unknown
	Over        bool          // a closing block is final: nothing will be signed, built or output any more
	Halted      *Halt
}

// Snapshot returns the state for a status page.
func (m *Machine) Snapshot() Snapshot {
	s := Snapshot{
		Epoch: m.cfg.Epoch, View: m.view, Leader: m.leader(m.view), EnteredAt: m.enteredAt,
		FinalView: m.final.view, FinalHeight: m.final.height, FinalHash: m.final.hash,
		Timeout: m.delay(), Active: m.active, OpenViews: len(m.openRecords()), Over: m.final.over, Halted: m.halt,
	}
	for _, p := range m.peers {
		s.PeerViews = append(s.PeerViews, p.status.View)
	}
	return s
}
