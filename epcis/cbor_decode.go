package epcis

import "fmt"

// decoder turns wire forms into the model and keeps the first thing that is wrong.
type decoder struct{ err error }

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

func (d *decoder) event(w *wireEvent) *Event {
	e := &Event{
		Type: EventType(w.Type), EventID: w.EventID, EventTime: Timestamp{w.EventTime}, RecordTime: Timestamp{w.RecordTime},
		TimeZoneOffset: w.TimeZoneOffset, Action: Action(w.Action), BizStep: w.BizStep, Disposition: w.Disposition,
		BizTransactions: modelList(w.BizTransactions, d.ref), CertificationInfo: modelTexts(w.CertificationInfo),
		CertificationInfoBare: w.CertificationInfoBare,
		ReadPoint:             d.location(w.ReadPoint), BizLocation: d.location(w.BizLocation),
		Sources: modelList(w.Sources, d.ref), Destinations: modelList(w.Destinations, d.ref),
		EPCs: modelTexts(w.EPCs), Quantities: modelList(w.Quantities, d.quantity),
		ParentID: w.ParentID, ChildEPCs: modelTexts(w.ChildEPCs), ChildQuantities: modelList(w.ChildQuantities, d.quantity),
		InputEPCs: modelTexts(w.InputEPCs), OutputEPCs: modelTexts(w.OutputEPCs),
		InputQuantities: modelList(w.InputQuantities, d.quantity), OutputQuantities: modelList(w.OutputQuantities, d.quantity),
		TransformationID: w.TransformationID, SensorElements: modelList(w.SensorElements, d.element),
		Extensions: d.extensions(w.Extensions),
	}
	if w.ILMD != nil {
		e.ILMD = Extensions(d.value(w.ILMD, Object).Members())
		if e.ILMD == nil {
			e.ILMD = Extensions{}
		}
	}
	if p := w.PersistentDisposition; p != nil {
		e.PersistentDisposition = &PersistentDisposition{Set: modelTexts(p.Set), Unset: modelTexts(p.Unset), Extensions: d.extensions(p.Extensions)}
	}
	if x := w.ErrorDeclaration; x != nil {
		e.ErrorDeclaration = &ErrorDeclaration{DeclarationTime: Timestamp{x.DeclarationTime}, Reason: x.Reason,
			CorrectiveEventIDs: modelTexts(x.CorrectiveEventIDs), Extensions: d.extensions(x.Extensions)}
	}
	if w.Context != nil {
		e.Context = d.value(w.Context, None)
		if k := e.Context.Kind(); k != Text && k != Object && k != List {
			d.fail("a context is an address, an object or a list")
		}
	}
	if len(w.Namespaces) > 0 {
		e.Namespaces = make([]Namespace, 0, len(w.Namespaces))
	}
	for _, n := range w.Namespaces {
		e.Namespaces = append(e.Namespaces, Namespace{Prefix: n.Prefix, URI: n.URI})
	}
	return e
}

func modelList[W, T any](list *[]W, convert func(*W, *T)) []T {
	if list == nil {
		return nil
	}
	out := make([]T, len(*list))
	for i := range *list {
		convert(&(*list)[i], &out[i])
	}
	return out
}

func modelTexts(list *[]string) []string {
	if list == nil {
		return nil
	}
	if *list == nil {
		return []string{}
	}
	return *list
}

func (d *decoder) decimal(w *wireDecimal) *Decimal {
	if w == nil {
		return nil
	}
	n := Decimal{Coefficient: w.Coefficient, Exponent: w.Exponent}
	if !n.isCanonical() {
		d.fail("the number %d × 10^%d is not in its one form", w.Coefficient, w.Exponent)
	}
	return &n
}

func (d *decoder) quantity(w *wireQuantity, q *Quantity) {
	*q = Quantity{Class: w.Class, Quantity: d.decimal(w.Quantity), UOM: w.UOM, Extensions: d.extensions(w.Extensions)}
}

func (d *decoder) ref(w *wireRef, r *TypedRef) {
	*r = TypedRef{Type: w.Type, ID: w.ID, Extensions: d.extensions(w.Extensions)}
}

func (d *decoder) location(w *wireLocation) *Location {
	if w == nil {
		return nil
	}
	return &Location{ID: w.ID, Extensions: d.extensions(w.Extensions)}
}

func (d *decoder) element(w *wireElement, s *SensorElement) {
	*s = SensorElement{Reports: modelList(w.Reports, d.report), Extensions: d.extensions(w.Extensions)}
	if w.Metadata != nil {
		s.Metadata = &SensorMetadata{Extensions: d.extensions(w.Metadata.Extensions)}
		fields := s.Metadata.fields()
		d.texts(w.Metadata.Texts, fields[:])
	}
}

func (d *decoder) texts(texts map[uint8]string, fields []textField) {
	for i, text := range texts {
		if int(i) >= len(fields) || text == "" {
			d.fail("there is no sensor field %d, or its text is empty", i)
			return
		}
		*fields[i].text = text
	}
}

func (d *decoder) report(w *wireReport, r *SensorReport) {
	texts, numbers := r.textFields(), r.numberFields()
	d.texts(w.Texts, texts[:])
	for i, n := range w.Numbers {
		if int(i) >= len(numbers) {
			d.fail("there is no sensor number %d", i)
			break
		}
		*numbers[i].value = d.decimal(&n)
	}
	for i, at := range w.TextNumbers {
		if int(at) >= len(numbers) || *numbers[at].value == nil || i > 0 && w.TextNumbers[i-1] >= at {
			d.fail("the numbers written as texts are not ascending or absent")
			break
		}
		r.TextNumbers = append(r.TextNumbers, numbers[at].name)
	}
	r.StringValue, r.BooleanValue = w.String, w.Boolean
	r.Extensions = d.extensions(w.Extensions)
}
