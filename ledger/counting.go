package ledger

import "waybill/crypto"

// Cycle counting and stock taking: the custodian says what it has. What it has available of a lot is then what was
// counted. A loss is written off and marked. A gain is goods from nowhere (R10) unless the author had some before and may bring
// the lot into being, or the lot's origin is unverified in a network that takes over such goods.

// count settles the available stock of the author by what it counted. Things that were counted are only seen.
func (e *eventRun) count(g *goods) *Finding {
	if f := e.observe(g); f != nil {
		return f
	}
	inside := e.packedIn(g)
	for _, l := range g.lots {
		if !l.measured {
			continue
		}
		// What is in the containers that the event names too is counted there, and says nothing about the rest.
		part, some := loose(l, inside)
		if !some {
			continue
		}
		if f := e.countLot(part); f != nil {
			return f
		}
	}
	return nil
}

func (e *eventRun) countLot(l amountOf) *Finding {
	lot, known := e.lot(l.id)
	if !known {
		return nil // observe has said what there is to say
	}
	key := BalanceKey(l.id, e.author, l.unit, Available)
	had, _ := get[Balance](e.o, key)
	_, _, ever := e.stock(&lot, e.author)
	if had.Unmeasured {
		e.mark(finding(CodeCountFirst, l.at, e.orgName(e.author), l.text(), l.id))
		return e.setStock(l, &lot)
	}
	switch had.Amount.cmp(l.amount) {
	case 0:
		e.lookedAt(key)
		return nil
	case 1:
		loss, _ := had.Amount.minus(l.amount)
		e.mark(finding(CodeCountLoss, l.at, e.orgName(e.author), l.text(), l.id, textOf(had.Amount, l.unit), textOf(loss, l.unit)))
		return e.setStock(l, &lot)
	}
	return e.countGain(l, &lot, had.Amount, ever)
}

// countGain judges more than was known. Who never held any only looked at the goods of others.
func (e *eventRun) countGain(l amountOf, lot *Lot, had Amount, ever bool) *Finding {
	gain, _ := l.amount.minus(had)
	claim := e.claimTo(l.thing)
	grows, mayName := e.mayGrow(lot, ever), ever && claim.refusal == nil && claim.flag == nil
	if grows || mayName {
		if ok, f := e.mayGain(l); !ok {
			return f
		}
	}
	switch {
	case grows:
		e.takeOver(lot)
		e.mark(finding(CodeGrown, l.at, e.orgName(e.author), l.text(), l.id, textOf(gain, l.unit)))
	case !ever:
		e.mark(finding(CodeCountForeign, l.at, e.orgName(e.author), l.text(), l.id))
		return nil
	case mayName:
		e.mark(finding(CodeCountGain, l.at, e.orgName(e.author), l.text(), l.id, textOf(had, l.unit), textOf(gain, l.unit)))
	default:
		f := finding(CodeCountMore, l.at, e.orgName(e.author), l.text(), l.id, textOf(had, l.unit))
		return e.judge(f.against(lot.LastEvent, crypto.Hash{}, lot.LastHeight))
	}
	return e.setStock(l, lot)
}

// setStock writes what was counted over what was known. The unit may be a new one: that the author had some in another is
// then what it stands on.
func (e *eventRun) setStock(l amountOf, lot *Lot) *Finding {
	e.lookedAtAll(lot)
	units := addUnit(lot.Units, l.unit)
	if len(units) > maxUnits {
		return e.judge(finding(CodeTooManyUnits, l.at, l.id, decimal(maxUnits)))
	}
	lot.Units, lot.LastEvent, lot.LastHeight = units, e.e.hash, e.height
	put(e.o, LotKey(l.id), *lot)
	key := BalanceKey(l.id, e.author, l.unit, Available)
	bal, _ := get[Balance](e.o, key)
	bal.Amount, bal.Unmeasured = l.amount, false
	bal.Sets++
	put(e.o, key, bal)
	return nil
}
