package crypto

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// CBOR major types (RFC 8949, section 3.1).
const (
	cborUint byte = iota
	cborNegative
	cborBytes
	cborText
	cborArray
	cborMap
	cborTag
	cborSimple
)

// scanCBOR checks, without allocating, that data is one item of deterministic CBOR inside the limits of this package:
// shortest heads, definite lengths, map keys strictly ascending bytewise, valid UTF-8, no tag, no float, no simple
// value but false, true and null, nothing after the item.
func scanCBOR(data []byte) error {
	if len(data) > MaxCBORBytes {
		return refuse(ErrTooLarge, "a CBOR document is at most %d bytes, got %d", MaxCBORBytes, len(data))
	}
	s := cborScanner{data: data}
	if err := s.item(0); err != nil {
		return err
	}
	if s.pos != len(data) {
		return refuse(ErrEncoding, "%d bytes follow the end of the CBOR item", len(data)-s.pos)
	}
	return nil
}

type cborScanner struct {
	data []byte
	pos  int
}

func (s *cborScanner) item(depth int) error {
	start := s.pos
	major, arg, err := s.head()
	if err != nil {
		return err
	}
	switch major {
	case cborUint, cborNegative:
		return nil
	case cborBytes, cborText:
		return s.str(major, arg)
	case cborArray, cborMap:
		if depth >= MaxCBORDepth {
			return refuse(ErrTooLarge, "CBOR nests deeper than %d at byte %d", MaxCBORDepth, start)
		}
		if arg > MaxCBORElements {
			return refuse(ErrTooLarge, "a CBOR array or map holds at most %d, got %d at byte %d", MaxCBORElements, arg, start)
		}
		if major == cborMap {
			return s.pairs(int(arg), depth+1)
		}
		for range arg {
			if err := s.item(depth + 1); err != nil {
				return err
			}
		}
		return nil
	case cborTag:
		return refuse(ErrEncoding, "CBOR tag at byte %d; tags are not used", start)
	default:
		return s.simple(start)
	}
}

// head reads a major type and its argument, which must be in the shortest form. For major type 7 the argument is not
// interpreted.
func (s *cborScanner) head() (major byte, arg uint64, err error) {
	if s.pos >= len(s.data) {
		return 0, 0, refuse(ErrEncoding, "CBOR ends in the middle of an item at byte %d", s.pos)
	}
	first := s.data[s.pos]
	major, info := first>>5, first&0x1f
	s.pos++
	if info < 24 || major == cborSimple {
		return major, uint64(info), nil
	}
	if info > 27 {
		return 0, 0, refuse(ErrEncoding, "indefinite or reserved CBOR length at byte %d", s.pos-1)
	}
	size := 1 << (info - 24)
	if len(s.data)-s.pos < size {
		return 0, 0, refuse(ErrEncoding, "CBOR ends in the middle of a head at byte %d", s.pos)
	}
	var shortest bool
	b := s.data[s.pos:]
	switch size {
	case 1:
		arg = uint64(b[0])
		shortest = arg >= 24
	case 2:
		arg = uint64(binary.BigEndian.Uint16(b))
		shortest = arg > 0xff
	case 4:
		arg = uint64(binary.BigEndian.Uint32(b))
		shortest = arg > 0xffff
	default:
		arg = binary.BigEndian.Uint64(b)
		shortest = arg > 0xffffffff
	}
	if !shortest {
		return 0, 0, refuse(ErrEncoding, "CBOR head at byte %d is not in the shortest form", s.pos-1)
	}
	s.pos += size
	return major, arg, nil
}

func (s *cborScanner) str(major byte, size uint64) error {
	if size > uint64(len(s.data)-s.pos) {
		return refuse(ErrEncoding, "CBOR string of %d bytes at byte %d is longer than the document", size, s.pos)
	}
	b := s.data[s.pos : s.pos+int(size)]
	if major == cborText && !utf8.Valid(b) {
		return refuse(ErrEncoding, "CBOR text at byte %d is not UTF-8", s.pos)
	}
	s.pos += int(size)
	return nil
}

func (s *cborScanner) pairs(n, depth int) error {
	var previous []byte
	for i := range n {
		start := s.pos
		if err := s.item(depth); err != nil {
			return err
		}
		key := s.data[start:s.pos]
		if i > 0 && bytes.Compare(previous, key) >= 0 {
			return refuse(ErrEncoding, "CBOR map keys at byte %d are not strictly ascending", start)
		}
		previous = key
		if err := s.item(depth); err != nil {
			return err
		}
	}
	return nil
}

func (s *cborScanner) simple(start int) error {
	switch s.data[start] {
	case 0xf4, 0xf5, 0xf6: // false, true, null
		return nil
	case 0xf9, 0xfa, 0xfb:
		return refuse(ErrEncoding, "CBOR float at byte %d; floats are not used", start)
	default:
		return refuse(ErrEncoding, "CBOR simple value or break 0x%02x at byte %d", s.data[start], start)
	}
}
