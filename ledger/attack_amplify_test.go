package ledger

import (
	"fmt"
	"testing"

	"waybill/crypto"
	"waybill/epcis"
)

// Events of little length that would make much: each is refused before it has.

// crowded puts a thing under open notices, some of which are beyond the list of its hold.
func crowded(n *testNet, id string, notices int) {
	h := Hold{}
	for i := range notices {
		notice := crypto.Hash{9, byte(i >> 8), byte(i)}
		n.view[string(NoticeKey(notice))] = mustMarshal(NoticeRecord{ID: notice, Type: Recall, Issuer: orgAddress(0), Height: 1})
		if i < maxHolds {
			h.Notices = append(h.Notices, notice)
			continue
		}
		n.view[string(overKey(HoldKey(id), h.More))] = mustMarshal(notice)
		n.view[string(overAtKey(HoldKey(id), notice))] = mustMarshal(h.More)
		h.More++
	}
	n.view[string(HoldKey(id))] = mustMarshal(h)
	all, _ := get[Notices](newOverlay(n.view), NoticesKey())
	all.Open += uint64(notices)
	n.view[string(NoticesKey())] = mustMarshal(all)
}

// TestManyNoticesOnManyThings: what a container is under passes to each thing that is taken out of it, until that is too
// much for one author in a block.
func TestManyNoticesOnManyThings(t *testing.T) {
	for _, x := range []struct {
		notices int
		want    Code
	}{{maxHolds, CodeOK}, {maxHolds + 64, CodeOK}, {maxHolds + 512, CodeTooMuchWork}} {
		n, m := limitsNet(t, DefaultParams())
		box := modelBox(0, 1)
		var things []string
		for i := range 100 {
			things = append(things, modelItem(0, i))
		}
		n.must(n.says("org0", bornEvent(m, append(things, box)...)))
		n.must(n.says("org0", m.packs(box, things...)))
		crowded(n, canonical(box), x.notices)
		up := n.block(n.says("org0", m.empties(box)))
		if got := up.Receipts[0].Code; got != x.want {
			t.Errorf("%d notices: emptied with %d, want %d", x.notices, got, x.want)
		}
		if x.want != CodeOK && len(up.Writes) > 20 {
			t.Errorf("%d notices: a refused event wrote %d records", x.notices, len(up.Writes))
		}
		if h, _ := get[Hold](newOverlay(n.view), HoldKey(canonical(things[3]))); x.want == CodeOK && (len(h.Notices) != maxHolds || h.More != uint64(x.notices-maxHolds)) {
			t.Errorf("%d notices: a thing from the container is under %d and %d", x.notices, len(h.Notices), h.More)
		}
	}
}

// TestNoticesOfManyContainers: things that are under many notices come under many others. Beyond the list each costs the
// author work, and there is an end to that.
func TestNoticesOfManyContainers(t *testing.T) {
	n, m := limitsNet(t, DefaultParams())
	box := modelBox(0, 1)
	var things []string
	for i := range 2000 {
		things = append(things, modelItem(0, i))
	}
	n.must(n.says("org0", bornEvent(m, append(things, box)...)))
	n.must(n.says("org0", m.packs(box, things...)))
	crowded(n, canonical(box), maxHolds)
	full := Hold{}
	for i := range maxHolds {
		notice := crypto.Hash{8, byte(i >> 8), byte(i)}
		n.view[string(NoticeKey(notice))] = mustMarshal(NoticeRecord{ID: notice, Type: Recall, Issuer: orgAddress(0), Height: 1})
		full.Notices = append(full.Notices, notice)
	}
	for _, id := range things {
		n.view[string(HoldKey(canonical(id)))] = mustMarshal(full)
	}
	up := n.block(n.says("org0", m.empties(box)))
	if r := up.Receipts[0]; r.Code != CodeTooMuchWork || len(up.Writes) > 20 {
		t.Errorf("emptied with %v and %d writes", r.Finding, len(up.Writes))
	}
}

// TestManySourcesOfManyLots: each source of each lot is looked up, which is work.
func TestManySourcesOfManyLots(t *testing.T) {
	y := newYard(t, 60)
	var lots []epcis.Quantity
	for i := range 900 {
		lots = append(lots, kilosOf(fmt.Sprintf("urn:epc:class:lgtin:9521000.000002.%d", i), 1)...)
	}
	e := y.m.event(epcis.ObjectEvent, "ADD", "commissioning")
	e.Quantities = lots
	y.must(y.tx("org0", capture(t, Rollback, e)))
	for sources, want := range map[int]Code{0: CodeOK, 1: CodeOK, 59: CodeTooMuchWork} {
		e = y.m.event(epcis.ObjectEvent, "OBSERVE", "receiving")
		e.Quantities = lots
		for i := range sources {
			e.Sources = append(e.Sources, epcis.TypedRef{Type: "possessing_party", ID: yardParty(i + 1)})
		}
		if got := y.block(y.tx("org0", capture(t, Rollback, e))).Receipts[0].Code; got != want {
			t.Errorf("%d sources of %d lots: %d, want %d", sources, len(lots), got, want)
		}
	}
}

// TestNamedThingsLeaveLooksForOthers: what is named is looked at in any case, and takes no more than its author's part.
func TestNamedThingsLeaveLooksForOthers(t *testing.T) {
	b := &blockRun{o: newOverlay(mapView{}), params: DefaultParams()}
	e := &eventRun{txRun: &txRun{blockRun: b, author: orgAddress(0)}, e: &capturedEvent{}}
	for range 60_000 {
		e.chargeLook(64)
	}
	if left := b.looks.left(orgAddress(1)); left < maxWorkAuthor {
		t.Errorf("%d looks are left for another author", left)
	}
}

// TestKeyThatEndsInTheFarFuture: a key with an end that is not yet there is active, however far that is.
func TestKeyThatEndsInTheFarFuture(t *testing.T) {
	y := newYard(t, 1)
	key := keyOf("second").Public()
	y.must(y.tx("org0", &AddKey{Key: key}))
	y.must(y.tx("org0", &RevokeKey{Key: key, FromHeight: 1<<64 - 1000}))
	y.must(y.tx("org0", &AddKey{Key: keyOf("third").Public()}))
	acct, _ := get[Account](newOverlay(y.view), AccountKey(orgAddress(0)))
	if !acct.KeyActive(orgAddress(0), key, y.height+1) {
		t.Error("an active key is gone")
	}
}
