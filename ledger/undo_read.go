package ledger

import (
	"encoding/binary"
	"errors"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// errNotes is what a reader of notes says about bytes that undoWriter did not write. It is a fault of the state.
var errNotes = errors.New("ledger: the notes of an event do not read")

// undoNote is one note of an event. Which fields count depends on its kind.
type undoNote struct {
	kind noteKind
	key  string // the state key, of an item, a lot and contents the identifier

	moves, mask uint64 // of items and lots; moves also of arrivals and clears
	item        Item   // its changed fields, as they were
	lot         Lot

	existed bool // the balance
	was, is Balance

	left, came       []string // contents: items taken out and put in; transit: all that were listed if one is gone, and those added
	gone             []string // transit: shipments taken off the list
	lotLeft, lotCame []PackedAmount

	before, after string // of exact notes: the bytes before, and the digest after
}

// undoReader reads what undoWriter wrote.
type undoReader struct {
	data []byte
	all  []byte
	text []string
	name int // of text that the event names
	bad  bool
}

func newUndoReader(notes []byte, names []string) *undoReader {
	return &undoReader{data: notes, all: notes, text: names[:len(names):len(names)], name: len(names)}
}

// again starts over.
func (r *undoReader) again() { r.data, r.text = r.all, r.text[:r.name:r.name] }

// next reads a note; false at the end, and where the bytes make no sense (see bad).
func (r *undoReader) next(n *undoNote) bool {
	if len(r.data) == 0 || r.bad {
		return false
	}
	*n = undoNote{kind: noteKind(r.data[0])}
	r.data = r.data[1:]
	n.key = r.string()
	switch n.kind {
	case noteItem:
		n.moves, n.mask = r.number(), r.number()
		r.itemFields(n.mask, &n.item)
	case noteLot:
		n.moves, n.mask = r.number(), r.number()
		r.lotFields(n.mask, &n.lot)
	case noteBalance:
		n.existed = r.flag()
		n.was, n.is = r.balance(), r.balance()
	case noteContents:
		n.left, n.came = r.strings(), r.strings()
		n.lotLeft, n.lotCame = r.packed(), r.packed()
	case noteTransit:
		n.came, n.gone, n.left = r.hashes(), r.hashes(), r.hashes()
	case noteEdge:
	case noteArrivals, noteClears:
		n.moves = r.number()
	case noteExact, noteSoft:
		n.before, n.after = r.string(), r.string()
	default:
		r.bad = true
	}
	return !r.bad
}

func (r *undoReader) number() uint64 {
	n, size := binary.Uvarint(r.data)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.data = r.data[size:]
	return n
}

func (r *undoReader) signed() int64 {
	n, size := binary.Varint(r.data)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.data = r.data[size:]
	return n
}

func (r *undoReader) fail() { r.bad, r.data = true, nil }

func (r *undoReader) string() string {
	at := r.number()
	if at > 0 {
		if at > uint64(len(r.text)) {
			r.fail()
			return ""
		}
		return r.text[at-1]
	}
	size := r.number()
	if size > uint64(len(r.data)) {
		r.fail()
		return ""
	}
	s := string(r.data[:size])
	r.data, r.text = r.data[size:], append(r.text, s)
	return s
}

// count reads the length of a list whose elements are a byte each at least.
func (r *undoReader) count() int {
	n := r.number()
	if n > uint64(len(r.data)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *undoReader) strings() []string {
	var out []string
	for n := r.count(); n > 0 && !r.bad; n-- {
		out = append(out, r.string())
	}
	return out
}

// hashes reads a list of texts as long as hashes.
func (r *undoReader) hashes() []string {
	list := r.strings()
	for _, s := range list {
		if len(s) != crypto.HashSize {
			r.fail()
			return nil
		}
	}
	return list
}

// fixed copies a text of a known length, as that of hashes and addresses.
func (r *undoReader) fixed(to []byte) {
	if s := r.string(); copy(to, s) != len(to) || len(s) != len(to) {
		r.fail()
	}
}

func (r *undoReader) flag() bool { return r.number() == 1 }

func (r *undoReader) amount() Amount {
	a := Amount{Coefficient: r.signed()}
	a.Exponent = int8(r.signed())
	return a
}

func (r *undoReader) packed() []PackedAmount {
	var out []PackedAmount
	for n := r.count(); n > 0 && !r.bad; n-- {
		q := PackedAmount{Lot: r.string(), Unit: r.string()}
		q.Amount, q.Unmeasured = r.amount(), r.flag()
		out = append(out, q)
	}
	return out
}

func (r *undoReader) balance() Balance {
	b := Balance{Unmeasured: r.flag()}
	b.Amount, b.Takes, b.Sets, b.Arrivals = r.amount(), r.number(), r.number(), r.number()
	return b
}

// itemFields reads what undoWriter.itemFields wrote.
func (r *undoReader) itemFields(mask uint64, was *Item) {
	has := func(bit uint64) bool { return mask&bit != 0 && mask&bitAbsent == 0 }
	if has(bitState) {
		was.State = ItemState(r.number())
	}
	if has(bitFlags) {
		was.Flags = ItemFlags(r.number())
	}
	if has(bitOwner) {
		r.fixed(was.Owner[:])
	}
	if has(bitCustodian) {
		r.fixed(was.Custodian[:])
	}
	if has(bitShipment) {
		r.fixed(was.Shipment[:])
	}
	if has(bitBorn) {
		r.fixed(was.BornBy[:])
		r.fixed(was.BornEvent[:])
		was.BornHeight = quorum.Height(r.number())
	}
	if has(bitParent) {
		was.Parent = r.string()
	}
	if has(bitPlace) {
		was.Place = r.string()
	}
	if has(bitDisposition) {
		was.Disposition = r.string()
	}
	if has(bitLot) {
		was.Lot = r.string()
	}
	if has(bitExpiry) {
		was.ExpiryMs = int64(r.number())
	}
	if has(bitOwnerSince) {
		was.OwnerSince = r.number()
	}
	if has(bitPackedSince) {
		was.PackedSince = r.number()
	}
	if has(bitLevels) {
		was.Levels = uint8(r.number())
	}
	if has(bitMade) {
		was.Made = r.number()
	}
	if has(bitUsed) {
		was.Used = r.number()
	}
	if has(bitInside) {
		was.InsideExpiryMs = int64(r.number())
	}
}

// lotFields reads what undoWriter.lot wrote.
func (r *undoReader) lotFields(mask uint64, was *Lot) {
	has := func(bit uint64) bool { return mask&bit != 0 && mask&bitAbsent == 0 }
	if has(bitFlags) {
		was.Flags = ItemFlags(r.number())
	}
	if has(bitNumber) {
		was.LotNumber = r.string()
	}
	if has(bitExpiry) {
		was.ExpiryMs = int64(r.number())
	}
	if has(bitUnits) {
		was.Units = r.strings()
	}
	if has(bitBorn) {
		r.fixed(was.BornBy[:])
		r.fixed(was.BornEvent[:])
	}
	if has(bitMade) {
		was.Made = r.number()
	}
	if has(bitUsed) {
		was.Used = r.number()
	}
}
