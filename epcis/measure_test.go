package epcis

import (
	"errors"
	"testing"

	"waybill/epcis/unit"
)

func measure(t *testing.T, amount, uom string) Measure {
	t.Helper()
	d, err := ParseDecimal(amount)
	if err != nil {
		t.Fatal(err)
	}
	return Measure{d, uom}
}

func TestMeasuresAddUp(t *testing.T) {
	for _, c := range []struct {
		a, ua, b, ub, sum, diff string
		cmp                     int
		err                     error
	}{
		{"3", "KGM", "1", "LBR", "3.45359237 KGM", "2.54640763 KGM", 1, nil},
		{"1", "LBR", "3", "KGM", "3.45359237 KGM", "-2.54640763 KGM", -1, nil},
		{"1", "LBR", "8", "ONZ", "1.5 LBR", "0.5 LBR", 1, nil},
		{"2", "DZN", "6", "", "2.5 DZN", "1.5 DZN", 1, nil},
		{"6", "", "2", "DZN", "30", "-18", -1, nil},
		{"1.5", "CS", "2", "CS", "3.5 CS", "-0.5 CS", -1, nil},
		{"1000", "GRM", "1", "KGM", "2000 GRM", "0 GRM", 0, nil},
		{"1", "KGM", "1", "LTR", "", "", 0, unit.ErrDimension},
		{"1", "CS", "1", "", "", "", 0, unit.ErrUnknown},
		{"999999999999999999", "KGM", "0.5", "KGM", "", "", 1, ErrDecimalRange},
	} {
		a, b := measure(t, c.a, c.ua), measure(t, c.b, c.ub)
		sum, err := a.Add(b)
		diff, errD := a.Sub(b)
		if !errors.Is(err, c.err) || !errors.Is(errD, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s and %s: %v, %v; want %v", a, b, err, errD, c.err)
		} else if err == nil && (sum.String() != c.sum || diff.String() != c.diff) {
			t.Errorf("%s and %s: sum %s, difference %s; want %s, %s", a, b, sum, diff, c.sum, c.diff)
		}
		if got, err := a.Cmp(b); got != c.cmp || (err != nil) != (c.err != nil && c.err != ErrDecimalRange) {
			t.Errorf("%s against %s: %d, %v; want %d", a, b, got, err, c.cmp)
		}
	}
}
