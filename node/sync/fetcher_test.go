package sync

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"waybill/consensus/quorum"
)

// lies are answers to a request for the blocks above height 5 of a chain of 20, and what each is refused for.
func lies(t failer, n *network) map[string]struct {
	raw  []byte
	want ErrorKind
} {
	t.Helper()
	out := map[string]struct {
		raw  []byte
		want ErrorKind
	}{}
	const tip = 5
	lie := func(name string, want ErrorKind, change func(b []Block) []Block) {
		blocks := slices.Clone(n.run(tip, 10))
		for i := range blocks {
			blocks[i].Payload = slices.Clone(blocks[i].Payload)
		}
		out[name] = struct {
			raw  []byte
			want ErrorKind
		}{EncodeBlocks(change(blocks)), want}
	}
	last := func(b []Block) *Block { return &b[len(b)-1] }
	foreign := newNetwork(t, "another network", 20)

	lie("empty", ErrEmpty, func([]Block) []Block { return nil })
	lie("without certificate", ErrCertificate, func(b []Block) []Block { last(b).Certificate = nil; return b })
	lie("certificate on a block before the last only", ErrCertificate, func(b []Block) []Block {
		b[3].Certificate, last(b).Certificate = n.blocks[tip+3].Certificate, nil
		return b
	})
	lie("certificate of another block", ErrCertificate, func(b []Block) []Block { last(b).Certificate = n.blocks[tip].Certificate; return b })
	lie("certificate of a later block", ErrCertificate, func(b []Block) []Block { last(b).Certificate = n.blocks[19].Certificate; return b })
	statement := func(b []Block) quorum.Vote {
		h := last(b).Header
		return quorum.Vote{Kind: quorum.KindFinalize, View: h.View, Height: h.Height, Block: h.Hash()}
	}
	certify := func(name string, change func(*quorum.Vote), signers int) {
		lie(name, ErrCertificate, func(b []Block) []Block {
			v := statement(b)
			change(&v)
			last(b).Certificate = n.certificate(t, v, signers)
			return b
		})
	}
	certify("too little power", func(*quorum.Vote) {}, 2)
	certify("a notarization", func(v *quorum.Vote) { v.Kind = quorum.KindNotarize }, 4)
	certify("another height", func(v *quorum.Vote) { v.Height++ }, 4)
	lie("one signature broken", ErrCertificate, func(b []Block) []Block {
		c := n.certificate(t, statement(b), 4)
		c.Signatures[2][7] ^= 1
		last(b).Certificate = c
		return b
	})
	lie("another signer's signature", ErrCertificate, func(b []Block) []Block {
		c := n.certificate(t, statement(b), 4)
		c.Signatures[0] = c.Signatures[1]
		last(b).Certificate = c
		return b
	})
	lie("another epoch's certificate", ErrCertificate, func(b []Block) []Block {
		c := *n.certificate(t, statement(b), 4)
		c.Epoch++
		last(b).Certificate = &c
		return b
	})
	lie("another view's certificate", ErrCertificate, func(b []Block) []Block {
		c := *n.certificate(t, statement(b), 4)
		c.View++
		last(b).Certificate = &c
		return b
	})
	lie("another network", ErrChain, func([]Block) []Block { return foreign.run(tip, 10) })
	lie("another network's blocks under our genesis", ErrChain, func([]Block) []Block {
		b := foreign.run(tip, 10)
		for i := range b {
			b[i].Header.Genesis = n.Genesis
		}
		return b
	})
	lie("from the block below", ErrChain, func([]Block) []Block { return n.run(tip-1, 10) })
	lie("from a block above", ErrChain, func([]Block) []Block { return n.run(tip+1, 10) })
	lie("a block twice", ErrChain, func(b []Block) []Block { return append([]Block{b[0]}, b...) })
	lie("a block left out", ErrChain, func(b []Block) []Block { return slices.Delete(b, 4, 5) })
	lie("backwards", ErrChain, func(b []Block) []Block { slices.Reverse(b); return b })
	lie("two swapped", ErrChain, func(b []Block) []Block { b[2], b[3] = b[3], b[2]; return b })
	lie("wrong parent", ErrChain, func(b []Block) []Block { b[0].Header.Parent[0] ^= 1; return b })
	lie("a time that stands still", ErrChain, func(b []Block) []Block { b[0].Header.TimeMs = n.tip(tip).TimeMs; return b })
	lie("a height of 2^64-1", ErrChain, func(b []Block) []Block { b[0].Header.Height = math.MaxUint64; return b })
	lie("a payload changed", ErrPayload, func(b []Block) []Block { b[2].Payload[0] = []byte("lock after 7 "); return b })
	lie("a transaction left out", ErrPayload, func(b []Block) []Block { b[2].Payload = b[2].Payload[:1]; return b })
	lie("a transaction more", ErrPayload, func(b []Block) []Block { b[2].Payload = append(b[2].Payload, []byte("x")); return b })
	lie("transactions swapped", ErrPayload, func(b []Block) []Block { slices.Reverse(b[2].Payload); return b })
	lie("transactions cut at another place", ErrPayload, func(b []Block) []Block {
		p := b[2].Payload
		b[2].Payload = [][]byte{slices.Concat(p[0], p[1][:1]), p[1][1:]}
		return b
	})
	lie("no payload", ErrPayload, func(b []Block) []Block { b[2].Payload = nil; return b })
	for field, change := range map[string]func(*quorum.Header){
		"state root": func(h *quorum.Header) { h.ExecStateRoot[3] ^= 1 },
		"view":       func(h *quorum.Header) { h.View++ },
		"proposer":   func(h *quorum.Header) { h.Proposer++ },
		"parameters": func(h *quorum.Header) { h.Params[0] ^= 1 },
	} {
		lie("another "+field+" in the first", ErrChain, func(b []Block) []Block { change(&b[0].Header); return b })
		lie("another "+field+" in the last", ErrCertificate, func(b []Block) []Block { change(&last(b).Header); return b })
	}
	// What a quorum of liars would certify: still no block of this chain.
	forge := func(name string, want ErrorKind, change func(*Block)) {
		b := n.next(n.tip(tip), "a", "b")
		change(&b)
		n.seal(t, &b, 4)
		lie("certified, with "+name, want, func([]Block) []Block { return []Block{b} })
	}
	forge("a time that stands still", ErrChain, func(b *Block) { b.Header.TimeMs = n.tip(tip).TimeMs })
	forge("another genesis", ErrChain, func(b *Block) { b.Header.Genesis[0] ^= 1 })
	forge("another parent", ErrChain, func(b *Block) { b.Header.Parent[0] ^= 1 })
	forge("a height left out", ErrChain, func(b *Block) { b.Header.Height++ })
	forge("another count", ErrPayload, func(b *Block) { b.Header.TxCount++ })
	forge("another size", ErrPayload, func(b *Block) { b.Header.PayloadBytes++ })
	forge("another payload", ErrPayload, func(b *Block) { b.Payload[0] = []byte("c") })
	truth := EncodeBlocks(n.run(tip, 10))
	for name, raw := range map[string][]byte{
		"nothing at all": {}, "truncated": truth[:len(truth)-1], "a byte more": append(slices.Clone(truth), 0), "garbage": []byte("blocks"),
	} {
		out[name] = struct {
			raw  []byte
			want ErrorKind
		}{raw, ErrEncoding}
	}
	return out
}

func TestLies(t *testing.T) {
	n := newNetwork(t, "home", 20)
	ask := func(f *Fetcher) {
		f.Claim("peer", 20)
		if r := f.Next(0, n.tip(5)); r == nil || *r != (Request{Peer: "peer", From: 6, Max: MaxBlocksPerAnswer}) {
			t.Fatalf("request %+v", r)
		}
	}
	for name, lie := range lies(t, n) {
		t.Run(name, func(t *testing.T) {
			f := NewFetcher(n.Domain, 0, nil)
			ask(f)
			blocks, cert, err := f.Answer(1, "peer", n.tip(5), lie.raw)
			if !errors.Is(err, lie.want) || blocks != nil || !cert.IsZero() {
				t.Fatalf("%d blocks, error %v, want %q", len(blocks), err, lie.want)
			}
			if f.Next(2, n.tip(5)) != nil {
				t.Fatal("a liar is asked again at once")
			}
		})
	}
	f := NewFetcher(n.Domain, 0, nil)
	ask(f)
	blocks, cert, err := f.Answer(1, "peer", n.tip(5), EncodeBlocks(n.run(5, 10)))
	if err != nil || cert.Certificate().Height != 15 {
		t.Fatalf("the truth is refused: %v", err)
	}
	equalBlocks(t, blocks, n.run(5, 10))
}

func TestUnasked(t *testing.T) {
	n := newNetwork(t, "home", 20)
	truth := EncodeBlocks(n.run(5, 10))
	refused := func(f *Fetcher, now int64, from string) {
		t.Helper()
		allocated := testing.AllocsPerRun(10, func() {
			if blocks, _, err := f.Answer(now, from, n.tip(5), truth); !errors.Is(err, ErrUnasked) || blocks != nil {
				t.Fatalf("%d blocks, %v", len(blocks), err)
			}
		})
		if allocated > 10 {
			t.Errorf("refusing what was not asked for takes %v allocations", allocated)
		}
	}
	f := NewFetcher(n.Domain, 0, nil)
	refused(f, 0, "peer")
	f.Claim("peer", 20)
	f.Claim("other", 1)
	refused(f, 0, "peer")
	f.Next(0, n.tip(5))
	refused(f, 0, "other")
	if !f.Busy() {
		t.Fatal("somebody's unasked answer cancels the request")
	}
	if _, _, err := f.Answer(1, "peer", n.tip(5), truth); err != nil {
		t.Fatal(err)
	}
	refused(f, 1, "peer") // the same answer again
	f.Next(2, n.tip(5))
	f.Next(2+AnswerTimeoutMs, n.tip(5)) // gives up
	refused(f, 3+AnswerTimeoutMs, "peer")
	f.Claim("gone", 20)
	f.Next(4+AnswerTimeoutMs, n.tip(5))
	f.Forget("gone")
	refused(f, 5+AnswerTimeoutMs, "gone")
	if f.Busy() {
		t.Fatal("the request waits for a peer that went away")
	}
}

// TestTipMoved: consensus may be faster than the answer; that is nobody's fault.
func TestTipMoved(t *testing.T) {
	n := newNetwork(t, "home", 20)
	f := NewFetcher(n.Domain, 0, nil)
	f.Claim("peer", 20)
	f.Next(0, n.tip(5))
	blocks, _, err := f.Answer(1, "peer", n.tip(7), EncodeBlocks(n.run(5, 10)))
	if err != nil || blocks != nil {
		t.Fatalf("%d blocks, %v", len(blocks), err)
	}
	if r := f.Next(1, n.tip(7)); r == nil || r.From != 8 {
		t.Fatalf("request %+v", r)
	}
}

func TestCooldown(t *testing.T) {
	n := newNetwork(t, "home", 20)
	f := NewFetcher(n.Domain, 0, nil)
	f.Claim("peer", math.MaxUint64)
	now, pause := int64(0), int64(0)
	for i := range 80 {
		if f.Next(now, n.tip(5)) == nil {
			t.Fatalf("after %d failures not asked in time", i)
		}
		if _, _, err := f.Answer(now, "peer", n.tip(5), EncodeBlocks(nil)); !errors.Is(err, ErrEmpty) {
			t.Fatal(err)
		}
		next := now + 1
		for f.Next(next, n.tip(5)) == nil {
			if next++; next > now+maxCooldownMs {
				t.Fatalf("after %d failures not asked for %d ms", i+1, next-now)
			}
			if next-now > 5 && f.peers["peer"].until > next {
				next = f.peers["peer"].until - 1
			}
		}
		if next-now < pause {
			t.Fatalf("failure %d: the pause went down from %d to %d", i+1, pause, next-now)
		}
		pause = next - now
		f.pending = nil
		now = next
	}
	if pause != maxCooldownMs {
		t.Fatalf("the pause ends at %d", pause)
	}
	f.Next(now+maxCooldownMs, n.tip(5))
	if _, _, err := f.Answer(now+maxCooldownMs, "peer", n.tip(5), EncodeBlocks(n.run(5, 10))); err != nil {
		t.Fatal(err)
	}
	if f.Next(now+maxCooldownMs, n.tip(15)) == nil {
		t.Fatal("a success does not forgive")
	}
}

// behaviour is what a simulated peer does with a request: its answer, and after how long; nil answers never.
type behaviour func(n *network, tip int) (answer []byte, afterMs int64)

func honest(n *network, tip int) ([]byte, int64) {
	return EncodeBlocks(n.run(tip, MaxBlocksPerAnswer)), 20
}
func silent(*network, int) ([]byte, int64) { return nil, 0 }
func empty(*network, int) ([]byte, int64)  { return EncodeBlocks(nil), 5 }
func noise(*network, int) ([]byte, int64)  { return []byte("noise"), 5 }
func drip(n *network, tip int) ([]byte, int64) {
	return EncodeBlocks(n.run(tip, 1)), AnswerTimeoutMs - 1
}
func uncertified(n *network, tip int) ([]byte, int64) {
	b := n.run(tip, 10)
	if len(b) > 0 {
		b[len(b)-1].Certificate = nil
	}
	return EncodeBlocks(b), 5
}

// catchUp runs a fetcher against peers until it has the whole chain, and returns the virtual time that took.
// claims is asked at every step.
func catchUp(t failer, n *network, f *Fetcher, peers map[string]behaviour, each func(now int64)) int64 {
	t.Helper()
	now, tip := int64(1_000_000), 0
	for start := now; now < start+3_600_000; now += 10 {
		each(now)
		r := f.Next(now, n.tip(tip))
		if r == nil {
			continue
		}
		do := peers[r.Peer]
		if do == nil {
			do = silent
		}
		raw, after := do(n, tip)
		if raw == nil {
			continue
		}
		now += after
		blocks, cert, err := f.Answer(now, r.Peer, n.tip(tip), raw)
		if err != nil {
			continue
		}
		for _, b := range blocks {
			if string(b.Header.Encode()) != string(n.blocks[tip].Header.Encode()) || fmt.Sprint(b.Payload) != fmt.Sprint(n.blocks[tip].Payload) {
				t.Fatalf("block %d is not the network's", tip+1)
			}
			tip++
		}
		if int(cert.Certificate().Height) != tip {
			t.Fatalf("certificate of height %d for %d", cert.Certificate().Height, tip)
		}
		if tip == len(n.blocks) {
			return now - start
		}
	}
	t.Fatalf("an hour, and %d of %d blocks", tip, len(n.blocks))
	return 0
}

// TestOneHonestPeer: with one honest peer, whatever the others do, the chain is there soon.
func TestOneHonestPeer(t *testing.T) {
	const height = 5 * MaxBlocksPerAnswer
	n := newNetwork(t, "home", height)
	for name, c := range map[string]struct {
		others behaviour
		claim  quorum.Height
		withMs int64
	}{
		"honest":                   {honest, height, 1_000},
		"silent":                   {silent, height, 3*AnswerTimeoutMs + 2_000},
		"silent, claiming all":     {silent, math.MaxUint64, 3*AnswerTimeoutMs + 2_000},
		"empty":                    {empty, math.MaxUint64, 2_000},
		"noise":                    {noise, height, 2_000},
		"uncertified":              {uncertified, height, 2_000},
		"drip-feeding":             {drip, height, 3*AnswerTimeoutMs + 2_000},
		"claiming nothing":         {honest, 0, 1_000},
		"drip-feeding, high claim": {drip, math.MaxUint64, 3*AnswerTimeoutMs + 2_000},
	} {
		for _, validators := range [][]string{nil, {"a", "b", "c", "d"}} {
			f := NewFetcher(n.Domain, 0, validators)
			took := catchUp(t, n, f, map[string]behaviour{"a": c.others, "b": c.others, "c": c.others, "d": honest}, func(int64) {
				for _, p := range []string{"a", "b", "c"} {
					f.Claim(p, c.claim)
				}
				f.Claim("d", height)
			})
			if took > c.withMs {
				t.Errorf("%s (validators %v): %d ms, want at most %d", name, validators, took, c.withMs)
			}
		}
	}
}

// TestOscillatingClaims: claims that go up and down decide nothing but whom to ask.
func TestOscillatingClaims(t *testing.T) {
	const height = 3 * MaxBlocksPerAnswer
	n := newNetwork(t, "home", height)
	f := NewFetcher(n.Domain, 0, nil)
	took := catchUp(t, n, f, map[string]behaviour{"liar": empty, "swinger": honest, "honest": honest}, func(now int64) {
		f.Claim("liar", []quorum.Height{math.MaxUint64, 0, 1, math.MaxInt64}[now/10%4])
		f.Claim("swinger", []quorum.Height{0, height}[now/50%2])
		f.Claim("honest", height)
	})
	if took > 3_000 {
		t.Errorf("%d ms", took)
	}
}

// TestStrangersWithoutEnd: peers that come back under a new name after every failure cannot keep us from a
// validator, not even one that once failed.
func TestStrangersWithoutEnd(t *testing.T) {
	const height = 3 * MaxBlocksPerAnswer
	n := newNetwork(t, "home", height)
	f := NewFetcher(n.Domain, 0, []string{"honest", "dead"})
	f.Claim("honest", height)
	f.Next(0, n.tip(0))
	f.Next(AnswerTimeoutMs, n.tip(0)) // its first answer was lost
	names := 0
	took := catchUp(t, n, f, map[string]behaviour{"honest": honest}, func(int64) {
		f.Claim("honest", height)
		f.Claim("dead", height)
		for i := range 50 {
			old := fmt.Sprintf("stranger %d", names-50+i)
			if p := f.peers[old]; p != nil && p.failures > 0 {
				f.Forget(old)
			}
		}
		names++
		f.Claim(fmt.Sprintf("stranger %d", names), math.MaxUint64)
	})
	if took > 60_000 {
		t.Errorf("%d ms", took)
	}
	if f.strangers > maxStrangers || len(f.peers) != f.strangers+2 {
		t.Errorf("%d peers, %d strangers", len(f.peers), f.strangers)
	}
}

func TestPeersAreBounded(t *testing.T) {
	n := newNetwork(t, "home", 1)
	f := NewFetcher(n.Domain, 0, []string{"validator"})
	for i := range 3 * maxStrangers {
		f.Claim(fmt.Sprintf("s%d", i), 5)
	}
	if len(f.peers) != maxStrangers+1 {
		t.Fatalf("%d peers", len(f.peers))
	}
	f.Claim("validator", 7)
	if f.Claimed("validator") != 7 {
		t.Fatal("a validator found no room")
	}
	now := int64(0)
	for i := 0; f.peers["s0"].failures == 0; i++ { // until a stranger has failed
		if i > 10 {
			t.Fatal("a silent stranger never fails")
		}
		f.Next(now, n.anchor)
		now += AnswerTimeoutMs
		f.Claim("validator", 0)
		if f.pending != nil && f.pending.Peer == "validator" {
			f.Forget("validator")
		}
	}
	f.pending = nil
	before := len(f.peers)
	f.Claim("newcomer", 9)
	if f.peers["newcomer"] == nil || len(f.peers) != before {
		t.Fatalf("a newcomer does not take the place of one that failed; %d peers", len(f.peers))
	}
	f.Forget("newcomer")
	f.Forget("newcomer")
	if f.strangers != len(f.peers)-1 {
		t.Fatalf("%d strangers counted of %d", f.strangers, len(f.peers)-1)
	}
}

// TestMutations changes a good answer anywhere: it is refused, or says the same.
func TestMutations(t *testing.T) {
	n := newNetwork(t, "home", 9)
	truth := EncodeBlocks(n.run(2, 6))
	rapid.Check(t, func(t *rapid.T) {
		raw := slices.Clone(truth)
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			i := rapid.IntRange(0, len(raw)-1).Draw(t, "at")
			raw[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		}
		f := NewFetcher(n.Domain, 0, nil)
		f.Claim("peer", 9)
		f.Next(0, n.tip(2))
		blocks, _, err := f.Answer(1, "peer", n.tip(2), raw)
		if err == nil && string(EncodeBlocks(blocks)) != string(truth) {
			t.Fatal("a changed answer is accepted")
		}
		if err != nil && blocks != nil {
			t.Fatal("blocks and an error")
		}
	})
}

func TestErrorsSayWhat(t *testing.T) {
	err := refuse(ErrChain, "block %d", 7)
	if !errors.Is(err, ErrChain) || errors.Is(err, ErrEmpty) || !strings.Contains(err.Error(), "block 7") {
		t.Fatal(err)
	}
}
