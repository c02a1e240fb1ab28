package epcis

import "unicode/utf8"

// writer makes indented JSON text.
type writer struct {
	buf    []byte
	indent int
	fresh  bool // nothing written yet in the innermost container
}

const hexDigits = "0123456789abcdef"

// appendText writes a JSON string. HTML characters stay as they are; what is no UTF-8 becomes U+FFFD.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += size
			continue
		}
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c < 0x20 || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
		i++
	}
	return append(b, '"')
}

func (w *writer) line() {
	w.buf = append(w.buf, '\n')
	for range w.indent {
		w.buf = append(w.buf, ' ', ' ')
	}
}

func (w *writer) open(c byte) {
	w.buf = append(w.buf, c)
	w.indent++
	w.fresh = true
}

func (w *writer) close(c byte) {
	w.indent--
	if !w.fresh {
		w.line()
	}
	w.buf = append(w.buf, c)
	w.fresh = false
}

// next begins an element or member.
func (w *writer) next() {
	if !w.fresh {
		w.buf = append(w.buf, ',')
	}
	w.fresh = false
	w.line()
}

func (w *writer) name(name string) {
	w.next()
	w.buf = appendText(w.buf, name)
	w.buf = append(w.buf, ':', ' ')
}

func (w *writer) text(s string) { w.buf = appendText(w.buf, s) }

func (w *writer) value(v Value) {
	switch v.kind {
	case Null, None:
		w.buf = append(w.buf, "null"...)
	case True, False, Number:
		w.buf = append(w.buf, v.Text()...)
	case Text:
		w.text(v.text)
	case List:
		w.open('[')
		for _, x := range v.List() {
			w.next()
			w.value(x)
		}
		w.close(']')
	case Object:
		w.open('{')
		w.members(v.Members())
		w.close('}')
	}
}

func (w *writer) members(ms []Member) {
	for _, m := range ms {
		w.name(m.Name)
		w.value(m.Value)
	}
}

// field writes a text member unless it is absent.
func (w *writer) field(name, s string) {
	if s != "" {
		w.name(name)
		w.text(s)
	}
}

// Format writes the value as indented JSON.
func (v Value) Format() []byte {
	var w writer
	w.value(v)
	return w.buf
}
