package store

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
	"waybill/crypto"
	"waybill/ledger"
)

// Every key, and the tree above it, is at each height of a long history what it was then: keys that change in every block,
// now and then, seldom, and keys that come and go.
func TestLongHistory(t *testing.T) {
	blocks := 400
	if testing.Short() {
		blocks = 120
	}
	m := newModel(77)
	s := mustOpen(t, vfs.NewMem(), func(o *Options) { o.History = KeepAll })
	defer closed(t, s)
	m.grow(t, s, blocks)
	m.checkState(t, s, quorum.Height(blocks))
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = snap.Close() }()
	for h := quorum.Height(0); int(h) <= blocks; h += 3 {
		for i := 0; i < 60; i += 7 {
			key := fmt.Appendf(nil, "key/%d", (i+int(h))%60)
			proof, err := crypto.ProveTree(pastPages{snap, h}, key)
			if err != nil {
				t.Fatal(err)
			}
			if err := crypto.VerifyTree(m.roots[h], key, m.states[h][string(key)], proof); err != nil {
				t.Fatalf("%s at height %d: %v", key, h, err)
			}
		}
	}
	steps, moves := 0, 0
	err = s.walk(nil, []byte{prefixReplaced}, []byte{prefixReplaced + 1}, func(_, _ []byte) bool { steps++; return true })
	if err != nil {
		t.Fatal(err)
	}
	err = s.walk(nil, []byte{prefixUndo}, []byte{prefixUndo + 1}, func(_, value []byte) bool {
		u, err := parseUndo(value)
		moves += u.len()
		return err == nil
	})
	if err != nil || steps == 0 || moves < steps {
		t.Fatalf("%d steps and %d versions in undo records, %v", steps, moves, err)
	}
}

// A walk through the past is bounded: what changes in every block is found in less than two stretches of moves.
func TestStepsAreNear(t *testing.T) {
	for _, every := range []uint64{1, 2, 3, 4, 5, 16, 17, 100} {
		moves := uint64(0)
		for at := uint64(10_000); at > 10_000-1024; at -= every {
			if wantsStep(at-every, at) {
				break
			}
			moves++
		}
		if limit := max(stepSpan, 1024/stepGap); moves > uint64(limit) || every < stepGap && moves > stepSpan {
			t.Errorf("a change every %d blocks takes %d moves", every, moves)
		}
	}
}

func TestRecordCacheIsBoundedAndPresent(t *testing.T) {
	c := newRecordCache(10_000)
	var kept []record
	for i := range 1000 {
		key, hash := fmt.Append(nil, i), uint64(i)
		_, commits, ok := c.get(hash, key)
		if ok {
			t.Fatalf("%s is there before it was put in", key)
		}
		c.keep(hash, key, record{value: bytes.Repeat(key, 20), since: 1}, commits)
		r, _, ok := c.get(hash, key)
		if !ok {
			t.Fatalf("%s is not kept", key)
		}
		kept = append(kept, r)
		size := 0
		for _, x := range []half{c.young, c.old} {
			size += len(x.at) * recordOverhead
			for _, slab := range x.slabs {
				size += cap(slab)
			}
		}
		if size > c.limit+2*c.limit/16 {
			t.Fatalf("%d bytes after %d entries", size, i)
		}
		if _, _, ok := c.get(0, []byte("0")); !ok {
			t.Fatal("what is used all the time is forgotten")
		}
	}
	if _, _, ok := c.get(1, []byte("1")); ok {
		t.Error("what is not used is there")
	}
	for i, r := range kept { // what was handed out stays
		if want := bytes.Repeat(fmt.Append(nil, i), 20); !bytes.Equal(r.value, want) {
			t.Fatalf("%d is %s", i, r.value)
		}
	}
	// What was read before a commit is not kept after it.
	_, commits, _ := c.get(1, []byte("k"))
	c.committed(7, []ledger.Write{{Key: []byte("k"), Value: []byte("new")}, {Key: []byte("gone")}, {Key: []byte("none"), Value: []byte{}}}, []uint64{1, 2, 3})
	c.keep(1, []byte("k"), record{value: []byte("old"), since: 3}, commits)
	if r, _, ok := c.get(1, []byte("k")); !ok || !bytes.Equal(r.value, []byte("new")) || r.since != 7 {
		t.Errorf("%+v, %t", r, ok)
	}
	if r, _, ok := c.get(2, []byte("gone")); !ok || r.value != nil {
		t.Errorf("%+v, %t", r, ok)
	}
	if r, _, ok := c.get(3, []byte("none")); !ok || r.value == nil || len(r.value) != 0 {
		t.Errorf("%+v, %t", r, ok)
	}
	c.forget()
	if _, _, ok := c.get(1, []byte("k")); ok {
		t.Error("what is forgotten is there")
	}
}

// Two keys with one hash are not taken for each other, and neither is what one of them was before.
func TestRecordCacheCollisions(t *testing.T) {
	c := newRecordCache(1000)
	a, b := []byte("a"), []byte("b")
	commit := func(h quorum.Height, key []byte, value string, hash uint64) {
		c.committed(h, []ledger.Write{{Key: key, Value: []byte(value)}}, []uint64{hash})
	}
	commit(1, a, "was", 5)
	for c.old.at == nil {
		commit(2, []byte("x"), "filling", 6)
	}
	commit(3, a, "is", 5)
	commit(4, b, "other", 5)
	if r, _, ok := c.get(5, a); ok {
		t.Errorf("%s", r.value)
	}
	if r, _, ok := c.get(5, b); !ok || string(r.value) != "other" {
		t.Errorf("%s, %t", r.value, ok)
	}
}

// The filter never denies a key that is there, and mostly denies others.
func TestKeyFilter(t *testing.T) {
	f := newKeyFilter(2000)
	for i := range 1000 {
		f.add(f.hash(fmt.Appendf(nil, "key %d", i)))
	}
	if !f.mayHold(f.hash([]byte("anything"))) {
		t.Fatal("a filter that is not filled must not answer")
	}
	f.ready.Store(true)
	wrong := 0
	for i := range 1000 {
		if !f.mayHold(f.hash(fmt.Appendf(nil, "key %d", i))) {
			t.Fatalf("key %d is denied", i)
		}
		if f.mayHold(f.hash(fmt.Appendf(nil, "other %d", i))) {
			wrong++
		}
	}
	if wrong > 100 {
		t.Errorf("%d of 1000 absent keys may be there", wrong)
	}
}

// A filter that is filled while blocks are committed, and one whose filling is cut short, deny nothing that is there.
func TestFilterOfALargeLedger(t *testing.T) {
	fs := vfs.NewMem()
	m := newModel(5)
	s := mustOpen(t, fs)
	b := m.next()
	for i := range 2 * filledAtOnce {
		b.up.Writes = append(b.up.Writes, ledger.Write{Key: fmt.Appendf(nil, "many/%d", i), Value: []byte{1}})
	}
	if _, err := commitBlock(s, b); err != nil {
		t.Fatal(err)
	}
	closed(t, s)
	for range 3 {
		closed(t, mustOpen(t, fs)) // at once
	}
	s = mustOpen(t, fs)
	defer closed(t, s)
	c := ledger.Update{Height: 2}
	c.Writes = []ledger.Write{{Key: []byte("late"), Value: []byte{2}}}
	h := b.header
	h.Height, h.Parent, h.View, h.Flags = 2, b.up.Block, h.View+1, 0
	c.Block, c.ReceiptsRoot = h.Hash(), ledger.ReceiptsRoot(nil)
	if _, err := s.Commit(h, nil, nil, &c, nil); err != nil {
		t.Fatal(err)
	}
	<-s.filled
	if !s.filter.ready.Load() {
		t.Fatal("the filter does not answer")
	}
	for _, key := range []string{"many/0", fmt.Sprintf("many/%d", 2*filledAtOnce-1), "late", "params"} {
		if v, err := s.View().Read([]byte(key)); err != nil || v == nil {
			t.Errorf("%s: %x, %v", key, v, err)
		}
	}
}
