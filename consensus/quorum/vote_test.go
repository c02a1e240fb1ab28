package quorum

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"waybill/crypto"
)

// TestVoteDigestByHand spells the digest out once more, as the protocol text does.
func TestVoteDigestByHand(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	v := n.vote(KindFinalize, 7, "b", 2)
	h := sha256.New()
	h.Write([]byte("waybill/vote/1"))
	h.Write([]byte{3})
	h.Write(n.Genesis[:])
	binary.Write(h, binary.BigEndian, uint64(1))
	set := n.Set.Hash()
	h.Write(set[:])
	binary.Write(h, binary.BigEndian, uint64(7))
	binary.Write(h, binary.BigEndian, uint64(7))
	h.Write(v.Block[:])
	if got := v.Digest(n.Domain); got != crypto.Hash(h.Sum(nil)) {
		t.Errorf("got %s", got)
	}
}

// TestVoteDigestBindsEverything: no two statements, networks or sets share a digest; who signs and how is no part of it.
func TestVoteDigestBindsEverything(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	v := n.vote(KindNotarize, 7, "b", 2)
	seen := map[crypto.Hash]string{v.Digest(n.Domain): "the vote"}
	mutations(t, &v, func(field string, changed any) {
		digest := changed.(*Vote).Digest(n.Domain)
		if field == "Signer" || field == "Signature" {
			if digest != v.Digest(n.Domain) {
				t.Errorf("the digest covers %s", field)
			}
			return
		}
		if other, twice := seen[digest]; twice {
			t.Errorf("changing %s gives the digest of %s", field, other)
		}
		seen[digest] = field
	})
	other := n.Domain
	other.Genesis[0] ^= 1
	if _, twice := seen[v.Digest(other)]; twice {
		t.Error("the digest does not cover the network")
	}
	other = Domain{Genesis: n.Genesis, Set: newNetwork(t, 1, 2, 3, 11).Set}
	if _, twice := seen[v.Digest(other)]; twice {
		t.Error("the digest does not cover the validator set")
	}
}

func TestVoteEncoding(t *testing.T) {
	n := newNetwork(t, 1, 1, 1, 1)
	for _, kind := range []VoteKind{KindProposal, KindNotarize, KindFinalize, KindNullify} {
		v := n.vote(kind, 9, "b", 3)
		b := v.Encode()
		back, err := DecodeVote(b)
		if err != nil || back != v || len(b) != VoteSize {
			t.Errorf("%s: %d bytes gave %+v, %v", kind, len(b), back, err)
		}
		for size := range b {
			if _, err := DecodeVote(b[:size]); !errors.Is(err, ErrEncoding) {
				t.Errorf("%s cut to %d bytes: %v", kind, size, err)
			}
		}
		if _, err := DecodeVote(append(b, 0)); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s with a byte more: %v", kind, err)
		}
	}
}

// badVotes is one valid vote and everything that may be wrong with it.
func badVotes(n *network) map[string]struct {
	vote Vote
	kind ErrorKind
} {
	type bad = struct {
		vote Vote
		kind ErrorKind
	}
	good := n.vote(KindNotarize, 9, "b", 1)
	with := func(f func(v *Vote)) Vote {
		v := good
		f(&v)
		return v
	}
	return map[string]bad{
		"kind 0":                 {with(func(v *Vote) { v.Kind = 0 }), ErrForm},
		"kind 5":                 {with(func(v *Vote) { v.Kind = 5 }), ErrForm},
		"view 0":                 {with(func(v *Vote) { v.View = 0 }), ErrForm},
		"no block":               {with(func(v *Vote) { v.Block = crypto.Hash{} }), ErrForm},
		"height 0":               {with(func(v *Vote) { v.Height = 0 }), ErrForm},
		"nullify with block":     {with(func(v *Vote) { v.Kind, v.Height = KindNullify, 0 }), ErrForm},
		"nullify with height":    {with(func(v *Vote) { v.Kind, v.Block = KindNullify, crypto.Hash{} }), ErrForm},
		"stranger":               {with(func(v *Vote) { v.Signer = uint16(n.Set.Len()) }), ErrSigner},
		"last possible stranger": {with(func(v *Vote) { v.Signer = 65535 }), ErrSigner},
		"another's":              {with(func(v *Vote) { v.Signer = 2 }), ErrSignature},
		"another kind":           {with(func(v *Vote) { v.Kind = KindFinalize }), ErrSignature},
		"another view":           {with(func(v *Vote) { v.View++ }), ErrSignature},
		"another epoch":          {with(func(v *Vote) { v.Epoch++ }), ErrSignature},
		"another height":         {with(func(v *Vote) { v.Height++ }), ErrSignature},
		"another block":          {with(func(v *Vote) { v.Block[0] ^= 1 }), ErrSignature},
		"no signature":           {with(func(v *Vote) { v.Signature = crypto.Signature{} }), ErrSignature},
	}
}

func TestVerifyVotes(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	good := n.vote(KindNotarize, 9, "b", 1)
	for name, bad := range badVotes(n) {
		r := VerifyVotes(n.Domain, []Vote{good, bad.vote, good})
		if r[0].Err != nil || r[2].Err != nil || r[0].Verified.Vote() != good || r[0].Verified.Digest() != good.Digest(n.Domain) {
			t.Errorf("%s spoils its neighbours: %v, %v", name, r[0].Err, r[2].Err)
		}
		if !errors.Is(r[1].Err, bad.kind) {
			t.Errorf("%s: got %v, want %v", name, r[1].Err, bad.kind)
		}
		if r[1].Verified != (VerifiedVote{}) {
			t.Errorf("%s: a refused vote is also verified", name)
		}
		if bad.kind == ErrForm {
			if _, err := DecodeVote(bad.vote.Encode()); !errors.Is(err, ErrForm) {
				t.Errorf("%s: decoding gave %v", name, err)
			}
		}
	}
	if len(VerifyVotes(n.Domain, nil)) != 0 {
		t.Error("no votes gave results")
	}
	for name, d := range map[string]Domain{
		"network": {Genesis: block("x"), Set: n.Set},
		"set":     {Genesis: n.Genesis, Set: newNetwork(t, 1, 2, 3, 11).Set},
	} {
		if r := VerifyVotes(d, []Vote{good}); !errors.Is(r[0].Err, ErrSignature) {
			t.Errorf("a vote holds in another %s: %v", name, r[0].Err)
		}
	}
}

// keyedHash is the kind of checker a simulator uses: the signature is a hash of key and digest.
type keyedHash struct{}

func (keyedHash) sign(key crypto.PublicKey, digest crypto.Hash) (s crypto.Signature) {
	h := crypto.Sum(crypto.TagVote, key[:], digest[:])
	copy(s[:], h[:])
	return s
}

func (k keyedHash) VerifyBatch(checks []crypto.Check) []bool {
	out := make([]bool, len(checks))
	for i, c := range checks {
		out[i] = c.Signature == k.sign(c.Key, c.Digest)
	}
	return out
}

func TestCheckerOfTheDomainDecides(t *testing.T) {
	n := newNetwork(t, 1, 1, 1, 1)
	d := n.Domain
	d.Checker = keyedHash{}
	real := n.vote(KindNotarize, 9, "b", 1)
	fake := real
	fake.Signature = keyedHash{}.sign(n.Set.At(1).Key, fake.Digest(d))
	errs := func(d Domain) (out []bool) {
		for _, r := range VerifyVotes(d, []Vote{real, fake}) {
			out = append(out, r.Err == nil)
		}
		return out
	}
	if got := errs(d); !slices.Equal(got, []bool{false, true}) {
		t.Errorf("with a checker: %v", got)
	}
	if got := errs(n.Domain); !slices.Equal(got, []bool{true, false}) {
		t.Errorf("without: %v", got)
	}
}

func TestSignVotePanicsOnAnotherKey(t *testing.T) {
	n := newNetwork(t, 1, 1)
	defer func() {
		if recover() == nil {
			t.Error("signed for another validator")
		}
	}()
	SignVote(n.Domain, n.keys[0], Vote{Kind: KindNullify, View: 1, Signer: 1})
}

func TestVoteVectors(t *testing.T) {
	type vector struct {
		Kind   string
		Vote   Vote
		Set    crypto.Hash
		Digest crypto.Hash
		Bytes  string
	}
	n := newNetwork(t, 1, 2, 3, 10)
	var vectors []vector
	for _, kind := range []VoteKind{KindProposal, KindNotarize, KindFinalize, KindNullify} {
		for _, view := range []View{1, 2, 255, 1 << 40, 1<<64 - 1} {
			for signer := range n.Set.Len() {
				v := n.vote(kind, view, fmt.Sprint("block ", view), signer)
				vectors = append(vectors, vector{kind.String(), v, n.Set.Hash(), v.Digest(n.Domain), fmt.Sprintf("%x", v.Encode())})
			}
		}
	}
	golden(t, "vote", compact(vectors))
}
