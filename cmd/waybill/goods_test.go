package main

import (
	"errors"
	"strings"
	"testing"

	"waybill/api"
	"waybill/crypto"
	"waybill/epcis/gs1"
	"waybill/ledger"
	"waybill/node"
)

// TestGoodsArguments: what is typed for goods, and what is refused before anybody is asked, always as wrong use.
func TestGoodsArguments(t *testing.T) {
	for text, want := range map[string]string{
		testThing: "", testLot: "lot", testLot + "=40": "lot 40", testLot + "=12.5KGM": "lot 12.5 KGM", testLot + "=2.5H87": "lot 2.5 H87",
		testLot + "=3CS": "lot 3 CS", testLot + "=3 KGM": "lot 3 KGM", testLot + "=all": "lot all", "(01)09521001100014(10)A=1=5LTR": "lot 5 LTR",
	} {
		g, err := parseGoods(text)
		got := ""
		if g.isLot() {
			got = "lot"
		}
		if g.amount != nil {
			got = strings.TrimSpace(got + " " + g.amount.String() + " " + g.unit)
		}
		if g.all {
			got += " all"
		}
		if err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "L1", "L1=40KGM", "=5KGM", testLot + "=", testLot + "=KGM", testLot + "=-5KGM", testLot + "=0KGM", testLot + "=1,5KGM", testLot + "=1e3KGM", testLot + "=40KG",
		testLot + "=40kgm", testLot + "=40\x1b[2J", testLot + "=40\u202eMGK", testLot + "=40" + strings.Repeat("K", 1000), testLot + "=" + strings.Repeat("9", 1000) + "KGM",
		strings.Repeat("x", 1<<20), "\x00", "urn:epc:id:sgtin:9521001.010001.\x1b[2J",
	} {
		_, err := parseGoods(text)
		status, told := 0, ""
		if err != nil {
			status, told = explain(err)
		}
		if status != exitUsage {
			t.Errorf("%.60q: status %d, %v", text, status, err)
		}
		for _, r := range told {
			if r != '\n' && !printable(r) {
				t.Errorf("%.60q brings %q onto the terminal", text, r)
			}
		}
		if len(told) > 2*maxWord+300 {
			t.Errorf("%.60q makes a message of %d bytes", text, len(told))
		}
	}
}

// TestAllLoose: "all" is what is available, in every unit; what is put aside stays.
func TestAllLoose(t *testing.T) {
	list := &api.BalanceList{}
	for _, b := range []struct {
		quantity, uom, status string
		unmeasured            bool
	}{{"40.5", "KGM", "available", false}, {"3", "", "available", false}, {"0", "LTR", "available", true}, {"7", "KGM", "held", false}} {
		e := api.BalanceEntry{Lot: testLot, Status: b.status}
		e.Quantity, e.UOM, e.Unmeasured = b.quantity, b.uom, b.unmeasured
		list.Balances = append(list.Balances, e)
	}
	goods, err := allLoose(goodsArgument{id: testLot, all: true}, list)
	var got []string
	for _, g := range goods {
		text := "?"
		if g.amount != nil {
			text = g.amount.String()
		}
		got = append(got, text+g.unit)
	}
	if err != nil || strings.Join(got, " ") != "40.5KGM 3 ?LTR" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := allLoose(goodsArgument{id: testLot, all: true}, &api.BalanceList{}); statusOf(err) != exitNotFound {
		t.Errorf("nothing at all: %v", err)
	}
}

// TestWhatWasTypedIsWrongUse: also where only the node noticed.
func TestWhatWasTypedIsWrongUse(t *testing.T) {
	_, bad := gs1.Parse("3f38")
	for _, c := range []struct {
		err    error
		status int
	}{
		{bad, exitUsage}, {&api.Problem{Code: api.ErrBadRequest}, exitUsage}, {&api.Problem{Code: api.ErrIdentifier}, exitUsage}, {&api.Problem{Code: api.ErrQuery}, exitUsage},
		{&api.Problem{Code: api.ErrNotFound}, exitNotFound}, {&api.Problem{Code: api.ErrPruned}, exitNotFound}, {&api.Problem{Code: api.ErrInternal}, exitOther},
		{errors.New("something"), exitOther},
	} {
		if got := statusOf(c.err); got != c.status {
			t.Errorf("%v: %d, want %d", c.err, got, c.status)
		}
	}
	if text := sentence(bad); !strings.Contains(text, "64 hexadecimal digits") {
		t.Errorf("%s", text)
	}
	if _, url := gs1.Parse("urn:epc:id:sgtin:1"); strings.Contains(sentence(url), "64 hexadecimal digits") {
		t.Errorf("%s", sentence(url))
	}
}

// TestKnowsNobody: who warns at the start that it will stay alone.
func TestKnowsNobody(t *testing.T) {
	own, other, peer := testKey(t, 1), testKey(t, 2), testKey(t, 3)
	alone := &ledger.Genesis{Validators: []ledger.GenesisValidator{{Key: own.Public()}}}
	many := &ledger.Genesis{Validators: []ledger.GenesisValidator{{Key: own.Public()}, {Key: other.Public()}}}
	with := func(set func(*config)) *config {
		c := &config{}
		set(c)
		return c
	}
	none := with(func(*config) {})
	for name, c := range map[string]struct {
		cfg  *config
		g    *ledger.Genesis
		keys node.Keys
		want bool
	}{
		"the only validator":            {none, alone, node.Keys{Peer: peer, Validator: &own}, false},
		"its key is with a signer":      {with(func(c *config) { c.signerKey = own.Public().String() }), alone, node.Keys{Peer: peer}, false},
		"a follower of one":             {none, alone, node.Keys{Peer: peer}, true},
		"another validator":             {none, alone, node.Keys{Peer: peer, Validator: &other}, true},
		"one of two":                    {none, many, node.Keys{Peer: peer, Validator: &own}, true},
		"a follower with an address":    {with(func(c *config) { c.Bootstrap = []string{"/ip4/10.0.0.1/tcp/1"} }), many, node.Keys{Peer: peer}, false},
		"one that looks in its own net": {with(func(c *config) { c.MDNS = true }), many, node.Keys{Peer: peer}, false},
	} {
		if got := knowsNobody(c.cfg, c.g, &c.keys); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func testKey(t *testing.T, n byte) crypto.PrivateKey {
	t.Helper()
	raw := make([]byte, crypto.PrivateKeySize)
	raw[len(raw)-1] = n
	key, err := crypto.PrivateKeyFromBytes(raw)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestLongWordsAreCut: who pastes a file for an identifier does not get it back, and nothing else of the message is lost.
func TestLongWordsAreCut(t *testing.T) {
	for text, want := range map[string]string{
		"short": "short", strings.Repeat("word ", 1000): strings.Repeat("word ", 1000), strings.Repeat("x", maxWord): strings.Repeat("x", maxWord),
		"a\n" + strings.Repeat("é", maxWord) + " b": "a\n" + strings.Repeat("é", maxWord/2) + "…(2000 bytes in all) b",
	} {
		if got := abridged(text); got != want {
			t.Errorf("%.40q: %.60q", text, got)
		}
	}
	if _, told := explain(usage("%q is no id of a notice", strings.Repeat("A", 70_000))); len(told) > maxWord+100 || !strings.HasSuffix(told, "is no id of a notice") {
		t.Errorf("%d bytes: %.60s", len(told), told)
	}
}
