package ledger

import (
	"slices"

	"waybill/crypto"
	"waybill/epcis/gs1"
)

// How a notice reaches what was made from its subjects.
//
// Goods are made from others by transformations, before and after a notice about them. So there are two ways, which
// together leave nothing out:
//
//  1. At a transformation its link takes over the notices that block its inputs, and every output those of its link. The
//     link is that of the transformationID: notices of the inputs of one event reach the outputs of another.
//  2. A new notice is followed along the uses that are on record, breadth first: from a thing to the links that used it,
//     from a link to its outputs. Each block goes a bounded number of steps; the rest waits in the state. Notices take
//     turns, so that one with a million products does not keep a small one waiting. Who looks at a notice that is still
//     under way sees it in [ReadFollowing] and in Notices.Head and Tail.
//
// A notice about a lot or class is in one Hold, not in those of its serials, so uses of a serial are listed under its lot
// and its class as well, and those of a lot under its class. A use that a flagged rule left without effect is listed
// too: the event says that it happened.
//
// A thing is entered once for a notice, and a link once; genealogy has no cycles; so the work of a notice is the number of
// edges below its subjects. What a released notice had left to do is dropped, also in bounded steps.

// Bounds of following.
const (
	followBudget = 2048 // steps of all notices in a block
	followTurn   = 256  // steps of one notice until the next one's turn
)

// followSpan is the part of the queue of a notice that is not done.
type followSpan struct {
	_          struct{} `cbor:",toarray"`
	Head, Tail uint64
}

// followStep is a thing whose uses, or a link whose outputs, a notice has still to reach.
type followStep struct {
	_      struct{} `cbor:",toarray"`
	Thing  string
	Link   crypto.Hash // where Thing is ""
	Whole  bool        // also what was made from serials and lots of Thing
	Used   uint64      // uses of Thing itself that are done
	Listed uint64      // uses listed under Thing that are done
	After  string      // outputs of Link up to here are done
}

// uses counts what is listed under a lot or class, or under a thing without effect on it.
type uses struct {
	_     struct{} `cbor:",toarray"`
	Count uint64
	Last  crypto.Hash // link of the latest; one transformation of many serials is one use
}

// turnKey is where the n-th notice in the queue is.
func turnKey(n uint64) []byte { return key("turn", ordinal(n)) }

// FollowingKey is the state key that exists while a notice has not reached all that was made from its subjects.
func FollowingKey(notice crypto.Hash) []byte { return key("following", string(notice[:])) }

func followKey(notice crypto.Hash, n uint64) []byte {
	return key("follow", string(notice[:])+ordinal(n))
}

// usesKey is where the uses of an item, lot or class are counted that are on no edge of its own.
func usesKey(id string) []byte { return key("uses", id) }

// useKey is where the link of the n-th such use is.
func useKey(id string, n uint64) []byte { return key("use", id, ordinal(n)) }

// linkHoldKey is where the [Hold] of a link is.
func linkHoldKey(link crypto.Hash) []byte { return key("linkhold", string(link[:])) }

// ReadFollowing reports whether a notice has not yet reached all that was made from its subjects.
func ReadFollowing(v View, notice crypto.Hash) (bool, error) {
	data, err := v.Read(FollowingKey(notice))
	return data != nil, err
}

// followThing enters a thing in the queue of a notice, if anything was made from it.
func (b *blockRun) followThing(notice crypto.Hash, id string) {
	s := followStep{Thing: id, Whole: true}
	if isClass(id) {
		// A class that is no subject is under the notice as a product without lots; its lots have other ancestors.
		rec, _ := get[NoticeRecord](b.o, NoticeKey(notice))
		s.Whole = rec.reachesAll(id)
	}
	if b.used(id) == 0 && !(s.Whole && b.usesOf(id).Count > 0) {
		return
	}
	b.enter(notice, s)
}

// isClass reports whether an identifier is that of a product, of which there are lots or serials.
func isClass(id string) bool {
	parsed, err := gs1.Parse(id)
	return err == nil && parsed.IsClass() && parsed.Key() != gs1.KeyLGTIN
}

func (b *blockRun) usesOf(id string) uses {
	u, _ := get[uses](b.o, usesKey(id))
	return u
}

// enter appends to the queue of a notice, and the notice to the queue of those that have something to do.
func (b *blockRun) enter(notice crypto.Hash, s followStep) {
	span, waits := get[followSpan](b.o, FollowingKey(notice))
	put(b.o, followKey(notice, span.Tail), s)
	span.Tail++
	put(b.o, FollowingKey(notice), span)
	if !waits {
		b.queue(notice)
	}
}

func (b *blockRun) queue(notice crypto.Hash) {
	all, _ := get[Notices](b.o, NoticesKey())
	put(b.o, turnKey(all.Tail), notice)
	all.Tail++
	put(b.o, NoticesKey(), all)
}

// follow goes the steps of a block.
func (b *blockRun) follow() {
	for budget := followBudget; budget > 0; {
		all, _ := get[Notices](b.o, NoticesKey())
		if all.Head == all.Tail {
			return
		}
		notice, ok := need[crypto.Hash](b.o, turnKey(all.Head))
		if !ok {
			return
		}
		b.o.del(turnKey(all.Head))
		all.Head++
		put(b.o, NoticesKey(), all)
		budget -= b.takeTurn(notice, min(budget, followTurn))
	}
}

// takeTurn goes about so many steps of a notice, and returns how many it went, at least one.
func (b *blockRun) takeTurn(notice crypto.Hash, most int) int {
	rec, _ := get[NoticeRecord](b.o, NoticeKey(notice))
	steps := 0
	for steps < most {
		span, _ := get[followSpan](b.o, FollowingKey(notice))
		if span.Head == span.Tail {
			break
		}
		at := followKey(notice, span.Head)
		s, ok := need[followStep](b.o, at)
		done := !ok || !rec.Released.IsZero()
		for !done && steps < most {
			steps++
			done = b.goOn(notice, &s)
		}
		if !done {
			put(b.o, at, s)
			break
		}
		steps++
		b.o.del(at)
		span, _ = get[followSpan](b.o, FollowingKey(notice)) // it may have grown
		span.Head++
		put(b.o, FollowingKey(notice), span)
	}
	if span, _ := get[followSpan](b.o, FollowingKey(notice)); span.Head == span.Tail {
		b.o.del(FollowingKey(notice))
	} else {
		b.queue(notice)
	}
	return max(steps, 1)
}

// goOn goes one step from a thing or link; it reports whether there is none left.
func (b *blockRun) goOn(notice crypto.Hash, s *followStep) bool {
	switch {
	case s.Thing == "":
		link, _ := get[Link](b.o, LinkKey(s.Link))
		// By name, not by position: outputs may have come since, and those have the notice already.
		at, found := slices.BinarySearch(link.Outputs, s.After)
		if found {
			at++
		}
		if at >= len(link.Outputs) {
			return true
		}
		s.After = link.Outputs[at]
		if b.wasMade(s.After, s.Link) {
			b.hold(s.After, []crypto.Hash{notice})
		}
		return false
	case s.Used < b.used(s.Thing):
		edge, _ := get[Edge](b.o, UsedKey(s.Thing, s.Used))
		s.Used++
		b.holdLink(edge.Link, []crypto.Hash{notice})
		return false
	case s.Whole && s.Listed < b.usesOf(s.Thing).Count:
		link, _ := get[crypto.Hash](b.o, useKey(s.Thing, s.Listed))
		s.Listed++
		b.holdLink(link, []crypto.Hash{notice})
		return false
	}
	return true
}

// holdLink puts a link under notices, and has its outputs followed. The zero link is what is left of a use that was undone.
func (b *blockRun) holdLink(link crypto.Hash, notices []crypto.Hash) {
	if link.IsZero() {
		return
	}
	for _, n := range b.extendHold(linkHoldKey(link), notices) {
		b.enter(n, followStep{Link: link})
	}
}

// listUse lists that a transformation used something.
func (b *blockRun) listUse(id string, link crypto.Hash) {
	u := b.usesOf(id)
	if u.Count > 0 && u.Last == link {
		return
	}
	put(b.o, useKey(id, u.Count), link)
	put(b.o, usesKey(id), uses{Count: u.Count + 1, Last: link})
}

// usedInput is an input of a transformation: what it is under, and whether an edge of its own says that it was used.
type usedInput struct {
	id    string
	holds []HoldOf
	edge  bool

	amount amountOf // of a lot
}

// wasMade reports whether a transformation really made what it names as an output: where a serial is taken already and
// that is only flagged, it did not, and must not put another's goods under a notice.
func (b *blockRun) wasMade(id string, link crypto.Hash) bool {
	item, ok := get[Item](b.o, b.o.itemKey(id))
	if !ok {
		return true // a lot: only who may name it adds to it
	}
	for n := range item.Made {
		if edge, _ := get[Edge](b.o, MadeKey(id, n)); edge.Link == link {
			return true
		}
	}
	return false
}

// derive lists the inputs of a transformation under what they belong to, and has its outputs take over their notices. It
// comes when inputs are used up, outputs exist, and the link knows both; earlier says whether the link had outputs before.
func (e *eventRun) derive(link crypto.Hash, inputs []usedInput, earlier bool) {
	for i := range inputs {
		in := &inputs[i]
		if !in.edge {
			e.listUse(in.id, link)
		}
		for _, h := range in.holds[1:] {
			e.listUse(h.ID, link)
		}
	}
	if !e.noticesOpen() {
		return
	}
	counted := e.overs
	over := func() int { // notices entered beyond lists that are not counted as work yet
		n := e.overs - counted
		counted = e.overs
		return n
	}
	for i := range inputs {
		if !e.mayWork(e.listed(inputs[i].holds)/noticesPerWork + 2*over()) {
			return
		}
		open, more := e.blocking(inputs[i].holds)
		if more {
			e.overworked = true // see takeNotices
			return
		}
		for _, n := range e.extendHold(linkHoldKey(link), open) {
			if earlier {
				e.enter(n, followStep{Link: link})
			}
		}
	}
	held, ok := get[Hold](e.o, linkHoldKey(link))
	if !ok {
		return
	}
	notices := e.stillOpenIn(linkHoldKey(link), &held)
	under := func(id string) {
		if e.mayWork(len(notices)/idsPerWork + 2*over()) {
			e.hold(id, notices)
		}
	}
	for _, t := range e.e.makes.items {
		if e.wasMade(t.id, link) {
			under(t.id)
		}
	}
	for i := range e.e.makes.lots {
		under(e.e.makes.lots[i].id)
	}
}
