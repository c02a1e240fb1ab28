package wallet

import "fmt"

// Kind classifies a refusal, for [errors.Is]. Example: errors.Is(err, wallet.ErrPassphrase).
type Kind string

// The kinds of refusal.
const (
	ErrPassphrase  Kind = "wrong passphrase"            // or the encrypted part was changed: the two look the same
	ErrExists      Kind = "wallet exists"               // a wallet file of that name is already there
	ErrNotFound    Kind = "no such wallet"              // no file of that name
	ErrName        Kind = "bad wallet name"             // not lower-case letters, digits, dot, dash, underscore
	ErrPermissions Kind = "wallet file is not private"  // readable or writable by others than its owner
	ErrFile        Kind = "damaged or foreign file"     // not a file of this format, or a part of it is out of bounds
	ErrWords       Kind = "bad recovery words"          // not a BIP-39 sentence
	ErrKeyDeriving Kind = "bad key derivation setting"  // scrypt strength outside the accepted bounds
	ErrTooLarge    Kind = "too large for a transaction" // and may not, or can not, be split
	ErrDraft       Kind = "bad transaction draft"       // a draft file that does not hold what it says
	ErrFileExists  Kind = "file exists"                 // a draft is not written over another file
	ErrContent     Kind = "bad transaction content"     // an act without what it needs, or with a signer it does not name
)

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return string(k) }

// Error is a refusal: Kind for machines, Detail for people. It never holds key material.
type Error struct {
	Kind   Kind
	Detail string
}

// Error says what was refused, why, and what to do.
func (e *Error) Error() string { return string(e.Kind) + ": " + e.Detail }

// Unwrap lets errors.Is(err, kind) hold.
func (e *Error) Unwrap() error { return e.Kind }

func refuse(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}
