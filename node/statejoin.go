package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/snapshot"
	"waybill/ledger/store"
	blocksync "waybill/node/sync"
	"waybill/p2p"
)

// StateSync makes the empty ledger of a data folder begin at a certified snapshot: one that is in the folder already, or
// one fetched from peers. Call it before Open, which then goes on by fetching blocks. It does nothing when the ledger is
// not empty. When no snapshot is to be had it says so in the log and returns nil: the node then fetches all blocks from
// genesis. Errors are those of the disk, of the sockets and of ctx.
func StateSync(ctx context.Context, s Settings, g *ledger.Genesis, k Keys, log *slog.Logger) error {
	if err := errors.Join(s.Validate(), g.Validate()); err != nil {
		return err
	}
	log = log.With("part", "statesync")
	empty, err := ledgerIsEmpty(s, g)
	if err != nil || !empty {
		return err
	}
	library, err := snapshot.OpenLibrary(vfs.Default, SnapshotsDir(s.DataDir))
	if err != nil {
		return err
	}
	trust, err := trustOf(s, g)
	if err != nil {
		return err
	}
	if done, err := restoreAny(ctx, s, g, library, trust, log); done || err != nil {
		return err
	}
	epochs, err := snapshot.NewEpochs(g, trust, nil)
	if err != nil {
		return err
	}
	if err := epochs.Trusted(); err != nil {
		log.Warn("no snapshot is looked for: all blocks are fetched from genesis", "error", err)
		return nil
	}
	stored, err := searchSnapshot(ctx, s, g, k, epochs, library, log)
	if err != nil {
		return err
	}
	if stored == nil {
		log.Warn("no peer has a snapshot that can be verified: all blocks are fetched from genesis")
		return nil
	}
	_, err = restoreAny(ctx, s, g, library, trust, log)
	return err
}

func ledgerIsEmpty(s Settings, g *ledger.Genesis) (bool, error) {
	st, err := store.Open(s.DataDir, g, storeOptions(s))
	if err != nil {
		return false, err
	}
	return st.Tip().Height == 0, st.Close()
}

func storeOptions(s Settings) store.Options {
	return store.Options{CacheBytes: int64(s.CacheMiB) << 20, History: s.History}
}

// trustOf is which histories this node may believe now.
func trustOf(s Settings, g *ledger.Genesis) (snapshot.Trust, error) {
	at, err := ParseCheckpoint(s.Checkpoint)
	return snapshot.Trust{Checkpoint: at, NowMs: time.Now().UnixMilli(), PeriodMs: int64(g.Params.TrustingMs())}, err
}

// restoreAny restores the highest snapshot of the library that verifies.
func restoreAny(ctx context.Context, s Settings, g *ledger.Genesis, l *snapshot.Library, trust snapshot.Trust, log *slog.Logger) (bool, error) {
	list, err := l.List()
	if err != nil {
		return false, err
	}
	for _, info := range list {
		stored, err := l.Open(info)
		if err == nil {
			var epochs *snapshot.Epochs
			if epochs, err = snapshot.NewEpochs(g, trust, nil); err != nil {
				return false, err
			}
			err = stored.Restore(ctx, s.DataDir, g, storeOptions(s), epochs, false)
		}
		var disk *store.Error
		switch {
		case err == nil:
			log.Info("the ledger begins at a snapshot", "height", info.Height, "keys", stored.Manifest.Keys)
			return true, nil
		case ctx.Err() != nil, errors.As(err, &disk):
			return false, fmt.Errorf("restoring the snapshot of height %d: %w", info.Height, err)
		}
		log.Warn("a snapshot in the data folder is of no use", "height", info.Height, "error", err)
	}
	return false, nil
}

// searchSnapshot opens the sockets, fetches, and closes them.
func searchSnapshot(
	ctx context.Context, s Settings, g *ledger.Genesis, k Keys, epochs *snapshot.Epochs, l *snapshot.Library, log *slog.Logger,
) (*snapshot.Stored, error) {
	limits := p2p.DefaultLimits()
	limits.Class[p2p.ClassSync].MaxBytes = 8 << 20
	limits.MaxGossipBytes = maxGossip
	cfg := p2p.Config{
		PrivateKey: k.Peer.Bytes(), Namespace: g.Hash().String(), Listen: s.Listen, Bootstrap: s.Bootstrap, MDNS: s.MDNS, DHT: s.DHT,
		Limits: limits, Logger: log,
	}
	self, err := p2p.PeerIDFromPrivateKey(cfg.PrivateKey)
	if err != nil {
		return nil, err
	}
	var keys []crypto.PublicKey
	for _, v := range g.Validators {
		keys = append(keys, v.PeerKey)
	}
	cfg.Direct = genesisPeers(keys, self)
	net, err := p2p.New(cfg)
	if err != nil {
		return nil, err
	}
	defer net.Close()
	var validators []string
	for _, id := range cfg.Direct {
		validators = append(validators, string(id))
	}
	f := blocksync.NewStateFetcher(blocksync.StateConfig{Epochs: epochs, Validators: validators})
	log.Info("looking for a snapshot of the state", "peers", len(cfg.Direct)+len(cfg.Bootstrap))
	return fetchSnapshot(ctx, f, epochs, l, net, log)
}
