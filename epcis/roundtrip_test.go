package epcis

import (
	"errors"
	"reflect"
	"slices"
	"testing"
)

// refusal is a published file that is not valid EPCIS: where, and in whose words why.
type refusal struct {
	reason   string
	pointers []string
}

const (
	queryList   = "/epcisBody/queryResults/resultsBody/eventList"
	captureList = "/epcisBody/eventList"

	bareFields = "fields of a tool without a namespace (EPCIS 2.0, section 7.4: extensions are namespaced)"
	bareUUID   = "the transformationID is a bare UUID, the standard wants a URI (urn:uuid:…)"
	draftTypes = "bare words of an early draft that CBV 2.0 does not define as measurement types"
	noEPCIS    = "no EPCIS document at all"
)

// refused lists every file of the valid folders that is refused nevertheless. All others must round-trip.
var refused = map[string]refusal{
	"capture/SensorData_with_combined_events.json": {draftTypes, []string{
		captureList + "/7/sensorElementList/0/sensorReport/1/type", captureList + "/7/sensorElementList/0/sensorReport/2/type",
		captureList + "/10/sensorElementList/0/sensorReport/0/type"}},
	"query/JSON__Query__TransactionEvent_with_userExtensions.json": {draftTypes, []string{queryList + "/0/sensorElementList/0/sensorReport/0/type"}},

	"gdst/AssociationEvent-h.jsonld": {"the name eventID stands twice in one object", []string{captureList + "/0/eventID"}},
	"gdst/EPCISQUERYDOCUMENT_advanced_1.jsonld": {bareFields, []string{queryList + "/0/attachments", queryList + "/0/eventGlobalID",
		queryList + "/1/ilmd/harvestStartDate", queryList + "/1/ilmd/harvestEndDate"}},
	"gdst/EPCISQUERYDOCUMENT_advanced_18.jsonld": {bareFields, []string{queryList + "/0/attachments", queryList + "/0/eventGlobalID",
		queryList + "/1/ilmd/harvestStartDate", queryList + "/1/ilmd/harvestEndDate"}},
	"gdst/EPCISQUERYDOCUMENT_advanced_10.jsonld":            {bareFields, []string{queryList + "/0/transshipmentCountry"}},
	"gdst/EPCISQUERYDOCUMENT_advanced_3.jsonld":             {bareFields, []string{queryList + "/0/transshipmentCountry"}},
	"gdst/EPCISQUERYDOCUMENT_advanced_9.jsonld":             {bareFields, []string{queryList + "/0/transshipmentCountry"}},
	"gdst/EPCISQUERYDOCUMENT_with_errorDeclarations.jsonld": {bareFields, []string{queryList + "/0/transshipmentCountry"}},
	"gdst/EPCISQUERYDOCUMENT_advanced_12.jsonld":            {bareUUID, []string{queryList + "/0/transformationID"}},
	"gdst/EPCISQUERYDOCUMENT_advanced_19.jsonld":            {bareUUID, []string{queryList + "/0/transformationID", queryList + "/1/transformationID"}},
	"gdst/EPCISQUERYDOCUMENT_advanced_4.jsonld":             {bareUUID, []string{queryList + "/1/transformationID"}},
	"gdst/EPCISQUERYDOCUMENT_advanced_6.jsonld":             {bareUUID, []string{queryList + "/0/transformationID", queryList + "/1/transformationID"}},
	"gdst/EPCISQUERYDOCUMENT_advanced_7.jsonld":             {bareUUID, []string{queryList + "/1/transformationID"}},
	"gdst/EPCISQUERYDOCUMENT_advanced_13.jsonld":            {"an empty disposition is no vocabulary value", []string{queryList + "/1/disposition"}},
	"gdst/EPCISQUERYDOCUMENT_advanced_15.jsonld":            {"an empty disposition is no vocabulary value", []string{queryList + "/1/disposition"}},
	"gdst/EPCISQueryDocument_with_masterdata.jsonld":        {"the eventTime has no offset", []string{queryList + "/0/eventTime"}},
	"gdst/epcisquerydoc-example01.jsonld":                   {"an empty transformationID is no URI", []string{queryList + "/20/transformationID"}},
	"gdst/gs1-vocab-locations01.json":                       {noEPCIS, []string{"/type"}},
	"gdst/gs1-vocab-tradingparties01.json":                  {noEPCIS, []string{"/type"}},

	"fsma204/ftl-product.jsonld": {"a GS1 Web Vocabulary product, " + noEPCIS, []string{"/type"}},

	"bulk/design-shipment-sscc-coolchain.json": {"the settings of a design tool, " + noEPCIS, []string{"/type"}},
	"bulk/sensor-logging-design.json":          {"the settings of a design tool, " + noEPCIS, []string{"/type"}},
}

// TestPublishedDocumentsRoundTrip reads every public example and writes it back equal. Files that only break a rule of
// a profile (gdst_*_invalid*, *missing*) are valid EPCIS and round-trip, too.
func TestPublishedDocumentsRoundTrip(t *testing.T) {
	events := 0
	for _, name := range documents(t, "capture", "query", "gdst", "eu", "fsma204", "bulk", "hash") {
		data := readDocument(t, name)
		d, err := ParseDocument(data)
		if r, ok := refused[name]; ok {
			checkFaults(t, name, err, r.pointers)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		events += len(d.Events)
		checkRoundTrip(t, name, data, d)
	}
	if events < 150 {
		t.Errorf("only %d events were read", events)
	}
}

func checkRoundTrip(t *testing.T, name string, data []byte, d *Document) {
	t.Helper()
	again, err := FormatDocument(d)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if diff := compareJSON(t, data, again); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
	// Through CBOR: same events, same document.
	copied := *d
	copied.Events = make([]*Event, len(d.Events))
	for i, e := range d.Events {
		copied.Events[i] = throughCBOR(t, name, e)
		checkAlone(t, name, copied.Events[i])
	}
	fromCBOR, err := FormatDocument(&copied)
	if err != nil || string(fromCBOR) != string(again) {
		t.Errorf("%s: differs after CBOR: %v", name, err)
	}
}

func throughCBOR(t *testing.T, name string, e *Event) *Event {
	t.Helper()
	data, err := EncodeEvent(e)
	if err != nil {
		t.Fatalf("%s: encoding: %v", name, err)
	}
	decoded, err := DecodeEvent(data)
	if err != nil {
		t.Fatalf("%s: decoding: %v", name, err)
	}
	if !reflect.DeepEqual(decoded, e) {
		t.Errorf("%s: the decoded event differs:\n%+v\n%+v", name, decoded, e)
	}
	return decoded
}

// checkAlone writes one event by itself, without its document, and wants the same event back.
func checkAlone(t *testing.T, name string, e *Event) {
	t.Helper()
	text, err := FormatEvent(e)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	d, err := ParseDocument(text)
	if err != nil {
		t.Errorf("%s: alone: %v\n%s", name, err, text)
		return
	}
	if d.Events[0].Hash() != e.Hash() {
		t.Errorf("%s: alone it has another hash:\n%s", name, text)
	}
	a, errA := e.CBVHash()
	b, errB := d.Events[0].CBVHash()
	if a != b || errA != nil || errB != nil {
		t.Errorf("%s: alone it has another CBV hash: %s %s %v %v", name, a, b, errA, errB)
	}
}

// TestInvalidDocuments: every file of the invalid folder is refused, at the right field.
func TestInvalidDocuments(t *testing.T) {
	table := map[string][]string{
		"invalid/Combination_of_events_with_missing_mandatory_fields.json": {captureList + "/0/action", captureList + "/1/eventTimeZoneOffset", captureList + "/1/action"},
		"invalid/Combination_of_multiple_invalid_fields.json": {captureList + "/0/bizStep", captureList + "/1/disposition",
			captureList + "/2/sourceList/0/type", captureList + "/3/ilmd/materialType", captureList + "/4/eventTime", captureList + "/4/action"},
		"invalid/EPCISDocument_without_context.json":                         {"/@context"},
		"invalid/ObjectEvent_with_ilmd_field_without_namespace.json":         {captureList + "/0/ilmd/materialType"},
		"invalid/ObjectEvent_with_invalid_certificationInfo.json":            {captureList + "/0/certificationInfo/0", captureList + "/0/certificationInfo/1"},
		"invalid/ObjectEvent_with_invalid_eventTime_format.json":             {captureList + "/0/eventTime"},
		"invalid/ObjectEvent_with_non_standard_bizStep_in_second_event.json": {captureList + "/1/bizStep"},
		"invalid/ObjectEvent_with_non_standard_disposition.json":             {captureList + "/0/disposition"},
		"invalid/ObjectEvent_with_unknown_field_in_quantityList.json":        {captureList + "/0/quantityList/0/weight"},
		"invalid/ObjectEvent_without_action_and_eventTime.json":              {captureList + "/0/eventTime", captureList + "/0/eventTimeZoneOffset", captureList + "/0/action"},
		"invalid/QueryDocument_with_invalid_action.json":                     {queryList + "/0/action"},
		"invalid/QueryDocument_with_invalid_eventType.json":                  {queryList + "/0/type"},
		// These two are queries, not documents; package query reads the one and refuses the other.
		"invalid/Query_with_unknown_parameter.json": {"/type"},
		"invalid/SimpleEventQuery.json":             {"/type"},
	}
	for _, name := range documents(t, "invalid") {
		pointers, ok := table[name]
		if !ok {
			t.Errorf("%s is not in the table", name)
			continue
		}
		_, err := ParseDocument(readDocument(t, name))
		checkFaults(t, name, err, pointers)
	}
}

// checkFaults wants a refusal that names all the pointers.
func checkFaults(t *testing.T, name string, err error, pointers []string) {
	t.Helper()
	var faults Faults
	if !errors.As(err, &faults) {
		t.Errorf("%s: not refused: %v", name, err)
		return
	}
	var got []string
	for _, f := range faults {
		got = append(got, f.Pointer)
		if f.Detail == "" || f.Kind == "" {
			t.Errorf("%s: fault without a kind or detail: %+v", name, f)
		}
	}
	for _, p := range pointers {
		if !slices.Contains(got, p) {
			t.Errorf("%s: no fault at %s, only at %v", name, p, got)
		}
	}
}

func TestFixtureRoundTrip(t *testing.T) {
	data, d := chain(t)
	if len(d.Warnings) != 0 {
		t.Errorf("warnings: %v", d.Warnings)
	}
	checkRoundTrip(t, "chain", data, d)
}

// TestFormsOfDocuments: bare events, lists, single values where lists belong.
func TestFormsOfDocuments(t *testing.T) {
	const event = `{"type":"ObjectEvent","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+01:00","action":"OBSERVE","epcList":["urn:x:1"]}`
	for name, c := range map[string]struct {
		text string
		kind DocumentKind
		n    int
	}{
		"bare":  {event, BareEvent, 1},
		"list":  {"[" + event + "," + event + "]", EventList, 2},
		"empty": {"[]", EventList, 0},
		"bom":   {"\uFEFF" + event, BareEvent, 1},
		"single event": {`{"@context":"https://ref.gs1.org/standards/epcis/epcis-context.jsonld","type":"EPCISDocument","schemaVersion":"2.0",
			"creationDate":"2026-01-01T00:00:00Z","epcisBody":{"event":` + event + `}}`, CaptureDocument, 1},
		"query": {`{"@context":[],"type":"EPCISQueryDocument","epcisBody":{"queryResults":{"subscriptionID":"","queryName":"q","resultsBody":{"eventList":[` + event +
			`],"vocabularyList":[{"type":"urn:x:t"}]}}}}`, QueryDocument, 1},
	} {
		d, err := ParseDocument([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d.Kind != c.kind || len(d.Events) != c.n {
			t.Errorf("%s: got %v with %d events", name, d.Kind, len(d.Events))
		}
		checkRoundTrip(t, name, []byte(c.text), d)
	}
	single := `{"isA":"epcis:ObjectEvent","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+01:00","action":"OBSERVE","epcList":"urn:x:1",
		"bizTransactionList":{"bizTransaction":"urn:x:2"},"sensorElementList":{"sensorReport":{"type":"Mass"}}}`
	d, err := ParseDocument([]byte(single))
	if err != nil {
		t.Fatal(err)
	}
	e := d.Events[0]
	if len(e.EPCs) != 1 || len(e.BizTransactions) != 1 || len(e.SensorElements) != 1 || len(e.SensorElements[0].Reports) != 1 {
		t.Errorf("single values were not taken as lists: %+v", e)
	}
}

// TestMadeDocuments: documents composed of events from different places declare what they use.
func TestMadeDocuments(t *testing.T) {
	_, d := chain(t)
	other, err := ParseDocument([]byte(`{"@context":{"grow":"https://other.example/"},"type":"ObjectEvent","eventTime":"2026-01-01T00:00:00Z",
		"eventTimeZoneOffset":"+01:00","action":"OBSERVE","epcList":["urn:x:1"],"grow:same-prefix":1}`))
	if err != nil {
		t.Fatal(err)
	}
	other.Events[0].Context = Value{} // as if its document had declared the prefix
	events := append(d.Events[:len(d.Events):len(d.Events)], other.Events...)
	created := NewTimestamp(1767225600000)
	for _, doc := range []*Document{NewDocument(created, events...), NewQueryDocument(created, "SimpleEventQuery", "", events...)} {
		text, err := FormatDocument(doc)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseDocument(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		for i, e := range again.Events {
			if e.Hash() != events[i].Hash() {
				t.Errorf("%v: event %d has another hash", doc.Kind, i)
			}
			// It may have gained the contexts that its neighbours name by address; its prefixes are its own.
			for _, n := range events[i].Namespaces {
				if !slices.Contains(e.Namespaces, n) {
					t.Errorf("%v: event %d has namespaces %v, want %v", doc.Kind, i, e.Namespaces, events[i].Namespaces)
				}
			}
		}
	}
}

// TestPrefixedIdentifiers: what a prefix stands for is known to the document only, so identifiers are written out.
func TestPrefixedIdentifiers(t *testing.T) {
	e := mustEvent(t, `{"@context":{"ex":"https://example.com/id/","geo":"https://example.com/geo#"},"type":"AggregationEvent","eventTime":"2026-01-01T00:00:00Z",
		"eventTimeZoneOffset":"+01:00","action":"ADD","parentID":"ex:crate1","childEPCs":["ex:item1","other:item1"],"childQuantityList":[{"epcClass":"ex:apples"}],
		"readPoint":{"id":"geo:52.1,5.2"},"bizLocation":{"id":"ex:dock1"},"sourceList":[{"type":"ex:origin","source":"ex:farm"}],
		"sensorElementList":[{"sensorReport":[{"type":"Mass","deviceID":"ex:scale","uriValue":"ex:v"}]}]}`)
	got := []string{e.ParentID, e.ChildEPCs[0], e.ChildEPCs[1], e.ChildQuantities[0].Class, e.ReadPoint.ID, e.BizLocation.ID, e.Sources[0].Type, e.Sources[0].ID,
		e.SensorElements[0].Reports[0].DeviceID, e.SensorElements[0].Reports[0].URIValue}
	const ns = "https://example.com/id/"
	want := []string{ns + "crate1", ns + "item1", "other:item1", ns + "apples", "geo:52.1,5.2", ns + "dock1", ns + "origin", ns + "farm", ns + "scale", ns + "v"}
	if !slices.Equal(got, want) {
		t.Errorf("identifiers %v, want %v", got, want)
	}
}
