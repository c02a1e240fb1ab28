package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"waybill/api"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/store"
	"waybill/node/signer"
	"waybill/p2p"
)

// TestMain fails when a goroutine outlives its node. Gossipsub starts one that sleeps a second and looks whether it
// was stopped.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/libp2p/go-libp2p-pubsub.(*GossipSubRouter).Attach.func1"))
}

// cluster is a network of real nodes in this process: real sockets, real Pebble, real signatures.
type cluster struct {
	t       *testing.T
	genesis *ledger.Genesis
	keys    []Keys
	dirs    []string
	addrs   []string // where each node listens; fixed at its first start
	nodes   []*running
	rich    crypto.PrivateKey
	signs   map[string]bool // folders with a signer file

	snapshotEvery uint64          // 0: as by default
	change        func(*Settings) // what a test wants otherwise; may be nil
}

type running struct {
	*Node
	stop context.CancelFunc
	done chan error
}

func testKey(label string) crypto.PrivateKey {
	seed := crypto.Sum(crypto.TagGenesis, []byte("test key "+label))
	key, err := crypto.PrivateKeyFromBytes(seed[:])
	if err != nil {
		panic(err)
	}
	return key
}

func newCluster(t *testing.T, stakes ...uint64) *cluster {
	t.Helper()
	c := &cluster{t: t, rich: testKey("rich"), nodes: make([]*running, len(stakes)), signs: map[string]bool{}}
	params := ledger.DefaultParams()
	params.MinBlockIntervalMs, params.BaseTimeoutMs = 20, 300
	c.genesis = &ledger.Genesis{
		Version: ledger.GenesisVersion, Chain: "test", TimeMs: time.Now().UnixMilli() - 1000, Params: params,
		Accounts:   []ledger.GenesisAccount{{Address: c.rich.Public().Address(), Balance: 1_000_000_000}},
		Registrars: []crypto.Address{c.rich.Public().Address()},
	}
	for i, stake := range stakes {
		validator, peer := testKey(fmt.Sprint("validator ", i)), testKey(fmt.Sprint("peer ", i))
		c.keys = append(c.keys, Keys{Peer: peer, Validator: &validator})
		c.dirs = append(c.dirs, filepath.Join(t.TempDir(), "node"))
		c.addrs = append(c.addrs, "/ip4/127.0.0.1/tcp/0")
		c.genesis.Validators = append(c.genesis.Validators, ledger.GenesisValidator{
			Name: fmt.Sprint("v", i), Key: validator.Public(), PeerKey: peer.Public(), Stake: stake * 1000, Operator: testKey(fmt.Sprint("operator ", i)).Public().Address(),
		})
		c.genesis.Accounts = append(c.genesis.Accounts, ledger.GenesisAccount{Address: testKey(fmt.Sprint("operator ", i)).Public().Address(), Balance: 1_000_000})
	}
	return c
}

func (c *cluster) settings(i int) Settings {
	s := DefaultSettings()
	s.DataDir, s.Name, s.Listen, s.API, s.DHT = c.dirs[i], fmt.Sprint("n", i), []string{c.addrs[i]}, "127.0.0.1:0", false
	if c.snapshotEvery > 0 {
		s.SnapshotEvery = c.snapshotEvery
	}
	for j, n := range c.nodes {
		if n != nil && j != i {
			s.Bootstrap = append(s.Bootstrap, n.PeerAddrs()...)
		}
	}
	if c.change != nil {
		c.change(&s)
	}
	return s
}

// start opens and runs node i; its address stays the same from then on.
func (c *cluster) start(i int) {
	c.t.Helper()
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})).With("node", i)
	}
	if k := c.keys[i].Validator; k != nil && !c.signs[c.dirs[i]] {
		c.sign(c.dirs[i], *k)
	}
	n, err := Open(c.settings(i), c.genesis, c.keys[i], log, "test")
	if err != nil {
		c.t.Fatal(err)
	}
	host, port, ok := bytes.Cut([]byte(n.PeerAddrs()[0]), []byte("/p2p/"))
	if !ok {
		c.t.Fatalf("%s has no peer id", n.PeerAddrs()[0])
	}
	_ = port
	c.addrs[i] = string(host)
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Node: n, stop: cancel, done: make(chan error, 1)}
	go func() { r.done <- n.Run(ctx) }()
	c.nodes[i] = r
	c.t.Cleanup(func() { c.stop(i) })
}

// sign makes a signer file, as `waybill node init` does.
func (c *cluster) sign(dir string, key crypto.PrivateKey) {
	c.t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := signer.CreateFile(vfs.Default, SignerFile(dir), c.genesis.Hash(), key.Public()); err != nil {
		c.t.Fatal(err)
	}
	c.signs[dir] = true
}

func (c *cluster) stop(i int) {
	if r := c.nodes[i]; r != nil {
		c.nodes[i] = nil
		r.stop()
		if err := <-r.done; err != nil {
			c.t.Errorf("node %d stopped with: %v", i, err)
		}
	}
}

func (c *cluster) backend(i int) *backend { return &backend{c.nodes[i].Node} }

// transfer submits a transfer through node i and returns its id.
func (c *cluster) transfer(i int, salt byte) crypto.Hash {
	c.t.Helper()
	return c.submit(i, salt, c.rich, &ledger.Transfer{To: testKey("poor").Public().Address(), Amount: 5})
}

// submit sends a transaction of an account through node i and returns its id.
func (c *cluster) submit(i int, salt byte, author crypto.PrivateKey, payload ledger.Payload, also ...crypto.PrivateKey) crypto.Hash {
	c.t.Helper()
	body, err := ledger.NewBody(c.genesis.Hash(), author.Public().Address(), c.nodes[i].store.Tip().Height+500, payload)
	if err != nil {
		c.t.Fatal(err)
	}
	body.Salt[0], body.Salt[1] = salt, byte(i)
	tx, err := ledger.Sign(body, append([]crypto.PrivateKey{author}, also...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		id, err := c.backend(i).Submit(context.Background(), tx.Raw())
		if err == nil {
			return id
		}
		if time.Now().After(deadline) {
			c.t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (c *cluster) wait(i int, id crypto.Hash) *api.Transaction {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	tx, err := c.backend(i).Wait(ctx, id)
	if err != nil {
		for k, n := range c.nodes {
			if n != nil {
				c.t.Logf("node %d: %+v", k, c.backend(k).Status())
				c.t.Logf("node %d: %+v", k, *n.snapshot.Load())
			}
		}
		c.t.Fatalf("node %d: waiting for %s: %v", i, id, err)
	}
	return tx
}

// same demands equal blocks and roots at the lowest common height.
func (c *cluster) same() {
	c.t.Helper()
	height := quorum.Height(1 << 62)
	for _, n := range c.nodes {
		if n != nil {
			height = min(height, n.store.Tip().Height)
		}
	}
	var first *Node
	for _, n := range c.nodes {
		if n == nil {
			continue
		}
		if first == nil {
			first = n.Node
		}
		a, err := first.store.Header(height)
		if err != nil {
			c.t.Fatal(err)
		}
		b, err := n.store.Header(height)
		if err != nil {
			c.t.Fatal(err)
		}
		rootA, errA := first.store.StateRoot(height)
		rootB, errB := n.store.StateRoot(height)
		if a.Hash() != b.Hash() || rootA != rootB || errA != nil || errB != nil {
			c.t.Errorf("at height %d: blocks %s and %s, roots %s and %s", height, a.Hash(), b.Hash(), rootA, rootB)
		}
	}
}

func TestFourNodesAgreeLoseOneAndTakeItBack(t *testing.T) {
	c := newCluster(t, 40, 30, 20, 15)
	for i := range c.keys {
		c.start(i)
	}
	for round := range byte(3) {
		for i := range c.nodes {
			id := c.transfer(i, round)
			for k := range c.nodes {
				if tx := c.wait(k, id); tx.Status != api.TxFinal {
					t.Fatalf("transfer through node %d is %s on node %d: %v", i, tx.Status, k, tx.Receipt)
				}
			}
		}
	}
	c.same()
	c.stop(3)
	for round := range byte(5) {
		id := c.transfer(int(round)%3, 100+round)
		c.wait(0, id)
	}
	c.start(3)
	id := c.transfer(3, 200)
	for k := range c.nodes {
		c.wait(k, id)
	}
	c.same()
	account, err := ledger.ReadAccount(c.nodes[3].store.View(), testKey("poor").Public().Address())
	if err != nil || account == nil || account.Balance != 5*(12+5+1) {
		t.Errorf("the receiver has %+v, %v; want %d", account, err, 5*18)
	}
}

func TestFullNodeFollowsAndSubmits(t *testing.T) {
	c := newCluster(t, 10, 10, 10, 10)
	for i := range c.keys {
		c.start(i)
	}
	c.wait(0, c.transfer(0, 1))
	c.keys = append(c.keys, Keys{Peer: testKey("full")})
	c.dirs = append(c.dirs, filepath.Join(t.TempDir(), "full"))
	c.addrs = append(c.addrs, "/ip4/127.0.0.1/tcp/0")
	c.nodes = append(c.nodes, nil)
	c.start(4)
	id := c.transfer(4, 2)
	for k := range c.nodes {
		if tx := c.wait(k, id); tx.Status != api.TxFinal {
			t.Fatalf("node %d says %s", k, tx.Status)
		}
	}
	c.same()
}

func TestProofsVerifyAgainstTheGenesis(t *testing.T) {
	c := newCluster(t, 10, 10, 10, 10)
	for i := range c.keys {
		c.start(i)
	}
	id := c.transfer(1, 1)
	c.wait(0, id)
	b, d := c.backend(0), c.nodes[0].members.Load().epoch.Domain
	proof, err := b.ProveTransaction(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	if tx, err := proof.Check(d); err != nil || tx.ID() != id {
		t.Errorf("the proof of %s does not hold: %v", id, err)
	}
	key := ledger.AccountKey(testKey("poor").Public().Address())
	deadline := time.Now().Add(20 * time.Second)
	for {
		p, err := b.ProveState(context.Background(), key, nil)
		if err == nil && p.Value != nil {
			if err := p.Check(d, key); err != nil {
				t.Fatal(err)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no header commits to the new account: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestOpenRefusesClearly(t *testing.T) {
	c := newCluster(t, 10, 10, 10, 10)
	c.start(0)
	log := slog.New(slog.DiscardHandler)

	t.Run("folder in use", func(t *testing.T) {
		s := c.settings(0)
		s.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
		if _, err := Open(s, c.genesis, c.keys[0], log, "test"); !errors.Is(err, store.ErrLocked) {
			t.Errorf("got %v, want %v", err, store.ErrLocked)
		}
	})
	t.Run("peer port in use", func(t *testing.T) {
		s := c.settings(1)
		c.sign(s.DataDir, *c.keys[1].Validator)
		s.Listen = []string{c.addrs[0]}
		if _, err := Open(s, c.genesis, c.keys[1], log, "test"); !errors.Is(err, p2p.ErrAddressInUse) {
			t.Errorf("got %v, want %v", err, p2p.ErrAddressInUse)
		}
	})
	t.Run("API port in use", func(t *testing.T) {
		s := c.settings(1)
		s.API = c.nodes[0].APIAddr()
		var op *net.OpError
		if _, err := Open(s, c.genesis, c.keys[1], log, "test"); !errors.As(err, &op) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("another network's folder", func(t *testing.T) {
		s := c.settings(2)
		other := *c.genesis
		other.Chain = "another"
		full := Keys{Peer: c.keys[2].Peer}
		n, err := Open(s, &other, full, log, "test")
		if err != nil {
			t.Fatal(err)
		}
		if err := n.close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(s, c.genesis, full, log, "test"); !errors.Is(err, store.ErrForeign) {
			t.Errorf("got %v, want %v", err, store.ErrForeign)
		}
	})
	t.Run("a validator without a signer file", func(t *testing.T) {
		key := testKey("stranger")
		if _, err := Open(c.settings(3), c.genesis, Keys{Peer: testKey("p"), Validator: &key}, log, "test"); !errors.Is(err, signer.ErrMissing) {
			t.Errorf("got %v, want %v", err, signer.ErrMissing)
		}
	})
	t.Run("a recovered signer file", func(t *testing.T) {
		s, key := c.settings(3), testKey("stranger")
		s.DataDir, s.RecoverSigner = filepath.Join(t.TempDir(), "lost"), true
		keys := Keys{Peer: testKey("p"), Validator: &key}
		n, err := Open(s, c.genesis, keys, log, "test")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.recoverSigner(signer.Mark{View: 5, Step: 2}); err != nil {
			t.Fatal(err)
		}
		if err := n.close(); err != nil {
			t.Fatal(err)
		}
		s.RecoverSigner = false
		if n, err = Open(s, c.genesis, keys, log, "test"); err != nil {
			t.Fatal(err)
		}
		if state, err := n.signer.State(); err != nil || state.Mark != (signer.Mark{View: 5, Step: 2}) {
			t.Errorf("%+v, %v", state, err)
		}
		if err := n.close(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("another key's signer file", func(t *testing.T) {
		s, key := c.settings(3), testKey("stranger")
		c.sign(s.DataDir, testKey("somebody"))
		if _, err := Open(s, c.genesis, Keys{Peer: testKey("p"), Validator: &key}, log, "test"); !errors.Is(err, signer.ErrForeign) {
			t.Errorf("got %v, want %v", err, signer.ErrForeign)
		}
	})
	t.Run("settings", func(t *testing.T) {
		s := c.settings(3)
		s.History = 1
		if _, err := Open(s, c.genesis, c.keys[3], log, "test"); !errors.Is(err, ErrSettings) {
			t.Errorf("got %v, want %v", err, ErrSettings)
		}
	})
}

func TestClosedNetworkLetsInAccountsOnly(t *testing.T) {
	c := newCluster(t, 10)
	stranger := testKey("stranger").Public()
	known := c.rich.Public()
	c.start(0)
	rule := c.nodes[0].allows
	c.nodes[0].settings.OpenPeers = false
	for _, k := range []struct {
		key  crypto.PublicKey
		want bool
	}{{stranger, false}, {known, true}, {c.keys[0].Peer.Public(), true}} {
		id, err := p2p.PeerIDFromPublicKey(k.key[:])
		if err != nil {
			t.Fatal(err)
		}
		if got := rule(id); got != k.want {
			t.Errorf("peer with key %s: allowed is %v, want %v", k.key, got, k.want)
		}
	}
}

// TestNothingExpiresBeforeItsTime: whoever hears "expired" signs again, and has then paid twice. Asked at every moment
// of its way, a transaction is pending until it is final.
func TestNothingExpiresBeforeItsTime(t *testing.T) {
	c := newCluster(t, 10)
	c.start(0)
	b := c.backend(0)
	var wg sync.WaitGroup
	for salt := range byte(60) {
		id := c.transfer(0, salt)
		for range 4 {
			wg.Go(func() {
				for range 1_000_000 {
					switch tx, err := b.Transaction(context.Background(), id); {
					case err != nil:
						t.Errorf("transaction %d: %v", salt, err)
						return
					case tx.Status == api.TxFinal:
						return
					case tx.Status != api.TxPending:
						t.Errorf("transaction %d is %s", salt, tx.Status)
						return
					}
				}
				t.Errorf("transaction %d never became final", salt)
			})
		}
	}
	wg.Wait()

	tip := c.nodes[0].store.Tip().Height
	for _, k := range []struct {
		expiry quorum.Height
		want   api.TxStatus
	}{{tip - 1, api.TxExpired}, {tip, api.TxExpired}, {tip + 100, api.TxPending}} {
		gone := crypto.Sum(crypto.TagTransaction, fmt.Append(nil, k.expiry)) // the pool let go of it
		c.nodes[0].relay.submitted.Add(gone, k.expiry)
		if tx, err := b.Transaction(context.Background(), gone); err != nil || tx.Status != k.want {
			t.Errorf("at height %d, with expiry %d: %+v, %v; want %s", tip, k.expiry, tx, err, k.want)
		}
	}
}
