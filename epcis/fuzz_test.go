package epcis

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"waybill/crypto"
)

// What a decoder may allocate for each byte of input, beside 64 KiB. The densest JSON that is not refused is lists in lists,
// the densest CBOR sensor reports or references that say next to nothing. Published sensor events take up to 20.
const (
	jsonFactor = 16
	cborFactor = 16
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
		checkDecodeCost(t, "fuzzed", data)
		budget := crypto.NewBudget(len(data) / 2)
		if _, err := DecodeEventWithin(data, &budget); err == nil && budget.Left() < 0 {
			t.Fatal("more was taken than there was")
		}
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

// TestAllocationIsBounded feeds the decoders the inputs that cost most for their size, accepted or not.
func TestAllocationIsBounded(t *testing.T) {
	head := `{"type":"ObjectEvent","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+01:00","action":"OBSERVE","epcList":["urn:x:1"],`
	many := 20_000
	if testing.Short() {
		many = 4_000
	}
	rep := func(s string, n int) string { return strings.TrimSuffix(strings.Repeat(s, n), ",") }
	for _, one := range []string{
		"0,", "[],", "[[[[[[0]]]]]],", "[[[[[[[[0]]]]]]]],", `{"a":0},`, `{"":{"":{}}},`, `"",`, `"\u00e9",`, "[0],", "[0,0,0,0,0,0,0],", "[0     ],", `{"type":"x"},`, `{"a":1,"b":2,"c":3},`,
		`[[[[[[0                                     ]]]]]],`, `{"type":"x:a","value":1},`, `{"sensorMetadata":{}},`, `{"epcClass":"urn:x:y"},`, `{"type":"x:a","bizTransaction":"x:b"},`, `{},`, `{   },`,
	} {
		for name, text := range map[string]string{
			"extension": head + `"x:a":[` + rep(one, many) + "]}", "document": "[" + rep(one, many) + "]", "reports": head + `"sensorElementList":[{"sensorReport":[` + rep(one, many) + "]}]}",
			"elements": head + `"sensorElementList":[` + rep(one, many) + "]}", "quantities": head + `"quantityList":[` + rep(one, many) + "]}",
			"references": head + `"bizTransactionList":[` + rep(one, many) + "]}", "texts": head + `"certificationInfo":[` + rep(one, many) + "]}",
			"ilmd": head + `"ilmd":{"x:a":[` + rep(one, many) + "]}}", "context": head + `"@context":[` + rep(one, many) + "]}", "short": head + `"x:a":[` + rep(one, 1000) + "]}",
			"few reports": head + `"sensorElementList":[{"sensorReport":[` + rep(one, 300) + "]}]}",
		} {
			var d *Document
			cost := allocated(func() { d, _ = ParseDocument([]byte(text)) })
			if cost > uint64(len(text))*jsonFactor+allowance {
				t.Errorf("%s of %s: %d bytes of JSON cost %d bytes, %d times", name, one, len(text), cost, cost/uint64(len(text)))
			}
			if d == nil || len(d.Events) == 0 {
				continue
			}
			if data, err := EncodeEvent(d.Events[0]); err == nil {
				checkDecodeCost(t, name+" of "+one, data)
			}
		}
	}
}

func checkDecodeCost(t *testing.T, name string, data []byte) {
	t.Helper()
	var err error
	if cost := allocated(func() { _, err = DecodeEvent(data) }); cost > uint64(len(data))*cborFactor+allowance {
		t.Errorf("%s: %d bytes of CBOR cost %d bytes, %d times; %v", name, len(data), cost, cost/uint64(len(data)), err)
	}
}

// TestDenseEvents puts lists of what is small in bytes and large in memory under every key of an event, in every length.
func TestDenseEvents(t *testing.T) {
	refused := 0
	for key := range byte(33) {
		head := []byte{0xa3, 0, 1, 1, 1, key}
		if key > 23 {
			head = []byte{0xa3, 0, 1, 1, 1, 0x18, key}
		}
		for _, one := range []string{
			"\xa0", "\x60", "\x80", "\x00", "\x82\x60\x60", "\xa1\x00\xa0", "\xa1\x00\x60", "\xa1\x01\x61a", "\xa1\x00\x65abcde", "\xa1\x00\x72abcdefghijklmnopqr", "\x85\x03\x60\x60\x00",
			"\xa1\x01\x99\x03\xe8" + strings.Repeat("\xa0", 1000), "\xa1\x01\x91" + strings.Repeat("\xa2\x00\xa1\x00\x6bTemperature\x01\xa1\x00\x82\x18\xd7\x20", 17),
			"\xa1\x01\x91" + strings.Repeat("\xa1\x00\xa1\x00\x78\x1aTemperatureTemperatureTemp", 17), "\xa1\x00\xa1\x00\xa1\x00\x61a",
		} {
			for _, n := range []int{500, 5000, 16000} {
				if n*len(one) > MaxEventBytes-100 {
					continue
				}
				data := append(append([]byte{}, head...), 0x99, byte(n>>8), byte(n))
				data = append(data, strings.Repeat(one, n)...)
				checkDecodeCost(t, fmt.Sprintf("%d of %.30x under %d", n, one, key), data)
				if _, err := DecodeEvent(data); errors.Is(err, FaultTooLarge) {
					refused++
				}
			}
		}
	}
	if refused < 50 {
		t.Errorf("only %d were refused for their density", refused)
	}
}

// TestPublishedEventsAreNotDense: no published event comes near what is refused.
func TestPublishedEventsAreNotDense(t *testing.T) {
	most, events := 0, 0
	for _, name := range documents(t, "capture", "gdst", "eu", "fsma204", "bulk", "hash") {
		d, err := ParseDocument(readDocument(t, name))
		var faults Faults
		if errors.As(err, &faults) && faults[0].Kind == FaultTooLarge {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		for _, e := range d.Events {
			data, err := EncodeEvent(e)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			budget := crypto.NewBudget(len(data))
			before := budget.Left()
			if _, err := DecodeEventWithin(data, &budget); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			most, events = max(most, int(before-budget.Left())/len(data)), events+1
		}
	}
	if events == 0 || most > crypto.BudgetPerByte {
		t.Errorf("of %d events one weighs %d for each byte", events, most)
	}
	t.Logf("%d events weigh at most %d for each byte", events, most)
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
