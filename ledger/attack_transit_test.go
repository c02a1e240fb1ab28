package ledger

import (
	"fmt"
	"testing"

	"waybill/crypto"
	"waybill/epcis"
)

// yard is a network of many companies that ship one lot.
type yard struct {
	*testNet
	m *modelRun
	t *testing.T
}

const yardLot = "urn:epc:class:lgtin:9521000.000001.L1"

func yardParty(org int) string { return fmt.Sprintf("urn:epc:id:pgln:9521%03d.00000", org) }

// newYard has so many companies; the first has made the lot and given a kilo to each of some others.
func newYard(t *testing.T, companies int, given ...int) *yard {
	p := DefaultParams()
	p.VoidDelayMs = 0
	g := testGenesis(p)
	for i := range companies {
		g.Accounts = append(g.Accounts, GenesisAccount{Address: orgAddress(i), Balance: 1_000_000_000})
		g.Organisations = append(g.Organisations, GenesisOrganisation{Address: orgAddress(i), Name: fmt.Sprint("org", i), Prefixes: []string{fmt.Sprintf("9521%03d", i)}})
	}
	n := newNet(t, g)
	y := &yard{testNet: n, m: &modelRun{net: n}, t: t}
	e := y.m.event(epcis.ObjectEvent, "ADD", "commissioning")
	e.Quantities = kilosOf(yardLot, 100_000)
	n.must(n.tx("org0", capture(t, Rollback, e)))
	for _, i := range given {
		y.must(y.ship(0, i, 1))
		y.must(y.receive(i, 1))
	}
	return y
}

func (y *yard) ship(from, to int, kilos int64) *Transaction {
	e := y.m.event(epcis.ObjectEvent, "OBSERVE", "shipping")
	e.Quantities, e.Destinations = kilosOf(yardLot, kilos), []epcis.TypedRef{{Type: "possessing_party", ID: yardParty(to)}}
	return y.tx(fmt.Sprint("org", from), capture(y.t, Rollback, e))
}

func (y *yard) receive(at int, kilos int64, sources ...int) *Transaction {
	e := y.m.event(epcis.ObjectEvent, "OBSERVE", "receiving")
	e.Quantities = kilosOf(yardLot, kilos)
	for _, s := range sources {
		e.Sources = append(e.Sources, epcis.TypedRef{Type: "possessing_party", ID: yardParty(s)})
	}
	return y.tx(fmt.Sprint("org", at), capture(y.t, Rollback, e))
}

// open is how many shipments there are under way from one to another.
func (y *yard) open(from, to int) int {
	tr, err := ReadTransit(y.view, yardLot, "KGM", orgAddress(from), orgAddress(to))
	if err != nil {
		y.t.Fatal(err)
	}
	if tr == nil {
		return 0
	}
	return len(tr.Shipments)
}

// TestNobodyLocksTheShippingOfOthers: who holds one kilo of a lot ships grams of it as often as he may, to everybody. That
// is his own limit: the lot goes on being shipped to the same receivers, and received.
func TestNobodyLocksTheShippingOfOthers(t *testing.T) {
	y := newYard(t, 3, 2)
	for range maxOpenShipments {
		y.must(y.ship(2, 1, 0))
	}
	if r := y.one(y.ship(2, 1, 0)); r.Code != CodeTooManyOpen {
		t.Fatal(r.Finding)
	}
	y.must(y.ship(2, 0, 0)) // another receiver is another list
	for range maxOpenShipments {
		y.must(y.ship(0, 1, 100))
	}
	y.must(y.receive(1, 6_400, 0)) // named, those of the brand owner come first
	if a, b := y.open(0, 1), y.open(2, 1); a != 0 || b != maxOpenShipments {
		t.Errorf("%d and %d are under way", a, b)
	}
	y.must(y.ship(0, 1, 100))
	y.must(y.receive(1, 100)) // not named, the oldest come first
	if a, b := y.open(0, 1), y.open(2, 1); a != 0 || b != 0 {
		t.Errorf("%d and %d are under way", a, b)
	}
}

// TestFriendsDoNotLockAReceiver: as many companies as are listed ship grams to somebody. Another ships all the same, and the
// receiver has the goods by saying where they come from.
func TestFriendsDoNotLockAReceiver(t *testing.T) {
	friends := make([]int, maxShippers)
	for i := range friends {
		friends[i] = i + 2
	}
	y := newYard(t, maxShippers+2, friends...)
	for _, i := range friends {
		y.must(y.ship(i, 1, 1))
	}
	y.must(y.ship(0, 1, 500))
	if r := y.one(y.receive(1, 500)); r.Code != CodeOverage {
		t.Fatal(r.Finding) // only the friends' are found
	}
	y.must(y.receive(1, 500, 0))
	y.must(y.receive(1, maxShippers))
	for _, i := range append(friends, 0) {
		if n := y.open(i, 1); n != 0 {
			t.Errorf("%d of org%d are under way", n, i)
		}
	}
	for k := range y.view {
		if at, err := ParseTransitKey([]byte(k)); err == nil {
			t.Errorf("%+v is left", at)
		}
	}
	checkLanes(t, y.view)
	y.must(y.ship(0, 1, 500)) // there is room again
	y.must(y.receive(1, 500))
}

// TestReceiversAreBounded: the list of a shipper's receivers has the shipper's limit, and a place that is struck is free.
func TestReceiversAreBounded(t *testing.T) {
	b := &blockRun{o: newOverlay(mapView{})}
	to := func(i int) crypto.Address { return crypto.Address{1, byte(i >> 8), byte(i)} }
	sh := func(i int) *Shipment {
		return &Shipment{Event: crypto.Hash{1, byte(i >> 8), byte(i)}, From: crypto.Address{9}, To: to(i), Party: "urn:p"}
	}
	for i := range maxReceivers {
		if !b.listTransit("urn:l", "", sh(i)) {
			t.Fatalf("receiver %d", i)
		}
	}
	if b.listTransit("urn:l", "", sh(maxReceivers)) {
		t.Error("one more")
	}
	if !b.listTransit("urn:l", "KGM", sh(maxReceivers)) || !b.listTransit("urn:other", "", sh(maxReceivers)) {
		t.Error("another unit or lot")
	}
	b.unlistTransit("urn:l", "", sh(7))
	if !b.listTransit("urn:l", "", sh(maxReceivers)) || b.listTransit("urn:l", "", sh(7)) {
		t.Error("the place of one that was struck")
	}
	key := TransitKey("urn:l", "", crypto.Address{9}, to(8))
	if b.mayList(key, maxOpenShipments+1) || !b.mayList(key, maxOpenShipments) || b.mayList(TransitKey("urn:l", "", crypto.Address{9}, to(7)), 1) {
		t.Error("what undoing may list")
	}
}

// TestReceivingLooksAtSoMuch: a receiving that would have to go through very many shipments is work, and refused for this
// block when the author has done too much of it.
func TestReceivingLooksAtSoMuch(t *testing.T) {
	y := newYard(t, 2)
	for range 3 {
		y.must(y.ship(0, 1, 10))
	}
	v := y.view
	b := &blockRun{o: newOverlay(v), params: y.genesis.Params, height: y.height + 1, timeMs: y.timeMs}
	b.work.spend(orgAddress(1), maxWorkAuthor-2)
	e := &eventRun{txRun: &txRun{blockRun: b, author: orgAddress(1)}, e: &capturedEvent{}, worked: freeShare{over: true}}
	q := e.underWay(canonical(yardLot), "KGM", false)
	for i := range 3 {
		if got := q.next() != nil; got != (i < 2) || e.overworked != (i == 2) {
			t.Fatalf("shipment %d: %t, %t", i, got, e.overworked)
		}
	}
}

func TestTransitKeysParse(t *testing.T) {
	at := TransitAt{Lot: "urn:l", Unit: "KGM", From: crypto.Address{0, 1}, To: crypto.Address{2, 0}}
	key := TransitKey(at.Lot, at.Unit, at.From, at.To)
	if got, err := ParseTransitKey(key); err != nil || got != at {
		t.Error(got, err)
	}
	for _, bad := range [][]byte{nil, key[1:], key[:len(key)-1], append(append([]byte{}, key...), 0), []byte("transit/urn:l")} {
		if _, err := ParseTransitKey(bad); err == nil {
			t.Errorf("%q", bad)
		}
	}
}
