package ledger

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"waybill/crypto"
	"waybill/epcis"
)

// TestSeverityTable has a row for every code of the rules R1 to R16: a transaction to which the ledger says it, executed where
// its rule is reject, flag and off. Most rows are scenarios, in testdata/severities; the rest need more things than one writes
// down. A code without a row fails.
func TestSeverityTable(t *testing.T) {
	table := &severityTable{rows: map[Code]int{}}
	datadriven.Walk(t, "testdata/severities", func(t *testing.T, path string) {
		s := newScenario(t)
		s.severities = table
		s.runFile(t, path)
	})
	table.admission(t)
	for code, row := range fullRows {
		t.Run(code.String(), func(t *testing.T) {
			n, txs := row(t)
			block := n.nextBlock()
			for _, tx := range txs { // unsigned: what is asked of signatures is R1's
				block.Transactions = append(block.Transactions, VerifiedTransaction{tx: tx})
			}
			table.row(t, code, marks[code], n.view, block)
		})
	}
	rules := map[int]int{}
	for code := range codes {
		if rule := code.rule(); rule > 0 {
			if rules[rule]++; table.rows[code] == 0 {
				t.Errorf("%s (R%d, %d) has no row in %s", code, rule, uint16(code), "testdata/severities")
			}
		}
	}
	for rule := 1; rule <= 16; rule++ {
		if rules[rule] == 0 {
			t.Errorf("R%d has no code", rule)
		}
	}
}

// marks are the codes that never refuse: they say something about an event that counts.
var marks = map[Code]bool{
	CodeNoNamespace: true, CodeUnverified: true, CodeBearer: true, CodeOnBehalf: true, CodeAlreadyHeld: true, CodeStillPacked: true,
	CodeNotAssociated: true, CodeEndImplied: true, CodeTooLongAgo: true,
	CodeUnmeasured: true, CodeGrown: true, CodeCountLoss: true, CodeCountGain: true, CodeCountFirst: true, CodeCountForeign: true,
	CodeLate: true, CodeOutOfOrder: true, CodeDuplicateEvent: true, CodeDeclared: true, CodeDeclaredNone: true,
	CodeUndone: true, CodeStandsOn: true, CodeChangedSince: true, CodeWindowOver: true, CodeTooMuchToUndo: true, CodeUndoneBefore: true,
	CodeNoReason: true, CodeNoCorrective: true, CodeUndoneTooSoon: true, CodeUndoneHeld: true, CodeUndoneExpired: true,
	CodePlotNoPolygon: true, CodePlotUnclear: true,
}

// severityTable counts the rows by the code that they show.
type severityTable struct {
	rows map[Code]int
}

// row executes a block with its code's rule at each severity, and looks at the last receipt. What protects the ledger refuses
// whatever the severity; what only marks never refuses; anything else refuses where the rule rejects. Flagged and off leave the same
// state, and so does a rule that rejects and did not have to.
func (s *severityTable) row(t *testing.T, code Code, marks bool, view mapView, b *Block) string {
	t.Helper()
	var out []string
	ups := map[Severity]*Update{}
	for _, sev := range []Severity{Reject, Flagged, Off} {
		up, err := Apply(withSeverity(t, view, code.rule(), sev), b)
		if err != nil {
			t.Fatal(err)
		}
		ups[sev] = up
		r := &up.Receipts[len(up.Receipts)-1]
		said := []string{}
		for i := range r.Flags {
			if c := r.Flags[i].Code; c.rule() == code.rule() && !slices.Contains(said, c.String()) {
				said = append(said, c.String())
			}
		}
		text := fmt.Sprintf("%s: accepted", sev)
		if !r.OK() {
			text = fmt.Sprintf("%s: refused, %s", sev, r.Code)
		} else if len(said) > 0 {
			text += ", " + strings.Join(said, ", ")
		}
		out = append(out, text)
		want := CodeOK
		switch {
		case code.always(), sev == Reject && !marks:
			want = code
		case sev == Reject && code == CodeUnverified:
			want = CodeUnknownObject // a network that rejects what is unknown is strict
		}
		if r.Code != want {
			t.Errorf("%s where R%d is %s: %s, want %s", code, code.rule(), sev, r.Finding, want)
		}
		if flagged := hasFlag(*r, code); want == CodeOK && flagged != (sev != Off) || sev == Off && len(said) > 0 {
			t.Errorf("%s where R%d is %s: flagged %t, with %v", code, code.rule(), sev, flagged, said)
		}
	}
	if !sameState(ups[Flagged], ups[Off]) {
		t.Errorf("%s: to flag R%d and to have it off leave different states", code, code.rule())
	}
	if r := ups[Reject].Receipts; r[len(r)-1].OK() && !sameState(ups[Flagged], ups[Reject]) {
		t.Errorf("%s: to flag R%d and to reject leave different states, and nothing was rejected", code, code.rule())
	}
	s.rows[code]++
	return strings.Join(out, "\n")
}

func sameState(a, b *Update) bool {
	return slices.EqualFunc(a.Writes, b.Writes, func(x, y Write) bool { return bytes.Equal(x.Key, y.Key) && bytes.Equal(x.Value, y.Value) })
}

// withSeverity is a state in which one rule has another severity.
func withSeverity(t *testing.T, v mapView, rule int, s Severity) mapView {
	t.Helper()
	p, err := ReadParams(v)
	if err != nil {
		t.Fatal(err)
	}
	changed := *p
	r := &changed.Rules
	*[...]*Severity{
		&r.R1, &r.R2, &r.R3, &r.R4, &r.R5, &r.R6, &r.R7, &r.R8, &r.R9, &r.R10, &r.R11, &r.R12, &r.R13, &r.R14, &r.R15, &r.R16,
	}[rule-1] = s
	v = maps.Clone(v)
	v[keyParams] = mustMarshal(changed)
	return v
}

// severity is the command of a scenario that is a row: CODE, the author, and what it says in one transaction; "mark" says that the
// network, which adopts, never refuses it.
func (s *scenario) severity(d *datadriven.TestData) string {
	name, who := d.CmdArgs[0].Key, spaced(d.CmdArgs[1].Key)
	for code, info := range codes {
		if info.name == name {
			return s.severities.row(s.t, code, marks[code] || d.HasArg("mark"), s.net.view, s.net.nextBlock(s.net.tx(who, s.said(d))))
		}
	}
	d.Fatalf(s.t, "no code %s", name)
	return ""
}

// said is a capture of the input's events, or the payload of its only line.
func (s *scenario) said(d *datadriven.TestData) Payload {
	var events []*epcis.Event
	for _, line := range lines(d.Input) {
		switch first, _, _ := strings.Cut(line, " "); first {
		case "object", "aggregation", "transaction", "transformation", "association":
			events = append(events, s.event(d, line))
		default:
			return s.payload(d, strings.Fields(line))
		}
	}
	return capture(s.t, Rollback, events...)
}

// admission has the rows of R1, which asks before anything is executed.
func (s *severityTable) admission(t *testing.T) {
	p := DefaultParams()
	p.Admission, p.MaxTxBytes, p.MaxBlockBytes = Registrar, 2048, 2048
	n := newNet(t, testGenesis(p, "a", "b", "poor"))
	a, b, stranger := keyOf("a").Address(), keyOf("b").Address(), keyOf("stranger").Address()
	n.must(n.tx("b", &AddKey{Key: keyOf("b2").Public()}))
	done, failed := n.tx("a", &Transfer{To: b, Amount: 1}), n.tx("a", &Transfer{To: b, Amount: 1 << 62})
	n.block(done, failed, n.tx("poor", &Transfer{To: b, Amount: 1_000_000 - 25}), n.tx("b", &SetThreshold{M: 2}))
	n.must(n.tx("a", &RegisterOrganisation{Name: "a"}))
	var long []Attribute
	for i := range 20 {
		long = append(long, Attribute{Name: fmt.Sprintf("%02d", i), Value: strings.Repeat("x", 200)})
	}
	seen := capture(t, Rollback, &epcis.Event{Type: epcis.ObjectEvent, Action: "OBSERVE", TimeZoneOffset: "+00:00",
		EventTime: epcis.NewTimestamp(n.timeMs), EPCs: []string{"urn:example:thing:1"}})
	for code, c := range map[Code]struct {
		payload Payload
		change  func(*Body)
		sign    []string
	}{
		CodeForeignNetwork:    {change: func(b *Body) { b.Genesis[0] ^= 1 }},
		CodeUnknownAuthor:     {change: func(b *Body) { b.Author = stranger }, sign: []string{"stranger"}},
		CodeKeyNotActive:      {sign: []string{"b"}},
		CodeUnknownSponsor:    {change: func(b *Body) { b.Sponsor = &stranger }, sign: []string{"a", "stranger"}},
		CodeSponsorNotSigned:  {change: func(body *Body) { body.Sponsor = &b }},
		CodeTooFewSponsors:    {change: func(body *Body) { body.Sponsor = &b }, sign: []string{"a", "b"}},
		CodeTooFewSigned:      {change: func(body *Body) { body.Author = b }, sign: []string{"b"}},
		CodeExpired:           {change: func(b *Body) { b.ExpiryHeight = n.height }},
		CodeExpiryTooFar:      {change: func(b *Body) { b.ExpiryHeight = n.height + 1 + 1001 }},
		CodeTooLarge:          {payload: &PutMasterData{Type: "party", ID: "urn:x:y", Attributes: long}},
		CodeFee:               {change: func(b *Body) { b.Tip = 1 << 40 }},
		CodeDependencyMissing: {change: func(b *Body) { b.DependsOn = []crypto.Hash{{9}} }},
		CodeDependencyFailed:  {change: func(b *Body) { b.DependsOn = []crypto.Hash{failed.ID()} }},
		CodeNotAdmitted:       {payload: seen},
		CodeNoOrganisation:    {payload: seen, change: func(b *Body) { b.Author = keyOf("poor").Address() }, sign: []string{"poor"}},
	} {
		if c.payload == nil {
			c.payload = &Transfer{To: a, Amount: 1}
		}
		body := n.body("a", c.payload)
		if c.change != nil {
			c.change(&body)
		}
		if code == CodeNoOrganisation { // it has hardly any money
			body.Sponsor = &a
			c.sign = append(c.sign, "a")
		}
		if c.sign == nil {
			c.sign = []string{"a"}
		}
		s.row(t, code, false, n.view, n.nextBlock(n.sign(body, c.sign...)))
	}
	s.row(t, CodeSeen, false, n.view, n.nextBlock(done))
	hollow := n.nextBlock()
	hollow.Transactions = []VerifiedTransaction{{tx: &Transaction{id: crypto.Hash{1}, Body: Body{Kind: KindSubmitEvidence, Genesis: n.hash}}}}
	s.row(t, CodeNotJudged, false, n.view, hollow)
}
