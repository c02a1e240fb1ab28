package node

import (
	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/snapshot"
	"waybill/node/signer"
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
	// EpochChanged says that the replica works in another epoch from now on. Messages are verified with it.
	EpochChanged(*Epoch)
}

// Ledger is what a Replica reads of the ledger behind it.
type Ledger interface {
	// Tip is the last executed block.
	Tip() (LedgerTip, error)
	// Epoch is the epoch of the block after the tip.
	Epoch() (EpochInfo, error)
	// NextSet is the set that the state after an executed height elects for the epoch after that state's own. The
	// height is at or above the anchor of the epoch that Epoch tells.
	NextSet(after quorum.Height) (*quorum.Set, error)
	// Result returns the roots after an executed height; false when it is not executed or no longer kept.
	Result(quorum.Height) (Result, bool)
	// Blocks returns stored blocks from a height on, as many as fit an answer; none when it has none. It ends at the
	// first closing block.
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
	EmptyTail   uint64              // blocks without transactions at the end, counted up to ledger.MaxExecDelay
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
	Next        *quorum.Set         // validators of the next epoch; closing blocks only
}

// TimerID names a timer of the replica: the machine's four, and its own.
type TimerID uint8

// The replica's own timers; lower numbers are the machine's (consensus.TimerID).
const (
	timerBuild TimerID = 16 // the earliest time of the block we are to build
	timerClock TimerID = 17 // a proposal from the near future becomes timely
	timerSync  TimerID = 18 // look after block sync
	timerEpoch TimerID = 19 // a changed set closes the epoch from now on
)

const syncEveryMs = 250

// Config is what a replica is told once.
type Config struct {
	// Who and where.
	Genesis crypto.Hash
	Key     crypto.PublicKey // votes in epochs whose set has it; zero follows without voting

	// Recover, when set, makes the replica watch instead of voting until the network is beyond everything that Key may
	// have signed; then it is called, once, and what it returns signs from there on. See recovery.
	Recover func(signer.Mark) (signer.Signer, error)

	// Checkpoint is what the operator knows of the history: the epoch that begins after this block. A history without it
	// stops the replica, whoever shows it. Nil: none.
	Checkpoint *snapshot.Checkpoint

	// Checker answers for signatures in the simulator; nil on real nodes. See quorum.Domain.
	Checker quorum.Checker
}

// Rules are what the parameters of an epoch say to a replica. They hold for all blocks of the epoch.
type Rules struct {
	Params        crypto.Hash // in every header
	ExecDelay     uint64
	MaxBlockBytes int
	Epochs        ledger.EpochRule
	Timing        consensus.Timing

	// Newer is the change of protocol that this program cannot follow: it stops before that block. Nil: none.
	Newer *ledger.Upgrade
}

// RulesOf are the rules of a network with these parameters.
func RulesOf(p *ledger.Params) Rules {
	return Rules{
		Params: p.Hash(), ExecDelay: p.ExecDelay, MaxBlockBytes: min(int(p.MaxBlockBytes), maxInlinePayload),
		Epochs: p.EpochRule(), Timing: timing(p),
	}
}

// maxInlinePayload bounds what a leader puts into one proposal, which it sends to every validator itself.
const maxInlinePayload = 1 << 20

// timing turns the network's parameters into the machine's waiting times.
func timing(p *ledger.Params) consensus.Timing {
	t := consensus.DefaultTiming()
	t.Base = consensus.Duration(p.BaseTimeoutMs)
	t.Min = min(t.Min, t.Base)
	t.MinBlockInterval = consensus.Duration(p.MinBlockIntervalMs)
	t.MaxBlockInterval = consensus.Duration(p.MaxBlockIntervalMs)
	return t
}
