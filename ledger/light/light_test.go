package light

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

func testKey(name string) crypto.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	k, err := crypto.GeneratePrivateKey(bytes.NewReader(bytes.Repeat(seed[:], 4)))
	if err != nil {
		panic(err)
	}
	return k
}

// world is a block with transactions and three above it: 2 and 3 commit to what came of them, and 4, whose ExecHeight
// jumps to 3, does so through the chain of receipts roots. Block 2 repeated the transactions, which its receipts refuse.
type world struct {
	domain   quorum.Domain
	payload  [][]byte
	receipts [][]byte // of block 1
	repeated [][]byte // of block 2
	roots    []crypto.Hash
	chain    []crypto.Hash // receipts roots of the blocks 0 to 3, alone and chained
	state    map[string][]byte
	pages    pages
	headers  []quorum.Header // block 1 to 4
	certs    []quorum.Certificate
}

type pages map[crypto.PagePath][]byte

func (p pages) ReadPage(path crypto.PagePath) ([]byte, error) { return p[path], nil }

func validators() *quorum.Set {
	var vs []quorum.Validator
	for i, power := range []quorum.Power{10, 20, 30, 40} {
		k := testKey(fmt.Sprint("validator ", i))
		vs = append(vs, quorum.Validator{Key: k.Public(), Power: power, Operator: k.Address()})
	}
	set, err := quorum.NewSet(vs)
	if err != nil {
		panic(err)
	}
	return set
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{domain: quorum.Domain{Genesis: crypto.Hash{7}, Set: validators()}, state: map[string][]byte{}, pages: pages{}}
	var receipts, repeated []ledger.Receipt
	for i := range 5 {
		tx, receipt := w.capture(t, i)
		w.payload = append(w.payload, tx)
		receipts = append(receipts, receipt)
		w.receipts = append(w.receipts, receipt.Encode())
		again := ledger.Receipt{Tx: receipt.Tx, Finding: ledger.Finding{Code: ledger.CodeSeen, EventIndex: -1}}
		repeated = append(repeated, again)
		w.repeated = append(w.repeated, again.Encode())
	}
	var chain crypto.Hash
	for _, of := range [][]ledger.Receipt{nil, receipts, repeated, nil} {
		root := ledger.ReceiptsRoot(of)
		chain = ledger.ChainReceipts(chain, root)
		w.roots, w.chain = append(w.roots, root), append(w.chain, chain)
	}
	root := w.fillState(t)
	h := quorum.Header{
		Version: quorum.HeaderVersion, Genesis: w.domain.Genesis, View: 1, Height: 1, Parent: crypto.Hash{1}, TimeMs: 1_772_000_000_000,
		PayloadRoot: quorum.PayloadRoot(w.payload), TxCount: uint32(len(w.payload)), ValidatorSet: w.domain.Set.Hash(),
	}
	w.headers = append(w.headers, h)
	for i := 2; i <= 4; i++ {
		exec := quorum.Height(1)
		if i == 4 {
			exec = 3
		}
		next := quorum.Header{
			Version: quorum.HeaderVersion, Genesis: w.domain.Genesis, View: quorum.View(i), Height: quorum.Height(i), Parent: h.Hash(), TimeMs: h.TimeMs + 1,
			PayloadRoot: quorum.PayloadRoot(nil), ValidatorSet: w.domain.Set.Hash(),
			ExecHeight: exec, ExecStateRoot: root, ExecReceiptsRoot: w.chain[exec],
		}
		w.headers = append(w.headers, next)
		h = next
	}
	for _, h := range w.headers {
		w.certs = append(w.certs, w.certify(t, h, quorum.KindFinalize))
	}
	return w
}

// Two commissioning events as epcis.EncodeEvent writes them; this package does not see epcis.
var encodedEvents = []string{
	"a700010101037818323032362d30322d31335431363a32363a34302e3030305a05662b30303a30300663414444076d636f6d6d697373696f6e696e671181782175726e3a6570633a69643a736774696e3a393532313030312e3030303030312e31",
	"a700010101037818323032362d30322d31335431363a32363a34302e3030305a05662b30303a30300663414444076d636f6d6d697373696f6e696e671181782175726e3a6570633a69643a736774696e3a393532313030312e3030303030312e32",
}

// capture makes a transaction of two events, of which the ledger refused the second when i is 4.
func (w *world) capture(t testing.TB, i int) ([]byte, ledger.Receipt) {
	t.Helper()
	capture := &ledger.Capture{}
	for _, text := range encodedEvents {
		data, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		capture.Events = append(capture.Events, data)
	}
	key := testKey("farm")
	body, err := ledger.NewBody(w.domain.Genesis, key.Address(), 100, capture)
	if err != nil {
		t.Fatal(err)
	}
	body.Salt[0] = byte(i)
	tx, err := ledger.Sign(body, key)
	if err != nil {
		t.Fatal(err)
	}
	status := []byte{byte(ledger.EventAccepted), byte(ledger.EventAccepted)}
	if i == 4 {
		status[1] = byte(ledger.EventRefused)
	}
	return tx.Raw(), ledger.Receipt{Tx: tx.ID(), Status: status, Org: "Salinas Farm"}
}

func (w *world) fillState(t testing.TB) crypto.Hash {
	t.Helper()
	var writes []crypto.TreeWrite
	for i := range 50 {
		k, v := fmt.Sprintf("key %d", i), []byte(fmt.Sprintf("value %d", i))
		w.state[k] = v
		writes = append(writes, crypto.TreeWrite{Key: []byte(k), Value: v})
	}
	root, changed, err := crypto.UpdateTree(w.pages, writes)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range changed {
		w.pages[p.Path] = p.Data
	}
	return root
}

func (w *world) certify(t testing.TB, h quorum.Header, kind quorum.VoteKind) quorum.Certificate {
	t.Helper()
	var votes []quorum.Vote
	for i := range w.domain.Set.Len() {
		v := quorum.Vote{Kind: kind, Epoch: h.Epoch, View: h.View, Height: h.Height, Block: h.Hash(), Signer: uint16(i)}
		votes = append(votes, quorum.SignVote(w.domain, w.keyOf(i), v))
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
	return c.Certificate()
}

func (w *world) keyOf(i int) crypto.PrivateKey {
	for j := range w.domain.Set.Len() {
		if k := testKey(fmt.Sprint("validator ", j)); k.Public() == w.domain.Set.At(i).Key {
			return k
		}
	}
	panic("no such validator")
}

func (w *world) header(t testing.TB, i int) Header {
	t.Helper()
	h, err := VerifyHeader(w.domain, w.headers[i], w.certs[i])
	if err != nil {
		t.Fatalf("header %d: %v", i+1, err)
	}
	return h
}

// eventProof is true: the result is in block 2, whose ExecHeight is 1.
func (w *world) eventProof(t testing.TB, tx, index int) EventProof {
	t.Helper()
	in, err := crypto.MerkleProve(w.payload, tx)
	if err != nil {
		t.Fatal(err)
	}
	return EventProof{
		Block: w.header(t, 0), Transaction: w.payload[tx], Inclusion: in,
		Result: w.header(t, 1), Receipt: w.receiptProof(t, 1, tx, 1), Index: index,
	}
}

// skippedProof is eventProof where no header had ExecHeight 1: the result is in block 4, with ExecHeight 3.
func (w *world) skippedProof(t testing.TB, tx, index int) EventProof {
	t.Helper()
	p := w.eventProof(t, tx, index)
	p.Result, p.Receipt = w.header(t, 3), w.receiptProof(t, 1, tx, 3)
	return p
}

// receiptProof proves the receipt of transaction tx of block at, 1 or 2, to a header with the given ExecHeight.
func (w *world) receiptProof(t testing.TB, at, tx, exec int) ReceiptProof {
	t.Helper()
	list := [][][]byte{1: w.receipts, 2: w.repeated}[at]
	in, err := crypto.MerkleProve(list, tx)
	if err != nil {
		t.Fatal(err)
	}
	after := append([]crypto.Hash(nil), w.roots[at+1:exec+1]...)
	return ReceiptProof{Raw: list[tx], Inclusion: in, Root: w.roots[at], Before: w.chain[at-1], After: after}
}

func TestWhatIsTrueIsAccepted(t *testing.T) {
	w := newWorld(t)
	if h := w.header(t, 0); h.Hash() != w.headers[0].Hash() || h.Header() != w.headers[0] {
		t.Fatal("another header")
	}
	// Block 1 is final because block 4 is.
	h, err := VerifyPath(w.domain, w.headers, w.certs[3])
	if err != nil || h.Hash() != w.headers[0].Hash() {
		t.Fatalf("path: %v", err)
	}
	for name, prove := range map[string]func(t testing.TB, tx, index int) EventProof{"named": w.eventProof, "skipped": w.skippedProof} {
		for tx := range w.payload {
			for index := range 2 {
				r, err := VerifyEvent(prove(t, tx, index))
				if refused := tx == 4 && index == 1; refused {
					if !errors.Is(err, ErrRefused) {
						t.Fatalf("%s: a refused event: %v", name, err)
					}
					continue
				}
				if err != nil || !r.Accepted || r.TxIndex != tx || r.Index != index || r.Org != "Salinas Farm" || r.Event.Hash() != r.Hash {
					t.Fatalf("%s: event %d of transaction %d: %+v, %v", name, index, tx, r, err)
				}
			}
		}
	}
	if r, err := VerifyReceipt(w.header(t, 3), 2, w.receiptProof(t, 2, 1, 3)); err != nil || r.Code != ledger.CodeSeen {
		t.Fatalf("receipt of block 2: %+v, %v", r, err)
	}
	for i := range 60 { // keys 50 to 59 are absent
		key := fmt.Sprintf("key %d", i)
		p, err := crypto.ProveTree(w.pages, []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyState(w.header(t, 1), []byte(key), w.state[key], p); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
	}
}

// A header that differs from the certified one in any field is refused.
func TestEveryHeaderFieldCounts(t *testing.T) {
	w := newWorld(t)
	fields := reflect.TypeOf(quorum.Header{})
	for i := range fields.NumField() {
		h := w.headers[1]
		f := reflect.ValueOf(&h).Elem().Field(i)
		switch f.Kind() {
		case reflect.Array:
			f.Index(5).SetUint(f.Index(5).Uint() ^ 1)
		case reflect.Int64:
			f.SetInt(f.Int() + 1)
		default:
			f.SetUint(f.Uint() + 1)
		}
		if _, err := VerifyHeader(w.domain, h, w.certs[1]); !errors.Is(err, ErrCertificate) {
			t.Errorf("%s: %v", fields.Field(i).Name, err)
		}
	}
}

func TestForgedCertificates(t *testing.T) {
	w := newWorld(t)
	clone := func(c quorum.Certificate) quorum.Certificate {
		c.Bitmap = bytes.Clone(c.Bitmap)
		c.Signatures = append([]crypto.Signature(nil), c.Signatures...)
		return c
	}
	for name, forge := range map[string]func(d *quorum.Domain, h *quorum.Header, c *quorum.Certificate){
		"of another block": func(_ *quorum.Domain, _ *quorum.Header, c *quorum.Certificate) { *c = clone(w.certs[0]) },
		"a notarization": func(_ *quorum.Domain, h *quorum.Header, c *quorum.Certificate) {
			*c = w.certify(t, *h, quorum.KindNotarize)
		},
		"a notarization called a finalization": func(_ *quorum.Domain, h *quorum.Header, c *quorum.Certificate) {
			*c = w.certify(t, *h, quorum.KindNotarize)
			c.Kind = quorum.KindFinalize
		},
		"a signature missing": func(_ *quorum.Domain, _ *quorum.Header, c *quorum.Certificate) {
			c.Signatures = c.Signatures[:len(c.Signatures)-1]
		},
		"a signature twice": func(_ *quorum.Domain, _ *quorum.Header, c *quorum.Certificate) { c.Signatures[1] = c.Signatures[0] },
		"a signer too few":  func(_ *quorum.Domain, _ *quorum.Header, c *quorum.Certificate) { dropSigner(c) },
		"no signers":        func(_ *quorum.Domain, _ *quorum.Header, c *quorum.Certificate) { c.Bitmap, c.Signatures = nil, nil },
		"another network":   func(d *quorum.Domain, _ *quorum.Header, _ *quorum.Certificate) { d.Genesis = crypto.Hash{8} },
		"another network, header alike": func(d *quorum.Domain, h *quorum.Header, c *quorum.Certificate) {
			d.Genesis, h.Genesis = crypto.Hash{8}, crypto.Hash{8}
			c.Block = h.Hash()
		},
		"another set": func(d *quorum.Domain, _ *quorum.Header, _ *quorum.Certificate) { d.Set = otherSet(t) },
		"another set, header alike": func(d *quorum.Domain, h *quorum.Header, c *quorum.Certificate) {
			d.Set = otherSet(t)
			h.ValidatorSet = d.Set.Hash()
			c.Block = h.Hash()
		},
		"a tail": func(_ *quorum.Domain, h *quorum.Header, c *quorum.Certificate) {
			h.Flags = quorum.FlagTail
			*c = w.certify(t, *h, quorum.KindFinalize)
		},
		"another view": func(_ *quorum.Domain, _ *quorum.Header, c *quorum.Certificate) { c.View++ },
	} {
		d, h, c := w.domain, w.headers[1], clone(w.certs[1])
		forge(&d, &h, &c)
		if _, err := VerifyHeader(d, h, c); !errors.Is(err, ErrCertificate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// dropSigner removes the first signer with its signature.
func dropSigner(c *quorum.Certificate) {
	for i := range c.Bitmap {
		for bit := range 8 {
			if c.Bitmap[i]>>bit&1 == 1 {
				c.Bitmap[i] &^= 1 << bit
				c.Signatures = c.Signatures[1:]
				return
			}
		}
	}
}

func otherSet(t testing.TB) *quorum.Set {
	t.Helper()
	k := testKey("somebody")
	set, err := quorum.NewSet([]quorum.Validator{{Key: k.Public(), Power: 100, Operator: k.Address()}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestForgedPaths(t *testing.T) {
	w := newWorld(t)
	for name, headers := range map[string][]quorum.Header{
		"empty":              nil,
		"a gap":              {w.headers[0], w.headers[2]},
		"backwards":          {w.headers[1], w.headers[0], w.headers[2]},
		"a stranger first":   {{Version: 1, Genesis: w.domain.Genesis, Height: 1}, w.headers[1], w.headers[2]},
		"longer than a path": make([]quorum.Header, maxPath+1),
	} {
		if _, err := VerifyPath(w.domain, headers, w.certs[2]); !errors.Is(err, ErrPath) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestForgedEvents(t *testing.T) {
	w := newWorld(t)
	forgeries := map[string]struct {
		forge func(p *EventProof)
		want  error
	}{
		"another transaction":        {func(p *EventProof) { p.Transaction = w.payload[2] }, ErrInclusion},
		"another place":              {func(p *EventProof) { p.Inclusion.Index = 2 }, ErrInclusion},
		"a shorter list":             {func(p *EventProof) { p.Inclusion.Size-- }, ErrInclusion},
		"a path cut":                 {func(p *EventProof) { p.Inclusion.Path = p.Inclusion.Path[1:] }, ErrInclusion},
		"another block":              {func(p *EventProof) { p.Block = w.header(t, 1) }, ErrInclusion},
		"the block for the result":   {func(p *EventProof) { p.Result = p.Block }, ErrMismatch},
		"another's receipt":          {func(p *EventProof) { *p = withReceipt(*p, w.eventProof(t, 2, 0)) }, ErrMismatch},
		"another's receipt alone":    {func(p *EventProof) { p.Receipt.Raw = w.receipts[2] }, ErrInclusion},
		"another receipts root":      {func(p *EventProof) { p.Receipt.Root = w.roots[2] }, ErrInclusion},
		"another chain before":       {func(p *EventProof) { p.Receipt.Before = w.chain[1] }, ErrInclusion},
		"no chain before":            {func(p *EventProof) { p.Receipt.Before = crypto.Hash{} }, ErrInclusion},
		"a root too many":            {func(p *EventProof) { p.Receipt.After = append(p.Receipt.After, w.roots[3]) }, ErrMismatch},
		"another result":             {func(p *EventProof) { p.Result = otherResult(t, w, *p) }, ErrMismatch},
		"no result":                  {func(p *EventProof) { p.Result = Header{} }, ErrMismatch},
		"an index that is not there": {func(p *EventProof) { p.Index = 7 }, ErrMismatch},
		"an index below zero":        {func(p *EventProof) { p.Index = -1 }, ErrMismatch},
		"no header at all":           {func(p *EventProof) { p.Block = Header{} }, ErrInclusion},
	}
	for name, c := range forgeries {
		for _, p := range []EventProof{w.eventProof(t, 1, 0), w.skippedProof(t, 1, 0)} {
			c.forge(&p)
			if _, err := VerifyEvent(p); !errors.Is(err, c.want) {
				t.Errorf("%s, result in block %d: %v, want %v", name, p.Result.header.Height, err, c.want)
			}
		}
	}
}

// withReceipt takes the receipt, but not the chain, from another proof.
func withReceipt(p, from EventProof) EventProof {
	p.Receipt.Raw, p.Receipt.Inclusion = from.Receipt.Raw, from.Receipt.Inclusion
	return p
}

// otherResult is the header of the two that commit to block 1 that the proof was not made for.
func otherResult(t testing.TB, w *world, p EventProof) Header {
	t.Helper()
	if p.Result.header.ExecHeight == 1 {
		return w.header(t, 3)
	}
	return w.header(t, 1)
}

// The chain is to show more than that a receipt is somewhere on the ledger: it is of that height.
func TestForgedChains(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		forge func(p *ReceiptProof)
		want  error
	}{
		"no roots after":                {func(p *ReceiptProof) { p.After = nil }, ErrMismatch},
		"the first left out":            {func(p *ReceiptProof) { p.After = p.After[1:] }, ErrMismatch},
		"the last left out":             {func(p *ReceiptProof) { p.After = p.After[:1] }, ErrMismatch},
		"in another order":              {func(p *ReceiptProof) { p.After[0], p.After[1] = p.After[1], p.After[0] }, ErrInclusion},
		"one twice":                     {func(p *ReceiptProof) { p.After[1] = p.After[0] }, ErrInclusion},
		"the receipt of block 2":        {func(p *ReceiptProof) { *p = w.receiptProof(t, 2, 1, 3) }, ErrMismatch},
		"the receipt of block 2 padded": {func(p *ReceiptProof) { *p = w.receiptProof(t, 2, 1, 3); p.After = append(p.After, w.roots[3]) }, ErrInclusion},
		"the receipt of block 2 in the place of block 1": {func(p *ReceiptProof) {
			p.Raw, p.Inclusion, p.Root = w.repeated[1], w.receiptProof(t, 2, 1, 3).Inclusion, w.roots[2]
		}, ErrInclusion},
	} {
		p := w.skippedProof(t, 1, 0)
		c.forge(&p.Receipt)
		if _, err := VerifyEvent(p); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	true1 := w.receiptProof(t, 1, 1, 3)
	for _, at := range []quorum.Height{0, 2, 3, 4, 1 << 63, ^quorum.Height(0)} {
		if _, err := VerifyReceipt(w.header(t, 3), at, true1); !errors.Is(err, ErrMismatch) {
			t.Errorf("as a receipt of block %d: %v", at, err)
		}
	}
	// A chain longer than any node makes is not followed at all.
	far := w.header(t, 3)
	far.header.ExecHeight, true1.After = maxPath+2, make([]crypto.Hash, maxPath+1)
	if _, err := VerifyReceipt(far, 1, true1); !errors.Is(err, ErrMismatch) {
		t.Errorf("%d roots: %v", len(true1.After), err)
	}
}

// Whatever single bit of a proof is changed, it is refused.
func TestFlippedBits(t *testing.T) {
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(1, 2))
	rounds := 2000
	if testing.Short() {
		rounds = 300
	}
	flip := func(b []byte) { b[rng.IntN(len(b))] ^= 1 << rng.IntN(8) }
	result := w.header(t, 1)
	for i := range rounds {
		p := w.skippedProof(t, i%5, 0)
		p.Transaction, p.Receipt.Raw = bytes.Clone(p.Transaction), bytes.Clone(p.Receipt.Raw)
		switch i % 7 {
		case 0:
			flip(p.Transaction)
		case 1:
			flip(p.Receipt.Raw)
		case 2:
			flip(p.Inclusion.Path[rng.IntN(len(p.Inclusion.Path))][:])
		case 3:
			flip(p.Receipt.Inclusion.Path[rng.IntN(len(p.Receipt.Inclusion.Path))][:])
		case 4:
			flip(p.Receipt.Root[:])
		case 5:
			flip(p.Receipt.Before[:])
		case 6:
			flip(p.Receipt.After[rng.IntN(len(p.Receipt.After))][:])
		}
		if _, err := VerifyEvent(p); err == nil {
			t.Fatalf("round %d: accepted", i)
		}
		key := fmt.Sprintf("key %d", rng.IntN(60))
		tree, err := crypto.ProveTree(w.pages, []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyState(result, []byte(key), w.forgeState(rng, key, &tree, flip), tree); !errors.Is(err, ErrState) {
			t.Fatalf("round %d: %s: %v", i, key, err)
		}
	}
}

// forgeState changes the proof, or the value that it is to prove.
func (w *world) forgeState(rng *rand.Rand, key string, p *crypto.TreeProof, flip func([]byte)) []byte {
	value := bytes.Clone(w.state[key])
	if rng.IntN(2) == 0 && len(p.Siblings) > 0 {
		p.Siblings = append([]crypto.Hash(nil), p.Siblings...)
		flip(p.Siblings[rng.IntN(len(p.Siblings))][:])
		return value
	}
	if value == nil {
		return []byte("made up")
	}
	if rng.IntN(3) == 0 {
		return nil // "it is not there"
	}
	flip(value)
	return value
}
