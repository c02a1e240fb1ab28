package epcis

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"waybill/crypto"
)

var update = flag.Bool("update", false, "write the golden files anew; a change of them is a change of the network's rules")

// TestGolden pins the CBOR form, the hash and the CBV hash of the fixture events, and the JSON form of the document.
func TestGolden(t *testing.T) {
	_, d := chain(t)
	var b strings.Builder
	for i, e := range d.Events {
		data, err := EncodeEvent(e)
		if err != nil {
			t.Fatal(err)
		}
		cbv, err := e.CBVHash()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "event %d %s\nhash %s\ncbv %s\ncbor %s\n", i, e.Type, e.Hash(), cbv, hex.EncodeToString(data))
	}
	compareGolden(t, "testdata/chain.golden", b.String())
	text, err := FormatDocument(d)
	if err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "testdata/chain.formatted.json", string(text))
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs; got\n%s", name, got)
	}
}

// TestGoldenHashByHand makes the canonical form of a small event byte by byte, as the essay says.
func TestGoldenHashByHand(t *testing.T) {
	e := mustEvent(t, `{"type":"ObjectEvent","eventTime":"2026-01-01T01:00:00.500+01:00","eventTimeZoneOffset":"+01:00","action":"OBSERVE",
		"bizStep":"shipping","epcList":["urn:epc:id:sscc:9521321.1000000017"]}`)
	form := "\x01\x01" + // version, ObjectEvent
		"\x02\x16" + "2026-01-01T00:00:00.5Z" + // each field: number, length, content
		"\x03\x06" + "+01:00" +
		"\x04\x07" + "OBSERVE" +
		"\x05\x28" + "https://ref.gs1.org/cbv/BizStep-shipping" +
		"\x10\x2a" + "\x01\x28" + "https://id.gs1.org/00/195213210000000176"
	if got := string(e.canonical()); got != form {
		t.Errorf("canonical form\n%q, want\n%q", got, form)
	}
	if e.Hash() != crypto.Sum(crypto.TagEvent, []byte(form)) {
		t.Error("the hash is not the tagged hash of the canonical form")
	}
}

func mustEvent(t testing.TB, text string) *Event {
	t.Helper()
	d, err := ParseDocument([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(d.Events) != 1 {
		t.Fatalf("%d events", len(d.Events))
	}
	return d.Events[0]
}

// TestGoldenCBORByHand spells out the bytes of two small events.
func TestGoldenCBORByHand(t *testing.T) {
	one := Decimal{5, -1}
	for want, e := range map[string]*Event{
		"a2" + "0001" + "0101": {Type: ObjectEvent}, // {0: version 1, 1: ObjectEvent}
		"a5" + "0001" + "0102" + // {0: 1, 1: AggregationEvent,
			"0663414444" + // 6: "ADD",
			"14" + "80" + // 20: [],
			"15" + "81" + "a2" + "0063613a62" + "01" + "8205" + "20": // 21: [{0: "a:b", 1: [5, -1]}]}
		{Type: AggregationEvent, Action: ActionAdd, ChildEPCs: []string{}, ChildQuantities: []Quantity{{Class: "a:b", Quantity: &one}}},
	} {
		got, err := EncodeEvent(e)
		if err != nil || hex.EncodeToString(got) != want {
			t.Errorf("encoded as %x, want %s; %v", got, want, err)
		}
	}
}
