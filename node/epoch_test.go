package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"waybill/consensus/quorum"
	"waybill/node/signer"
)

// chainOf is the longest chain of the lab.
func (l *lab) chainOf() []labBlock {
	best := l.nodes[0]
	for _, n := range l.nodes {
		if len(n.chain) > len(best.chain) {
			best = n
		}
	}
	return best.chain
}

// sound fails when the epochs of the longest chain are not what the rules say: each ends where it must, hands over to
// whom the state elected, and begins with the block after.
func (l *lab) sound() {
	l.t.Helper()
	chain := l.chainOf()
	anchor, set, number := chain[0].Header, l.first, quorum.Epoch(0)
	for i, b := range chain[1:] {
		h := b.Header
		if h.Epoch != number || h.ValidatorSet != set.Hash() || h.Parent != chain[i].Hash || h.ExecHeight < chain[i].Header.ExecHeight {
			l.t.Fatalf("block %d is of epoch %d with set %s; the chain is in epoch %d", h.Height, h.Epoch, h.ValidatorSet, number)
		}
		if h.ExecHeight > 0 && h.ExecStateRoot != chain[h.ExecHeight].Hash {
			l.t.Fatalf("block %d carries another result of block %d", h.Height, h.ExecHeight)
		}
		next := quorum.LimitChange(set, l.wanted(h.ExecHeight))
		over := l.length > 0 && uint64(h.Height-anchor.Height) >= l.length || l.ms > 0 && h.TimeMs-anchor.TimeMs >= l.ms && next.Hash() != set.Hash()
		if closes := over && h.ExecHeight >= anchor.Height; closes != h.IsClosing() {
			l.t.Fatalf("block %d closes epoch %d: %t", h.Height, number, h.IsClosing())
		}
		if !h.IsClosing() {
			continue
		}
		if b.Next == nil || b.Next.Hash() != next.Hash() || h.NextValidatorSet != next.Hash() {
			l.t.Fatalf("block %d hands over to %s", h.Height, h.NextValidatorSet)
		}
		anchor, set, number = h, b.Next, number+1
	}
}

// signedIn lists the epochs in which a node's votes stand in certificates of the chain or its blocks do.
func (l *lab) signedIn(i int) (epochs []quorum.Epoch) {
	set, key := l.first, l.nodes[i].key.Public()
	for _, b := range l.chainOf()[1:] {
		at, member := set.Index(key)
		c := b.Certificate
		if member && (int(b.Header.Proposer) == at || c.Epoch == b.Header.Epoch && slices.Contains(c.Signers(), at)) && !slices.Contains(epochs, b.Header.Epoch) {
			epochs = append(epochs, b.Header.Epoch)
		}
		if b.Next != nil {
			set = b.Next
		}
	}
	return epochs
}

func TestEpochsInCalm(t *testing.T) {
	l := newLab(t, 5, 4, 6, 0)
	l.traffic(70, 0)
	l.run("six epochs", 60_000, func() bool { return l.epoch() >= 6 })
	l.sound()
	if got := l.signedIn(4); got != nil {
		t.Errorf("a full node signed in epochs %v", got)
	}
	if l.nodes[4].changes < 6 {
		t.Errorf("the full node changed its epoch %d times", l.nodes[4].changes)
	}
}

// TestTwoSyncsPerBlock: in calm operation a validator, the leader included, waits for the disk twice per block.
func TestTwoSyncsPerBlock(t *testing.T) {
	l := newLab(t, 4, 4, 0, 0)
	l.traffic(40, 0)
	l.run("a start", 20_000, func() bool { return l.height() >= 10 })
	from, syncs := l.height(), [4]int{}
	for i, n := range l.nodes {
		syncs[i] = n.syncs
	}
	led := [4]bool{}
	l.run("two hundred blocks", 200_000, func() bool { return l.height() >= from+200 })
	for _, b := range l.chainOf()[from:] {
		led[b.Header.Proposer] = true
	}
	blocks := int(l.height() - from)
	for i, n := range l.nodes {
		if !led[i] {
			t.Errorf("validator %d never led", i)
		}
		per := float64(n.syncs-syncs[i]) / float64(blocks)
		t.Logf("node %d: %.3f synced writes per block", i, per)
		if per < 1.95 || per > 2.05 {
			t.Errorf("node %d: %.3f synced writes per block, want 2", i, per)
		}
	}
}

// TestJoinAndLeave: a full node becomes a validator and votes; a validator that is voted out goes on as a full node, and
// votes again when it is back.
func TestJoinAndLeave(t *testing.T) {
	l := newLab(t, 5, 4, 6, 0)
	joined, left := l.set(10, 10, 10, 10, 10), l.set(0, 10, 10, 10, 10)
	l.wanted = func(after quorum.Height) *quorum.Set {
		switch {
		case after < 8:
			return l.first
		case after < 40:
			return joined
		case after < 80:
			return left
		}
		return joined
	}
	l.traffic(60, 0)
	l.run("height 120", 200_000, func() bool { return l.height() >= 120 })
	l.sound()
	four, zero := l.signedIn(4), l.signedIn(0)
	if len(four) < 5 || slices.Contains(four, 0) {
		t.Errorf("the one that joined signed in %v", four)
	}
	in, out, back := slices.Contains(zero, 1), !slices.Contains(zero, 10), slices.Contains(zero, zero[0]) && zero[len(zero)-1] > 14
	if !in || !out || !back {
		t.Errorf("the one that left and came back signed in %v", zero)
	}
}

// TestChangeByTime: a changed set ends an idle epoch when it is old enough, without any transaction; nothing else does.
func TestChangeByTime(t *testing.T) {
	l := newLab(t, 5, 4, 1_000, 5_000)
	l.wanted = func(after quorum.Height) *quorum.Set {
		power := 10
		for _, b := range l.chainOf()[:after+1] {
			for _, tx := range b.Payload {
				if strings.HasPrefix(string(tx), "bond") {
					power++
				}
			}
		}
		return l.set(power, 10, 10, 10)
	}
	l.submit("once")
	start := l.now
	l.run("twenty seconds", 60_000, func() bool { return l.now > start+20_000 })
	if l.epoch() != 0 || l.height() > 6 {
		t.Fatalf("nothing changed, and it is epoch %d at height %d", l.epoch(), l.height())
	}
	l.submit("bond 1")
	l.run("epoch 1", 20_000, func() bool { return l.epoch() >= 1 })
	for _, b := range l.chainOf()[1:] {
		if b.Header.IsClosing() && uint64(b.Header.Height) >= l.length {
			t.Error("it closed by height")
		}
	}
	height := l.height()
	start = l.now
	l.run("twenty seconds", 60_000, func() bool { return l.now > start+20_000 })
	if l.epoch() != 1 || l.height() > height+6 {
		t.Fatalf("the set is the wanted one, and it is epoch %d at height %d after %d", l.epoch(), l.height(), height)
	}
	// The set changes while the epoch is young, and then nothing happens any more.
	l.submit("bond 2")
	l.run("epoch 2", 20_000, func() bool { return l.epoch() >= 2 })
	start = l.now
	l.submit("bond 3")
	l.run("epoch 3 by itself", 20_000, func() bool { return l.epoch() >= 3 })
	if l.now < start+4_000 {
		t.Errorf("an epoch of %d ms", l.now-start)
	}
	l.sound()
}

// TestReplaceEverybody: all validators are replaced step by step, under load, with restarts.
func TestReplaceEverybody(t *testing.T) {
	l := newLab(t, 8, 4, 5, 0)
	goal := l.set(0, 0, 0, 0, 9, 10, 11, 12)
	l.wanted = func(after quorum.Height) *quorum.Set {
		if after < 10 {
			return l.first
		}
		return goal
	}
	l.traffic(60, 0)
	l.run("the new set", 400_000, func() bool {
		return l.nodes[4].replica != nil && l.nodes[4].replica.Epoch().Domain.Set.Hash() == goal.Hash()
	})
	epochs, height := l.epoch(), l.height()
	l.run("ten more blocks", 60_000, func() bool { return l.height() >= height+10 })
	l.sound()
	for i := range 8 {
		if len(l.signedIn(i)) == 0 {
			t.Errorf("node %d never signed", i)
		}
	}
	if epochs < 5 {
		t.Errorf("everybody was replaced within %d epochs", epochs)
	}
	for i := range 4 {
		if e := l.nodes[i].replica.Epoch(); e.Self != -1 {
			t.Errorf("node %d is validator %d", i, e.Self)
		}
	}
}

// TestRestartAroundTheSwitch crashes one node, or all, at every step around the end of an epoch, with and without what was
// not synced. Nothing is signed twice, nothing executed is lost on the others, and the epochs go on.
func TestRestartAroundTheSwitch(t *testing.T) {
	stride := 1
	if testing.Short() {
		stride = 9
	}
	from, to := 0, 0
	calm := newLab(t, 4, 4, 4, 0)
	calm.traffic(50, 0)
	calm.onStep = func(step int) {
		if from == 0 && calm.height() >= 3 {
			from = step
		}
	}
	calm.run("epoch 1 and a bit", 60_000, func() bool { return calm.epoch() >= 1 && calm.height() >= 6 })
	to = calm.steps
	if from == 0 || to-from < 50 {
		t.Fatalf("the switch takes from step %d to %d", from, to)
	}
	for _, all := range []bool{false, true} {
		for _, keep := range []bool{false, true} {
			t.Run(fmt.Sprintf("all %t, keep %t", all, keep), func(t *testing.T) {
				for at := from; at <= to; at += stride {
					crashAt(t, at, all, keep)
				}
				t.Logf("%d crash points", (to-from)/stride+1)
			})
		}
	}
}

func crashAt(t *testing.T, at int, all, keep bool) {
	t.Helper()
	l := newLab(t, 4, 4, 4, 0)
	l.traffic(50, 0)
	l.onStep = func(step int) {
		if step != at {
			return
		}
		for _, n := range l.nodes {
			if all || n.i == at%4 {
				n.crash(keep)
				l.after(200, func() { n.start(n.mac()) })
			}
		}
	}
	l.run(fmt.Sprintf("epoch 3 after a crash at step %d", at), 60_000, func() bool { return l.epoch() >= 3 && l.height() >= 13 })
	l.sound()
}

// TestBehindForEpochs: a validator that was away for some epochs, in which the set changed, syncs and votes again.
func TestBehindForEpochs(t *testing.T) {
	l := newLab(t, 5, 4, 5, 0)
	grown := l.set(10, 10, 10, 10, 9)
	l.wanted = func(after quorum.Height) *quorum.Set {
		if after < 8 {
			return l.first
		}
		return grown
	}
	l.traffic(60, 0)
	l.run("height 3", 20_000, func() bool { return l.height() >= 3 })
	l.nodes[2].crash(false)
	l.run("epoch 5", 200_000, func() bool { return l.epoch() >= 5 })
	l.nodes[2].start(l.nodes[2].mac())
	l.run("epoch 9", 200_000, func() bool { return l.epoch() >= 9 })
	l.sound()
	got := l.signedIn(2)
	if last := got[len(got)-1]; last < 7 || slices.Contains(got, 3) {
		t.Errorf("it signed in %v", got)
	}
}

// TestAwaySigner: a signer out of reach silences its validator and stops nothing; when it is back, so are the votes.
func TestAwaySigner(t *testing.T) {
	l := newLab(t, 4, 4, 5, 0)
	l.traffic(60, 0)
	l.run("height 4", 20_000, func() bool { return l.height() >= 4 })
	l.nodes[1].unreachable = true
	l.run("three epochs on", 200_000, func() bool { return l.epoch() >= 4 })
	away := l.signedIn(1)
	if s := l.nodes[1].replica.Snapshot(); !s.SignerAway || s.Recovering {
		t.Error("a validator whose signer is away does not say so")
	}
	l.nodes[1].unreachable = false
	l.run("epoch 8", 200_000, func() bool { return l.epoch() >= 8 })
	if l.nodes[1].replica.Snapshot().SignerAway {
		t.Error("a validator whose signer is back says that it is away")
	}
	l.sound()
	if slices.Contains(away, 2) || slices.Contains(away, 3) {
		t.Errorf("it signed in %v without a signer", away)
	}
	if back := l.signedIn(1); back[len(back)-1] < 6 {
		t.Errorf("it signed in %v", back)
	}
}

// TestRecoverSigner: a validator that lost its record of what it signed, and its ledger, votes again after it has watched
// the network go beyond; and never contradicts itself. The watch of every vote in the lab would show it.
func TestRecoverSigner(t *testing.T) {
	for _, length := range []uint64{0, 6} {
		t.Run(fmt.Sprintf("epochs of %d", length), func(t *testing.T) {
			l := newLab(t, 4, 4, length, 0)
			l.traffic(60, 0)
			l.run("height 12", 60_000, func() bool { return l.height() >= 12 })
			n := l.nodes[3]
			n.crash(true)
			n.data, n.chain, n.slots, n.recover = map[string][]byte{}, n.chain[:1:1], [2][]byte{}, true
			crashed := l.now
			n.start(n.mac())
			if !n.replica.Snapshot().Recovering {
				t.Error("a validator that recovers does not say so")
			}
			key := n.key.Public()
			l.run("a vote after the recovery", 200_000, func() bool { return n.slots[0] != nil })
			if l.now < crashed+3_000 {
				t.Errorf("recovered after %d ms", l.now-crashed)
			}
			state, err := n.replica.signer.State()
			if err != nil || state.Key != key || state.Raised == (signer.Mark{}) {
				t.Fatalf("%+v, %v", state, err)
			}
			height := l.height()
			l.run("twenty more blocks", 60_000, func() bool { return l.height() >= height+20 })
			l.sound()
			signed := false
			for _, b := range l.chainOf()[height:] {
				at, _ := l.first.Index(key)
				signed = signed || int(b.Header.Proposer) == at
			}
			if !signed {
				t.Error("it never proposed after the recovery")
			}
		})
	}
}
