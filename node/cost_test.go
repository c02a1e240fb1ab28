package node

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/node/journal"
	"waybill/node/signer"
	blocksync "waybill/node/sync"
	"waybill/p2p"
)

// What consensus alone costs: four replicas in one process and one goroutine, real signatures, a real journal and signer
// file, no transactions and no execution. Messages take one hop of virtual time each; computing and writing take none of
// it. So hops and counts are exact, and a benchmark over it measures computing and writing alone.

// costHop is the virtual time that every message takes.
const costHop = 10

// costNet is the network; costNode is one of its nodes, and implements Env, Ledger, Pool and journal.Store.
type costNet struct {
	now    consensus.Time
	queue  []costEvent // by time; of one time in order of arrival
	nodes  []*costNode
	set    *quorum.Set
	anchor quorum.Header

	proposedAt map[quorum.Height]consensus.Time // when the leader sent the block
	messages   int                              // votes and proposals
	others     int                              // statuses that go out by the clock, and answers to them
	bytes      int
	failed     error
}

type costEvent struct {
	at consensus.Time
	do func() error
}

type costNode struct {
	*costNet
	i       int
	replica *Replica
	file    *signer.File
	db      *pebble.DB
	timers  map[TimerID]consensus.Time
	chain   []FinalBlock
	finalAt map[quorum.Height]consensus.Time
}

// quiet drops what Pebble says about its work.
type quiet struct{}

func (quiet) Infof(string, ...any)        {}
func (quiet) Errorf(string, ...any)       {}
func (quiet) Fatalf(f string, arg ...any) { panic(fmt.Sprintf(f, arg...)) }

func newCostNet(tb testing.TB, n int, fs vfs.FS, dir string) *costNet {
	tb.Helper()
	c := &costNet{now: 1_700_000_000_000, proposedAt: map[quorum.Height]consensus.Time{}}
	var validators []quorum.Validator
	keys := map[crypto.PublicKey]crypto.PrivateKey{}
	for i := range n {
		k := testKey(fmt.Sprint("cost ", i))
		keys[k.Public()] = k
		validators = append(validators, quorum.Validator{Key: k.Public(), Power: 10, Operator: k.Public().Address()})
	}
	var err error
	if c.set, err = quorum.NewSet(validators); err != nil {
		tb.Fatal(err)
	}
	c.anchor = quorum.Header{
		Version: quorum.HeaderVersion, Genesis: crypto.Sum(crypto.TagGenesis, []byte("cost")),
		TimeMs: int64(c.now) - 1000, ValidatorSet: c.set.Hash(),
	}
	for i := range n {
		c.nodes = append(c.nodes, c.newNode(tb, i, keys[c.set.At(i).Key], fs, filepath.Join(dir, fmt.Sprint(i))))
	}
	for _, n := range c.nodes {
		if err := n.replica.Start(); err != nil {
			tb.Fatal(err)
		}
		for j := range c.nodes {
			if err := n.replica.Connected(costPeer(j)); j != n.i && err != nil {
				tb.Fatal(err)
			}
		}
	}
	return c
}

func (c *costNet) newNode(tb testing.TB, i int, key crypto.PrivateKey, fs vfs.FS, dir string) *costNode {
	tb.Helper()
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	db, err := pebble.Open(filepath.Join(dir, "db"), &pebble.Options{FS: fs, Logger: quiet{}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	path := filepath.Join(dir, signer.FileName)
	if err := signer.CreateFile(fs, path, c.anchor.Genesis, key.Public()); err != nil {
		tb.Fatal(err)
	}
	file, err := signer.OpenFile(fs, path, signer.Options{Genesis: c.anchor.Genesis, Key: key, Reserve: signer.NodeReserve})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = file.Close() })
	n := &costNode{
		costNet: c, i: i, file: file, db: db, timers: map[TimerID]consensus.Time{},
		chain: []FinalBlock{{Header: c.anchor, Hash: c.anchor.Hash()}}, finalAt: map[quorum.Height]consensus.Time{},
	}
	cfg := Config{Genesis: c.anchor.Genesis, Key: key.Public()}
	if n.replica, err = NewReplica(cfg, n, n, n, journal.OnPebble(n), file); err != nil {
		tb.Fatal(err)
	}
	return n
}

func costPeer(i int) p2p.PeerID { return p2p.PeerID(fmt.Sprint("cost", i)) }

// run carries out events until every node has height.
func (c *costNet) run(tb testing.TB, height int) {
	tb.Helper()
	for slices.ContainsFunc(c.nodes, func(n *costNode) bool { return len(n.chain) <= height }) {
		if len(c.queue) == 0 || c.failed != nil {
			tb.Fatalf("the network stands still: %v", c.failed)
		}
		e := c.queue[0]
		c.queue = c.queue[1:]
		c.now = max(c.now, e.at)
		if err := e.do(); err != nil {
			tb.Fatal(err)
		}
	}
}

func (c *costNet) at(when consensus.Time, do func() error) {
	i := len(c.queue)
	for i > 0 && c.queue[i-1].at > when {
		i--
	}
	c.queue = slices.Insert(c.queue, i, costEvent{when, do})
}

// syncs counts the synced writes of all nodes: their journals' and their signers'.
func (c *costNet) syncs() (journals, signers uint64) {
	for _, n := range c.nodes {
		journals += n.replica.journal.Syncs()
		signers += n.file.Syncs()
	}
	return journals, signers
}

func (n *costNode) Now() consensus.Time { return n.now }

func (n *costNode) Send(to p2p.PeerID, _ p2p.Class, msg []byte) {
	i := slices.IndexFunc(n.nodes, func(o *costNode) bool { return costPeer(o.i) == to })
	if kind := messageKind(msg[0]); kind == messageVotes || kind == messageProposal {
		n.messages++
	} else {
		n.others++
	}
	n.bytes += len(msg)
	n.at(n.now.Add(costHop), func() error {
		o := n.nodes[i]
		in, err := o.replica.Epoch().Verify(costPeer(n.i), msg)
		if err != nil || in == nil {
			return err
		}
		return o.replica.Receive(in)
	})
	if messageKind(msg[0]) != messageProposal {
		return
	}
	p, err := quorum.DecodeProposal(msg[1+consensus.StatusSize:])
	if err != nil {
		n.failed = fmt.Errorf("a proposal that was sent: %w", err)
		return
	}
	if _, again := n.proposedAt[p.Header.Height]; !again {
		n.proposedAt[p.Header.Height] = n.now
	}
}

func (n *costNode) Arm(id TimerID, at consensus.Time) {
	n.timers[id] = at
	n.at(max(at, n.now), func() error {
		if n.timers[id] != at {
			return nil
		}
		delete(n.timers, id)
		return n.replica.TimerFired(id)
	})
}

func (n *costNode) CheckPayload(hash crypto.Hash, _ [][]byte) {
	n.at(n.now, func() error { return n.replica.PayloadChecked(hash, nil, nil) })
}

func (n *costNode) Execute(b FinalBlock) {
	n.finalAt[b.Header.Height] = n.now
	n.at(n.now, func() error {
		n.chain = append(n.chain, b)
		return n.replica.Executed(Execution{Height: b.Header.Height, View: b.Header.View})
	})
}

func (n *costNode) Announce(Head)            {}
func (n *costNode) EpochChanged(*Epoch)      {}
func (n *costNode) Report(e quorum.Evidence) { n.failed = fmt.Errorf("evidence: %v", e.Offence) }

// Pending keeps the network making blocks, all of them empty.
func (n *costNode) Pending() bool                                        { return true }
func (n *costNode) Select(int, func(crypto.Hash) bool) (_ [][]byte)      { return nil }
func (n *costNode) Ordered([]crypto.Hash)                                {}
func (n *costNode) NextSet(quorum.Height) (*quorum.Set, error)           { return n.set, nil }
func (n *costNode) Blocks(quorum.Height, int) ([]blocksync.Block, error) { return nil, nil }

func (n *costNode) Tip() (LedgerTip, error) {
	return LedgerTip{Header: n.chain[len(n.chain)-1].Header, EmptyTail: 2}, nil
}

func (n *costNode) Epoch() (EpochInfo, error) {
	info := EpochInfo{Set: n.set, Anchor: n.anchor, Rules: Rules{Timing: consensus.DefaultTiming(), ExecDelay: 2, MaxBlockBytes: 1 << 16}}
	info.Rules.Timing.MinBlockInterval = 1
	for i := range n.set.Len() {
		info.Peers = append(info.Peers, costPeer(i))
	}
	return info, nil
}

func (n *costNode) Result(h quorum.Height) (Result, bool) {
	if int(h) >= len(n.chain) {
		return Result{}, false
	}
	return Result{StateRoot: n.chain[h].Hash}, true
}

func (n *costNode) DB() *pebble.DB { return n.db }

func (n *costNode) Apply(b *pebble.Batch, sync bool) error {
	options := pebble.NoSync
	if sync {
		options = pebble.Sync
	}
	return b.Commit(options)
}

// TestCostInHops: between honest validators whose messages all take one hop, a block is final three hops after its leader
// sent it, the next one is sent after two, every view makes a block, and messages and synced writes are as few as the
// protocol needs.
func TestCostInHops(t *testing.T) {
	const validators, warm, measured = 4, 10, 128
	c := newCostNet(t, validators, vfs.NewMem(), "/")
	c.run(t, warm)
	messages, others, since, began := c.messages, c.others, c.now, c.nodes[0].chain[warm].Header
	journals, signers := c.syncs()
	c.run(t, warm+measured)
	for h := quorum.Height(warm + 1); h < warm+measured; h++ {
		sent := c.proposedAt[h]
		for _, n := range c.nodes {
			if hops := float64(n.finalAt[h]-sent) / costHop; hops != 3 {
				t.Errorf("block %d is final on validator %d after %.1f hops", h, n.i, hops)
			}
		}
		if hops := float64(c.proposedAt[h+1]-sent) / costHop; hops != 2 {
			t.Errorf("the block after %d is proposed after %.1f hops", h, hops)
		}
	}
	ended := c.nodes[0].chain[warm+measured].Header
	if views := ended.View - began.View; views != measured {
		t.Errorf("%d blocks took %d views", measured, views)
	}
	// To each of the others: one proposal by the leader, a notarize and a finalize vote by everybody. Nothing else.
	design := float64((validators - 1) + 2*validators*(validators-1))
	if per := float64(c.messages-messages) / measured; per > design*1.02 {
		t.Errorf("%.2f messages per block, the protocol needs %.0f", per, design)
	}
	// By the clock, at most once in 100 ms, everybody tells the others its status.
	if most := (int(c.now-since)/100 + 1) * validators * (validators - 1); c.others-others > most {
		t.Errorf("%d further messages in %d ms, at most %d were to be expected", c.others-others, c.now-since, most)
	}
	journalsAfter, signersAfter := c.syncs()
	perJournal := float64(journalsAfter-journals) / measured / validators
	perSigner := float64(signersAfter-signers) / measured / validators
	t.Logf("per block and validator: %.3f synced writes of the journal, %.3f of the signer's file", perJournal, perSigner)
	if perJournal > 2.02 || perJournal < 1 {
		t.Errorf("%.3f synced writes of the journal per block and validator, want at most 2", perJournal)
	}
	if perSigner > 0.05 {
		t.Errorf("%.3f synced writes of the signer's file per block and validator", perSigner)
	}
}

// BenchmarkConsensus is the cost of one block to four validators together, on one core and the disk of the folder for
// temporary files.
func BenchmarkConsensus(b *testing.B) {
	dir := b.TempDir()
	fsync := medianSync(b, dir)
	c := newCostNet(b, 4, vfs.Default, dir)
	const warm = 20
	c.run(b, warm)
	messages, bytes, from := c.messages+c.others, c.bytes, c.nodes[0].chain[warm].Header
	journals, signers := c.syncs()
	b.ResetTimer()
	c.run(b, warm+b.N)
	b.StopTimer()
	blocks := float64(b.N)
	last := c.nodes[0].chain[warm+b.N].Header
	journalsAfter, signersAfter := c.syncs()
	b.ReportMetric(float64(last.View-from.View)/b.Elapsed().Seconds(), "views/s")
	b.ReportMetric(float64(c.messages+c.others-messages)/blocks, "messages/block")
	b.ReportMetric(float64(c.bytes-bytes)/blocks, "B/block")
	b.ReportMetric(float64(journalsAfter+signersAfter-journals-signers)/blocks/float64(len(c.nodes)), "fsyncs/block/validator")
	b.ReportMetric(float64(c.nodes[0].finalAt[last.Height]-c.proposedAt[last.Height])/costHop, "hops")
	b.ReportMetric(float64(fsync.Microseconds()), "disk-fsync-us")
}

// medianSync is how long this disk takes for a small synced write.
func medianSync(b *testing.B, dir string) time.Duration {
	b.Helper()
	f, err := vfs.Default.Create(filepath.Join(dir, "probe"), vfs.WriteCategoryUnspecified)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	took := make([]time.Duration, 101)
	for i := range took {
		began := time.Now()
		if _, err := f.Write(make([]byte, 512)); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[len(took)/2]
}
