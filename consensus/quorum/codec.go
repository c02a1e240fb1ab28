package quorum

import "waybill/crypto"

// reader adds what this package encodes to the fields.
type reader struct{ crypto.Fields }

// done refuses missing and left-over bytes.
func (r *reader) done(what string) error {
	if r.Short() {
		return refuse(ErrEncoding, "a %s ends too early", what)
	}
	if r.Left() > 0 {
		return refuse(ErrEncoding, "%d bytes follow the end of a %s", r.Left(), what)
	}
	return nil
}
