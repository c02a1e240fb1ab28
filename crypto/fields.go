package crypto

import (
	"encoding/binary"
	"math"
)

// Fields takes fixed-width, big-endian fields off untrusted bytes. The first shortage sticks, so that a decoder reads all
// its fields and asks once, with Short and Left. It is not for concurrent use.
type Fields struct {
	rest  []byte
	short bool
}

// ReadFields returns the fields of data, which they share.
func ReadFields(data []byte) Fields { return Fields{rest: data} }

// Short reports whether more was asked for than there is.
func (f *Fields) Short() bool { return f.short }

// Fail marks the bytes as too short, for what a decoder itself finds to be more than can follow.
func (f *Fields) Fail() { f.short = true }

// Left is the number of bytes not taken yet.
func (f *Fields) Left() int { return len(f.rest) }

// Bytes takes n bytes; nil if there are fewer.
func (f *Fields) Bytes(n int) []byte {
	if f.short || n < 0 || n > len(f.rest) {
		f.short = true
		return nil
	}
	b := f.rest[:n:n]
	f.rest = f.rest[n:]
	return b
}

// U8 takes one byte; 0 if there is none.
func (f *Fields) U8() uint8 {
	if b := f.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 takes two bytes; 0 if there are fewer.
func (f *Fields) U16() uint16 {
	if b := f.Bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// U32 takes four bytes; 0 if there are fewer.
func (f *Fields) U32() uint32 {
	if b := f.Bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// U64 takes eight bytes; 0 if there are fewer.
func (f *Fields) U64() uint64 {
	if b := f.Bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Length takes a count of four bytes. One that no message can hold becomes the largest int of any machine: a negative one,
// where an int has 32 bits, would pass for small.
func (f *Fields) Length() int { return int(min(f.U32(), math.MaxInt32)) }

// Hash takes a hash; the zero Hash if there is none.
func (f *Fields) Hash() (h Hash) {
	copy(h[:], f.Bytes(HashSize))
	return h
}

// Signature takes a signature; the zero Signature if there is none.
func (f *Fields) Signature() (s Signature) {
	copy(s[:], f.Bytes(SignatureSize))
	return s
}
