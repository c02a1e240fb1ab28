package api

import (
	"cmp"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// Single things in a scope.

// standing is where a thing is, as inherited from what it is packed in.
type standing struct {
	item *ledger.Item // as ReadItem gives it
	root *ledger.Item // the outermost container, or the item itself
}

// standing reads a thing with what it is packed in; nil if it is not on the ledger.
func (sc *scoper) standing(id string) (*standing, error) {
	if s, ok := sc.carriers[id]; ok {
		return s, nil
	}
	record, err := ledger.ReadItemRecord(sc.view, id)
	if err != nil || record == nil {
		return nil, err
	}
	s := &standing{item: record, root: record}
	if record.Parent != "" {
		above, err := sc.standing(record.Parent)
		if err != nil {
			return nil, err
		}
		if s.item, err = ledger.ReadItem(sc.view, id); err != nil {
			return nil, err
		}
		if above != nil {
			s.root = above.root
		}
	}
	sc.carriers[id] = s
	return s, nil
}

// item says where one thing is.
func (sc *scoper) item(n *trace.Node, s *standing) error {
	i := s.item
	status := itemStatus(i)
	if status == scopeDestroyed && slices.ContainsFunc(n.Holdings, func(h trace.Holding) bool { return h.Status == trace.StatusSold }) {
		status = scopeSold // a sale may be the end of a thing on the ledger
	}
	e := ScopeEntry{Item: n.ID, Product: n.Class, Lot: i.Lot, Status: status, Holder: sc.holder(i.Custodian), Place: i.Place, Carrier: i.Parent}
	sc.since(&e, s.root.LastEvent, s.root.LastHeight)
	switch e.Status {
	case scopeInTransit, scopeDisputed:
		sc.underWay(&e, i.Shipment)
	case scopeConsumed:
		e.Carrier = ""
		sc.since(&e, i.LastEvent, i.LastHeight)
		if i.Used > 0 {
			edge, err := ledger.ReadUsed(sc.view, n.ID, i.Used-1)
			if err != nil {
				return err
			}
			if e.MadeInto, err = sc.madeInto(edge); err != nil {
				return err
			}
		}
	case scopeSold, scopeDestroyed:
		sc.since(&e, i.LastEvent, i.LastHeight)
		for _, h := range n.Holdings { // selling moves nothing: the events say when
			if string(h.Status) == e.Status {
				e.SinceMs = h.TimeMs
			}
		}
	}
	sc.add(e)
	return sc.err
}

// itemStatus says what became of a thing.
func itemStatus(i *ledger.Item) string {
	switch i.State {
	case ledger.StateInTransit:
		return scopeInTransit
	case ledger.StateConsumed:
		return scopeConsumed
	case ledger.StateDecommissioned, ledger.StateDestroyed:
		return scopeDestroyed
	case ledger.StateObserved:
		return scopeUnknown
	case ledger.StateDisputed:
		return scopeDisputed
	case ledger.StateRejected:
		return scopeHeld
	case ledger.StateLost:
		return scopeLost
	}
	switch i.Disposition {
	case "retail_sold", "dispensed":
		return scopeSold
	}
	return scopeOnHand
}

func (sc *scoper) since(e *ScopeEntry, event crypto.Hash, height quorum.Height) {
	e.Since = height
	if known := sc.events[event.String()]; known != nil {
		e.SinceMs = known.TimeMs
	}
}

// underWay fills in the two ends of a shipment.
func (sc *scoper) underWay(e *ScopeEntry, event crypto.Hash) {
	sh, err := ledger.ReadShipment(sc.view, event)
	if err != nil || sh == nil {
		sc.err = cmp.Or(sc.err, err)
		return
	}
	e.Shipment, e.Holder, e.To = event, sc.holder(sh.From), sc.holder(sh.To)
	if sh.To.IsZero() {
		e.Party = sh.Party
	}
	e.Since = sh.Height
	if known := sc.events[event.String()]; known != nil {
		e.SinceMs = known.TimeMs
	}
}

// madeInto lists what a transformation made.
func (sc *scoper) madeInto(edge *ledger.Edge) ([]string, error) {
	if edge == nil {
		return nil, nil
	}
	if out, ok := sc.links[edge.Link]; ok {
		return out, nil
	}
	link, err := ledger.ReadLink(sc.view, edge.Link)
	if err != nil || link == nil {
		return nil, err
	}
	sc.links[edge.Link] = link.Outputs
	return link.Outputs, nil
}
