package ledger

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// agree asks Precheck, Admit and Apply about a transaction; they must say the same.
func (n *testNet) agree(tx *Transaction, want Code) Receipt {
	n.t.Helper()
	pre, admitted := Precheck(n.view, n.height+1, tx), Admit(n.view, n.height+1, tx)
	r := n.one(tx)
	for _, err := range []error{pre, admitted} {
		if (err == nil) != (want == CodeOK) || err != nil && !errors.Is(err, want) {
			n.t.Errorf("before the block: %v, want %s", err, want)
		}
	}
	if r.Code != want || r.Executed() != (want == CodeOK) {
		n.t.Errorf("Apply says %s, want %s", r.Finding, want)
	}
	return r
}

// shared makes an account of which m of three keys must sign: its own, "k1" and "k2".
func (n *testNet) shared(name string, m uint8) {
	n.t.Helper()
	for _, k := range []string{"k1", "k2"} {
		n.must(n.tx(name, &AddKey{Key: keyOf(name + k).Public()}))
	}
	n.must(n.tx(name, &SetThreshold{M: m}))
}

// TestTwoOfThree signs in every combination, as author and as sponsor.
func TestTwoOfThree(t *testing.T) {
	n := newNet(t, testGenesis(DefaultParams(), "a", "b"))
	n.shared("a", 2)
	keys := []string{"a", "ak1", "ak2"}
	for set := range 8 {
		var by []string
		for i, k := range keys {
			if set&(1<<i) != 0 {
				by = append(by, k)
			}
		}
		own, sponsored := CodeOK, CodeOK
		switch len(by) {
		case 0:
			own, sponsored = CodeKeyNotActive, CodeSponsorNotSigned
		case 1:
			own, sponsored = CodeTooFewSigned, CodeTooFewSponsors
		}
		slices.Reverse(by) // the order of signing says nothing
		n.agree(n.sign(n.body("a", &Transfer{To: keyOf("b").Address(), Amount: 1}), append(by, "stranger")...), own)
		sponsor := keyOf("a").Address()
		b := n.body("b", &Transfer{To: sponsor, Amount: 1})
		b.Sponsor = &sponsor
		before := n.account("a").Balance
		r := n.agree(n.sign(b, append(by, "b")...), sponsored)
		if paid := before - n.account("a").Balance; sponsored == CodeOK && paid+1 != r.Fee {
			t.Errorf("the sponsor paid %d of a fee of %d", paid, r.Fee)
		}
	}
	// A key that signs twice counts once.
	b := n.body("a", &Transfer{To: keyOf("b").Address(), Amount: 1})
	n.agree(n.sign(b, "ak1", "ak1", "ak1"), CodeTooFewSigned)
}

// TestKeysOfTomorrow adds and revokes keys from later heights on: they count only while they are active, and no schedule
// may leave the account without enough of them.
func TestKeysOfTomorrow(t *testing.T) {
	n := newNet(t, testGenesis(DefaultParams(), "a", "b"))
	later := uint64(n.height) + 8
	n.must(n.tx("a", &AddKey{Key: keyOf("ak1").Public()}))
	n.must(n.tx("a", &AddKey{Key: keyOf("ak2").Public(), FromHeight: later}))
	n.want(n.tx("a", &SetThreshold{M: 3}), CodeBadThreshold)
	n.must(n.tx("a", &SetThreshold{M: 2}))
	n.agree(n.tx("a", &Transfer{To: keyOf("b").Address()}, "ak2"), CodeTooFewSigned)
	// The last of two that count may not end before the third begins, nor after.
	r := n.want(n.tx("a", &RevokeKey{Key: keyOf("ak1").Public(), FromHeight: later - 1}, "ak1"), CodeBelowThreshold)
	if r.Args[2] != "1" || r.Args[3] != "2" {
		t.Errorf("%s", r.Finding)
	}
	for n.height < quorum.Height(later) {
		n.block()
	}
	n.must(n.tx("a", &RevokeKey{Key: keyOf("ak1").Public(), FromHeight: later + 9}, "ak2"))
	n.want(n.tx("a", &SetThreshold{M: 3}, "ak2"), CodeBadThreshold) // three now, two soon
	n.want(n.tx("a", &RevokeKey{Key: keyOf("ak2").Public()}, "ak2"), CodeBelowThreshold)
	n.must(n.tx("a", &SetThreshold{M: 1}, "ak2"))
	n.must(n.tx("a", &RevokeKey{Key: keyOf("ak2").Public()}))
}

// TestOneKeyNeedsNoGap is the same for an account of one signature: its last key may not end before another begins.
func TestOneKeyNeedsNoGap(t *testing.T) {
	n := newNet(t, testGenesis(DefaultParams(), "a"))
	n.must(n.tx("a", &AddKey{Key: keyOf("ak1").Public(), FromHeight: 20}))
	n.want(n.tx("a", &RevokeKey{Key: keyOf("a").Public(), FromHeight: 19}), CodeLastKey)
	n.must(n.tx("a", &RevokeKey{Key: keyOf("a").Public(), FromHeight: 20}))
	for n.height < 18 {
		n.block()
	}
	n.agree(n.tx("a", &Transfer{To: keyOf("b").Address()}), CodeOK)
	n.agree(n.tx("a", &Transfer{To: keyOf("b").Address()}), CodeKeyNotActive)
	n.agree(n.sign(n.body("a", &Transfer{To: keyOf("b").Address()}), "ak1"), CodeOK)
}

// TestThresholdForm goes to both ends.
func TestThresholdForm(t *testing.T) {
	for m, ok := range map[uint8]bool{0: false, 1: true, maxThreshold: true, maxThreshold + 1: false, 255: false} {
		if err := (&SetThreshold{M: m}).check(); (err == nil) != ok || err != nil && !errors.Is(err, ErrPayload) {
			t.Errorf("%d: %v", m, err)
		}
	}
	// Six keys of the author, one of a sponsor and one of a new validator fit.
	n := newNet(t, testGenesis(DefaultParams(), "a", "b"))
	var names []string
	for i := range maxThreshold {
		names = append(names, "ak"+decimal(i))
		n.must(n.tx("a", &AddKey{Key: keyOf(names[i]).Public()}))
	}
	n.must(n.tx("a", &SetThreshold{M: maxThreshold}))
	b := n.body("a", &RegisterValidator{Key: keyOf("val").Public(), PeerKey: keyOf("peer").Public(), Name: "v", Stake: 1_000})
	sponsor := keyOf("b").Address()
	b.Sponsor = &sponsor
	n.agree(n.sign(b, append(names, "b", "val")...), CodeOK)
}

// TestFewestKeys compares with counting at every height.
func TestFewestKeys(t *testing.T) {
	address := keyOf("a").Address()
	keys := []crypto.PublicKey{keyOf("a").Public(), keyOf("ak1").Public(), keyOf("ak2").Public(), keyOf("ak3").Public()}
	property(t, func(r *rapid.T) {
		var acct Account
		for _, k := range rapid.SliceOfNDistinct(rapid.SampledFrom(keys), 0, 4, rapid.ID).Draw(r, "keys") {
			acct.Keys = append(acct.Keys, AccountKeyRecord{
				Key: k, From: quorum.Height(rapid.IntRange(0, 8).Draw(r, "from")), Until: quorum.Height(rapid.IntRange(0, 8).Draw(r, "until")),
			})
		}
		from := quorum.Height(rapid.IntRange(0, 9).Draw(r, "h"))
		want := 99
		for h := from; h < 12; h++ {
			active := 0
			for _, k := range keys {
				if acct.KeyActive(address, k, h) {
					active++
				}
			}
			if got := acct.ActiveKeys(address, h); got != active {
				r.Fatalf("%d keys are active at %d, ActiveKeys says %d: %+v", active, h, got, acct.Keys)
			}
			want = min(want, active)
		}
		if got := acct.fewestKeys(address, from); got != want {
			r.Fatalf("from %d: %d, want %d of %+v", from, got, want, acct.Keys)
		}
	})
}
