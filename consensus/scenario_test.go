package consensus

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// TestScenarios runs testdata/*.txt: stories of one validator among others, told in the words of the protocol. The
// validators are A, B, C … by power. What stands under a command is everything the machine did because of it. Times are
// milliseconds since the start of the story.
//
//	validators stake=(10,3,2,1) leaders=ABCD me=B   the cast; leaders of the first views; who the machine is
//	start                                           the machine begins
//	block b1 view=1 parent=genesis tx=1 time=100    write a block (nothing arrives yet); parent-cert=final, skip-by=(…)
//	block c1 view=1 closing | block t1 view=2 parent=c1 tail=c1   a closing block, and a tail that names it
//	proposal b1 | built b1 | valid b1 | invalid b1 reason=…
//	vote notarize b1 from=(A,C) | vote finalize b1 from=(…) | vote nullify 1 from=(…)
//	certificate notarize b1 [from=(…)] | finalize b1 | nullify 1
//	certificate finalize t1 with-header      (the tail's header travels with it)
//	status from=A view=3 final=1 [height=1] [missing=2] [work]
//	work on|off      wait 100      restart [lose=(votes,certificates,blocks,proposals)]     refuse …
//	synced b5 [by=t1]       snapshot      build-failed 1
//	rounds 20 from=(B,C,D)   these run the chain without the rest, up to this view
//
// The signer is part of the stage: it signs what the machine asks for at once, unless "signer off" has been said.
func TestScenarios(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt") // beside a corpus for fuzzing, if there is one
	if err != nil || len(paths) < 30 {
		t.Fatalf("%d stories, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			s := &stage{t: t}
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				s.t, s.print = t, &strings.Builder{}
				s.run(d)
				if s.print.Len() == 0 {
					return "nothing\n"
				}
				return s.print.String()
			})
		})
	}
}

const epochOfStory Time = 1_000_000 // the clock when a story begins

// stage is one validator's machine with everything around it played by the script.
type stage struct {
	t     *testing.T
	print *strings.Builder

	world   *world
	me      int
	timing  Timing
	machine *Machine
	now     Time
	timers  map[TimerID]Time
	signer  bool
	steps   int // since the cast was called

	view    quorum.View
	blocks  map[string]quorum.VerifiedProposal
	names   map[crypto.Hash]string
	disk    Recovered
	maxOpen int
}

func (s *stage) run(d *datadriven.TestData) {
	switch d.Cmd {
	case "validators":
		s.cast(d)
	case "start":
		s.boot()
	case "block":
		s.writeBlock(d)
	case "proposal":
		s.step(ProposalArrived{s.block(d)})
	case "built":
		p := s.block(d)
		s.disk.OwnProposals = append(s.disk.OwnProposals, p)
		s.step(ProposalBuilt{p})
	case "valid":
		p := s.block(d)
		s.disk.Blocks = append(s.disk.Blocks, p)
		s.step(BlockValid{View: p.Header().View, Hash: p.Hash()})
	case "invalid":
		p := s.block(d)
		reason := "the state root differs"
		d.MaybeScanArgs(s.t, "reason", &reason)
		s.step(BlockInvalid{View: p.Header().View, Hash: p.Hash(), Reason: reason})
	case "vote":
		s.votes(d)
	case "certificate":
		c := s.world.certificate(s.statement(d), s.actors(d, "from")...)
		if d.HasArg("with-header") {
			c = c.WithTail(s.blocks[d.CmdArgs[1].Key].Header())
		}
		s.step(CertificateArrived{c})
	case "status":
		s.status(d)
	case "work":
		s.step(WorkChanged{Pending: d.CmdArgs[0].Key == "on"})
	case "wait":
		s.wait(Duration(s.number(d.CmdArgs[0].Key)))
	case "build-failed":
		s.step(BuildFailed{View: quorum.View(s.number(d.CmdArgs[0].Key))})
	case "refuse":
		v := s.statement(d)
		v.Signer = uint16(s.me)
		s.step(SignRefused{Vote: v})
	case "signer":
		s.signer = d.CmdArgs[0].Key == "on"
	case "restart":
		s.restart(d)
	case "synced":
		s.step(Synced{Tip{Header: s.block(d).Header(), Certificate: s.finality(d), EmptyTail: 0}})
	case "snapshot":
		s.snapshot()
	case "rounds":
		s.rounds(d)
	default:
		s.t.Fatalf("%s: no command %q", d.Pos, d.Cmd)
	}
}

func (s *stage) cast(d *datadriven.TestData) {
	var powers []quorum.Power
	leaders, me := "ABCD", "A"
	if d.HasArg("stake") {
		for _, arg := range d.CmdArgs {
			if arg.Key == "stake" {
				for _, v := range arg.Vals {
					powers = append(powers, quorum.Power(s.number(v)))
				}
			}
		}
	} else {
		powers = []quorum.Power{1, 1, 1, 1}
	}
	d.MaybeScanArgs(s.t, "leaders", &leaders)
	d.MaybeScanArgs(s.t, "me", &me)
	s.world, s.me = newWorld(powers, leaders), int(me[0]-'A')
	if me == "nobody" {
		s.me = -1
	}
	s.timing = DefaultTiming()
	s.timing.MinBlockInterval = 10
	heartbeat := 0
	d.MaybeScanArgs(s.t, "heartbeat", &heartbeat)
	s.timing.MaxBlockInterval = Duration(heartbeat)
	interval := int(s.timing.MinBlockInterval)
	d.MaybeScanArgs(s.t, "interval", &interval)
	s.timing.MinBlockInterval = Duration(interval)
	s.maxOpen = maxOpenViews
	d.MaybeScanArgs(s.t, "open-views", &s.maxOpen)
	s.blocks, s.names = map[string]quorum.VerifiedProposal{}, map[crypto.Hash]string{s.world.anchor.Hash: "genesis"}
	s.disk, s.machine, s.signer, s.steps = Recovered{}, nil, true, 0
	s.now = epochOfStory
	fmt.Fprintf(s.print, "quorum %d of %d, blocking %d\n", s.world.domain.Set.Quorum(), s.world.domain.Set.Total(), s.world.domain.Set.Blocking())
}

func (s *stage) boot() {
	cfg := s.world.config(s.me)
	cfg.Timing = s.timing
	s.timers = map[TimerID]Time{}
	s.machine = New(cfg, s.disk)
	s.machine.maxOpen = s.maxOpen
	s.view = s.machine.view
	fmt.Fprintf(s.print, "in view %d, led by %s\n", s.view, letter(s.machine.leader(s.view)))
	s.step(Start{})
}

func (s *stage) restart(d *datadriven.TestData) {
	for _, arg := range d.CmdArgs {
		if arg.Key != "lose" {
			continue
		}
		for _, what := range arg.Vals {
			switch what {
			case "votes":
				s.disk.Votes = nil
			case "certificates":
				s.disk.Certificates = nil
			case "blocks":
				s.disk.Blocks = nil
			case "proposals":
				s.disk.OwnProposals = nil
			}
		}
	}
	s.boot()
}

// others are all validators but the machine's, if they are a quorum; else nobody, which means everybody.
func (s *stage) others() []int {
	var list []int
	var power quorum.Power
	for i := range s.world.keys {
		if i != s.me {
			list = append(list, i)
			power += s.world.domain.Set.At(i).Power
		}
	}
	if power < s.world.domain.Set.Quorum() {
		return nil
	}
	return list
}

// writeBlock makes a block that follows from the protocol: parent certificate and nullifications are signed by the
// others.
func (s *stage) writeBlock(d *datadriven.TestData) {
	name := d.CmdArgs[0].Key
	parent, view, tx, at, cert := "genesis", 0, 1, int(s.now-epochOfStory), "notarize"
	d.ScanArgs(s.t, "view", &view)
	d.MaybeScanArgs(s.t, "parent", &parent)
	d.MaybeScanArgs(s.t, "tx", &tx)
	d.MaybeScanArgs(s.t, "time", &at)
	d.MaybeScanArgs(s.t, "parent-cert", &cert)
	h := quorum.Header{View: quorum.View(view), Height: 1, Parent: s.world.anchor.Hash, TimeMs: int64(epochOfStory) + int64(at)}
	var closing string
	if d.MaybeScanArgs(s.t, "tail", &closing); closing != "" {
		h.Flags, h.Closing, tx = quorum.FlagTail, s.blocks[closing].Hash(), 0
	}
	if d.HasArg("closing") {
		h.Flags, h.NextValidatorSet = quorum.FlagClosing, s.world.domain.Set.Hash()
	}
	var j quorum.Justification
	if parent != "genesis" {
		p, ok := s.blocks[parent]
		if !ok {
			s.t.Fatalf("%s: no block %q", d.Pos, parent)
		}
		h.Height, h.Parent, h.ParentView = p.Header().Height+1, p.Hash(), p.Header().View
		if h.IsTail() {
			h.Height = p.Header().Height
		}
		v := p.Header().Statement()
		v.Kind = kinds[cert]
		c := s.world.certificate(v, s.others()...).Certificate()
		j.Parent = &c
	}
	for u := h.ParentView + 1; u < h.View; u++ {
		j.Skip = append(j.Skip, s.world.certificate(quorum.Vote{Kind: quorum.KindNullify, View: u}, s.others()...).Certificate())
	}
	var payload [][]byte
	for i := range tx {
		payload = append(payload, fmt.Appendf(nil, "%s/%d", name, i))
	}
	p := s.world.proposal(h, j, payload)
	s.blocks[name], s.names[p.Hash()] = p, name
	fmt.Fprintf(s.print, "%s: %sheight %d, %d transactions, time +%d, by %s\n", name, kindOfBlock(h, closing), h.Height, tx, at, letter(s.world.slate.Leader(h.View)))
}

func kindOfBlock(h quorum.Header, closing string) string {
	switch {
	case h.IsClosing():
		return "closing block, "
	case h.IsTail():
		return "tail of " + closing + ", "
	}
	return ""
}

// finality is the finalization of a block by the others, or, with by=t1, of that tail of it.
func (s *stage) finality(d *datadriven.TestData) quorum.VerifiedCertificate {
	p, tail := s.block(d), ""
	if d.MaybeScanArgs(s.t, "by", &tail); tail != "" {
		p = s.blocks[tail]
	}
	c := s.world.certificate(statementOf(p, quorum.KindFinalize), s.others()...)
	if p.Header().IsTail() {
		c = c.WithTail(p.Header())
	}
	return c
}

var kinds = map[string]quorum.VoteKind{
	"notarize": quorum.KindNotarize, "finalize": quorum.KindFinalize, "nullify": quorum.KindNullify,
}

// statement reads "notarize b1" or "nullify 3".
func (s *stage) statement(d *datadriven.TestData) quorum.Vote {
	kind, ok := kinds[d.CmdArgs[0].Key]
	if !ok {
		s.t.Fatalf("%s: no kind %q", d.Pos, d.CmdArgs[0].Key)
	}
	if kind == quorum.KindNullify {
		return quorum.Vote{Kind: kind, View: quorum.View(s.number(d.CmdArgs[1].Key))}
	}
	p, ok := s.blocks[d.CmdArgs[1].Key]
	if !ok {
		s.t.Fatalf("%s: no block %q", d.Pos, d.CmdArgs[1].Key)
	}
	v := p.Header().Statement()
	v.Kind = kind
	return v
}

func (s *stage) votes(d *datadriven.TestData) {
	var votes []quorum.VerifiedVote
	for _, i := range s.actors(d, "from") {
		v := s.statement(d)
		v.Signer = uint16(i)
		votes = append(votes, s.world.vote(v))
	}
	s.step(VotesArrived{votes})
}

func (s *stage) status(d *datadriven.TestData) {
	var view, final, missing int
	d.ScanArgs(s.t, "view", &view)
	d.MaybeScanArgs(s.t, "final", &final)
	d.MaybeScanArgs(s.t, "missing", &missing)
	var height int
	d.MaybeScanArgs(s.t, "height", &height)
	for _, i := range s.actors(d, "from") {
		s.step(StatusArrived{From: i, Status: Status{
			View: quorum.View(view), FinalView: quorum.View(final), FinalHeight: quorum.Height(height),
			Missing: quorum.View(missing), HasWork: d.HasArg("work"),
		}})
	}
}

// rounds lets the others run the chain up to a view: whoever is there proposes and all of them finalize; the views of the
// rest are nullified. It tells what the last step did.
func (s *stage) rounds(d *datadriven.TestData) {
	whole, there := s.print, s.actors(d, "from")
	to := quorum.View(s.number(d.CmdArgs[0].Key))
	for v := s.machine.view; v <= to; v++ {
		s.print = &strings.Builder{}
		s.now = s.now.Add(20)
		if !slices.Contains(there, s.world.slate.Leader(v)) {
			s.step(CertificateArrived{s.world.certificate(quorum.Vote{Kind: quorum.KindNullify, View: v}, there...)})
			continue
		}
		h, j := s.next(v, there)
		p := s.world.proposal(h, j, nil)
		s.names[p.Hash()] = fmt.Sprintf("r%d", v)
		s.step(ProposalArrived{p})
		s.step(BlockValid{v, p.Hash()})
		s.print = &strings.Builder{}
		f := p.Header().Statement()
		f.Kind = quorum.KindFinalize
		s.step(CertificateArrived{s.world.certificate(f, there...)})
	}
	last := s.print.String()
	s.print = whole
	fmt.Fprintf(s.print, "now +%d\n%s", s.now-epochOfStory, last)
}

// next is the header for view v on the machine's ledger, with its justification.
func (s *stage) next(v quorum.View, there []int) (quorum.Header, quorum.Justification) {
	f := s.machine.final
	h := quorum.Header{View: v, Height: f.height + 1, Parent: f.hash, ParentView: f.view, TimeMs: int64(s.now)}
	var j quorum.Justification
	if f.view > 0 {
		c := f.certificate.Certificate()
		j.Parent = &c
	}
	for u := f.view + 1; u < v; u++ {
		j.Skip = append(j.Skip, s.world.certificate(quorum.Vote{Kind: quorum.KindNullify, View: u}, there...).Certificate())
	}
	return h, j
}

func (s *stage) actors(d *datadriven.TestData, key string) []int {
	var out []int
	for _, arg := range d.CmdArgs {
		if arg.Key == key {
			for _, v := range arg.Vals {
				out = append(out, int(v[0]-'A'))
			}
		}
	}
	return out
}

func (s *stage) block(d *datadriven.TestData) quorum.VerifiedProposal {
	p, ok := s.blocks[d.CmdArgs[0].Key]
	if !ok {
		s.t.Fatalf("%s: no block %q", d.Pos, d.CmdArgs[0].Key)
	}
	return p
}

func (s *stage) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatalf("not a number: %q", text)
	}
	return n
}

// wait lets time pass and fires the timers that are due, in order.
func (s *stage) wait(d Duration) {
	end := s.now.Add(d)
	for {
		id, at, found := TimerID(0), end, false
		for _, candidate := range []TimerID{TimerLead, TimerNotarize, TimerWork, TimerRepeat} {
			if due, ok := s.timers[candidate]; ok && due <= at && (!found || due < at) {
				id, at, found = candidate, due, true
			}
		}
		if !found {
			break
		}
		s.now = max(s.now, at)
		delete(s.timers, id)
		out := s.machine.Step(s.now, TimerFired{id})
		if s.mention(out) {
			fmt.Fprintf(s.print, "+%d %s\n", s.now-epochOfStory, timerNames[id])
		}
		s.perform(out)
	}
	s.now = end
}

var timerNames = map[TimerID]string{TimerLead: "T_lead", TimerNotarize: "T_not", TimerRepeat: "T_r", TimerWork: "work timer"}

// mention reports whether a step did anything worth telling.
func (s *stage) mention(out Output) bool {
	bare := !slices.ContainsFunc(out.Send, func(o Outgoing) bool { return o.Certificate != nil || o.Proposal != nil || len(o.Votes) > 0 })
	return !bare || out.Halt != nil || len(out.Sign)+len(out.Validate)+len(out.Fetch)+len(out.Finalized) > 0 || out.Build != nil || out.Sync != nil
}

func (s *stage) step(in Input) {
	if s.steps++; s.steps > 10_000 {
		s.t.Fatalf("the story does not end:\n%.2000s", s.print.String())
	}
	s.perform(s.machine.Step(s.now, in))
}

// perform tells what the machine wants done, and does it.
func (s *stage) perform(out Output) {
	if out.Halt != nil {
		fmt.Fprintf(s.print, "HALT: %s\n", out.Halt.Reason)
	}
	for _, c := range out.Store {
		fmt.Fprintf(s.print, "holds %s\n", s.describeCertificate(c.Certificate()))
		s.disk.Certificates = append(s.disk.Certificates, c)
	}
	for _, v := range out.Sign {
		fmt.Fprintf(s.print, "signs %s\n", s.describeVote(v))
	}
	if v := s.machine.view; v != s.view {
		s.view = v
		fmt.Fprintf(s.print, "enters view %d, led by %s\n", v, letter(s.machine.leader(v)))
	}
	for _, o := range out.Send {
		s.describeSend(o)
	}
	for _, r := range out.Timers {
		s.timers[r.ID] = r.At
		if r.ID != TimerRepeat {
			fmt.Fprintf(s.print, "%s at +%d\n", timerNames[r.ID], r.At-epochOfStory)
		}
	}
	if b := out.Build; b != nil {
		s.describeBuild(b)
	}
	for _, v := range out.Validate {
		fmt.Fprintf(s.print, "validate %s\n", s.name(v.Hash))
	}
	for _, f := range out.Fetch {
		fmt.Fprintf(s.print, "fetch %s of view %d, height %d, from %s\n", s.name(f.Hash), f.View, f.Height, letters(f.From))
	}
	if q := out.Sync; q != nil {
		fmt.Fprintf(s.print, "sync to height %d\n", q.Height)
	}
	for _, f := range out.Finalized {
		fmt.Fprintf(s.print, "FINAL %s, height %d, by %s\n", s.name(f.Hash), f.Header.Height, s.describeCertificate(f.Certificate.Certificate()))
		s.disk.LastFinal = &Tip{Header: f.Header, Certificate: f.Certificate}
	}
	for _, e := range out.Evidence {
		fmt.Fprintf(s.print, "evidence against %s: %s\n", letter(int(e.Signer())), e.Offence)
		if err := e.Verify(s.world.domain); err != nil {
			s.t.Errorf("evidence does not verify: %v", err)
		}
	}
	if !s.signer {
		return
	}
	for _, v := range out.Sign {
		verified := s.world.vote(v)
		s.disk.Votes = append(s.disk.Votes, verified)
		s.step(VotesArrived{[]quorum.VerifiedVote{verified}})
	}
}

func (s *stage) describeSend(o Outgoing) {
	to := "everyone"
	if o.To != Everyone {
		to = letter(o.To)
	}
	switch {
	case o.Proposal != nil:
		fmt.Fprintf(s.print, "sends %s the proposal %s\n", to, s.name(o.Proposal.Hash()))
	case o.Certificate != nil:
		fmt.Fprintf(s.print, "sends %s the %s\n", to, s.describeCertificate(o.Certificate.Certificate()))
	case len(o.Votes) > 0:
		for _, v := range o.Votes {
			fmt.Fprintf(s.print, "sends %s %s again\n", to, s.describeVote(v.Vote()))
		}
	case o.To != Everyone:
		fmt.Fprintf(s.print, "sends %s its status: view %d, final view %d\n", to, o.Status.View, o.Status.FinalView)
	}
}

func (s *stage) describeBuild(b *BuildRequest) {
	what := "block"
	if !b.Closing.IsZero() {
		what = "tail of " + s.name(b.Closing)
	} else if b.Empty {
		what = "empty block"
	}
	var skipped []string
	for _, c := range b.Justification.Skip {
		skipped = append(skipped, strconv.FormatUint(uint64(c.View), 10))
	}
	fmt.Fprintf(s.print, "build %s for view %d, height %d on %s, not before +%d", what, b.View, b.Height, s.name(b.Parent), b.NotBefore-epochOfStory)
	if len(skipped) > 0 {
		fmt.Fprintf(s.print, ", skipping %s", strings.Join(skipped, " "))
	}
	fmt.Fprintln(s.print)
}

func (s *stage) describeVote(v quorum.Vote) string {
	if v.Kind == quorum.KindNullify {
		return fmt.Sprintf("nullify %d", v.View)
	}
	return fmt.Sprintf("%s %s (view %d)", v.Kind, s.name(v.Block), v.View)
}

func (s *stage) describeCertificate(c quorum.Certificate) string {
	switch c.Kind {
	case quorum.KindNullify:
		return fmt.Sprintf("nullification of view %d", c.View)
	case quorum.KindFinalize:
		if c.Tail != nil {
			return fmt.Sprintf("finalization of %s (view %d), which ends the epoch at %s", s.name(c.Block), c.View, s.name(c.Finalizes()))
		}
		return fmt.Sprintf("finalization of %s (view %d)", s.name(c.Block), c.View)
	}
	return fmt.Sprintf("notarization of %s (view %d)", s.name(c.Block), c.View)
}

func (s *stage) name(h crypto.Hash) string {
	if n, ok := s.names[h]; ok {
		return n
	}
	return "?" + h.Short()
}

func (s *stage) snapshot() {
	v := s.machine.Snapshot()
	over := ""
	if v.Over {
		over = ", over"
	}
	fmt.Fprintf(s.print, "view %d led by %s, final height %d in view %d, D %d ms, open views %d, active %v%s\n",
		v.View, letter(v.Leader), v.FinalHeight, v.FinalView, v.Timeout, v.OpenViews, v.Active, over)
}

func letters(list []int) string {
	if len(list) == 0 {
		return "anyone"
	}
	var out []string
	for _, i := range list {
		out = append(out, letter(i))
	}
	return strings.Join(out, " ")
}
