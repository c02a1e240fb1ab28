package epcis

import (
	"strconv"

	"waybill/crypto"
)

// ParseDocument reads an EPCIS JSON text: a capture document, a query document, one event or a list of events. It is
// strict: limits, duplicate names and encodings as [ParseValue] checks them, names in their exact case, no field that
// is neither standard nor namespaced, and everything that [Event.Validate] checks. The error is a [Faults] with every
// fault found, at most [MaxFaults], each with a JSON pointer into data. Faults of kind FaultIdentifier alone are no
// error: they are in the document's Warnings.
func ParseDocument(data []byte) (*Document, error) {
	budget := crypto.NewBudget(len(data))
	v, err := parseValue(data, &budget)
	if err != nil {
		return nil, err
	}
	p := parser{faultSink: faultSink{tolerant: true, budget: &budget, ids: &identifiers{budget: &budget}}}
	d := p.document(v)
	if len(p.faults) == 0 && budget.Left() < 0 {
		return nil, Faults{{Kind: FaultTooLarge, Detail: "the document holds too many elements for its length"}}
	}
	if len(p.faults) > 0 {
		return nil, append(p.faults, p.warnings...)[:min(MaxFaults, len(p.faults)+len(p.warnings))]
	}
	d.Warnings = p.warnings
	return d, nil
}

// parser turns JSON values into events and gathers faults. It never stops at a fault, only when there are too many or they
// take too much.
type parser struct {
	faultSink
	prefixes prefixMap // in force for the event being read
	ways     ways
	report   SensorReport // being read
}

const extensionsRoom = 3 * memberRoom // of one that is appended to others

func (p *parser) document(v Value) *Document {
	switch v.kind {
	case List:
		d := &Document{Kind: EventList}
		p.events(d, v, nil)
		return d
	case Object:
	default:
		p.add(nil, Fault{Kind: FaultType, Detail: "an EPCIS text is an object or a list of events", Expected: "object", Actual: describe(v)})
		return nil
	}
	name, where := p.typeName(v, nil)
	switch name {
	case "EPCISDocument":
		return p.captureDocument(v)
	case "EPCISQueryDocument":
		return p.queryDocument(v)
	}
	if _, ok := ParseEventType(name); ok {
		d := &Document{Kind: BareEvent}
		if e := p.event(v, nil, nil); e != nil {
			d.Events = []*Event{e}
		}
		return d
	}
	if name == "" {
		p.missing(where, "say what this is", "EPCISDocument, EPCISQueryDocument or an event type")
	} else {
		p.add(where, Fault{Kind: FaultValue, Detail: "this is neither an EPCIS document nor an event type",
			Expected: "EPCISDocument, EPCISQueryDocument, ObjectEvent, AggregationEvent, TransactionEvent, TransformationEvent or AssociationEvent", Actual: name})
	}
	return nil
}

// typeName returns the "type" of an object, also under its older name "isA", and where it stands.
func (p *parser) typeName(v Value, at *path) (string, *path) {
	where := at.field("type")
	t := v.Member("type")
	if older := v.Member("isA"); !older.IsZero() {
		if !t.IsZero() {
			p.add(at.field("isA"), Fault{Kind: FaultRule, Detail: "\"isA\" is the older name of \"type\"; give only one of them"})
		} else {
			t, where = older, at.field("isA")
		}
	}
	if t.IsZero() {
		return "", where
	}
	if t.kind != Text {
		p.wrongType(where, "text", t)
		return "?", where
	}
	return trimAny(t.text, epcisNamespaces), where
}

// head reads what capture and query documents share and returns the body.
func (p *parser) head(d *Document, v Value) Value {
	var body Value
	for _, m := range v.Members() {
		at := (*path)(nil).field(m.Name)
		switch m.Name {
		case "type", "isA":
		case "@context":
			d.Context = p.context(m.Value, at)
		case "id":
			d.ID = p.text(m.Value, at)
			p.checkURI(d.ID, at)
		case "schemaVersion":
			d.SchemaVersion = p.text(m.Value, at)
			if d.SchemaVersion != "" && d.SchemaVersion != "2" && (len(d.SchemaVersion) < 2 || d.SchemaVersion[:2] != "2.") {
				p.add(at, Fault{Kind: FaultValue, Detail: "only EPCIS 2 is spoken here", Expected: SchemaVersion, Actual: d.SchemaVersion})
			}
		case "creationDate":
			d.CreationDate = p.time(m.Value, at)
			p.checkTime(d.CreationDate, at)
		case "sender":
			d.Sender = p.text(m.Value, at)
		case "receiver":
			d.Receiver = p.text(m.Value, at)
		case "instanceIdentifier":
			d.InstanceIdentifier = p.text(m.Value, at)
		case "epcisHeader":
			d.Header = p.raw(m.Value, at, Object)
		case "epcisBody":
			body = p.raw(m.Value, at, Object)
		default:
			p.extension(&d.Extensions, m, at)
		}
	}
	if d.Context.IsZero() {
		p.missing((*path)(nil).field("@context"), "a document names its JSON-LD context", ContextURL)
	}
	if v.Member("epcisBody").IsZero() {
		p.missing((*path)(nil).field("epcisBody"), "a document has a body", "object")
	}
	return body
}

func (p *parser) captureDocument(v Value) *Document {
	d := &Document{Kind: CaptureDocument}
	body := p.head(d, v)
	root := (*path)(nil)
	if v.Member("schemaVersion").IsZero() {
		p.missing(root.field("schemaVersion"), "a capture document names its version of EPCIS", SchemaVersion)
	}
	if v.Member("creationDate").IsZero() {
		p.missing(root.field("creationDate"), "a capture document says when it was made", "date and time")
	}
	at := root.field("epcisBody")
	found := body.IsZero()
	for _, m := range body.Members() {
		switch m.Name {
		case "eventList":
			found = true
			p.events(d, m.Value, at.field(m.Name))
		case "event":
			found, d.SingleEvent = true, true
			if e := p.event(m.Value, at.field(m.Name), p.declared(d.Context)); e != nil {
				d.Events = append(d.Events, e)
			}
		default:
			p.unknown(m.Name, at.field(m.Name))
		}
	}
	if d.SingleEvent && len(body.Members()) > 1 {
		p.add(at.field("event"), Fault{Kind: FaultRule, Detail: "give \"eventList\" or one \"event\", not both"})
	}
	if !found {
		p.missing(at.field("eventList"), "the body of a capture document is a list of events", "list")
	}
	return d
}

func (p *parser) queryDocument(v Value) *Document {
	d := &Document{Kind: QueryDocument}
	body := p.head(d, v)
	at := (*path)(nil).field("epcisBody")
	var results, result Value
	for _, m := range body.Members() {
		if m.Name == "queryResults" {
			results = p.raw(m.Value, at.field(m.Name), Object)
		} else {
			p.unknown(m.Name, at.field(m.Name))
		}
	}
	if !body.IsZero() && body.Member("queryResults").IsZero() {
		p.missing(at.field("queryResults"), "the body of a query document is results", "object")
	}
	at = at.field("queryResults")
	for _, m := range results.Members() {
		switch m.Name {
		case "queryName":
			d.QueryName = p.text(m.Value, at.field(m.Name))
		case "subscriptionID":
			if m.Value.kind != Text {
				p.wrongType(at.field(m.Name), "text", m.Value)
			}
			id := m.Value.Text()
			d.SubscriptionID = &id
		case "resultsBody":
			result = p.raw(m.Value, at.field(m.Name), Object)
		default:
			p.unknown(m.Name, at.field(m.Name))
		}
	}
	if !results.IsZero() && results.Member("resultsBody").IsZero() {
		p.missing(at.field("resultsBody"), "query results have a body", "object")
	}
	p.resultsBody(d, result, at.field("resultsBody"))
	return d
}

func (p *parser) resultsBody(d *Document, v Value, at *path) {
	for _, m := range v.Members() {
		switch m.Name {
		case "eventList":
			p.events(d, m.Value, at.field(m.Name))
		case "vocabularyList":
			d.VocabularyList = p.raw(m.Value, at.field(m.Name), List)
		default:
			p.unknown(m.Name, at.field(m.Name))
		}
	}
	if !v.IsZero() && v.Member("eventList").IsZero() {
		p.missing(at.field("eventList"), "query results hold a list of events", "list")
	}
}

func (p *parser) events(d *Document, v Value, at *path) {
	if v.kind == Object { // one event where a list belongs
		if e := p.event(v, at, p.declared(d.Context)); e != nil {
			d.Events = append(d.Events, e)
		}
		return
	}
	if v.kind != List {
		p.wrongType(at, "list of events", v)
		return
	}
	inForce := p.declared(d.Context)
	if !p.take(len(v.List()), 8) {
		return
	}
	d.Events = make([]*Event, 0, len(v.List()))
	for i, x := range v.List() {
		if p.full() {
			return
		}
		here := p.ways.at(at, i)
		if e := p.event(x, here, inForce); e != nil {
			d.Events = append(d.Events, e)
		}
		p.ways.back()
	}
}

// declared is the function of that name, counted.
func (p *parser) declared(context Value) prefixMap {
	ns := declared(context)
	p.take(len(ns), 3*namespaceRoom)
	if len(ns) > MaxNamespaces {
		p.add((*path)(nil).field("@context"), Fault{Kind: FaultTooLarge, Detail: tooManyNamespaces})
		return ns[:MaxNamespaces]
	}
	return ns
}

// context takes an "@context" as it is: an address, an object, or a list of these.
func (p *parser) context(v Value, at *path) Value {
	switch v.kind {
	case Text, Object:
		return v
	case List:
		for i, x := range v.List() {
			if p.full() {
				return v
			}
			if x.kind != Text && x.kind != Object {
				p.wrongType(p.ways.at(at, i), "address or object", x)
				p.ways.back()
			}
		}
		return v
	}
	p.wrongType(at, "address, object or list of these", v)
	return v
}

// event reads one event and validates it; nil if it is no event at all.
func (p *parser) event(v Value, at *path, outer prefixMap) *Event {
	if v.kind != Object {
		p.wrongType(at, "event", v)
		return nil
	}
	name, where := p.typeName(v, at)
	t, ok := ParseEventType(name)
	switch {
	case name == "":
		p.missing(where, "an event has a type", eventTypeNames)
	case !ok && name != "?":
		p.add(where, Fault{Kind: FaultValue, Detail: "this is no event type of EPCIS 2.0", Expected: eventTypeNames, Actual: name})
	}
	if !p.take(1, eventRoom) {
		return nil
	}
	e := &Event{Type: t}
	p.ids.forget()
	p.prefixes = outer
	if c := v.Member("@context"); !c.IsZero() {
		e.Context = p.context(c, at.field("@context"))
		own := p.declared(e.Context)
		if !p.take(len(outer)+len(own), 2*namespaceRoom) {
			return nil
		}
		p.prefixes = append(outer[:len(outer):len(outer)], own...)
	}
	for _, m := range v.Members() {
		if m.Name == "type" || m.Name == "isA" || m.Name == "@context" {
			continue
		}
		here := p.ways.field(at, m.Name)
		if read, standard := eventFields[m.Name]; standard {
			read(p, e, m.Value, here)
		} else {
			p.extension(&e.Extensions, m, here)
		}
		p.ways.back()
	}
	if e.Namespaces = e.used(p.prefixes, &p.faultSink); !e.takeNames(p.budget) || p.full() {
		return e
	}
	e.validate(&p.faultSink, at)
	return e
}

const eventTypeNames = "ObjectEvent, AggregationEvent, TransactionEvent, TransformationEvent or AssociationEvent"

// describe names a JSON value for a fault.
func describe(v Value) string {
	switch v.kind {
	case None:
		return "nothing"
	case Null:
		return "null"
	case List:
		return "list of " + strconv.Itoa(len(v.List()))
	case Object:
		return "object"
	case Text:
		return shorten(v.text)
	}
	return v.Text()
}
