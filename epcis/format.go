package epcis

import "slices"

// FormatDocument writes a document as indented JSON. A document that was parsed comes out equal: its context, header
// and extensions as they were, vocabulary values as bare words. A document without a context gets one that declares
// what its events use. The error is a [Faults] when an event holds what JSON-LD cannot name.
func FormatDocument(d *Document) ([]byte, error) {
	var w writer
	switch d.Kind {
	case EventList:
		w.events(d.Events, nil)
	case BareEvent:
		if len(d.Events) != 1 {
			return nil, Faults{{Kind: FaultRule, Detail: "a bare event is exactly one event"}}
		}
		w.event(d.Events[0], nil)
	default:
		w.document(d)
	}
	if fault := d.checkTypes(); fault != nil {
		return nil, fault
	}
	return append(w.buf, '\n'), nil
}

// FormatEvent writes one event as indented JSON that stands alone: with an "@context" that declares what it uses.
func FormatEvent(e *Event) ([]byte, error) {
	alone := *e
	if alone.Context.IsZero() {
		alone.Context = contextOf(e.Namespaces)
	}
	return FormatDocument(&Document{Kind: BareEvent, Events: []*Event{&alone}})
}

func (d *Document) checkTypes() error {
	for i, e := range d.Events {
		if e.Type.String() == "" {
			at := (*path)(nil).field("epcisBody").field("eventList").at(i).field("type")
			return Faults{{Pointer: at.pointer(), Kind: FaultMissing, Detail: "the event has no type", Expected: eventTypeNames}}
		}
	}
	return nil
}

func (w *writer) document(d *Document) {
	context := d.Context
	if context.IsZero() {
		context = contextOf(d.namespaces())
	}
	w.open('{')
	w.name("@context")
	w.value(context)
	w.field("id", d.ID)
	w.field("type", d.Kind.String())
	w.field("schemaVersion", d.SchemaVersion)
	w.field("creationDate", d.CreationDate.Text)
	w.field("sender", d.Sender)
	w.field("receiver", d.Receiver)
	w.field("instanceIdentifier", d.InstanceIdentifier)
	w.members(d.Extensions)
	if !d.Header.IsZero() {
		w.name("epcisHeader")
		w.value(d.Header)
	}
	w.name("epcisBody")
	w.open('{')
	w.body(d, declared(context))
	w.close('}')
	w.close('}')
}

// namespaces gathers what the events of a document use.
func (d *Document) namespaces() []Namespace {
	var all []Namespace
	for _, e := range d.Events {
		all = append(all, e.Namespaces...)
	}
	slices.SortStableFunc(all, compareNamespaces)
	return slices.Compact(all)
}

func (w *writer) body(d *Document, inForce prefixMap) {
	if d.Kind == QueryDocument {
		w.name("queryResults")
		w.open('{')
		if d.SubscriptionID != nil {
			w.name("subscriptionID")
			w.text(*d.SubscriptionID)
		}
		w.field("queryName", d.QueryName)
		w.name("resultsBody")
		w.open('{')
		w.name("eventList")
		w.events(d.Events, inForce)
		if !d.VocabularyList.IsZero() {
			w.name("vocabularyList")
			w.value(d.VocabularyList)
		}
		w.close('}')
		w.close('}')
		return
	}
	if d.SingleEvent && len(d.Events) == 1 {
		w.name("event")
		w.event(d.Events[0], inForce)
		return
	}
	w.name("eventList")
	w.events(d.Events, inForce)
}

func (w *writer) events(events []*Event, inForce prefixMap) {
	w.open('[')
	for _, e := range events {
		w.next()
		w.event(e, inForce)
	}
	w.close(']')
}

// event writes an event inside a document whose context declares inForce.
func (w *writer) event(e *Event, inForce prefixMap) {
	w.open('{')
	own := declared(e.Context)
	context := withContext(e.Context, missing(e.Namespaces, append(inForce[:len(inForce):len(inForce)], own...)))
	if !context.IsZero() {
		w.name("@context")
		w.value(context)
	}
	w.field("type", e.Type.String())
	w.field("eventID", e.EventID)
	w.field("eventTime", e.EventTime.Text)
	w.field("eventTimeZoneOffset", e.TimeZoneOffset)
	w.field("recordTime", e.RecordTime.Text)
	w.errorDeclaration(e.ErrorDeclaration)
	if e.CertificationInfoBare && len(e.CertificationInfo) == 1 {
		w.field("certificationInfo", e.CertificationInfo[0])
	} else {
		w.texts("certificationInfo", e.CertificationInfo)
	}
	w.what(e)
	w.field("action", string(e.Action))
	w.field("transformationID", e.TransformationID)
	w.field("bizStep", e.BizStep)
	w.field("disposition", e.Disposition)
	w.persistentDisposition(e.PersistentDisposition)
	w.location("readPoint", e.ReadPoint)
	w.location("bizLocation", e.BizLocation)
	w.refs("bizTransactionList", "bizTransaction", e.BizTransactions)
	w.refs("sourceList", "source", e.Sources)
	w.refs("destinationList", "destination", e.Destinations)
	w.sensors(e.SensorElements)
	if e.ILMD != nil {
		w.name("ilmd")
		w.open('{')
		w.members(e.ILMD)
		w.close('}')
	}
	w.members(e.Extensions)
	w.close('}')
}

func (w *writer) what(e *Event) {
	w.field("parentID", e.ParentID)
	w.texts("epcList", e.EPCs)
	w.texts("childEPCs", e.ChildEPCs)
	w.texts("inputEPCList", e.InputEPCs)
	w.texts("outputEPCList", e.OutputEPCs)
	w.quantities("quantityList", e.Quantities)
	w.quantities("childQuantityList", e.ChildQuantities)
	w.quantities("inputQuantityList", e.InputQuantities)
	w.quantities("outputQuantityList", e.OutputQuantities)
}

// texts writes a list of texts unless it is absent.
func (w *writer) texts(name string, list []string) {
	if list == nil {
		return
	}
	w.name(name)
	w.open('[')
	for _, s := range list {
		w.next()
		w.text(s)
	}
	w.close(']')
}

func (w *writer) number(name string, d *Decimal) {
	if d != nil {
		w.name(name)
		w.buf = append(w.buf, d.String()...)
	}
}

func (w *writer) quantities(name string, list []Quantity) {
	if list == nil {
		return
	}
	w.name(name)
	w.open('[')
	for i := range list {
		w.next()
		w.open('{')
		w.field("epcClass", list[i].Class)
		w.number("quantity", list[i].Quantity)
		w.field("uom", list[i].UOM)
		w.members(list[i].Extensions)
		w.close('}')
	}
	w.close(']')
}

func (w *writer) refs(name, idField string, list []TypedRef) {
	if list == nil {
		return
	}
	w.name(name)
	w.open('[')
	for i := range list {
		w.next()
		w.open('{')
		w.field("type", list[i].Type)
		w.field(idField, list[i].ID)
		w.members(list[i].Extensions)
		w.close('}')
	}
	w.close(']')
}

func (w *writer) location(name string, l *Location) {
	if l == nil {
		return
	}
	w.name(name)
	w.open('{')
	w.field("id", l.ID)
	w.members(l.Extensions)
	w.close('}')
}

func (w *writer) persistentDisposition(d *PersistentDisposition) {
	if d == nil {
		return
	}
	w.name("persistentDisposition")
	w.open('{')
	w.texts("set", d.Set)
	w.texts("unset", d.Unset)
	w.members(d.Extensions)
	w.close('}')
}

func (w *writer) errorDeclaration(d *ErrorDeclaration) {
	if d == nil {
		return
	}
	w.name("errorDeclaration")
	w.open('{')
	w.field("declarationTime", d.DeclarationTime.Text)
	w.field("reason", d.Reason)
	w.texts("correctiveEventIDs", d.CorrectiveEventIDs)
	w.members(d.Extensions)
	w.close('}')
}

func (w *writer) sensors(list []SensorElement) {
	if list == nil {
		return
	}
	w.name("sensorElementList")
	w.open('[')
	for i := range list {
		s := &list[i]
		w.next()
		w.open('{')
		if s.Metadata != nil {
			w.name("sensorMetadata")
			w.open('{')
			for _, f := range s.Metadata.fields() {
				w.field(f.name, *f.text)
			}
			w.members(s.Metadata.Extensions)
			w.close('}')
		}
		w.reports(s.Reports)
		w.members(s.Extensions)
		w.close('}')
	}
	w.close(']')
}

func (w *writer) reports(list []SensorReport) {
	if list == nil {
		return
	}
	w.name("sensorReport")
	w.open('[')
	for i := range list {
		w.next()
		w.open('{')
		w.report(&list[i])
		w.close('}')
	}
	w.close(']')
}

func (w *writer) report(r *SensorReport) {
	for _, f := range r.textFields() {
		w.field(f.name, *f.text)
	}
	for _, f := range r.numberFields() {
		if *f.value != nil && slices.Contains(r.TextNumbers, f.name) {
			w.field(f.name, (*f.value).String())
		} else {
			w.number(f.name, *f.value)
		}
	}
	if r.StringValue != nil {
		w.name("stringValue")
		w.text(*r.StringValue)
	}
	if r.BooleanValue != nil {
		w.name("booleanValue")
		w.value(NewBool(*r.BooleanValue))
	}
	w.members(r.Extensions)
}
