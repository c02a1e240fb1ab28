package ledger

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"waybill/consensus/quorum"
)

// TestMoneyAgainstPaper moves money and stake at random, amounts at the edges included, and keeps the books by hand.
func TestMoneyAgainstPaper(t *testing.T) {
	p := DefaultParams()
	p.EpochLength, p.UnbondingEpochs, p.MinBond = 2, 2, 10
	g := testGenesis(p, "m0", "m1", "m2")
	start := newNet(t, g)
	val := g.Validators[0].Key
	rapid.Check(t, func(rt *rapid.T) {
		net := *start
		net.view = start.view.clone()
		type purse struct {
			free, bonded uint64
			waiting      map[quorum.Height]uint64
		}
		var purses [3]purse
		for i := range purses {
			purses[i] = purse{free: 1_000_000, waiting: map[quorum.Height]uint64{}}
		}
		for range rapid.IntRange(1, 30).Draw(rt, "acts") {
			who, to := rapid.IntRange(0, 2).Draw(rt, "who"), rapid.IntRange(0, 2).Draw(rt, "to")
			amount := rapid.OneOf(rapid.Uint64Range(0, 300_000), rapid.Uint64Range(999_000, 1_001_000), rapid.Uint64()).Draw(rt, "amount")
			var payload Payload
			kind := rapid.IntRange(0, 2).Draw(rt, "kind")
			switch kind {
			case 0:
				payload = &Transfer{To: keyOf(fmt.Sprint("m", to)).Address(), Amount: amount}
			case 1:
				payload = &Bond{Validator: val, Amount: amount}
			case 2:
				payload = &Unbond{Validator: val, Amount: amount}
			}
			net.salt++
			key := keyOf(fmt.Sprint("m", who)).Public()
			b, err := NewBody(net.hash, key.Address(), net.height+5, payload)
			if err != nil {
				rt.Fatal(err)
			}
			b.Salt = [8]byte{net.salt, byte(net.height)}
			tx, err := NewTransaction(b, []SignedBy{{Key: key}})
			if err != nil {
				rt.Fatal(err)
			}
			height := net.height + 1
			up, err := Apply(net.view, &Block{Header: quorum.Header{Version: 1, Height: height, TimeMs: net.timeMs}, Transactions: []VerifiedTransaction{{tx: tx}}})
			if err != nil {
				rt.Fatal(err)
			}
			net.view.apply(up.Writes)
			net.height = height
			for i := range purses { // money that waited comes first
				purses[i].free += purses[i].waiting[height]
				delete(purses[i].waiting, height)
			}
			me, fee := &purses[who], uint64(20)
			legal := false
			if me.free >= fee {
				me.free -= fee
				switch kind {
				case 0:
					if legal = me.free >= amount; legal {
						me.free -= amount
						purses[to].free += amount
					}
				case 1:
					if legal = amount > 0 && me.free >= amount; legal {
						me.free -= amount
						me.bonded += amount
					}
				case 2:
					if legal = amount > 0 && me.bonded >= amount; legal {
						me.bonded -= amount
						me.waiting[height+4] += amount
					}
				}
			}
			if up.Receipts[0].OK() != legal {
				rt.Fatalf("m%d %+v: the ledger says %s, the paper says legal=%t", who, payload, up.Receipts[0].Finding, legal)
			}
			for i := range purses {
				a := decodeRaw[Account](rt, net.view[string(AccountKey(keyOf(fmt.Sprint("m", i)).Address()))])
				waiting := uint64(0)
				for _, w := range purses[i].waiting {
					waiting += w
				}
				onLedger := uint64(0)
				for _, r := range a.Unbonding {
					onLedger += r.Amount
				}
				if a.Balance != purses[i].free || a.Bonded != purses[i].bonded || onLedger != waiting {
					rt.Fatalf("m%d: the ledger says %+v, the paper %+v", i, a, purses[i])
				}
			}
			checkMoney(t, net.view)
		}
	})
}
