package ledger

import (
	"waybill/crypto"
	"waybill/epcis/gs1"
)

// canonical returns the one spelling of an identifier; what does not parse stays as it is.
func canonical(id string) string {
	parsed, err := gs1.Parse(id)
	if err != nil {
		return id
	}
	return parsed.Canonical()
}

// mustMarshal encodes values of this package's own making, which always encode.
func mustMarshal(v any) []byte {
	data, err := crypto.Marshal(v)
	if err != nil {
		panic("ledger: " + err.Error())
	}
	return data
}
