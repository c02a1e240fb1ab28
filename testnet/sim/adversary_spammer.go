package sim

import (
	"encoding/binary"
	"math"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// spammer votes for views from the next one to a million ahead, for epochs to come, and claims and asks for what cannot
// be.
type spammer struct{ bystander }

func (spammer) tick(a *actor) {
	to := a.anyone()
	s := a.status()
	ahead := s.View + 1 + quorum.View(a.rng.Int64N(1<<uint(1+a.rng.IntN(20))))
	switch a.rng.IntN(6) {
	case 0: // a message full of votes far ahead
		var votes []quorum.Vote
		for i := range quorum.View(64) {
			kind := quorum.KindNotarize + quorum.VoteKind(a.rng.IntN(3))
			v := quorum.Vote{Kind: kind, View: ahead + i}
			if kind != quorum.KindNullify {
				v.Height, v.Block = quorum.Height(ahead), a.randomHash()
			}
			votes = append(votes, a.vote(a.epoch(), v))
		}
		a.say(to, votesMessage(s, votes...))
	case 1: // of an epoch to come
		v := a.vote(a.epoch(), quorum.Vote{Kind: quorum.KindNullify, View: ahead})
		v.Epoch += 1 + quorum.Epoch(a.rng.Int64N(1_000_000))
		a.say(to, votesMessage(s, v))
		s.Epoch += 1 + quorum.Epoch(a.rng.IntN(3))
		a.say(to, votesMessage(s, v))
	case 2: // a certificate of one
		c := quorum.Certificate{Kind: quorum.KindFinalize, Epoch: a.epoch().Number, View: ahead}
		c.Height, c.Block = quorum.Height(ahead), a.randomHash()
		c.Bitmap = make([]byte, (a.epoch().Domain.Set.Len()+7)/8)
		c.Bitmap[0] = 1
		c.Signatures = []crypto.Signature{{1}}
		a.say(to, certificateMessage(s, c))
	case 3: // impossible claims
		for _, n := range []uint64{math.MaxUint64, math.MaxInt64, 1 << 62} {
			a.say(to, statusMessage(consensus.Status{
				Epoch: a.epoch().Number, View: quorum.View(n), FinalHeight: quorum.Height(n), FinalView: quorum.View(n),
				Missing: quorum.View(n - 1), HasWork: true,
			}))
		}
	case 4: // a status of an epoch to come
		s.Epoch += quorum.Epoch(1 + a.rng.Uint64N(math.MaxInt64))
		a.say(to, statusMessage(s))
	case 5: // impossible requests
		for _, from := range []quorum.Height{0, math.MaxUint64, 1 << 63} {
			a.say(to, requestMessage(from, uint16(a.rng.Uint32())))
		}
		hash := a.randomHash()
		a.say(to, append([]byte{wantedKind}, hash[:]...))
	}
}

func (a *actor) randomHash() (h crypto.Hash) {
	for i := 0; i < len(h); i += 8 {
		binary.BigEndian.PutUint64(h[i:], a.rng.Uint64())
	}
	return h
}
