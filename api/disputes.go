package api

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// DisputeInfo is a receiver's word that a shipment is not what was shipped, and how it was resolved.
type DisputeInfo struct {
	ID       crypto.Hash   `json:"id"`       // of the transaction that opened it
	Shipment crypto.Hash   `json:"shipment"` // the shipping event
	State    string        `json:"state"`    // "open" or "resolved"
	From     Holder        `json:"from"`     // shipper
	To       Holder        `json:"to"`       // receiver, who opened it
	Lines    []DisputeLine `json:"lines"`
	Note     string        `json:"note,omitempty"`
	Document crypto.Hash   `json:"document,omitzero"`
	Since    quorum.Height `json:"since"` // block that it is in
	TimeMs   int64         `json:"timeMs"`
}

// DisputeLine is one exception and its outcome.
type DisputeLine struct {
	Line     int    `json:"line"` // from 0, as a resolution names it
	Kind     string `json:"kind"` // "shortage", "overage", "damage", "wrong_lot", "wrong_product" or "data_missing"
	ID       string `json:"id,omitempty"`
	Quantity string `json:"quantity,omitempty"` // exact decimal; absent for items
	UOM      string `json:"uom,omitempty"`
	In       string `json:"in,omitempty"`    // container that the quantity was packed in
	Found    string `json:"found,omitempty"` // of a wrong lot or product: what arrived instead
	Note     string `json:"note,omitempty"`
	Outcome  string `json:"outcome"` // "open", or what was stated last
	// Open is true while something has to be stated: that a shipper declines what arrived instead does not end a line.
	Open     bool        `json:"open"`
	Resolved crypto.Hash `json:"resolved,omitzero"` // the transaction that stated the outcome
}

// DisputeList is a page of disputes, newest first.
type DisputeList struct {
	Disputes []DisputeInfo `json:"disputes"`
	Next     string        `json:"next,omitempty"` // pass as after; a page may be short, even empty, and have one
	Height   quorum.Height `json:"height"`
}

// DisputeDetail is one dispute.
type DisputeDetail struct {
	DisputeInfo
	Height quorum.Height `json:"height"`
	Proof  *ProofInfo    `json:"proof,omitempty"` // with prove=true, of the stored record
}

func (r *itemReader) dispute(d *ledger.DisputeRecord) DisputeInfo {
	out := DisputeInfo{ID: d.ID, Shipment: d.Shipment, State: "resolved", From: r.named(d.From), To: r.named(d.To), Lines: []DisputeLine{},
		Note: d.Note, Document: d.Document, Since: d.Height, TimeMs: d.TimeMs}
	if d.Open > 0 {
		out.State = "open"
	}
	for i, l := range d.Lines {
		line := DisputeLine{Line: i, Kind: l.Kind.String(), ID: l.ID, UOM: l.Unit, In: l.In, Found: l.Found, Note: l.Note}
		if !l.Amount.IsZero() {
			line.Quantity = l.Amount.String()
		}
		if i < len(d.Goods) && d.Goods[i].Lot != "" {
			line.Quantity, line.UOM = d.Goods[i].Amount.String(), d.Goods[i].Unit // what it took out of the shipment
		}
		if i < len(d.Outcomes) {
			line.Outcome, line.Open = d.Outcomes[i].String(), d.LineOpen(i)
		}
		if i < len(d.Resolved) {
			line.Resolved = d.Resolved[i]
		}
		out.Lines = append(out.Lines, line)
	}
	return out
}

func listDisputes(_ *Server, r *request, read *itemReader) (any, error) {
	state, err := stateParam(r, "open", "resolved")
	if err != nil {
		return nil, err
	}
	party, err := read.partyParam(r, "party")
	if err != nil {
		return nil, err
	}
	var shipment crypto.Hash
	if r.param("shipment") != "" {
		if shipment, err = hashParam(r, "shipment", "a shipment, which is that of its shipping event"); err != nil {
			return nil, err
		}
	}
	l, err := r.lister(disputeList(state == "open" && read.latest, party, shipment))
	if err != nil {
		return nil, err
	}
	out := &DisputeList{Disputes: []DisputeInfo{}, Height: read.state.Height()}
	out.Next, err = l.page(r.Context(), read.state, func(p ledger.Place) (bool, error) {
		id, err := placeHash(p)
		if err != nil {
			return false, err
		}
		d, err := ledger.ReadDispute(read.view, id)
		if err != nil || d == nil || state != "" && (state == "open") != (d.Open > 0) {
			return false, err
		}
		if !party.IsZero() && d.From != party && d.To != party || !shipment.IsZero() && d.Shipment != shipment {
			return false, nil
		}
		out.Disputes = append(out.Disputes, read.dispute(d))
		return true, nil
	})
	return out, err
}

// disputeList chooses the shortest list.
func disputeList(open bool, party crypto.Address, shipment crypto.Hash) (ledger.List, string) {
	switch {
	case !shipment.IsZero():
		return ledger.ListShipmentDispute, string(shipment[:])
	case !party.IsZero() && open:
		return ledger.ListOpenPartyDisp, string(party[:])
	case !party.IsZero():
		return ledger.ListPartyDisputes, string(party[:])
	case open:
		return ledger.ListOpenDisputes, ""
	}
	return ledger.ListDisputes, ""
}

func getDispute(s *Server, r *request, read *itemReader) (any, error) {
	id, err := hashParam(r, "dispute", "a dispute")
	if err != nil {
		return nil, err
	}
	d, err := ledger.ReadDispute(read.view, id)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, problem(ErrNotFound, "there is no dispute %s at height %d", id, read.state.Height()).
			help("A dispute is named by its transaction. GET /v1/disputes lists them.")
	}
	out := &DisputeDetail{DisputeInfo: read.dispute(d), Height: read.state.Height()}
	out.Proof, err = s.prove(r, ledger.DisputeKey(id))
	return out, err
}
