package trace

import (
	"cmp"
	"slices"
	"strings"

	"waybill/epcis"
)

// graph turns what the walk gathered into the answer, in one order whatever order the walk took.
func (w *walk) graph(root *item) (*Graph, error) {
	g := &Graph{
		Direction: w.dir, Root: root.key, Nodes: make([]Node, len(w.nodes)), Edges: make([]Edge, 0, len(w.edges)), Events: w.events(),
		Truncated: len(w.reasons) > 0, Reasons: w.reasons, Withdrawn: len(w.withdrawn),
	}
	slices.SortFunc(w.nodes, func(a, b *visited) int {
		return cmp.Or(a.depth-b.depth, strings.Compare(a.item.key, b.item.key))
	})
	for i, n := range w.nodes {
		if err := w.build(n, &g.Nodes[i]); err != nil {
			return nil, err
		}
	}
	for _, l := range w.edges {
		if w.known(l.from) != nil && w.known(l.to) != nil {
			g.Edges = append(g.Edges, l.build())
		}
	}
	slices.SortFunc(g.Edges, compareEdges)
	return g, nil
}

func compareEdges(a, b Edge) int {
	return cmp.Or(cmp.Compare(a.StartMs, b.StartMs), cmp.Compare(a.EndMs, b.EndMs), strings.Compare(string(a.Kind), string(b.Kind)),
		strings.Compare(a.From, b.From), strings.Compare(a.To, b.To), slices.Compare(a.Events, b.Events))
}

// events lists every event of the graph in order, and notes where each stands.
func (w *walk) events() []Event {
	w.listing++
	var list []*entry
	use := func(e *entry) {
		if !w.marked(e) {
			list = append(list, e)
		}
	}
	for _, n := range w.nodes {
		for i := range n.visits {
			use(n.visits[i].entry)
		}
	}
	for _, l := range w.edges {
		for _, e := range l.events {
			use(e)
		}
	}
	slices.SortFunc(list, func(a, b *entry) int { return a.compare(b.moment) })
	events := make([]Event, len(list))
	for i, e := range list {
		events[i], e.index = e.build(), i
	}
	return events
}

// Summary is the event as a graph shows it.
func Summary(ref Ref, e *epcis.Event, meta Meta) Event {
	en := entry{moment: moment{ms: e.EventTime.UnixMilli(), ref: ref}, event: e, meta: meta, setting: settingOf(spellings{}, e)}
	return en.build()
}

func (e *entry) build() Event {
	out := Event{
		Ref: e.ref, Hash: e.meta.Hash, Tx: e.meta.Tx, EventID: e.event.EventID, Type: e.event.Type.String(), Action: string(e.event.Action),
		TimeMs: e.ms, Time: e.event.EventTime.Text, RecordedMs: e.meta.TimeMs, BizStep: e.event.BizStep, Disposition: e.event.Disposition,
		ReadPoint: e.readPoint, BizLocation: e.bizLocation, From: e.from, To: e.to,
		Author: e.meta.Author, Org: e.meta.Org, Flags: e.meta.Flags,
	}
	for _, d := range e.event.BizTransactions {
		out.Documents = append(out.Documents, d.ID)
	}
	return out
}

func (w *walk) build(n *visited, out *Node) error {
	*out = Node{
		ID: n.item.key, Spelling: n.item.id, Kind: n.item.kind, Role: n.role, Class: n.item.class, Lot: n.item.lot,
		Depth: n.depth, Expanded: n.expanded, Events: make([]Visit, len(n.visits)), Status: StatusUnknown,
	}
	slices.SortFunc(n.visits, func(a, b visit) int {
		return cmp.Or(a.entry.compare(b.entry.moment), strings.Compare(a.via, b.via))
	})
	goods := parcels{key: n.item.key, single: n.item.isSingle()}
	for i := range n.visits {
		v := &n.visits[i]
		out.Events[i] = Visit{Event: v.entry.index, Via: v.via}
		if err := w.look(len(goods.list)); err != nil {
			return err
		}
		goods.apply(v)
	}
	if len(n.visits) > 0 {
		out.FirstMs, out.LastMs = n.visits[0].entry.ms, n.visits[len(n.visits)-1].entry.ms
	}
	out.Unbalanced = goods.unbalanced
	var err error
	if out.Holdings, err = goods.holdings(w.look); err != nil {
		return err
	}
	if len(out.Holdings) > 0 {
		h := &out.Holdings[0]
		out.Status, out.Place, out.Party = h.Status, h.Place, h.Party
	}
	return nil
}

// look ticks for going through so many parcels.
func (w *walk) look(parcels int) error {
	for range 1 + parcels/64 {
		if err := w.tick(); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) build() Edge {
	out := Edge{From: l.from, To: l.to, Kind: l.kind, StartMs: l.startAt.ms, Events: make([]int, len(l.events))}
	if l.startAt.ms == beginning.ms {
		out.StartMs = 0 // since before the record begins
	}
	if l.endAt.ms != endless.ms {
		out.EndMs = l.endAt.ms
	}
	if l.quantity != nil {
		out.Quantity, out.UOM = l.quantity.amount.String(), l.quantity.uom
	}
	for i, e := range l.events {
		out.Events[i] = e.index
	}
	return out
}
