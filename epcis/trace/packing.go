package trace

import (
	"slices"
	"strings"

	"waybill/epcis"
)

// packing is a stretch of time in which a child was in, or associated with, a parent.
type packing struct {
	window
	child, parent string // keys
	kind          EdgeKind
	events        []*entry  // that say so
	quantity      *quantity // put in, where events say
	left          *quantity // of it, not taken out yet
}

// packings works out when an item was in which parent.
//
// It begins with an ADD or, where nobody recorded one, with the first OBSERVE. It ends with a DELETE of the child, a
// DELETE of everything in the parent, the end of the parent's or of a single child's life, or, for a single thing, with
// being packed elsewhere. A DELETE without a beginning says that the item had been inside for a time unknown: since the
// parent was last emptied.
func (h *history) packings(it *item) ([]packing, error) {
	if it.packed {
		return it.packings, nil
	}
	it.packed = true // before reading parents, whose packings are none of this one's business
	steps, err := h.packingSteps(it)
	if err != nil {
		return nil, err
	}
	p := &packer{item: it, single: it.isSingle()}
	for _, e := range steps {
		if err := h.tick(); err != nil {
			return nil, err
		}
		p.step(e)
	}
	for _, k := range p.current {
		k.to = endless
		p.done = append(p.done, *k)
	}
	slices.SortFunc(p.done, func(a, b packing) int {
		if c := a.from.compare(b.from); c != 0 {
			return c
		}
		return strings.Compare(a.parent, b.parent)
	})
	it.packings = p.done
	return it.packings, nil
}

// packingSteps lists, in order, what may begin or end the stay of an item in something: its events, and those of its parents
// that may end it without naming the item.
func (h *history) packingSteps(it *item) ([]*entry, error) {
	var parents []*item
	for _, e := range it.entries {
		if len(e.in(partChild)) == 0 || !e.has(it.key, partChild) {
			continue
		}
		for i := range e.in(partParent) {
			parent, err := h.item(e.in(partParent)[i].key)
			if err != nil {
				return nil, err
			}
			parents = append(parents, parent)
		}
	}
	if len(parents) == 0 {
		return nil, nil
	}
	h.listing++
	steps := slices.Grow([]*entry(nil), len(it.entries)+len(parents))
	for _, e := range it.entries {
		h.marked(e)
		steps = append(steps, e)
	}
	for _, parent := range parents {
		for _, e := range it.stepsOf(parent) {
			if !h.marked(e) {
				steps = append(steps, e)
			}
		}
	}
	slices.SortFunc(steps, func(a, b *entry) int { return a.compare(b.moment) })
	return steps, nil
}

// stepsOf lists the events of a parent that matter: those that name the item are among its own, unless some of these are
// missing, by a limit or because they were withdrawn.
func (it *item) stepsOf(parent *item) []*entry {
	if it.whole {
		return parent.closing
	}
	return parent.entries
}

type packer struct {
	item    *item
	single  bool
	current []*packing
	done    []packing
	emptied []emptying // in order
}

type emptying struct {
	parent string
	at     moment
}

func (p *packer) step(e *entry) {
	key := p.item.key
	for _, k := range p.closable(e) {
		if e.unpacksAll(k.parent) || e.ends(k.parent) || p.single && e.ends(key) && !e.has(key, partChild) {
			p.close(k, e)
		}
	}
	if e.empties {
		for _, m := range e.in(partParent) {
			p.emptied = append(p.emptied, emptying{m.key, e.moment})
		}
	}
	kind := EdgePacked
	if e.event.Type == epcis.AssociationEvent {
		kind = EdgeAssociated
	} else if e.event.Type != epcis.AggregationEvent {
		return
	}
	for child := e.first(key, partChild); child != nil; child = e.next(child, partChild) {
		for _, parent := range e.in(partParent) {
			p.child(e, kind, parent.key, child)
		}
	}
}

// closable lists the stays that an event may end.
func (p *packer) closable(e *entry) []*packing {
	if !e.closes {
		return nil
	}
	return slices.Clone(p.current)
}

// child handles an event that names the item as a child of the parent.
func (p *packer) child(e *entry, kind EdgeKind, parent string, m *mention) {
	k := p.find(kind, parent)
	if e.event.Action == epcis.ActionDelete {
		if k == nil {
			k = &packing{window: window{from: p.lastEmptied(parent)}, child: p.item.key, parent: parent, kind: kind}
			p.current = append(p.current, k)
			k.quantity = toQuantity(m.quantity, m.uom)
			k.left = k.quantity
		}
		k.events = append(k.events, e)
		if !p.takeOut(k, m) {
			p.close(k, e)
		}
		return
	}
	if p.single && kind == EdgePacked {
		for _, o := range slices.Clone(p.current) {
			if o.kind == EdgePacked && o.parent != parent {
				p.close(o, e)
			}
		}
	}
	if k == nil {
		k = &packing{window: window{from: e.moment}, child: p.item.key, parent: parent, kind: kind, quantity: toQuantity(m.quantity, m.uom), events: []*entry{e}}
		k.left = k.quantity
		p.current = append(p.current, k)
		return
	}
	if e.event.Action == epcis.ActionAdd {
		k.events = append(k.events, e)
		k.quantity = k.quantity.plus(m.quantity, m.uom)
		k.left = k.left.plus(m.quantity, m.uom)
	}
}

func (p *packer) find(kind EdgeKind, parent string) *packing {
	for _, k := range p.current {
		if k.kind == kind && k.parent == parent {
			return k
		}
	}
	return nil
}

func (p *packer) lastEmptied(parent string) moment {
	at := beginning
	for _, x := range p.emptied {
		if x.parent == parent {
			at = x.at
		}
	}
	return at
}

func (p *packer) close(k *packing, e *entry) {
	k.to = e.moment
	if !slices.Contains(k.events, e) && e.has(k.parent, partParent) {
		k.events = append(k.events, e)
	}
	p.done = append(p.done, *k)
	p.current = slices.DeleteFunc(p.current, func(o *packing) bool { return o == k })
}

// takeOut reports whether something of a quantity is left after part of it was unpacked.
func (p *packer) takeOut(k *packing, m *mention) bool {
	if p.single || k.left == nil || m.quantity == nil {
		return false
	}
	out := m.quantity.Neg()
	k.left = k.left.plus(&out, m.uom)
	return k.left != nil && k.left.amount.Sign() > 0
}

// contents lists what was in a container at some time of the window, each stretch once.
func (h *history) contents(container *item, w window) ([]packing, error) {
	var keys []string
	for _, e := range container.entries {
		if !e.has(container.key, partParent) {
			continue
		}
		for i := range e.in(partChild) {
			keys = append(keys, e.in(partChild)[i].key)
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	for _, key := range keys {
		h.expectItem(key)
	}
	var out []packing
	for _, key := range keys {
		child, err := h.item(key)
		if err != nil {
			return nil, err
		}
		all, err := h.packings(child)
		if err != nil {
			return nil, err
		}
		for _, k := range all {
			if err := h.tick(); err != nil {
				return nil, err
			}
			if k.parent != container.key {
				continue
			}
			if _, ok := k.window.intersect(w); ok {
				out = append(out, k)
			}
		}
	}
	return out, nil
}
