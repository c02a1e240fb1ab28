package quorum

import (
	"bytes"
	"fmt"

	"waybill/crypto"
)

// Offence is what two votes of one validator in one view prove. An honest signer never gives such a pair, whatever
// crashes, restarts or delays it lives through.
type Offence uint8

// The offences.
const (
	DoubleVote               Offence = 1 + iota // two notarize, or two finalize, of different blocks
	ExitConflict                                // nullify and finalize
	NotarizeFinalizeConflict                    // notarize of one block and finalize of another
	ProposerEquivocation                        // two proposals
)

// String is the offence in words.
func (o Offence) String() string {
	switch o {
	case DoubleVote:
		return "double vote"
	case ExitConflict:
		return "nullify and finalize"
	case NotarizeFinalizeConflict:
		return "notarize and finalize of different blocks"
	case ProposerEquivocation:
		return "two proposals"
	}
	return fmt.Sprintf("Offence(%d)", uint8(o))
}

// Evidence is two contradicting votes of one validator in canonical order (by kind, then height, then block), so that
// its bytes are a function of the two votes and of nothing else: not of who saw them, when, or in which order.
type Evidence struct {
	Offence Offence
	First   Vote
	Second  Vote
}

// EvidenceSize is the length of encoded evidence in bytes.
const EvidenceSize = 1 + 2*VoteSize

// NewEvidence returns the evidence that two votes are, or an error of kind ErrNoOffence. Two signatures over one
// statement are no offence: the statement counts, not the bytes.
func NewEvidence(a, b VerifiedVote) (Evidence, error) { return pairEvidence(a.vote, b.vote) }

// pairEvidence does not look at signatures.
func pairEvidence(a, b Vote) (Evidence, error) {
	if a.Epoch != b.Epoch || a.View != b.View || a.Signer != b.Signer {
		return Evidence{}, refuse(ErrNoOffence, "votes of different epochs, views or validators")
	}
	e, ok := contradiction(a, b)
	if !ok {
		return Evidence{}, refuse(ErrNoOffence, "%s and %s of validator %d in view %d do not contradict each other", a.Kind, b.Kind, a.Signer, a.View)
	}
	return e, nil
}

// contradiction expects two votes of one validator and view.
func contradiction(a, b Vote) (Evidence, bool) {
	if compareStatements(&a, &b) > 0 {
		a, b = b, a
	}
	offence, ok := offenceOf(&a, &b)
	return Evidence{Offence: offence, First: a, Second: b}, ok
}

// compareStatements orders votes of one validator and view by kind, height and block.
func compareStatements(a, b *Vote) int {
	if a.Kind != b.Kind {
		return int(a.Kind) - int(b.Kind)
	}
	if a.Height != b.Height {
		if a.Height < b.Height {
			return -1
		}
		return 1
	}
	return bytes.Compare(a.Block[:], b.Block[:])
}

// offenceOf expects votes of one validator and view in canonical order.
func offenceOf(a, b *Vote) (Offence, bool) {
	different := a.Height != b.Height || a.Block != b.Block
	switch {
	case a.Kind == KindFinalize && b.Kind == KindNullify:
		return ExitConflict, true
	case !different:
		return 0, false
	case a.Kind == KindProposal && b.Kind == KindProposal:
		return ProposerEquivocation, true
	case a.Kind == KindNotarize && b.Kind == KindFinalize:
		return NotarizeFinalizeConflict, true
	case a.Kind == b.Kind && (a.Kind == KindNotarize || a.Kind == KindFinalize):
		return DoubleVote, true
	}
	return 0, false
}

// Signer is the index of the offender in the set of Epoch.
func (e Evidence) Signer() uint16 { return e.First.Signer }

// ID names the offence by its two statements. Signatures are not part of it: the offender could make others.
func (e Evidence) ID() crypto.Hash {
	b := []byte{byte(e.Offence)}
	b = e.First.appendContent(b)
	return crypto.Sum(crypto.TagEvidence, e.Second.appendContent(b))
}

// Verify checks form, canonical order, the contradiction and both signatures. Errors are of kind ErrForm,
// ErrNoOffence, ErrSigner or ErrSignature.
func (e Evidence) Verify(d Domain) error {
	if err := e.checkForm(); err != nil {
		return err
	}
	for _, r := range VerifyVotes(d, []Vote{e.First, e.Second}) {
		if r.Err != nil {
			return fmt.Errorf("evidence against validator %d: %w", e.Signer(), r.Err)
		}
	}
	return nil
}

func (e *Evidence) checkForm() error {
	for _, v := range []*Vote{&e.First, &e.Second} {
		if err := v.checkForm(); err != nil {
			return err
		}
	}
	want, err := pairEvidence(e.First, e.Second)
	if err != nil {
		return err
	}
	if want != *e {
		return refuse(ErrForm, "evidence of %q is not in canonical order or names another offence", want.Offence)
	}
	return nil
}

// Encode writes the offence and the two votes.
func (e Evidence) Encode() []byte {
	b := append(make([]byte, 0, EvidenceSize), byte(e.Offence))
	return e.Second.append(e.First.append(b))
}

// DecodeEvidence accepts exactly what Encode writes for well-formed evidence in canonical order.
func DecodeEvidence(b []byte) (Evidence, error) {
	r := reader{crypto.ReadFields(b)}
	e := Evidence{Offence: Offence(r.U8()), First: r.vote(), Second: r.vote()}
	if err := r.done("piece of evidence"); err != nil {
		return Evidence{}, err
	}
	if err := e.checkForm(); err != nil {
		return Evidence{}, err
	}
	return e, nil
}
