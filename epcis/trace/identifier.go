package trace

import (
	"net/url"

	"waybill/epcis"
	"waybill/epcis/gs1"
)

// Key returns the one spelling under which an identifier is looked up: the canonical form of a GS1 identifier, anything
// else as it is.
func Key(id string) string {
	parsed, err := gs1.Parse(id)
	if err != nil {
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
	s := spell(id)
	return (&births{event: e}).lotOf(id, &s, false)
}

// Lots lists the keys of the lots that an event is about, each once: named in quantities, or given to instances.
func Lots(e *epcis.Event) []string {
	var lots []string
	seen, last := map[string]bool{}, ""
	add := func(key string) {
		if key == "" || key == last || seen[key] {
			return
		}
		seen[key], last = true, key
		lots = append(lots, key)
	}
	for _, list := range [][]epcis.Quantity{e.Quantities, e.ChildQuantities, e.InputQuantities, e.OutputQuantities} {
		for _, q := range list {
			if id, err := gs1.Parse(q.Class); err == nil && id.Key() == gs1.KeyLGTIN {
				add(id.Canonical())
			}
		}
	}
	given := births{event: e}
	born := given.things()
	for _, list := range [][]string{e.EPCs, e.ChildEPCs, e.InputEPCs, e.OutputEPCs} {
		same := len(list) > 0 && len(list) == len(born) && &list[0] == &born[0]
		for _, id := range list {
			s := spell(id)
			add(given.lotOf(id, &s, same))
		}
	}
	return lots
}
