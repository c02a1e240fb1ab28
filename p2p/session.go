package p2p

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// yieldMax is how long a message lets higher classes of its peer go first.
	yieldMax = 20 * time.Millisecond
	// reopenPause keeps a writer whose streams break at once from spinning.
	reopenPause = 50 * time.Millisecond
	// reserveAbove is the frame size from which the resource manager is asked.
	reserveAbove = readStep
)

// link is one connection. It is unresolved until its greeting is done.
type link struct {
	conn network.Conn
	rtt  time.Duration // written before the link is admitted

	once sync.Once
	done chan struct{} // closed when resolved

	// Guarded by Network.mu.
	claimed bool     // a greeting has begun on it
	session *session // nil until admitted
}

func (l *link) resolve() { l.once.Do(func() { close(l.done) }) }

// session is one run of one peer: it begins with the first greeted connection
// and ends with the last, or when the peer comes back as a new instance.
//
//  1. Connected is called before any reader or writer of the session starts.
//  2. Disconnected is called after the last of them has ended.
//  3. A new session of the same peer begins only after that.
type session struct {
	id       peer.ID
	pid      PeerID
	instance uint64
	since    time.Time
	ctx      context.Context
	cancel   context.CancelFunc
	ready    chan struct{} // closed after Connected
	ended    chan struct{} // closed after Disconnected
	queues   [NumClasses]*queue
	turns    [NumClasses]chan struct{} // one reader per class at a time
	readers  sync.WaitGroup

	// Guarded by Network.mu.
	stopped bool
	links   []*link // newest last
	inbound [NumClasses]network.Stream
}

func (n *Network) newSession(id peer.ID, instance uint64) *session {
	s := &session{
		id: id, pid: peerIDOf(id), instance: instance, since: time.Now(),
		ready: make(chan struct{}), ended: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(n.ctx)
	for c := range s.queues {
		s.queues[c] = newQueue(n.limits.Class[c])
		s.turns[c] = make(chan struct{}, 1)
	}
	return s
}

// stop ends the session; the caller holds Network.mu.
func (s *session) stop() {
	s.stopped = true
	s.cancel()
}

// admit joins a greeted connection to its peer's session, after ending the
// session of an earlier instance of that peer.
func (n *Network) admit(l *link, instance uint64) error {
	id := l.conn.RemotePeer()
	for {
		old, stale, err := n.tryAdmit(l, id, instance)
		if err != nil || old == nil {
			return err
		}
		for _, other := range stale {
			_ = other.conn.Close()
		}
		select {
		case <-old.ended:
		case <-n.ctx.Done():
			return kindError(ErrClosed, "network is closing", nil)
		}
	}
}

// tryAdmit returns the session that must end first, if there is one.
func (n *Network) tryAdmit(l *link, id peer.ID, instance uint64) (old *session, stale []*link, err error) {
	n.mu.Lock()
	s := n.sessions[id]
	switch {
	case n.closing:
		n.mu.Unlock()
		return nil, nil, kindError(ErrClosed, "network is closing", nil)
	case n.links[l.conn] != l:
		n.mu.Unlock()
		return nil, nil, kindError(ErrNotConnected, "connection closed while greeting", nil)
	case s == nil:
		s = n.newSession(id, instance)
		n.sessions[id] = s
		n.wg.Add(1)
		go n.keep(s)
	case s.stopped || s.instance != instance:
		stale = slices.Clone(s.links)
		s.stop()
		n.mu.Unlock()
		return s, stale, nil
	}
	s.links = append(s.links, l)
	l.session = s
	n.mu.Unlock()
	<-s.ready
	l.resolve()
	return nil, nil, nil
}

// keep runs a session from Connected to Disconnected.
func (n *Network) keep(s *session) {
	defer n.wg.Done()
	n.log.Debug("peer connected", "peer", string(s.pid))
	n.dialer.connected(s.id)
	n.handler.Connected(s.pid)
	close(s.ready)
	var writers sync.WaitGroup
	for c := range Class(NumClasses) {
		writers.Go(func() { n.write(s, c) })
	}
	n.finder.nudge()
	<-s.ctx.Done()
	n.mu.Lock()
	s.stopped = true
	streams := s.inbound
	n.mu.Unlock()
	for _, stream := range streams {
		if stream != nil {
			_ = stream.Reset()
		}
	}
	writers.Wait()
	s.readers.Wait()
	n.handler.Disconnected(s.pid)
	n.log.Debug("peer disconnected", "peer", string(s.pid))
	n.mu.Lock()
	delete(n.sessions, s.id)
	n.mu.Unlock()
	close(s.ended)
	n.dialer.disconnected(s.id)
}

// session returns the running session of a peer, or nil.
func (n *Network) session(id peer.ID) *session {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if s := n.sessions[id]; s != nil && !s.stopped {
		return s
	}
	return nil
}

// awaitSession waits until the connection's greeting is done and returns its
// session, or nil if there is none.
func (n *Network) awaitSession(conn network.Conn) *session {
	n.mu.RLock()
	l := n.links[conn]
	n.mu.RUnlock()
	if l == nil {
		return nil
	}
	select {
	case <-l.done:
	case <-n.ctx.Done():
		return nil
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	return l.session
}

// newestConn returns the session's newest connection, or nil.
func (n *Network) newestConn(s *session) network.Conn {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if len(s.links) == 0 {
		return nil
	}
	return s.links[len(s.links)-1].conn
}

// write sends the queue of one class until the session ends.
func (n *Network) write(s *session, class Class) {
	var stream *outStream
	defer func() {
		if stream != nil {
			_ = stream.Reset()
		}
	}()
	for {
		msg, ok := s.queues[class].pop(s.ctx)
		if !ok {
			return
		}
		s.yield(class)
		var err error
		for range 2 { // once more on a fresh stream if the old one broke
			if stream, err = n.writeOne(s, class, stream, msg); err == nil || isTimeout(err) {
				break
			}
		}
		s.queues[class].done()
		if err == nil {
			n.counters.sent(class, len(msg))
			continue
		}
		n.counters.class[class].lost.Add(1)
		if s.ctx.Err() != nil {
			return
		}
		if isTimeout(err) {
			n.dropPeer(s, "does not read", err)
			return
		}
		n.log.Debug("message lost", "peer", string(s.pid), "class", class.String(), "err", err)
		sleep(s.ctx, reopenPause)
	}
}

// writeOne writes on stream, opening it if it is nil, and returns the stream to
// use next: nil after an error.
func (n *Network) writeOne(s *session, class Class, stream *outStream, msg []byte) (*outStream, error) {
	if stream == nil {
		conn := n.newestConn(s)
		if conn == nil {
			return nil, kindError(ErrNotConnected, "no connection", nil)
		}
		ctx, cancel := context.WithTimeout(s.ctx, n.limits.WriteTimeout)
		defer cancel()
		opened, err := openStream(ctx, conn, n.protocols.class[class])
		if err != nil {
			return nil, err
		}
		stream = opened
	}
	// Ending the session must not wait for a peer that does not read.
	unhook := context.AfterFunc(s.ctx, func() { _ = stream.Reset() })
	defer unhook()
	if err := writeFrame(stream, n.limits.WriteTimeout, nil, msg); err != nil {
		_ = stream.Reset()
		return nil, err
	}
	return stream, nil
}

// yield lets the higher classes of the same peer go first, for at most yieldMax,
// so that a flood of votes cannot starve a batch for ever.
func (s *session) yield(class Class) {
	if class == 0 {
		return
	}
	timer := time.NewTimer(yieldMax)
	defer timer.Stop()
	for higher := range class {
		select {
		case <-s.queues[higher].idleSignal():
		case <-timer.C:
			return
		case <-s.ctx.Done():
			return
		}
	}
}

// handleClass returns the stream handler of one class.
func (n *Network) handleClass(class Class) network.StreamHandler {
	return func(stream network.Stream) {
		if !n.enter() {
			_ = stream.Reset()
			return
		}
		defer n.wg.Done()
		s := n.awaitSession(stream.Conn())
		if s == nil || !n.beginReading(s, class, stream) {
			_ = stream.Reset()
			return
		}
		defer s.readers.Done()
		select {
		case s.turns[class] <- struct{}{}:
			defer func() { <-s.turns[class] }()
		case <-s.ctx.Done():
			_ = stream.Reset()
			return
		}
		err := n.read(s, class, stream)
		n.endReading(s, class, stream, err)
	}
}

// beginReading makes stream the peer's only one of this class: a peer that opens
// another has given up the one before.
func (n *Network) beginReading(s *session, class Class, stream network.Stream) bool {
	n.mu.Lock()
	if s.stopped {
		n.mu.Unlock()
		return false
	}
	before := s.inbound[class]
	s.inbound[class] = stream
	s.readers.Add(1)
	n.mu.Unlock()
	if before != nil {
		_ = before.Reset()
	}
	return true
}

func (n *Network) endReading(s *session, class Class, stream network.Stream, err error) {
	n.mu.Lock()
	if s.inbound[class] == stream {
		s.inbound[class] = nil
	}
	n.mu.Unlock()
	if errors.Is(err, io.EOF) {
		_ = stream.Close()
		return
	}
	_ = stream.Reset()
	if isKind(err, ErrTooLarge) || isKind(err, ErrFrame) {
		n.punish(s.id, err)
	}
}

// read hands over messages until the stream ends.
func (n *Network) read(s *session, class Class, stream network.Stream) error {
	limit := n.limits.Class[class].MaxBytes
	for {
		msg, err := n.readReserved(stream, limit)
		if err != nil {
			return err
		}
		n.counters.received(class, len(msg))
		n.handler.Message(s.pid, class, msg)
	}
}

// readReserved reads one frame within FrameTimeout of its header and, if it is
// large, within the memory that the resource manager grants.
func (n *Network) readReserved(stream network.Stream, limit int) ([]byte, error) {
	reserved := 0
	msg, err := readFrame(stream, limit, func(size int) error {
		if size > reserveAbove {
			if err := stream.Scope().ReserveMemory(size, network.ReservationPriorityHigh); err != nil {
				return err
			}
			reserved = size
		}
		return stream.SetReadDeadline(time.Now().Add(n.limits.FrameTimeout))
	})
	if reserved > 0 {
		stream.Scope().ReleaseMemory(reserved)
	}
	if err != nil {
		return nil, err
	}
	return msg, stream.SetReadDeadline(time.Time{})
}

// punish disconnects a peer that broke a rule and refuses it for a while.
func (n *Network) punish(id peer.ID, reason error) {
	n.counters.punished.Add(1)
	n.log.Warn("peer broke a rule; disconnected", "peer", id.String(), "refused_for", n.limits.Penalty.String(), "reason", reason)
	n.gater.punish(id, time.Now(), n.limits.Penalty)
	_ = n.swarm.ClosePeer(id)
}

// dropPeer disconnects a peer that may come back at once.
func (n *Network) dropPeer(s *session, why string, err error) {
	n.counters.stalled.Add(1)
	n.log.Warn("peer dropped", "peer", string(s.pid), "why", why, "err", err)
	n.mu.Lock()
	links := slices.Clone(s.links)
	s.stop()
	n.mu.Unlock()
	for _, l := range links {
		_ = l.conn.Close()
	}
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
