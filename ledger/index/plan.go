package index

import (
	"math"

	"github.com/cockroachdb/pebble/v2"

	"waybill/epcis"
	"waybill/epcis/query"
)

// A plan is the cheapest way to every event that may satisfy a query: the union of some postings, all of which lead to
// events satisfying one of its conditions; or a range of event times; or, where no condition is indexed, everything.
// What it leads to is always compared with the whole query.
type plan struct {
	terms  []posting      // union of these; nil: see byTime
	byTime bool           // the range below
	times  query.Interval // of event times
	size   int            // entries, counted up to countLimit
}

// countLimit bounds how far postings are counted to compare plans.
const countLimit = 2_000

// choose counts the candidates and takes the smallest; the first of equals.
func choose(r pebble.Reader, q *query.Query) (plan, error) {
	best := plan{size: math.MaxInt}
	for _, terms := range candidates(q) {
		n, err := countPostings(r, terms, min(best.size, countLimit))
		if err != nil {
			return plan{}, err
		}
		if n < best.size {
			best = plan{terms: terms, size: n}
		}
	}
	if q.EventTime.Bounded() && best.size > 0 {
		n, err := countTimes(r, q.EventTime, min(best.size, countLimit))
		if err != nil {
			return plan{}, err
		}
		if n < best.size {
			best = plan{byTime: true, times: q.EventTime, size: n}
		}
	}
	return best, nil
}

// candidates lists, for each condition that postings can answer, the postings that together do.
func candidates(q *query.Query) [][]posting {
	var out [][]posting
	texts := func(f field, terms []string) {
		if len(terms) == 0 {
			return
		}
		list := make([]posting, len(terms))
		for i, t := range terms {
			list[i] = posting{f, t}
		}
		out = append(out, list)
	}
	texts(fieldHash, q.Hashes)
	texts(fieldTx, q.Transactions)
	texts(fieldEventID, q.EventIDs)
	texts(fieldItem, q.TransformationIDs)
	texts(fieldLot, q.Lots)
	for _, patterns := range [][]query.Pattern{
		q.EPCs, q.ParentIDs, q.InputEPCs, q.OutputEPCs, q.AnyEPCs, q.Classes, q.InputClasses, q.OutputClasses, q.AnyClasses, q.Items,
	} {
		if list, ok := itemPostings(patterns); ok {
			out = append(out, list)
		}
	}
	for _, d := range q.BizTransactions {
		texts(fieldDocument, d.IDs)
	}
	for _, typed := range [][]query.TypedMatch{q.Sources, q.Destinations} {
		for _, m := range typed {
			texts(fieldParty, m.IDs)
		}
	}
	texts(fieldParty, q.Parties)
	texts(fieldReadPoint, q.ReadPoints)
	texts(fieldBizLocation, q.BizLocations)
	texts(fieldReadPoint, withWider(q.ReadPointsWithin))
	texts(fieldBizLocation, withWider(q.BizLocsWithin))
	if q.ErrorDeclared || q.ErrorTime.Bounded() || len(q.ErrorReasons)+len(q.CorrectiveEventIDs) > 0 {
		out = append(out, []posting{{fieldError, ""}})
	}
	texts(fieldBizStep, q.BizSteps)
	texts(fieldDisposition, q.Dispositions)
	texts(fieldType, typeNames(q.EventTypes))
	return out
}

// itemPostings is false if one of the patterns has wildcards, which postings cannot answer.
func itemPostings(patterns []query.Pattern) ([]posting, bool) {
	var list []posting
	for _, p := range patterns {
		key, ok := p.Exact()
		if !ok {
			return nil, false
		}
		list = append(list, posting{fieldItem, key})
		if p.IsClass() {
			list = append(list, posting{fieldClass, key})
		}
	}
	return list, len(list) > 0
}

func withWider(locations []string) []string {
	var out []string
	for _, l := range locations {
		out = append(out, l, wideTerm(l))
	}
	return out
}

func typeNames(types []epcis.EventType) []string {
	var names []string
	for _, t := range types {
		names = append(names, t.String())
	}
	return names
}

// countPostings counts the entries of the postings together, up to limit.
func countPostings(r pebble.Reader, terms []posting, limit int) (int, error) {
	n := 0
	for _, t := range terms {
		stem := postingStem(t.field, t.term)
		m, err := countKeys(r, stem, upper(stem), limit-n)
		if n += m; err != nil || n >= limit {
			return n, err
		}
	}
	return n, nil
}

func countTimes(r pebble.Reader, i query.Interval, limit int) (int, error) {
	return countKeys(r, timeStem(i.From), timeEnd(i.To), limit)
}

func countKeys(r pebble.Reader, from, to []byte, limit int) (int, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return 0, fail(ErrIO, err, "planning a query")
	}
	n := 0
	for ok := it.First(); ok && n < limit; ok = it.Next() {
		n++
	}
	if err := it.Close(); err != nil {
		return 0, fail(ErrIO, err, "planning a query")
	}
	return n, nil
}
