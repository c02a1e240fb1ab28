package p2p

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func mustAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

// a knows b, b knows c, and a finds c.
func TestDHTFindsPeersOfPeers(t *testing.T) {
	withDHT := func(i int, bootstrap ...string) *node {
		cfg := testConfig(t, i)
		cfg.DHT, cfg.Bootstrap = true, bootstrap
		return start(t, cfg)
	}
	c := withDHT(2)
	b := withDHT(1, c.Addrs()...)
	a := withDHT(0, b.Addrs()...)
	d := withDHT(3, a.Addrs()...)
	nodes := []*node{a, b, c, d}
	for _, n := range nodes {
		eventually(t, "everyone found everyone", func() bool { return len(n.Peers()) == len(nodes)-1 })
	}
}

func TestDHTFindsTheAddressOfADirectPeer(t *testing.T) {
	cfg := testConfig(t, 2)
	cfg.DHT = true
	c := start(t, cfg)
	cfg = testConfig(t, 1)
	cfg.DHT, cfg.Bootstrap = true, c.Addrs()
	b := start(t, cfg)
	eventually(t, "b and c are connected", func() bool { return b.connectedTo(c.Self()) })
	cfg = testConfig(t, 0)
	cfg.DHT, cfg.Bootstrap, cfg.Direct = true, b.Addrs(), []PeerID{c.Self()}
	a := start(t, cfg)
	eventually(t, "a reaches c", func() bool { return a.connectedTo(c.Self()) })
}

func TestDHTDoesNotCrossNetworks(t *testing.T) {
	cfg := testConfig(t, 0)
	cfg.DHT = true
	a := start(t, cfg)
	cfg = testConfig(t, 1)
	cfg.DHT, cfg.Bootstrap, cfg.Namespace = true, a.Addrs(), genesisC
	b := start(t, cfg)
	eventually(t, "they met", func() bool { return len(a.Mismatches()) > 0 })
	if a.finder.dht.RoutingTable().Size() != 0 || b.finder.dht.RoutingTable().Size() != 0 {
		t.Error("a stranger is in the routing table")
	}
}

func TestMDNSFindsPeers(t *testing.T) {
	if !multicastWorks(t) {
		t.Skip("NO MULTICAST ON THIS MACHINE: finding peers by mDNS is NOT TESTED in this run")
	}
	with := func(i int, namespace string) *node {
		cfg := testConfig(t, i)
		cfg.MDNS, cfg.Namespace = true, namespace
		return start(t, cfg)
	}
	a, b, stranger := with(0, genesisA), with(1, genesisA), with(2, genesisC)
	eventually(t, "they find each other", func() bool { return a.connectedTo(b.Self()) && b.connectedTo(a.Self()) })
	if len(stranger.Peers())+len(stranger.Mismatches()) != 0 {
		t.Errorf("a stranger was found: %v", stranger.Peers())
	}
}

// multicastWorks sends itself one datagram through the mDNS group.
func multicastWorks(t *testing.T) bool {
	group := &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5354}
	in, err := net.ListenMulticastUDP("udp4", nil, group)
	if err != nil {
		t.Logf("listen on the multicast group: %v", err)
		return false
	}
	defer func() { _ = in.Close() }()
	out, err := net.DialUDP("udp4", nil, group)
	if err != nil {
		t.Logf("dial the multicast group: %v", err)
		return false
	}
	defer func() { _ = out.Close() }()
	if _, err := out.Write([]byte("waybill")); err != nil {
		t.Logf("send to the multicast group: %v", err)
		return false
	}
	_ = in.SetReadDeadline(time.Now().Add(2 * time.Second))
	_, _, err = in.ReadFromUDP(make([]byte, 64))
	if err != nil {
		t.Logf("receive from the multicast group: %v", err)
	}
	return err == nil
}

func TestMDNSNameIsOneLabelPerPart(t *testing.T) {
	name := mdnsName(genesisA)
	if name != "_waybill-a1b2c3d4e5f60718._udp" || len(strings.Split(name, ".")[0]) > 63 {
		t.Errorf("service name %q", name)
	}
}
