package index

import (
	"encoding/binary"

	"waybill/epcis/trace"
)

// The keyspaces of the index, which are 0x60 to 0x67 of the store's database; those of the register follow (register.go).
// Integers are big-endian.
//
//	0x60  cursor:      –                                        height:8, version of this table:4
//	0x61  events:      height:8, transaction:4, event:4         record (see record)
//	0x62  postings:    field:1, length of term:uvarint, term, event as above   eventTime:8
//	0x63  event times: eventTime:8 with its sign bit flipped, event as above   –
const (
	prefixCursor  = 0x60
	prefixRecord  = 0x61
	prefixPosting = 0x62
	prefixTime    = 0x63

	prefixFirst = 0x60
	prefixLast  = 0x67
)

// tableVersion is raised whenever the table or what is indexed changes; an index of another version is built again.
const tableVersion = 1

// field says what a posting's term is.
type field byte

const (
	fieldItem        field = 'i' // an identifier in any role, transformation ids and lots of instances included
	fieldClass       field = 'c' // the class of such an identifier
	fieldLot         field = 'l' // a lot the event is about
	fieldParty       field = 'y' // source, destination, organisation or address of the author
	fieldReadPoint   field = 'r'
	fieldBizLocation field = 'b'
	fieldBizStep     field = 's'
	fieldDisposition field = 'd'
	fieldType        field = 't'
	fieldEventID     field = 'v'
	fieldDocument    field = 'x' // business transaction
	fieldTx          field = 'T' // transaction of the ledger
	fieldHash        field = 'h'
	fieldError       field = 'e' // has an error declaration; the term is empty
)

const refSize = 8 + 4 + 4

func appendRef(b []byte, r trace.Ref) []byte {
	b = binary.BigEndian.AppendUint64(b, r.Height)
	b = binary.BigEndian.AppendUint32(b, r.Tx)
	return binary.BigEndian.AppendUint32(b, r.Event)
}

// decodeRef reads the last bytes of a key.
func decodeRef(key []byte) trace.Ref {
	b := key[len(key)-refSize:]
	return trace.Ref{Height: binary.BigEndian.Uint64(b), Tx: binary.BigEndian.Uint32(b[8:]), Event: binary.BigEndian.Uint32(b[12:])}
}

func recordKey(r trace.Ref) []byte { return appendRef([]byte{prefixRecord}, r) }

// postingStem is followed by a ref.
func postingStem(f field, term string) []byte {
	b := make([]byte, 0, 2+binary.MaxVarintLen32+len(term)+refSize)
	b = append(b, prefixPosting, byte(f))
	b = binary.AppendUvarint(b, uint64(len(term)))
	return append(b, term...)
}

func timeKey(ms int64, r trace.Ref) []byte { return appendRef(timeStem(ms), r) }

func timeStem(ms int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixTime}, uint64(ms)^1<<63)
}

func timeOf(key []byte) int64 { return int64(binary.BigEndian.Uint64(key[1:]) ^ 1<<63) }

// upper returns the first key after all that begin with stem, which does not end in 0xff bytes only.
func upper(stem []byte) []byte {
	end := append([]byte(nil), stem...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
