package quorum

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"waybill/crypto"
)

func TestTallyCountsPowerOnce(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10) // Q = 11
	tally := NewTally(n.Domain, 1, 5)
	add := func(v Vote) (bool, int) {
		added, evidence := tally.Add(n.verified(t, v)[0])
		return added, len(evidence)
	}
	weak := []Vote{n.vote(KindNotarize, 5, "b", 1), n.vote(KindNotarize, 5, "b", 2), n.vote(KindNotarize, 5, "b", 3)}
	for _, v := range weak {
		if added, evidence := add(v); !added || evidence != 0 {
			t.Fatalf("vote of %d: %v, %d", v.Signer, added, evidence)
		}
	}
	for range 10 {
		for _, v := range weak {
			if added, _ := add(v); added {
				t.Fatal("a vote counted twice")
			}
		}
	}
	if p := tally.Power(KindNotarize, 5, block("b")); p != 6 || tally.Reached(weak[0]) {
		t.Errorf("three weak of four have power %d, reached %v", p, tally.Reached(weak[0]))
	}
	if _, err := tally.Certificate(weak[0]); !errors.Is(err, ErrPower) {
		t.Errorf("a certificate below the quorum: %v", err)
	}
	add(n.vote(KindNotarize, 5, "b", 0))
	if !tally.Reached(weak[0]) || tally.Reached(n.vote(KindFinalize, 5, "b", 0)) || tally.Reached(n.vote(KindNullify, 5, "", 0)) {
		t.Error("kinds are mixed up")
	}
	c, err := tally.Certificate(weak[0])
	if err != nil || !slices.Equal(c.Certificate().Signers(), []int{0, 1}) {
		t.Errorf("signers %v, %v", c.Certificate().Signers(), err)
	}
	if got := tally.Votes(weak[2]); len(got) != 4 || got[3].Vote() != weak[2] {
		t.Errorf("Votes gave %d", len(got))
	}
}

// TestTallyFindsEveryContradictionOnce feeds one cheat's votes in and counts what comes out.
func TestTallyFindsEveryContradictionOnce(t *testing.T) {
	n := newNetwork(t, 1, 1, 1, 1)
	tally := NewTally(n.Domain, 1, 5)
	for _, step := range []struct {
		kind  VoteKind
		name  string
		added bool
		want  []Offence
	}{
		{KindNotarize, "a", true, nil},
		{KindNullify, "", true, nil}, // notarize, then nullify: honest
		{KindNotarize, "b", true, []Offence{DoubleVote}},
		{KindNotarize, "b", false, nil},
		{KindNotarize, "c", false, nil}, // a third is one too many to keep
		{KindFinalize, "a", true, []Offence{NotarizeFinalizeConflict, ExitConflict}},
		{KindFinalize, "d", true, []Offence{NotarizeFinalizeConflict, NotarizeFinalizeConflict, DoubleVote, ExitConflict}},
		{KindFinalize, "e", false, nil},
		{KindNullify, "", false, nil},
	} {
		added, evidence := tally.Add(n.verified(t, n.vote(step.kind, 5, step.name, 3))[0])
		var got []Offence
		for _, e := range evidence {
			got = append(got, e.Offence)
			if err := e.Verify(n.Domain); err != nil {
				t.Errorf("%s %s: evidence does not verify: %v", step.kind, step.name, err)
			}
		}
		if added != step.added || !slices.Equal(got, step.want) {
			t.Errorf("%s %s: added %v with %v, want %v with %v", step.kind, step.name, added, got, step.added, step.want)
		}
	}
	if len(tally.Of(KindNotarize, 3)) != 2 || len(tally.Of(KindNullify, 3)) != 1 || tally.Of(KindNullify, 4) != nil || tally.Of(KindProposal, 0) != nil {
		t.Error("Of is wrong")
	}
	if tally.Power(KindNotarize, 5, block("b")) != 1 || tally.Power(KindNotarize, 5, block("c")) != 0 {
		t.Error("the second vote must count, the third must not")
	}
}

func TestTallyPanicsOnForeignVotes(t *testing.T) {
	n := newNetwork(t, 1, 1, 1, 1)
	epoch := n.vote(KindNotarize, 5, "a", 0)
	epoch.Epoch = 2
	for name, v := range map[string]Vote{
		"view": n.vote(KindNotarize, 6, "a", 0), "epoch": n.sign(epoch), "proposal": n.vote(KindProposal, 5, "a", 0),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("another %s was counted", name)
				}
			}()
			NewTally(n.Domain, 1, 5).Add(n.verified(t, v)[0])
		}()
	}
}

// TestTallyAgainstModel compares with a set of (signer, statement), which is what a tally means.
func TestTallyAgainstModel(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10, 4)
	n.Domain.Checker = keyedHash{}
	type said struct {
		signer int
		kind   VoteKind
		block  string
	}
	rapid.Check(t, func(t *rapid.T) {
		tally := NewTally(n.Domain, 1, 5)
		model := map[said]bool{}
		for range rapid.IntRange(0, 60).Draw(t, "votes") {
			s := said{rapid.IntRange(0, 4).Draw(t, "signer"), VoteKind(rapid.IntRange(2, 4).Draw(t, "kind")), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "block")}
			v := Vote{Kind: s.kind, Epoch: 1, View: 5, Height: 5, Block: block(s.block), Signer: uint16(s.signer)}
			if s.kind == KindNullify {
				s.block, v.Height, v.Block = "", 0, crypto.Hash{}
			}
			v.Signature = keyedHash{}.sign(n.Set.At(s.signer).Key, v.Digest(n.Domain))
			added, evidence := tally.Add(n.verified(t, v)[0])
			if added == model[s] {
				t.Fatalf("%+v: added %v, known before %v", s, added, model[s])
			}
			conflicts := 0
			for other := range model {
				if other.signer != s.signer || !added {
					continue
				}
				kinds := []VoteKind{min(s.kind, other.kind), max(s.kind, other.kind)}
				if slices.Equal(kinds, []VoteKind{KindFinalize, KindNullify}) || kinds[1] != KindNullify && s.block != other.block {
					conflicts++
				}
			}
			if len(evidence) != conflicts {
				t.Fatalf("%+v: %d contradictions, the model says %d", s, len(evidence), conflicts)
			}
			model[s] = true
			var power Power
			for other := range model {
				if other.kind == s.kind && other.block == s.block {
					power += n.Set.At(other.signer).Power
				}
			}
			if got := tally.Power(v.Kind, v.Height, v.Block); got != power || tally.Reached(v) != (3*power > 2*n.Set.Total()) {
				t.Fatalf("%+v: power %d, model %d, reached %v", s, got, power, tally.Reached(v))
			}
			if c, err := tally.Certificate(v); (err == nil) != tally.Reached(v) {
				t.Fatal(err)
			} else if err == nil {
				if _, err := VerifyCertificate(n.Domain, c.Certificate()); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestStringsOfKinds(t *testing.T) {
	for _, c := range []struct {
		got  fmt.Stringer
		want string
	}{{KindProposal, "proposal"}, {KindNotarize, "notarize"}, {KindFinalize, "finalize"}, {KindNullify, "nullify"}, {VoteKind(9), "VoteKind(9)"},
		{DoubleVote, "double vote"}, {Offence(77), "Offence(77)"}} {
		if c.got.String() != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
