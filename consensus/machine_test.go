package consensus

import (
	"slices"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// newMachine starts validator self of a small world at epochOfStory.
func newMachine(t *testing.T, w *world, self int, rec Recovered) *Machine {
	t.Helper()
	m := New(w.config(self), rec)
	if out := m.Step(epochOfStory, Start{}); out.Halt != nil {
		t.Fatalf("halted at the start: %s", out.Halt.Reason)
	}
	return m
}

func equalWorld() *world { return newWorld([]quorum.Power{1, 1, 1, 1}, "ABCD") }

// nullification of a view by B, C and D.
func (w *world) nullification(v quorum.View) quorum.VerifiedCertificate {
	return w.certificate(quorum.Vote{Kind: quorum.KindNullify, View: v}, 1, 2, 3)
}

// chain makes n empty blocks in views from 1, each on the one before.
func (w *world) chain(n int) []quorum.VerifiedProposal {
	h := quorum.Header{View: 1, Height: 1, Parent: w.anchor.Hash, TimeMs: int64(epochOfStory)}
	var j quorum.Justification
	var out []quorum.VerifiedProposal
	for range n {
		p := w.proposal(h, j, nil)
		out = append(out, p)
		c := w.certificate(statementOf(p, quorum.KindNotarize), 1, 2, 3).Certificate()
		j.Parent = &c
		h = quorum.Header{View: h.View + 1, Height: h.Height + 1, Parent: p.Hash(), ParentView: h.View, TimeMs: h.TimeMs + 1}
	}
	return out
}

func statementOf(p quorum.VerifiedProposal, kind quorum.VoteKind) quorum.Vote {
	v := p.Header().Statement()
	v.Kind = kind
	return v
}

func TestStatusEncoding(t *testing.T) {
	s := Status{Epoch: 1, View: 2, FinalHeight: 3, FinalView: 4, Missing: 5, HasWork: true}
	b := s.Encode()
	golden := []byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5, 1}
	if !slices.Equal(b, golden) {
		t.Errorf("Encode() = %v, want %v", b, golden)
	}
	for name, bad := range map[string][]byte{"empty": nil, "short": b[:40], "long": append(slices.Clone(b), 0), "flag": append(slices.Clone(b[:40]), 2)} {
		if _, err := DecodeStatus(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzDecodeStatus(f *testing.F) {
	f.Add(Status{View: 1}.Encode())
	f.Add(Status{Epoch: 1, View: 1 << 63, HasWork: true}.Encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeStatus(b)
		if err == nil && !slices.Equal(s.Encode(), b) {
			t.Errorf("%x decodes to %+v, which encodes otherwise", b, s)
		}
	})
}

// TestVoteWindow pins the edges of what votes are kept for.
func TestVoteWindow(t *testing.T) {
	m := New(equalWorld().config(0), Recovered{})
	for _, c := range []struct {
		view, final, vote quorum.View
		want              bool
	}{
		{1, 0, 1, true}, {1, 0, 2, true}, {1, 0, 3, false},
		{100, 0, 36, true}, {100, 0, 35, false}, // maxVoteViews below
		{100, 99, 84, true}, {100, 99, 83, false}, // evidenceViews of the ledger
		{100, 99, 101, true}, {100, 99, 102, false},
	} {
		m.view, m.final.view = c.view, c.final
		if got := m.votesCounted(c.vote); got != c.want {
			t.Errorf("in view %d over final view %d, a vote of view %d is kept: %v", c.view, c.final, c.vote, got)
		}
	}
}

// TestOpenViewsAreBounded fills the records: an old certificate that finds no room is dropped, and a view to enter that
// finds none halts.
func TestOpenViewsAreBounded(t *testing.T) {
	w := equalWorld()
	m := newMachine(t, w, 0, Recovered{})
	m.maxOpen = 10
	for v := quorum.View(1); v <= 9; v++ { // with the current one: ten records
		if out := m.Step(epochOfStory, CertificateArrived{w.nullification(v + 10)}); out.Halt != nil {
			if len(m.openRecords()) != 10 {
				t.Fatalf("halted with %d records: %s", len(m.openRecords()), out.Halt.Reason)
			}
			return
		}
		if n := len(m.openRecords()); n > 10 {
			t.Fatalf("%d records, at most 10", n)
		}
	}
	if len(m.openRecords()) != 10 {
		t.Fatalf("%d records, want 10", len(m.openRecords()))
	}
	if out := m.Step(epochOfStory, CertificateArrived{w.nullification(5)}); len(out.Store) != 0 || out.Halt != nil {
		t.Errorf("an old certificate found room in a full record: %+v", out)
	}
	out := m.Step(epochOfStory, CertificateArrived{w.nullification(m.view)})
	if out.Halt == nil {
		t.Error("entered a view with no room for its record")
	}
}

// TestOldVotesAreLetGo checks that tallies are dropped maxVoteViews below the current view, and certificates are not.
func TestOldVotesAreLetGo(t *testing.T) {
	w := equalWorld()
	m := newMachine(t, w, 0, Recovered{})
	m.Step(epochOfStory, VotesArrived{[]quorum.VerifiedVote{w.vote(quorum.Vote{Kind: quorum.KindNullify, View: 1, Signer: 1})}})
	for v := quorum.View(1); v <= maxVoteViews; v++ {
		m.Step(epochOfStory, CertificateArrived{w.nullification(v)})
	}
	if m.view != maxVoteViews+1 || m.find(1).tally == nil {
		t.Fatalf("view %d: the votes of view 1 are gone too early", m.view)
	}
	m.Step(epochOfStory, CertificateArrived{w.nullification(m.view)})
	if m.find(1).tally != nil {
		t.Error("the votes of view 1 are still there")
	}
	if _, ok := m.Nullification(1); !ok {
		t.Error("the nullification of view 1 is gone")
	}
	for _, r := range m.records {
		if r.view != 1 && r.tally != nil {
			t.Errorf("view %d has a tally", r.view)
		}
	}
}

// TestRecordsArePruned checks that a growing ledger does not grow the machine.
func TestRecordsArePruned(t *testing.T) {
	w := equalWorld()
	m := newMachine(t, w, 0, Recovered{})
	final := 0
	for _, p := range w.chain(60) {
		m.Step(epochOfStory, ProposalArrived{p})
		m.Step(epochOfStory, BlockValid{p.Header().View, p.Hash()})
		out := m.Step(epochOfStory, CertificateArrived{w.certificate(statementOf(p, quorum.KindFinalize), 1, 2, 3)})
		final += len(out.Finalized)
		if n := len(m.records); n > evidenceViews+2 {
			t.Fatalf("%d records at height %d, at most %d", n, p.Header().Height, evidenceViews+2)
		}
	}
	if final != 60 {
		t.Errorf("%d blocks became final, want 60", final)
	}
}

// TestFetchOrSync pins the edge between fetching blocks and leaving them to sync.
func TestFetchOrSync(t *testing.T) {
	w := equalWorld()
	blocks := w.chain(maxFetchBlocks + 1)
	for height, wantFetch := range map[int]bool{maxFetchBlocks: true, maxFetchBlocks + 1: false} {
		p := blocks[height-1]
		finalization := w.certificate(statementOf(p, quorum.KindFinalize), 1, 2, 3)
		m := newMachine(t, w, 0, Recovered{})
		out := m.Step(epochOfStory, CertificateArrived{finalization})
		if (len(out.Fetch) == 1) != wantFetch || (out.Sync == nil) != wantFetch {
			t.Errorf("at %d blocks: fetch %v, sync %v", height, out.Fetch, out.Sync)
		}
		if wantFetch {
			continue
		}
		if out.Sync.Height != quorum.Height(height) || !slices.Equal(out.Sync.From, []int{1, 2, 3}) {
			t.Errorf("sync to %d from %v", out.Sync.Height, out.Sync.From)
		}
		if again := m.Step(epochOfStory, WorkChanged{}); again.Sync != nil {
			t.Error("sync was asked for twice at once")
		}
		if later := m.Step(epochOfStory.Add(1000), TimerFired{TimerRepeat}); later.Sync == nil {
			t.Error("sync was not asked for again")
		}
		m.Step(epochOfStory.Add(1000), Synced{Tip{Header: p.Header(), Certificate: finalization, EmptyTail: 2}})
		if s := m.Snapshot(); s.FinalHeight != quorum.Height(height) || s.View != quorum.View(height+1) {
			t.Errorf("after sync to %d: final height %d, view %d", height, s.FinalHeight, s.View)
		}
		if later := m.Step(epochOfStory.Add(9000), TimerFired{TimerRepeat}); later.Sync != nil {
			t.Error("sync was asked for after it was done")
		}
	}
}

// TestJustificationLimit checks that a proposal after more than quorum.MaxSkip given-up views carries the newest
// nullifications, and that a validator who holds the others can verify it.
func TestJustificationLimit(t *testing.T) {
	w := equalWorld()
	w.domain.Checker = newQuickSigner(w)
	m := newMachine(t, w, 0, Recovered{})
	m.Step(epochOfStory, WorkChanged{Pending: true})
	var build *BuildRequest
	for m.view < 2*quorum.MaxSkip && (build == nil || build.View < quorum.MaxSkip+2) {
		out := m.Step(epochOfStory, CertificateArrived{w.nullification(m.view)})
		if out.Build != nil {
			build = out.Build
		}
	}
	if n := len(build.Justification.Skip); n != quorum.MaxSkip {
		t.Fatalf("view %d: %d nullifications, want %d", build.View, n, quorum.MaxSkip)
	}
	if last := build.Justification.Skip[quorum.MaxSkip-1].View; last != build.View-1 {
		t.Errorf("the newest nullification is of view %d, want %d", last, build.View-1)
	}
	h := quorum.Header{Version: quorum.HeaderVersion, Genesis: w.domain.Genesis, ValidatorSet: w.domain.Set.Hash(),
		View: build.View, Height: 1, Parent: w.anchor.Hash, TimeMs: int64(epochOfStory), Proposer: 0,
		Justification: build.Justification.Hash(), PayloadRoot: quorum.PayloadRoot(nil)}
	p := quorum.Proposal{Header: h, Justification: build.Justification}
	p.Signature = w.sign(h.Statement()).Signature
	if _, err := quorum.VerifyProposal(w.domain, w.slate, w.anchor, p); err == nil {
		t.Error("a proposal with gaps was verified by somebody who holds nothing")
	}
	if _, err := quorum.VerifyProposalHolding(w.domain, w.slate, w.anchor, p, m.Nullification); err != nil {
		t.Errorf("a proposal was refused by somebody who holds the rest: %v", err)
	}
}

// TestDelay pins growth, cap and reset of D.
func TestDelay(t *testing.T) {
	m := New(equalWorld().config(0), Recovered{})
	for _, c := range []struct {
		view quorum.View
		want Duration
	}{{1, 50}, {2, 50}, {3, 75}, {4, 112}, {12, 2868}, {13, 2868}, {1000, 2868}} {
		m.view = c.view
		if got := m.delay(); got != c.want {
			t.Errorf("D in view %d without finality is %d, want %d", c.view, got, c.want)
		}
	}
	m.cfg.Timing.Base = 5_000
	if got := m.delay(); got != m.cfg.Timing.Max {
		t.Errorf("D is %d, above the cap", got)
	}
	m.top.View = 999
	if got := m.delay(); got != m.cfg.Timing.Max {
		t.Errorf("after a finality D is %d, above the cap", got)
	}
}

// TestDelayFollowsTheNetwork pins how measurements move D.
func TestDelayFollowsTheNetwork(t *testing.T) {
	m := New(equalWorld().config(0), Recovered{})
	m.cfg.Timing.Min = 20
	for range samplesNeeded - 1 {
		m.samples.add(8)
	}
	if m.base() != 50 {
		t.Errorf("D fell to %d on %d samples", m.base(), samplesNeeded-1)
	}
	m.samples.add(8)
	if m.base() != 20 {
		t.Errorf("on a fast network D is %d, want Min 20", m.base())
	}
	m.samples.add(1_000)
	if m.base() != 750 {
		t.Errorf("after a view of 1 s D is %d, want 750", m.base())
	}
	for range sampleCount - 1 {
		m.samples.add(40)
	}
	if m.base() != 750 {
		t.Errorf("D snapped back to %d while the slow view is remembered", m.base())
	}
	m.samples.add(40)
	if m.base() != 30 {
		t.Errorf("after %d views of 40 ms D is %d, want 30", sampleCount, m.base())
	}
	m.samples.add(60_000)
	if want := m.cfg.Timing.Max / 4; m.base() != want {
		t.Errorf("a measured D is %d, want at most %d", m.base(), want)
	}
}

// TestTimely pins the edges of the window for header times.
func TestTimely(t *testing.T) {
	m := New(equalWorld().config(0), Recovered{})
	m.now = epochOfStory
	for _, c := range []struct {
		early int64 // header time minus now
		want  bool
	}{{0, true}, {500, true}, {501, false}, {-600, true}, {-601, false}} {
		if got := m.timely(int64(epochOfStory) + c.early); got != c.want {
			t.Errorf("a header time %d ms ahead is timely: %v", c.early, got)
		}
	}
	m.view = 6 // four failures: 100, 110, 121, 133, 146 ms
	if m.failures() != 4 || !m.timely(int64(epochOfStory)-646) || m.timely(int64(epochOfStory)-647) {
		t.Errorf("after %d failures the allowance did not grow by a tenth each", m.failures())
	}
}

// TestClockMayJump checks that a step back of the clock, and stray timers, do no harm.
func TestClockMayJump(t *testing.T) {
	m := newMachine(t, equalWorld(), 0, Recovered{})
	m.Step(epochOfStory, WorkChanged{Pending: true})
	if out := m.Step(epochOfStory-50_000, TimerFired{TimerNotarize}); len(out.Sign) != 0 || len(out.Timers) != 1 {
		t.Errorf("an early timer was not asked for again: %+v", out)
	}
	if out := m.Step(epochOfStory, TimerFired{TimerID(99)}); len(out.Sign)+len(out.Timers) != 0 {
		t.Errorf("an unknown timer did something: %+v", out)
	}
	if out := m.Step(epochOfStory.Add(151), TimerFired{TimerNotarize}); len(out.Sign) != 1 {
		t.Errorf("a late timer was ignored: %+v", out)
	}
	if out := m.Step(epochOfStory.Add(151), TimerFired{TimerNotarize}); len(out.Sign) != 0 {
		t.Errorf("a repeated timer signed again: %+v", out)
	}
}

// TestPatience checks that after eight views without finality an invalid block no longer ends a view at once.
func TestPatience(t *testing.T) {
	w := equalWorld()
	for failed, wantNullify := range map[quorum.View]bool{patientAfter + 1: true, patientAfter + 2: false} {
		m := newMachine(t, w, 0, Recovered{})
		h := quorum.Header{Height: 1, Parent: w.anchor.Hash, TimeMs: int64(epochOfStory)}
		var j quorum.Justification
		for v := quorum.View(1); v < failed; v++ {
			j.Skip = append(j.Skip, w.nullification(v).Certificate())
		}
		h.View = failed
		p := w.proposal(h, j, nil)
		m.Step(epochOfStory, ProposalArrived{p})
		out := m.Step(epochOfStory, BlockInvalid{View: failed, Hash: p.Hash(), Reason: "test"})
		if (len(out.Sign) == 1) != wantNullify {
			t.Errorf("in view %d with %d failures: signs %v", failed, m.failures(), out.Sign)
		}
		if out := m.Step(epochOfStory.Add(60_000), TimerFired{TimerNotarize}); !wantNullify && len(out.Sign) != 1 {
			t.Errorf("in view %d nobody gives up at all", failed)
		}
	}
}

// TestRecoveryTakesTheHighest feeds journals in bad order and checks watermark and view.
// TestOneVerificationPerView: whatever a leader sends for its view, and however often, one block of it is judged (mistake 14).
func TestOneVerificationPerView(t *testing.T) {
	w := equalWorld()
	h := quorum.Header{View: 1, Height: 1, Parent: w.anchor.Hash, TimeMs: int64(epochOfStory)}
	leader := w.term(0).slate.Leader(1)
	m := newMachine(t, w, (leader+1)%4, Recovered{})
	asked := 0
	for i := range 12 {
		p := w.proposal(h, quorum.Justification{}, [][]byte{{byte(i % 4)}})
		for _, v := range m.Step(epochOfStory, ProposalArrived{Proposal: p}).Validate {
			asked++
			if i > 0 {
				t.Errorf("a verdict on %v is asked for by proposal %d of the view", v.Hash, i)
			}
			m.Step(epochOfStory, BlockValid{View: 1, Hash: v.Hash})
		}
	}
	if asked != 1 {
		t.Errorf("%d blocks of one view were judged", asked)
	}
}

func TestRecoveryTakesTheHighest(t *testing.T) {
	w := equalWorld()
	nullify := func(v quorum.View) quorum.VerifiedVote {
		return w.vote(quorum.Vote{Kind: quorum.KindNullify, View: v, Signer: 0})
	}
	rec := Recovered{
		Votes:        []quorum.VerifiedVote{nullify(5), nullify(9), nullify(3)},
		Certificates: []quorum.VerifiedCertificate{w.nullification(4), w.nullification(2)},
	}
	m := newMachine(t, w, 0, rec)
	if m.view != 9 || m.signed != (Watermark{9, StepExit}) {
		t.Errorf("view %d, watermark %v, want 9 and {9 exit}", m.view, m.signed)
	}
	rec.Certificates = append(rec.Certificates, w.nullification(20))
	if m = newMachine(t, w, 0, rec); m.view != 21 {
		t.Errorf("view %d after a certificate of view 20", m.view)
	}
	rec.Signed = Watermark{30, StepNotarize}
	if m = newMachine(t, w, 0, rec); m.view != 30 || m.signed != rec.Signed {
		t.Errorf("view %d, watermark %v with a signer at 30", m.view, m.signed)
	}
	chain := w.chain(4)
	own := Recovered{OwnProposals: []quorum.VerifiedProposal{chain[3], chain[1], chain[2]}}
	if last := newMachine(t, w, 0, own); last.view != 4 {
		t.Errorf("view %d with an own proposal of view 4 among those found", last.view)
	}
	if out := m.Step(epochOfStory, WorkChanged{Pending: true}); len(out.Timers) == 0 {
		t.Error("no timers after recovery")
	}
	out := m.Step(epochOfStory.Add(600_000), TimerFired{TimerNotarize})
	if len(out.Sign) != 1 || out.Sign[0].Kind != quorum.KindNullify || out.Sign[0].View != 30 {
		t.Errorf("after the watermark {30 notarize} it signs %v, want nullify 30", out.Sign)
	}
}

// TestRecoveryHaltsOnContradiction checks that certificates on disk are compared like any other.
func TestRecoveryHaltsOnContradiction(t *testing.T) {
	w := equalWorld()
	p := w.chain(1)[0]
	m := New(w.config(0), Recovered{Certificates: []quorum.VerifiedCertificate{
		w.nullification(1), w.certificate(statementOf(p, quorum.KindFinalize), 1, 2, 3),
	}})
	if out := m.Step(epochOfStory, Start{}); out.Halt == nil {
		t.Error("started over a finalization and a nullification of one view")
	}
	if out := m.Step(epochOfStory, Start{}); out.Halt != nil {
		t.Error("the halt is reported twice")
	}
}

// TestRestartedLedgerIsDefended gives a node that remembers nothing but its ledger a final chain that leaves its tip out.
func TestRestartedLedgerIsDefended(t *testing.T) {
	w := equalWorld()
	tip := w.chain(1)[0]
	c2 := w.proposal(quorum.Header{View: 2, Height: 1, Parent: w.anchor.Hash, TimeMs: int64(epochOfStory)},
		quorum.Justification{Skip: []quorum.Certificate{w.nullification(1).Certificate()}}, nil)
	c3 := w.proposal(quorum.Header{View: 3, Height: 2, Parent: c2.Hash(), ParentView: 2, TimeMs: int64(epochOfStory) + 1},
		quorum.Justification{Parent: ptr(w.certificate(statementOf(c2, quorum.KindNotarize), 1, 2, 3).Certificate())}, nil)
	m := newMachine(t, w, 0, Recovered{LastFinal: &Tip{
		Header: tip.Header(), Certificate: w.certificate(statementOf(tip, quorum.KindFinalize), 1, 2, 3), EmptyTail: 2}})
	for _, in := range []Input{
		CertificateArrived{w.certificate(statementOf(c3, quorum.KindFinalize), 1, 2, 3)}, ProposalArrived{c3},
	} {
		if out := m.Step(epochOfStory, in); out.Halt != nil {
			t.Fatalf("halted at %T: %s", in, out.Halt.Reason)
		}
	}
	if out := m.Step(epochOfStory, ProposalArrived{c2}); out.Halt == nil || out.Halt.First == nil || out.Halt.Second == nil {
		t.Errorf("a final chain without the ledger's tip was not refused: %+v", out)
	}
}

// TestPayloadIsLetGo checks that a proposal's payload is not kept beyond its verdict, however often it comes.
func TestPayloadIsLetGo(t *testing.T) {
	w := equalWorld()
	m := newMachine(t, w, 3, Recovered{})
	p := w.chain(1)[0]
	for range 3 {
		if out := m.Step(epochOfStory, ProposalArrived{p}); len(out.Validate) > 1 {
			t.Errorf("validate %v", out.Validate)
		}
		m.Step(epochOfStory, BlockValid{1, p.Hash()})
		if m.find(1).block.proposal != nil {
			t.Error("the payload is still there after the verdict")
		}
	}
}

// TestJumpedOverIsNotInactive checks that a node that was away does not take the others for absent.
func TestJumpedOverIsNotInactive(t *testing.T) {
	w := equalWorld()
	m := newMachine(t, w, -1, Recovered{})
	p := w.chain(20)[19]
	m.Step(epochOfStory, CertificateArrived{w.certificate(statementOf(p, quorum.KindFinalize), 1, 2, 3)}) // without A
	for i := range 4 {
		if m.inactive(i) {
			t.Errorf("in view %d, %s counts as inactive", m.view, letter(i))
		}
	}
	m.view = m.peers[0].lastVote + inactiveViews
	if m.inactive(0) {
		t.Errorf("inactive after %d silent views", inactiveViews)
	}
	m.view++
	if !m.inactive(0) {
		t.Errorf("not inactive after more than %d silent views", inactiveViews)
	}
}

// TestSyncedOver checks syncs that change nothing, and one that contradicts the ledger.
func TestSyncedOver(t *testing.T) {
	w := equalWorld()
	blocks := w.chain(3)
	finalization := func(p quorum.VerifiedProposal) quorum.VerifiedCertificate {
		return w.certificate(statementOf(p, quorum.KindFinalize), 1, 2, 3)
	}
	m := newMachine(t, w, 0, Recovered{})
	m.Step(epochOfStory, Synced{Tip{Header: blocks[2].Header(), Certificate: finalization(blocks[2])}})
	for _, p := range blocks {
		m.Step(epochOfStory, Synced{Tip{Header: p.Header(), Certificate: finalization(p)}})
		if s := m.Snapshot(); s.FinalHeight != 3 || s.Halted != nil {
			t.Fatalf("after an old sync: height %d, halted %v", s.FinalHeight, s.Halted)
		}
	}
	other := w.proposal(quorum.Header{View: 4, Height: 3, Parent: blocks[1].Hash(), ParentView: 2, TimeMs: int64(epochOfStory) + 50},
		quorum.Justification{Parent: ptr(w.certificate(statementOf(blocks[1], quorum.KindNotarize), 1, 2, 3).Certificate()),
			Skip: []quorum.Certificate{w.nullification(3).Certificate()}}, nil)
	out := m.Step(epochOfStory, Synced{Tip{Header: other.Header(), Certificate: finalization(other)}})
	if out.Halt == nil {
		t.Error("a sync to another block of the same height went unnoticed")
	}
}

func ptr[T any](v T) *T { return &v }

// TestIgnoresOtherEpochs checks that nothing of another epoch gets in.
func TestIgnoresOtherEpochs(t *testing.T) {
	w := equalWorld()
	m := newMachine(t, w, 0, Recovered{})
	inputs := []Input{
		VotesArrived{[]quorum.VerifiedVote{w.vote(quorum.Vote{Kind: quorum.KindNullify, Epoch: 1, View: 1, Signer: 1})}},
		CertificateArrived{w.certificate(quorum.Vote{Kind: quorum.KindNullify, Epoch: 1, View: 1}, 1, 2, 3)},
		StatusArrived{From: 1, Status: Status{Epoch: 1, View: 5, HasWork: true}},
		StatusArrived{From: 4, Status: Status{View: 5}},
		StatusArrived{From: -1, Status: Status{View: 5}},
		VotesArrived{[]quorum.VerifiedVote{w.vote(quorum.Vote{Kind: quorum.KindProposal, View: 1, Height: 1, Block: crypto.Hash{1}, Signer: 0})}},
		BlockValid{View: 7, Hash: crypto.Hash{1}}, BlockInvalid{View: 7}, BuildFailed{View: 9}, SignRefused{Vote: quorum.Vote{Kind: quorum.KindNotarize, View: 0}},
	}
	for _, in := range inputs {
		out := m.Step(epochOfStory, in)
		if out.Halt != nil || len(out.Sign)+len(out.Store)+len(out.Send) > 0 || m.view != 1 {
			t.Errorf("%T had an effect: %+v", in, out)
		}
	}
}

// TestWatcherNeverSigns runs a machine without a key through a view.
func TestWatcherNeverSigns(t *testing.T) {
	w := equalWorld()
	m := newMachine(t, w, -1, Recovered{})
	p := w.chain(1)[0]
	signed := 0
	for _, in := range []Input{
		WorkChanged{Pending: true}, ProposalArrived{p}, BlockValid{1, p.Hash()}, TimerFired{TimerNotarize},
		CertificateArrived{w.certificate(statementOf(p, quorum.KindNotarize), 1, 2, 3)}, TimerFired{TimerNotarize},
	} {
		out := m.Step(epochOfStory.Add(100_000), in)
		signed += len(out.Sign)
		if out.Build != nil {
			t.Error("a watcher is asked to build")
		}
	}
	out := m.Step(epochOfStory.Add(100_000), CertificateArrived{w.certificate(statementOf(p, quorum.KindFinalize), 1, 2, 3)})
	if signed != 0 || len(out.Finalized) != 1 {
		t.Errorf("signed %d votes, output %d blocks; want 0 and 1", signed, len(out.Finalized))
	}
}

// TestSingleValidator checks the smallest network: one's own vote is a quorum.
func TestSingleValidator(t *testing.T) {
	w := newWorld([]quorum.Power{7}, "A")
	m := newMachine(t, w, 0, Recovered{})
	out := m.Step(epochOfStory, WorkChanged{Pending: true})
	p := w.answer(out.Build, epochOfStory, [][]byte{[]byte("tx")})
	m.Step(epochOfStory, ProposalBuilt{p})
	out = m.Step(epochOfStory, BlockValid{1, p.Hash()})
	var final []Final
	for range 10 {
		var durable []quorum.VerifiedVote
		for _, v := range out.Sign {
			durable = append(durable, w.vote(v))
		}
		out = m.Step(epochOfStory, VotesArrived{durable})
		final = append(final, out.Finalized...)
	}
	if len(final) != 1 || final[0].Hash != p.Hash() {
		t.Errorf("final: %v", final)
	}
}
