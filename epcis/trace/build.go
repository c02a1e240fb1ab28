package trace

import (
	"cmp"
	"slices"
	"strings"

	"waybill/epcis"
	"waybill/epcis/gs1"
)

// graph turns what the walk gathered into the answer, in one order whatever order the walk took.
func (w *walk) graph(root *item) *Graph {
	events, index := w.events()
	g := &Graph{
		Direction: w.dir, Root: root.key, Events: events, Nodes: []Node{}, Edges: []Edge{},
		Truncated: len(w.reasons) > 0, Reasons: w.reasons, Withdrawn: len(w.withdrawn),
	}
	for _, key := range sortedKeys(w.nodes) {
		g.Nodes = append(g.Nodes, w.nodes[key].build(index))
	}
	slices.SortStableFunc(g.Nodes, func(a, b Node) int { return a.Depth - b.Depth })
	for _, l := range w.edges {
		if w.nodes[l.from] != nil && w.nodes[l.to] != nil {
			g.Edges = append(g.Edges, l.build(index))
		}
	}
	slices.SortFunc(g.Edges, compareEdges)
	return g
}

func compareEdges(a, b Edge) int {
	return cmp.Or(cmp.Compare(a.StartMs, b.StartMs), cmp.Compare(a.EndMs, b.EndMs), strings.Compare(string(a.Kind), string(b.Kind)),
		strings.Compare(a.From, b.From), strings.Compare(a.To, b.To), slices.Compare(a.Events, b.Events))
}

// events lists every event of the graph in order, and where each stands.
func (w *walk) events() ([]Event, map[Ref]int) {
	used := map[Ref]*entry{}
	for _, n := range w.nodes {
		for _, v := range n.visits {
			used[v.entry.ref] = v.entry
		}
	}
	for _, l := range w.edges {
		for _, e := range l.events {
			used[e.ref] = e
		}
	}
	list := make([]*entry, 0, len(used))
	for _, e := range used {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b *entry) int { return a.compare(b.moment) })
	events, index := make([]Event, len(list)), make(map[Ref]int, len(list))
	for i, e := range list {
		events[i], index[e.ref] = e.build(), i
	}
	return events, index
}

// Summary is the event as a graph shows it.
func Summary(ref Ref, e *epcis.Event, meta Meta) Event {
	en := entry{moment: moment{ms: e.EventTime.UnixMilli(), ref: ref}, event: e, meta: meta}
	return en.build()
}

func (e *entry) build() Event {
	out := Event{
		Ref: e.ref, Hash: e.meta.Hash, Tx: e.meta.Tx, EventID: e.event.EventID, Type: e.event.Type.String(), Action: string(e.event.Action),
		TimeMs: e.ms, Time: e.event.EventTime.Text, RecordedMs: e.meta.TimeMs, BizStep: e.event.BizStep, Disposition: e.event.Disposition,
		Author: e.meta.Author, Org: e.meta.Org, Flags: e.meta.Flags,
	}
	out.From, out.To = partiesOf(e.event)
	if e.event.ReadPoint != nil {
		out.ReadPoint = Key(e.event.ReadPoint.ID)
	}
	if e.event.BizLocation != nil {
		out.BizLocation = Key(e.event.BizLocation.ID)
	}
	for _, d := range e.event.BizTransactions {
		out.Documents = append(out.Documents, d.ID)
	}
	return out
}

func (n *visited) build(index map[Ref]int) Node {
	out := Node{
		ID: n.item.key, Spelling: n.item.id, Kind: n.item.kind, Role: n.role, Class: n.item.class, Lot: n.item.lot,
		Depth: n.depth, Expanded: n.expanded, Events: []Visit{}, Status: StatusUnknown,
	}
	visits := make([]*visit, 0, len(n.visits))
	for _, v := range n.visits {
		visits = append(visits, v)
	}
	slices.SortFunc(visits, func(a, b *visit) int {
		return cmp.Or(a.entry.compare(b.entry.moment), strings.Compare(a.via, b.via))
	})
	goods := &parcels{key: n.item.key, single: n.item.isSingle()}
	for _, v := range visits {
		out.Events = append(out.Events, Visit{Event: index[v.entry.ref], Via: v.via})
		goods.apply(v)
	}
	if len(visits) > 0 {
		out.FirstMs, out.LastMs = visits[0].entry.ms, visits[len(visits)-1].entry.ms
	}
	out.Unbalanced = goods.unbalanced
	out.Holdings = goods.holdings(index)
	if len(out.Holdings) > 0 {
		h := out.Holdings[0]
		out.Status, out.Place, out.Party = h.Status, h.Place, h.Party
	}
	return out
}

func (l *link) build(index map[Ref]int) Edge {
	out := Edge{From: l.from, To: l.to, Kind: l.kind, StartMs: l.startAt.ms, Events: []int{}}
	if l.startAt.ms == beginning.ms {
		out.StartMs = 0 // since before the record begins
	}
	if l.endAt.ms != endless.ms {
		out.EndMs = l.endAt.ms
	}
	if l.quantity != nil {
		out.Quantity, out.UOM = l.quantity.amount.String(), l.quantity.uom
	}
	for _, e := range l.events {
		out.Events = append(out.Events, index[e.ref])
	}
	return out
}

// gln returns a place without its GLN extension.
func gln(place string) string {
	if id, err := gs1.Parse(place); err == nil && id.Key() == gs1.KeySGLN {
		return id.Value()
	}
	return place
}
