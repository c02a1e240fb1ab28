package sim

import "waybill/consensus/quorum"

// withholder, when it leads, gives its block to a few only, and to nobody who asks for it; everybody gets its votes, and
// the certificates that the few make possible.
type withholder struct {
	bystander
	view quorum.View
	few  uint64
}

func (h *withholder) send(a *actor, to *member, msg []byte) [][]byte {
	p, ok := proposalIn(msg)
	if !ok || int(p.Header.Proposer) != a.index() {
		return [][]byte{msg}
	}
	if p.Header.View != h.view {
		h.view, h.few = p.Header.View, a.rng.Uint64()|a.rng.Uint64() // three of four
	}
	if h.few>>to.self&1 == 1 {
		return [][]byte{msg}
	}
	return nil
}

func (h *withholder) tick(a *actor) {
	// What it kept back in an earlier view it shows to somebody, late.
	if a.rng.IntN(8) == 0 {
		h.few = a.rng.Uint64()
	}
	s := a.status()
	s.Missing = s.View
	a.say(a.anyone(), statusMessage(s))
}
