package query

import (
	"math"

	"waybill/epcis"
)

// Names of the parameters that are not of the standard. They are spelled like the standard's parameters for extension
// fields, so that a client that checks names accepts them.
const (
	ParamParty = "EQ_waybill:party" // a source, a destination, or the organisation or address of the author
	ParamLot   = "EQ_waybill:lot"   // a lot in any role, instances by their master data included
	ParamItem  = "EQ_waybill:item"  // an identifier in any role
	ParamTx    = "EQ_waybill:tx"    // id of the transaction that carried the event, hex
	ParamHash  = "EQ_waybill:hash"  // hash of the canonical event, hex
)

// Interval is a half-open range of times, ms since the Unix epoch: From <= t < To. The zero value of the parser is
// unbounded: math.MinInt64 and math.MaxInt64.
type Interval struct{ From, To int64 }

var unbounded = Interval{From: math.MinInt64, To: math.MaxInt64}

// Bounded reports whether the interval excludes anything.
func (i Interval) Bounded() bool { return i != unbounded }

// Contains reports whether t is in the interval.
func (i Interval) Contains(t int64) bool { return i.From <= t && t < i.To }

// OrderField names what results are ordered by.
type OrderField string

// The orders. OrderRecorded is the order of the ledger, which OrderDefault is, too, but oldest first.
const (
	OrderDefault   OrderField = ""
	OrderRecorded  OrderField = "recordTime"
	OrderEventTime OrderField = "eventTime"
)

// Bounds of paging.
const (
	DefaultPerPage = 30   // EPCIS 2.0 OpenAPI, PerPage
	MaxPerPage     = 1000 // more is cut to this, as the standard allows a server to do
	maxEventCount  = 1_000_000
	maxTokenBytes  = 512
)

// TypedMatch asks for a business transaction, source or destination of one type with one of these ids.
type TypedMatch struct {
	Type string // vocabulary value
	IDs  []string
}

// Query is a parsed SimpleEventQuery. Every list that is not empty and every bound that is set must be satisfied; of a
// list, one value must. Identifiers are keys (see [Key]), vocabulary values in the form of events. Build it with [Parse]
// or [FromJSON], not by hand, and do not change it.
type Query struct {
	EventTypes []epcis.EventType
	EventTime  Interval
	RecordTime Interval // of the block, which is when the ledger recorded the event

	Actions                         []epcis.Action
	BizSteps, Dispositions          []string
	PersistentSet, PersistentUnset  []string
	BizTransactions                 []TypedMatch // each must be satisfied
	Sources, Destinations           []TypedMatch // each must be satisfied
	TransformationIDs, EventIDs     []string
	ReadPoints, BizLocations        []string
	ReadPointsWithin, BizLocsWithin []string

	EPCs, ParentIDs, InputEPCs, OutputEPCs, AnyEPCs  []Pattern
	Classes, InputClasses, OutputClasses, AnyClasses []Pattern
	Quantities                                       []NumberTest // each must be satisfied

	ErrorDeclared                    bool // EXISTS_errorDeclaration
	ErrorTime                        Interval
	ErrorReasons, CorrectiveEventIDs []string

	Sensors []SensorTest // each must be satisfied
	Fields  []FieldTest  // each must be satisfied

	// Of Waybill; see the Param constants.
	Items                               []Pattern
	Parties, Lots, Transactions, Hashes []string

	OrderBy         OrderField
	Ascending       bool
	EventCountLimit int // 0: none
	MaxEventCount   int // 0: none
	PerPage         int // 1..MaxPerPage
	NextPageToken   string

	values map[string][]string // as given, for Fingerprint and Values; paging excluded
}

// New returns the query that every event satisfies.
func New() *Query {
	return &Query{EventTime: unbounded, RecordTime: unbounded, ErrorTime: unbounded, PerPage: DefaultPerPage, values: map[string][]string{}}
}

// Meta is what the ledger knows of an event besides the event itself.
type Meta struct {
	Height  uint64   `json:"height"`  // of the block
	TxIndex uint32   `json:"txIndex"` // of the transaction in the block
	Index   uint32   `json:"index"`   // of the event in the transaction
	Hash    string   `json:"hash"`    // of the canonical event, hex
	Tx      string   `json:"tx"`      // id of the transaction, hex
	TimeMs  int64    `json:"timeMs"`  // time of the block, ms since the Unix epoch: the recordTime of the event
	Author  string   `json:"author"`  // address of the account that recorded it
	Org     string   `json:"org,omitempty"`
	Flags   []string `json:"flags,omitempty"` // rules that the ledger flagged
	Lots    []string `json:"lots,omitempty"`  // lots that the event is about, instances by their master data included
}

// Found is one event of an answer.
type Found struct {
	Event *epcis.Event
	Meta  Meta
}

// Page is one page of an answer.
type Page struct {
	Events []Found
	// Next is the token of the following page, "" after the last. A page may hold fewer events than asked for and
	// still have a next one.
	Next string
	// Height is the block up to which the answer is complete; all pages of one answer share it.
	Height uint64
}
