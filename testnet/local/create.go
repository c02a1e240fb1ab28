package local

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"waybill/crypto"
	"waybill/ledger"
	"waybill/wallet"
)

// Plan is a network to be made.
type Plan struct {
	Dir        string
	Chain      string // name for people; "" is "local"
	Validators int    // 1 to 64
	Full       int    // full nodes
	Stakes     []uint64
	Adopt      bool                 // take over goods and documents older than the network
	Params     func(*ledger.Params) // changes to the parameters; nil: none
	Faucet     string               // name of the wallet with the money; "" is "faucet"
	Registrar  string               // name of the wallet that approves prefixes; "" is the faucet
	FirstPort  int                  // where its nodes' ports are looked for, from 20000 to 31999; 0: anywhere in there
}

// Money in the smallest unit.
const (
	faucetBalance   = 1_000_000_000_000_000
	operatorBalance = 1_000_000_000
	stakeUnit       = 1_000_000
)

// maxNodes bounds a network on one machine.
const maxNodes = 64

// defaultStakes are unequal, and with four validators or more no single one is needed for a quorum.
func defaultStakes(validators int) []uint64 {
	pattern := []uint64{30, 28, 25, 22}
	out := make([]uint64, validators)
	for i := range out {
		out[i] = pattern[i%len(pattern)] * stakeUnit
	}
	return out
}

// Create makes a new network in plan.Dir, wiping an earlier one there. Nothing runs yet. The caller holds the folder (Hold).
func Create(ctx context.Context, plan Plan, opts Options) (*Network, error) {
	if err := plan.complete(); err != nil {
		return nil, err
	}
	if yes, err := Running(plan.Dir); err != nil || yes {
		return nil, errors.Join(err, fmt.Errorf("%w: nodes run in %s. Stop them: waybill testnet down --dir %s", ErrInUse, plan.Dir, plan.Dir))
	}
	if err := clearFolder(plan.Dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(plan.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the network's folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(plan.Dir, markerFile), []byte("This folder was made by waybill testnet, which may delete what is in it.\n"), 0o644); err != nil {
		return nil, fmt.Errorf("marking the network's folder: %w", err)
	}
	n, err := newNetwork(plan.Dir, opts, Manifest{Chain: plan.Chain})
	if err != nil {
		return nil, err
	}
	return n, n.build(ctx, &plan)
}

func (p *Plan) complete() error {
	if p.Validators < 1 || p.Full < 0 || p.Validators+p.Full > maxNodes {
		return fmt.Errorf("%w: %d validators and %d full nodes; a test network has at least 1 validator and at most %d nodes", ErrPlan, p.Validators, p.Full, maxNodes)
	}
	if p.Stakes == nil {
		p.Stakes = defaultStakes(p.Validators)
	}
	if p.FirstPort != 0 && (p.FirstPort < firstPort || p.FirstPort >= lastPort) {
		return fmt.Errorf("%w: the first port is %d; ports of a test network are %d to %d", ErrPlan, p.FirstPort, firstPort, lastPort-1)
	}
	if len(p.Stakes) != p.Validators {
		return fmt.Errorf("%w: %d stakes for %d validators", ErrPlan, len(p.Stakes), p.Validators)
	}
	if p.Chain == "" {
		p.Chain = "local"
	}
	if p.Faucet == "" {
		p.Faucet = "faucet"
	}
	return nil
}

// ErrPlan is a plan that makes no network.
var ErrPlan = errors.New("no such network can be made")

// build writes everything a network needs, network.json last.
func (n *Network) build(ctx context.Context, plan *Plan) error {
	faucet, err := n.makeWallets(plan.Faucet)
	if err != nil {
		return err
	}
	ports, err := freePorts(plan.FirstPort, 2*(plan.Validators+plan.Full))
	if err != nil {
		return err
	}
	genesis := &ledger.Genesis{Version: ledger.GenesisVersion, Chain: plan.Chain, TimeMs: time.Now().UnixMilli(), Params: plan.params()}
	genesis.Accounts = append(genesis.Accounts, ledger.GenesisAccount{Address: faucet, Balance: faucetBalance})
	registrar := faucet
	if plan.Registrar != "" {
		if registrar, err = n.newWallet(plan.Registrar); err != nil {
			return err
		}
		genesis.Accounts = append(genesis.Accounts, ledger.GenesisAccount{Address: registrar, Balance: operatorBalance})
	}
	genesis.Registrars = []crypto.Address{registrar}
	for i := range plan.Validators + plan.Full {
		node := Node{Name: fmt.Sprintf("node%d", i+1), PeerPort: ports[2*i], APIPort: ports[2*i+1], Validator: i < plan.Validators}
		keys, err := n.keys(ctx, node)
		if err != nil {
			return err
		}
		node.PeerID = keys.PeerID
		if node.Validator {
			node.Stake = plan.Stakes[i]
			operator, err := n.newWallet(node.Name)
			if err != nil {
				return err
			}
			genesis.Accounts = append(genesis.Accounts, ledger.GenesisAccount{Address: operator, Balance: operatorBalance})
			genesis.Validators = append(genesis.Validators, ledger.GenesisValidator{
				Name: node.Name, Key: keys.ValidatorKey, PeerKey: keys.PeerKey, Stake: node.Stake, Operator: operator,
			})
		}
		n.manifest.Nodes = append(n.manifest.Nodes, node)
	}
	n.manifest.Genesis, n.manifest.Mode = genesis.Hash(), genesis.Params.Onboarding.String()
	if err := n.writeGenesis(genesis); err != nil {
		return err
	}
	for _, node := range n.manifest.Nodes {
		if err := n.initNode(ctx, node); err != nil {
			return err
		}
	}
	if err := n.writeEnv(plan.Faucet); err != nil {
		return err
	}
	return n.manifest.write(n.dir)
}

func (p *Plan) params() ledger.Params {
	params := ledger.DefaultParams()
	if p.Adopt {
		params = ledger.AdoptParams()
	}
	if p.Params != nil {
		p.Params(&params)
	}
	return params
}

func (n *Network) writeGenesis(g *ledger.Genesis) error {
	if err := g.Validate(); err != nil {
		return err
	}
	data, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the genesis: %w", err)
	}
	return replaceFile(filepath.Join(n.dir, genesisFile), append(data, '\n'), 0o644)
}

// makeWallets makes the folder of wallets, its passphrase, and the wallet with the money.
func (n *Network) makeWallets(faucet string) (crypto.Address, error) {
	if err := os.MkdirAll(n.WalletsDir(), 0o700); err != nil {
		return crypto.Address{}, fmt.Errorf("making the wallets' folder: %w", err)
	}
	secret := make([]byte, 16)
	if _, err := rand.Read(secret); err != nil {
		return crypto.Address{}, fmt.Errorf("making a passphrase: %w", err)
	}
	if err := os.WriteFile(n.PasswordFile(), []byte(hex.EncodeToString(secret)+"\n"), 0o600); err != nil {
		return crypto.Address{}, fmt.Errorf("writing the wallets' passphrase: %w", err)
	}
	return n.newWallet(faucet)
}

func (n *Network) newWallet(name string) (crypto.Address, error) {
	w, err := n.NewWallet(name)
	if err != nil {
		return crypto.Address{}, err
	}
	return w.Address(), nil
}

// NewWallet makes another wallet of the network, weakly encrypted under the network's passphrase.
func (n *Network) NewWallet(name string) (*wallet.Wallet, error) {
	folder, pass, err := n.wallets()
	if err != nil {
		return nil, err
	}
	return folder.Create(name, pass, wallet.Options{Strength: wallet.Light})
}

// Wallet opens a wallet of the network.
func (n *Network) Wallet(name string) (*wallet.Wallet, error) {
	folder, pass, err := n.wallets()
	if err != nil {
		return nil, err
	}
	return folder.Unlock(name, pass)
}

func (n *Network) wallets() (*wallet.Folder, []byte, error) {
	pass, err := os.ReadFile(n.PasswordFile())
	if err != nil {
		return nil, nil, fmt.Errorf("reading the wallets' passphrase: %w", err)
	}
	folder, err := wallet.OpenFolder(n.WalletsDir())
	return folder, bytes.TrimSpace(pass), err
}

// writeEnv writes what a shell needs to act on the network: . DIR/env
func (n *Network) writeEnv(faucet string) error {
	text := fmt.Sprintf("export WAYBILL_NODE=%s\nexport WAYBILL_WALLETS=%s\nexport WAYBILL_PASSWORD_FILE=%s\nexport WAYBILL_WALLET=%s\n",
		n.manifest.Nodes[0].URL(), quote(n.WalletsDir()), quote(n.PasswordFile()), quote(faucet))
	return replaceFile(filepath.Join(n.dir, envFile), []byte(text), 0o644)
}

// quote makes one word of a text for a POSIX shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// nodeKeys is what `waybill node keys --output json` prints.
type nodeKeys struct {
	PeerID       string           `json:"peerId"`
	PeerKey      crypto.PublicKey `json:"peerKey"`
	ValidatorKey crypto.PublicKey `json:"validatorKey"`
}

func (n *Network) keys(ctx context.Context, node Node) (nodeKeys, error) {
	var keys nodeKeys
	args := []string{"node", "keys", "--data", n.dirOf(node), "--output", "json"}
	if node.Validator {
		args = append(args, "--validator")
	}
	out, err := n.waybill(ctx, args...)
	if err != nil {
		return keys, fmt.Errorf("making keys of %s: %w", node.Name, err)
	}
	if err := json.Unmarshal(out, &keys); err != nil {
		return keys, fmt.Errorf("reading keys of %s: %w", node.Name, err)
	}
	return keys, nil
}

// initNode prepares a node's data folder; it begins with all other nodes as peers.
func (n *Network) initNode(ctx context.Context, node Node) error {
	var others []string
	for _, other := range n.manifest.Nodes {
		if other.Name != node.Name {
			others = append(others, other.multiaddr())
		}
	}
	args := []string{
		"node", "init", "--genesis", filepath.Join(n.dir, genesisFile), "--data", n.dirOf(node), "--name", node.Name,
		"--listen", fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", node.PeerPort), "--api", fmt.Sprintf("127.0.0.1:%d", node.APIPort),
		"--bootstrap", strings.Join(others, ","), "--output", "json",
	}
	if node.Validator {
		args = append(args, "--validator")
	}
	if _, err := n.waybill(ctx, args...); err != nil {
		return fmt.Errorf("preparing %s: %w", node.Name, err)
	}
	return nil
}

// waybill runs a command of the program and returns its data.
func (n *Network) waybill(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, n.opts.Program, args...)
	cmd.Env = nodeEnvironment()
	var messages bytes.Buffer
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(messages.String()))
	}
	return out, nil
}

// AddNode adds a full node to the network, starts it and waits until it has caught up. It returns the node's index.
func (n *Network) AddNode(ctx context.Context) (int, error) {
	lock, err := tryLock(filepath.Join(n.dir, manifestFile+".lock"), startTime)
	if err != nil || lock == nil {
		return 0, errors.Join(err, fmt.Errorf("%w: another process changes %s", ErrInUse, n.dir))
	}
	i, err := n.addNode(ctx)
	if err = errors.Join(err, lock.Close()); err != nil {
		return i, err
	}
	return i, n.StartNode(ctx, i)
}

func (n *Network) addNode(ctx context.Context) (int, error) {
	m, err := readManifest(n.dir)
	if err != nil {
		return 0, err
	}
	i := len(m.Nodes)
	if i >= maxNodes {
		return 0, fmt.Errorf("%w: the network has %d nodes already", ErrPlan, i)
	}
	last := firstPort // beside those of the other nodes, which nobody else is likely to take while one of them is down
	for _, node := range m.Nodes {
		last = max(last, node.PeerPort, node.APIPort)
	}
	ports, err := freePorts(last+1, 2)
	if err != nil {
		return 0, err
	}
	node := Node{Name: fmt.Sprintf("node%d", i+1), PeerPort: ports[0], APIPort: ports[1]}
	keys, err := n.keys(ctx, node)
	if err != nil {
		return 0, err
	}
	node.PeerID = keys.PeerID
	m.Nodes = append(m.Nodes, node)
	n.mu.Lock()
	n.manifest = m
	n.mu.Unlock()
	if err := n.initNode(ctx, node); err != nil {
		return 0, err
	}
	return i, m.write(n.dir)
}

// Ports of nodes lie below those that systems give to outgoing connections, so that a node finds its own free again after
// a restart.
const (
	firstPort = 20_000
	lastPort  = 32_000
)

// freePorts finds ports that nobody listens on now, the next ones from first on; 0: from anywhere. A port of a node that is
// down, or not up yet, looks free to another network, which may take it: who makes several at once gives each its own.
func freePorts(first, count int) ([]int, error) {
	out := make([]int, 0, count)
	if first == 0 {
		first = firstPort + mathrand.IntN(lastPort-firstPort)
	}
	for i := range lastPort - firstPort {
		if len(out) == count {
			break
		}
		port := firstPort + (first-firstPort+i)%(lastPort-firstPort)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue // taken
		}
		defer l.Close() // all at once at the end
		out = append(out, port)
	}
	if len(out) < count {
		return nil, fmt.Errorf("%w: there are no %d free ports from %d to %d on 127.0.0.1", ErrPlan, count, firstPort, lastPort)
	}
	return out, nil
}
