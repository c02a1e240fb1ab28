package consensus

import (
	"fmt"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// simNode is a node: a machine, a disk that survives crashes, and memory that does not.
type simNode struct {
	net   *network
	id    int
	cheat bool
	skew  Duration

	// memory
	up      bool
	life    int // incarnation: answers to an earlier one are lost
	machine *Machine
	timers  map[TimerID]Time
	valid   map[crypto.Hash]bool
	pool    map[string]bool
	synced  Time // when the journal's last record is durable
	epoch   quorum.Epoch
	told    map[int]Time // when a node in an earlier epoch was last told of ours

	// disk
	votes        []quorum.VerifiedVote
	own          []quorum.VerifiedProposal
	blocks       map[crypto.Hash]quorum.VerifiedProposal
	durable      map[crypto.Hash]bool
	certificates []quorum.VerifiedCertificate
	ledger       []Final // heights 1…
}

func (s *simNode) addTx(tx string) {
	for _, f := range s.ledger {
		for _, have := range s.blocks[f.Hash].Proposal().Payload {
			if string(have) == tx {
				return
			}
		}
	}
	s.pool[tx] = true
	s.step(WorkChanged{Pending: true})
}

// crash loses memory, whatever was not synced, and the newest blocks of the ledger, which are not synced either.
func (s *simNode) crash() {
	if !s.up {
		return
	}
	s.up = false
	s.life++
	rng := s.net.rng
	s.certificates = slices.DeleteFunc(s.certificates, func(quorum.VerifiedCertificate) bool { return rng.IntN(2) == 0 })
	for range rng.IntN(4) {
		if len(s.ledger) > int(s.anchor().Height) { // the end of an epoch is durable before anything of the next is signed
			s.ledger = s.ledger[:len(s.ledger)-1]
		}
	}
	for _, h := range sortedHashes(s.blocks) {
		if p := s.blocks[h]; !s.durable[h] && int(p.Header().Height) > len(s.ledger) && rng.IntN(2) == 0 {
			delete(s.blocks, h)
		}
	}
}

func sortedHashes(m map[crypto.Hash]quorum.VerifiedProposal) []crypto.Hash {
	var out []crypto.Hash
	for h := range m {
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b crypto.Hash) int { return slices.Compare(a[:], b[:]) })
	return out
}

func (s *simNode) boot() {
	if s.up {
		return
	}
	s.up = true
	s.startMachine()
	s.step(Start{})
	for i := range txCount { // the pool is refilled by clients
		tx := fmt.Sprintf("tx-%d", i)
		if s.pool[tx] {
			delete(s.pool, tx)
			s.addTx(tx)
		}
	}
	s.step(WorkChanged{Pending: len(s.pool) > 0})
}

// anchor is that of the node's epoch.
func (s *simNode) anchor() quorum.Anchor { return s.net.w.term(s.epoch).anchor }

// startMachine makes the machine of the epoch that the ledger is in.
func (s *simNode) startMachine() {
	s.timers, s.valid, s.told = map[TimerID]Time{}, map[crypto.Hash]bool{}, map[int]Time{}
	s.epoch = 0
	for _, f := range s.ledger {
		if f.Header.IsClosing() {
			s.epoch = f.Header.Epoch + 1
		}
	}
	cfg := s.net.w.configOf(s.epoch, s.id)
	cfg.Timing = s.net.timing
	s.machine = New(cfg, s.recover())
}

// nextEpoch is what a node does some time after its machine is over: a new machine, and away with the tails of the old.
func (s *simNode) nextEpoch() {
	s.net.w.endEpoch(s.ledger[len(s.ledger)-1].Header)
	for h, p := range s.blocks {
		if p.Header().IsTail() && p.Header().Epoch == s.epoch {
			delete(s.blocks, h)
		}
	}
	s.life++ // whatever the old machine waits for is lost
	s.startMachine()
	s.step(Start{})
	s.step(WorkChanged{Pending: len(s.pool) > 0})
}

// checkOver demands that a machine whose epoch has ended wants nothing any more, and goes on to the next epoch.
func (s *simNode) checkOver(wasOver bool, out *Output) {
	over := s.machine.Snapshot().Over
	if !over {
		return
	}
	wants := len(out.Sign) + len(out.Validate) + len(out.Fetch) + len(out.Finalized) + len(out.Store)
	if wasOver && (wants > 0 || out.Build != nil || out.Sync != nil) {
		s.net.fail("%s is over and still wants %+v", letter(s.id), out)
	}
	if !wasOver {
		last := s.ledger[len(s.ledger)-1]
		if !last.Header.IsClosing() || last.Certificate.Certificate().Height == last.Header.Height && last.Certificate.Certificate().Finalizes() != last.Hash {
			s.net.fail("%s is over with block %d and a certificate of view %d", letter(s.id), last.Header.Height, last.Certificate.Certificate().View)
		}
		if !s.cheat {
			s.net.ended++
			if last.Certificate.Certificate().Tail != nil {
				s.net.byTail++
			}
		}
		s.later(s.net.rng.IntN(200), s.nextEpoch)
	}
}

func (s *simNode) recover() Recovered {
	rec := Recovered{Votes: slices.Clone(s.votes), OwnProposals: slices.Clone(s.own), Certificates: slices.Clone(s.certificates)}
	s.net.rng.Shuffle(len(rec.Votes), func(i, j int) { rec.Votes[i], rec.Votes[j] = rec.Votes[j], rec.Votes[i] })
	for _, h := range sortedHashes(s.blocks) {
		if int(s.blocks[h].Header().Height) > len(s.ledger) {
			rec.Blocks = append(rec.Blocks, s.blocks[h])
		}
	}
	if len(s.ledger) > int(s.anchor().Height) {
		last := s.ledger[len(s.ledger)-1]
		rec.LastFinal = &Tip{Header: last.Header, Certificate: last.Certificate, EmptyTail: s.emptyTail()}
	}
	if s.cheat { // else its own tricks would stop it
		rec.Signed = Watermark{s.maxCheatView(), StepExit}
	}
	return rec
}

func (s *simNode) maxCheatView() quorum.View {
	var v quorum.View
	for _, node := range s.net.nodes {
		if node.machine != nil && node.epoch == s.epoch {
			v = max(v, node.machine.view)
		}
	}
	return v
}

func (s *simNode) emptyTail() uint64 {
	tail := uint64(0)
	for i := len(s.ledger) - 1; i >= 0; i-- {
		if s.ledger[i].Header.TxCount > 0 || s.ledger[i].Header.IsClosing() {
			return tail
		}
		tail++
	}
	return tail + 2
}

func (s *simNode) step(in Input) {
	if !s.up || s.net.failure != "" {
		return
	}
	machine, wasOver := s.machine, s.machine.Snapshot().Over
	out := machine.Step(s.net.now.Add(s.skew), in)
	s.net.traceOutput(s.id, &out)
	s.perform(out)
	if s.up && s.machine == machine {
		s.checkOver(wasOver, &out)
	}
}

func (n *network) traceOutput(id int, out *Output) {
	if n.verbose {
		n.tell(id, out)
	}
	if n.trace == nil {
		return
	}
	fmt.Fprintf(n.trace, "%d@%d %v %v %d %d %d %d|", id, n.now, out.Sign, out.Timers, len(out.Send), len(out.Validate), len(out.Fetch), len(out.Finalized))
}

// tell prints what a machine did, to look into a failing seed.
func (n *network) tell(id int, out *Output) {
	at := fmt.Sprintf("+%d %s view %d:", n.now-epochOfStory, letter(id), n.nodes[id].machine.view)
	for _, c := range out.Store {
		fmt.Println(at, "holds", c.Certificate().Kind, c.Certificate().View, c.Certificate().Block.Short())
	}
	for _, v := range out.Sign {
		fmt.Println(at, "signs", v.Kind, v.View, v.Block.Short())
	}
	for _, v := range out.Validate {
		fmt.Println(at, "validates", v.View, v.Hash.Short())
	}
	for _, v := range out.Fetch {
		fmt.Println(at, "fetches", v.View, v.Hash.Short(), v.From)
	}
	for _, v := range out.Timers {
		if v.ID != TimerRepeat {
			fmt.Println(at, "timer", v.ID, v.At-epochOfStory)
		}
	}
	for _, v := range out.Finalized {
		fmt.Println(at, "FINAL", v.Header.Height, v.Hash.Short())
	}
	if out.Build != nil {
		fmt.Println(at, "builds", out.Build.View, "on", out.Build.ParentView)
	}
	for _, o := range out.Send {
		if o.Certificate != nil {
			fmt.Println(at, "sends", o.To, o.Certificate.Certificate().Kind, o.Certificate.Certificate().View)
		}
	}
}

// later runs do unless the node has crashed since.
func (s *simNode) later(d int, do func()) {
	life := s.life
	s.net.after(d, func() {
		if s.up && s.life == life {
			do()
		}
	})
}

func (s *simNode) perform(out Output) {
	if out.Halt != nil {
		if !s.cheat {
			s.net.fail("%s: %s", letter(s.id), out.Halt.Reason)
			return
		}
		s.up = false
		s.life++
		s.net.after(100, s.boot)
		return
	}
	s.certificates = append(s.certificates, out.Store...)
	for _, v := range out.Sign {
		s.sign(v)
	}
	for _, o := range out.Send {
		s.send(o)
	}
	for _, t := range out.Timers {
		s.timers[t.ID] = t.At
		s.later(max(0, int(t.At-s.net.now.Add(s.skew))), func() {
			if s.timers[t.ID] == t.At {
				s.step(TimerFired{t.ID})
			}
		})
	}
	if out.Build != nil {
		s.build(out.Build)
	}
	for _, v := range out.Validate {
		s.validate(v)
	}
	for _, f := range out.Fetch {
		s.fetch(f)
	}
	if out.Sync != nil {
		s.catchUp(*out.Sync)
	}
	for _, f := range out.Finalized {
		s.finalized(f)
	}
	s.checkEvidence(out.Evidence)
	if len(out.Finalized) > 0 && len(s.pool) == 0 {
		s.step(WorkChanged{Pending: false})
	}
}

// checkEvidence demands that nobody honest is ever accused.
func (s *simNode) checkEvidence(list []quorum.Evidence) {
	for _, e := range list {
		if !s.net.nodes[e.Signer()].cheat {
			s.net.fail("%s accuses honest %s of %s in view %d", letter(s.id), letter(int(e.Signer())), e.Offence, e.First.View)
		}
	}
}

// sign is signer and journal: durable first, then broadcast, with a chance to crash between the two.
func (s *simNode) sign(v quorum.Vote) {
	// One journal: records become durable in the order in which they were asked for.
	s.synced = max(s.synced, s.net.now.Add(Duration(diskSync+s.net.rng.IntN(3))))
	s.later(int(s.synced-s.net.now), func() {
		verified := s.net.w.vote(v)
		if !s.cheat && !s.net.record(v) {
			return
		}
		s.votes = append(s.votes, verified)
		if v.Kind == quorum.KindNotarize {
			s.durable[v.Block] = true
		}
		s.later(s.net.rng.IntN(2), func() {
			s.send(Outgoing{To: Everyone, Votes: []quorum.VerifiedVote{verified}, Status: s.machine.Status()})
			s.step(VotesArrived{[]quorum.VerifiedVote{verified}})
		})
	})
	if s.cheat {
		s.cheatVotes(v)
	}
}

// record notes what an honest key signs, and fails on any pair that proves an offence.
func (n *network) record(v quorum.Vote) bool {
	key := ballot{int(v.Signer), v.Epoch, v.View}
	known := n.signed[key]
	if known == nil {
		known = &viewVotes{}
		n.signed[key] = known
	}
	other := func(a crypto.Hash) bool { return !a.IsZero() && a != v.Block }
	var bad bool
	switch v.Kind {
	case quorum.KindNotarize:
		bad = other(known.notarize) || other(known.finalize) || known.nullify
		known.notarize = v.Block
	case quorum.KindFinalize:
		bad = other(known.finalize) || other(known.notarize) || known.nullify
		known.finalize = v.Block
	case quorum.KindNullify:
		bad = !known.finalize.IsZero()
		known.nullify = true
	}
	if bad {
		n.fail("honest %s signed %s in view %d after %+v", letter(int(v.Signer)), v.Kind, v.View, *known)
	}
	return !bad
}

// cheatVotes sends everything else one could say in the view to some of the others.
func (s *simNode) cheatVotes(v quorum.Vote) {
	for _, kind := range []quorum.VoteKind{quorum.KindNotarize, quorum.KindFinalize, quorum.KindNullify} {
		twin := v
		if twin.Kind = kind; kind == quorum.KindNullify {
			twin.Height, twin.Block = 0, crypto.Hash{}
		} else if twin.Block.IsZero() {
			continue
		}
		to := s.net.rng.IntN(len(s.net.nodes))
		s.send(Outgoing{To: to, Votes: []quorum.VerifiedVote{s.net.w.vote(twin)}, Status: Status{Epoch: v.Epoch, View: v.View + 5, FinalView: v.View, Missing: 1, HasWork: true}})
	}
}

func (s *simNode) send(o Outgoing) {
	for to, node := range s.net.nodes {
		if to == s.id || o.To != Everyone && o.To != to {
			continue
		}
		copies := 1
		if s.net.rng.Float64() < s.net.f.duplicate {
			copies = 2
		}
		for range copies {
			if !s.net.healed && s.net.rng.Float64() < s.net.f.drop || s.net.group[s.id] != s.net.group[to] {
				continue
			}
			s.net.after(s.net.soon(), func() { node.receive(s.id, o) })
		}
	}
}

func (s *simNode) receive(from int, o Outgoing) {
	switch {
	case o.Proposal != nil:
		s.blocks[o.Proposal.Hash()] = *o.Proposal
		s.step(ProposalArrived{*o.Proposal})
	case o.Certificate != nil:
		s.step(CertificateArrived{*o.Certificate})
	case len(o.Votes) > 0:
		s.step(VotesArrived{o.Votes})
	}
	s.step(StatusArrived{From: from, Status: o.Status})
	switch {
	case !s.up:
	case o.Status.Epoch < s.epoch && s.net.now >= s.told[from].Add(100):
		s.told[from] = s.net.now
		s.send(Outgoing{To: from, Status: s.machine.Status()})
	case o.Status.Epoch > s.epoch:
		s.syncEpoch(s.net.nodes[from])
	}
}

// syncEpoch copies what another node's ledger has of the epoch, to its end: that node is in a later one.
func (s *simNode) syncEpoch(from *simNode) {
	s.later(2*s.net.soon()+20, func() {
		for height := len(s.ledger) + 1; height <= len(from.ledger); height++ {
			if f := from.ledger[height-1]; f.Header.IsClosing() {
				s.copyLedger(from, height)
				return
			}
		}
	})
}

func (s *simNode) build(b *BuildRequest) {
	if s.net.rng.IntN(50) == 0 {
		s.later(1, func() { s.step(BuildFailed{b.View}) })
		return
	}
	wait := max(0, int(b.NotBefore-s.net.now.Add(s.skew)))
	s.later(wait+diskSync, func() {
		at := max(b.NotBefore, s.net.now.Add(s.skew))
		if s.cheat && s.net.garbage != nil {
			s.tryGarbage(b, at)
			return
		}
		p := s.net.w.answer(b, at, s.payload(b.Parent))
		key := ballot{s.id, b.Epoch, b.View}
		if have, ok := s.net.proposed[key]; ok && have != p.Hash() && !s.cheat {
			s.net.fail("honest %s proposed twice in view %d", letter(s.id), b.View)
			return
		}
		s.net.proposed[key] = p.Hash()
		s.own = append(s.own, p)
		s.blocks[p.Hash()], s.durable[p.Hash()] = p, true
		s.later(s.net.rng.IntN(3), func() { s.step(ProposalBuilt{p}) })
		if s.cheat {
			twin := s.twin(b, at)
			s.blocks[twin.Hash()] = twin
			for to := range s.net.nodes {
				if s.net.rng.IntN(2) == 0 {
					s.send(Outgoing{To: to, Proposal: &twin, Status: s.machine.Status()})
				}
			}
		}
	})
}

// twin is another block than the one asked for; at the end of an epoch one of a wrong kind.
func (s *simNode) twin(b *BuildRequest, at Time) quorum.VerifiedProposal {
	h := headerFor(b, at)
	switch {
	case !b.Closing.IsZero():
		h.Height++ // an ordinary child of a closing block or of a tail, or a tail that names another closing block
		if s.net.rng.IntN(2) == 0 {
			h = b.TailHeader(s.net.w.domain, 0, int64(at))
			h.Closing[0] ^= 1
			return s.net.w.proposal(h, b.Justification, nil)
		}
	case s.net.w.closes(b.Height) != (s.net.rng.IntN(4) == 0):
		h.Flags, h.NextValidatorSet = quorum.FlagClosing, s.net.w.domain.Set.Hash()
	}
	return s.net.w.proposal(h, b.Justification, [][]byte{[]byte("twin")})
}

// payload takes what waits and is in no block below.
func (s *simNode) payload(parent crypto.Hash) [][]byte {
	taken := map[string]bool{}
	for p, ok := s.blocks[parent]; ok; p, ok = s.blocks[p.Header().Parent] {
		for _, tx := range p.Proposal().Payload {
			taken[string(tx)] = true
		}
	}
	var out [][]byte
	for i := range txCount {
		if tx := fmt.Sprintf("tx-%d", i); s.pool[tx] && !taken[tx] {
			out = append(out, []byte(tx))
		}
	}
	return out
}

// validate answers late at times, and checks that the parent was known to be valid when it was asked.
func (s *simNode) validate(v ValidateRequest) {
	h := v.Proposal.Header()
	tip := s.anchor().Hash
	if len(s.ledger) > int(s.anchor().Height) {
		tip = s.ledger[len(s.ledger)-1].Hash
	}
	if !s.valid[h.Parent] && h.Parent != tip {
		s.net.fail("%s is asked to validate view %d before its parent is valid", letter(s.id), v.View)
	}
	d := 1 + s.net.rng.IntN(4)
	if !s.net.healed && s.net.rng.IntN(20) == 0 {
		d += s.net.rng.IntN(500)
	}
	s.later(d, func() {
		if !h.IsTail() && h.IsClosing() != s.net.w.closes(h.Height) {
			s.step(BlockInvalid{v.View, v.Hash, "it closes the epoch when it must not, or does not when it must"})
			return
		}
		s.valid[v.Hash] = true
		s.blocks[v.Hash] = v.Proposal
		s.step(BlockValid{v.View, v.Hash})
	})
}

func (s *simNode) fetch(f FetchRequest) {
	from := s.net.nodes[s.net.rng.IntN(len(s.net.nodes))]
	if len(f.From) > 0 {
		from = s.net.nodes[f.From[s.net.rng.IntN(len(f.From))]]
	}
	if from == s || s.net.group[from.id] != s.net.group[s.id] || !s.net.healed && s.net.rng.Float64() < s.net.f.drop {
		return
	}
	s.later(2*s.net.soon(), func() {
		if p, ok := from.blocks[f.Hash]; ok && from.up {
			s.step(ProposalArrived{p})
		}
	})
}

// catchUp copies another node's ledger up to a block with a finalization of its own.
func (s *simNode) catchUp(q SyncRequest) {
	from := s.net.nodes[q.From[s.net.rng.IntN(len(q.From))]]
	s.later(2*s.net.soon()+20, func() {
		s.copyLedger(from, int(q.Height))
	})
}

func (s *simNode) copyLedger(from *simNode, height int) {
	if !from.up || s.net.group[from.id] != s.net.group[s.id] || len(from.ledger) < height || len(s.ledger) >= height {
		return
	}
	for _, f := range from.ledger[len(s.ledger):height] {
		s.agree(f)
		s.blocks[f.Hash] = from.blocks[f.Hash]
		s.ledger = append(s.ledger, f)
		s.drop(f.Hash)
	}
	last := s.ledger[height-1]
	s.step(Synced{Tip{Header: last.Header, Certificate: last.Certificate, EmptyTail: s.emptyTail()}})
	s.step(WorkChanged{Pending: len(s.pool) > 0})
}

func (s *simNode) drop(hash crypto.Hash) {
	for _, tx := range s.blocks[hash].Proposal().Payload {
		delete(s.pool, string(tx))
	}
}

// agree checks an honest node's new block against everybody's.
func (s *simNode) agree(f Final) {
	if s.cheat {
		return
	}
	height := f.Header.Height
	if have, ok := s.net.chain[height]; ok && have != f.Hash {
		s.net.fail("FORK at height %d: %s has %s, others %s", height, letter(s.id), f.Hash.Short(), have.Short())
	}
	s.net.chain[height] = f.Hash
}

// finalized checks agreement and order.
func (s *simNode) finalized(f Final) {
	height := f.Header.Height
	if want := quorum.Height(len(s.ledger) + 1); height != want {
		s.net.fail("%s was given final height %d, want %d", letter(s.id), height, want)
	}
	s.agree(f)
	if c := f.Certificate.Certificate(); c.Kind != quorum.KindFinalize || c.Height < height {
		s.net.fail("%s was given a %s of height %d for height %d", letter(s.id), c.Kind, c.Height, height)
	}
	if _, ok := s.blocks[f.Hash]; !ok {
		s.net.fail("%s was given a final block it does not hold", letter(s.id))
	}
	s.ledger = append(s.ledger, f)
	s.drop(f.Hash)
}
