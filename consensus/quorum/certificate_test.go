package quorum

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"waybill/crypto"
)

// TestCertifyCountsPowerNotHeads: with powers 10, 3, 2, 1 the quorum is 11 of 16.
func TestCertifyCountsPowerNotHeads(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	if n.Set.Quorum() != 11 || n.Set.Blocking() != 6 {
		t.Fatalf("Q=%d B=%d", n.Set.Quorum(), n.Set.Blocking())
	}
	for _, c := range []struct {
		signers []int
		want    []int // nil: no certificate
	}{
		{[]int{0}, nil},
		{[]int{1, 2, 3}, nil}, // three heads of four, six of sixteen
		{[]int{0, 3}, []int{0, 3}},
		{[]int{3, 2, 1, 0}, []int{0, 1}}, // the highest powers first, and then no more
		{[]int{3, 2, 0}, []int{0, 2}},
		{[]int{0, 0, 0}, nil}, // one signer three times
		{[]int{3, 0, 3, 0}, []int{0, 3}},
	} {
		var votes []Vote
		for _, i := range c.signers {
			votes = append(votes, n.vote(KindNotarize, 5, "b", i))
		}
		got, err := Certify(n.Domain, n.verified(t, votes...))
		if c.want == nil {
			if !errors.Is(err, ErrPower) || !got.IsZero() {
				t.Errorf("signers %v: got %v, %v, want ErrPower", c.signers, got.Certificate().Signers(), err)
			}
			continue
		}
		if err != nil || !slices.Equal(got.Certificate().Signers(), c.want) {
			t.Errorf("signers %v: got %v, %v, want %v", c.signers, got.Certificate().Signers(), err, c.want)
			continue
		}
		again, err := VerifyCertificate(n.Domain, got.Certificate())
		if err != nil || again.Digest() != got.Digest() {
			t.Errorf("signers %v: the certificate does not verify: %v", c.signers, err)
		}
	}
}

func TestCertifyRefuses(t *testing.T) {
	n := newNetwork(t, 1, 1, 1, 1)
	three := func(kind VoteKind, view View, name string) []VerifiedVote {
		var votes []Vote
		for i := range 3 {
			votes = append(votes, n.vote(kind, view, name, i))
		}
		return n.verified(t, votes...)
	}
	a, b := three(KindNotarize, 5, "a"), three(KindNotarize, 5, "b")
	other := n.Domain
	other.Genesis[0] ^= 1
	for name, c := range map[string]struct {
		d     Domain
		votes []VerifiedVote
		kind  ErrorKind
	}{
		"no votes":        {n.Domain, nil, ErrPower},
		"two blocks":      {n.Domain, []VerifiedVote{a[0], a[1], b[2]}, ErrDomain},
		"two views":       {n.Domain, []VerifiedVote{a[0], a[1], three(KindNotarize, 6, "a")[2]}, ErrDomain},
		"two kinds":       {n.Domain, []VerifiedVote{a[0], a[1], three(KindFinalize, 5, "a")[2]}, ErrDomain},
		"proposals":       {n.Domain, three(KindProposal, 5, "a"), ErrForm},
		"another network": {other, a, ErrDomain},
	} {
		if _, err := Certify(c.d, c.votes); !errors.Is(err, c.kind) {
			t.Errorf("%s: got %v, want %v", name, err, c.kind)
		}
	}
}

// TestCertificateCorruptions names one change of a valid certificate at a time.
func TestCertificateCorruptions(t *testing.T) {
	n := newNetwork(t, 5, 4, 3, 2, 1, 1, 1, 1, 1) // nine validators: two bytes of bitmap, Q = 13 of 19
	like := Vote{Kind: KindNotarize, Epoch: 1, View: 9, Height: 4, Block: block("b")}
	good := n.certify(t, like)
	if got := good.Signers(); !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Fatalf("signers %v", got)
	}
	with := func(f func(c *Certificate)) Certificate {
		c := good
		c.Bitmap, c.Signatures = slices.Clone(c.Bitmap), slices.Clone(c.Signatures)
		f(&c)
		return c
	}
	signature := func(i int, v Vote) crypto.Signature {
		v.Signer = uint16(i)
		return n.sign(v).Signature
	}
	otherView := like
	otherView.View++
	cases := map[string]struct {
		c    Certificate
		kind ErrorKind
	}{
		"kind proposal":     {with(func(c *Certificate) { c.Kind = KindProposal }), ErrForm},
		"kind unknown":      {with(func(c *Certificate) { c.Kind = 9 }), ErrForm},
		"kind finalize":     {with(func(c *Certificate) { c.Kind = KindFinalize }), ErrSignature},
		"epoch":             {with(func(c *Certificate) { c.Epoch++ }), ErrSignature},
		"view":              {with(func(c *Certificate) { c.View++ }), ErrSignature},
		"view 0":            {with(func(c *Certificate) { c.View = 0 }), ErrForm},
		"height":            {with(func(c *Certificate) { c.Height++ }), ErrSignature},
		"block":             {with(func(c *Certificate) { c.Block[31] ^= 1 }), ErrSignature},
		"no block":          {with(func(c *Certificate) { c.Block = crypto.Hash{} }), ErrForm},
		"nobody":            {with(func(c *Certificate) { c.Bitmap, c.Signatures = make([]byte, 2), nil }), ErrForm},
		"no bitmap":         {with(func(c *Certificate) { c.Bitmap = nil }), ErrForm},
		"bit without sig":   {with(func(c *Certificate) { c.Bitmap[0] |= 1 << 4 }), ErrForm},
		"sig without bit":   {with(func(c *Certificate) { c.Bitmap[0] &^= 1 }), ErrForm},
		"bit moved":         {with(func(c *Certificate) { c.Bitmap[0] ^= 1<<3 | 1<<4 }), ErrSignature},
		"bit moved to weak": {with(func(c *Certificate) { c.Bitmap[0] ^= 1<<2 | 1<<4 }), ErrPower},
		"bit moved, enough": {with(func(c *Certificate) {
			c.Bitmap[0] = 0b1111_0111
			c.Signatures = append(c.Signatures, c.Signatures[:3]...)
		}), ErrSignature},
		"bit out of range":         {with(func(c *Certificate) { c.Bitmap[1] |= 1 << 1; c.Signatures = append(c.Signatures, c.Signatures[0]) }), ErrSigner},
		"short bitmap":             {with(func(c *Certificate) { c.Bitmap = c.Bitmap[:1] }), ErrForm},
		"long bitmap":              {with(func(c *Certificate) { c.Bitmap = append(c.Bitmap, 0) }), ErrForm},
		"below the quorum":         {with(func(c *Certificate) { c.Bitmap[0] = 0b0111; c.Signatures = c.Signatures[:3] }), ErrPower},
		"signatures swapped":       {with(func(c *Certificate) { c.Signatures[0], c.Signatures[1] = c.Signatures[1], c.Signatures[0] }), ErrSignature},
		"one signer twice":         {with(func(c *Certificate) { c.Signatures[3] = c.Signatures[0] }), ErrSignature},
		"another view's signature": {with(func(c *Certificate) { c.Signatures[2] = signature(2, otherView) }), ErrSignature},
		"garbage behind a quorum":  {with(func(c *Certificate) { c.Bitmap[0] |= 1 << 4; c.Signatures = append(c.Signatures, crypto.Signature{1}) }), ErrSignature},
		"flipped":                  {with(func(c *Certificate) { c.Signatures[1][40] ^= 1 }), ErrSignature},
	}
	var all []Certificate
	var names []string
	for name, c := range cases {
		got, err := VerifyCertificate(n.Domain, c.c)
		if !errors.Is(err, c.kind) || !got.IsZero() {
			t.Errorf("%s: got %v, want %v", name, err, c.kind)
		}
		all, names = append(all, c.c, good), append(names, name, "")
	}
	for i, r := range VerifyCertificates(n.Domain, all) {
		if (r.Err == nil) != (names[i] == "") || r.Verified.IsZero() == (r.Err == nil) {
			t.Errorf("in a batch, %q beside valid ones: %v", names[i], r.Err)
		}
	}
	more := with(func(c *Certificate) { c.Bitmap[0] |= 1 << 4; c.Signatures = append(c.Signatures, signature(4, like)) })
	if _, err := VerifyCertificate(n.Domain, more); err != nil {
		t.Errorf("one signer more than needed: %v", err)
	}
	other := n.Domain
	other.Genesis[0] ^= 1
	if _, err := VerifyCertificate(other, good); !errors.Is(err, ErrSignature) {
		t.Errorf("on another network: %v", err)
	}
}

func TestCertificateEncoding(t *testing.T) {
	for _, c := range []struct {
		validators, want int
	}{{1, 124}, {4, 252}, {7, 380}, {100, 4360}} { // 60 of fixed fields, the bitmap, and 64 per signer
		powers := slices.Repeat([]Power{1}, c.validators)
		n := newNetwork(t, powers...)
		cert := n.certify(t, Vote{Kind: KindFinalize, Epoch: 1, View: 9, Height: 4, Block: block("b")})
		b := cert.Encode()
		if len(b) != cert.Size() || len(b) != c.want {
			t.Errorf("n=%d: %d bytes, Size says %d, want %d", c.validators, len(b), cert.Size(), c.want)
		}
		back, err := DecodeCertificate(b)
		if err != nil || string(back.Encode()) != string(b) {
			t.Fatalf("n=%d: round trip: %v", c.validators, err)
		}
		if votes := back.Votes(); len(votes) != len(cert.Signatures) || VerifyVotes(n.Domain, votes)[0].Err != nil {
			t.Errorf("n=%d: the votes of a certificate do not stand alone", c.validators)
		}
		for size := 0; size < len(b); size += 1 + len(b)/40 {
			if _, err := DecodeCertificate(b[:size]); err == nil {
				t.Errorf("n=%d: %d bytes of %d were accepted", c.validators, size, len(b))
			}
		}
		if _, err := DecodeCertificate(append(b, 0)); !errors.Is(err, ErrEncoding) {
			t.Errorf("n=%d: a byte more gave %v", c.validators, err)
		}
		b[0] = 3
		if _, err := DecodeCertificate(b); !errors.Is(err, ErrEncoding) {
			t.Errorf("n=%d: another scheme gave %v", c.validators, err)
		}
		b[0], b[58] = 1, 33
		if _, err := DecodeCertificate(b); !errors.Is(err, ErrEncoding) {
			t.Errorf("n=%d: a bitmap of 264 validators gave %v", c.validators, err)
		}
	}
}

// TestCertificateSizeForLightClients: with four validators it stays small enough to print on a label's QR code.
func TestCertificateSizeForLightClients(t *testing.T) {
	for _, powers := range [][]Power{{1, 1, 1, 1}, {1, 2, 3, 10}, {4, 3, 2, 1}} {
		n := newNetwork(t, powers...)
		size := n.certify(t, Vote{Kind: KindFinalize, Epoch: 1, View: 9, Height: 4, Block: block("b")}).Size()
		if size > 252 {
			t.Errorf("powers %v: %d bytes", powers, size)
		}
	}
}

// TestCertificatesExistExactlyAtTheQuorum draws powers and signers.
func TestCertificatesExistExactlyAtTheQuorum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		powers := rapid.SliceOfN(rapid.Map(rapid.Uint64Range(1, 12), func(p uint64) Power { return Power(p) }), 1, 7).Draw(t, "powers")
		n := newNetwork(t, powers...)
		n.Domain.Checker = keyedHash{}
		var votes []Vote
		var power Power
		for i := range powers {
			if !rapid.Bool().Draw(t, "signs") {
				continue
			}
			v := Vote{Kind: KindNullify, Epoch: 1, View: 3, Signer: uint16(i)}
			v.Signature = keyedHash{}.sign(n.Set.At(i).Key, v.Digest(n.Domain))
			votes, power = append(votes, v), power+n.Set.At(i).Power
		}
		c, err := Certify(n.Domain, n.verified(t, votes...))
		if enough := 3*power > 2*n.Set.Total(); enough != (err == nil) {
			t.Fatalf("power %d of %d: %v", power, n.Set.Total(), err)
		}
		if err != nil {
			return
		}
		if _, err := VerifyCertificate(n.Domain, c.Certificate()); err != nil {
			t.Fatal(err)
		}
		signers := c.Certificate().Signers()
		var without Power // of all but the weakest signer
		for _, i := range signers[:len(signers)-1] {
			without += n.Set.At(i).Power
		}
		if 3*without > 2*n.Set.Total() {
			t.Fatalf("signer %d is not needed", signers[len(signers)-1])
		}
	})
}

func TestCertificateVectors(t *testing.T) {
	type vector struct {
		Powers []Power
		Kind   string
		Digest crypto.Hash
		Bytes  string
	}
	var vectors []vector
	for _, powers := range [][]Power{{1}, {1, 1, 1, 1}, {1, 2, 3, 10}, slices.Repeat([]Power{3}, 9)} {
		n := newNetwork(t, powers...)
		for _, kind := range []VoteKind{KindNotarize, KindFinalize, KindNullify} {
			v := n.vote(kind, 9, "b", 0)
			c := n.certify(t, v)
			vectors = append(vectors, vector{powers, kind.String(), v.Digest(n.Domain), fmt.Sprintf("%x", c.Encode())})
		}
	}
	golden(t, "certificate", compact(vectors))
}
