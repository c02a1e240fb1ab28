package ledger

import (
	"bytes"
	"slices"

	"waybill/crypto"
	"waybill/epcis/gs1"
)

// What a thing is under. A notice stands in the [Hold] of its subjects and of what was made from them; the serials of a lot
// and the lots of a class have no share in that record: they are asked about by name, so that a notice about a class of a
// million items costs one write.

// maxHolds bounds the notices of one Hold: open ones, for those that were released give way. It takes five issuers to fill it,
// or a regulator.
const maxHolds = 256

// noticesPerWork is how many notices are looked up for the work of one thing handled; see work.go.
const noticesPerWork = 2

// HoldOf names a hold that a thing is under: its own, or that of a lot or class it belongs to.
type HoldOf struct {
	ID    string // canonical; of the hold
	Class bool   // a class the thing belongs to: only notices that name the class itself, and not as origin, reach the thing

	Inherited bool // an asset that carries the thing: only notices that do not name the asset itself reach the thing
}

// HoldsOf lists whose holds a thing is under, its own first: those of its lot and of its class, in every way in which a
// notice may spell them. The identifier is in canonical form; lot is [Item].Lot, "" for lots and classes. What was made
// without a lot number is counted under its class, so a class may be under a notice as such a product: that is no notice
// about all of the class.
func HoldsOf(id, lot string) []HoldOf {
	out := widen(make([]HoldOf, 1, 4), id)
	out[0] = HoldOf{ID: id}
	if lot == "" || lot == id {
		return out
	}
	if parsed, err := gs1.Parse(lot); err == nil {
		return widen(addHold(out, HoldOf{ID: parsed.Canonical()}), parsed.Canonical())
	}
	return out // a number alone, of a product without GTIN: nobody can name it
}

// widen adds what an identifier says that it belongs to.
func widen(out []HoldOf, id string) []HoldOf {
	parsed, err := gs1.Parse(id)
	if err != nil {
		return out
	}
	class := parsed.Class()
	if class.IsZero() || class.Canonical() == id {
		return out
	}
	return addHold(out, HoldOf{ID: class.Canonical(), Class: true})
}

func addHold(out []HoldOf, h HoldOf) []HoldOf {
	if slices.ContainsFunc(out, func(o HoldOf) bool { return o.ID == h.ID }) {
		return out
	}
	return append(out, h)
}

// Reaches reports whether a notice in a hold reaches the thing that belongs to it.
func (h *HoldOf) Reaches(rec *NoticeRecord) bool {
	if h.Inherited {
		return !rec.names(h.ID)
	}
	return !h.Class || rec.reachesAll(h.ID)
}

// OpenNotices returns the open notices of any type that a thing is under, itself or by its lot or class, oldest first. Of more
// than a few thousand it returns some. The identifier may be spelled in any form.
func OpenNotices(v View, id string) ([]NoticeRecord, error) {
	b := &blockRun{o: newOverlay(v)}
	id = canonical(id)
	lot := ""
	if item, ok := get[Item](b.o, b.o.itemKey(id)); ok {
		lot = item.Lot
	}
	var out []NoticeRecord
	b.eachOpen(HoldsOf(id, lot), maxOverLooked, func(rec *NoticeRecord) {
		if !slices.ContainsFunc(out, func(r NoticeRecord) bool { return r.ID == rec.ID }) {
			out = append(out, *rec)
		}
	})
	if b.o.err != nil {
		return nil, b.o.err
	}
	slices.SortFunc(out, func(a, b NoticeRecord) int {
		if a.Height != b.Height {
			if a.Height < b.Height {
				return -1
			}
			return 1
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	return out, nil
}

// eachOpen calls f with the open notices of some holds, alerts included, one of two holds twice. Of what a hold lists besides it
// looks at so many at most; it returns whether it left some out.
func (b *blockRun) eachOpen(holds []HoldOf, most uint64, f func(*NoticeRecord)) (more bool) {
	for i := range holds {
		key := HoldKey(holds[i].ID)
		h, ok := get[Hold](b.o, key)
		if !ok {
			continue
		}
		more = more || h.More > most
		look := func(id crypto.Hash) {
			if rec, ok := get[NoticeRecord](b.o, NoticeKey(id)); ok && rec.Released.IsZero() && holds[i].Reaches(&rec) {
				f(&rec)
			}
		}
		for _, id := range h.Notices {
			look(id)
		}
		for n := range min(h.More, most) {
			id, _ := get[crypto.Hash](b.o, overKey(key, n))
			look(id)
		}
	}
	return more
}

// listed counts the notices that looking for the open ones of some holds looks at, so that it can be paid for before.
func (b *blockRun) listed(holds []HoldOf) int {
	n := uint64(0)
	for i := range holds {
		if h := peek[Hold](b.o, HoldKey(holds[i].ID)); h != nil {
			n += uint64(len(h.Notices)) + min(h.More, maxOverLooked)
		}
	}
	return int(n)
}

// blocking lists the open notices that block a thing, ascending; more says that there may be others.
func (b *blockRun) blocking(holds []HoldOf) (list []crypto.Hash, more bool) {
	more = b.eachOpen(holds, maxOverLooked, func(rec *NoticeRecord) {
		if rec.blocks() {
			list = append(list, rec.ID)
		}
	})
	return sortHashes(list), more
}

// takeNotices puts a thing under the notices that block others. One event may do so to thousands of things, and each notice
// is 32 bytes in the record of each of them, more beyond its list: so it is work. False: it is too much, and what the thing would
// come from must stay as it is.
func (b *blockRun) takeNotices(id string, holds []HoldOf, mayWork func(int) bool) bool {
	if !mayWork(b.listed(holds) / noticesPerWork) {
		return false
	}
	list, more := b.blocking(holds)
	if more {
		return false
	}
	before := b.overs
	b.hold(id, list)
	return mayWork(2 * (b.overs - before))
}

func sortHashes(list []crypto.Hash) []crypto.Hash {
	slices.SortFunc(list, compareHashes)
	return slices.Compact(list)
}

// mergeHashes returns what is in either list, ascending.
func mergeHashes(list, more []crypto.Hash) []crypto.Hash {
	return sortHashes(slices.Concat(list, more))
}

// noticesOpen reports whether any goods are blocked at all: while none are, nothing is looked for.
func (b *blockRun) noticesOpen() bool {
	all, _ := get[Notices](b.o, NoticesKey())
	return all.Open > 0
}

// stillOpen drops from a list what is released, and alerts.
func (b *blockRun) stillOpen(list []crypto.Hash) []crypto.Hash {
	return slices.DeleteFunc(slices.Clone(list), func(id crypto.Hash) bool {
		rec, ok := get[NoticeRecord](b.o, NoticeKey(id))
		return !ok || !rec.blocks()
	})
}

// hold puts an item, lot or class under notices, and has what was made from it followed.
func (b *blockRun) hold(id string, notices []crypto.Hash) {
	for _, n := range b.extendHold(HoldKey(id), notices) {
		b.followThing(n, id)
	}
}

// extendHold adds notices to a record, and returns those that are new in it.
func (b *blockRun) extendHold(key []byte, notices []crypto.Hash) []crypto.Hash {
	h, _ := get[Hold](b.o, key)
	var fresh []crypto.Hash
	for _, n := range notices {
		if _, found := slices.BinarySearchFunc(h.Notices, n, compareHashes); !found && !b.isOver(key, &h, n) {
			fresh = append(fresh, n)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if len(h.Notices)+len(fresh) > maxHolds {
		h.Notices = b.stillOpen(h.Notices)
	}
	room := min(len(fresh), max(0, maxHolds-len(h.Notices)))
	h.Notices = mergeHashes(h.Notices, fresh[:room])
	for _, n := range fresh[room:] {
		b.addOver(key, &h, n)
	}
	put(b.o, key, h)
	return fresh
}

func compareHashes(a, b crypto.Hash) int { return bytes.Compare(a[:], b[:]) }
