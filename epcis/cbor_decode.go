package epcis

import (
	"fmt"
	"math"

	"waybill/crypto"
)

// What parts of an event take in memory, in bytes, where pointers have 64 bits, rounded up as allocation does. A test
// compares them with the compiler's sizes.
const (
	eventRoom     = 704
	textRoom      = 16
	quantityRoom  = 64
	decimalRoom   = 16
	refRoom       = 56
	locationRoom  = 48
	persistRoom   = 80
	errorRoom     = 80
	elementRoom   = 56
	metadataRoom  = 160
	reportRoom    = 360
	pointerRoom   = 16 // of a text or boolean that may be absent
	namespaceRoom = 32
	valueRoom     = 32
	memberRoom    = 48
	nodeRoom      = 48 // beside the values of a list or the members of an object
)

// reader reads the CBOR form of an event into the model. It accepts what crypto.Marshal makes of the wire forms and nothing
// else; cbor_oracle_test.go reads the same by way of these. It keeps the first thing that is wrong, and what is made is
// counted before.
type reader struct {
	crypto.PlainCBOR
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	r.Fail()
}

// keys reads a map with small numbers as keys, ascending. read takes the value of a key.
func (r *reader) keys(limit uint64, read func(key uint64)) {
	next := uint64(0)
	for range r.Map() {
		key := r.Uint(limit)
		if r.Bad() {
			return
		}
		if key < next {
			r.fail("the keys of a map are not ascending at byte %d", r.Pos())
			return
		}
		next = key + 1
		if read(key); r.Bad() {
			return
		}
	}
}

// some reads a text that is not empty: an empty one is left out.
func (r *reader) some() string {
	s := r.Text()
	if s == "" && !r.Bad() {
		r.fail("an empty text before byte %d is left out", r.Pos())
	}
	return s
}

func (r *reader) event() *Event {
	if !r.Take(1, eventRoom) {
		return nil
	}
	e, version := &Event{}, uint64(0)
	present := 0
	r.keys(32, func(key uint64) {
		present++
		switch {
		case key == 0:
			if version = r.Uint(math.MaxUint8); version != wireVersion {
				r.fail("version %d of the form is unknown; this is version %d", version, wireVersion)
			}
		case key == 1:
			e.Type = EventType(r.Uint(math.MaxUint8))
		case present < 3:
			r.fail("an event has a version of the form and a type")
		default:
			r.field(e, key)
		}
	})
	if present < 2 {
		r.fail("an event has a version of the form and a type")
	}
	return e
}

// field reads the value of a key of [wireEvent].
func (r *reader) field(e *Event, key uint64) {
	switch key {
	case 2:
		e.EventID = r.some()
	case 3:
		e.EventTime.Text = r.some()
	case 4:
		e.RecordTime.Text = r.some()
	case 5:
		e.TimeZoneOffset = r.some()
	case 6:
		e.Action = Action(r.some())
	case 7:
		e.BizStep = r.some()
	case 8:
		e.Disposition = r.some()
	case 9:
		e.PersistentDisposition = r.persistentDisposition()
	case 10:
		e.BizTransactions = r.refs()
	case 11:
		e.CertificationInfo = r.texts()
	case 12:
		if e.CertificationInfoBare = r.Bool(); !e.CertificationInfoBare {
			r.fail("a false before byte %d is left out", r.Pos())
		}
	case 13:
		e.ReadPoint = r.location()
	case 14:
		e.BizLocation = r.location()
	case 15:
		e.Sources = r.refs()
	case 16:
		e.Destinations = r.refs()
	default:
		r.what(e, key)
	}
}

// what reads the fields that say what the event is about, and the rest.
func (r *reader) what(e *Event, key uint64) {
	switch key {
	case 17:
		e.EPCs = r.texts()
	case 18:
		e.Quantities = r.quantities()
	case 19:
		e.ParentID = r.some()
	case 20:
		e.ChildEPCs = r.texts()
	case 21:
		e.ChildQuantities = r.quantities()
	case 22:
		e.InputEPCs = r.texts()
	case 23:
		e.OutputEPCs = r.texts()
	case 24:
		e.InputQuantities = r.quantities()
	case 25:
		e.OutputQuantities = r.quantities()
	case 26:
		e.TransformationID = r.some()
	case 27:
		if e.ILMD = Extensions(r.value(Object).Members()); e.ILMD == nil {
			e.ILMD = Extensions{}
		}
	case 28:
		e.SensorElements = listOf(r, elementRoom, r.element)
	case 29:
		e.ErrorDeclaration = r.errorDeclaration()
	case 30:
		e.Extensions = r.extensions()
	case 31:
		e.Context = r.value(None)
		if k := e.Context.Kind(); k != Text && k != Object && k != List {
			r.fail("a context is an address, an object or a list")
		}
	case 32:
		if e.Namespaces = listOf(r, namespaceRoom, r.namespace); len(e.Namespaces) == 0 {
			r.fail("no namespaces are left out")
		}
	}
}

// listOf reads an array; an empty one is not nil.
func listOf[T any](r *reader, each int, read func(*T)) []T {
	out := make([]T, r.Array(each))
	for i := range out {
		if read(&out[i]); r.Bad() {
			return nil
		}
	}
	return out
}

func (r *reader) texts() []string {
	return listOf(r, textRoom, func(s *string) { *s = r.Text() })
}

func (r *reader) quantities() []Quantity { return listOf(r, quantityRoom, r.quantity) }

func (r *reader) refs() []TypedRef { return listOf(r, refRoom, r.ref) }

func (r *reader) namespace(n *Namespace) {
	if r.Struct(2) {
		n.Prefix, n.URI = r.Text(), r.Text()
	}
}

func (r *reader) quantity(q *Quantity) {
	r.keys(3, func(key uint64) {
		switch key {
		case 0:
			q.Class = r.some()
		case 1:
			q.Quantity = r.decimal()
		case 2:
			q.UOM = r.some()
		case 3:
			q.Extensions = r.extensions()
		}
	})
}

func (r *reader) decimal() *Decimal {
	if !r.Take(1, decimalRoom) || !r.Struct(2) {
		return nil
	}
	n := &Decimal{Coefficient: r.Int(64), Exponent: int8(r.Int(8))}
	if !r.Bad() && !n.isCanonical() {
		r.fail("the number %d × 10^%d is not in its one form", n.Coefficient, n.Exponent)
	}
	return n
}

func (r *reader) ref(t *TypedRef) {
	r.keys(2, func(key uint64) {
		switch key {
		case 0:
			t.Type = r.some()
		case 1:
			t.ID = r.some()
		case 2:
			t.Extensions = r.extensions()
		}
	})
}

func (r *reader) location() *Location {
	if !r.Take(1, locationRoom) {
		return nil
	}
	l := &Location{}
	r.keys(1, func(key uint64) {
		if key == 0 {
			l.ID = r.some()
		} else {
			l.Extensions = r.extensions()
		}
	})
	return l
}

func (r *reader) persistentDisposition() *PersistentDisposition {
	if !r.Take(1, persistRoom) {
		return nil
	}
	d := &PersistentDisposition{}
	r.keys(2, func(key uint64) {
		switch key {
		case 0:
			d.Set = r.texts()
		case 1:
			d.Unset = r.texts()
		case 2:
			d.Extensions = r.extensions()
		}
	})
	return d
}

func (r *reader) errorDeclaration() *ErrorDeclaration {
	if !r.Take(1, errorRoom) {
		return nil
	}
	d := &ErrorDeclaration{}
	r.keys(3, func(key uint64) {
		switch key {
		case 0:
			d.DeclarationTime.Text = r.some()
		case 1:
			d.Reason = r.some()
		case 2:
			d.CorrectiveEventIDs = r.texts()
		case 3:
			d.Extensions = r.extensions()
		}
	})
	return d
}

// takeNames counts what the names and words of an event take when their prefixes are written out, as its hash does: a
// prefix of two letters can stand for much.
func (e *Event) takeNames(budget *crypto.Budget) bool {
	prefixes := prefixMap(e.Namespaces[:min(len(e.Namespaces), MaxNamespaces)]) // checkForm refuses more
	e.eachText(func(s string) { budget.Take(9, (prefixes.growth(s)+7)/8) })
	return budget.Left() >= 0
}
