// Package refusal is the error with which the packages that check what others hand them refuse it: ledger/light,
// ledger/provenance, ledger/snapshot and ledger/export.
//
// Each has kinds of its own and makes them an [Of]. What it does not do: it knows no kind, and is no wrapper for errors of
// files and networks, which have their own. Everything is a pure function.
package refusal

import "fmt"

// Kind is a package's own type of the kinds of its refusals; it has a method Error, so that a kind is a target of [errors.Is].
type Kind interface {
	~string
	error
}

// Of is a refusal: Kind for machines, Detail for people, Cause from below; nil if there is none. [errors.Is] finds kind and cause,
// and [errors.As] the *Of of a package, which it calls Error.
type Of[K Kind] struct {
	Kind   K
	Detail string
	Cause  error
}

// New makes a refusal with a formatted Detail.
func New[K Kind](kind K, cause error, format string, args ...any) error {
	return &Of[K]{Kind: kind, Detail: fmt.Sprintf(format, args...), Cause: cause}
}

// Error says what was refused and why.
func (e *Of[K]) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("%s: %s", e.Kind.Error(), e.Detail)
	}
	return fmt.Sprintf("%s: %s: %v", e.Kind.Error(), e.Detail, e.Cause)
}

// Unwrap lets errors.Is find the kind and the cause.
func (e *Of[K]) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}
