package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/errgroup"

	"waybill/api"
	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/index"
	"waybill/ledger/snapshot"
	"waybill/ledger/store"
	"waybill/node/journal"
	"waybill/node/mempool"
	"waybill/node/signer"
	"waybill/p2p"
)

// Node is one running node. Make it with Open, run it with Run, once.
type Node struct {
	settings Settings
	genesis  *ledger.Genesis
	keys     Keys
	log      *slog.Logger
	version  string
	started  time.Time

	members atomic.Pointer[members] // of the epoch; replaced when it changes

	// Parts.
	store      *store.Store
	signer     signer.Signer // nil on a full node
	signerFile *signer.File  // the one that is ours to close; nil until a recovery has made it
	index      *index.Index
	net        *p2p.Network
	http       net.Listener
	server     *api.Server
	metrics    *metrics
	verifier   *mempool.Verifier
	pool       *pool
	relay      *relay
	loop       *loop
	executor   *executor
	taker      *snapshot.Taker
	states     *stateServer
	watchdog   *watchdog
	signerAway bool // what tellVoting told last; owned by the watchdog's goroutine
	recovering bool
	snapshot   atomic.Pointer[Snapshot] // of the replica, after its last step

	closing sync.Once
}

// Open opens the ledger, the journal and the sockets. Errors of store and p2p pass through for errors.Is;
// nothing stays open after one.
func Open(s Settings, g *ledger.Genesis, k Keys, log *slog.Logger, version string) (_ *Node, err error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if err := g.Validate(); err != nil {
		return nil, err
	}
	n := &Node{settings: s, genesis: g, keys: k, log: log, version: version, started: time.Now(), verifier: mempool.NewVerifier()}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	for _, open := range []func() error{n.openLedger, n.openSnapshots, n.openSigner, n.openPeers, n.openReplica, n.openAPI} {
		if err := open(); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (n *Node) openLedger() (err error) {
	opts := storeOptions(n.settings)
	opts.Beside = index.Register
	n.store, err = store.Open(n.settings.DataDir, n.genesis, opts)
	if err != nil {
		return err
	}
	if err := n.openRegister(); err != nil {
		return err
	}
	if n.index, err = index.New(n.store.DB(), n.store, index.Options{Apply: n.store.Apply, Base: n.store.Base()}); err != nil {
		return err
	}
	info, err := n.chain().Epoch()
	if err != nil {
		return err
	}
	if err := n.checkHistory(); err != nil {
		return err
	}
	return n.setEpoch(NewEpoch(n.store.Genesis(), n.validatorKey(), nil, info))
}

// checkHistory holds the ledger against the operator's checkpoint. Without one, old keys, whose owners have long taken
// their money back, could show a node that was away for long another history.
func (n *Node) checkHistory() error {
	at, err := ParseCheckpoint(n.settings.Checkpoint)
	if err != nil {
		return err
	}
	tip, err := n.store.Header(n.store.Tip().Height)
	if err != nil {
		return err
	}
	period := time.Duration(n.genesis.Params.TrustingMs()) * time.Millisecond
	if old := time.Since(time.UnixMilli(tip.TimeMs)); at == nil && period > 0 && old > period && n.store.Tip().Height == 0 {
		n.log.Warn("this ledger begins longer ago than validators must stay bonded: whether the peers show the right history cannot be told without a checkpoint",
			"age", old.Round(time.Hour), "period", period)
	}
	if at == nil {
		return nil
	}
	began, err := n.store.Epoch(at.Epoch)
	if store.IsNotFound(err) {
		return nil // it is held against it when it begins
	}
	if err != nil {
		return err
	}
	return contradicts(at, at.Epoch, began.Anchor)
}

func (n *Node) chain() chain { return chain{n.store} }

// validatorKey is the key that votes; zero on a full node.
func (n *Node) validatorKey() crypto.PublicKey {
	switch {
	case n.keys.Signer != nil:
		return n.keys.Signer.PublicKey()
	case n.keys.Validator != nil:
		return n.keys.Validator.Public()
	}
	return crypto.PublicKey{}
}

// openSigner opens what signs votes. Whether it and the journal are of one past is found when the replica opens.
func (n *Node) openSigner() error {
	if n.keys.Signer != nil {
		n.signer = n.keys.Signer
		return nil
	}
	if n.keys.Validator == nil || n.settings.RecoverSigner {
		return nil
	}
	file, err := signer.OpenFile(vfs.Default, SignerFile(n.settings.DataDir), n.signerOptions())
	if err != nil {
		return err
	}
	n.signer, n.signerFile = file, file
	return nil
}

func (n *Node) signerOptions() signer.Options {
	return signer.Options{Genesis: n.store.Genesis(), Key: *n.keys.Validator, Reserve: signer.NodeReserve}
}

// recoverSigner makes the signer file, or raises it, once a recovery has found where it is safe to sign.
func (n *Node) recoverSigner(m signer.Mark) (signer.Signer, error) {
	storage, err := signer.OnFS(vfs.Default, SignerFile(n.settings.DataDir))
	if err != nil {
		return nil, err
	}
	file, err := signer.Recover(storage, n.signerOptions(), m)
	if err != nil {
		return nil, err
	}
	n.log.Warn("the signer was recovered: this validator votes again", "after", m)
	n.signerFile = file
	return file, nil
}

// SignerFile is where a validator of a data folder remembers what it signed.
func SignerFile(dataDir string) string { return filepath.Join(dataDir, signer.FileName) }

// setEpoch makes an epoch the one that messages are verified with and peers are kept for.
func (n *Node) setEpoch(e *Epoch) error {
	m, err := newMembers(n.store.View(), e)
	if err != nil {
		return err
	}
	n.members.Store(m)
	own, err := p2p.PeerIDFromPrivateKey(n.keys.Peer.Bytes())
	if err == nil && e.Self >= 0 && e.Peers[e.Self] != p2p.PeerID(own) {
		n.log.Warn("the ledger names another node for this validator: nobody listens to this one. Start it with the registered peer key",
			"registered", e.Peers[e.Self], "own", own)
	}
	return nil
}

func (n *Node) openPeers() (err error) {
	limits := p2p.DefaultLimits()
	limits.Class[p2p.ClassConsensus].MaxBytes = max(limits.Class[p2p.ClassConsensus].MaxBytes,
		quorum.MaxProposalSize(quorum.MaxValidators)+consensus.StatusSize+1)
	limits.Class[p2p.ClassConsensus].QueueBytes = 4 * limits.Class[p2p.ClassConsensus].MaxBytes
	limits.Class[p2p.ClassSync].MaxBytes = 8 << 20
	limits.MaxGossipBytes = maxGossip
	cfg := p2p.Config{
		PrivateKey: n.keys.Peer.Bytes(), Namespace: n.store.Genesis().String(),
		Listen: n.settings.Listen, Bootstrap: n.settings.Bootstrap, MDNS: n.settings.MDNS, DHT: n.settings.DHT,
		Allow: n.allows, Limits: limits, Logger: n.log.With("part", "p2p"),
	}
	cfg.Direct = n.members.Load().others()
	n.net, err = p2p.New(cfg)
	return err
}

func (n *Node) openReplica() (err error) {
	n.metrics = newMetrics(n)
	n.pool = newPool(mempool.Limits{
		Transactions: n.settings.MempoolTransactions, Bytes: n.settings.MempoolMiB << 20, PerAuthor: mempool.DefaultLimits().PerAuthor,
	}, func(id crypto.Hash) bool {
		_, err := n.store.Transaction(id)
		return err == nil
	})
	n.loop = newLoop(n)
	n.executor = newExecutor(n)
	if n.relay, err = newRelay(n); err != nil {
		return err
	}
	cfg := Config{Genesis: n.store.Genesis(), Key: n.validatorKey()}
	n.watchdog = newWatchdog(n.members.Load().epoch.Rules.Timing)
	if n.keys.Validator != nil && n.settings.RecoverSigner {
		cfg.Recover = n.recoverSigner
	}
	if cfg.Checkpoint, err = ParseCheckpoint(n.settings.Checkpoint); err != nil {
		return err
	}
	replica, err := NewReplica(cfg, n.loop, n.chain(), n.pool, journal.OnPebble(n.store), n.signer)
	if err != nil {
		return err
	}
	n.loop.replica = replica
	s := replica.Snapshot()
	n.snapshot.Store(&s)
	return nil
}

func (n *Node) openAPI() (err error) {
	if n.settings.API == "" {
		return nil
	}
	if n.http, err = net.Listen("tcp", n.settings.API); err != nil {
		return fmt.Errorf("listening for the HTTP API on %s: %w", n.settings.API, err)
	}
	b := &backend{n}
	n.server, err = api.New(api.Config{
		Genesis: n.genesis, Chain: b, State: b, Prover: b, Submitter: b, Transactions: b, Events: b, Trace: n.index, Node: b, Certifier: b,
		Signer: n.keys.Capture, Params: b.params, Metrics: n.metrics.handler(), Observe: n.metrics.observe,
		Fault: func(route string, err error) { n.log.Error("an API request failed", "route", route, "error", err) },
	})
	return err
}

// APIAddr is where the HTTP API listens, "" if it does not.
func (n *Node) APIAddr() string {
	if n.http == nil {
		return ""
	}
	return n.http.Addr().String()
}

// PeerAddrs are the multiaddresses under which peers reach this node.
func (n *Node) PeerAddrs() []string { return n.net.Addrs() }

// Run works until ctx ends, which is no error, or until something vital fails. When it returns, every
// goroutine has ended and everything is closed.
func (n *Node) Run(ctx context.Context) error {
	n.net.Handle(n.loop)
	if err := n.joinTopics(); err != nil {
		return errors.Join(err, n.close())
	}
	n.log.Info("node starts", "name", n.settings.Name, "network", n.genesis.Chain, "genesis", n.store.Genesis(),
		"validator", n.members.Load().epoch.Self, "epoch", n.members.Load().epoch.Number, "peer", n.net.Self(), "listen", n.net.Addrs(), "api", n.APIAddr(), "height", n.store.Tip().Height)
	group, inner := errgroup.WithContext(ctx)
	parts := []struct {
		name string
		run  func(context.Context) error
	}{
		{"engine", n.loop.run}, {"executor", n.executor.run}, {"checker", n.executor.check},
		{"relay", n.relay.run}, {"index", n.index.Run}, {"peers", n.net.Run}, {"storage", n.watchStore},
		{"snapshots", n.takeSnapshots}, {"watchdog", n.watch},
	}
	if n.server != nil {
		parts = append(parts, struct {
			name string
			run  func(context.Context) error
		}{"api", func(ctx context.Context) error { return n.server.Serve(ctx, n.http) }})
	}
	for range n.loop.workers {
		group.Go(func() error { return n.loop.verify(inner) })
	}
	for _, p := range parts {
		group.Go(func() error {
			if err := p.run(inner); err != nil && inner.Err() == nil {
				n.log.Error("the node stops", "part", p.name, "error", err)
				return fmt.Errorf("%s: %w", p.name, err)
			}
			return nil
		})
	}
	err := group.Wait()
	err = errors.Join(err, n.close())
	n.log.Info("node stopped", "error", err)
	return err
}

// watchStore ends when the disk has failed: a node that cannot write must not go on.
func (n *Node) watchStore(ctx context.Context) error {
	ticker := time.NewTicker(storeSyncEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.store.Failed():
			return n.store.Err()
		case <-ticker.C:
			if err := n.store.Sync(); err != nil {
				return err
			}
		}
	}
}

// storeSyncEvery bounds what a full node, which signs and so syncs nothing else, fetches again after a power
// cut.
const storeSyncEvery = 2 * time.Second

func (n *Node) close() (err error) {
	n.closing.Do(func() {
		if n.net != nil {
			n.net.Close()
		}
		if n.http != nil {
			_ = n.http.Close() // closed already by Serve, or never served
		}
		if n.signerFile != nil {
			err = n.signerFile.Close()
		}
		if n.taker != nil {
			n.taker.Close()
		}
		if n.store != nil {
			err = errors.Join(err, n.store.Close())
		}
	})
	return err
}
