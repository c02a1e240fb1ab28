package node

import (
	"fmt"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/node/journal"
	blocksync "waybill/node/sync"
	"waybill/p2p"
)

// Env is what a Replica needs of the world. The shell performs it with sockets, timers and goroutines, the
// simulator with a virtual queue. None of its methods may block or call back into the replica.
type Env interface {
	// Now is the local clock.
	Now() consensus.Time
	// Send gives a message to a peer, best effort.
	Send(to p2p.PeerID, class p2p.Class, msg []byte)
	// Announce tells full nodes about a finalized block, best effort.
	Announce(Head)
	// Arm asks for Replica.TimerFired(id) at a time or soon after. A later call for the same id replaces it.
	Arm(id TimerID, at consensus.Time)
	// CheckPayload asks for Replica.PayloadChecked with Ledger.CheckPayload's answer.
	CheckPayload(hash crypto.Hash, payload [][]byte)
	// Report hands over proof that a validator broke the rules.
	Report(quorum.Evidence)
	// Execute asks for Replica.Executed after the block was executed and committed. Blocks are executed in the
	// order of the calls.
	Execute(FinalBlock)
}

// Ledger is what a Replica reads of the ledger behind it.
type Ledger interface {
	// Tip is the last executed block.
	Tip() (LedgerTip, error)
	// Result returns the roots after an executed height; false when it is not executed or no longer kept.
	Result(quorum.Height) (Result, bool)
	// Blocks returns stored blocks from a height on, as many as fit an answer; none when it has none.
	Blocks(from quorum.Height, most int) ([]blocksync.Block, error)
}

// Pool holds transactions that wait to be ordered.
type Pool interface {
	// Pending reports whether any transaction waits.
	Pending() bool
	// Select returns raw transactions for a block of at most maxBytes; skip names those an unfinished ancestor
	// carries already.
	Select(maxBytes int, skip func(crypto.Hash) bool) [][]byte
	// Ordered drops the transactions of a finalized block.
	Ordered(ids []crypto.Hash)
}

// LedgerTip is where the ledger stands after a restart.
type LedgerTip struct {
	Header      quorum.Header
	Certificate *quorum.Certificate // of this very block; nil at the anchor and where a descendant's finalized it
	EmptyTail   uint64              // blocks without transactions at the end, counted up to the execution delay
}

// Result is what executing a block gave.
type Result struct {
	StateRoot     crypto.Hash
	ReceiptsChain crypto.Hash
}

// Head announces a finalized block to full nodes.
type Head struct {
	Header      quorum.Header
	Certificate quorum.Certificate
}

// FinalBlock is a block on its way into the ledger.
type FinalBlock struct {
	Header      quorum.Header
	Hash        crypto.Hash
	Payload     [][]byte
	Certificate *quorum.Certificate // finalizes this block or a descendant of it
}

// TimerID names a timer of the replica: the machine's four, and its own.
type TimerID uint8

// The replica's own timers; lower numbers are the machine's (consensus.TimerID).
const (
	timerBuild TimerID = 16 // the earliest time of the block we are to build
	timerClock TimerID = 17 // a proposal from the near future becomes timely
	timerSync  TimerID = 18 // look after block sync
)

const syncEveryMs = 250

// Config is what a replica is told once.
type Config struct {
	Epoch  *Epoch
	Self   int          // index in the validator set; -1 follows without voting
	Peers  []p2p.PeerID // of the validators, by index
	Timing consensus.Timing

	ExecDelay     uint64
	MaxBlockBytes int
	Params        crypto.Hash // hash of the network's parameters, in every header
}

// Replica is one node's part in the network: it owns the consensus machine, the blocks that are not final
// yet, and block sync, and performs the machine's outputs in their order. It is single-threaded: one
// goroutine (or the simulator) calls its methods, one at a time. After an error or a Halt it must not be
// called again; what is signed stays signed.
//
// Invariants: (1) nothing is sent that the journal has not made durable; (2) blocks go to Env.Execute in
// height order, each once; (3) candidates, cached proposals and requests are bounded.
type Replica struct {
	cfg     Config
	env     Env
	ledger  Ledger
	pool    Pool
	journal *journal.Journal
	machine *consensus.Machine

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
	fetcher  *blocksync.Fetcher
	proven   quorum.Height  // of the highest finalization seen
	missed   quorum.Height  // final, but dropped here before it could be executed: block sync brings it
	clockAt  consensus.Time // when timerClock fires; 0 when it is not armed
	pending  bool           // what the machine knows of Pool.Pending

	allowances map[p2p.PeerID]*allowance // what peers may take
	strangers  allowance                 // what all that do not vote may take together

	halted error
}

// NewReplica continues from what disk and ledger hold. Start sets it going.
func NewReplica(cfg Config, env Env, ledger Ledger, pool Pool, disk journal.Disk, key crypto.PrivateKey) (*Replica, error) {
	e := cfg.Epoch
	j, found, err := journal.Open(disk, journal.Config{Domain: e.Domain, Slate: e.Slate, Anchor: e.Anchor, Epoch: e.Number, Self: cfg.Self, Key: key})
	if err != nil {
		return nil, err
	}
	tip, err := ledger.Tip()
	if err != nil {
		return nil, err
	}
	rec := consensus.Recovered{
		Votes: found.Votes, OwnProposals: found.OwnProposals, Blocks: found.Blocks,
		Certificates: found.Certificates, Signed: found.Signed,
	}
	if tip.Header.Height > e.Anchor.Height {
		cert, err := tipCertificate(e.Domain, tip, found.Certificates)
		if err != nil {
			return nil, err
		}
		rec.LastFinal = &consensus.Tip{Header: tip.Header, Certificate: cert, EmptyTail: tip.EmptyTail}
	}
	r := &Replica{
		cfg: cfg, env: env, ledger: ledger, pool: pool, journal: j,
		machine: consensus.New(consensus.Config{
			Domain: e.Domain, Epoch: e.Number, Slate: e.Slate, Anchor: e.Anchor,
			Self: cfg.Self, ExecDelay: cfg.ExecDelay, Timing: cfg.Timing,
		}, rec),
		candidates: newCandidates(),
		final:      blocksync.Tip{Height: tip.Header.Height, Hash: tip.Header.Hash(), TimeMs: tip.Header.TimeMs},
		executed:   tip.Header.Height,
		checking:   map[crypto.Hash]bool{},
		fetcher:    blocksync.NewFetcher(e.Domain, otherValidators(cfg)),
		allowances: map[p2p.PeerID]*allowance{},
	}
	r.finalExec = tip.Header.ExecHeight
	if tip.EmptyTail < cfg.ExecDelay {
		r.lastWork = tip.Header.Height - quorum.Height(tip.EmptyTail)
	}
	r.candidates.setFinal(tip.Header, r.final.Hash)
	for _, p := range append(found.OwnProposals, found.Blocks...) {
		r.candidates.add(p)
		r.candidates.get(p.Hash()).stored = true
	}
	return r, nil
}

// tipCertificate finds what finalized the last block of our ledger: its own certificate, or one of a
// descendant, which the journal kept before the block was committed.
func tipCertificate(d quorum.Domain, tip LedgerTip, kept []quorum.VerifiedCertificate) (quorum.VerifiedCertificate, error) {
	if tip.Certificate != nil {
		cert, err := quorum.VerifyCertificate(d, *tip.Certificate)
		if err != nil {
			return cert, fmt.Errorf("the certificate of our own block %d: %w", tip.Header.Height, err)
		}
		return cert, nil
	}
	for _, c := range kept {
		if cert := c.Certificate(); cert.Kind == quorum.KindFinalize && cert.Height >= tip.Header.Height {
			return c, nil
		}
	}
	return quorum.VerifiedCertificate{}, fmt.Errorf("nothing on disk certifies our last block %d: the data folder is damaged; remove it and sync again", tip.Header.Height)
}

// Start enters the first view.
func (r *Replica) Start() error {
	r.env.Arm(timerSync, r.env.Now().Add(syncEveryMs))
	r.push(consensus.Start{})
	r.noteWork()
	return r.run()
}

// Halted returns why the replica stopped, nil while it works.
func (r *Replica) Halted() error { return r.halted }

// Snapshot describes the state for a status page.
func (r *Replica) Snapshot() Snapshot {
	return Snapshot{
		Consensus: r.machine.Snapshot(), Final: r.final, Executed: r.executed,
		Candidates: r.candidates.len(), BestKnown: r.bestKnown(), Syncing: r.fetcher.Busy(),
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

// sign makes votes durable together with the blocks they notarize, then sends them and hands them back.
func (r *Replica) sign(votes []quorum.Vote) error {
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
		r.push(consensus.SignRefused{Vote: v})
	}
	return nil
}

func (r *Replica) send(out consensus.Outgoing) {
	kind, msg := encodeOutgoing(out)
	if out.To == consensus.Everyone {
		r.toValidators(kind, msg)
	} else if out.To >= 0 && out.To < len(r.cfg.Peers) && out.To != r.cfg.Self {
		r.env.Send(r.cfg.Peers[out.To], classOf(kind), msg)
	}
}

func (r *Replica) toValidators(kind messageKind, msg []byte) {
	for i, peer := range r.cfg.Peers {
		if i != r.cfg.Self {
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
		for i := range r.cfg.Peers {
			from = append(from, i)
		}
	}
	tries := r.candidates.asked(f.Hash)
	for k := range min(2, len(from)) {
		if i := from[(tries+k)%len(from)]; i != r.cfg.Self && i < len(r.cfg.Peers) {
			r.env.Send(r.cfg.Peers[i], p2p.ClassCertificate, encodeProposalRequest(f.Hash))
		}
	}
}

// finalize gives finalized blocks to execution.
func (r *Replica) finalize(finals []consensus.Final) error {
	for _, f := range finals {
		if f.Header.Height <= r.final.Height {
			continue // block sync was here before
		}
		cert := f.Certificate.Certificate()
		c := r.candidates.get(f.Hash)
		if c == nil || f.Header.Height != r.final.Height+1 {
			r.missed = f.Header.Height // after maxCandidates blocks without finality
			r.claimFor(f.Header.Height, cert.Signers())
			continue
		}
		block := FinalBlock{Header: f.Header, Hash: f.Hash, Payload: c.proposal.Proposal().Payload, Certificate: &cert}
		r.execute(block)
		if cert.Block == f.Hash && int(f.Header.Proposer) == r.cfg.Self {
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
	if b.Header.TxCount > 0 {
		r.lastWork = b.Header.Height
	}
	r.env.Execute(b)
}

// noteWork tells the machine when there begins or ceases to be work: transactions wait, or no final header
// carries the result of the last transactions yet. The machine makes ExecDelay empty blocks after them by
// itself, which is not enough when execution lagged.
func (r *Replica) noteWork() {
	if p := r.pool.Pending() || r.finalExec < r.lastWork; p != r.pending {
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
	case timerSync:
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
	r.pool.Ordered(e.Transactions)
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
