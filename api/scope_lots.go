package api

import (
	"fmt"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/epcis/trace"
	"waybill/epcis/unit"
	"waybill/ledger"
)

// lotScope gathers the parts of one lot.
type lotScope struct {
	*scoper
	node *trace.Node
	lot  *ledger.Lot

	made     map[string]*sum // by unit
	there    map[string]*sum
	unclear  map[string]bool // units with amounts that nobody stated
	shipment map[crypto.Hash]bool
}

// lotParts says where the parts of a lot are: loose with a custodian, packed, under way, disputed, used up; and, where only
// the events know, sold or destroyed.
func (sc *scoper) lotParts(n *trace.Node, lot *ledger.Lot) error {
	l := &lotScope{scoper: sc, node: n, lot: lot, made: map[string]*sum{}, there: map[string]*sum{}, unclear: map[string]bool{}, shipment: map[crypto.Hash]bool{}}
	before := len(sc.out.Entries)
	for _, step := range []func() error{l.gone, l.loose, l.packed, l.underWay, l.disputed, l.usedUp, l.born} {
		if err := step(); err != nil {
			return err
		}
	}
	if sc.err != nil {
		return sc.err
	}
	for _, e := range sc.out.Entries[before:] {
		l.count(l.there, e.UOM, e.Quantity, 1)
		if e.Unmeasured {
			l.unclear[e.UOM] = true
		}
	}
	l.balance()
	return nil
}

func (l *lotScope) count(sums map[string]*sum, uom, quantity string, sign int) {
	if quantity != "" {
		quantity, uom = inBase(quantity, uom)
	}
	if sums[uom] == nil {
		sums[uom] = &sum{}
	}
	sums[uom].add(quantity, sign)
}

// inBase gives a quantity in the unit that the ledger counts it in; one that cannot be converted stays as it is.
func inBase(quantity, uom string) (string, string) {
	d, err := epcis.ParseDecimal(quantity)
	if dimension := unit.DimensionOf(uom); err == nil && dimension != unit.None {
		if m, err := (epcis.Measure{Amount: d, UOM: uom}).In(dimension.Base()); err == nil {
			return m.Amount.String(), m.UOM
		}
	}
	return quantity, uom
}

func (l *lotScope) part(status, unit string, amount ledger.Amount, unmeasured bool) ScopeEntry {
	return ScopeEntry{Item: l.node.ID, Product: l.node.Class, Lot: l.node.ID, Status: status, Quantity: amount.String(), UOM: unit, Unmeasured: unmeasured}
}

// gone lists what was sold or destroyed, which the ledger keeps no balance of.
func (l *lotScope) gone() error {
	for _, h := range l.node.Holdings {
		status := string(h.Status)
		if h.Status != trace.StatusSold && h.Status != trace.StatusDestroyed {
			continue
		}
		amount, uom := inBase(h.Quantity, h.UOM)
		e := ScopeEntry{Item: l.node.ID, Product: l.node.Class, Lot: l.node.ID, Status: status, Quantity: amount, UOM: uom, Unmeasured: amount == "",
			Place: h.Place, SinceMs: h.TimeMs, ByEvents: true}
		event := l.graph.Events[h.Event]
		e.debited = event.Action == string(epcis.ActionDelete)
		e.Since = quorum.Height(event.Ref.Height)
		if a, err := crypto.ParseAddress(event.Author); err == nil {
			e.Holder = l.holder(a)
		}
		l.add(e)
	}
	return l.err
}

// loose lists the balances, less what their custodians sold of them: a sale that deletes nothing leaves the balance as it is.
func (l *lotScope) loose() error {
	keys, err := l.state.Keys(l.ctx, ledger.LotBalances(l.lot.ID), nil, maxLotHolders+1)
	if err != nil {
		return err
	}
	if len(keys) > maxLotHolders {
		keys = keys[:maxLotHolders]
		l.cut("more than %d balances of %s: the rest is left out", maxLotHolders, l.lot.ID)
	}
	for _, key := range keys {
		at, b, err := ledger.ReadBalanceAt(l.view, key)
		if err != nil {
			return err
		}
		if b == nil || b.Amount.IsZero() && !b.Unmeasured {
			continue
		}
		e := l.part(scopeOnHand, at.Unit, b.Amount, b.Unmeasured)
		if at.Status == ledger.Held {
			e.Status = scopeHeld
		}
		e.Holder = l.holder(at.Custodian)
		l.lastArrival(&e, at.Custodian)
		if e.Status == scopeOnHand && !l.lessSold(&e, at.Custodian) {
			continue
		}
		l.add(e)
	}
	return l.err
}

// lessSold takes what the custodian sold off a balance; false if nothing is left.
func (l *lotScope) lessSold(e *ScopeEntry, custodian crypto.Address) bool {
	left := &sum{}
	left.add(e.Quantity, 1)
	for _, o := range l.out.Entries {
		if o.Item == e.Item && o.Status == scopeSold && !o.debited && o.UOM == e.UOM && o.Holder != nil && o.Holder.Address == custodian {
			left.add(o.Quantity, -1)
		}
	}
	if left.lost {
		return true
	}
	if left.total.Sign() <= 0 && !e.Unmeasured {
		return false
	}
	e.Quantity = left.total.String()
	return true
}

// lastArrival says since when a custodian has some of the lot: since its last event that brought it some.
func (l *lotScope) lastArrival(e *ScopeEntry, custodian crypto.Address) {
	author := custodian.String()
	for _, v := range l.node.Events {
		event := &l.graph.Events[v.Event]
		if event.Author != author {
			continue
		}
		arrives := event.Type == epcis.TransformationEvent.String() || event.Action == string(epcis.ActionAdd) ||
			slices.Contains([]string{"receiving", "accepting", "arriving", "unpacking", "void_shipping"}, event.BizStep)
		if arrives || e.Since == 0 {
			e.SinceMs, e.Since = event.TimeMs, quorum.Height(event.Ref.Height)
		}
		if event.BizLocation != "" {
			e.Place = event.BizLocation
		} else if event.ReadPoint != "" && e.Place == "" {
			e.Place = event.ReadPoint
		}
	}
}

// packed lists what is in containers: those that the events say carried some of it.
func (l *lotScope) packed() error {
	seen := map[string]bool{}
	for i := range l.graph.Edges {
		edge := &l.graph.Edges[i]
		if edge.Kind != trace.EdgePacked || edge.From != l.node.ID || seen[edge.To] {
			continue
		}
		seen[edge.To] = true
		contents, err := ledger.ReadContents(l.view, edge.To)
		if err != nil {
			return err
		}
		if contents == nil {
			continue
		}
		for _, q := range contents.Quantities {
			if q.Lot != l.lot.ID {
				continue
			}
			s, err := l.standing(edge.To)
			if err != nil || s == nil {
				return err
			}
			e := l.part(itemStatus(s.item), q.Unit, q.Amount, q.Unmeasured)
			e.Carrier, e.Holder, e.Place = edge.To, l.holder(s.item.Custodian), s.item.Place
			l.since(&e, s.root.LastEvent, s.root.LastHeight)
			if e.Status == scopeInTransit {
				l.scoper.underWay(&e, s.item.Shipment)
			}
			l.add(e)
		}
	}
	return l.err
}

// underWay lists what was shipped loose and not received.
func (l *lotScope) underWay() error {
	keys, err := l.state.Keys(l.ctx, ledger.LotTransits(l.lot.ID), nil, maxLotHolders+1)
	if err != nil {
		return err
	}
	if len(keys) > maxLotHolders {
		keys = keys[:maxLotHolders]
		l.cut("%s is under way between more than %d pairs of companies: the rest is left out", l.lot.ID, maxLotHolders)
	}
	for _, key := range keys {
		at, transit, err := ledger.ReadTransitAt(l.view, key)
		if err != nil {
			return err
		}
		if transit == nil {
			continue
		}
		for _, event := range transit.Shipments {
			if err := l.shipped(event, at.Unit); err != nil {
				return err
			}
		}
	}
	return l.err
}

// shipped lists what is open of the lot in one shipment.
func (l *lotScope) shipped(event crypto.Hash, unit string) error {
	l.shipment[event] = true
	sh, err := ledger.ReadShipment(l.view, event)
	if err != nil {
		return err
	}
	if sh == nil {
		return fmt.Errorf("shipment %s of %s is not there", event, l.lot.ID)
	}
	for _, q := range sh.Quantities {
		if q.Lot != l.lot.ID || q.Unit != unit {
			continue
		}
		e := l.part(scopeInTransit, q.Unit, q.Amount, q.Unmeasured)
		l.scoper.underWay(&e, event)
		l.add(e)
	}
	return nil
}

// disputed lists what receivers rejected, or said is short or something else, and nobody has answered yet, what was said to
// be lost, and what was rejected and destroyed: all that is in no balance.
func (l *lotScope) disputed() error {
	for _, v := range l.node.Events {
		var event crypto.Hash
		if err := event.UnmarshalText([]byte(l.graph.Events[v.Event].Hash)); err == nil && slices.Contains([]string{"shipping", "departing"}, l.graph.Events[v.Event].BizStep) {
			l.shipment[event] = true
		}
	}
	shipments := make([]crypto.Hash, 0, len(l.shipment))
	for event := range l.shipment {
		shipments = append(shipments, event)
	}
	slices.SortFunc(shipments, func(a, b crypto.Hash) int { return slices.Compare(a[:], b[:]) })
	for _, event := range shipments {
		places, err := l.state.List(l.ctx, ledger.ListShipmentDispute, string(event[:]), nil, maxShipmentDisputes)
		if err != nil {
			return err
		}
		for _, p := range places {
			if err := l.disputedLines(p); err != nil {
				return err
			}
		}
	}
	return l.err
}

func (l *lotScope) disputedLines(p ledger.Place) error {
	id, err := placeHash(p)
	if err != nil {
		return err
	}
	d, err := ledger.ReadDispute(l.view, id)
	if err != nil || d == nil {
		return err
	}
	for i, q := range d.Goods {
		status := lineStatus(d, i)
		if q.Lot != l.lot.ID || status == "" {
			continue
		}
		e := l.part(status, q.Unit, q.Amount, q.Unmeasured)
		e.Holder, e.Shipment, e.Since, e.SinceMs = l.holder(d.From), d.Shipment, d.Height, d.TimeMs
		switch status {
		case scopeDisputed:
			e.To = l.holder(d.To)
		case scopeDestroyed, scopeHeld:
			e.Holder = l.holder(d.To)
		}
		l.add(e)
	}
	return nil
}

// lineStatus says where the goods of a line are that stand in nobody's balance; "" if they do.
func lineStatus(d *ledger.DisputeRecord, i int) string {
	if i >= len(d.Outcomes) || i >= len(d.Lines) {
		return ""
	}
	kind := d.Lines[i].Kind
	short := kind == ledger.Shortage || kind == ledger.WrongLot || kind == ledger.WrongProduct
	switch {
	case d.LineOpen(i) && short:
		return scopeDisputed
	case d.LineOpen(i) && kind == ledger.Damage:
		return scopeHeld // rejected: in the receiver's hands and not the receiver's to use
	case d.Outcomes[i] == ledger.Lost:
		return scopeLost
	case d.Outcomes[i] == ledger.Destroyed:
		return scopeDestroyed
	}
	return ""
}

// usedUp lists what became something else.
func (l *lotScope) usedUp() error {
	for n := range min(l.lot.Used, maxLotMoves) {
		edge, err := ledger.ReadUsed(l.view, l.lot.ID, n)
		if err != nil || edge == nil {
			return err
		}
		e := l.part(scopeConsumed, edge.Unit, edge.Amount, edge.Amount.IsZero())
		if e.MadeInto, err = l.madeInto(edge); err != nil {
			return err
		}
		l.since(&e, edge.Event, edge.Height)
		if known := l.events[edge.Event.String()]; known != nil {
			if a, err := crypto.ParseAddress(known.Author); err == nil {
				e.Holder = l.holder(a)
			}
			e.Place = known.BizLocation
		}
		l.add(e)
	}
	if l.lot.Used > maxLotMoves {
		l.cut("%s went into %d transformations: those after the first %d are left out", l.lot.ID, l.lot.Used, maxLotMoves)
	}
	return l.err
}

// born adds up what was made of the lot: out of transformations as the ledger counts it, and commissioned.
func (l *lotScope) born() error {
	for n := range min(l.lot.Made, maxLotMoves) {
		edge, err := ledger.ReadMade(l.view, l.lot.ID, n)
		if err != nil || edge == nil {
			return err
		}
		l.count(l.made, edge.Unit, edge.Amount.String(), 1)
		if edge.Amount.IsZero() {
			l.unclear[edge.Unit] = true
		}
	}
	for _, v := range l.node.Events {
		event := &l.graph.Events[v.Event]
		if v.Via != "" || event.Type != epcis.ObjectEvent.String() || event.Action != string(epcis.ActionAdd) {
			continue
		}
		full, _, err := trace.EventAt(l.ctx, l.server.cfg.Trace, event.Ref)
		if err != nil {
			return err
		}
		for _, q := range full.Quantities {
			if trace.Key(q.Class) != l.node.ID {
				continue
			}
			if q.Quantity == nil {
				l.unclear[q.UOM] = true
				continue
			}
			l.count(l.made, q.UOM, q.Quantity.String(), 1)
		}
	}
	return nil
}

// balance reports what was made and is nowhere. Where amounts were not stated, or the lot was there before the ledger,
// nothing can be said.
func (l *lotScope) balance() {
	if l.lot.Flags&ledger.FlagUnverified != 0 {
		return
	}
	for _, unit := range l.lot.Units {
		made, there := l.made[unit], l.there[unit]
		if l.unclear[unit] || made == nil || made.lost || there != nil && there.lost {
			continue
		}
		if there == nil {
			there = &sum{}
		}
		missing, err := made.total.Sub(there.total)
		if err != nil || missing.IsZero() {
			continue
		}
		l.out.Missing = append(l.out.Missing, ScopeMissing{Lot: l.lot.ID, UOM: unit, Made: made.total.String(), Accounted: there.total.String(), Missing: missing.String()})
	}
}
