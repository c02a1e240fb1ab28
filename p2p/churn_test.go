package p2p

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
)

// fixed returns a configuration that listens where n does.
func fixed(t *testing.T, i int, n *node) Config {
	cfg := testConfig(t, i)
	cfg.Listen = []string{n.swarm.ListenAddresses()[0].String()}
	return cfg
}

func TestReconnectsAfterRestartOnTheSamePort(t *testing.T) {
	b := start(t, testConfig(t, 1))
	cfg := testConfig(t, 0)
	cfg.Bootstrap = b.Addrs()
	a := start(t, cfg)
	for round := 1; round <= 3; round++ {
		eventually(t, "connected", func() bool { return a.rec.count("up", b.Self()) == round })
		next := fixed(t, 1, b)
		b.stop()
		eventually(t, "disconnected", func() bool { return a.rec.count("down", b.Self()) == round })
		if round < 3 {
			b = start(t, next)
		}
	}
	a.rec.checkOrder(t)
}

func TestDirectPeerIsRedialledWithoutBootstrapAddress(t *testing.T) {
	a := start(t, testConfig(t, 0))
	cfg := testConfig(t, 1)
	cfg.Bootstrap = a.Addrs()
	b := start(t, cfg)
	if err := a.SetDirect([]PeerID{b.Self()}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "connected", func() bool { return a.connectedTo(b.Self()) && b.connectedTo(a.Self()) })
	// a learns b's listen address from identify, soon after connecting.
	listen := b.swarm.ListenAddresses()[0]
	eventually(t, "a knows where b listens", func() bool {
		return slices.ContainsFunc(a.host.Peerstore().Addrs(b.id), func(m ma.Multiaddr) bool { return m.Equal(listen) })
	})
	again := fixed(t, 1, b) // does not know a any more
	b.stop()
	eventually(t, "disconnected", func() bool { return a.rec.count("down", b.Self()) == 1 })
	start(t, again)
	eventually(t, "a has dialled b", func() bool { return a.connectedTo(b.Self()) })
	if a.Peers()[0].Direction != Outbound {
		t.Errorf("direction %s", a.Peers()[0].Direction)
	}
}

// Eight nodes behind one loopback address, all restarting again and again, would
// exhaust libp2p's default of 16 connections and 0.2 more per second.
func TestRestartStormOnLoopback(t *testing.T) {
	const count, rounds = 8, 4
	nodes := startMesh(t, count, nil)
	var addrs []string
	for _, n := range nodes {
		addrs = append(addrs, n.Addrs()...)
	}
	for round := range rounds {
		configs := make([]Config, count)
		for i, n := range nodes {
			configs[i] = fixed(t, i, n)
			configs[i].Bootstrap = slices.Concat(addrs[:i], addrs[i+1:])
		}
		for _, n := range nodes {
			n.stop()
		}
		for i := range nodes {
			nodes[i] = start(t, configs[i])
		}
		for i, n := range nodes {
			eventually(t, fmt.Sprintf("round %d: node %d has all peers", round, i), func() bool { return len(n.Peers()) == count-1 })
		}
	}
	for _, n := range nodes {
		n.rec.checkOrder(t)
		if n.Stats().Punished != 0 {
			t.Errorf("punished %d peers", n.Stats().Punished)
		}
	}
}

func TestConnectionRateIsLimitedOffLoopback(t *testing.T) {
	l := DefaultLimits()
	l.ConnBurstPerIP = 5
	rates := newConnRates(&l)
	for addr, want := range map[string]int{"127.0.0.1": 100, "127.9.9.9": 100, "::1": 100, "10.0.0.1": 5, "10.0.0.2": 5, "2001:db8::1": 5} {
		ok := 0
		for range 100 {
			if rates.Allow(mustAddr(addr)) {
				ok++
			}
		}
		if ok < want || ok > want+1 { // a token may have grown meanwhile
			t.Errorf("%s: %d of 100 connections allowed, want %d", addr, ok, want)
		}
	}
}

func TestHeardAddressesNeverDisplaceConfiguredOnes(t *testing.T) {
	other := testID(t, 1)
	configured := "/ip4/192.0.2.1/tcp/1/p2p/" + string(other)
	cfg := testConfig(t, 0)
	cfg.Bootstrap = []string{configured}
	n, err := New(cfg) // not run: nothing is dialled
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	id, err := other.decode()
	if err != nil {
		t.Fatal(err)
	}
	target := n.dialer.targets[id]
	later := time.Now().Add(time.Hour)
	target.next = later
	for i := range 3 * maxTargetAddrs {
		n.dialer.found(peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{
			ma.StringCast(fmt.Sprintf("/ip4/192.0.2.2/tcp/%d", i+1)),
			ma.StringCast(fmt.Sprintf("/ip4/192.0.2.2/udp/%d/quic-v1", i+1)),
		}})
	}
	if len(target.configured) != 1 || len(target.heard) != maxTargetAddrs || !target.next.Equal(later) {
		t.Errorf("configured %v, %d heard, next dial %v", target.configured, len(target.heard), target.next)
	}
	for i := range 2 * maxTargets {
		key := testKey(t, 10+i)
		who, err := PeerIDFromPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := who.decode()
		n.dialer.found(peer.AddrInfo{ID: p, Addrs: target.heard})
	}
	if len(n.dialer.targets) != maxTargets {
		t.Errorf("%d targets, limit %d", len(n.dialer.targets), maxTargets)
	}
}

// libp2p refuses to dial for 5 s and more after a failure; a validator that
// restarts must not wait that long.
func TestOnlyOurOwnPausesDelayADial(t *testing.T) {
	n := start(t, testConfig(t, 0))
	id, err := testID(t, 1).decode()
	if err != nil {
		t.Fatal(err)
	}
	nobody := []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/1")}
	for range 3 {
		err := n.dialer.connect(t.Context(), id, nobody)
		if err == nil || strings.Contains(err.Error(), swarm.ErrDialBackoff.Error()) {
			t.Errorf("dial: %v", err)
		}
	}
	var l Limits
	for range 1000 {
		if d := l.jitter(time.Second); d < time.Second/2 || d > 3*time.Second/2 {
			t.Fatalf("jitter %v", d)
		}
	}
}
