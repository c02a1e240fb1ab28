package crypto

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sample has one field of every shape that our documents use.
type sample struct {
	Number  uint64           `cbor:"1,keyasint"`
	Signed  int64            `cbor:"2,keyasint"`
	Text    string           `cbor:"3,keyasint"`
	Bytes   []byte           `cbor:"4,keyasint"`
	Hash    Hash             `cbor:"5,keyasint"`
	List    []sample         `cbor:"6,keyasint,omitempty"`
	Maybe   *Address         `cbor:"7,keyasint,omitempty"`
	Pairs   map[string]int64 `cbor:"8,keyasint,omitempty"`
	Flag    bool             `cbor:"9,keyasint"`
	Pointer *uint16          `cbor:"10,keyasint"`
}

func drawSample(t *rapid.T, depth int) sample {
	s := sample{
		Number: rapid.Uint64().Draw(t, "number"),
		Signed: rapid.Int64().Draw(t, "signed"),
		Text:   rapid.String().Draw(t, "text"),
		Bytes:  rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes"),
		Hash:   Sum(TagVote, []byte{rapid.Byte().Draw(t, "hash")}),
		Pairs:  rapid.MapOfN(rapid.StringN(0, 3, 9), rapid.Int64(), 0, 4).Draw(t, "pairs"),
		Flag:   rapid.Bool().Draw(t, "flag"),
	}
	if rapid.Bool().Draw(t, "pointer?") {
		p := rapid.Uint16().Draw(t, "pointer")
		s.Pointer = &p
	}
	if rapid.Bool().Draw(t, "maybe?") {
		s.Maybe = &Address{1}
	}
	if depth > 0 {
		for range rapid.IntRange(0, 3).Draw(t, "list") {
			s.List = append(s.List, drawSample(t, depth-1))
		}
	}
	return s
}

func TestCBORRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSample(t, 2)
		data, err := Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back sample
		if err := Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		again, err := Marshal(back)
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("round trip of %x gave %x, %v", data, again, err)
		}
		// Every proper prefix and every extension is refused.
		cut := rapid.IntRange(0, len(data)-1).Draw(t, "cut")
		if Unmarshal(data[:cut], new(sample)) == nil {
			t.Fatal("a prefix was accepted")
		}
		if Unmarshal(append(data[:len(data):len(data)], 0), new(sample)) == nil {
			t.Fatal("an extension was accepted")
		}
	})
}

func TestCBORVectors(t *testing.T) {
	type vector struct{ Value, CBOR string }
	p := uint16(7)
	var vectors []vector
	for _, v := range []any{
		0, 23, 24, 255, 256, 65535, 65536, uint64(math.MaxUint64), -1, -24, -25, int64(math.MinInt64),
		"", "a", "ü", []byte(nil), []byte{1, 2}, []int{}, []int{1, 2, 3}, true, false,
		map[string]int{"b": 1, "a": 2, "aa": 3}, map[int]string{-1: "x", 10: "y", 100: "z"},
		Sum(TagVote), testKey("a").Address(), testKey("a").Public(),
		sample{}, sample{Number: 1, Bytes: []byte{}, Pointer: &p, List: []sample{{}}, Maybe: &Address{}, Pairs: map[string]int64{"x": -5}},
		InclusionProof{Index: 1, Size: 2, Path: []Hash{Sum(TagVote)}},
		TreeProof{}, TreeProof{Siblings: []Hash{{}, Sum(TagVote)}, Other: &TreeLeaf{Sum(TagVote), Sum(TagHeader)}},
	} {
		data, err := Marshal(v)
		if err != nil {
			t.Fatalf("%v: %v", v, err)
		}
		vectors = append(vectors, vector{fmt.Sprintf("%T %v", v, v), hex.EncodeToString(data)})
	}
	for i := range vectors { // pointers print as addresses
		if strings.Contains(vectors[i].Value, "0x") {
			vectors[i].Value, _, _ = strings.Cut(vectors[i].Value, " ")
		}
	}
	golden(t, "cbor", vectors)
}

func TestCBORNilAndEmptyAreOne(t *testing.T) {
	type two struct {
		B []byte
		L []int
		M map[int]int
	}
	a, err := Marshal(two{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Marshal(two{B: []byte{}, L: []int{}, M: map[int]int{}})
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("nil gives %x, empty %x, %v", a, b, err)
	}
}

// TestCBORRefusals is a table of spellings that are not the one spelling.
func TestCBORRefusals(t *testing.T) {
	type pair struct {
		A uint64 `cbor:"a,omitempty"`
		B []byte `cbor:"b,omitempty"`
	}
	for _, c := range []struct {
		name, data string
		into       any
		kind       Kind
	}{
		{"nothing", "", new(uint64), ErrEncoding},
		{"long head 1", "1817", new(uint64), ErrEncoding},
		{"long head 2", "1900ff", new(uint64), ErrEncoding},
		{"long head 4", "1a0000ffff", new(uint64), ErrEncoding},
		{"long head 8", "1b00000000ffffffff", new(uint64), ErrEncoding},
		{"reserved head", "1c", new(uint64), ErrEncoding},
		{"cut head", "19ff", new(uint64), ErrEncoding},
		{"two items", "0101", new(uint64), ErrEncoding},
		{"indefinite bytes", "5f4101ff", new([]byte), ErrEncoding},
		{"indefinite array", "9f01ff", new([]uint64), ErrEncoding},
		{"indefinite map", "bf616101ff", new(pair), ErrEncoding},
		{"break", "ff", new(any), ErrEncoding},
		{"half float", "f93c00", new(any), ErrEncoding},
		{"float", "fa3f800000", new(any), ErrEncoding},
		{"double", "fb3ff0000000000000", new(float64), ErrEncoding},
		{"undefined", "f7", new(any), ErrEncoding},
		{"simple 255", "f8ff", new(any), ErrEncoding},
		{"tag", "c000", new(any), ErrEncoding},
		{"bignum", "c24101", new(uint64), ErrEncoding},
		{"unknown field", "a1616301", new(pair), ErrEncoding},
		{"field in other case", "a1614101", new(pair), ErrEncoding},
		{"duplicate key", "a2616101616101", new(pair), ErrEncoding},
		{"keys out of order", "a261624101616101", new(pair), ErrEncoding},
		{"explicit zero of an omitted field", "a1616100", new(pair), ErrEncoding},
		{"null for a number", "f6", new(uint64), ErrEncoding},
		{"null for bytes", "f6", new([]byte), ErrEncoding},
		{"array for bytes", "8101", new([]byte), ErrEncoding},
		{"negative for unsigned", "20", new(uint64), ErrEncoding},
		{"overflow", "190100", new(uint8), ErrEncoding},
		{"number for bool", "01", new(bool), ErrEncoding},
		{"text for bytes", "6161", new([]byte), ErrEncoding},
		{"bytes for text", "4161", new(string), ErrEncoding},
		{"short hash", "5f" + strings.Repeat("00", 31), new(Hash), ErrEncoding},
		{"hash of 31 bytes", "581f" + strings.Repeat("01", 31), new(Hash), ErrEncoding},
		{"hash of 33 bytes", "5821" + strings.Repeat("01", 33), new(Hash), ErrEncoding},
		{"bad UTF-8", "61ff", new(string), ErrEncoding},
		{"surrogate", "63eda080", new(string), ErrEncoding},
		{"string beyond the end", "6261", new(string), ErrEncoding},
		{"string of 2^63 bytes", "5b8000000000000000", new([]byte), ErrEncoding},
		{"array beyond the limit", "9a00010000", new([]uint64), ErrTooLarge},
		{"array of 2^63", "9b8000000000000000", new([]uint64), ErrTooLarge},
		{"map beyond the limit", "ba00010000", new(map[int]int), ErrTooLarge},
		{"nested too deep", strings.Repeat("81", MaxCBORDepth+1) + "00", new(any), ErrTooLarge},
		{"nested far too deep", strings.Repeat("81", 1<<20), new(any), ErrTooLarge},
	} {
		if err := Unmarshal(mustHex(t, c.data), c.into); !errors.Is(err, c.kind) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.kind)
		}
	}
	if err := Unmarshal(make([]byte, MaxCBORBytes+1), new(any)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an oversized document gave %v", err)
	}
	if err := Unmarshal(mustHex(t, strings.Repeat("81", MaxCBORDepth)+"00"), new(any)); err != nil {
		t.Errorf("the deepest allowed document gave %v", err)
	}
}

// TestScanStandsAlone: what the scan is there for, it finds without the decoder behind it.
func TestScanStandsAlone(t *testing.T) {
	for name, data := range map[string]string{
		"duplicate key": "a2616101616101", "keys out of order": "a261624101616101", "long head": "1817", "float": "f93c00",
		"tag": "c000", "indefinite": "9f01ff", "bad UTF-8": "61ff", "two items": "0101", "undefined": "f7", "nothing": "",
	} {
		if err := scanCBOR(mustHex(t, data)); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		v    any
		kind Kind
	}{
		"float":             {1.5, ErrEncoding},
		"float in a struct": {struct{ F float32 }{1}, ErrEncoding},
		"bad UTF-8":         {"\xff", ErrEncoding},
		"channel":           {make(chan int), ErrEncoding},
		"long list":         {make([]int, MaxCBORElements+1), ErrTooLarge},
		"long bytes":        {make([]byte, MaxCBORBytes), ErrTooLarge},
	} {
		if data, err := Marshal(c.v); !errors.Is(err, c.kind) {
			t.Errorf("%s: got %.20x, %v, want %v", name, data, err, c.kind)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	p := uint16(7)
	for _, s := range []sample{{}, {Number: 1, Bytes: []byte("x"), Pointer: &p, List: []sample{{}}, Maybe: &Address{}, Pairs: map[string]int64{"x": -5}}} {
		data, err := Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, s := range []string{"a0", "f97e00", "9fff", "c11a514b67b0", "a201010101", "5b7fffffffffffffff", "818181818181"} {
		b, _ := hexBytes(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s sample
		if Unmarshal(data, &s) == nil {
			again, err := Marshal(s)
			if err != nil || !bytes.Equal(again, data) {
				t.Errorf("%x decodes to what encodes as %x, %v", data, again, err)
			}
		}
		var part sample
		budget := NewBudget(len(data))
		if err := UnmarshalWithin(data, &part, &budget); err == nil && budget.Left() < 0 {
			t.Errorf("%x took %d more than it may", data, -budget.Left())
		}
		var v any
		if Unmarshal(data, &v) == nil {
			again, err := Marshal(v)
			if err != nil || !bytes.Equal(again, data) {
				t.Errorf("untyped: %x decodes to what encodes as %x, %v", data, again, err)
			}
		}
	})
}
