package node

import (
	"cmp"
	"slices"

	"waybill/consensus"
	"waybill/consensus/quorum"
	blocksync "waybill/node/sync"
	"waybill/p2p"
)

// What a peer may take of us in blocks and proposals. A peer whose allowance is used up is told so with an empty
// answer, which makes an honest one ask somebody else, or us a second later.
const (
	allowanceBytes   = 32 << 20 // at once …
	allowancePerMs   = 16 << 10 // … and after that; all who do not vote share four times as much
	allowanceAnswer  = 4 << 10  // of any answer, besides its length
	allowanceBlock   = 4 << 10  // of every block read for an answer, sent or not: reading is what a small one costs
	allowanceSharers = 4
	maxAllowances    = 1024 // peers whose allowance is remembered; at the limit all are forgotten
)

// allowance is how much of allowanceBytes is used up.
type allowance struct {
	used int64
	at   consensus.Time
	told consensus.Time // when the peer, of an earlier epoch, was last told our status
}

// refill lets time pass, and reports whether anything is left.
func (a *allowance) refill(now consensus.Time, share int64) bool {
	a.used = max(0, a.used-share*allowancePerMs*min(max(int64(now-a.at), 0), 1<<20))
	a.at = now
	return a.used < share*allowanceBytes
}

func (r *Replica) allowanceOf(peer p2p.PeerID) *allowance {
	a := r.allowances[peer]
	if a == nil {
		if len(r.allowances) >= maxAllowances {
			clear(r.allowances)
		}
		a = &allowance{}
		r.allowances[peer] = a
	}
	return a
}

// allow reports whether a peer may be given something, and what spends it.
func (r *Replica) allow(peer p2p.PeerID) (spend func(bytes int), ok bool) {
	a := r.allowanceOf(peer)
	ok = a.refill(r.env.Now(), 1)
	shared := &allowance{}
	if r.epoch.index(peer) < 0 {
		shared = &r.strangers
		ok = shared.refill(r.env.Now(), allowanceSharers) && ok
	}
	return func(bytes int) {
		a.used += allowanceAnswer + int64(bytes)
		shared.used += allowanceAnswer + int64(bytes)
	}, ok
}

// Receive takes a verified message. Transactions are not the replica's business: whoever runs it puts them
// into the pool and calls PoolChanged.
func (r *Replica) Receive(in *Inbound) error {
	if in.later != nil && in.status.Epoch == r.epoch.Number { // its epoch began here meanwhile
		again, err := r.epoch.Verify(in.From, in.later)
		if err != nil || again == nil {
			return r.run()
		}
		in = again
	}
	r.take(in)
	return r.run()
}

func (r *Replica) take(in *Inbound) {
	if in.kind >= messageVotes && in.kind <= messageStatus {
		r.fetcher.Claim(string(in.From), in.status.FinalHeight)
		if in.status.Epoch != r.epoch.Number {
			r.foreign(in)
			return
		}
		if from := r.epoch.index(in.From); from >= 0 && from != r.epoch.Self {
			r.push(consensus.StatusArrived{From: from, Status: in.status})
		}
		if in.epoch != r.epoch.Number {
			return // verified with the set of another epoch
		}
	}
	switch in.kind {
	case messageVotes:
		for _, v := range in.votes {
			r.recovery.saw(v.Vote().Epoch, v.Vote().View)
		}
		if len(in.votes) > 0 {
			r.push(consensus.VotesArrived{Votes: in.votes})
		}
	case messageProposal:
		r.recovery.saw(in.proposal.Header().Epoch, in.proposal.Header().View)
		r.push(consensus.ProposalArrived{Proposal: in.proposal})
	case messageCertificate:
		r.recovery.saw(in.certificate.Certificate().Epoch, in.certificate.Certificate().View)
		r.prove(in.certificate)
		r.push(consensus.CertificateArrived{Certificate: in.certificate})
	case messageBlockRequest:
		r.serveBlocks(in)
	case messageBlocks:
		r.receiveBlocks(in)
	case messageProposalRequest:
		r.serveProposal(in)
	}
}

// Connected tells a new peer where we stand.
func (r *Replica) Connected(peer p2p.PeerID) error {
	r.env.Send(peer, classOf(messageStatus), withStatus(messageStatus, r.machine.Status(), nil))
	return r.run()
}

// Disconnected forgets what a peer claimed.
func (r *Replica) Disconnected(peer p2p.PeerID) error {
	r.fetcher.Forget(string(peer))
	return r.run()
}

// HeadAnnounced takes a finalized block's announcement from gossip, verified for this epoch.
func (r *Replica) HeadAnnounced(from p2p.PeerID, height quorum.Height, cert quorum.VerifiedCertificate) error {
	r.fetcher.Claim(string(from), height)
	if cert.Certificate().Epoch != r.epoch.Number {
		return r.run()
	}
	r.prove(cert)
	r.push(consensus.CertificateArrived{Certificate: cert})
	return r.run()
}

// HeadClaimed takes an announcement that cannot be verified here yet: its epoch has not begun.
func (r *Replica) HeadClaimed(from p2p.PeerID, epoch quorum.Epoch, height quorum.Height) error {
	r.fetcher.Claim(string(from), height)
	if epoch > r.epoch.Number {
		r.laterEpoch = true
		r.pumpSync()
	}
	return r.run()
}

func (r *Replica) prove(c quorum.VerifiedCertificate) {
	if cert := c.Certificate(); cert.Kind == quorum.KindFinalize {
		r.proven = max(r.proven, cert.Height)
	}
}

// bestKnown is the highest height that is certainly final: one that a certificate shows, or that validators claim of
// whom one at least is honest. A single liar's claim makes us ask for blocks, but is shown to nobody as the truth.
func (r *Replica) bestKnown() quorum.Height {
	var claims []claim
	set := r.epoch.Domain.Set
	for i, p := range r.epoch.Peers {
		if i != r.epoch.Self {
			claims = append(claims, claim{uint64(r.fetcher.Claimed(string(p))), set.At(i).Power})
		}
	}
	return max(r.proven, quorum.Height(certain(claims, set.Blocking())))
}

// claim is a height or view that a validator says it has reached.
type claim struct {
	value uint64
	power quorum.Power
}

// certain is the highest value that claims of at least this power reach.
func certain(claims []claim, power quorum.Power) uint64 {
	slices.SortFunc(claims, func(a, b claim) int { return cmp.Compare(b.value, a.value) })
	var sum quorum.Power
	for _, c := range claims {
		if sum += c.power; sum >= power {
			return c.value
		}
	}
	return 0
}

func (r *Replica) serveBlocks(in *Inbound) {
	answer := []byte{byte(messageBlocks)}
	if spend, ok := r.allow(in.From); ok {
		blocks, err := r.ledger.Blocks(in.first, min(in.most, blocksync.MaxBlocksPerAnswer))
		if err != nil {
			r.halted = err
			return
		}
		answer = append(answer, blocksync.EncodeBlocks(blocksync.TrimAnswer(blocks))...)
		spend(len(answer) + len(blocks)*allowanceBlock)
	} else {
		answer = append(answer, blocksync.EncodeBlocks(nil)...)
	}
	r.env.Send(in.From, p2p.ClassSync, answer)
}

func (r *Replica) serveProposal(in *Inbound) {
	c := r.candidates.get(in.hash)
	if c == nil || c.proposal.Header().Epoch != r.epoch.Number {
		return // of an epoch that is over the ledger has everything: block sync
	}
	spend, ok := r.allow(in.From)
	if !ok {
		return
	}
	p := c.proposal.Proposal()
	msg := withStatus(messageProposal, r.machine.Status(), p.Encode())
	spend(len(msg))
	r.env.Send(in.From, classOf(messageProposal), msg)
}

// claimFor lets block sync ask those who certified a block that we do not hold.
func (r *Replica) claimFor(height quorum.Height, signers []int) {
	for _, i := range signers {
		if i >= 0 && i < len(r.epoch.Peers) && i != r.epoch.Self {
			r.fetcher.Claim(string(r.epoch.Peers[i]), height)
		}
	}
	r.pumpSync()
}

// syncLag is how far behind a peer's claim we let consensus alone catch up before we ask for blocks. What a
// peer claims never stops anything else: it only makes us ask.
const syncLag = 2

// maxUnexecuted bounds the blocks that wait for execution: block sync asks for no more until they are done. For
// blocks by consensus there is maxBacklog.
const maxUnexecuted = 256

// stallMs is how long we may stand below a peer's claim, however small the distance, before we ask for blocks after
// all: what finalized the last block may be with nobody who would send it again.
const stallMs = 1_000

func (r *Replica) pumpSync() {
	if r.closingAt > 0 || r.final.Height > r.executed+maxUnexecuted {
		return // what follows is verified with a set that is not here yet, or waits for execution
	}
	lag := quorum.Height(syncLag)
	if r.laterEpoch || r.env.Now()-r.risenAt >= stallMs {
		lag = 0
	}
	if !r.fetcher.Busy() && !r.fetcher.Ahead(r.final.Height+lag) && r.missed <= r.final.Height {
		return
	}
	if req := r.fetcher.Next(int64(r.env.Now()), r.final); req != nil {
		r.env.Send(p2p.PeerID(req.Peer), p2p.ClassSync, encodeBlockRequest(*req))
	}
}

// receiveBlocks executes a verified run and tells the machine where the ledger is now.
func (r *Replica) receiveBlocks(in *Inbound) {
	blocks, cert, err := r.fetcher.Answer(int64(r.env.Now()), string(in.From), r.final, in.blocks)
	if err != nil || len(blocks) == 0 {
		r.pumpSync()
		return
	}
	last := blocks[len(blocks)-1].Header
	if last.IsClosing() { // before it is in the ledger for good
		if r.halted = r.contradicts(last.Epoch+1, last); r.halted != nil {
			return
		}
	}
	if err := r.journal.Keep([]quorum.VerifiedCertificate{cert}); err != nil {
		r.halted = err
		return
	}
	c := cert.Certificate()
	for i := range blocks {
		b := &blocks[i]
		if r.newer(b.Header.Height) != nil {
			return // what is below halts us when it is executed
		}
		final := FinalBlock{Header: b.Header, Hash: b.Header.Hash(), Payload: b.Payload, Certificate: &c, Next: b.Next}
		r.execute(final)
		r.closedBySync = r.closingAt > 0
		r.candidates.setFinal(b.Header, final.Hash)
	}
	r.push(consensus.Synced{Tip: consensus.Tip{Header: last, Certificate: cert, EmptyTail: emptyTail(blocks, r.epoch.Rules.ExecDelay)}})
	r.noteWork()
	r.pumpSync()
}

// emptyTail counts the blocks without transactions at the end of a run, up to limit.
func emptyTail(blocks []blocksync.Block, limit uint64) uint64 {
	n := uint64(0)
	for i := len(blocks) - 1; i >= 0 && n < limit && blocks[i].Header.TxCount == 0; i-- {
		n++
	}
	return n
}
