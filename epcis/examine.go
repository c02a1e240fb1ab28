package epcis

import (
	"waybill/crypto"
	"waybill/epcis/gs1"
)

// Examiner works out what follows from events alone, one event after the other, and takes what that needs from a budget.
// The identifiers in the lists of an event are parsed once, whatever is asked, and what was used for one event is used again for the next.
// Not for concurrent use. Once the budget is used up the answers mean nothing.
type Examiner struct {
	ids   identifiers
	canon canon
	size  int // of the event, bytes
}

// NewExaminer makes an examiner that takes from a budget.
func NewExaminer(budget *crypto.Budget) *Examiner {
	x := &Examiner{ids: identifiers{budget: budget}}
	x.canon.ids = &x.ids
	return x
}

// Decode reads an event as [DecodeEvent] does and forgets the one before.
func (x *Examiner) Decode(data []byte) (*Event, error) {
	x.size = len(data)
	x.ids.forget()
	return DecodeEventWithin(data, x.ids.budget)
}

// Hash returns what [Event.Hash] does.
func (x *Examiner) Hash(e *Event) crypto.Hash {
	if x.ids.budget.Left() < 0 {
		return crypto.Hash{}
	}
	x.canon.reserve(x.size)
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

// ParseOf is Parse of an element of a list of the event, which was parsed with the others.
func (x *Examiner) ParseOf(list []string, i int) (gs1.ID, error) { return x.ids.parseOf(list, i) }

// identifiers remembers the lists of identifiers of an event, and which identifiers are wrong, since saying why costs most.
// Nil remembers nothing and counts nothing.
type identifiers struct {
	lists  []parsedList
	wrong  map[string]error
	budget *crypto.Budget
}

// parsedList is a list of identifiers with what they are; the zero ID is one that is wrong.
type parsedList struct {
	of  []string
	ids []gs1.ID
}

// What an identifier takes, about: in a list, beside its canonical spelling; and what is wrong with one, and where that is
// remembered.
const (
	idRoom    = 40
	badIDRoom = 480
)

func (m *identifiers) parse(id string) (gs1.ID, error) {
	if m == nil {
		return gs1.Parse(id)
	}
	if err := m.wrong[id]; err != nil {
		return gs1.ID{}, err
	}
	parsed, err := gs1.Parse(id)
	if err != nil {
		if m.budget.Take(1, badIDRoom+len(id)) {
			if m.wrong == nil {
				m.wrong = map[string]error{}
			}
			m.wrong[id] = err
		}
		return gs1.ID{}, err
	}
	if canonical := parsed.Canonical(); parsed.Key() != gs1.KeyOpaque && canonical != id {
		m.budget.Take(1, len(canonical)+8)
	}
	return parsed, nil
}

// parseOf is parse of an element of a list of the event.
func (m *identifiers) parseOf(list []string, i int) (gs1.ID, error) {
	if m == nil {
		return gs1.Parse(list[i])
	}
	for _, l := range m.lists {
		if len(l.of) == len(list) && &l.of[0] == &list[0] {
			if l.ids[i].IsZero() {
				return m.parse(list[i])
			}
			return l.ids[i], nil
		}
	}
	if !m.budget.Take(len(list), idRoom) {
		return m.parse(list[i])
	}
	l := parsedList{of: list, ids: make([]gs1.ID, len(list))}
	for n, id := range list {
		if m.budget.Left() < 0 {
			break
		}
		l.ids[n], _ = m.parse(id)
	}
	m.lists = append(m.lists, l)
	return m.parseOf(list, i)
}

func (m *identifiers) forget() {
	clear(m.wrong)
	m.lists = m.lists[:0]
}
