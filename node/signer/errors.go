package signer

import (
	"errors"
	"fmt"
)

// ErrKind classifies what a signer refuses, for errors.Is.
type ErrKind string

// The kinds. The text of an error of each says what to do.
const (
	ErrRefused      ErrKind = "refused for safety"                      // one request: it contradicts or precedes something signed
	ErrUnavailable  ErrKind = "signer cannot be reached"                // nothing was signed; it may work again later
	ErrFailed       ErrKind = "signer stopped"                          // a write failed; only opening it again helps
	ErrMissing      ErrKind = "signer file is missing"                  // nobody knows what the key signed
	ErrExists       ErrKind = "signer file exists"                      // one must not be made over it
	ErrDamaged      ErrKind = "signer file is damaged"                  // neither of its two copies can be read
	ErrForeign      ErrKind = "signer file of another key or network"   //
	ErrLocked       ErrKind = "signer file is in use"                   // by another process, or twice by this one
	ErrOldSigner    ErrKind = "signer file is older than the node"      // the journal holds what the signer forgot
	ErrOldJournal   ErrKind = "data folder is older than the signer"    // the signer signed what the journal lacks
	ErrConflict     ErrKind = "signer and data folder contradict"       // somebody else signs with this key
	ErrUnreconciled ErrKind = "signer does not know its exact mark yet" // after a crash, before Reconcile
	ErrLower        ErrKind = "mark is below what was signed"           // an import that would move the mark back
	ErrEncoding     ErrKind = "bad encoding"                            // of a frame or of a mark file
	ErrOptions      ErrKind = "bad signer option"
)

// Error makes a kind the target of errors.Is.
func (k ErrKind) Error() string { return string(k) }

// Error says what happened and what to do. It unwraps to its Kind and to the cause, if there is one.
type Error struct {
	Kind   ErrKind
	Detail string
	Cause  error
}

// Error returns kind, detail and cause.
func (e *Error) Error() string {
	s := "signer: " + string(e.Kind) + ": " + e.Detail
	if e.Cause != nil {
		s += fmt.Sprintf(" (%v)", e.Cause)
	}
	return s
}

// Unwrap lets errors.Is find the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

func refuse(kind ErrKind, format string, args ...any) error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

func failed(cause error, format string, args ...any) error {
	var ours *Error
	if errors.As(cause, &ours) {
		return cause
	}
	return &Error{Kind: ErrFailed, Detail: fmt.Sprintf(format, args...), Cause: cause}
}

const (
	recoverAdvice = "start it with --recover-signer, which watches the network until nothing of the past can be signed again, and then votes"
	stopOther     = "stop whatever else uses this key; never run two copies"
)
