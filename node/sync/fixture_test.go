package sync

import (
	"fmt"
	"slices"
	"testing"

	"waybill/consensus/quorum"
	"waybill/crypto"
)

// mac stands in for ECDSA, which would take most of the time of these tests.
type mac struct{}

func (mac) Sign(key crypto.PrivateKey, digest crypto.Hash) crypto.Signature {
	return mac{}.of(key.Public(), digest)
}

func (mac) of(key crypto.PublicKey, digest crypto.Hash) (s crypto.Signature) {
	sum := crypto.Sum(crypto.TagVote, key[:], digest[:])
	copy(s[:], sum[:])
	copy(s[32:], sum[:])
	return s
}

func (m mac) VerifyBatch(checks []crypto.Check) []bool {
	out := make([]bool, len(checks))
	for i, c := range checks {
		out[i] = c.Signature == m.of(c.Key, c.Digest)
	}
	return out
}

func testKey(i int) crypto.PrivateKey {
	seed := crypto.Sum(crypto.TagAddress, fmt.Appendf(nil, "sync validator %d", i))
	k, err := crypto.PrivateKeyFromBytes(seed[:])
	if err != nil {
		panic(err)
	}
	return k
}

type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// network is four validators of power 10 and a chain they finalized.
type network struct {
	quorum.Domain
	keys   []crypto.PrivateKey
	anchor Tip
	blocks []Block // of height 1, 2, …; every one with its certificate
}

func newNetwork(t failer, name string, height int) *network {
	t.Helper()
	var validators []quorum.Validator
	byKey := map[crypto.PublicKey]crypto.PrivateKey{}
	for i := range 4 {
		k := testKey(i)
		byKey[k.Public()] = k
		validators = append(validators, quorum.Validator{Key: k.Public(), Power: 10, Operator: k.Address()})
	}
	set, err := quorum.NewSet(validators)
	if err != nil {
		t.Fatal(err)
	}
	genesis := crypto.Sum(crypto.TagGenesis, []byte(name))
	n := &network{
		Domain: quorum.Domain{Genesis: genesis, Set: set, Checker: mac{}},
		anchor: Tip{Hash: crypto.Sum(crypto.TagHeader, []byte(name)), TimeMs: 1_700_000_000_000},
	}
	for _, v := range set.Validators() {
		n.keys = append(n.keys, byKey[v.Key])
	}
	tip := n.anchor
	for range height {
		b := n.next(tip, fmt.Sprintf("block after %d", tip.Height), "more")
		n.seal(t, &b, 4)
		n.blocks = append(n.blocks, b)
		tip = tipOf(b)
	}
	return n
}

func tipOf(b Block) Tip {
	return Tip{Height: b.Header.Height, Hash: b.Header.Hash(), TimeMs: b.Header.TimeMs}
}

// tip is the end of the chain after a height.
func (n *network) tip(h int) Tip {
	if h == 0 {
		return n.anchor
	}
	return tipOf(n.blocks[h-1])
}

// next makes a block without certificate.
func (n *network) next(tip Tip, payload ...string) Block {
	b := Block{Header: quorum.Header{
		Version: quorum.HeaderVersion, Genesis: n.Genesis, View: quorum.View(tip.Height + 1), Height: tip.Height + 1,
		Parent: tip.Hash, ParentView: quorum.View(tip.Height), TimeMs: tip.TimeMs + 10, ValidatorSet: n.Set.Hash(),
	}}
	for _, p := range payload {
		b.Payload = append(b.Payload, []byte(p))
		b.Header.PayloadBytes += uint32(len(p))
	}
	b.Header.TxCount = uint32(len(payload))
	b.Header.PayloadRoot = quorum.PayloadRoot(b.Payload)
	return b
}

// seal lets the first signers finalize a block, with power enough or not.
func (n *network) seal(t failer, b *Block, signers int) {
	t.Helper()
	b.Certificate = n.certificate(t, quorum.Vote{Kind: quorum.KindFinalize, View: b.Header.View, Height: b.Header.Height, Block: b.Header.Hash()}, signers)
}

func (n *network) certificate(t failer, like quorum.Vote, signers int) *quorum.Certificate {
	t.Helper()
	c := quorum.Certificate{Kind: like.Kind, Epoch: like.Epoch, View: like.View, Height: like.Height, Block: like.Block, Bitmap: []byte{0}}
	for i := range signers {
		like.Signer = uint16(i)
		c.Bitmap[0] |= 1 << i
		c.Signatures = append(c.Signatures, quorum.SignVote(n.Domain, n.keys[i], like).Signature)
	}
	return &c
}

// run is the truthful answer for the blocks above height h, at most most of them.
func (n *network) run(h, most int) []Block {
	return TrimAnswer(slices.Clone(n.blocks[h:min(h+most, len(n.blocks))]))
}

func equalBlocks(t *testing.T, got, want []Block) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d blocks, want %d", len(got), len(want))
	}
	if string(EncodeBlocks(got)) != string(EncodeBlocks(want)) {
		t.Fatal("the blocks are not those that were sent")
	}
}
