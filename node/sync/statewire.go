package sync

import (
	"encoding/binary"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger/snapshot"
	"waybill/ledger/store"
)

// StateKind says what a StateRequest asks for.
type StateKind uint8

// What can be asked for.
const (
	AskHandovers StateKind = 1 + iota // hand-overs from epoch Epoch on, at most Max
	AskSnapshot                       // manifest and proof of the highest snapshot, below height Below unless that is 0
	AskChunk                          // chunk Index of the snapshot with hash Manifest
)

// StateRequest asks Peer for something. Only the fields of its Kind are set.
type StateRequest struct {
	Peer     string
	Kind     StateKind
	Epoch    quorum.Epoch
	Max      int
	Below    quorum.Height
	Manifest crypto.Hash
	Index    int
}

// Encode writes epoch:8 and most:2, or height:8, or hash:32 and index:4.
func (r *StateRequest) Encode() []byte {
	switch r.Kind {
	case AskHandovers:
		return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint64(nil, uint64(r.Epoch)), uint16(r.Max))
	case AskSnapshot:
		return binary.BigEndian.AppendUint64(nil, uint64(r.Below))
	}
	return binary.BigEndian.AppendUint32(append([]byte(nil), r.Manifest[:]...), uint32(r.Index))
}

// DecodeStateRequest accepts exactly what Encode writes for a kind; the error is of kind ErrEncoding.
func DecodeStateRequest(kind StateKind, raw []byte) (StateRequest, error) {
	r := StateRequest{Kind: kind}
	want := map[StateKind]int{AskHandovers: 10, AskSnapshot: 8, AskChunk: crypto.HashSize + 4}[kind]
	if want == 0 || len(raw) != want {
		return r, refuse(ErrEncoding, "a request of kind %d with %d bytes", kind, len(raw))
	}
	switch kind {
	case AskHandovers:
		r.Epoch, r.Max = quorum.Epoch(binary.BigEndian.Uint64(raw)), int(binary.BigEndian.Uint16(raw[8:]))
	case AskSnapshot:
		r.Below = quorum.Height(binary.BigEndian.Uint64(raw))
	case AskChunk:
		r.Manifest, r.Index = crypto.Hash(raw[:crypto.HashSize]), int(binary.BigEndian.Uint32(raw[crypto.HashSize:]))
	}
	return r, nil
}

// LargestStateAnswer bounds every answer to a StateRequest in bytes.
const LargestStateAnswer = snapshot.MaxChunkBytes + 64

// EncodeSnapshot writes an answer to AskSnapshot; a nil manifest says that there is none.
func EncodeSnapshot(manifest *snapshot.Manifest, proof *snapshot.Proof) []byte {
	if manifest == nil {
		return nil
	}
	return appendPart(appendPart(nil, manifest.Encode()), proof.Encode())
}

// decodeSnapshot accepts exactly what EncodeSnapshot writes.
func decodeSnapshot(raw []byte) (*snapshot.Manifest, *snapshot.Proof, error) {
	manifest, rest, err := takePart(raw, snapshot.MaxManifestBytes)
	if err != nil {
		return nil, nil, err
	}
	proof, rest, err := takePart(rest, snapshot.MaxProofBytes)
	if err != nil {
		return nil, nil, err
	}
	if len(rest) > 0 {
		return nil, nil, refuse(ErrEncoding, "%d bytes follow a proof", len(rest))
	}
	p, err := snapshot.DecodeProof(proof) // the small one first
	if err != nil {
		return nil, nil, refuse(ErrEncoding, "%v", err)
	}
	m, err := snapshot.DecodeManifest(manifest)
	if err != nil {
		return nil, nil, refuse(ErrEncoding, "%v", err)
	}
	return m, p, nil
}

// EncodeChunk writes an answer to AskChunk: the request's fields, then the chunk's bytes, none if it is not here.
func EncodeChunk(manifest crypto.Hash, index int, raw []byte) []byte {
	out := make([]byte, 0, len(manifest)+4+len(raw))
	out = binary.BigEndian.AppendUint32(append(out, manifest[:]...), uint32(index))
	return append(out, raw...)
}

// decodeChunk checks that an answer is to the request, and returns its bytes, none if the peer has none.
func decodeChunk(asked *StateRequest, raw []byte) ([]byte, error) {
	if len(raw) < crypto.HashSize+4 {
		return nil, refuse(ErrEncoding, "a chunk of %d bytes", len(raw))
	}
	if crypto.Hash(raw[:crypto.HashSize]) != asked.Manifest || binary.BigEndian.Uint32(raw[crypto.HashSize:]) != uint32(asked.Index) {
		return nil, refuse(ErrUnasked, "another chunk than the one asked for")
	}
	return raw[crypto.HashSize+4:], nil
}

// StateSource is where a node takes what it serves from: its ledger and its snapshots.
type StateSource interface {
	// Handover returns how an epoch ended; an error when it has not, or is not known here.
	Handover(quorum.Epoch) (store.Handover, error)
	// Newest returns the highest snapshot below a height, or of all for 0; nil when there is none.
	Newest(below quorum.Height) (*snapshot.Manifest, *snapshot.Proof)
	// Chunk returns the bytes of a chunk; nil when it is not here.
	Chunk(manifest crypto.Hash, index int) []byte
}

// ServeState answers a request with what src has. It never fails: what is not there is answered with nothing.
func ServeState(src StateSource, r StateRequest) []byte {
	switch r.Kind {
	case AskHandovers:
		return snapshot.EncodeHandovers(collectHandovers(src, r.Epoch, r.Max))
	case AskSnapshot:
		return EncodeSnapshot(src.Newest(r.Below))
	case AskChunk:
		return EncodeChunk(r.Manifest, r.Index, src.Chunk(r.Manifest, r.Index))
	}
	return nil
}

func collectHandovers(src StateSource, from quorum.Epoch, most int) []store.Handover {
	var out []store.Handover
	size := 0
	for e := from; e >= from && len(out) < min(most, snapshot.MaxHandovers); e++ {
		h, err := src.Handover(e)
		if err != nil {
			break
		}
		if size += snapshot.HandoverSize(&h); size > snapshot.MaxHandoversBytes {
			break
		}
		out = append(out, h)
	}
	return out
}
