package node

import (
	"testing"
	"time"
)

// TestRepeatedGossipIsNotForwarded: whoever publishes the same transactions again and again is heard once in a while.
func TestRepeatedGossipIsNotForwarded(t *testing.T) {
	r, err := newRelay(nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	one, two := [][]byte{[]byte("one")}, [][]byte{[]byte("one"), []byte("two")}
	for i, step := range []struct {
		after time.Duration
		raws  [][]byte
		want  bool
	}{
		{0, one, true}, {0, one, false}, {relayAgain / 4, one, false}, {0, two, true}, {0, two, false},
		{relayAgain / 4, one, true}, {0, one, false}, {relayAgain, two, true}, {0, nil, false},
	} {
		now = now.Add(step.after)
		if got := r.firstLately(step.raws, now); got != step.want {
			t.Errorf("step %d: %t", i, got)
		}
	}
	for i := range 3 * relayRemembered {
		r.firstLately([][]byte{{byte(i), byte(i >> 8), byte(i >> 16)}}, now)
	}
	if n := r.gossiped.Len(); n > relayRemembered {
		t.Errorf("%d are remembered", n)
	}
}
