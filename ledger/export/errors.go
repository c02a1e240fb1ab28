package export

import (
	"errors"
	"fmt"
)

// Kind says what is wrong, for [errors.Is].
type Kind string

// The kinds.
const (
	ErrNotEmpty Kind = "the folder is not empty"
	ErrNothing  Kind = "there is nothing to export yet" // no state is certified
	ErrFormat   Kind = "not an export"                  // files are missing, too many, or not in the format
	ErrFile     Kind = "a file was changed"             // its hash is not the manifest's
	ErrForeign  Kind = "of another network"
	ErrProof    Kind = "not what the network agreed on" // a certificate, root or link does not hold
)

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return string(k) }

// Error is a refusal: Kind for machines, Detail for people, Cause from below.
type Error struct {
	Kind   Kind
	Detail string
	Cause  error
}

// Error says what was refused and why.
func (e *Error) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("%s: %s", e.Kind, e.Detail)
	}
	return fmt.Sprintf("%s: %s: %v", e.Kind, e.Detail, e.Cause)
}

// Unwrap lets errors.Is find the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

func refuse(kind Kind, cause error, format string, args ...any) error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...), Cause: cause}
}

// firstOf keeps an error that came before those of closing files.
func firstOf(first error, rest ...error) error {
	if first != nil {
		return first
	}
	return errors.Join(rest...)
}
