package ledger

import (
	"fmt"

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

var actionNames = [...]string{ActParams: "params", ActOffice: "office", ActAdmission: "admission", ActUpgrade: "upgrade"}

// String returns "params", "office", "admission" or "upgrade".
func (k ActionKind) String() string { return enumText("action", actionNames[:], uint8(k)) }

// MarshalText returns the text of String.
func (k ActionKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the text of String.
func (k *ActionKind) UnmarshalText(text []byte) error {
	n, err := enumOf("action", actionNames[:], text)
	if err == nil {
		*k = ActionKind(n)
	}
	return err
}

// Office is a trust that the network gives to an account. Its text is "registrar" or "regulator".
type Office uint8

// The offices.
const (
	OfficeRegistrar Office = 1 // admits organisations, settles whose a prefix is
	OfficeRegulator Office = 2 // gives and releases notices about anybody's goods, settles old disputes
)

var officeNames = [...]string{OfficeRegistrar: "registrar", OfficeRegulator: "regulator"}

// String returns "registrar" or "regulator".
func (o Office) String() string { return enumText("office", officeNames[:], uint8(o)) }

// MarshalText returns the text of String.
func (o Office) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads the text of String.
func (o *Office) UnmarshalText(text []byte) error {
	n, err := enumOf("office", officeNames[:], text)
	if err == nil {
		*o = Office(n)
	}
	return err
}

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

// ProposalState is "open", "passed", "rejected" or "failed" (passed, but by then it could not be carried out).
type ProposalState uint8

// The states.
const (
	ProposalOpen     ProposalState = 0
	ProposalPassed   ProposalState = 1
	ProposalRejected ProposalState = 2
	ProposalFailed   ProposalState = 3
)

var proposalStates = [...]string{ProposalOpen: "open", ProposalPassed: "passed", ProposalRejected: "rejected", ProposalFailed: "failed"}

// String returns "open", "passed", "rejected" or "failed".
func (s ProposalState) String() string {
	return enumText("proposal state", proposalStates[:], uint8(s))
}

// MarshalText returns the text of String.
func (s ProposalState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the text of String.
func (s *ProposalState) UnmarshalText(text []byte) error {
	n, err := enumOf("proposal state", proposalStates[:], text)
	if err == nil {
		*s = ProposalState(n)
	}
	return err
}

// enumText is the name of a value; an unknown one is shown by its number.
func enumText(what string, names []string, n uint8) string {
	if int(n) < len(names) && names[n] != "" {
		return names[n]
	}
	return fmt.Sprintf("%s %d", what, n)
}

// enumOf is the value of a name.
func enumOf(what string, names []string, text []byte) (int, error) {
	for n, name := range names {
		if name != "" && name == string(text) {
			return n, nil
		}
	}
	return 0, malformed(ErrPayload, "%s %q is not known", what, text)
}

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
	Why       *Finding      // failed: what stood in the way; else nil
}

// Ballot is one vote.
type Ballot struct {
	_        struct{} `cbor:",toarray"`
	Operator crypto.Address
	Yes      bool
}

// Proposals counts all proposals there were, and lists the open ones in the order in which they were made.
type Proposals struct {
	_    struct{} `cbor:",toarray"`
	Made uint64
	Open []OpenProposal
}

// OpenProposal is an open proposal and who made it.
type OpenProposal struct {
	_      struct{} `cbor:",toarray"`
	ID     crypto.Hash
	Author crypto.Address
}

// Kind returns KindPropose.
func (*Propose) Kind() Kind { return KindPropose }

// Kind returns KindVote.
func (*Vote) Kind() Kind { return KindVote }

// ProposalKey is the state key of a [Proposal].
func ProposalKey(id crypto.Hash) []byte { return key("proposal", string(id[:])) }

// RegulatorKey is the state key that exists for every regulator.
func RegulatorKey(a crypto.Address) []byte { return key("regulator", string(a[:])) }

// ProposalsKey is the state key of [Proposals]; there is no such record before the first proposal.
func ProposalsKey() []byte { return []byte("proposals") }

// ProposalAtKey is the state key of the id (crypto.Hash) of the n-th proposal, from 0.
func ProposalAtKey(n uint64) []byte { return key("proposalno", ordinal(n)) }

// ReadProposal returns a proposal; nil if there is none with that id.
func ReadProposal(v View, id crypto.Hash) (*Proposal, error) {
	return read[Proposal](v, ProposalKey(id))
}

// ReadProposals returns how many proposals there were and which are open; nil before the first one.
func ReadProposals(v View) (*Proposals, error) { return read[Proposals](v, ProposalsKey()) }

// ReadProposalAt returns the n-th proposal, from 0 to, not including, Proposals.Made; nil beyond.
func ReadProposalAt(v View, n uint64) (*Proposal, error) {
	id, err := read[crypto.Hash](v, ProposalAtKey(n))
	if err != nil || id == nil {
		return nil, err
	}
	return ReadProposal(v, *id)
}

// ReadRegulator reports whether an account is a regulator.
func ReadRegulator(v View, a crypto.Address) (bool, error) {
	data, err := v.Read(RegulatorKey(a))
	return data != nil, err
}

// Bounds of proposals.
const (
	maxTitleBytes   = 100
	maxTextBytes    = 4 << 10
	maxParamChanges = 32
	maxValueBytes   = 64 // of a parameter, as text

	maxOpenProposals    = 256
	maxOpenOwnProposals = 8
	maxBallots          = 2 * quorum.MaxValidators // of one proposal; see ballotRoom
)

func (p *Propose) check() error {
	if err := checkName(p.Title); err != nil {
		return malformedBy(ErrPayload, err, "title")
	}
	if err := checkProse("text", p.Text, maxTextBytes); err != nil {
		return err
	}
	return p.Action.check()
}

func (p *Vote) check() error {
	if p.Proposal.IsZero() {
		return malformed(ErrPayload, "the vote names no proposal")
	}
	return nil
}

// check refuses what can be carried out in no state, and fields that belong to another kind of action.
func (a *Action) check() error {
	if a.Kind == 0 || int(a.Kind) >= len(actionNames) {
		return malformed(ErrPayload, "action kind %d is unknown", a.Kind)
	}
	others := []struct {
		name string
		of   bool
		set  bool
	}{
		{"params", a.Kind == ActParams, len(a.Params) > 0},
		{"office", a.Kind == ActOffice, a.Office != 0},
		{"account", a.Kind == ActOffice || a.Kind == ActAdmission, !a.Account.IsZero()},
		{"grant", a.Kind == ActOffice || a.Kind == ActAdmission, a.Grant},
		{"height", a.Kind == ActUpgrade, a.Height != 0},
		{"version", a.Kind == ActUpgrade, a.Version != 0},
	}
	for _, o := range others {
		if o.set && !o.of {
			return malformed(ErrPayload, "field %s does not belong to an action of kind %s", o.name, a.Kind)
		}
		if o.of && !o.set && o.name != "grant" {
			return malformed(ErrPayload, "an action of kind %s needs field %s", a.Kind, o.name)
		}
	}
	if a.Kind == ActOffice && int(a.Office) >= len(officeNames) {
		return malformed(ErrPayload, "office %d is unknown", a.Office)
	}
	return a.checkParams()
}

func (a *Action) checkParams() error {
	if len(a.Params) > maxParamChanges {
		return malformed(ErrPayload, "a proposal changes at most %d parameters, got %d", maxParamChanges, len(a.Params))
	}
	scratch := Params{}
	for i, c := range a.Params {
		for _, before := range a.Params[:i] {
			if before.Name == c.Name {
				return malformed(ErrPayload, "parameter %s stands twice", c.Name)
			}
		}
		if err := scratch.Set(c.Name, c.Value); err != nil {
			return malformedBy(ErrPayload, err, "params/%d", i)
		}
		if c.Name == "onboarding" {
			return malformed(ErrPayload, "params/%d: onboarding cannot be changed: "+
				"what a network says about goods born before it, it says about all its history", i)
		}
	}
	return nil
}
