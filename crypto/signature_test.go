package crypto

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// groupOrder is n of secp256k1 (SEC 2, section 2.4.1).
func groupOrder() *big.Int {
	n, _ := new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)
	return n
}

// TestDeterministicNonce checks against vectors for RFC 6979 on this curve that circulate among implementations.
func TestDeterministicNonce(t *testing.T) {
	for _, v := range []struct{ key, message, signature string }{
		{strings.Repeat("0", 63) + "1", "Satoshi Nakamoto",
			"934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8" +
				"2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"},
		{strings.Repeat("0", 63) + "1", "All those moments will be lost in time, like tears in rain. Time to die...",
			"8600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b" +
				"547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21"},
		{"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140", "Satoshi Nakamoto",
			"fd567d121db66e382991534ada77a6bd3106f0a1098c231e47993447cd6af2d0" +
				"6b39cd0eb1bc8603e159ef5c20a5c8ad685a45b06ce9bebed3f153d10d93bed5"},
	} {
		k, err := PrivateKeyFromBytes(mustHex(t, v.key))
		if err != nil {
			t.Fatal(err)
		}
		if got := k.Sign(sha256.Sum256([]byte(v.message))); got.String() != v.signature {
			t.Errorf("%q: got %s, want %s", v.message, got, v.signature)
		}
	}
}

func TestVerifyBatch(t *testing.T) {
	a, b := testKey("a"), testKey("b")
	d, e := Sum(TagVote, []byte("d")), Sum(TagVote, []byte("e"))
	checks := []Check{
		{a.Public(), d, a.Sign(d)},
		{a.Public(), e, a.Sign(d)},
		{b.Public(), d, a.Sign(d)},
		{PublicKey{}, d, a.Sign(d)},
		{a.Public(), d, Signature{}},
		{b.Public(), e, b.Sign(e)},
	}
	want := []bool{true, false, false, false, false, true}
	cache := NewKeyCache(1)
	for range 3 {
		if got := VerifyBatch(checks); !slices.Equal(got, want) {
			t.Errorf("VerifyBatch gave %v", got)
		}
		if got := cache.VerifyBatch(checks); !slices.Equal(got, want) {
			t.Errorf("with a cache: %v", got)
		}
		if len(cache.points) > 1 {
			t.Errorf("a cache of one key holds %d", len(cache.points))
		}
	}
	if len(VerifyBatch(nil)) != 0 || !VerifyBatch(checks[:1])[0] {
		t.Error("the edges of a batch are wrong")
	}
}

func TestKeyCacheIsConcurrent(t *testing.T) {
	cache := NewKeyCache(2)
	d := Sum(TagVote)
	var checks []Check
	for _, name := range []string{"a", "b", "c", "d"} {
		k := testKey(name)
		checks = append(checks, Check{k.Public(), d, k.Sign(d)})
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 5 {
				if slices.Contains(cache.VerifyBatch(checks), false) {
					t.Error("a valid signature was refused")
				}
			}
		})
	}
	group.Wait()
}

// TestOnlyOneEncoding names every way in which r and s may leave their range.
func TestOnlyOneEncoding(t *testing.T) {
	k, d := testKey("a"), Sum(TagVote, []byte("d"))
	good := k.Sign(d)
	n := groupOrder()
	with := func(r, s *big.Int) Signature {
		var out Signature
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out
	}
	r, s := new(big.Int).SetBytes(good[:32]), new(big.Int).SetBytes(good[32:])
	half := new(big.Int).Rsh(n, 1)
	zero, top := new(big.Int), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))
	for name, bad := range map[string]Signature{
		"high s":       with(r, new(big.Int).Sub(n, s)),
		"half + 1":     with(r, new(big.Int).Add(half, big.NewInt(1))),
		"r zero":       with(zero, s),
		"s zero":       with(r, zero),
		"r is n":       with(n, s),
		"s is n":       with(r, n),
		"r above n":    with(top, s),
		"s above n":    with(r, top),
		"both zero":    {},
		"r, s swapped": with(s, new(big.Int).Sub(n, r)),
	} {
		if VerifyBatch([]Check{{k.Public(), d, bad}})[0] {
			t.Errorf("%s verifies", name)
		}
		if name == "r, s swapped" {
			continue // in range, only wrong
		}
		if err := readSignature(bad[:]); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: got %v, want ErrSignature", name, err)
		}
	}
	if err := readSignature(with(r, half).bytes()); err != nil {
		t.Errorf("s of exactly n/2: %v", err)
	}
	for _, size := range []int{0, 63, 65, 70, 72} {
		if err := readSignature(make([]byte, size)); !errors.Is(err, ErrText) {
			t.Errorf("%d bytes: got %v", size, err)
		}
	}
}

func (s Signature) bytes() []byte { return s[:] }

// TestSignatureMutations: no change of a valid signature, digest or key verifies.
func TestSignatureMutations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := testKey(rapid.StringN(1, 4, 8).Draw(t, "key"))
		d := Sum(TagVote, rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "message"))
		c := Check{k.Public(), d, k.Sign(d)}
		if !VerifyBatch([]Check{c})[0] {
			t.Fatal("a fresh signature does not verify")
		}
		if c.Signature != k.Sign(d) {
			t.Fatal("signing twice gave two signatures")
		}
		flip := byte(1) << rapid.IntRange(0, 7).Draw(t, "bit")
		switch rapid.IntRange(0, 2).Draw(t, "what") {
		case 0:
			c.Signature[rapid.IntRange(0, 63).Draw(t, "at")] ^= flip
		case 1:
			c.Digest[rapid.IntRange(0, 31).Draw(t, "at")] ^= flip
		case 2:
			c.Key[rapid.IntRange(0, 32).Draw(t, "at")] ^= flip
		}
		if VerifyBatch([]Check{c})[0] {
			t.Fatalf("verifies after a change: %+v", c)
		}
	})
}

func TestSignatureText(t *testing.T) {
	s := testKey("a").Sign(Sum(TagVote))
	var back Signature
	if err := back.UnmarshalText([]byte(s.String())); err != nil || back != s || s.IsZero() {
		t.Fatalf("round trip gave %s, %v", back, err)
	}
	for name, want := range map[string]error{
		"": ErrText, strings.Repeat("0", 128): ErrSignature, strings.Repeat("f", 128): ErrSignature, s.String() + "00": ErrText,
	} {
		if err := back.UnmarshalText([]byte(name)); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", name, err, want)
		}
	}
}

// readSignature reads the text of some bytes as a signature.
func readSignature(b []byte) error {
	return new(Signature).UnmarshalText([]byte(hex.EncodeToString(b)))
}

func FuzzSignatureText(f *testing.F) {
	s := testKey("a").Sign(Sum(TagVote))
	f.Add(s[:])
	f.Add(make([]byte, 64))
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	n, half := groupOrder(), new(big.Int).Rsh(groupOrder(), 1)
	f.Fuzz(func(t *testing.T, b []byte) {
		err := readSignature(b)
		if len(b) != SignatureSize {
			if err == nil {
				t.Fatalf("%d bytes were accepted", len(b))
			}
			return
		}
		r, s := new(big.Int).SetBytes(b[:32]), new(big.Int).SetBytes(b[32:])
		want := r.Sign() > 0 && r.Cmp(n) < 0 && s.Sign() > 0 && s.Cmp(half) <= 0
		if (err == nil) != want {
			t.Errorf("%x: got %v, big integers say %v", b, err, want)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	k, d := testKey("a"), Sum(TagVote)
	checks := []Check{{k.Public(), d, k.Sign(d)}}
	cache := NewKeyCache(1)
	for b.Loop() {
		if !cache.VerifyBatch(checks)[0] {
			b.Fatal("refused")
		}
	}
}

// The answers are by check, however many there are and however many processors share them.
func TestVerifyBatchShared(t *testing.T) {
	keys := make([]PrivateKey, 3)
	for i := range keys {
		keys[i] = testKey(string(rune('a' + i)))
	}
	for _, procs := range []int{1, 2, 3, 8} {
		before := runtime.GOMAXPROCS(procs)
		for _, n := range []int{minShare - 1, minShare, minShare + 1, 2*minShare + 1, 5*minShare + 3} {
			checks, want := make([]Check, n), make([]bool, n)
			for i := range checks {
				k, digest := keys[i%len(keys)], Sum(TagVote, []byte{byte(i)})
				checks[i] = Check{k.Public(), digest, k.Sign(digest)}
				if want[i] = i%minShare != n%minShare; !want[i] {
					checks[i].Digest[i%HashSize]++
				}
			}
			if got := VerifyBatch(checks); !slices.Equal(got, want) {
				t.Errorf("%d checks on %d processors: %v", n, procs, got)
			}
			if got := NewKeyCache(2).VerifyBatch(checks); !slices.Equal(got, want) {
				t.Errorf("%d checks on %d processors, with a cache: %v", n, procs, got)
			}
		}
		runtime.GOMAXPROCS(before)
	}
}
