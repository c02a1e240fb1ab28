package explore

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// world is what all nodes of a run share and never change: validators, who of them is faulty, and the slate.
type world struct {
	domain quorum.Domain
	slate  *quorum.Slate
	anchor quorum.Anchor
	power  []uint64
	total  uint64
	faulty []bool // by index in the set
}

const (
	startMs   = 1_800_000_000_000 // of the virtual clock
	execDelay = 2
)

var genesis = crypto.Hash(sha256.Sum256([]byte("explored network")))

func newWorld(set *quorum.Set, slate *quorum.Slate, faulty []bool) *world {
	w := &world{
		domain: quorum.Domain{Genesis: genesis, Set: set, Checker: seals{}}, slate: slate,
		anchor: quorum.Anchor{Hash: genesis, TimeMs: startMs - 1_000}, faulty: faulty,
	}
	for i := range set.Len() {
		w.power = append(w.power, uint64(set.At(i).Power))
		w.total += w.power[i]
	}
	return w
}

// quorate is the arithmetic of certificates, apart from the one judged: more than two thirds.
func (w *world) quorate(power uint64) bool { return 3*power > 2*w.total }

// seals stands in for ECDSA: a signature is the digest, masked with the key, and the key. It binds exactly what a
// signature binds, and nothing in here makes one that it should not be able to make.
type seals struct{}

func seal(key crypto.PublicKey, digest crypto.Hash) (s crypto.Signature) {
	for i := range digest {
		s[i] = digest[i] ^ key[1+i]
	}
	copy(s[crypto.HashSize:], key[1:])
	return s
}

// Sign makes the signature that VerifyBatch accepts.
func (seals) Sign(key crypto.PrivateKey, digest crypto.Hash) crypto.Signature {
	return seal(key.Public(), digest)
}

// VerifyBatch has the contract of crypto.VerifyBatch.
func (seals) VerifyBatch(checks []crypto.Check) []bool {
	out := make([]bool, len(checks))
	for i := range checks {
		out[i] = checks[i].Signature == seal(checks[i].Key, checks[i].Digest)
	}
	return out
}

// vote signs v with the key of its signer.
func (w *world) vote(v quorum.Vote) quorum.VerifiedVote {
	v.Signature = seal(w.domain.Set.At(int(v.Signer)).Key, v.Digest(w.domain))
	r := quorum.VerifyVotes(w.domain, []quorum.Vote{v})[0]
	if r.Err != nil {
		panic(r.Err)
	}
	return r.Verified
}

// proposal completes a header for the leader of its view, signs and verifies it.
func (w *world) proposal(h quorum.Header, j quorum.Justification, payload [][]byte) (quorum.VerifiedProposal, error) {
	h.Version, h.Genesis, h.ValidatorSet = quorum.HeaderVersion, w.domain.Genesis, w.domain.Set.Hash()
	h.Proposer = uint16(w.slate.Leader(h.View))
	h.Justification, h.PayloadRoot, h.TxCount = j.Hash(), quorum.PayloadRoot(payload), uint32(len(payload))
	for _, tx := range payload {
		h.PayloadBytes += uint32(len(tx))
	}
	statement := h.Statement()
	p := quorum.Proposal{Header: h, Justification: j, Payload: payload,
		Signature: seal(w.domain.Set.At(int(h.Proposer)).Key, statement.Digest(w.domain))}
	return quorum.VerifyProposal(w.domain, w.slate, w.anchor, p)
}

// config is the configuration of a machine of validator self.
func (w *world) config(self int, t consensus.Timing) consensus.Config {
	return consensus.Config{Domain: w.domain, Slate: w.slate, Anchor: w.anchor, Self: self, ExecDelay: execDelay, Timing: t}
}

// keys are those of the validators of all runs.
var keys = sync.OnceValue(func() []crypto.PublicKey {
	out := make([]crypto.PublicKey, 10)
	for i := range out {
		seed := sha256.Sum256([]byte{'k', byte(i)})
		key, err := crypto.PrivateKeyFromBytes(seed[:])
		if err != nil {
			panic(err) // one in 2^128
		}
		out[i] = key.Public()
	}
	return out
})

// newSet makes the set of validators with these powers.
func newSet(powers []quorum.Power) *quorum.Set {
	validators := make([]quorum.Validator, len(powers))
	for i, p := range powers {
		validators[i] = quorum.Validator{Key: keys()[i], Power: p, Operator: keys()[i].Address()}
	}
	set, err := quorum.NewSet(validators)
	if err != nil {
		panic(err)
	}
	return set
}

// slateOf makes a slate from a small number.
func slateOf(set *quorum.Set, seed uint64) *quorum.Slate {
	return quorum.NewSlate(set, crypto.Hash(sha256.Sum256(binary.BigEndian.AppendUint64([]byte("slate"), seed))))
}

// slateLed finds a slate whose first views are led by these validators; nil after 2^18 tries.
func slateLed(set *quorum.Set, leaders []int) *quorum.Slate {
	for i := range uint64(1 << 18) {
		s := slateOf(set, i)
		if leads(s, leaders) {
			return s
		}
	}
	return nil
}

// leadersOf lists who leads the first views.
func leadersOf(s *quorum.Slate, views int) []int {
	out := make([]int, views)
	for i := range out {
		out[i] = s.Leader(quorum.View(i + 1))
	}
	return out
}

// name of a validator in stories: A is index 0.
func name(i int) string { return string(rune('A' + i)) }

// equalSets are the sets of validators of one stake, by number.
var equalSets = sync.OnceValue(func() []*quorum.Set {
	out := make([]*quorum.Set, len(keys())+1)
	for n := 1; n < len(out); n++ {
		out[n] = newSet(slices.Repeat([]quorum.Power{1}, n))
	}
	return out
})

func equalSet(n int) *quorum.Set { return equalSets()[n] }
