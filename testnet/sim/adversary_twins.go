package sim

import (
	"slices"
)

// twins are two copies of an honest program with one key and a disk each, which nobody guards: each talks to those that
// the plan assigns to it, and so the two vote differently. The world keeps the links apart; a copy is only kept from
// learning of the other, which would make it stop.
type twins struct{ bystander }

func (twins) send(a *actor, _ *member, msg []byte) [][]byte {
	if a.m.copy == 1 && (msg[0] == votesKind || msg[0] == proposalKind) {
		return [][]byte{slices.Clone(msg)} // the copy's: the act is that there are two
	}
	return [][]byte{msg}
}

func (twins) hear(a *actor, _ *member, msg []byte) bool {
	for _, v := range votesIn(msg) {
		if int(v.Signer) == a.index() && v.Epoch == a.epoch().Number {
			return false
		}
	}
	p, ok := proposalIn(msg)
	return !ok || int(p.Header.Proposer) != a.index()
}
