package crypto

import (
	"bytes"
	"math"
	"testing"
)

// TestFields takes one of each, then asks for what is not there.
func TestFields(t *testing.T) {
	data := []byte{1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4}
	data = append(data, bytes.Repeat([]byte{5}, HashSize)...)
	data = append(data, bytes.Repeat([]byte{6}, SignatureSize)...)
	data = append(data, 0xff, 0xff, 0xff, 0xff, 7, 8)
	f := ReadFields(data)
	if a, b, c, d := f.U8(), f.U16(), f.U32(), f.U64(); a != 1 || b != 2 || c != 3 || d != 4 {
		t.Errorf("%d %d %d %d", a, b, c, d)
	}
	if h, s := f.Hash(), f.Signature(); h[0] != 5 || h[HashSize-1] != 5 || s[0] != 6 || s[SignatureSize-1] != 6 {
		t.Errorf("%s %x", h, s)
	}
	if n := f.Length(); n != math.MaxInt32 {
		t.Errorf("length %d", n)
	}
	if b := f.Bytes(2); !bytes.Equal(b, []byte{7, 8}) || cap(b) != 2 || f.Left() != 0 || f.Short() {
		t.Errorf("%v, cap %d, left %d, short %t", b, cap(b), f.Left(), f.Short())
	}
	if f.U8() != 0 || !f.Short() {
		t.Error("a byte after the end")
	}
	for what, take := range map[string]func(*Fields){
		"U8": func(f *Fields) { f.U8() }, "U16": func(f *Fields) { f.U16() }, "U32": func(f *Fields) { f.U32() }, "U64": func(f *Fields) { f.U64() },
		"Hash": func(f *Fields) { f.Hash() }, "Signature": func(f *Fields) { f.Signature() }, "Length": func(f *Fields) { f.Length() },
		"negative": func(f *Fields) { f.Bytes(-1) }, "Fail": (*Fields).Fail,
	} {
		f := ReadFields(nil)
		if take(&f); !f.Short() {
			t.Errorf("%s of nothing is not short", what)
		}
		f = ReadFields(data)
		f.Fail()
		if take(&f); f.Left() != len(data) {
			t.Errorf("%s took something after a shortage", what)
		}
	}
}
