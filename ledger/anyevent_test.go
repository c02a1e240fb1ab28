package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"waybill/crypto"
	"waybill/epcis"
)

// TestAnyEventKeepsTheBooks throws events of every shape at networks of every severity: nothing is an internal fault,
// and after every block the records of the state agree with each other.
func TestAnyEventKeepsTheBooks(t *testing.T) {
	codesSeen := map[Code]int{}
	property(t, func(rt *rapid.T) {
		p := anyParams(rt)
		g := testGenesis(p)
		for i := range orgs {
			a := orgAddress(i)
			g.Accounts = append(g.Accounts, GenesisAccount{Address: a, Balance: 1_000_000})
			if i == 2 {
				continue // an account that is no organisation
			}
			g.Organisations = append(g.Organisations, GenesisOrganisation{Address: a, Name: fmt.Sprint("org", i), Prefixes: []string{fmt.Sprint("952132", i)}})
		}
		net := newNet(t, g)
		m := &modelRun{t: rt, net: net}
		m.stockUp()
		var done []step
		for range rapid.IntRange(10, 60).Draw(rt, "events") {
			if rapid.IntRange(0, 7).Draw(rt, "notice") == 0 {
				codesSeen[m.anyNotice().Code]++
			}
			s := step{org: rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2}).Draw(rt, "author")}
			if rapid.IntRange(0, 3).Draw(rt, "quarrel") == 0 {
				s.payload = anyQuarrel(m)
			}
			if s.payload == nil {
				s.event = anyEvent(m)
			}
			if len(done) > 0 && rapid.IntRange(0, 4).Draw(rt, "declare") == 0 {
				s = rapid.SampledFrom(done).Draw(rt, "wrong")
				s.event = wrongly(s.event)
			}
			r := m.execute(s)
			if r.OK() && s.event != nil && s.event.ErrorDeclaration == nil {
				done = append(done, s)
			}
			if r.Code == CodeInternal {
				rt.Fatalf("internal: %s", r.Finding)
			}
			codesSeen[r.Code]++
			for _, f := range r.Flags {
				codesSeen[f.Code]++
			}
			checkBooks(rt, net.view)
		}
	})
	if len(codesSeen) < 12 || codesSeen[CodeOK] < 100 {
		t.Errorf("only %d kinds of findings came up, and %d events were accepted: the events are not varied enough", len(codesSeen), codesSeen[CodeOK])
	}
}

// stockUp gives two organisations something to begin with.
func (m *modelRun) stockUp() {
	for org := range 2 {
		e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
		e.EPCs = []string{modelItem(org, 1), modelItem(org, 2), modelBox(org, 1)}
		e.Quantities = append(kilosOf(modelLot(org, 1), 20), kilosOf(modelLot(org, 2), 20)...)
		if r := m.execute(step{org: org, event: e}); !r.OK() {
			m.t.Fatalf("%s", r.Finding)
		}
	}
}

// anyNotice gives a notice, or releases one, or answers one.
func (m *modelRun) anyNotice() Receipt {
	var ids []crypto.Hash
	for _, k := range sortedKeys(m.net.view) {
		if id, ok := strings.CutPrefix(k, "notice/"); ok {
			ids = append(ids, crypto.Hash([]byte(id)))
		}
	}
	n := &noticeModel{t: m.t, net: m.net, n: m.n}
	m.n++
	name := m.pick("by", "org0", "org0", "org1", "org2", "registrar")
	if len(ids) > 0 && rapid.Bool().Draw(m.t, "an old one") {
		id := rapid.SampledFrom(ids).Draw(m.t, "which")
		if rapid.Bool().Draw(m.t, "release") {
			r, _ := n.run(name, &ReleaseNotice{Notice: id})
			return r
		}
		r, _ := n.run(name, &AcknowledgeNotice{Notice: id, Status: AckStopped})
		return r
	}
	typ := NoticeType(rapid.IntRange(1, 4).Draw(m.t, "type"))
	r, _ := n.run(name, &Notice{Type: typ, Subjects: []string{m.pick("subject", m.anyName(), m.anyLot(), modelClass(0, 1))}, Reason: "any"})
	return r
}

func anyParams(rt *rapid.T) Params {
	p := DefaultParams()
	if rapid.Bool().Draw(rt, "adopt") {
		p = AdoptParams()
	}
	p.VoidDelayMs = 0
	for _, r := range []*Severity{&p.Rules.R2, &p.Rules.R3, &p.Rules.R4, &p.Rules.R5, &p.Rules.R6, &p.Rules.R7, &p.Rules.R8, &p.Rules.R9, &p.Rules.R10, &p.Rules.R11, &p.Rules.R12, &p.Rules.R13, &p.Rules.R15} {
		if rapid.IntRange(0, 2).Draw(rt, "change a severity") == 0 {
			*r = Severity(rapid.IntRange(0, 2).Draw(rt, "severity"))
		}
	}
	return p
}

// anyEvent makes a valid event about few things, so that they meet.
func anyEvent(m *modelRun) *epcis.Event {
	typ := rapid.SampledFrom([]epcis.EventType{1, 1, 2, 2, 2, 3, 4, 5}).Draw(m.t, "type")
	e := m.event(typ, epcis.Action(m.pick("action", "ADD", "OBSERVE", "DELETE")),
		m.pick("step", "shipping", "receiving", "void_shipping", "packing", "packing", "packing", "commissioning", "departing", "accepting", "destroying", "holding", "storing", "cycle_counting"))
	for _, role := range []string{"possessing_party", "owning_party"} {
		if rapid.IntRange(0, 2).Draw(m.t, role) == 0 {
			id := m.pick("party", partyOf(0), partyOf(1), "urn:epc:id:pgln:9599999.00000", "urn:example:party:x")
			e.Destinations = append(e.Destinations, epcis.TypedRef{Type: role, ID: id})
		}
	}
	things := func() []string {
		return rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) string {
			return (&modelRun{t: t}).anyName()
		}), 1, 2, func(s string) string { return s }).Draw(m.t, "things")
	}
	lots := func() []epcis.Quantity {
		var out []epcis.Quantity
		for range max(0, rapid.IntRange(-2, 2).Draw(m.t, "quantities")) {
			q := kilosOf(m.anyLot(), m.kilos())[0]
			switch rapid.IntRange(0, 4).Draw(m.t, "form") {
			case 0:
				q.Quantity, q.UOM = nil, ""
			case 1:
				q.UOM = "LTR"
			}
			out = append(out, q)
		}
		return out
	}
	switch typ {
	case epcis.ObjectEvent:
		e.EPCs, e.Quantities = things(), lots()
	case epcis.TransactionEvent:
		e.BizTransactions = []epcis.TypedRef{{Type: "po", ID: "urn:example:po:1"}}
		e.EPCs, e.Quantities = things(), lots()
	case epcis.AggregationEvent, epcis.AssociationEvent:
		e.ParentID, e.ChildEPCs, e.ChildQuantities = m.anyName(), things(), lots()
		if e.Action == "DELETE" && rapid.Bool().Draw(m.t, "all") {
			e.ChildEPCs, e.ChildQuantities = nil, nil
		}
	case epcis.TransformationEvent:
		e.Action = ""
		e.InputEPCs, e.InputQuantities, e.OutputEPCs, e.OutputQuantities = things(), lots(), things(), lots()
		if rapid.Bool().Draw(m.t, "shared") {
			e.TransformationID = m.pick("transformation", "urn:example:x:1", "urn:example:x:2")
		}
	}
	return e
}

func (m *modelRun) anyName() string {
	switch rapid.IntRange(0, 15).Draw(m.t, "what") {
	case 0:
		return "urn:example:thing:1"
	case 1:
		return "urn:epc:id:sgtin:9599999.000001.1"
	case 2:
		return m.anyLot() // a class where a thing belongs
	}
	org, n := rapid.IntRange(0, 1).Draw(m.t, "of"), rapid.IntRange(1, 2).Draw(m.t, "n")
	if rapid.Bool().Draw(m.t, "a box") {
		return modelBox(org, n)
	}
	return modelItem(org, n)
}

// failer is a test or a run of rapid.
type failer interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// checkBooks reads the raw state and holds records against each other.
func checkBooks(t failer, v mapView) {
	items, contents, shipments := map[string]Item{}, map[string]Contents{}, map[crypto.Hash]Shipment{}
	for k, raw := range v {
		space, rest, _ := strings.Cut(k, "/")
		switch space {
		case "obj":
			items[rest] = decodeAt[Item](t, k, raw)
		case "contains":
			contents[rest] = decodeRaw[Contents](t, raw)
		case "transfer":
			s := decodeAt[Shipment](t, k, raw)
			shipments[s.Event] = s
		case "bal":
			if b := decodeRaw[Balance](t, raw); b.Amount.Coefficient < 0 {
				t.Fatalf("%q is below zero: %+v", k, b)
			}
		}
	}
	checkNotices(t, v)
	underWay := map[crypto.Hash]uint64{}
	for id, item := range items {
		checkItem(t, id, item, items, contents)
		if item.State == StateInTransit {
			underWay[item.Shipment]++
		}
	}
	for id, c := range contents {
		if len(c.Items)+len(c.Quantities) == 0 {
			t.Fatalf("%s has a record of no contents", id)
		}
		for _, child := range c.Items {
			if items[child].Parent != id {
				t.Fatalf("%s contains %s, which is in %q", id, child, items[child].Parent)
			}
		}
	}
	for event, s := range shipments {
		if s.OpenItems != underWay[event] {
			t.Fatalf("shipment %s says %d things, %d are under way", event, s.OpenItems, underWay[event])
		}
		delete(underWay, event)
		if open := s.OpenItems > 0 || len(s.Quantities) > 0; open != (s.State == ShipmentOpen) && s.State != ShipmentDisputed {
			t.Fatalf("shipment is %s: %+v", s.State, s)
		}
		checkTransit(t, v, s)
	}
	if len(underWay) > 0 {
		t.Fatalf("things are under way in shipments that are not there: %v", underWay)
	}
	for k, raw := range v {
		if strings.HasPrefix(k, "transit/") {
			at, err := ParseTransitKey([]byte(k))
			if err != nil {
				t.Fatal(err)
			}
			for _, event := range decodeRaw[Transit](t, raw).Shipments {
				if s := shipments[event]; !shipmentHas(s, at.Lot, at.Unit) || s.From != at.From || s.toward() != at.To {
					t.Fatalf("transit %+v lists a shipment that has none: %+v", at, s)
				}
			}
		}
	}
	checkLanes(t, v)
}

// checkLanes holds the lists of receivers and of shippers against the lists of shipments.
func checkLanes(t failer, v mapView) {
	want := map[string][]crypto.Address{}
	for k := range v {
		if !strings.HasPrefix(k, "transit/") {
			continue
		}
		at, err := ParseTransitKey([]byte(k))
		if err != nil {
			t.Fatal(err)
		}
		to, from := string(receiversKey(at.Lot, at.Unit, at.From)), string(shippersKey(at.Lot, at.Unit, at.To))
		want[to], want[from] = append(want[to], at.To), append(want[from], at.From)
	}
	for k, list := range want {
		slices.SortFunc(list, compareAddresses)
		if got := decodeRaw[parties](t, v[k]).List; !slices.Equal(got, list) {
			t.Fatalf("%q lists %s, want %s", k, got, list)
		}
	}
	for k := range v {
		if (strings.HasPrefix(k, "receivers/") || strings.HasPrefix(k, "shippers/")) && want[k] == nil {
			t.Fatalf("%q lists somebody, and nothing is under way there", k)
		}
	}
}

func checkItem(t failer, id string, item Item, items map[string]Item, contents map[string]Contents) {
	if item.ID != id || item.Chain.Count == 0 {
		t.Fatalf("%s: %+v", id, item)
	}
	// What was lost or destroyed at the end of a dispute keeps what is in it.
	if _, full := contents[id]; item.State.ended() && (full && item.State != StateLost && item.State != StateDestroyed || item.Parent != "") {
		t.Fatalf("%s ended with contents or a container: %+v", id, item)
	}
	if (item.State == StateInTransit || item.State.disputed()) == item.Shipment.IsZero() {
		t.Fatalf("%s: state and shipment disagree: %+v", id, item)
	}
	if item.Custodian.IsZero() != (item.State == StateObserved) {
		t.Fatalf("%s: held by %s and %s", id, item.Custodian, item.State)
	}
	if item.Parent == "" {
		return
	}
	if item.State != StateActive {
		t.Fatalf("%s is packed and %s", id, item.State)
	}
	depth := 0
	for at := id; items[at].Parent != ""; at = items[at].Parent {
		parent := items[at].Parent
		p, ok := items[parent]
		if !ok || p.State.ended() && p.State != StateLost && p.State != StateDestroyed || depth > maxPackingDepth {
			t.Fatalf("%s is packed in %s, which is %+v", at, parent, p)
		}
		found := false
		for _, c := range contents[parent].Items {
			found = found || c == at
		}
		if !found {
			t.Fatalf("%s says it is in %s, which does not list it", at, parent)
		}
		depth++
	}
	if root := rootOf(id, items); int(items[root].Levels) < depth {
		t.Fatalf("%s is %d levels deep, %s knows of %d", id, depth, root, items[root].Levels)
	}
}

func rootOf(id string, items map[string]Item) string {
	for items[id].Parent != "" {
		id = items[id].Parent
	}
	return id
}

func shipmentHas(s Shipment, lot, unit string) bool {
	for _, q := range s.Quantities {
		if q.Lot == lot && q.Unit == unit {
			return true
		}
	}
	return false
}

func checkTransit(t failer, v mapView, s Shipment) {
	for _, q := range s.Quantities {
		tr := decodeRaw[Transit](t, v[string(TransitKey(q.Lot, q.Unit, s.From, s.toward()))])
		n := 0
		for _, event := range tr.Shipments {
			if event == s.Event {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("shipment %s of %s stands %d times in the list of what is under way", s.Event, q.Lot, n)
		}
	}
}

// checkNotices holds the counters of notices, and the lists of what is under them, against the notices themselves.
func checkNotices(t failer, v mapView) {
	open, by, waiting := uint64(0), map[string]uint64{}, 0
	for k, raw := range v {
		space, rest, _ := strings.Cut(k, "/")
		switch space {
		case "notice":
			rec := decodeRaw[NoticeRecord](t, raw)
			if string(rec.ID[:]) != rest || rec.Released.IsZero() != (rec.ReleasedAt == 0) {
				t.Fatalf("notice %x: %+v", rest, rec)
			}
			if rec.blocks() {
				open++
			}
			if rec.Released.IsZero() {
				by[string(rec.Issuer[:])]++
			}
		case "hold", "linkhold":
			h := decodeRaw[Hold](t, raw)
			for i, id := range h.Notices {
				if _, ok := v[string(NoticeKey(id))]; !ok || i > 0 && compareHashes(h.Notices[i-1], id) >= 0 {
					t.Fatalf("%q is under %v", k, h.Notices)
				}
			}
		case "turn", "follow", "following":
			waiting++
		}
	}
	all, err := ReadNotices(v)
	if err != nil {
		t.Fatal(err)
	}
	if all == nil {
		all = &Notices{}
	}
	if all.Open != open || all.Head != all.Tail || waiting > 0 {
		t.Fatalf("%d notices are open and %d entries wait, the books say %+v", open, waiting, all)
	}
	for k, raw := range v {
		if a, ok := strings.CutPrefix(k, "noticesby/"); ok && decodeRaw[uint64](t, raw) != by[a] {
			t.Fatalf("%x has %d open notices, the books say %x", a, by[a], raw)
		}
	}
}
