package p2p

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// maxPenalties bounds the memory of misbehaving peers.
const maxPenalties = 4096

// gater decides which connections may exist: none before Run or after the end,
// afterwards those of allowed, unpunished holders of secp256k1 keys.
type gater struct {
	allow   func(PeerID) bool
	refused atomic.Uint64
	open    atomic.Bool

	mu        sync.Mutex
	penalties map[peer.ID]time.Time // until when
}

var _ connmgr.ConnectionGater = (*gater)(nil)

func newGater(allow func(PeerID) bool) *gater {
	return &gater{allow: allow, penalties: make(map[peer.ID]time.Time)}
}

// permits reports whether id may be connected now.
func (g *gater) permits(id peer.ID) bool {
	if !isSecp256k1(id) || g.punished(id, time.Now()) {
		return false
	}
	return g.allow == nil || g.allow(PeerID(id.String()))
}

func (g *gater) punished(id peer.ID, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	until, ok := g.penalties[id]
	if ok && now.After(until) {
		delete(g.penalties, id)
		ok = false
	}
	return ok
}

// punish refuses id for d. When the table is full, the expired entries and, if
// there are none, an arbitrary one make room.
func (g *gater) punish(id peer.ID, now time.Time, d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.penalties) >= maxPenalties {
		for other, until := range g.penalties {
			if now.After(until) {
				delete(g.penalties, other)
			}
		}
	}
	if len(g.penalties) >= maxPenalties {
		for other := range g.penalties {
			delete(g.penalties, other)
			break
		}
	}
	g.penalties[id] = now.Add(d)
}

func (g *gater) decide(ok bool) bool {
	if !ok {
		g.refused.Add(1)
	}
	return ok
}

// InterceptPeerDial refuses to dial peers that may not be connected.
func (g *gater) InterceptPeerDial(id peer.ID) bool {
	return g.open.Load() && g.permits(id)
}

// InterceptAddrDial refuses anything but TCP.
func (g *gater) InterceptAddrDial(_ peer.ID, addr ma.Multiaddr) bool {
	_, err := addr.ValueForProtocol(ma.P_TCP)
	return err == nil
}

// InterceptAccept refuses everyone while the network does not run.
func (g *gater) InterceptAccept(network.ConnMultiaddrs) bool { return g.open.Load() }

// InterceptSecured refuses authenticated peers that may not be connected.
func (g *gater) InterceptSecured(_ network.Direction, id peer.ID, _ network.ConnMultiaddrs) bool {
	return g.decide(g.permits(id))
}

// InterceptUpgraded adds nothing to InterceptSecured.
func (g *gater) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }
