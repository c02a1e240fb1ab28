package trace

import (
	"context"
	"errors"
)

// ForwardAll traces several items at once to what was made of them and where that is now, in one graph within one set of
// limits. Its Root is the first of them that an event names; what no event names is left out. Errors are those of Forward.
func ForwardAll(ctx context.Context, src Source, items []string, limits Limits) (*Graph, error) {
	w := newWalk(ctx, src, limits, DirectionForward)
	for _, id := range items {
		w.expectItem(Key(id))
	}
	var first *item
	var absent error = &Error{Kind: ErrItem, Detail: "no item is named"}
	for _, id := range items {
		root, err := w.root(id)
		if errors.Is(err, ErrNoEvent) {
			absent = err
			continue
		}
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = root
		}
		if err := w.push(task{key: root.key, stretch: always, inside: always}, RoleRoot, 0); err != nil {
			return nil, err
		}
	}
	if first == nil {
		return nil, absent
	}
	if err := w.run(); err != nil {
		return nil, err
	}
	return w.graph(first)
}
