package epcis

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"waybill/crypto"
)

// The plain way to read an event, against which the quick one is held: by reflection into the wire forms that
// [EncodeEvent] writes, and from them into the model.

func decodeByReflection(data []byte) (*Event, error) {
	var w wireEvent
	if err := crypto.Unmarshal(data, &w); err != nil {
		return nil, err
	}
	if w.Version != wireVersion {
		return nil, fmt.Errorf("version %d", w.Version)
	}
	d := decoder{}
	e := d.event(&w)
	if d.err != nil {
		return nil, d.err
	}
	if err := e.checkForm(); err != nil {
		return nil, err
	}
	return e, nil
}

// decoder turns wire forms into the model and keeps the first thing that is wrong.
type decoder struct{ err error }

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

func (d *decoder) event(w *wireEvent) *Event {
	e := &Event{
		Type: EventType(w.Type), EventID: w.EventID, EventTime: Timestamp{w.EventTime}, RecordTime: Timestamp{w.RecordTime},
		TimeZoneOffset: w.TimeZoneOffset, Action: Action(w.Action), BizStep: w.BizStep, Disposition: w.Disposition,
		BizTransactions: modelList(w.BizTransactions, d.ref), CertificationInfo: modelTexts(w.CertificationInfo),
		CertificationInfoBare: w.CertificationInfoBare,
		ReadPoint:             d.location(w.ReadPoint), BizLocation: d.location(w.BizLocation),
		Sources: modelList(w.Sources, d.ref), Destinations: modelList(w.Destinations, d.ref),
		EPCs: modelTexts(w.EPCs), Quantities: modelList(w.Quantities, d.quantity),
		ParentID: w.ParentID, ChildEPCs: modelTexts(w.ChildEPCs), ChildQuantities: modelList(w.ChildQuantities, d.quantity),
		InputEPCs: modelTexts(w.InputEPCs), OutputEPCs: modelTexts(w.OutputEPCs),
		InputQuantities: modelList(w.InputQuantities, d.quantity), OutputQuantities: modelList(w.OutputQuantities, d.quantity),
		TransformationID: w.TransformationID, SensorElements: modelList(w.SensorElements, d.element),
		Extensions: d.extensions(w.Extensions),
	}
	if w.ILMD != nil {
		e.ILMD = Extensions(d.value(w.ILMD, Object).Members())
		if e.ILMD == nil {
			e.ILMD = Extensions{}
		}
	}
	if p := w.PersistentDisposition; p != nil {
		e.PersistentDisposition = &PersistentDisposition{Set: modelTexts(p.Set), Unset: modelTexts(p.Unset), Extensions: d.extensions(p.Extensions)}
	}
	if x := w.ErrorDeclaration; x != nil {
		e.ErrorDeclaration = &ErrorDeclaration{DeclarationTime: Timestamp{x.DeclarationTime}, Reason: x.Reason,
			CorrectiveEventIDs: modelTexts(x.CorrectiveEventIDs), Extensions: d.extensions(x.Extensions)}
	}
	if w.Context != nil {
		e.Context = d.value(w.Context, None)
		if k := e.Context.Kind(); k != Text && k != Object && k != List {
			d.fail("a context is an address, an object or a list")
		}
	}
	if len(w.Namespaces) > 0 {
		e.Namespaces = make([]Namespace, 0, len(w.Namespaces))
	}
	for _, n := range w.Namespaces {
		e.Namespaces = append(e.Namespaces, Namespace{Prefix: n.Prefix, URI: n.URI})
	}
	return e
}

func modelList[W, T any](list *[]W, convert func(*W, *T)) []T {
	if list == nil {
		return nil
	}
	out := make([]T, len(*list))
	for i := range *list {
		convert(&(*list)[i], &out[i])
	}
	return out
}

func modelTexts(list *[]string) []string {
	if list == nil {
		return nil
	}
	if *list == nil {
		return []string{}
	}
	return *list
}

func (d *decoder) decimal(w *wireDecimal) *Decimal {
	if w == nil {
		return nil
	}
	n := Decimal{Coefficient: w.Coefficient, Exponent: w.Exponent}
	if !n.isCanonical() {
		d.fail("the number %d × 10^%d is not in its one form", w.Coefficient, w.Exponent)
	}
	return &n
}

func (d *decoder) quantity(w *wireQuantity, q *Quantity) {
	*q = Quantity{Class: w.Class, Quantity: d.decimal(w.Quantity), UOM: w.UOM, Extensions: d.extensions(w.Extensions)}
}

func (d *decoder) ref(w *wireRef, r *TypedRef) {
	*r = TypedRef{Type: w.Type, ID: w.ID, Extensions: d.extensions(w.Extensions)}
}

func (d *decoder) location(w *wireLocation) *Location {
	if w == nil {
		return nil
	}
	return &Location{ID: w.ID, Extensions: d.extensions(w.Extensions)}
}

func (d *decoder) element(w *wireElement, s *SensorElement) {
	*s = SensorElement{Reports: modelList(w.Reports, d.report), Extensions: d.extensions(w.Extensions)}
	if w.Metadata != nil {
		s.Metadata = &SensorMetadata{Extensions: d.extensions(w.Metadata.Extensions)}
		fields := s.Metadata.fields()
		d.texts(w.Metadata.Texts, fields[:])
	}
}

func (d *decoder) texts(texts map[uint8]string, fields []textField) {
	for i, text := range texts {
		if int(i) >= len(fields) || text == "" {
			d.fail("there is no sensor field %d, or its text is empty", i)
			return
		}
		*fields[i].text = text
	}
}

func (d *decoder) report(w *wireReport, r *SensorReport) {
	texts, numbers := r.textFields(), r.numberFields()
	d.texts(w.Texts, texts[:])
	for i, n := range w.Numbers {
		if int(i) >= len(numbers) {
			d.fail("there is no sensor number %d", i)
			break
		}
		*numbers[i].value = d.decimal(&n)
	}
	for i, at := range w.TextNumbers {
		if int(at) >= len(numbers) || *numbers[at].value == nil || i > 0 && w.TextNumbers[i-1] >= at {
			d.fail("the numbers written as texts are not ascending or absent")
			break
		}
		r.TextNumbers = append(r.TextNumbers, numbers[at].name)
	}
	r.StringValue, r.BooleanValue = w.String, w.Boolean
	r.Extensions = d.extensions(w.Extensions)
}

func (d *decoder) extensions(tokens []wireToken) Extensions {
	if tokens == nil {
		return nil
	}
	members := d.value(tokens, Object).Members()
	if len(members) == 0 {
		d.fail("no extensions are written by leaving them out")
	}
	return members
}

// value reads a whole tree; want is the kind of its root, None for any.
func (d *decoder) value(tokens []wireToken, want ValueKind) Value {
	t := tokenTree{decoder: d, tokens: tokens}
	v := t.read(false, maxExtensionDepth+1)
	if len(t.tokens) > 0 {
		d.fail("%d values follow the end of an extension", len(t.tokens))
	}
	if d.err == nil && want != None && v.kind != want {
		d.fail("the root of an extension is an object")
	}
	if d.err != nil {
		return Value{}
	}
	return v
}

type tokenTree struct {
	*decoder
	tokens []wireToken // not yet read
}

// read takes one value with all that it contains; left bounds how much deeper it may nest.
func (t *tokenTree) read(named bool, left int) Value {
	if len(t.tokens) == 0 {
		t.fail("an extension ends in the middle of a container")
		return Value{}
	}
	w := t.tokens[0]
	t.tokens = t.tokens[1:]
	kind := ValueKind(w.Kind)
	container := kind == List || kind == Object
	switch {
	case kind < Null || kind > Object:
		t.fail("there is no kind of value %d", w.Kind)
	case !named && w.Name != "", !container && w.Size != 0, kind != Text && kind != Number && w.Text != "":
		t.fail("a value of kind %d has a part that it cannot have", w.Kind)
	case container && left == 0:
		t.fail("an extension nests deeper than %d", maxExtensionDepth)
	case kind == Object && w.Size > maxMembers:
		t.fail("an object has more than %d members", maxMembers)
	case uint64(w.Size) > uint64(len(t.tokens)): // each needs a token of its own: bounds what is allocated
		t.fail("a container of %d values has only %d", w.Size, len(t.tokens))
	}
	if kind == Number {
		if _, ok := splitNumber(w.Text); !ok || len(w.Text) > maxNumberBytes {
			t.fail("%q is no number", shorten(w.Text))
		}
	}
	if t.err != nil || w.Size == 0 {
		return Value{kind: kind, text: w.Text}
	}
	if kind == List {
		return t.list(int(w.Size), left-1)
	}
	return t.object(int(w.Size), left-1)
}

func (t *tokenTree) list(size, left int) Value {
	n := &node{list: make([]Value, size)}
	for i := range n.list {
		if n.list[i] = t.read(false, left); t.err != nil {
			return Value{}
		}
	}
	return Value{kind: List, node: n}
}

func (t *tokenTree) object(size, left int) Value {
	n := &node{members: make([]Member, size)}
	seen := make(map[string]struct{}, size)
	for i := range n.members {
		if len(t.tokens) > 0 {
			n.members[i].Name = t.tokens[0].Name
		}
		if n.members[i].Value = t.read(true, left); t.err != nil {
			return Value{}
		}
		if _, twice := seen[n.members[i].Name]; twice {
			t.fail("the name %q occurs twice in its object", shorten(n.members[i].Name))
			return Value{}
		}
		seen[n.members[i].Name] = struct{}{}
	}
	return Value{kind: Object, node: n}
}

// FuzzDecodeLikeReflection: the quick way and the plain way accept the same bytes and read the same event.
func FuzzDecodeLikeReflection(f *testing.F) {
	_, d := chain(f)
	for _, e := range d.Events {
		f.Add(toBytes(f, e))
	}
	for _, text := range valid {
		if d, err := ParseDocument([]byte(text)); err == nil && len(d.Events) > 0 {
			if data, err := EncodeEvent(d.Events[0]); err == nil {
				f.Add(data)
			}
		}
	}
	f.Fuzz(sameAsReflection)
}

func toBytes(t testing.TB, e *Event) []byte {
	t.Helper()
	data, err := EncodeEvent(e)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func sameAsReflection(t *testing.T, data []byte) {
	quick, err := DecodeEvent(data)
	plain, plainErr := decodeByReflection(data)
	if errors.Is(err, FaultTooLarge) || errors.Is(plainErr, crypto.ErrTooLarge) {
		return
	}
	if (err == nil) != (plainErr == nil) || !reflect.DeepEqual(quick, plain) {
		t.Errorf("%x:\n%+v, %v, by reflection\n%+v, %v", data, quick, err, plain, plainErr)
	}
}

// TestDecodeLikeReflection compares the two for every published event and for each with a byte changed, left out or doubled.
func TestDecodeLikeReflection(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	n := 0
	for _, data := range sampleEvents(t) {
		sameAsReflection(t, data)
		for range 200 {
			spoilt, at := bytes.Clone(data), r.IntN(len(data))
			switch r.IntN(4) {
			case 0:
				spoilt[at] = byte(r.Uint32())
			case 1:
				spoilt[at] += byte(1 - 2*r.IntN(2))
			case 2:
				spoilt = slices.Delete(spoilt, at, at+1)
			case 3:
				spoilt = slices.Insert(spoilt, at, []byte{0, 0x60, 0x80, 0xa0, 0xf4, 0xf6, spoilt[at]}[r.IntN(7)])
			}
			sameAsReflection(t, spoilt)
			n++
		}
	}
	t.Logf("%d spoilt events", n)
}

// sampleEvents are encoded events of every shape.
func sampleEvents(t testing.TB) [][]byte {
	var out [][]byte
	_, d := chain(t)
	for _, e := range d.Events {
		out = append(out, toBytes(t, e))
	}
	for _, text := range valid {
		if d, err := ParseDocument([]byte(text)); err == nil {
			for _, e := range d.Events {
				out = append(out, toBytes(t, e))
			}
		}
	}
	return out
}
