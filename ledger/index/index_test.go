package index

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/epcis/query"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// chain is a ledger of updates in memory; it is the Source of the tests.
type chain struct {
	mu      sync.Mutex
	updates []*ledger.Update
	changed chan struct{}
	broken  error
}

func newChain() *chain { return &chain{changed: make(chan struct{})} }

func (c *chain) UpdatesSince(h quorum.Height, limit int) ([]*ledger.Update, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return nil, c.broken
	}
	from := min(int(h), len(c.updates))
	return slices.Clone(c.updates[from:min(from+limit, len(c.updates))]), nil
}

func (c *chain) WaitFor(ctx context.Context, h quorum.Height) error {
	for {
		c.mu.Lock()
		tip, changed, broken := len(c.updates), c.changed, c.broken
		c.mu.Unlock()
		switch {
		case broken != nil:
			return broken
		case tip >= int(h):
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *chain) TipHeight() quorum.Height {
	c.mu.Lock()
	defer c.mu.Unlock()
	return quorum.Height(len(c.updates))
}

// add makes a block of events, one transaction each.
func (c *chain) add(events ...*epcis.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := quorum.Height(len(c.updates) + 1)
	up := &ledger.Update{Height: h, Block: crypto.Sum("test", []byte(fmt.Sprint(h)))}
	for i, e := range events {
		up.Events = append(up.Events, ledger.EventRecord{
			Hash: e.Hash(), Tx: crypto.Sum("test", []byte(fmt.Sprint(h, i))), TxIndex: i, Index: 0, Height: h,
			TimeMs: 1_772_000_000_000 + int64(h)*1000, Org: fmt.Sprintf("Org %d", i%3), Event: e, Accepted: true,
		})
	}
	c.updates = append(c.updates, up)
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *chain) breakWith(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = err
	close(c.changed)
	c.changed = make(chan struct{})
}

func openDB(t testing.TB, fs vfs.FS) *pebble.DB {
	t.Helper()
	db, err := pebble.Open("db", &pebble.Options{FS: fs, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

type quiet struct{}

func (quiet) Infof(string, ...interface{})         {}
func (quiet) Errorf(string, ...interface{})        {}
func (quiet) Fatalf(f string, args ...interface{}) { panic(fmt.Sprintf(f, args...)) }

func newIndex(t testing.TB, src Source, opts Options) *Index {
	t.Helper()
	db := openDB(t, vfs.NewMem())
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	x, err := New(db, src, opts)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func caughtUp(t testing.TB, x *Index) *Index {
	t.Helper()
	if err := x.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	return x
}

func serial(n int) string { return fmt.Sprintf("urn:epc:id:sgtin:9521001.000001.%d", n) }
func lot(n int) string    { return fmt.Sprintf("urn:epc:class:lgtin:9521001.000001.L%d", n) }
func site(n int) string   { return fmt.Sprintf("urn:epc:id:sgln:9521001.%05d.%d", n%3, n%2) }

// randomEvent is an event of any type about a few items, so that queries find several.
func randomEvent(rng *rand.Rand, n int) *epcis.Event {
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	e := &epcis.Event{
		Type: epcis.EventType(1 + rng.IntN(5)), EventID: fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", n),
		EventTime: epcis.NewTimestamp(1_771_000_000_000 + int64(rng.IntN(50))*3_600_000), TimeZoneOffset: "+00:00",
		BizStep: pick("shipping", "receiving", "packing"), Disposition: pick("in_transit", "active"), Action: epcis.Action(pick("ADD", "OBSERVE", "DELETE")),
		ReadPoint: &epcis.Location{ID: site(rng.IntN(6))}, BizLocation: &epcis.Location{ID: site(rng.IntN(6))},
		BizTransactions: []epcis.TypedRef{{Type: "po", ID: fmt.Sprintf("urn:epc:id:gdti:9521001.00001.%d", rng.IntN(4))}},
		Sources:         []epcis.TypedRef{{Type: "owning_party", ID: fmt.Sprintf("urn:epc:id:pgln:952100%d.00000", rng.IntN(4))}},
	}
	weight, err := epcis.NewDecimal(int64(1+rng.IntN(9)), 0)
	if err != nil {
		panic(err)
	}
	epcs, quantities := []string{serial(rng.IntN(8))}, []epcis.Quantity{{Class: lot(rng.IntN(4)), Quantity: &weight, UOM: "KGM"}}
	switch e.Type {
	case epcis.TransformationEvent:
		e.Action = ""
		e.InputEPCs, e.OutputQuantities = epcs, quantities
		e.TransformationID = fmt.Sprintf("urn:epc:id:gdti:9521001.00002.%d", rng.IntN(3))
	case epcis.AggregationEvent, epcis.AssociationEvent:
		e.ParentID = fmt.Sprintf("urn:epc:id:sscc:9521001.%010d", rng.IntN(3))
		e.ChildEPCs, e.ChildQuantities = epcs, quantities
	default:
		e.EPCs, e.Quantities = epcs, quantities
	}
	if rng.IntN(10) == 0 {
		e.ErrorDeclaration = &epcis.ErrorDeclaration{DeclarationTime: e.EventTime, Reason: "did_not_occur"}
	}
	return e
}

func randomChain(seed uint64, blocks int) *chain {
	rng := rand.New(rand.NewPCG(seed, 5))
	c := newChain()
	n := 0
	for range blocks {
		var events []*epcis.Event
		for range rng.IntN(6) {
			n++
			events = append(events, randomEvent(rng, n))
		}
		c.add(events...)
	}
	return c
}

// all lists what a query must find, by looking at everything.
func (c *chain) all(q *query.Query) []query.Meta {
	var found []query.Found
	for _, up := range c.updates {
		for i := range up.Events {
			r := &up.Events[i]
			rec, err := newRecord(r)
			if err != nil {
				panic(err)
			}
			m := rec.meta(trace.Ref{Height: uint64(r.Height), Tx: uint32(r.TxIndex), Event: uint32(r.Index)})
			if r.Accepted && q.Matches(r.Event, m) {
				found = append(found, query.Found{Event: r.Event, Meta: m})
			}
		}
	}
	down := q.OrderBy != query.OrderDefault && !q.Ascending
	slices.SortStableFunc(found, func(a, b query.Found) int {
		c := 0
		if q.OrderBy == query.OrderEventTime {
			c = int(a.Event.EventTime.UnixMilli() - b.Event.EventTime.UnixMilli())
		}
		if c == 0 {
			c = refOf(a.Meta).Compare(refOf(b.Meta))
		}
		if down {
			return -c
		}
		return c
	})
	metas := make([]query.Meta, len(found))
	for i := range found {
		metas[i] = found[i].Meta
	}
	return metas
}

func refOf(m query.Meta) trace.Ref { return trace.Ref{Height: m.Height, Tx: m.TxIndex, Event: m.Index} }

func ask(t testing.TB, text string) *query.Query {
	t.Helper()
	values, err := url.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	q, err := query.Parse(values)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

// pages follows an answer to its end.
func pages(t testing.TB, x *Index, text string, between func()) []query.Meta {
	t.Helper()
	var metas []query.Meta
	token, height := "", uint64(0)
	for range 10_000 {
		q := ask(t, text)
		q.NextPageToken = token
		page, err := x.Find(t.Context(), q)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if height != 0 && page.Height != height {
			t.Fatalf("%s: a page of height %d in an answer of height %d", text, page.Height, height)
		}
		height = page.Height
		if len(page.Events) > q.PerPage {
			t.Fatalf("%s: %d events on a page of %d", text, len(page.Events), q.PerPage)
		}
		for _, f := range page.Events {
			metas = append(metas, f.Meta)
		}
		if token = page.Next; token == "" {
			return metas
		}
		if between != nil {
			between()
		}
	}
	t.Fatalf("%s: no end", text)
	return nil
}

func sameEvents(a, b []query.Meta) bool {
	return slices.EqualFunc(a, b, func(a, b query.Meta) bool {
		return refOf(a) == refOf(b) && a.Hash == b.Hash && a.Tx == b.Tx && a.Org == b.Org
	})
}

var questions = []string{
	"", "eventType=ObjectEvent", "eventType=ObjectEvent|AssociationEvent", "EQ_bizStep=shipping", "EQ_bizStep=shipping|packing&EQ_disposition=active",
	"MATCH_epc=" + serial(3), "MATCH_anyEPC=" + serial(3) + "|" + serial(4), "MATCH_anyEPC=https://id.gs1.org/01/09521001000017/21/5", "MATCH_anyEPC=urn:epc:idpat:sgtin:9521001.*.*",
	"MATCH_anyEPCClass=" + lot(2), "MATCH_anyEPCClass=https://id.gs1.org/01/09521001000017", "MATCH_outputEPCClass=" + lot(1), "MATCH_inputEPC=" + serial(1),
	"MATCH_parentID=urn:epc:id:sscc:9521001.0000000001", "EQ_transformationID=urn:epc:id:gdti:9521001.00002.1", "EQ_eventID=urn:uuid:00000000-0000-4000-8000-000000000007",
	"EQ_readPoint=" + site(1), "WD_readPoint=" + site(2), "EQ_bizLocation=" + site(3) + "|" + site(4), "WD_bizLocation=" + site(0) + "&EQ_bizStep=receiving",
	"EQ_bizTransaction_po=urn:epc:id:gdti:9521001.00001.2", "EQ_source_owning_party=urn:epc:id:pgln:9521002.00000", "EQ_waybill:party=Org 1", "EQ_waybill:lot=" + lot(3),
	"EQ_waybill:item=" + serial(2), "GE_quantity_KGM=5", "EXISTS_errorDeclaration=true", "GE_recordTime=2026-02-25T06:13:45Z", "EQ_action=ADD&EQ_bizStep=packing",
	"GE_eventTime=2026-02-14T00:00:00Z&LT_eventTime=2026-02-14T08:00:00Z", "GE_eventTime=2026-02-14T00:00:00Z&EQ_bizStep=shipping", "LT_eventTime=2026-02-13T22:00:00Z",
	"EQ_waybill:lot=" + lot(9),
}

// Every question, in every order, whatever the page size and wherever scans end, is answered as looking at everything
// answers it.
func TestFindAgreesWithLookingAtEverything(t *testing.T) {
	blocks, limits := 80, []Options{{}, {ScanLimit: 7}}
	if testing.Short() {
		blocks, limits = 40, limits[1:]
	}
	c := randomChain(1, blocks)
	for _, opts := range limits {
		x := caughtUp(t, newIndex(t, c, opts))
		for _, question := range questions {
			for _, order := range []string{"", "&orderBy=eventTime", "&orderBy=eventTime&orderDirection=ASC", "&orderBy=recordTime", "&orderBy=recordTime&orderDirection=ASC"} {
				for _, size := range []int{2, 1000} {
					text := fmt.Sprintf("%s%s&perPage=%d", question, order, size)
					if got, want := pages(t, x, text, nil), c.all(ask(t, text)); !sameEvents(got, want) {
						t.Fatalf("%s (scan limit %d): %d events, want %d", text, opts.ScanLimit, len(got), len(want))
					}
				}
			}
		}
	}
	found := 0
	for _, question := range questions {
		if len(c.all(ask(t, question))) > 0 {
			found++
		}
	}
	if found < len(questions)-1 {
		t.Fatalf("only %d of %d questions find anything", found, len(questions))
	}
}

// Pages of one answer do not change while the ledger grows.
func TestPagesAreOfOneHeight(t *testing.T) {
	c := randomChain(2, 40)
	x := caughtUp(t, newIndex(t, c, Options{}))
	rng := rand.New(rand.NewPCG(9, 9))
	n := 10_000
	for _, order := range []string{"", "&orderBy=eventTime", "&orderBy=recordTime", "&orderBy=recordTime&orderDirection=ASC"} {
		text := "EQ_bizStep=shipping&perPage=3" + order
		want := c.all(ask(t, text))
		got := pages(t, x, text, func() {
			n++
			c.add(randomEvent(rng, n))
			caughtUp(t, x)
		})
		if !sameEvents(got, want) {
			t.Errorf("%s: %d events, want %d", text, len(got), len(want))
		}
	}
}

func TestCountLimits(t *testing.T) {
	c := randomChain(3, 60)
	x := caughtUp(t, newIndex(t, c, Options{}))
	all := c.all(ask(t, "EQ_bizStep=shipping&orderBy=eventTime"))
	for _, limit := range []int{1, 5, len(all), len(all) + 5} {
		got := pages(t, x, fmt.Sprintf("EQ_bizStep=shipping&orderBy=eventTime&perPage=4&eventCountLimit=%d", limit), nil)
		if want := all[:min(limit, len(all))]; !sameEvents(got, want) {
			t.Errorf("eventCountLimit %d: %d events, want %d", limit, len(got), len(want))
		}
		_, err := x.Find(t.Context(), ask(t, fmt.Sprintf("EQ_bizStep=shipping&maxEventCount=%d", limit)))
		if tooLarge := errors.Is(err, query.ErrTooLarge); tooLarge != (limit < len(all)) || err != nil && !tooLarge {
			t.Errorf("maxEventCount %d of %d: %v", limit, len(all), err)
		}
	}
	small := caughtUp(t, newIndex(t, c, Options{SortLimit: 10, ScanLimit: 10}))
	if _, err := small.Find(t.Context(), ask(t, "EQ_bizStep=shipping&orderBy=eventTime")); !errors.Is(err, query.ErrTooLarge) {
		t.Errorf("more than can be sorted: %v", err)
	}
	if _, err := small.Find(t.Context(), ask(t, "EQ_bizStep=shipping&maxEventCount=100000")); !errors.Is(err, query.ErrTooLarge) {
		t.Errorf("more than can be counted: %v", err)
	}
}

func TestTokens(t *testing.T) {
	c := randomChain(4, 30)
	x := caughtUp(t, newIndex(t, c, Options{}))
	page, err := x.Find(t.Context(), ask(t, "EQ_bizStep=shipping&perPage=2"))
	if err != nil || page.Next == "" {
		t.Fatalf("%+v, %v", page, err)
	}
	for name, c := range map[string]struct {
		text, token string
		want        error
	}{
		"of another query": {"EQ_bizStep=packing", page.Next, query.ErrToken},
		"damaged":          {"EQ_bizStep=shipping", strings.ToUpper(page.Next[:8]) + page.Next[8:], query.ErrToken},
		"cut":              {"EQ_bizStep=shipping", page.Next[:20], query.ErrToken},
		"nonsense":         {"EQ_bizStep=shipping", "***", query.ErrToken},
		"of the future":    {"EQ_bizStep=shipping", position{fingerprint: ask(t, "EQ_bizStep=shipping").Fingerprint(), height: 999}.encode(), ErrBehind},
	} {
		q := ask(t, c.text)
		q.NextPageToken = c.token
		if _, err := x.Find(t.Context(), q); !errors.Is(err, c.want) {
			t.Errorf("a token %s: %v, want %v", name, err, c.want)
		}
	}
	// Another page size is the same question.
	q := ask(t, "EQ_bizStep=shipping&perPage=7")
	q.NextPageToken = page.Next
	if _, err := x.Find(t.Context(), q); err != nil {
		t.Error(err)
	}
}

func TestRefusedEventsAreNotIndexed(t *testing.T) {
	c := randomChain(5, 10)
	c.updates[9].Events = append(c.updates[9].Events, ledger.EventRecord{Height: 10, TxIndex: 90, Event: randomEvent(rand.New(rand.NewPCG(1, 1)), 1), Accepted: false})
	x := caughtUp(t, newIndex(t, c, Options{}))
	for _, m := range pages(t, x, "perPage=1000", nil) {
		if m.TxIndex == 90 {
			t.Fatal("a refused event is found")
		}
	}
}

// An index continues where it was, and one that is dropped is built again the same.
func TestReopenAndRebuild(t *testing.T) {
	c := randomChain(6, 50)
	fs := vfs.NewMem()
	db := openDB(t, fs)
	x, err := New(db, c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	caughtUp(t, x)
	before := dump(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	db = openDB(t, fs)
	if x, err = New(db, c, Options{}); err != nil || x.Height() != 50 {
		t.Fatalf("height %d, %v", x.Height(), err)
	}
	if err := x.Drop(); err != nil || x.Height() != 0 || len(pages(t, x, "", nil)) != 0 {
		t.Fatalf("height %d after dropping, %v", x.Height(), err)
	}
	caughtUp(t, x)
	if after := dump(t, db); !slices.Equal(before, after) || len(before) < 1000 {
		t.Fatalf("%d entries before, %d after", len(before), len(after))
	}
	if p := x.Progress(); p.Height != 50 || p.Target != 50 {
		t.Fatalf("progress %+v", p)
	}
	// One of another version is dropped by itself.
	if err := db.Set([]byte{prefixCursor}, append(cursorValue(50)[:11], 99), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if x, err = New(db, c, Options{}); err != nil || x.Height() != 0 {
		t.Fatalf("height %d, %v", x.Height(), err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func dump(t testing.TB, db *pebble.DB) []string {
	t.Helper()
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for ok := it.First(); ok; ok = it.Next() {
		out = append(out, fmt.Sprintf("%x=%x", it.Key(), it.Value()))
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRunFollowsAndStops(t *testing.T) {
	c := newChain()
	x := newIndex(t, c, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- x.Run(ctx) }()

	// Readers and writers at once; the race detector looks on.
	rng := rand.New(rand.NewPCG(4, 4))
	var readers sync.WaitGroup
	for range 4 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for range 50 {
				if _, err := x.Find(t.Context(), ask(t, "EQ_bizStep=shipping&orderBy=eventTime")); err != nil {
					t.Error(err)
				}
				if _, err := trace.Back(t.Context(), x, lot(1), trace.Limits{}); err != nil && !errors.Is(err, trace.ErrNoEvent) {
					t.Error(err)
				}
				x.Progress()
			}
		}()
	}
	for i := range 60 {
		c.add(randomEvent(rng, i))
		if i%7 == 0 {
			if err := x.WaitFor(t.Context(), quorum.Height(i+1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := x.WaitFor(t.Context(), 60); err != nil {
		t.Fatal(err)
	}
	readers.Wait()
	if got := pages(t, x, "perPage=1000", nil); len(got) != 60 {
		t.Fatalf("%d events, want 60", len(got))
	}
	cancel()
	if err := <-ran; err != nil {
		t.Fatalf("run: %v", err)
	}
	if err := x.WaitFor(t.Context(), 100); !errors.Is(err, ErrClosed) {
		t.Fatalf("waiting for an index that stopped: %v", err)
	}
	waiting, stop := context.WithCancel(t.Context())
	stop()
	if err := newIndex(t, c, Options{}).WaitFor(waiting, 1); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestRunReportsFailures(t *testing.T) {
	c := newChain()
	x := newIndex(t, c, Options{})
	ran := make(chan error, 1)
	go func() { ran <- x.Run(t.Context()) }()
	broken := errors.New("the ledger is gone")
	c.breakWith(broken)
	if err := <-ran; !errors.Is(err, broken) {
		t.Fatalf("run: %v", err)
	}
	// A block out of order is refused rather than indexed in its place.
	wrong := newChain()
	wrong.add()
	wrong.updates[0].Height = 7
	if err := newIndex(t, wrong, Options{}).CatchUp(t.Context()); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("a block out of order: %v", err)
	}
	// So is a write that fails.
	failing := newIndex(t, randomChain(7, 3), Options{})
	failing.opts.Apply = func(b *pebble.Batch, _ bool) error { _ = b.Close(); return broken }
	if err := failing.CatchUp(t.Context()); !errors.Is(err, broken) || !errors.Is(err, ErrIO) || failing.Height() != 0 {
		t.Fatalf("a failed write: %v at height %d", err, failing.Height())
	}
}

// A crash leaves the index after some whole block, and it goes on from there to the same entries.
func TestCrash(t *testing.T) {
	c := randomChain(8, 40)
	whole := newIndex(t, c, Options{})
	caughtUp(t, whole)
	want := dump(t, whole.db)
	for seed := range uint64(12) {
		fs := vfs.NewCrashableMem()
		db := openDB(t, fs)
		n := 0
		x, err := New(db, c, Options{Apply: func(b *pebble.Batch, _ bool) error {
			defer func() { _ = b.Close() }()
			if n++; n > 3+int(seed)*3 {
				return errors.New("power cut")
			}
			return b.Commit(&pebble.WriteOptions{Sync: n%4 == 0})
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.CatchUp(t.Context()); err == nil {
			t.Fatal("no power cut")
		}
		after := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(seed%3) * 50, RNG: rand.New(rand.NewPCG(seed, 2))})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		again := openDB(t, after)
		y, err := New(again, c, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if y.Height() > x.Height() {
			t.Fatalf("seed %d: height %d after the crash, %d before", seed, y.Height(), x.Height())
		}
		caughtUp(t, y)
		if got := dump(t, again); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d entries after the crash, want %d", seed, len(got), len(want))
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What a posting leads to must be there: an index that lost it says so.
func TestDamageIsSaid(t *testing.T) {
	c := randomChain(9, 20)
	x := caughtUp(t, newIndex(t, c, Options{}))
	first := c.all(ask(t, "EQ_bizStep=shipping"))[0]
	if err := x.db.Delete(recordKey(refOf(first)), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Find(t.Context(), ask(t, "EQ_bizStep=shipping")); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
	if err := x.db.Set(recordKey(refOf(first)), []byte("?"), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	if _, _, err := trace.EventAt(t.Context(), x, refOf(first)); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
}

func TestTraceSource(t *testing.T) {
	c := newChain()
	made := &epcis.Event{
		Type: epcis.ObjectEvent, Action: epcis.ActionAdd, BizStep: "commissioning", EventTime: epcis.NewTimestamp(1_771_000_000_000), TimeZoneOffset: "+00:00",
		EPCs: []string{serial(1)}, ILMD: epcis.Extensions{{Name: "cbvmda:lotNumber", Value: epcis.NewText("L1")}},
	}
	kg, err := epcis.NewDecimal(5, 0)
	if err != nil {
		t.Fatal(err)
	}
	process := &epcis.Event{
		Type: epcis.TransformationEvent, BizStep: "commissioning", EventTime: epcis.NewTimestamp(1_770_000_000_000), TimeZoneOffset: "+00:00",
		InputQuantities: []epcis.Quantity{{Class: lot(7), Quantity: &kg, UOM: "KGM"}}, OutputQuantities: []epcis.Quantity{{Class: lot(1), Quantity: &kg, UOM: "KGM"}},
	}
	c.add(process)
	c.add(made)
	x := caughtUp(t, newIndex(t, c, Options{}))
	refs, err := trace.EventsOf(t.Context(), x, trace.Key(lot(1)), 10)
	if err != nil || len(refs) != 2 {
		t.Fatalf("the lot of an instance by its master data: %v, %v", refs, err)
	}
	if refs, err = trace.EventsOf(t.Context(), x, trace.Key(lot(1)), 1); err != nil || len(refs) != 1 {
		t.Fatalf("limit 1: %v, %v", refs, err)
	}
	g, err := trace.Back(t.Context(), x, "https://id.gs1.org/01/09521001000017/21/1", trace.Limits{})
	if err != nil || g.Node(trace.Key(lot(7))) == nil {
		t.Fatalf("back: %+v, %v", g, err)
	}
	g, err = trace.Forward(t.Context(), x, lot(7), trace.Limits{})
	if err != nil || g.Node(trace.Key(serial(1))) == nil || g.Events[0].Hash != process.Hash().String() || g.Events[0].Org != "Org 0" {
		t.Fatalf("forward: %+v, %v", g, err)
	}
}

func FuzzDecodePosition(f *testing.F) {
	f.Add("")
	f.Add(position{height: 3, timeMs: -5, returned: 9, ref: trace.Ref{Height: 1, Tx: 2, Event: 3}}.encode())
	f.Add(strings.Repeat("A", 66))
	f.Fuzz(func(t *testing.T, token string) {
		p, err := decodePosition(token)
		if err != nil {
			if !errors.Is(err, query.ErrToken) {
				t.Fatal(err)
			}
			return
		}
		if p.encode() != token {
			t.Fatalf("%q is read, and written as %q", token, p.encode())
		}
	})
}

// The bytes on disk, and in the hands of clients, are a promise.
func TestGolden(t *testing.T) {
	r := trace.Ref{Height: 1, Tx: 2, Event: 3}
	for _, c := range []struct{ got, want string }{
		{fmt.Sprintf("%x", recordKey(r)), "6100000000000000010000000200000003"},
		{fmt.Sprintf("%x", appendRef(postingStem(fieldBizStep, "x"), r)), "62730178" + "00000000000000010000000200000003"},
		{fmt.Sprintf("%x", timeKey(-1, r)[:9]), "637fffffffffffffff"},
		{fmt.Sprintf("%x", timeKey(1, r)[:9]), "638000000000000001"},
		{position{fingerprint: [8]byte{1}, height: 2, timeMs: 3, ref: r, returned: 4}.encode(), "AQEAAAAAAAAAAAAAAAAAAAIAAAAAAAAAAwAAAAAAAAABAAAAAgAAAAMAAAAE0tj5FQ"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}
