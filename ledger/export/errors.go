package export

import (
	"errors"

	"waybill/ledger/refusal"
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
type Error = refusal.Of[Kind]

func refuse(kind Kind, cause error, format string, args ...any) error {
	return refusal.New(kind, cause, format, args...)
}

// firstOf keeps an error that came before those of closing files.
func firstOf(first error, rest ...error) error {
	if first != nil {
		return first
	}
	return errors.Join(rest...)
}
