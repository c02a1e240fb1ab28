package ledger

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"waybill/crypto"
	"waybill/epcis"
)

// TestScenarios runs testdata/*.txt. The commands are explained in testdata/README.md.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, path string) { newScenario(t).runFile(t, path) })
}

func newScenario(t *testing.T) *scenario {
	return &scenario{t: t, names: map[string]string{}, labels: map[string]string{}, proposals: map[string]crypto.Hash{}}
}

func (s *scenario) runFile(t *testing.T, path string) {
	datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
		s.t = t
		if s.net != nil {
			s.net.t = t
		}
		return s.run(d)
	})
}

type scenario struct {
	t      *testing.T
	net    *testNet
	names  map[string]string // alias → identifier
	labels map[string]string // hash → what to print for it
	events int
	lastAs string // name given to an event by "as"
	last   *Transaction

	proposals  map[string]crypto.Hash // by title
	severities *severityTable         // of TestSeverityTable
}

func (s *scenario) run(d *datadriven.TestData) string {
	switch d.Cmd {
	case "network":
		return s.network(d)
	case "names":
		for _, line := range lines(d.Input) {
			alias, id, ok := strings.Cut(line, " = ")
			if !ok {
				d.Fatalf(s.t, "want ALIAS = IDENTIFIER, got %q", line)
			}
			s.names[strings.TrimSpace(alias)] = strings.TrimSpace(id)
		}
		return ""
	case "join":
		for _, line := range lines(d.Input) {
			f := strings.Fields(line)
			s.net.join(spaced(f[0]), f[1:]...)
		}
		return ""
	case "do":
		return s.do(d)
	case "capture":
		return s.capture(d)
	case "again":
		return s.report(s.net.one(s.last))
	case "wait":
		return s.wait(d)
	case "item":
		return s.items(d)
	case "lot":
		return s.lots(d)
	case "close":
		return s.close(d)
	case "proposal":
		return s.proposal(d)
	case "claims":
		return s.claims(d)
	case "param":
		return s.param(d)
	case "under":
		return s.under(d)
	case "notice":
		return s.notice(d)
	case "shipment":
		return s.shipments(d)
	case "dispute":
		return s.disputes(d)
	case "attached":
		return s.attached(d)
	case "severity":
		return s.severity(d)
	}
	d.Fatalf(s.t, "unknown command %s", d.Cmd)
	return ""
}

func lines(s string) []string {
	var out []string
	for _, l := range strings.Split(s, "\n") {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "#") {
			out = append(out, l)
		}
	}
	return out
}

func spaced(s string) string { return strings.ReplaceAll(s, "-", " ") }

func (s *scenario) network(d *datadriven.TestData) string {
	p := DefaultParams()
	if d.HasArg("adopt") {
		p = AdoptParams()
	}
	if d.HasArg("registrar-admission") {
		p.Admission = Registrar
	}
	rules := map[string]*Severity{"R2": &p.Rules.R2, "R5": &p.Rules.R5, "R6": &p.Rules.R6, "R7": &p.Rules.R7, "R8": &p.Rules.R8, "R9": &p.Rules.R9, "R10": &p.Rules.R10, "R11": &p.Rules.R11, "R12": &p.Rules.R12, "R13": &p.Rules.R13, "R14": &p.Rules.R14, "R15": &p.Rules.R15, "R16": &p.Rules.R16}
	for _, a := range d.CmdArgs {
		if r, ok := rules[a.Key]; ok {
			if err := r.UnmarshalText([]byte(a.Vals[0])); err != nil {
				d.Fatalf(s.t, "%v", err)
			}
		}
	}
	if d.HasArg("window") {
		d.ScanArgs(s.t, "window", &p.CorrectionWindow)
	}
	var names []string
	for _, l := range lines(d.Input) {
		names = append(names, spaced(l))
	}
	g := s.operators(d, &p)
	if g == nil {
		g = testGenesis(p)
	}
	for _, name := range names {
		g.Accounts = append(g.Accounts, GenesisAccount{Address: keyOf(name).Address(), Balance: 1_000_000})
	}
	for _, a := range d.CmdArgs {
		if a.Key == "regulator" {
			g.Regulators = append(g.Regulators, keyOf(spaced(a.Vals[0])).Address())
		}
	}
	s.net = newNet(s.t, g)
	s.labels[s.net.hash.String()] = "this network"
	for _, n := range append(names, "registrar") {
		s.labels[keyOf(n).Address().String()] = "<" + n + ">"
	}
	return ""
}

// do executes transactions that are no captures, one a line: AUTHOR: VERB ARGUMENTS.
func (s *scenario) do(d *datadriven.TestData) string {
	var out []string
	for _, line := range lines(d.Input) {
		who, what, ok := strings.Cut(line, ": ")
		if !ok {
			d.Fatalf(s.t, "want AUTHOR: VERB …, got %q", line)
		}
		what, as, _ := strings.Cut(what, " as ")
		f := strings.Fields(what)
		who, with, _ := strings.Cut(who, "+") // others whose keys sign, too
		tx := s.net.tx(spaced(who), s.payload(d, f), strings.Fields(strings.ReplaceAll(with, "+", " "))...)
		s.noteProposal(tx)
		if tx.Body.Kind == KindNotice {
			s.labels[tx.id.String()] = f[1]
		}
		if as != "" {
			s.labels[tx.id.String()] = as
		}
		out = append(out, s.report(s.net.one(tx)))
		s.last = tx
	}
	return strings.Join(out, "\n")
}

func (s *scenario) payload(d *datadriven.TestData, f []string) Payload {
	who := func(i int) crypto.Address { return keyOf(spaced(f[i])).Address() }
	switch f[0] {
	case "register":
		return &RegisterOrganisation{Name: spaced(f[1]), Parties: s.ids(f[2:])}
	case "admit":
		return &AdmitOrganisation{Organisation: who(1), Admitted: true}
	case "expel":
		return &AdmitOrganisation{Organisation: who(1)}
	case "claim":
		return &ClaimPrefix{Prefix: f[1]}
	case "approve":
		return &ApprovePrefix{Prefix: f[1], Organisation: who(2)}
	case "delegate":
		p := &Delegate{Scope: s.id(f[1]), To: who(2)}
		if len(f) > 3 {
			p.UntilMs = s.net.timeMs + s.duration(f[3])
		}
		return p
	case "end-delegation":
		return &RevokeDelegation{Scope: s.id(f[1]), To: who(2)}
	case "describe":
		return &PutMasterData{Type: f[1], ID: s.id(f[2]), Attributes: []Attribute{{Name: "name", Value: f[3]}}}
	case "send":
		n, err := strconv.ParseUint(f[1], 10, 64)
		if err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		return &Transfer{Amount: n, To: who(2)}
	}
	if p := s.disputePayload(f); p != nil {
		return p
	}
	if p := s.claimsPayload(d, f); p != nil {
		return p
	}
	if p := s.governs(d, f); p != nil {
		return p
	}
	if p := s.noticePayload(d, f); p != nil {
		return p
	}
	d.Fatalf(s.t, "unknown verb %q", f[0])
	return nil
}

func (s *scenario) duration(text string) int64 {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d.Milliseconds()
}

func (s *scenario) id(alias string) string {
	if id, ok := s.names[alias]; ok {
		return id
	}
	return alias
}

func (s *scenario) ids(aliases []string) []string {
	var out []string
	for _, a := range aliases {
		out = append(out, s.id(a))
	}
	return out
}

// capture records the events of the input, one a line, in one transaction of one block.
func (s *scenario) capture(d *datadriven.TestData) string {
	who := spaced(d.CmdArgs[0].Key)
	mode := Rollback
	if d.HasArg("proceed") {
		mode = Proceed
	}
	var events []*epcis.Event
	for _, line := range lines(d.Input) {
		events = append(events, s.event(d, line))
	}
	tx := s.net.tx(who, capture(s.t, mode, events...))
	for i, e := range tx.events {
		if _, known := s.labels[e.hash.String()]; !known {
			s.events++
			s.labels[e.hash.String()] = fmt.Sprintf("#%d", s.events)
		}
		if len(tx.events) == 1 {
			s.labels[tx.id.String()] = "of " + s.labels[e.hash.String()]
		} else if i == 0 {
			s.labels[tx.id.String()] = "with " + s.labels[e.hash.String()]
		}
	}
	if d.HasArg("as") { // the last event
		d.ScanArgs(s.t, "as", &s.lastAs)
		s.labels[tx.events[len(tx.events)-1].hash.String()] = s.lastAs
	}
	s.last = tx
	r := s.net.one(tx)
	return s.report(r)
}

// event reads "TYPE ACTION BIZSTEP key=value …".
func (s *scenario) event(d *datadriven.TestData, line string) *epcis.Event {
	f := strings.Fields(line)
	e := &epcis.Event{TimeZoneOffset: "+00:00", EventTime: epcis.NewTimestamp(s.net.timeMs + 60_000)}
	switch f[0] {
	case "object":
		e.Type = epcis.ObjectEvent
	case "aggregation":
		e.Type = epcis.AggregationEvent
	case "transaction":
		e.Type = epcis.TransactionEvent
		e.BizTransactions = []epcis.TypedRef{{Type: "po", ID: "urn:epcglobal:cbv:bt:0614141111114:123"}}
	case "transformation":
		e.Type = epcis.TransformationEvent
	case "association":
		e.Type = epcis.AssociationEvent
	default:
		d.Fatalf(s.t, "unknown event type in %q", line)
	}
	for _, w := range f[1:] {
		k, v, assigned := strings.Cut(w, "=")
		switch {
		case !assigned && strings.ToUpper(w) == w:
			e.Action = epcis.Action(w)
		case !assigned:
			e.BizStep = w
		default:
			s.field(d, e, k, v)
		}
	}
	return e
}

func (s *scenario) field(d *datadriven.TestData, e *epcis.Event, k, v string) {
	list := func() []string { return s.ids(strings.Split(v, ",")) }
	dest := func(typ string) {
		e.Destinations = append(e.Destinations, epcis.TypedRef{Type: typ, ID: s.id(v)})
	}
	switch k {
	case "epcs":
		e.EPCs = list()
	case "qty":
		e.Quantities = s.quantities(v)
	case "parent":
		e.ParentID = s.id(v)
	case "children":
		e.ChildEPCs = list()
	case "childqty":
		e.ChildQuantities = s.quantities(v)
	case "in":
		e.InputEPCs = list()
	case "inqty":
		e.InputQuantities = s.quantities(v)
	case "out":
		e.OutputEPCs = list()
	case "outqty":
		e.OutputQuantities = s.quantities(v)
	case "to":
		dest("possessing_party")
	case "owner":
		dest("owning_party")
	case "site":
		dest("location")
	case "place":
		e.BizLocation = &epcis.Location{ID: s.id(v)}
	case "id":
		e.EventID = "urn:uuid:" + v
	case "xid":
		e.TransformationID = "urn:epcglobal:cbv:xform:" + v
	case "disposition":
		e.Disposition = v
	case "cert":
		e.CertificationInfo = list()
	case "from":
		e.Sources = append(e.Sources, epcis.TypedRef{Type: "possessing_party", ID: s.id(v)})
	case "time":
		e.EventTime = epcis.NewTimestamp(s.net.timeMs + 60_000 + s.duration(v))
	case "at":
		e.EventTime = epcis.Timestamp{Text: v}
	case "expiry":
		e.Namespaces = []epcis.Namespace{{Prefix: "cbvmda", URI: "urn:epcglobal:cbv:mda:"}}
		e.ILMD = append(e.ILMD, epcis.Member{Name: "cbvmda:itemExpirationDate", Value: epcis.NewText(v)})
	case "lot":
		e.Namespaces = []epcis.Namespace{{Prefix: "cbvmda", URI: "urn:epcglobal:cbv:mda:"}}
		e.ILMD = append(e.ILMD, epcis.Member{Name: "cbvmda:lotNumber", Value: epcis.NewText(v)})
	case "wrong":
		s.declares(e).Reason = v
	case "corrects":
		for id := range strings.SplitSeq(v, ",") {
			s.declares(e).CorrectiveEventIDs = append(s.declares(e).CorrectiveEventIDs, "urn:uuid:"+id)
		}
	default:
		d.Fatalf(s.t, "unknown field %q", k)
	}
}

// quantities reads LOT:AMOUNT:UNIT, amount and unit optional, separated by commas.
func (s *scenario) quantities(v string) []epcis.Quantity {
	var out []epcis.Quantity
	for _, part := range strings.Split(v, ",") {
		f := strings.Split(part, "*")
		q := epcis.Quantity{Class: s.id(f[0])}
		if len(f) > 1 {
			uom := strings.TrimLeft(f[1], "0123456789.")
			n, err := epcis.ParseDecimal(strings.TrimSuffix(f[1], uom))
			if err != nil {
				s.t.Fatal(err)
			}
			q.Quantity = &n
			q.UOM = uom
		}
		out = append(out, q)
	}
	return out
}

// declares makes an event an error declaration.
func (s *scenario) declares(e *epcis.Event) *epcis.ErrorDeclaration {
	if e.ErrorDeclaration == nil {
		e.ErrorDeclaration = &epcis.ErrorDeclaration{DeclarationTime: epcis.NewTimestamp(s.net.timeMs + 60_000)}
	}
	return e.ErrorDeclaration
}

// attached prints what was attached to things and places, whenever that was.
func (s *scenario) attached(d *datadriven.TestData) string {
	var out []string
	for _, alias := range lines(d.Input) {
		list, err := ReadAttachments(s.net.view, s.id(alias), math.MinInt64, math.MaxInt64)
		if err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		out = append(out, fmt.Sprintf("%s: %d", alias, len(list)))
		for _, a := range list {
			until := ""
			if a.End != EndOpen {
				until = fmt.Sprintf(" to %s (%s)", clock(a.UntilMs), a.End)
			}
			out = append(out, s.relabel(fmt.Sprintf("  %s from %s%s", a.Device, clock(a.FromMs), until)))
		}
	}
	return strings.Join(out, "\n")
}

func clock(ms int64) string { return time.UnixMilli(ms).UTC().Format("15:04") }

func (s *scenario) wait(d *datadriven.TestData) string {
	s.net.timeMs += s.duration(d.CmdArgs[0].Key)
	return ""
}

// report prints a receipt: what a person is told.
func (s *scenario) report(r Receipt) string {
	var b strings.Builder
	switch {
	case r.OK():
		b.WriteString("accepted")
	default:
		b.WriteString("refused " + r.Finding.String())
	}
	for _, f := range r.Refused {
		fmt.Fprintf(&b, "\n  event %d refused %s", f.EventIndex, f)
	}
	for _, f := range r.Flags {
		fmt.Fprintf(&b, "\n  flag %s", f)
	}
	return s.relabel(b.String())
}

// relabel puts names where hashes and long identifiers are.
func (s *scenario) relabel(text string) string {
	for _, h := range sortedKeys(s.labels) {
		text = strings.ReplaceAll(text, h, s.labels[h])
	}
	for _, alias := range sortedKeys(s.names) {
		if c := canonical(s.names[alias]); len(c) > 20 {
			text = replaceID(text, c, "'"+alias+"'")
		}
	}
	return text
}

// replaceID replaces an identifier where it stands whole, not as the beginning of a longer one.
func replaceID(text, id, by string) string {
	var b strings.Builder
	for {
		at := strings.Index(text, id)
		if at < 0 {
			return b.String() + text
		}
		b.WriteString(text[:at])
		rest := text[at+len(id):]
		if rest != "" && (rest[0] == '/' || rest[0] >= '0' && rest[0] <= '9') {
			b.WriteString(id)
		} else {
			b.WriteString(by)
		}
		text = rest
	}
}

func (s *scenario) items(d *datadriven.TestData) string {
	var out []string
	for _, alias := range lines(d.Input) {
		item, err := ReadItem(s.net.view, s.id(alias))
		if err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		if item == nil {
			out = append(out, alias+": not on the ledger")
			continue
		}
		out = append(out, s.relabel(s.describe(alias, item)))
	}
	return strings.Join(out, "\n")
}

func (s *scenario) describe(alias string, item *Item) string {
	b := &blockRun{o: newOverlay(s.net.view)}
	text := fmt.Sprintf("%s: %s, held by %s, owned by %s, %d events", alias, item.State, b.orgName(item.Custodian), b.orgName(item.Owner), item.Chain.Count)
	if item.Parent != "" {
		text += ", in " + item.Parent
	}
	if item.State == StateInTransit {
		sh, err := ReadShipment(s.net.view, item.Shipment)
		if err != nil || sh == nil {
			s.t.Fatalf("%s is in no shipment: %v", alias, err)
		}
		text += ", under way to " + b.receiverName(sh)
	}
	if item.Place != "" {
		text += ", at " + item.Place
	}
	if item.Lot != "" {
		text += ", lot " + item.Lot
	}
	if d, n, err := ReadDisputeOf(s.net.view, item.ID); err != nil {
		s.t.Fatal(err)
	} else if d != nil {
		text += fmt.Sprintf(", in line %d of %s", n, d.ID)
	}
	for _, n := range item.Flags.Names() {
		text += ", " + n
	}
	return text
}

// lots prints where all of a lot is: loose by holder, packed by container, under way by shipment.
func (s *scenario) lots(d *datadriven.TestData) string {
	var out []string
	for _, alias := range lines(d.Input) {
		lot, err := ReadLot(s.net.view, s.id(alias))
		if err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		if lot == nil {
			out = append(out, alias+": not on the ledger")
			continue
		}
		text := fmt.Sprintf("%s: %d events", alias, lot.Chain.Count)
		for _, n := range lot.Flags.Names() {
			text += ", " + n
		}
		out = append(out, text)
		out = append(out, s.whereabouts(lot.ID)...)
	}
	return strings.Join(out, "\n")
}

func (s *scenario) whereabouts(lot string) []string {
	var out []string
	b := &blockRun{o: newOverlay(s.net.view)}
	show := func(where string, q PackedAmount) {
		if q.Lot != lot || (q.Amount.IsZero() && !q.Unmeasured) {
			return
		}
		text := "  " + q.Amount.String() + " " + q.Unit
		if q.Unmeasured {
			text += " and an unstated amount"
		}
		out = append(out, s.relabel(strings.TrimRight(text, " ")+" "+where))
	}
	for _, k := range sortedKeys(s.net.view) {
		raw := s.net.view[k]
		switch {
		case strings.HasPrefix(k, "bal/"+lot+"\x00"):
			rest := k[len("bal/"+lot+"\x00"):]
			bal := decode[Balance](s.t, raw)
			where := "loose with "
			if Status(rest[20]) == Held {
				where = "held by "
			}
			show(where+b.orgName(crypto.Address([]byte(rest[:20]))), PackedAmount{Lot: lot, Unit: rest[21:], Amount: bal.Amount, Unmeasured: bal.Unmeasured})
		case strings.HasPrefix(k, "contains/"):
			for _, q := range decode[Contents](s.t, raw).Quantities {
				show("in "+k[len("contains/"):], q)
			}
		case strings.HasPrefix(k, "dispute/"):
			d := decode[DisputeRecord](s.t, raw)
			for i, q := range d.Goods {
				if where := "missing at " + b.orgName(d.To); d.LineOpen(i) {
					if d.Lines[i].Kind == Damage {
						where = "rejected by " + b.orgName(d.To)
					}
					show(where, q)
				}
			}
		case strings.HasPrefix(k, "transfer/"):
			sh := decode[Shipment](s.t, raw)
			for _, q := range sh.Quantities {
				show("under way from "+b.orgName(sh.From)+" to "+b.receiverName(&sh), q)
			}
		}
	}
	return out
}

func decode[T any](t testing.TB, raw []byte) T {
	t.Helper()
	var rec T
	if err := crypto.Unmarshal(raw, &rec); err != nil {
		t.Fatal(err)
	}
	return rec
}
