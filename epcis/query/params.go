package query

import (
	"strings"

	"waybill/epcis"
)

// value is one value of a parameter, as text. isNull is a JSON null.
type value struct {
	text   string
	isNull bool
}

// param is one parameter as it came.
type param struct {
	name   string
	values []value
}

// reader puts the value of one parameter into a query, or says what would have been right.
type reader func(q *Query, p param) *Error

// fixed holds the parameters with fixed names (EPCIS 2.0, section 8.2.7.1 and its OpenAPI).
var fixed = map[string]reader{
	"eventType":                      list(eventType, func(q *Query) *[]epcis.EventType { return &q.EventTypes }),
	"GE_eventTime":                   bound(OpGE, func(q *Query) *Interval { return &q.EventTime }),
	"LT_eventTime":                   bound(OpLT, func(q *Query) *Interval { return &q.EventTime }),
	"GE_recordTime":                  bound(OpGE, func(q *Query) *Interval { return &q.RecordTime }),
	"LT_recordTime":                  bound(OpLT, func(q *Query) *Interval { return &q.RecordTime }),
	"EQ_action":                      list(action, func(q *Query) *[]epcis.Action { return &q.Actions }),
	"EQ_bizStep":                     list(word(epcis.BizStep, epcis.BizStepURI, "business step"), func(q *Query) *[]string { return &q.BizSteps }),
	"EQ_disposition":                 list(disposition, func(q *Query) *[]string { return &q.Dispositions }),
	"EQ_persistentDisposition_set":   list(disposition, func(q *Query) *[]string { return &q.PersistentSet }),
	"EQ_persistentDisposition_unset": list(disposition, func(q *Query) *[]string { return &q.PersistentUnset }),
	"EQ_readPoint":                   list(identifier, func(q *Query) *[]string { return &q.ReadPoints }),
	"WD_readPoint":                   list(identifier, func(q *Query) *[]string { return &q.ReadPointsWithin }),
	"EQ_bizLocation":                 list(identifier, func(q *Query) *[]string { return &q.BizLocations }),
	"WD_bizLocation":                 list(identifier, func(q *Query) *[]string { return &q.BizLocsWithin }),
	"EQ_transformationID":            list(identifier, func(q *Query) *[]string { return &q.TransformationIDs }),
	"MATCH_epc":                      list(pattern, func(q *Query) *[]Pattern { return &q.EPCs }),
	"MATCH_parentID":                 list(pattern, func(q *Query) *[]Pattern { return &q.ParentIDs }),
	"MATCH_inputEPC":                 list(pattern, func(q *Query) *[]Pattern { return &q.InputEPCs }),
	"MATCH_outputEPC":                list(pattern, func(q *Query) *[]Pattern { return &q.OutputEPCs }),
	"MATCH_anyEPC":                   list(pattern, func(q *Query) *[]Pattern { return &q.AnyEPCs }),
	"MATCH_epcClass":                 list(pattern, func(q *Query) *[]Pattern { return &q.Classes }),
	"MATCH_inputEPCClass":            list(pattern, func(q *Query) *[]Pattern { return &q.InputClasses }),
	"MATCH_outputEPCClass":           list(pattern, func(q *Query) *[]Pattern { return &q.OutputClasses }),
	"MATCH_anyEPCClass":              list(pattern, func(q *Query) *[]Pattern { return &q.AnyClasses }),
	"EQ_eventID":                     list(text, func(q *Query) *[]string { return &q.EventIDs }),
	"EXISTS_errorDeclaration":        flag(func(q *Query) *bool { return &q.ErrorDeclared }),
	"GE_errorDeclarationTime":        bound(OpGE, func(q *Query) *Interval { return &q.ErrorTime }),
	"LT_errorDeclarationTime":        bound(OpLT, func(q *Query) *Interval { return &q.ErrorTime }),
	"GE_errorDeclaration_Time":       bound(OpGE, func(q *Query) *Interval { return &q.ErrorTime }), // spelling of the JSON schema
	"LT_errorDeclaration_Time":       bound(OpLT, func(q *Query) *Interval { return &q.ErrorTime }),
	"EQ_errorReason":                 list(errorReason, func(q *Query) *[]string { return &q.ErrorReasons }),
	"EQ_correctiveEventID":           list(text, func(q *Query) *[]string { return &q.CorrectiveEventIDs }),
	"orderBy":                        one(readOrderBy),
	"orderDirection":                 one(readDirection),
	"eventCountLimit":                one(positive(maxEventCount, func(q *Query) *int { return &q.EventCountLimit })),
	"maxEventCount":                  one(positive(maxEventCount, func(q *Query) *int { return &q.MaxEventCount })),
	"perPage":                        one(readPerPage),
	"nextPageToken":                  one(readToken),
	ParamParty:                       list(partyText, func(q *Query) *[]string { return &q.Parties }),
	ParamLot:                         list(identifier, func(q *Query) *[]string { return &q.Lots }),
	ParamItem:                        list(item, func(q *Query) *[]Pattern { return &q.Items }),
	ParamTx:                          list(hexHash, func(q *Query) *[]string { return &q.Transactions }),
	ParamHash:                        list(hexHash, func(q *Query) *[]string { return &q.Hashes }),
}

// list reads every value with read and appends it.
func list[T any](read func(string) (T, string), field func(*Query) *[]T) reader {
	return func(q *Query, p param) *Error {
		for _, v := range p.values {
			got, expected := read(v.text)
			if v.isNull {
				expected = "a value, not null"
			}
			if expected != "" {
				return badValue(p.name, v.text, expected)
			}
			*field(q) = append(*field(q), got)
		}
		return nil
	}
}

// one reads a parameter that has exactly one value.
func one(read func(q *Query, s string) string) reader {
	return func(q *Query, p param) *Error {
		if len(p.values) != 1 || p.values[0].isNull {
			return badValue(p.name, joined(p), "exactly one value")
		}
		if expected := read(q, p.values[0].text); expected != "" {
			return badValue(p.name, p.values[0].text, expected)
		}
		return nil
	}
}

const timeExpected = "a date and time with an offset, for example 2026-03-01T08:30:00.000+01:00"

func bound(op Op, field func(*Query) *Interval) reader {
	return one(func(q *Query, s string) string {
		ms, ok := parseTime(s)
		if !ok {
			return timeExpected
		}
		field(q).narrow(op, ms)
		return ""
	})
}

// flag reads a boolean: true or false, or a number as the JSON schema has it, or null for true.
func flag(field func(*Query) *bool) reader {
	return func(q *Query, p param) *Error {
		if len(p.values) != 1 {
			return badValue(p.name, joined(p), "exactly one value")
		}
		switch v := p.values[0]; {
		case v.isNull, v.text == "true", v.text == "1", v.text == "":
			*field(q) = true
		case v.text == "false", v.text == "0":
		default:
			return badValue(p.name, v.text, "true or false")
		}
		return nil
	}
}

func positive(limit int, field func(*Query) *int) func(*Query, string) string {
	return func(q *Query, s string) string {
		n, ok := count(s, limit)
		if !ok {
			return "a whole number from 1 to 1000000"
		}
		*field(q) = n
		return ""
	}
}

func readOrderBy(q *Query, s string) string {
	switch OrderField(s) {
	case OrderRecorded, OrderEventTime:
		q.OrderBy = OrderField(s)
		return ""
	}
	return "eventTime or recordTime (ordering by extension fields is not offered)"
}

func readDirection(q *Query, s string) string {
	switch s {
	case "ASC":
		q.Ascending = true
		return ""
	case "DESC":
		q.Ascending = false
		return ""
	}
	return "ASC or DESC"
}

func readPerPage(q *Query, s string) string {
	n, ok := count(s, 1<<30)
	if !ok {
		return "a whole number of at least 1"
	}
	q.PerPage = min(n, MaxPerPage)
	return ""
}

func readToken(q *Query, s string) string {
	if s == "" || len(s) > maxTokenBytes {
		return "a token that an earlier page returned"
	}
	q.NextPageToken = s
	return ""
}

func eventType(s string) (epcis.EventType, string) {
	t, ok := epcis.ParseEventType(s)
	if !ok {
		return 0, "ObjectEvent, AggregationEvent, TransactionEvent, TransformationEvent or AssociationEvent"
	}
	return t, ""
}

func action(s string) (epcis.Action, string) {
	switch a := epcis.Action(s); a {
	case epcis.ActionAdd, epcis.ActionObserve, epcis.ActionDelete:
		return a, ""
	}
	return "", "ADD, OBSERVE or DELETE"
}

// word reads a vocabulary value: a standard word in any spelling, or the URI of a word of somebody's own.
func word(normalise, uri func(string) string, what string) func(string) (string, string) {
	return func(s string) (string, string) {
		w := normalise(s)
		if w == "" || strings.IndexByte(w, ':') < 0 && uri(w) == w {
			return "", "a " + what + " of the Core Business Vocabulary, or a URI"
		}
		return w, ""
	}
}

func disposition(s string) (string, string) {
	return word(epcis.Disposition, epcis.DispositionURI, "disposition")(s)
}

func errorReason(s string) (string, string) {
	switch r := epcis.ErrorReason(s); {
	case r == "did_not_occur", r == "incorrect_data", strings.IndexByte(r, ':') > 0:
		return r, ""
	}
	return "", "did_not_occur, incorrect_data, or a URI"
}

func identifier(s string) (string, string) {
	p, err := ParsePattern(s)
	if err != nil {
		return "", "an identifier: " + err.Error()
	}
	key, ok := p.Exact()
	if !ok {
		return "", "one identifier, not a pattern"
	}
	return key, ""
}

func pattern(s string) (Pattern, string) {
	p, err := ParsePattern(s)
	if err != nil {
		return Pattern{}, "an identifier or a pattern URI: " + err.Error()
	}
	return p, ""
}

func item(s string) (Pattern, string) {
	p, err := parseItem(s)
	if err != nil {
		return Pattern{}, "an identifier or a pattern URI: " + err.Error()
	}
	return p, ""
}

func text(s string) (string, string) {
	if s == "" {
		return "", "a text that is not empty"
	}
	return s, ""
}

// partyText reads an identifier of a party, the name of an organisation or an address.
func partyText(s string) (string, string) {
	if s == "" {
		return "", "an identifier of a party, the name of an organisation or an address"
	}
	return Key(s), ""
}

func hexHash(s string) (string, string) {
	if len(s) != 64 || strings.Trim(s, "0123456789abcdef") != "" {
		return "", "64 lower-case hex digits"
	}
	return s, ""
}

func badValue(name, v, expected string) *Error {
	return &Error{Kind: ErrValue, Parameter: shorten(name), Value: shorten(v), Expected: expected}
}

func joined(p param) string {
	texts := make([]string, len(p.values))
	for i, v := range p.values {
		texts[i] = v.text
	}
	return strings.Join(texts, "|")
}

const maxShown = 120 // bytes of hostile text repeated in an error

func shorten(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "…"
}
