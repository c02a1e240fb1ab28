package epcis

import (
	"fmt"
	"strings"
)

// Kind classifies a fault, for machines and for [errors.Is]. Example: errors.Is(err, epcis.FaultMissing).
type Kind string

// The kinds of faults.
const (
	FaultSyntax     Kind = "not strict JSON"      // malformed, duplicate key, invalid UTF-8, nested too deeply
	FaultTooLarge   Kind = "over a limit"         // a stated bound on size or count
	FaultMissing    Kind = "missing field"        // required here and absent
	FaultUnknown    Kind = "unknown field"        // neither a standard field of this object nor a namespaced one
	FaultType       Kind = "wrong JSON type"      // for example a number where a text belongs
	FaultValue      Kind = "invalid value"        // right type, wrong form: a date, a unit, a URI
	FaultVocabulary Kind = "not in vocabulary"    // a bare word that the standard does not define
	FaultIdentifier Kind = "invalid identifier"   // a GS1 identifier that breaks a rule of its key
	FaultRule       Kind = "event rule broken"    // fields that do not go together
	FaultEncoding   Kind = "not an encoded event" // CBOR that is not the one form of an event
)

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return string(k) }

// MaxFaults bounds how many faults one document is answered with; what comes after them is not looked at.
const MaxFaults = 100

// Fault is one thing wrong with a document or an event.
type Fault struct {
	Pointer  string `json:"pointer"`            // RFC 6901 pointer to the field, for example "/epcisBody/eventList/0/action"; "" is the whole document
	Kind     Kind   `json:"kind"`               // for machines
	Detail   string `json:"detail"`             // what is wrong and what to do, one sentence
	Expected string `json:"expected,omitempty"` // what would be right, where that can be said
	Actual   string `json:"actual,omitempty"`   // what was found, shortened
}

// Error says where and what.
func (f Fault) Error() string {
	where := f.Pointer
	if where == "" {
		where = "document"
	}
	s := fmt.Sprintf("%s: %s: %s", where, f.Kind, f.Detail)
	if f.Actual != "" {
		s += fmt.Sprintf(" (found %q)", f.Actual)
	}
	return s
}

// Unwrap lets errors.Is(fault, kind) hold.
func (f Fault) Unwrap() error { return f.Kind }

// Faults is everything wrong with a document, in document order; never empty when used as an error.
type Faults []Fault

// Error lists the faults, one a line.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.Is find the kind of any fault.
func (fs Faults) Unwrap() []error {
	errs := make([]error, len(fs))
	for i, f := range fs {
		errs[i] = f
	}
	return errs
}

const maxActual = 80 // bytes of a found value shown in a fault

func shorten(s string) string {
	if len(s) <= maxActual {
		return s
	}
	cut := maxActual
	for cut > 0 && s[cut]&0xC0 == 0x80 { // not inside a rune
		cut--
	}
	return s[:cut] + "…"
}
