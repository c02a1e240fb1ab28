package ledger

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"

	"waybill/crypto"
)

// reflected encodes as crypto.Marshal does for types without a hand of their own, also what is too dense to be decoded.
func reflected(t interface{ Fatal(...any) }, v any) []byte {
	opts := cbor.CoreDetEncOptions()
	opts.TagsMd, opts.NilContainers = cbor.TagsForbidden, cbor.NilContainerAsEmpty
	mode, err := opts.EncMode()
	if err != nil {
		t.Fatal(err)
	}
	data, err := mode.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// fillAny draws a value for every exported field, at the edges of CBOR heads and of the types as often as not.
func fillAny(t *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fillAny(t, v.Field(i))
			}
		}
	case reflect.String:
		v.SetString(rapid.OneOf(rapid.String(), rapid.StringN(20, 30, 300)).Draw(t, "text"))
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		n := rapid.OneOf(rapid.SampledFrom([]uint64{0, 23, 24, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, 1<<64 - 1}), rapid.Uint64()).Draw(t, "n")
		v.SetUint(n << (64 - v.Type().Bits()) >> (64 - v.Type().Bits()))
	case reflect.Int8, reflect.Int64:
		n := rapid.OneOf(rapid.SampledFrom([]int64{0, 23, -1, -24, -25, 127, -128, 1<<63 - 1, -1 << 63}), rapid.Int64()).Draw(t, "n")
		v.SetInt(n << (64 - v.Type().Bits()) >> (64 - v.Type().Bits()))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "flag"))
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(rapid.Byte().Draw(t, "b")))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rapid.SampledFrom([]int{0, 1, 2, 24}).Draw(t, "len"), 24))
		for i := range v.Len() {
			fillAny(t, v.Index(i))
		}
	default:
		t.Fatalf("a field of kind %s", v.Kind())
	}
}

// plainRecords are the types that records_plain.go writes.
func plainRecords() map[string]func() any {
	return map[string]func() any{
		"item": func() any { return new(Item) }, "chain": func() any { return new(Chain) },
		"contents": func() any { return new(Contents) }, "mark": func() any { return new(EventMark) },
		"shipment": func() any { return new(Shipment) }, "seen": func() any { return new(Seen) },
		"undo": func() any { return new(undoRecord) },
	}
}

// What is written by hand is what reflection writes, and is read as reflection reads it.
func TestPlainRecords(t *testing.T) {
	for name, make := range plainRecords() {
		t.Run(name, func(t *testing.T) {
			property(t, func(t *rapid.T) {
				v := make()
				fillAny(t, reflect.ValueOf(v).Elem())
				want := reflected(t, v)
				if got := v.(crypto.CBORAppender).AppendCBOR(nil); !bytes.Equal(got, want) {
					t.Fatalf("%+v is written as\n%x, and not\n%x", v, got, want)
				}
				read, other := make(), make()
				if err := crypto.Unmarshal(want, read); err != nil {
					t.Fatal(err)
				}
				if err := cbor.Unmarshal(want, other); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(read, other) {
					t.Fatalf("read as\n%+v, and not\n%+v", read, other)
				}
			})
		})
	}
}

// What is garbled is refused, or it is the canonical form of something else.
func TestPlainRecordsGarbled(t *testing.T) {
	for name, make := range plainRecords() {
		t.Run(name, func(t *testing.T) {
			property(t, func(t *rapid.T) {
				v := make()
				fillAny(t, reflect.ValueOf(v).Elem())
				data := reflected(t, v)
				at := rapid.IntRange(0, len(data)-1).Draw(t, "at")
				switch rapid.IntRange(0, 2).Draw(t, "how") {
				case 0:
					data = data[:at]
				case 1:
					data = append(data, 0)
				default:
					data[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
				}
				read := make()
				if err := crypto.Unmarshal(data, read); err == nil && !bytes.Equal(reflected(t, read), data) {
					t.Fatalf("%x was read as %+v", data, read)
				}
			})
		})
	}
}
