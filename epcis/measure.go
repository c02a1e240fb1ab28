package epcis

import (
	"errors"

	"waybill/epcis/unit"
)

// Measure is an amount in a unit, for example 12.5 kg. The zero value is no objects.
type Measure struct {
	Amount Decimal
	UOM    string // UN/ECE Recommendation 20 code; "" is a count of objects
}

// In returns the same amount in another unit, exactly. Errors: those of [unit.Convert], and ErrDecimalRange.
func (m Measure) In(uom string) (Measure, error) {
	if m.UOM == uom {
		return m, nil
	}
	c, e, err := unit.Convert(m.Amount.Coefficient, int(m.Amount.Exponent), m.UOM, uom)
	if err != nil {
		return Measure{}, err
	}
	d, err := NewDecimal(c, e)
	return Measure{d, uom}, err
}

// Add returns the exact sum: in the unit of m, or, where that is no finite decimal, in the base unit of the dimension
// (three kilograms and a pound are 3.45359237 kg in either order). The errors are those of [Measure.In].
func (m Measure) Add(o Measure) (Measure, error) {
	same, err := o.In(m.UOM)
	if errors.Is(err, unit.ErrInexact) || errors.Is(err, unit.ErrRange) {
		base := unit.DimensionOf(m.UOM).Base()
		if m, err = m.In(base); err != nil {
			return Measure{}, err
		}
		same, err = o.In(base)
	}
	if err != nil {
		return Measure{}, err
	}
	sum, err := m.Amount.Add(same.Amount)
	return Measure{sum, m.UOM}, err
}

// Sub returns the exact difference m-o, in the unit that Add chooses.
func (m Measure) Sub(o Measure) (Measure, error) {
	o.Amount = o.Amount.Neg()
	return m.Add(o)
}

// Cmp returns -1, 0 or 1 as m is less than, equal to or greater than o. The errors are those of [unit.Compare].
func (m Measure) Cmp(o Measure) (int, error) {
	return unit.Compare(m.Amount.Coefficient, int(m.Amount.Exponent), m.UOM, o.Amount.Coefficient, int(o.Amount.Exponent), o.UOM)
}

// String returns the amount and its unit, for example "12.5 KGM".
func (m Measure) String() string {
	if m.UOM == "" {
		return m.Amount.String()
	}
	return m.Amount.String() + " " + m.UOM
}
