package light

import (
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// Checkpoint is an epoch whose validators are known: from genesis, from somebody trusted, or by following the hand-overs
// up to it. It is a value; nothing in it changes.
type Checkpoint struct {
	Genesis crypto.Hash
	Epoch   quorum.Epoch
	Set     *quorum.Set   // its validators
	Anchor  quorum.Header // the closing block of the epoch before; the genesis block for epoch 0
	SeenMs  int64         // time of the latest block of this epoch, or its anchor, that was verified; ms since the Unix epoch

	// Checker answers for signatures; nil, as everywhere but in tests, means the real one. See quorum.Domain.
	Checker quorum.Checker
}

// Begin is the checkpoint of epoch 0. The document must be valid.
func Begin(g *ledger.Genesis) (Checkpoint, error) {
	set, err := g.ValidatorSet()
	if err != nil {
		return Checkpoint{}, refuse(ErrHandover, err, "the validators of genesis")
	}
	anchor := g.Block()
	return Checkpoint{Genesis: g.Hash(), Set: set, Anchor: anchor, SeenMs: anchor.TimeMs}, nil
}

// Domain is what signatures of the epoch are checked with.
func (c Checkpoint) Domain() quorum.Domain {
	return quorum.Domain{Genesis: c.Genesis, Set: c.Set, Checker: c.Checker}
}

// Verify checks that the certificate makes a block of this epoch final; see [VerifyPath].
func (c Checkpoint) Verify(headers []quorum.Header, cert quorum.Certificate) (Header, error) {
	h, err := VerifyPath(c.Domain(), headers, cert)
	if err != nil {
		return Header{}, err
	}
	if h.header.Epoch != c.Epoch || h.header.Height <= c.Anchor.Height {
		return Header{}, refuse(ErrHandover, nil, "block %d of epoch %d is no block of epoch %d, which begins after block %d",
			h.header.Height, h.header.Epoch, c.Epoch, c.Anchor.Height)
	}
	return h, nil
}

// Saw is the checkpoint after a block was verified: one of its epoch keeps the trust in it fresh.
func (c Checkpoint) Saw(h Header) Checkpoint {
	if h.header.Genesis == c.Genesis && h.header.Epoch == c.Epoch && h.header.ValidatorSet == c.Set.Hash() {
		c.SeenMs = max(c.SeenMs, h.header.TimeMs)
	}
	return c
}

// Check refuses, with kind ErrStale, a checkpoint of which nothing was seen for longer than the trusting period of the
// network. Validators who left long ago have nothing to lose: whoever has their keys can write another history, and
// nothing in it shows that. Get a newer checkpoint from somebody trusted then. nowMs is in ms since the Unix epoch.
func (c Checkpoint) Check(p *ledger.Params, nowMs int64) error {
	if age := nowMs - c.SeenMs; age > p.TrustingMs() {
		return refuse(ErrStale, nil, "the last known block of epoch %d is %d ms old, the trusting period is %d ms; get a newer checkpoint from a source you trust",
			c.Epoch, age, p.TrustingMs())
	}
	return nil
}

// Advance follows the hand-over to the next epoch: closing is the last block of this one, cert makes it final, by itself or
// through a tail, and next is the set that it names. Errors are of kind ErrHandover or ErrCertificate.
func (c Checkpoint) Advance(closing quorum.Header, cert quorum.Certificate, next *quorum.Set) (Checkpoint, error) {
	switch {
	case !closing.IsClosing():
		return Checkpoint{}, refuse(ErrHandover, nil, "block %d does not close an epoch", closing.Height)
	case closing.Epoch != c.Epoch:
		return Checkpoint{}, refuse(ErrHandover, nil, "block %d closes epoch %d, this is epoch %d", closing.Height, closing.Epoch, c.Epoch)
	case closing.TimeMs <= c.Anchor.TimeMs:
		return Checkpoint{}, refuse(ErrHandover, nil, "epoch %d would end at %d, before it began at %d", c.Epoch, closing.TimeMs, c.Anchor.TimeMs)
	case next == nil || next.Hash() != closing.NextValidatorSet:
		return Checkpoint{}, refuse(ErrHandover, nil, "block %d hands over to the validator set %s, which is not the one given",
			closing.Height, closing.NextValidatorSet)
	}
	if moved, limit := moved(c.Set, next), c.Set.Total()/3; moved > limit {
		return Checkpoint{}, refuse(ErrHandover, nil, "block %d changes %d of power at once, a third is %d", closing.Height, moved, limit)
	}
	if _, err := c.Verify([]quorum.Header{closing}, cert); err != nil {
		return Checkpoint{}, err
	}
	return Checkpoint{Genesis: c.Genesis, Epoch: c.Epoch + 1, Set: next, Anchor: closing, SeenMs: closing.TimeMs, Checker: c.Checker}, nil
}

// moved is the sum of what the power of each validator changes by. Both totals are at most 2^60.
func moved(from, to *quorum.Set) quorum.Power {
	sum := quorum.Power(0)
	for _, v := range from.Validators() {
		after := quorum.Power(0)
		if i, ok := to.Index(v.Key); ok {
			after = to.At(i).Power
		}
		sum += max(v.Power, after) - min(v.Power, after)
	}
	for _, v := range to.Validators() {
		if _, ok := from.Index(v.Key); !ok {
			sum += v.Power
		}
	}
	return sum
}
