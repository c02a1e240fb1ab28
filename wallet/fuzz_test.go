package wallet

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// seedFiles adds the golden files of a name pattern.
func seedFiles(f *testing.F, pattern string) {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(paths) == 0 {
		f.Fatalf("no seeds %s: %v", pattern, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
		f.Add(bytes.ReplaceAll(data, []byte("1"), []byte("9")))
	}
	f.Add([]byte("{}"))
	f.Add([]byte("null"))
}

// FuzzKeystore: what is read is inside the bounds, whatever the file, so that opening it cannot eat the machine.
func FuzzKeystore(f *testing.F) {
	seedFiles(f, "keystore-*.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := parseKeystore(data)
		if err != nil {
			return
		}
		k := file.KDF
		if k.N < lightN || k.N > maxN || k.R != scryptR || k.P != scryptP || k.N < standardN && !k.Light {
			t.Errorf("key derivation out of bounds: %+v", k)
		}
		if checkName(file.Name) != nil || file.PublicKey.Address() != file.Address {
			t.Errorf("header %+v", file.header)
		}
		if _, err := file.associated(); err != nil {
			t.Error(err)
		}
	})
}

// FuzzDraft: what is read is written back the same, and every signature in it is valid.
func FuzzDraft(f *testing.F) {
	seedFiles(f, "draft-*.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		var list each[draftSignature]
		if err := list.UnmarshalJSON(data); err == nil && len(list) > len(data)/leastPart {
			t.Errorf("%d bytes are a list of %d", len(data), len(list))
		}
		d, err := ParseDraft(data)
		if err != nil {
			return
		}
		again, err := d.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseDraft(again)
		if err != nil {
			t.Fatalf("the draft does not read back: %v", err)
		}
		if third, err := back.Encode(); err != nil || !bytes.Equal(again, third) {
			t.Errorf("written differently the second time (%v)", err)
		}
		if err := d.checkSignatures(); err != nil {
			t.Error(err)
		}
		if txs, err := d.Transactions(); (err == nil) != (len(d.Missing()) == 0) || err == nil && len(txs) != len(d.View()) {
			t.Errorf("%d transactions, missing %v, %v", len(txs), d.Missing(), err)
		}
	})
}

// FuzzWords: a sentence that is read is written back as read.
func FuzzWords(f *testing.F) {
	for _, s := range sentences {
		f.Add([]byte(s.sentence))
	}
	f.Add([]byte(" ABANDON "))
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := ParseWords(data)
		if err != nil {
			return
		}
		s, err := w.Reveal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseWords([]byte(s))
		if err != nil || !bytes.Equal(back.entropy(), w.entropy()) {
			t.Errorf("read back differently (%v)", err)
		}
	})
}
