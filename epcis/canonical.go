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
	var c canon
	c.event(e)
	return c.buf
}

// event writes the canonical form in place of what was there.
func (c *canon) event(e *Event) {
	if c.buf == nil {
		c.buf = make([]byte, 0, 1024)
	}
	c.prefixes, c.spans = prefixMap(e.Namespaces), c.spans[:0]
	c.buf = append(c.buf[:0], canonicalVersion, byte(e.Type))
	c.text(fEventID, e.EventID)
	c.text(fEventTime, canonicalTime(e.EventTime))
	c.text(fOffset, canonicalOffset(e.TimeZoneOffset))
	c.text(fAction, string(e.Action))
	c.word(fBizStep, e.BizStep, &bizSteps)
	c.word(fDisposition, e.Disposition, &dispositions)
	if d := e.PersistentDisposition; d != nil {
		c.set(fSet, d.Set, &dispositions)
		c.set(fUnset, d.Unset, &dispositions)
		c.members(fDispositionExt, d.Extensions)
	}
	c.refs(fBizTransactions, e.BizTransactions, &bizTransactionTypes)
	c.set(fCertification, e.CertificationInfo, nil)
	c.location(fReadPoint, e.ReadPoint)
	c.location(fBizLocation, e.BizLocation)
	c.refs(fSources, e.Sources, &sourceDestTypes)
	c.refs(fDestinations, e.Destinations, &sourceDestTypes)
	c.identifiers(fEPCs, e.EPCs)
	c.quantities(fQuantities, e.Quantities)
	c.text(fParent, c.canonicalURI(e.ParentID))
	c.identifiers(fChildEPCs, e.ChildEPCs)
	c.quantities(fChildQuantities, e.ChildQuantities)
	c.identifiers(fInputEPCs, e.InputEPCs)
	c.identifiers(fOutputEPCs, e.OutputEPCs)
	c.quantities(fInputQuantities, e.InputQuantities)
	c.quantities(fOutputQuantities, e.OutputQuantities)
	c.text(fTransformation, c.canonicalURI(e.TransformationID))
	c.members(fILMD, e.ILMD)
	c.sensors(fSensors, e.SensorElements)
	c.errorDeclaration(fError, e.ErrorDeclaration)
	c.members(fExtensions, e.Extensions)
}

// canonicalURI is canonicalID for fields that may be absent.
func canonicalURI(u string) string {
	if u == "" {
		return ""
	}
	return canonicalID(u)
}

func (c *canon) canonicalURI(u string) string {
	if u == "" {
		return ""
	}
	return c.canonicalID(u)
}

func (c *canon) canonicalID(id string) string {
	if parsed, err := c.ids.parse(id); err == nil {
		return parsed.Canonical()
	}
	return id
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

// canon writes the canonical form. Content is written where its field will stand and moved by the field's head once its
// length is known, so that nothing needs a place of its own.
type canon struct {
	buf      []byte
	spans    []span // of the elements of the sets being written, as they come
	prefixes prefixMap
	ids      *identifiers
	peak     int // bytes of the buffer that were counted
}

// What an element of a set takes, and how much room there is for one before the buffer grows, bytes.
const (
	spanRoom  = 16
	slackRoom = 256
)

// reserve makes the buffer as long as the canonical form of an event of so many bytes nearly always is.
func (c *canon) reserve(event int) {
	if want := 3*event + 2*slackRoom; want > c.peak && c.ids.budget.Take(want-c.peak, 1) {
		c.peak, c.buf = want, make([]byte, 0, want)
	}
}

// enough makes room for an element; false if that takes too much, and the form means nothing then.
func (c *canon) enough() bool {
	if c.ids == nil {
		return true
	}
	if need := len(c.buf) + slackRoom; need > c.peak {
		if !c.ids.budget.Take(need, 2) {
			return false
		}
		c.peak, c.buf = 2*need, append(make([]byte, 0, 2*need), c.buf...)
	}
	return c.ids.budget.Left() >= 0
}

// span is a part of the buffer.
type span struct{ from, to int32 }

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

// wrap makes what was written since begin the content of a field, unless that is nothing.
func (c *canon) wrap(field, begin int) {
	if len(c.buf) > begin {
		c.wrapAny(field, begin)
	}
}

func (c *canon) wrapAny(field, begin int) {
	var room [2 * binary.MaxVarintLen64]byte
	size := len(c.buf) - begin
	head := binary.AppendUvarint(binary.AppendUvarint(room[:0], uint64(field)), uint64(size))
	c.buf = append(c.buf, head...)
	copy(c.buf[begin+len(head):], c.buf[begin:begin+size])
	copy(c.buf[begin:], head)
}

// bag writes a set of n elements, in the order of their bytes; write writes one.
func (c *canon) bag(field, n int, write func(i int)) {
	if n == 0 || c.ids != nil && !c.ids.budget.Take(n, spanRoom) {
		return
	}
	begin, mark := len(c.buf), len(c.spans)
	c.spans = slices.Grow(c.spans, n)
	for i := range n {
		if !c.enough() {
			return
		}
		from := len(c.buf)
		write(i)
		c.spans = append(c.spans, span{int32(from), int32(len(c.buf))})
	}
	spans, raw := c.spans[mark:], len(c.buf)
	slices.SortFunc(spans, func(a, b span) int { return bytes.Compare(c.buf[a.from:a.to], c.buf[b.from:b.to]) })
	for _, s := range spans {
		if !c.enough() {
			return
		}
		c.head(1, int(s.to-s.from))
		c.buf = append(c.buf, c.buf[s.from:s.to]...)
	}
	size := copy(c.buf[begin:], c.buf[raw:])
	c.buf, c.spans = c.buf[:begin+size], c.spans[:mark]
	c.wrap(field, begin)
}

// set writes a set of texts, words of a vocabulary as their URIs; nil is no vocabulary.
func (c *canon) set(field int, texts []string, voc *vocabulary) {
	c.bag(field, len(texts), func(i int) {
		if voc == nil {
			c.buf = append(c.buf, texts[i]...)
		} else {
			c.buf = voc.appendURI(c.buf, texts[i])
		}
	})
}

// word writes a word of a vocabulary as its URI, unless it is empty.
func (c *canon) word(field int, s string, voc *vocabulary) {
	begin := len(c.buf)
	c.buf = voc.appendURI(c.buf, s)
	c.wrap(field, begin)
}

// identifiers writes a set of identifiers, each in its one spelling.
func (c *canon) identifiers(field int, list []string) {
	c.bag(field, len(list), func(i int) {
		id := list[i]
		if parsed, err := c.ids.parseOf(list, i); err == nil {
			id = parsed.Canonical()
		}
		c.buf = append(c.buf, id...)
	})
}

func (c *canon) quantities(field int, list []Quantity) {
	c.bag(field, len(list), func(i int) {
		q := &list[i]
		c.text(1, c.canonicalURI(q.Class))
		c.number(2, q.Quantity)
		c.text(3, q.UOM)
		c.members(4, q.Extensions)
	})
}

func (c *canon) refs(field int, list []TypedRef, types *vocabulary) {
	c.bag(field, len(list), func(i int) {
		r := &list[i]
		c.word(1, r.Type, types)
		c.text(2, c.canonicalURI(r.ID))
		c.members(3, r.Extensions)
	})
}

func (c *canon) location(field int, l *Location) {
	if l == nil {
		return
	}
	begin := len(c.buf)
	c.text(1, c.canonicalURI(l.ID))
	c.members(2, l.Extensions)
	c.wrap(field, begin)
}

func (c *canon) errorDeclaration(field int, d *ErrorDeclaration) {
	if d == nil {
		return
	}
	begin := len(c.buf)
	c.head(0, 0) // a declaration says something even when it is empty
	c.text(1, canonicalTime(d.DeclarationTime))
	c.word(2, d.Reason, &errorReasons)
	c.set(3, d.CorrectiveEventIDs, nil)
	c.members(4, d.Extensions)
	c.wrap(field, begin)
}

func (c *canon) number(field int, d *Decimal) {
	if d != nil {
		begin := len(c.buf)
		c.buf = strconv.AppendInt(append(strconv.AppendInt(c.buf, d.Coefficient, 10), 'e'), int64(d.Exponent), 10)
		c.wrap(field, begin)
	}
}

func (c *canon) sensors(field int, list []SensorElement) {
	c.bag(field, len(list), func(i int) {
		s := &list[i]
		if m := s.Metadata; m != nil {
			begin, fields := len(c.buf), m.fields()
			c.fields(fields[:])
			c.members(100, m.Extensions)
			c.wrap(1, begin)
		}
		c.bag(2, len(s.Reports), func(i int) { c.report(&s.Reports[i]) })
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
			text = c.canonicalURI(text)
		case fieldHex:
			text = strings.ToLower(text)
		case fieldMeasurement, fieldAlert, fieldComponent:
			c.word(i+1, text, f.kind.vocabulary())
			continue
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
	c.bag(field, len(x), func(i int) {
		begin := len(c.buf)
		c.expanded(x[i].Name)
		c.wrapAny(1, begin)
		c.value(x[i].Value)
	})
}

// expanded writes a name with its prefix written out.
func (c *canon) expanded(name string) {
	prefix, local, found := strings.Cut(name, ":")
	if found && !strings.HasPrefix(local, "//") {
		if ns, ok := c.prefixes.lookup(prefix); ok {
			c.buf, name = append(c.buf, ns...), local
		}
	}
	c.buf = append(c.buf, name...)
}

// value writes a JSON value: its kind as the field, numbers by value.
func (c *canon) value(v Value) {
	field := 10 + int(v.kind)
	begin := len(c.buf)
	switch v.kind {
	case Number:
		c.text(field, canonicalNumber(v.text))
		return
	case Text:
		c.buf = append(c.buf, v.text...)
	case List:
		for _, x := range v.List() {
			c.value(x)
		}
	case Object:
		c.members(1, v.Members())
	}
	c.wrapAny(field, begin)
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
