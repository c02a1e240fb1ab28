package ledger

import (
	"slices"

	"waybill/crypto"
)

// What undoing must not do although nothing stands on the event: end a shipment before its receiver's time is over (R7),
// have expired goods under way (R13), and let goods go that are under a notice (R12). An error declaration is not a way
// around what could not be done by ordinary events.

// forbids says why the event is not undone; nil if it may be.
func (u *undoing) forbids() *Finding {
	if f := u.tooSoon(); f != nil {
		return f
	}
	if f := u.shipsAgain(); f != nil || !u.e.noticesOpen() {
		return f
	}
	return u.loosens()
}

// tooSoon keeps a shipment under way as long as its shipper could not void it.
func (u *undoing) tooSoon() *Finding {
	sh, ok := get[Shipment](u.e.o, ShipmentKey(u.e.e.original))
	from := sh.TimeMs + u.e.params.VoidDelayMs
	if !ok || u.e.timeMs >= from {
		return nil
	}
	return finding(CodeUndoneTooSoon, "", decimal(sh.TimeMs), decimal(from)).against(sh.Event, sh.Tx, sh.Height)
}

// shipsAgain is R12 and R13 for a taking back: without it the goods would be under way again, as if they had been shipped when
// it says they were taken back.
func (u *undoing) shipsAgain() *Finding {
	c := u.e.e
	if c.act != actVoid {
		return nil
	}
	g := goods{items: slices.Concat(c.goods.items, c.children.items), lots: slices.Concat(c.goods.lots, c.children.lots)}
	if c.parent.id != "" {
		g.items = append(g.items, c.parent)
	}
	f := u.e.namedNotExpired(&g)
	if f == nil {
		f = u.e.mayLeave(&g, &departure{as: "under way again"})
	}
	switch {
	case f == nil:
		return nil
	case f.Code == CodeTooMuchInside:
		return finding(CodeTooMuchToUndo, f.Field)
	case f.Code.rule() == 13:
		n := len(f.Args) // each of these ends with the thing, its date and the time of the event
		return finding(CodeUndoneExpired, f.Field, f.Args[n-3], f.Args[n-2])
	}
	return finding(CodeUndoneHeld, f.Field).against(crypto.Hash{}, f.Conflict.Tx, f.Conflict.Height)
}

// loosens is mayLoosen for quantities that the event packed: undone, they would be loose.
func (u *undoing) loosens() *Finding {
	var n undoNote
	for u.notes.again(); u.notes.next(&n); {
		if n.kind != noteContents || !n.packs() || u.e.params.Rules.R12 != Reject {
			continue
		}
		s, ok := u.e.standing(n.key)
		if !ok {
			continue
		}
		_, stop, ok := u.e.loosened(&s, u.e.author, u.e.mayWork)
		switch {
		case !ok:
			return finding(CodeTooMuchToUndo, "")
		case stop != nil:
			return finding(CodeUndoneHeld, "").against(crypto.Hash{}, stop.ID, stop.Height)
		}
	}
	return nil
}

// packs reports whether the event put quantities into the container.
func (n *undoNote) packs() bool {
	return slices.ContainsFunc(n.lotCame, func(q PackedAmount) bool {
		at, found := slices.BinarySearchFunc(n.lotLeft, q, comparePacked)
		return !found || n.lotLeft[at].Amount.cmp(q.Amount) < 0 || q.Unmeasured && !n.lotLeft[at].Unmeasured
	})
}

// keepNotices puts things under the notices about the containers and lots that they will not belong to any more: what was
// recalled as part of a pallet or lot stays recalled, whatever its packing or lot number is said to have been.
func (u *undoing) keepNotices() {
	if !u.e.noticesOpen() {
		return
	}
	var n undoNote
	for u.notes.again(); u.notes.next(&n); {
		if n.kind != noteItem || n.mask&(bitAbsent|bitParent|bitLot) == 0 {
			continue
		}
		s, ok := u.e.standing(n.key)
		if !ok {
			continue
		}
		if s.item().Parent != n.item.Parent {
			u.e.overworked = !u.e.keepUnder(&s, u.e.mayWork) || u.e.overworked
		}
		if lot := s.item().Lot; lot != n.item.Lot {
			u.e.overworked = !u.e.takeNotices(n.key, lotHolds(n.key, lot), u.e.mayWork) || u.e.overworked
		}
	}
}

// lotHolds are the holds that an item is under by its lot, not by what it is or is one of.
func lotHolds(id, lot string) []HoldOf {
	return slices.DeleteFunc(HoldsOf(id, lot), func(h HoldOf) bool { return h.Class || h.ID == id })
}
