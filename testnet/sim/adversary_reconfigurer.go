package sim

import (
	"slices"

	"waybill/consensus/quorum"
)

// reconfigurer attacks the blocks around the end of an epoch: as leader it closes the epoch in favour of others, puts an
// ordinary block on a closing one, names another closing block in a tail, shows two of them in one view; and it repeats
// what was signed in earlier epochs in the name of the present one.
type reconfigurer struct {
	old  [][]byte // votes, certificates and proposals of the epoch before last's end
	past [][]byte // … of earlier epochs
	at   quorum.Epoch
}

func (r *reconfigurer) send(a *actor, to *member, msg []byte) [][]byte {
	p, ok := proposalIn(msg)
	if !ok || int(p.Header.Proposer) != a.index() || p.Header.Epoch != a.epoch().Number {
		return [][]byte{msg}
	}
	h := &p.Header
	if h.Flags == 0 && r.at == h.Epoch && len(r.past) == 0 && a.rng.IntN(3) != 0 {
		return [][]byte{msg} // mostly it builds up what it then attacks
	}
	head := slices.Clone(msg[:voteHead])
	encode := func(p quorum.Proposal) [][]byte { return [][]byte{append(head, p.Encode()...)} }
	switch {
	case h.Flags&quorum.FlagTail != 0 && a.rng.IntN(2) == 0: // an ordinary child of the closing block
		h.Flags, h.Closing = 0, [32]byte{}
		h.Height++
		h.Params, h.ExecHeight = a.m.w.lawsOf(h.Epoch).Params, a.m.replica.Snapshot().Executed
		result, _ := a.m.Result(h.ExecHeight)
		h.ExecStateRoot, h.ExecReceiptsRoot = result.StateRoot, result.ReceiptsChain
	case h.Flags&quorum.FlagTail != 0: // of another closing block
		h.Closing = a.randomHash()
	case h.Flags&quorum.FlagClosing != 0:
		switch a.rng.IntN(3) {
		case 0:
			h.NextValidatorSet = a.randomHash()
			if h.View%2 == 0 { // the same for everybody, so that they could agree on it
				h.NextValidatorSet = [32]byte{0xee}
			}
		case 1:
			h.Flags, h.NextValidatorSet = 0, [32]byte{}
		default: // two closing blocks in one view
			if to.self%2 == 0 {
				return [][]byte{msg}
			}
			h.TimeMs++
		}
	default:
		if a.rng.IntN(4) != 0 {
			return [][]byte{msg}
		}
		h.Flags |= quorum.FlagClosing
		h.NextValidatorSet = a.epoch().Domain.Set.Hash()
	}
	return encode(a.sign(p))
}

func (r *reconfigurer) hear(a *actor, _ *member, msg []byte) bool {
	if e := a.epoch().Number; e != r.at {
		r.past, r.old, r.at = r.old, nil, e
	}
	if len(msg) > voteHead && msg[0] <= certificateKind && len(r.old) < maxKept {
		r.old = append(r.old, msg)
	}
	return true
}

func (r *reconfigurer) tick(a *actor) {
	s := a.status()
	for range min(3, len(r.past)) {
		old := r.past[a.rng.IntN(len(r.past))]
		// As it was, and as if it were of this epoch.
		a.say(a.anyone(), append(append([]byte{old[0]}, s.Encode()...), old[voteHead:]...))
		for _, v := range votesIn(old) {
			v.Epoch = a.epoch().Number
			a.say(a.anyone(), votesMessage(s, v))
			break
		}
	}
}
