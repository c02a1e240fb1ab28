package crypto

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"

	"github.com/btcsuite/btcd/btcutil/bech32"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// Sizes in bytes of the fixed forms.
const (
	PublicKeySize  = 33
	PrivateKeySize = 32
	AddressSize    = 20
)

// AddressHRP is the human-readable part of every address.
const AddressHRP = "wb"

// PublicKey is a compressed secp256k1 point (SEC 1, section 2.3.3): 0x02 or 0x03 and the x coordinate. Its text is 66
// hex digits. The type does not prove that the point is on the curve; [ParsePublicKey] and [PublicKey.Valid] do.
type PublicKey [PublicKeySize]byte

// ParsePublicKey accepts the 33 bytes of a compressed point on the curve; the error is of kind ErrKey.
func ParsePublicKey(b []byte) (PublicKey, error) {
	var k PublicKey
	if len(b) != PublicKeySize {
		return k, refuse(ErrKey, "a public key is %d bytes, got %d", PublicKeySize, len(b))
	}
	copy(k[:], b)
	if _, err := k.point(); err != nil {
		return PublicKey{}, err
	}
	return k, nil
}

// Valid reports whether k is a compressed point on the curve.
func (k PublicKey) Valid() bool {
	_, err := k.point()
	return err == nil
}

func (k PublicKey) point() (*secp256k1.PublicKey, error) {
	p, err := secp256k1.ParsePubKey(k[:])
	if err != nil {
		return nil, refuse(ErrKey, "public key %s: %v", k, err)
	}
	return p, nil
}

// Address returns the account address of the key: the first 20 bytes of Sum(TagAddress, k).
func (k PublicKey) Address() Address {
	h := Sum(TagAddress, k[:])
	return Address(h[:AddressSize])
}

// IsZero reports whether k is all zero, which is no key.
func (k PublicKey) IsZero() bool { return k == PublicKey{} }

// String returns 66 lower-case hex digits.
func (k PublicKey) String() string { return hex.EncodeToString(k[:]) }

// MarshalText returns the text of String.
func (k PublicKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText accepts 66 lower-case hex digits that are a point on the curve.
func (k *PublicKey) UnmarshalText(text []byte) error {
	var raw PublicKey
	if err := decodeHex(raw[:], text, "public key"); err != nil {
		return err
	}
	if _, err := raw.point(); err != nil {
		return err
	}
	*k = raw
	return nil
}

// Address names an account: the first 20 bytes of the tagged hash of its public key. Its text is bech32m (BIP-350)
// with the prefix "wb", for example "wb1..." of 41 characters. The zero Address means "none".
type Address [AddressSize]byte

// ParseAddress reads the bech32m text of an address; the error is of kind ErrText.
func ParseAddress(s string) (Address, error) {
	var a Address
	err := a.UnmarshalText([]byte(s))
	return a, err
}

// IsZero reports whether a is the zero Address, which means "none".
func (a Address) IsZero() bool { return a == Address{} }

// String returns the bech32m text, lower case.
func (a Address) String() string {
	five, err := bech32.ConvertBits(a[:], 8, 5, true)
	if err != nil {
		panic(fmt.Sprintf("crypto: converting %x to base 32: %v", a[:], err)) // impossible for 20 bytes
	}
	s, err := bech32.EncodeM(AddressHRP, five)
	if err != nil {
		panic(fmt.Sprintf("crypto: bech32m of %x: %v", a[:], err)) // impossible for this prefix and length
	}
	return s
}

// MarshalText returns the text of String.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// addressTextSize is prefix, separator, 32 groups of five bits and six of checksum.
const addressTextSize = len(AddressHRP) + 1 + 32 + 6

// UnmarshalText accepts exactly the lower-case bech32m text that String makes. The fixed length closes the
// insertion weakness of the first bech32; the older checksum is refused.
func (a *Address) UnmarshalText(text []byte) error {
	if len(text) != addressTextSize {
		return refuse(ErrText, "an address is %d characters, got %d", addressTextSize, len(text))
	}
	hrp, five, version, err := bech32.DecodeGeneric(string(text))
	if err != nil {
		return refuse(ErrText, "address %q: %v", text, err)
	}
	if hrp != AddressHRP || version != bech32.VersionM {
		return refuse(ErrText, "address %q: want bech32m with prefix %q", text, AddressHRP)
	}
	raw, err := bech32.ConvertBits(five, 5, 8, false)
	if err != nil || len(raw) != AddressSize {
		return refuse(ErrText, "address %q does not hold %d bytes", text, AddressSize)
	}
	got := Address(raw)
	if got.String() != string(text) {
		return refuse(ErrText, "address %q is not written canonically (lower case)", text)
	}
	*a = got
	return nil
}

// PrivateKey signs. It is opaque: no print verb, logger or encoder shows the secret; only [PrivateKey.Bytes] does.
// The zero PrivateKey is not usable: its methods panic. A PrivateKey may be used concurrently.
type PrivateKey struct {
	key *secp256k1.PrivateKey
}

// PrivateKeyFromBytes accepts 32 bytes, big-endian, in [1, n-1]; the error is of kind ErrKey and does not show the bytes.
func PrivateKeyFromBytes(b []byte) (PrivateKey, error) {
	if len(b) != PrivateKeySize {
		return PrivateKey{}, refuse(ErrKey, "a private key is %d bytes, got %d", PrivateKeySize, len(b))
	}
	var s secp256k1.ModNScalar
	if overflow := s.SetByteSlice(b); overflow || s.IsZero() {
		return PrivateKey{}, refuse(ErrKey, "a private key must be above zero and below the group order")
	}
	return PrivateKey{key: secp256k1.NewPrivateKey(&s)}, nil
}

// GeneratePrivateKey makes a key from 32 bytes of r, drawing again in the negligible case that they are out of range. A nil
// r means the system's randomness.
func GeneratePrivateKey(r io.Reader) (PrivateKey, error) {
	if r == nil {
		r = rand.Reader
	}
	var b [PrivateKeySize]byte
	defer clear(b[:])
	// Out of range happens once in 2^127 draws; eight in a row mean that the reader is broken.
	for range 8 {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return PrivateKey{}, fmt.Errorf("reading randomness for a key: %w", err)
		}
		if k, err := PrivateKeyFromBytes(b[:]); err == nil {
			return k, nil
		}
	}
	return PrivateKey{}, refuse(ErrKey, "the randomness source gives only values outside the group order; replace it")
}

// IsZero reports whether k is the unusable zero value.
func (k PrivateKey) IsZero() bool { return k.key == nil }

// Bytes returns the 32 secret bytes. Only keystores may call it.
func (k PrivateKey) Bytes() [PrivateKeySize]byte { return k.key.Key.Bytes() }

// Public returns the public key of k.
func (k PrivateKey) Public() PublicKey { return PublicKey(k.key.PubKey().SerializeCompressed()) }

// Address is Public().Address().
func (k PrivateKey) Address() Address { return k.Public().Address() }

const hiddenKey = "PrivateKey(hidden)"

// String hides the secret.
func (k PrivateKey) String() string { return hiddenKey }

// GoString hides the secret from %#v.
func (k PrivateKey) GoString() string { return hiddenKey }

// Format hides the secret from every print verb.
func (k PrivateKey) Format(f fmt.State, _ rune) { io.WriteString(f, hiddenKey) }

// LogValue hides the secret from slog.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue(hiddenKey) }

// MarshalText refuses, so that no encoder writes a secret by accident.
func (k PrivateKey) MarshalText() ([]byte, error) {
	return nil, refuse(ErrKey, "a private key has no text form; use a keystore")
}
