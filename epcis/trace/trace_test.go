package trace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"waybill/epcis"
)

// world is a ledger of events written by hand. Its methods append one event each, an hour after the last.
type world struct {
	t      *testing.T
	events []*epcis.Event
	metas  []Meta
	refs   []Ref
	hour   int64
	org    string
}

func newWorld(t *testing.T) *world { return &world{t: t} }

func (w *world) by(org string) *world { w.org = org; return w }

func (w *world) add(e *epcis.Event) *epcis.Event {
	w.hour++
	if e.EventTime.IsZero() {
		e.EventTime = epcis.NewTimestamp(w.hour * 3_600_000)
	}
	e.TimeZoneOffset = "+00:00"
	w.events = append(w.events, e)
	w.metas = append(w.metas, Meta{Hash: fmt.Sprintf("hash%d", len(w.events)), Tx: "tx", TimeMs: w.hour * 3_600_000, Author: "author of " + w.org, Org: w.org})
	w.refs = append(w.refs, Ref{Height: uint64(len(w.events))})
	return e
}

func at(gln string) *epcis.Location { return &epcis.Location{ID: gln} }

func parties(kind string, ids ...string) []epcis.TypedRef {
	var refs []epcis.TypedRef
	for _, id := range ids {
		if id != "" {
			refs = append(refs, epcis.TypedRef{Type: kind, ID: id})
		}
	}
	return refs
}

// amounts reads "id=12.5KGM" or "id=3".
func amounts(list ...string) []epcis.Quantity {
	var out []epcis.Quantity
	for _, s := range list {
		id, amount, found := strings.Cut(s, "=")
		q := epcis.Quantity{Class: id}
		if found {
			number := strings.TrimRight(amount, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
			d, err := epcis.ParseDecimal(number)
			if err != nil {
				panic(err)
			}
			q.Quantity, q.UOM = &d, amount[len(number):]
		}
		out = append(out, q)
	}
	return out
}

// split tells amounts ("id=…", or a class) from instances.
func split(things []string) (epcs []string, quantities []epcis.Quantity) {
	for _, s := range things {
		if strings.Contains(s, "=") || strings.Contains(s, ":class:") {
			quantities = append(quantities, amounts(s)...)
		} else {
			epcs = append(epcs, s)
		}
	}
	return epcs, quantities
}

func (w *world) object(action epcis.Action, step, place string, things ...string) *epcis.Event {
	e := &epcis.Event{Type: epcis.ObjectEvent, Action: action, BizStep: step, ReadPoint: at(place)}
	e.EPCs, e.Quantities = split(things)
	return w.add(e)
}

func (w *world) born(place string, things ...string) *epcis.Event {
	return w.object(epcis.ActionAdd, "commissioning", place, things...)
}

func (w *world) ship(from, to, place string, things ...string) *epcis.Event {
	e := w.object(epcis.ActionObserve, "shipping", place, things...)
	e.Sources, e.Destinations = parties("possessing_party", from), parties("possessing_party", to)
	return e
}

func (w *world) receive(from, to, place string, things ...string) *epcis.Event {
	e := w.object(epcis.ActionObserve, "receiving", place, things...)
	e.BizLocation = at(place)
	e.Sources, e.Destinations = parties("possessing_party", from), parties("possessing_party", to)
	return e
}

func (w *world) aggregate(action epcis.Action, step, place, parent string, children ...string) *epcis.Event {
	e := &epcis.Event{Type: epcis.AggregationEvent, Action: action, BizStep: step, ReadPoint: at(place), ParentID: parent}
	e.ChildEPCs, e.ChildQuantities = split(children)
	return w.add(e)
}

func (w *world) pack(place, parent string, children ...string) *epcis.Event {
	return w.aggregate(epcis.ActionAdd, "packing", place, parent, children...)
}

func (w *world) unpack(place, parent string, children ...string) *epcis.Event {
	return w.aggregate(epcis.ActionDelete, "unpacking", place, parent, children...)
}

func (w *world) make(place string, inputs, outputs []string) *epcis.Event {
	e := &epcis.Event{Type: epcis.TransformationEvent, BizStep: "commissioning", ReadPoint: at(place)}
	e.InputEPCs, e.InputQuantities = split(inputs)
	e.OutputEPCs, e.OutputQuantities = split(outputs)
	return w.add(e)
}

func lotILMD(lot string) epcis.Extensions {
	return epcis.Extensions{{Name: "cbvmda:lotNumber", Value: epcis.NewText(lot)}}
}

// EventsOf implements Source.
func (w *world) EventsOf(_ context.Context, keys []string, limit int) ([][]Ref, error) {
	lists := make([][]Ref, len(keys))
	for i, e := range w.events {
		mentions := mentionsOf(spellings{}, e)
		for k, key := range keys {
			if slices.ContainsFunc(mentions, func(m mention) bool { return m.key == key }) {
				lists[k] = append(lists[k], w.refs[i])
			}
		}
	}
	for k := range lists {
		slices.SortFunc(lists[k], Ref.Compare)
		lists[k] = lists[k][:min(limit, len(lists[k]))]
	}
	return lists, nil
}

// Events implements Source.
func (w *world) Events(_ context.Context, refs []Ref) ([]Recorded, error) {
	out := make([]Recorded, len(refs))
	for k, ref := range refs {
		i := slices.Index(w.refs, ref)
		if i < 0 {
			return nil, errors.New("no such event")
		}
		out[k] = Recorded{Event: w.events[i], Meta: w.metas[i]}
	}
	return out, nil
}

func (w *world) back(item string) *Graph    { w.t.Helper(); return w.trace(Back, item) }
func (w *world) forward(item string) *Graph { w.t.Helper(); return w.trace(Forward, item) }

type tracer func(context.Context, Source, string, Limits) (*Graph, error)

func (w *world) trace(f tracer, item string) *Graph {
	w.t.Helper()
	g, err := f(w.t.Context(), w, item, Limits{})
	if err != nil {
		w.t.Fatalf("trace of %s: %v", item, err)
	}
	checkGraph(w.t, g)
	return g
}

// checkGraph holds for every answer: ids refer, indexes are in range, histories and edges are in order.
func checkGraph(t *testing.T, g *Graph) {
	t.Helper()
	if g.Node(g.Root) == nil {
		t.Fatalf("the root %s is not in the graph", g.Root)
	}
	for _, n := range g.Nodes {
		for i, v := range n.Events {
			if v.Event < 0 || v.Event >= len(g.Events) {
				t.Fatalf("%s: event %d of %d", n.ID, v.Event, len(g.Events))
			}
			if i > 0 && n.Events[i-1].Event > v.Event {
				t.Fatalf("%s: history out of order", n.ID)
			}
		}
	}
	for _, e := range g.Edges {
		if g.Node(e.From) == nil || g.Node(e.To) == nil {
			t.Fatalf("edge %s → %s leads out of the graph", e.From, e.To)
		}
		if len(e.Events) == 0 {
			t.Fatalf("edge %s → %s stands on no event", e.From, e.To)
		}
	}
}

// items lists the nodes with one of the roles, in the spelling of the test.
func items(g *Graph, roles ...Role) []string {
	var out []string
	for _, n := range g.Nodes {
		if slices.Contains(roles, n.Role) {
			out = append(out, n.ID)
		}
	}
	slices.Sort(out)
	return out
}

func keys(ids ...string) []string {
	var out []string
	for _, id := range ids {
		out = append(out, Key(id))
	}
	slices.Sort(out)
	return out
}

func wantItems(t *testing.T, g *Graph, roles []Role, ids ...string) {
	t.Helper()
	if got, want := items(g, roles...), keys(ids...); !slices.Equal(got, want) {
		t.Errorf("%s trace of %s, %v:\n got  %s\n want %s", g.Direction, g.Root, roles, strings.Join(got, "\n      "), strings.Join(want, "\n      "))
	}
}

var (
	lineage = []Role{RoleLineage, RoleContent}
	carrier = []Role{RoleCarrier}
)

// The people and things of the lettuce chain. 952… are the company prefixes that GS1 keeps for examples.
const (
	farmA    = "urn:epc:class:lgtin:9521001.000001.A-0601"
	farmB    = "urn:epc:class:lgtin:9521002.000001.B-0601"
	packed   = "urn:epc:class:lgtin:9521004.000011.P-0602"
	salad    = "urn:epc:class:lgtin:9521006.000021.S-0603"
	bag1     = "urn:epc:id:sgtin:9521006.000021.1"
	bag2     = "urn:epc:id:sgtin:9521006.000021.2"
	case1    = "urn:epc:id:sgtin:9521004.100011.1"
	case2    = "urn:epc:id:sgtin:9521004.100011.2"
	pallet1  = "urn:epc:id:sscc:9521004.0000000001"
	pallet2  = "urn:epc:id:sscc:9521005.0000000002"
	saladBox = "urn:epc:id:sscc:9521006.0000000003"
	crate    = "urn:epc:id:grai:9521009.00001.7"

	fieldA, fieldB, coolerDock, packhouse, dcDock, kitchen, store1, store2 = "urn:epc:id:sgln:9521001.00001.0", "urn:epc:id:sgln:9521002.00001.0",
		"urn:epc:id:sgln:9521003.00001.0", "urn:epc:id:sgln:9521004.00001.0", "urn:epc:id:sgln:9521005.00001.0", "urn:epc:id:sgln:9521006.00001.0",
		"urn:epc:id:sgln:9521007.00001.0", "urn:epc:id:sgln:9521008.00001.0"

	coolerCo, packerCo, dcCo, makerCo, storeCo1, storeCo2 = "urn:epc:id:pgln:9521003.00000", "urn:epc:id:pgln:9521004.00000", "urn:epc:id:pgln:9521005.00000",
		"urn:epc:id:pgln:9521006.00000", "urn:epc:id:pgln:9521007.00000", "urn:epc:id:pgln:9521008.00000"
)

// lettuce is two farms → cooler → packer → distribution centre → salad maker → stores.
func lettuce(t *testing.T) *world {
	w := newWorld(t)
	w.by("Farm A").born(fieldA, farmA+"=400KGM")
	w.ship("", coolerCo, fieldA, farmA+"=400KGM")
	w.by("Farm B").born(fieldB, farmB+"=300KGM")
	w.ship("", coolerCo, fieldB, farmB+"=300KGM")
	w.by("Cooler").receive("", coolerCo, coolerDock, farmA+"=400KGM", farmB+"=300KGM")
	w.ship(coolerCo, packerCo, coolerDock, farmA+"=350KGM", farmB+"=300KGM")
	w.by("Packer").receive(coolerCo, packerCo, packhouse, farmA+"=350KGM", farmB+"=300KGM")
	w.make(packhouse, []string{farmA + "=350KGM", farmB + "=300KGM"}, []string{packed + "=640KGM"})
	w.born(packhouse, case1, case2).ILMD = lotILMD("X")
	w.pack(packhouse, pallet1, packed+"=600KGM")
	w.ship(packerCo, dcCo, packhouse, pallet1)
	w.by("DC").receive(packerCo, dcCo, dcDock, pallet1)
	w.unpack(dcDock, pallet1, packed+"=600KGM")
	w.ship(dcCo, makerCo, dcDock, packed+"=500KGM")
	w.by("Maker").receive(dcCo, makerCo, kitchen, packed+"=500KGM")
	w.make(kitchen, []string{packed + "=500KGM"}, []string{salad + "=2000"})
	w.born(kitchen, bag1, bag2).ILMD = lotILMD("S-0603")
	w.pack(kitchen, saladBox, bag1)
	w.ship(makerCo, storeCo1, kitchen, saladBox)
	w.by("Store 1").receive(makerCo, storeCo1, store1, saladBox)
	w.unpack(store1, saladBox)
	w.object(epcis.ActionObserve, "retail_selling", store1, bag1)
	w.by("Maker").ship(makerCo, storeCo2, kitchen, bag2)
	return w
}

func TestBackFromABagToItsFarms(t *testing.T) {
	g := lettuce(t).back(bag1)
	wantItems(t, g, lineage, salad, packed, farmA, farmB)
	wantItems(t, g, carrier, saladBox, pallet1)
	if g.Truncated || g.Node(Key(farmA)).Depth != 3 {
		t.Errorf("truncated %v, depth of the farm %d, want 3", g.Truncated, g.Node(Key(farmA)).Depth)
	}
	bag := g.Node(Key(bag1))
	var steps []string
	for _, v := range bag.Events {
		steps = append(steps, g.Events[v.Event].BizStep)
	}
	if want := []string{"commissioning", "packing", "shipping", "receiving", "unpacking", "retail_selling"}; !slices.Equal(steps, want) {
		t.Errorf("history of the bag: %v, want %v", steps, want)
	}
	if bag.Events[2].Via != Key(saladBox) || bag.Status != StatusSold || bag.Place != Key(store1) {
		t.Errorf("bag: via %q, status %s at %s", bag.Events[2].Via, bag.Status, bag.Place)
	}
	for _, e := range g.Edges {
		if e.Kind == EdgeTransformed && e.From == Key(farmA) && (e.To != Key(packed) || e.Quantity != "350" || e.UOM != "KGM") {
			t.Errorf("edge of farm A: %+v", e)
		}
	}
}

func TestForwardFromAFarmToStoresAndWhatIsLeft(t *testing.T) {
	g := lettuce(t).forward(farmA)
	wantItems(t, g, lineage, packed, salad, bag1, bag2)
	type holding struct {
		status                 Status
		quantity, party, place string
	}
	want := map[string][]holding{
		farmA: {{StatusOnHand, "50", Key(coolerCo), Key(coolerDock)}, {StatusConsumed, "350", Key(packerCo), Key(packhouse)}},
		packed: {
			{StatusOnHand, "40", "Packer", Key(packhouse)}, {StatusOnHand, "100", Key(dcCo), Key(dcDock)},
			{StatusConsumed, "500", Key(makerCo), Key(kitchen)},
		},
		salad: {{StatusOnHand, "2000", "Maker", Key(kitchen)}},
		bag1:  {{StatusSold, "", Key(storeCo1), Key(store1)}},
		bag2:  {{StatusInTransit, "", Key(makerCo), Key(kitchen)}},
	}
	for id, hs := range want {
		n := g.Node(Key(id))
		var got []holding
		for _, h := range n.Holdings {
			got = append(got, holding{h.Status, h.Quantity, h.Party, h.Place})
		}
		if !slices.Equal(got, hs) || n.Unbalanced {
			t.Errorf("%s (unbalanced %v):\n got  %+v\n want %+v", id, n.Unbalanced, got, hs)
		}
	}
	if to := g.Node(Key(bag2)).Holdings[0].To; to != Key(storeCo2) {
		t.Errorf("the second bag is on its way to %q", to)
	}
}

// Another ingredient of the salad is an ancestor of the bag, and no descendant of the lettuce.
func TestSharedIngredients(t *testing.T) {
	w := newWorld(t)
	dressing, lettuceLot, carrotLot := "urn:epc:class:lgtin:9521010.000001.D", farmA, farmB
	mix, slaw := salad, "urn:epc:class:lgtin:9521006.000022.W"
	w.born(kitchen, dressing+"=10LTR")
	w.born(kitchen, lettuceLot+"=5KGM", carrotLot+"=5KGM")
	w.make(kitchen, []string{dressing + "=4LTR", lettuceLot + "=5KGM"}, []string{mix + "=10"})
	w.make(kitchen, []string{dressing + "=4LTR", carrotLot + "=5KGM"}, []string{slaw + "=10"})
	wantItems(t, w.back(mix), lineage, dressing, lettuceLot)
	wantItems(t, w.back(slaw), lineage, dressing, carrotLot)
	wantItems(t, w.forward(lettuceLot), lineage, mix)
	wantItems(t, w.forward(dressing), lineage, mix, slaw)
	left := w.forward(dressing).Node(Key(dressing)).Holdings
	if len(left) != 2 || left[0].Status != StatusOnHand || left[0].Quantity != "2" || left[1].Quantity != "8" {
		t.Errorf("dressing left: %+v", left)
	}
}

// A pallet, or a crate, that carries one thing after the other links neither with the other.
func TestReusedCarrierLinksNothing(t *testing.T) {
	for name, empty := range map[string]func(w *world){
		"unpacked by name":     func(w *world) { w.unpack(dcDock, crate, case1) },
		"unpacked as a whole":  func(w *world) { w.unpack(dcDock, crate) },
		"packed elsewhere":     func(w *world) { w.pack(dcDock, pallet2, case1) },
		"consumed":             func(w *world) { w.make(dcDock, []string{case1}, []string{salad + "=1"}) },
		"decommissioned child": func(w *world) { w.object(epcis.ActionDelete, "decommissioning", dcDock, case1) },
		"end of the carrier":   func(w *world) { w.object(epcis.ActionDelete, "decommissioning", dcDock, crate) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.born(packhouse, case1)
			w.pack(packhouse, crate, case1)
			first := w.ship(packerCo, dcCo, packhouse, crate)
			empty(w)
			w.born(kitchen, case2)
			w.pack(kitchen, crate, case2)
			second := w.ship(makerCo, storeCo1, kitchen, crate)
			for id, own := range map[string]*epcis.Event{case1: first, case2: second} {
				for _, g := range []*Graph{w.back(id), w.forward(id)} {
					other := map[string]string{case1: case2, case2: case1}[id]
					if g.Node(Key(other)) != nil {
						t.Errorf("%s trace of %s has %s", g.Direction, id, other)
					}
					times := map[int64]bool{}
					for _, v := range g.Node(Key(id)).Events {
						times[g.Events[v.Event].TimeMs] = true
					}
					foreign := map[*epcis.Event]*epcis.Event{first: second, second: first}[own]
					if !times[own.EventTime.UnixMilli()] || times[foreign.EventTime.UnixMilli()] {
						t.Errorf("%s: history of %s has its own trip %v, the other's %v", g.Direction, id, times[own.EventTime.UnixMilli()], times[foreign.EventTime.UnixMilli()])
					}
				}
			}
		})
	}
}

func TestCasesRepackedOnOtherPallets(t *testing.T) {
	w := newWorld(t)
	w.born(packhouse, case1, case2)
	w.pack(packhouse, pallet1, case1, case2)
	w.ship(packerCo, dcCo, packhouse, pallet1)
	w.receive(packerCo, dcCo, dcDock, pallet1)
	w.unpack(dcDock, pallet1, case1)
	w.pack(dcDock, pallet2, case1)
	w.ship(dcCo, storeCo1, dcDock, pallet2)
	w.receive(dcCo, storeCo1, store1, pallet2)
	w.ship(dcCo, storeCo2, dcDock, pallet1)

	g := w.forward(case1)
	wantItems(t, g, carrier, pallet1, pallet2)
	if n := g.Node(Key(case1)); n.Status != StatusOnHand || n.Place != Key(store1) || n.Holdings[0].Carrier != Key(pallet2) {
		t.Errorf("case 1: %s at %s in %s", n.Status, n.Place, n.Holdings[0].Carrier)
	}
	if n := w.forward(case2).Node(Key(case2)); n.Status != StatusInTransit || n.Holdings[0].To != Key(storeCo2) {
		t.Errorf("case 2: %+v", n.Holdings)
	}
	// A pallet that is asked for shows what was on it, and when.
	g = w.back(pallet1)
	wantItems(t, g, []Role{RoleContent}, case1, case2)
	var ends []bool
	for _, e := range g.Edges {
		if e.Kind == EdgePacked && e.To == Key(pallet1) {
			ends = append(ends, e.EndMs != 0)
		}
	}
	if !slices.Equal(ends, []bool{false, true}) && !slices.Equal(ends, []bool{true, false}) {
		t.Errorf("packings that ended: %v", ends)
	}
}

// What is in a nested container goes where the outermost goes, and is consumed with it.
func TestNestedContainersAndContainersConsumed(t *testing.T) {
	w := newWorld(t)
	w.born(packhouse, packed+"=10KGM")
	w.pack(packhouse, case1, packed+"=10KGM")
	w.pack(packhouse, pallet1, case1)
	w.ship(packerCo, makerCo, packhouse, pallet1)
	w.receive(packerCo, makerCo, kitchen, pallet1)
	w.make(kitchen, []string{pallet1}, []string{salad + "=100"})

	g := w.forward(packed)
	wantItems(t, g, lineage, salad)
	if n := g.Node(Key(packed)); n.Status != StatusConsumed || n.Place != Key(kitchen) || n.Unbalanced {
		t.Errorf("the lot: %s at %s, %+v", n.Status, n.Place, n.Holdings)
	}
	wantItems(t, w.back(salad), lineage, pallet1, case1, packed)
}

// Inputs and outputs recorded apart belong together by their transformationID, whichever was recorded first.
func TestSplitTransformation(t *testing.T) {
	w := newWorld(t)
	const process = "urn:epc:id:gdti:9521006.00001.run7"
	part := func(inputs, outputs []string, id string) {
		w.make(kitchen, inputs, outputs).TransformationID = id
	}
	w.born(kitchen, farmA+"=1KGM", farmB+"=1KGM")
	part([]string{farmA + "=1KGM"}, nil, process)
	part(nil, []string{salad + "=5"}, "https://id.gs1.org/253/9521006000012run7")
	part([]string{farmB + "=1KGM"}, nil, process)
	part(nil, []string{packed + "=5KGM"}, "urn:epc:id:gdti:9521006.00001.run8")
	wantItems(t, w.back(salad), lineage, farmA, farmB)
	wantItems(t, w.forward(farmB), lineage, salad)
	wantItems(t, w.back(packed), lineage)
}

func TestSpellingsAreOneThing(t *testing.T) {
	w := newWorld(t)
	w.born(fieldA, "https://id.example.com/01/09521001000017/10/A-0601=5KGM")
	w.make(kitchen, []string{farmA + "=5KGM"}, []string{"https://dl.example.org/01/09521006000210/10/S-0603=10"})
	w.born(kitchen, "https://id.gs1.org/01/09521006000210/10/S-0603/21/1")
	for _, spelling := range []string{bag1, "https://example.com/01/09521006000210/21/1", "(01)09521006000210(21)1"} {
		g := w.back(spelling)
		wantItems(t, g, lineage, salad, farmA)
		if g.Root != Key(bag1) {
			t.Errorf("root %s", g.Root)
		}
	}
	wantItems(t, w.forward(farmA), lineage, salad, bag1)
}

func TestAssociation(t *testing.T) {
	w := newWorld(t)
	battery, cell, newCell := "urn:epc:id:giai:9521011.BATTERY1", "urn:epc:id:sgtin:9521011.000001.c1", "urn:epc:id:sgtin:9521011.000001.c2"
	associate := func(action epcis.Action, child string) {
		w.add(&epcis.Event{Type: epcis.AssociationEvent, Action: action, BizStep: "installing", ReadPoint: at(kitchen), ParentID: battery, ChildEPCs: []string{child}})
	}
	w.born(kitchen, cell, newCell)
	w.born(kitchen, battery)
	associate(epcis.ActionAdd, cell)
	w.ship(makerCo, storeCo1, kitchen, battery)
	associate(epcis.ActionDelete, cell)
	associate(epcis.ActionAdd, newCell)
	w.ship(makerCo, storeCo2, kitchen, battery)
	g := w.back(battery)
	wantItems(t, g, []Role{RoleContent}, cell, newCell)
	kinds := map[EdgeKind]int{}
	for _, e := range g.Edges {
		kinds[e.Kind]++
	}
	if kinds[EdgeAssociated] != 2 || len(kinds) != 1 {
		t.Errorf("edges %v", kinds)
	}
	for id, trips := range map[string]int{cell: 1, newCell: 1} {
		count := 0
		g := w.forward(id)
		for _, v := range g.Node(Key(id)).Events {
			if g.Events[v.Event].BizStep == "shipping" {
				count++
			}
		}
		if count != trips {
			t.Errorf("%s travelled %d times with the battery, want %d", id, count, trips)
		}
	}
}

// Events may claim cycles: fish that grow keep their lot, goods are graded back and forth, containers contain each
// other. The walk ends and says what is claimed.
func TestCyclesEnd(t *testing.T) {
	w := newWorld(t)
	w.make(kitchen, []string{farmA + "=10KGM"}, []string{farmA + "=30KGM"})
	w.make(kitchen, []string{farmA + "=30KGM"}, []string{farmB + "=30KGM"})
	w.make(kitchen, []string{farmB + "=30KGM"}, []string{farmA + "=29KGM"})
	w.pack(kitchen, pallet1, pallet2)
	w.pack(kitchen, pallet2, pallet1)
	w.pack(kitchen, pallet1, farmA+"=29KGM")
	for _, f := range []tracer{Back, Forward} {
		wantItems(t, w.trace(f, farmA), lineage, farmB)
		w.trace(f, pallet1)
		w.trace(f, pallet2)
	}
}

func TestWithdrawnEvents(t *testing.T) {
	w := newWorld(t)
	w.by("Maker").born(kitchen, farmA+"=1KGM", farmB+"=1KGM")
	wrong := w.make(kitchen, []string{farmA + "=1KGM"}, []string{salad + "=5"})
	wrong.EventID = "urn:uuid:11111111-1111-4111-8111-111111111111"
	w.make(kitchen, []string{farmB + "=1KGM"}, []string{salad + "=5"})
	declare := func() {
		e := *wrong
		e.ErrorDeclaration = &epcis.ErrorDeclaration{DeclarationTime: epcis.NewTimestamp(1), Reason: "incorrect_data"}
		w.add(&e)
	}
	w.by("Somebody else")
	declare()
	wantItems(t, w.back(salad), lineage, farmA, farmB)
	w.by("Maker")
	declare()
	g := w.back(salad)
	wantItems(t, g, lineage, farmB)
	if g.Withdrawn != 1 {
		t.Errorf("withdrawn %d, want 1", g.Withdrawn)
	}
}

// TestTaintedEventsStay declares an event that others stand on, and one without an event id.
func TestTaintedEventsStay(t *testing.T) {
	w := newWorld(t)
	w.by("Maker").born(kitchen, farmA+"=1KGM", farmB+"=1KGM")
	for i, farm := range []string{farmA, farmB} {
		wrong := *w.make(kitchen, []string{farm + "=1KGM"}, []string{salad + "=5"})
		w.metas[len(w.metas)-1].Hash = wrong.Hash().String()
		wrong.ErrorDeclaration = &epcis.ErrorDeclaration{DeclarationTime: epcis.NewTimestamp(1), Reason: "incorrect_data"}
		w.add(&wrong)
		if i == 0 {
			meta := &w.metas[len(w.metas)-1]
			meta.Flags = append(meta.Flags, "tainted")
		}
	}
	g := w.back(salad)
	wantItems(t, g, lineage, farmA)
	if g.Withdrawn != 1 {
		t.Errorf("withdrawn %d, want 1", g.Withdrawn)
	}
	declared := 0
	for _, e := range g.Events {
		if slices.Contains(e.Flags, "declared") {
			declared++
		}
	}
	if declared != 1 {
		t.Errorf("%d events are shown as declared, want 1", declared)
	}
}

func TestLimitsAreSaid(t *testing.T) {
	w := lettuce(t)
	for name, l := range map[string]Limits{"nodes": {Nodes: 3}, "depth": {Depth: 1}, "events": {Events: 4}} {
		for dir, f := range map[Direction]tracer{DirectionBack: Back, DirectionForward: Forward} {
			item := map[Direction]string{DirectionBack: bag1, DirectionForward: farmA}[dir]
			g, err := f(t.Context(), w, item, l)
			if err != nil {
				t.Fatalf("%s %s: %v", name, dir, err)
			}
			checkGraph(t, g)
			if !g.Truncated || len(g.Reasons) == 0 {
				t.Errorf("%s %s: cut short without a word (%d nodes)", name, dir, len(g.Nodes))
			}
			if l.Nodes > 0 && len(g.Nodes) > l.Nodes || l.Events > 0 && len(g.Events) > l.Events {
				t.Errorf("%s %s: %d nodes, %d events", name, dir, len(g.Nodes), len(g.Events))
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	w := lettuce(t)
	for item, want := range map[string]Kind{
		"":                                      ErrItem,
		"https://id.gs1.org/01/09521006000217":  ErrItem, // check digit
		"urn:epc:id:sgtin:9521006.000021.99999": ErrNoEvent,
	} {
		if _, err := Back(t.Context(), w, item, Limits{}); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", item, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Forward(ctx, w, farmA, Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v", err)
	}
}

// The same events give the same bytes, whatever order they were recorded in.
func TestOrderOfRecordingDoesNotMatter(t *testing.T) {
	w := lettuce(t)
	strip := func(g *Graph) string {
		for i := range g.Events {
			g.Events[i].Ref = Ref{}
		}
		b, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for item, f := range map[string]tracer{bag1: Back, farmA: Forward} {
		want := strip(w.trace(f, item))
		for seed := range uint64(20) {
			s := lettuce(t)
			rand.New(rand.NewPCG(seed, 0)).Shuffle(len(s.events), func(i, j int) {
				s.events[i], s.events[j] = s.events[j], s.events[i]
				s.metas[i], s.metas[j] = s.metas[j], s.metas[i]
			})
			if got := strip(s.trace(f, item)); got != want {
				t.Fatalf("seed %d: the %s trace differs:\n%s\n%s", seed, item, got, want)
			}
		}
	}
}

// A shortfall is said, not hidden.
func TestUnbalanced(t *testing.T) {
	w := newWorld(t)
	w.born(fieldA, farmA+"=10KGM")
	w.make(kitchen, []string{farmA + "=12KGM"}, []string{salad + "=5"})
	if n := w.forward(farmA).Node(Key(farmA)); !n.Unbalanced {
		t.Errorf("12 of 10 kg consumed, and balanced: %+v", n.Holdings)
	}
}
