package quorum

import (
	"bytes"
	"testing"
)

// fuzzDecoder checks that what a decoder accepts encodes to the same bytes.
func fuzzDecoder[T any](f *testing.F, decode func([]byte) (T, error), encode func(T) []byte, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
		f.Add(s[:len(s)/2])
		f.Add(append(bytes.Clone(s), 0))
		flipped := bytes.Clone(s)
		flipped[len(s)/3] ^= 0x40
		f.Add(flipped)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := decode(data)
		if err != nil {
			return
		}
		if again := encode(v); !bytes.Equal(again, data) {
			t.Errorf("%x decodes to what encodes as %x", data, again)
		}
	})
}

func FuzzDecodeHeader(f *testing.F) {
	fuzzDecoder(f, DecodeHeader, Header.Encode, sampleHeader().Encode(), Header{Version: HeaderVersion}.Encode())
}

func FuzzDecodeVote(f *testing.F) {
	n := newNetwork(f, 1, 1)
	fuzzDecoder(f, DecodeVote, Vote.Encode, n.vote(KindNotarize, 1, "b", 0).Encode(), n.vote(KindNullify, 1, "", 1).Encode())
}

func FuzzDecodeCertificate(f *testing.F) {
	n := newNetwork(f, 1, 1, 1, 1)
	like := n.vote(KindNotarize, 1, "b", 0)
	fuzzDecoder(f, DecodeCertificate, Certificate.Encode, n.certify(f, like).Encode(), n.nullification(f, 3).Encode())
}

func FuzzDecodeJustification(f *testing.F) {
	n := newNetwork(f, 1, 1, 1, 1)
	first := n.propose(f, 1, nil)
	fuzzDecoder(f, DecodeJustification, Justification.Encode,
		Justification{}.Encode(), n.propose(f, 4, &first.Header).Justification.Encode())
}

func FuzzDecodeProposal(f *testing.F) {
	n := newNetwork(f, 1, 1, 1, 1)
	first := n.propose(f, 1, nil, []byte("tx"))
	fuzzDecoder(f, DecodeProposal, Proposal.Encode, first.Encode(), n.propose(f, 3, &first.Header, []byte("a"), []byte("b")).Encode())
}

func FuzzDecodeEvidence(f *testing.F) {
	n := newNetwork(f, 1, 1)
	v := n.verified(f, n.vote(KindNotarize, 5, "x", 1), n.vote(KindFinalize, 5, "y", 1))
	e, err := NewEvidence(v[0], v[1])
	if err != nil {
		f.Fatal(err)
	}
	fuzzDecoder(f, DecodeEvidence, Evidence.Encode, e.Encode())
}

// FuzzVerifyProposal feeds decoded proposals to the verifier: whatever the bytes, it answers, and only the leader's own
// proposal is accepted.
func FuzzVerifyProposal(f *testing.F) {
	n := newNetwork(f, 1, 2, 3, 10)
	first := n.propose(f, 1, nil, []byte("tx"))
	second := n.propose(f, 3, &first.Header, []byte("a"), []byte("b"))
	honest := map[string]bool{string(first.Encode()): true, string(second.Encode()): true}
	for b := range honest {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := DecodeProposal(data)
		if err != nil {
			return
		}
		if _, err := VerifyProposal(n.Domain, n.slate, n.anchor, p); err == nil && !honest[string(data)] {
			t.Errorf("accepted a proposal that no leader made: %x", data)
		}
	})
}
