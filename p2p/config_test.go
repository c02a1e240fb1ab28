package p2p

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestConfigValidate(t *testing.T) {
	id := string(testID(t, 1))
	cases := map[string]struct {
		change func(*Config)
		words  string // "" if valid
	}{
		"valid":       {func(*Config) {}, ""},
		"zero limits": {func(c *Config) { c.Limits = Limits{} }, ""},
		"all optional": {func(c *Config) {
			c.Bootstrap = []string{"/ip4/1.2.3.4/tcp/5/p2p/" + id}
			c.Direct = []PeerID{PeerID(id)}
		}, ""},
		"bootstrap by name":  {func(c *Config) { c.Bootstrap = []string{"/dns4/node.example.org/tcp/5/p2p/" + id} }, ""},
		"no key":             {func(c *Config) { c.PrivateKey = [32]byte{} }, "all zero"},
		"no namespace":       {func(c *Config) { c.Namespace = "" }, "namespace"},
		"short namespace":    {func(c *Config) { c.Namespace = "a1b2c3d4" }, "namespace"},
		"upper namespace":    {func(c *Config) { c.Namespace = strings.ToUpper(genesisA) }, "namespace"},
		"not hex":            {func(c *Config) { c.Namespace = strings.Repeat("xyz", 10) }, "namespace"},
		"long namespace":     {func(c *Config) { c.Namespace = strings.Repeat("a", 130) }, "namespace"},
		"no listen":          {func(c *Config) { c.Listen = nil }, "Listen is empty"},
		"bad listen":         {func(c *Config) { c.Listen = []string{"localhost:80"} }, "localhost:80"},
		"udp listen":         {func(c *Config) { c.Listen = []string{"/ip4/0.0.0.0/udp/4001/quic-v1"} }, "/tcp/<port>"},
		"websocket listen":   {func(c *Config) { c.Listen = []string{"/ip4/0.0.0.0/tcp/80/ws"} }, "/tcp/<port>"},
		"name listen":        {func(c *Config) { c.Listen = []string{"/dns4/localhost/tcp/80"} }, "/tcp/<port>"},
		"bootstrap no id":    {func(c *Config) { c.Bootstrap = []string{"/ip4/1.2.3.4/tcp/5"} }, "/p2p/<peer id>"},
		"bootstrap no addr":  {func(c *Config) { c.Bootstrap = []string{"/p2p/" + id} }, "/p2p/<peer id>"},
		"bootstrap nonsense": {func(c *Config) { c.Bootstrap = []string{"?"} }, "not a multiaddress"},
		"bootstrap udp":      {func(c *Config) { c.Bootstrap = []string{"/ip4/1.2.3.4/udp/5/quic-v1/p2p/" + id} }, "not TCP"},
		"bootstrap rsa": {func(c *Config) {
			c.Bootstrap = []string{"/ip4/1.2.3.4/tcp/5/p2p/QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC"}
		}, "secp256k1"},
		"direct nonsense": {func(c *Config) { c.Direct = []PeerID{"?"} }, "Direct[0]"},
		"no queue":        {func(c *Config) { c.Limits.Class[ClassSync].QueueMessages = 0 }, "class sync"},
		"queue too small": {func(c *Config) { c.Limits.Class[ClassBatch].QueueBytes = 1 }, "class batch"},
		"giant message":   {func(c *Config) { c.Limits.Class[0].MaxBytes = maxFrameBytes + 1 }, "class consensus"},
		"no peers":        {func(c *Config) { c.Limits.MaxPeers = 0 }, "MaxPeers"},
		"few streams":     {func(c *Config) { c.Limits.MaxStreamsPerPeer = 8 }, "MaxStreamsPerPeer"},
		"no rate":         {func(c *Config) { c.Limits.ConnRatePerIP = 0 }, "ConnRatePerIP"},
		"patient writer":  {func(c *Config) { c.Limits.WriteTimeout = 11 * time.Second }, "at most 10s"},
		"redial order":    {func(c *Config) { c.Limits.RedialMax = 1 }, "RedialMax"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t, 0)
			c.change(&cfg)
			err := cfg.Validate()
			if c.words == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantKind(t, err, ErrConfig, c.words)
			if _, err := New(cfg); err == nil {
				t.Error("New accepted it")
			}
		})
	}
}

func TestPeerIDs(t *testing.T) {
	// The key 1 has the generator as its public key.
	one := [32]byte{31: 1}
	generator := []byte{0x02,
		0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b, 0x07,
		0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98}
	a, err := PeerIDFromPrivateKey(one)
	if err != nil {
		t.Fatal(err)
	}
	b, err := PeerIDFromPublicKey(generator)
	if err != nil {
		t.Fatal(err)
	}
	const want = "16Uiu2HAm3cuhhRL2msUuLF62KRSfneFDx94RsuouyW25Ho42cFMq"
	if a != b || a != want {
		t.Errorf("ids %s and %s, want %s", a, b, want)
	}
	if p, err := ParsePeerID(string(a)); err != nil || p != a {
		t.Errorf("parse: %s, %v", p, err)
	}
	if key, err := a.PublicKey(); err != nil || !bytes.Equal(key[:], generator) {
		t.Errorf("public key %x, %v", key, err)
	}
	for _, bad := range []PeerID{"", "?", "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC", // RSA, not embedded
		"12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"} { // ed25519
		_, err := bad.PublicKey()
		wantKind(t, err, ErrConfig)
	}
	for name, bad := range map[string][]byte{
		"empty": nil, "short": generator[:32], "uncompressed mark": append([]byte{4}, generator[1:]...),
		"not on the curve": append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...),
	} {
		_, err := PeerIDFromPublicKey(bad)
		if wantKind(t, err, ErrConfig); err == nil {
			t.Error(name)
		}
	}
	for _, bad := range []string{"", "?", "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC"} {
		_, err := ParsePeerID(bad)
		wantKind(t, err, ErrConfig)
	}
	_, err = PeerIDFromPrivateKey([32]byte{})
	wantKind(t, err, ErrConfig, "all zero")
}

func TestPortInUse(t *testing.T) {
	a := start(t, testConfig(t, 0))
	cfg := testConfig(t, 1)
	addr := a.swarm.ListenAddresses()[0].String()
	cfg.Listen = []string{"/ip4/127.0.0.1/tcp/0", addr}
	_, err := New(cfg)
	wantKind(t, err, ErrAddressInUse, addr, "already in use", "another port")
	cfg.Listen = []string{"/ip4/192.0.2.1/tcp/1"} // nobody's address, RFC 5737
	_, err = New(cfg)
	wantKind(t, err, ErrListen, "/ip4/192.0.2.1/tcp/1")
}

func TestOnlyTCPListens(t *testing.T) {
	cfg := testConfig(t, 0)
	cfg.DHT = true
	cfg.Listen = []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0"}
	n := start(t, cfg)
	addrs := n.host.Network().ListenAddresses()
	if len(addrs) != 2 {
		t.Errorf("listens on %v", addrs)
	}
	for _, a := range addrs {
		if s := a.String(); !strings.HasPrefix(s, "/ip4/127.0.0.1/tcp/") || strings.Count(s, "/") != 4 {
			t.Errorf("listens on %s", s)
		}
	}
	for _, id := range n.host.Mux().Protocols() {
		s := string(id)
		if !strings.HasPrefix(s, "/waybill/") && !strings.HasPrefix(s, "/ipfs/id/") {
			t.Errorf("serves protocol %s", s)
		}
	}
	if own := ownUDPSockets(t); len(own) != 0 {
		t.Errorf("UDP sockets: %v", own)
	}
}

// ownUDPSockets lists the UDP sockets of this process, on Linux.
func ownUDPSockets(t *testing.T) []string {
	if runtime.GOOS != "linux" {
		t.Log("UDP sockets are only listed on Linux")
		return nil
	}
	inodes := map[string]bool{}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, "socket:[") {
			inodes[strings.Trim(strings.TrimPrefix(to, "socket:"), "[]")] = true
		}
	}
	var own []string
	for _, table := range []string{"/proc/self/net/udp", "/proc/self/net/udp6"} {
		b, err := os.ReadFile(table)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 9 && inodes[f[9]] {
				own = append(own, line)
			}
		}
	}
	return own
}

// What is not linked can neither listen nor be attacked.
func TestNoOtherTransportIsLinked(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Skipf("go list: %v", err)
	}
	for dep := range strings.Lines(string(out)) {
		for _, banned := range []string{"quic-go", "pion/", "webtransport", "transport/websocket", "transport/webrtc", "security/tls"} {
			if strings.Contains(dep, banned) {
				t.Errorf("links %s", dep)
			}
		}
	}
	if !strings.Contains(string(out), "transport/tcp") {
		t.Errorf("not the list of packages: %.200s", out)
	}
}

func TestLoggerGetsRecordsAndErrorsAreReadable(t *testing.T) {
	err := kindError(ErrListen, "listen on x", os.ErrPermission)
	if err.Error() != "listen on x: permission denied" || !errors.Is(err, os.ErrPermission) || !errors.Is(err, ErrListen) || errors.Is(err, ErrConfig) {
		t.Errorf("%v", err)
	}
	var buf syncBuffer
	cfg := testConfig(t, 0)
	cfg.Logger = slog.New(slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: slog.LevelDebug}))
	n := start(t, cfg)
	n.Disconnect(testID(t, 1), "sent an invalid block")
	if !strings.Contains(buf.String(), "sent an invalid block") {
		t.Errorf("log %q", buf.String())
	}
}
