package provenance

import (
	"waybill/epcis"
)

// packedInto returns the container into which the event put the thing; "" if it did not.
func (n name) packedInto(e event) string {
	if e.rec.Event.Type != epcis.AggregationEvent || e.rec.Event.Action != epcis.ActionAdd || e.rec.Event.ErrorDeclaration != nil {
		return ""
	}
	if e.named.Children.Holds(n.id, n.lot) {
		return e.named.Parent
	}
	return ""
}
