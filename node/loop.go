package node

import (
	"context"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/p2p"
)

// Queues of the loop.
const (
	inboxSize   = 1024     // verified messages and commands; when full, verifiers wait, and so do the peers behind them
	rawSize     = 1024     // messages not verified yet; when full, the readers of peers wait …
	rawBytes    = 64 << 20 // … as they do when these messages together are larger …
	rawPerPeer  = 8        // … or so many of them are the peer's own: whoever floods us waits for himself
	answersSize = 2048     // answers of executor and checker; they wait when it is full
)

// loop is the goroutine that owns the replica, and the replica's environment. It implements Env and
// p2p.Handler.
type loop struct {
	n       *Node
	replica *Replica
	workers int

	raw     chan rawMessage
	room    *semaphore.Weighted // bytes of raw
	turns   sync.Map            // of connected peers: PeerID to chan struct{}, full while rawPerPeer of its messages wait
	inbox   chan func(*Replica) error
	answers chan func(*Replica) error
	pooled  chan struct{} // room for one: the pool changed

	// Owned by the loop's goroutine.
	timers map[TimerID]consensus.Time
	wake   *time.Timer
}

type rawMessage struct {
	from p2p.PeerID
	msg  []byte
	turn chan struct{} // of the sender
}

func newLoop(n *Node) *loop {
	return &loop{
		n: n, workers: runtime.GOMAXPROCS(0),
		raw:     make(chan rawMessage, rawSize),
		room:    semaphore.NewWeighted(rawBytes),
		inbox:   make(chan func(*Replica) error, inboxSize),
		answers: make(chan func(*Replica) error, answersSize),
		pooled:  make(chan struct{}, 1),
		timers:  map[TimerID]consensus.Time{},
	}
}

// run feeds the replica until ctx ends or the replica stops.
func (l *loop) run(ctx context.Context) error {
	l.wake = time.NewTimer(time.Hour)
	defer l.wake.Stop()
	if err := l.step((*Replica).Start); err != nil {
		return err
	}
	for {
		var do func(*Replica) error
		select {
		case do = <-l.answers: // first, so that blocks become final before new ones are looked at
		default:
			select {
			case <-ctx.Done():
				return nil
			case do = <-l.answers:
			case do = <-l.inbox:
			case <-l.pooled:
				do = (*Replica).PoolChanged
			case <-l.wake.C:
				do = l.fire
			}
		}
		if err := l.step(do); err != nil {
			return err
		}
	}
}

func (l *loop) step(do func(*Replica) error) error {
	err := do(l.replica)
	s := l.replica.Snapshot()
	l.n.snapshot.Store(&s)
	l.rearm()
	return err
}

// fire tells the replica about every timer whose time has come, the earliest first.
func (l *loop) fire(r *Replica) error {
	now := l.Now()
	for {
		next, at, ok := l.earliest()
		if !ok || at > now {
			return nil
		}
		delete(l.timers, next)
		if err := r.TimerFired(next); err != nil {
			return err
		}
	}
}

func (l *loop) earliest() (id TimerID, at consensus.Time, ok bool) {
	for i, t := range l.timers {
		if !ok || t < at || t == at && i < id {
			id, at, ok = i, t, true
		}
	}
	return id, at, ok
}

// longestSleepMs keeps a time in the far future from overflowing; waking early does no harm.
const longestSleepMs = 60_000

func (l *loop) rearm() {
	if _, at, ok := l.earliest(); ok {
		l.wake.Reset(time.Duration(min(max(at-l.Now(), 0), longestSleepMs)) * time.Millisecond)
	}
}

// post hands something to the loop, waiting for room.
func (l *loop) post(ctx context.Context, do func(*Replica) error) {
	select {
	case l.inbox <- do:
	case <-ctx.Done():
	}
}

func (l *loop) answer(ctx context.Context, do func(*Replica) error) {
	select {
	case l.answers <- do:
	case <-ctx.Done():
	}
}

// poolChanged never waits: one note is enough for any number of changes.
func (l *loop) poolChanged() {
	select {
	case l.pooled <- struct{}{}:
	default:
	}
}

// verify is a worker: it turns raw messages into verified ones.
func (l *loop) verify(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-l.raw:
			if in := l.take(m); in != nil {
				l.post(ctx, func(r *Replica) error {
					defer l.dealtWith(m)
					return r.Receive(in)
				})
			} else {
				l.dealtWith(m)
			}
		}
	}
}

// dealtWith gives back the room that a message took: only then does its sender's next one count, so that a slow replica
// never has more than rawBytes waiting, nor more than rawPerPeer messages of one peer.
func (l *loop) dealtWith(m rawMessage) {
	l.room.Release(int64(len(m.msg)))
	<-m.turn
}

// take verifies one message and returns what is the replica's business, nil if it is none. A validator's bad one is dropped and no more: nobody, and no new version of the
// software, may part validators by making them disagree about what is well formed. Any other peer is turned away.
func (l *loop) take(m rawMessage) *Inbound {
	members := l.n.members.Load()
	votes := members.votes(m.from)
	if !votes && forValidators(messageKind(m.msg[0])) {
		l.n.metrics.dropped.Inc()
		return nil
	}
	in, err := members.epoch.Verify(m.from, m.msg)
	switch {
	case err != nil:
		l.n.metrics.malformed.Inc()
		l.n.log.Debug("a peer sent what does not verify", "peer", m.from, "error", err)
		if !votes {
			l.n.net.Disconnect(m.from, err.Error())
		}
	case in == nil:
	case in.Transactions() != nil:
		l.n.takeTransactions(in.Transactions())
	case in.state != nil:
		l.n.serveState(m.from, in.state)
	default:
		return in
	}
	return nil
}

// Message implements p2p.Handler. Waiting here pushes back on the peer.
func (l *loop) Message(from p2p.PeerID, _ p2p.Class, msg []byte) {
	turn, ok := l.turns.Load(from)
	if !ok || len(msg) == 0 {
		return
	}
	m := rawMessage{from, msg, turn.(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), messagePatience)
	defer cancel()
	select {
	case m.turn <- struct{}{}:
	case <-ctx.Done():
		l.n.metrics.dropped.Inc()
		return
	}
	if l.room.Acquire(ctx, int64(len(msg))) != nil {
		<-m.turn
		l.n.metrics.dropped.Inc()
		return
	}
	select {
	case l.raw <- m:
	case <-ctx.Done():
		l.room.Release(int64(len(msg)))
		<-m.turn
		l.n.metrics.dropped.Inc()
	}
}

// messagePatience is how long a message waits for a verifier before it is dropped: the protocol repeats what
// matters.
const messagePatience = 5 * time.Second

// Connected implements p2p.Handler.
func (l *loop) Connected(peer p2p.PeerID) {
	l.turns.Store(peer, make(chan struct{}, rawPerPeer))
	l.tryPost(func(r *Replica) error { return r.Connected(peer) })
}

// Disconnected implements p2p.Handler.
func (l *loop) Disconnected(peer p2p.PeerID) {
	l.turns.Delete(peer)
	l.tryPost(func(r *Replica) error { return r.Disconnected(peer) })
}

func (l *loop) tryPost(do func(*Replica) error) {
	select {
	case l.inbox <- do:
	case <-time.After(messagePatience):
		l.n.metrics.dropped.Inc()
	}
}

// Now implements Env.
func (l *loop) Now() consensus.Time { return consensus.Time(time.Now().UnixMilli()) }

// Send implements Env.
func (l *loop) Send(to p2p.PeerID, class p2p.Class, msg []byte) { l.n.net.Send(to, class, msg) }

// Arm implements Env.
func (l *loop) Arm(id TimerID, at consensus.Time) { l.timers[id] = at }

// Announce implements Env.
func (l *loop) Announce(h Head) { l.n.relay.announce(h) }

// Report implements Env.
func (l *loop) Report(e quorum.Evidence) {
	l.n.metrics.evidence.Inc()
	l.n.log.Warn("a validator broke the rules of consensus", "validator", e.Signer(), "epoch", e.First.Epoch, "view", e.First.View,
		"offence", e.Offence, "evidence", e.ID())
	l.n.relay.report(e)
}

// CheckPayload implements Env.
func (l *loop) CheckPayload(hash crypto.Hash, payload [][]byte) {
	l.n.executor.payloads <- payloadJob{hash, payload}
}

// Execute implements Env.
func (l *loop) Execute(b FinalBlock) { l.n.executor.blocks <- b }

// EpochChanged implements Env. What it reads is in the ledger: the closing block was executed.
func (l *loop) EpochChanged(e *Epoch) {
	n := l.n
	if err := n.setEpoch(e); err != nil {
		n.log.Error("reading the validators of the epoch", "epoch", e.Number, "error", err) // the old ones stay peers
		return
	}
	if err := n.net.SetDirect(n.members.Load().others()); err != nil {
		n.log.Error("connecting to the validators of the epoch", "epoch", e.Number, "error", err)
	}
	n.net.Recheck()
	n.log.Info("epoch", "number", e.Number, "from", e.Anchor.Height, "validators", e.Domain.Set.Len(), "validator", e.Self)
}
