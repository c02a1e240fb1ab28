package epcis

import (
	"errors"
	"fmt"
	"strconv"

	"waybill/crypto"
)

// MaxEventBytes bounds the CBOR form of one event. It is the size of the largest transaction, so nothing larger is ever
// recorded.
const MaxEventBytes = 256 << 10

const wireVersion = 1

// wireEvent is the CBOR form of an event: a map with small integer keys. Lists are pointers because an absent list and
// an empty one are different texts. What is absent is left out.
type wireEvent struct {
	Version uint8 `cbor:"0,keyasint"`
	Type    uint8 `cbor:"1,keyasint"`

	EventID        string `cbor:"2,keyasint,omitempty"`
	EventTime      string `cbor:"3,keyasint,omitempty"`
	RecordTime     string `cbor:"4,keyasint,omitempty"`
	TimeZoneOffset string `cbor:"5,keyasint,omitempty"`

	Action                string           `cbor:"6,keyasint,omitempty"`
	BizStep               string           `cbor:"7,keyasint,omitempty"`
	Disposition           string           `cbor:"8,keyasint,omitempty"`
	PersistentDisposition *wireDisposition `cbor:"9,keyasint,omitempty"`
	BizTransactions       *[]wireRef       `cbor:"10,keyasint,omitempty"`
	CertificationInfo     *[]string        `cbor:"11,keyasint,omitempty"`
	CertificationInfoBare bool             `cbor:"12,keyasint,omitempty"`

	ReadPoint    *wireLocation `cbor:"13,keyasint,omitempty"`
	BizLocation  *wireLocation `cbor:"14,keyasint,omitempty"`
	Sources      *[]wireRef    `cbor:"15,keyasint,omitempty"`
	Destinations *[]wireRef    `cbor:"16,keyasint,omitempty"`

	EPCs       *[]string       `cbor:"17,keyasint,omitempty"`
	Quantities *[]wireQuantity `cbor:"18,keyasint,omitempty"`

	ParentID        string          `cbor:"19,keyasint,omitempty"`
	ChildEPCs       *[]string       `cbor:"20,keyasint,omitempty"`
	ChildQuantities *[]wireQuantity `cbor:"21,keyasint,omitempty"`

	InputEPCs        *[]string       `cbor:"22,keyasint,omitempty"`
	OutputEPCs       *[]string       `cbor:"23,keyasint,omitempty"`
	InputQuantities  *[]wireQuantity `cbor:"24,keyasint,omitempty"`
	OutputQuantities *[]wireQuantity `cbor:"25,keyasint,omitempty"`
	TransformationID string          `cbor:"26,keyasint,omitempty"`

	ILMD             []wireToken     `cbor:"27,keyasint,omitempty"`
	SensorElements   *[]wireElement  `cbor:"28,keyasint,omitempty"`
	ErrorDeclaration *wireError      `cbor:"29,keyasint,omitempty"`
	Extensions       []wireToken     `cbor:"30,keyasint,omitempty"`
	Context          []wireToken     `cbor:"31,keyasint,omitempty"`
	Namespaces       []wireNamespace `cbor:"32,keyasint,omitempty"`
}

type wireDecimal struct {
	_           struct{} `cbor:",toarray"`
	Coefficient int64
	Exponent    int8
}

type wireQuantity struct {
	Class      string       `cbor:"0,keyasint,omitempty"`
	Quantity   *wireDecimal `cbor:"1,keyasint,omitempty"`
	UOM        string       `cbor:"2,keyasint,omitempty"`
	Extensions []wireToken  `cbor:"3,keyasint,omitempty"`
}

type wireRef struct {
	Type       string      `cbor:"0,keyasint,omitempty"`
	ID         string      `cbor:"1,keyasint,omitempty"`
	Extensions []wireToken `cbor:"2,keyasint,omitempty"`
}

type wireLocation struct {
	ID         string      `cbor:"0,keyasint,omitempty"`
	Extensions []wireToken `cbor:"1,keyasint,omitempty"`
}

type wireDisposition struct {
	Set        *[]string   `cbor:"0,keyasint,omitempty"`
	Unset      *[]string   `cbor:"1,keyasint,omitempty"`
	Extensions []wireToken `cbor:"2,keyasint,omitempty"`
}

type wireError struct {
	DeclarationTime    string      `cbor:"0,keyasint,omitempty"`
	Reason             string      `cbor:"1,keyasint,omitempty"`
	CorrectiveEventIDs *[]string   `cbor:"2,keyasint,omitempty"`
	Extensions         []wireToken `cbor:"3,keyasint,omitempty"`
}

type wireElement struct {
	Metadata   *wireMetadata `cbor:"0,keyasint,omitempty"`
	Reports    *[]wireReport `cbor:"1,keyasint,omitempty"`
	Extensions []wireToken   `cbor:"2,keyasint,omitempty"`
}

// wireMetadata and wireReport hold their standard fields by position in [SensorMetadata.fields],
// [SensorReport.textFields] and [SensorReport.numberFields].
type wireMetadata struct {
	Texts      map[uint8]string `cbor:"0,keyasint,omitempty"`
	Extensions []wireToken      `cbor:"1,keyasint,omitempty"`
}

type wireReport struct {
	Texts       map[uint8]string      `cbor:"0,keyasint,omitempty"`
	Numbers     map[uint8]wireDecimal `cbor:"1,keyasint,omitempty"`
	TextNumbers []uint8               `cbor:"2,keyasint,omitempty"` // positions, ascending
	String      *string               `cbor:"3,keyasint,omitempty"`
	Boolean     *bool                 `cbor:"4,keyasint,omitempty"`
	Extensions  []wireToken           `cbor:"5,keyasint,omitempty"`
}

type wireNamespace struct {
	_      struct{} `cbor:",toarray"`
	Prefix string
	URI    string
}

// EncodeEvent returns the deterministic CBOR form of an event, the bytes that a transaction carries. Everything the
// event holds is in it. The error is a [Faults]: an event that is not in the one form that [DecodeEvent] accepts, for
// example with a vocabulary value in one of its longer spellings, or one above [MaxEventBytes].
func EncodeEvent(e *Event) ([]byte, error) {
	if err := e.checkForm(); err != nil {
		return nil, err
	}
	data, err := crypto.Marshal(toWire(e))
	if err != nil {
		return nil, encodingFault(err)
	}
	if len(data) > MaxEventBytes {
		return nil, Faults{{Kind: FaultTooLarge, Detail: "the event is too large to be recorded; split it",
			Expected: fmt.Sprintf("at most %d bytes", MaxEventBytes), Actual: strconv.Itoa(len(data)) + " bytes"}}
	}
	if budget := crypto.NewBudget(len(data)); len(data) > surelySparse && !weighs(data, &budget) {
		return nil, denseFault()
	}
	return data, nil
}

// surelySparse is a length, in bytes, up to which no event takes more than what a decoder may take in any case.
const surelySparse = 100

// weighs reports whether the CBOR form of an event is within a budget.
func weighs(data []byte, budget *crypto.Budget) bool {
	_, err := DecodeEventWithin(data, budget)
	return err == nil
}

func denseFault() error {
	return Faults{{Kind: FaultTooLarge, Detail: "the event has too many parts for its length; split it"}}
}

// DecodeEvent reads the bytes of [EncodeEvent] and accepts nothing else: one event has one encoding. It checks the form
// (times are times, vocabulary values are in their one spelling, extensions are bounded), not the meaning, which is
// [Event.Validate]. The error is a [Faults] of kind FaultEncoding or FaultTooLarge.
func DecodeEvent(data []byte) (*Event, error) {
	budget := crypto.NewBudget(len(data))
	return DecodeEventWithin(data, &budget)
}

// DecodeEventWithin is DecodeEvent for a part of an input: it takes from the budget of the whole.
func DecodeEventWithin(data []byte, budget *crypto.Budget) (*Event, error) {
	if len(data) > MaxEventBytes {
		return nil, Faults{{Kind: FaultTooLarge, Detail: "the encoded event is too large",
			Expected: fmt.Sprintf("at most %d bytes", MaxEventBytes), Actual: strconv.Itoa(len(data)) + " bytes"}}
	}
	r := reader{PlainCBOR: crypto.NewPlainCBOR(data, budget)}
	e := r.event()
	switch {
	case budget.Left() < 0:
		return nil, denseFault()
	case r.err != nil:
		return nil, encodingFault(r.err)
	case !r.Done():
		return nil, encodingFault(fmt.Errorf("the bytes are not the one form of an event, from about byte %d on", r.Pos()))
	case !e.takeNames(budget):
		return nil, denseFault()
	}
	if err := e.checkForm(); err != nil {
		return nil, err
	}
	return e, nil
}

func encodingFault(err error) error {
	kind := FaultEncoding
	if errors.Is(err, crypto.ErrTooLarge) {
		kind = FaultTooLarge
	}
	return Faults{{Kind: kind, Detail: err.Error()}}
}

// checkForm refuses what has a second spelling, so that equal events have equal bytes as far as their authors wrote
// them alike, and rules can compare vocabulary values as texts.
func (e *Event) checkForm() error {
	var s faultSink
	root := (*path)(nil)
	if e.Type.String() == "" {
		s.add(root.field("type"), Fault{Kind: FaultEncoding, Detail: "the event has no type", Expected: eventTypeNames})
	}
	for _, t := range [...]struct {
		name string
		time Timestamp
	}{{"eventTime", e.EventTime}, {"recordTime", e.RecordTime}} {
		s.checkTime(t.time, root.field(t.name))
	}
	if d := e.ErrorDeclaration; d != nil {
		s.checkTime(d.DeclarationTime, root.field("errorDeclaration").field("declarationTime"))
	}
	if e.CertificationInfoBare && len(e.CertificationInfo) != 1 {
		s.add(root.field("certificationInfo"), Fault{Kind: FaultEncoding, Detail: "a bare certificationInfo is one text"})
	}
	if s.checkNamespaces(e.Namespaces); s.faults != nil {
		return s.faults
	}
	s.checkSpelling(e)
	for x := range e.eachExtensions {
		for _, m := range *x {
			s.checkDepth(m.Value, root.field(m.Name))
		}
	}
	s.checkDepth(e.Context, root.field("@context"))
	if len(s.faults) > 0 {
		return s.faults
	}
	return nil
}

// MaxNamespaces bounds the prefixes and addresses of contexts that one "@context" declares, or that an event carries: each
// name with a prefix is compared with all of them.
const MaxNamespaces = 256

var tooManyNamespaces = "a context declares at most " + strconv.Itoa(MaxNamespaces) + " prefixes and further contexts"

func (s *faultSink) checkNamespaces(ns []Namespace) {
	if len(ns) > MaxNamespaces {
		s.add((*path)(nil).field("@context"), Fault{Kind: FaultTooLarge, Detail: tooManyNamespaces})
		return
	}
	for i, n := range ns {
		twice := i > 0 && (compareNamespaces(ns[i-1], n) >= 0 || n.Prefix != "" && ns[i-1].Prefix == n.Prefix)
		if twice || n.URI == "" {
			at := (*path)(nil).field("@context")
			s.add(at, Fault{Kind: FaultEncoding, Detail: "namespaces are sorted, each prefix once, none empty", Actual: n.Prefix})
		}
	}
}

// checkSpelling refuses vocabulary values that are not in their one form.
func (s *faultSink) checkSpelling(e *Event) {
	prefixes := prefixMap(e.Namespaces)
	check := func(word string, voc *vocabulary, name string) {
		if normal := voc.normalise(word, prefixes); normal != word {
			s.add((*path)(nil).field(name), Fault{Kind: FaultEncoding, Detail: "the vocabulary value is not in its one form", Expected: normal, Actual: word})
		}
	}
	check(e.BizStep, &bizSteps, "bizStep")
	check(e.Disposition, &dispositions, "disposition")
	if pd := e.PersistentDisposition; pd != nil {
		for _, w := range pd.Set {
			check(w, &dispositions, "persistentDisposition")
		}
		for _, w := range pd.Unset {
			check(w, &dispositions, "persistentDisposition")
		}
	}
	for _, r := range e.BizTransactions {
		check(r.Type, &bizTransactionTypes, "bizTransactionList")
	}
	for _, r := range e.Sources {
		check(r.Type, &sourceDestTypes, "sourceList")
	}
	for _, r := range e.Destinations {
		check(r.Type, &sourceDestTypes, "destinationList")
	}
	if d := e.ErrorDeclaration; d != nil {
		check(d.Reason, &errorReasons, "errorDeclaration")
	}
	for i := range e.SensorElements {
		s.checkSensorForm(&e.SensorElements[i], check)
	}
}

func (s *faultSink) checkSensorForm(element *SensorElement, check func(string, *vocabulary, string)) {
	at := (*path)(nil).field("sensorElementList")
	if len(s.faults) > 0 {
		return // one fault of an event refuses it
	}
	if m := element.Metadata; m != nil {
		for _, f := range m.fields() {
			if f.kind == fieldTime {
				s.checkTime(Timestamp{*f.text}, at)
			}
		}
	}
	for i := range element.Reports {
		if len(s.faults) > 0 {
			return
		}
		for _, f := range element.Reports[i].textFields() {
			if voc := f.kind.vocabulary(); voc != nil {
				check(*f.text, voc, "sensorElementList")
			}
			if f.kind == fieldTime {
				s.checkTime(Timestamp{*f.text}, at)
			}
		}
	}
}
