package quorum

import (
	"errors"
	"testing"

	"waybill/crypto"
)

// branch is a finalization of the first proposal, and the proposals below it.
func (n *network) branch(t failer, chain ...Proposal) Branch {
	b := Branch{Final: n.finalization(t, chain[0].Header).Certificate()}
	for _, p := range chain {
		b.Links = append(b.Links, Link{Header: p.Header, Justification: p.Justification})
	}
	return b
}

// TestAccuse names the culprits of each way in which a chain can fork, in both orders of the branches.
func TestAccuse(t *testing.T) {
	n := newNetwork(t, 4, 3, 2, 1)
	a1 := n.propose(t, 1, nil, []byte("a"))
	b1 := n.propose(t, 1, nil, []byte("b"))
	b2 := n.propose(t, 2, &b1.Header)
	b4 := n.propose(t, 4, &b2.Header) // skips 3
	b5 := n.propose(t, 5, &b4.Header)
	a3 := n.propose(t, 3, &a1.Header, []byte("a"))
	skipping := n.propose(t, 2, nil, []byte("c"))
	closing := n.closing(t, 2, &b1.Header)
	tail := n.tail(t, 4, &closing.Header, &closing.Header)
	tailBranch := n.branch(t, tail, closing, b1)
	tailBranch.Final = n.finalization(t, tail.Header).WithTail(tail.Header).Certificate()

	for _, c := range []struct {
		name      string
		low, high Branch
		want      Offence
	}{
		{"two finalizations of a view", n.branch(t, a1), n.branch(t, b1), DoubleVote},
		{"finalized, and another notarized", n.branch(t, a1), n.branch(t, b2, b1), NotarizeFinalizeConflict},
		{"far below", n.branch(t, a1), n.branch(t, b5, b4, b2, b1), NotarizeFinalizeConflict},
		{"finalized, and given up by the next block", n.branch(t, a3, a1), n.branch(t, b4, b2, b1), ExitConflict},
		{"finalized, and given up further down", n.branch(t, a3, a1), n.branch(t, b5, b4, b2, b1), ExitConflict},
		{"given up by the first block of the epoch", n.branch(t, a1), n.branch(t, skipping), ExitConflict},
		{"a final tail", n.branch(t, a3, a1), tailBranch, ExitConflict},
		{"under a final tail", n.branch(t, a1), tailBranch, NotarizeFinalizeConflict},
		{"the lower branch without links", Branch{Final: n.branch(t, a3).Final}, n.branch(t, b4), ExitConflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			forth, err := Accuse(n.Domain, c.low, c.high)
			if err != nil {
				t.Fatal(err)
			}
			back, err := Accuse(n.Domain, c.high, c.low)
			if err != nil {
				t.Fatal(err)
			}
			var power Power
			for i, e := range forth {
				if e.Offence != c.want {
					t.Errorf("accused of %v, want %v", e.Offence, c.want)
				}
				if err := e.Verify(n.Domain); err != nil {
					t.Error(err)
				}
				if back[i].ID() != e.ID() {
					t.Error("the order of the branches makes a difference")
				}
				power += n.Set.At(int(e.Signer())).Power
			}
			if len(forth) != 2 || 3*power <= n.Set.Total() {
				t.Errorf("%d accused of power %d of %d", len(forth), power, n.Set.Total())
			}
		})
	}
}

// TestAccuseRefuses has one valid accusation and its corruptions.
func TestAccuseRefuses(t *testing.T) {
	n := newNetwork(t, 4, 3, 2, 1)
	a1 := n.propose(t, 1, nil, []byte("a"))
	a2 := n.propose(t, 2, &a1.Header)
	a3 := n.propose(t, 3, &a1.Header, []byte("a"))
	b1 := n.propose(t, 1, nil, []byte("b"))
	b2 := n.propose(t, 2, &b1.Header)
	b4 := n.propose(t, 4, &b2.Header)
	valid := func() (Branch, Branch) { return n.branch(t, a3, a1), n.branch(t, b4, b2, b1) }
	for _, c := range []struct {
		name    string
		corrupt func(low, high *Branch)
		want    error
	}{
		{"one chain", func(low, high *Branch) { *low, *high = n.branch(t, a1), n.branch(t, a2, a1) }, ErrNoOffence},
		{"the same finalization", func(low, high *Branch) { *low = *high }, ErrNoOffence},
		{"no links", func(_, high *Branch) { high.Links = nil }, ErrForm},
		{"links that end too early", func(low, high *Branch) { *low, high.Links = n.branch(t, a1), high.Links[:1] }, ErrForm},
		{"a link that is not the certified block", func(_, high *Branch) { high.Links[0].Header.TimeMs++ }, ErrForm},
		{"another justification than the header's", func(_, high *Branch) { high.Links[0].Justification.Skip = nil }, ErrForm},
		{"not a finalization", func(low, _ *Branch) { low.Final = n.notarization(t, a3.Header) }, ErrForm},
		{"another epoch", func(low, _ *Branch) { low.Final.Epoch++ }, ErrDomain},
		{"a forged signature below", func(low, _ *Branch) { low.Final.Signatures[0] = crypto.Signature{1} }, ErrSignature},
		{"a forged signature above", func(_, high *Branch) { high.Final.Signatures[0] = crypto.Signature{1} }, ErrSignature},
		{"too few signers", func(low, _ *Branch) {
			low.Final.Bitmap, low.Final.Signatures = []byte{1}, low.Final.Signatures[:1]
		}, ErrPower},
	} {
		low, high := valid()
		c.corrupt(&low, &high)
		if list, err := Accuse(n.Domain, low, high); !errors.Is(err, c.want) {
			t.Errorf("%s: %d accused, %v, want %v", c.name, len(list), err, c.want)
		}
	}
}

// TestAccuseWithOmittedNullification takes the nullification that a long justification leaves out from elsewhere.
func TestAccuseWithOmittedNullification(t *testing.T) {
	n := newNetwork(t, 1, 1, 1, 1)
	a3 := n.propose(t, 3, nil, []byte("a"))
	b1 := n.propose(t, 1, nil, []byte("b"))
	b4 := n.propose(t, 4, &b1.Header)
	omitted := b4.Justification.Skip[1]
	b4.Justification.Skip = b4.Justification.Skip[:1]
	b4 = n.seal(b4)
	low, high := n.branch(t, a3), n.branch(t, b4, b1)
	if _, err := Accuse(n.Domain, low, high); !errors.Is(err, ErrUnjust) {
		t.Errorf("without the nullification of view 3: %v", err)
	}
	if list, err := Accuse(n.Domain, low, high, omitted); err != nil || len(list) < 2 {
		t.Errorf("with it: %d accused, %v", len(list), err)
	}
}
