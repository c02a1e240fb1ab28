package crypto

import "fmt"

// Kind classifies a refusal, for [errors.Is]. Example: errors.Is(err, crypto.ErrSignature).
type Kind string

// The kinds of bad input this package refuses.
const (
	ErrKey       Kind = "bad key"                    // not a point or scalar of secp256k1 in canonical form
	ErrSignature Kind = "bad signature"              // not 64 bytes of in-range r and low s
	ErrText      Kind = "bad text form"              // hex or bech32m that does not parse
	ErrEncoding  Kind = "not the canonical encoding" // bytes that are not deterministic CBOR of the wanted type
	ErrTooLarge  Kind = "over a limit"               // input beyond a stated bound
	ErrProof     Kind = "bad proof"                  // a Merkle proof that is malformed or proves something else
	ErrPage      Kind = "bad tree page"              // a stored page that is missing, corrupt or of another tree
)

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return string(k) }

// Error is a refusal of bad input: Kind for machines, Detail for people.
type Error struct {
	Kind   Kind
	Detail string
}

// Error says what was refused and why.
func (e *Error) Error() string { return string(e.Kind) + ": " + e.Detail }

// Unwrap lets errors.Is(err, kind) hold.
func (e *Error) Unwrap() error { return e.Kind }

func refuse(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}
