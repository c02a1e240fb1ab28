package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
)

// Every question that takes no body, once with an answer. TestAnswersConform checks the form, this the content.
func TestAnswers(t *testing.T) {
	h := newHarness(t)
	job := h.captured()
	farm := keyOf("farm").Address().String()
	tx := job.Transactions[0].ID.String()
	event := ok[struct {
		Body struct {
			Results struct {
				Results struct {
					Events []struct{ EventID, RecordTime string } `json:"eventList"`
				} `json:"resultsBody"`
			} `json:"queryResults"`
		} `json:"epcisBody"`
	}](t, h.get("/epcis/v2/events?EQ_bizStep=commissioning&MATCH_epc="+bag1), 200).Body.Results.Results.Events
	if len(event) != 1 || event[0].RecordTime != "2026-05-01T08:01:00.000Z" || !strings.HasPrefix(event[0].EventID, eventURN) {
		t.Fatalf("found %+v", event)
	}
	for _, c := range []struct{ target, contains string }{
		{"/epcis/v2", `"capture"`}, {"/epcis/v2/", `"eventTypes"`}, {"/epcis/v2/eventTypes", "TransformationEvent"},
		{"/epcis/v2/eventTypes/ObjectEvent", `"events"`}, {"/epcis/v2/epcs/" + bag1, `"events"`},
		{"/epcis/v2/eventTypes/ObjectEvent/events", bag2}, {"/epcis/v2/epcs/" + bag1 + "/events", bag1},
		{"/epcis/v2/epcs/" + lot1 + "/events", lot1}, {"/epcis/v2/bizSteps/commissioning/events", bag1},
		{"/epcis/v2/dispositions/active/events?perPage=1", bag1}, {"/epcis/v2/readPoints/urn:epc:id:sgln:9521321.00001.0/events", bag1},
		{"/epcis/v2/bizLocations/urn:epc:id:sgln:9521321.00001.0/events", `"eventList": []`},
		{"/epcis/v2/events/" + url.PathEscape(event[0].EventID), bag1}, {"/epcis/v2/events?EQ_eventID=" + event[0].EventID, bag1},
		{"/epcis/v2/events?EQ_eventID=urn:uuid:1|" + event[0].EventID, `"eventList": []`}, {"/epcis/v2/events/" + strings.TrimPrefix(event[0].EventID, eventURN), bag1},
		{"/epcis/v2/capture?perPage=5", job.CaptureID},
		{"/epcis/v2/capture/" + job.CaptureID + "?wait=final", `"running":false`},
		{"/v1/openapi.json", `"3.1.0"`}, {"/v1/status", `"height":1`}, {"/v1/genesis", `"api-test"`}, {"/v1/peers", `"inbound"`},
		{"/v1/blocks", `"height":1`}, {"/v1/blocks?before=1&limit=1", `"height":0`}, {"/v1/blocks/0", `"height":0`}, {"/v1/blocks/1", tx},
		{"/v1/epochs/0", `"anchorHeight":0`}, {"/v1/epochs/latest", `"epoch":0`}, {"/v1/blocks/latest", tx}, {"/v1/blocks/" + h.node.Status().BlockHash.String(), tx},
		{"/v1/transactions/" + tx, "Final in block 1"}, {"/v1/transactions/" + tx + "?wait=final&prove=true", `"inclusion"`},
		{"/v1/items?id=" + bag1, `"state":"active"`}, {"/v1/items/" + bag1, "Salinas Farm"},
		{"/v1/items/" + url.PathEscape("https://id.gs1.org/01/09521321000018/21/1"), `"state":"active"`},
		{"/v1/items/https://id.gs1.org/01/09521321000018/21/1", `"state":"active"`},
		{"/v1/items/" + lot1 + "?custodian=" + farm + "&limit=1", `"quantity":"12.5"`},
		{"/v1/trace/back?item=" + bag1 + "&depth=3&nodes=10", `"direction":"back"`}, {"/v1/trace/forward?item=" + lot1, `"direction":"forward"`},
		{"/v1/accounts/" + farm, `"bonded":10000`}, {"/v1/accounts/" + keyOf("nobody").Address().String(), `"exists":false`},
		{"/v1/organisations?limit=1", `"next":"wb1`}, {"/v1/organisations/" + farm, "Salinas Farm"}, {"/v1/organisations/Salinas%20Farm", farm},
		{"/v1/prefixes/" + farmPrefix, "Salinas Farm"}, {"/v1/validators", `"total":10000`}, {"/v1/proofs/state?key=00ff", `"absent":true`},
		{"/livez", "alive"}, {"/healthz", "storage"}, {"/readyz", "ok"}, {"/readyz?verbose", "peers"},
		{"/v1/status?", "api-test"}, {"/v1/validators?minHeight=1", "v1"},
	} {
		rec := h.get(c.target)
		if rec.Code != 200 || !strings.Contains(rec.Body.String(), c.contains) {
			t.Errorf("%s: status %d, want %q in: %.300s", c.target, rec.Code, c.contains, rec.Body)
		}
		if rec.Header().Get("X-Content-Type-Options") != "nosniff" || rec.Header().Get("Content-Type") == "" {
			t.Errorf("%s: headers %v", c.target, rec.Header())
		}
		if epcisHeader := gs1Header(rec, "GS1-EPCIS-Version"); strings.HasPrefix(c.target, epcisRoot) != (epcisHeader != nil) {
			t.Errorf("%s: GS1-EPCIS-Version %v", c.target, epcisHeader)
		}
		head := h.do(http.MethodHead, c.target, "")
		if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") == "" {
			t.Errorf("HEAD %s: status %d, %d bytes, Content-Length %q", c.target, head.Code, head.Body.Len(), head.Header().Get("Content-Length"))
		}
	}
}

// Everything that is wrong with an address or its parameters is named in the answer.
func TestBadQuestions(t *testing.T) {
	h := newHarness(t, impatient)
	job := h.captured()
	tx := job.Transactions[0].ID.String()
	missing := strings.Repeat("ab", 32)
	for _, c := range []struct {
		target string
		kind   Kind
		says   string
	}{
		{"/", ErrNotFound, "/v1"}, {"/v2/status", ErrNotFound, "/v1"}, {"/v1", ErrNotFound, ""}, {"/v1/status/", ErrNotFound, ""}, {"/epcis/v2/nothing", ErrNotFound, ""},
		{"/v1/../v1/status", ErrNotFound, "dot segment"}, {"/v1//status", ErrNotFound, "empty"}, {"/v1/%2e%2e/status", ErrNotFound, ""},
		{"/v1/status?verbose=1", ErrBadRequest, `"verbose"`}, {"/v1/status?a=1;b=2", ErrBadRequest, "parse"}, {"/v1/status?x=%zz", ErrBadRequest, "parse"},
		{"/v1/blocks?limit=0", ErrBadRequest, "limit"}, {"/v1/blocks?limit=1&limit=2", ErrBadRequest, "2 times"}, {"/v1/blocks?before=0", ErrBadRequest, "before"},
		{"/v1/blocks?before=-1", ErrBadRequest, "before"}, {"/v1/blocks/7", ErrNotFound, "height 7"}, {"/v1/epochs/1", ErrNotFound, "epoch 0"}, {"/v1/epochs/x", ErrBadRequest, "latest"}, {"/v1/blocks/" + missing, ErrNotFound, missing},
		{"/v1/blocks/newest", ErrBadRequest, "latest"}, {"/v1/blocks/01", ErrBadRequest, "01"}, {"/v1/blocks/99999999999999999999", ErrBadRequest, ""},
		{"/v1/transactions/" + missing, ErrNotFound, "safe"}, {"/v1/transactions/xyz", ErrBadRequest, "64"}, {"/v1/transactions/" + missing + "?wait=final", ErrNotFound, ""},
		{"/v1/transactions/" + tx + "?wait=maybe", ErrBadRequest, "none or final"}, {"/v1/transactions/" + tx + "?prove=yes", ErrBadRequest, "true or false"},
		{"/v1/items", ErrBadRequest, "which item"}, {"/v1/items/", ErrBadRequest, "which item"}, {"/v1/items?id=urn:epc:id:sgtin:1", ErrIdentifier, ""},
		{"/v1/items?id=https://id.gs1.org/01/09521321000019/21/1", ErrIdentifier, "check digit"}, {"/v1/items?id=urn:epc:id:sgtin:9521321.000001.404", ErrNotFound, "404"},
		{"/v1/items?id=" + bag1 + "&prove=1", ErrBadRequest, "prove"}, {"/v1/items?id=" + bag1 + "&limit=x", ErrBadRequest, "limit"},
		{"/v1/items?id=" + lot1 + "&custodian=me", ErrBadRequest, "custodian"}, {"/v1/items?Id=" + bag1, ErrBadRequest, `"Id"`},
		{"/v1/trace/back", ErrBadRequest, "which item"}, {"/v1/trace/back?item=" + bag1 + "&depth=65", ErrBadRequest, "1 to 64"},
		{"/v1/trace/forward?item=" + bag1 + "&nodes=0", ErrBadRequest, "nodes"}, {"/v1/trace/back?item=urn:epc:id:sgtin:9521321.000001.404", ErrNotFound, ""},
		{"/v1/accounts/wb1", ErrBadRequest, "address"}, {"/v1/organisations/Nobody", ErrNotFound, "Nobody"}, {"/v1/organisations?after=x", ErrBadRequest, "after"},
		{"/v1/prefixes/12x", ErrBadRequest, "digits"}, {"/v1/prefixes/1234567", ErrNotFound, "1234567"}, {"/v1/proofs/state", ErrBadRequest, "hex"},
		{"/v1/proofs/state?key=abc", ErrBadRequest, "hex"}, {"/v1/proofs/state?key=" + strings.Repeat("ab", 1025), ErrBadRequest, "1024"},
		{"/v1/validators?minHeight=x", ErrBadRequest, "minHeight"}, {"/v1/validators?minHeight=9", ErrNotReady, "height 1"},
		{"/epcis/v2/events?EQ_bizstep=shipping", ErrQuery, "EQ_bizstep"}, {"/epcis/v2/events?perPage=0", ErrQuery, "perPage"},
		{"/epcis/v2/events?GE_eventTime=yesterday", ErrQuery, "GE_eventTime"}, {"/epcis/v2/events?nextPageToken=zzz", ErrQuery, "nextPageToken"},
		{"/epcis/v2/events?minHeight=9", ErrNotReady, ""}, {"/epcis/v2/events/urn:uuid:404", ErrNotFound, "urn:uuid:404"}, {"/epcis/v2/events/" + missing, ErrNotFound, missing},
		{"/epcis/v2/capture/" + missing, ErrNotFound, missing}, {"/epcis/v2/capture/x?wait=1", ErrNotFound, ""}, {"/epcis/v2/capture/" + tx + "?wait=1", ErrBadRequest, "wait"},
		{"/epcis/v2/capture?perPage=0", ErrQuery, "perPage"}, {"/epcis/v2/capture?nextPageToken=x", ErrQuery, "nextPageToken"},
		{"/epcis/v2/eventTypes/NoEvent", ErrNotFound, "NoEvent"}, {"/epcis/v2/eventTypes/NoEvent/events", ErrQuery, "eventType"},
		{"/epcis/v2/epcs", ErrUnsupported, "VALUE"}, {"/epcis/v2/epcs/urn:epc:id:sgtin:1/events", ErrIdentifier, ""},
		{"/epcis/v2/bizSteps/shipping/events?EQ_bizStep=receiving", ErrQuery, "by the path"}, {"/epcis/v2/queries", ErrNotFound, ""},
		{"/v1/status?x=" + strings.Repeat("y", 9000), ErrTooLong, "8192"}, {"/readyz?foo=1", ErrBadRequest, `"foo"`},
	} {
		rec := h.get(c.target)
		p := refused(t, rec, c.kind)
		if !strings.Contains(rec.Body.String(), strings.ReplaceAll(c.says, `"`, `\"`)) {
			t.Errorf("%.100s: %q is not in %s", c.target, c.says, rec.Body)
		}
		if strings.HasPrefix(c.target, epcisRoot) && !strings.HasPrefix(p.Type, "epcisException:") {
			t.Errorf("%s: type %q", c.target, p.Type)
		}
	}
	if p := refused(t, h.get("/v1/status?nonsense=1"), ErrBadRequest); len(p.Errors) != 1 || p.Errors[0].Pointer != "/nonsense" || p.Actual != "nonsense" {
		t.Errorf("an unknown parameter: %+v", p)
	}
}

func TestMethods(t *testing.T) {
	h := newHarness(t)
	for _, c := range []struct{ method, target, allow string }{
		{"DELETE", "/v1/status", "GET, HEAD, OPTIONS"}, {"POST", "/epcis/v2/capture/abc", "GET, HEAD, OPTIONS"},
		{"PUT", "/epcis/v2/capture", "GET, HEAD, OPTIONS, POST"}, {"GET", "/v1/transactions", "OPTIONS, POST"}, {"HEAD", "/v1/transactions", "OPTIONS, POST"},
	} {
		rec := h.do(c.method, c.target, "")
		if rec.Code != 405 || rec.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: status %d, Allow %q", c.method, c.target, rec.Code, rec.Header().Get("Allow"))
		}
		if c.method != "HEAD" {
			refused(t, rec, ErrMethod)
		}
	}
	rec := h.do("OPTIONS", "/epcis/v2/capture", "")
	if rec.Code != 204 || gs1Header(rec, "GS1-EPCIS-Capture-File-Size-Limit") == nil || gs1Header(rec, headerErrorBehaviour) == nil || rec.Header().Get("Allow") == "" {
		t.Errorf("OPTIONS: %d %v", rec.Code, rec.Header())
	}
	if rec := h.do("OPTIONS", "/v1/status", "", "Origin", "https://evil.example"); rec.Code != 204 || rec.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("OPTIONS from another origin: %d %v", rec.Code, rec.Header())
	}
}

func TestAccept(t *testing.T) {
	h := newHarness(t)
	for _, c := range []struct {
		accept string
		ok     bool
	}{
		{"", true}, {"*/*", true}, {"application/*", true}, {"application/json", true}, {"application/ld+json;q=0.2", true}, {"text/html, */*;q=0.1", true},
		{"text/html", false}, {"application/xml", false}, {"application/json;q=0", false}, {"nonsense", false}, {"application/json;q=x", false},
	} {
		var headers []string
		if c.accept != "" {
			headers = []string{"Accept", c.accept}
		}
		rec := h.get("/v1/status", headers...)
		if c.ok {
			ok[Status](t, rec, 200)
			continue
		}
		refused(t, rec, ErrNotAcceptable)
		if rec := h.get("/livez", headers...); rec.Code != 200 {
			t.Errorf("a probe that accepts %q gets %d", c.accept, rec.Code)
		}
	}
}

func TestGS1Headers(t *testing.T) {
	h := newHarness(t)
	for _, c := range []struct {
		name, value string
		kind        Kind // "": answered
	}{
		{"GS1-EPCIS-Version", "2.0", ""}, {"GS1-EPCIS-Version", "2.0.0", ""}, {"GS1-EPCIS-Version", "1.2", ""}, {"GS1-EPCIS-Version", "2.1", ErrNotAcceptable},
		{"GS1-EPCIS-Version", "two", ErrBadRequest}, {"GS1-EPCIS-Version", "2.0.0.0", ErrBadRequest}, {"GS1-EPCIS-Min", "3", ErrNotAcceptable},
		{"GS1-EPCIS-Max", "1.2", ErrNotAcceptable}, {"GS1-CBV-Version", "-1", ErrBadRequest}, {"GS1-EPC-Format", "No_Preference", ""},
		{"GS1-EPC-Format", "Always_EPC_URN", ErrNotAcceptable}, {"GS1-EPC-Format", "x", ErrBadRequest},
	} {
		rec := h.get("/epcis/v2/events", c.name, c.value)
		if c.kind != "" {
			refused(t, rec, c.kind)
		} else if rec.Code != 200 {
			t.Errorf("%s: %s gives %d %s", c.name, c.value, rec.Code, rec.Body)
		}
	}
}

// Pages follow one another by the Link header until there is none.
func TestPaging(t *testing.T) {
	h := newHarness(t)
	h.captured()
	target, count := "/epcis/v2/bizSteps/commissioning/events?perPage=2", 0
	for range 5 {
		rec := h.get(target)
		if rec.Code != 200 || rec.Header().Get(headerHeight) != "1" {
			t.Fatalf("%s: %d %s", target, rec.Code, rec.Header().Get(headerHeight))
		}
		doc, err := epcis.ParseDocument(rec.Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		count += len(doc.Events)
		link := rec.Header().Get("Link")
		if link == "" {
			break
		}
		target = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
		if strings.Contains(target, "EQ_bizStep") || !strings.Contains(target, "perPage=2") {
			t.Fatalf("next page at %s", target)
		}
	}
	if count != 3 {
		t.Errorf("pages held %d events, want 3", count)
	}
}

// What is hostile in a name stays text: no angle bracket in JSON, no control character on a terminal.
func TestHostileNames(t *testing.T) {
	h := newHarness(t)
	address := keyOf("hostile").Address().String()
	for _, target := range []string{
		"/v1/organisations/" + address, "/v1/organisations", "/v1/accounts/" + address, "/v1/peers", "/v1/genesis", "/v1/organisations/" + url.PathEscape(hostile),
		"/v1/organisations/" + url.PathEscape("<b>\x1b[2J\u202e"), "/v1/blocks/" + url.PathEscape("<img src=x>"), "/v1/status?%3Cscript%3E=1",
		"/epcis/v2/events?EQ_bizStep=%3Cscript%3E", "/v1/items?id=%3Cscript%3E",
	} {
		rec := h.get(target)
		body := rec.Body.String()
		if strings.ContainsAny(body, "<>\x1b") || !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%s: %s", target, body)
		}
		if !strings.HasPrefix(rec.Header().Get("Content-Type"), "application/") {
			t.Errorf("%s: %s", target, rec.Header().Get("Content-Type"))
		}
	}
	if got := ok[OrganisationInfo](t, h.get("/v1/organisations/"+address), 200).Name; got != hostile {
		t.Errorf("the name is %q, want it unchanged", got)
	}
	h.node.setCheck(0, false, "\x1b[2J<script>\x07")
	rec := h.get("/healthz")
	if rec.Code != 503 || strings.ContainsAny(rec.Body.String(), "\x1b\x07") || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("healthz: %d %q", rec.Code, rec.Body)
	}
}

func TestProbes(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.Requests, c.Limits.PerAddress = 1, 1 })
	h.node.setCheck(1, false, "0 of 3")
	if rec := h.get("/readyz"); rec.Code != 503 || !strings.Contains(rec.Body.String(), "FAIL peers: 0 of 3") {
		t.Errorf("without peers readyz is %d %q", rec.Code, rec.Body)
	}
	if rec := h.get("/healthz"); rec.Code != 200 {
		t.Errorf("without peers healthz is %d %q; it would have the node restarted", rec.Code, rec.Body)
	}
	h.node.setCheck(0, false, "disk full")
	if rec := h.get("/healthz"); rec.Code != 503 || !strings.Contains(rec.Body.String(), "FAIL storage: disk full") {
		t.Errorf("without storage healthz is %d %q", rec.Code, rec.Body)
	}
	// A full server still says that it lives.
	h.server.all.take()
	defer h.server.all.release()
	refused(t, h.get("/v1/status"), ErrBusy)
	if rec := h.get("/livez"); rec.Code != 200 {
		t.Errorf("livez of a full server is %d", rec.Code)
	}
}

// A fault inside is answered without what is inside, and told to Fault.
func TestFaultsStayInside(t *testing.T) {
	const secret = "/var/lib/waybill/db: I/O error"
	for name, fail := range map[string]func(context.Context, string) error{
		"error": func(context.Context, string) error { return errors.New(secret) },
		"panic": func(context.Context, string) error { panic(secret) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			job := h.captured()
			h.node.hook = fail
			asked := 0
			for _, target := range []string{
				"/v1/blocks/1", "/v1/blocks", "/v1/transactions/" + job.CaptureID, "/v1/items?id=" + bag1, "/v1/trace/back?item=" + bag1,
				"/v1/accounts/" + keyOf("farm").Address().String(), "/v1/organisations", "/v1/validators", "/v1/prefixes/" + farmPrefix,
				"/v1/proofs/state?key=aa", "/epcis/v2/events", "/epcis/v2/capture/" + job.CaptureID, "/epcis/v2/epcs/" + bag1 + "/events",
			} {
				if strings.HasPrefix(target, "/v1/blocks") && name == "error" {
					continue // Status of the fake cannot return an error
				}
				rec := h.get(target)
				refused(t, rec, ErrInternal)
				if strings.Contains(rec.Body.String(), "I/O") || strings.Contains(rec.Body.String(), "goroutine") {
					t.Errorf("%s shows the inside: %s", target, rec.Body)
				}
				asked++
			}
			if len(h.faults) != asked || !strings.Contains(h.faults[0], secret) {
				t.Errorf("%d faults told of %d: %v", len(h.faults), asked, h.faults)
			}
			// Nothing stays taken.
			h.node.hook = func(context.Context, string) error { return nil }
			if len(h.server.all) != 0 || len(h.server.heavy) != 0 || len(h.server.visitors.busy) != 0 {
				t.Errorf("places still taken: %d, %d, %d", len(h.server.all), len(h.server.heavy), len(h.server.visitors.busy))
			}
			ok[Status](t, h.get("/v1/status"), 200)
		})
	}
}

// What the node means as a refusal is passed on as one.
func TestNodeRefusals(t *testing.T) {
	for _, c := range []struct {
		err  error
		kind Kind
	}{
		{fmt.Errorf("%w: pruned", ErrNotFound), ErrNotFound}, {ErrNotReady, ErrNotReady}, {fmt.Errorf("%w: full", ErrBusy), ErrBusy},
		{context.DeadlineExceeded, ErrBusy}, {context.Canceled, ErrBusy}, {&ledger.FormError{Kind: ledger.ErrState}, ErrInternal},
		{&crypto.Error{Kind: crypto.ErrPage}, ErrInternal}, {ErrInternal, ErrInternal},
	} {
		h := newHarness(t)
		h.node.hook = func(_ context.Context, method string) error {
			if method == "ProveState" {
				return c.err
			}
			return nil
		}
		if c.kind == ErrNotFound {
			continue // a state proof has no such answer; blocks below
		}
		refused(t, h.get("/v1/proofs/state?key=aa"), c.kind)
	}
	h := newHarness(t)
	h.node.hook = func(_ context.Context, method string) error {
		if method == "Block" {
			return fmt.Errorf("%w: pruned", ErrNotFound)
		}
		return nil
	}
	refused(t, h.get("/v1/blocks/0"), ErrNotFound)
	if list := ok[BlockList](t, h.get("/v1/blocks"), 200); len(list.Blocks) != 0 || list.Next != nil {
		t.Errorf("pruned: %+v", list)
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("an empty Config is taken")
	}
	n := newFakeNode(t)
	cfg := Config{Genesis: n.genesis, Chain: n, State: n, Prover: n, Submitter: n, Transactions: n, Events: n, Trace: n, Node: n}
	for _, l := range []Limits{{WaitTime: 1 << 40}, {BodyBytes: -1}} {
		cfg.Limits = l
		if _, err := New(cfg); err == nil {
			t.Errorf("limits %+v are taken", l)
		}
	}
	cfg.Limits = Limits{}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	hs := s.httpServer()
	if hs.ReadHeaderTimeout <= 0 || hs.ReadTimeout <= 0 || hs.WriteTimeout <= 0 || hs.IdleTimeout <= 0 || hs.MaxHeaderBytes <= 0 {
		t.Errorf("a limit of the HTTP server is missing: %+v", hs)
	}
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	refused(t, rec, ErrNotFound)
}
