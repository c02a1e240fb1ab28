package p2p

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const (
	// helloProtocol names no network, unlike all other protocols here: only so can
	// a stranger's network be learned and told to the operator.
	helloProtocol protocol.ID = "/waybill/hello/1"
	// protocolVersion changes when streams of this package change their format.
	protocolVersion = 1
	maxNamespace    = 128
	helloFixed      = 2 + 8
	maxHello        = helloFixed + maxNamespace
	maxMismatches   = 64
)

// hello is what both ends of a connection tell each other first: the dialer
// sends one, the listener answers with its own, and the dialer confirms with one
// byte. On the wire it is a frame of version (2 bytes), instance (8 bytes), both
// big-endian, and the namespace.
type hello struct {
	version   uint16
	instance  uint64 // drawn at start, so that a restarted peer is recognised
	namespace string
}

// Mismatch records a peer that was turned away because it belongs to another
// network or speaks another version.
type Mismatch struct {
	Peer      PeerID
	Addr      string
	Namespace string // the peer's; "" if it sent none that can be read
	Version   uint16 // the peer's
	At        time.Time
	Reason    string // a sentence
}

func (h hello) encode() []byte {
	b := binary.BigEndian.AppendUint16(nil, h.version)
	b = binary.BigEndian.AppendUint64(b, h.instance)
	return append(b, h.namespace...)
}

func decodeHello(b []byte) (hello, error) {
	if len(b) < helloFixed || len(b) > maxHello {
		return hello{}, kindError(ErrFrame, fmt.Sprintf("a greeting has %d to %d bytes, this one has %d", helloFixed, maxHello, len(b)), nil)
	}
	h := hello{version: binary.BigEndian.Uint16(b), instance: binary.BigEndian.Uint64(b[2:]), namespace: string(b[helloFixed:])}
	if !isLowerHex(h.namespace) {
		return hello{}, kindError(ErrFrame, "a greeting's namespace is not lower-case hex", nil)
	}
	return h, nil
}

// check returns an ErrOtherNetwork sentence if theirs does not fit ours.
func (h hello) check(theirs hello) error {
	switch {
	case theirs.namespace != h.namespace:
		return kindError(ErrOtherNetwork, fmt.Sprintf("belongs to another network: its genesis is %s, ours is %s", theirs.namespace, h.namespace), nil)
	case theirs.version != h.version:
		return kindError(ErrOtherNetwork, fmt.Sprintf("speaks peer protocol version %d, we speak %d; one of the two nodes must be upgraded", theirs.version, h.version), nil)
	}
	return nil
}

// greetOutbound greets on a connection we dialled.
func (n *Network) greetOutbound(l *link) {
	theirs, rtt, err := n.askHello(l.conn)
	if err == nil {
		err = n.hello.check(theirs)
	}
	n.concludeHello(l, theirs, rtt, err)
}

func (n *Network) askHello(conn network.Conn) (hello, time.Duration, error) {
	ctx, cancel := context.WithTimeout(n.ctx, n.limits.HelloTimeout)
	defer cancel()
	s, err := openStream(ctx, conn, helloProtocol)
	if err != nil {
		return hello{}, 0, err
	}
	defer func() { _ = s.Reset() }()
	start := time.Now()
	if err := s.SetDeadline(start.Add(n.limits.HelloTimeout)); err != nil {
		return hello{}, 0, err
	}
	if _, err := s.Write(appendFrame(nil, n.hello.encode())); err != nil {
		return hello{}, 0, err
	}
	theirs, err := readHello(s)
	if err != nil {
		return hello{}, 0, err
	}
	rtt := time.Since(start)
	if n.hello.check(theirs) == nil {
		// The confirmation gives the listener its own measure of the way.
		if _, err := s.Write([]byte{1}); err != nil {
			return hello{}, 0, err
		}
		if err := s.CloseWrite(); err != nil {
			return hello{}, 0, err
		}
		// The listener closes after reading the confirmation; resetting earlier
		// would discard it.
		_, _ = io.Copy(io.Discard, io.LimitReader(s, 1))
	}
	return theirs, rtt, nil
}

// handleHello greets on a connection the peer dialled.
func (n *Network) handleHello(s network.Stream) {
	if !n.enter() {
		_ = s.Reset()
		return
	}
	defer n.wg.Done()
	l := n.claimGreeting(s.Conn())
	if l == nil {
		_ = s.Reset()
		return
	}
	theirs, rtt, err := n.answerHello(s)
	if err == nil {
		err = n.hello.check(theirs)
	}
	if err != nil {
		_ = s.Reset()
	} else {
		_ = s.Close()
	}
	n.concludeHello(l, theirs, rtt, err)
}

func (n *Network) answerHello(s network.Stream) (hello, time.Duration, error) {
	if err := s.SetDeadline(time.Now().Add(n.limits.HelloTimeout)); err != nil {
		return hello{}, 0, err
	}
	theirs, err := readHello(s)
	if err != nil {
		return hello{}, 0, err
	}
	start := time.Now()
	if _, err := s.Write(appendFrame(nil, n.hello.encode())); err != nil {
		return hello{}, 0, err
	}
	var confirmation [1]byte
	if _, err := io.ReadFull(s, confirmation[:]); err != nil && n.hello.check(theirs) == nil {
		return hello{}, 0, err
	}
	// A stranger reads our greeting and hangs up, so the read above also made
	// sure that it could read it.
	return theirs, time.Since(start), nil
}

func readHello(r io.Reader) (hello, error) {
	b, err := readFrame(r, maxHello, nil)
	if err != nil {
		return hello{}, err
	}
	return decodeHello(b)
}

// concludeHello admits the connection or closes it.
func (n *Network) concludeHello(l *link, theirs hello, rtt time.Duration, err error) {
	id := l.conn.RemotePeer()
	if err == nil {
		l.rtt = rtt
		err = n.admit(l, theirs.instance)
	}
	if err == nil {
		return
	}
	l.resolve()
	switch {
	case isKind(err, ErrOtherNetwork):
		n.noteMismatch(l, theirs, err)
		n.gater.punish(id, time.Now(), n.limits.Penalty)
	case isKind(err, ErrFrame), isKind(err, ErrTooLarge):
		n.punish(id, err)
	case !isKind(err, ErrClosed):
		n.log.Debug("greeting failed", "peer", id.String(), "addr", l.conn.RemoteMultiaddr().String(), "err", err)
	}
	_ = l.conn.Close()
}

// noteMismatch remembers a stranger, newest last, at most maxMismatches.
func (n *Network) noteMismatch(l *link, theirs hello, err error) {
	m := Mismatch{
		Peer: peerIDOf(l.conn.RemotePeer()), Addr: l.conn.RemoteMultiaddr().String(),
		Namespace: theirs.namespace, Version: theirs.version, At: time.Now(), Reason: err.Error(),
	}
	n.log.Warn("turned a peer away", "peer", string(m.Peer), "addr", m.Addr, "reason", m.Reason)
	n.mu.Lock()
	if len(n.mismatches) >= maxMismatches {
		n.mismatches = append(n.mismatches[:0], n.mismatches[1:]...)
	}
	n.mismatches = append(n.mismatches, m)
	n.mu.Unlock()
	if n.cfg.OnMismatch != nil {
		n.cfg.OnMismatch(m)
	}
}

// Mismatches returns the last peers turned away for belonging to another
// network, oldest first.
func (n *Network) Mismatches() []Mismatch {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return append([]Mismatch(nil), n.mismatches...)
}

func peerIDOf(id peer.ID) PeerID { return PeerID(id.String()) }
