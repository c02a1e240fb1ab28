package provenance

import (
	"slices"

	"waybill/crypto"
	"waybill/epcis/gs1"
	"waybill/ledger"
)

// name is how a thing is known: items and lots have records of their own, and an opaque identifier may name both.
type name struct {
	id  string
	lot bool
}

// role is why a thing is part of a history.
type role uint8

const (
	roleContainer role = iota // something was packed in it
	rolePart                  // the lot of an item
	roleSource                // the subject, or what it was made of
)

// event is an event of a chain with the transaction that carried it.
type event struct {
	tx    *carried
	rec   *ledger.EventRecord
	named ledger.Named
}

// carried is a transaction and what the ledger recorded of it.
type carried struct {
	tx      *ledger.Transaction
	records []ledger.EventRecord // ascending by Index
	events  map[uint32]event     // found so far, by index: one event may name thousands of things of the history
	index   uint32               // among the transactions of the certificate
	proof   transaction          // while a certificate is made
	used    bool
}

// find returns the accepted event with an index; nil if there is none.
func (c *carried) find(index uint32) *ledger.EventRecord {
	i, ok := slices.BinarySearchFunc(c.records, index, func(r ledger.EventRecord, want uint32) int { return r.Index - int(want) })
	if !ok || !c.records[i].Accepted {
		return nil
	}
	return &c.records[i]
}

// event returns the accepted event with an index.
func (c *carried) event(index uint32) (event, bool) {
	if e, found := c.events[index]; found {
		return e, true
	}
	rec := c.find(index)
	if rec == nil {
		return event{}, false
	}
	if c.events == nil {
		c.events = map[uint32]event{}
	}
	e := event{tx: c, rec: rec, named: c.tx.Named(rec.Index)}
	c.events[index] = e
	return e, true
}

// node is a thing of the history.
type node struct {
	name
	role   role
	depth  int
	item   *ledger.Item // one of the two
	batch  *ledger.Lot
	cut    bool // it has more events than are followed
	events []event
	marks  []*ledger.EventMark // of the events
	made   []making

	packed, traced bool // its containers, and what it was made of, are followed
}

// making is one transformation that made a thing.
type making struct {
	edge   *ledger.Edge
	inputs []string // with the first event of the transformation only
	beyond bool     // the inputs lie beyond the depth
}

func (n *node) chain() ledger.Chain {
	if n.item != nil {
		return n.item.Chain
	}
	return n.batch.Chain
}

// walk reads a history from a state, in an order that depends on nothing else.
type walk struct {
	view   ledger.View
	events func(name, ledger.Chain) ([]event, error) // the events on a chain, in order; checked
	depth  int
	limit  uint64 // events of a thing

	nodes   []*node
	known   map[name]*node // nil: it has no record
	total   uint64         // events
	holds   map[string]*ledger.Hold
	notices map[crypto.Hash]*ledger.NoticeRecord
	open    *ledger.Notices // nil: there never was a notice
	orgs    map[crypto.Address]*ledger.Organisation
	master  map[string]*ledger.MasterData // by identifier: of products and places; nil: nobody recorded any
	links   map[crypto.Hash]*ledger.Link  // of transformations that were followed
	outer   []*node                       // what the subject is packed in now, the closest first
	item    *ledger.Item                  // the subject with what it inherits from its containers; nil for lots
	under   *ledger.Shipment
}

type task struct {
	name
	role role
}

// run walks from the subject.
func (w *walk) run(subject string) error {
	w.known, w.holds = map[name]*node{}, map[string]*ledger.Hold{}
	w.links = map[crypto.Hash]*ledger.Link{}
	w.notices, w.orgs = map[crypto.Hash]*ledger.NoticeRecord{}, map[crypto.Address]*ledger.Organisation{}
	var err error
	if w.open, err = ledger.ReadNotices(w.view); err != nil {
		return missing(ErrNotice, err, "the count of open notices")
	}
	next := tasks(subject, roleSource)
	for depth := 0; len(next) > 0; depth++ {
		level := next
		next = nil
		for i := 0; i < len(level); i++ {
			same, deeper, err := w.visit(level[i], depth)
			if err != nil {
				return err
			}
			level, next = append(level, same...), append(next, deeper...)
		}
	}
	if len(w.nodes) == 0 {
		return refuse(ErrNotFound, nil, "%s", subject)
	}
	for _, read := range []func() error{w.readSubject, w.readOrganisations, w.readMasterData} {
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// tasks are what an identifier may name: a class is a lot, an opaque identifier either.
func tasks(id string, r role) []task {
	if parsed, err := gs1.Parse(id); err == nil && parsed.IsClass() {
		return []task{{name{id, true}, r}}
	}
	return []task{{name{id, false}, r}, {name{id, true}, r}}
}

// visit adds a thing to the history and returns what is to be visited because of it, at the same depth and one deeper.
func (w *walk) visit(t task, depth int) (same, deeper []task, err error) {
	n, seen := w.known[t.name]
	if !seen {
		if n, err = w.load(t, depth); err != nil {
			return nil, nil, err
		}
	}
	if n == nil || n.cut {
		return nil, nil, nil
	}
	if t.role != rolePart && !n.packed {
		n.packed = true
		same = append(same, n.containers()...)
	}
	if t.role != roleContainer && !n.traced {
		n.traced, n.role = true, max(n.role, t.role)
		if n.item != nil && n.item.Lot != "" {
			same = append(same, task{name{n.item.Lot, true}, rolePart})
		}
		if deeper, err = w.trace(n, depth); err != nil {
			return nil, nil, err
		}
	}
	n.role = max(n.role, t.role)
	return same, deeper, nil
}

// load reads the record of a thing, its events, and the notices over it; nil if it has no record.
func (w *walk) load(t task, depth int) (*node, error) {
	w.known[t.name] = nil
	n := &node{name: t.name, role: t.role, depth: depth}
	var err error
	if t.lot {
		n.batch, err = ledger.ReadLot(w.view, t.id)
	} else {
		n.item, err = ledger.ReadItemRecord(w.view, t.id)
	}
	if err != nil {
		return nil, missing(ErrGenealogy, err, "the record of %s", t.id)
	}
	if n.item == nil && n.batch == nil {
		return nil, nil
	}
	if w.known[t.name] = n; len(w.nodes) == MaxThings {
		return nil, refuse(ErrTooLarge, nil, "the history leads to more than %d things; ask for a smaller depth", MaxThings)
	}
	w.nodes = append(w.nodes, n)
	if err := w.readHolds(n); err != nil {
		return nil, err
	}
	c := n.chain()
	if n.cut = c.Count > w.limit && len(w.nodes) > 1; n.cut {
		return n, nil
	}
	if w.total += c.Count; c.Count > MaxEvents || w.total > MaxEvents {
		return nil, refuse(ErrTooLarge, nil, "the history has more than %d events; ask for a smaller depth", MaxEvents)
	}
	if n.events, err = w.events(n.name, c); err != nil {
		return nil, err
	}
	if err := n.checkBirth(); err != nil {
		return nil, err
	}
	return n, w.readMarks(n)
}

// checkBirth: where somebody else recorded the same event before the thing was on the ledger, the one that is not on the
// chain must not stand for the one that is.
func (n *node) checkBirth() error {
	var by crypto.Address
	var born crypto.Hash
	if n.item != nil {
		by, born = n.item.BornBy, n.item.BornEvent
	} else {
		by, born = n.batch.BornBy, n.batch.BornEvent
	}
	same := func(e event) bool { return e.rec.Hash == born }
	if slices.ContainsFunc(n.events, same) && !slices.ContainsFunc(n.events, func(e event) bool { return same(e) && e.rec.Author == by }) {
		return refuse(ErrEvent, nil, "event %s, which brought %s onto the ledger, is that of another author", born, n.id)
	}
	return nil
}

// readMarks binds author, transaction and height of every event to the state.
func (w *walk) readMarks(n *node) error {
	n.marks = make([]*ledger.EventMark, len(n.events))
	for i, e := range n.events {
		m, err := ledger.ReadEventMark(w.view, e.rec.Author, e.rec.Hash)
		if err != nil {
			return missing(ErrIncomplete, err, "the mark of event %s", e.rec.Hash)
		}
		if m == nil || m.Tx != e.rec.Tx || m.Height != e.rec.Height {
			return refuse(ErrEvent, nil, "event %s is not recorded as of transaction %s at height %d", e.rec.Hash, e.rec.Tx, e.rec.Height)
		}
		n.marks[i] = m
	}
	return nil
}

// readHolds reads the notices that a thing is under: its own, those of the lot that it names, and those of its class.
func (w *walk) readHolds(n *node) error {
	for _, held := range n.heldAs() {
		if _, done := w.holds[held.ID]; done {
			continue
		}
		h, err := ledger.ReadHold(w.view, held.ID)
		if err != nil {
			return missing(ErrNotice, err, "the notices over %s", held.ID)
		}
		if w.holds[held.ID] = h; h == nil {
			continue
		}
		for _, id := range h.Notices {
			if err := w.readNotice(id); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walk) readNotice(id crypto.Hash) error {
	if _, done := w.notices[id]; done {
		return nil
	}
	r, err := ledger.ReadNotice(w.view, id)
	if err != nil {
		return missing(ErrNotice, err, "the notice %s", id)
	}
	if r == nil {
		return refuse(ErrState, nil, "the notice %s of a hold is not there", id)
	}
	w.notices[id] = r
	return nil
}

// heldAs lists the holds that concern a thing.
func (n *node) heldAs() []ledger.HoldOf {
	lot := ""
	if n.item != nil {
		lot = n.item.Lot
	}
	return ledger.HoldsOf(n.id, lot)
}

// containers are what a thing was ever packed in: each ADD that names it as a child names the container.
func (n *node) containers() []task {
	var out []task
	for _, e := range n.events {
		if parent := n.packedInto(e); parent != "" {
			out = append(out, task{name{parent, false}, roleContainer})
		}
	}
	return out
}

// trace reads what a thing was made of and returns it.
func (w *walk) trace(n *node, depth int) ([]task, error) {
	count := n.madeBy()
	if count > n.chain().Count {
		return nil, refuse(ErrState, nil, "%s was made %d times by %d events", n.id, count, n.chain().Count)
	}
	var out []task
	mine := map[crypto.Hash]bool{}
	for i := range count {
		edge, err := ledger.ReadMade(w.view, n.id, i)
		if err != nil {
			return nil, missing(ErrGenealogy, err, "transformation %d that made %s", i, n.id)
		}
		if edge == nil {
			return nil, refuse(ErrState, nil, "transformation %d that made %s is not there", i, n.id)
		}
		link, fresh, err := w.link(edge.Link)
		if err != nil {
			return nil, missing(ErrGenealogy, err, "the inputs of %s", n.id)
		}
		if link == nil {
			return nil, refuse(ErrState, nil, "the inputs of transformation %d that made %s are not there", i, n.id)
		}
		m := making{edge: edge, beyond: depth >= w.depth}
		if !mine[edge.Link] {
			mine[edge.Link], m.inputs = true, link.Inputs
		}
		n.made = append(n.made, m)
		if depth >= w.depth || !fresh {
			continue
		}
		for _, id := range link.Inputs {
			out = append(out, tasks(id, roleSource)...)
		}
	}
	return out, nil
}

// link reads the inputs of a transformation once, and reports whether this was the first time. A transformation may have
// thousands of inputs and thousands of events: to follow all from each would take a small file hours and gigabytes. Whoever
// comes second is not closer to the subject.
func (w *walk) link(id crypto.Hash) (*ledger.Link, bool, error) {
	if link := w.links[id]; link != nil {
		return link, false, nil
	}
	link, err := ledger.ReadLink(w.view, id)
	if err == nil && link != nil {
		w.links[id] = link
	}
	return link, true, err
}

func (n *node) madeBy() uint64 {
	if n.item != nil {
		return n.item.Made
	}
	return n.batch.Made
}
