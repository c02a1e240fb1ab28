package ledger

import (
	"cmp"
	"slices"

	"waybill/crypto"
)

// How things come onto the ledger, and leave it.

// commission is ObjectEvent ADD: serials come into being, lots grow.
func (e *eventRun) commission(g *goods) *Finding {
	for _, t := range g.items {
		if _, f := e.commissionItem(t, false); f != nil {
			return f
		}
	}
	for _, l := range g.lots {
		if f := e.produce(l); f != nil {
			return f
		}
	}
	e.checkPlot()
	return e.claim(g, nil)
}

// mayName is R2 for a thing that the author brings into being; unverified is true where nobody can show whose it is.
// What claimTo refuses, no severity lets through.
func (e *eventRun) mayName(t thing) (unverified bool, f *Finding) {
	c := e.claimTo(t)
	if c.refusal != nil {
		c.refusal.EventIndex = e.index
		return false, c.refusal
	}
	if c.flag != nil {
		e.mark(c.flag)
		return true, nil
	}
	return false, nil
}

// commissionItem is R4 and R2: a serial comes into being once. byWay is a birth that no ObjectEvent states: a
// transformation's output, or a container first seen when something is packed into it. Its ObjectEvent may follow, by
// the same author, once. False without a finding: a rule was flagged and nothing came into being.
func (e *eventRun) commissionItem(t thing, byWay bool) (bool, *Finding) {
	item, exists := get[Item](e.o, e.o.itemKey(t.id))
	if exists && (byWay || !e.sameAct(&item)) {
		if item.State != StateObserved {
			f := finding(CodeSerialTaken, t.at, t.id, e.orgName(item.BornBy))
			return false, e.judge(f.against(item.BornEvent, crypto.Hash{}, item.BornHeight))
		}
	}
	unverified, f := e.mayName(t)
	if f != nil {
		return false, f
	}
	if exists && item.State != StateObserved {
		item.Flags &^= FlagUncommissioned
		item.Lot = cmp.Or(item.Lot, t.lot)
		e.describe(&item)
		put(e.o, e.o.itemKey(t.id), item)
		e.hasten(item.Parent, e.expiryOf(&item))
		return true, nil
	}
	e.bear(t, &item, unverified, byWay)
	return true, nil
}

// sameAct reports whether a commissioning only states a birth that the same author brought about.
func (e *eventRun) sameAct(item *Item) bool {
	return item.Flags&FlagUncommissioned != 0 && !item.State.ended() && item.BornBy == e.author
}

// bear makes the author custodian and owner of a new item; an item that was only observed keeps its chain.
func (e *eventRun) bear(t thing, item *Item, unverified, byWay bool) {
	item.ID, item.State, item.Custodian, item.Owner = t.id, StateActive, e.author, e.author
	item.Lot, item.BornBy, item.BornEvent, item.BornHeight = cmp.Or(t.lot, item.Lot), e.author, e.e.hash, e.height
	item.Flags &^= FlagUndone
	if unverified {
		item.Flags |= FlagUnverified
	}
	if byWay {
		item.Flags |= FlagUncommissioned
	}
	e.describe(item)
	e.changed(item)
	put(e.o, e.o.itemKey(t.id), *item)
}

// describe takes lot and expiry from the master data of the event. Where the event also brings lots into being, the lot
// number may be theirs: it is the item's only if one of them is a lot of its product.
func (e *eventRun) describe(item *Item) {
	if item.Lot == "" && e.e.lotNumber != "" {
		lot := lotOf(item.ID, e.e.lotNumber)
		born := slices.Concat(e.e.goods.lots, e.e.makes.lots)
		if len(born) == 0 || slices.ContainsFunc(born, func(l amountOf) bool { return l.id == lot }) {
			item.Lot = lot
		}
	}
	if e.e.expiryMs != 0 {
		item.ExpiryMs = e.e.expiryMs
	}
}

// changed marks the event as the last that changed custody, packing or life of the item.
func (e *eventRun) changed(item *Item) { item.LastEvent, item.LastHeight = e.e.hash, e.height }

// adoptItem is R5 for an item that is not on the ledger. In adopt networks it is taken over, with the author as its
// custodian if the event needs one (held); elsewhere nothing happens to it.
func (e *eventRun) adoptItem(t thing, held bool) *Finding {
	letIn, f := e.mayAdopt(t, held)
	if f != nil || !letIn {
		return f
	}
	item, _ := get[Item](e.o, e.o.itemKey(t.id)) // none, or what is left of one that was undone
	if held {
		e.bear(t, &item, true, true)
		return nil
	}
	item = Item{
		ID: t.id, State: StateObserved, Flags: FlagUnverified | FlagUncommissioned | item.Flags&FlagTainted, Lot: t.lot,
		BornBy: e.author, BornEvent: e.e.hash, BornHeight: e.height, Moves: item.Moves, Chain: item.Chain,
	}
	e.changed(&item)
	put(e.o, e.o.itemKey(t.id), item)
	return nil
}

// adoptLot is adoptItem for a lot; false if it stays unknown.
func (e *eventRun) adoptLot(t thing, held bool) (bool, *Finding) {
	letIn, f := e.mayAdopt(t, held)
	if letIn {
		left, _ := get[Lot](e.o, LotKey(t.id)) // none, or what is left of one that was undone
		put(e.o, LotKey(t.id), Lot{
			ID: t.id, Flags: FlagUnverified | left.Flags&FlagTainted, BornBy: e.author, BornEvent: e.e.hash, LotNumber: lotNumberOf(t.id),
			Moves: left.Moves, Chain: left.Chain,
		})
	}
	return letIn, f
}

// mayAdopt asks whether an unknown thing is let in. What is under the prefix of somebody else on the network is that
// one's to commission: it may be seen, it may not be held.
func (e *eventRun) mayAdopt(t thing, held bool) (bool, *Finding) {
	if !e.adopts() {
		return false, e.judge(finding(CodeUnknownObject, t.at, t.id))
	}
	if c := e.claimTo(t); c.refusal != nil && c.refusal.Code.always() {
		if held {
			return false, e.judge(c.refusal)
		}
		e.mark(finding(CodeUnknownObject, t.at, t.id))
		return false, nil
	}
	e.mark(finding(CodeUnverified, t.at, t.id))
	return true, nil
}

// adopts reports whether unknown goods are let in.
func (b *blockRun) adopts() bool {
	return b.params.Onboarding == Adopt && b.params.Rules.R5 != Reject
}

// claimHeld makes the author custodian of an item that was only observed, when it acts on it.
func (e *eventRun) claimHeld(t thing, item *Item) *Finding {
	if letIn, f := e.mayAdopt(t, true); !letIn {
		return f
	}
	e.bear(t, item, true, true)
	return nil
}

// beginLot makes the author who brought a lot onto the ledger, if nobody has had any of it so far: others only saw it.
func (e *eventRun) beginLot(lot *Lot) {
	if len(lot.Units) == 0 {
		lot.BornBy, lot.BornEvent = e.author, e.e.hash
	}
}

// produce adds an amount to a lot, in the author's hands. A lot under nobody's prefix is that of who brought it onto the
// ledger; classes without lots are everybody's, as their names are.
func (e *eventRun) produce(l amountOf) *Finding {
	unverified, f := e.mayName(l.thing)
	if f != nil {
		return f
	}
	lot, _ := get[Lot](e.o, LotKey(l.id))
	if lot.BornEvent.IsZero() { // there is none, or what is left of one that was undone
		lot.ID, lot.BornBy, lot.BornEvent = l.id, e.author, e.e.hash
		lot.Flags &^= FlagUndone
	}
	e.beginLot(&lot)
	if unverified && lot.BornBy != e.author {
		if !isClass(l.id) {
			return e.judge(finding(CodeForeignLot, l.at, l.id, e.orgName(lot.BornBy), e.orgName(e.author)).against(lot.BornEvent, crypto.Hash{}, 0))
		}
		lot.Flags |= FlagShared
	}
	if lot.LotNumber = lotNumberOf(l.id); lot.LotNumber == "" {
		lot.LotNumber = e.e.lotNumber
	}
	if e.e.expiryMs != 0 {
		lot.ExpiryMs = e.e.expiryMs
	}
	if unverified {
		lot.Flags |= FlagUnverified
	}
	put(e.o, LotKey(l.id), lot)
	return e.credit(l, e.author)
}

// destroy is ObjectEvent DELETE: serials end, amounts leave the author's hands for good.
func (e *eventRun) destroy(g *goods) *Finding {
	state := StateDecommissioned
	if e.e.event.BizStep == "destroying" || e.e.event.Disposition == "destroyed" {
		state = StateDestroyed
	}
	for _, t := range g.items {
		if _, f := e.end(t, state); f != nil {
			return f
		}
	}
	for _, l := range g.lots {
		if _, f := e.debitHeld(l); f != nil {
			return f
		}
	}
	return nil
}

// end takes an item out of the world. What is packed in it stays with its custodian. False without a finding: a rule was
// flagged and the item stays.
func (e *eventRun) end(t thing, state ItemState) (bool, *Finding) {
	s, ok, f := e.inHand(t)
	if f != nil || !ok {
		return false, f
	}
	if f := e.detach(t, s, CodePackedChild); f != nil {
		return false, f
	}
	if contents, full := get[Contents](e.o, ContentsKey(t.id)); full {
		e.mark(finding(CodeStillPacked, t.at, t.id))
		if f := e.unpackAll(t, &contents); f != nil {
			return false, f
		}
	}
	item, _ := get[Item](e.o, e.o.itemKey(t.id))
	item.State, item.Shipment = state, crypto.Hash{}
	e.changed(&item)
	put(e.o, e.o.itemKey(t.id), item)
	return true, nil
}

// addUnit keeps the units in which a lot was counted.
func addUnit(units []string, unit string) []string {
	at, found := slices.BinarySearch(units, unit)
	if found {
		return units
	}
	return slices.Insert(slices.Clone(units), at, unit)
}
