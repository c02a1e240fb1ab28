package epcis

import (
	"errors"
	"reflect"
	"runtime"
	"testing"
)

// What a decoder may allocate for each byte of input, beside 64 KiB. The densest JSON is an empty sensor element in
// three bytes, the densest CBOR a list in a list: an object of the model for every few bytes.
const (
	jsonFactor = 80
	cborFactor = 32
	allowance  = 64 << 10
)

// allocated measures what f allocates. It asserts a bound only where nothing else runs, so it takes the least of three.
func allocated(f func()) uint64 {
	least := ^uint64(0)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// FuzzParseDocument: no panic; faults are bounded; what is accepted is written, read again and encoded without change.
func FuzzParseDocument(f *testing.F) {
	data, d := chain(f)
	f.Add(data)
	for _, e := range d.Events {
		text, err := FormatEvent(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range valid {
		f.Add([]byte(text))
	}
	f.Add([]byte(base))
	f.Add([]byte(`[{"type":"ObjectEvent","x:a":[[1e5,-0.0,"é"]]}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDocument(data)
		if err != nil {
			var faults Faults
			if d != nil || !errors.As(err, &faults) || len(faults) == 0 || len(faults) > MaxFaults || err.Error() == "" {
				t.Fatalf("document %v, error %v", d, err)
			}
			return
		}
		text, err := FormatDocument(d)
		if err != nil {
			t.Fatal(err)
		}
		if diff := compareJSON(t, data, text); diff != "" {
			t.Fatalf("%s\n%s", diff, text)
		}
		for _, e := range d.Events {
			checkEncoding(t, e)
		}
	})
}

func checkEncoding(t *testing.T, e *Event) {
	t.Helper()
	encoded, err := EncodeEvent(e)
	if errors.Is(err, FaultTooLarge) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := DecodeEvent(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(decoded, e) {
		t.Fatalf("decoded\n%+v, want\n%+v", decoded, e)
	}
	if decoded.Hash() != e.Hash() {
		t.Fatal("the hash changes")
	}
	if _, err := decoded.CBVHash(); err != nil {
		t.Fatal(err)
	}
	decoded.Items()
}

// FuzzDecodeEvent: no panic, bounded allocation, one encoding for what is accepted. Whatever is decoded can be
// validated, hashed and written as JSON.
func FuzzDecodeEvent(f *testing.F) {
	_, d := chain(f)
	for _, e := range d.Events {
		data, err := EncodeEvent(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{0xa2, 0, 1, 1, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := DecodeEvent(data)
		if err != nil {
			if e != nil {
				t.Fatal("an event and an error")
			}
			return
		}
		again, err := EncodeEvent(e)
		if err != nil || string(again) != string(data) {
			t.Fatalf("encoded again it differs: %v", err)
		}
		e.Validate()
		e.Items()
		e.LotNumber()
		e.ItemExpirationDate()
		e.Hash()
		if _, err := e.CBVHash(); err != nil && e.EventTime.Text != "" {
			t.Fatal(err)
		}
		if _, err := FormatEvent(e); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAllocationIsBounded feeds the decoders the inputs that cost most for their size.
func TestAllocationIsBounded(t *testing.T) {
	head := `{"type":"ObjectEvent","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+01:00","action":"OBSERVE","epcList":["urn:x:1"],"x:a":`
	repeat := func(s string, n int) string {
		b := make([]byte, 0, len(s)*n)
		for range n {
			b = append(b, s...)
		}
		return string(b[:len(b)-1]) // without the last comma
	}
	for name, text := range map[string]string{
		"numbers":     head + "[" + repeat("0,", 15000) + "]}",
		"lists":       head + "[" + repeat("[],", 15000) + "]}",
		"nested":      head + "[" + repeat("[[[[[[0]]]]]],", 2000) + "]}",
		"objects":     head + "[" + repeat(`{"a":0},`, 7000) + "]}",
		"escapes":     head + `"` + repeat(`\u00e9`, 15000) + `9"}`,
		"bad epcs":    `[` + repeat(`{"type":"ObjectEvent","epcList":["1"]},`, 2000) + `]`,
		"empty lists": "[" + repeat("[],", 100000) + "]",
		"sensors":     `[{"type":"ObjectEvent","sensorElementList":[` + repeat(`{},`, 10000) + `]}]`,
	} {
		var d *Document
		cost := allocated(func() { d, _ = ParseDocument([]byte(text)) })
		if cost > uint64(len(text))*jsonFactor+allowance {
			t.Errorf("%s: %d bytes of JSON cost %d bytes, %d times", name, len(text), cost, cost/uint64(len(text)))
		}
		if d == nil {
			continue
		}
		data, err := EncodeEvent(d.Events[0])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		cost = allocated(func() { _, err = DecodeEvent(data) })
		if err != nil || cost > uint64(len(data))*cborFactor+allowance {
			t.Errorf("%s: %d bytes of CBOR cost %d bytes, %d times; %v", name, len(data), cost, cost/uint64(len(data)), err)
		}
		t.Logf("%s: JSON %d, CBOR %d", name, len(text), len(data))
	}
}

// FuzzParseDecimal: a number that is read is written and read again as the same, and never a panic.
func FuzzParseDecimal(f *testing.F) {
	for _, s := range []string{"0", "-12.50", "1.5e3", "1e400", "9223372036854775807", "0.0000000000000000001", "-0", "1.", "٣"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDecimal(s)
		if err != nil {
			if !errors.Is(err, ErrDecimalSyntax) && !errors.Is(err, ErrDecimalRange) || d != (Decimal{}) {
				t.Fatalf("%v beside %v", err, d)
			}
			return
		}
		if again, err := ParseDecimal(d.String()); err != nil || again != d || !d.isCanonical() {
			t.Fatalf("%q is %v, which is %v, %v", s, d, again, err)
		}
	})
}

func FuzzParseEventType(f *testing.F) {
	f.Add("ObjectEvent")
	f.Add("epcis:ObjectEvent")
	f.Fuzz(func(t *testing.T, s string) {
		if typ, ok := ParseEventType(s); ok != (typ.String() != "") {
			t.Fatalf("%q is %d, %t", s, typ, ok)
		}
	})
}
