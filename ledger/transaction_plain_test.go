package ledger

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"waybill/crypto"
)

// The same structs without hands of their own.
type (
	bareEnvelope envelope
	bareBody     Body
	bareCapture  Capture
)

// samePlain compares the reading by hand with that by reflection.
func samePlain[T, B any](t *testing.T, data []byte, convert func(*B) *T) {
	t.Helper()
	quick, plain := new(T), new(B)
	err, plainErr := crypto.Unmarshal(data, quick), crypto.Unmarshal(data, plain)
	if (err == nil) != (plainErr == nil) || err == nil && !reflect.DeepEqual(quick, convert(plain)) {
		t.Errorf("%T %x:\n%+v, %v, by reflection\n%+v, %v", quick, data, quick, err, plain, plainErr)
	}
}

func samePlainAll(t *testing.T, data []byte) {
	t.Helper()
	samePlain(t, data, func(b *bareEnvelope) *envelope { return (*envelope)(b) })
	samePlain(t, data, func(b *bareBody) *Body { return (*Body)(b) })
	samePlain(t, data, func(b *bareCapture) *Capture { return (*Capture)(b) })
}

// plainSamples are envelopes, bodies and captures.
func plainSamples(t testing.TB) [][]byte {
	a := orgAddress(0)
	body := Body{Version: 1, Author: a, Kind: KindCapture, Payload: []byte{1}, DependsOn: []crypto.Hash{{1}, {2}}, Tip: 1 << 40, ExpiryHeight: 300}
	sponsored := body
	sponsored.Sponsor, sponsored.DependsOn = &a, nil
	var out [][]byte
	for _, v := range []any{&body, &sponsored, &Body{}, &Capture{}, &Capture{Mode: Proceed, Events: [][]byte{{}, {1}, make([]byte, 300)}},
		&envelope{}, &envelope{Body: mustMarshal(&body), Signatures: []SignedBy{{Key: keyOf("a").Public()}, {}}}} {
		data, err := crypto.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, data)
	}
	return out
}

func TestTransactionsReadByHand(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, data := range plainSamples(t) {
		samePlainAll(t, data)
		for range 2000 {
			spoilt, at := bytes.Clone(data), r.IntN(len(data))
			switch r.IntN(3) {
			case 0:
				spoilt[at] = byte(r.Uint32())
			case 1:
				spoilt = slices.Delete(spoilt, at, at+1)
			case 2:
				spoilt = slices.Insert(spoilt, at, []byte{0, 0x40, 0x60, 0x80, 0xa0, 0xf6, spoilt[at]}[r.IntN(7)])
			}
			samePlainAll(t, spoilt)
		}
	}
}

func FuzzTransactionsReadByHand(f *testing.F) {
	for _, data := range plainSamples(f) {
		f.Add(data)
	}
	f.Fuzz(samePlainAll)
}
