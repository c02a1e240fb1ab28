package node

import (
	"fmt"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/node/journal"
	"waybill/node/signer"
	blocksync "waybill/node/sync"
	"waybill/p2p"
)

// Replica is one node's part in the network: it owns the consensus machine, the blocks that are not final
// yet, and block sync, and performs the machine's outputs in their order. It is single-threaded: one
// goroutine (or the simulator) calls its methods, one at a time. After an error or a Halt it must not be
// called again; what is signed stays signed.
//
// Invariants: (1) nothing is sent that the journal has not made durable; (2) blocks go to Env.Execute in
// height order, each once; (3) candidates, cached proposals and requests are bounded.
type Replica struct {
	cfg    Config
	env    Env
	ledger Ledger
	pool   Pool
	disk   journal.Disk
	signer signer.Signer // nil never signs

	// Of the epoch.
	epoch        *Epoch
	journal      *journal.Journal
	machine      *consensus.Machine
	sets         map[quorum.Height]*quorum.Set // what states elected
	closingAt    quorum.Height                 // the final closing block, until it is executed; else 0
	closedBySync bool                          // it came by block sync
	later        []*Inbound                    // of the next epoch

	// Blocks.
	candidates *candidates
	final      blocksync.Tip // last finalized block, given to Execute
	finalExec  quorum.Height // the height whose result its header carries
	lastWork   quorum.Height // the last finalized block with transactions
	executed   quorum.Height

	// What waits.
	inputs   []consensus.Input // for the machine, in order
	building *consensus.BuildRequest
	checking map[crypto.Hash]bool // payload checks under way
	clockAt  consensus.Time       // when timerClock fires; 0 when it is not armed
	pending  bool                 // what the machine knows of Pool.Pending
	recovery *recovery            // nil when it is over, or there never was one
	unsigned []quorum.Vote        // of this epoch, until the signer can be reached or the view is over

	// Block sync.
	fetcher    *blocksync.Fetcher
	proven     quorum.Height  // of the highest finalization seen
	missed     quorum.Height  // final, but dropped here before it could be executed: block sync brings it
	laterEpoch bool           // somebody says that a later epoch has begun
	risenAt    consensus.Time // when final last rose

	allowances map[p2p.PeerID]*allowance // what peers may take
	strangers  allowance                 // what all that do not vote may take together

	halted error
}

// NewReplica continues from what disk and ledger hold. Start sets it going. Without a signer it never votes; with
// Config.Recover it must be nil.
func NewReplica(cfg Config, env Env, ledger Ledger, pool Pool, disk journal.Disk, signs signer.Signer) (*Replica, error) {
	r := &Replica{
		cfg: cfg, env: env, ledger: ledger, pool: pool, disk: disk, signer: signs,
		candidates: newCandidates(), checking: map[crypto.Hash]bool{}, allowances: map[p2p.PeerID]*allowance{},
	}
	if cfg.Recover != nil {
		r.recovery, r.signer = &recovery{}, nil
	}
	info, err := ledger.Epoch()
	if err != nil {
		return nil, err
	}
	r.recovery.enter(info.Number, true)
	if err := r.enter(info); err != nil {
		return nil, err
	}
	return r, nil
}

// enter begins to work in an epoch, from what disk and ledger hold of it.
func (r *Replica) enter(info EpochInfo) error {
	if err := r.contradicts(info.Number, info.Anchor); err != nil {
		return err
	}
	e := NewEpoch(r.cfg.Genesis, r.cfg.Key, r.cfg.Checker, info)
	j, found, err := journal.Open(r.disk, journal.Config{
		Domain: e.Domain, Slate: e.Slate, Anchor: e.Anchor, Epoch: e.Number, Self: e.Self, Signer: r.signer,
	})
	if err != nil {
		return err
	}
	tip, err := r.ledger.Tip()
	if err != nil {
		return err
	}
	if err := e.Rules.Newer.Refuses(tip.Header.Height + 1); err != nil {
		return err
	}
	tip.EmptyTail = min(tip.EmptyTail, e.Rules.ExecDelay)
	rec := consensus.Recovered{
		Votes: found.Votes, OwnProposals: found.OwnProposals, Blocks: found.Blocks,
		Certificates: found.Certificates, Signed: found.Signed,
	}
	if tip.Header.Height > e.Anchor.Height {
		cert, err := tipCertificate(e, tip, found.Certificates)
		if err != nil {
			return err
		}
		rec.LastFinal = &consensus.Tip{Header: tip.Header, Certificate: cert, EmptyTail: tip.EmptyTail}
	}
	r.epoch, r.journal = e, j
	r.machine = consensus.New(consensus.Config{
		Domain: e.Domain, Epoch: e.Number, Slate: e.Slate, Anchor: e.Anchor,
		Self: r.votesAs(e), ExecDelay: e.Rules.ExecDelay, Timing: e.Rules.Timing,
	}, rec)
	r.closedBySync = false
	r.sets, r.closingAt, r.laterEpoch = map[quorum.Height]*quorum.Set{}, 0, false
	r.inputs, r.building, r.pending, r.missed = nil, nil, false, 0
	r.unsigned = nil
	clear(r.checking)
	r.candidates.dropOpen()
	if r.fetcher == nil {
		r.fetcher = blocksync.NewFetcher(e.Domain, e.Number, e.others())
	} else {
		r.fetcher = r.fetcher.InEpoch(e.Domain, e.Number, e.others())
	}
	r.stand(tip)
	for _, p := range append(found.OwnProposals, found.Blocks...) {
		r.candidates.add(p)
		r.candidates.get(p.Hash()).stored = true
	}
	return nil
}

// votesAs is the index that the machine signs for; -1 when there is nothing to sign with.
func (r *Replica) votesAs(e *Epoch) int {
	if r.signer == nil {
		return -1
	}
	return e.Self
}

// stand notes where the ledger is.
func (r *Replica) stand(tip LedgerTip) {
	hash := tip.Header.Hash()
	r.final = blocksync.Tip{Height: tip.Header.Height, Hash: hash, TimeMs: tip.Header.TimeMs}
	r.finalExec, r.executed = tip.Header.ExecHeight, tip.Header.Height
	r.lastWork = 0
	if tip.EmptyTail < r.epoch.Rules.ExecDelay {
		r.lastWork = tip.Header.Height - quorum.Height(tip.EmptyTail)
	}
	if _, known := r.candidates.header(hash); !known {
		r.candidates.setFinal(tip.Header, hash)
	}
}

// Epoch is the epoch that the replica works in.
func (r *Replica) Epoch() *Epoch { return r.epoch }

// tipCertificate finds what finalized the last block of our ledger: its own certificate, or one of a
// descendant, which the journal kept before the block was committed.
func tipCertificate(e *Epoch, tip LedgerTip, kept []quorum.VerifiedCertificate) (quorum.VerifiedCertificate, error) {
	if tip.Certificate != nil {
		cert, err := quorum.VerifyCertificate(e.Domain, *tip.Certificate)
		if err != nil {
			return cert, fmt.Errorf("the certificate of our own block %d: %w", tip.Header.Height, err)
		}
		return cert, nil
	}
	for _, c := range kept {
		if cert := c.Certificate(); cert.Kind == quorum.KindFinalize && cert.Height >= tip.Header.Height && cert.Epoch == e.Number {
			return c, nil
		}
	}
	return quorum.VerifiedCertificate{}, fmt.Errorf("nothing on disk certifies our last block %d: the data folder is damaged; remove it and sync again", tip.Header.Height)
}

// Start enters the first view.
func (r *Replica) Start() error {
	r.env.Arm(timerSync, r.env.Now().Add(syncEveryMs))
	r.risenAt = r.env.Now()
	r.begin()
	return r.run()
}

// Halted returns why the replica stopped, nil while it works.
func (r *Replica) Halted() error { return r.halted }

// Snapshot describes the state for a status page.
func (r *Replica) Snapshot() Snapshot {
	return Snapshot{
		Consensus: r.machine.Snapshot(), Final: r.final, Executed: r.executed,
		Candidates: r.candidates.len(), BestKnown: r.bestKnown(), Syncing: r.fetcher.Busy(),
		SignerAway: r.journal.Away() || len(r.unsigned) > 0, Recovering: r.recovery != nil,
	}
}

// Snapshot is a copy of what a status page shows of a replica.
type Snapshot struct {
	Consensus  consensus.Snapshot
	Final      blocksync.Tip
	Executed   quorum.Height
	Candidates int           // blocks held that are not final
	BestKnown  quorum.Height // what is certainly final somewhere: no liar makes it too high
	Syncing    bool          // a request for blocks is out
	SignerAway bool          // the signer does not answer: this validator does not vote
	Recovering bool          // --recover-signer watches and does not vote yet
}

func (r *Replica) push(in consensus.Input) { r.inputs = append(r.inputs, in) }

// run feeds the machine until nothing waits. The first error stops everything for good.
func (r *Replica) run() error {
	for len(r.inputs) > 0 && r.halted == nil {
		in := r.inputs[0]
		r.inputs = r.inputs[1:]
		if err := r.perform(r.machine.Step(r.env.Now(), in)); err != nil {
			r.halted = err
		}
	}
	return r.halted
}

// perform carries out one output, in the order of its fields.
func (r *Replica) perform(out consensus.Output) error {
	if out.Halt != nil {
		for _, e := range out.Evidence {
			r.env.Report(e)
		}
		return out.Halt
	}
	if len(out.Store) > 0 {
		if err := r.journal.Keep(out.Store); err != nil {
			return err
		}
	}
	if err := r.sign(out.Sign); err != nil {
		return err
	}
	for _, m := range out.Send {
		if m.Proposal != nil {
			if err := r.journal.SyncProposal(); err != nil {
				return err
			}
		}
		r.send(m)
	}
	for _, t := range out.Timers {
		r.env.Arm(TimerID(t.ID), t.At)
	}
	if out.Build != nil {
		r.building = out.Build
		if err := r.tryBuild(); err != nil {
			return err
		}
	}
	for _, v := range out.Validate {
		r.candidates.add(v.Proposal)
		r.candidates.get(v.Hash).wanted = true
		r.tryValidate(v.Hash)
	}
	for _, f := range out.Fetch {
		r.askProposal(f)
	}
	if out.Sync != nil {
		r.missed = max(r.missed, out.Sync.Height)
		r.claimFor(out.Sync.Height, out.Sync.From)
	}
	if err := r.finalize(out.Finalized); err != nil {
		return err
	}
	for _, e := range out.Evidence {
		r.env.Report(e)
	}
	return nil
}

// sign makes votes durable together with the blocks they notarize, then sends them and hands them back. Votes of the
// present view wait for a signer that is out of reach: without them the view might never end.
func (r *Replica) sign(votes []quorum.Vote) error {
	votes = append(r.unsigned, votes...)
	r.unsigned = nil
	if len(votes) == 0 {
		return nil
	}
	var blocks []quorum.VerifiedProposal
	for _, v := range votes {
		if c := r.candidates.get(v.Block); v.Kind == quorum.KindNotarize && c != nil && !c.stored {
			blocks = append(blocks, c.proposal)
			c.stored = true
		}
	}
	signed, refused, err := r.journal.Sign(votes, blocks)
	if err != nil {
		return err
	}
	if len(signed) > 0 {
		r.toValidators(messageVotes, encodeVotes(r.machine.Status(), signed))
		r.push(consensus.VotesArrived{Votes: signed})
	}
	for _, v := range refused {
		if r.journal.Away() && v.View >= r.machine.Snapshot().View {
			r.unsigned = append(r.unsigned, v)
			continue
		}
		r.push(consensus.SignRefused{Vote: v})
	}
	return nil
}

func (r *Replica) send(out consensus.Outgoing) {
	kind, msg := encodeOutgoing(out)
	if out.To == consensus.Everyone {
		r.toValidators(kind, msg)
	} else if out.To >= 0 && out.To < len(r.epoch.Peers) && out.To != r.epoch.Self {
		r.env.Send(r.epoch.Peers[out.To], classOf(kind), msg)
	}
}

func (r *Replica) toValidators(kind messageKind, msg []byte) {
	for i, peer := range r.epoch.Peers {
		if i != r.epoch.Self {
			r.env.Send(peer, classOf(kind), msg)
		}
	}
}

// askProposal asks one or two of those who signed for a block, other ones at every repetition.
func (r *Replica) askProposal(f consensus.FetchRequest) {
	if c := r.candidates.get(f.Hash); c != nil {
		r.push(consensus.ProposalArrived{Proposal: c.proposal})
		return
	}
	from := f.From
	if len(from) == 0 {
		for i := range r.epoch.Peers {
			from = append(from, i)
		}
	}
	tries := r.candidates.asked(f.Hash)
	for k := range min(2, len(from)) {
		if i := from[(tries+k)%len(from)]; i != r.epoch.Self && i < len(r.epoch.Peers) {
			r.env.Send(r.epoch.Peers[i], p2p.ClassCertificate, encodeProposalRequest(f.Hash))
		}
	}
}

// finalize gives finalized blocks to execution.
func (r *Replica) finalize(finals []consensus.Final) error {
	for _, f := range finals {
		if f.Header.Height <= r.final.Height || r.newer(f.Header.Height) != nil {
			continue // block sync was here before, or the blocks below halt us when they are executed
		}
		cert := f.Certificate.Certificate()
		c := r.candidates.get(f.Hash)
		if c == nil || f.Header.Height != r.final.Height+1 {
			r.missed = f.Header.Height // after maxCandidates blocks without finality
			r.claimFor(f.Header.Height, cert.Signers())
			continue
		}
		block := FinalBlock{Header: f.Header, Hash: f.Hash, Payload: c.proposal.Proposal().Payload, Certificate: &cert}
		if f.Header.IsClosing() {
			next, err := r.nextSet(f.Header.ExecHeight)
			if err != nil || next.Hash() != f.Header.NextValidatorSet {
				return fmt.Errorf("block %d hands over to validator set %s, which the state after block %d does not elect here (%w)",
					f.Header.Height, f.Header.NextValidatorSet, f.Header.ExecHeight, err)
			}
			block.Next = next
		}
		r.execute(block)
		r.recovery.finalized(cert)
		if cert.Finalizes() == f.Hash && int(f.Header.Proposer) == r.epoch.Self {
			r.env.Announce(Head{Header: f.Header, Certificate: cert})
		}
		r.pool.Ordered(c.transactions())
		r.candidates.setFinal(f.Header, f.Hash)
	}
	if len(finals) > 0 {
		r.noteWork()
	}
	return nil
}

func (r *Replica) execute(b FinalBlock) {
	r.final = blocksync.Tip{Height: b.Header.Height, Hash: b.Hash, TimeMs: b.Header.TimeMs}
	r.finalExec = b.Header.ExecHeight
	r.risenAt = r.env.Now()
	if b.Header.TxCount > 0 {
		r.lastWork = b.Header.Height
	}
	if b.Header.IsClosing() {
		r.closingAt = b.Header.Height
	}
	r.env.Execute(b)
}

// noteWork tells the machine when there begins or ceases to be work: transactions wait, no final header
// carries the result of the last transactions yet, or the epoch is due to end. The machine makes ExecDelay empty
// blocks after transactions by itself, which is not enough when execution lagged.
func (r *Replica) noteWork() {
	if p := r.pool.Pending() || r.finalExec < r.lastWork || r.closingDue(); p != r.pending {
		r.pending = p
		r.push(consensus.WorkChanged{Pending: p})
	}
}

// TimerFired continues what waited for a time.
func (r *Replica) TimerFired(id TimerID) error {
	var err error
	switch id {
	case timerBuild:
		err = r.tryBuild()
	case timerClock:
		r.clockAt = 0
		r.retryValidation()
	case timerEpoch:
		r.noteWork()
	case timerSync:
		r.watchOn()
		if err = r.tryRecover(); err != nil {
			break
		}
		if err = r.sign(nil); err != nil {
			break
		}
		r.pumpSync()
		r.env.Arm(timerSync, r.env.Now().Add(syncEveryMs))
	default:
		r.push(consensus.TimerFired{ID: consensus.TimerID(id)})
	}
	if err != nil {
		r.halted = err
		return err
	}
	return r.run()
}

// PoolChanged says that transactions were added to the pool.
func (r *Replica) PoolChanged() error {
	r.noteWork()
	return r.run()
}

// Execution is the answer to Env.Execute. Err means that the ledger is not what the network agreed on, or
// that the disk failed: either stops the replica.
type Execution struct {
	Height       quorum.Height
	View         quorum.View
	Transactions []crypto.Hash // ids of the block's transactions, refused ones included
	Err          error
}

// Executed says that a block given to Env.Execute is in the ledger.
func (r *Replica) Executed(e Execution) error {
	if e.Err != nil {
		r.halted = fmt.Errorf("executing block %d: %w", e.Height, e.Err)
		return r.halted
	}
	r.executed = max(r.executed, e.Height)
	if r.halted = r.newer(r.executed + 1); r.halted != nil {
		return r.halted
	}
	r.pool.Ordered(e.Transactions)
	if r.closingAt > 0 && e.Height >= r.closingAt {
		if err := r.enterNext(); err != nil {
			r.halted = err
			return err
		}
		return r.run()
	}
	if err := r.tryRecover(); err != nil {
		r.halted = err
		return err
	}
	r.noteWork()
	if err := r.journal.Forget(e.View); err != nil {
		r.halted = err
		return err
	}
	r.retryValidation()
	if err := r.tryBuild(); err != nil {
		r.halted = err
		return err
	}
	return r.run()
}

// syncMark is a change of nothing, whose synced write makes durable whatever was written before.
var syncMark = []journal.Op{{Key: []byte("J")}}
