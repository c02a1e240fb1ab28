package query

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"waybill/epcis"
)

// Limits of one query. Each value costs a comparison for each event looked at.
const (
	MaxParameters    = 64
	MaxValuesOfParam = 256
	MaxValues        = 1024
	maxValueBytes    = 2048
	MaxBodyBytes     = 64 << 10
)

// Parse reads the parameters of a URL. Lists are separated by "|" or repeat the parameter. The error is an *[Error].
func Parse(values url.Values) (*Query, error) {
	params := make([]param, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		p := param{name: name}
		for _, v := range values[name] {
			for _, part := range strings.Split(v, "|") {
				p.values = append(p.values, value{text: part})
			}
		}
		params = append(params, p)
	}
	return build(params)
}

// FromJSON reads a query body (EPCIS 2.0 query-schema.json): an object of parameters, lists as arrays. Its "@context"
// is accepted and not needed, "queryType" must be "events". The error is an *[Error].
func FromJSON(body []byte) (*Query, error) {
	if len(body) > MaxBodyBytes {
		return nil, &Error{Kind: ErrComplex, Expected: fmt.Sprintf("a query body of at most %d bytes, this has %d", MaxBodyBytes, len(body))}
	}
	params, err := readBody(body)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(params, func(a, b param) int { return strings.Compare(a.name, b.name) })
	return build(params)
}

// readBody takes the object apart. Duplicate names and anything nested deeper than a list are refused, and so is what would
// take much more memory than its length, or is more than a query may have.
func readBody(body []byte) ([]param, error) {
	v, err := epcis.ParseValue(body)
	if err != nil {
		return nil, &Error{Kind: ErrBody, Expected: "well-formed JSON, each parameter once: " + err.Error()}
	}
	if v.Kind() != epcis.Object {
		return nil, &Error{Kind: ErrBody, Expected: "a JSON object of query parameters"}
	}
	if n := len(v.Members()); n > MaxParameters+2 { // the context and the type of the query are none
		return nil, &Error{Kind: ErrComplex, Expected: fmt.Sprintf("at most %d parameters, got %d", MaxParameters, n)}
	}
	params := make([]param, 0, len(v.Members()))
	for _, m := range v.Members() {
		if m.Name == "@context" {
			continue
		}
		values, err := readValues(m.Name, m.Value)
		if err != nil {
			return nil, err
		}
		if m.Name == "queryType" {
			if len(values) != 1 || values[0].text != "events" {
				return nil, badValue(m.Name, m.Value.Text(), `"events"`)
			}
			continue
		}
		params = append(params, param{name: m.Name, values: values})
	}
	return params, nil
}

func readValues(name string, v epcis.Value) ([]value, error) {
	items := []epcis.Value{v}
	if v.Kind() == epcis.List {
		items = v.List()
	}
	if len(items) > MaxValuesOfParam {
		return nil, &Error{Kind: ErrComplex, Parameter: shorten(name), Expected: fmt.Sprintf("at most %d values of one parameter", MaxValuesOfParam)}
	}
	values := make([]value, len(items))
	for i, it := range items {
		switch it.Kind() {
		case epcis.Text, epcis.Number, epcis.True, epcis.False:
			values[i].text = it.Text()
		case epcis.Null:
			values[i].isNull = true
		default:
			return nil, badValue(name, "a list or an object in a list", "a text, a number, true or false, or a list of them")
		}
	}
	return values, nil
}

func build(params []param) (*Query, error) {
	q := New()
	if len(params) > MaxParameters {
		return nil, &Error{Kind: ErrComplex, Expected: fmt.Sprintf("at most %d parameters, got %d", MaxParameters, len(params))}
	}
	total := 0
	for _, p := range params {
		if total += len(p.values); len(p.values) > MaxValuesOfParam || total > MaxValues {
			return nil, &Error{Kind: ErrComplex, Parameter: shorten(p.name),
				Expected: fmt.Sprintf("at most %d values of one parameter and %d in all", MaxValuesOfParam, MaxValues)}
		}
		if err := q.read(p); err != nil {
			return nil, err
		}
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	return q, nil
}

func (q *Query) read(p param) error {
	if len(p.values) == 0 {
		return badValue(p.name, "", "at least one value")
	}
	for _, v := range p.values {
		if len(v.text) > maxValueBytes {
			return badValue(p.name, v.text, fmt.Sprintf("at most %d bytes", maxValueBytes))
		}
	}
	if read, known := fixed[p.name]; known {
		if err := read(q, p); err != nil {
			return err
		}
	} else if known, err := readFamily(q, p); err != nil {
		return err
	} else if !known {
		return &Error{Kind: ErrUnknown, Parameter: shorten(p.name), Expected: "a parameter of the EPCIS SimpleEventQuery" + suggestion(p.name)}
	}
	if p.name != "perPage" && p.name != "nextPageToken" {
		for _, v := range p.values {
			q.values[p.name] = append(q.values[p.name], v.text)
		}
	}
	return nil
}

// check looks at what must hold between parameters.
func (q *Query) check() error {
	switch {
	case q.EventCountLimit > 0 && q.MaxEventCount > 0:
		return &Error{Kind: ErrConflict, Parameter: "eventCountLimit", Expected: "either eventCountLimit or maxEventCount"}
	case q.EventCountLimit > 0 && q.OrderBy == OrderDefault:
		return &Error{Kind: ErrConflict, Parameter: "eventCountLimit", Expected: "orderBy beside it"}
	}
	return nil
}

// Fingerprint identifies what is asked, paging aside: queries with the same parameters have the same.
func (q *Query) Fingerprint() [8]byte {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		fmt.Fprintf(h, "%d:%s=%d\n", len(name), name, len(q.values[name]))
		for _, v := range slices.Sorted(slices.Values(q.values[name])) {
			fmt.Fprintf(h, "%d:%s\n", len(v), v)
		}
	}
	return [8]byte(h.Sum(nil)[:8])
}

// Values returns the parameters as a URL would carry them, paging aside; for the link to the next page.
func (q *Query) Values() url.Values {
	v := url.Values{}
	for name, values := range q.values {
		v.Set(name, strings.Join(values, "|"))
	}
	return v
}

// suggestion names the known parameter that is closest, if one is close.
func suggestion(name string) string {
	best, bestDistance := "", 4
	for _, known := range slices.Sorted(maps.Keys(fixed)) {
		if d := distance(strings.ToLower(name), strings.ToLower(known), bestDistance); d < bestDistance {
			best, bestDistance = known, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance is the edit distance of two names, or limit if it is not smaller.
func distance(a, b string, limit int) int {
	if len(a) > 64 || max(len(a), len(b))-min(len(a), len(b)) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return min(row[len(b)], limit)
}
