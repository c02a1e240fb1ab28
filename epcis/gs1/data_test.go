package gs1

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dataFolder finds the folder of public test documents; it skips the test where there is none.
func dataFolder(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("WAYBILL_DATA")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			if filepath.Dir(root) == root {
				t.Fatal("no go.mod above the test")
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(root, "..", "shared", "data")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no public test documents: ", dir)
	}
	return dir
}

// identifierFields are the EPCIS fields that hold identifiers.
var identifierFields = map[string]bool{
	"epcList": true, "childEPCs": true, "inputEPCList": true, "outputEPCList": true, "parentID": true, "epcClass": true,
	"source": true, "destination": true, "bizTransaction": true,
}

// collect calls found for every identifier in a JSON value, those of read points and business locations included.
func collect(v any, key string, found func(string)) {
	switch v := v.(type) {
	case string:
		if identifierFields[key] {
			found(v)
		}
	case []any:
		for _, element := range v {
			collect(element, key, found)
		}
	case map[string]any:
		for k, member := range v {
			if id, ok := member.(string); ok && k == "id" && (key == "readPoint" || key == "bizLocation") {
				found(id)
				continue
			}
			collect(member, k, found)
		}
	}
}

// TestPublicDocuments reads every identifier of the public documents. What is refused there is really broken, and no more than it
// was when the documents were looked through by hand: SSCCs with 15 or 22 digits, LGTINs with words for digits, one GRAI without
// filler digit, one with a wrong check digit, and in the generated bulk file SSCCs with random check digits.
func TestPublicDocuments(t *testing.T) {
	dir := dataFolder(t)
	written := readIdentifiers(t, dir, "capture/*.json", "gdst/*.json*", "eu/*.jsonld", "hash/*.json*", "query/*.json", "fsma204/*.jsonld")
	keys, refused := parseAll(t, written)
	if len(written) < 340 || len(keys) < 15 {
		t.Errorf("only %d identifiers of %d kinds: %v", len(written), len(keys), keys)
	}
	want := map[ErrorKind]int{ErrLength: 4, ErrCharset: 4, ErrCheckDigit: 1, ErrValue: 1}
	for kind, n := range refused {
		if n > want[kind] {
			t.Errorf("%d identifiers refused for %s, not %d", n, kind, want[kind])
		}
	}
	for _, key := range []Key{KeySGTIN, KeyLGTIN, KeyGTIN, KeySSCC, KeySGLN, KeyPGLN, KeyGRAI, KeyGIAI, KeyGSRN, KeyGSRNP, KeyGDTI, KeyGCN,
		KeyCPI, KeyITIP, KeyUPUI, KeyGINC, KeyGSIN, KeyOpaque} {
		if keys[key] == 0 {
			t.Errorf("no %v among the documents", key)
		}
	}

	bulk := readIdentifiers(t, dir, "bulk/Generated_Events.json")
	keys, refused = parseAll(t, bulk)
	if keys[KeySGTIN] < 300 || len(refused) != 1 || refused[ErrCheckDigit] == 0 {
		t.Errorf("bulk: read %v, refused %v", keys, refused)
	}
	for s := range bulk {
		digits, isSSCC := strings.CutPrefix(s, "https://id.gs1.org/00/")
		if _, err := Parse(s); isSSCC && (err == nil) != naiveValid(digits) {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// readIdentifiers returns the different identifiers in some documents, each with a file it is in.
func readIdentifiers(t *testing.T, dir string, globs ...string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	for _, glob := range globs {
		files, err := filepath.Glob(filepath.Join(dir, glob))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var doc any
			if err := json.Unmarshal(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")), &doc); err != nil {
				t.Logf("%s is not JSON: %v", filepath.Base(file), err)
				continue
			}
			collect(doc, "", func(s string) { seen[s] = filepath.Base(file) })
		}
	}
	return seen
}

// parseAll parses identifiers, checks what must hold for each that is accepted, and counts.
func parseAll(t *testing.T, written map[string]string) (keys map[Key]int, refused map[ErrorKind]int) {
	t.Helper()
	keys, refused = map[Key]int{}, map[ErrorKind]int{}
	for s, file := range written {
		id, err := Parse(s)
		var e *ParseError
		if errors.As(err, &e) {
			refused[e.Kind]++
			if kept, _ := ParseLenient(s); s != "" && kept.Canonical() != s {
				t.Errorf("%s: %q is not kept as it is", file, s)
			}
			continue
		}
		keys[id.Key()]++
		checkParsed(t, s, id)
		// Spelled back as they came, URNs must be what they were (with escapes in capitals, which all of them have).
		if urn, err := id.URN(0); strings.HasPrefix(s, urnStem) && (err != nil || urn != s) && !strings.HasPrefix(s, "urn:epc:idpat:upui") {
			t.Errorf("%s: %s comes back as %s (%v)", file, s, urn, err)
		}
	}
	return keys, refused
}
