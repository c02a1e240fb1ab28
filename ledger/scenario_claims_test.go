package ledger

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cockroachdb/datadriven"

	"waybill/crypto"
)

// claimsPayload reads the verbs about certificates, documents and yields; nil if it is none of them:
// "attest ID SUBJECT CLAIM MODEL [scope=ID] [from=-24h] [until=24h]", "revoke ID REASON", "anchor TEXT ABOUT", "yield CLASS PPM".
func (s *scenario) claimsPayload(d *datadriven.TestData, f []string) Payload {
	switch f[0] {
	case "attest":
		return s.attest(d, f)
	case "revoke":
		return &RevokeAttestation{ID: s.id(f[1]), Reason: strings.Join(f[2:], " ")}
	case "anchor":
		return &Anchor{Document: crypto.Sum(crypto.TagItemChain, []byte(f[1])), About: s.id(f[2]), Media: "application/pdf"}
	case "yield":
		n, err := strconv.ParseUint(f[2], 10, 64)
		if err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		return &DeclareYield{Output: s.id(f[1]), MostPpm: n, Note: strings.Join(f[3:], " ")}
	case "plot":
		p := &PutMasterData{Type: "location", ID: s.id(f[1])}
		for _, attribute := range f[2:] {
			name, value, _ := strings.Cut(attribute, "=")
			if name == "polygonDocument" {
				value = crypto.Sum(crypto.TagItemChain, []byte(value)).String()
			}
			p.Attributes = append(p.Attributes, Attribute{Name: name, Value: strings.ReplaceAll(value, "_", " ")})
		}
		return p
	}
	return nil
}

func (s *scenario) attest(d *datadriven.TestData, f []string) *Attest {
	p := &Attest{ID: s.id(f[1]), Subject: keyOf(spaced(f[2])).Address(), Claim: f[3], FromMs: s.net.timeMs - 1000, UntilMs: s.net.timeMs + s.duration("8760h")}
	for m := IdentityPreserved; m <= BookAndClaim; m++ {
		if m.String() == f[4] {
			p.Model = m
		}
	}
	for _, option := range f[5:] {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "scope":
			p.Scope = s.id(value)
		case "from":
			p.FromMs = s.net.timeMs + s.duration(value)
		case "until":
			p.UntilMs = s.net.timeMs + s.duration(value)
		default:
			d.Fatalf(s.t, "unknown option %q", option)
		}
	}
	return p
}

// claims prints what goods carry; a line of the input that begins with a company, as "Mill organic KGM", prints its account.
func (s *scenario) claims(d *datadriven.TestData) string {
	var out []string
	b := &blockRun{o: newOverlay(s.net.view)}
	for _, line := range lines(d.Input) {
		f := strings.Fields(line)
		if len(f) > 1 {
			unit := ""
			if len(f) > 2 {
				unit = f[2]
			}
			a, err := ReadClaimAccount(s.net.view, keyOf(spaced(f[0])).Address(), f[1], unit)
			if err != nil {
				d.Fatalf(s.t, "%v", err)
			}
			if a == nil {
				a = &ClaimAccount{}
			}
			out = append(out, fmt.Sprintf("%s: in %s, out %s (%s for products), free %s", line, a.In, a.Out, a.Made, textOf(a.Free(), canonicalUnit(unit))))
			continue
		}
		c, err := ReadClaims(s.net.view, s.id(f[0]))
		if err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		text := "nothing"
		if c != nil && len(c.Claims) > 0 {
			text = ""
			for _, x := range c.Claims {
				text += fmt.Sprintf(" %s (%s under %s", x.Claim, x.Model, x.Certificate)
				if !x.Origin.IsZero() {
					text += " from " + b.orgName(x.Origin)
				}
				text += ")"
			}
		}
		out = append(out, s.relabel(f[0]+": "+strings.TrimSpace(text)))
	}
	return strings.Join(out, "\n")
}
