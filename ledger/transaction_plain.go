package ledger

import (
	"math"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// What every transaction is wrapped in, read by hand: the parts are not copied but share the bytes of the transaction, which
// nobody changes. transaction_plain_test.go compares with what crypto.Unmarshal makes of the structs without it.

const (
	signedByBytes = crypto.PublicKeySize + crypto.SignatureSize + 7
	sliceBytes    = 24 // of a slice in a list
)

// ParseCBOR implements crypto.CBORParser.
func (e *envelope) ParseCBOR(p *crypto.PlainCBOR) {
	if !p.Struct(2) {
		return
	}
	e.Body = p.Shared()
	e.Signatures = make([]SignedBy, p.Array(signedByBytes))
	for i := range e.Signatures {
		if s := &e.Signatures[i]; p.Struct(2) {
			p.Fixed(s.Key[:])
			p.Fixed(s.Signature[:])
		}
	}
}

// ParseCBOR implements crypto.CBORParser.
func (b *Body) ParseCBOR(p *crypto.PlainCBOR) {
	if !p.Struct(10) {
		return
	}
	b.Version = uint16(p.Uint(math.MaxUint16))
	p.Fixed(b.Genesis[:])
	p.Fixed(b.Author[:])
	if !p.Null() {
		b.Sponsor = new(crypto.Address)
		p.Fixed(b.Sponsor[:])
	}
	b.ExpiryHeight = quorum.Height(p.Uint(math.MaxUint64))
	b.DependsOn = parseHashes(p)
	b.Tip = p.Uint(math.MaxUint64)
	b.Kind = Kind(p.Uint(math.MaxUint16))
	b.Payload = p.Shared()
	p.Fixed(b.Salt[:])
}

// ParseCBOR implements crypto.CBORParser.
func (c *Capture) ParseCBOR(p *crypto.PlainCBOR) {
	if !p.Struct(2) {
		return
	}
	c.Mode = CaptureMode(p.Uint(math.MaxUint8))
	c.Events = make([][]byte, p.Array(sliceBytes))
	for i := range c.Events {
		c.Events[i] = p.Shared()
	}
}
