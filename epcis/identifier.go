package epcis

import "waybill/epcis/gs1"

// canonicalID returns the one spelling of a GS1 identifier, whether it was a URN or a Digital Link; anything else as it
// is.
func canonicalID(id string) string {
	parsed, err := gs1.Parse(id)
	if err != nil {
		return id
	}
	return parsed.Canonical()
}
