package light

import (
	"errors"
	"slices"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// path is the four blocks of the world in two paths, and the checkpoint they are of.
func (w *world) twoPaths() (Checkpoint, []Path) {
	c := Checkpoint{Genesis: w.domain.Genesis, Set: w.domain.Set, Anchor: quorum.Header{Genesis: w.domain.Genesis, ValidatorSet: w.domain.Set.Hash()}}
	return c, []Path{{Headers: slices.Clone(w.headers[:2]), Certificate: w.certs[1]}, {Headers: slices.Clone(w.headers[2:]), Certificate: w.certs[3]}}
}

func TestPathsTogether(t *testing.T) {
	w := newWorld(t)
	c, paths := w.twoPaths()
	got, err := c.VerifyPaths(paths)
	if err != nil || len(got) != 2 || len(got[0]) != 2 || len(got[1]) != 2 {
		t.Fatalf("%d paths: %v", len(got), err)
	}
	for i, h := range append(got[0], got[1]...) {
		if h.Header() != w.headers[i] || h.Hash() != w.headers[i].Hash() {
			t.Errorf("header %d is another", i)
		}
	}
	for name, x := range map[string]struct {
		forge func(c *Checkpoint, p []Path)
		want  error
	}{
		"no headers":               {func(_ *Checkpoint, p []Path) { p[1].Headers = nil }, ErrPath},
		"longer than a path":       {func(_ *Checkpoint, p []Path) { p[1].Headers = make([]quorum.Header, maxPath+1) }, ErrPath},
		"a gap":                    {func(_ *Checkpoint, p []Path) { p[1].Headers = []quorum.Header{w.headers[0], w.headers[3]} }, ErrPath},
		"a changed header inside":  {func(_ *Checkpoint, p []Path) { p[0].Headers[0].TimeMs++ }, ErrPath},
		"a changed last header":    {func(_ *Checkpoint, p []Path) { p[0].Headers[1].TimeMs++ }, ErrCertificate},
		"another's certificate":    {func(_ *Checkpoint, p []Path) { p[0].Certificate = w.certs[3] }, ErrCertificate},
		"a forged second":          {func(_ *Checkpoint, p []Path) { p[1].Certificate = forgedSignature(p[1].Certificate) }, ErrCertificate},
		"another network":          {func(c *Checkpoint, _ []Path) { c.Genesis[0] ^= 1 }, ErrCertificate},
		"another set":              {func(c *Checkpoint, _ []Path) { c.Set = otherSet(t) }, ErrCertificate},
		"of the epoch before":      {func(c *Checkpoint, _ []Path) { c.Epoch = 1 }, ErrHandover},
		"from before it began":     {func(c *Checkpoint, _ []Path) { c.Anchor.Height = 3 }, ErrHandover},
		"not the real check's yes": {func(c *Checkpoint, _ []Path) { c.Checker = never{} }, ErrCertificate},
	} {
		c, paths := w.twoPaths()
		x.forge(&c, paths)
		if _, err := c.VerifyPaths(paths); !errors.Is(err, x.want) {
			t.Errorf("%s: %v, want %v", name, err, x.want)
		}
	}
}

func forgedSignature(c quorum.Certificate) quorum.Certificate {
	c.Signatures = slices.Clone(c.Signatures)
	c.Signatures[0][7] ^= 1
	return c
}

// never believes no signature.
type never struct{}

func (never) VerifyBatch(checks []crypto.Check) []bool { return make([]bool, len(checks)) }

// TestFlippedHeaders: whichever bit of a header or its certificate is changed, it is refused.
func TestFlippedHeaders(t *testing.T) {
	w := newWorld(t)
	c, paths := w.twoPaths()
	header, cert := w.headers[1].Encode(), w.certs[1].Encode()
	step := 1
	if testing.Short() {
		step = 13
	}
	tried := 0
	try := func(h, c2 []byte) {
		tried++
		decoded, err := quorum.DecodeHeader(h)
		if err != nil {
			return
		}
		certificate, err := quorum.DecodeCertificate(c2)
		if err != nil {
			return
		}
		if _, err := VerifyHeader(w.domain, decoded, certificate); err == nil {
			t.Fatalf("accepted: header %x, certificate %x", h, c2)
		}
		if _, err := c.VerifyPaths([]Path{paths[1], {Headers: []quorum.Header{w.headers[0], decoded}, Certificate: certificate}}); err == nil {
			t.Fatalf("accepted on a path: header %x, certificate %x", h, c2)
		}
	}
	for i := 0; i < 8*len(header); i += step {
		bad := slices.Clone(header)
		bad[i/8] ^= 1 << (i % 8)
		try(bad, cert)
	}
	for i := 0; i < 8*len(cert); i += step {
		bad := slices.Clone(cert)
		bad[i/8] ^= 1 << (i % 8)
		try(header, bad)
	}
	t.Logf("%d flipped bits", tried)
}
