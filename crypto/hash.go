package crypto

import (
	"crypto/sha256"
	"encoding/hex"
)

// HashSize is the length of a [Hash] in bytes.
const HashSize = sha256.Size

// Hash is a SHA-256 digest, always made under a domain tag. Its text is 64 lower-case hex digits, for example
// "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08". The zero Hash means "none".
type Hash [HashSize]byte

// Sum returns SHA-256(tag || parts...). The parts are concatenated without separators: a caller with more than one
// part of variable length must frame them itself.
func Sum(tag Tag, parts ...[]byte) Hash {
	var buf [512]byte
	b := append(buf[:0], tag...)
	size := len(b)
	for _, p := range parts {
		size += len(p)
	}
	if size <= len(buf) {
		for _, p := range parts {
			b = append(b, p...)
		}
		return sha256.Sum256(b)
	}
	d := sha256.New()
	d.Write(b)
	for _, p := range parts {
		d.Write(p)
	}
	var h Hash
	d.Sum(h[:0])
	return h
}

// sumTwo is Sum(tag, a[:], b[:]) without slices of slices: the nodes of trees are most of all hashing.
func sumTwo(tag Tag, a, b *Hash) Hash {
	var buf [64 + 2*HashSize]byte // no tag is longer than 64 bytes
	n := copy(buf[:], tag)
	n += copy(buf[n:], a[:])
	n += copy(buf[n:], b[:])
	return sha256.Sum256(buf[:n])
}

// IsZero reports whether h is the zero Hash, which means "none".
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns 64 lower-case hex digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Short returns the first eight hex digits, for logs and tables; it identifies nothing.
func (h Hash) Short() string { return hex.EncodeToString(h[:4]) }

// MarshalText returns the text of String.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText accepts exactly 64 lower-case hex digits; the error is of kind ErrText.
func (h *Hash) UnmarshalText(text []byte) error { return decodeHex(h[:], text, "hash") }

// ParseHash reads the text of [Hash.String].
func ParseHash(s string) (Hash, error) {
	var h Hash
	err := h.UnmarshalText([]byte(s))
	return h, err
}

// decodeHex fills dst from exactly 2*len(dst) lower-case hex digits and leaves dst alone on error. Upper case is
// refused so that every value has one text.
func decodeHex(dst, text []byte, what string) error {
	if len(text) != 2*len(dst) {
		return refuse(ErrText, "a %s is %d hex digits, got %d characters", what, 2*len(dst), len(text))
	}
	for i, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return refuse(ErrText, "a %s is lower-case hex, got %q at position %d", what, c, i)
		}
	}
	if _, err := hex.Decode(dst, text); err != nil {
		return refuse(ErrText, "a %s did not decode: %v", what, err)
	}
	return nil
}
