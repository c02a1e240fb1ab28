package light

import (
	"errors"
	"fmt"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// line is three epochs: blocks 1 and 2 of epoch 0, 3 of epoch 1, 4 of epoch 2. Block 2 closes epoch 0 directly, block 3
// closes epoch 1 through a tail.
type line struct {
	start   Checkpoint
	headers []quorum.Header
	tail    quorum.Header // of block 3
	sets    []*quorum.Set // of the epochs
}

func power(t testing.TB, powers map[int]quorum.Power) *quorum.Set {
	t.Helper()
	var vs []quorum.Validator
	for i := range 6 {
		if p := powers[i]; p > 0 {
			k := testKey(fmt.Sprint("validator ", i))
			vs = append(vs, quorum.Validator{Key: k.Public(), Power: p, Operator: k.Address()})
		}
	}
	set, err := quorum.NewSet(vs)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func newLine(t testing.TB) *line {
	t.Helper()
	l := &line{sets: []*quorum.Set{
		power(t, map[int]quorum.Power{0: 30, 1: 30, 2: 40}),
		power(t, map[int]quorum.Power{0: 30, 1: 20, 2: 30, 3: 10}), // 30 of 100 moved
		power(t, map[int]quorum.Power{0: 30, 2: 30, 3: 10, 4: 10}), // 30 of 90 moved: exactly a third
	}}
	genesis := crypto.Hash{7}
	anchor := quorum.Header{Version: 1, Genesis: genesis, TimeMs: 1_000, ValidatorSet: l.sets[0].Hash()}
	l.start = Checkpoint{Genesis: genesis, Set: l.sets[0], Anchor: anchor, SeenMs: anchor.TimeMs}
	parent := anchor
	for i, epoch := range []quorum.Epoch{0, 0, 1, 2} {
		h := quorum.Header{
			Version: 1, Genesis: genesis, Epoch: epoch, View: 5, Height: quorum.Height(i + 1), Parent: parent.Hash(), TimeMs: parent.TimeMs + 10,
			PayloadRoot: quorum.PayloadRoot(nil), ValidatorSet: l.sets[epoch].Hash(),
		}
		if i == 1 || i == 2 {
			h.Flags, h.NextValidatorSet = quorum.FlagClosing, l.sets[epoch+1].Hash()
		}
		l.headers = append(l.headers, h)
		parent = h
	}
	closing := l.headers[2]
	l.tail = quorum.Header{
		Version: 1, Genesis: genesis, Epoch: 1, View: 6, Height: 3, Parent: closing.Hash(), ParentView: 5, TimeMs: closing.TimeMs + 1,
		PayloadRoot: quorum.PayloadRoot(nil), ValidatorSet: closing.ValidatorSet, Flags: quorum.FlagTail, Closing: closing.Hash(),
	}
	return l
}

// certify finalizes a header by the set.
func (l *line) certify(t testing.TB, set *quorum.Set, h quorum.Header) quorum.VerifiedCertificate {
	t.Helper()
	w := &world{domain: quorum.Domain{Genesis: l.start.Genesis, Set: set}}
	var votes []quorum.Vote
	for i := range set.Len() {
		for j := range 6 {
			if k := testKey(fmt.Sprint("validator ", j)); k.Public() == set.At(i).Key {
				v := quorum.Vote{Kind: quorum.KindFinalize, Epoch: h.Epoch, View: h.View, Height: h.Height, Block: h.Hash(), Signer: uint16(i)}
				votes = append(votes, quorum.SignVote(w.domain, k, v))
			}
		}
	}
	var verified []quorum.VerifiedVote
	for _, r := range quorum.VerifyVotes(w.domain, votes) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		verified = append(verified, r.Verified)
	}
	c, err := quorum.Certify(w.domain, verified)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestHandOvers(t *testing.T) {
	l := newLine(t)
	one, err := l.start.Advance(l.headers[1], l.certify(t, l.sets[0], l.headers[1]).Certificate(), l.sets[1])
	if err != nil || one.Epoch != 1 || one.Anchor != l.headers[1] || one.SeenMs != l.headers[1].TimeMs {
		t.Fatalf("%+v, %v", one, err)
	}
	byTail := l.certify(t, l.sets[1], l.tail).WithTail(l.tail).Certificate()
	two, err := one.Advance(l.headers[2], byTail, l.sets[2])
	if err != nil || two.Epoch != 2 || two.Set.Hash() != l.sets[2].Hash() {
		t.Fatalf("%+v, %v", two, err)
	}
	direct := l.certify(t, l.sets[1], l.headers[2]).Certificate()
	if again, err := one.Advance(l.headers[2], direct, l.sets[2]); err != nil || again.Anchor != two.Anchor {
		t.Errorf("finalized by itself: %v", err)
	}
	h, err := two.Verify(l.headers[3:], l.certify(t, l.sets[2], l.headers[3]).Certificate())
	if err != nil || h.Hash() != l.headers[3].Hash() {
		t.Fatal(err)
	}
	if seen := two.Saw(h).SeenMs; seen != l.headers[3].TimeMs {
		t.Errorf("seen %d", seen)
	}
	if one.Saw(h).SeenMs != one.SeenMs {
		t.Error("a block of another epoch refreshed the trust")
	}
	// A block may also be final by a path of its epoch up to the closing block, finalized through its tail.
	path := []quorum.Header{l.headers[0], l.headers[1]}
	if _, err := l.start.Verify(path, l.certify(t, l.sets[0], l.headers[1]).Certificate()); err != nil {
		t.Error(err)
	}
}

// TestHandOverRefusals forges one thing at a time.
func TestHandOverRefusals(t *testing.T) {
	l := newLine(t)
	good := l.certify(t, l.sets[0], l.headers[1]).Certificate()
	one, err := l.start.Advance(l.headers[1], good, l.sets[1])
	if err != nil {
		t.Fatal(err)
	}
	closing := l.headers[2]
	byTail := l.certify(t, l.sets[1], l.tail).WithTail(l.tail).Certificate()
	tailOf := func(change func(*quorum.Header)) quorum.Certificate {
		forged := l.tail
		change(&forged)
		c := byTail
		c.Tail = &forged
		return c
	}
	header := func(change func(*quorum.Header)) quorum.Header {
		h := closing
		change(&h)
		return h
	}
	third := power(t, map[int]quorum.Power{0: 30, 2: 30, 3: 10, 4: 11}) // 31 of 90 moved
	greedy := header(func(h *quorum.Header) { h.NextValidatorSet = third.Hash() })
	foreign := header(func(h *quorum.Header) { h.Genesis[0] ^= 1 })
	ordinary := header(func(h *quorum.Header) { h.Flags, h.NextValidatorSet = 0, crypto.Hash{} })
	early := header(func(h *quorum.Header) { h.TimeMs = one.Anchor.TimeMs })
	low := header(func(h *quorum.Header) { h.Height = one.Anchor.Height })
	skipped := header(func(h *quorum.Header) { h.Epoch++ })
	for _, c := range []struct {
		name    string
		from    Checkpoint
		closing quorum.Header
		cert    quorum.Certificate
		next    *quorum.Set
		kind    error
	}{
		{"no closing block", one, ordinary, l.certify(t, l.sets[1], ordinary).Certificate(), l.sets[2], ErrHandover},
		{"a tail", one, l.tail, l.certify(t, l.sets[1], l.tail).Certificate(), l.sets[2], ErrHandover},
		{"the epoch before", one, l.headers[1], good, l.sets[1], ErrHandover},
		{"the epoch after", l.start, closing, byTail, l.sets[2], ErrHandover},
		{"an epoch skipped by the same validators", one, skipped, l.certify(t, l.sets[1], skipped).Certificate(), l.sets[2], ErrHandover},
		{"no next set", one, closing, byTail, nil, ErrHandover},
		{"another next set", one, closing, byTail, l.sets[1], ErrHandover},
		{"more than a third at once", one, greedy, l.certify(t, l.sets[1], greedy).Certificate(), third, ErrHandover},
		{"over before it began", one, early, l.certify(t, l.sets[1], early).Certificate(), l.sets[2], ErrHandover},
		{"not above the anchor", one, low, l.certify(t, l.sets[1], low).Certificate(), l.sets[2], ErrHandover},
		{"another network", one, foreign, l.certify(t, l.sets[1], foreign).Certificate(), l.sets[2], ErrCertificate},
		{"signed by the old set", one, closing, l.certify(t, l.sets[0], closing).Certificate(), l.sets[2], ErrCertificate},
		{"signed by the next set", one, closing, l.certify(t, l.sets[2], closing).Certificate(), l.sets[2], ErrCertificate},
		{"header of the next set", one, header(func(h *quorum.Header) { h.ValidatorSet = l.sets[2].Hash() }), byTail, l.sets[2], ErrCertificate},
		{"certificate of another block", one, closing, l.certify(t, l.sets[1], ordinary).Certificate(), l.sets[2], ErrCertificate},
		{"certificate of the tail without the tail", one, closing, l.certify(t, l.sets[1], l.tail).Certificate(), l.sets[2], ErrCertificate},
		{"tail of another block", one, closing, tailOf(func(h *quorum.Header) { h.Closing[0] ^= 1 }), l.sets[2], ErrCertificate},
		{"tail that was not signed", one, closing, tailOf(func(h *quorum.Header) { h.TimeMs++ }), l.sets[2], ErrCertificate},
		{"tail that is none", one, closing, tailOf(func(h *quorum.Header) { h.Flags = 0 }), l.sets[2], ErrCertificate},
		{"tail of another view", one, closing, tailOf(func(h *quorum.Header) { h.View++ }), l.sets[2], ErrCertificate},
		{"tail of another height", one, closing, tailOf(func(h *quorum.Header) { h.Height++ }), l.sets[2], ErrCertificate},
		{"tail of another epoch", one, closing, tailOf(func(h *quorum.Header) { h.Epoch++ }), l.sets[2], ErrCertificate},
		{"a notarization", one, closing, func() quorum.Certificate { c := byTail; c.Kind = quorum.KindNotarize; return c }(), l.sets[2], ErrCertificate},
		{"a signature too few", one, closing, func() quorum.Certificate {
			c := l.certify(t, l.sets[1], closing).Certificate()
			c.Bitmap, c.Signatures = []byte{c.Bitmap[0] & (c.Bitmap[0] - 1)}, c.Signatures[1:]
			return c
		}(), l.sets[2], quorum.ErrPower},
	} {
		next, err := c.from.Advance(c.closing, c.cert, c.next)
		if !errors.Is(err, c.kind) || next.Set != nil {
			t.Errorf("%s: got %v, want %v", c.name, err, c.kind)
		}
	}
	// A tail does not make an ordinary block final.
	tail := l.tail
	tail.Closing = ordinary.Hash()
	cert := l.certify(t, l.sets[1], tail).WithTail(tail).Certificate()
	if _, err := one.Verify([]quorum.Header{ordinary}, cert); !errors.Is(err, ErrCertificate) {
		t.Errorf("an ordinary block finalized by a tail: %v", err)
	}
	// Nor is a block of another epoch one of this.
	if _, err := l.start.Verify(l.headers[2:3], byTail); !errors.Is(err, ErrCertificate) {
		t.Errorf("a block of epoch 1 in epoch 0: %v", err)
	}
}

// TestTrustRunsOut tries both sides of the trusting period.
func TestTrustRunsOut(t *testing.T) {
	p := ledger.DefaultParams()
	c := newLine(t).start
	limit := p.UnbondingMs() / 3 * 2
	for _, age := range []int64{0, 1, limit - 1, limit} {
		if err := c.Check(&p, c.SeenMs+age); err != nil {
			t.Errorf("%d ms old: %v", age, err)
		}
	}
	if err := c.Check(&p, c.SeenMs+limit+1); !errors.Is(err, ErrStale) {
		t.Errorf("one ms too old: %v", err)
	}
}

func TestBegin(t *testing.T) {
	k := testKey("validator 0")
	g := &ledger.Genesis{
		Version: ledger.GenesisVersion, Chain: "c", TimeMs: 5, Params: ledger.AdoptParams(),
		Validators: []ledger.GenesisValidator{{Name: "v", Key: k.Public(), Stake: 5_000, Operator: k.Address()}},
	}
	c, err := Begin(g)
	if err != nil || c.Epoch != 0 || c.Genesis != g.Hash() || c.Anchor.Hash() != g.Block().Hash() || c.SeenMs != 5 || c.Domain().Set.Total() != 5_000 {
		t.Errorf("%+v, %v", c, err)
	}
	g.Validators = nil
	if _, err := Begin(g); !errors.Is(err, ErrHandover) {
		t.Errorf("no validators: %v", err)
	}
}
