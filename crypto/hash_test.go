package crypto

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func hexBytes(s string) ([]byte, error) { return hex.DecodeString(s) }

func TestSumIsSHA256OfTagAndParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 400), 0, 5).Draw(t, "parts")
		want := sha256.Sum256(append([]byte("waybill/vote/1"), bytes.Join(parts, nil)...))
		if got := Sum(TagVote, parts...); got != want {
			t.Fatalf("got %s, want %x", got, want)
		}
	})
}

func TestSumVectors(t *testing.T) {
	type vector struct {
		Tag  string
		Data string
		Hash Hash
	}
	var vectors []vector
	for _, tag := range []Tag{TagGenesis, TagTransaction, TagHeader, TagVote, TagStateKey, TagAddress} {
		for _, data := range []string{"", "00", "776179", strings.Repeat("ab", 600)} {
			vectors = append(vectors, vector{string(tag), data, Sum(tag, mustHex(t, data))})
		}
	}
	golden(t, "sum", vectors)
}

func TestHashText(t *testing.T) {
	h := Sum(TagVote)
	text, err := json.Marshal(map[Hash]Hash{h: h})
	if err != nil {
		t.Fatal(err)
	}
	var back map[Hash]Hash
	if err := json.Unmarshal(text, &back); err != nil || back[h] != h {
		t.Fatalf("round trip gave %v, %v", back, err)
	}
	if got, err := ParseHash(h.String()); err != nil || got != h {
		t.Fatalf("ParseHash gave %s, %v", got, err)
	}
	good := h.String()
	for name, bad := range map[string]string{
		"empty": "", "short": good[1:], "long": good + "0", "upper": strings.ToUpper(good),
		"not hex": "g" + good[1:], "prefix": "0x" + good[2:], "space": " " + good[1:],
	} {
		if _, err := ParseHash(bad); !errors.Is(err, ErrText) {
			t.Errorf("%s: %q gave %v, want ErrText", name, bad, err)
		}
	}
	if h.IsZero() || !(Hash{}).IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestErrorsCarryKindAndSentence(t *testing.T) {
	_, err := ParseHash("ab")
	var e *Error
	if !errors.As(err, &e) || e.Kind != ErrText || !strings.Contains(err.Error(), "64 hex digits, got 2") {
		t.Errorf("got %v", err)
	}
	if errors.Is(err, ErrKey) {
		t.Error("an error of kind ErrText is also ErrKey")
	}
}
