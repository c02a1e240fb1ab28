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
	if r.overloaded() {
		return nil // Executed tries again
	}
	exec := r.execHeight(b.Height)
	result, ok := r.ledger.Result(exec)
	if parent, known := r.candidates.header(b.Parent); !ok || known && exec < parent.ExecHeight {
		return nil // Executed tries again
	}
	r.building = nil
	p, err := r.journal.SignProposal(r.propose(b, now, exec, result))
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

// propose fills a proposal; the fields that follow from others are left to quorum.
func (r *Replica) propose(b *consensus.BuildRequest, now consensus.Time, exec quorum.Height, result Result) quorum.Proposal {
	var payload [][]byte
	skip := r.candidates.ancestry(b.Parent, r.executed)
	payload = r.pool.Select(r.cfg.MaxBlockBytes, func(id crypto.Hash) bool { return skip[id] })
	return quorum.Proposal{
		Header: quorum.Header{
			Version: quorum.HeaderVersion, Genesis: r.cfg.Epoch.Domain.Genesis, Epoch: b.Epoch, View: b.View, Height: b.Height,
			Parent: b.Parent, ParentView: b.ParentView,
			TimeMs: max(int64(now), b.ParentTimeMs+1), Proposer: uint16(r.cfg.Self),
			ValidatorSet: r.cfg.Epoch.Domain.Set.Hash(), Params: r.cfg.Params,
			ExecHeight: exec, ExecStateRoot: result.StateRoot, ExecReceiptsRoot: result.ReceiptsChain,
		},
		Justification: b.Justification,
		Payload:       payload,
	}
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
	delay := quorum.Height(r.cfg.ExecDelay)
	return max(max(height, delay)-delay, r.cfg.Epoch.Anchor.Height)
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
	parent, ok := r.parentOf(h)
	if !ok {
		return // dropped at the limit; block sync goes past it
	}
	if err := r.checkHeader(h, parent); err != nil {
		r.verdict(c, hash, err)
		return
	}
	if early := consensus.Time(h.TimeMs).Add(-r.cfg.Timing.Precision); r.env.Now() < early {
		r.wakeAt(early)
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

// parentOf finds what a header is held against of its parent; false when that is not known here.
func (r *Replica) parentOf(h quorum.Header) (quorum.Header, bool) {
	if a := r.cfg.Epoch.Anchor; h.Parent == a.Hash {
		return quorum.Header{TimeMs: a.TimeMs, ExecHeight: a.Height}, true
	}
	return r.candidates.header(h.Parent)
}

// checkHeader checks what every honest node sees alike.
func (r *Replica) checkHeader(h, parent quorum.Header) error {
	if h.Params != r.cfg.Params {
		return fmt.Errorf("its parameters are %s, the network's are %s", h.Params, r.cfg.Params)
	}
	if int(h.PayloadBytes) > r.cfg.MaxBlockBytes {
		return fmt.Errorf("its payload of %d bytes is over the limit of %d", h.PayloadBytes, r.cfg.MaxBlockBytes)
	}
	if h.TimeMs <= parent.TimeMs {
		return fmt.Errorf("its time %d is not after its parent's %d", h.TimeMs, parent.TimeMs)
	}
	if h.ExecHeight < parent.ExecHeight || h.ExecHeight > r.latestExec(h.Height) {
		return fmt.Errorf("it carries the result of block %d; that must be from %d to %d", h.ExecHeight, parent.ExecHeight, r.latestExec(h.Height))
	}
	return nil
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
