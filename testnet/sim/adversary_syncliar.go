package sim

import (
	"encoding/binary"
	"math"
	"slices"

	"waybill/consensus/quorum"
	blocksync "waybill/node/sync"
)

// syncLiar lies to those who are behind: about its height (rising, falling, now this now that, impossible), and in its
// answers to block requests (wrong, cut short, doubled, out of order, not asked for, a block at a time and just before
// the timeout, or none).
type syncLiar struct {
	bystander
	style int
	lied  uint64
	old   []byte // an earlier answer
}

// dripMs is just below sync.AnswerTimeoutMs.
const dripMs = blocksync.AnswerTimeoutMs - 300

func (l *syncLiar) send(a *actor, to *member, msg []byte) [][]byte {
	switch {
	case msg[0] == blocksKind:
		return l.answer(a, to, msg)
	case msg[0] >= votesKind && msg[0] <= statusKind && len(msg) >= voteHead:
		out := slices.Clone(msg)
		binary.BigEndian.PutUint64(out[1+16:], l.height(a, binary.BigEndian.Uint64(msg[1+16:])))
		return [][]byte{out}
	}
	return [][]byte{msg}
}

// height is what it claims instead of the truth.
func (l *syncLiar) height(a *actor, truth uint64) uint64 {
	if l.style == 0 {
		l.style = 1 + a.rng.IntN(5)
	}
	l.lied++
	switch l.style {
	case 1:
		return truth + l.lied
	case 2:
		return truth - min(truth, l.lied)
	case 3:
		return truth + l.lied%2*1_000
	case 4:
		return math.MaxInt64
	}
	return math.MaxUint64
}

func (l *syncLiar) tick(a *actor) {
	s := a.status()
	s.FinalHeight = quorum.Height(l.height(a, uint64(s.FinalHeight)))
	a.say(a.anyone(), statusMessage(s))
	if l.old != nil && a.rng.IntN(4) == 0 {
		a.say(a.anyone(), l.old) // nobody asked
	}
}

func (l *syncLiar) answer(a *actor, to *member, msg []byte) [][]byte {
	defer func() { l.old = msg }()
	blocks, err := blocksync.DecodeBlocks(msg[1:])
	if err != nil {
		return nil
	}
	encode := func(b []blocksync.Block) [][]byte {
		return [][]byte{append([]byte{blocksKind}, blocksync.EncodeBlocks(b)...)}
	}
	late := func(out []byte) [][]byte {
		who, kind := a.m, a.now
		a.m.w.report.Acts[kind]++
		a.m.w.after(dripMs, func() error {
			who.w.deliver(who, to, out, kind)
			return nil
		})
		return nil
	}
	switch n := len(blocks); a.rng.IntN(10) {
	case 0:
		return nil
	case 1: // a bit is wrong
		out := slices.Clone(msg)
		out[len(out)/2] ^= 1 << a.rng.IntN(8)
		return [][]byte{out}
	case 2: // cut short
		return [][]byte{slices.Clone(msg[:1+a.rng.IntN(len(msg))])}
	case 3: // doubled
		if n > 0 {
			return encode(append(blocks[:1:1], blocks...)[:min(n+1, blocksync.MaxBlocksPerAnswer)])
		}
	case 4: // out of order
		if n > 1 {
			blocks[0], blocks[n-1] = blocks[n-1], blocks[0]
			return encode(blocks)
		}
	case 5: // an older answer
		if l.old != nil {
			return [][]byte{slices.Clone(l.old)}
		}
	case 6: // a block at a time, late
		for i := range blocks {
			if blocks[i].Certificate != nil {
				return late(encode(blocks[:i+1])[0])
			}
		}
	case 7: // true, but just before the timeout
		return late(msg)
	case 8: // other content
		if n > 0 {
			blocks[n-1].Payload = [][]byte{[]byte("forged")}
			return encode(blocks)
		}
	case 9: // without the certificate
		if n > 0 {
			blocks[n-1].Certificate = nil
			return encode(blocks)
		}
	}
	return encode(nil)
}
