package unit

import (
	"errors"
	"math"
	"math/bits"
)

// Unit is a unit of measure. The zero value is no unit.
type Unit struct {
	Code      string // UN/ECE Recommendation 20, for example "LBR"; "" counts objects
	Name      string // for example "pound"
	Symbol    string // for example "lb"; "" for a mere count
	Dimension Dimension

	factor factor
	zero   int64 // added before multiplying, in hundredths of the unit: 27315 makes kelvins of degrees Celsius
}

// factor is how many base units a unit is: num / den × 10^exp, exactly; den 0 where that is no fraction.
type factor struct {
	num, den uint64
	exp      int8
}

// Errors of conversion, for errors.Is.
var (
	ErrUnknown   = errors.New("not a unit that is known")
	ErrDimension = errors.New("units of different dimensions")
	ErrInexact   = errors.New("the amount has no finite decimal in the other unit")
	ErrRange     = errors.New("the amount is beyond the range of exact numbers in the other unit")
)

// pieces is the unit of quantities that name none (EPCIS 2.0, section 7.3.3.3).
var pieces = Unit{Name: "piece", Dimension: Count, factor: factor{1, 1, 0}}

// Lookup returns the unit with a code; "" is a count of objects. False if the code is unknown.
func Lookup(code string) (Unit, bool) {
	if code == "" {
		return pieces, true
	}
	u, ok := goodsUnits[code]
	if !ok {
		u, ok = measureUnits[code]
	}
	return u, ok
}

// DimensionOf returns what a code measures; None if it is unknown.
func DimensionOf(code string) Dimension {
	u, _ := Lookup(code)
	return u.Dimension
}

// Exact reports whether amounts in the unit can be converted at all.
func (u Unit) Exact() bool { return u.factor.den != 0 }

// SameDimension reports whether amounts in two units can be added: both known and of one dimension, or the same code.
func SameDimension(a, b string) bool {
	if a == b {
		return true
	}
	u, okU := Lookup(a)
	v, okV := Lookup(b)
	return okU && okV && u.Dimension == v.Dimension && u.Exact() && v.Exact()
}

// Convert returns the amount coefficient × 10^exponent of one unit in another, without trailing zeros in its coefficient.
// The same code on both sides, known or not, returns the amount. Errors: ErrUnknown, ErrDimension, ErrInexact, ErrRange.
func Convert(coefficient int64, exponent int, from, to string) (int64, int, error) {
	if from == to {
		c, e := strip(coefficient, exponent)
		return c, e, nil
	}
	u, v, err := pair(from, to)
	if err != nil {
		return 0, 0, err
	}
	f, fits := u.over(v)
	c, e, ok := shift(coefficient, exponent, u.zero)
	if !ok || !fits {
		return 0, 0, ErrRange
	}
	w, err := f.times(c, e)
	if err != nil {
		return 0, 0, err
	}
	if c, e, ok = w.number(); !ok {
		return 0, 0, ErrRange
	}
	if c, e, ok = shift(c, e, -v.zero); !ok {
		return 0, 0, ErrRange
	}
	c, e = strip(c, e)
	return c, e, nil
}

// Compare returns -1, 0 or 1 as the amount a × 10^x of one unit is less than, equal to or greater than b × 10^y of
// another, exactly. Errors: ErrUnknown, ErrDimension, ErrRange (a temperature with more than 16 digits).
func Compare(a int64, x int, from string, b int64, y int, to string) (int, error) {
	if from == to {
		return compare(wideOf(a, x), wideOf(b, y)), nil
	}
	u, v, err := pair(from, to)
	if err != nil {
		return 0, err
	}
	a, x, okA := shift(a, x, u.zero)
	b, y, okB := shift(b, y, v.zero)
	f, fits := u.over(v)
	if !okA || !okB || !fits {
		return 0, ErrRange
	}
	return compare(wideOf(a, x+int(f.exp)).mul(f.num), wideOf(b, y).mul(f.den)), nil
}

func pair(from, to string) (u, v Unit, err error) {
	u, okU := Lookup(from)
	v, okV := Lookup(to)
	switch {
	case !okU || !okV:
		return u, v, ErrUnknown
	case u.Dimension != v.Dimension:
		return u, v, ErrDimension
	case !u.Exact() || !v.Exact():
		return u, v, ErrInexact
	}
	return u, v, nil
}

// over is how many units v are one unit u, in lowest terms; false beyond 64 bits, where the acre-foot of the survey (M67)
// meets some others.
func (u Unit) over(v Unit) (factor, bool) {
	a, b := reduce(u.factor.num, v.factor.num)
	c, d := reduce(v.factor.den, u.factor.den)
	a, d = reduce(a, d)
	c, b = reduce(c, b)
	highNum, num := bits.Mul64(a, c)
	highDen, den := bits.Mul64(b, d)
	return factor{num: num, den: den, exp: u.factor.exp - v.factor.exp}, highNum == 0 && highDen == 0
}

func reduce(a, b uint64) (uint64, uint64) {
	g, r := a, b
	for r != 0 {
		g, r = r, g%r
	}
	return a / g, b / g
}

// times multiplies exactly.
func (f factor) times(c int64, e int) (wide, error) {
	w := wideOf(c, e+int(f.exp)).mul(f.num)
	den := f.den
	twos, fives := 0, 0
	for ; den%2 == 0; den /= 2 {
		twos++
	}
	for ; den%5 == 0; den /= 5 {
		fives++
	}
	// What is neither two nor five must divide the number; a two less is a five more and one power of ten less.
	if rest, ok := w.div(den); ok {
		w = rest
	} else {
		return w, ErrInexact
	}
	for ; twos > 0; twos-- {
		if half, ok := w.div(2); ok {
			w = half
		} else {
			w = w.mul(5)
			w.exp--
		}
	}
	for ; fives > 0; fives-- {
		if fifth, ok := w.div(5); ok {
			w = fifth
		} else {
			w = w.mul(2)
			w.exp--
		}
	}
	if w.over {
		return w, ErrRange
	}
	return w, nil
}

// shift adds hundredths to c × 10^e; false if that does not fit.
func shift(c int64, e int, hundredths int64) (int64, int, bool) {
	const e2 = -2
	switch {
	case hundredths == 0:
		return c, e, true
	case c == 0:
		return hundredths, e2, true
	}
	low := min(e, e2)
	a, okA := scale(c, e-low)
	b, okB := scale(hundredths, e2-low)
	sum := a + b
	return sum, low, okA && okB && ((a > 0) != (b > 0) || (sum > 0) == (a > 0))
}

// scale returns c × 10^n; false on overflow.
func scale(c int64, n int) (int64, bool) {
	for ; n > 0; n-- {
		if c > math.MaxInt64/10 || c < -math.MaxInt64/10 {
			return 0, false
		}
		c *= 10
	}
	return c, true
}

// strip takes the zeros off the end of a coefficient.
func strip(c int64, e int) (int64, int) {
	if c == 0 {
		return 0, 0
	}
	for c%10 == 0 {
		c /= 10
		e++
	}
	return c, e
}

// wide is a number of up to 128 bits times a power of ten.
type wide struct {
	hi, lo   uint64
	exp      int
	negative bool
	over     bool // more than 128 bits; hi and lo mean nothing then
}

func wideOf(c int64, e int) wide {
	w := wide{lo: uint64(c), exp: e}
	if c < 0 {
		w.lo, w.negative = -w.lo, true
	}
	return w
}

func (w wide) zero() bool { return w.hi == 0 && w.lo == 0 && !w.over }

func (w wide) sign() int {
	switch {
	case w.zero():
		return 0
	case w.negative:
		return -1
	}
	return 1
}

func (w wide) mul(n uint64) wide {
	carry, lo := bits.Mul64(w.lo, n)
	over, hi := bits.Mul64(w.hi, n)
	hi, c := bits.Add64(hi, carry, 0)
	w.hi, w.lo = hi, lo
	w.over = w.over || over != 0 || c != 0
	return w
}

// div divides if nothing is left over; false otherwise.
func (w wide) div(n uint64) (wide, bool) {
	hi, r := w.hi/n, w.hi%n
	lo, r := bits.Div64(r, w.lo, n)
	if r != 0 {
		return w, false
	}
	w.hi, w.lo = hi, lo
	return w, true
}

// number is the number with 63 bits, if it has one.
func (w wide) number() (int64, int, bool) {
	for w.hi != 0 || w.lo > math.MaxInt64 {
		tenth, ok := w.div(10)
		if !ok || w.over {
			return 0, 0, false
		}
		tenth.exp++
		w = tenth
	}
	c := int64(w.lo)
	if w.negative {
		c = -c
	}
	return c, w.exp, !w.over
}

// compare compares numbers of fewer than 127 bits, whose exponents may be anything.
func compare(a, b wide) int {
	if s, t := a.sign(), b.sign(); s != t || s == 0 {
		return max(-1, min(1, s-t))
	}
	for ; a.exp > b.exp && !a.over; a.exp-- {
		a = a.mul(10)
	}
	for ; b.exp > a.exp && !b.over; b.exp-- {
		b = b.mul(10)
	}
	c := 0
	switch {
	case a.over: // and b is not: at most one is scaled
		c = 1
	case b.over:
		c = -1
	case a.hi != b.hi:
		c = order(a.hi, b.hi)
	default:
		c = order(a.lo, b.lo)
	}
	if a.negative {
		return -c
	}
	return c
}

func order(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// CompareProducts returns -1, 0 or 1 as a × m × 10^x is less than, equal to or greater than b × n × 10^y, exactly.
func CompareProducts(a int64, m uint64, x int, b int64, n uint64, y int) int {
	return compare(wideOf(a, x).mul(m), wideOf(b, y).mul(n))
}
