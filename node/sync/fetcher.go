package sync

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Defaults of the fetcher.
const (
	AnswerTimeoutMs = 5_000  // a request without an answer is given up
	cooldownMs      = 1_000  // a peer that failed is left alone for this long, doubled each time …
	maxCooldownMs   = 60_000 // … up to this
	maxStrangers    = 256    // peers remembered besides the validators
)

// Request asks Peer for the blocks From, From+1, … ; the peer answers with as many as fit.
type Request struct {
	Peer string
	From quorum.Height
	Max  int
}

// Tip is what a run of blocks has to continue.
type Tip struct {
	Height quorum.Height
	Hash   crypto.Hash
	TimeMs int64
}

// Fetcher decides whom to ask for what, and judges the answers. At most one request is out at a time.
//
// It works in one epoch: a run ends at the closing block at the latest, and InEpoch makes the fetcher of the epoch after it.
//
// Invariants: (1) a run is returned only when it continues the tip it was asked for, its last header is
// certified by a quorum of the epoch's set, and a closing block comes with the set that its header names; (2) a failed peer is asked again only after its cooldown;
// (3) after every other failure in a row a validator that is not cooling down is asked before any other peer, so that no
// number of strangers, who cost nothing to make, can keep us from the few peers of whom most are honest, nor those few, if
// they lie, from everybody else; (4) of peers
// that did not fail, those that proved quick are asked before the others and slow ones last, so that nobody can drip-feed us.
type Fetcher struct {
	domain    quorum.Domain
	epoch     quorum.Epoch
	peers     map[string]*peer
	strangers int // peers that are no validators

	pending *Request
	asked   int64 // ms; when pending went out
	failed  int   // requests in a row that did
}

type peer struct {
	validator bool
	claimed   quorum.Height
	failures  uint
	until     int64 // ms; not asked before
	lastAsk   int64
	good      bool // it sent a run that verified
	slowness  int  // bits.Len of the milliseconds a block took in its last good answer; 0 at first
}

// NewFetcher makes a fetcher for one epoch, whose validators are at validators.
func NewFetcher(d quorum.Domain, epoch quorum.Epoch, validators []string) *Fetcher {
	f := &Fetcher{domain: d, epoch: epoch, peers: map[string]*peer{}}
	for _, name := range validators {
		f.peers[name] = &peer{validator: true}
	}
	return f
}

// InEpoch makes the fetcher of another epoch. What peers claim and how they served us stays; a request that is out is
// forgotten.
func (f *Fetcher) InEpoch(d quorum.Domain, epoch quorum.Epoch, validators []string) *Fetcher {
	next := NewFetcher(d, epoch, validators)
	next.failed = f.failed
	for _, name := range slices.Sorted(maps.Keys(f.peers)) {
		old := *f.peers[name]
		switch p := next.peers[name]; {
		case p != nil:
			old.validator = true
			*p = old
		case next.strangers < maxStrangers:
			old.validator = false
			next.peers[name] = &old
			next.strangers++
		}
	}
	return next
}

// Claim notes that a peer says it has finalized up to height. A claim may go down: it is a hint only. When
// maxStrangers are known, a further one takes the place of one that failed, or else is ignored.
func (f *Fetcher) Claim(name string, height quorum.Height) {
	p := f.peers[name]
	if p == nil {
		if f.strangers >= maxStrangers && !f.dropWorst() {
			return
		}
		p = &peer{}
		f.peers[name] = p
		f.strangers++
	}
	p.claimed = height
}

func (f *Fetcher) dropWorst() bool {
	worst := ""
	for name, p := range f.peers {
		if p.validator || p.failures == 0 || f.pending != nil && f.pending.Peer == name {
			continue
		}
		if worst == "" || p.failures > f.peers[worst].failures || p.failures == f.peers[worst].failures && name < worst {
			worst = name
		}
	}
	if worst != "" {
		f.Forget(worst)
	}
	return worst != ""
}

// Forget drops a peer that went away, and the request that waits for it. What a validator failed in is
// remembered: it cannot begin anew by coming back.
func (f *Fetcher) Forget(name string) {
	if f.pending != nil && f.pending.Peer == name {
		f.pending = nil
	}
	switch p := f.peers[name]; {
	case p == nil:
	case p.validator:
		p.claimed = 0
	default:
		delete(f.peers, name)
		f.strangers--
	}
}

// Claimed is the height that a peer claims, 0 when it claims none.
func (f *Fetcher) Claimed(name string) quorum.Height {
	if p := f.peers[name]; p != nil {
		return p.claimed
	}
	return 0
}

// Ahead reports whether any peer claims more than a height.
func (f *Fetcher) Ahead(of quorum.Height) bool {
	for _, p := range f.peers {
		if p.claimed > of {
			return true
		}
	}
	return false
}

// Busy reports whether a request is out.
func (f *Fetcher) Busy() bool { return f.pending != nil }

// Next returns the request to send now, nil when there is nothing to ask, nobody to ask, or one is out
// already. A request whose time ran out counts against its peer.
func (f *Fetcher) Next(nowMs int64, tip Tip) *Request {
	if f.pending != nil {
		if nowMs-f.asked < AnswerTimeoutMs {
			return nil
		}
		f.fail(f.pending.Peer, nowMs)
	}
	f.pending = nil
	name, ok := f.choose(nowMs, tip)
	if !ok {
		return nil
	}
	f.pending = &Request{Peer: name, From: tip.Height + 1, Max: MaxBlocksPerAnswer}
	f.asked = nowMs
	f.peers[name].lastAsk = nowMs
	return f.pending
}

// choose takes one of the peers that claim more than we have and are not cooling down; the order is complete,
// so that the choice is the same in every run.
func (f *Fetcher) choose(nowMs int64, tip Tip) (string, bool) {
	var names []string
	for name, p := range f.peers {
		if p.claimed > tip.Height && nowMs >= p.until {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "", false
	}
	return slices.MinFunc(names, func(a, b string) int {
		pa, pb := f.peers[a], f.peers[b]
		if f.failed%2 == 1 && pa.validator != pb.validator {
			return validatorsFirst(pa, pb)
		}
		return cmp.Or(cmp.Compare(pa.rank(), pb.rank()), cmp.Compare(pa.failures, pb.failures), cmp.Compare(pa.slowness, pb.slowness), validatorsFirst(pa, pb),
			cmp.Compare(pa.lastAsk, pb.lastAsk), cmp.Compare(a, b))
	}), true
}

// quickBits is the slowness up to which a peer counts as quick: 63 ms per block.
const quickBits = 6

// rank puts peers that proved quick first, so that we stay with the first honest one that is found instead of trying every
// silent one at AnswerTimeoutMs each; one failure does not take that away. Then come those not tried yet, those that are
// slow, and those that failed.
func (p *peer) rank() int {
	switch {
	case p.good && p.slowness <= quickBits && p.failures <= 1:
		return 0
	case p.failures > 0:
		return 3
	case p.good:
		return 2
	}
	return 1
}

func validatorsFirst(a, b *peer) int {
	switch {
	case a.validator == b.validator:
		return 0
	case a.validator:
		return -1
	}
	return 1
}

func (f *Fetcher) fail(name string, nowMs int64) {
	f.failed++
	p := f.peers[name]
	if p == nil {
		return
	}
	p.until = nowMs + min(int64(cooldownMs)<<min(p.failures, 10), maxCooldownMs)
	p.failures++
}

func (f *Fetcher) succeed(name string, nowMs int64, blocks int) {
	f.failed = 0
	p := f.peers[name]
	p.failures, p.good = 0, true
	p.slowness = bits.Len64(uint64(max(nowMs-f.asked, 0) / int64(blocks)))
}

// Answer judges what a peer sent: the verified run, in order, ready to be executed above tip, and the
// certificate of its last block. An unasked answer is ErrUnasked and costs nothing to refuse; any other
// error sets the peer aside. raw is decoded only when it was asked for.
func (f *Fetcher) Answer(nowMs int64, from string, tip Tip, raw []byte) ([]Block, quorum.VerifiedCertificate, error) {
	var none quorum.VerifiedCertificate
	if f.pending == nil || f.pending.Peer != from {
		return nil, none, refuse(ErrUnasked, "an answer of %d bytes from %s", len(raw), from)
	}
	asked := *f.pending
	f.pending = nil
	if asked.From != tip.Height+1 {
		return nil, none, nil // our tip moved by consensus meanwhile: nobody's fault
	}
	blocks, err := DecodeBlocks(raw)
	if err == nil {
		var cert quorum.VerifiedCertificate
		if cert, err = f.verify(tip, blocks); err == nil {
			f.succeed(from, nowMs, len(blocks))
			return blocks, cert, nil
		}
	}
	f.fail(from, nowMs)
	return nil, none, err
}

// verify checks the run cheaply first (order, hashes), then its one certificate.
func (f *Fetcher) verify(tip Tip, blocks []Block) (quorum.VerifiedCertificate, error) {
	var none quorum.VerifiedCertificate
	if len(blocks) == 0 {
		return none, refuse(ErrEmpty, "no block above height %d", tip.Height)
	}
	for i := range blocks {
		b := &blocks[i]
		if err := f.continues(b, tip); err != nil {
			return none, err
		}
		if b.Header.IsClosing() && i < len(blocks)-1 {
			return none, refuse(ErrChain, "%d blocks follow block %d, which closes epoch %d", len(blocks)-1-i, b.Header.Height, f.epoch)
		}
		tip = Tip{Height: b.Header.Height, Hash: b.Header.Hash(), TimeMs: b.Header.TimeMs}
	}
	last := blocks[len(blocks)-1].Certificate
	if last == nil || last.Kind != quorum.KindFinalize || last.Epoch != f.epoch || last.Finalizes() != tip.Hash || last.Height != tip.Height {
		return none, refuse(ErrCertificate, "the run ends at height %d without a finalization of that block", tip.Height)
	}
	result := quorum.VerifyCertificates(f.domain, []quorum.Certificate{*last})[0]
	if result.Err != nil {
		return none, refuse(ErrCertificate, "height %d: %v", tip.Height, result.Err)
	}
	return result.Verified, nil
}

// continues checks one block against its parent, and everything in it against its header.
func (f *Fetcher) continues(b *Block, tip Tip) error {
	h := &b.Header
	if h.Genesis != f.domain.Genesis {
		return refuse(ErrChain, "block %d belongs to network %s", h.Height, h.Genesis)
	}
	if h.Epoch != f.epoch || h.ValidatorSet != f.domain.Set.Hash() || h.IsTail() {
		return refuse(ErrChain, "block %d is of epoch %d and set %s, or a tail; this is epoch %d with set %s", h.Height, h.Epoch, h.ValidatorSet, f.epoch, f.domain.Set.Hash())
	}
	if h.IsClosing() != (b.Next != nil) || b.Next != nil && b.Next.Hash() != h.NextValidatorSet {
		return refuse(ErrNextSet, "block %d names %s", h.Height, h.NextValidatorSet)
	}
	if h.Height != tip.Height+1 || h.Parent != tip.Hash || h.TimeMs <= tip.TimeMs {
		return refuse(ErrChain, "block %d on parent %s does not follow block %d (%s)", h.Height, h.Parent, tip.Height, tip.Hash)
	}
	size := 0
	for _, tx := range b.Payload {
		size += len(tx)
	}
	if int(h.TxCount) != len(b.Payload) || int(h.PayloadBytes) != size || quorum.PayloadRoot(b.Payload) != h.PayloadRoot {
		return refuse(ErrPayload, "block %d", h.Height)
	}
	return nil
}

// TrimAnswer cuts a run of stored blocks to what may be sent: at most MaxBlocksPerAnswer blocks and
// MaxAnswerBytes, or LargestAnswerBytes up to the first block that has its own certificate; in any case it ends
// in a block that has one, and is empty when there is none. Nothing follows a closing block. Blocks of the result may
// lose certificates that the receiver does not need.
func TrimAnswer(blocks []Block) []Block {
	size, end := 2, 0
	for i := range min(len(blocks), MaxBlocksPerAnswer) {
		size += blocks[i].Size()
		if size > LargestAnswerBytes || size > MaxAnswerBytes && end > 0 {
			break
		}
		if blocks[i].Certificate != nil {
			end = i + 1
		}
		if blocks[i].Header.IsClosing() {
			break
		}
	}
	out := slices.Clone(blocks[:end])
	for i := range max(end-1, 0) {
		out[i].Certificate = nil
	}
	return out
}
