package sim

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// equivocator, when it leads, makes a second block for its view and shows one to one half of the others and one to the
// other half; it votes for both, each half seeing the votes for its own.
type equivocator struct {
	bystander
	second map[crypto.Hash]quorum.Proposal // by the hash of the first
	half   uint64                          // who is shown the second
	view   quorum.View
}

func (q *equivocator) send(a *actor, to *member, msg []byte) [][]byte {
	if len(msg) < voteHead {
		return [][]byte{msg}
	}
	switch msg[0] {
	case proposalKind:
		p, ok := proposalIn(msg)
		if !ok || int(p.Header.Proposer) != a.index() || p.Header.Epoch != a.epoch().Number {
			break
		}
		other := q.twin(a, p)
		if q.half>>to.self&1 == 1 {
			return [][]byte{append(msg[:voteHead:voteHead], other.Encode()...)}
		}
	case votesKind:
		if q.half>>to.self&1 == 1 {
			return [][]byte{q.rewrite(a, msg)}
		}
	}
	return [][]byte{msg}
}

// twin is the second block beside p, always the same one.
func (q *equivocator) twin(a *actor, p quorum.Proposal) quorum.Proposal {
	hash := p.Header.Hash()
	if other, ok := q.second[hash]; ok {
		return other
	}
	if q.second == nil || len(q.second) > 64 {
		q.second = map[crypto.Hash]quorum.Proposal{}
	}
	if p.Header.View != q.view {
		q.view, q.half = p.Header.View, a.rng.Uint64()
	}
	if a.rng.IntN(2) == 0 || p.Header.Flags != 0 {
		p.Header.TimeMs++
	} else {
		p.Payload = nil
		p.Header.TimeMs += 2
	}
	q.second[hash] = a.sign(p)
	return q.second[hash]
}

// rewrite replaces own votes for a first block by votes for the second.
func (q *equivocator) rewrite(a *actor, msg []byte) []byte {
	votes := votesIn(msg)
	changed := false
	for i, v := range votes {
		if other, ok := q.second[v.Block]; ok && int(v.Signer) == a.index() && v.Epoch == a.epoch().Number {
			v.Block = other.Header.Hash()
			votes[i], changed = a.vote(a.epoch(), v), true
		}
	}
	if !changed {
		return msg
	}
	out := msg[:voteHead:voteHead]
	for _, v := range votes {
		out = append(out, v.Encode()...)
	}
	return out
}
