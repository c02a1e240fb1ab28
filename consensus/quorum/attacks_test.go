package quorum

import (
	"encoding/binary"
	"errors"
	"math/big"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"waybill/crypto"
)

// Each test here is an attack that stopped or split another network, as a regression test of ours. The row is that of
// the table of attacks in the design.

// sealRaw signs the header as it stands, without filling in what follows from the rest.
func (n *network) sealRaw(p Proposal) Proposal {
	p.Signature = n.sign(p.Header.Statement()).Signature
	return p
}

// TestFieldsSaidTwiceMustAgree (A1): whatever a proposal says in two places is the same in both, or the proposal is
// refused, even though its leader signed it.
func TestFieldsSaidTwiceMustAgree(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	first, closing, tail, _ := ending(t, n)
	skipping := n.propose(t, 4, &first.Header, []byte("a"), []byte("bc"))
	for name, c := range map[string]struct {
		of     Proposal
		change func(p *Proposal)
	}{
		"payload root":                 {skipping, func(p *Proposal) { p.Header.PayloadRoot[3] ^= 1 }},
		"payload bytes, one more":      {skipping, func(p *Proposal) { p.Header.PayloadBytes++ }},
		"payload bytes, one less":      {skipping, func(p *Proposal) { p.Header.PayloadBytes-- }},
		"payload bytes, all":           {skipping, func(p *Proposal) { p.Header.PayloadBytes = 1<<32 - 1 }},
		"transactions, one more":       {skipping, func(p *Proposal) { p.Header.TxCount++ }},
		"transactions, one less":       {skipping, func(p *Proposal) { p.Header.TxCount-- }},
		"justification hash":           {skipping, func(p *Proposal) { p.Header.Justification[0] ^= 1 }},
		"parent and its certificate":   {skipping, func(p *Proposal) { p.Header.Parent = closing.Header.Hash() }},
		"parent view and certificate":  {n.propose(t, 5, &closing.Header), func(p *Proposal) { p.Header.ParentView = 3 }},
		"height and certificate":       {skipping, func(p *Proposal) { p.Header.Height += 2 }},
		"epoch and certificates":       {skipping, func(p *Proposal) { p.Header.Epoch++ }},
		"proposer and slate":           {skipping, func(p *Proposal) { p.Header.Proposer = (p.Header.Proposer + 1) % 4 }},
		"view and skipped views":       {skipping, func(p *Proposal) { p.Header.View += View(n.slate.Len()) }},
		"tail and transaction count":   {tail, func(p *Proposal) { p.Header.TxCount = 1 }},
		"tail and height of parent":    {tail, func(p *Proposal) { p.Header.Height++ }},
		"closing and next set":         {closing, func(p *Proposal) { p.Header.NextValidatorSet = crypto.Hash{} }},
		"certificate inside: its view": {skipping, func(p *Proposal) { p.Justification.Skip[0].View = 3; p.Header.Justification = p.Justification.Hash() }},
		"certificate inside: its block": {skipping, func(p *Proposal) {
			c := *p.Justification.Parent
			c.Block[0] ^= 1
			p.Justification.Parent = &c
			p.Header.Justification = p.Justification.Hash()
		}},
	} {
		p := c.of
		p.Justification.Skip = slices.Clone(p.Justification.Skip)
		c.change(&p)
		if _, err := VerifyProposal(n.Domain, n.slate, n.anchor, n.sealRaw(p)); err == nil {
			t.Errorf("%s disagree, and the proposal was accepted", name)
		}
	}
	for _, p := range []Proposal{first, closing, tail, skipping} {
		if _, err := VerifyProposal(n.Domain, n.slate, n.anchor, n.sealRaw(p)); err != nil {
			t.Errorf("nothing disagrees: %v", err)
		}
	}
}

// TestCountsMustMatch (A2): every count that a message declares, at its edges and far beyond, against what follows. No
// decoder panics, accepts another number, or allocates for what is not there.
func TestCountsMustMatch(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	first := n.propose(t, 1, nil)
	p := n.propose(t, 3, &first.Header, []byte("ab"), []byte("c")).Encode()
	c := n.notarization(t, first.Header)
	with := n.finalization(t, n.tail(t, 2, &first.Header, &first.Header).Header)
	_, _, tail, _ := ending(t, n)
	tailed := n.finalization(t, tail.Header).WithTail(tail.Header).Certificate().Encode()
	j := n.propose(t, 4, &first.Header).Justification.Encode()
	afterParent := 1 + c.Size()
	payloadAt := len(p) - (4 + 4 + 2 + 4 + 1)
	proposal := func(b []byte) error { _, err := DecodeProposal(b); return err }
	certificate := func(b []byte) error { _, err := DecodeCertificate(b); return err }
	justification := func(b []byte) error { _, err := DecodeJustification(b); return err }
	set := func(b []byte) error { _, err := DecodeSet(b); return err }
	for name, f := range map[string]struct {
		message []byte
		at      int
		width   int
		decode  func([]byte) error
	}{
		"bitmap of a certificate":            {c.Encode(), 58, 1, certificate},
		"bitmap of a plain finalization":     {with.Certificate().Encode(), 58, 1, certificate},
		"bitmap of a tail's finalization":    {tailed, 58 + HeaderSize, 1, certificate},
		"nullifications of a justification":  {j, afterParent, 2, justification},
		"parent of a justification, present": {j, 0, 1, justification},
		"transactions of a payload":          {p, payloadAt, 4, proposal},
		"length of the first transaction":    {p, payloadAt + 4, 4, proposal},
		"length of the last transaction":     {p, payloadAt + 10, 4, proposal},
		"validators of a set":                {n.Set.Encode(), 0, 2, set},
	} {
		if err := f.decode(f.message); err != nil {
			t.Fatalf("%s: unchanged: %v", name, err)
		}
		was := uint64(0)
		for _, b := range f.message[f.at : f.at+f.width] {
			was = was<<8 | uint64(b)
		}
		for _, count := range []uint64{0, was - 1, was + 1, 2 * was, 32, 33, 255, 256, 1023, 1024, 1025, 65535, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
			if count == was || count >= 1<<(8*f.width) {
				continue
			}
			b := slices.Clone(f.message)
			wide := binary.BigEndian.AppendUint64(nil, count)
			copy(b[f.at:], wide[8-f.width:])
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := f.decode(b)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Errorf("%s: %d were declared, %d are there, and the message was accepted", name, count, was)
			}
			if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(16*len(b)+64<<10); got > limit {
				t.Errorf("%s: declaring %d made the decoder allocate %d bytes", name, count, got)
			}
		}
	}
}

// TestSignaturesThatCount (A9): which signatures count is decided in one place, the tally's. What else was voted in the
// view, repeated, for other blocks or kinds, in whatever order, changes neither the power nor one byte of the
// certificate; and the certificate counts exactly the power of its distinct signers.
func TestSignaturesThatCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := newNetwork(t, 1, 2, 3, 4, 5, 6, 7)
		n.Domain.Checker = keyedHash{}
		make := func(kind VoteKind, name string, i int) VerifiedVote {
			v := Vote{Kind: kind, Epoch: 1, View: 5, Signer: uint16(i)}
			if kind != KindNullify {
				v.Height, v.Block = 5, block(name)
			}
			v.Signature = keyedHash{}.sign(n.Set.At(i).Key, v.Digest(n.Domain))
			return n.verified(t, v)[0]
		}
		var clean, noise []VerifiedVote
		var power Power
		for i := range n.Set.Len() {
			if rapid.Bool().Draw(t, "votes") {
				clean = append(clean, make(KindNotarize, "b", i))
				power += n.Set.At(i).Power
			}
		}
		for range rapid.IntRange(0, 30).Draw(t, "noise") {
			i := rapid.IntRange(0, n.Set.Len()-1).Draw(t, "signer")
			switch kind := rapid.SampledFrom([]VoteKind{KindNotarize, KindFinalize, KindNullify}).Draw(t, "kind"); {
			case kind == KindNotarize: // one other block only: a third vote of a kind is dropped, be it the right one
				noise = append(noise, make(kind, "c", i))
			default:
				noise = append(noise, make(kind, rapid.SampledFrom([]string{"b", "c"}).Draw(t, "block"), i))
			}
		}
		noise = append(noise, clean...) // twice
		like := make(KindNotarize, "b", 0).vote
		tally := NewTally(n.Domain, 1, 5)
		for _, v := range rapid.Permutation(slices.Concat(clean, noise)).Draw(t, "order") {
			tally.Add(v)
		}
		if got := tally.Power(like.Kind, like.Height, like.Block); got != power || tally.Reached(like) != (power >= n.Set.Quorum()) {
			t.Fatalf("power %d, want %d; reached %v", got, power, tally.Reached(like))
		}
		got, err := tally.Certificate(like)
		if (err == nil) != (power >= n.Set.Quorum()) {
			t.Fatalf("power %d of quorum %d: %v", power, n.Set.Quorum(), err)
		}
		if err != nil {
			return
		}
		want, err := Certify(n.Domain, clean)
		if err != nil || string(want.Certificate().Encode()) != string(got.Certificate().Encode()) {
			t.Fatalf("noise changed the certificate: %v", err)
		}
		var counted Power
		seen := map[int]bool{}
		for _, i := range got.Certificate().Signers() {
			if seen[i] {
				t.Fatalf("signer %d counts twice", i)
			}
			seen[i] = true
			counted += n.Set.At(i).Power
		}
		if counted < n.Set.Quorum() || len(got.Certificate().Votes()) != len(seen) {
			t.Fatalf("signers of power %d, %d votes", counted, len(got.Certificate().Votes()))
		}
	})
}

// TestEvidenceIsAFunctionOfTheTwoVotes (A11): four nodes that see the same two votes among others, at different times
// and in different orders, make the same bytes.
func TestEvidenceIsAFunctionOfTheTwoVotes(t *testing.T) {
	n := newNetwork(t, 1, 1, 1, 1)
	votes := n.verified(t,
		n.vote(KindNotarize, 5, "x", 1), n.vote(KindNotarize, 5, "y", 1), n.vote(KindFinalize, 5, "z", 2), n.vote(KindNullify, 5, "", 2),
		n.vote(KindNotarize, 5, "x", 0), n.vote(KindNullify, 5, "", 3), n.vote(KindFinalize, 5, "x", 0), n.vote(KindNotarize, 5, "x", 3))
	rapid.Check(t, func(t *rapid.T) {
		var all [][]string
		for range 4 {
			tally := NewTally(n.Domain, 1, 5)
			var found []string
			for _, v := range rapid.Permutation(votes).Draw(t, "order") {
				_, evidence := tally.Add(v)
				for _, e := range evidence {
					id := e.ID()
					found = append(found, string(e.Encode())+string(id[:]))
				}
			}
			slices.Sort(found)
			all = append(all, found)
		}
		if len(all[0]) != 2 {
			t.Fatalf("%d pieces of evidence, want 2", len(all[0]))
		}
		for _, found := range all[1:] {
			if !slices.Equal(found, all[0]) {
				t.Fatal("two nodes made different bytes of the same votes")
			}
		}
	})
	for i := range votes { // and of two votes alone
		for j := range votes {
			a, errA := NewEvidence(votes[i], votes[j])
			b, errB := NewEvidence(votes[j], votes[i])
			if (errA == nil) != (errB == nil) || errA == nil && (string(a.Encode()) != string(b.Encode()) || a.ID() != b.ID()) {
				t.Errorf("votes %d and %d make other evidence than %d and %d", i, j, j, i)
			}
		}
	}
}

// TestPowerComesFromTheLocalSetOnly (A15): nothing that a peer sends has a place for power, and a certificate of the
// same keys with other powers is of another domain.
func TestPowerComesFromTheLocalSetOnly(t *testing.T) {
	for _, message := range []any{Vote{}, Certificate{}, Justification{}, Proposal{}, Evidence{}, Header{}} {
		walkTypes(reflect.TypeOf(message), map[reflect.Type]bool{}, func(path string, typ reflect.Type) {
			switch typ {
			case reflect.TypeFor[Power](), reflect.TypeFor[Validator](), reflect.TypeFor[Set]():
				t.Errorf("%T has power inside, at %s", message, path)
			}
		})
	}
	here := newNetwork(t, 10, 1, 1, 1)
	elsewhere := newNetwork(t, 10, 9, 8, 7) // the same keys; there, three of four are a quorum without the first
	v := Vote{Kind: KindNotarize, Epoch: 1, View: 5, Height: 5, Block: block("b")}
	var votes []Vote
	for i := 1; i < 4; i++ {
		v.Signer = uint16(i)
		votes = append(votes, elsewhere.sign(v))
	}
	c, err := Certify(elsewhere.Domain, elsewhere.verified(t, votes...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyCertificate(here.Domain, c.Certificate()); !errors.Is(err, ErrPower) {
		t.Errorf("powers from elsewhere counted here: %v", err)
	}
	if r := VerifyVotes(here.Domain, votes[:1]); !errors.Is(r[0].Err, ErrSignature) {
		t.Errorf("a vote under another set counted here: %v", r[0].Err)
	}
}

func walkTypes(typ reflect.Type, seen map[reflect.Type]bool, visit func(string, reflect.Type)) {
	visit(typ.String(), typ)
	if seen[typ] {
		return
	}
	seen[typ] = true
	switch typ.Kind() {
	case reflect.Struct:
		for i := range typ.NumField() {
			walkTypes(typ.Field(i).Type, seen, visit)
		}
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		walkTypes(typ.Elem(), seen, visit)
	}
}

// TestHighSIsRefusedEverywhere (mistake 27): s and n-s sign the same; only the lower is a signature here, so that
// nobody can make other bytes of a vote, a certificate or a proposal.
func TestHighSIsRefusedEverywhere(t *testing.T) {
	order, _ := new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)
	flip := func(s crypto.Signature) crypto.Signature {
		high := new(big.Int).Sub(order, new(big.Int).SetBytes(s[32:]))
		high.FillBytes(s[32:])
		return s
	}
	n := newNetwork(t, 1, 1, 1, 1)
	v := n.vote(KindNotarize, 5, "b", 1)
	v.Signature = flip(v.Signature)
	if r := VerifyVotes(n.Domain, []Vote{v}); !errors.Is(r[0].Err, ErrSignature) {
		t.Errorf("vote: %v", r[0].Err)
	}
	p := n.propose(t, 1, nil)
	c := n.notarization(t, p.Header)
	c.Signatures = slices.Clone(c.Signatures)
	c.Signatures[2] = flip(c.Signatures[2])
	if _, err := VerifyCertificate(n.Domain, c); !errors.Is(err, ErrSignature) {
		t.Errorf("certificate: %v", err)
	}
	p.Signature = flip(p.Signature)
	if _, err := VerifyProposal(n.Domain, n.slate, n.anchor, p); !errors.Is(err, ErrSignature) {
		t.Errorf("proposal: %v", err)
	}
	p.Signature = flip(p.Signature)
	if _, err := VerifyProposal(n.Domain, n.slate, n.anchor, p); err != nil {
		t.Errorf("flipped twice: %v", err)
	}
}

// TestVoteDigestNeedsNoSet: a remote signer that knows the hash of the set computes what the node does.
func TestVoteDigestNeedsNoSet(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	for _, v := range []Vote{n.vote(KindProposal, 3, "b", 0), n.vote(KindFinalize, 9, "b", 1), n.vote(KindNullify, 1<<64-1, "", 3)} {
		if VoteDigest(n.Genesis, n.Set.Hash(), v) != v.Digest(n.Domain) {
			t.Errorf("%s: digests differ", v.Kind)
		}
		other := n.Set.Hash()
		other[0] ^= 1
		if VoteDigest(n.Genesis, other, v) == v.Digest(n.Domain) {
			t.Errorf("%s: the digest does not bind the set", v.Kind)
		}
	}
}
