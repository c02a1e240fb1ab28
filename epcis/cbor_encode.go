package epcis

import "slices"

func toWire(e *Event) *wireEvent {
	w := &wireEvent{
		Version: wireVersion, Type: uint8(e.Type),
		EventID: e.EventID, EventTime: e.EventTime.Text, RecordTime: e.RecordTime.Text, TimeZoneOffset: e.TimeZoneOffset,
		Action: string(e.Action), BizStep: e.BizStep, Disposition: e.Disposition,
		BizTransactions: wireList(e.BizTransactions, toWireRef), CertificationInfo: wireTexts(e.CertificationInfo),
		CertificationInfoBare: e.CertificationInfoBare,
		ReadPoint:             toWireLocation(e.ReadPoint), BizLocation: toWireLocation(e.BizLocation),
		Sources: wireList(e.Sources, toWireRef), Destinations: wireList(e.Destinations, toWireRef),
		EPCs: wireTexts(e.EPCs), Quantities: wireList(e.Quantities, toWireQuantity),
		ParentID: e.ParentID, ChildEPCs: wireTexts(e.ChildEPCs), ChildQuantities: wireList(e.ChildQuantities, toWireQuantity),
		InputEPCs: wireTexts(e.InputEPCs), OutputEPCs: wireTexts(e.OutputEPCs),
		InputQuantities:  wireList(e.InputQuantities, toWireQuantity),
		OutputQuantities: wireList(e.OutputQuantities, toWireQuantity), TransformationID: e.TransformationID,
		SensorElements: wireList(e.SensorElements, toWireElement), Extensions: toTokens(e.Extensions),
	}
	if e.ILMD != nil {
		w.ILMD = tokensOf(e.ILMD) // an empty one is written, too
	}
	if d := e.PersistentDisposition; d != nil {
		w.PersistentDisposition = &wireDisposition{Set: wireTexts(d.Set), Unset: wireTexts(d.Unset), Extensions: toTokens(d.Extensions)}
	}
	if d := e.ErrorDeclaration; d != nil {
		w.ErrorDeclaration = &wireError{DeclarationTime: d.DeclarationTime.Text, Reason: d.Reason,
			CorrectiveEventIDs: wireTexts(d.CorrectiveEventIDs), Extensions: toTokens(d.Extensions)}
	}
	if !e.Context.IsZero() {
		w.Context = appendTokens(nil, "", e.Context)
	}
	for _, n := range e.Namespaces {
		w.Namespaces = append(w.Namespaces, wireNamespace{Prefix: n.Prefix, URI: n.URI})
	}
	return w
}

// wireList converts a list; nil stays absent.
func wireList[T, W any](list []T, convert func(*T) W) *[]W {
	if list == nil {
		return nil
	}
	out := make([]W, len(list))
	for i := range list {
		out[i] = convert(&list[i])
	}
	return &out
}

func wireTexts(list []string) *[]string {
	if list == nil {
		return nil
	}
	return &list
}

func toWireDecimal(d *Decimal) *wireDecimal {
	if d == nil {
		return nil
	}
	return &wireDecimal{Coefficient: d.Coefficient, Exponent: d.Exponent}
}

func toWireQuantity(q *Quantity) wireQuantity {
	return wireQuantity{Class: q.Class, Quantity: toWireDecimal(q.Quantity), UOM: q.UOM, Extensions: toTokens(q.Extensions)}
}

func toWireRef(r *TypedRef) wireRef {
	return wireRef{Type: r.Type, ID: r.ID, Extensions: toTokens(r.Extensions)}
}

func toWireLocation(l *Location) *wireLocation {
	if l == nil {
		return nil
	}
	return &wireLocation{ID: l.ID, Extensions: toTokens(l.Extensions)}
}

func toWireElement(s *SensorElement) wireElement {
	w := wireElement{Reports: wireList(s.Reports, toWireReport), Extensions: toTokens(s.Extensions)}
	if m := s.Metadata; m != nil {
		fields := m.fields()
		w.Metadata = &wireMetadata{Texts: wireFields(fields[:]), Extensions: toTokens(m.Extensions)}
	}
	return w
}

func wireFields(fields []textField) map[uint8]string {
	texts := map[uint8]string{}
	for i, f := range fields {
		if *f.text != "" {
			texts[uint8(i)] = *f.text
		}
	}
	return texts
}

func toWireReport(r *SensorReport) wireReport {
	fields := r.textFields()
	w := wireReport{Texts: wireFields(fields[:]), Numbers: map[uint8]wireDecimal{},
		String: r.StringValue, Boolean: r.BooleanValue, Extensions: toTokens(r.Extensions)}
	for i, f := range r.numberFields() {
		if *f.value == nil {
			continue
		}
		w.Numbers[uint8(i)] = *toWireDecimal(*f.value)
		if slices.Contains(r.TextNumbers, f.name) {
			w.TextNumbers = append(w.TextNumbers, uint8(i))
		}
	}
	return w
}
