package sim

import (
	"waybill/consensus/quorum"
	"waybill/node"
)

// leaver votes on after it left the validators: in the epoch it was a member of, contradicting itself, and in those it
// is none of, under the number it had.
type leaver struct {
	bystander
	was *node.Epoch // the last that had it
}

func (l *leaver) tick(a *actor) {
	e := a.epoch()
	if e.Self >= 0 {
		l.was = e
		return
	}
	if l.was == nil {
		return
	}
	s := a.status()
	hash := a.randomHash()
	view := 1 + quorum.View(a.rng.Int64N(40))
	for _, kind := range []quorum.VoteKind{quorum.KindNotarize, quorum.KindFinalize, quorum.KindNullify} {
		v := quorum.Vote{Kind: kind, View: view}
		if kind != quorum.KindNullify {
			v.Height, v.Block = e.Anchor.Height, hash
		}
		old := a.vote(l.was, v)
		a.say(a.anyone(), votesMessage(s, old))
		then := s
		then.Epoch = l.was.Number
		a.say(a.anyone(), votesMessage(then, old))
		v.View = s.View
		now := a.vote(e, v)
		now.Signer = uint16(l.was.Self)
		a.say(a.anyone(), votesMessage(s, now))
	}
}
