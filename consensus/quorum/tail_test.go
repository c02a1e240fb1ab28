package quorum

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"waybill/crypto"
)

// ending is the end of an epoch: a block, the closing block on it, a tail, and a tail on that after a lost view.
func ending(t failer, n *network) (first, closing, tail, second Proposal) {
	first = n.propose(t, 1, nil)
	closing = n.closing(t, 2, &first.Header)
	tail = n.tail(t, 3, &closing.Header, &closing.Header)
	second = n.tail(t, 5, &tail.Header, &closing.Header)
	return first, closing, tail, second
}

func TestKindsOfBlocks(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	first, closing, tail, second := ending(t, n)
	for _, c := range []struct {
		name          string
		p             Proposal
		closing, tail bool
	}{{"ordinary", first, false, false}, {"closing", closing, true, false}, {"tail", tail, false, true}, {"tail on a tail", second, false, true}} {
		if c.p.Header.IsClosing() != c.closing || c.p.Header.IsTail() != c.tail {
			t.Errorf("%s: closing %v, tail %v", c.name, c.p.Header.IsClosing(), c.p.Header.IsTail())
		}
		if _, err := VerifyProposal(n.Domain, n.slate, n.anchor, c.p); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		back, err := DecodeProposal(c.p.Encode())
		if err != nil || back.Header != c.p.Header {
			t.Errorf("%s: round trip: %v", c.name, err)
		}
	}
	if second.Header.Height != closing.Header.Height || second.Header.Closing != closing.Header.Hash() {
		t.Errorf("the second tail has height %d", second.Header.Height)
	}
}

// TestKindCorruptions names one wrong field at a time; every proposal is signed by its leader.
func TestKindCorruptions(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	first, closing, tail, _ := ending(t, n)
	mark := func(h *crypto.Hash) { h[0] = 1 }
	for name, c := range map[string]struct {
		of     Proposal
		change func(h *Header)
		kind   ErrorKind
	}{
		"ordinary with a next set":         {first, func(h *Header) { mark(&h.NextValidatorSet) }, ErrForm},
		"ordinary with a closing block":    {first, func(h *Header) { mark(&h.Closing) }, ErrForm},
		"closing without a next set":       {closing, func(h *Header) { h.NextValidatorSet = crypto.Hash{} }, ErrForm},
		"closing that names one":           {closing, func(h *Header) { mark(&h.Closing) }, ErrForm},
		"closing and tail":                 {closing, func(h *Header) { h.Flags |= FlagTail }, ErrForm},
		"a flag nobody knows":              {closing, func(h *Header) { h.Flags |= 4 }, ErrEncoding},
		"closing at its parent's height":   {closing, func(h *Header) { h.Height-- }, ErrUnjust},
		"tail without a closing block":     {tail, func(h *Header) { h.Closing = crypto.Hash{} }, ErrForm},
		"tail with a next set":             {tail, func(h *Header) { mark(&h.NextValidatorSet) }, ErrForm},
		"tail with parameters":             {tail, func(h *Header) { mark(&h.Params) }, ErrForm},
		"tail with an executed height":     {tail, func(h *Header) { h.ExecHeight = 1 }, ErrForm},
		"tail with a state root":           {tail, func(h *Header) { mark(&h.ExecStateRoot) }, ErrForm},
		"tail with a receipts root":        {tail, func(h *Header) { mark(&h.ExecReceiptsRoot) }, ErrForm},
		"tail at the next height":          {tail, func(h *Header) { h.Height++ }, ErrUnjust},
		"tail at the height before":        {tail, func(h *Header) { h.Height-- }, ErrUnjust},
		"tail of another parent":           {tail, func(h *Header) { h.Parent = first.Header.Hash() }, ErrUnjust},
		"tail at the height of the anchor": {tail, func(h *Header) { h.Height = n.anchor.Height }, ErrForm},
	} {
		p := c.of
		c.change(&p.Header)
		if got, err := VerifyProposal(n.Domain, n.slate, n.anchor, n.seal(p)); !errors.Is(err, c.kind) || got.Hash() != (crypto.Hash{}) {
			t.Errorf("%s: got %v, want %v", name, err, c.kind)
		}
	}
	loaded := tail
	loaded.Payload = [][]byte{[]byte("tx")}
	if _, err := VerifyProposal(n.Domain, n.slate, n.anchor, n.seal(loaded)); !errors.Is(err, ErrForm) {
		t.Errorf("a tail with a payload: %v", err)
	}
	onAnchor := n.propose(t, 1, nil)
	onAnchor.Header.Flags, onAnchor.Header.Closing, onAnchor.Header.Params = FlagTail, n.anchor.Hash, crypto.Hash{}
	if _, err := VerifyProposal(n.Domain, n.slate, n.anchor, n.seal(onAnchor)); !errors.Is(err, ErrUnjust) {
		t.Errorf("a tail on the anchor: %v", err)
	}
	carrying := n.tail(t, 4, &tail.Header, &closing.Header)
	with := n.finalization(t, tail.Header).WithTail(tail.Header).Certificate()
	carrying.Justification.Parent = &with
	if _, err := VerifyProposal(n.Domain, n.slate, n.anchor, n.seal(carrying)); !errors.Is(err, ErrForm) {
		t.Errorf("a justification with the header of a tail inside: %v", err)
	}
}

// TestExecutionNeverGoesBackOverAnEpoch: the first blocks of an epoch carry results at least as new as the anchor's.
func TestExecutionNeverGoesBackOverAnEpoch(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	n.anchor.Height, n.anchor.ExecHeight = 10, 8
	for exec, want := range map[Height]bool{7: false, 8: true, 9: true, 10: true, 11: false} {
		p := n.propose(t, 1, nil)
		p.Header.ExecHeight = exec
		if _, err := VerifyProposal(n.Domain, n.slate, n.anchor, n.seal(p)); (err == nil) != want {
			t.Errorf("height 11 with results up to %d: %v", exec, err)
		}
	}
}

func TestTailCertificate(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	_, closing, tail, second := ending(t, n)
	plain := n.finalization(t, tail.Header)
	with := plain.WithTail(tail.Header)
	if plain.Certificate().Finalizes() != tail.Header.Hash() || with.Certificate().Finalizes() != closing.Header.Hash() {
		t.Error("Finalizes does not name the closing block exactly when the header is attached")
	}
	if plain.Certificate().Tail != nil || with.WithoutTail().Certificate().Tail != nil {
		t.Error("attaching a header changed the certificate it was attached to, or it does not come off again")
	}
	b := with.Certificate().Encode()
	if len(b) != with.Certificate().Size() || len(b) != plain.Certificate().Size()+HeaderSize || b[0] != 2 {
		t.Errorf("%d bytes of scheme %d, Size says %d", len(b), b[0], with.Certificate().Size())
	}
	back, err := DecodeCertificate(b)
	if err != nil || *back.Tail != tail.Header || string(back.Encode()) != string(b) {
		t.Fatalf("round trip: %v", err)
	}
	verified, err := VerifyCertificate(n.Domain, back)
	if err != nil || verified.Digest() != plain.Digest() || verified.Certificate().Finalizes() != closing.Header.Hash() {
		t.Errorf("verified: %v", err)
	}
	for size := range len(b) {
		if _, err := DecodeCertificate(b[:size]); err == nil {
			t.Errorf("%d bytes of %d were accepted", size, len(b))
		}
	}
	for name, attach := range map[string]func(){
		"of another tail":     func() { plain.WithTail(second.Header) },
		"of no tail":          func() { n.finalization(t, closing.Header).WithTail(closing.Header) },
		"to another's parent": func() { n.finalization(t, closing.Header).WithTail(tail.Header) },
	} {
		if !panics(attach) {
			t.Errorf("the header %s was attached", name)
		}
	}
}

// TestTailCertificateCorruptions: whoever passes a certificate on can attach any header, which no signature but the
// hash covers.
func TestTailCertificateCorruptions(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	_, closing, tail, second := ending(t, n)
	good := n.finalization(t, tail.Header).WithTail(tail.Header).Certificate()
	notarization := n.notarization(t, tail.Header)
	cases := map[string]Certificate{}
	add := func(name string, c Certificate, change func(c *Certificate, h *Header)) {
		h := tail.Header
		c.Bitmap, c.Signatures = slices.Clone(c.Bitmap), slices.Clone(c.Signatures)
		c.Tail = &h
		change(&c, &h)
		cases[name] = c
	}
	add("another tail", good, func(c *Certificate, _ *Header) { c.Tail = &second.Header })
	add("the closing block", good, func(c *Certificate, _ *Header) { c.Tail = &closing.Header })
	add("another closing block named", good, func(_ *Certificate, h *Header) { h.Closing[31] ^= 1 })
	add("another time", good, func(_ *Certificate, h *Header) { h.TimeMs++ })
	add("another epoch", good, func(_ *Certificate, h *Header) { h.Epoch++ })
	add("a negative time", good, func(_ *Certificate, h *Header) { h.TimeMs = -1 })
	add("another version", good, func(_ *Certificate, h *Header) { h.Version = 2 })
	add("a state root", good, func(c *Certificate, h *Header) { h.ExecStateRoot[0] = 1; c.Block = h.Hash() })
	add("on a notarization", notarization, func(*Certificate, *Header) {})
	add("another view", good, func(c *Certificate, _ *Header) { c.View++ })
	add("another height", good, func(c *Certificate, _ *Header) { c.Height++ })
	add("another block", good, func(c *Certificate, _ *Header) { c.Block = closing.Header.Hash() })
	for name, c := range cases {
		if _, err := VerifyCertificate(n.Domain, c); err == nil {
			t.Errorf("%s: verified", name)
		}
		if _, err := DecodeCertificate(c.Encode()); err == nil {
			t.Errorf("%s: decoded", name)
		}
	}
	forged := good
	forged.Signatures = slices.Clone(good.Signatures)
	forged.Signatures[0][7] ^= 1
	if _, err := VerifyCertificate(n.Domain, forged); !errors.Is(err, ErrSignature) {
		t.Errorf("a forged signature under a right header: %v", err)
	}
}

func TestTailVectors(t *testing.T) {
	type vector struct {
		Name      string
		Hash      crypto.Hash
		Finalizes crypto.Hash
		Bytes     string
	}
	n := newNetwork(t, 1, 2, 3, 10)
	_, closing, tail, second := ending(t, n)
	var vectors []vector
	for _, p := range []Proposal{closing, tail, second} {
		name := fmt.Sprintf("proposal of view %d with flags %d", p.Header.View, p.Header.Flags)
		vectors = append(vectors, vector{name, p.Header.Hash(), p.Header.Closing, fmt.Sprintf("%x", p.Encode())})
	}
	for _, h := range []Header{tail.Header, second.Header} {
		c := n.finalization(t, h).WithTail(h).Certificate()
		vectors = append(vectors, vector{fmt.Sprintf("finalization of view %d with its tail", h.View), c.Block, c.Finalizes(), fmt.Sprintf("%x", c.Encode())})
	}
	golden(t, "tail", compact(vectors))
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}
