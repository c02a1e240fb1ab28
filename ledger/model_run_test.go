package ledger

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
)

// modelRun draws acts, has the ledger and the paper execute them, and compares.
type modelRun struct {
	t      *rapid.T   // who draws and fails; nil: random and tb
	random *rand.Rand // of long runs
	tb     testing.TB
	net    *testNet
	paper  *paperLedger
	n      int

	certificate string               // under which lots are produced; "": none
	acts        func() []func() step // that are drawn; nil: all

	books map[string]kilosAt // what every record of the state says about lots
	sums  map[string]int64   // lot → all of it
}

// kilosAt is what one record holds, by lot.
type kilosAt map[string]int64

func (m *modelRun) number(what string, low, high int) int {
	if m.random != nil {
		return low + m.random.IntN(high-low+1)
	}
	return rapid.IntRange(low, high).Draw(m.t, what)
}

func (m *modelRun) yes(what string) bool { return m.number(what, 0, 1) == 1 }

func (m *modelRun) pick(what string, from ...string) string {
	return from[m.number(what, 0, len(from)-1)]
}

func (m *modelRun) org() int { return m.number("org", 0, orgs-1) }

func (m *modelRun) fatalf(format string, args ...any) {
	if m.t != nil {
		m.t.Fatalf(format, args...)
	}
	m.tb.Fatalf(format, args...)
}

func (m *modelRun) check(err error) {
	if err != nil {
		m.fatalf("%v", err)
	}
}

// modelSettleMs is how long the regulator of the model waits.
const modelSettleMs = 5 * 60_000

// modelNet is a network of three organisations, of which the first is a regulator.
func modelNet(tb testing.TB) *testNet {
	p := DefaultParams()
	p.VoidDelayMs, p.SettleMs = 0, modelSettleMs
	p.Rules.R8 = Reject
	p.FeePerKiB, p.FeePerTransaction = 3, 1
	g := testGenesis(p)
	for i := range orgs {
		a := keyOf(fmt.Sprint("org", i)).Address()
		g.Accounts = append(g.Accounts, GenesisAccount{Address: a, Balance: 100_000})
		g.Organisations = append(g.Organisations, GenesisOrganisation{Address: a, Name: fmt.Sprint("org", i), Prefixes: []string{fmt.Sprint("952132", i)}})
	}
	g.Regulators = []crypto.Address{orgAddress(0)}
	return newNet(tb, g)
}

// begin starts over on the state of genesis.
func (m *modelRun) begin(start *testNet) {
	net := *start
	net.view = start.view.clone()
	m.net, m.paper, m.books, m.sums = &net, newPaper(), map[string]kilosAt{}, map[string]int64{}
}

// act draws one act.
func (m *modelRun) act() step {
	if m.acts != nil {
		acts := m.acts()
		return acts[m.number("act", 0, len(acts)-1)]()
	}
	acts := [...]func() step{m.commission, m.commission, m.produce, m.produce, m.destroy, m.pack, m.pack, m.unpack, m.ship, m.ship, m.ship,
		m.receive, m.receive, m.void, m.transform, m.setAside, m.stock, m.count, m.dispute, m.dispute, m.dispute, m.resolve, m.resolve, m.resolve}
	return acts[m.number("act", 0, len(acts)-1)]()
}

// block executes some acts, compares verdicts, and checks that nothing was made or lost. It returns how many were legal.
func (m *modelRun) block(acts int) (legal int) {
	steps, txs := make([]step, acts), make([]VerifiedTransaction, acts)
	for i := range steps {
		s := m.act()
		tx := m.transaction(s)
		if s.claim != nil {
			s.claim.id = tx.id
		}
		if s.legal {
			s.do()
			legal++
		}
		steps[i], txs[i] = s, VerifiedTransaction{tx: tx}
	}
	for i, r := range m.apply(txs).Receipts {
		s := &steps[i]
		if r.OK() != s.legal {
			m.fatalf("org%d (%+v %+v): the ledger says %s, the paper says legal=%t", s.org, s.event, s.payload, r.Finding, s.legal)
		}
		if r.Code == CodeInternal {
			m.fatalf("internal: %s", r.Finding)
		}
	}
	m.checkConserved()
	return legal
}

// transaction makes one without spending time on signatures.
func (m *modelRun) transaction(s step) *Transaction {
	key := modelKeys[s.org]
	p := s.payload
	if p == nil {
		data, err := epcis.EncodeEvent(s.event)
		m.check(err)
		p = &Capture{Events: [][]byte{data}}
	}
	b, err := NewBody(m.net.hash, modelAddresses[s.org], m.net.height+10, p)
	m.check(err)
	m.n++
	b.Salt[0], b.Salt[1], b.Salt[2] = byte(m.n), byte(m.n>>8), byte(m.n>>16)
	tx, err := NewTransaction(b, []SignedBy{{Key: key}})
	m.check(err)
	return tx
}

// modelKeys and modelAddresses are those of the organisations: making them takes longer than an act.
var (
	modelKeys = func() (keys [orgs]crypto.PublicKey) {
		for i := range keys {
			keys[i] = keyOf(fmt.Sprint("org", i)).Public()
		}
		return keys
	}()
	modelAddresses = func() (addresses [orgs]crypto.Address) {
		for i := range addresses {
			addresses[i] = modelKeys[i].Address()
		}
		return addresses
	}()
)

func (m *modelRun) apply(txs []VerifiedTransaction) *Update {
	up, err := Apply(m.net.view, &Block{
		Header:       quorum.Header{Version: 1, Height: m.net.height + 1, TimeMs: m.net.timeMs + 60_000},
		Transactions: txs,
	})
	m.check(err)
	m.net.view.apply(up.Writes)
	if m.random == nil {
		m.net.conserved() // long runs count money now and then
	}
	m.net.height++
	m.net.timeMs += 60_000
	for i := range up.Writes {
		m.book(&up.Writes[i])
	}
	return up
}

// execute runs one act in a block of its own.
func (m *modelRun) execute(s step) Receipt {
	return m.apply([]VerifiedTransaction{{tx: m.transaction(s)}}).Receipts[0]
}

// book keeps the sums of all lots by reading every record that is written, open lines of disputes included.
func (m *modelRun) book(w *Write) {
	if m.books == nil {
		return
	}
	space, rest, _ := strings.Cut(string(w.Key), "/")
	holds := kilosAt{}
	add := func(q PackedAmount) { holds[q.Lot] += m.kilosIn(q.Amount) }
	switch space {
	case "bal", "contains", "transfer", "dispute":
	default:
		return
	}
	if w.Value != nil {
		switch space {
		case "bal":
			lot, _, _ := strings.Cut(rest, "\x00")
			add(PackedAmount{Lot: lot, Amount: decodeRaw[Balance](m, w.Value).Amount})
		case "contains":
			for _, q := range decodeRaw[Contents](m, w.Value).Quantities {
				add(q)
			}
		case "transfer":
			for _, q := range decodeRaw[Shipment](m, w.Value).Quantities {
				add(q)
			}
		case "dispute":
			d := decodeRaw[DisputeRecord](m, w.Value)
			for i, q := range d.Goods {
				if d.LineOpen(i) {
					add(q)
				}
			}
		}
	}
	for lot, kilos := range m.books[string(w.Key)] {
		m.sums[lot] -= kilos
	}
	for lot, kilos := range holds {
		m.sums[lot] += kilos
	}
	m.books[string(w.Key)] = holds
}

// checkConserved: loose, held, packed, shipped and disputed are what was produced and not consumed, counts included.
func (m *modelRun) checkConserved() {
	for org := range orgs {
		for n := 1; n <= 2; n++ {
			lot := modelLot(org, n)
			if got, want := m.sums[modelLotIDs[lot]], m.paper.total[lot]+m.paper.gone[lot]; got != want {
				m.fatalf("%s: %d on the ledger in all, %d were produced and not consumed", lot, got, want)
			}
		}
	}
}

var modelLotIDs = func() map[string]string {
	ids := map[string]string{}
	for org := range orgs {
		for n := 1; n <= 2; n++ {
			ids[modelLot(org, n)] = canonicalForModel(modelLot(org, n))
		}
	}
	return ids
}()

// TestCustodyAgainstPaper is the conservation property (custody and quantities): a hundred networks, some dozens of acts
// each, legal and not. A failure is made small.
func TestCustodyAgainstPaper(t *testing.T) {
	start := modelNet(t)
	accepted, refused := 0, 0
	property(t, func(rt *rapid.T) {
		m := &modelRun{t: rt}
		m.begin(start)
		for range rapid.IntRange(1, 60).Draw(rt, "acts") {
			legal := m.block(1)
			accepted += legal
			refused += 1 - legal
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

// TestMillionActsAgainstPaper does the same with many acts: networks of some thousand acts each, in blocks of several.
func TestMillionActsAgainstPaper(t *testing.T) {
	acts := 1_000_000
	if testing.Short() {
		acts = 20_000
	}
	start := modelNet(t)
	accepted, disputes, resolved, began := 0, 0, 0, time.Now()
	done := 0
	seeds := seedsFrom(t, 1, uint64(acts)/960+1) // a network has about 960 acts
	for _, seed := range seeds {
		m := &modelRun{tb: t, random: rand.New(rand.NewPCG(seed, 0))}
		m.begin(start)
		for blocks := range 120 {
			n := m.number("acts", 1, 15)
			accepted += m.block(n)
			done += n
			if blocks%8 == 7 {
				m.compare()
			}
			if t.Failed() {
				t.Fatalf("-rapid.seed=%d, block %d", seed, m.net.height)
			}
		}
		m.compare()
		disputes += len(m.paper.claims)
		for _, c := range m.paper.claims {
			for _, l := range c.lines {
				if !l.isOpen() {
					resolved++
				}
			}
		}
	}
	if mixed := accepted >= done/5 && accepted <= done*4/5 && disputes >= done/100 && resolved >= done/200; !mixed && len(seeds) > 1 {
		t.Errorf("%d acts: %d accepted, %d disputes, %d lines resolved: the acts are not really mixed", done, accepted, disputes, resolved)
	}
	t.Logf("%d acts in %v: %d accepted, %d disputes, %d lines resolved", done, time.Since(began).Round(time.Second), accepted, disputes, resolved)
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
	for _, l := range m.paper.sent[max(0, len(m.paper.sent)-12):] {
		m.compareShipment(l)
	}
	m.net.conserved()
}

func orgAddress(i int) crypto.Address { return keyOf(fmt.Sprint("org", i)).Address() }

func (m *modelRun) compareThing(id string) {
	item, err := ReadItem(m.net.view, id)
	m.check(err)
	want := m.paper.things[id]
	if want == nil || item == nil {
		if (want == nil) != (item == nil) {
			m.fatalf("%s: the ledger has %+v, the paper %+v", id, item, want)
		}
		return
	}
	out := m.paper.outermost(id)
	switch {
	case want.ended && !want.gone:
		if item.State != StateDecommissioned {
			m.fatalf("%s: %s, and it was destroyed", id, item.State)
		}
	case out.gone:
		if item.State != StateLost && item.State != StateDestroyed {
			m.fatalf("%s: %s, and it is gone", id, item.State)
		}
	case item.State != stateOf(out):
		m.fatalf("%s: the ledger says %s, the paper %+v in %+v", id, item.State, want, out)
	}
	if item.Custodian != modelAddresses[out.holder] || item.Owner != modelAddresses[want.owner] {
		m.fatalf("%s: the ledger says %+v, the paper %+v in %+v", id, item, want, out)
	}
}

func stateOf(out *thingModel) ItemState {
	switch {
	case out.lorry != nil:
		return StateInTransit
	case out.quarrel != nil && out.quarrel.short():
		return StateDisputed
	case out.quarrel != nil:
		return StateRejected
	}
	return StateActive
}

// compareLot compares every heap.
func (m *modelRun) compareLot(lot string) {
	for org := range orgs {
		for _, s := range []struct {
			status Status
			want   int64
		}{{Available, m.paper.heap(lot)[org]}, {Held, m.paper.apart(lot)[org]}} {
			bal, err := ReadBalance(m.net.view, lot, modelAddresses[org], "KGM", s.status)
			m.check(err)
			if bal == nil {
				bal = &Balance{}
			}
			if got := m.kilosIn(bal.Amount); got != s.want {
				m.fatalf("%s: org%d has %d %s on the ledger, %d on paper", lot, org, got, s.status, s.want)
			}
		}
	}
}

// compareShipment compares the arithmetic of a shipment.
func (m *modelRun) compareShipment(l *lorryLoad) {
	sh, err := ReadShipment(m.net.view, l.id)
	m.check(err)
	under := map[string]int64{"": l.underWay}
	for _, h := range m.paper.lorries {
		if h.lorryLoad == l {
			under[h.heap] += h.kilos
		}
	}
	for _, part := range []struct {
		name string
		got  Tally
		want map[string]int64
	}{
		{"shipped", sh.Shipped, l.shipped}, {"accepted", sh.Accepted(), l.accepted}, {"short", sh.Short, l.short}, {"rejected", sh.Rejected, l.bad},
		{"void", sh.Void, l.back}, {"under way", Tally{Items: sh.OpenItems, Quantities: sh.Quantities}, under},
	} {
		got := map[string]int64{"": int64(part.got.Items)}
		for _, q := range part.got.Quantities {
			got[q.Lot] += m.kilosIn(q.Amount)
		}
		if got[""] != part.want[""] {
			m.fatalf("shipment %+v: %d things %s, on the ledger %d", l, part.want[""], part.name, got[""])
		}
		for lot, id := range modelLotIDs {
			if got[id] != part.want[lot] {
				m.fatalf("shipment %+v: %d of %s %s, on the ledger %d", l, part.want[lot], lot, part.name, got[id])
			}
		}
	}
	state := ShipmentClosed
	switch {
	case l.open > 0:
		state = ShipmentDisputed
	case !m.paper.empty(l):
		state = ShipmentOpen
	case l.void:
		state = ShipmentVoid
	}
	if sh.State != state || int(sh.OpenLines) != l.open {
		m.fatalf("shipment %+v is %s with %d open lines, want %s", l, sh.State, sh.OpenLines, state)
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

func (m *modelRun) kilosIn(a Amount) int64 {
	n := a.Coefficient
	for range a.Exponent {
		n *= 10
	}
	if a.Exponent < 0 || n < 0 {
		m.fatalf("amount %+v", a)
	}
	return n
}

// Fatal makes a modelRun a reporter of decodeRaw.
func (m *modelRun) Fatal(args ...any) { m.fatalf("%v", args) }

func decodeRaw[T any](t interface{ Fatal(...any) }, raw []byte) T {
	var rec T
	if err := crypto.Unmarshal(raw, &rec); err != nil {
		t.Fatal(err)
	}
	return rec
}

// decodeAt is decodeRaw of a record that leaves out what its key tells.
func decodeAt[T any](t interface{ Fatal(...any) }, key string, raw []byte) T {
	rec, err := decodeRecord[T](key, raw)
	if err != nil {
		t.Fatal(err)
	}
	return *rec
}
