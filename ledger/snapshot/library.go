package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger/store"
)

// The files of a snapshot, in a folder of its own.
const (
	manifestFile  = "manifest"
	proofFile     = "proof"
	handoversFile = "epochs"
	dataFile      = "chunks" // one after the other

	temporary = "tmp-" // prefix of folders that are not whole yet
)

// Library keeps snapshots in a folder. A snapshot appears in it whole, or not at all: it is written under a temporary
// name, synced and renamed. Its methods may be called concurrently.
type Library struct {
	fs  vfs.FS
	dir string

	// Target is the size of chunks in bytes; 0, as on every real node, means ChunkTarget. Set it before anything else.
	Target uint32

	mu    sync.Mutex
	cache []*Stored // opened lately, the last one first
}

// maxCached is how many opened snapshots are remembered: all that a node keeps, and the one that it makes. Decoding a
// manifest takes tens of milliseconds, and any peer may ask for another one each time.
const maxCached = 3

// OpenLibrary uses a folder, making it if need be, and removes what a crash left half-made.
func OpenLibrary(fs vfs.FS, dir string) (*Library, error) {
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of snapshots: %w", err)
	}
	l := &Library{fs: fs, dir: dir}
	names, err := fs.List(dir)
	if err != nil {
		return nil, fmt.Errorf("listing snapshots: %w", err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, temporary) {
			if err := fs.RemoveAll(fs.PathJoin(dir, name)); err != nil {
				return nil, fmt.Errorf("removing a snapshot that was not finished: %w", err)
			}
		}
	}
	return l, nil
}

// Dir is the folder.
func (l *Library) Dir() string { return l.dir }

// Info names a stored snapshot.
type Info struct {
	Height quorum.Height
	Name   string // of its folder
}

func nameOf(height quorum.Height, hash crypto.Hash) string {
	return fmt.Sprintf("%020d-%s", uint64(height), hash.Short())
}

// List returns the snapshots, the highest first.
func (l *Library) List() ([]Info, error) {
	names, err := l.fs.List(l.dir)
	if err != nil {
		return nil, fmt.Errorf("listing snapshots: %w", err)
	}
	var out []Info
	for _, name := range names {
		var height uint64
		var short string
		if n, err := fmt.Sscanf(name, "%020d-%8s", &height, &short); err == nil && n == 2 && len(name) == 29 {
			out = append(out, Info{quorum.Height(height), name})
		}
	}
	slices.SortFunc(out, func(a, b Info) int { return strings.Compare(b.Name, a.Name) })
	return out, nil
}

// Stored is a snapshot in a library. Its manifest agrees with itself; whether it is certified is Epochs.Certify's.
type Stored struct {
	Manifest  *Manifest
	Proof     *Proof
	Handovers []store.Handover // from epoch 0 on, as many as the proof needs
	Hash      crypto.Hash      // of the manifest

	lib     *Library
	name    string
	offsets []uint64
}

// Open reads a snapshot's manifest and proof. Errors: ErrNotFound, ErrDamaged.
func (l *Library) Open(info Info) (*Stored, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := l.cached(info.Name); i >= 0 {
		return l.cache[i], nil
	}
	s := &Stored{lib: l, name: info.Name}
	raw, err := l.read(info.Name, manifestFile, MaxManifestBytes)
	if err != nil {
		return nil, err
	}
	if s.Manifest, err = DecodeManifest(raw); err != nil {
		return nil, refuseBy(ErrDamaged, err, "the manifest of %s", info.Name)
	}
	s.Hash = s.Manifest.Hash()
	if info.Name != nameOf(s.Manifest.Height(), s.Hash) {
		return nil, refuse(ErrDamaged, "the folder %s holds the snapshot of height %d with hash %s", info.Name, s.Manifest.Height(), s.Hash)
	}
	if raw, err = l.read(info.Name, proofFile, MaxProofBytes); err != nil {
		return nil, err
	}
	if s.Proof, err = DecodeProof(raw); err != nil {
		return nil, refuseBy(ErrDamaged, err, "the proof of %s", info.Name)
	}
	most := int(min(s.Proof.Needs(s.Manifest), 1<<24))
	if raw, err = l.read(info.Name, handoversFile, 4+most*maxHandoverSize); err != nil {
		return nil, err
	}
	if s.Handovers, err = DecodeHandovers(raw, most); err != nil {
		return nil, refuseBy(ErrDamaged, err, "the epochs of %s", info.Name)
	}
	at := uint64(0)
	for i := range s.Manifest.Chunks {
		s.offsets = append(s.offsets, at)
		at += uint64(s.Manifest.Chunks[i].Bytes)
	}
	l.cache = append([]*Stored{s}, l.cache[:min(len(l.cache), maxCached-1)]...)
	return s, nil
}

// cached is the place of an opened snapshot, -1 for none; the caller holds the lock.
func (l *Library) cached(name string) int {
	return slices.IndexFunc(l.cache, func(s *Stored) bool { return s.name == name })
}

// Find returns the snapshot whose manifest has a hash. Errors: ErrNotFound.
func (l *Library) Find(hash crypto.Hash) (*Stored, error) {
	list, err := l.List()
	if err != nil {
		return nil, err
	}
	for _, info := range list {
		if !strings.HasSuffix(info.Name, hash.Short()) {
			continue
		}
		s, err := l.Open(info)
		if err != nil {
			return nil, err
		}
		if s.Hash == hash {
			return s, nil
		}
	}
	return nil, refuse(ErrNotFound, "none with hash %s is here", hash)
}

func (l *Library) read(name, file string, most int) (raw []byte, err error) {
	f, err := l.fs.Open(l.fs.PathJoin(l.dir, name, file))
	if err != nil {
		return nil, refuseBy(ErrNotFound, err, "opening %s of %s", file, name)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	stat, err := f.Stat()
	if err != nil {
		return nil, refuseBy(ErrDamaged, err, "reading %s of %s", file, name)
	}
	if stat.Size() > int64(most) {
		return nil, refuse(ErrDamaged, "%s of %s has %d bytes, at most %d", file, name, stat.Size(), most)
	}
	raw = make([]byte, stat.Size())
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, refuseBy(ErrDamaged, err, "reading %s of %s", file, name)
	}
	return raw, nil
}

// Chunk reads the bytes of a chunk; whoever uses them checks them. Errors: ErrNotFound, ErrDamaged.
func (s *Stored) Chunk(i int) (raw []byte, err error) {
	if i < 0 || i >= len(s.offsets) {
		return nil, refuse(ErrNotFound, "chunk %d of %d", i, len(s.offsets))
	}
	f, err := s.lib.fs.Open(s.lib.fs.PathJoin(s.lib.dir, s.name, dataFile))
	if err != nil {
		return nil, refuseBy(ErrNotFound, err, "opening the chunks of %s", s.name)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	raw = make([]byte, s.Manifest.Chunks[i].Bytes)
	if n, err := f.ReadAt(raw, int64(s.offsets[i])); n < len(raw) {
		return nil, refuseBy(ErrDamaged, err, "reading chunk %d of %s", i, s.name)
	}
	return raw, nil
}

// Create writes a snapshot of the state in src, which must be that after the block of the first header, and returns it.
// One that is there already stays.
func (l *Library) Create(ctx context.Context, src Source, headers []quorum.Header, proof *Proof, handovers []store.Handover) (*Stored, error) {
	target := l.Target
	if target == 0 {
		target = ChunkTarget
	}
	m := &Manifest{Genesis: headers[0].Genesis, Headers: headers, Target: target}
	w, err := l.begin(headers[0].Height)
	if err != nil {
		return nil, err
	}
	c := &cutter{ctx: ctx, fs: l.fs, dir: w.dir, target: uint64(target), manifest: m}
	if err = c.cut(src, w.data); err == nil {
		err = m.check()
	}
	if err == nil {
		err = w.finish(m, proof, handovers)
	}
	if err != nil {
		return nil, errors.Join(err, w.Abandon())
	}
	return l.Open(Info{m.Height(), nameOf(m.Height(), m.Hash())})
}

// Remove deletes a snapshot.
func (l *Library) Remove(info Info) error {
	l.mu.Lock()
	if i := l.cached(info.Name); i >= 0 {
		l.cache = slices.Delete(l.cache, i, i+1)
	}
	l.mu.Unlock()
	// Under a temporary name first: a crash half-way leaves nothing that looks whole.
	doomed := l.fs.PathJoin(l.dir, temporary+info.Name)
	if err := l.fs.Rename(l.fs.PathJoin(l.dir, info.Name), doomed); err != nil {
		return fmt.Errorf("removing a snapshot: %w", err)
	}
	if err := l.fs.RemoveAll(doomed); err != nil {
		return fmt.Errorf("removing a snapshot: %w", err)
	}
	return nil
}

// Prune deletes all but the highest snapshots.
func (l *Library) Prune(keep int) error {
	list, err := l.List()
	if err != nil {
		return err
	}
	var errs []error
	for i := keep; i < len(list); i++ {
		errs = append(errs, l.Remove(list[i]))
	}
	return errors.Join(errs...)
}
