package ledger

import (
	"cmp"
	"slices"

	"waybill/crypto"
)

// ClaimAccount is what an organisation has of a claim in one unit: In less Out.
type ClaimAccount struct {
	_    struct{} `cbor:",toarray"`
	In   Amount   // with the claim: received, or born in its hands
	Out  Amount   // with the claim: left, used up or needed for products
	Made Amount   // part of Out: needed for products under controlled blending or mass balance
}

// Free is what is left, never below zero.
func (a *ClaimAccount) Free() Amount {
	if free, ok := a.In.minus(a.Out); ok {
		return free
	}
	return Amount{}
}

// ClaimWeight is an amount with a claim.
type ClaimWeight struct {
	_      struct{} `cbor:",toarray"`
	Claim  string
	Unit   string
	Amount Amount
}

// ClaimAccountKey is the state key of a [ClaimAccount]; unit as the ledger counts in it.
func ClaimAccountKey(a crypto.Address, claim, unit string) []byte {
	return key("claimed", string(a[:])+unit, claim)
}

// ReadClaimAccount returns an organisation's account of a claim in a unit; nil if it never had any.
func ReadClaimAccount(v View, a crypto.Address, claim, unit string) (*ClaimAccount, error) {
	return read[ClaimAccount](v, ClaimAccountKey(a, claim, canonicalUnit(unit)))
}

func (b *blockRun) creditClaim(a crypto.Address, claim, unit string, amount Amount) {
	key := ClaimAccountKey(a, claim, unit)
	acct, _ := get[ClaimAccount](b.o, key)
	if sum, ok := acct.In.plus(amount); ok {
		acct.In = sum
	}
	put(b.o, key, acct)
}

// debitClaim takes an amount out of an account, or what there is; it reports whether it was enough.
func (b *blockRun) debitClaim(a crypto.Address, claim, unit string, amount Amount, made bool) bool {
	key := ClaimAccountKey(a, claim, unit)
	acct, _ := get[ClaimAccount](b.o, key)
	part := acct.Free().smaller(amount)
	out, ok := acct.Out.plus(part)
	if !ok {
		return false
	}
	acct.Out = out
	if sum, ok := acct.Made.plus(part); ok && made {
		acct.Made = sum
	}
	put(b.o, key, acct)
	return part.cmp(amount) == 0
}

// payClaim debits the author's account with what had to go in for a product.
func (e *eventRun) payClaim(b *born, give *CarriedClaim) (bool, *Finding) {
	if !b.measured {
		e.mark(finding(CodeUnmeasured, b.at, b.id))
		return false, nil
	}
	acct, _ := get[ClaimAccount](e.o, ClaimAccountKey(e.author, give.Claim, b.unit))
	need, ok := b.amount.needed(e.yieldOf(classOf(b.id)))
	if !ok {
		return false, e.judge(finding(CodeBadQuantity, b.at, b.text(), b.id))
	}
	if free := acct.Free(); free.cmp(need) < 0 {
		return false, e.judge(finding(CodeClaimShort, b.at, e.orgName(e.author), textOf(need, b.unit), give.Claim, textOf(free, b.unit)))
	}
	e.debitClaim(e.author, give.Claim, b.unit, need, true)
	return true, nil
}

// claimInputs notes what goes into a transformation with claims. What the author's account paid for when it was made goes back
// into it: the product made of it pays again.
func (e *eventRun) claimInputs(link *Link, used []usedInput) {
	if e.evidence().Attestations == 0 {
		return
	}
	for _, u := range used {
		if !u.edge {
			continue
		}
		amount := u.amount.amount
		if _, isItem := get[Item](e.o, e.o.itemKey(u.id)); isItem {
			amount = Amount{Coefficient: 1}
		}
		for _, x := range e.carried(u.id).Claims {
			if x.Maker == e.author {
				e.creditClaim(e.author, x.Claim, u.amount.unit, amount)
			}
			link.noteClaimed(ClaimWeight{Claim: x.Claim, Unit: u.amount.unit, Amount: amount})
		}
	}
}

// noteClaimed adds to what went in with a claim. A link with more claims and units than anybody needs forgets the rest, which
// leaves it in the account.
func (l *Link) noteClaimed(w ClaimWeight) {
	const most = maxClaims * maxUnits
	at, found := slices.BinarySearchFunc(l.Claimed, w, func(a, b ClaimWeight) int {
		return cmp.Or(cmp.Compare(a.Claim, b.Claim), cmp.Compare(a.Unit, b.Unit))
	})
	l.Claimed = slices.Clone(l.Claimed)
	if found {
		if sum, ok := l.Claimed[at].Amount.plus(w.Amount); ok {
			l.Claimed[at].Amount = sum
		}
	} else if len(l.Claimed) < most {
		l.Claimed = slices.Insert(l.Claimed, at, w)
	}
}

// settleInputs takes what went in with a claim out of the account, once a product carries the claim because of that.
func (e *eventRun) settleInputs(link *Link, made *goods) {
	var settled []string
	for _, b := range e.births(made) {
		for _, x := range e.carried(b.id).Claims {
			if x.Model <= Segregated && x.Maker == e.author {
				settled = append(settled, x.Claim)
			}
		}
	}
	link.Claimed = slices.DeleteFunc(slices.Clone(link.Claimed), func(w ClaimWeight) bool {
		if !slices.Contains(settled, w.Claim) {
			return false
		}
		e.debitClaim(e.author, w.Claim, w.Unit, w.Amount, false)
		return true
	})
}

// claimedGoods is what an event may move that carries claims.
type claimedGoods struct {
	items      []string
	lots       []string
	containers []string
	places     map[string]string // where the event names what
}

// claimed finds what carries claims among goods and what is packed in them; nil if nothing does.
func (e *eventRun) claimed(g *goods) *claimedGoods {
	if e.evidence().Attestations == 0 {
		return nil
	}
	c := &claimedGoods{places: map[string]string{}}
	seen := map[string]bool{}
	lot := func(id, at string) {
		if !seen["lot "+id] {
			seen["lot "+id] = true
			if len(e.carried(id).Claims) > 0 {
				c.lots, c.places[id] = append(c.lots, id), at
			}
		}
	}
	for _, l := range g.lots {
		lot(l.id, l.at)
	}
	queue := slices.Clone(g.items)
	for i := 0; i < len(queue) && i < maxInside; i++ {
		t := queue[i]
		if seen[t.id] {
			continue
		}
		seen[t.id] = true
		if len(e.carried(t.id).Claims) > 0 {
			c.items, c.places[t.id] = append(c.items, t.id), t.at
		}
		contents, full := get[Contents](e.o, ContentsKey(t.id))
		if !full {
			continue
		}
		c.containers = append(c.containers, t.id)
		if !e.mayWork(len(contents.Items) + len(contents.Quantities)) {
			return nil
		}
		for _, id := range contents.Items {
			queue = append(queue, thing{id: id, at: t.at})
		}
		for _, q := range contents.Quantities {
			lot(q.Lot, t.at)
		}
	}
	if len(c.items)+len(c.lots) == 0 {
		return nil
	}
	return c
}

// available reports whether a thing is the author's to use.
func (e *eventRun) available(id string) bool {
	s, ok := e.standing(id)
	return ok && s.root().State == StateActive && s.item().State == StateActive && s.root().Custodian == e.author
}

// held is how much of each the author has available, loose or in the containers of the event.
func (e *eventRun) held(c *claimedGoods) map[claimedPart]Amount {
	out := map[claimedPart]Amount{}
	add := func(id, unit string, a Amount) {
		if sum, ok := out[claimedPart{id, unit}].plus(a); ok {
			out[claimedPart{id, unit}] = sum
		}
	}
	for _, id := range c.items {
		if e.available(id) {
			add(id, "", Amount{Coefficient: 1})
		}
	}
	for _, id := range c.lots {
		lot, _ := get[Lot](e.o, LotKey(id))
		for _, u := range lot.Units {
			bal, _ := get[Balance](e.o, BalanceKey(id, e.author, u, Available))
			add(id, u, bal.Amount)
		}
	}
	for _, box := range c.containers {
		contents, full := get[Contents](e.o, ContentsKey(box))
		if !full || !e.available(box) {
			continue
		}
		for _, q := range contents.Quantities {
			if slices.Contains(c.lots, q.Lot) {
				add(q.Lot, q.Unit, q.Amount)
			}
		}
	}
	return out
}

type claimedPart struct{ id, unit string }

// moveClaims runs what an event does to goods and books what it did to the author's accounts.
func (e *eventRun) moveClaims(g *goods, act func() *Finding) *Finding {
	c := e.claimed(g)
	if c == nil {
		return act()
	}
	before := e.held(c)
	if f := act(); f != nil {
		return f
	}
	return e.bookMoves(c, before)
}

// bookMoves books the difference between what the author had available and what it has now.
func (e *eventRun) bookMoves(c *claimedGoods, before map[claimedPart]Amount) *Finding {
	after := e.held(c)
	for _, id := range slices.Concat(c.lots, c.items) {
		units := []string{""}
		if lot, ok := get[Lot](e.o, LotKey(id)); ok {
			units = lot.Units
		}
		for _, u := range units {
			if f := e.bookClaims(id, u, before[claimedPart{id, u}], after[claimedPart{id, u}], c.places[id]); f != nil {
				return f
			}
		}
	}
	return nil
}

// everUnmeasured reports whether it was never said how much there is of a lot. Any amount may come out of that, so none of it
// counts for an account.
func (b *blockRun) everUnmeasured(id string) bool {
	lot, ok := get[Lot](b.o, LotKey(id))
	return ok && lot.Flags&FlagUnmeasured != 0
}

// bookClaims books a change of what the author has of one lot or thing.
func (e *eventRun) bookClaims(id, u string, before, after Amount, at string) *Finding {
	for _, x := range e.carried(id).Claims {
		if x.Maker == e.author {
			continue // paid for when it was made
		}
		if more, ok := after.minus(before); ok {
			if !more.IsZero() && !e.everUnmeasured(id) {
				e.creditClaim(e.author, x.Claim, u, more)
			}
			continue
		}
		less, _ := before.minus(after)
		acct, _ := get[ClaimAccount](e.o, ClaimAccountKey(e.author, x.Claim, u))
		if e.debitClaim(e.author, x.Claim, u, less, false) || e.e.act != actShip || acct.Made.IsZero() {
			continue
		}
		f := finding(CodeClaimShort, at, e.orgName(e.author), textOf(less, u), x.Claim, textOf(acct.Free(), u))
		if f := e.judge(f); f != nil {
			return f
		}
	}
	return nil
}
