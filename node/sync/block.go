package sync

import (
	"encoding/binary"
	"fmt"

	"waybill/consensus/quorum"
)

// Limits of an answer; both ends hold them.
const (
	MaxBlocksPerAnswer = 64
	// MaxAnswerBytes is where an answer ends, if it has come to a certificate. An answer without one is worth
	// nothing, so that it may go on to LargestAnswerBytes to find one.
	MaxAnswerBytes     = 3 << 20
	LargestAnswerBytes = 7 << 20

	maxBlockBytes = quorum.MaxPayloadBytes
	minBlockSize  = 4 + quorum.HeaderSize + 4 + 4 + 4
)

// Block is a finalized block as peers exchange it. Certificate is set on a block that was finalized by
// itself, or, if it closes an epoch, through a tail; a block finalized through a descendant has none.
type Block struct {
	Header      quorum.Header
	Payload     [][]byte // raw transactions
	Certificate *quorum.Certificate
	Next        *quorum.Set // validators of the next epoch; closing blocks only
}

// ErrorKind classifies what was wrong with an answer, for errors.Is.
type ErrorKind string

// The kinds of faults.
const (
	ErrEncoding    ErrorKind = "bad encoding"
	ErrUnasked     ErrorKind = "not asked for"
	ErrChain       ErrorKind = "does not continue the chain"
	ErrPayload     ErrorKind = "payload does not match the header"
	ErrCertificate ErrorKind = "not certified"
	ErrNextSet     ErrorKind = "next validators do not match the header"
	ErrEmpty       ErrorKind = "nothing sent"
)

// Error makes a kind the target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// Error is a refused answer.
type Error struct {
	Kind   ErrorKind
	Detail string
}

// Error says what was wrong with the answer.
func (e *Error) Error() string { return "sync: " + string(e.Kind) + ": " + e.Detail }

// Unwrap lets errors.Is(err, kind) hold.
func (e *Error) Unwrap() error { return e.Kind }

func refuse(kind ErrorKind, format string, args ...any) error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// Size is the encoded length in bytes.
func (b *Block) Size() int {
	n := minBlockSize
	if b.Certificate != nil {
		n += b.Certificate.Size()
	}
	if b.Next != nil {
		n += len(b.Next.Encode())
	}
	for _, tx := range b.Payload {
		n += 4 + len(tx)
	}
	return n
}

// EncodeBlocks writes count:2, then for each block its header, certificate (length 0: none), next validators (length 0:
// none) and payload, every part behind a four-byte length, big-endian.
func EncodeBlocks(blocks []Block) []byte {
	out := binary.BigEndian.AppendUint16(nil, uint16(len(blocks)))
	for i := range blocks {
		b := &blocks[i]
		out = appendPart(out, b.Header.Encode())
		var cert []byte
		if b.Certificate != nil {
			cert = b.Certificate.Encode()
		}
		out = appendPart(out, cert)
		var next []byte
		if b.Next != nil {
			next = b.Next.Encode()
		}
		out = appendPart(out, next)
		out = binary.BigEndian.AppendUint32(out, uint32(len(b.Payload)))
		for _, tx := range b.Payload {
			out = appendPart(out, tx)
		}
	}
	return out
}

func appendPart(out, part []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, uint32(len(part)))
	return append(out, part...)
}

// DecodeBlocks accepts exactly what EncodeBlocks writes, at most MaxBlocksPerAnswer blocks; the error is
// of kind ErrEncoding. What it allocates is bounded by the input's length: parts are slices of it.
func DecodeBlocks(data []byte) ([]Block, error) {
	if len(data) < 2 {
		return nil, refuse(ErrEncoding, "%d bytes are no list of blocks", len(data))
	}
	count := int(binary.BigEndian.Uint16(data))
	if count > MaxBlocksPerAnswer {
		return nil, refuse(ErrEncoding, "%d blocks, at most %d go into an answer", count, MaxBlocksPerAnswer)
	}
	rest := data[2:]
	if count > len(rest)/minBlockSize {
		return nil, refuse(ErrEncoding, "%d blocks cannot stand in %d bytes", count, len(rest))
	}
	blocks := make([]Block, 0, count)
	for i := range count {
		var (
			b   Block
			err error
		)
		if b, rest, err = decodeBlock(rest); err != nil {
			return nil, fmt.Errorf("block %d: %w", i, err)
		}
		blocks = append(blocks, b)
	}
	if len(rest) != 0 {
		return nil, refuse(ErrEncoding, "%d bytes follow the last block", len(rest))
	}
	return blocks, nil
}

func decodeBlock(rest []byte) (b Block, _ []byte, err error) {
	header, rest, err := takePart(rest, quorum.HeaderSize)
	if err != nil {
		return b, nil, err
	}
	if b.Header, err = quorum.DecodeHeader(header); err != nil {
		return b, nil, refuse(ErrEncoding, "%v", err)
	}
	cert, rest, err := takePart(rest, quorum.MaxCertificateSize)
	if err != nil {
		return b, nil, err
	}
	if len(cert) > 0 {
		c, err := quorum.DecodeCertificate(cert)
		if err != nil {
			return b, nil, refuse(ErrEncoding, "%v", err)
		}
		b.Certificate = &c
	}
	next, rest, err := takePart(rest, quorum.MaxSetSize)
	if err != nil {
		return b, nil, err
	}
	if len(next) > 0 {
		if b.Next, err = quorum.DecodeSet(next); err != nil {
			return b, nil, refuse(ErrEncoding, "%v", err)
		}
	}
	if len(rest) < 4 {
		return b, nil, refuse(ErrEncoding, "the payload's count is missing")
	}
	n := binary.BigEndian.Uint32(rest)
	rest = rest[4:]
	if n == 0 {
		return b, rest, nil
	}
	// Each transaction takes five bytes at least, so that a short answer cannot make a long list.
	if n > quorum.MaxPayloadTxs || int(n) > len(rest)/5 {
		return b, nil, refuse(ErrEncoding, "%d transactions cannot stand in %d bytes", n, len(rest))
	}
	b.Payload = make([][]byte, 0, n)
	for range n {
		var tx []byte
		if tx, rest, err = takePart(rest, maxBlockBytes); err != nil {
			return b, nil, err
		}
		if len(tx) == 0 {
			return b, nil, refuse(ErrEncoding, "a transaction is empty")
		}
		b.Payload = append(b.Payload, tx)
	}
	return b, rest, nil
}

func takePart(rest []byte, limit int) (part, after []byte, err error) {
	if len(rest) < 4 {
		return nil, nil, refuse(ErrEncoding, "a length is missing")
	}
	size := binary.BigEndian.Uint32(rest)
	if uint64(size) > uint64(min(limit, len(rest)-4)) {
		return nil, nil, refuse(ErrEncoding, "a part of %d bytes where at most %d can stand", size, min(limit, len(rest)-4))
	}
	n := int(size)
	return rest[4 : 4+n : 4+n], rest[4+n:], nil
}
