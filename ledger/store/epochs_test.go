package store

import (
	"context"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
)

// TestEpochs: every closing block leaves how the next epoch began, and its certificate even if a tail finalized it; the
// current epoch is that of the block after the tip, also after a restart.
func TestEpochs(t *testing.T) {
	fs := vfs.NewMem()
	m := inEpochs(5)
	s := mustOpen(t, fs)
	current := func(want quorum.Epoch) {
		t.Helper()
		r, err := s.CurrentEpoch()
		if err != nil || r.Number != want || r.Anchor.Height != quorum.Height(int(want)*m.per) || r.Set.Hash() != m.set.Hash() {
			t.Fatalf("%+v, %v; want epoch %d", r, err, want)
		}
	}
	current(0)
	m.grow(t, s, m.per-1)
	current(0)
	m.grow(t, s, 1)
	current(1)
	m.grow(t, s, 2*m.per+3)
	current(3)
	closed(t, s)
	s = mustOpen(t, fs)
	current(3)
	for e := range quorum.Epoch(4) {
		r, err := s.Epoch(e)
		if err != nil || r.Anchor != m.blocks[int(e)*m.per].header {
			t.Fatalf("epoch %d: %+v, %v", e, r, err)
		}
		if e == 0 {
			continue
		}
		c, err := s.Certificate(r.Anchor.Height)
		if err != nil || c == nil || c.Finalizes() != r.Anchor.Hash() || (c.Tail != nil) != (e%2 == 0) {
			t.Fatalf("the certificate of the block before epoch %d: %+v, %v", e, c, err)
		}
	}
	if _, err := s.Epoch(4); !IsNotFound(err) {
		t.Errorf("an epoch to come: %v", err)
	}
	if err := s.Audit(context.Background(), nil); err != nil {
		t.Error(err)
	}
	closed(t, s)
}

func TestCommitRefusesWrongEpochs(t *testing.T) {
	m := inEpochs(6)
	s := mustOpen(t, vfs.NewMem())
	m.grow(t, s, m.per-1)
	b := m.next()
	other, err := quorum.NewSet([]quorum.Validator{{Key: testKey("another").Public(), Power: 3}})
	if err != nil {
		t.Fatal(err)
	}
	for name, next := range map[string]*quorum.Set{"none": nil, "another": other} {
		if _, err := s.Commit(b.header, b.payload, b.cert, b.up, next); !errors.Is(err, ErrSequence) {
			t.Errorf("%s as the next set: %v", name, err)
		}
	}
	tail := b.header
	tail.Flags = quorum.FlagTail
	up := *b.up
	up.Block = tail.Hash()
	if _, err := s.Commit(tail, b.payload, b.cert, &up, nil); !errors.Is(err, ErrSequence) {
		t.Errorf("a tail: %v", err)
	}
	if _, err := commitBlock(s, b); err != nil {
		t.Fatal(err)
	}
	after := m.next()
	if _, err := s.Commit(after.header, after.payload, after.cert, after.up, m.set); !errors.Is(err, ErrSequence) {
		t.Errorf("a next set in the middle of an epoch: %v", err)
	}
	closed(t, s)
}

// TestAuditFindsWrongEpochs changes the record of an epoch behind the store's back.
func TestAuditFindsWrongEpochs(t *testing.T) {
	other, err := quorum.NewSet([]quorum.Validator{{Key: testKey("another").Public(), Power: 3}})
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*model, *Store) error{
		"another set": func(m *model, s *Store) error {
			return s.db.Set(epochKey(1), EpochRecord{Set: other, Anchor: m.blocks[m.per].header}.encode(), pebble.Sync)
		},
		"another anchor": func(m *model, s *Store) error {
			return s.db.Set(epochKey(1), EpochRecord{Set: m.set, Anchor: m.blocks[m.per-1].header}.encode(), pebble.Sync)
		},
		"no record":        func(_ *model, s *Store) error { return s.db.Delete(epochKey(2), pebble.Sync) },
		"no first record":  func(_ *model, s *Store) error { return s.db.Delete(epochKey(0), pebble.Sync) },
		"half a record":    func(_ *model, s *Store) error { return s.db.Set(epochKey(1), []byte{0, 0, 0, 2, 0}, pebble.Sync) },
		"a record of more": func(_ *model, s *Store) error { return s.db.Set(epochKey(1), frame(nil), pebble.Sync) },
	} {
		t.Run(name, func(t *testing.T) {
			m := inEpochs(7)
			s := mustOpen(t, vfs.NewMem())
			m.grow(t, s, 2*m.per+2)
			if err := change(m, s); err != nil {
				t.Fatal(err)
			}
			if err := s.Audit(context.Background(), nil); !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %v", err)
			}
			closed(t, s)
		})
	}
}

func FuzzDecodeEpoch(f *testing.F) {
	m := inEpochs(8)
	f.Add(EpochRecord{Set: m.set, Anchor: m.genesis.Block()}.encode())
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 2})
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := decodeEpoch(3, raw)
		if err == nil && string(r.encode()) != string(raw) {
			t.Fatal("two encodings of one record")
		}
	})
}

// TestNth agrees with unframe on every list and every cut of it.
func TestNth(t *testing.T) {
	for _, items := range [][][]byte{nil, {{}}, {{1}, {}, {2, 3}}, {make([]byte, 300), {9}}} {
		raw := frame(items)
		for i, want := range items {
			if got, err := nth(raw, i); err != nil || string(got) != string(want) {
				t.Errorf("item %d of %d: %x, %v", i, len(items), got, err)
			}
		}
		for _, i := range []int{-1, len(items), 1 << 30} {
			if _, err := nth(raw, i); err == nil {
				t.Errorf("item %d of %d", i, len(items))
			}
		}
		for cut := range raw {
			if got, err := nth(raw[:cut], len(items)-1); err == nil {
				t.Errorf("the last of %d items in %d of %d bytes: %x", len(items), cut, len(raw), got)
			}
		}
	}
}
