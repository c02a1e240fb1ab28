package api

import (
	"cmp"
	"context"
	"strconv"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/gs1"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// Bounds of answers about one item.
const (
	usualHistory = 100
	maxHistory   = 1000
	maxContents  = 1000
)

// ItemInfo is what the ledger knows of one identifier. Either Item or Lot is set, or neither when events name it but
// nothing on the ledger is it (a party, a place, goods that a rule kept out).
type ItemInfo struct {
	ID      string        `json:"id"`      // canonical
	Asked   string        `json:"asked"`   // as the request spelled it
	KeyType string        `json:"keyType"` // for example "SGTIN"
	Height  quorum.Height `json:"height"`  // block after which the state is
	Item    *ItemState    `json:"item,omitempty"`
	Lot     *LotState     `json:"lot,omitempty"`

	Contents          *ContentsInfo `json:"contents,omitempty"` // packed directly in it
	Shipment          *ShipmentInfo `json:"shipment,omitempty"` // while in transit
	MasterData        []Attribute   `json:"masterData,omitempty"`
	History           []trace.Event `json:"history"` // events that name it, oldest first
	HistoryIncomplete bool          `json:"historyIncomplete"`
	Proof             *ProofInfo    `json:"proof,omitempty"` // with prove=true, of the stored record
}

// Holder is an account with the name of its organisation.
type Holder struct {
	Address crypto.Address `json:"address"`
	Name    string         `json:"name,omitempty"`
}

// ItemState is the state of one thing.
type ItemState struct {
	State       string      `json:"state"`
	Custodian   *Holder     `json:"custodian,omitempty"`
	Owner       *Holder     `json:"owner,omitempty"`
	BornBy      *Holder     `json:"bornBy,omitempty"`
	Parent      string      `json:"parent,omitempty"` // what it is packed in
	Place       string      `json:"place,omitempty"`
	Lot         string      `json:"lot,omitempty"`
	ExpiryMs    int64       `json:"expiryMs,omitempty"`
	Disposition string      `json:"disposition,omitempty"`
	Flags       []string    `json:"flags,omitempty"`
	BornEvent   crypto.Hash `json:"bornEvent,omitzero"`
	LastEvent   crypto.Hash `json:"lastEvent,omitzero"`
	Events      uint64      `json:"events"` // that named it
	Head        crypto.Hash `json:"head"`   // of the chain over them
}

// LotState is the state of a batch or class.
type LotState struct {
	LotNumber string          `json:"lotNumber,omitempty"`
	ExpiryMs  int64           `json:"expiryMs,omitempty"`
	BornBy    *Holder         `json:"bornBy,omitempty"`
	Flags     []string        `json:"flags,omitempty"`
	Units     []string        `json:"units"`
	Balances  []HolderBalance `json:"balances,omitempty"` // of the custodian asked about
	BornEvent crypto.Hash     `json:"bornEvent,omitzero"`
	LastEvent crypto.Hash     `json:"lastEvent,omitzero"`
	Events    uint64          `json:"events"`
	Head      crypto.Hash     `json:"head"`
}

// HolderBalance is what a custodian holds loose of a lot in one unit.
type HolderBalance struct {
	Custodian  Holder `json:"custodian"`
	Quantity   string `json:"quantity"` // exact decimal
	UOM        string `json:"uom,omitempty"`
	Unmeasured bool   `json:"unmeasured,omitempty"` // and an amount nobody stated
	Held       bool   `json:"held,omitempty"`       // set apart: not to be used
}

// ContentsInfo is what is packed directly in an item.
type ContentsInfo struct {
	Items      []string       `json:"items"`
	Quantities []PackedAmount `json:"quantities"`
	Truncated  bool           `json:"truncated,omitempty"`
}

// PackedAmount is an amount of a lot in a container or shipment.
type PackedAmount struct {
	Lot        string `json:"lot"`
	Quantity   string `json:"quantity"`
	UOM        string `json:"uom,omitempty"`
	Unmeasured bool   `json:"unmeasured,omitempty"`
}

// ShipmentInfo is goods under way.
type ShipmentInfo struct {
	Event  crypto.Hash   `json:"event"`
	From   *Holder       `json:"from"`
	To     *Holder       `json:"to,omitempty"`
	Party  string        `json:"party,omitempty"` // the receiver as the event names it
	Height quorum.Height `json:"height"`
	TimeMs int64         `json:"timeMs"`
	State  string        `json:"state"`
}

// Attribute is one fact of master data.
type Attribute struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// itemReader gathers what the state says about one identifier; the first error sticks.
type itemReader struct {
	view  ledger.View
	state Reading // the same, with its lists
	// latest is true at the tip: lists of open things serve no other height.
	latest bool
	err    error
}

func (s *Server) getItem(r *request) (*reply, error) {
	asked := cmp.Or(r.PathValue("id"), r.param("id"))
	if asked == "" {
		return nil, problem(ErrBadRequest, "say which item").want("/v1/items/ID or /v1/items?id=ID, percent-encoded", "nothing")
	}
	id, err := gs1.Parse(asked)
	if err != nil {
		return nil, err
	}
	limit, err := r.limitParam(usualHistory, maxHistory)
	if err != nil {
		return nil, err
	}
	info, err := s.itemState(r, id)
	if err != nil {
		return nil, err
	}
	info.Asked = asked
	if info.History, info.HistoryIncomplete, err = s.history(r.Context(), asked, info.Height, limit); err != nil {
		return nil, err
	}
	if info.Item == nil && info.Lot == nil && len(info.History) == 0 {
		return nil, problem(ErrNotFound, "nothing on the ledger names %s up to block %d", show(asked), info.Height).
			help("Check the identifier; right after a capture pass the job's height as minHeight.")
	}
	key := ledger.ItemKey(info.ID)
	if info.Item == nil && info.Lot != nil {
		key = ledger.LotKey(info.ID)
	}
	if info.Proof, err = s.prove(r, key); err != nil {
		return nil, err
	}
	return (&reply{json: info}).set(headerHeight, strconv.FormatUint(uint64(info.Height), 10)), nil
}

func (s *Server) itemState(r *request, id gs1.ID) (*ItemInfo, error) {
	view, err := s.reading(r)
	if err != nil {
		return nil, err
	}
	defer view.Close()
	read := &itemReader{view: view, state: view}
	info := &ItemInfo{ID: id.Canonical(), KeyType: id.Key().String(), Height: view.Height()}
	item, err := ledger.ReadItem(view, info.ID)
	if err != nil {
		return nil, err
	}
	if item != nil {
		info.Item = read.item(item)
		info.Contents = read.contents(info.ID)
		info.Shipment = read.shipment(item.Shipment)
	}
	lot, err := ledger.ReadLot(view, info.ID)
	if err != nil {
		return nil, err
	}
	if lot != nil {
		info.Lot = read.lot(lot)
		if text := r.param("custodian"); text != "" {
			custodian, err := crypto.ParseAddress(text)
			if err != nil {
				return nil, problem(ErrBadRequest, "custodian is not an address").want("wb1…", text)
			}
			info.Lot.Balances = read.balances(lot, custodian)
		}
	}
	info.MasterData = read.masterData(id)
	return info, read.err
}

func (r *itemReader) holder(a crypto.Address) *Holder {
	if a.IsZero() || r.err != nil {
		return nil
	}
	org, err := ledger.ReadOrganisation(r.view, a)
	if err != nil {
		r.err = err
		return nil
	}
	h := &Holder{Address: a}
	if org != nil {
		h.Name = org.Name
	}
	return h
}

func (r *itemReader) item(i *ledger.Item) *ItemState {
	return &ItemState{State: i.State.String(), Custodian: r.holder(i.Custodian), Owner: r.holder(i.Owner), BornBy: r.holder(i.BornBy),
		Parent: i.Parent, Place: i.Place, Lot: i.Lot, ExpiryMs: i.ExpiryMs, Disposition: i.Disposition, Flags: i.Flags.Names(),
		BornEvent: i.BornEvent, LastEvent: i.LastEvent, Events: i.Chain.Count, Head: i.Chain.Head}
}

func (r *itemReader) lot(l *ledger.Lot) *LotState {
	return &LotState{LotNumber: l.LotNumber, ExpiryMs: l.ExpiryMs, BornBy: r.holder(l.BornBy), Flags: l.Flags.Names(),
		Units: append([]string{}, l.Units...), BornEvent: l.BornEvent, LastEvent: l.LastEvent, Events: l.Chain.Count, Head: l.Chain.Head}
}

func (r *itemReader) balances(l *ledger.Lot, custodian crypto.Address) []HolderBalance {
	var out []HolderBalance
	for _, unit := range l.Units {
		for _, status := range ledger.Statuses() {
			b, err := ledger.ReadBalance(r.view, l.ID, custodian, unit, status)
			if err != nil {
				r.err = err
				return nil
			}
			if b == nil || status != ledger.Available && b.Amount.IsZero() && !b.Unmeasured {
				continue
			}
			out = append(out, HolderBalance{Custodian: r.named(custodian), Quantity: b.Amount.String(), UOM: unit, Unmeasured: b.Unmeasured, Held: status == ledger.Held})
		}
	}
	return out
}

func (r *itemReader) contents(id string) *ContentsInfo {
	c, err := ledger.ReadContents(r.view, id)
	if err != nil {
		r.err = err
	}
	if c == nil || err != nil {
		return nil
	}
	out := &ContentsInfo{Items: append([]string{}, c.Items...), Quantities: packed(c.Quantities)}
	if len(out.Items) > maxContents || len(out.Quantities) > maxContents {
		out.Items, out.Quantities = out.Items[:min(len(out.Items), maxContents)], out.Quantities[:min(len(out.Quantities), maxContents)]
		out.Truncated = true
	}
	return out
}

func packed(list []ledger.PackedAmount) []PackedAmount {
	out := make([]PackedAmount, 0, len(list))
	for _, q := range list {
		out = append(out, PackedAmount{Lot: q.Lot, Quantity: q.Amount.String(), UOM: q.Unit, Unmeasured: q.Unmeasured})
	}
	return out
}

func (r *itemReader) shipment(event crypto.Hash) *ShipmentInfo {
	if event.IsZero() || r.err != nil {
		return nil
	}
	s, err := ledger.ReadShipment(r.view, event)
	if err != nil {
		r.err = err
	}
	if s == nil || err != nil {
		return nil
	}
	return &ShipmentInfo{Event: s.Event, From: r.holder(s.From), To: r.holder(s.To), Party: s.Party, Height: s.Height, TimeMs: s.TimeMs, State: s.State.String()}
}

// masterData returns what was recorded about the identifier, or else about the product that it is one of.
func (r *itemReader) masterData(id gs1.ID) []Attribute {
	names := []string{id.Canonical(), id.Class().Canonical()}
	for _, name := range names {
		for _, typ := range []string{"product", "location", "party"} {
			if name == "" || r.err != nil {
				continue
			}
			m, err := ledger.ReadMasterData(r.view, typ, name)
			if err != nil {
				r.err = err
			}
			if m == nil || err != nil {
				continue
			}
			var out []Attribute
			for _, a := range m.Attributes {
				out = append(out, Attribute{Name: a.Name, Value: a.Value})
			}
			return out
		}
	}
	return nil
}

// history lists the events up to a height that name an item, oldest first.
func (s *Server) history(ctx context.Context, id string, height quorum.Height, limit int) ([]trace.Event, bool, error) {
	refs, err := trace.EventsOf(ctx, until{s.cfg.Trace, uint64(height)}, trace.Key(id), limit+1)
	if err != nil {
		return nil, false, err
	}
	more := len(refs) > limit
	refs = refs[:min(limit, len(refs))]
	events, err := s.cfg.Trace.Events(ctx, refs)
	if err != nil {
		return nil, false, err
	}
	out := make([]trace.Event, len(refs))
	for i, ref := range refs {
		out[i] = trace.Summary(ref, events[i].Event, events[i].Meta)
	}
	return out, more, nil
}

// until reads the events that were recorded up to a height.
type until struct {
	trace.Source
	height uint64
}

// EventsOf implements trace.Source.
func (u until) EventsOf(ctx context.Context, keys []string, limit int) ([][]trace.Ref, error) {
	lists, err := u.Source.EventsOf(ctx, keys, limit)
	for i, refs := range lists {
		n := len(refs)
		for n > 0 && refs[n-1].Height > u.height { // oldest first
			n--
		}
		lists[i] = refs[:n]
	}
	return lists, err
}

func (s *Server) traceBack(r *request) (*reply, error)    { return s.trace(r, trace.Back) }
func (s *Server) traceForward(r *request) (*reply, error) { return s.trace(r, trace.Forward) }

// Bounds that a client may ask for in a trace.
const (
	maxTraceDepth = 64
	maxTraceNodes = 10_000
)

func (s *Server) trace(r *request, walk func(context.Context, trace.Source, string, trace.Limits) (*trace.Graph, error)) (*reply, error) {
	item := r.param("item")
	if item == "" {
		return nil, problem(ErrBadRequest, "say which item to trace").want("item=ID, percent-encoded", "nothing")
	}
	var limits trace.Limits
	for _, p := range []struct {
		name  string
		field *int
		most  int
	}{{"depth", &limits.Depth, maxTraceDepth}, {"nodes", &limits.Nodes, maxTraceNodes}} {
		text := r.param(p.name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > p.most {
			return nil, problem(ErrBadRequest, "%s is out of bounds", p.name).want("1 to "+strconv.Itoa(p.most), text)
		}
		*p.field = n
	}
	height := s.cfg.Events.IndexedHeight()
	graph, err := walk(r.Context(), until{s.cfg.Trace, uint64(height)}, item, limits) // blocks may be indexed meanwhile
	if err != nil {
		return nil, err
	}
	return (&reply{json: graph}).set(headerHeight, strconv.FormatUint(uint64(height), 10)), nil
}
