package ledger

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"waybill/crypto"
	"waybill/epcis"
	"waybill/epcis/gs1"
)

// capturedEvent is an event of a capture with everything that does not depend on the state already worked out. It is
// made once, when the transaction is decoded, which may happen on many cores; Apply only reads it.
type capturedEvent struct {
	event  *epcis.Event
	hash   crypto.Hash
	faults []Finding // what is wrong with the event itself

	timeMs   int64       // event time, ms since the Unix epoch
	original crypto.Hash // of an error declaration: the event it declares wrong

	act                            act
	sells                          bool  // it says that goods are sold or dispensed to who uses them
	goods, children, inputs, makes goods // makes: outputs
	parent                         thing // id "" if there is none
	place                          string
	possessor, owner, site         party    // destinations
	sources                        []string // parties that the goods come from, canonical
	lotNumber, disposition         string
	expiryMs                       int64
}

// act is what the business step of an event does to custody.
type act uint8

const (
	actNone act = iota
	actShip
	actReceive
	actVoid
	actHold
	actRelease
	actCount
)

// goods is what one pair of lists of an event names, each thing once.
type goods struct {
	items []thing
	lots  []amountOf
}

func (g *goods) empty() bool { return len(g.items) == 0 && len(g.lots) == 0 }

// thing is a named thing: its canonical identifier, and where the event names it.
type thing struct {
	id     string
	lot    string // canonical lot, where the identifier says so beside the serial
	digits string // where its company prefix is; "" if it has none
	at     string // JSON pointer
}

// amountOf is a quantity of a lot or class.
type amountOf struct {
	thing
	unit     string
	amount   Amount
	measured bool // false: the quantity was not stated
}

// party is a destination of an event.
type party struct {
	id string // canonical; "" if there is none
	at string // JSON pointer
}

// What working out an event takes, about, where pointers have 64 bits: the event's own place, a thing of a list with where
// it stands, an amount of a list, and a finding with its arguments.
const (
	capturedRoom = 640
	thingRoom    = 64 + 32 + 4
	amountRoom   = 112 + 80
	findingRoom  = 480
)

// preparing is the working out of one event.
type preparing struct {
	*capturedEvent
	x      *epcis.Examiner
	budget *crypto.Budget
}

// prepareEvents decodes the events of a capture and works out what does not depend on the state, all from one budget. The
// error is of kind ErrEvent or ErrTooLarge and names the event. What is wrong with the meaning of an event is left to the
// receipt.
func prepareEvents(c *Capture, budget *crypto.Budget) ([]capturedEvent, error) {
	if !budget.Take(len(c.Events), capturedRoom) {
		return nil, tooDense(0)
	}
	out, x := make([]capturedEvent, len(c.Events)), epcis.NewExaminer(budget)
	for i, data := range c.Events {
		e, err := x.Decode(data)
		if budget.Left() < 0 {
			return nil, tooDense(i)
		}
		if err != nil {
			return nil, malformedBy(ErrEvent, err, "event %d", i)
		}
		p := preparing{capturedEvent: &out[i], x: x, budget: budget}
		if p.prepare(e); budget.Left() < 0 {
			return nil, tooDense(i)
		}
	}
	return out, nil
}

func tooDense(i int) error {
	return malformed(ErrTooLarge, "event %d: the transaction has too many parts for its length, they would take more than %d times that in memory; split it",
		i, crypto.BudgetPerByte)
}

func (c *preparing) prepare(e *epcis.Event) {
	c.event, c.hash = e, c.x.Hash(e)
	for _, fault := range c.x.Validate(e) {
		code, args := CodeBadEvent, []string{string(fault.Kind) + ": " + fault.Detail}
		if fault.Kind == epcis.FaultIdentifier {
			code, args = CodeBadIdentifier, []string{fault.Actual, fault.Detail}
		}
		c.fail(code, fault.Pointer, args...)
	}
	c.timeMs = e.EventTime.UnixMilli()
	if e.ErrorDeclaration != nil {
		wrong := *e
		wrong.ErrorDeclaration = nil
		c.original = c.x.Hash(&wrong)
	}
	c.act, c.sells = actOf(e), sellsOf(e)
	c.goods = c.collect(e.EPCs, "/epcList", e.Quantities, "/quantityList")
	c.children = c.collect(e.ChildEPCs, "/childEPCs", e.ChildQuantities, "/childQuantityList")
	c.inputs = c.collect(e.InputEPCs, "/inputEPCList", e.InputQuantities, "/inputQuantityList")
	c.makes = c.collect(e.OutputEPCs, "/outputEPCList", e.OutputQuantities, "/outputQuantityList")
	if e.ParentID != "" {
		c.parent, _ = c.thing(e.ParentID, "/parentID")
	}
	c.prepareWhere(e)
	c.checkLength(e.EventID, "/eventID")
	c.checkLength(e.TransformationID, "/transformationID")
	if c.lotNumber = e.LotNumber(); len(c.lotNumber) > maxNoteBytes {
		c.lotNumber = ""
	}
	if c.disposition = e.Disposition; len(c.disposition) > maxNoteBytes {
		c.disposition = ""
	}
	c.expiryMs, _ = e.ItemExpirationDate()
}

// maxNoteBytes bounds what is kept of a lot number or disposition; a longer one is in the event only.
const maxNoteBytes = 256

// checkLength refuses identifiers that would make state records without bound.
func (c *preparing) checkLength(id, at string) {
	if len(id) > maxIDBytes {
		c.fail(CodeBadEvent, at, "an identifier has at most "+strconv.Itoa(maxIDBytes)+" bytes on this ledger, this one has "+strconv.Itoa(len(id)))
	}
}

func (c *preparing) prepareWhere(e *epcis.Event) {
	if e.BizLocation != nil {
		c.place = c.canonical(e.BizLocation.ID)
		c.checkLength(c.place, "/bizLocation/id")
	} else if e.ReadPoint != nil {
		c.place = c.canonical(e.ReadPoint.ID)
		c.checkLength(c.place, "/readPoint/id")
	}
	for _, s := range e.Sources {
		if (s.Type == "possessing_party" || s.Type == "owning_party") && c.budget.Take(3, sliceBytes) {
			c.sources = append(c.sources, c.canonical(s.ID))
		}
	}
	for i, d := range e.Destinations {
		if !c.budget.Take(1, 32) {
			return
		}
		p := party{id: c.canonical(d.ID), at: "/destinationList/" + strconv.Itoa(i)}
		c.checkLength(p.id, p.at)
		switch d.Type {
		case "possessing_party":
			c.possessor = p
		case "owning_party":
			c.owner = p
		case "location":
			c.site = p
		}
	}
}

// actOf reads the business step. Departing is a hand-off only if it says to whom: a lorry also departs from one gate
// to the next.
func actOf(e *epcis.Event) act {
	if e.Type == epcis.TransformationEvent || e.Type == epcis.AssociationEvent || e.Action == epcis.ActionDelete {
		return actNone
	}
	switch e.BizStep {
	case "shipping":
		return actShip
	case "departing":
		for _, d := range e.Destinations {
			if d.Type == "possessing_party" || d.Type == "owning_party" {
				return actShip
			}
		}
	case "receiving", "accepting":
		return actReceive
	case "void_shipping":
		return actVoid
	}
	return stockAct(e)
}

// stockAct reads the business steps that change the status or the count of loose stock. What an aggregation names is in
// its container, not loose.
func stockAct(e *epcis.Event) act {
	if e.Type == epcis.AggregationEvent {
		return actNone
	}
	switch e.BizStep {
	case "holding":
		return actHold
	case "stocking", "storing":
		return actRelease
	case "cycle_counting", "stock_taking":
		if e.Type == epcis.ObjectEvent && e.Action == epcis.ActionObserve {
			return actCount
		}
	}
	return actNone
}

// sellsOf reads the business step and the disposition (CBV 2.0, sections 7.1 and 7.2): either says that goods go to who
// uses them up.
func sellsOf(e *epcis.Event) bool {
	return e.BizStep == "retail_selling" || e.BizStep == "dispensing" || e.Disposition == "retail_sold" || e.Disposition == "dispensed"
}

// fail keeps what is wrong, one thing of a kind for a place. What refuses whatever the severity is never left out.
func (c *preparing) fail(code Code, at string, args ...string) {
	for i := range c.faults {
		if c.faults[i].Field == at && c.faults[i].Code == code {
			return
		}
	}
	if (len(c.faults) < maxFlags || code.always()) && c.budget.Take(1, findingRoom) {
		c.faults = append(c.faults, Finding{Code: code, Field: at, Args: args})
	}
}

// collect reads a list of EPCs and one of quantities. A class in a list of EPCs is an unstated quantity of it. A thing
// that is named twice, in whatever spelling, is one; quantities of one lot in one unit are added.
func (c *preparing) collect(epcs []string, epcsAt string, quantities []epcis.Quantity, quantitiesAt string) goods {
	var g goods
	if !c.budget.Take(len(epcs), thingRoom) || !c.budget.Take(len(quantities), amountRoom) {
		return g
	}
	if len(epcs) > 0 {
		g.items = make([]thing, 0, len(epcs))
	}
	if len(quantities) > 0 {
		g.lots = make([]amountOf, 0, len(quantities))
	}
	for i, epc := range epcs {
		if c.budget.Left() < 0 {
			return g
		}
		parsed, err := c.x.ParseOf(epcs, i)
		t, class := c.parsedThing(epc, parsed, err, epcsAt+"/"+strconv.Itoa(i))
		if !class {
			g.items = append(g.items, t)
		} else if c.budget.Take(3, amountRoom) {
			g.add(c, amountOf{thing: t})
		}
	}
	g.items = onceEach(g.items)
	for i, q := range quantities {
		if c.budget.Left() < 0 {
			return g
		}
		t, _ := c.thing(q.Class, quantitiesAt+"/"+strconv.Itoa(i)+"/epcClass")
		a := amountOf{thing: t, unit: canonicalUnit(q.UOM)}
		if q.Quantity != nil {
			a.amount, a.measured = c.amount(q, t.id, quantitiesAt+"/"+strconv.Itoa(i)+"/quantity"), true
		}
		g.add(c, a)
	}
	return g
}

// onceEach leaves out what was named before, in place.
func onceEach(items []thing) []thing {
	if len(items) < 2 {
		return items
	}
	order := make([]int32, len(items))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(strings.Compare(items[a].id, items[b].id), cmp.Compare(a, b)) })
	var again []bool
	for n := 1; n < len(order); n++ {
		if items[order[n]].id == items[order[n-1]].id {
			if again == nil {
				again = make([]bool, len(items))
			}
			again[order[n]] = true
		}
	}
	if again == nil {
		return items
	}
	once := items[:0]
	for i := range items {
		if !again[i] {
			once = append(once, items[i])
		}
	}
	return once
}

// canonical returns the one spelling of an identifier; what does not parse stays as it is.
func (c *preparing) canonical(id string) string {
	parsed, err := c.x.Parse(id)
	if err != nil {
		return id
	}
	return parsed.Canonical()
}

// amount is a stated quantity in the unit in which the ledger counts it.
func (c *preparing) amount(q epcis.Quantity, id, at string) Amount {
	if !countable(*q.Quantity) {
		c.fail(CodeBadQuantity, at, q.Quantity.String(), id)
		return Amount{}
	}
	a, _, ok := counted(*q.Quantity, q.UOM)
	if !ok {
		f := inexact(*q.Quantity, q.UOM, id, at)
		c.fail(f.Code, at, f.Args...)
		return Amount{}
	}
	return a
}

// inexact says that a quantity cannot be counted in the ledger's unit.
func inexact(d epcis.Decimal, uom, id, at string) *Finding {
	base := canonicalUnit(uom)
	if base == "" {
		base = "pieces"
	}
	return refuse(CodeInexactUnit, at, d.String()+" "+uom, id, base, decimal(-minAmountExponent))
}

func (g *goods) add(c *preparing, a amountOf) {
	for i := range g.lots {
		l := &g.lots[i]
		if l.id != a.id || l.unit != a.unit || l.measured != a.measured {
			continue
		}
		sum, ok := l.amount.plus(a.amount)
		if !ok {
			c.fail(CodeBadQuantity, a.at, a.amount.String(), a.id)
		}
		l.amount = sum
		return
	}
	g.lots = append(g.lots, a)
}

// thing reads an identifier and reports whether it names a class.
func (c *preparing) thing(id, at string) (thing, bool) {
	parsed, err := c.x.Parse(id)
	return c.parsedThing(id, parsed, err, at)
}

func (c *preparing) parsedThing(id string, parsed gs1.ID, err error, at string) (thing, bool) {
	if err != nil {
		c.fail(CodeBadIdentifier, at, id, err.Error())
		c.checkLength(id, at)
		return thing{id: id, at: at}, false
	}
	t := thing{id: parsed.Canonical(), digits: parsed.PrefixDigits(), at: at}
	c.checkLength(t.id, at)
	if lot := parsed.Lot(); lot != "" && parsed.IsInstance() {
		if gtin, ok := parsed.GTIN(); ok {
			t.lot = lotID(gtin, lot)
		}
	}
	return t, parsed.IsClass()
}
