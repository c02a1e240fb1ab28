package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"waybill/ledger"
)

// A body of exactly the limit is read, one byte more is 413; the default limit is that of EPCIS documents.
func TestBodyLimit(t *testing.T) {
	h := newHarness(t)
	limit := int(h.server.cfg.Limits.BodyBytes)
	if limit != 10<<20 {
		t.Fatalf("the limit is %d", limit)
	}
	doc := document(harvest(bag1, 1))
	fill := func(size int) string { return doc + strings.Repeat(" ", size-len(doc)) }
	h.capture(fill(limit), mediaJSON)
	for name, change := range map[string]func(*http.Request){"with a length": func(*http.Request) {}, "chunked": func(r *http.Request) { r.ContentLength = -1 }} {
		r := httptest.NewRequest("POST", epcisRoot+"/capture", strings.NewReader(fill(limit+1)))
		r.Header.Set("Content-Type", mediaJSON)
		change(r)
		rec := httptest.NewRecorder()
		h.handler.ServeHTTP(rec, r)
		p := refused(t, rec, ErrTooLarge)
		if !strings.Contains(p.Detail, fmt.Sprint(limit)) || !strings.Contains(p.Help, "Split") || gs1Header(rec, "GS1-EPCIS-Capture-File-Size-Limit") == nil {
			t.Errorf("%s: %+v %v", name, p, rec.Header())
		}
	}
	if n := h.server.bodies.left.Load(); n != h.server.cfg.Limits.BodiesBytes {
		t.Errorf("%d bytes of bodies are left, want all", n)
	}
}

// Over the wire a body that is too large is refused before it was sent, and the connection does not stay.
func TestBodyLimitOnTheWire(t *testing.T) {
	h := newHarness(t)
	conn := dial(t, h.serve())
	fmt.Fprintf(conn, "POST /epcis/v2/capture HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", 10<<20+1)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 413 || !res.Close {
		t.Errorf("status %d, closes %v", res.StatusCode, res.Close)
	}
}

// All bodies together are bounded by what has arrived of them, not by what was promised.
func TestBodiesTogether(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.BodiesBytes = 1000 })
	doc := document(harvest(bag1, 1))
	for range 3 { // what was taken is given back
		h.capture(doc, mediaJSON)
	}
	p := refused(t, h.do("POST", epcisRoot+"/capture", doc+strings.Repeat(" ", 1000), "Content-Type", mediaJSON), ErrBusy)
	if p.RetryAfter == 0 {
		t.Errorf("%+v", p)
	}
	h.capture(doc, mediaJSON)
	if n := h.server.bodies.left.Load(); n != 1000 {
		t.Errorf("%d bytes are left, want 1000", n)
	}
}

func TestRate(t *testing.T) {
	now := time.UnixMilli(testStart)
	var mu sync.Mutex
	h := newHarness(t, func(c *Config) {
		c.Limits.RatePerSecond, c.Limits.Burst = 2, 3
		c.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	ask := func(addr string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/v1/status", nil)
		r.RemoteAddr = addr
		r.Header.Set("X-Forwarded-For", fmt.Sprint(addr, now)) // believed by nobody
		rec := httptest.NewRecorder()
		h.handler.ServeHTTP(rec, r)
		return rec
	}
	for i := range 3 {
		if rec := ask("192.0.2.1:1000"); rec.Code != 200 {
			t.Fatalf("request %d: %d", i, rec.Code)
		}
	}
	p := refused(t, ask("192.0.2.1:2000"), ErrRateLimited)
	if p.Status != 429 || p.RetryAfter != 1 {
		t.Errorf("%+v", p)
	}
	if rec := ask("192.0.2.2:1000"); rec.Code != 200 {
		t.Errorf("another address gets %d", rec.Code)
	}
	mu.Lock()
	now = now.Add(time.Second)
	mu.Unlock()
	if rec := ask("192.0.2.1:1000"); rec.Code != 200 {
		t.Errorf("a second later it gets %d", rec.Code)
	}
}

func TestVisitors(t *testing.T) {
	v, err := newVisitors(Limits{PerAddress: 2, Addresses: 2, RatePerSecond: -1})
	if err != nil {
		t.Fatal(err)
	}
	now := time.UnixMilli(testStart)
	at := func(i byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, i}) }
	for range 2 {
		if p := v.enter(at(1), now); p != nil {
			t.Fatal(p)
		}
	}
	// Others push the address out of the cache; it stays as busy as it is.
	for i := byte(2); i < 9; i++ {
		if p := v.enter(at(i), now); p != nil {
			t.Fatal(p)
		}
		v.leave(at(i))
	}
	if p := v.enter(at(1), now); p == nil || p.Code != ErrRateLimited {
		t.Errorf("a third at once: %v", p)
	}
	v.leave(at(1))
	v.leave(at(1))
	if len(v.busy) != 0 || v.seen.Len() > 2 {
		t.Errorf("%d busy, %d remembered", len(v.busy), v.seen.Len())
	}
	for text, want := range map[string]string{
		"192.0.2.1:5": "192.0.2.1", "[::ffff:192.0.2.1]:5": "192.0.2.1", "[2001:db8:1:2:3:4:5:6]:5": "2001:db8:1:2::", "[fe80::1%eth0]:5": "fe80::", "pipe": "::",
	} {
		if got := clientAddr(&http.Request{RemoteAddr: text}); got.String() != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

// At its limits the server says so at once.
func TestTooManyAtOnce(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.Requests, c.Limits.Heavy = 2, 1 })
	entered, leave := make(chan struct{}, 1), make(chan struct{})
	h.node.hook = func(_ context.Context, method string) error {
		if method == "Find" {
			entered <- struct{}{}
			<-leave
		}
		return nil
	}
	done := make(chan int)
	go func() { done <- h.get("/epcis/v2/events").Code }()
	<-entered
	p := refused(t, h.get("/epcis/v2/events"), ErrBusy) // heavy
	if p.Status != 503 || p.RetryAfter == 0 {
		t.Errorf("%+v", p)
	}
	ok[Status](t, h.get("/v1/status"), 200) // light
	h.server.all.take()
	p = refused(t, h.get("/v1/status"), ErrBusy)
	if p.Status != 503 || p.RetryAfter == 0 {
		t.Errorf("%+v", p)
	}
	h.server.all.release()
	close(leave)
	if code := <-done; code != 200 {
		t.Errorf("the first gets %d", code)
	}
}

// Questions that walk hold much of what they read: they have places of their own, and leave the others theirs.
func TestTooManyWalksAtOnce(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.Walks = 2 })
	walks := []string{"/v1/trace/back?item=x", "/v1/trace/forward?item=x", "/v1/scope?item=x", "/v1/recalls/" + strings.Repeat("00", 32) + "/scope", "/v1/massbalance?lot=x"}
	h.server.walks.take()
	for _, path := range walks {
		if code := h.get(path).Code; code == 503 {
			t.Errorf("%s is refused with one place left: %d", path, code)
		}
	}
	h.server.walks.take()
	for _, path := range walks {
		if p := refused(t, h.get(path), ErrBusy); p.Status != 503 || p.RetryAfter == 0 {
			t.Errorf("%s: %+v", path, p)
		}
	}
	ok[json.RawMessage](t, h.get("/epcis/v2/events"), 200)
	if len(h.server.walks) != 2 || len(h.server.heavy) != 0 {
		t.Errorf("%d and %d places are taken", len(h.server.walks), len(h.server.heavy))
	}
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	// The tests assert that the server ends things; this only keeps a failure from hanging.
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Who does not finish the head of a request is cut off, and others are served meanwhile.
func TestSlowloris(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.HeadTime, c.Limits.IdleTime = 100*time.Millisecond, 100*time.Millisecond })
	addr := h.serve()
	for name, head := range map[string]string{"nothing": "", "half a head": "GET /v1/status HTTP/1.1\r\nHost: x\r\nX-A: ", "idle": "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, addr)
			if _, err := io.WriteString(conn, head); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, conn); err != nil {
				t.Errorf("the server did not close the connection: %v", err)
			}
		})
	}
	conn := dial(t, addr)
	fmt.Fprintf(conn, "GET /v1/status HTTP/1.1\r\nHost: x\r\nCookie: %s\r\n\r\n", strings.Repeat("c", 64<<10))
	if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
		// The server may close before all of a large head was sent.
		var op *net.OpError
		if !errors.As(err, &op) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	} else if res.Body.Close(); res.StatusCode != 431 {
		t.Errorf("a head of 64 KiB gets %d", res.StatusCode)
	}
}

// A body that stops coming is cut off at Limits.BodyTime at the latest.
func TestSlowBody(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.BodyTime = 150 * time.Millisecond })
	conn := dial(t, h.serve())
	fmt.Fprintf(conn, "POST /epcis/v2/capture HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 400 {
		t.Errorf("status %d", res.StatusCode)
	}
}

// deadlines is a connection that only knows its read deadline.
type deadlines struct {
	http.ResponseWriter
	at time.Time
}

// SetReadDeadline is found by http.ResponseController.
func (d *deadlines) SetReadDeadline(at time.Time) error { d.at = at; return nil }

// The deadline of each read: a pause is bounded, a trickle runs into the minimal speed, and nothing outlasts the end.
func TestBodyReaderDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		conn := &deadlines{}
		b := &bodyReader{control: http.NewResponseController(conn), start: start, end: start.Add(time.Minute), next: bytes.NewReader(make([]byte, 1<<20))}
		read := func(n int) time.Duration {
			t.Helper()
			if _, err := b.Read(make([]byte, n)); err != nil {
				t.Fatal(err)
			}
			return conn.at.Sub(start)
		}
		if got := read(1); got != bodyPause {
			t.Errorf("first read until %s", got)
		}
		time.Sleep(4 * time.Second)
		if got := read(1 << 18); got != bodyPause {
			t.Errorf("after a trickle of 1 byte until %s, want the grace", got)
		}
		if got, want := read(1), 4*time.Second+bodyPause; got != want {
			t.Errorf("after 256 KiB until %s, want %s", got, want)
		}
		time.Sleep(54 * time.Second)
		if got := read(1); got != bodyPause+8*time.Second {
			t.Errorf("after 58 s until %s, which is past", got)
		}
		b.total = 1 << 30
		if got := read(1); got != time.Minute {
			t.Errorf("last read until %s, want the end", got)
		}
	})
}

// When the server stops, waiting requests end with what is known, and Serve returns nil.
func TestStopEndsWaits(t *testing.T) {
	h := newHarness(t)
	h.node.auto = false
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- h.server.Serve(ctx, l) }()
	waiting := make(chan struct{}, 1)
	h.node.hook = func(_ context.Context, method string) error {
		if method == "Wait" {
			waiting <- struct{}{}
		}
		return nil
	}
	tx := h.tx("farm", transfer())
	answered := make(chan string, 1)
	go func() {
		res, err := http.Post("http://"+l.Addr().String()+"/v1/transactions?wait=final", mediaTransaction, bytes.NewReader(tx.Raw()))
		if err != nil {
			answered <- err.Error()
			return
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		answered <- string(body)
	}()
	<-waiting
	cancel()
	if body := <-answered; !strings.Contains(body, `"pending"`) {
		t.Errorf("answered %s", body)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// A full server that is told to stop while it waits for a free connection ends as well.
func TestStopWhileFull(t *testing.T) {
	for range 5 { // which of two goroutines notices first is chance
		h := newHarness(t, func(c *Config) { c.Limits.Connections = 1; c.Limits.StopTime = time.Millisecond })
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- h.server.Serve(ctx, l) }()
		conn := dial(t, l.Addr().String())
		io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
		if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			t.Fatal(err)
		} else {
			_ = res.Body.Close()
		}
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
}

// When the listener fails, Serve says so.
func TestServeSaysWhyItEnds(t *testing.T) {
	h := newHarness(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := h.server.Serve(t.Context(), l); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("Serve: %v", err)
	}
}

// An answer that would be larger than a reader takes is refused with what to do.
func TestAnswerTooLarge(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.AnswerBytes = 1500 })
	h.captured()
	if p := refused(t, h.get("/epcis/v2/events?perPage=100"), ErrTooLarge); !strings.Contains(p.Help, "perPage") {
		t.Errorf("%+v", p)
	}
	if rec := h.get("/epcis/v2/events?perPage=1"); rec.Code != 200 {
		t.Errorf("one of them: %d", rec.Code)
	}
}

// Refusals of a transaction that the ledger makes before it is ordered say the rule and what to do.
func TestRuleProblem(t *testing.T) {
	err := &ledger.RuleError{Finding: ledger.Finding{Code: ledger.CodeExpired, EventIndex: -1, Args: []string{"5", "9"}}}
	p := problemOf(fmt.Errorf("transaction 3: %w", err))
	if p.Code != ErrRefused || p.Status != 422 || p.Rule != "R1" || p.Help == "" || len(p.Errors) != 1 || p.Errors[0].EventIndex != nil {
		t.Errorf("%+v", p)
	}
	if !errors.Is(p, ErrRefused) || !strings.Contains(p.Error(), p.Help) {
		t.Errorf("%v", p)
	}
}
