package ledger

import (
	"encoding/binary"
	"math/big"
	"slices"
	"strings"
	"testing"

	"waybill/internal/dense"
)

// FuzzApply executes transactions whose payloads are put together from parts of valid ones, one in a block each, over a
// state in which something of everything is under way; then the epoch closes. Nothing panics, money and goods are
// conserved, and the records of the state agree.
//
// The input is read as one transaction for every 11 bytes: whose payload, who signs, and three times which item of it is
// replaced by which other of its type.
func FuzzApply(f *testing.F) {
	rich := newRich(f, func(p *Params) { p.VotingEpochs = 0 })
	parts := newParts(rich)
	for i := range parts.samples {
		f.Add([]byte{byte(i), 0, 255, 0, 0, 255, 0, 0, 255, 0, 0}) // as it is
		f.Add([]byte{byte(i), 0, 3, 0, 7, 4, 1, byte(i), 255, 0, 0})
		f.Add([]byte{byte(i), byte(i), 5, 0, 1, 255, 0, 0, 255, 0, 0, byte(i), 0, 2, 0, 77, 9, 0, 8, 255, 0, 0})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n := &testNet{t: t, genesis: rich.genesis, hash: rich.hash, view: rich.view.clone(), height: rich.height, timeMs: rich.timeMs, total: rich.total}
		for ; len(data) >= 11 && n.height < rich.height+8; data = data[11:] {
			raw := parts.assemble(n, data)
			tx, err := DecodeTransaction(raw)
			if err != nil {
				continue
			}
			executeAny(t, n, tx)
		}
		n.close()
		n.block()
		checkBooks(t, n.view)
	})
}

// executeAny executes a transaction as testNet.block does, without signatures, and holds money and goods against before.
func executeAny(t *testing.T, n *testNet, tx *Transaction) {
	t.Helper()
	before := goodsOf(t, n.view)
	block := n.nextBlock()
	block.Transactions = []VerifiedTransaction{{tx: tx}}
	r := n.keep(block).Receipts[0]
	if r.Code == CodeInternal || r.Code == CodeNotJudged {
		t.Fatalf("%s: %s\n%x", tx.Body.Kind, r.Finding, tx.Raw())
	}
	after := goodsOf(t, n.view)
	switch {
	case r.OK() && tx.Body.Kind == KindCapture: // may make and use up
	case r.OK() && tx.Body.Kind == KindResolve: // may state that goods are lost or destroyed
		for lot, sum := range after {
			if was := before[lot]; was == nil || sum.Cmp(was) > 0 {
				t.Fatalf("a resolution made %s of %q", sum, lot)
			}
		}
	default:
		for _, lot := range slices.Concat(sortedKeys(before), sortedKeys(after)) {
			if was, is := before[lot], after[lot]; was == nil || is == nil || was.Cmp(is) != 0 {
				t.Fatalf("%s (%s) changed %q from %v to %v", tx.Body.Kind, r.Code, lot, was, is)
			}
		}
	}
	checkBooks(t, n.view)
}

// goodsOf adds up each lot, by unit, in 10^-40 of it: loose, held, packed, shipped and short in open disputes.
func goodsOf(t failer, v mapView) map[string]*big.Int {
	sums := map[string]*big.Int{}
	add := func(lot, unit string, a Amount) {
		k := lot + " " + unit
		if sums[k] == nil {
			sums[k] = new(big.Int)
		}
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(a.Exponent)+40), nil)
		sums[k].Add(sums[k], scale.Mul(scale, big.NewInt(a.Coefficient)))
	}
	for k, raw := range v {
		space, rest, _ := strings.Cut(k, "/")
		var packed []PackedAmount
		switch space {
		case "bal":
			lot, place, _ := strings.Cut(rest, "\x00")
			add(lot, place[21:], decodeRaw[Balance](t, raw).Amount) // after custodian and status
		case "contains":
			packed = decodeRaw[Contents](t, raw).Quantities
		case "transfer":
			packed = decodeRaw[Shipment](t, raw).Quantities
		case "dispute":
			d := decodeRaw[DisputeRecord](t, raw)
			for i, q := range d.Goods {
				if d.LineOpen(i) && d.Lines[i].Kind.takes() {
					packed = append(packed, q)
				}
			}
		}
		for _, q := range packed {
			add(q.Lot, q.Unit, q.Amount)
		}
	}
	for k, sum := range sums {
		if sum.Sign() == 0 {
			delete(sums, k)
		}
	}
	return sums
}

// parts are valid transactions taken apart, and all items of them by type.
type parts struct {
	samples []sample
	donors  [8][][]byte
	authors []string
}

func newParts(n *richNet) *parts {
	p := &parts{samples: n.samples(), authors: []string{"org0", "org1", "org2", "fan", "registrar", op(0), op(1), op(3), "newcomer"}}
	var collect func(node *dense.Item)
	collect = func(node *dense.Item) {
		p.donors[node.Major] = append(p.donors[node.Major], node.Bytes())
		for _, kid := range node.Kids {
			collect(kid)
		}
	}
	for _, s := range p.samples {
		payload, _ := dense.TakeApart(mustMarshal(s.payload))
		collect(payload)
		if c, ok := s.payload.(*Capture); ok {
			event, _ := dense.TakeApart(c.Events[0])
			collect(event)
		}
	}
	ids := []string{modelItem(0, 1), modelItem(0, 2), modelItem(0, 3), modelItem(0, 4), modelBox(0, 1), modelLot(0, 1), modelLot(0, 2), modelLot(0, 5), modelLot(0, 6),
		"shipping", "receiving", "packing", "unpacking", "commissioning", "destroying", "void_shipping", "holding", "cycle_counting", "retail_selling", "ADD", "DELETE", "OBSERVE"}
	for _, id := range ids {
		p.donors[3] = append(p.donors[3], dense.String(3, id))
	}
	for _, h := range [][]byte{n.road[:], n.quarrel[:], n.dispute[:], n.notice[:], n.proposal[:]} {
		p.donors[2] = append(p.donors[2], dense.String(2, string(h)))
	}
	for _, x := range []uint64{0, 1, 2, 3, 4, 5, 6, 100, 1000, 1 << 32, 1<<63 - 1, 1<<64 - 1} {
		p.donors[0], p.donors[1] = append(p.donors[0], dense.Head(0, x)), append(p.donors[1], dense.Head(1, x))
	}
	return p
}

// assemble makes the transaction that 11 bytes describe.
func (p *parts) assemble(n *testNet, data []byte) []byte {
	s, who := p.samples[int(data[0])%len(p.samples)], int(data[1])
	payload := mustMarshal(s.payload)
	var event *dense.Item
	if c, ok := s.payload.(*Capture); ok {
		event, _ = dense.TakeApart(c.Events[0])
	}
	root, _ := dense.TakeApart(payload)
	var all []*dense.Item
	var list func(node *dense.Item)
	list = func(node *dense.Item) {
		all = append(all, node)
		for _, kid := range node.Kids {
			list(kid)
		}
	}
	list(root)
	if event != nil {
		list(event)
	}
	for change := range slices.Chunk(data[2:11], 3) {
		at, donor := int(change[0]), int(binary.BigEndian.Uint16(change[1:]))
		if at == 255 {
			continue
		}
		node := all[at%len(all)]
		if donors := p.donors[node.Major]; len(donors) > 0 {
			node.Raw = donors[donor%len(donors)]
		}
	}
	if event != nil && root.Kids[1].Raw == nil && root.Kids[1].Kids[0].Raw == nil {
		root.Kids[1].Kids[0].Raw = dense.String(2, string(event.Bytes()))
	}
	by := s.by
	if who%2 == 1 {
		by = p.authors[who/2%len(p.authors)]
	}
	body := n.body(by, s.payload)
	body.Payload = root.Bytes()
	return unsigned(mustMarshal(body), append([]string{by}, s.also...)...)
}
