package query

import (
	"math"
	"strings"

	"waybill/epcis"
)

// Op is a comparison.
type Op string

// The comparisons that parameter names begin with. Exists has no value.
const (
	OpEQ     Op = "EQ"
	OpGT     Op = "GT"
	OpGE     Op = "GE"
	OpLT     Op = "LT"
	OpLE     Op = "LE"
	OpExists Op = "EXISTS"
)

// holds reports whether a comparison with result cmp (-1, 0, 1) satisfies the operator.
func (o Op) holds(cmp int) bool {
	switch o {
	case OpEQ:
		return cmp == 0
	case OpGT:
		return cmp > 0
	case OpGE:
		return cmp >= 0
	case OpLT:
		return cmp < 0
	case OpLE:
		return cmp <= 0
	}
	return false
}

// NumberTest compares a number of an event. Of Values, one must be satisfied; only EQ has more than one.
type NumberTest struct {
	Field  string // "quantity", "value", "minValue"…
	Op     Op
	UOM    string // "" for any unit; an amount in another unit of its dimension is converted
	Values []epcis.Decimal
}

func (t NumberTest) holds(d *epcis.Decimal, uom string) bool {
	if d == nil {
		return false
	}
	wanted := t.UOM
	if wanted == "" {
		wanted = uom
	}
	for _, v := range t.Values {
		order, err := epcis.Measure{Amount: *d, UOM: uom}.Cmp(epcis.Measure{Amount: v, UOM: wanted})
		if err == nil && t.Op.holds(order) {
			return true
		}
	}
	return false
}

// timeBound narrows an interval; op is GE or LT.
func (i *Interval) narrow(op Op, ms int64) {
	if op == OpGE {
		i.From = max(i.From, ms)
	} else {
		i.To = min(i.To, ms)
	}
}

// parseTime reads an instant as events write it, or a number of milliseconds as the JSON schema also allows.
func parseTime(s string) (int64, bool) {
	if t, ok := (epcis.Timestamp{Text: s}).Time(); ok {
		return t.UnixMilli(), true
	}
	return 0, false
}

// number reads an exact decimal.
func number(s string) (epcis.Decimal, bool) {
	d, err := epcis.ParseDecimal(strings.TrimSpace(s))
	return d, err == nil
}

// count reads a positive whole number up to limit.
func count(s string, limit int) (int, bool) {
	n := 0
	if s == "" || len(s) > 9 {
		return 0, false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, n >= 1 && n <= min(limit, math.MaxInt32)
}
