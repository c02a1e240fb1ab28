package p2p

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

func TestDisallowedPeerIsRefusedBothWays(t *testing.T) {
	bad := testID(t, 1)
	cfg := testConfig(t, 0)
	cfg.Allow = func(id PeerID) bool { return id != bad }
	a := start(t, cfg)

	inbound := testConfig(t, 1)
	inbound.Bootstrap = a.Addrs()
	b := start(t, inbound)
	eventually(t, "refusals are counted", func() bool { return a.Stats().Refused > 1 })

	outbound := testConfig(t, 2)
	outbound.Bootstrap = b.Addrs()
	outbound.Allow = cfg.Allow
	c := start(t, outbound)
	// c dials a too, which proves that it got far enough to have dialled b.
	if err := c.SetDirect([]PeerID{a.Self()}); err != nil {
		t.Fatal(err)
	}
	c.dialer.found(a.host.Peerstore().PeerInfo(a.id))
	eventually(t, "c reaches a", func() bool { return c.connectedTo(a.Self()) })
	if a.connectedTo(bad) || c.connectedTo(bad) || len(b.Peers()) != 0 {
		t.Errorf("disallowed peer is connected: %v %v %v", a.Peers(), b.Peers(), c.Peers())
	}
}

func TestRecheckDisconnectsWhoIsNoLongerAllowed(t *testing.T) {
	var mu sync.Mutex
	banned := map[PeerID]bool{}
	nodes := startMesh(t, 3, func(_ int, cfg *Config) {
		cfg.Allow = func(id PeerID) bool {
			mu.Lock()
			defer mu.Unlock()
			return !banned[id]
		}
	})
	a, b, c := nodes[0], nodes[1], nodes[2]
	a.Recheck()
	if len(a.Peers()) != 2 {
		t.Fatalf("recheck without a change: %v", a.Peers())
	}
	mu.Lock()
	banned[c.Self()] = true
	mu.Unlock()
	a.Recheck()
	eventually(t, "c is disconnected", func() bool { return !a.connectedTo(c.Self()) && a.rec.count("down", c.Self()) == 1 })
	if !a.connectedTo(b.Self()) {
		t.Error("b was disconnected too")
	}
}

func TestOtherNetworkIsRefusedWithReason(t *testing.T) {
	for _, other := range []string{genesisB, genesisC} { // with and without the same protocol prefix
		t.Run(other[:8], func(t *testing.T) {
			a := start(t, testConfig(t, 0))
			cfg := testConfig(t, 1)
			cfg.Namespace = other
			cfg.Bootstrap = a.Addrs()
			told := make(chan Mismatch, 16)
			cfg.OnMismatch = func(m Mismatch) {
				select {
				case told <- m:
				default:
				}
			}
			b := start(t, cfg)
			eventually(t, "both know", func() bool { return len(a.Mismatches()) > 0 && len(b.Mismatches()) > 0 })
			for _, c := range []struct {
				at           *node
				of           *node
				theirs, ours string
			}{{a, b, other, genesisA}, {b, a, genesisA, other}} {
				m := c.at.Mismatches()[0]
				if m.Peer != c.of.Self() || m.Namespace != c.theirs || m.Version != protocolVersion || m.Addr == "" {
					t.Errorf("mismatch %+v", m)
				}
				if !strings.Contains(m.Reason, "belongs to another network") || !strings.Contains(m.Reason, c.theirs) || !strings.Contains(m.Reason, c.ours) {
					t.Errorf("reason %q", m.Reason)
				}
				if len(c.at.rec.all()) != 0 || c.at.Stats().Mismatched == 0 {
					t.Errorf("events %+v, stats %+v", c.at.rec.all(), c.at.Stats())
				}
			}
			if m := <-told; m.Peer != a.Self() {
				t.Errorf("callback got %+v", m)
			}
		})
	}
}

func TestOtherVersionIsRefused(t *testing.T) {
	a := start(t, testConfig(t, 0))
	s := newStranger(t, secpKey(t, 1))
	c, err := s.dial(a)
	if err != nil {
		t.Fatal(err)
	}
	stream := s.open(c, helloProtocol)
	h := hello{version: protocolVersion + 1, instance: 1, namespace: genesisA}
	if _, err := stream.Write(appendFrame(nil, h.encode())); err != nil {
		t.Fatal(err)
	}
	theirs, err := readHello(stream)
	if err != nil || theirs.version != protocolVersion {
		t.Fatalf("answer %+v, %v", theirs, err)
	}
	_ = stream.Reset()
	eventually(t, "connection is closed", closed(c))
	eventually(t, "it is remembered", func() bool { return len(a.Mismatches()) == 1 })
	if m := a.Mismatches()[0]; !strings.Contains(m.Reason, "version 2") {
		t.Errorf("reason %q", m.Reason)
	}
}

func TestBadGreetings(t *testing.T) {
	valid := hello{version: protocolVersion, instance: 1, namespace: genesisA}.encode()
	cases := map[string][]byte{
		"oversized":      {0, 1, 0, 0},
		"too short":      appendFrame(nil, valid[:5]),
		"not hex":        appendFrame(nil, append(slices.Clone(valid[:10]), "<script>"...)),
		"upper case hex": appendFrame(nil, append(slices.Clone(valid[:10]), "ABCDEF0123456789"...)),
	}
	for name, bytes := range cases {
		t.Run(name, func(t *testing.T) {
			a := start(t, testConfig(t, 0))
			s := newStranger(t, secpKey(t, 1))
			c, err := s.dial(a)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.open(c, helloProtocol).Write(bytes); err != nil {
				t.Fatal(err)
			}
			eventually(t, "connection is closed", closed(c))
			eventually(t, "it is punished", func() bool { return a.Stats().Punished == 1 })
			if len(a.rec.all()) != 0 {
				t.Errorf("events %+v", a.rec.all())
			}
		})
	}
}

func TestPeerThatDoesNotGreetIsCut(t *testing.T) {
	cfg := testConfig(t, 0)
	cfg.Limits.HelloTimeout = 200 * time.Millisecond
	a := start(t, cfg)
	silent := newStranger(t, secpKey(t, 1))
	c, err := silent.dial(a)
	if err != nil {
		t.Fatal(err)
	}
	// Without a greeting its messages are not read.
	if _, err := silent.open(c, a.protocols.class[ClassBatch]).Write(appendFrame(nil, []byte("x"))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "silent connection is closed", closed(c))
	half := newStranger(t, secpKey(t, 2))
	if c, err = half.dial(a); err != nil {
		t.Fatal(err)
	}
	if _, err := half.open(c, helloProtocol).Write([]byte{0, 0}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "half-greeted connection is closed", closed(c))
	if len(a.rec.all()) != 0 {
		t.Errorf("events %+v", a.rec.all())
	}
}

func TestOtherKeyTypesAreRefused(t *testing.T) {
	a := start(t, testConfig(t, 0))
	ed, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsa, _, err := crypto.GenerateRSAKeyPair(2048, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.PrivKey{"ed25519": ed, "rsa": rsa} {
		before := a.Stats().Refused
		if c, err := newStranger(t, key).dial(a); err == nil {
			eventually(t, name+" connection is closed", closed(c))
		}
		eventually(t, name+" is refused", func() bool { return a.Stats().Refused > before })
	}
}

func TestPenalties(t *testing.T) {
	g := newGater(nil)
	id, err := testID(t, 1).decode()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	g.punish(id, now, time.Minute)
	if g.permits(id) || !g.punished(id, now.Add(59*time.Second)) {
		t.Error("punished peer is permitted")
	}
	if g.punished(id, now.Add(61*time.Second)) || !g.permits(id) {
		t.Error("penalty does not end")
	}
	for i := range maxPenalties + 10 {
		g.punish(peer.ID(fmt.Sprint(i)), now, time.Minute)
	}
	if len(g.penalties) != maxPenalties {
		t.Errorf("%d penalties kept", len(g.penalties))
	}
}
