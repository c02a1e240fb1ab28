package epcis

import (
	"waybill/crypto"
	"waybill/epcis/gs1"
)

// Examiner works out what follows from events alone, one event after the other, and takes what that needs from a budget.
// Each identifier of an event is parsed once, whatever is asked, and what was used for one event is used again for the next.
// Not for concurrent use. Once the budget is used up the answers mean nothing.
type Examiner struct {
	ids   identifiers
	canon canon
	form  int // the longest event so far, bytes
}

// NewExaminer makes an examiner that takes from a budget.
func NewExaminer(budget *crypto.Budget) *Examiner {
	x := &Examiner{ids: identifiers{budget: budget}}
	x.canon.ids = &x.ids
	return x
}

// Decode reads an event as [DecodeEvent] does and forgets the one before.
func (x *Examiner) Decode(data []byte) (*Event, error) {
	if len(data) > x.form { // the canonical form, while it grows
		x.ids.budget.Take(len(data)-x.form, 4)
		x.form = len(data)
	}
	x.ids.forget()
	return DecodeEventWithin(data, x.ids.budget)
}

// Hash returns what [Event.Hash] does.
func (x *Examiner) Hash(e *Event) crypto.Hash {
	if x.ids.budget.Left() < 0 {
		return crypto.Hash{}
	}
	x.canon.event(e)
	return crypto.Sum(crypto.TagEvent, x.canon.buf)
}

// Validate returns what [Event.Validate] does.
func (x *Examiner) Validate(e *Event) []Fault {
	s := faultSink{ids: &x.ids, budget: x.ids.budget}
	e.validate(&s, nil)
	return s.faults
}

// Parse returns what [gs1.Parse] does.
func (x *Examiner) Parse(id string) (gs1.ID, error) { return x.ids.parse(id) }

// identifiers remembers what parsing an identifier cost something for. Nil remembers nothing and counts nothing.
type identifiers struct {
	known  map[string]identified
	most   int // identifiers that it has had room for
	budget *crypto.Budget
}

type identified struct {
	id  gs1.ID
	err error
}

// What an identifier takes, about: its canonical spelling, or what is wrong with it, and where that is remembered.
const (
	idRoom    = 24
	badIDRoom = 320
	knownRoom = 220
)

func (m *identifiers) parse(id string) (gs1.ID, error) {
	if m == nil {
		return gs1.Parse(id)
	}
	if k, ok := m.known[id]; ok {
		return k.id, k.err
	}
	parsed, err := gs1.Parse(id)
	if err == nil && parsed.Key() == gs1.KeyOpaque {
		return parsed, nil // parsing it again costs little
	}
	room := 2*len(id) + idRoom
	if err != nil {
		room = badIDRoom + len(id)
	}
	if m.known == nil {
		m.known = map[string]identified{}
	}
	if len(m.known) >= m.most {
		m.most++
		room += knownRoom
	}
	if m.budget.Take(1, room) {
		m.known[id] = identified{parsed, err}
	}
	return parsed, err
}

func (m *identifiers) forget() { clear(m.known) }
