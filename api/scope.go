package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/epcis/gs1"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// The scope of a recall: who holds what of the named goods and of everything made from them, where, since when, and what
// they said about it. The events of the index lead to the goods (trace.ForwardAll); who holds them and how much is what the
// state of the ledger says, read at the height up to which the index has come, so that both are of one block. Where the
// ledger keeps no state, which is what was sold or destroyed of a lot, the events count.

// Statuses of goods in a scope.
const (
	scopeOnHand    = "on_hand"
	scopeHeld      = "held"       // on hand and set apart
	scopeInTransit = "in_transit" // shipped and not received
	scopeDisputed  = "disputed"   // stated short or not what was shipped, and not resolved
	scopeSold      = "sold"
	scopeConsumed  = "consumed" // became something else, which is in the scope too
	scopeDestroyed = "destroyed"
	scopeLost      = "lost"    // shipped, not arrived, and said to be gone
	scopeUnknown   = "unknown" // events name it, the ledger holds it for nobody
)

// ScopeInfo is the answer to "who has it?".
type ScopeInfo struct {
	Notice   *NoticeInfo    `json:"notice,omitempty"` // whose scope it is
	Subjects []string       `json:"subjects"`         // that were asked about, canonical
	Totals   []ScopeAmount  `json:"totals"`           // by status, product and unit
	Holders  []ScopeHolder  `json:"holders"`          // everybody who has, had or is to get something of it
	Entries  []ScopeEntry   `json:"entries"`          // every part of it
	Missing  []ScopeMissing `json:"missing"`          // not accounted for
	Height   quorum.Height  `json:"height"`
	// Truncated is true when this is a part of the truth; Reasons says what was left out and why.
	Truncated bool     `json:"truncated"`
	Reasons   []string `json:"reasons,omitempty"`
	// Spreading is true while the notice has not reached yet all that was made of its subjects: it does so in the next blocks.
	Spreading bool `json:"spreading,omitempty"`
}

// ScopeEntry is an item, or a part of a lot, in one place.
type ScopeEntry struct {
	Item       string        `json:"item"`              // canonical
	Product    string        `json:"product,omitempty"` // class
	Lot        string        `json:"lot,omitempty"`
	Status     string        `json:"status"`
	Quantity   string        `json:"quantity,omitempty"` // exact decimal; absent for a single item
	UOM        string        `json:"uom,omitempty"`
	Unmeasured bool          `json:"unmeasured,omitempty"` // and an amount nobody stated
	Holder     *Holder       `json:"holder,omitempty"`     // in transit: the shipper, until it is received
	To         *Holder       `json:"to,omitempty"`         // in transit: who is to receive it
	Party      string        `json:"party,omitempty"`      // of who is not on the ledger: as the events name it
	Place      string        `json:"place,omitempty"`
	Carrier    string        `json:"carrier,omitempty"`  // container that it is in
	Shipment   crypto.Hash   `json:"shipment,omitzero"`  // in transit: its shipping event
	MadeInto   []string      `json:"madeInto,omitempty"` // consumed: what it became
	SinceMs    int64         `json:"sinceMs,omitempty"`  // time of the event that put it there
	Since      quorum.Height `json:"since,omitempty"`    // block of that event
	ByEvents   bool          `json:"byEvents,omitempty"` // the events say so; the ledger keeps no state of it

	debited bool // of what was sold: it is in no balance any more
}

// ScopeAmount adds up parts that are alike.
type ScopeAmount struct {
	Status   string `json:"status"`
	Product  string `json:"product,omitempty"`
	Items    int    `json:"items,omitempty"`    // single ones
	Quantity string `json:"quantity,omitempty"` // of lots
	UOM      string `json:"uom,omitempty"`
}

// ScopeHolder is a party with its parts, and what it answered.
type ScopeHolder struct {
	Holder
	Party   string        `json:"party,omitempty"` // of who is not on the ledger
	Ack     *AckInfo      `json:"ack,omitempty"`   // of the notice; absent: no answer yet
	Amounts []ScopeAmount `json:"amounts"`         // none: it only had something of it
	// Answer is what Ack says, or "none"; "" where no notice was asked about or the party is not on the ledger.
	Answer string `json:"answer,omitempty"`
}

// ScopeMissing is a part of a lot that is made and neither anywhere nor gone.
type ScopeMissing struct {
	Lot       string `json:"lot"`
	UOM       string `json:"uom,omitempty"`
	Made      string `json:"made"`      // commissioned, or out of transformations
	Accounted string `json:"accounted"` // on hand, held, in transit, disputed, sold, consumed or destroyed
	Missing   string `json:"missing"`   // negative: more is there than was made
}

// Bounds of a scope.
const (
	maxScopeSubjects = 10_000 // items and lots that a class or a notice stands for
	maxLotHolders    = 2_000  // balances of one lot
	maxLotMoves      = 10_000 // transformations of one lot
)

// scoper gathers a scope.
type scoper struct {
	*itemReader
	ctx    context.Context // of the one request it lives for
	server *Server
	out    *ScopeInfo
	graph  *trace.Graph

	events   map[string]*trace.Event // of the graph, by hash in hex
	carriers map[string]*standing    // by id, as far as they were looked at
	links    map[crypto.Hash][]string
	touched  map[crypto.Address]bool // accounts that recorded something about the goods
	limit    int
}

// standing is where a thing is, as inherited from what it is packed in.
type standing struct {
	item *ledger.Item // as ReadItem gives it
	root *ledger.Item // the outermost container, or the item itself
}

func (s *Server) getScope(r *request) (*reply, error) {
	item := r.param("item")
	if item == "" {
		return nil, problem(ErrBadRequest, "say of what").want("item=ID, percent-encoded", "nothing")
	}
	id, err := gs1.Parse(item)
	if err != nil {
		return nil, err
	}
	return s.scope(r, func(*itemReader, *ScopeInfo) ([]string, error) { return []string{id.Canonical()}, nil })
}

func (s *Server) getRecallScope(r *request) (*reply, error) {
	return s.scope(r, func(read *itemReader, out *ScopeInfo) ([]string, error) {
		n, err := read.noticeNamed(r)
		if err != nil {
			return nil, err
		}
		info := read.notice(n)
		out.Notice = &info
		counts, err := ledger.ReadNotices(read.view)
		if err != nil {
			return nil, err
		}
		out.Spreading = counts != nil && counts.Head != counts.Tail
		return n.Subjects, nil
	})
}

// scope answers at the height that is asked about, or up to which the index has come.
func (s *Server) scope(r *request, subjects func(*itemReader, *ScopeInfo) ([]string, error)) (*reply, error) {
	height, err := s.indexedHeight(r)
	if err != nil {
		return nil, err
	}
	limits, err := scopeLimits(r)
	if err != nil {
		return nil, err
	}
	state, err := s.cfg.State.At(r.Context(), height)
	if err != nil {
		return nil, err
	}
	defer state.Close()
	sc := &scoper{itemReader: &itemReader{view: state, state: state}, ctx: r.Context(), server: s, limit: limits.Nodes,
		out:    &ScopeInfo{Entries: []ScopeEntry{}, Holders: []ScopeHolder{}, Totals: []ScopeAmount{}, Missing: []ScopeMissing{}, Height: state.Height()},
		events: map[string]*trace.Event{}, carriers: map[string]*standing{}, links: map[crypto.Hash][]string{}, touched: map[crypto.Address]bool{}}
	if sc.out.Subjects, err = subjects(sc.itemReader, sc.out); err != nil {
		return nil, err
	}
	if err := sc.gather(limits); err != nil {
		return nil, err
	}
	return (&reply{json: sc.out}).set(headerHeight, strconv.FormatUint(uint64(sc.out.Height), 10)), sc.err
}

func scopeLimits(r *request) (trace.Limits, error) {
	limits := trace.Limits{Nodes: maxTraceNodes}
	if text := r.param("nodes"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxTraceNodes {
			return limits, problem(ErrBadRequest, "nodes is out of bounds").want("1 to "+strconv.Itoa(maxTraceNodes), text)
		}
		limits.Nodes = n
	}
	return limits, nil
}

// cut says that something is left out.
func (sc *scoper) cut(format string, args ...any) {
	sc.out.Truncated = true
	if reason := fmt.Sprintf(format, args...); len(sc.out.Reasons) < 100 && !slices.Contains(sc.out.Reasons, reason) {
		sc.out.Reasons = append(sc.out.Reasons, reason)
	}
}

func (sc *scoper) gather(limits trace.Limits) error {
	roots, err := sc.roots()
	if err != nil {
		return err
	}
	source := until{sc.server.cfg.Trace, uint64(sc.out.Height)}
	sc.graph, err = trace.ForwardAll(sc.ctx, source, roots, limits)
	switch {
	case errors.Is(err, trace.ErrNoEvent) && sc.out.Notice != nil:
		return nil // nothing on record is it: a scope of nothing
	case err != nil:
		return err
	}
	for _, reason := range sc.graph.Reasons {
		sc.cut("%s", reason)
	}
	for i := range sc.graph.Events {
		e := &sc.graph.Events[i]
		sc.events[e.Hash] = e
	}
	for i := range sc.graph.Nodes {
		n := &sc.graph.Nodes[i]
		if n.Role == trace.RoleCarrier {
			continue
		}
		sc.touch(n)
		if err := sc.node(n); err != nil {
			return err
		}
		if err := sc.ctx.Err(); err != nil {
			return err
		}
	}
	sc.tally()
	return sc.answers()
}

// roots are the items and lots that the subjects stand for: a class is every lot and serial of it.
func (sc *scoper) roots() ([]string, error) {
	var out []string
	for _, subject := range sc.out.Subjects {
		out = append(out, subject)
		id, err := gs1.Parse(subject)
		if err != nil || id.Class().IsZero() || id.Class().Canonical() != subject {
			continue // not a class
		}
		for _, stem := range [][]byte{ledger.LotsNamed(subject + "/"), ledger.ItemsNamed(subject + "/")} {
			keys, err := sc.state.Keys(sc.ctx, stem, nil, maxScopeSubjects-len(out)+1)
			if err != nil {
				return nil, err
			}
			for _, key := range keys {
				if len(out) == maxScopeSubjects {
					sc.cut("more than %d lots and items are subjects: the rest of %s is left out", maxScopeSubjects, subject)
					break
				}
				out = append(out, subject+string(key[len(stem)-1:]))
			}
		}
	}
	return out, nil
}

// touch remembers who recorded something about a node.
func (sc *scoper) touch(n *trace.Node) {
	for _, v := range n.Events {
		if a, err := crypto.ParseAddress(sc.graph.Events[v.Event].Author); err == nil {
			sc.touched[a] = true
		}
	}
}

func (sc *scoper) node(n *trace.Node) error {
	item, err := sc.standing(n.ID)
	if err != nil {
		return err
	}
	if item != nil {
		return sc.item(n, item)
	}
	lot, err := ledger.ReadLot(sc.view, n.ID)
	if err != nil {
		return err
	}
	if lot != nil {
		return sc.lotParts(n, lot)
	}
	// Events name it, and a rule kept it out of the state.
	for _, h := range n.Holdings {
		e := ScopeEntry{Item: n.ID, Product: n.Class, Lot: n.Lot, Status: scopeUnknown, Quantity: h.Quantity, UOM: h.UOM, Party: h.Party, Place: h.Place, SinceMs: h.TimeMs, ByEvents: true}
		sc.add(e)
	}
	return nil
}

// maxScopeEntries bounds the parts in an answer.
const maxScopeEntries = 20_000

func (sc *scoper) add(e ScopeEntry) {
	if len(sc.out.Entries) == maxScopeEntries {
		sc.cut("more than %d parts: the rest is left out", maxScopeEntries)
		return
	}
	sc.out.Entries = append(sc.out.Entries, e)
}

// standing reads a thing with what it is packed in; nil if it is not on the ledger.
func (sc *scoper) standing(id string) (*standing, error) {
	if s, ok := sc.carriers[id]; ok {
		return s, nil
	}
	record, err := ledger.ReadItemRecord(sc.view, id)
	if err != nil || record == nil {
		return nil, err
	}
	s := &standing{item: record, root: record}
	if record.Parent != "" {
		above, err := sc.standing(record.Parent)
		if err != nil {
			return nil, err
		}
		if s.item, err = ledger.ReadItem(sc.view, id); err != nil {
			return nil, err
		}
		if above != nil {
			s.root = above.root
		}
	}
	sc.carriers[id] = s
	return s, nil
}

// item says where one thing is.
func (sc *scoper) item(n *trace.Node, s *standing) error {
	i := s.item
	status := itemStatus(i)
	if status == scopeDestroyed && slices.ContainsFunc(n.Holdings, func(h trace.Holding) bool { return h.Status == trace.StatusSold }) {
		status = scopeSold // a sale may be the end of a thing on the ledger
	}
	e := ScopeEntry{Item: n.ID, Product: n.Class, Lot: i.Lot, Status: status, Holder: sc.holder(i.Custodian), Place: i.Place, Carrier: i.Parent}
	sc.since(&e, s.root.LastEvent, s.root.LastHeight)
	switch e.Status {
	case scopeInTransit, scopeDisputed:
		sc.underWay(&e, i.Shipment)
	case scopeConsumed:
		e.Carrier = ""
		sc.since(&e, i.LastEvent, i.LastHeight)
		if i.Used > 0 {
			edge, err := ledger.ReadUsed(sc.view, n.ID, i.Used-1)
			if err != nil {
				return err
			}
			if e.MadeInto, err = sc.madeInto(edge); err != nil {
				return err
			}
		}
	case scopeSold, scopeDestroyed:
		sc.since(&e, i.LastEvent, i.LastHeight)
		for _, h := range n.Holdings { // selling moves nothing: the events say when
			if string(h.Status) == e.Status {
				e.SinceMs = h.TimeMs
			}
		}
	}
	sc.add(e)
	return sc.err
}

// itemStatus says what became of a thing.
func itemStatus(i *ledger.Item) string {
	switch i.State {
	case ledger.StateInTransit:
		return scopeInTransit
	case ledger.StateConsumed:
		return scopeConsumed
	case ledger.StateDecommissioned, ledger.StateDestroyed:
		return scopeDestroyed
	case ledger.StateObserved:
		return scopeUnknown
	case ledger.StateDisputed:
		return scopeDisputed
	case ledger.StateRejected:
		return scopeHeld
	case ledger.StateLost:
		return scopeLost
	}
	switch i.Disposition {
	case "retail_sold", "dispensed":
		return scopeSold
	}
	return scopeOnHand
}

func (sc *scoper) since(e *ScopeEntry, event crypto.Hash, height quorum.Height) {
	e.Since = height
	if known := sc.events[event.String()]; known != nil {
		e.SinceMs = known.TimeMs
	}
}

// underWay fills in the two ends of a shipment.
func (sc *scoper) underWay(e *ScopeEntry, event crypto.Hash) {
	sh, err := ledger.ReadShipment(sc.view, event)
	if err != nil || sh == nil {
		sc.err = cmp.Or(sc.err, err)
		return
	}
	e.Shipment, e.Holder, e.To = event, sc.holder(sh.From), sc.holder(sh.To)
	if sh.To.IsZero() {
		e.Party = sh.Party
	}
	e.Since = sh.Height
	if known := sc.events[event.String()]; known != nil {
		e.SinceMs = known.TimeMs
	}
}

// madeInto lists what a transformation made.
func (sc *scoper) madeInto(edge *ledger.Edge) ([]string, error) {
	if edge == nil {
		return nil, nil
	}
	if out, ok := sc.links[edge.Link]; ok {
		return out, nil
	}
	link, err := ledger.ReadLink(sc.view, edge.Link)
	if err != nil || link == nil {
		return nil, err
	}
	sc.links[edge.Link] = link.Outputs
	return link.Outputs, nil
}

// sum adds exact decimals; what cannot be added is left out, which the caller reports.
type sum struct {
	total epcis.Decimal
	any   bool
	lost  bool
}

func (s *sum) add(text string, sign int) {
	if text == "" {
		return
	}
	d, err := epcis.ParseDecimal(text)
	if err == nil && sign < 0 {
		d = d.Neg()
	}
	if err == nil {
		d, err = s.total.Add(d)
	}
	if err != nil {
		s.lost = true
		return
	}
	s.total, s.any = d, true
}

// tally adds up the parts by status and by holder.
func (sc *scoper) tally() {
	slices.SortStableFunc(sc.out.Entries, func(a, b ScopeEntry) int {
		return cmp.Or(statusRank(a.Status)-statusRank(b.Status), strings.Compare(holderKey(a), holderKey(b)), strings.Compare(a.Item, b.Item))
	})
	sc.out.Totals = amountsOf(sc.out.Entries)
	byHolder := map[string][]ScopeEntry{}
	var order []string
	for _, e := range sc.out.Entries {
		key := holderKey(e)
		if byHolder[key] == nil {
			order = append(order, key)
		}
		byHolder[key] = append(byHolder[key], e)
	}
	for _, key := range order {
		first := byHolder[key][0]
		h := ScopeHolder{Party: first.Party, Amounts: amountsOf(byHolder[key])}
		if first.Holder != nil {
			h.Holder, h.Party = *first.Holder, ""
		}
		sc.out.Holders = append(sc.out.Holders, h)
	}
	for _, e := range sc.out.Entries {
		if e.To != nil {
			sc.touched[e.To.Address] = true // it is to get something
		}
	}
	sc.addTouched()
}

// addTouched adds those who had something and have nothing any more.
func (sc *scoper) addTouched() {
	var rest []crypto.Address
	for a := range sc.touched {
		if !slices.ContainsFunc(sc.out.Holders, func(h ScopeHolder) bool { return h.Address == a }) {
			rest = append(rest, a)
		}
	}
	slices.SortFunc(rest, func(a, b crypto.Address) int { return slices.Compare(a[:], b[:]) })
	for _, a := range rest {
		sc.out.Holders = append(sc.out.Holders, ScopeHolder{Holder: sc.named(a), Amounts: []ScopeAmount{}})
	}
}

func holderKey(e ScopeEntry) string {
	if e.Holder != nil {
		return e.Holder.Name + "\x00" + e.Holder.Address.String()
	}
	return "\xff" + e.Party
}

func statusRank(status string) int {
	return slices.Index([]string{scopeOnHand, scopeHeld, scopeInTransit, scopeDisputed, scopeUnknown, scopeSold, scopeConsumed, scopeDestroyed, scopeLost}, status)
}

func amountsOf(entries []ScopeEntry) []ScopeAmount {
	type key struct{ status, product, uom string }
	var order []key
	sums, items := map[key]*sum{}, map[key]int{}
	for _, e := range entries {
		k := key{e.Status, e.Product, e.UOM}
		if sums[k] == nil {
			sums[k], order = &sum{}, append(order, k)
		}
		if e.Quantity == "" && !e.Unmeasured {
			items[k]++
		}
		sums[k].add(e.Quantity, 1)
	}
	out := []ScopeAmount{}
	for _, k := range order {
		a := ScopeAmount{Status: k.status, Product: k.product, UOM: k.uom, Items: items[k]}
		if sums[k].any {
			a.Quantity = sums[k].total.String()
		}
		out = append(out, a)
	}
	return out
}

// answers adds what the holders said to the notice.
func (sc *scoper) answers() error {
	if sc.out.Notice == nil {
		return nil
	}
	for i := range sc.out.Holders {
		h := &sc.out.Holders[i]
		if h.Address.IsZero() {
			continue
		}
		ack, err := sc.ack(sc.out.Notice.ID, h.Address)
		if err != nil {
			return err
		}
		if h.Ack, h.Answer = ack, "none"; ack != nil {
			h.Answer = ack.Status
		}
	}
	return nil
}
