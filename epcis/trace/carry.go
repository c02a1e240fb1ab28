package trace

import "slices"

// The part of the walk that follows packing: up to what carried an item, and down into a container.

// carry follows what carried the item.
func (w *walk) carry(n *visited, t task) error {
	all, err := w.packings(n.item)
	if err != nil {
		return err
	}
	for _, k := range all {
		in, ok := k.window.intersect(t.stretch)
		if !ok {
			continue
		}
		if err := w.carrier(n, k, k, in, n.depth+1, nil); err != nil {
			return err
		}
	}
	return nil
}

// carrier adds a parent of the item, or of a parent of it, with what happened to it meanwhile. k is the innermost
// packing, which holds the item itself; path guards against containers that claim to contain each other.
func (w *walk) carrier(n *visited, inner, k packing, in window, depth int, path []string) error {
	if slices.Contains(path, k.parent) || k.parent == n.item.key {
		return nil
	}
	c, err := w.node(k.parent, RoleCarrier, depth)
	if c == nil || err != nil {
		return err
	}
	w.packedLink(k)
	for _, e := range c.item.entries {
		if err := w.tick(); err != nil {
			return err
		}
		if !in.holds(e.moment) {
			continue
		}
		mine := e.has(n.item.key, partAny)
		if !mine && e.repacks() {
			continue // something else was put in or taken out
		}
		w.see(c, visit{entry: e})
		if mine {
			continue
		}
		w.see(n, visit{entry: e, via: c.item.key, inner: inner.parent, quantity: inner.quantity})
		if w.dir == DirectionForward && e.has(c.item.key, partInput) {
			if err := w.consumedWith(c, e); err != nil {
				return err
			}
		}
	}
	above, err := w.packings(c.item)
	if err != nil {
		return err
	}
	for _, up := range above {
		if both, ok := up.window.intersect(in); ok {
			if err := w.carrier(n, inner, up, both, depth+1, append(path, k.parent)); err != nil {
				return err
			}
		}
	}
	return nil
}

// consumedWith follows a container that was consumed with what was in it.
func (w *walk) consumedWith(c *visited, e *entry) error {
	process, err := w.process(e)
	if err != nil {
		return err
	}
	for _, p := range process.entries {
		for i := range p.in(partOutput) {
			m := &p.in(partOutput)[i]
			if m.key == c.item.key {
				continue
			}
			if err := w.transformed(c, e, p, m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walk) packedLink(k packing) {
	if l := w.link(k.kind, k.child, k.parent, k.from); l != nil {
		l.endAt, l.quantity = k.to, k.quantity
		l.add(k.events...)
	}
}

// unpack follows the contents of a container.
func (w *walk) unpack(n *visited, t task) error {
	if t.inside == never {
		return nil
	}
	list, err := w.contents(n.item, t.inside)
	if err != nil {
		return err
	}
	for _, k := range list {
		in, _ := k.window.intersect(t.inside)
		next := task{key: k.child, stretch: window{beginning, in.to}, inside: in}
		if w.dir == DirectionForward {
			next.stretch = window{in.from, endless}
		}
		if err := w.push(next, RoleContent, n.depth+1); err != nil {
			return err
		}
		if w.known(k.child) != nil {
			w.packedLink(k)
		}
	}
	return nil
}
