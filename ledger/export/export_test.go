package export

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
	"waybill/ledger/store"
)

func testKey(name string) crypto.PrivateKey {
	seed := sha256.Sum256([]byte("export test " + name))
	k, err := crypto.GeneratePrivateKey(bytes.NewReader(bytes.Repeat(seed[:], 4)))
	if err != nil {
		panic(err)
	}
	return k
}

// chain is a ledger on disk with one validator and epochs of some blocks.
type chain struct {
	t       testing.TB
	genesis *ledger.Genesis
	store   *store.Store
	length  quorum.Height
	tip     quorum.Header
	set     *quorum.Set
	view    quorum.View
	salt    uint32
	hashes  []crypto.Hash // of accepted events
}

func newChain(t testing.TB, length quorum.Height) *chain {
	t.Helper()
	operator, farm := testKey("operator").Address(), testKey("Farm").Address()
	g := &ledger.Genesis{Version: ledger.GenesisVersion, Chain: "exported", TimeMs: 1_777_622_400_000, Params: ledger.DefaultParams(),
		Validators:    []ledger.GenesisValidator{{Name: "v", Key: testKey("validator").Public(), Stake: 10_000, Operator: operator}},
		Accounts:      []ledger.GenesisAccount{{Address: operator, Balance: 1_000}, {Address: farm, Balance: 1_000_000_000}},
		Registrars:    []crypto.Address{operator},
		Organisations: []ledger.GenesisOrganisation{{Address: farm, Name: "Farm <&>", Prefixes: []string{"9521321"}}},
	}
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open("data", g, store.Options{FS: vfs.NewMem(), MemTableBytes: 1 << 20, CacheBytes: 1 << 20, History: 16})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	set, err := g.ValidatorSet()
	if err != nil {
		t.Fatal(err)
	}
	return &chain{t: t, genesis: g, store: s, length: length, tip: g.Block(), set: set}
}

// block commits transactions; only every third block has a certificate of its own, and those that close an epoch.
func (c *chain) block(txs ...*ledger.Transaction) {
	c.t.Helper()
	h := c.tip.Height + 1
	exec := max(h, 2) - 2
	header := quorum.Header{Version: quorum.HeaderVersion, Genesis: c.genesis.Hash(), Epoch: c.tip.Epoch, View: c.view + 1, ParentView: c.view, Height: h,
		Parent: c.tip.Hash(), TimeMs: c.tip.TimeMs + 60_000, TxCount: uint32(len(txs)), ValidatorSet: c.set.Hash(), Params: c.genesis.Params.Hash(), ExecHeight: exec}
	if c.tip.IsClosing() {
		header.Epoch, header.View, header.ParentView = c.tip.Epoch+1, 1, 0
	}
	c.view = header.View
	var err error
	if header.ExecStateRoot, err = c.store.StateRoot(exec); err != nil {
		c.t.Fatal(err)
	}
	if header.ExecReceiptsRoot, err = c.store.ReceiptsChain(exec); err != nil {
		c.t.Fatal(err)
	}
	b := &ledger.Block{}
	var payload [][]byte
	for _, r := range ledger.VerifyTransactions(txs) {
		if r.Err != nil {
			c.t.Fatal(r.Err)
		}
		b.Transactions = append(b.Transactions, r.Verified)
		payload = append(payload, r.Verified.Transaction().Raw())
		header.PayloadBytes += uint32(r.Verified.Transaction().Size())
	}
	header.PayloadRoot = quorum.PayloadRoot(payload)
	if h%c.length == 0 {
		if b.Next, err = ledger.NextSet(c.store.View()); err != nil {
			c.t.Fatal(err)
		}
		header.Flags, header.NextValidatorSet = quorum.FlagClosing, b.Next.Hash()
	}
	b.Header = header
	up, err := ledger.Apply(c.store.View(), b)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, e := range up.Events {
		if e.Accepted {
			c.hashes = append(c.hashes, e.Hash)
		}
	}
	if _, err := c.store.Commit(header, payload, c.certificate(header), up, b.Next); err != nil {
		c.t.Fatal(err)
	}
	c.tip = header
	if b.Next != nil {
		c.set = b.Next
	}
}

func (c *chain) certificate(h quorum.Header) *quorum.Certificate {
	if h.Height%3 != 0 && !h.IsClosing() {
		return nil
	}
	v := quorum.SignVote(quorum.Domain{Genesis: h.Genesis, Set: c.set}, testKey("validator"),
		quorum.Vote{Kind: quorum.KindFinalize, Epoch: h.Epoch, View: h.View, Height: h.Height, Block: h.Hash()})
	return &quorum.Certificate{Kind: v.Kind, Epoch: v.Epoch, View: v.View, Height: v.Height, Block: v.Block, Bitmap: []byte{1}, Signatures: []crypto.Signature{v.Signature}}
}

// capture commissions new items; a serial that was taken before is refused.
func (c *chain) capture(serials ...int) *ledger.Transaction {
	c.t.Helper()
	p := &ledger.Capture{Mode: ledger.Proceed}
	for _, n := range serials {
		data, err := epcis.EncodeEvent(&epcis.Event{Type: epcis.ObjectEvent, Action: epcis.ActionAdd, BizStep: "commissioning", TimeZoneOffset: "+00:00",
			EventTime: epcis.NewTimestamp(c.tip.TimeMs), EPCs: []string{fmt.Sprintf("urn:epc:id:sgtin:9521321.010001.%d", n)}})
		if err != nil {
			c.t.Fatal(err)
		}
		p.Events = append(p.Events, data)
	}
	c.salt++
	body, err := ledger.NewBody(c.genesis.Hash(), testKey("Farm").Address(), c.tip.Height+10, p)
	if err != nil {
		c.t.Fatal(err)
	}
	body.Salt = [8]byte{byte(c.salt), byte(c.salt >> 8)}
	tx, err := ledger.Sign(body, testKey("Farm"))
	if err != nil {
		c.t.Fatal(err)
	}
	return tx
}

// grown is a chain of three epochs with accepted and refused events.
func grown(t testing.TB) *chain {
	t.Helper()
	c := newChain(t, 9)
	for i := range 20 {
		c.block(c.capture(10*i, 10*i+1), c.capture(10*i+2, 10*max(i-1, 0)))
	}
	for range 4 {
		c.block()
	}
	return c
}

func exported(t testing.TB, c *chain) (string, *Manifest) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	m, err := Write(t.Context(), c.store, c.genesis, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return dir, m
}

// TestExport: what is written is everything, and verifies from genesis.
func TestExport(t *testing.T) {
	c := grown(t)
	dir, m := exported(t, c)
	seen := quorum.Height(0)
	got, err := Verify(t.Context(), dir, c.genesis, func(h quorum.Height) { seen = h })
	if err != nil {
		t.Fatal(err)
	}
	if got.Transactions != 40 || got.Events != uint64(len(c.hashes)) || got.Epochs != 2 || got.From != 1 || seen != got.Committing || got.Height != m.Height {
		t.Errorf("%+v", got)
	}
	root, err := c.store.StateRoot(m.Height)
	if err != nil || root != m.StateRoot {
		t.Errorf("state root %s, want %s (%v)", m.StateRoot, root, err)
	}
	var hashes []crypto.Hash
	for i := 1; ; i++ {
		text, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf(nameEvents, i)))
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		doc, err := epcis.ParseDocument(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range doc.Events {
			hashes = append(hashes, e.Hash())
			if e.RecordTime.IsZero() {
				t.Error("an event without the time it was recorded")
			}
		}
	}
	if !slices.Equal(hashes, c.hashes) {
		t.Errorf("%d events in documents, %d were accepted", len(hashes), len(c.hashes))
	}
	if left, err := filepath.Glob(dir + ".tmp-*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestWriteRefuses: a folder with anything in it is left alone, and nothing is left of what was stopped.
func TestWriteRefuses(t *testing.T) {
	c := grown(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), []byte("years of work"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(t.Context(), c.store, c.genesis, dir, nil); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("into a folder with a file: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	target := filepath.Join(t.TempDir(), "out")
	_, err := Write(ctx, c.store, c.genesis, target, func(h quorum.Height) {
		if h == 5 {
			cancel()
		}
	})
	if left, globErr := filepath.Glob(target + "*"); !errors.Is(err, context.Canceled) || globErr != nil || len(left) > 0 {
		t.Errorf("stopped: %v, left %v", err, left)
	}
	if _, err := Write(t.Context(), newChain(t, 9).store, c.genesis, target, nil); !errors.Is(err, ErrNothing) {
		t.Errorf("an empty ledger: %v", err)
	}
	empty := t.TempDir()
	if _, err := Write(t.Context(), c.store, c.genesis, empty, nil); err != nil {
		t.Errorf("into an empty folder: %v", err)
	}
}

// TestTampered: every file, changed anywhere, is refused: by its hash, and when the manifest is made to fit, by what it says.
func TestTampered(t *testing.T) {
	c := grown(t)
	dir, m := exported(t, c)
	rng := rand.New(rand.NewPCG(5, 6))
	rounds := 60
	if testing.Short() {
		rounds = 8
	}
	tried := 0
	for _, f := range m.Files {
		path := filepath.Join(dir, f.Name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range rounds {
			bad := bytes.Clone(whole)
			switch at := rng.IntN(len(bad)); rng.IntN(4) {
			case 0:
				bad = bad[:at]
			case 1: // a line less
				lines := bytes.SplitAfter(bad, []byte("\n"))
				bad = bytes.Join(slices.Delete(lines, 0, 1), nil)
			case 2: // a letter of base64 or a digit, so that it stays text
				bad[at] = "AQgw9x1"[rng.IntN(7)]
			default:
				bad[at] ^= 1 << rng.IntN(7)
			}
			if bytes.Equal(bad, whole) {
				continue
			}
			write(t, path, bad)
			for _, fit := range []bool{false, true} {
				changed := *m
				if changed.Files = slices.Clone(m.Files); fit {
					fitManifest(t, dir, &changed, f.Name, bad)
				}
				if _, err := Verify(t.Context(), dir, c.genesis, nil); err == nil {
					t.Fatalf("%s changed (manifest made to fit: %t): accepted", f.Name, fit)
				} else if own := new(Error); !errors.As(err, &own) {
					t.Fatalf("%s: an error without a kind: %v", f.Name, err)
				}
				tried++
				fitManifest(t, dir, m, "", nil)
			}
		}
		write(t, path, whole)
	}
	if _, err := Verify(t.Context(), dir, c.genesis, nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d changed exports, none accepted", tried)
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// fitManifest writes a manifest with the hash of a changed file.
func fitManifest(t testing.TB, dir string, m *Manifest, name string, data []byte) {
	t.Helper()
	for i := range m.Files {
		if m.Files[i].Name == name {
			m.Files[i].Bytes, m.Files[i].SHA256 = int64(len(data)), crypto.Hash(sha256.Sum256(data))
		}
	}
	text, err := encodeManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, fileManifest), text)
}

// TestManifestLies: every number of the manifest counts.
func TestManifestLies(t *testing.T) {
	c := grown(t)
	dir, m := exported(t, c)
	for name, lie := range map[string]func(m *Manifest){
		"format": func(m *Manifest) { m.Format = "waybill export 2" }, "network": func(m *Manifest) { m.Network = "x" }, "genesis": func(m *Manifest) { m.Genesis[0] ^= 1 },
		"from": func(m *Manifest) { m.From++ }, "height": func(m *Manifest) { m.Height-- }, "committing": func(m *Manifest) { m.Committing-- },
		"more committing": func(m *Manifest) { m.Committing++ }, "time": func(m *Manifest) { m.TimeMs++ }, "state root": func(m *Manifest) { m.StateRoot[1] ^= 1 },
		"before": func(m *Manifest) { m.Before[1] ^= 1 }, "receipts": func(m *Manifest) { m.Receipts[1] ^= 1 }, "epochs": func(m *Manifest) { m.Epochs++ },
		"transactions": func(m *Manifest) { m.Transactions++ }, "events": func(m *Manifest) { m.Events-- }, "records": func(m *Manifest) { m.Records++ },
		"bits": func(m *Manifest) { m.Bits = 1 }, "no bits": func(m *Manifest) { m.Bits = -1 }, "a file less": func(m *Manifest) { m.Files = m.Files[1:] },
		"a file elsewhere": func(m *Manifest) { m.Files[0].Name = "../" + m.Files[0].Name }, "a file twice": func(m *Manifest) { m.Files = append(m.Files, m.Files[0]) },
	} {
		changed := *m
		changed.Files = slices.Clone(m.Files)
		lie(&changed)
		fitManifest(t, dir, &changed, "", nil)
		if _, err := Verify(t.Context(), dir, c.genesis, nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	fitManifest(t, dir, m, "", nil)
	stranger := filepath.Join(dir, "zzz.txt")
	write(t, stranger, []byte("?"))
	if _, err := Verify(t.Context(), dir, c.genesis, nil); !errors.Is(err, ErrFormat) {
		t.Errorf("a file too many: %v", err)
	}
	extra := *m
	extra.Files = append(slices.Clone(m.Files), File{Name: "zzz.txt", Bytes: 1, SHA256: sha256.Sum256([]byte("?"))})
	slices.SortFunc(extra.Files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	fitManifest(t, dir, &extra, "", nil)
	if _, err := Verify(t.Context(), dir, c.genesis, nil); !errors.Is(err, ErrFormat) {
		t.Errorf("a file too many, listed: %v", err)
	}
	if err := os.Remove(stranger); err != nil {
		t.Fatal(err)
	}
	fitManifest(t, dir, m, "", nil)
	other := *c.genesis
	other.Chain = "other"
	if _, err := Verify(t.Context(), dir, &other, nil); !errors.Is(err, ErrForeign) {
		t.Errorf("another genesis: %v", err)
	}
	if _, err := Verify(t.Context(), t.TempDir(), c.genesis, nil); !errors.Is(err, ErrFormat) {
		t.Errorf("an empty folder: %v", err)
	}
}

// TestForgedBlocks: a validator without a quorum cannot write another history, whatever else it makes fit.
func TestForgedBlocks(t *testing.T) {
	c := grown(t)
	dir, m := exported(t, c)
	path := filepath.Join(dir, fmt.Sprintf(nameBlocks, 1))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(whole), "\n"), "\n")
	for name, forge := range map[string]func(l []blockLine){
		"a header": func(l []blockLine) {
			h, _ := quorum.DecodeHeader(l[4].Header)
			h.TimeMs++
			l[4].Header, l[4].Hash, l[4].TimeMs = h.Encode(), h.Hash(), h.TimeMs
		},
		"a certificate":       func(l []blockLine) { l[2].Certificate = l[5].Certificate },
		"no last certificate": func(l []blockLine) { l[len(l)-1].Certificate = nil },
		"a transaction less":  func(l []blockLine) { l[3].Transactions = l[3].Transactions[1:] },
		"the receipts of another": func(l []blockLine) {
			l[3].Transactions[0].Receipt, l[3].Transactions[0].Result = l[4].Transactions[0].Receipt, l[4].Transactions[0].Result
		},
		"a name":         func(l []blockLine) { l[3].Transactions[0].Kind = "Transfer" },
		"a result":       func(l []blockLine) { l[3].Transactions[0].Result = "refused" },
		"blocks swapped": func(l []blockLine) { l[3], l[4] = l[4], l[3] },
	} {
		blocks := make([]blockLine, len(lines))
		for i := range lines {
			if err := json.Unmarshal([]byte(lines[i]), &blocks[i]); err != nil {
				t.Fatal(err)
			}
		}
		forge(blocks)
		var bad []byte
		for i := range blocks {
			line, err := jsonLine(blocks[i])
			if err != nil {
				t.Fatal(err)
			}
			bad = append(bad, line...)
		}
		write(t, path, bad)
		changed := *m
		changed.Files = slices.Clone(m.Files)
		fitManifest(t, dir, &changed, fmt.Sprintf(nameBlocks, 1), bad)
		if _, err := Verify(t.Context(), dir, c.genesis, nil); !errors.Is(err, ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type pages map[crypto.PagePath][]byte

func (p pages) ReadPage(path crypto.PagePath) ([]byte, error) { return p[path], nil }

// TestBuckets: however many files the state is in, it hashes to the root of the tree.
func TestBuckets(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 17, 300} {
		var writes []crypto.TreeWrite
		var leaves []crypto.TreeLeaf
		for i := range n {
			k, v := fmt.Appendf(nil, "key %d", i), fmt.Appendf(nil, "value %d", i)
			writes, leaves = append(writes, crypto.TreeWrite{Key: k, Value: v}), append(leaves, leafOf(k, v))
		}
		want, _, err := crypto.UpdateTree(pages{}, writes)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(leaves, func(a, b crypto.TreeLeaf) int { return bytes.Compare(a.Key[:], b.Key[:]) })
		for bits := range maxBits + 1 {
			buckets := make([][]crypto.TreeLeaf, 1<<bits)
			for _, l := range leaves {
				at := bucketOf(l.Key, bits)
				buckets[at] = append(buckets[at], l)
			}
			parts := make([]subtree, len(buckets))
			for i := range buckets {
				parts[i] = hashLeaves(buckets[i], bits)
			}
			if got := joinAll(parts); got.hash != want || got.keys != uint64(n) {
				t.Fatalf("%d keys, %d bits: %s, want %s", n, bits, got.hash, want)
			}
		}
	}
}

// TestLineOfManyNothings: a line that would take fifty times its length in memory is refused before it is decoded.
func TestLineOfManyNothings(t *testing.T) {
	c := grown(t)
	dir, m := exported(t, c)
	for _, nothing := range []string{"null", "{}", "{ }"} {
		name := fmt.Sprintf(nameBlocks, 1)
		bad := []byte(`{"transactions":[` + strings.Repeat(nothing+",", 100_000) + nothing + "]}\n")
		path := filepath.Join(dir, name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, bad)
		changed := *m
		changed.Files = slices.Clone(m.Files)
		fitManifest(t, dir, &changed, name, bad)
		if _, err := Verify(t.Context(), dir, c.genesis, nil); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "100000 members in") {
			t.Errorf("%s: %v", nothing, err)
		}
		write(t, path, whole)
	}
}

// TestManifestThatIsNoFile: a link to something without an end is not read, nor any link among the files.
func TestManifestThatIsNoFile(t *testing.T) {
	c := grown(t)
	for _, name := range []string{fileManifest, fileGenesis} {
		dir, _ := exported(t, c)
		path := filepath.Join(dir, name)
		away := filepath.Join(t.TempDir(), "away")
		if err := errors.Join(os.Rename(path, away), os.Symlink(away, path)); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(t.Context(), dir, c.genesis, nil); !errors.Is(err, ErrFormat) {
			t.Errorf("%s is a link: %v", name, err)
		}
	}
}
