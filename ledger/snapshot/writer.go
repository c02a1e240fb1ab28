package snapshot

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/ledger/store"
)

// Writer makes a snapshot in a library from chunks that come one by one, as they are fetched. It is of one goroutine.
type Writer struct {
	lib  *Library
	dir  string // temporary
	data vfs.File

	manifest *Manifest
	proof    *Proof
	have     []bool
	missing  int
	offsets  []uint64
}

// begin makes a temporary folder.
func (l *Library) begin(height quorum.Height) (*Writer, error) {
	dir := l.fs.PathJoin(l.dir, fmt.Sprintf("%s%020d", temporary, uint64(height)))
	if err := errors.Join(l.fs.RemoveAll(dir), l.fs.MkdirAll(dir, 0o700)); err != nil {
		return nil, fmt.Errorf("making a folder for a snapshot: %w", err)
	}
	data, err := l.fs.Create(l.fs.PathJoin(dir, dataFile), vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("making a file for a snapshot: %w", err)
	}
	return &Writer{lib: l, dir: dir, data: data}, nil
}

// Begin starts a snapshot whose manifest is known.
func (l *Library) Begin(c *Certified) (*Writer, error) {
	w, err := l.begin(c.manifest.Height())
	if err != nil {
		return nil, err
	}
	path := l.fs.PathJoin(w.dir, dataFile) // only a file opened this way can be written anywhere in it
	if err := w.data.Close(); err != nil {
		return nil, fmt.Errorf("making a file for a snapshot: %w", err)
	}
	if w.data, err = l.fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified); err != nil {
		return nil, fmt.Errorf("making a file for a snapshot: %w", err)
	}
	w.manifest, w.proof = c.manifest, c.proof
	w.have, w.missing = make([]bool, len(c.manifest.Chunks)), len(c.manifest.Chunks)
	at := uint64(0)
	for i := range c.manifest.Chunks {
		w.offsets = append(w.offsets, at)
		at += uint64(c.manifest.Chunks[i].Bytes)
	}
	return w, nil
}

// Put writes a chunk that was checked. One that is there already is left.
func (w *Writer) Put(i int, raw []byte) error {
	if i < 0 || i >= len(w.have) || uint64(len(raw)) != uint64(w.manifest.Chunks[i].Bytes) {
		return refuse(ErrChunk, "chunk %d of %d bytes was not asked for", i, len(raw))
	}
	if w.have[i] {
		return nil
	}
	if _, err := w.data.WriteAt(raw, int64(w.offsets[i])); err != nil {
		return fmt.Errorf("writing a chunk: %w", err)
	}
	w.have[i] = true
	w.missing--
	return nil
}

// Finish completes the snapshot once all chunks are there.
func (w *Writer) Finish(handovers []store.Handover) (*Stored, error) {
	if w.missing > 0 {
		return nil, refuse(ErrForm, "%d chunks are missing", w.missing)
	}
	if err := w.finish(w.manifest, w.proof, handovers); err != nil {
		return nil, errors.Join(err, w.Abandon())
	}
	return w.lib.Open(Info{w.manifest.Height(), nameOf(w.manifest.Height(), w.manifest.Hash())})
}

// finish writes the small files, syncs everything and gives the folder its name.
func (w *Writer) finish(m *Manifest, proof *Proof, handovers []store.Handover) error {
	fs := w.lib.fs
	if needed := proof.Needs(m); uint64(len(handovers)) > uint64(needed) {
		handovers = handovers[:needed]
	}
	errs := []error{w.data.Sync(), w.data.Close()}
	w.data = nil
	errs = append(errs,
		w.file(proofFile, proof.Encode()), w.file(handoversFile, EncodeHandovers(handovers)), w.file(manifestFile, m.Encode()), syncFolder(fs, w.dir))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	name := fs.PathJoin(w.lib.dir, nameOf(m.Height(), m.Hash()))
	if _, err := fs.Stat(name); err == nil {
		return fs.RemoveAll(w.dir) // the same bytes are there
	}
	if err := errors.Join(fs.Rename(w.dir, name), syncFolder(fs, w.lib.dir)); err != nil {
		return fmt.Errorf("giving a snapshot its name: %w", err)
	}
	return nil
}

func (w *Writer) file(name string, content []byte) error {
	f, err := w.lib.fs.Create(w.lib.fs.PathJoin(w.dir, name), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncFolder(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Abandon removes what was written.
func (w *Writer) Abandon() error {
	var err error
	if w.data != nil {
		err = w.data.Close()
		w.data = nil
	}
	return errors.Join(err, w.lib.fs.RemoveAll(w.dir))
}
