package api

import (
	"encoding/json"
	"testing"

	"waybill/ledger"
)

// TestKindNames: a client reads the name of every kind.
func TestKindNames(t *testing.T) {
	for k := ledger.KindCapture; k.Known(); k++ {
		if got := kindNamed(k.String()); got != k {
			t.Errorf("%s is read as %d", k, got)
		}
	}
	if got := kindNamed("kind 99"); got != 0 {
		t.Errorf("an unknown kind is read as %d", got)
	}
}

// FuzzTxBody: whatever a server sends, a client reads or refuses.
func FuzzTxBody(f *testing.F) {
	f.Add([]byte(`{"version":1,"kind":"Transfer","expiryHeight":7,"payload":{"amount":5}}`))
	f.Add([]byte(`{"kind":"kind 99"}`))
	f.Add([]byte(`{"kind":7}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var b TxBody
		if err := b.UnmarshalJSON(data); err != nil {
			return
		}
		if b.Kind != 0 && !b.Kind.Known() {
			t.Errorf("kind %d", b.Kind)
		}
		if _, err := json.Marshal(b); err != nil {
			t.Error(err)
		}
	})
}
