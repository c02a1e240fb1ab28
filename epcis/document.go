package epcis

// DocumentKind is what an EPCIS JSON text is. The zero kind is a capture document.
type DocumentKind uint8

// The kinds of EPCIS JSON texts.
const (
	CaptureDocument DocumentKind = iota // "EPCISDocument"
	QueryDocument                       // "EPCISQueryDocument"
	BareEvent                           // one event by itself
	EventList                           // a JSON list of events
)

// String returns the "type" of the text, or words for texts without one.
func (k DocumentKind) String() string {
	switch k {
	case CaptureDocument:
		return "EPCISDocument"
	case QueryDocument:
		return "EPCISQueryDocument"
	case BareEvent:
		return "bare event"
	case EventList:
		return "list of events"
	}
	return "unknown"
}

// ContextURL is the address of the standard JSON-LD context of EPCIS 2.0.
const ContextURL = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"

// SchemaVersion is the version of EPCIS that this package writes.
const SchemaVersion = "2.0"

// Document is an EPCIS JSON text with its events. Absent texts are "", absent values zero.
type Document struct {
	Kind          DocumentKind
	Context       Value // "@context" as written
	ID            string
	SchemaVersion string
	CreationDate  Timestamp

	Sender, Receiver, InstanceIdentifier string

	Header      Value // "epcisHeader" as written, master data included
	Extensions  Extensions
	SingleEvent bool // the body was written with "event" and one event in place of "eventList"

	// Query documents only.
	QueryName      string
	SubscriptionID *string // nil if absent
	VocabularyList Value   // "resultsBody/vocabularyList" as written

	Events []*Event

	// Warnings are the faults of kind FaultIdentifier that [ParseDocument] found; they do not stop it.
	Warnings Faults
}

// NewDocument makes a capture document of the events.
func NewDocument(created Timestamp, events ...*Event) *Document {
	return &Document{Kind: CaptureDocument, SchemaVersion: SchemaVersion, CreationDate: created, Events: events}
}

// NewQueryDocument makes the answer to a query, for example to "SimpleEventQuery"; an empty subscriptionID is left out.
func NewQueryDocument(created Timestamp, queryName, subscriptionID string, events ...*Event) *Document {
	d := &Document{Kind: QueryDocument, SchemaVersion: SchemaVersion, CreationDate: created, QueryName: queryName, Events: events}
	if subscriptionID != "" {
		d.SubscriptionID = &subscriptionID
	}
	return d
}
