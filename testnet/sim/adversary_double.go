package sim

import "waybill/consensus/quorum"

// double votes twice in every way there is: it notarizes a second block, and both finalizes and gives up a view.
type double struct{ bystander }

func (double) send(a *actor, _ *member, msg []byte) [][]byte {
	out := [][]byte{msg}
	for _, v := range votesIn(msg) {
		if int(v.Signer) != a.index() || v.Epoch != a.epoch().Number || a.rng.IntN(2) == 0 {
			continue
		}
		switch v.Kind {
		case quorum.KindNotarize:
			v.Block = a.randomHash()
		case quorum.KindFinalize:
			v.Kind, v.Height, v.Block = quorum.KindNullify, 0, [32]byte{}
		case quorum.KindNullify:
			v.Kind, v.Height, v.Block = quorum.KindFinalize, a.epoch().Anchor.Height+1, a.randomHash()
		}
		s, _ := statusIn(msg)
		out = append(out, votesMessage(s, a.vote(a.epoch(), v)))
	}
	return out
}
