package epcis

import "encoding/binary"

// A byte of CBOR can stand for a sensor report, which takes 360 in memory. So before anything is built from the bytes of an
// event they are weighed: what they would take is added up by their shape, and what takes far more than its length is
// refused. Weights are fixed numbers, not sizes of this processor: everybody must refuse the same.

// What an event may weigh. The densest published events weigh about half of that.
const (
	freeWeight    = 32 << 10
	weightPerByte = 24
)

// wireShape is what decoding an item of CBOR takes, and what is in it.
type wireShape struct {
	weight   int                 // bytes, about
	elements *wireShape          // of an array
	values   map[byte]*wireShape // of a map with small integers as keys; absent: nothing worth counting
}

// The shapes of the wire forms, with their keys.
var (
	textsShape      = &wireShape{elements: &wireShape{weight: 36}}
	tokensShape     = &wireShape{elements: &wireShape{weight: 170}}
	namespacesShape = &wireShape{elements: &wireShape{weight: 80}}
	fieldsShape     = &wireShape{weight: 320}
	refsShape       = &wireShape{elements: &wireShape{weight: 120, values: map[byte]*wireShape{2: tokensShape}}}
	quantitiesShape = &wireShape{elements: &wireShape{weight: 150, values: map[byte]*wireShape{1: {weight: 40}, 3: tokensShape}}}
	locationShape   = &wireShape{weight: 120, values: map[byte]*wireShape{1: tokensShape}}
	metadataShape   = &wireShape{weight: 220, values: map[byte]*wireShape{0: fieldsShape, 1: tokensShape}}
	reportsShape    = &wireShape{elements: &wireShape{weight: 460, values: map[byte]*wireShape{0: fieldsShape, 1: fieldsShape, 2: textsShape, 5: tokensShape}}}
	elementsShape   = &wireShape{elements: &wireShape{weight: 130, values: map[byte]*wireShape{0: metadataShape, 1: reportsShape, 2: tokensShape}}}

	eventShape = &wireShape{values: map[byte]*wireShape{
		9:  {weight: 200, values: map[byte]*wireShape{0: textsShape, 1: textsShape, 2: tokensShape}},
		10: refsShape, 11: textsShape, 13: locationShape, 14: locationShape, 15: refsShape, 16: refsShape, 17: textsShape, 18: quantitiesShape,
		20: textsShape, 21: quantitiesShape, 22: textsShape, 23: textsShape, 24: quantitiesShape, 25: quantitiesShape,
		27: tokensShape, 28: elementsShape, 29: {weight: 200, values: map[byte]*wireShape{2: textsShape, 3: tokensShape}},
		30: tokensShape, 31: tokensShape, 32: namespacesShape,
	}}
)

// tooDense reports whether an encoded event would take far more memory than its length.
func tooDense(data []byte) bool {
	s := scales{rest: data}
	s.item(eventShape, 0)
	return s.weight > freeWeight+weightPerByte*len(data)
}

// scales adds up weights. What is not well-formed ends the weighing; the decoder refuses it.
type scales struct {
	rest   []byte
	weight int
}

const maxWeighedDepth = 8 // nothing that is worth counting is deeper

func (s *scales) item(of *wireShape, depth int) {
	major, n, ok := s.head()
	if !ok || depth > maxWeighedDepth {
		s.rest = nil
		return
	}
	if of == nil {
		of = &noShape
	}
	s.weight += of.weight
	switch major {
	case 2, 3:
		s.rest = s.rest[min(n, uint64(len(s.rest))):]
	case 4:
		for ; n > 0 && len(s.rest) > 0; n-- {
			s.item(of.elements, depth+1)
		}
	case 5:
		for ; n > 0 && len(s.rest) > 0; n-- {
			key := s.rest[0]
			if key == 0x18 && len(s.rest) > 1 {
				key = s.rest[1]
			}
			s.item(nil, depth+1)
			s.item(of.values[key], depth+1)
		}
	}
}

var noShape wireShape

// head reads the type of an item and its argument (RFC 8949, section 3).
func (s *scales) head() (major byte, n uint64, ok bool) {
	if len(s.rest) == 0 {
		return 0, 0, false
	}
	major, n = s.rest[0]>>5, uint64(s.rest[0]&0x1f)
	s.rest = s.rest[1:]
	if n < 24 {
		return major, n, true
	}
	size := 1 << (n & 7) // 24 to 27: 1, 2, 4 or 8
	if n > 27 || len(s.rest) < size {
		return 0, 0, false
	}
	var full [8]byte
	copy(full[8-size:], s.rest)
	s.rest = s.rest[size:]
	return major, binary.BigEndian.Uint64(full[:]), true
}
