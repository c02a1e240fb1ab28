package snapshot

import "fmt"

// Kind classifies a refusal, for errors.Is.
type Kind string

// The kinds of refusals.
const (
	ErrEncoding    Kind = "bad encoding"
	ErrForm        Kind = "not a well-formed snapshot"        // it contradicts itself
	ErrForeign     Kind = "another network's snapshot"        //
	ErrRoot        Kind = "not the certified state"           // its hashes do not lead to the certified root
	ErrChunk       Kind = "chunk does not match the manifest" //
	ErrCertificate Kind = "not certified"                     //
	ErrHandover    Kind = "hand-over does not verify"         //
	ErrTrust       Kind = "history cannot be trusted"         // older than the trusting period, or not that of the checkpoint
	ErrNotFound    Kind = "no such snapshot"                  //
	ErrDamaged     Kind = "snapshot files are damaged"        //
)

// Error makes a Kind the target of errors.Is.
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
		return fmt.Sprintf("snapshot: %s: %s", e.Kind, e.Detail)
	}
	return fmt.Sprintf("snapshot: %s: %s: %v", e.Kind, e.Detail, e.Cause)
}

// Unwrap lets errors.Is find the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

func refuse(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

func refuseBy(kind Kind, cause error, format string, args ...any) error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...), Cause: cause}
}
