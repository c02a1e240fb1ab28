package ledger

import (
	"slices"

	"waybill/crypto"
)

// A dispute settles what a receiver did not accept. What never arrived leaves the shipment and is kept by the dispute. So are
// quantities that arrived and are rejected: loose, they would be told from nothing else of their lot, and who rejected them
// could use them; a rejected thing is in the receiver's custody, and locked. What arrived and was not shipped is a claim
// until the shipper agrees. So after it, as before, everything is in one place.

// disputeRun is the execution of one dispute.
type disputeRun struct {
	*txRun
	sh  *Shipment
	rec *DisputeRecord
	at  string // pointer to the line in hand

	ours map[string]bool // containers whose list of quantities was copied for this dispute; "": that of the shipment
}

func (t *txRun) dispute(p *Dispute) *Finding {
	if f := t.mayAct(); f != nil {
		return f
	}
	sh, f := t.disputable(p.Shipment)
	if f != nil {
		return f
	}
	d := disputeRun{txRun: t, sh: sh, ours: map[string]bool{}, rec: &DisputeRecord{
		ID: t.tx.id, Shipment: sh.Event, From: sh.From, To: t.author, Lines: slices.Clone(p.Lines),
		Goods: make([]PackedAmount, len(p.Lines)), Outcomes: make([]Outcome, len(p.Lines)), Resolved: make([]crypto.Hash, len(p.Lines)),
		ResolvedMs: make([]int64, len(p.Lines)),
		Note:       p.Note, Document: p.Document, Height: t.height, TimeMs: t.timeMs, Open: uint16(len(p.Lines)),
	}}
	for i := range d.rec.Lines {
		d.at = "/lines/" + decimal(i)
		if f := d.line(&d.rec.Lines[i], &d.rec.Goods[i]); f != nil {
			return f
		}
	}
	sh.Disputes = append(slices.Clip(sh.Disputes), t.tx.id)
	sh.OpenLines += uint64(len(p.Lines))
	sh.settle()
	put(t.o, ShipmentKey(sh.Event), *sh)
	put(t.o, DisputeKey(t.tx.id), *d.rec)
	return nil
}

// disputable finds a shipment that is the author's to dispute. Whoever disputes a shipment to nobody in particular is its
// receiver from then on.
func (t *txRun) disputable(event crypto.Hash) (*Shipment, *Finding) {
	const at = "/shipment"
	sh, ok := get[Shipment](t.o, ShipmentKey(event))
	if !ok {
		return nil, refuse(CodeNoShipment, at, event.String())
	}
	as, may := t.mayReceive(&sh)
	switch {
	case !may:
		return nil, refuse(CodeNotDisputant, at, t.orgName(t.author), t.receiverName(&sh)).against(sh.Event, sh.Tx, sh.Height)
	case sh.State == ShipmentVoid:
		return nil, refuse(CodeShipmentVoid, at, t.orgName(sh.From)).against(sh.Event, sh.Tx, sh.Height)
	case len(sh.Disputes) >= maxDisputes:
		return nil, refuse(CodeTooManyDisputes, at, decimal(maxDisputes)).against(sh.Event, sh.Tx, sh.Height)
	}
	switch as {
	case CodeBearer:
		sh.To = t.author
		t.flag(refuse(as, at, "the shipment", t.orgName(t.author)).against(sh.Event, sh.Tx, sh.Height))
	case CodeOnBehalf:
		t.flag(refuse(as, at, "the shipment", t.orgName(t.author), sh.Party).against(sh.Event, sh.Tx, sh.Height))
	}
	return &sh, nil
}

// flag marks a transaction that is no capture, unless the finding is of a rule that is off.
func (t *txRun) flag(f *Finding) {
	if rule := f.Code.rule(); rule == 0 || t.params.Rules.of(rule) != Off {
		t.receipt.Flags = append(t.receipt.Flags, *f)
	}
}

// line makes a line canonical and takes out of the shipment what it says did not arrive or is rejected.
func (d *disputeRun) line(l *DisputeLine, goods *PackedAmount) *Finding {
	amount, base, ok := counted(l.Amount.Decimal(), l.Unit)
	if !ok {
		return inexact(l.Amount.Decimal(), l.Unit, l.ID, d.at+"/amount")
	}
	l.Amount, l.Unit = amount, base
	for _, id := range []*string{&l.ID, &l.In, &l.Found} {
		if *id != "" {
			*id = canonical(*id)
		}
	}
	switch l.Kind {
	case Overage:
		if _, lot := get[Lot](d.o, LotKey(l.ID)); lot && l.Amount.IsZero() {
			return d.uncountable(l)
		}
		return nil
	case DataMissing:
		if l.ID != "" && !d.known(l.ID) {
			return refuse(CodeUnknownObject, d.at+"/id", l.ID)
		}
		return nil
	}
	if l.Amount.IsZero() && l.Unit == "" && l.In == "" {
		if s, ok := d.standing(l.ID); ok {
			return d.takeItem(l, s)
		}
	}
	return d.takeLot(l, goods)
}

func (b *blockRun) known(id string) bool {
	if _, ok := b.item(id); ok {
		return true
	}
	_, ok := b.lot(id)
	return ok
}

// takeItem takes a thing out of the shipment, and out of the container in which it travels.
func (d *disputeRun) takeItem(l *DisputeLine, s standing) *Finding {
	root := s.root()
	if s.item().State.ended() || root.State != StateInTransit || root.Shipment != d.sh.Event {
		f := refuse(CodeNotOpen, d.at+"/id", l.ID)
		return f.against(root.LastEvent, crypto.Hash{}, root.LastHeight)
	}
	item := *s.item()
	if s.packed() {
		if !d.keepUnder(&s, d.mayWork) || !d.takeOut(&s, d.mayWork) {
			return refuse(CodeTooMuchWork, d.at+"/id", decimal(maxWorkAuthor))
		}
		item = s.freed()
		d.sh.Shipped.Items++
	} else {
		d.sh.OpenItems--
	}
	item.State, item.Shipment = StateDisputed, d.sh.Event
	if l.Kind == Damage {
		item.State, item.Custodian = StateRejected, d.author
		d.sh.Rejected.Items++
	} else {
		d.sh.Short.Items++
	}
	put(d.o, d.o.itemKey(item.ID), item)
	return nil
}

// takeLot takes a quantity out of the shipment, or out of a container that travels in it.
func (d *disputeRun) takeLot(l *DisputeLine, goods *PackedAmount) *Finding {
	take := d.takeLoose
	if l.In != "" {
		take = d.takePackedIn
	}
	taken, f := take(l)
	if f != nil {
		return f
	}
	l.Amount, *goods = taken.Amount, *taken
	if l.Kind == Damage {
		if !d.sh.Rejected.plus(*taken) {
			return d.uncountable(l)
		}
		return nil
	}
	if !d.sh.Short.plus(*taken) {
		return d.uncountable(l)
	}
	return nil
}

func (d *disputeRun) uncountable(l *DisputeLine) *Finding {
	return refuse(CodeBadQuantity, d.at+"/amount", l.Amount.String(), l.ID)
}

func (d *disputeRun) takeLoose(l *DisputeLine) (*PackedAmount, *Finding) {
	rest, taken, f := d.takeFrom(d.sh.Quantities, "", l)
	if f != nil {
		return nil, f
	}
	if taken == nil {
		return nil, refuse(CodeNotOpen, d.at+"/id", l.ID).against(d.sh.Event, d.sh.Tx, d.sh.Height)
	}
	if len(rest) < len(d.sh.Quantities) {
		d.unlistTransit(l.ID, l.Unit, d.sh)
	}
	d.sh.Quantities = rest
	return taken, nil
}

// takePackedIn takes a quantity out of a container. It counts as shipped by itself then, like a thing taken off a load.
func (d *disputeRun) takePackedIn(l *DisputeLine) (*PackedAmount, *Finding) {
	s, ok := d.standing(l.In)
	if !ok || s.root().State != StateInTransit || s.root().Shipment != d.sh.Event {
		return nil, refuse(CodeNotOpen, d.at+"/in", l.In).against(d.sh.Event, d.sh.Tx, d.sh.Height)
	}
	if f := d.mayLoosen(&s, l.ID); f != nil {
		return nil, f
	}
	contents, _ := get[Contents](d.o, ContentsKey(l.In))
	rest, taken, f := d.takeFrom(contents.Quantities, l.In, l)
	if f != nil {
		return nil, f
	}
	if taken == nil {
		return nil, refuse(CodeNotInside, d.at+"/id", l.ID, l.In)
	}
	contents.Quantities = rest
	d.putContents(l.In, contents)
	if !d.sh.Shipped.plus(*taken) {
		return nil, d.uncountable(l)
	}
	return taken, nil
}

// mayLoosen is R12 for quantities that a dispute takes out of a container, as for those that are unpacked.
func (d *disputeRun) mayLoosen(s *standing, lot string) *Finding {
	if d.params.Rules.R12 == Off {
		return nil
	}
	box, rec, ok := d.loosened(s, d.author, d.mayWork)
	switch {
	case !ok:
		return refuse(CodeTooMuchWork, d.at+"/in", decimal(maxWorkAuthor))
	case rec == nil:
		return nil
	}
	f := refuse(CodeLoosened, d.at+"/in", box.ID, rec.Type.String(), d.orgName(rec.Issuer), lot).against(crypto.Hash{}, rec.ID, rec.Height)
	if d.params.Rules.R12 == Reject {
		return f
	}
	d.flag(f)
	return nil
}

// takeFrom takes the quantity of a line out of a list that is ascending by lot and unit, and returns what stays; nil
// taken: the list has none of it. The list of a container of thousands is copied once, not for each line.
func (d *disputeRun) takeFrom(list []PackedAmount, box string, l *DisputeLine) (rest []PackedAmount, taken *PackedAmount, f *Finding) {
	i, found := slices.BinarySearchFunc(list, PackedAmount{Lot: l.ID, Unit: l.Unit}, comparePacked)
	if !found {
		return list, nil, nil
	}
	part, left, ok := split(list[i], l.Amount)
	if !ok {
		return nil, nil, d.tooMuch(l, list[i])
	}
	if !d.ours[box] {
		if !d.mayWork(d.rewriting(box, len(list))) {
			return nil, nil, refuse(CodeTooMuchWork, d.at+"/id", decimal(maxWorkAuthor))
		}
		d.ours[box], list = true, slices.Clone(list)
	}
	if left.Amount.IsZero() && !left.Unmeasured {
		return slices.Delete(list, i, i+1), &part, nil
	}
	list[i] = left
	return list, &part, nil
}

func (d *disputeRun) tooMuch(l *DisputeLine, open PackedAmount) *Finding {
	f := refuse(CodeDisputeMore, d.at+"/amount", textOf(l.Amount, l.Unit), l.ID, textOf(open.Amount, l.Unit))
	return f.against(d.sh.Event, d.sh.Tx, d.sh.Height)
}

// split divides what is open into what a line takes and what stays; a zero amount takes all. An amount that was never
// measured covers any, and stays open.
func split(open PackedAmount, amount Amount) (taken, left PackedAmount, ok bool) {
	taken, left = open, open
	if amount.IsZero() {
		left.Amount, left.Unmeasured = Amount{}, false
		return taken, left, true
	}
	taken.Amount, taken.Unmeasured = amount, false
	rest, enough := open.Amount.minus(amount)
	if !enough {
		rest = Amount{}
	}
	left.Amount = rest
	return taken, left, enough || open.Unmeasured
}
