package crypto

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

// The files under testdata are frozen: they change only with a new version of a hashed or signed form.
var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// golden compares vectors with testdata/name.json.
func golden(t *testing.T, name string, vectors any) {
	t.Helper()
	got, err := json.MarshalIndent(vectors, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what this build makes; a hashed or signed form has changed\ngot:\n%s", path, got)
	}
}

// testKey is a key that everybody can know: the tagged hash of a name.
func testKey(name string) PrivateKey {
	seed := Sum(TagAddress, []byte("test key "), []byte(name))
	k, err := PrivateKeyFromBytes(seed[:])
	if err != nil {
		panic(err)
	}
	return k
}

func mustHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hexBytes(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
