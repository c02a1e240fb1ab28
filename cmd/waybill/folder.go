package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/store"
)

// A node's data folder. config.toml is written last, so a folder that has it is complete.
const (
	configFile       = "config.toml"
	genesisFile      = "genesis.json"
	peerKeyFile      = "peer.key"
	validatorKeyFile = "validator.key"
	lockFile         = "node.lock" // held by the running node
	pidFile          = "node.pid"  // its process id, for people and scripts
)

// maxGenesisBytes bounds a genesis file.
const maxGenesisBytes = 16 << 20

// readGenesis reads and checks a genesis file.
func readGenesis(path string) (*ledger.Genesis, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fail(exitConfig, "there is no genesis file %s. Get it from whoever started the network, or: waybill testnet up", path)
	}
	if err != nil {
		return nil, fmt.Errorf("looking at the genesis file: %w", err)
	}
	if info.Size() > maxGenesisBytes {
		return nil, fail(exitConfig, "%s has %d bytes; a genesis file has at most %d", path, info.Size(), maxGenesisBytes)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the genesis file: %w", err)
	}
	g := new(ledger.Genesis)
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(g); err != nil {
		return nil, fail(exitConfig, "%s is no genesis file: %v", path, err)
	}
	if decoder.More() {
		return nil, fail(exitConfig, "%s is no genesis file: something follows its end", path)
	}
	if err := g.Validate(); err != nil {
		return nil, fail(exitConfig, "%s: %w", path, err)
	}
	return g, nil
}

// readKey reads a secret key that nobody else may read.
func readKey(path string) (crypto.PrivateKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return crypto.PrivateKey{}, fmt.Errorf("looking at a key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return crypto.PrivateKey{}, fail(exitConfig, "%s can be read by others (mode %04o), so it keeps no secret. Run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return crypto.PrivateKey{}, fmt.Errorf("reading a key file: %w", err)
	}
	defer clear(text)
	raw, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(raw) != 32 {
		return crypto.PrivateKey{}, fail(exitConfig, "%s is damaged: it should hold 64 hexadecimal digits. Restore it from a backup", path)
	}
	key, err := crypto.PrivateKeyFromBytes(raw)
	if err != nil {
		return crypto.PrivateKey{}, fail(exitConfig, "%s holds no key: %v. Restore it from a backup", path, err)
	}
	return key, nil
}

// keyAt reads a key, or makes it if there is none. made is true in the second case.
func keyAt(path string) (key crypto.PrivateKey, made bool, err error) {
	if _, err := os.Stat(path); err == nil {
		key, err := readKey(path)
		return key, false, err
	}
	if key, err = crypto.GeneratePrivateKey(nil); err != nil {
		return key, false, err
	}
	raw := key.Bytes()
	return key, true, writeNew(path, []byte(hex.EncodeToString(raw[:])+"\n"))
}

// writeNew writes a private file that is not there yet, wholly or not at all.
func writeNew(path string, data []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("creating a file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// holdFolder takes the data folder for this process until release. Another holder is ErrLocked with its process id.
func holdFolder(dir string) (release func(), err error) {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil, fail(exitConfig, "there is no data folder %s. Make a node first: waybill node init --genesis FILE --data %s", dir, dir)
	}
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	// Others look whether the folder is held by sharing the lock for an instant, so one failure says nothing.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	ok, err := lock.TryLockContext(ctx, 20*time.Millisecond)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("locking the data folder: %w", err)
	}
	pid := filepath.Join(dir, pidFile)
	if !ok {
		holder, _ := os.ReadFile(pid) // only to say more
		return nil, &store.Error{Kind: store.ErrLocked, Detail: fmt.Sprintf(
			"data folder %s belongs to the running process %s: stop that one first, or use another --data folder", dir, strings.TrimSpace(string(holder)))}
	}
	if err := os.WriteFile(pid, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the process id: %w", err), lock.Close())
	}
	return func() {
		_ = os.Remove(pid) // a stale one misleads nobody: the lock is what counts
		_ = lock.Close()   // ends with the process anyway
	}, nil
}
