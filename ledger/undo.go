package ledger

import (
	"strings"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// What an event changed is kept for Params.CorrectionWindow blocks, so that it can be undone if its author declares that
// it was wrong (see correction.go) and nothing stands on it.
//
//  1. Notes are taken from the layer of the event when its effects are done, whatever rule made them: no rule has to
//     know. A kind of record that noteKey does not know makes the event one that cannot be undone.
//  2. "Nothing stands on it" is decided by counters, not by comparing values: what was shipped and taken back looks as
//     it did. Item.Moves and Lot.Moves grow by one with every event that changes the record, observations aside, and with
//     every change of what is packed below an outermost container, because custody is inherited from there. A note
//     holds the counter as the event left it. Undoing restores the counter too, so events can be undone last to first.
//  3. Balances are sums, so what others put in does not stand in the way, nor, where the event took, what others took;
//     see balanceStands. Edges are lists; one in the middle of its list is blanked.
//  4. Names are written as their place among what the event names, which the declaration repeats. A note of ten serials
//     commissioned is 40 bytes.

// eventUndo is the notes of one event.
type eventUndo struct {
	_     struct{} `cbor:",toarray"`
	Event crypto.Hash
	Known bool   // false: it changed more than is kept, or what cannot be undone
	Notes []byte // see undoWriter
}

// undoRecord is the notes of a transaction's events.
type undoRecord struct {
	_      struct{} `cbor:",toarray"`
	Events []eventUndo
}

// undoBlock is the transactions of one block that have notes, one id after the other.
type undoBlock struct {
	_      struct{} `cbor:",toarray"`
	Height quorum.Height
	IDs    []byte
}

// undoQueue is where the list of undoBlocks begins and ends.
type undoQueue struct {
	_          struct{} `cbor:",toarray"`
	Head, Tail uint64
}

// Bounds of what is kept.
const (
	maxUndoBytes   = 256 << 10 // of one event
	maxUndoBytesTx = 1 << 20   // of a transaction
	maxUndoBlocks  = 2         // how many blocks' notes one block forgets; one more than it adds
	undoWorkBytes  = 32        // of notes that are about one thing handled; see work.go
)

// keepUndo stores the notes of the transaction.
func (t *txRun) keepUndo() {
	if len(t.undo) > 0 {
		put(t.o, undoKey(t.tx.id), undoRecord{Events: t.undo})
	}
}

// rememberUndo lists the transactions of this block for forgetUndo.
func (b *blockRun) rememberUndo() {
	if len(b.undoIDs) == 0 {
		return
	}
	q, _ := get[undoQueue](b.o, []byte(keyUndos))
	put(b.o, undoBlockKey(q.Tail), undoBlock{Height: b.height, IDs: b.undoIDs})
	q.Tail++
	put(b.o, []byte(keyUndos), q)
}

// forgetUndo drops the notes that are too old to be used.
func (b *blockRun) forgetUndo() {
	q, ok := get[undoQueue](b.o, []byte(keyUndos))
	if !ok {
		return
	}
	before := q.Head
	for range maxUndoBlocks {
		list, ok := get[undoBlock](b.o, undoBlockKey(q.Head))
		if !ok || b.correctable(list.Height) {
			break
		}
		for ids := list.IDs; len(ids) >= crypto.HashSize; ids = ids[crypto.HashSize:] {
			b.o.del(undoKey(crypto.Hash(ids[:crypto.HashSize])))
		}
		b.o.del(undoBlockKey(q.Head))
		q.Head++
	}
	if q.Head != before {
		put(b.o, []byte(keyUndos), q)
	}
}

// correctable reports whether events of a height can be undone in this block.
func (b *blockRun) correctable(h quorum.Height) bool {
	return uint64(b.height-h) <= b.params.CorrectionWindow && b.params.CorrectionWindow > 0
}

// noteEffects counts the changes of the event in the records that it changed, and keeps what they were before.
func (e *eventRun) noteEffects() {
	e.countContents()
	w := undoWriter{e: e, names: e.names, buf: make([]byte, 0, 512)}
	for _, s := range e.o.changed() {
		w.noteSlot(s)
	}
	if e.params.CorrectionWindow == 0 || (len(w.buf) == 0 && !w.unknown && e.e.onlySees()) {
		return
	}
	size := len(w.buf)
	for i := range e.undo {
		size += len(e.undo[i].Notes)
	}
	if w.unknown || len(w.buf) > maxUndoBytes || size > maxUndoBytesTx {
		e.undo = append(e.undo, eventUndo{Event: e.e.hash})
		return
	}
	e.undo = append(e.undo, eventUndo{Event: e.e.hash, Known: true, Notes: w.buf})
}

// countContents counts a change of contents as one of the container, and of the outermost one around it.
func (t *txRun) countContents() {
	var containers []string
	for _, s := range t.o.onTop() {
		if id, ok := strings.CutPrefix(s.key, "contains/"); ok {
			containers = append(containers, id)
		}
	}
	for _, id := range containers {
		t.countMove(id)
		for range maxPackingDepth {
			item := peek[Item](t.o, t.o.itemKey(id))
			if item == nil || item.Parent == "" {
				break
			}
			id = item.Parent
		}
		t.countMove(id)
	}
}

func (t *txRun) countMove(id string) {
	key := t.o.itemKey(id)
	s := t.o.slot(key)
	item := current[Item](t.o, s)
	if item == nil {
		return
	}
	moves := uint64(1)
	if was := peekUnder[Item](t.o, s); was != nil {
		moves = was.Moves + 1
	}
	if item.Moves != moves || !t.o.isOnTop(s) {
		counted := *item
		counted.Moves = moves
		put(t.o, key, counted)
	}
}

// stampMoves counts the changes that a transaction without events made, so that no event is undone under it.
func (t *txRun) stampMoves() {
	t.countContents()
	for _, s := range t.o.onTop() {
		switch rec := s.top().rec.(type) {
		case *Item:
			was, _ := under[Item](t.o, s)
			itemChange(&was, rec)
		case *Lot:
			was, _ := under[Lot](t.o, s)
			lotChange(&was, rec)
		case *Balance:
			was, _ := under[Balance](t.o, s)
			if was.Amount != rec.Amount || was.Unmeasured != rec.Unmeasured {
				rec.Takes, rec.Sets, rec.LastTake, rec.TakenAt = was.Takes, was.Sets+1, crypto.Hash{}, t.height
			}
		}
	}
}
