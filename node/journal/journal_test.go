package journal

import (
	"errors"
	"fmt"
	"testing"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/node/signer"
)

// TestPairsOfOneView holds every pair of votes of one view against the rule.
func TestPairsOfOneView(t *testing.T) {
	const (
		notarize = quorum.KindNotarize
		finalize = quorum.KindFinalize
		nullify  = quorum.KindNullify
	)
	n := newNetwork(t, mac{})
	v := func(kind quorum.VoteKind, name string) quorum.Vote { return vote(kind, 5, name) }
	for _, c := range []struct {
		first, second         quorum.Vote
		firstGood, secondGood bool
	}{
		{v(notarize, "A"), v(notarize, "A"), true, true},
		{v(notarize, "A"), v(notarize, "B"), true, false},
		{v(notarize, "A"), v(finalize, "A"), true, true},
		{v(notarize, "A"), v(finalize, "B"), true, false},
		{v(notarize, "A"), v(nullify, ""), true, true},
		{v(nullify, ""), v(notarize, "A"), true, false},
		{v(nullify, ""), v(finalize, "A"), true, false},
		{v(nullify, ""), v(nullify, ""), true, true},
		{v(finalize, "A"), v(notarize, "A"), false, true}, // finalize without notarize is refused, and leaves no trace
		{v(finalize, "A"), v(nullify, ""), false, true},
		{v(finalize, "A"), v(finalize, "A"), false, false},
	} {
		for _, restart := range []bool{false, true} {
			for _, together := range []bool{false, true} {
				name := fmt.Sprintf("%s %s then %s %s restart=%t together=%t", c.first.Kind, c.first.Block.Short(), c.second.Kind, c.second.Block.Short(), restart, together)
				t.Run(name, func(t *testing.T) {
					if restart && together {
						t.Skip("no restart within a call")
					}
					checkPair(t, n, c.first, c.second, c.firstGood, c.secondGood, restart, together)
				})
			}
		}
	}
}

func checkPair(t *testing.T, n *network, first, second quorum.Vote, firstGood, secondGood, restart, together bool) {
	disk := newMemory()
	j, _ := mustOpen(t, disk, n.config(0))
	want := 0
	for _, good := range []bool{firstGood, secondGood} {
		if good {
			want++
		}
	}
	if together {
		begun := disk.writes
		signed, refused, err := j.Sign([]quorum.Vote{first, second}, nil)
		if err != nil || len(signed) != want || len(refused) != 2-want {
			t.Fatalf("%d signed, %d refused, error %v; want %d signed", len(signed), len(refused), err, want)
		}
		if want > 0 && disk.writes != begun+1 {
			t.Fatalf("%d writes for one call", disk.writes-begun)
		}
		return
	}
	a, ok := signOne(t, j, first)
	if ok != firstGood {
		t.Fatalf("first signed: %t", ok)
	}
	if restart {
		j, _ = mustOpen(t, disk.crash(0), n.config(0))
	}
	b, ok := signOne(t, j, second)
	if ok != secondGood {
		t.Fatalf("second signed: %t", ok)
	}
	if first == second && ok && firstGood && a.Vote() != b.Vote() {
		t.Fatal("the same vote was signed again with other bytes")
	}
}

// TestFinalizeThenNullify is the pair that needs a notarize before it.
func TestFinalizeThenNullify(t *testing.T) {
	n := newNetwork(t, nil)
	for _, exits := range [][2]quorum.VoteKind{{quorum.KindFinalize, quorum.KindNullify}, {quorum.KindNullify, quorum.KindFinalize}} {
		disk := newMemory()
		j, _ := mustOpen(t, disk, n.config(0))
		for i, kind := range []quorum.VoteKind{quorum.KindNotarize, exits[0], exits[1]} {
			if _, ok := signOne(t, j, vote(kind, 7, "A")); ok != (i < 2) {
				t.Fatalf("%v: vote %d signed: %t", exits, i, ok)
			}
		}
		j, _ = mustOpen(t, disk.crash(0), n.config(0))
		if _, ok := signOne(t, j, vote(exits[1], 7, "A")); ok {
			t.Fatalf("%v: the second exit is signed after a restart", exits)
		}
	}
}

func TestRefusals(t *testing.T) {
	n := newNetwork(t, mac{})
	with := func(change func(*quorum.Vote)) quorum.Vote {
		v := vote(quorum.KindNotarize, 9, "A")
		change(&v)
		return v
	}
	for name, v := range map[string]quorum.Vote{
		"another epoch":           with(func(v *quorum.Vote) { v.Epoch++ }),
		"an epoch before":         with(func(v *quorum.Vote) { v.Epoch-- }),
		"another signer":          with(func(v *quorum.Vote) { v.Signer = 1 }),
		"a signer nobody is":      with(func(v *quorum.Vote) { v.Signer = 65535 }),
		"a proposal as a vote":    with(func(v *quorum.Vote) { v.Kind = quorum.KindProposal }),
		"an unknown kind":         with(func(v *quorum.Vote) { v.Kind = 200 }),
		"a view before":           with(func(v *quorum.Vote) { v.View = 7 }),
		"view 0":                  with(func(v *quorum.Vote) { v.View = 0 }),
		"same view, step before":  vote(quorum.KindNotarize, 8, "A"),
		"another height":          with(func(v *quorum.Vote) { v.View, v.Block, v.Height = 6, block("A"), 99 }),
		"finalize, no notarize":   vote(quorum.KindFinalize, 9, "A"),
		"finalize in a view past": vote(quorum.KindFinalize, 6, "A"),
	} {
		t.Run(name, func(t *testing.T) {
			disk := newMemory()
			j, _ := mustOpen(t, disk, n.config(0))
			for _, before := range []quorum.Vote{vote(quorum.KindNotarize, 6, "A"), vote(quorum.KindNullify, 8, "")} {
				signOne(t, j, before)
			}
			writes := disk.writes
			if _, ok := signOne(t, j, v); ok {
				t.Fatalf("signed %+v", v)
			}
			if disk.writes != writes {
				t.Fatal("a refused vote was written")
			}
		})
	}
}

func TestObserverSignsNothing(t *testing.T) {
	n := newNetwork(t, mac{})
	j, _ := mustOpen(t, newMemory(), n.config(-1))
	if _, ok := signOne(t, j, vote(quorum.KindNotarize, 1, "A")); ok {
		t.Fatal("a node without a key signs")
	}
	_, err := j.SignProposal(n.proposal(t, 1, "x"))
	wantKind(t, err, ErrWouldDoubleSign)
}

func TestOpenRefusesAForeignKey(t *testing.T) {
	n := newNetwork(t, mac{})
	cfg := n.config(0)
	cfg.key = n.keys[1]
	if _, _, err := open(newMemory(), cfg); err == nil {
		t.Fatal("opened with the key of another validator")
	}
	cfg = n.config(0)
	cfg.Self = 4
	if _, _, err := open(newMemory(), cfg); err == nil {
		t.Fatal("opened for a validator that is not in the set")
	}
}

// TestFailedWrite checks that nothing of a failed write is ever returned as signed, neither then nor later, and
// that what may have reached the disk binds after a restart.
func TestFailedWrite(t *testing.T) {
	n := newNetwork(t, mac{})
	for _, torn := range []bool{false, true} {
		disk := newMemory()
		j, _ := mustOpen(t, disk, n.config(0))
		a := vote(quorum.KindNotarize, 1, "A")
		disk.fail, disk.torn = true, torn
		signed, refused, err := j.Sign([]quorum.Vote{a}, nil)
		if !errors.Is(err, errDisk) || signed != nil || refused != nil {
			t.Fatalf("a failed write gave %v, %v, %v", signed, refused, err)
		}
		disk.fail = false
		for _, again := range []quorum.Vote{a, vote(quorum.KindNotarize, 1, "B"), vote(quorum.KindNullify, 2, "")} {
			if signed, _, err := j.Sign([]quorum.Vote{again}, nil); !errors.Is(err, errDisk) || len(signed) > 0 {
				t.Fatalf("after a failed write the journal goes on: %v, %v", signed, err)
			}
		}
		p := n.proposal(t, n.ledBy(0, 1)[0], "x")
		if _, err := j.SignProposal(p); !errors.Is(err, errDisk) {
			t.Fatalf("after a failed write a proposal gives %v", err)
		}
		for keep := range disk.unsynced() + 1 {
			// The first signature of a signer is synced.
			j, rec := mustOpen(t, disk.crash(keep), n.config(0))
			if b, ok := signOne(t, j, vote(quorum.KindNotarize, 1, "B")); ok {
				t.Fatalf("%d votes found, and the other block signed: %v", len(rec.Votes), b.Vote())
			}
			if _, ok := signOne(t, j, a); !ok {
				t.Fatal("what was signed and did not leave is not signed again")
			}
		}
	}
}

func TestFailedProposalWrite(t *testing.T) {
	n := newNetwork(t, mac{})
	view := n.ledBy(0, 1)[0]
	for _, torn := range []bool{false, true} {
		disk := newMemory()
		j, _ := mustOpen(t, disk, n.config(0))
		disk.fail, disk.torn = true, torn
		if _, err := j.SignProposal(n.proposal(t, view, "x")); !errors.Is(err, errDisk) {
			t.Fatalf("a failed write gave %v", err)
		}
		disk.fail = false
		if _, err := j.SignProposal(n.proposal(t, view, "y")); !errors.Is(err, errDisk) {
			t.Fatalf("a second proposal after a failed write gave %v", err)
		}
		j, rec := mustOpen(t, disk.crash(disk.unsynced()), n.config(0))
		if _, err := j.SignProposal(n.proposal(t, view, "y")); !IsRefusal(err) {
			t.Fatalf("%d proposals found, a second one gives %v", len(rec.OwnProposals), err)
		}
	}
}

// odd is a signer that answers otherwise than the one behind it.
type odd struct {
	signer.Signer
	answer func([]signer.Request, []signer.Answer) ([]signer.Answer, error)
}

func (o odd) Sign(r []signer.Request) ([]signer.Answer, error) {
	a, err := o.Signer.Sign(r)
	if err != nil {
		return nil, err
	}
	return o.answer(r, a)
}

func (n *network) withOdd(t failer, disk *memory, answer func([]signer.Request, []signer.Answer) ([]signer.Answer, error)) setup {
	cfg := n.config(0)
	file, err := openSigner(disk, cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Signer = odd{file, answer}
	return cfg
}

// TestBadSignatureStops: a signature that is none, and one answer too few, stop the journal.
func TestBadSignatureStops(t *testing.T) {
	n := newNetwork(t, mac{})
	a, b := vote(quorum.KindNotarize, 1, "A"), vote(quorum.KindNotarize, 2, "B")
	for name, answer := range map[string]func([]signer.Request, []signer.Answer) ([]signer.Answer, error){
		"bad signature": func(_ []signer.Request, a []signer.Answer) ([]signer.Answer, error) {
			a[len(a)-1].Signature[5] ^= 1
			return a, nil
		},
		"an answer is short": func(_ []signer.Request, a []signer.Answer) ([]signer.Answer, error) { return a[1:], nil },
	} {
		disk := newMemory()
		j, _ := mustOpen(t, disk, n.withOdd(t, disk, answer))
		begun := disk.writes
		if signed, _, err := j.Sign([]quorum.Vote{a, b}, nil); err == nil || signed != nil || disk.writes != begun {
			t.Fatalf("%s: signed %v, error %v, %d writes", name, signed, err, disk.writes)
		}
		if signed, _, err := j.Sign([]quorum.Vote{a}, nil); err == nil || len(signed) > 0 {
			t.Fatalf("%s: a vote that was never written is returned as signed", name)
		}
	}
}

// TestSignerWithoutSense: the journal keeps the rule, even if the signer does not.
func TestSignerWithoutSense(t *testing.T) {
	n := newNetwork(t, mac{})
	asked := 0
	disk := newMemory()
	j, _ := mustOpen(t, disk, n.withOdd(t, disk, func(r []signer.Request, a []signer.Answer) ([]signer.Answer, error) {
		for i := range r {
			asked++
			a[i] = signer.Answer{Signature: mac{}.Sign(n.keys[0], quorum.VoteDigest(n.Genesis, r[i].ValidatorSet, r[i].Vote))}
		}
		return a, nil
	}))
	for i, c := range []struct {
		votes []quorum.Vote
		want  int // signed
		asked int // of the signer, in all
	}{
		{[]quorum.Vote{vote(quorum.KindNotarize, 3, "A"), vote(quorum.KindNotarize, 3, "B"), vote(quorum.KindNotarize, 3, "A")}, 2, 3},
		{[]quorum.Vote{vote(quorum.KindNotarize, 3, "B"), vote(quorum.KindFinalize, 3, "B"), vote(quorum.KindNotarize, 2, "A")}, 0, 3},
		{[]quorum.Vote{vote(quorum.KindFinalize, 3, "A"), vote(quorum.KindNullify, 3, "")}, 1, 5},
		{[]quorum.Vote{vote(quorum.KindFinalize, 4, "A"), vote(quorum.KindNotarize, 4, "B"), vote(quorum.KindFinalize, 4, "A")}, 1, 6},
	} {
		signed, refused, err := j.Sign(c.votes, nil)
		if err != nil || len(signed) != c.want || len(refused) != len(c.votes)-c.want || asked != c.asked {
			t.Fatalf("call %d: signed %v, refused %v, error %v, the signer was asked %d times", i, signed, refused, err, asked)
		}
	}
}

// away is a signer that cannot be reached for a while.
type away struct {
	signer.Signer
	gone bool
}

var errAway = &signer.Error{Kind: signer.ErrUnavailable, Detail: "test"}

func (a *away) State() (signer.State, error) {
	if a.gone {
		return signer.State{}, errAway
	}
	return a.Signer.State()
}

func (a *away) Reconcile(k signer.Known) error {
	if a.gone {
		return errAway
	}
	return a.Signer.Reconcile(k)
}

func (a *away) Sign(r []signer.Request) ([]signer.Answer, error) {
	if a.gone {
		return nil, errAway
	}
	return a.Signer.Sign(r)
}

// TestSignerAway: without a signer the node goes on without a vote, and votes when the signer is back; what the journal
// holds is held against it then.
func TestSignerAway(t *testing.T) {
	n := newNetwork(t, mac{})
	disk := newMemory()
	cfg := n.config(0)
	file, err := openSigner(disk, cfg)
	if err != nil {
		t.Fatal(err)
	}
	a := &away{Signer: file, gone: true}
	cfg.Signer = a
	j, _ := mustOpen(t, disk, cfg)
	for view := quorum.View(1); view < 6; view++ {
		a.gone = view%2 == 1
		v := vote(quorum.KindNotarize, view, "A")
		if _, ok := signOne(t, j, v); ok == a.gone {
			t.Fatalf("view %d: signed %t, the signer is away: %t", view, ok, a.gone)
		}
	}
	a.gone = true
	if _, err := j.SignProposal(n.proposal(t, n.ledBy(0, 1)[0], "x")); !IsRefusal(err) {
		t.Fatalf("a proposal without a signer: %v", err)
	}

	// An older signer is noticed when it comes.
	other := newMemory()
	if file, err = openSigner(other, cfg); err != nil {
		t.Fatal(err)
	}
	a = &away{Signer: file, gone: true}
	cfg.Signer = a
	j, _ = mustOpen(t, disk, cfg)
	a.gone = false
	if signed, _, err := j.Sign([]quorum.Vote{vote(quorum.KindNotarize, 9, "A")}, nil); !errors.Is(err, signer.ErrOldSigner) || signed != nil {
		t.Fatalf("a signer that forgot what the journal holds: signed %v, error %v", signed, err)
	}
}

func TestForget(t *testing.T) {
	n := newNetwork(t, mac{})
	disk := newMemory()
	j, _ := mustOpen(t, disk, n.config(0))
	led := n.ledBy(0, 3)
	for _, view := range led {
		if _, err := j.SignProposal(n.proposal(t, view, "x")); err != nil {
			t.Fatal(err)
		}
	}
	top := led[2]
	for v := quorum.View(1); v <= top; v++ {
		p := n.verified(t, n.proposal(t, v, "y"))
		signed, _, err := j.Sign([]quorum.Vote{{Kind: quorum.KindNotarize, Epoch: testEpoch, View: v, Height: 1, Block: p.Hash()}}, []quorum.VerifiedProposal{p})
		if err != nil || len(signed) != 1 {
			t.Fatal(signed, err)
		}
		cert := n.certificate(t, quorum.Vote{Kind: quorum.KindNotarize, Epoch: testEpoch, View: v, Height: 1, Block: p.Hash()})
		if err := j.Keep([]quorum.VerifiedCertificate{cert}); err != nil {
			t.Fatal(err)
		}
	}
	for _, below := range []quorum.View{0, 1, 2, top - 1, top, top + 1, top + 100, 1 << 63, 3} {
		if err := j.Forget(below); err != nil {
			t.Fatal(err)
		}
		floor := min(max(below, j.floor), top+1)
		_, rec := mustOpen(t, disk, n.config(0))
		if want := (consensus.Watermark{View: top, Step: consensus.StepNotarize}); rec.Signed != want {
			t.Fatalf("after Forget(%d) the watermark is %+v, want %+v", below, rec.Signed, want)
		}
		left := int(top) + 1 - max(int(floor), 1)
		if len(rec.Votes) != max(left, 1) || len(rec.Blocks) != left || len(rec.Certificates) != left {
			t.Fatalf("after Forget(%d) %d votes, %d blocks, %d certificates remain, want %d", below, len(rec.Votes), len(rec.Blocks), len(rec.Certificates), left)
		}
		if len(rec.OwnProposals) == 0 || rec.OwnProposals[len(rec.OwnProposals)-1].Header().View != top {
			t.Fatalf("after Forget(%d) our last proposal is gone", below)
		}
		again, _ := mustOpen(t, disk.crash(disk.unsynced()), n.config(0))
		for v := quorum.View(1); v <= top; v++ {
			for _, s := range []*Journal{j, again} {
				if _, ok := signOne(t, s, vote(quorum.KindNotarize, v, "another block")); ok {
					t.Fatalf("after Forget(%d) a second notarize of view %d is signed", below, v)
				}
				if n.slate.Leader(v) == 0 {
					_, err := s.SignProposal(n.proposal(t, v, "another payload"))
					wantKind(t, err, ErrWouldDoubleSign)
				}
			}
		}
	}
}

func TestProposals(t *testing.T) {
	n := newNetwork(t, nil)
	disk := newMemory()
	j, _ := mustOpen(t, disk, n.config(0))
	led := n.ledBy(0, 3)
	signed, err := j.SignProposal(n.proposal(t, led[1], "x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := j.SyncProposal(); err != nil {
		t.Fatal(err)
	}
	refuses := func(j *Journal) {
		t.Helper()
		for name, p := range map[string]quorum.Proposal{
			"the same again":    n.proposal(t, led[1], "x"),
			"another payload":   n.proposal(t, led[1], "y"),
			"an earlier view":   n.proposal(t, led[0], "x"),
			"another proposer":  func() quorum.Proposal { p := n.proposal(t, led[2], "x"); p.Header.Proposer = 1; return p }(),
			"another epoch":     func() quorum.Proposal { p := n.proposal(t, led[2], "x"); p.Header.Epoch++; return p }(),
			"somebody's view 1": n.proposal(t, otherView(n), "x"),
		} {
			writes := disk.writes
			if _, err := j.SignProposal(p); !IsRefusal(err) {
				t.Errorf("%s: %v", name, err)
			}
			if disk.writes != writes {
				t.Errorf("%s: written", name)
			}
		}
	}
	refuses(j)
	after, rec := mustOpen(t, disk.crash(0), n.config(0))
	if len(rec.OwnProposals) != 1 || rec.OwnProposals[0].Hash() != signed.Hash() || string(rec.OwnProposals[0].Proposal().Encode()) != string(signed.Proposal().Encode()) {
		t.Fatal("a restart does not find the very proposal that was signed")
	}
	refuses(after)
	if _, err := after.SignProposal(n.proposal(t, led[2], "x")); err != nil {
		t.Fatal(err)
	}
}

// otherView is the first view that validator 0 does not lead.
func otherView(n *network) quorum.View {
	for v := quorum.View(1); ; v++ {
		if n.slate.Leader(v) != 0 {
			return v
		}
	}
}

func TestDamage(t *testing.T) {
	n := newNetwork(t, mac{})
	build := func() *memory {
		disk := newMemory()
		j, _ := mustOpen(t, disk, n.config(0))
		led := n.ledBy(0, 1)[0]
		if _, err := j.SignProposal(n.proposal(t, led, "x")); err != nil {
			t.Fatal(err)
		}
		p := n.verified(t, n.proposal(t, 1, "y"))
		v := quorum.Vote{Kind: quorum.KindNotarize, Epoch: testEpoch, View: 1, Height: 1, Block: p.Hash()}
		if _, _, err := j.Sign([]quorum.Vote{v}, []quorum.VerifiedProposal{p}); err != nil {
			t.Fatal(err)
		}
		if err := j.Keep([]quorum.VerifiedCertificate{n.certificate(t, v)}); err != nil {
			t.Fatal(err)
		}
		return disk
	}
	if _, _, err := open(build(), n.config(0)); err != nil {
		t.Fatal(err)
	}
	t.Run("another validator", func(t *testing.T) {
		disk := build()
		disk.slots = nil // of the right key
		_, _, err := open(disk, n.config(1))
		wantKind(t, err, ErrForeign)
	})
	t.Run("no validator for a while", func(t *testing.T) {
		disk := build()
		_, rec, err := open(disk, n.config(-1))
		if err != nil || len(rec.Votes) > 0 || len(rec.OwnProposals) > 0 || len(rec.Blocks) == 0 {
			t.Fatalf("a full node finds %d votes, %d proposals, %d blocks: %v", len(rec.Votes), len(rec.OwnProposals), len(rec.Blocks), err)
		}
		if _, rec, err = open(disk, n.config(0)); err != nil || len(rec.Votes) == 0 {
			t.Fatalf("the validator finds %d votes afterwards: %v", len(rec.Votes), err)
		}
	})
	t.Run("an epoch that is over", func(t *testing.T) {
		cfg := n.config(0)
		cfg.Epoch--
		_, _, err := open(build(), cfg)
		wantKind(t, err, ErrDamaged)
	})
	t.Run("another network", func(t *testing.T) {
		cfg := n.config(0)
		cfg.Domain.Genesis = block("another")
		disk := build()
		disk.slots = nil // of the right network
		_, _, err := open(disk, cfg)
		wantKind(t, err, ErrDamaged)
	})
	for key := range build().now() {
		for name, change := range map[string]func(map[string][]byte){
			"emptied":       func(m map[string][]byte) { m[key] = []byte{} },
			"cut short":     func(m map[string][]byte) { m[key] = m[key][:len(m[key])-1] },
			"longer":        func(m map[string][]byte) { m[key] = append(m[key], 0) },
			"a bit flipped": func(m map[string][]byte) { m[key][len(m[key])/2] ^= 4 },
			"moved": func(m map[string][]byte) {
				other := []byte(key)
				other[17]++
				m[string(other)] = m[key]
				delete(m, key)
			},
			"copied": func(m map[string][]byte) {
				other := []byte(key)
				other[len(other)-1]++
				m[string(other)] = m[key]
			},
		} {
			t.Run(fmt.Sprintf("%c record %s", key[1], name), func(t *testing.T) {
				disk := build()
				change(disk.now())
				_, _, err := open(disk, n.config(0))
				wantKind(t, err, ErrDamaged)
			})
		}
	}
}

// TestWatermarkIsTheMaximum: the order of the records says nothing.
func TestWatermarkIsTheMaximum(t *testing.T) {
	n := newNetwork(t, mac{})
	disk := newMemory()
	j, _ := mustOpen(t, disk, n.config(0))
	for _, v := range []quorum.Vote{vote(quorum.KindNotarize, 255, "A"), vote(quorum.KindNullify, 255, ""), vote(quorum.KindNotarize, 256, "B"), vote(quorum.KindNotarize, 1<<40, "C")} {
		if _, ok := signOne(t, j, v); !ok {
			t.Fatalf("refused %+v", v)
		}
	}
	_, rec := mustOpen(t, disk, n.config(0))
	if want := (consensus.Watermark{View: 1 << 40, Step: consensus.StepNotarize}); rec.Signed != want || len(rec.Votes) != 4 {
		t.Fatalf("watermark %+v with %d votes", rec.Signed, len(rec.Votes))
	}
}

// TestBackups puts copies of different age together: of the whole database and of the signer's file.
func TestBackups(t *testing.T) {
	n := newNetwork(t, mac{})
	life := func(views quorum.View) *memory {
		disk := newMemory()
		cfg := n.config(0)
		cfg.reserve = 4
		j, _ := mustOpen(t, disk, cfg)
		for v := quorum.View(1); v <= views; v++ {
			for _, kind := range []quorum.VoteKind{quorum.KindNotarize, quorum.KindFinalize} {
				if _, ok := signOne(t, j, vote(kind, v, "A")); !ok {
					t.Fatalf("view %d refused", v)
				}
			}
		}
		return disk
	}
	const old, now = 5, 40
	for name, c := range map[string]struct {
		journal, signer quorum.View // 0: none
		want            error
	}{
		"as it was":       {now, now, nil},
		"old signer":      {now, old, signer.ErrOldSigner},
		"new signer file": {now, 0, signer.ErrOldSigner},
		"old journal":     {old, now, signer.ErrOldJournal},
		"no journal":      {0, now, signer.ErrOldJournal},
		// Nothing here tells that these two forgot. The network shows the node a vote of its key that it does not know,
		// and the node halts: consensus.ErrForeignVote.
		"both old": {old, old, nil},
	} {
		t.Run(name, func(t *testing.T) {
			disk := newMemory()
			if c.journal > 0 {
				disk = life(c.journal).crash(0)
			}
			disk.slots = nil
			if c.signer > 0 {
				disk.slots = life(c.signer).slots.crash(lost)
			}
			j, _, err := open(disk, n.config(0))
			if c.want != nil {
				if !errors.Is(err, c.want) {
					t.Fatalf("the error is %v, want %v", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := signOne(t, j, vote(quorum.KindNotarize, c.journal, "B")); ok {
				t.Fatal("a second notarize is signed")
			}
			if _, ok := signOne(t, j, vote(quorum.KindNotarize, c.journal+1, "A")); !ok {
				t.Fatal("the next view is refused")
			}
		})
	}
}

// TestEpochs: records of an epoch that is over are dropped, and what was signed in it cannot be signed again.
func TestEpochs(t *testing.T) {
	n := newNetwork(t, mac{})
	disk := newMemory()
	cfg := n.config(0)
	j, _ := mustOpen(t, disk, cfg)
	for v := quorum.View(1); v <= 3; v++ {
		signOne(t, j, vote(quorum.KindNotarize, v, "A"))
	}
	writes := disk.writes
	cfg.Epoch++
	j, rec := mustOpen(t, disk, cfg)
	if len(rec.Votes) != 0 || rec.Signed != (consensus.Watermark{}) || disk.writes != writes+1 || disk.unsynced() != 1 || len(disk.now()) != 1 {
		t.Fatalf("the next epoch begins with %+v after %d writes, %d records are left", rec, disk.writes-writes, len(disk.now()))
	}
	next := vote(quorum.KindNotarize, 1, "A")
	next.Epoch++
	if _, ok := signOne(t, j, vote(quorum.KindNotarize, 4, "A")); ok {
		t.Fatal("signed in an epoch that is over")
	}
	if _, ok := signOne(t, j, next); !ok {
		t.Fatal("view 1 of the next epoch is refused")
	}
	// Neither an empty journal nor the one that is there takes the node back.
	cfg.Epoch--
	before := newMemory()
	before.slots = disk.slots
	if _, _, err := open(before, cfg); !errors.Is(err, signer.ErrOldJournal) {
		t.Fatalf("an empty journal in the epoch before: %v", err)
	}
	_, _, err := open(disk.crash(disk.unsynced()), cfg)
	wantKind(t, err, ErrDamaged)
}
