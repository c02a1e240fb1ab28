package epcis

import (
	"cmp"
	"slices"
	"strings"
)

func (e *Event) validateIdentifiers(s *faultSink, at *path) {
	s.checkID(e.ParentID, at.field("parentID"), instanceID)
	s.checkIDs(e.EPCs, at.field("epcList"))
	s.checkIDs(e.ChildEPCs, at.field("childEPCs"))
	s.checkIDs(e.InputEPCs, at.field("inputEPCList"))
	s.checkIDs(e.OutputEPCs, at.field("outputEPCList"))
	s.checkQuantities(e.Quantities, at.field("quantityList"))
	s.checkQuantities(e.ChildQuantities, at.field("childQuantityList"))
	s.checkQuantities(e.InputQuantities, at.field("inputQuantityList"))
	s.checkQuantities(e.OutputQuantities, at.field("outputQuantityList"))
	s.checkURI(e.TransformationID, at.field("transformationID"))
	s.checkLocation(e.ReadPoint, at.field("readPoint"))
	s.checkLocation(e.BizLocation, at.field("bizLocation"))
	s.checkRefs(e.BizTransactions, at.field("bizTransactionList"), "bizTransaction", &bizTransactionTypes)
	s.checkRefs(e.Sources, at.field("sourceList"), "source", &sourceDestTypes)
	s.checkRefs(e.Destinations, at.field("destinationList"), "destination", &sourceDestTypes)
}

// checkIDs checks a list of objects, in which nothing may stand twice. Two spellings of one object are a fault of
// identifiers: the texts differ, so the list is well-formed.
func (s *faultSink) checkIDs(ids []string, at *path) {
	before := s.earlier(ids)
	for i, id := range ids {
		if s.full() {
			return
		}
		if id == "" {
			s.missing(at.at(i), "an identifier belongs here", "URI")
			continue
		}
		parsed, err := s.ids.parseOf(ids, i)
		s.checkParsed(id, parsed, err, at.at(i), instanceID)
		if before != nil && before[i] >= 0 {
			kind := FaultIdentifier
			if ids[before[i]] == id {
				kind = FaultRule
			}
			s.add(at.at(i), Fault{Kind: kind, Detail: "the object is listed twice", Actual: id})
		}
	}
}

// earlier says for each identifier where the same one stands last before it, -1 for nowhere; nil if all differ.
func (s *faultSink) earlier(ids []string) []int32 {
	if len(ids) < 2 || !s.take(len(ids), textRoom+8) {
		return nil
	}
	keys, order := make([]string, len(ids)), make([]int32, len(ids))
	for i, id := range ids {
		if s.budget != nil && s.budget.Left() < 0 {
			return nil
		}
		keys[i], order[i] = id, int32(i)
		if parsed, err := s.ids.parseOf(ids, i); err == nil {
			keys[i] = parsed.Canonical()
		}
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(strings.Compare(keys[a], keys[b]), cmp.Compare(a, b)) })
	var before []int32
	for n := 1; n < len(order); n++ {
		if keys[order[n]] != keys[order[n-1]] {
			continue
		}
		if before == nil {
			if before = make([]int32, len(ids)); !s.take(len(ids), 4) {
				return nil
			}
			for i := range before {
				before[i] = -1
			}
		}
		before[order[n]] = order[n-1]
	}
	return before
}

func (s *faultSink) checkQuantities(qs []Quantity, at *path) {
	for i := range qs {
		if s.full() {
			return
		}
		q, here := &qs[i], at.at(i)
		if q.Class == "" {
			s.missing(here.field("epcClass"), "a quantity is of a class", "identifier of a class or lot")
		}
		s.checkID(q.Class, here.field("epcClass"), classID)
		if q.UOM != "" && !isUnit(q.UOM) {
			s.add(here.field("uom"), Fault{Kind: FaultValue, Detail: "a unit is a code of UN/ECE Recommendation 20", Expected: "two or three capital letters or digits, for example KGM", Actual: q.UOM})
		}
		switch {
		case q.Quantity == nil && q.UOM != "":
			s.missing(here.field("quantity"), "a unit says nothing without a quantity", "number")
		case q.Quantity == nil:
		case q.Quantity.Sign() < 0:
			s.add(here.field("quantity"), Fault{Kind: FaultValue, Detail: "a quantity is not negative", Actual: q.Quantity.String()})
		case q.UOM == "" && !q.Quantity.IsWhole():
			s.add(here.field("quantity"), Fault{Kind: FaultValue, Detail: "without a unit a quantity counts objects and is whole; name the unit", Expected: "whole number", Actual: q.Quantity.String()})
		}
	}
}

func isUnit(s string) bool {
	if len(s) < 2 || len(s) > 3 {
		return false
	}
	for i := range len(s) {
		if (s[i] < 'A' || s[i] > 'Z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

func (s *faultSink) checkLocation(l *Location, at *path) {
	if l == nil {
		return
	}
	if l.ID == "" {
		s.missing(at.field("id"), "a location has an identifier", "URI")
	}
	s.checkID(l.ID, at.field("id"), anyID)
}

func (s *faultSink) checkRefs(refs []TypedRef, at *path, idField string, types *vocabulary) {
	for i := range refs {
		if s.full() {
			return
		}
		r, here := &refs[i], at.at(i)
		if r.ID == "" {
			s.missing(here.field(idField), "the entry names nothing", "URI")
		}
		s.checkID(r.ID, here.field(idField), anyID)
		if r.Type == "" && types == &sourceDestTypes {
			s.missing(here.field("type"), "a source or destination says what it is", types.suggest(""))
		}
		s.checkWord(r.Type, here.field("type"), types)
	}
}

func (e *Event) validateSensors(s *faultSink, at *path) {
	for i := range e.SensorElements {
		if s.full() {
			return
		}
		element, here := &e.SensorElements[i], at.at(i)
		if m := element.Metadata; m != nil {
			fields := m.fields()
			s.checkFields(fields[:], here.field("sensorMetadata"))
			if !m.StartTime.IsZero() && !m.EndTime.IsZero() && m.EndTime.UnixMilli() < m.StartTime.UnixMilli() {
				s.rule(here.field("sensorMetadata").field("endTime"), "the end comes before the start")
			}
		}
		if len(element.Reports) == 0 {
			s.missing(here.field("sensorReport"), "a sensor element has at least one report", "list")
		}
		for j := range element.Reports {
			s.checkReport(&element.Reports[j], here.field("sensorReport").at(j))
		}
	}
}

func (s *faultSink) checkReport(r *SensorReport, at *path) {
	if r.Type == "" && r.Exception == "" {
		s.missing(at.field("type"), "a sensor report says what was measured, or which exception occurred", "type or exception")
	}
	fields := r.textFields()
	s.checkFields(fields[:], at)
}

func (s *faultSink) checkFields(fields []textField, at *path) {
	for _, f := range fields {
		if *f.text == "" {
			continue
		}
		here := at.field(f.name)
		switch f.kind {
		case fieldTime:
			s.checkTime(Timestamp{*f.text}, here)
		case fieldURI:
			s.checkURI(*f.text, here)
		case fieldHex:
			if !isHex(*f.text) {
				s.add(here, Fault{Kind: FaultValue, Detail: "these are no hexadecimal digits", Expected: "0 to 9, a to f", Actual: *f.text})
			}
		case fieldMeasurement, fieldAlert, fieldComponent:
			s.checkWord(*f.text, here, f.kind.vocabulary())
		case fieldPlain:
		}
	}
}

func isHex(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// validateExtensions repeats what the parser checks, for events that were not parsed but made or decoded. Where inside
// the event an extension stands is not said: a parsed event has passed with exact places already.
func (e *Event) validateExtensions(s *faultSink, at *path) {
	for x := range e.eachExtensions {
		here := at
		if x == &e.ILMD {
			here = at.field("ilmd")
		}
		for _, m := range *x {
			if isExtensionName(m.Name) {
				s.checkDepth(m.Value, here.field(m.Name))
			} else {
				s.unknown(m.Name, here.field(m.Name))
			}
		}
	}
}
