package provenance

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
	"waybill/ledger/light"
)

func verified(t *testing.T, w *world, data []byte) *Report {
	t.Helper()
	r, err := Verify(data, Trust{Genesis: w.genesis})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ids(r *Report) []string {
	var out []string
	for _, x := range r.Things {
		out = append(out, x.Relation+" "+x.ID)
	}
	return out
}

func canonical(list ...string) []string {
	for i, s := range list {
		relation, id, _ := strings.Cut(s, " ")
		list[i] = relation + " " + ledger.CanonicalID(id)
	}
	return list
}

// TestStory: the whole history of a box, through the lots it was made of and all that it and they were packed in.
func TestStory(t *testing.T) {
	w, h := told(t)
	r := verified(t, w, w.make(h, Request{ID: box1, Depth: 10}))
	want := canonical("subject "+box1, "container "+case1, "container "+pallet, "source "+lotA, "source "+lotB, "container "+crate)
	if got := ids(r); !slices.Equal(got, want) {
		t.Errorf("things %v, want %v", got, want)
	}
	var acts []string
	for _, s := range r.Journey {
		acts = append(acts, s.Act)
	}
	if got, want := strings.Join(acts, ", "), "made, seen, packed, packed, declared an error, shipped, received, unpacked, unpacked, seen"; got != want {
		t.Errorf("journey: %s, want %s", got, want)
	}
	if len(r.Holders) != 2 || r.Holders[0].Holder.Name != "Plant" || r.Holders[1].Holder.Name != "Shop" || r.Holders[1].How != ActReceived {
		t.Errorf("holders: %+v", r.Holders)
	}
	switch {
	case !r.Complete || r.Recalled || len(r.Cuts)+len(r.Notices) > 0:
		t.Errorf("complete %t, recalled %t, %d cuts, %d notices", r.Complete, r.Recalled, len(r.Cuts), len(r.Notices))
	case r.Custody.State != "active" || r.Custody.Custodian.Name != "Shop" || r.Custody.Owner.Name != "Plant" || r.Custody.Parent != "":
		t.Errorf("custody: %+v", r.Custody)
	case r.Height != h || r.Block != w.headers[h].Hash() || r.TimeMs != w.headers[h].TimeMs || r.Network != "salad":
		t.Errorf("at %d, block %s", r.Height, r.Block)
	case r.Signed.Power < r.Signed.Quorum || r.Signed.Total != 40_000 || len(r.Signed.Validators) != 3:
		t.Errorf("signed: %+v", r.Signed)
	case r.Proofs.Events != 24 || r.Proofs.Handovers < 2:
		t.Errorf("proofs: %+v", r.Proofs)
	}
	declared := 0
	for _, e := range r.Events {
		if !e.Declared.IsZero() && e.Undone {
			declared++
		}
		if e.Author.Name == "" || e.Height == 0 || e.Time == "" || len(e.Things) == 0 {
			t.Errorf("event %s: %+v", e.Hash, e)
		}
	}
	if declared != 1 || slices.Contains(r.Custody.Flags, "tainted") {
		t.Errorf("%d events are undone, flags %v", declared, r.Custody.Flags)
	}
	if r.Events[0].Claims[0] != "https://organic.example/certificates/77" {
		t.Errorf("claims: %v", r.Events[0].Claims)
	}
}

// TestEveryKindOfSubject: items, lots, containers; in any spelling.
func TestEveryKindOfSubject(t *testing.T) {
	w, h := told(t)
	for id, things := range map[string]int{box1: 6, "(01)09521322100021(21)1": 6, box2: 6, salad: 4, lotA: 2, lotB: 1, crate: 1, case1: 2, pallet: 1, other: 3} {
		r := verified(t, w, w.make(h, Request{ID: id, Depth: 10}))
		if len(r.Things) != things || !r.Complete {
			t.Errorf("%s: %v, complete %t", id, ids(r), r.Complete)
		}
	}
	if _, err := Make(w.source(h), Request{ID: "urn:epc:id:sgtin:9521322.010002.77"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("an item that is not there: %v", err)
	}
	for _, r := range []Request{{}, {ID: box1, Depth: -1}, {ID: box1, Depth: MaxDepth + 1}, {ID: box1, Events: MaxThingEvents + 1}} {
		if _, err := Make(w.source(h), r); !errors.Is(err, ErrRequest) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// TestCuts: what is not followed is named, and the report says that it is not complete.
func TestCuts(t *testing.T) {
	w, h := told(t)
	r := verified(t, w, w.make(h, Request{ID: box1}))
	want := []Cut{{ID: ledger.CanonicalID(lotA), Reason: CutDepth, Of: ledger.CanonicalID(box1)}, {ID: ledger.CanonicalID(lotB), Reason: CutDepth, Of: ledger.CanonicalID(box1)}}
	if r.Complete || !slices.Equal(r.Cuts, want) {
		t.Errorf("depth 0: complete %t, cuts %+v", r.Complete, r.Cuts)
	}
	r = verified(t, w, w.make(h, Request{ID: box1, Depth: 1, Events: 3}))
	want = []Cut{{ID: ledger.CanonicalID(case1), Reason: CutEvents, Events: 4}, {ID: ledger.CanonicalID(lotB), Reason: CutEvents, Events: 4}, {ID: ledger.CanonicalID(crate), Reason: CutEvents, Events: 4}}
	if r.Complete || !slices.Equal(r.Cuts, want) {
		t.Errorf("3 events: complete %t, cuts %+v", r.Complete, r.Cuts)
	}
	if r.Things[0].Count != 5 || r.Things[0].Cut {
		t.Errorf("the subject is never cut: %+v", r.Things[0])
	}
}

// TestNotices: an open notice over anything that the subject was made of is told loudly, a released one as history.
func TestNotices(t *testing.T) {
	for _, c := range []struct {
		name, subject string
		typ           ledger.NoticeType
		released      quorum.Height
		recalled      bool
	}{
		{"the box itself", box1, ledger.Recall, 0, true},
		{"a lot that it was made of", lotA, ledger.Quarantine, 0, true},
		{"the class of the lot", "urn:epc:idpat:sgtin:9521321.010001.*", ledger.Withdrawal, 0, true},
		{"its class", "https://id.gs1.org/01/09521322100021", ledger.Recall, 0, true},
		{"released", lotA, ledger.Recall, 17, false},
		{"an alert", lotA, ledger.Alert, 0, false},
		{"a container", pallet, ledger.Recall, 0, false},
	} {
		w := newWorld(t, "salad", 6)
		w.tell()
		w.notice(7, c.typ, c.subject, c.released)
		h := w.freeze()
		w.idle(3)
		r := verified(t, w, w.make(h, Request{ID: box1, Depth: 3}))
		if r.Recalled != c.recalled || len(r.Notices) != 1 {
			t.Errorf("%s: recalled %t, notices %+v", c.name, r.Recalled, r.Notices)
			continue
		}
		n := r.Notices[0]
		if n.Open != (c.released == 0) || n.Issuer.Name != "Farm" || n.Reason != "glass splinters" || len(n.Over) == 0 || n.Only != (c.subject == pallet) {
			t.Errorf("%s: %+v", c.name, n)
		}
	}
}

// TestRecall: a recall given on the ledger reaches what was made from its subject, whatever the depth, until it is released.
func TestRecall(t *testing.T) {
	w := newWorld(t, "salad", 6)
	w.tell()
	recall := w.tx("Farm", &ledger.Notice{Type: ledger.Recall, Subjects: []string{lotA}, Reason: "glass"})
	w.block(recall)
	w.idle(3)
	open := w.freeze()
	w.idle(3)
	w.block(w.tx("Farm", &ledger.ReleaseNotice{Notice: recall.ID(), Reason: "none found"}))
	released := w.freeze()
	w.idle(3)
	for id, recalled := range map[string]bool{box1: true, salad: true, lotA: true, lotB: false, other: false, crate: false} {
		for _, depth := range []int{0, 4} {
			if r := verified(t, w, w.make(open, Request{ID: id, Depth: depth})); r.Recalled != recalled {
				t.Errorf("%s, depth %d: recalled %t: %+v", id, depth, r.Recalled, r.Notices)
			}
			if r := verified(t, w, w.make(released, Request{ID: id, Depth: depth})); r.Recalled || recalled != (len(r.Notices) == 1) {
				t.Errorf("%s, depth %d, released: recalled %t: %+v", id, depth, r.Recalled, r.Notices)
			}
		}
	}
}

// TestNamedRefusals: each way to lie has its name.
func TestNamedRefusals(t *testing.T) {
	w := newWorld(t, "salad", 6)
	w.tell()
	early := w.freeze()
	w.notice(7, ledger.Recall, lotA, 0)
	h := w.freeze()
	w.idle(4)
	before, err := Decode(w.make(early, Request{ID: box1, Depth: 5}))
	if err != nil {
		t.Fatal(err)
	}
	raw := w.make(h, Request{ID: box1, Depth: 5})
	key := func(c *Certificate, prefix string) int {
		return slices.IndexFunc(c.states, func(e stateEntry) bool { return strings.HasPrefix(string(e.Key), prefix) })
	}
	flipIn := func(b []byte) []byte {
		b = slices.Clone(b)
		b[len(b)/2] ^= 4
		return b
	}
	cases := map[string]struct {
		lie  func(c *Certificate)
		want Kind
	}{
		"an event removed":               {func(c *Certificate) { c.things[0].Events = c.things[0].Events[1:] }, ErrIncomplete},
		"the last event removed":         {func(c *Certificate) { c.things[0].Events = c.things[0].Events[:4] }, ErrIncomplete},
		"two events swapped":             {func(c *Certificate) { e := c.things[0].Events; e[1], e[2] = e[2], e[1] }, ErrIncomplete},
		"an event twice":                 {func(c *Certificate) { t := &c.things[0]; t.Events = append(t.Events, t.Events[4]) }, ErrIncomplete},
		"an event of another thing":      {func(c *Certificate) { c.things[0].Events[0] = c.things[3].Events[0] }, ErrIncomplete},
		"the hold of a recall removed":   {func(c *Certificate) { c.states = slices.Delete(c.states, key(c, "hold/"), key(c, "hold/")+1) }, ErrNotice},
		"the notice of a recall removed": {func(c *Certificate) { c.states = slices.Delete(c.states, key(c, "notice/"), key(c, "notice/")+1) }, ErrNotice},
		"the count of notices removed":   {func(c *Certificate) { c.states = c.states[1:] }, ErrNotice},
		"the hold of a recall denied":    {func(c *Certificate) { deny(c, key(c, "hold/"+ledger.CanonicalID(lotA))) }, ErrState},
		"the notice said to be released": {func(c *Certificate) {
			e := &c.states[key(c, "notice/")]
			e.Value = slices.Clone(e.Value)
			e.Value[len(e.Value)-1] = 9
		}, ErrState},
		"a source removed":              {func(c *Certificate) { c.things = slices.Delete(c.things, 3, 4) }, ErrGenealogy},
		"the last source removed":       {func(c *Certificate) { c.things = c.things[:5] }, ErrGenealogy},
		"what it was made of removed":   {func(c *Certificate) { c.states = slices.Delete(c.states, key(c, "made/"), key(c, "made/")+1) }, ErrGenealogy},
		"the inputs removed":            {func(c *Certificate) { c.states = slices.Delete(c.states, key(c, "link/"), key(c, "link/")+1) }, ErrGenealogy},
		"the inputs changed":            {func(c *Certificate) { e := &c.states[key(c, "link/")]; e.Value = flipIn(e.Value) }, ErrState},
		"another depth":                 {func(c *Certificate) { c.head.Depth = 0 }, ErrExtra},
		"the mark of an event removed":  {func(c *Certificate) { c.states = slices.Delete(c.states, key(c, "event/"), key(c, "event/")+1) }, ErrIncomplete},
		"another network":               {func(c *Certificate) { c.head.Genesis[3] ^= 1 }, ErrForeign},
		"records of another height":     {func(c *Certificate) { c.states = before.states }, ErrState},
		"one record of another height":  {func(c *Certificate) { c.states[1] = before.states[1] }, ErrState},
		"another height":                {func(c *Certificate) { c.head.Height = early }, ErrState},
		"an older header for the state": {func(c *Certificate) { c.head.Committing, c.head.Height = before.head.Committing, early }, ErrState},
		"a header changed": {func(c *Certificate) {
			c.paths[0].Headers = slices.Clone(c.paths[0].Headers)
			c.paths[0].Headers[70] ^= 1
		}, ErrHeader},
		"a certificate changed":            {func(c *Certificate) { c.paths[0].Certificate = flipIn(c.paths[0].Certificate) }, ErrHeader},
		"the certificate of another path":  {func(c *Certificate) { c.paths[0].Certificate = c.paths[1].Certificate }, ErrHeader},
		"headers removed":                  {func(c *Certificate) { c.paths = c.paths[1:] }, ErrHeader},
		"headers twice":                    {func(c *Certificate) { c.paths = append(c.paths[:1:1], c.paths...) }, ErrDuplicate},
		"the last hand-over removed":       {func(c *Certificate) { c.handovers = c.handovers[:len(c.handovers)-1] }, ErrTrust},
		"the first hand-over removed":      {func(c *Certificate) { c.handovers = c.handovers[1:] }, ErrTrust},
		"a hand-over too many":             {func(c *Certificate) { c.handovers = append(c.handovers, w.handover(t, len(c.handovers))) }, ErrExtra},
		"the validators said to be others": {func(c *Certificate) { c.handovers[0].Next = testSet().Encode() }, ErrTrust},
		"the same validators repeated":     {func(c *Certificate) { c.handovers[0].Next = w.starts[0].set.Encode() }, ErrDuplicate},
		"a transaction changed":            {func(c *Certificate) { c.transactions[0].Raw = flipIn(c.transactions[0].Raw) }, ErrEvent},
		"a receipt changed":                {func(c *Certificate) { c.transactions[2].Receipt = flipIn(c.transactions[2].Receipt) }, ErrEvent},
		"a transaction of another block":   {func(c *Certificate) { c.transactions[1].Block = 0 }, ErrDuplicate},
		"a transaction twice":              {func(c *Certificate) { c.transactions = append(c.transactions[:1:1], c.transactions...) }, ErrDuplicate},
		"the subject twice":                {func(c *Certificate) { c.things = append(c.things[:1:1], c.things...) }, ErrGenealogy},
		"the subject twice at the end":     {func(c *Certificate) { c.things = append(c.things, c.things[0]) }, ErrExtra},
		"another subject":                  {func(c *Certificate) { c.head.Subject = ledger.CanonicalID(box2) }, ErrGenealogy},
		"a record twice":                   {func(c *Certificate) { c.states = append(c.states, c.states[2]) }, ErrDuplicate},
		"a record too many":                {func(c *Certificate) { c.states = append(c.states, w.record(t, h, "supply")) }, ErrExtra},
		"records in another order":         {func(c *Certificate) { c.states[1], c.states[2] = c.states[2], c.states[1] }, ErrExtra},
		"a limit too high":                 {func(c *Certificate) { c.head.Events = MaxThingEvents + 1 }, ErrTooLarge},
	}
	for name, x := range cases {
		c, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		x.lie(c)
		lie, err := c.Encode()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r, err := Verify(lie, Trust{Genesis: w.genesis}); !errors.Is(err, x.want) || r != nil {
			t.Errorf("%s: %v, want %q", name, err, x.want)
		}
	}
	verified(t, w, raw)
}

func deny(c *Certificate, i int) { c.states[i].Present, c.states[i].Value = false, nil }

func testSet() *quorum.Set {
	k := testKey("somebody")
	set, err := quorum.NewSet([]quorum.Validator{{Key: k.Public(), Power: 7, Operator: k.Address()}})
	if err != nil {
		panic(err)
	}
	return set
}

// handover is the true one that ends an epoch.
func (w *world) handover(t *testing.T, e int) handover {
	t.Helper()
	for len(w.starts) <= e+1 {
		w.block()
	}
	next := w.starts[e+1]
	return handover{Closing: next.anchor.Encode(), Certificate: w.certs[next.anchor.Height].Encode()}
}

// record is a true record that the history does not need.
func (w *world) record(t *testing.T, h quorum.Height, key string) stateEntry {
	t.Helper()
	f := w.frozen[h]
	p, err := f.Prove([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return stateEntry{Key: []byte(key), Present: true, Value: f.mapView[key], Proof: raw}
}

// TestForm: cut off, with something behind it, or of another version it is not read at all.
func TestForm(t *testing.T) {
	w, h := told(t)
	raw := w.make(h, Request{ID: lotB, Depth: 1})
	trust := Trust{Genesis: w.genesis, checker: newMemo()}
	for n := range raw {
		if _, err := Verify(raw[:n], trust); !errors.Is(err, ErrFormat) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	for name, bad := range map[string][]byte{
		"a byte behind": append(slices.Clone(raw), 0), "twice": append(slices.Clone(raw), raw...),
		"version 2": []byte(strings.Replace(string(raw), "certificate 1", "certificate 2", 1)), "other bytes": []byte("PK\x03\x04"),
		"a length of 4 GiB": append([]byte(Magic), 0xff, 0xff, 0xff, 0xff, 1),
	} {
		if _, err := Verify(bad, trust); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Decode(make([]byte, MaxBytes+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	c, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Encode(); err != nil || string(again) != string(raw) {
		t.Errorf("it does not encode to itself: %v", err)
	}
}

// TestTrust: genesis, a checkpoint to begin from, or one to pass through.
func TestTrust(t *testing.T) {
	w, h := told(t)
	raw := w.make(h, Request{ID: lotB, Depth: 1})
	twin := newWorld(t, "salad twin", 6)
	if _, err := Verify(raw, Trust{Genesis: twin.genesis}); !errors.Is(err, ErrForeign) {
		t.Errorf("another genesis: %v", err)
	}
	if _, err := Verify(raw, Trust{}); !errors.Is(err, ErrTrust) {
		t.Errorf("nothing to trust: %v", err)
	}
	pin := Trust{Genesis: w.genesis, PinEpoch: 2, Pin: w.starts[2].anchor.Hash(), NowMs: w.genesis.TimeMs + w.genesis.Params.TrustingMs() + 1}
	r, err := Verify(raw, pin)
	if err != nil || r.TrustedMs != w.starts[2].anchor.TimeMs || r.Stale {
		t.Errorf("through a checkpoint: %v, %+v", err, r)
	}
	if r, err := Verify(raw, Trust{Genesis: w.genesis, NowMs: pin.NowMs}); err != nil || !r.Stale {
		t.Errorf("after the trusting period: %v", err)
	}
	pin.Pin = crypto.Hash{1}
	if _, err := Verify(raw, pin); !errors.Is(err, ErrTrust) {
		t.Errorf("through another checkpoint: %v", err)
	}
	pin.PinEpoch = 77
	if _, err := Verify(raw, pin); !errors.Is(err, ErrTrust) {
		t.Errorf("a checkpoint after it: %v", err)
	}
	start, err := light.Begin(w.genesis)
	if err != nil {
		t.Fatal(err)
	}
	for e := 1; e <= 2; e++ {
		next := w.starts[e]
		if start, err = start.Advance(next.anchor, *w.certs[next.anchor.Height], next.set); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Verify(raw, Trust{Start: &start}); !errors.Is(err, ErrTrust) {
		t.Errorf("from genesis, with a checkpoint to begin at: %v", err)
	}
	if _, err := Make(w.source(h), Request{ID: lotB, From: 2}); !errors.Is(err, ErrRequest) {
		t.Errorf("beginning after events: %v", err)
	}
	w.block(w.capture("Shop", w.event(commissioned("urn:epc:id:sgtin:9521323.010002.5"))))
	at := w.freeze()
	w.idle(3)
	late := w.make(at, Request{ID: "urn:epc:id:sgtin:9521323.010002.5", From: 2})
	if r, err := Verify(late, Trust{Start: &start}); err != nil || r.Signed.Epochs[0] != 2 {
		t.Errorf("from a checkpoint: %v", err)
	}
	if _, err := Verify(late, Trust{Genesis: w.genesis}); !errors.Is(err, ErrTrust) {
		t.Errorf("from genesis one that begins later: %v", err)
	}
}

// TestSparseCertificates: where few blocks have certificates of their own the headers between are shown.
func TestSparseCertificates(t *testing.T) {
	w := newWorld(t, "salad", 9)
	w.every = 4
	w.tell()
	h := w.freeze()
	w.idle(8)
	if r := verified(t, w, w.make(h, Request{ID: box1, Depth: 3})); !r.Complete || r.Proofs.Certificates > 8 {
		t.Errorf("%+v", r.Proofs)
	}
}

// TestBehind: an index that leaves events out makes no certificate.
func TestBehind(t *testing.T) {
	w, h := told(t)
	id := ledger.CanonicalID(box1)
	w.places[id] = slices.Delete(w.places[id], 2, 3)
	if _, err := Make(w.source(h), Request{ID: box1}); !errors.Is(err, ErrBehind) {
		t.Errorf("an event missing: %v", err)
	}
}

// TestUndone: an event that was declared erroneous stays on record, and says that it moved nothing.
func TestUndone(t *testing.T) {
	w := newWorld(t, "salad", 50)
	item := "urn:epc:id:sgtin:9521323.010002.5"
	w.block(w.capture("Shop", w.event(commissioned(item))))
	wrong := w.event(epcis.Event{Type: epcis.AggregationEvent, Action: epcis.ActionAdd, BizStep: "packing", ParentID: "urn:epc:id:sscc:9521323.0000000001", ChildEPCs: []string{item}})
	w.block(w.capture("Shop", wrong))
	declared := *wrong
	declared.ErrorDeclaration = &epcis.ErrorDeclaration{DeclarationTime: epcis.NewTimestamp(w.tip().TimeMs), Reason: "did_not_occur"}
	w.block(w.capture("Shop", &declared))
	ship := w.event(epcis.Event{Type: epcis.ObjectEvent, Action: epcis.ActionObserve, BizStep: "inspecting", EPCs: []string{"urn:epc:id:sscc:9521323.0000000001"}})
	w.block(w.capture("Shop", w.event(commissioned("urn:epc:id:sscc:9521323.0000000001")), ship))
	h := w.freeze()
	w.idle(3)
	r := verified(t, w, w.make(h, Request{ID: item}))
	if len(r.Journey) != 3 || !r.Events[r.Journey[1].Index].Undone || r.Custody.Parent != "" {
		t.Errorf("journey %+v, in %q", r.Journey, r.Custody.Parent)
	}
	gone := w.event(commissioned("urn:epc:id:sgtin:9521323.010002.6"))
	w.block(w.capture("Shop", gone))
	again := *gone
	again.ErrorDeclaration = declared.ErrorDeclaration
	w.block(w.capture("Shop", &again))
	h = w.freeze()
	w.idle(3)
	r = verified(t, w, w.make(h, Request{ID: "urn:epc:id:sgtin:9521323.010002.6"}))
	if !slices.Contains(r.Custody.Flags, "undone") || len(r.Events) != 2 {
		t.Errorf("flags %v, %d events", r.Custody.Flags, len(r.Events))
	}
}
