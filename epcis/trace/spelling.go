package trace

import (
	"slices"

	"waybill/epcis"
	"waybill/epcis/gs1"
)

// spelling is what one spelling of an identifier says by itself.
type spelling struct {
	key  string // see [Key]
	id   gs1.ID // zero unless valid
	gtin string // of one thing of a product
	lot  string // key of the lot that the identifier of such a thing names beside its serial
}

func spell(id string) spelling {
	parsed, err := gs1.Parse(id)
	if err != nil {
		return spelling{key: id}
	}
	s := spelling{key: parsed.Canonical(), id: parsed}
	if parsed.IsClass() {
		return s
	}
	if gtin, ok := parsed.GTIN(); ok {
		s.gtin = gtin
		if lot := parsed.Lot(); lot != "" {
			s.lot = LotKey(gtin, lot)
		}
	}
	return s
}

// spellings remembers spellings: the things of a trace are named many times over, mostly alike.
type spellings map[string]*spelling

func (n spellings) of(id string) *spelling {
	s := n[id]
	if s == nil {
		s = new(spelling)
		*s = spell(id)
		n[id] = s
	}
	return s
}

// key is [Key] of an identifier; "" of none.
func (n spellings) key(id string) string {
	if id == "" {
		return ""
	}
	return n.of(id).key
}

// gln returns a place, given by its key, without its GLN extension.
func (n spellings) gln(place string) string {
	if place == "" {
		return ""
	}
	if s := n.of(place); s.id.Key() == gs1.KeySGLN {
		return s.id.Value()
	}
	return place
}

// births knows the lots that one event gives to things. What is the same for all of them it works out once.
type births struct {
	event  *epcis.Event
	read   bool
	number string          // LotNumber of the event, once read
	made   map[string]bool // identifiers, as written, of what the event brings into being; nil until asked for
	gtin   string          // lot is that of this product
	lot    string
}

// lotOf returns the key of the lot of a thing, "" if the event gives it none. born says that the thing is known to come into
// being by the event.
func (b *births) lotOf(id string, s *spelling, born bool) string {
	if s.gtin == "" || s.lot != "" {
		return s.lot
	}
	if !b.read {
		b.read = true
		b.number = b.event.LotNumber()
	}
	if b.number == "" || !born && !b.brings(id) {
		return ""
	}
	if b.gtin != s.gtin {
		b.gtin, b.lot = s.gtin, b.lotOfProduct(s.gtin)
	}
	return b.lot
}

func (b *births) lotOfProduct(gtin string) string {
	key := LotKey(gtin, b.number)
	if len(b.event.ILMD) == 0 && !slices.ContainsFunc(b.quantities(), func(q epcis.Quantity) bool { return Key(q.Class) == key }) {
		return "" // the lot of another product in the same event
	}
	return key
}

// brings reports whether the event makes or commissions a thing.
func (b *births) brings(id string) bool {
	if b.made == nil {
		list := b.things()
		b.made = make(map[string]bool, len(list))
		for _, id := range list {
			b.made[id] = true
		}
	}
	return b.made[id]
}

// things lists what the event brings into being.
func (b *births) things() []string {
	switch e := b.event; {
	case e.Type == epcis.TransformationEvent:
		return e.OutputEPCs
	case e.Type == epcis.ObjectEvent && e.Action == epcis.ActionAdd:
		return e.EPCs
	}
	return nil
}

// quantities lists the amounts that an event brings into being.
func (b *births) quantities() []epcis.Quantity {
	if b.event.Type == epcis.TransformationEvent {
		return b.event.OutputQuantities
	}
	return b.event.Quantities
}
