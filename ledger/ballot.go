package ledger

import (
	"bytes"
	"slices"

	"waybill/crypto"
)

// operates reports whether an account operates a validator of the current epoch and may speak for it: who was punished
// may not.
func (b *blockRun) operates(a crypto.Address) bool {
	if _, punished := get[Tombstone](b.o, TombstoneKey(a)); punished {
		return false
	}
	set := b.setOf(b.epoch.Number)
	return slices.ContainsFunc(set.Members, func(m member) bool { return m.Operator == a })
}

// governs reports whether a transaction is an operator's word about a proposal, which pays its fee as far as its balance
// goes. Else a fee that nobody can pay could never be voted down again.
func (b *blockRun) governs(tx *Transaction) bool {
	return (tx.Body.Kind == KindPropose || tx.Body.Kind == KindVote) && tx.Body.Sponsor == nil && b.operates(tx.Body.Author)
}

func (t *txRun) needVoter() *Finding {
	if f := t.notTombstoned(t.author, "/author"); f != nil {
		return f
	}
	if !t.operates(t.author) {
		return refuse(CodeNotVoter, "/author", t.orgName(t.author), decimal(uint64(t.epoch.Number)))
	}
	return nil
}

func (p *Propose) effects(t *txRun) *Finding {
	if f := t.needVoter(); f != nil {
		return f
	}
	all, _ := get[Proposals](t.o, ProposalsKey())
	own := 0
	for _, o := range all.Open {
		if o.Author == t.author {
			own++
		}
	}
	if own >= maxOpenOwnProposals {
		return refuse(CodeTooManyOwnOpen, "/author", t.orgName(t.author), decimal(maxOpenOwnProposals))
	}
	if len(all.Open) >= maxOpenProposals {
		return refuse(CodeTooManyProposals, "", decimal(maxOpenProposals))
	}
	if f := t.canDo(&p.Action); f != nil {
		return f
	}
	id := t.tx.id
	put(t.o, ProposalAtKey(all.Made), id)
	all.Made++
	all.Open = append(slices.Clip(all.Open), OpenProposal{ID: id, Author: t.author})
	put(t.o, ProposalsKey(), all)
	put(t.o, ProposalKey(id), Proposal{
		ID: id, Author: t.author, Title: p.Title, Text: p.Text, Action: p.Action,
		Epoch: t.epoch.Number, Height: t.height, LastEpoch: t.lastEpoch(),
	})
	return nil
}

func (p *Vote) effects(t *txRun) *Finding {
	if f := t.needVoter(); f != nil {
		return f
	}
	rec, ok := get[Proposal](t.o, ProposalKey(p.Proposal))
	if !ok {
		return refuse(CodeNoProposal, "/proposal", p.Proposal.String())
	}
	if rec.State != ProposalOpen {
		f := refuse(CodeDecided, "/proposal", p.Proposal.String(), decimal(rec.Decided), rec.State.String())
		f.Conflict = Conflict{Tx: rec.ID, Height: rec.Decided}
		return f
	}
	at, voted := slices.BinarySearchFunc(rec.Votes, t.author, byOperator)
	rec.Votes = slices.Clone(rec.Votes)
	if voted {
		rec.Votes[at].Yes = p.Yes
	} else {
		if len(rec.Votes) >= maxBallots {
			t.ballotRoom(&rec)
			at, _ = slices.BinarySearchFunc(rec.Votes, t.author, byOperator)
		}
		rec.Votes = slices.Insert(rec.Votes, at, Ballot{Operator: t.author, Yes: p.Yes})
	}
	put(t.o, ProposalKey(rec.ID), rec)
	return nil
}

func byOperator(b Ballot, a crypto.Address) int { return bytes.Compare(b.Operator[:], a[:]) }

// ballotRoom drops the votes of those who operate no validator of this epoch, so that a proposal that is open for many
// epochs with ever other validators stays bounded: those who do are at most half of maxBallots.
func (b *blockRun) ballotRoom(p *Proposal) {
	set := b.setOf(b.epoch.Number)
	powers := b.votingPower(&set)
	p.Votes = slices.DeleteFunc(p.Votes, func(v Ballot) bool { return powers[v.Operator] == 0 })
}

// votingPower is the power of each operator of a set; who was punished has none.
func (b *blockRun) votingPower(set *setRecord) map[crypto.Address]uint64 {
	powers := make(map[crypto.Address]uint64, len(set.Members))
	for _, m := range set.Members {
		if _, punished := get[Tombstone](b.o, TombstoneKey(m.Operator)); !punished {
			powers[m.Operator] = mustAdd(powers[m.Operator], uint64(m.Power))
		}
	}
	return powers
}

// decide counts the votes of all open proposals when an epoch closes, with the powers of that epoch, and carries out what
// has passed, in the order in which it was proposed.
func (b *blockRun) decide(set *setRecord) {
	all, _ := get[Proposals](b.o, ProposalsKey())
	if len(all.Open) == 0 {
		return
	}
	powers, total := b.votingPower(set), set.total()
	open := all.Open
	all.Open = nil
	for _, o := range open {
		p, ok := need[Proposal](b.o, ProposalKey(o.ID))
		if !ok {
			return
		}
		if !b.tally(&p, powers, total) {
			all.Open = append(all.Open, o)
			continue
		}
		if p.State == ProposalPassed {
			if p.Why = b.canDo(&p.Action); p.Why != nil {
				p.State = ProposalFailed
			} else {
				b.carryOut(&p.Action)
			}
		}
		put(b.o, ProposalKey(p.ID), p)
	}
	put(b.o, ProposalsKey(), all)
}

// tally decides a proposal if it is due: with its last epoch, or before when more than two thirds of all power said yes or
// a third said no. Power that said nothing, or belongs to somebody who was punished, is on neither side.
func (b *blockRun) tally(p *Proposal, powers map[crypto.Address]uint64, total uint64) bool {
	yes, no := uint64(0), uint64(0)
	for _, v := range p.Votes {
		if v.Yes {
			yes = mustAdd(yes, powers[v.Operator])
		} else {
			no = mustAdd(no, powers[v.Operator])
		}
	}
	passed, blocked := compareProducts(yes, 3, total, 2) > 0, compareProducts(no, 3, total, 1) >= 0
	if !passed && !blocked && b.epoch.Number < p.LastEpoch {
		return false
	}
	p.State = ProposalRejected
	if passed {
		p.State = ProposalPassed
	}
	p.Decided, p.Yes, p.No, p.Total = b.height, yes, no, total
	return true
}
