package gs1

import "fmt"

// ErrorKind classifies a [ParseError], for errors.Is.
type ErrorKind string

// The kinds of errors of this package.
const (
	ErrSyntax     ErrorKind = "malformed identifier"       // the spelling breaks the grammar of its form
	ErrUnknownKey ErrorKind = "unknown identification key" // an EPC scheme or application identifier that names nothing we know
	ErrLength     ErrorKind = "wrong length"               // too short, too long or empty
	ErrCharset    ErrorKind = "character not allowed"      // a character outside the key's character set
	ErrCheckDigit ErrorKind = "wrong check digit"          // check digit or check character pair does not fit
	ErrValue      ErrorKind = "value out of range"         // right characters, impossible value (piece 3 of 2)
	ErrGCP        ErrorKind = "wrong GS1 company prefix"   // not 4 to 12 digits, or not that long in this key
	ErrNoForm     ErrorKind = "no such spelling"           // the identifier cannot be written in the form asked for
)

// Error returns the kind as words.
func (k ErrorKind) Error() string { return string(k) }

// ParseError says what is wrong with an identifier, where, and what would be right. It unwraps to its Kind.
type ParseError struct {
	Kind   ErrorKind
	Input  string // the whole identifier as given
	Offset int    // of the fault in Input, in bytes; -1 where no single place is at fault
	Detail string // for a person: what is there, and what should be
}

// maxShownInput bounds how much of a hostile input an error message repeats, in bytes.
const maxShownInput = 120

// Error returns one sentence with the identifier, the place and the remedy.
func (e *ParseError) Error() string {
	shown := e.Input
	if len(shown) > maxShownInput {
		shown = shown[:maxShownInput] + "…"
	}
	if e.Offset < 0 {
		return fmt.Sprintf("gs1: %q: %s: %s", shown, e.Kind, e.Detail)
	}
	return fmt.Sprintf("gs1: %q at byte %d: %s: %s", shown, e.Offset, e.Kind, e.Detail)
}

// Unwrap returns the kind.
func (e *ParseError) Unwrap() error { return e.Kind }

func fail(kind ErrorKind, input string, offset int, format string, args ...any) error {
	return &ParseError{Kind: kind, Input: input, Offset: offset, Detail: fmt.Sprintf(format, args...)}
}
