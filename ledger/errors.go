package ledger

import "fmt"

// FormKind classifies bytes that are no transaction, genesis, receipt or record at all, for [errors.Is]. What is
// well-formed and breaks a rule is a [RuleError] instead.
type FormKind string

// The kinds of malformed input.
const (
	ErrEncoding  FormKind = "not the canonical encoding"
	ErrTooLarge  FormKind = "over a limit"
	ErrKind      FormKind = "unknown kind or version"
	ErrPayload   FormKind = "bad payload"
	ErrEvent     FormKind = "bad event"
	ErrSignature FormKind = "bad signature"
	ErrGenesis   FormKind = "bad genesis"
	ErrBlock     FormKind = "not the next block"
	ErrProtocol  FormKind = "newer protocol" // the block needs a newer program
	ErrState     FormKind = "corrupt state"  // a state record that does not decode: the database is damaged
)

// Error makes a FormKind usable as the target of errors.Is.
func (k FormKind) Error() string { return string(k) }

// FormError is input that is not what it claims to be: Kind for machines, Detail for people.
type FormError struct {
	Kind   FormKind
	Detail string
	Err    error // what a lower layer said; nil if this package found it
}

// Error says what was refused and why.
func (e *FormError) Error() string {
	if e.Err != nil {
		return string(e.Kind) + ": " + e.Detail + ": " + e.Err.Error()
	}
	return string(e.Kind) + ": " + e.Detail
}

// Unwrap lets errors.Is find the kind and the cause.
func (e *FormError) Unwrap() []error {
	if e.Err != nil {
		return []error{e.Kind, e.Err}
	}
	return []error{e.Kind}
}

func malformed(kind FormKind, format string, args ...any) error {
	return &FormError{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

func malformedBy(kind FormKind, err error, format string, args ...any) error {
	return &FormError{Kind: kind, Detail: fmt.Sprintf(format, args...), Err: err}
}
