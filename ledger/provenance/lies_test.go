package provenance

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"waybill/crypto"
	"waybill/ledger"
)

// TestCarefulLies: lies that are told in all parts of a certificate at once.
func TestCarefulLies(t *testing.T) {
	w := newWorld(t, "salad", 6)
	w.tell()
	w.notice(7, ledger.Recall, lotA, 0)
	h := w.freeze()
	w.idle(4)
	twin := newWorld(t, "salad twin", 6) // its validators have the same keys
	twin.tell()
	twin.notice(7, ledger.Recall, lotA, 0)
	twin.freeze()
	twin.idle(4)
	decode := func(w *world, id string) *Certificate {
		c, err := Decode(w.make(h, Request{ID: id, Depth: 5}))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	theirs, second := decode(twin, box1), decode(w, box2)
	for name, x := range map[string]struct {
		lie  func(c *Certificate)
		want Kind
	}{
		"the history without its beginning": {func(c *Certificate) { c.forget(0) }, ErrIncomplete},
		"the history without its end":       {func(c *Certificate) { c.forget(len(c.things[0].Events) - 1) }, ErrIncomplete},
		"the history without its middle":    {func(c *Certificate) { c.forget(2) }, ErrIncomplete},

		"the events of another item":         {func(c *Certificate) { c.things[0].Events = second.things[0].Events }, ErrIncomplete},
		"another item and its events":        {func(c *Certificate) { c.things[0] = second.things[0] }, ErrGenealogy},
		"the record of another item":         {func(c *Certificate) { c.states[c.at("obj/")] = second.states[second.at("obj/")] }, ErrGenealogy},
		"the value of another item's record": {func(c *Certificate) { c.states[c.at("obj/")].Value = second.states[second.at("obj/")].Value }, ErrState},
		"the key of one, the rest of another": {func(c *Certificate) {
			s := second.states[second.at("obj/")]
			s.Key = c.states[c.at("obj/")].Key
			c.states[c.at("obj/")] = s
		}, ErrState},
		"all records of another item":  {func(c *Certificate) { c.states = second.states }, ErrGenealogy},
		"the whole history of another": {func(c *Certificate) { subject := c.head.Subject; *c = *second; c.head.Subject = subject }, ErrGenealogy},
		"its lot said to be another":   {func(c *Certificate) { clearRecord(t, c, "obj/", func(i *ledger.Item) { i.Lot = "urn:x:y" }) }, ErrState},
		"made of nothing":              {func(c *Certificate) { clearRecord(t, c, "obj/", func(i *ledger.Item) { i.Made = 0 }) }, ErrState},
		"its flags cleared": {func(c *Certificate) {
			clearRecord(t, c, "obj/", func(i *ledger.Item) { i.Flags ^= ledger.FlagTainted })
		}, ErrState},
		"fewer inputs": {func(c *Certificate) { clearRecord(t, c, "link/", func(l *ledger.Link) { l.Inputs = l.Inputs[1:] }) }, ErrState},
		"the notice an alert": {func(c *Certificate) {
			clearRecord(t, c, "notice/", func(n *ledger.NoticeRecord) { n.Type = ledger.Alert })
		}, ErrState},
		"nobody under it": {func(c *Certificate) {
			clearRecord(t, c, "hold/"+ledger.CanonicalID(lotA), func(h *ledger.Hold) { h.Notices = nil })
		}, ErrState},
		"no notice open at all": {func(c *Certificate) {
			clearRecord(t, c, string(ledger.NoticesKey()), func(n *ledger.Notices) { n.Open = 0 })
		}, ErrState},
		"what the rules said cleared":              {func(c *Certificate) { clearFlags(t, c) }, ErrEvent},
		"a certificate of another network":         {func(c *Certificate) { c.paths[0].Certificate = theirs.paths[0].Certificate }, ErrHeader},
		"headers of another network":               {func(c *Certificate) { c.paths = theirs.paths }, ErrForeign},
		"the last headers of another network":      {func(c *Certificate) { c.paths[len(c.paths)-1] = theirs.paths[len(theirs.paths)-1] }, ErrForeign},
		"hand-overs of another network":            {func(c *Certificate) { c.handovers = theirs.handovers }, ErrTrust},
		"all of another network but its name":      {func(c *Certificate) { genesis := c.head.Genesis; *c = *theirs; c.head.Genesis = genesis }, ErrTrust},
		"records and headers of another":           {func(c *Certificate) { c.states, c.paths = theirs.states, theirs.paths }, ErrForeign},
		"transactions of another network":          {func(c *Certificate) { c.transactions = theirs.transactions }, ErrEvent},
		"blocks and transactions of another":       {func(c *Certificate) { c.blocks, c.transactions = theirs.blocks, theirs.transactions }, ErrEvent},
		"a hand-over to one's own validators":      {func(c *Certificate) { c.handovers[1].Next = testSet().Encode() }, ErrTrust},
		"an epoch skipped":                         {func(c *Certificate) { c.handovers = slices.Delete(c.handovers, 1, 2) }, ErrTrust},
		"an epoch repeated":                        {func(c *Certificate) { c.handovers = slices.Insert(c.handovers, 1, c.handovers[1]) }, ErrTrust},
		"hand-overs in another order":              {func(c *Certificate) { c.handovers[0], c.handovers[1] = c.handovers[1], c.handovers[0] }, ErrTrust},
		"the receipt of another transaction":       {func(c *Certificate) { c.transactions[0].Receipt = c.transactions[1].Receipt }, ErrEvent},
		"receipts under a block after the state's": {func(c *Certificate) { c.blocks[0].Result = c.head.Committing + 1 }, ErrExtra},
		"with its proof": {func(c *Certificate) {
			a, b := &c.transactions[0], c.transactions[1]
			a.Receipt, a.ReceiptPath = b.Receipt, b.ReceiptPath
		}, ErrEvent},
		"a transaction of another, and proofs": {func(c *Certificate) { b := c.transactions[1]; b.Block = 0; c.transactions[0] = b }, ErrEvent},
	} {
		err := w.forged(t, w.make(h, Request{ID: box1, Depth: 5}), x.lie)
		if !errors.Is(err, x.want) {
			t.Errorf("%s: %v, want %q", name, err, x.want)
		}
	}
}

// TestOlderHeight: before its recall a thing was not recalled, and a certificate of then holds. It says of when it is, and how
// old that was when it was checked; it cannot be made to say a later height.
func TestOlderHeight(t *testing.T) {
	w := newWorld(t, "salad", 6)
	w.tell()
	early := w.freeze()
	w.idle(3)
	w.block(w.tx("Farm", &ledger.Notice{Type: ledger.Recall, Subjects: []string{lotA}, Reason: "glass"}))
	late := w.freeze()
	w.idle(3)
	old := w.make(early, Request{ID: box1, Depth: 5})
	now := w.headers[late].TimeMs
	r, err := Verify(old, Trust{Genesis: w.genesis, NowMs: now})
	if err != nil || r.Recalled || r.Height != early || r.TimeMs != w.headers[early].TimeMs || r.AgeMs != now-r.TimeMs || r.AgeMs <= 0 {
		t.Errorf("height %d, recalled %t, age %d ms: %v", r.Height, r.Recalled, r.AgeMs, err)
	}
	fresh, err := Decode(w.make(late, Request{ID: box1, Depth: 5}))
	if err != nil {
		t.Fatal(err)
	}
	if r := verified(t, w, w.make(late, Request{ID: box1, Depth: 5})); !r.Recalled {
		t.Error("the recall is not in the certificate of its height")
	}
	for name, lie := range map[string]func(c *Certificate){
		"the height alone": func(c *Certificate) { c.head.Height = late },
		"the height and the block that commits to it":           func(c *Certificate) { c.head.Height, c.head.Committing = late, fresh.head.Committing },
		"these and the headers of then":                         func(c *Certificate) { c.head, c.paths, c.handovers = fresh.head, fresh.paths, fresh.handovers },
		"all but the records":                                   func(c *Certificate) { states := c.states; *c = *fresh; c.states = states },
		"all but the records of notices, with those of earlier": func(c *Certificate) { earlier := *c; *c = *fresh; c.replace(&earlier, "hold/") },
	} {
		if err := w.forged(t, old, lie); err == nil {
			t.Errorf("%s: accepted", name)
		} else if kind, ok := kindOf(err); !ok || kind != ErrState && kind != ErrHeader {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// at finds the first record by the beginning of its key.
func (c *Certificate) at(prefix string) int {
	return slices.IndexFunc(c.states, func(e stateEntry) bool { return strings.HasPrefix(string(e.Key), prefix) })
}

// replace takes records of which another certificate has older ones.
func (c *Certificate) replace(from *Certificate, prefix string) {
	c.states = slices.Clone(c.states)
	for i, e := range c.states {
		at := slices.IndexFunc(from.states, func(o stateEntry) bool { return string(o.Key) == string(e.Key) })
		if at >= 0 && strings.HasPrefix(string(e.Key), prefix) {
			c.states[i] = from.states[at]
		}
	}
}

// forget takes an event of the subject out of everything: all things, transactions, blocks.
func (c *Certificate) forget(i int) {
	gone := c.things[0].Events[i].Tx
	block := c.transactions[gone].Block
	c.transactions = slices.Delete(c.transactions, int(gone), int(gone)+1)
	for i := range c.things {
		t := &c.things[i]
		t.Events = slices.DeleteFunc(slices.Clone(t.Events), func(p place) bool { return p.Tx == gone })
		for j := range t.Events {
			if t.Events[j].Tx > gone {
				t.Events[j].Tx--
			}
		}
	}
	if slices.ContainsFunc(c.transactions, func(t transaction) bool { return t.Block == block }) {
		return
	}
	c.blocks = slices.Delete(c.blocks, int(block), int(block)+1)
	for i := range c.transactions {
		if c.transactions[i].Block > block {
			c.transactions[i].Block--
		}
	}
}

// clearRecord changes a record and leaves its proof.
func clearRecord[T any](t *testing.T, c *Certificate, prefix string, change func(*T)) {
	t.Helper()
	i := slices.IndexFunc(c.states, func(e stateEntry) bool { return strings.HasPrefix(string(e.Key), prefix) && e.Present })
	var rec T
	if i < 0 {
		t.Fatalf("no record %s", prefix)
	} else if err := crypto.Unmarshal(c.states[i].Value, &rec); err != nil {
		t.Fatal(err)
	}
	change(&rec)
	raw, err := crypto.Marshal(&rec)
	if err != nil || string(raw) == string(c.states[i].Value) {
		t.Fatalf("%s is not changed, %v", prefix, err)
	}
	c.states[i].Value = raw
}

// clearFlags takes what the rules had to say out of the first receipt that says something.
func clearFlags(t *testing.T, c *Certificate) {
	t.Helper()
	for i := range c.transactions {
		r, err := ledger.DecodeReceipt(c.transactions[i].Receipt)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Flags) > 0 {
			r.Flags = nil
			c.transactions[i].Receipt = r.Encode()
			return
		}
	}
	t.Fatal("no receipt has flags")
}

// TestHeadOfAChain: as many events that name a thing as its record counts are not its history unless they lead to its head. Events
// from before it was on the ledger name it too.
func TestHeadOfAChain(t *testing.T) {
	w, h := told(t)
	c, err := Decode(w.make(h, Request{ID: box1}))
	if err != nil {
		t.Fatal(err)
	}
	chain := ledger.Chain{}
	for _, wrong := range []bool{false, true} {
		v := &verifier{cert: c, trust: Trust{Genesis: w.genesis}}
		for _, step := range []func() error{v.followEpochs, v.checkPaths, v.checkHeight, v.checkStates, v.checkTransactions} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		subject := name{id: c.head.Subject}
		item, err := ledger.ReadItemRecord(w.frozen[h], subject.id)
		if err != nil {
			t.Fatal(err)
		}
		if chain = item.Chain; wrong {
			chain.Head[7] ^= 1
		}
		if _, err := v.nextChain(subject, chain); wrong != errors.Is(err, ErrIncomplete) {
			t.Errorf("another head %t: %v", wrong, err)
		}
	}
}

// TestMarkOfAnEvent: an event is where its mark in the state says, whatever an old block and its receipts say.
func TestMarkOfAnEvent(t *testing.T) {
	author, tx := testKey("Plant").Address(), crypto.Hash{4}
	mark, err := crypto.Marshal(&ledger.EventMark{Tx: tx, Height: 9})
	if err != nil {
		t.Fatal(err)
	}
	view := mapView{string(ledger.EventKey(author, crypto.Hash{5})): mark}
	for name, c := range map[string]struct {
		rec  ledger.EventRecord
		want error
	}{
		"as marked":              {ledger.EventRecord{Author: author, Hash: crypto.Hash{5}, Tx: tx, Height: 9}, nil},
		"at another height":      {ledger.EventRecord{Author: author, Hash: crypto.Hash{5}, Tx: tx, Height: 8}, ErrEvent},
		"of another transaction": {ledger.EventRecord{Author: author, Hash: crypto.Hash{5}, Tx: crypto.Hash{3}, Height: 9}, ErrEvent},
		"of another author":      {ledger.EventRecord{Author: testKey("Shop").Address(), Hash: crypto.Hash{5}, Tx: tx, Height: 9}, ErrEvent},
		"another event":          {ledger.EventRecord{Author: author, Hash: crypto.Hash{6}, Tx: tx, Height: 9}, ErrEvent},
	} {
		err := (&walk{view: view}).readMarks(&node{events: []event{{rec: &c.rec}}})
		if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
