package ledger

import (
	"fmt"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// All sums of money go through add and sub.

// add returns a+b; false if it is beyond 64 bits.
func add(a, b uint64) (uint64, bool) { return a + b, a+b >= a }

// sub returns a-b; false if it would be negative.
func sub(a, b uint64) (uint64, bool) { return a - b, b <= a }

// mul returns a*b; false if it is beyond 64 bits.
func mul(a, b uint64) (uint64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	p := a * b
	return p, p/b == a
}

// mustAdd adds where the constant supply rules out an overflow; a failure is a fault of this program.
func mustAdd(a, b uint64) uint64 {
	s, ok := add(a, b)
	if !ok {
		panic(fmt.Sprintf("ledger: money overflow: %d + %d", a, b))
	}
	return s
}

// mustSub subtracts where the books rule out a negative result.
func mustSub(a, b uint64) uint64 {
	d, ok := sub(a, b)
	if !ok {
		panic(fmt.Sprintf("ledger: money below zero: %d - %d", a, b))
	}
	return d
}

// FeeOf returns what a transaction of size bytes with a tip costs; false if that is beyond 64 bits.
func FeeOf(p *Params, size int, tip uint64) (uint64, bool) {
	kib := (uint64(size) + 1023) / 1024
	perSize, ok1 := mul(kib, p.FeePerKiB)
	fee, ok2 := add(perSize, p.FeePerTransaction)
	fee, ok3 := add(fee, tip)
	return fee, ok1 && ok2 && ok3
}

// maxUnbonds bounds how many unbonds of one account are under way.
const maxUnbonds = 64

// maxRegisteredValidators bounds the list of validators, which is one record.
const maxRegisteredValidators = quorum.MaxValidators

// supply changes the totals.
func (b *blockRun) supply(change func(*Supply)) {
	s, ok := get[Supply](b.o, []byte(keySupply))
	if !ok {
		panic("ledger: no supply record")
	}
	change(&s)
	put(b.o, []byte(keySupply), s)
}

// takeFee moves the fee of the transaction from its payer to the fee pool.
func (b *blockRun) takeFee(payer crypto.Address, fee uint64) {
	if fee == 0 {
		return
	}
	acct, _ := get[Account](b.o, AccountKey(payer))
	acct.Balance = mustSub(acct.Balance, fee)
	put(b.o, AccountKey(payer), acct)
	b.supply(func(s *Supply) {
		s.Balances = mustSub(s.Balances, fee)
		s.FeePool = mustAdd(s.FeePool, fee)
	})
}

func (t *txRun) transfer(p *Transfer) *Finding {
	from, _ := get[Account](t.o, AccountKey(t.author))
	if from.Balance < p.Amount {
		return noMoney(t.author, from.Balance, p.Amount)
	}
	from.Balance = mustSub(from.Balance, p.Amount)
	put(t.o, AccountKey(t.author), from)
	// Read after the write: the receiver may be the sender.
	to, _ := get[Account](t.o, AccountKey(p.To))
	to.Balance = mustAdd(to.Balance, p.Amount)
	put(t.o, AccountKey(p.To), to)
	return nil
}

func noMoney(a crypto.Address, has, needs uint64) *Finding {
	return refuse(CodeNoMoney, "/amount", a.String(), decimal(has), decimal(needs))
}

func (t *txRun) registerValidator(p *RegisterValidator) *Finding {
	if v, ok := get[Validator](t.o, ValidatorKey(p.Key)); ok {
		return refuse(CodeValidatorExists, "/key", p.Key.String(), v.Operator.String())
	}
	if !slices.ContainsFunc(t.tx.Signatures, func(s SignedBy) bool { return s.Key == p.Key }) {
		return refuse(CodeKeyNotSigned, "/key", p.Key.String())
	}
	if p.Stake < t.params.MinBond {
		return refuse(CodeMinBond, "/stake", p.Key.String(), decimal(t.params.MinBond))
	}
	put(t.o, ValidatorKey(p.Key), Validator{Key: p.Key, Name: p.Name, Operator: t.author, Since: t.height})
	return t.bond(p.Key, p.Stake)
}

// bond moves money of the author into a validator's stake.
func (t *txRun) bond(key crypto.PublicKey, amount uint64) *Finding {
	v, ok := get[Validator](t.o, ValidatorKey(key))
	if !ok {
		return refuse(CodeNoValidator, "/validator", key.String())
	}
	if amount == 0 {
		return refuse(CodeZeroAmount, "/amount")
	}
	acct, _ := get[Account](t.o, AccountKey(t.author))
	if acct.Balance < amount {
		return noMoney(t.author, acct.Balance, amount)
	}
	if v.Stake == 0 {
		if f := t.listValidator(key); f != nil {
			return f
		}
	}
	if v.Stake, _ = add(v.Stake, amount); v.Stake < t.params.MinBond {
		return refuse(CodeMinBond, "/amount", key.String(), decimal(t.params.MinBond))
	}
	acct.Balance = mustSub(acct.Balance, amount)
	acct.Bonded = mustAdd(acct.Bonded, amount)
	put(t.o, AccountKey(t.author), acct)
	put(t.o, ValidatorKey(key), v)
	stake, _ := get[uint64](t.o, StakeKey(key, t.author))
	put(t.o, StakeKey(key, t.author), mustAdd(stake, amount))
	t.supply(func(s *Supply) {
		s.Balances = mustSub(s.Balances, amount)
		s.Bonded = mustAdd(s.Bonded, amount)
	})
	return nil
}

func (t *txRun) listValidator(key crypto.PublicKey) *Finding {
	list, _ := get[validatorList](t.o, []byte(keyValidators))
	if len(list.Keys) >= maxRegisteredValidators {
		return refuse(CodeTooManyVals, "", decimal(maxRegisteredValidators))
	}
	list.Keys = append(slices.Clip(list.Keys), key)
	put(t.o, []byte(keyValidators), list)
	return nil
}

// unbond takes money of the author out of a validator's stake; it is free after the unbonding time.
func (t *txRun) unbond(p *Unbond) *Finding {
	v, ok := get[Validator](t.o, ValidatorKey(p.Validator))
	if !ok {
		return refuse(CodeNoValidator, "/validator", p.Validator.String())
	}
	stake, _ := get[uint64](t.o, StakeKey(p.Validator, t.author))
	if p.Amount == 0 {
		return refuse(CodeZeroAmount, "/amount")
	}
	if stake < p.Amount {
		return refuse(CodeNoStake, "/amount", t.author.String(), decimal(stake), p.Validator.String(), decimal(p.Amount))
	}
	acct, _ := get[Account](t.o, AccountKey(t.author))
	if len(acct.Unbonding) >= maxUnbonds {
		return refuse(CodeTooManyUnbonds, "", decimal(maxUnbonds))
	}
	v.Stake = mustSub(v.Stake, p.Amount)
	if v.Stake != 0 && v.Stake < t.params.MinBond {
		return refuse(CodeMinBond, "/amount", p.Validator.String(), decimal(t.params.MinBond))
	}
	put(t.o, ValidatorKey(p.Validator), v)
	if v.Stake == 0 {
		t.unlistValidator(p.Validator)
	}
	if left := mustSub(stake, p.Amount); left > 0 {
		put(t.o, StakeKey(p.Validator, t.author), left)
	} else {
		t.o.del(StakeKey(p.Validator, t.author))
	}
	release := t.height + quorum.Height(t.params.EpochLength*t.params.UnbondingEpochs)
	acct.Bonded = mustSub(acct.Bonded, p.Amount)
	acct.Unbonding = append(slices.Clip(acct.Unbonding), Release{Height: release, Amount: p.Amount})
	put(t.o, AccountKey(t.author), acct)
	t.scheduleRelease(release)
	t.supply(func(s *Supply) {
		s.Bonded = mustSub(s.Bonded, p.Amount)
		s.Unbonding = mustAdd(s.Unbonding, p.Amount)
	})
	return nil
}

func (t *txRun) unlistValidator(key crypto.PublicKey) {
	list, _ := get[validatorList](t.o, []byte(keyValidators))
	list.Keys = slices.DeleteFunc(slices.Clone(list.Keys), func(k crypto.PublicKey) bool { return k == key })
	put(t.o, []byte(keyValidators), list)
}

func (t *txRun) scheduleRelease(h quorum.Height) {
	rec, _ := get[releases](t.o, releaseKey(h))
	rec.Accounts = append(slices.Clip(rec.Accounts), t.author[:]...)
	put(t.o, releaseKey(h), rec)
}

// releaseUnbonded frees the money whose time has come, at the beginning of a block.
func (b *blockRun) releaseUnbonded() {
	rec, ok := get[releases](b.o, releaseKey(b.height))
	if !ok {
		return
	}
	for list := rec.Accounts; len(list) >= crypto.AddressSize; list = list[crypto.AddressSize:] {
		a := crypto.Address(list[:crypto.AddressSize])
		acct, _ := get[Account](b.o, AccountKey(a))
		free, kept := uint64(0), []Release(nil)
		for _, r := range acct.Unbonding {
			if r.Height > b.height {
				kept = append(kept, r)
				continue
			}
			free = mustAdd(free, r.Amount)
		}
		acct.Unbonding = kept
		acct.Balance = mustAdd(acct.Balance, free)
		put(b.o, AccountKey(a), acct)
		b.supply(func(s *Supply) {
			s.Unbonding = mustSub(s.Unbonding, free)
			s.Balances = mustAdd(s.Balances, free)
		})
	}
	b.o.del(releaseKey(b.height))
}
