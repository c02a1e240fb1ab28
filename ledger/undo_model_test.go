package ledger

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
)

// The model of undoing is forgetting: a network that was only ever told the events that still stand must be in the same
// state as one that was told all of them, and which of them were wrong.

// told is an event that a network accepted.
type told struct {
	org    int
	event  *epcis.Event
	height quorum.Height
	timeMs int64
	idle   bool // it changed nothing
	undone bool
}

type undoModel struct {
	*modelRun
	log      []*told
	undone   int
	tainted  int
	declared map[*told]bool
	codes    map[Code]int
}

// TestUndoneIsNeverTold declares events of all types erroneous at random, and compares with a replay without those that were
// undone.
func TestUndoneIsNeverTold(t *testing.T) {
	operations, undone, tainted := 0, 0, 0
	codes := map[Code]int{}
	property(t, func(rt *rapid.T) {
		net := undoNet(t, rt)
		m := &undoModel{modelRun: &modelRun{t: rt, net: net}, declared: map[*told]bool{}, codes: codes}
		genesis := net.view.clone()
		m.stockTheOrgs()
		for range rapid.IntRange(150, 450).Draw(rt, "acts") {
			operations++
			if len(m.log) > 0 && rapid.IntRange(0, 4).Draw(rt, "declare") == 0 {
				m.declare()
			} else {
				m.tell(rapid.IntRange(0, 1).Draw(rt, "author"), undoEvent(m.modelRun))
			}
			checkBooks(rt, net.view)
		}
		m.compareWithReplay(genesis)
		undone, tainted = undone+m.undone, tainted+m.tainted
	})
	t.Logf("%d operations: %d events undone, %d tainted; %v", operations, undone, tainted, codes)
	least := 20_000
	if testing.Short() {
		least = 2_000
	}
	if operations < least || undone < operations/50 || tainted < operations/200 {
		t.Errorf("%d operations, %d undone, %d tainted: not mixed enough", operations, undone, tainted)
	}
}

// undoNet refuses whatever breaks a rule: an event that is only flagged may have effects in a replay that it had not.
func undoNet(t *testing.T, rt *rapid.T) *testNet {
	p := DefaultParams()
	p.VoidDelayMs = 0
	p.Rules.R8 = rapid.SampledFrom([]Severity{Flagged, Reject}).Draw(rt, "R8")
	p.Rules.R9 = rapid.SampledFrom([]Severity{Flagged, Reject}).Draw(rt, "R9")
	g := testGenesis(p)
	for i := range 2 {
		a := orgAddress(i)
		g.Accounts = append(g.Accounts, GenesisAccount{Address: a, Balance: 1_000_000})
		g.Organisations = append(g.Organisations, GenesisOrganisation{Address: a, Name: fmt.Sprint("org", i), Prefixes: []string{fmt.Sprint("952132", i)}})
	}
	return newNet(t, g)
}

func (m *undoModel) stockTheOrgs() {
	for org := range 2 {
		for n := 1; n <= 2; n++ {
			e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
			e.EPCs, e.Quantities = []string{modelItem(org, n), modelBox(org, n)}, kilosOf(modelLot(org, n), 20)
			m.tell(org, e)
		}
	}
}

// tell records an event.
func (m *undoModel) tell(org int, e *epcis.Event) {
	before := standingState(m.t, m.net.view)
	r := m.execute(step{org: org, event: e})
	if r.Code == CodeInternal {
		m.t.Fatalf("internal: %s", r.Finding)
	}
	if r.OK() {
		idle := true
		if rec, err := read[undoRecord](m.net.view, undoKey(r.Tx)); err != nil {
			m.t.Fatal(err)
		} else if rec != nil {
			// An event that moved nothing may name what is not on the ledger any more: it would be refused in the replay.
			idle = rec.Events[0].Known && (len(rec.Events[0].Notes) == 0 || maps.Equal(before, standingState(m.t, m.net.view)))
		}
		m.log = append(m.log, &told{org: org, event: e, height: m.net.height, timeMs: m.net.timeMs, idle: idle})
	}
}

// declare says that an event was wrong, usually a late one.
func (m *undoModel) declare() {
	back := rapid.IntRange(1, len(m.log)).Draw(m.t, "which")
	if rapid.IntRange(0, 3).Draw(m.t, "recent") > 0 {
		back = min(back, 1+back%6)
	}
	wrong := m.log[len(m.log)-back]
	e := *wrong.event
	e.ErrorDeclaration = &epcis.ErrorDeclaration{DeclarationTime: epcis.NewTimestamp(m.net.timeMs), Reason: "incorrect_data"}
	r := m.execute(step{org: wrong.org, event: &e})
	if !r.OK() {
		if r.Code == CodeEventIDTaken && m.declared[wrong] {
			return // an event with an id is declared once
		}
		m.t.Fatalf("declaration refused: %s", r.Finding)
	}
	m.declared[wrong] = true
	mark, err := ReadEventMark(m.net.view, orgAddress(wrong.org), wrong.event.Hash())
	if err != nil || mark == nil || mark.DeclaredBy != e.Hash() && !wrong.undone {
		m.t.Fatalf("mark %+v, %v", mark, err)
	}
	for _, f := range r.Flags {
		m.codes[f.Code]++
	}
	if mark.Undone && !wrong.undone {
		wrong.undone = true
		m.undone++
	} else if !mark.Undone {
		m.tainted++
	}
}

// compareWithReplay tells another network what still stands, at the same heights and times.
func (m *undoModel) compareWithReplay(genesis mapView) {
	other := &testNet{t: m.net.t, genesis: m.net.genesis, hash: m.net.hash, view: genesis, total: m.net.total}
	replay := &modelRun{t: m.t, net: other}
	for _, e := range m.log {
		if e.undone {
			continue
		}
		other.height, other.timeMs = e.height-1, e.timeMs-60_000
		if r := replay.execute(step{org: e.org, event: e.event}); !r.OK() && !e.idle {
			m.t.Fatalf("%s\nstood, and without what was undone it is refused: %s", describeTold(m.log, e), r.Finding)
		}
	}
	got, want := standingState(m.t, m.net.view), standingState(m.t, other.view)
	for _, k := range sortedKeys(got) {
		if got[k] != want[k] {
			m.t.Fatalf("%s\n%q is\n%s\nand would be\n%s", describeTold(m.log, nil), k, got[k], want[k])
		}
	}
	for _, k := range sortedKeys(want) {
		if got[k] == "" {
			m.t.Fatalf("%s\n%q is not there and would be\n%s", describeTold(m.log, nil), k, want[k])
		}
	}
}

func describeTold(log []*told, until *told) string {
	var b strings.Builder
	for _, e := range log {
		fmt.Fprintf(&b, "%d org%d undone=%t %s %s %s %s parent=%s epcs=%v children=%v in=%v out=%v q=%v cq=%v iq=%v oq=%v to=%v x=%s\n", e.height, e.org, e.undone, e.event.EventID,
			e.event.Type, e.event.Action, e.event.BizStep, e.event.ParentID, e.event.EPCs, e.event.ChildEPCs, e.event.InputEPCs, e.event.OutputEPCs,
			amounts(e.event.Quantities), amounts(e.event.ChildQuantities), amounts(e.event.InputQuantities), amounts(e.event.OutputQuantities), e.event.Destinations, e.event.TransformationID)
		if e == until {
			break
		}
	}
	return b.String()
}

func amounts(list []epcis.Quantity) []string {
	var out []string
	for _, q := range list {
		n := "?"
		if q.Quantity != nil {
			n = q.Quantity.String()
		}
		out = append(out, q.Class+"*"+n)
	}
	return out
}

// standingState is what the state says, less what undoing leaves: chains and marks, counters, what was seen where, names of
// lots, and empty records.
func standingState(t *rapid.T, v mapView) map[string]string {
	out := map[string]string{}
	for k, raw := range v {
		space, rest, _ := strings.Cut(k, "/")
		text := ""
		switch space {
		case "obj":
			text = standingItem(t, v, decodeAt[Item](t, k, raw))
		case "contains":
			text = fmt.Sprintf("%+v", decodeRaw[Contents](t, raw))
		case "bal":
			if b := decodeRaw[Balance](t, raw); !b.Amount.IsZero() || b.Unmeasured {
				text = fmt.Sprintf("%+v %t", b.Amount, b.Unmeasured)
			}
		case "transfer":
			s := decodeAt[Shipment](t, k, raw)
			s.Tx = crypto.Hash{} // transactions are salted
			text = fmt.Sprintf("%+v", s)
		case "receivers", "shippers":
			text = fmt.Sprintf("%+v", decodeRaw[parties](t, raw))
		case "transit":
			text = fmt.Sprintf("%+v", decodeRaw[Transit](t, raw))
		case "link":
			text = fmt.Sprintf("%+v", decodeRaw[Link](t, raw))
		case "assoc":
			if a := decodeRaw[Associations](t, raw); len(a.Intervals) > 0 {
				text = fmt.Sprintf("%+v", a.Intervals)
			}
		case "attached":
			if a := decodeRaw[Attached](t, raw); len(a.Now)+len(a.Before) > 0 {
				slices.Sort(a.Before)
				text = fmt.Sprintf("%v %v %t", a.Now, a.Before, a.More)
			}
		case "made", "used", "use":
			k, text = space+"/"+rest[:len(rest)-9], standingEdges(t, v, space, rest[:len(rest)-9])
		}
		if text != "" {
			out[k] = text
		}
	}
	return out
}

func standingItem(t *rapid.T, v mapView, item Item) string {
	if item.Flags&FlagUndone != 0 {
		return ""
	}
	whole, err := ReadItem(v, item.ID)
	if err != nil {
		t.Fatal(err)
	}
	item.Owner = whole.Owner // OwnerSince and PackedSince count events
	item.OwnerSince, item.PackedSince, item.Chain, item.Moves = 0, 0, Chain{}, 0
	item.Flags &^= FlagTainted
	item.Place, item.Disposition, item.LastEvent, item.LastHeight = "", "", crypto.Hash{}, 0
	return fmt.Sprintf("%+v", item)
}

// standingEdges lists the edges of a thing in their order, without blank ones.
func standingEdges(t *rapid.T, v mapView, space, id string) string {
	var out []string
	var keys []string
	for k := range v {
		if rest, ok := strings.CutPrefix(k, space+"/"+id+"\x00"); ok && len(rest) == 8 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return bytes.Compare([]byte(a), []byte(b)) })
	for _, k := range keys {
		if space == "use" {
			if h := decodeRaw[crypto.Hash](t, v[k]); !h.IsZero() {
				out = append(out, h.String())
			}
		} else if e := decodeRaw[Edge](t, v[k]); !e.Event.IsZero() {
			out = append(out, fmt.Sprintf("%+v", e))
		}
	}
	return strings.Join(out, "; ")
}

// undoEvent makes an event that often takes effect. Stock is held, released and counted without containers: what is in
// those counts by being named, which leaves no trace.
func undoEvent(m *modelRun) *epcis.Event {
	org := rapid.IntRange(0, 1).Draw(m.t, "whose")
	thing := func() string {
		n := rapid.IntRange(1, 2).Draw(m.t, "n")
		if rapid.Bool().Draw(m.t, "a box") {
			return modelBox(org, n)
		}
		return modelItem(org, n)
	}
	lots := func() []epcis.Quantity {
		q := kilosOf(modelLot(org, rapid.IntRange(1, 2).Draw(m.t, "lot")), rapid.Int64Range(1, 9).Draw(m.t, "kilos"))
		if rapid.IntRange(0, 9).Draw(m.t, "unstated") == 0 {
			q[0].Quantity, q[0].UOM = nil, ""
		}
		return q
	}
	both := func() (epcs []string, quantities []epcis.Quantity) {
		what := rapid.IntRange(0, 4).Draw(m.t, "what")
		if what != 0 {
			epcs = []string{thing()}
		}
		if what < 2 {
			quantities = lots()
		}
		return epcs, quantities
	}
	to := []epcis.TypedRef{{Type: m.pick("role", "possessing_party", "owning_party"), ID: partyOf(rapid.IntRange(0, 1).Draw(m.t, "to"))}}
	switch m.pick("kind", "born", "born", "destroy", "ship", "ship", "receive", "receive", "void", "pack", "pack", "unpack", "transform", "attach", "detach", "stock", "see") {
	case "born":
		e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
		e.EPCs, e.Quantities = both()
		return e
	case "destroy":
		e := m.event(epcis.ObjectEvent, "DELETE", "destroying")
		e.EPCs, e.Quantities = both()
		return e
	case "ship":
		e := m.event(epcis.ObjectEvent, "OBSERVE", "shipping")
		e.EPCs, e.Quantities = both()
		e.Destinations = to
		return e
	case "receive":
		e := m.event(epcis.ObjectEvent, "OBSERVE", "receiving")
		e.EPCs, e.Quantities = both()
		return e
	case "void":
		e := m.event(epcis.ObjectEvent, "OBSERVE", "void_shipping")
		e.EPCs, e.Quantities = both()
		return e
	case "pack", "unpack":
		return undoPacking(m, modelBox(org, rapid.IntRange(1, 2).Draw(m.t, "parent")), both)
	case "transform":
		e := m.event(epcis.TransformationEvent, "", "creating_class_instance")
		e.InputEPCs, e.InputQuantities = both()
		org = rapid.IntRange(0, 1).Draw(m.t, "whose product")
		e.OutputEPCs, e.OutputQuantities = both()
		if rapid.Bool().Draw(m.t, "shared") {
			e.TransformationID = m.pick("transformation", "urn:example:x:1", "urn:example:x:2")
		}
		return e
	case "attach", "detach":
		e := m.event(epcis.AssociationEvent, epcis.Action(m.pick("action", "ADD", "ADD", "DELETE")), "installing")
		e.ParentID, e.ChildEPCs = modelBox(org, rapid.IntRange(1, 2).Draw(m.t, "parent")), []string{modelItem(org, rapid.IntRange(1, 2).Draw(m.t, "device"))}
		if e.Action == "DELETE" && rapid.Bool().Draw(m.t, "all") {
			e.ChildEPCs = nil
		}
		e.EventTime = epcis.NewTimestamp(m.net.timeMs + rapid.Int64Range(-20, 1).Draw(m.t, "minutes")*60_000)
		return e
	case "stock":
		e := m.event(epcis.ObjectEvent, "OBSERVE", m.pick("step", "holding", "storing", "cycle_counting"))
		e.Quantities = lots()
		return e
	}
	e := m.event(epcis.ObjectEvent, "OBSERVE", "inspecting")
	e.EPCs, e.Quantities = both()
	return e
}

func undoPacking(m *modelRun, box string, both func() ([]string, []epcis.Quantity)) *epcis.Event {
	e := m.event(epcis.AggregationEvent, epcis.Action(m.pick("action", "ADD", "ADD", "DELETE")), "packing")
	e.ParentID = box
	e.ChildEPCs, e.ChildQuantities = both()
	if e.Action == "DELETE" && rapid.Bool().Draw(m.t, "all") {
		e.ChildEPCs, e.ChildQuantities = nil, nil
	}
	return e
}
