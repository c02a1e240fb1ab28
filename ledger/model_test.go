package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
)

// The model is what a patient clerk would do with three ledgers of paper: it knows things, boxes, heaps and lorries, and
// none of the production code. After every act it must agree with the ledger on whether the act was legal and on where
// everything is.

type thingModel struct {
	ended  bool
	holder int
	owner  int
	in     string     // the box it is in
	lorry  *lorryLoad // under way
	unsaid bool       // nobody has stated its birth: it was first seen when something was put in it
	maker  int
}

type lorryLoad struct {
	from, to int
	owner    int // -1: unchanged
	heap     string
	kilos    int64
}

type paperLedger struct {
	things  map[string]*thingModel
	heaps   map[string]map[int]int64    // lot → holder → loose
	boxed   map[string]map[string]int64 // box → lot → kilos
	lorries []*lorryLoad                // of heaps, in the order they left
	born    map[string]bool             // lots that exist
	madeOf  map[string][]string         // lot → lots
	total   map[string]int64            // lot → produced minus consumed

}

const orgs = 3

func newPaper() *paperLedger {
	p := &paperLedger{things: map[string]*thingModel{}, heaps: map[string]map[int]int64{}, boxed: map[string]map[string]int64{},
		born: map[string]bool{}, madeOf: map[string][]string{}, total: map[string]int64{}}
	return p
}

// names of things: the digit after the prefix is whose it is.
func modelItem(org, n int) string { return fmt.Sprintf("urn:epc:id:sgtin:952132%d.000001.%d", org, n) }
func modelBox(org, n int) string  { return fmt.Sprintf("urn:epc:id:sscc:952132%d.000000000%d", org, n) }
func modelLot(org, n int) string {
	return fmt.Sprintf("urn:epc:class:lgtin:952132%d.000001.L%d", org, n)
}
func ownerOfName(id string) int { return int(id[strings.Index(id, "952132")+6] - '0') }

func (p *paperLedger) outermost(id string) *thingModel {
	for p.things[id].in != "" {
		id = p.things[id].in
	}
	return p.things[id]
}

// ready reports whether an organisation may act on a thing.
func (p *paperLedger) ready(org int, id string) bool {
	t := p.things[id]
	if t == nil || t.ended {
		return false
	}
	out := p.outermost(id)
	return out.lorry == nil && out.holder == org
}

func (p *paperLedger) heap(lot string) map[int]int64 {
	if p.heaps[lot] == nil {
		p.heaps[lot] = map[int]int64{}
	}
	return p.heaps[lot]
}

// open empties a box into the hands of its outermost holder.
func (p *paperLedger) open(box string) {
	holder := p.outermost(box).holder
	for id, t := range p.things {
		if t.in == box {
			t.in, t.holder = "", holder
			_ = id
		}
	}
	for lot, kilos := range p.boxed[box] {
		p.heap(lot)[holder] += kilos
	}
	delete(p.boxed, box)
}

// passOn gives everything in a box to a new owner, however deep.
func (p *paperLedger) passOn(box string, owner int) {
	for id, t := range p.things {
		if t.in == box {
			t.owner = owner
			p.passOn(id, owner)
		}
	}
}

func (p *paperLedger) descends(lot, from string) bool {
	if lot == from {
		return true
	}
	return slices.ContainsFunc(p.madeOf[lot], func(in string) bool { return p.descends(in, from) })
}

// step is one act: what the clerk thinks of it, and the event that says it.
type step struct {
	org   int
	event *epcis.Event
	legal bool
	do    func() // what the clerk writes down if it is legal
}

// modelRun draws acts and compares.
type modelRun struct {
	t     *rapid.T
	net   *testNet
	paper *paperLedger
	n     int
}

func (m *modelRun) pick(what string, from ...string) string {
	return rapid.SampledFrom(from).Draw(m.t, what)
}

func (m *modelRun) org() int { return rapid.IntRange(0, orgs-1).Draw(m.t, "org") }

func (m *modelRun) anyItem() string {
	return modelItem(m.org(), rapid.IntRange(1, 3).Draw(m.t, "item"))
}

func (m *modelRun) anyBox() string { return modelBox(m.org(), rapid.IntRange(1, 2).Draw(m.t, "box")) }

func (m *modelRun) anyThing() string {
	if rapid.Bool().Draw(m.t, "a box") {
		return m.anyBox()
	}
	return m.anyItem()
}

func (m *modelRun) anyLot() string { return modelLot(m.org(), rapid.IntRange(1, 2).Draw(m.t, "lot")) }

func (m *modelRun) kilos() int64 { return rapid.Int64Range(0, 12).Draw(m.t, "kilos") }

func kilosOf(lot string, kilos int64) []epcis.Quantity {
	d, err := epcis.NewDecimal(kilos, 0)
	if err != nil {
		panic(err)
	}
	return []epcis.Quantity{{Class: lot, Quantity: &d, UOM: "KGM"}}
}

func (m *modelRun) event(typ epcis.EventType, action epcis.Action, bizStep string) *epcis.Event {
	m.n++
	return &epcis.Event{
		Type: typ, Action: action, BizStep: bizStep, EventID: fmt.Sprintf("urn:uuid:model-%d", m.n),
		EventTime: epcis.NewTimestamp(m.net.timeMs + 60_000), TimeZoneOffset: "+00:00",
	}
}

func partyOf(org int) string { return fmt.Sprintf("urn:epc:id:pgln:952132%d.00000", org) }

func (m *modelRun) commission() step {
	org, id := m.org(), m.anyThing()
	e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
	e.EPCs = []string{id}
	t := m.paper.things[id]
	if t != nil { // its maker may state its birth, once
		return step{org, e, t.unsaid && !t.ended && t.maker == org, func() { t.unsaid = false }}
	}
	return step{org, e, ownerOfName(id) == org, func() {
		m.paper.things[id] = &thingModel{holder: org, owner: org, maker: org}
	}}
}

func (m *modelRun) produce() step {
	org, lot, kilos := m.org(), m.anyLot(), m.kilos()
	e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
	e.Quantities = kilosOf(lot, kilos)
	return step{org, e, ownerOfName(lot) == org, func() {
		m.paper.born[lot] = true
		m.paper.heap(lot)[org] += kilos
		m.paper.total[lot] += kilos
	}}
}

func (m *modelRun) destroy() step {
	org := m.org()
	e := m.event(epcis.ObjectEvent, "DELETE", "decommissioning")
	if rapid.Bool().Draw(m.t, "a heap") {
		lot, kilos := m.anyLot(), m.kilos()
		e.Quantities = kilosOf(lot, kilos)
		return step{org, e, m.paper.born[lot] && m.paper.heap(lot)[org] >= kilos, func() {
			m.paper.heap(lot)[org] -= kilos
			m.paper.total[lot] -= kilos
		}}
	}
	id := m.anyThing()
	e.EPCs = []string{id}
	return step{org, e, m.paper.ready(org, id) && m.paper.things[id].in == "", func() {
		m.paper.open(id)
		m.paper.things[id].ended = true
	}}
}

func (m *modelRun) pack() step {
	org, box := m.org(), m.anyBox()
	e := m.event(epcis.AggregationEvent, "ADD", "packing")
	e.ParentID = box
	children := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) string {
		return (&modelRun{t: t}).anyThing()
	}), 0, 2, func(s string) string { return s }).Draw(m.t, "children")
	e.ChildEPCs = children
	lot, kilos := m.anyLot(), m.kilos()
	if len(children) == 0 || kilos > 6 {
		e.ChildQuantities = kilosOf(lot, kilos)
	} else {
		lot = ""
	}
	p := m.paper
	legal := p.things[box] != nil && p.ready(org, box) || p.things[box] == nil && ownerOfName(box) == org
	above := map[string]bool{box: true}
	if p.things[box] != nil {
		for at := box; at != ""; at = p.things[at].in {
			above[at] = true
		}
	}
	for _, c := range children {
		if above[c] {
			legal = false // into itself
			continue
		}
		if t := p.things[c]; t != nil && t.in == box {
			continue // it is there
		}
		legal = legal && p.ready(org, c) && p.things[c].in == ""
	}
	if lot != "" {
		legal = legal && p.born[lot] && p.heap(lot)[org] >= kilos
	}
	return step{org, e, legal, func() {
		if p.things[box] == nil {
			p.things[box] = &thingModel{holder: org, owner: org, maker: org, unsaid: true}
		}
		for _, c := range children {
			p.things[c].in = box
		}
		if lot != "" {
			p.heap(lot)[org] -= kilos
			if p.boxed[box] == nil {
				p.boxed[box] = map[string]int64{}
			}
			p.boxed[box][lot] += kilos
		}
	}}
}

func (m *modelRun) unpack() step {
	org, box := m.org(), m.anyBox()
	e := m.event(epcis.AggregationEvent, "DELETE", "unpacking")
	e.ParentID = box
	return step{org, e, m.paper.ready(org, box), func() { m.paper.open(box) }}
}

func (m *modelRun) ship() step {
	org, to := m.org(), m.org()
	e := m.event(epcis.ObjectEvent, "OBSERVE", "shipping")
	sells := rapid.Bool().Draw(m.t, "sells")
	role, owner := "possessing_party", -1
	if sells {
		role, owner = "owning_party", to
	}
	e.Destinations = []epcis.TypedRef{{Type: role, ID: partyOf(to)}}
	p := m.paper
	if rapid.Bool().Draw(m.t, "a heap") {
		lot, kilos := m.anyLot(), m.kilos()
		e.Quantities = kilosOf(lot, kilos)
		return step{org, e, p.born[lot] && p.heap(lot)[org] >= kilos, func() {
			p.heap(lot)[org] -= kilos
			p.lorries = append(p.lorries, &lorryLoad{from: org, to: to, owner: -1, heap: lot, kilos: kilos})
		}}
	}
	id := m.anyThing()
	e.EPCs = []string{id}
	legal := p.ready(org, id) && p.things[id].in == ""
	if legal && sells && p.things[id].owner != to && p.things[id].owner != org {
		legal = false
	}
	return step{org, e, legal, func() {
		p.things[id].lorry = &lorryLoad{from: org, to: to, owner: owner}
	}}
}

func (m *modelRun) receive() step {
	org := m.org()
	e := m.event(epcis.ObjectEvent, "OBSERVE", "receiving")
	p := m.paper
	if rapid.Bool().Draw(m.t, "a heap") {
		lot, kilos := m.anyLot(), m.kilos()
		e.Quantities = kilosOf(lot, kilos)
		coming, any := p.coming(lot, func(l *lorryLoad) bool { return l.to == org })
		if !any {
			return step{org, e, p.born[lot] && p.heap(lot)[org] > 0, func() {}}
		}
		return step{org, e, coming >= kilos, func() {
			p.unload(lot, org, kilos, func(l *lorryLoad) bool { return l.to == org })
		}}
	}
	id := m.anyThing()
	e.EPCs = []string{id}
	t := p.things[id]
	if t == nil || t.ended {
		return step{org, e, false, nil}
	}
	out := p.outermost(id)
	if out.lorry == nil {
		return step{org, e, out.holder == org, func() {}}
	}
	return step{org, e, out.lorry.to == org && t.in == "", func() {
		if t.lorry.owner >= 0 && t.owner != t.lorry.owner {
			t.owner = t.lorry.owner
			p.passOn(id, t.owner)
		}
		t.holder, t.lorry = org, nil
	}}
}

func (m *modelRun) void() step {
	org := m.org()
	e := m.event(epcis.ObjectEvent, "OBSERVE", "void_shipping")
	p := m.paper
	mine := func(l *lorryLoad) bool { return l.from == org }
	if rapid.Bool().Draw(m.t, "a heap") {
		lot, kilos := m.anyLot(), m.kilos()
		e.Quantities = kilosOf(lot, kilos)
		coming, any := p.coming(lot, mine)
		return step{org, e, any && coming >= kilos, func() { p.unload(lot, org, kilos, mine) }}
	}
	id := m.anyThing()
	e.EPCs = []string{id}
	t := p.things[id]
	return step{org, e, t != nil && t.lorry != nil && t.lorry.from == org, func() { t.lorry = nil }}
}

func (p *paperLedger) coming(lot string, match func(*lorryLoad) bool) (kilos int64, any bool) {
	for _, l := range p.lorries {
		if l.heap == lot && match(l) {
			kilos, any = kilos+l.kilos, true
		}
	}
	return kilos, any
}

// unload takes kilos off the matching lorries, the first that left first, and sends empty ones home.
func (p *paperLedger) unload(lot string, org int, kilos int64, match func(*lorryLoad) bool) {
	first := true
	p.lorries = slices.DeleteFunc(p.lorries, func(l *lorryLoad) bool {
		if l.heap != lot || !match(l) || (kilos == 0 && !first) {
			return false
		}
		first = false
		part := min(kilos, l.kilos)
		l.kilos -= part
		kilos -= part
		p.heap(lot)[org] += part
		return l.kilos == 0
	})
}

func (m *modelRun) transform() step {
	org, in, out := m.org(), m.anyLot(), m.anyLot()
	kilos, made := m.kilos(), m.kilos()
	e := m.event(epcis.TransformationEvent, "", "commissioning")
	e.InputQuantities, e.OutputQuantities = kilosOf(in, kilos), kilosOf(out, made)
	p := m.paper
	legal := p.born[in] && p.heap(in)[org] >= kilos && ownerOfName(out) == org && !p.descends(in, out)
	return step{org, e, legal, func() {
		p.born[out] = true
		p.heap(in)[org] -= kilos
		p.total[in] -= kilos
		p.heap(out)[org] += made
		p.total[out] += made
		p.madeOf[out] = append(p.madeOf[out], in)
	}}
}

// TestCustodyAgainstPaper is the conservation property (custody and quantities): a thousand networks, some dozens of
// acts each, legal and not.
func TestCustodyAgainstPaper(t *testing.T) {
	p := DefaultParams()
	p.VoidDelayMs = 0
	p.Rules.R8 = Reject
	p.FeePerKiB, p.FeePerTransaction = 3, 1
	g := testGenesis(p)
	for i := range orgs {
		a := keyOf(fmt.Sprint("org", i)).Address()
		g.Accounts = append(g.Accounts, GenesisAccount{Address: a, Balance: 100_000})
		g.Organisations = append(g.Organisations, GenesisOrganisation{Address: a, Name: fmt.Sprint("org", i), Prefixes: []string{fmt.Sprint("952132", i)}})
	}
	start := newNet(t, g)
	accepted, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		net := *start
		net.view = start.view.clone()
		m := &modelRun{t: rt, net: &net, paper: newPaper()}
		acts := []func() step{m.commission, m.commission, m.produce, m.produce, m.destroy, m.pack, m.pack, m.unpack, m.ship, m.ship, m.receive, m.receive, m.void, m.transform}
		for range rapid.IntRange(1, 60).Draw(rt, "acts") {
			s := acts[rapid.IntRange(0, len(acts)-1).Draw(rt, "act")]()
			r := m.execute(s)
			if r.OK() != s.legal {
				rt.Fatalf("act %d of org%d (%+v): the ledger says %s, the paper says legal=%t", m.n, s.org, s.event, r.Finding, s.legal)
			}
			if r.Code == CodeInternal {
				rt.Fatalf("internal: %s", r.Finding)
			}
			if s.legal {
				s.do()
				accepted++
			} else {
				refused++
			}
			m.compare()
		}
	})
	least := 100
	if testing.Short() {
		least = 20 // rapid runs a fifth
	}
	if accepted < least || refused < least {
		t.Errorf("%d accepted, %d refused: the acts are not really mixed", accepted, refused)
	}
}

// execute runs an event without spending time on signatures.
func (m *modelRun) execute(s step) Receipt {
	key := keyOf(fmt.Sprint("org", s.org)).Public()
	data, err := epcis.EncodeEvent(s.event)
	if err != nil {
		m.t.Fatal(err)
	}
	b, err := NewBody(m.net.hash, key.Address(), m.net.height+10, &Capture{Events: [][]byte{data}})
	if err != nil {
		m.t.Fatal(err)
	}
	tx, err := NewTransaction(b, []SignedBy{{Key: key}})
	if err != nil {
		m.t.Fatal(err)
	}
	up, err := Apply(m.net.view, &Block{
		Header:       quorum.Header{Version: 1, Height: m.net.height + 1, TimeMs: m.net.timeMs + 60_000},
		Transactions: []VerifiedTransaction{{tx: tx}},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.net.view.apply(up.Writes)
	m.net.conserved()
	m.net.height++
	m.net.timeMs += 60_000
	return up.Receipts[0]
}

// compare asks the ledger where everything is.
func (m *modelRun) compare() {
	for org := range orgs {
		for n := 1; n <= 3; n++ {
			m.compareThing(modelItem(org, n))
			m.compareThing(modelBox(org, n))
		}
		for n := 1; n <= 2; n++ {
			m.compareLot(modelLot(org, n))
		}
	}
	m.compareMoney()
}

func orgAddress(i int) crypto.Address { return keyOf(fmt.Sprint("org", i)).Address() }

func (m *modelRun) compareThing(id string) {
	item, err := ReadItem(m.net.view, id)
	if err != nil {
		m.t.Fatal(err)
	}
	want := m.paper.things[id]
	if want == nil || item == nil {
		if (want == nil) != (item == nil) {
			m.t.Fatalf("%s: the ledger has %+v, the paper %+v", id, item, want)
		}
		return
	}
	out := m.paper.outermost(id)
	state := StateActive
	switch {
	case want.ended:
		state = StateDecommissioned
	case out.lorry != nil:
		state = StateInTransit
	}
	if item.State != state || item.Custodian != orgAddress(out.holder) || item.Owner != orgAddress(want.owner) {
		m.t.Fatalf("%s: the ledger says %+v, the paper %+v in %+v", id, item, want, out)
	}
}

// compareLot adds up a lot from the raw state and compares every heap, box and lorry.
func (m *modelRun) compareLot(lot string) {
	id := canonicalForModel(lot)
	loose, boxed, moving := map[string]int64{}, int64(0), int64(0)
	for k, raw := range m.net.view {
		switch {
		case strings.HasPrefix(k, "bal/"+id+"\x00"):
			loose[k[len("bal/"+id+"\x00"):][:20]] += kilosIn(m.t, decodeRaw[Balance](m.t, raw).Amount)
		case strings.HasPrefix(k, "contains/"):
			for _, q := range decodeRaw[Contents](m.t, raw).Quantities {
				if q.Lot == id {
					boxed += kilosIn(m.t, q.Amount)
				}
			}
		case strings.HasPrefix(k, "transfer/"):
			for _, q := range decodeRaw[Shipment](m.t, raw).Quantities {
				if q.Lot == id {
					moving += kilosIn(m.t, q.Amount)
				}
			}
		}
	}
	total := boxed + moving
	for org := range orgs {
		a := orgAddress(org)
		if got, want := loose[string(a[:])], m.paper.heap(lot)[org]; got != want {
			m.t.Fatalf("%s: org%d has %d on the ledger, %d on paper", lot, org, got, want)
		}
		total += loose[string(a[:])]
	}
	if total != m.paper.total[lot] {
		m.t.Fatalf("%s: %d on the ledger in all, %d were produced and not consumed", lot, total, m.paper.total[lot])
	}
}

// canonicalForModel writes the Digital Link of a test lot by hand, check digit included.
func canonicalForModel(lot string) string {
	rest := strings.TrimPrefix(lot, "urn:epc:class:lgtin:")
	f := strings.Split(rest, ".")
	digits := f[1][:1] + f[0] + f[1][1:]
	sum := 0
	for i := range digits {
		weight := 1
		if i%2 == 0 {
			weight = 3
		}
		sum += int(digits[i]-'0') * weight
	}
	return fmt.Sprintf("https://id.gs1.org/01/%s%d/10/%s", digits, (10-sum%10)%10, f[2])
}

func kilosIn(t *rapid.T, a Amount) int64 {
	n := a.Coefficient
	for range a.Exponent {
		n *= 10
	}
	if a.Exponent < 0 || n < 0 {
		t.Fatalf("amount %+v", a)
	}
	return n
}

func decodeRaw[T any](t *rapid.T, raw []byte) T {
	var rec T
	if err := crypto.Unmarshal(raw, &rec); err != nil {
		t.Fatal(err)
	}
	return rec
}

// compareMoney adds up all accounts: what genesis made is all there is.
func (m *modelRun) compareMoney() {
	s := decodeRaw[Supply](m.t, m.net.view[keySupply])
	sum := s.FeePool
	for k, raw := range m.net.view {
		if !strings.HasPrefix(k, "acct/") {
			continue
		}
		a := decodeRaw[Account](m.t, raw)
		sum += a.Balance + a.Bonded
		for _, r := range a.Unbonding {
			sum += r.Amount
		}
	}
	const genesis = 1_000_000 + 10_000 + orgs*100_000
	if sum != genesis || s.Total != genesis {
		m.t.Fatalf("genesis made %d, accounts and pool hold %d, the books say %d", genesis, sum, s.Total)
	}
}
