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
	scan cborScanner
	text string
	bad  bool
}

// parsePlain reports whether data is one document that v reads; v is otherwise in an undefined state.
func parsePlain(data []byte, v CBORParser) bool {
	if len(data) > MaxCBORBytes {
		return false
	}
	p := PlainCBOR{scan: cborScanner{data: data}, text: string(data)}
	v.ParseCBOR(&p)
	return !p.bad && p.scan.pos == len(data)
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
	if p.bad {
		return nil
	}
	return append(make([]byte, 0, to-from), p.scan.data[from:to]...)
}

// Text reads a text string.
func (p *PlainCBOR) Text() string {
	from, to := p.skip(cborText)
	if p.bad || !utf8.ValidString(p.text[from:to]) {
		p.bad = true
		return ""
	}
	return p.text[from:to]
}

// Array reads how many items an array has, each of which takes at least a byte.
func (p *PlainCBOR) Array() int {
	n := p.head(cborArray)
	if n > MaxCBORElements || n > uint64(len(p.scan.data)-p.scan.pos) {
		p.bad = true
		return 0
	}
	return int(n)
}

// Struct reads the beginning of an array that must have n items; false if it has not.
func (p *PlainCBOR) Struct(n int) bool {
	if p.head(cborArray) != uint64(n) {
		p.bad = true
	}
	return !p.bad
}
