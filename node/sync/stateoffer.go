package sync

import (
	"maps"
	"slices"

	"waybill/crypto"
	"waybill/ledger/snapshot"
)

// takeHandovers follows the epochs, and certifies the offers that waited for them.
func (f *StateFetcher) takeHandovers(p *statePeer, nowMs int64, raw []byte) (bool, error) {
	list, err := snapshot.DecodeHandovers(raw, snapshot.MaxHandovers)
	if err != nil {
		f.strike(p, nowMs)
		return false, refuse(ErrEncoding, "%v", err)
	}
	epochs := f.epochsOf(p)
	before := epochs.Last()
	for _, h := range list {
		if h.Closing.Epoch < epochs.Last() {
			continue // another peer was quicker
		}
		if err = epochs.Follow(h); err != nil {
			f.strike(p, nowMs)
			break
		}
	}
	if epochs.Last() > before {
		f.progress = nowMs
	}
	if f.settle(epochs) {
		f.certifyWaiting(nowMs)
	}
	if err != nil {
		return false, refuse(ErrCertificate, "%v", err)
	}
	if p.waiting != nil && epochs.Last() == before {
		// It offers what only later validators certify, and does not show them; or it had no time.
		p.waiting, p.askedOne = nil, false
		f.fail(p, nowMs)
		return false, refuse(ErrEmpty, "no hand-over from epoch %d", before)
	}
	return true, nil
}

// epochsOf is what hand-overs of a peer are held against. Up to the checkpoint everybody has his own: whoever has old keys
// could lead all into another history otherwise, in which those who show the real one look like liars.
func (f *StateFetcher) epochsOf(p *statePeer) *snapshot.Epochs {
	if !f.cfg.Epochs.Unsettled() {
		return f.cfg.Epochs
	}
	if p.branch == nil {
		p.branch = f.cfg.Epochs.Clone()
	}
	return p.branch
}

// settle takes over a branch that has reached the checkpoint, and reports whether claims may be certified now.
func (f *StateFetcher) settle(epochs *snapshot.Epochs) bool {
	if epochs.Unsettled() {
		return false
	}
	if epochs != f.cfg.Epochs {
		f.cfg.Epochs.Adopt(epochs)
		for _, p := range f.peers {
			p.branch = nil
		}
	}
	return true
}

// certifyWaiting looks at the claims whose validators are known now.
func (f *StateFetcher) certifyWaiting(nowMs int64) {
	for _, name := range slices.Sorted(maps.Keys(f.peers)) {
		p := f.peers[name]
		if c := p.waiting; c != nil && c.proof.Needs(c.manifest) <= f.cfg.Epochs.Last() {
			p.waiting = nil
			if err := f.certify(p, c, nowMs); err != nil {
				f.strike(p, nowMs)
			}
		}
	}
}

// certify makes a claim an offer.
func (f *StateFetcher) certify(p *statePeer, c *claim, nowMs int64) error {
	o := f.offers[c.hash]
	if o == nil {
		certified, err := f.cfg.Epochs.Certify(c.manifest, c.proof)
		if err != nil {
			return refuse(ErrCertificate, "%v", err)
		}
		if len(f.offers) == 0 {
			f.offered = nowMs
		}
		if !f.roomForOffer(p) {
			return nil
		}
		o = &offer{hash: c.hash, certified: certified}
		f.offers[c.hash] = o
	}
	p.offer = o
	return nil
}

// roomForOffer finds room for another offer: a validator's takes the place of one that only strangers make.
func (f *StateFetcher) roomForOffer(by *statePeer) bool {
	if f.prune(); len(f.offers) < maxOffers {
		return true
	}
	var worst *offer
	for _, o := range f.offers {
		if validators, _ := f.support(o); by.validator && validators == 0 && o != f.chosen && (worst == nil || f.better(worst, o)) {
			worst = o
		}
	}
	if worst == nil {
		return false
	}
	delete(f.offers, worst.hash)
	for _, p := range f.peers {
		if p.offer == worst {
			p.offer = nil
		}
	}
	return true
}

// takeOffer judges an offer: cheaply first, then by its certificate, if that can be done yet.
func (f *StateFetcher) takeOffer(p *statePeer, nowMs int64, raw []byte) (bool, error) {
	p.offer, p.waiting = nil, nil
	if len(raw) == 0 {
		return false, refuse(ErrEmpty, "no snapshot")
	}
	m, proof, err := decodeSnapshot(raw)
	if err != nil {
		f.strike(p, nowMs)
		return false, err
	}
	c := &claim{manifest: m, hash: m.Hash(), proof: proof}
	if m.Height() <= f.cfg.Above {
		f.fail(p, nowMs)
		return false, refuse(ErrEmpty, "the snapshot of height %d is of no use", m.Height())
	}
	if f.offers[c.hash] == nil && proof.Needs(m) > f.cfg.Epochs.Last() {
		if !f.makeRoom(p, c) {
			f.fail(p, nowMs)
			return false, refuse(ErrEmpty, "too many different snapshots are offered")
		}
		p.waiting = c
		return true, nil
	}
	if err := f.certify(p, c, nowMs); err != nil {
		f.strike(p, nowMs)
		return false, err
	}
	return true, nil
}

// makeRoom shares the manifest of a claim with those who claim the same, or else finds room for it: a validator's takes
// the place of a stranger's.
func (f *StateFetcher) makeRoom(by *statePeer, c *claim) bool {
	held := map[crypto.Hash]bool{}
	var strangers []string
	for name, p := range f.peers {
		if p.waiting == nil {
			continue
		}
		if p.waiting.hash == c.hash {
			c.manifest = p.waiting.manifest
			return true
		}
		held[p.waiting.hash] = true
		if !p.validator {
			strangers = append(strangers, name)
		}
	}
	if len(held) < maxWaiting {
		return true
	}
	if !by.validator || len(strangers) == 0 {
		return false
	}
	gone := f.peers[slices.Max(strangers)].waiting.hash
	for _, p := range f.peers {
		if p.waiting != nil && p.waiting.hash == gone {
			p.waiting = nil
		}
	}
	return true
}
