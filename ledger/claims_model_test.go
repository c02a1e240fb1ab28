package ledger

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"waybill/epcis"
)

// TestClaimsAreNotMultiplied: whatever a farm and a mill do in a network that refuses breaches of R16, at most as much as was born
// with the claim is outside the makers' hands with it. The checker reads who shipped which lot and what lots carry.
func TestClaimsAreNotMultiplied(t *testing.T) {
	property(t, func(rt *rapid.T) {
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

// TestClaimsFollowGoods: however goods with a claim are shipped, received, disputed, settled, taken back, held, packed and
// destroyed, the account of each company is what it has available of them, no more and no less. Disputes are written down on
// paper with every outcome; see model_test.go.
func TestClaimsFollowGoods(t *testing.T) {
	start := modelNet(t)
	for i := range orgs {
		a := (i + 1) % orgs
		start.must(start.tx(fmt.Sprint("org", a), &Attest{ID: fmt.Sprint("https://x.example/", i), Subject: orgAddress(i), Claim: "organic", Model: Segregated, UntilMs: 1 << 50}))
	}
	settled, networks := 0, uint64(60)
	if testing.Short() {
		networks = 6
	}
	seeds := seedsFrom(t, 0, networks)
	for _, seed := range seeds {
		m := &modelRun{tb: t, random: rand.New(rand.NewPCG(seed, 9)), certificate: "https://x.example/"}
		m.acts = func() []func() step {
			return []func() step{m.produce, m.produce, m.commission, m.pack, m.unpack, m.ship, m.ship, m.ship, m.receive, m.receive, m.void,
				m.setAside, m.stock, m.destroy, m.dispute, m.dispute, m.dispute, m.resolve, m.resolve, m.resolve}
		}
		m.begin(start)
		for range 800 {
			m.block(1)
			m.compareClaims()
		}
		for _, c := range m.paper.claims {
			for _, l := range c.lines {
				if l.lot != "" && !l.isOpen() {
					settled++
				}
			}
		}
	}
	if settled < 2*len(seeds) && len(seeds) > 1 {
		t.Errorf("%d lines about lots were settled", settled)
	}
}

// compareClaims holds the accounts against what is available, loose and in boxes.
func (m *modelRun) compareClaims() {
	for org := range orgs {
		want := int64(0)
		for of := range orgs {
			for n := 1; n <= 2; n++ {
				want += m.paper.heap(modelLot(of, n))[org]
			}
		}
		for box, lots := range m.paper.boxed {
			if m.paper.ready(org, box) {
				for _, kilos := range lots { // order does not matter: a sum
					want += kilos
				}
			}
		}
		acct, err := ReadClaimAccount(m.net.view, modelAddresses[org], "organic", "KGM")
		m.check(err)
		if acct == nil {
			acct = &ClaimAccount{}
		}
		if got := m.kilosIn(acct.Free()); got != want {
			m.fatalf("org%d has claims for %d kg and %d kg that carry them", org, got, want)
		}
	}
}
