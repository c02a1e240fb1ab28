package consensus

import (
	"sync"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// garbage drives one machine, A's, with inputs that bytes choose: everything is signed, nothing needs make sense.
type garbage struct {
	t    *testing.T
	data []byte
	w    *world
	m    *Machine
	now  Time

	headers []quorum.Header // of all proposals so far, and one nobody proposed; the anchor is the zero header
	signed  Watermark
	height  quorum.Height
	build   *BuildRequest
	halted  bool
	over    bool

	coherent map[quorum.View]*certifiedView // nil: certificates contradict each other as they like
}

// certifiedView is what the liars' certificates of a view have said so far.
type certifiedView struct {
	block       crypto.Hash
	height      quorum.Height
	final, null bool
}

// allowed reports whether a certificate may be made: in the mode in which no two of one view contradict each other, so
// that the machine does not halt at once, only if it fits those before.
func (g *garbage) allowed(v quorum.Vote) bool {
	if g.coherent == nil {
		return true
	}
	c := g.coherent[v.View]
	if c == nil {
		c = &certifiedView{}
		g.coherent[v.View] = c
	}
	if v.Kind == quorum.KindNullify {
		c.null = c.null || !c.final
		return !c.final
	}
	if c.block != noBlock && (c.block != v.Block || c.height != v.Height) || v.Kind == quorum.KindFinalize && c.null {
		return false
	}
	c.block, c.height, c.final = v.Block, v.Height, c.final || v.Kind == quorum.KindFinalize
	return true
}

// garbageWorld is made once: keys and slates are dear.
var garbageWorld = sync.OnceValue(func() *world {
	w := newWorld([]quorum.Power{1, 1, 1, 1}, "BCDA")
	w.domain.Checker = newQuickSigner(w)
	return w
})

func newGarbage(t *testing.T, data []byte) *garbage {
	w := *garbageWorld()
	w.votes, w.proposals = map[quorum.Vote]quorum.VerifiedVote{}, map[proposalKey]quorum.VerifiedProposal{}
	g := &garbage{t: t, data: data, w: &w, now: epochOfStory, m: New(w.config(0), Recovered{})}
	g.headers = []quorum.Header{{}, {View: 3, Height: 2, TimeMs: 1}}
	if g.pick(4) > 0 {
		g.coherent = map[quorum.View]*certifiedView{}
	}
	g.step(Start{})
	return g
}

// pick takes one byte, modulo n; 0 when there is none left.
func (g *garbage) pick(n int) int {
	if len(g.data) == 0 {
		return 0
	}
	b := g.data[0]
	g.data = g.data[1:]
	return int(b) % n
}

func (g *garbage) header() quorum.Header { return g.headers[g.pick(len(g.headers))] }

func (g *garbage) hash(h quorum.Header) crypto.Hash {
	if h.View == 0 {
		return g.w.anchor.Hash
	}
	return h.Hash()
}

func (g *garbage) view() quorum.View {
	if v := g.pick(10); v < 9 {
		return quorum.View(v + 1)
	}
	return quorum.View(1) << (7 * g.pick(9))
}

// statement is any vote that has the form of one.
func (g *garbage) statement() quorum.Vote {
	v := quorum.Vote{Kind: quorum.VoteKind(2 + g.pick(3))}
	h := g.header()
	if v.View = h.View; v.View == 0 || g.pick(4) == 0 {
		v.View = g.view()
	}
	if v.Kind != quorum.KindNullify {
		v.Block = g.hash(h)
		if v.Height = h.Height; v.Height == 0 || g.pick(8) == 0 {
			v.Height = quorum.Height(1 + g.pick(4))
		}
	}
	return v
}

func (g *garbage) certificate(v quorum.Vote) quorum.VerifiedCertificate {
	return g.w.certificate(v, 1, 2, 3)
}

func (g *garbage) act() {
	switch g.pick(12) {
	case 0:
		v := g.statement()
		v.Signer = uint16(1 + g.pick(3))
		g.step(VotesArrived{[]quorum.VerifiedVote{g.w.vote(v)}})
	case 1:
		if v := g.statement(); g.allowed(v) {
			g.step(CertificateArrived{g.withHeader(g.certificate(v))})
		}
	case 2, 3:
		g.propose()
	case 4:
		h := g.header()
		g.step(BlockValid{h.View, g.hash(h)})
	case 5:
		h := g.header()
		g.step(BlockInvalid{h.View, g.hash(h), "garbage"})
	case 6:
		g.now = g.now.Add(Duration(g.pick(12) * 40))
		g.step(TimerFired{TimerID(g.pick(6))})
	case 7:
		g.step(WorkChanged{Pending: g.pick(2) == 1})
	case 8:
		g.step(StatusArrived{From: g.pick(6) - 1, Status: Status{View: g.view(), FinalView: g.view(), FinalHeight: quorum.Height(g.pick(5)), Missing: g.view(), HasWork: g.pick(2) == 1}})
	case 9:
		h := g.header()
		v := quorum.Vote{Kind: quorum.KindFinalize, View: max(1, h.View), Height: max(1, h.Height), Block: g.hash(h)}
		if !g.allowed(v) {
			return
		}
		g.step(Synced{Tip{Header: h, Certificate: g.withHeader(g.certificate(v)), EmptyTail: uint64(g.pick(3))}})
	case 10:
		g.step(SignRefused{g.statement()})
	case 11:
		g.answerBuild()
	}
}

// withHeader attaches the header of the tail if the certificate is a finalization of one.
func (g *garbage) withHeader(c quorum.VerifiedCertificate) quorum.VerifiedCertificate {
	for _, h := range g.headers[2:] {
		if cert := c.Certificate(); h.IsTail() && cert.Kind == quorum.KindFinalize && cert.Block == h.Hash() && cert.View == h.View && cert.Height == h.Height {
			return c.WithTail(h)
		}
	}
	return c
}

// propose lets a leader sign a proposal of its own taste, on any block; it arrives if it is justified.
func (g *garbage) propose() {
	parent := g.header()
	h := quorum.Header{View: parent.View + 1 + quorum.View(g.pick(3)), Parent: g.hash(parent), ParentView: parent.View, Height: parent.Height + 1}
	h.TimeMs = int64(g.now) + int64(g.pick(12)-4)*150
	var j quorum.Justification
	if parent.View > 0 {
		v := quorum.Vote{Kind: quorum.VoteKind(2 + g.pick(2)), View: parent.View, Height: parent.Height, Block: g.hash(parent)}
		if !g.allowed(v) {
			return
		}
		j.Parent = ptr(g.certificate(v).Certificate())
	}
	for v := parent.View + 1; v < h.View && v < parent.View+8; v++ {
		x := quorum.Vote{Kind: quorum.KindNullify, View: v}
		if !g.allowed(x) {
			return
		}
		j.Skip = append(j.Skip, g.certificate(x).Certificate())
	}
	switch g.pick(6) {
	case 0:
		h.Flags, h.NextValidatorSet = quorum.FlagClosing, g.w.domain.Set.Hash()
	case 1, 2:
		h.Flags, h.Height = quorum.FlagTail, max(1, parent.Height)
		if h.Closing = parent.Closing; h.Closing.IsZero() || g.pick(4) == 0 {
			h.Closing = g.hash(g.header())
		}
	}
	g.deliver(h, j)
}

func (g *garbage) deliver(h quorum.Header, j quorum.Justification) {
	if g.w.slate.Leader(h.View) == 0 {
		return
	}
	h.Version, h.Genesis, h.ValidatorSet, h.Proposer = quorum.HeaderVersion, g.w.domain.Genesis, g.w.domain.Set.Hash(), uint16(g.w.slate.Leader(h.View))
	h.Justification, h.PayloadRoot = j.Hash(), quorum.PayloadRoot(nil)
	p := quorum.Proposal{Header: h, Justification: j, Signature: g.w.sign(h.Statement()).Signature}
	verified, err := quorum.VerifyProposalHolding(g.w.domain, g.w.slate, g.w.anchor, p, g.m.Nullification)
	if err != nil {
		return
	}
	g.headers = append(g.headers, h)
	g.step(ProposalArrived{verified})
}

func (g *garbage) answerBuild() {
	if g.build == nil {
		g.step(BuildFailed{g.view()})
		return
	}
	b := g.build
	g.build = nil
	p := g.w.answer(b, max(g.now, b.NotBefore), nil)
	g.headers = append(g.headers, p.Header())
	g.step(ProposalBuilt{p})
}

// step checks everything that must hold whatever the others do.
func (g *garbage) step(in Input) {
	out := g.m.Step(g.now, in)
	if g.halted && !nothingIn(out) {
		g.t.Fatalf("halted, and it does %+v", out)
	}
	wants := len(out.Sign) + len(out.Validate) + len(out.Fetch) + len(out.Finalized) + len(out.Store)
	if g.over && (wants > 0 || out.Build != nil || out.Sync != nil) {
		g.t.Fatalf("over, and it wants %+v", out)
	}
	g.halted, g.over = out.Halt != nil || g.halted, g.m.Snapshot().Over
	if out.Build != nil {
		g.build = out.Build
	}
	for _, f := range out.Finalized {
		if f.Header.IsTail() || f.Header.Height <= g.height {
			g.t.Fatalf("outputs height %d after %d, flags %d", f.Header.Height, g.height, f.Header.Flags)
		}
	}
	g.height = g.m.Snapshot().FinalHeight
	if n := len(g.m.records); n > maxOpenViews+evidenceViews+2 {
		g.t.Fatalf("%d records", n)
	}
	for _, v := range out.Sign {
		mark := Watermark{v.View, StepOf(v.Kind)}
		if !g.signed.Less(mark) {
			g.t.Fatalf("asks to sign %s of view %d after %v", v.Kind, v.View, g.signed)
		}
		g.signed = mark
	}
	for _, v := range out.Sign {
		if g.pick(8) > 0 { // else the journal is slow for ever
			g.step(VotesArrived{[]quorum.VerifiedVote{g.w.vote(v)}})
		}
	}
}

// nothingIn reports whether an output asks for nothing.
func nothingIn(o Output) bool {
	return o.Halt == nil && len(o.Store)+len(o.Sign)+len(o.Send)+len(o.Timers)+len(o.Validate)+len(o.Fetch)+len(o.Finalized)+len(o.Evidence) == 0 &&
		o.Build == nil && o.Sync == nil
}
