package crypto

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/bech32"
	"pgregory.net/rapid"
)

func TestKeyVectors(t *testing.T) {
	type vector struct {
		Private   string
		Public    PublicKey
		Address   Address
		Digest    Hash
		Signature Signature
	}
	var vectors []vector
	for i := range 40 {
		k := testKey(fmt.Sprint(i))
		d := Sum(TagTransaction, []byte(fmt.Sprint("message ", i)))
		vectors = append(vectors, vector{fmt.Sprintf("%x", k.Bytes()), k.Public(), k.Address(), d, k.Sign(d)})
	}
	golden(t, "key", vectors)
}

func TestPrivateKeyFromBytes(t *testing.T) {
	const order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
	const last = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140"
	for name, bad := range map[string]string{
		"empty": "", "short": strings.Repeat("01", 31), "long": strings.Repeat("01", 33),
		"zero": strings.Repeat("00", 32), "order": order, "above": strings.Repeat("ff", 32),
	} {
		if _, err := PrivateKeyFromBytes(mustHex(t, bad)); !errors.Is(err, ErrKey) {
			t.Errorf("%s: got %v, want ErrKey", name, err)
		}
	}
	k, err := PrivateKeyFromBytes(mustHex(t, last))
	if err != nil {
		t.Fatal(err)
	}
	if b := k.Bytes(); fmt.Sprintf("%x", b) != last {
		t.Errorf("Bytes gave %x", b)
	}
}

// errReader gives one good run of bytes, then fails.
type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestGeneratePrivateKey(t *testing.T) {
	a, err := GeneratePrivateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := GeneratePrivateKey(nil)
	if err != nil || a.Bytes() == b.Bytes() {
		t.Fatalf("two fresh keys are equal, or %v", err)
	}
	// Out-of-range draws are skipped, not reduced.
	r := bytes.NewReader(append(bytes.Repeat([]byte{0xff}, 32), bytes.Repeat([]byte{7}, 32)...))
	c, err := GeneratePrivateKey(r)
	if err != nil || c.Bytes() != [32]byte(bytes.Repeat([]byte{7}, 32)) {
		t.Fatalf("got %v", err)
	}
	if _, err := GeneratePrivateKey(errReader{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want the reader's error", err)
	}
	if _, err := GeneratePrivateKey(bytes.NewReader(make([]byte, 1024))); !errors.Is(err, ErrKey) {
		t.Errorf("a reader of zeros gave %v, want ErrKey", err)
	}
}

func TestPrivateKeyIsNeverShown(t *testing.T) {
	k := testKey("secret")
	raw := k.Bytes()
	secrets := []string{fmt.Sprintf("%x", raw), fmt.Sprintf("%X", raw), fmt.Sprintf("%d", raw[:4]), string(raw[:])}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", k, "wrapped", struct{ K PrivateKey }{k})
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", k)
	shown := []string{log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c"} {
		shown = append(shown, fmt.Sprintf(verb, k), fmt.Sprintf(verb, &k), fmt.Sprintf(verb, struct{ K PrivateKey }{k}), fmt.Sprintf(verb, []PrivateKey{k}))
	}
	for _, s := range shown {
		for _, secret := range secrets {
			if strings.Contains(s, secret) {
				t.Errorf("a secret is shown in %q", s)
			}
		}
	}
	if out, err := json.Marshal(k); err == nil {
		t.Errorf("JSON of a private key gave %s", out)
	}
	if out, err := Marshal(k); err == nil && bytes.Contains(out, raw[:]) {
		t.Errorf("CBOR of a private key gave %x", out)
	}
}

func TestParsePublicKey(t *testing.T) {
	good := testKey("a").Public()
	if got, err := ParsePublicKey(good[:]); err != nil || got != good || !good.Valid() {
		t.Fatalf("got %s, %v", got, err)
	}
	x := good[1:]
	bad := map[string][]byte{
		"empty":              {},
		"x only":             x,
		"uncompressed":       append([]byte{4}, make([]byte, 64)...),
		"hybrid":             append([]byte{6}, x...),
		"prefix 0":           append([]byte{0}, x...),
		"prefix 5":           append([]byte{5}, x...),
		"long":               append(good[:], 0),
		"x not on the curve": mustHex(t, "02"+strings.Repeat("00", 31)+"05"),
		"x is the prime":     mustHex(t, "02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"),
		"x above the prime":  mustHex(t, "02"+strings.Repeat("ff", 32)),
		"zero":               make([]byte, 33),
	}
	for name, b := range bad {
		if _, err := ParsePublicKey(b); !errors.Is(err, ErrKey) {
			t.Errorf("%s: got %v, want ErrKey", name, err)
		}
		if len(b) == PublicKeySize {
			if PublicKey(b).Valid() {
				t.Errorf("%s: Valid", name)
			}
			var k PublicKey
			if err := k.UnmarshalText([]byte(PublicKey(b).String())); !errors.Is(err, ErrKey) {
				t.Errorf("%s as text: got %v, want ErrKey", name, err)
			}
		}
	}
	var k PublicKey
	if err := k.UnmarshalText([]byte(good.String())); err != nil || k != good {
		t.Errorf("round trip gave %s, %v", k, err)
	}
}

func TestAddressText(t *testing.T) {
	a := testKey("a").Address()
	if got, err := ParseAddress(a.String()); err != nil || got != a {
		t.Fatalf("round trip gave %s, %v", got, err)
	}
	five, _ := bech32.ConvertBits(a[:], 8, 5, true)
	old, _ := bech32.Encode(AddressHRP, five)
	other, _ := bech32.EncodeM("bc", five)
	short, _ := bech32.ConvertBits(a[:19], 8, 5, true)
	short19, _ := bech32.EncodeM(AddressHRP, short)
	s := a.String()
	for name, bad := range map[string]string{
		"empty": "", "first bech32": old, "other prefix": other, "19 bytes": short19,
		"upper": strings.ToUpper(s), "mixed": "WB" + s[2:], "spaces": s + " ", "cut": s[:len(s)-1],
	} {
		if got, err := ParseAddress(bad); !errors.Is(err, ErrText) {
			t.Errorf("%s: %q gave %s, %v, want ErrText", name, bad, got, err)
		}
	}
	if (Address{}).String() == s || a.IsZero() || !(Address{}).IsZero() {
		t.Error("the zero address is not told apart")
	}
}

// TestAddressTypos: one to three typing mistakes never give another valid address (promise of BIP-350).
func TestAddressTypos(t *testing.T) {
	const charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	rapid.Check(t, func(t *rapid.T) {
		var a Address
		copy(a[:], rapid.SliceOfN(rapid.Byte(), AddressSize, AddressSize).Draw(t, "address"))
		s := []byte(a.String())
		for range rapid.IntRange(1, 3).Draw(t, "mistakes") {
			i := rapid.IntRange(3, len(s)-1).Draw(t, "at")
			c := charset[rapid.IntRange(0, 31).Draw(t, "char")]
			switch rapid.IntRange(0, 3).Draw(t, "mistake") {
			case 0:
				s[i] = c
			case 1:
				s = append(s[:i:i], append([]byte{c}, s[i:]...)...)
			case 2:
				s = append(s[:i:i], s[i+1:]...)
			case 3:
				j := max(3, i-1)
				s[i], s[j] = s[j], s[i]
			}
		}
		if got, err := ParseAddress(string(s)); err == nil && got != a {
			t.Fatalf("%s was mistyped to %s, which is valid", a, s)
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	f.Add(testKey("a").Address().String())
	f.Add("wb1")
	f.Add("WB1QQQQ")
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := ParseAddress(s); err == nil && a.String() != s {
			t.Errorf("%q and %q are the same address", s, a)
		}
	})
}

func FuzzParsePublicKey(f *testing.F) {
	k := testKey("a").Public()
	f.Add(k[:])
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := ParsePublicKey(b); err == nil && !bytes.Equal(k[:], b) {
			t.Errorf("%x was read as %s", b, k)
		}
	})
}
