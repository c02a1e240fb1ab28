package epcis

import "strings"

// eventFields reads the standard fields of events of every type; which type has which is a matter of validation.
var eventFields = map[string]func(p *parser, e *Event, v Value, at *path){
	"eventID":             func(p *parser, e *Event, v Value, at *path) { e.EventID = p.iri(v, at) },
	"eventTime":           func(p *parser, e *Event, v Value, at *path) { e.EventTime = p.time(v, at) },
	"recordTime":          func(p *parser, e *Event, v Value, at *path) { e.RecordTime = p.time(v, at) },
	"eventTimeZoneOffset": func(p *parser, e *Event, v Value, at *path) { e.TimeZoneOffset = p.text(v, at) },
	"action":              func(p *parser, e *Event, v Value, at *path) { e.Action = Action(p.text(v, at)) },
	"bizStep":             func(p *parser, e *Event, v Value, at *path) { e.BizStep = p.word(v, at, &bizSteps) },
	"disposition":         func(p *parser, e *Event, v Value, at *path) { e.Disposition = p.word(v, at, &dispositions) },
	"parentID":            func(p *parser, e *Event, v Value, at *path) { e.ParentID = p.iri(v, at) },
	"transformationID":    func(p *parser, e *Event, v Value, at *path) { e.TransformationID = p.iri(v, at) },
	"epcList":             func(p *parser, e *Event, v Value, at *path) { e.EPCs = p.iris(v, at) },
	"childEPCs":           func(p *parser, e *Event, v Value, at *path) { e.ChildEPCs = p.iris(v, at) },
	"inputEPCList":        func(p *parser, e *Event, v Value, at *path) { e.InputEPCs = p.iris(v, at) },
	"outputEPCList":       func(p *parser, e *Event, v Value, at *path) { e.OutputEPCs = p.iris(v, at) },
	"quantityList":        func(p *parser, e *Event, v Value, at *path) { e.Quantities = list(p, v, at, quantityRoom, p.quantity) },
	"childQuantityList": func(p *parser, e *Event, v Value, at *path) {
		e.ChildQuantities = list(p, v, at, quantityRoom, p.quantity)
	},
	"inputQuantityList": func(p *parser, e *Event, v Value, at *path) {
		e.InputQuantities = list(p, v, at, quantityRoom, p.quantity)
	},
	"outputQuantityList": func(p *parser, e *Event, v Value, at *path) {
		e.OutputQuantities = list(p, v, at, quantityRoom, p.quantity)
	},
	"readPoint":   func(p *parser, e *Event, v Value, at *path) { e.ReadPoint = p.location(v, at) },
	"bizLocation": func(p *parser, e *Event, v Value, at *path) { e.BizLocation = p.location(v, at) },
	"ilmd":        func(p *parser, e *Event, v Value, at *path) { e.ILMD = p.ilmd(v, at) },
	"sensorElementList": func(p *parser, e *Event, v Value, at *path) {
		e.SensorElements = list(p, v, at, elementRoom, p.sensorElement)
	},
	"errorDeclaration": func(p *parser, e *Event, v Value, at *path) { e.ErrorDeclaration = p.errorDeclaration(v, at) },
	"certificationInfo": func(p *parser, e *Event, v Value, at *path) {
		e.CertificationInfo, e.CertificationInfoBare = p.iris(v, at), v.kind == Text
	},
	"persistentDisposition": func(p *parser, e *Event, v Value, at *path) {
		e.PersistentDisposition = p.persistentDisposition(v, at)
	},
	"bizTransactionList": func(p *parser, e *Event, v Value, at *path) {
		e.BizTransactions = list(p, v, at, refRoom, p.typedRef("bizTransaction", &bizTransactionTypes))
	},
	"sourceList": func(p *parser, e *Event, v Value, at *path) {
		e.Sources = list(p, v, at, refRoom, p.typedRef("source", &sourceDestTypes))
	},
	"destinationList": func(p *parser, e *Event, v Value, at *path) {
		e.Destinations = list(p, v, at, refRoom, p.typedRef("destination", &sourceDestTypes))
	},
}

// list reads a JSON list, or a single value as a list of one; never nil.
func list[T any](p *parser, v Value, at *path, each int, read func(Value, *path) T) []T {
	if v.kind != List {
		if !p.take(1, each) {
			return nil
		}
		return []T{read(v, at)}
	}
	if !p.take(len(v.List()), each+each/8) {
		return nil
	}
	out := make([]T, 0, len(v.List()))
	for i, x := range v.List() {
		if p.full() {
			break
		}
		out = append(out, read(x, p.ways.at(at, i)))
		p.ways.back()
	}
	return out
}

// object hands the members of an object to read and reports anything else.
func (p *parser) object(v Value, at *path, read func(m Member, at *path)) {
	if v.kind != Object {
		p.wrongType(at, "object", v)
		return
	}
	for _, m := range v.Members() {
		read(m, p.ways.field(at, m.Name))
		p.ways.back()
	}
}

func (p *parser) raw(v Value, at *path, want ValueKind) Value {
	if v.kind != want {
		p.wrongType(at, map[ValueKind]string{Object: "object", List: "list"}[want], v)
		return Value{}
	}
	return v
}

// text reads a text that says something: an empty one would be taken for an absent field.
func (p *parser) text(v Value, at *path) string {
	if v.kind != Text {
		p.wrongType(at, "text", v)
		return ""
	}
	if v.text == "" {
		p.add(at, Fault{Kind: FaultValue, Detail: "the text is empty; leave the field out instead"})
	}
	return v.text
}

// iri reads an identifier. A compact IRI is written out: what its prefix stands for is known here only, and two authors
// may mean different things by "ex:dock1". A scheme in wide use is a scheme, even where a context declares a prefix of
// the same name: the author of "geo:52.1,5.2" means a place.
func (p *parser) iri(v Value, at *path) string {
	s := p.text(v, at)
	scheme, _, _ := strings.Cut(s, ":")
	switch scheme {
	case "urn", "http", "https", "geo", "ni", "did":
		return s
	}
	if !p.take(9, p.prefixes.growth(s)/8+1) {
		return ""
	}
	return p.prefixes.expand(s)
}

func (p *parser) iris(v Value, at *path) []string { return list(p, v, at, textRoom, p.iri) }

func (p *parser) time(v Value, at *path) Timestamp { return Timestamp{Text: p.text(v, at)} }

func (p *parser) word(v Value, at *path, voc *vocabulary) string {
	s := p.text(v, at)
	if !p.take(9, p.prefixes.growth(s)/8+1) {
		return ""
	}
	return voc.normalise(s, p.prefixes)
}

func (p *parser) decimal(v Value, at *path) *Decimal {
	if v.kind != Number {
		p.wrongType(at, "number", v)
		return nil
	}
	if !p.take(2, decimalRoom) {
		return nil
	}
	d, err := ParseDecimal(v.text)
	if err != nil {
		p.add(at, Fault{Kind: FaultValue, Detail: "the number does not fit exactly; give at most 18 digits", Actual: v.text})
		return nil
	}
	return &d
}

// extension keeps a member that the standard does not define if its name is namespaced.
func (p *parser) extension(x *Extensions, m Member, at *path) {
	if !isExtensionName(m.Name) {
		p.unknown(m.Name, at)
		return
	}
	p.checkDepth(m.Value, at)
	if p.take(1, extensionsRoom) {
		*x = append(*x, m)
	}
}

// isExtensionName reports whether a name is a prefix with a local name or a full URI. A name with a leading underscore
// is a remark: JSON-LD gives it no meaning and published documents carry many.
func isExtensionName(name string) bool {
	if strings.HasPrefix(name, "_") {
		return len(name) > 1
	}
	prefix, local, found := strings.Cut(name, ":")
	return found && prefix != "" && local != "" && prefix[0] != '@' && strings.IndexByte(name, ' ') < 0
}

func (p *parser) quantity(v Value, at *path) Quantity {
	var q Quantity
	p.object(v, at, func(m Member, at *path) {
		switch m.Name {
		case "epcClass":
			q.Class = p.iri(m.Value, at)
		case "quantity":
			q.Quantity = p.decimal(m.Value, at)
		case "uom":
			q.UOM = p.text(m.Value, at)
		default:
			p.extension(&q.Extensions, m, at)
		}
	})
	return q
}

func (p *parser) typedRef(idField string, types *vocabulary) func(Value, *path) TypedRef {
	return func(v Value, at *path) TypedRef {
		var r TypedRef
		p.object(v, at, func(m Member, at *path) {
			switch m.Name {
			case "type":
				r.Type = p.word(m.Value, at, types)
			case idField:
				r.ID = p.iri(m.Value, at)
			default:
				p.extension(&r.Extensions, m, at)
			}
		})
		return r
	}
}

func (p *parser) location(v Value, at *path) *Location {
	if !p.take(1, locationRoom) {
		return nil
	}
	l := &Location{}
	p.object(v, at, func(m Member, at *path) {
		if m.Name == "id" {
			l.ID = p.iri(m.Value, at)
		} else {
			p.extension(&l.Extensions, m, at)
		}
	})
	return l
}

func (p *parser) ilmd(v Value, at *path) Extensions {
	x := Extensions{}
	p.object(v, at, func(m Member, at *path) { p.extension(&x, m, at) })
	return x
}

func (p *parser) persistentDisposition(v Value, at *path) *PersistentDisposition {
	if !p.take(1, persistRoom) {
		return nil
	}
	d := &PersistentDisposition{}
	p.object(v, at, func(m Member, at *path) {
		word := func(v Value, at *path) string { return p.word(v, at, &dispositions) }
		switch m.Name {
		case "set":
			d.Set = list(p, m.Value, at, textRoom, word)
		case "unset":
			d.Unset = list(p, m.Value, at, textRoom, word)
		default:
			p.extension(&d.Extensions, m, at)
		}
	})
	return d
}

func (p *parser) errorDeclaration(v Value, at *path) *ErrorDeclaration {
	if !p.take(1, errorRoom) {
		return nil
	}
	d := &ErrorDeclaration{}
	p.object(v, at, func(m Member, at *path) {
		switch m.Name {
		case "declarationTime":
			d.DeclarationTime = p.time(m.Value, at)
		case "reason":
			d.Reason = p.word(m.Value, at, &errorReasons)
		case "correctiveEventIDs":
			d.CorrectiveEventIDs = p.iris(m.Value, at)
		default:
			p.extension(&d.Extensions, m, at)
		}
	})
	return d
}
