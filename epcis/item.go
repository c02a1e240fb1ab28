package epcis

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"waybill/epcis/gs1"
)

// Role says what an item is to an event.
type Role uint8

// The roles, in the order in which [Event.Items] lists them.
const (
	RoleParent Role = iota + 1 // parentID
	RoleEPC                    // epcList and quantityList
	RoleChild                  // childEPCs and childQuantityList
	RoleInput                  // inputEPCList and inputQuantityList
	RoleOutput                 // outputEPCList and outputQuantityList
)

// String returns a word for the role, for example "input".
func (r Role) String() string {
	switch r {
	case RoleParent:
		return "parent"
	case RoleEPC:
		return "epc"
	case RoleChild:
		return "child"
	case RoleInput:
		return "input"
	case RoleOutput:
		return "output"
	}
	return "none"
}

// Item is one object, lot or class that an event is about.
type Item struct {
	Role     Role
	ID       string   // as written
	Key      string   // the one spelling of ID: canonical Digital Link of a GS1 identifier, otherwise ID
	Class    bool     // from a list of quantities
	Quantity *Decimal // in UOM; nil where unspecified and for single objects
	UOM      string
	Pointer  string // RFC 6901 pointer inside the event, for example "/inputQuantityList/0/epcClass"
}

// Items lists everything the event is about, sorted by role, then single objects before quantities, then key.
func (e *Event) Items() []Item {
	var items []Item
	one := func(role Role, id, pointer string) {
		items = append(items, Item{Role: role, ID: id, Key: canonicalURI(id), Pointer: pointer})
	}
	if e.ParentID != "" {
		one(RoleParent, e.ParentID, "/parentID")
	}
	for _, l := range [...]struct {
		role              Role
		ids               []string
		quantities        []Quantity
		idField, qtyField string
	}{
		{RoleEPC, e.EPCs, e.Quantities, "epcList", "quantityList"},
		{RoleChild, e.ChildEPCs, e.ChildQuantities, "childEPCs", "childQuantityList"},
		{RoleInput, e.InputEPCs, e.InputQuantities, "inputEPCList", "inputQuantityList"},
		{RoleOutput, e.OutputEPCs, e.OutputQuantities, "outputEPCList", "outputQuantityList"},
	} {
		for i, id := range l.ids {
			one(l.role, id, (*path)(nil).field(l.idField).at(i).pointer())
		}
		for i, q := range l.quantities {
			at := (*path)(nil).field(l.qtyField).at(i).field("epcClass")
			items = append(items, Item{Role: l.role, ID: q.Class, Key: canonicalURI(q.Class), Class: true,
				Quantity: q.Quantity, UOM: q.UOM, Pointer: at.pointer()})
		}
	}
	slices.SortStableFunc(items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), compareBool(a.Class, b.Class), strings.Compare(a.Key, b.Key))
	})
	return items
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Names of master data attributes of CBV 2.0, section 9.2, under which an expiry date and a lot number stand in ILMD.
const (
	mdaNamespace = "urn:epcglobal:cbv:mda:"
	gs1Namespace = "https://gs1.org/voc/"
)

// ItemExpirationDate returns the end of the expiry day (UTC) that the ILMD names, in milliseconds since the Unix epoch:
// what expires on a day may be used on that day. An expiry with a time of day is taken as it is. False if the ILMD names
// none that can be read.
func (e *Event) ItemExpirationDate() (ms int64, ok bool) {
	text := e.masterData("itemExpirationDate", "expirationDate", "expirationDateTime")
	if at, err := parseTime(text); err == nil {
		return at.UnixMilli(), true
	}
	day, err := time.Parse(time.DateOnly, text[:min(len(text), len(time.DateOnly))])
	if err != nil {
		return 0, false
	}
	return day.AddDate(0, 0, 1).UnixMilli() - 1, true
}

// LotNumber returns the lot that the ILMD names; without one, the lot in the identifiers of what the event brings into
// being, if they agree; otherwise "".
func (e *Event) LotNumber() string {
	if lot := e.masterData("lotNumber", "hasBatchLotNumber"); lot != "" {
		return lot
	}
	lot := ""
	for _, quantities := range [][]Quantity{e.Quantities, e.OutputQuantities} {
		for _, q := range quantities {
			id, err := gs1.Parse(q.Class)
			if err != nil || id.Lot() == "" {
				continue
			}
			if lot != "" && lot != id.Lot() {
				return ""
			}
			lot = id.Lot()
		}
	}
	return lot
}

// masterData returns the text of the first of the attributes that the ILMD has, in the CBV or the GS1 vocabulary.
func (e *Event) masterData(names ...string) string {
	prefixes := prefixMap(e.Namespaces)
	for _, name := range names {
		for _, m := range e.ILMD {
			full := prefixes.expand(m.Name)
			if full != mdaNamespace+name && full != mdaNamespace+"#"+name && full != gs1Namespace+name {
				continue
			}
			if m.Value.kind == Text || m.Value.kind == Number {
				return m.Value.text
			}
			if typed := m.Value.Member("@value"); typed.kind == Text {
				return typed.text
			}
		}
	}
	return ""
}
