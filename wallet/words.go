package wallet

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/cosmos/go-bip39"

	"waybill/crypto"
)

// CoinType is the BIP-44 coin type of Waybill keys: the letters "WAY" as a number, not registered in SLIP-44. It only has to
// differ from the coins that people keep under the same words, so that a leaked Waybill key is never a key to their money.
const CoinType = 0x574159

// AccountPath is the derivation path of account number i: m/44'/5718361'/i'/0/0. Accounts are hardened (BIP-44), so
// one leaked key endangers no other account.
func AccountPath(i uint32) string { return fmt.Sprintf("m/44'/%d'/%d'/0/0", CoinType, i) }

// maxAccount is the largest account number: hardened indexes have 31 bits.
const maxAccount = 1<<31 - 1

// Words is a BIP-39 sentence in the English list: everything that is needed to make a key again. It is opaque: no print verb
// or logger shows it; only [Words.Reveal] does. The zero value holds none.
type Words struct {
	// A function, because fmt prints the unexported fields of a foreign struct without asking their methods, follows
	// pointers in there for some verbs, and of a function shows only the address. Nil: no words.
	secret func() []byte
}

func hide(entropy []byte) Words { return Words{func() []byte { return entropy }} }

// entropy returns the bytes that the sentence spells; nil for the zero value.
func (w Words) entropy() []byte {
	if w.secret == nil {
		return nil
	}
	return w.secret()
}

// NewWords draws a sentence of 24 words (256 bits) from r; nil means the system's randomness.
func NewWords(r io.Reader) (Words, error) {
	if r == nil {
		r = rand.Reader
	}
	entropy := make([]byte, 32)
	if _, err := io.ReadFull(r, entropy); err != nil {
		return Words{}, fmt.Errorf("reading randomness for recovery words: %w", err)
	}
	return hide(entropy), nil
}

// ParseWords reads a sentence as a person types it: case and spacing do not matter. The error is of kind ErrWords and names
// positions, never words.
func ParseWords(sentence []byte) (Words, error) {
	fields := strings.Fields(strings.ToLower(string(sentence)))
	if n := len(fields); n < 12 || n > 24 || n%3 != 0 {
		return Words{}, refuse(ErrWords, "a recovery sentence has 12, 15, 18, 21 or 24 words, got %d", len(fields))
	}
	for i, w := range fields {
		if _, ok := bip39.ReverseWordMap[w]; !ok {
			return Words{}, refuse(ErrWords, "word %d of %d is not in the English BIP-39 list; check its spelling", i+1, len(fields))
		}
	}
	checked, err := bip39.MnemonicToByteArray(strings.Join(fields, " "))
	if err != nil {
		return Words{}, refuse(ErrWords, "every word is in the list but the checksum does not fit: a word is wrong or two changed places")
	}
	defer clear(checked)
	// The library returns entropy and checksum as one number, one checksum bit per 32 bits of entropy, in one byte more.
	entropy := make([]byte, len(fields)*4/3)
	bits := len(entropy) / 4
	for i := range entropy {
		entropy[i] = byte((uint16(checked[i])<<8 | uint16(checked[i+1])) >> bits)
	}
	return hide(entropy), nil
}

func wordsFromEntropy(entropy []byte) (Words, error) {
	if n := len(entropy); n < 16 || n > 32 || n%4 != 0 {
		return Words{}, refuse(ErrWords, "recovery words hold 16 to 32 bytes in steps of four, got %d", n)
	}
	return hide(append([]byte(nil), entropy...)), nil
}

// IsZero reports whether there are no words.
func (w Words) IsZero() bool { return len(w.entropy()) == 0 }

// Reveal returns the sentence, lower case, single spaces. Show it to the owner on paper or terminal, nowhere else.
func (w Words) Reveal() (string, error) {
	s, err := bip39.NewMnemonic(w.entropy())
	if err != nil {
		return "", refuse(ErrWords, "there are no recovery words in this wallet")
	}
	return s, nil
}

// Key derives the key of account i at [AccountPath], without a BIP-39 passphrase.
func (w Words) Key(i uint32) (crypto.PrivateKey, error) {
	if i > maxAccount {
		return crypto.PrivateKey{}, refuse(ErrWords, "account %d is above the largest, %d", i, maxAccount)
	}
	const hard = hdkeychain.HardenedKeyStart
	return w.derive(hard+44, hard+CoinType, hard+i, 0, 0)
}

// derive walks a BIP-32 path from the master key of the words.
func (w Words) derive(path ...uint32) (crypto.PrivateKey, error) {
	sentence, err := w.Reveal()
	if err != nil {
		return crypto.PrivateKey{}, err
	}
	seed := bip39.NewSeed(sentence, "")
	defer clear(seed)
	// The network parameters only choose the letters of an exported extended key, which we never make.
	key, err := hdkeychain.NewMaster(seed, &chaincfg.MainNetParams)
	if err != nil {
		return crypto.PrivateKey{}, refuse(ErrWords, "these words give no usable master key (one in 2^127 does not); draw new ones")
	}
	for _, step := range path {
		child, err := key.Derive(step)
		key.Zero()
		if err != nil {
			return crypto.PrivateKey{}, refuse(ErrWords, "these words give no usable key at this account (one in 2^127 does not); use another account number")
		}
		key = child
	}
	defer key.Zero()
	secret, err := key.ECPrivKey()
	if err != nil {
		return crypto.PrivateKey{}, refuse(ErrWords, "the derived key is not private")
	}
	b := secret.Serialize()
	defer clear(b)
	return crypto.PrivateKeyFromBytes(b)
}

const hiddenWords = "Words(hidden)"

// String hides the sentence.
func (w Words) String() string { return hiddenWords }

// GoString hides the sentence from %#v.
func (w Words) GoString() string { return hiddenWords }

// Format hides the sentence from every print verb.
func (w Words) Format(f fmt.State, _ rune) { io.WriteString(f, hiddenWords) }

// LogValue hides the sentence from slog.
func (w Words) LogValue() slog.Value { return slog.StringValue(hiddenWords) }

// MarshalText refuses, so that no encoder writes the sentence by accident.
func (w Words) MarshalText() ([]byte, error) {
	return nil, refuse(ErrWords, "recovery words have no encoded form; Reveal shows them to their owner")
}
