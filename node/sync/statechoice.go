package sync

import (
	"cmp"
	"slices"
)

// deliverable reports whether anybody offers the chosen snapshot who is being asked for a chunk, or has kept his word so
// far.
func (f *StateFetcher) deliverable() bool {
	for _, p := range f.peers {
		if p.offer == f.chosen && p.strikes < maxOfferErrors && (p.pending != nil || p.unkept == 0) {
			return true
		}
	}
	return false
}

// prune forgets offers that nobody makes any more.
func (f *StateFetcher) prune() {
	made := map[*offer]bool{f.chosen: true}
	for _, p := range f.peers {
		made[p.offer] = true
	}
	for hash, o := range f.offers {
		if !made[o] {
			delete(f.offers, hash)
		}
	}
}

// choose takes the best offer once everybody has answered, or settleMs after the first one.
func (f *StateFetcher) choose(nowMs int64) {
	var best *offer
	for _, o := range f.offers {
		if best == nil || f.better(o, best) {
			best = o
		}
	}
	if best == nil {
		f.askAgain(nowMs)
		return
	}
	if nowMs-f.offered < settleMs && f.asking(AskSnapshot)+f.asking(AskHandovers) > 0 {
		return
	}
	f.chosen = best
	f.have, f.missing = make([]bool, len(best.manifest().Chunks)), len(best.manifest().Chunks)
	f.stalled = nowMs
}

// askAgain lets peers that offered nothing be asked again after a while: they may have made a snapshot since.
func (f *StateFetcher) askAgain(nowMs int64) {
	const again = 5_000
	for _, p := range f.peers {
		if p.offer == nil && p.waiting == nil && p.pending == nil && nowMs-p.lastAsk >= again {
			p.askedOne = false
		}
	}
}

func (f *StateFetcher) better(a, b *offer) bool {
	va, na := f.support(a)
	vb, nb := f.support(b)
	return cmp.Or(cmp.Compare(f.tried[b.hash], f.tried[a.hash]), cmp.Compare(va, vb), cmp.Compare(na, nb),
		cmp.Compare(a.manifest().Height(), b.manifest().Height()), slices.Compare(a.hash[:], b.hash[:])) > 0
}

// support counts who offers a snapshot and has not failed to deliver what he offered.
func (f *StateFetcher) support(o *offer) (validators, all int) {
	for _, p := range f.peers {
		if p.offer == o && p.unkept == 0 {
			all++
			if p.validator {
				validators++
			}
		}
	}
	return validators, all
}
