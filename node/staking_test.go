package node

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"waybill/api"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// staked is a cluster whose epochs are short.
func staked(t *testing.T, length uint64, stakes ...uint64) *cluster {
	c := newCluster(t, stakes...)
	p := &c.genesis.Params
	p.EpochLength, p.EpochMs, p.UnbondingEpochs = length, 60_000, 4
	p.DowntimePercent = 100 // nobody is jailed for being down
	return c
}

// add prepares one more node with a validator key of its own, and starts it. It returns its index.
func (c *cluster) add(label string) int {
	c.t.Helper()
	validator, i := testKey("validator "+label), len(c.nodes)
	c.keys = append(c.keys, Keys{Peer: testKey("peer " + label), Validator: &validator})
	c.dirs = append(c.dirs, filepath.Join(c.t.TempDir(), label))
	c.addrs = append(c.addrs, "/ip4/127.0.0.1/tcp/0")
	c.nodes = append(c.nodes, nil)
	c.start(i)
	return i
}

// do submits a transaction and demands that it succeeds.
func (c *cluster) do(via int, author crypto.PrivateKey, payload ledger.Payload, also ...crypto.PrivateKey) {
	c.t.Helper()
	if tx := c.wait(via, c.submit(via, 0, author, payload, also...)); tx.Status != api.TxFinal {
		c.t.Fatalf("%T is %s: %v", payload, tx.Status, tx.Receipt.Err())
	}
}

// until keeps the chain busy through a node until it is so on it.
func (c *cluster) until(via int, what string, so func(*Node) bool) {
	c.t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for round := byte(0); !so(c.nodes[via].Node); round++ {
		if time.Now().After(deadline) {
			for k, n := range c.nodes {
				if n != nil {
					c.t.Logf("node %d: %+v", k, c.backend(k).Status())
				}
			}
			c.t.Fatalf("never: %s", what)
		}
		c.wait(via, c.transfer(via, round))
	}
}

// setOf is the set that a node works with.
func setOf(n *Node) *quorum.Set { return n.members.Load().epoch.Domain.Set }

// signedSince reports whether a validator's own block or its signature stands in the chain above a height.
func signedSince(t *testing.T, n *Node, key crypto.PublicKey, above quorum.Height) bool {
	t.Helper()
	for h := above + 1; h <= n.store.Tip().Height; h++ {
		b, err := n.store.Block(h)
		if err != nil {
			t.Fatal(err)
		}
		epoch, err := n.store.Epoch(b.Header.Epoch)
		if err != nil {
			t.Fatal(err)
		}
		if i, ok := epoch.Set.Index(key); ok && int(b.Header.Proposer) == i {
			return true
		}
	}
	return false
}

// TestValidatorsComeAndGo runs real nodes through several epochs. A fifth one registers, is elected and leads; one
// unbonds, leaves the set and goes on as a full node; a full node that comes afterwards follows all epochs.
func TestValidatorsComeAndGo(t *testing.T) {
	c := staked(t, 10, 40, 30, 30, 20)
	for i := range c.keys {
		c.start(i)
	}
	c.until(0, "epoch 2", func(n *Node) bool { return n.members.Load().epoch.Number >= 2 })
	newcomer := c.add("newcomer")
	key := c.keys[newcomer].Validator.Public()
	c.wait(newcomer, c.transfer(0, 200))
	c.do(newcomer, c.rich, &ledger.RegisterValidator{Key: key, PeerKey: c.keys[newcomer].Peer.Public(), Name: "newcomer", Stake: 25_000}, *c.keys[newcomer].Validator)
	registered := c.nodes[0].store.Tip().Height
	c.until(0, "the newcomer is elected", func(n *Node) bool { _, in := setOf(n).Index(key); return in })
	c.until(0, "the newcomer leads", func(n *Node) bool { return signedSince(t, n, key, registered) })

	leaver := testKey("validator 1").Public()
	c.do(0, testKey("operator 1"), &ledger.Unbond{Validator: leaver, Amount: 30_000})
	c.until(0, "the leaver is out", func(n *Node) bool { _, in := setOf(n).Index(leaver); return !in })
	epoch := c.nodes[0].members.Load().epoch.Number
	c.until(0, "two epochs more", func(n *Node) bool { return n.members.Load().epoch.Number >= epoch+2 })
	late := c.add("late")
	id := c.transfer(0, 201)
	for i := range c.nodes {
		if tx := c.wait(i, id); tx.Status != api.TxFinal {
			t.Fatalf("node %d says %s", i, tx.Status)
		}
	}
	c.same()
	for _, i := range []int{1, late} {
		if s := c.backend(i).Status(); s.Validator {
			t.Errorf("node %d says that it votes: %+v", i, s)
		}
	}
	if s := c.backend(newcomer).Status(); !s.Validator || s.Epoch < uint64(epoch) {
		t.Errorf("the newcomer says %+v", s)
	}
	if err := c.nodes[late].store.Audit(context.Background(), nil); err != nil {
		t.Error(err)
	}
	// A restart in the middle of it all.
	c.stop(2)
	c.start(2)
	c.wait(2, c.transfer(2, 202))
	c.same()
}

// TestEquivocatorIsPunished gives a validator's keys to a peer that signs votes for two blocks in every view that it hears
// of. Whoever hears of both proves it; the ledger takes the stake, the next set is without the offender, and the chain goes
// on.
func TestEquivocatorIsPunished(t *testing.T) {
	c := staked(t, 10, 30, 30, 30, 29)
	for i := range 3 {
		c.start(i)
	}
	offender, operator := c.keys[3].Validator.Public(), testKey("operator 3").Public().Address()
	punished := func(n *Node) *ledger.Tombstone {
		stone, err := ledger.ReadTombstone(n.store.View(), operator)
		if err != nil {
			t.Fatal(err)
		}
		return stone
	}
	h := c.hostile(c.keys[3].Peer)
	var stone *ledger.Tombstone
	for round := byte(0); stone == nil; round++ {
		if round == 100 {
			t.Fatal("two votes in each of a hundred views, and never punished")
		}
		view := quorum.View(c.nodes[0].snapshot.Load().Consensus.View)
		if self, in := c.nodes[0].members.Load().epoch.Domain.Set.Index(offender); in {
			h.sendAll(votesMessage(c.lie(view, 0), []quorum.Vote{
				c.vote(*c.keys[3].Validator, self, quorum.KindNotarize, view, 1), c.vote(*c.keys[3].Validator, self, quorum.KindNotarize, view, 2),
			}))
		}
		c.wait(0, c.transfer(0, round))
		stone = punished(c.nodes[0].Node)
	}
	h.leave()
	if stone.Validator != offender || stone.Taken == 0 {
		t.Fatalf("the ledger says %+v", stone)
	}
	c.until(0, "the offender is out", func(n *Node) bool { _, in := setOf(n).Index(offender); return !in })
	epoch := c.nodes[0].members.Load().epoch
	if epoch.Anchor.Height > stone.Height+20 {
		t.Errorf("punished in block %d, out after block %d", stone.Height, epoch.Anchor.Height)
	}
	height := c.nodes[0].store.Tip().Height
	c.until(1, "twenty blocks more", func(n *Node) bool { return n.store.Tip().Height >= height+20 })
	if again := punished(c.nodes[1].Node); *again != *stone {
		t.Errorf("punished twice: %+v, %+v", stone, again)
	}
	c.same()
}
