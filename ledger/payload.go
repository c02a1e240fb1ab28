package ledger

import (
	"fmt"

	"waybill/crypto"
)

// Kind says what a transaction does. The numbers are part of the encoding.
type Kind uint16

// The kinds of transactions.
const (
	KindCapture              Kind = 1
	KindRegisterOrganisation Kind = 2
	KindAdmitOrganisation    Kind = 3
	KindAddKey               Kind = 4
	KindRevokeKey            Kind = 5
	KindClaimPrefix          Kind = 6
	KindApprovePrefix        Kind = 7
	KindDelegate             Kind = 8
	KindRevokeDelegation     Kind = 9
	KindPutMasterData        Kind = 10
	KindTransfer             Kind = 11
	KindRegisterValidator    Kind = 12
	KindBond                 Kind = 13
	KindUnbond               Kind = 14
	KindSubmitEvidence       Kind = 15
	KindUnjail               Kind = 16
	KindRotateValidatorKey   Kind = 17
	KindNotice               Kind = 18
	KindAcknowledgeNotice    Kind = 19
	KindReleaseNotice        Kind = 20
	KindDispute              Kind = 21
	KindResolve              Kind = 22
	KindAttest               Kind = 23
	KindRevokeAttestation    Kind = 24
	KindAnchor               Kind = 25
	KindDeclareYield         Kind = 26
	KindSetThreshold         Kind = 27
	KindPropose              Kind = 28
	KindVote                 Kind = 29
)

// String returns the name of the kind, for example "Capture".
func (k Kind) String() string {
	if p := newPayload(k); p != nil {
		return fmt.Sprintf("%T", p)[len("*ledger."):]
	}
	return fmt.Sprintf("kind %d", uint16(k))
}

// Known reports whether this program knows the kind. Known kinds follow each other, from KindCapture on.
func (k Kind) Known() bool { return newPayload(k) != nil }

// MarshalText returns the text of String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Payload is what a transaction of one kind says. Every kind has one implementation in this package.
type Payload interface {
	Kind() Kind
	// check says what is wrong with the payload itself, whatever the state.
	check() error
	// effects changes the state, or says what the rules have against it.
	effects(*txRun) *Finding
}

func newPayload(k Kind) Payload {
	switch k {
	case KindCapture:
		return new(Capture)
	case KindRegisterOrganisation:
		return new(RegisterOrganisation)
	case KindAdmitOrganisation:
		return new(AdmitOrganisation)
	case KindAddKey:
		return new(AddKey)
	case KindRevokeKey:
		return new(RevokeKey)
	case KindClaimPrefix:
		return new(ClaimPrefix)
	case KindApprovePrefix:
		return new(ApprovePrefix)
	case KindDelegate:
		return new(Delegate)
	case KindRevokeDelegation:
		return new(RevokeDelegation)
	case KindPutMasterData:
		return new(PutMasterData)
	case KindTransfer:
		return new(Transfer)
	case KindRegisterValidator:
		return new(RegisterValidator)
	case KindBond:
		return new(Bond)
	case KindUnbond:
		return new(Unbond)
	case KindSubmitEvidence:
		return new(SubmitEvidence)
	case KindUnjail:
		return new(Unjail)
	case KindRotateValidatorKey:
		return new(RotateValidatorKey)
	case KindNotice:
		return new(Notice)
	case KindAcknowledgeNotice:
		return new(AcknowledgeNotice)
	case KindReleaseNotice:
		return new(ReleaseNotice)
	case KindDispute:
		return new(Dispute)
	case KindResolve:
		return new(Resolve)
	case KindAttest:
		return new(Attest)
	case KindRevokeAttestation:
		return new(RevokeAttestation)
	case KindAnchor:
		return new(Anchor)
	case KindDeclareYield:
		return new(DeclareYield)
	case KindSetThreshold:
		return new(SetThreshold)
	case KindPropose:
		return new(Propose)
	case KindVote:
		return new(Vote)
	}
	return nil
}

// CaptureMode says what happens to the other events of a capture when one is refused.
type CaptureMode uint8

// The modes, named as EPCIS 2.0 names them (GS1-Capture-Error-Behaviour).
const (
	Rollback CaptureMode = 0 // none is recorded
	Proceed  CaptureMode = 1 // the others are
)

// Capture records EPCIS events, each as [epcis.EncodeEvent] wrote it, in this order.
type Capture struct {
	_      struct{} `cbor:",toarray"`
	Mode   CaptureMode
	Events [][]byte
}

// RegisterOrganisation makes the author's account an organisation, or changes its roles and adds parties if it is one.
type RegisterOrganisation struct {
	_       struct{} `cbor:",toarray"`
	Name    string
	Roles   []string           // free words, for example "farm", "carrier", "regulator"
	Parties []string           // identifiers under which documents name it (PGLN, GLN, URI)
	Keys    []crypto.PublicKey // further keys that sign for it, besides the one of its address
}

// AdmitOrganisation is a registrar's word that an organisation may act, or, with Admitted false, no longer.
type AdmitOrganisation struct {
	_            struct{} `cbor:",toarray"`
	Organisation crypto.Address
	Admitted     bool
}

// AddKey lets a further key sign for the author, from FromHeight (0: from the next block).
type AddKey struct {
	_          struct{} `cbor:",toarray"`
	Key        crypto.PublicKey
	FromHeight uint64
}

// RevokeKey ends a key of the author: from FromHeight (0: from the next block) its signatures do not count.
type RevokeKey struct {
	_          struct{} `cbor:",toarray"`
	Key        crypto.PublicKey
	FromHeight uint64
}

// ClaimPrefix asks for a GS1 company prefix, 4 to 12 digits, for example "9521321".
type ClaimPrefix struct {
	_      struct{} `cbor:",toarray"`
	Prefix string
}

// ApprovePrefix is a registrar's word that an organisation holds a company prefix that it claimed. If somebody held it
// before, that ends.
type ApprovePrefix struct {
	_            struct{} `cbor:",toarray"`
	Prefix       string
	Organisation crypto.Address
}

// Delegate lets another organisation commission and describe identifiers in the author's name.
type Delegate struct {
	_       struct{} `cbor:",toarray"`
	To      crypto.Address
	Scope   string // a company prefix of the author, or a class under one, for example "https://id.gs1.org/01/09521321000012"
	UntilMs int64  // block time at which it ends, ms since the Unix epoch; 0: never
}

// RevokeDelegation ends a delegation at once.
type RevokeDelegation struct {
	_     struct{} `cbor:",toarray"`
	To    crypto.Address
	Scope string
}

// PutMasterData describes a product, location or party. Attributes replace those recorded before.
type PutMasterData struct {
	_          struct{} `cbor:",toarray"`
	Type       string   // "product", "location" or "party"
	ID         string
	Attributes []Attribute
}

// Attribute is one fact of master data, for example {"https://gs1.org/voc/productName", "Romaine hearts"}.
type Attribute struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Value string
}

// Transfer moves money. It creates the receiver's account if there is none.
type Transfer struct {
	_      struct{} `cbor:",toarray"`
	To     crypto.Address
	Amount uint64 // smallest unit; 0 only opens the account
}

// RegisterValidator announces a consensus key with its first stake; the author becomes the validator's operator. The key
// signs the transaction too. It takes part from a later epoch on, if it has stake enough.
type RegisterValidator struct {
	_       struct{}         `cbor:",toarray"`
	Key     crypto.PublicKey // signs votes
	PeerKey crypto.PublicKey // identity of its node towards peers; never signs votes
	Name    string
	Stake   uint64 // smallest unit, taken from the author's balance
}

// Bond adds to the author's stake in a validator, named by any key it has had. The money earns and answers for whatever
// the validator signs; see Unbond and SubmitEvidence.
type Bond struct {
	_         struct{} `cbor:",toarray"`
	Validator crypto.PublicKey
	Amount    uint64
}

// Unbond takes from the author's stake in a validator. The money is the author's again when no evidence about an epoch in
// which it gave the validator power counts any more.
type Unbond struct {
	_         struct{} `cbor:",toarray"`
	Validator crypto.PublicKey
	Amount    uint64
}

// Unjail lets a validator of the author that was jailed for being down be elected again.
type Unjail struct {
	_         struct{}         `cbor:",toarray"`
	Validator crypto.PublicKey // any key it has had
}

// RotateValidatorKey gives a validator of the author another consensus key, which signs too. Stake, operator, jail and
// what it answers for stay as they are; the old key votes until an epoch begins without it, and is never used again.
type RotateValidatorKey struct {
	_          struct{}         `cbor:",toarray"`
	Old        crypto.PublicKey // the present key
	New        crypto.PublicKey
	NewPeerKey crypto.PublicKey // zero: the peer key stays
}

// Kind returns KindCapture.
func (*Capture) Kind() Kind { return KindCapture }

func (p *Capture) effects(t *txRun) *Finding { return t.capture(p) }

// Kind returns KindRegisterOrganisation.
func (*RegisterOrganisation) Kind() Kind { return KindRegisterOrganisation }

func (p *RegisterOrganisation) effects(t *txRun) *Finding { return t.registerOrganisation(p) }

// Kind returns KindAdmitOrganisation.
func (*AdmitOrganisation) Kind() Kind { return KindAdmitOrganisation }

func (p *AdmitOrganisation) effects(t *txRun) *Finding { return t.admitOrganisation(p) }

// Kind returns KindAddKey.
func (*AddKey) Kind() Kind { return KindAddKey }

func (p *AddKey) effects(t *txRun) *Finding { return t.addKey(p) }

// Kind returns KindRevokeKey.
func (*RevokeKey) Kind() Kind { return KindRevokeKey }

func (p *RevokeKey) effects(t *txRun) *Finding { return t.revokeKey(p) }

// Kind returns KindClaimPrefix.
func (*ClaimPrefix) Kind() Kind { return KindClaimPrefix }

func (p *ClaimPrefix) effects(t *txRun) *Finding { return t.claimPrefix(p) }

// Kind returns KindApprovePrefix.
func (*ApprovePrefix) Kind() Kind { return KindApprovePrefix }

func (p *ApprovePrefix) effects(t *txRun) *Finding { return t.approvePrefix(p) }

// Kind returns KindDelegate.
func (*Delegate) Kind() Kind { return KindDelegate }

func (p *Delegate) effects(t *txRun) *Finding { return t.delegate(p) }

// Kind returns KindRevokeDelegation.
func (*RevokeDelegation) Kind() Kind { return KindRevokeDelegation }

func (p *RevokeDelegation) effects(t *txRun) *Finding { return t.revokeDelegation(p) }

// Kind returns KindPutMasterData.
func (*PutMasterData) Kind() Kind { return KindPutMasterData }

func (p *PutMasterData) effects(t *txRun) *Finding { return t.putMasterData(p) }

// Kind returns KindTransfer.
func (*Transfer) Kind() Kind { return KindTransfer }

func (p *Transfer) effects(t *txRun) *Finding { return t.transfer(p) }

// Kind returns KindRegisterValidator.
func (*RegisterValidator) Kind() Kind { return KindRegisterValidator }

func (p *RegisterValidator) effects(t *txRun) *Finding { return t.registerValidator(p) }

// Kind returns KindBond.
func (*Bond) Kind() Kind { return KindBond }

func (p *Bond) effects(t *txRun) *Finding { return t.bond(p.Validator, p.Amount) }

// Kind returns KindUnbond.
func (*Unbond) Kind() Kind { return KindUnbond }

func (p *Unbond) effects(t *txRun) *Finding { return t.unbond(p) }

// Kind returns KindSubmitEvidence.
func (*SubmitEvidence) Kind() Kind { return KindSubmitEvidence }

func (p *SubmitEvidence) effects(t *txRun) *Finding { return t.punish(p) }

// Kind returns KindUnjail.
func (*Unjail) Kind() Kind { return KindUnjail }

func (p *Unjail) effects(t *txRun) *Finding { return t.unjail(p) }

// Kind returns KindRotateValidatorKey.
func (*RotateValidatorKey) Kind() Kind { return KindRotateValidatorKey }

func (p *RotateValidatorKey) effects(t *txRun) *Finding { return t.rotateValidatorKey(p) }
