package store

import (
	"errors"
	"io/fs"
	"os"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFS stands between Pebble and the file system so that a failed write ends in a sentence.
//
// Left to itself Pebble answers some failed writes with a panic that cannot be caught (a full disk while it rotates its
// log unlocks a mutex twice), others with a retry without end. guardFS tells the reporter of the first failure and does
// not return to Pebble: the goroutine waits for ever, whoever waits for the write is told by the reporter, the store
// refuses everything from then on, and the node ends the process. Nothing is written after a failed write, which is
// what Pebble's own recovery counts on.
//
// While the database is opened and closed failures are returned as usual: nobody is there to be told.
type guardFS struct {
	vfs.FS
	reporter *reporter
	armed    atomic.Bool
	gaveUp   atomic.Bool // a goroutine waits for ever
}

// check passes on what is no failure of the disk.
func (g *guardFS) check(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrClosed) || !g.armed.Load() {
		return err
	}
	g.gaveUp.Store(true)
	g.reporter.fail(err)
	select {}
}

func (g *guardFS) file(f vfs.File, err error) (vfs.File, error) {
	if err := g.check(err); err != nil {
		return nil, err
	}
	return &guardFile{File: f, guard: g}, nil
}

// Unwrap implements vfs.FS.
func (g *guardFS) Unwrap() vfs.FS { return g.FS }

// Create implements vfs.FS.
func (g *guardFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return g.file(g.FS.Create(name, category))
}

// ReuseForWrite implements vfs.FS.
func (g *guardFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return g.file(g.FS.ReuseForWrite(oldname, newname, category))
}

// OpenReadWrite implements vfs.FS.
func (g *guardFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return g.file(g.FS.OpenReadWrite(name, category, opts...))
}

// OpenDir implements vfs.FS.
func (g *guardFS) OpenDir(name string) (vfs.File, error) { return g.file(g.FS.OpenDir(name)) }

// Link implements vfs.FS.
func (g *guardFS) Link(oldname, newname string) error { return g.check(g.FS.Link(oldname, newname)) }

// Rename implements vfs.FS.
func (g *guardFS) Rename(oldname, newname string) error {
	return g.check(g.FS.Rename(oldname, newname))
}

// MkdirAll implements vfs.FS.
func (g *guardFS) MkdirAll(dir string, perm os.FileMode) error {
	return g.check(g.FS.MkdirAll(dir, perm))
}

type guardFile struct {
	vfs.File
	guard *guardFS
}

// Write implements vfs.File.
func (f *guardFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.guard.check(err)
}

// WriteAt implements vfs.File.
func (f *guardFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	return n, f.guard.check(err)
}

// Sync implements vfs.File.
func (f *guardFile) Sync() error { return f.guard.check(f.File.Sync()) }

// SyncData implements vfs.File.
func (f *guardFile) SyncData() error { return f.guard.check(f.File.SyncData()) }

// SyncTo implements vfs.File.
func (f *guardFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.guard.check(err)
}
