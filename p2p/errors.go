package p2p

import "errors"

// ErrorKind names a failure for programs; compare with errors.Is.
type ErrorKind string

// Error returns the kind's name, which makes a kind usable as an errors.Is
// target.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrConfig: a field of Config or an argument is unusable.
	ErrConfig ErrorKind = "ErrConfig"
	// ErrAddressInUse: another process holds a listen address.
	ErrAddressInUse ErrorKind = "ErrAddressInUse"
	// ErrListen: a listen address could not be bound for another reason.
	ErrListen ErrorKind = "ErrListen"
	// ErrClosed: the network is closed or closing.
	ErrClosed ErrorKind = "ErrClosed"
	// ErrNotConnected: there is no greeted connection to the peer.
	ErrNotConnected ErrorKind = "ErrNotConnected"
	// ErrTooLarge: a message, request or response exceeds its limit.
	ErrTooLarge ErrorKind = "ErrTooLarge"
	// ErrBusy: the peer is already serving as many requests as it allows.
	ErrBusy ErrorKind = "ErrBusy"
	// ErrRefused: the peer's callback answered the request with an error.
	ErrRefused ErrorKind = "ErrRefused"
	// ErrTimeout: the peer did not answer in time.
	ErrTimeout ErrorKind = "ErrTimeout"
	// ErrStream: the stream to the peer broke.
	ErrStream ErrorKind = "ErrStream"
	// ErrFrame: bytes from a peer are not a frame.
	ErrFrame ErrorKind = "ErrFrame"
	// ErrOtherNetwork: the peer belongs to another network or speaks another
	// protocol version.
	ErrOtherNetwork ErrorKind = "ErrOtherNetwork"
)

// Error is every error this package makes: a kind for programs, a sentence
// for people, and the cause if there is one.
type Error struct {
	Kind   ErrorKind
	Detail string
	Err    error
}

// Error returns the sentence, followed by the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Detail
	}
	return e.Detail + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's kind.
func (e *Error) Is(target error) bool {
	kind, ok := target.(ErrorKind)
	return ok && kind == e.Kind
}

func kindError(kind ErrorKind, detail string, cause error) *Error {
	return &Error{Kind: kind, Detail: detail, Err: cause}
}

func isKind(err error, kind ErrorKind) bool { return errors.Is(err, kind) }
