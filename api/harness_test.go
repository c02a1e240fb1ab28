package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
)

// seen is every answer that any test of this package got, so that TestMain can hold it against openapi.json.
var seen sync.Map // "METHOD pattern status" -> true

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if undocumented := undocumentedAnswers(); len(undocumented) > 0 {
			fmt.Fprintln(os.Stderr, "answers that openapi.json does not describe:\n\t"+strings.Join(undocumented, "\n\t"))
			code = 1
		}
		os.Exit(code)
	}))
}

func undocumentedAnswers() []string {
	doc, err := readOpenAPI()
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	seen.Range(func(key, _ any) bool {
		o := key.(Observation)
		op := doc.operation(o.Method, o.Route)
		if op == nil || op.Responses[fmt.Sprint(o.Status)] == nil {
			out = append(out, fmt.Sprintf("%s %s: %d", o.Method, o.Route, o.Status))
		}
		return true
	})
	slices.Sort(out)
	return out
}

// harness is a server over a fake node.
type harness struct {
	tb      testing.TB
	node    *fakeNode
	server  *Server
	handler http.Handler

	mu     sync.Mutex
	faults []string
}

func newHarness(tb testing.TB, change ...func(*Config)) *harness {
	tb.Helper()
	h := &harness{tb: tb, node: newFakeNode(tb)}
	cfg := Config{Genesis: h.node.genesis, Chain: h.node, State: h.node, Prover: h.node, Submitter: h.node, Transactions: h.node, Events: h.node,
		Trace: h.node, Node: h.node, Signer: fakeSigner{}, Limits: Limits{RatePerSecond: -1},
		Observe: func(o Observation) {
			o.Elapsed = 0
			if o.Method != "none" {
				seen.Store(o, true)
			}
		},
		Fault: func(route string, err error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.faults = append(h.faults, route+": "+err.Error())
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.stop)
	tb.Cleanup(func() {
		h.node.mu.Lock()
		defer h.node.mu.Unlock()
		if h.node.open != 0 {
			tb.Errorf("%d states were not closed", h.node.open)
		}
	})
	h.server, h.handler = s, s.Handler()
	return h
}

// impatient makes waits short.
func impatient(c *Config) { c.Limits.WaitTime = 30 * time.Millisecond }

// do sends a request past the network. headers are names and values.
func (h *harness) do(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	h.tb.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	h.handler.ServeHTTP(rec, r)
	return rec
}

func (h *harness) get(target string, headers ...string) *httptest.ResponseRecorder {
	h.tb.Helper()
	return h.do(http.MethodGet, target, "", headers...)
}

// gs1Header returns a header in the spelling of the standard, which is not that of Go.
func gs1Header(rec *httptest.ResponseRecorder, name string) []string { return rec.Header()[name] }

// ok decodes a success into a T.
func ok[T any](tb testing.TB, rec *httptest.ResponseRecorder, status int) *T {
	tb.Helper()
	if rec.Code != status {
		tb.Fatalf("status %d, want %d: %s", rec.Code, status, rec.Body)
	}
	out := new(T)
	if err := json.Unmarshal(rec.Body.Bytes(), out); err != nil {
		tb.Fatalf("%v: %s", err, rec.Body)
	}
	return out
}

// refused checks that the answer is a whole problem of a kind and returns it.
func refused(tb testing.TB, rec *httptest.ResponseRecorder, kind Kind) *Problem {
	tb.Helper()
	p := &Problem{}
	if err := json.Unmarshal(rec.Body.Bytes(), p); err != nil {
		tb.Fatalf("status %d, not a problem: %v: %s", rec.Code, err, rec.Body)
	}
	if p.Code != kind || rec.Code != p.Status {
		tb.Fatalf("status %d and problem %d %s, want %s: %s", rec.Code, p.Status, p.Code, kind, rec.Body)
	}
	if got := rec.Header().Get("Content-Type"); got != "application/problem+json" {
		tb.Errorf("media type %q", got)
	}
	if p.Title == "" || p.Type == "" || p.Instance == "" {
		tb.Errorf("not a whole problem: %s", rec.Body)
	}
	if (p.RetryAfter > 0) != (rec.Header().Get("Retry-After") != "") {
		tb.Errorf("retryAfter %d, Retry-After %q", p.RetryAfter, rec.Header().Get("Retry-After"))
	}
	return p
}

// serve runs the server on loopback until the test ends and returns its address.
func (h *harness) serve() string {
	h.tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.server.Serve(ctx, l) }()
	h.tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			h.tb.Errorf("serving: %v", err)
		}
	})
	return l.Addr().String()
}

// client talks to the served server.
func (h *harness) client() *Client {
	h.tb.Helper()
	c, err := NewClient(h.serve())
	if err != nil {
		h.tb.Fatal(err)
	}
	h.tb.Cleanup(c.Close)
	return c
}

// tx signs a transaction of any kind.
func (h *harness) tx(author string, p ledger.Payload, salt ...byte) *ledger.Transaction {
	h.tb.Helper()
	body, err := ledger.NewBody(h.node.domain.Genesis, keyOf(author).Address(), h.node.Status().Height+100, p)
	if err != nil {
		h.tb.Fatal(err)
	}
	copy(body.Salt[:], salt)
	tx, err := ledger.Sign(body, keyOf(author))
	if err != nil {
		h.tb.Fatal(err)
	}
	return tx
}

func transfer() *ledger.Transfer { return &ledger.Transfer{To: keyOf("friend").Address(), Amount: 5} }

const (
	bag1 = "urn:epc:id:sgtin:9521321.000001.1"
	bag2 = "urn:epc:id:sgtin:9521321.000001.2"
	lot1 = "urn:epc:class:lgtin:9521321.000002.L1"
)

// harvest commissions an item; minute keeps events apart.
func harvest(epc string, minute int) string {
	return fmt.Sprintf(`{"type":"ObjectEvent","action":"ADD","bizStep":"commissioning","disposition":"active","eventTime":"2026-05-01T07:%02d:00Z",`+
		`"eventTimeZoneOffset":"+00:00","epcList":[%q],"readPoint":{"id":"urn:epc:id:sgln:9521321.00001.0"}}`, minute, epc)
}

// bear brings a quantity of a lot into being.
func bear(lot string) string {
	return fmt.Sprintf(`{"type":"ObjectEvent","action":"ADD","bizStep":"commissioning","eventTime":"2026-05-01T07:00:30Z",`+
		`"eventTimeZoneOffset":"+00:00","quantityList":[{"epcClass":%q,"quantity":12.5,"uom":"KGM"}]}`, lot)
}

func document(events ...string) string {
	return `{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],"type":"EPCISDocument","schemaVersion":"2.0",` +
		`"creationDate":"2026-05-01T08:00:00Z","epcisBody":{"eventList":[` + strings.Join(events, ",") + `]}}`
}

// captured records the usual goods.
func (h *harness) captured() *CaptureJob {
	h.tb.Helper()
	rec := h.do("POST", epcisRoot+"/capture", document(harvest(bag1, 1), harvest(bag2, 2), bear(lot1)), "Content-Type", mediaJSON)
	begun := ok[struct{ CaptureID string }](h.tb, rec, 202)
	job := ok[CaptureJob](h.tb, h.get(epcisRoot+"/capture/"+begun.CaptureID), 200)
	if job.Running || !job.Success {
		h.tb.Fatalf("the usual goods were not recorded: %+v", job)
	}
	return job
}

// captureTx signs a capture of events written in JSON.
func (h *harness) captureTx(author string, mode ledger.CaptureMode, events ...string) *ledger.Transaction {
	h.tb.Helper()
	doc, err := epcis.ParseDocument([]byte(document(events...)))
	if err != nil {
		h.tb.Fatal(err)
	}
	c := &ledger.Capture{Mode: mode}
	for _, e := range doc.Events {
		data, err := epcis.EncodeEvent(e)
		if err != nil {
			h.tb.Fatal(err)
		}
		c.Events = append(c.Events, data)
	}
	return h.tx(author, c)
}

func packed2(tb testing.TB, raws ...[]byte) string {
	tb.Helper()
	b, err := crypto.Marshal(raws)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}
