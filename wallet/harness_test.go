package wallet

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waybill/api"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
)

var rewriteGolden = flag.Bool("rewrite-golden", false, "write the golden files anew instead of comparing with them")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewriteGolden {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; got:\n%s", name, got)
	}
}

// keyOf makes the key of a name, always the same.
func keyOf(t testing.TB, name string) crypto.PrivateKey {
	t.Helper()
	seed := sha256.Sum256([]byte("wallet test key " + name))
	k, err := crypto.PrivateKeyFromBytes(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// stream is reproducible randomness.
type stream struct {
	seed string
	n    uint64
	rest []byte
}

func (s *stream) Read(p []byte) (int, error) {
	for i := range p {
		if len(s.rest) == 0 {
			sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(s.seed), s.n))
			s.rest, s.n = sum[:], s.n+1
		}
		p[i], s.rest = s.rest[0], s.rest[1:]
	}
	return len(p), nil
}

// broken is a source of randomness that has none.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

var testTime = time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)

// light are the options of all test wallets: reproducible and quick to open.
func light(seed string) Options {
	return Options{Strength: Light, Random: &stream{seed: seed}, Now: testTime}
}

func newFolder(t testing.TB) *Folder {
	t.Helper()
	f, err := OpenFolder(filepath.Join(t.TempDir(), "wallets"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// unlocked is a wallet that holds the key of a name.
func unlocked(t testing.TB, name string) *Wallet {
	t.Helper()
	w, err := newFolder(t).ImportKey(name, keyOf(t, name), []byte("passphrase"), light(name))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// here is a place on a chain for tests that need no ledger.
func here() api.ChainPoint {
	return api.ChainPoint{Genesis: crypto.Sum(crypto.TagGenesis, []byte("test")), Height: 41, Params: ledger.DefaultParams()}
}

// events makes n observations; pad(i) is the length of a text in event i.
func events(t testing.TB, n int, pad func(i int) int) []*epcis.Event {
	t.Helper()
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{"type":"ObjectEvent","eventID":"urn:uuid:00000000-0000-4000-8000-%012d","eventTime":"2026-05-01T07:%02d:%02d.000Z",`+
			`"eventTimeZoneOffset":"+00:00","epcList":["https://example.com/goods/%d"],"action":"OBSERVE","test:note":"%s"}`,
			i, i/60%60, i%60, i, strings.Repeat("x", pad(i)))
	}
	doc, err := epcis.ParseDocument([]byte(`{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",{"test":"https://example.com/test/"}],` +
		`"type":"EPCISDocument","schemaVersion":"2.0","creationDate":"2026-05-01T08:00:00Z","epcisBody":{"eventList":[` + strings.Join(list, ",") + `]}}`))
	if err != nil {
		t.Fatal(err)
	}
	return doc.Events
}

func plain(int) int { return 0 }

// wantKind demands an *Error of a kind.
func wantKind(t testing.TB, what string, err error, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: error %v, want of kind %q", what, err, kind)
	}
}
