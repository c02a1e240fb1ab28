package ledger

import (
	"bytes"
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"waybill/consensus/quorum"
	"waybill/epcis"
)

// TestSeverities executes events of every shape three times over the same state, in a network that rejects, in one that flags and
// in one where all rules but R1 are off. What one rejects, another flags by the same code at the same place; to flag and to be off
// leave the same state; and where nothing is rejected all three do.
func TestSeverities(t *testing.T) {
	rejected, flagged, accepted := map[int]int{}, map[Code]int{}, 0
	property(t, func(rt *rapid.T) {
		p := DefaultParams()
		if rapid.Bool().Draw(rt, "adopt") {
			p = AdoptParams()
		}
		p.VoidDelayMs = 0
		g := testGenesis(p)
		for i := range orgs {
			g.Accounts = append(g.Accounts, GenesisAccount{Address: orgAddress(i), Balance: 1_000_000})
			g.Organisations = append(g.Organisations, GenesisOrganisation{Address: orgAddress(i), Name: fmt.Sprint("org", i), Prefixes: []string{fmt.Sprint("952132", i)}})
		}
		net := newNet(t, g)
		m := &modelRun{t: rt, net: net}
		m.stockUp()
		m.certify()
		setSeverity(net.view, Flagged)
		var done []step
		for range rapid.IntRange(80, 160).Draw(rt, "events") {
			if rapid.IntRange(0, 7).Draw(rt, "notice") == 0 {
				m.anyNotice()
			}
			said := step{org: rapid.IntRange(0, 1).Draw(rt, "author"), event: m.dress(anyEvent(m))}
			if rapid.IntRange(0, 9).Draw(rt, "from the future") == 0 {
				said.event.EventTime = epcis.NewTimestamp(net.timeMs + 60_000 + 2*p.ClockSkewMs)
			}
			if len(done) > 0 && rapid.IntRange(0, 4).Draw(rt, "declare") == 0 {
				said = rapid.SampledFrom(done[max(0, len(done)-5):]).Draw(rt, "wrong")
				said.event = wrongly(said.event)
			}
			txs := []VerifiedTransaction{{tx: m.transaction(said)}}
			off, rej := applyWith(rt, net, txs, Off), applyWith(rt, net, txs, Reject)
			flag := m.apply(txs)
			compareSeverities(rt, off, flag, rej)
			if r := &rej.Receipts[0]; !r.OK() {
				rejected[r.Code.rule()]++
			} else {
				accepted++
			}
			if flag.Receipts[0].OK() && said.event.ErrorDeclaration == nil {
				done = append(done, said)
			}
			for i := range flag.Receipts[0].Flags {
				flagged[flag.Receipts[0].Flags[i].Code]++
			}
		}
	})
	for _, code := range []Code{CodeUndone, CodeOtherSubject, CodeNoCertificate, CodeClaimMixed} {
		if flagged[code] == 0 {
			t.Errorf("nothing was flagged as %s: %v", code, flagged)
		}
	}
	rules := []int{4, 5, 6, 7, 8, 14, 16}
	if !testing.Short() {
		rules = append(rules, 9, 10, 11, 12, 13, 15)
	}
	for _, rule := range rules {
		if rejected[rule] == 0 {
			t.Errorf("nothing was rejected by R%d: %v", rule, rejected)
		}
	}
	if accepted < 100 {
		t.Errorf("%d events were accepted", accepted)
	}
}

// certify lets each of two organisations certify the other, one with segregated goods and one with a mass balance.
func (m *modelRun) certify() {
	for org := range 2 {
		for i, model := range []ChainModel{Segregated, MassBalance} {
			p := &Attest{ID: certID(org, i), Subject: orgAddress(org), Claim: "organic", Model: model, UntilMs: 1 << 50}
			if r := m.execute(step{org: 1 - org, payload: p}); !r.OK() {
				m.t.Fatalf("%s", r.Finding)
			}
		}
	}
}

func certID(org, i int) string { return fmt.Sprintf("https://x.example/%d/%d", org, i) }

// dress adds to an event what certificates, dates of goods, sales and ids are judged by.
func (m *modelRun) dress(e *epcis.Event) *epcis.Event {
	for range max(0, rapid.IntRange(-2, 2).Draw(m.t, "certificates")) {
		e.CertificationInfo = append(e.CertificationInfo, m.pick("certificate", certID(0, 0), certID(0, 1), certID(1, 0), certID(1, 1), "https://x.example/none"))
	}
	if e.Action == epcis.ActionAdd && e.Type == epcis.ObjectEvent && rapid.Bool().Draw(m.t, "dated") {
		e.Namespaces = []epcis.Namespace{{Prefix: "cbvmda", URI: "urn:epcglobal:cbv:mda:"}}
		e.ILMD = []epcis.Member{{Name: "cbvmda:itemExpirationDate", Value: epcis.NewText(m.pick("date", "2026-04-01", "2027-04-01"))}}
	}
	switch rapid.IntRange(0, 9).Draw(m.t, "end") {
	case 0:
		e.Disposition = "retail_sold"
	case 1:
		e.EventID = "urn:uuid:again"
	}
	return e
}

func setSeverity(v mapView, s Severity) {
	p, err := ReadParams(v)
	if err != nil {
		panic(err)
	}
	changed := *p
	changed.Rules = Rules{R1: Reject, R2: s, R3: s, R4: s, R5: s, R6: s, R7: s, R8: s, R9: s, R10: s, R11: s, R12: s, R13: s, R14: s, R15: s, R16: s}
	if s == Reject && p.Onboarding == Adopt {
		changed.Rules.R5 = Flagged // rejecting what is unknown would be another mode
	}
	v[keyParams] = mustMarshal(changed)
}

func applyWith(rt *rapid.T, net *testNet, txs []VerifiedTransaction, s Severity) *Update {
	view := maps.Clone(net.view)
	setSeverity(view, s)
	up, err := Apply(view, &Block{Header: quorum.Header{Version: 1, Height: net.height + 1, TimeMs: net.timeMs + 60_000}, Transactions: txs})
	if err != nil {
		rt.Fatal(err)
	}
	return up
}

func compareSeverities(rt *rapid.T, off, flag, rej *Update) {
	o, f, r := &off.Receipts[0], &flag.Receipts[0], &rej.Receipts[0]
	if len(o.Flags) > 0 {
		rt.Fatalf("a rule that is off speaks: %s", o.Flags[0])
	}
	if o.Code != f.Code {
		rt.Fatalf("off: %s; flagged: %s", o.Finding, f.Finding)
	}
	sameWrites(rt, "off and flagged", off, flag)
	switch {
	case r.OK() && (hasFlag(*r, CodeUndoneHeld) || hasFlag(*r, CodeUndoneExpired)): // only a network that rejects keeps such goods by not undoing
	case r.OK():
		sameWrites(rt, "flagged and rejecting", flag, rej)
	case r.Code.always() || r.Code.rule() == 0:
		if r.Code != f.Code {
			rt.Fatalf("always refused: %s; but where rules are flagged: %s", r.Finding, f.Finding)
		}
	case f.OK():
		for i := range f.Flags {
			if f.Flags[i].Code == r.Code && f.Flags[i].Field == r.Field {
				return
			}
		}
		rt.Fatalf("rejected and not flagged: %s; the flags are %v", r.Finding, f.Flags)
	}
}

func sameWrites(rt *rapid.T, what string, a, b *Update) {
	if len(a.Writes) != len(b.Writes) {
		rt.Fatalf("%s write %d and %d records", what, len(a.Writes), len(b.Writes))
	}
	for i := range a.Writes {
		if !bytes.Equal(a.Writes[i].Key, b.Writes[i].Key) || !bytes.Equal(a.Writes[i].Value, b.Writes[i].Value) {
			rt.Fatalf("%s write different records: %q, %q", what, a.Writes[i].Key, b.Writes[i].Key)
		}
	}
}
