package wallet

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"waybill/crypto"
)

const aboutWords = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"

// Published facts of BIP-39 (the reference vectors): entropy and the sentence that spells it.
var sentences = []struct{ entropy, sentence string }{
	{"00000000000000000000000000000000", aboutWords},
	{"7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f", "legal winner thank year wave sausage worth useful legal winner thank yellow"},
	{"80808080808080808080808080808080", "letter advice cage absurd amount doctor acoustic avoid letter advice cage above"},
	{"ffffffffffffffffffffffffffffffff", "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong"},
	{"000000000000000000000000000000000000000000000000", strings.Repeat("abandon ", 17) + "agent"},
	{"808080808080808080808080808080808080808080808080", "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic avoid letter always"},
	{"0000000000000000000000000000000000000000000000000000000000000000", strings.Repeat("abandon ", 23) + "art"},
	{"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", strings.Repeat("zoo ", 23) + "vote"},
}

func TestSentences(t *testing.T) {
	for _, c := range sentences {
		w, err := ParseWords([]byte("  " + strings.ToUpper(strings.ReplaceAll(c.sentence, " ", " \t\n")) + "\n"))
		if err != nil {
			t.Errorf("%s: %v", c.sentence, err)
			continue
		}
		if got := hex.EncodeToString(w.entropy()); got != c.entropy {
			t.Errorf("%s: entropy %s, want %s", c.sentence, got, c.entropy)
		}
		if got, err := w.Reveal(); err != nil || got != c.sentence {
			t.Errorf("revealed %q (%v), want %q", got, err, c.sentence)
		}
	}
}

// TestPublishedKeys walks the paths of two well-known coins, whose first keys under these words are public knowledge.
func TestPublishedKeys(t *testing.T) {
	w, err := ParseWords([]byte(aboutWords))
	if err != nil {
		t.Fatal(err)
	}
	const h = 1 << 31
	bitcoin, err := w.derive(h+44, h, h, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := bitcoin.Public().String(), "03aaeb52dd7494c361049de67cc680e83ebcbbbdbeb13637d92cd845f70308af5e"; got != want {
		t.Errorf("m/44'/0'/0'/0/0 is %s, want %s", got, want)
	}
	ethereum, err := w.derive(h+44, h+60, h, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := ethereum.Bytes()
	if got, want := hex.EncodeToString(b[:]), "1ab42cc412b618bdea3a599e3c9bae199ebf030895b039e9db1e30dafb12b727"; got != want {
		t.Errorf("m/44'/60'/0'/0/0 is %s, want %s", got, want)
	}
}

// bip32 derives a key with nothing but HMAC and big numbers, to check the library's answer.
func bip32(t *testing.T, sentence string, path ...uint32) crypto.PrivateKey {
	t.Helper()
	order, _ := new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)
	seed, err := pbkdf2.Key(sha512.New, sentence, []byte("mnemonic"), 2048, 64)
	if err != nil {
		t.Fatal(err)
	}
	mac := func(key, data []byte) ([]byte, []byte) {
		m := hmac.New(sha512.New, key)
		m.Write(data)
		sum := m.Sum(nil)
		return sum[:32], sum[32:]
	}
	key, chain := mac([]byte("Bitcoin seed"), seed)
	private := func() crypto.PrivateKey {
		k, err := crypto.PrivateKeyFromBytes(key)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for _, step := range path {
		data := append([]byte{0}, key...)
		if step < 1<<31 {
			public := private().Public()
			data = public[:]
		}
		tweak, next := mac(chain, binary.BigEndian.AppendUint32(data, step))
		sum := new(big.Int).Add(new(big.Int).SetBytes(tweak), new(big.Int).SetBytes(key))
		key, chain = sum.Mod(sum, order).FillBytes(make([]byte, 32)), next
	}
	return private()
}

func TestAccountKeys(t *testing.T) {
	const h = 1 << 31
	for _, c := range []struct {
		account uint32
		path    string
		address string
	}{
		{0, "m/44'/5718361'/0'/0/0", "wb1wpthwa26764hyjjthp37ajsv5vpkphx9t9ee40"},
		{1, "m/44'/5718361'/1'/0/0", "wb1uk6heu09tu3wd5yw0ajznh3tqqz247hztke0gk"},
		{maxAccount, "m/44'/5718361'/2147483647'/0/0", "wb1suc9j3p92kwndts0rd3p8w3jll48mwgws4c2em"},
	} {
		w, err := ParseWords([]byte(aboutWords))
		if err != nil {
			t.Fatal(err)
		}
		key, err := w.Key(c.account)
		if err != nil {
			t.Fatal(err)
		}
		if got := AccountPath(c.account); got != c.path {
			t.Errorf("path of account %d is %s, want %s", c.account, got, c.path)
		}
		if want := bip32(t, aboutWords, h+44, h+5718361, h+c.account, 0, 0); key.Bytes() != want.Bytes() {
			t.Errorf("account %d: the key is not the one at its path", c.account)
		}
		if got := key.Address().String(); got != c.address {
			t.Errorf("account %d has address %s, want %s", c.account, got, c.address)
		}
	}
	w, _ := ParseWords([]byte(aboutWords))
	_, err := w.Key(maxAccount + 1)
	wantKind(t, "account above the largest", err, ErrWords)
}

func TestBadSentences(t *testing.T) {
	for name, sentence := range map[string]string{
		"empty":              "",
		"eleven words":       strings.TrimSuffix(aboutWords, " about"),
		"thirteen words":     aboutWords + " about",
		"twenty-seven words": strings.Repeat("abandon ", 27),
		"misspelt":           strings.Replace(aboutWords, "about", "abuot", 1),
		"checksum":           strings.Replace(aboutWords, "about", "abandon", 1),
		"changed places":     "winner legal thank year wave sausage worth useful legal winner thank yellow",
		"not English":        strings.Replace(aboutWords, "about", "ábaco", 1),
	} {
		_, err := ParseWords([]byte(sentence))
		wantKind(t, name, err, ErrWords)
		if err != nil && strings.Contains(err.Error(), "abandon") {
			t.Errorf("%s: the error shows a word: %v", name, err)
		}
	}
}

func TestNewWords(t *testing.T) {
	a, err := NewWords(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewWords(nil)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(a.entropy(), b.entropy()) {
		t.Error("two new sentences are the same")
	}
	s, err := a.Reveal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseWords([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(strings.Fields(s)); n != 24 || !bytes.Equal(back.entropy(), a.entropy()) {
		t.Errorf("%d words that do not read back", n)
	}
	if _, err := NewWords(broken{}); err == nil {
		t.Error("words without randomness")
	}
	var zero Words
	if !zero.IsZero() || a.IsZero() {
		t.Error("IsZero")
	}
	_, err = zero.Reveal()
	wantKind(t, "revealing no words", err, ErrWords)
	_, err = zero.Key(0)
	wantKind(t, "key of no words", err, ErrWords)
}
