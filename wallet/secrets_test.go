package wallet

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// spellings are the ways in which a secret could be written by mistake.
func spellings(secret []byte) []string {
	list := fmt.Sprint(secret)
	var limbs []uint32 // of a scalar as the curve library keeps it, least significant first
	for i := len(secret); i >= 4; i -= 4 {
		limbs = append(limbs, binary.BigEndian.Uint32(secret[i-4:]))
	}
	return []string{
		fmt.Sprint(limbs),
		string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)),
		base64.StdEncoding.EncodeToString(secret)[:20], base64.RawURLEncoding.EncodeToString(secret)[:20],
		list[1 : len(list)-1], strings.ReplaceAll(list[1:len(list)-1], " ", ","),
		strings.Trim(fmt.Sprintf("%#v", secret), "[]byte{}"),
	}
}

// TestNoSecretIsPrinted gives every type that holds a secret, bare and inside other values, to everything that prints.
func TestNoSecretIsPrinted(t *testing.T) {
	f := newFolder(t)
	passphrase := "a passphrase that nobody guesses"
	w, err := f.Create("farm", []byte(passphrase), light("secret"))
	if err != nil {
		t.Fatal(err)
	}
	sentence, err := w.Words().Reveal()
	if err != nil {
		t.Fatal(err)
	}
	key := w.Key().Bytes()
	secrets := append(spellings(key[:]), spellings(w.Words().entropy())...)
	secrets = append(secrets, sentence, strings.Join(strings.Fields(sentence)[:3], " "), passphrase)

	builder := Builder{Author: w.Address(), At: here()}
	body, err := builder.Transfer(keyOf(t, "to").Address(), 1)
	if err != nil {
		t.Fatal(err)
	}
	draft, err := NewDraft(body)
	if err != nil {
		t.Fatal(err)
	}
	if err := draft.Sign(w.Key()); err != nil {
		t.Fatal(err)
	}
	file, err := f.read("farm")
	if err != nil {
		t.Fatal(err)
	}
	type inner struct {
		Words  Words
		words  Words
		Wallet *Wallet
		wallet Wallet
		signer Signer
	}
	_, wrong := f.Unlock("farm", []byte(passphrase+"!"))
	values := map[string]any{
		"words": w.Words(), "*words": new(w.Words()), "wallet": w, "wallet by value": *w, "info": w.Info(), "key": w.Key(),
		"signer": NewSigner(w), "signer by value": *NewSigner(w), "draft": draft, "builder": builder, "folder": f, "file": file,
		"struct": inner{w.Words(), w.Words(), w, *w, *NewSigner(w)}, "list": []any{w, w.Words(), w.Key()}, "map": map[string]any{"w": w, "x": w.Words()},
		"wrong passphrase": wrong,
	}
	for name, v := range values {
		for how, text := range printed(v) {
			for _, s := range secrets {
				if strings.Contains(text, s) {
					t.Errorf("%s through %s shows a secret: %s", name, how, text)
					break
				}
			}
		}
	}
	stored, err := os.ReadFile(filepath.Join(f.dir, "farm.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets {
		if strings.Contains(string(stored), s) {
			t.Error("the wallet file shows a secret")
		}
	}
}

// printed renders a value with everything that renders values.
func printed(v any) map[string]string {
	out := map[string]string{"errorf": fmt.Errorf("value %v", v).Error()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "% x", "%b", "%o"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, func(v any) ([]byte, error) { return json.MarshalIndent(v, "", " ") }} {
		data, err := marshal(v)
		out["json"] += string(data) + fmt.Sprint(err)
	}
	var text, object bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&text, nil), slog.NewJSONHandler(&object, nil)} {
		log := slog.New(h)
		log.InfoContext(context.Background(), "value", "v", v, slog.Group("g", "v", v))
		log.Info(fmt.Sprint(v))
	}
	out["slog text"], out["slog JSON"] = text.String(), object.String()
	return out
}

// TestLeaksAreFound proves the test above: a careless type is caught.
func TestLeaksAreFound(t *testing.T) {
	key := keyOf(t, "careless").Bytes()
	type careless struct{ secret []byte }
	for name, v := range map[string]any{"bytes": key[:], "unexported field": careless{key[:]}, "array": key} {
		found := false
		for _, text := range printed(v) {
			for _, s := range spellings(key[:]) {
				found = found || strings.Contains(text, s)
			}
		}
		if !found {
			t.Errorf("%s: a printed secret was not noticed", name)
		}
	}
}

func TestSecretsHaveNoEncodedForm(t *testing.T) {
	w := unlocked(t, "farm")
	words, err := ParseWords([]byte(aboutWords))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{"wallet": w, "words": words, "key": w.Key()} {
		if data, err := json.Marshal(v); err == nil {
			t.Errorf("%s encodes as %s", name, data)
		}
	}
	if got, want := fmt.Sprintf("%v %s", w, NewSigner(w)), "Wallet(farm "+w.Address().String()+") Signer("+w.Address().String()+")"; got != want {
		t.Errorf("shown as %s, want %s", got, want)
	}
}
