package snapshot

import (
	"bytes"
	"encoding/binary"
	"math"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// ManifestVersion is the only version of manifests so far.
const ManifestVersion = 1

// Limits of a snapshot; both ends hold them.
const (
	// ChunkTarget is the size in bytes above which keys are parted into two chunks.
	ChunkTarget = 1 << 20
	// MaxChunkBytes bounds a chunk: above ChunkTarget it has a single key, whose value cannot be parted.
	MaxChunkBytes = 6 << 20
	// MaxChunks bounds a snapshot to some 64 GiB.
	MaxChunks = 1 << 16
	// MaxSpan bounds the headers of a manifest, and those of a proof.
	MaxSpan = 128
	// MaxManifestBytes bounds an encoded manifest.
	MaxManifestBytes = 5 << 20

	minTarget = 512
)

// Manifest describes the state after block Height. It is certified when its last header is: see Proof.
type Manifest struct {
	Genesis crypto.Hash

	// Headers are those of the blocks from the snapshot's up to the first whose ExecHeight is the snapshot's height:
	// it commits to the state, those between to what a node needs to judge the block after the snapshot.
	Headers []quorum.Header

	Target uint32 // bytes above which keys were parted; ChunkTarget except in tests
	Keys   uint64
	Bytes  uint64 // of all chunks
	Chunks []Chunk
}

// Chunk is all keys whose positions in the state tree begin with the first Depth bits of Prefix.
type Chunk struct {
	Depth  uint16
	Prefix crypto.Hash // bits after Depth are zero
	Keys   uint32
	Bytes  uint32
	Hash   crypto.Hash // of the subtree below the prefix
}

// Height is the block after which the state is.
func (m *Manifest) Height() quorum.Height { return m.Headers[0].Height }

// Block is the header of the block after which the state is.
func (m *Manifest) Block() quorum.Header { return m.Headers[0] }

// Committing is the header that commits to the state.
func (m *Manifest) Committing() quorum.Header { return m.Headers[len(m.Headers)-1] }

// Hash names the snapshot: Sum(TagSnapshot, Encode()).
func (m *Manifest) Hash() crypto.Hash { return crypto.Sum(crypto.TagSnapshot, m.Encode()) }

// Encode writes version:2, genesis:32, number of headers:2, headers, target:4, keys:8, bytes:8, number of chunks:4, and
// of each chunk depth:2, the bytes of the prefix that hold its bits, keys:4, bytes:4, hash:32.
func (m *Manifest) Encode() []byte {
	b := binary.BigEndian.AppendUint16(nil, ManifestVersion)
	b = append(b, m.Genesis[:]...)
	b = appendHeaders(b, m.Headers)
	b = binary.BigEndian.AppendUint32(b, m.Target)
	b = binary.BigEndian.AppendUint64(b, m.Keys)
	b = binary.BigEndian.AppendUint64(b, m.Bytes)
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.Chunks)))
	for i := range m.Chunks {
		c := &m.Chunks[i]
		b = binary.BigEndian.AppendUint16(b, c.Depth)
		b = append(b, c.Prefix[:(min(c.Depth, maxDepth)+7)/8]...)
		b = binary.BigEndian.AppendUint32(b, c.Keys)
		b = binary.BigEndian.AppendUint32(b, c.Bytes)
		b = append(b, c.Hash[:]...)
	}
	return b
}

func appendHeaders(b []byte, headers []quorum.Header) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(headers)))
	for i := range headers {
		b = append(b, headers[i].Encode()...)
	}
	return b
}

// minChunkSize is the length of an encoded chunk of depth 0.
const minChunkSize = 2 + 4 + 4 + crypto.HashSize

// DecodeManifest accepts exactly what Encode writes for a manifest that agrees with itself: its headers are a chain, its
// chunks are cut as Create cuts them, and they fold to the state root of the last header. That this header is final is
// for Proof to show. Errors are of kind ErrEncoding, ErrForm or ErrRoot.
func DecodeManifest(raw []byte) (*Manifest, error) {
	if len(raw) > MaxManifestBytes {
		return nil, refuse(ErrEncoding, "a manifest of %d bytes, at most %d", len(raw), MaxManifestBytes)
	}
	r := reader{crypto.ReadFields(raw)}
	if v := r.U16(); !r.Short() && v != ManifestVersion {
		return nil, refuse(ErrEncoding, "manifest version %d is not known; this program knows %d", v, ManifestVersion)
	}
	m := &Manifest{Genesis: r.Hash()}
	var err error
	if m.Headers, err = r.headers(); err != nil {
		return nil, err
	}
	m.Target, m.Keys, m.Bytes = r.U32(), r.U64(), r.U64()
	count := r.U32() // compared as it is: where an int has 32 bits, it may be negative as one
	if r.Short() || count > MaxChunks || int(count) > r.Left()/minChunkSize {
		return nil, refuse(ErrEncoding, "%d chunks (at most %d) in %d bytes", count, MaxChunks, r.Left())
	}
	m.Chunks = make([]Chunk, count)
	for i := range m.Chunks {
		if err := r.chunk(&m.Chunks[i]); err != nil {
			return nil, err
		}
	}
	if err := r.done("manifest"); err != nil {
		return nil, err
	}
	return m, m.check()
}

func (r *reader) chunk(c *Chunk) error {
	c.Depth = r.U16()
	if c.Depth > maxDepth {
		return refuse(ErrEncoding, "a chunk of depth %d", c.Depth)
	}
	copy(c.Prefix[:], r.Bytes(int(c.Depth+7)/8))
	c.Keys, c.Bytes, c.Hash = r.U32(), r.U32(), r.Hash()
	if masked(c.Prefix, int(c.Depth)) != c.Prefix {
		return refuse(ErrEncoding, "a prefix with more bits than its depth of %d", c.Depth)
	}
	return nil
}

// check holds everything against everything else.
func (m *Manifest) check() error {
	if err := m.checkHeaders(); err != nil {
		return err
	}
	if m.Target < minTarget || m.Target > ChunkTarget {
		return refuse(ErrForm, "chunks of %d bytes; from %d to %d", m.Target, minTarget, ChunkTarget)
	}
	var keys, size uint64
	for i := range m.Chunks {
		c := &m.Chunks[i]
		if c.Keys == 0 || c.Bytes > MaxChunkBytes || c.Bytes > m.Target && c.Keys > 1 || uint64(c.Keys)*(entryOverhead+1) > uint64(c.Bytes) {
			return refuse(ErrForm, "chunk %d has %d keys and %d bytes", i, c.Keys, c.Bytes)
		}
		if i > 0 && bytes.Compare(m.Chunks[i-1].Prefix[:], c.Prefix[:]) >= 0 {
			return refuse(ErrForm, "the chunks are not in order")
		}
		keys, size = keys+uint64(c.Keys), size+uint64(c.Bytes)
	}
	if keys != m.Keys || size != m.Bytes {
		return refuse(ErrForm, "its chunks have %d keys and %d bytes, it says %d and %d", keys, size, m.Keys, m.Bytes)
	}
	root, err := fold(m.Chunks, 0, uint64(m.Target))
	if err != nil {
		return err
	}
	if root.hash != m.Committing().ExecStateRoot {
		return refuse(ErrRoot, "its chunks lead to the root %s, block %d commits to %s",
			root.hash, m.Committing().Height, m.Committing().ExecStateRoot)
	}
	return nil
}

func (m *Manifest) checkHeaders() error {
	if len(m.Headers) < 2 {
		return refuse(ErrForm, "%d headers; one of the snapshot and one that commits to it are needed", len(m.Headers))
	}
	height := m.Height()
	if height == 0 || height > math.MaxInt64 {
		return refuse(ErrForm, "there is no snapshot of height %d", height)
	}
	if m.Block().Genesis != m.Genesis {
		return refuse(ErrForm, "its first header is of another network")
	}
	if err := checkChain(m.Headers); err != nil {
		return err
	}
	for i := range m.Headers {
		if last := i == len(m.Headers)-1; (m.Headers[i].ExecHeight >= height) != last || m.Headers[i].ExecHeight > height {
			return refuse(ErrForm, "block %d commits to the state after block %d; only the last header commits to that after block %d",
				m.Headers[i].Height, m.Headers[i].ExecHeight, height)
		}
	}
	return nil
}

// checkChain checks that each header is the child of the one before it, over the end of epochs as well.
func checkChain(headers []quorum.Header) error {
	for i := range headers {
		h := &headers[i]
		if h.Flags&quorum.FlagTail != 0 {
			return refuse(ErrForm, "a tail is no block of the ledger")
		}
		if i == 0 {
			continue
		}
		p := &headers[i-1]
		epoch := p.Epoch
		if p.Flags&quorum.FlagClosing != 0 {
			epoch++
		}
		if h.Genesis != p.Genesis || h.Height != p.Height+1 || h.Epoch != epoch ||
			h.TimeMs <= p.TimeMs || h.ExecHeight < p.ExecHeight || h.Parent != p.Hash() {
			return refuse(ErrForm, "block %d is not the child of block %d", h.Height, p.Height)
		}
	}
	return nil
}
