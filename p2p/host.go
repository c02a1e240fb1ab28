package p2p

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/sec"
	basichost "github.com/libp2p/go-libp2p/p2p/host/basic"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	// streamWindow bounds what a stream buffers for a reader that is behind.
	streamWindow = 4 << 20
	// minStreamsPerPeer: four classes each way, gossip, identify, greeting, DHT
	// and a few requests.
	minStreamsPerPeer = 32
	// connsPerPeer leaves room for both sides dialling at once and for the dead
	// connection of a peer that restarted.
	connsPerPeer = 8
	// directTag protects connections from being trimmed.
	directTag = "direct"
)

// parts is a libp2p host put together by hand. libp2p.New would link and could
// start QUIC, WebRTC, WebSocket, relays and AutoNAT; here only what is named is
// in the binary at all.
type parts struct {
	host  *basichost.BasicHost
	swarm *swarm.Swarm
	conns *connmgr.BasicConnMgr
}

// newParts builds the host and binds the listen addresses.
func newParts(cfg *Config, key crypto.PrivKey, g *gater) (*parts, error) {
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, kindError(ErrConfig, "peer id of private key", err)
	}
	store, err := pstoremem.NewPeerstore()
	if err != nil {
		return nil, fmt.Errorf("make peer store: %w", err)
	}
	if err := errors.Join(store.AddPrivKey(id, key), store.AddPubKey(id, key.GetPublic())); err != nil {
		return nil, errors.Join(fmt.Errorf("put own key into peer store: %w", err), store.Close())
	}
	resources, err := newResources(&cfg.Limits)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	bus := eventbus.NewBus()
	net, err := newSwarm(cfg, id, key, store, bus, resources, g)
	if err != nil {
		return nil, errors.Join(err, resources.Close(), store.Close())
	}
	p, err := newHost(cfg, net, bus)
	if err != nil {
		return nil, errors.Join(err, net.Close(), resources.Close(), store.Close())
	}
	if err := p.listen(cfg); err != nil {
		return nil, errors.Join(err, p.host.Close())
	}
	return p, nil
}

func newSwarm(cfg *Config, id peer.ID, key crypto.PrivKey, store peerstore.Peerstore, bus event.Bus,
	resources network.ResourceManager, g *gater) (*swarm.Swarm, error) {
	net, err := swarm.NewSwarm(id, store, bus,
		swarm.WithConnectionGater(g),
		swarm.WithResourceManager(resources),
		swarm.WithDialTimeout(cfg.Limits.DialTimeout),
		swarm.WithDialTimeoutLocal(cfg.Limits.DialTimeout),
		// TCP only: nothing to learn about UDP or broken IPv6.
		swarm.WithUDPBlackHoleSuccessCounter(nil),
		swarm.WithIPv6BlackHoleSuccessCounter(nil),
	)
	if err != nil {
		return nil, fmt.Errorf("make swarm: %w", err)
	}
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: newYamux(cfg.Limits.WriteTimeout)}}
	security, err := noise.New(noise.ID, key, muxers)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make noise: %w", err), net.Close())
	}
	up, err := upgrader.New([]sec.SecureTransport{security}, muxers, nil, resources, g,
		upgrader.WithAcceptTimeout(cfg.Limits.DialTimeout))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make upgrader: %w", err), net.Close())
	}
	// With SO_REUSEPORT a second node on the same port would start without an
	// error and steal half of the connections.
	transport, err := tcp.NewTCPTransport(up, resources, nil, tcp.DisableReuseport(), tcp.WithConnectionTimeout(cfg.Limits.DialTimeout))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make TCP transport: %w", err), net.Close())
	}
	if err := net.AddTransport(transport); err != nil {
		return nil, errors.Join(fmt.Errorf("add TCP transport: %w", err), net.Close())
	}
	return net, nil
}

// newYamux copies libp2p's settings, with a smaller window and our patience.
func newYamux(writeTimeout time.Duration) *yamux.Transport {
	t := *yamux.DefaultTransport
	t.MaxStreamWindowSize = streamWindow
	t.ConnectionWriteTimeout = writeTimeout
	return &t
}

func newHost(cfg *Config, net *swarm.Swarm, bus event.Bus) (*parts, error) {
	conns, err := connmgr.NewConnManager(max(1, cfg.Limits.MaxPeers*3/4), cfg.Limits.MaxPeers, connmgr.WithGracePeriod(cfg.Limits.HelloTimeout))
	if err != nil {
		return nil, fmt.Errorf("make connection manager: %w", err)
	}
	host, err := basichost.NewHost(net, &basichost.HostOpts{
		EventBus:        bus,
		ConnManager:     conns,
		UserAgent:       "waybill",
		ProtocolVersion: "waybill/" + cfg.Namespace[:prefixDigits],
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make host: %w", err), conns.Close())
	}
	host.Start()
	return &parts{host: host, swarm: net, conns: conns}, nil
}

// listen binds every address or none.
func (p *parts) listen(cfg *Config) error {
	addrs, err := cfg.listenAddrs()
	if err != nil {
		return err
	}
	for _, addr := range addrs {
		if err := p.swarm.AddListenAddr(addr); err != nil {
			return listenError(addr, err)
		}
	}
	return nil
}

func listenError(addr ma.Multiaddr, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return kindError(ErrAddressInUse, fmt.Sprintf(
			"listen on %s: address already in use; stop the other process or choose another port", addr), err)
	}
	return kindError(ErrListen, fmt.Sprintf("listen on %s", addr), err)
}

// newResources sets every limit of libp2p's resource manager explicitly.
func newResources(l *Limits) (network.ResourceManager, error) {
	conns, streams := 2*l.MaxPeers, l.MaxPeers*l.MaxStreamsPerPeer
	limit := func(conns, streams int, memory int64) rcmgr.ResourceLimits {
		return rcmgr.ResourceLimits{
			Conns: rcmgr.LimitVal(conns), ConnsInbound: rcmgr.LimitVal(conns), ConnsOutbound: rcmgr.LimitVal(conns),
			Streams: rcmgr.LimitVal(streams), StreamsInbound: rcmgr.LimitVal(streams), StreamsOutbound: rcmgr.LimitVal(streams),
			FD: rcmgr.LimitVal(conns), Memory: rcmgr.LimitVal64(memory),
		}
	}
	transient := max(64, l.MaxPeers)
	perPeer := max(l.MaxMemory/8, min(l.MaxMemory, 64<<20))
	config := rcmgr.PartialLimitConfig{
		System:              limit(conns+transient, streams, l.MaxMemory),
		Transient:           limit(transient, 4*transient, max(l.MaxMemory/8, min(l.MaxMemory, 32<<20))),
		ServiceDefault:      limit(conns, streams, l.MaxMemory),
		ServicePeerDefault:  limit(connsPerPeer, l.MaxStreamsPerPeer, perPeer),
		ProtocolDefault:     limit(conns, streams, l.MaxMemory),
		ProtocolPeerDefault: limit(connsPerPeer, l.MaxStreamsPerPeer/2, perPeer),
		PeerDefault:         limit(connsPerPeer, l.MaxStreamsPerPeer, perPeer),
		Conn:                limit(1, l.MaxStreamsPerPeer, perPeer),
		Stream:              limit(1, 1, perPeer),
	}
	manager, err := rcmgr.NewResourceManager(
		rcmgr.NewFixedLimiter(config.Build(rcmgr.InfiniteLimits)),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithNetworkPrefixLimit(loopbackConns(loopback4), loopbackConns(loopback6)),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: l.ConnsPerIP}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: l.ConnsPerIP}}),
		rcmgr.WithConnRateLimiters(newConnRates(l)),
	)
	if err != nil {
		return nil, fmt.Errorf("make resource manager: %w", err)
	}
	return manager, nil
}

const (
	loopback4 = "127.0.0.0/8"
	loopback6 = "::1/128"
)

func loopbackConns(prefix string) []rcmgr.NetworkPrefixLimit {
	return []rcmgr.NetworkPrefixLimit{{Network: netip.MustParsePrefix(prefix), ConnCount: math.MaxInt}}
}

// newConnRates limits new connections per address, but not on loopback: twenty
// nodes of a local testnet that restart together come from one address and would
// meet libp2p's default (0.2/s, burst 16) at once.
func newConnRates(l *Limits) *rate.Limiter {
	unlimited := rate.Limit{} // zero RPS means no limit
	perAddress := rate.Limit{RPS: l.ConnRatePerIP, Burst: l.ConnBurstPerIP}
	return &rate.Limiter{
		NetworkPrefixLimits: []rate.PrefixLimit{
			{Prefix: netip.MustParsePrefix(loopback4), Limit: unlimited},
			{Prefix: netip.MustParsePrefix(loopback6), Limit: unlimited},
		},
		SubnetRateLimiter: rate.SubnetLimiter{
			IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: perAddress}},
			IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: perAddress}},
			GracePeriod:      time.Minute,
		},
	}
}
