package p2p

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"
)

// inbox collects a topic.
type inbox struct {
	mu   sync.Mutex
	got  []string
	from []PeerID
}

func (b *inbox) receive(from PeerID, msg []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, string(msg))
	b.from = append(b.from, from)
}

func (b *inbox) has(msg string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.got, msg)
}

func acceptAll(PeerID, []byte) Verdict { return Accept }

// judge follows the first letter of a message.
func judge(_ PeerID, msg []byte) Verdict {
	switch {
	case bytes.HasPrefix(msg, []byte("ignore")):
		return Ignore
	case bytes.HasPrefix(msg, []byte("reject")):
		return Reject
	}
	return Accept
}

func TestGossipReachesAllAndVerdictsHold(t *testing.T) {
	inboxes := map[PeerID]*inbox{}
	nodes := startMesh(t, 4, func(i int, cfg *Config) {
		for j := range 4 {
			if j != i && i < 2 && j < 2 { // two of them are direct peers
				cfg.Direct = append(cfg.Direct, testID(t, j))
			}
		}
	}, func(n *node) {
		inboxes[n.Self()] = &inbox{}
		if err := n.Join(Topic{"tx", 1000}, judge, inboxes[n.Self()].receive); err != nil {
			t.Fatal(err)
		}
	})
	eventually(t, "all know who listens", func() bool {
		return !slices.ContainsFunc(nodes, func(n *node) bool { return len(n.gossip.pubsub.ListPeers(n.topicName("tx"))) != 3 })
	})
	for i, from := range nodes {
		for _, msg := range []string{"ignore", "reject", "accept"} {
			if err := from.Publish(t.Context(), "tx", fmt.Appendf(nil, "%s %d", msg, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, n := range nodes {
		box := inboxes[n.Self()]
		for j := range nodes {
			if i != j {
				eventually(t, "accepted message arrives", func() bool { return box.has(fmt.Sprintf("accept %d", j)) })
			}
		}
		eventually(t, "verdicts are counted", func() bool {
			s := n.Stats().Gossip
			return s.Ignored >= 3 && s.Rejected >= 3 && s.Accepted == 3 && s.Received == 3
		})
		box.mu.Lock()
		if len(box.got) != 3 || slices.Contains(box.from, n.Self()) {
			t.Errorf("node %d received %q from %v", i, box.got, box.from)
		}
		box.mu.Unlock()
	}
}

func TestRejectingLowersTheSendersStanding(t *testing.T) {
	box := &inbox{}
	nodes := startMesh(t, 2, nil, func(n *node) {
		if err := n.Join(Topic{"tx", 1000}, judge, box.receive); err != nil {
			t.Fatal(err)
		}
	})
	a, b := nodes[0], nodes[1]
	eventually(t, "a knows that b listens", func() bool { return len(a.gossip.pubsub.ListPeers(a.topicName("tx"))) == 1 })
	for i := range 20 {
		if err := a.Publish(t.Context(), "tx", fmt.Appendf(nil, "reject %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "b has rejected enough", func() bool { return b.Stats().Gossip.Rejected >= 11 })
	rejected := b.Stats().Gossip.Rejected
	for i := range 20 {
		if err := a.Publish(t.Context(), "tx", fmt.Appendf(nil, "accept %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	// b no longer listens to a; direct messages still pass, and pass after gossip.
	a.Send(b.Self(), ClassSync, []byte("after"))
	eventually(t, "direct message arrives", func() bool { return len(b.rec.messages(a.Self(), ClassSync)) == 1 })
	if s := b.Stats().Gossip; s.Accepted > 5 {
		t.Errorf("after %d rejections still accepted %d", rejected, s.Accepted)
	}
}

func TestJoinAndPublishRules(t *testing.T) {
	n := start(t, testConfig(t, 0), func(n *node) {
		nothing := func(PeerID, []byte) {}
		if err := n.Join(Topic{"tx", 10}, acceptAll, nothing); err != nil {
			t.Fatal(err)
		}
		for _, bad := range []Topic{{"", 10}, {"big", n.limits.MaxGossipBytes + 1}, {"none", 0}, {"tx", 10}} {
			wantKind(t, n.Join(bad, acceptAll, nothing), ErrConfig)
		}
		wantKind(t, n.Join(Topic{"x", 10}, nil, nothing), ErrConfig)
		wantKind(t, n.Join(Topic{"x", 10}, acceptAll, nil), ErrConfig)
		for i := range maxTopics - 1 {
			if err := n.Join(Topic{fmt.Sprint(i), 10}, acceptAll, nothing); err != nil {
				t.Fatal(err)
			}
		}
		wantKind(t, n.Join(Topic{"one more", 10}, acceptAll, nothing), ErrConfig, "at most")
	})
	if err := n.Publish(t.Context(), "tx", []byte("alone")); err != nil {
		t.Errorf("publish to nobody: %v", err)
	}
	if err := n.Publish(t.Context(), "tx", []byte("alone")); err != nil {
		t.Errorf("publish again: %v", err)
	}
	wantKind(t, n.Publish(t.Context(), "tx", make([]byte, 11)), ErrTooLarge, "10")
	wantKind(t, n.Publish(t.Context(), "other", nil), ErrConfig, "not joined")
	wantKind(t, n.Join(Topic{"late", 10}, acceptAll, func(PeerID, []byte) {}), ErrConfig, "before Run")
	n.stop()
	wantKind(t, n.Publish(t.Context(), "tx", []byte("late")), ErrClosed)
}
