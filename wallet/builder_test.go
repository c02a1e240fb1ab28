package wallet

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

func builder(t testing.TB, author string) *Builder {
	t.Helper()
	return &Builder{Author: keyOf(t, author).Address(), At: here(), Random: &stream{seed: "builder"}}
}

// TestEveryKind builds each kind, signs it, and reads it back as the network will.
func TestEveryKind(t *testing.T) {
	b := builder(t, "farm")
	other, validator := keyOf(t, "other"), keyOf(t, "validator")
	until := time.UnixMilli(1_800_000_000_123)
	const class = "https://id.gs1.org/01/09521321000018"
	org := ledger.RegisterOrganisation{Name: "Green Farm", Roles: []string{"farm"}, Parties: []string{"https://example.com/party/1"},
		Keys: []crypto.PublicKey{other.Public()}}
	build := func(body ledger.Body, err error) ledger.Body {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	capture, err := b.Capture(events(t, 2, plain), ledger.Proceed)
	if err != nil || len(capture) != 1 {
		t.Fatalf("%d captures, %v", len(capture), err)
	}
	encoded, err := encodeEvents(events(t, 2, plain))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[ledger.Kind]bool{}
	for _, c := range []struct {
		body ledger.Body
		want ledger.Payload
	}{
		{capture[0], &ledger.Capture{Mode: ledger.Proceed, Events: encoded}},
		{build(b.RegisterOrganisation(org)), &org},
		{build(b.AdmitOrganisation(other.Address(), true)), &ledger.AdmitOrganisation{Organisation: other.Address(), Admitted: true}},
		{build(b.AddKey(other.Public(), 7)), &ledger.AddKey{Key: other.Public(), FromHeight: 7}},
		{build(b.RevokeKey(other.Public(), 0)), &ledger.RevokeKey{Key: other.Public()}},
		{build(b.ClaimPrefix("9521321")), &ledger.ClaimPrefix{Prefix: "9521321"}},
		{build(b.ApprovePrefix("9521321", other.Address())), &ledger.ApprovePrefix{Prefix: "9521321", Organisation: other.Address()}},
		{build(b.Delegate(other.Address(), class, until)), &ledger.Delegate{To: other.Address(), Scope: class, UntilMs: 1_800_000_000_123}},
		{build(b.Delegate(other.Address(), "9521321", time.Time{})), &ledger.Delegate{To: other.Address(), Scope: "9521321"}},
		{build(b.RevokeDelegation(other.Address(), class)), &ledger.RevokeDelegation{To: other.Address(), Scope: class}},
		{build(b.PutMasterData("product", class, []ledger.Attribute{{Name: "b", Value: "2"}, {Name: "a", Value: "1"}})),
			&ledger.PutMasterData{Type: "product", ID: class, Attributes: []ledger.Attribute{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}}},
		{build(b.Transfer(other.Address(), 5)), &ledger.Transfer{To: other.Address(), Amount: 5}},
		{build(b.RegisterValidator(validator.Public(), other.Public(), "v9", 2_000)),
			&ledger.RegisterValidator{Key: validator.Public(), PeerKey: other.Public(), Name: "v9", Stake: 2_000}},
		{build(b.RotateValidatorKey(validator.Public(), other.Public(), crypto.PublicKey{})), &ledger.RotateValidatorKey{Old: validator.Public(), New: other.Public()}},
		{build(b.Unjail(validator.Public())), &ledger.Unjail{Validator: validator.Public()}},
		{build(b.Bond(validator.Public(), 3)), &ledger.Bond{Validator: validator.Public(), Amount: 3}},
		{build(b.Unbond(validator.Public(), 4)), &ledger.Unbond{Validator: validator.Public(), Amount: 4}},
	} {
		seen[c.want.Kind()] = true
		signed, err := ledger.Sign(c.body, keyOf(t, "farm"))
		if err != nil {
			t.Fatal(err)
		}
		tx, err := ledger.DecodeTransaction(signed.Raw())
		if err != nil {
			t.Fatal(err)
		}
		if r := ledger.VerifyTransactions([]*ledger.Transaction{tx}); r[0].Err != nil {
			t.Errorf("%s: %v", c.want.Kind(), r[0].Err)
		}
		if !reflect.DeepEqual(tx.Payload(), c.want) {
			t.Errorf("%s: payload %+v, want %+v", c.want.Kind(), tx.Payload(), c.want)
		}
		got := tx.Body
		if got.Kind != c.want.Kind() || got.Genesis != b.At.Genesis || got.Author != b.Author || got.Sponsor != nil ||
			got.ExpiryHeight != 41+DefaultExpiry || got.Tip != 0 || len(got.DependsOn) != 0 || got.Salt == [8]byte{} {
			t.Errorf("%s: body %+v", c.want.Kind(), got)
		}
	}
	seen[ledger.KindSubmitEvidence] = true // has no author, so no builder
	// The ledger says which kinds exist: a kind that is added there without a builder fails here.
	for k := ledger.Kind(1); !strings.HasPrefix(k.String(), "kind "); k++ {
		if !seen[k] {
			t.Errorf("kind %s has no builder", k)
		}
	}
}

// TestGoldenTransaction pins the bytes of one transaction.
func TestGoldenTransaction(t *testing.T) {
	b := builder(t, "farm")
	b.Tip, b.Expiry, b.Sponsor, b.DependsOn = 9, 5, keyOf(t, "sponsor").Address(), []crypto.Hash{{1}}
	body, err := b.Transfer(keyOf(t, "other").Address(), 1_000)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := ledger.Sign(body, keyOf(t, "farm"), keyOf(t, "sponsor"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "transfer.txt", []byte(tx.ID().String()+"\n"+hexLines(tx.Raw())))
}

func TestExpiry(t *testing.T) {
	for _, c := range []struct {
		name                   string
		height, window, chosen uint64
		want                   quorum.Height // 0: refused
	}{
		{"default", 100, 1_000, 0, 100 + DefaultExpiry},
		{"default is the window", 100, DefaultExpiry, 0, 100 + DefaultExpiry},
		{"window below the default", 100, 30, 0, 130},
		{"window of one", 100, 1, 0, 101},
		{"chosen", 100, 1_000, 2, 102},
		{"chosen at the window", 100, 1_000, 1_000, 1_100},
		{"chosen beyond the window", 100, 1_000, 1_001, 0},
		{"no window", 100, 0, 0, 0},
		{"genesis block", 0, 1_000, 0, DefaultExpiry},
		{"absurd height", math.MaxUint64 - 5, 1_000, 0, 0},
		{"beyond the last height", math.MaxUint64 - 4, 1_000, 5, 0},
		{"last height", math.MaxUint64 - 5, 1_000, 5, math.MaxUint64},
	} {
		b := builder(t, "farm")
		b.At.Height, b.At.Params.ExpiryWindow, b.Expiry = quorum.Height(c.height), c.window, c.chosen
		body, err := b.Transfer(keyOf(t, "other").Address(), 1)
		if c.want == 0 {
			wantKind(t, c.name, err, ErrContent)
		} else if err != nil || body.ExpiryHeight != c.want {
			t.Errorf("%s: expires at %d (%v), want %d", c.name, body.ExpiryHeight, err, c.want)
		}
	}
}

func TestSalt(t *testing.T) {
	b := &Builder{Author: keyOf(t, "farm").Address(), At: here()}
	seen := map[[8]byte]bool{}
	for range 100 {
		body, err := b.Transfer(keyOf(t, "other").Address(), 1)
		if err != nil {
			t.Fatal(err)
		}
		seen[body.Salt] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d different salts of 100", len(seen))
	}
	b.Random = broken{}
	if _, err := b.Transfer(keyOf(t, "other").Address(), 1); err == nil {
		t.Error("a transaction without randomness")
	}
}

func TestBuilderRefuses(t *testing.T) {
	to := keyOf(t, "other").Address()
	for _, c := range []struct {
		name  string
		build func(b *Builder) (ledger.Body, error)
		kind  error
	}{
		{"no author", func(b *Builder) (ledger.Body, error) { b.Author = crypto.Address{}; return b.Transfer(to, 1) }, ErrContent},
		{"no network", func(b *Builder) (ledger.Body, error) { b.At.Genesis = crypto.Hash{}; return b.Transfer(to, 1) }, ErrContent},
		{"own sponsor", func(b *Builder) (ledger.Body, error) { b.Sponsor = b.Author; return b.Transfer(to, 1) }, ErrContent},
		{"many dependencies", func(b *Builder) (ledger.Body, error) {
			b.DependsOn = make([]crypto.Hash, ledger.MaxDependencies+1)
			return b.Transfer(to, 1)
		}, ErrContent},
		{"to nobody", func(b *Builder) (ledger.Body, error) { return b.Transfer(crypto.Address{}, 1) }, ledger.ErrPayload},
		{"bad prefix", func(b *Builder) (ledger.Body, error) { return b.ClaimPrefix("12") }, ledger.ErrPayload},
		{"nameless", func(b *Builder) (ledger.Body, error) { return b.RegisterOrganisation(ledger.RegisterOrganisation{}) }, ledger.ErrPayload},
		{"no key", func(b *Builder) (ledger.Body, error) { return b.AddKey(crypto.PublicKey{}, 0) }, ledger.ErrPayload},
		{"delegation in the past", func(b *Builder) (ledger.Body, error) { return b.Delegate(to, "9521321", time.Unix(0, 0)) }, ErrContent},
		{"bad scope", func(b *Builder) (ledger.Body, error) { return b.Delegate(to, "x", time.Time{}) }, ledger.ErrPayload},
		{"attribute twice", func(b *Builder) (ledger.Body, error) {
			return b.PutMasterData("product", "https://example.com/1", []ledger.Attribute{{Name: "a"}, {Name: "a"}})
		}, ledger.ErrPayload},
		{"above the network's limit", func(b *Builder) (ledger.Body, error) {
			b.At.Params.MaxTxBytes = 1 << 10
			return b.PutMasterData("product", "https://example.com/1", []ledger.Attribute{{Name: "a", Value: strings.Repeat("x", 1000)}})
		}, ErrTooLarge},
	} {
		_, err := c.build(builder(t, "farm"))
		if !errors.Is(err, c.kind) {
			t.Errorf("%s: %v, want %q", c.name, err, c.kind)
		}
	}
}

// TestSizeBeforeSigning: what Build measures is what the signed transaction has, to the byte.
func TestSizeBeforeSigning(t *testing.T) {
	sponsor, validator := keyOf(t, "sponsor"), keyOf(t, "validator")
	for n := 0; n < 70_000; n = n*3 + 1 {
		for _, sponsored := range []bool{false, true} {
			b := builder(t, "farm")
			keys := []crypto.PrivateKey{keyOf(t, "farm")}
			if sponsored {
				b.Sponsor, keys = sponsor.Address(), append(keys, sponsor)
			}
			attributes := make([]ledger.Attribute, 0, 32)
			for left := n; left > 0; left -= 4000 {
				attributes = append(attributes, ledger.Attribute{Name: "n" + string(rune('A'+len(attributes))), Value: strings.Repeat("x", min(left, 4000))})
			}
			if n == 0 {
				attributes = []ledger.Attribute{{Name: "n"}}
			}
			p := &ledger.PutMasterData{Type: "product", ID: "https://example.com/1", Attributes: attributes}
			wantSize(t, b, p, keys...)
			wantSize(t, b, &ledger.RegisterValidator{Key: validator.Public(), PeerKey: keyOf(t, "peer").Public(), Name: "v", Stake: 1}, append(keys, validator)...)
		}
	}
}

func wantSize(t *testing.T, b *Builder, p ledger.Payload, keys ...crypto.PrivateKey) {
	t.Helper()
	body, err := b.Build(p)
	if err != nil {
		t.Fatal(err)
	}
	size, err := sizeSigned(body, p)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := ledger.Sign(body, keys...)
	if err != nil {
		t.Fatal(err)
	}
	if tx.Size() != size {
		t.Errorf("%s measures %d bytes unsigned and has %d", p.Kind(), size, tx.Size())
	}
}
