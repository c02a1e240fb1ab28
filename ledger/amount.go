package ledger

import (
	"waybill/epcis"
	"waybill/epcis/unit"
)

// Amount is an exact decimal number as the state stores it: Coefficient × 10^Exponent in the one form of
// [epcis.Decimal]. Amounts of the state are never negative. Mass is in kilograms (KGM), volume in litres (LTR), length in
// metres (MTR), area in square metres (MTK) and pieces in no unit, whatever units events state; all else is in its own.
type Amount struct {
	_           struct{} `cbor:",toarray"`
	Coefficient int64
	Exponent    int8
}

// minAmountExponent is the finest part of a unit that is counted, so that whole ounces, and pounds to four decimals, are
// kilograms exactly. It leaves six digits before the point; who counts less finely has more of them.
const minAmountExponent = -12

// AmountOf makes an amount of a decimal.
func AmountOf(d epcis.Decimal) Amount {
	return Amount{Coefficient: d.Coefficient, Exponent: d.Exponent}
}

// Decimal returns the number.
func (a Amount) Decimal() epcis.Decimal {
	return epcis.Decimal{Coefficient: a.Coefficient, Exponent: a.Exponent}
}

// String returns the number as text, for example "200.5".
func (a Amount) String() string { return a.Decimal().String() }

// MarshalText returns the text of String.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// IsZero reports whether the amount is 0.
func (a Amount) IsZero() bool { return a.Coefficient == 0 }

// plus returns the sum; false if it is beyond what is counted.
func (a Amount) plus(b Amount) (Amount, bool) {
	sum, err := a.Decimal().Add(b.Decimal())
	return AmountOf(sum), err == nil
}

// minus returns the difference; false if it would be negative.
func (a Amount) minus(b Amount) (Amount, bool) {
	diff, err := a.Decimal().Sub(b.Decimal())
	return AmountOf(diff), err == nil && diff.Sign() >= 0
}

// cmp returns -1, 0 or 1.
func (a Amount) cmp(b Amount) int { return a.Decimal().Cmp(b.Decimal()) }

// smaller returns the smaller one.
func (a Amount) smaller(b Amount) Amount {
	if b.cmp(a) < 0 {
		return b
	}
	return a
}

// countable reports whether a stated quantity can enter a balance.
func countable(d epcis.Decimal) bool {
	return d.Sign() >= 0 && d.Exponent >= minAmountExponent && d.Exponent <= 12
}

// canonicalUnit is the unit in which the ledger counts what is stated in another: the base unit of a mass, volume, length,
// area or count, so that 100 lb of a lot can be taken out of 50 kg of it. The ledger knows nothing of other units but
// their codes.
func canonicalUnit(uom string) string {
	u, ok := unit.Lookup(uom)
	if !ok || !u.Exact() {
		return uom
	}
	switch u.Dimension {
	case unit.Count, unit.Mass, unit.Volume, unit.Length, unit.Area:
		return u.Dimension.Base()
	}
	return uom
}

// counted converts a countable quantity into the unit in which the ledger counts it, exactly; false if that takes finer
// parts or larger numbers than it counts.
func counted(d epcis.Decimal, uom string) (Amount, string, bool) {
	base := canonicalUnit(uom)
	m, err := epcis.Measure{Amount: d, UOM: uom}.In(base)
	return AmountOf(m.Amount), base, err == nil && countable(m.Amount)
}
