package snapshot

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger/store"
)

// Source is a state that stands still: a store.Snapshot.
type Source interface {
	// Scan lists entries in the order of keys, after the given key.
	Scan(prefix, after []byte, limit int) ([]store.Entry, error)
}

const (
	scanStep    = 4096
	buckets     = 256      // of positions, by their first byte; one at a time is in memory
	spoolBuffer = 16 << 10 // bytes, of each bucket's file
	bucketDepth = 8        // bits
)

// cutter writes the chunks of a state to one file, in the order of positions.
//
// The state is read in the order of keys, once, and spread over files by the first byte of the positions; then each
// file, 1/256 of the state, is sorted in memory and cut. Sorting the whole would take memory in proportion to the
// ledger, reading it once per chunk would take time in proportion to its square.
type cutter struct {
	ctx    context.Context
	fs     vfs.FS
	dir    string
	target uint64

	spools [buckets]*spool
	out    *bufio.Writer

	manifest *Manifest
}

// spool is a file of entries that is written and then read.
type spool struct {
	path string
	file vfs.File
	w    *bufio.Writer
	size uint64
	keys int
}

// cut fills the manifest's chunks from the source and writes their bytes to data.
func (c *cutter) cut(src Source, data io.Writer) (err error) {
	defer func() { err = errors.Join(err, c.closeSpools()) }()
	c.out = bufio.NewWriterSize(data, 1<<20)
	if err := c.spread(src); err != nil {
		return err
	}
	if err := c.split(0, buckets, 0); err != nil {
		return err
	}
	return c.out.Flush()
}

// spread reads the source into the spools.
func (c *cutter) spread(src Source) error {
	var last []byte
	for {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		entries, err := src.Scan(nil, last, scanStep)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			if err := c.spool(e); err != nil {
				return err
			}
		}
		last = entries[len(entries)-1].Key
	}
	for _, s := range c.spools {
		if s == nil {
			continue
		}
		if err := s.w.Flush(); err != nil {
			return fmt.Errorf("writing a snapshot's working file: %w", err)
		}
	}
	return nil
}

func (c *cutter) spool(e store.Entry) error {
	n := int(crypto.TreeKey(e.Key)[0])
	s := c.spools[n]
	if s == nil {
		path := c.fs.PathJoin(c.dir, fmt.Sprintf("working-%02x", n))
		file, err := c.fs.Create(path, vfs.WriteCategoryUnspecified)
		if err != nil {
			return fmt.Errorf("making a snapshot's working file: %w", err)
		}
		s = &spool{path: path, file: file, w: bufio.NewWriterSize(file, spoolBuffer)}
		c.spools[n] = s
	}
	s.keys++
	s.size += entrySize(e.Key, e.Value)
	if _, err := s.w.Write(appendEntry(nil, e.Key, e.Value)); err != nil {
		return fmt.Errorf("writing a snapshot's working file: %w", err)
	}
	return nil
}

func (c *cutter) closeSpools() error {
	var errs []error
	for _, s := range c.spools {
		if s != nil {
			errs = append(errs, s.file.Close(), c.fs.Remove(s.path))
		}
	}
	return errors.Join(errs...)
}

// split cuts the positions in the buckets [from, to), which share their first depth bits.
func (c *cutter) split(from, to, depth int) error {
	var size uint64
	keys := 0
	for _, s := range c.spools[from:to] {
		if s != nil {
			size, keys = size+s.size, keys+s.keys
		}
	}
	if keys == 0 {
		return nil
	}
	if depth < bucketDepth && size > c.target && keys > 1 {
		half := (from + to) / 2
		return errors.Join(c.split(from, half, depth+1), c.split(half, to, depth+1))
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	entries := make([]placed, 0, keys)
	for _, s := range c.spools[from:to] {
		if s == nil {
			continue
		}
		var err error
		if entries, err = c.load(s, entries); err != nil {
			return err
		}
	}
	return c.emit(entries, depth)
}

func (c *cutter) load(s *spool, entries []placed) ([]placed, error) {
	file, err := c.fs.Open(s.path)
	if err != nil {
		return nil, fmt.Errorf("reading a snapshot's working file: %w", err)
	}
	raw := make([]byte, s.size)
	_, err = io.ReadFull(file, raw)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("reading a snapshot's working file: %w", err)
	}
	for len(raw) > 0 {
		e, rest, err := takeEntry(raw)
		if err != nil {
			return nil, err
		}
		entries, raw = append(entries, place(e)), rest
	}
	return entries, nil
}

// emit writes the entries, which share their first depth bits, as one chunk or more.
func (c *cutter) emit(entries []placed, depth int) error {
	if len(entries) == 0 {
		return nil
	}
	var size uint64
	for _, e := range entries {
		size += entrySize(e.Key, e.Value)
	}
	if size > c.target && len(entries) > 1 {
		var halves [2][]placed
		for _, e := range entries {
			b := bit(e.leaf.Key, depth)
			halves[b] = append(halves[b], e)
		}
		if err := c.emit(halves[0], depth+1); err != nil {
			return err
		}
		return c.emit(halves[1], depth+1)
	}
	if size > MaxChunkBytes {
		return refuse(ErrForm, "the value of key %q takes %d bytes, at most %d fit", entries[0].Key, size, MaxChunkBytes)
	}
	if len(c.manifest.Chunks) == MaxChunks {
		return refuse(ErrForm, "the state takes more than %d chunks", MaxChunks)
	}
	raw, leaves := encodeChunk(entries)
	m := c.manifest
	m.Chunks = append(m.Chunks, Chunk{
		Depth: uint16(depth), Prefix: masked(leaves[0].Key, depth), Keys: uint32(len(leaves)), Bytes: uint32(len(raw)),
		Hash: subtreeHash(leaves, depth),
	})
	m.Keys, m.Bytes = m.Keys+uint64(len(leaves)), m.Bytes+uint64(len(raw))
	if _, err := c.out.Write(raw); err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	return nil
}

// Ledger is what the proof of a snapshot is made from: a store.Store.
type Ledger interface {
	Header(quorum.Height) (quorum.Header, error)
	Certificate(quorum.Height) (*quorum.Certificate, error)
	Handover(quorum.Epoch) (store.Handover, error)
}

// Headers returns the headers of a snapshot of height s: those up to the first that commits to the state after s. Errors:
// ErrNotFound while there is none, and when there will be none because the ledger's headers jumped over s.
func Headers(l Ledger, s quorum.Height) ([]quorum.Header, error) {
	var out []quorum.Header
	for h := s; h < s+MaxSpan; h++ {
		header, err := l.Header(h)
		if err != nil {
			return nil, refuseBy(ErrNotFound, err, "no block commits to the state after block %d yet", s)
		}
		out = append(out, header)
		if header.ExecHeight == s {
			return out, nil
		}
		if header.ExecHeight > s {
			break
		}
	}
	return nil, refuse(ErrNotFound, "no block commits to the state after block %d, they jump over it", s)
}

// Prove makes the proof of a manifest's headers. Errors: ErrNotFound while no certificate is there.
func Prove(l Ledger, headers []quorum.Header) (*Proof, error) {
	p := &Proof{}
	found := false
	for i := 0; i < len(headers)+MaxSpan; i++ {
		h := headers[0].Height + quorum.Height(i)
		if i >= len(headers) {
			header, err := l.Header(h)
			if err != nil {
				return nil, refuseBy(ErrNotFound, err, "nothing certifies block %d yet", headers[len(headers)-1].Height)
			}
			p.Path = append(p.Path, header)
		}
		cert, err := l.Certificate(h)
		if err != nil {
			return nil, refuseBy(ErrNotFound, err, "the certificate of block %d", h)
		}
		switch {
		case cert == nil:
		case i >= len(headers)-1:
			p.Last = *cert
			return p, nil
		case !found:
			found, p.First, p.FirstAt = true, cert, i
		}
	}
	return nil, refuse(ErrNotFound, "nothing certifies block %d", headers[len(headers)-1].Height)
}

// Handovers lists the hand-overs of all epochs before n.
func Handovers(l Ledger, n quorum.Epoch) ([]store.Handover, error) {
	var out []store.Handover
	for e := quorum.Epoch(0); e < n; e++ {
		h, err := l.Handover(e)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}
