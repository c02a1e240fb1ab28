package main

import (
	"errors"
	"strings"
	"testing"

	"waybill/api"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
)

const (
	testLot   = "urn:epc:class:lgtin:9521001.010001.A1"
	otherLot  = "urn:epc:class:lgtin:9521001.010001.B2"
	testThing = "urn:epc:id:sgtin:9521001.010001.17"
)

func underWay() *api.ShipmentDetail {
	s := &api.ShipmentDetail{Items: []string{testThing}}
	s.From, s.To = &api.Holder{Address: crypto.Address{1}, Name: "Farm"}, &api.Holder{Address: crypto.Address{2}, Name: "Shop"}
	s.Quantities = []api.PackedAmount{{Lot: testLot, Quantity: "40", UOM: "KGM"}, {Lot: testLot, Quantity: "3"}}
	return s
}

func TestOnlyTheReceiverReceives(t *testing.T) {
	s := underWay()
	if err := checkReceiver(s, crypto.Address{2}); err != nil {
		t.Error(err)
	}
	for _, other := range []crypto.Address{{1}, {3}} {
		err := checkReceiver(s, other)
		if err == nil || statusOf(err) != exitRefused || !strings.Contains(err.Error(), "is to Shop") {
			t.Errorf("%s may receive: %v", other, err)
		}
	}
	if s.To = nil; checkReceiver(s, crypto.Address{3}) != nil {
		t.Error("a shipment to nobody on the ledger is refused here, not there")
	}
}

func TestOnlyWhatIsUnderWayIsDisputed(t *testing.T) {
	four := ledger.AmountOf(epcis.Decimal{Coefficient: 4})
	for _, c := range []struct {
		name  string
		line  ledger.DisputeLine
		lines int // 0: refused
	}{
		{"some of a lot", ledger.DisputeLine{Kind: ledger.Shortage, ID: testLot, Amount: four, Unit: "KGM"}, 1},
		{"all of a lot", ledger.DisputeLine{Kind: ledger.Shortage, ID: testLot}, 2},
		{"a thing", ledger.DisputeLine{Kind: ledger.Damage, ID: testThing}, 1},
		{"another lot", ledger.DisputeLine{Kind: ledger.Shortage, ID: otherLot, Amount: four, Unit: "KGM"}, 0},
		{"another thing", ledger.DisputeLine{Kind: ledger.Damage, ID: testThing + "8"}, 0},
		{"another lot too many", ledger.DisputeLine{Kind: ledger.Overage, ID: otherLot, Amount: four, Unit: "KGM"}, 1},
	} {
		lines, err := disputedOf(underWay(), []ledger.DisputeLine{c.line})
		if len(lines) != c.lines || (err != nil) != (c.lines == 0) || err != nil && statusOf(err) != exitUsage {
			t.Errorf("%s: %d lines, %v", c.name, len(lines), err)
		}
		for _, l := range lines {
			if l.ID == testLot && l.Amount.IsZero() {
				t.Errorf("%s: no amount of %s", c.name, l.ID)
			}
		}
	}
}

func TestAReceivingWithoutItsDisputeIsTold(t *testing.T) {
	refused := &failure{exitRefused, errors.New("refused. not-open")}
	if err := undisputed(&handedOver{}, refused); err != error(refused) {
		t.Errorf("nothing was received: %v", err)
	}
	done := &handedOver{Event: crypto.Hash{7}, capture: &api.TxInfo{}}
	err := undisputed(done, refused)
	if statusOf(err) != exitRefused || !strings.Contains(err.Error(), "received (event "+done.Event.String()) || !strings.Contains(err.Error(), "NO dispute is open") {
		t.Errorf("%v", err)
	}
	if err := undisputed(done, fail(exitUnconfirmed, "not final")); statusOf(err) != exitUnconfirmed || strings.Contains(err.Error(), "NO dispute") {
		t.Errorf("%v", err)
	}
}
