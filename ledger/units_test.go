package ledger

import (
	"testing"

	"waybill/epcis"
)

func TestWhatIsCountedInWhat(t *testing.T) {
	for _, c := range []struct {
		amount, uom, want, unit string
		ok                      bool
	}{
		{"100", "LBR", "45.359237", "KGM", true}, {"1", "ONZ", "0.028349523125", "KGM", true}, {"0.5", "ONZ", "", "KGM", false},
		{"2.5", "TNE", "2500", "KGM", true}, {"1", "MGM", "0.000001", "KGM", true}, {"1", "MTQ", "1000", "LTR", true},
		{"12", "INH", "0.3048", "MTR", true}, {"1", "HAR", "10000", "MTK", true}, {"3", "DZN", "36", "", true}, {"7", "H87", "7", "", true},
		{"7", "", "7", "", true}, {"1.5", "CS", "1.5", "CS", true}, {"2", "KWH", "2", "KWH", true}, {"5", "CEL", "5", "CEL", true},
		{"1", "M47", "1", "M47", true}, {"1", "M51", "", "MTR", false}, {"1e12", "KTN", "", "KGM", false}, {"0", "M51", "0", "MTR", true},
	} {
		d, err := epcis.ParseDecimal(c.amount)
		if err != nil {
			t.Fatal(err)
		}
		a, unit, ok := counted(d, c.uom)
		if ok != c.ok || ok && (a.String() != c.want || unit != c.unit) || canonicalUnit(c.uom) != c.unit {
			t.Errorf("%s %s: %s %s, %t; want %s %s, %t", c.amount, c.uom, a, unit, ok, c.want, c.unit, c.ok)
		}
	}
}
