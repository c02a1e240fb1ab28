package gs1

import (
	"errors"
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, x := range spellings {
		f.Add(x.urn)
		f.Add(canonicalStem + x.path)
		f.Add(x.elements)
	}
	for _, s := range []string{
		"https://example.com/gtin/9506000134352/lot/A%2fb/ser/1?17=251231#x", "]C1010950600013435210AB\x1d21XY", "urn:epc:po:1", "urn:epc:id:", "urn:epc:idpat:sgtin:*.*.*",
		"https://id.gs1.org/01/%", "(01)\\", "(", "https://", "http:///", "https://id.gs1.", "https://id.gs1.org//////", "]", "00", "urn:epc:İd:sgtin:1", "URN:EPC:ID:BIC:CSQU3054383",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := Parse(s)
		kept, keptErr := ParseLenient(s)
		if (err == nil) != (keptErr == nil) || err == nil && kept != id || err != nil && !kept.IsZero() && kept.Key() != KeyOpaque {
			t.Fatalf("%q is %v, leniently %v (%v, %v)", s, id, kept, err, keptErr)
		}
		if pattern, err := ParsePattern(s); err == nil && !id.IsZero() && !pattern.Match(id) {
			t.Fatalf("%q does not match itself", s)
		}
		if err != nil {
			var e *ParseError
			if !errors.As(err, &e) || id != (ID{}) || e.Offset > len(s) || e.Error() == "" {
				t.Fatalf("%q: %v beside %v", s, err, id)
			}
			return
		}
		checkParsed(t, s, id)
	})
}

// checkParsed states what holds for every identifier that Parse accepts.
func checkParsed(t *testing.T, s string, id ID) {
	again, err := Parse(id.Canonical())
	if err != nil || again.Canonical() != id.Canonical() || again.Key() != id.Key() {
		t.Fatalf("%q: canonical %q parses to %v %q (%v)", s, id, again.Key(), again, err)
	}
	if id.Key() == KeyOpaque {
		return
	}
	if !strings.HasPrefix(id.Canonical(), canonicalStem) || len(id.PrefixDigits()) < MinGCP || id.IsClass() == id.IsInstance() {
		t.Fatalf("%q: %v %s with prefix digits %q", s, id.Key(), id, id.PrefixDigits())
	}
	elements, err := id.ElementString()
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	for _, spelled := range []string{elements, id.DigitalLink()} {
		if again, err := Parse(spelled); err != nil || !again.Equal(id) || again.Lot() != id.Lot() {
			t.Fatalf("%q: %q parses to %v (%v)", s, spelled, again, err)
		}
	}
	if class := id.Class(); !class.IsZero() {
		if again, err := Parse(class.Canonical()); err != nil || !again.Equal(class) || !class.IsClass() {
			t.Fatalf("%q: class %v parses to %v (%v)", s, class, again, err)
		}
	}
	for n := MinGCP; n <= MaxGCP; n++ {
		urn, err := id.URN(n)
		if err != nil {
			continue
		}
		again, err := Parse(urn)
		if err != nil || !again.Equal(id) {
			t.Fatalf("%q: URN %q parses to %v (%v)", s, urn, again, err)
		}
		if gcp, ok := again.CompanyPrefix(); !ok || len(gcp) != n || !id.HasPrefix(gcp) {
			t.Fatalf("%q: URN %q has prefix %q", s, urn, gcp)
		}
	}
}
