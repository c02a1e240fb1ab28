package node

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger/snapshot"
	"waybill/node/signer"
	blocksync "waybill/node/sync"
	"waybill/p2p"
)

// TestAllBeginAtOneSnapshot: nodes that lost everything begin at one snapshot. Of the results just below it they know
// those that headers carried, and while execution lagged headers did not carry each one: the chain goes on all the same.
func TestAllBeginAtOneSnapshot(t *testing.T) {
	old := newLab(t, 4, 4, 0, 0)
	old.traffic(40, 0)
	old.run("a history", 60_000, func() bool { return old.height() >= 12 })
	chain := old.chainOf()
	at := quorum.Height(8)
	for !chain[at].own {
		at--
	}
	l := newLab(t, 4, 4, 0, 0)
	for _, n := range l.nodes {
		n.crash(false)
		n.data, n.dataSynced = map[string][]byte{}, map[string][]byte{}
		n.chain, n.chainSynced, n.base = slices.Clone(chain[:at+1]), int(at)+1, at
		n.carried = map[quorum.Height]bool{chain[at].Header.ExecHeight: true}
		n.slots = [2][]byte{}
		// As an operator does with signer import: nothing above the snapshot was signed by this key, as far as anybody says.
		opts := signer.Options{Genesis: l.genesis, Key: n.key, Reserve: signer.NodeReserve, Sign: n.mac().Sign}
		mark := signer.Mark{View: chain[at].Header.View, Step: uint8(consensus.StepExit)}
		if _, err := signer.Recover(labStorage{n}, opts, mark); err != nil {
			t.Fatal(err)
		}
	}
	l.now = max(l.now, old.now)
	l.queue = nil
	for _, n := range l.nodes {
		n.start(n.mac())
	}
	l.traffic(40, 0)
	l.run("ten more blocks", 60_000, func() bool { return l.height() >= at+10 })
	first := l.chainOf()[at+1].Header
	if first.ExecHeight != chain[at].Header.ExecHeight {
		t.Errorf("block %d carries the result of block %d, which nobody knows", first.Height, first.ExecHeight)
	}
}

// electsNothing is a ledger whose base is above the state that elects.
type electsNothing struct{ *bench }

func (electsNothing) NextSet(quorum.Height) (*quorum.Set, error) {
	return nil, errors.New("below the base")
}

// TestLeaderBelowTheBase: the leader of a block that is to close the epoch waits when it does not have the state that
// elects, as a ledger restored from a snapshot may not. It must not stop.
func TestLeaderBelowTheBase(t *testing.T) {
	b := newBench(t)
	r := b.replica
	r.epoch.Rules.Epochs.Length = 1
	build := &consensus.BuildRequest{Epoch: b.Number, View: 1, Height: b.Anchor.Height + 1, Parent: b.Anchor.Hash, ParentTimeMs: b.Anchor.TimeMs}
	if _, ok := r.headerFor(build, b.now); !ok {
		t.Fatal("no header although everything is known")
	}
	clear(r.sets)
	r.ledger = electsNothing{b}
	if _, ok := r.headerFor(build, b.now); ok {
		t.Fatal("a header that hands over to nobody knows whom")
	}
	r.building = build
	if err := r.tryBuild(); err != nil || r.halted != nil {
		t.Fatalf("the node stops: %v, %v", err, r.halted)
	}
}

// TestNobodyFillsThePlaceOfOthers: validators that are an epoch ahead share the room for what they send, however much one
// of them sends.
func TestNobodyFillsThePlaceOfOthers(t *testing.T) {
	b := newBench(t)
	next := consensus.Status{Epoch: b.Number + 1, View: 1}
	send := func(from p2p.PeerID, size int) {
		b.receive(t, from, withStatus(messageVotes, next, make([]byte, size)))
	}
	peers := slices.DeleteFunc(slices.Clone(b.Peers), func(p p2p.PeerID) bool { return p == b.Peers[benchSelf] })
	greedy, modest := peers[0], peers[1:]
	for range 3 * maxLaterPerPeer {
		send(greedy, maxLaterBytes/maxLaterPerPeer-60) // as many as one may have fill all the room
	}
	for range maxLaterPerPeer {
		for _, p := range modest {
			send(p, quorum.VoteSize)
		}
	}
	for range 100 {
		send(greedy, 3<<20)
		send("stranger", 10)
	}
	kept, size := map[p2p.PeerID]int{}, 0
	for _, l := range b.replica.later {
		kept[l.From]++
		size += len(l.later)
	}
	for _, p := range modest {
		if kept[p] != maxLaterPerPeer {
			t.Errorf("of %s %d messages are kept, want %d", p, kept[p], maxLaterPerPeer)
		}
	}
	if kept[greedy] == 0 || kept["stranger"] != 0 || size > maxLaterBytes || len(b.replica.later) > maxLater {
		t.Errorf("%v kept with %d bytes", kept, size)
	}
}

// TestStatusFromTheEndOfTime: an epoch or height that nobody can be in makes us ask, and nothing else.
func TestStatusFromTheEndOfTime(t *testing.T) {
	b := newBench(t)
	for _, s := range []consensus.Status{
		{Epoch: 1<<64 - 1, View: 1<<64 - 1, FinalHeight: 1<<64 - 1, FinalView: 1<<64 - 1, Missing: 1<<64 - 2},
		{Epoch: b.Number, View: 1<<64 - 1, FinalHeight: 1<<63 - 1, FinalView: 1<<64 - 1, Missing: 1},
		{Epoch: b.Number + 2, View: 1, FinalHeight: 1 << 62},
	} {
		for _, from := range []p2p.PeerID{b.Peers[0], "stranger"} {
			b.receive(t, from, withStatus(messageStatus, s, nil))
		}
	}
	if s := b.replica.Snapshot(); s.Consensus.View != 1 || s.BestKnown != 0 || len(b.replica.later) != 0 || b.replica.Epoch().Number != b.Number {
		t.Errorf("%+v", s)
	}
	b.now += blocksync.AnswerTimeoutMs + 1
	b.receive(t, b.Peers[0], withStatus(messageStatus, consensus.Status{Epoch: b.Number, View: 1}, nil)) // and lowers it again
	if err := b.replica.TimerFired(timerSync); err != nil {
		t.Fatal(err)
	}
}

// TestReadingIsCharged: small blocks cost more to read than to send. Who asks for old ones again and again is told to wait.
func TestReadingIsCharged(t *testing.T) {
	b := newBench(t)
	h := b.header(1, nil, b.Anchor.TimeMs+1)
	c := b.certify(t, quorum.KindFinalize, h).Certificate()
	for range blocksync.MaxBlocksPerAnswer {
		b.blocks = append(b.blocks, blocksync.Block{Header: h})
	}
	for _, certified := range []bool{true, false} { // without a certificate nothing is sent, and as much was read
		b.blocks[len(b.blocks)-1].Certificate = nil
		if certified {
			b.blocks[len(b.blocks)-1].Certificate = &c
		}
		b.now += 60_000
		const requests = 10_000
		from := len(b.executed)
		b.replica.ledger = &countedReads{bench: b}
		for range requests {
			b.receive(t, "stranger", encodeBlockRequest(blocksync.Request{From: 1, Max: 64}))
		}
		reads := b.replica.ledger.(*countedReads).reads
		if most := allowanceBytes/(blocksync.MaxBlocksPerAnswer*allowanceBlock) + 1; reads == 0 || reads > most || len(b.executed) != from {
			t.Errorf("certified %t: %d requests made us read %d times, want at most %d", certified, requests, reads, most)
		}
	}
}

type countedReads struct {
	*bench
	reads int
}

func (c *countedReads) Blocks(from quorum.Height, most int) ([]blocksync.Block, error) {
	c.reads++
	return c.bench.Blocks(from, most)
}

// TestWaitingMessagesAreBounded: while the replica is busy, what a peer sent and what all sent stays within its bounds,
// be it verified or not; afterwards the room is free again.
func TestWaitingMessagesAreBounded(t *testing.T) {
	b := newBench(t)
	n := &Node{}
	n.metrics = newMetrics(n)
	n.members.Store(&members{epoch: b.replica.Epoch(), index: map[p2p.PeerID]int{}})
	l := newLoop(n)
	n.loop = l
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- l.verify(ctx) }()
	l.Connected("flooder")
	connected := <-l.inbox
	if err := connected(b.replica); err != nil {
		t.Fatal(err)
	}
	unasked := append([]byte{byte(messageBlocks)}, make([]byte, 1<<20)...)
	for range rawPerPeer {
		l.Message("flooder", p2p.ClassSync, unasked)
	}
	within(t, func() bool { return len(l.inbox) == rawPerPeer })
	turn, _ := l.turns.Load(p2p.PeerID("flooder"))
	if got := len(turn.(chan struct{})); got != rawPerPeer {
		t.Fatalf("%d of %d messages that wait for the replica count", got, rawPerPeer)
	}
	if l.room.TryAcquire(rawBytes - rawPerPeer<<20) {
		t.Fatal("the bytes of messages that wait for the replica do not count")
	}
	for range rawPerPeer {
		if err := (<-l.inbox)(b.replica); err != nil {
			t.Fatal(err)
		}
	}
	if len(turn.(chan struct{})) != 0 || !l.room.TryAcquire(rawBytes) {
		t.Fatal("the room is not given back")
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func within(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never came to this")
		}
	}
}

// TestCheckpointStopsAnotherHistory: keys of the past can sign a history that verifies from genesis on. A node that was
// told of a later epoch's first block does not take it, from whomever it comes.
func TestCheckpointStopsAnotherHistory(t *testing.T) {
	for _, right := range []bool{true, false} {
		b := newBench(t)
		h := b.header(1, nil, b.Anchor.TimeMs+1)
		h.Flags, h.NextValidatorSet, h.PayloadRoot = quorum.FlagClosing, b.Domain.Set.Hash(), quorum.PayloadRoot(nil)
		c := b.certify(t, quorum.KindFinalize, h).Certificate()
		at := &snapshot.Checkpoint{Epoch: b.Number + 1, Anchor: crypto.Hash{1}}
		if right {
			at.Anchor = h.Hash()
		}
		b.replica.cfg.Checkpoint = at
		b.receive(t, b.Peers[0], withStatus(messageStatus, consensus.Status{Epoch: b.Number + 1, View: 1, FinalHeight: 9}, nil))
		answer := blocksync.EncodeBlocks([]blocksync.Block{{Header: h, Certificate: &c, Next: b.Domain.Set}})
		in, err := b.Verify(b.Peers[0], append([]byte{byte(messageBlocks)}, answer...))
		if err != nil {
			t.Fatal(err)
		}
		err = b.replica.Receive(in)
		if right && (err != nil || len(b.executed) != 1) {
			t.Errorf("the right history: %v, %d blocks", err, len(b.executed))
		}
		if !right && (!errors.Is(err, ErrCheckpoint) || len(b.executed) != 0) {
			t.Errorf("another history: %v, %d blocks are executed", err, len(b.executed))
		}
	}
}

// TestWatchdog: it speaks when there is work and nothing moves, once, and is quiet again afterwards.
func TestWatchdog(t *testing.T) {
	w := newWatchdog(consensus.Timing{Max: 1_000})
	slow, rare := patience(consensus.Timing{Max: 60_000}), patience(consensus.Timing{Max: 1_000, MinBlockInterval: 3_600_000})
	if w.limit != watchdogLeast || slow != 10*time.Minute || rare != 3*time.Hour {
		t.Fatalf("limits %s, %s and %s", w.limit, slow, rare)
	}
	now, at := time.Unix(1_700_000_000, 0), standing{epoch: 1, view: 7, final: 3, executed: 3}
	spoke := 0
	pass := func(d time.Duration, work bool) {
		for end := now.Add(d); now.Before(end); {
			now = now.Add(watchdogEvery)
			if w.observe(now, at, work) {
				spoke++
			}
		}
	}
	expect := func(what string, times int, ok bool) {
		t.Helper()
		if c := w.check(); spoke != times || c.OK != ok || c.Vital || !ok && !strings.Contains(c.Detail, "view 7") {
			t.Errorf("%s: spoke %d times, %+v", what, spoke, c)
		}
	}
	pass(time.Hour, false)
	expect("idle", 0, true)
	pass(w.limit-watchdogEvery, true)
	expect("not long enough", 0, true)
	for range 100 {
		at.view++
		pass(w.limit-watchdogEvery, true)
	}
	expect("views go by", 0, true)
	at.view = 7
	pass(2*w.limit, true)
	expect("stuck", 1, false)
	pass(10*w.limit, true)
	expect("still stuck", 1, false)
	at.executed++
	pass(watchdogEvery, true)
	expect("it moved", 1, true)
	pass(2*w.limit, true)
	expect("stuck again", 2, false)
	pass(watchdogEvery, false)
	now = now.Add(time.Hour) // the machine slept
	pass(watchdogEvery, true)
	expect("after sleep", 2, true)
}

// TestUnsolicitedAnswersCostNothing: ten thousand answers that nobody asked for are dropped undecoded.
func TestUnsolicitedAnswersCostNothing(t *testing.T) {
	b := newBench(t)
	junk := append([]byte{byte(messageBlocks)}, bytes.Repeat([]byte{0xff}, 1<<16)...)
	in, err := b.Verify("liar", junk)
	if err != nil {
		t.Fatal(err)
	}
	per := testing.AllocsPerRun(10_000, func() {
		if err := b.replica.Receive(in); err != nil {
			t.Fatal(err)
		}
	})
	if per > 16 || len(b.executed) != 0 {
		t.Errorf("%v allocations for each", per)
	}
}
