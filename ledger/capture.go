package ledger

import (
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
)

// capture records the events of a transaction, each on a layer of its own over those before it.
func (t *txRun) capture(p *Capture) *Finding {
	r := t.receipt
	r.Status = make([]byte, len(t.tx.events))
	r.Events = make([]crypto.Hash, len(t.tx.events))
	for i := range t.tx.events {
		r.Events[i] = t.tx.events[i].hash
	}
	if org := peek[Organisation](t.o, OrganisationKey(t.author)); org != nil {
		r.Org = org.Name
	}
	if f := t.mayAct(); f != nil {
		return f
	}
	accepted := 0
	for i := range t.tx.events {
		e := &eventRun{txRun: t, e: &t.tx.events[i], index: int32(i)}
		t.o.push()
		status, f := e.record()
		if f != nil {
			t.o.drop()
			f.EventIndex = int32(i)
			if p.Mode == Rollback {
				return f
			}
			r.Status[i] = byte(EventRefused)
			r.Refused = append(r.Refused, *f)
			continue
		}
		if status == EventAccepted && e.e.event.ErrorDeclaration == nil {
			e.noteEffects()
		}
		t.o.merge()
		accepted++
		r.Status[i] = byte(status)
		r.Flags = append(r.Flags, e.flags...)
	}
	if accepted == 0 {
		first := r.Refused[0]
		return &first
	}
	t.keepUndo()
	return nil
}

// eventRun is the execution of one event.
type eventRun struct {
	*txRun
	e       *capturedEvent
	index   int32
	flags   []Flag
	names   map[string]int   // what the event names, by the order in which it names it; see touchAll
	named   map[string]bool  // items the event names in its EPC list or as parent, made when first asked for
	senders []crypto.Address // that the event says its goods come from; see namedSources
	shipTo  crypto.Address   // of a shipping event, once its destinations are read: who is to receive
	certs   []certificate    // that the event names, and under which its goods may carry claims

	worked     freeShare // of the work that is free
	looked     freeShare // of what is looked at for nothing
	overworked bool      // it makes for more work than the block has left for its author
}

// maxFlags bounds the flags of one event; what comes after is recorded and not marked.
const maxFlags = 64

// judge lets the severity of a finding's rule decide: the finding is a refusal, or it is a mark, or nothing. A finding
// that protects the ledger itself always refuses. After nil the caller leaves out the effect that the rule guards.
func (e *eventRun) judge(f *Finding) *Finding {
	f.EventIndex = e.index
	if f.Code.always() {
		return f
	}
	switch e.params.Rules.of(f.Code.rule()) {
	case Reject:
		return f
	case Flagged:
		e.mark(f)
	}
	return nil
}

// mark flags what no severity can refuse.
func (e *eventRun) mark(f *Finding) {
	f.EventIndex = e.index
	if len(e.flags) < maxFlags && e.params.Rules.of(f.Code.rule()) != Off {
		e.flags = append(e.flags, *f)
	}
}

// finding makes a finding about a place in the event.
func finding(code Code, at string, args ...string) *Finding {
	return &Finding{Code: code, Field: at, Args: args}
}

// against adds the event that stands in the way.
func (f *Finding) against(event crypto.Hash, tx crypto.Hash, height quorum.Height) *Finding {
	f.Conflict = Conflict{Event: event, Tx: tx, Height: height}
	return f
}

// record checks what all events have in common, applies the event and keeps its mark.
func (e *eventRun) record() (EventStatus, *Finding) {
	key := EventKey(e.author, e.e.hash)
	if mark := peek[EventMark](e.o, key); mark != nil {
		e.mark(finding(CodeDuplicateEvent, "").against(e.e.hash, mark.Tx, mark.Height))
		return EventDuplicate, nil
	}
	for _, fault := range e.e.faults {
		if f := e.judge(&fault); f != nil {
			return 0, f
		}
	}
	if f := e.checkTime(); f != nil {
		return 0, f
	}
	if f := e.takeEventID(); f != nil {
		return 0, f
	}
	put(e.o, key, EventMark{Tx: e.tx.id, Height: e.height})
	if e.e.event.ErrorDeclaration != nil {
		if f := e.declare(); f != nil {
			return 0, f
		}
		return EventAccepted, e.tooMuchWork()
	}
	if f := e.effect(); f != nil {
		return 0, f
	}
	if f := e.tooMuchWork(); f != nil {
		return 0, f
	}
	e.touchAll()
	return EventAccepted, nil
}

// checkTime is R14.
func (e *eventRun) checkTime() *Finding {
	if ahead := e.e.timeMs - e.timeMs; ahead > e.params.ClockSkewMs {
		return e.judge(finding(CodeFutureEvent, "/eventTime", decimal(e.e.timeMs), decimal(e.timeMs), decimal(e.params.ClockSkewMs)))
	} else if -ahead > e.params.LateAfterMs {
		e.mark(finding(CodeLate, "/eventTime", decimal(-ahead)))
	}
	return nil
}

// takeEventID is R15. The first event keeps the id.
func (e *eventRun) takeEventID() *Finding {
	id := e.e.event.EventID
	if id == "" {
		return nil
	}
	key := eventIDKey(e.author, id, e.e.event.ErrorDeclaration != nil)
	if other, taken := get[crypto.Hash](e.o, key); taken {
		mark, _ := get[EventMark](e.o, EventKey(e.author, other))
		return e.judge(finding(CodeEventIDTaken, "/eventID", id).against(other, mark.Tx, mark.Height))
	}
	put(e.o, key, e.e.hash)
	return nil
}

// effect applies an event by its type, then what its business step does to custody.
func (e *eventRun) effect() *Finding {
	ev := e.e.event
	if e.e.sells {
		if f := e.maySell(); f != nil {
			return f
		}
	}
	if len(ev.CertificationInfo) > 0 {
		certs, f := e.certificates()
		if f != nil {
			return f
		}
		e.certs = certs
	}
	switch ev.Type {
	case epcis.ObjectEvent:
		switch ev.Action {
		case epcis.ActionAdd:
			if f := e.commission(&e.e.goods); f != nil {
				return f
			}
		case epcis.ActionDelete:
			return e.moveClaims(&e.e.goods, func() *Finding { return e.destroy(&e.e.goods) })
		}
		return e.custody(&e.e.goods)
	case epcis.AggregationEvent:
		return e.aggregate()
	case epcis.TransactionEvent:
		g := e.e.goods
		if e.e.parent.id != "" {
			g.items = append(slices.Clip(g.items), e.e.parent)
		}
		return e.custody(&g)
	case epcis.TransformationEvent:
		return e.transform()
	case epcis.AssociationEvent:
		return e.associate()
	}
	panic("ledger: event of no type passed validation")
}

// custody does what the business step says to the goods; if it says nothing, they are only seen.
func (e *eventRun) custody(g *goods) *Finding {
	if e.e.act == actNone {
		return e.observe(g)
	}
	return e.moveClaims(g, func() *Finding { return e.handle(g) })
}

func (e *eventRun) handle(g *goods) *Finding {
	switch e.e.act {
	case actShip:
		return e.ship(g)
	case actReceive:
		return e.receive(g)
	case actVoid:
		return e.void(g)
	case actHold:
		return e.setAside(g)
	case actRelease:
		return e.release(g)
	case actCount:
		return e.count(g)
	}
	return e.observe(g)
}

func (e *eventRun) aggregate() *Finding {
	switch e.e.event.Action {
	case epcis.ActionAdd:
		if f := e.pack(); f != nil {
			return f
		}
	case epcis.ActionDelete:
		return e.unpack()
	}
	g := e.e.children
	if e.e.parent.id != "" {
		g.items = append([]thing{e.e.parent}, g.items...)
	}
	return e.custody(&g)
}

// observe lets the author say that it saw things. Anybody may; it moves nothing.
func (e *eventRun) observe(g *goods) *Finding {
	for _, t := range g.items {
		if !e.has(t.id) {
			if f := e.adoptItem(t, false); f != nil {
				return f
			}
			continue
		}
		if item := peek[Item](e.o, e.o.itemKey(t.id)); item.State.ended() {
			if f := e.judge(e.endedFinding(item, t.at)); f != nil {
				return f
			}
		}
	}
	for _, l := range g.lots {
		if _, ok := e.lot(l.id); !ok {
			if _, f := e.adoptLot(l.thing, false); f != nil {
				return f
			}
		}
	}
	return nil
}

func (e *eventRun) endedFinding(item *Item, at string) *Finding {
	return finding(CodeEndedObject, at, item.ID, item.State.String()).against(item.LastEvent, crypto.Hash{}, item.LastHeight)
}

// allNamed lists everything the event names, in the order in which it names it; a thing may be listed twice.
func (c *capturedEvent) allNamed() (items, lots []thing) {
	if c.parent.id != "" {
		items = append(items, c.parent)
	}
	for _, g := range []*goods{&c.goods, &c.children, &c.inputs, &c.makes} {
		items = append(items, g.items...)
		for i := range g.lots {
			lots = append(lots, g.lots[i].thing)
		}
	}
	return items, lots
}

// touchAll puts the event on the chain of everything that it names and that is on the ledger.
func (e *eventRun) touchAll() {
	items, lots := e.e.allNamed()
	e.names = make(map[string]int, len(items)+len(lots))
	for _, t := range items {
		if !e.name(t.id) {
			continue
		}
		if item, ok := get[Item](e.o, e.o.itemKey(t.id)); ok {
			e.touchItem(&item, t.at)
			put(e.o, e.o.itemKey(t.id), item)
		}
	}
	for _, t := range lots {
		if !e.name(t.id) {
			continue
		}
		if lot, ok := get[Lot](e.o, LotKey(t.id)); ok {
			e.extend(&lot.Chain, lot.ID, t.at)
			put(e.o, LotKey(t.id), lot)
		}
	}
}

// name reports whether an identifier is met for the first time.
func (e *eventRun) name(id string) bool {
	if _, met := e.names[id]; met {
		return false
	}
	e.names[id] = len(e.names)
	return true
}

// touchItem adds the event to an item's chain. Where the item is and in what condition is taken from its custodian
// only: anybody may observe, and nobody may move another's goods by saying so.
func (e *eventRun) touchItem(item *Item, at string) {
	e.extend(&item.Chain, item.ID, at)
	if e.e.event.ErrorDeclaration != nil {
		return // what it says of place and condition is what was wrong
	}
	custodian := item.Custodian
	if item.Parent != "" {
		if root := e.outermost(item.ID); root != nil {
			custodian = root.Custodian
		}
	}
	if custodian != e.author {
		return
	}
	if e.e.place != "" {
		item.Place = e.e.place
	}
	if e.e.disposition != "" {
		item.Disposition = e.e.disposition
	}
}

func (e *eventRun) extend(c *Chain, id, at string) {
	if c.Count > 0 && e.e.timeMs < c.LastMs {
		e.mark(finding(CodeOutOfOrder, at, id))
	}
	c.Count++
	c.Head = NextHead(c.Head, e.e.hash)
	c.LastMs = max(c.LastMs, e.e.timeMs)
}
