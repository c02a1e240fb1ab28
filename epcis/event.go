package epcis

import "time"

// EventType is one of the five event types of EPCIS 2.0. The zero EventType is none.
type EventType uint8

// The event types of EPCIS 2.0, section 7.4. The numbers are part of the CBOR form.
const (
	ObjectEvent         EventType = 1
	AggregationEvent    EventType = 2
	TransactionEvent    EventType = 3
	TransformationEvent EventType = 4
	AssociationEvent    EventType = 5
)

// String returns the name of the type, for example "ObjectEvent"; "" for no type.
func (t EventType) String() string {
	switch t {
	case ObjectEvent:
		return "ObjectEvent"
	case AggregationEvent:
		return "AggregationEvent"
	case TransactionEvent:
		return "TransactionEvent"
	case TransformationEvent:
		return "TransformationEvent"
	case AssociationEvent:
		return "AssociationEvent"
	}
	return ""
}

// ParseEventType reads the name of an event type, bare or with the EPCIS namespace; false if it is none of the five.
func ParseEventType(s string) (EventType, bool) {
	name := trimAny(s, epcisNamespaces)
	for t := ObjectEvent; t <= AssociationEvent; t++ {
		if t.String() == name {
			return t, true
		}
	}
	return 0, false
}

// MarshalText returns the name of the type.
func (t EventType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// Action says how an event relates to the life of its objects (EPCIS 2.0, section 7.3.2). "" is absent.
type Action string

// The three actions.
const (
	ActionAdd     Action = "ADD"
	ActionObserve Action = "OBSERVE"
	ActionDelete  Action = "DELETE"
)

// Timestamp is an instant as its author wrote it (RFC 3339 with an offset), for example "2026-03-01T08:30:00.000+01:00".
// The zero Timestamp is absent.
type Timestamp struct{ Text string }

// IsZero reports whether the timestamp is absent.
func (t Timestamp) IsZero() bool { return t.Text == "" }

// UnixMilli returns milliseconds since the Unix epoch, rounded down; 0 when the text is absent or no instant, which
// parsing and decoding refuse.
func (t Timestamp) UnixMilli() int64 {
	at, err := parseTime(t.Text)
	if err != nil {
		return 0
	}
	return at.UnixMilli()
}

// Time returns the instant with the offset of its author; false when the text is absent or no instant.
func (t Timestamp) Time() (time.Time, bool) {
	if _, err := parseTime(t.Text); err != nil {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, t.Text)
	return at, err == nil
}

// NewTimestamp writes an instant in UTC with milliseconds.
func NewTimestamp(unixMilli int64) Timestamp {
	return Timestamp{Text: time.UnixMilli(unixMilli).UTC().Format("2006-01-02T15:04:05.000Z07:00")}
}

// Quantity is an amount of a class of objects (QuantityElement, EPCIS 2.0, section 7.3.3.3). A nil Quantity is
// "unspecified"; an empty UOM means a count of instances.
type Quantity struct {
	Class      string   // identifier of a class, for example "urn:epc:class:lgtin:4012345.012345.998877"
	Quantity   *Decimal // in UOM
	UOM        string   // UN/ECE Recommendation 20 code, for example "KGM"
	Extensions Extensions
}

// TypedRef is a business transaction, a source or a destination: what it is and which one. Type is a vocabulary value
// (see [Event]); "" where a business transaction has none.
type TypedRef struct {
	Type       string
	ID         string
	Extensions Extensions
}

// Location is a read point or a business location.
type Location struct {
	ID         string
	Extensions Extensions
}

// PersistentDisposition sets and unsets conditions that last beyond the next event (EPCIS 2.0, section 7.4.1).
type PersistentDisposition struct {
	Set, Unset []string // vocabulary values of dispositions
	Extensions Extensions
}

// ErrorDeclaration says that an earlier event with the same content was wrong (EPCIS 2.0, section 7.4.1.2).
type ErrorDeclaration struct {
	DeclarationTime    Timestamp
	Reason             string // vocabulary value, for example "incorrect_data"; "" if none is given
	CorrectiveEventIDs []string
	Extensions         Extensions
}

// SensorElement is a group of sensor reports with what they have in common (EPCIS 2.0, section 7.3.7).
type SensorElement struct {
	Metadata   *SensorMetadata
	Reports    []SensorReport
	Extensions Extensions
}

// SensorMetadata is what all reports of a sensor element have in common.
type SensorMetadata struct {
	Time, StartTime, EndTime                                          Timestamp
	DeviceID, DeviceMetadata, RawData, DataProcessingMethod, BizRules string // URIs
	Extensions                                                        Extensions
}

// SensorReport is one observation or one summary of observations. Texts are "" and pointers nil where absent, except
// that StringValue may be present and empty, hence a pointer.
type SensorReport struct {
	Type      string // vocabulary value, for example "Temperature"
	Exception string // vocabulary value, "ALARM_CONDITION" or "ERROR_CONDITION"
	Component string // vocabulary value, for example "x" or "latitude"
	UOM       string // UN/ECE Recommendation 20 code

	DeviceID, DeviceMetadata, RawData, DataProcessingMethod, BizRules string // URIs
	Microorganism, ChemicalSubstance, CoordinateReferenceSystem       string // URIs
	Time                                                              Timestamp

	Value, MinValue, MaxValue, MeanValue, SDev, PercRank, PercValue *Decimal // in UOM; PercRank in percent
	StringValue                                                     *string
	BooleanValue                                                    *bool
	HexBinaryValue                                                  string // hex digits as written
	URIValue                                                        string

	// TextNumbers names, in the order of the fields above, the numeric fields that were written as JSON strings,
	// as some published documents do, so that they are written back alike.
	TextNumbers []string

	Extensions Extensions
}

// Namespace is a prefix that an event uses and what it stands for, for example {"ext", "https://example.com/ext/"}.
type Namespace struct{ Prefix, URI string }

// Event is one EPCIS 2.0 event of any type. Texts are as their author wrote them, with two exceptions. A value of the
// Core Business Vocabulary is its bare word however it was spelled ("shipping" for "cbv:BizStep-shipping",
// "https://ref.gs1.org/cbv/BizStep-shipping" and "urn:epcglobal:cbv:bizstep:shipping"). Other vocabulary values and
// identifiers with a declared prefix are written out as full URIs. A nil list is absent; an empty one was written as an
// empty list.
type Event struct {
	Type EventType

	// When and which.
	EventID        string
	EventTime      Timestamp
	RecordTime     Timestamp // set by whoever records the event; never part of its identity
	TimeZoneOffset string    // at the place of the event, for example "+02:00"

	// Why and how.
	Action                Action
	BizStep, Disposition  string
	PersistentDisposition *PersistentDisposition
	BizTransactions       []TypedRef
	CertificationInfo     []string // URIs
	CertificationInfoBare bool     // CertificationInfo was written as one bare text, not as a list

	// Where and between whom.
	ReadPoint, BizLocation *Location
	Sources, Destinations  []TypedRef

	// What: Object and Transaction.
	EPCs       []string
	Quantities []Quantity

	// What: Aggregation and Association; ParentID also Transaction.
	ParentID        string
	ChildEPCs       []string
	ChildQuantities []Quantity

	// What: Transformation.
	InputEPCs, OutputEPCs             []string
	InputQuantities, OutputQuantities []Quantity
	TransformationID                  string

	// Details.
	ILMD             Extensions // instance or lot master data; nil if absent
	SensorElements   []SensorElement
	ErrorDeclaration *ErrorDeclaration
	Extensions       Extensions // user extensions at event level

	// Context is the event's own "@context" as written, absent for most. Namespaces are the prefixes that the event
	// uses, whether its document declared them or the event itself, sorted by prefix: with them an event stands
	// alone. The prefixes of the standard context are not listed.
	Context    Value
	Namespaces []Namespace
}
