package ledger

import (
	"errors"
	"math"
	"testing"

	"waybill/crypto"
)

// TestMoneyAtItsEdges moves all the money there can be, and asks for more.
func TestMoneyAtItsEdges(t *testing.T) {
	p := shortEpochs()
	p.FeePerTransaction, p.FeePerKiB, p.EpochReward = 0, 0, maxSupply
	g := stakers(p, 1_000)
	rest := uint64(maxSupply) - 1_000
	for i := range g.Accounts {
		rest -= g.Accounts[i].Balance
	}
	g.Reserve = rest / 2
	g.Accounts[1].Balance += rest - rest/2 // the fan's
	n := newNet(t, g)
	if s := n.supply(); s.Total != maxSupply {
		t.Fatalf("%+v", s)
	}
	all := n.account("fan").Balance
	to := keyOf(op(0)).Address()
	const top = math.MaxUint64
	n.want(n.tx("fan", &Transfer{To: to, Amount: all + 1}), CodeNoMoney)
	n.want(n.tx("fan", &Transfer{To: to, Amount: top}), CodeNoMoney)
	n.must(n.tx("fan", &Transfer{To: keyOf("fan").Address(), Amount: all}))
	if got := n.account("fan").Balance; got != all {
		t.Errorf("paid itself and has %d of %d", got, all)
	}
	n.want(n.tx("fan", &Bond{Validator: valKey(0), Amount: all + 1}), CodeNoMoney)
	n.want(n.tx("fan", &Bond{Validator: valKey(0), Amount: top}), CodeNoMoney)
	n.want(n.tx("fan", &Unbond{Validator: valKey(0), Amount: top}), CodeNoStake)
	n.must(n.tx("fan", &Bond{Validator: valKey(0), Amount: all}))
	n.want(n.tx("fan", &Bond{Validator: valKey(0), Amount: top}), CodeNoMoney)
	n.must(n.tx("fan", &Unbond{Validator: valKey(0), Amount: all}))
	n.want(n.tx("fan", &Unbond{Validator: valKey(0), Amount: 1}), CodeNoStake)
	for range 6 { // the whole reserve is paid, then nothing
		n.timeMs += 500_000
		n.close()
	}
	if s := n.supply(); s.Reserve != 0 || s.Total != maxSupply || s.Unbonding != 0 {
		t.Errorf("%+v", s)
	}
	for _, tip := range []uint64{top, top - 1, all + 1, 1 << 63} {
		b := n.body("fan", &Transfer{To: to})
		b.Tip = tip
		tx := n.sign(b, "fan")
		if err := Admit(n.view, n.height+1, tx); !errors.Is(err, CodeFee) {
			t.Errorf("a tip of %d: %v", tip, err)
		}
		n.want(tx, CodeFee)
	}
	b := n.body("fan", &Transfer{To: to})
	b.Tip = n.account("fan").Balance
	n.agree(n.sign(b, "fan"), CodeOK)
	n.close()
	if got := n.account(op(0)).Balance; got < all {
		t.Errorf("a tip of %d was paid, and the only operator has %d", b.Tip, got)
	}
}

// TestSponsorPays looks at who pays the fee of what succeeds, what a rule refuses, and what cannot be paid.
func TestSponsorPays(t *testing.T) {
	n := newNet(t, testGenesis(DefaultParams(), "rich"))
	n.must(n.tx("rich", &Transfer{To: keyOf("poor").Address(), Amount: 0}))
	sponsor := keyOf("rich").Address()
	try := func(p Payload, tip uint64) (Receipt, uint64) {
		b := n.body("poor", p)
		b.Sponsor, b.Tip = &sponsor, tip
		before := n.account("rich").Balance
		r := n.one(n.sign(b, "poor", "rich"))
		return r, before - n.account("rich").Balance
	}
	if r, paid := try(&AddKey{Key: keyOf("second").Public()}, 3); !r.OK() || paid != r.Fee || r.Fee != 23 {
		t.Errorf("%s: the sponsor paid %d of %d", r.Finding, paid, r.Fee)
	}
	if r, paid := try(&Transfer{To: sponsor, Amount: 1}, 0); r.Code != CodeNoMoney || paid != r.Fee || r.Fee == 0 {
		t.Errorf("%s: the sponsor paid %d of %d", r.Finding, paid, r.Fee)
	}
	if r, paid := try(&AddKey{Key: keyOf("third").Public()}, 1_000_000); r.Code != CodeFee || paid != 0 || r.Args[0] != sponsor.String() {
		t.Errorf("%s: the sponsor paid %d", r.Finding, paid)
	}
	if got := n.account("poor").Balance; got != 0 {
		t.Errorf("the author has %d", got)
	}
	// A sponsor that spends its money in the same block cannot pay any more; the author does not instead.
	b := n.body("poor", &AddKey{Key: keyOf("third").Public()})
	b.Sponsor = &sponsor
	spend := n.tx("rich", &Transfer{To: crypto.Address{1}, Amount: n.account("rich").Balance - 25})
	if up := n.block(spend, n.sign(b, "poor", "rich")); !up.Receipts[0].OK() || up.Receipts[1].Code != CodeFee || up.Receipts[1].Fee != 0 {
		t.Errorf("%s, %s", up.Receipts[0].Finding, up.Receipts[1].Finding)
	}
}
