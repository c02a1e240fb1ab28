package trace

import (
	"slices"

	"waybill/epcis"
)

// process is the events that make up one transformation: those with the same transformationID, or one alone. Section 7.4.6 of
// EPCIS 2.0: all inputs of all of them go into all outputs.
type process struct {
	entries []*entry // in the order of moments
	last    []named  // of each item at the other end the last mention; nil until asked for
}

// named is a mention with the event that makes it.
type named struct {
	entry   *entry
	mention *mention
}

// process returns that which an event is part of.
func (h *history) process(e *entry) (*process, error) {
	id := e.event.TransformationID
	if id == "" {
		return &process{entries: []*entry{e}}, nil
	}
	p := h.processes[id]
	if p == nil {
		it, err := h.item(Key(id))
		if err != nil {
			return nil, err
		}
		p = &process{}
		for _, o := range it.entries {
			if o.event.Type == epcis.TransformationEvent && o.has(it.key, partProcess) {
				p.entries = append(p.entries, o)
			}
		}
		h.processes[id] = p
	}
	if _, found := slices.BinarySearchFunc(p.entries, e, func(a, b *entry) int { return a.compare(b.moment) }); !found {
		return &process{entries: append(slices.Clip(p.entries), e)}, nil // read before the limit was met
	}
	return p, nil
}

// lastNamed lists the last mention of each item in a part.
func (p *process) lastNamed(others part) []named {
	if p.last == nil {
		at := map[string]int{}
		for _, e := range p.entries {
			for i := range e.in(others) {
				m := &e.in(others)[i]
				k, again := at[m.key]
				if !again {
					k = len(p.last)
					at[m.key], p.last = k, append(p.last, named{})
				}
				p.last[k] = named{e, m}
			}
		}
	}
	return p.last
}
