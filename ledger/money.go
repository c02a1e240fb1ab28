package ledger

import (
	"cmp"
	"fmt"
	"math/bits"

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

// mulDiv returns floor(a*b/c), exactly; the caller sees to it that c > 0 and that the result fits, for example by b <= c.
func mulDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	q, _ := bits.Div64(hi, lo, c)
	return q
}

// compareProducts compares a*b with c*d, exactly.
func compareProducts(a, b, c, d uint64) int {
	h1, l1 := bits.Mul64(a, b)
	h2, l2 := bits.Mul64(c, d)
	return cmp.Or(cmp.Compare(h1, h2), cmp.Compare(l1, l2))
}

// FeeOf returns what a transaction with a body of size bytes and a tip costs; false if that is beyond 64 bits. Signatures
// are free: anybody can add one to a transaction that passes by, and must not make it dearer by that.
func FeeOf(p *Params, size int, tip uint64) (uint64, bool) {
	kib := (uint64(size) + 1023) / 1024
	perSize, ok1 := mul(kib, p.FeePerKiB)
	fee, ok2 := add(perSize, p.FeePerTransaction)
	fee, ok3 := add(fee, tip)
	return fee, ok1 && ok2 && ok3
}

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
