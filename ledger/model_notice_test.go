package ledger

import (
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

// The model of notices is a list of everything that ever happened and a search over all of it, from the beginning, each
// time somebody asks what a notice covers. It has no queue, no holds and no order of events. Who holds what is not its
// business: acts that the ledger refuses for other reasons than R12 tell nothing about notices.

type noticeModel struct {
	t   *rapid.T
	net *testNet
	n   int

	lotOf   map[string]string // item → lot, "" none
	classOf map[string]string // item or lot → class
	boxes   []string
	events  map[string]*madeFrom // by transformation
	notices []*paperNotice

	shipped, stopped, made, given, released int
}

// madeFrom is all that went into a transformation and came out of it, whenever that was said.
type madeFrom struct {
	in, out map[string]bool
}

type paperNotice struct {
	id       crypto.Hash
	by       int
	typ      NoticeType
	subjects map[string]bool
	carried  map[string]bool // taken out of boxes under it while it was open
	accepts  int             // organisation, -1 nobody
	released bool
}

func (p *paperNotice) blocks() bool { return !p.released && p.typ != Alert }

// covered searches for everything under a notice: its subjects, what was taken out of those, and what was made from what is
// covered.
func (m *noticeModel) covered(p *paperNotice) map[string]bool {
	set := maps.Clone(p.subjects)
	maps.Copy(set, p.carried)
	if p.typ == Alert {
		return set
	}
	for grew := true; grew; {
		grew = false
		for _, e := range m.events {
			hit := false
			for in := range e.in {
				hit = hit || m.isUnder(in, p, set)
			}
			for out := range e.out {
				if hit && !set[out] {
					set[out], grew = true, true
				}
			}
		}
	}
	return set
}

// isUnder: the thing itself, its lot, or its class if the notice names that.
func (m *noticeModel) isUnder(id string, p *paperNotice, set map[string]bool) bool {
	return set[id] || set[m.lotOf[id]] || p.subjects[m.classOf[id]]
}

// stops says whether a notice blocks a thing with everything in and around it.
func (m *noticeModel) stops(p *paperNotice, id string) bool {
	set := m.covered(p)
	for at := id; at != ""; at = m.parent(at) {
		if m.isUnder(at, p, set) {
			return true
		}
	}
	return m.holds(p, set, id)
}

func (m *noticeModel) holds(p *paperNotice, set map[string]bool, box string) bool {
	c, err := ReadContents(m.net.view, box)
	if err != nil {
		m.t.Fatal(err)
	}
	if c == nil {
		return false
	}
	for _, q := range c.Quantities {
		if m.isUnder(q.Lot, p, set) {
			return true
		}
	}
	return slices.ContainsFunc(c.Items, func(id string) bool { return m.isUnder(id, p, set) || m.holds(p, set, id) })
}

func (m *noticeModel) parent(id string) string {
	item, err := ReadItemRecord(m.net.view, id)
	if err != nil {
		m.t.Fatal(err)
	}
	if item == nil {
		return ""
	}
	return item.Parent
}

func (m *noticeModel) draw(what string, most int) int {
	return rapid.IntRange(0, most-1).Draw(m.t, what)
}

// Names, in canonical form: two products of each of three organisations, with three lots and ten serials each.

func modelClass(org, n int) string {
	lot := canonicalForModel(fmt.Sprintf("urn:epc:class:lgtin:952132%d.00000%d.X", org, n))
	return lot[:len(lot)-len("/10/X")]
}

func (m *noticeModel) class() string { return modelClass(m.draw("org", orgs), 1+m.draw("class", 2)) }

func (m *noticeModel) lot(class string) string {
	id := fmt.Sprintf("%s/10/L%d", class, m.draw("lot", 3))
	m.classOf[id] = class
	return id
}

func (m *noticeModel) item(class string) string {
	id := fmt.Sprintf("%s/21/%d", class, m.draw("serial", 10))
	m.classOf[id] = class
	return id
}

// heap is what quantities are counted of: a lot, or now and then a product without lots.
func (m *noticeModel) heap(class string) string {
	if m.draw("without lot", 6) == 0 {
		return class
	}
	return m.lot(class)
}

func (m *noticeModel) box() string { return m.boxes[m.draw("box", len(m.boxes))] }

func (m *noticeModel) classOfOrg(org int) string { return modelClass(org, 1+m.draw("class", 2)) }

func (m *noticeModel) event(typ epcis.EventType, action epcis.Action, step string) *epcis.Event {
	m.n++
	return &epcis.Event{
		Type: typ, Action: action, BizStep: step, EventID: fmt.Sprintf("urn:uuid:notice-%d", m.n),
		EventTime: epcis.NewTimestamp(m.net.timeMs + 60_000), TimeZoneOffset: "+00:00",
	}
}

// run executes a payload in a block of its own.
func (m *noticeModel) run(name string, p Payload) (Receipt, crypto.Hash) {
	key := keyOf(name).Public()
	b, err := NewBody(m.net.hash, key.Address(), m.net.height+10, p)
	if err != nil {
		m.t.Fatal(err)
	}
	m.n++
	b.Salt = [8]byte{byte(m.n), byte(m.n >> 8)}
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
	if r := up.Receipts[0]; r.Code == CodeInternal {
		m.t.Fatalf("internal: %s", r.Finding)
	}
	return up.Receipts[0], tx.id
}

func orgName(org int) string { return fmt.Sprint("org", org) }

// capture records an event; what left a box that was under a notice is remembered.
func (m *noticeModel) capture(org int, e *epcis.Event) Receipt {
	data, err := epcis.EncodeEvent(e)
	if err != nil {
		m.t.Fatal(err)
	}
	before, under := map[string]string{}, map[*paperNotice]map[string]bool{}
	for id := range m.classOf {
		before[id] = m.parent(id)
	}
	for _, id := range m.boxes {
		before[id] = m.parent(id)
	}
	for _, p := range m.notices {
		if p.blocks() {
			under[p] = map[string]bool{}
			set := m.covered(p)
			for id := range before {
				under[p][id] = m.isUnder(id, p, set)
			}
		}
	}
	r, _ := m.run(orgName(org), &Capture{Events: [][]byte{data}})
	for id, box := range before {
		if box == "" || m.parent(id) == box {
			continue
		}
		for p, covers := range under {
			for at := box; at != ""; at = before[at] {
				if covers[at] {
					p.carried[id] = true
				}
			}
		}
	}
	return r
}

// stock gives everybody every lot of its own.
func (m *noticeModel) stock() {
	for org := range orgs {
		e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
		for n := range 2 {
			class := modelClass(org, n+1)
			e.Quantities = append(e.Quantities, kilosOf(class, 1_000)...)
			for lot := range 3 {
				id := fmt.Sprintf("%s/10/L%d", class, lot)
				m.classOf[id] = class
				e.Quantities = append(e.Quantities, kilosOf(id, 1_000)...)
			}
		}
		if r := m.capture(org, e); !r.OK() {
			m.t.Fatalf("%s", r.Finding)
		}
	}
}

func (m *noticeModel) commission() {
	org := m.draw("org", orgs)
	class := m.classOfOrg(org)
	e := m.event(epcis.ObjectEvent, "ADD", "commissioning")
	if m.draw("heap", 2) == 0 {
		e.Quantities = kilosOf(m.heap(class), 1_000)
		m.capture(org, e)
		return
	}
	id, lot := m.item(class), ""
	e.EPCs = []string{id}
	if m.draw("in a lot", 3) > 0 {
		lot = m.lot(class)
		e.EPCs = []string{lot + id[len(class):]}
	}
	if r := m.capture(org, e); r.OK() && m.lotOf[id] == "" {
		m.lotOf[id] = lot // it may have been made before, without a word about its lot
	}
}

// transform uses and makes a few things; half of the time it is one of two transformations that have many events.
func (m *noticeModel) transform() {
	org := m.draw("org", orgs)
	e := m.event(epcis.TransformationEvent, "", "commissioning")
	name := e.EventID
	if m.draw("shared", 3) == 0 {
		e.TransformationID = fmt.Sprintf("urn:example:x:%d", m.draw("which", 2))
		name = fmt.Sprint(org, e.TransformationID)
	}
	in, out := map[string]bool{}, map[string]bool{}
	// Mostly of its own, and from the first product to the second: the ledger refuses cycles and what others hold.
	from, to := m.class, func() string { return m.classOfOrg(org) }
	if m.draw("likely", 4) > 0 {
		from, to = func() string { return modelClass(org, 1) }, func() string { return modelClass(org, 2) }
	} else if m.draw("of others", 2) == 0 {
		from = func() string { return modelClass(m.draw("org", orgs), 2) }
	}
	for range 1 + m.draw("inputs", 2) {
		if m.draw("item", 2) == 0 {
			id := m.item(from())
			e.InputEPCs, in[id] = append(e.InputEPCs, id), true
		} else {
			id := m.heap(from())
			e.InputQuantities, in[id] = append(e.InputQuantities, kilosOf(id, 1)...), true
		}
	}
	for range 1 + m.draw("outputs", 2) {
		if m.draw("item", 2) == 0 {
			id := m.item(to())
			e.OutputEPCs, out[id] = append(e.OutputEPCs, id), true
		} else {
			id := m.heap(to())
			e.OutputQuantities, out[id] = append(e.OutputQuantities, kilosOf(id, 50)...), true
		}
	}
	if r := m.capture(org, e); !r.OK() {
		return
	}
	m.made++
	m.nameLots(e)
	if m.events[name] == nil {
		m.events[name] = &madeFrom{in: map[string]bool{}, out: map[string]bool{}}
	}
	maps.Copy(m.events[name].in, in)
	maps.Copy(m.events[name].out, out)
}

// nameLots: an event that makes serials of a product and one lot of it says that they are of that lot.
func (m *noticeModel) nameLots(e *epcis.Event) {
	number, one := "", true
	for _, q := range e.OutputQuantities {
		if _, n, ok := strings.Cut(q.Class, "/10/"); ok {
			one = one && (number == "" || number == n)
			number = n
		}
	}
	for _, id := range e.OutputEPCs {
		lot := m.classOf[id] + "/10/" + number
		if one && m.lotOf[id] == "" && slices.ContainsFunc(e.OutputQuantities, func(q epcis.Quantity) bool { return q.Class == lot }) {
			m.lotOf[id] = lot
		}
	}
}

func (m *noticeModel) pack() {
	org := m.draw("org", orgs)
	e := m.event(epcis.AggregationEvent, "ADD", "packing")
	e.ParentID = m.box()
	switch m.draw("what", 4) {
	case 0:
		e.ChildEPCs = []string{m.box()}
	case 1:
		e.ChildQuantities = kilosOf(m.heap(m.class()), 2)
	default:
		e.ChildEPCs = []string{m.item(m.class())}
	}
	m.capture(org, e)
}

func (m *noticeModel) unpack() {
	e := m.event(epcis.AggregationEvent, "DELETE", "unpacking")
	e.ParentID = m.box()
	m.capture(m.draw("org", orgs), e)
}

func (m *noticeModel) receive() {
	e := m.event(epcis.ObjectEvent, "OBSERVE", "receiving")
	switch m.draw("what", 3) {
	case 0:
		e.Quantities = kilosOf(m.heap(m.class()), 1)
	case 1:
		e.EPCs = []string{m.box()}
	default:
		e.EPCs = []string{m.item(m.class())}
	}
	m.capture(m.draw("org", orgs), e)
}

// leave ships or sells one thing and holds the answer against the search.
func (m *noticeModel) leave() {
	org, to := m.draw("org", orgs), m.draw("to", orgs)
	e := m.event(epcis.ObjectEvent, "OBSERVE", "shipping")
	sold := m.draw("sold", 4) == 0
	if sold {
		e.BizStep = rapid.SampledFrom([]string{"retail_selling", "dispensing"}).Draw(m.t, "step")
	} else {
		e.Destinations = []epcis.TypedRef{{Type: "possessing_party", ID: partyOf(to)}}
	}
	id := ""
	class := m.classOfOrg(org)
	if m.draw("of others", 4) == 0 {
		class = m.class()
	}
	switch m.draw("what", 3) {
	case 0:
		id = m.heap(class)
		e.Quantities = kilosOf(id, 1)
	case 1:
		id = m.box()
		e.EPCs = []string{id}
	default:
		id = m.item(class)
		e.EPCs = []string{id}
	}
	blocked := false
	for _, p := range m.notices {
		if p.blocks() && (sold || (p.by != to && p.accepts != to)) {
			blocked = blocked || m.stops(p, id)
		}
	}
	r := m.capture(org, e)
	switch {
	case r.Code.Rule() == "R12" && !blocked:
		m.t.Fatalf("%s may leave (sold %t, to org%d), and the ledger says %s", id, sold, to, r.Finding)
	case r.OK() && blocked:
		m.t.Fatalf("%s is blocked (sold %t, to org%d), and the ledger let it go", id, sold, to)
	case r.OK():
		m.shipped++
	case blocked:
		m.stopped++
	}
}

func (m *noticeModel) give() {
	p := &paperNotice{by: m.draw("issuer", orgs+1), subjects: map[string]bool{}, carried: map[string]bool{}, accepts: m.draw("accepts", orgs+1) - 1}
	p.typ = NoticeType(1 + m.draw("type", 4))
	n := &Notice{Type: p.typ, Reason: "drawn"}
	if p.accepts >= 0 {
		n.Accepts = []crypto.Address{orgAddress(p.accepts)}
	}
	of := p.by
	if p.by == orgs { // the regulator
		of = m.draw("whose", orgs)
	}
	for range 1 + m.draw("subjects", 2) {
		id := ""
		switch class := m.classOfOrg(of); m.draw("what", 6) {
		case 0:
			id = class
		case 1:
			id = m.item(class)
		case 2:
			id = m.boxes[2*of+m.draw("box", 2)]
		default:
			id = m.lot(class)
		}
		if !p.subjects[id] {
			n.Subjects, p.subjects[id] = append(n.Subjects, id), true
		}
	}
	r, id := m.run(orgName(p.by), n)
	if !r.OK() {
		m.t.Fatalf("notice of org%d: %s", p.by, r.Finding)
	}
	p.id = id
	m.given++
	m.notices = append(m.notices, p)
}

func (m *noticeModel) release() {
	open := slices.DeleteFunc(slices.Clone(m.notices), func(p *paperNotice) bool { return p.released })
	if len(open) < 2 || m.draw("wait", 3) == 0 {
		return
	}
	p := open[m.draw("notice", len(open))]
	if r, _ := m.run(orgName(p.by), &ReleaseNotice{Notice: p.id}); !r.OK() {
		m.t.Fatalf("release: %s", r.Finding)
	}
	p.released = true
	m.released++
}

// compare asks the ledger what every thing is under.
func (m *noticeModel) compare() {
	sets := map[*paperNotice]map[string]bool{}
	open := uint64(0)
	for _, p := range m.notices {
		if !p.released {
			sets[p] = m.covered(p)
		}
		if p.blocks() {
			open++
		}
	}
	all, err := ReadNotices(m.net.view)
	if err != nil || (all == nil) != (open == 0 && !m.everBlocked()) || (all != nil && (all.Open != open || all.Head != all.Tail)) {
		m.t.Fatalf("%d notices are open, the ledger says %+v, %v", open, all, err)
	}
	for _, id := range slices.Concat(slices.Collect(maps.Keys(m.classOf)), slices.Collect(maps.Values(m.classOf)), m.boxes) {
		var want, got []string
		for p, set := range sets {
			if m.isUnder(id, p, set) {
				want = append(want, p.id.String())
			}
		}
		list, err := OpenNotices(m.net.view, id)
		if err != nil {
			m.t.Fatal(err)
		}
		for i := range list {
			got = append(got, list[i].ID.String())
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			m.t.Fatalf("%s of lot %q is under %v, the ledger says %v: %+v", id, m.lotOf[id], want, got, list)
		}
	}
}

func (m *noticeModel) everBlocked() bool {
	return slices.ContainsFunc(m.notices, func(p *paperNotice) bool { return p.typ != Alert })
}

// noticeNet is three organisations with prefixes and a regulator, org3.
func noticeNet(t testing.TB, p Params) *testNet {
	p.FeePerKiB, p.FeePerTransaction = 0, 0
	g := testGenesis(p, orgName(orgs))
	g.Regulators = []crypto.Address{orgAddress(orgs)}
	for i := range orgs {
		a := orgAddress(i)
		g.Accounts = append(g.Accounts, GenesisAccount{Address: a, Balance: 100_000})
		g.Organisations = append(g.Organisations, GenesisOrganisation{Address: a, Name: orgName(i), Prefixes: []string{fmt.Sprint("952132", i)}})
	}
	return newNet(t, g)
}

// TestNoticesAgainstSearch is the property of recalls: what the ledger stops is what a search over all events finds.
func TestNoticesAgainstSearch(t *testing.T) {
	start := noticeNet(t, DefaultParams())
	acts, shipped, stopped, made, given, released := 0, 0, 0, 0, 0, 0
	property(t, func(rt *rapid.T) {
		net := *start
		net.view = start.view.clone()
		m := &noticeModel{t: rt, net: &net, lotOf: map[string]string{}, classOf: map[string]string{}, events: map[string]*madeFrom{}}
		for org := range orgs {
			for n := range 2 {
				m.boxes = append(m.boxes, canonical(modelBox(org, n)))
			}
		}
		m.stock()
		kinds := []func(){m.commission, m.transform, m.transform, m.transform, m.pack, m.pack, m.unpack, m.leave, m.leave, m.leave, m.leave,
			m.commission, m.receive, m.receive, m.give, m.release}
		for i := range 260 {
			kinds[m.draw("act", len(kinds))]()
			if i%20 == 19 {
				m.compare()
			}
			acts++
		}
		shipped, stopped, made, given, released = shipped+m.shipped, stopped+m.stopped, made+m.made, given+m.given, released+m.released
	})
	t.Logf("%d acts: %d left, %d were stopped, %d transformations, %d notices, %d releases", acts, shipped, stopped, made, given, released)
	if shipped < acts/50 || stopped < acts/100 || made < acts/50 || released < acts/100 {
		t.Errorf("%d acts: %d left, %d were stopped, %d transformations, %d notices, %d releases: not really mixed", acts, shipped, stopped, made, given, released)
	}
}
