package sim

import (
	"waybill/consensus/quorum"
)

// framer wants honest validators punished: it puts their names under votes they did not give, and shows pairs of votes
// as evidence that are none.
type framer struct {
	bystander
	votes []quorum.Vote // of others
}

func (f *framer) hear(a *actor, _ *member, msg []byte) bool {
	for _, v := range votesIn(msg) {
		if len(f.votes) < maxKept {
			f.votes = append(f.votes, v)
		} else {
			f.votes[a.rng.IntN(maxKept)] = v
		}
	}
	return true
}

func (f *framer) tick(a *actor) {
	if len(f.votes) < 2 {
		return
	}
	e := a.epoch()
	real := f.votes[a.rng.IntN(len(f.votes))]
	forged := real
	switch a.rng.IntN(5) {
	case 0: // another block under the same signature
		forged.Kind, forged.Height, forged.Block = quorum.KindNotarize, real.Height+1, a.randomHash()
	case 1: // another kind
		forged.Kind, forged.Height, forged.Block = quorum.KindNullify, 0, [32]byte{}
	case 2: // the framer's signature in another's name
		forged.Kind, forged.Height, forged.Block = quorum.KindFinalize, 7, a.randomHash()
		forged.Signature = keyedHash{}.mac(a.m.public, forged.Digest(e.Domain))
	case 3: // a vote of another view or epoch, moved here
		other := f.votes[a.rng.IntN(len(f.votes))]
		if other == real {
			return
		}
		forged = other
		forged.Signer, forged.Epoch, forged.View = real.Signer, real.Epoch, real.View
	case 4: // the same statement with another signature
		forged.Signature[7] ^= 1
	}
	a.say(a.anyone(), votesMessage(a.status(), forged))
	f.accuse(a, real, forged)
}

// accuse shows every order and every name of the pair to the verifier that all nodes use. It must refuse, unless the
// accused is a liar himself.
func (f *framer) accuse(a *actor, x, y quorum.Vote) {
	e := a.epoch()
	for offence := quorum.DoubleVote; offence <= quorum.ProposerEquivocation; offence++ {
		for _, pair := range [][2]quorum.Vote{{x, y}, {y, x}, {x, x}} {
			accusation := quorum.Evidence{Offence: offence, First: pair[0], Second: pair[1]}
			if accusation.Verify(e.Domain) != nil {
				a.m.w.report.Counts[CountFramings]++
				continue
			}
			set := a.m.w.oracle.epochs[e.Number]
			if who := a.m.w.memberOf(set.keys[accusation.Signer()]); who == nil || who.honest() {
				_ = a.m.w.oracle.broken("forged evidence against validator %d, who is honest, verifies", accusation.Signer())
			}
		}
	}
}
