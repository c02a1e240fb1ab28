package snapshot

import (
	"encoding/binary"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/store"
)

// Checkpoint is what an operator learned elsewhere about the history: that the epoch began after this block. Old keys,
// whose owners have long taken their money back, can sign another history from genesis on, and only such knowledge tells
// it from the real one.
type Checkpoint struct {
	Epoch  quorum.Epoch
	Anchor crypto.Hash // the block that closed the epoch before
}

// Trust says which histories may be believed.
type Trust struct {
	Checkpoint *Checkpoint // nil: none
	// NowMs and PeriodMs: what is followed must begin (at genesis, or at the checkpoint) less than PeriodMs before NowMs.
	// PeriodMs 0 asks for nothing.
	NowMs, PeriodMs int64
}

// Epochs is the chain of validator sets from genesis on, followed by hand-overs: each closing block names the next set
// and is final by the validators before.
type Epochs struct {
	genesis crypto.Hash
	checker quorum.Checker
	trust   Trust

	begin     int64         // ms; time of the block from which on the history is believed
	sets      []*quorum.Set // by epoch
	anchor    quorum.Header // the block before the last known epoch
	handovers []store.Handover
}

// NewEpochs begins at genesis. The checker is nil except in tests.
func NewEpochs(g *ledger.Genesis, trust Trust, checker quorum.Checker) (*Epochs, error) {
	set, err := g.ValidatorSet()
	if err != nil {
		return nil, err
	}
	return EpochsFrom(g.Block(), set, trust, checker), nil
}

// EpochsFrom is NewEpochs with the header of the genesis block and the first validators.
func EpochsFrom(genesis quorum.Header, set *quorum.Set, trust Trust, checker quorum.Checker) *Epochs {
	return &Epochs{genesis: genesis.Genesis, checker: checker, trust: trust, begin: genesis.TimeMs, sets: []*quorum.Set{set}, anchor: genesis}
}

// Last is the last epoch whose validators are known.
func (e *Epochs) Last() quorum.Epoch { return quorum.Epoch(len(e.sets) - 1) }

// Domain returns what certificates of an epoch are checked against; false when its validators are not known.
func (e *Epochs) Domain(n quorum.Epoch) (quorum.Domain, bool) {
	if n >= quorum.Epoch(len(e.sets)) {
		return quorum.Domain{}, false
	}
	return quorum.Domain{Genesis: e.genesis, Set: e.sets[n], Checker: e.checker}, true
}

// Handovers are those followed so far, from the one that ended epoch 0 on.
func (e *Epochs) Handovers() []store.Handover { return e.handovers }

// Unsettled reports whether the checkpoint still lies ahead: until it is reached nothing tells the real history from one
// that old keys signed, so that what different sources show must be followed apart, by clones.
func (e *Epochs) Unsettled() bool {
	return e.trust.Checkpoint != nil && e.Last() < e.trust.Checkpoint.Epoch
}

// Clone is a copy that is followed on its own.
func (e *Epochs) Clone() *Epochs {
	c := *e
	c.sets, c.handovers = slices.Clone(e.sets), slices.Clone(e.handovers)
	return &c
}

// Adopt makes e what a clone of it has become.
func (e *Epochs) Adopt(clone *Epochs) { *e = *clone.Clone() }

// Follow takes the hand-over that ends the last known epoch. The error is of kind ErrHandover, or ErrTrust when it
// contradicts the checkpoint.
func (e *Epochs) Follow(h store.Handover) error {
	c := h.Closing
	last := e.Last()
	d, _ := e.Domain(last)
	switch {
	case c.Genesis != e.genesis || c.Epoch != last:
		return refuse(ErrHandover, "block %d of epoch %d does not end epoch %d", c.Height, c.Epoch, last)
	case c.Flags != quorum.FlagClosing || h.Next == nil || c.NextValidatorSet != h.Next.Hash():
		return refuse(ErrHandover, "block %d does not hand over to these validators", c.Height)
	case c.Height <= e.anchor.Height || c.TimeMs <= e.anchor.TimeMs || c.ValidatorSet != d.Set.Hash():
		return refuse(ErrHandover, "block %d is not of epoch %d", c.Height, last)
	}
	if err := e.checkFinal(c, h.Certificate); err != nil {
		return refuseBy(ErrHandover, err, "the end of epoch %d", last)
	}
	if at := e.trust.Checkpoint; at != nil && at.Epoch == last+1 {
		if at.Anchor != c.Hash() {
			return refuse(ErrTrust, "epoch %d begins after block %s, the checkpoint says %s: this is another history", at.Epoch, c.Hash(), at.Anchor)
		}
		e.begin = c.TimeMs
	}
	next := h.Next
	if next.Hash() == d.Set.Hash() {
		next = d.Set // one in memory instead of many
	}
	h.Next = next
	e.sets, e.anchor, e.handovers = append(e.sets, next), c, append(e.handovers, h)
	return nil
}

// trusts checks that the history up to a header of a followed epoch is one to believe.
func (e *Epochs) trusts(h quorum.Header) error {
	if at := e.trust.Checkpoint; at != nil && (h.Epoch < at.Epoch || e.Last() < at.Epoch) {
		return refuse(ErrTrust, "block %d is of epoch %d, before the checkpoint at epoch %d", h.Height, h.Epoch, at.Epoch)
	}
	if t := e.trust; t.PeriodMs > 0 && t.NowMs-e.begin > t.PeriodMs {
		return refuse(ErrTrust, "what this node is told to believe is %d ms old, over the trusting period of %d ms: give it a newer checkpoint",
			t.NowMs-e.begin, t.PeriodMs)
	}
	return nil
}

// Trusted reports, as ErrTrust, that nothing that begins where this does is believed: it lies too far back.
func (e *Epochs) Trusted() error {
	if e.trust.Checkpoint != nil {
		return nil // how old that is shows when it is reached
	}
	return e.trusts(e.anchor)
}

// Limits of a list of hand-overs.
const (
	MaxHandovers      = 64 // in an answer
	MaxHandoversBytes = 3 << 20

	maxHandoverSize = quorum.HeaderSize + 4 + quorum.MaxCertificateSize + 4 + quorum.MaxSetSize
)

// EncodeHandovers writes their number (4 bytes), and of each the header, the certificate and the next set.
func EncodeHandovers(list []store.Handover) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(list)))
	for i := range list {
		b = append(b, list[i].Closing.Encode()...)
		b = appendPart(b, list[i].Certificate.Encode())
		b = appendPart(b, list[i].Next.Encode())
	}
	return b
}

// HandoverSize is how many bytes one takes in EncodeHandovers.
func HandoverSize(h *store.Handover) int {
	return quorum.HeaderSize + 4 + h.Certificate.Size() + 4 + len(h.Next.Encode())
}

// DecodeHandovers accepts exactly what EncodeHandovers writes, at most the given number; the error is of kind ErrEncoding.
func DecodeHandovers(raw []byte, most int) ([]store.Handover, error) {
	r := reader{crypto.ReadFields(raw)}
	count := r.U32()
	if r.Short() || uint64(count) > uint64(most) || uint64(count)*quorum.HeaderSize > uint64(r.Left()) {
		return nil, refuse(ErrEncoding, "%d hand-overs (at most %d) in %d bytes", count, most, len(raw))
	}
	list := make([]store.Handover, count)
	for i := range list {
		var err error
		if list[i].Closing, err = quorum.DecodeHeader(r.Bytes(quorum.HeaderSize)); err != nil {
			return nil, refuseBy(ErrEncoding, err, "hand-over %d", i)
		}
		if list[i].Certificate, err = r.certificate(); err != nil {
			return nil, err
		}
		if list[i].Next, err = quorum.DecodeSet(r.part(quorum.MaxSetSize)); err != nil {
			return nil, refuseBy(ErrEncoding, err, "hand-over %d", i)
		}
	}
	return list, r.done("list of hand-overs")
}
