package epcis

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Quoted texts of JSON and what is escaped in them.

// string reads a quoted text. Without escapes it is a part of the document itself.
func (s *scanner) string(p *path) string {
	s.pos++ // '"'
	start := s.pos
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == '"':
			text := s.text[start:s.pos]
			s.pos++
			return text
		case c == '\\':
			return s.escaped(p, start)
		case c < 0x20:
			s.fail(p, FaultSyntax, "a control character stands in a text; escape it")
			return ""
		case c < utf8.RuneSelf:
			s.pos++
		default:
			if !s.rune(p) {
				return ""
			}
		}
	}
	s.fail(p, FaultSyntax, "the document ends inside a text")
	return ""
}

// rune steps over one rune of valid UTF-8.
func (s *scanner) rune(p *path) bool {
	r, size := utf8.DecodeRuneInString(s.text[s.pos:])
	if r == utf8.RuneError && size == 1 {
		s.fail(p, FaultSyntax, "the text is not valid UTF-8")
		return false
	}
	s.pos += size
	return true
}

// escaped continues string at the first escape of a text that began at start.
func (s *scanner) escaped(p *path, start int) string {
	var b strings.Builder
	size := s.untilQuote() - start // what an escape stands for is never longer
	if !s.take(p, 1, size+size/8+8) {
		return ""
	}
	b.Grow(size)
	b.WriteString(s.text[start:s.pos])
	for s.pos < len(s.text) {
		plain := s.pos
		switch c := s.text[s.pos]; {
		case c == '"':
			s.pos++
			return b.String()
		case c == '\\':
			r, ok := s.escape(p)
			if !ok {
				return ""
			}
			b.WriteRune(r)
			continue
		case c < 0x20:
			s.fail(p, FaultSyntax, "a control character stands in a text; escape it")
			return ""
		case c < utf8.RuneSelf:
			s.pos++
		default:
			if !s.rune(p) {
				return ""
			}
		}
		b.WriteString(s.text[plain:s.pos])
	}
	s.fail(p, FaultSyntax, "the document ends inside a text")
	return ""
}

// untilQuote returns where the text ends in which the scanner is.
func (s *scanner) untilQuote() int {
	for i := s.pos; i < len(s.text); i++ {
		switch s.text[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
	return len(s.text)
}

const (
	escapes  = `"\/bfnrt`
	escapeds = "\"\\/\b\f\n\r\t"
)

// escape reads one escape sequence. A lone surrogate is refused: it is no character and has no UTF-8.
func (s *scanner) escape(p *path) (rune, bool) {
	if s.pos+1 < len(s.text) {
		if i := strings.IndexByte(escapes, s.text[s.pos+1]); i >= 0 {
			s.pos += 2
			return rune(escapeds[i]), true
		}
	}
	r, ok := s.hex()
	if ok && utf16.IsSurrogate(r) {
		var low rune
		low, ok = s.hex()
		r = utf16.DecodeRune(r, low)
		ok = ok && r != utf8.RuneError
	}
	if !ok {
		s.fail(p, FaultSyntax, "this is no valid escape sequence")
		return 0, false
	}
	return r, true
}

// hex reads \uXXXX.
func (s *scanner) hex() (rune, bool) {
	if len(s.text)-s.pos < 6 || s.text[s.pos:s.pos+2] != `\u` {
		return 0, false
	}
	n, err := strconv.ParseUint(s.text[s.pos+2:s.pos+6], 16, 32)
	if err != nil || strings.IndexByte(s.text[s.pos+2:s.pos+6], '_') >= 0 {
		return 0, false
	}
	s.pos += 6
	return rune(n), true
}
