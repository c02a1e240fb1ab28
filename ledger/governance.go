package ledger

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// ActionKind is what a proposal wants. Its text is "params", "office", "admission" or "upgrade".
type ActionKind uint8

// The kinds.
const (
	ActParams    ActionKind = 1 // other parameters, from the epoch after the one in which it passes
	ActOffice    ActionKind = 2 // an account becomes registrar or regulator, or ceases to be
	ActAdmission ActionKind = 3 // an organisation is admitted, or no longer
	ActUpgrade   ActionKind = 4 // from a height on, blocks need a newer program
)

// Office is a trust that the network gives to an account. Its text is "registrar" or "regulator".
type Office uint8

// The offices.
const (
	OfficeRegistrar Office = 1 // admits organisations, settles whose a prefix is
	OfficeRegulator Office = 2 // gives and releases notices about anybody's goods, settles old disputes
)

// ParamChange is one parameter by its name in the genesis document, for example {"feePerKiB", "20"} or {"rules.R12", "flag"}.
type ParamChange struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Value string
}

// Action is what happens when a proposal passes. Fields of other kinds are zero.
type Action struct {
	_       struct{} `cbor:",toarray"`
	Kind    ActionKind
	Params  []ParamChange
	Office  Office
	Account crypto.Address // of an office or admission
	Grant   bool           // false: it is taken away
	Height  quorum.Height  // of an upgrade: the first block of the new protocol
	Version uint64         // of an upgrade: the protocol's
}

// Propose asks the validators to decide. The author must operate a validator of the current epoch. The transaction's id
// names the proposal.
type Propose struct {
	_      struct{} `cbor:",toarray"`
	Title  string
	Text   string
	Action Action
}

// Vote is the word of the operator of a validator about a proposal; a later one replaces an earlier one.
type Vote struct {
	_        struct{} `cbor:",toarray"`
	Proposal crypto.Hash
	Yes      bool
}

// SetThreshold makes the author an m-of-n account: so many of its active keys must sign.
type SetThreshold struct {
	_ struct{} `cbor:",toarray"`
	M uint8
}

// ProposalState is "open", "passed", "rejected" or "failed" (passed, but by then it could not be carried out).
type ProposalState uint8

// The states.
const (
	ProposalOpen     ProposalState = 0
	ProposalPassed   ProposalState = 1
	ProposalRejected ProposalState = 2
	ProposalFailed   ProposalState = 3
)

// Proposal is a proposal in the state.
type Proposal struct {
	_         struct{} `cbor:",toarray"`
	ID        crypto.Hash
	Author    crypto.Address
	Title     string
	Text      string
	Action    Action
	Epoch     quorum.Epoch  // in which it was made
	Height    quorum.Height // at which it was made
	LastEpoch quorum.Epoch  // it is decided when this one closes, or before by more than two thirds
	State     ProposalState
	Decided   quorum.Height // 0: open
	Yes, No   uint64        // power, when it was decided
	Total     uint64        // power of the epoch, when it was decided
	Votes     []Ballot      // by operator, ascending
}

// Ballot is one vote.
type Ballot struct {
	_        struct{} `cbor:",toarray"`
	Operator crypto.Address
	Yes      bool
}

// Upgrade is a change of protocol that was decided.
type Upgrade struct {
	_       struct{}      `cbor:",toarray"`
	Height  quorum.Height // the first block that needs it
	Version uint64
}

// ProtocolVersion is the newest protocol that this program executes.
const ProtocolVersion = 1

// Kind returns KindPropose.
func (*Propose) Kind() Kind { return KindPropose }

// Kind returns KindVote.
func (*Vote) Kind() Kind { return KindVote }

// Kind returns KindSetThreshold.
func (*SetThreshold) Kind() Kind { return KindSetThreshold }

// ProposalKey is the state key of a [Proposal].
func ProposalKey(id crypto.Hash) []byte { return key("proposal", string(id[:])) }

// RegulatorKey is the state key that exists for every regulator.
func RegulatorKey(a crypto.Address) []byte { return key("regulator", string(a[:])) }

// ReadProposal returns a proposal; nil if there is none with that id.
func ReadProposal(v View, id crypto.Hash) (*Proposal, error) {
	return read[Proposal](v, ProposalKey(id))
}

// ReadRegulator reports whether an account is a regulator.
func ReadRegulator(v View, a crypto.Address) (bool, error) {
	data, err := v.Read(RegulatorKey(a))
	return data != nil, err
}

func (p *Propose) check() error { return nil }

func (p *Vote) check() error { return nil }

func (p *SetThreshold) check() error { return nil }

func (p *Propose) effects(t *txRun) *Finding { return refuse(CodeInternal, "") }

func (p *Vote) effects(t *txRun) *Finding { return refuse(CodeInternal, "") }

func (p *SetThreshold) effects(t *txRun) *Finding { return refuse(CodeInternal, "") }
