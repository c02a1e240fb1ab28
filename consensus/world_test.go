package consensus

import (
	"encoding/binary"
	"fmt"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// world makes everything that is signed, for real: keys, votes, certificates, proposals. It remembers what it signed, so
// that many runs over the same blocks cost one signature each.
type world struct {
	keys      []crypto.PrivateKey // by index in the set
	domain    quorum.Domain
	slate     *quorum.Slate
	anchor    quorum.Anchor
	terms     map[quorum.Epoch]term // of the epochs after the first, where there are any
	votes     map[quorum.Vote]quorum.VerifiedVote
	proposals map[proposalKey]quorum.VerifiedProposal

	epochLength quorum.Height // blocks; 0 for an epoch without end
}

// term is what differs between epochs here: the set stays.
type term struct {
	slate  *quorum.Slate
	anchor quorum.Anchor
}

// term of an epoch; the first one's is the world's own.
func (w *world) term(e quorum.Epoch) term {
	if t, ok := w.terms[e]; ok {
		return t
	}
	return term{w.slate, w.anchor}
}

// endEpoch starts the epoch after the one that a closing block ends.
func (w *world) endEpoch(h quorum.Header) {
	if _, known := w.terms[h.Epoch+1]; known {
		return
	}
	hash := h.Hash()
	w.terms[h.Epoch+1] = term{quorum.NewSlate(w.domain.Set, hash), quorum.Anchor{Hash: hash, Height: h.Height, TimeMs: h.TimeMs}}
}

// proposalKey identifies a proposal by everything that goes into it.
type proposalKey struct {
	header        quorum.Header
	justification crypto.Hash
	payload       string
}

// newWorld makes a world of validators with these powers, descending, in which the first views are led as the letters
// say: "ABCD" for indices 0 to 3. Short of luck with 2^16 seeds it panics.
func newWorld(powers []quorum.Power, leaders string) *world {
	w := &world{votes: map[quorum.Vote]quorum.VerifiedVote{}, proposals: map[proposalKey]quorum.VerifiedProposal{}}
	validators := make([]quorum.Validator, len(powers))
	keys := map[crypto.PublicKey]crypto.PrivateKey{}
	for i, p := range powers {
		seed := crypto.Sum("waybill/test/key", []byte{byte(i + 1)})
		key, err := crypto.PrivateKeyFromBytes(seed[:])
		if err != nil {
			panic(err)
		}
		keys[key.Public()] = key
		validators[i] = quorum.Validator{Key: key.Public(), Power: p, Operator: key.Public().Address()}
	}
	set, err := quorum.NewSet(validators)
	if err != nil {
		panic(err)
	}
	for i := range set.Len() {
		w.keys = append(w.keys, keys[set.At(i).Key])
	}
	genesis := crypto.Sum("waybill/test/genesis", []byte("consensus"))
	w.domain = quorum.Domain{Genesis: genesis, Set: set}
	w.anchor = quorum.Anchor{Hash: genesis, Height: 0, TimeMs: int64(epochOfStory) - 1_000}
	w.slate = findSlate(set, leaders)
	return w
}

func findSlate(set *quorum.Set, leaders string) *quorum.Slate {
	for i := range uint32(1 << 16) {
		slate := quorum.NewSlate(set, crypto.Sum("waybill/test/seed", binary.BigEndian.AppendUint32(nil, i)))
		fits := true
		for v, letter := range leaders {
			fits = fits && slate.Leader(quorum.View(v+1)) == int(letter-'A')
		}
		if fits {
			return slate
		}
	}
	panic("no slate begins with leaders " + leaders)
}

// config is the configuration of validator self.
func (w *world) config(self int) Config { return w.configOf(0, self) }

func (w *world) configOf(e quorum.Epoch, self int) Config {
	t := w.term(e)
	return Config{Domain: w.domain, Epoch: e, Slate: t.slate, Anchor: t.anchor, Self: self, ExecDelay: 2, Timing: DefaultTiming()}
}

// vote signs v, with the key of its signer, and verifies it.
func (w *world) vote(v quorum.Vote) quorum.VerifiedVote {
	v.Signature = crypto.Signature{}
	if known, ok := w.votes[v]; ok {
		return known
	}
	r := quorum.VerifyVotes(w.domain, []quorum.Vote{w.sign(v)})[0]
	if r.Err != nil {
		panic(r.Err)
	}
	w.votes[v] = r.Verified
	return r.Verified
}

// sign signs for real, or the quick way where the domain has one. quorum.SignVote would compute a public key each time.
func (w *world) sign(v quorum.Vote) quorum.Vote {
	if quick, ok := w.domain.Checker.(quickSigner); ok {
		v.Signature = quick.Sign(w.keys[v.Signer], v.Digest(w.domain))
		return v
	}
	return quorum.SignVote(w.domain, w.keys[v.Signer], v)
}

// certificate makes one of the votes of these signers; of everybody if there are none.
func (w *world) certificate(v quorum.Vote, signers ...int) quorum.VerifiedCertificate {
	if len(signers) == 0 {
		for i := range w.keys {
			signers = append(signers, i)
		}
	}
	var votes []quorum.VerifiedVote
	for _, i := range signers {
		v.Signer = uint16(i)
		votes = append(votes, w.vote(v))
	}
	c, err := quorum.Certify(w.domain, votes)
	if err != nil {
		panic(fmt.Sprintf("%v of %v: %v", v.Kind, signers, err))
	}
	return c
}

// proposal signs a block and verifies it.
func (w *world) proposal(h quorum.Header, j quorum.Justification, payload [][]byte) quorum.VerifiedProposal {
	key := proposalKey{header: h, justification: j.Hash(), payload: fmt.Sprintf("%x", payload)}
	if known, ok := w.proposals[key]; ok {
		return known
	}
	h.Version, h.Genesis, h.ValidatorSet = quorum.HeaderVersion, w.domain.Genesis, w.domain.Set.Hash()
	t := w.term(h.Epoch)
	h.Proposer = uint16(t.slate.Leader(h.View))
	p := quorum.Proposal{Header: h, Justification: j, Payload: payload}
	if w.domain.Checker != nil {
		p.Header.Justification, p.Header.PayloadRoot, p.Header.TxCount = j.Hash(), quorum.PayloadRoot(payload), uint32(len(payload))
		for _, tx := range payload {
			p.Header.PayloadBytes += uint32(len(tx))
		}
		p.Signature = w.sign(p.Header.Statement()).Signature
	} else {
		p = quorum.SignProposal(w.domain, w.keys[h.Proposer], p)
	}
	verified, err := quorum.VerifyProposal(w.domain, t.slate, t.anchor, p)
	if err != nil {
		panic(err)
	}
	w.proposals[key] = verified
	return verified
}

// answer builds the block or tail that a build request asks for.
func (w *world) answer(b *BuildRequest, at Time, payload [][]byte) quorum.VerifiedProposal {
	if !b.Closing.IsZero() {
		return w.proposal(b.TailHeader(w.domain, 0, int64(at)), b.Justification, nil)
	}
	h := headerFor(b, at)
	if w.closes(h.Height) {
		h.Flags, h.NextValidatorSet = quorum.FlagClosing, w.domain.Set.Hash()
	}
	return w.proposal(h, b.Justification, payload)
}

// headerFor is that of an ordinary block.
func headerFor(b *BuildRequest, at Time) quorum.Header {
	return quorum.Header{Epoch: b.Epoch, View: b.View, Height: b.Height, Parent: b.Parent, ParentView: b.ParentView, TimeMs: int64(at)}
}

// closes is the rule of this world's ledger for the end of an epoch.
func (w *world) closes(height quorum.Height) bool {
	return w.epochLength > 0 && height%w.epochLength == 0
}

// quickSigner stands in for the curve, so that thousands of storms take seconds: a signature is a hash of public key and
// digest. Scenarios and the tests of package quorum use real ones.
type quickSigner struct {
	public map[crypto.PrivateKey]crypto.PublicKey
}

func newQuickSigner(w *world) quickSigner {
	q := quickSigner{map[crypto.PrivateKey]crypto.PublicKey{}}
	for _, k := range w.keys {
		q.public[k] = k.Public()
	}
	return q
}

func quickSignature(k crypto.PublicKey, digest crypto.Hash) (s crypto.Signature) {
	h := crypto.Sum("waybill/test/signature", k[:], digest[:])
	copy(s[:], h[:])
	return s
}

func (q quickSigner) Sign(k crypto.PrivateKey, digest crypto.Hash) crypto.Signature {
	return quickSignature(q.public[k], digest)
}

func (q quickSigner) VerifyBatch(checks []crypto.Check) []bool {
	out := make([]bool, len(checks))
	for i, c := range checks {
		out[i] = c.Signature == quickSignature(c.Key, c.Digest)
	}
	return out
}

// letter names a validator by its index.
func letter(i int) string { return string(rune('A' + i)) }

// TestWorld pins down what the scenarios rely on.
func TestWorld(t *testing.T) {
	w := newWorld([]quorum.Power{10, 3, 2, 1}, "ABCD")
	for v, want := range "ABCD" {
		if got := letter(w.slate.Leader(quorum.View(v + 1))); got != string(want) {
			t.Errorf("leader of view %d is %s, want %s", v+1, got, string(want))
		}
	}
	if w.domain.Set.At(0).Power != 10 || w.domain.Set.At(3).Power != 1 {
		t.Errorf("validators are not in order of power: %v", w.domain.Set.Validators())
	}
	if q := w.domain.Set.Quorum(); q != 11 {
		t.Errorf("quorum of 16 is %d, want 11", q)
	}
}
