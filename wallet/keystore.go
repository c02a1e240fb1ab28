package wallet

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"waybill/crypto"
)

// The keystore file, version 1: one JSON object. Everything but ciphertext is the header; its canonical form (the header
// encoded by this program, fields in this order, no spaces) is the additional data of the AEAD, so that no field can be
// changed without the passphrase. The plaintext is one byte of kind and the secret: 1 and the 32 bytes of a key, or 2 and
// the 16 to 32 bytes of entropy of recovery words, from which path derives the key.
const (
	keystoreFormat  = "waybill-keystore"
	keystoreVersion = 1
	maxKeystoreSize = 16 << 10

	secretKey   = 1
	secretWords = 2
)

type header struct {
	Format    string           `json:"format"`
	Version   int              `json:"version"`
	Name      string           `json:"name"`
	Address   crypto.Address   `json:"address"`
	PublicKey crypto.PublicKey `json:"publicKey"`
	Path      string           `json:"path,omitempty"` // of the account under the words; absent for a bare key
	Account   uint32           `json:"account,omitempty"`
	Created   string           `json:"created"` // RFC 3339, UTC, seconds
	KDF       kdfHeader        `json:"kdf"`
	Cipher    cipherHeader     `json:"cipher"`
}

type cipherHeader struct {
	Name  string `json:"name"`  // "xchacha20poly1305"
	Nonce string `json:"nonce"` // 24 bytes, hex
}

type keystoreFile struct {
	header
	Ciphertext string `json:"ciphertext"` // hex, with the AEAD's tag
}

// associated returns the bytes that bind the header to the ciphertext.
func (h header) associated() ([]byte, error) {
	b, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encoding the keystore header: %w", err)
	}
	return b, nil
}

// seal encrypts a secret under the passphrase into a keystore file. random is the source of salt and nonce.
func seal(h header, secret, passphrase []byte, strength Strength, random io.Reader) ([]byte, error) {
	var salt [saltSize]byte
	var nonce [chacha20poly1305.NonceSizeX]byte
	for _, b := range [][]byte{salt[:], nonce[:]} {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("reading randomness for the keystore: %w", err)
		}
	}
	h.Format, h.Version = keystoreFormat, keystoreVersion
	h.KDF = strength.header(hex.EncodeToString(salt[:]))
	h.Cipher = cipherHeader{Name: "xchacha20poly1305", Nonce: hex.EncodeToString(nonce[:])}
	key, err := h.KDF.derive(passphrase)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("preparing the keystore cipher: %w", err)
	}
	ad, err := h.associated()
	if err != nil {
		return nil, err
	}
	file := keystoreFile{header: h, Ciphertext: hex.EncodeToString(aead.Seal(nil, nonce[:], secret, ad))}
	out, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the keystore: %w", err)
	}
	return append(out, '\n'), nil
}

// parseKeystore reads a file without its secret; the error is of kind ErrFile or ErrKeyDeriving.
func parseKeystore(data []byte) (*keystoreFile, error) {
	if len(data) > maxKeystoreSize {
		return nil, refuse(ErrFile, "a wallet file has at most %d bytes, this has more", maxKeystoreSize)
	}
	var f keystoreFile
	if err := strictJSON(data, &f); err != nil {
		return nil, refuse(ErrFile, "not a wallet file: %v", err)
	}
	switch {
	case f.Format != keystoreFormat:
		return nil, refuse(ErrFile, "not a wallet file: format is %q, want %q", clip(f.Format), keystoreFormat)
	case f.Version != keystoreVersion:
		return nil, refuse(ErrFile, "wallet file version %d; this program reads version %d, use a newer one", f.Version, keystoreVersion)
	case f.Cipher.Name != "xchacha20poly1305":
		return nil, refuse(ErrFile, "cipher %q; this program knows only \"xchacha20poly1305\"", clip(f.Cipher.Name))
	case f.PublicKey.Address() != f.Address:
		return nil, refuse(ErrFile, "the address does not belong to the public key; restore the file from a backup")
	}
	if err := checkName(f.Name); err != nil {
		return nil, refuse(ErrFile, "the name in the file is not a wallet name")
	}
	if f.Path != "" && f.Path != AccountPath(f.Account) {
		return nil, refuse(ErrFile, "derivation path %q is not the path of account %d", clip(f.Path), f.Account)
	}
	if err := f.KDF.check(); err != nil {
		return nil, err
	}
	return &f, nil
}

// open decrypts the secret and proves that it makes the key the header names. A wrong passphrase and a changed file are
// told apart by nothing but a guess, so both are ErrPassphrase.
func (f *keystoreFile) open(passphrase []byte) (*Wallet, error) {
	nonce, err := unhex(f.Cipher.Nonce, chacha20poly1305.NonceSizeX, "nonce")
	if err != nil {
		return nil, err
	}
	sealed, err := unhex(f.Ciphertext, -1, "ciphertext")
	if err != nil {
		return nil, err
	}
	key, err := f.KDF.derive(passphrase)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("preparing the keystore cipher: %w", err)
	}
	ad, err := f.associated()
	if err != nil {
		return nil, err
	}
	secret, err := aead.Open(nil, nonce, sealed, ad)
	if err != nil {
		return nil, refuse(ErrPassphrase, "wallet %q did not open: the passphrase is wrong, or the file was changed since it was written (then restore it from a backup)", f.Name)
	}
	defer clear(secret)
	return f.unpack(secret)
}

func (f *keystoreFile) unpack(secret []byte) (*Wallet, error) {
	w := &Wallet{info: f.info(), secrets: new(secrets)}
	if len(secret) == 0 {
		return nil, refuse(ErrFile, "the encrypted part of wallet %q is empty", f.Name)
	}
	var err error
	switch kind, rest := secret[0], secret[1:]; kind {
	case secretKey:
		w.key, err = crypto.PrivateKeyFromBytes(rest)
	case secretWords:
		if w.words, err = wordsFromEntropy(rest); err == nil {
			w.key, err = w.words.Key(f.Account)
		}
	default:
		return nil, refuse(ErrFile, "the encrypted part of wallet %q is of kind %d; use a newer program", f.Name, kind)
	}
	if err != nil {
		return nil, err
	}
	if w.key.Public() != f.PublicKey {
		return nil, refuse(ErrFile, "the secret of wallet %q makes another key than the file names; restore it from a backup", f.Name)
	}
	return w, nil
}

func (f *keystoreFile) info() Info {
	created, err := time.Parse(time.RFC3339, f.Created)
	if err != nil {
		created = time.Time{} // shown as unknown; no reason to lock somebody out
	}
	return Info{Name: f.Name, Address: f.Address, PublicKey: f.PublicKey, Path: f.Path, Created: created.UTC(), Light: f.KDF.Light}
}

// strictJSON decodes exactly one JSON value without unknown fields. A repeated field is harmless: the last one counts, and
// what counts is bound by the AEAD or the signatures.
func strictJSON(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the end of the JSON object")
	}
	return nil
}

// unhex decodes lower-case hex of n bytes (-1: of any length); the error is of kind ErrFile and shows no byte.
func unhex(s string, n int, what string) ([]byte, error) {
	b, err := hex.DecodeString(s)
	if err != nil || s != strings.ToLower(s) || n >= 0 && len(b) != n {
		return nil, refuse(ErrFile, "the %s is not lower-case hex of the right length", what)
	}
	return b, nil
}

// clip shortens foreign text for an error message.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// systemRandom is where salts, nonces and keys come from unless a test says otherwise.
func systemRandom(r io.Reader) io.Reader {
	if r == nil {
		return rand.Reader
	}
	return r
}
