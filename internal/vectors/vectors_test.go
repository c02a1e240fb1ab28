package vectors

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/epcis"
	"waybill/epcis/gs1"
	"waybill/ledger"
)

var rewrite = flag.Bool("rewrite-vectors", false, "write testdata/*.json anew")

// texts is one side of a vector.
type texts map[string]string

// vector is one case of a file.
type vector struct {
	Name string `json:"name"`
	In   texts  `json:"in"`
	Want texts  `json:"want"`
}

// subject is one file: where its inputs come from, and what they lead to.
type subject struct {
	inputs  func() []vector
	compute func(texts) (texts, error)
}

var subjects = map[string]subject{
	"address":     {addressInputs, address},
	"addresstext": {addressTextInputs, addressText},
	"hash":        {hashInputs, hash},
	"signature":   {signatureInputs, signature},
	"merkle":      {merkleInputs, merkle},
	"inclusion":   {inclusionInputs, inclusion},
	"statetree":   {stateTreeInputs, stateTree},
	"stateproof":  {stateProofInputs, stateProof},
	"vote":        {voteInputs, vote},
	"header":      {headerInputs, header},
	"certificate": {certificateInputs, certificate},
	"identifier":  {identifierInputs, identifier},
	"event":       {eventInputs, event},
	"transaction": {transactionInputs, transaction},
}

// least is how many vectors there must be in all.
const least = 500

// TestVectors computes every vector anew.
func TestVectors(t *testing.T) {
	total, refused := 0, 0
	for _, name := range slices.Sorted(maps.Keys(subjects)) {
		t.Run(name, func(t *testing.T) {
			s, path := subjects[name], filepath.Join("testdata", name+".json")
			if *rewrite {
				s.write(t, path)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var list []vector
			if err := json.Unmarshal(data, &list); err != nil {
				t.Fatal(err)
			}
			for _, v := range list {
				got := outcome(s.compute(v.In))
				if !maps.Equal(got, v.Want) {
					t.Errorf("%s:\n got %v\nwant %v", v.Name, got, v.Want)
				}
				if total++; v.Want["refused"] != "" {
					refused++
				}
			}
		})
	}
	t.Logf("%d vectors, %d of them refused", total, refused)
	if total < least && !t.Failed() {
		t.Errorf("%d vectors; at least %d", total, least)
	}
}

func (s subject) write(t *testing.T, path string) {
	list := s.inputs()
	for i := range list {
		list[i].Want = outcome(s.compute(list[i].In))
	}
	data, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// outcome is what is compared: the result, or the reason of the refusal.
func outcome(got texts, err error) texts {
	if err == nil {
		return got
	}
	return texts{"refused": reason(err)}
}

// reason is the kind of an error of any package.
func reason(err error) string {
	var (
		c crypto.Kind
		q quorum.ErrorKind
		g gs1.ErrorKind
		e epcis.Kind
		l ledger.FormKind
	)
	switch {
	case errors.As(err, &l):
		return string(l)
	case errors.As(err, &q):
		return string(q)
	case errors.As(err, &e):
		return string(e)
	case errors.As(err, &g):
		return string(g)
	case errors.As(err, &c):
		return string(c)
	}
	return "malformed"
}

// bytes reads hex digits of a vector; what is none is a fault of the file.
func (t texts) bytes(name string) []byte {
	b, err := hex.DecodeString(t[name])
	if err != nil {
		panic(fmt.Sprintf("%s is not hex: %q", name, t[name]))
	}
	return b
}

func (t texts) hash(name string) crypto.Hash { return crypto.Hash(t.bytes(name)) }

// list reads texts that stand one after the other, separated by commas, each as hex digits; "" is the empty list, "-" a
// list of one empty element.
func (t texts) list(name string) [][]byte {
	if t[name] == "" {
		return nil
	}
	var out [][]byte
	for part := range strings.SplitSeq(t[name], ",") {
		out = append(out, texts{"": strings.TrimPrefix(part, "-")}.bytes(""))
	}
	return out
}

func join(list [][]byte) string {
	parts := make([]string, len(list))
	for i, b := range list {
		if parts[i] = hex.EncodeToString(b); len(b) == 0 {
			parts[i] = "-"
		}
	}
	return strings.Join(parts, ",")
}

// some are bytes that look random and are the same for ever.
func some(label string, n int) []byte {
	var out []byte
	for i := 0; len(out) < n; i++ {
		h := crypto.Sum(crypto.TagStateKey, fmt.Appendf(nil, "%s %d", label, i))
		out = append(out, h[:]...)
	}
	return out[:n]
}

func keyOf(label string) crypto.PrivateKey {
	k, err := crypto.PrivateKeyFromBytes(some(label, crypto.PrivateKeySize))
	if err != nil {
		panic(err)
	}
	return k
}

// flip returns a copy with one bit changed.
func flip(b []byte, bit int) []byte {
	c := slices.Clone(b)
	c[bit/8%len(c)] ^= 1 << (bit % 8)
	return c
}
