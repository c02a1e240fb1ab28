package consensus

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Each test here is an attack that stopped or split another network, as a regression test of ours. The row is that of
// the table of attacks in the design, the mistake that of its list of classical ones.

// TestEveryHeaderFieldMakesAnotherBlock (A8): a block that differs in any field of its header is another block: votes
// for the two never count together, and the one is not taken for the other.
func TestEveryHeaderFieldMakesAnotherBlock(t *testing.T) {
	w := equalWorld()
	p := w.chain(1)[0]
	vote := func(h crypto.Hash, height quorum.Height, signers ...int) (out []quorum.VerifiedVote) {
		for _, i := range signers {
			out = append(out, w.vote(quorum.Vote{Kind: quorum.KindNotarize, View: 1, Height: height, Block: h, Signer: uint16(i)}))
		}
		return out
	}
	typ := reflect.TypeFor[quorum.Header]()
	for i := range typ.NumField() {
		name, other := typ.Field(i).Name, p.Header()
		switch f := reflect.ValueOf(&other).Elem().Field(i); f.Kind() {
		case reflect.Uint16, reflect.Uint32, reflect.Uint64:
			f.SetUint(f.Uint() + 2)
		case reflect.Int64:
			f.SetInt(f.Int() + 2)
		case reflect.Array:
			f.Index(5).SetUint(f.Index(5).Uint() ^ 1)
		default:
			t.Fatalf("a field %s of a kind this test does not change", name)
		}
		hash := other.Hash()
		if hash == p.Hash() {
			t.Errorf("%s is not under the hash", name)
			continue
		}
		m := newMachine(t, w, -1, Recovered{})
		m.Step(epochOfStory, ProposalArrived{p})
		out := m.Step(epochOfStory, VotesArrived{append(vote(p.Hash(), 1, 1, 2), vote(hash, 1, 3)...)})
		if len(out.Store) > 0 {
			t.Errorf("%s: votes for two blocks made one certificate", name)
		}
		if out = m.Step(epochOfStory, VotesArrived{vote(p.Hash(), 1, 0)}); len(out.Store) != 1 {
			t.Errorf("%s: three votes for the block itself made %d certificates", name, len(out.Store))
		}
		m = newMachine(t, w, -1, Recovered{})
		m.Step(epochOfStory, ProposalArrived{p})
		out = m.Step(epochOfStory, VotesArrived{vote(hash, 1, 1, 2, 3)})
		if len(out.Fetch) != 1 || out.Fetch[0].Hash != hash || m.find(1).block.present() {
			t.Errorf("%s: the proposal was taken for the other block: %+v", name, out.Fetch)
		}
	}
}

// TestGarbageCertificatesCostOnlyTheirMaker (A10): a validator whose every proposal rests on a certificate with
// signatures for other blocks or heights, counted twice, of strangers, or with garbage behind them is refused by
// everybody, and everything still becomes final. Certificates of that kind are refused on their own, too.
func TestGarbageCertificatesCostOnlyTheirMaker(t *testing.T) {
	w := newWorld([]quorum.Power{1, 1, 1, 1}, "")
	w.domain.Checker = newQuickSigner(w)
	tried := 0
	for seed := range uint64(min(seeds(), 20)) {
		n := newNetwork(w, seed, faults{delay: 10, cheats: 1, epoch: 4})
		n.garbage = &tried
		if n.run(); n.failure != "" {
			t.Fatalf("seed %d: %s", seed, n.failure)
		}
	}
	if tried < 20 {
		t.Errorf("only %d bad certificates were tried", tried)
	}
}

// badCertificates are the ways in which a certificate is garbage although most of it is real.
func (w *world) badCertificates(good quorum.Certificate) map[string]quorum.Certificate {
	out := map[string]quorum.Certificate{}
	add := func(name string, change func(c *quorum.Certificate)) {
		c := good
		c.Bitmap, c.Signatures = slices.Clone(c.Bitmap), slices.Clone(c.Signatures)
		change(&c)
		out[name] = c
	}
	last := good.Signers()[len(good.Signers())-1]
	resign := func(change func(v *quorum.Vote)) crypto.Signature {
		v := quorum.Vote{Kind: good.Kind, Epoch: good.Epoch, View: good.View, Height: good.Height, Block: good.Block, Signer: uint16(last)}
		change(&v)
		return w.sign(v).Signature
	}
	at := len(good.Signatures) - 1
	add("a signature for another block", func(c *quorum.Certificate) {
		c.Signatures[at] = resign(func(v *quorum.Vote) { v.Block[0] ^= 1 })
	})
	add("a signature for another height", func(c *quorum.Certificate) {
		c.Signatures[at] = resign(func(v *quorum.Vote) { v.Height++ })
	})
	add("a signature for another view", func(c *quorum.Certificate) {
		c.Signatures[at] = resign(func(v *quorum.Vote) { v.View++ })
	})
	add("a signer twice", func(c *quorum.Certificate) { c.Signatures[at] = c.Signatures[0] })
	add("a stranger", func(c *quorum.Certificate) {
		c.Bitmap[0] |= 1 << 7
		c.Signatures = append(c.Signatures, c.Signatures[0])
	})
	add("garbage behind a quorum", func(c *quorum.Certificate) { c.Signatures = append(c.Signatures, crypto.Signature{1, 2, 3}) })
	add("a bit without a signature", func(c *quorum.Certificate) { c.Bitmap[0] |= 1 << 6 })
	add("a signature less", func(c *quorum.Certificate) { c.Signatures = c.Signatures[:at] })
	return out
}

// tryGarbage is what the cheat does instead of proposing; nothing of it may pass.
func (s *simNode) tryGarbage(b *BuildRequest, at Time) {
	w := s.net.w
	good := b.Justification.Parent
	if good == nil {
		return
	}
	for name, bad := range w.badCertificates(*good) {
		*s.net.garbage++
		if _, err := quorum.VerifyCertificate(w.domain, bad); err == nil {
			s.net.fail("a certificate with %s was verified", name)
		}
		h := headerFor(b, at)
		if !b.Closing.IsZero() {
			h = b.TailHeader(w.domain, 0, int64(at))
		}
		j := b.Justification
		j.Parent = &bad
		if w.accepts(h, j) {
			s.net.fail("a proposal on a certificate with %s was verified", name)
		}
		if j.Parent = good; !w.accepts(h, j) {
			s.net.fail("the proposal without %s was refused", name)
		}
	}
}

// accepts signs a proposal without payload and reports whether it is verified.
func (w *world) accepts(h quorum.Header, j quorum.Justification) bool {
	t := w.term(h.Epoch)
	h.Version, h.Genesis, h.ValidatorSet, h.Proposer = quorum.HeaderVersion, w.domain.Genesis, w.domain.Set.Hash(), uint16(t.slate.Leader(h.View))
	h.Justification, h.PayloadRoot = j.Hash(), quorum.PayloadRoot(nil)
	p := quorum.Proposal{Header: h, Justification: j, Signature: w.sign(h.Statement()).Signature}
	_, err := quorum.VerifyProposal(w.domain, t.slate, t.anchor, p)
	return err == nil
}

// TestVoteFloodKeepsMemoryFlat (A16): a million signed votes for the views and heights to come, and as many statuses
// that claim them, leave nothing behind. A certificate of a far view still moves the node there.
func TestVoteFloodKeepsMemoryFlat(t *testing.T) {
	w := equalWorld()
	w.domain.Checker = newQuickSigner(w)
	m := newMachine(t, w, 0, Recovered{})
	flood := func(from, to quorum.View) {
		votes := make([]quorum.Vote, 0, 1000)
		for v := from; v < to; v++ {
			vote := quorum.Vote{Kind: quorum.VoteKind(2 + v%3), View: v, Signer: uint16(1 + v%3)}
			if vote.Kind != quorum.KindNullify {
				vote.Height, vote.Block = quorum.Height(v), crypto.Hash{byte(v), byte(v >> 8), 1}
			}
			if votes = append(votes, w.sign(vote)); len(votes) < cap(votes) {
				continue
			}
			var verified []quorum.VerifiedVote
			for _, r := range quorum.VerifyVotes(w.domain, votes) {
				if r.Err != nil {
					t.Fatal(r.Err)
				}
				verified = append(verified, r.Verified)
			}
			votes = votes[:0]
			m.Step(epochOfStory, VotesArrived{verified})
			m.Step(epochOfStory, StatusArrived{From: 1 + int(v%3), Status: Status{View: v, FinalView: v, FinalHeight: quorum.Height(v), Missing: v - 1}})
		}
	}
	heap := func() uint64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	count := quorum.View(1_000_000)
	if testing.Short() {
		count = 50_000
	}
	flood(3, 10_000)
	before, records := heap(), len(m.records)
	flood(10_000, count)
	if after := heap(); after > before+1<<20 {
		t.Errorf("%d votes made the heap grow by %d bytes", count, after-before)
	}
	if len(m.records) != records || m.view != 1 || m.find(1).tally != nil {
		t.Errorf("%d records, %d before; view %d", len(m.records), records, m.view)
	}
	m.Step(epochOfStory, CertificateArrived{w.certificate(quorum.Vote{Kind: quorum.KindNullify, View: count}, 1, 2, 3)})
	if m.view != count+1 {
		t.Errorf("after the certificate of view %d it is in view %d", count, m.view)
	}
}

// TestKnobsAtTheirEdges (A19): a protection that is set to 0, 1 or N does what 0, 1 or N means; none is off without
// saying so. Those of the votes kept, views open, blocks fetched, patience and inactivity are in tests of their own:
// TestVoteWindow, TestOpenViewsAreBounded, TestFetchOrSync, TestPatience, TestJumpedOverIsNotInactive.
func TestKnobsAtTheirEdges(t *testing.T) {
	w := equalWorld()
	boot := func(change func(c *Config)) *Machine {
		cfg := w.config(3)
		change(&cfg)
		m := New(cfg, Recovered{})
		m.Step(epochOfStory, Start{})
		return m
	}
	for precision, late := range map[Duration]Duration{0: 100, 1: 101, 500: 600} {
		m := boot(func(c *Config) { c.Timing.Precision = precision })
		for offset, want := range map[Duration]bool{precision: true, precision + 1: false, -late: true, -late - 1: false} {
			if got := m.timely(int64(epochOfStory.Add(offset))); got != want {
				t.Errorf("precision %d: a time %d ms ahead is timely: %v", precision, offset, got)
			}
		}
	}
	for delay, blocks := range map[uint64]int{0: 0, 1: 1, 2: 2, 5: 5} { // after a block with transactions
		m := boot(func(c *Config) { c.ExecDelay = delay })
		tail := 0
		for {
			work, _ := m.work(parent{emptyTail: uint64(tail)}, true)
			if !work {
				break
			}
			tail++
		}
		if tail != blocks {
			t.Errorf("K=%d: %d empty blocks follow, want %d", delay, tail, blocks)
		}
	}
	for every, want := range map[Duration]bool{0: false, 1: true, 1_000: true} {
		m := boot(func(c *Config) { c.Timing.MaxBlockInterval = every })
		work, later := m.work(parent{emptyTail: 2, timeMs: int64(epochOfStory)}, true)
		if work || (later == epochOfStory.Add(every)) != want || (later == 0) == want {
			t.Errorf("heartbeat %d: work %v, later %d", every, work, later-epochOfStory)
		}
	}
	for every, want := range map[Duration]Duration{0: 116, 1: 1, 2_000: 2_000} { // 0 would be never: T_r instead
		m := boot(func(c *Config) { c.Timing.StatusEvery = every })
		if m.repeatAt != epochOfStory.Add(want) && every > 0 || every == 0 && (m.repeatAt <= epochOfStory || m.repeatAt > epochOfStory.Add(maxRepeat)) {
			t.Errorf("status every %d: the next at +%d", every, m.repeatAt-epochOfStory)
		}
	}
	for highest, want := range map[Duration]Duration{20: 20, 50: 50, 10_000: 50} {
		m := boot(func(c *Config) { c.Timing.Max = highest })
		if m.delay() != want {
			t.Errorf("D is %d under a cap of %d", m.delay(), highest)
		}
		if m.view = 1_000; m.delay() > highest {
			t.Errorf("D grew to %d over its cap of %d", m.delay(), highest)
		}
	}
}

// TestKnobsOffStillFinalize (A19): with every wait and allowance at its least a block still becomes final.
func TestKnobsOffStillFinalize(t *testing.T) {
	for _, timing := range []Timing{
		{Base: 1, Min: 1, Max: 4, Precision: 1},
		{Base: 50, Min: 20, Max: 10_000, MinBlockInterval: 0, Precision: 0},
		{Base: 50, Min: 50, Max: 50, MinBlockInterval: 1, MaxBlockInterval: 1, StatusEvery: 1},
	} {
		w := equalWorld()
		w.domain.Checker = newQuickSigner(w)
		c := newCluster(t, w)
		for i := range c.machines {
			cfg := w.config(i)
			cfg.Timing = timing
			c.machines[i] = New(cfg, Recovered{})
			c.step(i, Start{})
			c.step(i, WorkChanged{Pending: true})
		}
		for rounds := 0; !c.agreed(false); rounds++ {
			if rounds > 400 {
				t.Fatalf("%+v: nothing became final", timing)
			}
			c.wait()
		}
	}
}

// TestProposerTimeGrid (A23): a proposer that lies about the time by more than clocks and messages allow gets no vote in
// its view, though its block is not invalid: if the others notarize it all the same, this node follows. A time that is
// not after the parent's is invalid for everybody.
func TestProposerTimeGrid(t *testing.T) {
	w := equalWorld()
	for _, offset := range []Duration{-3_600_000, -2_000, -601, -600, -1, 0, 1, 500, 501, 2_000, 3_600_000} {
		inTime := offset >= -600 && offset <= 500
		afterParent := int64(epochOfStory.Add(offset)) > w.anchor.TimeMs
		h := quorum.Header{View: 1, Height: 1, Parent: w.anchor.Hash, TimeMs: int64(epochOfStory.Add(offset))}
		if !afterParent {
			if w.accepts(h, quorum.Justification{}) {
				t.Errorf("%d ms: a time before the anchor's was verified", offset)
			}
			continue
		}
		p := w.proposal(h, quorum.Justification{}, nil)
		m := newMachine(t, w, 1, Recovered{})
		m.Step(epochOfStory, ProposalArrived{p})
		out := m.Step(epochOfStory, BlockValid{1, p.Hash()})
		if (len(out.Sign) == 1) != inTime {
			t.Errorf("%d ms: signs %v", offset, out.Sign)
		}
		if inTime {
			continue
		}
		if out = m.Step(m.leadAt, TimerFired{TimerLead}); len(out.Sign) != 1 || out.Sign[0].Kind != quorum.KindNullify {
			t.Errorf("%d ms: at T_lead it signs %v, want nullify", offset, out.Sign)
		}
		m = newMachine(t, w, 1, Recovered{})
		m.Step(epochOfStory, ProposalArrived{p})
		m.Step(epochOfStory, BlockValid{1, p.Hash()})
		out = m.Step(epochOfStory, CertificateArrived{w.certificate(statementOf(p, quorum.KindNotarize), 0, 2, 3)})
		if len(out.Sign) != 2 || out.Sign[1].Kind != quorum.KindFinalize {
			t.Errorf("%d ms, and notarized by the others: signs %v", offset, out.Sign)
		}
	}
	first := w.chain(1)[0]
	for _, offset := range []int64{-1, 0, 1} { // against the parent's time
		j := quorum.Justification{Parent: ptr(w.certificate(statementOf(first, quorum.KindNotarize), 0, 2, 3).Certificate())}
		p := w.proposal(quorum.Header{View: 2, Height: 2, Parent: first.Hash(), ParentView: 1, TimeMs: first.Header().TimeMs + offset}, j, nil)
		m := newMachine(t, w, 3, Recovered{})
		m.Step(epochOfStory, ProposalArrived{first})
		m.Step(epochOfStory, BlockValid{1, first.Hash()})
		out := m.Step(epochOfStory, ProposalArrived{p})
		nullified := slices.ContainsFunc(out.Sign, func(v quorum.Vote) bool { return v.Kind == quorum.KindNullify && v.View == 2 })
		if nullified != (offset <= 0) || (len(out.Validate) == 1) != (offset > 0) {
			t.Errorf("%d ms after the parent: signs %v, validates %d", offset, out.Sign, len(out.Validate))
		}
	}
}

// TestNobodyJoinsANullification (mistake 7): votes of less than a quorum, whoever gives them, and claims of any number
// of peers make no node give a view up or leave it. They start its own clock, no more.
func TestNobodyJoinsANullification(t *testing.T) {
	w := newWorld([]quorum.Power{1, 1, 1, 1, 1, 1, 1}, "A") // Q = 5, B = 3
	m := newMachine(t, w, 6, Recovered{})
	for i := range 4 {
		if i == 0 {
			continue // the leader may give its own view up for all
		}
		for _, in := range []Input{
			VotesArrived{[]quorum.VerifiedVote{w.vote(quorum.Vote{Kind: quorum.KindNullify, View: 1, Signer: uint16(i)})}},
			StatusArrived{From: i, Status: Status{View: 500, FinalView: 499, FinalHeight: 400, HasWork: true}},
		} {
			if out := m.Step(epochOfStory, in); len(out.Sign) > 0 || len(out.Store) > 0 || m.view != 1 || out.Sync != nil {
				t.Fatalf("with %d of 7: signs %v, view %d, sync %v", i, out.Sign, m.view, out.Sync)
			}
		}
	}
	if !m.active {
		t.Error("its clock does not run, though an honest validator gave the view up")
	}
	for _, i := range []uint16{4, 5} { // with these, five: a quorum
		m.Step(epochOfStory, VotesArrived{[]quorum.VerifiedVote{w.vote(quorum.Vote{Kind: quorum.KindNullify, View: 1, Signer: i})}})
	}
	if m.view != 2 || m.find(1).exit != 0 {
		t.Errorf("after a quorum it is in view %d and signed %v", m.view, m.find(1).exit)
	}
}

// TestOverIsForever feeds everything there is to a machine whose epoch has ended.
func TestOverIsForever(t *testing.T) {
	w := equalWorld()
	closing := w.proposal(quorum.Header{View: 1, Height: 1, Parent: w.anchor.Hash, TimeMs: int64(epochOfStory),
		Flags: quorum.FlagClosing, NextValidatorSet: w.domain.Set.Hash()}, quorum.Justification{}, nil)
	parent := ptr(w.certificate(statementOf(closing, quorum.KindNotarize), 1, 2, 3).Certificate())
	build := BuildRequest{View: 2, Height: 1, Closing: closing.Hash(), Parent: closing.Hash(), ParentView: 1}
	tail := w.proposal(build.TailHeader(w.domain, 0, int64(epochOfStory)+1), quorum.Justification{Parent: parent}, nil)
	m := newMachine(t, w, 1, Recovered{})
	m.Step(epochOfStory, ProposalArrived{closing})
	m.Step(epochOfStory, BlockValid{1, closing.Hash()})
	out := m.Step(epochOfStory, CertificateArrived{w.certificate(statementOf(closing, quorum.KindFinalize), 0, 2, 3)})
	if len(out.Finalized) != 1 || !m.Snapshot().Over {
		t.Fatalf("not over: %+v", m.Snapshot())
	}
	records := len(m.records)
	inputs := []Input{
		WorkChanged{Pending: true}, ProposalArrived{tail}, ProposalBuilt{tail}, BlockValid{2, tail.Hash()}, BlockInvalid{2, tail.Hash(), "test"},
		VotesArrived{[]quorum.VerifiedVote{w.vote(quorum.Vote{Kind: quorum.KindNullify, View: 2, Signer: 3})}}, BuildFailed{2},
		CertificateArrived{w.certificate(statementOf(tail, quorum.KindNotarize), 0, 2, 3)}, ProposalArrived{tail},
		CertificateArrived{w.certificate(statementOf(tail, quorum.KindFinalize), 0, 2, 3)},
		CertificateArrived{w.certificate(statementOf(tail, quorum.KindFinalize), 0, 2, 3).WithTail(tail.Header())},
		CertificateArrived{w.certificate(quorum.Vote{Kind: quorum.KindNullify, View: 3}, 0, 2, 3)},
		StatusArrived{From: 2, Status: Status{View: 9, FinalView: 8, FinalHeight: 1, HasWork: true}},
		Synced{Tip{Header: closing.Header(), Certificate: w.certificate(statementOf(tail, quorum.KindFinalize), 0, 2, 3).WithTail(tail.Header())}},
		Synced{Tip{Header: tail.Header(), Certificate: w.certificate(statementOf(tail, quorum.KindFinalize), 0, 2, 3)}},
		SignRefused{quorum.Vote{Kind: quorum.KindNotarize, View: 2}},
		TimerFired{TimerLead}, TimerFired{TimerNotarize}, TimerFired{TimerWork}, TimerFired{TimerRepeat}, TimerFired{99},
	}
	for round := range 3 {
		for _, in := range inputs {
			out := m.Step(epochOfStory.Add(Duration(10_000*round)), in)
			wants := len(out.Sign) + len(out.Validate) + len(out.Fetch) + len(out.Finalized) + len(out.Store) + len(out.Evidence)
			if wants > 0 || out.Build != nil || out.Sync != nil || out.Halt != nil {
				t.Errorf("after %T it wants %+v", in, out)
			}
			for _, o := range out.Send {
				if len(o.Votes) > 0 || o.Proposal != nil {
					t.Errorf("after %T it sends %+v", in, o)
				}
			}
		}
	}
	if s := m.Snapshot(); s.FinalHeight != 1 || s.View != 2 || len(m.records) > records+2 || m.find(2).block.proposal != nil {
		t.Errorf("something changed: %+v, %d records", s, len(m.records))
	}
	if m.repeatAt <= m.now {
		t.Error("it tells its status no more")
	}
}

// TestClosingBlockCountsAsWork: the end of an epoch changes the state, and K empty blocks of the next epoch certify it.
// After genesis there is nothing to certify.
func TestClosingBlockCountsAsWork(t *testing.T) {
	w := equalWorld()
	for height, want := range map[quorum.Height]bool{0: false, 7: true} {
		cfg := w.config(0)
		cfg.Anchor.Height = height
		m := New(cfg, Recovered{})
		if out := m.Step(epochOfStory, Start{}); (out.Build != nil) != want {
			t.Errorf("on an anchor of height %d it builds: %v", height, out.Build != nil)
		}
	}
}

// FuzzSignedGarbage (A13): three of four validators, leaders among them, sign whatever the bytes say, and the node says
// to this machine whatever comes to mind. It never panics, never asks to sign anything that is not later than all
// before, outputs heights in order and no tails, keeps within its bounds, and wants nothing when it is over or halted.
func FuzzSignedGarbage(f *testing.F) {
	for _, seed := range []string{
		"", "000000700000007020200102101X200#", "\x02\x01\x00\x00\x00\x00\x00\x05\x05\x05", "\x02\x01\x01\x00\x00\x00\x00\x04\x01\x00\x01\x01\x01\x01",
		"\x02\x01\x00\x01\x00\x00\x00\x00\x04\x00\x01\x03\x01\x01\x02\x02\x00\x02\x00\x00\x00\x00\x04\x01\x01\x03\x02\x02",
	} {
		f.Add([]byte(seed))
	}
	for i := range 8 { // long ones, so that plain runs of the tests cover something, too
		b := make([]byte, 600)
		for k := range b {
			h := crypto.Sum("waybill/test/fuzz", fmt.Appendf(nil, "%d/%d", i, k))
			b[k] = h[0] % 12
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4_000 {
			return
		}
		g := newGarbage(t, data)
		for len(g.data) > 0 {
			g.act()
		}
	})
}
