package wallet

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"waybill/api"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/ledger"
)

// hexLines writes bytes as hex, 32 bytes a line.
func hexLines(b []byte) string {
	var s strings.Builder
	for ; len(b) > 32; b = b[32:] {
		s.WriteString(hex.EncodeToString(b[:32]) + "\n")
	}
	s.WriteString(hex.EncodeToString(b) + "\n")
	return s.String()
}

// signAll signs bodies with the author's and, where there is one, the sponsor's key.
func signAll(t testing.TB, bodies []ledger.Body) []*ledger.Transaction {
	t.Helper()
	txs := make([]*ledger.Transaction, len(bodies))
	for i, body := range bodies {
		keys := []crypto.PrivateKey{keyOf(t, "farm")}
		if body.Sponsor != nil {
			keys = append(keys, keyOf(t, "sponsor"))
		}
		tx, err := ledger.Sign(body, keys...)
		if err != nil {
			t.Fatal(err)
		}
		txs[i] = tx
	}
	return txs
}

// checkParts demands that the transactions hold the events in order, fit, and depend on each other in a row.
func checkParts(t testing.TB, b *Builder, list []*epcis.Event, mode ledger.CaptureMode, txs []*ledger.Transaction) {
	t.Helper()
	want, err := encodeEvents(list)
	if err != nil {
		t.Fatal(err)
	}
	var got [][]byte
	dependsOn := b.DependsOn
	for i, tx := range txs {
		p := tx.Payload().(*ledger.Capture)
		if p.Mode != mode || tx.Size() > int(b.At.Params.MaxTxBytes) || len(p.Events) > ledger.MaxEvents {
			t.Errorf("part %d: mode %d, %d bytes, %d events", i, p.Mode, tx.Size(), len(p.Events))
		}
		if fmt.Sprint(tx.Body.DependsOn) != fmt.Sprint(dependsOn) {
			t.Errorf("part %d depends on %v, want %v", i, tx.Body.DependsOn, dependsOn)
		}
		dependsOn = []crypto.Hash{tx.ID()}
		got = append(got, p.Events...)
	}
	if len(got) != len(want) {
		t.Fatalf("%d events in the parts, want %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("event %d is another one", i)
		}
	}
}

// TestSplitAtTheEdge: a capture of exactly the limit is one transaction; with one byte less it is two, or refused.
func TestSplitAtTheEdge(t *testing.T) {
	for name, change := range map[string]func(b *Builder){
		"plain":        func(*Builder) {},
		"sponsored":    func(b *Builder) { b.Sponsor = keyOf(t, "sponsor").Address() },
		"dependent":    func(b *Builder) { b.DependsOn = []crypto.Hash{{1}, {2}, {3}} },
		"with a tip":   func(b *Builder) { b.Tip = 1 << 40 },
		"large height": func(b *Builder) { b.At.Height = 1 << 33 },
	} {
		for _, n := range []int{1, 2, 23, 24, 25, 255, 256, 300} {
			list := events(t, n, func(i int) int { return i * 7 % 300 })
			b := builder(t, "farm")
			change(b)
			whole, err := b.Capture(list, ledger.Rollback)
			if err != nil {
				t.Fatal(err)
			}
			txs := signAll(t, whole)
			checkParts(t, b, list, ledger.Rollback, txs)
			exact := uint32(txs[0].Size())

			b.At.Params.MaxTxBytes = exact
			for _, mode := range []ledger.CaptureMode{ledger.Rollback, ledger.Proceed} {
				bodies, err := b.Capture(list, mode)
				if err != nil || len(bodies) != 1 {
					t.Errorf("%s, %d events in exactly %d bytes: %d transactions, %v", name, n, exact, len(bodies), err)
				}
			}
			b.At.Params.MaxTxBytes = exact - 1
			_, err = b.Capture(list, ledger.Rollback)
			wantKind(t, name+", one byte too many", err, ErrTooLarge)
			bodies, err := b.Capture(list, ledger.Proceed)
			if n == 1 {
				wantKind(t, name+", one event too large", err, ErrTooLarge)
				continue
			}
			if err != nil || len(bodies) != 2 {
				t.Errorf("%s, %d events in a byte too few: %d transactions, %v", name, n, len(bodies), err)
				continue
			}
			checkParts(t, b, list, ledger.Proceed, signAll(t, bodies))
		}
	}
}

// TestSplitByCount: the ledger takes MaxEvents of one capture, however small they are.
func TestSplitByCount(t *testing.T) {
	list := events(t, ledger.MaxEvents+1, plain)
	b := builder(t, "farm")
	b.At.Params.MaxTxBytes = ledger.MaxTransactionBytes
	bodies, err := b.Capture(list[:ledger.MaxEvents], ledger.Rollback)
	if err != nil || len(bodies) != 1 {
		t.Errorf("%d events: %d transactions, %v", ledger.MaxEvents, len(bodies), err)
	}
	_, err = b.Capture(list, ledger.Rollback)
	wantKind(t, "one event too many", err, ErrTooLarge)
	bodies, err = b.Capture(list, ledger.Proceed)
	if err != nil || len(bodies) != 2 {
		t.Fatalf("%d events: %d transactions, %v", len(list), len(bodies), err)
	}
	checkParts(t, b, list, ledger.Proceed, signAll(t, bodies))
}

// TestSplitIsTight: whatever the sizes, each part fits, and no part could have taken the event after it.
func TestSplitIsTight(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		pads := rapid.SliceOfN(rapid.IntRange(0, 900), 1, 60).Draw(r, "pads")
		list := events(t, len(pads), func(i int) int { return pads[i] })
		b := builder(t, "farm")
		if rapid.Bool().Draw(r, "sponsored") {
			b.Sponsor = keyOf(t, "sponsor").Address()
		}
		b.At.Params.MaxTxBytes = uint32(rapid.IntRange(1_600, 12_000).Draw(r, "limit"))
		bodies, err := b.Capture(list, ledger.Proceed)
		if err != nil {
			r.Fatal(err)
		}
		txs := signAll(t, bodies)
		checkParts(t, b, list, ledger.Proceed, txs)
		next := 0
		for i, tx := range txs[:len(txs)-1] {
			p := tx.Payload().(*ledger.Capture)
			next += len(p.Events)
			extra, err := epcis.EncodeEvent(list[next])
			if err != nil {
				r.Fatal(err)
			}
			more, err := b.body(&ledger.Capture{Mode: p.Mode, Events: append(p.Events[:len(p.Events):len(p.Events)], extra)}, tx.Body.DependsOn)
			if err != nil {
				r.Fatal(err)
			}
			if size := signAll(t, []ledger.Body{more})[0].Size(); size <= int(b.At.Params.MaxTxBytes) {
				r.Errorf("part %d had room for one more: %d of %d bytes", i, size, b.At.Params.MaxTxBytes)
			}
		}
	})
}

func TestCaptureRefuses(t *testing.T) {
	b := builder(t, "farm")
	_, err := b.Capture(nil, ledger.Proceed)
	wantKind(t, "no events", err, ErrContent)
	_, err = b.Capture([]*epcis.Event{nil}, ledger.Proceed)
	wantKind(t, "nil event", err, ErrContent)
	var faults epcis.Faults
	if _, err = b.Capture([]*epcis.Event{{}}, ledger.Proceed); !errors.As(err, &faults) {
		t.Errorf("an event that cannot be encoded: %v", err)
	}
	if _, err := b.Capture(events(t, 1, func(int) int { return epcis.MaxEventBytes }), ledger.Proceed); !errors.As(err, &faults) {
		t.Errorf("an event too large for any network: %v", err)
	}
	b.At.Params.MaxTxBytes = 2_000
	_, err = b.Capture(events(t, 5, func(i int) int { return i / 3 * 3_000 }), ledger.Proceed)
	wantKind(t, "event too large for this network", err, ErrTooLarge)
	if err != nil && !strings.Contains(err.Error(), "event 4 alone") {
		t.Errorf("the sentence names another event: %v", err)
	}
	_, err = b.Capture(events(t, 20, plain), ledger.Rollback)
	wantKind(t, "rollback", err, ErrTooLarge)
	if err != nil && !(strings.Contains(err.Error(), "proceed") && strings.Contains(err.Error(), "of 20 events")) {
		t.Errorf("the sentence does not say what to do: %v", err)
	}
	b = builder(t, "farm")
	b.Random = broken{}
	if _, err := b.Capture(events(t, 1, plain), ledger.Proceed); err == nil {
		t.Error("a capture without randomness")
	}
}

// state is a ledger in memory.
type state map[string][]byte

func (s state) Read(key []byte) ([]byte, error) { return s[string(key)], nil }

func (s state) apply(writes []ledger.Write) {
	for _, w := range writes {
		if s[string(w.Key)] = w.Value; w.Value == nil {
			delete(s, string(w.Key))
		}
	}
}

// network is a ledger of one block, on which the farm is an organisation.
func network(t testing.TB, maxTxBytes uint32) (state, api.ChainPoint) {
	t.Helper()
	params := ledger.AdoptParams()
	params.MaxTxBytes = maxTxBytes
	operator := keyOf(t, "operator")
	g := &ledger.Genesis{
		Version: ledger.GenesisVersion, Chain: "test", TimeMs: testTime.UnixMilli(), Params: params,
		Validators:    []ledger.GenesisValidator{{Name: "v1", Key: keyOf(t, "v1").Public(), Stake: 10_000, Operator: operator.Address()}},
		Accounts:      []ledger.GenesisAccount{{Address: operator.Address(), Balance: 1_000_000}, {Address: keyOf(t, "farm").Address(), Balance: 1_000_000}},
		Registrars:    []crypto.Address{operator.Address()},
		Organisations: []ledger.GenesisOrganisation{{Address: keyOf(t, "farm").Address(), Name: "Green Farm"}},
	}
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	s := state{}
	s.apply(g.State())
	return s, api.ChainPoint{Genesis: g.Hash(), Height: 0, Params: params}
}

// execute applies one block of transactions.
func execute(t testing.TB, s state, at *api.ChainPoint, raws ...[]byte) []ledger.Receipt {
	t.Helper()
	var txs []*ledger.Transaction
	for _, raw := range raws {
		tx, err := ledger.DecodeTransaction(raw)
		if err != nil {
			t.Fatal(err)
		}
		txs = append(txs, tx)
	}
	at.Height++
	block := &ledger.Block{Header: quorum.Header{Version: 1, Genesis: at.Genesis, Height: at.Height, TimeMs: testTime.UnixMilli() + int64(at.Height)}}
	for _, r := range ledger.VerifyTransactions(txs) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		block.Transactions = append(block.Transactions, r.Verified)
	}
	up, err := ledger.Apply(s, block)
	if err != nil {
		t.Fatal(err)
	}
	s.apply(up.Writes)
	return up.Receipts
}

// TestSignerOnLedger has the signer's transactions executed: in order all are recorded, out of order none overtakes.
func TestSignerOnLedger(t *testing.T) {
	s, at := network(t, 2_000)
	signer := NewSigner(unlocked(t, "farm"))
	raws, err := signer.SignCapture(context.Background(), events(t, 20, plain), ledger.Proceed, at)
	if err != nil {
		t.Fatal(err)
	}
	if len(raws) < 3 {
		t.Fatalf("%d transactions; the test needs several", len(raws))
	}
	receipts := execute(t, s, &at, raws[1], raws[0])
	if receipts[0].Code != ledger.CodeDependencyMissing || !receipts[1].OK() {
		t.Errorf("out of order: %s; %s", receipts[0].Finding, receipts[1].Finding)
	}
	recorded := len(receipts[1].Events)
	for i, r := range execute(t, s, &at, raws[1:]...) {
		if !r.OK() || len(r.Refused) > 0 {
			t.Errorf("part %d: %s", i+1, r.Finding)
		}
		recorded += len(r.Events)
	}
	if recorded != 20 {
		t.Errorf("%d events recorded, want 20", recorded)
	}
	// The same events again are other transactions and record nothing twice.
	again, err := signer.SignCapture(context.Background(), events(t, 20, plain), ledger.Proceed, at)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range execute(t, s, &at, again...) {
		if !r.OK() {
			t.Errorf("repeated part %d: %s", i, r.Finding)
		}
		for _, status := range r.Status {
			if ledger.EventStatus(status) != ledger.EventDuplicate {
				t.Errorf("repeated part %d: event status %d", i, status)
			}
		}
	}
}

// TestSignerForAnotherAccount: a key that the farm added signs in the farm's name.
func TestSignerForAnotherAccount(t *testing.T) {
	s, at := network(t, 256<<10)
	clerk := unlocked(t, "clerk")
	capture := func() [][]byte {
		raws, err := NewSigner(clerk).As(keyOf(t, "farm").Address()).SignCapture(context.Background(), events(t, 1, plain), ledger.Rollback, at)
		if err != nil {
			t.Fatal(err)
		}
		return raws
	}
	if r := execute(t, s, &at, capture()...); r[0].Code != ledger.CodeKeyNotActive {
		t.Errorf("before the key was added: %s", r[0].Finding)
	}
	b := &Builder{Author: keyOf(t, "farm").Address(), At: at}
	body, err := b.AddKey(clerk.PublicKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := unlocked(t, "farm").Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	if r := execute(t, s, &at, tx.Raw()); !r[0].OK() {
		t.Fatal(r[0].Finding)
	}
	if r := execute(t, s, &at, capture()...); !r[0].OK() {
		t.Errorf("after the key was added: %s", r[0].Finding)
	}
}

func TestSignerStops(t *testing.T) {
	signer := NewSigner(unlocked(t, "farm"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := signer.SignCapture(ctx, events(t, 1, plain), ledger.Rollback, here()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	at := here()
	at.Params.MaxTxBytes = 2_000
	_, err := signer.SignCapture(context.Background(), events(t, 20, plain), ledger.Rollback, at)
	wantKind(t, "rollback", err, ErrTooLarge)
}
