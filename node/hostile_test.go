package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"waybill/api"
	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	blocksync "waybill/node/sync"
	"waybill/p2p"
)

// hostile is a peer that speaks the transport honestly and lies in everything above it. It keeps some of what it
// hears, to say it again.
type hostile struct {
	c       *cluster
	net     *p2p.Network
	victims []p2p.PeerID
	leave   func()

	mu    sync.Mutex
	heard [][]byte
}

// hostile connects a peer with a key to all running nodes.
func (c *cluster) hostile(key crypto.PrivateKey) *hostile {
	c.t.Helper()
	cfg := p2p.Config{
		PrivateKey: key.Bytes(), Namespace: c.genesis.Hash().String(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Limits: p2p.DefaultLimits(),
	}
	for class := range cfg.Limits.Class {
		cfg.Limits.Class[class] = p2p.ClassLimits{MaxBytes: 8 << 20, QueueMessages: 256, QueueBytes: 32 << 20}
	}
	cfg.Limits.MaxGossipBytes = maxGossip
	h := &hostile{c: c}
	for _, n := range c.nodes {
		if n != nil {
			cfg.Bootstrap = append(cfg.Bootstrap, n.PeerAddrs()...)
			h.victims = append(h.victims, n.net.Self())
		}
	}
	var err error
	if h.net, err = p2p.New(cfg); err != nil {
		c.t.Fatal(err)
	}
	h.net.Handle(h)
	for _, name := range []string{topicTransactions, topicHeads} {
		accept := func(p2p.PeerID, []byte) p2p.Verdict { return p2p.Accept }
		if err := h.net.Join(p2p.Topic{Name: name, MaxBytes: maxGossip}, accept, ignore); err != nil {
			c.t.Fatal(err)
		}
	}
	done := make(chan error, 1)
	go func() { done <- h.net.Run(context.Background()) }()
	h.leave = sync.OnceFunc(func() {
		h.net.Close()
		<-done
	})
	c.t.Cleanup(h.leave)
	c.eventually("a hostile peer connects", func() bool { return len(h.net.Peers()) >= len(h.victims) })
	return h
}

func (c *cluster) eventually(what string, ok func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("it never came to this: %s", what)
		}
	}
}

// Message implements p2p.Handler.
func (h *hostile) Message(_ p2p.PeerID, _ p2p.Class, msg []byte) {
	h.mu.Lock()
	if len(h.heard) < 256 {
		h.heard = append(h.heard, msg)
	}
	h.mu.Unlock()
}

// Connected implements p2p.Handler.
func (h *hostile) Connected(p2p.PeerID) {}

// Disconnected implements p2p.Handler.
func (h *hostile) Disconnected(p2p.PeerID) {}

func (h *hostile) sendAll(msgs ...[]byte) {
	for _, msg := range msgs {
		if len(msg) == 0 {
			msg = []byte{0}
		}
		for _, v := range h.victims {
			h.net.Send(v, classOf(messageKind(msg[0])), msg)
		}
	}
}

// storm sends what next gives, round after round, as fast as the transport takes it, until the siege ends.
func (h *hostile) storm(s *siege, next func(round int) [][]byte) {
	s.wg.Go(func() {
		for round := 0; ; round++ {
			select {
			case <-s.stop:
				return
			default:
				h.sendAll(next(round)...)
				runtime.Gosched()
			}
			if testing.Short() {
				time.Sleep(50 * time.Millisecond) // under the race detector the attack's own work would take the cores
			} else if round%4 == 3 {
				time.Sleep(time.Millisecond) // queues drop the oldest when they are full: without a pause nothing is sent
			}
		}
	})
}

// lie is a status nobody can have.
func (*cluster) lie(view quorum.View, height quorum.Height) consensus.Status {
	return consensus.Status{View: view, FinalHeight: height, FinalView: view, Missing: view / 2, HasWork: true}
}

// vote is a vote by a key, which need not be that of the signer it names.
func (c *cluster) vote(key crypto.PrivateKey, signer int, kind quorum.VoteKind, view quorum.View, label int) quorum.Vote {
	v := quorum.Vote{Kind: kind, View: view, Signer: uint16(signer)}
	if kind != quorum.KindNullify {
		v.Height, v.Block = quorum.Height(view), crypto.Sum(crypto.TagHeader, fmt.Append(nil, label))
	}
	return quorum.SignVote(c.nodes[0].members.Load().epoch.Domain, key, v)
}

func votesMessage(s consensus.Status, votes []quorum.Vote) []byte {
	var body []byte
	for _, v := range votes {
		body = append(body, v.Encode()...)
	}
	return withStatus(messageVotes, s, body)
}

// unsigned are messages of every kind without a valid signature in any of them.
func (c *cluster) unsigned(round int) [][]byte {
	none := consensus.Status{}
	kind := messageKind(round % 12)
	garbage := bytes.Repeat([]byte{byte(round)}, round%3000)
	request := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint64([]byte{byte(messageBlockRequest)}, [...]uint64{0, 1, math.MaxUint64, 1 << 63}[round%4]),
		[...]uint16{0, 1, 64, 65535}[round/4%4])
	hash := crypto.Sum(crypto.TagHeader, fmt.Append(nil, "unknown", round))
	header := quorum.Header{Version: quorum.HeaderVersion, Genesis: c.genesis.Hash(), View: quorum.View(round), Height: math.MaxUint64, TimeMs: math.MaxInt64}
	return [][]byte{
		append([]byte{byte(kind)}, garbage...),
		withStatus(kind, c.lie(math.MaxUint64, 1<<63), garbage),
		{byte(kind)},
		request,
		encodeProposalRequest(hash),
		append([]byte{byte(messageBlocks)}, garbage...),
		append([]byte{byte(messageBlocks)}, blocksync.EncodeBlocks([]blocksync.Block{{Header: header}})...),
		withStatus(messageProposal, none, (&quorum.Proposal{Header: header, Payload: [][]byte{garbage}}).Encode()),
		withStatus(messageStatus, c.lie(quorum.View(round), math.MaxUint64), nil),
		binary.BigEndian.AppendUint32([]byte{byte(messageTransactions)}, math.MaxUint32),
	}
}

// statuses say that everything is far ahead of everybody, in ways an honest peer may.
func (c *cluster) statuses(round int) [][]byte {
	far := uint64(1) << (round % 64)
	return [][]byte{withStatus(messageStatus, c.lie(quorum.View(far), quorum.Height(far)), nil)}
}

// requests are well formed, and more than anybody needs.
func (c *cluster) requests(round int) [][]byte {
	hash := crypto.Sum(crypto.TagHeader, fmt.Append(nil, "unknown", round))
	var out [][]byte
	for _, first := range []quorum.Height{0, 1, 1 << 63, math.MaxUint64} {
		out = append(out, encodeBlockRequest(blocksync.Request{From: first, Max: []int{0, 1, 64, math.MaxUint16}[round%4]}), encodeProposalRequest(hash))
	}
	return out
}

// gossip publishes on both topics what is refused as late as possible.
func (h *hostile) gossip(s *siege) {
	domain := h.c.nodes[0].members.Load().epoch.Domain
	publish := func(round int, topic string, msg []byte) {
		_ = h.net.Publish(context.Background(), topic, append(binary.BigEndian.AppendUint64(nil, uint64(round)), msg...))
	}
	s.wg.Go(func() {
		for round := 0; ; round++ {
			select {
			case <-s.stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			header := quorum.Header{
				Version: quorum.HeaderVersion, Genesis: domain.Genesis, View: quorum.View(round + 1), Height: 1 << 62,
				TimeMs: math.MaxInt64, ValidatorSet: domain.Set.Hash(),
			}
			forged := quorum.Certificate{Kind: quorum.KindFinalize, View: header.View, Height: header.Height, Block: header.Hash(), Bitmap: []byte{0x0f}}
			forged.Signatures = make([]crypto.Signature, 4)
			_ = h.net.Publish(context.Background(), topicHeads, append(header.Encode(), forged.Encode()...))
			publish(round, topicHeads, header.Encode())
			for _, msg := range h.c.transactions(round) {
				publish(round, topicTransactions, msg)
			}
			publish(round, topicTransactions, []byte("garbage"))
		}
	})
}

// transactions are signed by somebody the ledger does not know, expired, repeated, waiting for nothing, and with a
// signature that is not the author's.
func (c *cluster) transactions(round int) [][]byte {
	c.t.Helper()
	make := func(author, signer crypto.PrivateKey, expiry quorum.Height, needs ...crypto.Hash) []byte {
		body, err := ledger.NewBody(c.genesis.Hash(), author.Public().Address(), expiry, &ledger.Transfer{To: author.Public().Address(), Amount: 1})
		if err != nil {
			panic(err)
		}
		body.DependsOn = needs
		binary.BigEndian.PutUint64(body.Salt[:], uint64(round))
		tx, err := ledger.Sign(body, signer)
		if err != nil {
			panic(err)
		}
		return tx.Raw()
	}
	nobody, rich := testKey("nobody"), c.rich
	good := make(rich, rich, 500, crypto.Sum(crypto.TagTransaction, []byte("nothing")))
	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	return EncodeTransactions([][]byte{
		make(nobody, nobody, 500), make(rich, rich, 1), make(rich, rich, math.MaxUint64), good, good, forged, good[:len(good)-1],
	})
}

// manyForgedVotes costs a receiver the most per byte: as many signatures as fit, none good.
func (c *cluster) manyForgedVotes(round int) [][]byte {
	var votes []quorum.Vote
	for k := range maxVotesPerMessage {
		v := quorum.Vote{Kind: quorum.KindNullify, View: quorum.View(round), Signer: uint16(k % 4)}
		r, s := crypto.Sum(crypto.TagVote, fmt.Append(nil, round, k)), crypto.Sum(crypto.TagVote, fmt.Append(nil, k, round))
		copy(v.Signature[:32], r[:])
		copy(v.Signature[32:], s[:])
		v.Signature[32] &= 0x3f // low s, so that the signature has to be looked at
		votes = append(votes, v)
	}
	return [][]byte{votesMessage(consensus.Status{}, votes)}
}

// workOn sends transfers through nodes and waits until each is final on all of them.
func (c *cluster) workOn(rounds int, nodes ...int) {
	c.t.Helper()
	for round := range rounds {
		for _, i := range nodes {
			id := c.transfer(i, byte(round))
			for _, k := range nodes {
				if tx := c.wait(k, id); tx.Status != api.TxFinal {
					c.t.Fatalf("transfer %d through node %d is %s on node %d", round, i, tx.Status, k)
				}
			}
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// siege is what a storm began with.
type siege struct {
	wg         sync.WaitGroup
	stop       chan struct{}
	end        func()
	peers      []*hostile
	heap       uint64
	goroutines int
}

func (c *cluster) besiege() *siege {
	s := &siege{stop: make(chan struct{}), heap: heap(), goroutines: runtime.NumGoroutine()}
	s.end = sync.OnceFunc(func() {
		close(s.stop)
		s.wg.Wait()
		for _, h := range s.peers {
			h.leave()
		}
	})
	c.t.Cleanup(s.end)
	return s
}

// survived demands that the nodes are well in the middle of the storm, and that it leaves nothing behind.
func (c *cluster) survived(s *siege) {
	c.t.Helper()
	c.same()
	for i, n := range c.nodes {
		if n == nil {
			continue
		}
		if snap := n.snapshot.Load(); snap.Candidates > maxCandidates || snap.Consensus.OpenViews > 2000 {
			c.t.Errorf("node %d holds %d candidates and %d open views", i, snap.Candidates, snap.Consensus.OpenViews)
		}
		for _, check := range c.backend(i).Checks() {
			if !check.OK {
				c.t.Errorf("node %d: check %s fails under the storm: %s", i, check.Name, check.Detail)
			}
		}
	}
	s.end()
	c.eventually("the goroutines of peers that left end", func() bool { return runtime.NumGoroutine() <= s.goroutines+50 })
	if after := heap(); after > s.heap+64<<20 {
		c.t.Errorf("the heap grew from %d to %d bytes", s.heap, after)
	}
}

// stormRounds is how much honest work is done under a storm.
func stormRounds() int {
	if testing.Short() {
		return 2
	}
	return 8
}

// TestStrangersCannotStopTheNetwork lets peers who have no stake send everything they can think of.
func TestStrangersCannotStopTheNetwork(t *testing.T) {
	c := newCluster(t, 10, 10, 10, 10)
	for i := range c.keys {
		c.start(i)
	}
	c.workOn(1, 0, 1, 2, 3)
	s := c.besiege()
	for i, next := range []func(int) [][]byte{c.unsigned, c.transactions, c.manyForgedVotes, c.manyForgedVotes, c.statuses, c.requests} {
		h := c.hostile(testKey(fmt.Sprint("stranger ", i)))
		h.storm(s, next)
		s.peers = append(s.peers, h)
	}
	h := c.hostile(testKey("gossiper"))
	h.gossip(s)
	s.peers = append(s.peers, h)
	c.workOn(stormRounds(), 0, 1, 2, 3)
	c.survived(s)
}

// TestByzantineValidatorCannotStopTheOthers gives a validator's keys to a peer that signs whatever it likes: votes
// for and against everything, views far ahead and long over, and again all that the others said.
func TestByzantineValidatorCannotStopTheOthers(t *testing.T) {
	c := newCluster(t, 10, 10, 10, 10)
	honest := []int{0, 1, 2}
	for _, i := range honest {
		c.start(i)
	}
	c.workOn(1, honest...)
	s := c.besiege()
	set := c.nodes[0].members.Load().epoch.Domain.Set
	self, _ := set.Index(c.keys[3].Validator.Public())
	h := c.hostile(c.keys[3].Peer)
	s.peers = []*hostile{h}
	h.storm(s, func(round int) [][]byte {
		view := quorum.View(c.nodes[0].snapshot.Load().Consensus.View)
		jump := [...]quorum.View{0, 1, 2, 63, 1_000, 1_000_000}[round%6]
		sign := func(kind quorum.VoteKind, v quorum.View) quorum.Vote {
			return c.vote(*c.keys[3].Validator, self, kind, v, round)
		}
		h.mu.Lock()
		heard := append([][]byte(nil), h.heard...)
		if round%50 == 0 {
			h.heard = nil
		}
		h.mu.Unlock()
		return append(heard,
			votesMessage(c.lie(view+jump, 1<<40), []quorum.Vote{
				sign(quorum.KindNotarize, view+jump), sign(quorum.KindFinalize, view+jump), sign(quorum.KindNullify, view+jump), sign(quorum.KindNullify, view-min(view, jump)),
			}),
			withStatus(messageStatus, c.lie(math.MaxUint64, math.MaxUint64), nil),
		)
	})
	h.storm(s, c.manyForgedVotes)
	h.storm(s, c.unsigned)
	h.storm(s, c.transactions)
	c.workOn(stormRounds(), honest...)
	c.survived(s)
}

// TestSecondProcessWithTheSameKeyStops starts a validator a second time, from a folder that knows nothing of what the
// first one signed. The network goes on without a fork, and the newcomer says why it stops.
func TestSecondProcessWithTheSameKeyStops(t *testing.T) {
	c := newCluster(t, 10, 10, 10, 10)
	for i := range c.keys {
		c.start(i)
	}
	all := []int{0, 1, 2, 3}
	c.workOn(1, all...)
	s := c.settings(1)
	s.DataDir, s.Listen = filepath.Join(t.TempDir(), "twin"), []string{"/ip4/127.0.0.1/tcp/0"}
	s.Bootstrap = append(s.Bootstrap, c.nodes[1].PeerAddrs()...)
	c.sign(s.DataDir, *c.keys[1].Validator)
	twin, err := Open(s, c.genesis, Keys{Peer: testKey("twin"), Validator: c.keys[1].Validator}, slog.New(slog.DiscardHandler), "test")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- twin.Run(ctx) }()
	for round := byte(100); ; round++ {
		c.wait(0, c.transfer(0, round))
		select {
		case err := <-done:
			if !errors.Is(err, consensus.ErrForeignVote) {
				t.Fatalf("the second process stopped with %v", err)
			}
			c.workOn(2, all...)
			c.same()
			return
		default:
			if round == 200 {
				t.Fatal("the second process goes on")
			}
		}
	}
}
