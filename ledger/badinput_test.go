package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"waybill/crypto"
	"waybill/internal/dense"
)

// Bad input at the level of bytes: one valid sample of every kind, and every field of it spoiled in every way that CBOR
// allows and does not allow.

// sizesBeyond are lengths of strings and lists one beyond each bound that this package has.
var sizesBeyond = []int{3 + 1, 12 + 1, maxRoles + 1, maxParamChanges + 1, maxRoleBytes + 1, maxParties + 1, maxNameBytes + 1, maxAttributes + 1, maxAttrName + 1,
	maxIDBytes + 1, maxReasonBytes + 1, maxInstructions + 1, 1 << 16}

// replacements are what is written instead of an item.
func replacements(n *dense.Item) map[string][]byte {
	out := map[string][]byte{
		"0": {0}, "1": {1}, "23": {23}, "255": dense.Head(0, 255), "256": dense.Head(0, 256), "2^16": dense.Head(0, 1<<16), "2^31": dense.Head(0, 1<<31), "2^32": dense.Head(0, 1<<32),
		"2^63-1": dense.Head(0, 1<<63-1), "2^63": dense.Head(0, 1<<63), "2^64-1": dense.Head(0, 1<<64-1), "-1": {0x20}, "-2^63": dense.Head(1, 1<<63-1), "-2^64": dense.Head(1, 1<<64-1),
		"no bytes": {0x40}, "no text": {0x60}, "a byte": {0x41, 1}, "a letter": {0x61, 'a'}, "[]": {0x80}, "[0]": {0x81, 0}, "{}": {0xa0}, "{0: 0}": {0xa1, 0, 0},
		"false": {0xf4}, "true": {0xf5}, "null": {0xf6}, "undefined": {0xf7}, "simple value": {0xf8, 0x20}, "half float": {0xf9, 0x3c, 0}, "NaN": {0xf9, 0x7e, 0},
		"float": {0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0}, "break": {0xff}, "tag": append([]byte{0xc0}, n.Bytes()...), "big number": append([]byte{0xc2}, dense.String(2, "\x01\x00\x00\x00\x00\x00\x00\x00\x00")...),
		"list without end": {0x9f, 0xff}, "text without end": {0x7f, 0x60, 0xff}, "reserved": {0x1c}, "2^64-1 bytes": {0x5b, 255, 255, 255, 255, 255, 255, 255, 255},
		"2^64-1 things": {0x9b, 255, 255, 255, 255, 255, 255, 255, 255}, "2^32 pairs": dense.Head(5, 1<<32), "70 lists deep": append(bytes.Repeat([]byte{0x81}, 70), 0),
		"not UTF-8": dense.String(3, "\xff"), "half a surrogate": dense.String(3, "\xed\xa0\x80"), "a control character": dense.String(3, "a\x00b"), "two spaces": dense.String(3, "a  b"),
	}
	if n.Major != 7 { // the head one byte longer than needed
		long := binary.BigEndian.AppendUint64([]byte{n.Major<<5 | 27}, n.Arg)
		out["head too long"] = append(long, n.Bytes()[len(dense.Head(n.Major, n.Arg)):]...)
	}
	switch n.Major {
	case 2, 3:
		out["cut"], out["a NUL more"] = dense.String(n.Major, string(n.Text[:max(0, len(n.Text)-1)])), dense.String(n.Major, string(n.Text)+"\x00")
		out["zeros"] = dense.String(n.Major, strings.Repeat("\x00", len(n.Text)))
		out["of the other string type"] = dense.String(5-n.Major, string(n.Text))
		for _, size := range sizesBeyond {
			out[fmt.Sprint("string of ", size)] = dense.String(n.Major, strings.Repeat("a", size))
		}
	case 4:
		if len(n.Kids) == 0 {
			break
		}
		for _, size := range append(sizesBeyond, MaxEvents+1, crypto.MaxCBORElements+1) {
			if one := n.Kids[0].Bytes(); size*len(one) < 2*MaxTransactionBytes {
				out[fmt.Sprint("list of ", size)] = append(dense.Head(4, uint64(size)), bytes.Repeat(one, size)...)
			}
		}
	}
	return out
}

// spoil calls try for every item below n with every replacement, left out, and doubled. The name says where and how.
func spoil(n *dense.Item, path string, try func(how string)) {
	for how, raw := range replacements(n) {
		n.Raw = raw
		try(path + " = " + how)
	}
	n.Raw = nil
	kids := n.Kids
	step := 1
	if n.Major == 5 {
		step = 2
	}
	for i := 0; i < len(kids); i += step {
		n.Kids = append(append([]*dense.Item{}, kids[:i]...), kids[i+step:]...)
		try(fmt.Sprintf("%s[%d] left out", path, i/step))
		n.Kids = append(append(append([]*dense.Item{}, kids[:i+step]...), kids[i:i+step]...), kids[i+step:]...)
		try(fmt.Sprintf("%s[%d] doubled", path, i/step))
	}
	n.Kids = kids
	for i, kid := range kids {
		spoil(kid, fmt.Sprintf("%s[%d]", path, i), try)
	}
}

// badInput counts what became of spoiled transactions.
type badInput struct {
	*richNet
	baseline map[string][]byte // what a block without transactions writes
	refused  map[string]int    // by kind of error or code
	accepted int
	cases    int
}

func newBadInput(n *richNet) *badInput {
	up, err := Apply(n.view, n.nextBlock())
	if err != nil {
		n.t.Fatal(err)
	}
	return &badInput{richNet: n, baseline: written(up), refused: map[string]int{}}
}

func written(up *Update) map[string][]byte {
	out := map[string][]byte{}
	for _, w := range up.Writes {
		out[string(w.Key)] = w.Value
	}
	return out
}

// try decodes and executes any bytes. It wants an error with a kind, or a receipt with a code other than CodeInternal, and
// of a refused one nothing in the state but its fee.
func (b *badInput) try(name string, raw []byte) (code Code, err error) {
	b.t.Helper()
	defer func() {
		if p := recover(); p != nil {
			b.t.Fatalf("%s: panic: %v\n%x", name, p, raw[:min(len(raw), 2000)])
		}
	}()
	b.cases++
	tx, err := DecodeTransaction(raw)
	if err != nil {
		var form *FormError
		if tx != nil || !errors.As(err, &form) || form.Kind == "" || form.Detail == "" {
			b.t.Fatalf("%s: a transaction %t and error %v", name, tx != nil, err)
		}
		b.refused[string(form.Kind)]++
		return 0, err
	}
	tx.Checks()
	block := b.nextBlock()
	block.Transactions = []VerifiedTransaction{{tx: tx}}
	up, err := Apply(b.view, block)
	if err != nil {
		b.t.Fatalf("%s stops the node: %v", name, err)
	}
	r := &up.Receipts[0]
	if r.Code == CodeInternal || r.Code == CodeNotJudged {
		b.t.Errorf("%s: %s", name, r.Finding)
	}
	if again, err := DecodeReceipt(r.Encode()); err != nil || again.Code != r.Code {
		b.t.Errorf("%s: the receipt reads as %v, %v", name, again, err)
	}
	if r.OK() {
		b.accepted++
		after := b.view.clone()
		after.apply(up.Writes)
		checkMoney(b.t, after)
		return r.Code, nil
	}
	if r.Detail() == "" || strings.Contains(r.Finding.String(), "{") {
		b.t.Errorf("%s: code %d has no sentence that fits: %s", name, r.Code, r.Finding)
	}
	b.refused[r.Code.String()]++
	b.onlyFee(name, tx, r, written(up))
	return r.Code, nil
}

// onlyFee compares what a refused transaction wrote with what its block writes anyhow.
func (b *badInput) onlyFee(name string, tx *Transaction, r *Receipt, writes map[string][]byte) {
	b.t.Helper()
	payer := string(AccountKey(tx.payer()))
	for k, v := range writes {
		if before, anyhow := b.baseline[k]; anyhow && bytes.Equal(before, v) {
			continue
		}
		switch {
		case !r.Executed():
		case k == string(SeenKey(tx.id)), k == string(includedKey(b.height+1)), k == keySupply:
			continue
		case k == payer:
			var was, is Account
			if crypto.Unmarshal(b.view[k], &was) == nil && crypto.Unmarshal(v, &is) == nil {
				is.Balance += r.Fee
				if reflect.DeepEqual(was, is) {
					continue
				}
			}
		}
		b.t.Errorf("%s: refused (%s), and yet it wrote %q", name, r.Code, k)
	}
	for k := range b.baseline {
		if _, also := writes[k]; !also {
			b.t.Errorf("%s: refused (%s), and %q was not written", name, r.Code, k)
		}
	}
}

// TestBadBytes spoils every field of envelope, body, payload and event of a sample of every kind.
func TestBadBytes(t *testing.T) {
	n := newRich(t, nil)
	b := newBadInput(n)
	for _, s := range n.samples() {
		body, signers := n.body(s)
		b.spoilTransaction(s.payload, body, signers)
	}
	evidence := n.evidence()
	b.spoilTransaction(evidence.payload, evidence.Body, nil)
	if b.cases < 10_000 || b.accepted > b.cases/10 || len(b.refused) < 30 {
		t.Errorf("%d cases, %d accepted, %d ways of being refused: this does not spoil enough", b.cases, b.accepted, len(b.refused))
	}
	t.Logf("%d cases: %d accepted, refused %v", b.cases, b.accepted, b.refused)
}

func (b *badInput) spoilTransaction(p Payload, body Body, signers []string) {
	b.t.Helper()
	kind := p.Kind().String()
	payload, rest := dense.TakeApart(body.Payload)
	if len(rest) > 0 || !bytes.Equal(payload.Bytes(), body.Payload) {
		b.t.Fatalf("%s: the test reads CBOR otherwise than the ledger", kind)
	}
	checkFilled(b.t, kind, reflect.ValueOf(p).Elem())
	data := mustMarshal(body)
	whole, _ := dense.TakeApart(data)
	field := whole.Kids[8]
	signed := func(payload []byte) []byte {
		field.Raw = dense.String(2, string(payload))
		defer func() { field.Raw = nil }()
		return unsigned(whole.Bytes(), signers...)
	}
	if code, err := b.try(kind, signed(body.Payload)); err != nil || code != CodeOK {
		b.t.Fatalf("%s as it was: %s, %v", kind, code, err)
	}
	spoil(payload, kind, func(how string) { b.mustTry(how, signed(payload.Bytes())) })
	b.mustTry(kind+" and a byte", signed(append(payload.Bytes(), 0)))
	for i := range body.Payload {
		b.mustTry(fmt.Sprint(kind, " cut at ", i), signed(body.Payload[:i]))
	}
	if c, ok := p.(*Capture); ok {
		event, _ := dense.TakeApart(c.Events[0])
		spoil(event, "event", func(how string) {
			b.mustTry(how, signed(append([]byte{0x82, 0, 0x81}, dense.String(2, string(event.Bytes()))...)))
		})
	}
	if testing.Short() && kind != "Transfer" && kind != "SubmitEvidence" {
		return // body and envelope are alike
	}
	spoil(whole, kind+" body", func(how string) { b.mustTry(how, unsigned(whole.Bytes(), signers...)) })
	raw := unsigned(data, signers...)
	wrapped, _ := dense.TakeApart(raw)
	spoil(wrapped, kind+" envelope", func(how string) { b.mustTry(how, wrapped.Bytes()) })
	for i := range raw {
		b.mustTry(fmt.Sprint(kind, " transaction cut at ", i), raw[:i])
	}
	b.mustTry(kind+" transaction and a byte", append(raw, 0))
}

// mustTry is try where the outcome is only counted.
func (b *badInput) mustTry(name string, raw []byte) {
	b.t.Helper()
	_, _ = b.try(name, raw)
}

// checkFilled wants an element in every list of a sample: what is not there is not spoiled. Params of an Action stand in
// samples of one kind of action only.
func checkFilled(t testing.TB, path string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Name != "_" {
				checkFilled(t, path+"."+f.Name, v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Len() == 0 && path != "Propose.Action.Params" {
			t.Errorf("the sample has nothing in %s", path)
		}
		for i := range v.Len() {
			checkFilled(t, fmt.Sprint(path, "[", i, "]"), v.Index(i))
		}
	}
}
