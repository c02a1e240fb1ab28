package ledger

import (
	"slices"

	"waybill/crypto"
)

// Hand-off of quantities. What is under way of a lot is in its shipments; lists of them are in transit.go.

// maxInside bounds how many packed things are looked at to see whether quantities in an event are what is packed.
const maxInside = 8192

// packedIn adds up what is packed in the items that an event names, at any depth. Documents often name a pallet and
// what is on it; that is one thing moving, not two.
func (e *eventRun) packedIn(g *goods) []PackedAmount {
	if len(g.items) == 0 || len(g.lots) == 0 {
		return nil
	}
	var sum []PackedAmount
	queue, seen := make([]string, 0, len(g.items)), map[string]bool{}
	for _, t := range g.items {
		queue = append(queue, t.id)
	}
	for i := 0; i < len(queue) && i < maxInside; i++ {
		if seen[queue[i]] {
			continue
		}
		seen[queue[i]] = true
		contents, ok := get[Contents](e.o, ContentsKey(queue[i]))
		if !ok {
			continue
		}
		if !e.mayWork(len(contents.Items) + len(contents.Quantities)) {
			return nil
		}
		queue = append(queue, contents.Items...)
		for _, q := range contents.Quantities {
			// Only what the event names matters, which keeps the list short.
			if !slices.ContainsFunc(g.lots, func(l amountOf) bool { return l.id == q.Lot }) {
				continue
			}
			if added, ok := addPacked(sum, q); ok {
				sum = added
			}
		}
	}
	return sum
}

// loose takes from a quantity what is packed in the containers of the same event; false if nothing is left.
func loose(l amountOf, inside []PackedAmount) (amountOf, bool) {
	for i := range inside {
		q := &inside[i]
		if q.Lot != l.id || (l.measured && q.Unit != l.unit) {
			continue
		}
		if !l.measured || q.Unmeasured {
			return l, false
		}
		part := q.Amount.smaller(l.amount)
		q.Amount, _ = q.Amount.minus(part)
		l.amount, _ = l.amount.minus(part)
		if l.amount.IsZero() {
			return l, false
		}
	}
	return l, true
}

func (e *eventRun) shipLot(sh *Shipment, l amountOf, inside []PackedAmount) *Finding {
	l, some := loose(l, inside)
	if !some {
		return nil
	}
	debit := e.debit
	if e.sendsHeld() {
		debit = e.debitHeld
	}
	moved, f := debit(l)
	if f != nil || moved == nil {
		return f
	}
	lot, _ := get[Lot](e.o, LotKey(l.id))
	if f := e.notExpired(l.id, lot.ExpiryMs, l.at, ""); f != nil {
		return f
	}
	quantities, ok := addPacked(sh.Quantities, *moved)
	if !ok {
		return e.judge(finding(CodeBadQuantity, l.at, l.amount.String(), l.id))
	}
	sh.Quantities = quantities
	if !e.listTransit(l.id, l.unit, sh) {
		return e.judge(finding(CodeTooManyOpen, l.at, e.orgName(e.author), l.id, decimal(maxOpenShipments), decimal(maxReceivers)))
	}
	return nil
}

// receiveLot takes a quantity out of the shipments of the lot to the author, oldest first. What is stated and cannot be
// found is an overage.
func (e *eventRun) receiveLot(l amountOf) *Finding {
	lot, known := e.lot(l.id)
	if !known {
		letIn, f := e.adoptLot(l.thing, true)
		if f != nil || !letIn {
			return f
		}
		return e.credit(l, e.author)
	}
	got, first, f := e.takeTransit(l, &lot, func(s *Shipment) bool {
		as, may := e.mayReceive(s)
		if may {
			e.markReceipt(as, l.at, l.id, s)
		}
		return may
	}, false)
	if f != nil {
		return f
	}
	if first == nil {
		return e.receiveIdleLot(l, &lot)
	}
	if left, _ := l.amount.minus(got); l.measured && !left.IsZero() {
		if e.mayGrow(&lot, true) {
			if ok, f := e.mayGain(l); !ok {
				return f
			}
			e.mark(finding(CodeGrown, l.at, e.orgName(e.author), l.text(), l.id, textOf(left, l.unit)))
			l.amount = left
			if lot, ok := e.lot(l.id); ok {
				e.takeOver(&lot)
			}
			return e.credit(l, e.author)
		}
		f := finding(CodeOverage, l.at, l.text(), l.id, textOf(got, l.unit), e.orgName(e.author))
		return e.judge(f.against(first.Event, first.Tx, first.Height))
	}
	return nil
}

// receiveIdleLot is a receiving of a lot of which nothing is under way to the author.
func (e *eventRun) receiveIdleLot(l amountOf, lot *Lot) *Finding {
	any, _, _ := e.stock(lot, e.author)
	if any {
		e.lookedAtAll(lot)
		e.mark(finding(CodeAlreadyHeld, l.at, l.id, e.orgName(e.author)))
		return nil
	}
	if e.mayGrow(lot, false) {
		if ok, f := e.mayGain(l); !ok {
			return f
		}
		e.takeOver(lot)
		return e.credit(l, e.author)
	}
	f := finding(CodeNothingShipped, l.at, l.id, e.orgName(e.author))
	return e.judge(f.against(lot.LastEvent, crypto.Hash{}, lot.LastHeight))
}

// takeTransit takes a quantity out of the open shipments of a lot that match, into the author's hands, and returns how
// much was found and in which shipment first (nil: in none). A quantity that is not stated takes all there is. Taken back
// says that the author is the shipper.
func (e *eventRun) takeTransit(l amountOf, lot *Lot, match func(*Shipment) bool, back bool) (got Amount, first *Shipment, f *Finding) {
	units := []string{l.unit}
	if !l.measured {
		units = lot.Units
	}
	for _, unit := range units {
		q := e.underWay(l.id, unit, back)
		for !l.measured || first == nil || got.cmp(l.amount) < 0 {
			sh := q.next()
			if sh == nil {
				break
			}
			if !match(sh) {
				continue
			}
			if first == nil {
				was := *sh
				first = &was
			}
			still, f := e.takeShipment(sh, l, unit, &got, back)
			if f != nil {
				return got, first, f
			}
			if !still {
				e.unlistTransit(l.id, unit, sh)
			}
		}
	}
	return got, first, nil
}

// takeShipment takes what is still wanted of a lot out of one shipment and reports whether some of it stays open.
func (e *eventRun) takeShipment(sh *Shipment, l amountOf, unit string, got *Amount, back bool) (still bool, f *Finding) {
	at := slices.IndexFunc(sh.Quantities, func(q PackedAmount) bool { return q.Lot == l.id && q.Unit == unit })
	if at < 0 {
		return false, nil
	}
	want := l
	want.unit = unit
	if l.measured {
		want.amount, _ = l.amount.minus(*got)
	}
	taken, left, _ := takePacked(sh.Quantities[at], want)
	if l.measured && taken.Unmeasured {
		// What was shipped unmeasured is received as it is measured now.
		taken.Amount, taken.Unmeasured, left = want.amount, false, PackedAmount{}
	}
	sum, ok := got.plus(taken.Amount)
	if !ok {
		return false, e.judge(finding(CodeBadQuantity, l.at, l.amount.String(), l.id))
	}
	*got = sum
	sh.Quantities = slices.Clone(sh.Quantities)
	still = !left.Amount.IsZero() || left.Unmeasured
	if still {
		sh.Quantities[at] = left
	} else {
		sh.Quantities = slices.Delete(sh.Quantities, at, at+1)
	}
	if back {
		sh.Void.plus(taken) // part of what was shipped, so it fits
		e.voidShipment(sh)
	} else {
		e.putShipment(sh)
	}
	if f := e.creditPacked(taken, e.author, l.at); f != nil {
		return false, f
	}
	key := BalanceKey(l.id, e.author, unit, Available)
	bal, _ := get[Balance](e.o, key)
	bal.Arrivals++
	put(e.o, key, bal)
	return still, nil
}

func (e *eventRun) voidLot(l amountOf) *Finding {
	lot, known := e.lot(l.id)
	if !known {
		_, f := e.adoptLot(l.thing, false)
		return f
	}
	var early *Finding
	got, first, f := e.takeTransit(l, &lot, func(s *Shipment) bool {
		if s.From != e.author {
			return false
		}
		if soon := e.tooEarly(s, l.at, l.id); soon != nil {
			early = soon
			return false
		}
		return true
	}, true)
	if f != nil {
		return f
	}
	if first == nil && early != nil {
		return e.judge(early)
	}
	if left, _ := l.amount.minus(got); first == nil || (l.measured && !left.IsZero()) {
		return e.judge(finding(CodeNotShipper, l.at, e.orgName(e.author), l.id))
	}
	return nil
}
