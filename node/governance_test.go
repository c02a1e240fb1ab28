package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"waybill/api"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/store"
)

// governed is a network of four nodes with short epochs, whose proposals are decided before the epoch after their own ends.
func governed(t *testing.T, length, snapshotEvery uint64) *cluster {
	c := staked(t, length, 30, 30, 30, 30)
	c.snapshotEvery = snapshotEvery
	c.genesis.Params.VotingEpochs, c.genesis.Params.UnbondingEpochs = 1, 10
	for i := range c.keys {
		c.start(i)
	}
	return c
}

// params are those that a node works with.
func (c *cluster) params(i int) ledger.Params {
	c.t.Helper()
	p, err := ledger.ReadParams(c.nodes[i].store.View())
	if err != nil {
		c.t.Fatal(err)
	}
	return *p
}

// propose makes a proposal and has three operators vote for it, until it has passed. An epoch may close before all have.
func (c *cluster) propose(a ledger.Action) {
	c.t.Helper()
	for round := range byte(20) {
		id := c.submit(0, round, testKey("operator 0"), &ledger.Propose{Title: fmt.Sprint("try ", round), Action: a})
		if tx := c.wait(0, id); tx.Status != api.TxFinal {
			c.t.Fatalf("the proposal is %s: %v", tx.Status, tx.Receipt.Err())
		}
		var votes []crypto.Hash
		for k := range 3 {
			votes = append(votes, c.submit(k, round, testKey(fmt.Sprint("operator ", k)), &ledger.Vote{Proposal: id, Yes: true}))
		}
		for k, v := range votes {
			c.wait(k, v)
		}
		state := ledger.ProposalOpen
		c.until(0, "the proposal is decided", func(n *Node) bool {
			p, err := ledger.ReadProposal(n.store.View(), id)
			if err != nil || p == nil {
				c.t.Fatal(err)
			}
			state = p.State
			return state != ledger.ProposalOpen
		})
		switch state {
		case ledger.ProposalPassed:
			return
		case ledger.ProposalFailed:
			c.t.Fatal("the proposal failed")
		}
	}
	c.t.Fatal("twenty proposals, and never three votes in one epoch")
}

func (c *cluster) reform(changes ...string) {
	c.t.Helper()
	a := ledger.Action{Kind: ledger.ActParams}
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		a.Params = append(a.Params, ledger.ParamChange{Name: name, Value: value})
	}
	c.propose(a)
}

// inForce checks that every header of a chain has the parameters of its epoch: those of the state before the epoch.
func (c *cluster) inForce(i int) (epochs map[crypto.Hash]int) {
	c.t.Helper()
	n := c.nodes[i]
	epochs = map[crypto.Hash]int{}
	of := map[quorum.Epoch]crypto.Hash{}
	for h := n.store.Base() + 1; h <= n.store.Tip().Height; h++ {
		header, err := n.store.Header(h)
		if err != nil {
			c.t.Fatal(err)
		}
		if p, known := of[header.Epoch]; !known {
			of[header.Epoch] = header.Params
			epochs[header.Params]++
		} else if p != header.Params {
			c.t.Fatalf("block %d has other parameters than the rest of epoch %d", h, header.Epoch)
		}
	}
	return epochs
}

// TestParametersChangeWhileItRuns changes sizes, fees, the length of epochs and the execution delay, both ways, on real
// nodes. One of them restarts in the middle of an epoch, one joins by blocks, one by a snapshot; all agree.
func TestParametersChangeWhileItRuns(t *testing.T) {
	c := governed(t, 16, 25)
	c.reform("execDelay=6", "maxBlockBytes=300000", "feePerTransaction=25", "epochLength=20")
	c.until(1, "the parameters are in force", func(n *Node) bool { return n.members.Load().epoch.Rules.ExecDelay == 6 })
	if r := c.nodes[1].members.Load().epoch.Rules; r.MaxBlockBytes != 300_000 || r.Epochs.Length != 20 {
		t.Errorf("%+v", r)
	}
	rich, _ := ledger.ReadAccount(c.nodes[0].store.View(), c.rich.Public().Address())
	c.do(0, c.rich, &ledger.Transfer{To: testKey("poor").Public().Address(), Amount: 1})
	after, _ := ledger.ReadAccount(c.nodes[0].store.View(), c.rich.Public().Address())
	if paid := rich.Balance - after.Balance; paid != 1+25+10 {
		t.Errorf("a transfer of 1 cost %d", paid)
	}
	c.stop(2)
	c.wait(0, c.transfer(0, 230))
	c.start(2)
	c.wait(2, c.transfer(2, 231))
	if r := c.nodes[2].members.Load().epoch.Rules; r.ExecDelay != 6 || r.Params != c.nodes[0].members.Load().epoch.Rules.Params {
		t.Errorf("after a restart: %+v", r)
	}
	c.reform("execDelay=1", "maxTxBytes=4096", "expiryWindow=600", "minBlockIntervalMs=10", "maxBlockIntervalMs=5000")
	late := c.add("late")
	c.wait(late, c.transfer(0, 232))
	c.until(late, "the parameters are in force on who joined late", func(n *Node) bool {
		return n.members.Load().epoch.Rules.ExecDelay == 1 && n.members.Load().epoch.Rules.Timing.MinBlockInterval == 10
	})
	c.restored("restored")
	c.same()
	genesis := c.genesis.Params.Hash()
	for i := range c.nodes {
		if got := c.inForce(i); len(got) != 3 && c.nodes[i].store.Base() == 0 || got[genesis] > 0 != (c.nodes[i].store.Base() == 0) {
			t.Errorf("node %d saw %d sets of parameters: %v", i, len(got), got)
		}
		if c.params(i) != c.params(0) {
			t.Errorf("node %d has other parameters", i)
		}
	}
	big := &ledger.PutMasterData{Type: "product", ID: "https://id.gs1.org/01/09521321000018", Attributes: []ledger.Attribute{{Name: "a", Value: strings.Repeat("x", 4096)}}}
	body, err := ledger.NewBody(c.genesis.Hash(), c.rich.Public().Address(), c.nodes[0].store.Tip().Height+100, big)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := ledger.Sign(body, c.rich)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.backend(late).Submit(context.Background(), tx.Raw()); !errors.Is(err, ledger.CodeTooLarge) {
		t.Errorf("%d bytes under a limit of 4096: %v", tx.Size(), err)
	}
}

// restored adds a full node that begins at a snapshot of its peers', of an epoch with other parameters than genesis.
func (c *cluster) restored(label string) {
	c.t.Helper()
	i := len(c.nodes)
	c.keys = append(c.keys, Keys{Peer: testKey("peer " + label)})
	c.dirs, c.addrs, c.nodes = append(c.dirs, c.t.TempDir()), append(c.addrs, "/ip4/127.0.0.1/tcp/0"), append(c.nodes, nil)
	c.until(0, "there is a snapshot with the new parameters", func(n *Node) bool {
		list, err := n.states.library.List()
		if err != nil {
			c.t.Fatal(err)
		}
		if len(list) == 0 {
			return false
		}
		h, err := n.store.Header(list[0].Height)
		return err == nil && h.Params == n.members.Load().epoch.Rules.Params
	})
	if err := StateSync(context.Background(), c.settings(i), c.genesis, c.keys[i], slog.New(slog.DiscardHandler)); err != nil {
		c.t.Fatal(err)
	}
	c.start(i)
	c.wait(i, c.transfer(i, 240))
	if c.nodes[i].store.Base() == 0 {
		c.t.Error("no snapshot was restored")
	}
}

// TestExecDelayOfEveryEpoch gives each epoch another execution delay, from the shortest to the longest and back, while
// nodes crash. An epoch with a longer delay than the one before begins with blocks that repeat an old result.
func TestExecDelayOfEveryEpoch(t *testing.T) {
	const length = ledger.MaxExecDelay + 1
	l := newLab(t, 5, 4, length, 0)
	delay := func(e quorum.Epoch) uint64 { return []uint64{2, 16, 1, 9, 3, 16, 16, 1}[e%8] }
	l.change = func(_ int, e quorum.Epoch, r *Rules) {
		r.ExecDelay = delay(e)
		r.Params = crypto.Sum(crypto.TagParams, []byte{byte(e)})
	}
	l.traffic(400, 0)
	for e := quorum.Epoch(1); e <= 8; e++ {
		l.run(fmt.Sprint("epoch ", e), 120_000, func() bool { return l.epoch() >= e })
		n := l.nodes[int(e)%4]
		n.crash(e%2 == 0)
		n.start(n.mac())
	}
	l.sound()
	shorter := 0
	chain := l.chainOf()
	for i, b := range chain[2:] {
		h, parent := b.Header, chain[i+1].Header
		if h.Params != crypto.Sum(crypto.TagParams, []byte{byte(h.Epoch)}) && h.Epoch > 0 {
			t.Fatalf("block %d of epoch %d has other parameters", h.Height, h.Epoch)
		}
		if uint64(h.Height-h.ExecHeight) < delay(h.Epoch) {
			if shorter++; h.ExecHeight != parent.ExecHeight {
				t.Errorf("block %d carries the result of block %d, its parent that of block %d", h.Height, h.ExecHeight, parent.ExecHeight)
			}
		}
	}
	if shorter < 20 {
		t.Errorf("only %d blocks waited for a longer delay", shorter)
	}
}

// TestOneOldProgramAmongNew: the one whose program lacks the new protocol stops before its first block and votes on none
// from there on; the others go on.
func TestOneOldProgramAmongNew(t *testing.T) {
	l := newLab(t, 5, 4, 6, 0)
	const first = 20
	for _, i := range []int{3, 4} { // a validator, and a node that follows
		l.nodes[i].old = true
	}
	l.change = func(node int, e quorum.Epoch, r *Rules) {
		if e >= 2 && l.nodes[node].old {
			r.Newer = &ledger.Upgrade{Height: first, Version: ledger.ProtocolVersion + 1}
		}
	}
	l.traffic(300, 0)
	l.run("the others are far beyond", 120_000, func() bool { return len(l.chainOf()) > first+30 })
	for _, n := range l.nodes[3:] {
		if tip := n.chain[len(n.chain)-1].Header.Height; !n.dead || tip != first-1 || n.voted >= first {
			t.Errorf("node %d, old: stopped %t at block %d, voted up to block %d", n.i, n.dead, tip, n.voted)
		}
		n.life++
		if _, err := NewReplica(Config{Genesis: l.genesis, Key: n.key.Public(), Checker: n.mac()}, n, n, n, n, nil); !errors.Is(err, ledger.ErrProtocol) {
			t.Errorf("node %d starts again: %v", n.i, err)
		}
	}
	l.sound()
}

// tipOf is where the ledger of a stopped node stands.
func (c *cluster) tipOf(i int) store.Tip {
	c.t.Helper()
	s, err := store.Open(c.dirs[i], c.genesis, storeOptions(c.settings(i)))
	if err != nil {
		c.t.Fatal(err)
	}
	tip := s.Tip()
	if err := s.Close(); err != nil {
		c.t.Fatal(err)
	}
	return tip
}

// nudge gives a node a transaction, if it still takes one.
func (c *cluster) nudge(i int, round byte) {
	c.t.Helper()
	body, err := ledger.NewBody(c.genesis.Hash(), c.rich.Public().Address(), c.nodes[i].store.Tip().Height+50,
		&ledger.Transfer{To: testKey("poor").Public().Address(), Amount: uint64(round)})
	if err != nil {
		c.t.Fatal(err)
	}
	body.Salt[2], body.Salt[3] = round, byte(i)
	tx, err := ledger.Sign(body, c.rich)
	if err != nil {
		c.t.Fatal(err)
	}
	_, _ = c.backend(i).Submit(context.Background(), tx.Raw()) // it may be stopping
}

// TestAnOldProgramStopsAtAnUpgrade decides on a protocol that this program does not have. Every node executes all blocks
// below its height and none at it, stops with the error that says what to install, and does not start again. Those that two
// others left before they had the last certificates wait below it.
func TestAnOldProgramStopsAtAnUpgrade(t *testing.T) {
	c := governed(t, 12, 0)
	var stop quorum.Height
	a := ledger.Action{Kind: ledger.ActUpgrade, Height: c.nodes[0].store.Tip().Height + 60, Version: ledger.ProtocolVersion + 1}
	c.propose(a)
	stop = a.Height
	deadline := time.After(5 * time.Minute)
	ended := map[int]error{}
	for round := byte(0); len(ended) < len(c.nodes); round++ {
		for i, n := range c.nodes {
			if n == nil {
				continue
			}
			select {
			case err := <-n.done:
				ended[i] = err
				c.nodes[i] = nil
				if len(ended) >= 2 { // what finalizes the last block may not have reached the others before these left, who are no quorum
					deadline = time.After(10 * time.Second)
				}
			case <-deadline:
				if len(ended) < 2 {
					t.Fatalf("%d nodes have stopped; height %d", len(ended), n.store.Tip().Height)
				}
				for j, left := range c.nodes {
					if left != nil {
						c.stop(j)
						ended[j] = nil
					}
				}
			case <-time.After(5 * time.Millisecond):
				c.nudge(i, round)
			}
		}
	}
	for i, err := range ended {
		if err == nil {
			continue
		}
		if !errors.Is(err, ledger.ErrProtocol) || !strings.Contains(err.Error(), "install a program that runs protocol 2") {
			t.Errorf("node %d stopped with: %v", i, err)
		}
	}
	var roots []crypto.Hash
	for i := range c.keys {
		if ended[i] == nil {
			if tip := c.tipOf(i); tip.Height >= stop {
				t.Errorf("node %d did not stop, and stands at block %d; protocol 2 begins with block %d", i, tip.Height, stop)
			}
			continue
		}
		n, err := Open(c.settings(i), c.genesis, c.keys[i], slog.New(slog.DiscardHandler), "test")
		if !errors.Is(err, ledger.ErrProtocol) || n != nil {
			t.Fatalf("node %d starts again: %v", i, err)
		}
		tip := c.tipOf(i)
		if tip.Height != stop-1 {
			t.Errorf("node %d stands at block %d; protocol 2 begins with block %d", i, tip.Height, stop)
		}
		if roots = append(roots, tip.StateRoot); tip.StateRoot != roots[0] {
			t.Errorf("node %d has the state %s, node 0 %s", i, tip.StateRoot, roots[0])
		}
	}
}
