package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"waybill/crypto"
)

// Errors to branch on.
var (
	ErrNoNetwork = errors.New("no test network")                  // there is none in the folder
	ErrInUse     = errors.New("it is running")                    // stop it first
	ErrFolder    = errors.New("not the folder of a test network") // so nothing in it is touched
)

// Files of a network's folder.
const (
	markerFile   = ".waybill-testnet" // this folder was made here and may be deleted
	manifestFile = "network.json"
	genesisFile  = "genesis.json"
	envFile      = "env" // for a shell: . DIR/env
	lockFile     = "network.lock"
	pidFile      = "network.pid"
	walletsDir   = "wallets"
	passwordFile = "password" // in walletsDir; of every wallet there
)

// Manifest is what network.json says.
type Manifest struct {
	Chain   string      `json:"chain"`
	Genesis crypto.Hash `json:"genesis"`
	Mode    string      `json:"mode"` // onboarding: strict or adopt
	Nodes   []Node      `json:"nodes"`
}

// Node is one node of a network.
type Node struct {
	Name      string `json:"name"`            // also its folder, for example "node1"
	Stake     uint64 `json:"stake,omitempty"` // 0: a full node
	PeerID    string `json:"peerId"`
	PeerPort  int    `json:"peerPort"`
	APIPort   int    `json:"apiPort"`
	Validator bool   `json:"validator"`
}

// URL is the node's HTTP interface.
func (n Node) URL() string { return "http://127.0.0.1:" + strconv.Itoa(n.APIPort) }

func (n Node) multiaddr() string {
	return fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/p2p/%s", n.PeerPort, n.PeerID)
}

func readManifest(dir string) (Manifest, error) {
	var m Manifest
	data, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%w in %s: start one with waybill testnet up --dir %s", ErrNoNetwork, dir, dir)
	}
	if err != nil {
		return m, fmt.Errorf("reading the network's manifest: %w", err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("%s in %s is damaged (%w): delete the folder and make the network again", manifestFile, dir, err)
	}
	return m, nil
}

func (m *Manifest) write(dir string) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, manifestFile), append(data, '\n'), 0o644)
}

// replaceFile writes a file so that readers see the old one or the new one.
func replaceFile(path string, data []byte, mode fs.FileMode) error {
	fresh := path + ".new"
	if err := os.WriteFile(fresh, data, mode); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// lockRetry is how often a lock that is held is asked for again.
const lockRetry = 20 * time.Millisecond

// tryLock takes a lock file; nil if somebody holds it. It asks for a moment, because others look whether it is held by
// taking it for an instant.
func tryLock(path string, patience time.Duration) (*flock.Flock, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	lock := flock.New(path)
	ok, err := lock.TryLockContext(ctx, lockRetry)
	if ok {
		return lock, nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, nil
	}
	return nil, fmt.Errorf("locking %s: %w", path, err)
}

// held reports whether a process holds a lock file, and which, as its pid file says.
func held(lockPath, pidPath string) (pid int, yes bool, err error) {
	if _, err := os.Stat(lockPath); errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	lock := flock.New(lockPath)
	free, err := lock.TryRLock() // shared: two who look do not take each other for the holder
	if err != nil {
		return 0, false, fmt.Errorf("looking at lock %s: %w", lockPath, err)
	}
	if free {
		return 0, false, lock.Close()
	}
	for range 50 { // the holder writes its pid right after taking the lock
		text, _ := os.ReadFile(pidPath)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			return pid, true, nil
		}
		time.Sleep(lockRetry)
	}
	return 0, true, nil
}

// Hold makes this process the one that looks after the network in a folder, until release. ErrInUse if another does.
func Hold(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the network's folder: %w", err)
	}
	lock, err := tryLock(filepath.Join(dir, lockFile), time.Second)
	if err != nil {
		return nil, err
	}
	if lock == nil {
		pid, _, _ := held(filepath.Join(dir, lockFile), filepath.Join(dir, pidFile)) // only to say more
		return nil, fmt.Errorf("%w: process %d looks after the network in %s. Stop it with Ctrl-C there, or: waybill testnet down --dir %s", ErrInUse, pid, dir, dir)
	}
	pid := filepath.Join(dir, pidFile)
	if err := os.WriteFile(pid, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the process id: %w", err), lock.Close())
	}
	return func() {
		_ = os.Remove(pid)
		_ = lock.Close()
	}, nil
}

// Down stops the network in a folder whoever started it: the process in the foreground if there is one, and every node.
func Down(ctx context.Context, dir string) error {
	n, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	pid, yes, err := held(filepath.Join(dir, lockFile), filepath.Join(dir, pidFile))
	if err != nil {
		return err
	}
	if yes && pid > 0 && pid != os.Getpid() {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stopping process %d, which looks after the network: %w", pid, err)
		}
		if err := n.await(ctx, func() bool {
			_, yes, err := held(filepath.Join(dir, lockFile), filepath.Join(dir, pidFile))
			return err != nil || !yes
		}); err != nil {
			return fmt.Errorf("waiting for process %d to stop: %w", pid, err)
		}
	}
	return n.Stop(ctx)
}

// clear removes what an earlier network left in the folder, keeping the locks. Folders that were not made here are not touched.
func clearFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking into %s: %w", dir, err)
	}
	ours := func(name string) bool { return name == lockFile || name == pidFile }
	foreign := false
	for _, e := range entries {
		if e.Name() == markerFile {
			foreign = false
			break
		}
		foreign = foreign || !ours(e.Name())
	}
	if foreign {
		return fmt.Errorf("%w: %s holds other files. Name an empty or new folder with --dir", ErrFolder, dir)
	}
	for _, e := range entries {
		if ours(e.Name()) || e.Name() == markerFile {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("wiping an earlier network: %w", err)
		}
	}
	return nil
}
