package gs1

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The generator and its checks are written without the package's code, from the General Specifications, so that they can disagree
// with it.

const alphabet82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"

func digitString(t *rapid.T, n int, label string) string {
	return rapid.StringOfN(rapid.RuneFrom([]rune("0123456789")), n, n, n).Draw(t, label)
}

func text(t *rapid.T, alphabet string, maxLen int, label string) string {
	return rapid.StringOfN(rapid.RuneFrom([]rune(alphabet)), 1, maxLen, maxLen).Draw(t, label)
}

// withCheck appends the check digit by trying all ten.
func withCheck(body string) string {
	for _, c := range "0123456789" {
		if naiveValid(body + string(c)) {
			return body + string(c)
		}
	}
	panic("no check digit for " + body)
}

func naiveValid(full string) bool {
	sum := 0
	for i, c := range full {
		if (len(full)-i)%2 == 0 {
			sum += 3 * int(c-'0')
		} else {
			sum += int(c - '0')
		}
	}
	return sum%10 == 0
}

// escape percent-encodes all but the characters of keep.
func escape(s, keep string) string {
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(keep, s[i]) >= 0 {
			b.WriteByte(s[i])
			continue
		}
		b.WriteString("%" + strings.ToUpper(string("0123456789abcdef"[s[i]>>4])+string("0123456789abcdef"[s[i]&15])))
	}
	return b.String()
}

const alnum = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func forLink(s string) string { return escape(s, alnum+"-._") }
func forURN(s string) string  { return escape(s, alnum+"!'()*+,-.:;=_") }

// sample is one generated identifier.
type sample struct {
	key            Key
	gcp            string
	urn            string
	path, elements string
	checked        [2]int // the part of path that the check digit protects
}

type sampleParts struct {
	key           Key
	name, gcp     string // URN scheme with its kind; prefix
	ref, tail     string // as in the URN, unescaped; tail "" for none
	ai, body      string // primary AI and its value without serial part
	glued, qualAI string // serial part of the primary value; or AI of the tail
}

func (p sampleParts) build() sample {
	s := sample{key: p.key, gcp: p.gcp}
	s.urn = "urn:epc:" + p.name + ":" + p.gcp + "." + forURN(p.ref)
	if strings.Contains(p.name, "itip") {
		s.urn = "urn:epc:" + p.name + ":" + p.gcp + "." + p.ref[:len(p.ref)-4] + "." + p.ref[len(p.ref)-4:len(p.ref)-2] + "." + p.ref[len(p.ref)-2:]
	}
	s.path = p.ai + "/" + forLink(p.body) + forLink(p.glued)
	s.elements = "(" + p.ai + ")" + strings.ReplaceAll(p.body+p.glued, "(", `\(`)
	if p.qualAI != "" {
		s.path += "/" + p.qualAI + "/" + forLink(p.tail)
		s.elements += "(" + p.qualAI + ")" + strings.ReplaceAll(p.tail, "(", `\(`)
	}
	switch {
	case p.tail != "":
		s.urn += "." + forURN(p.tail)
	case p.name == "id:sgln":
		s.urn += ".0"
	case strings.HasPrefix(p.name, "idpat"):
		s.urn += ".*"
	}
	s.checked = [2]int{len(p.ai) + 1, len(p.ai) + 1 + len(p.body)}
	return s
}

func drawSample(t *rapid.T) sample {
	key := rapid.SampledFrom([]Key{KeyGTIN, KeyLGTIN, KeySGTIN, KeyUPUI, KeyITIP, KeySSCC, KeySGLN, KeyPGLN, KeyGRAI, KeyGIAI, KeyGSRN,
		KeyGSRNP, KeyGDTI, KeyGCN, KeyCPI, KeyGINC, KeyGSIN}).Draw(t, "key")
	n := rapid.IntRange(4, 12).Draw(t, "prefix length")
	p := sampleParts{key: key, gcp: digitString(t, n, "prefix")}
	serialised := rapid.Bool().Draw(t, "serialised")
	kind := "id:"
	if !serialised {
		kind = "idpat:"
	}
	gtin := func() {
		p.ref = digitString(t, 13-n, "reference")
		p.ai, p.body = "01", withCheck(p.ref[:1]+p.gcp+p.ref[1:])
	}
	gln := func(ai, zero string) {
		p.ref = digitString(t, 12-n, "reference")
		p.ai, p.body = ai, zero+withCheck(p.gcp+p.ref)
	}
	free := func(ai, alphabet string) {
		p.ref = text(t, alphabet, 30-n, "reference")
		p.ai, p.body = ai, p.gcp+p.ref
	}
	switch key {
	case KeyGTIN:
		gtin()
		p.name = "idpat:sgtin"
	case KeyLGTIN:
		gtin()
		p.name, p.qualAI, p.tail = "class:lgtin", "10", text(t, alphabet82, 20, "lot")
	case KeySGTIN:
		gtin()
		p.name, p.qualAI, p.tail = "id:sgtin", "21", text(t, alphabet82, 20, "serial")
	case KeyUPUI:
		gtin()
		p.name, p.qualAI, p.tail = "id:upui", "235", text(t, alphabet82, 28, "serial")
	case KeyITIP:
		gtin()
		pieces := rapid.SampledFrom([]string{"0101", "0102", "0202", "0799", "9999"}).Draw(t, "pieces")
		p.name, p.ai, p.body, p.ref = kind+"itip", "8006", p.body+pieces, p.ref+pieces
		if serialised {
			p.qualAI, p.tail = "21", text(t, alphabet82, 20, "serial")
		}
	case KeySSCC:
		p.ref = digitString(t, 17-n, "reference")
		p.name, p.ai, p.body = "id:sscc", "00", withCheck(p.ref[:1]+p.gcp+p.ref[1:])
	case KeySGLN:
		gln("414", "")
		p.name = "id:sgln"
		if serialised {
			p.qualAI, p.tail = "254", "x"+text(t, alphabet82, 19, "extension")
		}
	case KeyPGLN:
		gln("417", "")
		p.name = "id:pgln"
	case KeyGRAI:
		gln("8003", "0")
		p.name = kind + "grai"
		if serialised {
			p.tail = text(t, alphabet82, 16, "serial")
		}
		p.glued = p.tail
	case KeyGDTI:
		gln("253", "")
		p.name = kind + "gdti"
		if serialised {
			p.tail = text(t, alphabet82, 17, "serial")
		}
		p.glued = p.tail
	case KeyGCN:
		gln("255", "")
		p.name = kind + "sgcn"
		if serialised {
			p.tail = text(t, "0123456789", 12, "serial")
		}
		p.glued = p.tail
	case KeyGSRN, KeyGSRNP:
		p.ref = digitString(t, 17-n, "reference")
		p.name, p.ai, p.body = "id:gsrn", "8018", withCheck(p.gcp+p.ref)
		if key == KeyGSRNP {
			p.name, p.ai = "id:gsrnp", "8017"
		}
	case KeyGSIN:
		p.ref = digitString(t, 16-n, "reference")
		p.name, p.ai, p.body = "id:gsin", "402", withCheck(p.gcp+p.ref)
	case KeyGIAI:
		free("8004", alphabet82)
		p.name = "id:giai"
	case KeyGINC:
		free("401", alphabet82)
		p.name = "id:ginc"
	case KeyCPI:
		free("8010", "#-/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
		p.name = kind + "cpi"
		if serialised {
			p.qualAI, p.tail = "8011", "1"+text(t, "0123456789", 11, "serial")
		}
	}
	return p.build()
}

// TestEverySpellingRoundTrips: from each spelling to each other one, for all keys that have all three.
func TestEverySpellingRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSample(t)
		host := rapid.SampledFrom([]string{"https://id.gs1.org/", "http://brand.example/a/", "https://x.example:8443/01/"}).Draw(t, "host")
		for _, in := range []string{s.urn, canonicalStem + s.path, s.elements, host + s.path + "?linkType=all"} {
			id, err := Parse(in)
			if err != nil {
				t.Fatal(err)
			}
			if id.Key() != s.key || id.Canonical() != canonicalStem+s.path || id.DigitalLink() != canonicalStem+s.path {
				t.Fatalf("%s: %v %s, want %v %s", in, id.Key(), id, s.key, s.path)
			}
			if urn, err := id.URN(len(s.gcp)); err != nil || urn != s.urn {
				t.Fatalf("%s: URN %s, want %s (%v)", in, urn, s.urn, err)
			}
			if e, err := id.ElementString(); err != nil || e != s.elements {
				t.Fatalf("%s: elements %s, want %s (%v)", in, e, s.elements, err)
			}
			if !id.HasPrefix(s.gcp) {
				t.Fatalf("%s: not under %s", in, s.gcp)
			}
			if gcp, known := id.CompanyPrefix(); known != (in == s.urn) || known && gcp != s.gcp {
				t.Fatalf("%s: company prefix %s %v, want %s", in, gcp, known, s.gcp)
			}
			if id.IsClass() == id.IsInstance() {
				t.Fatalf("%s: neither or both of class and instance", in)
			}
		}
	})
}

// TestOneWrongDigitIsFound: the weights 3 and 1 have no common divisor with ten, so one wrong digit never goes unnoticed.
func TestOneWrongDigitIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSample(t)
		if s.key == KeyGIAI || s.key == KeyGINC || s.key == KeyCPI {
			t.Skip("no check digit")
		}
		from, to := s.checked[0], s.checked[1]
		if s.key == KeyITIP {
			to -= 4
		}
		if s.key == KeyGRAI {
			from++
		}
		at := rapid.IntRange(from, to-1).Draw(t, "position")
		wrong := s.path[at]
		for wrong == s.path[at] {
			wrong = '0' + byte(rapid.IntRange(0, 9).Draw(t, "digit"))
		}
		mutated := s.path[:at] + string(wrong) + s.path[at+1:]
		if id, err := Parse(canonicalStem + mutated); !errors.Is(err, ErrCheckDigit) {
			t.Fatalf("%s for %s: %v %v", mutated, s.path, id, err)
		}
	})
}

// TestPlainAndBracketedAgree: without brackets, FNC1 after fields of variable length.
func TestPlainAndBracketedAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gtin := withCheck(digitString(t, 13, "gtin"))
		lot, serial := text(t, alphabet82, 20, "lot"), text(t, alphabet82, 20, "serial")
		plain := rapid.SampledFrom([]string{"", "\x1d", "]C1", "]d2"}).Draw(t, "start") + "01" + gtin + "17251231" + "10" + lot + "\x1d" + "21" + serial
		id, err := Parse(plain)
		if err != nil {
			t.Fatal(err)
		}
		if want := canonicalStem + "01/" + gtin + "/21/" + forLink(serial); id.Canonical() != want || id.Lot() != lot || id.Serial() != serial {
			t.Fatalf("%q: %s, lot %q, want %s", plain, id, id.Lot(), want)
		}
	})
}
