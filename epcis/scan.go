package epcis

import (
	"strconv"
	"strings"

	"waybill/crypto"
)

// Limits of every JSON text this package reads.
const (
	MaxDocumentBytes = 10 << 20 // whole text
	MaxDepth         = 64       // nested arrays and objects
	maxNumberBytes   = 64       // literal of a number
	maxValues        = 1 << 20  // values and members in one text
	maxMembers       = 4096     // members of one object
	maxBareNames     = 16       // members up to which duplicates are found by comparing
)

// ParseValue reads one JSON text (RFC 8259) strictly: UTF-8 without surrogates, no duplicate names, nothing after the
// end, all limits of this package, and no more in memory than a [crypto.Budget]. The error is a [Faults] with one fault of
// kind FaultSyntax or FaultTooLarge.
func ParseValue(data []byte) (Value, error) {
	budget := crypto.NewBudget(len(data))
	return parseValue(data, &budget)
}

func parseValue(data []byte, budget *crypto.Budget) (Value, error) {
	if len(data) > MaxDocumentBytes {
		return Value{}, Faults{{Kind: FaultTooLarge, Expected: "at most " + strconv.Itoa(MaxDocumentBytes) + " bytes",
			Actual: strconv.Itoa(len(data)) + " bytes", Detail: "the document is too large; send its events in several documents"}}
	}
	budget.Take(1, len(data)+len(data)/8)
	s := scanner{text: string(data), budget: budget}
	s.skipByteOrderMark()
	s.countAhead()
	v := s.value(nil, 0)
	if s.fault == nil {
		s.space()
		if s.pos < len(s.text) {
			s.fail(nil, FaultSyntax, "text follows the end of the document")
		}
	}
	if s.fault != nil {
		return Value{}, Faults{*s.fault}
	}
	return v, nil
}

// scanner reads strict JSON. A first pass counts the commas of every container, so that the second can allocate each
// once, at its exact size: growing would cost several times the memory, which a hostile text would make the most of.
type scanner struct {
	text   string
	pos    int
	values int      // made so far
	sizes  []uint32 // commas of the containers that are still to be opened, in the order of opening
	budget *crypto.Budget
	fault  *Fault
	ways   ways
}

// take counts what is about to be made, n things of so many bytes each; false and a fault if that is too much.
func (s *scanner) take(p *path, n, each int) bool {
	if s.budget.Take(n, each) {
		return true
	}
	s.fail(p, FaultTooLarge, "the document holds too many values for its length")
	return false
}

// countAhead fills sizes. It judges nothing: what it miscounts in a malformed text only misleads an allocation, which
// [scanner.capacity] bounds.
func (s *scanner) countAhead() {
	containers := min(strings.Count(s.text, "[")+strings.Count(s.text, "{"), maxValues)
	if !s.take(nil, containers, 4) {
		return
	}
	s.sizes = make([]uint32, 0, containers)
	var open [MaxDepth]int // indexes of the open containers
	depth, inText := 0, false
	for i := 0; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case inText:
			if c == '\\' {
				i++
			}
			inText = c != '"'
		case c == '"':
			inText = true
		case c == '[' || c == '{':
			if depth == MaxDepth || len(s.sizes) == containers {
				return
			}
			open[depth] = len(s.sizes)
			depth++
			s.sizes = append(s.sizes, 0)
		case c == ']' || c == '}':
			depth = max(depth-1, 0)
		case c == ',' && depth > 0:
			s.sizes[open[depth-1]]++
		}
	}
}

// capacity returns how many elements the container just opened will have: at most what the rest of the text can hold.
func (s *scanner) capacity() int {
	if len(s.sizes) == 0 {
		return 0
	}
	n := int(s.sizes[0]) + 1
	s.sizes = s.sizes[1:]
	return min(n, (len(s.text)-s.pos)/2+1)
}

// fail records the first fault; later ones are consequences.
func (s *scanner) fail(p *path, kind Kind, detail string) {
	if s.fault != nil {
		return
	}
	line := 1 + strings.Count(s.text[:s.pos], "\n")
	s.fault = &Fault{Pointer: p.pointer(), Kind: kind, Detail: detail,
		Actual: shorten(strings.ToValidUTF8(s.text[s.pos:min(len(s.text), s.pos+24)], "\uFFFD"))}
	s.fault.Detail += " at line " + strconv.Itoa(line)
}

func (s *scanner) skipByteOrderMark() { s.text = strings.TrimPrefix(s.text, "\uFEFF") }

func (s *scanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next byte that is no space; 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner) value(p *path, depth int) Value {
	if s.fault != nil {
		return Value{}
	}
	if s.values++; s.values > maxValues {
		s.fail(p, FaultTooLarge, "the document holds more than "+strconv.Itoa(maxValues)+" values")
		return Value{}
	}
	switch c := s.peek(); {
	case c == '{' || c == '[':
		if depth >= MaxDepth {
			s.fail(p, FaultTooLarge, "arrays and objects nest deeper than "+strconv.Itoa(MaxDepth))
			return Value{}
		}
		if c == '{' {
			return s.object(p, depth+1)
		}
		return s.array(p, depth+1)
	case c == '"':
		text := s.string(p)
		return Value{kind: Text, text: text}
	case c == '-' || c >= '0' && c <= '9':
		return s.number(p)
	}
	return s.word(p)
}

func (s *scanner) word(p *path) Value {
	rest := s.text[s.pos:]
	for _, w := range [...]struct {
		text string
		kind ValueKind
	}{{"true", True}, {"false", False}, {"null", Null}} {
		if strings.HasPrefix(rest, w.text) {
			s.pos += len(w.text)
			return Value{kind: w.kind}
		}
	}
	if rest == "" {
		s.fail(p, FaultSyntax, "the document ends where a value belongs")
	} else {
		s.fail(p, FaultSyntax, "this is no JSON value")
	}
	return Value{}
}

func (s *scanner) array(p *path, depth int) Value {
	s.pos++ // '['
	size := s.capacity()
	if s.peek() == ']' {
		s.pos++
		return Value{kind: List}
	}
	if !s.take(p, 1, nodeRoom) || !s.take(p, size, valueRoom+valueRoom/8) {
		return Value{}
	}
	list := make([]Value, 0, size)
	for i := 0; ; i++ {
		v := s.value(s.ways.at(p, i), depth)
		s.ways.back()
		if s.fault != nil {
			return Value{}
		}
		list = append(list, v)
		switch s.peek() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return Value{kind: List, node: &node{list: list}}
		default:
			s.fail(p, FaultSyntax, "a comma or ] belongs here")
			return Value{}
		}
	}
}

func (s *scanner) object(p *path, depth int) Value {
	s.pos++ // '{'
	size := s.capacity()
	if s.peek() == '}' {
		s.pos++
		return Value{kind: Object}
	}
	size = min(size, maxMembers)
	if !s.take(p, 1, nodeRoom) || !s.take(p, size, memberRoom+memberRoom/8) {
		return Value{}
	}
	members := make([]Member, 0, size)
	for {
		if s.peek() != '"' {
			s.fail(p, FaultSyntax, "a quoted name belongs here")
			return Value{}
		}
		name := s.string(p)
		if s.fault == nil && s.peek() != ':' {
			s.fail(p, FaultSyntax, "a colon belongs here")
		}
		if s.fault != nil {
			return Value{}
		}
		s.pos++
		v := s.value(s.ways.field(p, name), depth)
		s.ways.back()
		if s.fault != nil {
			return Value{}
		}
		if len(members) == maxMembers {
			s.fail(p, FaultTooLarge, "an object has more than "+strconv.Itoa(maxMembers)+" members")
			return Value{}
		}
		members = append(members, Member{Name: name, Value: v})
		switch s.peek() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			s.checkNames(p, members)
			return Value{kind: Object, node: &node{members: members}}
		default:
			s.fail(p, FaultSyntax, "a comma or } belongs here")
			return Value{}
		}
	}
}

// checkNames refuses duplicate names: which of two values counts is a matter of taste, and taste differs.
func (s *scanner) checkNames(p *path, members []Member) {
	if !s.take(p, namesRoom(len(members)), 1) {
		return
	}
	if at := twice(members); at >= 0 {
		s.fail(p.field(members[at].Name), FaultSyntax, "the name occurs twice in its object, which ends")
	}
}

func (s *scanner) number(p *path) Value {
	start := s.pos
	for s.pos < len(s.text) && strings.IndexByte("+-.0123456789eE", s.text[s.pos]) >= 0 {
		s.pos++
	}
	literal := s.text[start:s.pos]
	if len(literal) > maxNumberBytes {
		s.pos = start
		s.fail(p, FaultTooLarge, "a number is longer than "+strconv.Itoa(maxNumberBytes)+" characters")
		return Value{}
	}
	if _, ok := splitNumber(literal); !ok {
		s.pos = start
		s.fail(p, FaultSyntax, "this is no JSON number")
		return Value{}
	}
	return Value{kind: Number, text: literal}
}
