package sim

import (
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// unjust, when it leads, proposes what nothing justifies or what says something untrue, in one of many ways, and tells
// everybody so alike.
type unjust struct {
	bystander
	view  quorum.View
	epoch quorum.Epoch
	made  []byte
}

func (u *unjust) send(a *actor, _ *member, msg []byte) [][]byte {
	p, ok := proposalIn(msg)
	if !ok || int(p.Header.Proposer) != a.index() || p.Header.Epoch != a.epoch().Number {
		return [][]byte{msg}
	}
	if u.made == nil || u.view != p.Header.View || u.epoch != p.Header.Epoch {
		u.view, u.epoch = p.Header.View, p.Header.Epoch
		u.made = u.spoil(a, msg[:voteHead], p)
	}
	return [][]byte{u.made}
}

// spoil picks a lie. The order of cases is part of what a seed means.
func (u *unjust) spoil(a *actor, head []byte, p quorum.Proposal) []byte {
	h := &p.Header
	p.Justification.Skip = slices.Clone(p.Justification.Skip)
	encode := func(p quorum.Proposal) []byte { return append(slices.Clone(head), p.Encode()...) }
	switch a.rng.IntN(20) {
	case 0: // skips views without showing that they were given up
		p.Justification.Skip = nil
	case 1: // forged nullifications
		for i := range p.Justification.Skip {
			c := p.Justification.Skip[i]
			c.Signatures = slices.Clone(c.Signatures)
			c.Signatures[0][5] ^= 1
			p.Justification.Skip[i] = c
		}
	case 2: // a parent's certificate of too few
		if c := p.Justification.Parent; c != nil {
			few := *c
			few.Bitmap = slices.Clone(c.Bitmap)
			few.Bitmap[0] &= few.Bitmap[0] - 1
			few.Signatures = c.Signatures[1:]
			p.Justification.Parent = &few
		}
	case 3: // another parent than the certificate's
		h.Parent = a.randomHash()
	case 4: // the parent's parent: what lies between is left out
		p.Justification.Parent, h.Parent, h.ParentView, h.Height = nil, a.epoch().Anchor.Hash, 0, a.epoch().Anchor.Height+1
	case 5: // other validators
		h.ValidatorSet = a.randomHash()
	case 6: // another result
		h.ExecStateRoot = a.randomHash()
	case 7:
		h.ExecReceiptsRoot = a.randomHash()
	case 8: // a result that cannot be known yet
		h.ExecHeight = h.Height
	case 9: // an older result than the parent's
		h.ExecHeight = max(h.ExecHeight, 1) - 1
	case 10: // long ago, or a little: before the parent, perhaps, but not too late to be in time
		if h.TimeMs -= 300; a.rng.IntN(3) == 0 {
			h.TimeMs = a.epoch().Anchor.TimeMs
		}
	case 11: // an hour ahead
		h.TimeMs += 3_600_000
	case 12: // ends the epoch in favour of itself
		h.Flags |= quorum.FlagClosing
		h.NextValidatorSet = a.epoch().Domain.Set.Hash()
	case 13: // closes, or does not, against the rule
		h.Flags ^= quorum.FlagClosing
	case 14: // another next set
		h.NextValidatorSet = a.randomHash()
	case 15: // a tail of nothing
		h.Flags = quorum.FlagTail
		h.Closing = a.randomHash()
		p.Payload = nil
	case 16:
		h.Params = crypto.Hash{1}
	case 17: // a height too far
		h.Height++
	case 18: // a payload that is not what the header says
		p = a.sign(p)
		p.Payload = append(slices.Clone(p.Payload), []byte("smuggled"))
		return encode(a.signAsIs(p))
	case 19: // another's turn
		h.Proposer = uint16((a.index() + 1) % a.epoch().Domain.Set.Len())
	}
	return encode(a.sign(p))
}
