package trace

import (
	"context"
	"slices"

	"waybill/epcis/gs1"
)

// The walk.
//
// A task is an item and the stretch of time in which it matters: going back, everything up to the moment in which it
// went into its descendant; going forward, everything from the moment in which it came out of its ancestor. Tasks are
// worked off first in, first out, so that depth is the fewest edges from the root. An item that is met again with a
// longer stretch is worked off again; the stretch can only grow, through the finitely many moments of its events, so
// that the walk ends whatever cycles the events claim. Everything a task adds is added to sets: doing it again adds
// nothing twice.
//
// Carriers are followed upwards only: what else was on the pallet is nobody's ancestor. Contents are followed downwards
// where a container is asked for, or where one was consumed whole.

// Back traces an item to what it was made of. The error is an *[Error], that of ctx, or what the Source returned.
func Back(ctx context.Context, src Source, item string, limits Limits) (*Graph, error) {
	return trace(ctx, src, item, limits, DirectionBack)
}

// Forward traces an item to what was made of it and where that is now. The error is an *[Error], that of ctx, or what
// the Source returned.
func Forward(ctx context.Context, src Source, item string, limits Limits) (*Graph, error) {
	return trace(ctx, src, item, limits, DirectionForward)
}

func trace(ctx context.Context, src Source, id string, limits Limits, dir Direction) (*Graph, error) {
	w := newWalk(ctx, src, limits, dir)
	root, err := w.root(id)
	if err != nil {
		return nil, err
	}
	if err := w.push(task{key: root.key, stretch: always, inside: always}, RoleRoot, 0); err != nil {
		return nil, err
	}
	if err := w.run(); err != nil {
		return nil, err
	}
	return w.graph(root)
}

func newWalk(ctx context.Context, src Source, limits Limits, dir Direction) *walk {
	return &walk{history: newHistory(ctx, src, limits.withDefaults()), dir: dir, edges: map[edgeKey]*link{}}
}

// run works off the queue.
func (w *walk) run() error {
	for len(w.queue) > 0 {
		// What is pushed meanwhile goes into another array, so that this one can go.
		tasks := w.queue
		w.queue = nil
		for _, t := range tasks {
			if err := w.work(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// task is an item to be worked off.
type task struct {
	key     string
	stretch window // in which it matters
	inside  window // in which its contents matter
}

// visited is what is known of a node.
type visited struct {
	item     *item
	role     Role
	depth    int
	stretch  window
	inside   []window
	expanded bool
	visits   []visit
	visited  map[visitKey]bool // the same as visits, once they are many
}

type visitKey struct {
	entry *entry
	via   string
}

// visit is an event in the history of a node: via is the carrier that the event names, inner the one that the item
// itself is in. Both are "" where the event names the item.
type visit struct {
	entry      *entry
	via, inner string
	quantity   *quantity // of the item in inner
}

type edgeKey struct {
	kind     EdgeKind
	from, to string
	start    Ref
}

// link is an edge under construction.
type link struct {
	edgeKey
	startAt  moment
	endAt    moment
	quantity *quantity
	events   []*entry
}

type walk struct {
	*history
	dir   Direction
	queue []task
	nodes []*visited
	edges map[edgeKey]*link
	seen  int // visits of all nodes
}

// known returns the node of an item, nil if there is none.
func (w *walk) known(key string) *visited {
	if it := w.items[key]; it != nil {
		return it.node
	}
	return nil
}

// root finds the item that is asked for.
func (w *walk) root(id string) (*item, error) {
	if id == "" {
		return nil, &Error{Kind: ErrItem, Detail: "no item is named"}
	}
	_, parseErr := gs1.Parse(id)
	it, err := w.item(Key(id))
	if err != nil {
		return nil, err
	}
	if len(it.entries) == 0 {
		if parseErr != nil {
			return nil, &Error{Kind: ErrItem, Item: id, Detail: parseErr.Error()}
		}
		return nil, &Error{Kind: ErrNoEvent, Item: id, Detail: "nothing recorded here names " + id + ": check the spelling, or name a lot or serial rather than a product"}
	}
	return it, nil
}

// rank orders roles: a node keeps the strongest it was met in.
func (r Role) rank() int {
	switch r {
	case RoleRoot:
		return 3
	case RoleLineage:
		return 2
	case RoleContent:
		return 1
	}
	return 0
}

// node returns the node of an item, adding it if the limits allow; nil if they do not.
func (w *walk) node(key string, role Role, depth int) (*visited, error) {
	if n := w.known(key); n != nil {
		if role.rank() > n.role.rank() {
			n.role = role
		}
		n.depth = min(n.depth, depth)
		return n, nil
	}
	if depth > w.limits.Depth {
		w.truncate("deeper than %d steps from the root: %s and what lies beyond is left out", w.limits.Depth, key)
		return nil, nil
	}
	if len(w.nodes) >= w.limits.Nodes {
		w.truncate("more than %d items: %s and others are left out", w.limits.Nodes, key)
		return nil, nil
	}
	it, err := w.item(key)
	if err != nil {
		return nil, err
	}
	it.node = &visited{item: it, role: role, depth: depth, stretch: never}
	w.nodes = append(w.nodes, it.node)
	w.expectAround(it)
	return it.node, nil
}

// expectAround says that the items next to one will be asked for when its turn comes.
func (w *walk) expectAround(it *item) {
	mine, others := w.ends()
	for _, e := range it.entries {
		parts := e.parts(it.key)
		if parts&partChild != 0 {
			w.expect(e, partParent)
		}
		if parts&mine != 0 {
			w.expect(e, partProcess)
			w.expect(e, others)
		}
		if parts&partMember != 0 && (it.kind == KindLot) == (w.dir == DirectionForward) {
			for m := e.first(it.key, partMember); m != nil; m = e.next(m, partMember) {
				w.expectItem(m.other)
			}
		}
	}
}

// ends are the part of a transformation in which the walk comes to an item, and the one in which it goes on.
func (w *walk) ends() (mine, others part) {
	if w.dir == DirectionForward {
		return partInput, partOutput
	}
	return partOutput, partInput
}

// push adds a task unless everything it would do was done.
func (w *walk) push(t task, role Role, depth int) error {
	n, err := w.node(t.key, role, depth)
	if n == nil || err != nil {
		return err
	}
	stretch := window{earlier(n.stretch.from, t.stretch.from), later(n.stretch.to, t.stretch.to)}
	if slices.ContainsFunc(n.inside, t.inside.within) {
		t.inside = never
	}
	if n.expanded && stretch == n.stretch && t.inside == never {
		return nil
	}
	if t.inside != never {
		n.inside = append(n.inside, t.inside)
	}
	n.stretch, n.expanded = stretch, true
	w.queue = append(w.queue, task{t.key, stretch, t.inside})
	return nil
}

func (w *walk) work(t task) error {
	n := w.known(t.key)
	if err := w.carry(n, t); err != nil {
		return err
	}
	done := map[*process]bool{} // those of several events
	for _, e := range n.item.entries {
		if !t.stretch.holds(e.moment) {
			continue
		}
		w.see(n, visit{entry: e})
		if err := w.transformations(n, e, done); err != nil {
			return err
		}
	}
	if err := w.memberships(n, t); err != nil {
		return err
	}
	return w.unpack(n, t)
}

// fewVisits are looked through without a map.
const fewVisits = 8

// see adds an event to the history of a node.
func (w *walk) see(n *visited, v visit) {
	key := visitKey{v.entry, v.via}
	if n.visited != nil && n.visited[key] ||
		n.visited == nil && slices.ContainsFunc(n.visits, func(o visit) bool { return o.entry == v.entry && o.via == v.via }) {
		return
	}
	if w.seen >= w.limits.Visits {
		w.truncate("more than %d events in histories: what happened to %s and others is not complete", w.limits.Visits, n.item.key)
		return
	}
	w.seen++
	n.visits = append(n.visits, v)
	switch {
	case n.visited != nil:
		n.visited[key] = true
	case len(n.visits) > fewVisits:
		n.visited = make(map[visitKey]bool, 4*fewVisits)
		for _, o := range n.visits {
			n.visited[visitKey{o.entry, o.via}] = true
		}
	}
}

// transformations follows an event in which the item came out of inputs (back) or went into outputs (forward).
//
// The first event of a process is followed to all that is at its other end. Another one adds itself to the same links, whose amounts
// and ends are then those of the last that names the other item: it need not go through all of them again.
func (w *walk) transformations(n *visited, e *entry, done map[*process]bool) error {
	mine, others := w.ends()
	if !e.has(n.item.key, mine) {
		return nil
	}
	process, err := w.process(e)
	if err != nil {
		return err
	}
	if done[process] {
		for _, o := range process.lastNamed(others) {
			if o.mention.key == n.item.key {
				continue
			}
			if err := w.transformed(n, e, o.entry, o.mention); err != nil {
				return err
			}
		}
		return nil
	}
	if len(process.entries) > 1 {
		done[process] = true
	}
	for _, p := range process.entries {
		w.expect(p, others)
		for i := range p.in(others) {
			m := &p.in(others)[i]
			if m.key == n.item.key {
				continue // it grew, or was graded: the same lot goes on
			}
			if err := w.transformed(n, e, p, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// transformed adds the item at the other end of a transformation: mine names n, other names it.
func (w *walk) transformed(n *visited, mine, other *entry, m *mention) error {
	if err := w.tick(); err != nil {
		return err
	}
	t := task{key: m.key, stretch: window{beginning, other.moment}, inside: window{other.moment, other.moment}}
	from, to, amount := m.key, n.item.key, amountOf(other, m.key, partInput)
	if w.dir == DirectionForward {
		t.stretch, t.inside = window{other.moment, endless}, never
		from, to, amount = n.item.key, m.key, amountOf(mine, n.item.key, partInput)
	}
	if err := w.push(t, RoleLineage, n.depth+1); err != nil || w.known(m.key) == nil {
		return err
	}
	start := mine
	if other.before(mine.moment) {
		start = other
	}
	l := w.link(EdgeTransformed, from, to, start.moment)
	if l == nil {
		return nil
	}
	l.quantity = amount
	l.endAt = later(mine.moment, other.moment)
	l.add(mine, other)
	return nil
}

// memberships follows lots: back from an instance to the lot that it belongs to, forward from a lot to its instances.
func (w *walk) memberships(n *visited, t task) error {
	for _, e := range n.item.entries {
		if len(e.in(partMember)) == 0 {
			continue
		}
		for m := e.first(n.item.key, partMember); m != nil; m = e.next(m, partMember) {
			isLot := n.item.kind == KindLot
			if isLot != (w.dir == DirectionForward) {
				continue
			}
			if err := w.member(n, t, e, m.other, isLot); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walk) member(n *visited, t task, e *entry, other string, isLot bool) error {
	if err := w.tick(); err != nil {
		return err
	}
	next := task{key: other, stretch: window{e.moment, endless}, inside: never}
	from, to := n.item.key, other
	if !isLot {
		from, to = other, n.item.key
		lot, err := w.item(other)
		if err != nil {
			return err
		}
		// Of the lot's own history only how it came about matters, not where the rest of it went afterwards.
		next.stretch = window{beginning, later(e.moment, lastBirth(lot, t.stretch.to))}
	}
	if err := w.push(next, RoleLineage, n.depth+1); err != nil || w.known(other) == nil {
		return err
	}
	l := w.link(EdgeMember, from, to, moment{})
	if l == nil {
		return nil
	}
	if len(l.events) == 0 || e.before(l.startAt) {
		l.startAt, l.endAt = e.moment, e.moment
	}
	l.add(e)
	return nil
}

// lastBirth is the last moment up to a limit in which something of the lot came out of a transformation.
func lastBirth(lot *item, limit moment) moment {
	at := beginning
	for _, e := range lot.entries {
		if e.has(lot.key, partOutput) && !e.after(limit) {
			at = later(at, e.moment)
		}
	}
	return at
}

// link is an edge, made if it is not there; nil if the limit is met.
func (w *walk) link(kind EdgeKind, from, to string, start moment) *link {
	key := edgeKey{kind, from, to, start.ref}
	if kind == EdgeTransformed || kind == EdgeMember {
		key.start = Ref{} // one edge, however many events say it
	}
	l := w.edges[key]
	if l == nil && len(w.edges) >= w.limits.Edges {
		w.truncate("more than %d links: that from %s to %s and others are left out", w.limits.Edges, from, to)
		return nil
	}
	if l == nil {
		l = &link{edgeKey: key, startAt: start, endAt: endless}
		w.edges[key] = l
	}
	if start.before(l.startAt) {
		l.startAt = start
	}
	return l
}

// add keeps the events in the order of time.
func (l *link) add(events ...*entry) {
	for _, e := range events {
		at, found := slices.BinarySearchFunc(l.events, e, func(a, b *entry) int { return a.compare(b.moment) })
		if !found {
			l.events = slices.Insert(l.events, at, e)
		}
	}
}
