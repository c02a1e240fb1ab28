package ledger

import (
	"fmt"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// checkBlock refuses what cannot be the next block of this state. Consensus has seen to all of it; a block that fails here
// means that this node's ledger is not the network's.
func (b *blockRun) checkBlock(blk *Block) error {
	h := &blk.Header
	switch {
	case h.IsTail():
		return malformed(ErrBlock, "block %d is a tail, which is no block of the ledger", h.Height)
	case h.Epoch != b.epoch.Number:
		return malformed(ErrBlock, "block %d is of epoch %d, the state is in epoch %d", h.Height, h.Epoch, b.epoch.Number)
	case h.IsClosing() != (blk.Next != nil):
		return malformed(ErrBlock, "block %d: closing %t, next validator set given: %t", h.Height, h.IsClosing(), blk.Next != nil)
	case blk.Next != nil && blk.Next.Hash() != h.NextValidatorSet:
		return malformed(ErrBlock, "block %d hands over to the validator set %s, not %s", h.Height, h.NextValidatorSet, blk.Next.Hash())
	}
	return nil
}

// countDuty counts the block for its proposer, and the views between it and its parent against their leaders. Both are in
// the header, so every node counts the same; who signed is not, a certificate names only as many signers as it needs.
// However many views were missed, the work is one round of the slate.
func (b *blockRun) countDuty(h *quorum.Header) error {
	if b.epoch.Number == 0 && b.epoch.AnchorHash.IsZero() {
		b.epoch.AnchorHash = h.Parent // the first block of all: see epochRecord
		put(b.o, []byte(keyEpoch), b.epoch)
	}
	b.addDuty(int(h.Proposer), duty{Delivered: 1})
	if h.View <= h.ParentView || h.View-h.ParentView == 1 {
		return nil
	}
	set, err := readSet(b.o.view, b.epoch.ValidatorSet)
	if err != nil {
		return err
	}
	slate := quorum.NewSlate(set, b.epoch.AnchorHash)
	missed := make([]uint64, set.Len())
	gap, size := uint64(h.View-h.ParentView-1), uint64(slate.Len())
	for i := range min(gap, size) {
		// The views i, i+size, i+2*size… after the parent have one leader.
		missed[slate.Leader(h.ParentView+1+quorum.View(i))] += (gap-i-1)/size + 1
	}
	for i, n := range missed {
		if n > 0 {
			b.addDuty(i, duty{Missed: n})
		}
	}
	return nil
}

func (b *blockRun) addDuty(index int, d duty) {
	total, _ := get[duty](b.o, dutyKey(index))
	total.Delivered = mustAdd(total.Delivered, d.Delivered)
	total.Missed = mustAdd(total.Missed, d.Missed)
	put(b.o, dutyKey(index), total)
}

// closeEpoch ends the epoch: pays rewards, jails who was down, decides proposals, keeps the old set as long as it can be
// held to account, and begins the next one.
func (b *blockRun) closeEpoch(h *quorum.Header, next *quorum.Set) {
	set := b.setOf(b.epoch.Number)
	duties := make([]duty, len(set.Members))
	for i := range duties {
		duties[i], _ = get[duty](b.o, dutyKey(i))
		b.o.del(dutyKey(i))
	}
	b.reward(&set, duties)
	b.jail(&set, duties)
	b.holdBack(next)
	b.decide(&set)
	b.handOver(h, next)
}

// reward shares the fees of the epoch, and EpochReward out of the reserve, among the operators: by power, and by the part
// of its slots in which a validator delivered; one that had no slot counts as whole. What nobody earned stays where it
// is, so that nobody gains by another's failure. Rounded down.
func (b *blockRun) reward(set *setRecord, duties []duty) {
	s, _ := need[Supply](b.o, []byte(keySupply))
	fees, issue, total := s.FeePool, min(s.Reserve, b.params.EpochReward), set.total()
	for i, m := range set.Members {
		if _, punished := get[Tombstone](b.o, TombstoneKey(m.Operator)); punished {
			continue
		}
		weight := uint64(m.Power)
		if slots := duties[i].slots(); slots > 0 {
			weight = mulDiv(weight, duties[i].Delivered, slots)
		}
		fromFees, fromReserve := mulDiv(fees, weight, total), mulDiv(issue, weight, total)
		sum := mustAdd(fromFees, fromReserve)
		if sum == 0 {
			continue
		}
		acct, _ := get[Account](b.o, AccountKey(m.Operator))
		acct.Balance = mustAdd(acct.Balance, sum)
		put(b.o, AccountKey(m.Operator), acct)
		s.FeePool, s.Reserve = mustSub(s.FeePool, fromFees), mustSub(s.Reserve, fromReserve)
		s.Balances = mustAdd(s.Balances, sum)
	}
	put(b.o, []byte(keySupply), s)
}

// jail takes the validators that missed more than DowntimePercent of their slots, and DowntimeSlots at least, out of the
// elections, the worst first and at most a third of the power: where more were down, the network was.
func (b *blockRun) jail(set *setRecord, duties []duty) {
	var down []int
	for i, d := range duties {
		if d.Missed >= b.params.DowntimeSlots && compareProducts(d.Missed, 100, d.slots(), b.params.DowntimePercent) > 0 {
			down = append(down, i)
		}
	}
	slices.SortStableFunc(down, func(i, j int) int { // the larger share missed first
		x, y := duties[i], duties[j]
		return compareProducts(y.Missed, x.slots(), x.Missed, y.slots())
	})
	left := set.total() / 3
	for _, i := range down {
		m := set.Members[i]
		v, ok := b.member(m.Key)
		if !ok || v.Jailed || v.Tombstoned || uint64(m.Power) > left {
			continue
		}
		left -= uint64(m.Power)
		v.Jailed, v.JailedUntilMs = true, b.timeMs+b.params.JailMs
		b.putValidator(v)
	}
}

// holdBack keeps unbonded money that still stands behind power. A set follows the stake at most a third at a time, so a
// validator may have power in the next set for money that left; what backed it in this epoch then backs it in the next.
func (b *blockRun) holdBack(next *quorum.Set) {
	var ids []crypto.PublicKey
	power := map[crypto.PublicKey]uint64{} // by id: a validator may be there with two keys
	for i := range next.Len() {
		m := next.At(i)
		if v, ok := b.member(m.Key); ok {
			if _, known := power[v.ID]; !known {
				ids = append(ids, v.ID)
			}
			power[v.ID] = mustAdd(power[v.ID], uint64(m.Power))
		}
	}
	for _, id := range ids {
		v, _ := get[Validator](b.o, ValidatorKey(id))
		if v.Tombstoned || power[id] <= v.Stake {
			continue // the usual case, without a look at every account with money there
		}
		list, _ := get[holders](b.o, holdersKey(id))
		if power[id] > mustAdd(v.Stake, b.lateReleases(id, &list)) {
			b.holdBackFor(id, &list)
		}
	}
}

// lateReleases is what was unbonded from a validator so late that it stands behind the next epoch anyway.
func (b *blockRun) lateReleases(id crypto.PublicKey, list *holders) uint64 {
	sum := uint64(0)
	for _, a := range list.Accounts {
		acct, _ := get[Account](b.o, AccountKey(a))
		for _, r := range acct.Unbonding {
			if r.Validator == id && r.Epoch > b.epoch.Number {
				sum = mustAdd(sum, r.Amount)
			}
		}
	}
	return sum
}

func (b *blockRun) holdBackFor(id crypto.PublicKey, list *holders) {
	for _, a := range list.Accounts {
		acct, _ := get[Account](b.o, AccountKey(a))
		i := slices.IndexFunc(acct.Unbonding, func(r Release) bool { return r.Validator == id && r.Epoch == b.epoch.Number })
		if i < 0 {
			continue
		}
		// No release of this validator is later than the next epoch, so one place fits: that of the release itself.
		r := acct.Unbonding[i]
		r.Epoch++
		acct.Unbonding = slices.Delete(slices.Clone(acct.Unbonding), i, i+1)
		if f := b.wait(&acct, a, r); f != nil {
			panic(fmt.Sprintf("ledger: holding back a release: %s", f))
		}
		put(b.o, AccountKey(a), acct)
	}
}

// handOver records the end of this epoch and begins the next.
func (b *blockRun) handOver(h *quorum.Header, next *quorum.Set) {
	put(b.o, pastEpochKey(b.epoch.Number), pastEpoch{ValidatorSet: b.epoch.ValidatorSet, EndTimeMs: h.TimeMs})
	b.epoch = epochRecord{
		Number: b.epoch.Number + 1, ValidatorSet: next.Hash(), Oldest: b.epoch.Oldest,
		AnchorHeight: h.Height, AnchorHash: h.Hash(), AnchorTimeMs: h.TimeMs,
	}
	put(b.o, setKey(next.Hash()), recordOf(next, b.epoch.Number))
	b.forgetEpochs()
	put(b.o, []byte(keyEpoch), b.epoch)
}

// maxForgotten bounds how many epochs one closing block forgets; one more than it adds is enough in the long run.
const maxForgotten = 16

func (b *blockRun) forgetEpochs() {
	for range maxForgotten {
		n := b.epoch.Oldest
		past, kept := get[pastEpoch](b.o, pastEpochKey(n))
		if !kept || !b.agedOut(n, past.EndTimeMs) {
			return
		}
		b.o.del(pastEpochKey(n))
		if set, ok := get[setRecord](b.o, setKey(past.ValidatorSet)); ok && set.Last == n {
			b.o.del(setKey(past.ValidatorSet))
		}
		b.epoch.Oldest++
	}
}
