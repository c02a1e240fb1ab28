package signer

import (
	"bytes"
	"errors"
	"testing"

	"waybill/crypto"
)

func FuzzDecodeWatermark(f *testing.F) {
	key := crypto.PublicKey{2}
	text, err := Watermark{Version: watermarkVersion, Genesis: crypto.Hash{1}, Key: key}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"version":1}`))
	f.Add(bytes.Repeat([]byte("["), maxWatermarkBytes))
	f.Fuzz(func(t *testing.T, text []byte) {
		w, err := DecodeWatermark(text)
		if err != nil {
			if !errors.Is(err, ErrEncoding) || w != (Watermark{}) {
				t.Fatalf("%v beside %+v", err, w)
			}
			return
		}
		written, err := w.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := DecodeWatermark(written); err != nil || again != w {
			t.Fatalf("%+v is read back as %+v, %v", w, again, err)
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	f.Add("unix:/run/signer", true)
	f.Add("tcp:127.0.0.1:7", false)
	f.Add("tcp:0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798@[::1]:7", true)
	f.Fuzz(func(t *testing.T, text string, dialing bool) {
		a, err := parseAddress(text, dialing)
		if err != nil {
			if !errors.Is(err, ErrOptions) {
				t.Fatal(err)
			}
			return
		}
		if a.place == "" || (a.network == "tcp" && dialing) != a.key.Valid() {
			t.Fatalf("%q: %+v", text, a)
		}
	})
}
