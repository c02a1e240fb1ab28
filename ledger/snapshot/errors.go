package snapshot

import "waybill/ledger/refusal"

// Kind classifies a refusal, for errors.Is.
type Kind string

// The kinds of refusals.
const (
	ErrEncoding    Kind = "bad encoding"
	ErrForm        Kind = "not a well-formed snapshot"        // it contradicts itself
	ErrForeign     Kind = "another network's snapshot"        //
	ErrRoot        Kind = "not the certified state"           // its hashes do not lead to the certified root
	ErrChunk       Kind = "chunk does not match the manifest" //
	ErrCertificate Kind = "not certified"                     //
	ErrHandover    Kind = "hand-over does not verify"         //
	ErrTrust       Kind = "history cannot be trusted"         // older than the trusting period, or not that of the checkpoint
	ErrNotFound    Kind = "no such snapshot"                  //
	ErrDamaged     Kind = "snapshot files are damaged"        //
)

// Error makes a Kind the target of errors.Is.
func (k Kind) Error() string { return "snapshot: " + string(k) }

// Error is a refusal: Kind for machines, Detail for people, Cause from below.
type Error = refusal.Of[Kind]

func refuse(kind Kind, format string, args ...any) error {
	return refusal.New(kind, nil, format, args...)
}

func refuseBy(kind Kind, cause error, format string, args ...any) error {
	return refusal.New(kind, cause, format, args...)
}
