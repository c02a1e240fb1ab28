package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/p2p"
)

// Gossip topics.
const (
	topicTransactions = "tx"   // nonce:8, then messageTransactions, from nodes that do not vote
	topicHeads        = "head" // header and certificate of a finalized block, from validators
)

// maxGossip has room for a message of transactions, or one transaction that is larger than that.
const maxGossip = gossipNonce + maxTransactionsBytes + ledger.MaxTransactionBytes + 8

const gossipNonce = 8 // bytes

// Bounds and rhythm of the relay.
const (
	relayQueue      = 4096                   // submitted, not passed on yet; at the limit Submit answers busy
	relayPause      = 5 * time.Millisecond   // to gather transactions into one message
	relayAgain      = 3 * time.Second        // a transaction still waiting after this is passed on once more
	relayOwn        = 4096                   // of these at most are remembered; the oldest is forgotten
	relayRemembered = 65_536                 // ids of submitted transactions remembered
	evidenceQueue   = 64                     // proofs of offences not submitted yet; at the limit one is dropped
	headsQueue      = 16                     // announcements waiting; at the limit one is dropped
	headsEvery      = 2 * time.Second        // an idle validator's turn to announce the last block again
	publishTime     = 500 * time.Millisecond // for one publication
)

// relay passes on what was submitted here: a validator sends straight to the other validators, any other
// node publishes. It also announces finalized blocks to nodes that do not vote.
type relay struct {
	n     *Node
	queue chan ownTransaction
	heads chan Head
	proof chan quorum.Evidence

	submitted *lru.Cache[crypto.Hash, quorum.Height] // the last ones with their expiry, to tell expired from unknown
	gossiped  *lru.Cache[crypto.Hash, time.Time]     // when a transaction was last forwarded; see firstLately

	// Owned by the goroutine of run.
	own  []ownTransaction
	last Head
}

type ownTransaction struct {
	id  crypto.Hash
	raw []byte
	at  time.Time
}

func newRelay(n *Node) (*relay, error) {
	submitted, err := lru.New[crypto.Hash, quorum.Height](relayRemembered)
	if err != nil {
		return nil, fmt.Errorf("remembering submitted transactions: %w", err)
	}
	gossiped, err := lru.New[crypto.Hash, time.Time](relayRemembered)
	if err != nil {
		return nil, fmt.Errorf("remembering forwarded transactions: %w", err)
	}
	return &relay{n: n, submitted: submitted, gossiped: gossiped, queue: make(chan ownTransaction, relayQueue), heads: make(chan Head, headsQueue), proof: make(chan quorum.Evidence, evidenceQueue)}, nil
}

// firstLately reports whether any of these transactions was not forwarded within half of relayAgain. A topic tells repetitions
// by their bytes, and the nonce makes new ones of the same transactions as often as anybody likes: without this, one
// peer could make the whole network carry them.
func (r *relay) firstLately(raws [][]byte, now time.Time) bool {
	first := false
	for _, raw := range raws {
		key := crypto.Sum(crypto.TagTransaction, raw)
		if at, known := r.gossiped.Get(key); !known || now.Sub(at) >= relayAgain/2 {
			first = true
			r.gossiped.Add(key, now)
		}
	}
	return first
}

// submit queues a transaction; false when there is no room.
func (r *relay) submit(tx *ledger.Transaction, raw []byte) bool {
	select {
	case r.queue <- ownTransaction{tx.ID(), raw, time.Now()}:
		r.submitted.Add(tx.ID(), tx.Body.ExpiryHeight)
		return true
	default:
		return false
	}
}

// wasSubmitted reports whether a transaction came through this node lately, and the last height at which it can be
// executed.
func (r *relay) wasSubmitted(id crypto.Hash) (expiry quorum.Height, ok bool) {
	return r.submitted.Get(id)
}

// announce never waits: the next block's announcement says all that this one does.
func (r *relay) announce(h Head) {
	select {
	case r.heads <- h:
	default:
	}
}

// report never waits.
func (r *relay) report(e quorum.Evidence) {
	select {
	case r.proof <- e:
	default:
	}
}

// accuse makes the transaction that proves an offence and sends it like one of our own. Whoever saw the same votes makes
// the same transaction.
func (r *relay) accuse(ctx context.Context, e quorum.Evidence) {
	record, err := r.n.store.Epoch(e.First.Epoch)
	if err != nil {
		r.n.log.Error("no validators are known for evidence", "epoch", e.First.Epoch, "error", err)
		return
	}
	tx, err := ledger.NewEvidenceTransaction(quorum.Domain{Genesis: r.n.store.Genesis(), Set: record.Set}, e)
	if err != nil {
		r.n.log.Error("evidence that is none", "evidence", e.ID(), "error", err)
		return
	}
	if err := r.n.admit([][]byte{tx.Raw()})[0]; err != nil {
		r.n.log.Debug("evidence is not taken", "evidence", e.ID(), "error", err) // mostly: punished already
		return
	}
	if r.n.pool.has(tx.ID()) {
		r.pass(ctx, []ownTransaction{{tx.ID(), tx.Raw(), time.Now()}})
	}
}

func (r *relay) run(ctx context.Context) error {
	again := time.NewTicker(relayAgain)
	defer again.Stop()
	turn := time.NewTicker(headsEvery)
	defer turn.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case tx := <-r.queue:
			r.pass(ctx, r.gather(ctx, tx))
		case e := <-r.proof:
			r.accuse(ctx, e)
		case h := <-r.heads:
			r.last = h
			r.publishHead(ctx, h)
		case <-again.C:
			r.repeat(ctx)
		case now := <-turn.C:
			r.announceInTurn(ctx, now)
		}
	}
}

// gather waits a moment for more.
func (r *relay) gather(ctx context.Context, first ownTransaction) []ownTransaction {
	batch, size := []ownTransaction{first}, len(first.raw)
	timer := time.NewTimer(relayPause)
	defer timer.Stop()
	for size < maxTransactionsBytes {
		select {
		case <-ctx.Done():
			return batch
		case <-timer.C:
			return batch
		case tx := <-r.queue:
			batch, size = append(batch, tx), size+len(tx.raw)
		}
	}
	return batch
}

func (r *relay) pass(ctx context.Context, batch []ownTransaction) {
	raws := make([][]byte, len(batch))
	for i, tx := range batch {
		raws[i] = tx.raw
	}
	for _, msg := range EncodeTransactions(raws) {
		r.send(ctx, msg)
	}
	r.own = append(r.own, batch...)
	if extra := len(r.own) - relayOwn; extra > 0 {
		r.own = append([]ownTransaction(nil), r.own[extra:]...)
	}
}

func (r *relay) send(ctx context.Context, msg []byte) {
	members := r.n.members.Load()
	if members.epoch.Self < 0 {
		// A topic forwards equal bytes once: without the nonce a repetition would go nowhere.
		nonce := binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixNano()))
		r.publish(ctx, topicTransactions, append(nonce, msg...))
		return
	}
	for _, peer := range members.others() {
		r.n.net.Send(peer, p2p.ClassBatch, msg)
	}
}

func (r *relay) publish(ctx context.Context, topic string, msg []byte) {
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	if err := r.n.net.Publish(ctx, topic, msg); err != nil && ctx.Err() == nil {
		r.n.log.Debug("publishing failed", "topic", topic, "error", err)
	}
}

// repeat passes on once more what waits for long: the first message may have met a validator that was down.
func (r *relay) repeat(ctx context.Context) {
	var kept, late []ownTransaction
	for _, tx := range r.own {
		switch {
		case !r.n.pool.has(tx.id):
		case time.Since(tx.at) >= relayAgain:
			late = append(late, tx)
		default:
			kept = append(kept, tx)
		}
	}
	r.own = kept
	if len(late) > 0 {
		r.pass(ctx, late)
	}
}

func (r *relay) publishHead(ctx context.Context, h Head) {
	r.publish(ctx, topicHeads, append(h.Header.Encode(), h.Certificate.Encode()...))
}

// announceInTurn lets one validator after the other announce the last certified block of its ledger, so that
// a node which missed the announcement learns of it even while the chain is idle.
func (r *relay) announceInTurn(ctx context.Context, now time.Time) {
	e := r.n.members.Load().epoch
	if turn := int(now.Unix()/int64(headsEvery/time.Second)) % e.Domain.Set.Len(); e.Self != turn {
		return
	}
	height := r.n.store.Tip().Height
	cert, err := r.n.store.Certificate(height)
	if err != nil || cert == nil {
		return
	}
	header, err := r.n.store.Header(height)
	if err == nil {
		r.publishHead(ctx, Head{Header: header, Certificate: *cert})
	}
}

// joinTopics subscribes; before the network runs.
func (n *Node) joinTopics() error {
	if err := n.net.Join(p2p.Topic{Name: topicTransactions, MaxBytes: maxGossip}, n.judgeTransactions, ignore); err != nil {
		return err
	}
	return n.net.Join(p2p.Topic{Name: topicHeads, MaxBytes: quorum.HeaderSize + quorum.MaxCertificateSize}, n.judgeHead, ignore)
}

// ignore receives what was dealt with while it was judged.
func ignore(p2p.PeerID, []byte) {}

// judgeTransactions holds gossiped transactions. The sender answers for form and signatures; whether the
// ledger takes them may look different where it is further, or not as far.
func (n *Node) judgeTransactions(_ p2p.PeerID, msg []byte) p2p.Verdict {
	if len(msg) <= gossipNonce || messageKind(msg[gossipNonce]) != messageTransactions {
		return p2p.Reject
	}
	raws, err := decodeTransactions(msg[gossipNonce+1:])
	if err != nil {
		return p2p.Reject
	}
	if !n.relay.firstLately(raws, time.Now()) {
		return p2p.Ignore
	}
	verdict := p2p.Accept
	for _, err := range n.admit(raws) {
		var form *ledger.FormError
		switch {
		case errors.As(err, &form) && form.Kind != ledger.ErrState:
			return p2p.Reject
		case err != nil:
			verdict = p2p.Ignore
		}
	}
	return verdict
}

// judgeHead verifies an announced block and tells the replica.
func (n *Node) judgeHead(from p2p.PeerID, msg []byte) p2p.Verdict {
	if len(msg) < quorum.HeaderSize {
		return p2p.Reject
	}
	header, err := quorum.DecodeHeader(msg[:quorum.HeaderSize])
	if err != nil {
		return p2p.Reject
	}
	cert, err := quorum.DecodeCertificate(msg[quorum.HeaderSize:])
	if err != nil || cert.Kind != quorum.KindFinalize || cert.Finalizes() != header.Hash() ||
		cert.Height != header.Height || cert.Epoch != header.Epoch {
		return p2p.Reject
	}
	e := n.members.Load().epoch
	if header.Height <= n.store.Tip().Height || header.Epoch < e.Number {
		return p2p.Ignore
	}
	if header.Epoch > e.Number { // we are behind, and cannot tell yet whether it is true
		n.loop.tryPost(func(r *Replica) error { return r.HeadClaimed(from, header.Epoch, header.Height) })
		return p2p.Ignore
	}
	verified, err := quorum.VerifyCertificate(e.Domain, cert)
	if err != nil {
		return p2p.Reject
	}
	n.loop.tryPost(func(r *Replica) error { return r.HeadAnnounced(from, header.Height, verified) })
	return p2p.Accept
}
