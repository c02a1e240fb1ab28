package provenance

import (
	"bytes"
	"encoding/binary"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Magic begins every certificate; its last number is the version of the format.
const Magic = "waybill certificate 1\n"

// Limits of a certificate; Make and Verify hold them.
const (
	MaxBytes  = 64 << 20 // the file
	MaxDepth  = 64       // steps back through transformations
	MaxThings = 4096
	MaxEvents = 65536 // of all things together

	maxFrames      = 1 << 19
	maxPathHeaders = 1024
	frameHead      = 4
)

// head is the first frame.
type head struct {
	_          struct{} `cbor:",toarray"`
	Genesis    crypto.Hash
	Subject    string // canonical
	Height     quorum.Height
	Committing quorum.Height // block whose header commits to the state after Height
	Depth      uint32
	Events     uint64       // things with more are not followed
	Base       quorum.Epoch // the epoch whose validators must be trusted
	Sections   [6]uint32    // frames of each following kind
}

// handover ends an epoch.
type handover struct {
	_           struct{} `cbor:",toarray"`
	Closing     []byte
	Certificate []byte
	Next        []byte // empty: the same validators again
}

type path struct {
	_           struct{} `cbor:",toarray"`
	Headers     []byte   // one after the other
	Certificate []byte
}

type stateEntry struct {
	_       struct{} `cbor:",toarray"`
	Key     []byte
	Present bool
	Value   []byte
	Proof   []byte
}

// block is a block with transactions in the certificate: which block commits to its receipts, and how.
type block struct {
	_      struct{} `cbor:",toarray"`
	Height quorum.Height
	Result quorum.Height
	Root   crypto.Hash // of its receipts
	Before crypto.Hash
	After  hashes
}

type transaction struct {
	_           struct{} `cbor:",toarray"`
	Block       uint32   // index of its block among the blocks
	Index       uint64   // in the block
	Size        uint64   // transactions in the block
	Raw         []byte
	Path        hashes // from Raw to the payload root
	Receipt     []byte
	ReceiptPath hashes // from Receipt to the receipts root
}

type thing struct {
	_      struct{} `cbor:",toarray"`
	ID     string
	Lot    bool
	Events []place
}

// place is an event: the index of its transaction among the transactions, and its own in that.
type place struct {
	_     struct{} `cbor:",toarray"`
	Tx    uint32
	Event uint32
}

// hashes is a list of them, one after the other: a list of byte strings would let a short file ask for much memory.
type hashes []byte

func joined(list []crypto.Hash) hashes {
	var b hashes
	for i := range list {
		b = append(b, list[i][:]...)
	}
	return b
}

func (b hashes) split() ([]crypto.Hash, error) {
	if len(b)%crypto.HashSize != 0 {
		return nil, refuse(ErrFormat, nil, "%d bytes are no list of hashes", len(b))
	}
	out := make([]crypto.Hash, len(b)/crypto.HashSize)
	for i := range out {
		out[i] = crypto.Hash(b[i*crypto.HashSize:])
	}
	return out, nil
}

// Certificate is a certificate as Make made it.
type Certificate struct {
	head         head
	handovers    []handover
	paths        []path
	states       []stateEntry
	blocks       []block
	transactions []transaction
	things       []thing
}

// Encode returns the bytes of the file; ErrTooLarge when they are more than MaxBytes.
func (c *Certificate) Encode() ([]byte, error) {
	h := c.head
	h.Sections = [6]uint32{uint32(len(c.handovers)), uint32(len(c.paths)), uint32(len(c.states)),
		uint32(len(c.blocks)), uint32(len(c.transactions)), uint32(len(c.things))}
	w := frameWriter{out: []byte(Magic)}
	w.put(&h)
	putAll(&w, c.handovers)
	putAll(&w, c.paths)
	putAll(&w, c.states)
	putAll(&w, c.blocks)
	putAll(&w, c.transactions)
	putAll(&w, c.things)
	return w.out, w.err
}

// frameWriter appends frames; the first error sticks.
type frameWriter struct {
	out []byte
	err error
}

func putAll[T any](w *frameWriter, list []T) {
	for i := range list {
		w.put(&list[i])
	}
}

func (w *frameWriter) put(v any) {
	if w.err != nil {
		return
	}
	data, err := crypto.Marshal(v)
	if err != nil {
		w.err = refuse(ErrTooLarge, err, "a frame")
		return
	}
	if len(w.out)+frameHead+len(data) > MaxBytes {
		w.err = refuse(ErrTooLarge, nil, "it would have more than %d MiB; ask for a smaller depth", MaxBytes>>20)
		return
	}
	w.out = binary.BigEndian.AppendUint32(w.out, uint32(len(data)))
	w.out = append(w.out, data...)
}

// Decode reads the form of a certificate and checks nothing else. It accepts exactly what Encode writes. Errors are of kind
// ErrFormat or ErrTooLarge.
func Decode(data []byte) (*Certificate, error) {
	if len(data) > MaxBytes {
		return nil, refuse(ErrTooLarge, nil, "%d bytes, at most %d", len(data), MaxBytes)
	}
	rest, ok := bytes.CutPrefix(data, []byte(Magic))
	if !ok {
		return nil, refuse(ErrFormat, nil, "it does not begin with %q", Magic[:len(Magic)-1])
	}
	r := frameReader{rest: rest}
	c := &Certificate{}
	r.take(&c.head, "head")
	least, frames := [6]uint64{quorum.HeaderSize, quorum.HeaderSize, 8, 70, 12, 5}, uint64(0) // bytes of a frame of each kind
	size := uint64(0)
	for i, n := range c.head.Sections {
		frames, size = frames+uint64(n), size+uint64(n)*(frameHead+least[i])
	}
	if r.err == nil && (frames > maxFrames || size > uint64(len(r.rest))) {
		return nil, refuse(ErrFormat, nil, "it is cut off: %d frames in %d bytes", frames, len(r.rest))
	}
	c.handovers = takeAll[handover](&r, c.head.Sections[0], "hand-over")
	c.paths = takeAll[path](&r, c.head.Sections[1], "path")
	c.states = takeAll[stateEntry](&r, c.head.Sections[2], "record")
	c.blocks = takeAll[block](&r, c.head.Sections[3], "block")
	c.transactions = takeAll[transaction](&r, c.head.Sections[4], "transaction")
	c.things = takeAll[thing](&r, c.head.Sections[5], "thing")
	if r.err != nil {
		return nil, r.err
	}
	if len(r.rest) > 0 {
		return nil, refuse(ErrFormat, nil, "%d bytes follow its end", len(r.rest))
	}
	return c, nil
}

// frameReader takes frames; the first error sticks.
type frameReader struct {
	rest []byte
	err  error
}

func takeAll[T any](r *frameReader, n uint32, what string) []T {
	if r.err != nil {
		return nil
	}
	out := make([]T, n) // Decode has seen that as many fit
	for i := range out {
		r.take(&out[i], what)
	}
	return out
}

func (r *frameReader) take(v any, what string) {
	if r.err != nil {
		return
	}
	if len(r.rest) < frameHead {
		r.err = refuse(ErrFormat, nil, "it is cut off where a %s should be", what)
		return
	}
	size := uint64(binary.BigEndian.Uint32(r.rest))
	if size > uint64(len(r.rest)-frameHead) {
		r.err = refuse(ErrFormat, nil, "it is cut off inside a %s", what)
		return
	}
	frame := r.rest[frameHead : frameHead+int(size)]
	r.rest = r.rest[frameHead+int(size):]
	if err := crypto.Unmarshal(frame, v); err != nil {
		r.err = refuse(ErrFormat, err, "a %s", what)
	}
}
