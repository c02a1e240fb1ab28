package crypto

import (
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// shape is what a Go type looks like in CBOR, and what it takes in memory where pointers have 64 bits. The decoder makes
// lists at their stated length and looks at their elements afterwards; the shape is compared before, so that a list of
// wrong elements makes nothing.
type shape struct {
	kind   shapeKind
	size   int // bytes of one in a list or record
	length int // items of a record, bytes of a fixed string
	elem   *shape
	key    *shape            // of a map
	fields []*shape          // of a record, in order
	named  map[string]*shape // of a table, by the encoded key
	lists  int               // the largest element that a list in it makes for a byte of input
}

type shapeKind uint8

const (
	shapeAny      shapeKind = iota // an interface: whatever comes
	shapeUnsigned                  // a number that is not negative
	shapeSigned
	shapeBool
	shapeText
	shapeBytes
	shapeFixed   // a byte string of one length
	shapeList    // an array of any length
	shapeRecord  // an array with one item for each field
	shapeTable   // a map with one key for each field
	shapeMap     // a map of any length
	shapePointer // what it points to, or null
)

// What the decoder takes for an item of an interface, and beside its key and value for an entry of a map.
const (
	anyWeight   = 128
	entryWeight = 96
)

// shapes remembers the shape of each type: types are finite, and the answer is always the same.
var shapes sync.Map

func shapeOf(t reflect.Type) *shape {
	if s, ok := shapes.Load(t); ok {
		return s.(*shape)
	}
	s := shaper{}.of(t)
	shapes.Store(t, s)
	return s
}

// shaper holds the shapes being made, for types that contain themselves.
type shaper map[reflect.Type]*shape

func (m shaper) of(t reflect.Type) *shape {
	if s := m[t]; s != nil {
		return s
	}
	s := &shape{}
	m[t] = s
	switch t.Kind() {
	case reflect.Bool:
		s.kind, s.size = shapeBool, 1
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		s.kind, s.size = shapeUnsigned, t.Bits()/8
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.kind, s.size = shapeSigned, t.Bits()/8
	case reflect.Uint:
		s.kind, s.size = shapeUnsigned, 8
	case reflect.Int:
		s.kind, s.size = shapeSigned, 8
	case reflect.String:
		s.kind, s.size = shapeText, 16
	case reflect.Pointer:
		s.kind, s.size, s.elem = shapePointer, 8, m.of(t.Elem())
		s.lists = max(s.elem.size, s.elem.lists)
	case reflect.Map:
		s.kind, s.size, s.key, s.elem = shapeMap, 8, m.of(t.Key()), m.of(t.Elem())
		s.lists = max(2*(s.key.size+s.elem.size)+entryWeight, s.elem.lists)
	case reflect.Slice, reflect.Array:
		m.list(s, t)
	case reflect.Struct:
		m.record(s, t)
	default:
		s.kind, s.size, s.lists = shapeAny, 16, anyWeight
	}
	return s
}

func (m shaper) list(s *shape, t reflect.Type) {
	bytes, fixed := t.Elem().Kind() == reflect.Uint8, t.Kind() == reflect.Array
	s.size = 24
	switch {
	case bytes && fixed:
		s.kind, s.size, s.length = shapeFixed, t.Len(), t.Len()
	case bytes:
		s.kind = shapeBytes
	case fixed: // as a record
		s.kind, s.length = shapeRecord, t.Len()
		elem := m.of(t.Elem())
		s.size, s.lists = t.Len()*elem.size, elem.lists
		for range t.Len() {
			s.fields = append(s.fields, elem)
		}
	default:
		s.kind, s.elem = shapeList, m.of(t.Elem())
		s.lists = max(s.elem.size, s.elem.lists)
	}
}

// record reads a struct, with the padding that a compiler for 64 bits would put in.
func (m shaper) record(s *shape, t reflect.Type) {
	s.kind = shapeTable
	if blank, ok := t.FieldByName("_"); ok && strings.Contains(blank.Tag.Get("cbor"), "toarray") {
		s.kind = shapeRecord
	}
	s.named = map[string]*shape{}
	m.addFields(s, t)
	s.length, s.size = len(s.fields), (s.size+7)&^7
}

func (m shaper) addFields(s *shape, t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("cbor"), ",")
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			m.addFields(s, f.Type)
			continue
		}
		if !f.IsExported() || name == "-" {
			continue
		}
		field := m.of(f.Type)
		s.size, s.lists = field.pad(s.size)+field.size, max(s.lists, field.lists)
		s.fields = append(s.fields, field)
		if name == "" {
			name = f.Name
		}
		key := AppendText(nil, name)
		if n, err := strconv.ParseInt(name, 10, 64); err == nil && strings.Contains(options, "keyasint") {
			key = AppendInt(nil, n)
		}
		s.named[string(key)] = field
	}
}

// pad returns where behind so many bytes a field of this shape begins.
func (s *shape) pad(at int) int {
	align := min(s.size, 8)
	if s.kind == shapeFixed || align == 0 {
		align = 1
	}
	return (at + align - 1) / align * align
}

// fits reports whether a document of so many bytes is within a budget of its own whatever is in it: what is decoded, and what
// that encodes to, nulls written out.
func (s *shape) fits(size int) bool { return size <= BudgetFree/8/max(s.lists, 64) }

// weigher walks over a document that scanCBOR accepted, and over the shape that it should have.
type weigher struct {
	scan   cborScanner
	budget *Budget
}

// weigh counts what decoding takes against the budget. It refuses what has another shape, and what takes too much.
func (s *shape) weigh(data []byte, budget *Budget) error {
	w := weigher{scan: cborScanner{data: data}, budget: budget}
	if !w.item(s) {
		if budget.Left() < 0 {
			return denseError(len(data))
		}
		return refuse(ErrEncoding, "CBOR item before byte %d is not of the type, length or name that belongs there", w.scan.pos)
	}
	return nil
}

func (w *weigher) item(s *shape) bool {
	if s.kind == shapeBool || s.kind == shapePointer {
		first := w.scan.data[w.scan.pos]
		if s.kind == shapeBool || first == 0xf6 {
			w.scan.pos++
			return first == 0xf6 == (s.kind == shapePointer) && first>>5 == cborSimple
		}
		return w.budget.Take(1, s.elem.size+8) && w.item(s.elem)
	}
	major, n, err := w.scan.head()
	if err != nil {
		return false
	}
	switch s.kind {
	case shapeUnsigned:
		return major == cborUint
	case shapeSigned:
		return major == cborUint || major == cborNegative
	case shapeText:
		return major == cborText && w.take(n) && w.budget.Take(1, int(n)+int(n)/8+min(int(n), 8))
	case shapeBytes:
		return major == cborBytes && w.take(n) && w.budget.Take(1, int(n)+int(n)/8+8)
	case shapeFixed:
		return major == cborBytes && n == uint64(s.length) && w.take(n)
	case shapeList:
		return major == cborArray && w.budget.Take(1, s.size) && w.budget.Take(int(n), s.elem.size+s.elem.size/8) && w.items(int(n), s.elem)
	case shapeRecord:
		return major == cborArray && n == uint64(s.length) && w.record(s)
	case shapeTable:
		return major == cborMap && w.table(int(n), s)
	case shapeMap:
		return major == cborMap && w.entries(int(n), s)
	}
	return w.any(major, n)
}

// take steps over the content of a string.
func (w *weigher) take(n uint64) bool {
	w.scan.pos += int(n) // the scan saw that it is there
	return true
}

func (w *weigher) items(n int, s *shape) bool {
	for range n {
		if !w.item(s) {
			return false
		}
	}
	return true
}

func (w *weigher) record(s *shape) bool {
	for _, f := range s.fields {
		if !w.item(f) {
			return false
		}
	}
	return true
}

func (w *weigher) table(n int, s *shape) bool {
	if n < len(s.fields) && !w.budget.Take(2, s.size) { // what is absent may be written out to compare
		return false
	}
	for range n {
		start := w.scan.pos
		if w.scan.item(0) != nil {
			return false
		}
		field := s.named[string(w.scan.data[start:w.scan.pos])]
		if field == nil || !w.item(field) {
			return false
		}
	}
	return true
}

func (w *weigher) entries(n int, s *shape) bool {
	if !w.budget.Take(n, 2*(s.key.size+s.elem.size)+entryWeight) {
		return false
	}
	for range n {
		if !w.item(s.key) || !w.item(s.elem) {
			return false
		}
	}
	return true
}

// any weighs what goes into an interface.
func (w *weigher) any(major byte, n uint64) bool {
	items := 0
	switch major {
	case cborBytes, cborText:
		if w.take(n); !w.budget.Take(1, int(n)) {
			return false
		}
	case cborArray:
		items = int(n)
	case cborMap:
		items = 2 * int(n)
	}
	return w.budget.Take(1, anyWeight) && w.items(items, &anyShape)
}

var anyShape = shape{kind: shapeAny}
