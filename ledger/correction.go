package ledger

import (
	"strconv"

	"waybill/crypto"
	"waybill/epcis"
)

// Corrections are append-only (EPCIS 2.0, section 7.4.1.2): the author repeats the event with an error declaration. The
// event stays on record and on the chains of what it names. Its effects are undone if it is young enough, nothing
// stands on it and no other rule is gone around by it (see undo_guard.go); else what it named is marked as tainted, and nothing else changes. Everything made from what is tainted is
// not: who declares an error about an input does not thereby say anything about outputs of others.

// declare records an error declaration.
func (e *eventRun) declare() *Finding {
	e.checkDeclaration()
	key := EventKey(e.author, e.e.original)
	mark, ok := get[EventMark](e.o, key)
	switch {
	case !ok:
		e.mark(finding(CodeDeclaredNone, declarationField))
	case mark.Undone:
		e.mark(finding(CodeUndoneBefore, declarationField).against(e.e.original, mark.Tx, mark.Height))
	default:
		e.mark(finding(CodeDeclared, declarationField).against(e.e.original, mark.Tx, mark.Height))
		f := e.undoEvent(&mark)
		f.EventIndex = e.index
		e.mark(f)
		mark.DeclaredBy, mark.Undone = e.e.hash, f.Code == CodeUndone
		put(e.o, key, mark)
		if !mark.Undone {
			e.taint()
		}
	}
	e.touchAll()
	return nil
}

const declarationField = "/errorDeclaration"

// checkDeclaration marks what makes a declaration less useful than it could be.
func (e *eventRun) checkDeclaration() {
	d := e.e.event.ErrorDeclaration
	if d.Reason == "" {
		e.mark(finding(CodeNoReason, declarationField+"/reason"))
	}
	for i, id := range d.CorrectiveEventIDs {
		if len(id) <= maxIDBytes {
			if _, ok := get[crypto.Hash](e.o, eventIDKey(e.author, id, false)); ok {
				continue
			}
		}
		e.mark(finding(CodeNoCorrective, declarationField+"/correctiveEventIDs/"+strconv.Itoa(i), id))
	}
}

// undoEvent takes back what an event of the author changed, or says what stands in the way. It always returns a mark.
func (e *eventRun) undoEvent(mark *EventMark) *Finding {
	notes, kept := e.notesOf(mark)
	switch {
	case !kept && e.e.onlySees():
		return finding(CodeUndone, "") // it moved nothing
	case !e.correctable(mark.Height) || !kept:
		return finding(CodeWindowOver, "", decimal(mark.Height), decimal(e.params.CorrectionWindow))
	case !notes.Known:
		return finding(CodeTooMuchToUndo, "")
	}
	if !e.mayWork(len(notes.Notes) / undoWorkBytes) {
		return finding(CodeTooMuchToUndo, "")
	}
	u := undoing{e: e, mark: *mark, notes: newUndoReader(notes.Notes, e.e.names())}
	if o := u.obstacle(); o != nil {
		if o.event.IsZero() {
			return finding(CodeChangedSince, "")
		}
		return finding(CodeStandsOn, "", o.event.String(), decimal(o.height)).against(o.event, crypto.Hash{}, o.height)
	}
	if f := u.forbids(); f != nil {
		return f
	}
	u.keepNotices()
	u.apply()
	return finding(CodeUndone, "")
}

// notesOf finds what an event changed; false if nothing is kept of it.
func (e *eventRun) notesOf(mark *EventMark) (eventUndo, bool) {
	list := e.undo
	if mark.Tx != e.tx.id {
		rec, _ := get[undoRecord](e.o, undoKey(mark.Tx))
		list = rec.Events
	}
	for i := range list {
		if list[i].Event == e.e.original {
			return list[i], true
		}
	}
	return eventUndo{}, false
}

// names lists what the event names, each once, in the order of touchAll.
func (c *capturedEvent) names() []string {
	items, lots := c.allNamed()
	var out []string
	seen := make(map[string]bool, len(items)+len(lots))
	for _, list := range [][]thing{items, lots} {
		for _, t := range list {
			if !seen[t.id] {
				seen[t.id] = true
				out = append(out, t.id)
			}
		}
	}
	return out
}

// onlySees reports whether the event does no more than see things, whatever the state: it has nothing to undo but what
// it said of place and condition.
func (c *capturedEvent) onlySees() bool {
	if c.act != actNone {
		return false
	}
	switch c.event.Type {
	case epcis.TransactionEvent:
		return true
	case epcis.TransformationEvent:
		return false
	}
	return c.event.Action == epcis.ActionObserve
}

// taint marks everything that the event names.
func (e *eventRun) taint() {
	items, lots := e.e.allNamed()
	for _, t := range items {
		if item, ok := get[Item](e.o, e.o.itemKey(t.id)); ok {
			item.Flags |= FlagTainted
			put(e.o, e.o.itemKey(t.id), item)
		}
	}
	for _, t := range lots {
		if lot, ok := get[Lot](e.o, LotKey(t.id)); ok {
			lot.Flags |= FlagTainted
			put(e.o, LotKey(t.id), lot)
		}
	}
}

// item returns an item that is on the ledger: of one whose birth was undone only the chain is left.
func (b *blockRun) item(id string) (Item, bool) {
	item, ok := get[Item](b.o, b.o.itemKey(id))
	return item, ok && item.Flags&FlagUndone == 0
}

// has reports whether there is such an item.
func (b *blockRun) has(id string) bool {
	item := peek[Item](b.o, b.o.itemKey(id))
	return item != nil && item.Flags&FlagUndone == 0
}

// outermost returns the outermost container of an item, or the item itself, to be looked at before anything is put; nil if it
// is not on the ledger.
func (b *blockRun) outermost(id string) *Item {
	var at *Item
	for n := 0; id != ""; n++ {
		next := peek[Item](b.o, b.o.itemKey(id))
		if next == nil || next.Flags&FlagUndone != 0 {
			if at != nil {
				panic("ledger: container " + id + " is not on the ledger")
			}
			return nil
		}
		if n > maxPackingDepth {
			panic("ledger: " + id + " is packed too deep")
		}
		at, id = next, next.Parent
	}
	return at
}

// lot returns a lot that is on the ledger, as item does.
func (b *blockRun) lot(id string) (Lot, bool) {
	lot, ok := get[Lot](b.o, LotKey(id))
	return lot, ok && lot.Flags&FlagUndone == 0
}
