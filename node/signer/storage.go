package signer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// SlotSize is the size of a slot in bytes: a page, so that no write touches both slots.
const SlotSize = 4096

// Storage keeps two slots of SlotSize bytes. A write replaces one of them; a crash in the middle of it may leave anything
// there, and never harms the other. Used by one goroutine at a time.
type Storage interface {
	// Read returns the slots as they are durable now; both nil when nothing was ever written. A slot that was cut short
	// is shorter.
	Read() ([2][]byte, error)
	// Write replaces a slot (0 or 1) with SlotSize bytes; with sync this and every earlier write is durable when it
	// returns. After an error anything may be in the slot.
	Write(slot int, data []byte, sync bool) error
	// Close gives the storage up for others.
	Close() error
}

// FileName is the usual name of a signer's file inside a data folder.
const FileName = "signer.state"

// fileStorage is a file of two slots and, beside it, a lock.
type fileStorage struct {
	fs   vfs.FS
	path string
	lock io.Closer
	file vfs.File // nil while there is none
}

// OnFS keeps the slots in a file, which the first Write makes, and takes the lock path+".lock" until Close. The error is
// of kind ErrLocked when somebody holds it. The folder must exist.
func OnFS(filesystem vfs.FS, path string) (Storage, error) {
	lock, err := filesystem.Lock(path + ".lock")
	if err != nil {
		// A lock that is held is a bare error number, one that cannot be made names the file.
		if named := (*fs.PathError)(nil); errors.As(err, &named) || errors.Is(err, fs.ErrNotExist) {
			return nil, failed(err, "locking %s: check that the folder is there and may be written", path)
		}
		return nil, &Error{Kind: ErrLocked, Detail: path + " is used by another process: stop that one first", Cause: err}
	}
	return &fileStorage{fs: filesystem, path: path, lock: lock}, nil
}

// Read implements Storage. It syncs first: what a process that was killed wrote can be read and still be lost.
func (s *fileStorage) Read() (slots [2][]byte, err error) {
	if s.file == nil {
		if _, err := s.fs.Stat(s.path); errors.Is(err, fs.ErrNotExist) {
			return slots, nil
		}
		if s.file, err = s.fs.OpenReadWrite(s.path, vfs.WriteCategoryUnspecified); err != nil {
			return slots, fmt.Errorf("opening %s: %w", s.path, err)
		}
	}
	if err := s.file.Sync(); err != nil {
		return slots, fmt.Errorf("syncing %s: %w", s.path, err)
	}
	for i := range slots {
		slot := make([]byte, SlotSize)
		n, err := s.file.ReadAt(slot, int64(i)*SlotSize)
		if err != nil && !errors.Is(err, io.EOF) {
			return slots, fmt.Errorf("reading %s: %w", s.path, err)
		}
		slots[i] = slot[:n]
	}
	return slots, nil
}

// Write implements Storage.
func (s *fileStorage) Write(slot int, data []byte, sync bool) error {
	if s.file == nil {
		return s.create(slot, data)
	}
	if _, err := s.file.WriteAt(data, int64(slot)*SlotSize); err != nil {
		return fmt.Errorf("writing %s: %w", s.path, err)
	}
	if !sync {
		return nil
	}
	if err := s.file.SyncData(); err != nil {
		return fmt.Errorf("syncing %s: %w", s.path, err)
	}
	return nil
}

// create makes the file with both slots the same, wholly or not at all.
func (s *fileStorage) create(_ int, data []byte) (err error) {
	draft := s.path + ".new"
	f, err := s.fs.Create(draft, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("creating %s: %w", draft, err)
	}
	for range 2 {
		if err == nil {
			_, err = f.Write(append([]byte(nil), data...)) // Write may change what it is given
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", draft, err)
	}
	if err := s.fs.Rename(draft, s.path); err != nil {
		return fmt.Errorf("naming %s: %w", s.path, err)
	}
	dir, err := s.fs.OpenDir(s.fs.PathDir(s.path))
	if err != nil {
		return fmt.Errorf("opening the folder of %s: %w", s.path, err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("syncing the folder of %s: %w", s.path, err)
	}
	if s.file, err = s.fs.OpenReadWrite(s.path, vfs.WriteCategoryUnspecified); err != nil {
		return fmt.Errorf("opening %s: %w", s.path, err)
	}
	return nil
}

// Close implements Storage.
func (s *fileStorage) Close() error {
	var err error
	if s.file != nil {
		err = s.file.Close()
		s.file = nil
	}
	return errors.Join(err, s.lock.Close())
}
