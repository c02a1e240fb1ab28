package node

import (
	"math"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger/snapshot"
	blocksync "waybill/node/sync"
	"waybill/p2p"
)

// TestStateMessages: requests of any numbers are decoded and answered within bounds, in the kind that belongs to them;
// malformed ones are the sender's fault; answers that come to a running node are dropped undecoded, without blame.
func TestStateMessages(t *testing.T) {
	library, err := snapshot.OpenLibrary(vfs.NewMem(), "snapshots")
	if err != nil {
		t.Fatal(err)
	}
	e := &Epoch{}
	for _, n := range []uint64{0, 1, 64, 65, math.MaxInt64, math.MaxUint64} {
		for _, r := range []blocksync.StateRequest{
			{Kind: blocksync.AskSnapshot, Below: quorum.Height(n)}, {Kind: blocksync.AskChunk, Manifest: crypto.Hash{1}, Index: int(n % (1 << 31))},
		} {
			raw := encodeStateRequest(&r)
			in, err := e.Verify("peer", raw)
			if err != nil || in.state == nil || *in.state != r {
				t.Fatalf("%+v: %+v, %v", r, in, err)
			}
			s := newStateServer(nil, library)
			answer := s.answer(1, "peer", *in.state)
			if len(answer) == 0 || len(answer) > 64 || messageKind(answer[0]) != messageKind(raw[0])+1 {
				t.Fatalf("%+v is answered with % x", r, answer)
			}
			if in, err := e.Verify("peer", answer); err != nil || in != nil {
				t.Fatalf("an answer nobody asked for: %+v, %v", in, err)
			}
			for _, bad := range [][]byte{raw[:1], raw[:len(raw)-1], append(raw[:len(raw):len(raw)], 0)} {
				if _, err := e.Verify("peer", bad); err == nil {
					t.Fatalf("% x is a request", bad)
				}
			}
		}
	}
}

// TestStateAllowance: whoever takes too much gets empty answers until time has passed, and others are served.
func TestStateAllowance(t *testing.T) {
	library, err := snapshot.OpenLibrary(vfs.NewMem(), "snapshots")
	if err != nil {
		t.Fatal(err)
	}
	s := newStateServer(nil, library)
	served := 0
	for ; served < 100_000 && s.allow(1, "greedy"); served++ {
		s.spend("greedy", 1<<20)
	}
	if served != 32 {
		t.Fatalf("%d MiB were served at once", served)
	}
	if !s.allow(1, "other") {
		t.Fatal("one peer uses up what another may take")
	}
	if !s.allow(10_000, "greedy") {
		t.Fatal("nothing is forgiven")
	}
	for i := range 3 * maxAllowances {
		s.allow(1, p2p.PeerID(rune(i+1)))
	}
	if len(s.allowances) > maxAllowances {
		t.Fatalf("%d peers are remembered", len(s.allowances))
	}
}

func TestParseCheckpoint(t *testing.T) {
	hash := crypto.Hash{7}.String()
	if c, err := ParseCheckpoint("12:" + hash); err != nil || c.Epoch != 12 || c.Anchor != (crypto.Hash{7}) {
		t.Fatal(c, err)
	}
	if c, err := ParseCheckpoint(""); c != nil || err != nil {
		t.Fatal(c, err)
	}
	for _, bad := range []string{"12", "12:", ":" + hash, "0:" + hash, "-1:" + hash, "18446744073709551616:" + hash, "12:" + hash + "0"} {
		if _, err := ParseCheckpoint(bad); err == nil {
			t.Errorf("%q is a checkpoint", bad)
		}
	}
}
