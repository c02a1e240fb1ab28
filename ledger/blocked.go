package ledger

import (
	"waybill/crypto"
	"waybill/epcis/gs1"
)

// What stops goods from being shipped and sold: notices (R12) and expiry dates (R13). Both look at what an event names and at
// everything packed in it; the one while any notice is open, the other if something inside may have expired. Somebody could
// ship a full container to and fro all day, so a block looks at so many things: see work.go.

// departure is goods about to leave: shipped to somebody, or sold.
type departure struct {
	to    crypto.Address // receiver; zero: sold, or nobody on the ledger
	owner crypto.Address // who is to own them; zero: unchanged
	as    string         // how findings say it
	sold  bool

	notices bool // notices are open, so look for them
}

// goesTo reports whether a notice lets the goods go: to its issuer or who it says accepts them, and not into the ownership
// of anybody else.
func (e *eventRun) goesTo(d *departure, rec *NoticeRecord) bool {
	return !d.sold && rec.takes(d.to) && (d.owner.IsZero() || d.owner == e.author || rec.takes(d.owner))
}

// mayShip is R12 for goods that the event has shipped to a receiver, and R13 for what is packed in them.
func (e *eventRun) mayShip(g *goods, r *receiver) *Finding {
	d := departure{to: r.to, owner: r.owner, as: "shipped to "}
	switch {
	case !r.to.IsZero():
		d.as += e.orgName(r.to)
	case r.party.id != "":
		d.as += r.party.id
	default:
		d.as += "nobody in particular"
	}
	if !r.owner.IsZero() && r.owner != r.to {
		d.as += " to be " + e.orgName(r.owner) + "'s"
	}
	return e.mayLeave(g, &d)
}

// maySell is R12 and R13 for goods that the event sells or dispenses. Whoever says so: a sale has no receiver who would
// have to agree.
func (e *eventRun) maySell() *Finding {
	var g goods
	if e.e.parent.id != "" {
		g.items = append(g.items, e.e.parent)
	}
	for _, from := range []*goods{&e.e.goods, &e.e.children, &e.e.inputs} {
		g.items = append(g.items, from.items...)
		g.lots = append(g.lots, from.lots...)
	}
	if f := e.namedNotExpired(&g); f != nil {
		return f
	}
	return e.mayLeave(&g, &departure{as: "sold", sold: true})
}

// namedNotExpired is R13 for what the event names, itself or by the lot that it is of.
func (e *eventRun) namedNotExpired(g *goods) *Finding {
	for _, t := range g.items {
		item, _ := get[Item](e.o, e.o.itemKey(t.id))
		if f := e.notExpired(t.id, e.expiryOf(&item), t.at, ""); f != nil {
			return f
		}
	}
	for i := range g.lots {
		lot, _ := get[Lot](e.o, LotKey(g.lots[i].id))
		if f := e.notExpired(lot.ID, lot.ExpiryMs, g.lots[i].at, ""); f != nil {
			return f
		}
	}
	return nil
}

// expiryOf is the date of an item, else that of its lot, in ms since the Unix epoch; 0: none known.
func (b *blockRun) expiryOf(item *Item) int64 {
	if item.ExpiryMs != 0 || item.Lot == "" {
		return item.ExpiryMs
	}
	lot, _ := get[Lot](b.o, LotKey(item.Lot))
	return lot.ExpiryMs
}

// notExpired is R13 for a thing that the event ships or sells, or that is packed in one ("inside").
func (e *eventRun) notExpired(id string, expiryMs int64, at, inside string) *Finding {
	switch {
	case expiryMs == 0 || expiryMs >= e.e.timeMs:
		return nil
	case inside != "":
		return e.judge(finding(CodeExpiredInside, at, inside, id, decimal(expiryMs), decimal(e.e.timeMs)))
	case e.e.sells:
		return e.judge(finding(CodeExpiredSold, at, id, decimal(expiryMs), decimal(e.e.timeMs)))
	}
	return e.judge(finding(CodePastExpiry, at, id, decimal(expiryMs), decimal(e.e.timeMs)))
}

// mayLeave looks for notices that block what the event names, then for notices and expired goods inside.
func (e *eventRun) mayLeave(g *goods, d *departure) *Finding {
	d.notices = e.params.Rules.R12 != Off && e.noticesOpen()
	if d.notices {
		if f := e.namedMayLeave(g, d); f != nil {
			return f
		}
		if e.overworked {
			return nil // the event is refused for that
		}
	}
	seen := map[string]bool{}
	for _, t := range g.items {
		if item := peek[Item](e.o, e.o.itemKey(t.id)); d.notices || item != nil && e.expiredInside(item) {
			if f := e.insideMayLeave(t, d, seen); f != nil {
				return f
			}
		}
	}
	return nil
}

// namedMayLeave looks at what the event names and what that is packed in. What is on a list of notices is work beyond the few that
// goods usually are under: a name of forty bytes may stand for thousands.
func (e *eventRun) namedMayLeave(g *goods, d *departure) *Finding {
	for _, t := range g.items {
		if f := e.notBlocked(e.holdsOf(t), d, t.id, t.at, ""); f != nil {
			return f
		}
		if f := e.notBlockedOutside(t, d); f != nil {
			return f
		}
	}
	for i := range g.lots {
		l := &g.lots[i]
		if f := e.notBlocked(HoldsOf(l.id, ""), d, l.id, l.at, ""); f != nil {
			return f
		}
	}
	return nil
}

// expiredInside reports whether it is worth looking for expired goods in an item.
func (e *eventRun) expiredInside(item *Item) bool {
	return e.params.Rules.R13 != Off && item.InsideExpiryMs != 0 && item.InsideExpiryMs < e.e.timeMs
}

// holdsOf lists whose holds an item is under. The lot that the event spells beside the serial counts too.
func (e *eventRun) holdsOf(t thing) []HoldOf {
	item, ok := get[Item](e.o, e.o.itemKey(t.id))
	if !ok || item.Lot == "" {
		return HoldsOf(t.id, t.lot)
	}
	holds := HoldsOf(t.id, item.Lot)
	if t.lot != "" && t.lot != item.Lot {
		holds = addHold(holds, HoldOf{ID: t.lot})
	}
	return holds
}

// notBlockedOutside asks about what an item is packed in: the contents of a pallet under a notice are under it. Returnable
// crates and the like are no goods: a notice about them is not about what they carry, unless they have it from a pallet.
func (e *eventRun) notBlockedOutside(t thing, d *departure) *Finding {
	s, ok := e.standing(t.id)
	if !ok {
		return nil
	}
	for i := 1; i < len(s.chain); i++ {
		if f := e.notBlocked(CarryHolds(&s.chain[i]), d, s.chain[i].ID, t.at, ""); f != nil {
			return f
		}
	}
	return nil
}

// CarryHolds lists the holds of a container that are about what it carries. Those about an asset itself are not; those that
// it has from what it was packed in are.
func CarryHolds(box *Item) []HoldOf {
	if isAsset(box.ID) {
		return []HoldOf{{ID: box.ID, Inherited: true}}
	}
	return HoldsOf(box.ID, box.Lot)
}

// isAsset reports whether an identifier is that of a returnable or individual asset.
func isAsset(id string) bool {
	parsed, err := gs1.Parse(id)
	return err == nil && (parsed.Key() == gs1.KeyGRAI || parsed.Key() == gs1.KeyGIAI)
}

// notBlocked asks whether a thing is under a notice that does not let it go. inside is what the event names and the thing
// is packed in, "" if the event names the thing.
func (e *eventRun) notBlocked(holds []HoldOf, d *departure, id, at, inside string) *Finding {
	if inside != "" {
		e.chargeLook(e.listed(holds))
	} else if !e.mayWork(e.listed(holds) / noticesPerWork) {
		return nil // the event is refused for that
	}
	var stop *NoticeRecord
	more := e.eachOpen(holds, maxOverLooked, func(rec *NoticeRecord) {
		if stop == nil && rec.blocks() && !e.goesTo(d, rec) {
			stop = rec
		}
	})
	switch {
	case stop != nil && inside != "":
		f := finding(CodeHeldInside, at, inside, id, stop.Type.String(), e.orgName(stop.Issuer), d.as)
		return e.judge(f.against(crypto.Hash{}, stop.ID, stop.Height))
	case stop != nil:
		f := finding(CodeUnderNotice, at, id, stop.Type.String(), e.orgName(stop.Issuer), d.as)
		return e.judge(f.against(crypto.Hash{}, stop.ID, stop.Height))
	case more:
		return e.judge(finding(CodeManyNotices, at, id, decimal(maxHolds+maxOverLooked), d.as))
	}
	return nil
}

// insideMayLeave asks about everything packed in an item, at any depth, breadth first.
func (e *eventRun) insideMayLeave(t thing, d *departure, seen map[string]bool) *Finding {
	for queue := []string{t.id}; len(queue) > 0; queue = queue[1:] {
		if seen[queue[0]] {
			continue
		}
		seen[queue[0]] = true
		contents, _ := get[Contents](e.o, ContentsKey(queue[0]))
		for _, id := range contents.Items {
			item, _ := get[Item](e.o, e.o.itemKey(id))
			if stop, f := e.pieceMayLeave(t, d, id, item.Lot, e.expiryOf(&item)); stop {
				return f
			}
			if d.notices || e.expiredInside(&item) {
				queue = append(queue, id)
			}
		}
		for i := range contents.Quantities {
			lot, _ := get[Lot](e.o, LotKey(contents.Quantities[i].Lot))
			if stop, f := e.pieceMayLeave(t, d, lot.ID, "", lot.ExpiryMs); stop {
				return f
			}
		}
	}
	return nil
}

// pieceMayLeave asks about one thing inside; stop without a finding: there is no looking further, and it is flagged.
func (e *eventRun) pieceMayLeave(t thing, d *departure, id, lot string, expiryMs int64) (stop bool, f *Finding) {
	if !e.mayLook() {
		return true, e.judge(finding(CodeTooMuchInside, t.at, t.id, decimal(maxWorkAuthor)))
	}
	if d.notices {
		if f := e.notBlocked(HoldsOf(id, lot), d, id, t.at, t.id); f != nil {
			return true, f
		}
	} else {
		e.chargeLook(0)
	}
	f = e.notExpired(id, expiryMs, t.at, t.id)
	return f != nil, f
}

// keepUnder puts an item that is taken out of containers under the notices about those: they are about what they carry. False:
// it is too much (see takeNotices), and the item must stay where it is.
func (b *blockRun) keepUnder(s *standing, mayWork func(int) bool) bool {
	if !b.noticesOpen() {
		return true
	}
	for i := 1; i < len(s.chain); i++ {
		if !b.takeNotices(s.chain[0].ID, CarryHolds(&s.chain[i]), mayWork) {
			return false
		}
	}
	return true
}

// mayLoosen is R12 for quantities that are taken out of a container under a notice: loose, nobody could tell them from
// the rest of their lot. Only who may have the goods may do that.
func (e *eventRun) mayLoosen(box thing, lot string) *Finding {
	if e.params.Rules.R12 == Off || !e.noticesOpen() {
		return nil
	}
	s, _ := e.standing(box.id)
	item, stop, ok := e.loosened(&s, e.author, e.mayWork)
	switch {
	case !ok:
		return e.tooMuchWork()
	case stop == nil:
		return nil
	}
	f := finding(CodeLoosened, box.at, item.ID, stop.Type.String(), e.orgName(stop.Issuer), lot)
	return e.judge(f.against(crypto.Hash{}, stop.ID, stop.Height))
}

// loosened finds a container, and the notice about it, that keeps somebody from taking quantities out of what is packed in
// it; nil if none does. False: it is too much to look at.
func (b *blockRun) loosened(s *standing, who crypto.Address, mayWork func(int) bool) (*Item, *NoticeRecord, bool) {
	if !b.noticesOpen() {
		return nil, nil, true
	}
	for i := range s.chain {
		item := &s.chain[i]
		holds := CarryHolds(item)
		if !mayWork(b.listed(holds) / noticesPerWork) {
			return nil, nil, false
		}
		var stop *NoticeRecord
		b.eachOpen(holds, maxOverLooked, func(rec *NoticeRecord) {
			if stop == nil && rec.blocks() && !rec.takes(who) {
				stop = rec
			}
		})
		if stop != nil {
			return item, stop, true
		}
	}
	return nil, nil, true
}
