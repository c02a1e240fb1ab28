package consensus

import (
	"errors"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Time is an instant in milliseconds since the Unix epoch, as the local clock of one node tells it. It decides when
// to stop waiting, never what is true. The machine tolerates a clock that jumps: it treats a step back as no step.
type Time int64

// Duration is a length of time in milliseconds.
type Duration int64

// Add returns the instant d after t.
func (t Time) Add(d Duration) Time { return t + Time(d) }

// Config is everything a machine is told once. All of it but Self and Timing is the same on every node of an epoch.
type Config struct {
	Domain quorum.Domain // what every signature covers: genesis hash and validator set
	Epoch  quorum.Epoch
	Slate  *quorum.Slate // who leads which view
	Anchor quorum.Anchor // the block the epoch starts from; it counts as final in view 0, and the first view is 1
	Self   int           // own index in Domain.Set; -1 watches and never signs
	// ExecDelay is K: the header of height h carries the state root of height h-K, so K empty blocks follow a
	// non-empty one before an idle chain rests.
	ExecDelay uint64
	Timing    Timing
}

// Timing holds the local waiting times. They never change what is valid; nodes may differ.
type Timing struct {
	Base Duration // D before anything was measured: the bound assumed for one hop (50 on a LAN, 300 on a WAN)
	Min  Duration // D is never below
	Max  Duration // D is never above (3 000); a measured D stays below a quarter of it

	MinBlockInterval Duration // a leader's block is at least this much later than its parent's time
	MaxBlockInterval Duration // an idle chain makes an empty block when its last one is this old; 0 means never
	Precision        Duration // how far honest clocks may be apart (500)

	StatusEvery Duration // how often an idle node tells its status (2 000)
}

// DefaultTiming returns the timing of a local network: D starts at 50 ms and is capped at 3 s, so that the longest view, three times that,
// ends within 10 s of the end of any trouble.
func DefaultTiming() Timing {
	return Timing{Base: 50, Min: 20, Max: 3_000, MinBlockInterval: 50, MaxBlockInterval: 0, Precision: 500, StatusEvery: 2_000}
}

// Recovered is what a node found on its disk. The zero value starts at the anchor. Order within the lists does not
// matter: the machine takes the highest of everything, never the last.
type Recovered struct {
	// LastFinal is the tip of the ledger; nil means the anchor.
	LastFinal *Tip

	Votes        []quorum.VerifiedVote        // own votes from the journal, of this epoch
	OwnProposals []quorum.VerifiedProposal    // own proposals from the journal: sent again, never built again
	Blocks       []quorum.VerifiedProposal    // proposals above the tip whose payload is stored, and tails; they are validated again
	Certificates []quorum.VerifiedCertificate // whatever survived of Output.Store

	// Signed is the signer's own watermark when it keeps one apart from the journal. The machine takes the higher
	// of it and the votes.
	Signed Watermark
}

// Tip is a finalized block the ledger stands on.
type Tip struct {
	Header      quorum.Header
	Certificate quorum.VerifiedCertificate // a finalization of the block or of a descendant of it; of a tail with its header
	// EmptyTail counts the blocks without transactions at the end of the chain, this one included; counting may stop
	// at Config.ExecDelay, and the genesis block counts as ExecDelay of them (nothing before it waits for a certified
	// root). A closing block counts as none: the end of an epoch changes the state.
	EmptyTail uint64
}

// Watermark is the last thing signed: a signer goes forward in (View, Step) only. Example: {7, StepNotarize} may
// be followed by {7, StepExit} or by anything in view 8.
type Watermark struct {
	View quorum.View
	Step Step
}

// Step orders the votes of one view.
type Step uint8

// A view has two steps: at most one notarize, then at most one of finalize and nullify.
const (
	StepNone     Step = 0
	StepNotarize Step = 1
	StepExit     Step = 2 // finalize or nullify
)

// StepOf returns the step of a vote of the given kind; StepNone for a proposal, which has a watermark of its own.
func StepOf(kind quorum.VoteKind) Step {
	switch kind {
	case quorum.KindNotarize:
		return StepNotarize
	case quorum.KindFinalize, quorum.KindNullify:
		return StepExit
	}
	return StepNone
}

// Less reports whether w comes before other.
func (w Watermark) Less(other Watermark) bool {
	return w.View < other.View || w.View == other.View && w.Step < other.Step
}

// Input is one thing that happened. The machine is fed one at a time by [Machine.Step].
type Input interface{ input() }

type (
	// Start is the first input, once: the machine enters its view, sends again what it had signed and arms its timers.
	Start struct{}

	// ProposalArrived brings a leader's proposal, sent or fetched. Its signature, justification certificates and
	// payload root were checked; nothing else was.
	ProposalArrived struct{ Proposal quorum.VerifiedProposal }

	// VotesArrived brings votes of peers, and own votes back once they are durable (see Output.Sign).
	VotesArrived struct{ Votes []quorum.VerifiedVote }

	// CertificateArrived brings a certificate from a peer.
	CertificateArrived struct{ Certificate quorum.VerifiedCertificate }

	// StatusArrived brings what validator From says about itself. A status is a claim: it decides what to offer the
	// peer and, by power, whether there is work; nothing else.
	StatusArrived struct {
		From   int
		Status Status
	}

	// TimerFired says that a timer's time has come. A stray, early or repeated one does no harm.
	TimerFired struct{ ID TimerID }

	// WorkChanged says whether this node holds anything that waits to be ordered (transactions, evidence).
	WorkChanged struct{ Pending bool }

	// ProposalBuilt answers Output.Build. Before it is handed in, the payload must be stored and the proposal be
	// durable in the journal, so that a restart sends this one again and never builds a second.
	ProposalBuilt struct{ Proposal quorum.VerifiedProposal }

	// BuildFailed answers Output.Build when no block can be made or signed. The leader gives its view up.
	BuildFailed struct{ View quorum.View }

	// BlockValid answers Output.Validate: the block obeys every rule of the ledger and its payload is stored, at
	// the latest in the batch that makes this node's notarize vote durable.
	BlockValid struct {
		View quorum.View
		Hash crypto.Hash
	}

	// BlockInvalid answers Output.Validate: the block breaks a rule in a way every honest node sees alike. "Not yet
	// known" (own execution is behind, say) is not invalid: answer later.
	BlockInvalid struct {
		View   quorum.View
		Hash   crypto.Hash
		Reason string
	}

	// Synced says that block sync has moved the ledger forward. The blocks up to Tip are not output again.
	Synced struct{ Tip Tip }

	// SignRefused says that the signer refused a vote of Output.Sign: it knows of a later one. The machine asks for
	// nothing of its step or before any more; after a refused notarize it still asks for the exit.
	SignRefused struct{ Vote quorum.Vote }
)

func (Start) input()              {}
func (ProposalArrived) input()    {}
func (VotesArrived) input()       {}
func (CertificateArrived) input() {}
func (StatusArrived) input()      {}
func (TimerFired) input()         {}
func (WorkChanged) input()        {}
func (ProposalBuilt) input()      {}
func (BuildFailed) input()        {}
func (BlockValid) input()         {}
func (BlockInvalid) input()       {}
func (Synced) input()             {}
func (SignRefused) input()        {}

// Output is what has to be done after one step, in the order of the fields. A node may let later outputs wait for
// earlier ones, but must not reorder within a field, and must carry out every output of a step before those of the next
// within the same field.
type Output struct {
	// Halt, when set, is the last output there will ever be: something impossible was seen. Nothing may be signed
	// any more; what the ledger holds stays readable.
	Halt *Halt

	// Store holds certificates new to this node. They need no sync of their own, but they must be WRITTEN BEFORE the votes
	// of Sign, of this output and of later ones, into the same log: whoever finds a vote after a crash must find the
	// certificates that it was given upon. A quorum may have counted a faulty validator that votes no second time.
	Store []quorum.VerifiedCertificate

	// Sign holds votes to sign, in this order. Each one must be DURABLE in the journal, together with the payload of
	// the block it notarizes, BEFORE it is sent to any peer and before it comes back as VotesArrived. The node sends
	// it to every validator with [Machine.Status]. One the signer refuses comes back as SignRefused.
	Sign []quorum.Vote

	// Send holds messages that may leave at once: all they contain is durable already or needs not be.
	Send []Outgoing

	// Timers replace earlier requests of the same ID. There is no cancelling: a stale timer does no harm.
	Timers []TimerRequest

	// Build asks for a block. It is asked at most once per view and answered by ProposalBuilt or BuildFailed.
	Build *BuildRequest

	// Validate asks for a verdict on blocks whose parent was answered BlockValid or is final. Each is asked once per
	// run; the answer may take its time.
	Validate []ValidateRequest

	// Fetch asks for blocks that certificates name and this node does not have. It is asked again every T_r until
	// the proposal arrives; the node drops a repetition that is still under way.
	Fetch []FetchRequest

	// Sync, when set, says that the ledger is too far behind to fetch block by block. Asked again every T_r
	// until Synced.
	Sync *SyncRequest

	// Finalized holds blocks in height order, each exactly once. A closing block is the last one ever: after it the
	// machine is over. All of them were answered BlockValid. They need no
	// sync to disk: a restart finds them again from the stored blocks and certificates.
	Finalized []Final

	// Evidence holds proofs that a validator broke the rules; each offence of a view is reported once per run.
	Evidence []quorum.Evidence
}

// Everyone is the Outgoing.To that addresses all other validators.
const Everyone = -1

// Outgoing is a message for validator To, or [Everyone] but this node. Exactly one of Proposal, Certificate and Votes
// is set, or none when only Status travels. Status is always set.
type Outgoing struct {
	To          int
	Proposal    *quorum.VerifiedProposal
	Certificate *quorum.VerifiedCertificate
	Votes       []quorum.VerifiedVote
	Status      Status
}

// TimerID names one of the machine's timers; each exists once.
type TimerID uint8

// The timers.
const (
	TimerLead     TimerID = 1 // T_lead: the leader of this view has not proposed
	TimerNotarize TimerID = 2 // T_not: this view has no notarization
	TimerRepeat   TimerID = 3 // T_r: repeat what a peer may have missed
	TimerWork     TimerID = 4 // something becomes work at this time: an unfinished finality, a heartbeat
)

// TimerRequest asks for TimerFired{ID} at time At or soon after.
type TimerRequest struct {
	ID TimerID
	At Time
}

// BuildRequest asks the node, leader of View, for a signed proposal.
type BuildRequest struct {
	Epoch  quorum.Epoch
	View   quorum.View
	Height quorum.Height // of a tail: that of the closing block
	// Closing, when set, asks for a tail of this closing block instead of a block: see [BuildRequest.TailHeader].
	Closing       crypto.Hash
	Parent        crypto.Hash // known valid or final
	ParentView    quorum.View
	ParentHeight  quorum.Height
	ParentTimeMs  int64
	Justification quorum.Justification // goes into the proposal as it is
	// NotBefore is the earliest header time, and the time to start building at: MinBlockInterval after the parent.
	// The header time must also be later than the parent's.
	NotBefore Time
	// Empty says that no transaction is known to wait: the block is wanted for its own sake (it certifies a state
	// root, finishes a finality or is a heartbeat). A block without transactions is a right answer in any case.
	Empty bool
}

// TailHeader is the header of the tail that a request with Closing set asks for, made by validator proposer at timeMs.
// [quorum.SignProposal] fills in the rest, with the request's Justification and no payload. A tail says nothing about
// the ledger.
func (b *BuildRequest) TailHeader(d quorum.Domain, proposer uint16, timeMs int64) quorum.Header {
	return quorum.Header{
		Version: quorum.HeaderVersion, Genesis: d.Genesis, Epoch: b.Epoch, View: b.View, Height: b.Height,
		Parent: b.Parent, ParentView: b.ParentView, TimeMs: timeMs, Proposer: proposer,
		ValidatorSet: d.Set.Hash(), Closing: b.Closing, Flags: quorum.FlagTail,
	}
}

// ValidateRequest asks for the verdict on one block, or on a tail: of a tail there is nothing to judge but that the
// proposal is stored, like any block's, by the time the vote is durable.
type ValidateRequest struct {
	View     quorum.View
	Hash     crypto.Hash
	Proposal quorum.VerifiedProposal
}

// FetchRequest asks for the proposal of a certified block.
type FetchRequest struct {
	View   quorum.View
	Height quorum.Height
	Hash   crypto.Hash
	From   []int // validators that signed for it and so hold it; empty when only a descendant is certified
}

// SyncRequest asks for the ledger to be brought up to a finalized block.
type SyncRequest struct {
	Height      quorum.Height
	Certificate quorum.VerifiedCertificate
	From        []int // validators that signed the finalization
}

// Final is a block of the ledger that can never be undone; never a tail.
type Final struct {
	Header quorum.Header
	Hash   crypto.Hash
	// Certificate finalizes this block, or a descendant of it when the block has no finalization of its own:
	// Certificate.Height >= Header.Height. If what it finalizes is a tail, the tail's header is attached, and
	// Certificate.Finalizes is the closing block.
	Certificate quorum.VerifiedCertificate
}

// Halt explains why the machine stopped. First and Second, when set, are the two certificates that cannot both exist.
type Halt struct {
	Reason        string
	First, Second *quorum.VerifiedCertificate

	cause error
}

// ErrForeignVote is the cause of a Halt over a vote by this node's key that it knows nothing of: another process signs
// with that key, or the journal of what it signed is lost. To go on might be to sign twice.
var ErrForeignVote = errors.New("a vote by this node's key that it did not make")

// Error returns the sentence for the log and the status page.
func (h *Halt) Error() string { return "consensus halted: " + h.Reason }

// Unwrap returns [ErrForeignVote] if that is why, else nil.
func (h *Halt) Unwrap() error { return h.cause }
