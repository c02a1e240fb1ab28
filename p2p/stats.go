package p2p

import "sync/atomic"

// Stats is a snapshot of the counters since New, and of the present state.
type Stats struct {
	Class       [NumClasses]ClassStats
	Gossip      GossipStats
	Requests    RequestStats
	Peers       int    // greeted peers
	Connections int    // open connections, greeted or not
	Refused     uint64 // connections refused by Allow, penalty or key type
	Punished    uint64 // peers disconnected for breaking a rule
	Stalled     uint64 // peers disconnected for not reading
	Mismatched  int    // peers of other networks remembered; see Mismatches
}

// ClassStats counts the direct messages of one class.
type ClassStats struct {
	MessagesIn, MessagesOut uint64
	BytesIn, BytesOut       uint64
	Dropped                 uint64 // the oldest, because the queue was full
	Lost                    uint64 // because the connection broke
	Oversized               uint64 // refused by Send
	Unconnected             uint64 // refused by Send
	Queued                  int    // waiting now, all peers together
}

// GossipStats counts gossip messages of all topics.
type GossipStats struct {
	Published, Received, BytesIn, BytesOut uint64
	Accepted, Ignored, Rejected            uint64
	Undelivered                            uint64 // because validation or the receiver was too slow
	DroppedRPCs                            uint64 // because a peer was too slow
}

// RequestStats counts requests.
type RequestStats struct {
	Asked, Served, Busy, Failed uint64
}

type counters struct {
	class    [NumClasses]classCounters
	gossip   gossipCounters
	requests requestCounters
	punished atomic.Uint64
	stalled  atomic.Uint64
}

type classCounters struct {
	messagesIn, messagesOut, bytesIn, bytesOut atomic.Uint64
	dropped, lost, oversized, unconnected      atomic.Uint64
}

type gossipCounters struct {
	published, received, bytesIn, bytesOut atomic.Uint64
	accepted, ignored, rejected            atomic.Uint64
	undelivered, droppedRPCs               atomic.Uint64
}

type requestCounters struct {
	asked, served, busy, failed atomic.Uint64
}

func (c *counters) sent(class Class, size int) {
	c.class[class].messagesOut.Add(1)
	c.class[class].bytesOut.Add(uint64(size))
}

func (c *counters) received(class Class, size int) {
	c.class[class].messagesIn.Add(1)
	c.class[class].bytesIn.Add(uint64(size))
}

// Stats returns a snapshot for metrics and status pages.
func (n *Network) Stats() Stats {
	c := &n.counters
	out := Stats{
		Gossip: GossipStats{
			Published: c.gossip.published.Load(), Received: c.gossip.received.Load(),
			BytesIn: c.gossip.bytesIn.Load(), BytesOut: c.gossip.bytesOut.Load(),
			Accepted: c.gossip.accepted.Load(), Ignored: c.gossip.ignored.Load(), Rejected: c.gossip.rejected.Load(),
			Undelivered: c.gossip.undelivered.Load(), DroppedRPCs: c.gossip.droppedRPCs.Load(),
		},
		Requests: RequestStats{
			Asked: c.requests.asked.Load(), Served: c.requests.served.Load(),
			Busy: c.requests.busy.Load(), Failed: c.requests.failed.Load(),
		},
		Refused: n.gater.refused.Load(), Punished: c.punished.Load(), Stalled: c.stalled.Load(),
	}
	for i := range c.class {
		k := &c.class[i]
		out.Class[i] = ClassStats{
			MessagesIn: k.messagesIn.Load(), MessagesOut: k.messagesOut.Load(),
			BytesIn: k.bytesIn.Load(), BytesOut: k.bytesOut.Load(),
			Dropped: k.dropped.Load(), Lost: k.lost.Load(),
			Oversized: k.oversized.Load(), Unconnected: k.unconnected.Load(),
		}
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	out.Connections, out.Mismatched = len(n.links), len(n.mismatches)
	for _, s := range n.sessions {
		if s.stopped {
			continue
		}
		out.Peers++
		for i, q := range s.queues {
			out.Class[i].Queued += q.depth()
		}
	}
	return out
}
