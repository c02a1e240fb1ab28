package snapshot

import (
	"encoding/binary"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// reader takes fields off untrusted bytes. The first shortage sticks; done reports it, and bytes left over.
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

// headers reads what appendHeaders writes.
func (r *reader) headers() ([]quorum.Header, error) {
	count := int(r.u16())
	if r.short || count > MaxSpan || count*quorum.HeaderSize > len(r.rest) {
		return nil, refuse(ErrEncoding, "%d headers (at most %d) in %d bytes", count, MaxSpan, len(r.rest))
	}
	headers := make([]quorum.Header, count)
	for i := range headers {
		var err error
		if headers[i], err = quorum.DecodeHeader(r.bytes(quorum.HeaderSize)); err != nil {
			return nil, refuseBy(ErrEncoding, err, "header %d", i)
		}
	}
	return headers, nil
}

// part reads what appendPart writes.
func (r *reader) part(most int) []byte {
	n := r.u32()
	if uint64(n) > uint64(most) {
		r.short = true
		return nil
	}
	return r.bytes(int(n))
}

func appendPart(b, part []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(part))), part...)
}

// certificate reads a part that holds one.
func (r *reader) certificate() (quorum.Certificate, error) {
	c, err := quorum.DecodeCertificate(r.part(quorum.MaxCertificateSize))
	if err != nil {
		return c, refuseBy(ErrEncoding, err, "a certificate")
	}
	return c, nil
}

func (r *reader) done(what string) error {
	if r.short {
		return refuse(ErrEncoding, "a %s ends too early", what)
	}
	if len(r.rest) > 0 {
		return refuse(ErrEncoding, "%d bytes follow the end of a %s", len(r.rest), what)
	}
	return nil
}
