package wallet

import (
	"golang.org/x/crypto/scrypt"
)

// Strength says how hard a keystore makes it to try passphrases. The zero value is the standard strength.
type Strength uint8

// The strengths. Light exists for tests and throw-away networks only; a file made with it says so in plain text.
const (
	Standard Strength = iota // scrypt N=2^17, r=8, p=1: 128 MiB and a fraction of a second per try
	Light                    // scrypt N=2^12, r=8, p=1: 4 MiB, a few milliseconds
)

// The bounds a file is held to when it is opened. The lower ones stop a file that was weakened on the way; the upper one
// stops a file that would eat the machine's memory (128*N*r bytes).
const (
	standardN  = 1 << 17
	lightN     = 1 << 12
	maxN       = 1 << 20
	scryptR    = 8
	scryptP    = 1
	saltSize   = 32
	derivedKey = 32
)

// kdfHeader is the key derivation part of a keystore file.
type kdfHeader struct {
	Name string `json:"name"` // "scrypt"
	N    int    `json:"n"`    // cost, a power of two
	R    int    `json:"r"`
	P    int    `json:"p"`
	Salt string `json:"salt"` // 32 bytes, hex
	// Light must be true in a file with less than the standard cost, so that a weak file never passes for a strong one.
	Light bool `json:"light,omitempty"`
}

func (s Strength) header(salt string) kdfHeader {
	h := kdfHeader{Name: "scrypt", N: standardN, R: scryptR, P: scryptP, Salt: salt}
	if s == Light {
		h.N, h.Light = lightN, true
	}
	return h
}

// check holds the parameters to their bounds; the error is of kind ErrKeyDeriving.
func (h kdfHeader) check() error {
	switch {
	case h.Name != "scrypt":
		return refuse(ErrKeyDeriving, "the file derives its key with %q; this program knows only \"scrypt\"", clip(h.Name))
	case h.N < lightN || h.N > maxN || h.N&(h.N-1) != 0:
		return refuse(ErrKeyDeriving, "scrypt cost n=%d is not a power of two from %d to %d", h.N, lightN, maxN)
	case h.N < standardN && !h.Light:
		return refuse(ErrKeyDeriving, "scrypt cost n=%d is below %d and the file does not say \"light\": true; it may have been weakened, restore it from a backup", h.N, standardN)
	case h.R != scryptR || h.P != scryptP:
		return refuse(ErrKeyDeriving, "scrypt r=%d p=%d; this program uses r=%d p=%d", h.R, h.P, scryptR, scryptP)
	}
	return nil
}

// derive stretches the passphrase. The caller checked h and clears the result.
func (h kdfHeader) derive(passphrase []byte) ([]byte, error) {
	salt, err := unhex(h.Salt, saltSize, "salt")
	if err != nil {
		return nil, err
	}
	key, err := scrypt.Key(passphrase, salt, h.N, h.R, h.P, derivedKey)
	if err != nil {
		return nil, refuse(ErrKeyDeriving, "scrypt refused its parameters: %v", err)
	}
	return key, nil
}
