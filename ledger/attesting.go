package ledger

import (
	"strings"

	"waybill/crypto"
	"waybill/epcis/gs1"
)

// Bounds of certificates, documents and yields.
const (
	maxClaimBytes   = 100
	maxRemarkBytes  = 1 << 10
	maxMediaBytes   = 100
	maxYieldPpm     = 1_000 * million // a thousand times what goes in
	defaultYieldPpm = million
)

// checkRemark accepts text for people on one line that prints, or none.
func checkRemark(what, s string, most int) error {
	if strings.ContainsAny(s, "\n\t") {
		return malformed(ErrPayload, "%s is one line", what)
	}
	return checkProse(what, s, most)
}

// checkCertificateID accepts a URI, as events name certificates.
func checkCertificateID(id string) error {
	if err := checkID("certificate", id); err != nil {
		return err
	}
	if strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return malformed(ErrPayload, "certificate %q is no URI: it has a space or a control character", id)
	}
	if scheme, rest, ok := strings.Cut(canonical(id), ":"); !ok || scheme == "" || rest == "" {
		return malformed(ErrPayload, "certificate %q is no URI: it has no scheme", id)
	}
	return nil
}

func (p *Attest) check() error {
	if err := checkCertificateID(p.ID); err != nil {
		return err
	}
	if err := checkAddress("subject", p.Subject); err != nil {
		return err
	}
	if len(p.Claim) > maxClaimBytes {
		return malformed(ErrPayload, "a claim has at most %d bytes, got %d", maxClaimBytes, len(p.Claim))
	}
	if err := checkName(p.Claim); err != nil {
		return malformedBy(ErrPayload, err, "claim")
	}
	if p.Model < IdentityPreserved || p.Model > BookAndClaim {
		return malformed(ErrPayload, "chain of custody model %d is none of ISO 22095 (1 to 5)", p.Model)
	}
	if p.FromMs < 0 || p.UntilMs <= p.FromMs {
		return malformed(ErrPayload, "the certificate is in force from %d ms until %d ms, which is never", p.FromMs, p.UntilMs)
	}
	if p.Scope != "" {
		if err := checkCertifies(p.Scope); err != nil {
			return err
		}
	}
	return checkRemark("standard", p.Standard, maxRemarkBytes)
}

// checkCertifies accepts a class, a lot, a location, or an identifier that is none of GS1's.
func checkCertifies(scope string) error {
	if err := checkID("scope", scope); err != nil {
		return err
	}
	if id, _ := gs1.Parse(scope); id.IsInstance() && id.Key() != gs1.KeySGLN {
		return malformed(ErrPayload, "scope %q names one object; a certificate is about a class, a lot or a location", scope)
	}
	return nil
}

func (p *RevokeAttestation) check() error {
	if err := checkCertificateID(p.ID); err != nil {
		return err
	}
	return checkRemark("reason", p.Reason, maxRemarkBytes)
}

func (p *Anchor) check() error {
	if p.Document.IsZero() {
		return malformed(ErrPayload, "the document's hash is zero")
	}
	if p.About != "" {
		if err := checkID("about", p.About); err != nil {
			return err
		}
	}
	if err := checkRemark("media", p.Media, maxMediaBytes); err != nil {
		return err
	}
	return checkRemark("note", p.Note, maxRemarkBytes)
}

func (p *DeclareYield) check() error {
	if err := checkID("output", p.Output); err != nil {
		return err
	}
	if id, _ := gs1.Parse(p.Output); id.IsInstance() || id.Lot() != "" {
		return malformed(ErrPayload, "output %q is one object or lot; a yield is declared for a class", p.Output)
	}
	if p.MostPpm > maxYieldPpm {
		return malformed(ErrPayload, "a yield of %d millionths is more than %d", p.MostPpm, uint64(maxYieldPpm))
	}
	return checkRemark("note", p.Note, maxRemarkBytes)
}

// organisation asks that the author is an organisation that may act.
func (t *txRun) organisation() *Finding {
	if _, ok := get[Organisation](t.o, OrganisationKey(t.author)); !ok {
		return refuse(CodeNotAnOrg, "/author", t.author.String())
	}
	return t.mayAct()
}

// effects puts a certificate on record. Nobody certifies itself, and an id is used once, ever.
func (p *Attest) effects(t *txRun) *Finding {
	if f := t.organisation(); f != nil {
		return f
	}
	if p.Subject == t.author {
		return refuse(CodeSelfAttested, "/subject", t.orgName(t.author))
	}
	if _, ok := get[Organisation](t.o, OrganisationKey(p.Subject)); !ok {
		return refuse(CodeNotAnOrg, "/subject", p.Subject.String())
	}
	id := canonical(p.ID)
	if other, taken := get[Attestation](t.o, AttestationKey(id)); taken {
		f := refuse(CodeAttestationTaken, "/id", p.ID, t.orgName(other.Issuer), decimal(other.Height))
		f.Conflict.Height = other.Height
		return f
	}
	put(t.o, AttestationKey(id), Attestation{
		ID: id, Issuer: t.author, Subject: p.Subject, Scope: canonical(p.Scope), Claim: p.Claim, Model: p.Model, Standard: p.Standard,
		FromMs: p.FromMs, UntilMs: p.UntilMs, Document: p.Document, Height: t.height,
	})
	t.countEvidence(func(e *evidenceCount) { e.Attestations++ })
	return nil
}

// effects ends a certificate.
func (p *RevokeAttestation) effects(t *txRun) *Finding {
	id := canonical(p.ID)
	a, ok := get[Attestation](t.o, AttestationKey(id))
	if !ok {
		return refuse(CodeNoAttestation, "/id", p.ID)
	}
	if _, regulator := get[bool](t.o, RegulatorKey(t.author)); a.Issuer != t.author && !regulator {
		return refuse(CodeNotIssuer, "/id", t.orgName(t.author), p.ID, t.orgName(a.Issuer))
	}
	if a.RevokedMs != 0 {
		return refuse(CodeAlreadyRevoked, "/id", p.ID, decimal(a.RevokedMs))
	}
	a.RevokedMs, a.RevokedBy, a.Reason = t.timeMs, t.author, p.Reason
	put(t.o, AttestationKey(id), a)
	return nil
}

// effects keeps who put a document's hash on record first.
func (p *Anchor) effects(t *txRun) *Finding {
	if f := t.organisation(); f != nil {
		return f
	}
	if first, ok := get[AnchorRecord](t.o, AnchorKey(p.Document)); ok {
		f := refuse(CodeAnchored, "/document", p.Document.String(), t.orgName(first.Author), decimal(first.TimeMs))
		return f.against(crypto.Hash{}, first.Tx, first.Height)
	}
	put(t.o, AnchorKey(p.Document), AnchorRecord{
		Document: p.Document, Author: t.author, About: canonical(p.About), Media: p.Media, Note: p.Note, Tx: t.tx.id, Height: t.height, TimeMs: t.timeMs,
	})
	return nil
}

// effects keeps what the author says it gets out of what goes in.
func (p *DeclareYield) effects(t *txRun) *Finding {
	if f := t.organisation(); f != nil {
		return f
	}
	key := YieldKey(t.author, canonical(p.Output))
	if p.MostPpm == 0 {
		if _, ok := get[YieldRecord](t.o, key); !ok {
			return refuse(CodeNoYield, "/output", t.orgName(t.author), p.Output)
		}
		t.o.del(key)
		return nil
	}
	put(t.o, key, YieldRecord{MostPpm: p.MostPpm, Note: p.Note, Height: t.height})
	return nil
}
