package ledger

import (
	"cmp"
	"slices"

	"waybill/crypto"
	"waybill/epcis/gs1"
)

// Claims (R16).
//
// An event may name certificates (certificationInfo). Each must be on the ledger, not revoked when the event is recorded, in
// force at its event time, about the event's author (of a receiving event, also about the party that its sources name) and
// about goods that the event names or the place where it was. Goods that come into being in such an event carry the claim of
// each certificate that covers them. They never come to carry it later: a lot that is made without a claim, or to which
// something without it is added, is without it.
//
// What a claim demands depends on the chain of custody model of the certificate (ISO 22095:2020):
//
//   - Identity preserved and segregated: goods may be born with the claim. A product carries it if everything that went into
//     its transformation carried it under a model at least as strict, and the account still has as much; what is counted in pieces is left out where anything
//     is weighed or measured, for it is packaging. Identity preserved also asks that all of it is from one source.
//   - Controlled blending and mass balance: a product carries the claim as long as the account of its maker covers it.
//     The account is of an organisation, a claim and a unit. Goods with the claim that it receives, or that are born in
//     its hands, are credited; products are debited with what had to go in for them, by the declared yield (see
//     DeclareYield); goods that leave with the claim are debited too, except those that the account paid for when
//     they were made.
//   - Book and claim: credits without goods. The ledger keeps no accounts of those, so such a certificate is a finding, and no
//     goods carry its claim.
//
// The account is of available goods: what is set apart leaves it and what is taken back enters it, like what a count loses or
// finds. Goods in a container count with it, up to maxInside things. An event that changed an account is undone, if it is
// declared wrong, only while the account is as it left it. An account never falls below zero: where a flagged rule
// lets goods leave with more claims than there are, it is empty.

// maxClaims bounds the claims of one thing or lot.
const maxClaims = 16

// CarriedClaim is a claim that goods carry.
type CarriedClaim struct {
	_           struct{} `cbor:",toarray"`
	Claim       string
	Model       ChainModel
	Certificate string         // under which they were born or made
	Origin      crypto.Address // identity preserved: in whose hands they, or what they are made of, were born; else zero
	Maker       crypto.Address // in whose transformation they were made; zero: they were born with the claim
}

// Carried is the claims of an item or lot.
type Carried struct {
	_      struct{}       `cbor:",toarray"`
	Claims []CarriedClaim // by claim, ascending
}

// find returns the entry of a claim.
func (c *Carried) find(claim string) (CarriedClaim, bool) {
	at, ok := slices.BinarySearchFunc(c.Claims, claim, func(x CarriedClaim, claim string) int { return cmp.Compare(x.Claim, claim) })
	if !ok {
		return CarriedClaim{}, false
	}
	return c.Claims[at], true
}

// with returns the claims and one more.
func (c *Carried) with(x CarriedClaim) Carried {
	at, _ := slices.BinarySearchFunc(c.Claims, x.Claim, func(y CarriedClaim, claim string) int { return cmp.Compare(y.Claim, claim) })
	return Carried{Claims: slices.Insert(slices.Clone(c.Claims), at, x)}
}

// without returns the claims but one.
func (c *Carried) without(claim string) Carried {
	return Carried{Claims: slices.DeleteFunc(slices.Clone(c.Claims), func(x CarriedClaim) bool { return x.Claim == claim })}
}

// evidenceCount says whether there is anything to look for: without certificates and plots, events pay nothing for R16.
type evidenceCount struct {
	_            struct{} `cbor:",toarray"`
	Attestations uint64   // ever put on record
	Plots        uint64   // locations whose area is on record
}

// ClaimsKey is the state key of what an item or lot [Carried]; id in canonical form.
func ClaimsKey(id string) []byte { return key("carries", id) }

// ReadClaims returns the claims of an item or lot; nil if it carries none and never did.
func ReadClaims(v View, id string) (*Carried, error) {
	return read[Carried](v, ClaimsKey(canonical(id)))
}

func (b *blockRun) evidence() evidenceCount {
	e, _ := get[evidenceCount](b.o, []byte(keyEvidence))
	return e
}

func (b *blockRun) countEvidence(change func(*evidenceCount)) {
	e := b.evidence()
	change(&e)
	put(b.o, []byte(keyEvidence), e)
}

func (b *blockRun) carried(id string) Carried {
	c, _ := get[Carried](b.o, ClaimsKey(id))
	return c
}

// certificate is one that an event names and that counts.
type certificate struct {
	Attestation
	at string // JSON pointer
}

// certificates judges what the event says of certificates and returns those under which its goods may carry claims.
func (e *eventRun) certificates() ([]certificate, *Finding) {
	var out []certificate
	seen := map[string]bool{}
	for i, name := range e.e.event.CertificationInfo {
		id := canonical(name)
		if seen[id] {
			continue
		}
		seen[id] = true
		at := "/certificationInfo/" + decimal(i)
		a, wrong := e.certified(id, at)
		if wrong != nil {
			if f := e.judge(wrong); f != nil {
				return nil, f
			}
			continue
		}
		if a.Subject == e.author {
			out = append(out, certificate{a, at})
		}
	}
	return out, nil
}

// certified looks one certificate up and says what is wrong with naming it here.
func (e *eventRun) certified(id, at string) (Attestation, *Finding) {
	a, ok := get[Attestation](e.o, AttestationKey(id))
	switch {
	case !ok:
		return a, finding(CodeNoCertificate, at, id)
	case a.RevokedMs != 0:
		return a, e.about(&a, finding(CodeRevoked, at, id, e.orgName(a.RevokedBy), decimal(a.RevokedMs)))
	case e.e.timeMs < a.FromMs || e.e.timeMs >= a.UntilMs:
		return a, e.about(&a, finding(CodeNotInForce, at, id, decimal(a.FromMs), decimal(a.UntilMs), decimal(e.e.timeMs)))
	case a.Subject != e.author && !e.namesSource(a.Subject):
		return a, e.about(&a, finding(CodeOtherSubject, at, id, e.orgName(a.Subject), e.orgName(e.author)))
	case !e.inScope(&a):
		return a, e.about(&a, finding(CodeOutOfScope, at, id, a.Scope))
	case a.Model == BookAndClaim:
		return a, e.about(&a, finding(CodeBookAndClaim, at, id, a.Claim))
	}
	return a, nil
}

// about adds when the certificate was put on record.
func (e *eventRun) about(a *Attestation, f *Finding) *Finding {
	return f.against(crypto.Hash{}, crypto.Hash{}, a.Height)
}

// namesSource reports whether a receiving event names an organisation as where the goods come from.
func (e *eventRun) namesSource(a crypto.Address) bool {
	if e.e.act != actReceive {
		return false
	}
	return slices.ContainsFunc(e.e.sources, func(id string) bool { return e.resolves(id) == a })
}

// inScope reports whether a certificate is about anything that the event names, or about where it was.
func (e *eventRun) inScope(a *Attestation) bool {
	if e.coversAll(a) {
		return true
	}
	items, lots := e.e.allNamed()
	return slices.ContainsFunc(append(items, lots...), func(t thing) bool { return e.coversThing(a, t.id) })
}

// coversAll reports whether a certificate is about all goods of the event.
func (e *eventRun) coversAll(a *Attestation) bool {
	return a.Scope == "" || a.Scope == e.e.place || e.e.place != "" && glnOf(a.Scope) != "" && glnOf(a.Scope) == glnOf(e.e.place)
}

func (e *eventRun) coversThing(a *Attestation, id string) bool {
	if id == a.Scope || classOf(id) == a.Scope {
		return true
	}
	item, ok := get[Item](e.o, e.o.itemKey(id))
	return ok && item.Lot == a.Scope
}

// glnOf returns the GLN of a location that is named with one, whatever its extension; else "".
func glnOf(id string) string {
	parsed, err := gs1.Parse(id)
	if err != nil || parsed.Key() != gs1.KeySGLN {
		return ""
	}
	return parsed.Value()
}

// born is one thing or lot that an event brought into being, or more of.
type born struct {
	amountOf
	item  bool
	fresh bool // there was none of it before this event
}

// births lists what the event brought into being of some goods. What a flagged rule left out is not among them.
func (e *eventRun) births(g *goods) []born {
	var out []born
	for _, t := range g.items {
		if item, ok := e.item(t.id); ok && item.BornBy == e.author {
			one := Amount{Coefficient: 1}
			out = append(out, born{amountOf: amountOf{thing: t, amount: one, measured: true}, item: true, fresh: item.BornEvent == e.e.hash})
		}
	}
	for _, l := range g.lots {
		if lot, ok := e.lot(l.id); ok {
			out = append(out, born{amountOf: l, fresh: lot.BornEvent == e.e.hash})
		}
	}
	return out
}

// claim gives what was born or made (link not nil) the claims of the event's certificates.
func (e *eventRun) claim(g *goods, link *Link) *Finding {
	if e.evidence().Attestations == 0 {
		return nil
	}
	for _, b := range e.births(g) {
		if f := e.claimThing(&b, link); f != nil {
			return f
		}
	}
	if link != nil {
		e.settleInputs(link, g)
	}
	return nil
}

func (e *eventRun) claimThing(b *born, link *Link) *Finding {
	if !e.mayWork(len(e.certs) / idsPerWork) {
		return e.tooMuchWork()
	}
	before := e.carried(b.id)
	named := map[string]bool{}
	for i := range e.certs {
		c := &e.certs[i]
		if named[c.Claim] || !e.coversAll(&c.Attestation) && !e.coversThing(&c.Attestation, b.id) {
			continue
		}
		named[c.Claim] = true
		if f := e.claimUnder(b, c, link); f != nil {
			return f
		}
	}
	if b.item && !b.fresh {
		return nil // its commissioning only repeats how it came into being
	}
	// More of a lot that does not carry what the lot did.
	for _, x := range before.Claims {
		if named[x.Claim] {
			continue
		}
		if f := e.judge(finding(CodeClaimMixed, b.at, b.id, x.Claim, x.Model.String(), "what is added to it")); f != nil {
			return f
		}
		e.dropClaim(b, x)
	}
	return nil
}

// dropClaim ends a lot's carrying a claim, and takes what the author had of it before out of its account.
func (e *eventRun) dropClaim(b *born, x CarriedClaim) {
	now := e.carried(b.id)
	put(e.o, ClaimsKey(b.id), now.without(x.Claim))
	lot, ok := get[Lot](e.o, LotKey(b.id))
	if !ok || x.Maker == e.author {
		return
	}
	for _, u := range lot.Units {
		bal, _ := get[Balance](e.o, BalanceKey(b.id, e.author, u, Available))
		if had, ok := bal.Amount.minus(b.amount); ok && u == b.unit {
			bal.Amount = had
		}
		e.debitClaim(e.author, x.Claim, u, bal.Amount, false)
	}
}

// claimUnder lets a thing carry the claim of one certificate, if its model allows it.
func (e *eventRun) claimUnder(b *born, c *certificate, link *Link) *Finding {
	has := e.carried(b.id)
	x, carries := has.find(c.Claim)
	switch {
	case b.item && !b.fresh && carries:
		return nil
	case !b.fresh && !carries:
		return e.judge(finding(CodeClaimMixed, b.at, b.id, c.Claim, c.Model.String(), "what there was of it before"))
	case !carries && len(has.Claims) >= maxClaims:
		return e.judge(finding(CodeTooManyClaims, b.at, b.id, decimal(maxClaims)))
	}
	give := CarriedClaim{Claim: c.Claim, Model: c.Model, Certificate: c.ID}
	if link != nil {
		give.Maker = e.author
	}
	ok, f := e.mayClaim(b, &give, link)
	if f != nil {
		return f
	}
	if carries && (!ok || x.Origin != give.Origin || x.Maker != give.Maker || x.Model != give.Model) {
		if ok { // two ways of having a claim cannot be told apart in one lot
			f = e.judge(finding(CodeClaimMixed, b.at, b.id, c.Claim, c.Model.String(), "what there was of it before, in that way,"))
		}
		e.dropClaim(b, x)
		return f
	}
	if ok && !carries {
		put(e.o, ClaimsKey(b.id), has.with(give))
	}
	return nil
}

// mayClaim asks what the model demands; false without a finding: a rule was flagged and the thing goes without the claim.
func (e *eventRun) mayClaim(b *born, give *CarriedClaim, link *Link) (bool, *Finding) {
	if give.Model == ControlledBlending || give.Model == MassBalance {
		give.Maker = e.author // the account pays for it now, not when it leaves
		return e.payClaim(b, give)
	}
	if give.Model == IdentityPreserved {
		give.Origin = e.author
	}
	if link == nil {
		e.creditClaim(e.author, give.Claim, b.unit, b.amount)
		return true, nil
	}
	if ok, f := e.inputsCarry(b, give, link); f != nil || !ok {
		return false, f
	}
	return e.inputsCovered(b, give, link)
}

// inputsCovered asks whether the account still has what went in with the claim, where products of mass balance took from it.
func (e *eventRun) inputsCovered(b *born, give *CarriedClaim, link *Link) (bool, *Finding) {
	for _, w := range link.Claimed {
		acct, _ := get[ClaimAccount](e.o, ClaimAccountKey(e.author, w.Claim, w.Unit))
		if free := acct.Free(); w.Claim == give.Claim && !acct.Made.IsZero() && free.cmp(w.Amount) < 0 {
			return false, e.judge(finding(CodeClaimShort, b.at, e.orgName(e.author), textOf(w.Amount, w.Unit), w.Claim, textOf(free, w.Unit)))
		}
	}
	return true, nil
}

// inputsCarry asks whether everything that went into a transformation carries a claim strictly enough.
func (e *eventRun) inputsCarry(b *born, give *CarriedClaim, link *Link) (bool, *Finding) {
	if !e.mayWork(len(link.Inputs) / idsPerWork) {
		return false, e.tooMuchWork()
	}
	weighed := slices.ContainsFunc(link.Inputs, e.isMeasured)
	first := true
	for _, id := range link.Inputs {
		if weighed && !e.isMeasured(id) {
			continue
		}
		has := e.carried(id)
		x, ok := has.find(give.Claim)
		if !ok || x.Model > give.Model {
			return false, e.judge(finding(CodeClaimMixed, b.at, b.id, give.Claim, give.Model.String(), id))
		}
		if give.Model != IdentityPreserved {
			continue
		}
		if !first && x.Origin != give.Origin {
			return false, e.judge(finding(CodeClaimSources, b.at, b.id, give.Claim, e.orgName(give.Origin), e.orgName(x.Origin)))
		}
		first, give.Origin = false, x.Origin
	}
	if len(link.Inputs) == 0 {
		return false, e.judge(finding(CodeClaimMixed, b.at, b.id, give.Claim, give.Model.String(), "nothing that went in so far"))
	}
	return true, nil
}

// isMeasured reports whether an input is a lot that was weighed or measured, and not only counted.
func (e *eventRun) isMeasured(id string) bool {
	lot, ok := get[Lot](e.o, LotKey(id))
	return ok && slices.ContainsFunc(lot.Units, func(u string) bool { return u != "" })
}
