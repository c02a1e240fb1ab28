package ledger

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"waybill/crypto"
	"waybill/epcis"
)

// TestEvidencePayloadsRefuse is one valid payload of each kind and a table of corruptions, at the edges of their bounds.
func TestEvidencePayloadsRefuse(t *testing.T) {
	long := func(n int) string { return strings.Repeat("a", n) }
	uri := func(n int) string { return "https://x.example/" + long(n-len("https://x.example/")) }
	attest := func(change func(*Attest)) *Attest {
		p := &Attest{ID: uri(maxIDBytes), Subject: keyOf("s").Address(), Scope: "urn:epc:idpat:sgtin:9521321.000001.*", Claim: long(maxClaimBytes),
			Model: IdentityPreserved, Standard: long(maxRemarkBytes), FromMs: 0, UntilMs: 1}
		change(p)
		return p
	}
	anchor := func(change func(*Anchor)) *Anchor {
		p := &Anchor{Document: crypto.Hash{1}, About: uri(maxIDBytes), Media: long(maxMediaBytes), Note: long(maxRemarkBytes)}
		change(p)
		return p
	}
	yield := func(change func(*DeclareYield)) *DeclareYield {
		p := &DeclareYield{Output: "https://id.gs1.org/01/09521321000018", MostPpm: maxYieldPpm, Note: long(maxRemarkBytes)}
		change(p)
		return p
	}
	for _, c := range []struct {
		name string
		p    Payload
		ok   bool
	}{
		{"certificate", attest(func(*Attest) {}), true},
		{"certificate of a location", attest(func(p *Attest) { p.Scope = "urn:epc:id:sgln:9521321.00007.0" }), true},
		{"certificate of a lot", attest(func(p *Attest) { p.Scope = "urn:epc:class:lgtin:9521321.000001.L1" }), true},
		{"certificate of everything", attest(func(p *Attest) { p.Scope = "" }), true},
		{"certificate with the last model", attest(func(p *Attest) { p.Model = BookAndClaim }), true},
		{"certificate with a long id", attest(func(p *Attest) { p.ID = uri(maxIDBytes + 1) }), false},
		{"certificate without id", attest(func(p *Attest) { p.ID = "" }), false},
		{"certificate whose id is no URI", attest(func(p *Attest) { p.ID = "certificate 7" }), false},
		{"certificate with a space", attest(func(p *Attest) { p.ID = "https://x.example/a b" }), false},
		{"certificate about nobody", attest(func(p *Attest) { p.Subject = crypto.Address{} }), false},
		{"certificate of one object", attest(func(p *Attest) { p.Scope = "urn:epc:id:sgtin:9521321.000001.7" }), false},
		{"certificate with a bad scope", attest(func(p *Attest) { p.Scope = "x" }), false},
		{"certificate without claim", attest(func(p *Attest) { p.Claim = "" }), false},
		{"certificate with a long claim", attest(func(p *Attest) { p.Claim = long(maxClaimBytes + 1) }), false},
		{"certificate with a hidden claim", attest(func(p *Attest) { p.Claim = "a\u200bb" }), false},
		{"certificate without model", attest(func(p *Attest) { p.Model = 0 }), false},
		{"certificate with model 6", attest(func(p *Attest) { p.Model = 6 }), false},
		{"certificate that is never in force", attest(func(p *Attest) { p.FromMs, p.UntilMs = 5, 5 }), false},
		{"certificate from before 1970", attest(func(p *Attest) { p.FromMs = -1 }), false},
		{"certificate with a long standard", attest(func(p *Attest) { p.Standard = long(maxRemarkBytes + 1) }), false},
		{"certificate with a standard that does not print", attest(func(p *Attest) { p.Standard = "a\x1bb" }), false},
		{"certificate with a standard that is no UTF-8", attest(func(p *Attest) { p.Standard = "\xff" }), false},
		{"revocation", &RevokeAttestation{ID: uri(30), Reason: long(maxRemarkBytes)}, true},
		{"revocation with a long reason", &RevokeAttestation{ID: uri(30), Reason: long(maxRemarkBytes + 1)}, false},
		{"revocation of nothing", &RevokeAttestation{}, false},
		{"document", anchor(func(*Anchor) {}), true},
		{"document about nothing", anchor(func(p *Anchor) { p.About, p.Media, p.Note = "", "", "" }), true},
		{"no document", anchor(func(p *Anchor) { p.Document = crypto.Hash{} }), false},
		{"document about what is no identifier", anchor(func(p *Anchor) { p.About = "x" }), false},
		{"document with a long media type", anchor(func(p *Anchor) { p.Media = long(maxMediaBytes + 1) }), false},
		{"document with a long note", anchor(func(p *Anchor) { p.Note = long(maxRemarkBytes + 1) }), false},
		{"yield", yield(func(*DeclareYield) {}), true},
		{"yield of more than a thousand times", yield(func(p *DeclareYield) { p.MostPpm++ }), false},
		{"yield of a lot", yield(func(p *DeclareYield) { p.Output += "/10/L" }), false},
		{"yield of an object", yield(func(p *DeclareYield) { p.Output += "/21/7" }), false},
		{"yield of nothing", yield(func(p *DeclareYield) { p.Output = "" }), false},
		{"yield with a long note", yield(func(p *DeclareYield) { p.Note += "a" }), false},
	} {
		if err := c.p.check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// evidenceNet has a farm, a mill and a body that certifies both.
func evidenceNet(t *testing.T, p Params) *testNet {
	n := newNet(t, testGenesis(p, "Farm", "Mill", "Control"))
	n.join("Farm", "9521321")
	n.join("Mill", "9521322")
	n.join("Control")
	return n
}

func (n *testNet) attest(id, subject, claim string, model ChainModel) {
	n.must(n.tx("Control", &Attest{ID: id, Subject: keyOf(subject).Address(), Claim: claim, Model: model, UntilMs: 1 << 50}))
}

func (n *testNet) made(author string, cert []string, qty ...epcis.Quantity) Receipt {
	e := &epcis.Event{Type: epcis.ObjectEvent, Action: epcis.ActionAdd, BizStep: "commissioning", TimeZoneOffset: "+00:00",
		EventTime: epcis.NewTimestamp(n.timeMs + 60_000), Quantities: qty, CertificationInfo: cert}
	return n.one(n.tx(author, capture(n.t, Rollback, e)))
}

func kilograms(class string, n int64) epcis.Quantity {
	d, err := epcis.NewDecimal(n, 0)
	if err != nil {
		panic(err)
	}
	return epcis.Quantity{Class: class, Quantity: &d, UOM: "KGM"}
}

// TestALotCarriesSixteenClaims: one more is a finding, and the lot goes without it.
func TestALotCarriesSixteenClaims(t *testing.T) {
	n := evidenceNet(t, DefaultParams())
	var certs []string
	for i := range maxClaims + 1 {
		id := fmt.Sprintf("https://x.example/%02d", i)
		n.attest(id, "Farm", fmt.Sprintf("claim %02d", i), Segregated)
		certs = append(certs, id)
	}
	const lot = "urn:epc:class:lgtin:9521321.000001.L1"
	r := n.made("Farm", certs, kilograms(lot, 5))
	if !r.OK() || len(r.Flags) != 1 || r.Flags[0].Code != CodeTooManyClaims {
		t.Fatalf("%s, %v", r.Finding, r.Flags)
	}
	c, err := ReadClaims(n.view, lot)
	if err != nil || len(c.Claims) != maxClaims || c.Claims[maxClaims-1].Claim != "claim 15" {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestClaimsAreUndone: an event that was declared wrong takes its claims and its account along, while nobody stands on them.
func TestClaimsAreUndone(t *testing.T) {
	n := evidenceNet(t, DefaultParams())
	n.attest("https://x.example/1", "Farm", "organic", Segregated)
	const lot = "urn:epc:class:lgtin:9521321.000001.L1"
	e := &epcis.Event{Type: epcis.ObjectEvent, Action: epcis.ActionAdd, BizStep: "commissioning", TimeZoneOffset: "+00:00", EventID: "urn:uuid:1",
		EventTime: epcis.NewTimestamp(n.timeMs), Quantities: []epcis.Quantity{kilograms(lot, 5)}, CertificationInfo: []string{"https://x.example/1"}}
	n.must(n.tx("Farm", capture(t, Rollback, e)))
	account := func() string {
		a, err := ReadClaimAccount(n.view, keyOf("Farm").Address(), "organic", "LBR")
		if err != nil || a == nil {
			return "none"
		}
		return a.Free().String()
	}
	if account() != "5" {
		t.Fatalf("account %s", account())
	}
	wrong := *e
	wrong.ErrorDeclaration = &epcis.ErrorDeclaration{DeclarationTime: epcis.NewTimestamp(n.timeMs), Reason: "incorrect_data"}
	r := n.must(n.tx("Farm", capture(t, Rollback, &wrong)))
	c, err := ReadClaims(n.view, lot)
	if err != nil || c != nil && len(c.Claims) > 0 || account() != "none" {
		t.Errorf("undone: %+v, account %s, %v (%v)", c, account(), err, r.Flags)
	}
}

// TestNeededIsEnough: what a yield needs is never too little, and too much by less than one in the last decimal.
func TestNeededIsEnough(t *testing.T) {
	property(t, func(t *rapid.T) {
		d, err := epcis.NewDecimal(rapid.Int64Range(0, 1_000_000_000).Draw(t, "coefficient"), rapid.IntRange(-6, 6).Draw(t, "exponent"))
		if err != nil {
			t.Skip()
		}
		ppm := rapid.Uint64Range(1, maxYieldPpm).Draw(t, "ppm")
		out := AmountOf(d)
		need, ok := out.needed(ppm)
		if !ok {
			return
		}
		rat := func(a Amount) *big.Rat {
			p := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(a.Exponent, -a.Exponent))), nil)
			x := new(big.Rat).SetInt(p)
			if a.Exponent < 0 {
				x.Inv(x)
			}
			return x.Mul(x, big.NewRat(a.Coefficient, 1))
		}
		exact := new(big.Rat).Mul(rat(out), big.NewRat(million, int64(ppm)))
		over := new(big.Rat).Sub(rat(need), exact)
		if over.Sign() < 0 || over.Cmp(big.NewRat(1, 1_000)) > 0 && new(big.Rat).Quo(over, exact).Cmp(big.NewRat(1, 1_000_000_000)) > 0 {
			t.Fatalf("%s at %d ppm needs %s, exactly %s", out, ppm, need, exact.FloatString(15))
		}
		in := Weight{Amount: need}
		if in.exceededBy(out, ppm) {
			t.Fatalf("%s at %d ppm: %s is not enough", out, ppm, need)
		}
	})
}

func TestPlotsAreRead(t *testing.T) {
	for text, want := range map[string]string{"5.2 HAR": "5.2 HAR", "40000 MTK": "40000 MTK", "0 ACR": "0 ACR", "5.2": "", "5.2 KGM": "", "-1 HAR": "", "x HAR": "", " HAR": "", "": ""} {
		if m, ok := parseArea(text); ok != (want != "") || ok && m.String() != want {
			t.Errorf("area %q: %s, %t", text, m, ok)
		}
	}
	const a, b, c = "61.123456,24.123456", "-61.1234567,-24.100000", "90.000000,180.000000"
	for text, want := range map[string]bool{
		a + " " + b + " " + c + " " + a: true, a + " " + b + " " + a: false, a + " " + b + " " + c + " " + b: false, "": false,
		a + " 90.000001,1.000000 " + c + " " + a: false, a + " 1.000000,180.000001 " + c + " " + a: false, a + " 1.00000,1.000000 " + c + " " + a: false,
		a + " 1.000000e1,1.000000 " + c + " " + a: false, a + " 1.000000 " + c + " " + a: false, a + " 1,1 " + c + " " + a: false,
	} {
		if validPolygon(text) != want {
			t.Errorf("polygon %q: want %t", text, want)
		}
	}
}

func FuzzPlot(f *testing.F) {
	f.Add("5.2 HAR", "61.123456,24.123456 61.2,24.2 61.3,24.3 61.123456,24.123456")
	f.Fuzz(func(t *testing.T, area, polygon string) {
		if m, ok := parseArea(area); ok && (m.Amount.Sign() < 0 || canonicalUnit(m.UOM) != "MTK" && m.UOM != "M47") {
			t.Fatalf("area %q was read as %s", area, m)
		}
		if points := strings.Fields(polygon); validPolygon(polygon) && (len(points) < 4 || points[0] != points[len(points)-1] || strings.Count(polygon, ",") != len(points)) {
			t.Fatalf("polygon %q was accepted", polygon)
		}
	})
}
