package sync

import (
	"cmp"
	"math/bits"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger/snapshot"
)

// Defaults of the state fetcher.
const (
	StateTimeoutMs = 10_000 // a request without an answer is given up
	PatienceMs     = 60_000 // nothing brought us forward for so long: there is no snapshot to be had

	settleMs       = 3_000   // how long the first good offer waits for better ones
	stallMs        = 20_000  // a snapshot of which no chunk came for so long is given up for another
	budgetMs       = 600_000 // … and so is the whole matter after so long, besides what the bytes take at budgetRate
	budgetRate     = 256     // bytes per ms
	maxAsked       = 8       // requests that are out at a time, one per peer
	maxFollowers   = 2       // … of which ask for hand-overs
	maxWaiting     = 16      // different snapshots that may wait for their validators to be known
	maxOffers      = 16      // different certified snapshots that are remembered as offered: false lengths make many of one state
	maxOfferErrors = 3       // answers of a kind no honest peer gives, after which a peer is asked no more
	minRate        = 8 << 10 // bytes per second; a slower answer is taken, but its sender is set aside like one that failed
	slowMs         = 1_000   // answers quicker than this are never slow
)

// StateConfig is what a StateFetcher is told once.
type StateConfig struct {
	Epochs     *snapshot.Epochs // from genesis on; the fetcher follows them further
	Validators []string         // peers that are asked first, after failures: strangers cost nothing to make
	Above      quorum.Height    // snapshots of this height or lower are of no use
}

// StateFetcher finds a certified snapshot of the state and fetches its chunks. Like Fetcher it has no goroutine, clock or
// socket; unlike it, it has several requests out, one per peer.
//
// How it works: every peer is asked for its newest snapshot. An offer is decoded only when it was asked for; it must fold
// to the state root of a header, and a finalization by that header's validators must show the header. Validators of later
// epochs are learned by hand-overs, first from the one whose offer needs them. So what is offered is the network's state,
// whoever offers it; a liar can only offer an old one, or say false lengths, or not deliver. Of the offers the one that
// was tried least often is taken, of these the one that most peers make who have not failed to deliver, validators
// counting first, then the highest. Its chunks are asked of all who offer it, a chunk that is late of a second one as
// well; each is checked against the manifest when it comes.
//
// Invariants: (1) nothing is handed out that a certificate does not vouch for; (2) a peer has one request at a time, and
// an answer that is not to it is not decoded; (3) a peer that fails rests, longer each time, and one that sends what no
// honest peer sends is asked no more; (4) a peer whose answers come at less than minRate counts as failing; (5) a
// snapshot that brings no chunk for stallMs, or that nobody is left to send, is given up for another; (6) what peers
// claim never decides when syncing is over: Nothing is reported when PatienceMs passed without progress, or the budget is
// used up.
type StateFetcher struct {
	cfg       StateConfig
	peers     map[string]*statePeer
	strangers int
	failed    int // answers in a row that did

	offers  map[crypto.Hash]*offer // certified ones, by manifest
	tried   map[crypto.Hash]int    // manifests that were given up, and how often
	chosen  *offer
	have    []bool
	missing int

	started  int64 // ms; -1 before the first Next
	progress int64 // ms; the last answer that brought us forward
	stalled  int64 // ms; the last chunk of the chosen snapshot, or when it was chosen
	offered  int64 // ms; when the first of the present offers was certified
}

type statePeer struct {
	validator bool
	gone      bool // a validator that is not connected
	pending   *StateRequest
	asked     int64
	until     int64 // ms; rests until then
	lastAsk   int64
	failures  uint
	strikes   int // answers that no honest peer gives
	slowness  int // bits.Len of ms per 64 KiB of the last good answer; untried when it was never good
	good      bool
	askedOne  bool // it was asked for its snapshot since the last change of plan

	offer   *offer           // what it offers; nil: nothing
	waiting *claim           // … or would, if the validators were known
	branch  *snapshot.Epochs // what it showed of the epochs before the checkpoint; nil: nothing
	unkept  int              // chunks of what it offers that it did not send, since it last did
}

// claim is an offer whose certificate cannot be checked yet. The manifest is shared by those who claim the same, the
// proof is the peer's own: nobody's bad proof may speak for another's good one.
type claim struct {
	manifest *snapshot.Manifest
	hash     crypto.Hash
	proof    *snapshot.Proof
}

// offer is a certified snapshot that somebody offers.
type offer struct {
	hash      crypto.Hash
	certified *snapshot.Certified
}

func (o *offer) manifest() *snapshot.Manifest { return o.certified.Manifest() }

// NewStateFetcher makes one.
func NewStateFetcher(cfg StateConfig) *StateFetcher {
	return &StateFetcher{
		cfg: cfg, peers: map[string]*statePeer{}, offers: map[crypto.Hash]*offer{},
		tried: map[crypto.Hash]int{}, started: -1,
	}
}

// Connect notes a peer. When maxStrangers are known, a further one takes the place of one that failed, or is ignored.
func (f *StateFetcher) Connect(name string) {
	if p := f.peers[name]; p != nil {
		p.gone = false
		return
	}
	p := &statePeer{validator: slices.Contains(f.cfg.Validators, name)}
	if !p.validator {
		if f.strangers >= maxStrangers && !f.dropWorst() {
			return
		}
		f.strangers++
	}
	f.peers[name] = p
}

func (f *StateFetcher) dropWorst() bool {
	worst := ""
	for name, p := range f.peers {
		if p.validator || p.failures == 0 || p.pending != nil {
			continue
		}
		if worst == "" || p.failures > f.peers[worst].failures || p.failures == f.peers[worst].failures && name < worst {
			worst = name
		}
	}
	if worst != "" {
		delete(f.peers, worst)
		f.strangers--
	}
	return worst != ""
}

// Forget drops a peer that went away. What a validator failed in is remembered.
func (f *StateFetcher) Forget(name string) {
	p := f.peers[name]
	switch {
	case p == nil:
	case p.validator:
		p.gone, p.pending, p.askedOne, p.offer, p.waiting = true, nil, false, nil, nil
	default:
		delete(f.peers, name)
		f.strangers--
	}
}

// Chosen is the snapshot that is being fetched, nil while none is.
func (f *StateFetcher) Chosen() *snapshot.Certified {
	if f.chosen == nil {
		return nil
	}
	return f.chosen.certified
}

// Missing is how many chunks of the chosen snapshot have not come yet.
func (f *StateFetcher) Missing() int { return f.missing }

// Done reports whether all chunks of the chosen snapshot have been handed out.
func (f *StateFetcher) Done() bool { return f.chosen != nil && f.missing == 0 }

// Nothing reports that there is no snapshot to be had. The caller goes on without one, by fetching blocks from genesis;
// asking again later does no harm.
func (f *StateFetcher) Nothing(nowMs int64) bool {
	if f.started < 0 || f.Done() {
		return false
	}
	budget := int64(budgetMs)
	if f.chosen != nil {
		budget += int64(f.chosen.manifest().Bytes / budgetRate)
	}
	return nowMs-f.progress >= PatienceMs || nowMs-f.started >= budget
}

// abandon returns to choosing: everybody is asked again for what they offer.
func (f *StateFetcher) abandon(nowMs int64) {
	if len(f.tried) >= maxTried {
		clear(f.tried)
	}
	f.tried[f.chosen.hash]++
	f.chosen, f.have, f.missing = nil, nil, 0
	f.offered = nowMs
	for _, p := range f.peers {
		p.askedOne, p.offer = false, nil
	}
	clear(f.offers)
}

// maxTried bounds how many manifests are remembered as given up.
const maxTried = 1024

// Next returns the requests to send now. Call it after every event and at least every second.
func (f *StateFetcher) Next(nowMs int64) []StateRequest {
	if f.started < 0 {
		f.started, f.progress = nowMs, nowMs
	}
	f.expire(nowMs)
	f.prune()
	if f.chosen == nil {
		f.choose(nowMs)
	} else if f.missing > 0 && (nowMs-f.stalled >= stallMs || !f.deliverable()) {
		f.abandon(nowMs)
	}
	var out []StateRequest
	for _, name := range f.order(nowMs) {
		if f.out() >= maxAsked {
			break
		}
		if r, ok := f.task(f.peers[name], nowMs); ok {
			r.Peer = name
			p := f.peers[name]
			p.pending, p.asked, p.lastAsk = &r, nowMs, nowMs
			out = append(out, r)
		}
	}
	return out
}

// expire gives up requests whose time ran out.
func (f *StateFetcher) expire(nowMs int64) {
	for _, p := range f.peers {
		if p.pending != nil && nowMs-p.asked >= StateTimeoutMs {
			if p.pending.Kind == AskChunk {
				p.unkept++
			}
			p.pending, p.waiting = nil, nil
			f.fail(p, nowMs)
		}
	}
}

func (f *StateFetcher) fail(p *statePeer, nowMs int64) {
	f.failed++
	p.until = nowMs + min(int64(cooldownMs)<<min(p.failures, 10), maxCooldownMs)
	p.failures++
}

// strike is a failure that no honest peer has.
func (f *StateFetcher) strike(p *statePeer, nowMs int64) {
	p.strikes++
	p.offer, p.waiting, p.branch = nil, nil, nil
	f.fail(p, nowMs)
}

func (f *StateFetcher) out() (n int) {
	for _, p := range f.peers {
		if p.pending != nil {
			n++
		}
	}
	return n
}

// order lists the peers that may be asked, the best first; it is complete, so that every run is the same.
func (f *StateFetcher) order(nowMs int64) []string {
	var names []string
	for name, p := range f.peers {
		if !p.gone && p.pending == nil && nowMs >= p.until && p.strikes < maxOfferErrors {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		pa, pb := f.peers[a], f.peers[b]
		if f.failed%2 == 1 && pa.validator != pb.validator {
			if pa.validator {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(pa.failures, pb.failures), cmp.Compare(pa.class(), pb.class()),
			cmp.Compare(pa.lastAsk, pb.lastAsk), cmp.Compare(a, b))
	})
	return names
}

// class puts proven peers before untried ones, and those before slow ones.
func (p *statePeer) class() int {
	switch {
	case p.good && p.slowness <= quickStateBits:
		return 0
	case !p.good:
		return 1
	}
	return p.slowness
}

// quickStateBits is the slowness up to which a peer counts as quick: 64 KiB in a quarter of a second.
const quickStateBits = 8

// task finds what to ask a peer for.
func (f *StateFetcher) task(p *statePeer, nowMs int64) (StateRequest, bool) {
	if f.chosen != nil {
		if p.offer == f.chosen {
			if i, ok := f.nextChunk(nowMs); ok {
				return StateRequest{Kind: AskChunk, Manifest: f.chosen.hash, Index: i}, true
			}
			return StateRequest{}, false
		}
	} else if p.waiting != nil {
		return StateRequest{Kind: AskHandovers, Epoch: f.epochsOf(p).Last(), Max: snapshot.MaxHandovers}, f.asking(AskHandovers) < maxFollowers
	}
	if !p.askedOne {
		p.askedOne = true
		return StateRequest{Kind: AskSnapshot}, true
	}
	return StateRequest{}, false
}

func (f *StateFetcher) asking(kind StateKind) (n int) {
	for _, p := range f.peers {
		if p.pending != nil && p.pending.Kind == kind {
			n++
		}
	}
	return n
}

// nextChunk takes a chunk that nobody was asked for, or else one that is late, to be asked of a second peer.
func (f *StateFetcher) nextChunk(nowMs int64) (int, bool) {
	asked := map[int]int{}
	since := map[int]int64{}
	for _, p := range f.peers {
		if r := p.pending; r != nil && r.Kind == AskChunk && r.Manifest == f.chosen.hash {
			asked[r.Index]++
			since[r.Index] = max(since[r.Index], p.asked)
		}
	}
	late := -1
	for i, have := range f.have {
		switch {
		case have:
		case asked[i] == 0:
			return i, true
		case asked[i] < 3 && nowMs-since[i] >= slowMs && (late < 0 || since[i] < since[late]):
			late = i
		}
	}
	return late, late >= 0
}

// StateEvent is what an answer brought: a chunk of the chosen snapshot, checked, or nothing to be handed on.
type StateEvent struct {
	Chunk int    // its index; -1: none
	Raw   []byte // as Writer.Put wants it
}

// Answer judges what a peer sent in answer to a request of a kind. One that was not asked for is ErrUnasked, is not
// decoded, and costs nothing. Any other error sets the peer aside.
func (f *StateFetcher) Answer(nowMs int64, from string, kind StateKind, raw []byte) (StateEvent, error) {
	nothing := StateEvent{Chunk: -1}
	p := f.peers[from]
	if p == nil || p.pending == nil || p.pending.Kind != kind || len(raw) > LargestStateAnswer {
		return nothing, refuse(ErrUnasked, "an answer of %d bytes from %s", len(raw), from)
	}
	asked := *p.pending
	p.pending = nil
	event, good, err := nothing, false, error(nil)
	switch kind {
	case AskHandovers:
		good, err = f.takeHandovers(p, nowMs, raw)
	case AskSnapshot:
		good, err = f.takeOffer(p, nowMs, raw)
	case AskChunk:
		event, good, err = f.takeChunk(p, &asked, nowMs, raw)
	}
	if good {
		f.rate(p, nowMs, len(raw))
	}
	return event, err
}

// rate notes how quick a good answer was. One slower than minRate counts as a failure, though what it brought is kept.
func (f *StateFetcher) rate(p *statePeer, nowMs int64, size int) {
	took := max(nowMs-p.asked, 0)
	p.good = true
	p.slowness = bits.Len64(uint64(took * (64 << 10) / int64(max(size, 64<<10))))
	if took > slowMs && int64(size)*1000 < minRate*took {
		f.fail(p, nowMs)
		return
	}
	p.failures, f.failed = 0, 0
}

// takeChunk checks a chunk against the manifest.
func (f *StateFetcher) takeChunk(p *statePeer, asked *StateRequest, nowMs int64, raw []byte) (StateEvent, bool, error) {
	nothing := StateEvent{Chunk: -1}
	data, err := decodeChunk(asked, raw)
	if err != nil {
		f.strike(p, nowMs)
		return nothing, false, err
	}
	if f.chosen == nil || f.chosen.hash != asked.Manifest {
		return nothing, false, nil // the plan changed meanwhile: nobody's fault
	}
	if len(data) == 0 {
		// It no longer has the snapshot, as happens after a while, or never had it.
		p.offer, p.askedOne = nil, false
		p.unkept++
		f.fail(p, nowMs)
		return nothing, false, refuse(ErrEmpty, "chunk %d", asked.Index)
	}
	if _, err := f.chosen.manifest().Chunks[asked.Index].Open(data); err != nil {
		f.strike(p, nowMs)
		p.strikes = maxOfferErrors // whoever offers a snapshot has checked it
		return nothing, false, refuse(ErrPayload, "chunk %d: %v", asked.Index, err)
	}
	p.unkept = 0
	if f.have[asked.Index] {
		return nothing, true, nil
	}
	f.have[asked.Index] = true
	f.missing--
	f.progress, f.stalled = nowMs, nowMs
	return StateEvent{Chunk: asked.Index, Raw: data}, true, nil
}
