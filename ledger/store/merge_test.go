package store

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/crypto"
)

// The database may join patches from the oldest on or from the newest back; a value that it keeps is not written over.
func TestPageMerger(t *testing.T) {
	slot := func(b byte) []byte { return bytes.Repeat([]byte{b}, crypto.HashSize) }
	base := versioned(nil, 1, append([]byte(crypto.WholePatch+"\x00\x03\x00\x00"), append(slot(1), slot(2)...)...))
	second := versioned(nil, 2, append([]byte{0, 2, 0, 2, 0, 0}, slot(3)...))
	third := versioned(nil, 3, append([]byte{0, 5, 0, 4, 0, 0}, slot(4)...))
	want := versioned(nil, 3, append([]byte(crypto.WholePatch+"\x00\x06\x00\x00"), append(slot(3), slot(4)...)...))
	m := pageMerger()
	var kept [][]byte
	for range 3 { // joiners are used again
		up, err := m.Merge(nil, base)
		if err != nil {
			t.Fatal(err)
		}
		down, err := m.Merge(nil, third)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(up.MergeNewer(second), up.MergeNewer(third), down.MergeOlder(second), down.MergeOlder(base)); err != nil {
			t.Fatal(err)
		}
		for _, v := range []pebble.ValueMerger{up, down} {
			got, closer, err := v.Finish(true)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%x, %v; want %x", got, err, want)
			}
			kept = append(kept, got)
			defer func() { _ = closer.Close() }()
		}
	}
	for _, got := range kept {
		if !bytes.Equal(got, want) {
			t.Errorf("a value was written over: %x", got)
		}
	}
	for name, bad := range map[string][]byte{"no height": {1}, "no patch": versioned(nil, 9, nil)} {
		v, err := m.Merge(nil, base)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.MergeNewer(bad); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(v.MergeNewer(second), v.MergeOlder(base)); err != nil {
			t.Fatal(err)
		}
		if got, _, err := v.Finish(true); err != nil || len(got) != 0 {
			t.Errorf("%s: joined to %x, %v", name, got, err)
		}
	}
}

// A patch that nothing stands below, and one that is none, are corruption where they are read.
func TestBadPatches(t *testing.T) {
	for name, damage := range map[string]func(s *Store) error{
		"a patch of nothing": func(s *Store) error {
			return errors.Join(s.db.Delete(pageKey(""), nil), s.db.Merge(pageKey(""), versioned(nil, 6, []byte{0, 1, 0, 0, 0, 0}), pebble.Sync))
		},
		"a patch that is none": func(s *Store) error { return s.db.Merge(pageKey(""), versioned(nil, 6, []byte("?")), pebble.Sync) },
		"a page of no height":  func(s *Store) error { return s.db.Set(pageKey(""), []byte("page"), pebble.Sync) },
	} {
		fs := vfs.NewMem()
		m := newModel(3)
		s := mustOpen(t, fs)
		m.grow(t, s, 5)
		if err := damage(s); err != nil {
			t.Fatal(err)
		}
		if _, err := (livePages{s, nil}).ReadPage(""); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		closed(t, s)
		if _, err := Open("data", testGenesis("test"), small(fs)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: opened again: %v", name, err)
		}
	}
}
