package index

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"waybill/epcis/query"
	"waybill/epcis/trace"
)

// position is where a page ended. It is handed out as nextPageToken: bytes in base64url, with a checksum so that a
// damaged one is told from one of another query. Nothing in it is secret or trusted: a forged one starts a page
// somewhere else in the same answer.
type position struct {
	fingerprint [8]byte   // of the query
	height      uint64    // the answer is of this height
	timeMs      int64     // eventTime of the last event looked at; 0 unless the order is by it
	ref         trace.Ref // the last event looked at
	returned    uint32    // events in earlier pages
}

const (
	tokenVersion = 1
	tokenBytes   = 1 + 8 + 8 + 8 + refSize + 4
	tokenSum     = 4
)

func (p position) encode() string {
	b := make([]byte, 0, tokenBytes+tokenSum)
	b = append(b, tokenVersion)
	b = append(b, p.fingerprint[:]...)
	b = binary.BigEndian.AppendUint64(b, p.height)
	b = binary.BigEndian.AppendUint64(b, uint64(p.timeMs))
	b = appendRef(b, p.ref)
	b = binary.BigEndian.AppendUint32(b, p.returned)
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(append(b, sum[:tokenSum]...))
}

func decodePosition(token string) (position, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) != tokenBytes+tokenSum || b[0] != tokenVersion {
		return position{}, badToken(token, "a token that an earlier page returned, unchanged")
	}
	body, sum := b[:tokenBytes], sha256.Sum256(b[:tokenBytes])
	if [tokenSum]byte(b[tokenBytes:]) != [tokenSum]byte(sum[:tokenSum]) {
		return position{}, badToken(token, "a token that an earlier page returned, unchanged")
	}
	p := position{fingerprint: [8]byte(body[1:9])}
	p.height = binary.BigEndian.Uint64(body[9:])
	p.timeMs = int64(binary.BigEndian.Uint64(body[17:]))
	p.ref = decodeRef(body[25 : 25+refSize])
	p.returned = binary.BigEndian.Uint32(body[25+refSize:])
	return p, nil
}

func badToken(token, expected string) error {
	if len(token) > 80 {
		token = token[:80] + "…"
	}
	return &query.Error{Kind: query.ErrToken, Parameter: "nextPageToken", Value: token, Expected: expected}
}
