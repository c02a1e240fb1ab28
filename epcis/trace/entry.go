package trace

import (
	"math/bits"
	"slices"

	"waybill/epcis"
)

// part says how an event names an item. Several are a set.
type part uint8

const (
	partEPC part = 1 << iota // epcList or quantityList
	partParent
	partChild
	partInput
	partOutput
	partProcess // transformationID
	partMember  // lot: the item in mention.other is one of it; instance: mention.other is its lot

	partAny part = 1<<iota - 1
)

const partCount = 7

// goodsParts are those in which an event says something of goods themselves.
const goodsParts = partEPC | partParent | partChild | partInput | partOutput

// mention is one place in an event where an item is named.
type mention struct {
	part     part
	again    int32 // the next mention of the same item, 0 if there is none
	key      string
	id       string // as written
	quantity *epcis.Decimal
	uom      string
	other    string // see partMember
}

// entry is an event that was read.
//
// An event may name thousands of things, and a walk comes to it once for each of them: whatever it asks of an entry must not
// take looking at all of them. So mentions stand in the order of parts, those of one item are linked, and longer entries have a
// map of the first ones; what does not depend on the item is worked out when the event is read.
type entry struct {
	moment
	event    *epcis.Event
	meta     Meta
	mentions []mention
	starts   [partCount + 1]int32 // of each part in mentions
	named    map[string]int32     // where an item is mentioned first; nil for few mentions
	setting

	wrong    string // see declares
	mark     uint32 // of the last listing that it is in, see history.marked
	expected part   // what it names there is expected, see history.expect
	index    int    // in the answer
}

// setting is what an event says of all that it names.
type setting struct {
	readPoint, bizLocation string // keys, "" if absent
	place                  string // where the goods are left, as far as the event says, and its GLN
	gln                    string
	from, to               string // parties
	step                   change // what the business step and the disposition mean for goods; changeSeen: nothing
	settled                bool   // goods are put to use where they are
	empties                bool   // it takes everything out of its parent
	closes                 bool   // it may end the stay of something in a container without naming that
}

// fewMentions are looked through without a map.
const fewMentions = 6

func newEntry(names spellings, ref Ref, event *epcis.Event, meta Meta) *entry {
	e := &entry{moment: moment{event.EventTime.UnixMilli(), ref}, event: event, meta: meta, setting: settingOf(names, event)}
	e.mentions = mentionsOf(names, event)
	e.link()
	deletes, children := event.Action == epcis.ActionDelete, len(e.in(partChild)) > 0
	e.empties = deletes && !children && (event.Type == epcis.AggregationEvent || event.Type == epcis.AssociationEvent)
	e.closes = e.empties || deletes && event.Type == epcis.ObjectEvent || len(e.in(partInput)) > 0
	return e
}

// link finds where parts begin, and links the mentions of one item.
func (e *entry) link() {
	if len(e.mentions) > fewMentions {
		e.named = make(map[string]int32, len(e.mentions))
	}
	for i := len(e.mentions) - 1; i >= 0; i-- {
		m := &e.mentions[i]
		e.starts[bits.TrailingZeros8(uint8(m.part))+1]++
		if e.named != nil {
			m.again = e.named[m.key] // 0 is none: nothing comes before the first mention
			e.named[m.key] = int32(i)
			continue
		}
		for j := len(e.mentions) - 1; j > i; j-- {
			if e.mentions[j].key == m.key {
				m.again = int32(j)
			}
		}
	}
	for i := range partCount {
		e.starts[i+1] += e.starts[i]
	}
}

// first returns the first mention of an item in some parts, nil if there is none; next the one after it. The order is that of
// parts, in each that of the event.
func (e *entry) first(key string, parts part) *mention {
	m := e.find(key)
	if m != nil && m.part&parts == 0 {
		return e.next(m, parts)
	}
	return m
}

func (e *entry) next(m *mention, parts part) *mention {
	for m.again != 0 {
		if m = &e.mentions[m.again]; m.part&parts != 0 {
			return m
		}
	}
	return nil
}

func (e *entry) find(key string) *mention {
	if e.named != nil {
		if i, ok := e.named[key]; ok {
			return &e.mentions[i]
		}
		return nil
	}
	for i := range e.mentions {
		if e.mentions[i].key == key {
			return &e.mentions[i]
		}
	}
	return nil
}

// has reports whether the event names the item in one of the parts.
func (e *entry) has(key string, parts part) bool { return e.first(key, parts) != nil }

// parts lists all in which the event names the item.
func (e *entry) parts(key string) part {
	all := part(0)
	for m := e.first(key, partAny); m != nil; m = e.next(m, partAny) {
		all |= m.part
	}
	return all
}

// in lists the mentions in one part, whoever they name.
func (e *entry) in(p part) []mention {
	i := bits.TrailingZeros8(uint8(p))
	return e.mentions[e.starts[i]:e.starts[i+1]]
}

// unpacksAll reports whether the event takes everything out of its parent: a DELETE that names no child.
func (e *entry) unpacksAll(parent string) bool { return e.empties && e.has(parent, partParent) }

// repacks reports whether the event puts children in or takes them out.
func (e *entry) repacks() bool {
	return e.event.Action != epcis.ActionObserve && len(e.in(partChild)) > 0
}

// ends reports whether the event ends the life of the instance: consumed, destroyed or decommissioned.
func (e *entry) ends(key string) bool {
	parts := partInput
	if e.event.Type == epcis.ObjectEvent && e.event.Action == epcis.ActionDelete {
		parts |= partEPC
	}
	return e.has(key, parts)
}

// mentionsOf lists what an event names, in the order of parts.
func mentionsOf(names spellings, e *epcis.Event) []mention {
	n := len(e.EPCs) + len(e.ChildEPCs) + len(e.InputEPCs) + len(e.OutputEPCs) + len(e.Quantities) + len(e.ChildQuantities) + len(e.InputQuantities) + len(e.OutputQuantities) + 2
	out := make([]mention, 0, n)
	var members []mention
	given := births{event: e}
	born := given.things()
	ids := func(p part, list ...string) {
		same := len(list) > 0 && len(list) == len(born) && &list[0] == &born[0]
		for _, id := range list {
			s := names.of(id)
			out = append(out, mention{part: p, key: s.key, id: id})
			if lot := given.lotOf(id, s, same); lot != "" && p != partParent {
				members = append(members, mention{part: partMember, key: lot, id: lot, other: s.key}, mention{part: partMember, key: s.key, id: id, other: lot})
			}
		}
	}
	amounts := func(p part, list []epcis.Quantity) {
		for _, q := range list {
			out = append(out, mention{part: p, key: names.key(q.Class), id: q.Class, quantity: q.Quantity, uom: q.UOM})
		}
	}
	ids(partEPC, e.EPCs...)
	amounts(partEPC, e.Quantities)
	if e.ParentID != "" {
		ids(partParent, e.ParentID)
	}
	ids(partChild, e.ChildEPCs...)
	amounts(partChild, e.ChildQuantities)
	ids(partInput, e.InputEPCs...)
	amounts(partInput, e.InputQuantities)
	ids(partOutput, e.OutputEPCs...)
	amounts(partOutput, e.OutputQuantities)
	if e.TransformationID != "" {
		ids(partProcess, e.TransformationID)
	}
	return append(out, members...)
}

// settingOf reads what an event says of all that it names.
func settingOf(names spellings, e *epcis.Event) setting {
	s := setting{settled: slices.Contains(settledSteps, e.BizStep), step: stepOf(e)}
	if e.ReadPoint != nil {
		s.readPoint = names.key(e.ReadPoint.ID)
	}
	if e.BizLocation != nil {
		s.bizLocation = names.key(e.BizLocation.ID)
	}
	if s.place = s.bizLocation; s.place == "" {
		s.place = s.readPoint
	}
	s.gln = names.gln(s.place)
	s.from, s.to = partyIn(names, e.Sources), partyIn(names, e.Destinations)
	return s
}

func partyIn(names spellings, refs []epcis.TypedRef) string {
	for _, kind := range [...]string{"possessing_party", "owning_party", "location"} {
		for _, r := range refs {
			if r.Type == kind {
				return names.key(r.ID)
			}
		}
	}
	return ""
}

// stepOf reads the business step and the disposition; changeSeen means that they say nothing.
func stepOf(e *epcis.Event) change {
	switch {
	case slices.Contains(sellingSteps, e.BizStep), slices.Contains(soldStates, e.Disposition):
		return changeSold
	case slices.Contains(destroyingSteps, e.BizStep), slices.Contains(destroyedStates, e.Disposition):
		return changeDestroyed
	case slices.Contains(shippingSteps, e.BizStep):
		return changeShipped
	case slices.Contains(receivingSteps, e.BizStep):
		return changeReceived
	}
	return changeSeen
}
