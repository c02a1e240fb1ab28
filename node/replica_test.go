package node

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/node/journal"
	"waybill/node/signer"
	blocksync "waybill/node/sync"
	"waybill/p2p"
)

// bench is a replica on a bench: it records what the replica asks of the world and does none of it.
type bench struct {
	*wireNetwork
	now      consensus.Time
	armed    map[TimerID]consensus.Time
	sent     []sentMessage
	executed []FinalBlock
	checks   []crypto.Hash
	blocks   []blocksync.Block // what its ledger serves
	replica  *Replica
}

type sentMessage struct {
	to  p2p.PeerID
	msg []byte
}

func (b *bench) Now() consensus.Time { return b.now }
func (b *bench) Send(to p2p.PeerID, _ p2p.Class, msg []byte) {
	b.sent = append(b.sent, sentMessage{to, msg})
}
func (b *bench) Announce(Head)                                        {}
func (b *bench) Arm(id TimerID, at consensus.Time)                    { b.armed[id] = at }
func (b *bench) CheckPayload(hash crypto.Hash, _ [][]byte)            { b.checks = append(b.checks, hash) }
func (b *bench) Report(quorum.Evidence)                               {}
func (b *bench) Execute(f FinalBlock)                                 { b.executed = append(b.executed, f) }
func (b *bench) Result(quorum.Height) (Result, bool)                  { return Result{}, true }
func (b *bench) Pending() bool                                        { return false }
func (b *bench) Select(int, func(crypto.Hash) bool) [][]byte          { return nil }
func (b *bench) Ordered([]crypto.Hash)                                {}
func (b *bench) EpochChanged(*Epoch)                                  {}
func (b *bench) NextSet(quorum.Height) (*quorum.Set, error)           { return b.Domain.Set, nil }
func (b *bench) Blocks(quorum.Height, int) ([]blocksync.Block, error) { return b.blocks, nil }

func (b *bench) Tip() (LedgerTip, error) {
	return LedgerTip{Header: b.anchor}, nil
}

func (b *bench) Epoch() (EpochInfo, error) {
	rules := Rules{Timing: consensus.DefaultTiming(), ExecDelay: 2, MaxBlockBytes: 1 << 20}
	return EpochInfo{Number: b.Number, Set: b.Domain.Set, Anchor: b.anchor, Peers: b.Peers, Rules: rules}, nil
}

// volatile is a disk without failures.
type volatile map[string][]byte

func (d volatile) Write(ops []journal.Op, _ bool) error {
	for _, op := range ops {
		if op.End != nil {
			maps.DeleteFunc(d, func(k string, _ []byte) bool { return k >= string(op.Key) && k < string(op.End) })
		} else {
			d[string(op.Key)] = op.Value
		}
	}
	return nil
}

func (d volatile) Scan(prefix []byte, each func(key, value []byte) error) error {
	for _, k := range slices.Sorted(maps.Keys(d)) {
		if strings.HasPrefix(k, string(prefix)) {
			if err := each([]byte(k), d[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

const benchSelf = 3

// signer signs with the key of the replica, and begins at nothing.
func (b *bench) signer(t *testing.T) *signer.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), signer.FileName)
	if err := signer.CreateFile(vfs.Default, path, b.Domain.Genesis, b.keys[benchSelf].Public()); err != nil {
		t.Fatal(err)
	}
	f, err := signer.OpenFile(vfs.Default, path, signer.Options{Genesis: b.Domain.Genesis, Key: b.keys[benchSelf], Reserve: signer.NodeReserve})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{wireNetwork: newWireNetwork(t), armed: map[TimerID]consensus.Time{}}
	b.now = consensus.Time(b.Anchor.TimeMs + 10_000)
	r, err := NewReplica(Config{Genesis: b.Domain.Genesis, Key: b.keys[benchSelf].Public()}, b, b, b, volatile{}, b.signer(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	b.replica = r
	return b
}

// receive lets a message arrive as from the wire.
func (b *bench) receive(t *testing.T, from p2p.PeerID, msg []byte) {
	t.Helper()
	in, err := b.Verify(from, msg)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.replica.Receive(in); err != nil {
		t.Fatal(err)
	}
}

// took returns the messages of a kind sent to a peer since the last call.
func (b *bench) took(to p2p.PeerID, kind messageKind) (out [][]byte) {
	for _, s := range b.sent {
		if s.to == to && s.msg[0] == byte(kind) {
			out = append(out, s.msg)
		}
	}
	b.sent = nil
	return out
}

// header makes the header of a view, on a parent or on the anchor.
func (b *bench) header(view quorum.View, parent *quorum.Header, timeMs int64) quorum.Header {
	h := quorum.Header{
		Version: quorum.HeaderVersion, Genesis: b.Domain.Genesis, Epoch: b.Number, View: view, Height: 1, Parent: b.Anchor.Hash,
		TimeMs: timeMs, Proposer: uint16(b.Slate.Leader(view)), ValidatorSet: b.Domain.Set.Hash(),
	}
	if parent != nil {
		h.Height, h.Parent, h.ParentView = parent.Height+1, parent.Hash(), parent.View
	}
	return h
}

func (b *bench) certify(t *testing.T, kind quorum.VoteKind, h quorum.Header) quorum.VerifiedCertificate {
	t.Helper()
	var votes []quorum.Vote
	for i := range 3 {
		votes = append(votes, quorum.SignVote(b.Domain, b.keys[i], quorum.Vote{
			Kind: kind, Epoch: h.Epoch, View: h.View, Height: h.Height, Block: h.Hash(), Signer: uint16(i),
		}))
	}
	c, err := quorum.Certify(b.Domain, b.verified(t, votes...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// propose completes and signs what the leader of the header's view proposes.
func (b *bench) propose(t *testing.T, h quorum.Header, parent *quorum.Header) quorum.VerifiedProposal {
	t.Helper()
	p := quorum.Proposal{Header: h}
	if parent != nil {
		c := b.certify(t, quorum.KindNotarize, *parent).Certificate()
		p.Justification.Parent = &c
	}
	v, err := quorum.VerifyProposal(b.Domain, b.Slate, b.Anchor, quorum.SignProposal(b.Domain, b.keys[h.Proposer], p))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// chain makes proposals, each on the one before it.
func (b *bench) chain(t *testing.T, length int) (out []quorum.VerifiedProposal) {
	t.Helper()
	var parent *quorum.Header
	for v := quorum.View(1); v <= quorum.View(length); v++ {
		p := b.propose(t, b.header(v, parent, b.Anchor.TimeMs+int64(v)), parent)
		h := p.Header()
		out, parent = append(out, p), &h
	}
	return out
}

// TestClockIsArmedForTheEarliest: proposals from the future wait for their time. A later one must not push back
// an earlier one, and none may arm the timer for the end of time.
func TestClockIsArmedForTheEarliest(t *testing.T) {
	b := newBench(t)
	r := b.replica
	r.wakeAt(b.now + 300)
	r.wakeAt(b.now + 700)
	if b.armed[timerClock] != b.now+300 {
		t.Fatalf("armed for %d ms from now", b.armed[timerClock]-b.now)
	}
	r.wakeAt(b.now + 100)
	if b.armed[timerClock] != b.now+100 {
		t.Fatalf("armed for %d ms from now", b.armed[timerClock]-b.now)
	}
	b.now += 100
	if err := r.TimerFired(timerClock); err != nil {
		t.Fatal(err)
	}
	r.wakeAt(1<<63 - 1)
	if b.armed[timerClock] != b.now+maxWaitMs {
		t.Fatalf("armed for %d ms from now", b.armed[timerClock]-b.now)
	}
}

// TestFutureProposalWaits: a block from the future is not checked before its time, and then it is.
func TestFutureProposalWaits(t *testing.T) {
	b := newBench(t)
	view := quorum.View(1)
	if b.Slate.Leader(view) == benchSelf {
		t.Skip("the node leads the first view of this network")
	}
	ahead := int64(b.replica.epoch.Rules.Timing.Precision) + 200
	p := b.propose(t, b.header(view, nil, int64(b.now)+ahead), nil)
	b.receive(t, b.replica.epoch.Peers[b.Slate.Leader(view)], withStatus(messageProposal, consensus.Status{Epoch: b.Number, View: 1}, p.Proposal().Encode()))
	if len(b.checks) != 0 || b.armed[timerClock] != b.now+200 {
		t.Fatalf("%d checks, clock armed for %d ms from now", len(b.checks), b.armed[timerClock]-b.now)
	}
	b.now = b.armed[timerClock]
	if err := b.replica.TimerFired(timerClock); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(b.checks, []crypto.Hash{p.Hash()}) {
		t.Fatalf("%d checks after its time came", len(b.checks))
	}
}

// TestAllowances: a peer that takes too much is told so with an empty answer; others are not touched, and all
// who do not vote share one bound.
func TestAllowances(t *testing.T) {
	b := newBench(t)
	h := b.header(1, nil, b.Anchor.TimeMs+1)
	c := b.certify(t, quorum.KindFinalize, h).Certificate()
	b.blocks = []blocksync.Block{{Header: h, Payload: [][]byte{make([]byte, 1<<20)}, Certificate: &c}}
	full, empty := len(blocksync.EncodeBlocks(b.blocks))+1, len(blocksync.EncodeBlocks(nil))+1
	ask := func(peer p2p.PeerID) int {
		t.Helper()
		b.receive(t, peer, encodeBlockRequest(blocksync.Request{From: 1, Max: 64}))
		got := b.took(peer, messageBlocks)
		if len(got) != 1 {
			t.Fatalf("%d answers", len(got))
		}
		return len(got[0])
	}
	served := func(peer p2p.PeerID) (n int) {
		for ask(peer) == full {
			if n++; n > 1000 {
				t.Fatal("no limit")
			}
		}
		return n
	}
	want := allowanceBytes/(full+allowanceAnswer+allowanceBlock) + 1
	if n := served("p0"); n != want {
		t.Errorf("%d answers, want %d", n, want)
	}
	if got := ask("p0"); got != empty {
		t.Errorf("an answer of %d bytes after the last", got)
	}
	if ask("p1") != full {
		t.Error("another peer pays for it")
	}
	b.now += 1_000
	if n := served("p0"); n < allowancePerMs*1_000/(full+allowanceAnswer+allowanceBlock) || n >= want {
		t.Errorf("%d answers after a second", n)
	}
	strangers := 0
	for i := range 20 {
		strangers += served(p2p.PeerID(fmt.Sprintf("stranger %d", i)))
	}
	if most := allowanceSharers*want + 1; strangers > most {
		t.Errorf("20 strangers got %d answers, want at most %d", strangers, most)
	}
	if ask("p2") != full {
		t.Error("strangers took what validators need")
	}
	b.now -= 5_000
	ask("p2") // a clock that goes back does no harm
	for i := range 3 * maxAllowances {
		ask(p2p.PeerID(fmt.Sprintf("s%d", i)))
	}
	if len(b.replica.allowances) > maxAllowances {
		t.Errorf("%d allowances", len(b.replica.allowances))
	}
}

// TestProposalRequestsAreBounded: thirty-three bytes must not buy megabytes without end.
func TestProposalRequestsAreBounded(t *testing.T) {
	b := newBench(t)
	p := b.proposal(t, make([]byte, 1<<20))
	b.replica.candidates.add(p)
	n := 0
	for range 200 {
		b.receive(t, "stranger", encodeProposalRequest(p.Hash()))
		n += len(b.took("stranger", messageProposal))
	}
	if n == 0 || n > allowanceBytes/(1<<20)+1 {
		t.Errorf("%d answers to 200 requests", n)
	}
}

// TestFinalBlockNotHeld: when a block that became final was dropped at the limit on candidates, block sync
// brings it, and every block is executed once, in order.
func TestFinalBlockNotHeld(t *testing.T) {
	b := newBench(t)
	r := b.replica
	chain := b.chain(t, 4)
	var headers []quorum.Header
	var finals []consensus.Final
	for i, p := range chain {
		h := p.Header()
		headers = append(headers, h)
		finals = append(finals, consensus.Final{Header: h, Hash: p.Hash(), Certificate: b.certify(t, quorum.KindFinalize, h)})
		if i != 1 {
			r.candidates.add(p)
		}
	}
	if err := r.finalize(finals[:2]); err != nil {
		t.Fatal(err)
	}
	if len(b.executed) != 1 || r.final.Height != 1 {
		t.Fatalf("%d executed", len(b.executed))
	}
	b.now += syncEveryMs
	if err := r.finalize(finals[2:3]); err != nil {
		t.Fatal(err)
	}
	if len(b.executed) != 1 {
		t.Fatal("block 3 is executed before block 2")
	}
	asked := p2p.PeerID("")
	for _, s := range b.sent {
		if s.msg[0] == byte(messageBlockRequest) {
			if asked = s.to; !bytes.Equal(s.msg, encodeBlockRequest(blocksync.Request{From: 2, Max: blocksync.MaxBlocksPerAnswer})) {
				t.Fatalf("asked %x", s.msg)
			}
		}
	}
	if asked == "" {
		t.Fatal("nobody is asked for the missing block")
	}
	c := finals[2].Certificate.Certificate()
	answer := blocksync.EncodeBlocks([]blocksync.Block{{Header: headers[1]}, {Header: headers[2], Certificate: &c}})
	b.receive(t, asked, append([]byte{byte(messageBlocks)}, answer...))
	if err := r.finalize(finals[1:]); err != nil {
		t.Fatal(err)
	}
	var heights []quorum.Height
	for _, f := range b.executed {
		heights = append(heights, f.Header.Height)
	}
	if !slices.Equal(heights, []quorum.Height{1, 2, 3, 4}) {
		t.Fatalf("executed %v", heights)
	}
}

// TestUnknownParentDelays: what one node does not know is no fault of the block.
func TestUnknownParentDelays(t *testing.T) {
	b := newBench(t)
	chain := b.chain(t, 2)
	second := chain[1]
	b.replica.candidates.add(second)
	b.replica.candidates.get(second.Hash()).wanted = true
	b.replica.tryValidate(second.Hash())
	if len(b.replica.inputs) != 0 || len(b.checks) != 0 {
		t.Fatal("a verdict without the parent")
	}
	b.replica.candidates.add(chain[0])
	b.replica.retryValidation()
	if !slices.Equal(b.checks, []crypto.Hash{second.Hash()}) {
		t.Fatalf("%d checks once the parent is known", len(b.checks))
	}
}

// TestClaimsOnlyMakeUsAsk: a claim of the highest height there is costs a request now and then, and stops
// nothing.
func TestClaimsOnlyMakeUsAsk(t *testing.T) {
	b := newBench(t)
	lie := withStatus(messageStatus, consensus.Status{Epoch: b.Number, View: 1<<64 - 1, FinalHeight: 1<<64 - 1, FinalView: 1<<64 - 1, Missing: 1<<64 - 1}, nil)
	requests := 0
	for range 240 { // a minute
		b.receive(t, "stranger", lie)
		b.receive(t, "p0", lie)
		b.now += syncEveryMs
		if err := b.replica.TimerFired(timerSync); err != nil {
			t.Fatal(err)
		}
		for _, s := range b.sent {
			if s.msg[0] == byte(messageBlockRequest) {
				requests++
				b.receive(t, s.to, append([]byte{byte(messageBlocks)}, blocksync.EncodeBlocks(nil)...))
			}
		}
		b.sent = nil
	}
	if requests == 0 || requests > 20 {
		t.Errorf("%d requests in a minute", requests)
	}
	if s := b.replica.Snapshot(); s.BestKnown != 0 || s.Final.Height != 0 {
		t.Errorf("the status shows %+v", s)
	}
}

// TestUnaskedBlocksAreNotDecoded also covers replies of peers that were never asked.
func TestUnaskedBlocksAreNotDecoded(t *testing.T) {
	b := newBench(t)
	h := b.header(1, nil, b.Anchor.TimeMs+1)
	c := b.certify(t, quorum.KindFinalize, h).Certificate()
	b.receive(t, "p0", append([]byte{byte(messageBlocks)}, blocksync.EncodeBlocks([]blocksync.Block{{Header: h, Certificate: &c}})...))
	if len(b.executed) != 0 || b.replica.final.Height != 0 {
		t.Fatal("blocks nobody asked for are executed")
	}
}

// TestCandidatesAreBounded: at the limit the candidate of the lowest view goes, and what is final goes at once.
func TestCandidatesAreBounded(t *testing.T) {
	b := newBench(t)
	c := newCandidates()
	var hashes []crypto.Hash
	for _, p := range b.chain(t, maxCandidates+3) {
		c.add(p)
		c.add(p)
		hashes = append(hashes, p.Hash())
		if c.get(p.Hash()) == nil || c.len() > maxCandidates {
			t.Fatalf("view %d: %d held", p.Header().View, c.len())
		}
	}
	for i, hash := range hashes {
		if (c.get(hash) != nil) != (i >= 3) {
			t.Fatalf("view %d held: %t", i+1, c.get(hash) != nil)
		}
	}
	middle := c.get(hashes[100]).proposal
	c.setFinal(middle.Header(), middle.Hash())
	if c.len() != maxCandidates+3-101 || c.get(middle.Hash()) == nil || c.get(hashes[99]) != nil {
		t.Fatalf("%d held after view 101 is final", c.len())
	}
	if _, ok := c.header(middle.Hash()); !ok {
		t.Fatal("the header of the tip is forgotten")
	}
	for i := range 3 * maxAsked {
		c.asked(crypto.Sum(crypto.TagHeader, fmt.Appendf(nil, "%d", i)))
	}
	if len(c.tries) > maxAsked {
		t.Fatalf("%d requests counted", len(c.tries))
	}
}

// TestConnected: a new peer is told at once where we stand, and what one that left claimed is forgotten.
func TestConnected(t *testing.T) {
	b := newBench(t)
	b.sent = nil
	if err := b.replica.Connected("new"); err != nil {
		t.Fatal(err)
	}
	got := b.took("new", messageStatus)
	if len(got) != 1 {
		t.Fatalf("%d messages", len(got))
	}
	if in, err := b.Verify("p", got[0]); err != nil || in.status != b.replica.machine.Status() {
		t.Fatalf("%+v, %v", in, err)
	}
	b.receive(t, "new", withStatus(messageStatus, consensus.Status{Epoch: b.Number, View: 1, FinalHeight: 50}, nil))
	if claim := b.replica.fetcher.Claimed("new"); claim != 50 {
		t.Fatalf("claim %d", claim)
	}
	if err := b.replica.Disconnected("new"); err != nil {
		t.Fatal(err)
	}
	if claim := b.replica.fetcher.Claimed("new"); claim != 0 {
		t.Fatalf("claim %d after the peer left", claim)
	}
}

// TestBestKnownIsNoClaim: what a status page shows as the network's height, and what readiness depends on, is what
// a certificate shows or what more stake claims than may lie.
func TestBestKnownIsNoClaim(t *testing.T) {
	b := newBench(t)
	claim := func(from p2p.PeerID, height quorum.Height) {
		b.receive(t, from, withStatus(messageStatus, consensus.Status{Epoch: b.Number, View: 1, FinalHeight: height}, nil))
	}
	want := func(height quorum.Height, why string) {
		t.Helper()
		if got := b.replica.Snapshot().BestKnown; got != height {
			t.Fatalf("best known %d, want %d: %s", got, height, why)
		}
	}
	for i := range 20 {
		claim(p2p.PeerID(fmt.Sprint("stranger", i)), math.MaxUint64)
	}
	claim("p0", math.MaxUint64)
	want(0, "strangers have no stake, and one validator of four may lie")
	claim("p1", 40)
	want(40, "one of two validators is honest")
	claim("p2", 60)
	want(60, "of two who claim 60 or more one is honest")
	claim("p0", 0)
	want(40, "a claim may go down")
	header := b.header(1, nil, int64(b.now))
	header.Height = 90
	if err := b.replica.HeadAnnounced("stranger0", 90, b.certify(t, quorum.KindFinalize, header)); err != nil {
		t.Fatal(err)
	}
	want(90, "a certificate shows it, whoever brings it")
}

// TestErrorStops: after an error the replica is not to be called again, and says why.
func TestErrorStops(t *testing.T) {
	b := newBench(t)
	disk := errors.New("the disk said no")
	if err := b.replica.Executed(Execution{Height: 1, Err: disk}); !errors.Is(err, disk) || !errors.Is(b.replica.Halted(), disk) {
		t.Fatalf("%v, halted %v", err, b.replica.Halted())
	}
}
