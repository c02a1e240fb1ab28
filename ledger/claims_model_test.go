package ledger

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"waybill/epcis"
)

// TestClaimsAreNotMultiplied: whatever a farm and a mill do in a network that refuses breaches of R16, at most as much as was born
// with the claim is outside the makers' hands with it. The checker reads who shipped which lot and what lots carry.
func TestClaimsAreNotMultiplied(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := DefaultParams()
		p.Rules.R16 = Reject
		n := newNet(t, testGenesis(p, "Farm", "Mill", "Control", "Shop"))
		n.join("Farm", "9521321")
		n.join("Mill", "9521322")
		n.join("Shop", "9521323")
		n.join("Control")
		n.attest("https://x.example/f", "Farm", "organic", Segregated)
		n.attest("https://x.example/s", "Mill", "organic", Segregated)
		n.attest("https://x.example/m", "Mill", "organic", MassBalance)
		lot := func(company, i int) string { return fmt.Sprintf("urn:epc:class:lgtin:952132%d.000001.L%d", company, i) }
		event := func(author string, e *epcis.Event) bool {
			e.TimeZoneOffset, e.EventTime = "+00:00", epcis.NewTimestamp(n.timeMs+60_000)
			return n.one(n.tx(author, capture(t, Rollback, e))).OK()
		}
		born, sold := int64(0), int64(0)
		to := func(party string) []epcis.TypedRef {
			return []epcis.TypedRef{{Type: "possessing_party", ID: "urn:epc:id:pgln:952132" + party + ".00000"}}
		}
		// The mill begins with six kilograms of what is claimed and twelve of what is not.
		stock := []epcis.Quantity{kilograms(lot(1, 0), 6), kilograms(lot(1, 1), 12)}
		n.made("Farm", []string{"https://x.example/f"}, stock[0])
		n.made("Farm", nil, stock[1])
		if !event("Farm", &epcis.Event{Type: epcis.ObjectEvent, Action: "OBSERVE", BizStep: "shipping", Quantities: stock, Destinations: to("2")}) ||
			!event("Mill", &epcis.Event{Type: epcis.ObjectEvent, Action: "OBSERVE", BizStep: "receiving", Quantities: stock}) {
			rt.Fatal("the mill got nothing")
		}
		born = 6
		for range 40 {
			i, j := rapid.IntRange(0, 1).Draw(rt, "lot"), rapid.IntRange(0, 2).Draw(rt, "other")
			kg := rapid.Int64Range(1, 3).Draw(rt, "kg")
			switch rapid.IntRange(0, 4).Draw(rt, "act") {
			case 0: // even lots are claimed
				e := &epcis.Event{Type: epcis.ObjectEvent, Action: "ADD", BizStep: "commissioning", Quantities: []epcis.Quantity{kilograms(lot(1, i), kg)}}
				if i%2 == 0 {
					e.CertificationInfo = []string{"https://x.example/f"}
				}
				if event("Farm", e) && i%2 == 0 {
					born += kg
				}
			case 1:
				q := []epcis.Quantity{kilograms(lot(1, i), kg)}
				if event("Farm", &epcis.Event{Type: epcis.ObjectEvent, Action: "OBSERVE", BizStep: "shipping", Quantities: q, Destinations: to("2")}) {
					event("Mill", &epcis.Event{Type: epcis.ObjectEvent, Action: "OBSERVE", BizStep: "receiving", Quantities: q})
				}
			case 2:
				e := &epcis.Event{Type: epcis.TransformationEvent, BizStep: "commissioning", InputQuantities: []epcis.Quantity{kilograms(lot(1, i), kg)},
					OutputQuantities:  []epcis.Quantity{kilograms(lot(2, j), kg)},
					CertificationInfo: []string{rapid.SampledFrom([]string{"https://x.example/s", "https://x.example/m"}).Draw(rt, "cert")}}
				event("Mill", e)
			case 3, 4:
				company := rapid.IntRange(1, 2).Draw(rt, "company")
				l := lot(company, j)
				c, err := ReadClaims(n.view, l)
				if err != nil {
					rt.Fatal(err)
				}
				q := []epcis.Quantity{kilograms(l, kg)}
				if event("Mill", &epcis.Event{Type: epcis.ObjectEvent, Action: "OBSERVE", BizStep: "shipping", Quantities: q, Destinations: to("3")}) &&
					c != nil && len(c.Claims) > 0 {
					sold += kg
				}
			}
			if sold > born {
				rt.Fatalf("%d kg left the mill as organic, and %d kg were grown so", sold, born)
			}
		}
		for k, raw := range n.view {
			if strings.HasPrefix(k, "claimed/") {
				if a := decode[ClaimAccount](t, raw); a.In.cmp(a.Out) < 0 || a.Out.cmp(a.Made) < 0 {
					rt.Fatalf("account %q: %+v", k, a)
				}
			}
		}
	})
}
