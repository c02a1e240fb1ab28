package wallet

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"waybill/crypto"
	"waybill/ledger"
)

// sponsored is a draft of two transfers of the farm that a sponsor pays for.
func sponsored(t testing.TB) *Draft {
	t.Helper()
	b := builder(t, "farm")
	b.Sponsor = keyOf(t, "sponsor").Address()
	first, err := b.Build(&ledger.Transfer{To: keyOf(t, "other").Address(), Amount: 7})
	if err != nil {
		t.Fatal(err)
	}
	id, err := first.Digest()
	if err != nil {
		t.Fatal(err)
	}
	b.DependsOn, b.Tip = []crypto.Hash{id}, 3
	second, err := b.ClaimPrefix("9521321")
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDraft(first, second)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func encoded(t testing.TB, d *Draft) []byte {
	t.Helper()
	data, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parsed(t testing.TB, data []byte) *Draft {
	t.Helper()
	d, err := ParseDraft(data)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestSponsorFlow passes a draft through files from the author to the sponsor and, the other way, in two copies at once.
func TestSponsorFlow(t *testing.T) {
	farm, sponsor := keyOf(t, "farm"), keyOf(t, "sponsor")
	dir := t.TempDir()
	unsigned := sponsored(t)
	golden(t, "draft-unsigned.json", encoded(t, unsigned))
	if got := unsigned.Missing(); !reflect.DeepEqual(got, []crypto.Address{farm.Address(), sponsor.Address()}) {
		t.Errorf("missing %v", got)
	}
	if _, err := unsigned.Transactions(); !errors.Is(err, ErrDraft) {
		t.Errorf("unsigned transactions: %v", err)
	}

	// One after the other.
	author := parsed(t, encoded(t, unsigned))
	if err := author.Sign(farm); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "draft.json")
	if err := author.Save(path); err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadDraft(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = loaded.Transactions()
	wantKind(t, "half signed", err, ErrDraft)
	for i, v := range loaded.View() {
		if !reflect.DeepEqual(v.Signed, []crypto.Address{farm.Address()}) || !reflect.DeepEqual(v.Missing, []crypto.Address{sponsor.Address()}) {
			t.Errorf("transaction %d: signed %v, missing %v", i, v.Signed, v.Missing)
		}
	}
	if v := loaded.View()[0]; !reflect.DeepEqual(v.Payload, &ledger.Transfer{To: keyOf(t, "other").Address(), Amount: 7}) || v.Body.Kind != ledger.KindTransfer {
		t.Errorf("the sponsor sees %+v", v)
	}
	if err := loaded.Sign(sponsor); err != nil {
		t.Fatal(err)
	}
	golden(t, "draft-signed.json", encoded(t, loaded))
	checkSponsored(t, loaded)

	// Two copies at once.
	paid := parsed(t, encoded(t, unsigned))
	if err := paid.Sign(sponsor); err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]*Draft{{author, paid}, {paid, author}} {
		d := parsed(t, encoded(t, pair[0]))
		if err := d.Combine(pair[1]); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(encoded(t, d), encoded(t, loaded)) {
			t.Error("combined copies differ from one signed in turn")
		}
		checkSponsored(t, d)
	}
	before := encoded(t, loaded)
	if err := errors.Join(loaded.Sign(sponsor), loaded.Combine(author)); err != nil || !bytes.Equal(before, encoded(t, loaded)) {
		t.Errorf("signing again changed the draft (%v)", err)
	}
}

func checkSponsored(t *testing.T, d *Draft) {
	t.Helper()
	txs, err := d.Transactions()
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range ledger.VerifyTransactions(txs) {
		if r.Err != nil || len(txs[i].Signatures) != 2 || txs[i].ID() != d.View()[i].ID {
			t.Errorf("transaction %d: %v, %d signatures", i, r.Err, len(txs[i].Signatures))
		}
	}
	if txs[1].Body.DependsOn[0] != txs[0].ID() {
		t.Error("the second transaction does not depend on the first")
	}
}

// TestSponsoredOnLedger: an account that is not on the ledger registers with somebody else paying.
func TestSponsoredOnLedger(t *testing.T) {
	s, at := network(t, 256<<10)
	b := &Builder{Author: keyOf(t, "supplier").Address(), At: at, Sponsor: keyOf(t, "farm").Address()}
	body, err := b.RegisterOrganisation(ledger.RegisterOrganisation{Name: "Small Supplier"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDraft(body)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Sign(keyOf(t, "supplier")), d.Sign(keyOf(t, "farm"))); err != nil {
		t.Fatal(err)
	}
	txs, err := d.Transactions()
	if err != nil {
		t.Fatal(err)
	}
	if r := execute(t, s, &at, txs[0].Raw()); !r[0].OK() {
		t.Error(r[0].Finding)
	}
}

func TestValidatorSignsToo(t *testing.T) {
	s, at := network(t, 256<<10)
	farm, validator := keyOf(t, "farm"), keyOf(t, "validator")
	b := &Builder{Author: farm.Address(), At: at}
	body, err := b.RegisterValidator(validator.Public(), keyOf(t, "peer").Public(), "v2", 5_000)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDraft(body)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Sign(farm); err != nil {
		t.Fatal(err)
	}
	if got := d.Missing(); !reflect.DeepEqual(got, []crypto.Address{validator.Address()}) {
		t.Errorf("missing %v, want the validator's key", got)
	}
	wantKind(t, "another key for the validator's", d.SignFor(validator.Address(), farm), ErrContent)
	if err := d.Sign(validator); err != nil {
		t.Fatal(err)
	}
	txs, err := parsed(t, encoded(t, d)).Transactions()
	if err != nil {
		t.Fatal(err)
	}
	if r := execute(t, s, &at, txs[0].Raw()); !r[0].OK() {
		t.Error(r[0].Finding)
	}
	// A new key of the validator signs as well.
	fresh := keyOf(t, "fresh")
	if body, err = b.RotateValidatorKey(validator.Public(), fresh.Public(), crypto.PublicKey{}); err != nil {
		t.Fatal(err)
	}
	if d, err = NewDraft(body); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "the old key for the new", d.SignFor(fresh.Address(), validator), ErrContent)
	if err := errors.Join(d.Sign(farm), d.Sign(fresh)); err != nil {
		t.Fatal(err)
	}
	if txs, err = d.Transactions(); err != nil {
		t.Fatal(err)
	}
	if r := execute(t, s, &at, txs[0].Raw()); !r[0].OK() {
		t.Error(r[0].Finding)
	}
	_, err = b.Build(&ledger.SubmitEvidence{})
	wantKind(t, "evidence with an author", err, ErrContent)
	// A validator key that is the author's own needs one signature.
	if body, err = b.RegisterValidator(farm.Public(), keyOf(t, "peer 3").Public(), "v3", 5_000); err != nil {
		t.Fatal(err)
	}
	if d, err = NewDraft(body); err != nil {
		t.Fatal(err)
	}
	if err := d.Sign(farm); err != nil || len(d.Missing()) != 0 {
		t.Errorf("missing %v (%v)", d.Missing(), err)
	}
}

func TestDraftRefuses(t *testing.T) {
	d := sponsored(t)
	wantKind(t, "a stranger", d.Sign(keyOf(t, "stranger")), ErrContent)
	if len(d.View()[0].Signed) != 0 {
		t.Error("the stranger signed")
	}
	if err := d.SignFor(keyOf(t, "farm").Address(), keyOf(t, "clerk")); err != nil {
		t.Errorf("a further key of the author: %v", err)
	}
	_, err := NewDraft()
	wantKind(t, "empty", err, ErrDraft)
	_, err = NewDraft(make([]ledger.Body, maxDraftTransactions+1)...)
	wantKind(t, "too many", err, ErrDraft)
	_, err = NewDraft(ledger.Body{})
	wantKind(t, "no transaction", err, ledger.ErrKind)
	body := d.items[0].body
	_, err = NewDraft(body, body)
	wantKind(t, "twice", err, ErrDraft)
	foreign := d.items[1].body
	foreign.Genesis = crypto.Hash{9}
	_, err = NewDraft(body, foreign)
	wantKind(t, "two networks", err, ErrDraft)
	one, err := NewDraft(body)
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, "combining with fewer", d.Combine(one), ErrDraft)
	other, err := NewDraft(d.items[1].body)
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, "combining with others", one.Combine(other), ErrDraft)
	_, err = new(Draft).Encode()
	wantKind(t, "encoding nothing", err, ErrDraft)
}

// TestDraftFileIsStrict changes one thing at a time in a good file.
func TestDraftFileIsStrict(t *testing.T) {
	d := sponsored(t)
	if err := errors.Join(d.Sign(keyOf(t, "farm")), d.Sign(keyOf(t, "sponsor"))); err != nil {
		t.Fatal(err)
	}
	good := string(encoded(t, d))
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(good)); err != nil {
		t.Fatal(err)
	}
	if got := parsed(t, compact.Bytes()); string(encoded(t, got)) != good {
		t.Error("a file without spaces reads differently")
	}
	swap := func(old, new string) string {
		t.Helper()
		if !strings.Contains(good, old) {
			t.Fatalf("no %s in the file", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	it := d.items[0]
	body, err := it.body.Encode()
	if err != nil {
		t.Fatal(err)
	}
	larger := it.body
	if larger.Payload, err = crypto.Marshal(&ledger.Transfer{To: keyOf(t, "stranger").Address(), Amount: 1 << 40}); err != nil {
		t.Fatal(err)
	}
	largerBytes, err := larger.Encode()
	if err != nil {
		t.Fatal(err)
	}
	text := base64.StdEncoding.EncodeToString
	sign := func(name string) string { return keyOf(t, name).Sign(it.id).String() }
	for name, bad := range map[string]string{
		"empty":                            "",
		"not JSON":                         "tx",
		"cut off":                          good[:len(good)/2],
		"followed by something":            good + "{}",
		"other format":                     swap(draftFormat, keystoreFormat),
		"newer version":                    swap(`"version": 1`, `"version": 2`),
		"unknown field":                    swap(`"version": 1`, `"version": 1, "note": "x"`),
		"repeated field":                   swap(`"tip": 3`, `"tip": 9, "tip": 3`),
		"misspelt field":                   swap(`"author"`, `"Author"`),
		"null for nothing":                 swap(`"tip": 3`, `"tip": 3, "dependsOn": null`),
		"number with an exponent":          swap(`"version": 1`, `"version": 1.0`),
		"lying kind":                       swap(`"Transfer"`, `"Bond"`),
		"lying author":                     swap(`"author": "`+it.body.Author.String(), `"author": "`+keyOf(t, "other").Address().String()),
		"lying expiry":                     swap(`"expiryHeight": 641`, `"expiryHeight": 640`),
		"lying tip":                        swap(`"tip": 3`, `"tip": 4`),
		"lying id":                         swap(`"id": "`+it.id.String(), `"id": "`+crypto.Hash{1}.String()),
		"lying genesis":                    swap(it.body.Genesis.String(), crypto.Hash{1}.String()),
		"sponsor left out":                 swap(`"sponsor": "`+it.body.Sponsor.String()+`",`, ""),
		"another body":                     swap(text(body), text(largerBytes)),
		"body with a byte more":            swap(text(body), text(append(body[:len(body):len(body)], 0))),
		"body is no CBOR":                  swap(text(body), text([]byte("body"))),
		"empty body":                       swap(text(body), ""),
		"signature of another key":         swap(sign("farm"), sign("sponsor")),
		"signature for a stranger":         swap(`"for": "`+it.body.Author.String(), `"for": "`+keyOf(t, "stranger").Address().String()),
		"signature is no signature":        swap(sign("farm"), strings.Repeat("0", 128)),
		"signer twice, in another's place": swap(`"for": "`+it.body.Sponsor.String(), `"for": "`+it.body.Author.String()),
		"no transactions":                  `{"format":"` + draftFormat + `","version":1,"genesis":"` + it.body.Genesis.String() + `","transactions":[]}`,
	} {
		got, err := ParseDraft([]byte(bad))
		var form *ledger.FormError
		if got != nil || !errors.Is(err, ErrDraft) && !errors.As(err, &form) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseDraft([]byte(swap(`"version": 1`, `"version": 2`))); err == nil || !strings.Contains(err.Error(), "use a newer one") {
		t.Errorf("a newer file does not say so: %v", err)
	}
	if _, err := ParseDraft(make([]byte, maxDraftSize+1)); !errors.Is(err, ErrDraft) {
		t.Errorf("huge: %v", err)
	}
}

func TestDraftFiles(t *testing.T) {
	d := sponsored(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "draft.json")
	if _, err := LoadDraft(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "taken name", d.Save(path), ErrFileExists)
	if data, err := os.ReadFile(path); err != nil || string(data) != "mine" {
		t.Errorf("the file was overwritten: %q, %v", data, err)
	}
	_, err := LoadDraft(path)
	wantKind(t, "another file", err, ErrDraft)
	if err := d.Save(filepath.Join(dir, "none", "draft.json")); err == nil {
		t.Error("saved into a folder that is not there")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files left in the folder (%v)", len(entries), err)
	}
}
