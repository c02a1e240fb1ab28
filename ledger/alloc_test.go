package ledger

import (
	"fmt"
	"reflect"
	"strconv"
	"testing"

	"waybill/crypto"
	"waybill/internal/dense"
)

// TestDecodersAllocateLittle searches for the densest input of everything that this package decodes: transactions as a
// whole, with all that is worked out of them, and as parts; receipts; genesis documents; records of the state.
func TestDecodersAllocateLittle(t *testing.T) {
	n := newRich(t, nil)
	payloads := dense.NewSearch(t, MaxTransactionBytes/4)
	for _, p := range append(onePayload(t), n.evidence().payload) {
		payloads.CBOR(p.Kind().String(), mustMarshal(p), func(data []byte) {
			budget := crypto.NewBudget(len(data))
			tx := &Transaction{Body: Body{Kind: p.Kind(), Payload: data}}
			_ = tx.decodePayload(&budget)
		})
	}
	payloads.Report("payloads")

	transactions := dense.NewSearch(t, MaxTransactionBytes/2)
	body, signers := n.body(n.samples()[0])
	whole := func(data []byte) { _, _ = DecodeTransaction(data) }
	transactions.CBOR("transaction", unsigned(mustMarshal(body), signers...), whole)
	bodies := dense.NewSearch(t, MaxTransactionBytes/2)
	bodies.Wrap = func(data []byte) []byte { return unsigned(data, signers...) } // which is not the decoder's work
	bodies.CBOR("body", mustMarshal(body), whole)
	bodies.Report("bodies")
	transactions.Report("transactions")

	others := dense.NewSearch(t, MaxTransactionBytes/4)
	for _, r := range goldenReceipts() {
		others.CBOR("receipt", r.Encode(), func(data []byte) { _, _ = DecodeReceipt(data) })
	}
	others.CBOR("genesis", n.genesis.Encode(), func(data []byte) { _, _ = DecodeGenesis(data) })
	for _, r := range oneRecord() {
		others.CBOR(fmt.Sprintf("%T", r), mustMarshal(r), func(data []byte) {
			_ = crypto.Unmarshal(data, reflect.New(reflect.TypeOf(r).Elem()).Interface())
		})
	}
	others.Report("receipts, genesis and records")
}

// TestRecordsAreNeverTooDense: whatever a ledger may have to write of its own, it can read: a list of zeros of any record or
// receipt, in every length, is not too dense. Lists of nothing but empty texts or byte strings may be, and none is written.
func TestRecordsAreNeverTooDense(t *testing.T) {
	lists := 0
	var fill func(root any, path string, v reflect.Value)
	fill = func(root any, path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					fill(root, path+"."+v.Type().Field(i).Name, v.Field(i))
				}
			}
		case reflect.Slice:
			elem := v.Type().Elem().Kind()
			if elem == reflect.Uint8 || elem == reflect.String || elem == reflect.Slice {
				return
			}
			before := reflect.ValueOf(v.Interface())
			v.Set(reflect.MakeSlice(v.Type(), crypto.MaxCBORElements, crypto.MaxCBORElements))
			if data, err := crypto.Marshal(root); err != nil {
				t.Errorf("%T%s: %v", root, path, err)
			} else if err := crypto.Unmarshal(data, reflect.New(reflect.TypeOf(root).Elem()).Interface()); err != nil {
				t.Errorf("%T%s does not read back: %v", root, path, err)
			}
			lists++
			if v.Index(0); elem == reflect.Struct {
				one := reflect.MakeSlice(v.Type(), 1, 1)
				v.Set(one)
				fill(root, path+"[]", v.Index(0))
			}
			v.Set(before)
		}
	}
	for _, r := range append(oneRecord(), &Receipt{}, &Genesis{}) {
		c := reflect.New(reflect.TypeOf(r).Elem())
		fill(c.Interface(), "", c.Elem())
	}
	if lists < 10 {
		t.Errorf("only %d lists", lists)
	}
}

// TestRoomsAreEnough: what is counted for a part of a capture is at least what the compiler makes of it.
func TestRoomsAreEnough(t *testing.T) {
	if strconv.IntSize < 64 {
		t.Skip("the rooms are those of 64 bits")
	}
	for _, c := range []struct {
		v    any
		room int
	}{{capturedEvent{}, capturedRoom}, {thing{}, thingRoom - 36}, {amountOf{}, amountRoom - 80}, {SignedBy{}, signedByBytes}, {[]byte{}, sliceBytes}} {
		if size := int(reflect.TypeOf(c.v).Size()); size > c.room || c.room > size+size/4 {
			t.Errorf("%T takes %d bytes, %d are counted", c.v, size, c.room)
		}
	}
}
