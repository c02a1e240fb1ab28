package crypto

import (
	"encoding"
	"testing"
)

// FuzzUnmarshalText: what has a text is read from that text only.
func FuzzUnmarshalText(f *testing.F) {
	for _, v := range []encoding.TextMarshaler{Hash{1, 2}, PublicKey{}, Address{1}, Signature{}} {
		text, err := v.MarshalText()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHash(text)
		if err == nil && h.String() != text {
			t.Errorf("hash %q is written %s", text, h)
		}
		for _, v := range []interface {
			encoding.TextMarshaler
			encoding.TextUnmarshaler
		}{new(Hash), new(PublicKey), new(Address), new(Signature)} {
			if v.UnmarshalText([]byte(text)) != nil {
				continue
			}
			if again, err := v.MarshalText(); err != nil || string(again) != text {
				t.Errorf("%T %q is written %q, %v", v, text, again, err)
			}
		}
	})
}
