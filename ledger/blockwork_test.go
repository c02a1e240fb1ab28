package ledger

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"waybill/crypto"
)

// TestBlockWorkIsNeverSkipped damages the state under what blocks do besides their transactions. Nothing of that is left
// out: the block is an error, at which the node stops, and the view is as it was.
func TestBlockWorkIsNeverSkipped(t *testing.T) {
	busy := newRich(t, func(p *Params) { p.VotingEpochs = 0 })
	// A notice that has something left to follow, and money on its way to being free.
	busy.must(busy.tx("fan", &Unbond{Validator: valKey(0), Amount: 100}))
	b := &blockRun{o: newOverlay(busy.view)}
	b.enter(busy.notice, followStep{Thing: canonical(modelLot(0, 5)), Whole: true})
	writes, err := b.o.writes()
	if err != nil {
		t.Fatal(err)
	}
	busy.view.apply(writes)
	e := busy.epoch()

	for name, c := range map[string]struct {
		damage  func(v mapView)
		closing bool
	}{
		"no supply":          {func(v mapView) { delete(v, keySupply) }, true},
		"no epoch":           {func(v mapView) { delete(v, keyEpoch) }, false},
		"no set":             {func(v mapView) { delete(v, string(setKey(e.Set.Hash()))) }, true},
		"no validator":       {func(v mapView) { delete(v, string(ValidatorKey(valKey(2)))) }, true},
		"no turn":            {func(v mapView) { delete(v, string(turnKey(readAll(t, v).Head))) }, false},
		"no step":            {func(v mapView) { delete(v, string(followKey(busy.notice, 0))) }, false},
		"no proposal":        {func(v mapView) { delete(v, string(ProposalKey(busy.proposal))) }, true},
		"no release":         {func(v mapView) { delete(v, string(releaseKey(0))) }, false},
		"broken turn":        {func(v mapView) { v[string(turnKey(readAll(t, v).Head))] = []byte{0xff} }, false},
		"broken proposal":    {func(v mapView) { v[string(ProposalKey(busy.proposal))] = []byte{0xff} }, true},
		"broken duty":        {func(v mapView) { v[string(dutyKey(0))] = []byte{0xff} }, false},
		"duty overflows":     {func(v mapView) { v[string(dutyKey(0))] = mustMarshal(duty{Delivered: 1<<64 - 1}) }, false},
		"fees overflow":      {func(v mapView) { v[keySupply] = mustMarshal(Supply{Balances: 1<<64 - 1, FeePool: 1 << 40}) }, true},
		"a step of nonsense": {func(v mapView) { v[string(followKey(busy.notice, 0))] = mustMarshal(duty{}) }, false},
	} {
		n := &testNet{t: t, genesis: busy.genesis, hash: busy.hash, view: busy.view.clone(), height: busy.height, timeMs: busy.timeMs}
		block := n.nextBlock()
		if c.closing {
			block = n.closes(block)
		}
		if up, err := Apply(n.view, block); err != nil || up == nil {
			t.Fatalf("%s: undamaged: %v", name, err)
		}
		c.damage(n.view)
		before := n.view.clone()
		up, err := Apply(n.view, block)
		if up != nil || !errors.Is(err, ErrState) {
			t.Errorf("%s: an update %t, error %v", name, up != nil, err)
		}
		if !maps.EqualFunc(before, n.view, func(a, b []byte) bool { return string(a) == string(b) }) {
			t.Errorf("%s: the view was changed", name)
		}
	}
}

func readAll(t *testing.T, v mapView) *Notices {
	all, err := ReadNotices(v)
	if err != nil || all == nil || all.Head == all.Tail {
		t.Fatalf("nothing to follow: %+v, %v", all, err)
	}
	return all
}

// TestEveryKindRollsBack makes each kind panic after everything it did: nothing of it is left but the fee, the receipt
// says so, and the block goes on.
func TestEveryKindRollsBack(t *testing.T) {
	n := newRich(t, nil)
	b := newBadInput(n)
	after := n.tx("fan", &Transfer{To: orgAddress(2), Amount: 5})
	var txs []*Transaction
	for _, s := range n.samples() {
		body, signers := n.body(s)
		txs = append(txs, n.sign(body, signers...))
	}
	for _, tx := range txs {
		tx.payload = bomb{tx.payload}
		up, err := Apply(n.view, n.nextBlock(tx))
		if err != nil {
			t.Fatalf("%s: %v", tx.Body.Kind, err)
		}
		r := &up.Receipts[0]
		if r.Code != CodeInternal || !slices.Equal(r.Args, []string{"after all effects"}) || !strings.Contains(r.Remedy(), "Report") {
			t.Errorf("%s: %s", tx.Body.Kind, r.Finding)
		}
		b.onlyFee(tx.Body.Kind.String(), tx, r, written(up))
		if up, err = Apply(n.view, n.nextBlock(tx, after)); err != nil || !up.Receipts[1].OK() {
			t.Errorf("%s: what comes after it: %v", tx.Body.Kind, err)
		}
	}
}

// TestPanicInEvidence: evidence is told apart before it has effects, so the books are made wrong under it.
func TestPanicInEvidence(t *testing.T) {
	n := newRich(t, nil)
	n.view[keySupply] = mustMarshal(Supply{Total: 1}) // nothing that could be slashed
	b := newBadInput(n)
	tx := n.evidence()
	up, err := Apply(n.view, n.nextBlock(tx))
	if err != nil || up.Receipts[0].Code != CodeInternal {
		t.Fatal(up, err)
	}
	b.onlyFee("evidence", tx, &up.Receipts[0], written(up))
}

// bomb is a payload that panics when it has had its effects. Payloads that Apply tells apart by type are told apart by kind
// here, so a capture counts as another payload.
type bomb struct{ Payload }

func (b bomb) effects(t *txRun) *Finding {
	if f := b.Payload.effects(t); f != nil {
		return f
	}
	panic("after all effects")
}

// TestPanicInAdmission: what panics before it is known who pays is refused like what nobody signed.
func TestPanicInAdmission(t *testing.T) {
	n := newRich(t, nil)
	b := newBadInput(n)
	hollow := &Transaction{id: crypto.Hash{1}, Body: Body{Kind: KindSubmitEvidence, Genesis: n.hash}} // no decoder makes one
	block := n.nextBlock(n.tx("fan", &Transfer{To: orgAddress(2), Amount: 5}))
	block.Transactions = append(block.Transactions, VerifiedTransaction{tx: hollow})
	up, err := Apply(n.view, block)
	if err != nil || !up.Receipts[0].OK() || up.Receipts[1].Code != CodeNotJudged || up.Receipts[1].Executed() {
		t.Fatal(up, err)
	}
	if err := Precheck(n.view, 1, hollow); !errors.Is(err, CodeNotJudged) {
		t.Error(err)
	}
	if err := Admit(n.view, 1, hollow); !errors.Is(err, CodeNotJudged) {
		t.Error(err)
	}
	block.Transactions = block.Transactions[1:]
	if up, err = Apply(n.view, block); err != nil {
		t.Fatal(err)
	}
	b.onlyFee("hollow", hollow, &up.Receipts[0], written(up))
}
