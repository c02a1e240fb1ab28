package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/store"
)

// same reads a whole store and compares it with the state after a height.
func (c *chain) same(t testing.TB, s *store.Store, h quorum.Height) {
	t.Helper()
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := snap.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	entries, err := snap.Scan(nil, nil, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	want := c.states[h]
	if len(entries) != len(want) {
		t.Fatalf("%d keys at height %d, want %d", len(entries), h, len(want))
	}
	for _, e := range entries {
		if v, ok := want[string(e.Key)]; !ok || !bytes.Equal(v, e.Value) {
			t.Fatalf("key %q differs at height %d", e.Key, h)
		}
	}
	if tip := s.Tip(); tip.Height != h || tip.StateRoot != rootOf(want) || tip.ReceiptsChain != c.chains[h] || tip.Hash != c.headers[h].Hash() {
		t.Fatalf("the tip is %+v", tip)
	}
}

// replay commits the chain's blocks above the tip of another store.
func (c *chain) replay(t testing.TB, s *store.Store) {
	t.Helper()
	for h := s.Tip().Height + 1; h <= c.tip().Height; h++ {
		b, err := c.store.Block(h)
		if err != nil {
			t.Fatal(err)
		}
		up := &ledger.Update{Height: h, Block: b.Header.Hash(), ReceiptsRoot: ledger.ReceiptsRoot(nil), Writes: difference(c.states[h-1], c.states[h])}
		var next *quorum.Set
		if b.Header.IsClosing() {
			next = epochSet(t, c.genesis, b.Header.Epoch+1)
		}
		if _, err := s.Commit(b.Header, b.Payload, b.Certificate, up, next); err != nil {
			t.Fatalf("block %d on a restored ledger: %v", h, err)
		}
	}
}

func difference(from, to map[string][]byte) []ledger.Write {
	var out []ledger.Write
	for k := range from {
		if _, ok := to[k]; !ok {
			out = append(out, ledger.Write{Key: []byte(k)})
		}
	}
	for k, v := range to {
		if old, ok := from[k]; !ok || !bytes.Equal(old, v) {
			out = append(out, ledger.Write{Key: []byte(k), Value: v})
		}
	}
	slices.SortFunc(out, func(a, b ledger.Write) int { return bytes.Compare(a.Key, b.Key) })
	return out
}

// TestRoundTrip makes snapshots of chains of different shapes, restores them into empty folders, and lets the restored
// ledger go on: it must become the same as the one that executed everything.
func TestRoundTrip(t *testing.T) {
	shapes := map[string]func(*chain){
		"one epoch":                  func(*chain) {},
		"certificates are rare":      func(c *chain) { c.certify = func(h quorum.Height) bool { return h%5 == 0 } },
		"epochs of seven blocks":     func(c *chain) { c.epochLength = 7 },
		"epochs of two blocks":       func(c *chain) { c.epochLength = 2 },
		"epochs and no certificates": func(c *chain) { c.epochLength = 6; c.certify = func(quorum.Height) bool { return false } },
		"execution far behind":       func(c *chain) { c.exec = func(h quorum.Height) quorum.Height { return max(h, 9) - 9 } },
		"execution behind, in epochs": func(c *chain) {
			c.epochLength = 4
			c.exec = func(h quorum.Height) quorum.Height { return max(h, 6) - 6 }
		},
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			for at := 3; at < 12; at += 1 + 2*at%3 {
				c := newChain(t, uint64(at), vfs.NewMem())
				shape(c)
				c.grow(at, 30)
				l := library(t, c.fs, "data/snapshots")
				s := c.snapshot(l)
				if s.Manifest.Height() != quorum.Height(at) || len(s.Manifest.Chunks) < 2 {
					t.Fatalf("a snapshot of height %d in %d chunks", s.Manifest.Height(), len(s.Manifest.Chunks))
				}
				c.restored(t, s)
				if err := c.store.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func (c *chain) restored(t *testing.T, s *Stored) {
	t.Helper()
	fs := vfs.NewMem()
	if _, err := s.Verify(t.Context(), c.epochs(t), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(t.Context(), "other", c.genesis, small(fs), c.epochs(t), false); err != nil {
		t.Fatal(err)
	}
	o, err := store.Open("other", c.genesis, small(fs))
	if err != nil {
		t.Fatal(err)
	}
	h := s.Manifest.Height()
	c.same(t, o, h)
	c.checkBase(t, o, h)
	c.replay(t, o)
	c.same(t, o, c.tip().Height)
	if err := o.Audit(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	ups, err := o.UpdatesSince(0, 1000)
	if err != nil || len(ups) != int(c.tip().Height-h) {
		t.Fatalf("%d updates since 0, %v", len(ups), err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if o, err = store.Open("other", c.genesis, small(fs)); err != nil {
		t.Fatal(err)
	}
	if o.Base() != h || o.Tip().Height != c.tip().Height {
		t.Fatalf("opened again: base %d, tip %d", o.Base(), o.Tip().Height)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(t.Context(), "other", c.genesis, small(fs), c.epochs(t), false); !errors.Is(err, store.ErrSequence) {
		t.Fatalf("restoring over a ledger: %v", err)
	}
	if err := s.Restore(t.Context(), "other", c.genesis, small(fs), c.epochs(t), true); err != nil {
		t.Fatalf("replacing a ledger: %v", err)
	}
}

// checkBase checks what a restored ledger answers about its beginning.
func (c *chain) checkBase(t *testing.T, o *store.Store, h quorum.Height) {
	t.Helper()
	if o.Base() != h {
		t.Fatalf("the base is %d, want %d", o.Base(), h)
	}
	if err := o.Audit(t.Context(), nil); err != nil {
		t.Fatalf("audit at the base: %v", err)
	}
	if header, err := o.Header(h); err != nil || header != c.headers[h] {
		t.Fatalf("the header of the base: %v", err)
	}
	for at := quorum.Height(1); at <= h; at++ {
		if _, err := o.Block(at); !errors.Is(err, store.ErrBelowBase) {
			t.Fatalf("block %d below the base %d: %v", at, h, err)
		}
	}
	cert, err := o.BaseCertificate()
	if err != nil || cert == nil || cert.Height < h || cert.Epoch != c.headers[h].Epoch {
		t.Fatalf("the certificate of the base: %+v, %v", cert, err)
	}
	epoch, err := o.CurrentEpoch()
	want := c.headers[h].Epoch
	if c.headers[h].IsClosing() {
		want++
	}
	if err != nil || epoch.Number != want || epoch.Set.Hash() != epochSet(t, c.genesis, want).Hash() {
		t.Fatalf("epoch %d, want %d (%v)", epoch.Number, want, err)
	}
	for e := range want {
		got, err := o.Handover(e)
		if err != nil || got.Closing.Epoch != e || got.Closing.NextValidatorSet != got.Next.Hash() {
			t.Fatalf("hand-over of epoch %d: %v", e, err)
		}
	}
	if _, err := o.Handover(want); !store.IsNotFound(err) {
		t.Fatalf("hand-over of the present epoch: %v", err)
	}
	if _, err := o.Handover(math.MaxUint64); !store.IsNotFound(err) {
		t.Fatalf("hand-over of the last number: %v", err)
	}
	// What the headers of the next blocks name is here.
	for at := h + 1; at <= c.tip().Height; at++ {
		exec := c.headers[at].ExecHeight
		if exec == 0 || exec > h {
			continue
		}
		root, err := o.StateRoot(exec)
		chain, err2 := o.ReceiptsChain(exec)
		if err != nil || err2 != nil || root != c.headers[at].ExecStateRoot || chain != c.headers[at].ExecReceiptsRoot {
			t.Fatalf("block %d names the result of block %d, which is not here: %v %v", at, exec, err, err2)
		}
	}
}

// TestSameBytesEverywhere: two nodes, one of which was itself restored, make the same snapshot.
func TestSameBytesEverywhere(t *testing.T) {
	c := newChain(t, 5, vfs.NewMem())
	c.epochLength = 9
	c.grow(8, 40)
	first := c.snapshot(library(t, c.fs, "snapshots"))
	fs := vfs.NewMem()
	if err := first.Restore(t.Context(), "other", c.genesis, small(fs), c.epochs(t), false); err != nil {
		t.Fatal(err)
	}
	o, err := store.Open("other", c.genesis, small(fs))
	if err != nil {
		t.Fatal(err)
	}
	c.replay(t, o)
	lib := library(t, c.fs, "snapshots")
	s := c.snapshot(lib)
	// The other one stood where the snapshot is: go there, take the state, go on.
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(t.Context(), "third", c.genesis, small(fs), c.epochs(t), false); err != nil {
		t.Fatal(err)
	}
	third, err := store.Open("third", c.genesis, small(fs))
	if err != nil {
		t.Fatal(err)
	}
	state, err := third.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	c.replay(t, third)
	headers, err := Headers(third, s.Manifest.Height())
	if err != nil {
		t.Fatal(err)
	}
	again, err := library(t, fs, "third/snapshots").Create(t.Context(), state, headers, s.Proof, s.Handovers)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Manifest.Encode(), s.Manifest.Encode()) {
		t.Fatal("two nodes make two manifests of the same height")
	}
	for i := range s.Manifest.Chunks {
		a, err1 := s.Chunk(i)
		b, err2 := again.Chunk(i)
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Fatalf("chunk %d differs: %v %v", i, err1, err2)
		}
	}
	for _, err := range []error{state.Close(), third.Close(), c.store.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestTaker: while blocks are committed, snapshots of the first certified heights from every multiple on appear, old ones
// go, and all are good.
func TestTaker(t *testing.T) {
	for name, shape := range map[string]func(*chain){
		"healthy":          func(*chain) {},
		"jumping":          func(c *chain) { c.exec = func(h quorum.Height) quorum.Height { return max(h-1, 0) / 5 * 5 } },
		"rarely certified": func(c *chain) { c.certify = func(h quorum.Height) bool { return h%7 == 0 } },
		"in epochs":        func(c *chain) { c.epochLength = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			c := newChain(t, 2, vfs.NewMem())
			shape(c)
			l := library(t, c.fs, "data/snapshots")
			taker := NewTaker(c.store, l, 4, 2)
			var mu sync.Mutex
			var taken []*Stored
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			wrote := make(chan struct{}, 100)
			go func() {
				done <- taker.Run(ctx, func(s *Stored) {
					mu.Lock()
					taken = append(taken, s)
					mu.Unlock()
					wrote <- struct{}{}
				}, func(err error) { t.Error(err) })
			}()
			c.after = func(h quorum.Header) {
				if err := taker.Committed(h); err != nil {
					t.Fatal(err)
				}
			}
			for len(wrote) < 4 && c.tip().Height < 400 {
				c.grow(4, 20)
				// Give the writer its turn: it may skip a height otherwise.
				for range 200 {
					if len(taker.jobs) == 0 {
						break
					}
					_, _ = l.List()
				}
			}
			stop()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			taker.Close()
			if len(taken) < 3 {
				t.Fatalf("%d snapshots in %d blocks", len(taken), c.tip().Height)
			}
			list, err := l.List()
			if err != nil || len(list) == 0 || len(list) > 3 {
				t.Fatalf("%d snapshots are kept, %v", len(list), err)
			}
			for _, info := range list {
				s, err := l.Open(info)
				if err != nil {
					t.Fatal(err)
				}
				c.restored(t, s)
			}
			if err := c.store.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestLibrary(t *testing.T) {
	c := newChain(t, 3, vfs.NewMem())
	l := library(t, c.fs, "snapshots")
	var made []*Stored
	for range 4 {
		c.grow(3, 10)
		made = append(made, c.snapshot(l))
	}
	if err := c.fs.MkdirAll("snapshots/tmp-rest", 0o700); err != nil {
		t.Fatal(err)
	}
	l = library(t, c.fs, "snapshots")
	list, err := l.List()
	if err != nil || len(list) != 4 {
		t.Fatalf("%v, %v", list, err)
	}
	for i, info := range list {
		if want := made[3-i]; info.Height != want.Manifest.Height() {
			t.Fatalf("place %d has height %d", i, info.Height)
		}
		s, err := l.Find(made[3-i].Hash)
		if err != nil || s.Hash != made[3-i].Hash {
			t.Fatal(err)
		}
	}
	if err := l.Prune(2); err != nil {
		t.Fatal(err)
	}
	if list, err = l.List(); err != nil || len(list) != 2 || list[0].Height != made[3].Manifest.Height() {
		t.Fatalf("%v, %v", list, err)
	}
	if _, err := l.Find(made[0].Hash); !errors.Is(err, ErrNotFound) {
		t.Fatalf("a removed snapshot: %v", err)
	}
	if _, err := made[3].Chunk(len(made[3].Manifest.Chunks)); !errors.Is(err, ErrNotFound) {
		t.Fatalf("a chunk too many: %v", err)
	}
	if names, err := c.fs.List("snapshots"); err != nil || slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "tmp-") }) {
		t.Fatalf("what was not finished stays: %v, %v", names, err)
	}
	if err := c.store.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDamage flips bytes of every file of a snapshot: it is refused, or says the same (a byte of a file's name does not).
func TestDamage(t *testing.T) {
	c := newChain(t, 4, vfs.NewMem())
	c.epochLength = 3
	c.grow(8, 25)
	l := library(t, c.fs, "snapshots")
	s := c.snapshot(l)
	name := "snapshots/" + s.name
	flips, step := 0, 3
	if testing.Short() {
		step = 37
	}
	for _, file := range []string{manifestFile, proofFile, handoversFile, dataFile} {
		f, err := c.fs.OpenReadWrite(name+"/"+file, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		stat, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		for at := int64(0); at < stat.Size(); at += int64(step) {
			flips++
			var b [1]byte
			if _, err := f.ReadAt(b[:], at); err != nil {
				t.Fatal(err)
			}
			old := b[0]
			if _, err := f.WriteAt([]byte{old ^ byte(1+c.rng.IntN(255))}, at); err != nil {
				t.Fatal(err)
			}
			fresh := library(t, c.fs, "snapshots")
			bad, err := fresh.Open(Info{s.Manifest.Height(), s.name})
			if err == nil {
				_, err = bad.Verify(t.Context(), c.epochs(t), nil)
			}
			if err == nil {
				t.Fatalf("a flip at byte %d of %s goes unseen", at, file)
			}
			if _, err := f.WriteAt([]byte{old}, at); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := library(t, c.fs, "snapshots").Open(Info{s.Manifest.Height(), s.name}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d flips", flips)
	if err := c.store.Close(); err != nil {
		t.Fatal(err)
	}
}

// corruptions changes one thing of a good manifest each; the headers are those of a real chain.
func TestManifestCorruptions(t *testing.T) {
	c := newChain(t, 6, vfs.NewMem())
	c.grow(5, 60)
	s := c.snapshot(library(t, c.fs, "snapshots"))
	if len(s.Manifest.Chunks) < 4 {
		t.Fatalf("%d chunks", len(s.Manifest.Chunks))
	}
	for name, change := range map[string]struct {
		do   func(*Manifest)
		want Kind
	}{
		"no headers":                 {func(m *Manifest) { m.Headers = nil }, ErrForm},
		"one header":                 {func(m *Manifest) { m.Headers = m.Headers[:1] }, ErrForm},
		"the committing one missing": {func(m *Manifest) { m.Headers = m.Headers[:len(m.Headers)-1] }, ErrForm},
		"a header left out":          {func(m *Manifest) { m.Headers = slices.Delete(m.Headers, 1, 2) }, ErrForm},
		"height 0":                   {func(m *Manifest) { m.Headers[0].Height = 0 }, ErrForm},
		"height 2^63-1":              {func(m *Manifest) { m.Headers[0].Height = math.MaxInt64 }, ErrForm},
		"height 2^64-1":              {func(m *Manifest) { m.Headers[0].Height = math.MaxUint64 }, ErrForm},
		"another network":            {func(m *Manifest) { m.Genesis[0] ^= 1 }, ErrForm},
		"a tail":                     {func(m *Manifest) { m.Headers[1].Flags = quorum.FlagTail }, ErrForm},
		"another root":               {func(m *Manifest) { m.Headers[len(m.Headers)-1].ExecStateRoot[3] ^= 1 }, ErrRoot},
		"target 0":                   {func(m *Manifest) { m.Target = 0 }, ErrForm},
		"target 2^32-1":              {func(m *Manifest) { m.Target = math.MaxUint32 }, ErrForm},
		"another target":             {func(m *Manifest) { m.Target = ChunkTarget }, ErrForm},
		"no chunks":                  {func(m *Manifest) { m.Chunks, m.Keys, m.Bytes = nil, 0, 0 }, ErrRoot},
		"a chunk missing":            {func(m *Manifest) { drop(m, 1) }, ErrForm},
		"the last chunk missing":     {func(m *Manifest) { drop(m, len(m.Chunks)-1) }, ErrForm},
		"a chunk twice":              {func(m *Manifest) { add(m, m.Chunks[2]) }, ErrForm},
		"chunks exchanged":           {func(m *Manifest) { m.Chunks[0], m.Chunks[1] = m.Chunks[1], m.Chunks[0] }, ErrForm},
		"hashes exchanged": {func(m *Manifest) {
			m.Chunks[0].Hash, m.Chunks[1].Hash = m.Chunks[1].Hash, m.Chunks[0].Hash
		}, ErrRoot},
		"another hash":     {func(m *Manifest) { m.Chunks[3].Hash[31] ^= 1 }, ErrRoot},
		"no keys":          {func(m *Manifest) { m.Keys -= uint64(m.Chunks[0].Keys); m.Chunks[0].Keys = 0 }, ErrForm},
		"2^32-1 bytes":     {func(m *Manifest) { m.Chunks[0].Bytes = math.MaxUint32 }, ErrForm},
		"2^64-1 keys":      {func(m *Manifest) { m.Keys = math.MaxUint64 }, ErrForm},
		"2^64-1 bytes":     {func(m *Manifest) { m.Bytes = math.MaxUint64 }, ErrForm},
		"overlapping":      {func(m *Manifest) { add(m, Chunk{Depth: 1, Keys: 1, Bytes: 20}) }, ErrForm},
		"too few bytes":    {func(m *Manifest) { m.Bytes -= uint64(m.Chunks[0].Bytes) - 9; m.Chunks[0].Bytes = 9 }, ErrForm},
		"depth 257":        {func(m *Manifest) { m.Chunks[0].Depth = 257 }, ErrEncoding},
		"bits below depth": {func(m *Manifest) { m.Chunks[0].Depth, m.Chunks[0].Prefix[0] = 1, 0x40 }, ErrEncoding},
		"too many headers": {func(m *Manifest) { m.Headers = slices.Repeat(m.Headers, MaxSpan) }, ErrEncoding},
	} {
		t.Run(name, func(t *testing.T) {
			m := *s.Manifest
			m.Headers, m.Chunks = slices.Clone(m.Headers), slices.Clone(m.Chunks)
			change.do(&m)
			if _, err := DecodeManifest(m.Encode()); !errors.Is(err, change.want) {
				t.Fatalf("%v, want %q", err, change.want)
			}
		})
	}
	raw := s.Manifest.Encode()
	if m, err := DecodeManifest(raw); err != nil || m.Hash() != s.Hash || !bytes.Equal(m.Encode(), raw) {
		t.Fatal(err)
	}
	for _, raw := range [][]byte{nil, append(slices.Clone(raw), 0), append([]byte{0, 2}, raw[2:]...), make([]byte, MaxManifestBytes+1)} {
		if _, err := DecodeManifest(raw); !errors.Is(err, ErrEncoding) {
			t.Fatalf("%d bytes: %v", len(raw), err)
		}
	}
	if err := c.store.Close(); err != nil {
		t.Fatal(err)
	}
}

func drop(m *Manifest, i int) {
	m.Keys, m.Bytes = m.Keys-uint64(m.Chunks[i].Keys), m.Bytes-uint64(m.Chunks[i].Bytes)
	m.Chunks = slices.Delete(m.Chunks, i, i+1)
}

func add(m *Manifest, c Chunk) {
	m.Keys, m.Bytes = m.Keys+uint64(c.Keys), m.Bytes+uint64(c.Bytes)
	m.Chunks = append(m.Chunks, c)
	slices.SortStableFunc(m.Chunks, func(a, b Chunk) int { return bytes.Compare(a.Prefix[:], b.Prefix[:]) })
}

func TestChunkCorruptions(t *testing.T) {
	c := newChain(t, 7, vfs.NewMem())
	c.grow(5, 60)
	s := c.snapshot(library(t, c.fs, "snapshots"))
	chunk := &s.Manifest.Chunks[1]
	good, err := s.Chunk(1)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := chunk.Open(good)
	if err != nil || len(entries) < 3 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	join := func(list []store.Entry) (raw []byte) {
		for _, e := range list {
			raw = appendEntry(raw, e.Key, e.Value)
		}
		return raw
	}
	swapped := slices.Clone(entries)
	swapped[0], swapped[1] = swapped[1], swapped[0]
	other, err := s.Chunk(0)
	if err != nil {
		t.Fatal(err)
	}
	huge := slices.Clone(good)
	copy(huge, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	for name, raw := range map[string][]byte{
		"nothing": nil, "another chunk": other, "an entry missing": join(entries[1:]), "out of order": join(swapped),
		"an entry twice": join(append(slices.Clone(entries[:1]), entries...)), "a byte more": append(slices.Clone(good), 0), "a byte less": good[:len(good)-1],
		"lengths of 4 GiB": huge, "zeros": make([]byte, len(good)),
	} {
		if _, err := chunk.Open(raw); !errors.Is(err, ErrChunk) && !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= byte(1 + c.rng.IntN(255))
		if _, err := chunk.Open(bad); err == nil {
			t.Fatalf("a change of byte %d goes unseen", i)
		}
	}
	if err := c.store.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCertify changes proofs and hand-overs, one thing at a time.
func TestCertify(t *testing.T) {
	c := newChain(t, 8, vfs.NewMem())
	c.epochLength = 5
	c.certify = func(h quorum.Height) bool { return h%3 == 0 }
	c.grow(13, 20)
	s := c.snapshot(library(t, c.fs, "snapshots"))
	follow := func(t *testing.T) *Epochs {
		t.Helper()
		e := c.epochs(t)
		for _, h := range s.Handovers {
			if err := e.Follow(h); err != nil {
				t.Fatal(err)
			}
		}
		return e
	}
	if _, err := follow(t).Certify(s.Manifest, s.Proof); err != nil {
		t.Fatal(err)
	}
	if _, err := c.epochs(t).Certify(s.Manifest, s.Proof); !errors.Is(err, ErrTrust) {
		t.Fatalf("before the epochs are followed: %v", err)
	}
	foreign := follow(t)
	foreign.genesis[0] ^= 1
	if _, err := foreign.Certify(s.Manifest, s.Proof); !errors.Is(err, ErrForeign) {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Proof){
		"no signature":       func(p *Proof) { p.Last.Signatures = nil; p.Last.Bitmap = nil },
		"another signature":  func(p *Proof) { p.Last.Signatures = []crypto.Signature{{1}} },
		"a notarization":     func(p *Proof) { p.Last.Kind = quorum.KindNotarize },
		"another block":      func(p *Proof) { p.Last.Block[0] ^= 1 },
		"another height":     func(p *Proof) { p.Last.Height++ },
		"another epoch":      func(p *Proof) { p.Last.Epoch++ },
		"another view":       func(p *Proof) { p.Last.View++ },
		"a header more":      func(p *Proof) { p.Path = append(p.Path, c.tip()) },
		"the first forged":   func(p *Proof) { forged := p.Last; p.First, p.FirstAt = &forged, 0 },
		"the first too high": func(p *Proof) { forged := p.Last; p.First, p.FirstAt = &forged, 1000 },
	} {
		p := *s.Proof
		p.Path = slices.Clone(p.Path)
		change(&p)
		if _, err := follow(t).Certify(s.Manifest, &p); !errors.Is(err, ErrCertificate) && !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
	forged := *epochSet(t, c.genesis, 99)
	for name, change := range map[string]func(*store.Handover){
		"a forged set":           func(h *store.Handover) { h.Next = &forged },
		"a forged set, named":    func(h *store.Handover) { h.Next, h.Closing.NextValidatorSet = &forged, forged.Hash() },
		"no set":                 func(h *store.Handover) { h.Next = nil },
		"no closing block":       func(h *store.Handover) { h.Closing.Flags = 0 },
		"a tail":                 func(h *store.Handover) { h.Closing.Flags |= quorum.FlagTail },
		"another network":        func(h *store.Handover) { h.Closing.Genesis[0] ^= 1 },
		"another epoch":          func(h *store.Handover) { h.Closing.Epoch++ },
		"a height below":         func(h *store.Handover) { h.Closing.Height = 0 },
		"signed by the new ones": func(h *store.Handover) { h.Certificate = *certificateFor(t, h.Next, epochKey(1), h.Closing) },
		"a certificate of another": func(h *store.Handover) {
			h.Certificate.Block[5] ^= 1
		},
	} {
		h := s.Handovers[0]
		change(&h)
		e := c.epochs(t)
		if err := e.Follow(h); !errors.Is(err, ErrHandover) || e.Last() != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.epochs(t).Follow(s.Handovers[1]); !errors.Is(err, ErrHandover) {
		t.Errorf("a hand-over left out: %v", err)
	}
	if err := c.store.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestTrust: a history that old keys could have made is not believed without a checkpoint.
func TestTrust(t *testing.T) {
	c := newChain(t, 9, vfs.NewMem())
	c.epochLength = 4
	c.grow(13, 20)
	s := c.snapshot(library(t, c.fs, "snapshots"))
	real := &Checkpoint{Epoch: 2, Anchor: s.Handovers[1].Closing.Hash()}
	now := c.genesis.TimeMs + 20_000
	for name, try := range map[string]struct {
		trust Trust
		want  error
	}{
		"nothing asked":                 {Trust{}, nil},
		"young enough":                  {Trust{NowMs: now, PeriodMs: 20_000}, nil},
		"genesis too old":               {Trust{NowMs: now, PeriodMs: 19_999}, ErrTrust},
		"with a checkpoint":             {Trust{NowMs: now, PeriodMs: 19_999, Checkpoint: real}, nil},
		"the checkpoint too old":        {Trust{NowMs: now, PeriodMs: 11_999, Checkpoint: real}, ErrTrust},
		"another history":               {Trust{Checkpoint: &Checkpoint{Epoch: 2, Anchor: crypto.Hash{1}}}, ErrTrust},
		"it ends before the checkpoint": {Trust{Checkpoint: &Checkpoint{Epoch: 9, Anchor: crypto.Hash{1}}}, ErrTrust},
	} {
		e, err := NewEpochs(c.genesis, try.trust, mac{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.certify(e); !errors.Is(err, try.want) || try.want == nil && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.store.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestForgedState: a manifest that folds to the root of its own headers is worth nothing without the certificate.
func TestForgedState(t *testing.T) {
	c := newChain(t, 10, vfs.NewMem())
	c.grow(5, 40)
	s := c.snapshot(library(t, c.fs, "snapshots"))
	forged := *s.Manifest
	forged.Headers = slices.Clone(forged.Headers)
	state := map[string][]byte{}
	for i := range 50 {
		state[fmt.Sprint("acct/", i)] = []byte("rich")
	}
	last := len(forged.Headers) - 1
	forged.Headers[last].ExecStateRoot = rootOf(state)
	lib := library(t, c.fs, "forged")
	made, err := lib.Create(t.Context(), mapSource(state), forged.Headers, s.Proof, s.Handovers)
	if err != nil {
		t.Fatal(err) // it agrees with itself …
	}
	if _, err := made.Verify(t.Context(), c.epochs(t), nil); !errors.Is(err, ErrCertificate) {
		t.Fatalf("… and nobody certified it: %v", err)
	}
	fs := vfs.NewMem()
	if err := made.Restore(t.Context(), "victim", c.genesis, small(fs), c.epochs(t), false); !errors.Is(err, ErrCertificate) {
		t.Fatal(err)
	}
	if _, err := fs.Stat("victim"); err == nil {
		t.Fatal("an uncertified snapshot touches the data folder")
	}
	if err := c.store.Close(); err != nil {
		t.Fatal(err)
	}
}

// mapSource is a state in memory.
type mapSource map[string][]byte

// Scan implements Source.
func (m mapSource) Scan(_, after []byte, limit int) ([]store.Entry, error) {
	var keys []string
	for k := range m {
		if after == nil || k > string(after) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var out []store.Entry
	for _, k := range keys[:min(limit, len(keys))] {
		out = append(out, store.Entry{Key: []byte(k), Value: m[k]})
	}
	return out, nil
}

// TestCutting: any state, cut at any size, folds to the root that crypto's tree has.
func TestCutting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := mapSource(rapid.MapOfN(rapid.StringN(1, 40, 60), rapid.SliceOfN(rapid.Byte(), 0, 900), 1, 200).Draw(t, "state"))
		target := rapid.Uint32Range(minTarget, 8<<10).Draw(t, "target")
		var writes []crypto.TreeWrite
		for k, v := range state {
			if v == nil {
				state[k] = []byte{}
			}
			writes = append(writes, crypto.TreeWrite{Key: []byte(k), Value: state[k]})
		}
		root, _, err := crypto.UpdateTree(noPages{}, writes)
		if err != nil {
			t.Fatal(err)
		}
		headers := []quorum.Header{{Version: 1, Height: 1}, {Version: 1, Height: 2, TimeMs: 1, ExecHeight: 1, ExecStateRoot: root}}
		headers[1].Parent = headers[0].Hash()
		l, err := OpenLibrary(vfs.NewMem(), "s")
		if err != nil {
			t.Fatal(err)
		}
		l.Target = target
		s, err := l.Create(context.Background(), state, headers, &Proof{Last: plausible()}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string][]byte{}
		for i := range s.Manifest.Chunks {
			raw, err := s.Chunk(i)
			if err != nil {
				t.Fatal(err)
			}
			entries, err := s.Manifest.Chunks[i].Open(raw)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				got[string(e.Key)] = e.Value
			}
		}
		if len(got) != len(state) {
			t.Fatalf("%d keys, want %d", len(got), len(state))
		}
		for k, v := range state {
			if !bytes.Equal(got[k], v) {
				t.Fatalf("key %q", k)
			}
		}
	})
}

type noPages struct{}

func (noPages) ReadPage(crypto.PagePath) ([]byte, error) { return nil, nil }

// plausible is a certificate that can be encoded.
func plausible() quorum.Certificate {
	return quorum.Certificate{Kind: quorum.KindFinalize, View: 1, Height: 2, Block: crypto.Hash{1}, Bitmap: []byte{1}, Signatures: []crypto.Signature{{1}}}
}

// TestLatest: a ledger that stands still gives the same snapshot as one that took it when it was there.
func TestLatest(t *testing.T) {
	for at := 3; at < 12; at++ {
		c := newChain(t, uint64(100+at), vfs.NewMem())
		c.epochLength = 5
		c.certify = func(h quorum.Height) bool { return h%3 != 0 }
		if _, err := library(t, c.fs, "a").Latest(t.Context(), c.store); !errors.Is(err, ErrNotFound) {
			t.Fatalf("of an empty ledger: %v", err)
		}
		c.grow(at, 30)
		live := c.snapshot(library(t, c.fs, "a"))
		late, err := library(t, c.fs, "b").Latest(t.Context(), c.store)
		if err != nil {
			t.Fatal(err)
		}
		if live.Manifest.Height() == late.Manifest.Height() && live.Hash != late.Hash || late.Manifest.Height() < live.Manifest.Height() {
			t.Fatalf("height %d: the snapshots differ (of heights %d and %d)", at, live.Manifest.Height(), late.Manifest.Height())
		}
		c.restored(t, late)
		if err := c.store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
