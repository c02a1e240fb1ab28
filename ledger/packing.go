package ledger

import (
	"cmp"
	"math"
	"slices"

	"waybill/crypto"
	"waybill/epcis"
)

// Packing is a forest: an item has at most one parent. What is packed inherits custody, place and ownership from the
// outermost container (see [ReadItem]); when it is unpacked it takes them along.

// Bounds of packing.
const (
	maxPackingDepth = 16   // levels, the outermost container included
	maxContents     = 4096 // items, and as many lots, directly in one container
)

// standing is an item and what it is packed in, from the item outwards.
type standing struct {
	chain []Item
}

func (s *standing) item() *Item { return &s.chain[0] }

// root is the outermost container, or the item itself.
func (s *standing) root() *Item { return &s.chain[len(s.chain)-1] }

func (s *standing) packed() bool { return len(s.chain) > 1 }

// standing finds an item and its containers; false if it is not on the ledger.
func (b *blockRun) standing(id string) (standing, bool) {
	var s standing
	for id != "" {
		item, ok := b.item(id)
		if !ok {
			if len(s.chain) > 0 {
				panic("ledger: container " + id + " is not on the ledger")
			}
			return s, false
		}
		if len(s.chain) > maxPackingDepth {
			panic("ledger: " + s.chain[0].ID + " is packed too deep")
		}
		s.chain = append(s.chain, item)
		id = item.Parent
	}
	return s, true
}

// inherit fills the first item of a chain with what it has from its containers, outermost last. An ownership that
// passed while the item was packed passed for it too: OwnerSince and PackedSince count the events of the container.
func inherit(chain []*Item) {
	root := chain[len(chain)-1]
	for i := len(chain) - 2; i >= 0; i-- {
		child, parent := chain[i], chain[i+1]
		if parent.OwnerSince > child.PackedSince {
			child.Owner, child.OwnerSince = parent.Owner, math.MaxUint64
		}
	}
	item := chain[0]
	item.Custodian, item.Place, item.Shipment = root.Custodian, root.Place, root.Shipment
	if !item.State.ended() {
		item.State = root.State
	}
}

// effective is the item as ReadItem shows it.
func (s *standing) effective() Item {
	copies := make([]Item, len(s.chain))
	chain := make([]*Item, len(s.chain))
	for i := range s.chain {
		copies[i] = s.chain[i]
		chain[i] = &copies[i]
	}
	inherit(chain)
	return copies[0]
}

// inHand finds an item that the author wants to act on: on the ledger, not ended (R5), not in transit (R7), and in the
// author's custody (R6). False without a finding: a rule was flagged and the act leaves this item out.
func (e *eventRun) inHand(t thing) (standing, bool, *Finding) {
	s, ok := e.standing(t.id)
	if !ok {
		if f := e.adoptItem(t, true); f != nil {
			return s, false, f
		}
		s, ok = e.standing(t.id)
		return s, ok, nil
	}
	item, root := s.item(), s.root()
	if item.State.ended() {
		return s, false, e.judge(e.endedFinding(item, t.at))
	}
	if root.State.ended() {
		return s, false, e.judge(e.endedFinding(root, t.at)) // lost or destroyed with all that was in it
	}
	if f := e.locked(t, root); f != nil {
		return s, false, e.judge(f)
	}
	if root.State == StateObserved && !s.packed() && e.adopts() {
		f := e.claimHeld(t, item)
		s, ok = e.standing(t.id)
		return s, ok && s.root().Custodian == e.author, f
	}
	if root.Custodian != e.author {
		f := finding(CodeNotCustodian, t.at, e.orgName(e.author), t.id, e.orgName(root.Custodian))
		return s, false, e.judge(f.against(root.LastEvent, crypto.Hash{}, root.LastHeight))
	}
	return s, true, nil
}

// locked says why nobody may act on what is under way, or only settle it while it is in dispute.
func (e *eventRun) locked(t thing, root *Item) *Finding {
	switch {
	case root.State == StateInTransit:
		return e.inTransit(t, root)
	case root.State == StateDisputed:
		return e.inDispute(t, root)
	case root.State == StateRejected && !e.settles(root):
		sh, _ := get[Shipment](e.o, ShipmentKey(root.Shipment))
		f := finding(CodeRejected, t.at, t.id, e.orgName(root.Custodian), e.orgName(sh.From))
		return f.against(sh.Event, sh.Tx, sh.Height)
	}
	return nil
}

// settles reports whether the event does with rejected goods what may be done with them: destroys them, or sends them
// back.
func (e *eventRun) settles(root *Item) bool {
	if e.e.act != actShip {
		return e.e.event.Type == epcis.ObjectEvent && e.e.event.Action == epcis.ActionDelete
	}
	sh, _ := get[Shipment](e.o, ShipmentKey(root.Shipment))
	return e.shipTo == sh.From
}

func (e *eventRun) inDispute(t thing, root *Item) *Finding {
	sh, _ := get[Shipment](e.o, ShipmentKey(root.Shipment))
	return finding(CodeInDispute, t.at, t.id, e.orgName(sh.From), e.receiverName(&sh)).against(sh.Event, sh.Tx, sh.Height)
}

func (e *eventRun) inTransit(t thing, root *Item) *Finding {
	sh, _ := get[Shipment](e.o, ShipmentKey(root.Shipment))
	return finding(CodeInTransit, t.at, t.id, e.orgName(sh.From), e.receiverName(&sh)).against(sh.Event, sh.Tx, sh.Height)
}

// pack is AggregationEvent ADD.
func (e *eventRun) pack() *Finding {
	parent := e.e.parent
	if !e.has(parent.id) {
		// Nobody commissions pallets: a container comes into being when it is first packed. It must be the author's to
		// name all the same.
		if _, f := e.commissionItem(parent, true); f != nil {
			return f
		}
	}
	s, ok, f := e.inHand(parent)
	if f != nil || !ok {
		return f
	}
	contents, _ := get[Contents](e.o, ContentsKey(parent.id))
	if !e.mayWork(e.rewriting(parent.id, contents.size())) {
		return e.tooMuchWork()
	}
	contents = contents.own()
	for _, t := range e.e.children.items {
		if f := e.packItem(&s, &contents, t); f != nil {
			return f
		}
	}
	for _, l := range e.e.children.lots {
		if f := e.packLot(&contents, l); f != nil {
			return f
		}
	}
	if len(contents.Items) > maxContents || len(contents.Quantities) > maxContents {
		return e.judge(finding(CodeContainerFull, parent.at, parent.id, decimal(maxContents)))
	}
	if len(contents.Items)+len(contents.Quantities) > 0 {
		put(e.o, ContentsKey(parent.id), contents)
	}
	item, _ := get[Item](e.o, e.o.itemKey(parent.id))
	e.changed(&item)
	put(e.o, e.o.itemKey(parent.id), item)
	return nil
}

// own is a copy with lists of its own, to be changed in place.
func (c *Contents) own() Contents {
	return Contents{Items: slices.Clone(c.Items), Quantities: slices.Clone(c.Quantities)}
}

// packItem, packLot, unpackItem and unpackLot change the lists of the contents in place.
func (e *eventRun) packItem(into *standing, contents *Contents, t thing) *Finding {
	parent := into.item().ID
	if child := peek[Item](e.o, e.o.itemKey(t.id)); child != nil && child.Parent == parent {
		return nil
	}
	if f := e.checkForest(into, t); f != nil {
		return f
	}
	s, ok, f := e.inHand(t)
	if f != nil || !ok {
		return f
	}
	if f := e.detach(t, s, CodePackedElse); f != nil {
		return f
	}
	item, _ := get[Item](e.o, e.o.itemKey(t.id))
	item.Parent = parent
	// The container counts this event when it is done, hence one more than now.
	item.PackedSince = into.item().Chain.Count + 1
	e.changed(&item)
	put(e.o, e.o.itemKey(t.id), item)
	at, _ := slices.BinarySearch(contents.Items, t.id)
	contents.Items = slices.Insert(contents.Items, at, t.id)
	e.hasten(parent, earlier(e.expiryOf(&item), item.InsideExpiryMs))
	return e.deepen(into, item.Levels)
}

// checkForest refuses cycles.
func (e *eventRun) checkForest(into *standing, t thing) *Finding {
	for i := range into.chain {
		if into.chain[i].ID == t.id {
			return e.judge(finding(CodePackingCycle, t.at, t.id, into.item().ID).against(into.item().LastEvent, crypto.Hash{}, into.item().LastHeight))
		}
	}
	return nil
}

// deepen keeps Item.Levels, the most levels that were ever packed below an item since it was last empty, and refuses
// what would be too deep.
func (e *eventRun) deepen(into *standing, below uint8) *Finding {
	for i := range into.chain {
		below++
		if below >= maxPackingDepth {
			return e.judge(finding(CodePackingDepth, e.e.parent.at, into.item().ID, decimal(maxPackingDepth)))
		}
		if box := peek[Item](e.o, e.o.itemKey(into.chain[i].ID)); box != nil && box.Levels >= below {
			return nil
		}
		item, _ := get[Item](e.o, e.o.itemKey(into.chain[i].ID))
		item.Levels = below
		put(e.o, e.o.itemKey(item.ID), item)
	}
	return nil
}

func (e *eventRun) packLot(contents *Contents, l amountOf) *Finding {
	moved, f := e.debit(l)
	if f != nil || moved == nil {
		return f
	}
	quantities, ok := insertPacked(contents.Quantities, *moved)
	if !ok {
		return e.judge(finding(CodeBadQuantity, l.at, l.amount.String(), l.id))
	}
	contents.Quantities = quantities
	lot, _ := get[Lot](e.o, LotKey(l.id))
	e.hasten(e.e.parent.id, lot.ExpiryMs)
	return nil
}

// hasten keeps Item.InsideExpiryMs of a container and of what that is packed in, so that shipping a pallet need not look
// into every box on it.
func (b *blockRun) hasten(box string, expiryMs int64) {
	for box != "" && expiryMs != 0 {
		item, _ := get[Item](b.o, b.o.itemKey(box))
		if item.InsideExpiryMs != 0 && item.InsideExpiryMs <= expiryMs {
			return
		}
		item.InsideExpiryMs = expiryMs
		put(b.o, b.o.itemKey(box), item)
		box = item.Parent
	}
}

// earlier is the earlier of two dates, of which 0 is none.
func earlier(a, b int64) int64 {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

func comparePacked(a, b PackedAmount) int {
	return cmp.Or(cmp.Compare(a.Lot, b.Lot), cmp.Compare(a.Unit, b.Unit))
}

// addPacked adds an amount to a list that is ascending by lot and unit; false if it is beyond what is counted.
func addPacked(list []PackedAmount, p PackedAmount) ([]PackedAmount, bool) {
	return insertPacked(slices.Clone(list), p)
}

// insertPacked is addPacked in place.
func insertPacked(list []PackedAmount, p PackedAmount) ([]PackedAmount, bool) {
	at, found := slices.BinarySearchFunc(list, p, comparePacked)
	if !found {
		return slices.Insert(list, at, p), true
	}
	sum, ok := list[at].Amount.plus(p.Amount)
	list[at].Amount = sum
	list[at].Unmeasured = list[at].Unmeasured || p.Unmeasured
	return list, ok
}

// detach unpacks one item that is acted on by itself. That it was packed is R8: flagged with the given code, because
// real goods are handled that way, or refused.
func (e *eventRun) detach(t thing, s standing, code Code) *Finding {
	if !s.packed() {
		return nil
	}
	parent := s.chain[1]
	f := finding(code, t.at, t.id, parent.ID).against(s.item().LastEvent, crypto.Hash{}, s.item().LastHeight)
	if f := e.judge(f); f != nil {
		return f
	}
	if !e.takeOut(&s, e.mayWork) {
		return e.tooMuchWork()
	}
	e.free(s)
	return nil
}

// takeOut strikes a packed item from the contents of its container. False: that is too much work, and nothing is done.
func (b *blockRun) takeOut(s *standing, mayWork func(int) bool) bool {
	parent := s.item().Parent
	contents, _ := get[Contents](b.o, ContentsKey(parent))
	if !mayWork(b.rewriting(parent, contents.size())) {
		return false
	}
	contents.Items = without(slices.Clone(contents.Items), s.item().ID)
	b.putContents(parent, contents)
	return true
}

func (c *Contents) size() int { return len(c.Items) + len(c.Quantities) }

// without takes an identifier out of an ascending list, in place.
func without(list []string, id string) []string {
	at, found := slices.BinarySearch(list, id)
	if !found {
		return list
	}
	return slices.Delete(list, at, at+1)
}

// free gives an item that is taken out of its container what it inherited.
func (e *eventRun) free(s standing) {
	if !e.keepUnder(&s, e.mayWork) {
		e.overworked = true
	}
	item := s.freed()
	e.changed(&item)
	put(e.o, e.o.itemKey(item.ID), item)
}

// freed is the item on its own.
func (s *standing) freed() Item {
	item := s.effective()
	if item.OwnerSince == math.MaxUint64 {
		// Ownership passed with the container: for this item's own contents it passed with this event.
		item.OwnerSince = item.Chain.Count + 1
	}
	item.Parent, item.PackedSince, item.Shipment = "", 0, crypto.Hash{}
	if !item.State.ended() {
		item.State = StateActive
	}
	return item
}

// putContents stores what is left in a container.
func (b *blockRun) putContents(id string, contents Contents) {
	if len(contents.Items)+len(contents.Quantities) > 0 {
		put(b.o, ContentsKey(id), contents)
		return
	}
	b.o.del(ContentsKey(id))
	if item, ok := get[Item](b.o, b.o.itemKey(id)); ok && (item.Levels != 0 || item.InsideExpiryMs != 0) {
		item.Levels, item.InsideExpiryMs = 0, 0
		put(b.o, b.o.itemKey(id), item)
	}
}

// unpack is AggregationEvent DELETE: the children that it names, or all if it names none.
func (e *eventRun) unpack() *Finding {
	parent := e.e.parent
	s, ok, f := e.inHand(parent)
	if f != nil || !ok {
		return f
	}
	contents, _ := get[Contents](e.o, ContentsKey(parent.id))
	if e.e.children.empty() {
		if f := e.unpackAll(parent, &contents); f != nil {
			return f
		}
	} else if !e.mayWork(e.rewriting(parent.id, contents.size())) {
		return e.tooMuchWork()
	}
	contents = contents.own()
	for _, t := range e.e.children.items {
		if f := e.unpackItem(&contents, t); f != nil {
			return f
		}
	}
	for _, l := range e.e.children.lots {
		if f := e.unpackLot(&contents, l, s.root().Custodian); f != nil {
			return f
		}
	}
	e.putContents(parent.id, contents)
	item, _ := get[Item](e.o, e.o.itemKey(parent.id))
	e.changed(&item)
	put(e.o, e.o.itemKey(parent.id), item)
	return nil
}

// unpackAll empties a container into the hands of its custodian.
func (e *eventRun) unpackAll(parent thing, contents *Contents) *Finding {
	root, _ := e.standing(parent.id)
	custodian := root.root().Custodian
	if !e.mayWork(len(contents.Items) + len(contents.Quantities)) {
		return e.tooMuchWork()
	}
	for _, id := range contents.Items {
		s, ok := e.standing(id)
		if !ok {
			panic("ledger: " + id + " in " + parent.id + " is not on the ledger")
		}
		e.free(s)
	}
	contents.Items = nil
	for _, q := range contents.Quantities {
		if f := e.mayLoosen(parent, q.Lot); f != nil {
			return f
		}
		if f := e.creditPacked(q, custodian, parent.at); f != nil {
			return f
		}
	}
	contents.Quantities = nil
	e.putContents(parent.id, *contents)
	return nil
}

func (e *eventRun) unpackItem(contents *Contents, t thing) *Finding {
	s, ok := e.standing(t.id)
	if !ok {
		return e.adoptItem(t, true)
	}
	if s.item().Parent != e.e.parent.id {
		return e.judge(finding(CodeNotInContainer, t.at, t.id, e.e.parent.id))
	}
	contents.Items = without(contents.Items, t.id)
	e.free(s)
	return nil
}

func (e *eventRun) unpackLot(contents *Contents, l amountOf, custodian crypto.Address) *Finding {
	var rest, out []PackedAmount
	from, _ := slices.BinarySearchFunc(contents.Quantities, PackedAmount{Lot: l.id}, comparePacked)
	to := from
	for ; to < len(contents.Quantities) && contents.Quantities[to].Lot == l.id; to++ {
		q := contents.Quantities[to]
		taken, left, any := takePacked(q, l)
		if any {
			out = append(out, taken)
		}
		if !left.Amount.IsZero() || left.Unmeasured {
			rest = append(rest, left)
		}
	}
	if len(out) == 0 {
		return e.judge(finding(CodeNotInContainer, l.at, l.id, e.e.parent.id))
	}
	if l.measured && !out[0].Unmeasured && out[0].Amount.cmp(l.amount) < 0 {
		return e.judge(finding(CodeOverdrawn, l.at, e.e.parent.id, l.text(), l.id, textOf(out[0].Amount, l.unit)))
	}
	if f := e.mayLoosen(e.e.parent, l.id); f != nil {
		return f
	}
	contents.Quantities = slices.Replace(contents.Quantities, from, to, rest...)
	for _, q := range out {
		if l.measured && q.Amount.cmp(l.amount) < 0 {
			q.Amount = l.amount // the rest of what was not measured
		}
		q.Unmeasured = !l.measured && q.Unmeasured
		if f := e.creditPacked(q, custodian, l.at); f != nil {
			return f
		}
	}
	return nil
}

// takePacked splits what is packed into what a quantity takes and what stays. A quantity that is not stated takes all
// of the lot.
func takePacked(q PackedAmount, l amountOf) (taken, left PackedAmount, any bool) {
	if q.Lot != l.id || (l.measured && q.Unit != l.unit) {
		return PackedAmount{}, q, false
	}
	taken, left = q, q
	if !l.measured {
		left.Amount, left.Unmeasured = Amount{}, false
		return taken, left, true
	}
	taken.Amount = q.Amount.smaller(l.amount)
	left.Amount, _ = q.Amount.minus(taken.Amount)
	return taken, left, true
}
