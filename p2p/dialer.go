package p2p

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	maxParallelDials = 8
	// maxTargets bounds the peers of discovery that wait to be dialled; beyond it
	// new ones are forgotten, discovery will find them again.
	maxTargets = 256
	// maxTargetAddrs bounds the heard addresses kept per peer; the oldest go first.
	maxTargetAddrs = 16
	// maxDiscoveredDials is how often a peer of discovery is tried.
	maxDiscoveredDials = 3
)

// dialer keeps the permanent peers connected and tries the discovered ones. Its
// one goroutine starts dials; pauses grow from RedialMin to RedialMax with
// jitter, so that a network that restarts does not dial in step.
type dialer struct {
	n    *Network
	wake chan struct{}

	mu      sync.Mutex
	targets map[peer.ID]*target
	dialing int
}

// target is a peer we want to be connected to.
type target struct {
	configured []ma.Multiaddr // from Bootstrap; what others claim never displaces them
	heard      []ma.Multiaddr // from the peer or third parties, newest last
	permanent  bool
	up         bool // has a session
	dialing    bool
	tries      int // since it was last up
	pause      time.Duration
	next       time.Time
}

func newDialer(n *Network) (*dialer, error) {
	d := &dialer{n: n, wake: make(chan struct{}, 1), targets: make(map[peer.ID]*target)}
	infos, err := n.cfg.bootstrapPeers()
	if err != nil {
		return nil, err
	}
	for _, info := range infos {
		d.addPermanent(info.ID, info.Addrs)
	}
	for _, id := range n.cfg.Direct {
		p, err := id.decode()
		if err != nil {
			return nil, err
		}
		d.addPermanent(p, nil)
	}
	return d, nil
}

func (d *dialer) addPermanent(id peer.ID, addrs []ma.Multiaddr) {
	if id == d.n.id {
		return
	}
	d.n.conns.Protect(id, directTag)
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.targets[id]
	if t == nil {
		t = &target{up: d.n.session(id) != nil}
		d.targets[id] = t
	}
	t.permanent = true
	t.configured = append(t.configured, addrs...)
}

func (t *target) merge(addrs []ma.Multiaddr) {
	for _, a := range addrs {
		t.heard = slices.DeleteFunc(t.heard, func(b ma.Multiaddr) bool { return a.Equal(b) })
		t.heard = append(t.heard, a)
	}
	if extra := len(t.heard) - maxTargetAddrs; extra > 0 {
		t.heard = slices.Delete(t.heard, 0, extra)
	}
}

// SetDirect replaces the peers that are always redialled, for example when the
// validator set changes; those of Bootstrap stay. Gossip keeps treating the peers
// of Config.Direct as direct ones until restart.
func (n *Network) SetDirect(ids []PeerID) error {
	keep := make(map[peer.ID]bool, len(ids))
	for _, id := range ids {
		p, err := id.decode()
		if err != nil {
			return err
		}
		keep[p] = true
	}
	infos, err := n.cfg.bootstrapPeers()
	if err != nil {
		return err
	}
	for _, info := range infos {
		keep[info.ID] = true
	}
	n.dialer.retain(keep)
	for id := range keep {
		n.dialer.addPermanent(id, nil)
	}
	n.dialer.nudge()
	return nil
}

func (d *dialer) retain(keep map[peer.ID]bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, t := range d.targets {
		if !keep[id] && t.permanent {
			t.permanent = false
			d.n.conns.Unprotect(id, directTag)
		}
	}
}

// found offers a peer of discovery.
func (d *dialer) found(info peer.AddrInfo) {
	if info.ID == d.n.id || !d.n.gater.permits(info.ID) {
		return
	}
	addrs := slices.DeleteFunc(slices.Clone(info.Addrs), func(a ma.Multiaddr) bool { return !d.n.gater.InterceptAddrDial(info.ID, a) })
	d.mu.Lock()
	t := d.targets[info.ID]
	if t == nil && len(d.targets) < maxTargets && d.n.session(info.ID) == nil {
		t = &target{}
		d.targets[info.ID] = t
	}
	if t != nil {
		// A peer without an address was waiting for exactly this. Otherwise news must
		// not hurry a dial, or anyone on the local network could make us dial at will.
		if len(t.configured)+len(t.heard) == 0 && len(addrs) > 0 {
			t.next = time.Time{}
		}
		t.merge(addrs)
	}
	d.mu.Unlock()
	d.nudge()
}

func (d *dialer) nudge() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// connected is told about every new session; it remembers where the peer was
// reached.
func (d *dialer) connected(id peer.ID) {
	addrs := d.n.host.Peerstore().Addrs(id)
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.targets[id]
	if t == nil {
		return
	}
	t.up, t.tries, t.pause = true, 0, 0
	t.merge(addrs)
	if !t.permanent {
		delete(d.targets, id)
	}
}

func (d *dialer) disconnected(id peer.ID) {
	// Identify has told us the peer's listen addresses meanwhile.
	addrs := d.n.host.Peerstore().Addrs(id)
	d.mu.Lock()
	if t := d.targets[id]; t != nil {
		t.up = false
		t.merge(addrs)
		t.next = time.Now().Add(d.n.limits.jitter(d.n.limits.RedialMin))
	}
	d.mu.Unlock()
	d.nudge()
}

// jitter returns 50 to 150 percent of d.
func (l *Limits) jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d+1)
}

// run starts the dials that are due until the network closes.
func (d *dialer) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-d.n.ctx.Done():
			return
		case <-timer.C:
		case <-d.wake:
		}
		timer.Reset(d.startDue(time.Now()))
	}
}

// startDue starts due dials and returns the time until the next one.
func (d *dialer) startDue(now time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	wait := d.n.limits.RedialMax
	for id, t := range d.targets {
		if t.up || t.dialing {
			continue
		}
		if !t.permanent && t.tries >= maxDiscoveredDials {
			delete(d.targets, id)
			continue
		}
		if until := t.next.Sub(now); until > 0 {
			wait = min(wait, until)
			continue
		}
		if d.dialing >= maxParallelDials {
			break // finished dials wake us
		}
		d.dialing++
		t.dialing = true
		t.tries++
		addrs := slices.Concat(t.configured, t.heard)
		d.n.spawn(func() { d.dial(id, addrs) })
	}
	return wait
}

// dial tries one peer once. A connection is not success yet; the session is.
func (d *dialer) dial(id peer.ID, addrs []ma.Multiaddr) {
	ctx, cancel := context.WithTimeout(d.n.ctx, 2*d.n.limits.DialTimeout)
	defer cancel()
	err := d.connect(ctx, id, addrs)
	d.mu.Lock()
	d.dialing--
	if t := d.targets[id]; t != nil {
		t.dialing = false
		t.pause = min(max(2*t.pause, d.n.limits.RedialMin), d.n.limits.RedialMax)
		t.next = time.Now().Add(d.n.limits.jitter(t.pause))
	}
	d.mu.Unlock()
	if err != nil {
		d.n.log.Debug("dial failed", "peer", id.String(), "err", err)
	}
	d.nudge()
}

func (d *dialer) connect(ctx context.Context, id peer.ID, addrs []ma.Multiaddr) error {
	store := d.n.host.Peerstore()
	store.AddAddrs(id, addrs, peerstore.TempAddrTTL)
	if len(store.Addrs(id)) == 0 {
		store.AddAddrs(id, d.n.finder.find(ctx, id), peerstore.TempAddrTTL)
	}
	// libp2p pauses 5 s and more after a failed dial; our own pauses replace that.
	d.n.swarm.Backoff().Clear(id)
	_, err := d.n.swarm.DialPeer(ctx, id)
	return err
}
