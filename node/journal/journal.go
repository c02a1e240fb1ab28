package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Records are keyed 'J', kind, epoch:8, view:8, detail, so that one range delete forgets finished views.
const (
	prefix         = 'J'
	recordVote     = 'v' // detail: step:1
	recordProposal = 'p' // own proposal; no detail
	recordBlock    = 'b' // block we notarized; detail: hash:32
	recordCert     = 'c' // certificate; detail: kind:1
)

// ErrKind classifies what the journal refuses, for errors.Is.
type ErrKind string

// The kinds.
const (
	// ErrWouldDoubleSign refuses a vote or proposal that contradicts or precedes one already signed.
	ErrWouldDoubleSign ErrKind = "refused for safety"
	// ErrDamaged says that a record cannot be what was written; the node must not sign.
	ErrDamaged ErrKind = "journal is damaged"
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
	Self   int // index in Domain.Set; -1 never signs
	Key    crypto.PrivateKey
}

// Journal signs and remembers. See the package documentation for its rule.
type Journal struct {
	cfg  Config
	disk Disk

	// What was signed in views that are not forgotten, and the highest of it ever.
	votes    map[consensus.Watermark]quorum.VerifiedVote
	mark     consensus.Watermark
	proposed quorum.View
	floor    quorum.View // views below are forgotten

	// failed is the first failure, after which nothing is signed any more: what was remembered in memory may
	// not be on the disk, and what the disk refused to confirm may be on it all the same.
	failed error
}

// Recovered is what was found on disk, for consensus.Recovered.
type Recovered struct {
	Votes        []quorum.VerifiedVote
	OwnProposals []quorum.VerifiedProposal
	Blocks       []quorum.VerifiedProposal
	Certificates []quorum.VerifiedCertificate
	Signed       consensus.Watermark
}

// Open reads the journal of the epoch and checks every record. An error of kind ErrDamaged means that the
// node must not sign.
func Open(disk Disk, cfg Config) (*Journal, Recovered, error) {
	if cfg.Self >= 0 && (cfg.Self >= cfg.Domain.Set.Len() || cfg.Domain.Set.At(cfg.Self).Key != cfg.Key.Public()) {
		return nil, Recovered{}, fmt.Errorf("journal: the signing key is not validator %d's", cfg.Self)
	}
	j := &Journal{
		cfg: cfg, disk: disk,
		votes: map[consensus.Watermark]quorum.VerifiedVote{},
	}
	var rec Recovered
	for _, load := range []func(*Recovered) error{j.checkEpochs, j.loadVotes, j.loadOwnProposals, j.loadBlocks, j.loadCertificates} {
		if err := load(&rec); err != nil {
			return nil, Recovered{}, err
		}
	}
	rec.Signed = j.mark
	return j, rec, nil
}

// checkEpochs refuses to sign in an epoch that is over: its records may be gone.
func (j *Journal) checkEpochs(*Recovered) error {
	for _, kind := range []byte{recordVote, recordProposal} {
		err := j.disk.Scan([]byte{prefix, kind}, func(key, _ []byte) error {
			if len(key) < 10 {
				return refuse(ErrDamaged, "a record with the key %x", key)
			}
			if e := quorum.Epoch(binary.BigEndian.Uint64(key[2:])); e > j.cfg.Epoch {
				return refuse(ErrDamaged, "it holds what was signed in epoch %d; nothing may be signed in epoch %d any more", e, j.cfg.Epoch)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) loadVotes(rec *Recovered) error {
	var votes []quorum.Vote
	err := j.disk.Scan(j.key(recordVote), func(key, value []byte) error {
		v, err := quorum.DecodeVote(value)
		if err != nil {
			return refuse(ErrDamaged, "a vote record: %v", err)
		}
		if int(v.Signer) != j.cfg.Self {
			return refuse(ErrDamaged, "a vote of validator %d in the journal of validator %d: the data folder belongs to another key", v.Signer, j.cfg.Self)
		}
		if !bytes.Equal(key, j.voteKey(v)) || v.Epoch != j.cfg.Epoch {
			return refuse(ErrDamaged, "a vote of epoch %d view %d under the key %x", v.Epoch, v.View, key)
		}
		votes = append(votes, v)
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range quorum.VerifyVotes(j.cfg.Domain, votes) {
		if r.Err != nil {
			return refuse(ErrDamaged, "a vote record: %v", r.Err)
		}
		j.remember(r.Verified)
		rec.Votes = append(rec.Votes, r.Verified)
	}
	return nil
}

func (j *Journal) loadOwnProposals(rec *Recovered) error {
	return j.loadProposals(recordProposal, func(key []byte, p quorum.VerifiedProposal) error {
		h := p.Header()
		if int(h.Proposer) != j.cfg.Self {
			return refuse(ErrDamaged, "a proposal of validator %d in the journal of validator %d: the data folder belongs to another key", h.Proposer, j.cfg.Self)
		}
		if !bytes.Equal(key, j.proposalKey(h.View)) {
			return refuse(ErrDamaged, "a proposal of view %d under the key %x", h.View, key)
		}
		j.proposed = max(j.proposed, h.View)
		rec.OwnProposals = append(rec.OwnProposals, p)
		return nil
	})
}

func (j *Journal) loadBlocks(rec *Recovered) error {
	return j.loadProposals(recordBlock, func(key []byte, p quorum.VerifiedProposal) error {
		if !bytes.Equal(key, j.blockKey(p)) {
			return refuse(ErrDamaged, "the block %s of view %d under the key %x", p.Hash(), p.Header().View, key)
		}
		rec.Blocks = append(rec.Blocks, p)
		return nil
	})
}

func (j *Journal) loadProposals(kind byte, each func(key []byte, p quorum.VerifiedProposal) error) error {
	return j.disk.Scan(j.key(kind), func(key, value []byte) error {
		p, err := quorum.DecodeProposal(bytes.Clone(value))
		if err != nil {
			return refuse(ErrDamaged, "a proposal record: %v", err)
		}
		verified, err := quorum.VerifyProposal(j.cfg.Domain, j.cfg.Slate, j.cfg.Anchor, p)
		if err != nil {
			return refuse(ErrDamaged, "a proposal record: %v", err)
		}
		return each(key, verified)
	})
}

func (j *Journal) loadCertificates(rec *Recovered) error {
	var certs []quorum.Certificate
	err := j.disk.Scan(j.key(recordCert), func(key, value []byte) error {
		c, err := quorum.DecodeCertificate(bytes.Clone(value))
		if err != nil {
			return refuse(ErrDamaged, "a certificate record: %v", err)
		}
		if !bytes.Equal(key, j.certKey(c)) {
			return refuse(ErrDamaged, "a certificate of kind %s, view %d under the key %x", c.Kind, c.View, key)
		}
		certs = append(certs, c)
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range quorum.VerifyCertificates(j.cfg.Domain, certs) {
		if r.Err != nil {
			return refuse(ErrDamaged, "a certificate record: %v", r.Err)
		}
		rec.Certificates = append(rec.Certificates, r.Verified)
	}
	return nil
}

func (j *Journal) remember(v quorum.VerifiedVote) {
	vote := v.Vote()
	at := consensus.Watermark{View: vote.View, Step: consensus.StepOf(vote.Kind)}
	j.votes[at] = v
	if j.mark.Less(at) {
		j.mark = at
	}
}

// Sign signs votes in order and makes them durable, with the blocks they notarize, in one synced write;
// only then it returns them. Votes the rule forbids are returned in refused, unsigned. An error means that
// nothing may be sent and the node must stop: the disk failed. Every later call returns that error, too.
func (j *Journal) Sign(votes []quorum.Vote, blocks []quorum.VerifiedProposal) (signed []quorum.VerifiedVote, refused []quorum.Vote, err error) {
	if j.failed != nil {
		return nil, nil, j.failed
	}
	var ops []Op
	for _, v := range votes {
		before, err := j.permits(v)
		if err != nil {
			refused = append(refused, v)
			continue
		}
		if before != nil {
			signed = append(signed, *before)
			continue
		}
		s, err := j.sign(v)
		if err != nil {
			return nil, nil, j.fail(err)
		}
		// Remembered at once, so that the next vote of this call is judged against it; if the write below
		// fails, the journal signs nothing any more.
		j.remember(s)
		signed = append(signed, s)
		ops = append(ops, Op{Key: j.voteKey(v), Value: s.Vote().Encode()})
	}
	for _, b := range blocks {
		ops = append(ops, Op{Key: j.blockKey(b), Value: b.Proposal().Encode()})
	}
	if len(ops) == 0 {
		return signed, refused, nil
	}
	if err := j.disk.Write(ops, true); err != nil {
		return nil, nil, j.fail(err)
	}
	return signed, refused, nil
}

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
	if v.Kind == quorum.KindFinalize {
		own, ok := j.votes[consensus.Watermark{View: v.View, Step: consensus.StepNotarize}]
		if !ok || own.Vote().Block != v.Block {
			return nil, refuse(ErrWouldDoubleSign, "finalize of view %d without our notarize of that block", v.View)
		}
	}
	return nil, nil
}

func (j *Journal) sign(v quorum.Vote) (quorum.VerifiedVote, error) {
	r := quorum.VerifyVotes(j.cfg.Domain, []quorum.Vote{quorum.SignVote(j.cfg.Domain, j.cfg.Key, v)})[0]
	if r.Err != nil {
		return quorum.VerifiedVote{}, fmt.Errorf("journal: our own signature does not verify: %w", r.Err)
	}
	return r.Verified, nil
}

// SignProposal completes our proposal (quorum.SignProposal), signs it and makes it durable. There is one per
// view: a second call for a view is refused.
func (j *Journal) SignProposal(p quorum.Proposal) (quorum.VerifiedProposal, error) {
	if j.failed != nil {
		return quorum.VerifiedProposal{}, j.failed
	}
	h := p.Header
	if j.cfg.Self < 0 || int(h.Proposer) != j.cfg.Self || h.Epoch != j.cfg.Epoch {
		return quorum.VerifiedProposal{}, refuse(ErrWouldDoubleSign, "a proposal of validator %d in epoch %d, this signer is %d in epoch %d", h.Proposer, h.Epoch, j.cfg.Self, j.cfg.Epoch)
	}
	if h.View <= j.proposed {
		return quorum.VerifiedProposal{}, refuse(ErrWouldDoubleSign, "view %d is not above view %d, in which a proposal was signed", h.View, j.proposed)
	}
	verified, err := quorum.VerifyProposal(j.cfg.Domain, j.cfg.Slate, j.cfg.Anchor, quorum.SignProposal(j.cfg.Domain, j.cfg.Key, p))
	if err != nil {
		return quorum.VerifiedProposal{}, fmt.Errorf("journal: our own proposal does not verify: %w", err)
	}
	op := Op{Key: j.proposalKey(h.View), Value: verified.Proposal().Encode()}
	if err := j.disk.Write([]Op{op}, true); err != nil {
		return quorum.VerifiedProposal{}, j.fail(err)
	}
	j.proposed = h.View
	return verified, nil
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

// IsRefusal reports whether err is the signer's refusal rather than a failed disk.
func IsRefusal(err error) bool { return errors.Is(err, ErrWouldDoubleSign) }
