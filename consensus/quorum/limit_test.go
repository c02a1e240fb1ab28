package quorum

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"waybill/crypto"
)

func TestSetEncoding(t *testing.T) {
	for _, powers := range [][]Power{{1}, {1, 2, 3, 10}, {7, 7, 7}, {1, MaxTotalPower - 1}, make64()} {
		s := newNetwork(t, powers...).Set
		b := s.Encode()
		back, err := DecodeSet(b)
		if err != nil || back.Hash() != s.Hash() || !slices.Equal(back.Validators(), s.Validators()) {
			t.Fatalf("%d validators: round trip: %v", s.Len(), err)
		}
		if crypto.Sum(crypto.TagValidatorSet, b) != s.Hash() || len(b) != 2+61*len(powers) || len(b) > MaxSetSize {
			t.Errorf("%d validators in %d bytes", s.Len(), len(b))
		}
		for size := range min(len(b), 200) {
			if _, err := DecodeSet(b[:size]); !errors.Is(err, ErrEncoding) {
				t.Fatalf("%d bytes of %d: %v", size, len(b), err)
			}
		}
		if _, err := DecodeSet(append(b, 0)); !errors.Is(err, ErrEncoding) {
			t.Errorf("a byte more: %v", err)
		}
	}
}

// TestSetCorruptions names one change of an encoded set at a time. A2: a count that is not the number of elements.
func TestSetCorruptions(t *testing.T) {
	good := newNetwork(t, 1, 2, 3, 10).Set.Encode()
	at := func(i int) []byte { return good[2+61*i : 2+61*(i+1)] }
	build := func(count uint16, parts ...[]byte) []byte {
		return slices.Concat(append([][]byte{{byte(count >> 8), byte(count)}}, parts...)...)
	}
	change := func(i int, f func(v []byte)) []byte {
		v := bytes.Clone(at(i))
		f(v)
		parts := [][]byte{at(0), at(1), at(2), at(3)}
		parts[i] = v
		return build(4, parts...)
	}
	for name, c := range map[string]struct {
		b    []byte
		kind ErrorKind
	}{
		"count too low":   {build(3, at(0), at(1), at(2), at(3)), ErrEncoding},
		"count too high":  {build(5, at(0), at(1), at(2), at(3)), ErrEncoding},
		"count 0":         {build(0), ErrSet},
		"count 0, some":   {build(0, at(0)), ErrEncoding},
		"count 257":       {build(257, bytes.Repeat(at(0), 257)), ErrEncoding},
		"count 65535":     {build(65535, at(0)), ErrEncoding},
		"swapped":         {build(4, at(1), at(0), at(2), at(3)), ErrEncoding},
		"twice":           {build(4, at(0), at(1), at(1), at(3)), ErrSet},
		"powerless":       {change(3, func(v []byte) { clear(v[33:41]) }), ErrSet},
		"too powerful":    {change(0, func(v []byte) { v[33] = 0xff }), ErrSet},
		"not on curve":    {change(2, func(v []byte) { clear(v[1:33]) }), ErrSet},
		"power over next": {change(3, func(v []byte) { v[40] = 9 }), ErrEncoding},
	} {
		if got, err := DecodeSet(c.b); !errors.Is(err, c.kind) || got != nil {
			t.Errorf("%s: got %v, want %v", name, err, c.kind)
		}
	}
}

func FuzzDecodeSet(f *testing.F) {
	fuzzDecoder(f, DecodeSet, (*Set).Encode, newNetwork(f, 1, 2, 3, 10).Set.Encode(), newNetwork(f, 5).Set.Encode())
}

// FuzzDecodeTailCertificate starts from certificates of scheme 2.
func FuzzDecodeTailCertificate(f *testing.F) {
	n := newNetwork(f, 1, 1, 1, 1)
	_, _, tail, second := ending(f, n)
	fuzzDecoder(f, DecodeCertificate, Certificate.Encode,
		n.finalization(f, tail.Header).WithTail(tail.Header).Certificate().Encode(),
		n.finalization(f, second.Header).WithTail(second.Header).Certificate().Encode())
}

// members is what sets are drawn from: keys are dear, so they are made once.
var members = sync.OnceValue(func() []Validator {
	out := make([]Validator, 2*MaxValidators)
	for i := range out {
		k := testKey(i)
		out[i] = Validator{Key: k.Public(), Operator: k.Address()}
	}
	return out
})

// setOf makes a set of members with these powers; 0 leaves one out.
func setOf(t failer, powers []Power) *Set {
	t.Helper()
	var list []Validator
	for i, p := range powers {
		if p > 0 {
			v := members()[i]
			v.Power = p
			list = append(list, v)
		}
	}
	s, err := NewSet(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drawSet draws up to n validators of powers up to limit, at least 3 in all.
func drawSet(t *rapid.T, name string, n int, limit uint64) *Set {
	powers := make([]Power, n)
	for i := range powers {
		if rapid.Bool().Draw(t, name+" member") {
			powers[i] = Power(rapid.Uint64Range(1, limit).Draw(t, name+" power"))
		}
	}
	powers[rapid.IntRange(0, n-1).Draw(t, name+" sure")] += 3
	return setOf(t, powers)
}

// moved is the sum of all changes of power, worked out by hand.
func moved(a, b *Set) (sum Power) {
	power := map[crypto.PublicKey]Power{}
	for _, v := range a.Validators() {
		power[v.Key] = v.Power
	}
	for _, v := range b.Validators() {
		p := power[v.Key]
		sum += max(p, v.Power) - min(p, v.Power)
		delete(power, v.Key)
	}
	for _, p := range power {
		sum += p
	}
	return sum
}

// A20: the set of the next epoch differs by at most a third, whatever was staked and unstaked. The change reaches what
// is wanted, is the same on every node, and never leaves a set empty, or with less power than it moves between.
func TestLimitChangeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]uint64{1, 5, 1000, 1 << 40, uint64(MaxTotalPower) / 20}).Draw(t, "limit")
		n := rapid.IntRange(1, 12).Draw(t, "n")
		current, wanted := drawSet(t, "current", n, limit), drawSet(t, "wanted", n, limit)
		floor := min(current.Total(), wanted.Total())
		for rounds := 0; ; rounds++ {
			next := LimitChange(current, wanted)
			if got := moved(current, next); 3*got > current.Total() {
				t.Fatalf("moved %d of %d", got, current.Total())
			}
			if again := LimitChange(current, setAgain(t, wanted)); again.Hash() != next.Hash() {
				t.Fatal("two calls differ")
			}
			if next.Len() == 0 || next.Total() < floor {
				t.Fatalf("%d validators of power %d, less than both sets", next.Len(), next.Total())
			}
			if moved(current, wanted) <= current.Total()/3 && next != wanted {
				t.Fatal("within the limit, and not what was wanted")
			}
			if next == wanted {
				return
			}
			if moved(next, wanted) >= moved(current, wanted) {
				t.Fatalf("no nearer: %d, was %d", moved(next, wanted), moved(current, wanted))
			}
			if rounds > 400 {
				t.Fatalf("still %d away after %d epochs", moved(next, wanted), rounds)
			}
			current = next
		}
	})
}

// setAgain makes the set once more, from its validators in another order.
func setAgain(t *rapid.T, s *Set) *Set {
	list := rapid.Permutation(s.Validators()).Draw(t, "order")
	again, err := NewSet(list)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// TestLimitChangeTable pins what is moved first.
func TestLimitChangeTable(t *testing.T) {
	order := func(i, j int) (lower, higher int) { // of two members, by key
		a, b := members()[i].Key, members()[j].Key
		if bytes.Compare(a[:], b[:]) > 0 {
			return j, i
		}
		return i, j
	}
	low, high := order(0, 1)
	with := func(list ...Power) []Power { // powers of low, high, member 2, member 3
		out := make([]Power, 4)
		out[low], out[high] = list[0], list[1]
		copy(out[2:], list[2:])
		return out
	}
	for name, c := range map[string]struct{ current, wanted, want []Power }{
		"nothing":                     {with(10, 10, 10, 0), with(10, 10, 10, 0), with(10, 10, 10, 0)},
		"exactly a third":             {with(10, 10, 10, 0), with(10, 10, 0, 0), with(10, 10, 0, 0)},
		"one more":                    {with(10, 10, 10, 0), with(9, 10, 0, 0), with(10, 10, 0, 0)},
		"leavers before cuts":         {with(30, 0, 30, 30), with(1, 0, 0, 30), with(30, 0, 0, 30)},
		"lower keys first":            {with(30, 30, 0, 0), with(1, 1, 0, 0), with(10, 30, 0, 0)},
		"growth alone takes it all":   {with(30, 0, 30, 0), with(90, 0, 30, 0), with(50, 0, 30, 0)},
		"members before newcomers":    {with(30, 30, 0, 0), with(40, 30, 30, 30), nil},
		"half and half":               {with(30, 30, 0, 0), with(0, 0, 30, 30), nil},
		"a cut of less than its half": {with(30, 30, 0, 0), with(28, 90, 0, 0), with(28, 48, 0, 0)},
		"too little to move":          {with(1, 1, 0, 0), with(1, 0, 5, 0), with(1, 1, 0, 0)},
	} {
		got := LimitChange(setOf(t, c.current), setOf(t, c.wanted))
		if c.want != nil && got.Hash() != setOf(t, c.want).Hash() {
			t.Errorf("%s: got %v", name, got.Validators())
		}
		if c.want == nil && (moved(setOf(t, c.current), got) != 20 || got.Total() < 60) {
			t.Errorf("%s: moved %d to a total of %d", name, moved(setOf(t, c.current), got), got.Total())
		}
	}
	both := LimitChange(setOf(t, with(30, 30, 0, 0)), setOf(t, with(0, 0, 30, 30)))
	if i, ok := both.Index(members()[low].Key); !ok || both.At(i).Power != 20 {
		t.Errorf("half and half: %v", both.Validators())
	}
}

// TestLimitChangeTakesTheNewOperator: a key that stays answers to its new operator at once, whatever else waits.
func TestLimitChangeTakesTheNewOperator(t *testing.T) {
	wanted := setOf(t, []Power{0, 30, 30}).Validators()
	for i := range wanted {
		wanted[i].Operator[0] ^= 1
	}
	w, err := NewSet(wanted)
	if err != nil {
		t.Fatal(err)
	}
	got := LimitChange(setOf(t, []Power{30, 30, 0}), w)
	for _, v := range got.Validators() {
		if i, ok := w.Index(v.Key); ok && v.Operator != w.At(i).Operator {
			t.Errorf("validator %s answers to %s", v.Key, v.Operator)
		}
	}
	if got.Hash() == w.Hash() {
		t.Error("the change was not limited")
	}
}

// A20: power near the largest there may be, and as many validators as there may be, all replaced at once. Nothing
// overflows, the set stays within its bounds at every step, and the change gets there.
func TestPowerNearTheMaximum(t *testing.T) {
	for name, each := range map[string]Power{"most power": MaxTotalPower / MaxValidators, "least power": 1} {
		from, to := make([]Power, 2*MaxValidators), make([]Power, 2*MaxValidators)
		for i := range MaxValidators {
			from[i], to[MaxValidators+i] = each, each
		}
		current, wanted := setOf(t, from), setOf(t, to)
		for epochs := 0; current != wanted; epochs++ {
			next := LimitChange(current, wanted)
			if 3*moved(current, next) > current.Total() || next.Len() > MaxValidators || next.Total() > MaxTotalPower {
				t.Fatalf("%s: moved %d of %d to %d validators of power %d", name, moved(current, next), current.Total(), next.Len(), next.Total())
			}
			if next.Quorum() > next.Total() || next.Blocking() == 0 || NewSlate(next, crypto.Hash{1}).Leader(7) >= next.Len() {
				t.Fatalf("%s: quorum %d of %d", name, next.Quorum(), next.Total())
			}
			if current = next; epochs > 40 {
				t.Fatalf("%s: not there after %d epochs: %d validators", name, epochs, current.Len())
			}
		}
	}
	one := setOf(t, []Power{MaxTotalPower})
	other := setOf(t, []Power{0, MaxTotalPower})
	for epochs := 0; one != other; epochs++ {
		if one = LimitChange(one, other); one.Total() > MaxTotalPower || epochs > 40 {
			t.Fatalf("after %d epochs: %v", epochs, one.Validators())
		}
	}
}

func TestLimitChangeVectors(t *testing.T) {
	type vector struct {
		Current, Wanted []Power
		Hash            crypto.Hash
		Next            string
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var vectors []vector
	for range 12 {
		from, to := make([]Power, 6), make([]Power, 6)
		for i := range from {
			from[i], to[i] = Power(rng.IntN(5)*rng.IntN(100)), Power(rng.IntN(5)*rng.IntN(100))
		}
		from[0]++
		to[5]++
		next := LimitChange(setOf(t, from), setOf(t, to))
		vectors = append(vectors, vector{from, to, next.Hash(), fmt.Sprintf("%x", next.Encode())})
	}
	golden(t, "limit", compact(vectors))
}
