package ledger

import (
	"bytes"
	"slices"
	"strings"

	"waybill/crypto"
)

// overlay is the state during one block: what the view says, under what the block has changed so far, under what the
// transaction in hand has changed, under what its event in hand has changed.
//
//  1. There is one slot for each key that was asked for or changed, found once by its key. Records are decoded once per block
//     and encoded once, at its end.
//  2. A slot holds what the view said, and above that what each layer changed it to, if it did. A layer is the list of slots
//     that it changed: to drop it takes these changes off again, to merge it hands them to the layer below.
//  3. A record in a layer is never changed by what came from another: get returns a copy of the struct, put replaces it;
//     slices inside records are replaced too. So dropping a layer undoes it completely.
//  4. Nothing depends on the order of a map: slots are listed in the order in which they were changed, and sorted where the
//     order is told to others.
//
// A view that fails sets err and reads as absent from then on; Apply looks at err after every transaction.
//
// An earlier form had a map from key to record for the view and for each layer: four searches for a record that most often
// was in the last, and each change moved through three of them.
type overlay struct {
	view   View
	slots  map[string]*slot
	layers [][]*slot // block, transaction, event
	room   []slot    // memory for slots to come
	key    []byte    // see itemKey
	err    error
}

// slot is one key of the state during a block.
type slot struct {
	key     string
	asked   bool     // the view was
	raw     []byte   // what the view answered, to leave out writes that change nothing; nil: there is no record
	read    any      // raw, decoded; nil: there is no record
	changes []change // by layers that changed it, lowest first
	few     [2]change
}

// change is what a layer made of a slot. rec nil: deleted.
type change struct {
	layer int
	rec   any
}

func newOverlay(v View) *overlay {
	return &overlay{view: v, slots: map[string]*slot{}, layers: make([][]*slot, 1, 3)}
}

// makeRoom prepares for a block with that many events, each of which asks for or changes some records: maps that grow are
// copied again and again. Beyond maxRoom they grow.
func (o *overlay) makeRoom(events int) {
	events = min(events, maxRoom)
	o.slots, o.layers[0] = make(map[string]*slot, 6*events), make([]*slot, 0, 5*events)
}

const maxRoom = 20_000

// slotsAtOnce is for how many slots memory is taken at once.
const slotsAtOnce = 128

// slot returns the slot of a key, which may be one of which nothing is known yet.
func (o *overlay) slot(key []byte) *slot {
	if s := o.slots[string(key)]; s != nil {
		return s
	}
	if len(o.room) == 0 {
		o.room = make([]slot, slotsAtOnce)
	}
	s := &o.room[0]
	o.room = o.room[1:]
	s.key = string(key)
	s.changes = s.few[:0]
	o.slots[s.key] = s
	return s
}

// top is the last change of a slot, nil if there is none.
func (s *slot) top() *change {
	if n := len(s.changes); n > 0 {
		return &s.changes[n-1]
	}
	return nil
}

// push opens a layer.
func (o *overlay) push() {
	if n := len(o.layers); n < cap(o.layers) {
		o.layers = o.layers[:n+1]
		o.layers[n] = o.layers[n][:0] // memory of a layer that was dropped
		return
	}
	o.layers = append(o.layers, nil)
}

// maxSpare is the most slots for which the memory of a dropped layer is kept.
const maxSpare = 4096

// drop forgets the top layer.
func (o *overlay) drop() {
	for _, s := range o.onTop() {
		s.unchange()
	}
	o.pop()
}

// unchange takes the last change of a slot off.
func (s *slot) unchange() {
	n := len(s.changes) - 1
	s.changes[n] = change{}
	s.changes = s.changes[:n]
}

// pop closes the top layer.
func (o *overlay) pop() {
	n := len(o.layers) - 1
	if clear(o.layers[n]); cap(o.layers[n]) > maxSpare {
		o.layers[n] = nil
	}
	o.layers = o.layers[:n]
}

// merge moves the top layer into the one below.
func (o *overlay) merge() {
	below := len(o.layers) - 2
	for _, s := range o.onTop() {
		last := s.top()
		if n := len(s.changes); n > 1 && s.changes[n-2].layer == below {
			s.changes[n-2].rec = last.rec
			s.unchange()
			continue
		}
		last.layer = below
		o.layers[below] = append(o.layers[below], s)
	}
	o.pop()
}

// dropTo drops layers until n are left.
func (o *overlay) dropTo(n int) {
	for len(o.layers) > n {
		o.drop()
	}
}

// onTop lists the slots that the top layer changed, in the order in which it did. They must not be kept beyond the layer.
func (o *overlay) onTop() []*slot { return o.layers[len(o.layers)-1] }

// isOnTop reports whether the top layer changed a slot.
func (o *overlay) isOnTop(s *slot) bool {
	last := s.top()
	return last != nil && last.layer == len(o.layers)-1
}

// get returns the record at key as a copy; false if there is none.
func get[T any](o *overlay, key []byte) (T, bool) {
	if rec := peek[T](o, key); rec != nil {
		return *rec, true
	}
	var none T
	return none, false
}

// peek is get without the copy, nil if there is none: for a look that ends before anything is put. The record must not be
// changed.
func peek[T any](o *overlay, key []byte) *T { return current[T](o, o.slot(key)) }

// current is peek of a slot.
func current[T any](o *overlay, s *slot) *T {
	if last := s.top(); last != nil {
		return as[T](last.rec)
	}
	return asRead[T](o, s)
}

// as is the record that a slot holds, nil if it holds none.
func as[T any](rec any) *T {
	if rec == nil {
		return nil
	}
	return rec.(*T)
}

// need is get of a record that others say is there: if it is not, the state is damaged, and the block an error.
func need[T any](o *overlay, key []byte) (T, bool) {
	rec, ok := get[T](o, key)
	if !ok && o.err == nil {
		o.err = malformed(ErrState, "there is no record at %q, which others refer to", key)
	}
	return rec, ok
}

// asRead returns what the view says of a slot, and asks it once.
func asRead[T any](o *overlay, s *slot) *T {
	if s.asked {
		return as[T](s.read)
	}
	s.asked = true
	raw, err := o.view.Read([]byte(s.key))
	if err == nil && raw != nil {
		var rec *T
		if rec, err = decodeRecord[T](s.key, raw); err == nil {
			s.raw, s.read = raw, rec
		}
	}
	if err != nil && o.err == nil {
		o.err = err
	}
	return as[T](s.read)
}

// put sets the record at key. It may use the memory of the one that the top layer had there.
func put[T any](o *overlay, key []byte, rec T) {
	s := o.slot(key)
	if o.isOnTop(s) {
		if old, ok := s.top().rec.(*T); ok {
			*old = rec
			return
		}
	}
	kept := new(T) // not &rec, which would be made in either case
	*kept = rec
	o.change(s, kept)
}

// change has the top layer change a slot.
func (o *overlay) change(s *slot, rec any) {
	if o.isOnTop(s) {
		s.top().rec = rec
		return
	}
	n := len(o.layers) - 1
	s.changes = append(s.changes, change{layer: n, rec: rec})
	o.layers[n] = append(o.layers[n], s)
}

// del removes the record at key.
func (o *overlay) del(key []byte) { o.change(o.slot(key), nil) }

// changed lists the slots that the top layer has, ascending by key.
func (o *overlay) changed() []*slot {
	list := slices.Clone(o.onTop())
	slices.SortFunc(list, bySlotKey)
	return list
}

func bySlotKey(a, b *slot) int { return strings.Compare(a.key, b.key) }

// under returns the record of a slot as it is below the top layer; false if there is none.
func under[T any](o *overlay, s *slot) (T, bool) {
	if rec := peekUnder[T](o, s); rec != nil {
		return *rec, true
	}
	var none T
	return none, false
}

// peekUnder is under without the copy, as peek is get.
func peekUnder[T any](o *overlay, s *slot) *T {
	if !o.isOnTop(s) {
		return current[T](o, s)
	}
	if n := len(s.changes); n > 1 {
		return as[T](s.changes[n-2].rec)
	}
	return asRead[T](o, s)
}

// itemKey is ItemKey in memory that the next call uses again.
func (o *overlay) itemKey(id string) []byte {
	o.key = append(append(o.key[:0], "obj/"...), id...)
	return o.key
}

// writes encodes what the block changed, ascending by key, without what is as it was. The record of a deleted key that
// was never read must still be deleted, so absence is asked of the view.
func (o *overlay) writes() ([]Write, error) {
	block := o.changed()
	out := make([]Write, 0, len(block))
	var scratch []byte
	for _, s := range block {
		before, err := o.before(s)
		if err != nil {
			return nil, err
		}
		var value []byte
		if rec := s.top().rec; rec != nil {
			if scratch, err = crypto.AppendMarshal(scratch[:0], rec); err != nil {
				return nil, malformedBy(ErrState, err, "state key %q", s.key)
			}
			value = scratch
		}
		if (value == nil) == (before == nil) && bytes.Equal(value, before) {
			continue
		}
		out = append(out, Write{Key: []byte(s.key), Value: bytes.Clone(value)})
	}
	return out, nil
}

func (o *overlay) before(s *slot) ([]byte, error) {
	if s.asked {
		return s.raw, nil
	}
	return o.view.Read([]byte(s.key))
}
