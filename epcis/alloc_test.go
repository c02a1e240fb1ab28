package epcis

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"waybill/crypto"
	"waybill/internal/dense"
)

func parseAny(data []byte) { _, _ = ParseDocument(data) }

func decodeAny(data []byte) { _, _ = DecodeEvent(data) }

// examineAny does what a ledger does with an event, from one budget.
func examineAny(data []byte) {
	budget := crypto.NewBudget(len(data))
	x := NewExaminer(&budget)
	e, err := x.Decode(data)
	if err != nil {
		return
	}
	x.Hash(e)
	x.Validate(e)
}

// TestDecodersAllocateLittle searches for the densest input of every decoder of this package.
func TestDecodersAllocateLittle(t *testing.T) {
	documents, events, values := dense.NewSearch(t, 400_000), dense.NewSearch(t, MaxEventBytes), dense.NewSearch(t, 400_000)
	chainText, _ := chain(t)
	if testing.Short() {
		chainText = []byte(base)
	}
	texts := map[string][]byte{"chain": chainText}
	for typ, text := range valid {
		texts[typ.String()] = []byte(text)
	}
	for name, text := range texts {
		if name == "AggregationEvent" || testing.Short() && name != "ObjectEvent" {
			continue // it has nothing that others have not
		}
		documents.JSON(name, text, parseAny)
		if name != "ObjectEvent" {
			continue // it has every part of an event but those of transformations, which are like its own
		}
		values.JSON(name, text, func(data []byte) { _, _ = ParseValue(data) })
		d, err := ParseDocument(text)
		if err != nil {
			continue
		}
		for _, e := range d.Events[:1] {
			events.CBOR(name, toBytes(t, e), decodeAny)
			events.CBOR(name+", examined", toBytes(t, e), examineAny)
		}
	}
	documents.Report("ParseDocument")
	values.Report("ParseValue")
	events.Report("DecodeEvent and Examiner")
	texting := dense.NewSearch(t, 1<<20)
	for _, text := range []string{"1e", "0.", "-", "urn:", "a", "9", "\xff", "epcis:", "https://ref.gs1.org/epcis/"} {
		for _, n := range []int{1, 100, 100_000} {
			texting.Try("text", []byte(strings.Repeat(text, n)), func(data []byte) {
				_, _ = ParseDecimal(string(data))
				_, _ = ParseEventType(string(data))
			})
		}
	}
	texting.Report("ParseDecimal and ParseEventType")
}

// TestPrefixesAreCounted: a prefix of a letter that stands for much is not written out many times.
func TestPrefixesAreCounted(t *testing.T) {
	search := dense.NewSearch(t, 1<<20)
	for _, size := range []int{10, 1000, 50_000} {
		long := "https://x.example/" + strings.Repeat("a", size)
		for _, field := range []string{`"epcList":[%s]`, `"certificationInfo":[%s]`, `"x:l":[%s]`, `"persistentDisposition":{"set":[%s]}`} {
			var list []string
			for i := range 2000 {
				list = append(list, `"x:`+strconv.Itoa(i)+`"`)
			}
			text := `{"@context":{"x":"` + long + `"},"type":"ObjectEvent","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+01:00","action":"OBSERVE",` +
				fmt.Sprintf(field, strings.Join(list, ",")) + `}`
			search.Try(field, []byte(text), parseAny)
		}
		e := mustEvent(t, typical)
		e.Namespaces = []Namespace{{"x", long}}
		for i := range 3000 {
			e.Extensions = append(e.Extensions, Member{Name: "x:" + strconv.Itoa(i), Value: NewNull()})
		}
		data, err := crypto.Marshal(toWire(e))
		if err != nil {
			t.Fatal(err)
		}
		search.Try("extensions", data, examineAny)
		if _, err := DecodeEvent(data); (err == nil) != (size == 10) {
			t.Errorf("a prefix of %d bytes used 3,000 times: %v", size, err)
		}
	}
	search.Report("prefixes")
}

// TestRoomsAreEnough: what is counted for a part of an event is at least what the compiler makes of it.
func TestRoomsAreEnough(t *testing.T) {
	if strconv.IntSize < 64 {
		t.Skip("the rooms are those of 64 bits")
	}
	for _, c := range []struct {
		v    any
		room int
	}{{Event{}, eventRoom}, {"", textRoom}, {Quantity{}, quantityRoom}, {Decimal{}, decimalRoom}, {TypedRef{}, refRoom}, {Location{}, locationRoom},
		{PersistentDisposition{}, persistRoom}, {ErrorDeclaration{}, errorRoom}, {SensorElement{}, elementRoom}, {SensorMetadata{}, metadataRoom},
		{SensorReport{}, reportRoom}, {Namespace{}, namespaceRoom}, {Value{}, valueRoom}, {Member{}, memberRoom}, {node{}, nodeRoom}} {
		if size := int(reflect.TypeOf(c.v).Size()); size > c.room || c.room > size+size/5+8 {
			t.Errorf("%T takes %d bytes, %d are counted", c.v, size, c.room)
		}
	}
}

// TestNamespacesAreBounded at the edge: so many are read, written and read again; one more is not.
func TestNamespacesAreBounded(t *testing.T) {
	for n, ok := range map[int]bool{MaxNamespaces: true, MaxNamespaces + 1: false} {
		var prefixes, uses []string
		for i := range n {
			prefixes = append(prefixes, fmt.Sprintf(`"p%d":"https://x.example/%d/"`, i, i))
			uses = append(uses, fmt.Sprintf(`"p%d:a":1`, i))
		}
		text := `{"@context":{` + strings.Join(prefixes, ",") + `},"type":"ObjectEvent","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+01:00","action":"OBSERVE","epcList":["urn:x:1"],` + strings.Join(uses, ",") + `}`
		d, err := ParseDocument([]byte(text))
		if (err == nil) != ok || err != nil && !errors.Is(err, FaultTooLarge) {
			t.Errorf("%d namespaces: %v", n, err)
		}
		if err == nil {
			if e, err := DecodeEvent(toBytes(t, d.Events[0])); err != nil || len(e.Namespaces) != n {
				t.Errorf("%d namespaces, encoded: %v", n, err)
			}
			d.Events[0].Namespaces = append(d.Events[0].Namespaces, Namespace{"q", "https://x.example/"})
			if _, err := EncodeEvent(d.Events[0]); !errors.Is(err, FaultTooLarge) {
				t.Errorf("one namespace more is encoded: %v", err)
			}
		}
	}
}

// TestAllocationIsBounded feeds the decoders the inputs that cost most for their size, accepted or not.
func TestAllocationIsBounded(t *testing.T) {
	head := `{"type":"ObjectEvent","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+01:00","action":"OBSERVE","epcList":["urn:x:1"],`
	search := dense.NewSearch(t, MaxDocumentBytes)
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
			search.Try(name+" of "+one, []byte(text), parseAny)
			d, err := ParseDocument([]byte(text))
			if err != nil || len(d.Events) == 0 {
				continue
			}
			if data, err := EncodeEvent(d.Events[0]); err == nil {
				search.Try(name+" of "+one+", encoded", data, decodeAny)
			}
		}
	}
}

// TestDenseEvents puts lists of what is small in bytes and large in memory under every key of an event, in every length.
func TestDenseEvents(t *testing.T) {
	refused, search := 0, dense.NewSearch(t, MaxEventBytes)
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
				search.Try(fmt.Sprintf("%d of %.30x under %d", n, one, key), data, decodeAny)
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
