package node

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	blocksync "waybill/node/sync"
	"waybill/p2p"
)

var updateGolden = flag.Bool("update", false, "write the golden files instead of comparing with them")

type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// wireNetwork is four validators whose keys everybody knows, by index in the set.
type wireNetwork struct {
	*Epoch
	keys []crypto.PrivateKey
}

func newWireNetwork(t failer) *wireNetwork {
	t.Helper()
	var validators []quorum.Validator
	byKey := map[crypto.PublicKey]crypto.PrivateKey{}
	for i := range 4 {
		seed := crypto.Sum(crypto.TagAddress, fmt.Appendf(nil, "wire validator %d", i))
		k, err := crypto.PrivateKeyFromBytes(seed[:])
		if err != nil {
			t.Fatal(err)
		}
		byKey[k.Public()] = k
		validators = append(validators, quorum.Validator{Key: k.Public(), Power: 10, Operator: k.Address()})
	}
	set, err := quorum.NewSet(validators)
	if err != nil {
		t.Fatal(err)
	}
	genesis := crypto.Sum(crypto.TagGenesis, []byte("wire"))
	anchor := quorum.Header{
		Version: quorum.HeaderVersion, Genesis: genesis, Epoch: 1, View: 9, Parent: crypto.Sum(crypto.TagHeader, []byte("wire")),
		TimeMs: 1_700_000_000_000, ValidatorSet: set.Hash(), NextValidatorSet: set.Hash(), Flags: quorum.FlagClosing,
	}
	n := &wireNetwork{Epoch: NewEpoch(genesis, crypto.PublicKey{}, nil, EpochInfo{
		Number: 2, Set: set, Anchor: anchor, Peers: []p2p.PeerID{"p0", "p1", "p2", "p3"},
	})}
	for _, v := range set.Validators() {
		n.keys = append(n.keys, byKey[v.Key])
	}
	return n
}

func (n *wireNetwork) vote(kind quorum.VoteKind, view quorum.View, signer int) quorum.Vote {
	v := quorum.Vote{Kind: kind, Epoch: n.Number, View: view, Signer: uint16(signer)}
	if kind != quorum.KindNullify {
		v.Height, v.Block = quorum.Height(view), crypto.Sum(crypto.TagHeader, []byte("block"))
	}
	return quorum.SignVote(n.Domain, n.keys[signer], v)
}

func (n *wireNetwork) certificate(t failer, kind quorum.VoteKind, view quorum.View) quorum.VerifiedCertificate {
	t.Helper()
	var votes []quorum.Vote
	for i := range n.keys {
		votes = append(votes, n.vote(kind, view, i))
	}
	c, err := quorum.Certify(n.Domain, n.verified(t, votes...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (n *wireNetwork) verified(t failer, votes ...quorum.Vote) (out []quorum.VerifiedVote) {
	t.Helper()
	for _, r := range quorum.VerifyVotes(n.Domain, votes) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		out = append(out, r.Verified)
	}
	return out
}

func (n *wireNetwork) proposal(t failer, payload ...[]byte) quorum.VerifiedProposal {
	t.Helper()
	leader := n.Slate.Leader(1)
	p := quorum.SignProposal(n.Domain, n.keys[leader], quorum.Proposal{
		Header: quorum.Header{
			Version: quorum.HeaderVersion, Genesis: n.Domain.Genesis, Epoch: n.Number, View: 1, Height: 1, Parent: n.Anchor.Hash,
			TimeMs: n.Anchor.TimeMs + 1, Proposer: uint16(leader), ValidatorSet: n.Domain.Set.Hash(),
		},
		Payload: payload,
	})
	v, err := quorum.VerifyProposal(n.Domain, n.Slate, n.Anchor, p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var wireStatus = consensus.Status{Epoch: 2, View: 3, FinalHeight: 4, FinalView: 5, Missing: 6, HasWork: true}

// messages is one message of every kind.
func (n *wireNetwork) messages(t failer) map[messageKind][]byte {
	t.Helper()
	proposal := n.proposal(t, []byte("first"), []byte("second"))
	certificate := n.certificate(t, quorum.KindFinalize, 1)
	out := map[messageKind][]byte{
		messageTransactions:    EncodeTransactions([][]byte{[]byte("first"), []byte("second")})[0],
		messageBlockRequest:    encodeBlockRequest(blocksync.Request{From: 7, Max: 64}),
		messageBlocks:          append([]byte{byte(messageBlocks)}, blocksync.EncodeBlocks([]blocksync.Block{{Header: proposal.Header(), Payload: proposal.Proposal().Payload}})...),
		messageProposalRequest: encodeProposalRequest(proposal.Hash()),
	}
	for _, o := range []consensus.Outgoing{
		{Status: wireStatus}, {Status: wireStatus, Proposal: &proposal}, {Status: wireStatus, Certificate: &certificate},
		{Status: wireStatus, Votes: n.verified(t, n.vote(quorum.KindNotarize, 1, 0), n.vote(quorum.KindNullify, 2, 1))},
	} {
		kind, msg := encodeOutgoing(o)
		out[kind] = msg
	}
	return out
}

// TestGoldenMessages freezes the bytes of every kind of message: nodes of different versions exchange them.
func TestGoldenMessages(t *testing.T) {
	messages := newWireNetwork(t).messages(t)
	if len(messages) != 8 {
		t.Fatalf("%d kinds", len(messages))
	}
	var text strings.Builder
	for kind := messageKind(1); kind <= 8; kind++ {
		fmt.Fprintf(&text, "%d %s\n", kind, hex.EncodeToString(messages[kind]))
	}
	path := filepath.Join("testdata", "messages.txt")
	if *updateGolden {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text.String() != string(want) {
		t.Errorf("the bytes of messages changed; they are now\n%s", text.String())
	}
}

func TestVerifyTellsWhatWasSent(t *testing.T) {
	n := newWireNetwork(t)
	for kind, msg := range n.messages(t) {
		in, err := n.Verify("peer", msg)
		if err != nil || in == nil || in.kind != kind || in.From != "peer" {
			t.Fatalf("kind %d: %+v, %v", kind, in, err)
		}
		if kind <= messageStatus && in.status != wireStatus {
			t.Errorf("kind %d: status %+v", kind, in.status)
		}
		var again []byte
		switch kind {
		case messageVotes:
			again = encodeVotes(in.status, in.votes)
		case messageProposal:
			_, again = encodeOutgoing(consensus.Outgoing{Status: in.status, Proposal: &in.proposal})
		case messageCertificate:
			_, again = encodeOutgoing(consensus.Outgoing{Status: in.status, Certificate: &in.certificate})
		case messageStatus:
			_, again = encodeOutgoing(consensus.Outgoing{Status: in.status})
		case messageTransactions:
			again = EncodeTransactions(in.Transactions())[0]
		case messageBlockRequest:
			again = encodeBlockRequest(blocksync.Request{From: in.first, Max: in.most})
		case messageBlocks:
			again = append([]byte{byte(messageBlocks)}, in.blocks...)
		case messageProposalRequest:
			again = encodeProposalRequest(in.hash)
		}
		if !bytes.Equal(again, msg) {
			t.Errorf("kind %d: what was understood is not what was sent", kind)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	n := newWireNetwork(t)
	messages := n.messages(t)
	with := func(kind messageKind, body []byte) []byte { return withStatus(kind, wireStatus, body) }
	many := func(count int) (body []byte) {
		v := n.vote(quorum.KindNullify, 1, 0).Encode()
		return slices.Repeat(v, count)
	}
	length := func(n uint32, rest ...byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{byte(messageTransactions)}, n), rest...)
	}
	broken := n.vote(quorum.KindNullify, 1, 0)
	broken.Signature[5] ^= 1
	foreignEpoch := n.vote(quorum.KindNullify, 1, 0)
	foreignEpoch.Epoch = 3
	foreignEpoch = quorum.SignVote(n.Domain, n.keys[0], foreignEpoch)
	for name, msg := range map[string][]byte{
		"nothing":                     {},
		"no votes":                    with(messageVotes, nil),
		"too many votes":              with(messageVotes, many(maxVotesPerMessage+1)),
		"a vote and a byte":           with(messageVotes, append(many(1), 0)),
		"a vote with a bad signature": with(messageVotes, broken.Encode()),
		"a status and a byte":         with(messageStatus, []byte{0}),
		"a status with flag 2":        append([]byte{byte(messageStatus)}, append(make([]byte, consensus.StatusSize-1), 2)...),
		"no proposal":                 with(messageProposal, nil),
		"a proposal and a byte":       append(slices.Clone(messages[messageProposal]), 0),
		"no certificate":              with(messageCertificate, nil),
		"a certificate and a byte":    append(slices.Clone(messages[messageCertificate]), 0),
		"a short block request":       messages[messageBlockRequest][:10],
		"a long block request":        append(slices.Clone(messages[messageBlockRequest]), 0),
		"a short proposal request":    messages[messageProposalRequest][:32],
		"a long proposal request":     append(slices.Clone(messages[messageProposalRequest]), 0),
		"an empty transaction":        length(0),
		"a transaction of 4 GiB":      length(0xffffffff, 1, 2, 3),
		"a transaction too short":     length(4, 1, 2, 3),
		"half a length":               {byte(messageTransactions), 0, 0, 0},
		"too many transactions":       append([]byte{byte(messageTransactions)}, slices.Repeat([]byte{0, 0, 0, 1, 7}, maxTransactionsPerMessage+1)...),
	} {
		if in, err := n.Verify("peer", msg); err == nil {
			t.Errorf("%s: %+v", name, in)
		}
	}
	for kind := messageVotes; kind <= messageStatus; kind++ {
		for cut := 1; cut <= consensus.StatusSize; cut++ {
			if _, err := n.Verify("peer", messages[kind][:cut]); !errors.Is(err, errMalformed) {
				t.Fatalf("kind %d cut to %d bytes: %v", kind, cut, err)
			}
		}
	}
	in, err := n.Verify("peer", with(messageVotes, foreignEpoch.Encode()))
	if err != nil || len(in.votes) != 0 {
		t.Errorf("a vote of another epoch: %+v, %v", in, err)
	}
	in, err = n.Verify("peer", with(messageVotes, append(broken.Encode(), n.vote(quorum.KindNullify, 2, 1).Encode()...)))
	if err != nil || len(in.votes) != 1 || in.votes[0].Vote().View != 2 {
		t.Errorf("a good vote behind a bad one: %+v, %v", in, err)
	}
}

func TestVerifyAtTheLimits(t *testing.T) {
	n := newWireNetwork(t)
	var votes []byte
	for i := range maxVotesPerMessage {
		votes = append(votes, n.vote(quorum.KindNullify, quorum.View(i+1), i%4).Encode()...)
	}
	if in, err := n.Verify("peer", withStatus(messageVotes, wireStatus, votes)); err != nil || len(in.votes) != maxVotesPerMessage {
		t.Errorf("%d votes: %v", maxVotesPerMessage, err)
	}
	if in, err := n.Verify("peer", append([]byte{byte(messageTransactions)}, slices.Repeat([]byte{0, 0, 0, 1, 7}, maxTransactionsPerMessage)...)); err != nil || len(in.Transactions()) != maxTransactionsPerMessage {
		t.Errorf("%d transactions: %v", maxTransactionsPerMessage, err)
	}
	if in, err := n.Verify("peer", encodeBlockRequest(blocksync.Request{From: 1<<64 - 1, Max: 1<<16 - 1})); err != nil || in.first != 1<<64-1 || in.most != 1<<16-1 {
		t.Errorf("the largest block request: %+v, %v", in, err)
	}
	if in, err := n.Verify("peer", []byte{byte(messageTransactions)}); err != nil || in.Transactions() != nil {
		t.Errorf("no transactions: %+v, %v", in, err)
	}
}

// TestUnknownKinds are ignored without blame: a later version may send them.
func TestUnknownKinds(t *testing.T) {
	n := newWireNetwork(t)
	for kind := range 256 {
		if kind >= int(messageVotes) && kind <= int(messageProposalRequest) || kind >= 16 && kind <= 21 { // these are known: 16 to 21 are state sync's
			continue
		}
		if in, err := n.Verify("peer", []byte{byte(kind), 1, 2, 3}); in != nil || err != nil {
			t.Errorf("kind %d: %+v, %v", kind, in, err)
		}
	}
}

func TestEncodeTransactions(t *testing.T) {
	size := func(n int) []byte { return bytes.Repeat([]byte{byte(n)}, n) }
	most := maxTransactionsBytes - 1 - 4
	for name, c := range map[string]struct {
		raws [][]byte
		want []int // transactions in each message
	}{
		"none":               {nil, nil},
		"one":                {[][]byte{size(1)}, []int{1}},
		"to the last byte":   {[][]byte{size(most - 5), size(1)}, []int{2}},
		"one byte too many":  {[][]byte{size(most - 4), size(1)}, []int{1, 1}},
		"a giant between":    {[][]byte{size(1), size(2 * most), size(1)}, []int{1, 1, 1}},
		"as many as allowed": {slices.Repeat([][]byte{size(1)}, maxTransactionsPerMessage), []int{maxTransactionsPerMessage}},
		"one more":           {slices.Repeat([][]byte{size(1)}, maxTransactionsPerMessage+1), []int{maxTransactionsPerMessage, 1}},
	} {
		var counts []int
		var all [][]byte
		for _, msg := range EncodeTransactions(c.raws) {
			raws, err := decodeTransactions(msg[1:])
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(raws) > 1 && len(msg) > maxTransactionsBytes {
				t.Errorf("%s: a message of %d bytes", name, len(msg))
			}
			counts, all = append(counts, len(raws)), append(all, raws...)
		}
		if !slices.Equal(counts, c.want) || !slices.EqualFunc(all, c.raws, bytes.Equal) {
			t.Errorf("%s: %v transactions in the messages, want %v", name, counts, c.want)
		}
	}
}

// TestClasses: nothing large goes before votes.
func TestClasses(t *testing.T) {
	want := map[messageKind]p2p.Class{
		messageVotes: p2p.ClassConsensus, messageProposal: p2p.ClassConsensus, messageStatus: p2p.ClassConsensus,
		messageCertificate: p2p.ClassCertificate, messageProposalRequest: p2p.ClassCertificate,
		messageTransactions: p2p.ClassBatch, messageBlockRequest: p2p.ClassSync, messageBlocks: p2p.ClassSync,
	}
	for kind, class := range want {
		if classOf(kind) != class {
			t.Errorf("kind %d goes with class %s", kind, classOf(kind))
		}
	}
}

// FuzzVerify: no panic, and memory in proportion, whatever a peer sends.
func FuzzVerify(f *testing.F) {
	n := newWireNetwork(f)
	for _, msg := range n.messages(f) {
		f.Add(msg)
		f.Add(msg[:len(msg)/2])
	}
	f.Add([]byte{})
	f.Add([]byte{9})
	f.Add(append([]byte{byte(messageTransactions)}, slices.Repeat([]byte{0, 0, 0, 1, 7}, 1000)...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		in, err := n.Verify("peer", raw)
		runtime.ReadMemStats(&after)
		if used, most := after.TotalAlloc-before.TotalAlloc, uint64(16*len(raw)+64<<10); used > most {
			t.Fatalf("%d bytes made it allocate %d", len(raw), used)
		}
		if err != nil && in != nil {
			t.Fatal("a message and an error")
		}
		if in != nil && in.kind != messageKind(raw[0]) {
			t.Fatal("another kind than was sent")
		}
	})
}
