package provenance

import (
	"slices"

	"waybill/crypto"
	"waybill/epcis/gs1"
	"waybill/ledger"
)

// What the walk reads besides histories: where the subject is now, who is behind the addresses, and master data.

// readSubject reads where the subject is now.
func (w *walk) readSubject() error {
	n := w.nodes[0]
	if n.item == nil {
		return nil
	}
	var err error
	if w.item, err = ledger.ReadItem(w.view, n.id); err != nil {
		return missing(ErrGenealogy, err, "what %s is packed in", n.id)
	}
	if err := w.readOuter(n); err != nil {
		return err
	}
	if w.item.Shipment.IsZero() {
		return nil
	}
	if w.under, err = ledger.ReadShipment(w.view, w.item.Shipment); err != nil {
		return missing(ErrGenealogy, err, "the shipment of %s", n.id)
	}
	return nil
}

// readOuter reads the notices over what the subject is packed in now, also where the history of that is cut: the contents
// of a pallet under a notice are under it (R12).
func (w *walk) readOuter(subject *node) error {
	for id := subject.item.Parent; id != ""; {
		box := w.known[name{id: id}]
		if box == nil {
			item, err := ledger.ReadItemRecord(w.view, id)
			if err != nil || item == nil {
				return missing(ErrGenealogy, err, "what %s is packed in", subject.id)
			}
			box = &node{name: name{id: id}, item: item}
		}
		if err := w.readHolds(box); err != nil {
			return err
		}
		w.outer, id = append(w.outer, box), box.item.Parent
	}
	return nil
}

// readOrganisations reads who is behind the addresses of the report.
func (w *walk) readOrganisations() error {
	for _, a := range w.addresses() {
		org, err := ledger.ReadOrganisation(w.view, a)
		if err != nil {
			return missing(ErrGenealogy, err, "the organisation of %s", a)
		}
		w.orgs[a] = org
	}
	return nil
}

// addresses lists everybody who is named in the report, in order.
func (w *walk) addresses() []crypto.Address {
	var out []crypto.Address
	for _, n := range w.nodes {
		if n.item != nil {
			out = append(out, n.item.BornBy, n.item.Custodian, n.item.Owner)
		} else {
			out = append(out, n.batch.BornBy)
		}
		for _, e := range n.events {
			out = append(out, e.rec.Author)
		}
	}
	for _, r := range w.notices {
		out = append(append(out, r.Issuer), r.Accepts...)
	}
	if w.item != nil {
		out = append(out, w.item.Custodian, w.item.Owner)
	}
	if w.under != nil {
		out = append(out, w.under.From, w.under.To)
	}
	slices.SortFunc(out, func(a, b crypto.Address) int { return slices.Compare(a[:], b[:]) })
	out = slices.Compact(out)
	return slices.DeleteFunc(out, crypto.Address.IsZero)
}

// readMasterData reads what was recorded about the products and places of the history.
func (w *walk) readMasterData() error {
	w.master = map[string]*ledger.MasterData{}
	for _, n := range w.nodes {
		for _, id := range n.products() {
			if err := w.readMaster("product", id); err != nil {
				return err
			}
		}
	}
	for _, n := range w.nodes {
		for _, e := range n.events {
			if id := placeOf(e.rec.Event); id != "" {
				if err := w.readMaster("location", ledger.CanonicalID(id)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// products are the names under which a thing, or the product that it is one of, may be described.
func (n *node) products() []string {
	if n.role == roleContainer {
		return nil
	}
	parsed, err := gs1.Parse(n.id)
	if class := parsed.Class(); err == nil && !class.IsZero() && class.Canonical() != n.id {
		return []string{n.id, class.Canonical()}
	}
	return []string{n.id}
}

func (w *walk) readMaster(typ, id string) error {
	if _, done := w.master[id]; done {
		return nil
	}
	m, err := ledger.ReadMasterData(w.view, typ, id)
	w.master[id] = m
	return missing(ErrState, err, "what was recorded about %s", id)
}
