package consensus

import (
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Bounds on what a machine keeps. Beyond each of them it drops what it can live without.
const (
	// maxOpenViews is the number of views above the ledger's tip that have a record. An old certificate that finds no
	// room is dropped; a view that must be entered and finds none halts the machine, after days without finality.
	maxOpenViews = 1 << 14
	// maxVoteViews is the number of views below the current one whose votes are still counted. Of older views only
	// certificates are accepted. Votes for a view above the next one are never kept.
	maxVoteViews = 64
	// evidenceViews is the number of views at and below the ledger's tip whose votes are kept to convict late cheats.
	evidenceViews = 16
	// maxFetchBlocks is how many blocks above the ledger's tip are fetched one by one; further ones are left to sync.
	maxFetchBlocks = 16
	// maxRepeatVotes is the number of own votes in one repetition, the newest first.
	maxRepeatVotes = 64
)

// record is what a machine knows about one view.
type record struct {
	view  quorum.View
	block block // the leader's first proposal, or what a certificate names instead of it

	tally        *quorum.Tally       // nil before the first vote and after maxVoteViews
	proposed     quorum.VerifiedVote // the leader's first proposal, as a statement
	equivocated  bool                // its second one was reported
	leaderGaveUp bool                // the leader nullified its own view

	notarization  *quorum.VerifiedCertificate
	nullification *quorum.VerifiedCertificate
	finalization  *quorum.VerifiedCertificate
	notarizedAt   Time

	// What this node did. Set when a vote is handed to the signer, so that no second one ever is.
	notarized   crypto.Hash
	exit        quorum.VoteKind // KindFinalize, KindNullify or zero
	own         []ownVote       // durable: what may be repeated
	buildFailed bool
	expired     bool // a timer of the view ran out

	waitFrom Time // since when a notarization was due; zero while the chain rests
	output   bool // the block is part of the ledger
}

// ownVote is a durable vote of this node and when it was last sent.
type ownVote struct {
	vote   quorum.VerifiedVote
	sentAt Time
}

// verdict is what the ledger says about a block. "Not yet known" is a verdict, and different from "invalid".
type verdict uint8

const (
	unasked verdict = iota // no proposal, or its parent is not known to be valid
	asked
	valid
	invalid
)

// block is the one block of a view that matters.
type block struct {
	hash      crypto.Hash
	height    quorum.Height
	header    *quorum.Header           // nil until the proposal is here
	learned   *quorum.Header           // of a tail: what came attached to its finalization, without the proposal
	proposal  *quorum.VerifiedProposal // let go with the verdict: the node keeps the payload
	verdict   verdict
	refusal   string // why it is invalid
	certified bool   // a certificate of it or of a final descendant names it: it replaces whatever the leader sent
	timely    bool   // it came when its time said so
	own       bool   // this node built it
	fetching  bool   // it was asked for
	emptyTail uint64
}

// present reports whether the proposal was received.
func (b *block) present() bool { return b.header != nil }

// head is the header as far as it is known; nil if it is not.
func (b *block) head() *quorum.Header {
	if b.header != nil {
		return b.header
	}
	return b.learned
}

// acceptable reports whether the leader has done its part in time, as far as is known.
func (b *block) acceptable() bool { return b.present() && b.timely && b.verdict != invalid }

// certificate returns what shows that the view's block is notarized; nil if nothing does.
func (r *record) certificate() *quorum.VerifiedCertificate {
	if r.notarization != nil {
		return r.notarization
	}
	return r.finalization
}

// slot returns the place of the certificate of a kind.
func (r *record) slot(kind quorum.VoteKind) **quorum.VerifiedCertificate {
	switch kind {
	case quorum.KindNotarize:
		return &r.notarization
	case quorum.KindFinalize:
		return &r.finalization
	default:
		return &r.nullification
	}
}

// search returns the place of a view in the records, which are sorted by view: a slice, not a map, so that every walk
// over them has one order.
func (m *Machine) search(v quorum.View) (int, bool) {
	return slices.BinarySearchFunc(m.records, v, func(r *record, v quorum.View) int {
		switch {
		case r.view < v:
			return -1
		case r.view > v:
			return 1
		}
		return 0
	})
}

// find returns the record of a view; nil if there is none.
func (m *Machine) find(v quorum.View) *record {
	if i, ok := m.search(v); ok {
		return m.records[i]
	}
	return nil
}

// open returns the record of a view above the ledger's tip, made if need be; nil when maxOpenViews are open.
func (m *Machine) open(v quorum.View) *record {
	i, ok := m.search(v)
	if ok {
		return m.records[i]
	}
	if v <= m.final.view || len(m.records)-m.firstOpen() >= m.maxOpen {
		return nil
	}
	r := &record{view: v}
	m.records = slices.Insert(m.records, i, r)
	return r
}

// firstOpen is the index of the first record above the ledger's tip.
func (m *Machine) firstOpen() int {
	i, _ := m.search(m.final.view + 1)
	return i
}

// openRecords are the records above the ledger's tip, by ascending view.
func (m *Machine) openRecords() []*record { return m.records[m.firstOpen():] }

// current is the record of the view the machine is in.
func (m *Machine) current() *record { return m.find(m.view) }

// prune forgets views that are over: all below the last evidenceViews of the ledger, and the payloads of the rest.
func (m *Machine) prune() {
	keep := quorum.View(0)
	if m.final.view > evidenceViews {
		keep = m.final.view - evidenceViews
	}
	i, _ := m.search(keep + 1)
	m.records = slices.Delete(m.records, 0, i)
	for _, r := range m.records[:m.firstOpen()] {
		r.block.proposal = nil
	}
}

// closeTallies lets go of the votes of views too far below the current one.
func (m *Machine) closeTallies() {
	if m.view <= maxVoteViews {
		return
	}
	last, _ := m.search(m.view - maxVoteViews)
	for _, r := range m.records[:last] {
		r.tally = nil
	}
}

// votesCounted reports whether votes of view v are kept: from maxVoteViews below to one above the current view, and
// not below the ledger's last evidenceViews; and those of the view whose certificate is missed most.
func (m *Machine) votesCounted(v quorum.View) bool {
	return v <= m.view+1 && (v+maxVoteViews >= m.view || v == m.missing) && v+evidenceViews > m.final.view
}
