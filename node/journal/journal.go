package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/node/signer"
)

// Records are keyed 'J', kind, epoch:8, view:8, detail, so that one range delete forgets finished views.
const (
	prefix         = 'J'
	recordVote     = 'v' // detail: step:1
	recordProposal = 'p' // own proposal; no detail
	recordBlock    = 'b' // block we notarized; detail: hash:32
	recordCert     = 'c' // certificate; detail: kind:1
	recordNothing  = 'n' // never there
	recordBegun    = 'o' // epoch and view 0: a signer was held against this journal; what it signed since is here
)

// ErrKind classifies what the journal refuses, for errors.Is.
type ErrKind string

// The kinds.
const (
	// ErrWouldDoubleSign refuses a vote or proposal that contradicts or precedes one already signed.
	ErrWouldDoubleSign ErrKind = "refused for safety"
	// ErrDamaged says that a record cannot be what was written; the node must not sign.
	ErrDamaged ErrKind = "journal is damaged"
	// ErrForeign says that another validator signed what it holds.
	ErrForeign ErrKind = "journal belongs to another key"
)

// Error makes a kind the target of errors.Is.
func (k ErrKind) Error() string { return string(k) }

// Error is a refusal.
type Error struct {
	Kind   ErrKind
	Detail string
}

// Error says what was refused and why.
func (e *Error) Error() string { return "journal: " + string(e.Kind) + ": " + e.Detail }

// Unwrap lets errors.Is(err, kind) hold.
func (e *Error) Unwrap() error { return e.Kind }

func refuse(kind ErrKind, format string, args ...any) error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// Config says who signs, and in which epoch.
type Config struct {
	Domain quorum.Domain
	Slate  *quorum.Slate
	Anchor quorum.Anchor
	Epoch  quorum.Epoch
	Self   int           // index in Domain.Set; -1 never signs
	Signer signer.Signer // of the key of Self; nil never signs
}

// Journal signs and remembers. See the package documentation for its rule.
type Journal struct {
	cfg  Config
	set  crypto.Hash // of the validators
	disk Disk

	// What was signed in views that are not forgotten, and the highest of it ever.
	votes    map[consensus.Watermark]quorum.VerifiedVote
	mark     consensus.Watermark
	proposed quorum.View
	floor    quorum.View // views below are forgotten

	// What was found at Open, of whatever epoch, and whether the signer has been held against it.
	known      signer.Known
	reconciled bool

	away     bool   // the signer could not be reached when it was asked last
	unsynced bool   // a proposal may not be durable yet
	syncs    uint64 // synced writes

	// failed is the first failure, after which nothing is signed any more: what was remembered in memory may
	// not be on the disk, and what the disk refused to confirm may be on it all the same.
	failed error
}

func (j *Journal) remember(v quorum.VerifiedVote) {
	vote := v.Vote()
	at := consensus.Watermark{View: vote.View, Step: consensus.StepOf(vote.Kind)}
	j.votes[at] = v
	if j.mark.Less(at) {
		j.mark = at
	}
}

// Sign has votes signed in order and makes them durable, with the blocks they notarize, in one synced write; only then
// it returns them. Votes the rule forbids, and all when the signer cannot be reached, are returned in refused, unsigned.
// An error means that nothing may be sent and the node must stop: the disk failed, or the signer belongs to another
// past. Every later call returns that error, too.
func (j *Journal) Sign(votes []quorum.Vote, blocks []quorum.VerifiedProposal) (signed []quorum.VerifiedVote, refused []quorum.Vote, err error) {
	if j.failed != nil {
		return nil, nil, j.failed
	}
	results, err := j.ask(votes)
	if err != nil {
		return nil, nil, j.fail(err)
	}
	var ops []Op
	for i, r := range results {
		switch {
		case !r.ok:
			refused = append(refused, votes[i])
			continue
		case !r.again:
			ops = append(ops, Op{Key: j.voteKey(votes[i]), Value: r.vote.Vote().Encode()})
		}
		signed = append(signed, r.vote)
	}
	for _, b := range blocks {
		ops = append(ops, Op{Key: j.blockKey(b), Value: b.Proposal().Encode()})
	}
	if len(ops) == 0 {
		return signed, refused, nil
	}
	if err := j.write(ops); err != nil {
		return nil, nil, err
	}
	return signed, refused, nil
}

// write is a synced write. Whatever was written before is durable, too.
func (j *Journal) write(ops []Op) error {
	if err := j.disk.Write(ops, true); err != nil {
		return j.fail(err)
	}
	j.syncs++
	j.unsynced = false
	return nil
}

// Syncs counts the synced writes since Open.
func (j *Journal) Syncs() uint64 { return j.syncs }

// result is what became of a vote: ok when it may be sent, again when it is on the disk already.
type result struct {
	vote      quorum.VerifiedVote
	ok, again bool
}

// ask has votes signed that the rule permits. The journal applies the rule before it asks, because it remembers more, and
// to the answers, because a vote must not leave for the signer's word alone.
func (j *Journal) ask(votes []quorum.Vote) ([]result, error) {
	results := make([]result, len(votes))
	var requests []signer.Request
	var asked []int
	for i, v := range votes {
		before, err := j.permits(v)
		if before != nil {
			results[i] = result{vote: *before, ok: true, again: true}
		}
		if before != nil || err != nil || !j.mayFinalize(v, requests) {
			continue
		}
		requests, asked = append(requests, signer.Request{ValidatorSet: j.set, Vote: v}), append(asked, i)
	}
	answers, err := j.answers(requests)
	if err != nil || answers == nil {
		return results, err
	}
	for k, i := range asked {
		v := votes[i]
		before, err := j.permits(v)
		switch {
		case answers[k].Refused != nil || err != nil || !j.mayFinalize(v, nil):
			continue
		case before != nil: // twice in this call
			results[i] = result{vote: *before, ok: true, again: true}
			continue
		}
		v.Signature = answers[k].Signature
		r := quorum.VerifyVotes(j.cfg.Domain, []quorum.Vote{v})[0]
		if r.Err != nil {
			return nil, fmt.Errorf("journal: our own signature does not verify: %w", r.Err)
		}
		// Remembered at once, so that the next vote of this call is judged against it; if the write fails, the
		// journal signs nothing any more.
		j.remember(r.Verified)
		results[i] = result{vote: r.Verified, ok: true}
	}
	return results, nil
}

// answers asks the signer; nil when there is none or it cannot be reached.
func (j *Journal) answers(requests []signer.Request) ([]signer.Answer, error) {
	j.away = false
	if len(requests) == 0 || j.cfg.Signer == nil {
		return nil, nil
	}
	err := j.reconcile()
	var answers []signer.Answer
	if err == nil {
		answers, err = j.cfg.Signer.Sign(requests)
	}
	if j.away = errors.Is(err, signer.ErrUnavailable); j.away {
		return nil, nil
	}
	if err == nil && len(answers) != len(requests) {
		err = fmt.Errorf("journal: the signer answered %d of %d requests", len(answers), len(requests))
	}
	return answers, err
}

// Away reports whether the signer could not be reached by Open or by the last call of Sign or SignProposal: what was
// refused may be asked for again then.
func (j *Journal) Away() bool { return j.away }

// fail ends signing for good.
func (j *Journal) fail(err error) error {
	if j.failed == nil {
		j.failed = err
	}
	return err
}

// permits applies the signer's rule: (nil, nil) to sign, (vote, nil) when exactly this was signed before.
func (j *Journal) permits(v quorum.Vote) (*quorum.VerifiedVote, error) {
	if j.cfg.Self < 0 || v.Epoch != j.cfg.Epoch || int(v.Signer) != j.cfg.Self {
		return nil, refuse(ErrWouldDoubleSign, "a vote for validator %d in epoch %d, this signer is %d in epoch %d", v.Signer, v.Epoch, j.cfg.Self, j.cfg.Epoch)
	}
	step := consensus.StepOf(v.Kind)
	if step == consensus.StepNone {
		return nil, refuse(ErrWouldDoubleSign, "a %s is not signed as a vote", v.Kind)
	}
	at := consensus.Watermark{View: v.View, Step: step}
	if old, ok := j.votes[at]; ok {
		o := old.Vote()
		if o.Kind == v.Kind && o.Height == v.Height && o.Block == v.Block {
			return &old, nil
		}
		return nil, refuse(ErrWouldDoubleSign, "%s of view %d was signed for another block or another kind", v.Kind, v.View)
	}
	if !j.mark.Less(at) {
		return nil, refuse(ErrWouldDoubleSign, "view %d step %d is not above the watermark, view %d step %d", v.View, step, j.mark.View, j.mark.Step)
	}
	return nil, nil
}

// mayFinalize reports whether v is no finalize, or our notarize of the same block is here or among the requests.
func (j *Journal) mayFinalize(v quorum.Vote, requests []signer.Request) bool {
	if v.Kind != quorum.KindFinalize {
		return true
	}
	if own, ok := j.votes[consensus.Watermark{View: v.View, Step: consensus.StepNotarize}]; ok {
		return own.Vote().Block == v.Block
	}
	return slices.ContainsFunc(requests, func(r signer.Request) bool {
		return r.Vote.Kind == quorum.KindNotarize && r.Vote.View == v.View && r.Vote.Block == v.Block
	})
}

// SignProposal completes our proposal (quorum.Proposal.Complete), has it signed and writes it, without waiting for the
// disk: SyncProposal must come before it leaves. There is one per view: a second call for a view is refused. IsRefusal
// tells such errors, and that of a signer that cannot be reached, from those that must stop the node.
func (j *Journal) SignProposal(p quorum.Proposal) (quorum.VerifiedProposal, error) {
	none := quorum.VerifiedProposal{}
	if j.failed != nil {
		return none, j.failed
	}
	h := p.Header
	if j.cfg.Self < 0 || int(h.Proposer) != j.cfg.Self || h.Epoch != j.cfg.Epoch {
		return none, refuse(ErrWouldDoubleSign, "a proposal of validator %d in epoch %d, this signer is %d in epoch %d", h.Proposer, h.Epoch, j.cfg.Self, j.cfg.Epoch)
	}
	if h.View <= j.proposed {
		return none, refuse(ErrWouldDoubleSign, "view %d is not above view %d, in which a proposal was signed", h.View, j.proposed)
	}
	p = p.Complete()
	answers, err := j.answers([]signer.Request{{ValidatorSet: j.set, Vote: p.Header.Statement()}})
	switch {
	case err != nil:
		return none, j.fail(err)
	case answers == nil:
		return none, &signer.Error{Kind: signer.ErrUnavailable, Detail: "so there is no proposal from here"}
	case answers[0].Refused != nil:
		return none, refuse(ErrWouldDoubleSign, "%v", answers[0].Refused)
	}
	p.Signature = answers[0].Signature
	verified, err := quorum.VerifyProposal(j.cfg.Domain, j.cfg.Slate, j.cfg.Anchor, p)
	if err != nil {
		return none, fmt.Errorf("journal: our own proposal does not verify: %w", err)
	}
	if err := j.disk.Write([]Op{{Key: j.proposalKey(h.View), Value: verified.Proposal().Encode()}}, false); err != nil {
		return none, j.fail(err)
	}
	j.unsynced = true
	j.proposed = h.View
	return verified, nil
}

// SyncProposal makes the last proposal durable, unless a later synced write has done so: usually the leader's own
// notarize. It comes right before the proposal leaves.
func (j *Journal) SyncProposal() error {
	if j.failed != nil {
		return j.failed
	}
	if !j.unsynced {
		return nil
	}
	// Something must be written to be synced; deleting what never was leaves no trace.
	return j.write([]Op{{Key: []byte{prefix, recordNothing}}})
}

// Keep stores certificates without waiting for the disk.
func (j *Journal) Keep(certs []quorum.VerifiedCertificate) error {
	if len(certs) == 0 {
		return nil
	}
	var ops []Op
	for _, c := range certs {
		cert := c.Certificate()
		ops = append(ops, Op{Key: j.certKey(cert), Value: cert.Encode()})
	}
	return j.disk.Write(ops, false)
}

// Forget drops the records of views below view: call it only for views whose blocks the ledger holds. The
// record that is the watermark always stays.
func (j *Journal) Forget(below quorum.View) error {
	if below <= j.floor {
		return nil
	}
	ops := []Op{}
	for _, kind := range []byte{recordBlock, recordCert} {
		ops = append(ops, Op{Key: j.key(kind), End: j.key(kind, u64(uint64(below)))})
	}
	ops = append(ops,
		Op{Key: j.key(recordVote), End: j.key(recordVote, u64(uint64(min(below, j.mark.View))))},
		Op{Key: j.key(recordProposal), End: j.key(recordProposal, u64(uint64(min(below, j.proposed))))})
	if err := j.disk.Write(ops, false); err != nil {
		return err
	}
	for at := range j.votes {
		if at.View < below && at.View < j.mark.View {
			delete(j.votes, at)
		}
	}
	j.floor = below
	return nil
}

func (j *Journal) key(kind byte, parts ...[]byte) []byte {
	key := append([]byte{prefix, kind}, u64(uint64(j.cfg.Epoch))...)
	for _, p := range parts {
		key = append(key, p...)
	}
	return key
}

func (j *Journal) voteKey(v quorum.Vote) []byte {
	return j.key(recordVote, u64(uint64(v.View)), []byte{byte(consensus.StepOf(v.Kind))})
}

func (j *Journal) proposalKey(v quorum.View) []byte { return j.key(recordProposal, u64(uint64(v))) }

func (j *Journal) blockKey(p quorum.VerifiedProposal) []byte {
	hash := p.Hash()
	return j.key(recordBlock, u64(uint64(p.Header().View)), hash[:])
}

func (j *Journal) certKey(c quorum.Certificate) []byte {
	return j.key(recordCert, u64(uint64(c.View)), []byte{byte(c.Kind)})
}

func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// IsRefusal reports whether err is a refusal of the signer, or its absence, rather than a failed disk.
func IsRefusal(err error) bool {
	return errors.Is(err, ErrWouldDoubleSign) || errors.Is(err, signer.ErrUnavailable)
}
