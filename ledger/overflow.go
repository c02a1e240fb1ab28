package ledger

import "waybill/crypto"

// What a thing is under beyond the list of its [Hold]. A list of any length would make the record of a thing without end, so
// each further notice has a record of its own, by its number, and one that gives the number, so that it is entered once.

// maxOverLooked is how many of them are looked at when goods leave. A thing with more is stopped.
const maxOverLooked = 4096

// overKey is where the n-th further notice of a hold is; hold is the state key of that.
func overKey(hold []byte, n uint64) []byte { return key("over", string(hold), ordinal(n)) }

// overAtKey is where the number of a further notice is.
func overAtKey(hold []byte, notice crypto.Hash) []byte {
	return key("overat", string(hold), string(notice[:]))
}

// isOver reports whether a hold has a notice beyond its list. A number is only as good as the record that it leads to: undoing
// puts back a hold and leaves these.
func (b *blockRun) isOver(hold []byte, h *Hold, notice crypto.Hash) bool {
	if h.More == 0 {
		return false
	}
	n, ok := get[uint64](b.o, overAtKey(hold, notice))
	if !ok || n >= h.More {
		return false
	}
	at, _ := get[crypto.Hash](b.o, overKey(hold, n))
	return at == notice
}

// addOver enters a notice beyond the list. Now and then, when their number has doubled, released ones give way.
func (b *blockRun) addOver(hold []byte, h *Hold, notice crypto.Hash) {
	if h.More >= maxHolds && h.More&(h.More-1) == 0 {
		b.tidyOver(hold, h)
	}
	put(b.o, overKey(hold, h.More), notice)
	put(b.o, overAtKey(hold, notice), h.More)
	h.More++
	b.overs++
}

func (b *blockRun) tidyOver(hold []byte, h *Hold) {
	kept := uint64(0)
	for n := range h.More {
		notice, _ := get[crypto.Hash](b.o, overKey(hold, n))
		if rec, ok := get[NoticeRecord](b.o, NoticeKey(notice)); !ok || !rec.blocks() {
			b.o.del(overAtKey(hold, notice))
			continue
		}
		put(b.o, overKey(hold, kept), notice)
		put(b.o, overAtKey(hold, notice), kept)
		kept++
	}
	for n := kept; n < h.More; n++ {
		b.o.del(overKey(hold, n))
	}
	h.More = kept
}

// stillOpenIn lists the notices of a hold that block goods now.
func (b *blockRun) stillOpenIn(hold []byte, h *Hold) []crypto.Hash {
	list := b.stillOpen(h.Notices)
	for n := range h.More {
		notice, _ := get[crypto.Hash](b.o, overKey(hold, n))
		list = append(list, b.stillOpen([]crypto.Hash{notice})...)
	}
	return list
}
