package quorum

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"waybill/crypto"
)

// The files under testdata are frozen: they change only with a new version of a hashed or signed form.
var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// golden compares vectors with testdata/name.json.
func golden(t *testing.T, name string, vectors any) {
	t.Helper()
	got, err := json.MarshalIndent(vectors, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what this build makes; a hashed or signed form has changed\ngot:\n%s", path, got)
	}
}

type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// network is validators whose keys everybody knows.
type network struct {
	Domain
	keys   []crypto.PrivateKey // by index in the set
	slate  *Slate
	anchor Anchor
}

func testKey(i int) crypto.PrivateKey {
	seed := crypto.Sum(crypto.TagAddress, fmt.Appendf(nil, "validator %d", i))
	k, err := crypto.PrivateKeyFromBytes(seed[:])
	if err != nil {
		panic(err)
	}
	return k
}

func newNetwork(t failer, powers ...Power) *network {
	t.Helper()
	byKey := map[crypto.PublicKey]crypto.PrivateKey{}
	var validators []Validator
	for i, p := range powers {
		k := testKey(i)
		byKey[k.Public()] = k
		validators = append(validators, Validator{Key: k.Public(), Power: p, Operator: k.Address()})
	}
	set, err := NewSet(validators)
	if err != nil {
		t.Fatal(err)
	}
	n := &network{
		Domain: Domain{Genesis: crypto.Sum(crypto.TagGenesis, []byte("test")), Set: set},
		slate:  NewSlate(set, crypto.Sum(crypto.TagSlate, []byte("test"))),
		anchor: Anchor{Hash: crypto.Sum(crypto.TagHeader, []byte("genesis block")), TimeMs: 1_700_000_000_000},
	}
	for _, v := range set.Validators() {
		n.keys = append(n.keys, byKey[v.Key])
	}
	return n
}

// block is a made-up block hash.
func block(name string) crypto.Hash { return crypto.Sum(crypto.TagHeader, []byte(name)) }

func (n *network) sign(v Vote) Vote { return SignVote(n.Domain, n.keys[v.Signer], v) }

// vote signs a vote of epoch 1 for a block of height view; a nullify ignores name.
func (n *network) vote(kind VoteKind, view View, name string, signer int) Vote {
	v := Vote{Kind: kind, Epoch: 1, View: view, Signer: uint16(signer)}
	if kind != KindNullify {
		v.Height, v.Block = Height(view), block(name)
	}
	return n.sign(v)
}

func (n *network) verified(t failer, votes ...Vote) []VerifiedVote {
	t.Helper()
	var out []VerifiedVote
	for i, r := range VerifyVotes(n.Domain, votes) {
		if r.Err != nil {
			t.Fatalf("vote %d: %v", i, r.Err)
		}
		out = append(out, r.Verified)
	}
	return out
}

// certify makes the certificate that all validators sign.
func (n *network) certify(t failer, like Vote) Certificate {
	t.Helper()
	var votes []Vote
	for i := range n.keys {
		like.Signer = uint16(i)
		votes = append(votes, n.sign(like))
	}
	c, err := Certify(n.Domain, n.verified(t, votes...))
	if err != nil {
		t.Fatal(err)
	}
	return c.Certificate()
}

func (n *network) nullification(t failer, view View) Certificate {
	return n.certify(t, Vote{Kind: KindNullify, Epoch: 1, View: view})
}

func (n *network) notarization(t failer, h Header) Certificate {
	v := h.Statement()
	v.Kind = KindNotarize
	return n.certify(t, v)
}

// propose makes a valid proposal of epoch 1 for a view on the anchor (parent nil) or on a notarized header.
func (n *network) propose(t failer, view View, parent *Header, payload ...[]byte) Proposal {
	t.Helper()
	p := Proposal{Payload: payload}
	p.Header = Header{
		Version: HeaderVersion, Genesis: n.Genesis, Epoch: 1, View: view, Height: n.anchor.Height + 1,
		Parent: n.anchor.Hash, TimeMs: n.anchor.TimeMs + 1000*int64(view), ValidatorSet: n.Set.Hash(),
		Params: crypto.Sum(crypto.TagParams, []byte("test")),
	}
	if parent != nil {
		c := n.notarization(t, *parent)
		p.Justification.Parent = &c
		p.Header.Parent, p.Header.ParentView, p.Header.Height = parent.Hash(), parent.View, parent.Height+1
	}
	for v := p.Header.ParentView + 1; v < view; v++ {
		p.Justification.Skip = append(p.Justification.Skip, n.nullification(t, v))
	}
	return n.seal(p)
}

// seal signs p by the leader of its view.
func (n *network) seal(p Proposal) Proposal {
	leader := n.slate.Leader(p.Header.View)
	p.Header.Proposer = uint16(leader)
	return SignProposal(n.Domain, n.keys[leader], p)
}

// compact turns each vector into one line of JSON, so that long lists of numbers stay readable.
func compact[T any](vectors []T) []json.RawMessage {
	var out []json.RawMessage
	for _, v := range vectors {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		out = append(out, b)
	}
	return out
}

// closing makes a closing block of epoch 1 for a view on a header.
func (n *network) closing(t failer, view View, parent *Header) Proposal {
	p := n.propose(t, view, parent, []byte("tx"))
	p.Header.Flags, p.Header.NextValidatorSet = FlagClosing, block("next set")
	return n.seal(p)
}

// tail makes a tail of a closing block, on that block or on another tail.
func (n *network) tail(t failer, view View, parent, closing *Header) Proposal {
	p := n.propose(t, view, parent)
	p.Header.Flags, p.Header.Closing = FlagTail, closing.Hash()
	p.Header.Height, p.Header.Params = parent.Height, crypto.Hash{}
	return n.seal(p)
}

// finalization is by all validators.
func (n *network) finalization(t failer, h Header) VerifiedCertificate {
	t.Helper()
	v := h.Statement()
	v.Kind = KindFinalize
	c, err := VerifyCertificate(n.Domain, n.certify(t, v))
	if err != nil {
		t.Fatal(err)
	}
	return c
}
