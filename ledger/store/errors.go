package store

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
)

// Kind classifies an error, for [errors.Is]. Example: errors.Is(err, store.ErrLocked).
type Kind string

// The kinds of errors that a caller may branch on.
const (
	ErrLocked    Kind = "database in use"            // another process has it open
	ErrForeign   Kind = "another network's database" // its genesis is not ours
	ErrSchema    Kind = "other database schema"      // written by a newer program, or by one too old
	ErrCorrupt   Kind = "corrupt database"           // checksums, or records that contradict each other
	ErrDiskFull  Kind = "disk full"                  //
	ErrIO        Kind = "storage failure"            // any other failed read or write
	ErrStopped   Kind = "store stopped"              // an earlier write failed, or the store is closed
	ErrSequence  Kind = "block out of sequence"      // not the child of the tip
	ErrNotFound  Kind = "not found"                  // no such block, transaction or event here
	ErrBelowBase Kind = "block not kept here"        // below the block that this ledger begins with
	ErrPruned    Kind = "state no longer kept"       // older than the history that is kept
	ErrGenesis   Kind = "genesis cannot be stored"   // it is not valid
)

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return string(k) }

// Error says what happened, to what, and what to do. It unwraps to its Kind and to the cause, if there is one.
type Error struct {
	Kind   Kind
	Detail string
	Cause  error
}

// Error returns kind, detail and cause.
func (e *Error) Error() string {
	s := string(e.Kind)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
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

func refuse(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error { return refuse(ErrNotFound, format, args...) }

// lacksFiles reports whether a database that is there could not be opened because files of it are missing or cut short,
// for which Pebble has no kind of its own: of the second it gives no more than a sentence.
func lacksFiles(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "object size mismatch")
}

// classify turns an error of Pebble or the file system into one of ours; what says what was being done.
func (s *Store) classify(err error, what string) error {
	var ours *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ours):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &Error{Kind: ErrDiskFull, Cause: err,
			Detail: fmt.Sprintf("%s in %s: free some space and start again; nothing half-written remains", what, s.dir)}
	case pebble.IsCorruptionError(err):
		return s.corrupt(err, "%s", what)
	case errors.Is(err, pebble.ErrClosed):
		return &Error{Kind: ErrStopped, Detail: what + ": the store is closed", Cause: err}
	}
	return &Error{Kind: ErrIO, Cause: err,
		Detail: fmt.Sprintf("%s in %s: check the disk and its permissions, then start again", what, s.dir)}
}

func (s *Store) corrupt(cause error, format string, args ...any) error {
	return &Error{Kind: ErrCorrupt, Cause: cause, Detail: fmt.Sprintf(
		"%s in %s: do not repair it by hand; restore a backup, or move the folder away and let the node fetch the ledger again",
		fmt.Sprintf(format, args...), s.dir)}
}
