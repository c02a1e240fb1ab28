package epcis

import (
	"slices"
	"strings"
)

// declared lists what an "@context" declares: prefixes and, with an empty prefix, the addresses of other contexts. The
// standard context is left out. Terms with a definition of their own are not prefixes and stay in the value only.
func declared(context Value) prefixMap { return appendDeclared(nil, context) }

// appendDeclared stops soon after MaxNamespaces, more than which nobody may declare.
func appendDeclared(ns prefixMap, context Value) prefixMap {
	switch context.kind {
	case Text:
		if context.text != "" && !isStandardContext(context.text) {
			ns = append(ns, Namespace{URI: context.text})
		}
	case List:
		for _, v := range context.List() {
			if v.kind != List && len(ns) <= MaxNamespaces {
				ns = appendDeclared(ns, v)
			}
		}
	case Object:
		for _, m := range context.Members() {
			if m.Value.kind == Text && m.Name != "" && m.Name[0] != '@' && m.Value.text != "" && len(ns) <= MaxNamespaces {
				ns = append(ns, Namespace{Prefix: m.Name, URI: m.Value.text})
			}
		}
	}
	return ns
}

// isStandardContext recognises the addresses under which the standard EPCIS context is published.
func isStandardContext(url string) bool {
	return strings.HasPrefix(url, "https://ref.gs1.org/standards/epcis/") ||
		strings.HasPrefix(url, "https://gs1.github.io/EPCIS/") ||
		strings.HasPrefix(url, "https://id.gs1.org/epcis-context")
}

// used returns those of the namespaces in force that an event needs to stand alone, sorted: the prefixes that occur in
// names and texts of its extensions and in its own texts, and every context named by address, since what that declares
// is not known. What that takes is counted in s.
func (e *Event) used(inForce prefixMap, s *faultSink) []Namespace {
	if len(inForce) == 0 || !s.take(len(inForce), 1) {
		return nil
	}
	needed, n := make([]bool, len(inForce)), 0
	need := func(prefix string) {
		for i := len(inForce) - 1; i >= 0; i-- {
			if inForce[i].Prefix == prefix && !needed[i] {
				needed[i], n = true, n+1
			}
			if inForce[i].Prefix == prefix && prefix != "" {
				return // the last declaration of a prefix is in force
			}
		}
	}
	need("")
	e.eachText(func(s string) {
		if prefix, _, found := strings.Cut(s, ":"); found && prefix != "" {
			need(prefix)
		}
	})
	if n == 0 || !s.take(n, namespaceRoom) {
		return nil
	}
	out := make([]Namespace, 0, n)
	for i, n := range inForce {
		if needed[i] {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, compareNamespaces)
	return slices.Compact(out)
}

func compareNamespaces(a, b Namespace) int {
	if c := strings.Compare(a.Prefix, b.Prefix); c != 0 {
		return c
	}
	return strings.Compare(a.URI, b.URI)
}

// eachText visits the texts in which a prefix may occur: vocabulary values, and names and texts of extensions.
func (e *Event) eachText(visit func(string)) {
	visit(e.BizStep)
	visit(e.Disposition)
	if pd := e.PersistentDisposition; pd != nil {
		for _, s := range pd.Set {
			visit(s)
		}
		for _, s := range pd.Unset {
			visit(s)
		}
	}
	for _, refs := range [][]TypedRef{e.BizTransactions, e.Sources, e.Destinations} {
		for i := range refs {
			visit(refs[i].Type)
		}
	}
	for i := range e.SensorElements {
		for j := range e.SensorElements[i].Reports {
			r := &e.SensorElements[i].Reports[j]
			visit(r.Type)
			visit(r.Exception)
			visit(r.Component)
		}
	}
	if d := e.ErrorDeclaration; d != nil {
		visit(d.Reason)
	}
	for x := range e.eachExtensions {
		eachExtensionText(*x, visit)
	}
}

func eachExtensionText(ms []Member, visit func(string)) {
	for i := range ms {
		visit(ms[i].Name)
		eachValueText(ms[i].Value, visit)
	}
}

func eachValueText(v Value, visit func(string)) {
	switch v.kind {
	case Text:
		visit(v.text)
	case List:
		for _, x := range v.List() {
			eachValueText(x, visit)
		}
	case Object:
		eachExtensionText(v.Members(), visit)
	}
}

// eachExtensions yields every place of an event where user extensions stand.
func (e *Event) eachExtensions(yield func(*Extensions) bool) {
	_ = yield(&e.ILMD) && yield(&e.Extensions) && e.eachPlaceOfRefs(yield) && e.eachPlaceOfQuantities(yield) && e.eachPlaceOfSensors(yield) &&
		(e.PersistentDisposition == nil || yield(&e.PersistentDisposition.Extensions)) &&
		(e.ErrorDeclaration == nil || yield(&e.ErrorDeclaration.Extensions))
}

func (e *Event) eachPlaceOfRefs(yield func(*Extensions) bool) bool {
	for _, l := range [...]*Location{e.ReadPoint, e.BizLocation} {
		if l != nil && !yield(&l.Extensions) {
			return false
		}
	}
	for _, refs := range [...][]TypedRef{e.BizTransactions, e.Sources, e.Destinations} {
		for i := range refs {
			if !yield(&refs[i].Extensions) {
				return false
			}
		}
	}
	return true
}

func (e *Event) eachPlaceOfQuantities(yield func(*Extensions) bool) bool {
	for _, qs := range [...][]Quantity{e.Quantities, e.ChildQuantities, e.InputQuantities, e.OutputQuantities} {
		for i := range qs {
			if !yield(&qs[i].Extensions) {
				return false
			}
		}
	}
	return true
}

func (e *Event) eachPlaceOfSensors(yield func(*Extensions) bool) bool {
	for i := range e.SensorElements {
		s := &e.SensorElements[i]
		if !yield(&s.Extensions) || s.Metadata != nil && !yield(&s.Metadata.Extensions) {
			return false
		}
		for j := range s.Reports {
			if !yield(&s.Reports[j].Extensions) {
				return false
			}
		}
	}
	return true
}

// contextOf composes an "@context" that declares the namespaces beside the standard context. Where two namespaces
// claim one prefix the first wins; the other must be declared closer to its use.
func contextOf(namespaces []Namespace) Value {
	list := []Value{NewText(ContextURL)}
	var members []Member
	for _, n := range namespaces {
		if n.Prefix == "" {
			list = append(list, NewText(n.URI))
		} else if Extensions(members).Find(n.Prefix).IsZero() {
			members = append(members, Member{Name: n.Prefix, Value: NewText(n.URI)})
		}
	}
	if len(members) > 0 {
		list = append(list, NewObject(members...))
	}
	return NewList(list...)
}

// missing returns those of the namespaces that the context does not declare alike.
func missing(namespaces []Namespace, inForce prefixMap) []Namespace {
	var out []Namespace
	for _, n := range namespaces {
		if n.Prefix == "" {
			if !slices.Contains(inForce, n) {
				out = append(out, n)
			}
		} else if uri, ok := inForce.lookup(n.Prefix); !ok || uri != n.URI {
			out = append(out, n)
		}
	}
	return out
}

// withContext returns the context as written, completed by declarations that it lacks.
func withContext(context Value, lacking []Namespace) Value {
	if len(lacking) == 0 {
		return context
	}
	var list []Value
	switch context.kind {
	case List:
		list = append(list, context.List()...)
	case Text, Object:
		list = append(list, context)
	}
	extra := contextOf(lacking).List()[1:] // without the standard context
	return NewList(append(list, extra...)...)
}
