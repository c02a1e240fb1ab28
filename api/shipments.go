package api

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/epcis/gs1"
	"waybill/epcis/query"
	"waybill/ledger"
)

// ShipmentEntry is goods under way, or that were.
type ShipmentEntry struct {
	ShipmentInfo
	Owner      *Holder        `json:"owner,omitempty"` // who owns the goods when received, where the shipment changes that
	OpenItems  uint64         `json:"openItems"`       // not received yet
	Quantities []PackedAmount `json:"quantities"`      // not received yet
}

// ShipmentList is a page of shipments, newest first.
type ShipmentList struct {
	Shipments []ShipmentEntry `json:"shipments"`
	Next      string          `json:"next,omitempty"` // pass as after; a page may be short, even empty, and have one
	Height    quorum.Height   `json:"height"`
}

// ShipmentDetail is one shipment with what it is of.
type ShipmentDetail struct {
	ShipmentEntry
	Items     []string      `json:"items"`    // not received yet, as far as the shipping event names them
	Disputes  []DisputeInfo `json:"disputes"` // about it, newest first; at most 100
	Truncated bool          `json:"truncated,omitempty"`
	At        quorum.Height `json:"asOf"`            // block after which this holds; height is that of the shipping event
	Proof     *ProofInfo    `json:"proof,omitempty"` // with prove=true, of the stored record
}

func (r *itemReader) shipmentEntry(s *ledger.Shipment) ShipmentEntry {
	return ShipmentEntry{
		ShipmentInfo: ShipmentInfo{Event: s.Event, From: r.holder(s.From), To: r.holder(s.To), Party: s.Party, Height: s.Height, TimeMs: s.TimeMs, State: s.State.String()},
		Owner:        r.holder(s.Owner), OpenItems: s.OpenItems, Quantities: packed(s.Quantities),
	}
}

func listShipments(_ *Server, r *request, read *itemReader) (any, error) {
	state, err := stateParam(r, "open", "closed", "void", "disputed")
	if err != nil {
		return nil, err
	}
	from, err := read.partyParam(r, "from")
	if err != nil {
		return nil, err
	}
	to, toParty, err := read.receiverParam(r)
	if err != nil {
		return nil, err
	}
	if from.IsZero() && to.IsZero() && toParty == "" {
		return nil, problem(ErrBadRequest, "say whose shipments").want("from=PARTY or to=PARTY, an address, name or identifier", "nothing")
	}
	open := read.latest && (state == "open" || state == "disputed")
	l, err := r.lister(shipmentList(open, from, to, toParty))
	if err != nil {
		return nil, err
	}
	out := &ShipmentList{Shipments: []ShipmentEntry{}, Height: read.state.Height()}
	out.Next, err = l.page(r.Context(), read.state, func(p ledger.Place) (bool, error) {
		id, err := placeHash(p)
		if err != nil {
			return false, err
		}
		s, err := ledger.ReadShipment(read.view, id)
		switch {
		case err != nil || s == nil:
			return false, err
		case state != "" && s.State.String() != state, !from.IsZero() && s.From != from, !to.IsZero() && s.To != to,
			toParty != "" && (!s.To.IsZero() || s.Party != toParty):
			return false, nil
		}
		out.Shipments = append(out.Shipments, read.shipmentEntry(s))
		return true, nil
	})
	return out, err
}

// receiverParam reads ?to=: a party on the ledger, or the identifier of one that is not.
func (r *itemReader) receiverParam(req *request) (crypto.Address, string, error) {
	text := req.param("to")
	if text == "" {
		return crypto.Address{}, "", nil
	}
	a, err := r.party(text, "to")
	if err == nil {
		return a, "", nil
	}
	id, parseErr := gs1.Parse(text)
	if parseErr != nil {
		return a, "", err
	}
	return crypto.Address{}, id.Canonical(), nil
}

func shipmentList(open bool, from, to crypto.Address, toParty string) (ledger.List, string) {
	scope, lists := string(to[:]), [2]ledger.List{ledger.ListInbound, ledger.ListOpenInbound}
	switch {
	case toParty != "":
		scope = toParty
	case to.IsZero():
		scope, lists = string(from[:]), [2]ledger.List{ledger.ListOutbound, ledger.ListOpenOutbound}
	}
	if open {
		return lists[1], scope
	}
	return lists[0], scope
}

// maxShipmentDisputes bounds the disputes shown with a shipment.
const maxShipmentDisputes = 100

func getShipment(s *Server, r *request, read *itemReader) (any, error) {
	id, err := hashParam(r, "shipment", "a shipment, which is that of its shipping event")
	if err != nil {
		return nil, err
	}
	sh, err := ledger.ReadShipment(read.view, id)
	if err != nil {
		return nil, err
	}
	if sh == nil {
		return nil, problem(ErrNotFound, "there is no shipment %s at height %d", id, read.state.Height()).
			help("A shipment is named by its shipping event. GET /v1/shipments?to=PARTY lists what is under way to somebody.")
	}
	out := &ShipmentDetail{ShipmentEntry: read.shipmentEntry(sh), Items: []string{}, Disputes: []DisputeInfo{}, At: read.state.Height()}
	if err := s.shippedItems(r, read, out); err != nil {
		return nil, err
	}
	places, err := read.state.List(r.Context(), ledger.ListShipmentDispute, string(id[:]), nil, maxShipmentDisputes)
	if err != nil {
		return nil, err
	}
	for _, p := range places {
		dispute, err := placeHash(p)
		if err != nil {
			return nil, err
		}
		d, err := ledger.ReadDispute(read.view, dispute)
		if err != nil {
			return nil, err
		}
		if d != nil {
			out.Disputes = append(out.Disputes, read.dispute(d))
		}
	}
	out.Proof, err = s.prove(r, ledger.ShipmentKey(id))
	return out, err
}

// shippedItems lists what the shipping event names and is still under way by it.
func (s *Server) shippedItems(r *request, read *itemReader, out *ShipmentDetail) error {
	event, err := s.eventOf(r, out.Event)
	if err != nil || event == nil {
		out.Truncated = event == nil && out.OpenItems > 0
		return err
	}
	seen := map[string]bool{}
	for _, list := range [][]string{{event.ParentID}, event.EPCs, event.ChildEPCs} {
		for _, text := range list {
			id, err := gs1.ParseLenient(text)
			if text == "" || err != nil || seen[id.Canonical()] {
				continue
			}
			name := id.Canonical()
			seen[name] = true
			item, err := ledger.ReadItemRecord(read.view, name)
			if err != nil {
				return err
			}
			if item != nil && item.State == ledger.StateInTransit && item.Shipment == out.Event {
				out.Items = append(out.Items, name)
			}
		}
	}
	return nil
}

// eventOf finds a recorded event by its hash; nil: it is not indexed here.
func (s *Server) eventOf(r *request, hash crypto.Hash) (*epcis.Event, error) {
	q := query.New()
	q.Hashes, q.PerPage = []string{hash.String()}, 1
	page, err := s.cfg.Events.Find(r.Context(), q)
	if err != nil || len(page.Events) == 0 {
		return nil, err
	}
	return page.Events[0].Event, nil
}
