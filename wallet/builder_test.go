package wallet

import (
	"errors"
	"math"
	"strings"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

func builder(t testing.TB, author string) *Builder {
	t.Helper()
	return &Builder{Author: keyOf(t, author).Address(), At: here(), Random: &stream{seed: "builder"}}
}

// TestGoldenTransaction pins the bytes of one transaction.
func TestGoldenTransaction(t *testing.T) {
	b := builder(t, "farm")
	b.Tip, b.Expiry, b.Sponsor, b.DependsOn = 9, 5, keyOf(t, "sponsor").Address(), []crypto.Hash{{1}}
	body, err := b.Build(&ledger.Transfer{To: keyOf(t, "other").Address(), Amount: 1_000})
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
		body, err := b.Build(&ledger.Transfer{To: keyOf(t, "other").Address(), Amount: 1})
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
		body, err := b.Build(&ledger.Transfer{To: keyOf(t, "other").Address(), Amount: 1})
		if err != nil {
			t.Fatal(err)
		}
		seen[body.Salt] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d different salts of 100", len(seen))
	}
	b.Random = broken{}
	if _, err := b.Build(&ledger.Transfer{To: keyOf(t, "other").Address(), Amount: 1}); err == nil {
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
		{"no author", func(b *Builder) (ledger.Body, error) {
			b.Author = crypto.Address{}
			return b.Build(&ledger.Transfer{To: to, Amount: 1})
		}, ErrContent},
		{"no network", func(b *Builder) (ledger.Body, error) {
			b.At.Genesis = crypto.Hash{}
			return b.Build(&ledger.Transfer{To: to, Amount: 1})
		}, ErrContent},
		{"own sponsor", func(b *Builder) (ledger.Body, error) {
			b.Sponsor = b.Author
			return b.Build(&ledger.Transfer{To: to, Amount: 1})
		}, ErrContent},
		{"many dependencies", func(b *Builder) (ledger.Body, error) {
			b.DependsOn = make([]crypto.Hash, ledger.MaxDependencies+1)
			return b.Build(&ledger.Transfer{To: to, Amount: 1})
		}, ErrContent},
		{"to nobody", func(b *Builder) (ledger.Body, error) { return b.Build(&ledger.Transfer{Amount: 1}) }, ledger.ErrPayload},
		{"bad prefix", func(b *Builder) (ledger.Body, error) { return b.ClaimPrefix("12") }, ledger.ErrPayload},
		{"nameless", func(b *Builder) (ledger.Body, error) { return b.RegisterOrganisation(ledger.RegisterOrganisation{}) }, ledger.ErrPayload},
		{"no key", func(b *Builder) (ledger.Body, error) { return b.AddKey(crypto.PublicKey{}, 0) }, ledger.ErrPayload},
		{"bad scope", func(b *Builder) (ledger.Body, error) { return b.Build(&ledger.Delegate{To: to, Scope: "x"}) }, ledger.ErrPayload},
		{"attribute twice", func(b *Builder) (ledger.Body, error) {
			return b.Build(&ledger.PutMasterData{Type: "product", ID: "https://example.com/1", Attributes: []ledger.Attribute{{Name: "a"}, {Name: "a"}}})
		}, ledger.ErrPayload},
		{"above the network's limit", func(b *Builder) (ledger.Body, error) {
			b.At.Params.MaxTxBytes = 1 << 10
			return b.Build(&ledger.PutMasterData{Type: "product", ID: "https://example.com/1", Attributes: []ledger.Attribute{{Name: "a", Value: strings.Repeat("x", 1000)}}})
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
	size, err := b.sizeSigned(body, p)
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
