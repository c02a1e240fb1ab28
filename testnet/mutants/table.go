package main

import "slices"

// table is all mistakes.
func table() []mutant { return slices.Concat(mutants, ruleMutants) }

// The tests that notice. Patterns name tests of the ordinary suite; flags shrink what is random, never what is fixed.
const (
	machine   = "./consensus Test(Scenarios|World|Network|VoteWindow|Delay|Timely|Patience|Recovery.*|GarbageCertificates.*|VoteFlood.*)$"
	storm     = "./testnet/explore Test(Twins|Storm)$"
	schedules = "./testnet/sim TestSchedules$"
	rules     = "./consensus/quorum Test"
	books     = "./ledger Test(Stake|Ev|NoEscape|MoneyThat|Unbonding|Election|Rotation|Correlation|HandOver|HeldBack|Closes|Blocks)"
	journal   = "./node/journal Test"
	keeper    = "./node/signer TestSigner(Rule|Reserve|Boundaries|Backups|Conflict|Recover|FailedWrite|Corruption|CreateCrash)"

	// The engine's own copy of the signer's rule: taken away beside the rule that it backs up.
	signGuard = "|| !m.signed.Less(mark) {"

	fewStorms    = "-runs 800"
	fewSchedules = "-runs 400"
	fewPoints    = "-points 5000"
)

// mutants is the part of the table about agreement and stake. Numbers are rows of the list of classical mistakes, A and C numbers attacks that hit others.
var mutants = []mutant{
	// Tally, quorum, certificates.
	{name: "quorum of half", mistake: "9", file: "consensus/quorum/set.go", tests: rules,
		old: "return 2*total/3 + 1", new: "return total/2 + 1"},
	{name: "quorum of two thirds, not more", mistake: "9", file: "consensus/quorum/set.go", tests: rules,
		old: "return 2*total/3 + 1", new: "return (2*total + 2) / 3"},
	{name: "heads instead of stake, tally", mistake: "8", file: "consensus/quorum/tally.go", tests: rules,
		old: "t.power[choiceOf(&v.vote)] += t.domain.Set.At(int(v.vote.Signer)).Power",
		new: "t.power[choiceOf(&v.vote)] += t.domain.Set.Total() / Power(t.domain.Set.Len())"},
	{name: "heads instead of stake, certificate", mistake: "8", file: "consensus/quorum/certificate.go", tests: rules,
		old: "\t\tpower += v.Power\n\t\tchecks = append(", new: "\t\tpower += d.Set.Total() / Power(d.Set.Len())\n\t\tchecks = append("},
	{name: "power of a certificate unchecked", mistake: "15, A22", file: "consensus/quorum/certificate.go", tests: rules,
		old: "if power < d.Set.Quorum() {\n\t\treturn nil, refuse(ErrPower, \"signers",
		new: "if power == 0 {\n\t\treturn nil, refuse(ErrPower, \"signers"},
	{name: "duplicate signer counted twice", mistake: "10", file: "consensus/quorum/tally.go", tests: rules,
		old: "\t\tif choiceOf(&other.vote) == choiceOf(&v.vote) {\n\t\t\treturn false, nil\n\t\t}",
		new: "\t\tif choiceOf(&other.vote) == choiceOf(&v.vote) {\n\t\t\tcontinue\n\t\t}"},
	{name: "one bad signature does not matter", mistake: "12", file: "consensus/quorum/certificate.go", tests: rules,
		old: "if bad := slices.Index(valid[start:ends[i]], false); bad >= 0 {",
		new: "if bad := slices.Index(valid[start:ends[i]], false); bad > 0 {"},
	{name: "result of another check taken", mistake: "12", file: "consensus/quorum/vote.go", tests: rules,
		old: "\t\ti := asked[j]\n", new: "\t\ti := asked[len(asked)-1-j]\n"},
	{name: "no domain separation by kind", mistake: "11, C6", file: "consensus/quorum/vote.go", tests: rules,
		old: "b = append(b, byte(v.Kind))\n\tb = append(b, genesis[:]...)", new: "b = append(b, 0)\n\tb = append(b, genesis[:]...)"},
	{name: "votes do not name the set", mistake: "11, 20", file: "consensus/quorum/vote.go", tests: rules,
		old: "b = append(b, set[:]...)", new: "b = append(b, genesis[:]...)"},
	{name: "high S accepted", mistake: "27, C1", file: "crypto/signature.go",
		tests: "./crypto Test(OnlyOneEncoding|Signature|VerifyBatch)",
		old:   "if ss.IsOverHalfOrder() {", new: "if ss.IsZero() {"},
	{name: "evidence depends on the order", mistake: "27", file: "consensus/quorum/evidence.go", tests: rules,
		old: "if compareStatements(&a, &b) > 0 {", new: "if compareStatements(&a, &b) == 0 {"},
	{name: "two encodings are two votes", mistake: "27", file: "consensus/quorum/evidence.go", tests: rules,
		old: "different := a.Height != b.Height || a.Block != b.Block",
		new: "different := a.Height != b.Height || a.Signature != b.Signature"},

	// What a proposal must show.
	{name: "skipped views need no nullification", mistake: "6", file: "consensus/quorum/justify.go", tests: rules,
		old: "\t\t\tif known.IsZero() {\n\t\t\t\treturn nil, nil, refuse(",
		new: "\t\t\tif known.IsZero() && v == 0 {\n\t\t\t\treturn nil, nil, refuse("},
	{name: "nullifications are not verified", mistake: "6, 15", file: "consensus/quorum/justify.go", tests: rules,
		old: "for _, i := range unknown {\n\t\task = append(ask, skip[i].certificate)\n\t}", new: "unknown = nil"},
	{name: "parent is not what is certified", mistake: "6", file: "consensus/quorum/justify.go", tests: rules,
		old: "parent.View != h.ParentView || parent.Block != h.Parent || ", new: "parent.View != h.ParentView || "},
	{name: "payload root unchecked", mistake: "A1, C5", file: "consensus/quorum/proposal.go", tests: rules,
		old: "if PayloadRoot(p.Payload) != p.Header.PayloadRoot {", new: "if p.Header.PayloadRoot.IsZero() {"},
	{name: "any validator may propose", mistake: "33", file: "consensus/quorum/proposal.go", tests: rules,
		old: "if leader := slate.Leader(h.View); int(h.Proposer) != leader {",
		new: "if leader := slate.Leader(h.View); int(h.Proposer) >= d.Set.Len() {"},

	// The engine.
	{name: "finalizes after nullify", mistake: "17", file: "consensus/vote.go", tests: storm, flags: fewStorms,
		old: "|| r.notarized != b.hash || r.exit != 0 {", new: "|| r.notarized != b.hash || r.exit == quorum.KindFinalize {",
		also: signGuard, into: "|| v.Kind != quorum.KindFinalize && !m.signed.Less(mark) {"},
	{name: "notarizes twice in a view", mistake: "2", file: "consensus/vote.go", tests: storm, flags: fewStorms,
		old:  "if b.verdict != valid || !r.notarized.IsZero() || r.exit != 0 ||",
		new:  "if b.verdict != valid || r.notarized == b.hash || r.exit != 0 ||",
		also: signGuard, into: "|| v.Kind != quorum.KindNotarize && !m.signed.Less(mark) {"},
	{name: "joins a nullification of a few", mistake: "7", file: "consensus/view.go", tests: "./consensus Test",
		old: "if r.expired || hopeless &&", new: "if r.expired || m.givenUpByOthers(r) || hopeless &&"},
	{name: "who nullified does not follow", mistake: "17", file: "consensus/certify.go", tests: machine,
		old: "case m.view <= c.View:\n\t\tm.enter(",
		new: "case m.view <= c.View && (c.Kind == quorum.KindNullify || r.exit != quorum.KindNullify):\n\t\tm.enter("},
	{name: "no rebroadcast", mistake: "16", file: "consensus/repair.go", tests: storm, flags: fewStorms,
		old: "m.send(Outgoing{To: Everyone, Votes: m.repeatVotes()})", new: "m.send(Outgoing{To: Everyone})"},
	{name: "no certificate repair", mistake: "16", file: "consensus/repair.go", tests: machine,
		old: "if c := m.repairFor(s); c != nil && m.now", new: "if c := m.repairFor(s); c != nil && m.now < 0 && m.now"},
	{name: "timeout without a cap", mistake: "18", file: "consensus/timing.go", tests: machine,
		old: "return min(d, m.cfg.Timing.Max)\n}\n\n// leadTime", new: "return d\n}\n\n// leadTime"},
	{name: "timeout never reset", mistake: "18", file: "consensus/timing.go", tests: machine,
		old: "m.view - min(m.view, m.topView())", new: "m.view"},
	{name: "unbounded future votes", mistake: "13, A9", file: "consensus/record.go", tests: "./consensus Test",
		old: "return v <= m.view+1 && (v+maxVoteViews", new: "return (v+maxVoteViews"},
	{name: "every variant is verified", mistake: "14", file: "consensus/propose.go", tests: "./consensus TestOneVerificationPerView$",
		old: "if r.view <= m.final.view || r.block.present() || m.final.over {", new: "if r.view <= m.final.view || m.final.over {",
		also: "case wanted.IsZero() && r.view == m.view:\n", into: "case !r.block.certified && r.view == m.view:\n\t\tr.block = block{}\n"},
	{name: "certified block does not replace", mistake: "33", file: "consensus/certify.go", tests: machine,
		old: "\t\tr.block = block{hash: hash, height: height}\n", new: "\t\treturn\n"},
	{name: "wrong time is invalid for good", mistake: "19, 31", file: "consensus/propose.go", tests: machine,
		old: "r.block.timely = m.timely(h.TimeMs)\n\t\tm.take(r, p)",
		new: "r.block.timely = m.timely(h.TimeMs)\n\t\tm.take(r, p)\n\t\tif !r.block.timely {\n\t\t\tm.refuse(r)\n\t\t}"},
	{name: "time is not monotone", mistake: "19, A23", file: "consensus/propose.go", tests: machine,
		old: "if b.header.TimeMs <= p.timeMs || !follows", new: "if !follows"},
	{name: "old epoch's votes accepted", mistake: "4, 21", file: "consensus/vote.go", tests: "./consensus Test",
		old: "if m.halt != nil || v.Epoch != m.cfg.Epoch || v.Kind", new: "if m.halt != nil || v.Kind"},
	{name: "old epoch's certificates accepted", mistake: "4, 21", file: "consensus/certify.go", tests: "./consensus Test",
		old: "if m.halt != nil || c.Epoch != m.cfg.Epoch {", new: "if m.halt != nil {"},
	{name: "tail is a block of the ledger", mistake: "21", file: "consensus/chain.go", tests: "./consensus Test",
		old: "if closing.IsZero() {\n\t\treturn !h.IsTail()", new: "if closing.IsZero() || !h.IsTail() {\n\t\treturn !h.IsTail()"},
	{name: "last record instead of the highest", mistake: "4", file: "consensus/recover.go", tests: "./consensus TestRecovery",
		old: "&& m.signed.Less(mark) {", new: "{"},
	{name: "fork goes unnoticed", mistake: "32", file: "consensus/certify.go", tests: "./consensus Test",
		old: "if other := r.contradiction(c); other != nil {\n\t\tm.stopOn(other, &vc)\n\t\treturn\n\t}\n\tslot",
		new: "slot"},
	{name: "second process with the key unseen", mistake: "3", file: "consensus/vote.go", tests: "./consensus Test",
		old: "if int(v.Signer) == m.cfg.Self && m.foreign(v) {", new: "if int(v.Signer) == m.cfg.Self && m.halt != nil {"},

	// Signer and journal.
	{name: "signer forgets its watermark", mistake: "1, 2", file: "node/signer/file.go", tests: keeper,
		old: "\t\ts.Mark = MarkOf(r.Vote)\n", new: ""},
	{name: "signer signs below its mark", mistake: "1", file: "node/signer/file.go", tests: keeper,
		old: "if at := MarkOf(v); !s.Mark.Less(at) {", new: "if at := MarkOf(v); at.View == 0 {"},
	{name: "signer finalizes what it did not notarize", mistake: "2", file: "node/signer/file.go", tests: keeper,
		old: "if own := s.find(notarize.Vote); own == nil || !own.same(notarize) {",
		new: "if own := s.find(notarize.Vote); own != nil && !own.same(r) && own.Vote.View == 0 {"},
	{name: "old copy of the signer accepted", mistake: "1", file: "node/signer/signer.go", tests: keeper,
		old: "if s.Ceiling.Less(k.Mark) || s.ProposedCeiling.Less(k.Proposed) {", new: "if s.ProposedCeiling.Less(k.Proposed) {"},
	{name: "old copy of the journal accepted", mistake: "1", file: "node/signer/signer.go", tests: keeper,
		old: "if covered := later(later(k.Mark, s.Raised), begin); covered.Less(s.Since) {",
		new: "if covered := later(later(k.Mark, s.Raised), begin); covered.View > s.Since.View+1<<60 {"},
	{name: "signer does not wait for its disk", mistake: "1, C10", file: "node/signer/file.go", tests: keeper,
		old: "if err := f.persist(f.reserve()); err != nil {\n\t\treturn nil, err\n\t}\n\treturn answers, nil",
		new: "f.reserve()\n\tif err := f.persist(false); err != nil {\n\t\treturn nil, err\n\t}\n\treturn answers, nil"},
	{name: "no fsync before a vote", mistake: "1, C10", file: "node/journal/journal.go", tests: journal, flags: fewPoints,
		old: "if err := j.disk.Write(ops, true); err != nil {", new: "if err := j.disk.Write(ops, false); err != nil {"},
	{name: "no fsync before a proposal", mistake: "2, C10", file: "node/journal/journal.go", tests: journal, flags: fewPoints,
		old: "\tj.unsynced = true\n", new: ""},
	{name: "proposes twice in a view", mistake: "2", file: "node/journal/journal.go", tests: journal, flags: fewPoints,
		old: "if h.View <= j.proposed {", new: "if h.View < j.proposed {"},
	{name: "journal forgets its votes at a restart", mistake: "1, 4", file: "node/journal/open.go", tests: journal, flags: fewPoints,
		old: "\t\tj.remember(r.Verified)\n", new: ""},
	{name: "notarized block not stored", mistake: "1", file: "node/journal/journal.go", tests: journal, flags: fewPoints,
		old: "for _, b := range blocks {\n\t\tops", new: "for _, b := range blocks[len(blocks):] {\n\t\tops"},
	{name: "failed write forgotten", mistake: "1", file: "node/journal/journal.go", tests: journal, flags: fewPoints,
		old: "\tif j.failed == nil {\n\t\tj.failed = err\n\t}\n\treturn err", new: "\treturn err"},

	// Sync.
	{name: "sync run not certified", mistake: "15", file: "node/sync/fetcher.go", tests: "./node/sync Test",
		old: "\tif result.Err != nil {\n\t\treturn none, refuse(ErrCertificate, \"height",
		new: "\tif result.Err != nil && len(blocks) == 0 {\n\t\treturn none, refuse(ErrCertificate, \"height"},
	{name: "sync takes blocks of another epoch", mistake: "15, 21", file: "node/sync/fetcher.go", tests: "./node/sync Test",
		old: "if h.Epoch != f.epoch || h.ValidatorSet != f.domain.Set.Hash() || h.IsTail() {",
		new: "if h.ValidatorSet != f.domain.Set.Hash() || h.IsTail() {"},
	{name: "next set not held against its hash", mistake: "15, 20", file: "node/sync/fetcher.go", tests: "./node/sync Test",
		old: "|| b.Next != nil && b.Next.Hash() != h.NextValidatorSet {", new: "{"},
	{name: "unasked answers are decoded", mistake: "A6", file: "node/sync/fetcher.go", tests: "./node/sync Test",
		old: "if f.pending == nil || f.pending.Peer != from {", new: "if f.pending == nil {"},
	{name: "a silent peer is waited for", mistake: "A3, A4", file: "node/sync/fetcher.go", tests: "./node/sync Test",
		old: "if nowMs-f.asked < AnswerTimeoutMs {", new: "if nowMs-f.asked < 1<<40 {"},
	{name: "peers are trusted about the height", mistake: "15, A3", file: "node/sync/fetcher.go", tests: "./node/sync Test",
		old: "if p.claimed > tip.Height && nowMs >= p.until {", new: "if p.claimed > tip.Height {"},
	{name: "lying peers are asked again at once", mistake: "A4, A5", file: "node/sync/fetcher.go", tests: "./node/sync Test",
		old: "p.until = nowMs + min(", new: "p.until = nowMs - min("},
	{name: "payload of synced blocks unchecked", mistake: "15", file: "node/sync/fetcher.go", tests: "./node/sync Test",
		old: "|| quorum.PayloadRoot(b.Payload) != h.PayloadRoot {", new: "{"},

	// The replica.
	{name: "result of execution unchecked", mistake: "28", file: "node/blocks.go", tests: schedules, flags: fewSchedules,
		old: "if h.ExecStateRoot != result.StateRoot || h.ExecReceiptsRoot != result.ReceiptsChain {", new: "if h.ExecStateRoot.IsZero() {"},
	{name: "who closes an epoch unchecked", mistake: "21", file: "node/blocks.go", tests: "./node TestClosingRuleIsChecked$",
		old: "case next == nil && h.IsClosing():\n", new: "case next == nil && h.IsClosing() && h.Height == 0:\n"},
	{name: "elected set unchecked", mistake: "20", file: "node/blocks.go", tests: "./node TestClosingRuleIsChecked$",
		old: "case next.Hash() != h.NextValidatorSet:", new: "case h.NextValidatorSet.IsZero():"},

	// Epochs and stake.
	{name: "all power may change at once", mistake: "A20", file: "consensus/quorum/limit.go", tests: rules,
		old: "if m.cuts+m.growth <= m.limit {", new: "if m.cuts+m.growth <= 6*m.limit {"},
	{name: "slashed twice", mistake: "24", file: "ledger/evidence.go", tests: books,
		old: "done := get[Tombstone](b.o, TombstoneKey(set.Members[i].Operator)); done {",
		new: "done := get[Tombstone](b.o, TombstoneKey(set.Members[i].Operator)); done && stone.View == e.First.View {"},
	{name: "tombstone forgotten", mistake: "24", file: "ledger/evidence.go", tests: books,
		old: "\tv.Tombstoned = true\n", new: ""},
	{name: "unbonding escapes", mistake: "23", file: "ledger/evidence.go", tests: books,
		old: "if r.Validator == id && r.Epoch >= epoch {", new: "if r.Validator == id && r.Epoch > epoch+1000 {"},
	{name: "old evidence counts", mistake: "23", file: "ledger/evidence.go", tests: books,
		old: "\tif b.outOfWindow(epoch) {\n\t\treturn refuse(CodeEvidenceOld",
		new: "\tif b.outOfWindow(epoch) && epoch > b.epoch.Number {\n\t\treturn refuse(CodeEvidenceOld"},
	{name: "evidence against a stranger", mistake: "26", file: "ledger/evidence.go", tests: books,
		old: "if i >= len(set.Members) || set.Members[i].Key != p.Validator {", new: "if i >= len(set.Members) {"},
	{name: "evidence names another set", mistake: "20, 26", file: "ledger/evidence.go", tests: books,
		old: "hash != p.ValidatorSet {", new: "hash.IsZero() {"},
	{name: "money is free before its time", mistake: "23", file: "ledger/stake.go", tests: books,
		old: "if !ok || !b.outOfWindow(e.Epoch) {", new: "if !ok || e.Epoch > b.epoch.Number {"},
	{name: "next set of the ledger unchecked", mistake: "20", file: "ledger/light/handover.go", tests: "./ledger/light Test",
		old: "case next == nil || next.Hash() != closing.NextValidatorSet:", new: "case next == nil:"},
}
