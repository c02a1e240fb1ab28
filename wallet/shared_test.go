package wallet

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"waybill/crypto"
	"waybill/ledger"
)

// shared makes the farm an account of which two of three keys sign: its own, the clerk's and the owner's.
func shared(t *testing.T) (s state, b *Builder, keys []crypto.PrivateKey) {
	t.Helper()
	s, at := network(t, 256<<10)
	keys = []crypto.PrivateKey{keyOf(t, "farm"), keyOf(t, "clerk"), keyOf(t, "owner")}
	b = &Builder{Author: keys[0].Address(), At: at}
	for _, p := range []ledger.Payload{&ledger.AddKey{Key: keys[1].Public()}, &ledger.AddKey{Key: keys[2].Public()}, &ledger.SetThreshold{M: 2}} {
		body, err := b.Build(p)
		if err != nil {
			t.Fatal(err)
		}
		tx, err := ledger.Sign(body, keys[0])
		if err != nil {
			t.Fatal(err)
		}
		if r := execute(t, s, &b.At, tx.Raw()); !r[0].OK() {
			t.Fatal(r[0].Finding)
		}
	}
	return s, b, keys
}

// TestTwoOfThreeSign passes copies of one draft to every two of three people; the network takes what comes of it, and not
// what one alone has signed.
func TestTwoOfThreeSign(t *testing.T) {
	s, b, keys := shared(t)
	farm := keys[0].Address()
	account, err := ledger.ReadAccount(s, farm)
	if err != nil || account.Needed() != 2 {
		t.Fatalf("%+v, %v", account, err)
	}
	for pair, who := range [][]int{{0, 1}, {2, 0}, {1, 2}} {
		body, err := b.Build(&ledger.Transfer{To: keyOf(t, "other").Address(), Amount: 7})
		if err != nil {
			t.Fatal(err)
		}
		one, err := ledger.Sign(body, keys[who[0]])
		if err != nil {
			t.Fatal(err)
		}
		if r := execute(t, s, &b.At, one.Raw()); r[0].Code != ledger.CodeTooFewSigned {
			t.Errorf("one signature: %s", r[0].Finding)
		}
		d, err := NewDraft(body)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Need(farm, account.Needed()); err != nil {
			t.Fatal(err)
		}
		unsigned := encoded(t, d)
		copies := []*Draft{parsed(t, unsigned), parsed(t, unsigned)}
		for i, k := range who {
			if err := copies[i].SignFor(farm, keys[k]); err != nil {
				t.Fatal(err)
			}
			if got := copies[i].Missing(); !reflect.DeepEqual(got, []crypto.Address{farm}) {
				t.Errorf("missing %v after one of two", got)
			}
			_, err := copies[i].Transactions()
			wantKind(t, "one of two", err, ErrDraft)
		}
		if err := copies[0].Combine(parsed(t, encoded(t, copies[1]))); err != nil {
			t.Fatal(err)
		}
		whole := parsed(t, encoded(t, copies[0]))
		if v := whole.View()[0]; !reflect.DeepEqual(v.Keys, []KeyCount{{farm, 2, 2}}) || len(v.Missing) != 0 {
			t.Errorf("pair %d: %+v", pair, v)
		}
		if err := copies[1].Combine(copies[0]); err != nil || string(encoded(t, copies[1])) != string(encoded(t, whole)) {
			t.Errorf("the order of combining tells (%v)", err)
		}
		wantKind(t, "a third", whole.SignFor(farm, keys[3-who[0]-who[1]]), ErrContent)
		if err := whole.SignFor(farm, keys[who[0]]); err != nil {
			t.Errorf("the same key again: %v", err)
		}
		txs, err := whole.Transactions()
		if err != nil {
			t.Fatal(err)
		}
		if r := execute(t, s, &b.At, txs[0].Raw()); !r[0].OK() {
			t.Error(r[0].Finding)
		}
	}
}

// TestNeedRefuses is a table of what cannot be needed.
func TestNeedRefuses(t *testing.T) {
	d := sponsored(t)
	farm, sponsor := keyOf(t, "farm").Address(), keyOf(t, "sponsor").Address()
	wantKind(t, "a stranger", d.Need(keyOf(t, "stranger").Address(), 2), ErrContent)
	wantKind(t, "none", d.Need(farm, 0), ErrContent)
	wantKind(t, "too many", d.Need(farm, ledger.MaxSignatures+1), ErrContent)
	if err := errors.Join(d.Need(farm, 3), d.Need(sponsor, 2), d.Need(farm, 2)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Sign(keyOf(t, "farm")), d.SignFor(farm, keyOf(t, "clerk"))); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "fewer than signed", d.Need(farm, 1), ErrContent)
	again := parsed(t, encoded(t, d))
	if got := again.Missing(); !reflect.DeepEqual(got, []crypto.Address{sponsor}) {
		t.Errorf("missing %v", got)
	}
	// One who did not know how many are needed made a copy; who knows wins.
	other := sponsored(t)
	if err := errors.Join(other.Sign(keyOf(t, "sponsor")), other.Combine(again)); err != nil || len(other.Missing()) != 1 {
		t.Errorf("missing %v (%v)", other.Missing(), err)
	}
}

// TestRoomForAllSignatures makes the largest transaction that fits: with two signatures it still does.
func TestRoomForAllSignatures(t *testing.T) {
	b := builder(t, "farm")
	b.At.Params.MaxTxBytes = 1 << 10
	p := &ledger.Propose{Title: "t", Action: ledger.Action{Kind: ledger.ActAdmission, Account: b.Author}}
	fits := func(keys int, text int) bool {
		b.Keys = map[crypto.Address]int{b.Author: keys}
		p.Text = strings.Repeat("a", text)
		_, err := b.Build(p)
		return err == nil
	}
	most := 0
	for fits(1, most+1) {
		most++
	}
	if most < 100 || fits(2, most) || !fits(2, most-110) {
		t.Errorf("%d bytes of text fit with one signature; with two %t", most, fits(2, most))
	}
}
