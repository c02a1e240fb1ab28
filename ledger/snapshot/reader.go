package snapshot

import (
	"encoding/binary"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// reader adds what this package encodes to the fields.
type reader struct{ crypto.Fields }

// headers reads what appendHeaders writes.
func (r *reader) headers() ([]quorum.Header, error) {
	count := int(r.U16())
	if r.Short() || count > MaxSpan || count*quorum.HeaderSize > r.Left() {
		return nil, refuse(ErrEncoding, "%d headers (at most %d) in %d bytes", count, MaxSpan, r.Left())
	}
	headers := make([]quorum.Header, count)
	for i := range headers {
		var err error
		if headers[i], err = quorum.DecodeHeader(r.Bytes(quorum.HeaderSize)); err != nil {
			return nil, refuseBy(ErrEncoding, err, "header %d", i)
		}
	}
	return headers, nil
}

// part reads what appendPart writes.
func (r *reader) part(most int) []byte {
	n := r.U32()
	if uint64(n) > uint64(most) {
		r.Fail()
		return nil
	}
	return r.Bytes(int(n))
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
	if r.Short() {
		return refuse(ErrEncoding, "a %s ends too early", what)
	}
	if r.Left() > 0 {
		return refuse(ErrEncoding, "%d bytes follow the end of a %s", r.Left(), what)
	}
	return nil
}
