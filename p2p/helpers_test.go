package p2p

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"go.uber.org/goleak"
)

const (
	genesisA = "a1b2c3d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff00"
	genesisB = "a1b2c3d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff01" // same prefix as A
	genesisC = "0011223344556677889900112233445566778899001122334455667788990011"
)

func TestMain(m *testing.M) {
	if code := m.Run(); code != 0 {
		os.Exit(code)
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "goroutines left:", err)
		os.Exit(1)
	}
}

// testKey returns the key of a test's i-th node.
func testKey(t testing.TB, i int) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%s %d", t.Name(), i))
}

func testID(t testing.TB, i int) PeerID {
	t.Helper()
	id, err := PeerIDFromPrivateKey(testKey(t, i))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// call is one call of a Handler.
type call struct {
	kind  string // "up", "down", "msg"
	from  PeerID
	class Class
	msg   string
}

// recorder is a Handler that remembers everything.
type recorder struct {
	mu     sync.Mutex
	events []call
	block  chan struct{} // if set, Message waits for release
	once   sync.Once
}

// release lets blocked messages through.
func (r *recorder) release() {
	r.once.Do(func() {
		if r.block != nil {
			close(r.block)
		}
	})
}

func (r *recorder) add(e call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *recorder) Message(from PeerID, class Class, msg []byte) {
	if r.block != nil {
		<-r.block
	}
	r.add(call{"msg", from, class, string(msg)})
}
func (r *recorder) Connected(id PeerID)    { r.add(call{kind: "up", from: id}) }
func (r *recorder) Disconnected(id PeerID) { r.add(call{kind: "down", from: id}) }

func (r *recorder) all() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

func (r *recorder) count(kind string, from PeerID) int {
	c := 0
	for _, e := range r.all() {
		if e.kind == kind && (from == "" || e.from == from) {
			c++
		}
	}
	return c
}

func (r *recorder) messages(from PeerID, class Class) []string {
	var out []string
	for _, e := range r.all() {
		if e.kind == "msg" && e.from == from && e.class == class {
			out = append(out, e.msg)
		}
	}
	return out
}

// checkOrder fails unless, for each peer, up and down alternate and every message
// lies between.
func (r *recorder) checkOrder(t *testing.T) {
	t.Helper()
	up := map[PeerID]bool{}
	for i, e := range r.all() {
		switch {
		case e.kind == "up" && up[e.from], e.kind != "up" && !up[e.from]:
			t.Fatalf("event %d: %+v while connected=%v", i, e, up[e.from])
		case e.kind == "up":
			up[e.from] = true
		case e.kind == "down":
			up[e.from] = false
		}
	}
}

// node is a Network under test with its recorder.
type node struct {
	*Network
	rec  *recorder
	stop func() // ends Run and waits; may be called twice
}

func testConfig(t testing.TB, i int) Config {
	limits := DefaultLimits()
	limits.WriteTimeout = 5 * time.Second
	limits.RedialMin = 20 * time.Millisecond
	limits.RedialMax = 500 * time.Millisecond
	return Config{PrivateKey: testKey(t, i), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Namespace: genesisA, Limits: limits}
}

// start runs a node until the test ends or stop is called.
func start(t testing.TB, cfg Config, before ...func(*node)) *node {
	t.Helper()
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	nd := &node{Network: n, rec: &recorder{}}
	n.Handle(nd.rec)
	for _, f := range before {
		f(nd)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	nd.stop = sync.OnceFunc(func() {
		nd.rec.release()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(nd.stop)
	eventually(t, "network is open", n.gater.open.Load)
	return nd
}

// startMesh starts count nodes, each knowing all earlier ones, and waits until all
// are connected.
func startMesh(t testing.TB, count int, mutate func(i int, cfg *Config), before ...func(*node)) []*node {
	t.Helper()
	nodes := make([]*node, count)
	var addrs []string
	for i := range nodes {
		cfg := testConfig(t, i)
		cfg.Bootstrap = slices.Clone(addrs)
		if mutate != nil {
			mutate(i, &cfg)
		}
		nodes[i] = start(t, cfg, before...)
		addrs = append(addrs, nodes[i].Addrs()...)
	}
	for i, n := range nodes {
		eventually(t, fmt.Sprintf("node %d connected to all", i), func() bool { return len(n.Peers()) == count-1 })
	}
	return nodes
}

// eventually waits for a condition; the long limit only ends a failing test.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within 30s: %s", what)
}

// stranger is a libp2p host without this package's protocols, to misbehave with.
type stranger struct {
	*parts
	t *testing.T
}

func newStranger(t *testing.T, key crypto.PrivKey) *stranger {
	t.Helper()
	cfg := testConfig(t, 99)
	g := newGater(nil)
	g.open.Store(true)
	p, err := newParts(&cfg, key, g)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.host.Close() })
	return &stranger{p, t}
}

func secpKey(t *testing.T, i int) crypto.PrivKey {
	t.Helper()
	key, err := privateKey(testKey(t, i))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (s *stranger) id() PeerID { return peerIDOf(s.host.ID()) }

func (s *stranger) dial(to *node) (network.Conn, error) {
	info, err := peer.AddrInfoFromString(to.Addrs()[0])
	if err != nil {
		s.t.Fatal(err)
	}
	s.host.Peerstore().AddAddrs(info.ID, info.Addrs, time.Hour)
	s.swarm.Backoff().Clear(info.ID)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return s.swarm.DialPeer(ctx, info.ID)
}

func (s *stranger) open(c network.Conn, id protocol.ID) *outStream {
	s.t.Helper()
	stream, err := openStream(context.Background(), c, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return stream
}

// greet dials and greets like a proper peer of instance.
func (s *stranger) greet(to *node, instance uint64) network.Conn {
	s.t.Helper()
	c := s.greetInBackground(to, instance)
	eventually(s.t, "stranger admitted", func() bool { return to.connectedTo(s.id()) })
	return c
}

// greetInBackground is greet without waiting to be admitted.
func (s *stranger) greetInBackground(to *node, instance uint64) network.Conn {
	s.t.Helper()
	c, err := s.dial(to)
	if err != nil {
		s.t.Fatal(err)
	}
	stream := s.open(c, helloProtocol)
	h := hello{version: protocolVersion, instance: instance, namespace: genesisA}
	if _, err := stream.Write(appendFrame(nil, h.encode())); err != nil {
		s.t.Fatal(err)
	}
	if _, err := readHello(stream); err != nil {
		s.t.Fatal(err)
	}
	if _, err := stream.Write([]byte{1}); err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (n *node) connectedTo(id PeerID) bool {
	return slices.ContainsFunc(n.Peers(), func(p PeerInfo) bool { return p.ID == id })
}

func closed(c network.Conn) func() bool { return c.IsClosed }

func wantKind(t *testing.T, err error, kind ErrorKind, words ...string) {
	t.Helper()
	if !isKind(err, kind) {
		t.Fatalf("error %v, want %s", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Fatalf("error %q does not mention %q", err, w)
		}
	}
}

// holdStreams accepts streams of a protocol and never reads them.
func (s *stranger) holdStreams(id protocol.ID, until <-chan struct{}) {
	s.host.SetStreamHandler(id, func(stream network.Stream) {
		<-until
		_ = stream.Reset()
	})
}

// answerWith answers every stream of a protocol with fixed bytes.
func (s *stranger) answerWith(id protocol.ID, answer []byte) {
	s.host.SetStreamHandler(id, func(stream network.Stream) {
		_, _ = stream.Write(answer)
		_ = stream.CloseWrite()
		_, _ = io.Copy(io.Discard, stream)
		_ = stream.Close()
	})
}

// syncBuffer is a bytes.Buffer for several goroutines.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
