package mempool

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"waybill/ledger"
)

// spoilt is the transaction with one bit of its signature flipped.
func spoilt(t failer, tx *ledger.Transaction) []byte {
	t.Helper()
	signatures := append([]ledger.SignedBy(nil), tx.Signatures...)
	signatures[0].Signature[40] ^= 1
	bad, err := ledger.NewTransaction(tx.Body, signatures)
	if err != nil {
		t.Fatal(err)
	}
	return bad.Raw()
}

func TestVerifierRemembersGoodOnesOnly(t *testing.T) {
	v := NewVerifier()
	good, other := spec{salt: 1}.sign(t), spec{salt: 1, signers: []int{0, 5}}.sign(t)
	if good.ID() != other.ID() || bytes.Equal(good.Raw(), other.Raw()) {
		t.Fatal("the test needs one body with two sets of signatures")
	}
	bad := spoilt(t, good)
	garbage := []byte("no transaction")
	for round := range 3 {
		asked := 0
		refused := errors.New("unknown author")
		out := v.Each([][]byte{bad, good.Raw(), garbage, other.Raw(), good.Raw(), nil}, func(tx *ledger.Transaction) error {
			asked++
			return nil
		})
		for i, want := range []bool{false, true, false, true, true, false} {
			if (out[i].Err == nil) != want || (out[i].Verified.Transaction() != nil) != want {
				t.Fatalf("round %d, transaction %d: %v", round, i, out[i].Err)
			}
		}
		if !bytes.Equal(out[1].Verified.Transaction().Raw(), good.Raw()) || !bytes.Equal(out[3].Verified.Transaction().Raw(), other.Raw()) {
			t.Fatal("the same body with other signatures is taken for the same transaction")
		}
		if want := map[int]int{0: 4, 1: 1, 2: 1}[round]; asked != want {
			t.Errorf("round %d: asked about %d, want %d: good ones are remembered, the bad one never", round, asked, want)
		}
		if v.known.Len() != 2 {
			t.Errorf("%d are remembered", v.known.Len())
		}
		if r := v.Each([][]byte{spec{salt: 99}.sign(t).Raw()}, func(*ledger.Transaction) error { return refused })[0]; !errors.Is(r.Err, refused) || r.Verified.Transaction() != nil {
			t.Fatalf("the precheck's no gave %v", r.Err)
		}
	}
}

func TestAll(t *testing.T) {
	v := NewVerifier()
	a, b := spec{salt: 1}.sign(t), spec{salt: 2}.sign(t)
	txs, err := v.All([][]byte{a.Raw(), b.Raw()})
	if err != nil || len(txs) != 2 || id(txs[0]) != a.ID() || id(txs[1]) != b.ID() {
		t.Fatal(txs, err)
	}
	for name, raw := range map[string][]byte{"bad signature": spoilt(t, b), "garbage": {1, 2, 3}, "nothing": {}} {
		if txs, err := v.All([][]byte{a.Raw(), raw}); !errors.Is(err, ErrBadTransaction) || txs != nil {
			t.Errorf("%s: %v, %v", name, txs, err)
		}
	}
	if txs, err := v.All(nil); err != nil || len(txs) != 0 {
		t.Fatal(txs, err)
	}
}

// TestVerifierKeepsNoMessages: what is remembered must not keep alive, nor depend on, the message it came in.
func TestVerifierKeepsNoMessages(t *testing.T) {
	v := NewVerifier()
	tx := spec{salt: 1}.sign(t)
	message := append(bytes.Repeat([]byte{0xee}, 1<<20), tx.Raw()...)
	raw := message[1<<20:]
	got := v.Each([][]byte{raw}, nil)[0]
	clear(message)
	if got.Err != nil || !bytes.Equal(got.Verified.Transaction().Raw(), tx.Raw()) {
		t.Fatal("the verified transaction lives in the message it came in")
	}
	if again := v.Each([][]byte{tx.Raw()}, nil)[0]; !bytes.Equal(again.Verified.Transaction().Raw(), tx.Raw()) {
		t.Fatal("the remembered transaction lives in the message it came in")
	}
}

// TestVerifierBounds: the cache is bounded in bytes, too, and counts them right.
func TestVerifierBounds(t *testing.T) {
	v := NewVerifier()
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 20 {
				v.Each([][]byte{spec{salt: uint64(i + 10*worker)}.sign(t).Raw()}, nil)
			}
		})
	}
	wg.Wait()
	size := int64(0)
	for _, key := range v.known.Keys() {
		tx, _ := v.known.Peek(key)
		size += int64(tx.Transaction().Size())
	}
	if v.known.Len() != 50 || v.bytes.Load() != size {
		t.Fatalf("%d remembered, counted %d bytes of %d", v.known.Len(), v.bytes.Load(), size)
	}
	v.bytes.Store(rememberedBytes) // as if the rest of it were full
	large := verified(t, spec{salt: 1000}.sign(t))
	v.remember([32]byte{1}, large)
	if v.bytes.Load() > rememberedBytes || v.known.Len() > 50 {
		t.Fatalf("%d remembered with %d bytes", v.known.Len(), v.bytes.Load())
	}
	if !v.known.Contains([32]byte{1}) {
		t.Fatal("the newest is forgotten")
	}
}
