package quorum

import (
	"errors"
	"fmt"
	"testing"

	"waybill/crypto"
)

// TestOffences goes through every pair of kinds, with equal and with different blocks.
func TestOffences(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	type pair struct {
		a, b VoteKind
		same bool
	}
	want := map[pair]Offence{
		{KindProposal, KindProposal, false}: ProposerEquivocation,
		{KindNotarize, KindNotarize, false}: DoubleVote,
		{KindFinalize, KindFinalize, false}: DoubleVote,
		{KindNotarize, KindFinalize, false}: NotarizeFinalizeConflict,
		{KindFinalize, KindNullify, false}:  ExitConflict,
		{KindFinalize, KindNullify, true}:   ExitConflict,
	}
	kinds := []VoteKind{KindProposal, KindNotarize, KindFinalize, KindNullify}
	for i, a := range kinds {
		for _, b := range kinds[i:] {
			for _, same := range []bool{true, false} {
				name := map[bool]string{true: "x", false: "y"}[same]
				x, y := n.vote(a, 5, "x", 2), n.vote(b, 5, name, 2)
				votes := n.verified(t, x, y)
				got, err := NewEvidence(votes[0], votes[1])
				offence, guilty := want[pair{a, b, same}]
				if !guilty {
					if !errors.Is(err, ErrNoOffence) {
						t.Errorf("%s and %s, same block %v: got %v, %v", a, b, same, got.Offence, err)
					}
					continue
				}
				if err != nil || got.Offence != offence {
					t.Errorf("%s and %s, same block %v: got %v, %v, want %v", a, b, same, got.Offence, err, offence)
					continue
				}
				swapped, err := NewEvidence(votes[1], votes[0])
				if err != nil || swapped != got || string(swapped.Encode()) != string(got.Encode()) || swapped.ID() != got.ID() {
					t.Errorf("%s and %s: the order of the votes shows", a, b)
				}
				if err := got.Verify(n.Domain); err != nil || got.Signer() != 2 {
					t.Errorf("%s and %s: %v", a, b, err)
				}
				back, err := DecodeEvidence(got.Encode())
				if err != nil || back != got || len(got.Encode()) != EvidenceSize {
					t.Errorf("%s and %s: round trip: %v", a, b, err)
				}
			}
		}
	}
}

// TestHeightIsPartOfTheStatement: one block at two heights is two statements.
func TestHeightIsPartOfTheStatement(t *testing.T) {
	n := newNetwork(t, 1, 1)
	a := n.vote(KindNotarize, 5, "x", 1)
	b := a
	b.Height++
	v := n.verified(t, a, n.sign(b))
	if e, err := NewEvidence(v[1], v[0]); err != nil || e.Offence != DoubleVote || e.First != a {
		t.Errorf("got %v, %v", e.Offence, err)
	}
}

func TestNoOffenceAcrossViewsEpochsAndSigners(t *testing.T) {
	n := newNetwork(t, 1, 1, 1, 1)
	a := n.vote(KindNotarize, 5, "x", 1)
	epoch := a
	epoch.Epoch, epoch.Block = 2, block("y")
	for name, b := range map[string]Vote{
		"view":      n.vote(KindNotarize, 6, "y", 1),
		"validator": n.vote(KindNotarize, 5, "y", 2),
		"epoch":     n.sign(epoch),
		"nothing":   a,
	} {
		v := n.verified(t, a, b)
		if e, err := NewEvidence(v[0], v[1]); !errors.Is(err, ErrNoOffence) {
			t.Errorf("another %s: %v, %v", name, e.Offence, err)
		}
	}
}

// resigned is another valid signature by the same key over the same statement, as only its owner can make.
func (n *network) resigned(t *testing.T, v Vote) Vote {
	t.Helper()
	for nonce := range 100 {
		// A vote for another set of the same keys is no other signature here, so sign with a nonce of our own.
		if s, ok := signWithNonce(n.keys[v.Signer], v.Digest(n.Domain), nonce); ok && s != v.Signature {
			v.Signature = s
			return v
		}
	}
	t.Fatal("no second signature")
	return v
}

// TestEvidenceComparesStatementsNotBytes: a second signature over one statement frames nobody and makes no second
// offence.
func TestEvidenceComparesStatementsNotBytes(t *testing.T) {
	n := newNetwork(t, 1, 1, 1, 1)
	a, b := n.vote(KindNotarize, 5, "x", 1), n.vote(KindNotarize, 5, "y", 1)
	again := n.resigned(t, a)
	v := n.verified(t, a, b, again)
	if e, err := NewEvidence(v[0], v[2]); !errors.Is(err, ErrNoOffence) {
		t.Errorf("two signatures over one statement: %v, %v", e.Offence, err)
	}
	e1, _ := NewEvidence(v[0], v[1])
	e2, err := NewEvidence(v[1], v[2])
	if err != nil || e1.ID() != e2.ID() {
		t.Errorf("one offence has two names: %v", err)
	}
}

func TestEvidenceCorruptions(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	v := n.verified(t, n.vote(KindNotarize, 5, "x", 1), n.vote(KindFinalize, 5, "y", 1), n.vote(KindNotarize, 5, "z", 2))
	good, err := NewEvidence(v[0], v[1])
	if err != nil {
		t.Fatal(err)
	}
	with := func(f func(e *Evidence)) Evidence {
		e := good
		f(&e)
		return e
	}
	for name, c := range map[string]struct {
		e    Evidence
		kind ErrorKind
	}{
		"swapped":             {with(func(e *Evidence) { e.First, e.Second = e.Second, e.First }), ErrForm},
		"another offence":     {with(func(e *Evidence) { e.Offence = DoubleVote }), ErrForm},
		"offence 0":           {with(func(e *Evidence) { e.Offence = 0 }), ErrForm},
		"the same vote twice": {with(func(e *Evidence) { e.Second = e.First }), ErrNoOffence},
		"two validators":      {with(func(e *Evidence) { e.Second.Signer = 2 }), ErrNoOffence},
		"both framed":         {with(func(e *Evidence) { e.First.Signer, e.Second.Signer = 2, 2 }), ErrSignature},
		"stranger":            {with(func(e *Evidence) { e.First.Signer, e.Second.Signer = 4, 4 }), ErrSigner},
		"first unsigned":      {with(func(e *Evidence) { e.First.Signature = crypto.Signature{} }), ErrSignature},
		"second unsigned":     {with(func(e *Evidence) { e.Second.Signature = e.First.Signature }), ErrSignature},
		"invented block":      {with(func(e *Evidence) { e.Second.Block[0] ^= 1 }), ErrSignature},
		"malformed vote":      {with(func(e *Evidence) { e.First.View, e.Second.View = 0, 0 }), ErrForm},
	} {
		if err := c.e.Verify(n.Domain); !errors.Is(err, c.kind) {
			t.Errorf("%s: got %v, want %v", name, err, c.kind)
		}
		_, err := DecodeEvidence(c.e.Encode())
		if form := c.kind == ErrForm || c.kind == ErrNoOffence; form != (err != nil) {
			t.Errorf("%s: decoding gave %v", name, err)
		}
	}
	other := n.Domain
	other.Genesis[0] ^= 1
	if err := good.Verify(other); !errors.Is(err, ErrSignature) {
		t.Errorf("on another network: %v", err)
	}
}

func TestEvidenceVectors(t *testing.T) {
	type vector struct {
		Offence string
		ID      crypto.Hash
		Bytes   string
	}
	n := newNetwork(t, 1, 2, 3, 10)
	var vectors []vector
	for _, p := range [][2]Vote{
		{n.vote(KindProposal, 5, "x", 0), n.vote(KindProposal, 5, "y", 0)},
		{n.vote(KindNotarize, 5, "x", 1), n.vote(KindNotarize, 5, "y", 1)},
		{n.vote(KindFinalize, 5, "x", 1), n.vote(KindFinalize, 5, "y", 1)},
		{n.vote(KindNotarize, 5, "x", 2), n.vote(KindFinalize, 5, "y", 2)},
		{n.vote(KindFinalize, 5, "x", 3), n.vote(KindNullify, 5, "", 3)},
	} {
		v := n.verified(t, p[0], p[1])
		e, err := NewEvidence(v[0], v[1])
		if err != nil {
			t.Fatal(err)
		}
		vectors = append(vectors, vector{e.Offence.String(), e.ID(), fmt.Sprintf("%x", e.Encode())})
	}
	golden(t, "evidence", compact(vectors))
}
