package dense

import "encoding/binary"

// Item is one item of CBOR, taken apart, to be put together again with some of it changed.
type Item struct {
	Major byte // type, 0 to 7
	Arg   uint64
	Text  []byte  // of byte strings and texts
	Kids  []*Item // of lists; of maps key, value, key…
	Raw   []byte  // written instead, if not nil
}

// TakeApart reads one canonical item and returns what follows it. What is not well-formed panics, for samples are valid.
func TakeApart(data []byte) (*Item, []byte) {
	n := &Item{Major: data[0] >> 5}
	info := data[0] & 0x1f
	data = data[1:]
	n.Arg = uint64(info)
	if info >= 24 {
		size := 1 << (info - 24)
		n.Arg = binary.BigEndian.Uint64(append(make([]byte, 8-size), data[:size]...))
		data = data[size:]
	}
	kids := 0
	switch n.Major {
	case 2, 3:
		n.Text, data = data[:n.Arg], data[n.Arg:]
	case 4:
		kids = int(n.Arg)
	case 5:
		kids = 2 * int(n.Arg)
	}
	for range kids {
		var kid *Item
		kid, data = TakeApart(data)
		n.Kids = append(n.Kids, kid)
	}
	return n, data
}

// Bytes writes the item, with the lengths that it has now.
func (n *Item) Bytes() []byte {
	if n.Raw != nil {
		return n.Raw
	}
	out := Head(n.Major, n.Arg)
	switch n.Major {
	case 2, 3:
		return String(n.Major, string(n.Text))
	case 4:
		out = Head(4, uint64(len(n.Kids)))
	case 5:
		out = Head(5, uint64(len(n.Kids)/2))
	}
	for _, kid := range n.Kids {
		out = append(out, kid.Bytes()...)
	}
	return out
}

// Head is the shortest head of an item.
func Head(major byte, arg uint64) []byte {
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

// String is a byte string (2) or text (3).
func String(major byte, text string) []byte { return append(Head(major, uint64(len(text))), text...) }
