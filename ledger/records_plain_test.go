package ledger

import (
	"bytes"
	"errors"
	"maps"
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
		stem := rapid.SampledFrom([]string{"", "", webStem + "/", webStem, webStem + "/01/09521321000012/21/", "/", "~", "~/", "é"}).Draw(t, "stem")
		v.SetString(stem + rapid.OneOf(rapid.String(), rapid.StringN(20, 30, 300)).Draw(t, "text"))
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		n := rapid.OneOf(rapid.SampledFrom([]uint64{0, 23, 24, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, 1<<64 - 1}), rapid.Uint64()).Draw(t, "n")
		v.SetUint(n << (64 - v.Type().Bits()) >> (64 - v.Type().Bits()))
	case reflect.Int8, reflect.Int64:
		n := rapid.OneOf(rapid.SampledFrom([]int64{0, 23, -1, -24, -25, 127, -128, 1<<63 - 1, -1 << 63}), rapid.Int64()).Draw(t, "n")
		v.SetInt(n << (64 - v.Type().Bits()) >> (64 - v.Type().Bits()))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "flag"))
	case reflect.Array:
		few := rapid.SampledFrom([]int{-1, 0, 1, 2}).Draw(t, "few")
		if few >= 0 {
			v.Index(0).SetUint(uint64(few)) // zero, or likely to be there again
			return
		}
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

// plainRecords are the types that records_plain.go writes as reflection would.
func plainRecords() map[string]func() any {
	return map[string]func() any{
		"chain": func() any { return new(Chain) }, "seen": func() any { return new(Seen) }, "undo": func() any { return new(undoRecord) },
	}
}

// ownRecords are those of a form of their own.
func ownRecords() map[string]func() any {
	return map[string]func() any{
		"item": func() any { return new(Item) }, "contents": func() any { return new(Contents) },
		"mark": func() any { return new(EventMark) }, "shipment": func() any { return new(Shipment) },
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

// What has a form of its own is read as it was written, but for what its key tells, and not in the form of reflection.
func TestOwnRecords(t *testing.T) {
	for name, make := range ownRecords() {
		t.Run(name, func(t *testing.T) {
			property(t, func(t *rapid.T) {
				v := make()
				fillAny(t, reflect.ValueOf(v).Elem())
				switch rec := v.(type) {
				case *Item:
					rec.ID = ""
				case *Shipment:
					rec.Event = crypto.Hash{}
				}
				data := mustMarshal(v)
				read := make()
				if err := crypto.Unmarshal(data, read); err != nil {
					t.Fatalf("%x of %+v: %v", data, v, err)
				}
				if !reflect.DeepEqual(read, v) {
					t.Fatalf("read as\n%+v, and not\n%+v", read, v)
				}
				if name != "mark" || v.(*EventMark).DeclaredBy.IsZero() {
					if err := crypto.Unmarshal(reflected(t, v), make()); !errors.Is(err, crypto.ErrEncoding) {
						t.Fatalf("in the form of reflection: %v", err)
					}
				}
			})
		})
	}
}

// What is garbled is refused, or it is the canonical form of something else.
func TestPlainRecordsGarbled(t *testing.T) {
	all := plainRecords()
	maps.Copy(all, ownRecords())
	for name, make := range all {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				v := make()
				fillAny(t, reflect.ValueOf(v).Elem())
				data := v.(crypto.CBORAppender).AppendCBOR(nil)
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
				if err := crypto.Unmarshal(data, read); err == nil && !bytes.Equal(mustMarshal(read), data) {
					t.Fatalf("%x was read as %+v", data, read)
				}
			})
		})
	}
}
