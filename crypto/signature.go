package crypto

import (
	"encoding/hex"
	"runtime"
	"sync"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// SignatureSize is the length of a [Signature] in bytes.
const SignatureSize = 64

// Signature is ECDSA over secp256k1: 32 bytes r, 32 bytes s, big-endian, with s in the lower half of the group order
// (BIP-62). Its text is 128 hex digits. Any other encoding of the same pair is refused, so one signer and one digest
// have one signature in practice; still, nothing may be identified by a signature.
type Signature [SignatureSize]byte

// IsZero reports whether s is all zero, which no signature is.
func (s Signature) IsZero() bool { return s == Signature{} }

// String returns 128 lower-case hex digits.
func (s Signature) String() string { return hex.EncodeToString(s[:]) }

// MarshalText returns the text of String.
func (s Signature) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText accepts 128 lower-case hex digits whose r and s are canonical; the error is of kind ErrText or
// ErrSignature.
func (s *Signature) UnmarshalText(text []byte) error {
	var raw Signature
	if err := decodeHex(raw[:], text, "signature"); err != nil {
		return err
	}
	if _, err := raw.scalars(); err != nil {
		return err
	}
	*s = raw
	return nil
}

// scalars reads r and s strictly: both in [1, n-1], s at most n/2.
func (s Signature) scalars() (*ecdsa.Signature, error) {
	var rr, ss secp256k1.ModNScalar
	if overflow := rr.SetByteSlice(s[:32]); overflow || rr.IsZero() {
		return nil, refuse(ErrSignature, "r is zero or not below the group order")
	}
	if overflow := ss.SetByteSlice(s[32:]); overflow || ss.IsZero() {
		return nil, refuse(ErrSignature, "s is zero or not below the group order")
	}
	if ss.IsOverHalfOrder() {
		return nil, refuse(ErrSignature, "s is in the upper half of the group order; only the lower twin is accepted")
	}
	return ecdsa.NewSignature(&rr, &ss), nil
}

// Sign signs a digest made by [Sum]. The nonce is deterministic (RFC 6979), so equal digests give equal signatures.
func (k PrivateKey) Sign(digest Hash) Signature {
	sig := ecdsa.Sign(k.key, digest[:])
	r, s := sig.R(), sig.S()
	var out Signature
	r.PutBytesUnchecked(out[:32])
	s.PutBytesUnchecked(out[32:])
	return out
}

// Check is one question to [VerifyBatch]: did Key sign Digest with Signature?
type Check struct {
	Key       PublicKey
	Digest    Hash
	Signature Signature
}

// VerifyBatch answers every check, in order: true exactly when the key is a point on the curve, the signature is
// canonical and decred's Verify accepts it. It is the one function that checks signatures; a faster joint check may
// replace its inside without changing any answer.
func VerifyBatch(checks []Check) []bool { return (*KeyCache)(nil).VerifyBatch(checks) }

func verify(point *secp256k1.PublicKey, c *Check) bool {
	sig, err := c.Signature.scalars()
	return err == nil && sig.Verify(c.Digest[:], point)
}

// KeyCache remembers decompressed public keys, which saves about a fifteenth of a check. It holds at most the given
// number of keys and empties itself when full: validators and busy authors come back at once. Safe for concurrent use.
type KeyCache struct {
	limit int

	mu     sync.Mutex
	points map[PublicKey]*secp256k1.PublicKey // guarded by mu; the points are never changed
}

// NewKeyCache makes a cache of at most limit keys (about 150 bytes each); limit must be positive.
func NewKeyCache(limit int) *KeyCache {
	return &KeyCache{limit: max(limit, 1), points: make(map[PublicKey]*secp256k1.PublicKey)}
}

// VerifyBatch is the package function with remembered keys; a nil cache remembers nothing. The answers are the same. Many
// checks are shared among all processors that the program may use.
func (c *KeyCache) VerifyBatch(checks []Check) []bool {
	out := make([]bool, len(checks))
	share := max(minShare, (len(checks)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	var others sync.WaitGroup
	for from := share; from < len(checks); from += share {
		to := min(from+share, len(checks))
		others.Go(func() { c.verifyAll(checks[from:to], out[from:to]) })
	}
	c.verifyAll(checks[:min(share, len(checks))], out)
	others.Wait()
	return out
}

// minShare is how many checks a goroutine is started for: some two milliseconds.
const minShare = 16

// verifyAll answers checks[i] in out[i].
func (c *KeyCache) verifyAll(checks []Check, out []bool) {
	for i := range checks {
		point := c.point(checks[i].Key)
		out[i] = point != nil && verify(point, &checks[i])
	}
}

// point returns nil for bytes that are no key; those are not remembered, so that garbage cannot evict.
func (c *KeyCache) point(k PublicKey) *secp256k1.PublicKey {
	if c == nil {
		p, _ := k.point() // nil on error
		return p
	}
	c.mu.Lock()
	p := c.points[k]
	c.mu.Unlock()
	if p != nil {
		return p
	}
	p, err := k.point()
	if err != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.points) >= c.limit {
		clear(c.points)
	}
	c.points[k] = p
	return p
}
