package ledger

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"waybill/epcis"
	"waybill/epcis/gs1"
	"waybill/epcis/unit"
)

// What comes out of a transformation (R11).
//
// No more mass comes out than went in, times the yield that the author declared for the class of the output (see
// DeclareYield), and no more volume. A class without a declaration yields at most what goes in. Of several classes each is
// held against its own yield, and all of them together against what went in, or the highest yield if that is more. Events with one transformationID are one
// transformation: whenever one of them brings something out, everything that came out so far is held against everything
// that went in so far, so inputs are recorded first, or with the outputs. An event that only adds inputs is not judged.
//
// Where an input was not measured in one dimension with the others (a serial number, an unstated amount, pieces, litres
// beside kilograms) nothing is judged: nobody knows what it weighed. Outputs in another dimension than the inputs are
// left out.

// Weight is a mass or volume that went into a transformation or came out of it.
type Weight struct {
	_      struct{} `cbor:",toarray"`
	Class  string   // of the product that came out; "" of what went in
	Unit   string   // "KGM" or "LTR"
	Amount Amount
}

// weighable reports whether what has a unit is judged by R11.
func weighable(u string) bool { return u == unit.Mass.Base() || u == unit.Volume.Base() }

// classOf returns the class of a lot or thing, or the identifier itself where it has none.
func classOf(id string) string {
	parsed, err := gs1.Parse(id)
	if err != nil {
		return id
	}
	if class := parsed.Class(); !class.IsZero() {
		return class.Canonical()
	}
	return parsed.Canonical()
}

// spent lists the inputs that were used up; serial numbers have no measure.
func spent(used []usedInput) []amountOf {
	out := make([]amountOf, 0, len(used))
	for _, u := range used {
		if u.edge {
			out = append(out, u.amount)
		}
	}
	return out
}

// weigh adds what an event took and made to its transformation and judges the yield.
func (e *eventRun) weigh(link *Link, spent []amountOf) *Finding {
	for i := range spent {
		in := &spent[i]
		if !in.measured || !weighable(in.unit) {
			link.Unweighed = true
			continue
		}
		if f := e.addWeight(&link.In, "", in); f != nil {
			return f
		}
	}
	out := false
	for i := range e.e.makes.lots {
		l := &e.e.makes.lots[i]
		if !l.measured || !weighable(l.unit) {
			continue
		}
		out = true
		if f := e.addWeight(&link.Out, classOf(l.id), l); f != nil {
			return f
		}
	}
	if !out || link.Unweighed || len(link.In) > 1 || len(link.In) == 0 && len(link.Inputs) > 0 {
		return nil
	}
	return e.judgeYield(link)
}

// addWeight adds to a list that is ascending by class and unit.
func (e *eventRun) addWeight(list *[]Weight, class string, l *amountOf) *Finding {
	at, found := slices.BinarySearchFunc(*list, Weight{Class: class, Unit: l.unit}, func(a, b Weight) int {
		return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Unit, b.Unit))
	})
	*list = slices.Clone(*list)
	if !found {
		*list = slices.Insert(*list, at, Weight{Class: class, Unit: l.unit, Amount: l.amount})
		return nil
	}
	sum, ok := (*list)[at].Amount.plus(l.amount)
	if !ok {
		return e.judge(finding(CodeBadQuantity, l.at, l.text(), l.id))
	}
	(*list)[at].Amount = sum
	return nil
}

// judgeYield holds what came out against what went in.
func (e *eventRun) judgeYield(link *Link) *Finding {
	in := Weight{Unit: link.Out[0].Unit}
	if len(link.In) == 1 {
		in = link.In[0]
	}
	total, most, classes := Amount{}, uint64(million), 0
	for _, out := range link.Out {
		if out.Unit != in.Unit {
			continue
		}
		ppm := e.yieldOf(out.Class)
		if f := e.overYield(out.Amount, &in, ppm, out.Class); f != nil || in.exceededBy(out.Amount, ppm) {
			return f
		}
		sum, ok := total.plus(out.Amount)
		if !ok {
			return e.judge(finding(CodeBadQuantity, "/outputQuantityList", out.Amount.String(), out.Class))
		}
		total, most, classes = sum, max(most, ppm), classes+1
	}
	if classes < 2 {
		return nil
	}
	return e.overYield(total, &in, most, "all products together")
}

// exceededBy reports whether more came out than a yield allows.
func (w *Weight) exceededBy(out Amount, ppm uint64) bool {
	return unit.CompareProducts(out.Coefficient, million, int(out.Exponent), w.Amount.Coefficient, ppm, int(w.Amount.Exponent)) > 0
}

// overYield judges one amount; nil also where the severity lets it pass with a mark.
func (e *eventRun) overYield(out Amount, in *Weight, ppm uint64, what string) *Finding {
	if !in.exceededBy(out, ppm) {
		return nil
	}
	return e.judge(finding(CodeYield, "/outputQuantityList", e.orgName(e.author), textOf(out, in.Unit), what, textOf(in.Amount, in.Unit), decimal(ppm)))
}

// yieldOf is what the author declared for a class, in millionths.
func (e *eventRun) yieldOf(class string) uint64 {
	if y, ok := get[YieldRecord](e.o, YieldKey(e.author, class)); ok {
		return y.MostPpm
	}
	return defaultYieldPpm
}

// needed is how much has to go in for an amount to come out at a yield, rounded up where it has no finite decimal; false if
// it is beyond what is counted.
func (a Amount) needed(ppm uint64) (Amount, bool) {
	if ppm == million || a.IsZero() {
		return a, true
	}
	hi, lo := bits.Mul64(uint64(a.Coefficient), million)
	e := int(a.Exponent)
	if hi >= ppm {
		return Amount{}, false
	}
	q, r := bits.Div64(hi, lo, ppm)
	// More digits, while they are wanted and there is room for them.
	for ; e > minAmountExponent && r != 0 && q < math.MaxInt64/10; e-- {
		high, low := bits.Mul64(r, 10)
		digit, rest := bits.Div64(high, low, ppm)
		q, r = q*10+digit, rest
	}
	if q >= math.MaxInt64 {
		return Amount{}, false
	}
	if r != 0 {
		q++
	}
	d, err := epcis.NewDecimal(int64(q), e)
	return AmountOf(d), err == nil
}
