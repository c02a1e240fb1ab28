package crypto

import (
	"errors"
	"reflect"
	"slices"
	"sort"
	"testing"

	"waybill/internal/dense"
)

// small are types of which a byte can stand for much.
type (
	wide struct {
		_          struct{} `cbor:",toarray"`
		A, B, C, D string
		Hash       Hash
		More       []string
	}
	thin struct {
		_    struct{} `cbor:",toarray"`
		Flag bool
		N    uint64
		List []wide
		Ptr  *wide
	}
)

// TestDecodersAllocateLittle searches for the densest input of types of every shape.
func TestDecodersAllocateLittle(t *testing.T) {
	search := dense.NewSearch(t, 1<<18)
	p := uint16(7)
	for _, v := range []any{
		&sample{Bytes: []byte("x"), Pointer: &p, List: []sample{{Text: "a"}}, Maybe: &Address{}, Pairs: map[string]int64{"x": -5}},
		&thin{List: []wide{{}}, Ptr: &wide{More: []string{"a"}}}, &[]wide{{}}, &[]string{"a"}, &[][]byte{{1}}, &[]*wide{{}}, &[]uint64{1}, &[]bool{true},
		&map[string]wide{"a": {}}, &map[uint8][]string{1: {"a"}}, &[2][]Hash{{{}}, {}}, &[][][]string{{{"a"}}},
	} {
		data, err := Marshal(v)
		if err != nil {
			t.Fatalf("%T: %v", v, err)
		}
		search.CBOR(reflect.TypeOf(v).String(), data, func(data []byte) { _ = Unmarshal(data, reflect.New(reflect.TypeOf(v).Elem()).Interface()) })
	}
	search.CBOR("any", []byte{0x81, 0x81, 0xa1, 0x00, 0x61, 'a'}, func(data []byte) { _ = Unmarshal(data, new(any)) })
	search.Report("Unmarshal")
}

// TestDensityAtItsEdge: what Marshal returns Unmarshal accepts, up to the densest list; the next longer one neither takes.
func TestDensityAtItsEdge(t *testing.T) {
	longest := sort.Search(MaxCBORElements+1, func(n int) bool {
		_, err := Marshal(make([][]byte, n))
		if err != nil && !errors.Is(err, ErrTooLarge) {
			t.Fatal(err)
		}
		return err != nil
	}) - 1
	if longest < 1000 || longest == MaxCBORElements {
		t.Fatalf("empty byte strings are listed up to %d times", longest)
	}
	data, err := Marshal(make([][]byte, longest))
	if err != nil {
		t.Fatal(err)
	}
	var back [][]byte
	if err := Unmarshal(data, &back); err != nil || len(back) != longest {
		t.Errorf("%d byte strings: %v", longest, err)
	}
	more := append(appendHead(nil, cborArray, uint64(longest+1)), slices.Repeat([]byte{0x40}, longest+1)...)
	if err := Unmarshal(more, new([][]byte)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%d byte strings: %v", longest+1, err)
	}
	if _, err := Marshal(slices.Repeat([]string{"ab"}, MaxCBORElements)); err != nil {
		t.Errorf("short texts: %v", err)
	}
	budget := NewBudget(0)
	if left := int(budget.Left()); !budget.Take(left, 1) || budget.Take(1, 1) {
		t.Error("a budget ends elsewhere than it says")
	}
}

// TestShapesAreTheTypes: the size that is counted for a type is the compiler's for 64 bits, and every wrong kind is refused
// before anything is made.
func TestShapesAreTheTypes(t *testing.T) {
	for _, v := range []any{wide{}, thin{}, sample{}, Hash{}, "", []string{}, uint8(0), struct {
		A bool
		B uint64
		C bool
	}{}} {
		if reflect.TypeOf(0).Size() < 8 {
			t.Skip("sizes are those of 64 bits")
		}
		if s := shapeOf(reflect.TypeOf(v)); s.size != int(reflect.TypeOf(v).Size()) {
			t.Errorf("%T takes %d bytes, %d are counted", v, reflect.TypeOf(v).Size(), s.size)
		}
	}
}
