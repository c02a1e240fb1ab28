package p2p

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Config is everything a Network needs to know. Only PrivateKey, Listen and
// Namespace are required.
type Config struct {
	// Identity and network.
	PrivateKey [32]byte // raw secp256k1 key; its public key is the peer id
	Namespace  string   // genesis hash, 16 to 128 lower-case hex digits; peers of another one are refused

	// Where we are and whom we know.
	Listen    []string // TCP multiaddresses, for example "/ip4/0.0.0.0/tcp/26656"; port 0 picks one
	Bootstrap []string // full multiaddresses ending in /p2p/<peer id>; always redialled
	Direct    []PeerID // validators: always redialled, always sent all gossip, never trimmed

	// How others are found.
	MDNS bool // announce and find peers on the local network
	DHT  bool // find peers through other peers

	// Allow decides who may be connected, on every inbound and outbound
	// connection. It must be quick and safe for concurrent use. When its answers
	// change, call Network.Recheck. Nil allows everyone.
	Allow func(PeerID) bool

	// OnMismatch, if set, is told about every peer turned away because it belongs
	// to another network. It must be quick. See also Network.Mismatches.
	OnMismatch func(Mismatch)

	Limits Limits       // zero value: DefaultLimits()
	Logger *slog.Logger // nil discards; libp2p's own records go there too
}

// ClassLimits bounds one Class towards and from one peer.
type ClassLimits struct {
	MaxBytes      int // largest message; a peer sending more is cut off
	QueueMessages int // waiting messages; at the limit the oldest is dropped
	QueueBytes    int // waiting bytes; at the limit the oldest is dropped
}

// Limits bounds everything a peer can make us hold or wait for.
type Limits struct {
	// Messages.
	Class          [NumClasses]ClassLimits
	MaxGossipBytes int // largest gossip message of any topic

	// Connections and memory.
	MaxPeers          int     // connected peers; above it the least useful are trimmed
	MaxStreamsPerPeer int     // open streams of one peer
	MaxMemory         int64   // bytes that buffers of all peers may take
	ConnsPerIP        int     // open connections from one address; loopback is not limited
	ConnRatePerIP     float64 // new connections per second from one address; loopback is not limited
	ConnBurstPerIP    int     // new connections at once from one address; loopback is not limited

	// Requests.
	MaxRequests        int           // served at once
	MaxRequestsPerPeer int           // served at once for one peer
	RequestTimeout     time.Duration // for one request, both sides, unless the context ends earlier

	// Time.
	DialTimeout  time.Duration // for one dial, handshake included
	HelloTimeout time.Duration // from connection to the end of the greeting
	FrameTimeout time.Duration // from a frame's first byte to its last
	WriteTimeout time.Duration // without progress in writing; then the peer is dropped
	Penalty      time.Duration // how long a peer that broke a rule is refused
	RedialMin    time.Duration // first pause between dials of one peer
	RedialMax    time.Duration // longest pause between dials of one peer
}

// DefaultLimits returns limits for a network of up to about a hundred
// validators on ordinary servers.
func DefaultLimits() Limits {
	return Limits{
		Class: [NumClasses]ClassLimits{
			ClassConsensus:   {MaxBytes: 1 << 20, QueueMessages: 1024, QueueBytes: 8 << 20},
			ClassCertificate: {MaxBytes: 1 << 20, QueueMessages: 256, QueueBytes: 4 << 20},
			ClassBatch:       {MaxBytes: 2 << 20, QueueMessages: 256, QueueBytes: 16 << 20},
			ClassSync:        {MaxBytes: 4 << 20, QueueMessages: 64, QueueBytes: 16 << 20},
		},
		MaxGossipBytes:     1 << 20,
		MaxPeers:           128,
		MaxStreamsPerPeer:  128,
		MaxMemory:          1 << 30,
		ConnsPerIP:         64,
		ConnRatePerIP:      2,
		ConnBurstPerIP:     64,
		MaxRequests:        64,
		MaxRequestsPerPeer: 8,
		RequestTimeout:     30 * time.Second,
		DialTimeout:        5 * time.Second,
		HelloTimeout:       10 * time.Second,
		FrameTimeout:       30 * time.Second,
		WriteTimeout:       10 * time.Second,
		Penalty:            30 * time.Second,
		RedialMin:          100 * time.Millisecond,
		RedialMax:          10 * time.Second,
	}
}

// Validate reports the first field that cannot work, as ErrConfig.
func (c *Config) Validate() error {
	if _, err := privateKey(c.PrivateKey); err != nil {
		return err
	}
	if err := checkNamespace(c.Namespace); err != nil {
		return err
	}
	if _, err := c.listenAddrs(); err != nil {
		return err
	}
	if _, err := c.bootstrapPeers(); err != nil {
		return err
	}
	for i, id := range c.Direct {
		if _, err := ParsePeerID(string(id)); err != nil {
			return kindError(ErrConfig, fmt.Sprintf("Direct[%d]", i), err)
		}
	}
	if c.Limits == (Limits{}) {
		return nil
	}
	return c.Limits.Validate()
}

// Validate reports the first limit that cannot work, as ErrConfig.
func (l *Limits) Validate() error {
	for class, cl := range l.Class {
		if cl.MaxBytes < 1 || cl.MaxBytes > maxFrameBytes || cl.QueueMessages < 1 || cl.QueueBytes < cl.MaxBytes {
			return kindError(ErrConfig, fmt.Sprintf("limits of class %s %+v: want 1 <= MaxBytes <= %d, QueueMessages >= 1, QueueBytes >= MaxBytes",
				Class(class), cl, maxFrameBytes), nil)
		}
	}
	counts := []struct {
		name  string
		value int64
	}{
		{"MaxGossipBytes", int64(l.MaxGossipBytes)}, {"MaxPeers", int64(l.MaxPeers)},
		{"MaxStreamsPerPeer", int64(l.MaxStreamsPerPeer)}, {"MaxMemory", l.MaxMemory},
		{"ConnsPerIP", int64(l.ConnsPerIP)}, {"ConnBurstPerIP", int64(l.ConnBurstPerIP)},
		{"MaxRequests", int64(l.MaxRequests)}, {"MaxRequestsPerPeer", int64(l.MaxRequestsPerPeer)},
		{"RequestTimeout", int64(l.RequestTimeout)}, {"DialTimeout", int64(l.DialTimeout)},
		{"HelloTimeout", int64(l.HelloTimeout)}, {"FrameTimeout", int64(l.FrameTimeout)},
		{"WriteTimeout", int64(l.WriteTimeout)}, {"Penalty", int64(l.Penalty)},
		{"RedialMin", int64(l.RedialMin)}, {"RedialMax", int64(l.RedialMax)},
	}
	for _, c := range counts {
		if c.value < 1 {
			return kindError(ErrConfig, fmt.Sprintf("limit %s is %d, must be at least 1; start from DefaultLimits()", c.name, c.value), nil)
		}
	}
	if l.ConnRatePerIP <= 0 {
		return kindError(ErrConfig, fmt.Sprintf("limit ConnRatePerIP is %v, must be above 0", l.ConnRatePerIP), nil)
	}
	if l.RedialMax < l.RedialMin {
		return kindError(ErrConfig, fmt.Sprintf("limit RedialMax %v is below RedialMin %v", l.RedialMax, l.RedialMin), nil)
	}
	if l.WriteTimeout > 10*time.Second {
		return kindError(ErrConfig, fmt.Sprintf("limit WriteTimeout is %v, at most 10s: a peer that does not read must not hold us longer", l.WriteTimeout), nil)
	}
	if l.MaxStreamsPerPeer < minStreamsPerPeer {
		return kindError(ErrConfig, fmt.Sprintf("limit MaxStreamsPerPeer is %d, at least %d are needed", l.MaxStreamsPerPeer, minStreamsPerPeer), nil)
	}
	return nil
}

func checkNamespace(ns string) error {
	if _, err := hex.DecodeString(ns); err != nil || len(ns) < 16 || len(ns) > maxNamespace || !isLowerHex(ns) {
		return kindError(ErrConfig, fmt.Sprintf("namespace %.140q is not a genesis hash of 16 to %d lower-case hex digits", ns, maxNamespace), nil)
	}
	return nil
}

func isLowerHex(s string) bool {
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			return false
		}
	}
	return true
}

// listenAddrs parses Listen and insists on TCP over an IP address: a UDP or DNS
// address would either fail late or listen on something nobody asked for.
func (c *Config) listenAddrs() ([]ma.Multiaddr, error) {
	if len(c.Listen) == 0 {
		return nil, kindError(ErrConfig, `Listen is empty; give at least one address such as "/ip4/0.0.0.0/tcp/26656"`, nil)
	}
	addrs := make([]ma.Multiaddr, 0, len(c.Listen))
	for _, s := range c.Listen {
		addr, err := ma.NewMultiaddr(s)
		if err != nil {
			return nil, kindError(ErrConfig, fmt.Sprintf("listen address %q is not a multiaddress", s), err)
		}
		protos := addr.Protocols()
		if len(protos) != 2 || (protos[0].Code != ma.P_IP4 && protos[0].Code != ma.P_IP6) || protos[1].Code != ma.P_TCP {
			return nil, kindError(ErrConfig, fmt.Sprintf("listen address %q must have the form /ip4/<address>/tcp/<port> or /ip6/<address>/tcp/<port>", s), nil)
		}
		addrs = append(addrs, addr)
	}
	return addrs, nil
}

// bootstrapPeers parses Bootstrap and merges the addresses of one peer.
func (c *Config) bootstrapPeers() ([]peer.AddrInfo, error) {
	addrs := make([]ma.Multiaddr, 0, len(c.Bootstrap))
	for _, s := range c.Bootstrap {
		addr, err := ma.NewMultiaddr(s)
		if err != nil {
			return nil, kindError(ErrConfig, fmt.Sprintf("bootstrap address %q is not a multiaddress", s), err)
		}
		info, err := peer.AddrInfoFromP2pAddr(addr)
		if err != nil || len(info.Addrs) == 0 {
			return nil, kindError(ErrConfig, fmt.Sprintf("bootstrap address %q must end in /p2p/<peer id>, for example /ip4/10.0.0.1/tcp/26656/p2p/16Uiu2…", s), err)
		}
		if !isSecp256k1(info.ID) {
			return nil, kindError(ErrConfig, fmt.Sprintf("bootstrap address %q: peer id is not that of a secp256k1 key", s), nil)
		}
		if _, err := info.Addrs[0].ValueForProtocol(ma.P_TCP); err != nil {
			return nil, kindError(ErrConfig, fmt.Sprintf("bootstrap address %q is not TCP", s), nil)
		}
		addrs = append(addrs, addr)
	}
	infos, err := peer.AddrInfosFromP2pAddrs(addrs...)
	if err != nil {
		return nil, kindError(ErrConfig, "bootstrap addresses", err)
	}
	return infos, nil
}
