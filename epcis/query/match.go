package query

import (
	"slices"
	"strings"

	"waybill/epcis"
)

// Matches reports whether an event satisfies the query; paging and order have no part in it.
func (q *Query) Matches(e *epcis.Event, m Meta) bool {
	return q.matchesWhen(e, m) && q.matchesWhy(e) && q.matchesWhere(e) && q.matchesWhat(e) &&
		q.matchesQuantities(e) && q.matchesError(e) && q.matchesLedger(e, m) && q.matchesSensors(e) && q.matchesFields(e)
}

// among reports whether the list is empty, which asks nothing, or has v.
func among[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

// anyAmong is among for a field with several values.
func anyAmong(list, values []string) bool {
	return len(list) == 0 || slices.ContainsFunc(values, func(v string) bool { return slices.Contains(list, v) })
}

func (q *Query) matchesWhen(e *epcis.Event, m Meta) bool {
	return among(q.EventTypes, e.Type) && q.RecordTime.Contains(m.TimeMs) &&
		(!q.EventTime.Bounded() || q.EventTime.Contains(e.EventTime.UnixMilli()))
}

func (q *Query) matchesWhy(e *epcis.Event) bool {
	if !among(q.Actions, e.Action) || !among(q.BizSteps, e.BizStep) || !among(q.Dispositions, e.Disposition) || !among(q.EventIDs, e.EventID) {
		return false
	}
	if p := e.PersistentDisposition; p == nil {
		if len(q.PersistentSet)+len(q.PersistentUnset) > 0 {
			return false
		}
	} else if !anyAmong(q.PersistentSet, p.Set) || !anyAmong(q.PersistentUnset, p.Unset) {
		return false
	}
	return matchesTyped(q.BizTransactions, e.BizTransactions) && matchesTyped(q.Sources, e.Sources) && matchesTyped(q.Destinations, e.Destinations)
}

func matchesTyped(asked []TypedMatch, refs []epcis.TypedRef) bool {
	for _, a := range asked {
		if !slices.ContainsFunc(refs, func(r epcis.TypedRef) bool { return r.Type == a.Type && slices.Contains(a.IDs, Key(r.ID)) }) {
			return false
		}
	}
	return true
}

func (q *Query) matchesWhere(e *epcis.Event) bool {
	return matchesLocation(q.ReadPoints, q.ReadPointsWithin, e.ReadPoint) && matchesLocation(q.BizLocations, q.BizLocsWithin, e.BizLocation)
}

func matchesLocation(exact, within []string, l *epcis.Location) bool {
	if len(exact)+len(within) == 0 {
		return true
	}
	if l == nil {
		return false
	}
	key := Key(l.ID)
	return among(exact, key) &&
		(len(within) == 0 || slices.ContainsFunc(within, func(w string) bool { return Within(key, w) }))
}

func (q *Query) matchesWhat(e *epcis.Event) bool {
	var parent []string
	if e.ParentID != "" {
		parent = []string{e.ParentID}
	}
	wants := func(patterns []Pattern, lists ...[]string) bool {
		return len(patterns) == 0 || matchAny(patterns, lists...)
	}
	return wants(q.EPCs, e.EPCs, e.ChildEPCs) &&
		wants(q.ParentIDs, parent) &&
		wants(q.InputEPCs, e.InputEPCs) &&
		wants(q.OutputEPCs, e.OutputEPCs) &&
		wants(q.AnyEPCs, e.EPCs, e.ChildEPCs, parent, e.InputEPCs, e.OutputEPCs) &&
		wants(q.Classes, classes(e.Quantities), classes(e.ChildQuantities)) &&
		wants(q.InputClasses, classes(e.InputQuantities)) &&
		wants(q.OutputClasses, classes(e.OutputQuantities)) &&
		wants(q.AnyClasses, classes(e.Quantities), classes(e.ChildQuantities), classes(e.InputQuantities), classes(e.OutputQuantities)) &&
		wants(q.Items, e.EPCs, e.ChildEPCs, parent, e.InputEPCs, e.OutputEPCs,
			classes(e.Quantities), classes(e.ChildQuantities), classes(e.InputQuantities), classes(e.OutputQuantities)) &&
		(len(q.TransformationIDs) == 0 || e.TransformationID != "" && slices.Contains(q.TransformationIDs, Key(e.TransformationID)))
}

func classes(quantities []epcis.Quantity) []string {
	if len(quantities) == 0 {
		return nil
	}
	ids := make([]string, len(quantities))
	for i := range quantities {
		ids[i] = quantities[i].Class
	}
	return ids
}

func (q *Query) matchesQuantities(e *epcis.Event) bool {
	for _, t := range q.Quantities {
		found := false
		for _, list := range [][]epcis.Quantity{e.Quantities, e.ChildQuantities, e.InputQuantities, e.OutputQuantities} {
			found = found || slices.ContainsFunc(list, func(x epcis.Quantity) bool { return t.holds(x.Quantity, x.UOM) })
		}
		if !found {
			return false
		}
	}
	return true
}

func (q *Query) matchesError(e *epcis.Event) bool {
	d := e.ErrorDeclaration
	if d == nil {
		return !q.ErrorDeclared && !q.ErrorTime.Bounded() && len(q.ErrorReasons)+len(q.CorrectiveEventIDs) == 0
	}
	return (!q.ErrorTime.Bounded() || q.ErrorTime.Contains(d.DeclarationTime.UnixMilli())) &&
		among(q.ErrorReasons, d.Reason) && anyAmong(q.CorrectiveEventIDs, d.CorrectiveEventIDs)
}

func (q *Query) matchesLedger(e *epcis.Event, m Meta) bool {
	return among(q.Transactions, m.Tx) && among(q.Hashes, m.Hash) && anyAmong(q.Lots, m.Lots) &&
		(len(q.Parties) == 0 || slices.ContainsFunc(PartiesOf(e, m), func(p string) bool { return slices.Contains(q.Parties, p) }))
}

// PartiesOf lists the keys of the parties of an event: sources, destinations, and the author by organisation and
// address. Some may repeat.
func PartiesOf(e *epcis.Event, m Meta) []string {
	var parties []string
	for _, refs := range [][]epcis.TypedRef{e.Sources, e.Destinations} {
		for _, r := range refs {
			parties = append(parties, Key(r.ID))
		}
	}
	if m.Org != "" {
		parties = append(parties, m.Org)
	}
	if m.Author != "" {
		parties = append(parties, m.Author)
	}
	return parties
}

func (q *Query) matchesFields(e *epcis.Event) bool {
	for _, t := range q.Fields {
		if !t.matches(e) {
			return false
		}
	}
	return true
}

func (t *FieldTest) matches(e *epcis.Event) bool {
	for _, x := range t.where(e) {
		if t.in(e, x) {
			return true
		}
	}
	return false
}

// where returns the extensions that the test looks at.
func (t *FieldTest) where(e *epcis.Event) []epcis.Extensions {
	var out []epcis.Extensions
	switch t.Scope {
	case ScopeEvent:
		out = append(out, e.Extensions)
	case ScopeILMD:
		out = append(out, e.ILMD)
	case ScopeError:
		if e.ErrorDeclaration != nil {
			out = append(out, e.ErrorDeclaration.Extensions)
		}
	case ScopeReadPoint:
		if e.ReadPoint != nil {
			out = append(out, e.ReadPoint.Extensions)
		}
	case ScopeBizLocation:
		if e.BizLocation != nil {
			out = append(out, e.BizLocation.Extensions)
		}
	case ScopeSensorElement, ScopeSensorMetadata, ScopeSensorReport:
		out = t.whereSensors(e)
	}
	return out
}

func (t *FieldTest) whereSensors(e *epcis.Event) []epcis.Extensions {
	var out []epcis.Extensions
	for i := range e.SensorElements {
		s := &e.SensorElements[i]
		switch {
		case t.Scope == ScopeSensorElement:
			out = append(out, s.Extensions)
		case t.Scope == ScopeSensorMetadata && s.Metadata != nil:
			out = append(out, s.Metadata.Extensions)
		case t.Scope == ScopeSensorReport:
			for j := range s.Reports {
				out = append(out, s.Reports[j].Extensions)
			}
		}
	}
	return out
}

// in looks for the field among members, and below them for an inner one. The depth is that of a parsed event.
func (t *FieldTest) in(e *epcis.Event, members []epcis.Member) bool {
	for _, m := range members {
		if t.named(e, m.Name) && t.holds(m.Value) {
			return true
		}
		if t.Inner && t.below(e, m.Value) {
			return true
		}
	}
	return false
}

func (t *FieldTest) below(e *epcis.Event, v epcis.Value) bool {
	if t.in(e, v.Members()) {
		return true
	}
	return slices.ContainsFunc(v.List(), func(x epcis.Value) bool { return t.below(e, x) })
}

// named compares names as written, and as full URIs where the event declares the prefix.
func (t *FieldTest) named(e *epcis.Event, name string) bool {
	if name == t.Name {
		return true
	}
	prefix, local, found := strings.Cut(name, ":")
	if !found {
		return false
	}
	for _, ns := range e.Namespaces {
		if ns.Prefix == prefix {
			return ns.URI+local == t.Name || strings.TrimRight(ns.URI, "#/")+"#"+local == t.Name
		}
	}
	return false
}

// holds compares a value; a list satisfies the test if one of its elements does.
func (t *FieldTest) holds(v epcis.Value) bool {
	if t.Op == OpExists {
		return true
	}
	if list := v.List(); list != nil {
		return slices.ContainsFunc(list, t.holds)
	}
	actual := v.Text()
	if v.Kind() == epcis.Object { // a typed literal: {"@type": "xsd:…", "@value": …}
		actual = v.Member("@value").Text()
	}
	return slices.ContainsFunc(t.Values, func(asked string) bool { return compareTexts(t.Op, actual, asked) })
}

// compareTexts compares as numbers if both are, else as times if both are, else for equality.
func compareTexts(op Op, actual, asked string) bool {
	if a, ok := number(actual); ok {
		if b, ok := number(asked); ok {
			return op.holds(a.Cmp(b))
		}
	}
	if a, ok := parseTime(actual); ok {
		if b, ok := parseTime(asked); ok {
			return op.holds(compare(a, b))
		}
	}
	return op == OpEQ && actual == asked
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
