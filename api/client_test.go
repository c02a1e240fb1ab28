package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// Every method of the client, against the real server on a socket.
func TestClientRoundTrip(t *testing.T) {
	h := newHarness(t)
	c := h.client()
	ctx := t.Context()

	id, err := c.Capture(ctx, []byte(document(harvest(bag1, 1), harvest(bag2, 2), bear(lot1))), CaptureOptions{IdempotencyKey: "k", Mode: ledger.Proceed})
	check(t, err)
	again, err := c.Capture(ctx, []byte(document(harvest(bag1, 1), harvest(bag2, 2), bear(lot1))), CaptureOptions{IdempotencyKey: "k", Mode: ledger.Proceed})
	check(t, err)
	job, err := c.WaitJob(ctx, id)
	check(t, err)
	if id != again || !job.Success || job.Running || job.CaptureErrorBehaviour != "proceed" || job.Err() != nil {
		t.Fatalf("job %s, again %s: %+v", id, again, job)
	}
	one, two := h.captureTx("farm", ledger.Rollback, harvest("urn:epc:id:sgtin:9521321.000001.3", 3)), h.captureTx("hostile", ledger.Rollback, harvest("urn:epc:id:sgtin:9521321.000001.4", 4))
	id2, err := c.CaptureTransactions(ctx, [][]byte{one.Raw(), two.Raw()})
	check(t, err)
	job2, err := c.CaptureJob(ctx, id2)
	check(t, err)
	var p *Problem
	if err := job2.Err(); !errors.Is(err, ErrRefused) || !errors.As(err, &p) || p.Rule != "R2" {
		t.Errorf("the second was commissioned under a foreign prefix: %v", err)
	}
	event, err := c.CaptureEvent(ctx, []byte(harvest("urn:epc:id:sgtin:9521321.000001.5", 5)))
	check(t, err)
	if !event.Success || event.Running {
		t.Errorf("%+v", event)
	}
	jobs, err := c.CaptureJobs(ctx, "", 2)
	check(t, err)
	rest, err := c.CaptureJobs(ctx, jobs.Next, 2)
	check(t, err)
	if len(jobs.Jobs) != 2 || len(rest.Jobs) != 1 || rest.Next != "" || rest.Jobs[0].CaptureID != id {
		t.Errorf("jobs %+v, then %+v", jobs, rest)
	}

	status, err := c.Status(ctx)
	check(t, err)
	if !reflect.DeepEqual(*status, h.node.Status()) {
		t.Errorf("status %+v", status)
	}
	genesis, err := c.Genesis(ctx)
	check(t, err)
	if genesis.Hash() != status.Genesis {
		t.Error("the genesis document changed on its way")
	}
	for range 2 { // asked for once, then remembered
		at, err := c.ChainPoint(ctx)
		check(t, err)
		if at.Height != status.Height || at.Genesis != status.Genesis || at.Params != h.node.genesis.Params {
			t.Errorf("chain point %+v", at)
		}
	}
	peers, err := c.Peers(ctx)
	check(t, err)
	if !reflect.DeepEqual(peers, h.node.peers) {
		t.Errorf("peers %+v", peers)
	}

	blocks, err := c.Blocks(ctx, 0, 2)
	check(t, err)
	older, err := c.Blocks(ctx, *blocks.Next, 0)
	check(t, err)
	if len(blocks.Blocks) != 2 || blocks.Blocks[0].Hash != status.BlockHash || older.Blocks[0].Height != status.Height-2 || older.Next != nil {
		t.Errorf("blocks %+v, then %+v", blocks, older)
	}
	latest, err := c.Block(ctx, "latest")
	check(t, err)
	byHash, err := c.Block(ctx, status.BlockHash.String())
	check(t, err)
	byHeight, err := c.BlockAt(ctx, status.Height)
	check(t, err)
	if !reflect.DeepEqual(latest, byHash) || !reflect.DeepEqual(latest, byHeight) || latest.Hash != status.BlockHash {
		t.Errorf("three names of one block: %+v %+v %+v", latest, byHash, byHeight)
	}
	if header, err := quorum.DecodeHeader(latest.HeaderBytes); err != nil || header.Hash() != latest.Hash {
		t.Errorf("header: %v", err)
	}

	tx := h.tx("farm", transfer())
	sent, err := c.Submit(ctx, tx.Raw())
	check(t, err)
	final, err := c.WaitTransaction(ctx, tx.ID())
	check(t, err)
	also, err := c.Transaction(ctx, tx.ID())
	check(t, err)
	once, err := c.SubmitFinal(ctx, tx.Raw())
	check(t, err)
	if sent.ID != tx.ID() || final.Status != TxFinal || !final.Receipt.OK || !reflect.DeepEqual(final, also) || !reflect.DeepEqual(final, once) || final.Body.Kind != ledger.KindTransfer {
		t.Errorf("sent %+v, final %+v, also %+v, once %+v", sent, final, also, once)
	}

	proof, err := c.ProveTransaction(ctx, one.ID())
	check(t, err)
	if proven, err := proof.Check(h.node.domain); err != nil || proven.ID() != one.ID() || len(proof.Path) == 0 {
		t.Errorf("proof of a transaction with %d headers: %v", len(proof.Path), err)
	}
	proof.Raw = two.Raw()
	if _, err := proof.Check(h.node.domain); err == nil {
		t.Error("a proof of another transaction is taken")
	}
	item, err := c.Item(ctx, bag1, ItemOptions{Prove: true, History: 5})
	check(t, err)
	for _, key := range [][]byte{ledger.ItemKey(item.ID), ledger.ItemKey("https://id.gs1.org/01/09521321000018/21/404")} {
		sp, err := c.ProveState(ctx, key)
		check(t, err)
		if err := sp.Check(h.node.domain, key); err != nil {
			t.Errorf("state proof: %v", err)
		}
		if err := sp.Check(h.node.domain, []byte("other")); err == nil {
			t.Error("a proof about another key is taken")
		}
		sp.Value = append(sp.Value, 1)
		if err := sp.Check(h.node.domain, key); err == nil {
			t.Error("a proof of another value is taken")
		}
	}
	if sp, err := item.Proof.State(); err != nil || sp.Check(h.node.domain, ledger.ItemKey(item.ID)) != nil {
		t.Errorf("proof of an item: %v", err)
	}

	if item.Item.State != "active" || item.Item.Custodian.Name != "Salinas Farm" || len(item.History) != 1 || item.Asked != bag1 {
		t.Errorf("item %+v", item)
	}
	farm := keyOf("farm").Address()
	lot, err := c.Item(ctx, lot1, ItemOptions{Custodian: farm})
	check(t, err)
	if lot.Lot == nil || len(lot.Lot.Balances) != 1 || lot.Lot.Balances[0].Quantity != "12.5" || lot.Lot.Balances[0].UOM != "KGM" {
		t.Errorf("lot %+v", lot.Lot)
	}
	back, err := c.TraceBack(ctx, bag1, trace.Limits{Depth: 3, Nodes: 9})
	check(t, err)
	forward, err := c.TraceForward(ctx, lot1, trace.Limits{})
	check(t, err)
	if want, err := trace.Back(ctx, h.node, bag1, trace.Limits{Depth: 3, Nodes: 9}); err != nil || !reflect.DeepEqual(back, want) {
		t.Errorf("trace %+v, want %+v (%v)", back, want, err)
	}
	if forward.Direction != trace.DirectionForward || len(forward.Nodes) != 1 {
		t.Errorf("trace %+v", forward)
	}

	account, err := c.Account(ctx, farm)
	check(t, err)
	orgs, err := c.Organisations(ctx, crypto.Address{}, 1)
	check(t, err)
	more, err := c.Organisations(ctx, *orgs.Next, 0)
	check(t, err)
	byName, err := c.Organisation(ctx, hostile)
	check(t, err)
	byAddress, err := c.Organisation(ctx, byName.Address.String())
	check(t, err)
	if account.Organisation == nil || len(orgs.Organisations)+len(more.Organisations) != 2 || more.Next != nil || byName.Name != hostile || !reflect.DeepEqual(byName, byAddress) {
		t.Errorf("account %+v, organisations %+v and %+v, %+v", account, orgs, more, byName)
	}
	prefix, err := c.Prefix(ctx, farmPrefix)
	check(t, err)
	validators, err := c.Validators(ctx)
	check(t, err)
	if prefix.Holder.Address != farm || len(validators.Validators) != 1 || validators.Total != 10_000 {
		t.Errorf("prefix %+v, validators %+v", prefix, validators)
	}

	page, err := c.Events(ctx, url.Values{"perPage": {"2"}, "orderDirection": {"ASC"}})
	check(t, err)
	if len(page.Events) != 2 || page.Next == "" || page.Height != quorum.Height(h.node.Status().Height) {
		t.Errorf("%d events, next %q, height %d", len(page.Events), page.Next, page.Height)
	}
	count := 0
	for e, err := range c.AllEvents(ctx, url.Values{"perPage": {"2"}}) {
		check(t, err)
		if e.EventID == "" {
			t.Error("an event without id")
		}
		count++
	}
	if count != 5 {
		t.Errorf("all events are %d, want 5", count)
	}
	for range c.AllEvents(ctx, nil) {
		break // asks no more
	}
	found, err := c.Event(ctx, page.Events[0].EventID)
	check(t, err)
	under, err := c.EventsUnder(ctx, "epcs", "https://id.gs1.org/01/09521321000018/21/1", nil)
	check(t, err)
	if len(found.Events) != 1 || found.Events[0].EventID != page.Events[0].EventID || len(under.Events) != 1 {
		t.Errorf("found %d, under %d", len(found.Events), len(under.Events))
	}
	top, err := c.Resources(ctx, "")
	check(t, err)
	types, err := c.Resources(ctx, "eventTypes")
	check(t, err)
	if !slices.Contains(top, "capture") || len(types) != 5 {
		t.Errorf("resources %v, %v", top, types)
	}
	if doc, err := c.OpenAPI(ctx); err != nil || string(doc) != openAPIFile {
		t.Errorf("openapi.json: %v", err)
	}
	for _, probe := range []func(context.Context) error{c.Live, c.Healthy, c.Ready} {
		check(t, probe(ctx))
	}
	h.node.setCheck(1, false, "0 of 3")
	if err := c.Ready(ctx); !errors.Is(err, ErrNotReady) && !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "0 of 3") {
		t.Errorf("not ready: %v", err)
	}
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// Every route is reached by a method of the client: what TestClientRoundTrip and the tests below asked for is the table.
func TestClientReachesEveryRoute(t *testing.T) {
	reached := map[string]bool{}
	h := newHarness(t, func(c *Config) {
		before := c.Observe
		c.Observe = func(o Observation) { reached[o.Method+" "+o.Route] = true; before(o) }
	})
	c := &Client{base: "http://fake", most: maxAnswerBytes, known: &knownGenesis{}, http: &http.Client{Transport: roundTrip(func(r *http.Request) *http.Response {
		rec := httptest.NewRecorder()
		h.handler.ServeHTTP(rec, r)
		return rec.Result()
	})}}
	ctx := t.Context()
	v := reflect.ValueOf(c)
	arguments := map[string][]any{
		"Capture": {[]byte("{}"), CaptureOptions{}}, "Block": {"latest"}, "Epoch": {"latest"}, "Organisation": {"x"}, "Prefix": {"x"}, "Event": {"x"}, "CaptureJob": {"x"},
		"Item": {"x", ItemOptions{}}, "CaptureEvent": {[]byte("{}")}, "Submit": {[]byte("x")},
	}
	for name, args := range arguments {
		in := []reflect.Value{reflect.ValueOf(ctx)}
		for _, a := range args {
			in = append(in, reflect.ValueOf(a))
		}
		v.MethodByName(name).Call(in)
	}
	for _, ask := range []func() error{
		func() error { _, err := c.Status(ctx); return err }, func() error { _, err := c.Genesis(ctx); return err },
		func() error { _, err := c.Peers(ctx); return err }, func() error { _, err := c.Blocks(ctx, 0, 0); return err },
		func() error { _, err := c.Transaction(ctx, crypto.Hash{}); return err }, func() error { _, err := c.TraceBack(ctx, "x", trace.Limits{}); return err },
		func() error { _, err := c.TraceForward(ctx, "x", trace.Limits{}); return err }, func() error { _, err := c.Account(ctx, crypto.Address{1}); return err },
		func() error { _, err := c.Organisations(ctx, crypto.Address{}, 0); return err }, func() error { _, err := c.Validators(ctx); return err },
		func() error { _, err := c.ProveState(ctx, []byte("x")); return err }, func() error { _, err := c.CaptureJobs(ctx, "", 0); return err },
		func() error { _, err := c.Events(ctx, nil); return err }, func() error { _, err := c.OpenAPI(ctx); return err },
		func() error { _, err := c.Notices(ctx, NoticeFilter{}, Page{}); return err }, func() error { _, err := c.Notice(ctx, crypto.Hash{}, true); return err },
		func() error { _, err := c.RecallScope(ctx, crypto.Hash{}, 0); return err }, func() error { _, err := c.Scope(ctx, "x", 0); return err },
		func() error { _, err := c.Disputes(ctx, DisputeFilter{}, Page{}); return err }, func() error { _, err := c.Dispute(ctx, crypto.Hash{}, false); return err },
		func() error { _, err := c.Shipments(ctx, ShipmentFilter{}, Page{}); return err }, func() error { _, err := c.Shipment(ctx, crypto.Hash{}, false); return err },
		func() error { _, err := c.Balances(ctx, BalanceFilter{}, Page{}); return err }, func() error { _, err := c.Attestations(ctx, "", "", Page{}); return err },
		func() error { _, err := c.Attestation(ctx, "https://x/y", false); return err }, func() error { _, err := c.Anchors(ctx, "", "", Page{}); return err },
		func() error { _, err := c.Anchor(ctx, crypto.Hash{}, false); return err }, func() error { _, err := c.Yields(ctx, "x", Page{}); return err },
		func() error { _, err := c.Proposals(ctx, "", Page{}); return err }, func() error { _, err := c.Proposal(ctx, crypto.Hash{}, false); return err },
		func() error { _, err := c.Attachments(ctx, AttachmentFilter{Parent: "x"}, Page{}); return err },
		func() error { _, err := c.Params(ctx, false); return err }, func() error { _, err := c.MassBalance(ctx, BalanceSheet{Lot: "x"}); return err },
		func() error { _, err := c.Certificate(ctx, CertificateRequest{Item: "x"}); return err },
		func() error { return c.Live(ctx) }, func() error { return c.Healthy(ctx) }, func() error { return c.Ready(ctx) },
	} {
		if err := ask(); err != nil && !errors.As(err, new(*Problem)) {
			t.Errorf("%v", err)
		}
	}
	for _, resource := range []string{"epcs", "bizSteps", "bizLocations", "readPoints", "dispositions", "eventTypes"} {
		for _, path := range []string{resource, resource + "/x"} {
			_, _ = c.Resources(ctx, path) // only whether it arrives
		}
		_, _ = c.EventsUnder(ctx, resource, "x", nil)
	}
	_, _ = c.Resources(ctx, "")
	for _, rt := range table() {
		// Two routes are second names of the same.
		if key := rt.method + " " + rt.pattern; !reached[key] && rt.pattern != epcisRoot+"/{$}" && rt.pattern != "/v1/items/{id...}" {
			t.Errorf("no method of the client reached %s", key)
		}
	}
}

type roundTrip func(*http.Request) *http.Response

// RoundTrip implements http.RoundTripper.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	return f(r), nil
}

func TestClientProblems(t *testing.T) {
	h := newHarness(t, impatient)
	c := h.client()
	ctx := t.Context()
	for name, k := range map[Kind]func() error{
		ErrNotFound:    func() error { _, err := c.Block(ctx, "77"); return err },
		ErrBadRequest:  func() error { _, err := c.Block(ctx, "../status"); return err },
		ErrIdentifier:  func() error { _, err := c.Item(ctx, "https://id.gs1.org/01/1", ItemOptions{}); return err },
		ErrQuery:       func() error { _, err := c.Events(ctx, url.Values{"EQ_x": {"y"}}); return err },
		ErrValidation:  func() error { _, err := c.Capture(ctx, []byte(`{"a":1}`), CaptureOptions{}); return err },
		ErrTransaction: func() error { _, err := c.Submit(ctx, []byte("x")); return err },
		ErrRefused:     func() error { _, err := c.Submit(ctx, h.tx("nobody", transfer()).Raw()); return err },
		ErrNotReady:    func() error { _, err := c.AtLeast(99).Validators(ctx); return err },
		ErrUnsupported: func() error { _, err := c.Resources(ctx, "epcs"); return err },
		ErrTooLarge: func() error {
			_, err := c.Capture(ctx, []byte(strings.Repeat(" ", 10<<20+1)), CaptureOptions{})
			return err
		},
	} {
		err := k()
		var p *Problem
		if !errors.Is(err, name) || !errors.As(err, &p) || p.Status == 0 || p.Instance == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.ProveState(ctx, []byte("k")); !errors.Is(err, ErrNotReady) {
		t.Errorf("before the first block: %v", err)
	}
	h.node.auto = false
	tx := h.tx("farm", transfer())
	if info, err := c.Submit(ctx, tx.Raw()); err != nil || info.Status != TxPending {
		t.Fatalf("%+v %v", info, err)
	}
	if _, err := c.ProveTransaction(ctx, tx.ID()); !errors.Is(err, ErrNotFound) {
		t.Errorf("proof of a pending transaction: %v", err)
	}
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if _, err := c.WaitTransaction(short, tx.ID()); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), tx.ID().String()) {
		t.Errorf("waiting: %v", err)
	}
	if _, err := c.WaitJob(short, tx.ID().String()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a job: %v", err)
	}
}

// A wait outlasts the server's patience, and a node that is busy for a moment.
func TestClientWaitsOn(t *testing.T) {
	h := newHarness(t, impatient)
	h.node.auto = false
	c := h.client()
	var calls atomic.Int32
	h.node.hook = func(_ context.Context, method string) error {
		if method == "Transaction" {
			switch calls.Add(1) {
			case 2:
				return ErrBusy
			case 4:
				h.node.seal()
			}
		}
		return nil
	}
	for _, salt := range []byte{1, 2} {
		calls.Store(0)
		tx := h.captureTx("farm", ledger.Rollback, harvest(fmt.Sprintf("urn:epc:id:sgtin:9521321.000001.%d", salt), int(salt)))
		id, err := c.CaptureTransactions(t.Context(), [][]byte{tx.Raw()})
		check(t, err)
		if salt == 1 {
			info, err := c.WaitTransaction(t.Context(), tx.ID())
			check(t, err)
			if info.Status != TxFinal {
				t.Errorf("%+v", info)
			}
			continue
		}
		job, err := c.WaitJob(t.Context(), id)
		check(t, err)
		if !job.Success || job.Running {
			t.Errorf("%+v", job)
		}
	}
}

// A transaction that was sent to another node is waited for.
func TestClientWaitsForWhatHasNotArrived(t *testing.T) {
	h := newHarness(t)
	c := h.client()
	tx := h.tx("farm", transfer())
	waiting := make(chan struct{}, 1)
	h.node.hook = func(_ context.Context, method string) error {
		if method == "Wait" {
			waiting <- struct{}{}
		}
		return nil
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.WaitTransaction(t.Context(), tx.ID())
		done <- err
	}()
	<-waiting
	if _, err := h.node.Submit(t.Context(), tx.Raw()); err != nil {
		t.Fatal(err)
	}
	check(t, <-done)
}

func TestClientAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"127.0.0.1:8440": "http://127.0.0.1:8440", "localhost:8440": "http://localhost:8440", "http://node.example/": "http://node.example",
		"https://node.example/waybill/": "https://node.example/waybill", "[::1]:8440": "http://[::1]:8440",
		"": "", "ftp://x": "", "http://": "", "http://a b": "", "http://u:p@x": "", "http://x?y": "", "http://x#y": "", "://": "", "http://x:port": "",
	} {
		c, err := NewClient(text)
		if want == "" {
			if err == nil {
				t.Errorf("%q is taken as %s", text, c.URL())
			}
			continue
		}
		if err != nil || c.URL() != want {
			t.Errorf("%q: %v, %v, want %s", text, c, err, want)
		}
	}
}

// Errors of the network name the node and what to do, and keep their cause.
func TestClientWithoutNode(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	addr := l.Addr().String()
	check(t, l.Close())
	c, err := NewClient(addr)
	check(t, err)
	_, err = c.Status(t.Context())
	if !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), "http://"+addr) || !strings.Contains(err.Error(), "running") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Status(ctx); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "running") {
		t.Errorf("%v", err)
	}
}

// Whatever answers instead of a node, the client says what it is and does not hang, follow or read without end.
func TestClientAgainstOthers(t *testing.T) {
	plain := func(status int, media, body string, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, a := range map[string]struct {
		answer http.HandlerFunc
		kind   Kind // "": no problem, another error
		says   string
	}{
		"a page":           {plain(200, "text/html", "<html>router login"), "", "not what a Waybill node"},
		"a page not found": {plain(404, "text/html", "<html>\x1b[31mno\x1b[0m\nmore"), ErrNotFound, "not an answer of a Waybill node"},
		"a redirect":       {plain(302, "text/html", "", "Location", "http://127.0.0.1:1/evil"), ErrInternal, "302"},
		"a bad gateway":    {plain(502, "text/plain", "bad gateway"), ErrInternal, "bad gateway"},
		"unavailable":      {plain(503, "text/plain", "soon", "Retry-After", "7"), ErrBusy, "soon"},
		"unauthorised":     {plain(401, "text/plain", ""), ErrForbidden, "401"},
		"a strange 4xx":    {plain(418, "text/plain", "teapot"), ErrBadRequest, "teapot"},
		"half a problem":   {plain(400, "application/problem+json", `{"title":`), ErrBadRequest, "400"},
		"another problem":  {plain(400, "application/problem+json", `{"title":"x"}`), ErrBadRequest, "400"},
		"a lying status":   {plain(404, "application/problem+json", `{"title":"x","status":200,"code":"future-kind"}`), "future-kind", "x"},
		"endless":          {func(w http.ResponseWriter, _ *http.Request) { endless(w) }, "", "more than"},
		"half an answer":   {plain(200, "application/json", "{}", "Content-Length", "100"), "", "does not answer"},
		"a hang up":        {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", "does not answer"},
	} {
		server := httptest.NewServer(a.answer)
		c, err := NewClient(server.URL, WithHTTPClient(ownHTTPClient()))
		check(t, err)
		c.most = 1 << 20
		_, err = c.Status(t.Context())
		c.Close()
		server.Close()
		var p *Problem
		switch {
		case err == nil:
			t.Errorf("%s: no error", name)
		case errors.As(err, &p) != (a.kind != "") || a.kind != "" && !errors.Is(err, a.kind):
			t.Errorf("%s: %v", name, err)
		case !strings.Contains(err.Error(), a.says) || strings.Contains(err.Error(), "\x1b"):
			t.Errorf("%s: %q is not in %q", name, a.says, err)
		case p != nil && p.Status < 300:
			t.Errorf("%s: status %d", name, p.Status)
		}
		if name == "unavailable" && p.RetryAfter != 7 {
			t.Errorf("Retry-After became %d", p.RetryAfter)
		}
	}
}

func endless(w io.Writer) {
	chunk := make([]byte, 1<<20)
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// A node that shows another genesis document than it says is in is not believed.
func TestClientChecksGenesis(t *testing.T) {
	h := newHarness(t, func(c *Config) {
		g := *c.Genesis
		g.Chain = "other"
		c.Genesis = &g
	})
	if _, err := h.client().ChainPoint(t.Context()); err == nil || !strings.Contains(err.Error(), h.node.domain.Genesis.String()) {
		t.Errorf("%v", err)
	}
}
