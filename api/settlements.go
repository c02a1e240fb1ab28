package api

import (
	"context"

	"waybill/crypto"
	"waybill/epcis"
	"waybill/epcis/trace"
	"waybill/ledger"
)

// settledSource is the index for a mass balance: with what of an event had no effect, and with what disputes moved.
type settledSource struct {
	until
	server  *Server
	read    *itemReader
	shipped map[crypto.Hash]bool // shipments whose disputes were read
}

// Events implements trace.Source.
func (s *settledSource) Events(ctx context.Context, refs []trace.Ref) ([]trace.Recorded, error) {
	list, err := s.until.Events(ctx, refs)
	for i := range list {
		if err := s.idle(ctx, refs[i], &list[i]); err != nil {
			return nil, err
		}
	}
	return list, err
}

// idle adds what the receipt of a receiving says that its author held already.
func (s *settledSource) idle(ctx context.Context, ref trace.Ref, r *trace.Recorded) error {
	if r.Event.BizStep != "receiving" && r.Event.BizStep != "accepting" {
		return nil
	}
	var id crypto.Hash
	if err := id.UnmarshalText([]byte(r.Meta.Tx)); err != nil {
		return err
	}
	tx, err := s.server.cfg.Transactions.Transaction(ctx, id)
	if err != nil || tx.Receipt == nil {
		return err
	}
	for _, f := range tx.Receipt.Flags {
		if f.Code == ledger.CodeAlreadyHeld && f.EventIndex == int32(ref.Event) && len(f.Args) > 0 {
			r.Meta.Idle = append(r.Meta.Idle, f.Args[0])
		}
	}
	return nil
}

// maxSettledEvents bounds the events of one lot whose disputes are looked at, as a balance reads them.
const maxSettledEvents = 100_000

// settlements reads the disputes about the shipments that name the goods.
func (s *settledSource) settlements(ctx context.Context, goods []string) ([]trace.Settlement, error) {
	var out []trace.Settlement
	for _, g := range goods {
		refs, err := trace.EventsOf(ctx, s, trace.Key(g), maxSettledEvents)
		if err != nil {
			return nil, err
		}
		for _, ref := range refs {
			e, meta, err := trace.EventAt(ctx, s.until, ref)
			if err != nil {
				return nil, err
			}
			var event crypto.Hash
			if e.BizStep != "shipping" && e.BizStep != "departing" || event.UnmarshalText([]byte(meta.Hash)) != nil || s.shipped[event] {
				continue
			}
			s.shipped[event] = true
			places, err := s.read.state.List(ctx, ledger.ListShipmentDispute, string(event[:]), nil, maxShipmentDisputes)
			if err != nil {
				return nil, err
			}
			for _, p := range places {
				id, err := placeHash(p)
				if err != nil {
					return nil, err
				}
				d, err := ledger.ReadDispute(s.read.view, id)
				if err != nil {
					return nil, err
				}
				if d != nil {
					out = append(out, settled(d, e)...)
				}
			}
		}
	}
	return out, nil
}

// settled lists what the lines of a dispute gave to somebody or took from him. What was shipped and went back or arrived
// counts for who has it, from the time of that outcome; what is rejected or missing and what is lost was shipped and counts for
// nobody. The places are those of the shipping event.
func settled(d *ledger.DisputeRecord, shipping *epcis.Event) []trace.Settlement {
	from, to := trace.PlacesOf(shipping)
	var out []trace.Settlement
	var ended int64
	book := func(who crypto.Address, id, unit string, amount ledger.Amount, sign int64) {
		q := amount.Decimal()
		q.Coefficient *= sign
		places := to
		if who == d.From {
			places = from
		}
		out = append(out, trace.Settlement{Goods: id, Account: who.String(), Amount: epcis.Measure{Amount: q, UOM: unit}, Places: places, TimeMs: ended})
	}
	for i := range d.Lines {
		l, o := &d.Lines[i], d.Outcomes[i]
		if ended = 0; i < len(d.ResolvedMs) {
			ended = d.ResolvedMs[i]
		}
		if q := d.Goods[i]; q.Lot != "" {
			switch {
			case o == ledger.Credited, o == ledger.Agreed, o == ledger.Returned:
				book(d.From, q.Lot, q.Unit, q.Amount, 1)
			case o == ledger.Delivered, o == ledger.Kept:
				book(d.To, q.Lot, q.Unit, q.Amount, 1)
			}
		}
		if found := arrived(l); o == ledger.Agreed && (!l.Amount.IsZero() || l.Unit != "") {
			book(d.From, found, l.Unit, l.Amount, -1)
			book(d.To, found, l.Unit, l.Amount, 1)
		}
	}
	return out
}

// arrived is what arrived without having been shipped.
func arrived(l *ledger.DisputeLine) string {
	if l.Kind == ledger.Overage {
		return l.ID
	}
	return l.Found
}
