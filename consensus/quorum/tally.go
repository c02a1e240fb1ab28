package quorum

import (
	"fmt"

	"waybill/crypto"
)

// Tally counts the votes of one view, by power and never by heads. It is the only thing that does.
//
//  1. A validator's repeated vote counts once; the first copy stays.
//  2. Of each validator it holds at most two different votes of a kind. The second is a contradiction, reported as
//     evidence and still counted for its own block: every certificate is valid on its own signatures, and an honest
//     node must be able to follow the block that the others notarized with the help of a cheat.
//  3. Contradictions between kinds are reported, too; each pair once.
//
// So a tally holds at most six votes per validator, whatever arrives. It has one owner and no lock.
type Tally struct {
	domain Domain
	epoch  Epoch
	view   View
	held   [3][][]VerifiedVote // by kind from KindNotarize, by signer; at most two
	power  map[choice]Power
}

// choice is what votes of one view can agree on.
type choice struct {
	kind   VoteKind
	height Height
	block  crypto.Hash
}

func choiceOf(v *Vote) choice { return choice{v.Kind, v.Height, v.Block} }

// maxHeldPerKind is the number of different votes of one kind kept of one validator.
const maxHeldPerKind = 2

// NewTally makes the empty tally of a view.
func NewTally(d Domain, epoch Epoch, view View) *Tally {
	t := &Tally{domain: d, epoch: epoch, view: view, power: make(map[choice]Power)}
	for k := range t.held {
		t.held[k] = make([][]VerifiedVote, d.Set.Len())
	}
	return t
}

// Add counts a vote. added is false for a repetition and for a third different vote of a kind, which change nothing.
// evidence holds the contradictions that this vote completes, in the order in which the other votes came, by kind. It
// panics on a proposal and on a vote of another epoch or view: the caller keeps those apart.
func (t *Tally) Add(v VerifiedVote) (added bool, evidence []Evidence) {
	if v.vote.Kind < KindNotarize || v.vote.Kind > KindNullify || v.vote.Epoch != t.epoch || v.vote.View != t.view {
		panic(fmt.Sprintf("quorum: tally of epoch %d view %d given a %s of epoch %d view %d",
			t.epoch, t.view, v.vote.Kind, v.vote.Epoch, v.vote.View))
	}
	own := &t.held[v.vote.Kind-KindNotarize][v.vote.Signer]
	if len(*own) == maxHeldPerKind {
		return false, nil
	}
	for _, other := range *own {
		if choiceOf(&other.vote) == choiceOf(&v.vote) {
			return false, nil
		}
	}
	for k := range t.held {
		for _, other := range t.held[k][v.vote.Signer] {
			if e, contradict := contradiction(other.vote, v.vote); contradict {
				evidence = append(evidence, e)
			}
		}
	}
	*own = append(*own, v)
	t.power[choiceOf(&v.vote)] += t.domain.Set.At(int(v.vote.Signer)).Power
	return true, evidence
}

// Power is the power of the validators that voted so. A nullify has height 0 and the zero block.
func (t *Tally) Power(kind VoteKind, height Height, block crypto.Hash) Power {
	return t.power[choice{kind, height, block}]
}

// Reached reports whether the votes like v suffice for a certificate.
func (t *Tally) Reached(v Vote) bool { return t.power[choiceOf(&v)] >= t.domain.Set.Quorum() }

// Votes returns the votes like v, by signer.
func (t *Tally) Votes(v Vote) []VerifiedVote {
	var out []VerifiedVote
	if v.Kind < KindNotarize || v.Kind > KindNullify {
		return nil
	}
	for _, held := range t.held[v.Kind-KindNotarize] {
		for _, h := range held {
			if choiceOf(&h.vote) == choiceOf(&v) {
				out = append(out, h)
			}
		}
	}
	return out
}

// Of returns the votes of one kind by one validator: none, one, or two that contradict each other.
func (t *Tally) Of(kind VoteKind, signer int) []VerifiedVote {
	if kind < KindNotarize || kind > KindNullify || signer < 0 || signer >= t.domain.Set.Len() {
		return nil
	}
	return t.held[kind-KindNotarize][signer]
}

// Certificate makes the certificate of the votes like v; ErrPower when they do not suffice.
func (t *Tally) Certificate(v Vote) (VerifiedCertificate, error) {
	return Certify(t.domain, t.Votes(v))
}
