package quorum

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"testing"

	"waybill/crypto"
)

// TestThresholdsExhaustively checks Q and B for every total up to 300, and at the top, against what they are for,
// worked out in big integers: f is the most power that may be faulty, the largest below a third.
func TestThresholdsExhaustively(t *testing.T) {
	totals := []Power{MaxTotalPower - 2, MaxTotalPower - 1, MaxTotalPower}
	for w := Power(1); w <= 300; w++ {
		totals = append(totals, w)
	}
	for _, w := range totals {
		s := newNetwork(t, w).Set
		q, b := s.Quorum(), s.Blocking()
		f := (w - 1) / 3
		if third := new(big.Int).Mul(big.NewInt(3), new(big.Int).SetUint64(uint64(f))); third.Cmp(new(big.Int).SetUint64(uint64(w))) >= 0 {
			t.Fatalf("W=%d: f=%d is not below a third", w, f)
		}
		if 2*q <= w+f {
			t.Errorf("W=%d: two quorums of %d may share only faulty power %d", w, q, f)
		}
		if w-f < q {
			t.Errorf("W=%d: the honest power %d is no quorum of %d", w, w-f, q)
		}
		if 3*(q-1) > 2*w {
			t.Errorf("W=%d: Q=%d is not the least above two thirds", w, q)
		}
		if b <= f {
			t.Errorf("W=%d: blocking power %d may be all faulty", w, b)
		}
		if w-b >= q || w-(b-1) < q {
			t.Errorf("W=%d: B=%d is not the least that blocks Q=%d", w, b, q)
		}
		if 3*(2*q-w) <= w {
			t.Errorf("W=%d: a fork names %d, not more than a third", w, 2*q-w)
		}
	}
}

func TestSetOrderAndIndex(t *testing.T) {
	n := newNetwork(t, 1, 10, 2, 3, 3, 3)
	validators := n.Set.Validators()
	for i := 1; i < len(validators); i++ {
		a, b := validators[i-1], validators[i]
		if a.Power < b.Power || a.Power == b.Power && string(a.Key[:]) >= string(b.Key[:]) {
			t.Errorf("validators %d and %d are out of order", i-1, i)
		}
	}
	for i, v := range validators {
		if got, ok := n.Set.Index(v.Key); !ok || got != i || n.Set.At(i) != v {
			t.Errorf("Index of %d gave %d, %v", i, got, ok)
		}
	}
	if _, ok := n.Set.Index(testKey(99).Public()); ok {
		t.Error("a stranger has an index")
	}
	if n.Set.Total() != 22 || n.Set.Len() != 6 {
		t.Errorf("total %d of %d", n.Set.Total(), n.Set.Len())
	}
	for range 20 {
		rand.Shuffle(len(validators), func(i, j int) { validators[i], validators[j] = validators[j], validators[i] })
		again, err := NewSet(validators)
		if err != nil || again.Hash() != n.Set.Hash() {
			t.Fatalf("the hash depends on the order given: %v", err)
		}
	}
	validators[0].Power++
	if again, _ := NewSet(validators); again.Hash() == n.Set.Hash() {
		t.Error("the hash does not bind the power")
	}
	if n.Set.Validators()[0].Power != 10 {
		t.Error("the set shares memory with its caller")
	}
	validators = n.Set.Validators()
	validators[3].Operator[0] ^= 1
	if again, _ := NewSet(validators); again.Hash() == n.Set.Hash() {
		t.Error("the hash does not bind the operator")
	}
}

func TestNewSetRefuses(t *testing.T) {
	a, b := testKey(0).Public(), testKey(1).Public()
	many := make([]Validator, MaxValidators+1)
	for name, vs := range map[string][]Validator{
		"nobody":          nil,
		"too many":        many,
		"no power":        {{Key: a, Power: 1}, {Key: b}},
		"twice":           {{Key: a, Power: 1}, {Key: a, Power: 1}},
		"twice, unequal":  {{Key: a, Power: 1}, {Key: b, Power: 2}, {Key: a, Power: 3}},
		"no key":          {{Power: 1}},
		"not on curve":    {{Key: crypto.PublicKey{2, 31: 0, 32: 5}, Power: 1}},
		"too much":        {{Key: a, Power: MaxTotalPower + 1}},
		"too much in all": {{Key: a, Power: MaxTotalPower}, {Key: b, Power: 1}},
		"wraps around":    {{Key: a, Power: 1<<63 + 1}, {Key: b, Power: 1 << 63}},
	} {
		if _, err := NewSet(vs); !errors.Is(err, ErrSet) {
			t.Errorf("%s: got %v, want ErrSet", name, err)
		}
	}
}

func TestSlateIsProportional(t *testing.T) {
	for _, powers := range [][]Power{{1}, {1, 1, 1, 1}, {1, 2, 3, 10}, {1, 1, 1 << 59}, {7, 11, 13, 17, 19, 23, 29}, make64()} {
		n := newNetwork(t, powers...)
		size := n.slate.Len()
		if size < 256 || size < 4*len(powers) {
			t.Errorf("%d validators have %d slots", len(powers), size)
		}
		count := make([]int, len(powers))
		for v := range size {
			count[n.slate.Leader(View(v))]++
		}
		for i, c := range count {
			exact := new(big.Rat).SetFrac(
				new(big.Int).Mul(big.NewInt(int64(size)), new(big.Int).SetUint64(uint64(n.Set.At(i).Power))),
				new(big.Int).SetUint64(uint64(n.Set.Total())))
			off := new(big.Rat).Sub(exact, new(big.Rat).SetInt64(int64(c)))
			if off.Abs(off).Cmp(big.NewRat(1, 1)) >= 0 {
				t.Errorf("powers %v: validator %d leads %d of %d views, its share is %s", powers, i, c, size, exact.FloatString(2))
			}
		}
	}
}

// make64 is 100 validators of falling power: more than 64, so that the slate has more than 256 slots.
func make64() []Power {
	out := make([]Power, 100)
	for i := range out {
		out[i] = Power(1000 - 7*i)
	}
	return out
}

func TestSlateDependsOnSeedAndRepeats(t *testing.T) {
	n := newNetwork(t, 1, 2, 3, 10)
	same := NewSlate(n.Set, crypto.Sum(crypto.TagSlate, []byte("test")))
	other := NewSlate(n.Set, crypto.Sum(crypto.TagSlate, []byte("other")))
	differ := 0
	for v := View(0); v < 600; v++ {
		if n.slate.Leader(v) != same.Leader(v) || n.slate.Leader(v) != n.slate.Leader(v+View(n.slate.Len())) {
			t.Fatalf("view %d has two leaders", v)
		}
		if n.slate.Leader(v) != other.Leader(v) {
			differ++
		}
	}
	if differ < 100 {
		t.Errorf("another seed changes only %d of 600 leaders", differ)
	}
	if l := n.slate.Leader(1<<64 - 1); l < 0 || l > 3 {
		t.Errorf("the last view has leader %d", l)
	}
}

func TestSlateAndSetVectors(t *testing.T) {
	type vector struct {
		Powers  []Power
		Quorum  Power
		Block   Power
		Hash    crypto.Hash
		Leaders []int
	}
	var vectors []vector
	for _, powers := range [][]Power{{1}, {1, 1, 1, 1}, {1, 2, 3, 10}, {5, 5, 5, 5, 5, 5, 5}, {1, MaxTotalPower / 3, MaxTotalPower / 2}, make64()} {
		n := newNetwork(t, powers...)
		v := vector{Powers: powers, Quorum: n.Set.Quorum(), Block: n.Set.Blocking(), Hash: n.Set.Hash()}
		for i := range n.slate.Len() {
			v.Leaders = append(v.Leaders, n.slate.Leader(View(i)))
		}
		vectors = append(vectors, v)
	}
	golden(t, "set", compact(vectors))
}
