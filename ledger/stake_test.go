package ledger

import (
	"fmt"
	"math"
	"testing"

	"waybill/crypto"
)

func TestStake(t *testing.T) {
	p := DefaultParams()
	n := newNet(t, testGenesis(p, "op", "fan"))
	val := keyOf("validator 2")
	register := func(stake uint64) *RegisterValidator {
		return &RegisterValidator{Key: val.Public(), PeerKey: keyOf("peer").Public(), Name: "two", Stake: stake}
	}
	n.want(n.tx("op", register(2_000)), CodeKeyNotSigned)
	n.want(n.tx("op", register(999), "validator 2"), CodeMinBond)
	n.want(n.tx("op", register(1<<50), "validator 2"), CodeNoMoney)
	n.want(n.tx("op", register(2_000), "validator 2"), CodeOK)
	n.want(n.tx("fan", register(2_000), "validator 2"), CodeValidatorExists)
	third := &RegisterValidator{Key: keyOf("validator 3").Public(), PeerKey: keyOf("peer").Public(), Name: "three", Stake: 2_000}
	n.want(n.tx("fan", third, "validator 3"), CodePeerKeyTaken)
	n.want(n.tx("fan", &Bond{Validator: val.Public(), Amount: 999}), CodeMinBond)
	n.want(n.tx("fan", &Bond{Validator: val.Public(), Amount: 1_000}), CodeOK)
	n.want(n.tx("fan", &Bond{Validator: val.Public(), Amount: 1}), CodeOK)
	n.want(n.tx("fan", &Bond{Validator: keyOf("x").Public(), Amount: 1_000}), CodeNoValidator)
	n.want(n.tx("fan", &Bond{Validator: val.Public()}), CodeZeroAmount)
	n.want(n.tx("fan", &Bond{Validator: val.Public(), Amount: math.MaxUint64}), CodeNoMoney)
	n.want(n.tx("fan", &Unbond{Validator: val.Public(), Amount: 1_002}), CodeNoStake)
	n.want(n.tx("fan", &Unbond{Validator: val.Public(), Amount: 2}), CodeMinBond)
	n.want(n.tx("op", &Unbond{Validator: val.Public(), Amount: 1_001}), CodeMinBond)
	n.want(n.tx("op", &Unbond{Validator: val.Public()}), CodeZeroAmount)
	n.want(n.tx("op", &Unbond{Validator: keyOf("x").Public(), Amount: 1}), CodeNoValidator)

	list, err := ReadValidators(n.view)
	if err != nil || len(list) != 2 || list[1].Stake != 3_001 {
		t.Fatalf("%+v, %v", list, err)
	}
	// Nobody holds another back: both may leave, in any order.
	n.want(n.tx("op", &Unbond{Validator: val.Public(), Amount: 2_000}), CodeOK)
	n.want(n.tx("fan", &Unbond{Validator: val.Public(), Amount: 1_001}), CodeOK)
	if list, err = ReadValidators(n.view); err != nil || len(list) != 1 {
		t.Fatalf("an empty validator is still listed: %+v, %v", list, err)
	}
	if left, err := ReadStake(n.view, val.Public(), keyOf("fan").Address()); err != nil || left != 0 {
		t.Errorf("%d, %v", left, err)
	}
	// It may come back.
	n.want(n.tx("op", &Bond{Validator: val.Public(), Amount: 100}), CodeMinBond)
	n.want(n.tx("op", &Bond{Validator: val.Public(), Amount: 1_000}), CodeOK)
	if v, err := ReadValidator(n.view, val.Public()); err != nil || v.Stake != 1_000 || v.Operator != keyOf("op").Address() {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestUnbonding waits for both, epochs and time, to the block.
func TestUnbonding(t *testing.T) {
	p := shortEpochs() // two epochs and four minutes
	n := newNet(t, stakers(p, 3_000, 3_000, 3_000))
	n.must(n.tx(op(0), &Unbond{Validator: valKey(0), Amount: 100}))
	n.must(n.tx(op(0), &Unbond{Validator: valKey(0), Amount: 200})) // of one epoch: one release
	if u := n.account(op(0)).Unbonding; len(u) != 1 || u[0].Amount != 300 || u[0].Epoch != 1 || u[0].Validator != valKey(0) {
		t.Fatalf("%+v", u)
	}
	free := func() bool { return len(n.account(op(0)).Unbonding) == 0 }
	n.close() // epoch 1, in which the money may still count
	n.close()
	end := n.timeMs // of epoch 1
	n.close()
	n.timeMs = end + p.UnbondingMs() + 1_000_000
	n.block()
	if free() {
		t.Fatal("released after one further epoch")
	}
	n.close()
	if free() {
		t.Fatal("released by the closing block of the second further epoch")
	}
	n.block()
	if !free() {
		t.Fatal("not released after two further epochs")
	}
	// Now the other way round: epochs are over, time is not.
	n.must(n.tx(op(1), &Unbond{Validator: valKey(1), Amount: 300}))
	last := n.epoch().Number + 1
	step := func(closing bool) {
		b := n.nextBlock()
		if closing {
			n.closes(b)
		}
		b.Header.TimeMs = n.timeMs + 1
		n.keep(b)
	}
	for n.epoch().Number <= last {
		step(true)
	}
	end = n.timeMs
	for range 10 {
		step(true)
	}
	n.timeMs = end + p.UnbondingMs() - 1
	step(false) // at exactly the unbonding time
	if len(n.account(op(1)).Unbonding) != 1 {
		t.Fatal("released before the time")
	}
	balance := n.account(op(1)).Balance
	step(false)
	if a := n.account(op(1)); len(a.Unbonding) != 0 || a.Balance != balance+300 {
		t.Errorf("%+v", a)
	}
}

// TestHeldBack: money behind power that lingers in the set is not released as if it were gone.
func TestHeldBack(t *testing.T) {
	n := newNet(t, stakers(shortEpochs(), 9_000, 500, 500))
	n.must(n.tx(op(0), &Unbond{Validator: valKey(0), Amount: 9_000}))
	for {
		e := n.epoch()
		power := n.powers()[0]
		u := n.account(op(0)).Unbonding
		if power == 0 {
			break
		}
		if len(u) != 1 || u[0].Epoch < e.Number {
			t.Fatalf("epoch %d: power %d, money %+v", e.Number, power, u)
		}
		if e.Number > 30 {
			t.Fatal("the validator never leaves")
		}
		n.close()
	}
	if n.epoch().Number < 3 {
		t.Errorf("9000 of 10000 left within %d epochs", n.epoch().Number)
	}
}

// TestRotation changes keys in the middle of everything.
func TestRotation(t *testing.T) {
	n := newNet(t, stakers(shortEpochs(), 1_000, 1_000, 1_000, 1_000))
	rotate := func(from, to int, peer crypto.PublicKey) *RotateValidatorKey {
		return &RotateValidatorKey{Old: valKey(from), New: valKey(to), NewPeerKey: peer}
	}
	n.want(n.tx(op(0), rotate(0, 9, crypto.PublicKey{})), CodeKeyNotSigned)
	n.want(n.tx(op(1), rotate(0, 9, crypto.PublicKey{}), "val 9"), CodeNotOperator)
	n.want(n.tx(op(0), rotate(0, 1, crypto.PublicKey{}), "val 1"), CodeValidatorExists)
	n.want(n.tx(op(0), rotate(8, 9, crypto.PublicKey{}), "val 9"), CodeNoValidator)
	n.want(n.tx(op(0), rotate(0, 9, keyOf("peer 1").Public()), "val 9"), CodePeerKeyTaken)
	n.want(n.tx(op(0), rotate(0, 9, keyOf("peer 9").Public()), "val 9"), CodeOK)
	n.want(n.tx(op(0), rotate(0, 10, crypto.PublicKey{}), "val 10"), CodeOldKey)
	n.want(n.tx(op(1), rotate(1, 0, crypto.PublicKey{}), "val 0"), CodeValidatorExists) // never used again
	n.want(n.tx(op(0), rotate(9, 10, crypto.PublicKey{}), "val 10"), CodeOK)
	n.want(n.tx("fan", &RegisterValidator{Key: valKey(9), PeerKey: keyOf("peer 0").Public(), Name: "x", Stake: 100}, "val 9"), CodeValidatorExists)
	n.want(n.tx("fan", &RegisterValidator{Key: valKey(11), PeerKey: keyOf("peer 0").Public(), Name: "x", Stake: 100}, "val 11"), CodeOK) // freed
	for _, k := range []int{0, 9, 10} {                                                                                                  // any key it has had
		n.want(n.tx("fan", &Bond{Validator: valKey(k), Amount: 100}), CodeOK)
		if key, err := PeerKeyOf(n.view, valKey(k)); err != nil || key != keyOf("peer 9").Public() {
			t.Errorf("key %d: peer key %s, %v", k, key, err)
		}
	}
	if s, err := ReadStake(n.view, valKey(10), keyOf("fan").Address()); err != nil || s != 300 {
		t.Errorf("%d, %v", s, err)
	}
	// Both keys together never have more power than the validator has stake.
	for range 8 {
		n.close()
		if p := n.powers(); p[0]+p[9]+p[10] > 1_300 {
			t.Errorf("powers %v", p)
		}
	}
	n.wantPowers("in the end", map[int]uint64{10: 1_300, 1: 1_000, 2: 1_000, 3: 1_000, 11: 100})
}

// TestStakeLimits fills every list to its limit.
func TestStakeLimits(t *testing.T) {
	p := shortEpochs()
	p.ExpiryWindow = 1_000
	g := stakers(p, 3_000, 3_000, 3_000)
	for i := range maxHolders + 2 {
		g.Accounts = append(g.Accounts, GenesisAccount{Address: keyOf(fmt.Sprint("holder ", i)).Address(), Balance: 10_000})
	}
	n := newNet(t, g)
	for i := range maxHolders - 1 { // the operator has the first place
		n.want(n.tx(fmt.Sprint("holder ", i), &Bond{Validator: valKey(0), Amount: 100}), CodeOK)
	}
	n.want(n.tx(fmt.Sprint("holder ", maxHolders), &Bond{Validator: valKey(0), Amount: 100}), CodeTooManyHolders)
	n.want(n.tx("holder 0", &Bond{Validator: valKey(0), Amount: 1}), CodeOK)
	// A place is free when nothing is left there, not when it is unbonding.
	n.want(n.tx("holder 1", &Unbond{Validator: valKey(0), Amount: 100}), CodeOK)
	n.want(n.tx(fmt.Sprint("holder ", maxHolders), &Bond{Validator: valKey(0), Amount: 100}), CodeTooManyHolders)
	// Unbonds of one account from one validator, one an epoch. Time stands almost still, so that none is released.
	for i := range maxUnbondsPerValidator {
		n.want(n.tx(op(1), &Unbond{Validator: valKey(1), Amount: 1}), CodeOK)
		n.want(n.tx(op(1), &Unbond{Validator: valKey(1), Amount: 1}), CodeOK)
		if got := len(n.account(op(1)).Unbonding); got != i+1 {
			t.Fatalf("%d unbonds", got)
		}
		b := n.closes(n.nextBlock())
		n.timeMs -= 180_000
		b.Header.TimeMs = n.timeMs + 1
		n.keep(b)
	}
	n.want(n.tx(op(1), &Unbond{Validator: valKey(1), Amount: 1}), CodeTooManyUnbonds)
	// Validators of one operator.
	for i := 1; i < maxOwnValidators; i++ {
		name := fmt.Sprint("own ", i)
		n.want(n.tx(op(2), &RegisterValidator{Key: keyOf(name).Public(), PeerKey: keyOf(name + "p").Public(), Name: "x", Stake: 100}, name), CodeOK)
	}
	n.want(n.tx(op(2), &RegisterValidator{Key: keyOf("own x").Public(), PeerKey: keyOf("own xp").Public(), Name: "x", Stake: 100}, "own x"), CodeTooManyOwn)
	// Place for the operator, who may have left its own validator.
	n.want(n.tx("fan", &RegisterValidator{Key: keyOf("far").Public(), PeerKey: keyOf("far p").Public(), Name: "x", Stake: 100}, "far"), CodeOK)
	list := holders{}
	for i := range maxHolders - 1 {
		list.Accounts = append(list.Accounts, keyOf(fmt.Sprint("holder ", i)).Address())
	}
	n.view[string(holdersKey(keyOf("far").Public()))] = mustMarshal(list)
	n.want(n.tx(fmt.Sprint("holder ", maxHolders), &Bond{Validator: keyOf("far").Public(), Amount: 100}), CodeTooManyHolders)
	n.want(n.tx("fan", &Bond{Validator: keyOf("far").Public(), Amount: 100}), CodeOK)
	// The list of validators.
	full := validatorList{}
	for i := range maxRegisteredValidators {
		full.Keys = append(full.Keys, crypto.PublicKey{2, byte(i >> 8), byte(i)})
	}
	n.view[keyValidators] = mustMarshal(full)
	n.want(n.tx("fan", &RegisterValidator{Key: keyOf("late").Public(), PeerKey: keyOf("late p").Public(), Name: "x", Stake: 100}, "late"), CodeTooManyVals)
}

// TestReleasesAreBounded queues more releases than a block may look at.
func TestReleasesAreBounded(t *testing.T) {
	n := newNet(t, stakers(shortEpochs(), 3_000, 3_000, 3_000))
	const entries = 2*maxReleasesPerBlock + 10
	for i := range entries {
		n.view[string(releaseKey(uint64(i)))] = mustMarshal(releaseEntry{Account: keyOf("fan").Address(), Validator: valKey(0)})
	}
	n.view[keyReleases] = mustMarshal(releaseQueue{Next: entries})
	left := func() uint64 {
		q, err := read[releaseQueue](n.view, []byte(keyReleases))
		if err != nil {
			t.Fatal(err)
		}
		return q.Next - q.First
	}
	for range 4 {
		n.close()
	}
	n.timeMs += 1_000_000
	n.block()
	if got := left(); got != entries-maxReleasesPerBlock {
		t.Errorf("%d left after one block", got)
	}
	n.block()
	n.block()
	if got := left(); got != 0 {
		t.Errorf("%d left", got)
	}
	for k := range n.view {
		if len(k) > 8 && k[:8] == "release/" {
			t.Fatalf("%q is still there", k)
		}
	}
}
