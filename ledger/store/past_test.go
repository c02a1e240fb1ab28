package store

import (
	"bytes"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"waybill/consensus/quorum"
)

// The whole state at each height that is kept is the model's, whatever the step.
func TestPastStates(t *testing.T) {
	m := newModel(51)
	s := mustOpen(t, vfs.NewMem())
	m.grow(t, s, 40)
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	deleted := 0
	for h := snap.Oldest(); h <= 40; h++ {
		past, err := snap.Past(h)
		if err != nil {
			t.Fatal(err)
		}
		deleted += len(past.deleted)
		for _, step := range []int{1, 3, 7, 1000} {
			got := map[string][]byte{}
			var last []byte
			for {
				list, err := past.Scan(nil, last, step)
				if err != nil {
					t.Fatal(err)
				}
				if len(list) == 0 {
					break
				}
				for _, e := range list {
					if last != nil && bytes.Compare(last, e.Key) >= 0 {
						t.Fatalf("key %q after %q", e.Key, last)
					}
					last, got[string(e.Key)] = e.Key, e.Value
				}
			}
			if len(got) != len(m.states[h]) {
				t.Fatalf("%d keys at height %d in steps of %d, want %d", len(got), h, step, len(m.states[h]))
			}
			for k, v := range m.states[h] {
				if !bytes.Equal(got[k], v) {
					t.Fatalf("key %q at height %d", k, h)
				}
			}
			m.checkKeysAt(t, snap, h, step)
		}
	}
	if deleted == 0 {
		t.Fatal("no key was deleted in all the history")
	}
	if _, err := snap.Past(snap.Oldest() - 1); err == nil {
		t.Fatal("a state that is no longer kept")
	}
	if _, err := snap.Past(quorum.Height(41)); !IsNotFound(err) {
		t.Fatal(err)
	}
	if _, err := snap.KeysAt(snap.Oldest()-1, nil, nil, 1); err == nil {
		t.Fatal("keys of a state that is no longer kept")
	}
	if err := snap.Close(); err != nil {
		t.Fatal(err)
	}
	closed(t, s)
}

// checkKeysAt lists the keys of a height in pages: none that stood then is missing, deleted ones included, and none is named
// twice.
func (m *model) checkKeysAt(t *testing.T, snap *Snapshot, h quorum.Height, step int) {
	t.Helper()
	view, err := snap.ViewAt(h)
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"", "key/1", "key/59", "nothing"} {
		found, last := 0, []byte(nil)
		for {
			keys, err := snap.KeysAt(h, []byte(prefix), last, step)
			if err != nil || len(keys) > step {
				t.Fatalf("%d keys, %v", len(keys), err)
			}
			if len(keys) == 0 {
				break
			}
			for _, k := range keys {
				if last != nil && bytes.Compare(last, k) >= 0 || !bytes.HasPrefix(k, []byte(prefix)) {
					t.Fatalf("key %q after %q under %q", k, last, prefix)
				}
				last = k
				if value, err := view.Read(k); err != nil || value != nil {
					found++
				}
			}
		}
		want := 0
		for k := range m.states[h] {
			if strings.HasPrefix(k, prefix) {
				want++
			}
		}
		if found != want {
			t.Fatalf("%d keys under %q at height %d in steps of %d, want %d", found, prefix, h, step, want)
		}
	}
}
