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

// OpenNotices returns the open notices of any type that a thing is under, itself or by its lot or class, oldest first. A
// Hold with More may hide further ones. The identifier may be spelled in any form.
func OpenNotices(v View, id string) ([]NoticeRecord, error) {
	b := &blockRun{o: newOverlay(v)}
	id = canonical(id)
	lot := ""
	if item, ok := get[Item](b.o, b.o.itemKey(id)); ok {
		lot = item.Lot
	}
	var out []NoticeRecord
	b.eachOpen(HoldsOf(id, lot), func(rec *NoticeRecord) {
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

// eachOpen calls f with the open notices of some holds, alerts included, one of two holds twice; it returns how many the
// holds list, and whether there are more than they list.
func (b *blockRun) eachOpen(holds []HoldOf, f func(*NoticeRecord)) (listed int, more bool) {
	for i := range holds {
		h, ok := get[Hold](b.o, HoldKey(holds[i].ID))
		if !ok {
			continue
		}
		listed, more = listed+len(h.Notices), more || h.More
		for _, id := range h.Notices {
			if rec, ok := get[NoticeRecord](b.o, NoticeKey(id)); ok && rec.Released.IsZero() && holds[i].Reaches(&rec) {
				f(&rec)
			}
		}
	}
	return listed, more
}

// blocking lists the open notices that block a thing, ascending; the zero Hash stands for those that its holds do not list.
func (b *blockRun) blocking(holds []HoldOf) []crypto.Hash {
	var out []crypto.Hash
	_, more := b.eachOpen(holds, func(rec *NoticeRecord) {
		if rec.blocks() {
			out = append(out, rec.ID)
		}
	})
	if more {
		out = append(out, crypto.Hash{})
	}
	return sortHashes(out)
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

// hold puts an item, lot or class under notices (the zero Hash: under more than are listed), and has what was made from it
// followed.
func (b *blockRun) hold(id string, notices []crypto.Hash) {
	for _, n := range b.extendHold(HoldKey(id), notices) {
		b.followThing(n, id)
	}
}

// extendHold adds notices to a record, and returns those that are new in it. What the list has no place for becomes More,
// which is returned as the zero Hash.
func (b *blockRun) extendHold(key []byte, notices []crypto.Hash) []crypto.Hash {
	h, _ := get[Hold](b.o, key)
	var fresh []crypto.Hash
	for _, n := range notices {
		if _, found := slices.BinarySearchFunc(h.Notices, n, compareHashes); !found && !n.IsZero() {
			fresh = append(fresh, n)
		}
	}
	more := len(notices) > 0 && notices[0].IsZero()
	if len(fresh) == 0 && (!more || h.More) {
		return nil
	}
	list := h.Notices
	if len(list)+len(fresh) > maxHolds {
		list = b.stillOpen(list)
	}
	if room := max(0, maxHolds-len(list)); len(fresh) > room {
		fresh, more = fresh[:room], true
	}
	h.Notices = mergeHashes(list, fresh)
	if more && !h.More {
		h.More, fresh = true, append(fresh, crypto.Hash{})
	}
	put(b.o, key, h)
	return fresh
}

func compareHashes(a, b crypto.Hash) int { return bytes.Compare(a[:], b[:]) }
