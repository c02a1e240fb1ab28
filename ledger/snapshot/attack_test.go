package snapshot

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestEveryKeptSnapshotStaysOpen: asking for one snapshot and then another, as any peer may, decodes neither anew.
func TestEveryKeptSnapshotStaysOpen(t *testing.T) {
	c := newChain(t, 3, vfs.NewMem())
	l := library(t, c.fs, "snapshots")
	var made []*Stored
	for range maxCached + 2 {
		c.grow(3, 10)
		made = append(made, c.snapshot(l))
	}
	lately := made[len(made)-maxCached:]
	first := map[*Stored]bool{}
	for _, s := range lately {
		got, err := l.Find(s.Hash)
		if err != nil {
			t.Fatal(err)
		}
		first[got] = true
	}
	for range 10 {
		for _, s := range lately {
			if got, err := l.Find(s.Hash); err != nil || !first[got] {
				t.Fatalf("snapshot %d was decoded again (%v)", s.Manifest.Height(), err)
			}
		}
	}
	for _, s := range made {
		if _, err := l.Find(s.Hash); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.cache) > maxCached {
		t.Errorf("%d snapshots are held", len(l.cache))
	}
	if err := l.Prune(0); err != nil || len(l.cache) != 0 {
		t.Errorf("%d snapshots are held after all were removed (%v)", len(l.cache), err)
	}
	if err := c.store.Close(); err != nil {
		t.Fatal(err)
	}
}
