package light

import (
	"fmt"
	"reflect"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// TestForgedHeaderCorpus: a header that differs from the final one in one field, or lies ahead of it, is refused with
// every certificate that validators without a quorum can make for it: the old one, the old one renamed, their own true
// signatures, and these padded with copies or with what others signed for the real block. So is it as the end of an epoch.
func TestForgedHeaderCorpus(t *testing.T) {
	w := newWorld(t)
	real, cert := w.headers[1], w.certs[1]
	start := Checkpoint{Genesis: w.domain.Genesis, Set: w.domain.Set, Anchor: quorum.Header{Genesis: w.domain.Genesis, ValidatorSet: w.domain.Set.Hash()}}
	tried, accepted := 0, 0
	for what, h := range forgedHeaders(&real, w.domain.Set) {
		renamed := cert
		renamed.Block, renamed.Height, renamed.View, renamed.Epoch = h.Hash(), h.Height, h.View, h.Epoch
		certs := map[string]quorum.Certificate{"the old one": cert, "the old one renamed": renamed}
		for mask := 1; mask < 1<<w.domain.Set.Len(); mask++ {
			if powerOf(mask, w.domain.Set) < w.domain.Set.Quorum() {
				own := w.signedBy(h, mask)
				certs[fmt.Sprintf("signed by %04b", mask)] = own
				padded := own
				padded.Bitmap = []byte{1<<w.domain.Set.Len() - 1}
				padded.Signatures = nil
				for i := range w.domain.Set.Len() {
					padded.Signatures = append(padded.Signatures, own.Signatures[i%len(own.Signatures)])
				}
				certs[fmt.Sprintf("signed by %04b, copied", mask)] = padded
			}
		}
		for by, c := range certs {
			tried++
			if _, err := VerifyHeader(w.domain, h, c); err == nil {
				accepted++
				t.Errorf("%s, %s: accepted", what, by)
			}
			if _, err := start.Verify([]quorum.Header{w.headers[0], h}, c); err == nil {
				t.Errorf("%s, %s: accepted on a path", what, by)
			}
			if _, err := start.Advance(h, c, w.domain.Set); err == nil {
				t.Errorf("%s, %s: accepted as the end of the epoch", what, by)
			}
		}
	}
	t.Logf("%d forged headers, %d accepted", tried, accepted)
	if tried < 200 {
		t.Errorf("only %d were tried", tried)
	}
	if _, err := VerifyHeader(w.domain, real, cert); err != nil {
		t.Fatal(err) // else the corpus would show nothing
	}
}

// forgedHeaders changes one field each; the last few lie ahead of the chain, which nobody can compare with a real block.
func forgedHeaders(real *quorum.Header, set *quorum.Set) map[string]quorum.Header {
	out := map[string]quorum.Header{}
	fields := reflect.TypeOf(*real)
	for i := range fields.NumField() {
		h := *real
		f := reflect.ValueOf(&h).Elem().Field(i)
		switch f.Kind() {
		case reflect.Array:
			f.Index(9).SetUint(f.Index(9).Uint() ^ 0x10)
		case reflect.Int64:
			f.SetInt(f.Int() + 1)
		default:
			f.SetUint(f.Uint() ^ 1)
		}
		out[fields.Field(i).Name] = h
	}
	for _, ahead := range []quorum.Height{1, 1000, 1 << 40} {
		h := *real
		h.Height, h.View, h.TimeMs, h.Parent = h.Height+ahead, h.View+quorum.View(ahead), h.TimeMs+int64(ahead), crypto.Hash{byte(ahead)}
		out[fmt.Sprintf("%d ahead", ahead)] = h
		h.Flags, h.NextValidatorSet = quorum.FlagClosing, set.Hash()
		out[fmt.Sprintf("%d ahead, closing", ahead)] = h
	}
	return out
}

func powerOf(mask int, set *quorum.Set) (sum quorum.Power) {
	for i := range set.Len() {
		if mask>>i&1 == 1 {
			sum += set.At(i).Power
		}
	}
	return sum
}

// signedBy is a certificate of true signatures by some validators, however few.
func (w *world) signedBy(h quorum.Header, mask int) quorum.Certificate {
	c := quorum.Certificate{Kind: quorum.KindFinalize, Epoch: h.Epoch, View: h.View, Height: h.Height, Block: h.Hash(), Bitmap: []byte{byte(mask)}}
	for i := range w.domain.Set.Len() {
		for j := range 4 {
			if k := testKey(fmt.Sprint("validator ", j)); mask>>i&1 == 1 && k.Public() == w.domain.Set.At(i).Key {
				v := quorum.Vote{Kind: c.Kind, Epoch: c.Epoch, View: c.View, Height: c.Height, Block: c.Block, Signer: uint16(i)}
				c.Signatures = append(c.Signatures, quorum.SignVote(w.domain, k, v).Signature)
			}
		}
	}
	return c
}
