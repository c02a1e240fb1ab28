package node

import (
	"errors"
	"fmt"
	"slices"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger/snapshot"
	"waybill/p2p"
)

// EpochInfo is what the ledger says about an epoch.
type EpochInfo struct {
	Number quorum.Epoch
	Set    *quorum.Set
	Anchor quorum.Header // closing block of the epoch before; the genesis block for epoch 0
	Peers  []p2p.PeerID  // of the set's validators, by index
	Rules  Rules
}

// Epoch is what never changes within an epoch: the validators, who leads when, where the chain of the epoch
// begins, the parameters of the network. It is immutable and may be shared between goroutines.
type Epoch struct {
	Number quorum.Epoch
	Domain quorum.Domain
	Slate  *quorum.Slate
	Anchor quorum.Anchor
	Peers  []p2p.PeerID // of the validators, by index
	Self   int          // own index; -1 follows without voting
	Rules  Rules

	anchor quorum.Header
}

// NewEpoch is the epoch that a ledger tells of, as seen by the holder of key.
func NewEpoch(genesis crypto.Hash, key crypto.PublicKey, checker quorum.Checker, info EpochInfo) *Epoch {
	hash := info.Anchor.Hash()
	e := &Epoch{
		Number: info.Number,
		Domain: quorum.Domain{Genesis: genesis, Set: info.Set, Checker: checker},
		Slate:  quorum.NewSlate(info.Set, hash),
		Anchor: anchorOf(info.Anchor, hash),
		Peers:  info.Peers, Self: -1, Rules: info.Rules, anchor: info.Anchor,
	}
	if i, ok := info.Set.Index(key); ok {
		e.Self = i
	}
	return e
}

func anchorOf(h quorum.Header, hash crypto.Hash) quorum.Anchor {
	return quorum.Anchor{Hash: hash, Height: h.Height, TimeMs: h.TimeMs, ExecHeight: h.ExecHeight}
}

// others names the peers that vote, besides ourselves.
func (e *Epoch) others() []string {
	var names []string
	for i, p := range e.Peers {
		if i != e.Self {
			names = append(names, string(p))
		}
	}
	return names
}

// index is the validator that a peer is; -1 for none.
func (e *Epoch) index(peer p2p.PeerID) int { return slices.Index(e.Peers, peer) }

// maxSets bounds the elected sets that are remembered.
const maxSets = 16

// nextSet is Ledger.NextSet, remembered: it is asked for every block near the end of an epoch.
func (r *Replica) nextSet(after quorum.Height) (*quorum.Set, error) {
	if set := r.sets[after]; set != nil {
		return set, nil
	}
	set, err := r.ledger.NextSet(after)
	if err != nil {
		return nil, err
	}
	if len(r.sets) >= maxSets {
		clear(r.sets)
	}
	r.sets[after] = set
	return set, nil
}

// closingSet returns the set that a block with this height, time and executed height hands over to; nil if it must not
// close the epoch. A block closes the epoch when the epoch is full, or overdue while the set is to change: see
// ledger.EpochRule. What a state before the anchor elects is for this epoch, not for the next: such a block closes nothing.
func (r *Replica) closingSet(height quorum.Height, timeMs int64, exec quorum.Height) (*quorum.Set, error) {
	byHeight := r.epoch.Rules.Epochs.Full(r.epoch.Anchor.Height, height)
	if exec < r.epoch.Anchor.Height || !byHeight && !r.overdue(timeMs) {
		return nil, nil
	}
	next, err := r.nextSet(exec)
	if err != nil || byHeight || next.Hash() != r.epoch.Domain.Set.Hash() {
		return next, err
	}
	return nil, nil
}

// overdue reports whether the epoch is old enough to end by time.
func (r *Replica) overdue(timeMs int64) bool {
	return r.epoch.Rules.Epochs.Overdue(r.epoch.Anchor.TimeMs, timeMs)
}

// closingDue reports whether the chain should make blocks only to close the epoch.
func (r *Replica) closingDue() bool {
	if r.closingAt > 0 || r.executed < r.epoch.Anchor.Height || !r.overdue(int64(r.env.Now())) {
		return false
	}
	next, err := r.nextSet(r.executed)
	return err == nil && next.Hash() != r.epoch.Domain.Set.Hash()
}

// newer says why this program must have no part in a block of a height; nil while it may.
func (r *Replica) newer(h quorum.Height) error { return r.epoch.Rules.Newer.Refuses(h) }

// ErrCheckpoint says that the history at hand is not the one that the operator's checkpoint is of.
var ErrCheckpoint = errors.New("another history than the checkpoint's")

// contradicts holds the block before an epoch against the operator's checkpoint.
func (r *Replica) contradicts(begins quorum.Epoch, anchor quorum.Header) error {
	return contradicts(r.cfg.Checkpoint, begins, anchor)
}

func contradicts(at *snapshot.Checkpoint, begins quorum.Epoch, anchor quorum.Header) error {
	if at == nil || at.Epoch != begins || at.Anchor == anchor.Hash() {
		return nil
	}
	return fmt.Errorf("%w: epoch %d begins after block %s, the checkpoint says %s; if the checkpoint is right, remove the data folder and choose other peers",
		ErrCheckpoint, begins, anchor.Hash(), at.Anchor)
}

// enterNext begins the epoch after the one whose closing block the ledger holds now.
func (r *Replica) enterNext() error {
	info, err := r.ledger.Epoch()
	if err != nil {
		return fmt.Errorf("reading the epoch that begins after block %d: %w", r.closingAt, err)
	}
	if info.Number != r.epoch.Number+1 || info.Anchor.Height != r.closingAt {
		return fmt.Errorf("the ledger is in epoch %d from block %d after block %d closed epoch %d",
			info.Number, info.Anchor.Height, r.closingAt, r.epoch.Number)
	}
	// What is signed from now on must never outlive the ledger it rests on.
	if err := r.disk.Write(syncMark, true); err != nil {
		return err
	}
	r.recovery.enter(info.Number, r.closedBySync)
	if err := r.enter(info); err != nil {
		return err
	}
	r.env.EpochChanged(r.epoch)
	r.begin()
	r.replay()
	return nil
}

// foreign deals with a peer that works in another epoch: it is told where we are, or makes us ask for blocks. Neither is
// anybody's fault.
func (r *Replica) foreign(in *Inbound) {
	switch number := r.epoch.Number; {
	case in.status.Epoch < number:
		if r.mayTell(in.From) {
			r.env.Send(in.From, classOf(messageStatus), withStatus(messageStatus, r.machine.Status(), nil))
		}
	case in.status.Epoch > number:
		r.laterEpoch = true
		if in.status.Epoch == number+1 {
			r.keepForLater(in)
		}
		r.pumpSync()
	}
}

// tellEveryMs is how often a peer of an earlier epoch is told our status.
const tellEveryMs = 500

func (r *Replica) mayTell(peer p2p.PeerID) bool {
	a, now := r.allowanceOf(peer), r.env.Now()
	if a.told != 0 && now-a.told < tellEveryMs && now >= a.told {
		return false
	}
	a.told = now
	return true
}

// Bounds of what is kept of validators that are an epoch ahead: their first votes and proposals would otherwise come
// again only when they are repeated.
const (
	maxLater        = 128
	maxLaterPerPeer = 8
	maxLaterBytes   = 8 << 20
)

// keepForLater keeps a message of the next epoch within these bounds. At the limit of all together the newest of whoever
// takes most gives way, so that nobody can fill the place of the others.
func (r *Replica) keepForLater(in *Inbound) {
	if in.later == nil || r.epoch.index(in.From) < 0 {
		return
	}
	own := 0
	for _, l := range r.later {
		if l.From == in.From {
			own++
		}
	}
	if own >= maxLaterPerPeer {
		return
	}
	r.later = append(r.later, in)
	for {
		total, of := 0, map[p2p.PeerID]int{}
		for _, l := range r.later {
			total += len(l.later)
			of[l.From] += laterCost + len(l.later)
		}
		if total <= maxLaterBytes && len(r.later) <= maxLater {
			return
		}
		last := 0
		for i, l := range r.later {
			if of[l.From] >= of[r.later[last].From] {
				last = i
			}
		}
		r.later = slices.Delete(r.later, last, last+1)
	}
}

// laterCost is what a kept message counts for besides its length: a small one takes up a place, too.
const laterCost = maxLaterBytes / maxLater

// replay takes in what came before its epoch began here.
func (r *Replica) replay() {
	kept := r.later
	r.later = nil
	for _, in := range kept {
		if again, err := r.epoch.Verify(in.From, in.later); err == nil && again != nil {
			r.take(again)
		}
	}
}

// begin sets the machine going.
func (r *Replica) begin() {
	if ms := r.epoch.Rules.Epochs.Ms; ms > 0 {
		r.env.Arm(timerEpoch, consensus.Time(r.epoch.Anchor.TimeMs+ms))
	}
	r.push(consensus.Start{})
	r.noteWork()
}
