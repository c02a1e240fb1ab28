package ledger

import (
	"slices"

	"waybill/crypto"
)

// A dispute ends line by line, each by the word of the side that gives something up by it. When they do not agree, a
// regulator decides after Params.SettleMs.

// resolveRun is the execution of one resolution.
type resolveRun struct {
	*txRun
	sh        *Shipment
	rec       *DisputeRecord
	at        string // pointer to the resolution in hand
	shipper   bool   // what the author may speak as
	receiver  bool
	regulator bool
}

func (t *txRun) resolve(p *Resolve) *Finding {
	rec, ok := get[DisputeRecord](t.o, DisputeKey(p.Dispute))
	if !ok {
		return refuse(CodeNoDispute, "/dispute", p.Dispute.String())
	}
	sh, ok := get[Shipment](t.o, ShipmentKey(rec.Shipment))
	if !ok {
		panic("ledger: dispute " + rec.ID.String() + " is about no shipment")
	}
	rec.Outcomes, rec.Resolved, rec.ResolvedMs = slices.Clone(rec.Outcomes), slices.Clone(rec.Resolved), slices.Clone(rec.ResolvedMs)
	r := resolveRun{txRun: t, sh: &sh, rec: &rec}
	if f := r.speaker(); f != nil {
		return f
	}
	for i, l := range p.Lines {
		r.at = "/lines/" + decimal(i)
		if f := r.line(l); f != nil {
			return f
		}
	}
	sh.settle()
	put(t.o, ShipmentKey(sh.Event), sh)
	put(t.o, DisputeKey(rec.ID), rec)
	return nil
}

// speaker finds out who the author is in this dispute. A receiver that the shipper stood in for speaks for itself once it
// is on the ledger.
func (r *resolveRun) speaker() *Finding {
	as, may := r.mayReceive(r.sh)
	r.shipper = r.author == r.rec.From
	r.receiver = r.author == r.rec.To || may && as == CodeOK
	_, office := get[bool](r.o, RegulatorKey(r.author))
	from := r.rec.TimeMs + r.params.SettleMs
	r.regulator = office && r.timeMs >= from
	switch {
	case r.shipper || r.receiver:
		return r.mayAct()
	case r.regulator:
		return nil
	case office:
		return r.conflict(refuse(CodeSettleEarly, "/dispute", decimal(r.rec.TimeMs), decimal(from)))
	}
	return r.conflict(refuse(CodeNotParty, "/dispute", r.orgName(r.author), r.orgName(r.rec.From), r.orgName(r.rec.To)))
}

func (r *resolveRun) conflict(f *Finding) *Finding {
	return f.against(crypto.Hash{}, r.rec.ID, r.rec.Height)
}

func (r *resolveRun) line(l Resolution) *Finding {
	n := int(l.Line)
	if n >= len(r.rec.Lines) {
		return r.conflict(refuse(CodeNoLine, r.at+"/line", decimal(len(r.rec.Lines)), decimal(n)))
	}
	line := &r.rec.Lines[n]
	was := r.rec.Outcomes[n]
	open := r.rec.LineOpen(n)
	// A regulator may still find for the receiver where the shipper only declined, which moved nothing.
	if !open && !(was == Declined && r.regulator) {
		return r.conflict(refuse(CodeLineResolved, r.at+"/line", decimal(n), was.String(), r.rec.Resolved[n].String()))
	}
	if !l.Outcome.ends(line.Kind) || l.Outcome == was {
		return r.conflict(refuse(CodeWrongOutcome, r.at+"/outcome", l.Outcome.String(), line.Kind.String()))
	}
	if f := r.may(l.Outcome); f != nil {
		return f
	}
	if f := r.bookOutcome(line, func() *Finding { return r.apply(n, l.Outcome) }); f != nil {
		return f
	}
	r.rec.Outcomes[n], r.rec.Resolved[n], r.rec.ResolvedMs[n] = l.Outcome, r.tx.id, r.timeMs
	if open && !r.rec.LineOpen(n) {
		r.rec.Open--
		r.sh.OpenLines--
	}
	return nil
}

// may reports whether the author may state an outcome.
func (r *resolveRun) may(o Outcome) *Finding {
	if r.regulator || o.receivers() && r.receiver || !o.receivers() && r.shipper {
		return nil
	}
	side, who := "shipper", r.rec.From
	if o.receivers() {
		side, who = "receiver", r.rec.To
	}
	return r.conflict(refuse(CodeNotYourOutcome, r.at+"/outcome", o.String(), side, r.orgName(who)))
}

// apply moves the goods of a line as the outcome says.
func (r *resolveRun) apply(n int, o Outcome) *Finding {
	line, goods := &r.rec.Lines[n], &r.rec.Goods[n]
	switch {
	case o == Declined || o == Supplied:
		return nil
	case line.Kind == DataMissing || line.Kind == Overage:
		if o == Agreed {
			return r.handOver(line.ID, line)
		}
		return nil
	case goods.Lot == "":
		if f := r.endItem(line, o); f != nil {
			return f
		}
	default:
		if f := r.endLot(line, goods, o); f != nil {
			return f
		}
	}
	if o == Agreed {
		return r.handOver(line.Found, line)
	}
	return nil
}

// endItem ends the dispute of a thing. One that was rejected may have been sent back or destroyed since: then that is what
// became of it, and the outcome only closes the line.
func (r *resolveRun) endItem(line *DisputeLine, o Outcome) *Finding {
	item, ok := get[Item](r.o, r.o.itemKey(line.ID))
	if !ok || !item.State.disputed() || item.Shipment != r.sh.Event {
		r.flag(r.conflict(refuse(CodeGoodsMoved, r.at, line.ID, r.orgName(r.rec.To), "it")))
		r.withdraw(line, nil, o)
		return nil
	}
	item.State, item.Shipment = StateActive, crypto.Hash{}
	switch o {
	case Credited, Agreed, Returned:
		item.Custodian = r.rec.From
	case Delivered, Kept:
		item.Custodian = r.rec.To
		r.own(&item)
	case Lost:
		item.State = StateLost
	case Destroyed:
		item.State = StateDestroyed
	case Withdrawn:
		item.State, item.Shipment, item.Custodian = StateInTransit, r.sh.Event, r.rec.From
		r.sh.OpenItems++
		r.withdraw(line, nil, o)
	}
	put(r.o, r.o.itemKey(item.ID), item)
	return nil
}

// own passes the ownership that the shipment was to pass.
func (r *resolveRun) own(item *Item) {
	if !r.sh.Owner.IsZero() && r.sh.Owner != item.Owner {
		item.Owner, item.OwnerSince = r.sh.Owner, item.Chain.Count+1
	}
}

// withdraw takes what a line counted out of the arithmetic of the shipment again.
func (r *resolveRun) withdraw(line *DisputeLine, q *PackedAmount, o Outcome) {
	if o != Withdrawn {
		return
	}
	tally := &r.sh.Short
	if line.Kind == Damage {
		tally = &r.sh.Rejected
	}
	if q == nil {
		*tally = tally.less(&Tally{Items: 1})
		return
	}
	*tally = tally.less(&Tally{Quantities: []PackedAmount{*q}})
}

// endLot ends the dispute of a quantity, which the dispute has kept.
func (r *resolveRun) endLot(line *DisputeLine, q *PackedAmount, o Outcome) *Finding {
	code := CodeOK
	switch o {
	case Credited, Agreed, Returned:
		code = r.stow(*q, r.rec.From, Available)
	case Delivered, Kept:
		code = r.stow(*q, r.rec.To, Available)
	case Withdrawn:
		r.withdraw(line, q, o)
		return r.reopen(line, *q)
	}
	if code != CodeOK {
		return refuse(CodeBadQuantity, r.at, q.Amount.String(), q.Lot)
	}
	return nil
}

// reopen puts a quantity under way again.
func (r *resolveRun) reopen(line *DisputeLine, q PackedAmount) *Finding {
	if q.Amount.IsZero() && !q.Unmeasured {
		return nil
	}
	listed := slices.ContainsFunc(r.sh.Quantities, func(o PackedAmount) bool { return o.Lot == q.Lot && o.Unit == q.Unit })
	if !listed && !r.listTransit(q.Lot, q.Unit, r.sh) {
		return refuse(CodeTooManyOpen, r.at, r.orgName(r.rec.From), q.Lot, decimal(maxOpenShipments), decimal(maxReceivers))
	}
	quantities, ok := addPacked(r.sh.Quantities, q)
	if !ok || len(quantities) > maxTally {
		return refuse(CodeBadQuantity, r.at, q.Amount.String(), line.ID)
	}
	r.sh.Quantities = quantities
	return nil
}

// handOver gives the receiver what arrived without having been shipped, out of the shipper's stock.
func (r *resolveRun) handOver(id string, line *DisputeLine) *Finding {
	if line.Amount.IsZero() && line.Unit == "" {
		if s, ok := r.standing(id); ok {
			return r.handOverItem(s)
		}
	}
	lot, ok := r.lot(id)
	if !ok {
		return refuse(CodeUnknownObject, r.at, id)
	}
	q := PackedAmount{Lot: id, Unit: line.Unit, Amount: line.Amount}
	key := BalanceKey(id, r.rec.From, line.Unit, Available)
	bal, _ := get[Balance](r.o, key)
	left, enough := bal.Amount.minus(q.Amount)
	switch {
	case enough:
	case bal.Unmeasured || r.adopts() && lot.Flags&FlagUnverified != 0 && lot.BornBy == r.rec.From && len(r.carried(id).Claims) == 0:
		missing, _ := q.Amount.minus(bal.Amount)
		r.flag(refuse(CodeGrown, r.at, r.orgName(r.rec.From), textOf(q.Amount, q.Unit), id, textOf(missing, q.Unit)))
		left = Amount{}
	default:
		return refuse(CodeAgreedMissing, r.at, r.orgName(r.rec.From), textOf(q.Amount, q.Unit), id, textOf(bal.Amount, q.Unit))
	}
	if f := r.mayGo(goods{lots: []amountOf{{thing: thing{id: id, at: r.at}, unit: q.Unit, amount: q.Amount, measured: true}}}); f != nil {
		return f
	}
	bal.Amount = left
	put(r.o, key, bal)
	if r.stow(q, r.rec.To, Available) != CodeOK || !r.sh.Shipped.plus(q) {
		return refuse(CodeBadQuantity, r.at, q.Amount.String(), id)
	}
	return nil
}

func (r *resolveRun) handOverItem(s standing) *Finding {
	root := s.root()
	if s.item().State.ended() || root.State != StateActive || root.Custodian != r.rec.From {
		f := refuse(CodeAgreedMissing, r.at, r.orgName(r.rec.From), "1", s.item().ID, "0")
		return f.against(root.LastEvent, crypto.Hash{}, root.LastHeight)
	}
	item := *s.item()
	if f := r.mayGo(goods{items: []thing{{id: item.ID, at: r.at}}}); f != nil {
		return f
	}
	if s.packed() {
		if !r.keepUnder(&s, r.mayWork) || !r.takeOut(&s, r.mayWork) {
			return refuse(CodeTooMuchWork, r.at, decimal(maxWorkAuthor))
		}
		item = s.freed()
	}
	item.Custodian = r.rec.To
	if item.Owner == r.rec.From || item.Owner.IsZero() {
		r.own(&item)
	}
	put(r.o, r.o.itemKey(item.ID), item)
	r.sh.Shipped.Items++
	return nil
}

// mayGo is R12 for what is handed over: nothing leaves by agreement that could not be shipped.
func (r *resolveRun) mayGo(g goods) *Finding {
	paid := freeShare{over: true}
	e := &eventRun{txRun: r.txRun, e: &capturedEvent{timeMs: r.timeMs}, index: -1, worked: paid, looked: paid}
	f := e.mayLeave(&g, &departure{to: r.rec.To, owner: r.sh.Owner, as: "handed over to " + r.orgName(r.rec.To)})
	r.receipt.Flags = append(r.receipt.Flags, e.flags...)
	if f == nil && e.overworked {
		return refuse(CodeTooMuchWork, r.at, decimal(maxWorkAuthor))
	}
	return f
}
