package sim

import (
	"crypto/sha256"
	"encoding/binary"

	"waybill/crypto"
)

// keyedHash stands in for ECDSA: a signature is a hash of the public key and the digest. Nothing in a
// simulated network forges signatures by computing them, so that it is as good, and a hundred times faster.
type keyedHash struct{}

func (keyedHash) mac(key crypto.PublicKey, digest crypto.Hash) (s crypto.Signature) {
	a := sha256.Sum256(append(key[:], digest[:]...))
	b := sha256.Sum256(a[:])
	copy(s[:32], a[:])
	copy(s[32:], b[:])
	return s
}

// Sign makes the signature that VerifyBatch accepts.
func (k keyedHash) Sign(key crypto.PrivateKey, digest crypto.Hash) crypto.Signature {
	return k.mac(key.Public(), digest)
}

// VerifyBatch has the contract of crypto.VerifyBatch.
func (k keyedHash) VerifyBatch(checks []crypto.Check) []bool {
	out := make([]bool, len(checks))
	for i, c := range checks {
		out[i] = c.Signature == k.mac(c.Key, c.Digest)
	}
	return out
}

// testKey is validator i's key, the same in every run.
func testKey(i int) crypto.PrivateKey {
	seed := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("simulated validator "), uint64(i)))
	key, err := crypto.PrivateKeyFromBytes(seed[:])
	if err != nil {
		panic(err) // one in 2^128
	}
	return key
}
