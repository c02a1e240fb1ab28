package sync

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// epochs is a chain of several epochs with other validators in each.
type epochs struct {
	genesis crypto.Hash
	anchor  Tip
	sets    []*network // of epoch e: domain and keys
	blocks  []Block    // of height 1, 2, …; every one with its certificate, every per-th a closing one
	per     int
}

// epochNetwork is the validators of an epoch: four of a rolling list of keys.
func epochNetwork(t failer, genesis crypto.Hash, e int) *network {
	t.Helper()
	var validators []quorum.Validator
	byKey := map[crypto.PublicKey]crypto.PrivateKey{}
	for i := range 4 {
		k := testKey(e + i)
		byKey[k.Public()] = k
		validators = append(validators, quorum.Validator{Key: k.Public(), Power: quorum.Power(10 + e), Operator: k.Address()})
	}
	set, err := quorum.NewSet(validators)
	if err != nil {
		t.Fatal(err)
	}
	n := &network{Domain: quorum.Domain{Genesis: genesis, Set: set, Checker: mac{}}}
	for _, v := range set.Validators() {
		n.keys = append(n.keys, byKey[v.Key])
	}
	return n
}

func newEpochs(t failer, name string, count, per int) *epochs {
	t.Helper()
	c := &epochs{genesis: crypto.Sum(crypto.TagGenesis, []byte(name)), per: per, anchor: Tip{Hash: crypto.Sum(crypto.TagHeader, []byte(name)), TimeMs: 1_700_000_000_000}}
	for e := range count + 1 {
		c.sets = append(c.sets, epochNetwork(t, c.genesis, e))
	}
	tip := c.anchor
	for h := 1; h <= count*per; h++ {
		e := (h - 1) / per
		b := c.sets[e].next(tip, fmt.Sprintf("block %d", h))
		b.Header.Epoch, b.Header.View = quorum.Epoch(e), quorum.View((h-1)%per+1)
		if h%per == 0 {
			b.Header.Flags, b.Header.NextValidatorSet, b.Next = quorum.FlagClosing, c.sets[e+1].Set.Hash(), c.sets[e+1].Set
		}
		c.seal(t, e, &b, h%(2*per) == 0)
		c.blocks = append(c.blocks, b)
		tip = tipOf(b)
	}
	return c
}

// seal finalizes a block by the set of an epoch, itself or through a tail.
func (c *epochs) seal(t failer, e int, b *Block, throughTail bool) {
	t.Helper()
	h := b.Header
	if !throughTail {
		b.Certificate = c.sets[e].certificate(t, quorum.Vote{Kind: quorum.KindFinalize, Epoch: h.Epoch, View: h.View, Height: h.Height, Block: h.Hash()}, 4)
		return
	}
	tail := quorum.Header{
		Version: quorum.HeaderVersion, Genesis: h.Genesis, Epoch: h.Epoch, View: h.View + 1, Height: h.Height, Parent: h.Hash(), ParentView: h.View,
		TimeMs: h.TimeMs + 1, ValidatorSet: h.ValidatorSet, Closing: h.Hash(), Flags: quorum.FlagTail,
	}
	b.Certificate = c.sets[e].certificate(t, quorum.Vote{Kind: quorum.KindFinalize, Epoch: h.Epoch, View: tail.View, Height: h.Height, Block: tail.Hash()}, 4)
	b.Certificate.Tail = &tail
}

func (c *epochs) tip(h int) Tip {
	if h == 0 {
		return c.anchor
	}
	return tipOf(c.blocks[h-1])
}

func (c *epochs) run(h, most int) []Block {
	return TrimAnswer(slices.Clone(c.blocks[h:min(h+most, len(c.blocks))]))
}

// TestEpochsBehind: a node several epochs behind verifies each with the set that the closing block of the one before named,
// and never asks with another.
func TestEpochsBehind(t *testing.T) {
	const count, per = 7, 5
	c := newEpochs(t, "home", count, per)
	f := NewFetcher(c.sets[0].Domain, 0, []string{"validator"})
	tip, rounds := 0, 0
	for now := int64(0); tip < len(c.blocks); now++ {
		if rounds++; rounds > count*per {
			t.Fatalf("%d rounds, %d blocks", rounds, tip)
		}
		f.Claim("validator", 1_000)
		r := f.Next(now, c.tip(tip))
		if r == nil {
			t.Fatalf("nobody asked at height %d", tip)
		}
		blocks, cert, err := f.Answer(now, r.Peer, c.tip(tip), EncodeBlocks(c.run(tip, MaxBlocksPerAnswer)))
		if err != nil {
			t.Fatalf("above %d: %v", tip, err)
		}
		tip += len(blocks)
		last := blocks[len(blocks)-1]
		if tip%per != 0 || !last.Header.IsClosing() || cert.Certificate().Finalizes() != last.Header.Hash() {
			t.Fatalf("a run ends at height %d, closing %t", tip, last.Header.IsClosing())
		}
		d := c.sets[0].Domain
		d.Set = last.Next
		f = f.InEpoch(d, last.Header.Epoch+1, []string{"validator"})
	}
	if rounds != count {
		t.Errorf("%d answers for %d epochs", rounds, count)
	}
}

// TestLiesAboutEpochs are answers above height 3 of epochs of five blocks.
func TestLiesAboutEpochs(t *testing.T) {
	c := newEpochs(t, "home", 3, 5)
	const tip = 3
	other := epochNetwork(t, c.genesis, 40)
	last := func(b []Block) *Block { return &b[len(b)-1] }
	seal := func(b []Block) []Block { c.seal(t, 0, last(b), false); return b }
	for name, lie := range map[string]struct {
		want   ErrorKind
		change func([]Block) []Block
	}{
		"without the next set":         {ErrNextSet, func(b []Block) []Block { last(b).Next = nil; return b }},
		"another next set":             {ErrNextSet, func(b []Block) []Block { last(b).Next = other.Set; return b }},
		"the present set as the next":  {ErrNextSet, func(b []Block) []Block { last(b).Next = c.sets[0].Set; return b }},
		"a next set on a block before": {ErrNextSet, func(b []Block) []Block { b[0].Next = c.sets[1].Set; return b }},
		"another next set, named, uncertified": {ErrCertificate, func(b []Block) []Block {
			last(b).Next, last(b).Header.NextValidatorSet = other.Set, other.Set.Hash()
			return b
		}},
		"another next set, certified by itself": {ErrCertificate, func(b []Block) []Block {
			last(b).Next, last(b).Header.NextValidatorSet = other.Set, other.Set.Hash()
			h := last(b).Header
			last(b).Certificate = other.certificate(t, quorum.Vote{Kind: quorum.KindFinalize, View: h.View, Height: h.Height, Block: h.Hash()}, 4)
			return b
		}},
		"beyond the closing block": {ErrChain, func(b []Block) []Block { return append(b, c.blocks[5]) }},
		"a block of the next epoch under the old set": {ErrChain, func(b []Block) []Block {
			b[0].Header.Epoch = 1
			return seal(b[:1])
		}},
		"a block under the set of the next epoch": {ErrChain, func(b []Block) []Block {
			b[0].Header.ValidatorSet = c.sets[1].Set.Hash()
			return seal(b[:1])
		}},
		"a tail as a block": {ErrChain, func(b []Block) []Block {
			b[0].Header.Flags = quorum.FlagTail
			return seal(b[:1])
		}},
		"a tail's certificate without the tail": {ErrCertificate, func(b []Block) []Block {
			c.seal(t, 0, last(b), true)
			last(b).Certificate.Tail = nil
			return b
		}},
		"the tail of another closing block": {ErrCertificate, func(b []Block) []Block {
			forged := *last(b)
			forged.Header.TimeMs++
			c.seal(t, 0, &forged, true)
			last(b).Certificate = forged.Certificate
			return b
		}},
		"the same vote of the epoch after, by the same set": {ErrCertificate, func(b []Block) []Block {
			h := last(b).Header
			last(b).Certificate = c.sets[0].certificate(t, quorum.Vote{Kind: quorum.KindFinalize, Epoch: 1, View: h.View, Height: h.Height, Block: h.Hash()}, 4)
			return b
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := NewFetcher(c.sets[0].Domain, 0, nil)
			f.Claim("peer", 15)
			f.Next(0, c.tip(tip))
			blocks, cert, err := f.Answer(1, "peer", c.tip(tip), EncodeBlocks(lie.change(c.run(tip, 2))))
			if !errors.Is(err, lie.want) || blocks != nil || !cert.IsZero() {
				t.Fatalf("%d blocks, error %v, want %q", len(blocks), err, lie.want)
			}
		})
	}
	f := NewFetcher(c.sets[0].Domain, 0, nil)
	f.Claim("peer", 15)
	f.Next(0, c.tip(tip))
	if blocks, _, err := f.Answer(1, "peer", c.tip(tip), EncodeBlocks(c.run(tip, 10))); err != nil || len(blocks) != 2 {
		t.Fatalf("the truth: %d blocks, %v", len(blocks), err)
	}
}

// TestInEpoch: what peers claim and how they failed outlives the epoch; who votes does not.
func TestInEpoch(t *testing.T) {
	n := newNetwork(t, "home", 1)
	f := NewFetcher(n.Domain, 0, []string{"stays", "leaves"})
	f.Claim("stays", 7)
	f.Claim("leaves", 8)
	f.Claim("joins", 9)
	for i := range 2 * maxStrangers {
		f.Claim(fmt.Sprint("stranger", i), 1)
	}
	f.peers["leaves"].failures, f.peers["joins"].failures, f.failed = 3, 2, 1
	f.Next(0, n.anchor)
	g := f.InEpoch(n.Domain, 1, []string{"stays", "joins"})
	if g.Busy() || g.failed != 1 || g.Claimed("stays") != 7 || g.Claimed("leaves") != 8 || g.Claimed("joins") != 9 {
		t.Fatalf("busy %t, claims %d %d %d", g.Busy(), g.Claimed("stays"), g.Claimed("leaves"), g.Claimed("joins"))
	}
	if !g.peers["joins"].validator || g.peers["leaves"].validator || g.peers["leaves"].failures != 3 {
		t.Fatal("who votes, or who failed, is wrong")
	}
	if g.strangers > maxStrangers || g.strangers != len(g.peers)-2 {
		t.Fatalf("%d strangers of %d peers", g.strangers, len(g.peers))
	}
}
