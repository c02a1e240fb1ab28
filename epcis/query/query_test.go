package query

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"waybill/epcis"
)

const (
	sgtin     = "urn:epc:id:sgtin:9521001.000001.17"
	sgtinLink = "https://id.example.com/01/09521001000017/21/17"
	lgtin     = "urn:epc:class:lgtin:9521001.000001.A1"
	lgtinLink = "https://id.gs1.org/01/09521001000017/10/A1"
	gtinClass = "urn:epc:idpat:sgtin:9521001.000001.*"
	gtinLink  = "https://dl.example.org/01/09521001000017"
	pallet    = "urn:epc:id:sscc:9521001.0000000001"
	dock      = "urn:epc:id:sgln:9521001.00001.7"
	site      = "urn:epc:id:sgln:9521001.00001.0"
	seller    = "urn:epc:id:pgln:9521001.00000"
	buyer     = "urn:epc:id:pgln:9521002.00000"
)

func amount(t testing.TB, s string) *epcis.Decimal {
	t.Helper()
	d, err := epcis.ParseDecimal(s)
	if err != nil {
		t.Fatal(err)
	}
	return &d
}

// shipment is an event with something in every corner that a query can ask for.
func shipment(t testing.TB) (*epcis.Event, Meta) {
	text, yes := "ok", true
	e := &epcis.Event{
		Type: epcis.ObjectEvent, EventID: "urn:uuid:11111111-1111-4111-8111-111111111111", Action: epcis.ActionObserve,
		EventTime: epcis.Timestamp{Text: "2026-03-01T08:30:00.000+01:00"}, TimeZoneOffset: "+01:00",
		BizStep: "shipping", Disposition: "in_transit",
		PersistentDisposition: &epcis.PersistentDisposition{Set: []string{"completeness_verified"}, Unset: []string{"completeness_inferred"}},
		ReadPoint:             &epcis.Location{ID: dock, Extensions: epcis.Extensions{{Name: "ext:gate", Value: epcis.NewText("7")}}},
		BizLocation:           &epcis.Location{ID: site},
		BizTransactions:       []epcis.TypedRef{{Type: "po", ID: "urn:epc:id:gdti:9521001.00001.PO9"}},
		Sources:               []epcis.TypedRef{{Type: "owning_party", ID: seller}},
		Destinations:          []epcis.TypedRef{{Type: "owning_party", ID: buyer}},
		EPCs:                  []string{sgtin, pallet},
		Quantities:            []epcis.Quantity{{Class: lgtin, Quantity: amount(t, "12.5"), UOM: "KGM"}},
		ILMD:                  epcis.Extensions{{Name: "ext:grade", Value: epcis.NewText("A")}, {Name: "ext:brix", Value: epcis.NewNumber(*amount(t, "4.5"))}},
		Extensions: epcis.Extensions{{Name: "ext:driver", Value: epcis.NewObject(
			epcis.Member{Name: "ext:name", Value: epcis.NewText("Ada")},
			epcis.Member{Name: "ext:since", Value: epcis.NewText("2020-01-01T00:00:00Z")})}},
		Namespaces: []epcis.Namespace{{Prefix: "ext", URI: "https://example.com/ext/"}},
		SensorElements: []epcis.SensorElement{{
			Metadata: &epcis.SensorMetadata{StartTime: epcis.Timestamp{Text: "2026-03-01T07:00:00Z"}, DeviceID: "urn:epc:id:giai:9521001.LOGGER1"},
			Reports: []epcis.SensorReport{{
				Type: "Temperature", Value: amount(t, "3.9"), MaxValue: amount(t, "6.1"), UOM: "CEL", PercRank: amount(t, "90"),
				StringValue: &text, BooleanValue: &yes, HexBinaryValue: "f00d", URIValue: "https://example.com/x",
			}},
		}},
		ErrorDeclaration: &epcis.ErrorDeclaration{
			DeclarationTime: epcis.Timestamp{Text: "2026-03-02T00:00:00Z"}, Reason: "incorrect_data", CorrectiveEventIDs: []string{"urn:uuid:2"},
		},
	}
	hash := strings.Repeat("ab", 32)
	return e, Meta{Height: 3, Hash: hash, Tx: strings.Repeat("cd", 32), TimeMs: 1_772_350_300_000, Author: "wb1author", Org: "Salinas Farm", Lots: []string{lgtinLink}}
}

func parse(t testing.TB, text string) *Query {
	t.Helper()
	values, err := url.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	q, err := Parse(values)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

// Each parameter with a value that the shipment satisfies and one that it does not, in the spelling of the standard.
func TestEachParameter(t *testing.T) {
	e, m := shipment(t)
	esc := url.QueryEscape
	cases := []struct{ name, yes, no string }{
		{"eventType", "ObjectEvent|AggregationEvent", "AggregationEvent"},
		{"GE_eventTime", "2026-03-01T07:30:00Z", "2026-03-01T07:30:00.001Z"},
		{"LT_eventTime", "2026-03-01T07:30:00.001Z", "2026-03-01T07:30:00Z"},
		{"GE_recordTime", "2026-03-01T07:31:40Z", "2026-03-01T07:31:41Z"},
		{"LT_recordTime", "2026-03-01T07:31:41Z", "2026-03-01T07:31:40Z"},
		{"EQ_action", "ADD|OBSERVE", "DELETE"},
		{"EQ_bizStep", "shipping", "receiving"},
		{"EQ_bizStep", "https://ref.gs1.org/cbv/BizStep-shipping", "urn:epcglobal:cbv:bizstep:receiving"},
		{"EQ_bizStep", "urn:epcglobal:cbv:bizstep:shipping", "https://example.com/own-step"},
		{"EQ_disposition", "https://ref.gs1.org/cbv/Disp-in_transit", "active"},
		{"EQ_persistentDisposition_set", "completeness_verified", "completeness_inferred"},
		{"EQ_persistentDisposition_unset", "completeness_inferred", "completeness_verified"},
		{"EQ_readPoint", dock, site},
		{"WD_readPoint", site, "urn:epc:id:sgln:9521001.00002.0"},
		{"EQ_bizLocation", "https://id.gs1.org/414/9521001000017", dock},
		{"WD_bizLocation", site, dock},
		{"EQ_bizTransaction_po", "https://id.gs1.org/253/9521001000017PO9", "urn:epc:id:gdti:9521001.00001.PO8"},
		{"EQ_bizTransaction_https://ref.gs1.org/cbv/BTT-po", "urn:epc:id:gdti:9521001.00001.PO9", "urn:x:y"},
		{"EQ_source_owning_party", "https://id.gs1.org/417/9521001000000", buyer},
		{"EQ_destination_owning_party", buyer, seller},
		{"MATCH_epc", sgtinLink, "urn:epc:id:sgtin:9521001.000001.18"},
		{"MATCH_epc", gtinClass, "urn:epc:idpat:sgtin:9521001.000002.*"},
		{"MATCH_epc", gtinLink, "https://id.gs1.org/01/09521001000024"},
		{"MATCH_epc", "urn:epc:idpat:sgtin:9521001.*.*", "urn:epc:idpat:sgtin:9521002.*.*"},
		{"MATCH_epc", "urn:epc:idpat:sscc:9521001.*", "urn:epc:idpat:sscc:9521003.*"},
		{"MATCH_anyEPC", "https://id.gs1.org/00/095210010000000017", "urn:epc:id:sscc:9521001.0000000002"},
		{"MATCH_epcClass", lgtinLink, "urn:epc:class:lgtin:9521001.000001.A2"},
		{"MATCH_epcClass", gtinLink, "https://id.gs1.org/01/09521001000024"},
		{"MATCH_anyEPCClass", gtinClass, sgtin},
		{"EQ_quantity", "12.50", "12"},
		{"GT_quantity", "12.4", "12.5"},
		{"GE_quantity", "12.5", "12.6"},
		{"LT_quantity", "1.26e1", "12.5"},
		{"LE_quantity_KGM", "12.5", "12.4"},
		{"GE_quantity_KGM", "1", "100"},
		{"EQ_quantity_GRM", "12500", "12.5"},
		{"GE_quantity_LBR", "27.5", "27.6"},
		{"EQ_eventID", "urn:uuid:11111111-1111-4111-8111-111111111111", "urn:uuid:0"},
		{"GE_errorDeclarationTime", "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"},
		{"LT_errorDeclaration_Time", "2026-03-03T00:00:00Z", "2026-03-02T00:00:00Z"},
		{"EQ_errorReason", "https://ref.gs1.org/cbv/ER-incorrect_data", "did_not_occur"},
		{"EQ_correctiveEventID", "urn:uuid:2", "urn:uuid:3"},
		{"EQ_type", "https://gs1.org/voc/Temperature", "RelativeHumidity"},
		{"EQ_deviceID", "https://id.gs1.org/8004/9521001LOGGER1", "urn:epc:id:giai:9521001.LOGGER2"},
		{"EQ_stringValue", "ok", "OK"},
		{"EQ_hexBinaryValue", "F00D", "BEEF"},
		{"EQ_uriValue", "https://example.com/x", "https://example.com/y"},
		{"EQ_booleanValue", "true", "false"},
		{"GE_startTime", "2026-03-01T07:00:00Z", "2026-03-01T07:00:01Z"},
		{"LT_startTime", "2026-03-01T07:00:01Z", "2026-03-01T07:00:00Z"},
		{"EQ_value_CEL", "3.9", "4"},
		{"EQ_value_FAH", "39.02", "3.9"},
		{"GT_value_KEL", "277", "277.05"},
		{"GT_maxValue_CEL", "6", "6.1"},
		{"GE_percRank", "90", "91"},
		{"EQ_ILMD_ext:grade", "A|B", "C"},
		{"GT_ILMD_ext:brix", "4", "4.5"},
		{"EQ_ILMD_https://example.com/ext/grade", "A", "C"},
		{"EQ_INNER_ext:name", "Ada", "Bob"},
		{"GE_INNER_ext:since", "2019-01-01T00:00:00Z", "2021-01-01T00:00:00Z"},
		{"EQ_readPoint_ext:gate", "7", "8"},
		{ParamParty, "Salinas Farm", "Another Farm"},
		{ParamParty, "https://id.gs1.org/417/9521002000009", "urn:epc:id:pgln:9521009.00000"},
		{ParamParty, "wb1author", "wb1other"},
		{ParamLot, lgtin, "urn:epc:class:lgtin:9521001.000001.A2"},
		{ParamItem, lgtinLink, "urn:epc:id:sscc:9521001.0000000009"},
		{ParamTx, strings.Repeat("cd", 32), strings.Repeat("ce", 32)},
		{ParamHash, strings.Repeat("ab", 32), strings.Repeat("ac", 32)},
	}
	for _, c := range cases {
		if !parse(t, esc(c.name)+"="+esc(c.yes)).Matches(e, m) {
			t.Errorf("%s=%s does not find the event", c.name, c.yes)
		}
		if parse(t, esc(c.name)+"="+esc(c.no)).Matches(e, m) {
			t.Errorf("%s=%s finds the event", c.name, c.no)
		}
		// Another event, with none of the fields, is found by upper bounds of times only.
		bare := &epcis.Event{Type: epcis.TransactionEvent, EventTime: epcis.Timestamp{Text: "1999-01-01T00:00:00Z"}}
		found := parse(t, esc(c.name)+"="+esc(c.yes)).Matches(bare, Meta{})
		if want := c.name == "LT_eventTime" || c.name == "LT_recordTime"; found != want {
			t.Errorf("%s=%s and a bare event: %v", c.name, c.yes, found)
		}
	}
}

func TestFlagsAndExistence(t *testing.T) {
	e, m := shipment(t)
	bare := &epcis.Event{Type: epcis.ObjectEvent, EventTime: e.EventTime}
	for _, c := range []struct {
		query      string
		full, bare bool
	}{
		{"EXISTS_errorDeclaration=true", true, false},
		{"EXISTS_errorDeclaration=false", true, true},
		{"EXISTS_sensorElementList=1", true, false},
		{"EXISTS_ext:driver=true", true, false},
		{"EXISTS_ext:nobody=true", false, false},
		{"EXISTS_ILMD_ext:grade=", true, false},
		{"EXISTS_INNER_ext:name=true", true, false},
		{"", true, true},
		{"EQ_bizStep=shipping&EQ_action=OBSERVE", true, false},
		{"EQ_bizStep=shipping&EQ_action=ADD", false, false},
		{"LT_quantity_LTR=100", false, false},           // kilograms are no litres
		{"EQ_quantity=1&EQ_quantity=12.5", true, false}, // repeated: a list
	} {
		q := parse(t, c.query)
		if q.Matches(e, m) != c.full || q.Matches(bare, Meta{}) != c.bare {
			t.Errorf("%s: %v and %v, want %v and %v", c.query, q.Matches(e, m), q.Matches(bare, Meta{}), c.full, c.bare)
		}
	}
}

func TestMatchByRole(t *testing.T) {
	make := &epcis.Event{
		Type: epcis.TransformationEvent, TransformationID: "urn:epc:id:gdti:9521001.00001.T1", InputEPCs: []string{sgtin}, OutputEPCs: []string{pallet},
		InputQuantities: []epcis.Quantity{{Class: lgtin}}, OutputQuantities: []epcis.Quantity{{Class: "urn:epc:class:lgtin:9521002.000001.Z"}},
	}
	pack := &epcis.Event{Type: epcis.AggregationEvent, ParentID: pallet, ChildEPCs: []string{sgtin}, ChildQuantities: []epcis.Quantity{{Class: lgtin}}}
	for query, want := range map[string][2]bool{
		"MATCH_epc=" + sgtinLink:                                         {false, true},
		"MATCH_parentID=" + pallet:                                       {false, true},
		"MATCH_inputEPC=" + sgtinLink:                                    {true, false},
		"MATCH_outputEPC=" + sgtin:                                       {false, false},
		"MATCH_outputEPC=" + pallet:                                      {true, false},
		"MATCH_anyEPC=" + pallet:                                         {true, true},
		"MATCH_epcClass=" + lgtin:                                        {false, true},
		"MATCH_inputEPCClass=" + lgtinLink:                               {true, false},
		"MATCH_outputEPCClass=" + lgtin:                                  {false, false},
		"MATCH_anyEPCClass=" + lgtin:                                     {true, true},
		"EQ_transformationID=https://id.gs1.org/253/9521001000017T1":     {true, false},
		"MATCH_outputEPCClass=urn:epc:idpat:sgtin:9521002.*.*":           {true, false},
		"MATCH_epc=" + sgtin + "|" + pallet + "&MATCH_parentID=" + sgtin: {false, false},
	} {
		q := parse(t, query)
		if got := [2]bool{q.Matches(make, Meta{}), q.Matches(pack, Meta{})}; got != want {
			t.Errorf("%s: transformation and aggregation %v, want %v", query, got, want)
		}
	}
}

// A network may keep identifiers that break a rule of their key; they are found as they are written.
func TestBrokenIdentifiers(t *testing.T) {
	const short = "urn:epc:id:sscc:9521001.01"
	e := &epcis.Event{Type: epcis.ObjectEvent, EPCs: []string{short}}
	q := parse(t, "EQ_waybill:item="+short)
	if key, exact := q.Items[0].Exact(); !q.Matches(e, Meta{}) || !exact || key != Key(short) || key != short {
		t.Errorf("%s is found %v, as %q", short, q.Matches(e, Meta{}), key)
	}
	if q.Matches(&epcis.Event{Type: epcis.ObjectEvent, EPCs: []string{sgtin, short + "2"}}, Meta{}) {
		t.Error("another item is found")
	}
	if _, err := Parse(url.Values{ParamItem: {"not a URI"}}); !errors.Is(err, ErrValue) {
		t.Errorf("no URI at all: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		query, parameter string
		kind             Kind
		says             string
	}{
		{"GE_eventDate=2026-01-01T00:00:00Z", "GE_eventDate", ErrUnknown, "GE_eventTime"},
		{"eq_bizStep=shipping", "eq_bizStep", ErrUnknown, "EQ_bizStep"},
		{"foo=1", "foo", ErrUnknown, ""},
		{"EQ_waybill:nonsense=1", "EQ_waybill:nonsense", ErrUnknown, ""},
		{"EQ_bizStep=shiping", "EQ_bizStep", ErrValue, "business step"},
		{"EQ_bizStep=", "EQ_bizStep", ErrValue, ""},
		{"eventType=Object", "eventType", ErrValue, "ObjectEvent"},
		{"EQ_action=observe", "EQ_action", ErrValue, "OBSERVE"},
		{"GE_eventTime=2026-01-01", "GE_eventTime", ErrValue, "offset"},
		{"GE_eventTime=2026-01-01T00:00:00Z&GE_eventTime=2026-01-02T00:00:00Z", "GE_eventTime", ErrValue, "one"},
		{"MATCH_epc=urn:epc:id:sgtin:9521001.1", "MATCH_epc", ErrValue, ""},
		{"MATCH_epc=https://id.gs1.org/01/09521001000018/21/1", "MATCH_epc", ErrValue, "check digit"},
		{"MATCH_epc=bag", "MATCH_epc", ErrValue, ""},
		{"EQ_readPoint=urn:epc:idpat:sgln:9521001.*.*", "EQ_readPoint", ErrValue, ""},
		{"GE_quantity=a", "GE_quantity", ErrValue, "decimal"},
		{"GE_quantity=1|2", "GE_quantity", ErrValue, "one"},
		{"GE_quantity_kg=1", "GE_quantity_kg", ErrUnknown, "KGM"},
		{"EQ_value=1", "EQ_value", ErrUnknown, "EQ_value_CEL"},
		{"EXISTS_errorDeclaration=maybe", "EXISTS_errorDeclaration", ErrValue, "true or false"},
		{"EQ_errorReason=typo", "EQ_errorReason", ErrValue, "incorrect_data"},
		{"orderBy=bizStep", "orderBy", ErrValue, "eventTime"},
		{"orderDirection=up", "orderDirection", ErrValue, "ASC"},
		{"perPage=0", "perPage", ErrValue, ""},
		{"perPage=-5", "perPage", ErrValue, ""},
		{"eventCountLimit=10", "eventCountLimit", ErrConflict, "orderBy"},
		{"eventCountLimit=10&maxEventCount=10&orderBy=eventTime", "eventCountLimit", ErrConflict, "maxEventCount"},
		{"eventCountLimit=0&orderBy=eventTime", "eventCountLimit", ErrValue, ""},
		{"HASATTR_cbv:x=y", "HASATTR_cbv:x", ErrUnsupported, ""},
		{"EQ_waybill:hash=xyz", "EQ_waybill:hash", ErrValue, "hex"},
		{"GT_ext:grade=A", "GT_ext:grade", ErrValue, "number"},
		{"EQ_eventID=" + strings.Repeat("x", 3000), "EQ_eventID", ErrValue, "2048"},
		{"EQ_eventID=" + strings.Repeat("urn:x:y|", 300), "EQ_eventID", ErrComplex, "256"},
		{manyParameters(), "", ErrComplex, "64"},
	} {
		values, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Parse(values)
		var refusal *Error
		if !errors.As(err, &refusal) || !errors.Is(err, c.kind) || refusal.Parameter != c.parameter || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.60s: %v; want %v naming %s and saying %q", c.query, err, c.kind, c.parameter, c.says)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%.60s: the error has %d bytes", c.query, len(err.Error()))
		}
	}
}

func manyParameters() string {
	var b strings.Builder
	for i := range 70 {
		b.WriteString("&EQ_ext:f" + strings.Repeat("x", i) + "=1")
	}
	return b.String()[1:]
}

func TestPagingParameters(t *testing.T) {
	q := parse(t, "")
	if q.PerPage != DefaultPerPage || q.OrderBy != OrderDefault || q.EventTime.Bounded() {
		t.Errorf("defaults: %+v", q)
	}
	q = parse(t, "perPage=100000&orderBy=eventTime&orderDirection=ASC&eventCountLimit=5&nextPageToken=abc")
	if q.PerPage != MaxPerPage || !q.Ascending || q.EventCountLimit != 5 || q.NextPageToken != "abc" || q.OrderBy != OrderEventTime {
		t.Errorf("%+v", q)
	}
}

// Paging does not change what a query is; anything else does.
func TestFingerprint(t *testing.T) {
	base := parse(t, "EQ_bizStep=shipping|receiving&orderBy=eventTime").Fingerprint()
	for query, same := range map[string]bool{
		"orderBy=eventTime&EQ_bizStep=receiving|shipping&perPage=7":       true,
		"EQ_bizStep=shipping|receiving&orderBy=eventTime&nextPageToken=x": true,
		"EQ_bizStep=shipping&orderBy=eventTime":                           false,
		"EQ_bizStep=shipping|receiving":                                   false,
		"EQ_bizStep=shipping|receiving&orderBy=recordTime":                false,
	} {
		q := parse(t, query)
		if got := q.Fingerprint() == base; got != same {
			t.Errorf("%s: same %v, want %v", query, got, same)
		}
		again, err := Parse(q.Values())
		if err != nil || again.Fingerprint() != q.Fingerprint() {
			t.Errorf("%s: written as %v, which is another query (%v)", query, q.Values(), err)
		}
	}
}

func TestFromJSON(t *testing.T) {
	e, m := shipment(t)
	q, err := FromJSON([]byte(`{"@context": ["https://ref.gs1.org/standards/epcis/2.0.0/query-schema.json", {"ext": "https://example.com/ext/"}],
		"queryType": "events", "eventType": ["ObjectEvent"], "GE_quantity": 12.5, "EQ_bizStep": ["shipping", "receiving"],
		"GE_eventTime": "2026-01-01T00:00:00+01:00", "EXISTS_errorDeclaration": null, "orderBy": "eventTime", "eventCountLimit": 100}`))
	if err != nil || !q.Matches(e, m) || q.EventCountLimit != 100 {
		t.Fatalf("%+v, %v", q, err)
	}
	same := parse(t, "eventType=ObjectEvent&GE_quantity=12.5&EQ_bizStep=shipping|receiving&GE_eventTime="+url.QueryEscape("2026-01-01T00:00:00+01:00")+
		"&EXISTS_errorDeclaration=&orderBy=eventTime&eventCountLimit=100")
	if q.Fingerprint() != same.Fingerprint() {
		t.Error("the same query as JSON and as a URL has two fingerprints")
	}
	for body, kind := range map[string]Kind{
		``:                              ErrBody,
		`[]`:                            ErrBody,
		`{"eventType": ["ObjectEvent"]`: ErrBody,
		`{} {}`:                         ErrBody,
		`{"orderBy": "eventTime", "orderBy": "recordTime"}`:  ErrBody,
		`{"EQ_bizStep": [["shipping"]]}`:                     ErrValue,
		`{"EQ_bizStep": {"a": 1}}`:                           ErrValue,
		`{"EQ_bizStep": [null]}`:                             ErrValue,
		`{"EQ_bizStep": []}`:                                 ErrValue,
		`{"queryType": "masterdata"}`:                        ErrValue,
		`{"GE_eventDate": "2026-01-01T00:00:00Z"}`:           ErrUnknown,
		`{"x": "` + strings.Repeat("y", MaxBodyBytes) + `"}`: ErrComplex,
	} {
		if _, err := FromJSON([]byte(body)); !errors.Is(err, kind) {
			t.Errorf("%.60s: %v, want %v", body, err, kind)
		}
	}
}

func TestExceptions(t *testing.T) {
	for kind, want := range map[Kind]string{
		ErrUnknown: "QueryParameterException", ErrValue: "QueryParameterException", ErrConflict: "QueryParameterException", ErrToken: "QueryParameterException",
		ErrComplex: "QueryTooComplexException", ErrTooLarge: "QueryTooLargeException", ErrUnsupported: "ImplementationException", ErrBody: "ValidationException",
	} {
		if kind.Exception() != want {
			t.Errorf("%s is a %s", kind, kind.Exception())
		}
	}
}

// The published queries are read, or refused for what is wrong with them.
func TestPublishedQueries(t *testing.T) {
	dir := dataDir(t)
	body, err := os.ReadFile(filepath.Join(dir, "invalid", "SimpleEventQuery.json"))
	if err != nil {
		t.Fatal(err)
	}
	var refusal *Error
	// Its location has a wrong check digit; without that it is a query like any other.
	if _, err := FromJSON(body); !errors.As(err, &refusal) || refusal.Kind != ErrValue || refusal.Parameter != "EQ_bizLocation" {
		t.Errorf("SimpleEventQuery.json: %v", err)
	}
	mended := strings.ReplaceAll(string(body), "9521141123452", "9521141123454")
	q, err := FromJSON([]byte(mended))
	if err != nil || !slices.Equal(q.BizSteps, []string{"shipping"}) || q.EventCountLimit != 100 || len(q.Quantities) != 2 {
		t.Errorf("SimpleEventQuery.json, mended: %+v, %v", q, err)
	}
	body, err = os.ReadFile(filepath.Join(dir, "invalid", "Query_with_unknown_parameter.json"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := FromJSON(body); !errors.As(err, &refusal) || refusal.Kind != ErrUnknown || refusal.Parameter != "GE_eventDate" {
		t.Errorf("Query_with_unknown_parameter.json: %v", err)
	}
}

// dataDir is the folder of public test data beside the repository; without it the test is skipped.
func dataDir(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("WAYBILL_DATA"); dir != "" {
		return dir
	}
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
	}
	data := filepath.Join(dir, "..", "shared", "data")
	if _, err := os.Stat(data); err != nil {
		t.Skip("the public test data is not here")
	}
	return data
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"eventType=ObjectEvent&EQ_bizStep=shipping", "MATCH_epc=" + gtinClass, "GE_quantity_KGM=1e5", "EQ_INNER_ILMD_ext:a=b|c",
		"EXISTS_x:y=true", "EQ_source_owning_party=" + seller, "orderBy=eventTime&eventCountLimit=1", "EQ_value_CEL=1", "%00=|", "EQ_=&_=",
	} {
		f.Add(s)
	}
	e, m := shipment(f)
	f.Fuzz(func(t *testing.T, s string) {
		values, err := url.ParseQuery(s)
		if err != nil {
			return
		}
		q, err := Parse(values)
		var refusal *Error
		if err != nil {
			if !errors.As(err, &refusal) {
				t.Fatalf("%v is no refusal", err)
			}
			return
		}
		q.Matches(e, m)
		again, err := Parse(q.Values())
		if err != nil || again.Fingerprint() != q.Fingerprint() {
			t.Fatalf("%q is written as %v: %v", s, q.Values(), err)
		}
	})
}

func FuzzFromJSON(f *testing.F) {
	f.Add([]byte(`{"eventType": ["ObjectEvent"], "GE_quantity": 1, "EXISTS_errorDeclaration": null}`))
	f.Add([]byte(`{"@context": {"a": [[[]]]}, "EQ_type": ["Temperature"]}`))
	f.Add([]byte(`{"a":{"a":{"a":1}}}`))
	e, m := shipment(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		q, err := FromJSON(body)
		if err != nil {
			var refusal *Error
			if !errors.As(err, &refusal) {
				t.Fatalf("%v is no refusal", err)
			}
			return
		}
		q.Matches(e, m)
	})
}

// FuzzParsePattern: a pattern that is one identifier matches it, and nothing panics.
func FuzzParsePattern(f *testing.F) {
	for _, s := range []string{gtinClass, seller, "urn:epc:idpat:sgtin:9521321.000001.*", "urn:example:thing", "*", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePattern(s)
		if err != nil {
			return
		}
		if key, exact := p.Exact(); exact {
			if again, err := ParsePattern(key); err != nil {
				t.Fatalf("%q is exactly %q, which is no pattern: %v", s, key, err)
			} else if of, _ := again.Exact(); of != key {
				t.Fatalf("%q is exactly %q, which is exactly %q", s, key, of)
			}
		}
	})
}
