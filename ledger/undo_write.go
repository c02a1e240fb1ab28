package ledger

import (
	"encoding/binary"
	"slices"
	"strings"

	"waybill/crypto"
)

// How notes are written; undo_read.go reads them.

// noteKind says what a note is about. The values are stored.
type noteKind byte

const (
	noteItem     noteKind = 1
	noteLot      noteKind = 2
	noteBalance  noteKind = 3
	noteContents noteKind = 4
	noteTransit  noteKind = 5
	noteEdge     noteKind = 6
	noteExact    noteKind = 7  // of a record that must be as the event left it
	noteSoft     noteKind = 8  // of a record that is put back if it is as the event left it, and else stays
	noteArrivals noteKind = 9  // of who takes quantities out of shipments, oldest first
	noteClears   noteKind = 10 // of a parent from which all devices may be detached at once
)

// noteSlot notes what became of one state key.
func (w *undoWriter) noteSlot(s *slot) {
	space, rest, _ := strings.Cut(s.key, "/")
	switch space {
	case "event", "eventid", "errorid", "attached":
		// The event stays on record, under its id. What is attached to a parent follows from the devices.
	case "obj":
		w.item(rest, s)
	case "lot":
		w.lot(rest, s)
	case "bal":
		w.balance(s)
	case "contains":
		w.contents(rest, s)
	case "transit":
		w.transit(s)
	case "made", "used", "use":
		w.kind(noteEdge)
		w.text(s.key)
	case "transfer", "link", "assoc", "carries", "claimed":
		w.kind(noteExact)
		w.exact(space, s)
		switch space {
		case "transfer":
			w.arrivals(s)
		case "assoc":
			w.clears(s)
		}
	case "uses", "linkhold", "hold":
		w.kind(noteSoft)
		w.exact(space, s)
	case "follow", "following", "turn", "notices", "over", "overat":
		// Where notices are on their way to stays as it is: to go there once too often does no harm.
	case "receivers", "shippers":
		// They follow from which lists of shipments there are.
	default:
		w.unknown = true
	}
}

// undoWriter writes notes: a kind, then numbers as uvarints and texts. A text is a number: that of an earlier text, from
// 1, or 0 and the text itself. The first texts are what the event names.
type undoWriter struct {
	e       *eventRun
	names   map[string]int
	buf     []byte
	unknown bool // something cannot be noted
}

func (w *undoWriter) kind(k noteKind) { w.buf = append(w.buf, byte(k)) }

func (w *undoWriter) number(n uint64) { w.buf = binary.AppendUvarint(w.buf, n) }

func (w *undoWriter) text(s string) {
	if at, known := w.names[s]; known {
		w.number(uint64(at) + 1)
		return
	}
	if w.names == nil {
		w.names = map[string]int{}
	}
	w.names[s] = len(w.names)
	w.number(0)
	w.number(uint64(len(s)))
	w.buf = append(w.buf, s...)
}

func (w *undoWriter) texts(list []string) {
	w.number(uint64(len(list)))
	for _, s := range list {
		w.text(s)
	}
}

func (w *undoWriter) flag(b bool) {
	n := uint64(0)
	if b {
		n = 1
	}
	w.number(n)
}

func (w *undoWriter) amount(a Amount) {
	w.buf = binary.AppendVarint(w.buf, a.Coefficient)
	w.buf = binary.AppendVarint(w.buf, int64(a.Exponent))
}

// The bits of changed fields. The values are stored.
const (
	bitAbsent = 1 << iota // there was no such thing; no other bit counts but bitSeen
	bitSeen               // and the event did no more than see it
	bitMoved              // more than place and condition changed
	bitState
	bitFlags
	bitOwner
	bitCustodian
	bitParent
	bitShipment
	bitPlace
	bitDisposition
	bitLot
	bitExpiry
	bitBorn
	bitOwnerSince
	bitPackedSince
	bitLevels
	bitMade
	bitUsed
	bitInside
	bitNumber // of lots, as those that follow
	bitUnits
)

// itemChange says which fields of an item changed, and counts the change unless it was counted.
func itemChange(was, is *Item) uint64 {
	mask := uint64(0)
	mark := func(changed bool, bit uint64) {
		if changed {
			mask |= bit
		}
	}
	mark(was.State != is.State, bitState)
	mark(was.Flags != is.Flags, bitFlags)
	mark(was.Owner != is.Owner, bitOwner)
	mark(was.Custodian != is.Custodian, bitCustodian)
	mark(was.Parent != is.Parent, bitParent)
	mark(was.Shipment != is.Shipment, bitShipment)
	mark(was.Lot != is.Lot, bitLot)
	mark(was.ExpiryMs != is.ExpiryMs, bitExpiry)
	mark(was.BornBy != is.BornBy || was.BornEvent != is.BornEvent || was.BornHeight != is.BornHeight, bitBorn)
	mark(was.OwnerSince != is.OwnerSince, bitOwnerSince)
	mark(was.PackedSince != is.PackedSince, bitPackedSince)
	mark(was.Levels != is.Levels, bitLevels)
	mark(was.Made != is.Made, bitMade)
	mark(was.Used != is.Used, bitUsed)
	mark(was.InsideExpiryMs != is.InsideExpiryMs, bitInside)
	if mask != 0 || was.LastEvent != is.LastEvent || was.LastHeight != is.LastHeight || was.Moves != is.Moves {
		mask |= bitMoved
		is.Moves = was.Moves + 1
	}
	mark(was.Place != is.Place, bitPlace)
	mark(was.Disposition != is.Disposition, bitDisposition)
	return mask
}

func (w *undoWriter) item(id string, s *slot) {
	is := s.top().rec.(*Item)
	was, existed := peekUnder[Item](w.e.o, s), true
	if was == nil {
		was, existed = new(Item), false
	}
	mask := uint64(bitAbsent)
	switch {
	case existed && (was.Flags&FlagUndone == 0 || is.Flags&FlagUndone != 0):
		if mask = itemChange(was, is); mask == 0 {
			return // only its chain grew
		}
	case is.State == StateObserved:
		mask, is.Moves = bitAbsent|bitSeen, was.Moves+1
	default:
		is.Moves = was.Moves + 1
	}
	w.kind(noteItem)
	w.text(id)
	w.number(is.Moves)
	w.number(mask)
	w.itemFields(mask, was)
}

// itemFields writes the fields of a mask, in the order of its bits; readItemFields reads them.
func (w *undoWriter) itemFields(mask uint64, was *Item) {
	number := func(bit, n uint64) {
		if mask&bit != 0 {
			w.number(n)
		}
	}
	text := func(bit uint64, s string) {
		if mask&bit != 0 {
			w.text(s)
		}
	}
	number(bitState, uint64(was.State))
	number(bitFlags, uint64(was.Flags))
	if mask&(bitOwner|bitCustodian|bitShipment|bitBorn) != 0 {
		text(bitOwner, string(was.Owner[:]))
		text(bitCustodian, string(was.Custodian[:]))
		text(bitShipment, string(was.Shipment[:]))
		text(bitBorn, string(was.BornBy[:]))
		text(bitBorn, string(was.BornEvent[:]))
		number(bitBorn, uint64(was.BornHeight))
	}
	text(bitParent, was.Parent)
	text(bitPlace, was.Place)
	text(bitDisposition, was.Disposition)
	text(bitLot, was.Lot)
	number(bitExpiry, uint64(was.ExpiryMs))
	number(bitOwnerSince, was.OwnerSince)
	number(bitPackedSince, was.PackedSince)
	number(bitLevels, uint64(was.Levels))
	number(bitMade, was.Made)
	number(bitUsed, was.Used)
	number(bitInside, uint64(was.InsideExpiryMs))
}

// lotChange says which fields of a lot changed, and counts the change.
func lotChange(was, is *Lot) uint64 {
	mask := uint64(0)
	mark := func(changed bool, bit uint64) {
		if changed {
			mask |= bit
		}
	}
	mark(was.Flags != is.Flags, bitFlags)
	mark(was.LotNumber != is.LotNumber, bitNumber)
	mark(was.ExpiryMs != is.ExpiryMs, bitExpiry)
	mark(!slices.Equal(was.Units, is.Units), bitUnits)
	mark(was.BornBy != is.BornBy || was.BornEvent != is.BornEvent, bitBorn)
	mark(was.Made != is.Made, bitMade)
	mark(was.Used != is.Used, bitUsed)
	if mask != 0 || was.LastEvent != is.LastEvent || was.LastHeight != is.LastHeight {
		mask |= bitMoved
		is.Moves = was.Moves + 1
	}
	return mask
}

func (w *undoWriter) lot(id string, s *slot) {
	is := s.top().rec.(*Lot)
	was, existed := under[Lot](w.e.o, s)
	mask := lotChange(&was, is)
	if !existed || was.Flags&FlagUndone != 0 && is.Flags&FlagUndone == 0 {
		mask = bitAbsent
	} else if mask == 0 {
		return
	}
	w.kind(noteLot)
	w.text(id)
	w.number(is.Moves)
	w.number(mask)
	if mask&bitFlags != 0 {
		w.number(uint64(was.Flags))
	}
	if mask&bitNumber != 0 {
		w.text(was.LotNumber)
	}
	if mask&bitExpiry != 0 {
		w.number(uint64(was.ExpiryMs))
	}
	if mask&bitUnits != 0 {
		w.texts(was.Units)
	}
	if mask&bitBorn != 0 {
		w.text(string(was.BornBy[:]))
		w.text(string(was.BornEvent[:]))
	}
	if mask&bitMade != 0 {
		w.number(was.Made)
	}
	if mask&bitUsed != 0 {
		w.number(was.Used)
	}
}

func (w *undoWriter) balance(s *slot) {
	rec, there := s.top().rec.(*Balance)
	if !there {
		w.unknown = true // nothing deletes a balance but undoing
		return
	}
	was, existed := under[Balance](w.e.o, s)
	lowered := rec.Amount.cmp(was.Amount) < 0
	rec.Takes = was.Takes
	if lowered {
		rec.Takes++
	}
	if was.Unmeasured != rec.Unmeasured {
		rec.Sets = max(rec.Sets, was.Sets+1)
	}
	if lowered || rec.Sets != was.Sets {
		rec.LastTake, rec.TakenAt = w.e.e.hash, w.e.height
	}
	w.kind(noteBalance)
	w.text(s.key)
	w.flag(existed)
	w.flag(was.Unmeasured)
	w.amount(was.Amount)
	w.number(was.Takes)
	w.number(was.Sets)
	w.number(was.Arrivals)
	w.flag(rec.Unmeasured)
	w.amount(rec.Amount)
	w.number(rec.Takes)
	w.number(rec.Sets)
	w.number(rec.Arrivals)
}

func (w *undoWriter) contents(id string, s *slot) {
	was, _ := under[Contents](w.e.o, s)
	is := asPut[Contents](s)
	w.kind(noteContents)
	w.text(id)
	w.texts(missingFrom(was.Items, is.Items))
	w.texts(missingFrom(is.Items, was.Items))
	w.packed(missingPacked(was.Quantities, is.Quantities))
	w.packed(missingPacked(is.Quantities, was.Quantities))
}

// asPut is the record that the event put, zero if it deleted it.
func asPut[T any](s *slot) T {
	if rec := as[T](s.top().rec); rec != nil {
		return *rec
	}
	var none T
	return none
}

// missingPacked lists the amounts of an ascending list that are not the same in another.
func missingPacked(list, other []PackedAmount) []PackedAmount {
	var out []PackedAmount
	for _, q := range list {
		if at, found := slices.BinarySearchFunc(other, q, comparePacked); !found || other[at] != q {
			out = append(out, q)
		}
	}
	return out
}

func (w *undoWriter) packed(list []PackedAmount) {
	w.number(uint64(len(list)))
	for _, q := range list {
		w.text(q.Lot)
		w.text(q.Unit)
		w.amount(q.Amount)
		w.flag(q.Unmeasured)
	}
}

// missingFrom lists what is in an ascending list and not in another.
func missingFrom(list, other []string) []string {
	var out []string
	for _, id := range list {
		if _, found := slices.BinarySearch(other, id); !found {
			out = append(out, id)
		}
	}
	return out
}

func (w *undoWriter) transit(s *slot) {
	was, _ := under[Transit](w.e.o, s)
	is := asPut[Transit](s)
	var added []string
	for _, x := range is.Shipments {
		if !slices.Contains(was.Shipments, x) {
			added = append(added, string(x[:]))
		}
	}
	var gone, order []string
	for _, x := range was.Shipments {
		if !slices.Contains(is.Shipments, x) {
			gone = append(gone, string(x[:]))
		}
		order = append(order, string(x[:]))
	}
	if len(gone) == 0 {
		order = nil // where they stood counts only for what is put back
	}
	w.kind(noteTransit)
	w.text(s.key)
	w.texts(added)
	w.texts(gone)
	w.texts(order)
}

// arrivals notes how often quantities have come to those who take them out of a shipment, when the event did: had it not,
// what came to either since might have been taken out of this shipment.
func (w *undoWriter) arrivals(s *slot) {
	was, _ := under[Shipment](w.e.o, s)
	is := asPut[Shipment](s)
	for _, q := range missingPacked(was.Quantities, is.Quantities) {
		for _, who := range []crypto.Address{is.From, is.To} {
			key := BalanceKey(q.Lot, who, q.Unit, Available)
			bal, _ := get[Balance](w.e.o, key)
			w.kind(noteArrivals)
			w.text(string(key))
			w.number(bal.Arrivals)
		}
	}
}

// clears notes how often all devices were taken off the parents at which a device came or went: had it not, the next time
// would have been another matter.
func (w *undoWriter) clears(s *slot) {
	was, _ := under[Associations](w.e.o, s)
	is := asPut[Associations](s)
	var parents []string
	for _, a := range slices.Concat(was.Intervals, is.Intervals) {
		if slices.Contains(was.Intervals, a) != slices.Contains(is.Intervals, a) && !slices.Contains(parents, a.Parent) {
			parents = append(parents, a.Parent)
		}
	}
	for _, parent := range parents {
		list, _ := get[Attached](w.e.o, AttachedKey(parent))
		w.kind(noteClears)
		w.text(parent)
		w.number(list.Clears)
	}
}
