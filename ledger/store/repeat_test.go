package store

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/ledger"
)

// A block may repeat a transaction; where it is found stays the place where it was executed, and a place where it was not
// executed gives way to the one where it was.
func TestARepeatedTransactionStaysWhereItWasExecuted(t *testing.T) {
	m := newModel(7)
	s := mustOpen(t, vfs.NewMem())
	defer closed(t, s)
	tx := m.transaction(1, 0)
	for _, c := range []struct {
		codes []ledger.Code // of the transaction, as often as the block holds it
		want  Location
	}{
		{[]ledger.Code{ledger.CodeDependencyMissing}, Location{Height: 1}},
		{[]ledger.Code{ledger.CodeDependencyMissing, ledger.CodeOK, ledger.CodeSeen}, Location{Height: 2, Tx: 1}},
		{[]ledger.Code{ledger.CodeSeen}, Location{Height: 2, Tx: 1}},
		{[]ledger.Code{ledger.CodeSeen, ledger.CodeSeen}, Location{Height: 2, Tx: 1}},
	} {
		b := m.next()
		b.payload, b.up.Receipts = nil, nil
		for _, code := range c.codes {
			b.payload = append(b.payload, tx.Raw())
			b.up.Receipts = append(b.up.Receipts, ledger.Receipt{Tx: tx.ID(), Finding: ledger.Finding{Code: code}})
		}
		if _, err := commitBlock(s, b); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Transaction(tx.ID()); err != nil || got != c.want {
			t.Errorf("after block %d with %v it is at %+v, %v; not at %+v", b.header.Height, c.codes, got, err, c.want)
		}
	}
}
