package quorum

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"waybill/crypto"
)

// cloneProposal copies what the tests change.
func cloneProposal(p Proposal) Proposal {
	if p.Justification.Parent != nil {
		c := *p.Justification.Parent
		p.Justification.Parent = &c
	}
	p.Justification.Skip = slices.Clone(p.Justification.Skip)
	p.Payload = slices.Clone(p.Payload)
	return p
}

func TestVerifyProposal(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	first := n.propose(t, 1, nil, []byte("tx 1"), []byte("tx 2"))
	empty := n.propose(t, 2, &first.Header)
	skipping := n.propose(t, 5, &first.Header, []byte("tx 3"))
	late := n.propose(t, 4, nil)
	for name, c := range map[string]struct {
		p        Proposal
		anchored bool
		skips    []View
	}{
		"on the anchor":       {first, true, nil},
		"empty, next view":    {empty, false, nil},
		"three views skipped": {skipping, false, []View{2, 3, 4}},
		"anchor, views lost":  {late, true, []View{1, 2, 3}},
	} {
		v, err := VerifyProposal(n.Domain, n.slate, n.anchor, c.p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if v.Hash() != c.p.Header.Hash() || v.Header() != c.p.Header || v.Vote().Vote().Kind != KindProposal {
			t.Errorf("%s: the verified proposal is another", name)
		}
		parent, has := v.Parent()
		if has == c.anchored || has && parent.Certificate().Block != c.p.Header.Parent {
			t.Errorf("%s: parent %v", name, has)
		}
		var skips []View
		for _, s := range v.Skip() {
			if s.IsZero() {
				t.Errorf("%s: an unverified nullification", name)
			}
			skips = append(skips, s.Certificate().View)
		}
		if !slices.Equal(skips, c.skips) {
			t.Errorf("%s: skips %v, want %v", name, skips, c.skips)
		}
		b := c.p.Encode()
		back, err := DecodeProposal(b)
		if err != nil || !bytes.Equal(back.Encode(), b) || back.Header.Hash() != v.Hash() {
			t.Errorf("%s: round trip: %v", name, err)
		}
		if len(b) > MaxProposalSize(n.Set.Len()) {
			t.Errorf("%s: %d bytes exceed MaxProposalSize", name, len(b))
		}
	}
	// A finalization shows a parent as well as a notarization does.
	final := cloneProposal(empty)
	statement := first.Header.Statement()
	statement.Kind = KindFinalize
	*final.Justification.Parent = n.certify(t, statement)
	if _, err := VerifyProposal(n.Domain, n.slate, n.anchor, n.seal(final)); err != nil {
		t.Errorf("parent shown final: %v", err)
	}
}

// TestProposalCorruptions changes one thing of a valid proposal at a time. "sealed" ones are signed by the leader
// afterwards, as a dishonest leader would; the others are what somebody on the way could do.
func TestProposalCorruptions(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	first := n.propose(t, 1, nil, []byte("tx 1"))
	good := n.propose(t, 4, &first.Header, []byte("tx 2"), []byte("tx 3"))
	rival := n.propose(t, 1, nil, []byte("rival"))
	foreign := n.nullification(t, 2)
	foreign.Epoch = 2
	for name, c := range map[string]struct {
		change func(p *Proposal)
		sealed bool
		kind   ErrorKind
	}{
		"view 0":           {func(p *Proposal) { p.Header.View = 0 }, true, ErrForm},
		"version":          {func(p *Proposal) { p.Header.Version = 2 }, true, ErrEncoding},
		"network":          {func(p *Proposal) { p.Header.Genesis[0] ^= 1 }, true, ErrDomain},
		"validator set":    {func(p *Proposal) { p.Header.ValidatorSet[0] ^= 1 }, true, ErrDomain},
		"closing":          {func(p *Proposal) { p.Header.Flags = FlagClosing }, true, ErrForm},
		"tail":             {func(p *Proposal) { p.Header.Flags = FlagTail }, true, ErrForm},
		"next set":         {func(p *Proposal) { p.Header.NextValidatorSet[0] = 1 }, true, ErrForm},
		"names a closing":  {func(p *Proposal) { p.Header.Closing[0] = 1 }, true, ErrForm},
		"time of anchor":   {func(p *Proposal) { p.Header.TimeMs = n.anchor.TimeMs }, true, ErrForm},
		"executed ahead":   {func(p *Proposal) { p.Header.ExecHeight = p.Header.Height }, true, ErrForm},
		"height of anchor": {func(p *Proposal) { p.Header.Height = 0 }, false, ErrForm},
		"wrong leader":     {func(p *Proposal) { p.Header.Proposer = (p.Header.Proposer + 1) % 4 }, false, ErrSigner},
		"no such leader":   {func(p *Proposal) { p.Header.Proposer = 4 }, false, ErrSigner},

		"unsigned":           {func(p *Proposal) { p.Signature = crypto.Signature{} }, false, ErrSignature},
		"flipped signature":  {func(p *Proposal) { p.Signature[5] ^= 1 }, false, ErrSignature},
		"another time":       {func(p *Proposal) { p.Header.TimeMs++ }, false, ErrSignature},
		"another state root": {func(p *Proposal) { p.Header.ExecStateRoot[0] ^= 1 }, false, ErrSignature},

		"transaction added":    {func(p *Proposal) { p.Payload = append(p.Payload, []byte("tx")) }, false, ErrPayload},
		"transaction dropped":  {func(p *Proposal) { p.Payload = p.Payload[:1] }, false, ErrPayload},
		"transactions swapped": {func(p *Proposal) { p.Payload[0], p.Payload[1] = p.Payload[1], p.Payload[0] }, false, ErrPayload},
		"transactions resplit": {func(p *Proposal) { p.Payload = [][]byte{[]byte("tx 2t"), []byte("x 3")} }, false, ErrPayload},
		"transaction changed":  {func(p *Proposal) { p.Payload[1] = []byte("tx 4") }, false, ErrPayload},
		"empty transaction":    {func(p *Proposal) { p.Payload = append(p.Payload, nil) }, true, ErrPayload},
		"too many bytes":       {func(p *Proposal) { p.Payload = [][]byte{make([]byte, MaxPayloadBytes+1)} }, true, ErrPayload},

		"justification swapped":   {func(p *Proposal) { *p.Justification.Parent = n.notarization(t, rival.Header) }, false, ErrPayload},
		"no justification":        {func(p *Proposal) { p.Justification = Justification{} }, true, ErrUnjust},
		"no parent certificate":   {func(p *Proposal) { p.Justification.Parent = nil }, true, ErrUnjust},
		"another parent":          {func(p *Proposal) { *p.Justification.Parent = n.notarization(t, rival.Header) }, true, ErrUnjust},
		"parent hash invented":    {func(p *Proposal) { p.Header.Parent[0] ^= 1 }, true, ErrUnjust},
		"parent view later":       {func(p *Proposal) { p.Header.ParentView = 2 }, true, ErrUnjust},
		"parent view not before":  {func(p *Proposal) { p.Header.ParentView = 4 }, true, ErrForm},
		"height skips":            {func(p *Proposal) { p.Header.Height++ }, true, ErrUnjust},
		"height repeats":          {func(p *Proposal) { p.Header.Height-- }, true, ErrUnjust},
		"parent of another epoch": {func(p *Proposal) { p.Justification.Parent.Epoch = 2 }, true, ErrUnjust},
		"parent by nullification": {func(p *Proposal) { *p.Justification.Parent = n.nullification(t, 1) }, true, ErrForm},
		"parent signature bad": {func(p *Proposal) {
			s := slices.Clone(p.Justification.Parent.Signatures)
			s[0][9] ^= 1
			p.Justification.Parent.Signatures = s
		}, true, ErrSignature},
		"parent below quorum": {func(p *Proposal) {
			c := p.Justification.Parent
			c.Bitmap, c.Signatures = []byte{1}, c.Signatures[:1]
		}, true, ErrPower},
		"parent view later, skips to match": {func(p *Proposal) {
			p.Header.ParentView, p.Justification.Skip = 2, p.Justification.Skip[1:]
		}, true, ErrUnjust},
		"anchor at a later view": {func(p *Proposal) {
			p.Header.Parent, p.Header.ParentView, p.Header.Height, p.Justification.Parent = n.anchor.Hash, 1, 1, nil
		}, true, ErrUnjust},
		"anchor pretended": {func(p *Proposal) {
			p.Justification.Parent, p.Header.ParentView, p.Header.Parent = nil, 0, n.anchor.Hash
		}, true, ErrUnjust},

		"first skip missing": {func(p *Proposal) { p.Justification.Skip = p.Justification.Skip[1:] }, true, ErrUnjust},
		"last skip missing":  {func(p *Proposal) { p.Justification.Skip = p.Justification.Skip[:1] }, true, ErrUnjust},
		"no skips":           {func(p *Proposal) { p.Justification.Skip = nil }, true, ErrUnjust},
		"skips swapped":      {func(p *Proposal) { slices.Reverse(p.Justification.Skip) }, true, ErrForm},
		"skip twice":         {func(p *Proposal) { p.Justification.Skip[1] = p.Justification.Skip[0] }, true, ErrForm},
		"skip of own view":   {func(p *Proposal) { p.Justification.Skip = append(p.Justification.Skip, n.nullification(t, 4)) }, true, ErrUnjust},
		"skip of parent view": {func(p *Proposal) {
			p.Justification.Skip = slices.Insert(p.Justification.Skip, 0, n.nullification(t, 1))
		}, true, ErrUnjust},
		"skip by notarization": {func(p *Proposal) { p.Justification.Skip[0] = *p.Justification.Parent }, true, ErrForm},
		"skip of other epoch":  {func(p *Proposal) { p.Justification.Skip[0] = foreign }, true, ErrUnjust},
		"skip signature bad":   {func(p *Proposal) { p.Justification.Skip[1].Signatures = p.Justification.Skip[0].Signatures }, true, ErrSignature},
		"too many skips":       {func(p *Proposal) { p.Justification.Skip = make([]Certificate, MaxSkip+1) }, true, ErrForm},
	} {
		p := cloneProposal(good)
		c.change(&p)
		if c.sealed {
			p = n.seal(p)
		}
		v, err := VerifyProposal(n.Domain, n.slate, n.anchor, p)
		if !errors.Is(err, c.kind) {
			t.Errorf("%s: got %v, want %v", name, err, c.kind)
		}
		if v.Hash() != (crypto.Hash{}) {
			t.Errorf("%s: a refused proposal is also verified", name)
		}
	}
	if _, err := VerifyProposal(n.Domain, n.slate, n.anchor, good); err != nil {
		t.Errorf("the corruptions changed the original: %v", err)
	}
}

// TestHeldNullificationsFillGaps: what the caller holds may be left out; what is sent must still be right.
func TestHeldNullificationsFillGaps(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	p := n.propose(t, 6, nil)
	held := map[View]VerifiedCertificate{}
	for _, v := range []View{2, 4} {
		c, err := VerifyCertificate(n.Domain, n.nullification(t, v))
		if err != nil {
			t.Fatal(err)
		}
		held[v] = c
	}
	holding := func(v View) (VerifiedCertificate, bool) { c, ok := held[v]; return c, ok }
	gaps := cloneProposal(p)
	gaps.Justification.Skip = []Certificate{p.Justification.Skip[0], p.Justification.Skip[2], p.Justification.Skip[4]}
	gaps = n.seal(gaps)
	if _, err := VerifyProposal(n.Domain, n.slate, n.anchor, gaps); !errors.Is(err, ErrUnjust) {
		t.Errorf("holding nothing: %v", err)
	}
	v, err := VerifyProposalHolding(n.Domain, n.slate, n.anchor, gaps, holding)
	if err != nil || len(v.Skip()) != 5 {
		t.Fatalf("holding the gaps: %d, %v", len(v.Skip()), err)
	}
	for i, s := range v.Skip() {
		if s.Certificate().View != View(i+1) || s.IsZero() {
			t.Errorf("skip %d is of view %d", i, s.Certificate().View)
		}
	}
	delete(held, 4)
	if _, err := VerifyProposalHolding(n.Domain, n.slate, n.anchor, gaps, holding); !errors.Is(err, ErrUnjust) {
		t.Errorf("holding one gap of two: %v", err)
	}
	// Holding one does not excuse a forged one: the verdict must not depend on what is held.
	forged := cloneProposal(p)
	forged.Justification.Skip[1].Signatures = forged.Justification.Skip[0].Signatures
	if _, err := VerifyProposalHolding(n.Domain, n.slate, n.anchor, n.seal(forged), holding); !errors.Is(err, ErrSignature) {
		t.Errorf("a forged one beside a held one: %v", err)
	}
	// Something else returned under the view is not taken.
	held[4] = held[2]
	if _, err := VerifyProposalHolding(n.Domain, n.slate, n.anchor, gaps, holding); !errors.Is(err, ErrUnjust) {
		t.Errorf("another view's nullification held: %v", err)
	}
}

// TestFarViewsCostNothing: a leader of a view far ahead cannot make anybody count up to it.
func TestFarViewsCostNothing(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	p := cloneProposal(n.propose(t, 1, nil))
	p.Header.View = 1 << 62
	p = n.seal(p)
	holding := func(View) (VerifiedCertificate, bool) { return VerifiedCertificate{}, false }
	for _, held := range []func(View) (VerifiedCertificate, bool){nil, holding} {
		if _, err := VerifyProposalHolding(n.Domain, n.slate, n.anchor, p, held); !errors.Is(err, ErrUnjust) {
			t.Errorf("got %v", err)
		}
	}
}

func TestDecodeProposalRefuses(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	first := n.propose(t, 1, nil, []byte("tx 1"))
	b := n.propose(t, 3, &first.Header, []byte("tx 2"), []byte("tx 3")).Encode()
	for size := range b {
		if _, err := DecodeProposal(b[:size:size]); err == nil {
			t.Fatalf("%d bytes of %d were accepted", size, len(b))
		}
	}
	if _, err := DecodeProposal(append(bytes.Clone(b), 0)); !errors.Is(err, ErrEncoding) {
		t.Errorf("a byte more: %v", err)
	}
	payload := len(b) - 2*(4+4) - 4 // where the number of transactions stands
	for name, change := range map[string]func(b []byte){
		"justification begins with 2": func(b []byte) { b[HeaderSize+crypto.SignatureSize] = 2 },
		"count of 2^32-1":             func(b []byte) { copy(b[payload:], "\xff\xff\xff\xff") },
		"count of one more":           func(b []byte) { b[payload+3]++ },
		"count of one less":           func(b []byte) { b[payload+3]-- },
		"empty transaction":           func(b []byte) { b[payload+7] = 0 },
		"transaction of 2^32-1":       func(b []byte) { copy(b[payload+4:], "\xff\xff\xff\xff") },
		"flags":                       func(b []byte) { b[HeaderSize-1] = 0x80 },
	} {
		bad := bytes.Clone(b)
		change(bad)
		if _, err := DecodeProposal(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestDecodePayloadRefusesEmptyTransactions(t *testing.T) {
	n := newNetwork(t, 1, 1)
	p := n.propose(t, 1, nil)
	p.Payload = [][]byte{[]byte("long enough"), {}, []byte("tx")}
	if _, err := DecodeProposal(p.Encode()); !errors.Is(err, ErrEncoding) {
		t.Errorf("got %v", err)
	}
}

func TestDecodeJustification(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	first := n.propose(t, 1, nil)
	for name, j := range map[string]Justification{
		"empty":  {},
		"parent": n.propose(t, 2, &first.Header).Justification,
		"skips":  n.propose(t, 3, nil).Justification,
		"both":   n.propose(t, 5, &first.Header).Justification,
	} {
		b := j.Encode()
		back, err := DecodeJustification(b)
		if err != nil || !bytes.Equal(back.Encode(), b) || back.Hash() != j.Hash() {
			t.Errorf("%s: round trip: %v", name, err)
		}
		if _, err := DecodeJustification(append(b, 0)); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: a byte more gave %v", name, err)
		}
	}
	if _, err := DecodeJustification([]byte{0, 0x04, 0x01}); !errors.Is(err, ErrEncoding) {
		t.Errorf("1025 skips: %v", err)
	}
	skips := n.propose(t, 3, nil).Justification
	skips.Skip[1] = skips.Skip[0]
	if _, err := DecodeJustification(skips.Encode()); !errors.Is(err, ErrForm) {
		t.Errorf("a view skipped twice: %v", err)
	}
}

// TestDecodersAllocateLittle: no short message makes a decoder allocate much more than 16 bytes per byte.
func TestDecodersAllocateLittle(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	head := n.propose(t, 1, nil).Encode()
	head = head[:len(head)-4]
	bombs := map[string][]byte{
		"many tiny transactions": appendPayload(bytes.Clone(head), slices.Repeat([][]byte{{1}}, 20000)),
		"count beyond the bytes": append(bytes.Clone(head), 0, 1, 0, 0),
		"length beyond":          append(bytes.Clone(head), 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 1, 1, 1, 1),
	}
	for name, b := range bombs {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := DecodeProposal(b)
		runtime.ReadMemStats(&after)
		if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(16*len(b)+64<<10); got > limit {
			t.Errorf("%s: %d bytes made the decoder allocate %d (%v)", name, len(b), got, err)
		}
	}
}

func TestProposalVectors(t *testing.T) {
	type vector struct {
		Name          string
		Hash          crypto.Hash
		Justification crypto.Hash
		PayloadRoot   crypto.Hash
		Digest        crypto.Hash
		Bytes         string
	}
	n := newNetwork(t, 1, 2, 3, 10)
	first := n.propose(t, 1, nil, []byte("tx 1"), []byte("tx 2"))
	var vectors []vector
	for _, c := range []struct {
		name string
		p    Proposal
	}{
		{"on the anchor", first},
		{"on its parent", n.propose(t, 2, &first.Header)},
		{"after two lost views", n.propose(t, 4, &first.Header, []byte("tx 3"))},
		{"first after three lost views", n.propose(t, 4, nil)},
	} {
		h := c.p.Header
		vectors = append(vectors, vector{c.name, h.Hash(), h.Justification, h.PayloadRoot, h.Statement().Digest(n.Domain), fmt.Sprintf("%x", c.p.Encode())})
	}
	golden(t, "proposal", compact(vectors))
}
