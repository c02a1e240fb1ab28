package ledger

import (
	"bytes"
	"slices"

	"waybill/crypto"
)

// Which shipments of a lot are under way, so that events that name a lot and no shipment find them.
//
// Nobody may lock others out, neither by shipping a gram sixty-four times nor by having friends do it. So every list has
// one party that fills it:
//
//  1. A [Transit] is the shipments from one party to another. Its bound is the shipper's.
//  2. The receivers of a shipper are listed, for taking back. That bound is the shipper's too.
//  3. The shippers to a receiver are listed, for receiving. That list others can fill. A shipper who has no place in it ships
//     all the same; its shipments are received by events that name it among their sources.
//
// A receiving takes from the shippers that it names among its sources first, then from the others that are listed; of
// each group the oldest shipment first, and of one block those of the lower address first.
//
// Shipments to nobody on the ledger, or to nobody in particular, are under the zero address.

// Bounds of what is under way of one lot in one unit.
const (
	maxOpenShipments = 64  // from one party to another
	maxReceivers     = 256 // to whom one party ships at a time
	maxShippers      = 64  // to one party, that are found without being named
)

// parties is a set of accounts.
type parties struct {
	_    struct{}         `cbor:",toarray"`
	List []crypto.Address // ascending
}

func compareAddresses(a, b crypto.Address) int { return bytes.Compare(a[:], b[:]) }

// toward is under which receiver a shipment is listed. Who receives or disputes a shipment to nobody in particular makes
// it its own, and it stays where it is.
func (s *Shipment) toward() crypto.Address {
	if s.Party == "" {
		return crypto.Address{}
	}
	return s.To
}

// listTransit adds a shipment to those of a lot that are under way, once; false if the shipper has too many.
func (b *blockRun) listTransit(lot, unit string, s *Shipment) bool {
	key := TransitKey(lot, unit, s.From, s.toward())
	tr, _ := get[Transit](b.o, key)
	n := len(tr.Shipments)
	if n > 0 && tr.Shipments[n-1] == s.Event {
		return true
	}
	if n >= maxOpenShipments {
		return false
	}
	if n == 0 {
		if to, _ := get[parties](b.o, receiversKey(lot, unit, s.From)); len(to.List) >= maxReceivers {
			return false
		}
	}
	b.putTransit(key, append(slices.Clip(tr.Shipments), s.Event))
	return true
}

// unlistTransit removes a shipment from those of a lot that are under way.
func (b *blockRun) unlistTransit(lot, unit string, s *Shipment) {
	key := TransitKey(lot, unit, s.From, s.toward())
	tr, _ := get[Transit](b.o, key)
	b.putTransit(key, slices.DeleteFunc(slices.Clone(tr.Shipments), func(event crypto.Hash) bool { return event == s.Event }))
}

// putTransit stores a list of shipments, and enters both sides with each other, or strikes them.
func (b *blockRun) putTransit(key []byte, open []crypto.Hash) {
	at, err := ParseTransitKey(key)
	if err != nil {
		panic(err)
	}
	to, from := receiversKey(at.Lot, at.Unit, at.From), shippersKey(at.Lot, at.Unit, at.To)
	if len(open) == 0 {
		b.o.del(key)
		b.strike(to, at.To)
		b.strike(from, at.From)
		return
	}
	put(b.o, key, Transit{Shipments: open})
	b.note(to, at.To, maxReceivers)
	b.note(from, at.From, maxShippers)
}

// note adds an account to a set unless it is full.
func (b *blockRun) note(key []byte, a crypto.Address, most int) {
	set, _ := get[parties](b.o, key)
	at, found := slices.BinarySearchFunc(set.List, a, compareAddresses)
	if !found && len(set.List) < most {
		put(b.o, key, parties{List: slices.Insert(slices.Clone(set.List), at, a)})
	}
}

func (b *blockRun) strike(key []byte, a crypto.Address) {
	set, _ := get[parties](b.o, key)
	at, found := slices.BinarySearchFunc(set.List, a, compareAddresses)
	switch {
	case !found:
	case len(set.List) == 1:
		b.o.del(key)
	default:
		put(b.o, key, parties{List: slices.Delete(slices.Clone(set.List), at, at+1)})
	}
}

// mayList reports whether a list of shipments may be that long, and is or can be found from both sides.
func (b *blockRun) mayList(key []byte, length int) bool {
	if length == 0 || length > maxOpenShipments {
		return length == 0
	}
	if _, listed := get[Transit](b.o, key); listed {
		return true
	}
	at, err := ParseTransitKey(key)
	if err != nil {
		panic(errNotes)
	}
	to, _ := get[parties](b.o, receiversKey(at.Lot, at.Unit, at.From))
	from, _ := get[parties](b.o, shippersKey(at.Lot, at.Unit, at.To))
	return len(to.List) < maxReceivers && len(from.List) < maxShippers
}

// lane is a list of shipments as an event goes through it.
type lane struct {
	named bool // the event says that the goods come from there
	rest  []crypto.Hash
	head  Shipment // of the first of rest
}

// lanes gives the shipments of several lists in the order in which they are taken from.
type lanes struct {
	e    *eventRun
	list []lane
}

// underWay collects what is under way of a lot to the author, or, back, from the author. What it looks at beyond the first
// list is work (see work.go).
func (e *eventRun) underWay(lot, unit string, back bool) *lanes {
	q := &lanes{e: e}
	if back {
		to, _ := get[parties](e.o, receiversKey(lot, unit, e.author))
		for _, a := range to.List {
			q.add(TransitKey(lot, unit, e.author, a), false)
		}
		return q
	}
	named := e.namedSources()
	if !e.mayWork(2 * len(named)) {
		return q
	}
	for _, to := range [...]crypto.Address{e.author, {}} {
		from, _ := get[parties](e.o, shippersKey(lot, unit, to))
		for _, a := range named {
			q.add(TransitKey(lot, unit, a, to), true)
		}
		for _, a := range from.List {
			if !slices.Contains(named, a) && e.mayWork(len(named)/idsPerWork) {
				q.add(TransitKey(lot, unit, a, to), false)
			}
		}
	}
	return q
}

// namedSources lists the accounts that the event says its goods come from, each once.
func (e *eventRun) namedSources() []crypto.Address {
	if e.senders != nil {
		return e.senders
	}
	e.senders = []crypto.Address{}
	met := make(map[crypto.Address]bool, len(e.e.sources))
	for _, id := range e.e.sources {
		if a := e.resolves(id); !a.IsZero() && !met[a] {
			met[a] = true
			e.senders = append(e.senders, a)
		}
	}
	return e.senders
}

func (q *lanes) add(key []byte, named bool) {
	tr, ok := get[Transit](q.e.o, key)
	if ok && (len(q.list) == 0 || q.e.mayWork(1)) {
		l := lane{named: named, rest: tr.Shipments}
		q.read(&l)
		q.list = append(q.list, l)
	}
}

func (q *lanes) read(l *lane) {
	if len(l.rest) > 0 {
		l.head, _ = need[Shipment](q.e.o, ShipmentKey(l.rest[0]))
	}
}

// next takes the next shipment; nil if there is none left, or the event has looked at too much.
func (q *lanes) next() *Shipment {
	best := -1
	for i := range q.list {
		l := &q.list[i]
		if len(l.rest) == 0 {
			continue
		}
		if best < 0 || l.named && !q.list[best].named || l.named == q.list[best].named && l.head.Height < q.list[best].head.Height {
			best = i
		}
	}
	if best < 0 || !q.e.mayWork(1) {
		return nil
	}
	l := &q.list[best]
	sh := l.head
	l.rest = l.rest[1:]
	q.read(l)
	return &sh
}
