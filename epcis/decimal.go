package epcis

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Decimal is an exact number: Coefficient × 10^Exponent. Every value has one form, in which the coefficient is not
// divisible by ten (zero is {0, 0}), so that equal values are equal with ==. Example: 200.50 is {2005, -1}.
type Decimal struct {
	Coefficient int64
	Exponent    int8
}

// Errors of decimal arithmetic and parsing, for errors.Is.
var (
	ErrDecimalSyntax = errors.New("not a decimal number")
	ErrDecimalRange  = errors.New("more than 18 digits or beyond the range of exact numbers")
)

// Limits of the exponent. They leave room to write any decimal as a JSON number of at most maxNumberBytes.
const (
	minExponent = -127
	maxExponent = 127
)

// NewDecimal returns coefficient × 10^exponent in its one form; the error is ErrDecimalRange.
func NewDecimal(coefficient int64, exponent int) (Decimal, error) {
	if coefficient == 0 {
		return Decimal{}, nil
	}
	for coefficient%10 == 0 {
		coefficient /= 10
		exponent++
	}
	// A coefficient of 19 digits may still fit int64, but not every one does: 18 is the promise.
	if exponent < minExponent || exponent > maxExponent || coefficient == math.MinInt64 {
		return Decimal{}, ErrDecimalRange
	}
	return Decimal{Coefficient: coefficient, Exponent: int8(exponent)}, nil
}

// ParseDecimal reads a number as JSON writes it, for example "-12.50" or "1.5e3", exactly.
func ParseDecimal(s string) (Decimal, error) {
	n, ok := splitNumber(s)
	if !ok {
		return Decimal{}, fmt.Errorf("%w: %q", ErrDecimalSyntax, shorten(s))
	}
	if n.digits == "" {
		return Decimal{}, nil
	}
	if len(n.digits) > 19 {
		return Decimal{}, fmt.Errorf("%w: %q", ErrDecimalRange, shorten(s))
	}
	c, err := strconv.ParseInt(n.digits, 10, 64)
	if err != nil || n.exponent < minExponent || n.exponent > maxExponent {
		return Decimal{}, fmt.Errorf("%w: %q", ErrDecimalRange, shorten(s))
	}
	if n.negative {
		c = -c
	}
	return Decimal{Coefficient: c, Exponent: int8(n.exponent)}, nil
}

// number is a JSON number taken apart: ±digits × 10^exponent, digits without zeros at either end, "" for zero.
type number struct {
	negative bool
	digits   string
	exponent int64
}

// splitNumber accepts exactly the grammar of RFC 8259, section 6.
func splitNumber(s string) (number, bool) {
	var n number
	if strings.HasPrefix(s, "-") {
		n.negative = true
		s = s[1:]
	}
	mantissa, exp, hasExp := strings.Cut(s, "e")
	if !hasExp {
		mantissa, exp, hasExp = strings.Cut(s, "E")
	}
	if hasExp {
		e, ok := parseExponent(exp)
		if !ok {
			return number{}, false
		}
		n.exponent = e
	}
	whole, fraction, hasPoint := strings.Cut(mantissa, ".")
	if !allDigits(whole) || whole == "" || len(whole) > 1 && whole[0] == '0' || hasPoint && fraction == "" || !allDigits(fraction) {
		return number{}, false
	}
	n.exponent -= int64(len(fraction))
	digits := whole
	if fraction != "" {
		digits += fraction
	}
	digits = strings.TrimLeft(digits, "0")
	trimmed := strings.TrimRight(digits, "0")
	n.exponent += int64(len(digits) - len(trimmed))
	n.digits = trimmed
	if trimmed == "" {
		return number{}, true
	}
	return n, true
}

// parseExponent reads an optional sign and digits. Exponents beyond any use are clamped, so that nothing overflows;
// they stay out of every range that is accepted.
func parseExponent(s string) (int64, bool) {
	const beyond = 1 << 40
	digits := strings.TrimPrefix(s, "+")
	negative := strings.HasPrefix(s, "-")
	if negative {
		digits = s[1:]
	}
	if digits == "" || !allDigits(digits) {
		return 0, false
	}
	digits = strings.TrimLeft(digits, "0")
	e := int64(0)
	if len(digits) > 12 {
		e = beyond
	} else if digits != "" {
		e, _ = strconv.ParseInt(digits, 10, 64) // at most 12 digits: cannot fail
	}
	if negative {
		e = -e
	}
	return e, true
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// String writes the number as JSON does: plainly, or with an exponent where plain would be long.
func (d Decimal) String() string {
	const plain = 24 // zeros that may be written out
	digits := strconv.FormatInt(d.Coefficient, 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	e := int(d.Exponent)
	switch {
	case e == 0:
		return sign + digits
	case e > 0 && e <= plain:
		return sign + digits + strings.Repeat("0", e)
	case e < 0 && -e < len(digits):
		at := len(digits) + e
		return sign + digits[:at] + "." + digits[at:]
	case e < 0 && -e <= plain:
		return sign + "0." + strings.Repeat("0", -e-len(digits)) + digits
	}
	return sign + digits + "e" + strconv.Itoa(e)
}

// IsZero reports whether d is 0.
func (d Decimal) IsZero() bool { return d.Coefficient == 0 }

// Sign returns -1, 0 or 1.
func (d Decimal) Sign() int {
	switch {
	case d.Coefficient < 0:
		return -1
	case d.Coefficient > 0:
		return 1
	}
	return 0
}

// IsWhole reports whether d has no fraction.
func (d Decimal) IsWhole() bool { return d.Exponent >= 0 }

// Neg returns -d.
func (d Decimal) Neg() Decimal { return Decimal{Coefficient: -d.Coefficient, Exponent: d.Exponent} }

// Add returns the exact sum; the error is ErrDecimalRange when it does not fit.
func (d Decimal) Add(o Decimal) (Decimal, error) {
	if d.IsZero() {
		return o, nil
	}
	if o.IsZero() {
		return d, nil
	}
	e := min(d.Exponent, o.Exponent)
	a, okA := scaleUp(d.Coefficient, int(d.Exponent)-int(e))
	b, okB := scaleUp(o.Coefficient, int(o.Exponent)-int(e))
	if !okA || !okB {
		return Decimal{}, ErrDecimalRange
	}
	sum := a + b
	if (a > 0) == (b > 0) && (sum > 0) != (a > 0) {
		return Decimal{}, ErrDecimalRange
	}
	return NewDecimal(sum, int(e))
}

// Sub returns the exact difference d-o; the error is ErrDecimalRange when it does not fit.
func (d Decimal) Sub(o Decimal) (Decimal, error) { return d.Add(o.Neg()) }

// scaleUp returns c × 10^n; false on overflow.
func scaleUp(c int64, n int) (int64, bool) {
	for range n {
		if c > math.MaxInt64/10 || c < -math.MaxInt64/10 {
			return 0, false
		}
		c *= 10
	}
	return c, true
}

// Cmp returns -1, 0 or 1 as d is less than, equal to or greater than o; it never overflows.
func (d Decimal) Cmp(o Decimal) int {
	if s, t := d.Sign(), o.Sign(); s != t || s == 0 {
		return cmpInt(s, t)
	}
	e := min(d.Exponent, o.Exponent)
	a, okA := scaleUp(d.Coefficient, int(d.Exponent)-int(e))
	b, okB := scaleUp(o.Coefficient, int(o.Exponent)-int(e))
	switch {
	case okA && okB:
		return cmpInt(a, b)
	case okA: // o is too far from zero to be scaled, hence farther than d
		return -o.Sign()
	default:
		return d.Sign()
	}
}

func cmpInt[T int | int64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// isCanonical reports whether d is in its one form, as bytes from others may not be.
func (d Decimal) isCanonical() bool {
	c, err := NewDecimal(d.Coefficient, int(d.Exponent))
	return err == nil && c == d
}
