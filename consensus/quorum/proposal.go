package quorum

import (
	"encoding/binary"

	"waybill/crypto"
)

// Bounds of a payload. The network's own parameters are tighter.
const (
	MaxPayloadBytes = 4 << 20
	MaxPayloadTxs   = 1 << 16
)

// MaxProposalSize bounds an encoded proposal in bytes for a set of n validators.
func MaxProposalSize(n int) int {
	certificate := certificateFixed + (n+7)/8 + n*crypto.SignatureSize
	return HeaderSize + crypto.SignatureSize + 1 + 2 + (1+MaxSkip)*certificate + 4 + MaxPayloadBytes + 4*MaxPayloadTxs
}

// Proposal is a leader's block for a view. Payload holds the transactions as their authors sent them. Signature is the
// leader's, over the digest of Header.Statement.
type Proposal struct {
	Header        Header
	Justification Justification
	Payload       [][]byte
	Signature     crypto.Signature
}

// PayloadRoot commits to the transactions of a block and their order.
func PayloadRoot(payload [][]byte) crypto.Hash { return crypto.MerkleRoot(payload) }

// Statement is the vote of kind KindProposal that the leader signs. Its signature is not set.
func (h Header) Statement() Vote {
	return Vote{Kind: KindProposal, Epoch: h.Epoch, View: h.View, Height: h.Height, Block: h.Hash(), Signer: h.Proposer}
}

// Complete fills the fields of the header that follow from the rest: Justification, PayloadRoot, PayloadBytes, TxCount.
func (p Proposal) Complete() Proposal {
	p.Header.Justification = p.Justification.Hash()
	p.Header.PayloadRoot = PayloadRoot(p.Payload)
	p.Header.PayloadBytes = uint32(payloadBytes(p.Payload))
	p.Header.TxCount = uint32(len(p.Payload))
	return p
}

// SignProposal completes and signs a proposal. Like [SignVote], only the signer may call it.
func SignProposal(d Domain, key crypto.PrivateKey, p Proposal) Proposal {
	p = p.Complete()
	p.Signature = SignVote(d, key, p.Header.Statement()).Signature
	return p
}

func payloadBytes(payload [][]byte) int {
	n := 0
	for _, tx := range payload {
		n += len(tx)
	}
	return n
}

// Encode writes header, signature, justification, number of transactions (4 bytes) and each with its length (4 bytes).
func (p Proposal) Encode() []byte {
	j := p.Justification.Encode()
	b := make([]byte, 0, HeaderSize+crypto.SignatureSize+len(j)+4+4*len(p.Payload)+payloadBytes(p.Payload))
	b = append(b, p.Header.Encode()...)
	b = append(b, p.Signature[:]...)
	b = append(b, j...)
	return appendPayload(b, p.Payload)
}

func appendPayload(b []byte, payload [][]byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	for _, tx := range payload {
		b = binary.BigEndian.AppendUint32(b, uint32(len(tx)))
		b = append(b, tx...)
	}
	return b
}

// DecodeProposal accepts exactly what Encode writes for a well-formed proposal inside the bounds. Payload shares memory
// with b, which must not be changed afterwards.
func DecodeProposal(b []byte) (Proposal, error) {
	r := reader{crypto.ReadFields(b)}
	p := Proposal{Header: r.header(), Signature: r.Signature()}
	if r.Short() {
		return Proposal{}, refuse(ErrEncoding, "a proposal ends too early")
	}
	if err := p.Header.checkForm(); err != nil {
		return Proposal{}, err
	}
	var err error
	if p.Justification, err = r.justification(); err != nil {
		return Proposal{}, err
	}
	if p.Payload, err = r.payload(); err != nil {
		return Proposal{}, err
	}
	if err := r.done("proposal"); err != nil {
		return Proposal{}, err
	}
	return p, nil
}

func (r *reader) payload() ([][]byte, error) {
	count := r.Length()
	// Each transaction takes five bytes at least, so that a short message cannot make a long list.
	if count > MaxPayloadTxs || count > r.Left()/5 {
		return nil, refuse(ErrEncoding, "a payload of %d transactions in %d bytes (at most %d)", count, r.Left(), MaxPayloadTxs)
	}
	payload := make([][]byte, 0, count)
	total := 0
	for range count {
		tx := r.Bytes(r.Length())
		if total += len(tx); len(tx) == 0 || total > MaxPayloadBytes {
			return nil, refuse(ErrEncoding, "a transaction is empty or cut short, or the payload exceeds %d bytes", MaxPayloadBytes)
		}
		payload = append(payload, tx)
	}
	if count == 0 {
		return nil, nil
	}
	return payload, nil
}

// Anchor is the block an epoch starts from: the genesis block for epoch 0, else the closing block of the epoch before.
// It has view 0 of the epoch.
type Anchor struct {
	Hash   crypto.Hash
	Height Height
	TimeMs int64

	ExecHeight Height // Header.ExecHeight of the block; 0 for the genesis block
}

// VerifiedProposal is a proposal whose leader, certificates and payload commitment were checked. Only this package
// makes them. What its transactions do, and whether the time and the executed roots are right, is not checked yet.
type VerifiedProposal struct {
	proposal Proposal
	vote     VerifiedVote
	parent   VerifiedCertificate // zero when the parent is the anchor
	skip     []VerifiedCertificate
}

// Proposal returns the proposal; its slices must not be changed.
func (p VerifiedProposal) Proposal() Proposal { return p.proposal }

// Header returns the header.
func (p VerifiedProposal) Header() Header { return p.proposal.Header }

// Hash is the hash of the header: the name of the block.
func (p VerifiedProposal) Hash() crypto.Hash { return p.vote.vote.Block }

// Vote is the leader's signature as a vote of kind KindProposal, for evidence.
func (p VerifiedProposal) Vote() VerifiedVote { return p.vote }

// Parent is the certificate of the parent; false when the parent is the epoch's anchor.
func (p VerifiedProposal) Parent() (VerifiedCertificate, bool) { return p.parent, !p.parent.IsZero() }

// Skip lists a nullification for every view between the parent's and the proposal's own, ascending.
func (p VerifiedProposal) Skip() []VerifiedCertificate { return p.skip }

// VerifyProposal checks everything about a proposal that can be known from the epoch alone: the header belongs to this
// network, set and leader, the leader signed it, payload and justification are what the header says, and the
// justification allows it. Errors are of kind ErrForm, ErrDomain, ErrSigner, ErrSignature, ErrPayload, ErrUnjust, and
// those of VerifyCertificates.
func VerifyProposal(d Domain, slate *Slate, anchor Anchor, p Proposal) (VerifiedProposal, error) {
	return VerifyProposalHolding(d, slate, anchor, p, nil)
}

// VerifyProposalHolding is VerifyProposal for a caller who holds certificates. held returns the nullification of a view
// if it has one, verified in the same domain; it may fill gaps in the proposal's own list, and saves checking one that
// is in both. A nil held holds nothing.
func VerifyProposalHolding(d Domain, slate *Slate, anchor Anchor, p Proposal, held func(View) (VerifiedCertificate, bool)) (VerifiedProposal, error) {
	if err := p.checkHeader(d, slate, anchor); err != nil {
		return VerifiedProposal{}, err
	}
	// The leader's signature first, so that nobody else can make us check a thousand certificates.
	statement := p.Header.Statement()
	statement.Signature = p.Signature
	signed := VerifyVotes(d, []Vote{statement})[0]
	if signed.Err != nil {
		return VerifiedProposal{}, signed.Err
	}
	if err := p.checkContent(); err != nil {
		return VerifiedProposal{}, err
	}
	out := VerifiedProposal{proposal: p, vote: signed.Verified}
	if err := out.justify(d, anchor, held); err != nil {
		return VerifiedProposal{}, err
	}
	return out, nil
}

func (p *Proposal) checkHeader(d Domain, slate *Slate, anchor Anchor) error {
	h := &p.Header
	if err := h.checkForm(); err != nil {
		return err
	}
	if h.Genesis != d.Genesis {
		return refuse(ErrDomain, "the proposal is of network %s, this is %s", h.Genesis, d.Genesis)
	}
	if h.ValidatorSet != d.Set.Hash() {
		return refuse(ErrDomain, "the proposal is of validator set %s, this epoch's is %s", h.ValidatorSet, d.Set.Hash())
	}
	if h.View == 0 {
		return refuse(ErrForm, "a proposal for view 0, in which nobody proposes")
	}
	if leader := slate.Leader(h.View); int(h.Proposer) != leader {
		return refuse(ErrSigner, "the leader of view %d is validator %d, not %d", h.View, leader, h.Proposer)
	}
	if err := h.checkKind(); err != nil {
		return err
	}
	if h.TimeMs <= anchor.TimeMs {
		return refuse(ErrForm, "the time %d ms is not after the start of the epoch, %d ms", h.TimeMs, anchor.TimeMs)
	}
	if !h.IsTail() && h.ExecHeight < anchor.ExecHeight {
		return refuse(ErrForm, "executed up to height %d, the epoch's anchor up to %d", h.ExecHeight, anchor.ExecHeight)
	}
	if h.ParentView >= h.View || h.Height <= anchor.Height || h.ExecHeight >= h.Height {
		return refuse(ErrForm, "view %d on parent view %d, height %d above %d, executed up to %d", h.View, h.ParentView, h.Height, anchor.Height, h.ExecHeight)
	}
	return nil
}

// checkContent checks that payload and justification are what the header commits to.
func (p *Proposal) checkContent() error {
	size := payloadBytes(p.Payload)
	if len(p.Payload) > MaxPayloadTxs || size > MaxPayloadBytes {
		return refuse(ErrPayload, "%d transactions of %d bytes exceed %d or %d", len(p.Payload), size, MaxPayloadTxs, MaxPayloadBytes)
	}
	if uint64(p.Header.TxCount) != uint64(len(p.Payload)) || uint64(p.Header.PayloadBytes) != uint64(size) {
		return refuse(ErrPayload, "the header says %d transactions of %d bytes, there are %d of %d", p.Header.TxCount, p.Header.PayloadBytes, len(p.Payload), size)
	}
	for i, tx := range p.Payload {
		if len(tx) == 0 {
			return refuse(ErrPayload, "transaction %d is empty", i)
		}
	}
	if PayloadRoot(p.Payload) != p.Header.PayloadRoot {
		return refuse(ErrPayload, "the transactions do not hash to the payload root of the header")
	}
	if err := p.Justification.checkForm(); err != nil {
		return err
	}
	if p.Justification.Hash() != p.Header.Justification {
		return refuse(ErrPayload, "the justification does not hash to what the header says")
	}
	return nil
}
