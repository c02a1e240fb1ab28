package epcis

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func ratOf(t interface{ Fatalf(string, ...any) }, s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("%q is no number", s)
	}
	return r
}

func drawDecimal(t *rapid.T, name string) Decimal {
	c := rapid.Int64Range(-999_999_999_999_999_999, 999_999_999_999_999_999).Draw(t, name)
	e := rapid.IntRange(-100, 100).Draw(t, name+" exponent")
	d, err := NewDecimal(c, e)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDecimalProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawDecimal(t, "a"), drawDecimal(t, "b")
		again, err := ParseDecimal(a.String())
		if err != nil || again != a {
			t.Fatalf("%v written as %s reads as %v, %v", a, a, again, err)
		}
		if len(a.String()) > maxNumberBytes {
			t.Fatalf("%s is too long to be read again", a)
		}
		x, y := ratOf(t, a.String()), ratOf(t, b.String())
		if a.Cmp(b) != x.Cmp(y) {
			t.Fatalf("%s compared to %s is %d", a, b, a.Cmp(b))
		}
		if (a == b) != (x.Cmp(y) == 0) {
			t.Fatalf("%v and %v: one value, two forms", a, b)
		}
		if sum, err := a.Add(b); err == nil && ratOf(t, sum.String()).Cmp(new(big.Rat).Add(x, y)) != 0 {
			t.Fatalf("%s + %s = %s", a, b, sum)
		}
		if diff, err := a.Sub(a); err != nil || !diff.IsZero() {
			t.Fatalf("%s - itself = %v, %v", a, diff, err)
		}
	})
}

func TestDecimalTable(t *testing.T) {
	for text, want := range map[string]Decimal{
		"0": {}, "-0": {}, "0.000": {}, "0e99": {}, "25.0": {25, 0}, "200": {2, 2}, "-1.50": {-15, -1}, "1E+3": {1, 3}, "5e-3": {5, -3},
		"999999999999999999": {999999999999999999, 0}, "9223372036854775807": {math.MaxInt64, 0},
	} {
		if got, err := ParseDecimal(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]error{
		"": ErrDecimalSyntax, "-": ErrDecimalSyntax, "+1": ErrDecimalSyntax, "01": ErrDecimalSyntax, "1.": ErrDecimalSyntax, ".5": ErrDecimalSyntax,
		"1e": ErrDecimalSyntax, "1e+": ErrDecimalSyntax, "0x1": ErrDecimalSyntax, "1_0": ErrDecimalSyntax, "NaN": ErrDecimalSyntax, "1e1e1": ErrDecimalSyntax,
		"99999999999999999999": ErrDecimalRange, "9223372036854775808": ErrDecimalRange, "1e128": ErrDecimalRange, "1e-128": ErrDecimalRange,
		"1e99999999999999999999": ErrDecimalRange,
	} {
		if _, err := ParseDecimal(text); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
	for d, want := range map[Decimal]string{{5, -1}: "0.5", {12345, -2}: "123.45", {-1, 3}: "-1000", {1, 100}: "1e100", {1, -100}: "1e-100"} {
		if d.String() != want {
			t.Errorf("%v is written %s", d, d.String())
		}
	}
	big := Decimal{math.MaxInt64, 0}
	if _, err := big.Add(Decimal{1, 0}); !errors.Is(err, ErrDecimalRange) {
		t.Errorf("overflow: %v", err)
	}
	if _, err := (Decimal{1, 100}).Add(Decimal{1, -100}); !errors.Is(err, ErrDecimalRange) {
		t.Errorf("far apart: %v", err)
	}
}
