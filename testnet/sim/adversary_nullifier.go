package sim

import "waybill/consensus/quorum"

// nullifier proposes nothing, notarizes nothing, finalizes nothing; it gives up every view as soon as it hears of it,
// and the one after.
type nullifier struct{ bystander }

func (nullifier) send(a *actor, _ *member, msg []byte) [][]byte {
	switch msg[0] {
	case proposalKind:
		return nil
	case votesKind:
		for _, v := range votesIn(msg) {
			if v.Kind != quorum.KindNullify {
				return nil
			}
		}
	}
	return [][]byte{msg}
}

func (nullifier) tick(a *actor) {
	if a.index() < 0 {
		return
	}
	s := a.status()
	for _, v := range []quorum.View{s.View, s.View + 1} {
		a.tell(votesMessage(s, a.vote(a.epoch(), quorum.Vote{Kind: quorum.KindNullify, View: max(v, 1)})))
	}
}
