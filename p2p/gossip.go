package p2p

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const (
	maxTopics = 16
	// gossipOverhead is what an envelope adds to a message.
	gossipOverhead = 4 << 10
	// subscriptionBuffer is how many accepted messages wait for a slow receiver;
	// beyond it new ones are dropped and counted.
	subscriptionBuffer = 256
	validateQueue      = 256
	validateAtOnce     = 64
	outboundQueue      = 128
)

// gossip floods messages of few topics through the network with gossipsub.
//
// Messages carry no author and no signature: what is gossiped proves itself, and
// a message's identity is the hash of its content, so the same transaction from
// two origins is one message. A sender answers for what it forwards, hence
// Reject lowers its score; delivering little does not, since topics here are
// often silent.
type gossip struct {
	n      *Network
	pubsub *pubsub.PubSub

	mu     sync.RWMutex
	topics map[string]*joined // by full name
	closed bool               // no more Join
}

type joined struct {
	topic    *pubsub.Topic
	sub      *pubsub.Subscription
	maxBytes int
	receive  func(from PeerID, msg []byte)
}

func newGossip(n *Network) (*gossip, error) {
	g := &gossip{n: n, topics: make(map[string]*joined)}
	id := n.protocols.prefix + "/gossip/1"
	direct := make([]peer.AddrInfo, 0, len(n.cfg.Direct))
	for _, d := range n.cfg.Direct {
		p, err := d.decode()
		if err != nil {
			return nil, err
		}
		direct = append(direct, peer.AddrInfo{ID: p})
	}
	ps, err := pubsub.NewGossipSub(n.ctx, n.host,
		pubsub.WithGossipSubProtocols([]protocol.ID{id}, features(id)),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(contentID),
		pubsub.WithSubscriptionFilter(g),
		pubsub.WithMaxMessageSize(n.limits.MaxGossipBytes+gossipOverhead),
		pubsub.WithPeerOutboundQueueSize(outboundQueue),
		pubsub.WithValidateQueueSize(validateQueue),
		pubsub.WithValidateThrottle(validateAtOnce),
		pubsub.WithDirectPeers(direct),
		pubsub.WithFloodPublish(true),
		pubsub.WithPeerExchange(false),
		pubsub.WithPeerScore(scoreParams(), scoreThresholds()),
		pubsub.WithRawTracer(gossipTracer{counters: &n.counters.gossip}),
		pubsub.WithLogger(n.log.With("logger", "gossip")),
		pubsub.WithRPCLogger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		return nil, fmt.Errorf("make gossip: %w", err)
	}
	g.pubsub = ps
	return g, nil
}

// features gives our own protocol id what gossipsub 1.2 can do, without peer
// exchange: a stranger of another network then does not even share the protocol.
func features(id protocol.ID) pubsub.GossipSubFeatureTest {
	return func(feature pubsub.GossipSubFeature, p protocol.ID) bool {
		switch feature {
		case pubsub.GossipSubFeatureMesh, pubsub.GossipSubFeatureIdontwant:
			return p == id
		}
		return false
	}
}

func contentID(m *pb.Message) string {
	h := sha256.New()
	h.Write([]byte(m.GetTopic()))
	h.Write([]byte{0})
	h.Write(m.GetData())
	return string(h.Sum(nil))
}

// scoreParams punishes invalid messages (through the topics' parameters) and
// protocol abuse, and nothing else: sharing an address is normal for companies
// behind one gateway, and silence is normal on our topics.
func scoreParams() *pubsub.PeerScoreParams {
	return &pubsub.PeerScoreParams{
		SkipAtomicValidation:      true,
		Topics:                    make(map[string]*pubsub.TopicScoreParams), // filled by Join
		AppSpecificScore:          func(peer.ID) float64 { return 0 },
		BehaviourPenaltyWeight:    -10,
		BehaviourPenaltyThreshold: 6,
		BehaviourPenaltyDecay:     0.9,
		DecayInterval:             time.Second,
		DecayToZero:               0.01,
		RetainScore:               10 * time.Minute,
	}
}

func topicScoreParams() *pubsub.TopicScoreParams {
	return &pubsub.TopicScoreParams{
		SkipAtomicValidation:           true,
		TopicWeight:                    1,
		TimeInMeshQuantum:              time.Second,
		InvalidMessageDeliveriesWeight: -10,
		InvalidMessageDeliveriesDecay:  0.9,
	}
}

// scoreThresholds: about four fresh invalid messages stop gossip with a peer, ten
// silence it until its score recovers.
func scoreThresholds() *pubsub.PeerScoreThresholds {
	return &pubsub.PeerScoreThresholds{
		SkipAtomicValidation: true,
		GossipThreshold:      -150,
		PublishThreshold:     -400,
		GraylistThreshold:    -1000,
	}
}

// CanSubscribe allows exactly the joined topics.
func (g *gossip) CanSubscribe(topic string) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	_, ok := g.topics[topic]
	return ok
}

// FilterIncomingSubscriptions drops everything about other topics, and a peer's
// whole message if it announces absurdly many.
func (g *gossip) FilterIncomingSubscriptions(_ peer.ID, subs []*pb.RPC_SubOpts) ([]*pb.RPC_SubOpts, error) {
	if len(subs) > 4*maxTopics {
		return nil, pubsub.ErrTooManySubscriptions
	}
	return pubsub.FilterSubscriptions(subs, g.CanSubscribe), nil
}

// Join subscribes to a topic and forwards its messages. validate judges every
// message of others before it is delivered or forwarded, several at once; receive
// gets the accepted ones, one at a time per topic, in no particular order. At
// most subscriptionBuffer messages wait for receive. It must be called before Run:
// peers announce their topics once, on connecting.
func (n *Network) Join(topic Topic, validate func(from PeerID, msg []byte) Verdict, receive func(from PeerID, msg []byte)) error {
	if topic.Name == "" || topic.MaxBytes < 1 || topic.MaxBytes > n.limits.MaxGossipBytes || validate == nil || receive == nil {
		return kindError(ErrConfig, fmt.Sprintf("topic %q of up to %d bytes: want a name, 1 to %d bytes, and both callbacks",
			topic.Name, topic.MaxBytes, n.limits.MaxGossipBytes), nil)
	}
	return n.gossip.join(n.topicName(topic.Name), &joined{maxBytes: topic.MaxBytes, receive: receive}, validate)
}

func (n *Network) topicName(name string) string { return string(n.protocols.prefix) + "/" + name }

func (g *gossip) join(name string, j *joined, validate func(PeerID, []byte) Verdict) error {
	if err := g.register(name, j); err != nil {
		return err
	}
	if err := g.pubsub.RegisterTopicValidator(name, g.validator(j, validate)); err != nil {
		return kindError(ErrConfig, "topic "+name, err)
	}
	topic, err := g.pubsub.Join(name)
	if err != nil {
		return kindError(ErrConfig, "topic "+name, err)
	}
	if err := topic.SetScoreParams(topicScoreParams()); err != nil {
		return kindError(ErrConfig, "topic "+name, err)
	}
	sub, err := topic.Subscribe(pubsub.WithBufferSize(subscriptionBuffer))
	if err != nil {
		return kindError(ErrConfig, "topic "+name, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	j.topic, j.sub = topic, sub
	return nil
}

func (g *gossip) register(name string, j *joined) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return kindError(ErrConfig, "topic "+name+": join before Run", nil)
	case g.topics[name] != nil:
		return kindError(ErrConfig, "topic "+name+" is already joined", nil)
	case len(g.topics) >= maxTopics:
		return kindError(ErrConfig, fmt.Sprintf("topic %s: at most %d topics", name, maxTopics), nil)
	}
	g.topics[name] = j
	return nil
}

func (g *gossip) validator(j *joined, validate func(PeerID, []byte) Verdict) pubsub.ValidatorEx {
	count := &g.n.counters.gossip
	return func(_ context.Context, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
		if from == g.n.id {
			return pubsub.ValidationAccept
		}
		verdict := Reject
		if len(m.Data) <= j.maxBytes {
			verdict = validate(peerIDOf(from), m.Data)
		}
		switch verdict {
		case Accept:
			count.accepted.Add(1)
			return pubsub.ValidationAccept
		case Reject:
			count.rejected.Add(1)
			return pubsub.ValidationReject
		}
		count.ignored.Add(1)
		return pubsub.ValidationIgnore
	}
}

// start begins delivering.
func (g *gossip) start() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for name, j := range g.topics {
		if j.sub == nil {
			return kindError(ErrConfig, "topic "+name+" was not joined completely", nil)
		}
		g.n.spawn(func() { g.deliver(j) })
	}
	return nil
}

func (g *gossip) deliver(j *joined) {
	defer j.sub.Cancel()
	for {
		m, err := j.sub.Next(g.n.ctx)
		if err != nil { // the network closes
			return
		}
		if m.ReceivedFrom == g.n.id {
			continue
		}
		g.n.counters.gossip.received.Add(1)
		g.n.counters.gossip.bytesIn.Add(uint64(len(m.Data)))
		j.receive(peerIDOf(m.ReceivedFrom), m.Data)
	}
}

// Publish sends msg to everyone who joined the topic. It returns nil also when
// nobody is connected. Publishing the same bytes again within two minutes does
// nothing. Errors: ErrConfig for a topic not joined, ErrTooLarge.
func (n *Network) Publish(ctx context.Context, topicName string, msg []byte) error {
	name := n.topicName(topicName)
	n.gossip.mu.RLock()
	j := n.gossip.topics[name]
	n.gossip.mu.RUnlock()
	if j == nil || j.topic == nil {
		return kindError(ErrConfig, "publish: topic "+topicName+" is not joined", nil)
	}
	if len(msg) > j.maxBytes {
		return kindError(ErrTooLarge, fmt.Sprintf("publish to %s: %d bytes, the limit is %d", topicName, len(msg), j.maxBytes), nil)
	}
	if err := j.topic.Publish(ctx, msg); err != nil {
		if n.ctx.Err() != nil {
			return kindError(ErrClosed, "publish to "+topicName+": network is closed", err)
		}
		return fmt.Errorf("publish to %s: %w", topicName, err)
	}
	n.counters.gossip.published.Add(1)
	n.counters.gossip.bytesOut.Add(uint64(len(msg)))
	return nil
}

// gossipTracer counts what gossipsub drops; it reports that nowhere else.
type gossipTracer struct{ counters *gossipCounters }

var _ pubsub.RawTracer = gossipTracer{}

// UndeliverableMessage counts messages that a slow receiver lost.
func (t gossipTracer) UndeliverableMessage(*pubsub.Message) { t.counters.undelivered.Add(1) }

// RejectMessage counts messages that came faster than they could be judged; the
// verdicts are counted where they are given.
func (t gossipTracer) RejectMessage(_ *pubsub.Message, reason string) {
	if reason == pubsub.RejectValidationQueueFull || reason == pubsub.RejectValidationThrottled {
		t.counters.undelivered.Add(1)
	}
}

// DropRPC counts what slow peers lost.
func (t gossipTracer) DropRPC(*pubsub.RPC, peer.ID) { t.counters.droppedRPCs.Add(1) }

// The rest of RawTracer is of no interest here.

func (gossipTracer) OnNewOutboundStream(peer.ID, protocol.ID) {}
func (gossipTracer) OnClosedOutboundStream(peer.ID)           {}
func (gossipTracer) Join(string)                              {}
func (gossipTracer) Leave(string)                             {}
func (gossipTracer) Graft(peer.ID, string)                    {}
func (gossipTracer) Prune(peer.ID, string)                    {}
func (gossipTracer) ValidateMessage(*pubsub.Message)          {}
func (gossipTracer) DeliverMessage(*pubsub.Message)           {}
func (gossipTracer) DuplicateMessage(*pubsub.Message)         {}
func (gossipTracer) ThrottlePeer(peer.ID)                     {}
func (gossipTracer) RecvRPC(*pubsub.RPC)                      {}
func (gossipTracer) SendRPC(*pubsub.RPC, peer.ID)             {}
