package quorum

import (
	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"waybill/crypto"
)

// signWithNonce signs without RFC 6979, as a cheat would: false when the result is not canonical.
func signWithNonce(key crypto.PrivateKey, digest crypto.Hash, nonce int) (s crypto.Signature, ok bool) {
	raw := key.Bytes()
	var d, e, k, r, sum secp256k1.ModNScalar
	d.SetBytes(&raw)
	e.SetByteSlice(digest[:])
	k.SetInt(uint32(1000 + nonce))
	var point secp256k1.JacobianPoint
	secp256k1.ScalarBaseMultNonConst(&k, &point)
	point.ToAffine()
	x := point.X.Bytes()
	r.SetByteSlice(x[:])
	// s = (e + r*d) / k
	sum.Mul2(&r, &d).Add(&e)
	sum.Mul(new(secp256k1.ModNScalar).InverseValNonConst(&k))
	if sum.IsOverHalfOrder() {
		sum.Negate()
	}
	r.PutBytesUnchecked(s[:32])
	sum.PutBytesUnchecked(s[32:])
	return s, new(crypto.Signature).UnmarshalText([]byte(s.String())) == nil
}
