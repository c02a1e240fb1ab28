package gs1

import "testing"

var hotPath = []struct{ name, in string }{
	{"SGTIN/URN", "urn:epc:id:sgtin:0614141.107346.2017"},
	{"LGTIN/URN", "urn:epc:class:lgtin:4012345.012345.998877"},
	{"SSCC/URN", "urn:epc:id:sscc:0614141.1234567890"},
	{"SGLN/URN", "urn:epc:id:sgln:0614141.07346.1234"},
	{"PGLN/URN", "urn:epc:id:pgln:0614141.00777"},
	{"GRAI/URN", "urn:epc:id:grai:4012345.55555.987"},
	{"SGTIN/link", "https://id.gs1.org/01/10614141073464/21/2017"},
	{"LGTIN/link", "https://id.gs1.org/01/04012345123456/10/998877"},
	{"SSCC/link", "https://id.gs1.org/00/106141412345678908"},
	{"SGLN/link", "https://id.gs1.org/414/0614141073467/254/1234"},
	{"SGTIN/foreign", "https://brand.example/shop/01/10614141073464/21/2017?17=251231"},
	{"SGTIN/elements", "(01)10614141073464(21)2017"},
	{"opaque", "urn:gdst:example.org:product:lot:class:processor.2u.v1-0122-2022"},
}

func BenchmarkParse(b *testing.B) {
	for _, x := range hotPath {
		b.Run(x.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(x.in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPrefixDigits(b *testing.B) {
	id, err := Parse(hotPath[0].in)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if id.PrefixDigits() == "" {
			b.Fatal("no digits")
		}
	}
}

// TestParseAllocations holds the ledger's hot path to what it was built for: one string, and none if the input is canonical.
func TestParseAllocations(t *testing.T) {
	for _, x := range hotPath {
		most := 1.0
		if id, err := Parse(x.in); err != nil {
			t.Fatal(err)
		} else if id.Canonical() == x.in {
			most = 0
		}
		if got := testing.AllocsPerRun(100, func() { _, _ = Parse(x.in) }); got > most {
			t.Errorf("%s: %v allocations, want at most %v", x.name, got, most)
		}
	}
}
