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

	"golang.org/x/sync/errgroup"

	"waybill/api"
	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/index"
	"waybill/ledger/store"
	"waybill/node/journal"
	"waybill/node/mempool"
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

	// Fixed for the epoch.
	epoch   *Epoch
	self    int // validator index; -1 on a full node
	members *members

	// Parts.
	store    *store.Store
	index    *index.Index
	net      *p2p.Network
	http     net.Listener
	server   *api.Server
	metrics  *metrics
	verifier *mempool.Verifier
	pool     *pool
	relay    *relay
	loop     *loop
	executor *executor
	snapshot atomic.Pointer[Snapshot] // of the replica, after its last step

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
	for _, open := range []func() error{n.openEpoch, n.openLedger, n.openPeers, n.openReplica, n.openAPI} {
		if err := open(); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (n *Node) openEpoch() error {
	set, err := n.genesis.ValidatorSet()
	if err != nil {
		return err
	}
	if n.self, err = selfIndex(n.genesis, n.keys); err != nil {
		return err
	}
	anchor := n.genesis.Block()
	n.epoch = &Epoch{
		Domain: quorum.Domain{Genesis: n.genesis.Hash(), Set: set},
		Slate:  quorum.NewSlate(set, anchor.Hash()),
		Anchor: quorum.Anchor{Hash: anchor.Hash(), Height: anchor.Height, TimeMs: anchor.TimeMs},
	}
	n.members, err = newMembers(n.genesis, set)
	return err
}

func (n *Node) openLedger() (err error) {
	n.store, err = store.Open(n.settings.DataDir, n.genesis, store.Options{
		CacheBytes: int64(n.settings.CacheMiB) << 20, History: n.settings.History,
	})
	if err != nil {
		return err
	}
	n.index, err = index.New(n.store.DB(), n.store, index.Options{Apply: n.store.Apply})
	return err
}

func (n *Node) openPeers() (err error) {
	limits := p2p.DefaultLimits()
	limits.Class[p2p.ClassConsensus].MaxBytes = max(limits.Class[p2p.ClassConsensus].MaxBytes,
		quorum.MaxProposalSize(n.epoch.Domain.Set.Len())+consensus.StatusSize+1)
	limits.Class[p2p.ClassConsensus].QueueBytes = 4 * limits.Class[p2p.ClassConsensus].MaxBytes
	limits.Class[p2p.ClassSync].MaxBytes = 8 << 20
	limits.MaxGossipBytes = maxGossip
	cfg := p2p.Config{
		PrivateKey: n.keys.Peer.Bytes(), Namespace: n.epoch.Domain.Genesis.String(),
		Listen: n.settings.Listen, Bootstrap: n.settings.Bootstrap, MDNS: n.settings.MDNS, DHT: n.settings.DHT,
		Allow: n.members.allows(n.store, n.settings.OpenPeers), Limits: limits, Logger: n.log.With("part", "p2p"),
	}
	for i, id := range n.members.validators {
		if i != n.self {
			cfg.Direct = append(cfg.Direct, id)
		}
	}
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
	params := n.genesis.Params
	cfg := Config{
		Epoch: n.epoch, Self: n.self, Peers: n.members.validators, Timing: timing(params),
		ExecDelay: params.ExecDelay, MaxBlockBytes: min(int(params.MaxBlockBytes), maxInlinePayload), Params: params.Hash(),
	}
	var key crypto.PrivateKey
	if n.keys.Validator != nil {
		key = *n.keys.Validator
	}
	replica, err := NewReplica(cfg, n.loop, chain{n.store, params.ExecDelay}, n.pool, journal.OnPebble(n.store), key)
	if err != nil {
		return err
	}
	n.loop.replica = replica
	s := replica.Snapshot()
	n.snapshot.Store(&s)
	return nil
}

// maxInlinePayload bounds what a leader puts into one proposal, which it sends to every validator itself.
const maxInlinePayload = 1 << 20

// timing turns the network's parameters into the machine's waiting times.
func timing(p ledger.Params) consensus.Timing {
	t := consensus.DefaultTiming()
	t.Base = consensus.Duration(p.BaseTimeoutMs)
	t.Min = min(t.Min, t.Base)
	t.MinBlockInterval = consensus.Duration(p.MinBlockIntervalMs)
	t.MaxBlockInterval = consensus.Duration(p.MaxBlockIntervalMs)
	return t
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
		Genesis: n.genesis, Chain: b, State: b, Prover: b, Submitter: b, Transactions: b, Events: b, Trace: n.index, Node: b,
		Signer: n.keys.Capture, Metrics: n.metrics.handler(), Observe: n.metrics.observe,
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
	n.log.Info("node starts", "name", n.settings.Name, "network", n.genesis.Chain, "genesis", n.epoch.Domain.Genesis,
		"validator", n.self, "peer", n.net.Self(), "listen", n.net.Addrs(), "api", n.APIAddr(), "height", n.store.Tip().Height)
	group, inner := errgroup.WithContext(ctx)
	parts := []struct {
		name string
		run  func(context.Context) error
	}{
		{"engine", n.loop.run}, {"executor", n.executor.run}, {"checker", n.executor.check},
		{"relay", n.relay.run}, {"index", n.index.Run}, {"peers", n.net.Run}, {"storage", n.watchStore},
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
		if n.store != nil {
			err = n.store.Close()
		}
	})
	return err
}

// DatabaseDir is where the ledger of a data folder is.
func DatabaseDir(dataDir string) string { return filepath.Join(dataDir, "db") }
