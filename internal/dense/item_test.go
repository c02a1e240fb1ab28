package dense

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// TestItems: what is canonical comes back equal, and what is changed is written with the lengths that it has then.
func TestItems(t *testing.T) {
	for _, text := range []string{"00", "17", "1818", "18ff", "190100", "1a00010000", "1b0000000100000000", "20", "3903e7", "40", "43010203", "60", "63616263",
		"5818" + hex.EncodeToString(bytes.Repeat([]byte{7}, 24)), "80", "83010203", "a0", "a201026161f6", "8382008040f5"} {
		data, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		item, rest := TakeApart(append(bytes.Clone(data), 9))
		if !bytes.Equal(item.Bytes(), data) || !bytes.Equal(rest, []byte{9}) {
			t.Errorf("%s came back as %x and %x", text, item.Bytes(), rest)
		}
	}
	list, _ := TakeApart([]byte{0x83, 1, 0x42, 7, 7, 0xa1, 1, 2})
	list.Kids[2].Kids[1].Raw = []byte{0xf6}
	list.Kids[1].Text = []byte{8}
	list.Kids = list.Kids[1:]
	if got := list.Bytes(); !bytes.Equal(got, []byte{0x82, 0x41, 8, 0xa1, 1, 0xf6}) {
		t.Errorf("%x", got)
	}
}
