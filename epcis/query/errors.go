package query

import "fmt"

// Kind classifies a refusal, for [errors.Is].
type Kind string

// The refusals, with the exception of EPCIS 2.0, section 8.2.3, that each is.
const (
	ErrUnknown     Kind = "unknown query parameter"      // QueryParameterException
	ErrValue       Kind = "bad query parameter value"    // QueryParameterException
	ErrConflict    Kind = "query parameters conflict"    // QueryParameterException
	ErrUnsupported Kind = "unsupported query parameter"  // ImplementationException
	ErrComplex     Kind = "query too complex"            // QueryTooComplexException
	ErrTooLarge    Kind = "query too large"              // QueryTooLargeException
	ErrBody        Kind = "bad query body"               // ValidationException
	ErrToken       Kind = "bad or foreign nextPageToken" // QueryParameterException
)

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return string(k) }

// Exception returns the name that EPCIS 2.0 gives to refusals of this kind, for example "QueryParameterException".
func (k Kind) Exception() string {
	switch k {
	case ErrComplex:
		return "QueryTooComplexException"
	case ErrTooLarge:
		return "QueryTooLargeException"
	case ErrUnsupported:
		return "ImplementationException"
	case ErrBody:
		return "ValidationException"
	}
	return "QueryParameterException"
}

// Error is a refusal of a query.
type Error struct {
	Kind      Kind
	Parameter string // as the caller wrote it, shortened; "" if the whole query is meant
	Value     string // as the caller wrote it, shortened; "" if no single value is meant
	Expected  string // what would be right
}

// Error says what was refused and what would be right.
func (e *Error) Error() string {
	s := string(e.Kind)
	if e.Parameter != "" {
		s += " " + e.Parameter
	}
	if e.Value != "" {
		s += fmt.Sprintf(" = %q", e.Value)
	}
	if e.Expected != "" {
		s += ": " + e.Expected
	}
	return s
}

// Unwrap lets errors.Is(err, kind) hold.
func (e *Error) Unwrap() error { return e.Kind }

// TooLarge refuses to answer because more than limit events would have to be looked at or returned.
func TooLarge(what string, limit int) error {
	return &Error{Kind: ErrTooLarge, Expected: fmt.Sprintf("%s; the limit is %d: narrow it by time, item or business step", what, limit)}
}
