package ledger

import "waybill/crypto"

// Loose stock of a lot has a status for each custodian and unit. Everything comes and goes as available; holding sets it
// apart, so that it is neither shipped nor packed nor used up, and stocking or storing takes it back (CBV 2.0, 7.1.3).

// Status says whether loose stock may be used. Its text is "available" or "held".
type Status uint8

// The statuses.
const (
	Available Status = 0
	Held      Status = 1 // set apart: waiting for an inspection, or on the way to being destroyed or returned
)

var statusNames = [...]string{Available: "available", Held: "held"}

// Statuses lists all statuses, for readers of every [Balance] of somebody.
func Statuses() []Status { return []Status{Available, Held} }

// String returns "available" or "held".
func (s Status) String() string {
	return enumText("status", statusNames[:], uint8(s))
}

// MarshalText returns the text of String.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the text of String; the error is of kind ErrPayload.
func (s *Status) UnmarshalText(text []byte) error {
	n, err := enumOf("status", statusNames[:], text)
	if err == nil {
		*s = Status(n)
	}
	return err
}

// setAside sets stock of the author apart: what is stated, or all of a lot whose quantity is not.
func (e *eventRun) setAside(g *goods) *Finding {
	if f := e.observe(g); f != nil {
		return f
	}
	inside := e.packedIn(g)
	for _, l := range g.lots {
		l, some := loose(l, inside)
		if !some {
			continue
		}
		if f := e.holdLot(l); f != nil {
			return f
		}
	}
	return nil
}

func (e *eventRun) holdLot(l amountOf) *Finding {
	if !l.measured && e.restock(l, Available, Held) {
		return nil
	}
	moved, f := e.debit(l)
	if f != nil || moved == nil {
		return f
	}
	return e.creditAs(l, e.author, Held)
}

// release makes held stock of the author available again, as far as it holds any: what is stocked or stored need never
// have been held.
func (e *eventRun) release(g *goods) *Finding {
	if f := e.observe(g); f != nil {
		return f
	}
	inside := e.packedIn(g)
	for _, l := range g.lots {
		l, some := loose(l, inside)
		if !some {
			continue
		}
		if !l.measured {
			e.restock(l, Held, Available)
			continue
		}
		if f := e.releaseLot(l); f != nil {
			return f
		}
	}
	return nil
}

func (e *eventRun) releaseLot(l amountOf) *Finding {
	key := BalanceKey(l.id, e.author, l.unit, Held)
	held, ok := get[Balance](e.o, key)
	if !ok {
		return nil
	}
	part := held.take(l.amount)
	put(e.o, key, held)
	if part.IsZero() {
		return nil
	}
	l.amount = part
	return e.credit(l, e.author)
}

// restock gives all that the author has of a lot with one status another one, in every unit; false if there is none. The
// sum always fits unless it is beyond what is counted, and then that unit stays as it is.
func (e *eventRun) restock(l amountOf, from, to Status) bool {
	lot, ok := e.lot(l.id)
	if !ok {
		return false
	}
	some := false
	for _, unit := range lot.Units {
		fromKey, toKey := BalanceKey(l.id, e.author, unit, from), BalanceKey(l.id, e.author, unit, to)
		source, _ := get[Balance](e.o, fromKey)
		if source.Amount.IsZero() && !source.Unmeasured {
			e.lookedAt(fromKey)
			continue
		}
		target, _ := get[Balance](e.o, toKey)
		sum, ok := target.Amount.plus(source.Amount)
		if !ok {
			continue
		}
		target.Amount, target.Unmeasured = sum, target.Unmeasured || source.Unmeasured
		source.Amount, source.Unmeasured = Amount{}, false
		source.Sets++
		target.Sets++
		put(e.o, fromKey, source)
		put(e.o, toKey, target)
		some = true
	}
	if some {
		lot.LastEvent, lot.LastHeight = e.e.hash, e.height
		put(e.o, LotKey(l.id), lot)
	}
	return some
}

// debitHeld is debit for what is destroyed or sent back: of what is held first, then of what is available.
func (e *eventRun) debitHeld(l amountOf) (*PackedAmount, *Finding) {
	key := BalanceKey(l.id, e.author, l.unit, Held)
	held, ok := get[Balance](e.o, key)
	if !ok || (held.Amount.IsZero() && !held.Unmeasured) {
		e.lookedAt(key)
		return e.debit(l)
	}
	if !l.measured {
		e.lookedAt(key)
		e.mark(finding(CodeUnmeasured, l.at, l.id))
		return &PackedAmount{Lot: l.id, Unit: l.unit, Unmeasured: true}, nil
	}
	rest := l
	part := held.take(l.amount)
	rest.amount, _ = l.amount.minus(part)
	if !rest.amount.IsZero() {
		if taken, f := e.debit(rest); f != nil || taken == nil {
			return nil, f
		}
	}
	put(e.o, key, held)
	lot, _ := get[Lot](e.o, LotKey(l.id))
	lot.LastEvent, lot.LastHeight = e.e.hash, e.height
	put(e.o, LotKey(l.id), lot)
	return &PackedAmount{Lot: l.id, Unit: l.unit, Amount: l.amount}, nil
}

// take takes what there is of an amount out of a balance, and returns how much that was.
func (b *Balance) take(wanted Amount) Amount {
	part := b.Amount.smaller(wanted)
	b.Amount, _ = b.Amount.minus(part)
	if part != wanted {
		b.Sets++ // how much there was made a difference
	}
	return part
}

// lookedAt says that what a balance was made a difference to the event, although it left it as it was.
func (e *eventRun) lookedAt(key []byte) {
	if bal, ok := get[Balance](e.o, key); ok {
		bal.Sets++
		put(e.o, key, bal)
	}
}

// lookedAtAll says so of all that the author has available of a lot.
func (e *eventRun) lookedAtAll(lot *Lot) {
	for _, unit := range lot.Units {
		e.lookedAt(BalanceKey(lot.ID, e.author, unit, Available))
	}
}

// sendsHeld reports whether a shipping event says that its goods are not for sale: such goods are taken from what is held
// first (dispositions of CBV 2.0, 7.2.3).
func (e *eventRun) sendsHeld() bool {
	switch e.e.disposition {
	case "returned", "recalled", "damaged", "expired", "disposed", "non_sellable_other":
		return true
	}
	return false
}

// stow is credit without an event: it puts an amount loose into somebody's hands, or says why that cannot be counted.
func (b *blockRun) stow(q PackedAmount, who crypto.Address, status Status) Code {
	lot, ok := get[Lot](b.o, LotKey(q.Lot))
	if !ok {
		panic("ledger: stock of unknown lot " + q.Lot)
	}
	if units := addUnit(lot.Units, q.Unit); len(units) > len(lot.Units) {
		if len(units) > maxUnits {
			return CodeTooManyUnits
		}
		lot.Units = units
		put(b.o, LotKey(q.Lot), lot)
	}
	key := BalanceKey(q.Lot, who, q.Unit, status)
	bal, _ := get[Balance](b.o, key)
	sum, ok := bal.Amount.plus(q.Amount)
	if !ok {
		return CodeBadQuantity
	}
	bal.Amount, bal.Unmeasured = sum, bal.Unmeasured || q.Unmeasured
	put(b.o, key, bal)
	return CodeOK
}
