package p2p

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

func TestNodesExchangeAllClasses(t *testing.T) {
	for _, count := range []int{2, 4} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			nodes := startMesh(t, count, nil)
			var ids []PeerID
			for _, n := range nodes {
				ids = append(ids, n.Self())
			}
			const each = 20
			large := bytes.Repeat([]byte{7}, 700<<10) // several write and read steps
			for _, n := range nodes {
				for c := range Class(NumClasses) {
					for i := range each {
						n.Broadcast(ids, c, fmt.Appendf(nil, "%s %s %d", n.Self(), c, i))
					}
					n.Broadcast(ids, c, large)
				}
			}
			for _, to := range nodes {
				for _, from := range nodes {
					if from == to {
						continue
					}
					for c := range Class(NumClasses) {
						eventually(t, "all messages arrived", func() bool { return len(to.rec.messages(from.Self(), c)) >= each+1 })
						got := to.rec.messages(from.Self(), c)
						for i := range each {
							if want := fmt.Sprintf("%s %s %d", from.Self(), c, i); got[i] != want {
								t.Fatalf("message %d of %s: %q, want %q", i, c, got[i], want)
							}
						}
						if got[each] != string(large) || len(got) != each+1 {
							t.Fatalf("class %s: %d messages, last of %d bytes", c, len(got), len(got[each]))
						}
					}
				}
				s := to.Stats()
				if s.Peers != count-1 || s.Class[ClassBatch].MessagesIn != uint64((each+1)*(count-1)) {
					t.Fatalf("stats %+v", s)
				}
			}
			for _, n := range nodes {
				n.stop()
				n.rec.checkOrder(t)
				if up, down := n.rec.count("up", ""), n.rec.count("down", ""); up != down || up < count-1 {
					t.Fatalf("%d times connected, %d times disconnected", up, down)
				}
			}
		})
	}
}

func TestSendRefusesWhatCannotGo(t *testing.T) {
	nodes := startMesh(t, 2, nil)
	a, b := nodes[0], nodes[1]
	if a.Send(testID(t, 77), ClassBatch, []byte("x")) {
		t.Error("queued for a peer that is not connected")
	}
	if a.Send(b.Self(), ClassBatch, make([]byte, a.limits.Class[ClassBatch].MaxBytes+1)) {
		t.Error("queued an oversized message")
	}
	if a.Send(b.Self(), NumClasses, nil) || a.Send("nobody", ClassBatch, nil) {
		t.Error("queued for a class or peer that does not exist")
	}
	if s := a.Stats().Class[ClassBatch]; s.Unconnected != 1 || s.Oversized != 1 {
		t.Errorf("stats %+v", s)
	}
	if !a.Send(b.Self(), ClassBatch, nil) {
		t.Error("did not queue an empty message")
	}
	eventually(t, "empty message arrives", func() bool { return len(b.rec.messages(a.Self(), ClassBatch)) == 1 })
}

func TestPeersAreDescribed(t *testing.T) {
	nodes := startMesh(t, 2, nil)
	a, b := nodes[0].Peers()[0], nodes[1].Peers()[0]
	if a.ID != nodes[1].Self() || b.ID != nodes[0].Self() {
		t.Errorf("ids %s, %s", a.ID, b.ID)
	}
	if a.Direction != Inbound || b.Direction != Outbound {
		t.Errorf("directions %s, %s", a.Direction, b.Direction)
	}
	if a.Addr == "" || a.Since.IsZero() || a.RTT <= 0 || b.RTT <= 0 {
		t.Errorf("incomplete: %+v, %+v", a, b)
	}
}

func TestFullQueueDropsOldest(t *testing.T) {
	a := start(t, testConfig(t, 0))
	a.limits.Class[ClassConsensus].QueueMessages = 4
	s := newStranger(t, secpKey(t, 1))
	hold := make(chan struct{})
	defer close(hold)
	s.holdStreams(a.protocols.class[ClassConsensus], hold)
	s.greet(a, 1)
	filler := make([]byte, 1<<20)
	for range 12 { // more than a stream's window and the queue together
		if !a.Send(s.id(), ClassConsensus, filler) {
			t.Fatal("not queued")
		}
	}
	eventually(t, "drops are counted", func() bool { return a.Stats().Class[ClassConsensus].Dropped > 0 })
	if q := a.Stats().Class[ClassConsensus].Queued; q > 4 {
		t.Errorf("%d messages queued, limit 4", q)
	}
}

func TestPeerThatDoesNotReadIsDropped(t *testing.T) {
	cfg := testConfig(t, 0)
	cfg.Limits.WriteTimeout = 300 * time.Millisecond
	a := start(t, cfg)
	s := newStranger(t, secpKey(t, 1))
	hold := make(chan struct{})
	defer close(hold)
	s.holdStreams(a.protocols.class[ClassBatch], hold)
	c := s.greet(a, 1)
	for range 8 {
		a.Send(s.id(), ClassBatch, make([]byte, 1<<20))
	}
	eventually(t, "connection is closed", closed(c))
	eventually(t, "session ends", func() bool { return a.rec.count("down", s.id()) == 1 })
	if a.Stats().Stalled != 1 {
		t.Errorf("stalled %d", a.Stats().Stalled)
	}
	if s.greet(a, 2) == nil { // not punished: it may come back
		t.Error("dropped peer could not come back")
	}
}

func TestSlowHandlerPushesBack(t *testing.T) {
	b := start(t, testConfig(t, 1), func(n *node) { n.rec.block = make(chan struct{}) })
	cfg := testConfig(t, 0)
	cfg.Bootstrap = b.Addrs()
	a := start(t, cfg)
	eventually(t, "connected", func() bool { return a.connectedTo(b.Self()) })
	const count = 16
	for range count {
		a.Send(b.Self(), ClassBatch, make([]byte, 1<<20))
	}
	eventually(t, "messages wait", func() bool { return a.Stats().Class[ClassBatch].Queued > 0 })
	b.rec.release()
	eventually(t, "all arrive", func() bool { return len(b.rec.messages(a.Self(), ClassBatch)) == count })
}

func TestOversizedFrameCutsThePeer(t *testing.T) {
	a := start(t, testConfig(t, 0))
	s := newStranger(t, secpKey(t, 1))
	c := s.greet(a, 1)
	stream := s.open(c, a.protocols.class[ClassConsensus])
	if _, err := stream.Write([]byte{0xff, 0xff, 0xff, 0xff, 1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "connection is closed", closed(c))
	eventually(t, "session ends", func() bool { return a.rec.count("down", s.id()) == 1 })
	if a.Stats().Punished != 1 || a.rec.count("msg", "") != 0 {
		t.Errorf("stats %+v", a.Stats())
	}
	if c, err := s.dial(a); err == nil {
		eventually(t, "punished peer is refused", closed(c))
	}
	if a.connectedTo(s.id()) {
		t.Error("punished peer is connected")
	}
}

func TestPeerMayOpenOneStreamPerClass(t *testing.T) {
	a := start(t, testConfig(t, 0))
	s := newStranger(t, secpKey(t, 1))
	c := s.greet(a, 1)
	first := s.open(c, a.protocols.class[ClassSync])
	if _, err := first.Write(appendFrame(nil, []byte("one"))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "first arrives", func() bool { return len(a.rec.messages(s.id(), ClassSync)) == 1 })
	second := s.open(c, a.protocols.class[ClassSync])
	if _, err := second.Write(appendFrame(nil, []byte("two"))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "second arrives", func() bool { return len(a.rec.messages(s.id(), ClassSync)) == 2 })
	eventually(t, "first is reset", func() bool {
		_, err := first.Write(appendFrame(nil, []byte("three")))
		return err != nil
	})
}

func TestRestartedPeerReplacesItsOldSession(t *testing.T) {
	a := start(t, testConfig(t, 0))
	before := newStranger(t, secpKey(t, 1))
	old := before.greet(a, 1)
	after := newStranger(t, secpKey(t, 1)) // same key, while the old connection still stands
	c := after.greet(a, 2)
	eventually(t, "old connection is closed", closed(old))
	eventually(t, "new session begins", func() bool { return a.rec.count("up", after.id()) == 2 })
	if c.IsClosed() || a.rec.count("down", after.id()) != 1 {
		t.Errorf("closed %v, events %+v", c.IsClosed(), a.rec.all())
	}
	a.rec.checkOrder(t)
	// A second connection of the same instance joins the session.
	if a.Stats().Peers != 1 {
		t.Errorf("%d peers", a.Stats().Peers)
	}
}

func TestRunOnlyOnceAndCloseWithoutRun(t *testing.T) {
	n, err := New(testConfig(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	addr := n.swarm.ListenAddresses()[0].String()
	n.Close()
	n.Close()
	wantKind(t, n.Run(t.Context()), ErrClosed, "only once")
	cfg := testConfig(t, 0)
	cfg.Listen = []string{addr}
	again, err := New(cfg) // the port is free again
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestNothingConnectsBeforeRun(t *testing.T) {
	n, err := New(testConfig(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	s := newStranger(t, secpKey(t, 1))
	if _, err := s.dial(&node{Network: n}); err == nil {
		t.Error("connected to a network that does not run")
	}
}

func TestDisconnectedComesAfterTheLastMessage(t *testing.T) {
	a := start(t, testConfig(t, 0), func(n *node) { n.rec.block = make(chan struct{}) })
	s := newStranger(t, secpKey(t, 1))
	c := s.greet(a, 1)
	if _, err := s.open(c, a.protocols.class[ClassSync]).Write(appendFrame(nil, []byte("slow"))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "handler has the message", func() bool { return a.Stats().Class[ClassSync].MessagesIn == 1 })
	_ = c.Close()
	eventually(t, "peer is gone", func() bool { return !a.connectedTo(s.id()) })
	// The same peer comes back while its last message is still being handled.
	s.greetInBackground(a, 1)
	a.rec.release()
	eventually(t, "second session begins", func() bool { return a.rec.count("up", s.id()) == 2 })
	a.rec.checkOrder(t)
	if a.rec.count("msg", s.id()) != 1 {
		t.Errorf("events %+v", a.rec.all())
	}
}
