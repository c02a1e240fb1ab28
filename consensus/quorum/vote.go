package quorum

import (
	"encoding/binary"
	"fmt"

	"waybill/crypto"
)

// VoteKind is what a signature says about a view.
type VoteKind uint8

// The kinds of votes.
const (
	KindProposal VoteKind = 1 + iota // "I, the leader, propose this block"
	KindNotarize                     // "this block is valid and I hold it"; one per view
	KindFinalize                     // "I saw it notarized and did not nullify"; excludes nullify
	KindNullify                      // "I give this view up"; excludes finalize
)

// String is the word of the protocol.
func (k VoteKind) String() string {
	switch k {
	case KindProposal:
		return "proposal"
	case KindNotarize:
		return "notarize"
	case KindFinalize:
		return "finalize"
	case KindNullify:
		return "nullify"
	}
	return fmt.Sprintf("VoteKind(%d)", uint8(k))
}

// Domain is what every digest covers besides the vote: the network and the validators of the epoch.
type Domain struct {
	Genesis crypto.Hash
	Set     *Set

	// Checker answers for signatures. Nil, as on every real node, means crypto.VerifyBatch with the keys of Set
	// remembered. The simulator puts a keyed hash here, because millions of schedules of ECDSA take days.
	Checker Checker
}

// Checker has the contract of [crypto.VerifyBatch].
type Checker interface {
	VerifyBatch([]crypto.Check) []bool
}

// Signer is what a Checker may implement too, so that what it accepts can be made.
type Signer interface {
	Sign(crypto.PrivateKey, crypto.Hash) crypto.Signature
}

func (d Domain) sign(key crypto.PrivateKey, digest crypto.Hash) crypto.Signature {
	if s, ok := d.Checker.(Signer); ok {
		return s.Sign(key, digest)
	}
	return key.Sign(digest)
}

func (d Domain) verifyBatch(checks []crypto.Check) []bool {
	if d.Checker != nil {
		return d.Checker.VerifyBatch(checks)
	}
	return d.Set.keys.VerifyBatch(checks)
}

// Vote is one validator's signed statement about a view. A nullify vote names no block: Height and Block are zero.
type Vote struct {
	Kind      VoteKind
	Epoch     Epoch
	View      View
	Height    Height
	Block     crypto.Hash
	Signer    uint16 // index in the set
	Signature crypto.Signature
}

// VoteSize is the length of an encoded vote in bytes.
const VoteSize = 1 + 8 + 8 + 8 + 32 + 2 + 64

// Digest is what the signer signs:
// SHA-256("waybill/vote/1" || kind:1 || genesis:32 || epoch:8 || set hash:32 || view:8 || height:8 || block:32).
// Signer and Signature are not part of it.
func (v Vote) Digest(d Domain) crypto.Hash { return VoteDigest(d.Genesis, d.Set.Hash(), v) }

// VoteDigest is [Vote.Digest] for a signer that knows the network and the hash of the validator set, but not the set.
func VoteDigest(genesis, set crypto.Hash, v Vote) crypto.Hash {
	b := make([]byte, 0, 1+32+8+32+8+8+32)
	b = append(b, byte(v.Kind))
	b = append(b, genesis[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(v.Epoch))
	b = append(b, set[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(v.View))
	b = binary.BigEndian.AppendUint64(b, uint64(v.Height))
	b = append(b, v.Block[:]...)
	return crypto.Sum(crypto.TagVote, b)
}

// SignVote returns v signed by key. Only the signer, which remembers what it signed, may call it. It panics when key is
// not the key of v.Signer.
func SignVote(d Domain, key crypto.PrivateKey, v Vote) Vote {
	if !d.Set.has(v.Signer) || d.Set.At(int(v.Signer)).Key != key.Public() {
		panic(fmt.Sprintf("quorum: signing for validator %d with the key %s", v.Signer, key.Public()))
	}
	v.Signature = d.sign(key, v.Digest(d))
	return v
}

// Encode writes kind, epoch, view, height, block, signer and signature, fixed width, big-endian.
func (v Vote) Encode() []byte { return v.append(make([]byte, 0, VoteSize)) }

func (v Vote) append(b []byte) []byte {
	b = v.appendContent(b)
	return append(b, v.Signature[:]...)
}

// appendContent writes what Encode writes, without the signature.
func (v Vote) appendContent(b []byte) []byte {
	b = append(b, byte(v.Kind))
	b = binary.BigEndian.AppendUint64(b, uint64(v.Epoch))
	b = binary.BigEndian.AppendUint64(b, uint64(v.View))
	b = binary.BigEndian.AppendUint64(b, uint64(v.Height))
	b = append(b, v.Block[:]...)
	return binary.BigEndian.AppendUint16(b, v.Signer)
}

// DecodeVote accepts exactly what Encode writes for a well-formed vote; the error is of kind ErrEncoding or ErrForm.
func DecodeVote(b []byte) (Vote, error) {
	r := reader{crypto.ReadFields(b)}
	v := r.vote()
	if err := r.done("vote"); err != nil {
		return Vote{}, err
	}
	if err := v.checkForm(); err != nil {
		return Vote{}, err
	}
	return v, nil
}

func (r *reader) vote() Vote {
	return Vote{
		Kind: VoteKind(r.U8()), Epoch: Epoch(r.U64()), View: View(r.U64()), Height: Height(r.U64()),
		Block: r.Hash(), Signer: r.U16(), Signature: r.Signature(),
	}
}

func (v *Vote) checkForm() error { return checkStatement(v.Kind, v.View, v.Height, v.Block) }

// checkStatement holds for votes and certificates alike: a known kind, a view that can be voted in, and a block exactly
// when the kind names one.
func checkStatement(kind VoteKind, view View, height Height, block crypto.Hash) error {
	if kind < KindProposal || kind > KindNullify {
		return refuse(ErrForm, "there is no vote kind %d", uint8(kind))
	}
	if view == 0 {
		return refuse(ErrForm, "a %s in view 0, in which nobody votes", kind)
	}
	if kind == KindNullify && (height != 0 || !block.IsZero()) {
		return refuse(ErrForm, "a nullify of view %d names a block", view)
	}
	if kind != KindNullify && (height == 0 || block.IsZero()) {
		return refuse(ErrForm, "a %s in view %d names no block", kind, view)
	}
	return nil
}

// VerifiedVote is a vote whose signature was checked in a domain. Only this package makes them.
type VerifiedVote struct {
	vote   Vote
	digest crypto.Hash
}

// Vote returns the vote.
func (v VerifiedVote) Vote() Vote { return v.vote }

// Digest returns what was signed; it binds the vote to the domain it was checked in.
func (v VerifiedVote) Digest() crypto.Hash { return v.digest }

// VoteResult is the outcome for one vote: Verified when Err is nil.
type VoteResult struct {
	Verified VerifiedVote
	Err      error
}

// VerifyVotes checks many votes at once; result i is about vote i. Errors are of kind ErrForm, ErrSigner or
// ErrSignature. The votes may be of different views and kinds, proposals included.
func VerifyVotes(d Domain, votes []Vote) []VoteResult {
	results := make([]VoteResult, len(votes))
	checks := make([]crypto.Check, 0, len(votes))
	asked := make([]int, 0, len(votes))
	for i, v := range votes {
		check, err := v.check(d)
		if err != nil {
			results[i].Err = err
			continue
		}
		checks, asked = append(checks, check), append(asked, i)
	}
	for j, ok := range d.verifyBatch(checks) {
		i := asked[j]
		if !ok {
			results[i].Err = refuse(ErrSignature, "%s by validator %d in view %d", votes[i].Kind, votes[i].Signer, votes[i].View)
			continue
		}
		results[i].Verified = VerifiedVote{vote: votes[i], digest: checks[j].Digest}
	}
	return results
}

// check makes the question to crypto, after everything that needs no cryptography.
func (v *Vote) check(d Domain) (crypto.Check, error) {
	if err := v.checkForm(); err != nil {
		return crypto.Check{}, err
	}
	if !d.Set.has(v.Signer) {
		return crypto.Check{}, refuse(ErrSigner, "validator %d of a set of %d", v.Signer, d.Set.Len())
	}
	return crypto.Check{Key: d.Set.At(int(v.Signer)).Key, Digest: v.Digest(d), Signature: v.Signature}, nil
}
