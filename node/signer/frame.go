package signer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// A frame is its length:4, a type:1 and a body. Requests: state (no body), sign (count:1, then set hash:32 and vote:123 of
// each, the signature zero). Answers: state (as in a slot, after its head), sign (count:1, then of each 0 and the
// signature:64, or 1 and a length:1 and a text), fault (a text: the signer has failed). Everything big-endian.
const (
	frameState   = 1
	frameSign    = 2
	frameStateIs = 0x81
	frameSigned  = 0x82
	frameFault   = 0xff

	maxRequests = 64
	maxText     = 255
	// maxFrame is the longest frame in bytes, after its length.
	maxFrame = 1 + 1 + maxRequests*max(signedSize, 2+maxText)
)

// message is a decoded frame; the fields of its type are set.
type message struct {
	kind     byte
	requests []Request
	state    State
	answers  []Answer
	text     string
}

func (m *message) encode() []byte {
	b := append(make([]byte, 4, 64), m.kind)
	switch m.kind {
	case frameSign:
		b = append(b, byte(len(m.requests)))
		for _, r := range m.requests {
			v := r.Vote
			v.Signature = crypto.Signature{}
			b = append(append(b, r.ValidatorSet[:]...), v.Encode()...)
		}
	case frameStateIs:
		b = appendState(b, 0, &m.state)
	case frameSigned:
		b = append(b, byte(len(m.answers)))
		for _, a := range m.answers {
			if a.Refused == nil {
				b = append(append(b, 0), a.Signature[:]...)
				continue
			}
			text := short(a.Refused.Error())
			b = append(append(b, 1, byte(len(text))), text...)
		}
	case frameFault:
		b = append(b, short(m.text)...)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func short(text string) string { return text[:min(len(text), maxText)] }

func badFrame(format string, args ...any) error { return refuse(ErrEncoding, format, args...) }

// decodeFrame accepts exactly what encode writes after the length. A vote that is none is left to the signer's rule.
func decodeFrame(b []byte) (m message, err error) {
	if len(b) == 0 || len(b) > maxFrame {
		return m, badFrame("a frame of %d bytes; it has 1 to %d", len(b), maxFrame)
	}
	m.kind, b = b[0], b[1:]
	switch m.kind {
	case frameState:
		if len(b) > 0 {
			return m, badFrame("a question for the state is followed by %d bytes", len(b))
		}
	case frameSign:
		m.requests, err = decodeRequests(b)
	case frameStateIs:
		var sequence uint64
		if sequence, m.state, err = decodeState(b); err == nil && sequence != 0 {
			err = badFrame("a state with a sequence")
		}
	case frameSigned:
		m.answers, err = decodeAnswers(b)
	case frameFault:
		if m.text = string(b); len(b) > maxText {
			err = badFrame("a text of %d bytes", len(b))
		}
	default:
		err = badFrame("there is no frame of type %d", m.kind)
	}
	return m, err
}

func decodeRequests(b []byte) ([]Request, error) {
	if len(b) == 0 || b[0] == 0 || b[0] > maxRequests || len(b) != 1+int(b[0])*signedSize {
		return nil, badFrame("%d bytes of requests", len(b))
	}
	r := reader{b[1:]}
	var out []Request
	for len(r.rest) > 0 {
		var q Request
		copy(q.ValidatorSet[:], r.take(crypto.HashSize))
		v, err := quorum.DecodeVote(r.take(quorum.VoteSize))
		if err != nil {
			return nil, &Error{Kind: ErrEncoding, Detail: "a request", Cause: err}
		}
		if !v.Signature.IsZero() {
			return nil, badFrame("a request with a signature")
		}
		q.Vote = v
		out = append(out, q)
	}
	return out, nil
}

func decodeAnswers(b []byte) ([]Answer, error) {
	if len(b) == 0 || b[0] == 0 || b[0] > maxRequests {
		return nil, badFrame("%d bytes of answers", len(b))
	}
	out := make([]Answer, b[0])
	b = b[1:]
	for i := range out {
		switch {
		case len(b) >= 1+crypto.SignatureSize && b[0] == 0:
			copy(out[i].Signature[:], b[1:])
			b = b[1+crypto.SignatureSize:]
		case len(b) >= 2 && b[0] == 1 && len(b) >= 2+int(b[1]):
			out[i].Refused = &Error{Kind: ErrRefused, Detail: fmt.Sprintf("by the remote signer: %q", b[2:2+int(b[1])])}
			b = b[2+int(b[1]):]
		default:
			return nil, badFrame("answer %d ends too early", i)
		}
	}
	if len(b) > 0 {
		return nil, badFrame("%d bytes after the answers", len(b))
	}
	return out, nil
}

// readFrame reads one frame; no more is read or kept than its length, which is bounded.
func readFrame(r io.Reader) (message, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return message{}, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > maxFrame {
		return message{}, badFrame("a frame of %d bytes; it has 1 to %d", n, maxFrame)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return message{}, err
	}
	return decodeFrame(body)
}
