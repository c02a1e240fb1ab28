package unit

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// all lists the units of the tables by code.
func all() []Unit {
	var list []Unit
	for _, table := range []map[string]Unit{goodsUnits, measureUnits} {
		for _, code := range slices.Sorted(maps.Keys(table)) {
			list = append(list, table[code])
		}
	}
	return list
}

func TestTables(t *testing.T) {
	seen, bases := map[string]bool{}, map[Dimension]bool{}
	for _, u := range all() {
		got, ok := Lookup(u.Code)
		if !ok || got != u || seen[u.Code] {
			t.Errorf("%s is not found under its code, or stands twice", u.Code)
		}
		seen[u.Code] = true
		if len(u.Code) < 2 || len(u.Code) > 3 || strings.Trim(u.Code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
			t.Errorf("%q is no code of the Recommendation", u.Code)
		}
		if u.Name == "" || u.Dimension == None || u.Dimension >= dimensions || u.Exact() && u.factor.num == 0 {
			t.Errorf("%s is incomplete: %+v", u.Code, u)
		}
		if u.Code == u.Dimension.Base() {
			bases[u.Dimension] = true
			if u.factor != (factor{1, 1, 0}) || u.zero != 0 {
				t.Errorf("base unit %s has factor %v", u.Code, u.factor)
			}
		}
	}
	if len(seen) != 458 {
		t.Errorf("%d units, want 458: change this number together with the tables", len(seen))
	}
	for d := Count + 1; d < dimensions; d++ {
		if !bases[d] || d.String() == "" {
			t.Errorf("dimension %d (%s) has no base unit or name", d, d)
		}
	}
	if Dimension(255).String() != "none" || Dimension(255).Base() != "" {
		t.Error("a dimension out of range is none")
	}
}

func TestConvert(t *testing.T) {
	for _, c := range []struct {
		c        int64
		e        int
		from, to string
		want     int64
		wantE    int
		err      error
	}{
		{1, 0, "LBR", "KGM", 45359237, -8, nil},
		{45359237, -8, "KGM", "LBR", 1, 0, nil},
		{1, 0, "KGM", "LBR", 0, 0, ErrInexact},
		{25, -1, "TNE", "KGM", 25, 2, nil},
		{1, 0, "ONZ", "KGM", 28349523125, -12, nil},
		{16, 0, "ONZ", "LBR", 1, 0, nil},
		{1, 0, "STI", "LBR", 14, 0, nil},
		{2000, 0, "LBR", "STN", 1, 0, nil},
		{1, 0, "APZ", "GRM", 311034768, -7, nil},
		{1, 0, "GLL", "LTR", 3785411784, -9, nil},
		{1, 0, "GLI", "LTR", 454609, -5, nil},
		{42, 0, "GLL", "BLL", 1, 0, nil},
		{1, 0, "BUA", "LTR", 3523907016688, -11, nil},
		{1, 0, "MTQ", "LTR", 1, 3, nil},
		{1, 0, "MIK", "MTK", 2589988110336, -6, nil},
		{1, 0, "ACR", "MTK", 40468564224, -7, nil},
		{640, 0, "ACR", "MIK", 1, 0, nil},
		{1, 0, "HAR", "MTK", 1, 4, nil},
		{1, 0, "M51", "MTR", 0, 0, ErrInexact},
		{3937, 0, "M51", "MTR", 12, 2, nil},
		{3, 0, "DZN", "", 36, 0, nil},
		{12, 0, "EA", "DZN", 1, 0, nil},
		{5, 0, "H87", "C62", 5, 0, nil},
		{0, 0, "CEL", "KEL", 27315, -2, nil},
		{0, -9, "CEL", "KEL", 27315, -2, nil},
		{-40, 0, "CEL", "FAH", -4, 1, nil},
		{-27315, -2, "CEL", "KEL", 0, 0, nil},
		{212, 0, "FAH", "CEL", 1, 2, nil},
		{1, 0, "FAH", "CEL", 0, 0, ErrInexact},
		{1234, -3, "CEL", "CEL", 1234, -3, nil},
		{36, 0, "KMH", "MTS", 1, 1, nil},
		{1, 0, "PS", "KPA", 0, 0, ErrInexact},
		{760, 0, "UA", "ATM", 1, 0, nil},
		{90, 0, "D61", "DD", 15, -1, nil},
		{1, 0, "C81", "DD", 0, 0, ErrInexact},
		{5, 0, "KGM", "LTR", 0, 0, ErrDimension},
		{5, 0, "CS", "KGM", 0, 0, ErrUnknown},
		{50, 0, "CS", "CS", 5, 1, nil},
		{math.MaxInt64, 0, "LBR", "KGM", 0, 0, ErrRange},
		{math.MaxInt64, 0, "TNE", "KGM", math.MaxInt64, 3, nil},
		{math.MaxInt64, 0, "CEL", "KEL", 0, 0, ErrRange},
		{-3, 0, "LBR", "GRM", -136077711, -5, nil},
	} {
		got, e, err := Convert(c.c, c.e, c.from, c.to)
		if got != c.want || e != c.wantE || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%de%d %s in %s: %de%d, %v; want %de%d, %v", c.c, c.e, c.from, c.to, got, e, err, c.want, c.wantE, c.err)
		}
	}
}

// rat is the amount in base units, by other arithmetic than the package's.
func rat(c int64, e int, u Unit) *big.Rat {
	x := new(big.Rat).Mul(big.NewRat(c, 1), ten(e))
	x.Add(x, big.NewRat(u.zero, 100))
	f := new(big.Rat).SetFrac(new(big.Int).SetUint64(u.factor.num), new(big.Int).SetUint64(u.factor.den))
	return x.Mul(x, f).Mul(x, ten(int(u.factor.exp)))
}

func ten(e int) *big.Rat {
	p := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(e, -e))), nil)
	if e < 0 {
		return new(big.Rat).SetFrac(big.NewInt(1), p)
	}
	return new(big.Rat).SetInt(p)
}

// checkConversion holds Convert and Compare against rational arithmetic, and a conversion against the one back.
func checkConversion(t interface{ Fatalf(string, ...any) }, c int64, e int, u, v Unit) {
	got, ge, err := Convert(c, e, u.Code, v.Code)
	in := rat(c, e, u)
	if err == nil {
		if rat(got, ge, v).Cmp(in) != 0 {
			t.Fatalf("%de%d %s is not %de%d %s", c, e, u.Code, got, ge, v.Code)
		}
		back, be, err := Convert(got, ge, v.Code, u.Code)
		if c2, e2 := strip(c, e); err == nil && (back != c2 || be != e2) {
			t.Fatalf("%de%d %s came back from %s as %de%d", c, e, u.Code, v.Code, back, be)
		}
		// There is no second answer: the number that came out is the only one that is equal.
		if order, err := Compare(c, e, u.Code, got, ge, v.Code); err == nil && order != 0 {
			t.Fatalf("%de%d %s compares with its own conversion as %d", c, e, u.Code, order)
		}
	}
	if errors.Is(err, ErrInexact) {
		out := new(big.Rat).Sub(in, big.NewRat(v.zero, 100))
		f := rat(1, 0, Unit{factor: v.factor})
		out.Quo(in, f).Sub(out, big.NewRat(v.zero, 100))
		if finite(out) {
			t.Fatalf("%de%d %s has a finite decimal in %s: %s", c, e, u.Code, v.Code, out)
		}
	}
	order, err := Compare(c, e, u.Code, 7*c/5, e, v.Code)
	if err == nil && order != in.Cmp(rat(7*c/5, e, v)) {
		t.Fatalf("%de%d %s against %de%d %s: %d", c, e, u.Code, 7*c/5, e, v.Code, order)
	}
}

func finite(x *big.Rat) bool {
	d := new(big.Int).Set(x.Denom())
	for _, p := range []int64{2, 5} {
		for m := new(big.Int); m.Mod(d, big.NewInt(p)).Sign() == 0; {
			d.Quo(d, big.NewInt(p))
		}
	}
	return d.IsInt64() && d.Int64() == 1
}

func TestEveryPair(t *testing.T) {
	units := all()
	for _, u := range units {
		for _, v := range units {
			if u.Dimension != v.Dimension || !u.Exact() || !v.Exact() {
				continue
			}
			for _, c := range []int64{1, 0, 45, -7, 123456789} {
				checkConversion(t, c, -2, u, v)
			}
			f, ok := u.over(v)
			if !ok {
				if u.Code != "M67" && v.Code != "M67" {
					t.Errorf("%s over %s overflows", u.Code, v.Code)
				}
				continue
			}
			want := new(big.Rat).Quo(rat(1, 0, Unit{factor: u.factor}), rat(1, 0, Unit{factor: v.factor}))
			if rat(1, 0, Unit{factor: f}).Cmp(want) != 0 {
				t.Errorf("%s over %s is %v", u.Code, v.Code, f)
			}
		}
	}
}

func TestConversionsAreExact(t *testing.T) {
	var units []Unit
	for _, u := range all() {
		if u.Exact() {
			units = append(units, u)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		u := rapid.SampledFrom(units).Draw(t, "from")
		v := rapid.SampledFrom(slices.DeleteFunc(slices.Clone(units), func(v Unit) bool { return v.Dimension != u.Dimension })).Draw(t, "to")
		c := rapid.Int64Range(-math.MaxInt64/7, math.MaxInt64/7).Draw(t, "coefficient")
		if rapid.Bool().Draw(t, "small") {
			c %= 1_000_000
		}
		checkConversion(t, c, rapid.IntRange(-30, 30).Draw(t, "exponent"), u, v)
	})
}

func FuzzConvert(f *testing.F) {
	f.Add(int64(125), int8(-1), "LBR", "KGM")
	f.Add(int64(-40), int8(0), "CEL", "FAH")
	f.Add(int64(math.MinInt64), int8(127), "KEL", "CEL")
	f.Fuzz(func(t *testing.T, c int64, e int8, from, to string) {
		u, okU := Lookup(from)
		v, okV := Lookup(to)
		if _, _, err := Convert(c, int(e), from, to); from != to && (err == nil || errors.Is(err, ErrInexact)) && (!okU || !okV) {
			t.Fatalf("%s to %s: %v", from, to, err)
		}
		if okU && okV && u.Dimension == v.Dimension && u.Exact() && v.Exact() && c > math.MinInt64/7 && c < math.MaxInt64/7 {
			checkConversion(t, c, int(e), u, v)
		}
	})
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		a    int64
		from string
		b    int64
		to   string
		want int
		err  error
	}{
		{1, "KGM", 2, "LBR", 1, nil}, {1, "KGM", 3, "LBR", -1, nil}, {0, "KGM", 0, "LBR", 0, nil},
		{100, "FAH", 38, "CEL", -1, nil}, {101, "FAH", 38, "CEL", 1, nil}, {-1, "CEL", 1, "FAH", 1, nil},
		{5, "CS", 6, "CS", -1, nil}, {5, "CS", 5, "XX", 0, ErrUnknown}, {1, "KGM", 1, "MTR", 0, ErrDimension},
		{12, "", 1, "DZN", 0, nil}, {math.MaxInt64, "CEL", 1, "KEL", 0, ErrRange},
	} {
		got, err := Compare(c.a, 0, c.from, c.b, 0, c.to)
		if got != c.want || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%d %s against %d %s: %d, %v; want %d, %v", c.a, c.from, c.b, c.to, got, err, c.want, c.err)
		}
	}
	// Powers of ten apart, beyond 128 bits.
	if got, err := Compare(1, 127, "KGM", math.MaxInt64, -127, "LBR"); got != 1 || err != nil {
		t.Errorf("far apart: %d, %v", got, err)
	}
}

func TestSameDimension(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"KGM", "LBR", true}, {"", "DZN", true}, {"KGM", "LTR", false}, {"CS", "CS", true}, {"CS", "", false}, {"C81", "DD", false}} {
		if SameDimension(c.a, c.b) != c.want {
			t.Errorf("%q and %q: want %t", c.a, c.b, c.want)
		}
	}
	if DimensionOf("LBR") != Mass || DimensionOf("CS") != None || DimensionOf("") != Count {
		t.Error("dimension of a code")
	}
}

func TestNothingIsAllocated(t *testing.T) {
	n := testing.AllocsPerRun(100, func() {
		_, _, _ = Convert(125, -1, "LBR", "KGM")
		_, _ = Compare(99, 0, "FAH", 37, 0, "CEL")
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// wrongInShared are entries of the shared table that differ from the definition by more than a millionth, and why.
var wrongInShared = map[string]string{
	"80":  "pound-force with g = 9.81",
	"N22": "pound-force with g = 9.81",
	"F78": "ten times the unit, with g = 9.81 squared",
	"F79": "ten times the unit, with g = 9.81 squared",
	"HN":  "a hundred times the unit",
	"F21": "six digits: 0.112985 for 0.1129848",
	"FAH": "0 °F is 255.37 K, not 273.15 K",
	"H49": "a tenth of the unit",
	"4T":  "a thousand times the unit",
	"ACR": "the survey acre; the acre is the international one since 2023",
	"L84": "42 cubic feet in five digits",
	"L86": "40 cubic feet in five digits",
	"BLD": "7056 cubic inches in six digits",
}

// otherMeaning are codes that the shared table gives to two units, and the one that is not ours.
var otherMeaning = map[string]string{"D60": "energy", "B38": "energy"}

func TestSharedTable(t *testing.T) {
	dir := os.Getenv("WAYBILL_DATA")
	if dir == "" {
		dir = "../../../shared/data"
	}
	data, err := os.ReadFile(filepath.Join(dir, "units", "uoms.json"))
	if err != nil {
		t.Skip("the shared table is not here")
	}
	var list []struct {
		UNCode, Type string
		Multiplier   json.RawMessage
		Offset       float64
	}
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 417 {
		t.Errorf("%d entries, want 417", len(list))
	}
	for _, s := range list {
		u, ok := Lookup(s.UNCode)
		if !ok {
			t.Errorf("%s is unknown", s.UNCode)
			continue
		}
		if !u.Exact() || otherMeaning[s.UNCode] == s.Type {
			continue
		}
		theirs := new(big.Rat)
		if _, ok := theirs.SetString(strings.Trim(string(s.Multiplier), `"`)); !ok {
			t.Fatalf("%s: multiplier %s", s.UNCode, s.Multiplier)
		}
		want, _ := theirs.Float64()
		switch u.Dimension { // they count in cubic metres and radians
		case Volume:
			want *= 1000
		case Angle:
			want *= 180 / math.Pi
		}
		ours, _ := rat(1, 0, Unit{factor: u.factor}).Float64()
		zero, _ := rat(0, 0, u).Float64()
		differs := math.Abs(ours/want-1) > 1e-6 || math.Abs(zero-s.Offset) > 1e-9
		if _, known := wrongInShared[s.UNCode]; differs != known {
			t.Errorf("%s: ours %v from %v, theirs %v from %v, known to be wrong: %t", s.UNCode, ours, zero, want, s.Offset, known)
		}
	}
}
