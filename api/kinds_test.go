package api

import (
	"encoding/json"
	"testing"

	"waybill/ledger"
)

// Every kind of transaction that the server writes as a word is read back, the newest too.
func TestEveryKindIsReadBack(t *testing.T) {
	count := 0
	for k := ledger.KindCapture; k <= ledger.KindVote+1; k++ {
		if !k.Known() {
			continue
		}
		count++
		raw, err := json.Marshal(TxBody{Kind: k})
		if err != nil {
			t.Fatal(err)
		}
		var back TxBody
		if err := json.Unmarshal(raw, &back); err != nil || back.Kind != k {
			t.Errorf("%s is read back as %s, %v", k, back.Kind, err)
		}
	}
	if count < int(ledger.KindVote) {
		t.Errorf("%d kinds, want at least %d", count, ledger.KindVote)
	}
	for _, name := range []string{"", "capture", "kind 0", "Nonsense"} {
		if k := kindNamed(name); k != 0 {
			t.Errorf("%q names %s", name, k)
		}
	}
}
