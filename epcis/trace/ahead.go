package trace

import "slices"

// Reading ahead.
//
// A walk asks for one item after the other, thousands of times, and a source answers many questions at once far faster than
// one by one. So the walk says which items it will come to, as soon as it knows ([history.expect]); when one is asked for that
// was not read yet, the next ones in the line are read with it, and their events.
//
//  1. What is read ahead is not part of the trace until it is asked for: limits count what is asked for, in the order in
//     which it is, so that the answer is the same with and without.
//  2. The line and what was read and not asked for yet are bounded; what does not fit is read when it is asked for.
//  3. So is what was read for nothing: whoever records events such that the wrong ones are read ahead has at most twice as much
//     read, and a little, as without.
const (
	maxExpected  = 1 << 14 // items in the line
	itemsAtOnce  = 4096    // the more, the more of them stand together
	refsAhead    = 64      // events of an item; one that has more is read alone
	eventsAtOnce = 1024
	eventsAhead  = 8 * eventsAtOnce // with the items that are read at once
	bytesAhead   = 16 << 20         // of events that were read and not asked for: where it is met, no more of them are
	firstAtOnce  = 64               // events, before it is known how long they are
	maxUnasked   = 1 << 14          // items, or events, that were read and not asked for
)

// reader reads a source ahead.
type reader struct {
	src    Source
	line   []string // expected, in order; those before next were read
	next   int
	refs   map[string][]Ref // of items that were not asked for yet
	events map[Ref]Recorded // that were not asked for yet
	wasted int              // items and events that were read and dropped
	bytes  int              // of events
	each   int              // bytes of the longest event so far; 0: none was read
}

func newReader(src Source) reader {
	return reader{src: src, refs: map[string][]Ref{}, events: map[Ref]Recorded{}}
}

// expect says that the items which an event names in one part will be asked for.
func (h *history) expect(e *entry, p part) {
	if e.expected&p != 0 {
		return
	}
	e.expected |= p
	for i := range e.in(p) {
		h.expectItem(e.in(p)[i].key)
	}
}

func (h *history) expectItem(key string) {
	r := &h.reader
	if r.next > maxExpected/2 {
		r.line = append(r.line[:0], r.line[r.next:]...)
		r.next = 0
	}
	if h.items[key] == nil && len(r.line)-r.next < maxExpected {
		r.line = append(r.line, key)
	}
}

// refs lists the events of an item, as many as the limit on events allows and one more, and reads them ahead.
func (h *history) refs(key string) ([]Ref, error) {
	r := &h.reader
	refs, known := r.refs[key]
	if !known {
		var err error
		if refs, err = h.readRefs(key); err != nil {
			return nil, err
		}
	}
	delete(r.refs, key)
	return refs, nil
}

// readRefs reads what an item is named in, and the same of those next in the line.
func (h *history) readRefs(key string) ([]Ref, error) {
	r := &h.reader
	if keys := h.upcoming(key); len(keys) > 1 {
		lists, err := r.src.EventsOf(h.ctx, keys, min(refsAhead, h.limits.Events+1))
		if err != nil {
			return nil, err
		}
		var all []Ref
		for i, refs := range lists {
			if len(refs) < refsAhead {
				r.refs[keys[i]] = refs
				all = append(all, refs...)
			} else {
				r.wasted++
			}
		}
		if err := h.readEvents(all, 0); err != nil {
			return nil, err
		}
		if refs, ok := r.refs[key]; ok {
			return refs, nil
		}
	}
	lists, err := r.src.EventsOf(h.ctx, []string{key}, h.limits.Events+1)
	if err != nil {
		return nil, err
	}
	return lists[0], nil
}

// upcoming takes items out of the line that are to be read with one that is asked for.
func (h *history) upcoming(key string) []string {
	r := &h.reader
	if r.next == len(r.line) || r.wasted > maxUnasked+len(h.items)+len(h.entries) {
		return nil
	}
	if len(r.refs) > maxUnasked {
		r.wasted += len(r.refs)
		clear(r.refs)
	}
	most := min(itemsAtOnce, h.limits.Nodes, len(r.line)-r.next+1)
	keys := append(make([]string, 0, max(most, 1)), key)
	taken := map[string]bool{key: true}
	for ; r.next < len(r.line) && len(keys) < most; r.next++ {
		k := r.line[r.next]
		if _, read := r.refs[k]; !read && h.items[k] == nil && !taken[k] {
			taken[k] = true
			keys = append(keys, k)
		}
	}
	return keys
}

// recorded reads the first of some events, and the others ahead.
func (h *history) recorded(refs []Ref) (Recorded, error) {
	r := &h.reader
	if _, read := r.events[refs[0]]; !read {
		if err := h.readEvents(refs[:min(len(refs), eventsAtOnce)], 1); err != nil {
			return Recorded{}, err
		}
	}
	found, read := r.events[refs[0]]
	if !read {
		list, err := r.src.Events(h.ctx, refs[:1])
		if err != nil {
			return Recorded{}, err
		}
		return list[0], nil
	}
	delete(r.events, refs[0])
	r.bytes -= found.Bytes
	return found, nil
}

// readEvents reads events that will be asked for, as many as it may: all that were read and not asked for yet may be needed
// too. The first few it reads in any case.
func (h *history) readEvents(refs []Ref, few int) error {
	r := &h.reader
	if len(r.events) > maxUnasked || r.bytes > bytesAhead {
		r.wasted += len(r.events)
		clear(r.events)
		r.bytes = 0
	}
	room := max(few, min(eventsAhead, h.limits.Events-len(h.entries)-len(r.events)))
	wanted := make([]Ref, 0, min(len(refs), room))
	taken := map[Ref]bool{}
	for _, ref := range refs {
		if len(wanted) >= room {
			break
		}
		if _, read := r.events[ref]; !read && h.entries[ref] == nil && !taken[ref] {
			taken[ref] = true
			wanted = append(wanted, ref)
		}
	}
	slices.SortFunc(wanted, Ref.Compare)
	for len(wanted) > 0 && (few > 0 || r.bytes <= bytesAhead) {
		refs := wanted[:min(len(wanted), r.atOnce())]
		wanted, few = wanted[len(refs):], 0
		list, err := r.src.Events(h.ctx, refs)
		if err != nil {
			return err
		}
		for i, ref := range refs {
			r.events[ref] = list[i]
			r.bytes += list[i].Bytes
			r.each = max(r.each, list[i].Bytes)
		}
	}
	return nil
}

// atOnce is how many events are read at once: fewer where there are long ones.
func (r *reader) atOnce() int {
	if r.each == 0 {
		return firstAtOnce
	}
	return min(eventsAtOnce, 1+bytesAhead/r.each)
}
