package dense

import (
	"bytes"
	"fmt"
)

// small are items that are small in bytes and may be large in memory.
var small = []string{"\x00", "\x20", "\x40", "\x60", "\x80", "\xa0", "\xf4", "\xf6", "\x61a", "\x62:a", "\x63a:b", "\x81\x00", "\x82\x60\x60", "\x82\x00\x00", "\x82\x82\x00\x00\x00",
	"\x83\x60\x60\x60", "\x84\x02\x60\x60\x00", "\x84\x05\x60\x60\x00", "\xa1\x00\x60", "\xa1\x00\x61a", "\xa1\x00\xa0", "\xa1\x00\x80", "\xa1\x01\x82\x00\x00", "\xa1\x01\x81\xa0", "\xa1\x00\xa1\x00\x61a"}

// CBOR tries variants of a valid canonical CBOR document: every item in turn is a list or a map of small things, or its own
// first part many times, or long bytes; also wrapped as a byte string, for documents in documents.
func (s *Search) CBOR(what string, sample []byte, decode func([]byte)) {
	s.t.Helper()
	root, _ := TakeApart(sample)
	s.Try(what, sample, decode)
	try := func(n *Item, part string, raw []byte) {
		n.Raw = raw
		s.Try(fmt.Sprintf("%s, %s", what, part), root.Bytes(), decode)
		n.Raw = nil
	}
	var visit func(n *Item)
	visit = func(n *Item) {
		items := small
		for i, kid := range n.Kids {
			if i < 2 && len(kid.Bytes()) < 2000 {
				items = append(items[:len(items):len(items)], string(kid.Bytes()))
			}
		}
		for _, one := range items {
			for _, size := range sizes(s.t) {
				size = min(size, s.limit/len(one))
				list := bytes.Repeat([]byte(one), size)
				try(n, fmt.Sprintf("a list of %d %.20x", size, one), append(Head(4, uint64(size)), list...))
				if n.Major == 2 {
					whole := append(Head(4, uint64(size)), list...)
					try(n, fmt.Sprintf("bytes of a list of %d %.20x", size, one), append(Head(2, uint64(len(whole))), whole...))
				}
			}
		}
		for _, size := range sizes(s.t) {
			try(n, fmt.Sprintf("a map of %d", size), keys(size, "\x60"))
			try(n, fmt.Sprintf("a map of %d maps", size), keys(size, "\xa0"))
			try(n, fmt.Sprintf("%d bytes", size), append(Head(2, uint64(size)), make([]byte, size)...))
			try(n, fmt.Sprintf("a text of %d", size), append(Head(3, uint64(size)), bytes.Repeat([]byte("a"), size)...))
			if n.Major == 4 && len(n.Kids) > 0 {
				try(n, fmt.Sprintf("said to be %d long", size), append(Head(4, uint64(size)), n.Bytes()[1:]...))
			}
		}
		for _, kid := range n.Kids {
			visit(kid)
		}
	}
	visit(root)
}

// keys makes a map with ascending numbers as keys.
func keys(n int, value string) []byte {
	out := Head(5, uint64(n))
	for i := range n {
		out = append(append(out, Head(0, uint64(i))...), value...)
	}
	return out
}
