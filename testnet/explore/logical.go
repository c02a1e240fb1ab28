package explore

import (
	"fmt"
	"reflect"
	"slices"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
)

// The exhaustive exploration names things by what they mean, not by their bytes: two histories that differ only in whose
// signatures made up a quorum have different hashes, and are the same.

// blockID numbers blocks by meaning; -1 is the anchor.
type blockID int

const anchorID blockID = -1

// blockKey is what a block means: who made it is given by the view.
type blockKey struct {
	view    quorum.View
	parent  blockID
	shown   quorum.VoteKind // what shows the parent: notarize or finalize; zero for the anchor
	variant byte            // the faulty leader's two
}

// logicalVote is what a vote says. The block of a nullify is anchorID.
type logicalVote struct {
	kind  quorum.VoteKind
	view  quorum.View
	block blockID
}

// stepID numbers what can happen to a machine.
type stepID int

// logicalStep is a delivery of a block, of the votes for a certificate, the end of a machine's patience with its view, or
// a crash and restart.
type logicalStep struct {
	kind  stepKind
	which int // of blocks or statements
}

type stepKind uint8

const (
	stepBlock stepKind = iota
	stepVotes
	stepTimeout
	stepRestart
)

// bits is a set of small numbers.
type bits [4]uint64

func (b *bits) add(i int)      { b[i/64] |= 1 << (i % 64) }
func (b *bits) has(i int) bool { return b[i/64]>>(i%64)&1 == 1 }

// twoOf is the set of what is in at least two of three sets.
func twoOf(a, b, c *bits) (out bits) {
	for i := range out {
		out[i] = a[i]&b[i] | a[i]&c[i] | b[i]&c[i]
	}
	return out
}

// lexicon gives numbers to blocks, statements and steps.
type lexicon struct {
	blocks     []blockKey
	blockIDs   map[blockKey]blockID
	votes      []logicalVote
	voteIDs    map[logicalVote]int
	steps      []logicalStep
	stepIDs    map[logicalStep]stepID
	notarizing bits // statements by kind
	finalizing bits
	nullifying bits
}

func newLexicon() *lexicon {
	return &lexicon{blockIDs: map[blockKey]blockID{}, voteIDs: map[logicalVote]int{}, stepIDs: map[logicalStep]stepID{}}
}

func (x *lexicon) block(k blockKey) blockID {
	id, ok := x.blockIDs[k]
	if !ok {
		id = blockID(len(x.blocks))
		x.blocks, x.blockIDs[k] = append(x.blocks, k), id
	}
	return id
}

func (x *lexicon) vote(v logicalVote) int {
	id, ok := x.voteIDs[v]
	if !ok {
		id = len(x.votes)
		x.votes, x.voteIDs[v] = append(x.votes, v), id
		switch v.kind {
		case quorum.KindNotarize:
			x.notarizing.add(id)
		case quorum.KindFinalize:
			x.finalizing.add(id)
		case quorum.KindNullify:
			x.nullifying.add(id)
		}
	}
	return id
}

func (x *lexicon) step(s logicalStep) stepID {
	id, ok := x.stepIDs[s]
	if !ok {
		id = stepID(len(x.steps))
		x.steps, x.stepIDs[s] = append(x.steps, s), id
	}
	return id
}

// height of a block, the anchor's being 0.
func (x *lexicon) height(b blockID) int {
	h := 0
	for ; b != anchorID; b = x.blocks[b].parent {
		h++
	}
	return h
}

// descends reports whether b is a or has a below it.
func (x *lexicon) descends(b, a blockID) bool {
	for ; b != a; b = x.blocks[b].parent {
		if b == anchorID {
			return false
		}
	}
	return true
}

// identify finds out what a proposal means, given the numbers of the blocks below it.
func (x *lexicon) identify(p quorum.VerifiedProposal, ids map[crypto.Hash]blockID) blockID {
	h, full := p.Header(), p.Proposal()
	k := blockKey{view: h.View, parent: anchorID, variant: full.Payload[0][0]}
	if j := full.Justification.Parent; j != nil {
		k.parent, k.shown = ids[h.Parent], j.Kind
	}
	id := x.block(k)
	ids[p.Hash()] = id
	return id
}

// meaning is all of a machine's state that decides what it will do, in words that do not depend on bytes or clocks: its
// view, tip and watermark, and of each view the block and its verdict, the certificates and the own votes. Left out are
// votes short of a quorum, times, and what was only reported. It is read by reflection, so that the machine need not
// offer it; a field that is gone panics.
func meaning(m *consensus.Machine, ids map[crypto.Hash]blockID) string {
	v := reflect.ValueOf(m).Elem()
	view := v.FieldByName("view").Uint()
	b := make([]byte, 0, 128)
	final := v.FieldByName("final")
	b = append(b, byte(view), byte(final.FieldByName("view").Uint()), idByte(final.FieldByName("hash"), ids),
		byte(v.FieldByName("top").FieldByName("View").Uint()), byte(v.FieldByName("proposed").Uint()),
		byte(v.FieldByName("signed").FieldByName("View").Uint()), byte(v.FieldByName("signed").FieldByName("Step").Uint()))
	records := v.FieldByName("records")
	for i := range records.Len() {
		b = appendRecord(b, records.Index(i).Elem(), view, ids)
	}
	return string(b)
}

// byMeaning orders blocks by what they mean, so that it does not depend on bytes which of two of a view a restart finds
// first.
func byMeaning(a, b quorum.VerifiedProposal) int {
	rank := func(p quorum.VerifiedProposal) (r [4]uint64) {
		full := p.Proposal()
		r = [4]uint64{uint64(full.Header.View), 0, uint64(full.Header.ParentView)}
		if len(full.Payload) > 0 {
			r[1] = uint64(full.Payload[0][0])
		}
		if full.Justification.Parent != nil {
			r[3] = uint64(full.Justification.Parent.Kind)
		}
		return r
	}
	x, y := rank(a), rank(b)
	return slices.Compare(x[:], y[:])
}

// disk is what a restart will find beside the own votes: the synced certificates, and the blocks found valid.
func (x *lexicon) disk(certs []quorum.VerifiedCertificate, blocks []crypto.Hash, ids map[crypto.Hash]blockID) string {
	var have, stored bits
	for _, vc := range certs {
		c := vc.Certificate()
		v := logicalVote{kind: c.Kind, view: c.View, block: anchorID}
		if c.Kind != quorum.KindNullify {
			v.block = ids[c.Block]
		}
		have.add(x.vote(v))
	}
	for _, h := range blocks {
		stored.add(int(ids[h]))
	}
	return fmt.Sprint(have, stored)
}

func appendRecord(b []byte, r reflect.Value, view uint64, ids map[crypto.Hash]blockID) []byte {
	k := r.FieldByName("block")
	own := r.FieldByName("view").Uint()
	b = append(b, '|', byte(own), idByte(k.FieldByName("hash"), ids), byte(k.FieldByName("verdict").Uint()),
		flags(k.FieldByName("certified").Bool(), !k.FieldByName("header").IsNil(), !r.FieldByName("notarization").IsNil(),
			!r.FieldByName("nullification").IsNil(), !r.FieldByName("finalization").IsNil(), r.FieldByName("output").Bool()),
		idByte(r.FieldByName("notarized"), ids), byte(r.FieldByName("exit").Uint()))
	if own == view {
		b = append(b, flags(r.FieldByName("expired").Bool(), r.FieldByName("buildFailed").Bool(), k.FieldByName("timely").Bool()))
	}
	return b
}

// idByte is the number of the block with a hash that is a field of the machine.
func idByte(hash reflect.Value, ids map[crypto.Hash]blockID) byte {
	h := crypto.Hash(hash.Bytes())
	if h.IsZero() {
		return 255
	}
	if h == genesis {
		return 254
	}
	id, ok := ids[h]
	if !ok {
		panic(fmt.Sprintf("explore: a machine knows of block %s, which nobody made", h.Short()))
	}
	return byte(id)
}

func flags(list ...bool) (out byte) {
	for i, f := range list {
		if f {
			out |= 1 << i
		}
	}
	return out
}
