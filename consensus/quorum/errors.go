package quorum

import "fmt"

// ErrorKind classifies a refusal, for [errors.Is].
type ErrorKind string

// The kinds of bad input this package refuses.
const (
	ErrEncoding  ErrorKind = "bad encoding"           // bytes that are not the one form of the value
	ErrSet       ErrorKind = "bad validator set"      // duplicate, powerless or too many validators, too much power
	ErrSigner    ErrorKind = "unknown signer"         // an index outside the set, or not the leader's
	ErrSignature ErrorKind = "bad signature"          // a signature that does not verify
	ErrForm      ErrorKind = "malformed"              // fields that cannot stand together
	ErrDomain    ErrorKind = "of another chain"       // another genesis, epoch or validator set
	ErrPower     ErrorKind = "not enough power"       // a certificate below the quorum
	ErrUnjust    ErrorKind = "not justified"          // a proposal whose certificates do not allow it
	ErrPayload   ErrorKind = "payload does not match" // payload and header disagree
	ErrNoOffence ErrorKind = "no offence"             // two votes that do not contradict each other
)

// Error makes an ErrorKind usable as the target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// Error is a refusal of bad input: Kind for machines, Detail for people.
type Error struct {
	Kind   ErrorKind
	Detail string
}

// Error says what was refused and why.
func (e *Error) Error() string { return string(e.Kind) + ": " + e.Detail }

// Unwrap lets errors.Is(err, kind) hold.
func (e *Error) Unwrap() error { return e.Kind }

func refuse(kind ErrorKind, format string, args ...any) error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}
