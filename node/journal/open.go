package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/node/signer"
)

// Recovered is what was found on disk, for consensus.Recovered.
type Recovered struct {
	Votes        []quorum.VerifiedVote
	OwnProposals []quorum.VerifiedProposal
	Blocks       []quorum.VerifiedProposal
	Certificates []quorum.VerifiedCertificate

	// Signed is the highest of Votes, or what the operator raised the signer to. It is not the signer's own mark: what
	// the signer signed last before a crash may be missing here, and is signed again when it is asked for.
	Signed consensus.Watermark
}

// Open reads the journal of the epoch, checks every record, and holds the signer against them. Records of earlier
// epochs are dropped. An error of kind ErrDamaged, or of the signer's kinds ErrOldSigner, ErrOldJournal, ErrForeign and
// ErrConflict, means that the node must not sign. A signer that cannot be reached is no error: it is held against the
// journal when it can, before it signs.
func Open(disk Disk, cfg Config) (*Journal, Recovered, error) {
	if err := cfg.check(); err != nil {
		return nil, Recovered{}, err
	}
	j := &Journal{
		cfg: cfg, set: cfg.Domain.Set.Hash(), disk: disk,
		votes: map[consensus.Watermark]quorum.VerifiedVote{},
		known: signer.Known{Epoch: cfg.Epoch},
	}
	var rec Recovered
	loads := []func(*Recovered) error{j.scanEpochs, j.loadBlocks, j.loadCertificates}
	if cfg.Self >= 0 { // a node that signs nothing leaves the votes to whoever starts with the key again
		loads = append(loads, j.loadVotes, j.loadOwnProposals, j.meetSigner)
	}
	for _, load := range loads {
		if err := load(&rec); err != nil {
			return nil, Recovered{}, err
		}
	}
	rec.Signed = j.mark
	return j, rec, nil
}

func (c *Config) check() error {
	switch {
	case c.Self >= c.Domain.Set.Len():
		return fmt.Errorf("journal: there is no validator %d in a set of %d", c.Self, c.Domain.Set.Len())
	case c.Self >= 0 && c.Signer != nil && c.Domain.Set.At(c.Self).Key != c.Signer.PublicKey():
		return fmt.Errorf("journal: the key of the signer, %s, is not validator %d's", c.Signer.PublicKey(), c.Self)
	}
	return nil
}

// scanEpochs finds the highest marks, whatever their epoch, and drops what belongs to epochs that are over. The drop is
// not synced: it comes after the closing block of the epoch in the same database, so it is never there without it.
func (j *Journal) scanEpochs(*Recovered) error {
	over := false
	for _, kind := range []byte{recordVote, recordProposal, recordBlock, recordCert} {
		err := j.disk.Scan([]byte{prefix, kind}, func(key, _ []byte) error {
			if len(key) < 18 {
				return refuse(ErrDamaged, "a record with the key %x", key)
			}
			e, v := quorum.Epoch(binary.BigEndian.Uint64(key[2:])), quorum.View(binary.BigEndian.Uint64(key[10:]))
			if e > j.cfg.Epoch {
				return refuse(ErrDamaged, "it holds a record of epoch %d, and the ledger is in epoch %d: the ledger is an old copy. "+
					"Put the newest copy of the whole data folder back", e, j.cfg.Epoch)
			}
			over = over || e < j.cfg.Epoch
			j.note(kind, e, v, key[18:])
			return nil
		})
		if err != nil {
			return err
		}
	}
	if !over {
		return nil
	}
	var ops []Op
	for _, kind := range []byte{recordVote, recordProposal, recordBlock, recordCert} {
		ops = append(ops, Op{Key: []byte{prefix, kind}, End: j.key(kind)})
	}
	return j.disk.Write(ops, false)
}

// note raises the marks that the signer is held against.
func (j *Journal) note(kind byte, e quorum.Epoch, v quorum.View, detail []byte) {
	switch {
	case kind == recordVote && len(detail) == 1:
		if m := (signer.Mark{Epoch: e, View: v, Step: detail[0]}); j.known.Mark.Less(m) {
			j.known.Mark = m
		}
	case kind == recordProposal:
		if s := (signer.Slot{Epoch: e, View: v}); j.known.Proposed.Less(s) {
			j.known.Proposed = s
		}
	}
}

// meetSigner holds the signer against what was found.
func (j *Journal) meetSigner(rec *Recovered) error {
	if j.cfg.Signer == nil {
		return nil
	}
	for _, v := range rec.Votes[max(0, len(rec.Votes)-signer.MaxRecent):] {
		j.known.Votes = append(j.known.Votes, signer.SignedVote{ValidatorSet: j.set, Vote: v.Vote()})
	}
	j.known.New = true
	err := j.disk.Scan([]byte{prefix, recordBegun}, func(key, value []byte) error {
		if begun := j.begun(); !bytes.Equal(key, begun.Key) || !bytes.Equal(value, begun.Value) {
			return refuse(ErrDamaged, "a record with the key %x", key)
		}
		j.known.New = false
		return nil
	})
	if err != nil {
		return err
	}
	if err = j.reconcile(); errors.Is(err, signer.ErrUnavailable) {
		j.away = true
		return nil
	}
	return err
}

// reconcile does what meetSigner could not, once the signer can be reached.
func (j *Journal) reconcile() error {
	if j.reconciled {
		return nil
	}
	s, err := j.cfg.Signer.State()
	if err != nil {
		return err
	}
	if s.Genesis != j.cfg.Domain.Genesis {
		return &signer.Error{Kind: signer.ErrForeign, Detail: fmt.Sprintf("it signs for network %s, this node is of %s", s.Genesis, j.cfg.Domain.Genesis)}
	}
	if err := j.cfg.Signer.Reconcile(j.known); err != nil {
		return err
	}
	if j.known.New { // before anything is signed
		if err := j.disk.Write([]Op{j.begun()}, true); err != nil {
			return err
		}
	}
	if s.Raised.Epoch == j.cfg.Epoch {
		if raised := (consensus.Watermark{View: s.Raised.View, Step: consensus.Step(s.Raised.Step)}); j.mark.Less(raised) {
			j.mark = raised
		}
	}
	if s.Proposed.Epoch == j.cfg.Epoch {
		j.proposed = max(j.proposed, s.Proposed.View)
	}
	j.reconciled, j.known = true, signer.Known{}
	return nil
}

// begun is the record that a signer was held against this journal.
func (j *Journal) begun() Op {
	return Op{Key: append([]byte{prefix, recordBegun}, make([]byte, 16)...), Value: j.cfg.Domain.Genesis[:]}
}

func (j *Journal) loadVotes(rec *Recovered) error {
	var votes []quorum.Vote
	err := j.disk.Scan(j.key(recordVote), func(key, value []byte) error {
		v, err := quorum.DecodeVote(value)
		if err != nil {
			return refuse(ErrDamaged, "a vote record: %v", err)
		}
		if int(v.Signer) != j.cfg.Self {
			return refuse(ErrForeign, "it holds a vote of validator %d, this node is validator %d: start it with its own key, or each with a folder of its own", v.Signer, j.cfg.Self)
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
			return refuse(ErrForeign, "it holds a proposal of validator %d, this node is validator %d: start it with its own key, or each with a folder of its own", h.Proposer, j.cfg.Self)
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
