package provenance

import (
	"strings"
	"testing"

	"waybill/crypto"
	"waybill/ledger"
)

// TestKeyText: no byte of a hash or of a forged key reaches whoever reads an error, and keys of text stay readable.
func TestKeyText(t *testing.T) {
	for key, want := range map[string]string{
		string(ledger.ItemKey("https://id.gs1.org/00/095210040000000014")): "obj/https://id.gs1.org/00/095210040000000014",
		string(ledger.ShipmentKey(crypto.Hash{0xa1, 0xff})):                "transfer/a1ff" + strings.Repeat("00", 30),
		"event/M=\xa1u[": "event/4d3da1755b", "\x1b[2J": "1b5b324a", "": "",
		strings.Repeat("k", maxKeyText+1): strings.Repeat("k", maxKeyText) + "…",
	} {
		if got := keyText([]byte(key)); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}
