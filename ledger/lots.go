package ledger

import (
	"cmp"
	"fmt"

	"waybill/crypto"
	"waybill/epcis/gs1"
)

// maxUnits bounds the units one lot is counted in.
const maxUnits = 16

// lotOf returns the canonical lot of an item whose master data names a lot number: under its GTIN if it has one.
func lotOf(id, number string) string {
	parsed, err := gs1.Parse(id)
	if err != nil {
		return number
	}
	gtin, ok := parsed.GTIN()
	if !ok {
		return number
	}
	return cmp.Or(lotID(gtin, number), number)
}

// lotID is the canonical identifier of a lot of a product, "" if the number is none that GS1 allows. Slashes, brackets and
// percent signs are part of some numbers, so everything that could mean something in a URI is escaped.
func lotID(gtin, number string) string {
	link := []byte("https://id.gs1.org/01/" + gtin + "/10/")
	for _, c := range []byte(number) {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			link = append(link, c)
		} else {
			link = fmt.Appendf(link, "%%%02X", c)
		}
	}
	lot, err := gs1.Parse(string(link))
	if err != nil {
		return ""
	}
	return lot.Canonical()
}

// lotNumberOf returns the lot number that an identifier of a lot holds, "" if it holds none.
func lotNumberOf(id string) string {
	parsed, err := gs1.Parse(id)
	if err != nil {
		return ""
	}
	return parsed.Lot()
}

// text is the amount with its unit, for example "61 KGM".
func (a *amountOf) text() string { return textOf(a.amount, a.unit) }

func textOf(a Amount, unit string) string {
	if unit == "" {
		return a.String()
	}
	return a.String() + " " + unit
}

// credit puts an amount loose into somebody's hands. The lot must be on the ledger.
func (e *eventRun) credit(l amountOf, who crypto.Address) *Finding {
	return e.creditAs(l, who, Available)
}

func (e *eventRun) creditAs(l amountOf, who crypto.Address, status Status) *Finding {
	lot, ok := get[Lot](e.o, LotKey(l.id))
	if !ok {
		panic("ledger: credit of unknown lot " + l.id)
	}
	units := addUnit(lot.Units, l.unit)
	if len(units) > maxUnits {
		return e.judge(finding(CodeTooManyUnits, l.at, l.id, decimal(maxUnits)))
	}
	flags := lot.Flags
	if !l.measured {
		flags |= FlagUnmeasured
		e.mark(finding(CodeUnmeasured, l.at, l.id))
	}
	lot.Units, lot.Flags, lot.LastEvent, lot.LastHeight = units, flags, e.e.hash, e.height
	put(e.o, LotKey(l.id), lot)
	key := BalanceKey(l.id, who, l.unit, status)
	bal, _ := get[Balance](e.o, key)
	if !l.measured {
		bal.Unmeasured = true
		bal.Sets++
	} else {
		sum, ok := bal.Amount.plus(l.amount)
		if !ok {
			return e.judge(finding(CodeBadQuantity, l.at, l.amount.String(), l.id))
		}
		bal.Amount = sum
	}
	put(e.o, key, bal)
	return nil
}

// creditPacked puts what came out of a container or a shipment loose into somebody's hands.
func (e *eventRun) creditPacked(q PackedAmount, who crypto.Address, at string) *Finding {
	l := amountOf{thing: thing{id: q.Lot, at: at}, unit: q.Unit, amount: q.Amount, measured: true}
	if !q.Amount.IsZero() || !q.Unmeasured {
		if f := e.credit(l, who); f != nil {
			return f
		}
	}
	if !q.Unmeasured {
		return nil
	}
	l.amount, l.measured = Amount{}, false
	return e.credit(l, who)
}

// debit takes an amount out of the author's available stock (R6, R10) and returns what was taken; nil without a finding: a
// rule was flagged and nothing was taken. A quantity that is not stated takes nothing that is counted.
func (e *eventRun) debit(l amountOf) (*PackedAmount, *Finding) {
	lot, known := e.lot(l.id)
	if !known {
		letIn, f := e.adoptLot(l.thing, true)
		if f != nil || !letIn {
			return nil, f
		}
		lot, _ = get[Lot](e.o, LotKey(l.id))
	}
	key := BalanceKey(l.id, e.author, l.unit, Available)
	bal, _ := get[Balance](e.o, key)
	taken := &PackedAmount{Lot: l.id, Unit: l.unit, Amount: l.amount, Unmeasured: !l.measured}
	if l.measured {
		if left, ok := bal.Amount.minus(l.amount); ok {
			bal.Amount = left
			put(e.o, key, bal)
			lot.LastEvent, lot.LastHeight = e.e.hash, e.height
			put(e.o, LotKey(l.id), lot)
			return taken, nil
		}
	}
	any, unmeasured, ever := e.stock(&lot, e.author)
	switch {
	case !l.measured && any:
		e.lookedAtAll(&lot)
		e.mark(finding(CodeUnmeasured, l.at, l.id))
	case l.measured && unmeasured:
		e.mark(finding(CodeUnmeasured, l.at, l.id))
		bal.Amount = Amount{}
		put(e.o, key, bal)
		e.lookedAtAll(&lot)
	case e.mayGrow(&lot, ever):
		if ok, f := e.mayGain(l); !ok {
			return nil, f
		}
		e.takeOver(&lot)
		return taken, e.grow(&lot, l, bal)
	case !any:
		f := finding(CodeNotHolder, l.at, e.orgName(e.author), l.id)
		return nil, e.judge(f.against(lot.LastEvent, crypto.Hash{}, lot.LastHeight))
	default:
		f := finding(CodeOverdrawn, l.at, e.orgName(e.author), l.text(), l.id, textOf(bal.Amount, l.unit))
		return nil, e.judge(f.against(lot.LastEvent, crypto.Hash{}, lot.LastHeight))
	}
	return taken, nil
}

// stock tells whether somebody has any of a lot available, in any unit; whether part of it was never measured; and
// whether it ever held any.
func (e *eventRun) stock(lot *Lot, who crypto.Address) (any, unmeasured, ever bool) {
	for _, unit := range lot.Units {
		bal, ok := get[Balance](e.o, BalanceKey(lot.ID, who, unit, Available))
		ever = ever || ok
		any = any || bal.Unmeasured || !bal.Amount.IsZero()
		unmeasured = unmeasured || bal.Unmeasured
	}
	return any, unmeasured, ever
}

// mayGrow reports whether more of a lot may be taken over than is known: its origin is unverified, and the author is who
// brought it onto the ledger, or nobody ever had any. Of a class without lots it may be anybody who had some (ever).
func (e *eventRun) mayGrow(lot *Lot, ever bool) bool {
	if !e.adopts() || lot.Flags&FlagUnverified == 0 {
		return false
	}
	return len(lot.Units) == 0 || lot.BornBy == e.author || ever && isClass(lot.ID)
}

// takeOver notes who takes over goods of unverified origin.
func (e *eventRun) takeOver(lot *Lot) {
	e.beginLot(lot)
	if lot.BornBy != e.author {
		lot.Flags |= FlagShared
	}
	put(e.o, LotKey(lot.ID), *lot)
}

// grow takes over what is missing, so that the amount can be taken.
func (e *eventRun) grow(lot *Lot, l amountOf, bal Balance) *Finding {
	if len(lot.Units) > 0 && l.measured {
		missing, _ := l.amount.minus(bal.Amount)
		e.mark(finding(CodeGrown, l.at, e.orgName(e.author), l.text(), l.id, textOf(missing, l.unit)))
	}
	// Credit it and take it again, so that the unit is known and the balance on record.
	l.amount = Amount{}
	if f := e.credit(l, e.author); f != nil {
		return f
	}
	key := BalanceKey(l.id, e.author, l.unit, Available)
	after, _ := get[Balance](e.o, key)
	after.Amount = Amount{}
	after.Sets++
	put(e.o, key, after)
	return nil
}
