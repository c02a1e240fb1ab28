package wallet

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// readPrivate reads a small regular file that only its owner may touch.
func readPrivate(path string) ([]byte, error) {
	// Lstat first: opening a pipe would block, and a link could point anywhere.
	before, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("looking at the wallet file: %w", err)
	}
	if !before.Mode().IsRegular() {
		return nil, refuse(ErrFile, "%s is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the wallet file: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at the wallet file: %w", err)
	}
	if !os.SameFile(before, info) {
		return nil, refuse(ErrFile, "%s was replaced while it was opened; try again", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, refuse(ErrPermissions, "%s has mode %04o: others on this machine may use it; run chmod 600 on it, and if they could read it, move to a new wallet", path, mode)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxKeystoreSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading the wallet file: %w", err)
	}
	return data, nil
}

// writeNew writes a private file that must not exist: a synced temporary file gets its name in one step that fails when the
// name is taken, then the folder is synced. A crash leaves the whole file or none. A taken name is fs.ErrExist.
func writeNew(path string, data []byte) error {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return fmt.Errorf("creating a temporary file in %s: %w", dir, err)
	}
	defer os.Remove(tmp.Name()) // after a successful rename there is nothing left to remove
	if err := fill(tmp, data); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := nameNew(tmp.Name(), path); err != nil {
		return fmt.Errorf("naming %s: %w", path, err)
	}
	return syncDir(dir)
}

// fill writes, syncs and closes; CreateTemp already made the file 0600.
func fill(f *os.File, data []byte) error {
	_, err := f.Write(data)
	return errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close())
}

// nameNew gives old the name path unless that is taken. A hard link refuses a taken name, a rename would replace it. Only
// on a file system without links is it a rename after a look.
func nameNew(old, path string) error {
	err := os.Link(old, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, statErr := os.Lstat(path); statErr == nil {
		return fs.ErrExist
	}
	return os.Rename(old, path)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("opening the folder %s to make the new file lasting: %w", dir, err)
	}
	return errors.Join(d.Sync(), d.Close())
}
