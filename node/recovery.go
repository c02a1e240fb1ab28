package node

import (
	"fmt"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/node/signer"
)

// recovery finds a watermark for a key whose record of what it signed is lost: see docs/decisions/0010. A signature of
// the past can hurt only together with another one in the same view. The key signed in no view beyond the one it was in,
// and it was there because a quorum had left the view before. So the replica watches for a while without voting, notes
// the highest view that it sees anybody in, waits until a block of a later view becomes final before its eyes, and signs
// only in views after the one that follows. An epoch that it learns of by block sync begins the watch anew, for it may be
// the one the key signed in; one that begins before its eyes does not.
//
// The while is three times the longest timeout: what was sent before the loss has arrived by then, or never will. It
// rests, as the liveness of the protocol does, on validators that say where they are; it is for an operator to decide.
type recovery struct {
	epoch   quorum.Epoch
	until   consensus.Time // end of the watch; 0 before it began
	seen    quorum.View    // the highest view anybody was seen in during the watch
	watched bool           // the watch is over: seen is settled
	final   quorum.View    // of a block that became final after the watch; 0 for none
}

// saw notes the view that a verified message is of.
func (y *recovery) saw(e quorum.Epoch, v quorum.View) {
	if y != nil && !y.watched && e == y.epoch {
		y.seen = max(y.seen, v)
	}
}

// finalized notes a finalization that consensus brought, not block sync.
func (y *recovery) finalized(c quorum.Certificate) {
	if y != nil && y.watched && c.Epoch == y.epoch && c.View > y.seen {
		y.final = max(y.final, c.View)
	}
}

// enter goes on in another epoch.
func (y *recovery) enter(e quorum.Epoch, bySync bool) {
	switch {
	case y == nil:
	case bySync:
		*y = recovery{epoch: e}
	default:
		y.epoch, y.seen, y.final = e, 0, 0
	}
}

// watch lets time pass.
func (y *recovery) watch(now consensus.Time, longest consensus.Duration, claimed quorum.View) {
	if y.until == 0 {
		y.until = now.Add(3 * longest)
	}
	y.saw(y.epoch, claimed)
	y.watched = y.watched || now >= y.until
}

// watchOn goes on with a recovery, if there is one.
func (r *Replica) watchOn() {
	if r.recovery != nil {
		r.recovery.watch(r.env.Now(), r.epoch.Rules.Timing.Max, r.claimedView())
	}
}

// claimedView is the highest view that validators say they are in of whom one at least is honest.
func (r *Replica) claimedView() quorum.View {
	var claims []claim
	for i, v := range r.machine.Snapshot().PeerViews {
		if i != r.epoch.Self {
			claims = append(claims, claim{uint64(v), r.epoch.Domain.Set.At(i).Power})
		}
	}
	return quorum.View(certain(claims, r.epoch.Domain.Set.Blocking()))
}

// tryRecover ends the recovery when it has found its mark and nothing final waits for execution.
func (r *Replica) tryRecover() error {
	y := r.recovery
	if y == nil || y.final == 0 || r.executed < r.final.Height || r.closingAt > 0 {
		return nil
	}
	mark := signer.Mark{Epoch: y.epoch, View: y.final + 1, Step: uint8(consensus.StepExit)}
	signs, err := r.cfg.Recover(mark)
	if err != nil {
		return fmt.Errorf("recovering the signer at %s: %w", mark, err)
	}
	info, err := r.ledger.Epoch()
	if err != nil {
		return fmt.Errorf("reading the epoch: %w", err)
	}
	r.signer, r.recovery = signs, nil
	if err := r.enter(info); err != nil {
		return err
	}
	r.env.EpochChanged(r.epoch)
	r.begin()
	return nil
}
