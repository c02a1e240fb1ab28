package sync

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger/snapshot"
	"waybill/ledger/store"
)

// reply is what a simulated peer sends, and when.
type reply struct {
	kind  StateKind
	raw   []byte
	after int64 // ms
}

// actor answers a request; it may answer several times, or not at all. Actors keep state between calls.
type actor func(w *world, rng *rand.Rand, r StateRequest) []reply

// liarNames are the ways to lie, by name, so that a failing run says what was against it. Each call makes a new actor.
func actors(w *world) map[string]func() actor {
	full := served{w, []*shot{w.shots[31], w.shots[20]}}
	one := func(kind StateKind, raw []byte, after int64) []reply { return []reply{{kind, raw, after}} }
	truth := func(src StateSource, r StateRequest) []byte { return ServeState(src, r) }
	// only changes what it answers to one kind of request, and is honest otherwise.
	only := func(kind StateKind, lie func(rng *rand.Rand, r StateRequest, good []byte) []byte) func() actor {
		return func() actor {
			return func(_ *world, rng *rand.Rand, r StateRequest) []reply {
				good := truth(full, r)
				if r.Kind == kind {
					good = lie(rng, r, good)
				}
				if good == nil && r.Kind == kind {
					return nil
				}
				return one(r.Kind, good, 5+rng.Int64N(100))
			}
		}
	}
	serving := func(s ...*shot) func() actor {
		return func() actor {
			return func(_ *world, rng *rand.Rand, r StateRequest) []reply {
				return one(r.Kind, truth(served{w, s}, r), 5+rng.Int64N(100))
			}
		}
	}
	forgedState := map[string][]byte{"acct/thief": []byte("everything")}
	for i := range 200 {
		forgedState[fmt.Sprint("item/", i)] = []byte("stolen, every one of them")
	}
	forged := w.take(forgedState, 31)
	lengths := *w.shots[31]
	m := *lengths.manifest
	m.Chunks = slices.Clone(m.Chunks)
	m.Chunks[len(m.Chunks)-1].Bytes++
	m.Bytes++
	lengths.manifest, lengths.hash = &m, m.Hash()
	return map[string]func() actor{
		"honest": serving(w.shots[31], w.shots[20]),
		"silent": func() actor { return func(*world, *rand.Rand, StateRequest) []reply { return nil } },
		"empty": func() actor {
			return func(_ *world, rng *rand.Rand, r StateRequest) []reply {
				return one(r.Kind, truth(served{&world{}, nil}, r), rng.Int64N(50))
			}
		},
		"noise": func() actor {
			return func(_ *world, rng *rand.Rand, r StateRequest) []reply {
				raw := make([]byte, rng.IntN(3000))
				for i := range raw {
					raw[i] = byte(rng.Uint32())
				}
				return one(r.Kind, raw, rng.Int64N(50))
			}
		},
		"flips": func() actor {
			return func(_ *world, rng *rand.Rand, r StateRequest) []reply {
				raw := slices.Clone(truth(full, r))
				if len(raw) > 0 {
					raw[rng.IntN(len(raw))] ^= byte(1 + rng.IntN(255))
				}
				return one(r.Kind, raw, rng.Int64N(50))
			}
		},
		"truncating": func() actor {
			return func(_ *world, rng *rand.Rand, r StateRequest) []reply {
				raw := truth(full, r)
				return one(r.Kind, raw[:rng.IntN(len(raw)+1)], rng.Int64N(50))
			}
		},
		"oversized": func() actor {
			return func(_ *world, rng *rand.Rand, r StateRequest) []reply {
				return one(r.Kind, make([]byte, LargestStateAnswer+1), rng.Int64N(50))
			}
		},
		"drip-feeding": func() actor {
			return func(_ *world, _ *rand.Rand, r StateRequest) []reply {
				return one(r.Kind, truth(full, r), StateTimeoutMs-1)
			}
		},
		"drip-feeding chunks": func() actor {
			return func(_ *world, _ *rand.Rand, r StateRequest) []reply {
				after := int64(5)
				if r.Kind == AskChunk {
					after = StateTimeoutMs - 1
				}
				return one(r.Kind, truth(full, r), after)
			}
		},
		"quick, then drip-feeding": func() actor {
			n := 0
			return func(_ *world, _ *rand.Rand, r StateRequest) []reply {
				if n++; n > 4 && n%3 != 0 {
					return one(r.Kind, truth(full, r), StateTimeoutMs-1)
				}
				return one(r.Kind, truth(full, r), 5)
			}
		},
		"too late": func() actor {
			return func(_ *world, _ *rand.Rand, r StateRequest) []reply {
				return one(r.Kind, truth(full, r), StateTimeoutMs+10)
			}
		},
		"twice": func() actor {
			return func(_ *world, rng *rand.Rand, r StateRequest) []reply {
				raw := truth(full, r)
				return []reply{{r.Kind, raw, 5}, {r.Kind, raw, 5 + rng.Int64N(3)}, {r.Kind, raw, 5 + rng.Int64N(3000)}}
			}
		},
		"unsolicited": func() actor {
			return func(_ *world, rng *rand.Rand, r StateRequest) []reply {
				var out []reply
				for _, k := range []StateKind{AskHandovers, AskSnapshot, AskChunk, 0, 9} {
					out = append(out, reply{k, truth(full, StateRequest{Kind: AskSnapshot}), rng.Int64N(4000)})
				}
				return out
			}
		},
		"out of order": only(AskChunk, func(rng *rand.Rand, r StateRequest, _ []byte) []byte {
			r.Index = rng.IntN(len(w.shots[31].chunks))
			return truth(full, r)
		}),
		"another chunk's bytes": only(AskChunk, func(rng *rand.Rand, r StateRequest, _ []byte) []byte {
			return EncodeChunk(r.Manifest, r.Index, w.shots[31].chunks[rng.IntN(len(w.shots[31].chunks))])
		}),
		"a lying chunk at the end": only(AskChunk, func(rng *rand.Rand, r StateRequest, good []byte) []byte {
			if r.Index >= len(w.shots[31].chunks)-2 && len(good) > crypto.HashSize+4 {
				good = slices.Clone(good)
				good[len(good)-1] ^= 1
			}
			return good
		}),
		"no chunks":       only(AskChunk, func(*rand.Rand, StateRequest, []byte) []byte { return nil }),
		"empty chunks":    only(AskChunk, func(_ *rand.Rand, r StateRequest, _ []byte) []byte { return EncodeChunk(r.Manifest, r.Index, nil) }),
		"only old ones":   serving(w.shots[12]),
		"forged state":    serving(forged),
		"forged, then ok": serving(forged, w.shots[20]),
		"false lengths":   serving(&lengths, w.shots[20]),
		"another height":  serving(w.shots[33]),
		"high, but none": func() actor {
			return func(_ *world, rng *rand.Rand, r StateRequest) []reply {
				if r.Kind == AskChunk {
					return nil
				}
				return one(r.Kind, truth(served{w, []*shot{w.shots[33]}}, r), rng.Int64N(20))
			}
		},
		"oscillating": func() actor {
			n := 0
			return func(_ *world, rng *rand.Rand, r StateRequest) []reply {
				n++
				s := []*shot{w.shots[12], w.shots[33], w.shots[20], w.shots[24]}[n%4]
				return one(r.Kind, truth(served{w, []*shot{s}}, r), rng.Int64N(20))
			}
		},
		"height 2^63-1": only(AskSnapshot, func(_ *rand.Rand, _ StateRequest, _ []byte) []byte { return w.claiming(math.MaxInt64, 7) }),
		"height 2^64-1": only(AskSnapshot, func(_ *rand.Rand, _ StateRequest, _ []byte) []byte { return w.claiming(math.MaxUint64, 7) }),
		"epoch 2^64-1":  only(AskSnapshot, func(_ *rand.Rand, _ StateRequest, _ []byte) []byte { return w.claiming(1<<40, math.MaxUint64) }),
		"epoch 2^63-1, no hand-overs": func() actor {
			return func(_ *world, rng *rand.Rand, r StateRequest) []reply {
				if r.Kind == AskHandovers {
					return nil
				}
				return one(r.Kind, w.claiming(1<<40, math.MaxInt64), rng.Int64N(20))
			}
		},
		"forged set": only(AskHandovers, func(_ *rand.Rand, r StateRequest, good []byte) []byte {
			return w.forgeHandovers(good, func(list []store.Handover) []store.Handover {
				list[0].Next = w.set(list[0].Closing.Epoch + 3)
				return list
			})
		}),
		"forged set, signed by itself": only(AskHandovers, func(_ *rand.Rand, r StateRequest, good []byte) []byte {
			return w.forgeHandovers(good, func(list []store.Handover) []store.Handover {
				h := &list[len(list)-1]
				h.Next = w.set(h.Closing.Epoch + 5)
				h.Closing.NextValidatorSet = h.Next.Hash()
				h.Certificate = *w.certify(h.Next, h.Closing)
				return list
			})
		}),
		"hand-overs out of order": only(AskHandovers, func(_ *rand.Rand, r StateRequest, good []byte) []byte {
			return w.forgeHandovers(good, func(list []store.Handover) []store.Handover { slices.Reverse(list); return list })
		}),
		"one hand-over at a time, late": func() actor {
			return func(_ *world, _ *rand.Rand, r StateRequest) []reply {
				if r.Kind == AskHandovers {
					r.Max = 1
					return one(r.Kind, truth(full, r), StateTimeoutMs-1)
				}
				return one(r.Kind, truth(full, r), 5)
			}
		},
	}
}

// claiming is an offer that agrees with itself and reaches as high as it says, under headers of the liar's own.
func (w *world) claiming(height quorum.Height, epoch quorum.Epoch) []byte {
	headers := slices.Clone(w.shots[31].manifest.Headers)
	for i := range headers {
		h := &headers[i]
		h.Height, h.Epoch = height+quorum.Height(i)-quorum.Height(len(headers))+1, epoch
		h.Flags, h.NextValidatorSet = 0, crypto.Hash{}
		if h.ExecHeight = 1; i == len(headers)-1 {
			h.ExecHeight = headers[0].Height
		}
		if i > 0 {
			h.Parent = headers[i-1].Hash()
		}
	}
	m := *w.shots[31].manifest
	m.Headers = headers
	p := *w.shots[31].proof
	p.Path, p.First, p.FirstAt = nil, nil, 0
	return EncodeSnapshot(&m, &p)
}

func (w *world) forgeHandovers(good []byte, change func([]store.Handover) []store.Handover) []byte {
	list, err := snapshot.DecodeHandovers(good, snapshot.MaxHandovers)
	if err != nil || len(list) == 0 {
		return good
	}
	return snapshot.EncodeHandovers(change(list))
}

// stateRun is one run of a fetcher against peers in virtual time.
type stateRun struct {
	w      *world
	f      *StateFetcher
	rng    *rand.Rand
	peers  map[string]actor
	joins  map[string]int64 // ms after the start; absent: 0
	queue  []delivery
	seq    int
	now    int64
	chunks map[crypto.Hash]map[int][]byte
}

type delivery struct {
	at   int64
	seq  int
	from string
	reply
}

// until runs until the snapshot is complete, or limit ms passed; it returns the ms that took.
func (s *stateRun) until(limit int64) (took int64, done bool) {
	const start = 1_000_000
	s.chunks = map[crypto.Hash]map[int][]byte{}
	for s.now = start; s.now < start+limit; s.now += 50 {
		for _, name := range slices.Sorted(mapsKeys(s.peers)) {
			if at, later := s.joins[name]; s.now == start && !later || later && s.now >= start+at {
				s.f.Connect(name)
			}
		}
		for {
			i := s.due()
			if i < 0 {
				break
			}
			d := s.queue[i]
			s.queue = slices.Delete(s.queue, i, i+1)
			s.deliver(d)
			if s.f.Done() {
				return d.at - start, true
			}
			s.send()
		}
		s.send()
	}
	return limit, s.f.Done()
}

func mapsKeys(m map[string]actor) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// due finds the earliest delivery whose time has come.
func (s *stateRun) due() int {
	best := -1
	for i, d := range s.queue {
		if d.at <= s.now && (best < 0 || d.at < s.queue[best].at || d.at == s.queue[best].at && d.seq < s.queue[best].seq) {
			best = i
		}
	}
	return best
}

func (s *stateRun) deliver(d delivery) {
	chosen := s.f.Chosen()
	e, err := s.f.Answer(d.at, d.from, d.kind, d.raw)
	if err != nil && e.Chunk >= 0 {
		panic("a chunk and an error")
	}
	if e.Chunk < 0 {
		return
	}
	if s.chunks[chosen.Hash()] == nil {
		s.chunks = map[crypto.Hash]map[int][]byte{chosen.Hash(): {}}
	}
	s.chunks[chosen.Hash()][e.Chunk] = e.Raw
}

func (s *stateRun) send() {
	for _, r := range s.f.Next(s.now) {
		do := s.peers[r.Peer]
		asked, err := DecodeStateRequest(r.Kind, r.Encode())
		if err != nil {
			panic(err)
		}
		for _, a := range do(s.w, s.rng, asked) {
			s.seq++
			s.queue = append(s.queue, delivery{at: s.now + a.after, seq: s.seq, from: r.Peer, reply: a})
		}
	}
}

// check compares what was fetched with the world's state, key by key.
func (s *stateRun) check(t failer) {
	t.Helper()
	c := s.f.Chosen()
	want := s.w.states[c.Manifest().Height()]
	got := 0
	for i := range c.Manifest().Chunks {
		entries, err := c.Manifest().Chunks[i].Open(s.chunks[c.Hash()][i])
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if v, ok := want[string(e.Key)]; !ok || string(v) != string(e.Value) {
				t.Fatalf("key %q is not the network's", e.Key)
			}
			got++
		}
	}
	if got != len(want) || c.Manifest().Block() != s.w.headers[c.Manifest().Height()] {
		t.Fatalf("%d keys, want %d", got, len(want))
	}
}

// TestStateSyncAmongLiars: with up to two thirds of the peers lying, in any ways, the node gets the network's state.
func TestStateSyncAmongLiars(t *testing.T) {
	runs := 1000
	if testing.Short() {
		runs = 100
	}
	w := theWorld()
	ways := actors(w)
	var names []string
	for name := range ways {
		if name != "honest" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var longest int64
	for seed := range uint64(runs) {
		rng := rand.New(rand.NewPCG(seed, 77))
		n := 3 + rng.IntN(13)
		liars := rng.IntN(2*n/3 + 1)
		if seed%2 == 0 {
			liars = 2 * n / 3
		}
		run := &stateRun{w: w, rng: rng, peers: map[string]actor{}, joins: map[string]int64{}}
		var validators []string
		what := fmt.Sprintf("seed %d: %d of %d lie:", seed, liars, n)
		colluding := names[rng.IntN(len(names))]
		for _, i := range rng.Perm(n) {
			name := fmt.Sprintf("peer %d", i)
			way := "honest"
			if i < liars {
				way = names[rng.IntN(len(names))]
				if seed%5 == 0 {
					way = colluding
				}
				what += " " + way + ","
			}
			run.peers[name] = ways[way]()
			if rng.IntN(2) == 0 {
				validators = append(validators, name)
			}
			if rng.IntN(4) == 0 {
				run.joins[name] = rng.Int64N(20_000)
			}
		}
		slices.Sort(validators)
		run.f = NewStateFetcher(StateConfig{Epochs: w.epochs(), Validators: validators, Above: quorum.Height(rng.IntN(12))})
		took, done := run.until(600_000)
		if !done {
			t.Fatalf("%s not in after %d ms; chosen %v, %d missing", what, took, run.f.Chosen() != nil, run.f.Missing())
		}
		run.check(t)
		longest = max(longest, took)
	}
	t.Logf("%d runs, the longest took %d ms of virtual time", runs, longest)
	if longest > 180_000 {
		t.Errorf("a run took %d ms", longest)
	}
}

// TestEveryLie: against each way to lie alone, with one honest peer of three.
func TestEveryLie(t *testing.T) {
	w := theWorld()
	for name, make1 := range actors(w) {
		for _, liarsVote := range []bool{false, true} {
			run := &stateRun{w: w, rng: rand.New(rand.NewPCG(1, 2)), peers: map[string]actor{"a": make1(), "b": make1(), "c": actors(w)["honest"]()}}
			cfg := StateConfig{Epochs: w.epochs()}
			if liarsVote {
				cfg.Validators = []string{"a", "b"}
			}
			run.f = NewStateFetcher(cfg)
			took, done := run.until(600_000)
			if !done {
				t.Errorf("%s (validators: %t): not in after %d ms", name, liarsVote, took)
				continue
			}
			run.check(t)
			if took > 60_000 {
				t.Errorf("%s (validators: %t): %d ms", name, liarsVote, took)
			}
		}
	}
}

// TestSilenceThenOneHonest: nobody answers for a long time; then one honest peer comes.
func TestSilenceThenOneHonest(t *testing.T) {
	w := theWorld()
	ways := actors(w)
	run := &stateRun{w: w, rng: rand.New(rand.NewPCG(3, 4)), peers: map[string]actor{"honest": ways["honest"]()}, joins: map[string]int64{"honest": 55_000}}
	for i := range 10 {
		run.peers[fmt.Sprint("silent ", i)] = ways["silent"]()
	}
	run.f = NewStateFetcher(StateConfig{Epochs: w.epochs()})
	took, done := run.until(600_000)
	if !done || took > 70_000 {
		t.Fatalf("done %t after %d ms", done, took)
	}
	run.check(t)
}

// TestNothingToBeHad: without an honest peer that has a snapshot, the fetcher says so within its patience, whatever the
// liars do, or at the latest when its budget is used up; and it hands out nothing.
func TestNothingToBeHad(t *testing.T) {
	w := theWorld()
	ways := actors(w)
	for _, name := range []string{
		"silent", "empty", "noise", "oversized", "forged state", "height 2^63-1", "height 2^64-1", "epoch 2^64-1",
		"epoch 2^63-1, no hand-overs", "high, but none", "unsolicited", "no chunks", "empty chunks", "false lengths",
	} {
		if name == "false lengths" {
			continue // it serves the snapshot of another height rightly
		}
		run := &stateRun{w: w, rng: rand.New(rand.NewPCG(5, 6)), peers: map[string]actor{}}
		for i := range 6 {
			run.peers[fmt.Sprint("peer ", i)] = ways[name]()
		}
		run.f = NewStateFetcher(StateConfig{Epochs: w.epochs()})
		if _, done := run.until(PatienceMs + 60_000); done || len(run.chunks) > 0 {
			t.Fatalf("%s: done %t", name, done)
		}
		if !run.f.Nothing(run.now) {
			t.Errorf("%s: still hoping after %d ms", name, PatienceMs+60_000)
		}
	}
}

// TestStateUnasked: an answer nobody asked for is not decoded.
func TestStateUnasked(t *testing.T) {
	w := theWorld()
	f := NewStateFetcher(StateConfig{Epochs: w.epochs()})
	offer := ServeState(served{w, []*shot{w.shots[31]}}, StateRequest{Kind: AskSnapshot})
	refused := func(from string, kind StateKind) {
		t.Helper()
		allocated := testing.AllocsPerRun(100, func() {
			if e, err := f.Answer(5, from, kind, offer); err == nil || e.Chunk >= 0 {
				t.Fatal("accepted")
			}
		})
		if allocated > 10 {
			t.Errorf("refusing takes %v allocations", allocated)
		}
	}
	refused("peer", AskSnapshot)
	f.Connect("peer")
	refused("peer", AskSnapshot)
	if r := f.Next(0); len(r) != 1 || r[0].Kind != AskSnapshot {
		t.Fatalf("%+v", r)
	}
	refused("peer", AskChunk)
	refused("peer", AskHandovers)
	refused("other", AskSnapshot)
	if _, err := f.Answer(5, "peer", AskSnapshot, offer); err != nil {
		t.Fatal(err)
	}
	refused("peer", AskSnapshot) // again
}

func TestStatePeersAreBounded(t *testing.T) {
	w := theWorld()
	f := NewStateFetcher(StateConfig{Epochs: w.epochs(), Validators: []string{"validator"}})
	for i := range 3 * maxStrangers {
		f.Connect(fmt.Sprint("stranger ", i))
	}
	f.Connect("validator")
	if len(f.peers) != maxStrangers+1 {
		t.Fatalf("%d peers", len(f.peers))
	}
	for now := int64(0); now < 100_000; now += 500 {
		if f.Next(now); f.out() > maxAsked {
			t.Fatalf("%d requests are out", f.out())
		}
	}
	f.Connect("newcomer")
	if f.peers["newcomer"] == nil || f.strangers > maxStrangers {
		t.Fatal("a newcomer does not take the place of one that failed")
	}
	f.Forget("validator")
	if !f.peers["validator"].gone {
		t.Fatal("a validator that went away is still asked")
	}
	f.Connect("validator")
	if f.peers["validator"].gone {
		t.Fatal("a validator that came back is not asked")
	}
}

// TestStateRequests: every request survives its encoding, at the ends of its ranges; anything else is refused. Served
// from any source it is answered within the limits.
func TestStateRequests(t *testing.T) {
	w := theWorld()
	src := served{w, []*shot{w.shots[31], w.shots[20]}}
	for _, n := range []uint64{0, 1, 2, 5, 7, 64, 65, 1<<16 - 1, math.MaxInt64, math.MaxUint64 - 1, math.MaxUint64} {
		for _, r := range []StateRequest{
			{Kind: AskHandovers, Epoch: quorum.Epoch(n), Max: int(n % (1 << 16))}, {Kind: AskSnapshot, Below: quorum.Height(n)},
			{Kind: AskChunk, Manifest: w.shots[31].hash, Index: int(n % (1 << 32))}, {Kind: AskChunk, Index: int(n % (1 << 32))},
		} {
			got, err := DecodeStateRequest(r.Kind, r.Encode())
			if err != nil || got != r {
				t.Fatalf("%+v: %+v, %v", r, got, err)
			}
			if raw := ServeState(src, r); len(raw) > LargestStateAnswer {
				t.Fatalf("%+v is answered with %d bytes", r, len(raw))
			}
			for _, bad := range [][]byte{nil, r.Encode()[1:], append(r.Encode(), 0)} {
				if _, err := DecodeStateRequest(r.Kind, bad); err == nil {
					t.Fatalf("%d bytes are a request of kind %d", len(bad), r.Kind)
				}
			}
		}
	}
	if _, err := DecodeStateRequest(9, nil); err == nil {
		t.Fatal("a request of an unknown kind")
	}
	list, err := snapshot.DecodeHandovers(ServeState(src, StateRequest{Kind: AskHandovers, Max: 1 << 15}), snapshot.MaxHandovers)
	if err != nil || len(list) != len(w.sets)-1 {
		t.Fatalf("%d hand-overs, %v", len(list), err)
	}
}

// FuzzStateAnswer feeds any bytes as the answer to each kind of request: no panic, and nothing false is taken.
func FuzzStateAnswer(f *testing.F) {
	w := theWorld()
	src := served{w, []*shot{w.shots[31]}}
	f.Add(uint8(AskSnapshot), ServeState(src, StateRequest{Kind: AskSnapshot}))
	f.Add(uint8(AskHandovers), ServeState(src, StateRequest{Kind: AskHandovers, Max: 9}))
	f.Add(uint8(AskChunk), ServeState(src, StateRequest{Kind: AskChunk, Manifest: w.shots[31].hash}))
	f.Add(uint8(AskChunk), binary.BigEndian.AppendUint32(w.shots[31].hash[:], 0))
	f.Fuzz(func(t *testing.T, kind uint8, raw []byte) {
		s := NewStateFetcher(StateConfig{Epochs: w.epochs()})
		for _, name := range []string{"liar", "honest"} {
			s.Connect(name)
		}
		s.Next(0)
		step := func(now int64, name string) {
			r := s.peers[name].pending
			if r == nil {
				return
			}
			answer := ServeState(src, *r)
			if name == "liar" && uint8(r.Kind) == kind {
				answer = raw
			}
			if e, err := s.Answer(now, name, r.Kind, answer); err == nil && e.Chunk >= 0 && string(e.Raw) != string(w.shots[31].chunks[e.Chunk]) {
				t.Fatal("a false chunk is taken")
			}
		}
		for now := int64(1); now < 40 && !s.Done(); now++ {
			step(now, "liar")
			step(now, "honest")
			s.Next(now)
		}
		if c := s.Chosen(); c != nil && c.Hash() != w.shots[31].hash {
			t.Fatal("a snapshot of the liar's is chosen")
		}
	})
}
