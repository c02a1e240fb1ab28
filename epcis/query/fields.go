package query

import (
	"strings"

	"waybill/epcis"
)

// Scope says where a field of somebody's own is looked for.
type Scope string

// The scopes, as parameter names spell them.
const (
	ScopeEvent          Scope = ""
	ScopeILMD           Scope = "ILMD"
	ScopeError          Scope = "ERROR_DECLARATION"
	ScopeSensorElement  Scope = "SENSORELEMENT"
	ScopeSensorMetadata Scope = "SENSORMETADATA"
	ScopeSensorReport   Scope = "SENSORREPORT"
	ScopeReadPoint      Scope = "readPoint"
	ScopeBizLocation    Scope = "bizLocation"
)

var scopes = []Scope{ScopeILMD, ScopeError, ScopeSensorElement, ScopeSensorMetadata, ScopeSensorReport, ScopeReadPoint, ScopeBizLocation}

// FieldTest asks for an extension field. Of Values, one must be satisfied.
type FieldTest struct {
	Op     Op
	Scope  Scope
	Inner  bool   // the field may stand at any depth
	Name   string // with prefix, "ext:grade", or as a full URI
	Values []string
}

// SensorTest asks for a property of a sensor report, or of the metadata of its element. One of the values must be
// satisfied.
type SensorTest struct {
	Field  string // as the standard names it: "type", "deviceID", "startTime"…
	Op     Op
	Texts  []string   // EQ of a text
	Bool   *bool      // EQ_booleanValue
	Number NumberTest // comparisons of numbers
	Time   Interval   // GE and LT of a time
}

// sensorTexts are the EQ parameters about texts of sensor reports and metadata; the bool says "compare as an
// identifier".
var sensorTexts = map[string]bool{
	"type": false, "deviceID": true, "dataProcessingMethod": true, "microorganism": true, "chemicalSubstance": true,
	"bizRules": true, "stringValue": false, "hexBinaryValue": false, "uriValue": true,
}

var sensorTimes = map[string]bool{"time": true, "startTime": true, "endTime": true}

var sensorNumbers = map[string]bool{
	"value": true, "minValue": true, "maxValue": true, "meanValue": true, "sDev": true, "percValue": true, "percRank": true,
}

// readFamily reads parameters whose names are built: EQ_source_owning_party, GE_quantity_KGM, EQ_value_CEL,
// EXISTS_ILMD_ext:grade. It returns false if the name is of no family.
func readFamily(q *Query, p param) (bool, *Error) {
	op, rest, found := strings.Cut(p.name, "_")
	if !found || rest == "" {
		return false, nil
	}
	if op == "HASATTR" || op == "EQATTR" || strings.HasPrefix(p.name, "EQ_ATTR_") {
		return true, &Error{Kind: ErrUnsupported, Parameter: shorten(p.name), Expected: "queries by attributes of master data are not offered"}
	}
	switch Op(op) {
	case OpEQ, OpGT, OpGE, OpLT, OpLE, OpExists:
	default:
		return false, nil
	}
	for _, read := range []func(*Query, Op, string, param) (bool, *Error){readTyped, readNumber, readSensor, readField} {
		if mine, err := read(q, Op(op), rest, p); mine {
			return true, err
		}
	}
	return false, nil
}

// readTyped reads EQ_bizTransaction_type, EQ_source_type and EQ_destination_type.
func readTyped(q *Query, op Op, rest string, p param) (bool, *Error) {
	if op != OpEQ {
		return false, nil
	}
	for _, f := range []struct {
		stem      string
		normalise func(string) string
		into      *[]TypedMatch
	}{
		{"bizTransaction_", epcis.BizTransactionType, &q.BizTransactions},
		{"source_", epcis.SourceDestType, &q.Sources},
		{"destination_", epcis.SourceDestType, &q.Destinations},
	} {
		kind, found := strings.CutPrefix(rest, f.stem)
		if !found || kind == "" {
			continue
		}
		m := TypedMatch{Type: f.normalise(kind)}
		for _, v := range p.values {
			key, expected := identifier(v.text)
			if expected != "" || v.isNull {
				return true, badValue(p.name, v.text, "an identifier, "+expected)
			}
			m.IDs = append(m.IDs, key)
		}
		*f.into = append(*f.into, m)
		return true, nil
	}
	return false, nil
}

// readNumber reads comparisons of quantities and of numbers of sensor reports, with or without a unit.
func readNumber(q *Query, op Op, rest string, p param) (bool, *Error) {
	field, uom, hasUOM := strings.Cut(rest, "_")
	if op == OpExists || field != "quantity" && !sensorNumbers[field] {
		return false, nil
	}
	if hasUOM && !isUnit(uom) {
		return true, &Error{Kind: ErrUnknown, Parameter: shorten(p.name), Expected: "a unit of UN/ECE Recommendation 20 after " + field + "_, for example KGM"}
	}
	if !hasUOM && field != "quantity" && field != "percRank" {
		return true, &Error{Kind: ErrUnknown, Parameter: shorten(p.name), Expected: "the unit in the name, for example " + string(op) + "_" + field + "_CEL"}
	}
	if op != OpEQ && len(p.values) != 1 {
		return true, badValue(p.name, joined(p), "exactly one number")
	}
	t := NumberTest{Field: field, Op: op, UOM: uom}
	for _, v := range p.values {
		d, ok := number(v.text)
		if !ok || v.isNull {
			return true, badValue(p.name, v.text, "a decimal number of at most 18 digits")
		}
		t.Values = append(t.Values, d)
	}
	if field == "quantity" {
		q.Quantities = append(q.Quantities, t)
	} else {
		q.Sensors = append(q.Sensors, SensorTest{Field: field, Op: op, Number: t})
	}
	return true, nil
}

// isUnit reports whether s is 2 to 4 capitals and digits.
func isUnit(s string) bool {
	return len(s) >= 2 && len(s) <= 4 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

// readSensor reads the remaining parameters about sensors.
func readSensor(q *Query, op Op, rest string, p param) (bool, *Error) {
	asID, isText := sensorTexts[rest]
	switch {
	case op == OpExists && rest == "sensorElementList":
		var on bool
		if err := flag(func(*Query) *bool { return &on })(q, p); err != nil || !on {
			return true, err
		}
		q.Sensors = append(q.Sensors, SensorTest{Field: rest, Op: op})
	case op == OpEQ && rest == "booleanValue":
		var on bool
		if err := flag(func(*Query) *bool { return &on })(q, p); err != nil {
			return true, err
		}
		q.Sensors = append(q.Sensors, SensorTest{Field: rest, Op: op, Bool: &on})
	case op == OpEQ && isText:
		t := SensorTest{Field: rest, Op: op}
		for _, v := range p.values {
			switch {
			case v.isNull || v.text == "" && rest != "stringValue":
				return true, badValue(p.name, v.text, "a text that is not empty")
			case rest == "type":
				t.Texts = append(t.Texts, epcis.MeasurementType(v.text))
			case rest == "hexBinaryValue":
				t.Texts = append(t.Texts, strings.ToUpper(v.text))
			case asID:
				t.Texts = append(t.Texts, Key(v.text))
			default:
				t.Texts = append(t.Texts, v.text)
			}
		}
		q.Sensors = append(q.Sensors, t)
	case sensorTimes[rest] && (op == OpGE || op == OpLT):
		t := SensorTest{Field: rest, Op: op, Time: unbounded}
		if err := bound(op, func(*Query) *Interval { return &t.Time })(q, p); err != nil {
			return true, err
		}
		q.Sensors = append(q.Sensors, t)
	default:
		return false, nil
	}
	return true, nil
}

// readField reads parameters about extension fields.
func readField(q *Query, op Op, rest string, p param) (bool, *Error) {
	t := FieldTest{Op: op, Name: rest}
	if name, found := strings.CutPrefix(t.Name, "INNER_"); found {
		t.Inner, t.Name = true, name
	}
	for _, s := range scopes {
		if name, found := strings.CutPrefix(t.Name, string(s)+"_"); found {
			t.Scope, t.Name = s, name
			break
		}
	}
	if prefix, local, found := strings.Cut(t.Name, ":"); !found || prefix == "" || local == "" || prefix == "waybill" {
		return false, nil
	}
	if op == OpExists {
		on := false
		if err := flag(func(*Query) *bool { return &on })(q, p); err != nil || !on {
			return true, err
		}
		q.Fields = append(q.Fields, t)
		return true, nil
	}
	if op != OpEQ && len(p.values) != 1 {
		return true, badValue(p.name, joined(p), "exactly one number or time")
	}
	for _, v := range p.values {
		_, isTime := parseTime(v.text)
		_, isNumber := number(v.text)
		if v.isNull || op != OpEQ && !isTime && !isNumber {
			return true, badValue(p.name, v.text, "a number or a "+timeExpected)
		}
		t.Values = append(t.Values, v.text)
	}
	q.Fields = append(q.Fields, t)
	return true, nil
}
