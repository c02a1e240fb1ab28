package crypto

import (
	"encoding/binary"
	"unicode/utf8"
)

// Records that are written and read thousands of times a second may do without reflection: they say themselves what their
// canonical CBOR is. [Marshal] and [Unmarshal] use that where it is there, and it must be byte for byte what they would make
// of the struct without it, which the tests of each such type compare.

// CBORAppender is a value that writes its own canonical CBOR.
type CBORAppender interface {
	// AppendCBOR appends what [Marshal] makes of the value to b, with the functions below.
	AppendCBOR(b []byte) []byte
}

// CBORParser is a zero value that reads its own canonical CBOR.
type CBORParser interface {
	// ParseCBOR reads all fields. The parser remembers the first error.
	ParseCBOR(p *PlainCBOR)
}

// OwnCBOR is a value whose canonical CBOR is not that of its struct but what it writes itself, shorter. No other spelling of it
// is read. It may not be part of another value that is written by reflection.
type OwnCBOR interface {
	CBORAppender
	CBORParser
	OwnCBOR()
}

// AppendUint appends an unsigned integer.
func AppendUint(b []byte, n uint64) []byte { return appendHead(b, cborUint, n) }

// AppendInt appends a signed integer.
func AppendInt(b []byte, n int64) []byte {
	if n < 0 {
		return appendHead(b, cborNegative, uint64(^n))
	}
	return appendHead(b, cborUint, uint64(n))
}

// AppendBool appends true or false.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 0xf5)
	}
	return append(b, 0xf4)
}

// AppendBytes appends a byte string.
func AppendBytes(b, v []byte) []byte { return append(appendHead(b, cborBytes, uint64(len(v))), v...) }

// AppendBytesHead begins a byte string of n bytes, which follow.
func AppendBytesHead(b []byte, n int) []byte { return appendHead(b, cborBytes, uint64(n)) }

// AppendText appends a text string.
func AppendText(b []byte, s string) []byte {
	return append(appendHead(b, cborText, uint64(len(s))), s...)
}

// AppendArray begins an array of n items, which follow.
func AppendArray(b []byte, n int) []byte { return appendHead(b, cborArray, uint64(n)) }

func appendHead(b []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= 0xff:
		return append(b, major|24, byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= 0xffffffff:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}

// PlainCBOR reads a canonical CBOR document field by field. What is not canonical, or of another type, makes it bad, and all
// that is read from then on is zero. The texts that it returns share one copy of the document.
type PlainCBOR struct {
	scan   cborScanner
	text   string // the document, once a text was asked for
	budget *Budget
	bad    bool
}

// NewPlainCBOR returns a reader of a document that takes what it makes from a budget. At the end [PlainCBOR.Done] says
// whether all was well.
func NewPlainCBOR(data []byte, budget *Budget) PlainCBOR {
	return PlainCBOR{scan: cborScanner{data: data}, budget: budget, bad: len(data) > MaxCBORBytes}
}

// parsePlain reports whether data is one document that v reads; v is otherwise in an undefined state.
func parsePlain(data []byte, v CBORParser, budget *Budget) bool {
	p := NewPlainCBOR(data, budget)
	v.ParseCBOR(&p)
	return p.Done()
}

// Done reports whether everything was well-formed and canonical and nothing is left.
func (p *PlainCBOR) Done() bool { return !p.bad && p.scan.pos == len(p.scan.data) }

// Fail marks the document as bad.
func (p *PlainCBOR) Fail() { p.bad = true }

// Bad reports whether something was bad so far.
func (p *PlainCBOR) Bad() bool { return p.bad }

// Pos is how many bytes were read so far.
func (p *PlainCBOR) Pos() int { return p.scan.pos }

// Take counts what the caller is about to make, n things of so many bytes each; false if that is too much, and the document
// is bad then.
func (p *PlainCBOR) Take(n, each int) bool {
	if !p.budget.Take(n, each) {
		p.bad = true
	}
	return !p.bad
}

// head reads a head that must be of a major type.
func (p *PlainCBOR) head(want byte) uint64 {
	if p.bad {
		return 0
	}
	if s := &p.scan; s.pos < len(s.data) && s.data[s.pos]>>5 == want && s.data[s.pos]&0x1f < 24 {
		s.pos++
		return uint64(s.data[s.pos-1] & 0x1f)
	}
	major, n, err := p.scan.head()
	if err != nil || major != want {
		p.bad = true
		return 0
	}
	return n
}

// Uint reads an unsigned integer of at most limit.
func (p *PlainCBOR) Uint(limit uint64) uint64 {
	n := p.head(cborUint)
	if n > limit {
		p.bad, n = true, 0
	}
	return n
}

// Int reads a signed integer of so many bits.
func (p *PlainCBOR) Int(bits int) int64 {
	if p.bad || p.scan.pos >= len(p.scan.data) {
		p.bad = true
		return 0
	}
	major := p.scan.data[p.scan.pos] >> 5
	if major != cborNegative {
		major = cborUint
	}
	n := p.head(major)
	if n >= 1<<(bits-1) {
		p.bad = true
		return 0
	}
	if major == cborNegative {
		return ^int64(n)
	}
	return int64(n)
}

// Bool reads true or false.
func (p *PlainCBOR) Bool() bool {
	if s := &p.scan; !p.bad && s.pos < len(s.data) && s.data[s.pos]&^1 == 0xf4 {
		s.pos++
		return s.data[s.pos-1] == 0xf5
	}
	p.bad = true
	return false
}

// skip reads the length of a string and passes over it.
func (p *PlainCBOR) skip(major byte) (from, to int) {
	n := p.head(major)
	if from = p.scan.pos; n > uint64(len(p.scan.data)-from) {
		p.bad, n = true, 0
	}
	p.scan.pos += int(n)
	return from, p.scan.pos
}

// Fixed reads a byte string of exactly the length of out.
func (p *PlainCBOR) Fixed(out []byte) {
	from, to := p.skip(cborBytes)
	if p.bad || to-from != len(out) {
		p.bad = true
		return
	}
	copy(out, p.scan.data[from:to])
}

// Bytes reads a byte string.
func (p *PlainCBOR) Bytes() []byte {
	from, to := p.skip(cborBytes)
	if p.bad || !p.Take(1, to-from+(to-from)/8+8) {
		return nil
	}
	return append(make([]byte, 0, to-from), p.scan.data[from:to]...)
}

// Shared reads a byte string and returns the part of the document that it is.
func (p *PlainCBOR) Shared() []byte {
	from, to := p.skip(cborBytes)
	if p.bad {
		return nil
	}
	return p.scan.data[from:to:to]
}

// Text reads a text string.
func (p *PlainCBOR) Text() string {
	from, to := p.skip(cborText)
	if p.bad || !utf8.Valid(p.scan.data[from:to]) {
		p.bad = true
		return ""
	}
	if from == to {
		return ""
	}
	if p.text == "" {
		if !p.Take(1, len(p.scan.data)+len(p.scan.data)/8) {
			return ""
		}
		p.text = string(p.scan.data)
	}
	return p.text[from:to]
}

// SharedText reads a text string and returns the part of the document that it is, of which the caller sees that it is UTF-8.
func (p *PlainCBOR) SharedText() []byte {
	from, to := p.skip(cborText)
	if p.bad {
		return nil
	}
	return p.scan.data[from:to:to]
}

// Array reads how many items an array has, each of which takes at least a byte. The caller is about to make so many bytes
// for each.
func (p *PlainCBOR) Array(each int) int { return p.count(cborArray, 1, each) }

// Map reads how many keys a map has, each of which takes at least two bytes with its value.
func (p *PlainCBOR) Map() int { return p.count(cborMap, 2, 0) }

func (p *PlainCBOR) count(major byte, least uint64, each int) int {
	n := p.head(major)
	if n > MaxCBORElements || n > uint64(len(p.scan.data)-p.scan.pos)/least || !p.Take(int(n), each+each/8) {
		p.bad = true
		return 0
	}
	return int(n)
}

// Null steps over a null, if one is next.
func (p *PlainCBOR) Null() bool {
	if s := &p.scan; !p.bad && s.pos < len(s.data) && s.data[s.pos] == 0xf6 {
		s.pos++
		return true
	}
	return false
}

// Struct reads the beginning of an array that must have n items; false if it has not.
func (p *PlainCBOR) Struct(n int) bool {
	if p.head(cborArray) != uint64(n) {
		p.bad = true
	}
	return !p.bad
}
