package provenance

import (
	"bytes"
	"encoding/hex"
	"errors"

	"waybill/ledger/refusal"
)

// Kind says what is wrong with a certificate, or why none can be made, for [errors.Is].
type Kind string

// The refusals of Verify. What a lower layer said is wrapped.
const (
	ErrFormat     Kind = "not a provenance certificate"                // not the bytes of one: cut off, something behind its end, another spelling
	ErrTooLarge   Kind = "larger than a provenance certificate may be" // also of Make
	ErrForeign    Kind = "of another network"
	ErrTrust      Kind = "not of validators that can be trusted" // the hand-overs do not lead to them, or contradict the checkpoint
	ErrHeader     Kind = "a block is not final"                  // a header or certificate is forged, or of another chain
	ErrState      Kind = "a record is not what the ledger holds" // changed, invented, or of another height
	ErrEvent      Kind = "an event is not on the ledger"         // transaction or receipt are not those of the block, or it was refused
	ErrIncomplete Kind = "events were removed, added or reordered"
	ErrGenealogy  Kind = "part of the history is missing" // something that the subject was made of or packed in
	ErrNotice     Kind = "a notice may be hidden"         // the proof that there is none, or one of them, is missing
	ErrDuplicate  Kind = "something is in it twice"
	ErrExtra      Kind = "something in it has no place in this history"
)

// The refusals of Make.
const (
	ErrNotFound Kind = "not on the ledger at that height"
	ErrBehind   Kind = "the node does not have all events" // its index is behind, or its ledger begins later
	ErrRequest  Kind = "not a request for a certificate"
)

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return string(k) }

// Error is a refusal: Kind for machines, Detail for people, Cause from below.
type Error = refusal.Of[Kind]

func refuse(kind Kind, cause error, format string, args ...any) error {
	return refusal.New(kind, cause, format, args...)
}

// errMissing is what reading a record gives that the certificate does not prove. Whoever reads says what that means.
var errMissing = errors.New("the certificate does not show this record")

// missing gives a reading error the kind of what was being read.
func missing(kind Kind, err error, format string, args ...any) error {
	if !errors.Is(err, errMissing) {
		return err
	}
	return refuse(kind, err, format, args...)
}

// maxKeyText bounds how much of a key an error repeats, in bytes.
const maxKeyText = 96

// keyText is the key of a record for a person: text as it is, and what is not text, such as hashes, in hexadecimal digits.
// A forged certificate has what keys it likes, so it is short, and nothing in it means anything to a terminal.
func keyText(key []byte) string {
	cut := ""
	if len(key) > maxKeyText {
		key, cut = key[:maxKeyText], "…"
	}
	kind, rest, _ := bytes.Cut(key, []byte("/"))
	if text(key) {
		return string(key) + cut
	}
	if !text(kind) {
		return hex.EncodeToString(key) + cut
	}
	return string(kind) + "/" + hex.EncodeToString(rest) + cut
}

// text reports whether all bytes are visible ASCII characters.
func text(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}
