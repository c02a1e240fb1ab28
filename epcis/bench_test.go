package epcis

import "testing"

// The typical event of the benchmarks is a receipt of a pallet with a lot, a sensor and an extension.
const typical = `{"@context":{"x":"https://x.example/"},"type":"ObjectEvent","eventID":"urn:uuid:5d6f4a60-0000-4000-8000-000000000001",
	"eventTime":"2026-03-01T06:30:00.250+01:00","eventTimeZoneOffset":"+01:00","action":"OBSERVE","bizStep":"receiving","disposition":"in_progress",
	"epcList":["urn:epc:id:sscc:9521321.1000000017"],"quantityList":[{"epcClass":"urn:epc:class:lgtin:9521321.012345.L","quantity":120.5,"uom":"KGM"}],
	"readPoint":{"id":"urn:epc:id:sgln:9521321.00001.0"},"bizLocation":{"id":"urn:epc:id:sgln:9521321.00001.0"},
	"bizTransactionList":[{"type":"po","bizTransaction":"urn:epcglobal:cbv:bt:9521321000005:4711"}],
	"sourceList":[{"type":"owning_party","source":"urn:epc:id:pgln:9521321.00000"}],"destinationList":[{"type":"owning_party","destination":"urn:epc:id:pgln:9521141.00000"}],
	"sensorElementList":[{"sensorReport":[{"type":"Temperature","value":3.5,"uom":"CEL"}]}],"x:grade":"A"}`

func BenchmarkParseDocument(b *testing.B) {
	b.SetBytes(int64(len(typical)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseDocument([]byte(typical)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFormatEvent(b *testing.B) {
	e := mustEvent(b, typical)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := FormatEvent(e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeEvent(b *testing.B) {
	e := mustEvent(b, typical)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := EncodeEvent(e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeEvent(b *testing.B) {
	data, err := EncodeEvent(mustEvent(b, typical))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeEvent(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHash(b *testing.B) {
	e := mustEvent(b, typical)
	b.ReportAllocs()
	for b.Loop() {
		e.Hash()
	}
}

func BenchmarkValidate(b *testing.B) {
	e := mustEvent(b, typical)
	b.ReportAllocs()
	for b.Loop() {
		if faults := e.Validate(); faults != nil {
			b.Fatal(faults)
		}
	}
}

func BenchmarkCBVHash(b *testing.B) {
	e := mustEvent(b, typical)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.CBVHash(); err != nil {
			b.Fatal(err)
		}
	}
}
