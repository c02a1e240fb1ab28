package local

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Options say how nodes are run. The zero value runs this program's own executable, in the foreground.
type Options struct {
	Program  string // path of waybill; "" is the running program
	Detached bool   // nodes outlive this process
}

// Network is a network of node processes in one folder.
type Network struct {
	dir  string
	opts Options
	http *http.Client

	mu        sync.Mutex // guards the rest
	manifest  Manifest
	processes map[string]*process // that this Network started and did not end, by node name
}

// Open finds the network in a folder; nothing is started.
func Open(dir string, opts Options) (*Network, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	return newNetwork(dir, opts, m)
}

func newNetwork(dir string, opts Options, m Manifest) (*Network, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("naming the network's folder: %w", err)
	}
	if opts.Program == "" {
		if opts.Program, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("finding the waybill program: %w", err)
		}
	}
	transport := &http.Transport{DisableKeepAlives: true} // no connection outlives its question
	return &Network{dir: abs, opts: opts, manifest: m, processes: map[string]*process{}, http: &http.Client{Transport: transport}}, nil
}

// Dir is the network's folder, absolute.
func (n *Network) Dir() string { return n.dir }

// Manifest says who is who. It is a copy.
func (n *Network) Manifest() Manifest {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := n.manifest
	m.Nodes = slices.Clone(m.Nodes)
	return m
}

// Nodes lists the nodes, validators first. Numbers of nodes are indexes into it plus one.
func (n *Network) Nodes() []Node { return n.Manifest().Nodes }

// URL is the HTTP interface of node i, from 0.
func (n *Network) URL(i int) string { return n.Nodes()[i].URL() }

// Log is the path of node i's log, from 0.
func (n *Network) Log(i int) string { return filepath.Join(n.dirOf(n.Nodes()[i]), "node.log") }

// WalletsDir is the folder of the network's wallets, PasswordFile the file with the passphrase of all of them.
func (n *Network) WalletsDir() string { return filepath.Join(n.dir, walletsDir) }

// PasswordFile is the file with the passphrase of every wallet of the network.
func (n *Network) PasswordFile() string { return filepath.Join(n.dir, walletsDir, passwordFile) }

func (n *Network) dirOf(node Node) string { return filepath.Join(n.dir, node.Name) }

// node returns node i, from 0.
func (n *Network) node(i int) (Node, error) {
	nodes := n.Nodes()
	if i < 0 || i >= len(nodes) {
		return Node{}, fmt.Errorf("%w node %d: the network in %s has nodes 1 to %d", ErrNoNetwork, i+1, n.dir, len(nodes))
	}
	return nodes[i], nil
}

// Start starts every node that does not run and waits until all are ready.
func (n *Network) Start(ctx context.Context) error {
	nodes := n.Nodes()
	for i := range nodes {
		if err := n.launch(i, nil); err != nil {
			return err
		}
	}
	for i := range nodes {
		if err := n.WaitReady(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// StartNode starts node i, with flags of `waybill node start`, and waits until it is ready: in sync and connected. The error
// is ErrAlone when it runs and cannot become ready, because too few validators run.
func (n *Network) StartNode(ctx context.Context, i int, flags ...string) error {
	if err := n.launch(i, flags); err != nil {
		return err
	}
	return n.WaitReady(ctx, i)
}

func (n *Network) launch(i int, flags []string) error {
	node, err := n.node(i)
	if err != nil {
		return err
	}
	if _, yes, err := running(n.dirOf(node)); err != nil || yes {
		return err
	}
	p, err := launch(n.opts.Program, n.dirOf(node), n.opts.Detached, flags)
	if err != nil {
		return fmt.Errorf("%s: %w", node.Name, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.processes[node.Name] = p
	return nil
}

// WaitReady waits until node i is ready. A node that ends instead is an error with the end of its log.
func (n *Network) WaitReady(ctx context.Context, i int) error {
	node, err := n.node(i)
	if err != nil {
		return err
	}
	died, alone := false, false
	err = n.await(ctx, func() bool {
		own := n.own(node.Name)
		died = own != nil && own.ended()
		if died || n.ready(ctx, node) {
			return true
		}
		alone = n.asks(ctx, node, "/livez") && !n.quorumRuns()
		return alone
	})
	if alone {
		return fmt.Errorf("%w: %s runs, and waits for the others", ErrAlone, node.Name)
	}
	if err == nil && !died {
		return nil
	}
	log := filepath.Join(n.dirOf(node), "node.log")
	if died {
		return fmt.Errorf("%s ended instead of starting; the end of %s:\n%s", node.Name, log, lastLines(log, 8))
	}
	return fmt.Errorf("%s is not ready: %w; the end of %s:\n%s", node.Name, err, log, lastLines(log, 8))
}

// ErrAlone says that a node cannot become ready before more validators run.
var ErrAlone = errors.New("too few validators run for a quorum")

// quorumRuns reports whether validators with a quorum of the stake they began with run; true when that cannot be told.
func (n *Network) quorumRuns() bool {
	var total, up uint64
	for _, node := range n.Nodes() {
		total += node.Stake
		if _, yes, err := running(n.dirOf(node)); yes || err != nil {
			up += node.Stake
		}
	}
	return up >= 2*total/3+1
}

// KillNode ends node i with SIGKILL, as a crash would.
func (n *Network) KillNode(ctx context.Context, i int) error {
	return n.endNode(ctx, i, syscall.SIGKILL)
}

// StopNode ends node i in order.
func (n *Network) StopNode(ctx context.Context, i int) error {
	return n.endNode(ctx, i, syscall.SIGTERM)
}

func (n *Network) endNode(ctx context.Context, i int, signal syscall.Signal) error {
	node, err := n.node(i)
	if err != nil {
		return err
	}
	return n.end(ctx, node, signal)
}

// Stop ends every node in order, all at once, nodes that another process added included, and waits for them.
func (n *Network) Stop(ctx context.Context) error {
	if m, err := readManifest(n.dir); err == nil {
		n.mu.Lock()
		n.manifest = m
		n.mu.Unlock()
	}
	nodes := n.Nodes()
	failures := make([]error, len(nodes))
	var stopping sync.WaitGroup
	for i, node := range nodes {
		stopping.Go(func() { failures[i] = n.end(ctx, node, syscall.SIGTERM) })
	}
	stopping.Wait()
	return errors.Join(failures...)
}

// WipeNode deletes the ledger of node i, which must not run. Its keys, its settings and what its signer remembers stay. A
// validator's signer refuses to go on beside an empty ledger, until it is started to recover; so a validator is wiped only
// when told twice.
func (n *Network) WipeNode(i int, evenValidator bool) error {
	node, err := n.node(i)
	if err != nil {
		return err
	}
	if _, yes, err := running(n.dirOf(node)); err != nil || yes {
		return errors.Join(err, fmt.Errorf("%w: %s. Stop that node before wiping it", ErrInUse, node.Name))
	}
	_, noKey := os.Stat(filepath.Join(n.dirOf(node), "validator.key"))
	if (node.Validator || noKey == nil) && !evenValidator {
		return fmt.Errorf("%w: %s is a validator; beside an empty ledger its signer does not go on, because it might sign something else than before, which the network punishes", ErrUnsafe, node.Name)
	}
	if err := os.RemoveAll(filepath.Join(n.dirOf(node), "db")); err != nil {
		return fmt.Errorf("wiping %s: %w", node.Name, err)
	}
	return nil
}

// ErrUnsafe refuses what could make a validator sign twice.
var ErrUnsafe = errors.New("refused for safety")

// State is how a node of the network is.
type State struct {
	Node
	Running bool `json:"running"`
	PID     int  `json:"pid,omitempty"`
	Ready   bool `json:"ready"` // in sync and connected
}

// Status asks every node how it is.
func (n *Network) Status(ctx context.Context) ([]State, error) {
	nodes := n.Nodes()
	out := make([]State, len(nodes))
	for i, node := range nodes {
		pid, yes, err := running(n.dirOf(node))
		if err != nil {
			return nil, err
		}
		out[i] = State{Node: node, Running: yes, PID: pid, Ready: yes && n.ready(ctx, node)}
	}
	return out, nil
}

// Running reports whether any node of the network in a folder runs.
func Running(dir string) (bool, error) {
	m, err := readManifest(dir)
	if errors.Is(err, ErrNoNetwork) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, node := range m.Nodes {
		if _, yes, err := running(filepath.Join(dir, node.Name)); err != nil || yes {
			return yes, err
		}
	}
	return false, nil
}

// startTime is how long a network may take to be ready.
const startTime = 30 * time.Second
