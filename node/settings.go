package node

import (
	"errors"
	"fmt"
	"net"

	"waybill/api"
	"waybill/crypto"
	"waybill/node/mempool"
	"waybill/node/signer"
)

// Settings are what an operator decides for one node; nothing here changes what is valid.
type Settings struct {
	// Who and where.
	DataDir string // holds db/; made if it is not there
	Name    string // for people

	// Peers.
	Listen    []string // TCP multiaddresses
	Bootstrap []string // full multiaddresses of nodes to begin with
	MDNS      bool     // find peers on the local network
	DHT       bool     // find peers through peers
	OpenPeers bool     // let in whoever shows the same genesis, not only validators and accounts of the ledger

	// HTTP API.
	API string // host:port, port 0 picks one; "" for none

	// Resources.
	CacheMiB            int    // block cache of the database
	History             uint64 // heights whose state stays provable
	MempoolTransactions int
	MempoolMiB          int

	// State sync.
	SnapshotEvery uint64 // blocks between the snapshots that are taken for new nodes; 0: none are
	StateSync     bool   // begin an empty ledger at a snapshot of the peers'
	Checkpoint    string // EPOCH:HASH, an epoch to believe in and the block before it; "": genesis alone

	// RecoverSigner starts a validator whose record of what it signed is lost: it watches the network first, until it can
	// sign nothing again that it may have signed.
	RecoverSigner bool
}

// DefaultSettings listen on loopback only.
func DefaultSettings() Settings {
	pool := mempool.DefaultLimits()
	return Settings{
		DataDir: "waybill-data", Name: "waybill",
		Listen: []string{"/ip4/127.0.0.1/tcp/26700"}, API: "127.0.0.1:8545", DHT: true, OpenPeers: true,
		CacheMiB: 64, History: 1024, SnapshotEvery: 10_000, MempoolTransactions: pool.Transactions, MempoolMiB: pool.Bytes >> 20,
	}
}

// ErrSettings says that a setting cannot work; the message names it.
var ErrSettings = errors.New("setting")

// Validate reports the first setting that cannot work.
func (s Settings) Validate() error {
	refuse := func(name, format string, args ...any) error {
		return fmt.Errorf("%w %s: %s", ErrSettings, name, fmt.Sprintf(format, args...))
	}
	switch {
	case s.DataDir == "":
		return refuse("data_dir", "is empty; name a folder")
	case len(s.Listen) == 0:
		return refuse("listen", "is empty; a node needs at least one address, for example /ip4/0.0.0.0/tcp/26700")
	case s.CacheMiB < 1 || s.CacheMiB > 1<<20:
		return refuse("cache_mib", "is %d; from 1 to 1048576", s.CacheMiB)
	case s.History < 16:
		return refuse("history", "is %d; at least 16 heights must stay provable", s.History)
	case s.MempoolTransactions < 1 || s.MempoolTransactions > 1_000_000:
		return refuse("mempool_transactions", "is %d; from 1 to 1000000", s.MempoolTransactions)
	case s.MempoolMiB < 1 || s.MempoolMiB > 4096:
		return refuse("mempool_mib", "is %d; from 1 to 4096", s.MempoolMiB)
	}
	if _, err := ParseCheckpoint(s.Checkpoint); err != nil {
		return refuse("state_checkpoint", "%q: %v", s.Checkpoint, err)
	}
	if s.API != "" {
		if _, _, err := net.SplitHostPort(s.API); err != nil {
			return refuse("api", "%q is no host:port: %v", s.API, err)
		}
	}
	return nil
}

// Keys are the secrets a node works with.
type Keys struct {
	Peer      crypto.PrivateKey  // identity towards peers
	Validator *crypto.PrivateKey // votes in the epochs whose set has it, through the signer file in the data folder; nil on a full node
	Signer    signer.Signer      // instead of Validator: the key is held by another process; the caller closes it
	Capture   api.CaptureSigner  // signs EPCIS documents posted without a signature; nil: they are refused
}
