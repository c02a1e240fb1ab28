package sim

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"waybill/consensus"
	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/node/journal"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // runs make garbage and hold little
	m.Run()
}

// TestQueue holds the queue to order by time and then by age.
func TestQueue(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var q queue
	type key struct{ at, age int64 }
	var want []key
	var got []key
	for age := range int64(2_000) {
		k := key{rng.Int64N(50), age}
		want = append(want, k)
		q.push(k.at, event{do: func() error { got = append(got, k); return nil }})
	}
	slices.SortStableFunc(want, func(a, b key) int { return int(a.at - b.at) })
	for q.len() > 0 {
		_, e := q.pop()
		if err := e.do(); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, want) {
		t.Error("events come in another order than by time and age")
	}
}

// TestKeyedHash: another key, digest or signature, by one bit, is another thing.
func TestKeyedHash(t *testing.T) {
	key, digest := keyring()[0].public, crypto.Hash{1, 2, 3}
	good := keyedHash{}.Sign(testKey(0), digest)
	check := func(k crypto.PublicKey, d crypto.Hash, s crypto.Signature) bool {
		return keyedHash{}.VerifyBatch([]crypto.Check{{Key: k, Digest: d, Signature: s}})[0]
	}
	if !check(key, digest, good) {
		t.Fatal("its own signature does not verify")
	}
	for bit := range 8 * len(key) {
		k := key
		k[bit/8] ^= 1 << (bit % 8)
		if check(k, digest, good) {
			t.Errorf("bit %d of the key does not count", bit)
		}
	}
	for bit := range 8 * len(digest) {
		d := digest
		d[bit/8] ^= 1 << (bit % 8)
		if check(key, d, good) {
			t.Errorf("bit %d of the digest does not count", bit)
		}
	}
	for bit := range 8 * len(good) {
		s := good
		s[bit/8] ^= 1 << (bit % 8)
		if check(key, digest, s) {
			t.Errorf("bit %d of the signature does not count", bit)
		}
	}
}

// TestDisk: a crash keeps what was synced, and of the rest a beginning; a failed sync promises nothing.
func TestDisk(t *testing.T) {
	put := func(k, v string) []journal.Op { return []journal.Op{{Key: []byte(k), Value: []byte(v)}} }
	for keep, want := range map[int]string{0: "a1", 100: "a2b3"} {
		d := newDisk(block{})
		for _, step := range []struct {
			ops  []journal.Op
			sync bool
		}{{put("a", "1"), true}, {put("a", "2"), false}, {put("b", "3"), false}} {
			if err := d.Write(step.ops, step.sync); err != nil {
				t.Fatal(err)
			}
		}
		if d.unsynced("c") || !d.unsynced("b") {
			t.Error("the disk does not know what is not synced")
		}
		torn := d.crash(rand.New(rand.NewPCG(1, 1)), keep)
		var got strings.Builder
		if err := d.Scan(nil, func(k, v []byte) error { got.Write(k); got.Write(v); return nil }); err != nil {
			t.Fatal(err)
		}
		if got.String() != want || torn != (keep == 0) {
			t.Errorf("keeping %d of a hundred: %s, torn: %v, want %s", keep, got.String(), torn, want)
		}
	}
	d := newDisk(block{})
	d.fault = diskNoSync
	if err := d.Write(put("a", "1"), true); !errors.Is(err, errDisk) || !d.failed {
		t.Errorf("a sync that fails says %v", err)
	}
	d.crash(rand.New(rand.NewPCG(1, 1)), 0)
	if len(d.data) != 0 || d.fault != diskWell {
		t.Error("after a crash the write that was never synced is there, or the disk still fails")
	}
}

// TestSignerFileTears: a slot that was not synced is the old one, the new one, or a part of each; a synced one stays.
func TestSignerFileTears(t *testing.T) {
	old, fresh := bytes.Repeat([]byte{1}, 64), bytes.Repeat([]byte{2}, 64)
	seen := map[string]bool{}
	for seed := range uint64(200) {
		d := newDisk(block{})
		f := signerFile{d}
		if f.Write(0, old, true) != nil || f.Write(1, old, false) != nil || f.Write(1, fresh, false) != nil {
			t.Fatal("a write fails")
		}
		d.crash(rand.New(rand.NewPCG(seed, 3)), 50)
		got, err := f.Read()
		if err != nil || !bytes.Equal(got[0], old) {
			t.Fatalf("the synced slot is %x (%v)", got[0], err)
		}
		switch {
		case len(got[1]) == 0:
			seen["lost"] = true
		case bytes.Equal(got[1], fresh):
			seen["kept"] = true
		default:
			seen["torn"] = true
		}
	}
	if !seen["lost"] || !seen["torn"] {
		t.Errorf("crashes leave the slot only %v", seen)
	}
}

// TestContradict is the table of what no honest signer says twice.
func TestContradict(t *testing.T) {
	a, b := crypto.Hash{1}, crypto.Hash{2}
	vote := func(k quorum.VoteKind, block crypto.Hash) quorum.Vote {
		v := quorum.Vote{Kind: k, View: 3, Height: 1, Block: block}
		if k == quorum.KindNullify {
			v.Height, v.Block = 0, crypto.Hash{}
		}
		return v
	}
	for _, c := range []struct {
		x, y quorum.Vote
		want bool
	}{
		{vote(quorum.KindNotarize, a), vote(quorum.KindNotarize, b), true},
		{vote(quorum.KindNotarize, a), vote(quorum.KindNotarize, a), false},
		{vote(quorum.KindFinalize, a), vote(quorum.KindFinalize, b), true},
		{vote(quorum.KindProposal, a), vote(quorum.KindProposal, b), true},
		{vote(quorum.KindProposal, a), vote(quorum.KindNotarize, b), false},
		{vote(quorum.KindNotarize, a), vote(quorum.KindFinalize, b), true},
		{vote(quorum.KindNotarize, a), vote(quorum.KindFinalize, a), false},
		{vote(quorum.KindNotarize, a), vote(quorum.KindNullify, a), false},
		{vote(quorum.KindFinalize, a), vote(quorum.KindNullify, a), true},
	} {
		if contradict(c.x, c.y) != c.want || contradict(c.y, c.x) != c.want {
			t.Errorf("%s %s and %s %s contradict each other: want %v", c.x.Kind, c.x.Block.Short(), c.y.Kind, c.y.Block.Short(), c.want)
		}
	}
	later := vote(quorum.KindNotarize, b)
	later.View++
	if contradict(vote(quorum.KindNotarize, a), later) {
		t.Error("votes of two views contradict each other")
	}
}

// TestOracleSees shows the oracle what it exists to find.
func TestOracleSees(t *testing.T) {
	sign := func(w *world, node int, v quorum.Vote) quorum.Vote {
		i, _ := w.first.Index(keyring()[node].public)
		v.Signer = uint16(i)
		v.Signature = keyedHash{}.mac(keyring()[node].public, v.Digest(quorum.Domain{Genesis: w.cfg.Genesis, Set: w.first}))
		return v
	}
	send := func(w *world, v quorum.Vote) {
		w.oracle.sent(w.nodes[0], votesMessage(consensus.Status{}, sign(w, 0, v)))
	}
	notarize := quorum.Vote{Kind: quorum.KindNotarize, View: 1, Height: 1, Block: crypto.Hash{1}}
	for name, act := range map[string]func(w *world){
		"a double vote": func(w *world) {
			send(w, notarize)
			other := notarize
			other.Block = crypto.Hash{2}
			send(w, other)
		},
		"both exits": func(w *world) {
			send(w, quorum.Vote{Kind: quorum.KindNullify, View: 1})
			send(w, quorum.Vote{Kind: quorum.KindFinalize, View: 1, Height: 1, Block: crypto.Hash{1}})
		},
		"finalize of another block": func(w *world) {
			send(w, notarize)
			send(w, quorum.Vote{Kind: quorum.KindFinalize, View: 1, Height: 1, Block: crypto.Hash{2}})
		},
		"a vote that is not on the disk": func(w *world) {
			if err := w.nodes[0].disk.Write([]journal.Op{{Key: []byte(voteRecords + "x"), Value: []byte("y")}}, false); err != nil {
				t.Fatal(err)
			}
			send(w, notarize)
		},
		"a vote after everything was lost": func(w *world) { w.nodes[0].mute = true; send(w, notarize) },
		"evidence against the honest": func(w *world) {
			w.nodes[1].Report(quorum.Evidence{
				Offence: quorum.ExitConflict, First: sign(w, 0, quorum.Vote{Kind: quorum.KindFinalize, View: 1, Height: 1, Block: crypto.Hash{1}}),
				Second: sign(w, 0, quorum.Vote{Kind: quorum.KindNullify, View: 1}),
			})
		},
	} {
		w, err := newWorld(calm(1, [2]int64{0, 1}, 100, 50))
		if err != nil {
			t.Fatal(err)
		}
		if act(w); w.oracle.fault == nil {
			t.Errorf("the oracle does not see %s", name)
		}
	}
}
