package ledger

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// Bad input at the level of meaning: what is well-formed and names nothing, or the wrong thing.

// strangers are wrong values for a field of a type, by name. Some are right by chance: the table of refusals shows which.
func (n *richNet) strangers(typ reflect.Type, author crypto.Address) map[string]any {
	switch typ {
	case reflect.TypeFor[crypto.Address]():
		return map[string]any{
			"zero": crypto.Address{}, "not on the ledger": keyOf("no one").Address(), "author": author, "no organisation": keyOf("nobody's").Address(),
			"another organisation": orgAddress(2), "operator": keyOf(op(2)).Address(), "registrar": keyOf("registrar").Address(),
		}
	case reflect.TypeFor[crypto.Hash]():
		return map[string]any{
			"zero": crypto.Hash{}, "of nothing": crypto.Hash{77}, "network": n.hash, "notice": n.notice, "dispute": n.dispute, "proposal": n.proposal,
			"shipment": n.road, "disputed shipment": n.quarrel, "transaction": n.done, "failed transaction": n.failed,
		}
	case reflect.TypeFor[crypto.PublicKey]():
		return map[string]any{
			"zero": crypto.PublicKey{}, "no point": crypto.PublicKey{2, 1}, "not on the ledger": keyOf("no one").Public(), "of an organisation": keyOf("org0").Public(),
			"second key": keyOf("second").Public(), "validator": valKey(2), "jailed validator": valKey(3), "peer": keyOf("peer 2").Public(),
		}
	}
	switch typ.Kind() {
	case reflect.String:
		return map[string]any{
			"empty": "", "a word": "word", "spaces": "a  b", "backwards": "a\u202eb", "control": "a\x00", "65,536 bytes": strings.Repeat("a", 1<<16), "URI": "urn:example:thing",
			"item": modelItem(0, 1), "unknown item": modelItem(0, 9), "foreign item": modelItem(1, 1), "box": modelBox(0, 1), "lot": modelLot(0, 1), "unknown lot": modelLot(0, 9),
			"foreign lot": modelLot(1, 1), "class": modelClass(0, 1), "foreign class": modelClass(1, 1), "party": partyOf(0), "foreign party": partyOf(1), "location": "urn:epc:id:sgln:9521320.00000.0",
			"wrong check digit": "https://id.gs1.org/01/09521320000017", "prefix": "9521320", "foreign prefix": "9521321", "free prefix": "9521327", "certificate": richCertificate,
			"parameter": "maxTxBytes", "unit": "LTR", "no unit": "kgm",
		}
	case reflect.Bool:
		return map[string]any{"true": true, "false": false}
	case reflect.Slice:
		return map[string]any{"none": nil}
	}
	return numbers(typ)
}

// numbers are values of an integer type at its edges.
func numbers(typ reflect.Type) map[string]any {
	out := map[string]any{}
	v := reflect.New(typ).Elem()
	switch {
	case v.CanInt():
		for _, n := range []int64{0, 1, -1, 77, 1000, math.MaxInt8, math.MinInt8, math.MaxInt64, math.MinInt64, testStart, testStart + 60_000} {
			if !v.OverflowInt(n) {
				out[fmt.Sprint(n)] = n
			}
		}
	case v.CanUint():
		for _, n := range []uint64{0, 1, 7, 77, math.MaxUint8, maxDisputeLines, math.MaxUint16, 1_000_000, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64} {
			if !v.OverflowUint(n) {
				out[fmt.Sprint(n)] = n
			}
		}
	}
	return out
}

// fieldsOf calls visit for every field below v that has a value of its own. Lists are visited too.
func fieldsOf(path string, v reflect.Value, visit func(path string, v reflect.Value)) {
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Name != "_" {
				fieldsOf(path+"."+f.Name, v.Field(i), visit)
			}
		}
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			fieldsOf(path, v.Elem(), visit)
		}
	case v.Kind() == reflect.Slice:
		visit(path, v)
		for i := range v.Len() {
			if v.Type().Elem().Kind() == reflect.Uint8 {
				break
			}
			fieldsOf(path+"[]", v.Index(i), visit)
		}
	default:
		visit(path, v)
	}
}

// refusals is what becomes of each wrong value of each field: outcome by field, then the values.
type refusals map[string]map[string][]string

func (r refusals) add(field, outcome, value string) {
	if r[field] == nil {
		r[field] = map[string][]string{}
	}
	r[field][outcome] = append(r[field][outcome], value)
}

func (r refusals) String() string {
	var b strings.Builder
	for _, field := range slices.Sorted(maps.Keys(r)) {
		fmt.Fprintf(&b, "%s\n", field)
		for _, outcome := range slices.Sorted(maps.Keys(r[field])) {
			values := slices.Clone(r[field][outcome])
			slices.Sort(values)
			fmt.Fprintf(&b, "    %s: %s\n", outcome, strings.Join(slices.Compact(values), "; "))
		}
	}
	return b.String()
}

// freely are the fields of which every value is right: what they say is their author's to say.
var freely = []string{
	"AdmitOrganisation.Admitted", "Attest.Document", "Body.Salt", "Dispute.Document", "Notice.Document", "Propose.Action.Grant", "Vote.Yes",
}

// TestRefusals gives every field of every kind values that are well-formed and wrong, and compares what becomes of them
// with testdata/refusals.txt; write that anew with -rewrite-golden, and read the difference.
func TestRefusals(t *testing.T) {
	n := newRich(t, nil)
	b := newBadInput(n)
	table := refusals{}
	for _, s := range n.samples() {
		body, signers := n.body(s)
		author := keyOf(s.by).Address()
		b.strange(table, author, body.Payload, s.payload.Kind(), func(p []byte) []byte {
			changed := body
			changed.Payload = p
			return unsigned(mustMarshal(changed), signers...)
		})
	}
	evidence := n.evidence()
	b.strange(table, crypto.Address{}, evidence.Body.Payload, KindSubmitEvidence, func(p []byte) []byte {
		changed := evidence.Body
		changed.Payload = p
		return unsigned(mustMarshal(changed))
	})
	b.strangeBodies(table)
	for field, outcomes := range table {
		if outcomes["ok"] != nil && len(outcomes) == 1 != slices.Contains(freely, field) {
			t.Errorf("%s: any value is right, or not, and freely says otherwise: %v", field, outcomes)
		}
	}
	t.Logf("%d fields, %d cases, %d accepted, %d codes and kinds", len(table), b.cases, b.accepted, len(b.refused))

	path := filepath.Join("testdata", "refusals.txt")
	if *rewriteGolden {
		if err := os.WriteFile(path, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	compareLines(t, string(want), table.String())
}

func compareLines(t *testing.T, want, got string) {
	t.Helper()
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		if i >= len(w) || i >= len(g) || w[i] != g[i] {
			t.Fatalf("line %d of the table is\n%s\nand was\n%s", i+1, slices.Concat(g, []string{""})[min(i, len(g))], slices.Concat(w, []string{""})[min(i, len(w))])
		}
	}
}

// strange replaces each field of a payload.
func (b *badInput) strange(table refusals, author crypto.Address, payload []byte, kind Kind, wrap func([]byte) []byte) {
	b.t.Helper()
	read := func() Payload {
		p := newPayload(kind)
		if err := crypto.Unmarshal(payload, p); err != nil {
			b.t.Fatal(err)
		}
		return p
	}
	p := read()
	fieldsOf(kind.String(), reflect.ValueOf(p).Elem(), func(path string, v reflect.Value) {
		b.strangeValues(path, v, author, func(value string) {
			b.note(table, path, value, wrap(reflected(b.t, p)))
		})
	})
}

// strangeValues sets v to each wrong value and calls try; then v is as it was.
func (b *badInput) strangeValues(path string, v reflect.Value, author crypto.Address, try func(value string)) {
	before := reflect.ValueOf(v.Interface())
	for name, x := range b.strangers(v.Type(), author) {
		if x == nil {
			v.SetZero()
		} else {
			v.Set(reflect.ValueOf(x).Convert(v.Type()))
		}
		if !reflect.DeepEqual(v.Interface(), before.Interface()) {
			try(name)
		}
	}
	if v.Kind() == reflect.Slice && before.Len() > 0 {
		v.Set(reflect.AppendSlice(before.Slice3(0, before.Len(), before.Len()), before))
		try("twice")
		v.Set(reflect.MakeSlice(v.Type(), 5000, 5000))
		reflect.Copy(v, before)
		try("5,000, all but one of them zero")
	}
	v.Set(before)
}

func (b *badInput) note(table refusals, path, value string, raw []byte) {
	b.t.Helper()
	code, err := b.try(path+" = "+value, raw)
	var form *FormError
	outcome := code.String()
	if errors.As(err, &form) {
		outcome = string(form.Kind)
	}
	table.add(path, outcome, value)
}

// strangeBodies replaces each field of a body, and tries whole bodies that are made for something else.
func (b *badInput) strangeBodies(table refusals) {
	b.t.Helper()
	body, signers := b.body(sample{by: op(1), payload: &Transfer{To: orgAddress(0), Amount: 5}})
	body.Salt = [8]byte{1}
	fieldsOf("Body", reflect.ValueOf(&body).Elem(), func(path string, v reflect.Value) {
		if v.Kind() == reflect.Array && v.Type() == reflect.TypeFor[[8]byte]() {
			v.SetZero()
			b.note(table, path, "zero", unsigned(mustMarshal(body), signers...))
			return
		}
		b.strangeValues(path, v, body.Author, func(value string) {
			b.note(table, path, value, unsigned(mustMarshal(body), signers...))
		})
	})
	for name, who := range map[string][]string{
		"nobody": nil, "author alone": {op(1)}, "sponsor alone": {"fan"}, "a stranger": {"no one"}, "a stranger too": {op(1), "fan", "no one"},
		"an account's second key": {"second", "fan"}, "nine": {op(1), "fan", "1", "2", "3", "4", "5", "6", "7"},
	} {
		b.note(table, "Signatures", "of "+name, unsigned(mustMarshal(body), who...))
	}
	for h, name := range map[quorum.Height]string{0: "0", b.height: "present height", b.height + 1: "next height", b.height + 1 + quorum.Height(b.genesis.Params.ExpiryWindow): "last of the window",
		b.height + 2 + quorum.Height(b.genesis.Params.ExpiryWindow): "one beyond the window", math.MaxUint64: "end of time"} {
		changed := body
		changed.ExpiryHeight = h
		b.note(table, "Body.ExpiryHeight", name, unsigned(mustMarshal(changed), signers...))
	}
}

// TestSignaturesOfOtherTags: a signature under any other tag, or over another network's body, is none.
func TestSignaturesOfOtherTags(t *testing.T) {
	n := newRich(t, nil)
	body := n.testNet.body("fan", &Transfer{To: orgAddress(0), Amount: 5})
	data, err := body.Encode()
	if err != nil {
		t.Fatal(err)
	}
	verify := func(digest crypto.Hash) error {
		tx, err := NewTransaction(body, []SignedBy{{Key: keyOf("fan").Public(), Signature: keyOf("fan").Sign(digest)}})
		if err != nil {
			t.Fatal(err)
		}
		return VerifyTransactions([]*Transaction{tx})[0].Err
	}
	for _, tag := range []crypto.Tag{
		crypto.TagTransaction, crypto.TagGenesis, crypto.TagParams, crypto.TagHeader, crypto.TagVote, crypto.TagEvidence, crypto.TagEvent, crypto.TagItemChain,
		crypto.TagReceiptsChain, crypto.TagSnapshot, crypto.TagAddress, "", "waybill/transaction/2",
	} {
		if err := verify(crypto.Sum(tag, data)); (err == nil) != (tag == crypto.TagTransaction) {
			t.Errorf("signed under %s: %v", tag, err)
		}
	}
	other := body
	other.Genesis = crypto.Hash{9}
	foreign, err := other.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(foreign); !errors.Is(err, ErrSignature) {
		t.Errorf("signed for another network: %v", err)
	}
}

// TestStrangersCannotRaiseTheFee: signatures are no part of the id, so anybody can add some to what passes by.
func TestStrangersCannotRaiseTheFee(t *testing.T) {
	n := newRich(t, nil)
	body := n.testNet.body("fan", &PutMasterData{Type: "product", ID: "urn:example:thing", Attributes: []Attribute{{Name: "a", Value: strings.Repeat("a", 800)}}})
	fees := map[uint64]bool{}
	for _, who := range [][]string{{"fan"}, {"fan", "1", "2", "3", "4", "5", "6", "7"}} {
		tx, err := DecodeTransaction(unsigned(mustMarshal(body), who...))
		if err != nil {
			t.Fatal(err)
		}
		block := n.nextBlock()
		block.Transactions = []VerifiedTransaction{{tx: tx}}
		up, err := Apply(n.view, block)
		if err != nil || up.Receipts[0].Fee == 0 {
			t.Fatal(up, err)
		}
		fees[up.Receipts[0].Fee] = true
	}
	if len(fees) != 1 {
		t.Errorf("the fee depends on who signed: %v", fees)
	}
}
