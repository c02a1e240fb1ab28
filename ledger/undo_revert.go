package ledger

import (
	"encoding/binary"
	"slices"
	"strings"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// undoing takes back what one event changed, in the run of the declaration about it.
type undoing struct {
	e     *eventRun // the declaration
	mark  EventMark // of the wrong event
	notes *undoReader
}

// obstacle is what stands on an event: another event, or, with a zero hash, an act that is no event.
type obstacle struct {
	event  crypto.Hash
	height quorum.Height
}

// obstacle returns what stands in the way of undoing; nil if nothing does.
func (u *undoing) obstacle() *obstacle {
	var found *obstacle
	var n undoNote
	for u.notes.again(); u.notes.next(&n); {
		o := u.stands(&n)
		if o == nil {
			continue
		}
		if o.event != u.e.e.original && !o.event.IsZero() {
			return o
		}
		if found == nil {
			found = u.guess()
		}
	}
	if u.notes.bad {
		panic(errNotes)
	}
	return found
}

// guess names the event that last changed something that the wrong event names, where the record that has changed does
// not say by what.
func (u *undoing) guess() *obstacle {
	items, lots := u.e.e.allNamed()
	best := &obstacle{}
	better := func(event crypto.Hash, h quorum.Height) {
		if event != u.e.e.original && h >= u.mark.Height && (best.event.IsZero() || h < best.height) {
			best = &obstacle{event, h}
		}
	}
	for _, t := range items {
		if item, ok := u.e.item(t.id); ok {
			better(item.LastEvent, item.LastHeight)
		}
	}
	for _, t := range lots {
		if lot, ok := u.e.lot(t.id); ok {
			better(lot.LastEvent, lot.LastHeight)
		}
	}
	return best
}

// stands returns what stands on one change; nil if nothing does.
func (u *undoing) stands(n *undoNote) *obstacle {
	o := u.e.o
	switch n.kind {
	case noteItem:
		item, ok := get[Item](o, ItemKey(n.key))
		switch {
		case n.mask&bitSeen != 0, n.mask&(bitMoved|bitAbsent) == 0:
			return nil
		case !ok || item.Moves != n.moves:
			return &obstacle{item.LastEvent, item.LastHeight}
		case n.mask&bitAbsent != 0:
			return u.e.attachments(n.key)
		}
	case noteBalance:
		if bal, _ := get[Balance](o, []byte(n.key)); !balanceStands(&bal, n) {
			return &obstacle{bal.LastTake, bal.TakenAt}
		}
	case noteArrivals:
		if bal, _ := get[Balance](o, []byte(n.key)); bal.Arrivals != n.moves {
			return &obstacle{}
		}
	case noteClears:
		if list, _ := get[Attached](o, AttachedKey(n.key)); list.Clears != n.moves {
			return &obstacle{}
		}
	case noteTransit:
		list, _ := get[Transit](o, []byte(n.key))
		if open := u.transit(&list, n); !u.e.mayList([]byte(n.key), len(open)) {
			return &obstacle{}
		}
	case noteExact:
		space, _, _ := strings.Cut(n.key, "/")
		if exactDigest(encoded(o, space, o.slot([]byte(n.key)), false)) == n.after {
			return nil
		}
		if space == "assoc" {
			list, _ := get[Associations](o, []byte(n.key))
			return &obstacle{list.LastEvent, list.LastHeight}
		}
		if space == "link" {
			return u.otherPart(n.key)
		}
		return &obstacle{}
	}
	return nil
}

// otherPart names another event of the same transformation.
func (u *undoing) otherPart(key string) *obstacle {
	link, _ := get[Link](u.e.o, []byte(key))
	part := func(edge Edge) bool {
		return !edge.Event.IsZero() && edge.Event != u.e.e.original && string(LinkKey(edge.Link)) == key
	}
	for _, id := range link.Outputs {
		if n := u.e.made(id); n > 0 {
			if edge, _ := get[Edge](u.e.o, MadeKey(id, n-1)); part(edge) {
				return &obstacle{edge.Event, edge.Height}
			}
		}
	}
	for _, id := range link.Inputs {
		if n := u.e.used(id); n > 0 {
			if edge, _ := get[Edge](u.e.o, UsedKey(id, n-1)); part(edge) {
				return &obstacle{edge.Event, edge.Height}
			}
		}
	}
	return &obstacle{}
}

// balanceStands reports whether a balance would be what it is had the event not been, but for the amount that the event
// put in or took. What it put in must not have been needed since: anything taken since could not have been taken. What
// it took out may have been followed by anything but a count, which says how much there is whatever was there.
func balanceStands(bal *Balance, n *undoNote) bool {
	if bal.Sets != n.is.Sets {
		return false
	}
	lowered := n.is.Amount.cmp(n.was.Amount) < 0
	if !lowered && bal.Takes != n.is.Takes {
		return false
	}
	_, ok := balanceWithout(bal, n)
	return ok
}

// balanceWithout is the amount without the event.
func balanceWithout(bal *Balance, n *undoNote) (Amount, bool) {
	if less, ok := n.is.Amount.minus(n.was.Amount); ok {
		return bal.Amount.minus(less)
	}
	more, _ := n.was.Amount.minus(n.is.Amount)
	return bal.Amount.plus(more)
}

// apply takes everything back. Counters of edges come first: they say where the lists end.
func (u *undoing) apply() {
	var n undoNote
	for u.notes.again(); u.notes.next(&n); {
		switch n.kind {
		case noteItem:
			u.undoItem(&n)
		case noteLot:
			u.undoLot(&n)
		case noteBalance:
			u.undoBalance(&n)
		case noteContents:
			u.undoContents(&n)
		case noteTransit:
			u.undoTransit(&n)
		case noteExact:
			u.undoExact(&n)
		case noteSoft:
			u.undoSoft(&n)
		}
	}
	for u.notes.again(); u.notes.next(&n); {
		switch n.kind {
		case noteEdge:
			u.undoEdge(n.key)
		case noteSoft:
			u.undoHold(&n)
		}
	}
}

func (u *undoing) undoItem(n *undoNote) {
	key := ItemKey(n.key)
	item, ok := get[Item](u.e.o, key)
	if !ok || (n.mask&bitSeen != 0 && item.Moves != n.moves) {
		return // somebody made more of it than seen
	}
	if n.mask&bitAbsent != 0 {
		item = Item{ID: item.ID, Flags: FlagUndone | item.Flags&FlagTainted, Chain: item.Chain}
	} else {
		u.restoreItem(&item, n)
	}
	if n.mask&(bitMoved|bitAbsent) != 0 {
		item.Moves = n.moves - 1
		u.e.changed(&item)
	}
	put(u.e.o, key, item)
}

// restoreItem puts back the changed fields. Place and condition are put back only where nobody has said more since.
func (u *undoing) restoreItem(item *Item, n *undoNote) {
	was, mask := &n.item, n.mask
	if mask&bitFlags != 0 {
		item.Flags = was.Flags&^FlagTainted | item.Flags&FlagTainted
	}
	setIf(mask, bitState, &item.State, was.State)
	setIf(mask, bitOwner, &item.Owner, was.Owner)
	setIf(mask, bitCustodian, &item.Custodian, was.Custodian)
	setIf(mask, bitParent, &item.Parent, was.Parent)
	setIf(mask, bitShipment, &item.Shipment, was.Shipment)
	setIf(mask, bitLot, &item.Lot, was.Lot)
	setIf(mask, bitExpiry, &item.ExpiryMs, was.ExpiryMs)
	setIf(mask, bitBorn, &item.BornBy, was.BornBy)
	setIf(mask, bitBorn, &item.BornEvent, was.BornEvent)
	setIf(mask, bitBorn, &item.BornHeight, was.BornHeight)
	setIf(mask, bitOwnerSince, &item.OwnerSince, was.OwnerSince)
	setIf(mask, bitPackedSince, &item.PackedSince, was.PackedSince)
	setIf(mask, bitLevels, &item.Levels, was.Levels)
	setIf(mask, bitMade, &item.Made, was.Made)
	setIf(mask, bitUsed, &item.Used, was.Used)
	setIf(mask, bitInside, &item.InsideExpiryMs, was.InsideExpiryMs)
	if item.Place == u.e.e.place {
		setIf(mask, bitPlace, &item.Place, was.Place)
	}
	if item.Disposition == u.e.e.disposition {
		setIf(mask, bitDisposition, &item.Disposition, was.Disposition)
	}
}

func setIf[T any](mask, bit uint64, field *T, was T) {
	if mask&bit != 0 {
		*field = was
	}
}

// undoLot puts a lot back if no event has moved any of it since. Else it stays as it is, as a name: what it is called,
// when it expires and who brought it onto the ledger may be what the later events say too.
func (u *undoing) undoLot(n *undoNote) {
	key := LotKey(n.key)
	lot, ok := get[Lot](u.e.o, key)
	switch {
	case !ok:
		return
	case lot.Moves != n.moves:
		lot.Undone++
		put(u.e.o, key, lot)
		return
	}
	was, mask := &n.lot, n.mask
	if mask&bitFlags != 0 {
		lot.Flags = was.Flags&^FlagTainted | lot.Flags&FlagTainted
	}
	setIf(mask, bitNumber, &lot.LotNumber, was.LotNumber)
	setIf(mask, bitExpiry, &lot.ExpiryMs, was.ExpiryMs)
	setIf(mask, bitUnits, &lot.Units, was.Units)
	setIf(mask, bitBorn, &lot.BornBy, was.BornBy)
	setIf(mask, bitBorn, &lot.BornEvent, was.BornEvent)
	setIf(mask, bitMade, &lot.Made, was.Made)
	setIf(mask, bitUsed, &lot.Used, was.Used)
	lot.Moves = n.moves - 1
	if mask&bitAbsent != 0 || lot.Moves == lot.Undone {
		// Nothing that stands has brought it onto the ledger.
		lot = Lot{ID: lot.ID, Flags: FlagUndone | lot.Flags&FlagTainted, Chain: lot.Chain}
	}
	lot.LastEvent, lot.LastHeight = u.e.e.hash, u.e.height
	put(u.e.o, key, lot)
}

func (u *undoing) undoBalance(n *undoNote) {
	key := []byte(n.key)
	bal, _ := get[Balance](u.e.o, key)
	asLeft := bal.Amount == n.is.Amount && bal.Unmeasured == n.is.Unmeasured && bal.Takes == n.is.Takes && bal.Arrivals == n.is.Arrivals
	if asLeft && !n.existed {
		u.e.o.del(key)
		return
	}
	bal.Amount, _ = balanceWithout(&bal, n)
	if asLeft {
		bal.Takes, bal.Arrivals = n.was.Takes, n.was.Arrivals
	}
	// No count came since, so what was not measured before the event is all that was not measured now.
	bal.Unmeasured, bal.Sets = n.was.Unmeasured, n.was.Sets
	put(u.e.o, key, bal)
}

func (u *undoing) undoContents(n *undoNote) {
	key := ContentsKey(n.key)
	c, _ := get[Contents](u.e.o, key)
	c.Items = slices.DeleteFunc(slices.Clone(c.Items), func(id string) bool { _, gone := slices.BinarySearch(n.came, id); return gone })
	c.Items = append(c.Items, n.left...)
	slices.Sort(c.Items)
	c.Quantities = slices.DeleteFunc(slices.Clone(c.Quantities), func(q PackedAmount) bool {
		_, gone := slices.BinarySearchFunc(n.lotCame, q, comparePacked)
		return gone
	})
	c.Quantities = append(c.Quantities, n.lotLeft...)
	slices.SortFunc(c.Quantities, comparePacked)
	if len(c.Items)+len(c.Quantities) == 0 {
		u.e.o.del(key)
		return
	}
	put(u.e.o, key, c)
}

// transit is a list of open shipments without the event: what it added is gone, and what it took off stands again before
// everything that came after.
func (u *undoing) transit(list *Transit, n *undoNote) []crypto.Hash {
	var out []crypto.Hash
	for _, s := range list.Shipments {
		if !slices.Contains(n.came, string(s[:])) {
			out = append(out, s)
		}
	}
	at := 0
	for _, s := range n.left {
		id := crypto.Hash([]byte(s))
		if i := slices.Index(out, id); i >= 0 {
			at = i + 1
		} else if slices.Contains(n.gone, s) {
			out = slices.Insert(out, at, id)
			at++
		}
	}
	return out
}

func (u *undoing) undoTransit(n *undoNote) {
	list, _ := get[Transit](u.e.o, []byte(n.key))
	u.e.putTransit([]byte(n.key), u.transit(&list, n))
}

// undoEdge removes an edge if it is the last of its list, and blanks it if it is not: places in the list never change,
// so that whoever is following it does not miss one.
func (u *undoing) undoEdge(key string) {
	space, rest, _ := strings.Cut(key, "/")
	if len(rest) < 9 {
		panic(errNotes)
	}
	id, n := rest[:len(rest)-9], binary.BigEndian.Uint64([]byte(rest[len(rest)-8:]))
	var count uint64
	switch space {
	case "made":
		count = u.e.made(id)
	case "used":
		count = u.e.used(id)
	default:
		count = u.e.usesOf(id).Count
	}
	switch {
	case n >= count:
		u.e.o.del([]byte(key))
	case space == "use":
		put(u.e.o, []byte(key), crypto.Hash{})
	default:
		put(u.e.o, []byte(key), Edge{Height: u.mark.Height})
	}
}

// undoSoft puts back where uses are counted, and what a link is under.
func (u *undoing) undoSoft(n *undoNote) {
	space, _, _ := strings.Cut(n.key, "/")
	if space != "hold" && exactDigest(encoded(u.e.o, space, u.e.o.slot([]byte(n.key)), false)) == n.after {
		restore(u.e.o, space, n.key, []byte(n.before))
	}
}

// undoHold takes the notices that a thing inherited off a thing that has not come into being after all. One that remains
// stays under them: it may have been made of the same in other ways.
func (u *undoing) undoHold(n *undoNote) {
	space, id, _ := strings.Cut(n.key, "/")
	if space != "hold" || u.e.known(id) || exactDigest(encoded(u.e.o, space, u.e.o.slot([]byte(n.key)), false)) != n.after {
		return
	}
	restore(u.e.o, space, n.key, []byte(n.before))
}

func (u *undoing) undoExact(n *undoNote) {
	space, id, _ := strings.Cut(n.key, "/")
	if space != "assoc" {
		restore(u.e.o, space, n.key, []byte(n.before))
		return
	}
	now, _ := get[Associations](u.e.o, []byte(n.key))
	restore(u.e.o, space, n.key, []byte(n.before))
	before, _ := get[Associations](u.e.o, []byte(n.key))
	u.e.relist(id, now.Intervals, before.Intervals)
}
