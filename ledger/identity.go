package ledger

import (
	"slices"
	"strings"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/gs1"
)

// orgName is how findings name a party: the organisation's name, else the address.
func (b *blockRun) orgName(a crypto.Address) string {
	if a.IsZero() {
		return "nobody"
	}
	if org, ok := get[Organisation](b.o, OrganisationKey(a)); ok {
		return org.Name
	}
	return a.String()
}

func (t *txRun) registerOrganisation(p *RegisterOrganisation) *Finding {
	org, known := get[Organisation](t.o, OrganisationKey(t.author))
	if known && org.Name != p.Name {
		return refuse(CodeRenamed, "/name", org.Name)
	}
	if !known {
		if owner, ok := get[partyRecord](t.o, nameStateKey(p.Name)); ok {
			return refuse(CodeNameTaken, "/name", p.Name, t.orgName(owner.Organisation))
		}
		put(t.o, nameStateKey(p.Name), partyRecord{Organisation: t.author})
		org = Organisation{Address: t.author, Name: p.Name, Admitted: t.params.Admission == Open, Since: t.height}
	}
	if f := t.addParties(&org, p.Parties); f != nil {
		return f
	}
	org.Roles = slices.Clone(p.Roles)
	put(t.o, OrganisationKey(t.author), org)
	// The account may be new: a sponsor pays for organisations that have no money.
	acct, _ := get[Account](t.o, AccountKey(t.author))
	for i, k := range p.Keys {
		if f := t.activateKey(&acct, k, t.height+1, "/keys/"+decimal(i)); f != nil {
			return f
		}
	}
	put(t.o, AccountKey(t.author), acct)
	return nil
}

// addParties registers party identifiers. One under somebody else's prefix is refused; one under nobody's is taken by
// who comes first, until the prefix has a holder (see resolveParty).
func (t *txRun) addParties(org *Organisation, parties []string) *Finding {
	for i, p := range parties {
		id, field := canonical(p), "/parties/"+decimal(i)
		if owner, ok := get[partyRecord](t.o, PartyKey(id)); ok {
			if owner.Organisation == t.author {
				continue
			}
			if t.resolves(id) == owner.Organisation {
				return refuse(CodePartyTaken, field, p, t.orgName(owner.Organisation))
			}
		}
		if h := t.holderOf(id); h.ok && h.holder != t.author && t.delegated(h, t.author, id) != nil {
			return refuse(CodePartyTaken, field, p, t.orgName(h.holder))
		}
		put(t.o, PartyKey(id), partyRecord{Organisation: t.author})
		if at, found := slices.BinarySearch(org.Parties, id); !found {
			org.Parties = slices.Insert(slices.Clone(org.Parties), at, id)
		}
	}
	if len(org.Parties) > maxParties {
		return refuse(CodeTooManyParties, "/parties", decimal(maxParties), decimal(maxRoles))
	}
	return nil
}

func (t *txRun) admitOrganisation(p *AdmitOrganisation) *Finding {
	if f := t.needRegistrar(); f != nil {
		return f
	}
	org, ok := get[Organisation](t.o, OrganisationKey(p.Organisation))
	if !ok {
		return refuse(CodeNotAnOrg, "/organisation", p.Organisation.String())
	}
	org.Admitted = p.Admitted
	put(t.o, OrganisationKey(p.Organisation), org)
	return nil
}

func (t *txRun) needRegistrar() *Finding {
	if _, ok := get[bool](t.o, RegistrarKey(t.author)); !ok {
		return refuse(CodeNotRegistrar, "/author", t.orgName(t.author))
	}
	return nil
}

// keyHeight reads the height a payload names: 0 is the next block, anything else must lie ahead.
func (t *txRun) keyHeight(named uint64) (quorum.Height, *Finding) {
	if named == 0 {
		return t.height + 1, nil
	}
	if quorum.Height(named) <= t.height {
		return 0, refuse(CodeHeightPast, "/fromHeight", decimal(named), decimal(t.height))
	}
	return quorum.Height(named), nil
}

func (t *txRun) addKey(p *AddKey) *Finding {
	from, f := t.keyHeight(p.FromHeight)
	if f != nil {
		return f
	}
	acct, _ := get[Account](t.o, AccountKey(t.author))
	if f := t.activateKey(&acct, p.Key, from, "/key"); f != nil {
		return f
	}
	put(t.o, AccountKey(t.author), acct)
	return nil
}

// activateKey adds a key to an account. A key that was revoked does not come back while a transaction from before may still
// be executed: signatures made with it in between would count again. After that its record gives way.
func (t *txRun) activateKey(acct *Account, key crypto.PublicKey, from quorum.Height, field string) *Finding {
	acct.Keys = t.withoutOldKeys(acct.Keys)
	known := slices.ContainsFunc(acct.Keys, func(k AccountKeyRecord) bool { return k.Key == key })
	if known || key.Address() == t.author {
		return refuse(CodeKeyKnown, field, key.String(), t.author.String())
	}
	if len(acct.Keys) >= maxAccountKeys {
		return refuse(CodeTooManyKeys, field, decimal(maxAccountKeys))
	}
	acct.Keys = append(slices.Clip(acct.Keys), AccountKeyRecord{Key: key, From: from})
	return nil
}

// withoutOldKeys drops the records of keys that ended longer ago than any transaction lives. That of the key of the address
// stays: without it the key would count.
func (t *txRun) withoutOldKeys(keys []AccountKeyRecord) []AccountKeyRecord {
	g, _ := get[guards](t.o, []byte(keyGuards))
	window := quorum.Height(max(g.ExpiryWindow, t.params.ExpiryWindow))
	return slices.DeleteFunc(slices.Clone(keys), func(k AccountKeyRecord) bool {
		return k.Until != 0 && k.Until < t.height && t.height-k.Until > window && k.Key.Address() != t.author
	})
}

func (t *txRun) revokeKey(p *RevokeKey) *Finding {
	until, f := t.keyHeight(p.FromHeight)
	if f != nil {
		return f
	}
	acct, _ := get[Account](t.o, AccountKey(t.author))
	keys := slices.Clone(acct.Keys)
	at := slices.IndexFunc(keys, func(k AccountKeyRecord) bool { return k.Key == p.Key })
	switch {
	case at >= 0 && keys[at].Until != 0 && keys[at].Until <= until:
		return refuse(CodeNoSuchKey, "/key", p.Key.String(), t.author.String())
	case at >= 0:
		keys[at].Until = until
	case p.Key.Address() == t.author:
		keys = append(keys, AccountKeyRecord{Key: p.Key, Until: until})
	default:
		return refuse(CodeNoSuchKey, "/key", p.Key.String(), t.author.String())
	}
	acct.Keys = keys
	switch left := acct.fewestKeys(t.author, t.height+1); {
	case left == 0:
		return refuse(CodeLastKey, "/key", p.Key.String(), t.author.String())
	case left < acct.Needed():
		return refuse(CodeBelowThreshold, "/key", p.Key.String(), t.author.String(), decimal(left), decimal(acct.Needed()))
	}
	put(t.o, AccountKey(t.author), acct)
	return nil
}

func (t *txRun) claimPrefix(p *ClaimPrefix) *Finding {
	if f := t.mayHoldMore(t.author, "/author"); f != nil {
		return f
	}
	rec, _ := get[Prefix](t.o, PrefixKey(p.Prefix))
	if holder, held := rec.Holder(); held && holder.Holder == t.author {
		return refuse(CodePrefixHeld, "/prefix", p.Prefix, t.orgName(t.author), decimal(holder.From))
	} else if held && !t.hasRegistrars() {
		return refuse(CodePrefixHeld, "/prefix", p.Prefix, t.orgName(holder.Holder), decimal(holder.From))
	}
	if !t.hasRegistrars() {
		// A network without registrars takes the first at its word.
		t.givePrefix(p.Prefix, t.author, crypto.Address{})
		return nil
	}
	put(t.o, ClaimKey(p.Prefix, t.author), Claim{Height: t.height})
	return nil
}

// mayHoldMore asks whether an account is an organisation with room for another prefix.
func (t *txRun) mayHoldMore(a crypto.Address, field string) *Finding {
	org, ok := get[Organisation](t.o, OrganisationKey(a))
	if !ok {
		return refuse(CodeNotAnOrg, field, a.String())
	}
	if len(org.Prefixes) >= maxPrefixes {
		return refuse(CodeTooManyPrefixes, field, org.Name, decimal(maxPrefixes))
	}
	return nil
}

// hasRegistrars reports whether there are registrars.
func (b *blockRun) hasRegistrars() bool {
	n, _ := get[uint64](b.o, []byte(keyRegistrars))
	return n > 0
}

func (t *txRun) approvePrefix(p *ApprovePrefix) *Finding {
	if f := t.needRegistrar(); f != nil {
		return f
	}
	claim := ClaimKey(p.Prefix, p.Organisation)
	if _, ok := get[Claim](t.o, claim); !ok {
		return refuse(CodeNoClaim, "/organisation", t.orgName(p.Organisation), p.Prefix)
	}
	if f := t.mayHoldMore(p.Organisation, "/organisation"); f != nil {
		return f
	}
	t.o.del(claim)
	t.givePrefix(p.Prefix, p.Organisation, t.author)
	return nil
}

// givePrefix makes an organisation the holder of a prefix and ends the tenure of the one before.
func (b *blockRun) givePrefix(digits string, to, by crypto.Address) {
	rec, _ := get[Prefix](b.o, PrefixKey(digits))
	rec.Digits = digits
	rec.Holders = slices.Clone(rec.Holders)
	if before, held := rec.Holder(); held {
		rec.Holders[len(rec.Holders)-1].Until = b.height
		b.listPrefix(before.Holder, digits, false)
	}
	rec.Holders = rec.Holders[max(0, len(rec.Holders)-maxTenures+1):]
	rec.Holders = append(rec.Holders, Tenure{Holder: to, From: b.height, ApprovedBy: by})
	put(b.o, PrefixKey(digits), rec)
	b.listPrefix(to, digits, true)
	b.forgetHolders()
}

// listPrefix keeps Organisation.Prefixes.
func (b *blockRun) listPrefix(a crypto.Address, digits string, holds bool) {
	org, ok := get[Organisation](b.o, OrganisationKey(a))
	if !ok {
		return
	}
	at, found := slices.BinarySearch(org.Prefixes, digits)
	switch {
	case holds && !found:
		org.Prefixes = slices.Insert(slices.Clone(org.Prefixes), at, digits)
	case !holds && found:
		org.Prefixes = slices.Delete(slices.Clone(org.Prefixes), at, at+1)
	}
	put(b.o, OrganisationKey(a), org)
}

func (t *txRun) delegate(p *Delegate) *Finding {
	if p.UntilMs != 0 && p.UntilMs <= t.timeMs {
		return refuse(CodeDelegationPast, "/untilMs", decimal(p.UntilMs), decimal(t.timeMs))
	}
	if _, ok := get[Organisation](t.o, OrganisationKey(p.To)); !ok {
		return refuse(CodeNotAnOrg, "/to", p.To.String())
	}
	scope := canonical(p.Scope)
	if !t.holdsScope(t.author, scope) {
		return refuse(CodeNotYours, "/scope", p.Scope, t.orgName(t.author))
	}
	put(t.o, DelegationKey(t.author, p.To, scope), Delegation{From: t.author, To: p.To, Scope: scope, Since: t.height, UntilMs: p.UntilMs})
	return nil
}

// holdsScope reports whether a scope is a prefix that the account holds, or a class under one.
func (t *txRun) holdsScope(a crypto.Address, scope string) bool {
	if gs1.ValidGCP(scope) == nil {
		rec, _ := get[Prefix](t.o, PrefixKey(scope))
		holder, held := rec.Holder()
		return held && holder.Holder == a
	}
	h := t.holderOf(scope)
	return h.ok && h.holder == a
}

func (t *txRun) revokeDelegation(p *RevokeDelegation) *Finding {
	key := DelegationKey(t.author, p.To, canonical(p.Scope))
	d, ok := get[Delegation](t.o, key)
	if !ok || !d.activeAt(t.timeMs) {
		return refuse(CodeNoDelegation, "/scope", t.orgName(t.author), p.Scope, t.orgName(p.To))
	}
	d.UntilMs = t.timeMs
	put(t.o, key, d)
	return nil
}

func (t *txRun) putMasterData(p *PutMasterData) *Finding {
	if f := t.mayAct(); f != nil {
		return f
	}
	id := canonical(p.ID)
	key := MasterDataKey(p.Type, id)
	before, known := get[MasterData](t.o, key)
	flags, f := t.mayDescribe(p, id, &before, known)
	if f != nil {
		return f
	}
	t.notePlot(p, &before)
	put(t.o, key, MasterData{
		Type: p.Type, ID: id, Attributes: p.Attributes, Author: t.author, Height: t.height,
		Version: before.Version + 1, Flags: flags,
	})
	return nil
}

// mayDescribe is R2 for master data. What is under nobody's prefix belongs to who described it first.
func (t *txRun) mayDescribe(p *PutMasterData, id string, before *MasterData, known bool) (ItemFlags, *Finding) {
	claim := t.claimTo(thing{id: id, digits: prefixDigits(id), at: "/id"})
	if claim.refusal != nil {
		return 0, claim.refusal
	}
	if claim.flag == nil {
		return 0, nil
	}
	// The organisation that a party identifier is registered for describes itself.
	if owner, ok := get[partyRecord](t.o, PartyKey(id)); ok && owner.Organisation == t.author {
		return 0, nil
	}
	if known && before.Author != t.author {
		return 0, refuse(CodeNotYours, "/id", p.ID, t.orgName(t.author))
	}
	t.receipt.Flags = append(t.receipt.Flags, *claim.flag)
	return FlagUnverified, nil
}

// mayAct asks whether the author may record anything about the world.
func (t *txRun) mayAct() *Finding {
	org, ok := get[Organisation](t.o, OrganisationKey(t.author))
	if !ok {
		if t.params.Onboarding == Strict {
			return refuse(CodeNoOrganisation, "/author", t.author.String())
		}
		return nil
	}
	if !org.Admitted {
		return refuse(CodeNotAdmitted, "/author", org.Name)
	}
	return nil
}

// resolveParty finds the organisation that a party or location identifier names; the zero Address if it is none.
// Who holds the company prefix of the identifier decides; it may have given the identifier to somebody by delegation.
func (b *blockRun) resolves(id string) crypto.Address {
	h := b.holderOf(id)
	rec, registered := get[partyRecord](b.o, PartyKey(id))
	if !h.ok {
		if registered {
			return rec.Organisation
		}
		return crypto.Address{}
	}
	if registered && rec.Organisation != h.holder && b.delegated(h, rec.Organisation, id) == nil {
		return rec.Organisation
	}
	return h.holder
}

// holding is the answer to "who holds the company prefix of this identifier?".
type holding struct {
	ok     bool
	holder crypto.Address
	prefix string
	since  quorum.Height
}

// forgetHolders empties the cache of holderOf, after a prefix changed hands or such a change was undone.
func (b *blockRun) forgetHolders() { b.holders = map[string]holding{} }

// Lengths of company prefixes (GS1 General Specifications, section 1.4).
const (
	minPrefixDigits = 4
	maxPrefixDigits = 12
)

// holderOf finds the holder of the longest registered prefix of a canonical identifier.
func (b *blockRun) holderOf(id string) holding {
	return b.holderOfDigits(prefixDigits(id))
}

func prefixDigits(id string) string {
	parsed, err := gs1.Parse(id)
	if err != nil {
		return ""
	}
	return parsed.PrefixDigits()
}

func (b *blockRun) holderOfDigits(digits string) holding {
	digits = digits[:min(len(digits), maxPrefixDigits)]
	if len(digits) < minPrefixDigits {
		return holding{}
	}
	if h, ok := b.holders[digits]; ok {
		return h
	}
	var found holding
	for n := len(digits); n >= minPrefixDigits; n-- {
		rec, _ := get[Prefix](b.o, PrefixKey(digits[:n]))
		if t, held := rec.Holder(); held {
			found = holding{ok: true, holder: t.Holder, prefix: digits[:n], since: t.From}
			break
		}
	}
	if b.holders != nil {
		b.holders[digits] = found
	}
	return found
}

// delegated returns nil if the holder's delegation to an account covers a canonical identifier now; else what is wrong,
// which names the latest delegation that ended, if there was one.
func (b *blockRun) delegated(h holding, to crypto.Address, id string) *Finding {
	var ended *Delegation
	for _, scope := range scopesOf(id, h.prefix) {
		d, ok := get[Delegation](b.o, DelegationKey(h.holder, to, scope))
		if !ok {
			continue
		}
		if d.activeAt(b.timeMs) {
			return nil
		}
		ended = &d
	}
	if ended == nil {
		return refuse(CodeForeignPrefix, "", b.orgName(to), h.prefix, b.orgName(h.holder), decimal(h.since), id)
	}
	return refuse(CodeDelegationExpired, "", ended.Scope, b.orgName(h.holder), b.orgName(to), decimal(ended.UntilMs), decimal(b.timeMs))
}

// scopesOf lists the scopes under which an identifier falls: its prefix, its class, and itself if it is a class.
func scopesOf(id, prefix string) []string {
	scopes := []string{prefix}
	parsed, err := gs1.Parse(id)
	if err != nil {
		return scopes
	}
	if class := parsed.Class(); !class.IsZero() {
		scopes = append(scopes, class.Canonical())
	}
	if parsed.IsClass() && !strings.EqualFold(scopes[len(scopes)-1], parsed.Canonical()) {
		scopes = append(scopes, parsed.Canonical())
	}
	return scopes
}

// claim is what R2 says to an author who names a thing as its own: refuse, or let pass with a flag, or neither.
type claim struct {
	refusal, flag *Finding
}

// claimTo asks R2 whether the author may commission or describe a thing. A prefix that somebody else holds is refused
// whatever the severity: this is what the ledger is for.
func (t *txRun) claimTo(what thing) claim {
	if what.digits == "" {
		return claim{flag: refuse(CodeNoNamespace, what.at, what.id)}
	}
	h := t.holderOfDigits(what.digits)
	if h.ok {
		if h.holder == t.author {
			return claim{}
		}
		f := t.delegated(h, t.author, what.id)
		if f != nil {
			f.Field = what.at
		}
		return claim{refusal: f}
	}
	f := refuse(CodeNoPrefix, what.at, what.id)
	if t.params.Onboarding == Strict && t.params.Rules.R2 == Reject {
		return claim{refusal: f}
	}
	return claim{flag: f}
}
