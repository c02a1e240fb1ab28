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
)

// Bad input at the level of bytes: one valid sample of every kind, and every field of it spoiled in every way that CBOR
// allows and does not allow.

// cborNode is an item of CBOR as the tests take it apart: strings hold bytes, arrays and maps kids (of a map key, value, key…).
type cborNode struct {
	head byte // major type and short argument of the head, as read
	arg  uint64
	text []byte
	kids []*cborNode
	raw  []byte // written instead, if not nil
}

func (n *cborNode) major() byte { return n.head >> 5 }

// parseNode reads one canonical item.
func parseNode(data []byte) (*cborNode, []byte) {
	n := &cborNode{head: data[0]}
	data = data[1:]
	switch info := n.head & 0x1f; {
	case info < 24:
		n.arg = uint64(info)
	default:
		size := 1 << (info - 24)
		n.arg = binary.BigEndian.Uint64(append(make([]byte, 8-size), data[:size]...))
		data = data[size:]
	}
	kids := 0
	switch n.major() {
	case 2, 3:
		n.text, data = data[:n.arg], data[n.arg:]
	case 4:
		kids = int(n.arg)
	case 5:
		kids = 2 * int(n.arg)
	}
	for range kids {
		var kid *cborNode
		kid, data = parseNode(data)
		n.kids = append(n.kids, kid)
	}
	return n, data
}

func cborHead(major byte, arg uint64) []byte {
	switch {
	case arg < 24:
		return []byte{major<<5 | byte(arg)}
	case arg < 1<<8:
		return []byte{major<<5 | 24, byte(arg)}
	case arg < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(arg))
	case arg < 1<<32:
		return binary.BigEndian.AppendUint32([]byte{major<<5 | 26}, uint32(arg))
	}
	return binary.BigEndian.AppendUint64([]byte{major<<5 | 27}, arg)
}

func cborText(major byte, text string) []byte {
	return append(cborHead(major, uint64(len(text))), text...)
}

func (n *cborNode) bytes() []byte {
	if n.raw != nil {
		return n.raw
	}
	out := cborHead(n.major(), n.arg)
	switch n.major() {
	case 2, 3:
		return append(cborHead(n.major(), uint64(len(n.text))), n.text...)
	case 4:
		out = cborHead(4, uint64(len(n.kids)))
	case 5:
		out = cborHead(5, uint64(len(n.kids)/2))
	}
	for _, kid := range n.kids {
		out = append(out, kid.bytes()...)
	}
	return out
}

// sizesBeyond are lengths of strings and lists one beyond each bound that this package has.
var sizesBeyond = []int{3 + 1, 12 + 1, maxRoles + 1, maxParamChanges + 1, maxRoleBytes + 1, maxParties + 1, maxNameBytes + 1, maxAttributes + 1, maxAttrName + 1,
	maxIDBytes + 1, maxReasonBytes + 1, maxInstructions + 1, 1 << 16}

// replacements are what is written instead of an item.
func (n *cborNode) replacements() map[string][]byte {
	out := map[string][]byte{
		"0": {0}, "1": {1}, "23": {23}, "255": cborHead(0, 255), "256": cborHead(0, 256), "2^16": cborHead(0, 1<<16), "2^31": cborHead(0, 1<<31), "2^32": cborHead(0, 1<<32),
		"2^63-1": cborHead(0, 1<<63-1), "2^63": cborHead(0, 1<<63), "2^64-1": cborHead(0, 1<<64-1), "-1": {0x20}, "-2^63": cborHead(1, 1<<63-1), "-2^64": cborHead(1, 1<<64-1),
		"no bytes": {0x40}, "no text": {0x60}, "a byte": {0x41, 1}, "a letter": {0x61, 'a'}, "[]": {0x80}, "[0]": {0x81, 0}, "{}": {0xa0}, "{0: 0}": {0xa1, 0, 0},
		"false": {0xf4}, "true": {0xf5}, "null": {0xf6}, "undefined": {0xf7}, "simple value": {0xf8, 0x20}, "half float": {0xf9, 0x3c, 0}, "NaN": {0xf9, 0x7e, 0},
		"float": {0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0}, "break": {0xff}, "tag": append([]byte{0xc0}, n.bytes()...), "big number": append([]byte{0xc2}, cborText(2, "\x01\x00\x00\x00\x00\x00\x00\x00\x00")...),
		"list without end": {0x9f, 0xff}, "text without end": {0x7f, 0x60, 0xff}, "reserved": {0x1c}, "2^64-1 bytes": {0x5b, 255, 255, 255, 255, 255, 255, 255, 255},
		"2^64-1 things": {0x9b, 255, 255, 255, 255, 255, 255, 255, 255}, "2^32 pairs": cborHead(5, 1<<32), "70 lists deep": append(bytes.Repeat([]byte{0x81}, 70), 0),
		"not UTF-8": cborText(3, "\xff"), "half a surrogate": cborText(3, "\xed\xa0\x80"), "a control character": cborText(3, "a\x00b"), "two spaces": cborText(3, "a  b"),
	}
	if n.major() != 7 { // the head one byte longer than needed
		long := binary.BigEndian.AppendUint64([]byte{n.head&0xe0 | 27}, n.arg)
		out["head too long"] = append(long, n.bytes()[len(cborHead(n.major(), n.arg)):]...)
	}
	switch n.major() {
	case 2, 3:
		out["cut"], out["a NUL more"] = cborText(n.major(), string(n.text[:max(0, len(n.text)-1)])), cborText(n.major(), string(n.text)+"\x00")
		out["zeros"] = cborText(n.major(), strings.Repeat("\x00", len(n.text)))
		out["of the other string type"] = cborText(5-n.major(), string(n.text))
		for _, size := range sizesBeyond {
			out[fmt.Sprint("string of ", size)] = cborText(n.major(), strings.Repeat("a", size))
		}
	case 4:
		if len(n.kids) == 0 {
			break
		}
		for _, size := range append(sizesBeyond, MaxEvents+1, crypto.MaxCBORElements+1) {
			if one := n.kids[0].bytes(); size*len(one) < 2*MaxTransactionBytes {
				out[fmt.Sprint("list of ", size)] = append(cborHead(4, uint64(size)), bytes.Repeat(one, size)...)
			}
		}
	}
	return out
}

// spoil calls try for every item below n with every replacement, left out, and doubled. The name says where and how.
func (n *cborNode) spoil(path string, try func(how string)) {
	for how, raw := range n.replacements() {
		n.raw = raw
		try(path + " = " + how)
	}
	n.raw = nil
	kids := n.kids
	step := 1
	if n.major() == 5 {
		step = 2
	}
	for i := 0; i < len(kids); i += step {
		n.kids = append(append([]*cborNode{}, kids[:i]...), kids[i+step:]...)
		try(fmt.Sprintf("%s[%d] left out", path, i/step))
		n.kids = append(append(append([]*cborNode{}, kids[:i+step]...), kids[i:i+step]...), kids[i+step:]...)
		try(fmt.Sprintf("%s[%d] doubled", path, i/step))
	}
	n.kids = kids
	for i, kid := range kids {
		kid.spoil(fmt.Sprintf("%s[%d]", path, i), try)
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
	payload, rest := parseNode(body.Payload)
	if len(rest) > 0 || !bytes.Equal(payload.bytes(), body.Payload) {
		b.t.Fatalf("%s: the test reads CBOR otherwise than the ledger", kind)
	}
	checkFilled(b.t, kind, reflect.ValueOf(p).Elem())
	data := mustMarshal(body)
	whole, _ := parseNode(data)
	field := whole.kids[8]
	signed := func(payload []byte) []byte {
		field.raw = cborText(2, string(payload))
		defer func() { field.raw = nil }()
		return unsigned(whole.bytes(), signers...)
	}
	if code, err := b.try(kind, signed(body.Payload)); err != nil || code != CodeOK {
		b.t.Fatalf("%s as it was: %s, %v", kind, code, err)
	}
	payload.spoil(kind, func(how string) { b.mustTry(how, signed(payload.bytes())) })
	b.mustTry(kind+" and a byte", signed(append(payload.bytes(), 0)))
	for i := range body.Payload {
		b.mustTry(fmt.Sprint(kind, " cut at ", i), signed(body.Payload[:i]))
	}
	if c, ok := p.(*Capture); ok {
		event, _ := parseNode(c.Events[0])
		event.spoil("event", func(how string) {
			b.mustTry(how, signed(append([]byte{0x82, 0, 0x81}, cborText(2, string(event.bytes()))...)))
		})
	}
	if testing.Short() && kind != "Transfer" && kind != "SubmitEvidence" {
		return // body and envelope are alike
	}
	whole.spoil(kind+" body", func(how string) { b.mustTry(how, unsigned(whole.bytes(), signers...)) })
	raw := unsigned(data, signers...)
	wrapped, _ := parseNode(raw)
	wrapped.spoil(kind+" envelope", func(how string) { b.mustTry(how, wrapped.bytes()) })
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
