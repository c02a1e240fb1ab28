package epcis

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// base is an event with everything that has more than one spelling.
const base = `{
	"@context": {"x": "https://x.example/"},
	"type": "ObjectEvent", "eventTime": "2026-01-01T12:00:00.100+01:00", "eventTimeZoneOffset": "+00:00", "eventID": "urn:uuid:1",
	"action": "ADD", "bizStep": "shipping", "disposition": "in_transit",
	"epcList": ["urn:epc:id:sscc:9521321.1000000017", "urn:epc:id:sgtin:9521321.012345.1"],
	"quantityList": [{"epcClass": "urn:epc:class:lgtin:9521321.012345.L1", "quantity": 2.50, "uom": "KGM"}, {"epcClass": "urn:epc:idpat:sgtin:9521321.012345.*", "quantity": 3}],
	"readPoint": {"id": "urn:epc:id:sgln:9521321.00001.0"},
	"bizTransactionList": [{"type": "po", "bizTransaction": "urn:x:1"}, {"type": "inv", "bizTransaction": "urn:x:2"}],
	"destinationList": [{"type": "owning_party", "destination": "urn:epc:id:pgln:9521321.00000"}],
	"sensorElementList": [{"sensorReport": [{"type": "Temperature", "value": 1.0, "hexBinaryValue": "AB", "time": "2026-01-01T12:00:00Z"}, {"type": "Mass", "value": 20}]}],
	"ilmd": {"cbvmda:lotNumber": "L1", "x:n": 1.50},
	"x:list": [1, 2], "x:text": "a"
}`

func TestHashIgnoresSpelling(t *testing.T) {
	want := mustEvent(t, base).Hash()
	for _, c := range [][2]string{
		{`"2026-01-01T12:00:00.100+01:00"`, `"2026-01-01T11:00:00.1Z"`},
		{`"2026-01-01T12:00:00.100+01:00"`, `"2026-01-01T06:00:00.100000-05:00"`},
		{`"+00:00"`, `"-00:00"`},
		{`"shipping"`, `"cbv:BizStep-shipping"`},
		{`"shipping"`, `"https://ref.gs1.org/cbv/BizStep-shipping"`},
		{`"shipping"`, `"urn:epcglobal:cbv:bizstep:shipping"`},
		{`"in_transit"`, `"urn:epcglobal:cbv:disp:in_transit"`},
		{`"urn:epc:id:sscc:9521321.1000000017", "urn:epc:id:sgtin:9521321.012345.1"`, `"https://id.gs1.org/01/09521321123458/21/1", "https://example.com/00/195213210000000176"`},
		{`{"epcClass": "urn:epc:class:lgtin:9521321.012345.L1", "quantity": 2.50, "uom": "KGM"}, {"epcClass": "urn:epc:idpat:sgtin:9521321.012345.*", "quantity": 3}`,
			`{"quantity": 3.0, "epcClass": "https://id.gs1.org/01/09521321123458"}, {"epcClass": "https://id.gs1.org/01/09521321123458/10/L1", "quantity": 25e-1, "uom": "KGM"}`},
		{`"urn:epc:id:sgln:9521321.00001.0"`, `"https://id.gs1.org/414/9521321000018"`},
		{`{"type": "po", "bizTransaction": "urn:x:1"}, {"type": "inv", "bizTransaction": "urn:x:2"}`, `{"type": "urn:epcglobal:cbv:btt:inv", "bizTransaction": "urn:x:2"}, {"bizTransaction": "urn:x:1", "type": "cbv:BTT-po"}`},
		{`{"type": "Temperature", "value": 1.0, "hexBinaryValue": "AB", "time": "2026-01-01T12:00:00Z"}, {"type": "Mass", "value": 20}`,
			`{"value": "20", "type": "https://gs1.org/voc/Mass"}, {"time": "2026-01-01T13:00:00.000+01:00", "hexBinaryValue": "ab", "type": "gs1:Temperature", "value": 1}`},
		{`"x:n": 1.50`, `"x:n": 15e-1`},
		{`{"cbvmda:lotNumber": "L1", "x:n": 1.50}`, `{"https://x.example/n": 1.5, "urn:epcglobal:cbv:mda:lotNumber": "L1"}`},
		{`"@context": {"x": "https://x.example/"}`, `"@context": [{"x": "https://x.example/"}, "https://elsewhere.example/"]`},
		{`"action": "ADD"`, `"action": "ADD", "recordTime": "2026-02-01T00:00:00Z"`},
		{`"action": "ADD"`, `"action": "ADD", "sourceList": []`},
	} {
		text := strings.Replace(base, c[0], c[1], 1)
		if text == base {
			t.Fatalf("no change: %s", c[0])
		}
		if got := mustEvent(t, text).Hash(); got != want {
			t.Errorf("%s\n  as %s\n  is another event", c[0], c[1])
		}
	}
	renamed := strings.ReplaceAll(strings.Replace(base, `{"x": `, `{"y": `, 1), `"x:`, `"y:`)
	if mustEvent(t, renamed).Hash() != want {
		t.Error("another prefix for the same namespace is another event")
	}
}

func TestHashSeesContent(t *testing.T) {
	seen := map[string]string{mustEvent(t, base).Hash().String(): "base"}
	for _, c := range [][2]string{
		{`"2026-01-01T12:00:00.100+01:00"`, `"2026-01-01T12:00:00.101+01:00"`},
		{`"+00:00"`, `"+01:00"`},
		{`"urn:uuid:1"`, `"urn:uuid:2"`},
		{`"eventID": "urn:uuid:1",`, ``},
		{`"shipping"`, `"receiving"`},
		{`"shipping"`, `"https://x.example/shipping"`},
		{`, "urn:epc:id:sgtin:9521321.012345.1"`, ``},
		{`"quantity": 2.50`, `"quantity": 2.51`},
		{`"KGM"`, `"GRM"`},
		{`"po"`, `"poc"`},
		{`"destinationList": [{"type": "owning_party", "destination": "urn:epc:id:pgln:9521321.00000"}]`, `"sourceList": [{"type": "owning_party", "source": "urn:epc:id:pgln:9521321.00000"}]`},
		{`"value": 1.0`, `"value": 1.1`},
		{`"uom": "KGM"`, `"uom": "KGM", "x:q": 1`},
		{`"bizTransaction": "urn:x:1"`, `"bizTransaction": "urn:x:1", "x:q": 1`},
		{`"urn:epc:id:pgln:9521321.00000"`, `"urn:epc:id:pgln:9521321.00000", "x:q": 1`},
		{`"urn:epc:id:sgln:9521321.00001.0"`, `"urn:epc:id:sgln:9521321.00001.0", "x:q": 1`},
		{`"value": 1.0`, `"value": 1.0, "x:q": 1`},
		{`[{"sensorReport"`, `[{"x:q": 1, "sensorReport"`},
		{`[{"sensorReport"`, `[{"sensorMetadata": {"x:q": 1}, "sensorReport"`},
		{`"action": "ADD"`, `"action": "ADD", "persistentDisposition": {"set": ["active"], "x:q": 1}`},
		{`"action": "ADD"`, `"action": "ADD", "errorDeclaration": {"declarationTime": "2026-01-02T00:00:00Z", "x:q": 1}`},
		{`"AB"`, `"AC"`},
		{`"cbvmda:lotNumber": "L1"`, `"cbvmda:lotNumber": "L2"`},
		{`"x:list": [1, 2]`, `"x:list": [2, 1]`},
		{`"x:list": [1, 2]`, `"x:list": [[1, 2]]`},
		{`"x:list": [1, 2]`, `"x:list": ["1", 2]`},
		{`"x:text": "a"`, `"x:text": ""`},
		{`"x:text": "a"`, `"x:text": null`},
		{`"https://x.example/"`, `"https://y.example/"`},
		{`"action": "ADD"`, `"action": "ADD", "certificationInfo": "urn:c:1"`},
		{`"action": "ADD"`, `"action": "ADD", "persistentDisposition": {"set": ["active"]}`},
		{`"action": "ADD"`, `"action": "ADD", "persistentDisposition": {"unset": ["active"]}`},
		{`"action": "ADD"`, `"action": "ADD", "errorDeclaration": {"declarationTime": "2026-01-02T00:00:00Z"}`},
	} {
		text := strings.Replace(base, c[0], c[1], 1)
		if text == base {
			t.Fatalf("no change: %s", c[0])
		}
		h := mustEvent(t, text).Hash().String()
		if other, twice := seen[h]; twice {
			t.Errorf("%s and %s have one hash", c[1], other)
		}
		seen[h] = c[1]
	}
}

// TestCanonicalNumber compares with exact arithmetic: two literals have one form exactly when they have one value.
func TestCanonicalNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		literal := rapid.StringMatching(`-?(0|[1-9][0-9]{0,6})(\.[0-9]{1,6})?([eE][+-]?[0-9]{1,2})?`)
		a, b := literal.Draw(t, "a"), literal.Draw(t, "b")
		same := ratOf(t, a).Cmp(ratOf(t, b)) == 0
		if (canonicalNumber(a) == canonicalNumber(b)) != same {
			t.Fatalf("%s is %s, %s is %s", a, canonicalNumber(a), b, canonicalNumber(b))
		}
	})
}
