package ledger

// Tally is an amount of goods: things counted, and quantities by lot and unit.
type Tally struct {
	_          struct{} `cbor:",toarray"`
	Items      uint64
	Quantities []PackedAmount // by lot, then unit, ascending
}

// maxTally bounds the quantities of a tally: those of the shipment, and what disputes took out of its containers.
const maxTally = 2 * maxShippedLots

// plus adds a quantity; false if it is beyond what is counted.
func (t *Tally) plus(q PackedAmount) bool {
	sum, ok := addPacked(t.Quantities, q)
	if !ok || len(sum) > maxTally {
		return false
	}
	t.Quantities = sum
	return true
}

// less returns the tally without another one, never below zero.
func (t Tally) less(other *Tally) Tally {
	t.Items -= min(t.Items, other.Items)
	var rest []PackedAmount
	for _, q := range t.Quantities {
		for _, o := range other.Quantities {
			if o.Lot == q.Lot && o.Unit == q.Unit {
				left, ok := q.Amount.minus(o.Amount)
				if !ok {
					left = Amount{}
				}
				q.Amount = left
			}
		}
		rest = append(rest, q)
	}
	t.Quantities = rest
	return t
}

// Accepted is what was received of a shipment: what was shipped less what is under way, rejected, short and taken back.
// Of lots that were shipped unmeasured it says less than was received.
func (s *Shipment) Accepted() Tally {
	under := Tally{Items: s.OpenItems, Quantities: s.Quantities}
	return s.Shipped.less(&under).less(&s.Rejected).less(&s.Short).less(&s.Void)
}

// settle makes the state of a shipment follow from what is open and in dispute.
func (s *Shipment) settle() {
	under := s.OpenItems > 0 || len(s.Quantities) > 0
	switch {
	case s.OpenLines > 0:
		s.State = ShipmentDisputed
	case under:
		s.State = ShipmentOpen
	case s.State != ShipmentVoid:
		s.State = ShipmentClosed
	}
}
