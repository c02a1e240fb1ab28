package ledger

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// ChainModel is a chain of custody model of ISO 22095:2020. Its text is "identity_preserved", "segregated",
// "controlled_blending", "mass_balance" or "book_and_claim".
type ChainModel uint8

// The models (ISO 22095:2020, clause 5).
const (
	IdentityPreserved  ChainModel = 1 // from one source, never mixed
	Segregated         ChainModel = 2 // mixed only with goods of the same claim
	ControlledBlending ChainModel = 3 // mixed in a known proportion
	MassBalance        ChainModel = 4 // mixed; what goes out with the claim is at most what came in with it
	BookAndClaim       ChainModel = 5 // the claim is traded without the goods
)

// String returns the text.
func (m ChainModel) String() string {
	names := [...]string{"none", "identity_preserved", "segregated", "controlled_blending", "mass_balance", "book_and_claim"}
	if int(m) < len(names) {
		return names[m]
	}
	return "unknown"
}

// MarshalText returns the text of String.
func (m ChainModel) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Attest is an organisation's certificate about another: that goods of it may carry a claim. Events name it in their
// certificationInfo (EPCIS 2.0, section 7.4.1).
type Attest struct {
	_        struct{} `cbor:",toarray"`
	ID       string   // URI of the certificate
	Subject  crypto.Address
	Scope    string // class, lot or location that it is about; "": all of the subject's
	Claim    string // for example "organic"
	Model    ChainModel
	Standard string // for people, for example "EU 2018/848"
	FromMs   int64  // ms since the Unix epoch; in force from here
	UntilMs  int64  // and before here
	Document crypto.Hash
}

// RevokeAttestation ends a certificate at once; by its issuer or a regulator. Events recorded later cannot name it, whenever
// they happened; what events recorded before said stays.
type RevokeAttestation struct {
	_      struct{} `cbor:",toarray"`
	ID     string
	Reason string
}

// Anchor puts the hash of a document on record.
type Anchor struct {
	_        struct{} `cbor:",toarray"`
	Document crypto.Hash
	About    string // an identifier; "": nothing in particular
	Media    string // media type, for example "application/pdf"
	Note     string
}

// DeclareYield says how much of a product its maker gets out of what goes in: mass out per mass in. R11 holds
// transformations of the author against it; without one no more mass comes out than went in.
type DeclareYield struct {
	_       struct{} `cbor:",toarray"`
	Output  string   // canonical class of the product
	MostPpm uint64   // at most, in millionths; fish eat: 0 ends the declaration
	Note    string
}

// Attestation is a certificate in the state.
type Attestation struct {
	_         struct{} `cbor:",toarray"`
	ID        string
	Issuer    crypto.Address
	Subject   crypto.Address
	Scope     string // canonical
	Claim     string
	Model     ChainModel
	Standard  string
	FromMs    int64
	UntilMs   int64
	Document  crypto.Hash
	Height    quorum.Height
	RevokedMs int64 // time of the block that revoked it; 0: it was not
	RevokedBy crypto.Address
	Reason    string // of the revocation
}

// AnchorRecord is a document's hash in the state: who anchored it first, and when.
type AnchorRecord struct {
	_        struct{} `cbor:",toarray"`
	Document crypto.Hash
	Author   crypto.Address
	About    string
	Media    string
	Note     string
	Tx       crypto.Hash
	Height   quorum.Height
	TimeMs   int64 // of its block, ms since the Unix epoch
}

// YieldRecord is a declared yield in the state.
type YieldRecord struct {
	_       struct{} `cbor:",toarray"`
	MostPpm uint64
	Note    string
	Height  quorum.Height
}

// Kind returns KindAttest.
func (*Attest) Kind() Kind { return KindAttest }

// Kind returns KindRevokeAttestation.
func (*RevokeAttestation) Kind() Kind { return KindRevokeAttestation }

// Kind returns KindAnchor.
func (*Anchor) Kind() Kind { return KindAnchor }

// Kind returns KindDeclareYield.
func (*DeclareYield) Kind() Kind { return KindDeclareYield }

// AttestationKey is the state key of an [Attestation].
func AttestationKey(id string) []byte { return key("cert", id) }

// AnchorKey is the state key of an [AnchorRecord].
func AnchorKey(document crypto.Hash) []byte { return key("anchor", string(document[:])) }

// YieldKey is the state key of a [YieldRecord]; class in canonical form.
func YieldKey(a crypto.Address, class string) []byte { return key("yield", string(a[:])+class) }

// ReadAttestation returns a certificate; nil if there is none with that URI.
func ReadAttestation(v View, id string) (*Attestation, error) {
	return read[Attestation](v, AttestationKey(id))
}

// ReadAnchor returns who put a document's hash on record first; nil if nobody did.
func ReadAnchor(v View, document crypto.Hash) (*AnchorRecord, error) {
	return read[AnchorRecord](v, AnchorKey(document))
}

// ReadYield returns what an organisation declared for a class; nil if it declared nothing.
func ReadYield(v View, a crypto.Address, class string) (*YieldRecord, error) {
	return read[YieldRecord](v, YieldKey(a, canonical(class)))
}
