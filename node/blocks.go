package node

import (
	"fmt"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/node/journal"
)

// tryBuild makes our block as soon as its time has come and a result it may carry is known. While either
// is missing it waits; the machine gives the view up when that takes too long.
func (r *Replica) tryBuild() error {
	b := r.building
	if b == nil {
		return nil
	}
	if r.machine.Status().View != b.View {
		r.building = nil // the network went on without it
		return nil
	}
	now := r.env.Now()
	if now < b.NotBefore {
		r.env.Arm(timerBuild, b.NotBefore)
		return nil
	}
	if r.overloaded() || r.newer(b.Height) != nil {
		return nil // Executed tries again, or halts
	}
	header, ok := r.headerFor(b, now)
	if !ok {
		return nil // Executed tries again
	}
	r.building = nil
	var payload [][]byte
	if !header.IsTail() {
		if skip, complete := r.candidates.ancestry(b.Parent, r.executed); complete {
			payload = r.pool.Select(r.epoch.Rules.MaxBlockBytes, func(id crypto.Hash) bool { return skip[id] })
		}
	}
	p, err := r.journal.SignProposal(quorum.Proposal{Header: header, Justification: b.Justification, Payload: payload})
	if err != nil {
		if journal.IsRefusal(err) {
			r.push(consensus.BuildFailed{View: b.View})
			return nil
		}
		return err
	}
	r.candidates.add(p)
	r.candidates.get(p.Hash()).stored = true
	r.push(consensus.ProposalBuilt{Proposal: p})
	return nil
}

// headerFor makes the header of the block we were asked for; the fields that follow from others are left to quorum. It
// is not ok while we do not know a result that the header may carry, or the state that elects the next validators.
func (r *Replica) headerFor(b *consensus.BuildRequest, now consensus.Time) (h quorum.Header, ok bool) {
	timeMs := max(int64(now), b.ParentTimeMs+1)
	if !b.Closing.IsZero() {
		return b.TailHeader(r.epoch.Domain, uint16(r.epoch.Self), timeMs), true
	}
	h = quorum.Header{
		Version: quorum.HeaderVersion, Genesis: r.cfg.Genesis, Epoch: b.Epoch, View: b.View, Height: b.Height,
		Parent: b.Parent, ParentView: b.ParentView,
		TimeMs: timeMs, Proposer: uint16(r.epoch.Self),
		ValidatorSet: r.epoch.Domain.Set.Hash(), Params: r.epoch.Rules.Params,
	}
	var result Result
	if h.ExecHeight, result, ok = r.resultFor(b); !ok {
		return h, false
	}
	h.ExecStateRoot, h.ExecReceiptsRoot = result.StateRoot, result.ReceiptsChain
	next, err := r.closingSet(h.Height, h.TimeMs, h.ExecHeight)
	if err != nil {
		return h, false // the state that elects is below the base of our ledger: block sync goes past it
	}
	if next != nil {
		h.Flags, h.NextValidatorSet = quorum.FlagClosing, next.Hash()
	}
	return h, true
}

// maxOlderResults bounds how far below the usual height resultFor looks.
const maxOlderResults = 64

// resultFor finds the highest result that our block may carry, not below its parent's. Usually it is that of execHeight.
// A ledger that was restored from a snapshot may not know that one: just below its base it has only the results that
// headers carried. If all nodes begin at one snapshot nobody has it, and the chain goes on with an older one.
func (r *Replica) resultFor(b *consensus.BuildRequest) (quorum.Height, Result, bool) {
	top := r.execHeight(b.Height)
	low := top
	if parent, known := r.headerOf(b.Parent); known {
		low = parent.ExecHeight
		top = max(top, low) // an epoch may begin with a longer ExecDelay than its anchor had
	}
	for h, tries := top, 0; h >= low && tries < maxOlderResults; h, tries = h-1, tries+1 {
		if result, ok := r.ledger.Result(h); ok {
			return h, result, true
		}
		if h == 0 {
			break
		}
	}
	return 0, Result{}, false
}

// execHeight is the height whose result our header of a height carries: ExecDelay below it, or the last one
// we executed when finality is further behind than that. It must be allowed to lag: notarized blocks that are
// not final may follow each other without end, and a chain that waited for the result of one of them before
// making the block that finalizes it would stand still for ever.
func (r *Replica) execHeight(height quorum.Height) quorum.Height {
	return min(r.latestExec(height), r.executed)
}

// maxBacklog is how many final blocks may wait for execution before we neither build nor judge further ones. It
// is what keeps consensus from running away from execution, and it cannot stop the chain: what is final gets
// executed without any further block.
const maxBacklog = 16

func (r *Replica) overloaded() bool { return r.final.Height > r.executed+maxBacklog }

// latestExec is the highest height whose result the header of a height may carry.
func (r *Replica) latestExec(height quorum.Height) quorum.Height {
	delay := quorum.Height(r.epoch.Rules.ExecDelay)
	return max(height, delay) - delay
}

// retryValidation looks again at every block whose verdict waits.
func (r *Replica) retryValidation() {
	for _, hash := range r.candidates.waiting() {
		r.tryValidate(hash)
	}
}

// tryValidate gives the verdict on a block if everything it depends on is known. What is not known yet (our
// own execution, the time) only delays the verdict; it never makes a block invalid.
func (r *Replica) tryValidate(hash crypto.Hash) {
	c := r.candidates.get(hash)
	if c == nil || !c.wanted {
		return
	}
	h := c.proposal.Header()
	parent, ok := r.headerOf(h.Parent)
	if !ok {
		return // dropped at the limit; block sync goes past it
	}
	if err := r.checkHeader(h, parent); err != nil {
		r.verdict(c, hash, err)
		return
	}
	if early := consensus.Time(h.TimeMs).Add(-r.epoch.Rules.Timing.Precision); r.env.Now() < early {
		r.wakeAt(early)
		return
	}
	if r.newer(h.Height) != nil {
		return // not for this program to judge
	}
	if h.IsTail() {
		r.verdict(c, hash, nil)
		return
	}
	if h.ExecHeight > r.executed || r.overloaded() {
		return // Executed tries again
	}
	result, ok := r.ledger.Result(h.ExecHeight)
	if !ok {
		return
	}
	if h.ExecStateRoot != result.StateRoot || h.ExecReceiptsRoot != result.ReceiptsChain {
		r.verdict(c, hash, fmt.Errorf("its header says that executing block %d gave state %s, here it gave %s", h.ExecHeight, h.ExecStateRoot, result.StateRoot))
		return
	}
	if ready, err := r.checkClosing(h); err != nil {
		r.verdict(c, hash, err)
		return
	} else if !ready {
		return
	}
	if c.checked {
		r.verdict(c, hash, nil)
		return
	}
	if !r.checking[hash] {
		r.checking[hash] = true
		r.env.CheckPayload(hash, c.proposal.Proposal().Payload)
	}
}

// maxWaitMs bounds how far ahead timerClock is armed: a proposal may come from any future.
const maxWaitMs = 1_000

// wakeAt lets the validation be tried again at a time, or before.
func (r *Replica) wakeAt(at consensus.Time) {
	now := r.env.Now()
	at = min(at, now.Add(maxWaitMs))
	if r.clockAt > now && r.clockAt <= at {
		return
	}
	r.clockAt = at
	r.env.Arm(timerClock, at)
}

// headerOf finds the header of a block that another may build on; false when it is not known here.
func (r *Replica) headerOf(hash crypto.Hash) (quorum.Header, bool) {
	if hash == r.epoch.Anchor.Hash {
		return r.epoch.anchor, true
	}
	return r.candidates.header(hash)
}

// checkHeader checks what every honest node sees alike.
func (r *Replica) checkHeader(h, parent quorum.Header) error {
	if h.TimeMs <= parent.TimeMs {
		return fmt.Errorf("its time %d is not after its parent's %d", h.TimeMs, parent.TimeMs)
	}
	if h.IsTail() {
		return nil // it says nothing about the ledger
	}
	if h.Params != r.epoch.Rules.Params {
		return fmt.Errorf("its parameters are %s, the network's are %s", h.Params, r.epoch.Rules.Params)
	}
	if int(h.PayloadBytes) > r.epoch.Rules.MaxBlockBytes {
		return fmt.Errorf("its payload of %d bytes is over the limit of %d", h.PayloadBytes, r.epoch.Rules.MaxBlockBytes)
	}
	if latest := max(parent.ExecHeight, r.latestExec(h.Height)); h.ExecHeight < parent.ExecHeight || h.ExecHeight > latest {
		return fmt.Errorf("it carries the result of block %d; that must be from %d to %d", h.ExecHeight, parent.ExecHeight, latest)
	}
	return nil
}

// checkClosing holds a header against the rule that says which block ends the epoch, and whom it elects. It is not ready
// while the state that elects is not at hand, which is nobody's fault.
func (r *Replica) checkClosing(h quorum.Header) (ready bool, err error) {
	next, failed := r.closingSet(h.Height, h.TimeMs, h.ExecHeight)
	switch {
	case failed != nil:
		return false, nil
	case next == nil && h.IsClosing():
		return true, fmt.Errorf("it closes epoch %d, which is not over at height %d and time %d", h.Epoch, h.Height, h.TimeMs)
	case next == nil:
		return true, nil
	case !h.IsClosing():
		return true, fmt.Errorf("it does not close epoch %d, which is over at height %d and time %d", h.Epoch, h.Height, h.TimeMs)
	case next.Hash() != h.NextValidatorSet:
		return true, fmt.Errorf("it hands over to validator set %s; the state after block %d elects %s", h.NextValidatorSet, h.ExecHeight, next.Hash())
	}
	return true, nil
}

func (r *Replica) verdict(c *candidate, hash crypto.Hash, err error) {
	c.wanted = false
	view := c.proposal.Header().View
	if err != nil {
		r.push(consensus.BlockInvalid{View: view, Hash: hash, Reason: err.Error()})
		return
	}
	r.push(consensus.BlockValid{View: view, Hash: hash})
}

// PayloadChecked brings the verdict on a payload: the ids of its transactions, or what is wrong with it.
func (r *Replica) PayloadChecked(hash crypto.Hash, ids []crypto.Hash, err error) error {
	delete(r.checking, hash)
	if c := r.candidates.get(hash); c != nil {
		if err == nil {
			c.checked, c.ids = true, ids
			r.tryValidate(hash)
		} else if c.wanted {
			r.verdict(c, hash, err)
		}
	}
	return r.run()
}
