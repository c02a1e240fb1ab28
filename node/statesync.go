package node

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger/snapshot"
	"waybill/ledger/store"
	blocksync "waybill/node/sync"
	"waybill/p2p"
)

// snapshotsKept is how many snapshots a node that makes them keeps: a peer may still be fetching the one before.
const snapshotsKept = 2

// SnapshotsDir is where the snapshots of a data folder are.
func SnapshotsDir(dataDir string) string { return filepath.Join(dataDir, "snapshots") }

// stateKinds are the requests and answers of state sync.
var stateKinds = [...]struct {
	ask             blocksync.StateKind
	request, answer messageKind
}{
	{blocksync.AskHandovers, messageEpochRequest, messageEpochs},
	{blocksync.AskSnapshot, messageSnapshotRequest, messageSnapshot},
	{blocksync.AskChunk, messageChunkRequest, messageChunk},
}

// stateRequest decodes a peer's request.
func stateRequest(kind messageKind, body []byte) (*blocksync.StateRequest, error) {
	for _, k := range stateKinds {
		if k.request == kind {
			r, err := blocksync.DecodeStateRequest(k.ask, body)
			return &r, err
		}
	}
	return nil, malformed("message kind %d asks for no state", kind)
}

func encodeStateRequest(r *blocksync.StateRequest) []byte {
	return append([]byte{byte(stateKinds[r.Kind-blocksync.AskHandovers].request)}, r.Encode()...)
}

// stateServer answers requests for the state, on the goroutines that verify messages: the replica has no part in it, and
// reading a chunk must not keep it waiting. It implements sync.StateSource.
type stateServer struct {
	store   *store.Store
	library *snapshot.Library

	mu         sync.Mutex
	allowances map[p2p.PeerID]*allowance
	all        allowance
}

func newStateServer(s *store.Store, l *snapshot.Library) *stateServer {
	return &stateServer{store: s, library: l, allowances: map[p2p.PeerID]*allowance{}}
}

// answer makes the message that answers a request. A peer that took too much gets an empty answer, which makes an honest
// one ask somebody else, or us later.
func (s *stateServer) answer(now consensus.Time, from p2p.PeerID, r blocksync.StateRequest) []byte {
	msg := []byte{byte(stateKinds[r.Kind-blocksync.AskHandovers].answer)}
	if !s.allow(now, from) {
		return append(msg, blocksync.ServeState(nothingHere{}, r)...)
	}
	msg = append(msg, blocksync.ServeState(s, r)...)
	s.spend(from, len(msg))
	return msg
}

func (s *stateServer) allow(now consensus.Time, from p2p.PeerID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.allowances[from]
	if a == nil {
		if len(s.allowances) >= maxAllowances {
			clear(s.allowances)
		}
		a = &allowance{}
		s.allowances[from] = a
	}
	return a.refill(now, 1) && s.all.refill(now, allowanceSharers)
}

func (s *stateServer) spend(from p2p.PeerID, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.allowances[from]; a != nil {
		a.used += allowanceAnswer + int64(bytes)
	}
	s.all.used += allowanceAnswer + int64(bytes)
}

// Handover implements sync.StateSource.
func (s *stateServer) Handover(e quorum.Epoch) (store.Handover, error) { return s.store.Handover(e) }

// Newest implements sync.StateSource. A snapshot that cannot be read is as good as none.
func (s *stateServer) Newest(below quorum.Height) (*snapshot.Manifest, *snapshot.Proof) {
	list, err := s.library.List()
	if err != nil {
		return nil, nil
	}
	for _, info := range list {
		if below > 0 && info.Height >= below {
			continue
		}
		if stored, err := s.library.Open(info); err == nil {
			return stored.Manifest, stored.Proof
		}
	}
	return nil, nil
}

// Chunk implements sync.StateSource.
func (s *stateServer) Chunk(manifest crypto.Hash, index int) []byte {
	stored, err := s.library.Find(manifest)
	if err != nil {
		return nil
	}
	raw, err := stored.Chunk(index)
	if err != nil {
		return nil
	}
	return raw
}

// nothingHere is the source of a node that has nothing.
type nothingHere struct{}

func (nothingHere) Handover(quorum.Epoch) (store.Handover, error) {
	return store.Handover{}, store.ErrNotFound
}
func (nothingHere) Newest(quorum.Height) (*snapshot.Manifest, *snapshot.Proof) { return nil, nil }
func (nothingHere) Chunk(crypto.Hash, int) []byte                              { return nil }

// openSnapshots prepares what makes and serves snapshots.
func (n *Node) openSnapshots() error {
	library, err := snapshot.OpenLibrary(vfs.Default, SnapshotsDir(n.settings.DataDir))
	if err != nil {
		return err
	}
	n.taker = snapshot.NewTaker(n.store, library, n.settings.SnapshotEvery, snapshotsKept)
	n.states = newStateServer(n.store, library)
	return nil
}

// takeSnapshots writes the snapshots that are due.
func (n *Node) takeSnapshots(ctx context.Context) error {
	return n.taker.Run(ctx, func(s *snapshot.Stored) {
		n.log.Info("a snapshot was taken", "height", s.Manifest.Height(),
			"keys", s.Manifest.Keys, "bytes", s.Manifest.Bytes, "chunks", len(s.Manifest.Chunks))
	}, func(err error) { n.log.Warn("a snapshot could not be taken; the next one is tried", "error", err) })
}

// serveState answers a peer's request for the state.
func (n *Node) serveState(from p2p.PeerID, r *blocksync.StateRequest) {
	n.net.Send(from, p2p.ClassSync, n.states.answer(consensus.Time(time.Now().UnixMilli()), from, *r))
}

// ParseCheckpoint reads "EPOCH:HASH": an epoch, and the block that closed the one before it. "" is none.
func ParseCheckpoint(text string) (*snapshot.Checkpoint, error) {
	if text == "" {
		return nil, nil
	}
	number, hash, ok := strings.Cut(text, ":")
	if ok {
		e, err1 := strconv.ParseUint(number, 10, 64)
		h, err2 := crypto.ParseHash(hash)
		if err1 == nil && err2 == nil && e > 0 {
			return &snapshot.Checkpoint{Epoch: quorum.Epoch(e), Anchor: h}, nil
		}
	}
	return nil, errors.New("a checkpoint is EPOCH:HASH, an epoch and the hash of the block that closed the one before it")
}

// stateMessage is what a peer sent while we look for a snapshot.
type stateMessage struct {
	from p2p.PeerID
	kind blocksync.StateKind // 0: it came or went
	here bool
	raw  []byte
}

// stateInbox receives for the joiner. It implements p2p.Handler.
type stateInbox struct{ messages chan stateMessage }

// stateInboxSize bounds what waits: a few answers. When it is full readers of peers wait.
const stateInboxSize = 16

// Message implements p2p.Handler. Nothing but answers is passed on; whether they were asked for the fetcher knows.
func (i *stateInbox) Message(from p2p.PeerID, _ p2p.Class, msg []byte) {
	for _, k := range stateKinds {
		if len(msg) > 0 && messageKind(msg[0]) == k.answer {
			i.post(stateMessage{from: from, kind: k.ask, raw: msg[1:]})
		}
	}
}

// Connected implements p2p.Handler.
func (i *stateInbox) Connected(p p2p.PeerID) { i.post(stateMessage{from: p, here: true}) }

// Disconnected implements p2p.Handler.
func (i *stateInbox) Disconnected(p p2p.PeerID) { i.post(stateMessage{from: p}) }

func (i *stateInbox) post(m stateMessage) {
	select {
	case i.messages <- m:
	case <-time.After(messagePatience):
	}
}

// fetchSnapshot runs a fetcher over the network until a snapshot is in the library; nil when there is none to be had.
func fetchSnapshot(
	ctx context.Context, f *blocksync.StateFetcher, e *snapshot.Epochs, l *snapshot.Library, net *p2p.Network, log *slog.Logger,
) (stored *snapshot.Stored, err error) {
	inbox := &stateInbox{messages: make(chan stateMessage, stateInboxSize)}
	net.Handle(inbox)
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- net.Run(ctx) }()
	j := &joiner{fetcher: f, library: l, log: log}
	defer func() {
		stop()
		err = errors.Join(err, <-ended, j.abandon())
	}()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		now := time.Now().UnixMilli()
		for _, r := range f.Next(now) {
			net.Send(p2p.PeerID(r.Peer), p2p.ClassSync, encodeStateRequest(&r))
		}
		if f.Nothing(now) {
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		case m := <-inbox.messages:
			if err := j.take(time.Now().UnixMilli(), m); err != nil {
				return nil, err
			}
		}
		if f.Done() {
			w := j.writer
			j.writer = nil
			return w.Finish(e.Handovers())
		}
	}
}

// joiner passes what comes to the fetcher, and what it finds good to the library.
type joiner struct {
	fetcher *blocksync.StateFetcher
	library *snapshot.Library
	log     *slog.Logger

	writer *snapshot.Writer
	of     *snapshot.Certified // what writer writes
}

func (j *joiner) take(now int64, m stateMessage) error {
	if m.kind == 0 {
		if m.here {
			j.fetcher.Connect(string(m.from))
		} else {
			j.fetcher.Forget(string(m.from))
		}
		return nil
	}
	event, err := j.fetcher.Answer(now, string(m.from), m.kind, m.raw)
	if err != nil {
		j.log.Debug("a peer's answer is of no use", "peer", m.from, "error", err)
	}
	if event.Chunk < 0 {
		return nil
	}
	if c := j.fetcher.Chosen(); c != j.of {
		if err := j.abandon(); err != nil {
			return err
		}
		if j.writer, err = j.library.Begin(c); err != nil {
			return err
		}
		j.of = c
		j.log.Info("fetching a snapshot", "height", c.Manifest().Height(), "keys", c.Manifest().Keys, "bytes", c.Manifest().Bytes)
	}
	return j.writer.Put(event.Chunk, event.Raw)
}

func (j *joiner) abandon() error {
	w := j.writer
	j.writer, j.of = nil, nil
	if w == nil {
		return nil
	}
	return w.Abandon()
}

// genesisPeers are the nodes of the first validators, as far as the genesis names them.
func genesisPeers(keys []crypto.PublicKey, self p2p.PeerID) []p2p.PeerID {
	var out []p2p.PeerID
	for _, k := range keys {
		if id, err := p2p.PeerIDFromPublicKey(k[:]); err == nil && id != self && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}
