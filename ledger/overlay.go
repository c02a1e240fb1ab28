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
//  1. Records are decoded once per block and encoded once, at its end.
//  2. A record in a layer is never changed by what came from another: get returns a copy of the struct, put replaces it;
//     slices inside records are replaced too. So dropping a layer undoes it completely.
//  3. Nothing depends on the order of a map: writes are sorted when they are collected.
//
// A view that fails sets err and reads as absent from then on; Apply looks at err after every transaction.
type overlay struct {
	view   View
	read   map[string]cached // what the view answered, decoded
	layers []map[string]any  // block, transaction, event; nil in a map: deleted
	spare  []map[string]any  // empty ones, for layers to come
	key    []byte            // see itemKey
	err    error
}

// cached is a record as read: its bytes, to leave out writes that change nothing, and its struct. Absent: rec nil.
type cached struct {
	raw []byte
	rec any
}

func newOverlay(v View) *overlay {
	return &overlay{view: v, read: map[string]cached{}, layers: []map[string]any{{}}}
}

// makeRoom prepares for a block with that many events, each of which reads and writes some records: maps that grow are
// copied again and again. Beyond maxRoom they grow.
func (o *overlay) makeRoom(events int) {
	events = min(events, maxRoom)
	o.read, o.layers[0] = make(map[string]cached, 3*events), make(map[string]any, 5*events)
}

const maxRoom = 20_000

// push opens a layer.
func (o *overlay) push() {
	if n := len(o.spare); n > 0 {
		o.layers, o.spare = append(o.layers, o.spare[n-1]), o.spare[:n-1]
		return
	}
	o.layers = append(o.layers, map[string]any{})
}

// maxSpare is the most records in a layer whose map is used again: emptying a large one costs more than a new one.
const maxSpare = 64

// drop forgets the top layer.
func (o *overlay) drop() {
	top := o.layers[len(o.layers)-1]
	o.layers = o.layers[:len(o.layers)-1]
	if len(top) <= maxSpare {
		clear(top)
		o.spare = append(o.spare, top)
	}
}

// merge moves the top layer into the one below.
func (o *overlay) merge() {
	n := len(o.layers)
	if below := o.layers[n-2]; len(below) == 0 {
		o.layers[n-1], o.layers[n-2] = below, o.layers[n-1]
	} else {
		for k, rec := range o.layers[n-1] { // order does not matter: keys are distinct
			below[k] = rec
		}
	}
	o.drop()
}

// dropTo drops layers until n are left.
func (o *overlay) dropTo(n int) {
	for len(o.layers) > n {
		o.drop()
	}
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
func peek[T any](o *overlay, key []byte) *T {
	for i := len(o.layers) - 1; i >= 0; i-- {
		if len(o.layers[i]) == 0 {
			continue
		}
		if rec, ok := o.layers[i][string(key)]; ok {
			if rec == nil {
				return nil
			}
			return rec.(*T)
		}
	}
	c, ok := o.read[string(key)]
	if !ok {
		c = fetch[T](o, key)
	}
	if c.rec == nil {
		return nil
	}
	return c.rec.(*T)
}

// need is get of a record that others say is there: if it is not, the state is damaged, and the block an error.
func need[T any](o *overlay, key []byte) (T, bool) {
	rec, ok := get[T](o, key)
	if !ok && o.err == nil {
		o.err = malformed(ErrState, "there is no record at %q, which others refer to", key)
	}
	return rec, ok
}

func fetch[T any](o *overlay, key []byte) cached {
	var c cached
	raw, err := o.view.Read(key)
	if err == nil && raw != nil {
		var rec *T
		if rec, err = decodeRecord[T](key, raw); err == nil {
			c = cached{raw: raw, rec: rec}
		}
	}
	if err != nil && o.err == nil {
		o.err = err
	}
	o.read[string(key)] = c
	return c
}

// put sets the record at key. It may use the memory of the one that the top layer had there.
func put[T any](o *overlay, key []byte, rec T) {
	top := o.layers[len(o.layers)-1]
	if old, ok := top[string(key)].(*T); ok {
		*old = rec
		return
	}
	kept := new(T) // not &rec, which would be made in either case
	*kept = rec
	top[string(key)] = kept
}

// del removes the record at key.
func (o *overlay) del(key []byte) { o.layers[len(o.layers)-1][string(key)] = nil }

// changed lists the keys that the top layer has, ascending.
func (o *overlay) changed() []string {
	top := o.layers[len(o.layers)-1]
	keys := make([]string, 0, len(top))
	for k := range top {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// under returns the record at key as it is below the top layer; false if there is none.
func under[T any](o *overlay, key string) (T, bool) {
	if rec := peekUnder[T](o, key); rec != nil {
		return *rec, true
	}
	var none T
	return none, false
}

// peekUnder is under without the copy, as peek is get.
func peekUnder[T any](o *overlay, key string) *T {
	for i := len(o.layers) - 2; i >= 0; i-- {
		if rec, ok := o.layers[i][key]; ok {
			if rec == nil {
				return nil
			}
			return rec.(*T)
		}
	}
	c, ok := o.read[key]
	if !ok {
		c = fetch[T](o, []byte(key))
	}
	if c.rec == nil {
		return nil
	}
	return c.rec.(*T)
}

// onTop reports whether the top layer has a record at key, or its deletion.
func (o *overlay) onTop(key []byte) bool {
	_, ok := o.layers[len(o.layers)-1][string(key)]
	return ok
}

// itemKey is ItemKey in memory that the next call uses again.
func (o *overlay) itemKey(id string) []byte {
	o.key = append(append(o.key[:0], "obj/"...), id...)
	return o.key
}

// writes encodes what the block changed, ascending by key, without what is as it was. The record of a deleted key that
// was never read must still be deleted, so absence is asked of the view.
func (o *overlay) writes() ([]Write, error) {
	block := o.layers[0]
	keys := make([]string, 0, len(block))
	for k := range block {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, strings.Compare)
	out := make([]Write, 0, len(keys))
	var scratch []byte
	for _, k := range keys {
		before, err := o.before(k)
		if err != nil {
			return nil, err
		}
		var value []byte
		if rec := block[k]; rec != nil {
			if scratch, err = crypto.AppendMarshal(scratch[:0], rec); err != nil {
				return nil, malformedBy(ErrState, err, "state key %q", k)
			}
			value = scratch
		}
		if (value == nil) == (before == nil) && bytes.Equal(value, before) {
			continue
		}
		out = append(out, Write{Key: []byte(k), Value: bytes.Clone(value)})
	}
	return out, nil
}

func (o *overlay) before(k string) ([]byte, error) {
	if c, ok := o.read[k]; ok {
		return c.raw, nil
	}
	return o.view.Read([]byte(k))
}
