package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
)

type begun struct{ CaptureID, Location string }

func (h *harness) capture(body, media string, headers ...string) *begun {
	h.tb.Helper()
	rec := h.do("POST", epcisRoot+"/capture", body, append([]string{"Content-Type", media}, headers...)...)
	b := ok[begun](h.tb, rec, 202)
	if b.Location != epcisRoot+"/capture/"+b.CaptureID || rec.Header().Get("Location") != b.Location {
		h.tb.Errorf("answered %+v, Location %q", b, rec.Header().Get("Location"))
	}
	return b
}

func (h *harness) job(id string) *CaptureJob {
	h.tb.Helper()
	return ok[CaptureJob](h.tb, h.get(epcisRoot+"/capture/"+id), 200)
}

// A job says that it succeeded only when its transactions are final and the index of this node has their blocks; and then
// the events are found.
func TestSuccessMeansFindable(t *testing.T) {
	h := newHarness(t, impatient)
	h.node.auto = false
	found := func() int {
		return strings.Count(h.get("/epcis/v2/events?MATCH_anyEPC="+bag1).Body.String(), bag1)
	}
	b := h.capture(document(harvest(bag1, 1)), mediaJSONLD)
	if j := h.job(b.CaptureID); !j.Running || j.FinishedAt != "" || j.Transactions[0].Status != TxPending {
		t.Fatalf("before its block: %+v", j)
	}
	h.node.setLag(1)
	height := h.node.seal()
	if j := h.job(b.CaptureID); !j.Running || j.Transactions[0].Status != TxFinal || found() != 0 {
		t.Fatalf("final but not indexed: %+v, found %d", j, found())
	}
	if j := ok[CaptureJob](t, h.get(b.Location+"?wait=final"), 200); !j.Running {
		t.Fatalf("final but not indexed, after waiting: %+v", j)
	}
	refused(t, h.get(fmt.Sprintf("/epcis/v2/events?minHeight=%d", height)), ErrNotReady)
	refused(t, h.get("/epcis/v2/events", minHeightHeader, fmt.Sprint(height)), ErrNotReady)
	h.node.setLag(0)
	j := h.job(b.CaptureID)
	if j.Running || !j.Success || j.Height != height || j.FinishedAt == "" || len(j.Errors) != 0 || found() != 1 {
		t.Fatalf("indexed: %+v, found %d", j, found())
	}
	if rec := h.get("/epcis/v2/events", minHeightHeader, fmt.Sprint(height)); rec.Code != 200 || rec.Header().Get(headerHeight) != fmt.Sprint(height) {
		t.Errorf("on a node that is there: %d %v", rec.Code, rec.Header())
	}
}

// wait=final answers as soon as the job has ended, not when patience ends.
func TestWaitForJob(t *testing.T) {
	h := newHarness(t)
	h.node.auto = false
	b := h.capture(document(harvest(bag1, 1)), mediaJSON)
	done := make(chan *httptest.ResponseRecorder, 1)
	waiting := make(chan struct{}, 8)
	h.node.hook = func(_ context.Context, method string) error {
		if method == "Wait" {
			waiting <- struct{}{}
		}
		return nil
	}
	go func() { done <- h.get(b.Location + "?wait=final") }()
	<-waiting
	h.node.seal()
	if j := ok[CaptureJob](t, <-done, 200); j.Running || !j.Success {
		t.Errorf("%+v", j)
	}
}

// The same capture is the same job, whether posted as a document, as transactions, on this node or on another.
func TestCaptureTwice(t *testing.T) {
	h, other := newHarness(t), newHarness(t)
	tx := h.captureTx("farm", ledger.Rollback, harvest(bag1, 1)).Raw()
	first := h.capture(string(tx), mediaTransaction)
	for _, again := range []*begun{h.capture(string(tx), mediaTransaction), h.capture(packed2(t, tx), mediaTransaction), other.capture(string(tx), mediaTransaction)} {
		if *again != *first {
			t.Errorf("again it is %+v, first it was %+v", again, first)
		}
	}
	if j := h.job(first.CaptureID); !j.Success || len(j.Transactions) != 1 {
		t.Errorf("%+v", j)
	}
	// The same events in another transaction are recorded once and are no error.
	again := h.captureTx("farm", ledger.Rollback, harvest(bag1, 1), harvest(bag2, 2))
	if j := h.job(h.capture(string(again.Raw()), mediaTransaction).CaptureID); !j.Success || j.Running {
		t.Errorf("duplicates and news: %+v", j)
	}
	if n := strings.Count(h.get("/epcis/v2/events").Body.String(), `"commissioning"`); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
	list := ok[[]CaptureJob](t, h.get(epcisRoot+"/capture"), 200)
	if len(*list) != 2 || (*list)[1].CaptureID != first.CaptureID {
		t.Errorf("jobs: %+v", *list)
	}
}

func TestIdempotencyKey(t *testing.T) {
	h := newHarness(t)
	doc := document(harvest(bag1, 1))
	first := h.capture(doc, mediaJSON, "Idempotency-Key", "k")
	height := h.node.Status().Height
	if again := h.capture(doc, mediaJSON, "Idempotency-Key", "k"); *again != *first || h.node.Status().Height != height {
		t.Errorf("again: %+v at height %d", again, h.node.Status().Height)
	}
	post := func(body string, headers ...string) *Problem {
		t.Helper()
		rec := h.do("POST", epcisRoot+"/capture", body, append([]string{"Content-Type", mediaJSON, "Idempotency-Key", "k"}, headers...)...)
		p := &Problem{}
		if err := json.Unmarshal(rec.Body.Bytes(), p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := post(document(harvest(bag2, 2))); p.Code != ErrConflict {
		t.Errorf("another document: %+v", p)
	}
	if p := post(doc, headerErrorBehaviour, "proceed"); p.Code != ErrConflict {
		t.Errorf("another mode: %+v", p)
	}
	if p := post(doc, "Idempotency-Key", strings.Repeat("k", 121)); p.Code != ErrBadRequest {
		t.Errorf("a long key: %+v", p)
	}
	// A capture that failed leaves its key free.
	if p := post("{", "Idempotency-Key", "k2"); p.Code != ErrValidation {
		t.Errorf("a broken document: %+v", p)
	}
	h.capture(doc, mediaJSON, "Idempotency-Key", "k2")
	// While the first is in progress, the second is told so.
	entered, leave := make(chan struct{}), make(chan struct{})
	h.node.hook = func(_ context.Context, method string) error {
		if method == "Submit" {
			close(entered)
			<-leave
		}
		return nil
	}
	done := make(chan int)
	go func() {
		done <- h.do("POST", epcisRoot+"/capture", doc, "Content-Type", mediaJSON, "Idempotency-Key", "k3").Code
	}()
	<-entered
	if p := post(doc, "Idempotency-Key", "k3"); p.Code != ErrConflict || p.RetryAfter == 0 {
		t.Errorf("in progress: %+v", p)
	}
	close(leave)
	if code := <-done; code != 202 {
		t.Errorf("the first gets %d", code)
	}
}

// What is wrong with a document is answered with the place, and nothing of it is captured.
func TestBadDocuments(t *testing.T) {
	h := newHarness(t)
	good := harvest(bag1, 1)
	for name, c := range map[string]struct {
		body, media   string
		kind          Kind
		pointer, says string
	}{
		"malformed":         {`{"type":`, mediaJSON, ErrValidation, "", ""},
		"trailing":          {document(good) + "x", mediaJSON, ErrValidation, "", ""},
		"duplicate name":    {strings.Replace(document(good), `"type":"ObjectEvent"`, `"type":"ObjectEvent","type":"ObjectEvent"`, 1), mediaJSON, ErrValidation, "/epcisBody/eventList/0", "type"},
		"deep":              {strings.Repeat("[", 100_000), mediaJSON, ErrValidation, "", ""},
		"invalid UTF-8":     {strings.Replace(document(good), "commissioning", "commission\xff", 1), mediaJSON, ErrValidation, "", ""},
		"unknown field":     {strings.Replace(document(good), `"action"`, `"acton":"ADD","action"`, 1), mediaJSON, ErrValidation, "/epcisBody/eventList/0/acton", "acton"},
		"wrong type":        {strings.Replace(document(good), `"action":"ADD"`, `"action":5`, 1), mediaJSON, ErrValidation, "/epcisBody/eventList/0/action", ""},
		"missing field":     {strings.Replace(document(good), `"action":"ADD",`, ``, 1), mediaJSON, ErrValidation, "/epcisBody/eventList/0", "action"},
		"check digit":       {document(harvest("https://id.gs1.org/01/09521321000019/21/1", 1)), mediaJSON, ErrValidation, "/epcisBody/eventList/0/epcList/0", "check digit"},
		"no events":         {document(), mediaJSON, ErrValidation, "", ""},
		"null":              {`null`, mediaJSON, ErrValidation, "", ""},
		"empty":             {``, mediaJSON, ErrBadRequest, "", "empty"},
		"no transaction":    {"\x01\x02", mediaTransaction, ErrTransaction, "", ""},
		"no transactions":   {"\x80", mediaTransaction, ErrTransaction, "", "1 to 256"},
		"many transactions": {packed2(t, make([][]byte, 257)...), mediaTransaction, ErrTransaction, "", ""},
		"a transfer":        {string(h.tx("farm", transfer()).Raw()), mediaTransaction, ErrTransaction, "", "/v1/transactions"},
		"cut transaction":   {string(h.captureTx("farm", ledger.Rollback, good).Raw()[:50]), mediaTransaction, ErrTransaction, "", ""},
		"form":              {"a=b", "application/x-www-form-urlencoded", ErrMediaType, "", mediaTransaction},
		"XML":               {"<epcis/>", "application/xml", ErrMediaType, "", mediaJSONLD},
		"no media type":     {document(good), "", ErrMediaType, "", ""},
		"other charset":     {document(good), "application/json; charset=utf-16", ErrMediaType, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := refused(t, h.do("POST", epcisRoot+"/capture", c.body, "Content-Type", c.media), c.kind)
			text, _ := json.Marshal(p)
			if !strings.Contains(string(text), c.says) {
				t.Errorf("%q is not in %s", c.says, text)
			}
			if c.pointer != "" && !slices.ContainsFunc(p.Errors, func(f Fault) bool { return strings.HasPrefix(f.Pointer, c.pointer) }) {
				t.Errorf("no fault at %s: %+v", c.pointer, p.Errors)
			}
			if p.Status == 400 && c.media == mediaJSON && p.Help == "" && p.Expected == "" {
				t.Errorf("does not say what to do: %s", text)
			}
		})
	}
	if h.node.Status().Height != 0 {
		t.Error("something was captured")
	}
	refused(t, h.do("POST", epcisRoot+"/capture", document(good), "Content-Type", mediaJSON, headerErrorBehaviour, "perhaps"), ErrBadRequest)
	refused(t, h.do("POST", epcisRoot+"/capture", document(good), "Content-Type", mediaJSON, "Content-Encoding", "gzip"), ErrMediaType)
	refused(t, h.do("POST", epcisRoot+"/capture?x=1", document(good), "Content-Type", mediaJSON), ErrBadRequest)
	refused(t, h.do("POST", epcisRoot+"/capture", document(good), "Content-Type", mediaJSON, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"), ErrForbidden)
	many := make([]string, maxCaptureEvents+1)
	for i := range many {
		many[i] = harvest(fmt.Sprintf("urn:epc:id:sgtin:9521321.000001.%d", i+1), 1)
	}
	if p := refused(t, h.do("POST", epcisRoot+"/capture", document(many...), "Content-Type", mediaJSON), ErrTooLarge); !strings.Contains(p.Help, "Split") {
		t.Errorf("%+v", p)
	}
	large := strings.Replace(good, `"action"`, `"example:x":"`+strings.Repeat("y", 220_000)+`","action"`, 1)
	doc := strings.Replace(document(large), `jsonld"]`, `jsonld",{"example":"https://example.org/"}]`, 1)
	refused(t, h.do("POST", epcisRoot+"/capture", doc, "Content-Type", mediaJSON), ErrTooLarge)
}

// A network that flags identifiers instead of refusing them takes documents with a wrong check digit.
func TestAdoptTakesBrokenIdentifiers(t *testing.T) {
	h := newHarness(t, func(c *Config) {
		g := *c.Genesis
		g.Params = ledger.AdoptParams()
		c.Genesis = &g
	})
	rec := h.do("POST", epcisRoot+"/capture", document(harvest("https://id.gs1.org/01/09521321000019/21/1", 1)), "Content-Type", mediaJSON)
	// The network of the fake is strict all the same; what matters is that the document got past the server's own check.
	if strings.Contains(rec.Body.String(), "validation") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

// The parameters in force decide, not those of genesis; they are asked for every document.
func TestParametersInForce(t *testing.T) {
	params := ledger.DefaultParams()
	h := newHarness(t, func(c *Config) { c.Params = func() ledger.Params { return params } })
	broken := document(harvest("https://id.gs1.org/01/09521321000019/21/1", 1))
	refused(t, h.do("POST", epcisRoot+"/capture", broken, "Content-Type", mediaJSON), ErrValidation)
	params.Rules.R3, params.ExpiryWindow = ledger.Flagged, 77
	if rec := h.do("POST", epcisRoot+"/capture", broken, "Content-Type", mediaJSON); strings.Contains(rec.Body.String(), "validation") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if at := h.server.chainPoint(); at.Params != params {
		t.Errorf("captures are made under %+v", at.Params)
	}
}

func TestNoSigner(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Signer = nil })
	p := refused(t, h.do("POST", epcisRoot+"/capture", document(harvest(bag1, 1)), "Content-Type", mediaJSON), ErrForbidden)
	if !strings.Contains(p.Help, "wallet") {
		t.Errorf("%+v", p)
	}
	// What is wrong with the document comes first.
	refused(t, h.do("POST", epcisRoot+"/capture", document(harvest("urn:epc:id:sgtin:1", 1)), "Content-Type", mediaJSON), ErrValidation)
	h.capture(string(h.captureTx("farm", ledger.Rollback, harvest(bag1, 1)).Raw()), mediaTransaction)
}

// A refusal of the ledger is on the job: rule, field, event and what stands in the way.
func TestRefusedCaptures(t *testing.T) {
	h := newHarness(t)
	h.captured()
	foreign := h.captureTx("hostile", ledger.Rollback, harvest("urn:epc:id:sgtin:9521321.000001.9", 9))
	j := h.job(h.capture(string(foreign.Raw()), mediaTransaction).CaptureID)
	if j.Running || j.Success || len(j.Errors) != 1 || j.Transactions[0].Status != TxRefused {
		t.Fatalf("%+v", j)
	}
	f := j.Errors[0].Errors[0]
	if j.Errors[0].Code != ErrRefused || j.Errors[0].Rule != "R2" || f.Pointer != "/epcList/0" || f.EventIndex == nil || *f.EventIndex != 0 || f.Transaction != foreign.ID().String() || f.Help == "" {
		t.Errorf("%+v", j.Errors[0])
	}
	if j.CaptureErrorBehaviour != "rollback" {
		t.Errorf("behaviour %s", j.CaptureErrorBehaviour)
	}
	// In proceed mode what is right is recorded, and the job still says what was not.
	mixed := h.captureTx("farm", ledger.Proceed, harvest(bag1, 30), harvest("urn:epc:id:sgtin:9521321.000001.10", 10))
	j = h.job(h.capture(string(mixed.Raw()), mediaTransaction).CaptureID)
	if j.Running || j.Success || len(j.Errors) != 1 || j.CaptureErrorBehaviour != "proceed" || j.Errors[0].Errors[0].Conflict == "" {
		t.Errorf("%+v", j)
	}
	info := ok[TxInfo](t, h.get("/v1/transactions/"+mixed.ID().String()), 200)
	if info.Receipt == nil || len(info.Receipt.Events) != 2 || info.Receipt.Events[0].Status != "refused" || info.Receipt.Events[1].Status != "accepted" {
		t.Errorf("%+v", info.Receipt)
	}
	// Refused before it is ordered: the answer itself, not a job.
	p := refused(t, h.do("POST", epcisRoot+"/capture", string(h.captureTx("nobody", ledger.Rollback, harvest(bag1, 1)).Raw()), "Content-Type", mediaTransaction), ErrRefused)
	if p.Rule != "R1" || p.Help == "" {
		t.Errorf("%+v", p)
	}
}

// When the node takes some transactions of a call and refuses a later one, the job says so, and posting the taken ones again is the
// same job without the refusal.
func TestPartlyTaken(t *testing.T) {
	h := newHarness(t)
	one, two := h.captureTx("farm", ledger.Rollback, harvest(bag1, 1)), h.captureTx("nobody", ledger.Rollback, harvest(bag2, 2))
	b := h.capture(packed2(t, one.Raw(), two.Raw()), mediaTransaction)
	j := h.job(b.CaptureID)
	if j.Running || j.Success || len(j.Transactions) != 1 || len(j.Errors) != 1 || j.Errors[0].Code != ErrRefused {
		t.Fatalf("%+v", j)
	}
	if again := h.capture(string(one.Raw()), mediaTransaction); again.CaptureID != b.CaptureID || !h.job(b.CaptureID).Success {
		t.Errorf("%+v", h.job(b.CaptureID))
	}
	// A fault inside is not shown, on a job either.
	calls := 0
	h.node.hook = func(_ context.Context, method string) error {
		if method == "Submit" {
			if calls++; calls == 2 {
				return fmt.Errorf("secret")
			}
		}
		return nil
	}
	three, four := h.captureTx("farm", ledger.Rollback, harvest("urn:epc:id:sgtin:9521321.000001.3", 3)), h.captureTx("farm", ledger.Rollback, harvest("urn:epc:id:sgtin:9521321.000001.4", 4))
	rec := h.get(h.capture(packed2(t, three.Raw(), four.Raw()), mediaTransaction).Location)
	if strings.Contains(rec.Body.String(), "secret") || len(h.faults) != 1 {
		t.Errorf("%s; faults %v", rec.Body, h.faults)
	}
}

func TestJobsOfLostTransactions(t *testing.T) {
	h := newHarness(t)
	lost := crypto.Hash{1}
	expired := crypto.Hash{2}
	for _, id := range []crypto.Hash{lost, expired} {
		if err := h.server.cfg.Jobs.SaveJob(t.Context(), Job{ID: id.String(), CreatedMs: testStart, Mode: "rollback", Transactions: []crypto.Hash{id}}); err != nil {
			t.Fatal(err)
		}
	}
	h.node.txs[expired] = &Transaction{Status: TxExpired}
	if j := h.job(lost.String()); j.Running || j.Success || j.Errors[0].Code != ErrNotFound {
		t.Errorf("%+v", j)
	}
	if j := h.job(expired.String()); j.Running || j.Success || !strings.Contains(j.Errors[0].Detail, "expired") {
		t.Errorf("%+v", j)
	}
	// Any capture transaction that the node knows is a job.
	tx := h.captureTx("farm", ledger.Proceed, harvest(bag1, 1))
	ok[TxInfo](t, h.do("POST", "/v1/transactions?wait=final", string(tx.Raw()), "Content-Type", mediaTransaction), 200)
	if j := h.job(tx.ID().String()); !j.Success || j.Running || j.CaptureErrorBehaviour != "proceed" {
		t.Errorf("%+v", j)
	}
}

func TestPostEvent(t *testing.T) {
	h := newHarness(t)
	bare := func(event string) string {
		return strings.Replace(event, "{", `{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],`, 1)
	}
	rec := h.do("POST", epcisRoot+"/events", bare(harvest(bag1, 1)), "Content-Type", mediaJSONLD)
	j := ok[CaptureJob](t, rec, 201)
	if j.Running || !j.Success {
		t.Errorf("%+v", j)
	}
	at := rec.Header().Get("Location")
	if got := h.get(at); got.Code != 200 || !strings.Contains(got.Body.String(), bag1) {
		t.Errorf("at %s there is %d %s", at, got.Code, got.Body)
	}
	named := strings.Replace(bare(harvest(bag2, 2)), `"type"`, `"eventID":"urn:uuid:0e0b8d5c-93a4-4d5b-8d1c-2f6d2a1b9c7e","type"`, 1)
	rec = h.do("POST", epcisRoot+"/events", named, "Content-Type", mediaJSON)
	ok[CaptureJob](t, rec, 201)
	if got := h.get(rec.Header().Get("Location")); got.Code != 200 || !strings.Contains(got.Body.String(), "0e0b8d5c") {
		t.Errorf("%s: %d %s", rec.Header().Get("Location"), got.Code, got.Body)
	}
	refused(t, h.do("POST", epcisRoot+"/events", document(harvest(bag1, 1)), "Content-Type", mediaJSON), ErrValidation)
	p := refused(t, h.do("POST", epcisRoot+"/events", bare(harvest(bag1, 40)), "Content-Type", mediaJSON), ErrRefused)
	if p.Rule == "" || len(p.Errors) == 0 || p.Errors[0].Conflict == "" {
		t.Errorf("commissioned twice: %+v", p)
	}
}

// An event whose block does not come is answered with its job, and does not keep others out while it waits.
func TestPostEventWaitsLightly(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.Heavy, c.Limits.WaitTime = 1, time.Second })
	h.node.auto = false
	waiting := make(chan struct{})
	h.node.hook = func(_ context.Context, method string) error {
		if method == "Wait" {
			close(waiting)
		}
		return nil
	}
	done := make(chan *httptest.ResponseRecorder, 1)
	go func() {
		done <- h.do("POST", epcisRoot+"/events", harvest(bag1, 1), "Content-Type", mediaJSON)
	}()
	<-waiting
	if rec := h.get("/epcis/v2/events"); rec.Code != 200 {
		t.Errorf("a query meanwhile gets %d %s", rec.Code, rec.Body)
	}
	h.server.stop() // as at shutdown: waits end
	if b := ok[begun](t, <-done, 202); !h.job(b.CaptureID).Running {
		t.Errorf("%+v", b)
	}
}

func TestPostTransaction(t *testing.T) {
	h := newHarness(t, impatient)
	h.node.auto = false
	tx := h.tx("farm", transfer())
	post := func(query string) *TxInfo {
		t.Helper()
		status := 202
		if h.node.Status().Height > 0 {
			status = 200
		}
		rec := h.do("POST", "/v1/transactions"+query, string(tx.Raw()), "Content-Type", mediaTransaction)
		if rec.Header().Get("Location") != "/v1/transactions/"+tx.ID().String() {
			t.Errorf("Location %q", rec.Header().Get("Location"))
		}
		return ok[TxInfo](t, rec, status)
	}
	for _, query := range []string{"", "?wait=none", "?wait=final"} {
		if info := post(query); info.Status != TxPending || info.ID != tx.ID() || info.Body.Kind != ledger.KindTransfer {
			t.Errorf("%q: %+v", query, info)
		}
	}
	h.node.seal()
	if info := post("?wait=final"); info.Status != TxFinal || info.Height != 1 || !info.Receipt.OK || info.Receipt.Fee == 0 {
		t.Errorf("%+v", info)
	}
	if info := post(""); info.Status != TxFinal {
		t.Errorf("sent again: %+v", info)
	}
	refused(t, h.do("POST", "/v1/transactions", "junk", "Content-Type", mediaTransaction), ErrTransaction)
	refused(t, h.do("POST", "/v1/transactions", "{}", "Content-Type", mediaJSON), ErrMediaType)
	refused(t, h.do("POST", "/v1/transactions", string(h.tx("nobody", transfer()).Raw()), "Content-Type", mediaTransaction), ErrRefused)
	refused(t, h.do("POST", "/v1/transactions?wait=accepted", string(tx.Raw()), "Content-Type", mediaTransaction), ErrBadRequest)
	expired := h.tx("farm", transfer(), 9)
	expired.Body.ExpiryHeight = 1
	late, err := ledger.Sign(expired.Body, keyOf("farm"))
	if err != nil {
		t.Fatal(err)
	}
	p := refused(t, h.do("POST", "/v1/transactions", string(late.Raw()), "Content-Type", mediaTransaction), ErrRefused)
	if !strings.Contains(p.Detail, "expire") || p.Help == "" {
		t.Errorf("expired: %+v", p)
	}
}

// The events in an answer are a query document that reads back as the events that were captured.
func TestEventsReadBack(t *testing.T) {
	h := newHarness(t)
	h.captured()
	sent, err := epcis.ParseDocument([]byte(document(harvest(bag1, 1), harvest(bag2, 2), bear(lot1))))
	if err != nil {
		t.Fatal(err)
	}
	got, err := epcis.ParseDocument(h.get("/epcis/v2/events").Body.Bytes())
	if err != nil || len(got.Events) != len(sent.Events) {
		t.Fatalf("%v, %d events", err, len(got.Events))
	}
	for i, e := range got.Events {
		if want := eventURN + sent.Events[i].Hash().String(); e.EventID != want {
			t.Errorf("event %d has id %s, want %s", i, e.EventID, want)
		}
		e.EventID, e.RecordTime = "", epcis.Timestamp{}
		if e.Hash() != sent.Events[i].Hash() {
			t.Errorf("event %d came back changed", i)
		}
	}
}

func TestMemoryJobs(t *testing.T) {
	m := NewMemoryJobs(3)
	for i := range 5 {
		if err := m.SaveJob(t.Context(), Job{ID: fmt.Sprint(i), CreatedMs: int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.LoadJob(t.Context(), "1"); err != ErrNotFound {
		t.Errorf("the second oldest: %v", err)
	}
	list, err := m.ListJobs(t.Context(), "", 10)
	if err != nil || len(list) != 3 || list[0].ID != "4" {
		t.Errorf("%v %v", list, err)
	}
	if list, err = m.ListJobs(t.Context(), "4", 1); err != nil || len(list) != 1 || list[0].ID != "3" {
		t.Errorf("%v %v", list, err)
	}
	if _, err := m.ListJobs(t.Context(), "0", 1); err != ErrNotFound {
		t.Errorf("after a forgotten job: %v", err)
	}
}

func TestIdempotencyForgetsTheOldest(t *testing.T) {
	k := newIdempotency(2)
	for i := range 4 {
		if _, err := k.begin(fmt.Sprint(i), crypto.Hash{}); err != nil {
			t.Fatal(err)
		}
		k.end(fmt.Sprint(i), "job")
	}
	if len(k.byKey) != 2 || len(k.order) != 2 {
		t.Errorf("%d keys, %d in order", len(k.byKey), len(k.order))
	}
	if job, err := k.begin("3", crypto.Hash{}); job != "job" || err != nil {
		t.Errorf("%q %v", job, err)
	}
}
