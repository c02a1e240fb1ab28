package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
	"waybill/ledger/light"
)

func TestCommitAndReopen(t *testing.T) {
	fs := vfs.NewMem()
	m := newModel(1)
	for round := range 4 {
		s := mustOpen(t, fs)
		if tip := m.check(t, s); int(tip) != round*15 {
			t.Fatalf("round %d begins at block %d", round, tip)
		}
		m.grow(t, s, 15)
		m.check(t, s)
		closed(t, s)
	}
}

func TestGenesisIsBlockZero(t *testing.T) {
	s := mustOpen(t, vfs.NewMem())
	defer closed(t, s)
	g := testGenesis("test")
	b, err := s.Block(0)
	if err != nil || b.Header != g.Block() || b.Certificate != nil || len(b.Payload) != 0 {
		t.Fatalf("block 0: %+v, %v", b, err)
	}
	if tip := s.Tip(); tip.StateRoot != b.Header.ExecStateRoot || tip.Height != 0 || s.Genesis() != g.Hash() {
		t.Fatalf("tip %+v", tip)
	}
	if _, err := s.ProveHeader(0); !IsNotFound(err) {
		t.Fatalf("nothing certifies an empty ledger: %v", err)
	}
}

func TestHistoryIsKeptAndForgotten(t *testing.T) {
	fs := vfs.NewMem()
	m := newModel(2)
	s := mustOpen(t, fs, func(o *Options) { o.History = 40 })
	m.grow(t, s, 60)
	m.check(t, s)
	oldest := func() quorum.Height {
		snap, err := s.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = snap.Close() }()
		if _, err := snap.ViewAt(snap.Oldest() - 1); !errors.Is(err, ErrPruned) {
			t.Fatalf("state below the oldest: %v", err)
		}
		return snap.Oldest()
	}
	if got := oldest(); got != 20 {
		t.Fatalf("oldest %d, want 20", got)
	}
	closed(t, s)
	// A shorter history is reached bit by bit; nothing else is lost.
	s = mustOpen(t, fs, func(o *Options) { o.History = 4 })
	m.grow(t, s, 6)
	m.check(t, s)
	if got := oldest(); got != 62 {
		t.Fatalf("oldest %d, want 62", got)
	}
	n := 0
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixReplaced}, UpperBound: []byte{prefixUndo + 1}})
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	if want := len(replacedSince(m, 63)); n > 40*want || n == 0 {
		t.Fatalf("%d replaced values are kept for 4 heights with %d writes", n, want)
	}
	closed(t, s)
	// A longer one does not bring back what is gone.
	s = mustOpen(t, fs, func(o *Options) { o.History = KeepAll })
	m.grow(t, s, 6)
	m.check(t, s)
	if got := oldest(); got != 62 {
		t.Fatalf("oldest %d, want 62", got)
	}
	closed(t, s)
}

func replacedSince(m *model, h int) []string {
	var keys []string
	for _, b := range m.blocks[h:] {
		for _, w := range b.up.Writes {
			keys = append(keys, string(w.Key))
		}
	}
	return keys
}

func TestOpenRefuses(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, fs)
	refused := func(what string, kind Kind, words []string, err error) {
		t.Helper()
		if !errors.Is(err, kind) {
			t.Fatalf("%s: %v, want %v", what, err, kind)
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", what, err, w)
			}
		}
	}
	_, err := Open("data", testGenesis("test"), small(fs))
	refused("open twice", ErrLocked, []string{"data/db", "another process"}, err)
	closed(t, s)

	other := testGenesis("other")
	_, err = Open("data", other, small(fs))
	refused("another network", ErrForeign, []string{"data/db", other.Hash().String(), testGenesis("test").Hash().String()}, err)

	for _, x := range []struct {
		version byte
		kind    Kind
		words   []string
	}{
		{9, ErrSchema, []string{"schema 9", "up to 7", "newer"}},
		{1, ErrSchema, []string{"schema 1", "needs 7", "remove the folder"}},
		{2, ErrSchema, []string{"schema 2", "needs 7", "remove the folder"}},
		{0, ErrCorrupt, []string{"never existed"}},
	} {
		old := vfs.NewMem()
		s := mustOpen(t, old)
		if err := s.db.Set(metaKey(metaSchema), []byte{0, 0, 0, x.version}, pebble.Sync); err != nil {
			t.Fatal(err)
		}
		closed(t, s)
		for range 2 { // the refusal gives the lock back, and changes nothing
			_, err = Open("data", testGenesis("test"), small(old))
			refused("another schema", x.kind, x.words, err)
		}
	}

	invalid := testGenesis("test")
	invalid.Validators = nil
	_, err = Open("fresh", invalid, small(fs))
	refused("invalid genesis", ErrGenesis, nil, err)
}

func TestLockedOnDisk(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, testGenesis("test"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, testGenesis("test"), Options{}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Fatalf("second open: %v", err)
	}
	closed(t, s)
	s, err = Open(dir, testGenesis("test"), Options{})
	if err != nil {
		t.Fatalf("after close: %v", err)
	}
	closed(t, s)
}

// Records that contradict each other are corruption, whatever the checksums say.
func TestContradictionsAreCorruption(t *testing.T) {
	for name, damage := range map[string]func(s *Store) error{
		"tip gone":       func(s *Store) error { return s.db.Delete(tipKey(), pebble.Sync) },
		"tip shortened":  func(s *Store) error { return s.db.Set(tipKey(), []byte{1}, pebble.Sync) },
		"header gone":    func(s *Store) error { return s.db.Delete(heightKey(prefixHeader, 5), pebble.Sync) },
		"header garbled": func(s *Store) error { return s.db.Set(heightKey(prefixHeader, 5), []byte("?"), pebble.Sync) },
		"roots of before": func(s *Store) error {
			return s.db.Set(heightKey(prefixRoots, 5), make([]byte, 2*crypto.HashSize), pebble.Sync)
		},
		"another chain":   func(s *Store) error { return forgeChain(s, 5) },
		"roots gone":      func(s *Store) error { return s.db.Delete(heightKey(prefixRoots, 5), pebble.Sync) },
		"root page gone":  func(s *Store) error { return s.db.Delete(pageKey(""), pebble.Sync) },
		"genesis garbled": func(s *Store) error { return s.db.Set(metaKey(metaGenesis), []byte{7}, pebble.Sync) },
	} {
		fs := vfs.NewMem()
		m := newModel(3)
		s := mustOpen(t, fs)
		m.grow(t, s, 5)
		if err := damage(s); err != nil {
			t.Fatal(err)
		}
		closed(t, s)
		if _, err := Open("data", testGenesis("test"), small(fs)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want %v", name, err, ErrCorrupt)
		}
	}
}

// forgeChain changes nothing but the chain of receipts roots of block h.
func forgeChain(s *Store, h quorum.Height) error {
	roots, err := s.roots(nil, h)
	if err != nil {
		return err
	}
	roots.chain[0] ^= 1
	return s.db.Set(heightKey(prefixRoots, h), roots.encode(), pebble.Sync)
}

// What Open does not look at, Audit finds.
func TestAuditFindsDamage(t *testing.T) {
	for name, damage := range map[string]func(s *Store) error{
		"state value": func(s *Store) error { return s.db.Set(stateKey([]byte("key/1")), []byte("forged"), pebble.Sync) },
		"payload":     func(s *Store) error { return s.db.Set(heightKey(prefixPayload, 3), frame(nil), pebble.Sync) },
		"receipts":    func(s *Store) error { return s.db.Set(heightKey(prefixReceipts, 4), []byte{0, 0, 0, 9}, pebble.Sync) },
		"old chain":   func(s *Store) error { return forgeChain(s, 7) },
		"old header":  func(s *Store) error { return s.db.Delete(heightKey(prefixHeader, 2), pebble.Sync) },
	} {
		m := newModel(5)
		s := mustOpen(t, vfs.NewMem())
		m.grow(t, s, 12)
		if err := s.Audit(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if err := damage(s); err != nil {
			t.Fatal(err)
		}
		if err := s.Audit(t.Context(), nil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		closed(t, s)
	}
}

// A block may repeat what is or will be executed elsewhere; that is no damage. A wrong place is.
func TestAuditOfRepeatedTransactions(t *testing.T) {
	m := newModel(13)
	s := mustOpen(t, vfs.NewMem())
	defer closed(t, s)
	tx := m.transaction(50, 0)
	m.grow(t, s, 1)
	for _, codes := range [][]ledger.Code{
		{ledger.CodeDependencyMissing}, {ledger.CodeDependencyMissing, ledger.CodeOK, ledger.CodeSeen}, {ledger.CodeSeen},
	} {
		var payload [][]byte
		var receipts []ledger.Receipt
		for _, code := range codes {
			payload = append(payload, tx.Raw())
			receipts = append(receipts, ledger.Receipt{Tx: tx.ID(), Finding: ledger.Finding{Code: code}})
		}
		if _, err := commitBlock(s, m.holding(payload, receipts)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Audit(t.Context(), nil); err != nil || s.Tip().Height != 4 {
		t.Fatalf("tip %d: %v", s.Tip().Height, err)
	}
	for _, wrong := range []Location{{Height: 2}, {Height: 1}, {Height: 3}, {Height: 3, Tx: 9}, {Height: 4}, {Height: 99}} {
		if err := s.db.Set(hashKey(prefixTransaction, tx.ID()), encodeLocation(wrong, false), pebble.Sync); err != nil {
			t.Fatal(err)
		}
		if err := s.Audit(t.Context(), nil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("said to be at %+v: %v", wrong, err)
		}
	}
}

func TestCommitRefusesWhatIsNoChild(t *testing.T) {
	m := newModel(6)
	s := mustOpen(t, vfs.NewMem())
	defer closed(t, s)
	m.grow(t, s, 3)
	good := m.next()
	for name, change := range map[string]func(b *block){
		"a height too high": func(b *block) { b.header.Height++ },
		"again":             func(b *block) { *b = m.blocks[3] },
		"another parent":    func(b *block) { b.header.Parent = crypto.Hash{1}; b.up.Block = b.header.Hash() },
		"another update":    func(b *block) { up := *b.up; up.Block = crypto.Hash{2}; b.up = &up },
		"a missing receipt": func(b *block) { b.payload = append(b.payload, []byte("x")) },
	} {
		b := good
		up := *good.up
		b.up = &up
		change(&b)
		if _, err := commitBlock(s, b); !errors.Is(err, ErrSequence) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := commitBlock(s, good); err != nil {
		t.Fatalf("the store is unharmed: %v", err)
	}
	m.check(t, s)
}

func TestLookupsOfWhatIsNotThere(t *testing.T) {
	s := mustOpen(t, vfs.NewMem())
	defer closed(t, s)
	lookups := map[string]func() error{
		"header":      func() error { _, err := s.Header(7); return err },
		"block":       func() error { _, err := s.BlockByHash(crypto.Hash{1}); return err },
		"transaction": func() error { _, _, err := s.RawTransaction(crypto.Hash{1}); return err },
		"receipt":     func() error { _, _, err := s.Receipt(crypto.Hash{1}); return err },
		"event":       func() error { _, _, err := s.ProveEvent(crypto.Hash{1}); return err },
		"root":        func() error { _, err := s.ReceiptsRoot(7); return err },
		"chain":       func() error { _, err := s.ReceiptsChain(7); return err },
		"proof":       func() error { _, err := s.ProveLatest([]byte("x")); return err },
	}
	for name, f := range lookups {
		if err := f(); !IsNotFound(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProofs(t *testing.T) {
	m := newModel(7)
	s := mustOpen(t, vfs.NewMem())
	defer closed(t, s)
	m.grow(t, s, 14)
	for h := quorum.Height(6); h <= 12; h++ {
		for i := range 60 {
			key := fmt.Sprintf("key/%d", i)
			p, err := s.ProveState([]byte(key), h)
			if err != nil {
				t.Fatalf("%s at %d: %v", key, h, err)
			}
			if !bytes.Equal(p.Value, m.states[h][key]) || p.Block.Header().ExecHeight != h || p.Block.Header().ExecStateRoot != p.Root {
				t.Fatalf("%s at %d: %+v", key, h, p)
			}
			if err := crypto.VerifyTree(m.roots[h], p.Key, p.Value, p.Tree); err != nil {
				t.Fatalf("%s at %d: %v", key, h, err)
			}
		}
	}
	if _, err := s.ProveState([]byte("x"), 13); !IsNotFound(err) {
		t.Errorf("no header commits to block 13 yet: %v", err)
	}
	if _, err := s.ProveState([]byte("x"), 2); !errors.Is(err, ErrPruned) {
		t.Errorf("height 2 is no longer kept: %v", err)
	}
	latest, err := s.ProveLatest([]byte("key/1"))
	if err != nil || latest.Height != 12 || len(latest.Block.Headers) != 1 || latest.Block.Certificate.Block != latest.Block.Header().Hash() {
		t.Errorf("latest: %+v, %v", latest, err)
	}
	if proven, _ := m.checkTransactionProofs(t, s, 12); proven == 0 {
		t.Fatal("no receipt was proven")
	}
}

// After a stall ExecHeight jumps over heights that no header ever names. Their receipts are proven through the chain, and
// their states are not proven at all.
func TestProofsOfSkippedHeights(t *testing.T) {
	m := newModel(12)
	m.exec = func(h quorum.Height) quorum.Height {
		switch {
		case h < 3:
			return 0
		case h < 9:
			return 1
		case h < 12:
			return 7
		}
		return h - 2
	}
	s := mustOpen(t, vfs.NewMem(), func(o *Options) { o.History = 40 })
	defer closed(t, s)
	m.grow(t, s, 8)
	if _, err := s.ProveState([]byte("x"), 4); !IsNotFound(err) {
		t.Fatalf("no header commits to block 4 yet: %v", err)
	}
	if _, skipped := m.checkTransactionProofs(t, s, 1); skipped != 0 {
		t.Fatalf("%d receipts are proven before a header commits to them", skipped)
	}
	m.grow(t, s, 6)
	m.check(t, s)
	if proven, skipped := m.checkTransactionProofs(t, s, 12); skipped == 0 || proven == skipped {
		t.Fatalf("%d receipts were proven, %d of them of skipped heights", proven, skipped)
	}
	for h, named := range map[quorum.Height]bool{1: true, 2: false, 6: false, 7: true, 8: false, 9: false, 10: true} {
		p, err := s.ProveState([]byte("key/1"), h)
		switch {
		case named && (err != nil || p.Block.Header().ExecHeight != h):
			t.Errorf("state after block %d: %+v, %v", h, p, err)
		case !named && (!IsNotFound(err) || !strings.Contains(err.Error(), "covers it")):
			t.Errorf("state after block %d, which no header names: %+v, %v", h, p, err)
		}
	}
}

// checkTransactionProofs proves every transaction, and the receipts of the blocks up to exec, to which headers commit. It
// returns how many receipts it proved, and how many of those are of a height that no header names.
func (m *model) checkTransactionProofs(t *testing.T, s *Store, exec int) (proven, skipped int) {
	t.Helper()
	for h, b := range m.blocks[1:] {
		for i := range b.payload {
			id := b.up.Receipts[i].Tx
			p, err := s.ProveTransaction(id)
			if err != nil {
				t.Fatalf("transaction %d of block %d: %v", i, h+1, err)
			}
			if err := crypto.VerifyInclusion(b.header.PayloadRoot, p.Raw, p.Inclusion); err != nil {
				t.Fatal(err)
			}
			if last := p.Block.Headers[len(p.Block.Headers)-1]; p.Block.Certificate.Block != last.Hash() {
				t.Fatalf("block %d: the path ends at %d, the certificate is of %d", h+1, last.Height, p.Block.Certificate.Height)
			}
			if (p.Result != nil) != (h+1 <= exec) {
				t.Fatalf("block %d: receipt proof %v", h+1, p.Result)
			}
			if p.Result != nil {
				proven++
				if m.checkReceiptProof(t, b, i, p.Result) {
					skipped++
				}
			}
		}
	}
	return proven, skipped
}

// checkReceiptProof checks the proof as a reader outside would, and reports whether ExecHeight jumped over the block.
func (m *model) checkReceiptProof(t *testing.T, b block, i int, p *ReceiptProof) bool {
	t.Helper()
	at := b.header.Height
	result, err := light.VerifyPath(m.domain(), p.Block.Headers, p.Block.Certificate)
	if err != nil {
		t.Fatalf("block %d: %v", at, err)
	}
	header := result.Header()
	if before := m.blocks[header.Height-1].header; header.ExecHeight < at || before.ExecHeight >= at {
		t.Fatalf("block %d is not the first that commits to block %d", header.Height, at)
	}
	r, err := light.VerifyReceipt(result, at, light.ReceiptProof{Raw: p.Raw, Inclusion: p.Inclusion, Root: p.Root, Before: p.Before, After: p.After})
	if err != nil || !bytes.Equal(r.Encode(), b.up.Receipts[i].Encode()) {
		t.Fatalf("receipt %d of block %d: %+v, %v", i, at, r, err)
	}
	return header.ExecHeight > at
}

func TestUpdatesSince(t *testing.T) {
	m := newModel(8)
	s := mustOpen(t, vfs.NewMem())
	defer closed(t, s)
	m.grow(t, s, 10)
	var at quorum.Height
	for _, want := range []int{4, 4, 2, 0} {
		ups, err := s.UpdatesSince(at, 4)
		if err != nil || len(ups) != want {
			t.Fatalf("after %d: %d updates, want %d (%v)", at, len(ups), want, err)
		}
		for _, up := range ups {
			at++
			if b := m.blocks[at]; up.Height != at || up.Block != b.header.Hash() || up.ReceiptsRoot != b.up.ReceiptsRoot || len(up.Receipts) != len(b.payload) {
				t.Fatalf("update %d: %+v", at, up)
			}
		}
	}
}

func TestWaitFor(t *testing.T) {
	m := newModel(9)
	s := mustOpen(t, vfs.NewMem())
	done := make(chan error, 2)
	go func() { done <- s.WaitFor(t.Context(), 3) }()
	m.grow(t, s, 3)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- s.WaitFor(ctx, 100) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	go func() { done <- s.WaitFor(t.Context(), 100) }()
	closed(t, s)
	if err := <-done; !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	if _, err := commitBlock(s, m.next()); !errors.Is(err, ErrStopped) {
		t.Fatalf("commit after close: %v", err)
	}
}

// A snapshot does not move.
func TestSnapshot(t *testing.T) {
	m := newModel(10)
	s := mustOpen(t, vfs.NewMem())
	defer closed(t, s)
	m.grow(t, s, 5)
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	m.grow(t, s, 20)
	for i := range 60 {
		key := fmt.Sprintf("key/%d", i)
		if got, err := snap.View().Read([]byte(key)); err != nil || !bytes.Equal(got, m.states[5][key]) {
			t.Fatalf("%s: %x, %v", key, got, err)
		}
	}
	if snap.Tip().Height != 5 {
		t.Fatalf("tip %d", snap.Tip().Height)
	}
	if err := snap.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestScan(t *testing.T) {
	m := newModel(11)
	s := mustOpen(t, vfs.NewMem())
	defer closed(t, s)
	m.grow(t, s, 10)
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = snap.Close() }()
	want := map[string]bool{}
	for k := range m.states[10] {
		if strings.HasPrefix(k, "key/1") {
			want[k] = true
		}
	}
	var last []byte
	for {
		list, err := snap.Scan([]byte("key/1"), last, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, e := range list {
			if !want[string(e.Key)] || !bytes.Equal(e.Value, m.states[10][string(e.Key)]) {
				t.Fatalf("%s: unexpected, twice, or of another value", e.Key)
			}
			delete(want, string(e.Key))
			last = e.Key
		}
	}
	if len(want) != 0 {
		t.Fatalf("not listed: %v", want)
	}
}

// The bytes on disk are a promise to older programs.
func TestGoldenKeysAndRecords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{fmt.Sprintf("%x", heightKey(prefixHeader, 258)), "100000000000000102"},
		{fmt.Sprintf("%x", stateKey([]byte("k"))), "206b"},
		{fmt.Sprintf("%x", pageKey("3a")), "21023361"},
		{fmt.Sprintf("%x", atHeight(replacedPageStem("3a"), 1)), "22700233610000000000000001"},
		{fmt.Sprintf("%x", frame([][]byte{{1}, nil})), "00000002" + "0000000101" + "00000000"},
		{fmt.Sprintf("%x", encodeLocation(Location{1, 2, 3}, true)), "00000000000000010000000200000003"},
		{fmt.Sprintf("%x", versioned(nil, 258, []byte{7})), "000000000000010207"},
		{fmt.Sprintf("%x", step{since: 258, data: []byte{7}}.encode()), "01" + "0000000000000102" + "07"},
		{fmt.Sprintf("%x", step{since: 258, key: []byte("k"), data: []byte{7}}.encode()), "02" + "0000000000000102" + "00000001" + "6b" + "07"},
		{fmt.Sprint(len(someUndo().encode(nil))), fmt.Sprint(someUndo().size())},
		{fmt.Sprintf("%x", someUndo().encode(nil)), "0000000a" + "00000001" + "000000026b31" + "00000002" + "00000000" + "00000006" +
			"70" + "01" + "61" + "8202" + "07" + "73" + "01" + "6b" + "03" + ""},
		{fmt.Sprintf("%x", blockRoots{crypto.Hash{1}, crypto.Hash{2}, crypto.Hash{3}}.encode()), fmt.Sprintf("01%062d02%062d03%062d", 0, 0, 0)},
		{fmt.Sprint(len(tipRecord{}.encode())), "144"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func someUndo() *undoRecord {
	u := &undoRecord{steps: [][]byte{[]byte("k1")}}
	u.add(replacedPage, []byte("a"), 258, []byte{7})
	u.add(replacedState, []byte("k"), 3, nil)
	return u
}

func FuzzUndoRecord(f *testing.F) {
	f.Add(someUndo().encode(nil))
	f.Add((&undoRecord{}).encode(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if auditUndo(b) != nil {
			return
		}
		u, _ := parseUndo(b)
		steps, _ := unframe(u.steps)
		again := undoRecord{steps: steps}
		for i := range u.len() {
			v, err := u.at(i)
			if err != nil {
				t.Fatal(err)
			}
			again.add(v.kind, v.name, v.since, v.data)
			if got, ok, err := u.find(v.kind, v.name); err != nil || !ok || got.since != v.since || !bytes.Equal(got.data, v.data) {
				t.Fatalf("version %d of %x is not found", i, b)
			}
		}
		if u.len() > 0 && u.offset(0) == 0 && !bytes.Equal(again.encode(nil), b) {
			t.Fatalf("%x is read, and written as %x", b, again.encode(nil))
		}
	})
}

func FuzzUnframe(f *testing.F) {
	f.Add(frame(nil))
	f.Add(frame([][]byte{{}, {1, 2}, u64(7)}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		items, err := unframe(b)
		if err == nil && !bytes.Equal(frame(items), b) {
			t.Fatalf("%x is read, and written as %x", b, frame(items))
		}
	})
}

func FuzzDecodeRecords(f *testing.F) {
	f.Add(tipRecord{Tip: Tip{Height: 3}}.encode())
	f.Add(encodeLocation(Location{1, 2, 3}, true))
	f.Add(step{since: 1, data: []byte{9}}.encode())
	f.Add(step{since: 1, key: []byte("key"), data: []byte{9}}.encode())
	f.Add(blockRoots{chain: crypto.Hash{1}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if tip, err := decodeTip(b); err == nil && !bytes.Equal(tip.encode(), b) {
			t.Fatal("tip")
		}
		if roots, err := decodeRoots(b); err == nil && !bytes.Equal(roots.encode(), b) {
			t.Fatal("roots")
		}
		for _, event := range []bool{false, true} {
			if l, err := decodeLocation(b, event); err == nil && !bytes.Equal(encodeLocation(l, event), b) {
				t.Fatal("location")
			}
		}
		if old, err := decodeStep(b); err == nil && !bytes.Equal(old.encode(), b) {
			t.Fatal("replaced value")
		}
	})
}
