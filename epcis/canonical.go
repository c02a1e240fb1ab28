package epcis

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"

	"waybill/crypto"
)

// The canonical form of an event, which [Event.Hash] hashes. Two texts are the same event exactly when their canonical
// forms are equal.
//
// What does not matter: the spelling of identifiers (URN, Digital Link on any host) and of vocabulary values; the offset
// in which an instant is written and how many zeros its fraction has; "-00:00" for "+00:00"; trailing zeros and
// exponents of numbers; the order of lists that are sets (all lists of the standard) and of object members; whether a
// list without elements is written; prefixes, as far as they are declared; contexts. The recordTime is left out: it is
// said by whoever records the event, not by its author.
//
// What matters: everything else. The eventID is part of the event: an author who gives two IDs to the same content
// means two events, two readings of one thermometer for example, and repeating one of them is a repetition. An error
// declaration is part of it as well: it repeats the ID and the content of the event that it declares wrong and is yet
// another event. (The CBV hash leaves out both.) Lists inside user extensions keep their order: what they mean is not
// known.
//
// The form is a sequence of fields. Each field is its number, the length of its content and the content; texts and
// composites nest by the same rule, so no two events share a form. Absent fields are left out.

const canonicalVersion = 1

// Numbers of the fields of the canonical form. They are hashed: never change one.
const (
	fEventID = iota + 1
	fEventTime
	fOffset
	fAction
	fBizStep
	fDisposition
	fSet
	fUnset
	fDispositionExt
	fBizTransactions
	fCertification
	fReadPoint
	fBizLocation
	fSources
	fDestinations
	fEPCs
	fQuantities
	fParent
	fChildEPCs
	fChildQuantities
	fInputEPCs
	fOutputEPCs
	fInputQuantities
	fOutputQuantities
	fTransformation
	fILMD
	fSensors
	fError
	fExtensions
)

// Hash returns the identity of the event: the tagged SHA-256 of its canonical form. It is independent of spelling, as
// the essay above says in full, and independent of the CBOR form.
func (e *Event) Hash() crypto.Hash { return crypto.Sum(crypto.TagEvent, e.canonical()) }

func (e *Event) canonical() []byte {
	c := canon{prefixes: prefixMap(e.Namespaces), buf: make([]byte, 0, 1024)}
	c.buf = append(c.buf, canonicalVersion, byte(e.Type))
	c.text(fEventID, e.EventID)
	c.text(fEventTime, canonicalTime(e.EventTime))
	c.text(fOffset, canonicalOffset(e.TimeZoneOffset))
	c.text(fAction, string(e.Action))
	c.text(fBizStep, bizSteps.uri(e.BizStep))
	c.text(fDisposition, dispositions.uri(e.Disposition))
	if d := e.PersistentDisposition; d != nil {
		c.set(fSet, mapTexts(d.Set, dispositions.uri))
		c.set(fUnset, mapTexts(d.Unset, dispositions.uri))
		c.members(fDispositionExt, d.Extensions)
	}
	c.refs(fBizTransactions, e.BizTransactions, &bizTransactionTypes)
	c.set(fCertification, slices.Clone(e.CertificationInfo))
	c.location(fReadPoint, e.ReadPoint)
	c.location(fBizLocation, e.BizLocation)
	c.refs(fSources, e.Sources, &sourceDestTypes)
	c.refs(fDestinations, e.Destinations, &sourceDestTypes)
	c.set(fEPCs, mapTexts(e.EPCs, canonicalID))
	c.quantities(fQuantities, e.Quantities)
	c.text(fParent, canonicalURI(e.ParentID))
	c.set(fChildEPCs, mapTexts(e.ChildEPCs, canonicalID))
	c.quantities(fChildQuantities, e.ChildQuantities)
	c.set(fInputEPCs, mapTexts(e.InputEPCs, canonicalID))
	c.set(fOutputEPCs, mapTexts(e.OutputEPCs, canonicalID))
	c.quantities(fInputQuantities, e.InputQuantities)
	c.quantities(fOutputQuantities, e.OutputQuantities)
	c.text(fTransformation, canonicalURI(e.TransformationID))
	c.members(fILMD, e.ILMD)
	c.sensors(fSensors, e.SensorElements)
	c.errorDeclaration(fError, e.ErrorDeclaration)
	c.members(fExtensions, e.Extensions)
	return c.buf
}

// canonicalURI is canonicalID for fields that may be absent.
func canonicalURI(u string) string {
	if u == "" {
		return ""
	}
	return canonicalID(u)
}

// canonicalTime writes an instant in UTC with as many digits as it needs.
func canonicalTime(t Timestamp) string {
	at, err := parseTime(t.Text)
	if err != nil {
		return t.Text
	}
	return at.UTC().Format(time.RFC3339Nano)
}

func canonicalOffset(s string) string {
	if s == "-00:00" {
		return "+00:00"
	}
	return s
}

func mapTexts(list []string, f func(string) string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = f(s)
	}
	return out
}

// canon writes the canonical form.
type canon struct {
	buf      []byte
	prefixes prefixMap
}

// text writes a field unless it is empty.
func (c *canon) text(field int, s string) {
	if s != "" {
		c.head(field, len(s))
		c.buf = append(c.buf, s...)
	}
}

func (c *canon) head(field, size int) {
	c.buf = binary.AppendUvarint(c.buf, uint64(field))
	c.buf = binary.AppendUvarint(c.buf, uint64(size))
}

// composite writes a field whose content is written by write, unless that is nothing.
func (c *canon) composite(field int, write func(*canon)) {
	if content := c.content(write); len(content) > 0 {
		c.head(field, len(content))
		c.buf = append(c.buf, content...)
	}
}

// content returns what write writes.
func (c *canon) content(write func(*canon)) []byte {
	inner := canon{prefixes: c.prefixes}
	write(&inner)
	return inner.buf
}

// bag writes the elements of a set in the order of their bytes.
func (c *canon) bag(field int, elements [][]byte) {
	slices.SortFunc(elements, bytes.Compare)
	c.composite(field, func(c *canon) {
		for _, e := range elements {
			c.head(1, len(e))
			c.buf = append(c.buf, e...)
		}
	})
}

func (c *canon) set(field int, texts []string) {
	slices.Sort(texts)
	c.composite(field, func(c *canon) {
		for _, s := range texts {
			c.head(1, len(s))
			c.buf = append(c.buf, s...)
		}
	})
}

// bagOf writes a list of composites as a set.
func bagOf[T any](c *canon, field int, list []T, write func(*canon, *T)) {
	elements := make([][]byte, len(list))
	for i := range list {
		elements[i] = c.content(func(c *canon) { write(c, &list[i]) })
	}
	c.bag(field, elements)
}

func (c *canon) quantities(field int, list []Quantity) {
	bagOf(c, field, list, func(c *canon, q *Quantity) {
		c.text(1, canonicalURI(q.Class))
		c.number(2, q.Quantity)
		c.text(3, q.UOM)
		c.members(4, q.Extensions)
	})
}

func (c *canon) refs(field int, list []TypedRef, types *vocabulary) {
	bagOf(c, field, list, func(c *canon, r *TypedRef) {
		c.text(1, types.uri(r.Type))
		c.text(2, canonicalURI(r.ID))
		c.members(3, r.Extensions)
	})
}

func (c *canon) location(field int, l *Location) {
	if l == nil {
		return
	}
	c.composite(field, func(c *canon) {
		c.text(1, canonicalURI(l.ID))
		c.members(2, l.Extensions)
	})
}

func (c *canon) errorDeclaration(field int, d *ErrorDeclaration) {
	if d == nil {
		return
	}
	c.composite(field, func(c *canon) {
		c.head(0, 0) // a declaration says something even when it is empty
		c.text(1, canonicalTime(d.DeclarationTime))
		c.text(2, errorReasons.uri(d.Reason))
		c.set(3, slices.Clone(d.CorrectiveEventIDs))
		c.members(4, d.Extensions)
	})
}

func (c *canon) number(field int, d *Decimal) {
	if d != nil {
		c.text(field, strconv.FormatInt(d.Coefficient, 10)+"e"+strconv.Itoa(int(d.Exponent)))
	}
}

func (c *canon) sensors(field int, list []SensorElement) {
	bagOf(c, field, list, func(c *canon, s *SensorElement) {
		if m := s.Metadata; m != nil {
			c.composite(1, func(c *canon) {
				fields := m.fields()
				c.fields(fields[:])
				c.members(100, m.Extensions)
			})
		}
		bagOf(c, 2, s.Reports, (*canon).report)
		c.members(3, s.Extensions)
	})
}

func (c *canon) fields(fields []textField) {
	for i, f := range fields {
		text := *f.text
		switch f.kind {
		case fieldTime:
			text = canonicalTime(Timestamp{text})
		case fieldURI:
			text = canonicalURI(text)
		case fieldHex:
			text = strings.ToLower(text)
		case fieldMeasurement, fieldAlert, fieldComponent:
			text = f.kind.vocabulary().uri(text)
		case fieldPlain:
		}
		c.text(i+1, text)
	}
}

func (c *canon) report(r *SensorReport) {
	fields := r.textFields()
	c.fields(fields[:])
	for i, f := range r.numberFields() {
		c.number(50+i, *f.value)
	}
	if r.StringValue != nil {
		c.head(60, len(*r.StringValue))
		c.buf = append(c.buf, *r.StringValue...)
	}
	if r.BooleanValue != nil {
		c.text(61, strconv.FormatBool(*r.BooleanValue))
	}
	c.members(100, r.Extensions)
}

// members writes extensions sorted by their full names.
func (c *canon) members(field int, x Extensions) {
	bagOf(c, field, x, func(c *canon, m *Member) {
		name := c.prefixes.expand(m.Name)
		c.head(1, len(name))
		c.buf = append(c.buf, name...)
		c.value(m.Value)
	})
}

// value writes a JSON value: its kind as the field, numbers by value.
func (c *canon) value(v Value) {
	field := 10 + int(v.kind)
	switch v.kind {
	case Number:
		c.text(field, canonicalNumber(v.text))
	case Text:
		c.head(field, len(v.text))
		c.buf = append(c.buf, v.text...)
	case List:
		content := c.content(func(c *canon) {
			for _, x := range v.List() {
				c.value(x)
			}
		})
		c.head(field, len(content))
		c.buf = append(c.buf, content...)
	case Object:
		content := c.content(func(c *canon) { c.members(1, v.Members()) })
		c.head(field, len(content))
		c.buf = append(c.buf, content...)
	default:
		c.head(field, 0)
	}
}

// canonicalNumber writes the value of a JSON number of any size in one way.
func canonicalNumber(literal string) string {
	n, ok := splitNumber(literal)
	if !ok {
		return literal
	}
	if n.digits == "" {
		return "0"
	}
	sign := ""
	if n.negative {
		sign = "-"
	}
	return sign + n.digits + "e" + strconv.FormatInt(n.exponent, 10)
}
