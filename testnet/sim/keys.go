package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"sync"

	"waybill/crypto"
)

// keyedHash stands in for ECDSA: a signature is a mix of the public key and the digest. Nothing in a simulated network
// computes somebody else's signature, so that it is as good, and a thousand times faster. It is no cryptographic hash,
// and must not be: it runs a few million times a second. A bit changed anywhere in key or digest changes it.
type keyedHash struct{}

func (keyedHash) mac(key crypto.PublicKey, digest crypto.Hash) (s crypto.Signature) {
	h := uint64(key[32]) ^ 0x9e3779b97f4a7c15
	for i := 0; i < 32; i += 8 {
		h = mix(h ^ binary.LittleEndian.Uint64(key[i:]))
	}
	for i := 0; i < 32; i += 8 {
		h = mix(h ^ binary.LittleEndian.Uint64(digest[i:]))
	}
	for i := 0; i < len(s); i += 8 {
		h = mix(h + uint64(i))
		binary.LittleEndian.PutUint64(s[i:], h)
	}
	return s
}

// mix is one multiplication of 64 by 64 bits, folded.
func mix(x uint64) uint64 {
	hi, lo := bits.Mul64(x^0xa0761d6478bd642f, 0xe7037ed1a0b428db)
	return hi ^ lo
}

// Sign makes the signature that VerifyBatch accepts.
func (k keyedHash) Sign(key crypto.PrivateKey, digest crypto.Hash) crypto.Signature {
	return k.mac(publicOf(key), digest)
}

// VerifyBatch has the contract of crypto.VerifyBatch.
func (k keyedHash) VerifyBatch(checks []crypto.Check) []bool {
	out := make([]bool, len(checks))
	for i, c := range checks {
		out[i] = c.Signature == k.mac(c.Key, c.Digest)
	}
	return out
}

// testKey is node i's key, the same in every run.
func testKey(i int) crypto.PrivateKey { return keyring()[i].private }

// maxNodes is the most nodes of a plan.
const maxNodes = 32

type keyPair struct {
	private crypto.PrivateKey
	public  crypto.PublicKey
}

// keyring holds the keys of all nodes: a point multiplication for every run would be most of the run.
var keyring = sync.OnceValue(func() []keyPair {
	pairs := make([]keyPair, maxNodes)
	for i := range pairs {
		seed := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("simulated validator "), uint64(i)))
		key, err := crypto.PrivateKeyFromBytes(seed[:])
		if err != nil {
			panic(err) // one in 2^128
		}
		pairs[i] = keyPair{key, key.Public()}
	}
	return pairs
})

// publicOf is key.Public() for the keys of this package, without the arithmetic.
func publicOf(key crypto.PrivateKey) crypto.PublicKey {
	if i, ok := keyIndex()[key.Bytes()]; ok {
		return keyring()[i].public
	}
	return key.Public()
}

var keyIndex = sync.OnceValue(func() map[[crypto.PrivateKeySize]byte]int {
	index := map[[crypto.PrivateKeySize]byte]int{}
	for i, p := range keyring() {
		index[p.private.Bytes()] = i
	}
	return index
})
