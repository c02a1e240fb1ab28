package signer

import (
	"cmp"
	"fmt"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Mark is a place in the order in which a validator votes. The zero Mark is before everything; step 0 is before the votes
// of its view. Example: {2, 7, 1} is the notarize of view 7 in epoch 2.
type Mark struct {
	Epoch quorum.Epoch `json:"epoch"`
	View  quorum.View  `json:"view"`
	Step  uint8        `json:"step"` // 1 notarize, 2 finalize or nullify
}

// The steps of a view.
const (
	stepNotarize = 1
	stepExit     = 2
)

// Less reports whether m comes before other.
func (m Mark) Less(other Mark) bool { return m.compare(other) < 0 }

func (m Mark) compare(o Mark) int {
	return cmp.Or(cmp.Compare(m.Epoch, o.Epoch), cmp.Compare(m.View, o.View), cmp.Compare(m.Step, o.Step))
}

// String is for people.
func (m Mark) String() string {
	return fmt.Sprintf("epoch %d view %d step %d", m.Epoch, m.View, m.Step)
}

func later(a, b Mark) Mark {
	if a.Less(b) {
		return b
	}
	return a
}

// MarkOf is the place of a vote; its step is 0 for a proposal, which has a mark of its own.
func MarkOf(v quorum.Vote) Mark {
	m := Mark{Epoch: v.Epoch, View: v.View}
	switch v.Kind {
	case quorum.KindNotarize:
		m.Step = stepNotarize
	case quorum.KindFinalize, quorum.KindNullify:
		m.Step = stepExit
	}
	return m
}

// Slot is a place in the order in which a validator proposes: once in a view. The zero Slot is before everything.
type Slot struct {
	Epoch quorum.Epoch `json:"epoch"`
	View  quorum.View  `json:"view"`
}

// Less reports whether s comes before other.
func (s Slot) Less(other Slot) bool {
	return cmp.Or(cmp.Compare(s.Epoch, other.Epoch), cmp.Compare(s.View, other.View)) < 0
}

// String is for people.
func (s Slot) String() string { return fmt.Sprintf("epoch %d view %d", s.Epoch, s.View) }

func laterSlot(a, b Slot) Slot {
	if a.Less(b) {
		return b
	}
	return a
}

// Request asks for one signature: of a vote of any kind, a proposal (quorum.Header.Statement) included. Vote.Signature is
// ignored; Vote.Signer is remembered and not signed.
type Request struct {
	ValidatorSet crypto.Hash
	Vote         quorum.Vote
}

// Answer is about one request: Signature when Refused is nil. A refusal is of kind ErrRefused.
type Answer struct {
	Signature crypto.Signature
	Refused   error
}

// SignedVote is a vote with its signature, and the set whose hash the signature covers.
type SignedVote struct {
	ValidatorSet crypto.Hash
	Vote         quorum.Vote
}

// same reports whether both are one statement, so that they have one digest. Signer and Signature do not count.
func (s SignedVote) same(r Request) bool {
	a, b := s.Vote, r.Vote
	return s.ValidatorSet == r.ValidatorSet && a.Kind == b.Kind && a.Epoch == b.Epoch && a.View == b.View && a.Height == b.Height && a.Block == b.Block
}

// sameBallot reports whether a validator may sign only one of the two.
func sameBallot(a, b quorum.Vote) bool {
	return a.Epoch == b.Epoch && a.View == b.View && MarkOf(a).Step == MarkOf(b).Step
}

// MaxRecent is how many signatures a signer remembers, the newest; ten views or so.
const MaxRecent = 24

// State is what a signer knows of its past.
type State struct {
	Genesis crypto.Hash
	Key     crypto.PublicKey

	Mark     Mark // the last vote
	Proposed Slot // the last proposal

	// Ceiling and ProposedCeiling bound what may have been signed when the file was not closed in order: Mark and
	// Proposed are exact when they are equal to them.
	Ceiling         Mark
	ProposedCeiling Slot

	// Since: every vote above it is in Recent. Raised is the highest mark that was set by a decision, not by signing.
	Since, Raised Mark
	Recent        []SignedVote // oldest first, proposals among them
}

// exact reports whether Mark and Proposed are certainly the last things signed.
func (s *State) exact() bool { return !s.Mark.Less(s.Ceiling) && !s.Proposed.Less(s.ProposedCeiling) }

// Known is what a node's journal holds, for [Signer.Reconcile].
type Known struct {
	Epoch    quorum.Epoch // the node is in: nothing below is signed any more
	Mark     Mark         // of the last vote in the journal, of whatever epoch
	Proposed Slot
	Votes    []SignedVote // the last ones, ascending; of them MaxRecent are used
	New      bool         // the journal was made just now: it never stood beside a signer
}

// Signer signs for one validator key. Errors of Sign and State mean that nothing was signed; of kind ErrUnavailable: it
// may work later; of any other kind: it never will, until the process starts again.
type Signer interface {
	PublicKey() crypto.PublicKey
	// State is a copy of what the signer remembers.
	State() (State, error)
	// Reconcile compares the signer with the journal of the node, at the node's start and at each new epoch. After a
	// crash it is what tells a File its exact mark. Errors of kind ErrOldSigner, ErrOldJournal and ErrConflict forbid
	// signing.
	Reconcile(Known) error
	// Sign answers each request, in order; what it signs is remembered before it returns.
	Sign([]Request) ([]Answer, error)
}

// check holds the journal against the state and reports whether the mark must be raised to the journal's.
//
// The journal's last vote is on its disk before it leaves, the signer's before the journal's. So after a crash
//   - the signer may be ahead by what was signed last. That never left, and the signer repeats it on request and signs
//     nothing else in its place; it knows all of it, or else the journal is older than what has left: ErrOldJournal.
//   - the journal may be ahead of a File with a reserve, whose last unsynced writes were lost, but not of the ceiling,
//     which was synced before anything below it was signed; else the file is an old copy: ErrOldSigner.
func (s *State) check(k Known, ready bool) (raise bool, err error) {
	if s.Ceiling.Less(k.Mark) || s.ProposedCeiling.Less(k.Proposed) {
		return false, refuse(ErrOldSigner, "the journal's last vote is %s (proposal %s), the signer's file ends at %s (proposal %s): it is an old copy. "+
			"Put the newest copy back; if it is lost, remove the old one and %s", k.Mark, k.Proposed, s.Ceiling, s.ProposedCeiling, recoverAdvice)
	}
	if k.New && !ready && (Mark{}).Less(s.Mark) {
		// What the file lost with the power only the journal knew.
		return false, refuse(ErrOldJournal, "the signer was not closed in order, and the journal beside it is new, so nobody knows what was signed between %s and %s. "+
			"Put the data folder back; if it is lost, %s", s.Mark, s.Ceiling, recoverAdvice)
	}
	begin := Mark{Epoch: k.Epoch}
	if covered := later(later(k.Mark, s.Raised), begin); covered.Less(s.Since) {
		return false, refuse(ErrOldJournal, "the signer has signed up to %s, the journal ends at %s: the data folder is an old copy. "+
			"Put the newest copy back; if it is lost, %s", s.Mark, k.Mark, recoverAdvice)
	}
	for _, v := range k.Votes {
		for _, r := range s.Recent {
			if sameBallot(v.Vote, r.Vote) && !r.same(Request(v)) {
				return false, refuse(ErrConflict, "in %s the journal holds a %s of %s and the signer a %s of %s: %s",
					MarkOf(v.Vote), v.Vote.Kind, v.Vote.Block.Short(), r.Vote.Kind, r.Vote.Block.Short(), stopOther)
			}
		}
	}
	return !ready || s.Mark.Less(k.Mark) || s.Proposed.Less(k.Proposed), nil
}

// raise takes over what the journal knows, after check allowed it: from then on Mark and Proposed are exact, or in an
// epoch that is over, of which the journal may have dropped its records.
func (s *State) raise(k Known) {
	s.Mark = later(s.Mark, later(k.Mark, Mark{Epoch: k.Epoch}))
	s.Proposed = laterSlot(s.Proposed, laterSlot(k.Proposed, Slot{Epoch: k.Epoch}))
	s.Since = later(s.Since, k.Mark) // what is below is in the journal
	for _, v := range k.Votes {
		if s.find(v.Vote) == nil {
			s.remember(v)
		}
	}
	s.Ceiling, s.ProposedCeiling = s.Mark, s.Proposed
}

// decide moves the marks without a signature.
func (s *State) decide(m Mark, p Slot) {
	s.Mark, s.Proposed = later(s.Mark, m), laterSlot(s.Proposed, p)
	s.Since, s.Raised = later(s.Since, m), later(s.Raised, m)
}

// find returns the remembered vote for the ballot of v.
func (s *State) find(v quorum.Vote) *SignedVote {
	for i := len(s.Recent) - 1; i >= 0; i-- {
		if sameBallot(s.Recent[i].Vote, v) {
			return &s.Recent[i]
		}
	}
	return nil
}

// remember keeps a signature, in the order of the votes, and forgets the first one when there are too many.
func (s *State) remember(v SignedVote) {
	at := len(s.Recent)
	for at > 0 && MarkOf(v.Vote).Less(MarkOf(s.Recent[at-1].Vote)) {
		at--
	}
	s.Recent = slices.Insert(s.Recent, at, v)
	if len(s.Recent) <= MaxRecent {
		return
	}
	if first := s.Recent[0].Vote; first.Kind != quorum.KindProposal {
		s.Since = later(s.Since, MarkOf(first))
	}
	s.Recent = slices.Delete(s.Recent, 0, 1)
}
