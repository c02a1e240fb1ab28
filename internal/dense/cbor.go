package dense

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// item is one item of CBOR, taken apart.
type item struct {
	major byte
	arg   uint64
	text  []byte
	kids  []*item
	raw   []byte // written instead, if not nil
}

// parse reads one canonical item; what is not well-formed panics, for samples are valid.
func parse(data []byte) (*item, []byte) {
	n := &item{major: data[0] >> 5}
	info := data[0] & 0x1f
	data = data[1:]
	n.arg = uint64(info)
	if info >= 24 {
		size := 1 << (info - 24)
		n.arg = binary.BigEndian.Uint64(append(make([]byte, 8-size), data[:size]...))
		data = data[size:]
	}
	kids := 0
	switch n.major {
	case 2, 3:
		n.text, data = data[:n.arg], data[n.arg:]
	case 4:
		kids = int(n.arg)
	case 5:
		kids = 2 * int(n.arg)
	}
	for range kids {
		var kid *item
		kid, data = parse(data)
		n.kids = append(n.kids, kid)
	}
	return n, data
}

func head(major byte, arg uint64) []byte {
	switch {
	case arg < 24:
		return []byte{major<<5 | byte(arg)}
	case arg < 1<<8:
		return []byte{major<<5 | 24, byte(arg)}
	case arg < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(arg))
	case arg < 1<<32:
		return binary.BigEndian.AppendUint32([]byte{major<<5 | 26}, uint32(arg))
	}
	return binary.BigEndian.AppendUint64([]byte{major<<5 | 27}, arg)
}

func (n *item) bytes() []byte {
	if n.raw != nil {
		return n.raw
	}
	out := head(n.major, n.arg)
	if n.major == 2 || n.major == 3 {
		return append(out, n.text...)
	}
	for _, kid := range n.kids {
		out = append(out, kid.bytes()...)
	}
	return out
}

// small are items that are small in bytes and may be large in memory.
var small = []string{"\x00", "\x20", "\x40", "\x60", "\x80", "\xa0", "\xf4", "\xf6", "\x61a", "\x62:a", "\x63a:b", "\x81\x00", "\x82\x60\x60", "\x82\x00\x00", "\x82\x82\x00\x00\x00",
	"\x83\x60\x60\x60", "\x84\x02\x60\x60\x00", "\x84\x05\x60\x60\x00", "\xa1\x00\x60", "\xa1\x00\x61a", "\xa1\x00\xa0", "\xa1\x00\x80", "\xa1\x01\x82\x00\x00", "\xa1\x01\x81\xa0", "\xa1\x00\xa1\x00\x61a"}

// CBOR tries variants of a valid canonical CBOR document: every item in turn is a list or a map of small things, or its own
// first part many times, or long bytes; also wrapped as a byte string, for documents in documents.
func (s *Search) CBOR(what string, sample []byte, decode func([]byte)) {
	s.t.Helper()
	root, _ := parse(sample)
	s.Try(what, sample, decode)
	try := func(n *item, part string, raw []byte) {
		n.raw = raw
		s.Try(fmt.Sprintf("%s, %s", what, part), root.bytes(), decode)
		n.raw = nil
	}
	var visit func(n *item)
	visit = func(n *item) {
		items := small
		for i, kid := range n.kids {
			if i < 2 && len(kid.bytes()) < 2000 {
				items = append(items[:len(items):len(items)], string(kid.bytes()))
			}
		}
		for _, one := range items {
			for _, size := range sizes(s.t) {
				size = min(size, s.limit/len(one))
				list := bytes.Repeat([]byte(one), size)
				try(n, fmt.Sprintf("a list of %d %.20x", size, one), append(head(4, uint64(size)), list...))
				if n.major == 2 {
					whole := append(head(4, uint64(size)), list...)
					try(n, fmt.Sprintf("bytes of a list of %d %.20x", size, one), append(head(2, uint64(len(whole))), whole...))
				}
			}
		}
		for _, size := range sizes(s.t) {
			try(n, fmt.Sprintf("a map of %d", size), keys(size, "\x60"))
			try(n, fmt.Sprintf("a map of %d maps", size), keys(size, "\xa0"))
			try(n, fmt.Sprintf("%d bytes", size), append(head(2, uint64(size)), make([]byte, size)...))
			try(n, fmt.Sprintf("a text of %d", size), append(head(3, uint64(size)), bytes.Repeat([]byte("a"), size)...))
			if n.major == 4 && len(n.kids) > 0 {
				try(n, fmt.Sprintf("said to be %d long", size), append(head(4, uint64(size)), n.bytes()[1:]...))
			}
		}
		for _, kid := range n.kids {
			visit(kid)
		}
	}
	visit(root)
}

// keys makes a map with ascending numbers as keys.
func keys(n int, value string) []byte {
	out := head(5, uint64(n))
	for i := range n {
		out = append(append(out, head(0, uint64(i))...), value...)
	}
	return out
}
