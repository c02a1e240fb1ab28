package p2p

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	logging "github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/gologshim"
	basichost "github.com/libp2p/go-libp2p/p2p/host/basic"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
)

// prefixDigits is how much of the namespace stands in protocol ids.
const prefixDigits = 8

// Handler receives what peers send directly. Its methods are called on many
// goroutines at once and must be quick; blocking in Message stops reading
// from that peer's class and so pushes back on the peer, who drops us if that
// lasts longer than its WriteTimeout. They must not call Network.Close, which
// waits for them.
type Handler interface {
	// Message hands over one message. The slice belongs to the handler.
	Message(from PeerID, class Class, msg []byte)
	// Connected says that a peer of our network can now be sent messages.
	Connected(PeerID)
	// Disconnected says that it no longer can; no Message follows.
	Disconnected(PeerID)
}

// Direction says who opened a connection.
type Direction string

// The two directions.
const (
	Inbound  Direction = "inbound"
	Outbound Direction = "outbound"
)

// PeerInfo describes one connected peer.
type PeerInfo struct {
	ID        PeerID
	Addr      string // remote multiaddress of the connection in use
	Direction Direction
	Since     time.Time
	RTT       time.Duration // measured while greeting; 0 if unknown
}

// Verdict is a topic validator's judgement of a message.
type Verdict uint8

const (
	// Accept delivers the message and forwards it.
	Accept Verdict = iota
	// Ignore drops it without blaming the sender: already known, not in sync, our
	// own trouble.
	Ignore
	// Reject drops it and lowers the sender's standing. Only for what the sender
	// could have checked itself; anything else lets a node partition itself.
	Reject
)

// Topic is a gossip topic, for example {"tx", 64 << 10}.
type Topic struct {
	Name     string // without network prefix
	MaxBytes int    // larger messages are rejected
}

// Network is a running peer of one network. Make it with New.
type Network struct {
	cfg       Config
	limits    *Limits // &cfg.Limits
	log       *slog.Logger
	id        peer.ID
	self      PeerID
	hello     hello
	protocols protocols

	host     *basichost.BasicHost
	swarm    *swarm.Swarm
	conns    *connmgr.BasicConnMgr
	gater    *gater
	gossip   *gossip
	dialer   *dialer
	finder   *finder
	requests *requests
	counters counters

	handler Handler // set before Run

	ctx    context.Context // ends when the network closes
	cancel context.CancelFunc
	wg     sync.WaitGroup // everything this package starts
	ended  chan struct{}  // closed when all of it has ended

	mu         sync.RWMutex
	running    bool
	closing    bool
	links      map[network.Conn]*link
	sessions   map[peer.ID]*session
	mismatches []Mismatch
}

// protocols are the stream protocol ids of one network.
type protocols struct {
	prefix protocol.ID
	class  [NumClasses]protocol.ID
}

func newProtocols(namespace string) protocols {
	p := protocols{prefix: protocol.ID("/waybill/" + namespace[:prefixDigits])}
	for c := range Class(NumClasses) {
		p.class[c] = p.prefix + "/msg/" + protocol.ID(c.String()) + "/1"
	}
	return p
}

// New validates the configuration and binds the listen addresses. It accepts and
// opens no connection before Run. The caller must end with Run or Close. Errors:
// ErrConfig, ErrAddressInUse, ErrListen.
//
// libp2p's own log records are process-wide; they go to the Logger of the first
// Network of the process.
func New(cfg Config) (*Network, error) {
	if cfg.Limits == (Limits{}) {
		cfg.Limits = DefaultLimits()
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	bridgeLogs(cfg.Logger)
	key, err := privateKey(cfg.PrivateKey)
	if err != nil {
		return nil, err
	}
	g := newGater(cfg.Allow)
	p, err := newParts(&cfg, key, g)
	if err != nil {
		return nil, err
	}
	n := &Network{
		cfg: cfg, log: cfg.Logger, id: p.swarm.LocalPeer(), self: peerIDOf(p.swarm.LocalPeer()),
		hello:     hello{version: protocolVersion, instance: newInstance(), namespace: cfg.Namespace},
		protocols: newProtocols(cfg.Namespace),
		host:      p.host, swarm: p.swarm, conns: p.conns, gater: g,
		handler: silentHandler{}, ended: make(chan struct{}),
		links: make(map[network.Conn]*link), sessions: make(map[peer.ID]*session),
	}
	n.limits = &n.cfg.Limits
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.requests = newRequests(n.limits)
	if err := n.prepare(); err != nil {
		return nil, errorsJoinClose(err, n)
	}
	return n, nil
}

// prepare makes what needs the host.
func (n *Network) prepare() error {
	var err error
	if n.dialer, err = newDialer(n); err != nil {
		return err
	}
	n.finder = newFinder(n)
	if n.gossip, err = newGossip(n); err != nil {
		return err
	}
	n.host.SetStreamHandler(helloProtocol, n.handleHello)
	for c, id := range n.protocols.class {
		n.host.SetStreamHandler(id, n.handleClass(Class(c)))
	}
	n.swarm.Notify(&network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { n.linkUp(c) },
		DisconnectedF: func(_ network.Network, c network.Conn) { n.linkDown(c) },
	})
	return nil
}

// bridgeLogs sends libp2p's records to logger. The DHT logs through another
// library, straight to standard error; its records are of no use and are
// silenced.
func bridgeLogs(logger *slog.Logger) {
	gologshim.SetDefaultHandler(logger.Handler())
	logging.SetAllLoggers(logging.LevelFatal)
}

func newInstance() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, by its documentation
	return binary.BigEndian.Uint64(b[:])
}

func errorsJoinClose(err error, n *Network) error {
	n.Close()
	return err
}

// Handle sets the receiver of direct messages. It must be called before Run.
// Without it they are read and thrown away.
func (n *Network) Handle(h Handler) { n.handler = h }

// silentHandler ignores everything.
type silentHandler struct{}

func (silentHandler) Message(PeerID, Class, []byte) {}
func (silentHandler) Connected(PeerID)              {}
func (silentHandler) Disconnected(PeerID)           {}

// Run opens the network for connections, dials and finds peers, and returns
// after ctx ends and everything it started has ended, with all connections and
// listeners closed. It returns nil then, an error if it could not start. A
// Network runs once.
func (n *Network) Run(ctx context.Context) error {
	n.mu.Lock()
	if n.running || n.closing {
		n.mu.Unlock()
		return kindError(ErrClosed, "a network runs only once; make another with New", nil)
	}
	n.running = true
	n.mu.Unlock()
	n.gater.open.Store(true)
	err := n.start()
	if err == nil {
		select {
		case <-ctx.Done():
		case <-n.ctx.Done():
		}
	}
	n.shutdown()
	return err
}

func (n *Network) start() error {
	if err := n.gossip.start(); err != nil {
		return err
	}
	if err := n.finder.start(); err != nil {
		return err
	}
	n.spawn(n.dialer.run)
	return nil
}

// Close ends a network whose Run was never called, or makes Run return, and
// waits until everything has ended. It may be called more than once.
func (n *Network) Close() {
	n.mu.Lock()
	running := n.running
	n.running = true // Run must not start any more
	n.mu.Unlock()
	if !running {
		n.shutdown()
		return
	}
	n.cancel()
	<-n.ended
}

// shutdown stops in the order of dependence: nothing new, discovery, gossip and
// sessions, connections, and last whatever still holds on to one of these.
func (n *Network) shutdown() {
	n.gater.open.Store(false)
	n.mu.Lock()
	n.closing = true
	n.mu.Unlock()
	n.cancel()
	if n.finder != nil {
		n.finder.stop()
	}
	if err := n.host.Close(); err != nil {
		n.log.Warn("close libp2p host", "err", err)
	}
	n.wg.Wait()
	close(n.ended)
}

// enter counts the calling goroutine in, unless the network is closing; the
// caller then owes wg.Done.
func (n *Network) enter() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closing {
		return false
	}
	n.wg.Add(1)
	return true
}

// spawn runs f on a goroutine that shutdown waits for.
func (n *Network) spawn(f func()) {
	if !n.enter() {
		return
	}
	go func() {
		defer n.wg.Done()
		f()
	}()
}

// linkUp begins the greeting of a new connection. libp2p accepts no stream of it
// before this returns.
func (n *Network) linkUp(c network.Conn) {
	l := &link{conn: c, done: make(chan struct{})}
	n.mu.Lock()
	if n.closing { // shutdown closes it with the host
		n.mu.Unlock()
		return
	}
	n.links[c] = l
	n.mu.Unlock()
	if c.Stat().Direction == network.DirOutbound {
		n.spawn(func() { n.greetOutbound(l) })
		return
	}
	n.spawn(func() { n.expectGreeting(l) })
}

// expectGreeting closes a connection whose dialer does not greet in time.
func (n *Network) expectGreeting(l *link) {
	timer := time.NewTimer(n.limits.HelloTimeout)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-n.ctx.Done():
	case <-timer.C:
		n.log.Debug("no greeting in time", "peer", l.conn.RemotePeer().String())
		_ = l.conn.Close()
	}
}

// claimGreeting returns the link of a dialled-in connection on the first
// greeting stream, nil on every other.
func (n *Network) claimGreeting(c network.Conn) *link {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.links[c]
	if l == nil || l.claimed || c.Stat().Direction != network.DirInbound {
		return nil
	}
	l.claimed = true
	return l
}

// linkDown takes a closed connection out of its session.
func (n *Network) linkDown(c network.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.links[c]
	if l == nil {
		return
	}
	delete(n.links, c)
	l.resolve()
	if s := l.session; s != nil {
		s.links = slices.DeleteFunc(s.links, func(other *link) bool { return other == l })
		if len(s.links) == 0 {
			s.stop()
		}
	}
}

// Self returns our own peer id.
func (n *Network) Self() PeerID { return n.self }

// Addrs returns the full multiaddresses under which others can dial us.
func (n *Network) Addrs() []string {
	addrs, err := n.swarm.InterfaceListenAddresses()
	if err != nil {
		addrs = n.swarm.ListenAddresses()
	}
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i] = fmt.Sprintf("%s/p2p/%s", a, n.self)
	}
	return out
}

// Peers returns the connected peers, ordered by id.
func (n *Network) Peers() []PeerInfo {
	n.mu.RLock()
	defer n.mu.RUnlock()
	out := make([]PeerInfo, 0, len(n.sessions))
	for _, s := range n.sessions {
		if s.stopped || len(s.links) == 0 {
			continue
		}
		l := s.links[len(s.links)-1]
		direction := Inbound
		if l.conn.Stat().Direction == network.DirOutbound {
			direction = Outbound
		}
		out = append(out, PeerInfo{ID: s.pid, Addr: l.conn.RemoteMultiaddr().String(), Direction: direction, Since: s.since, RTT: l.rtt})
	}
	slices.SortFunc(out, func(a, b PeerInfo) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Send queues msg for a connected peer and returns at once. It returns false,
// with nothing queued, if the peer is not connected or the message is larger than
// its class allows. Neither caller may change msg afterwards.
func (n *Network) Send(to PeerID, class Class, msg []byte) (queued bool) {
	if !class.valid() {
		return false
	}
	counted := &n.counters.class[class]
	if len(msg) > n.limits.Class[class].MaxBytes {
		counted.oversized.Add(1)
		return false
	}
	id, err := to.decode()
	if err != nil {
		return false
	}
	s := n.session(id)
	if s == nil {
		counted.unconnected.Add(1)
		return false
	}
	counted.dropped.Add(uint64(s.queues[class].push(msg)))
	return true
}

// Broadcast sends msg to each of the peers, as Send does, skipping ourselves.
func (n *Network) Broadcast(to []PeerID, class Class, msg []byte) {
	for _, id := range to {
		if id != n.self {
			n.Send(id, class, msg)
		}
	}
}

// Recheck asks Allow again about every connected peer and disconnects those that
// are no longer allowed. Call it when the answers of Allow have changed.
func (n *Network) Recheck() {
	for _, id := range n.swarm.Peers() {
		if !n.gater.permits(id) {
			_ = n.swarm.ClosePeer(id)
		}
	}
	n.dialer.nudge()
}

// Disconnect closes all connections of a peer and refuses it for
// Limits.Penalty; for peers that the caller found to be misbehaving.
func (n *Network) Disconnect(id PeerID, reason string) {
	if p, err := id.decode(); err == nil {
		n.punish(p, kindError(ErrRefused, reason, nil))
	}
}
