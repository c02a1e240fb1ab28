package gs1

import (
	"errors"
	"strings"
	"testing"
)

// spelling is one identifier in all its forms. Most are the examples of TDS 2.x section 6.3 and 7 and of the General
// Specifications.
type spelling struct {
	key      Key
	urn      string // "" where there is none
	path     string // of the canonical Digital Link
	elements string
	gcp      int
	class    string // path of the class, "" for none
	serial   string
	lot      string
}

var spellings = []spelling{
	{KeySGTIN, "urn:epc:id:sgtin:0614141.712345.32a%2Fb", "01/70614141123451/21/32a%2Fb", "(01)70614141123451(21)32a/b", 7, "01/70614141123451", "32a/b", ""},
	{KeySGTIN, "urn:epc:id:sgtin:0614141.812345.6789%2F%26%25%22!%3F()", "01/80614141123458/21/6789%2F%26%25%22%21%3F%28%29", `(01)80614141123458(21)6789/&%"!?\()`, 7, "01/80614141123458", `6789/&%"!?()`, ""},
	{KeySGTIN, "urn:epc:id:sgtin:950600013435.0.1", "01/09506000134352/21/1", "(01)09506000134352(21)1", 12, "01/09506000134352", "1", ""},
	{KeySGTIN, "urn:epc:id:sgtin:0614141.107346.*", "01/10614141073464/21/%2A", "(01)10614141073464(21)*", 7, "01/10614141073464", "*", ""},
	{KeyGTIN, "urn:epc:idpat:sgtin:0614141.107346.*", "01/10614141073464", "(01)10614141073464", 7, "01/10614141073464", "", ""},
	{KeyGTIN, "", "01/10614141073464/22/2A", "(01)10614141073464(22)2A", 7, "01/10614141073464", "", ""},
	{KeyLGTIN, "urn:epc:class:lgtin:4012345.012345.998877", "01/04012345123456/10/998877", "(01)04012345123456(10)998877", 7, "01/04012345123456", "", "998877"},
	{KeyUPUI, "urn:epc:id:upui:1234567.098765.51qIgY)%3C%26Jp3*j7'SDB", "01/01234567987651/235/51qIgY%29%3C%26Jp3%2Aj7%27SDB", "(01)01234567987651(235)51qIgY)<&Jp3*j7'SDB", 7, "01/01234567987651", "51qIgY)<&Jp3*j7'SDB", ""},
	{KeyITIP, "urn:epc:id:itip:4012345.012345.01.02.987", "8006/040123451234560102/21/987", "(8006)040123451234560102(21)987", 7, "8006/040123451234560102", "987", ""},
	{KeyITIP, "urn:epc:idpat:itip:4012345.012345.02.02.*", "8006/040123451234560202", "(8006)040123451234560202", 7, "8006/040123451234560202", "", ""},
	{KeyITIP, "", "8006/040123451234560102/10/L1", "(8006)040123451234560102(10)L1", 7, "8006/040123451234560102", "", "L1"},
	{KeySSCC, "urn:epc:id:sscc:0614141.1234567890", "00/106141412345678908", "(00)106141412345678908", 7, "", "", ""},
	{KeySSCC, "urn:epc:id:sscc:761042500.32123456", "00/376104250021234569", "(00)376104250021234569", 9, "", "", ""},
	{KeySGLN, "urn:epc:id:sgln:0614141.12345.400", "414/0614141123452/254/400", "(414)0614141123452(254)400", 7, "", "400", ""},
	{KeySGLN, "urn:epc:id:sgln:0614141.12345.0", "414/0614141123452", "(414)0614141123452", 7, "", "", ""},
	{KeySGLN, "urn:epc:id:sgln:999999999999..0", "414/9999999999994", "(414)9999999999994", 12, "", "", ""},
	{KeySGLN, "", "414/0614141123452/7040/1ABC", "(414)0614141123452(7040)1ABC", 7, "", "", ""},
	{KeyPGLN, "urn:epc:id:pgln:1234567.89012", "417/1234567890128", "(417)1234567890128", 7, "", "", ""},
	{KeyPGLN, "urn:epc:id:pgln:999999999999.", "417/9999999999994", "(417)9999999999994", 12, "", "", ""},
	{KeyPayTo, "", "415/0614141123452/8020/INV-1%2F2", "(415)0614141123452(8020)INV-1/2", 7, "", "", ""},
	{KeyGRAI, "urn:epc:id:grai:0614141.12345.400", "8003/00614141123452400", "(8003)00614141123452400", 7, "8003/00614141123452", "400", ""},
	{KeyGRAI, "urn:epc:idpat:grai:0614141.12345.*", "8003/00614141123452", "(8003)00614141123452", 7, "8003/00614141123452", "", ""},
	{KeyGIAI, "urn:epc:id:giai:0614141.12345400", "8004/061414112345400", "(8004)061414112345400", 7, "", "", ""},
	{KeyGIAI, "urn:epc:id:giai:0614141.32a%2Fb.7", "8004/061414132a%2Fb.7", "(8004)061414132a/b.7", 7, "", "", ""},
	{KeyGSRN, "urn:epc:id:gsrn:0614141.1234567890", "8018/061414112345678902", "(8018)061414112345678902", 7, "", "", ""},
	{KeyGSRN, "", "8018/061414112345678902/8019/42", "(8018)061414112345678902(8019)42", 7, "", "", ""},
	{KeyGSRNP, "urn:epc:id:gsrnp:0614141.1234567890", "8017/061414112345678902", "(8017)061414112345678902", 7, "", "", ""},
	{KeyGDTI, "urn:epc:id:gdti:0614141.12345.400", "253/0614141123452400", "(253)0614141123452400", 7, "253/0614141123452", "400", ""},
	{KeyGDTI, "urn:epc:idpat:gdti:0614141.12345.*", "253/0614141123452", "(253)0614141123452", 7, "253/0614141123452", "", ""},
	{KeyGCN, "urn:epc:id:sgcn:4012345.67890.04711", "255/401234567890104711", "(255)401234567890104711", 7, "255/4012345678901", "04711", ""},
	{KeyGCN, "urn:epc:idpat:sgcn:4012345.67890.*", "255/4012345678901", "(255)4012345678901", 7, "255/4012345678901", "", ""},
	{KeyCPI, "urn:epc:id:cpi:0614141.123ABC.123456789", "8010/0614141123ABC/8011/123456789", "(8010)0614141123ABC(8011)123456789", 7, "8010/0614141123ABC", "123456789", ""},
	{KeyCPI, "urn:epc:id:cpi:0614141.5PQ7%2FZ43.12345", "8010/06141415PQ7%2FZ43/8011/12345", "(8010)06141415PQ7/Z43(8011)12345", 7, "8010/06141415PQ7%2FZ43", "12345", ""},
	{KeyCPI, "urn:epc:idpat:cpi:0614141.A%23B-C.*", "8010/0614141A%23B-C", "(8010)0614141A#B-C", 7, "8010/0614141A%23B-C", "", ""},
	{KeyGMN, "", "8013/1987654Ad4X4bL5ttr2310c2K", "(8013)1987654Ad4X4bL5ttr2310c2K", 7, "8013/1987654Ad4X4bL5ttr2310c2K", "", ""},
	{KeyGINC, "urn:epc:id:ginc:0614141.xyz47%2F11", "401/0614141xyz47%2F11", "(401)0614141xyz47/11", 7, "", "", ""},
	{KeyGSIN, "urn:epc:id:gsin:0614141.123456789", "402/06141411234567890", "(402)06141411234567890", 7, "", "", ""},
}

func mustParse(t *testing.T, s string) ID {
	t.Helper()
	id, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestSpellings(t *testing.T) {
	covered := map[Key]bool{KeyOpaque: true}
	for _, x := range spellings {
		covered[x.key] = true
		canonical := canonicalStem + x.path
		for _, s := range []string{x.urn, canonical, x.elements, "http://example.com:8080/a/b/" + x.path + "/?17=251231&x=y#f"} {
			if s == "" {
				continue
			}
			id := mustParse(t, s)
			if id.Canonical() != canonical || id.String() != canonical {
				t.Errorf("%s: canonical %s, want %s", s, id, canonical)
			}
			if id.Key() != x.key || id.Serial() != x.serial || id.Lot() != x.lot {
				t.Errorf("%s: key %v serial %q lot %q", s, id.Key(), id.Serial(), id.Lot())
			}
			if got := id.DigitalLink(); got != canonical {
				t.Errorf("%s: Digital Link %s", s, got)
			}
			if got, err := id.ElementString(); err != nil || got != x.elements {
				t.Errorf("%s: element string %s, want %s (%v)", s, got, x.elements, err)
			}
			checkURN(t, id, x)
			checkClass(t, id, x)
		}
	}
	for k := KeyGTIN; k < keyCount; k++ {
		if !covered[k] {
			t.Errorf("no example for %v", k)
		}
	}
}

func checkURN(t *testing.T, id ID, x spelling) {
	t.Helper()
	got, err := id.URN(x.gcp)
	switch {
	case x.urn == "" && !errors.Is(err, ErrNoForm):
		t.Errorf("%s: URN %q, error %v, want ErrNoForm", id, got, err)
	case x.urn != "" && got != x.urn:
		t.Errorf("%s: URN %s, want %s (%v)", id, got, x.urn, err)
	}
	gcp, known := id.CompanyPrefix()
	if want := id.PrefixDigits()[:x.gcp]; known && gcp != want {
		t.Errorf("%s: company prefix %q, want %q", id, gcp, want)
	}
	if got, err := id.URN(0); known && (err != nil || got != x.urn) {
		t.Errorf("%s: URN(0) is %q, %v", id, got, err)
	} else if !known && x.urn != "" && !errors.Is(err, ErrGCP) {
		t.Errorf("%s: URN(0) without a known prefix gives %q, %v", id, got, err)
	}
}

func checkClass(t *testing.T, id ID, x spelling) {
	t.Helper()
	class := id.Class()
	want := ""
	if x.class != "" {
		want = canonicalStem + x.class
	}
	if class.Canonical() != want {
		t.Errorf("%s: class %s, want %s", id, class, want)
	}
	if want != "" {
		if again := mustParse(t, want); !again.Equal(class) || !class.IsClass() {
			t.Errorf("%s: class %s is not what its spelling parses to", id, class)
		}
	}
	isClass := x.serial == "" && x.class != ""
	if id.IsClass() != isClass || id.IsInstance() == isClass {
		t.Errorf("%s: IsClass %v, IsInstance %v", id, id.IsClass(), id.IsInstance())
	}
}

func TestURNKnowsPrefixAndLinkDoesNot(t *testing.T) {
	urn := mustParse(t, "urn:epc:id:sgtin:0614141.107346.2017")
	link := mustParse(t, "https://id.gs1.org/01/10614141073464/21/2017")
	if gcp, ok := urn.CompanyPrefix(); !ok || gcp != "0614141" {
		t.Error(gcp, ok)
	}
	if gcp, ok := link.CompanyPrefix(); ok || gcp != "" {
		t.Error(gcp, ok)
	}
	if urn == link || !urn.Equal(link) || urn.Equal(urn.Class()) {
		t.Error("the two differ in what they know, not in what they name")
	}
	if gcp, ok := urn.Class().CompanyPrefix(); !ok || gcp != "0614141" {
		t.Error("the class forgot the prefix: ", gcp, ok)
	}
}

func TestPrefixPosition(t *testing.T) {
	for _, x := range []struct{ in, digits, has, hasNot string }{
		{"https://id.gs1.org/01/10614141073464/21/2017", "061414107346", "0614141", "1061414"},
		{"https://id.gs1.org/00/106141412345678908", "0614141234567890", "0614141", "1061414"},
		{"https://id.gs1.org/8003/00614141123452400", "061414112345", "0614141", "0061414"},
		{"https://id.gs1.org/8006/040123451234560102", "401234512345", "4012345", "0401234"},
		{"https://id.gs1.org/414/0614141123452/254/400", "061414112345", "061414112345", "0614142"},
		{"https://id.gs1.org/253/0614141123452400", "061414112345", "0614", "614141"},
		{"https://id.gs1.org/8018/061414112345678902", "06141411234567890", "0614141", "614141"},
		{"https://id.gs1.org/8004/4000001ABC9", "4000001", "4000001", "40000019"},
		{"https://id.gs1.org/8010/0614141%2F7", "0614141", "0614141", "06141417"},
		{"https://id.gs1.org/402/06141411234567890", "0614141123456789", "061414", "14"},
		{"https://id.gs1.org/01/96385074", "000009638507", "00000963", "9638"},
		{"urn:example:0614141", "", "0614141", "0614141"},
	} {
		id := mustParse(t, x.in)
		if id.PrefixDigits() != x.digits {
			t.Errorf("%s: prefix digits %s, want %s", x.in, id.PrefixDigits(), x.digits)
		}
		if x.digits != "" && !id.HasPrefix(x.has) || id.HasPrefix(x.hasNot) {
			t.Errorf("%s: HasPrefix(%s) %v, HasPrefix(%s) %v", x.in, x.has, id.HasPrefix(x.has), x.hasNot, id.HasPrefix(x.hasNot))
		}
	}
	if mustParse(t, "(01)10614141073464").HasPrefix("061") {
		t.Error("three digits are no company prefix")
	}
}

// TestOneThingOneKey lists further spellings of one thing.
func TestOneThingOneKey(t *testing.T) {
	const item = "https://id.gs1.org/01/09506000134352/21/A%2FB"
	for canonical, others := range map[string][]string{
		item: {
			"https://id.gs1.org/01/9506000134352/21/A%2fB",
			"https://ID.GS1.org/01/09506000134352/21/%41%2FB/",
			"HTTPS://user@brand.example/shop/01/01/09506000134352/21/A%2FB?linkType=all",
			"https://brand.example/gtin/09506000134352/ser/A%2FB",
			"https://brand.example/01/09506000134352/21/A%2FB?10=LOT&17=251231",
			"https://brand.example/01/09506000134352/10/LOT/21/A%2FB",
			"https://brand.example/01/09506000134352/22/V/10/LOT/21/A%2FB",
			"https://brand.example/8004/40123456/01/09506000134352/21/A%2FB",
			"https://brand.example/01/%30%39506000134352/21/A%2FB",
			"(21)A/B(01)09506000134352",
			"(01)09506000134352(17)251231(10)LOT(21)A/B",
			"(01)09506000134352(3103)001750(21)A/B",
			"010950600013435221A/B",
			"]C1010950600013435221A/B\x1d10LOT",
			"]d210LOT\x1d010950600013435221A/B",
			"\x1d010950600013435217251231" + "21A/B",
			"urn:epc:id:sgtin:9506000.013435.A%2fB",
			"URN:EPC:id:SGTIN:9506000.013435.%41%2FB",
			"urn:epc:id:sgtin:950600013.0435.A%2FB",
		},
		"https://id.gs1.org/414/0614141123452": {
			"https://id.gs1.org/414/0614141123452/254/0", "(414)0614141123452(254)0", "https://x.example/gln/0614141123452",
			"https://x.example/gln/0614141123452/glnx/0",
		},
		"https://id.gs1.org/01/00000096385074": {"https://id.gs1.org/01/96385074", "(01)00000096385074"},
		"https://id.gs1.org/01/00614141999996": {"https://id.gs1.org/01/614141999996", "urn:epc:idpat:sgtin:0614141.099999.*", "urn:epc:idpat:upui:0614141.099999.*"},
		"https://id.gs1.org/01/09506000134352/10/L": {
			"https://id.gs1.org/01/09506000134352/22/V/10/L", "https://id.gs1.org/gtin/09506000134352/lot/L", "urn:epc:class:lgtin:9506000.013435.L",
		},
		"https://id.gs1.org/00/106141412345678908": {"(00)106141412345678908(10)ABC", "https://x.example/sscc/106141412345678908"},
		"urn:epc:id:bic:CSQU3054383":               {"URN:EPC:Id:BIC:CSQU3054383"},
	} {
		for _, s := range others {
			if got := mustParse(t, s).Canonical(); got != canonical {
				t.Errorf("%q: canonical %s, want %s", s, got, canonical)
			}
		}
	}
}

func TestLotBesideSerialIsInformation(t *testing.T) {
	id := mustParse(t, "https://example.com/01/09506000134352/22/V1/10/A%28B/21/7")
	if id.Canonical() != "https://id.gs1.org/01/09506000134352/21/7" || id.Lot() != "A(B" || id.Qualifier("22") != "V1" {
		t.Errorf("canonical %s, lot %q, variant %q", id, id.Lot(), id.Qualifier("22"))
	}
	if got := id.DigitalLink(); got != "https://id.gs1.org/01/09506000134352/22/V1/10/A%28B/21/7" {
		t.Error(got)
	}
	elements, err := id.ElementString()
	if err != nil || elements != `(01)09506000134352(22)V1(10)A\(B(21)7` {
		t.Error(elements, err)
	}
	if again := mustParse(t, elements); again != id {
		t.Errorf("%v is not %v", again, id)
	}
}

func TestOpaque(t *testing.T) {
	for _, s := range []string{
		"urn:gdst:example.org:product:lot:class:processor.2u.v1-0122-2022",
		"urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
		"urn:epc:po:123",
		"urn:epcglobal:cbv:bt:4012345000009:ORDER123",
		"urn:epc:id:gid:95100000.12345.400",
		"urn:epc:id:usdod:CJ1234.1234567890",
		"urn:epc:id:adi:35962..%23A3B",
		"urn:epc:id:imovn:9176187",
		"urn:epc:id:bic:CSQU3054383",
		"urn:epc:idpat:gid:95100000.*.*",
		"https://example.com/",
		"https://example.com",
		"https://example.com/loc/dock?x=1",
		"https://example.com/01/about",
		"https://example.com/2024/01/15",
		"https://example.com/blog/01/2024-summary",
		"https://example.com/gtin/12345",
		"https://example.com/party/40123",
		"https://example.com/01/09506000134352/reviews",
		"https://id.gs1.org/about",
		"https://id.gs1.org",
		"tel:+441234",
		"ex:ünïcode",
	} {
		id, err := Parse(s)
		if err != nil || id.Key() != KeyOpaque || id.Canonical() != s {
			t.Errorf("%s: %v %v %v", s, id.Key(), id, err)
			continue
		}
		if id.IsClass() || id.IsInstance() || !id.Class().IsZero() || id.PrefixDigits() != "" || id.Serial() != "" || id.Lot() != "" || id.DigitalLink() != "" || id.Value() != "" {
			t.Errorf("%s: an opaque URI says nothing about itself", s)
		}
		if _, ok := id.GTIN(); ok {
			t.Errorf("%s: has no GTIN", s)
		}
		if _, err := id.ElementString(); !errors.Is(err, ErrNoForm) {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, x := range []struct {
		in     string
		kind   ErrorKind
		offset int
		detail string
	}{
		{"", ErrLength, -1, "not empty"},
		{"sgtin", ErrSyntax, 0, "absolute URI"},
		{"urn:", ErrSyntax, 0, "absolute URI"},
		{":x", ErrSyntax, 0, "absolute URI"},
		{"1x:y", ErrUnknownKey, 0, "application identifier"},
		{"urn:example:a b", ErrCharset, 13, "percent-encoded"},
		{"urn:example:a\x00", ErrCharset, 13, "percent-encoded"},
		{"urn:example:\xff", ErrCharset, 12, "UTF-8"},
		{"urn:example:\u202e", ErrCharset, 12, "U+202E"},
		{"urn:x:" + strings.Repeat("a", MaxInput), ErrLength, -1, "2048"},
		{"https:///01/09506000134352", ErrSyntax, 8, "no host"},

		{"https://id.gs1.org/01/09506000134353", ErrCheckDigit, 35, "is 3, should be 2"},
		{"https://example.com/01/09506000134353", ErrCheckDigit, 36, "is 3, should be 2"},
		{"https://example.com/gtin/09506000134353", ErrCheckDigit, 38, "is 3, should be 2"},
		{"(01)09506000134353", ErrCheckDigit, 17, "is 3, should be 2"},
		{"0109506000134353", ErrCheckDigit, 15, "is 3, should be 2"},
		{"https://id.gs1.org/01/9506000134353", ErrCheckDigit, 34, "is 3, should be 2"},
		{"https://id.gs1.org/8013/1987654Ad4X4bL5ttr2310c2L", ErrCheckDigit, 47, "are 2L, should be 2K"},
		{"urn:epc:id:bic:CSQU3054384", ErrCheckDigit, 25, "is 4, should be 3"},

		{"https://id.gs1.org/01/095060001343", ErrCheckDigit, 33, "is 3, should be"},
		{"https://id.gs1.org/01/0950600", ErrLength, 22, "has 7 characters, should have 14"},
		{"https://id.gs1.org/01/", ErrLength, 22, "should have 14"},
		{"https://id.gs1.org/00/10614141234567890", ErrLength, 22, "has 17 characters, should have 18"},
		{"https://example.com/00/10614141234567890", ErrLength, 23, "has 17 characters, should have 18"},
		{"https://id.gs1.org/01/09506000134352/21/123456789012345678901", ErrLength, 40, "has 21 characters, should have 1 to 20"},
		{"https://id.gs1.org/01/09506000134352/21/A%zz", ErrSyntax, 41, "hexadecimal"},
		{"https://id.gs1.org/01/09506000134352/21/A%20B", ErrCharset, 41, "not in GS1 character set 82"},
		{"https://id.gs1.org/01/09506000134352/21/A~B", ErrCharset, 41, `'~' in the serial number (AI 21)`},
		{"https://id.gs1.org/01/09506000134352/21/1/10/2", ErrSyntax, 42, "before AI 21"},
		{"https://id.gs1.org/01/09506000134352/21/1/21/2", ErrSyntax, 42, "once"},
		{"https://id.gs1.org/01/09506000134352/10/1/235/2", ErrSyntax, 46, "not both"},
		{"https://id.gs1.org/01/09506000134352/17/251231", ErrSyntax, 37, "attributes belong in the query"},
		{"https://id.gs1.org/01/09506000134352/254/1", ErrSyntax, 37, "does not qualify a GTIN"},
		{"https://id.gs1.org/01/09506000134352/21//", ErrLength, 40, "is empty"},
		{"https://id.gs1.org/01/09506000134352?21=1", ErrSyntax, 37, "belongs in the path"},
		{"https://id.gs1.org/01/09506000134352?17=251231&21=1#x", ErrSyntax, 47, "belongs in the path"},
		{"https://id.gs1.org/01/09506000134352/reviews", ErrSyntax, 36, "pairs"},
		{"https://id.gs1.org/415/0614141123452", ErrSyntax, -1, "needs AI 8020"},
		{"https://id.gs1.org/8003/10614141123459400", ErrValue, 24, "filler 0"},
		{"https://id.gs1.org/8006/040123451234560302", ErrValue, 38, "piece 03 of 02"},
		{"https://id.gs1.org/8006/040123451234560002", ErrValue, 38, "piece 00 of 02"},
		{"https://id.gs1.org/8004/ABC4012345", ErrGCP, 24, "company prefix"},
		{"https://id.gs1.org/8010/4012345abc", ErrCharset, 31, "set 39"},
		{"https://id.gs1.org/8010/4012345ABC/8011/012", ErrValue, 40, "must not start with 0"},
		{"https://id.gs1.org/417/0614141123452/7040/A123", ErrCharset, 42, "starts with a digit"},
		{"https://id.gs1.org/255/40123456789011234567890123", ErrLength, 36, "0 to 12"},

		{"(01)09506000134352(21", ErrSyntax, 18, "closing bracket"},
		{"(01)09506000134352(21)A(B", ErrSyntax, 23, "closing bracket"},
		{"(01)09506000134352(04)1", ErrUnknownKey, 19, `"04" is not`},
		{"(01)09506000134352(21)1(21)2", ErrSyntax, 24, "given twice"},
		{"(01)09506000134352(00)106141412345678908", ErrSyntax, 19, "one key"},
		{"(01)9506000134352", ErrLength, 4, "has 13 characters, should have 14"},
		{"(01)09506000134352(17)25123", ErrLength, 22, "AI 17"},
		{"(01)09506000134352(3106)001750", ErrUnknownKey, 19, "3106"},
		{"(10)ABC", ErrUnknownKey, 0, "no identification key"},
		{"4012345000009", ErrSyntax, 0, "bare number"},
		{"8004123456789", ErrSyntax, 0, "bare number"},
		{"09506000134352", ErrSyntax, 0, "(01)"},
		{"010950600013435", ErrLength, 0, "has 13 characters, should have 14"},
		{"]X101", ErrSyntax, 0, "symbology"},
		{"]C1", ErrUnknownKey, 0, "no identification key"},

		{"urn:epc:id", ErrSyntax, 10, "scheme and a body"},
		{"urn:epc:id:sgtin", ErrSyntax, 16, "scheme and a body"},
		{"urn:epc:id:foo:1.2.3", ErrUnknownKey, 11, `"foo"`},
		{"urn:epc:tag:sgtin-96:3.0614141.812345.6789", ErrUnknownKey, 8, "pure identity"},
		{"urn:epc:id:sgtin:0614141.107346", ErrSyntax, 25, "PREFIX.REFERENCE.SERIAL"},
		{"urn:epc:id:sgtin:0614141.107346.", ErrLength, 32, "empty"},
		{"urn:epc:id:sgtin:0614141.10734.1", ErrLength, 25, "13 digits together, these have 12"},
		{"urn:epc:id:sgtin:0614141.10734X.1", ErrCharset, 30, "'X' in the reference"},
		{"urn:epc:id:sgtin:061414A.107346.1", ErrCharset, 23, "'A' in the GS1 company prefix"},
		{"urn:epc:id:sgtin:061.1073461111.1", ErrGCP, 17, "has 3 digits"},
		{"urn:epc:id:sgtin:0614141.107346.a/b", ErrSyntax, 33, "must be written %2F"},
		{"urn:epc:id:sgtin:0614141.107346.a%2", ErrSyntax, 33, "hexadecimal"},
		{"urn:epc:id:sgtin:0614141.107346.a#b", ErrCharset, 33, "'#'"},
		{"urn:epc:id:lgtin:0614141.107346.a", ErrSyntax, 8, "urn:epc:class:lgtin"},
		{"urn:epc:class:sgtin:0614141.107346.a", ErrSyntax, 8, "urn:epc:id:sgtin"},
		{"urn:epc:idpat:sgtin:0614141.*.*", ErrSyntax, 28, "pattern for queries"},
		{"urn:epc:idpat:sgtin:*.*.*", ErrSyntax, 20, "pattern for queries"},
		{"urn:epc:idpat:sgtin:0614141.107346.7", ErrSyntax, 35, "urn:epc:id:sgtin"},
		{"urn:epc:idpat:sscc:0614141.1234567890", ErrSyntax, 8, "has no class"},
		{"urn:epc:id:sscc:08600031303.12382183213", ErrLength, 28, "17 digits together, these have 22"},
		{"urn:epc:id:itip:4012345.012345.1.02.9", ErrSyntax, 31, "two digits"},
		{"urn:epc:id:itip:4012345.012345.03.02.9", ErrValue, 31, "piece 03 of 02"},
		{"urn:epc:id:giai:4012345.", ErrLength, 24, "0 characters"},
		{"urn:epc:id:cpi:4012345.abc.1", ErrCharset, 23, "set 39"},
		{"urn:epc:id:sgcn:4012345.67890.A1", ErrCharset, 30, "digits"},
		{"urn:epc:id:bic:CSQX3054383", ErrValue, 18, "U, J or Z"},
		{"urn:epc:id:bic:CSQU305438", ErrLength, 15, "11"},
	} {
		id, err := Parse(x.in)
		var e *ParseError
		if !errors.As(err, &e) || !errors.Is(err, x.kind) || e.Offset != x.offset || !strings.Contains(e.Detail, x.detail) {
			t.Errorf("%q: %v %v\n want %s at %d with %q", x.in, id, err, x.kind, x.offset, x.detail)
		}
		if err != nil && (id != ID{} || e.Input != x.in) {
			t.Errorf("%q: id %v, input %q beside an error", x.in, id, e.Input)
		}
	}
}

func TestErrorMessageIsBounded(t *testing.T) {
	_, err := Parse("urn:epc:id:sgtin:" + strings.Repeat("9", 1900))
	if err == nil || len(err.Error()) > 400 {
		t.Errorf("%d bytes: %v", len(err.Error()), err)
	}
}

func TestParseLenient(t *testing.T) {
	const broken = "urn:epc:id:sscc:08600031303.0005"
	id, err := ParseLenient(broken)
	if !errors.Is(err, ErrLength) || id.Key() != KeyOpaque || id.Canonical() != broken {
		t.Error(id.Key(), id, err)
	}
	if id, err := ParseLenient("https://id.gs1.org/01/09506000134353"); !errors.Is(err, ErrCheckDigit) || id.Key() != KeyOpaque {
		t.Error(id.Key(), id, err)
	}
	if id, err := ParseLenient("urn:epc:id:sgtin:0614141.107346.2017"); err != nil || id.Key() != KeySGTIN {
		t.Error(id.Key(), id, err)
	}
	for _, s := range []string{"", "(01)0950600013435", "no uri", "urn:epc:id:sgtin:0 0", "urn:x:" + strings.Repeat("a", MaxInput)} {
		if id, err := ParseLenient(s); err == nil || !id.IsZero() {
			t.Errorf("%q: %v %v", s, id, err)
		}
	}
}

func TestURNRefusesImpossiblePrefix(t *testing.T) {
	for _, x := range []struct {
		in  string
		gcp int
	}{
		{"(01)09506000134352(21)1", 0}, {"(01)09506000134352(21)1", 3}, {"(01)09506000134352(21)1", 13}, {"(01)09506000134352(21)1", -1},
		{"(8004)40123AB", 6}, {"(8004)4012345", 7}, {"(00)106141412345678908", 13},
	} {
		if got, err := mustParse(t, x.in).URN(x.gcp); !errors.Is(err, ErrGCP) || got != "" {
			t.Errorf("%s with %d digits: %q %v", x.in, x.gcp, got, err)
		}
	}
	if got, err := (ID{}).URN(7); !errors.Is(err, ErrNoForm) {
		t.Error(got, err)
	}
}

func TestZeroID(t *testing.T) {
	var id ID
	if !id.IsZero() || id.Canonical() != "" || id.IsClass() || id.IsInstance() || id.PrefixDigits() != "" || id.HasPrefix("0614141") ||
		id.Serial() != "" || id.Lot() != "" || id.Value() != "" || id.DigitalLink() != "" || id.Class() != (ID{}) || id.Key().String() != "none" {
		t.Error("the zero ID names nothing")
	}
	if Key(200).String() != "invalid" {
		t.Error(Key(200))
	}
}

func TestValueAndGTIN(t *testing.T) {
	for in, want := range map[string]string{
		"(01)09506000134352(21)1": "09506000134352", "(8006)040123451234560102": "04012345123456", "(01)01234567987651(235)a": "01234567987651",
	} {
		if got, ok := mustParse(t, in).GTIN(); !ok || got != want {
			t.Error(in, got, ok)
		}
	}
	if _, ok := mustParse(t, "(00)106141412345678908").GTIN(); ok {
		t.Error("an SSCC has no GTIN")
	}
	if got := mustParse(t, "(8004)4012/A").Value(); got != "4012/A" {
		t.Error(got)
	}
}

func TestCheckDigit(t *testing.T) {
	for full, kind := range map[string]string{
		"6291041500213": "GTIN-13", "376104250021234569": "SSCC", "96385074": "GTIN-8", "614141999996": "GTIN-12", "10614141073464": "GTIN-14", "00": "short",
	} {
		body, want := full[:len(full)-1], full[len(full)-1]
		if got, err := CheckDigit(body); err != nil || got != want {
			t.Errorf("%s %s: %c %v", kind, full, got, err)
		}
	}
	for in, kind := range map[string]ErrorKind{"": ErrLength, "12a": ErrCharset, "123456789012345678": ErrLength} {
		if _, err := CheckDigit(in); !errors.Is(err, kind) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestCheckPair(t *testing.T) {
	if got, err := CheckPair("1987654Ad4X4bL5ttr2310c"); err != nil || got != "2K" {
		t.Error(got, err)
	}
	for in, kind := range map[string]ErrorKind{"": ErrLength, "12 a": ErrCharset, strings.Repeat("1", 24): ErrLength} {
		if _, err := CheckPair(in); !errors.Is(err, kind) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestValidGCP(t *testing.T) {
	for in, want := range map[string]error{
		"0614": nil, "0614141": nil, "123456789012": nil, "061": ErrGCP, "1234567890123": ErrGCP, "06141a1": ErrGCP, "": ErrGCP,
	} {
		if err := ValidGCP(in); !errors.Is(err, want) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestPattern(t *testing.T) {
	for _, x := range []struct {
		pattern string
		yes, no string // separated by spaces
	}{
		{"urn:epc:id:sgtin:0614141.107346.2017", "https://id.gs1.org/01/10614141073464/21/2017", "(01)10614141073464(21)2018 (01)10614141073464"},
		{"urn:epc:idpat:sgtin:0614141.107346.*", "(01)10614141073464 (01)10614141073464(21)2018", "(01)10614141073464(10)A (01)00614141073467 urn:epc:id:gid:1.2.3"},
		{"urn:epc:idpat:sgtin:0614141.*.*", "(01)10614141073464(21)1 (01)00614141073467", "(01)09506000134352 (00)106141412345678908"},
		{"urn:epc:idpat:sgtin:*.*.*", "(01)10614141073464(21)1 (01)09506000134352", "(00)106141412345678908"},
		{"urn:epc:idpat:lgtin:0614141.107346.*", "(01)10614141073464(10)A", "(01)10614141073464(21)A (01)10614141073464"},
		{"urn:epc:idpat:sscc:0614141.*", "(00)106141412345678908", "(00)376104250021234569"},
		{"urn:epc:idpat:grai:0614141.12345.*", "(8003)00614141123452 (8003)00614141123452400", "(8003)04012345555554"},
		{"urn:epc:idpat:giai:0614141.*", "(8004)061414112345400", "(8004)4000001111"},
		{"urn:epc:idpat:itip:4012345.012345.01.*.*", "(8006)040123451234560102(21)9 (8006)040123451234560103", "(8006)040123451234560202"},
		{"urn:epc:idpat:cpi:0614141.A%23B.*", "(8010)0614141A#B(8011)1", "(8010)0614141A#BC(8011)1"},
		{"urn:gdst:example.org:x", "urn:gdst:example.org:x", "urn:gdst:example.org:y"},
	} {
		p, err := ParsePattern(x.pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range strings.Fields(x.yes) {
			if !p.Match(mustParse(t, s)) {
				t.Errorf("%s should match %s", x.pattern, s)
			}
		}
		for _, s := range strings.Fields(x.no) {
			if p.Match(mustParse(t, s)) {
				t.Errorf("%s should not match %s", x.pattern, s)
			}
		}
	}
	if (Pattern{}).Match(ID{}) {
		t.Error("the zero pattern matches nothing")
	}
	for _, s := range []string{
		"", "urn:epc:idpat:sgtin:", "urn:epc:idpat:foo:*.*.*", "urn:epc:idpat:sgtin:*.*", "urn:epc:idpat:sgtin:*.107346.*", "urn:epc:idpat:sgtin:0614141.107346.1",
		"urn:epc:idpat:sgtin:0614141.1.*", "urn:epc:idpat:sgtin:06X4141.*.*", "urn:epc:idpat:itip:4012345.012345.1.*.*", "urn:epc:idpat:cpi:4012345.a.*",
	} {
		if p, err := ParsePattern(s); err == nil {
			t.Errorf("%q: accepted as %+v", s, p)
		}
	}
}
