package quorum

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"waybill/crypto"
)

// sampleHeader has a different value in every field.
func sampleHeader() Header {
	h := Header{Version: HeaderVersion, Epoch: 2, View: 3, Height: 4, ParentView: 5, TimeMs: 6, Proposer: 7,
		PayloadBytes: 8, TxCount: 9, ExecHeight: 10, Flags: FlagClosing}
	for i, f := range []*crypto.Hash{&h.Genesis, &h.Parent, &h.PayloadRoot, &h.Justification, &h.Closing, &h.ValidatorSet,
		&h.NextValidatorSet, &h.Params, &h.ExecStateRoot, &h.ExecReceiptsRoot} {
		*f = block(fmt.Sprint("field ", i))
	}
	return h
}

// mutations calls try with a copy of *v for each field of the struct v points to, that field changed. It fails on a
// field of a kind that it cannot change, so that a new field cannot slip through.
func mutations(t *testing.T, v any, try func(field string, changed any)) {
	t.Helper()
	typ := reflect.TypeOf(v).Elem()
	for i := range typ.NumField() {
		changed := reflect.New(typ)
		changed.Elem().Set(reflect.ValueOf(v).Elem())
		switch f := changed.Elem().Field(i); f.Kind() {
		case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			f.SetUint(f.Uint() ^ 1)
		case reflect.Int64:
			f.SetInt(f.Int() ^ 1)
		case reflect.Array:
			f.Index(f.Len() - 1).SetUint(f.Index(f.Len()-1).Uint() ^ 1)
		default:
			t.Fatalf("field %s of %s is of a kind this test does not change", typ.Field(i).Name, typ)
		}
		try(typ.Field(i).Name, changed.Interface())
	}
}

// TestHeaderHashBindsEveryField is the test that a forgotten field fails.
func TestHeaderHashBindsEveryField(t *testing.T) {
	h := sampleHeader()
	seen := map[crypto.Hash]string{h.Hash(): "the unchanged header"}
	fields := 0
	mutations(t, &h, func(field string, changed any) {
		fields++
		hash := changed.(*Header).Hash()
		if other, twice := seen[hash]; twice {
			t.Errorf("changing %s gives the hash of %s", field, other)
		}
		seen[hash] = field
	})
	if fields != 21 {
		t.Errorf("tried %d fields", fields)
	}
	for i := range HeaderSize * 8 { // and every bit of the encoding
		b := h.Encode()
		b[i/8] ^= 1 << (i % 8)
		if got, err := DecodeHeader(b); err == nil && got.Hash() == h.Hash() {
			t.Fatalf("flipping bit %d leaves the hash", i)
		}
	}
}

func TestHeaderEncoding(t *testing.T) {
	h := sampleHeader()
	b := h.Encode()
	if len(b) != HeaderSize {
		t.Errorf("a header is %d bytes, HeaderSize says %d", len(b), HeaderSize)
	}
	back, err := DecodeHeader(b)
	if err != nil || back != h {
		t.Fatalf("round trip gave %+v, %v", back, err)
	}
	mutate := func(f func(h *Header)) []byte {
		h := sampleHeader()
		f(&h)
		return h.Encode()
	}
	for name, bad := range map[string][]byte{
		"empty": {}, "cut": b[:HeaderSize-1], "long": append(bytes.Clone(b), 0),
		"version 0":        mutate(func(h *Header) { h.Version = 0 }),
		"version 2":        mutate(func(h *Header) { h.Version = 2 }),
		"unknown flag":     mutate(func(h *Header) { h.Flags = 4 }),
		"time before 1970": mutate(func(h *Header) { h.TimeMs = -1 }),
	} {
		if _, err := DecodeHeader(bad); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: got %v, want ErrEncoding", name, err)
		}
	}
}

func TestHeaderVectors(t *testing.T) {
	type vector struct {
		Header Header
		Bytes  string
		Hash   crypto.Hash
	}
	var vectors []vector
	add := func(h Header) { vectors = append(vectors, vector{h, fmt.Sprintf("%x", h.Encode()), h.Hash()}) }
	add(Header{Version: HeaderVersion})
	h := sampleHeader()
	add(h)
	mutations(t, &h, func(_ string, changed any) { add(*changed.(*Header)) })
	golden(t, "header", compact(vectors))
}
