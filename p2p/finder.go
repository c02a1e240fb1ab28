package p2p

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	findPauseMin = 500 * time.Millisecond
	findPauseMax = 30 * time.Second
	findTimeout  = 10 * time.Second
	// mdnsDigits of the namespace stand in the mDNS service name, which is one
	// DNS label of at most 63 bytes.
	mdnsDigits = 16
)

// finder discovers addresses of peers: by mDNS on the local network, and by a
// Kademlia DHT that only nodes of our network are in. The DHT stores nothing;
// what it says is never more than an address to try.
type finder struct {
	n    *Network
	wake chan struct{}
	dht  *dht.IpfsDHT // nil unless wanted and started
	mdns mdnsService  // nil unless wanted and started
}

type mdnsService interface {
	Start() error
	Close() error
}

func newFinder(n *Network) *finder {
	return &finder{n: n, wake: make(chan struct{}, 1)}
}

func (f *finder) start() error {
	if f.n.cfg.DHT {
		d, err := dht.New(f.n.host,
			dht.ProtocolPrefix(f.n.protocols.prefix),
			dht.Mode(dht.ModeServer),
			dht.DisableProviders(),
			dht.DisableValues(),
			dht.DisableAutoRefresh(), // run below refreshes, at a pace that suits small networks
			dht.Concurrency(4),
		)
		if err != nil {
			return fmt.Errorf("start DHT: %w", err)
		}
		f.dht = d
		f.n.spawn(f.run)
	}
	if f.n.cfg.MDNS {
		service := mdns.NewMdnsService(f.n.host, mdnsName(f.n.cfg.Namespace), f)
		if err := service.Start(); err != nil {
			// Containers and some servers have no multicast. That must not stop a node
			// that knows its peers.
			f.n.log.Warn("mDNS is not available; peers are found by bootstrap addresses only", "err", err)
			return nil
		}
		f.mdns = service
	}
	return nil
}

func mdnsName(namespace string) string {
	return "_waybill-" + namespace[:min(mdnsDigits, len(namespace))] + "._udp"
}

// stop ends discovery; the DHT must close before the host it uses.
func (f *finder) stop() {
	if f.mdns != nil {
		if err := f.mdns.Close(); err != nil {
			f.n.log.Warn("close mDNS", "err", err)
		}
	}
	if f.dht != nil {
		if err := f.dht.Close(); err != nil {
			f.n.log.Warn("close DHT", "err", err)
		}
	}
}

// HandlePeerFound receives peers from mDNS, at any rate and on any goroutine.
func (f *finder) HandlePeerFound(info peer.AddrInfo) { f.n.dialer.found(info) }

// nudge makes the next lookup come soon, because a new peer may know others.
func (f *finder) nudge() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// run looks for peers, often in the beginning and after every new peer, seldom
// in a network at rest.
func (f *finder) run() {
	pause := findPauseMin
	for {
		timer := time.NewTimer(f.n.limits.jitter(pause))
		select {
		case <-f.n.ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			pause = min(2*pause, findPauseMax)
		case <-f.wake:
			timer.Stop()
			pause = findPauseMin
			sleep(f.n.ctx, findPauseMin)
		}
		f.lookUp()
	}
}

// lookUp asks for the peers nearest to a random point. Asking a peer connects to
// it, and those connections stay, up to half of the peers we may have.
func (f *finder) lookUp() {
	if f.dht.RoutingTable().Size() == 0 || len(f.n.swarm.Peers()) >= max(1, f.n.limits.MaxPeers/2) {
		return
	}
	ctx, cancel := context.WithTimeout(f.n.ctx, findTimeout)
	defer cancel()
	point := make([]byte, 32)
	_, _ = rand.Read(point) // never fails, by its documentation
	if _, err := f.dht.GetClosestPeers(ctx, string(point)); err != nil {
		f.n.log.Debug("DHT lookup failed", "err", err)
	}
}

// find returns addresses that the DHT knows for a peer.
func (f *finder) find(ctx context.Context, id peer.ID) []ma.Multiaddr {
	if f.dht == nil || f.dht.RoutingTable().Size() == 0 {
		return nil
	}
	info, err := f.dht.FindPeer(ctx, id)
	if err != nil {
		return nil
	}
	return info.Addrs
}
