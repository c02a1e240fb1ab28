package epcis

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// One valid event of each type; the table below breaks them one way at a time.
var valid = map[EventType]string{
	ObjectEvent: `{"type":"ObjectEvent","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+01:00","action":"ADD","bizStep":"commissioning",
		"epcList":["urn:epc:id:sgtin:9521321.012345.1"],"quantityList":[{"epcClass":"urn:epc:class:lgtin:9521321.012345.L","quantity":1.5,"uom":"KGM"}],
		"readPoint":{"id":"urn:epc:id:sgln:9521321.00001.0"},"ilmd":{"x:a":1},
		"sourceList":[{"type":"location","source":"urn:epc:id:sgln:9521321.00001.0"}],"bizTransactionList":[{"bizTransaction":"urn:x:1"}],
		"persistentDisposition":{"set":["active"],"unset":["damaged"]},"certificationInfo":["urn:x:c"],
		"sensorElementList":[{"sensorMetadata":{"startTime":"2026-01-01T00:00:00Z","endTime":"2026-01-02T00:00:00Z"},"sensorReport":[{"type":"Mass","value":1,"hexBinaryValue":"0a"}]}],
		"errorDeclaration":{"declarationTime":"2026-01-02T00:00:00Z","reason":"incorrect_data","correctiveEventIDs":["urn:x:2"]}}`,
	AggregationEvent: `{"type":"AggregationEvent","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+01:00","action":"ADD",
		"parentID":"urn:epc:id:sscc:9521321.1000000017","childEPCs":["urn:epc:id:sgtin:9521321.012345.1"],
		"childQuantityList":[{"epcClass":"urn:epc:idpat:sgtin:9521321.012345.*","quantity":2}]}`,
	TransactionEvent: `{"type":"TransactionEvent","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+01:00","action":"ADD",
		"epcList":["urn:epc:id:sgtin:9521321.012345.1"],"bizTransactionList":[{"type":"po","bizTransaction":"urn:x:1"}]}`,
	TransformationEvent: `{"type":"TransformationEvent","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+01:00","transformationID":"urn:x:t",
		"inputEPCList":["urn:epc:id:sgtin:9521321.012345.1"],"outputQuantityList":[{"epcClass":"urn:epc:class:lgtin:9521321.012345.L"}]}`,
	AssociationEvent: `{"type":"AssociationEvent","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+01:00","action":"ADD",
		"parentID":"urn:epc:id:grai:9521321.00100.C7","childEPCs":["urn:epc:id:giai:9521321.T1"]}`,
}

const epcsAndQuantities = `"epcList":["urn:epc:id:sgtin:9521321.012345.1"],"quantityList":[{"epcClass":"urn:epc:class:lgtin:9521321.012345.L","quantity":1.5,"uom":"KGM"}],`

func TestValidEvents(t *testing.T) {
	for eventType, text := range valid {
		e := mustEvent(t, text)
		if e.Type != eventType {
			t.Errorf("%v was read as %v", eventType, e.Type)
		}
		if faults := e.Validate(); faults != nil {
			t.Errorf("%v: %v", eventType, faults)
		}
	}
	// Different changes that stay valid.
	for _, c := range []struct {
		of       EventType
		old, new string
	}{
		{AggregationEvent, `"ADD",
		"parentID":"urn:epc:id:sscc:9521321.1000000017"`, `"OBSERVE"`},
		{AggregationEvent, `"ADD",
		"parentID":"urn:epc:id:sscc:9521321.1000000017","childEPCs":["urn:epc:id:sgtin:9521321.012345.1"],
		"childQuantityList":[{"epcClass":"urn:epc:idpat:sgtin:9521321.012345.*","quantity":2}]`, `"DELETE","parentID":"urn:x:p"`},
		{TransactionEvent, `"epcList":["urn:epc:id:sgtin:9521321.012345.1"]`, `"epcList":[]`},
		{TransformationEvent, `"inputEPCList":["urn:epc:id:sgtin:9521321.012345.1"],`, ``},
		{TransformationEvent, `"transformationID":"urn:x:t",`, ``},
		{TransformationEvent, `"transformationID":"urn:x:t",`, `"action":"ADD",`},
		{ObjectEvent, `"type":"Mass"`, `"type":"Mass","exception":"gs1:ALARM_CONDITION"`},
		{ObjectEvent, `"type":"Mass"`, `"exception":"ALARM_CONDITION"`},
		{ObjectEvent, `"commissioning"`, `"https://example.com/steps/washing"`},
		{ObjectEvent, `"commissioning"`, `"mine:washing"`},
		{ObjectEvent, `"+01:00"`, `"-14:00"`},
		{ObjectEvent, `"quantity":1.5`, `"quantity":0`},
		{ObjectEvent, `"endTime":"2026-01-02T00:00:00Z"`, `"endTime":"2026-01-01T00:00:00Z"`},
		{ObjectEvent, epcsAndQuantities, `"epcList":[],`}, // what sensors saw at a read point
	} {
		text := strings.Replace(valid[c.of], c.old, c.new, 1)
		if text == valid[c.of] {
			t.Fatalf("no change: %s", c.old)
		}
		mustEvent(t, text)
	}
}

func TestBrokenEvents(t *testing.T) {
	for _, c := range []struct {
		of                EventType
		old, new, pointer string
		kind              Kind
	}{
		{ObjectEvent, `"type":"ObjectEvent",`, ``, "/type", FaultMissing},
		{ObjectEvent, `"type":"ObjectEvent",`, `"type":"QuantityEvent",`, "/type", FaultValue},
		{ObjectEvent, `"type":"ObjectEvent",`, `"type":7,`, "/type", FaultType},
		{ObjectEvent, `"type":"ObjectEvent",`, `"type":"ObjectEvent","isA":"ObjectEvent",`, "/isA", FaultRule},
		{ObjectEvent, `"eventTime":"2026-01-01T00:00:00Z",`, ``, "/eventTime", FaultMissing},
		{ObjectEvent, `"eventTime":"2026-01-01T00:00:00Z",`, `"eventTime":"2026-01-01T00:00:00",`, "/eventTime", FaultValue},
		{ObjectEvent, `"eventTime":"2026-01-01T00:00:00Z",`, `"eventTime":"2026-02-30T00:00:00Z",`, "/eventTime", FaultValue},
		{ObjectEvent, `"eventTime":"2026-01-01T00:00:00Z",`, `"eventTime":"2026-01-01T00:00:00,5Z",`, "/eventTime", FaultValue},
		{ObjectEvent, `"eventTime":"2026-01-01T00:00:00Z",`, `"eventTime":1767225600,`, "/eventTime", FaultType},
		{ObjectEvent, `"eventTime":"2026-01-01T00:00:00Z",`, `"eventTime":"2026-01-01T00:00:00Z","recordTime":"now",`, "/recordTime", FaultValue},
		{ObjectEvent, `"eventTimeZoneOffset":"+01:00",`, ``, "/eventTimeZoneOffset", FaultMissing},
		{ObjectEvent, `"+01:00"`, `"+14:30"`, "/eventTimeZoneOffset", FaultValue},
		{ObjectEvent, `"+01:00"`, `"+01:60"`, "/eventTimeZoneOffset", FaultValue},
		{ObjectEvent, `"+01:00"`, `"01:00"`, "/eventTimeZoneOffset", FaultValue},
		{ObjectEvent, `"+01:00"`, `"Z"`, "/eventTimeZoneOffset", FaultValue},
		{ObjectEvent, `"action":"ADD",`, ``, "/action", FaultMissing},
		{ObjectEvent, `"ADD"`, `"add"`, "/action", FaultValue},
		{ObjectEvent, `"ADD"`, `"OBSERVE"`, "/ilmd", FaultRule},
		{ObjectEvent, `"ADD"`, `"ADD","eventID":"no uri"`, "/eventID", FaultValue},
		{ObjectEvent, `"commissioning"`, `"comissioning"`, "/bizStep", FaultVocabulary},
		{ObjectEvent, `"commissioning"`, `"Commissioning"`, "/bizStep", FaultVocabulary},
		{ObjectEvent, `"commissioning"`, `""`, "/bizStep", FaultValue},
		{ObjectEvent, `"commissioning"`, `["commissioning"]`, "/bizStep", FaultType},
		{ObjectEvent, `"bizStep":"commissioning"`, `"disposition":"fresh"`, "/disposition", FaultVocabulary},
		{ObjectEvent, `"bizStep"`, `"bizstep"`, "/bizstep", FaultUnknown},
		{ObjectEvent, `"bizStep":"commissioning"`, `"childEPCs":["urn:x:1"]`, "/childEPCs", FaultRule},
		{ObjectEvent, `"bizStep":"commissioning"`, `"parentID":"urn:x:1"`, "/parentID", FaultRule},
		{ObjectEvent, `"urn:epc:id:sgtin:9521321.012345.1"`, `"urn:epc:id:sgtin:9521321.012345.1","urn:epc:id:sgtin:9521321.012345.1"`, "/epcList/1", FaultRule},
		{ObjectEvent, `"urn:epc:id:sgtin:9521321.012345.1"`, `"urn:epc:id:sgtin:9521321.012345.1","https://id.gs1.org/01/09521321123458/21/1"`, "/epcList/1", FaultIdentifier},
		{ObjectEvent, `"urn:epc:id:sgtin:9521321.012345.1"`, `"urn:epc:id:sgtin:9521321.12345.1"`, "/epcList/0", FaultIdentifier},
		{ObjectEvent, `"urn:epc:id:sgtin:9521321.012345.1"`, `"https://id.gs1.org/01/09521321123459/21/1"`, "/epcList/0", FaultIdentifier},
		{ObjectEvent, `"urn:epc:id:sgtin:9521321.012345.1"`, `"urn:epc:class:lgtin:9521321.012345.L"`, "/epcList/0", FaultIdentifier},
		{ObjectEvent, `"urn:epc:id:sgtin:9521321.012345.1"`, `"(01)09521321123458(21)1"`, "/epcList/0", FaultValue},
		{ObjectEvent, `"urn:epc:id:sgtin:9521321.012345.1"`, `"1234"`, "/epcList/0", FaultValue},
		{ObjectEvent, `"urn:epc:id:sgtin:9521321.012345.1"`, `5`, "/epcList/0", FaultType},
		{ObjectEvent, `"urn:epc:class:lgtin:9521321.012345.L"`, `"urn:epc:id:sgtin:9521321.012345.2"`, "/quantityList/0/epcClass", FaultIdentifier},
		{ObjectEvent, `"epcClass":"urn:epc:class:lgtin:9521321.012345.L",`, ``, "/quantityList/0/epcClass", FaultMissing},
		{ObjectEvent, `"quantity":1.5,`, ``, "/quantityList/0/quantity", FaultMissing},
		{ObjectEvent, `"quantity":1.5`, `"quantity":-1`, "/quantityList/0/quantity", FaultValue},
		{ObjectEvent, `"quantity":1.5`, `"quantity":"1.5"`, "/quantityList/0/quantity", FaultType},
		{ObjectEvent, `"quantity":1.5`, `"quantity":1.2345678901234567890123`, "/quantityList/0/quantity", FaultValue},
		{ObjectEvent, `"quantity":1.5,"uom":"KGM"`, `"quantity":1.5`, "/quantityList/0/quantity", FaultValue},
		{ObjectEvent, `"KGM"`, `"kg"`, "/quantityList/0/uom", FaultValue},
		{ObjectEvent, `"KGM"`, `"KGM","weight":1`, "/quantityList/0/weight", FaultUnknown},
		{ObjectEvent, `"readPoint":{"id":"urn:epc:id:sgln:9521321.00001.0"}`, `"readPoint":{}`, "/readPoint/id", FaultMissing},
		{ObjectEvent, `"readPoint":{"id":"urn:epc:id:sgln:9521321.00001.0"}`, `"readPoint":"urn:x:1"`, "/readPoint", FaultType},
		{ObjectEvent, `{"id":"urn:epc:id:sgln:9521321.00001.0"}`, `{"id":"Dock 4"}`, "/readPoint/id", FaultValue},
		{ObjectEvent, `{"x:a":1}`, `{"a":1}`, "/ilmd/a", FaultUnknown},
		{ObjectEvent, `{"x:a":1}`, `{"x:a":1,":a":1}`, "/ilmd/:a", FaultUnknown},
		{ObjectEvent, `{"x:a":1}`, `{"x:a":` + strings.Repeat("[", 49) + strings.Repeat("]", 49) + `}`, "/ilmd/x:a", FaultTooLarge},
		{ObjectEvent, `"readPoint":{"id":"urn:epc:id:sgln:9521321.00001.0"}`, `"bizLocation":{"id":"Dock 4"}`, "/bizLocation/id", FaultValue},
		{ObjectEvent, `"declarationTime":"2026-01-02T00:00:00Z"`, `"declarationTime":"2026-01-02"`, "/errorDeclaration/declarationTime", FaultValue},
		{ObjectEvent, epcsAndQuantities + `
		"readPoint":{"id":"urn:epc:id:sgln:9521321.00001.0"},`, ``, "/epcList", FaultMissing},
		{ObjectEvent, `"type":"location"`, `"type":"place"`, "/sourceList/0/type", FaultVocabulary},
		{ObjectEvent, `"type":"location",`, ``, "/sourceList/0/type", FaultMissing},
		{ObjectEvent, `"source":"urn:epc:id:sgln:9521321.00001.0"`, `"destination":"urn:x:1"`, "/sourceList/0/destination", FaultUnknown},
		{ObjectEvent, `"bizTransaction":"urn:x:1"`, `"type":"po"`, "/bizTransactionList/0/bizTransaction", FaultMissing},
		{ObjectEvent, `{"set":["active"],"unset":["damaged"]}`, `{}`, "/persistentDisposition/set", FaultMissing},
		{ObjectEvent, `"damaged"`, `"active"`, "/persistentDisposition/unset/0", FaultRule},
		{ObjectEvent, `["damaged"]`, `["damaged","urn:epcglobal:cbv:disp:damaged"]`, "/persistentDisposition/unset/1", FaultRule},
		{ObjectEvent, `["damaged"]`, `["broken"]`, "/persistentDisposition/unset/0", FaultVocabulary},
		{ObjectEvent, `["urn:x:c"]`, `["certificate 5"]`, "/certificationInfo/0", FaultValue},
		{ObjectEvent, `["urn:x:c"]`, `"certificate 5"`, "/certificationInfo", FaultValue},
		{ObjectEvent, `"endTime":"2026-01-02T00:00:00Z"`, `"endTime":"2025-01-02T00:00:00Z"`, "/sensorElementList/0/sensorMetadata/endTime", FaultRule},
		{ObjectEvent, `"endTime":"2026-01-02T00:00:00Z"`, `"endTime":"later"`, "/sensorElementList/0/sensorMetadata/endTime", FaultValue},
		{ObjectEvent, `"endTime":"2026-01-02T00:00:00Z"`, `"deviceID":"truck"`, "/sensorElementList/0/sensorMetadata/deviceID", FaultValue},
		{ObjectEvent, `"type":"Mass",`, ``, "/sensorElementList/0/sensorReport/0/type", FaultMissing},
		{ObjectEvent, `"Mass"`, `"Weight"`, "/sensorElementList/0/sensorReport/0/type", FaultVocabulary},
		{ObjectEvent, `"Mass"`, `"Mass","component":"w"`, "/sensorElementList/0/sensorReport/0/component", FaultVocabulary},
		{ObjectEvent, `"Mass"`, `"Mass","exception":"HOT"`, "/sensorElementList/0/sensorReport/0/exception", FaultVocabulary},
		{ObjectEvent, `"value":1`, `"value":true`, "/sensorElementList/0/sensorReport/0/value", FaultType},
		{ObjectEvent, `"value":1`, `"value":"one"`, "/sensorElementList/0/sensorReport/0/value", FaultValue},
		{ObjectEvent, `"value":1`, `"booleanValue":"true"`, "/sensorElementList/0/sensorReport/0/booleanValue", FaultType},
		{ObjectEvent, `"value":1`, `"valve":1`, "/sensorElementList/0/sensorReport/0/valve", FaultUnknown},
		{ObjectEvent, `"0a"`, `"0g"`, "/sensorElementList/0/sensorReport/0/hexBinaryValue", FaultValue},
		{ObjectEvent, `[{"type":"Mass","value":1,"hexBinaryValue":"0a"}]`, `[]`, "/sensorElementList/0/sensorReport", FaultMissing},
		{ObjectEvent, `"declarationTime":"2026-01-02T00:00:00Z",`, ``, "/errorDeclaration/declarationTime", FaultMissing},
		{ObjectEvent, `"incorrect_data"`, `"typo"`, "/errorDeclaration/reason", FaultVocabulary},
		{ObjectEvent, `["urn:x:2"]`, `["2"]`, "/errorDeclaration/correctiveEventIDs/0", FaultValue},

		{AggregationEvent, `"parentID":"urn:epc:id:sscc:9521321.1000000017",`, ``, "/parentID", FaultMissing},
		{AggregationEvent, `"childEPCs":["urn:epc:id:sgtin:9521321.012345.1"],
		"childQuantityList":[{"epcClass":"urn:epc:idpat:sgtin:9521321.012345.*","quantity":2}]`, `"childEPCs":[]`, "/childEPCs", FaultMissing},
		{AggregationEvent, `"urn:epc:id:sscc:9521321.1000000017"`, `"urn:epc:id:sscc:9521321.17"`, "/parentID", FaultIdentifier},
		{AggregationEvent, `"urn:epc:id:sgtin:9521321.012345.1"`, `"item 1"`, "/childEPCs/0", FaultValue},
		{AggregationEvent, `"urn:epc:idpat:sgtin:9521321.012345.*"`, `"items"`, "/childQuantityList/0/epcClass", FaultValue},
		{AggregationEvent, `"action":"ADD",`, `"action":"ADD","ilmd":{"x:a":1},`, "/ilmd", FaultRule},
		{AggregationEvent, `"action":"ADD",`, `"action":"ADD","epcList":[],`, "/epcList", FaultRule},
		{TransactionEvent, `,"bizTransactionList":[{"type":"po","bizTransaction":"urn:x:1"}]`, ``, "/bizTransactionList", FaultMissing},
		{TransactionEvent, `"epcList":["urn:epc:id:sgtin:9521321.012345.1"],`, ``, "/epcList", FaultMissing},
		{TransactionEvent, `"po"`, `"purchase"`, "/bizTransactionList/0/type", FaultVocabulary},
		{TransformationEvent, `"transformationID":"urn:x:t",
		"inputEPCList":["urn:epc:id:sgtin:9521321.012345.1"],`, ``, "/inputEPCList", FaultMissing},
		{TransformationEvent, `"transformationID":"urn:x:t"`, `"transformationID":"batch 4"`, "/transformationID", FaultValue},
		{TransformationEvent, `"urn:epc:id:sgtin:9521321.012345.1"`, `"urn:epc:id:sgtin:9521321.12345.1"`, "/inputEPCList/0", FaultIdentifier},
		{TransformationEvent, `"inputEPCList":["urn:epc:id:sgtin:9521321.012345.1"]`, `"inputQuantityList":[{"epcClass":"apples"}]`, "/inputQuantityList/0/epcClass", FaultValue},
		{TransformationEvent, `"urn:epc:class:lgtin:9521321.012345.L"`, `"salad"`, "/outputQuantityList/0/epcClass", FaultValue},
		{TransformationEvent, `"outputQuantityList":[{"epcClass":"urn:epc:class:lgtin:9521321.012345.L"}]`, `"outputEPCList":["bag 1"]`, "/outputEPCList/0", FaultValue},
		{TransformationEvent, `"transformationID":"urn:x:t"`, `"action":"MAKE"`, "/action", FaultValue},
		{AssociationEvent, `"ADD",
		"parentID":"urn:epc:id:grai:9521321.00100.C7"`, `"OBSERVE"`, "/parentID", FaultMissing},
		{AssociationEvent, `"childEPCs":["urn:epc:id:giai:9521321.T1"]`, `"quantityList":[]`, "/childEPCs", FaultMissing},
	} {
		text := strings.Replace(valid[c.of], c.old, c.new, 1)
		if text == valid[c.of] {
			t.Fatalf("no change: %s", c.old)
		}
		checkBroken(t, c.of, c.new, text, c.pointer, c.kind)
	}
}

// checkBroken wants a fault at the pointer, whether the event is bare or the second of a document.
func checkBroken(t *testing.T, of EventType, change, text, pointer string, kind Kind) {
	t.Helper()
	document := `{"@context":[],"type":"EPCISDocument","schemaVersion":"2.0","creationDate":"2026-01-01T00:00:00Z","epcisBody":{"eventList":[` +
		valid[ObjectEvent] + "," + text + "]}}"
	for prefix, whole := range map[string]string{"": text, captureList + "/1": document} {
		if prefix == "" && pointer == "/type" {
			continue // then it is not known to be an event
		}
		d, err := ParseDocument([]byte(whole))
		var faults Faults
		if kind == FaultIdentifier && err == nil {
			faults = d.Warnings
		} else if !errors.As(err, &faults) {
			t.Errorf("%v with %s is accepted", of, change)
			continue
		}
		found := false
		for _, f := range faults {
			found = found || f.Pointer == prefix+pointer && f.Kind == kind
		}
		if !found || !errors.Is(faults, kind) {
			t.Errorf("%v with %s: %v, want %s at %s", of, change, faults, kind, prefix+pointer)
		}
	}
}

func TestDocumentFaults(t *testing.T) {
	const event = `{"type":"ObjectEvent","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+01:00","action":"OBSERVE","epcList":["urn:x:1"]}`
	capture := `{"@context":[],"type":"EPCISDocument","schemaVersion":"2.0","creationDate":"2026-01-01T00:00:00Z","epcisBody":{"eventList":[` + event + `]}}`
	query := `{"@context":[],"type":"EPCISQueryDocument","epcisBody":{"queryResults":{"queryName":"q","resultsBody":{"eventList":[` + event + `]}}}}`
	for _, c := range [][4]string{
		{capture, `"@context":[],`, ``, "/@context"},
		{capture, `"@context":[]`, `"@context":5`, "/@context"},
		{capture, `"@context":[]`, `"@context":["x",5]`, "/@context/1"},
		{capture, `"schemaVersion":"2.0",`, ``, "/schemaVersion"},
		{capture, `"2.0"`, `"1.2"`, "/schemaVersion"},
		{capture, `"2.0"`, `2.0`, "/schemaVersion"},
		{capture, `"creationDate":"2026-01-01T00:00:00Z",`, ``, "/creationDate"},
		{capture, `"creationDate":"2026-01-01T00:00:00Z"`, `"creationDate":"yesterday"`, "/creationDate"},
		{capture, `"type":"EPCISDocument"`, `"type":"EPCISDocument","title":"x"`, "/title"},
		{capture, `"type":"EPCISDocument"`, `"type":"Document"`, "/type"},
		{capture, `"type":"EPCISDocument"`, `"type":"EPCISDocument","epcisHeader":[]`, "/epcisHeader"},
		{capture, `"epcisBody":{"eventList":[` + event + `]}`, `"epcisBody":[]`, "/epcisBody"},
		{capture, `,"epcisBody":{"eventList":[` + event + `]}`, ``, "/epcisBody"},
		{capture, `"eventList":[` + event + `]`, ``, "/epcisBody/eventList"},
		{capture, `"eventList"`, `"events"`, "/epcisBody/events"},
		{capture, `[` + event + `]`, `"none"`, "/epcisBody/eventList"},
		{capture, `"eventList":`, `"event":` + event + `,"eventList":`, "/epcisBody/event"},
		{capture, event, `7`, "/epcisBody/eventList/0"},
		{query, `"queryResults"`, `"results"`, "/epcisBody/results"},
		{query, `"resultsBody"`, `"body"`, "/epcisBody/queryResults/resultsBody"},
		{query, `"eventList"`, `"events"`, "/epcisBody/queryResults/resultsBody/eventList"},
		{query, `"eventList":`, `"events":1,"eventList":`, "/epcisBody/queryResults/resultsBody/events"},
		{query, `"queryName":"q"`, `"name":"q"`, "/epcisBody/queryResults/name"},
		{query, `"queryName":"q"`, `"queryName":5`, "/epcisBody/queryResults/queryName"},
		{`"text"`, ``, ``, ""},
		{`[5]`, ``, ``, "/0"},
		{`{}`, ``, ``, "/type"},
	} {
		_, err := ParseDocument([]byte(strings.Replace(c[0], c[1], c[2], 1)))
		checkFaults(t, c[1]+" → "+c[2], err, []string{c[3]})
	}
}

// TestFaultsAreBounded: however wrong a document, the answer stays small, and names many faults at once.
func TestFaultsAreBounded(t *testing.T) {
	bad := strings.Repeat(`{"type":"ObjectEvent","`+strings.Repeat("n", 1000)+`":1},`, 500)
	_, err := ParseDocument([]byte("[" + bad[:len(bad)-1] + "]"))
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != MaxFaults {
		t.Fatalf("%d faults", len(faults))
	}
	if size := len(err.Error()); size > 300<<10 {
		t.Errorf("the answer has %d bytes", size)
	}
}

// TestValidateMadeEvents: an event that no parser has seen is checked like one that was.
func TestValidateMadeEvents(t *testing.T) {
	var got []string
	for _, f := range (&Event{Extensions: Extensions{{"bare", NewNull()}}, ILMD: Extensions{{"lot", NewNull()}}}).Validate() {
		got = append(got, f.Pointer)
	}
	want := "/type /eventTime /eventTimeZoneOffset /ilmd/lot /bare"
	if strings.Join(got, " ") != want {
		t.Errorf("faults at %v, want %s", got, want)
	}
	bodiless := mustEvent(t, valid[ObjectEvent])
	bodiless.EPCs, bodiless.Quantities, bodiless.SensorElements = nil, nil, nil // a read point alone
	if faults := bodiless.Validate(); len(faults) != 1 || faults[0].Pointer != "/epcList" {
		t.Errorf("an event about nothing: %v", faults)
	}
}

// TestUsualTimes: the quick reading of times is what time.Parse makes of them.
func TestUsualTimes(t *testing.T) {
	quick := 0
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(
			rapid.StringMatching(`[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])`),
			rapid.StringMatching(`20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,10})?(Z|[+-][01][0-9]:[0-6][0-9])`),
			rapid.StringMatching(`[0-9]{4}-[0-9]{2}.[0-9]{2}T[0-9]{2}.[0-9]{2}.[0-9]{2}(\.[0-9]{0,3})?[Z+-]{0,2}[0-9:]{0,5}`)).Draw(t, "text")
		if len(text) < 20 {
			return
		}
		at, ok := usualTime(text)
		if !ok {
			return
		}
		quick++
		if want, err := time.Parse(time.RFC3339Nano, text); err != nil || !at.Equal(want) {
			t.Fatalf("%s is read as %v, want %v, %v", text, at, want, err)
		}
	})
	if quick == 0 {
		t.Error("no time was read quickly")
	}
}
