package provenance

import (
	"slices"

	"waybill/epcis"
	"waybill/ledger"
)

// What an event did to a thing, as far as its words say.
const (
	ActMade     = "made"
	ActPacked   = "packed"
	ActUnpacked = "unpacked"
	ActShipped  = "shipped"
	ActReceived = "received"
	ActUsed     = "used"  // up, for something else
	ActEnded    = "ended" // decommissioned or destroyed
	ActSeen     = "seen"
	ActDeclared = "declared an error"
)

// traveller follows the subject and what it is packed in through the events in the order of the ledger.
type traveller struct {
	self name
	part func(name) bool   // of the history; what else is packed does not matter
	into map[name][]string // the containers that a thing is in; an item is in one at most
	hold map[string][]name // the reverse

	boxes map[string]int // what the subject is in, by how far out; nil: something moved since it was worked out
}

// journey lists the events that happened to the subject itself and, while it was packed, to its containers.
func (c *composer) journey() {
	self := c.w.nodes[0].name
	t := &traveller{self: self, into: map[name][]string{}, hold: map[string][]name{}}
	t.part = func(n name) bool { return c.w.known[n] != nil }
	for i, e := range c.list {
		var before map[string]int
		direct := e.holds(self)
		if !direct {
			before = t.around()
		}
		if e.rec.Event.ErrorDeclaration == nil && !c.undone(e) {
			t.move(e)
		}
		step := Step{Event: e.rec.Hash, Index: i, Act: self.actOf(e)}
		if !direct {
			if step.In = namedOf(e, before); step.In == "" {
				step.In = namedOf(e, t.around())
			}
			if step.In == "" {
				continue
			}
			step.Act = name{id: step.In}.actOf(e)
		}
		c.r.Journey = append(c.r.Journey, step)
		c.hold(e, &step)
	}
}

// undone reports whether the effects of an event were undone.
func (c *composer) undone(e event) bool {
	m := c.marks[e.key()]
	return m != nil && m.Undone
}

// hold notes who got the subject by an event.
func (c *composer) hold(e event, s *Step) {
	if c.undone(e) || c.w.item == nil || s.In != "" && s.Act != ActReceived {
		return
	}
	how := ""
	switch {
	case s.Act == ActMade, s.Act == ActReceived:
		how = s.Act
	case len(c.r.Holders) == 0 && e.rec.Hash == c.w.nodes[0].item.BornEvent:
		how = HowSeen
	}
	if last := len(c.r.Holders) - 1; how == "" || last >= 0 && c.r.Holders[last].Holder.Address == e.rec.Author {
		return
	}
	c.r.Holders = append(c.r.Holders, Holding{Holder: c.org(e.rec.Author), FromMs: e.rec.Event.EventTime.UnixMilli(), How: how, Event: e.rec.Hash})
}

// around tells what the subject is in, at any level, the closest first. The result must not be changed.
func (t *traveller) around() map[string]int {
	if t.boxes != nil {
		return t.boxes
	}
	t.boxes = map[string]int{}
	queue := slices.Clone(t.into[t.self])
	for i := 0; i < len(queue); i++ {
		if _, met := t.boxes[queue[i]]; !met {
			t.boxes[queue[i]] = len(t.boxes)
			queue = append(queue, t.into[name{id: queue[i]}]...)
		}
	}
	return t.boxes
}

// move packs and unpacks what an event says.
func (t *traveller) move(e event) {
	ev := e.rec.Event
	switch {
	case ev.Type == epcis.AggregationEvent && ev.Action == epcis.ActionAdd:
		for _, id := range e.named.Children.Items {
			t.free(name{id: id})
			t.pack(name{id: id}, e.named.Parent)
		}
		for _, id := range e.named.Children.Lots {
			t.pack(name{id, true}, e.named.Parent)
		}
	case ev.Type == epcis.AggregationEvent && ev.Action == epcis.ActionDelete:
		t.unpack(e)
	case ev.Type == epcis.ObjectEvent && ev.Action == epcis.ActionDelete:
		t.end(e.named.Goods.Items)
	case ev.Type == epcis.TransformationEvent:
		t.end(e.named.Inputs.Items)
	}
}

func (t *traveller) pack(n name, parent string) {
	if t.part(n) && !slices.Contains(t.into[n], parent) {
		t.into[n] = append(slices.Clip(t.into[n]), parent)
		t.hold[parent] = append(t.hold[parent], n)
		t.boxes = nil
	}
}

func (t *traveller) unpack(e event) {
	parent, children := e.named.Parent, &e.named.Children
	if len(children.Items)+len(children.Lots) == 0 {
		for _, n := range slices.Clone(t.hold[parent]) {
			t.take(n, parent)
		}
		return
	}
	for _, id := range children.Items {
		t.take(name{id: id}, parent)
	}
	for _, id := range children.Lots {
		t.take(name{id, true}, parent)
	}
}

// end takes items out of the world; what is in them stays behind.
func (t *traveller) end(ids []string) {
	for _, id := range ids {
		t.free(name{id: id})
		for _, n := range slices.Clone(t.hold[id]) {
			t.take(n, id)
		}
	}
}

// free takes a thing out of everything.
func (t *traveller) free(n name) {
	for _, parent := range slices.Clone(t.into[n]) {
		t.take(n, parent)
	}
}

func (t *traveller) take(n name, parent string) {
	if !slices.Contains(t.into[n], parent) {
		return
	}
	t.boxes = nil
	t.into[n] = slices.DeleteFunc(slices.Clone(t.into[n]), func(id string) bool { return id == parent })
	t.hold[parent] = slices.DeleteFunc(t.hold[parent], func(other name) bool { return other == n })
}

// namedOf returns the closest of some containers that the event names; "" if it names none.
func namedOf(e event, boxes map[string]int) string {
	best := ""
	look := func(id string) {
		at, in := boxes[id]
		if in && (best == "" || at < boxes[best]) {
			best = id
		}
	}
	look(e.named.Parent)
	for _, g := range []*ledger.NamedGoods{&e.named.Goods, &e.named.Children, &e.named.Inputs, &e.named.Outputs} {
		for _, id := range g.Items {
			look(id)
		}
	}
	return best
}

// actOf says what an event did to a thing that it names.
func (n name) actOf(e event) string {
	ev := e.rec.Event
	switch {
	case ev.ErrorDeclaration != nil:
		return ActDeclared
	case e.named.Outputs.Holds(n.id, n.lot), ev.Type == epcis.ObjectEvent && ev.Action == epcis.ActionAdd:
		return ActMade
	case e.named.Inputs.Holds(n.id, n.lot):
		return ActUsed
	case ev.Type == epcis.ObjectEvent && ev.Action == epcis.ActionDelete:
		return ActEnded
	case ev.Type == epcis.AggregationEvent && ev.Action == epcis.ActionAdd:
		return ActPacked
	case ev.Type == epcis.AggregationEvent && ev.Action == epcis.ActionDelete:
		return ActUnpacked
	}
	switch ev.BizStep {
	case "shipping", "departing":
		return ActShipped
	case "receiving", "accepting":
		return ActReceived
	}
	return ActSeen
}
