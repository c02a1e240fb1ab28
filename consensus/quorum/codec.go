package quorum

import (
	"encoding/binary"
	"math"

	"waybill/crypto"
)

// reader takes fixed-width fields off untrusted bytes. The first shortage sticks; done reports it, and bytes left over.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) bytes(n int) []byte {
	if r.short || n < 0 || n > len(r.rest) {
		r.short = true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) u8() uint8 {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// length reads a count of 4 bytes. One that no message can hold becomes the largest int of any machine: a negative one,
// where an int has 32 bits, would pass for small.
func (r *reader) length() int { return int(min(r.u32(), math.MaxInt32)) }

func (r *reader) u64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) hash() (h crypto.Hash) {
	copy(h[:], r.bytes(crypto.HashSize))
	return h
}

func (r *reader) signature() (s crypto.Signature) {
	copy(s[:], r.bytes(crypto.SignatureSize))
	return s
}

// done refuses missing and left-over bytes.
func (r *reader) done(what string) error {
	if r.short {
		return refuse(ErrEncoding, "a %s ends too early", what)
	}
	if len(r.rest) > 0 {
		return refuse(ErrEncoding, "%d bytes follow the end of a %s", len(r.rest), what)
	}
	return nil
}
