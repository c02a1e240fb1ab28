package store

import (
	"bytes"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// Everything that a block writes is in the order of keys, and fits in the memory that was taken for it.
func TestBatchInOrder(t *testing.T) {
	var kinds [256]int
	heights := 0
	twice := crypto.Hash{0x80, 31: 1} // an event of two authors
	inOrder := func(b *pebble.Batch, h quorum.Height, _ []ledger.Write) error {
		heights++
		var last []byte
		for r := b.Reader(); ; {
			_, key, _, ok, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				return nil
			}
			if n := bytes.Compare(key, last); n < 0 || n == 0 && string(key) != string(hashKey(prefixEvent, twice)) {
				t.Fatalf("block %d writes %x after %x", h, key, last)
			}
			kinds[key[0]]++
			last = key
		}
	}
	m := inEpochs(9)
	s := mustOpen(t, vfs.NewMem(), func(o *Options) { o.Beside = inOrder })
	for range 120 {
		b := m.next()
		for i, first := range []byte{0xff, 0x80, 0x80, 0x81, 0x03} {
			e := ledger.EventRecord{TxIndex: i, Hash: crypto.Hash{first, 31: 1}, Accepted: i < 4}
			if i == 0 {
				e.Hash[1] = byte(b.header.Height)
			}
			b.up.Events = append(b.up.Events, e)
		}
		if _, err := commitBlock(s, b); err != nil {
			t.Fatal(err)
		}
		if room, n := cap(s.batch.Repr()), s.batchRoom; n > 1<<10 && room >= 2*n {
			t.Fatalf("a batch for %d bytes grew to %d", n, room)
		}
	}
	m.check(t, s)
	if at, err := s.Event(twice); err != nil || at != (Location{Height: 120, Tx: 2}) {
		t.Errorf("an event of two authors is at %v, %v", at, err)
	}
	if at, err := s.Event(crypto.Hash{0x03, 31: 1}); !IsNotFound(err) {
		t.Errorf("a refused event is at %v, %v", at, err)
	}
	closed(t, s)
	for prefix := prefixTip; prefix <= prefixUndo; prefix++ {
		known := prefix == prefixTip || prefix >= prefixHeader && prefix <= prefixEpoch || prefix >= prefixState
		if known != (kinds[prefix] > 0) {
			t.Errorf("%d entries of keyspace %#02x", kinds[prefix], prefix)
		}
	}
	if heights != 121 {
		t.Errorf("%d blocks", heights)
	}
}
