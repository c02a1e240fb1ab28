package epcis

import (
	"errors"
	"reflect"
	"testing"

	"waybill/crypto"
	"waybill/internal/dense"
)

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
		dense.Check(t, "fuzzed", data, parseAny)
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
		dense.Check(t, "fuzzed", data, decodeAny)
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

// TestPublishedEventsAreNotDense: no published event comes near what is refused.
func TestPublishedEventsAreNotDense(t *testing.T) {
	most, events := 0, 0
	for _, name := range documents(t, "capture", "gdst", "eu", "fsma204", "bulk", "hash") {
		dense.Check(t, name, readDocument(t, name), parseAny)
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
			dense.Check(t, name, data, decodeAny)
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
