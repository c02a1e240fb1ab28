package epcis

import (
	"errors"
	"fmt"
	"strings"

	"waybill/crypto"
	"waybill/epcis/gs1"
)

// maxExtensionDepth bounds how deeply a user extension nests. With the levels of a query document around it an
// extension stays below [MaxDepth]: what was accepted can be written and read again.
const maxExtensionDepth = 48

// faultSink gathers faults, one for a place, at most MaxFaults. If tolerant, faults of identifiers go to warnings.
type faultSink struct {
	tolerant         bool
	faults, warnings Faults
	budget           *crypto.Budget // nil: no bound but that on faults
	ids              *identifiers
}

const faultRoom = 560 // of a fault with its texts, about

// full reports whether enough was found wrong, or looking for more would take too much.
func (s *faultSink) full() bool {
	return len(s.faults) >= MaxFaults || s.budget != nil && s.budget.Left() < 0
}

// take counts what is about to be made; false if that is too much.
func (s *faultSink) take(n, each int) bool { return s.budget == nil || s.budget.Take(n, each) }

// add records a fault. Of several faults in one place the first counts: the others follow from it.
func (s *faultSink) add(at *path, f Fault) {
	if s.full() {
		return
	}
	list := &s.faults
	if s.tolerant && f.Kind == FaultIdentifier {
		list = &s.warnings
	}
	if s.take(1, faultRoom); len(*list) >= MaxFaults {
		return
	}
	f.Pointer = at.pointer()
	f.Actual = shorten(f.Actual)
	for i := range *list {
		if (*list)[i].Pointer == f.Pointer {
			return
		}
	}
	*list = append(*list, f)
}

func (s *faultSink) missing(at *path, detail, expected string) {
	s.add(at, Fault{Kind: FaultMissing, Detail: detail, Expected: expected})
}

func (s *faultSink) unknown(name string, at *path) {
	s.add(at, Fault{Kind: FaultUnknown, Actual: name, Expected: "a standard field in its exact spelling, or a name with a prefix, as in ext:name",
		Detail: "the standard defines no such field here; correct its name or put it in a namespace of yours"})
}

func (s *faultSink) wrongType(at *path, want string, v Value) {
	s.add(at, Fault{Kind: FaultType, Detail: "a " + want + " belongs here", Expected: want, Actual: describe(v)})
}

func (s *faultSink) rule(at *path, detail string) {
	s.add(at, Fault{Kind: FaultRule, Detail: detail})
}

func (s *faultSink) checkDepth(v Value, at *path) {
	if tooDeep(v, maxExtensionDepth) {
		s.add(at, Fault{Kind: FaultTooLarge, Detail: fmt.Sprintf("an extension nests deeper than %d", maxExtensionDepth)})
	}
}

func tooDeep(v Value, left int) bool {
	if v.kind != List && v.kind != Object {
		return false
	}
	if left == 0 {
		return true
	}
	if v.node == nil {
		return false
	}
	for _, x := range v.node.list {
		if tooDeep(x, left-1) {
			return true
		}
	}
	for _, m := range v.node.members {
		if tooDeep(m.Value, left-1) {
			return true
		}
	}
	return false
}

func (s *faultSink) checkTime(t Timestamp, at *path) {
	if t.IsZero() || s.full() {
		return
	}
	if _, err := parseTime(t.Text); err != nil {
		s.add(at, Fault{Kind: FaultValue, Detail: "this is " + err.Error(), Expected: "RFC 3339 with an offset", Actual: t.Text})
	}
}

// checkURI reports a text that is not an absolute URI; absent ones pass.
func (s *faultSink) checkURI(u string, at *path) {
	if u != "" && !isURI(u) {
		s.add(at, Fault{Kind: FaultValue, Detail: "this is no absolute URI, that is a scheme, a colon and more, without spaces", Expected: "URI", Actual: u})
	}
}

// isURI accepts absolute URIs and IRIs (RFC 3986, section 3; RFC 3987) loosely: a scheme and printable rest.
func isURI(u string) bool {
	scheme, rest, found := strings.Cut(u, ":")
	if !found || scheme == "" || rest == "" {
		return false
	}
	for i := range len(scheme) {
		c := scheme[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' && c != '_') {
			return false
		}
	}
	for _, r := range rest {
		if r <= ' ' || r == 0x7f || r == '"' || r == '<' || r == '>' || r == '\\' || r == '^' || r == '`' {
			return false
		}
	}
	return true
}

// identifier classes that a field accepts.
type idWant uint8

const (
	anyID idWant = iota
	instanceID
	classID
)

// checkID reports an identifier that is no URI or breaks the rules of its GS1 key.
func (s *faultSink) checkID(id string, at *path, want idWant) {
	if id == "" {
		return
	}
	parsed, err := s.ids.parse(id)
	s.checkParsed(id, parsed, err, at, want)
}

// checkParsed is checkID of one that was parsed.
func (s *faultSink) checkParsed(id string, parsed gs1.ID, err error, at *path, want idWant) {
	if !isURI(id) {
		s.checkURI(id, at)
		return
	}
	if err != nil {
		s.add(at, Fault{Kind: FaultIdentifier, Detail: identifierDetail(err), Actual: id})
		return
	}
	switch {
	case want == instanceID && parsed.IsClass():
		s.add(at, Fault{Kind: FaultIdentifier, Detail: "this names a class of objects; put it in the quantity list", Expected: "identifier of one object", Actual: id})
	case want == classID && parsed.IsInstance():
		s.add(at, Fault{Kind: FaultIdentifier, Detail: "this names one object; put it in the list of EPCs", Expected: "identifier of a class or lot", Actual: id})
	}
}

func identifierDetail(err error) string {
	var pe *gs1.ParseError
	if errors.As(err, &pe) {
		return string(pe.Kind) + ": " + pe.Detail
	}
	return err.Error()
}

// checkWord reports a bare word that the vocabulary does not have; URIs and prefixed names are free.
func (s *faultSink) checkWord(word string, at *path, voc *vocabulary) {
	if word == "" || voc.has(word) || s.full() {
		return
	}
	if strings.IndexByte(word, ':') < 0 {
		s.add(at, Fault{Kind: FaultVocabulary, Detail: "this is no " + voc.name + " of CBV 2.0; for your own values write a URI",
			Expected: voc.suggest(word), Actual: word})
		return
	}
	s.checkURI(word, at)
}

// suggest names the words that a person may have meant: those that begin alike.
func (v *vocabulary) suggest(word string) string {
	if len(v.words) <= 16 {
		return strings.Join(v.words, ", ")
	}
	stem := word[:min(len(word), 4)]
	var near []string
	for _, w := range v.words {
		if strings.HasPrefix(w, stem) || strings.EqualFold(w, word) {
			near = append(near, w)
		}
	}
	if len(near) == 0 {
		return "a word of the vocabulary or a URI"
	}
	return strings.Join(near, ", ")
}

// Validate checks what the event means, beyond its form: required fields, fields that go together, values in their
// vocabulary, times, units and identifiers (EPCIS 2.0, sections 7.3 and 7.4). Pointers are relative to the event. Nil
// means valid. Faults of kind FaultIdentifier are of their own sort: an identifier that is a URI but breaks a rule of
// its GS1 key, names a class where an object belongs, or the other way round. Much real data has them, so documents are
// read in spite of them, and it is for each network to refuse or to flag them.
func (e *Event) Validate() []Fault {
	var s faultSink
	e.validate(&s, nil)
	return s.faults
}

func (e *Event) validate(s *faultSink, at *path) {
	e.validateWhen(s, at)
	if e.Type != 0 {
		e.validateShape(s, at)
		e.validateAction(s, at)
		e.validateWhat(s, at)
	}
	e.validateWhy(s, at)
	e.validateIdentifiers(s, at)
	e.validateSensors(s, at.field("sensorElementList"))
	e.validateError(s, at.field("errorDeclaration"))
	e.validateExtensions(s, at)
}

func (e *Event) validateWhen(s *faultSink, at *path) {
	if e.Type < ObjectEvent || e.Type > AssociationEvent {
		s.missing(at.field("type"), "an event has a type", eventTypeNames)
	}
	if e.EventTime.IsZero() {
		s.missing(at.field("eventTime"), "an event says when it happened", "date and time with an offset")
	}
	s.checkTime(e.EventTime, at.field("eventTime"))
	s.checkTime(e.RecordTime, at.field("recordTime"))
	switch {
	case e.TimeZoneOffset == "":
		s.missing(at.field("eventTimeZoneOffset"), "an event says in which time zone it happened", "for example +02:00")
	case !validOffset(e.TimeZoneOffset):
		s.add(at.field("eventTimeZoneOffset"), Fault{Kind: FaultValue, Detail: "this is no time zone offset", Expected: "from -14:00 to +14:00", Actual: e.TimeZoneOffset})
	}
	s.checkURI(e.EventID, at.field("eventID"))
}

// shape says which fields an event type has beyond those of every event (EPCIS 2.0, sections 7.4.2 to 7.4.6).
type shape struct{ epcs, parent, children, transformation, ilmd bool }

var shapes = [...]shape{
	ObjectEvent:         {epcs: true, ilmd: true},
	AggregationEvent:    {parent: true, children: true},
	TransactionEvent:    {epcs: true, parent: true},
	TransformationEvent: {transformation: true, ilmd: true},
	AssociationEvent:    {parent: true, children: true},
}

func (e *Event) validateShape(s *faultSink, at *path) {
	if int(e.Type) >= len(shapes) {
		return
	}
	has := shapes[e.Type]
	for _, f := range [...]struct {
		name            string
		present, belong bool
	}{
		{"epcList", e.EPCs != nil, has.epcs},
		{"quantityList", e.Quantities != nil, has.epcs},
		{"parentID", e.ParentID != "", has.parent},
		{"childEPCs", e.ChildEPCs != nil, has.children},
		{"childQuantityList", e.ChildQuantities != nil, has.children},
		{"inputEPCList", e.InputEPCs != nil, has.transformation},
		{"inputQuantityList", e.InputQuantities != nil, has.transformation},
		{"outputEPCList", e.OutputEPCs != nil, has.transformation},
		{"outputQuantityList", e.OutputQuantities != nil, has.transformation},
		{"transformationID", e.TransformationID != "", has.transformation},
		{"ilmd", e.ILMD != nil, has.ilmd},
	} {
		if f.present && !f.belong {
			s.rule(at.field(f.name), e.Type.String()+" has no such field")
		}
	}
}

func (e *Event) validateAction(s *faultSink, at *path) {
	if e.Type == TransformationEvent && e.Action == "" {
		return // it needs none; published documents carry one, which says nothing and is kept
	}
	switch e.Action {
	case ActionAdd, ActionObserve, ActionDelete:
	case "":
		s.missing(at.field("action"), "an "+e.Type.String()+" has an action", "ADD, OBSERVE or DELETE")
	default:
		s.add(at.field("action"), Fault{Kind: FaultValue, Detail: "this is no action", Expected: "ADD, OBSERVE or DELETE", Actual: string(e.Action)})
	}
	if e.ILMD != nil && e.Type == ObjectEvent && e.Action != ActionAdd {
		s.rule(at.field("ilmd"), "master data of an instance or lot is given when it comes into being: the action must be ADD")
	}
}

// validateWhat checks that an event is about something.
func (e *Event) validateWhat(s *faultSink, at *path) {
	switch e.Type {
	case ObjectEvent:
		sensed := len(e.SensorElements) > 0 && e.ReadPoint != nil
		if len(e.EPCs) == 0 && len(e.Quantities) == 0 && !sensed {
			s.missing(at.field("epcList"), "an ObjectEvent is about EPCs, quantities, or what sensors saw at a read point", "epcList, quantityList, or sensorElementList with readPoint")
		}
	case TransactionEvent:
		if len(e.BizTransactions) == 0 {
			s.missing(at.field("bizTransactionList"), "a TransactionEvent names at least one business transaction", "list")
		}
		if e.EPCs == nil && len(e.Quantities) == 0 && e.Action != ActionDelete {
			s.missing(at.field("epcList"), "a TransactionEvent is about EPCs or quantities, unless it deletes", "epcList or quantityList")
		}
	case AggregationEvent, AssociationEvent:
		e.validateParentAndChildren(s, at)
	case TransformationEvent:
		e.validateTransformation(s, at)
	}
}

func (e *Event) validateParentAndChildren(s *faultSink, at *path) {
	if e.ParentID == "" && (e.Type == AssociationEvent || e.Action != ActionObserve) {
		s.missing(at.field("parentID"), "the parent may only be left out when an aggregation is observed", "identifier")
	}
	if len(e.ChildEPCs) == 0 && len(e.ChildQuantities) == 0 && e.Action != ActionDelete {
		s.missing(at.field("childEPCs"), "children may only be left out when all of them are removed", "childEPCs or childQuantityList")
	}
}

func (e *Event) validateTransformation(s *faultSink, at *path) {
	inputs := len(e.InputEPCs) + len(e.InputQuantities)
	outputs := len(e.OutputEPCs) + len(e.OutputQuantities)
	if inputs+outputs == 0 || e.TransformationID == "" {
		const detail = "a TransformationEvent has inputs and outputs; one side may only be left out with a transformationID"
		if inputs == 0 {
			s.missing(at.field("inputEPCList"), detail, "inputEPCList or inputQuantityList")
		}
		if outputs == 0 {
			s.missing(at.field("outputEPCList"), detail, "outputEPCList or outputQuantityList")
		}
	}
}

func (e *Event) validateWhy(s *faultSink, at *path) {
	s.checkWord(e.BizStep, at.field("bizStep"), &bizSteps)
	s.checkWord(e.Disposition, at.field("disposition"), &dispositions)
	if pd := e.PersistentDisposition; pd != nil {
		here := at.field("persistentDisposition")
		if len(pd.Set) == 0 && len(pd.Unset) == 0 {
			s.missing(here.field("set"), "a persistent disposition sets or unsets something", "set or unset")
		}
		s.checkWords(pd.Set, here.field("set"))
		s.checkWords(pd.Unset, here.field("unset"))
		for i, w := range pd.Unset {
			for _, other := range pd.Set {
				if w == other {
					s.rule(here.field("unset").at(i), "the same disposition is set and unset")
				}
			}
		}
	}
	for i, u := range e.CertificationInfo {
		here := at.field("certificationInfo")
		if !e.CertificationInfoBare {
			here = here.at(i)
		}
		s.checkURI(u, here)
	}
}

func (s *faultSink) checkWords(words []string, at *path) {
	for i, w := range words {
		s.checkWord(w, at.at(i), &dispositions)
		for _, before := range words[:i] {
			if w == before {
				s.rule(at.at(i), "the disposition is listed twice")
			}
		}
	}
}

func (e *Event) validateError(s *faultSink, at *path) {
	d := e.ErrorDeclaration
	if d == nil {
		return
	}
	if d.DeclarationTime.IsZero() {
		s.missing(at.field("declarationTime"), "an error declaration says when it was made", "date and time with an offset")
	}
	s.checkTime(d.DeclarationTime, at.field("declarationTime"))
	s.checkWord(d.Reason, at.field("reason"), &errorReasons)
	for i, id := range d.CorrectiveEventIDs {
		s.checkURI(id, at.field("correctiveEventIDs").at(i))
	}
}
