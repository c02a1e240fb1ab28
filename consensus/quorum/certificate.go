package quorum

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"waybill/crypto"
)

// The first byte of every certificate. Other values are kept for other schemes of signatures.
const (
	schemeSeparate = 1 // separate ECDSA signatures
	schemeTail     = 2 // the same, with the header of the tail it finalizes behind the block hash
)

// Certificate shows that validators with at least Quorum of the power signed one statement: a notarization, a
// finalization or a nullification, by its Kind. Bit i of Bitmap (byte i/8, lowest bit first) says that validator i
// signed; Signatures follow in index order. A signer cannot be counted twice, and each signature names its signer.
type Certificate struct {
	Kind       VoteKind
	Epoch      Epoch
	View       View
	Height     Height
	Block      crypto.Hash
	Bitmap     []byte
	Signatures []crypto.Signature

	// Tail is the header whose hash is Block, when the certificate is a finalization of a tail that is to show, by
	// itself, which closing block is final: see Finalizes. Nobody signs it apart from its hash; nil everywhere else.
	Tail *Header
}

// Finalizes is the block of the ledger that a finalization makes final: Block, or the closing block that Tail names.
func (c Certificate) Finalizes() crypto.Hash {
	if c.Tail != nil {
		return c.Tail.Closing
	}
	return c.Block
}

// certificateFixed is the length of an encoded certificate without bitmap and signatures.
const certificateFixed = 1 + 1 + 8 + 8 + 8 + 32 + 1

// MaxCertificateSize is the length in bytes of the largest certificate.
const MaxCertificateSize = certificateFixed + HeaderSize + MaxValidators/8 + MaxValidators*crypto.SignatureSize

// Encode writes scheme, kind, epoch, view, height, block, the header of the tail if there is one (scheme 2), length of
// the bitmap (one byte), bitmap and signatures.
func (c Certificate) Encode() []byte { return c.append(make([]byte, 0, c.Size())) }

// Size is the length of Encode in bytes: 252 for three signers of four.
func (c Certificate) Size() int {
	n := certificateFixed + len(c.Bitmap) + len(c.Signatures)*crypto.SignatureSize
	if c.Tail != nil {
		n += HeaderSize
	}
	return n
}

func (c Certificate) append(b []byte) []byte {
	scheme := byte(schemeSeparate)
	if c.Tail != nil {
		scheme = schemeTail
	}
	b = append(b, scheme, byte(c.Kind))
	b = binary.BigEndian.AppendUint64(b, uint64(c.Epoch))
	b = binary.BigEndian.AppendUint64(b, uint64(c.View))
	b = binary.BigEndian.AppendUint64(b, uint64(c.Height))
	b = append(b, c.Block[:]...)
	if c.Tail != nil {
		b = append(b, c.Tail.Encode()...)
	}
	b = append(b, byte(len(c.Bitmap)))
	b = append(b, c.Bitmap...)
	for _, s := range c.Signatures {
		b = append(b, s[:]...)
	}
	return b
}

// DecodeCertificate accepts exactly what Encode writes for a well-formed certificate: as many signatures as bits, no
// more than MaxValidators bits, nothing after the end. Whether the signers exist and suffice is VerifyCertificates'.
func DecodeCertificate(b []byte) (Certificate, error) {
	r := reader{crypto.ReadFields(b)}
	c, err := r.certificate()
	if err != nil {
		return Certificate{}, err
	}
	if err := r.done("certificate"); err != nil {
		return Certificate{}, err
	}
	return c, nil
}

func (r *reader) certificate() (Certificate, error) {
	scheme := r.U8()
	if scheme != schemeSeparate && scheme != schemeTail && !r.Short() {
		return Certificate{}, refuse(ErrEncoding, "certificate scheme %d is not known", scheme)
	}
	c := Certificate{
		Kind: VoteKind(r.U8()), Epoch: Epoch(r.U64()), View: View(r.U64()), Height: Height(r.U64()), Block: r.Hash(),
	}
	if scheme == schemeTail {
		h := r.header()
		c.Tail = &h
	}
	size := int(r.U8())
	if size > MaxValidators/8 {
		return Certificate{}, refuse(ErrEncoding, "a bitmap has at most %d bytes, got %d", MaxValidators/8, size)
	}
	c.Bitmap = slices.Clone(r.Bytes(size))
	raw := r.Bytes(popcount(c.Bitmap) * crypto.SignatureSize)
	if r.Short() {
		return Certificate{}, refuse(ErrEncoding, "a certificate ends too early")
	}
	c.Signatures = make([]crypto.Signature, len(raw)/crypto.SignatureSize)
	for i := range c.Signatures {
		copy(c.Signatures[i][:], raw[i*crypto.SignatureSize:])
	}
	return c, c.checkForm()
}

func popcount(bitmap []byte) int {
	n := 0
	for _, b := range bitmap {
		n += bits.OnesCount8(b)
	}
	return n
}

// checkForm needs no validator set.
func (c *Certificate) checkForm() error {
	if c.Kind == KindProposal {
		return refuse(ErrForm, "there are no certificates of proposals")
	}
	if err := checkStatement(c.Kind, c.View, c.Height, c.Block); err != nil {
		return err
	}
	if err := c.checkTail(); err != nil {
		return err
	}
	if n := popcount(c.Bitmap); n == 0 || n != len(c.Signatures) {
		return refuse(ErrForm, "a certificate with %d signers and %d signatures", n, len(c.Signatures))
	}
	return nil
}

// checkTail checks that the attached header, if any, is the tail that the certificate finalizes.
func (c *Certificate) checkTail() error {
	if c.Tail == nil {
		return nil
	}
	t := c.Tail
	if c.Kind != KindFinalize || !t.IsTail() {
		return refuse(ErrForm, "only a finalization of a tail carries a header, and only that tail's")
	}
	if err := t.checkForm(); err != nil {
		return err
	}
	if err := t.checkKind(); err != nil {
		return err
	}
	if t.Epoch != c.Epoch || t.View != c.View || t.Height != c.Height || t.Hash() != c.Block {
		return refuse(ErrForm, "the certificate of view %d carries the header of another block", c.View)
	}
	return nil
}

// Signers lists the indices of the signers, ascending, in the order of Signatures.
func (c Certificate) Signers() []int {
	var out []int
	for i := range 8 * len(c.Bitmap) {
		if c.Bitmap[i/8]>>(i%8)&1 == 1 {
			out = append(out, i)
		}
	}
	return out
}

// Votes takes the certificate apart into the votes it is made of.
func (c Certificate) Votes() []Vote {
	signers := c.Signers()
	out := make([]Vote, min(len(signers), len(c.Signatures)))
	for i := range out {
		out[i] = c.statement()
		out[i].Signer, out[i].Signature = uint16(signers[i]), c.Signatures[i]
	}
	return out
}

// statement is what every signer of c signed.
func (c *Certificate) statement() Vote {
	return Vote{Kind: c.Kind, Epoch: c.Epoch, View: c.View, Height: c.Height, Block: c.Block}
}

// VerifiedCertificate is a certificate whose power and signatures were checked. Only this package makes them. The zero
// value is no certificate.
type VerifiedCertificate struct {
	certificate Certificate
	digest      crypto.Hash
}

// Certificate returns the certificate; its slices must not be changed.
func (c VerifiedCertificate) Certificate() Certificate { return c.certificate }

// Digest returns what its signers signed; it binds the certificate to the domain it was checked in.
func (c VerifiedCertificate) Digest() crypto.Hash { return c.digest }

// IsZero reports whether c is the zero value, which is no certificate.
func (c VerifiedCertificate) IsZero() bool { return c.digest.IsZero() }

// WithTail returns the certificate with the header of the tail that it finalizes, so that it shows by itself which
// closing block is final. It panics when the header is not that of Block: the caller holds the block.
func (c VerifiedCertificate) WithTail(h Header) VerifiedCertificate {
	c.certificate.Tail = &h
	if err := c.certificate.checkTail(); err != nil {
		panic("quorum: " + err.Error())
	}
	return c
}

// WithoutTail returns the certificate as it stands in a justification: without the header of a tail.
func (c VerifiedCertificate) WithoutTail() VerifiedCertificate {
	c.certificate.Tail = nil
	return c
}

// Certify makes a certificate of verified votes: the highest powers first, until the quorum is reached. All votes must
// state the same in domain d; a repeated signer counts once. Errors: ErrForm, ErrDomain, or ErrPower when the votes do
// not suffice.
func Certify(d Domain, votes []VerifiedVote) (VerifiedCertificate, error) {
	if len(votes) == 0 {
		return VerifiedCertificate{}, refuse(ErrPower, "there are no votes")
	}
	first := votes[0].vote
	if first.Kind == KindProposal {
		return VerifiedCertificate{}, refuse(ErrForm, "there are no certificates of proposals")
	}
	digest := first.Digest(d)
	for _, v := range votes {
		if v.digest != digest {
			return VerifiedCertificate{}, refuse(ErrDomain, "votes of validators %d and %d do not state the same here", first.Signer, v.vote.Signer)
		}
	}
	// Indices are in order of power, so that the order of the bitmap is also the order of choice.
	sorted := slices.Clone(votes)
	slices.SortStableFunc(sorted, func(a, b VerifiedVote) int { return int(a.vote.Signer) - int(b.vote.Signer) })
	c := Certificate{
		Kind: first.Kind, Epoch: first.Epoch, View: first.View, Height: first.Height, Block: first.Block,
		Bitmap: make([]byte, (d.Set.Len()+7)/8),
	}
	var power Power
	for _, v := range sorted {
		i := v.vote.Signer
		if c.Bitmap[i/8]>>(i%8)&1 == 1 {
			continue
		}
		c.Bitmap[i/8] |= 1 << (i % 8)
		c.Signatures = append(c.Signatures, v.vote.Signature)
		if power += d.Set.At(int(i)).Power; power >= d.Set.Quorum() {
			return VerifiedCertificate{certificate: c, digest: digest}, nil
		}
	}
	return VerifiedCertificate{}, refuse(ErrPower, "votes of power %d, a quorum is %d", power, d.Set.Quorum())
}

// CertificateResult is the outcome for one certificate: Verified when Err is nil.
type CertificateResult struct {
	Verified VerifiedCertificate
	Err      error
}

// VerifyCertificates checks many certificates of one domain at once; result i is about certificate i. A certificate
// holds exactly when its bits are validators of the set, there is one signature per bit, their power reaches the
// quorum, and every signature verifies. Errors are of kind ErrForm, ErrSigner, ErrPower or ErrSignature.
func VerifyCertificates(d Domain, certificates []Certificate) []CertificateResult {
	results := make([]CertificateResult, len(certificates))
	var checks []crypto.Check
	ends := make([]int, len(certificates)) // of each certificate's checks
	for i := range certificates {
		own, err := certificates[i].checks(d)
		results[i].Err = err
		checks = append(checks, own...)
		ends[i] = len(checks)
	}
	valid := d.verifyBatch(checks)
	start := 0
	for i, c := range certificates {
		if results[i].Err == nil {
			if bad := slices.Index(valid[start:ends[i]], false); bad >= 0 {
				results[i].Err = refuse(ErrSignature, "signature %d of the %s certificate of view %d", bad, c.Kind, c.View)
			} else {
				results[i].Verified = VerifiedCertificate{certificate: c, digest: checks[start].Digest}
			}
		}
		start = ends[i]
	}
	return results
}

// VerifyCertificate is VerifyCertificates for one.
func VerifyCertificate(d Domain, c Certificate) (VerifiedCertificate, error) {
	r := VerifyCertificates(d, []Certificate{c})[0]
	return r.Verified, r.Err
}

// checks makes the questions to crypto, after everything that needs no cryptography.
func (c *Certificate) checks(d Domain) ([]crypto.Check, error) {
	if err := c.checkForm(); err != nil {
		return nil, err
	}
	if want := (d.Set.Len() + 7) / 8; len(c.Bitmap) != want {
		return nil, refuse(ErrForm, "a bitmap of %d bytes for a set of %d validators", len(c.Bitmap), d.Set.Len())
	}
	digest := c.statement().Digest(d)
	checks := make([]crypto.Check, 0, len(c.Signatures))
	var power Power
	for k, i := range c.Signers() {
		if !d.Set.has(uint16(i)) {
			return nil, refuse(ErrSigner, "validator %d of a set of %d", i, d.Set.Len())
		}
		v := d.Set.At(i)
		power += v.Power
		checks = append(checks, crypto.Check{Key: v.Key, Digest: digest, Signature: c.Signatures[k]})
	}
	if power < d.Set.Quorum() {
		return nil, refuse(ErrPower, "signers of power %d, a quorum is %d", power, d.Set.Quorum())
	}
	return checks, nil
}
