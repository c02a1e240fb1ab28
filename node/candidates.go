package node

import (
	"bytes"
	"cmp"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// Bounds of what a replica keeps in memory of proposals.
const (
	maxCandidates  = 512      // proposals not final; at the limit the one of the lowest view goes
	maxRecent      = 128      // final proposals kept for peers that ask for them
	maxRecentBytes = 64 << 20 // … and their payload
	maxAsked       = 512      // hashes whose requests are counted
)

// candidate is a proposal whose block may become final.
type candidate struct {
	proposal quorum.VerifiedProposal
	wanted   bool          // the machine waits for our verdict
	checked  bool          // the payload was checked, and is good
	stored   bool          // the journal holds it
	ids      []crypto.Hash // of its transactions, once checked
}

// candidates holds proposals by the hash of their block: those not final, the last final ones, and the
// headers of the chain's end.
type candidates struct {
	open   map[crypto.Hash]*candidate
	recent []*candidate // final, oldest first
	bytes  int          // payload of recent
	final  map[crypto.Hash]quorum.Header
	order  []crypto.Hash // of final, oldest first
	tries  map[crypto.Hash]int
}

func newCandidates() *candidates {
	return &candidates{open: map[crypto.Hash]*candidate{}, final: map[crypto.Hash]quorum.Header{}, tries: map[crypto.Hash]int{}}
}

func (c *candidates) len() int { return len(c.open) }

// add holds a proposal; one that is held already stays as it is.
func (c *candidates) add(p quorum.VerifiedProposal) {
	hash := p.Hash()
	if c.open[hash] != nil {
		return
	}
	if len(c.open) >= maxCandidates {
		c.dropLowest()
	}
	c.open[hash] = &candidate{proposal: p}
	delete(c.tries, hash)
}

func (c *candidates) dropLowest() {
	var lowest crypto.Hash
	var view quorum.View
	for hash, e := range c.open {
		v := e.proposal.Header().View
		if view == 0 || v < view || v == view && lowest.String() > hash.String() {
			lowest, view = hash, v
		}
	}
	delete(c.open, lowest)
}

// get returns an open candidate or a recent final one; nil when neither is held.
func (c *candidates) get(hash crypto.Hash) *candidate {
	if e := c.open[hash]; e != nil {
		return e
	}
	for _, e := range c.recent {
		if e.proposal.Hash() == hash {
			return e
		}
	}
	return nil
}

// header finds the header of an open candidate or of a block at the end of the final chain.
func (c *candidates) header(hash crypto.Hash) (quorum.Header, bool) {
	if e := c.open[hash]; e != nil {
		return e.proposal.Header(), true
	}
	h, ok := c.final[hash]
	return h, ok
}

// setFinal notes the end of the final chain, moves its candidate to the recent ones and drops all open
// candidates that can no longer become final.
func (c *candidates) setFinal(h quorum.Header, hash crypto.Hash) {
	c.final[hash] = h
	c.order = append(c.order, hash)
	if len(c.order) > maxRecent {
		delete(c.final, c.order[0])
		c.order = c.order[1:]
	}
	if e := c.open[hash]; e != nil {
		c.recent = append(c.recent, e)
		c.bytes += int(h.PayloadBytes)
		for len(c.recent) > maxRecent || c.bytes > maxRecentBytes && len(c.recent) > 1 {
			c.bytes -= int(c.recent[0].proposal.Header().PayloadBytes)
			c.recent = c.recent[1:]
		}
	}
	for other, e := range c.open {
		if e.proposal.Header().View <= h.View {
			delete(c.open, other)
		}
	}
}

// dropOpen forgets every block that is not final: its epoch is over.
func (c *candidates) dropOpen() {
	clear(c.open)
	clear(c.tries)
}

// ancestry lists the transactions of the block with this hash and of its ancestors down to the last executed block. Final
// ones count too: until they are executed the pool does not know that it must not offer their transactions again. It is
// not complete when block sync brought one of them: then no transaction can be told to be new.
func (c *candidates) ancestry(hash crypto.Hash, executed quorum.Height) (ids map[crypto.Hash]bool, complete bool) {
	ids = map[crypto.Hash]bool{}
	for {
		if h, known := c.header(hash); !known || h.Height <= executed {
			return ids, known
		}
		e := c.get(hash)
		if e == nil {
			return ids, false
		}
		for _, id := range e.transactions() {
			ids[id] = true
		}
		hash = e.proposal.Header().Parent
	}
}

// transactions returns the ids of a candidate's transactions. Others may have notarized the block before we checked its
// payload; then what can be decoded of it is.
func (e *candidate) transactions() []crypto.Hash {
	if e.ids == nil {
		for _, raw := range e.proposal.Proposal().Payload {
			if tx, err := ledger.DecodeTransaction(raw); err == nil { // what is none cannot be in the pool either
				e.ids = append(e.ids, tx.ID())
			}
		}
	}
	return e.ids
}

// asked counts the requests for a block's proposal; the count starts anew when too many are counted.
func (c *candidates) asked(hash crypto.Hash) int {
	if len(c.tries) >= maxAsked {
		clear(c.tries)
	}
	n := c.tries[hash]
	c.tries[hash] = n + 1
	return n
}

// waiting lists the open candidates whose verdict the machine waits for, by view.
func (c *candidates) waiting() []crypto.Hash {
	var hashes []crypto.Hash
	for hash, e := range c.open {
		if e.wanted {
			hashes = append(hashes, hash)
		}
	}
	slices.SortFunc(hashes, func(a, b crypto.Hash) int {
		va, vb := c.open[a].proposal.Header().View, c.open[b].proposal.Header().View
		return cmp.Or(cmp.Compare(va, vb), bytes.Compare(a[:], b[:]))
	})
	return hashes
}
