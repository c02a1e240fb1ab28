package trace

import (
	"net/url"
	"slices"

	"waybill/epcis"
	"waybill/epcis/gs1"
)

// Key returns the one spelling under which an identifier is looked up: the canonical form of a GS1 identifier, anything
// else as it is.
func Key(id string) string {
	parsed, err := gs1.ParseLenient(id)
	if err != nil || parsed.IsZero() {
		return id
	}
	return parsed.Canonical()
}

// LotKey returns the key of a lot of a trade item; "" if there is no such lot.
func LotKey(gtin, lot string) string {
	id, err := gs1.Parse("https://id.gs1.org/01/" + gtin + "/10/" + url.PathEscape(lot))
	if err != nil {
		return ""
	}
	return id.Canonical()
}

// LotOf returns the key of the lot that an event gives to an instance: the one its identifier names, or the one in the
// master data of the event that brings it into being. "" if the event gives it none.
func LotOf(e *epcis.Event, id string) string {
	parsed, err := gs1.Parse(id)
	if err != nil || parsed.IsClass() {
		return ""
	}
	gtin, ok := parsed.GTIN()
	if !ok {
		return ""
	}
	if lot := parsed.Lot(); lot != "" {
		return LotKey(gtin, lot)
	}
	if !bringsIntoBeing(e, id) {
		return ""
	}
	lot := e.LotNumber()
	if lot == "" {
		return ""
	}
	key := LotKey(gtin, lot)
	if len(e.ILMD) == 0 && !slices.ContainsFunc(born(e), func(q epcis.Quantity) bool { return Key(q.Class) == key }) {
		return "" // the lot of another product in the same event
	}
	return key
}

// born lists the quantities that an event brings into being.
func born(e *epcis.Event) []epcis.Quantity {
	if e.Type == epcis.TransformationEvent {
		return e.OutputQuantities
	}
	return e.Quantities
}

// bringsIntoBeing reports whether the event makes or commissions the instance.
func bringsIntoBeing(e *epcis.Event, id string) bool {
	switch e.Type {
	case epcis.TransformationEvent:
		return slices.Contains(e.OutputEPCs, id)
	case epcis.ObjectEvent:
		return e.Action == epcis.ActionAdd && slices.Contains(e.EPCs, id)
	}
	return false
}

// Lots lists the keys of the lots that an event is about, each once: named in quantities, or given to instances.
func Lots(e *epcis.Event) []string {
	var lots []string
	add := func(key string) {
		if key != "" && !slices.Contains(lots, key) {
			lots = append(lots, key)
		}
	}
	for _, list := range [][]epcis.Quantity{e.Quantities, e.ChildQuantities, e.InputQuantities, e.OutputQuantities} {
		for _, q := range list {
			if id, err := gs1.Parse(q.Class); err == nil && id.Key() == gs1.KeyLGTIN {
				add(id.Canonical())
			}
		}
	}
	for _, list := range [][]string{e.EPCs, e.ChildEPCs, e.InputEPCs, e.OutputEPCs} {
		for _, id := range list {
			add(LotOf(e, id))
		}
	}
	return lots
}
